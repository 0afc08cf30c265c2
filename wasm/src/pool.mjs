// SPDX-License-Identifier: MIT
// pool.mjs: pool of fixed-size items that are named by handles. A handle is an index and a generation: two numbers.
//
//     Pool.format(memory, 0, { itemSizeBytes: 32, capacityItems: 1000 });
//     const pool = Pool.attach(memory);                      // in each thread
//
//     const item = pool.alloc();                             // null: full
//     item.f32[0] = 7;                                       // fill it, then pass the handle on:
//     send(pool.index, pool.generation);                     // e.g. writeHandle() into an item of a ring
//
//     const item = pool.pin(index, generation);              // anywhere else; null: it is gone
//     if (item) { use(item.f32); pool.unpin(index, generation); }
//     pool.free(index, generation);                          // every copy of the handle is now stale
//
// All calls may run beside all others, of any handles, in any threads, here and in C (docs/pool.md); but what is read
// through get() not beside a free() of that handle. A view is for one thread: it keeps what the last call found. All
// calls are lock-free, and none blocks. pin, unpin, get and read allocate nothing, alloc and free some BigInts.
import {
  POOL_LAST_GENERATION, POOL_LIVE, POOL_NO_INDEX, POOL_SLOT, POOL_STATE_SHIFT, STATUS, TYPE_POOL,
} from './layout.mjs';
import { refuse } from './header.mjs';
import { Memory, NO_WORDS } from './memory.mjs';
import { openObject } from './open.mjs';
import { Holds } from './pool_holds.mjs';
import { freeCounted, pinCounted, unpinCounted } from './pool_counted.mjs';
import { freeHeld, letGo } from './pool_held.mjs';
import { LIVE, describedLayout, formatPool, loadPool } from './pool_layout.mjs';
import { PoolList } from './pool_list.mjs';
import { TernError } from './status.mjs';
import { Views } from './views.mjs';

/** @typedef {import('./memory.mjs').MemorySource} MemorySource */
/** @typedef {import('./open.mjs').OpenOptions} OpenOptions */
/** @typedef {import('./region.mjs').Region} Region */
/** @typedef {import('./pool_layout.mjs').PoolDesc} PoolDesc */
/** @typedef {import('./pool_holds.mjs').PeerPlace} PeerPlace */

/** Items whose views are made together, when the first of them is asked for: 2^10. */
const CHUNK_BITS = 10;

/** A thread's view of a pool; from Pool.attach(). */
export class Pool {
  #memory;
  #offset;
  #list;
  /** @type {Holds | null} */ #holds;
  #slots;
  #isDetached = false;
  /** @type {(Views | undefined)[][]} */ #chunks = [];
  /** @type {Views | null} */ #all = null;

  /** @param {Memory} memory @param {number} offset @param {PeerPlace | null} place in a region */
  constructor(memory, offset, place) {
    const layout = loadPool(memory, offset);
    if (layout.isHeld !== (place !== null)) {
      throw new TernError(STATUS.ERR_MISMATCH, layout.isHeld ? 'a pool of a region: open it by its name in the region'
        : 'a pool that was not made for a region');
    }
    this.#memory = memory;
    this.#offset = offset;
    this.#slots = layout.slots;
    this.#list = new PoolList(memory, offset, layout);
    this.#holds = place && new Holds(place);
    this.capacityItems = layout.capacityItems;
    this.itemSizeBytes = layout.itemSizeBytes;
    this.strideBytes = layout.strideBytes;
    /** Handle of the last alloc() or walk(): its index. */
    this.index = 0;
    /** Its generation; 0: that call found none. */
    this.generation = 0;
    /** What became of the last alloc(), free() or read(): STATUS.*. @type {number} */
    this.status = STATUS.OK;
    /** What the open found, of a pool in a region. @type {import('./region_peers.mjs').Recovery | null} */
    this.recovery = null;
  }

  // ---- Life --------------------------------------------------------------------------------

  /** Bytes needed. @param {PoolDesc} desc @returns {number} */
  static size(desc) { return describedLayout(desc).totalSizeBytes; }

