// SPDX-License-Identifier: MIT
// triple_writer.mjs: the writer's end of a triple buffer.
import { STATUS, TRIPLE_FRESH, TRIPLE_SLEEP } from './layout.mjs';
import { refuse } from './header.mjs';
import {
  READER_CLOSED, WORD, WRITER_CLOSED, afterPublish, afterUpdate, backOf, corruptTriple, detached, frontOf, loadNumber,
  loadTriple, numberAt, numberFits, readyOf, storeNumber, viewsOf, whenSeen,
} from './triple_word.mjs';
import { NO_WORDS } from './memory.mjs';
import { wake } from './wait.mjs';

/** @typedef {import('./memory.mjs').Memory} Memory */
/** @typedef {import('./views.mjs').Views} Views */
/** @typedef {import('./waiter.mjs').Role} Role */
/** What an object rings after each publication. @typedef {{ ring(source: number): boolean, sources: number }} Ringer */

/** Compare-exchanges of one publication: the guess, one that fails for each of the two changes that a reader can
 *  make in between, and the one that succeeds. */
const PUBLISH_TRIES = 4;

/** The writer's end; from Triple.writer(). */
export class TripleWriter {
  /** @type {Memory | null} */ #memory;
  #offset;
  #layout;
  #views;
  #words;
  #word = 0;     // as we left it, without SLEEP
  #guess = 0;    // what it will be at the next publication
  #back;
  #frame = 0;
  /** @type {number} */ #status = STATUS.OK;
  /** @type {Ringer | null} */ #bell = null;
  #source = 0;

  /** @param {Memory} memory @param {number} offset */
  constructor(memory, offset) {
    const { layout, words, word } = loadTriple(memory, offset);
    // in the buffer that holds the last frame, to which nobody writes
    const last = numberAt(layout, (word & TRIPLE_FRESH) !== 0 ? readyOf(word) : frontOf(word));
    const frame = loadNumber(words, last);
    if (frame >= Number.MAX_SAFE_INTEGER || !numberFits(frame, word))
      throw corruptTriple(offset, 'the last frame has another number than the word says');
    this.#memory = memory;
    this.#offset = offset;
    this.#layout = layout;
    this.#words = words;
    this.#views = viewsOf(memory, offset, layout);
    this.#frame = frame;
    this.#back = this.#views[0];
    /** Bytes of a frame. */
    this.bufferSizeBytes = layout.bufferSizeBytes;
    /** Of a view that was opened in a region. @type {Role | null} */
    this.role = null;
    /** What the open found of a predecessor, of a view that was opened in a region.
     *  @type {import('./region_peers.mjs').Recovery | null} */
    this.recovery = null;
    this.#left(word & ~TRIPLE_SLEEP);
    wake(words, WORD);   // a predecessor may have died between publishing and waking
  }

  /** The words of a memory that has grown. */
  #renew() {
    if (this.#memory === null) return detached();
    this.#words = this.#memory.words(this.#offset, this.#layout.totalSizeBytes);
    return this.#words;
  }

  /** The word is so now: number the buffer that is ours. @param {number} word */
  #left(word) {
    this.#word = this.#guess = word;
    this.#back = this.#views[backOf(word)];
    storeNumber(this.#words, numberAt(this.#layout, backOf(word)), this.#frame + 1);
  }

  /** One of the values that the word can have by what we left there. @param {number} seen */
  #expects(seen) {
    return seen === this.#word || (seen & ~TRIPLE_SLEEP) === whenSeen(this.#word);
  }

  /** The buffer to write the next frame to, the writer's own until publish(). It holds an older frame or none, not the
   *  last one: write all of it. @returns {Views} */
  get back() { return this.#back; }

  /** Number of the last frame that was published; they count from 1. */
  get frame() { return this.#frame; }

  /**
   * Hand over what was written to `back`, and get another buffer.
   *
   * Role: writer. Progress: wait-free: at most 4 compare-exchanges; one wake if the reader sleeps.
   * Order: [TRIPLE-1] the frame before the word, [TRIPLE-2] the reader's last reads of the buffer that we get; pairs
   * with update(), here and in C. Crash: publishes wholly or not at all.
   *
   * @returns {boolean} true: the frame that it replaces was never read; false: it was, or there was none, or the word
   *   made no sense (status is ERR_CORRUPT), and nothing was written
   */
  publish() {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    let was = this.#guess;
    for (let tries = 0; tries !== PUBLISH_TRIES; tries++) {
      const next = afterPublish(was);
      const seen = Atomics.compareExchange(words, WORD, was, next);
      if (seen === was) {
        this.#frame++;
        this.#left(next);
        // the reader will do what it did: read or not, asleep or not
        if ((was & TRIPLE_FRESH) === 0) this.#guess = afterUpdate(next) | (was & TRIPLE_SLEEP);
        if ((was & TRIPLE_SLEEP) !== 0) wake(words, WORD);
        if (this.#bell !== null) this.#bell.ring(this.#source);
        return (was & TRIPLE_FRESH) !== 0;
      }
      if (!this.#expects(seen)) break;
      was = seen;
    }
    this.#status = STATUS.ERR_CORRUPT;
    return false;
  }

  /**
   * Ring a bell after each publication, so that one thread can sleep for many objects.
   *
   * @param {Ringer | null} bell a view of this thread, attached until detach() or the next bind(); null: ring no more
   * @param {number} [source]
   */
  bind(bell, source = 0) {
    if (bell !== null && !(source >= 0 && source < bell.sources)) refuse(`the bell has no source ${source}`);
    this.#bell = bell;
    this.#source = source;
  }

  /** How the writer stands: STATUS.OK; ERR_CLOSED: the reader closed and touches the memory no more ([TRIPLE-5]);
   *  ERR_CORRUPT: the word made no sense, and a publish() wrote nothing. @returns {number} */
  get status() {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    return Atomics.load(words, READER_CLOSED) !== 0 ? STATUS.ERR_CLOSED : this.#status;
  }

  /**
   * Say that nothing more will be published, and wake the reader, which still gets the last frame. It cannot be taken
   * back; publish no more.
   *
   * Order: [TRIPLE-3] the last frame before the flag, [TRIPLE-4] the flag before the word.
   */
  close() {
    const words = this.#words.length !== 0 ? this.#words : this.#renew();
    Atomics.store(words, WRITER_CLOSED, 1);
    let was = Atomics.load(words, WORD);
    let done = false;
    // the word once more, even if it stays the same: who sleeps on it, or is about to, learns of the flag by that
    for (let tries = 0; tries !== PUBLISH_TRIES && !done && this.#expects(was); tries++) {
      const next = was & ~TRIPLE_SLEEP;
      const seen = Atomics.compareExchange(words, WORD, was, next);
      done = seen === was;
      if (done) this.#left(next);
      else was = seen;
    }
    if (!done) this.#status = STATUS.ERR_CORRUPT;
    if (!done || (was & TRIPLE_SLEEP) !== 0) wake(words, WORD);
    if (this.#bell !== null) this.#bell.ring(this.#source);
  }

  /** Give the end back without closing it; a successor may attach, in any language. What was written to `back` is
   *  lost. Nothing but ERR_STATE comes from this view any more. */
  detach() {
    this.role?.release?.();
    this.#memory = this.role = this.#bell = null;
    this.#words = NO_WORDS;
  }
}
