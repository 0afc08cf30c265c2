// SPDX-License-Identifier: MIT
// stream.test.mjs: two workers, one memory, records between them in both directions. The limits
// below are guards against a hang, since a lost wake-up sleeps for ever: nothing else times out.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Crew } from './crew.mjs';
import { STATUS } from './instance.mjs';
import { WAITABLE } from './ring_end.mjs';
import { inspectStream, makeStream } from './stream_end.mjs';

const CORRUPT = -6;
const HANG = { timeout: 240_000 };
const RECORDS = 100_000;
const SLEEPY_RECORDS = 50_000;

// a crew a test: one that hangs or fails takes nobody along
let crew;
beforeEach(async () => { crew = await Crew.start(); });
afterEach(async () => { await crew?.stop(); });

const newStream = (description) => makeStream(crew.tern, crew.memory, crew.heap, description);
const inspect = (stream) => inspectStream(crew.tern, crew.memory, crew.heap, stream);

/** Records from one worker to the other; all came, in order and unspoilt. */
async function carry(from, { capacity, flags, count, most, wait, spinChecks }) {
  const stream = newStream({ capacity, flags });
  const [produced, consumed] = await Promise.all([
    crew.task(from, 'produceRecords', { stream, count, most, wait, spinChecks }),
    crew.task(1 - from, 'consumeRecords', { stream, most, wait, spinChecks }),
  ]);
  assert.equal(consumed.count, count);
  assert.equal(consumed.checksum, produced.checksum);
  const info = inspect(stream);
  assert.deepEqual([info.used, info.producerClosed], [0, true]);
  assert.ok(info.written >= count * 8, `${info.written} bytes for ${count} records`);
  return { produced, consumed };
}

for (const from of [0, 1]) {
  const way = `worker ${from} to ${1 - from}`;

  test(`plain stream, ${RECORDS} records, ${way}`, HANG, async () => {
    const { produced, consumed } = await carry(from, {
      capacity: 4096, flags: 0, count: RECORDS, most: 100, wait: false,
    });
    assert.equal(produced.sleeps + consumed.sleeps, 0, 'nobody sleeps on a plain stream');
    assert.equal(produced.wakes + consumed.wakes, 0, 'nobody wakes on a plain stream');
  });

  test(`waitable stream, ${RECORDS} records, ${way}`, HANG, async () => {
    const { produced, consumed } = await carry(from, {
      capacity: 4096, flags: WAITABLE, count: RECORDS, most: 100, wait: true,
    });
    assert.ok(produced.wakes <= consumed.sleeps, `${produced.wakes} wakes for ${consumed.sleeps} sleeps`);
    assert.ok(consumed.wakes <= produced.sleeps, `${consumed.wakes} wakes for ${produced.sleeps} sleeps`);
  });

  test(`both sides sleep, half the capacity a record, no spinning, no time-out, ${way}`, HANG, async (t) => {
    const { produced, consumed } = await carry(from, {
      capacity: 64, flags: WAITABLE, count: SLEEPY_RECORDS, most: 32, wait: true, spinChecks: 0,
    });
    t.diagnostic(`producer slept ${produced.sleeps} times, consumer ${consumed.sleeps}`);
    assert.ok(produced.sleeps > 1000, `the producer slept ${produced.sleeps} times only`);
    assert.ok(consumed.sleeps > 1000, `the consumer slept ${consumed.sleeps} times only`);
    assert.ok(produced.wakes <= consumed.sleeps, `${produced.wakes} wakes for ${consumed.sleeps} sleeps`);
    assert.ok(consumed.wakes <= produced.sleeps, `${consumed.wakes} wakes for ${produced.sleeps} sleeps`);
  });
}

test('closing wakes a sleeper', HANG, async () => {
  const stream = newStream({ capacity: 64, flags: WAITABLE });
  const consumer = crew.task(1, 'consumeRecords', { stream, most: 32, wait: true, spinChecks: 0 });
  while (!inspect(stream).consumerAsleep) await new Promise((resolve) => { setTimeout(resolve, 1); });
  await crew.task(0, 'produceRecords', { stream, count: 0, most: 32, wait: true });
  const consumed = await consumer;
  assert.equal(consumed.count, 0);
  assert.ok(consumed.sleeps >= 1);
});

test('a time-out comes, and not before its time', HANG, async () => {
  const stream = newStream({ capacity: 64, flags: WAITABLE });
  const { status, elapsedMs, sleeps } = await crew.task(0, 'timeOutRecords', { stream, timeoutMs: 20 });
  assert.equal(status, STATUS.TIMEOUT);
  assert.ok(sleeps >= 1);
  assert.ok(elapsedMs >= 19, `after ${elapsedMs} ms already`);
});

test('a stream is no ring, and a capacity above the address space is none', () => {
  const stream = newStream({ capacity: 64, flags: WAITABLE });
  const view = crew.heap.take(crew.tern.test_sizeof_producer());
  assert.equal(crew.tern.tern_ring_attach_producer(view, stream.at, stream.size), CORRUPT);
  assert.throws(() => newStream({ capacity: 2 ** 33, flags: 0 }));
});
