// SPDX-License-Identifier: MIT
// ring_sequenced.mjs: push and pop of the sequenced layout: each slot ends in a sequence that says which item is in
// it, so an item and the news of it come in one cache line. Space is known from the consumer's index.
import { RING_SLEEP, STATUS } from './layout.mjs';
import { LOOP_ELEMENTS, wrongLength } from './ring_items.mjs';
import { PRODUCER, WORD, sequenceBefore, wordOf } from './ring_layout.mjs';
import { RingConsumer } from './ring_consumer.mjs';
import { RingProducer } from './ring_producer.mjs';
import { wake } from './wait.mjs';

/** @typedef {import('./ring_items.mjs').NumberArray} NumberArray */
/** @typedef {import('./ring_items.mjs').Numbers} Numbers */

/** The words of all slots; a slot's last is its sequence.
 *  @param {import('./memory.mjs').Memory} memory @param {number} offset
 *  @param {import('./ring_layout.mjs').RingGeometry} g */
const slotWordsOf = (memory, offset, g) => memory.words(offset + g.itemsOffset, g.capacityItems * g.slotSizeBytes);

export class SequencedProducer extends RingProducer {
  /**
   * @param {import('./memory.mjs').Memory} memory @param {number} offset
   * @param {import('./ring_layout.mjs').RingGeometry} g @param {import('./ring_producer.mjs').RingOptions} options
   */
  constructor(memory, offset, g, options) {
    super(memory, offset, g, options);
    /** @protected */ this.slotWords = g.slotSizeBytes / 4;
    /** @protected @type {Int32Array} */ this.words = slotWordsOf(memory, offset, g);
    // a hint, as after each item; it must not fall behind by one more with each death
    Atomics.store(this.ends, PRODUCER + WORD, wordOf(this.tail));
    if (this.waitable) {
      wake(this.words, this.sequenceAt(this.tail));
      wake(this.words, this.sequenceAt(this.tail - 1));
    }
  }

  /** @protected @override */
  renew() {
    super.renew();
    this.words = slotWordsOf(this.memory, this.offset, this.geometry);
  }

  /** @protected @param {number} index of an item @returns {number} of a word */
  sequenceAt(index) { return (index & this.mask) * this.slotWords + this.slotWords - 1; }

  /** The slot at tail is filled. @protected */
  publishSlot() {
    const { tail } = this;
    this.tail = (tail + 1) | 0;
    // [RING-1] the item's bytes before its sequence; pairs with the consumer's look at it
    this.publishWord(this.words, this.sequenceAt(tail), (tail + 1) << 1);
    // a plain store: a hint for a successor and for onlookers, the sequences tell what is there
    this.ends[PRODUCER + WORD] = (tail + 1) << 1;
    if (this.bell !== null) this.bell.ring(this.bellSource);
  }

  /** @protected @override */
  closeWord() {
    this.closeBy(this.words, this.sequenceAt(this.tail), sequenceBefore(this.tail, this.capacityItems));
  }

  /** @override @param {Numbers} item */
  tryPush(item) {
    if (this.ends.length === 0) this.renew();
    const { items, itemLength, tail } = this;
    if (item.length !== itemLength) wrongLength(this.what, item.length, itemLength);
    if (tail === this.limit && !this.seeSpace()) return false;
    const slot = tail & this.mask;
    if (itemLength > LOOP_ELEMENTS) {
      this.slotView(slot).set(item);
    } else {
      const at = slot * this.stride;
      for (let e = 0; e < itemLength; e++) items[at + e] = item[e];
    }
    this.publishSlot();
    return true;
  }

  /** @override @param {Numbers} source @param {number} [first] @param {number} [count] */
  tryPushMany(source, first = 0, count = Math.floor(source.length / this.itemLength) - first) {
    if (this.ends.length === 0) this.renew();
    this.checkRange(source, first, count);
    const n = this.space(count);
    const { items, itemLength, stride } = this;
    for (let i = 0; i < n; i++) {
      const from = (first + i) * itemLength;
      const at = (this.tail & this.mask) * stride;
      for (let e = 0; e < itemLength; e++) items[at + e] = source[from + e];
      this.publishSlot();
    }
    return n;
  }

