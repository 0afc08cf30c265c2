// SPDX-License-Identifier: MIT
// stream_consumer.mjs: reading records where they lie, or into an array.
import { STATUS, STREAM_PADDING, STREAM_UNIT_BYTES } from './layout.mjs';
import { Blocks } from './ring_items.mjs';
import { ConsumerEnd } from './ring_consumer_end.mjs';
import { TernError, isClosed } from './status.mjs';
import { unitsOf } from './stream_producer.mjs';

const decoder = new TextDecoder();
const RELEASE_BYTES = 16384;

/** A record that was peeked, and lies in the stream's memory until release(). There is one of these a consumer: each
 *  peek makes it tell of another record. */
export class Record {
  /** @param {StreamConsumer} consumer */
  constructor(consumer) {
    /** @private */ this.consumer = consumer;
    /** As the producer gave it, 0 to 2^32 - 1. */
    this.kind = 0;
    /** Bytes. */
    this.length = 0;
    /** Where it begins in the consumer's `bytes` and `data`, a multiple of 8. */
    this.at = 0;
  }

  /** A view of the bytes where they lie: they hold still until release(). Each call makes a new one.
   *  @returns {Uint8Array} */
  view() { return this.consumer.bytes.subarray(this.at, this.at + this.length); }

  /** A copy that is nobody else's. @returns {Uint8Array} */
  copy() {
    const copy = new Uint8Array(this.length);
    copy.set(this.view());
    return copy;
  }

  /** The bytes as UTF-8. Browsers decode no shared memory, so they are copied first. */
  text() { return decoder.decode(this.copy()); }
}

/**
 * The consumer of a stream; Stream.consumer() attaches one. One thread at a time, one view a stream.
 *
 * peek, release and tryReceive are wait-free and allocate nothing. *Wait and *Async calls throw TernError: ERR_CLOSED:
 * the producer closed and the last record was released; otherwise as a ring's.
 *
 *     for await (const { kind, bytes } of consumer) ...    // each in an array of its own; ends when all is read
 */
export class StreamConsumer extends ConsumerEnd {
  /**
   * @param {import('./memory.mjs').Memory} memory @param {number} offset
   * @param {import('./ring_layout.mjs').RingGeometry} g @param {import('./ring_end.mjs').EndOptions} options
   * @param {number} maxRecordBytes
   */
  constructor(memory, offset, g, options, maxRecordBytes) {
    super(memory, offset, g, options, 'stream consumer');
    /** Read only. */
    this.capacityBytes = g.capacityItems * STREAM_UNIT_BYTES;
    /** Longest record: half the capacity. Read only. */
    this.maxRecordBytes = maxRecordBytes;
    /** All units as bytes, to read a record in place. Another array after the memory has grown. @type {Uint8Array} */
    this.bytes = memory.bytes(offset + g.itemsOffset, this.capacityBytes);
    /** The same bytes for numbers of other types. @type {DataView} */
    this.data = memory.data(offset + g.itemsOffset, this.capacityBytes);
    /** @protected @type {Int32Array} */ this.words = memory.words(offset + g.itemsOffset, this.capacityBytes);
    /** @protected */ this.blocks = new Blocks(this.bytes);
    /** The record that peek() tells of, or tryReceive() told of. @type {Record} */
    this.record = new Record(this);
    /** Of the record that was lent, 0: none. @protected */ this.peekedUnits = 0;
    this.releaseEvery(RELEASE_BYTES);
  }

  /** @protected @override */
  renew() {
    super.renew();
    const at = this.offset + this.geometry.itemsOffset;
    this.bytes = this.memory.bytes(at, this.capacityBytes);
    this.data = this.memory.data(at, this.capacityBytes);
    this.words = this.memory.words(at, this.capacityBytes);
    this.blocks = new Blocks(this.bytes);
  }

  /** How often freed space is published. Default: a quarter of the capacity, at most 16 KiB; 1: at each release.
   *  @override @param {number} bytes */
  releaseEvery(bytes) { super.releaseEvery(Math.ceil(bytes / STREAM_UNIT_BYTES)); }

