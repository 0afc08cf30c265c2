// SPDX-License-Identifier: MIT
// region.mjs: a block of shared memory with a header and a directory of named objects, as include/tern/region.h
// and peer.h.
//
//     Region.format(memory, 0);                            // once, e.g. before the workers start
//     const region = Region.attach(memory);                // every thread
//     const samples = Ring.openProducer(region, 'samples', { itemSizeBytes: 8 });
//
// Objects are added and never removed; their memory goes with the region. Each attachment is a peer: it takes a slot
// of the peer table and gives it back by detach(). A worker that was terminated can't: who ended it says so by
// evict(), and what it had is free for its successor. C code in wasm attaches to the same bytes as a peer of its
// own. (A region in a file of a native program has locks that tell who lives: attach to it by the addon.)
//
// All calls may be made by any number of threads at the same time; each thread attaches for itself.
import { domainName, domainNumber } from './domain.mjs';
import { RegionTable, formatRegion, headerSize, sessionNumber } from './region_table.mjs';
import { claim, find, listObjects, publish } from './region_directory.mjs';
import { join, listPeers, rolesOf } from './region_peers.mjs';
import { declareDead, leave, recover } from './region_recover.mjs';
import { REGION_SHARED, SEPARATION, STATUS } from './layout.mjs';
import { TernError, check } from './status.mjs';
import { deadline } from './wait.mjs';
import { roundUp } from './memory.mjs';

/** @typedef {import('./domain.mjs').Domain} Domain */
/** @typedef {import('./region_table.mjs').RegionDesc} RegionDesc */
/** @typedef {import('./region_directory.mjs').RegionObject} RegionObject */
/** @typedef {import('./region_peers.mjs').PeerInfo} PeerInfo */
/** @typedef {import('./region_peers.mjs').Recovery} Recovery */
/** @typedef {import('./memory.mjs').Memory} Memory */
/** @typedef {import('./memory.mjs').MemorySource} MemorySource */

/**
 * Who attaches.
 *
 * @typedef {object} AttachOptions
 * @property {bigint | number} [session] must be the region's; 0
 * @property {Domain} [domain] on 'main' every *Wait is refused; 'main' in a window, otherwise 'worker'
 * @property {string} [program] a name for people who look, up to 16 bytes of UTF-8
 */

/** A look from outside; every value that begins with was may have changed already.
 *  @typedef {{ sizeBytes: number, session: bigint, domain: Domain | '', maxObjects: number, maxPeers: number,
 *    creator: number, heapSizeBytes: number, wasHeapUsedBytes: number, wasObjects: number }} RegionInfo */

/** Longest nap of whenReady(), in milliseconds. */
const MOST_NAP_MS = 4;

/** @type {Domain} */
const HERE = typeof document === 'undefined' ? 'worker' : 'main';

/** A thread's view of a region. */
export class Region {
  /**
   * Bytes that header, directory and peer table take, before any object. Add Region.objectSize(Ring.size(desc)) for
   * each object.
   *
   * @param {RegionDesc} [desc]
   * @returns {number} throws ERR_ARGUMENT
   */
  static size(desc = {}) { return headerSize(desc); }

  /** Bytes that an object of this size takes: rounded up to 128. A paged ring or stream takes up to 3,968 more, to
   *  begin at a page. @param {number} sizeBytes */
  static objectSize(sizeBytes) { return roundUp(sizeBytes, SEPARATION); }

  /**
   * Make a region in memory that nobody uses yet.
   *
   * Role: creator. Progress: wait-free. Order: [REGION-0], pairs with attach. Crash: dying before the end leaves
   * ERR_NOT_READY.
   *
   * @param {MemorySource | Memory} memory
   * @param {number} [offset] bytes from its start, a multiple of 64
   * @param {RegionDesc} [desc]
   * @returns {void} throws ERR_ARGUMENT, ERR_ALIGNMENT, ERR_MEMORY: smaller than Region.size(desc)
   */
  static format(memory, offset = 0, desc = {}) { formatRegion(memory, offset, desc); }

