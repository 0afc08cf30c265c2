// SPDX-License-Identifier: MIT
// ring.mjs: ring of fixed-size items, one producer, one consumer.
//
//     const desc = { itemSizeBytes: 8, capacityItems: 1024, waitable: true };
//     const buffer = new SharedArrayBuffer(Ring.size(desc));
//     Ring.format(buffer, 0, desc);
//
//     const producer = Ring.producer(buffer, 0, { type: Float64Array });     // in one thread
//     producer.tryPush([1.5]);                                               // false: full
//
//     const consumer = Ring.consumer(buffer, 0, { type: Float64Array });     // in another
//     const item = new Float64Array(1);
//     while (consumer.popWait(item, 1000)) ...                               // false: nothing for a second
//
// The bytes are C's (docs/layout.md), the promises too (include/tern/ring.h, docs/ring.md): first in, first out; two
// layouts, indexed and sequenced; freed slots become visible every so many items (releaseEvery).
import { RING_MAGIC, RING_SEQUENCED, ROLE_CONSUMER, ROLE_PRODUCER, TYPE_RING } from './layout.mjs';
import { Memory } from './memory.mjs';
import { openEnd } from './open.mjs';
import { IndexedConsumer, IndexedProducer } from './ring_indexed.mjs';
import { describedGeometry, formatRing, inspectRing, loadGeometry } from './ring_layout.mjs';
import { SequencedConsumer, SequencedProducer } from './ring_sequenced.mjs';

/** @typedef {import('./memory.mjs').MemorySource} MemorySource */
/** @typedef {import('./open.mjs').OpenOptions} OpenOptions */
/** @typedef {import('./region.mjs').Region} Region */
/** @typedef {import('./ring_consumer.mjs').RingConsumer} RingConsumer */
/** @typedef {import('./ring_producer.mjs').RingProducer} RingProducer */
/** @typedef {import('./ring_producer.mjs').RingOptions} RingOptions */

/**
 * What to make.
 *
 * @typedef {object} RingDesc
 * @property {number} itemSizeBytes 1 or more; 1 makes a byte ring
 * @property {number} [capacityItems] rounded up to a power of two, at most 2^30; default 1,024
 * @property {boolean} [waitable] allow *Wait and *Async
 * @property {boolean} [sequenced] a sequence in each slot: the shorter way for an item that somebody waits for
 * @property {boolean} [paged] the consumer's words on a page of their own; not with waitable
 */

const WHAT = 'ring';

export class Ring {
  /**
   * Bytes needed. Throws TernError: ERR_ARGUMENT: no such ring.
   *
   * @param {RingDesc} desc
   * @returns {number}
   */
  static size(desc) { return describedGeometry(desc).totalSizeBytes; }

  /**
   * Make a ring in memory that nobody uses yet, once.
   *
   * Throws TernError: ERR_ARGUMENT, ERR_ALIGNMENT: no multiple of 64 (4,096 if paged), ERR_MEMORY: too small.
   * Role: creator. Order: [RING-0]; pairs with attach. Crash: leaves ERR_NOT_READY; format again.
   *
   * @param {MemorySource | Memory} memory @param {number} offset bytes @param {RingDesc} desc
   */
  static format(memory, offset, desc) {
    formatRing(Memory.of(memory), offset, describedGeometry(desc), RING_MAGIC, WHAT);
  }

  /**
   * Take the producer's end. The geometry is checked and copied into the view, and never read again. The view goes on
   * where the last producer stopped.
   *
   * Throws TernError: ERR_ALIGNMENT; ERR_MEMORY: smaller than the ring says; ERR_NOT_READY: being formatted;
   * ERR_VERSION; ERR_CORRUPT; ERR_ARGUMENT: an option, or a type that does not divide the item.
   * Role: producer, one at a time. Progress: wait-free. Order: [RING-0]. Crash: changes nothing that a successor
   * does not set right.
   *
   * @param {MemorySource | Memory} memory @param {number} [offset] bytes
   * @param {RingOptions} [options] type: of the items' elements, default Uint8Array
   * @returns {RingProducer}
   */
  static producer(memory, offset = 0, options = {}) {
    const place = Memory.of(memory);
    const geometry = loadGeometry(place, offset, RING_MAGIC, WHAT);
    const View = (geometry.flags & RING_SEQUENCED) !== 0 ? SequencedProducer : IndexedProducer;
    return new View(place, offset, geometry, options);
  }

