// SPDX-License-Identifier: MIT
// triple_word.mjs: what a triple buffer is, and the word that says who owns which of its buffers:
//
//     back:2 | ready:2 | front:2 | FRESH:1 | SLEEP:1 | number of the last frame:24, low bits first
//
// back is the writer's, front the reader's, ready nobody's. All words here are int32, as Atomics have them.
import {
  SEPARATION, STATUS, TRIPLE_BUFFER, TRIPLE_FRAME_SHIFT, TRIPLE_FRESH, TRIPLE_FRONT_SHIFT, TRIPLE_GEOMETRY,
  TRIPLE_INDEX_MASK, TRIPLE_MAGIC, TRIPLE_MAX_BUFFER_BYTES, TRIPLE_READY_SHIFT, TRIPLE_SHARED, TRIPLE_SLEEP,
  TRIPLE_START,
} from './layout.mjs';
import { checkGeometry, corrupt, countOf, formatObject, loadGeometry, newGeometry } from './header.mjs';
import { roundUp } from './memory.mjs';
import { TernError } from './status.mjs';
import { Views } from './views.mjs';

/** @typedef {import('./memory.mjs').Memory} Memory */

const KIND = { what: 'triple buffer', magic: TRIPLE_MAGIC, shared: TRIPLE_SHARED, geometry: TRIPLE_GEOMETRY };

// Places in an Int32Array over a triple buffer.
export const WORD = TRIPLE_SHARED.word / 4;
export const WRITER_CLOSED = TRIPLE_SHARED.writerClosed / 4;
export const READER_CLOSED = TRIPLE_SHARED.readerClosed / 4;

const TWO_TO_32 = 4294967296;
/** Low half of a frame's number that the word has too. */
const FRAME_MASK = 0xffffff;

// ---- The word --------------------------------------------------------------------------------

/** @param {number} word */
export const backOf = (word) => word & TRIPLE_INDEX_MASK;
/** @param {number} word */
export const readyOf = (word) => (word >> TRIPLE_READY_SHIFT) & TRIPLE_INDEX_MASK;
/** @param {number} word */
export const frontOf = (word) => (word >> TRIPLE_FRONT_SHIFT) & TRIPLE_INDEX_MASK;

/** Whether back, ready and front are 0, 1 and 2 in some order, and nobody sleeps beside a frame that he has not
 *  seen. @param {number} word */
export function makesSense(word) {
  const places = (1 << backOf(word)) | (1 << readyOf(word)) | (1 << frontOf(word));
  return places === 7 && (word & (TRIPLE_FRESH | TRIPLE_SLEEP)) !== (TRIPLE_FRESH | TRIPLE_SLEEP);
}

/** The word after an update: ready and front change places. @param {number} word one with FRESH */
export function afterUpdate(word) {
  const both = readyOf(word) ^ frontOf(word);
  return word ^ ((both << TRIPLE_READY_SHIFT) | (both << TRIPLE_FRONT_SHIFT) | TRIPLE_FRESH);
}

/** The word when all has been seen. @param {number} word */
export const whenSeen = (word) => ((word & TRIPLE_FRESH) !== 0 ? afterUpdate(word) : word);

/** The word after a publication: back and ready change places, FRESH, no SLEEP, the next number.
 *  @param {number} word */
export function afterPublish(word) {
  const both = backOf(word) ^ readyOf(word);
  const swapped = word ^ (both | (both << TRIPLE_READY_SHIFT));
  return (((swapped | TRIPLE_FRESH) & ~TRIPLE_SLEEP) + (1 << TRIPLE_FRAME_SHIFT)) | 0;
}

/** Whether a frame's number is the one that the word tells the low bits of.
 *  @param {number} frame or its low half @param {number} word */
export const numberFits = (frame, word) => (frame & FRAME_MASK) === word >>> TRIPLE_FRAME_SHIFT;

// ---- Buffers ---------------------------------------------------------------------------------

/** Where the number of a buffer's frame stands, low half first, in the words.
 *  @param {Layout} layout @param {number} index */
export const numberAt = (layout, index) => (TRIPLE_SHARED.size + index * layout.strideBytes + TRIPLE_BUFFER.frame) / 4;

