// SPDX-License-Identifier: MIT
// triple.mjs: triple buffer: the newest frame from one writer to one reader, who never wait for each other. What the
// reader was too slow for is dropped, and counted.
//
//     Triple.format(memory, 0, { bufferSizeBytes: 4 * points });
//     const writer = Triple.writer(memory);                        // in one thread
//     writer.back.f32.set(next);                                   // all of it, in any time
//     writer.publish();
//
//     const reader = Triple.reader(memory);                        // in another: once a picture, say
//     if (reader.update()) draw(reader.front.f32, reader.frame);   // whole, until the next update()
//     for await (const front of reader) draw(front.f32);           // or: each frame that is newer
//
// The other side may be C (docs/triple.md), whose calls have the same names. One writer and one reader at a time,
// each in one thread. All calls but the waits are wait-free, and none of them allocates.
import {
  ROLE_CONSUMER, ROLE_PRODUCER, STATUS, TRIPLE_FRAME_SHIFT, TRIPLE_FRESH, TRIPLE_SLEEP, TYPE_TRIPLE,
} from './layout.mjs';
import { refuse } from './header.mjs';
import { Memory } from './memory.mjs';
import { openEnd } from './open.mjs';
import { TernError } from './status.mjs';
import {
  READER_CLOSED, WORD, WRITER_CLOSED, afterPublish, afterUpdate, backOf, bytesAt, corruptTriple, describedLayout,
  formatTriple, frontOf, loadNumber, loadTriple, makesSense, numberAt, numberFits, readyOf, storeNumber, whenSeen,
} from './triple_word.mjs';
import { Views } from './views.mjs';
import { Turns, Waiter } from './waiter.mjs';
import { wake } from './wait.mjs';

/** @typedef {import('./memory.mjs').MemorySource} MemorySource */
/** @typedef {import('./triple_word.mjs').TripleDesc} TripleDesc */
/** @typedef {import('./triple_word.mjs').Layout} Layout */
/** @typedef {import('./open.mjs').OpenOptions} OpenOptions */
/** @typedef {import('./region.mjs').Region} Region */
/** @typedef {import('./waiter.mjs').WaitOptions} WaitOptions */
/** @typedef {import('./waiter.mjs').Role} Role */
/** What an object rings after each publication. @typedef {{ ring(source: number): boolean, sources: number }} Ringer */

/** Compare-exchanges of one publication: the guess, one that fails for each of the two changes that a reader can
 *  make in between, and the one that succeeds. */
const PUBLISH_TRIES = 4;
/** Of one update: each that fails has met a newer frame. This bounds what a writer without end can cost. */
const UPDATE_TRIES = 64;

const NO_WORDS = new Int32Array(0);

/** @param {Memory} memory @param {number} offset @param {Layout} layout */
const viewsOf = (memory, offset, layout) =>
  [0, 1, 2].map((index) => new Views(memory, offset + bytesAt(layout, index), layout.bufferSizeBytes));

