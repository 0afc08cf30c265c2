// SPDX-License-Identifier: MIT
// ring_wait.mjs: how an end of a ring or stream waits: it looks a while, then sleeps until a deadline.
//
// The sleeper puts SLEEP into the word that the other end publishes by, with compare-exchange; the exchange that
// publishes takes it out, and its end wakes. JavaScript always publishes by exchange. A native end may be in C's
// asymmetric mode (include/tern/ring_publish.h), where it publishes by plain stores and looks at `asleep`; for want
// of a barrier that such a store hears, who sleeps for it here comes back every millisecond, as C does without one.
import { RING_SLEEP, SPIN_CHECKS, STATUS } from './layout.mjs';
import { TernError } from './status.mjs';
import { Spin, deadline, sleep, sleepAsync } from './wait.mjs';
import { ASLEEP, ASYMMETRIC, CLOSED } from './ring_layout.mjs';

/** Whose end it is in a region, and whether the other end's peer has died; see Region.
 *  @typedef {{ otherIsDead(): boolean, release?(): void }} Role */

/** So long sleeps, at most, who can see whether the other end lives. */
const WATCH_MS = 20;
/** So long sleeps, at most, who is not heard by an asymmetric end. */
const UNHEARD_MS = 1;
/** Pause between two looks of a wait, in turns of pause(). */
const LOOK_TURNS = 30;

let drain = 0;

/**
 * Let some time pass: about a nanosecond a turn, once compiled. A loop that looks at a shared word without a pause
 * keeps taking its cache line from the end that is about to write it. JavaScript has no pause instruction
 * everywhere, so these are multiplications that wait for each other.
 *
 * @param {number} turns
 */
export function pause(turns) {
  let x = drain;
  for (let i = 0; i < turns; i++) x = (Math.imul(x, 0x5bd1e995) + 1) | 0;
  drain = x;
}

/** How long one waiting call goes on. The time-out becomes a deadline when the looking is over: a wait that ends
 *  before never reads the clock. */
export class Patience {
  constructor() {
    /** @type {Spin} */
    this.spin = NO_SPIN;
    /** @type {Role | null} */
    this.role = null;
    this.timeoutMs = 0;
    this.end = 0;
    this.allowed = 0;
    this.looks = 0;
    this.started = false;
    this.watched = false;
  }

  /**
   * @param {Spin} spin of the view that waits
   * @param {Role | null} role of that view
   * @param {number} timeoutMs
   */
  begin(spin, role, timeoutMs) {
    this.spin = spin;
    this.role = role;
    this.timeoutMs = timeoutMs;
    this.allowed = timeoutMs > 0 ? spin.allowed() : 0;
    this.looks = this.allowed;
    this.started = false;
    this.watched = false;
    return this;
  }

  /** Without looking, which would hold up an event loop. @param {Role | null} role @param {number} timeoutMs */
  beginAsync(role, timeoutMs) { return this.begin(NO_SPIN, role, timeoutMs); }

  /**
   * What to do after a look that found nothing.
   *
   * @returns {number} 0: look again; above: sleep for at most so many milliseconds; below: the time has passed
   */
  next() {
    if (this.looks > 0) {
      this.looks--;
      pause(LOOK_TURNS);
      return 0;
    }
    let left = this.timeoutMs;
    if (!this.started) {
      this.started = true;
      this.end = deadline(left);
      this.spin.failed();
      if (left === 0) return -1;
    } else {
      left = this.end - performance.now();
      if (left <= 0) return -1;
    }
    if (this.role === null) return left;
    if (this.watched && this.role.otherIsDead())
      throw new TernError(STATUS.ERR_PEER_DEAD, 'the other end was held by a peer that died, and has no successor yet');
    this.watched = false;
    return Math.min(left, WATCH_MS);
  }

  /** The wait has found what it waited for: remember what came of the looking. */
  found() {
    if (this.looks !== this.allowed && !this.started) this.spin.helped();
  }
}

