// SPDX-License-Identifier: MIT
// ends.mjs: ends of rings and triple buffers in a region of native memory.
//
// Each end has one holder among all processes. While a wait of an end is pending, its other calls throw
// TERN_ERR_STATE. An end that is garbage, and whose region is still open, is given back.
import { STATUS } from '../src/layout.mjs';
import { TernError, statusName } from '../src/status.mjs';
import { answered, given, milliseconds, native } from './native.mjs';

/** @typedef {import('./native.mjs').Handle} Handle */
/** What to make.
 *  @typedef {object} RingDescription
 *  @property {number} itemSizeBytes
 *  @property {number} [capacityItems] 1,024 without; rounded up to a power of two
 *  @property {boolean} [waitable] true without
 *  @property {boolean} [sequenced] docs/ring.md, "Two layouts" */

const WAITABLE = 1, SEQUENCED = 2;
const PRODUCER = 0, CONSUMER = 1, WRITER = 2, READER = 3;

/** How long waits that find something at once may go on, in milliseconds, before timers and sockets have a turn. */
const TURN_MS = 4;
let turnBegan = 0;

/** A loop over what is always there must not keep the event loop from everything else. */
function takeTurns() {
  if (performance.now() - turnBegan < TURN_MS) return undefined;
  return new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
    setImmediate(() => { turnBegan = performance.now(); resolve(); });
  });
}

/** What all ends have. */
class End {
  /** Use the calls of Region. @param {Handle} handle @param {ArrayBuffer} buffer @param {string} name */
  constructor(handle, buffer, name) {
    /** @protected @readonly */
    this.handle = handle;
    /** @protected @readonly */
    this.buffer = buffer;
    /** @readonly */
    this.name = name;
    const about = given(native.describeEnd(handle), `end of '${name}'`);
    /** Of an item, or a frame. @readonly */
    this.sizeBytes = about.sizeBytes;
    /** Items; of a triple buffer 3. @readonly */
    this.capacity = about.capacity;
    /** What became of a predecessor that died. @readonly */
    this.recovery = about.recovery;
  }

  /** How the end stands: 'TERN_OK'; 'TERN_ERR_CLOSED': the other end closed, and all was taken; 'TERN_ERR_CORRUPT'. */
  status() {
    const status = native.endStatus(this.handle);
    if (status === STATUS.ERR_STATE) answered(status, `status of '${this.name}'`);
    return statusName(status);
  }

  /** Say that nothing more comes, for ever; the other end is woken. The end stays ours. */
  close() {
    answered(native.closeEnd(this.handle), `close '${this.name}'`);
  }

  /** Give the end back: a successor may open it. */
  detach() {
    answered(native.detachEnd(this.handle), `detach from '${this.name}'`);
  }

  /**
   * Sleep on a thread of the addon's own.
   * @protected
   * @param {string} what
   * @param {number} timeoutMs
   */
  async sleep(what, timeoutMs) {
    const status = await given(native.waitEnd(this.handle, milliseconds(timeoutMs)), what);
    turnBegan = performance.now();
    if (status === STATUS.ERR_STATE) throw new TernError(status, `${what}: the region was closed meanwhile`);
    answered(status, what);
  }
}

/** The producer's end of a ring. */
export class RingProducer extends End {
  static kind = PRODUCER;

  /**
   * Push items that lie side by side, as many as there is room for.
   *
   * @param {Uint8Array} items a multiple of sizeBytes; copied
   * @returns {number} how many went in; 0: full, or closed (status() tells)
   *
   * Role: producer. Progress: wait-free, but for one system call if the consumer sleeps. Order: release [RING-1].
   * Crash: each item is there wholly or not at all.
   */
  tryPush(items) {
    const count = native.push(this.handle, items);
    return count >= 0 ? count : answered(count, `push ${items.length} bytes to '${this.name}'`);
  }

