// SPDX-License-Identifier: MIT
// isolation.mjs: with the headers a page is isolated and its workers get shared memory, without it is not. diagnose()
// names each cause, and each cause is made for real where a browser can be brought to it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { serve } from '../../wasm/serve.mjs';
import { isolationHeaders } from '../../wasm/src/headers.mjs';
import { INSECURE_NAME, inEachBrowser } from './browsers.mjs';

const HERE = import.meta.dirname;
const SITE = {
  folder: path.join(HERE, 'pages'), mounts: { '/src/': path.join(HERE, '../../wasm/src/') }, hostNames: [INSECURE_NAME],
};
const ALL = isolationHeaders();
const COOP = 'Cross-Origin-Opener-Policy';
const COEP = 'Cross-Origin-Embedder-Policy';
const CSP = 'Content-Security-Policy';

/** The headers without some of them, or with others. */
const changed = (changes) => Object.fromEntries(Object.entries({ ...ALL, ...changes }).filter(([, value]) => value));

/** The first folder of an address says with which headers it comes; all show the same pages. */
const VARIANTS = {
  full: ALL,
  bare: {},
  'coop-only': changed({ [COEP]: '' }),
  'coep-only': changed({ [COOP]: '' }),
  'coop-popups': changed({ [COOP]: 'same-origin-allow-popups' }),
  'coep-none': changed({ [COEP]: 'unsafe-none' }),
  // without a Content-Security-Policy, which would keep images of other origins away by itself
  'full-open': changed({ [CSP]: '' }),
  credentialless: { ...changed({ [CSP]: '' }), [COEP]: 'credentialless' },
  'no-wasm': changed({ [CSP]: "script-src 'self'" }),
  'no-workers': changed({ [CSP]: "script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'" }),
  // pages that frame others, and those that let themselves be framed by other origins
  outer: changed({ [CSP]: '', 'Permissions-Policy': '' }),
  framed: changed({ [CSP]: '', 'Cross-Origin-Resource-Policy': 'cross-origin' }),
};

/** @param {string} pathname */
const variantOf = (pathname) => VARIANTS[pathname.split('/')[1]] ?? ALL;

/** A server of all variants. */
const serveVariants = (headers = variantOf) => serve({ ...SITE, headers, mounts: { ...SITE.mounts,
  ...Object.fromEntries(Object.keys(VARIANTS).map((name) => [`/${name}/`, SITE.folder])) } });

/** What diagnose() says in a page or frame. */
const diagnosis = (frame, options = {}) => frame.evaluate(async (given) => {
  const { diagnose } = await import('/src/diagnose.mjs');
  return diagnose(given);
}, options);

/** @returns {Promise<string[]>} the causes' codes */
const codes = async (frame, options) => (await diagnosis(frame, options)).causes.map(({ code }) => code);

/** Put a frame into a page, and hand it out when it is loaded. */
async function addFrame(page, url, allow = '') {
  const element = await page.evaluateHandle((src, permission) => new Promise((resolve) => {
    const frame = document.createElement('iframe');
    if (permission) frame.allow = permission;
    frame.onload = () => resolve(frame);
    frame.src = src;
    document.body.append(frame);
  }), url, allow);
  return element.contentFrame();
}

/** What becomes of new Worker(url): how it ended, what its error event said, and why according to explainWorker(). */
const startWorker = (page, url) => page.evaluate(async (script) => {
  const { explainWorker } = await import('/src/diagnose.mjs');
  let event;
  try {
    const worker = new Worker(script, { type: 'module' });
    worker.postMessage(null);
    event = await new Promise((resolve) => { worker.onmessage = resolve; worker.onerror = resolve; });
    worker.terminate();
  } catch (error) {
    event = { type: `throws ${error.name}` };
  }
  const { code, text } = await explainWorker(script);
  return { ended: event.type, said: event.message, code, text };
}, url);

