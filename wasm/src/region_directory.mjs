// SPDX-License-Identifier: MIT
// region_directory.mjs: the named objects of a region, and the memory that they take from its heap; lib/directory.c
// in JavaScript, whose comments tell the algorithm.
//
// In short: an adder takes an entry, writes name, type and size into it, and links it behind the last one by
// compare-exchange, so a name is unique. Then it takes memory by compare-exchange of the heap's word, which says
// whose the last memory is; who takes memory next first writes that down in the other's entry. A maker may die
// after any step. Every loop ends: a compare-exchange fails because another adder went on, and there are at most
// as many adders as entries.
import {
  ENTRY_FAILED, ENTRY_FORMATTING, ENTRY_READY, HEAP_ENTRY_BITS, NAME_BYTES, REGION_ENTRY, REGION_SHARED, ROLE_DEAD,
  SEPARATION, STATUS,
} from './layout.mjs';
import { roundUp } from './memory.mjs';
import { isDead } from './region_peers.mjs';
import { TernError } from './status.mjs';

/** @typedef {import('./region_table.mjs').RegionTable} RegionTable */

/**
 * An object in a region.
 *
 * @typedef {object} RegionObject
 * @property {string} name
 * @property {number} type TYPE_*
 * @property {number} index in the directory
 * @property {number} offsetBytes from the start of the region; 0: it has no memory (yet)
 * @property {number} sizeBytes
 * @property {import('./memory.mjs').Memory | null} memory of it alone; null unless its status is OK
 * @property {number} status STATUS: OK; ERR_NOT_READY: being formatted; ERR_PEER_DEAD: its maker died before that;
 *   ERR_FULL: no room was left for it; ERR_CORRUPT
 */

/** A name that was taken, or not; a dead maker's has the size that it wrote.
 *  @typedef {{ status: number, index: number, sizeBytes: number }} Taken */
/** How a search ended. @typedef {{ status: number, link: number, object: RegionObject | null }} Found */

// ---- Reading -------------------------------------------------------------------------------------------------

/** A name as the bytes of its field, which a zero ends. @param {string} name */
export function nameBytes(name) {
  const bytes = typeof name === 'string' ? new TextEncoder().encode(name) : new Uint8Array(0);
  const fits = bytes.length > 0 && bytes.length < NAME_BYTES && !bytes.includes(0);
  if (!fits || new TextDecoder().decode(bytes) !== name) {   // lone halves of surrogate pairs become others
    throw new TernError(STATUS.ERR_ARGUMENT,
      `a name has 1 to ${NAME_BYTES - 1} bytes of UTF-8, and none is zero; '${name}' has ${bytes.length}`);
  }
  const field = new Uint8Array(NAME_BYTES);
  field.set(bytes);
  return field;
}

/** @param {Uint8Array} name */
function nameText(name) {
  const end = name.indexOf(0);
  return new TextDecoder().decode(name.subarray(0, end < 0 ? NAME_BYTES - 1 : end));
}

/** @param {RegionTable} table @param {number} index @returns {Uint8Array} a copy */
const copyName = (table, index) =>
  Uint8Array.from(table.memory.bytes(table.offset + table.entry(index) + REGION_ENTRY.name, NAME_BYTES));

/** Copy an entry out, once, and bound what it says.
 *  @param {RegionTable} table @param {number} index @returns {RegionObject} */
function loadEntry(table, index) {
  const at = table.entry(index);
  const name = copyName(table, index);
  /** @type {RegionObject} */
  const object = {
    name: nameText(name), type: table.load(at + REGION_ENTRY.type), index, offsetBytes: 0, sizeBytes: 0, memory: null,
    status: STATUS.ERR_CORRUPT,
  };
  if (name[NAME_BYTES - 1] !== 0) return object;
  // [REGION-2]: the formatted object, its place and size after READY
  let state = table.load(at + REGION_ENTRY.state);
  if (state === ENTRY_FORMATTING) {
    object.status = STATUS.ERR_NOT_READY;
    if (!isDead(table, table.load(at + REGION_ENTRY.maker))) return object;
    // once more: it may have finished before it was gone
    object.status = STATUS.ERR_PEER_DEAD;
    state = table.load(at + REGION_ENTRY.state);
    if (state === ENTRY_FORMATTING) return object;
  }
  object.status = state === ENTRY_FAILED ? STATUS.ERR_FULL : STATUS.ERR_CORRUPT;
  if (state !== ENTRY_READY) return object;
  object.offsetBytes = table.loadBytes(at + REGION_ENTRY.offsetBytes);
  object.sizeBytes = table.loadBytes(at + REGION_ENTRY.sizeBytes);
  if (table.holds(object.offsetBytes, object.sizeBytes)) give(table, object);
  return object;
}

