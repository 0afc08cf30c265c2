// SPDX-License-Identifier: MIT
// triple.test.mjs: two workers, one memory, triple buffers between them in both directions. The limits
// below are guards against a hang, since a lost wake-up sleeps for ever: nothing else times out.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Crew } from './crew.mjs';
import { Heap, STATUS, instantiate, loadModule, newMemory } from './instance.mjs';
import { TripleReader, TripleWriter, inspectTriple, makeTriple } from './triple_end.mjs';

const HANG = { timeout: 240_000 };
const FRAMES = 200_000;
const ROUND_TRIPS = 100_000;
const SLEEPS = 50_000;           // of at most two a round trip; the answer may be there already

// a crew a test: one that hangs or fails takes nobody along
let crew;
beforeEach(async () => { crew = await Crew.start(); });
afterEach(async () => { await crew?.stop(); });

const triple = (frameBytes) => makeTriple(crew.tern, crew.memory, crew.heap, frameBytes);
const inspect = (of) => inspectTriple(crew.tern, crew.memory, crew.heap, of);

for (const from of [0, 1]) {
  const way = `worker ${from} to ${1 - from}`;

  for (const [wait, frameBytes] of [[false, 64], [true, 64], [true, 4096]]) {
    const how = wait ? 'waiting' : 'polling';
    test(`${FRAMES} frames of ${frameBytes} bytes, flat out, ${how}, ${way}`, HANG, async (t) => {
      const shared = triple(frameBytes);
      const [wrote, read] = await Promise.all([
        crew.task(from, 'triplePublish', { triple: shared, count: FRAMES }),
        crew.task(1 - from, 'tripleRead', { triple: shared, wait, spinChecks: 0 }),
      ]);
      t.diagnostic(`${read.read} read, ${read.dropped} dropped, ${read.sleeps} sleeps, ${wrote.wakes} wakes`);
      assert.equal(wrote.status, STATUS.OK);
      assert.equal(read.last, FRAMES);
      assert.equal(read.read + read.dropped, FRAMES);
      assert.equal(wrote.replaced, read.dropped);
      assert.ok(wrote.wakes <= read.sleeps + 1, `${wrote.wakes} wakes for ${read.sleeps} sleeps, and one at attach`);
      if (!wait) assert.equal(read.sleeps, 0, 'nobody sleeps who does not wait');
      const { frame, fresh, writerClosed, readerClosed } = inspect(shared);
      assert.deepEqual([frame, fresh, writerClosed, readerClosed], [FRAMES, false, true, false]);
    });
  }

  test(`ping-pong asleep, ${ROUND_TRIPS} round trips without a time-out, worker ${from} begins`, HANG, async (t) => {
    const [ping, pong] = [triple(64), triple(64)];
    const [begins, answers] = await Promise.all([
      crew.task(from, 'triplePingPong', { out: ping, back: pong, count: ROUND_TRIPS, begins: true }),
      crew.task(1 - from, 'triplePingPong', { out: pong, back: ping, count: ROUND_TRIPS, begins: false }),
    ]);
    const sleeps = begins.sleeps + answers.sleeps;
    t.diagnostic(`${sleeps} sleeps, ${begins.wakes + answers.wakes} wakes`);
    assert.ok(sleeps >= SLEEPS, `${sleeps} sleeps only`);
    assert.deepEqual([begins.dropped, answers.dropped], [0, 0]);
    for (const shared of [ping, pong]) {
      const { frame, fresh } = inspect(shared);
      assert.deepEqual([frame, fresh], [ROUND_TRIPS, false]);
    }
  });
}

test('closing wakes a sleeper', HANG, async () => {
  const shared = triple(64);
  const reader = crew.task(1, 'tripleRead', { triple: shared, wait: true, spinChecks: 0 });
  while (!inspect(shared).readerAsleep) await new Promise((resolve) => { setTimeout(resolve, 1); });
  await crew.task(0, 'triplePublish', { triple: shared, count: 0 });
  const { read, last, sleeps } = await reader;
  assert.deepEqual([read, last], [0, 0]);
  assert.ok(sleeps >= 1);
});

test('a time-out comes, and not before its time', HANG, async () => {
  const task = { triple: triple(64), timeoutMs: 20 };
  const { status, front, elapsedMs, sleeps } = await crew.task(0, 'tripleTimeOut', task);
  assert.deepEqual([status, front], [STATUS.TIMEOUT, 0]);
  assert.ok(sleeps >= 1);
  assert.ok(elapsedMs >= 19, `after ${elapsedMs} ms already`);
});

test('the single module exchanges frames, and every wait answers "unsupported" at once', () => {
  const module = loadModule('single');
  const memory = newMemory('single');
  const heap = new Heap(module, memory);
  const tern = instantiate(module, memory);
  const shared = makeTriple(tern, memory, heap, 64);
  const writer = new TripleWriter(tern, memory, heap, shared);
  const reader = new TripleReader(tern, memory, heap, shared);
  assert.equal(reader.front, 0);
  for (let number = 1; number <= 20; number++) {
    assert.equal(reader.wait(), STATUS.UNSUPPORTED);
    assert.equal(writer.publish(), false);
    assert.equal(writer.publish(), true);
    assert.equal(reader.wait(), STATUS.OK);
    assert.ok(reader.update() && reader.frame === 2 * number && reader.isWhole());
    assert.equal(reader.dropped, number);
  }
  reader.close();
  assert.equal(writer.status(), STATUS.CLOSED);
});
