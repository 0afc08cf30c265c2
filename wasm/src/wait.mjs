// SPDX-License-Identifier: MIT
// wait.mjs: sleep on a shared 32-bit word, and wake who sleeps on it; the JavaScript half of tern/wait.h.
//
// Who sleeps has put a bit into the word by compare-exchange, and whoever publishes learns of it by the
// exchange that publishes: the two calls here are all that is needed beside that. wasm's memory.atomic.wait32
// and notify are the same waits, on the same words.
import { SPIN_CHECKS, STATUS } from './layout.mjs';
import { TernError } from './status.mjs';

let drain = 0;

/**
 * Let some time pass: about a nanosecond a turn, once compiled. A loop that looks at a shared word without a pause
 * keeps taking its cache line from the thread that is about to write it. JavaScript has no pause instruction
 * everywhere, so these are multiplications that wait for each other.
 *
 * @param {number} turns
 */
export function pause(turns) {
  let x = drain;
  for (let i = 0; i < turns; i++) x = (Math.imul(x, 0x5bd1e995) + 1) | 0;
  drain = x;
}

/** Longest nap of a wait that nobody can wake, in milliseconds. */
const MOST_NAP_MS = 4;
/** Naps of what must keep Node's event loop alive, in milliseconds; any number below 2^31 does. */
const ALIVE_MS = 0x3fffffff;

/** Whether this thread may block. A window's main thread, a service worker and some worklets may not: the engine
 *  itself is asked, by a wait that returns at once. @type {boolean} */
export const canBlock = (() => {
  if (typeof SharedArrayBuffer === 'undefined') return false;
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
})();

/**
 * What *Wait calls check first. They are refused on a window's main thread, in a build or memory where nothing
 * can sleep, and to views in the domain MAIN.
 *
 * @param {Int32Array} words
 * @param {boolean} isMain whether the view was opened in the domain MAIN
 * @param {string} call for the error
 */
export function requireBlocking(words, isMain, call) {
  if (isMain || (!canBlock && typeof SharedArrayBuffer !== 'undefined')) {
    throw new TernError(STATUS.ERR_DOMAIN, `${call} would block the main thread; use the Async form, or a worker`);
  }
  if (typeof SharedArrayBuffer === 'undefined' || !(words.buffer instanceof SharedArrayBuffer)) {
    throw new TernError(STATUS.ERR_UNSUPPORTED,
      `${call} waits for another thread, and this memory is shared with none; use the Async form`);
  }
}

/**
 * Sleep while the word holds a value. It may return early: look at the word again.
 *
 * @param {Int32Array} words over shared memory
 * @param {number} index
 * @param {number} expected sleep only while the word holds this value
 * @param {number} timeoutMs milliseconds, Infinity: for ever
 * @returns {boolean} false: the time has passed
 */
export function sleep(words, index, expected, timeoutMs) {
  return Atomics.wait(words, index, expected | 0, timeoutMs) !== 'timed-out';
}

/**
 * The same without blocking. Where nothing can wake it (an engine without Atomics.waitAsync, memory that is not
 * shared) it naps instead, up to 4 ms at a time.
 *
 * @param {Int32Array} words
 * @param {number} index
 * @param {number} expected
 * @param {number} timeoutMs milliseconds, Infinity: for ever
 * @returns {Promise<boolean>} false: the time has passed
 */
export async function sleepAsync(words, index, expected, timeoutMs) {
  const shared = typeof SharedArrayBuffer !== 'undefined' && words.buffer instanceof SharedArrayBuffer;
  if (shared && typeof Atomics.waitAsync === 'function') {
    const { async: pending, value } = Atomics.waitAsync(words, index, expected | 0, timeoutMs);
    if (!pending) return value !== 'timed-out';
    // Node ends a program that has nothing but such waits
    const alive = setInterval(() => {}, ALIVE_MS);
    try {
      return await value !== 'timed-out';
    } finally {
      clearInterval(alive);
    }
  }
  const end = performance.now() + timeoutMs;
  // a memory that is not shared may grow meanwhile: its words are elsewhere then, and to be looked at again
  const same = () => words.length !== 0 && Atomics.load(words, index) === (expected | 0);
  for (let nap = 0; same(); nap = Math.min(nap + 1, MOST_NAP_MS)) {
    const left = end - performance.now();
    if (left <= 0) return false;
    await new Promise((resolve) => { setTimeout(resolve, Math.min(nap, left)); });
  }
  return true;
}

/** Wake all who sleep on the word; call it after the word has changed.
 *  @param {Int32Array} words @param {number} index */
export function wake(words, index) {
  Atomics.notify(words, index);
}

/** A deadline of performance.now(). @param {number} timeoutMs */
export function deadline(timeoutMs) {
  if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs) || timeoutMs < 0) {
    throw new TernError(STATUS.ERR_ARGUMENT, `a time-out is milliseconds from 0 to Infinity, not ${timeoutMs}`);
  }
  return timeoutMs === Infinity ? Infinity : performance.now() + timeoutMs;
}

const MOST_FAILURES = 8;      // more waits that slept than were ended by spinning: a view then sleeps at once
const RETRY_SLEEPS = 512;     // and after so many sleeps tries to spin again

/** What a view remembers of its last waits: whether it is worth while to spin before the next sleep; C's tern__spin. */
export class Spin {
  /** @param {number} [checks] how often to look before going to sleep; 0: never */
  constructor(checks = SPIN_CHECKS) {
    this.checks = checks;
    this.failures = 0;
    this.sleeps = 0;
  }

  /** How often the wait that begins now may look. */
  allowed() {
    return this.failures !== MOST_FAILURES || this.sleeps === RETRY_SLEEPS ? this.checks : 0;
  }

  /** That wait had to sleep. */
  failed() {
    if (this.failures !== MOST_FAILURES) this.failures++;
    else if (this.sleeps !== RETRY_SLEEPS) this.sleeps++;
    else this.sleeps = 0;
  }

  /** Spinning ended that wait. */
  helped() {
    if (this.failures === 0) return;
    this.failures--;
    this.sleeps = 0;
  }
}
