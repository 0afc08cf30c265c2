// SPDX-License-Identifier: MIT
// pool_counted.mjs: pins that are counted in a slot's word, and the end of an item that has such pins alone.
//
// C pins by a compare-exchange of a slot's whole word, which in JavaScript makes BigInts. Here a pin counts in the
// lower half alone, from live with n pins to live with n + 1, with the generation in the upper half looked at before
// and after. Generations only rise, so if both looks find the handle's, it was that one in between. If they do not, the
// pin may be one of a later item: which is what tern_pool_walk() might have pinned at that moment, and it is given up
// as walk's is, by an unpin. So every step is one that a C program could have made. A subtraction of a pin that is
// counted never borrows from the upper half, so an unpin of the lower half is C's.
import { POOL_LIVE, POOL_MAX_PINS, POOL_PINS_MASK, POOL_STATE_SHIFT, STATUS } from './layout.mjs';
import { unpinCountedHeld } from './pool_held.mjs';
import { DYING, PoolList, TRIES } from './pool_list.mjs';

/** @typedef {import('./pool_holds.mjs').Holds} Holds */

/** Pin by counting in the slot's word.
 *  @param {PoolList} list @param {Holds | null} holds @param {number} index @param {number} generation int32 */
export function pinCounted(list, holds, index, generation) {
  const { words } = list;
  const at = list.wordAt(index);
  for (let tries = 0; tries < TRIES; tries++) {
    if (Atomics.load(words, at + 1) !== generation) return false;
    const low = Atomics.load(words, at);
    if (low >>> POOL_STATE_SHIFT !== POOL_LIVE || (low & POOL_PINS_MASK) >= POOL_MAX_PINS) return false;
    if (Atomics.compareExchange(words, at, low, low + 1) !== low) continue;
    if (Atomics.load(words, at + 1) === generation) return true;
    // it has been freed since, or the pin is a later item's
    unpinCounted(list, holds, index);
    return false;
  }
  return false;
}

/** Count a pin off. @param {PoolList} list @param {Holds | null} holds in a region @param {number} index */
export function unpinCounted(list, holds, index) {
  if (holds !== null) return unpinCountedHeld(list, holds, index);
  const at = list.wordAt(index);
  if (Atomics.sub(list.words, at, 1) !== (DYING | 1)) return undefined;
  // nobody else takes a slot out of this state, so the generation stands still
  const generation = Atomics.load(list.words, at + 1) >>> 0;
  if (Atomics.compareExchange(list.words, at, DYING, PoolList.rest(generation)) === DYING)
    list.recycle(index, generation);
  return undefined;
}

/** End an item's life. @param {PoolList} list @param {number} index @param {number} generation
 *  @returns {number} STATUS.*, as Pool's free() */
export function freeCounted(list, index, generation) {
  const at = list.wordAt(index);
  const next = generation + 1;
  for (let tries = 0; tries < TRIES; tries++) {
    if (Atomics.load(list.words, at + 1) !== (generation | 0)) return STATUS.ERR_STALE;
    const low = Atomics.load(list.words, at);
    if (low >>> POOL_STATE_SHIFT !== POOL_LIVE) return STATUS.ERR_STALE;
    const pins = low & POOL_PINS_MASK;
    const rest = pins !== 0 ? DYING | pins : PoolList.rest(next);
    if (!list.exchangeIf(at, low, generation | 0, rest, next | 0)) continue;
    return pins !== 0 ? STATUS.DEFERRED : list.recycle(index, next);
  }
  return STATUS.ERR_CORRUPT;
}
