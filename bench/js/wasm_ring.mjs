// SPDX-License-Identifier: MIT
// wasm_ring.mjs: what a ring costs between two workers of Node, in ns an 8-byte item: as wasm32 code (wasm_ring.c),
// as calls of tern.threads.wasm from JavaScript, natively, and by ringbuf.js, all in one run.
//
//     node bench/js/wasm_ring.mjs FOLDER [ROUNDS [CELLS]]
//
// FOLDER: a native build, in which `ninja wasm` was run; CELLS: an expression, only what it matches
//
// A round measures every cell once; printed are the medians, and the ratios that the project aims at.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const STACK_BYTES = 16384;
const CAPACITY = 4096;
const ITEMS = { 1: 500_000, 32: 4_000_000 };
const WARM_SLICES = 20;
// V8 replaces the code of a wasm function by faster code only between two calls of it
const SLICE = 10_000;

const newMemory = () => new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });

/** An instance with a stack and thread-local storage of its own, number `worker` of those on the memory. */
function instantiate(module, memory, worker) {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const place = memory.buffer.byteLength - (worker + 1) * (2 * STACK_BYTES);
  exports.__stack_pointer.value = place + STACK_BYTES;
  exports.__wasm_init_tls(place + STACK_BYTES);
  return exports;
}

// ---- Each way: what the two workers do, ready before the clock runs -------------------------------

const ways = {
  loops({ module, memory, at, size, role, batch }) {
    const wasm = instantiate(module, memory, role === 'produce' ? 0 : 1);
    return () => wasm[role](at, size, SLICE, batch);
  },

  calls({ module, memory, at, size, role, batch }) {
    const tern = instantiate(module, memory, role === 'produce' ? 0 : 1);
    const view = memory.buffer.byteLength - (role === 'produce' ? 5 : 6) * 2 * STACK_BYTES;
    const place = view + 1024;
    const words = new Int32Array(memory.buffer, place, 2 * batch);
    const { tern_ring_push: push, tern_ring_pop: pop } = tern;
    const { tern_ring_push_many: pushMany, tern_ring_pop_many: popMany } = tern;
    if (tern[`tern_ring_attach_${role}r`](view, at, size) !== 0) throw new Error('attach failed');
    return role === 'produce'
      ? producer(words, 2, batch === 1 ? () => push(view, place) : (count) => pushMany(view, place, count), batch)
      : consumer(words, 2, batch === 1 ? () => pop(view, place) : (count) => popMany(view, place, count), batch);
  },

  async ringbuf({ storage, role, batch }) {
    const { RingBuffer } = await import('ringbuf.js');
    const ring = new RingBuffer(storage, Float64Array);
    const place = new Float64Array(batch);
    return role === 'produce' ? producer(place, 1, (count) => ring.push(place, count), batch)
      : consumer(place, 1, (count) => ring.pop(place, count), batch);
  },
};

/** A slice of items that count up, each in every `step`-th word of a place, pushed by push(count). */
const producer = (words, step, push, batch) => () => {
  let done = 0;
  while (done < SLICE) {
    for (let i = 0; i < batch; i++) words[step * i] = done + i;
    done += push(Math.min(batch, SLICE - done));
  }
  return done;
};

/** How many of a slice came in order. */
const consumer = (words, step, pop, batch) => () => {
  let done = 0;
  let right = 0;
  while (done < SLICE) {
    const got = pop(Math.min(batch, SLICE - done));
    for (let i = 0; i < got; i++) right += words[step * i] === done + i ? 1 : 0;
    done += got;
  }
  return right;
};

/** Wait until both workers are here: they begin together. */
function meet(gate) {
  Atomics.add(gate, 0, 1);
  while (Atomics.load(gate, 0) < 2);
}

if (!isMainThread) {
  const { way, batch, gate } = workerData;
  const slice = await ways[way](workerData);
  const slices = ITEMS[batch] / SLICE;
  let right = 0;
  meet(gate);
  for (let i = 0; i < WARM_SLICES; i++) right += slice();
  const begin = process.hrtime.bigint();
  for (let i = 0; i < slices; i++) right += slice();
  const ns = Number(process.hrtime.bigint() - begin);
  parentPort.postMessage({ right: right === (WARM_SLICES + slices) * SLICE, ns });
}

