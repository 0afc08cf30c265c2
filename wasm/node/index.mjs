// SPDX-License-Identifier: MIT
// index.mjs: regions that native processes and Node share, by the addon tern.node.
//
//     import { openRegion } from 'tern-shm/node';
//
//     const region = openRegion('camera');                 // a C program made it: tern_shm_create()
//     const frames = region.tripleReader('frames');
//     for await (const frame of frames) draw(frame);       // a Uint8Array on the shared bytes
//     await region.close();
//
// The C library does the protocol; JavaScript gets views of the same bytes. Waits sleep on threads of the addon's
// own: neither the event loop nor Node's thread pool is blocked. A mapping belongs to the thread (main thread or
// worker) that opened it: each worker opens the region for itself and is a peer of its own.
import { STATUS } from '../src/layout.mjs';
import { TernError } from '../src/status.mjs';
import { RingConsumer, RingProducer, TripleReader, TripleWriter, openEnd } from './ends.mjs';
import { answered, given, milliseconds, native } from './native.mjs';

export { TernError } from '../src/status.mjs';
export { RingConsumer, RingProducer, TripleReader, TripleWriter } from './ends.mjs';

const TYPES = ['none', 'ring', 'stream', 'triple', 'pool', 'bell', 'mesh'];
const DOMAINS = { worker: 0, main: 1, server: 2 };
const JOIN = 0, CREATE = 1, LOOK = 2;

/**
 * @typedef {object} OpenOptions
 * @property {boolean} [create] make the region; TERN_ERR_EXISTS if the name is taken
 * @property {number} [sizeBytes] of a new region: its header, tables and objects; rounded up to pages
 * @property {boolean} [readOnly] only look: no peer, no ends, no waits; what is written to the buffer stays in this
 *   process, and the page that it was written to shows nothing new any more
 * @property {number | bigint} [session] 0 without; an open must give the number that the region was made with
 * @property {'worker' | 'main' | 'server'} [domain] which objects may be opened; 'worker' without. Nothing here blocks
 * @property {number} [maxObjects] of a new region; 64 without
 * @property {number} [maxPeers] of a new region; 64 without
 */

/** A region that this thread has mapped. */
export class Region {
  #handle;
  /** @type {Promise<void> | undefined} */
  #closed;

  /**
   * Use openRegion().
   * @param {string} name
   * @param {import('./native.mjs').Handle} handle
   * @param {ArrayBuffer} buffer
   */
  constructor(name, handle, buffer) {
    this.#handle = handle;
    /** @readonly */
    this.name = name;
    /** All bytes of the region, with the offsets of objects(). It is detached by close(). It can't be given to another
     *  thread: posting copies it. @readonly */
    this.buffer = buffer;
    const about = given(native.describe(handle), `region '${name}'`);
    /** @readonly */
    this.sizeBytes = about.sizeBytes;
    /** Our number in the peer table; 0: only looking. @readonly */
    this.peer = about.peer;
    /** Whom the open found dead, and what became of what they had. @readonly */
    this.recovery = about.recovery;
  }

