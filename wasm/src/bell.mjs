// SPDX-License-Identifier: MIT
// bell.mjs: who rang, and sleep until someone does. With many sources, a dirty bitmap.
//
//     Bell.format(memory, 0, { sources: 8 });
//     const bell = Bell.ringer(memory);              // anywhere: any thread, any number of them
//     bell.ring(3);                                  // "look at 3"; after the change that it tells of
//
//     const bell = Bell.collector(memory);           // in one thread
//     const rang = new Uint32Array(bell.sources);
//     while (bell.wait()) {
//       const count = bell.collectInto(rang);        // clears, then tells
//       for (let i = 0; i < count; i++) drain(rang[i]);
//     }
//
// A ring says that something happened since the last collect, not how often. The other side may be C (docs/bell.md),
// whose calls have the same names.
import { BELL_LEAF_SOURCES, BELL_SLEEP, ROLE_COLLECTOR, STATUS, TYPE_BELL } from './layout.mjs';
import { CLOSED, LEAVES, ROOT, describedLayout, formatBell, loadBell } from './bell_layout.mjs';
import { Memory, NO_WORDS } from './memory.mjs';
import { openEnd, openObject } from './open.mjs';
import { Role } from './region_peers.mjs';
import { TernError, isClosed } from './status.mjs';
import { Waiter } from './waiter.mjs';
import { wake } from './wait.mjs';

/** @typedef {import('./memory.mjs').MemorySource} MemorySource */
/** @typedef {import('./bell_layout.mjs').BellDesc} BellDesc */
/** @typedef {import('./open.mjs').OpenOptions} OpenOptions */
/** @typedef {import('./region.mjs').Region} Region */
/** @typedef {import('./waiter.mjs').WaitOptions} WaitOptions */

const SLEEP = BELL_SLEEP | 0;

/** Number of the lowest bit that is set. @param {number} bits not 0 */
export const lowestBit = (bits) => 31 - Math.clz32(bits & -bits);

/**
 * A view of a bell, for ringing or collecting; from Bell.ringer() or Bell.collector().
 *
 * | at the same time                                     | allowed                              |
 * |------------------------------------------------------|--------------------------------------|
 * | ring, close, status                                  | in any number of threads             |
 * | collect..., begin, next, wait..., arm, iteration     | the collector: one thread at a time  |
 */
export class Bell extends Waiter {
  /** @type {Memory | null} */ #memory;
  #offset;
  #totalSizeBytes;
  #words;
  #rootMask;
  #rootShift;
  #leaves;
  #runLeaves;
  #passBits = 0;   // of the root, not yet visited
  #leaf = 0;       // the run of leaves that is being visited
  #end = 0;
  #rest = 0;       // of the word that was found last: not told yet
  #restFirst = 0;

