// SPDX-License-Identifier: MIT
// memory.mjs: the memory that objects lie in, and views of parts of it.
//
// Objects of the package keep typed arrays over their own bytes (block()). A wasm memory that grows gets a new
// buffer: of a shared one the old views go on showing the same bytes, of an unshared one they fall to length 0.
// So an object whose view has length 0 makes its views again, and no other is ever stale.
import { ALIGNMENT, STATUS } from './layout.mjs';
import { TernError } from './status.mjs';

/** @typedef {SharedArrayBuffer | ArrayBuffer | WebAssembly.Memory | ArrayBufferView} MemorySource */

/** The words of a view that has been detached. */
export const NO_WORDS = new Int32Array(0);

const hasShared = typeof SharedArrayBuffer !== 'undefined';
const hasWasm = typeof WebAssembly !== 'undefined';

/** Bytes that objects lie in: all of a buffer, of a wasm memory as it grows, or a part of one. */
export class Memory {
  /** @param {MemorySource | Memory} source @returns {Memory} */
  static of(source) {
    return source instanceof Memory ? source : new Memory(source);
  }

  /**
   * @param {MemorySource} source
   * @param {number} [from] where a part begins, bytes from the start of the source
   * @param {number} [limit] bytes of the part; all that is there
   */
  constructor(source, from = 0, limit = Infinity) {
    const isWasm = hasWasm && source instanceof WebAssembly.Memory;
    const isBuffer = source instanceof ArrayBuffer || (hasShared && source instanceof SharedArrayBuffer);
    if (!isWasm && !isBuffer && !ArrayBuffer.isView(source)) {
      throw new TypeError('memory must be a SharedArrayBuffer, an ArrayBuffer, a WebAssembly.Memory or a view of one');
    }
    /** What it was made from. @type {MemorySource} */
    this.source = source;
    /** Where byte 0 lies in the buffer. */
    this.start = from + (ArrayBuffer.isView(source) ? source.byteOffset : 0);
    /** @private */
    this.from = from;
    /** @private */
    this.limit = limit;
    /** Whether other threads can have it. @type {boolean} */
    this.shared = hasShared && this.buffer instanceof SharedArrayBuffer;
  }

  /** The buffer of this moment. @returns {ArrayBufferLike} */
  get buffer() {
    const { source } = this;
    return ArrayBuffer.isView(source) || (hasWasm && source instanceof WebAssembly.Memory)
      ? /** @type {{ buffer: ArrayBufferLike }} */ (source).buffer
      : /** @type {ArrayBufferLike} */ (source);
  }

  /** Bytes at this moment. */
  get size() {
    const whole = ArrayBuffer.isView(this.source) ? this.source.byteLength : this.buffer.byteLength;
    return Math.min(whole - this.from, this.limit);
  }

  /**
   * A part of it, which goes along when the memory grows, and beyond which an object in it can't reach.
   *
   * @param {number} offset bytes from the start of the memory
   * @param {number} bytes of the part
   */
  part(offset, bytes) { return new Memory(this.source, this.from + offset, Math.min(bytes, this.size - offset)); }

  /**
   * Where an object may lie, or an error that says why not.
   *
   * @param {number} offset of the object, bytes from the start of the memory
   * @param {number} least bytes that it needs
   * @param {string} what its kind, for the error
   */
  checkPlace(offset, least, what) {
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new TernError(STATUS.ERR_ARGUMENT, `${what}: the offset must be a whole number of bytes, not ${offset}`);
    }
    if ((this.start + offset) % ALIGNMENT !== 0) {
      throw new TernError(STATUS.ERR_ALIGNMENT, `${what}: offset ${offset} is no multiple of ${ALIGNMENT}`);
    }
    if (offset + least > this.size) {
      throw new TernError(STATUS.ERR_MEMORY,
        `${what}: needs ${least} bytes at offset ${offset}, and the memory has ${this.size}`);
    }
  }

  /** 32-bit words. @param {number} offset bytes, a multiple of 4 @param {number} bytes @returns {Int32Array} */
  words(offset, bytes) { return new Int32Array(this.buffer, this.start + offset, bytes >>> 2); }

  /** @param {number} offset bytes, a multiple of 8 @param {number} bytes @returns {BigInt64Array} */
  longs(offset, bytes) { return new BigInt64Array(this.buffer, this.start + offset, bytes / 8); }

  /** @param {number} offset bytes @param {number} bytes @returns {Uint8Array} */
  bytes(offset, bytes) { return new Uint8Array(this.buffer, this.start + offset, bytes); }

  /** @param {number} offset bytes @param {number} bytes @returns {DataView} */
  data(offset, bytes) { return new DataView(this.buffer, this.start + offset, bytes); }
}

/**
 * FNV-1a, the check of a geometry: against damage, not against malice.
 *
 * @param {Uint8Array} bytes a copy, not shared
 * @param {number} count of them
 */
export function checkOf(bytes, count) {
  let hash = 2166136261;
  for (let i = 0; i < count; i++) hash = Math.imul(hash ^ bytes[i], 16777619);
  return hash >>> 0;
}

/**
 * A copy of a geometry, made once at attach: the shared one is never read again.
 *
 * The magic must have been read as it should be, by Atomics, before.
 *
 * @param {Memory} memory
 * @param {number} offset of the geometry in the memory
 * @param {number} size of the geometry, whose last word is its check
 * @returns {DataView | null} null: the check is wrong
 */
export function copyGeometry(memory, offset, size) {
  const copy = new Uint8Array(size);
  copy.set(memory.bytes(offset, size));
  const view = new DataView(copy.buffer);
  return view.getUint32(size - 4, true) === checkOf(copy, size - 4) ? view : null;
}

/**
 * Write a geometry with its check behind it. The magic comes later.
 *
 * @param {Memory} memory
 * @param {number} offset of the geometry in the memory
 * @param {DataView} geometry with room for the check in its last word
 */
export function writeGeometry(memory, offset, geometry) {
  const bytes = new Uint8Array(geometry.buffer, geometry.byteOffset, geometry.byteLength);
  geometry.setUint32(bytes.length - 4, checkOf(bytes, bytes.length - 4), true);
  memory.bytes(offset, bytes.length).set(bytes);
}

/** The next multiple. @param {number} value @param {number} multiple */
export const roundUp = (value, multiple) => Math.ceil(value / multiple) * multiple;