  /**
   * Push all items, waiting for room.
   *
   * @param {Uint8Array} items a multiple of sizeBytes; they must not change before the promise is fulfilled
   * @param {number} [timeoutMs] of each wait, milliseconds; Infinity without
   * @returns {Promise<void>} rejects with TERN_ERR_TIMEOUT, TERN_ERR_CLOSED, TERN_ERR_CORRUPT, TERN_ERR_UNSUPPORTED
   *   (no waitable ring), TERN_ERR_PEER_DEAD (the consumer died and has no successor), TERN_ERR_STATE (the region was
   *   closed); what went in before stays in
   */
  async pushAsync(items, timeoutMs = Infinity) {
    for (let pushed = 0; ;) {
      pushed += this.tryPush(pushed === 0 ? items : items.subarray(pushed * this.sizeBytes));
      if (pushed * this.sizeBytes === items.length) break;
      await this.sleep(`push to '${this.name}'`, timeoutMs);
    }
    const turn = takeTurns();
    if (turn) await turn;
  }
}

/** The consumer's end of a ring. */
export class RingConsumer extends End {
  static kind = CONSUMER;

  /**
   * Pop items, as many as are there and have room.
   *
   * @param {Uint8Array} items out: a multiple of sizeBytes
   * @returns {number} how many came out; 0: empty, or closed (status() tells)
   *
   * Role: consumer. Progress: wait-free, but for one system call if the producer sleeps. Order: acquire [RING-1],
   * release [RING-2]. Crash: items not yet released are delivered again to a successor.
   */
  tryPop(items) {
    const count = native.pop(this.handle, items);
    return count >= 0 ? count : answered(count, `pop ${items.length} bytes from '${this.name}'`);
  }

  /**
   * Pop at least one item, waiting for it.
   *
   * @param {Uint8Array} items out: a multiple of sizeBytes
   * @param {number} [timeoutMs] milliseconds; Infinity without
   * @returns {Promise<number>} how many came out, at least 1; rejects as RingProducer.pushAsync() does, with
   *   TERN_ERR_CLOSED only after the last item
   */
  async popAsync(items, timeoutMs = Infinity) {
    let count = this.tryPop(items);
    if (count === 0) {
      await this.sleep(`pop from '${this.name}'`, timeoutMs);
      count = this.tryPop(items);
      if (count === 0) {
        throw new TernError(STATUS.ERR_CORRUPT, `pop from '${this.name}': the producer took an item back`);
      }
    } else {
      const turn = takeTurns();
      if (turn) await turn;
    }
    return count;
  }

  /** Every item, one after the other, until the producer closes. The bytes are the loop's own copy until the next item
   *  comes. @returns {AsyncGenerator<Uint8Array, void, void>} */
  async *[Symbol.asyncIterator]() {
    const many = Math.max(1, Math.min(32, this.capacity >>> 2));
    const items = new Uint8Array(many * this.sizeBytes);
    const views = Array.from({ length: many }, (_, i) => items.subarray(i * this.sizeBytes, (i + 1) * this.sizeBytes));
    for (;;) {
      let count;
      try {
        count = await this.popAsync(items);
      } catch (error) {
        if (error instanceof TernError && error.status === STATUS.ERR_CLOSED) return;
        throw error;
      }
      for (let i = 0; i < count; i++) yield views[i];
    }
  }
}

/** What both ends of a triple buffer have: one view for each of the three buffers, made when it is first met. */
class TripleEnd extends End {
  /** @type {Map<number, Uint8Array>} */
  #views = new Map();

  /** @protected @param {number} offset @returns {Uint8Array} */
  view(offset) {
    let view = this.#views.get(offset);
    if (!view) this.#views.set(offset, view = new Uint8Array(this.buffer, offset, this.sizeBytes));
    return view;
  }

  /** Number of the last frame that was published (writer), or of the one in front (reader); 0: none yet. */
  get frame() { return answered(native.frame(this.handle), `frame of '${this.name}'`); }
}

/** The writer's end of a triple buffer. */
export class TripleWriter extends TripleEnd {
  static kind = WRITER;

  /** The buffer to write the next frame to, ours until publish(); it holds an older frame or none: write all of it. */
  get back() { return this.view(answered(native.back(this.handle), `back of '${this.name}'`)); }

