// SPDX-License-Identifier: MIT
// ring_items.mjs: items as typed arrays: of which type they are, and how elements are copied.
//
// An end is attached with a type, such as Float64Array, and shows all slots as one array of it. The shared bytes do
// not know of types: the other end may have another one.
import { STATUS } from './layout.mjs';
import { TernError } from './status.mjs';

/**
 * @typedef {Int8Array | Uint8Array | Uint8ClampedArray | Int16Array | Uint16Array | Int32Array | Uint32Array
 *   | Float32Array | Float64Array} NumberArray
 */

/** @typedef {{ new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumberArray,
 *   new (length: number): NumberArray, readonly BYTES_PER_ELEMENT: number, readonly name: string }} NumberArrayType */

/** Elements as a caller gives them. @typedef {ArrayLike<number>} Numbers */

/** @type {readonly unknown[]} */
const TYPES = Object.freeze([
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array,
  Float64Array,
]);

/** Above so many elements a copy by the engine's own set() is faster than a loop: it takes 20 to 40 ns for few
 *  elements and for many, a loop 2 ns for each. But set() takes arrays, not parts of them, and a new subarray costs
 *  50 ns and a collection later: so there are arrays over parts that are made once. */
export const LOOP_ELEMENTS = 8;
/** A source that goes in by a part is copied by a loop up to so many elements. */
const LOOP_PART_ELEMENTS = 48;
/** Blocks have so many bytes and elements at least. */
const BLOCK_BYTES = 64;
const BLOCK_ELEMENTS = 16;
/** The largest block has 2^12 of the smallest. */
const LEVELS = 13;

/** Arrays over aligned blocks of slots, made when first used and kept: any range is a few of them, and what is left
 *  at its ends. So a copy out of a range allocates nothing once its blocks are there. */
export class Blocks {
  /** @param {NumberArray} items */
  constructor(items) {
    this.items = items;
    this.least = Math.max(BLOCK_ELEMENTS, BLOCK_BYTES / items.BYTES_PER_ELEMENT);
    /** Per level, which has blocks of least << level elements. @type {NumberArray[][]} */
    this.levels = [];
    for (let level = 0; level < LEVELS; level++) this.levels.push([]);
  }

  /** Copy elements out. @param {number} start @param {NumberArray} to @param {number} at @param {number} count */
  copyOut(start, to, at, count) {
    const { items, least } = this;
    const end = start + count;
    let from = start;
    while (from < end) {
      const left = end - from;
      if (from % least !== 0 || left < least) {
        const part = Math.min(left, least - from % least);
        copy(items, from, to, at, part);
        from += part;
        at += part;
        continue;
      }
      let level = 0;
      let size = least;
      while (level < LEVELS - 1 && from % (2 * size) === 0 && 2 * size <= left) {
        size *= 2;
        level++;
      }
      const blocks = this.levels[level];
      to.set(blocks[from / size] ??= items.subarray(from, from + size), at);
      from += size;
      at += size;
    }
  }
}

/** Copy elements into slots. @param {NumberArray} items @param {number} at @param {Numbers} source
 *  @param {number} from @param {number} count */
export function copyIn(items, at, source, from, count) {
  if (count <= LOOP_ELEMENTS) copy(source, from, items, at, count);
  else if (count === source.length) items.set(source, at);
  else if (count <= LOOP_PART_ELEMENTS || !ArrayBuffer.isView(source)) copy(source, from, items, at, count);
  else items.set(/** @type {NumberArray} */ (source).subarray(from, from + count), at);
}

/** @param {Numbers} from @param {number} start @param {NumberArray} to @param {number} at @param {number} count */
export function copy(from, start, to, at, count) {
  for (let e = 0; e < count; e++) to[at + e] = from[start + e];
}

/** Elements of an item, or an error that says why it has none.
 *  @param {NumberArrayType} type @param {number} itemSizeBytes @param {string} what */
export function itemLengthOf(type, itemSizeBytes, what) {
  if (!TYPES.includes(type))
    throw new TernError(STATUS.ERR_ARGUMENT, `${what}: type must be a typed array of numbers, such as Float64Array`);
  if (itemSizeBytes % type.BYTES_PER_ELEMENT !== 0) {
    throw new TernError(STATUS.ERR_ARGUMENT,
      `${what}: items of ${itemSizeBytes} bytes are no whole number of ${type.name} elements; choose another type`);
  }
  return itemSizeBytes / type.BYTES_PER_ELEMENT;
}

/** @param {string} what @param {number} length @param {number} expected @returns {never} */
export function wrongLength(what, length, expected) {
  throw new TernError(STATUS.ERR_ARGUMENT, `${what}: an item has ${expected} elements, not ${length}`);
}

/** @param {string} what @param {number} first @param {number} count @returns {never} */
export function wrongRange(what, first, count) {
  throw new TernError(STATUS.ERR_ARGUMENT, `${what}: there are no ${count} items from item ${first} on in this array`);
}
