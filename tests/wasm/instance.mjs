// SPDX-License-Identifier: MIT
// instance.mjs: an instance of a Tern module for a thread, and memory to give to its objects.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PAGE_BYTES = 65536;
export const STACK_BYTES = 16384;
export const FOREVER = -1n;          // TERN_WAIT_FOREVER, an unsigned 64-bit number
export const STATUS = { OK: 0, TIMEOUT: -10, CLOSED: -9, UNSUPPORTED: -11, DOMAIN: -21 };

/**
 * Path of a built module, `threads` or `single`; $TERN_WASM is the folder that meson builds them in. Which: `tests` has
 * all public functions and the tests' own, `tern` is what is shipped, `watched` tells of each access.
 */
export function modulePath(kind, which = 'tests') {
  const folder = process.env.TERN_WASM;
  if (!folder) throw new Error('TERN_WASM is not set: run this by `meson test -C build --suite wasm`');
  return join(folder, `${which}.${kind}.wasm`);
}

export const loadModule = (kind, which) => new WebAssembly.Module(readFileSync(modulePath(kind, which)));

export const newMemory = (kind, pages = 64) =>
  new WebAssembly.Memory({ initial: pages, maximum: pages, shared: kind === 'threads' });

/**
 * An instance of a module for one thread. Every instance starts with the same stack pointer and
 * without thread-local storage: all but the first must be given theirs (place, from a Heap).
 */
export function instantiate(module, memory, place) {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  if (place?.stack && exports.__stack_pointer) exports.__stack_pointer.value = place.stack + STACK_BYTES;
  if (exports.__wasm_init_tls) exports.__wasm_init_tls(place.tls);
  return exports;
}

/** Hands out memory above the module's own, never takes it back. */
export class Heap {
  constructor(module, memory) {
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    this.at = exports.__heap_base.value;
    this.tlsBytes = exports.__tls_size?.value ?? 0;
    this.end = memory.buffer.byteLength;
  }

  take(bytes, alignment = 128) {
    const at = Math.ceil(this.at / alignment) * alignment;
    this.at = at + bytes;
    if (this.at > this.end) throw new Error(`memory of ${this.end / PAGE_BYTES} pages is used up`);
    return at;
  }

  /** Stack and thread-local storage of one more instance. */
  place() {
    return { stack: this.take(STACK_BYTES), tls: this.take(Math.max(this.tlsBytes, 4)) };
  }
}

export const fail = (text) => { throw new Error(text); };

export function expectOk(status, what) {
  if (status !== STATUS.OK) fail(`${what}: status ${status}`);
}
