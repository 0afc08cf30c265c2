// SPDX-License-Identifier: MIT
// region_table.mjs: the shared words of a region (header, directory, peer table), and its geometry.
//
// The geometry is copied out of the header once, at attach, and each word of the copy is checked. Nothing here
// is called often, so 64-bit words are BigInts where they are read, and numbers from there on.
import {
  ALIGNMENT, DOMAIN_SERVER, HEAP_ENTRY_BITS, LAYOUT_HASH, LAYOUT_VERSION, REGION_DEFAULT_OBJECTS, REGION_DEFAULT_PEERS,
  REGION_ENTRY, REGION_GEOMETRY, REGION_MAGIC, REGION_MAX_OBJECTS, REGION_MAX_PEERS, REGION_PEER, REGION_SHARED,
  SEPARATION, STATUS,
} from './layout.mjs';
import { domainNumber } from './domain.mjs';
import { checkOf, Memory, roundUp, writeGeometry } from './memory.mjs';
import { TernError } from './status.mjs';

/** @typedef {import('./domain.mjs').Domain} Domain */
/** @typedef {import('./memory.mjs').MemorySource} MemorySource */

/**
 * What to make.
 *
 * @typedef {object} RegionDesc
 * @property {bigint | number} [session] 0: attaching takes the same number
 * @property {Domain} [domain] of the creator; 'worker'
 * @property {number} [maxObjects] names that it has room for, 64, at most 65,536
 * @property {number} [maxPeers] attachments at a time, 64, at most 65,534
 * @property {number} [sizeBytes] of all of it; the rest of the memory
 */

/** A session as its 64-bit number. @param {bigint | number} session */
export function sessionNumber(session) {
  const isNumber = typeof session === 'bigint' || Number.isSafeInteger(session);
  const number = isNumber ? BigInt(session) : -1n;
  if (BigInt.asUintN(64, number) !== number) {
    throw new TernError(STATUS.ERR_ARGUMENT, `a session is a whole number from 0 to 2^64 - 1, not ${session}`);
  }
  return number;
}

/** @param {number} value @param {number} most @param {string} what */
function checkCount(value, most, what) {
  if (Number.isInteger(value) && value >= 0 && value <= most) return;
  throw new TernError(STATUS.ERR_ARGUMENT, `${what} is a whole number from 0 (default) to ${most}, not ${value}`);
}

/** Where the heap begins. @param {number} maxObjects @param {number} maxPeers */
const heapOffsetOf = (maxObjects, maxPeers) =>
  roundUp(REGION_SHARED.size + maxObjects * REGION_ENTRY.size + maxPeers * REGION_PEER.size, SEPARATION);

/** A description with its defaults. @param {RegionDesc} desc */
function complete(desc) {
  checkCount(desc.maxObjects ?? 0, REGION_MAX_OBJECTS, 'maxObjects');
  checkCount(desc.maxPeers ?? 0, REGION_MAX_PEERS, 'maxPeers');
  const maxObjects = desc.maxObjects || REGION_DEFAULT_OBJECTS;
  const maxPeers = desc.maxPeers || REGION_DEFAULT_PEERS;
  return {
    maxObjects, maxPeers, heapOffset: heapOffsetOf(maxObjects, maxPeers),
    session: sessionNumber(desc.session ?? 0), domain: domainNumber(desc.domain ?? 'worker'),
  };
}

/** Bytes of header, directory and peer table. @param {RegionDesc} desc */
export const headerSize = (desc) => complete(desc).heapOffset;

/** This process, for people. @returns {number} 0 where there is none */
export const processNumber = () => /** @type {any} */ (globalThis).process?.pid ?? 0;

/**
 * Make a region in memory that nobody uses yet; Region.format().
 *
 * @param {MemorySource | Memory} source
 * @param {number} offset
 * @param {RegionDesc} desc
 */
