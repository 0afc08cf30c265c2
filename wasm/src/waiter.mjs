// SPDX-License-Identifier: MIT
// waiter.mjs: a view that waits: it looks a while, sets SLEEP in the word that the others publish by, looks again,
// and sleeps while the word holds just that. Of readers of triple buffers and collectors of bells.
//
// As C's struct tern__patience: the time-out becomes a deadline when the looking is over, so that a wait which ends
// before that never reads the clock, and most sleeps read it once.
import { SPIN_CHECKS, STATUS } from './layout.mjs';
import { TernError, check } from './status.mjs';
import { Spin, deadline, requireBlocking, sleep, sleepAsync } from './wait.mjs';

/**
 * What a view that was opened in a region knows of the end that it has: whose it is, and the other one.
 *
 * @typedef {object} Role
 * @property {() => boolean} otherIsDead the other end was held by a peer that died, and nobody has taken it since
 * @property {() => void} [release] gives the end to whoever comes next; called by detach()
 * @property {boolean} [isTaken] false: the end is taken when it is first waited with, by take() (a bell's collector)
<<<<<<< HEAD
 * @property {(what: string) => import('./region_peers.mjs').Recovery} [take] not 'clean': who had it before died with
 *   it; throws TernError: ERR_BUSY: a live peer has it
||||||| parent of ffb15ed (tests: what a liar leaves is answered as C answers it; lines of 120 columns)
 * @property {(what: string) => { outcome: string }} [take] not 'clean': who had it before died with it;
 *   throws TernError, ERR_BUSY: a live peer has it
=======
 * @property {(what: string) => { outcome: string }} [take] not 'clean': who had it before died with it;
 *   throws TernError, ERR_BUSY: a live peer has it
>>>>>>> ffb15ed (tests: what a liar leaves is answered as C answers it; lines of 120 columns)
 */

/**
 * @typedef {object} WaitOptions
 * @property {number} [spinChecks] most looks before a wait goes to sleep; 1,000
 * @property {'worker' | 'main' | 'server'} [domain] of the view; 'main': calls that block are refused
 */

/** So long sleeps, at most, who can see whether the other end lives. */
const WATCH_MS = 50;

/** How long one waiting call goes on. */
class Patience {
  /** @param {Spin} spin of the view */
  constructor(spin) {
    this.spin = spin;
    this.timeoutMs = 0;
    this.end = 0;
    this.allowed = 0;
    this.looks = 0;
    this.started = false;   // the looking is over
    this.watched = false;   // it slept for a while: time to see whether the other end lives
  }

  /** @param {number} timeoutMs @param {number} looks before it sleeps */
  begin(timeoutMs, looks) {
    if (!(timeoutMs >= 0)) deadline(timeoutMs);   // says what is wrong
    this.timeoutMs = timeoutMs;
    this.allowed = this.looks = timeoutMs === 0 ? 0 : looks;
    this.started = this.watched = false;
  }

  /**
   * What to do after a look that found nothing.
   *
   * @param {Role | null} role
   * @returns {number} 0: look again; above: sleep for at most so many milliseconds; below: the time has passed
   */
  next(role) {
    if (this.looks > 0) {
      this.looks--;
      return 0;
    }
    if (this.timeoutMs === 0) return -1;
    let left = this.timeoutMs;
    if (!this.started) {
      this.started = true;
      this.end = deadline(left);
      if (this.allowed > 0) this.spin.failed();
    } else if (left !== Infinity) {
      left = this.end - performance.now();
      if (left <= 0) return -1;
    }
    if (role === null) return left;
    if (this.watched && role.otherIsDead())
      throw new TernError(STATUS.ERR_PEER_DEAD, 'who had the other end died, and has no successor yet');
    this.watched = false;
    return Math.min(left, WATCH_MS);
  }

  /** It found what it waited for: remember what came of the looking. */
  found() {
    if (this.looks !== this.allowed && !this.started) this.spin.helped();
    return true;
  }
}

/** What waits. A view of a kind of object says how it looks, and on which word it sleeps. */
export class Waiter {
  #patience;

  /** @param {WaitOptions} options */
  constructor({ spinChecks = SPIN_CHECKS, domain = 'worker' }) {
    /** @protected */
    this.spin = new Spin(spinChecks);
    /** Whether the view may not block. @protected */
    this.isMain = domain === 'main';
    /** Of a view that was opened in a region. @type {Role | null} */
    this.role = null;
    /** What the open found of a predecessor, of a view that was opened in a region.
     *  @type {import('./region_peers.mjs').Recovery | null} */
    this.recovery = null;
    this.#patience = new Patience(this.spin);
  }

  /** Whether there is what it waits for. @protected @returns {boolean} */
  sees() { throw new Error('sees() is missing'); }

  /** Why there is nothing: one of STATUS, OK: not yet. @returns {number} */
  get status() { throw new Error('status is missing'); }

  /** Get ready to sleep. @returns {boolean} false: look again */
  arm() { throw new Error('arm() is missing'); }

  /** The word to sleep on. @protected @returns {Int32Array} */
  get sleepWords() { throw new Error('sleepWords is missing'); }

  /** Its index. @protected @returns {number} */
  get sleepIndex() { throw new Error('sleepIndex is missing'); }

  /** What it holds once arm() said yes. @protected @returns {number} */
  get sleepValue() { throw new Error('sleepValue is missing'); }

  /**
   * Wait, blocking.
   *
   * @protected
   * @param {number} timeoutMs
   * @param {string} call its name, for errors
   * @returns {boolean} true: there is something; false: the time has passed
   */
  block(timeoutMs, call) {
    const patience = this.#patience;
    requireBlocking(this.sleepWords, this.isMain, call);
    patience.begin(timeoutMs, this.spin.allowed());
    for (;;) {
      if (this.sees()) return patience.found();
      check(this.status, call);
      const left = patience.next(this.role);
      if (left < 0) return false;
      if (left > 0 && this.arm()) patience.watched = !sleep(this.sleepWords, this.sleepIndex, this.sleepValue, left);
    }
  }

  /**
   * Wait without blocking, and without spinning.
   *
   * @protected
   * @param {number} timeoutMs
   * @param {string} call
   * @returns {Promise<boolean>}
   */
  async blockAsync(timeoutMs, call) {
    const patience = new Patience(this.spin);   // one's own: several may wait
    patience.begin(timeoutMs, 0);
    for (;;) {
      if (this.sees()) return true;
      check(this.status, call);
      const left = patience.next(this.role);
      if (left < 0) return false;
      if (left > 0 && this.arm())
        patience.watched = !await sleepAsync(this.sleepWords, this.sleepIndex, this.sleepValue, left);
    }
  }
}

const TURN_MS = 8;
const CALLS_A_LOOK = 32;

/** Lets an async loop that never finds nothing give the event loop a turn now and then: a promise that is fulfilled
 *  at once lets no timer and no frame of a page run. */
export class Turns {
  #calls = 0;
  #since = performance.now();

  /** Await this in each turn of the loop. @returns {Promise<void> | undefined} */
  next() {
    if (++this.#calls % CALLS_A_LOOK !== 0 || performance.now() - this.#since < TURN_MS) return undefined;
    return new Promise((resolve) => {
      setTimeout(() => {
        this.#since = performance.now();
        resolve();
      }, 0);
    });
  }
}
