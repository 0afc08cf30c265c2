// SPDX-License-Identifier: MIT
// triple_end.mjs: triple buffers and their ends, for JavaScript that calls the module.
import { FOREVER, expectOk } from './instance.mjs';

/** A triple buffer in new memory: where it is, and how large. */
export function makeTriple(tern, memory, heap, frameBytes) {
  const desc = heap.take(4);
  new Uint32Array(memory.buffer, desc, 1)[0] = frameBytes;
  const size = tern.tern_triple_size(desc);
  const triple = { at: heap.take(size), size, frameBytes };
  expectOk(tern.tern_triple_format(triple.at, size, desc), 'tern_triple_format');
  return triple;
}

/** What tern_triple_inspect() says of a triple buffer. */
export function inspectTriple(tern, memory, heap, triple) {
  const info = heap.take(tern.test_sizeof_triple_info());
  expectOk(tern.tern_triple_inspect(info, triple.at, triple.size), 'tern_triple_inspect');
  const view = new DataView(memory.buffer);
  const place = (name) => info + tern[`test_offsetof_triple_info_${name}`]();
  const flag = (name) => view.getUint8(place(name)) !== 0;
  return {
    frame: view.getUint32(place('was_frame'), true), fresh: flag('was_fresh'), readerAsleep: flag('reader_asleep'),
    writerClosed: flag('writer_closed'), readerClosed: flag('reader_closed'),
  };
}

/** A word of a frame: any mix-up of frames or places shows. */
export const wordOf = (number, at) => (Math.imul(number, 0x9e3779b1) ^ Math.imul(at + 1, 0x85ebca6b)) >>> 0;

export class TripleWriter {
  constructor(tern, memory, heap, triple) {
    Object.assign(this, { tern, memory, words: triple.frameBytes / 4, number: 0 });
    this.view = heap.take(tern.test_sizeof_triple_writer());
    expectOk(tern.tern_triple_attach_writer(this.view, triple.at, triple.size), 'tern_triple_attach_writer');
  }

  /** Write the next frame. True: the one that it replaces was never read. */
  publish() {
    this.number++;
    const frame = new Uint32Array(this.memory.buffer, this.tern.tern_triple_back(this.view), this.words);
    frame[0] = this.number;
    for (let at = 1; at < this.words; at++) frame[at] = wordOf(this.number, at);
    return this.tern.tern_triple_publish(this.view) !== 0;
  }

  close() { this.tern.tern_triple_close_writer(this.view); }
  status() { return this.tern.tern_triple_writer_status(this.view); }
}

export class TripleReader {
  constructor(tern, memory, heap, triple, spinChecks) {
    Object.assign(this, { tern, memory, words: triple.frameBytes / 4 });
    this.view = heap.take(tern.test_sizeof_triple_reader());
    expectOk(tern.tern_triple_attach_reader(this.view, triple.at, triple.size), 'tern_triple_attach_reader');
    if (spinChecks !== undefined)
      new Uint32Array(memory.buffer, this.view + tern.test_offsetof_triple_reader_spin_checks(), 1)[0] = spinChecks;
  }

  update() { return this.tern.tern_triple_update(this.view) !== 0; }
  wait(timeout = FOREVER) { return this.tern.tern_triple_wait(this.view, timeout); }
  close() { this.tern.tern_triple_close_reader(this.view); }
  status() { return this.tern.tern_triple_reader_status(this.view); }
  get front() { return this.tern.tern_triple_front(this.view); }
  get frame() { return Number(this.tern.tern_triple_frame(this.view)); }
  get dropped() { return Number(this.tern.tern_triple_dropped(this.view)); }

  /** Whether what is in front is whole, and the frame that it says. */
  isWhole() {
    const frame = new Uint32Array(this.memory.buffer, this.front, this.words);
    if (frame[0] !== this.frame) return false;
    for (let at = 1; at < this.words; at++) if (frame[at] !== wordOf(frame[0], at)) return false;
    return true;
  }
}
