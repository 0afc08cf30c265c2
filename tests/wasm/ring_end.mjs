// SPDX-License-Identifier: MIT
// ring_end.mjs: rings and their ends, for JavaScript that calls the module.
import { FOREVER, STATUS } from './instance.mjs';

export const WAITABLE = 1;
export const SEQUENCED = 2;
export const PAGED = 4;
const PAGE = 4096;

/** A ring in new memory: where it is, and how large. */
export function makeRing(tern, memory, heap, { itemBytes, capacity, flags }) {
  const desc = heap.take(12);
  new Uint32Array(memory.buffer, desc, 3).set([itemBytes, capacity, flags]);
  const size = tern.tern_ring_size(desc);
  const ring = { at: flags & PAGED ? heap.take(size, PAGE) : heap.take(size), size };
  const status = tern.tern_ring_format(ring.at, size, desc);
  if (status !== STATUS.OK) throw new Error(`tern_ring_format: ${status}`);
  return ring;
}

/** What tern_ring_inspect() says of a ring. */
export function inspect(tern, memory, heap, ring) {
  const info = heap.take(tern.test_sizeof_info());
  const status = tern.tern_ring_inspect(info, ring.at, ring.size);
  if (status !== STATUS.OK) throw new Error(`tern_ring_inspect: ${status}`);
  const view = new DataView(memory.buffer);
  const number = (name) => view.getUint32(info + tern[`test_offsetof_info_${name}`](), true);
  const flag = (name) => view.getUint8(info + tern[`test_offsetof_info_${name}`]()) !== 0;
  return {
    pushed: number('was_pushed'), popped: number('was_popped'), count: number('was_count'),
    producerClosed: flag('producer_closed'), producerAsleep: flag('producer_asleep'),
    consumerAsleep: flag('consumer_asleep'),
  };
}

/** One end of a ring in this thread: a view in wasm memory, and room for one item of two words. */
export class End {
  constructor(tern, memory, heap, ring, role, spinChecks) {
    this.tern = tern;
    this.view = heap.take(tern[`test_sizeof_${role}`]());
    const item = heap.take(8);
    this.item = item;
    this.words = new Uint32Array(memory.buffer, item, 2);
    const wakes = tern.test_wakes();
    const status = tern[`tern_ring_attach_${role}`](this.view, ring.at, ring.size);
    // an end that attaches wakes once, for a predecessor that died before its wake: counted apart
    heap.attachWakes += tern.test_wakes() - wakes;
    if (status !== STATUS.OK) throw new Error(`tern_ring_attach_${role}: ${status}`);
    if (spinChecks !== undefined) {
      const offset = tern[`test_offsetof_${role}_spin_checks`]();
      new Uint32Array(memory.buffer, this.view + offset, 1)[0] = spinChecks;
    }
  }

  push() { return this.tern.tern_ring_push(this.view, this.item) !== 0; }
  pop() { return this.tern.tern_ring_pop(this.view, this.item) !== 0; }
  pushWait(timeout = FOREVER) { return this.tern.tern_ring_push_wait(this.view, this.item, timeout); }
  popWait(timeout = FOREVER) { return this.tern.tern_ring_pop_wait(this.view, this.item, timeout); }
  closeProducer() { this.tern.tern_ring_close_producer(this.view); }
  consumerStatus() { return this.tern.tern_ring_consumer_status(this.view); }
}

/** The second word of the item with this number: any mix-up of halves or slots shows. */
export const payload = (number) => (Math.imul(number, 0x9e3779b1) ^ (number >>> 7)) >>> 0;

export const addToChecksum = (sum, value) => (Math.imul(sum, 31) + value) >>> 0;
