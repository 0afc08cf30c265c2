// SPDX-License-Identifier: MIT
// page.mjs: what runtime.test.mjs calls in the page: start a runtime, take an end of a ring, and watch whether the page
// is ever blocked.
import { Ring, Runtime } from '../src/index.mjs';
import { DESC, counts, expect, fill } from './ends.mjs';

const LONG_MS = 50;
const TICK_MS = 5;

/** @type {Runtime} */
let runtime;

/** The page's own end of a ring.
 *  @param {number} ring @param {'producer' | 'consumer'} role @param {any} [options] */
const openEnd = (ring, role, options) => Ring[role](runtime.memory, ring, { type: Int32Array, ...options });

const calls = {
  /** Start; failures are answered too. */
  async start(options) {
    const module = options.module === false ? undefined
      : { threads: '/modules/tests.threads.wasm', single: '/modules/tests.single.wasm' };
    try {
      runtime = await Runtime.start({ script: './worker.mjs', ...options, module });
    } catch (error) {
      return { error: { code: error.code, stage: error.stage, message: error.message, cause: error.cause?.code } };
    }
    // the module's sleeps are counted from now on, on all threads: the counter stands in the shared memory
    runtime.exports?.test_count_sleeps();
    return { mode: runtime.mode, reason: runtime.reason, isolated: globalThis.crossOriginIsolated };
  },
  end: () => runtime.end(),
  /** A new ring; its offset. */
  ring(desc = {}) {
    const all = { ...DESC, ...desc };
    const ring = runtime.allocate(Ring.size(all));
    Ring.format(runtime.memory, ring, all);
    return ring;
  },
  call: ({ worker, name, argument }) => runtime.workers[worker].call(name, argument),
  both: (list) => Promise.all(list.map(calls.call)),
  restart: async (worker) => { await runtime.workers[worker].restart(20); },
  endWorker: async (worker) => (await runtime.workers[worker].end(50)).how,
  exited: async (worker) => {
    const { how, error } = await runtime.workers[worker].exited;
    return { how, message: error?.message };
  },
  failure: (call) => calls.call(call).then(() => 'none', (error) => error.code ?? error.message),
  checkGuards: () => { try { runtime.checkGuards(); return ''; } catch (error) { return error.message; } },

  /** Pop all that a worker pushes. */
  async consume({ ring, options }) {
    const consumer = openEnd(ring, 'consumer', options);
    const items = new Int32Array(2 * 64);
    let count = 0;
    try {
      for (;;) {
        const popped = await consumer.popManyAsync(items);
        for (let i = 0; i < popped; i++) expect(items.subarray(2 * i, 2 * i + 2), count++);
      }
    } catch (error) {
      if (error.code !== 'TERN_ERR_CLOSED') throw error;
    }
    return count;
  },

  /** Push what a worker pops, and close. */
  async produce({ ring, count, options }) {
    const producer = openEnd(ring, 'producer', options);
    const items = new Int32Array(2 * 64);
    for (let number = 0; number < count;) {
      const now = Math.min(64, count - number);
      for (let i = 0; i < now; i++) fill(items.subarray(2 * i, 2 * i + 2), number++);
      await producer.pushManyAsync(items.subarray(0, 2 * now));
    }
    producer.close();
    return count;
  },

  /** Round trips with a worker, asleep by Atomics.waitAsync at each. */
  async pingPong({ out, back, count }) {
    const to = openEnd(out, 'producer', { spinChecks: 0 });
    const from = openEnd(back, 'consumer', { spinChecks: 0 });
    const item = new Int32Array(2);
    const before = counts.sleeps;
    for (let number = 0; number < count; number++) {
      fill(item, number);
      await to.pushAsync(item);
      await from.popAsync(item);
      expect(item, number);
    }
    return counts.sleeps - before;
  },

  /** What blocks must be refused here: the answers' codes. */
  refused({ ring }) {
    return ['producer', 'consumer'].map((role) => {
      try {
        openEnd(ring, role)[role === 'producer' ? 'pushWait' : 'popWait'](new Int32Array(2), 10);
        return 'none';
      } catch (error) {
        return error.code ?? error.stack;
      }
    });
  },

  /** Block the page in a task of its own, to see that it is seen. */
  block: (ms) => new Promise((resolve) => {
    setTimeout(() => {
      for (const end = performance.now() + ms; performance.now() < end;);
      resolve();
    });
  }),

  /**
   * Call something and watch the page meanwhile.
   *
   * @returns {Promise<{ result: any, long: number[], how: string }>} long: of tasks over 50 ms, by the browser's own
   *   list where it has one, else of gaps between timers, in milliseconds
   */
  async watched({ name, argument }) {
    const long = [];
    const hasList = PerformanceObserver.supportedEntryTypes.includes('longtask');
    const add = (list) => { long.push(...list.getEntries().map(({ duration }) => duration)); };
    const observer = hasList ? new PerformanceObserver(add) : null;
    observer?.observe({ type: 'longtask' });
    let last = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      if (!hasList && now - last > LONG_MS + TICK_MS) long.push(now - last);
      last = now;
    }, TICK_MS);
    const result = await calls[name](argument);
    // the browser reports a while after
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    clearInterval(timer);
    observer?.disconnect();
    return { result, long, how: hasList ? 'longtask' : 'timer' };
  },
};

globalThis.tern = calls;
