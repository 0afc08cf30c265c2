// SPDX-License-Identifier: MIT
// ring_consumer_end.mjs: items, release and waiting of a consumer: what the consumers of both layouts of a ring, and
// of a stream, have in common.
import { RING_INDEX_MASK, STATUS } from './layout.mjs';
import { RingEnd } from './ring_end.mjs';
import { CLOSED, CONSUMER, PRODUCER, WORD, countOf, loadIndices, wordOf } from './ring_layout.mjs';
import { TernError } from './status.mjs';
import { pause, wake } from './wait.mjs';

// Pauses in turns of pause(), about a nanosecond each; include/tern/ring_slots.h tells why.
const SLIP_MANY_TURNS = 210;   // after a run of items, so that the next look finds more than one
const SLIP_ONE_TURNS = 145;    // after one item, which may have been an answer
const SLIP_BYTES = 2048;       // not after a quarter of the ring, if that is so much
const EMPTY_TURNS = 40;        // after a look that found nothing
const RELEASE_ITEMS = 256;

/** The consumer's end of a ring or stream. */
export class ConsumerEnd extends RingEnd {
  /**
   * @param {import('./memory.mjs').Memory} memory @param {number} offset
   * @param {import('./ring_layout.mjs').RingGeometry} g @param {import('./ring_end.mjs').EndOptions} options
   * @param {string} what
   */
  constructor(memory, offset, g, options, what) {
    super(memory, offset, g, options, CONSUMER, what);
    const { head } = loadIndices(memory, offset, g, what);
    /** Own index: items ever popped. @protected */ this.head = head;
    /** Pop up to here without looking at the producer. @protected */ this.limit = head;
    /** Head as last published. @protected */ this.released = head;
    /** @protected */ this.releaseItems = 1;
    /** Pause before the look that follows the last known item. @protected */ this.slip = 0;
    /** So many found items make the producer stand. @protected */
    this.slipMost = Math.max(Math.ceil(g.capacityItems / 4), Math.ceil(SLIP_BYTES / g.slotSizeBytes));
    this.releaseEvery(RELEASE_ITEMS);
    if (this.waitable) wake(this.ends, CONSUMER + WORD);   // as for the producer
  }

  /**
   * How often freed slots are published: every so many items, and always when nothing more is there. Default: a
   * quarter of the capacity, at most 256 items. 1: at each pop, so that a push fails only if the ring is full.
   *
   * Role: consumer. Progress: wait-free. Order: none. Crash: so many items less one are delivered again.
   *
   * @param {number} items clamped to 1 .. capacity / 4
   */
  releaseEvery(items) {
    if (!(items >= 0))
      throw new TernError(STATUS.ERR_ARGUMENT, `${this.what}: releaseEvery takes a number, not ${items}`);
    this.releaseItems = Math.max(1, Math.floor(Math.min(items, this.capacityItems / 4)));
  }

  /** Publish what was freed. @protected */
  publishHead() {
    this.released = this.head;
    // [RING-2] our reads of the slots before head; pairs with the producer's look at it
    this.publishWord(this.ends, CONSUMER + WORD, wordOf(this.head));
  }

  /** So many items from head on have been read. @protected @param {number} count */
  advance(count) {
    this.head = (this.head + count) | 0;
    if (((this.head - this.released) | 0) >= this.releaseItems) this.publishHead();
  }

  /** Load tail and bound it: the limit never passes head + capacity.
   *  @protected @returns {boolean} whether items are there */
  loadTail() {
    // [RING-1] the items' bytes after tail; pairs with the producer's publication
    let count = ((Atomics.load(this.ends, PRODUCER + WORD) >>> 1) - this.head) & RING_INDEX_MASK;
    if (count > this.capacityItems) {
      this.failure = STATUS.ERR_CORRUPT;
      count = 0;
    }
    this.limit = (this.head + count) | 0;
    return count !== 0;
  }

  /** Look where the producer is, after all known items were popped. What was freed is published first: an empty ring
   *  is all the producer's. @protected @returns {boolean} whether items are there */
  seeItems() {
    if (this.released !== this.head) this.publishHead();
    if (this.slip !== 0) pause(this.slip);
    this.slip = 0;
    if (!this.loadTail()) return false;
    this.armSlip((this.limit - this.head) | 0);
    return true;
  }

