// SPDX-License-Identifier: MIT
// field.test.mjs: the demonstration in real browsers: workers simulate, the page shows whole frames, in threads or
// without; handles that are stale are refused; a worker that is gone takes nothing with it. TERN_LONG=1 looks for a
// minute, and wants 30 drawings a second of Chromium's software rendering.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { inEachBrowser, screenshot } from './browsers.mjs';
import { serveDemo } from '../../wasm/serve.mjs';

const LONG = process.env.TERN_LONG === '1';
const LOOK_MS = LONG ? 60_000 : 4_000;
const PARTICLES = 200_000;
const MODULES = process.env.TERN_WASM ?? '';

/** @type {Record<'isolated' | 'plain', Awaited<ReturnType<typeof serveDemo>>>} */
const servers = {};

before(async () => {
  assert.ok(existsSync(path.join(MODULES, 'field.threads.wasm')), 'TERN_WASM is where `ninja wasm` leaves its modules');
  const mounts = { '/demo/modules/': MODULES };
  servers.isolated = await serveDemo({ port: 0, mounts });
  servers.plain = await serveDemo({ port: 0, mounts, isolation: false });
});
after(async () => { for (const server of Object.values(servers)) await server.close(); });

/** The page's counts, once a condition holds for them. */
async function countsWhen(page, condition) {
  await page.waitForFunction(condition, { timeout: 60_000 });
  return page.evaluate(() => {
    const { published, shown, dropped, torn, stale, draws, answered } = globalThis.tern.counts;
    return { published, shown, dropped, torn, stale, draws, answered };
  });
}
const textOf = (page, id) => page.$eval(`#${id}`, (element) => element.textContent);
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function assertSound(counts) {
  assert.equal(counts.torn, 0, 'torn frames');
  assert.equal(counts.published, counts.shown + counts.dropped, 'each frame was shown or dropped');
}

inEachBrowser('the field', (web) => {
  test(`${PARTICLES} particles in threads: whole frames, commands, stale handles`, async (t) => {
    const viewport = { width: 1280, height: 900 };
    const page = await web.open(`${servers.isolated.url}?particles=${PARTICLES}`, { viewport });
    await countsWhen(page, () => globalThis.tern?.counts.draws > 30 && globalThis.tern.counts.shown > 30);
    assert.equal(await textOf(page, 'mode'), 'threads');
    const begin = await countsWhen(page, () => true);
    await pause(LOOK_MS);
    const counts = await countsWhen(page, () => globalThis.tern.counts.shown > 100);
    assertSound(counts);
    const rate = (counts.draws - begin.draws) / LOOK_MS * 1000;
    t.diagnostic(`${web.name}: ${rate.toFixed(1)} drawings a second, ${JSON.stringify(counts)}`);
    if (LONG && web.name === 'chromium') assert.ok(rate >= 30, `${rate} drawings a second`);
    assert.ok(counts.answered > 0, 'commands came back in frames');

    // a handle whose group was replaced
    assert.equal(counts.stale, 0);
    const [old, fresh] = await page.evaluate(() => {
      const { groups } = globalThis.tern;
      const [group] = groups.groups;
      const before = { ...group.handle };
      group.row.querySelector('button').click();
      document.getElementById('stale').click();
      return [before, group.handle];
    });
    assert.notDeepEqual(fresh, old);
    const refused = await countsWhen(page, () => globalThis.tern.counts.stale > 0);
    assert.equal(refused.stale, 1, 'one command was refused, and no other');
    const isLive = ({ index, generation }) => globalThis.tern.groups.pool.has(index, generation);
    assert.deepEqual([await page.evaluate(isLive, old), await page.evaluate(isLive, fresh)], [false, true]);
    assertSound(refused);
  });

  test('it looks as it should', async () => {
    const shapes = { desk: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
    for (const [name, viewport] of Object.entries(shapes)) {
      for (const scheme of web.name === 'chromium' ? ['dark', 'light'] : ['light']) {
        const page = await web.open(servers.isolated.url, { viewport, scheme });
        await countsWhen(page, () => globalThis.tern?.counts.draws > 90);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${name}: ${wide} pixels too wide`);
        // drawn: of the ground's colour alone it is not
        const colours = await page.evaluate(() => {
          const { width, height } = document.getElementById('field');
          const { data } = document.getElementById('field').getContext('2d').getImageData(0, 0, width, height);
          return new Set(new Uint32Array(data.buffer)).size;
        });
        assert.ok(colours > 1000, `${colours} colours`);
        await screenshot(page, `field-${web.name}-${name}-${scheme}`);
        await page.close();
      }
    }
  });

  test('without the headers it runs on one thread, and says which header is missing', async () => {
    const page = await web.open(servers.plain.url);
    const counts = await countsWhen(page, () => globalThis.tern?.counts.shown > 60);
    assertSound(counts);
    assert.equal(await textOf(page, 'mode'), 'single thread');
    assert.match(await textOf(page, 'reason'), /Cross-Origin-Opener-Policy/);
  });

  test('on one thread because it was asked for', async () => {
    const page = await web.open(`${servers.isolated.url}?mode=single&particles=20000`);
    const counts = await countsWhen(page, () => globalThis.tern?.counts.shown > 60);
    assertSound(counts);
    assert.match(await textOf(page, 'reason'), /asked for/);
  });

  test('modules that are missing are named, with what to do', async () => {
    const bare = await serveDemo({ port: 0, mounts: { '/demo/modules/': path.join(import.meta.dirname, 'pages') } });
    try {
      const page = await web.open(bare.url, { errors: true });
      await page.waitForFunction(() => !document.getElementById('problem').hidden);
      assert.match(await textOf(page, 'problem'), /field\.threads\.wasm.*404/s);
      assert.equal(await textOf(page, 'mode'), 'not running');
    } finally {
      await bare.close();
    }
  });
});