/** @param {RegionTable} table @param {RegionObject} object that lies in the heap */
function give(table, object) {
  object.memory = table.memory.part(table.offset + object.offsetBytes, object.sizeBytes);
  object.status = STATUS.OK;
}

/** Follow one link. 0: end of the list; otherwise index + 1; -1: it makes no sense.
 *  @param {RegionTable} table @param {number} link */
function follow(table, link) {
  // [REGION-1]: the entry's name and type after the link to it
  const next = table.load(link);
  return next <= table.maxObjects ? next : -1;
}

/**
 * Find a name from a link on. Ends at the last link if it is not there.
 *
 * @param {RegionTable} table
 * @param {Uint8Array} wanted
 * @param {number} link
 * @returns {Found}
 */
function search(table, wanted, link) {
  for (let steps = 0; steps <= table.maxObjects; steps++) {
    const next = follow(table, link);
    if (next < 0) break;
    if (next === 0) return { status: STATUS.ERR_NOT_FOUND, link, object: null };
    const at = table.memory.bytes(table.offset + table.entry(next - 1) + REGION_ENTRY.name, NAME_BYTES);
    // an unfinished name of 32 bytes is that of its first 31, and corrupt
    if (wanted.every((byte, i) => byte === at[i] || i === NAME_BYTES - 1)) {
      const object = loadEntry(table, next - 1);
      return { status: object.status, link, object };
    }
    link = table.entry(next - 1) + REGION_ENTRY.next;
  }
  return { status: STATUS.ERR_CORRUPT, link, object: null };   // also a circle
}

/**
 * tern_region_find().
 *
 * @param {RegionTable} table
 * @param {number} domain of who asks
 * @param {string} name
 * @param {number} type 0: any
 * @returns {Found}
 */
export function find(table, domain, name, type) {
  const found = search(table, nameBytes(name), REGION_SHARED.first);
  if (!found.object || found.status === STATUS.ERR_CORRUPT) return found;
  const domains = table.load(table.entry(found.object.index) + REGION_ENTRY.domains);
  if (domains !== 0 && (domains >>> domain & 1) === 0) found.status = STATUS.ERR_DOMAIN;
  else if (type !== 0 && found.object.type !== type) found.status = STATUS.ERR_MISMATCH;
  return found;
}

/** All objects in the order in which their names were added. @param {RegionTable} table */
export function listObjects(table) {
  const list = [];
  let link = REGION_SHARED.first;
  while (list.length < table.maxObjects) {
    const next = follow(table, link);
    if (next <= 0) break;
    list.push(loadEntry(table, next - 1));
    link = table.entry(next - 1) + REGION_ENTRY.next;
  }
  return list;
}

/** The object of an entry, in the list or not, if it is ready. @param {RegionTable} table @param {number} index */
export function readyObject(table, index) {
  // [REGION-2]: the entry and the formatted object after READY
  if (table.load(table.entry(index) + REGION_ENTRY.state) !== ENTRY_READY) return null;
  const object = loadEntry(table, index);
  return object.status === STATUS.OK ? object : null;
}

// ---- Adding --------------------------------------------------------------------------------------------------

/** Take an entry that nobody else has.
 *  @param {RegionTable} table @param {number} reference @returns {number} -1: none */
function takeEntry(table, reference) {
  for (let index = 0; index < table.maxObjects; index++) {
    const maker = table.entry(index) + REGION_ENTRY.maker;
    if (table.load(maker) !== 0) continue;
    // [PEER-1]: what a burier did to the entry of a maker that died
    if (table.exchangeIf(maker, 0, reference) === 0) return index;
  }
  return -1;
}

/**
 * Load the heap's word, bound it, and write down whose the memory is that was taken last.
 *
 * @param {RegionTable} table
 * @returns {{ word: bigint, used: number } | null} null: it makes no sense
 */
function loadHeap(table) {
  const { word, used, last } = table.loadHeap();
  if (used > table.heapSize || last > table.maxObjects) return null;
  if (last === 0) return { word, used };
  const at = table.entry(last - 1);
  const sizeBytes = table.loadBytes(at + REGION_ENTRY.sizeBytes);
  if (table.loadLong(at + REGION_ENTRY.offsetBytes) === 0n) {
    const taken = roundUp(sizeBytes, SEPARATION);
    if (sizeBytes === 0 || taken > used) return null;
    table.exchangeLongIf(at + REGION_ENTRY.offsetBytes, 0n, BigInt(table.heapOffset + used - taken));
  }
  return { word, used };
}

