// SPDX-License-Identifier: MIT
// resources.mjs: the page about other origins shows what is loaded and what is blocked, in each policy; pictures of it
// are kept as artefacts.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serveDemo } from '../../wasm/serve.mjs';
import { inEachBrowser, screenshot } from './browsers.mjs';

/** What comes in with each policy: those that are blocked; the others are loaded. */
const BLOCKED = {
  'require-corp': ['image-silent', 'image-same-origin', 'image-cors-unasked', 'script-silent', 'sheet-silent',
    'fetch-silent', 'frame-silent', 'worker-forgotten', 'worker-other'],
  credentialless: ['image-same-origin', 'fetch-silent', 'frame-silent', 'worker-forgotten', 'worker-other'],
  without: ['image-same-origin', 'fetch-silent', 'worker-other'],
};
// another port is the same site, but Chromium sees none in 127.0.0.1
const BLOCKED_BY = { chromium: ['image-same-site'], firefox: [] };
const CASES = 17;
const PHONE = { width: 390, height: 844, deviceScaleFactor: 2 };
const DESK = { width: 1280, height: 800 };

/** The page when all has been tried. */
async function finished(page) {
  await page.waitForFunction(() => document.documentElement.dataset.done === 'true', { timeout: 30_000 });
  return page.evaluate(() => ({
    blocked: [...document.querySelectorAll('[data-result="blocked"]')].map(({ id }) => id),
    loaded: document.querySelectorAll('[data-result="loaded"]').length,
    verdict: document.querySelector('#verdict').textContent,
    forgotten: document.querySelector('#worker-forgotten').textContent,
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    scripts: globalThis.scriptsOfOthers ?? 0,
    isolated: crossOriginIsolated,
  }));
}

inEachBrowser('the page about other origins', (web) => {
  let server;
  before(async () => { server = await serveDemo({}); });
  after(() => server.close());

  test('shows what each policy lets in, and how a blocked worker fails', async () => {
    const page = await web.open('about:blank', { errors: true, viewport: DESK });
    for (const [policy, always] of Object.entries(BLOCKED)) {
      const blocked = [...always, ...BLOCKED_BY[web.name]];
      await page.goto(new URL(`/${policy}/demo/resources.html`, server.url).href);
      const found = await finished(page);
      assert.deepEqual([policy, ...found.blocked].sort(), [policy, ...blocked].sort());
      assert.equal(found.loaded, CASES - blocked.length);
      assert.equal(found.isolated, policy !== 'without');
      assert.equal(found.verdict, found.isolated ? 'This page is isolated' : 'This page is not isolated');
      assert.equal(found.scripts, blocked.includes('script-silent') ? 1 : 2, 'the scripts that came have run');
      if (blocked.includes('worker-forgotten')) assert.match(found.forgotten, /forgotten_worker\.mjs came without/);
      assert.equal(found.wide, false, 'the page is wider than the window');
    }
  });

  test('looks the same at a phone, light and dark', async () => {
    for (const [name, viewport, scheme] of [['phone', PHONE, 'light'], ['desk', DESK, 'light'],
      ['desk-dark', DESK, 'dark']]) {
      // Firefox cannot be told the scheme while it runs
      if (web.name === 'firefox' && scheme === 'dark') continue;
      const page = await web.open(`${server.url}resources.html`, { errors: true, viewport, scheme });
      assert.equal((await finished(page)).wide, false, `${name}: the page is wider than the window`);
      await screenshot(page, `resources-${web.name}-${name}`);
    }
  });
});