  /**
   * Attach to a region, as a peer from now on.
   *
   * Every number of the header is checked and copied, and never read again.
   *
   * Role: any. Progress: lock-free, at most maxPeers steps. Order: [REGION-0], [PEER-0]. Crash: the slot stays taken
   * until the peer is evicted.
   *
   * @param {MemorySource | Memory} memory
   * @param {number} [offset]
   * @param {AttachOptions} [options]
   * @returns {Region} throws ERR_ALIGNMENT, ERR_MEMORY: smaller than the region says, ERR_NOT_READY: not formatted
   *   yet, ERR_VERSION, ERR_CORRUPT, ERR_SESSION, ERR_FULL: as many peers as it has room for, ERR_ARGUMENT
   */
  static attach(memory, offset = 0, { session = 0, domain = HERE, program = 'javascript' } = {}) {
    const table = RegionTable.load(memory, offset);
    const number = domainNumber(domain);
    if (sessionNumber(session) !== table.session) {
      throw new TernError(STATUS.ERR_SESSION, `this region is not of session ${session}; attach with its own`);
    }
    const reference = join(table, number, program);
    if (reference === 0) {
      throw new TernError(STATUS.ERR_FULL, `all ${table.maxPeers} peers of the region are taken; evict() those that `
        + 'have ended, or format it with a larger maxPeers');
    }
    return new Region(table, domain, reference);
  }

  /** Attach without becoming a peer, to look: nothing is written. Calls that would write answer ERR_STATE. Any
   *  session. Throws as attach(). @param {MemorySource | Memory} memory @param {number} [offset] */
  static look(memory, offset = 0) { return new Region(RegionTable.load(memory, offset), HERE, 0); }

  /** What a region is, of any session. Throws as attach().
   *  @param {MemorySource | Memory} memory @param {number} [offset] */
  static inspect(memory, offset = 0) { return Region.look(memory, offset).info(); }

  /**
   * Private: attach() and look() make them.
   *
   * @private
   * @param {RegionTable} table
   * @param {Domain} domain
   * @param {number} reference of our peer; 0: only looking
   */
  constructor(table, domain, reference) {
    /** @private @type {RegionTable | null} */
    this.attached = table;
    /** Of this attachment. @readonly */
    this.domain = domain;
    /** What names our peer in the shared words; 0: only looking. @readonly */
    this.reference = reference;
    /** Our number in the peer table, 1 to maxPeers; 0: only looking. @readonly */
    this.peer = reference & 0xffff;
    /** Bytes of all of it. @readonly */
    this.sizeBytes = table.sizeBytes;
    /** @readonly */
    this.session = table.session;
    /** @readonly */
    this.maxObjects = table.maxObjects;
    /** @readonly */
    this.maxPeers = table.maxPeers;
  }

  /** The shared words, for the package's other modules. */
  get table() {
    if (this.attached) return this.attached;
    throw new TernError(STATUS.ERR_STATE, 'this view of the region is detached');
  }

  /** The same for calls that write. */
  get tableToWrite() {
    if (this.reference !== 0 || !this.attached) return this.table;
    throw new TernError(STATUS.ERR_STATE, 'this view only looks; Region.attach() makes one that may write');
  }

  /**
   * Give back what the attachment still has (ends, pins), and its slot. Views that were opened through it must not be
   * used any more.
   *
   * Role: any. Progress: lock-free. Order: [PEER-0], [PEER-1]. Crash: as dying before it.
   */
  detach() {
    if (this.attached && this.reference !== 0) leave(this.attached, this.reference);
    this.attached = null;
  }

  /** @returns {RegionInfo} */
  info() {
    const { table } = this;
    return {
      sizeBytes: table.sizeBytes,
      session: table.session,
      domain: domainName(table.domain),
      maxObjects: table.maxObjects,
      maxPeers: table.maxPeers,
      creator: table.creator,
      heapSizeBytes: table.sizeBytes - table.heapOffset,
      wasHeapUsedBytes: table.loadHeap().used,
      wasObjects: Math.min(table.load(REGION_SHARED.objects), table.maxObjects),
    };
  }

