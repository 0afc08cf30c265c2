// SPDX-License-Identifier: MIT
// pool_view.mjs: pools and their views, for JavaScript that calls the module.
import { STATUS } from './instance.mjs';
import { CPeer } from './region_actors.mjs';

export const FULL = -14;
export const STALE = -18;
export const DEFERRED = 1;
export const ITEM_WORDS = 4;

/** A pool in new memory: where it is, and how large. */
export function makePool(tern, memory, heap, capacity) {
  const desc = heap.take(8);
  new Uint32Array(memory.buffer, desc, 2).set([ITEM_WORDS * 4, capacity]);
  const size = tern.tern_pool_size(desc);
  const pool = { at: heap.take(size), size };
  const status = tern.tern_pool_format(pool.at, size, desc);
  if (status !== STATUS.OK) throw new Error(`tern_pool_format: ${status}`);
  return pool;
}

/** What tern_pool_inspect() says of a pool. */
export function inspectPool(tern, memory, heap, pool) {
  const info = heap.take(tern.test_sizeof_pool_info());
  const status = tern.tern_pool_inspect(info, pool.at, pool.size);
  if (status !== STATUS.OK) throw new Error(`tern_pool_inspect: ${status}`);
  const view = new DataView(memory.buffer);
  return {
    live: view.getUint32(info + tern.test_offsetof_pool_info_was_live(), true),
    retired: view.getUint32(info + tern.test_offsetof_pool_info_was_retired(), true),
    allocated: Number(view.getBigUint64(info + tern.test_offsetof_pool_info_was_allocated(), true)),
  };
}

/** A view in wasm memory, and room for a handle, an address and a copy of an item. */
export class Pool {
  constructor(tern, memory, heap, pool) {
    this.tern = tern;
    this.memory = memory;
    this.view = heap.take(tern.test_sizeof_pool());
    this.room = heap.take(16 + ITEM_WORDS * 4);
    this.handle = new Uint32Array(memory.buffer, this.room, 2);
    this.address = new Uint32Array(memory.buffer, this.room + 8, 1);
    this.copy = new Uint32Array(memory.buffer, this.room + 16, ITEM_WORDS);
    const status = pool.region ? this.open(heap, pool) : tern.tern_pool_attach(this.view, pool.at, pool.size);
    if (status !== STATUS.OK) throw new Error(`tern_pool_attach or _open: ${status}`);
  }

  /** One in a region, as a peer of our own. */
  open(heap, { region, name }) {
    this.peer = new CPeer({ tern: this.tern, memory: this.memory, heap }, region.at, region.size);
    if (this.peer.attach() !== STATUS.OK) throw new Error('tern_region_attach');
    return this.tern.tern_pool_open(this.view, this.peer.view, this.peer.string(name), 0);
  }

  /** { status, handle, item } */
  alloc() {
    const status = this.tern.tern_pool_alloc(this.view, this.room, this.room + 8);
    return { status, handle: [...this.handle], item: this.words(this.address[0]) };
  }

  words(at) { return at === 0 ? null : new Uint32Array(this.memory.buffer, at, ITEM_WORDS); }
  get(handle) { return this.words(this.tern.test_pool_get(this.view, ...handle)); }
  pin(handle) { return this.words(this.tern.test_pool_pin(this.view, ...handle)); }
  unpin(handle) { this.tern.test_pool_unpin(this.view, ...handle); }
  free(handle) { return this.tern.test_pool_free(this.view, ...handle); }
  read(handle) { return this.tern.test_pool_read(this.view, ...handle, this.room + 16, ITEM_WORDS * 4); }
}
