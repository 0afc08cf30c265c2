// SPDX-License-Identifier: MIT
// ring_consumer.mjs: a ring's consumer as its users see it. What depends on the layout is in ring_indexed.mjs and
// ring_sequenced.mjs.
import { STATUS } from './layout.mjs';
import { ConsumerEnd } from './ring_consumer_end.mjs';
import { itemLengthOf, wrongLength, wrongRange } from './ring_items.mjs';
import { TernError, isClosed } from './status.mjs';

/** @typedef {import('./ring_items.mjs').NumberArray} NumberArray */
/** @typedef {import('./ring_producer.mjs').RingOptions} RingOptions */

const NO_CALL = () => new TernError(STATUS.ERR_STATE, 'use Ring.producer() or Ring.consumer()');

/**
 * The consumer of a ring; Ring.consumer() attaches one. One thread at a time, one view a ring.
 *
 * tryPop, tryPopMany, peek and release are wait-free and allocate nothing. *Wait calls block the thread, *Async calls
 * do not; both throw TernError: ERR_CLOSED: the producer closed and all has been popped; otherwise as RingProducer.
 *
 *     for await (const item of consumer) ...    // each an array of its own; ends when the producer has closed
 */
export class RingConsumer extends ConsumerEnd {
  /**
   * @param {import('./memory.mjs').Memory} memory @param {number} offset
   * @param {import('./ring_layout.mjs').RingGeometry} g @param {RingOptions} options
   */
  constructor(memory, offset, g, options) {
    const { type = Uint8Array } = options;
    super(memory, offset, g, options, 'ring consumer');
    /** Read only. */
    this.itemSizeBytes = g.itemSizeBytes;
    /** Elements of an item. Read only. */
    this.itemLength = itemLengthOf(type, g.itemSizeBytes, this.what);
    /** Elements from one item to the next in `items`. Read only. */
    this.stride = g.slotSizeBytes / type.BYTES_PER_ELEMENT;
    /** Where in `items` the first peeked item begins; after peek(). */
    this.at = 0;
    /** @protected */ this.type = type;
    /** All slots, to read what is peeked in place. Another array after the memory has grown. @type {NumberArray} */
    this.items = this.makeItems();
    /** Views of single slots, made when they are first asked for. @protected @type {NumberArray[]} */
    this.slots = [];
  }

  /** @protected @returns {NumberArray} */
  makeItems() {
    const { memory, geometry: g, type } = this;
    return new type(memory.buffer, memory.start + this.offset + g.itemsOffset, g.capacityItems * this.stride);
  }

  /** @protected @override */
  renew() {
    super.renew();
    this.items = this.makeItems();
    this.slots = [];
  }

  /** @protected @param {number} slot @returns {NumberArray} */
  slotView(slot) {
    return this.slots[slot] ??= this.items.subarray(slot * this.stride, slot * this.stride + this.itemLength);
  }

  /** An array over one peeked item, made once for each slot. It shows that slot for ever; only until the release
   *  does it hold still. @param {number} [index] 0: the first one peeked
   *  @returns {NumberArray} of itemLength elements */
  view(index = 0) { return this.slotView((this.head + index) & this.mask); }

  /**
   * Pop one item.
   *
   * Role: consumer. Progress: wait-free; a waitable ring wakes the producer if it sleeps.
   * Order: [RING-1], [RING-2]. Crash: what was not yet released is delivered again.
   *
   * @param {NumberArray} out itemLength elements; untouched when false
   * @returns {boolean} false: empty, closed or corrupt; `status` tells which
   */
  tryPop(out) { throw NO_CALL(); }

  /**
   * Pop items into an array, side by side.
   *
   * @param {NumberArray} out
   * @param {number} [first] place in out of the first one, in items
   * @param {number} [count] at most so many, default: as many as there is room for
   * @returns {number} how many came out
   */
  tryPopMany(out, first, count) { throw NO_CALL(); }

