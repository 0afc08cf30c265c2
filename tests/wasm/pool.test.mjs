// SPDX-License-Identifier: MIT
// pool.test.mjs: two workers, one memory: one allocates, the other pins, reads and frees. The
// limits below are guards against a hang: nothing else times out.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Crew } from './crew.mjs';
import { DEFERRED, FULL, Pool, STALE, inspectPool, makePool } from './pool_view.mjs';
import { WAITABLE } from './ring_end.mjs';

const HANG = { timeout: 240_000 };
const ITEMS = 200_000;
const CAPACITY = 4;
const HEADER_WORDS = 512 / 4;
const STRIDE_WORDS = 32 / 4;

// a crew a test: one that hangs or fails takes nobody along
let crew;
beforeEach(async () => { crew = await Crew.start(); });
afterEach(async () => { await crew?.stop(); });

for (const from of [0, 1]) {
  for (const [how, spinChecks] of [['spinning first', undefined], ['no spinning', 0]]) {
    test(`${ITEMS} items from worker ${from} to ${1 - from}, asleep without a time-out, ${how}`, HANG, async () => {
      const pool = makePool(crew.tern, crew.memory, crew.heap, CAPACITY);
      const ring = crew.ring({ capacity: 2, flags: WAITABLE });
      const [made, taken] = await Promise.all([
        crew.task(from, 'makeItems', { pool, ring, count: ITEMS, spinChecks }),
        crew.task(1 - from, 'takeItems', { pool, ring, spinChecks }),
      ]);
      assert.equal(taken.count, ITEMS);
      assert.equal(taken.checksum, made.checksum);
      const info = inspectPool(crew.tern, crew.memory, crew.heap, pool);
      assert.deepEqual(info, { live: 0, retired: 0, allocated: ITEMS });
      if (spinChecks === 0) assert.ok(made.sleeps + taken.sleeps > 0, 'nobody slept');
    });
  }
}

test('a script reads the words of a slot without the module', () => {
  const at = makePool(crew.tern, crew.memory, crew.heap, CAPACITY);
  const pool = new Pool(crew.tern, crew.memory, crew.heap, at);
  const words = new Uint32Array(crew.memory.buffer, at.at, at.size / 4);
  const slot = (index) => {
    const low = words[HEADER_WORDS + index * STRIDE_WORDS];
    return { generation: words[HEADER_WORDS + index * STRIDE_WORDS + 1], state: low >>> 30, pins: low & 0x3fffffff };
  };
  assert.deepEqual(slot(0), { generation: 1, state: 0, pins: 0 });
  const { status, handle, item } = pool.alloc();
  assert.deepEqual([status, handle], [0, [0, 1]]);
  assert.equal(item.byteOffset, at.at + 512 + 16);
  assert.deepEqual(slot(0), { generation: 1, state: 1, pins: 0 });
  pool.pin(handle);
  pool.pin(handle);
  assert.deepEqual(slot(0), { generation: 1, state: 1, pins: 2 });
  assert.equal(pool.free(handle), DEFERRED);
  assert.deepEqual(slot(0), { generation: 2, state: 2, pins: 2 });
  pool.unpin(handle);
  pool.unpin(handle);
  assert.deepEqual(slot(0), { generation: 2, state: 0, pins: 0 });
  for (let i = 0; i < CAPACITY; i++) assert.equal(pool.alloc().status, 0);
  assert.equal(pool.alloc().status, FULL);
  assert.equal(pool.read(handle), STALE);
});