  /**
   * Make a pool in memory that nobody uses yet. The bytes of the items stay as they are.
   *
   * @param {MemorySource | Memory} memory @param {number} offset bytes, a multiple of 64 @param {PoolDesc} desc
   */
  static format(memory, offset, desc) { formatPool(Memory.of(memory), offset, desc); }

  /**
   * Make a view of a pool. Every number of its header is checked and copied, and never read again.
   *
   * @param {MemorySource | Memory} memory @param {number} [offset]
   * @returns {Pool} throws TernError: ERR_NOT_READY, ERR_VERSION, ERR_CORRUPT, ERR_MEMORY, ERR_ALIGNMENT; ERR_MISMATCH:
   *   a pool of a region, which is opened by its name
   */
  static attach(memory, offset = 0) { return new Pool(Memory.of(memory), offset, null); }

  /**
   * Open a pool by its name in a region; as Ring.openProducer(), but any number may, and a capacity counts exactly.
   * What dead peers had of it is given back first (region.recover()); `recovery` tells. Its pins are in the hands of
   * the region's peers, so a pin ends with its peer. Role: any.
   *
   * @param {Region} region @param {string} name @param {PoolDesc} [desc] @param {OpenOptions} [options]
   * @returns {Pool}
   */
  static open(region, name, desc, options = {}) {
    const { memory, index } = openObject(region, OPEN_TYPE, name, desc, options);
    const recovery = region.recover();
    const pool = new Pool(memory, 0, { table: region.table, slot: region.peer - 1, object: index });
    pool.recovery = recovery;
    return pool;
  }

  /** A look from outside; every was_ may have changed already.
   *  @param {MemorySource | Memory} memory @param {number} [offset] */
  static inspect(memory, offset = 0) {
    const place = Memory.of(memory);
    const layout = loadPool(place, offset);
    const list = new PoolList(place, offset, layout);
    return {
      itemSizeBytes: layout.itemSizeBytes, capacityItems: layout.capacityItems, strideBytes: layout.strideBytes,
      sizeBytes: layout.totalSizeBytes, isOfRegion: layout.isHeld,
      wasLive: list.wasLive(), wasRetired: list.wasRetired(), wasAllocated: list.wasAllocated(),
    };
  }

  /** Forget the pool. Items and pins stay as they are. Nothing but ERR_STATE comes from this view any more. */
  detach() {
    this.#isDetached = true;
    this.#chunks = [];
    this.#all = null;
    this.#list.words = NO_WORDS;
  }

  /** The words and the list, of now. */
  #now() {
    const list = this.#list;
    if (list.words.length === 0) {
      if (this.#isDetached) throw new TernError(STATUS.ERR_STATE, 'this view of a pool was detached');
      list.renew();
    }
    return list;
  }

  // ---- Items -------------------------------------------------------------------------------

