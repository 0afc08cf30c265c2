// SPDX-License-Identifier: MIT
// contestants_wasm.mjs: rings between wasm instances on one memory: loops of C compiled to wasm (wasm_ring.c), calls of
// tern.threads.wasm from JavaScript, and the same loops as a native program, which the driver starts itself.
import { meet, now } from './contestant.mjs';

/** @typedef {import('./contestant.mjs').Contestant} Contestant */

const STACK_BYTES = 16384;
/** V8 replaces the code of a wasm function by faster code only between two calls of it. */
const SLICE = 8192;

/** An instance with a stack and thread-local storage of its own, number `worker` of those on the memory. */
function instantiate(module, memory, worker) {
  const exports = /** @type {any} */ (new WebAssembly.Instance(module, { env: { memory } }).exports);
  const place = memory.buffer.byteLength - (worker + 1) * (2 * STACK_BYTES);
  exports.__stack_pointer.value = place + STACK_BYTES;
  exports.__wasm_init_tls(place + STACK_BYTES);
  return exports;
}

/** A memory with a ring of 8-byte items in it. */
function memoryWithRing(loops, waitable) {
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
  const wasm = instantiate(loops, memory, 3);
  const at = Math.ceil(wasm.__heap_base.value / 4096) * 4096;
  const size = wasm.format(0, 0, waitable);
  if (wasm.format(at, size, waitable) !== size) throw new Error('wasm_ring.c could not format a ring');
  return { memory, at, size };
}

/** @param {boolean} waitable @param {number} batch @returns {Contestant} */
export function wasmLoops(waitable, batch) {
  const run = (role, worker, { loops, memory, at, size, gate, count }) => {
    const wasm = instantiate(loops, memory, worker);
    let done = 0;
    meet(gate);
    const start = now();
    for (let i = 0; i < count; i += SLICE) done += wasm[role](at, size, Math.min(SLICE, count - i), batch);
    return { ns: now() - start, right: done };
  };
  return {
    name: `wasm${waitable ? ', waitable' : ''}`, family: 'wasm',
    make: ({ loops }) => ({ loops, ...memoryWithRing(loops, waitable ? 1 : 0) }),
    left: (job) => { run('produce', 0, job); },
    right: (job) => run('consume', 1, job),
  };
}

/** @param {number} batch @returns {Contestant} */
export function wasmCalls(batch) {
  const attach = (role, worker, { tern, memory, at, size }) => {
    const wasm = instantiate(tern, memory, worker);
    const view = memory.buffer.byteLength - (worker + 5) * 2 * STACK_BYTES;
    const status = wasm[`tern_ring_attach_${role}`](view, at, size);
    if (status !== 0) throw new Error(`tern_ring_attach_${role}: ${status}`);
    const place = view + 1024;
    return { wasm, view, place, words: new Int32Array(memory.buffer, place, 2 * batch) };
  };
  return {
    name: 'tern.threads.wasm, called from JavaScript', family: 'wasm calls',
    make: ({ loops, tern }) => ({ tern, ...memoryWithRing(loops, 0) }),
    left(job) {
      const { wasm: { tern_ring_push: push, tern_ring_push_many: pushMany }, view, place, words } =
        attach('producer', 0, job);
      const { gate, count } = job;
      meet(gate);
      for (let i = 0; i < count;) {
        for (let k = 0; k < batch; k++) words[2 * k] = i + k;
        i += batch === 1 ? push(view, place) : pushMany(view, place, Math.min(batch, count - i));
      }
    },
    right(job) {
      const { wasm: { tern_ring_pop: pop, tern_ring_pop_many: popMany }, view, place, words } =
        attach('consumer', 1, job);
      const { gate, count } = job;
      let right = 0;
      meet(gate);
      const start = now();
      for (let i = 0; i < count;) {
        const n = batch === 1 ? pop(view, place) : popMany(view, place, batch);
        for (let k = 0; k < n; k++) right += words[2 * k] === i + k ? 1 : 0;
        i += n;
      }
      return { ns: now() - start, right };
    },
  };
}

/** @param {boolean} waitable @param {number} batch @returns {Contestant} */
export const nativeLoops = (waitable, batch) => ({
  name: `native${waitable ? ', waitable' : ''}`, family: 'native', native: [`${batch}`, waitable ? '1' : '0'],
});