  /** Bytes that objects can still take, at this moment. Wait-free. */
  get heapLeftBytes() { return Math.max(0, this.table.heapSize - this.table.loadHeap().used); }

  // ---- Objects -------------------------------------------------------------------------------------------------

  /**
   * Find an object by its name. Throws if it is there and can't be used.
   *
   * Role: any. Progress: wait-free, at most maxObjects steps. Order: [REGION-1], [REGION-2]. Crash: changes nothing.
   *
   * @param {string} name 1 to 31 bytes of UTF-8
   * @param {number} [type] TYPE_*, 0 for any
   * @returns {RegionObject | null} null: no such name. Throws ERR_NOT_READY: being formatted; ERR_PEER_DEAD: its maker
   *   died before it had, and claim would go on in its place; ERR_MISMATCH: another type; ERR_FULL: its adder found no
   *   room; ERR_DOMAIN; ERR_ARGUMENT; ERR_CORRUPT; ERR_STATE: detached
   */
  find(name, type = 0) {
    const { status, object } = find(this.table, domainNumber(this.domain), name, type);
    if (status === STATUS.ERR_NOT_FOUND) return null;
    check(status, `'${name}'${status === STATUS.ERR_MISMATCH ? ` has type ${object?.type}, not ${type}` : ''}`);
    return object;
  }

  /** All objects in the order in which their names were added. Look at each one's status. As find().
   *  @returns {RegionObject[]} */
  objects() { return listObjects(this.table); }

  /**
   * Add an object: take a name and memory for it. The caller formats it and then calls publish(); until then others
   * are told ERR_NOT_READY. A name whose maker died before that is taken over, with its memory.
   *
   * Role: any. Progress: lock-free. Order: [REGION-1], [REGION-3], [PEER-1]. Crash: the next claim of the name goes
   * on where its caller died.
   *
   * @param {string} name 1 to 31 bytes of UTF-8
   * @param {number} type TYPE_*, not 0
   * @param {number} sizeBytes above 0
   * @param {number} [alignmentBytes] a multiple of 128
   * @returns {RegionObject} throws ERR_EXISTS: the name is there already; ERR_FULL: no room in the directory or the
   *   heap; ERR_ARGUMENT; ERR_MISMATCH: a dead maker's name has another type, or memory that is too small;
   *   ERR_ALIGNMENT: the region itself begins at no such multiple; ERR_STATE: the view only looks; ERR_CORRUPT
   */
  claim(name, type, sizeBytes, alignmentBytes = SEPARATION) {
    const { status, object } = this.tryClaim(name, type, sizeBytes, alignmentBytes);
    check(status, `'${name}', type ${type}, ${sizeBytes} bytes`);
    return /** @type {RegionObject} */ (object);
  }

  /** The same with a status, for open.mjs.
   *  @param {string} name @param {number} type @param {number} sizeBytes @param {number} alignmentBytes */
  tryClaim(name, type, sizeBytes, alignmentBytes) {
    const isType = Number.isInteger(type) && type > 0 && type <= 0xffffffff;
    if (!isType || !Number.isSafeInteger(sizeBytes) || sizeBytes <= 0) {
      throw new TernError(STATUS.ERR_ARGUMENT, `'${name}': no object has type ${type} and ${sizeBytes} bytes`);
    }
    if (!Number.isSafeInteger(alignmentBytes) || alignmentBytes < SEPARATION || alignmentBytes % SEPARATION !== 0) {
      throw new TernError(STATUS.ERR_ARGUMENT, `alignment ${alignmentBytes} is no multiple of ${SEPARATION}`);
    }
    return claim(this.tableToWrite, this.reference, name, type, sizeBytes, alignmentBytes);
  }

  /** Say that a claimed object is formatted, or that this failed: the name is then answered with ERR_FULL. Role: the
   *  claimer. Progress: wait-free. Order: [REGION-2]. @param {RegionObject} object @param {boolean} [isFormatted] */
  publish(object, isFormatted = true) { publish(this.tableToWrite, object, isFormatted); }

