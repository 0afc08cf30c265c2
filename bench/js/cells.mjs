// SPDX-License-Identifier: MIT
// cells.mjs: which contestants do the same job, and the figures that the project aims at.
import { portRoundTrip, postMessage, ringbuf, ringbufInPlace, ringbufRoundTrip } from './contestants_peers.mjs';
import { tern, ternInPlace, ternRoundTrip } from './contestants_tern.mjs';
import { nativeLoops, wasmCalls, wasmLoops } from './contestants_wasm.mjs';

/** @typedef {import('./contestant.mjs').Contestant} Contestant */

/**
 * @typedef {object} Target the best of one family, in one cell, against the best of another
 * @property {string} ours
 * @property {string} theirs
 * @property {number} [atLeast] their time / our time, as the project aims at between workers of Node
 */

/** @typedef {{ name: string, count: number, unit: string, contestants: Contestant[], targets: Target[] }} Cell */

const PAUSE_TURNS = 40;

const rings = (itemBytes, batch) => [
  tern('indexed', itemBytes, batch),
  tern('indexed, waitable', itemBytes, batch, { waitable: true }),
  tern('sequenced', itemBytes, batch, { sequenced: true }),
  ternInPlace(itemBytes, batch),
  ringbuf(itemBytes, batch, 0),
  ringbuf(itemBytes, batch, PAUSE_TURNS),
  ringbufInPlace(itemBytes, batch),
];

/** The target is for calls that copy; what working in place brings is told beside it. */
const beatRingbuf = (/** @type {number} */ atLeast) => [{ ours: 'tern', theirs: 'ringbuf.js', atLeast },
  { ours: 'tern in place', theirs: 'ringbuf.js' }];

const wasm = (batch) => [wasmLoops(false, batch), wasmLoops(true, batch), wasmCalls(batch),
  nativeLoops(false, batch), nativeLoops(true, batch)];

/** @type {Cell[]} */
export const cells = [
  { name: '8 bytes singly', count: 1 << 20, unit: 'ns an item',
    contestants: [...rings(8, 1), ...wasm(1), postMessage(8, 1, 'number')],
    targets: [...beatRingbuf(2), { ours: 'tern', theirs: 'postMessage', atLeast: 15 },
      { ours: 'wasm', theirs: 'ringbuf.js', atLeast: 3 }] },
  { name: '8 bytes in batches of 32', count: 1 << 24, unit: 'ns an item',
    contestants: [...rings(8, 32), ...wasm(32), postMessage(8, 32, 'array'), postMessage(8, 32, 'typed array'),
      { ...postMessage(8, 1, 'number'), name: 'postMessage, number, one item each', family: 'postMessage singly',
        share: 1 / 512 }],
    targets: [...beatRingbuf(1.5), { ours: 'tern', theirs: 'postMessage', atLeast: 100 },
      // the aim does not say whose batches: a message of 32 items, or 32 messages
      { ours: 'tern', theirs: 'postMessage singly', atLeast: 100 }, { ours: 'wasm', theirs: 'native', atLeast: 0.4 }] },
  { name: '256 bytes singly', count: 1 << 19, unit: 'ns an item',
    contestants: [...rings(256, 1), postMessage(256, 1, 'typed array')],
    targets: beatRingbuf(1.5) },
  { name: 'round trip of 8 bytes', count: 1 << 18, unit: 'ns a round trip',
    contestants: [ternRoundTrip('', 'spin, then sleep', {}),
      ternRoundTrip('sequenced, ', 'spin, then sleep', { sequenced: true }),
      ternRoundTrip('', 'spinning', {}), ternRoundTrip('sequenced, ', 'spinning', { sequenced: true }),
      ringbufRoundTrip, portRoundTrip],
    targets: [{ ours: 'tern', theirs: 'postMessage', atLeast: 10 },
      { ours: 'tern spinning', theirs: 'ringbuf.js' }] },
];
