// SPDX-License-Identifier: MIT
// orchestrate.mjs: Node and a pool of wasm workers on one memory. Each worker gets commands through a ring and shows
// its work through a triple buffer, of which Node reads the newest frame whenever it likes, and waits for none.
//
//   node orchestrate.mjs tern.threads.wasm
import { pathToFileURL } from 'node:url';
import { Ring, Runtime, Triple } from '../../wasm/src/index.mjs';
import { COMMANDS, FRAME, POINTS, checksum } from './shape.mjs';

const [file] = process.argv.slice(2);
if (!file) throw new Error('usage: node orchestrate.mjs tern.threads.wasm');
const WORKERS = 3;
const STEPS = 2000;
const COMMANDS_SENT = 50;

const runtime = await Runtime.start({
  script: new URL('./worker.mjs', import.meta.url), mode: 'threads', workers: WORKERS,
  module: { threads: pathToFileURL(file) },
});
console.log(`${runtime.workers.length} workers, mode ${runtime.mode}: ${runtime.reason}`);

const crew = runtime.workers.map((worker) => {
  const [commands, frames] = [runtime.allocate(Ring.size(COMMANDS)), runtime.allocate(Triple.size(FRAME))];
  Ring.format(runtime.memory, commands, COMMANDS);
  Triple.format(runtime.memory, frames, FRAME);
  const done = worker.call('simulate', { commands, frames });
  return { producer: Ring.producer(runtime.memory, commands, { type: Int32Array }), done, shown: 0, last: 0,
    reader: Triple.reader(runtime.memory, frames), index: worker.index };
});

/** Show the newest frames, and check each: a torn one would not fit its sum, an old one its number. */
function look() {
  for (const each of crew) {
    if (!each.reader.update()) continue;
    const { i32 } = each.reader.front;
    if (i32[POINTS] !== checksum(i32)) throw new Error(`worker ${each.index}: frame ${each.reader.frame} is torn`);
    if (each.reader.frame <= each.last) throw new Error(`worker ${each.index}: frame ${each.reader.frame} again`);
    each.last = each.reader.frame;
    each.shown++;
  }
}

const viewer = setInterval(look, 1);
for (let i = 1; i <= COMMANDS_SENT; i++) {
  // so many steps, each adding this value; the ring is short: this waits for the workers without blocking Node
  for (const { producer } of crew) await producer.pushAsync([STEPS / COMMANDS_SENT, i]);
}
for (const { producer } of crew) producer.close();

const results = await Promise.all(crew.map(({ done }) => done));
clearInterval(viewer);
look();
const sum = (STEPS / COMMANDS_SENT) * (COMMANDS_SENT * (COMMANDS_SENT + 1)) / 2;
for (const [i, { steps, total }] of results.entries()) {
  const { last, shown, reader } = crew[i];
  if (steps !== STEPS || total !== sum || last !== STEPS) {
    throw new Error(`worker ${i}: ${steps} steps, total ${total}, frame ${last}; not ${STEPS}, ${sum}, ${STEPS}`);
  }
  if (reader.front.i32[0] !== sum) throw new Error(`worker ${i}: the last frame shows ${reader.front.i32[0]}`);
  console.log(`worker ${i}: ${steps} frames published, ${shown} shown, total ${total}, load ${runtime.workers[i].load.toFixed(2)}`);
}
await runtime.end();
console.log('all frames whole, all commands done');
