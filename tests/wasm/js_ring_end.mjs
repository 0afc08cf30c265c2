// SPDX-License-Identifier: MIT
// js_ring_end.mjs: what the tests of the package's rings and streams share: numbers at random, memory with guards
// around an object, and C's ends of rings in the same thread.
import assert from 'node:assert/strict';
import { Heap, STATUS, instantiate, loadModule, newMemory } from './instance.mjs';

export const PAGE = 4096;
export const INDEX = 0x7fffffff;
/** Where the counters begin: at 0, and shortly before they and their words wrap. */
export const STARTS = [0, 1, 0x3ffffffe, 0x7ffffff0, 0x7fffffff];

/** Numbers at random from a seed (mulberry32): below(n) is a whole number from 0 to n - 1. */
export class Random {
  constructor(seed = (Date.now() ^ (process.pid << 12)) >>> 0) {
    this.seed = seed;
    this.state = seed;
  }

  word() {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let x = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (x ^ (x >>> 14)) >>> 0;
  }

  below(n) { return this.word() % n; }
  pick(values) { return values[this.below(values.length)]; }
  bytes(count) { return Uint8Array.from({ length: count }, () => this.word()); }
}

/** The seed of a run that is to be repeated comes in TERN_SEED. */
export const newRandom = () => new Random(process.env.TERN_SEED ? Number(process.env.TERN_SEED) : undefined);

/** A module and its memory in this thread; take() hands out memory for one test and is wound back by it. */
export function newWorld(kind, pages = 64) {
  const module = loadModule(kind);
  const memory = newMemory(kind, pages);
  const heap = new Heap(module, memory);
  return { kind, memory, heap, tern: instantiate(module, memory, { tls: heap.place().tls }) };
}

const GUARD = 256;

/** `size` bytes for an object in a world, with bytes around it that nobody may touch. */
export class Guarded {
  constructor({ memory, heap }, size, random) {
    const begin = heap.take(GUARD + PAGE, PAGE);
    this.at = begin + PAGE;
    this.end = this.at + size;
    heap.take(Math.max(0, this.end + GUARD - heap.at));
    this.before = new Uint8Array(memory.buffer, this.at - GUARD, GUARD);
    this.after = new Uint8Array(memory.buffer, this.end, GUARD);
    for (const area of [this.before, this.after]) area.set(random.bytes(GUARD));
    this.copies = [this.before.slice(), this.after.slice()];
  }

  check() {
    assert.deepEqual(this.before.slice(), this.copies[0], 'bytes before the object have changed');
    assert.deepEqual(this.after.slice(), this.copies[1], 'bytes after the object have changed');
  }
}

/** Offsets in a ring's bytes. */
export const placesOf = ({ paged, sequenced }, size, capacityItems) => ({
  producer: paged ? PAGE - 128 : 128,
  consumer: paged ? PAGE : 256,
  items: paged ? 2 * PAGE : 384,
  sequenced,
  capacityItems,
  size,
});

/** Let the counters of an empty ring that nobody has attached to begin at `start`. */
export function startAt(memory, at, places, slotSizeBytes, start) {
  const words = new Int32Array(memory.buffer, at, places.size >>> 2);
  words[places.producer / 4] = start << 1;
  words[places.consumer / 4] = start << 1;
  for (let i = start; places.sequenced && i < start + places.capacityItems; i++) {
    const slot = i & (places.capacityItems - 1);
    words[(places.items + (slot + 1) * slotSizeBytes) / 4 - 1] = (i + 1 - places.capacityItems) << 1;
  }
}

/** One of C's ends of a ring in this thread, one item a call: all that the tests' module exports. */
export class CEnd {
  constructor({ tern, memory, heap }, role, at, size, itemBytes) {
    this.tern = tern;
    this.memory = memory;
    this.itemBytes = itemBytes;
    this.role = role;
    this.view = heap.take(tern[`test_sizeof_${role}`]());
    this.item = heap.take(itemBytes);
    assert.equal(tern[`tern_ring_attach_${role}`](this.view, at, size), STATUS.OK, `tern_ring_attach_${role}`);
  }

  get bytes() { return new Uint8Array(this.memory.buffer, this.item, this.itemBytes); }
  tryPush(item) {
    this.bytes.set(item);
    return this.tern.tern_ring_push(this.view, this.item) !== 0;
  }
  tryPop(out) {
    if (this.tern.tern_ring_pop(this.view, this.item) === 0) return false;
    out.set(this.bytes);
    return true;
  }
  get status() { return this.tern[`tern_ring_${this.role}_status`](this.view); }
  releaseEvery(items) { this.tern.tern_ring_consumer_release_every(this.view, items); }
  close() { this.tern[`tern_ring_close_${this.role}`](this.view); }
  detach() { this.tern[`tern_ring_detach_${this.role}`](this.view); }
}
