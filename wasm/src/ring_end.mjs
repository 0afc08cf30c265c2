// SPDX-License-Identifier: MIT
// ring_end.mjs: what both ends of rings and streams are: words, views of memory, the rights to wait, and closing.
//
// An end counts modulo 2^32 in numbers that V8 and SpiderMonkey keep as 32-bit integers; differences are taken with
// `| 0`. The shared words hold 31 bits of the index beside SLEEP.
import { DOMAIN_MAIN, DOMAIN_SERVER, DOMAIN_WORKER, RING_SEQUENCED, RING_SLEEP, RING_WAITABLE, STATUS } from './layout.mjs';
import { Patience, Turns, newSpin } from './ring_wait.mjs';
import { ASYMMETRIC, CLOSED, ENDS_BYTES } from './ring_layout.mjs';
import { TernError } from './status.mjs';
import { requireBlocking, wake } from './wait.mjs';

/** @typedef {import('./memory.mjs').Memory} Memory */
/** @typedef {import('./ring_layout.mjs').RingGeometry} RingGeometry */
/** @typedef {import('./ring_wait.mjs').Role} Role */

/** A bell's ringing end, as far as a producer needs it. @typedef {{ ring(source: number): unknown }} Ringer */

/**
 * @typedef {object} EndOptions
 * @property {number} [spinChecks] how often *Wait looks before it sleeps; default 1,000, 0: never
 * @property {'worker' | 'main' | 'server'} [domain] 'main': *Wait calls are refused. Default: what the thread may do
 */

const DOMAINS = Object.freeze({ worker: DOMAIN_WORKER, main: DOMAIN_MAIN, server: DOMAIN_SERVER });
const NO_WORDS = new Int32Array(0);

/** One end of a ring or stream: a view, private to its thread, of bytes that another thread has the other end of. */
export class RingEnd {
  /**
   * @param {Memory} memory @param {number} offset @param {RingGeometry} g @param {EndOptions} options
   * @param {number} own PRODUCER or CONSUMER
   * @param {string} what for errors, such as 'ring consumer'
   */
  constructor(memory, offset, g, options, own, what) {
    const { spinChecks, domain = 'worker' } = options;
    if (!Object.hasOwn(DOMAINS, domain))
      throw new TernError(STATUS.ERR_ARGUMENT, `${what}: domain must be 'worker', 'main' or 'server', not '${domain}'`);
    if (spinChecks !== undefined && !(Number.isInteger(spinChecks) && spinChecks >= 0))
      throw new TernError(STATUS.ERR_ARGUMENT, `${what}: spinChecks must be a whole number from 0, not ${spinChecks}`);
    /** Slots: read only. */
    this.capacityItems = g.capacityItems;
    /** The role in a region; null outside of one. @type {Role | null} */
    this.role = null;
    /** What the open found of a predecessor, of a view that was opened in a region.
     *  @type {import('./region_peers.mjs').Recovery | null} */
    this.recovery = null;
    /** @protected */ this.memory = memory;
    /** @protected */ this.offset = offset;
    /** @protected */ this.geometry = g;
    /** @protected */ this.own = own;
    /** @protected */ this.what = what;
    /** @protected */ this.isMain = DOMAINS[domain] === DOMAIN_MAIN;
    /** Whether *Wait has been found to be allowed here. @protected */ this.mayBlock = false;
    /** @protected */ this.waitable = (g.flags & RING_WAITABLE) !== 0;
    /** @protected */ this.sequenced = (g.flags & RING_SEQUENCED) !== 0;
    /** @protected */ this.mask = g.capacityItems - 1;
    /** OK, or ERR_CORRUPT once the other end's words made no sense. @protected @type {number} */
    this.failure = STATUS.OK;
    /** Both ends' words; length 0: detached, or the memory has grown. @protected @type {Int32Array} */
    this.ends = memory.words(offset + g.endsOffset, ENDS_BYTES);
    /** @protected */ this.attached = true;
    /** @protected */ this.spin = newSpin(spinChecks);
    /** @protected */ this.patience = new Patience();
    /** @protected */ this.turns = new Turns();
    // this end publishes by exchange: told before the first one
    if (this.waitable) Atomics.store(this.ends, own + ASYMMETRIC, 0);
  }

  /** Make the views again, after the memory has grown and the old ones have length 0. Classes that add views
   *  extend it. @protected */
  renew() {
    if (!this.attached) throw new TernError(STATUS.ERR_STATE, `this ${this.what} has been detached; attach again`);
    this.ends = this.memory.words(this.offset + this.geometry.endsOffset, ENDS_BYTES);
  }

  /**
   * Publish by a word: the bytes before it become visible with it, [RING-1] and [RING-2]. Pairs with the other
   * end's load of it, here and in C.
   *
   * @protected
   * @param {Int32Array} words @param {number} index @param {number} value
   */
  publishWord(words, index, value) {
    if (!this.waitable) Atomics.store(words, index, value);
    else if ((Atomics.exchange(words, index, value) & RING_SLEEP) !== 0) wake(words, index);
  }

  /** The flag, then the end's own word once more: whoever sleeps on the word, or is about to, learns of it from
   *  the word alone. @protected @param {Int32Array} words @param {number} index @param {number} value */
  closeBy(words, index, value) {
    // [RING-3] all that was published before the flag; pairs with the other end's status
    Atomics.store(this.ends, this.own + CLOSED, 1);
    // [RING-4] the flag before the word; pairs with the sleeper's compare-exchange
    if (this.waitable && (Atomics.exchange(words, index, value) & RING_SLEEP) !== 0) wake(words, index);
  }

  /** Give the view up. @protected */
  leave() {
    if (!this.attached) return;
    this.attached = false;
    this.ends = NO_WORDS;
    this.role?.release?.();
    this.role = null;
  }

  /** What *Wait calls check first. @protected @param {string} call */
  mayWait(call) {
    this.mayWaitAsync(call);
    if (this.mayBlock) return;
    requireBlocking(this.ends, this.isMain, `${this.what}: ${call}`);
    this.mayBlock = true;   // neither the thread nor the kind of memory ever changes
  }

  /** @protected @param {string} call */
  mayWaitAsync(call) {
    if (this.ends.length === 0) this.renew();
    if (!this.waitable) {
      throw new TernError(STATUS.ERR_UNSUPPORTED,
        `${this.what}: ${call} needs a waitable object; format it with waitable: true, or try again and again`);
    }
  }

  /** For one asynchronous call; several may be under way at once, on other views of this thread too.
   *  @protected @param {number} timeoutMs */
  newPatience(timeoutMs) { return new Patience().beginAsync(this.role, timeoutMs); }

  /** @protected @param {number} status @param {string} call */
  throwIfFailed(status, call) {
    if (status !== STATUS.OK) throw new TernError(status, `${this.what}, ${call}`);
  }
}
