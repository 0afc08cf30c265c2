// SPDX-License-Identifier: MIT
// pool_list.mjs: the words of a pool, and its free list: a queue of slots linked by their indices, as lib/pool_list.h
// tells it. Places are numbered modulo 2^40, every compare-exchange goes from place p to p + 1, and a link counts only
// if it carries the number of the place by which it was reached.
//
// Its words are 64 bits. They are read as two halves: high, low, and high again. While a high half stays the same, no
// other one was there in between, for places (and generations) only rise; so the low half was there together with it.
// What changes a whole word at once is a compare-exchange of 64 bits, whose BigInts live for a moment each: these calls
// (alloc and free, not pin, unpin, get, read) are the only ones of the package that leave something to collect.
import {
  POOL_DYING, POOL_INDEX_BITS, POOL_LAST_GENERATION, POOL_LIVE, POOL_NO_INDEX, POOL_RETIRED, POOL_STATE_SHIFT, STATUS,
} from './layout.mjs';
import {
  HEAD, RETIRED_COUNT, SLOTS, SLOT_LINK, SLOT_WORD, TAIL, distance, indexOf, placeOf, samePlace,
} from './pool_layout.mjs';
import { pause } from './wait.mjs';

/** @typedef {import('./memory.mjs').Memory} Memory */
/** @typedef {import('./pool_layout.mjs').Layout} Layout */
/** @typedef {import('./pool_holds.mjs').Holds} Holds */

/** How often a call tries again because others were faster, before it says that the list makes no sense. */
export const LIST_TRIES = 1 << 13;
/** How often two halves are read again because others were faster. */
const READ_TRIES = 1 << 10;
/** Turns of a pause after a lost race: the winner does several calls meanwhile, on lines that it has. */
const PAUSE_TURNS = 2000;

/** How often a call on one slot tries again because others were faster, before it says that the bytes make no sense. */
export const TRIES = 1 << 20;
export const DYING = (POOL_DYING << POOL_STATE_SHIFT) | 0;
export const RETIRED = (POOL_RETIRED << POOL_STATE_SHIFT) | 0;

const pair = new Int32Array(2);
const pairLong = new BigInt64Array(pair.buffer);

/** Two halves as Atomics on 64 bits want them. @param {number} low @param {number} high */
function long(low, high) {
  pair[0] = low;
  pair[1] = high;
  return pairLong[0];
}

export const backOff = () => pause(PAUSE_TURNS);

/** A pool's words, and its list. */
export class PoolList {
  /** Halves of what read() found. */
  low = 0;
  high = 0;

  /** @param {Memory} memory @param {number} offset @param {Layout} layout */
  constructor(memory, offset, layout) {
    this.memory = memory;
    this.offset = offset;
    this.bytes = layout.totalSizeBytes;
    this.slots = layout.slots;
    this.strideWords = layout.strideBytes / 4;
    this.words = memory.words(offset, this.bytes);
    this.longs = memory.longs(offset, this.bytes);
  }

  /** The words of a memory that has grown. */
  renew() {
    this.words = this.memory.words(this.offset, this.bytes);
    this.longs = this.memory.longs(this.offset, this.bytes);
  }

  /** Where a slot begins, in words. @param {number} index below slots */
  slotAt(index) { return SLOTS + index * this.strideWords; }

  /** Both halves of a word, as they were together; false: it changes all the time.
   *  @param {number} at of the low half */
  read(at) {
    const { words } = this;
    for (let tries = 0; tries < READ_TRIES; tries++) {
      const high = Atomics.load(words, at + 1);
      const low = Atomics.load(words, at);
      if (Atomics.load(words, at + 1) === high) {
        this.low = low;
        this.high = high;
        return true;
      }
    }
    return false;
  }

  /** Whether a slot's word says: live, in this generation; there was one moment when it did.
   *  @param {number} at @param {number} generation int32 */
  isLive(at, generation) {
    const { words } = this;
    return Atomics.load(words, at + 1) === generation && Atomics.load(words, at) >>> POOL_STATE_SHIFT === POOL_LIVE
      && Atomics.load(words, at + 1) === generation;
  }

  /**
   * Compare and exchange both halves at once.
   *
   * @param {number} at @param {number} low @param {number} high expected @param {number} newLow @param {number} newHigh
   */
  exchangeIf(at, low, high, newLow, newHigh) {
    const expected = long(low, high);
    return Atomics.compareExchange(this.longs, at / 2, expected, long(newLow, newHigh)) === expected;
  }

  /** The same, from a link to the one at the next place, with another index.
   *  @param {number} at @param {number} low @param {number} high @param {number} index */
  step(at, low, high, index) {
    const place = (low >>> POOL_INDEX_BITS) + 1;   // of which the high half has the upper bits
    return this.exchangeIf(at, low, high, (place << POOL_INDEX_BITS) | index, (high + (place >>> 8)) | 0);
  }

