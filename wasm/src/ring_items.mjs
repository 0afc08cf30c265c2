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
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array,
]);

/** Above so many elements a copy by the engine's own set() is faster than a loop. */
export const LOOP_ELEMENTS = 48;

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