  /**
   * Take the consumer's end; as producer(). Items that a dead consumer did not release are delivered again.
   *
   * @param {MemorySource | Memory} memory @param {number} [offset] bytes @param {RingOptions} [options]
   * @returns {RingConsumer}
   */
  static consumer(memory, offset = 0, options = {}) {
    const place = Memory.of(memory);
    const geometry = loadGeometry(place, offset, RING_MAGIC, WHAT);
    const View = (geometry.flags & RING_SEQUENCED) !== 0 ? SequencedConsumer : IndexedConsumer;
    return new View(place, offset, geometry, options);
  }

  /**
   * Open the producer's end of a ring by its name in a region. Whoever comes first with a description makes the ring;
   * who comes later with one compares it with what is there. The end is this peer's until detach(); one whose holder
   * died is taken over, and the view's `recovery` says so.
   *
   * Throws TernError: ERR_BUSY: a live peer has the end; ERR_NOT_FOUND: no desc, and no such name; ERR_MISMATCH:
   * another type or description; ERR_NOT_READY: its maker has not finished; ERR_PEER_DEAD: no desc, and its maker died
   * before it had finished; ERR_FULL: no room in the region; ERR_ALIGNMENT: paged, in a region that begins at no page;
   * ERR_STATE: the region's view only looks; ERR_DOMAIN; what size() and producer() throw.
   * Role: producer. Progress: lock-free, but for the wait for a maker. Order: [REGION-2], [PEER-1], [RING-0]. Crash:
   * the next open with a description goes on where a maker died. Waits are refused in the region's domain 'main'.
   *
   * @param {Region} region @param {string} name 1 to 31 bytes of UTF-8 @param {RingDesc} [desc]
   * @param {RingOptions & OpenOptions} [options]
   * @returns {RingProducer}
   */
  static openProducer(region, name, desc, options = {}) {
    return openEnd(region, OPEN_TYPE, name, desc, ROLE_PRODUCER, 'producer',
      (memory) => Ring.producer(memory, 0, { ...options, domain: region.domain }), options);
  }

  /**
   * Open the consumer's end of a ring; as openProducer(). Role: consumer.
   *
   * @param {Region} region @param {string} name @param {RingDesc} [desc] @param {RingOptions & OpenOptions} [options]
   * @returns {RingConsumer}
   */
  static openConsumer(region, name, desc, options = {}) {
    return openEnd(region, OPEN_TYPE, name, desc, ROLE_CONSUMER, 'consumer',
      (memory) => Ring.consumer(memory, 0, { ...options, domain: region.domain }), options);
  }

  /**
   * Look at a ring without an end; every number may have changed already. Throws as producer(). Changes nothing.
   *
   * @param {MemorySource | Memory} memory @param {number} [offset] bytes
   */
  static inspect(memory, offset = 0) { return inspectRing(Memory.of(memory), offset, RING_MAGIC, WHAT); }
}

/** @type {import('./open.mjs').OpenType<RingDesc>} */
const OPEN_TYPE = {
  kind: WHAT,
  type: TYPE_RING,
  size: Ring.size,
  isPaged: (desc) => Boolean(desc.paged),
  format: (memory, desc) => Ring.format(memory, 0, desc),
  matches(memory, desc) {
    const ring = Ring.inspect(memory);
    return ring.itemSizeBytes === desc.itemSizeBytes && ring.sizeBytes === Ring.size(desc)
      && ring.waitable === Boolean(desc.waitable) && ring.sequenced === Boolean(desc.sequenced)
      && ring.paged === Boolean(desc.paged);
  },
};