/** @returns {never} */
const detached = () => { throw new TernError(STATUS.ERR_STATE, 'this view of a triple buffer was detached'); };

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
    super(options);
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
  wait(timeoutMs = Infinity) { return this.block(timeoutMs, 'reader.wait()'); }

  /** The same without blocking, also on a window's main thread.
   *  @param {number} [timeoutMs] @returns {Promise<boolean>} */
  waitAsync(timeoutMs = Infinity) { return this.blockAsync(timeoutMs, 'reader.waitAsync()'); }

  /** wait(), then update(). @param {number} [timeoutMs] @returns {boolean} true: a newer frame is in front; false: the
   *  time has passed. Throws as wait(). */
  updateWait(timeoutMs = Infinity) {
    while (this.block(timeoutMs, 'reader.updateWait()')) if (this.update()) return true;
    return false;
  }

  /** updateWait() without blocking. @param {number} [timeoutMs] @returns {Promise<boolean>} */
  async updateAsync(timeoutMs = Infinity) {
    while (await this.blockAsync(timeoutMs, 'reader.updateAsync()')) if (this.update()) return true;
    return false;
  }

  /** Each frame that is newer than the one before, as `front`; frames that came meanwhile are dropped. Ends when the
   *  writer has closed. @returns {AsyncGenerator<Views, void, void>} */
  async* [Symbol.asyncIterator]() {
    const turns = new Turns();
    for (;;) {
      try {
        await this.updateAsync();
      } catch (error) {
        if (error instanceof TernError && error.status === STATUS.ERR_CLOSED) return;
        throw error;
      }
      if (this.#front !== null) yield this.#front;
      await turns.next();
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

/** Triple buffers: make them, and attach to them. Whatever throws, throws TernError. */
export class Triple {
  /** Bytes needed. @param {TripleDesc} desc @returns {number} */
  static size(desc) { return describedLayout(desc).totalSizeBytes; }

  /**
   * Make a triple buffer in memory that nobody uses yet.
   *
   * @param {MemorySource | Memory} memory @param {number} offset bytes, a multiple of 64 @param {TripleDesc} desc
   */
  static format(memory, offset, desc) { formatTriple(Memory.of(memory), offset, desc); }

  /**
   * Take the writer's end, and wake the reader if it sleeps. Numbers go on after the last frame.
   *
   * @param {MemorySource | Memory} memory @param {number} [offset]
   * @returns {TripleWriter} throws TernError: ERR_NOT_READY, ERR_VERSION, ERR_CORRUPT, ERR_MEMORY, ERR_ALIGNMENT
   */
  static writer(memory, offset = 0) { return new TripleWriter(Memory.of(memory), offset); }

  /**
   * Take the reader's end. In front is what a predecessor had there.
   *
   * @param {MemorySource | Memory} memory @param {number} [offset] @param {WaitOptions} [options]
   */
  static reader(memory, offset = 0, options = {}) { return new TripleReader(Memory.of(memory), offset, options); }

  /**
   * Open the writer's end of a triple buffer by its name in a region; as Ring.openProducer(). Role: writer.
   *
   * @param {Region} region @param {string} name @param {TripleDesc} [desc] @param {OpenOptions} [options]
   * @returns {TripleWriter}
   */
  static openWriter(region, name, desc, options = {}) {
    return openEnd(region, OPEN_TYPE, name, desc, ROLE_PRODUCER, 'writer', (memory) => Triple.writer(memory), options);
  }

  /**
   * Open the reader's end of a triple buffer by its name in a region; as Ring.openProducer(). Role: reader.
   *
   * @param {Region} region @param {string} name @param {TripleDesc} [desc] @param {WaitOptions & OpenOptions} [options]
   * @returns {TripleReader}
   */
  static openReader(region, name, desc, options = {}) {
    return openEnd(region, OPEN_TYPE, name, desc, ROLE_CONSUMER, 'reader',
      (memory) => Triple.reader(memory, 0, { ...options, domain: region.domain }), options);
  }

  /** A look from outside: the header alone; every was_ may have changed already.
   *  @param {MemorySource | Memory} memory @param {number} [offset] */
  static inspect(memory, offset = 0) {
    const { layout, words, word } = loadTriple(Memory.of(memory), offset);
    return {
      bufferSizeBytes: layout.bufferSizeBytes,
      sizeBytes: layout.totalSizeBytes,
      wasBack: backOf(word), wasReady: readyOf(word), wasFront: frontOf(word),
      wasFrame: word >>> TRIPLE_FRAME_SHIFT,
      wasFresh: (word & TRIPLE_FRESH) !== 0,
      readerAsleep: (word & TRIPLE_SLEEP) !== 0,
      writerClosed: Atomics.load(words, WRITER_CLOSED) !== 0,
      readerClosed: Atomics.load(words, READER_CLOSED) !== 0,
    };
  }
}

/** @type {import('./open.mjs').OpenType<TripleDesc>} */
const OPEN_TYPE = {
  kind: 'triple buffer',
  type: TYPE_TRIPLE,
  size: Triple.size,
  isPaged: () => false,
  format: (memory, desc) => Triple.format(memory, 0, desc),
  matches: (memory, desc) => Triple.inspect(memory).bufferSizeBytes === desc.bufferSizeBytes,
};