  /** @override @param {number} [want] */
  reserve(want = 1) {
    if (this.ends.length === 0) this.renew();
    this.at = (this.tail & this.mask) * this.stride;
    return this.space(want > 0 ? 1 : 0);
  }

  /** @override @param {number} [count] */
  commit(count = 1) {
    if (this.ends.length === 0) this.renew();
    if (count > 0 && this.limit !== this.tail) this.publishSlot();
  }
}

export class SequencedConsumer extends RingConsumer {
  /**
   * @param {import('./memory.mjs').Memory} memory @param {number} offset
   * @param {import('./ring_layout.mjs').RingGeometry} g @param {import('./ring_producer.mjs').RingOptions} options
   */
  constructor(memory, offset, g, options) {
    super(memory, offset, g, options);
    /** @protected */ this.slotWords = g.slotSizeBytes / 4;
    /** @protected @type {Int32Array} */ this.words = slotWordsOf(memory, offset, g);
  }

  /** @protected @override */
  renew() {
    super.renew();
    this.words = slotWordsOf(this.memory, this.offset, this.geometry);
  }

  /** Whether the item at head is there. @protected */
  isFilled() {
    const { head } = this;
    // [RING-1] the item's bytes after its sequence; pairs with the producer's publication
    const word = Atomics.load(this.words, (head & this.mask) * this.slotWords + this.slotWords - 1);
    const filled = (word & ~RING_SLEEP) === (head + 1) << 1;
    this.limit = filled ? (head + 1) | 0 : head;
    return filled;
  }

  /** @protected @override @returns {boolean} */
  loadTail() {
    if (this.isFilled()) return true;
    // then it holds what the last lap left in it, or somebody lies
    const word = Atomics.load(this.words, this.sleepIndex) & ~RING_SLEEP;
    if (word !== this.sleepBefore && word !== (this.head + 1) << 1) this.failure = STATUS.ERR_CORRUPT;
    return false;
  }

  /** @protected @override */
  seeItems() {
    if (!this.isFilled()) return super.seeItems();
    this.armSlip(1);
    return true;
  }

  /** One item is known, and nobody asks for more at once. @protected @override */
  seeMore() {}

  /** @protected @override */
  get sleepWords() { return this.words; }

  /** @protected @override */
  get sleepIndex() { return (this.head & this.mask) * this.slotWords + this.slotWords - 1; }

  /** @protected @override */
  get sleepBefore() { return sequenceBefore(this.head, this.capacityItems); }

  /** The item at head, which is there, into an array. @protected @param {NumberArray} out @param {number} to */
  take(out, to) {
    const { items, itemLength, head } = this;
    const slot = head & this.mask;
    if (itemLength > LOOP_ELEMENTS && out.length === itemLength) {
      out.set(this.slotView(slot));
    } else {
      const at = slot * this.stride;
      for (let e = 0; e < itemLength; e++) out[to + e] = items[at + e];
    }
    this.armSlip(1);
    this.advance(1);
    this.limit = this.head;
  }

  /** @override @param {NumberArray} out */
  tryPop(out) {
    if (this.ends.length === 0) this.renew();
    if (out.length !== this.itemLength) wrongLength(this.what, out.length, this.itemLength);
    if (!this.isFilled() && !this.trySeeItems()) return false;
    this.take(out, 0);
    return true;
  }

  /** @override @param {NumberArray} out @param {number} [first] @param {number} [count] */
  tryPopMany(out, first = 0, count = Math.floor(out.length / this.itemLength) - first) {
    if (this.ends.length === 0) this.renew();
    this.checkRange(out, first, count);
    let n = 0;
    // only the first may wait a moment for its item
    while (n < count && (this.isFilled() || (n === 0 && this.trySeeItems()))) {
      this.take(out, (first + n) * this.itemLength);
      n++;
    }
    return n;
  }

  /** @override @param {number} [want] */
  peek(want = 1) {
    if (this.ends.length === 0) this.renew();
    this.at = (this.head & this.mask) * this.stride;
    return this.available(want > 0 ? 1 : 0);
  }
}
