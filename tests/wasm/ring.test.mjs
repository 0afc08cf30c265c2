// SPDX-License-Identifier: MIT
// ring.test.mjs: two workers, one memory, rings between them in both directions. The limits
// below are guards against a hang, since a lost wake-up sleeps for ever: nothing else times out.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Crew } from './crew.mjs';
import { STACK_BYTES, STATUS } from './instance.mjs';
import { SEQUENCED, WAITABLE, inspect } from './ring_end.mjs';

const HANG = { timeout: 240_000 };
const ITEMS = 1_000_000;
const SLEEPY_ITEMS = 200_000;
const ROUND_TRIPS = 200_000;
const SLEEPS = 100_000;          // of at most two a round trip; the answer may be there already

// a crew a test: one that hangs or fails takes nobody along
let crew;
beforeEach(async () => { crew = await Crew.start(); });
afterEach(async () => { await crew?.stop(); });

/** Stream items from one worker to the other, and check that all came, in order and unspoilt. */
async function stream(from, { capacity, flags, count, wait, spinChecks }) {
  const ring = crew.ring({ capacity, flags });
  const [produced, consumed] = await Promise.all([
    crew.task(from, 'produce', { ring, count, wait, spinChecks }),
    crew.task(1 - from, 'consume', { ring, wait, spinChecks }),
  ]);
  assert.equal(consumed.count, count);
  assert.equal(consumed.checksum, produced.checksum);
  const info = inspect(crew.tern, crew.memory, crew.heap, ring);
  assert.deepEqual([info.pushed, info.popped, info.count, info.producerClosed], [count, count, 0, true]);
  return { produced, consumed };
}

test('each worker has a stack and thread-local storage of its own', () => {
  const bases = [crew.tern.__tls_base.value, ...crew.ready.map((ready) => ready.tlsBase)];
  assert.equal(crew.workers.length, 2);
  assert.equal(new Set(bases).size, 3, `thread-local storage at ${bases}`);
  for (const [worker, { stackAt }] of crew.ready.entries()) {
    const stack = crew.stacks[worker];
    assert.ok(stackAt >= stack && stackAt < stack + STACK_BYTES, `worker ${worker}: stack at ${stackAt}, not ${stack}`);
  }
  assert.ok(crew.tern.__tls_size.value > 0, 'nothing thread-local in this module: the counters are shared');
});

test('the module waits by wasm instructions, and the counters stand before them', () => {
  const name = crew.tern.tern_wait_backend();
  const bytes = new Uint8Array(crew.memory.buffer).slice(name, name + 8);
  assert.equal(new TextDecoder().decode(bytes), 'counting');
});

// share: of the slow tests, in which everybody sleeps
const LAYOUTS = [{ name: 'indexed', layout: 0, share: 1 }, { name: 'sequenced', layout: SEQUENCED, share: 0.1 }];

for (const { from, name, layout, share } of [0, 1].flatMap((from) => LAYOUTS.map((each) => ({ from, ...each })))) {
  const way = `worker ${from} to ${1 - from}, ${name}`;
  const [sleepyItems, roundTrips, leastSleeps] = [SLEEPY_ITEMS, ROUND_TRIPS, SLEEPS].map((count) => count * share);

  test(`plain ring, ${ITEMS} items, ${way}`, HANG, async () => {
    const { produced, consumed } = await stream(from, { capacity: 1024, flags: layout, count: ITEMS, wait: false });
    assert.equal(produced.sleeps + consumed.sleeps, 0, 'nobody sleeps on a plain ring');
    assert.equal(produced.wakes + consumed.wakes, 0, 'nobody wakes on a plain ring');
  });

  test(`waitable ring, ${ITEMS} items, ${way}`, HANG, async () => {
    const flags = WAITABLE | layout;
    const { produced, consumed } = await stream(from, { capacity: 1024, flags, count: ITEMS, wait: true });
    assert.ok(produced.wakes <= consumed.sleeps, `${produced.wakes} wakes for ${consumed.sleeps} sleeps`);
    assert.ok(consumed.wakes <= produced.sleeps, `${consumed.wakes} wakes for ${produced.sleeps} sleeps`);
  });

  test(`both sides sleep, no spinning, no time-out, ${way}`, HANG, async (t) => {
    const { produced, consumed } = await stream(from, {
      capacity: 1, flags: WAITABLE | layout, count: sleepyItems, wait: true, spinChecks: 0,
    });
    t.diagnostic(`producer slept ${produced.sleeps} times, consumer ${consumed.sleeps}`);
    assert.ok(produced.sleeps > 1000, `the producer slept ${produced.sleeps} times only`);
    assert.ok(consumed.sleeps > 1000, `the consumer slept ${consumed.sleeps} times only`);
    assert.ok(produced.wakes <= consumed.sleeps, `${produced.wakes} wakes for ${consumed.sleeps} sleeps`);
    assert.ok(consumed.wakes <= produced.sleeps, `${consumed.wakes} wakes for ${produced.sleeps} sleeps`);
  });

  test(`ping-pong asleep, ${roundTrips} round trips, worker ${from} begins, ${name}`, HANG, async (t) => {
    const [ping, pong] = [0, 1].map(() => crew.ring({ capacity: 1, flags: WAITABLE | layout }));
    const started = process.hrtime.bigint();
    const [begins, answers] = await Promise.all([
      crew.task(from, 'pingPong', { out: ping, back: pong, count: roundTrips, begins: true, spinChecks: 0 }),
      crew.task(1 - from, 'pingPong', { out: pong, back: ping, count: roundTrips, begins: false, spinChecks: 0 }),
    ]);
    const us = Number(process.hrtime.bigint() - started) / 1000 / roundTrips;
    const sleeps = begins.sleeps + answers.sleeps;
    t.diagnostic(`${us.toFixed(2)} us a round trip; ${sleeps} sleeps, ${begins.wakes + answers.wakes} wakes`);
    assert.ok(sleeps >= leastSleeps, `${sleeps} sleeps only`);
    assert.ok(begins.wakes + answers.wakes >= leastSleeps, `${begins.wakes + answers.wakes} wakes only`);
    assert.ok(begins.wakes <= answers.sleeps && answers.wakes <= begins.sleeps, 'more wakes than sleeps');
    for (const ring of [ping, pong]) {
      const info = inspect(crew.tern, crew.memory, crew.heap, ring);
      assert.deepEqual([info.pushed, info.popped, info.count], [roundTrips, roundTrips, 0]);
    }
  });
}

for (const { name, layout } of LAYOUTS) test(`closing wakes a sleeper, ${name}`, HANG, async () => {
  const ring = crew.ring({ capacity: 4, flags: WAITABLE | layout });
  const consumer = crew.task(1, 'consume', { ring, wait: true, spinChecks: 0 });
  while (!inspect(crew.tern, crew.memory, crew.heap, ring).consumerAsleep)
    await new Promise((resolve) => { setTimeout(resolve, 1); });
  await crew.task(0, 'produce', { ring, count: 0, wait: true });
  const consumed = await consumer;
  assert.equal(consumed.count, 0);
  assert.ok(consumed.sleeps >= 1);
});

for (const { name, layout } of LAYOUTS) test(`a time-out comes, and not before its time, ${name}`, HANG, async () => {
  const ring = crew.ring({ capacity: 4, flags: WAITABLE | layout });
  const { status, elapsedMs, sleeps } = await crew.task(0, 'timeOut', { ring, timeoutMs: 20 });
  assert.equal(status, STATUS.TIMEOUT);
  assert.ok(sleeps >= 1);
  assert.ok(elapsedMs >= 19, `after ${elapsedMs} ms already`);
});
