// SPDX-License-Identifier: MIT
// stream_producer.mjs: writing records. A stream is a ring of units of 8 bytes: a record is a unit with its length and
// kind, and its bytes in the units behind; where it would cross the end of the memory, padding stands in its place.
import { STATUS, STREAM_PADDING, STREAM_UNIT_BYTES } from './layout.mjs';
import { copyIn } from './ring_items.mjs';
import { PRODUCER, WORD } from './ring_layout.mjs';
import { ProducerEnd } from './ring_producer_end.mjs';
import { TernError } from './status.mjs';

/** What a record is made of: bytes are copied as they are, text as UTF-8; null: no bytes.
 *  @typedef {ArrayBufferView | string | null} RecordData */

const encoder = new TextEncoder();

/** Units of a record: one for its header, and its bytes rounded up. @param {number} length */
export const unitsOf = (length) => 1 + Math.ceil(length / STREAM_UNIT_BYTES);

/**
 * The producer of a stream; Stream.producer() attaches one. One thread at a time, one view a stream.
 *
 * trySend, reserve and commit are wait-free; they allocate nothing for data in a Uint8Array. *Wait and *Async calls
 * throw TernError: ERR_CLOSED: the consumer closed; ERR_ARGUMENT: longer than maxRecordBytes; otherwise as a ring's.
 */
export class StreamProducer extends ProducerEnd {
  /**
   * @param {import('./memory.mjs').Memory} memory @param {number} offset
   * @param {import('./ring_layout.mjs').RingGeometry} g @param {import('./ring_end.mjs').EndOptions} options
   * @param {number} maxRecordBytes
   */
  constructor(memory, offset, g, options, maxRecordBytes) {
    super(memory, offset, g, options, 'stream producer');
    /** Read only. */
    this.capacityBytes = g.capacityItems * STREAM_UNIT_BYTES;
    /** Longest record: half the capacity. Read only. */
    this.maxRecordBytes = maxRecordBytes;
    /** Where in `bytes` and `data` the reserved record begins, a multiple of 8; after reserve(). */
    this.at = 0;
    /** Of the reserved record; -1: none. @protected */ this.reservedBytes = -1;
    /** ERR_ARGUMENT if the last record was too long. @protected @type {number} */ this.refused = STATUS.OK;
    /** All units as bytes, to write a reserved record in place. Another array after the memory has grown.
     *  @type {Uint8Array} */
    this.bytes = memory.bytes(offset + g.itemsOffset, this.capacityBytes);
    /** The same bytes for numbers of other types. @type {DataView} */
    this.data = memory.data(offset + g.itemsOffset, this.capacityBytes);
    /** @protected @type {Int32Array} */ this.words = memory.words(offset + g.itemsOffset, this.capacityBytes);
  }

  /** @protected @override */
  renew() {
    super.renew();
    const at = this.offset + this.geometry.itemsOffset;
    this.bytes = this.memory.bytes(at, this.capacityBytes);
    this.data = this.memory.data(at, this.capacityBytes);
    this.words = this.memory.words(at, this.capacityBytes);
  }

  /** @protected @param {number} length @param {number} kind */
  writeHeader(length, kind) {
    const word = (this.tail & this.mask) * 2;
    this.words[word] = length;
    this.words[word + 1] = kind;
  }

  /** All up to here is written. @protected @param {number} tail */
  publishTo(tail) {
    this.tail = tail;
    // [RING-1] the records' bytes before tail; pairs with the consumer's look at it
    this.publishWord(this.ends, PRODUCER + WORD, tail << 1);
    if (this.bell !== null) this.bell.ring(this.bellSource);
  }

  /**
   * Whether a record of this length fits at tail. If it would cross the end of the memory, padding is published first,
   * by itself, even if there is too little space for the record behind it: the consumer passes over it, and a later
   * call finds tail at the start. include/tern/stream_inline.h proves that so every record fits in the end.
   *
   * @protected @param {number} length
   */
  hasRoom(length) {
    if (!(length >= 0 && length <= this.maxRecordBytes)) {
      this.refused = STATUS.ERR_ARGUMENT;
      return false;
    }
    this.refused = STATUS.OK;
    const units = unitsOf(length);
    const whole = this.capacityItems - (this.tail & this.mask);
    if (units > whole) {
      if (this.space(whole) < whole) return false;
      this.writeHeader(STREAM_PADDING | 0, 0);
      this.publishTo((this.tail + whole) | 0);
    }
    return this.space(units) === units;
  }

  /** @protected @param {number} length @param {number} kind */
  publishRecord(length, kind) {
    this.writeHeader(length, kind);
    this.reservedBytes = -1;
    this.publishTo((this.tail + unitsOf(length)) | 0);
  }

