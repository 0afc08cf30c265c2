// SPDX-License-Identifier: MIT
// ring_layout.mjs: where the bytes of a ring lie, how they are made, and what an attach checks. Streams are rings
// of units of 8 bytes with a magic of their own, so they use it too. docs/layout.md draws it.
import {
  LAYOUT_VERSION, PAGE_BYTES, RING_CONSUMER_PAGE_OFFSET_BYTES, RING_DEFAULT_CAPACITY_ITEMS, RING_END, RING_GEOMETRY,
  RING_INDEX_MASK, RING_MAX_CAPACITY_ITEMS, RING_PAGED, RING_SEQUENCED, RING_SHARED, RING_SLEEP, RING_WAITABLE, STATUS,
} from './layout.mjs';
import { copyGeometry, roundUp, writeGeometry } from './memory.mjs';
import { TernError } from './status.mjs';

/** @typedef {import('./memory.mjs').Memory} Memory */

/**
 * What a ring is, copied out of its header at attach and never read there again.
 *
 * @typedef {object} RingGeometry
 * @property {number} itemSizeBytes 1 to 2^32 - 1
 * @property {number} capacityItems a power of two up to 2^30
 * @property {number} flags RING_WAITABLE, RING_SEQUENCED, RING_PAGED
 * @property {number} slotSizeBytes from one item to the next
 * @property {number} endsOffset bytes from the ring's start to the producer's end; the consumer's lies behind it
 * @property {number} itemsOffset bytes from the ring's start to item 0
 * @property {number} totalSizeBytes
 */

// The words of both ends as indices of an Int32Array that begins with the producer's end.
export const WORD = RING_END.word / 4;
export const CLOSED = RING_END.closed / 4;
export const ASYMMETRIC = RING_END.asymmetric / 4;
export const ASLEEP = RING_END.asleep / 4;
export const PRODUCER = 0;
export const CONSUMER = RING_END.size / 4;
export const ENDS_BYTES = 2 * RING_END.size;

const LINE_BYTES = 64;
const KNOWN_FLAGS = RING_WAITABLE | RING_SEQUENCED | RING_PAGED;
const MAX_UINT32 = 0xffffffff;

/** From one slot of a sequenced ring to the next; the last 4 bytes are its sequence. @param {number} itemSizeBytes */
const sequencedSlotBytes = (itemSizeBytes) =>
  (itemSizeBytes <= 4 ? 8 : itemSizeBytes <= 12 ? 16 : itemSizeBytes <= 28 ? 32
    : roundUp(itemSizeBytes + 4, LINE_BYTES));

/** @param {string} detail @returns {never} */
const refuse = (detail) => { throw new TernError(STATUS.ERR_ARGUMENT, detail); };

/**
 * The geometry that these numbers give; null if there can be no such ring.
 *
 * @param {number} itemSizeBytes @param {number} capacityItems a power of two @param {number} flags
 * @returns {RingGeometry | null}
 */
function geometryOf(itemSizeBytes, capacityItems, flags) {
  if (itemSizeBytes < 1 || (flags & ~KNOWN_FLAGS) !== 0) return null;
  if (capacityItems < 1 || capacityItems > RING_MAX_CAPACITY_ITEMS || (capacityItems & (capacityItems - 1)) !== 0)
    return null;
  const paged = (flags & RING_PAGED) !== 0;
  // a consumer that sleeps sets SLEEP in the producer's words, which it may not write to
  if (paged && (flags & RING_WAITABLE) !== 0) return null;
  const slotSizeBytes = (flags & RING_SEQUENCED) !== 0 ? sequencedSlotBytes(itemSizeBytes) : itemSizeBytes;
  if (slotSizeBytes > MAX_UINT32) return null;
  const itemsBytes = capacityItems * slotSizeBytes;
  const itemsOffset = paged ? 2 * PAGE_BYTES : RING_SHARED.size;
  const totalSizeBytes = itemsOffset + (paged ? roundUp(itemsBytes, PAGE_BYTES) : itemsBytes);
  if (totalSizeBytes > Number.MAX_SAFE_INTEGER) return null;
  const endsOffset = paged ? RING_CONSUMER_PAGE_OFFSET_BYTES - RING_END.size : RING_SHARED.producer;
  return { itemSizeBytes, capacityItems, flags, slotSizeBytes, endsOffset, itemsOffset, totalSizeBytes };
}

/**
 * The geometry of a description. Throws TernError (ERR_ARGUMENT) and says what is wrong with it.
 *
 * @param {import('./ring.mjs').RingDesc} desc
 * @returns {RingGeometry}
 */