  /**
   * The bytes of a slot's item, live or not: the same object each time.
   *
   * @param {number} index 0 to capacityItems
   * @returns {Views}
   */
  item(index) {
    if (!(index >= 0 && index < this.#slots)) return refuse(`the pool has no slot ${index}`);
    const chunk = this.#chunks[index >>> CHUNK_BITS];
    return chunk?.[index & ((1 << CHUNK_BITS) - 1)] ?? this.#newItem(index);
  }

  /** @param {number} index */
  #newItem(index) {
    this.#now();
    const chunk = this.#chunks[index >>> CHUNK_BITS] ??= [];
    return chunk[index & ((1 << CHUNK_BITS) - 1)] =
      new Views(this.#memory, this.#offset + this.offsetOf(index), this.itemSizeBytes);
  }

  /** All of the pool, for loops over many items: item i begins at offsetOf(i), so its third float is
   *  `all.f32[offsetOf(i) / 4 + 2]`. Write to nothing but live items. @returns {Views} */
  get all() {
    return this.#all ??= new Views(this.#memory, this.#offset, this.#now().bytes);
  }

  /** Where an item begins in `all`, in bytes; one is strideBytes behind the other. @param {number} index */
  offsetOf(index) { return this.#list.slotAt(index) * 4 + POOL_SLOT.size; }

  // ---- Handles -----------------------------------------------------------------------------

  /** Whether the item of a handle is live at this moment. Wait-free.
   *  @param {number} index @param {number} generation */
  has(index, generation) {
    const list = this.#now();
    return index >>> 0 < this.#slots && list.isLive(list.wordAt(index >>> 0), generation | 0);
  }

  /**
   * The item of a handle, if it is live at this moment. It stays as long as nobody frees it: the caller must know that
   * nobody does, or pin it instead.
   *
   * Role: any. Progress: wait-free. Order: [POOL-1] what was done to the slot's former items. Crash: nothing is
   * written.
   *
   * @param {number} index @param {number} generation
   * @returns {Views | null} null: stale, null or never given out
   */
  get(index, generation) { return this.has(index, generation) ? this.item(index >>> 0) : null; }

  /**
   * Hold an item: its slot is not reused before unpin(). It locks nobody out: others may pin it too, write to it, and
   * free it, which makes the handle stale at once.
   *
   * Role: any. Progress: lock-free. Order: [POOL-1], [POOL-2]. Crash: the pin of a thread that was ended stays, but in
   * a region.
   *
   * @param {number} index @param {number} generation
   * @returns {Views | null} null: stale, null or never given out, or pinned 2^30 - 2 times
   */
  pin(index, generation) {
    const list = this.#now();
    const at = index >>> 0;
    if (at >= this.#slots) return null;
    const isPinned = this.#holds === null ? pinCounted(list, null, at, generation | 0)
      : this.#pinHeld(list, this.#holds, at, generation | 0);
    return isPinned ? this.item(at) : null;
  }

  /** Pin by a hold; where none is free, by counting, which is good, but stays if its peer dies.
   *  @param {PoolList} list @param {Holds} holds @param {number} index @param {number} generation int32 */
  #pinHeld(list, holds, index, generation) {
    const hold = holds.takePin(index);
    if (hold < 0) return pinCounted(list, holds, index, generation);
    if (list.isLive(list.wordAt(index), generation)) return true;
    letGo(list, holds, hold, index);
    return false;
  }

  /**
   * Let go of an item. The last unpin of a freed item gives its slot back.
   *
   * Role: whoever pinned; in a region by the same view of the region. Progress: wait-free; lock-free if it gives the
   * slot back. Order: [POOL-1] all that the caller did with the item.
   *
   * @param {number} index @param {number} generation a handle that pin() accepted, once for each such pin
   */
  unpin(index, generation) {
    void generation;
    const list = this.#now();
    if (index >>> 0 >= this.#slots) return;
    const hold = this.#holds === null ? -1 : this.#holds.findPin(index >>> 0);
    if (this.#holds === null || hold < 0) unpinCounted(list, this.#holds, index >>> 0);
    else letGo(list, this.#holds, hold, index >>> 0);
  }

  /**
   * Copy an item out, under a pin.
   *
   * @param {number} index @param {number} generation
   * @param {Uint8Array} out receives as many bytes as it has, from the beginning of the item; at most an item's
   * @returns {boolean} false: as pin() gives null (status is ERR_STALE), and `out` is untouched
   */
  read(index, generation, out) {
    if (out.length > this.itemSizeBytes)
      return refuse(`an item has ${this.itemSizeBytes} bytes, and not ${out.length}`);
    const item = this.pin(index, generation);
    this.status = item === null ? STATUS.ERR_STALE : STATUS.OK;
    if (item === null) return false;
    const { u8 } = item;
    if (out.length === u8.length) out.set(u8);
    else for (let i = 0; i < out.length; i++) out[i] = u8[i];
    this.unpin(index, generation);
    return true;
  }

  // ---- Allocate and free -------------------------------------------------------------------

  /**
   * Take a slot. Its handle is `index` and `generation` of the pool, until the next alloc() or walk(); the item holds
   * whatever its slot held last.
   *
   * Role: any. Progress: lock-free; gives up with ERR_CORRUPT after 2^13 lost races. Order: [POOL-1] what was done
   * to the slot's former items is over; [POOL-2]. Crash: as it was, or the slot is on its way: lost, but in a region.
   *
   * @returns {Views | null} null: status is ERR_FULL: capacityItems (less the retired) are live or dying; or
   *   ERR_CORRUPT: the free list is damaged
   */
  alloc() {
    const list = this.#now();
    const holds = this.#holds;
    const hold = holds === null ? -1 : holds.takeBusy(POOL_NO_INDEX);
    this.index = this.generation = 0;
    const index = list.take(holds, hold);
    if (index < 0) this.status = index === -1 ? STATUS.ERR_FULL : STATUS.ERR_CORRUPT;
    else this.status = this.#make(list, index, hold);
    if (holds !== null) holds.drop(hold);
    return this.status === STATUS.OK ? this.item(index) : null;
  }

  /** Turn a slot that was taken from the list into a live item.
   *  @param {PoolList} list @param {number} index @param {number} hold */
  #make(list, index, hold) {
    const at = list.wordAt(index);
    const generation = Atomics.load(list.words, at + 1);
    if (generation === 0 || generation >>> 0 > POOL_LAST_GENERATION) return STATUS.ERR_CORRUPT;
    if (this.#holds !== null) this.#holds.changeMade(hold, index, generation);
    if (!list.exchangeIf(at, 0, generation, LIVE, generation)) return STATUS.ERR_CORRUPT;
    this.index = index;
    this.generation = generation >>> 0;
    return STATUS.OK;
  }

  /**
   * End an item's life: from this moment its handle is stale everywhere. Of several frees of one handle, one succeeds.
   *
   * Role: any. Progress: as alloc(). Order: [POOL-1] all that the caller did with the item; [POOL-2].
   *
   * @param {number} index @param {number} generation
   * @returns {boolean} true: its life ended by this call, and status is STATUS.OK: the slot is free again, or DEFERRED:
   *   it is pinned, and the last unpin frees it. false: ERR_STALE: no live item of that handle; ERR_CORRUPT: the free
   *   list is damaged, the item is gone and its slot lost
   */
  free(index, generation) {
    const list = this.#now();
    const at = index >>> 0;
    if (at >= this.#slots || generation >>> 0 > POOL_LAST_GENERATION) this.status = STATUS.ERR_STALE;
    else if (this.#holds === null) this.status = freeCounted(list, at, generation >>> 0);
    else this.status = freeHeld(list, this.#holds, at, generation >>> 0);
    return this.status >= 0;
  }

  // ---- Look --------------------------------------------------------------------------------

  /** How many slots are in use: live, dying, or lost by who died inside a call. */
  wasLive() { return this.#now().wasLive(); }

  /** How many slots have used up their generations; they lower the capacity for ever. */
  wasRetired() { return this.#now().wasRetired(); }

  /**
   * Visit the live items, for tools:
   *
   *     for (let at = pool.walk(0); at !== 0; at = pool.walk(at)) {
   *       look(pool.item(pool.index));                        // pinned; maybe being filled or changed
   *       pool.unpin(pool.index, pool.generation);
   *     }
   *
   * An item that is live all the time is visited once; one that comes or goes meanwhile, once at most.
   *
   * @param {number} cursor 0 at first, then what the last call returned
   * @returns {number} cursor for the next call; 0: that was all
   */
  walk(cursor) {
    const list = this.#now();
    for (let index = cursor >>> 0; index < this.#slots; index++) {
      if (!list.read(list.wordAt(index)) || list.low >>> POOL_STATE_SHIFT !== POOL_LIVE) continue;
      const generation = list.high >>> 0;
      if (this.pin(index, generation) === null) continue;
      this.index = index;
      this.generation = generation;
      return index + 1;
    }
    this.index = this.generation = 0;
    return 0;
  }
}

/** @type {import('./open.mjs').OpenType<PoolDesc>} */
const OPEN_TYPE = {
  kind: 'pool',
  type: TYPE_POOL,
  size: Pool.size,
  isPaged: () => false,
  format: (memory, desc) => formatPool(memory, 0, desc, true),
  matches(memory, desc) {
    const pool = Pool.inspect(memory);
    return pool.itemSizeBytes === desc.itemSizeBytes && pool.sizeBytes === Pool.size(desc);
  },
};
