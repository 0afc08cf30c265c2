// SPDX-License-Identifier: MIT
// bell.test.mjs: two workers ring, a third collects. The limits below are guards against a hang,
// since a lost wake-up sleeps for ever: nothing else times out.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { BellView, inspectBell, makeBell, placeOf } from './bell_view.mjs';
import { Crew } from './crew.mjs';
import { Heap, STATUS, instantiate, loadModule, newMemory } from './instance.mjs';

const HANG = { timeout: 240_000 };
const RINGS = 300_000;
const TURNS = 50_000;

let crew;
beforeEach(async () => { crew = await Crew.start(3); });
afterEach(async () => { await crew?.stop(); });

const newBell = (sources) => makeBell(crew.tern, crew.memory, crew.heap, sources);
const look = (bell) => inspectBell(crew.tern, crew.memory, crew.heap, bell);

for (const [sources, spinChecks] of [[31, 0], [31, 1000], [33, 0], [4096, 0]]) {
  test(`2 workers ring ${sources} sources, 1 sleeps for them, ${spinChecks} looks before`, HANG, async (t) => {
    const bell = newBell(sources);
    const counters = crew.heap.take(4 * sources);
    const finished = crew.heap.take(4);
    const ringer = { bell, counters, finished, ringers: 2, rings: RINGS };
    const [, , collected] = await Promise.all([
      crew.task(0, 'ringBell', { ...ringer, first: 0, step: 1 }),
      crew.task(1, 'ringBell', { ...ringer, first: sources - 1, step: 7 }),
      crew.task(2, 'collectBell', { bell, counters, spinChecks }),
    ]);
    assert.equal(collected.sum, 2 * RINGS);
    t.diagnostic(`${collected.passes} passes, ${collected.sleeps} sleeps`);
    const { ringing, closed } = look(bell);
    assert.deepEqual([ringing, closed], [0, true]);
  });
}

for (const sources of [8, 40]) {
  test(`ping-pong asleep on bells of ${sources} sources`, HANG, async (t) => {
    const [there, back] = [newBell(sources), newBell(sources)];
    const [begins, answers] = await Promise.all([
      crew.task(0, 'pingPongBell', { out: there, back, count: TURNS, begins: true }),
      crew.task(1, 'pingPongBell', { out: back, back: there, count: TURNS, begins: false }),
    ]);
    const sleeps = begins.sleeps + answers.sleeps;
    t.diagnostic(`${sleeps} sleeps, ${begins.wakes + answers.wakes} wakes`);
    assert.ok(sleeps >= TURNS / 2, `${sleeps} sleeps only`);
    // attaching to a bell wakes once: a ringer may have died before its wake; each has attached to two
    assert.ok(begins.wakes <= answers.sleeps + 2 && answers.wakes <= begins.sleeps + 2, 'more wakes than sleeps');
  });
}

test('closing wakes a sleeper', HANG, async () => {
  const bell = newBell(4);
  const counters = crew.heap.take(16);
  const collector = crew.task(2, 'collectBell', { bell, counters, spinChecks: 0 });
  while (!look(bell).asleep) await new Promise((resolve) => { setTimeout(resolve, 1); });
  new BellView(crew.tern, crew.memory, crew.heap, bell).close();
  const { sleeps, sum } = await collector;
  assert.ok(sleeps >= 1);
  assert.equal(sum, 0);
});

test('a time-out comes, and not before its time', HANG, async () => {
  const { status, elapsedMs, sleeps } = await crew.task(0, 'timeOutBell', { bell: newBell(4), timeoutMs: 20 });
  assert.equal(status, STATUS.TIMEOUT);
  assert.ok(sleeps >= 1);
  assert.ok(elapsedMs >= 19, `after ${elapsedMs} ms already`);
});

test('JavaScript computes the bits of a source as the module does', () => {
  for (const sources of [1, 31, 32, 33, 992, 993, 5000, 65536]) {
    const bell = newBell(sources);
    const view = new BellView(crew.tern, crew.memory, crew.heap, bell);
    const root = new Uint32Array(crew.memory.buffer, bell.at + crew.tern.test_offsetof_bell_root(), 1);
    const leavesAt = bell.at + crew.tern.test_offsetof_bell_leaves();
    const leaves = new Uint32Array(crew.memory.buffer, leavesAt, sources <= 31 ? 0 : Math.ceil(sources / 32));
    for (let source = 0; source < sources; source += sources > 1000 ? 37 : 1) {
      const { rootBit, leaf, leafBit } = placeOf(sources, source);
      assert.ok(view.ring(source));
      assert.equal(root[0], (1 << rootBit) >>> 0);
      if (leaf !== null) assert.equal(leaves[leaf], (1 << leafBit) >>> 0);
      assert.deepEqual([...view.sources()], [source]);
      assert.equal(root[0], 0);
    }
    assert.equal(view.ring(sources), false);
  }
});

test('the module without threads rings and collects, and cannot block', () => {
  const module = loadModule('single');
  const memory = newMemory('single');
  const heap = new Heap(module, memory);
  const tern = instantiate(module, memory);
  const bell = makeBell(tern, memory, heap, 40);
  const view = new BellView(tern, memory, heap, bell, 0);
  assert.equal(view.wait(), STATUS.UNSUPPORTED);
  assert.ok(view.arm());
  assert.ok(view.ring(39));
  assert.equal(view.wait(), STATUS.OK);
  assert.equal(view.arm(), false);
  assert.deepEqual([...view.sources()], [39]);
  assert.equal(view.useEventfd(3), STATUS.UNSUPPORTED);
  view.close();
  assert.equal(view.status(), STATUS.CLOSED);
});
