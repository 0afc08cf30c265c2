// SPDX-License-Identifier: MIT
// handle.mjs: handles of pools in messages. A handle is an index and a generation: two numbers, 8 bytes of plain data,
// which mean the same in every language that has the pool. Generation 0 names nothing.
//
//     writeHandle(item.u32, 0, pool.index, pool.generation);               // into 8 bytes of an item of a ring
//     const item = pool.pin(handleIndex(other.u32, 0), handleGeneration(other.u32, 0));
//
// The first 4 bytes are the index, the next 4 the generation. No call allocates, but for the packed forms.

/** @typedef {Uint32Array | Int32Array} Words */

/** Write a handle to two words.
 *  @param {Words} words @param {number} at of the first @param {number} index @param {number} generation */
export function writeHandle(words, at, index, generation) {
  words[at] = index;
  words[at + 1] = generation;
}

/** The index of a handle in two words. @param {Words} words @param {number} at of the first */
export const handleIndex = (words, at) => words[at] >>> 0;

/** Its generation; 0: it names nothing. @param {Words} words @param {number} at of the first */
export const handleGeneration = (words, at) => words[at + 1] >>> 0;

/** One number, as tern_handle_pack() makes it: the generation in the upper 32 bits.
 *  @param {number} index @param {number} generation */
export const packHandle = (index, generation) => (BigInt(generation >>> 0) << 32n) | BigInt(index >>> 0);

/** The handle that was packed. @param {bigint} packed any 64 bits */
export const unpackHandle = (packed) =>
  ({ index: Number(BigInt.asUintN(32, packed)), generation: Number(BigInt.asUintN(32, packed >> 32n)) });
