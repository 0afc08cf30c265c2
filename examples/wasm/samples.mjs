// SPDX-License-Identifier: MIT
// samples.mjs: two workers of Node run samples.c (build.sh) on one shared memory: node samples.mjs samples.wasm
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

const SAMPLES = 100_000;
const STACK_BYTES = 16384;   // as linked

/** An instance for one thread: all begin with the same stack and without thread-local storage, so each gets its own. */
function instantiate({ module, memory, stack, tls }) {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  exports.__stack_pointer.value = stack + STACK_BYTES;
  exports.__wasm_init_tls(tls);
  return exports;
}

if (isMainThread) {
  const module = new WebAssembly.Module(readFileSync(process.argv[2]));
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
  let next = 0;
  const take = (bytes) => { const at = next; next += Math.ceil(bytes / 128) * 128; return at; };
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });   // to ask what it needs
  next = Math.ceil(exports.__heap_base.value / 128) * 128;
  const tlsBytes = Math.max(exports.__tls_size.value, 4);
  const place = () => ({ module, memory, stack: take(STACK_BYTES), tls: take(tlsBytes) });

  const main = instantiate(place());
  const bytes = main.make_ring(0, 0);
  const ring = take(bytes);
  if (main.make_ring(ring, bytes) !== bytes) throw new Error('the ring could not be made');

  const results = await Promise.all(['take_samples', 'add_up'].map(async (name) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { ...place(), name, ring, bytes } });
    return (await once(worker, 'message'))[0];
  }));
  console.log(`${SAMPLES} samples, status ${results[0]}, sum ${results[1]}`);
  process.exitCode = results[0] === 0 && results[1] === 450_000 ? 0 : 1;
} else {
  const { name, ring, bytes } = workerData;
  parentPort.postMessage(instantiate(workerData)[name](ring, bytes, SAMPLES));
}