/**
 * Take memory for an entry that has none, unless whoever died on it had taken it.
 *
 * @param {RegionTable} table
 * @param {number} sizeBytes
 * @param {number} alignment
 * @param {number} index
 * @returns {number} a status
 */
function takeMemory(table, sizeBytes, alignment, index) {
  const { heapSize } = table;
  const taken = roundUp(sizeBytes, SEPARATION);
  for (let tries = 0; tries <= table.maxObjects + 1; tries++) {
    if (taken > heapSize) return STATUS.ERR_FULL;
    const heap = loadHeap(table);
    if (!heap) return STATUS.ERR_CORRUPT;
    if (table.loadLong(table.entry(index) + REGION_ENTRY.offsetBytes) !== 0n) return STATUS.OK;
    const from = roundUp(table.heapOffset + heap.used, alignment) - table.heapOffset;
    if (from + taken > heapSize) return STATUS.ERR_FULL;
    const units = BigInt((from + taken) / SEPARATION);
    // [REGION-3]: our entry's size before the word that names it
    table.exchangeLongIf(REGION_SHARED.heap, heap.word, units << BigInt(HEAP_ENTRY_BITS) | BigInt(index + 1));
  }
  return STATUS.ERR_CORRUPT;
}

/** Link our entry behind the last one, unless the name comes up on the way there. Returns a status.
 *  @param {RegionTable} table @param {Uint8Array} name @param {number} index @param {number} link */
function linkEntry(table, name, index, link) {
  for (let tries = 0; tries <= table.maxObjects; tries++) {
    // [REGION-1]: the entry's name and type before the link to it
    if (table.exchangeIf(link, 0, index + 1) === 0) return STATUS.OK;
    const found = search(table, name, link);
    if (found.status !== STATUS.ERR_NOT_FOUND) {
      return found.status === STATUS.ERR_CORRUPT ? STATUS.ERR_CORRUPT : STATUS.ERR_EXISTS;
    }
    link = found.link;
  }
  return STATUS.ERR_CORRUPT;
}

/**
 * Take a name and its entry from a maker that died before it had finished. Its size stays what its maker wrote: the
 * heap's word may stand for it.
 *
 * @param {RegionTable} table
 * @param {number} reference
 * @param {RegionObject} there
 * @param {number} type
 * @param {number} sizeBytes
 * @param {number} alignment
 * @returns {Taken}
 */
function takeOver(table, reference, there, type, sizeBytes, alignment) {
  const { index } = there;
  const at = table.entry(index);
  const maker = table.load(at + REGION_ENTRY.maker);
  const state = table.load(at + REGION_ENTRY.state);
  const hadBytes = table.loadBytes(at + REGION_ENTRY.sizeBytes);
  if (!isDead(table, maker) || state !== ENTRY_FORMATTING) return { status: STATUS.ERR_EXISTS, index, sizeBytes };
  if (there.type !== type || hadBytes < sizeBytes) return { status: STATUS.ERR_MISMATCH, index, sizeBytes };
  if (alignment > SEPARATION) {   // what it took, if it did, may begin elsewhere
    if (!loadHeap(table)) return { status: STATUS.ERR_CORRUPT, index, sizeBytes };
    const isAligned = table.loadBytes(at + REGION_ENTRY.offsetBytes) % alignment === 0;
    if (!isAligned) return { status: STATUS.ERR_MISMATCH, index, sizeBytes };
  }
  // [PEER-1]: all that its maker and its burier did to it
  const isOurs = table.exchangeIf(at + REGION_ENTRY.maker, maker, reference) === maker;
  return { status: isOurs ? STATUS.OK : STATUS.ERR_EXISTS, index, sizeBytes: hadBytes };
}

/**
 * Make a name ours: in a new entry, or in one whose maker died, which may be larger.
 *
 * @param {RegionTable} table
 * @param {number} reference
 * @param {Uint8Array} name
 * @param {number} type
 * @param {number} sizeBytes
 * @param {number} alignment
 * @returns {Taken}
 */
