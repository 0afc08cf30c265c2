// SPDX-License-Identifier: MIT
// waiter.mjs: how a view waits, of whatever kind of object: it looks a while, sets SLEEP in the word that the others
// publish by, looks again, and sleeps while the word holds just that. A kind says how it looks, and which word it is.
import { DOMAIN_MAIN, SPIN_CHECKS, STATUS } from './layout.mjs';
import { domainNumber } from './domain.mjs';
import { TernError } from './status.mjs';
import { Spin, deadline, pause, requireBlocking, sleep, sleepAsync } from './wait.mjs';

/**
 * What a view that was opened in a region knows of the end that it has: whose it is, and the other one.
 *
 * @typedef {object} Role
 * @property {() => boolean} otherIsDead the other end was held by a peer that died, and nobody has taken it since
 * @property {() => void} [release] gives the end to whoever comes next; called by detach()
 * @property {boolean} [isTaken] false: the end is taken when it is first waited with, by take() (a bell's collector)
 * @property {(what: string) => import('./region_peers.mjs').Recovery} [take] not 'clean': who had it before died with
 *   it; throws TernError: ERR_BUSY: a live peer has it
 */

/**
 * @typedef {object} WaitOptions
 * @property {number} [spinChecks] how often a blocking wait looks before it sleeps; default 1,000, 0: never
 * @property {import('./domain.mjs').Domain} [domain] 'main': calls that block are refused. Default: what the thread may
 */

/** So long sleeps, at most, who can see whether the other end lives; as in C. */
const WATCH_MS = 20;
/** Pause between two looks, in turns of pause(). */
const LOOK_TURNS = 30;

/** How long one waiting call goes on; C's struct tern__patience. The time-out becomes a deadline when the looking is
 *  over: a wait that ends before never reads the clock, and most sleeps read it once. */
class Patience {
  constructor() {
    /** @type {Spin | null} */
    this.spin = null;
    /** @type {Role | null} */
    this.role = null;
    this.timeoutMs = 0;
    this.end = 0;
    this.allowed = 0;
    this.looks = 0;
    this.started = false;   // the looking is over
    this.watched = false;   // it slept for a while: time to see whether the other end lives
  }

  /**
   * @param {Spin | null} spin of the view; null: no looking, which would hold up an event loop
   * @param {Role | null} role of the view
   * @param {number} timeoutMs
   */
  begin(spin, role, timeoutMs) {
    if (!(timeoutMs >= 0)) deadline(timeoutMs);   // says what is wrong
    this.spin = spin;
    this.role = role;
    this.timeoutMs = timeoutMs;
    this.allowed = this.looks = spin !== null && timeoutMs !== 0 ? spin.allowed() : 0;
    this.started = this.watched = false;
    return this;
  }

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
    if (left === 0) return -1;
    if (!this.started) {
      this.started = true;
      this.end = deadline(left);
      if (this.spin !== null) this.spin.failed();
    } else if (left !== Infinity) {
      left = this.end - performance.now();
      if (left <= 0) return -1;
    }
    if (this.role === null) return left;
    if (this.watched && this.role.otherIsDead())
      throw new TernError(STATUS.ERR_PEER_DEAD, 'the other end was held by a peer that died, and has no successor yet');
    this.watched = false;
    return Math.min(left, WATCH_MS);
  }

  /** It found what it waited for: remember what came of the looking. */
  found() {
    if (this.spin !== null && this.looks !== this.allowed && !this.started) this.spin.helped();
    return true;
  }
}

const TURN_MS = 8;
const CALLS_A_LOOK = 32;

/**
 * Gives the event loop a turn. A promise that is fulfilled at once lets no timer and no frame of a page run, so a loop
 * over an object that always has something would stop the page: after 8 ms of such calls one waits for the event loop.
 */
class Turns {
  constructor() {
    this.calls = 0;
    this.since = performance.now();
  }

  /** Whether this call should await turn() before it answers. */
  isDue() {
    return ++this.calls % CALLS_A_LOOK === 0 && performance.now() - this.since > TURN_MS;
  }

  /** The loop has just had one. */
  slept() { this.since = performance.now(); }

  async turn() {
    await new Promise((resolve) => { setTimeout(resolve, 0); });
    this.slept();
  }
}