async function measure(way, batch, shared) {
  const items = ITEMS[batch];
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const ends = ['produce', 'consume'].map((role) =>
    new Worker(new URL(import.meta.url), { workerData: { way, role, batch, gate, ...shared } }));
  const results = await Promise.all(ends.map(async (worker) => (await once(worker, 'message'))[0]));
  await Promise.all(ends.map((worker) => worker.terminate()));
  if (!results.every(({ right }) => right)) throw new Error(`${way}, ${batch} at once: items were wrong`);
  return Math.max(...results.map(({ ns }) => ns)) / items;
}

// ---- Cells --------------------------------------------------------------------------------------

/** wasm_ring.c as a program and as a module, by 4 commands. */
function build(build, folder) {
  const [program, object, module] = ['ring', 'ring.o', 'ring.wasm'].map((name) => join(folder, name));
  const source = [join(ROOT, 'bench/js/wasm_ring.c'), '-O2', '-std=gnu11', '-I', join(ROOT, 'include')];
  execFileSync('clang', [...source, join(build, 'lib/libtern.a'), '-pthread', '-o', program]);
  execFileSync('clang', [...source, '--target=wasm32-unknown-unknown', '-ffreestanding', '-matomics', '-mbulk-memory',
    '-mmutable-globals', '-ftls-model=local-exec', '-c', '-o', object]);
  execFileSync('wasm-ld', ['--no-entry', '--shared-memory', '--import-memory', '--initial-memory=1048576',
    '--max-memory=67108864', '-z', 'stack-size=16384', '--export=__heap_base', '--export=__stack_pointer',
    '--export=__wasm_init_tls', object, join(build, 'tests/wasm/threads/lib/libtern.a'), '-o', module]);
  return { program, module: new WebAssembly.Module(readFileSync(module)) };
}

function cellsOf(built, shipped) {
  const inMemory = (way, module, batch, waitable) => () => {
    const memory = newMemory();
    const wasm = instantiate(built.module, memory, 3);
    const at = Math.ceil(wasm.__heap_base.value / 4096) * 4096;
    const size = wasm.format(0, 0, waitable);
    if (wasm.format(at, size, waitable) !== size) throw new Error('format failed');
    return measure(way, batch, { module, memory, at, size });
  };
  const cells = {};
  for (const batch of [1, 32]) {
    for (const [kind, waitable] of [['plain', 0], ['waitable', 1]]) {
      cells[`wasm, ${kind}, ${batch}`] = inMemory('loops', built.module, batch, waitable);
      cells[`tern.threads.wasm from JavaScript, ${kind}, ${batch}`] = inMemory('calls', shipped, batch, waitable);
      cells[`native, ${kind}, ${batch}`] = async () =>
        Number(execFileSync(built.program, [4 * ITEMS[batch], batch, waitable].map(String)));
    }
    cells[`ringbuf.js, ${batch}`] = () =>
      measure('ringbuf', batch, { storage: new SharedArrayBuffer(8 + (CAPACITY + 1) * 8) });
  }
  return cells;
}

async function main(folder, rounds, only) {
  const made = mkdtempSync(join(tmpdir(), 'tern-bench-'));
  try {
    const shipped = new WebAssembly.Module(readFileSync(join(folder, 'tests/wasm/tern.threads.wasm')));
    const cells = cellsOf(build(folder, made), shipped);
    for (const name of Object.keys(cells)) if (only && !name.match(only)) delete cells[name];
    const seen = Object.fromEntries(Object.keys(cells).map((name) => [name, []]));
    for (let round = 0; round < rounds; round++)
      for (const [name, cell] of Object.entries(cells)) seen[name].push(await cell());
    const median = (name) => seen[name].toSorted((a, b) => a - b)[rounds >> 1];
    for (const name of Object.keys(cells)) {
      const [middle, least] = [median(name), Math.min(...seen[name])].map((ns) => ns.toFixed(2).padStart(8));
      console.log(`${middle} ns, at least ${least}  ${name}`);
    }
    if (only) return;
    const ratio = (above, below) => (median(above) / median(below)).toFixed(2);
    for (const kind of ['plain', 'waitable']) {
      console.log(`${kind}: batches of 32, ${ratio(`native, ${kind}, 32`, `wasm, ${kind}, 32`)} of the native rate `
        + `(aim 0.4); single items, ${ratio('ringbuf.js, 1', `wasm, ${kind}, 1`)} times ringbuf.js (aim 3)`);
    }
  } finally {
    rmSync(made, { recursive: true });
  }
}

if (isMainThread) {
  if (!process.argv[2]) throw new Error('usage: node bench/js/wasm_ring.mjs FOLDER [ROUNDS [CELLS]]');
  await main(process.argv[2], Number(process.argv[3] ?? 7), process.argv[4]);
}
