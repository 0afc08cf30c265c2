// SPDX-License-Identifier: MIT
// ring_producer_end.mjs: space, publication and waiting of a producer: what the producers of both layouts of a ring,
// and of a stream, have in common.
import { RING_INDEX_MASK, STATUS } from './layout.mjs';
import { RingEnd } from './ring_end.mjs';
import { CLOSED, CONSUMER, PRODUCER, WORD, loadIndices, wordOf } from './ring_layout.mjs';
import { TernError } from './status.mjs';
import { wake } from './wait.mjs';

/** @typedef {import('./ring_end.mjs').Ringer} Ringer */

/** The producer's end of a ring or stream. */
export class ProducerEnd extends RingEnd {
  /**
   * @param {import('./memory.mjs').Memory} memory @param {number} offset
   * @param {import('./ring_layout.mjs').RingGeometry} g @param {import('./ring_end.mjs').EndOptions} options
   * @param {string} what
   */
  constructor(memory, offset, g, options, what) {
    super(memory, offset, g, options, PRODUCER, what);
    const { tail } = loadIndices(memory, offset, g, what);
    /** Own index: items ever pushed. @protected */ this.tail = tail;
    /** Push up to here without looking at the consumer. @protected */ this.limit = tail;
    /** @protected @type {Ringer | null} */ this.bell = null;
    /** @protected */ this.bellSource = 0;
    // a predecessor may have died between its publication and its wake
    if (this.waitable) wake(this.ends, PRODUCER + WORD);
  }

  /** Look where the consumer is, and bound what it says: the limit never passes tail + capacity.
   *  @protected @returns {boolean} whether there is space */
  seeSpace() {
    const { ends, capacityItems, tail } = this;
    // [RING-2] the consumer's reads of the slots before we overwrite them; pairs with its publication of head
    let used = (tail - (Atomics.load(ends, CONSUMER + WORD) >>> 1)) & RING_INDEX_MASK;
    if (used > capacityItems) {
      this.failure = STATUS.ERR_CORRUPT;
      used = capacityItems;
    }
    if (Atomics.load(ends, CONSUMER + CLOSED) !== 0) used = capacityItems;
    this.limit = (tail + capacityItems - used) | 0;
    return used !== capacityItems;
  }

  /** Free slots, up to want, after another look if fewer are known. @protected @param {number} want */
  space(want) {
    if (((this.limit - this.tail) | 0) < want) this.seeSpace();
    const known = (this.limit - this.tail) | 0;
    return known < want ? known : want;
  }

  /** The word that tells of the item at tail, and what it held before; the sequenced layout has its own.
   *  @protected @returns {void} */
  closeWord() {
    this.closeBy(this.ends, PRODUCER + WORD, wordOf(this.tail));
  }

  /** Tell the bell, if one is bound. @protected */
  ringBell() {
    if (this.bell !== null) this.bell.ring(this.bellSource);
  }

  /** The consumer's word when it was last looked at. Neither closed nor corrupt: the limit is its head, one capacity
   *  on. @protected @override */
  get sleepBefore() { return wordOf(this.limit - this.capacityItems); }

  /** @protected @override */
  get sleepWords() { return this.ends; }

  /** @protected @override */
  get sleepIndex() { return CONSUMER + WORD; }

  /** @protected @override @param {number} want slots; bytes of a record in a stream */
  sees(want) {
    if (this.ends.length === 0) this.renew();
    return this.space(want) === want;
  }

  /** Wait until there is space. @protected @param {number} want for sees() @param {number} timeoutMs
   *  @param {string} call */
  waitFor(want, timeoutMs, call) {
    this.mayWait(call);
    return this.sees(want) || this.block(timeoutMs, call, want);
  }

  /** The same without blocking. @protected @param {number} want @param {number} timeoutMs @param {string} call */
  async waitForAsync(want, timeoutMs, call) {
    this.mayWaitAsync(call);
    return this.blockAsync(timeoutMs, call, want);
  }

  /**
   * Why a call found no space: OK: it is just full; ERR_CLOSED: the consumer closed; ERR_CORRUPT: the consumer's
   * index made no sense. Role: producer. Progress: wait-free. Order: [RING-3]. Crash: changes nothing shared.
   *
   * @returns {number} one of STATUS
   * @override
   */
  get status() {
    if (this.ends.length === 0) this.renew();
    // [RING-3] the consumer's last publication after its flag; pairs with its close
    return Atomics.load(this.ends, CONSUMER + CLOSED) !== 0 ? STATUS.ERR_CLOSED : this.failure;
  }

  /** Items (units of 8 bytes in a stream) as the producer sees it; the consumer may have popped some since.
   *  @returns {number} */
  wasCount() {
    if (this.ends.length === 0) this.renew();
    const count = (this.tail - (Atomics.load(this.ends, CONSUMER + WORD) >>> 1)) & RING_INDEX_MASK;
    return Math.min(count, this.capacityItems);
  }

  /**
   * Ring a bell after each publication, so that one consumer can sleep for any of many objects. It waits on the
   * bell, collects, and pops from what rang until that is empty.
   *
   * Throws TernError: ERR_UNSUPPORTED: not waitable.
   * Role: producer. Progress: wait-free. Order: each ring is [BELL-1]. Crash: dying between publication and ring
   * leaves the item to the source's next ring.
   *
   * @param {Ringer | null} ringer a view of the bell that stays attached; null: ring no more
   * @param {number} [source] this object's number there
   */
  bind(ringer, source = 0) {
    this.mayWaitAsync('bind');
    if (ringer !== null && !(Number.isInteger(source) && source >= 0))
      throw new TernError(STATUS.ERR_ARGUMENT, `${this.what}: a bell's source is a whole number, not ${source}`);
    this.bell = ringer;
    this.bellSource = source;
  }

  /**
   * Say that nothing more will come, and wake the consumer. It drains what is there; then its waits and status answer
   * ERR_CLOSED. Cannot be taken back; the view stays attached.
   *
   * Role: producer. Progress: wait-free. Order: [RING-3], [RING-4]. Crash: closes wholly or not at all; dying before
   * the wake can leave a sleeper to its time-out.
   */
  close() {
    if (this.ends.length === 0) this.renew();
    this.closeWord();
    this.ringBell();
  }

  /** Give the end back without closing it; a successor may attach. Further calls throw ERR_STATE. */
  detach() {
    this.leave();
    this.limit = this.tail;
  }
}
