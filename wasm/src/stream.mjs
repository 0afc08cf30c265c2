// SPDX-License-Identifier: MIT
// stream.mjs: ring of variable-length records, one producer, one consumer.
//
//     const desc = { capacityBytes: 1 << 20, waitable: true };
//     const buffer = new SharedArrayBuffer(Stream.size(desc));
//     Stream.format(buffer, 0, desc);
//
//     const producer = Stream.producer(buffer);                // in one thread
//     producer.trySend(KIND_TEXT, 'hello');                    // false: no room now
//
//     const consumer = Stream.consumer(buffer);                // in another
//     for (let record; (record = consumer.peekWait());) {      // read where it lies
//       if (record.kind === KIND_TEXT) console.log(record.text());
//       consumer.release();
//     }
//
// The bytes are C's (docs/layout.md), the promises too (include/tern/stream.h, docs/stream.md): records come out whole
// and in order; a record has up to half the capacity.
import {
  RING_SEQUENCED, ROLE_CONSUMER, ROLE_PRODUCER, STATUS, STREAM_DEFAULT_CAPACITY_BYTES, STREAM_MAGIC,
  STREAM_MAX_CAPACITY_BYTES,
  STREAM_MAX_RECORD_BYTES, STREAM_MIN_CAPACITY_BYTES, STREAM_UNIT_BYTES, TYPE_STREAM,
} from './layout.mjs';
import { Memory } from './memory.mjs';
import { openEnd } from './open.mjs';
import { describedGeometry, formatRing, inspectRing, loadGeometry } from './ring_layout.mjs';
import { TernError } from './status.mjs';
import { StreamConsumer } from './stream_consumer.mjs';
import { StreamProducer } from './stream_producer.mjs';

/** @typedef {import('./memory.mjs').MemorySource} MemorySource */
/** @typedef {import('./open.mjs').OpenOptions} OpenOptions */
/** @typedef {import('./region.mjs').Region} Region */
/** @typedef {import('./ring_end.mjs').EndOptions} EndOptions */

/**
 * What to make.
 *
 * @typedef {object} StreamDesc
 * @property {number} [capacityBytes] rounded up to a power of two, 16 to 2^33; default 64 KiB
 * @property {boolean} [waitable] allow *Wait and *Async
 * @property {boolean} [paged] the consumer's words on a page of their own; not with waitable
 */

const WHAT = 'stream';

/** The ring that carries a stream. @param {StreamDesc} desc */
function streamGeometry({ capacityBytes = 0, waitable, paged }) {
  if (!Number.isInteger(capacityBytes) || capacityBytes < 0 || capacityBytes > STREAM_MAX_CAPACITY_BYTES) {
    throw new TernError(STATUS.ERR_ARGUMENT,
      `capacityBytes must be a whole number up to 2^33, or 0 for ${STREAM_DEFAULT_CAPACITY_BYTES}; `
      + `not ${capacityBytes}`);
  }
  const bytes = Math.max(capacityBytes || STREAM_DEFAULT_CAPACITY_BYTES, STREAM_MIN_CAPACITY_BYTES);
  const capacityItems = Math.ceil(bytes / STREAM_UNIT_BYTES);
  return describedGeometry({ itemSizeBytes: STREAM_UNIT_BYTES, capacityItems, waitable, paged });
}

/** Whether the ring that was found can carry a stream: units lie side by side.
 *  @param {{ itemSizeBytes: number, capacityItems: number }} ring @param {boolean} sequenced */
function checkSound({ itemSizeBytes, capacityItems }, sequenced) {
  if (itemSizeBytes !== STREAM_UNIT_BYTES || sequenced || capacityItems * STREAM_UNIT_BYTES < STREAM_MIN_CAPACITY_BYTES)
    throw new TernError(STATUS.ERR_CORRUPT, 'stream: its header is that of a ring that can carry no stream');
}

/** @param {number} capacityItems */
const maxRecordBytes = (capacityItems) => Math.min(capacityItems * STREAM_UNIT_BYTES / 2, STREAM_MAX_RECORD_BYTES);

/** @param {MemorySource | Memory} memory @param {number} offset */
function place(memory, offset) {
  const where = Memory.of(memory);
  const geometry = loadGeometry(where, offset, STREAM_MAGIC, WHAT);
  checkSound(geometry, (geometry.flags & RING_SEQUENCED) !== 0);
  return { where, geometry, most: maxRecordBytes(geometry.capacityItems) };
}