  /**
   * Hand over what was written to `back`, and get another buffer.
   *
   * @returns {boolean} true: the frame that it replaces was never read
   *
   * Throws TERN_ERR_CORRUPT if the word makes no sense. Role: writer. Progress: wait-free, but for one system call if
   * the reader sleeps. Order: release [TRIPLE-1], acquire [TRIPLE-2]. Crash: publishes wholly or not at all.
   */
  publish() {
    const was = native.publish(this.handle);
    return was >= 0 ? was === 1 : answered(was, `publish to '${this.name}'`) === 1;
  }
}

/** The reader's end of a triple buffer. */
export class TripleReader extends TripleEnd {
  static kind = READER;

  /**
   * Put the newest frame in front, if there is one that was never there.
   *
   * @returns {boolean} whether a newer frame is in front now
   *
   * Throws TERN_ERR_CORRUPT. Role: reader. Progress: wait-free. Order: acquire [TRIPLE-1], release [TRIPLE-2]. Crash: a
   * successor finds in front what was there.
   */
  update() {
    const offset = native.update(this.handle);
    return offset >= 0 ? offset > 0 : answered(offset, `update '${this.name}'`) > 0;
  }

  /** The frame in front, on the shared bytes: whole and unchanged until the next update() or nextFrame(); null before
   *  the first. */
  get front() {
    const offset = answered(native.front(this.handle), `front of '${this.name}'`);
    return offset === 0 ? null : this.view(offset);
  }

  /** Frames that were never in front. */
  get dropped() { return answered(native.dropped(this.handle), `dropped frames of '${this.name}'`); }

  /**
   * Wait for a frame that was never in front, and put the newest there.
   *
   * @param {number} [timeoutMs] milliseconds; Infinity without
   * @returns {Promise<Uint8Array>} `front`; rejects with TERN_ERR_TIMEOUT, TERN_ERR_CLOSED (after the last frame),
   *   TERN_ERR_PEER_DEAD (the same, and the writer has no successor), TERN_ERR_CORRUPT, TERN_ERR_STATE (the region was
   *   closed)
   */
  async nextFrame(timeoutMs = Infinity) {
    if (this.update()) {
      const turn = takeTurns();
      if (turn) await turn;
    } else {
      do await this.sleep(`wait for a frame of '${this.name}'`, timeoutMs); while (!this.update());
    }
    return /** @type {Uint8Array} */ (this.front);
  }

  /** The newest frame, again and again, until the writer closes. @returns {AsyncGenerator<Uint8Array, void, void>} */
  async *[Symbol.asyncIterator]() {
    for (;;) {
      let frame;
      try {
        frame = await this.nextFrame();
      } catch (error) {
        if (error instanceof TernError && error.status === STATUS.ERR_CLOSED) return;
        throw error;
      }
      yield frame;
    }
  }
}

/**
 * Open an end by its name.
 *
 * @template {End} T
 * @param {{ new (handle: Handle, buffer: ArrayBuffer, name: string): T, kind: number }} Kind
 * @param {Handle} region
 * @param {ArrayBuffer} buffer
 * @param {string} name
 * @param {{ itemSizeBytes?: number, bufferSizeBytes?: number, capacityItems?: number, waitable?: boolean,
 *   sequenced?: boolean }} [description]
 * @returns {T}
 */
export function openEnd(Kind, region, buffer, name, description) {
  const what = `open '${name}' as ${Kind.name}`;
  let size = 0, capacity = 0, flags = 0;
  if (description) {
    size = description.itemSizeBytes ?? description.bufferSizeBytes ?? 0;
    capacity = description.capacityItems ?? 0;
    flags = (description.waitable === false ? 0 : WAITABLE) | (description.sequenced ? SEQUENCED : 0);
    for (const [each, least] of [[size, 1], [capacity, 0]]) {
      if (Number.isInteger(each) && each >= least && each <= 0xffffffff) continue;
      throw new TernError(STATUS.ERR_ARGUMENT, `${what}: sizes and capacities are whole numbers, not ${each}`);
    }
  }
  return new Kind(given(native.openEnd(region, Kind.kind, name, size, capacity, flags), what), buffer, name);
}
