// SPDX-License-Identifier: MIT
// pool_settle.mjs: what a peer that died had in hand of pools is brought to rest; lib/pool_settle.c in JavaScript.
//
// A hold that a dead peer left (pool_holds.mjs) is settled from the slot itself: is it pinned, dying, in the list?
// Each answer is a fact that doing the work changes, so settling twice does nothing the second time. Alone a slot on
// its way between two peers needs a look at the others' holds: is one of them alive and about to touch it? Then it is
// his; if he is stopped just there, the matter is left until later.
import {
  PEER_HOLDS, POOL_DYING, POOL_FREE, POOL_INDEX_BITS, POOL_LAST_GENERATION, POOL_LIVE, POOL_NO_INDEX, POOL_PINS_MASK,
  POOL_STATE_SHIFT, REGION_PEER, STATUS, TYPE_POOL,
} from './layout.mjs';
import { reclaimHeld } from './pool_held.mjs';
import { Holds } from './pool_holds.mjs';
import { HEAD, SLOT_LINK, indexOf, loadPool, samePlace } from './pool_layout.mjs';
import { LIST_TRIES, PoolList, backOff } from './pool_list.mjs';
import { readyObject } from './region_directory.mjs';
import { isDead, referenceOf } from './region_peers.mjs';
import { TernError } from './status.mjs';

/** @typedef {import('./region_table.mjs').RegionTable} RegionTable */
/** @typedef {import('./region_peers.mjs').Recovery} Recovery */

/** A hold is kind:2 | object:16 | index:24 | generation:22; pool_holds.mjs. */
const PIN = 1;
const BUSY = 2;
const MADE = 3;
const KIND_SHIFT = 62n;
const OBJECT_SHIFT = 46n;
const INDEX_SHIFT = 22n;
const GENERATION_MASK = 0x3fffff;
const DYING = (POOL_DYING << POOL_STATE_SHIFT) | 0;
const FREE = (POOL_FREE << POOL_STATE_SHIFT) | 0;
/** How often a slot's life is ended again because others were faster. */
const TRIES = 1 << 20;

/** @param {bigint} hold */
const kindOf = (hold) => Number(hold >> KIND_SHIFT);

/** Which slot of which pool. @param {bigint} hold */
const slotOf = (hold) => BigInt.asUintN(Number(KIND_SHIFT), hold) >> INDEX_SHIFT;

// ---- Looks -----------------------------------------------------------------------------------------------------

/**
 * Whether a slot is in the list, which nobody puts there now.
 *
 * @param {PoolList} list
 * @param {number} index
 * @returns {number} OK: it is; ERR_NOT_FOUND; ERR_BUSY: the list ran away under us each time, or goes round in a
 *   circle; ERR_CORRUPT
 */
function findListed(list, index) {
  let left = 16 * list.slots + LIST_TRIES;
  while (left > 0) {
    // [POOL-3]: the holds of those who took before
    if (!list.read(HEAD)) return STATUS.ERR_BUSY;
    let { low, high } = list;
    for (; left > 0; left--) {
      const at = indexOf(low);
      if (at >= list.slots) return STATUS.ERR_CORRUPT;
      if (at === index) return STATUS.OK;
      if (!list.read(list.slotAt(at) + SLOT_LINK)) break;
      if (!samePlace(list.low, list.high, low, high)) break;   // taken meanwhile: from the start
      const next = indexOf(list.low);
      if (next === POOL_NO_INDEX) return STATUS.ERR_NOT_FOUND;
      const place = (low >>> POOL_INDEX_BITS) + 1;
      low = (place << POOL_INDEX_BITS) | next;
      high = (high + (place >>> 8)) | 0;
    }
    left--;
    backOff();
  }
  return STATUS.ERR_BUSY;
}

/** @param {RegionTable} table @param {number} slot */
const peerLives = (table, slot) => !isDead(table, referenceOf(slot, table.load(table.peer(slot) + REGION_PEER.word)));

/** Whether a peer that is alive may be about to take the slot of this hold, or to give it back.
 *  @param {RegionTable} table @param {number} own where that hold stands @param {bigint} hold */
function isAwaited(table, own, hold) {
  for (let slot = 0; slot < table.maxPeers; slot++) {
    const peer = table.peer(slot);
    for (let i = 0; i < PEER_HOLDS; i++) {
      const at = peer + REGION_PEER.holds + 8 * i;
      // [POOL-7]: what the peer did to the slot before it dropped its hold
      const other = table.loadLong(at);
      if (kindOf(other) < BUSY || slotOf(other) !== slotOf(hold) || at === own) continue;
      if (peerLives(table, slot)) return true;
    }
    // [POOL-7]: what a call without a hold did
    if (table.load(peer + REGION_PEER.unheld) !== 0 && peerLives(table, slot)) return true;
  }
  return false;
}

// ---- Settling ----------------------------------------------------------------------------------------------------

/** What a hold says, and where. @typedef {{ table: RegionTable, list: PoolList, holds: Holds, own: number,
 *    hold: bigint, index: number, report: Recovery }} Case */

