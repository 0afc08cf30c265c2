// SPDX-License-Identifier: MIT
// triple_reader.mjs: the reader's end of a triple buffer.
import { STATUS, TRIPLE_FRESH, TRIPLE_SLEEP } from './layout.mjs';
import { isClosed } from './status.mjs';
import {
  READER_CLOSED, WORD, WRITER_CLOSED, afterPublish, afterUpdate, corruptTriple, detached, frontOf, loadNumber,
  loadTriple, makesSense, numberAt, numberFits, viewsOf,
} from './triple_word.mjs';
import { NO_WORDS } from './memory.mjs';
import { wake } from './wait.mjs';
import { Waiter } from './waiter.mjs';

/** @typedef {import('./memory.mjs').Memory} Memory */
/** @typedef {import('./views.mjs').Views} Views */
/** @typedef {import('./waiter.mjs').WaitOptions} WaitOptions */

/** Of one update: each that fails has met a newer frame. This bounds what a writer without end can cost. */
const UPDATE_TRIES = 64;

/** The reader's end; from Triple.reader(). */
export class TripleReader extends Waiter {
  /** @type {Memory | null} */ #memory;
  #offset;
  #layout;
  #views;
  #words;
  #word = 0;
  #guess = 0;    // what it will be at the next update; 0: look
  #frame = 0;
  #dropped = 0;
  /** @type {number} */ #status = STATUS.OK;
  /** @type {Views | null} */ #front = null;

  /** @param {Memory} memory @param {number} offset @param {WaitOptions} options */
  constructor(memory, offset, options) {
    super(options, 'triple buffer reader');
    const { layout, words, word } = loadTriple(memory, offset);
    const frame = loadNumber(words, numberAt(layout, frontOf(word)));
    if (frame >= Number.MAX_SAFE_INTEGER || ((word & TRIPLE_FRESH) === 0 && !numberFits(frame, word)))
      throw corruptTriple(offset, 'the frame in front has another number than the word says');
    this.#memory = memory;
    this.#offset = offset;
    this.#layout = layout;
    this.#words = words;
    this.#views = viewsOf(memory, offset, layout);
    this.#word = word & ~TRIPLE_SLEEP;
    this.#frame = frame;
    if (frame !== 0) this.#front = this.#views[frontOf(word)];
    /** Bytes of a frame. */
    this.bufferSizeBytes = layout.bufferSizeBytes;
  }

  #renew() {
    if (this.#memory === null) return detached();
    this.#words = this.#memory.words(this.#offset, this.#layout.totalSizeBytes);
    return this.#words;
  }

