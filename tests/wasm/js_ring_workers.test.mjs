// SPDX-License-Identifier: MIT
// js_ring_workers.test.mjs: rings and streams of the package between two worker threads, with C's end in one of them
// or with its own. No wait has a time-out: a lost wake-up hangs, and the limit below is the guard against that.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Ring, STATUS } from '../../wasm/src/index.mjs';
import { Crew } from './crew.mjs';
import { SEQUENCED, WAITABLE, addToChecksum, inspect, payload } from './ring_end.mjs';
import { inspectStream, makeStream } from './stream_end.mjs';

const LONG = process.env.TERN_LONG === '1';
const HANG = { timeout: LONG ? 2_000_000 : 120_000 };
const ITEMS = LONG ? 20_000_000 : 500_000;
const SLEEPY_ITEMS = LONG ? 2_000_000 : 15_000;
const ROUND_TRIPS = LONG ? 1_000_000 : 10_000;

// workers 0 and 1 have C's ends, 2 and 3 the package's
let crew;
beforeEach(async () => {
  crew = await Crew.start();
  for (let i = 0; i < 2; i++) {
    const worker = new Worker(new URL('./js_ring_worker.mjs', import.meta.url), { workerData: { memory: crew.memory } });
    crew.workers.push(worker);
    await once(worker, 'message');
  }
});
afterEach(async () => { await crew?.stop(); });

const MAKES = [{ name: 'JavaScript to C', from: 2, to: 0 }, { name: 'C to JavaScript', from: 0, to: 2 },
  { name: 'JavaScript to JavaScript', from: 2, to: 3 }];
const LAYOUTS = [{ name: 'indexed', layout: 0 }, { name: 'sequenced', layout: SEQUENCED }];

async function pass({ from, to }, { capacity, flags, count, ...how }) {
  const ring = crew.ring({ capacity, flags });
  const [produced, consumed] = await Promise.all([
    crew.task(from, 'produce', { ring, count, ...how }), crew.task(to, 'consume', { ring, ...how })]);
  assert.equal(consumed.count, count);
  assert.equal(consumed.checksum, produced.checksum);
  const info = inspect(crew.tern, crew.memory, crew.heap, ring);
  assert.deepEqual([info.pushed, info.popped, info.count, info.producerClosed], [count, count, 0, true]);
  return { produced, consumed };
}

for (const make of MAKES) for (const { name, layout } of LAYOUTS) {
  const way = `${make.name}, ${name}`;

  test(`${ITEMS} items, plain and waitable, ${way}`, HANG, async () => {
    const { produced, consumed } = await pass(make, { capacity: 1024, flags: layout, count: ITEMS, wait: false });
    assert.equal(produced.sleeps + consumed.sleeps, 0, 'nobody sleeps on a plain ring');
    await pass(make, { capacity: 1024, flags: WAITABLE | layout, count: ITEMS, wait: true });
  });

  test(`asleep at every turn, no time-out, ${way}`, HANG, async (t) => {
    const flags = WAITABLE | layout;
    const { produced, consumed } = await pass(make, { capacity: 1, flags, count: SLEEPY_ITEMS, wait: true, spinChecks: 0 });
    const [ping, pong] = [0, 1].map(() => crew.ring({ capacity: 1, flags }));
    const how = { count: ROUND_TRIPS, spinChecks: 0 };
    const [begins, answers] = await Promise.all([
      crew.task(make.from, 'pingPong', { out: ping, back: pong, begins: true, ...how }),
      crew.task(make.to, 'pingPong', { out: pong, back: ping, begins: false, ...how })]);
    const sleeps = begins.sleeps + answers.sleeps;
    t.diagnostic(`${produced.sleeps} and ${consumed.sleeps} sleeps one way, ${sleeps} in round trips`);
    assert.ok(produced.sleeps > 100 && consumed.sleeps > 100, `${produced.sleeps} and ${consumed.sleeps} sleeps only`);
    // there are two in a round trip, if the answer is not there already
    assert.ok(sleeps >= ROUND_TRIPS, `${sleeps} sleeps only`);
  });
}

