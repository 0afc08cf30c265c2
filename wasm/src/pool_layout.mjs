// SPDX-License-Identifier: MIT
// pool_layout.mjs: what a pool is, and its words as pairs of 32-bit halves, low half first.
//
// A slot's word is generation:32 | state:2 | pins:30, so the upper half is the generation and the lower half its state
// and pins. A link of the free list, its head and its tail are place:40 | index:24.
import {
  POOL_DEFAULT_CAPACITY_ITEMS, POOL_GEOMETRY, POOL_HELD, POOL_INDEX_BITS, POOL_LIVE, POOL_MAGIC,
  POOL_MAX_CAPACITY_ITEMS, POOL_MAX_ITEM_SIZE_BYTES, POOL_NO_INDEX, POOL_SHARED, POOL_SLOT, POOL_STATE_SHIFT, POOL_WORD,
} from './layout.mjs';
import { checkGeometry, countOf, formatObject, loadGeometry, newGeometry } from './header.mjs';
import { roundUp } from './memory.mjs';

/** @typedef {import('./memory.mjs').Memory} Memory */

/**
 * @typedef {object} PoolDesc
 * @property {number} itemSizeBytes 1 to 2^30
 * @property {number} [capacityItems] exactly so many, at most 2^24 - 2; 1,024
 */

/**
 * @typedef {object} Layout
 * @property {number} itemSizeBytes
 * @property {number} capacityItems
 * @property {number} slots capacity + 1
 * @property {number} strideBytes from slot to slot
 * @property {number} totalSizeBytes
 * @property {boolean} isHeld of a region: pins are in the hands of peers
 */

const KIND = { what: 'pool', magic: POOL_MAGIC, shared: POOL_SHARED, geometry: POOL_GEOMETRY };
const LINE_BYTES = 64;
const TWO_TO_32 = 4294967296;

// Places in an Int32Array over a pool: of the low half; the high half is one further.
export const HEAD = (POOL_SHARED.head + POOL_WORD.link) / 4;
export const TAIL = (POOL_SHARED.tail + POOL_WORD.link) / 4;
export const RETIRED_COUNT = POOL_SHARED.retired / 4;
export const SLOTS = POOL_SHARED.size / 4;
/** From a slot's place to its word's, and to its link's. */
export const SLOT_WORD = POOL_SLOT.word / 4;
export const SLOT_LINK = POOL_SLOT.link / 4;

/** The lower half of a slot's word that nobody pins, by its state. */
export const LIVE = POOL_LIVE << POOL_STATE_SHIFT;

// ---- Links -----------------------------------------------------------------------------------

/** @param {number} low half of a link */
export const indexOf = (low) => low & POOL_NO_INDEX;

/** The place of a link, from 0 to 2^40 - 1. @param {number} low @param {number} high */
export const placeOf = (low, high) => (high >>> 0) * 2 ** (32 - POOL_INDEX_BITS) + (low >>> POOL_INDEX_BITS);

/** Whether two links are of one place.
 *  @param {number} low @param {number} high @param {number} low2 @param {number} high2 */
export const samePlace = (low, high, low2, high2) => high === high2 && ((low ^ low2) >>> POOL_INDEX_BITS) === 0;

const PLACES = 2 ** 40;

/** Places from one to another, modulo 2^40; negative if the other is behind. @param {number} from @param {number} to */
export function distance(from, to) {
  const places = (to - from + PLACES) % PLACES;
  return places < PLACES / 2 ? places : places - PLACES;
}

// ---- Life --------------------------------------------------------------------------------------

/** From slot to slot: a power of two up to a line, then whole lines. @param {number} itemSizeBytes */
function strideOf(itemSizeBytes) {
  const bytes = itemSizeBytes + POOL_SLOT.size;
  return bytes <= LINE_BYTES / 2 ? LINE_BYTES / 2 : roundUp(bytes, LINE_BYTES);
}

