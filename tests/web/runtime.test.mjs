// SPDX-License-Identifier: MIT
// runtime.test.mjs: Runtime in real browsers: threads on an isolated page, the same script in turns on any other; a
// page that is never blocked; workers that are kept from starting, and why.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { serve } from '../../wasm/serve.mjs';
import { isolationHeaders } from '../../wasm/src/headers.mjs';
import { inEachBrowser } from './browsers.mjs';

const HERE = import.meta.dirname;
const HANG = { timeout: 180_000 };
const LONG = process.env.TERN_LONG === '1';
const ITEMS = 1_000_000;
/** Of each mix; with one sleep at least a trip they make 10^5 sleeps in all, and with TERN_LONG each alone. */
const ROUND_TRIPS = LONG ? 200_000 : 30_000;
const PAGE_TRIPS = LONG ? 100_000 : 12_000;
/** After this time a worker answers the page, which is asleep by then. */
const ANSWER_MS = 0.03;
const LEAST_SLEEPS = 100_000;
const MIXES = [['wasm', 'wasm'], ['wasm', 'js'], ['js', 'wasm'], ['js', 'js']];
/** Rounds of trips, at most, until page and worker have slept often enough. */
const PING_PONGS = 8;
/** A loaded machine stops a page for 50 ms now and then, of which timers tell; code that blocks does so every time. */
const TRIES = 6;

const modules = process.env.TERN_WASM;
assert.ok(modules, 'TERN_WASM is not set: run this by `meson test -C build --suite web`');
const mounts = { '/src/': path.join(HERE, '../../wasm/src/'), '/modules/': modules,
  '/bare/': path.join(HERE, '../../wasm/src/') };
/** The isolation headers, but for scripts under /bare/: what forgets them. */
const headers = (pathname) => {
  const all = isolationHeaders();
  if (pathname.startsWith('/bare/')) delete all['Cross-Origin-Embedder-Policy'];
  return all;
};

/** @type {Awaited<ReturnType<typeof serve>>} */
let isolated, bare;
before(async () => {
  const options = { folder: path.join(HERE, 'runtime'), mounts };
  [isolated, bare] = await Promise.all([serve({ ...options, headers }), serve({ ...options, isolation: false })]);
});
after(() => Promise.all([isolated?.close(), bare?.close()]));

