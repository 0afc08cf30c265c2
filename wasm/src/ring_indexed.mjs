// SPDX-License-Identifier: MIT
// ring_indexed.mjs: push and pop of the indexed layout: items lie side by side, one index tells of all.
import { Blocks, LOOP_ELEMENTS, copyIn, wrongLength } from './ring_items.mjs';
import { PRODUCER, WORD } from './ring_layout.mjs';
import { RingConsumer } from './ring_consumer.mjs';
import { RingProducer } from './ring_producer.mjs';

/** @typedef {import('./ring_items.mjs').NumberArray} NumberArray */
/** @typedef {import('./ring_items.mjs').Numbers} Numbers */

export class IndexedProducer extends RingProducer {
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
      const at = slot * itemLength;
      for (let e = 0; e < itemLength; e++) items[at + e] = item[e];
    }
    this.publishTo((tail + 1) | 0);
    return true;
  }

  /** @override @param {Numbers} source @param {number} [first] @param {number} [count] */
  tryPushMany(source, first = 0, count = Math.floor(source.length / this.itemLength) - first) {
    if (this.ends.length === 0) this.renew();
    this.checkRange(source, first, count);
    const n = this.space(count);
    if (n === 0) return 0;
    const { items, itemLength, tail } = this;
    const start = (tail & this.mask) * itemLength;
    const elements = n * itemLength;
    const untilWrap = items.length - start;
    const from = first * itemLength;
    const split = elements < untilWrap ? elements : untilWrap;
    copyIn(items, start, source, from, split);
    if (split < elements) copyIn(items, 0, source, from + split, elements - split);
    this.publishTo((tail + n) | 0);
    return n;
  }

  /** @override @param {number} [want] */
  reserve(want = 1) {
    if (this.ends.length === 0) this.renew();
    const slot = this.tail & this.mask;
    const whole = this.capacityItems - slot;
    const n = this.space(want > whole ? whole : want > 0 ? want | 0 : 0);
    this.at = slot * this.stride;
    return n;
  }

  /** @override @param {number} [count] */
  commit(count = 1) {
    if (this.ends.length === 0) this.renew();
    const most = (this.limit - this.tail) | 0;
    const n = count > most ? most : count > 0 ? count | 0 : 0;
    if (n !== 0) this.publishTo((this.tail + n) | 0);
  }

  /** All up to here is filled. @protected @param {number} tail */
  publishTo(tail) {
    this.tail = tail;
    // [RING-1] the items' bytes before tail; pairs with the consumer's look at it
    this.publishWord(this.ends, PRODUCER + WORD, tail << 1);
    if (this.bell !== null) this.bell.ring(this.bellSource);
  }
}

export class IndexedConsumer extends RingConsumer {
  /**
   * @param {import('./memory.mjs').Memory} memory @param {number} offset
   * @param {import('./ring_layout.mjs').RingGeometry} g @param {import('./ring_producer.mjs').RingOptions} options
   */
  constructor(memory, offset, g, options) {
    super(memory, offset, g, options);
    /** @protected */ this.blocks = new Blocks(this.items);
  }

  /** @protected @override */
  renew() {
    super.renew();
    this.blocks = new Blocks(this.items);
  }

  /** @override @param {NumberArray} out */
  tryPop(out) {
    if (this.ends.length === 0) this.renew();
    const { items, itemLength, head } = this;
    if (out.length !== itemLength) wrongLength(this.what, out.length, itemLength);
    if (head === this.limit && !this.trySeeItems()) return false;
    const slot = head & this.mask;
    if (itemLength > LOOP_ELEMENTS) {
      out.set(this.slotView(slot));
    } else {
      const at = slot * itemLength;
      for (let e = 0; e < itemLength; e++) out[e] = items[at + e];
    }
    this.advance(1);
    return true;
  }

  /** @override @param {NumberArray} out @param {number} [first] @param {number} [count] */
  tryPopMany(out, first = 0, count = Math.floor(out.length / this.itemLength) - first) {
    if (this.ends.length === 0) this.renew();
    this.checkRange(out, first, count);
    const n = this.available(count);
    if (n === 0) return 0;
    const { items, itemLength } = this;
    const start = (this.head & this.mask) * itemLength;
    const elements = n * itemLength;
    const untilWrap = items.length - start;
    const to = first * itemLength;
    const split = elements < untilWrap ? elements : untilWrap;
    this.blocks.copyOut(start, out, to, split);
    if (split < elements) this.blocks.copyOut(0, out, to + split, elements - split);
    this.advance(n);
    return n;
  }

  /** @override @param {number} [want] */
  peek(want = 1) {
    if (this.ends.length === 0) this.renew();
    const slot = this.head & this.mask;
    const whole = this.capacityItems - slot;
    const n = this.available(want > whole ? whole : want > 0 ? want | 0 : 0);
    this.at = slot * this.stride;
    return n;
  }
}