export function formatRegion(source, offset, desc) {
  const { maxObjects, maxPeers, heapOffset, session, domain } = complete(desc);
  const memory = Memory.of(source);
  memory.checkPlace(offset, heapOffset, 'region');
  const sizeBytes = desc.sizeBytes ?? memory.size - offset;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < heapOffset) {
    throw new TernError(STATUS.ERR_MEMORY,
      `region: header, directory and peer table take ${heapOffset} bytes, and sizeBytes is ${sizeBytes}`);
  }
  memory.checkPlace(offset, sizeBytes, 'region');

  const g = new DataView(new ArrayBuffer(REGION_GEOMETRY.size));
  g.setUint32(REGION_GEOMETRY.layoutVersion, LAYOUT_VERSION, true);
  g.setUint32(REGION_GEOMETRY.layoutHash, LAYOUT_HASH, true);
  g.setBigUint64(REGION_GEOMETRY.totalSizeBytes, BigInt(sizeBytes), true);
  g.setBigUint64(REGION_GEOMETRY.session, session, true);
  g.setUint32(REGION_GEOMETRY.domain, domain, true);
  g.setUint32(REGION_GEOMETRY.maxObjects, maxObjects, true);
  g.setUint32(REGION_GEOMETRY.maxPeers, maxPeers, true);
  g.setUint32(REGION_GEOMETRY.creator, processNumber(), true);
  g.setBigUint64(REGION_GEOMETRY.heapOffsetBytes, BigInt(heapOffset), true);

  const words = memory.words(offset, heapOffset);
  Atomics.store(words, REGION_SHARED.magic / 4, 0);
  words.fill(0, REGION_SHARED.magic / 4 + 1);
  writeGeometry(memory, offset + REGION_SHARED.geometry, g);
  // [REGION-0]: header and empty directory before the magic
  Atomics.store(words, REGION_SHARED.magic / 4, REGION_MAGIC);
}

/** The shared words of a region, by their offsets in bytes, and the numbers of its geometry. */
export class RegionTable {
  /**
   * Copy the geometry out, once, and check every word of the copy.
   *
   * @param {MemorySource | Memory} source
   * @param {number} offset
   * @returns {RegionTable}
   */
  static load(source, offset) {
    const memory = Memory.of(source);
    memory.checkPlace(offset, REGION_SHARED.size, 'region');
    // [REGION-0]: header and empty directory after the magic
    const magic = Atomics.load(memory.words(offset, 4), 0);
    if (magic === 0) throw new TernError(STATUS.ERR_NOT_READY, `no region has been formatted at offset ${offset} yet`);
    if (magic !== REGION_MAGIC) throw new TernError(STATUS.ERR_CORRUPT, `there is no region at offset ${offset}`);
    const copy = new Uint8Array(REGION_GEOMETRY.size);
    copy.set(memory.bytes(offset + REGION_SHARED.geometry, copy.length));
    const table = new RegionTable(memory, offset, new DataView(copy.buffer), checkOf(copy, REGION_GEOMETRY.check));
    memory.checkPlace(offset, table.sizeBytes, 'region');
    return table;
  }

