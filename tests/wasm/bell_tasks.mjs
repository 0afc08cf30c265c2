// SPDX-License-Identifier: MIT
// bell_tasks.mjs: what a worker does with its view of a bell.
import { STATUS, expectOk, fail } from './instance.mjs';
import { BellView } from './bell_view.mjs';

/** The tasks of a worker. Counters are plain words beside the bell, written before it is rung. The views are C's, or
 *  the package's behind the same calls (js_ends.mjs). */
export const bellTasks = ({ tern, memory, heap, View = BellView }) => ({
  /** Count up `rings` times over the sources from `first` on, ringing each time; the last of all closes. */
  ringBell({ bell, counters, first, step, rings, finished, ringers }) {
    const view = new View(tern, memory, heap, bell);
    const count = new Int32Array(memory.buffer, counters, bell.sources);
    const done = new Int32Array(memory.buffer, finished, 1);
    let source = first;
    for (let i = 0; i < rings; i++) {
      Atomics.add(count, source, 1);
      if (!view.ring(source)) fail(`ring ${source} was refused`);
      source = (source + step) % bell.sources;
    }
    if (view.ring(bell.sources) || view.ring(-1)) fail('a source that there is not was rung');
    if (Atomics.add(done, 0, 1) === ringers - 1) view.close();
    return { rings };
  },

  /** Sleep until it is closed, without a time-out; the sum of what the counters were seen at. */
  collectBell({ bell, counters, spinChecks }) {
    const view = new View(tern, memory, heap, bell, spinChecks);
    const count = new Int32Array(memory.buffer, counters, bell.sources);
    const seen = new Int32Array(bell.sources);
    let passes = 0;
    for (;;) {
      const status = view.wait();
      if (status === STATUS.CLOSED) break;
      expectOk(status, `wait ${passes}`);
      for (const source of view.sources()) seen[source] = Atomics.load(count, source);
      passes++;
    }
    for (let source = 0; source < bell.sources; source++)
      if (seen[source] !== count[source]) fail(`source ${source}: slept over ${count[source] - seen[source]} rings`);
    return { passes, sum: seen.reduce((sum, value) => sum + value, 0) };
  },

  /** `count` turns on two bells, asleep at each: one begins, the other answers. */
  pingPongBell({ out, back, count, begins }) {
    const to = new View(tern, memory, heap, out, 0);
    const from = new View(tern, memory, heap, back, 0);
    for (let turn = 0; turn < count; turn++) {
      const source = turn % out.sources;
      if (begins) to.ring(source);
      expectOk(from.wait(), `wait for turn ${turn}`);
      const got = [...from.sources()];
      if (got.length !== 1 || got[0] !== source) fail(`turn ${turn}: got ${got}`);
      if (!begins) to.ring(source);
    }
    return { count };
  },

  /** Wait on a bell that nobody rings: the time-out must come, and not before its time. */
  timeOutBell({ bell, timeoutMs }) {
    const view = new View(tern, memory, heap, bell, 0);
    const started = process.hrtime.bigint();
    const status = view.wait(BigInt(timeoutMs) * 1000000n);
    return { status, elapsedMs: Number(process.hrtime.bigint() - started) / 1e6 };
  },
});
