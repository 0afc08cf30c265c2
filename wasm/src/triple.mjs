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
  ROLE_CONSUMER, ROLE_PRODUCER, TRIPLE_FRAME_SHIFT, TRIPLE_FRESH, TRIPLE_SLEEP, TYPE_TRIPLE,
} from './layout.mjs';
import { Memory } from './memory.mjs';
import { openEnd } from './open.mjs';
import { TripleReader } from './triple_reader.mjs';
import {
  READER_CLOSED, WRITER_CLOSED, backOf, describedLayout, formatTriple, frontOf, loadTriple, readyOf,
} from './triple_word.mjs';
import { TripleWriter } from './triple_writer.mjs';

/** @typedef {import('./memory.mjs').MemorySource} MemorySource */
/** @typedef {import('./triple_word.mjs').TripleDesc} TripleDesc */
/** @typedef {import('./open.mjs').OpenOptions} OpenOptions */
/** @typedef {import('./region.mjs').Region} Region */
/** @typedef {import('./waiter.mjs').WaitOptions} WaitOptions */

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