  /**
   * The record at head, if there is one that makes sense. Its header is a peer's, and read once: a record lies within
   * what was published and before the end of the memory; padding is published as a whole and reaches to the end,
   * from the second half. So there is at most one padding in a call. @protected
   */
  seeRecord() {
    const { record } = this;
    this.peekedUnits = 0;
    for (;;) {
      if (this.head === this.limit && !this.trySeeItems()) return false;
      const unit = this.head & this.mask;
      const length = this.words[unit * 2] >>> 0;
      const kind = this.words[unit * 2 + 1] >>> 0;
      const whole = this.capacityItems - unit;
      const there = (this.limit - this.head) | 0;
      const units = unitsOf(length);
      if (length <= this.maxRecordBytes && units <= there && units <= whole) {
        record.kind = kind;
        record.length = length;
        record.at = unit * STREAM_UNIT_BYTES + STREAM_UNIT_BYTES;
        this.peekedUnits = units;
        return true;
      }
      if (length !== STREAM_PADDING || whole > there || whole > this.capacityItems / 2) {
        this.failure = STATUS.ERR_CORRUPT;
        return false;
      }
      this.advance(whole);
    }
  }

  /**
   * Lend the next record for reading in place. A peek without a release lends the same record again.
   *
   * Role: consumer. Progress: wait-free. Order: [RING-1]. Crash: the record is delivered again to a successor.
   *
   * @returns {Record | null} `record`, which holds until the release; null: none, `status` tells why
   */
  peek() {
    if (this.ends.length === 0) this.renew();
    return this.seeRecord() ? this.record : null;
  }

  /** Give the peeked record's space back; without one it does nothing.
   *  Role: consumer. Progress: wait-free. Order: [RING-2]. Crash: see releaseEvery(). */
  release() {
    if (this.ends.length === 0) this.renew();
    const units = this.peekedUnits;
    this.peekedUnits = 0;
    this.advance(units);
  }

  /**
   * Receive the next record into an array; `record` tells its kind and length.
   *
   * Throws TernError ERR_MEMORY: it is longer than out, and stays.
   * Role: consumer. Progress: wait-free. Order: [RING-1], [RING-2]. Crash: see releaseEvery().
   *
   * @param {Uint8Array} out
   * @returns {boolean} false: no record, `status` tells why
   */
  tryReceive(out) {
    if (this.ends.length === 0) this.renew();
    return this.seeRecord() && this.take(out);
  }

  /** The record that was seen. @protected @param {Uint8Array} out */
  take(out) {
    const { at, length } = this.record;
    if (length > out.length) {
      throw new TernError(STATUS.ERR_MEMORY,
        `${this.what}: the next record has ${length} bytes, and the array ${out.length}; it stays`);
    }
    this.blocks.copyOut(at, out, 0, length);
    this.release();
    return true;
  }

  /** Wait until there is a record, then peek. @param {number} [timeoutMs]
   *  @returns {Record | null} null: the time has passed */
  peekWait(timeoutMs = Infinity) { return this.waitFor(timeoutMs, 'peekWait') ? this.record : null; }

  /** The same without blocking. @param {number} [timeoutMs] @returns {Promise<Record | null>} */
  async peekAsync(timeoutMs = Infinity) {
    return await this.waitForAsync(timeoutMs, 'peekAsync') ? this.record : null;
  }

  /** Wait until there is a record, then receive it. @param {Uint8Array} out @param {number} [timeoutMs]
   *  @returns {boolean} false: the time has passed */
  receiveWait(out, timeoutMs = Infinity) { return this.waitFor(timeoutMs, 'receiveWait') && this.take(out); }

  /** The same without blocking. @param {Uint8Array} out @param {number} [timeoutMs] @returns {Promise<boolean>} */
  async receiveAsync(out, timeoutMs = Infinity) {
    return await this.waitForAsync(timeoutMs, 'receiveAsync') && this.take(out);
  }

  /** All records until the producer has closed, each copied. Errors but ERR_CLOSED are thrown.
   *  @returns {AsyncGenerator<{ kind: number, bytes: Uint8Array }, void, void>} */
  async *[Symbol.asyncIterator]() {
    for (;;) {
      try {
        await this.waitForAsync(Infinity, 'for await');
      } catch (error) {
        if (isClosed(error)) return;
        throw error;
      }
      const { kind } = this.record;
      const bytes = this.record.copy();
      this.release();
      yield { kind, bytes };
    }
  }

  /** @protected @override padding alone is no record */
  sees() { return super.sees() && this.seeRecord(); }

  /** @override units that can't be read are there, and still no record will come */
  get status() {
    if (this.ends.length === 0) this.renew();
    return this.failure !== STATUS.OK ? this.failure : super.status;
  }

  /** Bytes in use, headers and padding too, as the consumer sees it. @returns {number} */
  wasUsedBytes() { return this.wasCount() * STREAM_UNIT_BYTES; }
}