const NO_SPIN = new Spin(0);

/** @param {number | undefined} checks */
export const newSpin = (checks) => new Spin(checks ?? SPIN_CHECKS);

/**
 * Get ready to sleep until the peer publishes, by the word, something other than what stood there before, or closes.
 *
 * @param {Int32Array} ends both ends' words
 * @param {number} peer PRODUCER or CONSUMER
 * @param {Int32Array} words where the word lies: the ends, or the sequences of the items
 * @param {number} index of the word
 * @param {number} before what the word held when there was nothing, without SLEEP
 * @returns {boolean} false: something has changed, look again
 */
function arm(ends, peer, words, index, before) {
  const seen = Atomics.load(words, index);
  if ((seen & ~RING_SLEEP) !== before) return false;
  // [RING-4] if the word is the closer's, its flag too; if the peer goes asymmetric by it, that it does. Pairs with
  // close() here, ring_close_end() and tern__ring_exchange() in C. If the closer comes later, its exchange finds SLEEP.
  if ((seen & RING_SLEEP) === 0 && Atomics.compareExchange(words, index, before, before | RING_SLEEP) !== before)
    return false;
  return Atomics.load(ends, peer + CLOSED) === 0;
}

/**
 * Sleep, after a look that found nothing; the arguments are arm()'s.
 *
 * @param {Patience} patience
 * @param {Int32Array} ends @param {number} peer @param {Int32Array} words @param {number} index @param {number} before
 * @param {number} mostMs what patience.next() said
 */
export function sleepOn(patience, ends, peer, words, index, before, mostMs) {
  if (!arm(ends, peer, words, index, before)) return;
  const value = before | RING_SLEEP;
  if (Atomics.load(ends, peer + ASYMMETRIC) === 0) {
    patience.watched = !sleep(words, index, value, mostMs);
    return;
  }
  // [RING-5] asleep before our last look at the word; the store that the peer makes meanwhile may still pass its look
  // at asleep, so this sleep is short
  Atomics.store(ends, peer + ASLEEP, 1);
  if (Atomics.load(words, index) === value) sleep(words, index, value, Math.min(mostMs, UNHEARD_MS));
  Atomics.store(ends, peer + ASLEEP, 0);
  patience.watched = true;
}

/**
 * The same without blocking.
 *
 * @param {Patience} patience
 * @param {Int32Array} ends @param {number} peer @param {Int32Array} words @param {number} index @param {number} before
 * @param {number} mostMs
 */
export async function sleepOnAsync(patience, ends, peer, words, index, before, mostMs) {
  if (!arm(ends, peer, words, index, before)) return;
  const value = before | RING_SLEEP;
  if (Atomics.load(ends, peer + ASYMMETRIC) === 0) {
    patience.watched = !await sleepAsync(words, index, value, mostMs);
    return;
  }
  Atomics.store(ends, peer + ASLEEP, 1);
  if (Atomics.load(words, index) === value) await sleepAsync(words, index, value, Math.min(mostMs, UNHEARD_MS));
  if (ends.length !== 0) Atomics.store(ends, peer + ASLEEP, 0);   // else the memory has grown, and is not shared
  patience.watched = true;
}

const TURN_MS = 8;
const CALLS_A_LOOK = 32;

/**
 * Gives the event loop a turn. A promise that is fulfilled at once never lets timers or frames run, so a loop over
 * a ring that is never empty would stop the page: after 8 ms of such calls one of them waits for the loop.
 */
export class Turns {
  constructor() {
    this.calls = 0;
    this.since = performance.now();
  }

  /** Whether this call should await turn() before it answers. */
  isDue() {
    if (++this.calls % CALLS_A_LOOK !== 0) return false;
    return performance.now() - this.since > TURN_MS;
  }

  /** The loop has just had one. */
  slept() { this.since = performance.now(); }

  async turn() {
    await new Promise((resolve) => { setTimeout(resolve, 0); });
    this.since = performance.now();
  }
}
