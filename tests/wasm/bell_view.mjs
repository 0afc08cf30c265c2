// SPDX-License-Identifier: MIT
// bell_view.mjs: bells and their views, for JavaScript that calls the module.
import { FOREVER, STATUS } from './instance.mjs';

/** A bell in new memory: where it is, and how large. */
export function makeBell(tern, memory, heap, sources) {
  const desc = heap.take(4);
  new Uint32Array(memory.buffer, desc, 1)[0] = sources;
  const size = tern.tern_bell_size(desc);
  const bell = { at: heap.take(size), size, sources };
  const status = tern.tern_bell_format(bell.at, size, desc);
  if (status !== STATUS.OK) throw new Error(`tern_bell_format: ${status}`);
  return bell;
}

/** What tern_bell_inspect() says of a bell. */
export function inspectBell(tern, memory, heap, bell) {
  const info = heap.take(tern.test_sizeof_bell_info());
  const status = tern.tern_bell_inspect(info, bell.at, bell.size);
  if (status !== STATUS.OK) throw new Error(`tern_bell_inspect: ${status}`);
  const view = new DataView(memory.buffer);
  return {
    ringing: view.getUint32(info + tern.test_offsetof_bell_info_was_ringing(), true),
    closed: view.getUint8(info + tern.test_offsetof_bell_info_closed()) !== 0,
    asleep: view.getUint8(info + tern.test_offsetof_bell_info_asleep()) !== 0,
  };
}

/** A view of a bell in this thread. */
export class BellView {
  constructor(tern, memory, heap, bell, spinChecks) {
    this.tern = tern;
    this.view = heap.take(tern.test_sizeof_bell());
    this.passAt = heap.take(tern.test_sizeof_bell_pass());
    this.out = heap.take(8);
    this.words = new Uint32Array(memory.buffer, this.out, 2);
    const status = tern.tern_bell_attach(this.view, bell.at, bell.size);
    if (status !== STATUS.OK) throw new Error(`tern_bell_attach: ${status}`);
    if (spinChecks !== undefined)
      new Uint32Array(memory.buffer, this.view + tern.test_offsetof_bell_spin_checks(), 1)[0] = spinChecks;
  }

  ring(source) { return this.tern.tern_bell_ring(this.view, source) !== 0; }
  wait(timeout = FOREVER) { return this.tern.tern_bell_wait(this.view, timeout); }
  collect() { return this.tern.tern_bell_collect(this.view) >>> 0; }
  status() { return this.tern.tern_bell_status(this.view); }
  arm() { return this.tern.tern_bell_arm(this.view) !== 0; }
  useEventfd(fd) { return this.tern.tern_bell_use_eventfd(this.view, fd); }
  close() { this.tern.tern_bell_close(this.view); }

  /** Every source that rang, of either size of bell. */
  * sources() {
    this.tern.tern_bell_begin(this.view, this.passAt);
    while (this.tern.tern_bell_next(this.passAt, this.out, this.out + 4)) {
      const first = this.words[0];
      for (let bits = this.words[1]; bits !== 0;) {
        const bit = 31 - Math.clz32(bits & -bits);
        bits &= ~(1 << bit);
        yield first + bit;
      }
    }
  }
}

/** Bit of the root and leaf of a source, as docs/layout.md tells it: no call of the module. */
export function placeOf(sources, source) {
  if (sources <= 31) return { rootBit: source, leaf: null, leafBit: null };
  const leaves = Math.ceil(sources / 32);
  let run = 0;
  while (31 * 2 ** run < leaves) run++;
  return { rootBit: source >>> (5 + run), leaf: source >>> 5, leafBit: source & 31 };
}
