// SPDX-License-Identifier: MIT
// worker.mjs: the script of the field's workers; in mode 'single' it runs on the page, in turns with it.
import { TernError } from '../src/index.mjs';

const STEP_MS = 1000 / 60;
/** Steps that a worker may be behind before it leaves them out. */
const MOST_BEHIND = 3;

export default function (worker) {
  return { begin: (shared) => begin(worker, shared) };
}

/** Attach to what the page made, and go on until the page ends the worker. */
function begin(worker, { count, pool, parts, pageOrigin }) {
  const { ring, frames } = parts[worker.index];
  const { field_obey: obey, field_step: step, field_wait: wait } = worker.exports;
  const field = worker.arena.allocate(worker.exports.field_size(count));
  const status = worker.exports.field_start(field, count, worker.index + 1, ring, frames, pool, worker.memory.buffer.byteLength);
  if (status < 0) throw new TernError(status, 'field_start');

  const origin = performance.timeOrigin - pageOrigin;
  let due = performance.now(), stepped = due, load = 0;
  void worker.loop(() => {
    obey(field);
    const left = due - performance.now();
    if (left > 0) {
      // until the step is due or a command comes
      if (!worker.canBlock) return left;
      worker.idle(() => wait(field, left));
      return true;
    }
    const before = performance.now();
    step(field, before + origin, load);
    const after = performance.now();
    load += ((after - before) / Math.max(after - stepped, STEP_MS) - load) / 16;
    stepped = after;
    due = Math.max(due + STEP_MS, after - MOST_BEHIND * STEP_MS);
    return true;
  });
}
