// SPDX-License-Identifier: MIT
// diagnose.mjs: may this page share memory with its workers, and if not, why? Looks at what the browser says and at the
// headers that the page came with, and tries what can be tried. Stands alone: nothing else of the package is needed.
import { cause } from './causes.mjs';

/** @typedef {import('./causes.mjs').Cause} Cause */
/** @typedef {import('./causes.mjs').CauseCode} CauseCode */

/**
 * @typedef {object} Diagnosis
 * @property {'threads' | 'single'} mode 'threads': shared memory can be made and reaches workers
 * @property {'threads' | 'single' | 'none'} wasm which modules can be compiled here, whatever the mode
 * @property {boolean} ok no cause was found: mode and wasm are 'threads'
 * @property {Cause[]} causes what stands in the way, each with its fix; the first is to be mended first
 * @property {string} reason one sentence for a panel or a log: the first cause's text, or that all is well
 */

/**
 * @typedef {object} DiagnoseOptions
 * @property {string | URL} [worker] a worker script, to look whether the browser would start it; it is fetched, not run
 */

/** (module (memory 1 1 shared) (func i32.const 0 i32.const 0 i32.const 0 memory.atomic.notify drop)), less a type */
const THREADS = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // header
  1, 4, 1, 0x60, 0, 0, // one type: nothing to nothing
  3, 2, 1, 0, // one function of it
  5, 4, 1, 3, 1, 1, // one memory: shared, 1 page to 1 page
  10, 13, 1, 11, 0, 0x41, 0, 0x41, 0, 0xfe, 0, 2, 0, 0x1a, 11, // memory.atomic.notify of address 0, drop
]);
const PLAIN = THREADS.subarray(0, 8); // an empty module

/**
 * Find out what this page (or worker, or Node) can do.
 *
 * @param {DiagnoseOptions} [options]
 * @returns {Promise<Diagnosis>} never rejects
 *
 * Cost: where all is well nothing is fetched, unless `worker` is given; else one HEAD request for the page itself.
 */
export async function diagnose({ worker } = {}) {
  const sharing = await sharingCauses();
  if (worker !== undefined && isBrowser()) {
    const found = await explainWorker(worker);
    // it says that nothing is wrong from outside; here nobody has tried to run the script
    if (found.code !== 'worker-failed') sharing.push(found);
  }
  const { wasm, causes } = wasmSupport();
  const all = [...sharing, ...causes];
  return {
    mode: sharing.length === 0 ? 'threads' : 'single', wasm, ok: all.length === 0, causes: all,
    reason: all[0]?.text ?? 'Memory is shared between threads.',
  };
}

/**
 * Why a worker script did not start: a browser reports no more than an error event without a text. The script is
 * fetched and what came is compared with what a worker needs.
 *
 * @param {string | URL} script as given to new Worker()
 * @returns {Promise<Cause>} 'worker-failed' if nothing is wrong with how it is sent; never rejects
 */
export async function explainWorker(script) {
  const url = new URL(script, globalThis.document?.baseURI ?? location.href);
  if (url.origin !== location.origin && (url.protocol === 'http:' || url.protocol === 'https:')) {
    return cause('worker-cross-origin', url.href);
  }
  const page = await headersOf(location.href);
  const forbidden = workersForbidden(page?.get('content-security-policy') ?? '');
  if (forbidden) return cause('worker-blocked-csp', forbidden);
  let response;
  try {
    response = await fetch(url);
  } catch (error) {
    return cause('worker-not-found', `${url.href}: ${messageOf(error)}`);
  }
  // its headers are all that is wanted
  void response.body?.cancel();
  if (!response.ok) return cause('worker-not-found', `${url.href} is answered by ${response.status}`);
  const type = response.headers.get('content-type') ?? '';
  if (!/^(text|application)\/(x-)?(java|ecma)script\b/i.test(type)) {
    return cause('worker-wrong-type', `${url.href} is '${type}'`);
  }
  const strict = isStrict(page?.get('cross-origin-embedder-policy') ?? '') || globalThis.crossOriginIsolated === true;
  if (strict && url.protocol !== 'blob:' && url.protocol !== 'data:'
    && !isStrict(response.headers.get('cross-origin-embedder-policy') ?? '')) {
    return cause('worker-blocked-coep', url.href);
  }
  return cause('worker-failed', url.href);
}

/** What keeps shared memory from workers, but for the worker script. @returns {Promise<Cause[]>} */
async function sharingCauses() {
  if (isBrowser() && globalThis.crossOriginIsolated !== true) return isolationCauses();
  if (typeof SharedArrayBuffer !== 'function') return [cause('no-shared-array-buffer')];
  const failure = postFailure();
  return failure ? [cause('memory-not-postable', failure)] : [];
}

