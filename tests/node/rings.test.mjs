// SPDX-License-Identifier: MIT
// rings.test.mjs: rings and words between a native process and Node, in both directions.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HANG, TIMES, fails, kid, newRegion, peer } from './harness.mjs';

const ITEMS = 1_000_000 * TIMES;
const WAKES = 10_000 * TIMES;
const RING = { itemSizeBytes: 8, capacityItems: 1024 };
const MANY = 256;

test(`${ITEMS} items come from a native producer in order`, HANG, async (t) => {
  const region = newRegion(t);
  const consumer = region.ringConsumer('items', RING);
  const producer = peer(t, 'push', region.name, 'items', ITEMS);
  const bytes = new Uint8Array(MANY * 8);
  const longs = new BigUint64Array(bytes.buffer);
  let next = 0n, wrong = 0;
  await fails(async () => {
    for (;;) {
      const count = await consumer.popAsync(bytes);
      for (let i = 0; i < count; i++) if (longs[i] !== next++) wrong++;
    }
  }, 'TERN_ERR_CLOSED');
  assert.deepEqual([Number(next), wrong], [ITEMS, 0]);
  assert.equal((await producer.answer).status, 'TERN_OK');
});

test(`${ITEMS} items go to a native consumer in order`, HANG, async (t) => {
  const region = newRegion(t);
  const producer = region.ringProducer('items', RING);
  const consumer = peer(t, 'pop', region.name, 'items');
  const bytes = new Uint8Array(MANY * 8);
  const longs = new BigUint64Array(bytes.buffer);
  for (let next = 0; next < ITEMS;) {
    const count = Math.min(MANY, ITEMS - next);
    for (let i = 0; i < count; i++) longs[i] = BigInt(next++);
    await producer.pushAsync(count === MANY ? bytes : bytes.subarray(0, count * 8));
  }
  producer.close();
  const { status, count, wrong } = await consumer.answer;
  assert.deepEqual({ status, count, wrong }, { status: 'TERN_ERR_CLOSED', count: ITEMS, wrong: 0 });
});

// each side gives the other its item when it sees that it sleeps: a wake-up that is lost stops both for ever
test(`${WAKES} sleeps and wakes in each direction, without a time-out`, HANG, async (t) => {
  const region = newRegion(t);
  const producer = region.ringProducer('echo.to', RING);
  const consumer = region.ringConsumer('echo.from', RING);
  const echo = peer(t, 'echo', region.name, 'echo');
  await echo.ready;
  const [sent, got] = [new Uint8Array(8), new Uint8Array(8)];
  const [sentNumber, gotNumber] = [new Float64Array(sent.buffer), new Float64Array(got.buffer)];
  const { offset } = region.objects().find((object) => object.name === 'echo.to');
  const words = new Int32Array(region.buffer, offset, 64);
  // docs/layout.md: SLEEP in the producer's word, or `asleep` beside it
  const echoSleeps = () => (Atomics.load(words, 128 / 4) & 1) === 1 || Atomics.load(words, 192 / 4) === 1;
  const began = performance.now();
  for (let n = 0; n < WAKES; n++) {
    while (!echoSleeps()) await new Promise(setImmediate);
    sentNumber[0] = n;
    assert.equal(producer.tryPush(sent), 1);
    assert.equal(consumer.tryPop(got), 0, 'the answer comes to who sleeps');
    await consumer.popAsync(got);
    assert.equal(gotNumber[0], n);
  }
  const took = performance.now() - began;
  producer.close();
  const { status, count } = await echo.answer;
  await fails(consumer.popAsync(got), 'TERN_ERR_CLOSED');
  t.diagnostic(`${(took * 1000 / WAKES).toFixed(1)} us a round trip`);
  assert.deepEqual({ status, count }, { status: 'TERN_ERR_CLOSED', count: WAKES });
});

test('a word of one\'s own: each side sleeps on it and wakes the other', HANG, async (t) => {
  const turns = WAKES / 4;
  const region = newRegion(t);
  region.ringProducer('words', { itemSizeBytes: 1024, capacityItems: 2 });
  const at = region.objects()[0].offset + 512;   // among its items, which nobody uses
  const word = new Int32Array(region.buffer, at, 1);
  const other = peer(t, 'turn', region.name, at, turns);
  await other.ready;
  for (let n = 0; n < turns; n++) {
    Atomics.store(word, 0, 2 * n + 1);
    region.wake(at);
    while (Atomics.load(word, 0) === 2 * n + 1) assert.equal(await region.wait(at, 2 * n + 1), 'ok');
    assert.equal(Atomics.load(word, 0), 2 * n + 2);
  }
  assert.equal((await other.answer).count, turns);
  assert.equal(await region.wait(at, word[0], 10), 'timed-out');
  assert.equal(await region.wait(at, word[0] + 1), 'ok', 'another value: nothing to sleep for');
});

