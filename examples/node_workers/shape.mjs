// SPDX-License-Identifier: MIT
// shape.mjs: what Node and its workers agree on: commands of two numbers, frames of points and their sum.

/** A command: how many steps, and what each adds. */
export const COMMANDS = { itemSizeBytes: 8, capacityItems: 8, waitable: true };
export const POINTS = 256;
/** The points and, behind them, the checksum. */
export const FRAME = { bufferSizeBytes: 4 * (POINTS + 1) };

/** @param {Int32Array} frame */
export function checksum(frame) {
  let sum = 17;
  for (let i = 0; i < POINTS; i++) sum = (Math.imul(sum, 31) + frame[i]) | 0;
  return sum;
}
