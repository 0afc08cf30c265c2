// SPDX-License-Identifier: MIT
// ring_producer.mjs: a ring's producer as its users see it. What depends on the layout is in ring_indexed.mjs and
// ring_sequenced.mjs.
import { STATUS } from './layout.mjs';
import { ProducerEnd } from './ring_producer_end.mjs';
import { itemLengthOf, wrongLength, wrongRange } from './ring_items.mjs';
import { TernError } from './status.mjs';
import { deadline } from './wait.mjs';

/** @typedef {import('./ring_items.mjs').NumberArray} NumberArray */
/** @typedef {import('./ring_items.mjs').Numbers} Numbers */
/** @typedef {import('./ring_items.mjs').NumberArrayType} NumberArrayType */
/** @typedef {import('./ring_end.mjs').EndOptions & { type?: NumberArrayType }} RingOptions */

const NO_CALL = () => new TernError(STATUS.ERR_STATE, 'use Ring.producer() or Ring.consumer()');

/**
 * The producer of a ring; Ring.producer() attaches one. One thread at a time, one view a ring.
 *
 * tryPush, tryPushMany, reserve and commit are wait-free and allocate nothing. *Wait calls block the thread, *Async
 * calls do not; both throw TernError: ERR_CLOSED: the consumer closed; ERR_CORRUPT; ERR_UNSUPPORTED: not a waitable
 * ring, or memory that is shared with nobody; ERR_DOMAIN: this thread may not block; ERR_PEER_DEAD: the consumer died
 * and has no successor yet (views opened in a region).
 */
export class RingProducer extends ProducerEnd {
  /**
   * @param {import('./memory.mjs').Memory} memory @param {number} offset
   * @param {import('./ring_layout.mjs').RingGeometry} g @param {RingOptions} options
   */
  constructor(memory, offset, g, options) {
    const { type = Uint8Array } = options;
    super(memory, offset, g, options, 'ring producer');
    /** Read only. */
    this.itemSizeBytes = g.itemSizeBytes;
    /** Elements of an item. Read only. */
    this.itemLength = itemLengthOf(type, g.itemSizeBytes, this.what);
    /** Elements from one item to the next in `items`. Read only. */
    this.stride = g.slotSizeBytes / type.BYTES_PER_ELEMENT;
    /** Where in `items` the first reserved item begins; after reserve(). */
    this.at = 0;
    /** @protected */ this.type = type;
    /** All slots, to write what is reserved in place. Another array after the memory has grown. @type {NumberArray} */
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

  /**
   * An array over one reserved item, made once for each slot. It shows that slot for ever; only until the commit is
   * it yours to write.
   *
   * @param {number} [index] 0: the first one reserved
   * @returns {NumberArray} of itemLength elements
   */
  view(index = 0) { return this.slotView((this.tail + index) & this.mask); }

  /**
   * Push one item.
   *
   * Role: producer. Progress: wait-free; a waitable ring wakes the consumer if it sleeps.
   * Order: [RING-1]; pairs with the consumer's look. Crash: dying before the end publishes nothing.
   *
   * @param {Numbers} item itemLength elements, copied
   * @returns {boolean} false: full, closed or corrupt; `status` tells which
   */
  tryPush(item) { throw NO_CALL(); }

  /**
   * Push items that lie side by side, published together (one after the other in the sequenced layout).
   *
   * @param {Numbers} source
   * @param {number} [first] item of source to begin with
   * @param {number} [count] items, default: all from first on
   * @returns {number} how many went in, 0 to count
   */
  tryPushMany(source, first, count) { throw NO_CALL(); }

  /**
   * Lend free slots for writing in place: element `e` of item `i` is `items[at + i * stride + e]`.
   *
   * Slots are contiguous: at the wrap fewer are lent than wanted although more are free. Nothing is visible before
   * commit(); a push in between takes the same slots. The sequenced layout lends one at a time.
   * Role: producer. Progress: wait-free. Order: [RING-2]. Crash: publishes nothing.
   *
   * @param {number} [want] items, 1 or more
   * @returns {number} items lent, 0: none is free
   */
  reserve(want) { throw NO_CALL(); }

  /**
   * Publish the first items of the last reservation.
   *
   * Role: producer. Progress: wait-free. Order: [RING-1]. Crash: all of them or none.
   *
   * @param {number} [count] items, 0 to what was lent; more is cut
   */
  commit(count) { throw NO_CALL(); }

  /** Wait until a slot is free. @param {number} [timeoutMs] 0 looks once
   *  @returns {boolean} true: the next tryPush or reserve succeeds; false: the time has passed */
  wait(timeoutMs = Infinity) { return this.waitFor(1, timeoutMs, 'wait'); }

  /** The same without blocking. @param {number} [timeoutMs] @returns {Promise<boolean>} */
  async waitAsync(timeoutMs = Infinity) { return this.waitForAsync(1, timeoutMs, 'waitAsync'); }

  /** Wait for space, then push. @param {Numbers} item @param {number} [timeoutMs]
   *  @returns {boolean} false: the time has passed */
  pushWait(item, timeoutMs = Infinity) {
    if (item.length !== this.itemLength) wrongLength(this.what, item.length, this.itemLength);
    return this.waitFor(1, timeoutMs, 'pushWait') && this.tryPush(item);
  }

  /** The same without blocking; item must stay as it is until then.
   *  @param {Numbers} item @param {number} [timeoutMs] @returns {Promise<boolean>} */
  async pushAsync(item, timeoutMs = Infinity) {
    if (item.length !== this.itemLength) wrongLength(this.what, item.length, this.itemLength);
    return await this.waitForAsync(1, timeoutMs, 'pushAsync') && this.tryPush(item);
  }

  /** Push all items of an array, waiting for space as often as it takes.
   *  @param {Numbers} source @param {number} [timeoutMs] for all of them
   *  @returns {number} items pushed: all, unless the time has passed */
  pushManyWait(source, timeoutMs = Infinity) {
    const count = this.countIn(source);
    const end = deadline(timeoutMs);
    let done = 0;
    while (done < count && this.waitFor(1, timeLeft(end), 'pushManyWait'))
      done += this.tryPushMany(source, done, count - done);
    return done;
  }

  /** The same without blocking. @param {Numbers} source @param {number} [timeoutMs] @returns {Promise<number>} */
  async pushManyAsync(source, timeoutMs = Infinity) {
    const count = this.countIn(source);
    const end = deadline(timeoutMs);
    let done = 0;
    while (done < count && await this.waitForAsync(1, timeLeft(end), 'pushManyAsync'))
      done += this.tryPushMany(source, done, count - done);
    return done;
  }

  /** Items in an array. @protected @param {Numbers} source */
  countIn(source) {
    const count = source.length / this.itemLength;
    return Number.isInteger(count) ? count : wrongLength(this.what, source.length, this.itemLength);
  }

  /** @protected @param {Numbers} source @param {number} first @param {number} count */
  checkRange(source, first, count) {
    const whole = first >>> 0 === first && count >>> 0 === count;
    if (!whole || (first + count) * this.itemLength > source.length) wrongRange(this.what, first, count);
  }
}

/** @param {number} end */
const timeLeft = (end) => (end === Infinity ? Infinity : Math.max(0, end - performance.now()));