/** @param {number} itemSizeBytes @param {number} capacityItems @param {boolean} isHeld @returns {Layout} */
function layoutOf(itemSizeBytes, capacityItems, isHeld) {
  const strideBytes = strideOf(itemSizeBytes);
  const slots = capacityItems + 1;
  const totalSizeBytes = POOL_SHARED.size + slots * strideBytes;   // below 2^55; more than 2^53 is in no memory
  return { itemSizeBytes, capacityItems, slots, strideBytes, totalSizeBytes, isHeld };
}

/** @param {PoolDesc} desc @param {boolean} [isHeld] @returns {Layout} */
export function describedLayout(desc, isHeld = false) {
  const itemSizeBytes = countOf(desc?.itemSizeBytes, 1, POOL_MAX_ITEM_SIZE_BYTES, 'itemSizeBytes');
  const capacity = desc.capacityItems || POOL_DEFAULT_CAPACITY_ITEMS;
  return layoutOf(itemSizeBytes, countOf(capacity, 1, POOL_MAX_CAPACITY_ITEMS, 'capacityItems'), isHeld);
}

/** @param {Layout} layout */
function geometryOf(layout) {
  const geometry = newGeometry(KIND);
  geometry.setUint32(POOL_GEOMETRY.itemSizeBytes, layout.itemSizeBytes, true);
  geometry.setUint32(POOL_GEOMETRY.capacityItems, layout.capacityItems, true);
  geometry.setUint32(POOL_GEOMETRY.strideBytes, layout.strideBytes, true);
  geometry.setUint32(POOL_GEOMETRY.totalSizeBytes, layout.totalSizeBytes % TWO_TO_32, true);
  geometry.setUint32(POOL_GEOMETRY.totalSizeBytes + 4, Math.floor(layout.totalSizeBytes / TWO_TO_32), true);
  geometry.setUint32(POOL_GEOMETRY.flags, layout.isHeld ? POOL_HELD : 0, true);
  return geometry;
}

/**
 * Make one in memory that nobody uses: all slots free, in generation 1, in the list in the order of their indices.
 *
 * @param {Memory} memory @param {number} offset @param {PoolDesc} desc
 * @param {boolean} [isHeld] for a region
 */
export function formatPool(memory, offset, desc, isHeld = false) {
  const layout = describedLayout(desc, isHeld);
  formatObject(memory, offset, KIND, geometryOf(layout), layout.totalSizeBytes, (words) => {
    for (let i = 0; i < layout.slots; i++) {
      const at = SLOTS + (i * layout.strideBytes) / 4;
      const next = i < layout.capacityItems ? i + 1 : POOL_NO_INDEX;
      words[at + SLOT_WORD] = 0;
      words[at + SLOT_WORD + 1] = 1;
      words[at + SLOT_LINK] = (i << POOL_INDEX_BITS) | next;
      words[at + SLOT_LINK + 1] = i >>> (32 - POOL_INDEX_BITS);
    }
    words[TAIL] = (layout.capacityItems << POOL_INDEX_BITS) | layout.capacityItems;
    words[TAIL + 1] = layout.capacityItems >>> (32 - POOL_INDEX_BITS);
  });
}

/** The layout, copied out and checked. @param {Memory} memory @param {number} offset @returns {Layout} */
export function loadPool(memory, offset) {
  const copy = loadGeometry(memory, offset, KIND);
  const itemSize = copy.getUint32(POOL_GEOMETRY.itemSizeBytes, true);
  const capacity = copy.getUint32(POOL_GEOMETRY.capacityItems, true);
  const sound = itemSize >= 1 && itemSize <= POOL_MAX_ITEM_SIZE_BYTES
    && capacity >= 1 && capacity <= POOL_MAX_CAPACITY_ITEMS;
  const layout = layoutOf(sound ? itemSize : 1, sound ? capacity : 1,
    copy.getUint32(POOL_GEOMETRY.flags, true) === POOL_HELD);
  checkGeometry(memory, offset, KIND, copy, geometryOf(layout), layout.totalSizeBytes);
  return layout;
}
