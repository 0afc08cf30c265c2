// SPDX-License-Identifier: MIT
// shipped_tasks.mjs: views of the shipped module's objects, and the worker of shipped.test.mjs: it answers each item
// of a ring by a frame of a triple buffer.
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { FOREVER, STATUS, expectOk, instantiate } from './instance.mjs';

const VIEWS = ['ring_producer', 'ring_consumer', 'stream_producer', 'stream_consumer', 'triple_writer', 'triple_reader',
  'pool', 'bell', 'bell_pass'];

/**
 * view(name, { at, size }) attaches; words and place are 1 KiB to pass things by. tern.view_of(name) is room for a
 * view, as large as the module says.
 */
export function shippedViews(tern, memory, take) {
  const sizes = new Uint32Array(memory.buffer, tern.tern_sizeof_views(), VIEWS.length);
  const viewOf = (name) => take(sizes[VIEWS.indexOf(name)]);
  const place = take(1024);
  const view = (name, { at, size }) => {
    const made = viewOf(name);
    const [primitive, role] = name.split('_');
    expectOk(tern[`tern_${primitive}_attach${role ? `_${role}` : ''}`](made, at, size), `attach ${name}`);
    return made;
  };
  return { tern: { ...tern, view_of: viewOf }, view, place, words: new Int32Array(memory.buffer, place) };
}

if (!isMainThread && workerData?.there) {
  const { module, memory, place: own, area, there, back, spinAt } = workerData;
  let next = area.at;
  const take = (bytes) => { const at = next; next += Math.ceil(bytes / 128) * 128; return at; };
  const { tern, view, place, words } = shippedViews(instantiate(module, memory, own), memory, take);
  const consumer = view('ring_consumer', there);
  const writer = view('triple_writer', back);
  new Uint32Array(memory.buffer, consumer + spinAt, 1)[0] = 0;
  let received = 0;
  let status = STATUS.OK;
  for (;;) {
    status = tern.tern_ring_pop_wait(consumer, place, FOREVER);
    if (status !== STATUS.OK) break;
    received++;
    if (words[0] !== received || words[1] !== -received) break;
    new Uint32Array(memory.buffer, tern.tern_triple_back(writer), 1)[0] = received;
    tern.tern_triple_publish(writer);
  }
  parentPort.postMessage({ received, status });
}