inEachBrowser('Runtime', (web) => {
  /** A page with its calls. @param {string} url @param {any} [how] */
  async function open(url, how) {
    const page = await web.open(`${url}index.html`, how);
    await page.waitForFunction(() => 'tern' in globalThis);
    page.setDefaultTimeout(0);
    /** @param {string} name @param {any} [argument] */
    const tern = (name, argument) => page.evaluate((name, argument) => globalThis.tern[name](argument), name, argument);
    return tern;
  }
  const start = async (tern, options) => {
    const started = await tern('start', options);
    assert.equal(started.error, undefined, started.error?.message);
    return started;
  };
  /** Both ends of something, each in a worker. */
  const both = (tern, first, second) => tern('both', [{ worker: 0, ...first }, { worker: 1, ...second }]);

  test('an isolated page has threads, each worker its own places', HANG, async () => {
    const tern = await open(isolated.url);
    const { mode, isolated: isIsolated } = await start(tern, { workers: 2 });
    assert.deepEqual([mode, isIsolated], ['threads', true]);
    const [first, second] = await both(tern, { name: 'who' }, { name: 'who' });
    assert.deepEqual([first.index, first.canBlock, second.index, second.mode], [0, true, 1, 'threads']);
    assert.ok(Math.abs(first.stackAt - second.stackAt) >= 65536, 'stacks');
    assert.notEqual(first.tlsAt, second.tlsAt);
    assert.equal(await tern('checkGuards'), '');
    const ring = await tern('ring');
    assert.deepEqual(await tern('refused', { ring }), ['TERN_ERR_DOMAIN', 'TERN_ERR_DOMAIN'], 'a page may not block');
    // the script that takes turns runs in threads too
    const count = 50_000;
    const counted = await both(tern, { name: 'inTurns', argument: { ring, role: 'producer', count } },
      { name: 'inTurns', argument: { ring, role: 'consumer', count } });
    assert.deepEqual(counted, [count, count]);
    await tern('end');
    assert.equal((await start(tern, { mode: 'single' })).reason, "Mode 'single' was asked for.");
    await tern('end');
    // what the next tests look for would be seen
    const { long } = await tern('watched', { name: 'block', argument: 120 });
    assert.ok(long.some((ms) => ms >= 100), `seen: ${long}`);
  });

  test(`two workers, ${ITEMS} items and ${LEAST_SLEEPS} sleeps, none in vain`, HANG, async (t) => {
    const tern = await open(isolated.url);
    await start(tern, { workers: 2 });
    let slept = 0;
    for (const [producer, consumer] of MIXES) {
      const ring = await tern('ring');
      const [produced, consumed] = await both(tern,
        { name: 'produce', argument: { kind: producer, ring, count: ITEMS } },
        { name: 'consume', argument: { kind: consumer, ring } });
      assert.deepEqual([produced.count, consumed.count], [ITEMS, ITEMS]);
      const [out, back] = [await tern('ring', { capacityItems: 1 }), await tern('ring', { capacityItems: 1 })];
      const common = { count: ROUND_TRIPS, spinChecks: 0 };
      const began = performance.now();
      const trips = await both(tern,
        { name: 'pingPong', argument: { ...common, kind: producer, out, back, begins: true } },
        { name: 'pingPong', argument: { ...common, kind: consumer, out: back, back: out } });
      const us = (performance.now() - began) * 1000 / ROUND_TRIPS;
      const sleeps = trips[0].sleeps + trips[1].sleeps;
      slept += sleeps;
      t.diagnostic(`${producer} and ${consumer}: ${us.toFixed(1)} us a round trip, ${sleeps} sleeps`);
      assert.ok(sleeps >= ROUND_TRIPS / 2, `${sleeps} sleeps only`);
      await both(tern, { name: 'reset' }, { name: 'reset' });
    }
    assert.ok(slept >= LEAST_SLEEPS, `${slept} sleeps only`);
    await tern('end');
  });

  for (const kind of ['wasm', 'js']) {
    test(`the page and a ${kind} worker, ${ITEMS} items each way, ${PAGE_TRIPS} trips asleep; the page never blocks`,
      HANG, async (t) => {
        const tern = await open(isolated.url);
        await start(tern, { workers: 1 });
        /** The page does one thing and the worker the other, watched. */
        async function watch(name, argument, other) {
          for (let tries = 1; ; tries++) {
            const rings = [await tern('ring', argument.desc), await tern('ring', argument.desc)];
            const here = { ...argument, ring: rings[0], out: rings[0], back: rings[1] };
            const there = { kind, spinChecks: argument.options?.spinChecks, count: argument.count, ring: rings[0],
              out: rings[1], back: rings[0], delayMs: ANSWER_MS };
            const [{ result, long, how }, answer] = await Promise.all([tern('watched', { name, argument: here }),
              tern('call', { worker: 0, name: other, argument: there })]);
            await tern('call', { worker: 0, name: 'reset' });
            if (long.length === 0 || tries === TRIES) {
              assert.deepEqual(long, [], `${name}: the page was blocked (${how}), ${TRIES} times of ${TRIES}`);
              return [result, answer];
            }
            t.diagnostic(`${name}: blocked for ${long.map(Math.round)} ms, once more`);
          }
        }
        const [consumed, produced] = await watch('consume', { count: ITEMS }, 'produce');
        assert.deepEqual([consumed, produced.count], [ITEMS, ITEMS]);
        const [pushed, popped] = await watch('produce', { count: ITEMS }, 'consume');
        assert.deepEqual([pushed, popped.count], [ITEMS, ITEMS]);
        const trips = { count: PAGE_TRIPS, desc: { capacityItems: 1 }, options: { spinChecks: 0 } };
        // who has a processor at the right moment finds the answer there already, so: until both have slept enough
        const slept = { page: 0, worker: 0 };
        const least = PAGE_TRIPS / 2;
        for (let rounds = 0; rounds < PING_PONGS && Math.min(slept.page, slept.worker) < least; rounds++) {
          const [here, there] = await watch('pingPong', trips, 'pingPong');
          slept.page += here;
          slept.worker += there.sleeps;
        }
        t.diagnostic(`the page slept ${slept.page} times, the worker ${slept.worker} times`);
        assert.ok(slept.page >= least, `the page slept ${slept.page} times only`);
        assert.ok(slept.worker >= least, `the worker slept ${slept.worker} times only`);
        await tern('end');
      });
  }

  test('without the headers the same script runs in turns, with the cause', HANG, async () => {
    const tern = await open(bare.url);
    const { mode, reason, isolated: isIsolated } = await start(tern, { workers: 2 });
    assert.deepEqual([mode, isIsolated], ['single', false]);
    assert.match(reason, /Cross-Origin-Opener-Policy/);
    const who = await tern('call', { worker: 1, name: 'who' });
    assert.deepEqual([who.index, who.mode, who.canBlock], [1, 'single', false]);
    const count = 200_000;
    for (let tries = 1; ; tries++) {
      const ring = await tern('ring');
      const { result, long } = await tern('watched', { name: 'both', argument: [
        { worker: 0, name: 'inTurns', argument: { ring, role: 'producer', count } },
        { worker: 1, name: 'inTurns', argument: { ring, role: 'consumer', count } }] });
      assert.deepEqual(result, [count, count]);
      if (long.length === 0) break;
      assert.notEqual(tries, TRIES, `the page was blocked for ${long} ms, ${TRIES} times of ${TRIES}`);
    }
    const refused = await tern('start', { mode: 'threads' });
    assert.equal(refused.error.code, 'TERN_ERR_UNSUPPORTED');
    assert.equal(refused.error.cause, 'coop-missing');
    assert.match(refused.error.message, /Send Cross-Origin-Opener-Policy: same-origin/);
    await tern('end');
  });

  test('a worker is ended, terminated, restarted, and fails by errors that nobody caught', HANG, async () => {
    const tern = await open(isolated.url, { errors: true });
    await start(tern, { workers: 2 });
    const blocked = tern('failure', { worker: 0, name: 'block' });
    assert.equal(await tern('endWorker', 0), 'terminated');
    assert.equal(await blocked, 'TERN_ERR_PEER_DEAD');
    await tern('restart', 0);
    assert.equal((await tern('call', { worker: 0, name: 'who' })).life, 1);
    assert.equal(await tern('endWorker', 1), 'ended');
    await tern('restart', 1);
    for (const [name, text] of [['throwLater', /thrown later/], ['rejectLater', /rejected later/]]) {
      const exited = tern('exited', 1);
      await tern('call', { worker: 1, name }).catch(() => {});
      const { how, message } = await exited;
      assert.equal(how, 'failed');
      assert.match(message, text);
      await tern('restart', 1);
    }
    assert.equal(await tern('checkGuards'), '');
    await tern('call', { worker: 1, name: 'recurse', argument: 516 });
    assert.match(await tern('checkGuards'), /worker 1: its stack of 65536 bytes overflowed/);
  });

  test('a worker that is kept from starting: why, and auto goes on without', HANG, async () => {
    const tern = await open(isolated.url, { errors: true });
    const cases = [
      [{ bootstrap: '/bare/runtime_worker.mjs' }, 'thread', 'worker-blocked-coep', /Cross-Origin-Embedder-Policy/],
      [{ bootstrap: '/src/no_such.mjs' }, 'thread', 'worker-not-found', /no_such.mjs is answered by 404/],
      [{ script: '/no_such_script.mjs' }, 'import', 'worker-not-found', /no_such_script.mjs is answered by 404/],
      [{ script: '/index.html' }, 'import', 'worker-wrong-type', /text\/html/],
    ];
    for (const [options, stage, cause, text] of cases) {
      const { error } = await tern('start', { mode: 'threads', module: false, ...options });
      assert.deepEqual([error?.stage, error?.cause], [stage, cause], JSON.stringify(error));
      assert.match(error.message, text);
    }
    const { mode, reason } = await start(tern, { bootstrap: '/bare/runtime_worker.mjs' });
    assert.equal(mode, 'single');
    assert.match(reason, /came without, so the browser blocks it/);
    await tern('end');
  });
});