  /**
   * Every object of the region, in the order in which they were made. `status` is 'TERN_OK', 'TERN_ERR_NOT_READY'
   * while it is being made, or why it is none.
   */
  objects() {
    return given(native.objects(this.#handle), `objects of region '${this.name}'`)
      .map((object) => ({ ...object, type: TYPES[object.type] ?? 'unknown' }));
  }

  /** Who is attached, or died and is not buried. */
  peers() {
    return given(native.peers(this.#handle), `peers of region '${this.name}'`);
  }

  /** Give back what dead peers had. Call it after TERN_ERR_PEER_DEAD, if this process lives on. */
  recover() {
    return given(native.recover(this.#handle), `recover region '${this.name}'`);
  }

  /** Whether the memory is still the region: throws TERN_ERR_MEMORY if its file was cut off (guardRegions()), and
   *  TERN_ERR_CORRUPT if its header was overwritten. */
  check() {
    answered(native.check(this.#handle), `region '${this.name}'`);
  }

  /** Open the producer's end of a ring. Without a description it must be there; with one it is made if it is not.
   *  @param {string} name @param {import('./ends.mjs').RingDescription} [description] @returns {RingProducer} */
  ringProducer(name, description) {
    return openEnd(RingProducer, this.#handle, this.buffer, name, description);
  }

  /** Open the consumer's end of a ring; as ringProducer().
   *  @param {string} name @param {import('./ends.mjs').RingDescription} [description] @returns {RingConsumer} */
  ringConsumer(name, description) {
    return openEnd(RingConsumer, this.#handle, this.buffer, name, description);
  }

  /** Open the writer's end of a triple buffer; as ringProducer().
   *  @param {string} name @param {{ bufferSizeBytes: number }} [description] @returns {TripleWriter} */
  tripleWriter(name, description) {
    return openEnd(TripleWriter, this.#handle, this.buffer, name, description);
  }

  /** Open the reader's end of a triple buffer; as ringProducer().
   *  @param {string} name @param {{ bufferSizeBytes: number }} [description] @returns {TripleReader} */
  tripleReader(name, description) {
    return openEnd(TripleReader, this.#handle, this.buffer, name, description);
  }

  /**
   * Sleep while a word holds a value, until somebody in any process wakes it. For words of one's own protocols: the
   * ends have waits of their own.
   *
   * @param {number} offset of the word, bytes from the start of the region, a multiple of 4
   * @param {number} expected
   * @param {number} [timeoutMs] milliseconds; Infinity without
   * @returns {Promise<'ok' | 'timed-out'>} 'ok': look at the word again, it may be as before
   *
   * Whoever wakes has changed the word before: a wake of an unchanged one can be missed. Rejects with TERN_ERR_STATE
   * if the region is closed meanwhile, TERN_ERR_FULL if over 1,024 waits are pending.
   */
  async wait(offset, expected, timeoutMs = Infinity) {
    const what = `wait for the word at ${offset} of region '${this.name}'`;
    const status = await given(native.waitWord(this.#handle, offset, expected | 0, milliseconds(timeoutMs)), what);
    if (status === STATUS.ERR_TIMEOUT) return 'timed-out';
    if (status === STATUS.ERR_STATE) throw new TernError(status, `${what}: the region was closed meanwhile`);
    answered(status, what);
    return 'ok';
  }

  /** Wake all, in every process, who sleep on a word; after it was changed. @param {number} offset as in wait() */
  wake(offset) {
    answered(native.wakeWord(this.#handle, offset), `wake the word at ${offset} of region '${this.name}'`);
  }

  /**
   * Give back the ends and leave. The buffer and all views of it are detached at once, and pending waits reject with
   * TERN_ERR_STATE.
   *
   * @returns {Promise<void>} when the memory is unmapped and the others see that we left: at once, or up to 50 ms
   *   later if waits were pending
   */
  close() {
    this.#closed ??= given(native.close(this.#handle), `close region '${this.name}'`);
    return this.#closed;
  }
}

/**
 * Open a region of POSIX shared memory, or make one.
 *
 * @param {string} name 1 to 200 letters, digits, '.', '_' or '-': the file /dev/shm/tern.NAME
 * @param {OpenOptions} [options]
 * @returns {Region} open until close(), or until it, its buffer and its ends are garbage
 *
 * Throws TernError: TERN_ERR_NOT_FOUND, TERN_ERR_EXISTS, TERN_ERR_ARGUMENT, TERN_ERR_MEMORY, TERN_ERR_NO_SPACE,
 * TERN_ERR_VERSION (another layout), TERN_ERR_SESSION, TERN_ERR_CORRUPT, TERN_ERR_FULL (as many peers as it has room
 * for), TERN_ERR_ACCESS, TERN_ERR_SYSTEM; TERN_ERR_UNSUPPORTED if it is too large for an ArrayBuffer.
 */
export function openRegion(name, options = {}) {
  const { create = false, readOnly = false, sizeBytes = 0, session = 0, domain = 'worker' } = options;
  const what = `${create ? 'make' : 'open'} region '${name}'`;
  if (create && readOnly) throw new TernError(STATUS.ERR_ARGUMENT, `${what}: a new region can't be readOnly`);
  if (create && !(Number.isSafeInteger(sizeBytes) && sizeBytes > 0)) {
    throw new TernError(STATUS.ERR_ARGUMENT, `${what}: sizeBytes must be a whole number of bytes, not ${sizeBytes}`);
  }
  if (!Object.hasOwn(DOMAINS, domain)) {
    throw new TernError(STATUS.ERR_ARGUMENT, `${what}: domain is 'worker', 'main' or 'server', not '${domain}'`);
  }
  const way = create ? CREATE : readOnly ? LOOK : JOIN;
  const opened = native.open(name, way, sizeBytes, BigInt(session), DOMAINS[domain], options.maxObjects ?? 0,
    options.maxPeers ?? 0);
  return new Region(name, ...given(opened, what, true));
}

/** Remove the name of a region; who has it open keeps it. Throws TERN_ERR_NOT_FOUND. @param {string} name */
export function unlinkRegion(name) {
  answered(native.unlink(name), `unlink region '${name}'`, true);
}

/**
 * Survive a region's file that somebody cuts off: without it the next access to the missing bytes ends the process by
 * SIGBUS; with it they read as zeros, and check() throws. It handles SIGBUS for the whole process.
 *
 * @param {boolean} [on]
 */
export function guardRegions(on = true) {
  answered(native.guard(on), 'guard regions', true);
}
