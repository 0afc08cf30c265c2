// SPDX-License-Identifier: MIT
// js_pool_region.test.mjs: pools in regions, whose pins are in the hands of peers: the package's peer beside C's,
// step by step with a twin where both are C's; between workers; and when a peer is evicted with pins in its hands.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Pool, Region, STATUS } from '../../wasm/src/index.mjs';
import { PEER_HOLDS, REGION_PEER } from '../../wasm/src/layout.mjs';
import { Crew } from './crew.mjs';
import { Heap, instantiate, loadModule, newMemory } from './instance.mjs';
import { JsPool, isLong, newSeed } from './js_ends.mjs';
import { Pool as CPool, ITEM_WORDS } from './pool_view.mjs';
import { randomOf } from './random.mjs';
import { CPeer } from './region_actors.mjs';

const HANG = { timeout: 240_000 };
const STEPS = 4_000;
const CALLS = isLong ? 10_000_000 : 300_000;   // of each of two workers
const NAME = 'items';

/** A region with a pool, made by C. */
function makeRegion({ tern, memory, heap }, capacity) {
  const size = 65536;
  const region = { at: heap.take(size), size };
  Region.format(memory, region.at, { sizeBytes: size, maxPeers: 4, maxObjects: 4 });
  const maker = new CPeer({ tern, memory, heap }, region.at, size);
  assert.equal(maker.attach(), 0);
  const view = heap.take(tern.test_sizeof_pool());
  new Uint32Array(memory.buffer, maker.desc, 2).set([ITEM_WORDS * 4, capacity]);
  assert.equal(tern.tern_pool_open(view, maker.view, maker.string(NAME), maker.desc), 0);
  const { offset, index, size: bytes } = maker.find(NAME, 4);
  maker.detach();
  return { region, name: NAME, at: region.at + offset, size: bytes, index, capacity };
}

const module = loadModule('threads');
const memory = newMemory('threads', 128);
const heap = new Heap(module, memory);
const tern = instantiate(module, memory, { tls: heap.place().tls });
const place = { tern, memory, heap };

/** The shared words that matter: the pool, and what its peers have in hand. */
function wordsOf(pool, peers) {
  const { table } = Region.look(memory, pool.region.at);
  const parts = [new Uint8Array(memory.buffer, pool.at, pool.size)];
  for (let slot = 0; slot < peers; slot++) {
    for (const [field, bytes] of [['pinsUsed', 4], ['unheld', 4], ['holds', 8 * PEER_HOLDS]])
      parts.push(new Uint8Array(memory.buffer, pool.region.at + table.peer(slot) + REGION_PEER[field], bytes));
  }
  return parts;
}

for (const capacity of [1, 3, 70]) {
  test(`as C does, step by step: ${capacity} items, up to 130 pins`, (t) => {
    const random = randomOf(newSeed(t) + capacity);
    const [first, second] = [makeRegion(place, capacity), makeRegion(place, capacity)];
    const twins = [new CPool(tern, memory, heap, first), new CPool(tern, memory, heap, first)];
    const pools = [new CPool(tern, memory, heap, second), new JsPool(tern, memory, heap, second)];
    const [twin, own] = [wordsOf(first, 2), wordsOf(second, 2)];
    const shape = (of, answer) => answer instanceof Uint32Array ? answer.byteOffset - of.at
      : answer?.handle ? [answer.status, answer.handle] : answer;
    const both = (peer, call, ...all) => {
      const expected = twins[peer][call](...all);
      const got = pools[peer][call](...all);
      assert.deepEqual(shape(second, got), shape(first, expected), `peer ${peer}: ${call} ${all}`);
      return expected;
    };
    const known = [];
    const pins = [[], []];
    let deferred = 0;
    for (let step = 0; step < STEPS; step++) {
      const peer = random(2);
      const which = random(100);
      const handle = known.length && random(8) ? known[random(known.length)] : [random(capacity + 3), random(6)];
      if (which < 25) {
        const { status, handle: made } = both(peer, 'alloc');
        if (status === STATUS.OK) known.push(made);
      } else if (which < 42) {
        if (both(peer, 'free', handle) === STATUS.DEFERRED) deferred++;
      } else if (which < 68 && pins[peer].length < 65) {
        if (both(peer, 'pin', handle)) pins[peer].push(handle);
      } else if (which < 86 && pins[peer].length > 0) {
        both(peer, 'unpin', pins[peer].splice(random(pins[peer].length), 1)[0]);
      } else if (which < 93) both(peer, 'get', handle);
      else both(peer, 'read', handle);
      if (known.length > 3 * capacity) known.shift();
      own.forEach((part, i) => {
        if (Buffer.compare(part, twin[i]) !== 0) assert.deepEqual([...part], [...twin[i]], `step ${step}`);
      });
    }
    assert.ok(deferred > 5, `${deferred} deferred`);
    // who leaves with more pins than holds leaves those that are counted: unpin all
    for (const peer of [0, 1]) for (const handle of pins[peer]) both(peer, 'unpin', handle);
    own.forEach((part, i) => assert.equal(Buffer.compare(part, twin[i]), 0, `part ${i}`));
    for (let slot = 0; slot < 2; slot++) assert.ok(own[3 * slot + 3].every((byte) => byte === 0), 'a hold is left');
  });
}

