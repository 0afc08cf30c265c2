// SPDX-License-Identifier: MIT
// header.mjs: the beginning of an object: its magic, and its geometry, which is copied out once and never read again.
// Of bells, pools and triple buffers, whose headers differ in nothing but sizes.
import { LAYOUT_VERSION, STATUS } from './layout.mjs';
import { copyGeometry, writeGeometry } from './memory.mjs';
import { TernError } from './status.mjs';

/** @typedef {import('./memory.mjs').Memory} Memory */

/**
 * A kind of object.
 *
 * @typedef {object} Kind
 * @property {string} what its name, for errors
 * @property {number} magic
 * @property {{ size: number, magic: number, geometry: number }} shared its header, of layout.mjs
 * @property {{ size: number, layoutVersion: number }} geometry
 */

/** An empty geometry of a kind, with the version. @param {Kind} kind */
export function newGeometry(kind) {
  const geometry = new DataView(new ArrayBuffer(kind.geometry.size));
  geometry.setUint32(kind.geometry.layoutVersion, LAYOUT_VERSION, true);
  return geometry;
}

/** @param {string} detail what was wrong with the description @returns {never} */
export const refuse = (detail) => { throw new TernError(STATUS.ERR_ARGUMENT, detail); };

/**
 * A number of a description, checked.
 *
 * @param {number | undefined} value @param {number} least @param {number} most @param {string} name
 */
export function countOf(value, least, most, name) {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
    return refuse(`${name} must be a whole number from ${least} to ${most}, not ${value}`);
  return value;
}

/**
 * Make an object in memory that nobody uses yet: zeros in the header, the geometry, then what fill() writes, and
 * the magic last ([RING-0], [TRIPLE-0], [POOL-0], [BELL-0]: all that before the magic; pairs with attach).
 *
 * @param {Memory} memory
 * @param {number} offset bytes, a multiple of 64 from the start of the buffer
 * @param {Kind} kind
 * @param {DataView} geometry
 * @param {number} totalBytes header and all
 * @param {(words: Int32Array) => void} fill is given all of the object
 */
export function formatObject(memory, offset, kind, geometry, totalBytes, fill) {
  memory.checkPlace(offset, totalBytes, kind.what);
  const words = memory.words(offset, totalBytes);
  const magicAt = kind.shared.magic / 4;
  Atomics.store(words, magicAt, 0);
  words.fill(0, magicAt + 1, kind.shared.size / 4);
  writeGeometry(memory, offset + kind.shared.geometry, geometry);
  fill(words);
  Atomics.store(words, magicAt, kind.magic | 0);
}

/**
 * Copy the geometry out. What its numbers mean is the caller's to check, on the copy.
 *
 * @param {Memory} memory @param {number} offset @param {Kind} kind
 * @returns {DataView}
 */
export function loadGeometry(memory, offset, kind) {
  memory.checkPlace(offset, kind.shared.size, kind.what);
  const words = memory.words(offset, kind.shared.size);
  const place = `${kind.what} at offset ${offset}`;
  // [TRIPLE-0], [POOL-0], [BELL-0]: the header after the magic
  const magic = Atomics.load(words, kind.shared.magic / 4);
  if (magic === 0) throw new TernError(STATUS.ERR_NOT_READY, place);
  if (magic !== (kind.magic | 0)) throw corrupt(kind, offset, 'the magic is another one');
  const version = words[(kind.shared.geometry + kind.geometry.layoutVersion) / 4];
  if (version !== LAYOUT_VERSION)
    throw new TernError(STATUS.ERR_VERSION, `${place} has version ${version >>> 0}, this package ${LAYOUT_VERSION}`);
  const geometry = copyGeometry(memory, offset + kind.shared.geometry, kind.geometry.size);
  if (geometry === null) throw corrupt(kind, offset, 'the check of the header is wrong');
  return geometry;
}

/** @param {Kind} kind @param {number} offset @param {string} why */
export const corrupt = (kind, offset, why) =>
  new TernError(STATUS.ERR_CORRUPT, `${kind.what} at offset ${offset}: ${why}`);

/**
 * Refuse a geometry that no description gives, and one that says more than there is memory.
 *
 * @param {Memory} memory @param {number} offset @param {Kind} kind
 * @param {DataView} copy
 * @param {DataView | null} expected what its own numbers should have given; null: nothing does
 * @param {number} totalBytes
 */
export function checkGeometry(memory, offset, kind, copy, expected, totalBytes) {
  // all but the check, which is right
  for (let at = 0; at < copy.byteLength - 4; at += 4)
    if (expected === null || copy.getUint32(at, true) !== expected.getUint32(at, true))
      throw corrupt(kind, offset, 'the numbers of the header do not fit each other');
  memory.checkPlace(offset, totalBytes, kind.what);
}
