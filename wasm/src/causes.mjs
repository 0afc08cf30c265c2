// SPDX-License-Identifier: MIT
// causes.mjs: why a page may share no memory between threads, in words for whoever has to mend it.

/**
 * @typedef {'file-url' | 'insecure-context' | 'coop-missing' | 'coep-missing' | 'reload-needed' | 'parent-not-isolated'
 *   | 'embedded-without-permission' | 'not-isolated' | 'no-shared-array-buffer' | 'memory-not-postable'
 *   | 'no-webassembly' | 'no-wasm-threads' | 'csp-blocks-wasm' | 'worker-cross-origin' | 'worker-not-found'
 *   | 'worker-wrong-type' | 'worker-blocked-coep' | 'worker-blocked-csp' | 'worker-failed'} CauseCode
 */

/**
 * @typedef {object} Cause
 * @property {CauseCode} code for programs; never changes its meaning
 * @property {string} text what is wrong, one or two sentences
 * @property {string} fix what to do about it
 */

const BOTH = 'Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp';
const HOSTS = 'docs/hosting has ready configurations; a host that cannot send headers is served by isolate.mjs';

/** Each takes what was seen, to say it. @type {Record<CauseCode, (seen: string) => { text: string, fix: string }>} */
const CAUSES = {
  'file-url': () => ({
    text: 'The page was opened as a file. Only pages from a web server can share memory.',
    fix: 'Serve the folder: node serve.mjs FOLDER, then open the address that it prints.',
  }),
  'insecure-context': (address) => ({
    text: `The page came over plain http from ${address}. Only https, and http from localhost, can share memory.`,
    fix: 'Serve it by https; on this machine open it as http://localhost or http://127.0.0.1.',
  }),
  'coop-missing': (value) => ({
    text: value === ''
      ? 'The page came without the header Cross-Origin-Opener-Policy.'
      : `The page's Cross-Origin-Opener-Policy is '${value}', which leaves it with its opener.`,
    fix: `Send Cross-Origin-Opener-Policy: same-origin with the page. ${HOSTS}.`,
  }),
  'coep-missing': (value) => ({
    text: value === ''
      ? 'The page came without the header Cross-Origin-Embedder-Policy.'
      : `The page's Cross-Origin-Embedder-Policy is '${value}', which lets everything be embedded.`,
    fix: `Send Cross-Origin-Embedder-Policy: require-corp (or credentialless) with the page. ${HOSTS}.`,
  }),
  'reload-needed': () => ({
    text: 'The server sends both headers now, but this page was loaded before it did, or from a cache.',
    fix: 'Reload the page. If that does not help, let the server send the headers with 304 Not Modified too.',
  }),
  'parent-not-isolated': () => ({
    text: 'The page is in a frame, and the page around it is not isolated. A frame is isolated only in one that is.',
    fix: `Send ${BOTH} with the outer page, or open this page by itself.`,
  }),
  'embedded-without-permission': () => ({
    text: 'The page is in a frame of another origin that does not let it be isolated.',
    fix: 'In the outer page write <iframe allow="cross-origin-isolated" ...>, and let its Permissions-Policy header '
      + 'not forbid it; or open this page by itself.',
  }),
  'not-isolated': (seen) => ({
    text: `The browser does not isolate the page, and no cause was found: ${seen}.`,
    fix: `Look whether it came with ${BOTH}. Safari takes require-corp only. The browser's console may say more.`,
  }),
  'no-shared-array-buffer': () => ({
    text: 'The page is isolated, yet this browser has no SharedArrayBuffer.',
    fix: 'Use a newer browser (Chrome 92, Firefox 79, Safari 15.2), or look whether a setting forbids shared memory.',
  }),
  'memory-not-postable': (error) => ({
    text: `This browser makes shared memory, but does not let it be sent to a worker (${error}).`,
    fix: 'Use a newer browser, or look whether an extension or a setting forbids shared memory.',
  }),
  'no-webassembly': () => ({
    text: 'This browser has no WebAssembly.',
    fix: "Use a newer browser, or look whether a setting forbids it (Safari's Lockdown Mode does). "
      + 'Rings, streams and buffers in JavaScript work without.',
  }),
  'no-wasm-threads': () => ({
    text: 'This browser has WebAssembly, but not its atomic instructions and shared memories.',
    fix: 'Use a newer browser (Chrome 74, Firefox 79, Safari 14.1).',
  }),
  'csp-blocks-wasm': () => ({
    text: "The page's Content-Security-Policy forbids compiling WebAssembly.",
    fix: "Add 'wasm-unsafe-eval' to its script-src: script-src 'self' 'wasm-unsafe-eval'. It does not allow eval().",
  }),
  'worker-cross-origin': (url) => ({
    text: `The worker script ${url} is of another origin. A browser starts workers of the page's own origin only.`,
    fix: 'Copy the script to your own server.',
  }),
  'worker-not-found': (seen) => ({
    text: `The worker script could not be loaded: ${seen}.`,
    fix: 'Look whether the address is right: new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" }) '
      + 'is beside the script that says it.',
  }),
  'worker-wrong-type': (seen) => ({
    text: `The worker script is not sent as JavaScript: ${seen}.`,
    fix: 'Send .js and .mjs as Content-Type: text/javascript.',
  }),
  'worker-blocked-coep': (url) => ({
    text: `The page has Cross-Origin-Embedder-Policy, but its worker script ${url} came without, so the browser `
      + 'blocks it. The error event says nothing of it.',
    fix: 'Send Cross-Origin-Embedder-Policy with the script as well, simplest with every file.',
  }),
  'worker-blocked-csp': (directive) => ({
    text: `The page's Content-Security-Policy does not allow the worker: ${directive}.`,
    fix: "Add worker-src 'self' to it.",
  }),
  'worker-failed': (seen) => ({
    text: `The worker script ${seen} can be loaded and is allowed, so it failed while it ran or while it imported.`,
    fix: "The browser's console has its error; a module that it imports may be missing or blocked.",
  }),
};

/**
 * @param {CauseCode} code
 * @param {string} [seen] the value, address or error that it was seen by
 * @returns {Cause}
 */
export function cause(code, seen = '') {
  return { code, ...CAUSES[code](seen) };
}
