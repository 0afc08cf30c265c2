// SPDX-License-Identifier: MIT
// runtime_places.mjs: who has which bytes of a runtime's memory. Each worker has a stack, thread-local storage and an
// arena to itself, one behind the other, with guard words between them that nobody may change:
//
//   the module's own | guard stack guard storage guard arena guard | the next worker's ... | objects
//
// Everything is handed out once, upwards, so no two places overlap. A stack grows down: one that is too small for its
// work runs into the guard below it first, and check() says so.
import { STATUS } from './layout.mjs';
import { TernError } from './status.mjs';
import { roundUp } from './memory.mjs';

/** @typedef {import('./memory.mjs').Memory} Memory */

/** Of a wasm memory. */
export const PAGE_BYTES = 65536;
/** Of everything that is handed out: what threads write apart lies in different cache lines. */
export const LINE_BYTES = 128;
/** Below a stack there is more: a frame that is larger than the guard leaps over it. */
const STACK_GUARD_BYTES = 1024;
const GUARD_BYTES = LINE_BYTES;
const GUARD_WORD = 0x7e2a5ead;

/**
 * @typedef {object} Area
 * @property {number} offset bytes from the start of the memory, a multiple of 128
 * @property {number} bytes
 */

/**
 * @typedef {object} Guard
 * @property {number} offset
 * @property {number} bytes
 * @property {string} means what has gone wrong if it is changed, and what to do
 */

/**
 * @typedef {object} Place what one thread has to itself
 * @property {Area | null} stack null: the instance uses the module's own
 * @property {Area | null} storage thread-local; null: the module has none
 * @property {Area | null} arena
 * @property {Guard[]} guards
 */

/** @param {number} bytes @param {number} alignment @param {string} what @throws {TernError} ARGUMENT */
function checkSize(bytes, alignment, what) {
  if (!Number.isSafeInteger(bytes) || bytes < 1) {
    throw new TernError(STATUS.ERR_ARGUMENT, `${what}: the size must be a whole number of bytes, not ${bytes}`);
  }
  if (!Number.isInteger(Math.log2(alignment)) || alignment < 1) {
    throw new TernError(STATUS.ERR_ARGUMENT, `${what}: the alignment must be a power of two, not ${alignment}`);
  }
}

/** Hands out the bytes of a wasm memory from a first one upwards, and never takes any back. */
export class Bump {
  /**
   * @param {WebAssembly.Memory} memory grows when it is used up
   * @param {number} first byte
   * @param {number} maximumPages of the memory
   */
  constructor(memory, first, maximumPages) {
    this.memory = memory;
    this.next = first;
    this.maximumPages = maximumPages;
  }

  /**
   * @param {number} bytes at least 1
   * @param {number} alignment a power of two
   * @param {string} what for the error
   * @returns {number} offset
   * @throws {TernError} ARGUMENT; NO_SPACE: the memory may not grow so far
   */
  take(bytes, alignment, what) {
    checkSize(bytes, alignment, what);
    const offset = roundUp(this.next, alignment);
    const end = offset + bytes;
    // another thread may grow it at the same time: then it is larger than asked for
    const missing = Math.ceil((end - this.memory.buffer.byteLength) / PAGE_BYTES);
    if (missing > 0) this.#grow(missing, end, what);
    this.next = end;
    return offset;
  }

  /** @param {number} pages @param {number} end @param {string} what */
  #grow(pages, end, what) {
    try {
      this.memory.grow(pages);
    } catch (error) {
      const wanted = Math.ceil(end / PAGE_BYTES);
      throw new TernError(STATUS.ERR_NO_SPACE, `${what}: the memory would have to grow to ${wanted} pages, and its `
        + `maximum is ${this.maximumPages}; give a larger memory.maximumPages (${error})`);
    }
  }
}

/**
 * Hand out a thread's place.
 *
 * @param {Bump} bump
 * @param {string} who for errors, as 'worker 1'
 * @param {{ stackBytes: number, storageBytes: number, storageAlignment: number, arenaBytes: number }} sizes 0: none
 * @returns {Place}
 */