  /** @param {Memory} memory @param {number} offset @param {WaitOptions} options */
  constructor(memory, offset, options) {
    super(options, 'bell');
    const layout = loadBell(memory, offset);
    this.#memory = memory;
    this.#offset = offset;
    this.#totalSizeBytes = layout.totalSizeBytes;
    this.#words = memory.words(offset, layout.totalSizeBytes);
    this.#rootMask = layout.rootMask;
    this.#rootShift = layout.rootShift;
    this.#leaves = layout.leaves;
    this.#runLeaves = 2 ** layout.rootShift / BELL_LEAF_SOURCES;
    /** How many there are: 0 to sources - 1. */
    this.sources = layout.sources;
    /** What next() found: the source that bit 0 of `bits` stands for. */
    this.firstSource = 0;
    /** What next() found: a bit for each source that rang, an int32. */
    this.bits = 0;
    wake(this.#words, ROOT);   // a ringer or a closer may have died before its wake
  }

  // ---- Life --------------------------------------------------------------------------------

  /** Bytes needed. @param {BellDesc} [desc] @returns {number} */
  static size(desc = {}) { return describedLayout(desc).totalSizeBytes; }

  /**
   * Make a bell in memory that nobody uses yet.
   *
   * @param {MemorySource | Memory} memory @param {number} offset bytes, a multiple of 64 @param {BellDesc} [desc]
   */
  static format(memory, offset, desc = {}) { formatBell(Memory.of(memory), offset, desc); }

  /**
   * A view for ringing. Wakes the collector if it sleeps: a ringer may have died before its wake.
   *
   * @param {MemorySource | Memory} memory @param {number} [offset]
   * @returns {Bell} throws TernError: ERR_NOT_READY, ERR_VERSION, ERR_CORRUPT, ERR_MEMORY, ERR_ALIGNMENT
   */
  static ringer(memory, offset = 0) { return new Bell(Memory.of(memory), offset, {}); }

  /**
   * A view for collecting, one at a time. What a collector that died had taken and not looked at is gone: its successor
   * looks at every source once before it first collects.
   *
   * @param {MemorySource | Memory} memory @param {number} [offset] @param {WaitOptions} [options]
   */
  static collector(memory, offset = 0, options = {}) { return new Bell(Memory.of(memory), offset, options); }

  /**
   * Open a bell by its name in a region, for ringing or collecting; as Ring.openProducer(), but any number may. The
   * collector's end is taken by the first wait or arm, which throws ERR_BUSY if a live peer has it.
   *
   * @param {Region} region @param {string} name @param {BellDesc} [desc] @param {WaitOptions & OpenOptions} [options]
   * @returns {Bell}
   */
  static open(region, name, desc, options = {}) {
    const { memory, index } = openObject(region, OPEN_TYPE, name, desc, options);
    const bell = new Bell(memory, 0, { ...options, domain: region.domain });
    bell.role = new Role(region.table, region.reference, index, ROLE_COLLECTOR);
    return bell;
  }

  /**
   * Open a bell as open(), and take the collector's end at once. After a dead collector every source rings.
   *
   * @param {Region} region @param {string} name @param {BellDesc} [desc] @param {WaitOptions & OpenOptions} [options]
   * @returns {Bell}
   */
  static openCollector(region, name, desc, options = {}) {
    const bell = openEnd(region, OPEN_TYPE, name, desc, ROLE_COLLECTOR, 'collector',
      (memory) => new Bell(memory, 0, { ...options, domain: region.domain }), options);
    if (bell.recovery.outcome !== 'clean') bell.ringAll();
    return bell;
  }

  /** A look from outside; every was_ may have changed already.
   *  @param {MemorySource | Memory} memory @param {number} [offset] */
  static inspect(memory, offset = 0) {
    const place = Memory.of(memory);
    const layout = loadBell(place, offset);
    const words = place.words(offset, layout.totalSizeBytes);
    const word = Atomics.load(words, ROOT);
    return {
      sources: layout.sources, leaves: layout.leaves, rootShift: layout.rootShift, sizeBytes: layout.totalSizeBytes,
      wasRinging: word & layout.rootMask,
      closed: Atomics.load(words, CLOSED) !== 0,
      asleep: (word & SLEEP) !== 0,
    };
  }

  #renew() {
    if (this.#memory === null) throw new TernError(STATUS.ERR_STATE, 'this view of a bell was detached');
    this.#words = this.#memory.words(this.#offset, this.#totalSizeBytes);
    return this.#words;
  }

  /** Give the view back. Nothing but ERR_STATE comes from it any more, also for who waits through it. */
  detach() {
    this.role?.release?.();
    if (this.#words.length !== 0) wake(this.#words, ROOT);
    this.#memory = this.role = null;
    this.#words = NO_WORDS;
  }

  // ---- Ring --------------------------------------------------------------------------------

  /**
   * Mark a source, and wake the collector if it sleeps.
   *
   * Role: any number of ringers. Progress: lock-free; one wake if the collector sleeps.
   * Order: [BELL-1], [BELL-2] what the ringer published before the mark; pairs with collect() and next(), here and
   * in C. Crash: rings or does not; above 31 sources it can leave a mark that is found with the next ring of its run.
   *
   * @param {number} source 0 to sources - 1
   * @returns {boolean} false: no such source, nothing was done
   */
  ring(source) {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    if (!(source >= 0 && source < this.sources)) return false;
    if (this.#leaves !== 0) Atomics.or(words, LEAVES + (source >>> 5), 1 << (source & 31));
    const was = Atomics.or(words, ROOT, 1 << (source >>> this.#rootShift));
    // also if other bits were set: who set them may have died before its wake
    if (was < 0) wake(words, ROOT);
    return true;
  }

  /** Ring every source, as a successor must for what its predecessor had taken; tern__bell_ring_all(). */
  ringAll() {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    for (let source = 0; source < this.sources; source += this.#leaves !== 0 ? BELL_LEAF_SOURCES : 1) {
      if (this.#leaves !== 0) {
        const left = this.sources - source;
        Atomics.or(words, LEAVES + (source >>> 5), left >= BELL_LEAF_SOURCES ? -1 : (1 << left) - 1);
      }
      this.ring(source);
    }
  }

  /** Say that it is over, and wake the collector, which gets everything that was rung before. It cannot be taken back.
   *  Role: any. Order: [BELL-3] our rings before the flag, [BELL-4] the flag before the word. */
  close() {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    Atomics.store(words, CLOSED, 1);
    if (Atomics.and(words, ROOT, ~SLEEP) < 0) wake(words, ROOT);
  }

  /** Why there was nothing to collect: STATUS.OK: nobody rang yet, or someone did; ERR_CLOSED: closed, and everything
   *  has been collected ([BELL-3]); ERR_CORRUPT: bits that stand for no source, which the next collect clears.
   *  @returns {number} @override */
  get status() {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    const closed = Atomics.load(words, CLOSED) !== 0;
    const word = Atomics.load(words, ROOT);
    if ((word & this.#rootMask) !== 0 || this.#isPending()) return STATUS.OK;
    if ((word & ~SLEEP) !== 0) return STATUS.ERR_CORRUPT;
    return closed ? STATUS.ERR_CLOSED : STATUS.OK;
  }

  // ---- Collect -----------------------------------------------------------------------------

  /** In a region: the end is taken when it is first used, and who died with it leaves every source to be looked at. */
  #takeEnd() {
    if (this.role === null || this.role.isTaken !== false || this.role.take === undefined) return;
    this.recovery = this.role.take("the collector's end of a bell");
    if (this.recovery.outcome !== 'clean') this.ringAll();
  }

  /**
   * Take what was rung: clear it all at once, then look at the sources.
   *
   * Role: collector. Progress: wait-free. Order: [BELL-1]; pairs with ring(). Crash: what was taken is gone.
   *
   * @returns {number} up to 31 sources: a bit for each that rang. Above: bit b for a mark among sources
   *   b << rootShift to ((b + 1) << rootShift) - 1; the marks stay, and beginWith() goes through them. 0: nobody rang
   */
  collect() {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    const bits = Atomics.exchange(words, ROOT, 0) & this.#rootMask;
    return this.#isPending() ? bits | this.#putBack(words) : bits;
  }

  /** Whether a pass was left before its end. */
  #isPending() { return (this.#passBits | this.#rest) !== 0 || this.#leaf < this.#end; }

  /** What a pass that was left had not told yet goes back to where it was. @param {Int32Array} words */
  #putBack(words) {
    let bits = this.#passBits;
    if (this.#leaves === 0) bits |= this.#rest;
    else if (this.#leaf < this.#end) bits |= 1 << Math.trunc(this.#leaf / this.#runLeaves);
    if (this.#leaves !== 0 && this.#rest !== 0) {
      Atomics.or(words, LEAVES + (this.#restFirst >>> 5), this.#rest);
      bits |= 1 << (this.#restFirst >>> this.#rootShift);
    }
    this.#passBits = this.#rest = this.#leaf = this.#end = 0;
    return bits;
  }

  /** Begin to go through what collect() returned. @param {number} bits other bits are ignored */
  beginWith(bits) {
    this.#passBits = bits & this.#rootMask;
    this.#rest = this.#leaf = this.#end = 0;
  }

  /** Clear the root, and begin to go through what it held: call next() until it says false. */
  begin() { this.beginWith(this.collect()); }

  /**
   * Clear and tell the next 32 sources of which any rang, as `firstSource` and `bits` (never 0 then).
   *
   * Role: collector. Progress: wait-free: at most sources / 32 + 1 calls, whatever the ringers do.
   * Order: [BELL-2]; pairs with ring().
   *
   * @returns {boolean} false: that was all
   */
  next() {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    if (this.#rest !== 0) {
      this.bits = this.#rest;
      this.firstSource = this.#restFirst;
      this.#rest = 0;
      return true;
    }
    this.firstSource = 0;
    if (this.#leaves === 0) {
      this.bits = this.#passBits;
      this.#passBits = 0;
      return this.bits !== 0;
    }
    this.bits = 0;
    for (;;) {
      while (this.#leaf < this.#end) {
        const leaf = this.#leaf++;
        // a mark whose root bit we cleared was set before that, so this look sees it unless we have taken it since
        if (Atomics.load(words, LEAVES + leaf) === 0) continue;
        const left = this.sources - leaf * BELL_LEAF_SOURCES;
        const bits = Atomics.exchange(words, LEAVES + leaf, 0) & (left >= BELL_LEAF_SOURCES ? -1 : (1 << left) - 1);
        if (bits === 0) continue;   // marks of sources that there are not
        this.firstSource = leaf * BELL_LEAF_SOURCES;
        this.bits = bits;
        return true;
      }
      if (this.#passBits === 0) return false;
      this.#leaf = lowestBit(this.#passBits) * this.#runLeaves;
      this.#passBits &= this.#passBits - 1;
      this.#end = Math.min(this.#leaf + this.#runLeaves, this.#leaves);   // the last run may be shorter
    }
  }

  /**
   * Collect, and write the sources that rang to an array; allocates nothing.
   *
   * @param {Uint32Array} out one's own, not shared. What does not fit comes with the next call
   * @returns {number} how many were written; 0: nobody rang
   */
  collectInto(out) {
    const goesOn = this.#isPending();
    if (!goesOn) this.begin();
    let count = this.#tell(out);
    if (count === 0 && goesOn) {   // what was left is empty by now
      this.begin();
      count = this.#tell(out);
    }
    return count;
  }

  /** @param {Uint32Array} out */
  #tell(out) {
    let count = 0;
    while (count < out.length && this.next()) {
      let bits = this.bits;
      for (; bits !== 0 && count < out.length; bits &= bits - 1) out[count++] = this.firstSource + lowestBit(bits);
      this.#rest = bits;
      this.#restFirst = this.firstSource;
    }
    return count;
  }

  /** Collect, and call for each source that rang. @param {(source: number) => void} visit @returns {number} how many */
  collectEach(visit) {
    let count = 0;
    this.begin();
    for (let source = this.#takeNext(); source >= 0; source = this.#takeNext()) {
      visit(source);
      count++;
    }
    return count;
  }

  /** The next source of the pass; -1: that was all. */
  #takeNext() {
    if (!this.next()) return -1;
    this.#rest = this.bits & (this.bits - 1);
    this.#restFirst = this.firstSource;
    return this.firstSource + lowestBit(this.bits);
  }

  // ---- Wait --------------------------------------------------------------------------------

  /**
   * Wait, blocking, until someone rings.
   *
   * Role: collector. Crash: a dead sleeper costs the others one needless wake.
   *
   * @param {number} [timeoutMs] milliseconds; Infinity
   * @returns {boolean} true: the next collect finds something; false: the time has passed. Throws TernError:
   *   ERR_CLOSED: closed, and all has been collected; ERR_CORRUPT; ERR_DOMAIN: this thread may not block;
   *   ERR_UNSUPPORTED: memory that is not shared; in a region also ERR_BUSY, ERR_PEER_DEAD
   */
  wait(timeoutMs = Infinity) {
    this.#takeEnd();
    this.mayWait('wait');
    return this.sees() || this.block(timeoutMs, 'wait');
  }

  /** The same without blocking, also on a window's main thread.
   *  @param {number} [timeoutMs] @returns {Promise<boolean>} */
  async waitAsync(timeoutMs = Infinity) {
    this.#takeEnd();
    return this.blockAsync(timeoutMs, 'waitAsync');
  }

  /** wait(), then collect(). @param {number} [timeoutMs] @returns {number} as collect(); 0: the time has passed */
  collectWait(timeoutMs = Infinity) { return this.wait(timeoutMs) ? this.collect() : 0; }

  /** waitAsync(), then collect(). @param {number} [timeoutMs] @returns {Promise<number>} */
  async collectAsync(timeoutMs = Infinity) { return await this.waitAsync(timeoutMs) ? this.collect() : 0; }

  /** Each source that rings. Ends when the bell is closed; what was not yet told when the loop is left comes with the
   *  next collect. @returns {AsyncGenerator<number, void, void>} */
  async* [Symbol.asyncIterator]() {
    for (;;) {
      try {
        await this.waitAsync();
      } catch (error) {
        if (isClosed(error)) return;
        throw error;
      }
      this.begin();
      for (let source = this.#takeNext(); source >= 0; source = this.#takeNext()) yield source;
    }
  }

  /** @protected @override */
  sees() {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    return (Atomics.load(words, ROOT) & this.#rootMask) !== 0 || this.#isPending();
  }

  /**
   * Get ready to sleep: the next ring or close finds SLEEP, and wakes. Order: [BELL-4]; pairs with close().
   *
   * @returns {boolean} true: nothing is pending; false: collect now (and look at status, if that finds nothing)
   * @override
   */
  arm() {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    this.#takeEnd();
    const seen = Atomics.load(words, ROOT);
    if ((seen & ~SLEEP) !== 0) return false;
    // SLEEP may be set already, by a time-out or a collector that died: the same exchange tells of a closer since
    if (Atomics.compareExchange(words, ROOT, seen, SLEEP) !== seen) return false;
    return Atomics.load(words, CLOSED) === 0;
  }

  /** @protected @override */
  get sleepWords() { return this.#words.length !== 0 ? this.#words : this.#renew(); }
  /** @protected @override */
  get sleepIndex() { return ROOT; }
  /** @protected @override */
  get sleepValue() { return SLEEP; }
}

/** @type {import('./open.mjs').OpenType<BellDesc>} */
const OPEN_TYPE = {
  kind: 'bell',
  type: TYPE_BELL,
  size: Bell.size,
  isPaged: () => false,
  format: (memory, desc) => Bell.format(memory, 0, desc),
  matches: (memory, desc) => Bell.inspect(memory).sources === describedLayout(desc).sources,
};
