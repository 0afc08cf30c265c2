// SPDX-License-Identifier: MIT
// isolation.mjs: with the headers a page is isolated and its workers get shared memory, without it is not; diagnose()
// names each cause, and each is made for real.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { serve } from '../../wasm/serve.mjs';
import { inEachBrowser } from './browsers.mjs';

const HERE = import.meta.dirname;
export const SITE = { folder: path.join(HERE, 'pages'), mounts: { '/src/': path.join(HERE, '../../wasm/src/') } };

/** What diagnose() says in a page or frame. */
const diagnosis = (frame, options = {}) => frame.evaluate(async (given) => {
  const { diagnose } = await import('/src/diagnose.mjs');
  return diagnose(given);
}, options);

inEachBrowser('isolation', (web) => {
  const servers = {};
  before(async () => {
    servers.full = await serve(SITE);
    servers.bare = await serve({ ...SITE, isolation: false });
  });
  after(() => Promise.all(Object.values(servers).map((server) => server.close())));

  test('with the headers a page is isolated', async () => {
    const page = await web.open(`${servers.full.url}plain.html`);
    assert.equal(await page.evaluate(() => crossOriginIsolated), true);
    assert.deepEqual(await diagnosis(page), {
      mode: 'threads', wasm: 'threads', ok: true, causes: [], reason: 'Memory is shared between threads.',
    });
  });

  test('without them it is not, and both are named', async () => {
    const page = await web.open(`${servers.bare.url}plain.html`);
    assert.equal(await page.evaluate(() => crossOriginIsolated), false);
    const { mode, wasm, ok, causes } = await diagnosis(page);
    assert.deepEqual([mode, wasm, ok], ['single', 'threads', false]);
    assert.deepEqual(causes.map(({ code }) => code), ['coop-missing', 'coep-missing']);
  });
});