  /**
   * Take the first slot of the list.
   *
   * Order: [POOL-3] what those did who took before us; [POOL-5] the next slot's word. Pairs with giveBack(), here and
   * in C.
   *
   * @param {Holds | null} holds in a region: says which slot it may be, before it is ours
   * @param {number} hold
   * @returns {number} its index; -1: none; -2: the list makes no sense
   */
  take(holds, hold) {
    const { slots } = this;
    for (let tries = 0; tries < LIST_TRIES; tries++) {
      if (!this.read(HEAD)) return -2;
      const headLow = this.low;
      const headHigh = this.high;
      const index = indexOf(headLow);
      if (index >= slots) return -2;
      if (this.read(this.slotAt(index) + SLOT_LINK) && samePlace(this.low, this.high, headLow, headHigh)) {
        const next = indexOf(this.low);
        if (next === POOL_NO_INDEX) return -1;
        if (next >= slots) return -2;
        if (holds !== null) holds.changeBusy(hold, index);
        // tail must be past a slot that leaves the list
        const isBefore = this.read(TAIL)
          && distance(placeOf(headLow, headHigh), placeOf(this.low, this.high)) > 0;
        if (isBefore || this.step(TAIL, headLow, headHigh, next))
          if (this.step(HEAD, headLow, headHigh, next)) return index;
      }
      backOff();
    }
    return -2;
  }

  /**
   * Put a slot that is ours at the end of the list.
   *
   * Order: [POOL-4] all places before this one have their successors; [POOL-5] the slot's word, free again.
   *
   * @param {number} index
   * @returns {boolean} false: the list makes no sense
   */
  giveBack(index) {
    const { longs, slots } = this;
    const own = this.slotAt(index) + SLOT_LINK;
    for (let tries = 0; tries < LIST_TRIES; tries++) {
      if (!this.read(TAIL)) return false;
      const tailLow = this.low;
      const tailHigh = this.high;
      const last = indexOf(tailLow);
      if (last >= slots) return false;
      const lastAt = this.slotAt(last) + SLOT_LINK;
      if (this.read(lastAt) && samePlace(this.low, this.high, tailLow, tailHigh)) {
        const linkLow = this.low;
        const linkHigh = this.high;
        if (indexOf(linkLow) !== POOL_NO_INDEX) {   // somebody has linked, and not moved tail on yet
          this.step(TAIL, tailLow, tailHigh, indexOf(linkLow));
          continue;
        }
        const place = (tailLow >>> POOL_INDEX_BITS) + 1;
        Atomics.store(longs, own / 2, long((place << POOL_INDEX_BITS) | POOL_NO_INDEX, (tailHigh + (place >>> 8)) | 0));
        if (this.exchangeIf(lastAt, linkLow, linkHigh, (linkLow & ~POOL_NO_INDEX) | index, linkHigh)) {
          this.step(TAIL, tailLow, tailHigh, index);
          return true;
        }
      }
      backOff();
    }
    return false;
  }

  /**
   * A slot whose item has ended, and which nobody pins: to the list, or into retirement.
   *
   * @param {number} index @param {number} generation of the slot now
   * @returns {number} STATUS.OK or ERR_CORRUPT
   */
  recycle(index, generation) {
    if (generation <= POOL_LAST_GENERATION) return this.giveBack(index) ? STATUS.OK : STATUS.ERR_CORRUPT;
    Atomics.add(this.words, RETIRED_COUNT, 1);
    return STATUS.OK;
  }

  /** How many slots are in the list, beside the one that is kept; tail may be a place behind.
   *  @param {number} headPlace */
  wasListed(headPlace) {
    this.read(TAIL);
    const { low, high } = this;
    const listed = distance(headPlace, placeOf(low, high));
    if (indexOf(low) >= this.slots) return listed;
    this.read(this.slotAt(indexOf(low)) + SLOT_LINK);
    const isBehind = samePlace(this.low, this.high, low, high) && indexOf(this.low) !== POOL_NO_INDEX;
    return listed + (isBehind ? 1 : 0);
  }

  /** Slots ever taken from the list, modulo 2^40: the place of its head. */
  wasAllocated() {
    this.read(HEAD);
    return placeOf(this.low, this.high);
  }

  wasRetired() { return Math.min(Atomics.load(this.words, RETIRED_COUNT) >>> 0, this.slots - 1); }

  /** Taken, less given back, less retired. */
  wasLive() {
    const capacity = this.slots - 1;
    const live = capacity - this.wasListed(this.wasAllocated()) - this.wasRetired();
    return Math.min(Math.max(live, 0), capacity);
  }

  /** What becomes of a slot of this generation that nobody pins: the low half of its word.
   *  @param {number} generation */
  static rest(generation) { return generation <= POOL_LAST_GENERATION ? 0 : RETIRED; }

  /** Where a slot's word begins. @param {number} index */
  wordAt(index) { return this.slotAt(index) + SLOT_WORD; }
}
