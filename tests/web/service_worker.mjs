// SPDX-License-Identifier: MIT
// service_worker.mjs: on a host that sends none of the headers, a page becomes isolated by isolate() and its service
// worker, with one reload; reloads end where that cannot work; the service worker can be taken away again.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { serve } from '../../wasm/serve.mjs';
import { ISOLATING, isolationHeaders } from '../../wasm/src/headers.mjs';
import { INSECURE_NAME, inEachBrowser } from './browsers.mjs';

const SRC = path.join(import.meta.dirname, '../../wasm/src/');
const WORKER = readFileSync(path.join(SRC, 'isolation_worker.js'), 'utf8');
const MOST_LOADS = 3;

/** The end of isolate() in a page that may be loaded again meanwhile. */
async function outcome(page) {
  await page.waitForFunction(() => document.querySelector('#state')?.textContent?.startsWith('{'), { timeout: 20_000 });
  return JSON.parse(await page.$eval('#state', (element) => element.textContent));
}

/** The headers that a page sees on an answer. */
const headersOf = (page, target, names) => page.evaluate(async (url, wanted) => {
  const { headers } = await fetch(url);
  return wanted.map((name) => headers.get(name));
}, target, names);

inEachBrowser('a host that sends no headers', (web) => {
  let host;
  before(async () => {
    host = await serve({
      folder: path.join(import.meta.dirname, 'pages'), mounts: { '/src/': SRC }, isolation: false,
      hostNames: [INSECURE_NAME],
      answers: {
        '/isolation_worker.js': WORKER,
        // registers, takes over, and changes nothing
        '/idle_worker.js': 'addEventListener("install", () => skipWaiting());'
          + 'addEventListener("activate", (event) => event.waitUntil(clients.claim()));',
        '/broken_worker.js': 'throw new Error("on purpose");',
        '/moved.mjs': { location: '/deep/module.mjs' },
        '/deep/module.mjs': "export { value } from './part.mjs';",
        '/deep/part.mjs': 'export const value = 42;',
      },
    });
  });
  after(() => host.close());

  test('the page is isolated after one reload, its workers and redirected modules included', async (t) => {
    const page = await web.open(`${host.url}static_host.html`, { errors: true });
    const { isolated, loads } = await outcome(page);
    t.diagnostic(`${web.name}: ${loads} loads`);
    assert.equal(isolated, true);
    assert.ok(loads >= 2 && loads <= MOST_LOADS, `${loads} loads`);
    const answer = await page.evaluate(async () => {
      const worker = new Worker('worker.mjs', { type: 'module' });
      const words = new Int32Array(new SharedArrayBuffer(4));
      worker.postMessage(words.buffer);
      const { data } = await new Promise((resolve) => { worker.onmessage = resolve; });
      const { value } = await import('/moved.mjs');
      return { ...data, word: words[0], value, missing: (await fetch('/none')).status, left: sessionStorage.length };
    });
    assert.deepEqual([answer.isolated, answer.diagnosis.causes, answer.word, answer.value, answer.missing, answer.left],
      [true, [], 1, 42, 404, 1]);
    // the same values that a server would send
    const expected = isolationHeaders();
    const names = [...ISOLATING, 'Cross-Origin-Resource-Policy'];
    assert.deepEqual(await headersOf(page, '/plain.html', names), names.map((name) => expected[name]));

    // the next visit is isolated at once
    await page.goto(`${host.url}static_host.html`);
    assert.deepEqual(await outcome(page), { isolated: true, reason: 'The page is isolated.', loads: loads + 1 });

    // and taken away it is as before
    const removed = await page.evaluate(async () => {
      const { unisolate } = await import('/src/isolate.mjs');
      return [await unisolate({ worker: '/another_worker.js' }), await unisolate(), await unisolate()];
    });
    assert.deepEqual(removed, [false, true, false]);
    await page.goto(`${host.url}plain.html`);
    assert.equal(await page.evaluate(() => crossOriginIsolated), false);
    // Chromium reports each 404, Firefox each redirect by a service worker, though it follows it
    const unexpected = page.complaints.filter((text) => !/status of 404|ServiceWorker intercepted/.test(text));
    assert.deepEqual(unexpected, []);
  });

  test('credentialless', async () => {
    const page = await web.open(`${host.url}static_host.html?coep=credentialless`);
    assert.equal((await outcome(page)).isolated, true);
    assert.deepEqual(await headersOf(page, '/plain.html', ['Cross-Origin-Embedder-Policy']), ['credentialless']);
  });

  test('reloads end where the service worker does not help, and each obstacle is told', async () => {
    const page = await web.open(`${host.url}static_host.html?worker=idle_worker.js`, { errors: true });
    const { isolated, reason, loads } = await outcome(page);
    assert.deepEqual([isolated, loads], [false, MOST_LOADS]);
    assert.match(reason, /loaded again 2 times and is still not isolated/);

    for (const [url, text] of [
      [`${host.url}static_host.html?worker=broken_worker.js`, /broken_worker\.js could not be registered/],
      [`${host.url}static_host.html?worker=none.js`, /none\.js could not be registered/],
      [`http://${INSECURE_NAME}:${host.port}/static_host.html`, /need https/],
    ]) {
      await page.goto(url);
      const result = await outcome(page);
      assert.equal(result.isolated, false);
      assert.match(result.reason, text);
    }
  });
});
