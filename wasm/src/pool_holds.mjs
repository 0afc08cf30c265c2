// SPDX-License-Identifier: MIT
// pool_holds.mjs: what a peer of a region has in hand of pools: words of its own, so that its death leaves no pin and
// loses no slot on its way. lib/pool_holds.c tells the protocol.
//
// A hold is kind:2 | object:16 | index:24 | generation:22. In C several threads of a process share a peer's holds, and
// take them by compare-exchange. Here a peer is one view of a region in one thread, so nobody else takes its holds, and
// plain halves do: the kind stands in the upper half, which is written last when something is taken, and first when it
// is dropped. Whoever reads 64 bits in between finds kind 0, which says nothing.
import { PEER_HOLDS, PEER_PINS, REGION_PEER, REGION_SHARED } from './layout.mjs';

/** @typedef {import('./pool_layout.mjs').Layout} Layout */

/**
 * The peer table of a region, as pools see it; Region's table.
 *
 * @typedef {object} PeerTable
 * @property {Int32Array} words of the region's header, directory and peer table, renewed when the memory grows
 * @property {number} maxPeers
 * @property {(slot: number) => number} peer where a slot of the table begins, in bytes
 * @property {(at: number) => bigint} loadLong 64 bits at once, as an unsigned number; at: bytes
 */

/** Whose holds, and of which object: what Pool.attach() is given in a region.
 *  @typedef {{ table: PeerTable, slot: number, object: number }} PeerPlace slot: ours, from 0; object: of the
 *  directory */

const GENERATION_BITS = 22;
const GENERATION_MASK = (1 << GENERATION_BITS) - 1;
/** Bits of the index that stand in the lower half, the others in the upper. */
const INDEX_LOW_BITS = 32 - GENERATION_BITS;
const INDEX_LOW = (1 << INDEX_LOW_BITS) - 1;
const LOW = 0xffffffffn;
const PIN = 1 << 30;
const BUSY = 2 << 30;
const MADE = 3 << 30;

/** @param {number} index */
const lowOf = (index) => index << GENERATION_BITS;

/** The holds of our peer, of one pool. */
export class Holds {
  /** @param {PeerPlace} place */
  constructor({ table, slot, object }) {
    this.table = table;
    this.object = object;
    /** Where our peer stands in the words. */
    this.own = table.peer(slot) / 4;
    this.first = this.own + REGION_PEER.holds / 4;
  }

  /** @param {number} kind @param {number} index */
  highOf(kind, index) { return kind | ((this.object & 0xffff) << 14) | (index >>> INDEX_LOW_BITS); }

  /** Say what a hold holds. @param {number} hold place of its low half @param {number} low @param {number} high */
  set(hold, low, high) {
    const { words } = this.table;
    Atomics.store(words, hold, low);
    // [POOL-6], [POOL-7]: pairs with isPinned() and settle_is_awaited(), here and in C
    Atomics.store(words, hold + 1, high);
  }

  /** A hold says nothing any more: [POOL-7] after all that was done under it. @param {number} hold */
  clear(hold) {
    const { words } = this.table;
    Atomics.store(words, hold + 1, 0);
    Atomics.store(words, hold, 0);
  }

  /** @param {Int32Array} words @param {number} hold */
  static isFree(words, hold) { return Atomics.load(words, hold + 1) === 0 && Atomics.load(words, hold) === 0; }

  /**
   * Pin a slot; its word is looked at afterwards [POOL-6].
   *
   * @param {number} index
   * @returns {number} the hold; -1: as many pins as can be
   */
  takePin(index) {
    const { words } = this.table;
    const used = this.own + REGION_PEER.pinsUsed / 4;
    for (let i = 0; i < PEER_PINS; i++) {
      const hold = this.first + 2 * i;
      if (!Holds.isFree(words, hold)) continue;
      // [POOL-6] that there is one more pin to look at, before it is taken
      if ((Atomics.load(words, used) >>> 0) < i + 1) Atomics.store(words, used, i + 1);
      this.set(hold, lowOf(index), this.highOf(PIN, index));
      return hold;
    }
    return -1;
  }

  /** A call is about to touch a slot, and says so until drop().
   *  @param {number} index @returns {number} the hold; -1: all are in use, and the call is counted */
  takeBusy(index) {
    const { words } = this.table;
    for (let i = PEER_HOLDS - 1; i >= 0; i--) {
      const hold = this.first + 2 * i;
      if (!Holds.isFree(words, hold)) continue;
      this.set(hold, lowOf(index), this.highOf(BUSY, index));
      return hold;
    }
    Atomics.add(words, this.own + REGION_PEER.unheld / 4, 1);
    return -1;
  }

  /** It is another slot than was thought. In between the hold says nothing: half of each would name a third slot, which
   *  a burier could make nothing of. @param {number} hold @param {number} index */
  changeBusy(hold, index) {
    if (hold < 0) return;
    Atomics.store(this.table.words, hold + 1, 0);
    this.set(hold, lowOf(index), this.highOf(BUSY, index));
  }

  /** The slot is ours, its item not handed out yet.
   *  @param {number} hold @param {number} index @param {number} generation */
  changeMade(hold, index, generation) {
    if (hold >= 0) this.set(hold, lowOf(index) | (generation & GENERATION_MASK), this.highOf(MADE, index));
  }

  /** That call has done. @param {number} hold of takeBusy() */
  drop(hold) {
    if (hold >= 0) this.clear(hold);
    else Atomics.sub(this.table.words, this.own + REGION_PEER.unheld / 4, 1);
  }

  /** A pin becomes a call on its way: [POOL-6] the pin is gone, before the slot's word is looked at.
   *  @param {number} hold @param {number} index */
  turnBusy(hold, index) { Atomics.store(this.table.words, hold + 1, this.highOf(BUSY, index)); }

  /** A pin of ours. @param {number} index @returns {number} the hold; -1: none */
  findPin(index) {
    const { words } = this.table;
    const low = lowOf(index);
    const high = this.highOf(PIN, index);
    for (let i = 0; i < PEER_PINS; i++) {
      const hold = this.first + 2 * i;
      if (Atomics.load(words, hold + 1) === high && Atomics.load(words, hold) === low) return hold;
    }
    return -1;
  }

  /**
   * Whether any peer pins the slot, looked at after its handle was made stale [POOL-6].
   *
   * A pin that was there before, and is there all the time, is seen by its upper half alone; who drops one meanwhile,
   * or takes one, looks at the slot himself. That it is a pin of this very slot is then told by all 64 bits at once: of
   * halves that were never there together one could make up a pin that nobody drops.
   *
   * @param {number} index
   */
  isPinned(index) {
    const { table } = this;
    const { words, maxPeers } = table;
    const high = this.highOf(PIN, index);
    const peers = Math.min(Atomics.load(words, REGION_SHARED.peersUsed / 4) >>> 0, maxPeers);
    for (let slot = 0; slot < peers; slot++) {
      const peer = table.peer(slot);
      const used = Math.min(Atomics.load(words, (peer + REGION_PEER.pinsUsed) / 4) >>> 0, PEER_PINS);
      for (let i = 0; i < used; i++) {
        const at = peer + REGION_PEER.holds + 8 * i;
        if (Atomics.load(words, at / 4 + 1) !== high) continue;
        const hold = table.loadLong(at);
        if (Number(hold >> 32n) === high && Number((hold & LOW) >> BigInt(GENERATION_BITS)) === (index & INDEX_LOW))
          return true;
      }
    }
    return false;
  }
}