  /**
   * claim(), format and publish() in one. If the formatting throws, so does this, and the name is lost.
   *
   * @param {string} name
   * @param {number} type
   * @param {number} sizeBytes
   * @param {(memory: Memory) => void} [format] makes the object in its memory, which is not cleared
   * @param {number} [alignmentBytes]
   * @returns {RegionObject} throws as claim()
   */
  add(name, type, sizeBytes, format = () => {}, alignmentBytes = SEPARATION) {
    const object = this.claim(name, type, sizeBytes, alignmentBytes);
    return this.finish(object, format);
  }

  /** Format and publish what was claimed, for open.mjs.
   *  @param {RegionObject} object @param {(memory: Memory) => void} format */
  finish(object, format) {
    let isFormatted = false;
    try {
      format(/** @type {Memory} */ (object.memory));
      isFormatted = true;
    } finally {
      this.publish(object, isFormatted);
    }
    return object;
  }

  /**
   * Open something as soon as it is there: call `open` until it no longer throws ERR_NOT_READY or ERR_NOT_FOUND. Does
   * not block.
   *
   *     const samples = await region.whenReady(() => Ring.openConsumer(region, 'samples'), 1000);
   *
   * @template T
   * @param {() => T} open
   * @param {number} [timeoutMs]
   * @returns {Promise<T>} rejects with what open throws; with its last answer when the time has passed
   */
  async whenReady(open, timeoutMs = Infinity) {
    const end = deadline(timeoutMs);
    for (let nap = 0; ; nap = Math.min(nap + 1, MOST_NAP_MS)) {
      try {
        return open();
      } catch (error) {
        const status = error instanceof TernError ? error.status : STATUS.OK;
        if (status !== STATUS.ERR_NOT_READY && status !== STATUS.ERR_NOT_FOUND) throw error;
        if (performance.now() >= end) throw error;
      }
      await new Promise((resolve) => { setTimeout(resolve, nap); });
    }
  }

  // ---- Peers ---------------------------------------------------------------------------------------------------

  /** Who is attached, or died and is not buried, for people. Also of a view that only looks. @returns {PeerInfo[]} */
  peers() { return listPeers(this.table); }

  /** Who has the ends of an object: [0] producer, writer or collector, [1] consumer or reader. A dead peer had it whom
   *  nobody succeeded: isDead. Also of a view that only looks.
   *  @param {RegionObject} object @returns {{ peer: number, isDead: boolean }[]} peer 0: nobody has it */
  roles(object) { return rolesOf(this.table, object.index); }

  /**
   * Bury the dead: give back what they had. Their names can be claimed, their ends are free for successors, who still
   * learn that their predecessor died; then all bells ring, and their slots are free. Whoever lives on after
   * ERR_PEER_DEAD calls it.
   *
   * Role: any. Progress: lock-free. Order: [PEER-0], [PEER-1]. Crash: leaves the rest to the next who calls it.
   *
   * @returns {Recovery} refused: why tells. Throws ERR_STATE: the view only looks
   */
  recover() { return recover(this.tableToWrite, this.reference); }

  /**
   * Declare a peer dead that runs no more, and bury it: a worker that was terminated. One that is evicted while it
   * works shares its ends with its successor from then on.
   *
   * Role: any. Progress, order, crash: as recover().
   *
   * @param {number} peer its number, as its region.peer or in peers()
   * @returns {Recovery} as recover(). Throws ERR_NOT_FOUND: no such peer; ERR_ARGUMENT: our own number; ERR_BUSY:
   *   somebody else is at it; ERR_STATE
   */
  evict(peer) {
    const table = this.tableToWrite;
    if (peer === this.peer) throw new TernError(STATUS.ERR_ARGUMENT, `peer ${peer} is this one; use detach()`);
    const isNumber = Number.isInteger(peer) && peer >= 1 && peer <= table.maxPeers;
    check(isNumber ? declareDead(table, peer) : STATUS.ERR_NOT_FOUND, `peer ${peer}`);
    return this.recover();
  }
}