export function takePlace(bump, who, { stackBytes, storageBytes, storageAlignment, arenaBytes }) {
  /** @type {Guard[]} */
  const guards = [];
  /** @param {number} bytes @param {string} means */
  const guard = (bytes, means) => {
    guards.push({ offset: bump.take(bytes, LINE_BYTES, who), bytes, means: `${who}: ${means}` });
  };
  /** @param {number} wanted @param {number} alignment @returns {Area | null} */
  const area = (wanted, alignment) => {
    const bytes = roundUp(wanted, LINE_BYTES);
    return bytes === 0 ? null : { offset: bump.take(bytes, Math.max(alignment, LINE_BYTES), who), bytes };
  };

  if (stackBytes > 0) guard(STACK_GUARD_BYTES, `its stack of ${stackBytes} bytes overflowed; give a larger stackBytes`);
  const stack = area(stackBytes, LINE_BYTES);
  if (stackBytes > 0) guard(GUARD_BYTES, 'something wrote above its stack, or below its thread-local storage');
  const storage = area(storageBytes, storageAlignment);
  if (storageBytes > 0) guard(GUARD_BYTES, 'something wrote behind its thread-local storage, or below its arena');
  else if (stackBytes === 0) guard(GUARD_BYTES, 'something wrote below its arena');
  const arena = area(arenaBytes, LINE_BYTES);
  if (arenaBytes > 0) guard(GUARD_BYTES, `something wrote behind its arena of ${arenaBytes} bytes`);
  return { stack, storage, arena, guards };
}

/** Write a place's guards, before the thread has it. @param {Memory} memory @param {Place} place */
export function paintGuards(memory, place) {
  for (const { offset, bytes } of place.guards) memory.words(offset, bytes).fill(GUARD_WORD);
}

/**
 * Whether a place's guards are as they were painted. At any time, best when its thread has ended.
 *
 * @param {Memory} memory
 * @param {Place} place
 * @returns {TernError | null} CORRUPT, with what has happened
 */
export function checkGuards(memory, place) {
  for (const { offset, bytes, means } of place.guards) {
    const words = memory.words(offset, bytes);
    // from above, where a stack that overflows comes from
    for (let i = words.length - 1; i >= 0; i--) {
      if (words[i] !== GUARD_WORD) {
        return new TernError(STATUS.ERR_CORRUPT, `${means} (the guard at offset ${offset + 4 * i} is changed; what `
          + 'lies behind it may be damaged)');
      }
    }
  }
  return null;
}

/** Hands out a thread's arena, to that thread. */
export class Arena {
  /** @param {Area} area */
  constructor({ offset, bytes }) {
    /** Where it begins, bytes from the start of the memory. */
    this.offset = offset;
    this.bytes = bytes;
    /** @type {number} */
    this.used = 0;
  }

  /**
   * Bytes of the arena, until reset().
   *
   * @param {number} bytes
   * @param {number} [alignment] a power of two, at most 128
   * @returns {number} offset, bytes from the start of the memory
   * @throws {TernError} ARGUMENT; NO_SPACE: the arena is used up
   *
   * Role:     the thread that has it
   * Progress: wait-free
   */
  allocate(bytes, alignment = 8) {
    const at = roundUp(this.used, alignment);
    checkSize(bytes, alignment, 'the arena');
    if (alignment > LINE_BYTES) {
      throw new TernError(STATUS.ERR_ARGUMENT, `the arena: it is aligned to ${LINE_BYTES}, no more, not ${alignment}`);
    }
    if (at + bytes > this.bytes) {
      throw new TernError(STATUS.ERR_NO_SPACE, `the arena has ${this.bytes - this.used} bytes left of ${this.bytes}, `
        + `and ${bytes} are wanted; give Runtime.start a larger arenaBytes`);
    }
    this.used = at + bytes;
    return this.offset + at;
  }

  /** Take everything back that allocate() gave. */
  reset() { this.used = 0; }
}