export class Stream {
  /** Bytes needed. Throws TernError: ERR_ARGUMENT: no such stream. @param {StreamDesc} [desc] @returns {number} */
  static size(desc = {}) { return streamGeometry(desc).totalSizeBytes; }

  /**
   * Make a stream in memory that nobody uses yet, once. Throws, order and crash as Ring.format().
   *
   * @param {MemorySource | Memory} memory @param {number} offset bytes @param {StreamDesc} [desc]
   */
  static format(memory, offset, desc = {}) {
    formatRing(Memory.of(memory), offset, streamGeometry(desc), STREAM_MAGIC, WHAT);
  }

  /**
   * Take the producer's end; as Ring.producer(). What a predecessor reserved and did not commit was never there.
   *
   * @param {MemorySource | Memory} memory @param {number} [offset] bytes @param {EndOptions} [options]
   * @returns {StreamProducer}
   */
  static producer(memory, offset = 0, options = {}) {
    const { where, geometry, most } = place(memory, offset);
    return new StreamProducer(where, offset, geometry, options, most);
  }

  /**
   * Take the consumer's end; as Ring.consumer(). Records that a dead consumer did not release are delivered again.
   *
   * @param {MemorySource | Memory} memory @param {number} [offset] bytes @param {EndOptions} [options]
   * @returns {StreamConsumer}
   */
  static consumer(memory, offset = 0, options = {}) {
    const { where, geometry, most } = place(memory, offset);
    return new StreamConsumer(where, offset, geometry, options, most);
  }

  /**
   * Open the producer's end of a stream by its name in a region; as Ring.openProducer(). Role: producer.
   *
   * @param {Region} region @param {string} name @param {StreamDesc} [desc] @param {EndOptions & OpenOptions} [options]
   * @returns {StreamProducer}
   */
  static openProducer(region, name, desc, options = {}) {
    return openEnd(region, OPEN_TYPE, name, desc, ROLE_PRODUCER, 'producer',
      (memory) => Stream.producer(memory, 0, { ...options, domain: region.domain }), options);
  }

  /**
   * Open the consumer's end of a stream; as Ring.openProducer(). Role: consumer.
   *
   * @param {Region} region @param {string} name @param {StreamDesc} [desc] @param {EndOptions & OpenOptions} [options]
   * @returns {StreamConsumer}
   */
  static openConsumer(region, name, desc, options = {}) {
    return openEnd(region, OPEN_TYPE, name, desc, ROLE_CONSUMER, 'consumer',
      (memory) => Stream.consumer(memory, 0, { ...options, domain: region.domain }), options);
  }

  /**
   * Look at a stream without an end; every number may have changed already. Throws as producer(). Changes nothing.
   *
   * @param {MemorySource | Memory} memory @param {number} [offset] bytes
   */
  static inspect(memory, offset = 0) {
    const ring = inspectRing(Memory.of(memory), offset, STREAM_MAGIC, WHAT);
    checkSound(ring, ring.sequenced);
    return {
      capacityBytes: ring.capacityItems * STREAM_UNIT_BYTES,
      sizeBytes: ring.sizeBytes,
      maxRecordBytes: maxRecordBytes(ring.capacityItems),
      waitable: ring.waitable,
      paged: ring.paged,
      /** Headers and padding count; the first two are counters modulo 2^34. */
      wasWrittenBytes: ring.wasPushed * STREAM_UNIT_BYTES,
      wasReadBytes: ring.wasPopped * STREAM_UNIT_BYTES,
      wasUsedBytes: ring.wasCount * STREAM_UNIT_BYTES,
      producerClosed: ring.producerClosed,
      consumerClosed: ring.consumerClosed,
      producerAsleep: ring.producerAsleep,
      consumerAsleep: ring.consumerAsleep,
    };
  }
}

/** @type {import('./open.mjs').OpenType<StreamDesc>} */
const OPEN_TYPE = {
  kind: WHAT,
  type: TYPE_STREAM,
  size: Stream.size,
  isPaged: (desc) => Boolean(desc.paged),
  format: (memory, desc) => Stream.format(memory, 0, desc),
  matches(memory, desc) {
    const stream = Stream.inspect(memory);
    return stream.sizeBytes === Stream.size(desc) && stream.waitable === Boolean(desc.waitable)
      && stream.paged === Boolean(desc.paged);
  },
};
