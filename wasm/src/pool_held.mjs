// SPDX-License-Identifier: MIT
// pool_held.mjs: what becomes of the items of a pool in a region, as lib/pool_holds.c: a pin is a hold, and free makes
// a live item dying, always. A dying slot that no hold pins becomes free; who sees that first, by compare-exchange of
// the whole word, gives it back.
import { POOL_DYING, POOL_PINS_MASK, POOL_STATE_SHIFT, STATUS } from './layout.mjs';
import { DYING, PoolList, TRIES } from './pool_list.mjs';

/** @typedef {import('./pool_holds.mjs').Holds} Holds */

/**
 * Give a dying slot back if nobody pins it.
 *
 * @param {PoolList} list
 * @param {Holds} holds
 * @param {number} index
 * @param {number} generation
 * @returns {number} OK: it is, by us or others; DEFERRED; ERR_CORRUPT
 */
export function reclaimHeld(list, holds, index, generation) {
  const at = list.wordAt(index);
  if (holds.isPinned(index)) return STATUS.DEFERRED;
  if (list.exchangeIf(at, DYING, generation | 0, PoolList.rest(generation), generation | 0))
    return list.recycle(index, generation);
  const isDying = list.read(at) && list.low >>> POOL_STATE_SHIFT === POOL_DYING && list.high === (generation | 0);
  return isDying ? STATUS.DEFERRED : STATUS.OK;
}

/** Give a pin up: if it was the last of a dying slot, give that back.
 *  @param {PoolList} list @param {Holds} holds @param {number} hold @param {number} index */
export function letGo(list, holds, hold, index) {
  holds.turnBusy(hold, index);
  // [POOL-6] our look at the slot's word after our pin is gone
  if (list.read(list.wordAt(index)) && list.low === DYING) reclaimHeld(list, holds, index, list.high >>> 0);
  holds.clear(hold);
}

/** Count a pin off that no hold has. @param {PoolList} list @param {Holds} holds @param {number} index */
export function unpinCountedHeld(list, holds, index) {
  const { words } = list;
  const at = list.wordAt(index);
  const hold = holds.takeBusy(index);
  for (let tries = 0; tries < TRIES; tries++) {
    const low = Atomics.load(words, at);
    if ((low & POOL_PINS_MASK) === 0) break;
    if (Atomics.compareExchange(words, at, low, low - 1) !== low) continue;
    if (low - 1 === DYING) reclaimHeld(list, holds, index, Atomics.load(words, at + 1) >>> 0);
    break;
  }
  holds.drop(hold);
}

/** End an item's life. @param {PoolList} list @param {Holds} holds @param {number} index @param {number} generation
 *  @returns {number} STATUS.*, as Pool's free() */
export function freeHeld(list, holds, index, generation) {
  const at = list.wordAt(index);
  const hold = holds.takeBusy(index);
  let status = /** @type {number} */ (STATUS.ERR_CORRUPT);
  for (let tries = 0; tries < TRIES; tries++) {
    const low = Atomics.load(list.words, at);
    if (!list.isLive(at, generation | 0)) status = STATUS.ERR_STALE;
    else if (list.exchangeIf(at, low, generation | 0, DYING | (low & POOL_PINS_MASK), (generation + 1) | 0))
      status = reclaimHeld(list, holds, index, generation + 1);
    else continue;
    break;
  }
  holds.drop(hold);
  return status;
}