inEachBrowser('isolation', (web) => {
  let site;
  let other;
  before(async () => { [site, other] = await Promise.all([serveVariants(), serveVariants()]); });
  after(() => Promise.all([site.close(), other.close()]));

  test('with the headers a page is isolated, and shares memory with a worker', async () => {
    const page = await web.open(`${site.url}full/plain.html`);
    const expected = {
      mode: 'threads', wasm: 'threads', ok: true, causes: [], reason: 'Memory is shared between threads.',
    };
    assert.equal(await page.evaluate(() => crossOriginIsolated), true);
    assert.deepEqual(await diagnosis(page, { worker: '/full/worker.mjs' }), expected);
    const { value, answer } = await page.evaluate(async () => {
      const words = new Int32Array(new SharedArrayBuffer(4));
      const worker = new Worker('worker.mjs', { type: 'module' });
      const heard = Atomics.waitAsync(words, 0, 0).value;
      worker.postMessage(words.buffer);
      const [, { data }] = await Promise.all([heard, new Promise((resolve) => { worker.onmessage = resolve; })]);
      return { value: Atomics.load(words, 0), answer: data };
    });
    assert.deepEqual([value, answer], [1, { isolated: true, diagnosis: expected }]);
  });

  test('each header that is missing or wrong is named', async () => {
    const page = await web.open('about:blank');
    for (const [variant, expected, text] of [
      ['bare', ['coop-missing', 'coep-missing'], /came without the header Cross-Origin-Opener-Policy/],
      ['coop-only', ['coep-missing'], /came without the header Cross-Origin-Embedder-Policy/],
      ['coep-only', ['coop-missing'], /came without the header Cross-Origin-Opener-Policy/],
      ['coop-popups', ['coop-missing'], /Opener-Policy is 'same-origin-allow-popups'/],
      ['coep-none', ['coep-missing'], /Embedder-Policy is 'unsafe-none'/],
    ]) {
      await page.goto(`${site.url}${variant}/plain.html`);
      assert.equal(await page.evaluate(() => crossOriginIsolated), false, variant);
      const { mode, wasm, ok, causes, reason } = await diagnosis(page);
      assert.deepEqual([variant, mode, wasm, ok], [variant, 'single', 'threads', false]);
      assert.deepEqual(causes.map(({ code }) => code), expected, variant);
      assert.match(reason, text);
      assert.ok(causes.every(({ fix }) => fix.includes('Cross-Origin-')));
    }
  });

  test('a page over plain http from elsewhere is in no secure context', async () => {
    const page = await web.open(`http://${INSECURE_NAME}:${site.port}/full/plain.html`, { errors: true });
    assert.equal(await page.evaluate(() => isSecureContext), false);
    assert.deepEqual(await codes(page), ['insecure-context']);
  });

  test('a page that was loaded before the headers came is to be reloaded', async () => {
    let sending = false;
    const late = await serveVariants((pathname) => (sending || pathname !== '/plain.html' ? ALL : {}));
    try {
      const page = await web.open(`${late.url}plain.html`);
      sending = true;
      assert.deepEqual(await codes(page), ['reload-needed']);
      await page.reload();
      assert.deepEqual(await codes(page), []);
    } finally {
      await late.close();
    }
  });

  test('a worker of a page that is not isolated says so', async () => {
    const page = await web.open(`${site.url}bare/plain.html`);
    const answer = await page.evaluate(async () => {
      const worker = new Worker('worker.mjs', { type: 'module' });
      worker.postMessage(null);
      return (await new Promise((resolve) => { worker.onmessage = resolve; })).data;
    });
    assert.equal(answer.isolated, false);
    assert.deepEqual(answer.diagnosis.causes.map(({ code }) => code), ['not-isolated']);
    assert.match(answer.diagnosis.reason, /the page that started this worker is not/);
  });

  test('a Content-Security-Policy that forbids wasm: memory is shared all the same', async () => {
    const page = await web.open(`${site.url}no-wasm/plain.html`, { errors: true });
    const { mode, wasm, causes } = await diagnosis(page);
    assert.deepEqual([mode, wasm, causes.map(({ code }) => code)], ['threads', 'none', ['csp-blocks-wasm']]);
    assert.match(causes[0].fix, /'wasm-unsafe-eval'/);
  });

  test('frames: of the own origin, of another site with permission and without, in a page without', async () => {
    // a name of its own makes it another site, not only another origin
    const elsewhere = `http://localhost:${other.port}`;
    const found = {};
    for (const [outer, frames] of [
      ['outer', { own: [site.origin, ''], allowed: [elsewhere, 'cross-origin-isolated'], foreign: [elsewhere, ''] }],
      ['bare', { own: [site.origin, ''], allowed: [elsewhere, 'cross-origin-isolated'], foreign: [elsewhere, ''] }],
    ]) {
      const page = await web.open(`${site.url}${outer}/plain.html`);
      for (const [what, [origin, allow]] of Object.entries(frames)) {
        const frame = await addFrame(page, `${origin}/framed/plain.html`, allow);
        found[`${outer}, ${what}`] = [await frame.evaluate(() => crossOriginIsolated), ...await codes(frame)].join(' ');
      }
      if (outer === 'bare') {
        const frame = await addFrame(page, `${site.url}bare/plain.html`);
        found['bare, own, bare'] = (await codes(frame)).join(' ');
      }
    }
    // Firefox asks for no permission
    const unasked = web.name === 'firefox';
    assert.deepEqual(found, {
      'outer, own': 'true',
      'outer, allowed': 'true',
      'outer, foreign': unasked ? 'true' : 'false embedded-without-permission',
      'bare, own': 'false parent-not-isolated',
      'bare, allowed': 'false parent-not-isolated',
      'bare, foreign': unasked ? 'false parent-not-isolated' : 'false embedded-without-permission',
      'bare, own, bare': 'coep-missing parent-not-isolated',
    });
  });

  test('workers that do not start: the browser says nothing, explainWorker() says why', async () => {
    const page = await web.open(`${site.url}full/plain.html`, { errors: true });
    for (const [script, code, text] of [
      ['/bare/worker.mjs', 'worker-blocked-coep', /bare\/worker\.mjs came without/],
      ['/full/nowhere.mjs', 'worker-not-found', /nowhere\.mjs is answered by 404/],
      ['/full/worker.txt', 'worker-wrong-type', /worker\.txt is 'text\/plain/],
      [`${other.url}full/worker.mjs`, 'worker-cross-origin', /is of another origin/],
      ['/full/throws.mjs', 'worker-failed', /failed while it ran/],
    ]) {
      const result = await startWorker(page, script);
      assert.deepEqual([script, result.code], [script, code]);
      assert.match(result.ended, code === 'worker-cross-origin' ? /error|throws SecurityError/ : /^error$/, script);
      if (code === 'worker-blocked-coep') assert.equal(result.said, undefined, 'the browser says something');
      assert.match(result.text, text);
      assert.deepEqual(await codes(page, { worker: script }), code === 'worker-failed' ? [] : [code]);
    }
    const strict = await web.open(`${site.url}no-workers/plain.html`, { errors: true });
    const { ended, code, text } = await startWorker(strict, '/full/worker.mjs');
    assert.match(ended, /^error$|throws SecurityError/);
    assert.equal(code, 'worker-blocked-csp');
    assert.match(text, /worker-src 'none'/);
    const { mode, causes } = await diagnosis(strict, { worker: '/full/worker.mjs' });
    assert.deepEqual([mode, causes.map((cause) => cause.code)], ['single', ['worker-blocked-csp']]);
  });

  test('what no browser of today lacks is told apart when it is taken away', async () => {
    const page = await web.open('about:blank');
    for (const [expected, expectedMode, take] of [
      ['no-shared-array-buffer', 'single', () => { delete globalThis.SharedArrayBuffer; }],
      ['memory-not-postable', 'single', () => {
        const post = MessagePort.prototype.postMessage;
        MessagePort.prototype.postMessage = function postMessage(message, ...rest) {
          if (message instanceof SharedArrayBuffer) throw new DOMException('not cloneable', 'DataCloneError');
          return post.call(this, message, ...rest);
        };
      }],
      ['no-wasm-threads', 'threads', () => { WebAssembly.validate = (bytes) => bytes.length <= 8; }],
      ['no-webassembly', 'threads', () => { delete globalThis.WebAssembly; }],
    ]) {
      await page.goto(`${site.url}full/plain.html`);
      await page.evaluate(take);
      const { mode, causes } = await diagnosis(page);
      assert.deepEqual([causes.map(({ code }) => code), mode], [[expected], expectedMode]);
    }
  });

  test('credentialless: isolated, and an image of another origin comes in, without cookies', async () => {
    const cookies = [];
    // an ordinary server: it knows nothing of isolation
    const ordinary = createServer(({ url, headers }, response) => {
      cookies.push([url, headers.cookie]);
      response.setHeader('Content-Type', 'image/svg+xml');
      response.end('<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"/>');
    });
    ordinary.listen(0, '127.0.0.1');
    await once(ordinary, 'listening');
    try {
      const loaded = {};
      const page = await web.open('about:blank', { errors: true });
      for (const variant of ['bare', 'full-open', 'credentialless']) {
        await page.goto(`${site.url}${variant}/plain.html`);
        loaded[variant] = await page.evaluate(async (src) => {
          document.cookie = 'who=me; path=/';
          const image = new Image();
          const loads = new Promise((resolve) => {
            image.onload = () => resolve(true);
            image.onerror = () => resolve(false);
          });
          image.src = src;
          return [crossOriginIsolated, await loads];
        }, `http://127.0.0.1:${ordinary.address().port}/${variant}.svg`);
      }
      assert.deepEqual(loaded, { bare: [false, true], 'full-open': [true, false], credentialless: [true, true] });
      // cookies do not look at the port, so this one is the ordinary server's as well
      const sent = Object.fromEntries(cookies);
      assert.deepEqual([sent['/bare.svg'], sent['/credentialless.svg']], ['who=me', undefined]);
      await page.goto(`${site.url}credentialless/plain.html`);
      assert.deepEqual(await codes(page, { worker: '/credentialless/worker.mjs' }), []);
    } finally {
      ordinary.close();
    }
  });
});

// Chromium has no switch for it
inEachBrowser('shared memory and WebAssembly switched off by the user', (web) => {
  test('are two causes', async () => {
    const site = await serve(SITE);
    try {
      const page = await web.open(`${site.url}plain.html`);
      assert.equal(await page.evaluate(() => crossOriginIsolated), true);
      const { mode, wasm, causes } = await diagnosis(page);
      assert.deepEqual([mode, wasm, ...causes.map(({ code }) => code)],
        ['single', 'none', 'no-shared-array-buffer', 'no-webassembly']);
    } finally {
      await site.close();
    }
  });
}, { only: 'firefox', prefs: { 'javascript.options.wasm': false, 'javascript.options.shared_memory': false } });

test('in Node memory is shared', async () => {
  const { diagnose } = await import('../../wasm/src/diagnose.mjs');
  const { mode, wasm, ok, causes } = await diagnose({ worker: new URL(import.meta.url) });
  assert.deepEqual([mode, wasm, ok, causes], ['threads', 'threads', true, []]);
});
