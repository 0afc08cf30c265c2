// SPDX-License-Identifier: MIT
// layout_dump.mjs: tern_layout() and its hash as a wasm module sees them; the same text as
// tests/build/layout_dump.c prints natively. Argument: the kind of module.
import { Heap, instantiate, loadModule, newMemory } from './instance.mjs';

const kind = process.argv[2];
const module = loadModule(kind);
const memory = newMemory(kind);
const tern = instantiate(module, memory, new Heap(module, memory).place());
const words = new Uint32Array(memory.buffer);

function text(at) {
  const bytes = new Uint8Array(memory.buffer);
  return new TextDecoder().decode(bytes.slice(at, bytes.indexOf(0, at)));
}

console.log(`hash ${(tern.tern_layout_hash() >>> 0).toString(16).padStart(8, '0')}`);
for (let at = tern.tern_layout() / 4; words[at] !== 0; at += 4) {
  const [structure, name, offset, size] = words.subarray(at, at + 4);
  console.log(`${text(structure)} ${text(name) || '-'} ${offset} ${size}`);
}