/** A free slot that may be on its way: give it back if it is nobody's. @param {Case} it @param {number} generation */
function settleFree({ table, list, own, hold, index, report }, generation) {
  if (isAwaited(table, own, hold)) return STATUS.ERR_BUSY;
  const status = findListed(list, index);
  if (status !== STATUS.ERR_NOT_FOUND) return status;
  // not in the list, unless somebody was faster who has taken it since: then its word is another, or he is at it
  if (isAwaited(table, own, hold)) return STATUS.ERR_BUSY;
  // with a new generation: another dead peer may have noted that it makes an item of this one, and the item would be
  // taken for its own that somebody else makes there
  const next = generation + 1;
  const at = list.wordAt(index);
  if (!list.exchangeIf(at, FREE, generation | 0, PoolList.rest(next), next | 0)) return STATUS.OK;
  report.slots++;
  return list.recycle(index, next);
}

/** Make a handle stale: live becomes dying, with the pins that are counted. False: it was stale.
 *  @param {PoolList} list @param {number} index @param {number} generation */
function endLife(list, index, generation) {
  const at = list.wordAt(index);
  for (let tries = 0; tries < TRIES; tries++) {
    if (!list.read(at) || list.high !== (generation | 0) || list.low >>> POOL_STATE_SHIFT !== POOL_LIVE) return false;
    const { low, high } = list;
    // [POOL-6]: that the handle is stale, before our look at the holds
    if (list.exchangeIf(at, low, high, DYING | (low & POOL_PINS_MASK), (generation + 1) | 0)) return true;
  }
  return false;
}

/** Bring a slot to rest that a dead peer had in hand. @param {Case} it @returns {number} a status */
function settleSlot(it) {
  const { list, holds, hold, index, report } = it;
  const at = list.wordAt(index);
  // [POOL-6]: our look at the slot after the dead peer's pin is gone
  if (!list.read(at)) return STATUS.ERR_BUSY;
  let generation = list.high >>> 0;
  const isUnmade = kindOf(hold) === MADE && BigInt(generation & GENERATION_MASK) === (hold & BigInt(GENERATION_MASK));
  if (isUnmade && list.low >>> POOL_STATE_SHIFT === POOL_LIVE) {
    // an item that was never handed out: nobody has its handle but by guessing
    if (!endLife(list, index, generation)) return STATUS.OK;
    report.slots++;
    if (!list.read(at)) return STATUS.ERR_BUSY;
    generation = list.high >>> 0;
  }
  if (list.low === DYING) {
    const status = reclaimHeld(list, holds, index, generation);
    return status === STATUS.DEFERRED ? STATUS.OK : status;
  }
  // who only pinned it did not have it on its way
  const isFree = generation <= POOL_LAST_GENERATION && list.low === FREE;
  return isFree && kindOf(hold) !== PIN ? settleFree(it, generation) : STATUS.OK;
}

/**
 * The pool of a hold.
 *
 * @param {RegionTable} table
 * @param {number} object of the directory
 * @returns {{ list: PoolList, holds: Holds } | null} null: it is none
 */
function poolOf(table, object) {
  const found = object < table.maxObjects ? readyObject(table, object) : null;
  if (!found?.memory || found.type !== TYPE_POOL) return null;
  try {
    const layout = loadPool(found.memory, 0);
    if (!layout.isHeld) return null;
    return { list: new PoolList(found.memory, 0, layout), holds: new Holds({ table, slot: 0, object }) };
  } catch (error) {
    if (error instanceof TernError) return null;
    throw error;
  }
}

/**
 * Give up what a hold says, of a peer that is dead or ourselves, and clear it.
 *
 * @param {RegionTable} table
 * @param {number} own where the hold stands
 * @param {Recovery} report
 * @returns {number} OK; ERR_BUSY: it can't be decided now and stays; ERR_CORRUPT: it made no sense and is cleared
 */
export function settle(table, own, report) {
  const hold = table.loadLong(own);
  const index = Number(BigInt.asUintN(POOL_INDEX_BITS, hold >> INDEX_SHIFT));
  const pool = poolOf(table, Number(BigInt.asUintN(16, hold >> OBJECT_SHIFT)));
  let status = /** @type {number} */ (STATUS.ERR_CORRUPT);
  if (kindOf(hold) === 0) {
    status = STATUS.OK;   // half a hold: its peer had nothing in hand yet, or no longer
  } else if (pool && index < pool.list.slots) {
    const pin = BigInt(PIN) << KIND_SHIFT | slotOf(hold) << INDEX_SHIFT;
    const busy = BigInt(BUSY) << KIND_SHIFT | slotOf(hold) << INDEX_SHIFT;
    // [POOL-6]: that the pin is gone, before our look at the slot's word
    if (kindOf(hold) === PIN && table.exchangeLongIf(own, pin, busy) === pin) report.pins++;
    status = settleSlot({ table, ...pool, own, hold, index, report });
  } else if (pool && index === POOL_NO_INDEX) {
    status = STATUS.OK;
  }
  // [POOL-7]: what we did to the slot, in the list and in its word
  if (status !== STATUS.ERR_BUSY) table.storeLong(own, 0n);
  return status;
}