/** Where a buffer's bytes lie, from the start of the triple buffer. @param {Layout} layout @param {number} index */
export const bytesAt = (layout, index) => TRIPLE_SHARED.size + index * layout.strideBytes + TRIPLE_BUFFER.size;

/** A number of 64 bits; above 2^53 it is none that counts. @param {Int32Array} words @param {number} at */
export const loadNumber = (words, at) => (words[at + 1] >>> 0) * TWO_TO_32 + (words[at] >>> 0);

/** @param {Int32Array} words @param {number} at @param {number} number */
export function storeNumber(words, at, number) {
  words[at] = number | 0;
  words[at + 1] = (number / TWO_TO_32) | 0;
}

// ---- Life --------------------------------------------------------------------------------------

/** @typedef {{ bufferSizeBytes: number, strideBytes: number, totalSizeBytes: number }} Layout */
/** @typedef {{ bufferSizeBytes: number }} TripleDesc of a frame: 1 to 2^30 bytes */

/** @param {number} bufferSizeBytes @returns {Layout} */
function layoutOf(bufferSizeBytes) {
  const strideBytes = roundUp(TRIPLE_BUFFER.size + bufferSizeBytes, SEPARATION);
  return { bufferSizeBytes, strideBytes, totalSizeBytes: TRIPLE_SHARED.size + 3 * strideBytes };
}

/** @param {TripleDesc} desc @returns {Layout} */
export const describedLayout = (desc) =>
  layoutOf(countOf(desc?.bufferSizeBytes, 1, TRIPLE_MAX_BUFFER_BYTES, 'bufferSizeBytes'));

/** @param {Layout} layout */
function geometryOf({ bufferSizeBytes, strideBytes, totalSizeBytes }) {
  const geometry = newGeometry(KIND);
  geometry.setUint32(TRIPLE_GEOMETRY.bufferSizeBytes, bufferSizeBytes, true);
  geometry.setUint32(TRIPLE_GEOMETRY.totalSizeBytes, totalSizeBytes, true);   // below 2^32
  geometry.setUint32(TRIPLE_GEOMETRY.strideBytes, strideBytes, true);
  return geometry;
}

/** Make one in memory that nobody uses. @param {Memory} memory @param {number} offset @param {TripleDesc} desc */
export function formatTriple(memory, offset, desc) {
  const layout = describedLayout(desc);
  formatObject(memory, offset, KIND, geometryOf(layout), layout.totalSizeBytes, (words) => {
    words[WORD] = TRIPLE_START;
    for (let i = 0; i < 3; i++) words.fill(0, numberAt(layout, i), bytesAt(layout, i) / 4);
  });
}

/**
 * The layout, copied out and checked, and the word as it stands.
 *
 * @param {Memory} memory @param {number} offset
 * @returns {{ layout: Layout, words: Int32Array, word: number }}
 */
export function loadTriple(memory, offset) {
  const copy = loadGeometry(memory, offset, KIND);
  const size = copy.getUint32(TRIPLE_GEOMETRY.bufferSizeBytes, true);
  const layout = size >= 1 && size <= TRIPLE_MAX_BUFFER_BYTES ? layoutOf(size) : null;
  checkGeometry(memory, offset, KIND, copy, layout && geometryOf(layout), layout?.totalSizeBytes ?? 0);
  if (layout === null) throw corruptTriple(offset, 'there are no such frames');
  const words = memory.words(offset, layout.totalSizeBytes);
  const word = Atomics.load(words, WORD);
  if (!makesSense(word)) throw corruptTriple(offset, 'the word that says who owns which buffer makes no sense');
  return { layout, words, word };
}

/** @param {number} offset @param {string} why */
export const corruptTriple = (offset, why) => corrupt(KIND, offset, why);

/** The three buffers, by their numbers. @param {Memory} memory @param {number} offset @param {Layout} layout */
export const viewsOf = (memory, offset, layout) =>
  [0, 1, 2].map((index) => new Views(memory, offset + bytesAt(layout, index), layout.bufferSizeBytes));

/** @returns {never} */
export const detached = () => { throw new TernError(STATUS.ERR_STATE, 'this view of a triple buffer was detached'); };
