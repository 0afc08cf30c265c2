// SPDX-License-Identifier: MIT
// js_ends.mjs: the package's triple buffers, bells and pools behind the calls that C's have in the tests, so that every
// task of a worker can be done by either; and what tests of the package share.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Bell, Pool, Region, STATUS, TernError, Triple } from '../../wasm/src/index.mjs';
import { TYPE_POOL } from '../../wasm/src/layout.mjs';
import { FOREVER } from './instance.mjs';
import { ITEM_WORDS } from './pool_view.mjs';
import { wordOf } from './triple_end.mjs';

/** Whether the long forms of the tests run. */
export const isLong = process.env.TERN_LONG === '1';

/** A wait's status as C gives it. */
function statusOf(wait, timeout) {
  try {
    return wait(timeout === FOREVER ? Infinity : Number(timeout) / 1e6) ? STATUS.OK : STATUS.ERR_TIMEOUT;
  } catch (error) {
    if (error instanceof TernError) return error.status;
    throw error;
  }
}

/** Count JavaScript's own sleeps and wakes in this thread from now on. */
export function countJs() {
  const counts = { sleeps: 0, wakes: 0 };
  const { wait, notify } = Atomics;
  Atomics.wait = (...all) => { counts.sleeps++; return wait(...all); };
  Atomics.notify = (...all) => { counts.wakes++; return notify(...all); };
  return counts;
}

export class JsTripleWriter {
  constructor(tern, memory, heap, triple) {
    this.end = Triple.writer(memory, triple.at);
    this.words = triple.frameBytes / 4;
    this.number = 0;
  }

  publish() {
    this.number++;
    const frame = this.end.back.u32;
    frame[0] = this.number;
    for (let at = 1; at < this.words; at++) frame[at] = wordOf(this.number, at);
    return this.end.publish();
  }

  close() { this.end.close(); }
  status() { return this.end.status; }
}

export class JsTripleReader {
  constructor(tern, memory, heap, triple, spinChecks) {
    this.end = Triple.reader(memory, triple.at, { spinChecks });
    this.words = triple.frameBytes / 4;
  }

  update() { return this.end.update(); }
  wait(timeout = FOREVER) { return statusOf((ms) => this.end.wait(ms), timeout); }
  close() { this.end.close(); }
  status() { return this.end.status; }
  get front() { return this.end.front?.address ?? 0; }
  get frame() { return this.end.frame; }
  get dropped() { return this.end.dropped; }

  isWhole() {
    const frame = this.end.front.u32;
    if (frame[0] !== this.frame) return false;
    for (let at = 1; at < this.words; at++) if (frame[at] !== wordOf(frame[0], at)) return false;
    return true;
  }
}

export class JsBell {
  constructor(tern, memory, heap, bell, spinChecks) {
    this.end = Bell.collector(memory, bell.at, { spinChecks });
    this.room = new Uint32Array(64);
  }

  ring(source) { return this.end.ring(source); }
  wait(timeout = FOREVER) { return statusOf((ms) => this.end.wait(ms), timeout); }
  collect() { return this.end.collect() >>> 0; }
  status() { return this.end.status; }
  arm() { return this.end.arm(); }
  close() { this.end.close(); }

  * sources() {
    for (let count; (count = this.end.collectInto(this.room)) > 0;) yield* this.room.subarray(0, count);
  }
}

export class JsPool {
  constructor(tern, memory, heap, pool) {
    this.end = pool.region ? this.open(memory, pool) : Pool.attach(memory, pool.at);
    this.bytes = new Uint8Array(ITEM_WORDS * 4);
    this.copy = new Uint32Array(this.bytes.buffer);
  }

  /** One in a region, as a peer of our own. */
  open(memory, { region, name }) {
    this.region = Region.attach(memory, region.at);
    const object = this.region.find(name, TYPE_POOL);
    return new Pool(object.memory, 0, { table: this.region.table, slot: this.region.peer - 1, object: object.index });
  }

  alloc() {
    const item = this.end.alloc();
    return { status: this.end.status, handle: [this.end.index, this.end.generation], item: item?.u32 ?? null };
  }

  get(handle) { return this.end.get(...handle)?.u32 ?? null; }
  pin(handle) { return this.end.pin(...handle)?.u32 ?? null; }
  unpin(handle) { this.end.unpin(...handle); }
  wasLive() { return this.end.wasLive(); }

  free(handle) {
    this.end.free(...handle);
    return this.end.status;
  }

  read(handle) {
    this.end.read(...handle, this.bytes);
    return this.end.status;
  }
}

// ---- Tools of the tests ------------------------------------------------------------------------

/** A seed, told by the test; TERN_SEED repeats a run. */
export function newSeed(t) {
  const seed = process.env.TERN_SEED ? Number(process.env.TERN_SEED) : Date.now() % 2 ** 32;
  t.diagnostic(`TERN_SEED=${seed}`);
  return seed;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');
const WARM_UP = 10;   // the compiler leaves garbage, too
const CHUNKS = 11;

/** Bytes of garbage that a call leaves, the median of some runs of `count` calls each. */
export function garbageOf(count, call) {
  const seen = [];
  for (let chunk = 0; chunk < WARM_UP + CHUNKS; chunk++) {
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < count; i++) call(i);
    if (chunk >= WARM_UP) seen.push((process.memoryUsage().heapUsed - before) / count);
  }
  return seen.sort((a, b) => a - b)[CHUNKS >> 1];
}
