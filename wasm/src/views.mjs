// SPDX-License-Identifier: MIT
// views.mjs: some bytes of a memory as typed arrays: a frame of a triple buffer, an item of a pool.
//
// Each array is made when it is first asked for, and the same one is handed out from then on. So it costs nothing to
// write `views.f32[7]` in a loop. Keep the Views, not the arrays: when a WebAssembly.Memory that is not shared grows,
// its arrays fall to length 0, and the next `views.f32` is a new one.

/** @typedef {import('./memory.mjs').Memory} Memory */

/** The same bytes as arrays of different numbers. An array holds as many whole numbers as there is room for. */
export class Views {
  /** @type {Memory} */ #memory;
  /** @type {Uint8Array} */ #u8;
  /** @type {Int8Array | null} */ #i8 = null;
  /** @type {Uint16Array | null} */ #u16 = null;
  /** @type {Int16Array | null} */ #i16 = null;
  /** @type {Uint32Array | null} */ #u32 = null;
  /** @type {Int32Array | null} */ #i32 = null;
  /** @type {Float32Array | null} */ #f32 = null;
  /** @type {Float64Array | null} */ #f64 = null;
  /** @type {DataView | null} */ #data = null;

  /**
   * @param {Memory} memory
   * @param {number} offset bytes from the start of the memory, a multiple of 8
   * @param {number} size bytes, at least 1
   */
  constructor(memory, offset, size) {
    this.#memory = memory;
    /** Bytes from the start of the memory. */
    this.offset = offset;
    /** Bytes. */
    this.size = size;
    this.#u8 = memory.bytes(offset, size);
  }

  /** Where the bytes lie in the buffer: in a WebAssembly.Memory, the pointer to them. */
  get address() { return this.#memory.start + this.offset; }

  /** The arrays are of a buffer that is gone. */
  #renew() {
    this.#u8 = this.#memory.bytes(this.offset, this.size);
    this.#i8 = this.#u16 = this.#i16 = this.#u32 = this.#i32 = this.#f32 = this.#f64 = this.#data = null;
  }

  /** The buffer of now, as all the getters need it. */
  #now() {
    if (this.#u8.length === 0) this.#renew();
    return this.#u8.buffer;
  }

  get u8() {
    if (this.#u8.length === 0) this.#renew();
    return this.#u8;
  }

  get i8() { const all = this.#now(); return this.#i8 ??= new Int8Array(all, this.address, this.size); }
  get u16() { const all = this.#now(); return this.#u16 ??= new Uint16Array(all, this.address, this.size >>> 1); }
  get i16() { const all = this.#now(); return this.#i16 ??= new Int16Array(all, this.address, this.size >>> 1); }
  get u32() { const all = this.#now(); return this.#u32 ??= new Uint32Array(all, this.address, this.size >>> 2); }
  get i32() { const all = this.#now(); return this.#i32 ??= new Int32Array(all, this.address, this.size >>> 2); }
  get f32() { const all = this.#now(); return this.#f32 ??= new Float32Array(all, this.address, this.size >>> 2); }
  get f64() { const all = this.#now(); return this.#f64 ??= new Float64Array(all, this.address, this.size >>> 3); }
  get data() { const all = this.#now(); return this.#data ??= new DataView(all, this.address, this.size); }
}