for (const { name, layout } of LAYOUTS) {
  test(`batches, ${name}`, HANG, async () => {
    const make = MAKES[2];
    await pass(make, { capacity: 256, flags: layout, count: ITEMS, wait: false, batch: 32 });
    await pass(make, { capacity: 16, flags: WAITABLE | layout, count: ITEMS / 10, wait: true, batch: 7 });
  });

  test(`closing wakes a sleeper, and a time-out comes in its time, ${name}`, HANG, async () => {
    const flags = WAITABLE | layout;
    for (const [from, to] of [[0, 2], [2, 0], [2, 3]]) {
      const ring = crew.ring({ capacity: 4, flags });
      const consumer = crew.task(to, 'consume', { ring, wait: true, spinChecks: 0 });
      while (!inspect(crew.tern, crew.memory, crew.heap, ring).consumerAsleep)
        await new Promise((resolve) => { setTimeout(resolve, 1); });
      await crew.task(from, 'produce', { ring, count: 0, wait: true });
      assert.equal((await consumer).count, 0);
    }
    const { got, elapsedMs, sleeps } = await crew.task(2, 'timeOut', { ring: crew.ring({ capacity: 4, flags }), timeoutMs: 20 });
    assert.equal(got, false);
    assert.ok(sleeps >= 1 && elapsedMs >= 19, `${sleeps} sleeps, ${elapsedMs} ms`);
  });

  test(`a thread that may not block waits for C, ${name}`, HANG, async () => {
    const count = SLEEPY_ITEMS / 5;
    const ring = crew.ring({ capacity: 4, flags: WAITABLE | layout });
    const consumer = Ring.consumer(crew.memory, ring.at, { type: Uint32Array, domain: 'main' });
    const produced = crew.task(0, 'produce', { ring, count, wait: true, spinChecks: 0 });
    let [checksum, seen] = [0, 0];
    for await (const [number, second] of consumer) {
      assert.deepEqual([number, second], [seen, payload(seen)]);
      checksum = addToChecksum(checksum, second);
      seen++;
    }
    assert.deepEqual([seen, checksum], [count, (await produced).checksum]);
    assert.equal(consumer.status, STATUS.ERR_CLOSED);
  });

  // C's asymmetric mode cannot be met in wasm: here its words are set by hand, and the publication is a plain store
  test(`an end that publishes by plain stores is heard, ${name}`, HANG, async () => {
    const ring = crew.ring({ capacity: 4, flags: WAITABLE | layout });
    const producer = Ring.producer(crew.memory, ring.at, { type: Uint32Array });
    const words = new Int32Array(crew.memory.buffer, ring.at, ring.size / 4);
    Atomics.store(words, (128 + 8) / 4, 1);
    const popped = crew.task(2, 'timeOut', { ring, timeoutMs: 60_000 });
    while (Atomics.load(words, (128 + 64) / 4) === 0) await new Promise((resolve) => { setTimeout(resolve, 0); });
    producer.reserve();
    const publish = Object.assign(Object.create(producer), { waitable: false });   // a store, and no wake
    publish.commit();
    assert.equal((await popped).got, true);
    assert.equal(Atomics.load(words, (128 + 64) / 4), 0, 'asleep is taken back');
  });
}

test('streams, JavaScript to JavaScript, with and without sleep', HANG, async () => {
  for (const [capacity, flags, wait, spinChecks] of [[4096, 0, false], [4096, WAITABLE, true], [64, WAITABLE, true, 0]]) {
    const stream = makeStream(crew.tern, crew.memory, crew.heap, { capacity, flags });
    const count = spinChecks === 0 ? SLEEPY_ITEMS : ITEMS / 10;
    const [, received] = await Promise.all([
      crew.task(2, 'send', { stream, count, wait, spinChecks }), crew.task(3, 'receive', { stream, wait, spinChecks })]);
    assert.equal(received.count, count);
    const info = inspectStream(crew.tern, crew.memory, crew.heap, stream);
    assert.deepEqual([info.used, info.producerClosed], [0, true]);
  }
});
