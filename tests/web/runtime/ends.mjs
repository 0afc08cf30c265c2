// SPDX-License-Identifier: MIT
// ends.mjs: ends of a ring in a worker, in JavaScript or in wasm, with the same calls; and items that show any mix-up.
import { Ring } from '../src/index.mjs';

/** The second word of an item. @param {number} number */
export const payload = (number) => Math.imul(number, 0x9e3779b1) ^ (number >>> 7);
/** Items of two words. */
export const DESC = { itemSizeBytes: 8, capacityItems: 1024, waitable: true };
const OPTIONS = { type: Int32Array };
const FOREVER = -1n;   // TERN_WAIT_FOREVER
const [OK, CLOSED] = [0, -9];

/** How often this thread slept and woke: counted in front of the engine, so whoever calls. */
export const counts = { sleeps: 0, wakes: 0 };
for (const [name, what] of [['wait', 'sleeps'], ['waitAsync', 'sleeps'], ['notify', 'wakes']]) {
  const real = Atomics[name];
  if (real) Atomics[name] = (...values) => { counts[what]++; return real(...values); };
}

/** @param {any} worker @param {number} ring @param {'producer' | 'consumer'} role @param {number} [spinChecks] */
function jsEnd({ memory }, ring, role, spinChecks) {
  const end = Ring[role](memory, ring, { ...OPTIONS, spinChecks });
  const item = new Int32Array(2);
  return {
    item: () => item,
    push() { end.pushWait(item); },
    pop() {
      try {
        end.popWait(item);
        return true;
      } catch (error) {
        if (error.code === 'TERN_ERR_CLOSED') return false;
        throw error;
      }
    },
    close: () => end.close(),
    done: () => end.detach(),
    sleeps: () => counts.sleeps,
  };
}

/** @param {any} worker @param {number} ring @param {'producer' | 'consumer'} role @param {number} [spinChecks] */
function wasmEnd({ memory, exports, arena }, ring, role, spinChecks) {
  const view = arena.allocate(exports[`test_sizeof_${role}`](), 64);
  const at = arena.allocate(8);
  const attached = exports[`tern_ring_attach_${role}`](view, ring, Ring.size(DESC) > memory.buffer.byteLength ? 0
    : memory.buffer.byteLength - ring);
  if (attached !== OK) throw new Error(`attach ${role}: ${attached}`);
  if (spinChecks !== undefined) {
    new Uint32Array(memory.buffer, view + exports[`test_offsetof_${role}_spin_checks`](), 1)[0] = spinChecks;
  }
  const item = new Int32Array(memory.buffer, at, 2);
  const expect = (status) => { if (status !== OK) throw new Error(`${role}: status ${status}`); };
  return {
    item: () => item,
    push: () => expect(exports.tern_ring_push_wait(view, at, FOREVER)),
    pop() {
      const status = exports.tern_ring_pop_wait(view, at, FOREVER);
      if (status !== CLOSED) expect(status);
      return status !== CLOSED;
    },
    close: () => exports.tern_ring_close_producer(view),
    done: () => exports[`tern_ring_detach_${role}`](view),
    sleeps: () => exports.test_sleeps(),
  };
}

/** An end of the ring at an offset. @param {any} worker @param {'js' | 'wasm'} kind
 *  @param {number} ring @param {'producer' | 'consumer'} role @param {number} [spinChecks] */
export const openEnd = (worker, kind, ring, role, spinChecks) =>
  (kind === 'js' ? jsEnd : wasmEnd)(worker, ring, role, spinChecks);

/** @param {Int32Array} item @param {number} number */
export function fill(item, number) {
  item[0] = number;
  item[1] = payload(number);
}

/** @param {Int32Array} item @param {number} number */
export function expect(item, number) {
  if (item[0] !== number || item[1] !== payload(number)) {
    throw new Error(`item ${number}: got ${item[0]} with ${item[1]}, not ${payload(number)}`);
  }
}