  /** The frame in front, whole and unchanged until the next update(); null before the first one, and after one whose
   *  number was a lie (ERR_CORRUPT). @returns {Views | null} */
  get front() { return this.#front; }

  /** Number of the frame in front; 0: none yet. Numbers rise strictly. */
  get frame() { return this.#frame; }

  /** Frames that were published and never put in front, from the one that was there at attach on. */
  get dropped() { return this.#dropped; }

  /** Whether a word has a newer frame for us. One that makes no sense sets the status. @param {number} seen */
  #isNewer(seen) {
    const fresh = (seen & TRIPLE_FRESH) !== 0;
    // without FRESH nothing was published, so nothing but SLEEP has changed
    const sound = fresh ? makesSense(seen) && frontOf(seen ^ this.#word) === 0 : (seen & ~TRIPLE_SLEEP) === this.#word;
    if (!sound) this.#status = STATUS.ERR_CORRUPT;
    return fresh && sound;
  }

  /** We have the buffer in front: what is in it? @param {Int32Array} words @param {number} word */
  #take(words, word) {
    const at = numberAt(this.#layout, frontOf(word));
    const low = words[at];
    const frame = (words[at + 1] >>> 0) * 4294967296 + (low >>> 0);
    this.#word = word;
    this.#guess = afterPublish(word);
    if (!numberFits(low, word) || frame <= this.#frame || frame >= Number.MAX_SAFE_INTEGER) {
      this.#status = STATUS.ERR_CORRUPT;
      this.#front = null;
      return false;
    }
    this.#dropped += frame - this.#frame - 1;
    this.#frame = frame;
    this.#front = this.#views[frontOf(word)];
    return true;
  }

  /**
   * Put the newest frame in front, if there is one that was never there.
   *
   * Role: reader. Progress: wait-free: a load or a compare-exchange, at most 65.
   * Order: [TRIPLE-1] the frame after the word, [TRIPLE-2] our reads of the buffer that we leave before it; pairs with
   * publish(), here and in C. Crash: takes it wholly or not at all; a successor finds in front what was there.
   *
   * @returns {boolean} true: there is a newer one in front; false: all as before, or ERR_CORRUPT (status), or 64 tries
   *   in a row were overtaken
   */
  update() {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    let was = this.#guess;
    if (was === 0) {
      was = Atomics.load(words, WORD);
      if (!this.#isNewer(was)) return false;
    }
    for (let tries = 0; tries !== UPDATE_TRIES; tries++) {
      const next = afterUpdate(was);
      const seen = Atomics.compareExchange(words, WORD, was, next);
      if (seen === was) return this.#take(words, next);
      if (!this.#isNewer(seen)) break;
      was = seen;
    }
    this.#guess = 0;
    return false;
  }

  /** How the reader stands: STATUS.OK; ERR_CLOSED: the writer closed and its last frame is in front ([TRIPLE-3]);
   *  ERR_CORRUPT: the word or a frame's number made no sense. @returns {number} @override */
  get status() {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    // the flag first, then the word: with the flag comes the last frame
    const closed = Atomics.load(words, WRITER_CLOSED) !== 0;
    const newer = this.#isNewer(Atomics.load(words, WORD));
    return !newer && closed && this.#status === STATUS.OK ? STATUS.ERR_CLOSED : this.#status;
  }

  // ---- Waiting -----------------------------------------------------------------------------

  /**
   * Wait, blocking, until there is something newer than the frame in front; update() gets it.
   *
   * @param {number} [timeoutMs] milliseconds; Infinity
   * @returns {boolean} true: there is; false: the time has passed. Throws TernError: ERR_CLOSED: the writer closed and
   *   its last frame is in front; ERR_CORRUPT; ERR_DOMAIN: this thread may not block; ERR_UNSUPPORTED: memory that is
   *   not shared; ERR_PEER_DEAD: the writer died and has no successor (views opened in a region)
   */
  wait(timeoutMs = Infinity) { return this.#waitFor(timeoutMs, 'wait'); }

  /** The same without blocking, also on a window's main thread.
   *  @param {number} [timeoutMs] @returns {Promise<boolean>} */
  waitAsync(timeoutMs = Infinity) { return this.blockAsync(timeoutMs, 'waitAsync'); }

  /** @param {number} timeoutMs @param {string} call */
  #waitFor(timeoutMs, call) {
    this.mayWait(call);
    return this.sees() || this.block(timeoutMs, call);
  }

  /** wait(), then update(). @param {number} [timeoutMs] @returns {boolean} true: a newer frame is in front; false: the
   *  time has passed. Throws as wait(). */
  updateWait(timeoutMs = Infinity) {
    while (this.#waitFor(timeoutMs, 'updateWait')) if (this.update()) return true;
    return false;
  }

  /** updateWait() without blocking. @param {number} [timeoutMs] @returns {Promise<boolean>} */
  async updateAsync(timeoutMs = Infinity) {
    while (await this.blockAsync(timeoutMs, 'updateAsync')) if (this.update()) return true;
    return false;
  }

  /** Each frame that is newer than the one before, as `front`; frames that came meanwhile are dropped. Ends when the
   *  writer has closed. @returns {AsyncGenerator<Views, void, void>} */
  async* [Symbol.asyncIterator]() {
    for (;;) {
      try {
        await this.updateAsync();
      } catch (error) {
        if (isClosed(error)) return;
        throw error;
      }
      if (this.#front !== null) yield this.#front;
    }
  }

  /** @protected @override */
  sees() {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    return this.#isNewer(Atomics.load(words, WORD));
  }

  /** Set SLEEP, so that the next publication wakes who sleeps on the word. Order: [TRIPLE-4] if the word is the
   *  closer's, its flag too; a later closer finds SLEEP. @override */
  arm() {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    const word = this.#word;
    const seen = Atomics.load(words, WORD);
    if ((seen & ~TRIPLE_SLEEP) !== word) return false;
    if (seen === word && Atomics.compareExchange(words, WORD, word, word | TRIPLE_SLEEP) !== word) return false;
    return Atomics.load(words, WRITER_CLOSED) === 0;
  }

  /** @protected @override */
  get sleepWords() { return this.#words.length !== 0 ? this.#words : this.#renew(); }
  /** @protected @override */
  get sleepIndex() { return WORD; }
  /** @protected @override */
  get sleepValue() { return this.#word | TRIPLE_SLEEP; }

  // ---- End ---------------------------------------------------------------------------------

  /** Say that nothing more will be read, and that the reader is through with the memory ([TRIPLE-5]). */
  close() {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    Atomics.store(words, READER_CLOSED, 1);
  }

  /** Give the end back without closing it; the frame in front stays there for a successor. Who waits through this view
   *  gets ERR_STATE. */
  detach() {
    this.role?.release?.();
    if (this.#words.length !== 0) wake(this.#words, WORD);
    this.#memory = this.role = this.#front = null;
    this.#words = NO_WORDS;
  }
}
