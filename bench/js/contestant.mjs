// SPDX-License-Identifier: MIT
// contestant.mjs: what the contestants of the JavaScript benchmarks have in common; the same under Node and in pages.
//
// A contestant is a pair of functions, left and right, that run in two workers. Each item is numbered in its first and
// last element, and the right side compares both where it takes the item out: who loses, repeats or tears one is
// found out.

/**
 * What is compiled or loaded once in each environment, and goes to the workers.
 *
 * @typedef {object} Assets
 * @property {WebAssembly.Module} loops wasm_ring.c
 * @property {WebAssembly.Module} tern tern.threads.wasm
 */

/**
 * What one side gets for one turn: what make() returned, and this.
 *
 * @typedef {object} Job
 * @property {number} count items
 * @property {Int32Array} gate where both sides meet before the clock starts
 * @property {MessagePort} port to the other side
 */

/** @typedef {{ ns: number, right: number }} Outcome of a right side: how long it took, and how many items were right */

/**
 * @typedef {object} Contestant
 * @property {string} name
 * @property {string} family the targets of a cell compare the best of one with the best of another
 * @property {number} [share] of the cell's items, for one that is much slower
 * @property {(assets: Assets) => any} [make] shared memory and the like, for one turn; in the main thread
 * @property {(job: any) => any} [left]
 * @property {(job: any) => Outcome | Promise<Outcome>} [right]
 * @property {string[]} [native] arguments of the native program, in place of all these
 */

export const inNode = typeof process === 'object' && process.versions?.node !== undefined;

/** Items that all rings have room for. */
export const CAPACITY = 1024;

/** The type of all elements. */
export const Type = Float64Array;

/** Both sides come here before the clock starts. @param {Int32Array} gate */
export function meet(gate) {
  Atomics.add(gate, 0, 1);
  while (Atomics.load(gate, 0) < 2);
}

/** Nanoseconds; in pages to 5 us (Chromium) or 20 us (Firefox). */
export const now = () => performance.now() * 1e6;