export function describedGeometry({ itemSizeBytes, capacityItems = 0, waitable, sequenced, paged }) {
  if (!Number.isInteger(itemSizeBytes) || itemSizeBytes < 1 || itemSizeBytes > MAX_UINT32)
    refuse(`itemSizeBytes must be a whole number from 1 to 2^32 - 1, not ${itemSizeBytes}`);
  if (!Number.isInteger(capacityItems) || capacityItems < 0 || capacityItems > RING_MAX_CAPACITY_ITEMS)
    refuse(`capacityItems must be a whole number up to 2^30, or 0 for ${RING_DEFAULT_CAPACITY_ITEMS}; `
      + `not ${capacityItems}`);
  if (paged && waitable) refuse('a paged ring cannot be waitable: its consumer may not say that it sleeps; use a bell');
  let capacity = 1;
  while (capacity < (capacityItems || RING_DEFAULT_CAPACITY_ITEMS)) capacity *= 2;
  const flags = (waitable ? RING_WAITABLE : 0) | (sequenced ? RING_SEQUENCED : 0) | (paged ? RING_PAGED : 0);
  return geometryOf(itemSizeBytes, capacity, flags)
    ?? refuse(`${capacity} items of ${itemSizeBytes} bytes are more than a number of JavaScript can count`);
}

/** @param {Memory} memory @param {number} offset @param {RingGeometry} g @param {string} what */
function checkFits(memory, offset, g, what) {
  memory.checkPlace(offset, g.totalSizeBytes, what);
  if ((g.flags & RING_PAGED) !== 0 && (memory.start + offset) % PAGE_BYTES !== 0)
    throw new TernError(STATUS.ERR_ALIGNMENT,
      `${what}: offset ${offset} of a paged ring is no multiple of ${PAGE_BYTES}`);
}

/** The word with both indices behind it: int32, as Atomics have it. @param {number} index */
export const wordOf = (index) => index << 1;

/** What the sequence of the slot for item `index` holds before it is filled.
 *  @param {number} index @param {number} capacity */
export const sequenceBefore = (index, capacity) => (index + 1 - capacity) << 1;

/**
 * Make a ring in memory that nobody uses yet.
 *
 * @param {Memory} memory @param {number} offset @param {RingGeometry} g @param {number} magic @param {string} what
 */
export function formatRing(memory, offset, g, magic, what) {
  checkFits(memory, offset, g, what);
  const header = memory.words(offset, RING_SHARED.size);
  Atomics.store(header, 0, 0);
  header.fill(0, 1, RING_SHARED.producer / 4);
  const geometry = new DataView(new ArrayBuffer(RING_GEOMETRY.size));
  geometry.setUint32(RING_GEOMETRY.layoutVersion, LAYOUT_VERSION, true);
  geometry.setUint32(RING_GEOMETRY.itemSizeBytes, g.itemSizeBytes, true);
  geometry.setUint32(RING_GEOMETRY.capacityItems, g.capacityItems, true);
  geometry.setUint32(RING_GEOMETRY.flags, g.flags, true);
  geometry.setBigUint64(RING_GEOMETRY.totalSizeBytes, BigInt(g.totalSizeBytes), true);
  geometry.setUint32(RING_GEOMETRY.slotSizeBytes, g.slotSizeBytes, true);
  writeGeometry(memory, offset + RING_SHARED.geometry, geometry);
  memory.words(offset + g.endsOffset, ENDS_BYTES).fill(0);
  if ((g.flags & RING_SEQUENCED) !== 0) {
    const items = memory.words(offset + g.itemsOffset, g.capacityItems * g.slotSizeBytes);
    const slotWords = g.slotSizeBytes / 4;
    for (let i = 0; i < g.capacityItems; i++) items[i * slotWords + slotWords - 1] = sequenceBefore(i, g.capacityItems);
  }
  // [RING-0] the whole header before the magic; pairs with the load of it in loadGeometry(), here and in C
  Atomics.store(header, 0, magic | 0);
}

/**
 * Copy the geometry out, once, and check every number of the copy.
 *
 * @param {Memory} memory @param {number} offset @param {number} magic @param {string} what for the errors
 * @returns {RingGeometry}
 */