  /**
   * @private
   * @param {Memory} memory
   * @param {number} offset
   * @param {DataView} g a copy of the geometry
   * @param {number} check that it should have
   */
  constructor(memory, offset, g, check) {
    /** @param {number} field */
    const word = (field) => g.getUint32(field, true);
    /** @param {number} field */
    const long = (field) => g.getBigUint64(field, true);
    const version = word(REGION_GEOMETRY.layoutVersion);
    const hash = word(REGION_GEOMETRY.layoutHash);
    if (version !== LAYOUT_VERSION || hash !== LAYOUT_HASH) {
      throw new TernError(STATUS.ERR_VERSION, `region: layout version ${version}, hash ${hash.toString(16)}; this `
        + `package has version ${LAYOUT_VERSION}, hash ${LAYOUT_HASH.toString(16)}`);
    }
    this.memory = memory;
    this.offset = offset;
    this.maxObjects = word(REGION_GEOMETRY.maxObjects);
    this.maxPeers = word(REGION_GEOMETRY.maxPeers);
    this.heapOffset = heapOffsetOf(this.maxObjects, this.maxPeers);
    this.sizeBytes = Number(long(REGION_GEOMETRY.totalSizeBytes));
    this.session = long(REGION_GEOMETRY.session);
    this.domain = word(REGION_GEOMETRY.domain);
    this.creator = word(REGION_GEOMETRY.creator);
    const makesSense = word(REGION_GEOMETRY.check) === check
      && this.maxObjects > 0 && this.maxObjects <= REGION_MAX_OBJECTS
      && this.maxPeers > 0 && this.maxPeers <= REGION_MAX_PEERS && this.domain <= DOMAIN_SERVER
      && long(REGION_GEOMETRY.heapOffsetBytes) === BigInt(this.heapOffset) && this.sizeBytes >= this.heapOffset;
    if (!makesSense) throw new TernError(STATUS.ERR_CORRUPT, 'region: the numbers of its header do not fit together');
    /** @private */
    this.words32 = memory.words(offset, 0);
    /** @private */
    this.words64 = memory.longs(offset, 0);
  }

  /** All words before the heap. Those of a memory that grew and is not shared fell to length 0. */
  get words() {
    if (this.words32.length === 0) this.words32 = this.memory.words(this.offset, this.heapOffset);
    return this.words32;
  }

  /** @private */
  get longs() {
    if (this.words64.length === 0) this.words64 = this.memory.longs(this.offset, this.heapOffset);
    return this.words64;
  }

  /** Offset of a directory entry. @param {number} index below maxObjects */
  entry(index) { return REGION_SHARED.size + index * REGION_ENTRY.size; }

  /** Offset of a slot of the peer table. @param {number} slot below maxPeers */
  peer(slot) { return REGION_SHARED.size + this.maxObjects * REGION_ENTRY.size + slot * REGION_PEER.size; }

  /** @param {number} at */
  load(at) { return Atomics.load(this.words, at >>> 2) >>> 0; }

  /** @param {number} at @param {number} value */
  store(at, value) { Atomics.store(this.words, at >>> 2, value | 0); }

  /** @param {number} at @param {number} expected @param {number} value @returns {number} what was there */
  exchangeIf(at, expected, value) {
    return Atomics.compareExchange(this.words, at >>> 2, expected | 0, value | 0) >>> 0;
  }

  /** @param {number} at */
  loadLong(at) { return BigInt.asUintN(64, Atomics.load(this.longs, at >>> 3)); }

  /** @param {number} at @param {bigint} value */
  storeLong(at, value) { Atomics.store(this.longs, at >>> 3, value); }

  /** @param {number} at @param {bigint} expected @param {bigint} value @returns {bigint} what was there */
  exchangeLongIf(at, expected, value) {
    return BigInt.asUintN(64, Atomics.compareExchange(this.longs, at >>> 3, expected, value));
  }

  /** A number of bytes. Above 2^53 it is not exact, and larger than any region. @param {number} at */
  loadBytes(at) { return Number(this.loadLong(at)); }

  /** Bytes of the heap, in whole units. */
  get heapSize() { return Math.floor((this.sizeBytes - this.heapOffset) / SEPARATION) * SEPARATION; }

  /** The heap's word: bytes taken so far, and index + 1 of the entry that took the last of them. */
  loadHeap() {
    // [REGION-3]: the size of the entry that the word names
    const word = this.loadLong(REGION_SHARED.heap);
    return {
      word,
      used: Number(word >> BigInt(HEAP_ENTRY_BITS)) * SEPARATION,
      last: Number(BigInt.asUintN(HEAP_ENTRY_BITS, word)),
    };
  }

  /** Whether an object can lie there: in the heap, aligned, whole. @param {number} offset @param {number} bytes */
  holds(offset, bytes) {
    return offset >= this.heapOffset && offset <= this.sizeBytes && offset % ALIGNMENT === 0
      && bytes <= this.sizeBytes - offset;
  }
}
