// SPDX-License-Identifier: MIT
// bell_layout.mjs: what a bell is. Up to 31 sources it is one word. Above, the marks of 32 sources lie in a leaf
// word, and each bit of the root stands for an equal run of leaves; docs/layout.md draws it.
import {
  BELL_FLAT_SOURCES, BELL_GEOMETRY, BELL_LEAF_SOURCES, BELL_MAGIC, BELL_MAX_SOURCES, BELL_ROOT, BELL_SHARED,
} from './layout.mjs';
import { checkGeometry, countOf, formatObject, loadGeometry, newGeometry } from './header.mjs';

/** @typedef {import('./memory.mjs').Memory} Memory */
/** @typedef {{ sources?: number }} BellDesc 1 to 65,536; 31 */

/**
 * @typedef {object} Layout
 * @property {number} sources
 * @property {number} leaves 0 up to 31 sources
 * @property {number} rootShift source >> rootShift is its bit in the root
 * @property {number} rootMask the root's bits that mean something
 * @property {number} totalSizeBytes
 */

const KIND = { what: 'bell', magic: BELL_MAGIC, shared: BELL_SHARED, geometry: BELL_GEOMETRY };

// Places in an Int32Array over a bell.
export const ROOT = (BELL_SHARED.root + BELL_ROOT.word) / 4;
export const CLOSED = (BELL_SHARED.root + BELL_ROOT.closed) / 4;
export const LEAVES = BELL_SHARED.size / 4;

/** @param {number} sources 1 to 65,536 @returns {Layout} */
function layoutOf(sources) {
  const flat = sources <= BELL_FLAT_SOURCES;
  const leaves = flat ? 0 : Math.ceil(sources / BELL_LEAF_SOURCES);
  let run = 0;
  while (BELL_FLAT_SOURCES * 2 ** run < leaves) run++;
  const rootShift = flat ? 0 : 5 + run;
  const rootMask = 2 * 2 ** ((sources - 1) >> rootShift) - 1;   // at most 31 bits
  return { sources, leaves, rootShift, rootMask, totalSizeBytes: BELL_SHARED.size + 4 * leaves };
}

/** @param {BellDesc} desc @returns {Layout} */
export const describedLayout = (desc) =>
  layoutOf(countOf(desc?.sources || BELL_FLAT_SOURCES, 1, BELL_MAX_SOURCES, 'sources'));

/** @param {Layout} layout */
function geometryOf({ sources, leaves, rootShift, totalSizeBytes }) {
  const geometry = newGeometry(KIND);
  geometry.setUint32(BELL_GEOMETRY.sources, sources, true);
  geometry.setUint32(BELL_GEOMETRY.leaves, leaves, true);
  geometry.setUint32(BELL_GEOMETRY.rootShift, rootShift, true);
  geometry.setUint32(BELL_GEOMETRY.totalSizeBytes, totalSizeBytes, true);
  return geometry;
}

/** Make one in memory that nobody uses. @param {Memory} memory @param {number} offset @param {BellDesc} desc */
export function formatBell(memory, offset, desc) {
  const layout = describedLayout(desc);
  formatObject(memory, offset, KIND, geometryOf(layout), layout.totalSizeBytes, (words) => { words.fill(0, LEAVES); });
}

/** The layout, copied out and checked. @param {Memory} memory @param {number} offset @returns {Layout} */
export function loadBell(memory, offset) {
  const copy = loadGeometry(memory, offset, KIND);
  const sources = copy.getUint32(BELL_GEOMETRY.sources, true);
  const layout = layoutOf(sources >= 1 && sources <= BELL_MAX_SOURCES ? sources : 1);
  checkGeometry(memory, offset, KIND, copy, geometryOf(layout), layout.totalSizeBytes);
  return layout;
}