export function loadGeometry(memory, offset, magic, what) {
  memory.checkPlace(offset, RING_SHARED.size, what);
  // [RING-0] the header after the magic; pairs with format, here and in C
  const seen = Atomics.load(memory.words(offset, 4), 0);
  if (seen === 0) throw new TernError(STATUS.ERR_NOT_READY, `${what} at offset ${offset}`);
  const place = `${what} at offset ${offset}`;
  const corrupt = (/** @type {string} */ why) => new TernError(STATUS.ERR_CORRUPT, `${place}: ${why}`);
  if (seen !== (magic | 0)) throw corrupt(`it begins with 0x${(seen >>> 0).toString(16)}, not 0x${magic.toString(16)}`);
  const at = offset + RING_SHARED.geometry;
  const version = memory.data(at, 4).getUint32(0, true);
  const copy = version === LAYOUT_VERSION ? copyGeometry(memory, at, RING_GEOMETRY.size) : null;
  if (version !== LAYOUT_VERSION)
    throw new TernError(STATUS.ERR_VERSION, `${place} has layout ${version}, this package ${LAYOUT_VERSION}`);
  if (copy === null) throw corrupt('the check of its geometry is wrong');
  const field = (/** @type {number} */ place) => copy.getUint32(place, true);
  const g = geometryOf(field(RING_GEOMETRY.itemSizeBytes), field(RING_GEOMETRY.capacityItems),
    field(RING_GEOMETRY.flags));
  const fits = g !== null && field(RING_GEOMETRY.layoutVersion) === LAYOUT_VERSION
    && g.slotSizeBytes === field(RING_GEOMETRY.slotSizeBytes)
    && BigInt(g.totalSizeBytes) === copy.getBigUint64(RING_GEOMETRY.totalSizeBytes, true);
  if (!fits) throw corrupt('there can be no ring of that geometry');
  checkFits(memory, offset, g, what);
  return g;
}

/** Items from head to tail as the words tell them; above the capacity: one is wrong. The producer of a sequenced ring
 *  tells its index after the item, so a head that has passed the item may be one on.
 *  @param {number} head @param {number} tail @param {number} flags */
export function countOf(head, tail, flags) {
  const count = (tail - head) & RING_INDEX_MASK;
  return (flags & RING_SEQUENCED) !== 0 && count === RING_INDEX_MASK ? 0 : count;
}

/**
 * Both indices at attach, checked against each other. An end reads its own index here and never again.
 *
 * @param {Memory} memory @param {number} offset @param {RingGeometry} g @param {string} what
 * @returns {{ head: number, tail: number }} int32, running freely
 */
export function loadIndices(memory, offset, g, what) {
  const ends = memory.words(offset + g.endsOffset, ENDS_BYTES);
  const head = Atomics.load(ends, CONSUMER + WORD) >>> 1;
  let count = countOf(head, Atomics.load(ends, PRODUCER + WORD) >>> 1, g.flags);
  if (count > g.capacityItems) {
    throw new TernError(STATUS.ERR_CORRUPT,
      `${what} at offset ${offset} claims ${count} items, and has room for ${g.capacityItems}`);
  }
  if ((g.flags & RING_SEQUENCED) !== 0) {
    const items = memory.words(offset + g.itemsOffset, g.capacityItems * g.slotSizeBytes);
    const slotWords = g.slotSizeBytes / 4;
    // a producer that died between the slot and its index: the slot counts
    for (; count < g.capacityItems; count++) {
      const slot = (head + count) & (g.capacityItems - 1);
      const word = Atomics.load(items, slot * slotWords + slotWords - 1);
      if ((word & ~RING_SLEEP) !== wordOf(head + count + 1)) break;
    }
  }
  return { head: head | 0, tail: (head + count) | 0 };
}

/**
 * A look from outside.
 *
 * @param {Memory} memory @param {number} offset @param {number} magic @param {string} what
 */
export function inspectRing(memory, offset, magic, what) {
  const g = loadGeometry(memory, offset, magic, what);
  const ends = memory.words(offset + g.endsOffset, ENDS_BYTES);
  // head first: the count never looks negative
  const head = Atomics.load(ends, CONSUMER + WORD);
  const tail = Atomics.load(ends, PRODUCER + WORD);
  const [wasPopped, wasPushed] = [head >>> 1, tail >>> 1];
  let sleptOn = tail;
  if ((g.flags & RING_SEQUENCED) !== 0) {
    const slot = wasPopped & (g.capacityItems - 1);
    const at = offset + g.itemsOffset + (slot + 1) * g.slotSizeBytes - 4;
    sleptOn = Atomics.load(memory.words(at, 4), 0);
  }
  const count = countOf(wasPopped, wasPushed, g.flags);
  return {
    itemSizeBytes: g.itemSizeBytes,
    capacityItems: g.capacityItems,
    waitable: (g.flags & RING_WAITABLE) !== 0,
    sequenced: (g.flags & RING_SEQUENCED) !== 0,
    paged: (g.flags & RING_PAGED) !== 0,
    sizeBytes: g.totalSizeBytes,
    /** Counters modulo 2^31. */
    wasPushed,
    wasPopped,
    wasCount: Math.min(count, g.capacityItems),
    producerClosed: Atomics.load(ends, PRODUCER + CLOSED) !== 0,
    consumerClosed: Atomics.load(ends, CONSUMER + CLOSED) !== 0,
    producerAsymmetric: Atomics.load(ends, PRODUCER + ASYMMETRIC) !== 0,
    consumerAsymmetric: Atomics.load(ends, CONSUMER + ASYMMETRIC) !== 0,
    producerAsleep: (head & RING_SLEEP) !== 0,
    consumerAsleep: (sleptOn & RING_SLEEP) !== 0,
  };
}
