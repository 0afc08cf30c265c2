// SPDX-License-Identifier: MIT
// native.mjs: finds and loads the addon's binary, and makes errors of the statuses that it answers.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { LAYOUT_HASH, STATUS } from '../src/layout.mjs';
import { TernError } from '../src/status.mjs';

/** What an open found of those who were there before; tern/role.h.
 *  @typedef {{ outcome: 'clean' | 'repaired' | 'refused', why: string, peers: number, roles: number, items: number,
 *    pins: number, slots: number, names: number }} Recovery */

/** A region or an end in the hands of C. @typedef {{ readonly handle: unique symbol }} Handle */

/** The binary: a number is a call's answer, or, below 0, a status.
 *  @typedef {object} Native
 *  @property {string} version
 *  @property {number} layoutHash
 *  @property {() => string} systemError what the system said of the last call that failed; empty: nothing
 *  @property {(on: boolean) => number} guard
 *  @property {(name: string, way: number, sizeBytes: number, session: bigint, domain: number, maxObjects: number,
 *    maxPeers: number) => [Handle, ArrayBuffer] | number} open
 *  @property {(region: Handle) => number | { sizeBytes: number, peer: number, maxObjects: number, maxPeers: number,
 *    recovery: Recovery }} describe
 *  @property {(region: Handle) => number | { name: string, type: number, offset: number, sizeBytes: number,
 *    status: string }[]} objects
 *  @property {(region: Handle) => number | { peer: number, process: number, domain: number, isAlive: boolean,
 *    program: string }[]} peers
 *  @property {(region: Handle) => number | Recovery} recover
 *  @property {(region: Handle) => number} check
 *  @property {(region: Handle) => Promise<void> | number} close
 *  @property {(name: string) => number} unlink
 *  @property {(region: Handle, offset: number, expected: number,
 *    timeoutMs: number) => Promise<number> | number} waitWord
 *  @property {(region: Handle, offset: number) => number} wakeWord
 *  @property {(end: Handle, timeoutMs: number) => Promise<number> | number} waitEnd
 *  @property {(region: Handle, kind: number, name: string, sizeBytes: number, capacity: number,
 *    flags: number) => Handle | number} openEnd
 *  @property {(end: Handle) => number | { sizeBytes: number, capacity: number, waitable: boolean,
 *    recovery: Recovery }} describeEnd
 *  @property {(end: Handle) => number} endStatus
 *  @property {(end: Handle) => number} closeEnd
 *  @property {(end: Handle) => number} detachEnd
 *  @property {(end: Handle, items: Uint8Array) => number} push
 *  @property {(end: Handle, items: Uint8Array) => number} pop
 *  @property {(end: Handle) => number} back
 *  @property {(end: Handle) => number} publish
 *  @property {(end: Handle) => number} update
 *  @property {(end: Handle) => number} front
 *  @property {(end: Handle) => number} frame
 *  @property {(end: Handle) => number} dropped
 */

/** @returns {Native} */
function load() {
  const path = process.env.TERN_NODE_ADDON ?? fileURLToPath(new URL('./tern.node', import.meta.url));
  /** @type {Native} */
  let native;
  try {
    native = createRequire(import.meta.url)(path);
  } catch (error) {
    const [why] = /** @type {Error} */ (error).message.split('\n');
    throw new TernError(STATUS.ERR_UNSUPPORTED, `the addon could not be loaded: ${why}; `
      + 'build tern.node as docs/node.md says, beside wasm/node/index.mjs or where TERN_NODE_ADDON points to');
  }
  if (native.layoutHash !== LAYOUT_HASH) {
    throw new TernError(STATUS.ERR_VERSION, `${path} is of Tern ${native.version} with another layout; build it anew`);
  }
  return native;
}

export const native = load();

/** What to do, where the status alone does not say so. @type {Record<number, string>} */
const ADVICE = {
  [STATUS.ERR_ARGUMENT]: 'look at the names, sizes and flags that were given',
  [STATUS.ERR_MEMORY]: 'the region is too small for its header and tables, or its file was cut off',
  [STATUS.ERR_NOT_READY]: 'its maker is at it: try again in a moment',
  [STATUS.ERR_VERSION]: 'it was made by another version of Tern: rebuild both programs with the same one',
  [STATUS.ERR_MISMATCH]: 'leave the description out to take it as it is, or give the one that it was made with',
  [STATUS.ERR_STATE]: 'it is closed or detached, it was opened to look at only, or a wait of it is pending',
  [STATUS.ERR_EXISTS]: 'open it without create, or unlinkRegion() first',
  [STATUS.ERR_NOT_FOUND]: 'start the program that makes it first, or make it here',
  [STATUS.ERR_FULL]: 'make the region larger, or with more objects or peers; or await some of the waits',
  [STATUS.ERR_ACCESS]: 'regions belong to the user who made them',
  [STATUS.ERR_BUSY]: 'a live process has this end; it is free when that one detaches or ends',
  [STATUS.ERR_PEER_DEAD]: 'open the end again when its process has a successor',
  [STATUS.ERR_SESSION]: 'give the session that the region was made with',
};

/**
 * The exception for a status.
 *
 * @param {number} status below 0
 * @param {string} what the call, and on what
 * @param {boolean} [ofSystem] whether it was a system call, whose own words help
 */
export function failure(status, what, ofSystem = false) {
  const said = ofSystem ? native.systemError() : '';
  return new TernError(status, [what, said, ADVICE[status]].filter(Boolean).join('; '));
}

/**
 * A call's number, if it is none of those below 0.
 *
 * @param {number} answer
 * @param {string} what
 * @param {boolean} [ofSystem] as in failure()
 */
export function answered(answer, what, ofSystem) {
  if (answer < 0) throw failure(answer, what, ofSystem);
  return answer;
}

/**
 * What a call gave, if it is no status.
 *
 * @template T
 * @param {T | number} answer
 * @param {string} what
 * @param {boolean} [ofSystem] as in failure()
 * @returns {T}
 */
export function given(answer, what, ofSystem) {
  if (typeof answer === 'number') throw failure(answer, what, ofSystem);
  return answer;
}

/** A time-out, or an error. @param {number} timeoutMs */
export function milliseconds(timeoutMs) {
  if (typeof timeoutMs === 'number' && timeoutMs >= 0) return timeoutMs;
  throw new TernError(STATUS.ERR_ARGUMENT, `a time-out is milliseconds from 0 to Infinity, not ${timeoutMs}`);
}