/** A page, a frame or one of their workers; Node, Deno and the like ask for no isolation. */
function isBrowser() {
  return typeof location === 'object' && typeof globalThis.crossOriginIsolated === 'boolean';
}

/** What keeps this page from being isolated: at least one cause. @returns {Promise<Cause[]>} */
async function isolationCauses() {
  if (location.protocol === 'file:') return [cause('file-url')];
  if (!globalThis.isSecureContext) return [cause('insecure-context', location.origin)];
  // a worker is isolated if its page is
  if (typeof window === 'undefined') {
    return [cause('not-isolated', 'the page that started this worker is not; ask there')];
  }
  const headers = await headersOf(location.href);
  if (!headers) return [cause('not-isolated', 'the headers of the page could not be read')];
  const causes = [];
  const framed = window.parent !== window;
  const opener = (headers.get('cross-origin-opener-policy') ?? '').trim();
  const embedder = (headers.get('cross-origin-embedder-policy') ?? '').trim();
  // whom a frame shares its opener with is the outer page's affair
  if (!framed && !/^same-origin\s*(;|$)/.test(opener)) causes.push(cause('coop-missing', opener));
  if (!isStrict(embedder)) causes.push(cause('coep-missing', embedder));
  if (framed) causes.push(...frameCauses());
  return causes.length > 0 ? causes : [cause('reload-needed')];
}

/** @returns {Cause[]} */
function frameCauses() {
  const outer = outerIsolated();
  if (outer !== undefined) return outer ? [] : [cause('parent-not-isolated')];
  // of another origin, so nothing can be asked of it. Chromium says what it allowed this frame; Firefox asks for no
  // permission, so where nobody can tell, the outer page is not isolated itself
  const policy = /** @type {any} */ (document).permissionsPolicy ?? /** @type {any} */ (document).featurePolicy;
  const refused = policy?.allowsFeature?.('cross-origin-isolated') === false;
  return [cause(refused ? 'embedded-without-permission' : 'parent-not-isolated')];
}

/** Whether the page around this frame is isolated; undefined if it is of another origin. */
function outerIsolated() {
  try {
    return window.parent.crossOriginIsolated;
  } catch {
    return undefined;
  }
}

/** @param {string} policy of Cross-Origin-Embedder-Policy */
const isStrict = (policy) => /^\s*(require-corp|credentialless)\s*(;|$)/.test(policy);

/**
 * The headers that the server sends with an address now.
 *
 * @param {string} url
 * @returns {Promise<Headers | undefined>} undefined: they cannot be read
 */
async function headersOf(url) {
  for (const method of ['HEAD', 'GET']) {
    try {
      const response = await fetch(url, { method, cache: 'no-store', credentials: 'same-origin' });
      // some servers know no HEAD
      if (response.status === 405 || response.status === 501) continue;
      void response.body?.cancel();
      return response.headers;
    } catch {
      return undefined;
    }
  }
  return undefined;
}

/** Why shared memory does not go through a port; undefined if it does. */
function postFailure() {
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(new SharedArrayBuffer(4));
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    port1.close();
    port2.close();
  }
}

/** @returns {{ wasm: Diagnosis['wasm'], causes: Cause[] }} */
function wasmSupport() {
  if (typeof WebAssembly !== 'object') return { wasm: 'none', causes: [cause('no-webassembly')] };
  try {
    // an empty module of 8 bytes: what fails here is forbidden, not wrong
    new WebAssembly.Module(PLAIN);
  } catch {
    return { wasm: 'none', causes: [cause('csp-blocks-wasm')] };
  }
  // looks at the bytes only, which is never forbidden
  if (!WebAssembly.validate(THREADS)) return { wasm: 'single', causes: [cause('no-wasm-threads')] };
  return { wasm: 'threads', causes: [] };
}

/**
 * The directive by which a Content-Security-Policy keeps workers of the page's own origin from starting. What it takes
 * to match paths is left to the browser: a list with this origin in it counts as allowed.
 *
 * @param {string} header of one policy, or of several with commas between
 * @returns {string | undefined}
 */
function workersForbidden(header) {
  for (const policy of header.split(',')) {
    const directives = new Map();
    for (const text of policy.split(';')) {
      const [name = '', ...sources] = text.trim().split(/\s+/);
      if (name && !directives.has(name.toLowerCase())) directives.set(name.toLowerCase(), sources);
    }
    for (const name of ['worker-src', 'child-src', 'script-src', 'default-src']) {
      const sources = directives.get(name);
      if (!sources) continue;
      const allowed = sources.some((/** @type {string} */ source) => ["'self'", '*', location.protocol].includes(source)
        || source.includes(location.host) || /^'(strict-dynamic|nonce-|sha\d)/.test(source));
      if (!allowed) return `${name} ${sources.join(' ')}`;
      break;
    }
  }
  return undefined;
}

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Error || error instanceof DOMException ? error.message : String(error));
