// SPDX-License-Identifier: MIT
// ring_end.mjs: what both ends of rings and streams are: words, views of memory, the rights to wait, and closing.
//
// An end counts modulo 2^32 in numbers that V8 and SpiderMonkey keep as 32-bit integers; differences are taken with
// `| 0`. The shared words hold 31 bits of the index beside SLEEP.
//
// JavaScript always publishes by exchange, which takes SLEEP out and tells of it. A native end may be in C's asymmetric
// mode (include/tern/ring_publish.h), where it publishes by plain stores and looks at `asleep`; for want of a barrier
// that such a store hears, who sleeps for it here comes back every millisecond, as C does without one.
import { RING_SEQUENCED, RING_SLEEP, RING_WAITABLE, STATUS } from './layout.mjs';
import { NO_WORDS } from './memory.mjs';
import { ASLEEP, ASYMMETRIC, CLOSED, CONSUMER, ENDS_BYTES, PRODUCER } from './ring_layout.mjs';
import { TernError } from './status.mjs';
import { wake } from './wait.mjs';
import { Waiter } from './waiter.mjs';

/** @typedef {import('./memory.mjs').Memory} Memory */
/** @typedef {import('./ring_layout.mjs').RingGeometry} RingGeometry */
/** @typedef {import('./waiter.mjs').WaitOptions} EndOptions */

/** A bell's ringing end, as far as a producer needs it. @typedef {{ ring(source: number): unknown }} Ringer */

/** So long sleeps, at most, who is not heard by an asymmetric end. */
const UNHEARD_MS = 1;

/** One end of a ring or stream: a view, private to its thread, of bytes that another thread has the other end of. */
export class RingEnd extends Waiter {
  /**
   * @param {Memory} memory @param {number} offset @param {RingGeometry} g @param {EndOptions} options
   * @param {number} own PRODUCER or CONSUMER
   * @param {string} what for errors, such as 'ring consumer'
   */
  constructor(memory, offset, g, options, own, what) {
    super(options, what);
    /** Slots: read only. */
    this.capacityItems = g.capacityItems;
    /** @protected */ this.memory = memory;
    /** @protected */ this.offset = offset;
    /** @protected */ this.geometry = g;
    /** @protected */ this.own = own;
    /** @protected */ this.peer = own === PRODUCER ? CONSUMER : PRODUCER;
    /** @protected */ this.waitable = (g.flags & RING_WAITABLE) !== 0;
    /** @protected */ this.sequenced = (g.flags & RING_SEQUENCED) !== 0;
    /** @protected */ this.mask = g.capacityItems - 1;
    /** OK, or ERR_CORRUPT once the other end's words made no sense. @protected @type {number} */
    this.failure = STATUS.OK;
    /** Both ends' words; length 0: detached, or the memory has grown. @protected @type {Int32Array} */
    this.ends = memory.words(offset + g.endsOffset, ENDS_BYTES);
    /** @protected */ this.attached = true;
    /** Whether `asleep` of the other end is ours to clear. @private */ this.isUnheard = false;
    // this end publishes by exchange: told before the first one
    if (this.waitable) Atomics.store(this.ends, own + ASYMMETRIC, 0);
  }

  /** Make the views again, after the memory has grown and the old ones have length 0. Classes that add views
   *  extend it. @protected */
  renew() {
    if (!this.attached) throw new TernError(STATUS.ERR_STATE, `this ${this.what} has been detached; attach again`);
    this.ends = this.memory.words(this.offset + this.geometry.endsOffset, ENDS_BYTES);
  }

  /**
   * Publish by a word: the bytes before it become visible with it, [RING-1] and [RING-2]. Pairs with the other
   * end's load of it, here and in C.
   *
   * @protected
   * @param {Int32Array} words @param {number} index @param {number} value
   */
  publishWord(words, index, value) {
    if (!this.waitable) Atomics.store(words, index, value);
    else if ((Atomics.exchange(words, index, value) & RING_SLEEP) !== 0) wake(words, index);
  }

  /** The flag, then the end's own word once more: whoever sleeps on the word, or is about to, learns of it from
   *  the word alone. @protected @param {Int32Array} words @param {number} index @param {number} value */
  closeBy(words, index, value) {
    // [RING-3] all that was published before the flag; pairs with the other end's status
    Atomics.store(this.ends, this.own + CLOSED, 1);
    // [RING-4] the flag before the word; pairs with the sleeper's compare-exchange
    if (this.waitable && (Atomics.exchange(words, index, value) & RING_SLEEP) !== 0) wake(words, index);
  }

  /** Give the view up. @protected */
  leave() {
    if (!this.attached) return;
    this.attached = false;
    this.ends = NO_WORDS;
    this.role?.release?.();
    this.role = null;
  }

  // ---- Waiting -----------------------------------------------------------------------------

  /** @protected @override @param {string} call */
  mayWait(call) {
    this.mayWaitAsync(call);
    super.mayWait(call);
  }

  /** What calls that wait without blocking check first. @protected @param {string} call */
  mayWaitAsync(call) {
    if (this.ends.length === 0) this.renew();
    if (!this.waitable) {
      throw new TernError(STATUS.ERR_UNSUPPORTED,
        `${this.what}: ${call} needs a waitable object; format it with waitable: true, or try again and again`);
    }
  }

  /** What the word to sleep on held when there was nothing, without SLEEP. @protected @returns {number} */
  get sleepBefore() { throw new Error(`${this.what}: no sleepBefore`); }

  /** @protected @override */
  get sleepValue() { return this.sleepBefore | RING_SLEEP; }

  /** @protected @override */
  arm() {
    const { sleepWords: words, sleepIndex: index, sleepBefore: before } = this;
    const seen = Atomics.load(words, index);
    if ((seen & ~RING_SLEEP) !== before) return false;
    // [RING-4] if the word is the closer's, its flag too; if the peer goes asymmetric by it, that it does. Pairs with
    // close() here, ring_close_end() and tern__ring_exchange() in C. A closer that comes later finds SLEEP.
    if ((seen & RING_SLEEP) === 0 && Atomics.compareExchange(words, index, before, before | RING_SLEEP) !== before)
      return false;
    return Atomics.load(this.ends, this.peer + CLOSED) === 0;
  }

  /** @protected @override @param {number} mostMs */
  fallAsleep(mostMs) {
    if (Atomics.load(this.ends, this.peer + ASYMMETRIC) === 0) return mostMs;
    // [RING-5] asleep before the sleep looks at the word; the store that the peer makes meanwhile may still pass its
    // look at asleep, so this sleep is short
    Atomics.store(this.ends, this.peer + ASLEEP, 1);
    this.isUnheard = true;
    return Math.min(mostMs, UNHEARD_MS);
  }

  /** @protected @override */
  wakeUp() {
    if (!this.isUnheard) return;
    this.isUnheard = false;
    if (this.ends.length !== 0) Atomics.store(this.ends, this.peer + ASLEEP, 0);   // else detached, or memory grown
  }
}