  /** So many items were found: how long to pause once they are popped. @protected @param {number} found */
  armSlip(found) {
    this.slip = found === 1 ? SLIP_ONE_TURNS : found >= this.slipMost ? 0 : SLIP_MANY_TURNS;
  }

  /** seeItems() for the calls that do not wait. @protected */
  trySeeItems() {
    if (this.seeItems()) return true;
    pause(EMPTY_TURNS);
    return false;
  }

  /** Items known, up to want, after another look if there are fewer. @protected @param {number} want */
  available(want) {
    if (this.limit === this.head) {
      if (want !== 0) this.trySeeItems();
    } else if (((this.limit - this.head) | 0) < want) {
      this.seeMore();
    }
    const known = (this.limit - this.head) | 0;
    return known < want ? known : want;
  }

  /** Some items are known; are there more? @protected */
  seeMore() { this.loadTail(); }

  /** @protected @override what the word holds before the next item; this and the next two the sequenced layout has its
   *  own */
  get sleepBefore() { return wordOf(this.head); }

  /** @protected @override @returns {Int32Array} */
  get sleepWords() { return this.ends; }

  /** @protected @override @returns {number} */
  get sleepIndex() { return PRODUCER + WORD; }

  /** @protected @override @returns {boolean} */
  sees() {
    if (this.ends.length === 0) this.renew();
    return this.limit !== this.head || this.seeItems();
  }

  /** @protected @override @param {string} call */
  seesEnd(call) { return super.seesEnd(call) || this.limit !== this.head; }

  /** Wait until there is something to pop. @protected @param {number} timeoutMs @param {string} call */
  waitFor(timeoutMs, call) {
    this.mayWait(call);
    // who is to sleep at once gains nothing from a pause before it looks
    if (timeoutMs === 0 || this.spin.allowed() === 0) this.slip = 0;
    return this.sees() || this.block(timeoutMs, call);
  }

  /** The same without blocking. @protected @param {number} timeoutMs @param {string} call */
  async waitForAsync(timeoutMs, call) {
    this.mayWaitAsync(call);
    this.slip = 0;
    return this.blockAsync(timeoutMs, call);
  }

  /**
   * Why nothing was found: OK: just empty; ERR_CLOSED: the producer closed and all has been popped; ERR_CORRUPT: the
   * producer's words made no sense. Role: consumer. Progress: wait-free. Order: [RING-3].
   *
   * @returns {number} one of STATUS
   * @override
   */
  get status() {
    if (this.ends.length === 0) this.renew();
    if (this.limit !== this.head) return STATUS.OK;
    // [RING-3] the flag first, then the index: what is empty now stays empty; pairs with the producer's close
    const closed = Atomics.load(this.ends, PRODUCER + CLOSED) !== 0;
    return closed && !this.seeItems() && this.failure === STATUS.OK ? STATUS.ERR_CLOSED : this.failure;
  }

  /** Items (units of 8 bytes in a stream) as the consumer sees it; more may have come since. @returns {number} */
  wasCount() {
    if (this.ends.length === 0) this.renew();
    const count = countOf(this.head, Atomics.load(this.ends, PRODUCER + WORD) >>> 1, this.geometry.flags);
    return Math.min(count, this.capacityItems);
  }

  /**
   * Say that nothing more will be popped, and wake the producer. A push may still go in unseen until the producer
   * next looks; then it answers false, its waits and status ERR_CLOSED. Cannot be taken back.
   *
   * Role: consumer. Progress: wait-free. Order: [RING-3], [RING-4]. Crash: closes wholly or not at all.
   */
  close() {
    if (this.ends.length === 0) this.renew();
    this.released = this.head;
    if (!this.waitable) this.publishHead();
    this.closeBy(this.ends, CONSUMER + WORD, wordOf(this.head));
  }

  /** Publish what was freed, then give the end back; a successor may attach. Further calls throw ERR_STATE. */
  detach() {
    if (this.attached && this.released !== this.head) {
      if (this.ends.length === 0) this.renew();
      this.publishHead();
    }
    this.leave();
    this.limit = this.head;
  }
}
