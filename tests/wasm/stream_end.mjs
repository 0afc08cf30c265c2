// SPDX-License-Identifier: MIT
// stream_end.mjs: streams and their ends, for JavaScript that calls the module.
import { FOREVER, STATUS } from './instance.mjs';

/** A stream in new memory: where it is, and how large. */
export function makeStream(tern, memory, heap, { capacity, flags }) {
  const desc = heap.take(16);
  const view = new DataView(memory.buffer, desc, 16);
  view.setBigUint64(0, BigInt(capacity), true);
  view.setUint32(8, flags, true);
  const size = tern.tern_stream_size(desc);
  const stream = { at: heap.take(size), size };
  const status = tern.tern_stream_format(stream.at, size, desc);
  if (status !== STATUS.OK) throw new Error(`tern_stream_format: ${status}`);
  return stream;
}

/** What tern_stream_inspect() says of a stream. */
export function inspectStream(tern, memory, heap, stream) {
  const info = heap.take(tern.test_sizeof_stream_info());
  const status = tern.tern_stream_inspect(info, stream.at, stream.size);
  if (status !== STATUS.OK) throw new Error(`tern_stream_inspect: ${status}`);
  const view = new DataView(memory.buffer);
  const number = (name) => Number(view.getBigUint64(info + tern[`test_offsetof_stream_info_${name}`](), true));
  const flag = (name) => view.getUint8(info + tern[`test_offsetof_stream_info_${name}`]()) !== 0;
  return {
    written: number('was_written_bytes'), used: number('was_used_bytes'), producerClosed: flag('producer_closed'),
    producerAsleep: flag('producer_asleep'), consumerAsleep: flag('consumer_asleep'),
  };
}

const ROOM = 512;

/** One end of a stream in this thread: a view in wasm memory, and room for one record. */
export class StreamEnd {
  constructor(tern, memory, heap, stream, role, spinChecks) {
    this.tern = tern;
    this.memory = memory;
    this.view = heap.take(tern[`test_sizeof_stream_${role}`]());
    this.room = heap.take(ROOM);
    this.out = heap.take(16);
    this.words = new Uint32Array(memory.buffer, this.out, 3);
    const wakes = tern.test_wakes();
    const status = tern[`tern_stream_attach_${role}`](this.view, stream.at, stream.size);
    // an end that attaches wakes once, for a predecessor that died before its wake: counted apart
    heap.attachWakes += tern.test_wakes() - wakes;
    if (status !== STATUS.OK) throw new Error(`tern_stream_attach_${role}: ${status}`);
    if (spinChecks !== undefined) {
      const offset = tern[`test_offsetof_stream_${role}_spin_checks`]();
      new Uint32Array(memory.buffer, this.view + offset, 1)[0] = spinChecks;
    }
  }

  bytes(at, length) { return new Uint8Array(this.memory.buffer, at, length); }
  /** The record that a call has told of. */
  record(at) { return { at, bytes: this.bytes(at, this.words[0]), kind: this.words[1] }; }

  send(kind, length) { return this.tern.tern_stream_send(this.view, kind, this.room, length) !== 0; }
  sendWait(kind, length) { return this.tern.tern_stream_send_wait(this.view, kind, this.room, length, FOREVER); }
  reserve(length) { return this.tern.tern_stream_reserve(this.view, length); }
  /** The place, or the status if it is negative. */
  reserveWait(length) {
    const status = this.tern.tern_stream_reserve_wait(this.view, length, this.out + 8, FOREVER);
    return status === STATUS.OK ? this.words[2] : status;
  }
  commit(kind, length) {
    this.tern.tern_stream_set_kind(this.view, kind);
    this.tern.tern_stream_commit(this.view, length);
  }
  receive() {
    const got = this.tern.tern_stream_receive(this.view, this.room, ROOM, this.out, this.out + 4) !== 0;
    return got ? this.record(this.room) : null;
  }
  peek() {
    const at = this.tern.tern_stream_peek(this.view, this.out, this.out + 4);
    return at ? this.record(at) : null;
  }
  /** A status; on OK the record is record(). */
  receiveWait(timeout = FOREVER) {
    return this.tern.tern_stream_receive_wait(this.view, this.room, ROOM, this.out, this.out + 4, timeout);
  }
  peekWait(timeout = FOREVER) {
    return this.tern.tern_stream_peek_wait(this.view, this.out + 8, this.out, this.out + 4, timeout);
  }
  release() { this.tern.tern_stream_release(this.view); }
  closeProducer() { this.tern.tern_stream_close_producer(this.view); }
  consumerStatus() { return this.tern.tern_stream_consumer_status(this.view); }
}