test('a pool of a region is refused outside of it, and the reverse', () => {
  const pool = makeRegion(place, 2);
  assert.throws(() => Pool.attach(memory, pool.at), { code: 'TERN_ERR_MISMATCH' });
  assert.equal(Pool.inspect(memory, pool.at).isOfRegion, true);
  const room = heap.take(256);
  assert.equal(tern.tern_pool_attach(room, pool.at, pool.size), STATUS.ERR_MISMATCH);
  Pool.format(memory, pool.at, { itemSizeBytes: 16, capacityItems: 2 });
  assert.throws(() => new JsPool(tern, memory, heap, pool), { code: 'TERN_ERR_MISMATCH' });
});

test('C gives back what an evicted peer of the package had pinned', () => {
  const pool = makeRegion(place, 5);
  const c = new CPool(tern, memory, heap, pool);
  const dead = new JsPool(tern, memory, heap, pool);
  const made = [0, 1, 2].map(() => dead.alloc().handle);
  assert.ok(made.every((handle) => dead.pin(handle)));
  assert.ok(dead.pin(made[0]));
  assert.equal(c.free(made[0]), STATUS.DEFERRED);
  assert.equal(c.free(made[1]), STATUS.DEFERRED);
  const report = c.peer.evict(dead.region.peer);
  assert.equal(report.status, STATUS.OK);
  assert.equal(report.pins, 4);
  const view = Pool.inspect(memory, pool.at);
  assert.equal(view.wasLive, 1);
  assert.equal(c.free(made[2]), STATUS.OK);
  let count = 0;
  while (c.alloc().status === STATUS.OK) count++;
  assert.equal(count, 5);
});

// ---- Workers ------------------------------------------------------------------------------------

let crew;
before(async () => { crew = await Crew.start(); });
after(async () => { await crew?.stop(); });

for (const [one, two] of [['', 'js:'], ['js:', 'js:']]) {
  for (const capacity of [1, 2, 40]) {
    const name = `2 x ${CALLS} calls of each other's handles, ${capacity} items, ${one || 'C'} and ${two || 'C'}`;
    test(name, HANG, async (t) => {
      const pool = makeRegion(crew, capacity);
      const cellCount = Math.max(2, capacity >> 1);
      const cells = crew.heap.take(4 * cellCount);
      const shared = { pool, cells, cellCount, count: CALLS };
      const seed = newSeed(t);
      const done = await Promise.all([
        crew.task(0, `${one}churnPool`, { ...shared, seed }),
        crew.task(1, `${two}churnPool`, { ...shared, seed: seed + 1 }),
      ]);
      const sum = (what) => done[0][what] + done[1][what];
      t.diagnostic(['made', 'freed', 'deferred', 'pinned', 'full'].map((what) => `${what} ${sum(what)}`).join(', '));
      assert.ok(done.every(({ made, freed, pinned }) => made > 0 && freed > 0 && pinned > 0));

      // what is live is what was made and not freed, and every slot is there once
      const view = new JsPool(crew.tern, crew.memory, crew.heap, pool).end;
      assert.equal(view.wasLive(), sum('made') - sum('freed'));
      for (const cell of new Int32Array(crew.memory.buffer, cells, cellCount))
        if (cell !== 0 && view.free(cell >>> 24, cell & 0xffffff))
          assert.equal(view.status, STATUS.OK, 'a pin is left');
      assert.equal(view.wasLive(), 0);
      const seen = new Set();
      while (view.alloc()) seen.add(view.index);
      assert.equal(view.status, STATUS.ERR_FULL);
      assert.equal(seen.size, capacity);
    });
  }
}