  /**
   * Send a record.
   *
   * Role: producer. Progress: wait-free; a waitable stream wakes the consumer if it sleeps.
   * Order: [RING-1]; pairs with the consumer's look. Crash: the whole record or nothing.
   *
   * @param {number} kind 0 to 2^32 - 1: what the two ends agree on
   * @param {RecordData} [data] copied; up to maxRecordBytes bytes
   * @returns {boolean} false: no room now, too long, closed or corrupt; `status` tells which
   */
  trySend(kind, data = null) {
    if (this.ends.length === 0) this.renew();
    return this.sendBytes(kind, bytesOf(data));
  }

  /** @protected @param {number} kind @param {Uint8Array} bytes */
  sendBytes(kind, bytes) {
    const { length } = bytes;
    if (!this.hasRoom(length)) return false;
    copyIn(this.bytes, (this.tail & this.mask) * STREAM_UNIT_BYTES + STREAM_UNIT_BYTES, bytes, 0, length);
    this.publishRecord(length, kind);
    return true;
  }

  /**
   * Lend room for a record, to be written in place: its bytes are `bytes[at]` to `bytes[at + length - 1]`, and
   * `data.setFloat64(at, ...)` the same. Another reserve takes the place of this one, a send ends it.
   *
   * Role: producer. Progress: wait-free. Order: [RING-2]. Crash: publishes no record.
   *
   * @param {number} length bytes, 0 to maxRecordBytes
   * @returns {boolean} false: as trySend
   */
  reserve(length) {
    if (this.ends.length === 0) this.renew();
    const fits = this.hasRoom(length);
    this.reservedBytes = fits ? Math.floor(length) : -1;
    this.at = (this.tail & this.mask) * STREAM_UNIT_BYTES + STREAM_UNIT_BYTES;
    return fits;
  }

  /**
   * Publish the reserved record. Throws TernError ERR_STATE: nothing is reserved.
   *
   * Role: producer. Progress: wait-free. Order: [RING-1]. Crash: the whole record or nothing.
   *
   * @param {number} kind
   * @param {number} [length] it may shrink; more than was reserved is cut
   */
  commit(kind, length = this.reservedBytes) {
    if (this.ends.length === 0) this.renew();
    if (this.reservedBytes < 0) throw new TernError(STATUS.ERR_STATE, `${this.what}: commit() without a reserve()`);
    this.publishRecord(length < this.reservedBytes ? Math.max(0, Math.floor(length)) : this.reservedBytes, kind);
  }

  /** Wait for room, then send. @param {number} kind @param {RecordData} [data] @param {number} [timeoutMs]
   *  @returns {boolean} false: the time has passed */
  sendWait(kind, data = null, timeoutMs = Infinity) {
    const bytes = bytesOf(data);
    return this.waitFor(bytes.length, timeoutMs, 'sendWait') && this.sendBytes(kind, bytes);
  }

  /** The same without blocking; data must stay as it is until then.
   *  @param {number} kind @param {RecordData} [data] @param {number} [timeoutMs] @returns {Promise<boolean>} */
  async sendAsync(kind, data = null, timeoutMs = Infinity) {
    const bytes = bytesOf(data);
    return await this.waitForAsync(bytes.length, timeoutMs, 'sendAsync') && this.sendBytes(kind, bytes);
  }

  /** Wait for room, then reserve. @param {number} length @param {number} [timeoutMs]
   *  @returns {boolean} false: the time has passed */
  reserveWait(length, timeoutMs = Infinity) {
    return this.waitFor(length, timeoutMs, 'reserveWait') && this.reserve(length);
  }

  /** The same without blocking. @param {number} length @param {number} [timeoutMs] @returns {Promise<boolean>} */
  async reserveAsync(length, timeoutMs = Infinity) {
    return await this.waitForAsync(length, timeoutMs, 'reserveAsync') && this.reserve(length);
  }

  /** Whether the record fits. First perhaps the padding's space is waited for, then the record's; one time-out for
   *  both. @protected @override @param {number} length */
  sees(length) {
    if (this.ends.length === 0) this.renew();
    return this.hasRoom(length);
  }

  /** @override */
  get status() { return this.refused !== STATUS.OK ? this.refused : super.status; }

  /** Bytes in use, headers and padding too, as the producer sees it. @returns {number} */
  wasUsedBytes() { return this.wasCount() * STREAM_UNIT_BYTES; }
}

/** @param {RecordData} data @returns {Uint8Array} */
function bytesOf(data) {
  if (data instanceof Uint8Array) return data;
  if (typeof data === 'string') return encoder.encode(data);
  if (data === null || data === undefined) return NOTHING;
  if (!ArrayBuffer.isView(data))
    throw new TernError(STATUS.ERR_ARGUMENT, 'a record is made of a typed array, a DataView, a string, or null');
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

const NOTHING = new Uint8Array(0);