/** A view that can wait. Those of each kind of object extend it, and override what throws here. */
export class Waiter {
  /** @param {WaitOptions} options @param {string} what for errors, such as 'ring consumer' */
  constructor({ spinChecks = SPIN_CHECKS, domain = 'worker' }, what) {
    if (!(Number.isInteger(spinChecks) && spinChecks >= 0))
      throw new TernError(STATUS.ERR_ARGUMENT, `${what}: spinChecks must be a whole number from 0, not ${spinChecks}`);
    /** @protected */ this.what = what;
    /** Whether the view may not block. @protected */ this.isMain = domainNumber(domain) === DOMAIN_MAIN;
    /** Whether blocking has been found to be allowed here. @protected */ this.mayBlock = false;
    /** The role in a region; null outside of one. @type {Role | null} */
    this.role = null;
    /** What the open found of a predecessor, of a view that was opened in a region.
     *  @type {import('./region_peers.mjs').Recovery | null} */
    this.recovery = null;
    /** @protected */ this.spin = new Spin(spinChecks);
    /** @private */ this.patience = new Patience();
    /** @private */ this.turns = new Turns();
  }

  // ---- Of each kind ------------------------------------------------------------------------

  /** Look whether there is what it waits for.
   *  @protected @param {number} want what a kind says it is @returns {boolean} */
  sees(want) { throw new Error(`${this.what}: no sees(${want})`); }

  /** Why there is nothing: one of STATUS, OK: not yet. @returns {number} */
  get status() { throw new Error(`${this.what}: no status`); }

  /** Set SLEEP, and look again. @protected @returns {boolean} false: something has changed, look again */
  arm() { throw new Error(`${this.what}: no arm()`); }

  /** The word to sleep on. @protected @returns {Int32Array} */
  get sleepWords() { throw new Error(`${this.what}: no sleepWords`); }

  /** Its index. @protected @returns {number} */
  get sleepIndex() { throw new Error(`${this.what}: no sleepIndex`); }

  /** What it holds once arm() said yes. @protected @returns {number} */
  get sleepValue() { throw new Error(`${this.what}: no sleepValue`); }

  /** After arm() said yes. @protected @param {number} mostMs @returns {number} so long it may sleep before it looks */
  fallAsleep(mostMs) { return mostMs; }

  /** After the sleep. @protected */
  wakeUp() {}

  // ---- Of all ------------------------------------------------------------------------------

  /** What calls that block check first. @protected @param {string} call */
  mayWait(call) {
    if (this.mayBlock) return;
    requireBlocking(this.sleepWords, this.isMain, `${this.what}: ${call}`);
    this.mayBlock = true;   // neither the thread nor the kind of memory ever changes
  }

  /** @protected @param {number} status @param {string} call */
  throwIfFailed(status, call) {
    if (status !== STATUS.OK) throw new TernError(status, `${this.what}, ${call}`);
  }

  /** Throw if nothing will come any more. @protected @param {string} call
   *  @returns {boolean} true: something has come meanwhile */
  seesEnd(call) {
    this.throwIfFailed(this.status, call);
    return false;
  }

  /**
   * Wait, blocking, after mayWait() and a look that found nothing.
   *
   * @protected
   * @param {number} timeoutMs
   * @param {string} call its name, for errors
   * @param {number} [want] for sees()
   * @returns {boolean} true: there is something; false: the time has passed
   */
  block(timeoutMs, call, want = 0) {
    const patience = this.patience.begin(this.spin, this.role, timeoutMs);
    do {
      if (this.seesEnd(call)) continue;
      const left = patience.next();
      if (left < 0) return false;
      if (left > 0 && this.arm()) {
        patience.watched = !sleep(this.sleepWords, this.sleepIndex, this.sleepValue, this.fallAsleep(left));
        this.wakeUp();
      }
    } while (!this.sees(want));
    return patience.found();
  }

  /**
   * Wait without blocking, and without spinning; it looks itself.
   *
   * @protected
   * @param {number} timeoutMs
   * @param {string} call
   * @param {number} [want]
   * @returns {Promise<boolean>}
   */
  async blockAsync(timeoutMs, call, want = 0) {
    const patience = new Patience().begin(null, this.role, timeoutMs);   // one's own: several may wait
    if (this.turns.isDue()) await this.turns.turn();
    while (!this.sees(want)) {
      if (this.seesEnd(call)) continue;
      const left = patience.next();
      if (left < 0) return false;
      if (this.arm()) {
        const most = this.fallAsleep(left);
        patience.watched = !await sleepAsync(this.sleepWords, this.sleepIndex, this.sleepValue, most);
        this.wakeUp();
        this.turns.slept();
      }
    }
    return true;
  }
}