test('hundreds of waits at once leave Node\'s own threads alone', HANG, async (t) => {
  const region = newRegion(t);
  region.ringProducer('words', { itemSizeBytes: 4096, capacityItems: 2 });
  const at = region.objects()[0].offset + 1024;
  const words = new Int32Array(region.buffer, at, 400);
  const waits = Array.from(words, (_, i) => region.wait(at + 4 * i, 0));
  // the pool of four that reads files is not among the sleepers
  assert.match(await readFile(fileURLToPath(import.meta.url), 'utf8'), /the pool of four/);
  let over = 0;
  for (const wait of waits) wait.then(() => { over++; });
  await new Promise(setImmediate);
  assert.equal(over, 0, 'all of them sleep');
  words.fill(1);
  for (let i = 0; i < words.length; i++) region.wake(at + 4 * i);
  assert.deepEqual(new Set(await Promise.all(waits)), new Set(['ok']));
  // more than there are threads: an error, and the others go on
  const many = Array.from({ length: 1030 }, () => region.wait(at, 1).then(() => 'ok', (error) => error.code));
  words[0] = 2;
  region.wake(at);
  const ends = await Promise.all(many);
  assert.equal(ends.filter((end) => end === 'ok').length, 1024);
  assert.equal(ends.filter((end) => end === 'TERN_ERR_FULL').length, 6);
});

test('what is always there does not keep timers from ticking', HANG, async (t) => {
  const region = newRegion(t);
  const producer = region.ringProducer('items', RING), consumer = region.ringConsumer('items');
  const writer = region.tripleWriter('frames', { bufferSizeBytes: 64 }), reader = region.tripleReader('frames');
  const bytes = new Uint8Array(8);
  const steps = {
    async pop() { producer.tryPush(bytes); await consumer.popAsync(bytes); },
    async push() { await producer.pushAsync(bytes); consumer.tryPop(bytes); },
    async frame() { writer.publish(); await reader.nextFrame(); },
  };
  for (const [name, step] of Object.entries(steps)) {
    let ticks = 0;
    const timer = setInterval(() => { ticks++; }, 1);
    for (let n = 0; n < 1_000_000 && ticks < 3; n++) await step();
    clearInterval(timer);
    assert.ok(ticks >= 3, name);
  }
});

test('a native consumer is killed: a Node producer that waits for room is told', HANG, async (t) => {
  const region = newRegion(t);
  const producer = region.ringProducer('echo.to', RING);
  const from = region.ringConsumer('echo.from', { ...RING, capacityItems: 4 });
  const echo = peer(t, 'echo', region.name, 'echo');
  await echo.ready;
  // it answers only who sleeps, and so takes one item and no more
  const push = producer.pushAsync(new Uint8Array(8 * 8192));
  await echo.kill();
  await fails(push, 'TERN_ERR_PEER_DEAD', /echo\.to/);
  await fails(from.popAsync(new Uint8Array(8)), 'TERN_ERR_PEER_DEAD', /echo\.from/);
});

test('a Node producer is killed: the native consumer is told after the last item', HANG, async (t) => {
  const region = newRegion(t);
  region.ringProducer('items', RING).detach();
  const consumer = peer(t, 'pop', region.name, 'items');
  const producer = kid(t, 'push', region.name, 'items');
  await producer.ready;
  await producer.kill();
  const { status, count, wrong } = await consumer.answer;
  assert.deepEqual({ status, count, wrong }, { status: 'TERN_ERR_PEER_DEAD', count: 100, wrong: 0 });
  const successor = region.ringProducer('items');
  assert.equal(successor.recovery.outcome, 'repaired');
});

test('a ring is iterated over until its producer closes', HANG, async (t) => {
  const region = newRegion(t);
  const consumer = region.ringConsumer('items', RING);
  const producer = peer(t, 'push', region.name, 'items', 1000);
  let next = 0n;
  for await (const item of consumer) {
    assert.equal(new DataView(item.buffer, item.byteOffset).getBigUint64(0, true), next++);
  }
  assert.equal(next, 1000n);
  assert.equal((await producer.answer).count, 1000);
});