function takeName(table, reference, name, type, sizeBytes, alignment) {
  const found = search(table, name, REGION_SHARED.first);
  if (found.status === STATUS.ERR_CORRUPT) return { status: STATUS.ERR_CORRUPT, index: -1, sizeBytes };
  if (found.object) {
    const { index } = found.object;
    if (found.status !== STATUS.ERR_PEER_DEAD) return { status: STATUS.ERR_EXISTS, index, sizeBytes };
    return takeOver(table, reference, found.object, type, sizeBytes, alignment);
  }
  const index = takeEntry(table, reference);
  if (index < 0) return { status: STATUS.ERR_FULL, index, sizeBytes };

  const at = table.entry(index);
  for (const word of [REGION_ENTRY.next, REGION_ENTRY.roles, REGION_ENTRY.roles + 4, REGION_ENTRY.domains]) {
    table.store(at + word, 0);
  }
  table.store(at + REGION_ENTRY.state, ENTRY_FORMATTING);
  table.storeLong(at + REGION_ENTRY.offsetBytes, 0n);
  table.memory.bytes(table.offset + at + REGION_ENTRY.name, NAME_BYTES).set(name);
  table.store(at + REGION_ENTRY.type, type);
  table.storeLong(at + REGION_ENTRY.sizeBytes, BigInt(sizeBytes));
  const status = linkEntry(table, name, index, found.link);
  if (status === STATUS.OK) Atomics.add(table.words, REGION_SHARED.objects >>> 2, 1);
  else table.store(at + REGION_ENTRY.maker, 0);   // [PEER-1]: our writes to the entry
  return { status, index, sizeBytes };
}

/**
 * tern_region_claim().
 *
 * @param {RegionTable} table
 * @param {number} reference of our peer
 * @param {string} name
 * @param {number} type
 * @param {number} sizeBytes
 * @param {number} alignment a multiple of SEPARATION
 * @returns {{ status: number, object: RegionObject | null }} an object unless it failed
 */
export function claim(table, reference, name, type, sizeBytes, alignment) {
  // pages of the region are pages of the memory if it begins with one
  const start = table.memory.start + table.offset;
  if (alignment > SEPARATION && start % alignment !== 0) return { status: STATUS.ERR_ALIGNMENT, object: null };
  const taken = takeName(table, reference, nameBytes(name), type, sizeBytes, alignment);
  if (taken.status !== STATUS.OK) return { status: taken.status, object: null };

  const { index } = taken;
  /** @type {RegionObject} */
  const object = { name, type, index, offsetBytes: 0, sizeBytes: taken.sizeBytes, memory: null, status: STATUS.OK };
  let status = takeMemory(table, object.sizeBytes, alignment, index);
  object.offsetBytes = table.loadBytes(table.entry(index) + REGION_ENTRY.offsetBytes);
  if (status === STATUS.OK && !table.holds(object.offsetBytes, object.sizeBytes)) status = STATUS.ERR_CORRUPT;
  if (status !== STATUS.OK) {
    publish(table, object, false);
    return { status, object: null };
  }
  give(table, object);
  return { status, object };
}

/**
 * tern_region_publish(), and wake who waits for it in JavaScript.
 *
 * @param {RegionTable} table
 * @param {RegionObject} object
 * @param {boolean} isFormatted
 */
export function publish(table, object, isFormatted) {
  const at = table.entry(object.index);
  // there already, but for what a peer wrote meanwhile; of a lost name it may be no offset at all
  const isNumber = Number.isSafeInteger(object.offsetBytes);
  if (isNumber) table.storeLong(at + REGION_ENTRY.offsetBytes, BigInt(object.offsetBytes));
  // [REGION-2]: the formatted object, its place and size before READY
  table.store(at + REGION_ENTRY.state, isFormatted ? ENTRY_READY : ENTRY_FAILED);
  Atomics.notify(table.words, (at + REGION_ENTRY.state) >>> 2);
}

// ---- Makers that died ----------------------------------------------------------------------------------------

/** Whether an entry can be reached from the first one; in doubt it can.
 *  @param {RegionTable} table @param {number} index */
function isLinked(table, index) {
  let link = REGION_SHARED.first;
  for (let steps = 0; steps <= table.maxObjects; steps++) {
    const next = follow(table, link);
    if (next === index + 1 || next < 0) return true;
    if (next === 0) return false;
    link = table.entry(next - 1) + REGION_ENTRY.next;
  }
  return true;
}

/**
 * An entry whose maker is dead: true if it had not finished, and is now anybody's to go on with.
 *
 * @param {RegionTable} table
 * @param {number} index
 * @param {number} reference of the maker
 */
export function buryMaker(table, index, reference) {
  const at = table.entry(index);
  if (table.load(at + REGION_ENTRY.maker) !== reference) return false;
  if (table.load(at + REGION_ENTRY.state) !== ENTRY_FORMATTING) return false;
  // not linked: the entry is as good as new. Linked: the name is there, for the next who claims it
  // [PEER-1]: our look at the links, and all that its maker did
  return table.exchangeIf(at + REGION_ENTRY.maker, reference, isLinked(table, index) ? ROLE_DEAD : 0) === reference;
}