  /**
   * Lend items for reading in place: element `e` of item `i` is `items[at + i * stride + e]`. They hold still until
   * they are released. Contiguous, so at the wrap fewer; the sequenced layout lends one at a time.
   *
   * Role: consumer. Progress: wait-free. Order: [RING-1]. Crash: they are delivered again to a successor.
   *
   * @param {number} [want] items, 1 or more
   * @returns {number} items lent, 0: empty
   */
  peek(want) { throw NO_CALL(); }

  /**
   * Give the first items of the last peek back to the producer.
   *
   * Role: consumer. Progress: wait-free. Order: [RING-2]. Crash: as tryPop.
   *
   * @param {number} [count] items, 0 to what was lent; more is cut
   */
  release(count = 1) {
    if (this.ends.length === 0) this.renew();
    const most = (this.limit - this.head) | 0;
    this.advance(count > most ? most : count > 0 ? count | 0 : 0);
  }

  /** Wait until an item is there. @param {number} [timeoutMs] 0 looks once
   *  @returns {boolean} true: the next tryPop or peek succeeds; false: the time has passed */
  wait(timeoutMs = Infinity) { return this.waitFor(timeoutMs, 'wait'); }

  /** The same without blocking. @param {number} [timeoutMs] @returns {Promise<boolean>} */
  async waitAsync(timeoutMs = Infinity) { return this.waitForAsync(timeoutMs, 'waitAsync'); }

  /** Wait for an item, then pop it. @param {NumberArray} out @param {number} [timeoutMs]
   *  @returns {boolean} false: the time has passed */
  popWait(out, timeoutMs = Infinity) {
    if (out.length !== this.itemLength) wrongLength(this.what, out.length, this.itemLength);
    return this.waitFor(timeoutMs, 'popWait') && this.popSeen(out);
  }

  /** The same without blocking. @param {NumberArray} out @param {number} [timeoutMs] @returns {Promise<boolean>} */
  async popAsync(out, timeoutMs = Infinity) {
    if (out.length !== this.itemLength) wrongLength(this.what, out.length, this.itemLength);
    return await this.waitForAsync(timeoutMs, 'popAsync') && this.popSeen(out);
  }

  /** Wait until there is at least one item, then tryPopMany(). @param {NumberArray} out @param {number} [timeoutMs]
   *  @returns {number} items popped; 0: the time has passed */
  popManyWait(out, timeoutMs = Infinity) { return this.waitFor(timeoutMs, 'popManyWait') ? this.tryPopMany(out) : 0; }

  /** The same without blocking. @param {NumberArray} out @param {number} [timeoutMs] @returns {Promise<number>} */
  async popManyAsync(out, timeoutMs = Infinity) {
    return await this.waitForAsync(timeoutMs, 'popManyAsync') ? this.tryPopMany(out) : 0;
  }

  /** All items until the producer has closed, each in an array of its own. Errors but ERR_CLOSED are thrown.
   *  @returns {AsyncGenerator<NumberArray, void, void>} */
  async *[Symbol.asyncIterator]() {
    for (;;) {
      const item = new this.type(this.itemLength);
      try {
        await this.popAsync(item);
      } catch (error) {
        if (isClosed(error)) return;
        throw error;
      }
      yield item;
    }
  }

  /** Pop the item that was just seen. A producer that lies can have taken it back.
   *  @protected @param {NumberArray} out */
  popSeen(out) {
    if (this.tryPop(out)) return true;
    this.failure = STATUS.ERR_CORRUPT;
    this.throwIfFailed(this.failure, 'pop');
    return false;
  }

  /** @protected @param {NumberArray} out @param {number} first @param {number} count */
  checkRange(out, first, count) {
    const whole = first >>> 0 === first && count >>> 0 === count;
    if (!whole || (first + count) * this.itemLength > out.length) wrongRange(this.what, first, count);
  }
}
