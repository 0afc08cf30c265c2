// SPDX-License-Identifier: MIT
// js_pool.test.mjs: the package's pools. Against C in one memory, step by step with a twin that is all C's; between
// workers; and against whatever stands in the shared words. Those in regions: js_pool_region.test.mjs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  Memory, Pool, STATUS, TernError, handleGeneration, handleIndex, packHandle, unpackHandle, writeHandle,
} from '../../wasm/src/index.mjs';
import { Crew } from './crew.mjs';
import { Heap, instantiate, loadModule, newMemory } from './instance.mjs';
import { JsPool, garbageOf, isLong, newSeed } from './js_ends.mjs';
import { Pool as CPool, ITEM_WORDS, inspectPool, makePool } from './pool_view.mjs';
import { randomOf } from './random.mjs';
import { WAITABLE } from './ring_end.mjs';

const HANG = { timeout: 240_000 };
const STEPS = 3_000;
const ITEMS = isLong ? 2_000_000 : 100_000;
const CALLS = isLong ? 20_000_000 : 1_000_000;   // of each of two workers
const HEADER = 512;

// ---- C and JavaScript in one memory ------------------------------------------------------------

const module = loadModule('threads');
const memory = newMemory('threads', 64);
const heap = new Heap(module, memory);
const tern = instantiate(module, memory, { tls: heap.place().tls });

/** Bring both pools of a pair to where slots have been taken so often, and their generations are such. */
function beginAt(pair, capacity, place, generation) {
  for (const { at } of pair) {
    const longs = new BigUint64Array(memory.buffer, at);
    const move = (word, places) => {
      const link = longs[word];
      longs[word] = BigInt.asUintN(64, (((link >> 24n) + places) << 24n) | (link & 0xffffffn));
    };
    move(128 / 8, place);
    move(256 / 8, place);
    for (let slot = 0; slot <= capacity; slot++) {
      const word = (HEADER + slot * 32) / 8;
      longs[word] = generation << 32n;
      move(word + 1, place);
    }
  }
}

const starts = [
  ['new', 0n, 1n], ['places near 2^32', 2n ** 32n - 50n, 5n], ['places near 2^40', 2n ** 40n - 70n, 2n ** 31n - 20n],
  ['generations near their end', 2n ** 31n, 2n ** 32n - 12n],
];
for (const capacity of [1, 2, 5, 300]) {
  for (const [what, place, generation] of starts) {
    test(`as C does, step by step: ${capacity} items, ${what}`, (t) => {
      const random = randomOf(newSeed(t) + capacity);
      const pair = [makePool(tern, memory, heap, capacity), makePool(tern, memory, heap, capacity)];
      const [twin, own] = pair.map(({ at, size }) => new Uint8Array(memory.buffer, at, size));
      own.fill(0xee, 0, HEADER);
      Pool.format(memory, pair[1].at, { itemSizeBytes: ITEM_WORDS * 4, capacityItems: capacity });
      assert.equal(Pool.size({ itemSizeBytes: ITEM_WORDS * 4, capacityItems: capacity }), pair[0].size);
      assert.equal(Buffer.compare(own, twin), 0, 'format');
      if (place > 0n) beginAt(pair, capacity, place, generation);
      const c = new CPool(tern, memory, heap, pair[0]);
      const mixed = [new CPool(tern, memory, heap, pair[1]), new JsPool(tern, memory, heap, pair[1])];
      const shape = (at, answer) => answer instanceof Uint32Array ? answer.byteOffset - at.at : answer;
      const both = (call, ...all) => {
        const expected = c[call](...all);
        const got = mixed[random(3) ? 1 : 0][call](...all);
        if (call === 'alloc') {
          assert.deepEqual([got.status, got.handle], [expected.status, expected.handle], call);
          assert.equal(shape(pair[1], got.item), shape(pair[0], expected.item), call);
        } else assert.deepEqual(shape(pair[1], got), shape(pair[0], expected), `${call} ${all}`);
        return expected;
      };
      const known = [];
      const pins = [];
      let freed = 0;
      const any = () => {
        const handle = known.length && random(8) ? known[random(known.length)] : [random(capacity + 3), random(6)];
        return random(8) ? handle : [handle[0], (handle[1] + random(3) - 1) >>> 0];
      };
      for (let step = 0; step < STEPS; step++) {
        const which = random(100);
        if (which < 30) {
          const { status, handle, item } = both('alloc');
          if (status === STATUS.OK) {
            item[0] = step;
            new Uint32Array(memory.buffer, pair[1].at + shape(pair[0], item), 1)[0] = step;
            known.push(handle);
          }
        } else if (which < 55) {
          if (both('free', any()) >= 0) freed++;
        } else if (which < 70 && pins.length < 40) {
          const handle = any();
          if (both('pin', handle)) pins.push(handle);
        } else if (which < 80 && pins.length > 0) {
          both('unpin', pins.splice(random(pins.length), 1)[0]);
        } else if (which < 90) both('get', any());
        else if (which < 95) both('read', any());
        else {
          const mark = heap.at;
          const info = inspectPool(tern, memory, heap, pair[1]);
          const js = Pool.inspect(memory, pair[1].at);
          assert.deepEqual([js.wasLive, js.wasRetired, js.wasAllocated], [info.live, info.retired, info.allocated]);
          heap.at = mark;   // inspectPool() takes some each time
        }
        if (known.length > 3 * capacity) known.shift();
        if (Buffer.compare(own, twin) !== 0) assert.deepEqual([...own], [...twin], `step ${step}`);
      }
      assert.ok(freed > 0);
      const { end } = mixed[1];
      const walked = [];
      for (let at = end.walk(0); at !== 0; at = end.walk(at)) {
        walked.push([end.index, end.generation]);
        end.unpin(end.index, end.generation);
      }
      assert.deepEqual(walked, walked.filter((handle) => c.get(handle)));
      assert.equal(new Set(walked.map(String)).size, walked.length);
      if (pins.length === 0) assert.equal(walked.length, end.wasLive());
      assert.equal(Buffer.compare(own, twin), 0, 'walked');
    });
  }
}

/** A link. */
const link = (index, place) => BigInt(place) << 24n | BigInt(index);

test('as C does, with a list that a dead or hostile peer left', () => {
  const capacity = 3;
  const left = {
    'tail at its first place': [[256, link(0, 0)]], 'tail a place behind': [[256, link(2, 2)]],
    'tail elsewhere': [[256, link(9, 3)]], 'head elsewhere': [[128, link(9, 0)]],
    'a link elsewhere': [[HEADER + 8, link(9, 0)]], 'a last link elsewhere': [[HEADER + 3 * 32 + 8, link(9, 3)]],
    'a live slot in the list': [[HEADER, 1n << 32n | 1n << 30n]], 'no generation': [[HEADER, 0n]],
    'the last generation': [[HEADER, 0xfffffffen << 32n]], 'one beyond': [[HEADER, 0xffffffffn << 32n]],
    'a free slot with pins': [[HEADER, 1n << 32n | 5n]], 'one slot, linked twice': [[HEADER + 8, link(0, 0)]],
  };
  for (const [what, words] of Object.entries(left)) {
    const pair = [makePool(tern, memory, heap, capacity), makePool(tern, memory, heap, capacity)];
    const [twin, own] = pair.map(({ at, size }) => new Uint8Array(memory.buffer, at, size));
    for (const { at } of pair)
      for (const [word, value] of words) new BigUint64Array(memory.buffer, at + word)[0] = value;
    const c = new CPool(tern, memory, heap, pair[0]);
    const js = new JsPool(tern, memory, heap, pair[1]);
    for (let step = 0; step < 5; step++) {
      const [expected, got] = [c.alloc(), js.alloc()];
      assert.deepEqual([got.status, got.handle], [expected.status, expected.handle], `${what}: alloc ${step}`);
      assert.equal(Buffer.compare(own, twin), 0, `${what}: after alloc ${step}`);
      if (step === 1) continue;
      assert.equal(js.free(got.handle), c.free(expected.handle), `${what}: free ${step}`);
      assert.equal(Buffer.compare(own, twin), 0, `${what}: after free ${step}`);
    }
  }
});

test('attach refuses what C refuses, with the same status', () => {
  const desc = { itemSizeBytes: 100, capacityItems: 3 };
  const size = Pool.size(desc);
  const at = heap.take(size, 64);
  const room = heap.take(256);
  const words = new Uint32Array(memory.buffer, at, size / 4);
  const refusedAs = (call) => {
    try {
      call();
      return 0;
    } catch (error) {
      assert.ok(error instanceof TernError, error.stack);
      return error.status;
    }
  };
  const compare = (what, bytes = size) => {
    const part = new Uint8Array(memory.buffer, at, bytes);
    assert.equal(refusedAs(() => Pool.attach(part)), tern.tern_pool_attach(room, at, bytes), what);
    assert.equal(refusedAs(() => Pool.inspect(part)), tern.tern_pool_inspect(room, at, bytes), what);
  };
  compare('nothing there');
  for (let word = 0; word < 64; word++) {
    for (const flip of [1, 0x20, 0x10000, 0x80000000]) {
      Pool.format(memory, at, desc);
      words[word] ^= flip;
      compare(`word ${word} ^ ${flip}`);
    }
  }
  Pool.format(memory, at, desc);
  for (const bytes of [64, 508, 512, size - 4, size]) compare(`${bytes} bytes`, bytes);
  for (const itemSizeBytes of [0, -1, 1.5, 2 ** 30 + 1, undefined, '8'])
    assert.equal(refusedAs(() => Pool.size({ itemSizeBytes })), STATUS.ERR_ARGUMENT);
  for (const capacityItems of [-1, 1.5, 2 ** 24 - 1])
    assert.equal(refusedAs(() => Pool.size({ itemSizeBytes: 8, capacityItems })), STATUS.ERR_ARGUMENT);
  assert.equal(Pool.size({ itemSizeBytes: 16 }), HEADER + 1025 * 32);
  for (const itemSize of [1, 16, 17, 48, 49, 112, 113, 1000]) {
    new Uint32Array(memory.buffer, room, 2).set([itemSize, 7]);
    assert.equal(Pool.size({ itemSizeBytes: itemSize, capacityItems: 7 }), tern.tern_pool_size(room));
  }
});

// ---- Alone --------------------------------------------------------------------------------------

const newPool = (capacityItems = 8, itemSizeBytes = 16) => {
  const buffer = new SharedArrayBuffer(Pool.size({ itemSizeBytes, capacityItems }));
  Pool.format(buffer, 0, { itemSizeBytes, capacityItems });
  return buffer;
};

test('pin, unpin, get, has and read leave no garbage; alloc and free do, as documented', () => {
  const pool = Pool.attach(newPool(100));
  const handles = Array.from({ length: 50 }, () => {
    assert.ok(pool.alloc());
    return { index: pool.index, generation: pool.generation };
  });
  for (const { index, generation } of handles.slice(40)) pool.free(index, generation);
  const out = new Uint8Array(16);
  const part = new Uint8Array(5);
  let found = 0;
  const bytes = garbageOf(100_000, (i) => {
    const { index, generation } = handles[i % 50];
    if (pool.pin(index, generation)) {
      found += pool.item(index).u32[1];
      pool.unpin(index, generation);
    }
    if (pool.get(index, generation) && pool.has(index, generation)) found++;
    if (pool.read(index, generation, out) && pool.read(index, generation, part)) found++;
  });
  assert.ok(found > 0);
  assert.ok(bytes < 1, `${bytes} bytes a call`);
  const pair = garbageOf(20_000, () => {
    pool.alloc();
    pool.free(pool.index, pool.generation);
  });
  assert.ok(pair >= 24, `${pair} bytes for alloc and free: the measure sees no BigInts`);
});

test('handles travel in 8 bytes', () => {
  const words = new Uint32Array(4);
  writeHandle(words, 1, 0xabcdef, 0xfffffffe);
  assert.deepEqual([handleIndex(words, 1), handleGeneration(words, 1)], [0xabcdef, 0xfffffffe]);
  assert.deepEqual([handleIndex(new Int32Array(words.buffer), 1), handleGeneration(new Int32Array(words.buffer), 1)],
    [0xabcdef, 0xfffffffe]);
  assert.equal(new DataView(words.buffer).getBigUint64(4, true), packHandle(0xabcdef, 0xfffffffe));
  assert.deepEqual(unpackHandle(packHandle(7, 9)), { index: 7, generation: 9 });
  assert.deepEqual(unpackHandle(0n), { index: 0, generation: 0 });
});

test('items, all of them at once, bad arguments, a detached view', () => {
  const pool = Pool.attach(newPool(3, 20));
  const item = pool.alloc();
  item.f32[4] = 2.5;
  assert.equal(pool.all.f32[pool.offsetOf(pool.index) / 4 + 4], 2.5);
  assert.equal(pool.item(pool.index), item);
  assert.equal(item.u8.length, 20);
  assert.equal(item.f64.length, 2);
  for (const index of [4, -1, 0.5 - 1, NaN, 2 ** 32 - 1]) {
    assert.throws(() => pool.item(index), { code: 'TERN_ERR_ARGUMENT' });
    for (const call of ['get', 'pin', 'has']) assert.ok(!pool[call](index, 1) || index >>> 0 === pool.index);
  }
  assert.throws(() => pool.read(pool.index, 1, new Uint8Array(21)), { code: 'TERN_ERR_ARGUMENT' });
  assert.equal(pool.free(77, 1), false);
  assert.equal(pool.status, STATUS.ERR_STALE);
  assert.equal(pool.free(0, 0xffffffff), false);
  pool.unpin(77, 1);
  pool.detach();
  for (const call of ['alloc', 'wasLive']) assert.throws(() => pool[call](), { code: 'TERN_ERR_STATE' });
  assert.throws(() => pool.pin(0, 1), { code: 'TERN_ERR_STATE' });
  assert.throws(() => pool.item(0), { code: 'TERN_ERR_STATE' });
});

test('a memory that grows, shared or not, leaves no stale view', () => {
  for (const shared of [false, true]) {
    const grows = new WebAssembly.Memory({ initial: 1, maximum: 40, shared });
    Pool.format(grows, 256, { itemSizeBytes: 32, capacityItems: 4 });
    const pool = Pool.attach(grows, 256);
    for (let i = 1; i <= 8; i++) {
      grows.grow(1);
      const item = pool.alloc();
      const { index, generation } = pool;
      grows.grow(1);
      item.f64[3] = i;
      grows.grow(1);
      assert.equal(pool.pin(index, generation).f64[3], i);
      assert.equal(new Float64Array(grows.buffer, item.address, 4)[3], i);
      assert.equal(pool.all.f64[pool.offsetOf(index) / 8 + 3], i);
      pool.unpin(index, generation);
      grows.grow(1);
      assert.equal(pool.free(index, generation), true);
    }
  }
});

test('whatever stands in the shared words: no exception, nothing outside is touched', HANG, (t) => {
  const random = randomOf(newSeed(t));
  const size = Pool.size({ itemSizeBytes: 16, capacityItems: 5 });
  const whole = new SharedArrayBuffer(size + 1024);
  const guards = [new Uint8Array(whole, 0, 512), new Uint8Array(whole, 512 + size)];
  for (const guard of guards) guard.fill(0xa5);
  const shared = new Memory(whole);
  const words = new Uint32Array(whole, 512, size / 4);
  const out = new Uint8Array(16);
  let corrupt = 0;
  for (let round = 0; round < (isLong ? 4000 : 60); round++) {
    Pool.format(shared, 512, { itemSizeBytes: 16, capacityItems: 5 });
    const pool = Pool.attach(shared, 512);
    for (let step = 0; step < 40; step++) {
      if (random(4) === 0) {
        const slot = HEADER / 4 + random(6) * 8 + random(4);
        const spot = random(3) ? slot : [32, 33, 64, 65, 96][random(5)];
        words[spot] = [random(2 ** 32), random(8), 0xffffff, 0x40000000, 0x80000001][random(5)];
      }
      const index = random(7);
      const generation = random(4);
      switch (random(8)) {
        case 0: pool.alloc()?.u8.fill(1); break;
        case 1: pool.free(index, generation); break;
        case 2: pool.pin(index, generation); break;
        case 3: pool.unpin(index, generation); break;
        case 4: pool.read(index, generation, out); break;
        case 5:
          for (let at = pool.walk(0); at !== 0; at = pool.walk(at)) pool.unpin(pool.index, pool.generation);
          break;
        case 6: pool.get(index, generation); break;
        default: assert.ok(pool.wasLive() <= 5 && pool.wasRetired() <= 5);
      }
      if (pool.status === STATUS.ERR_CORRUPT) corrupt++;
    }
  }
  assert.ok(corrupt > 8, `${corrupt}`);
  for (const guard of guards) assert.ok(guard.every((byte) => byte === 0xa5), 'bytes outside were written');
});

// ---- Workers ------------------------------------------------------------------------------------

let crew;
before(async () => { crew = await Crew.start(); });
after(async () => { await crew?.stop(); });

for (const [from, to] of [['', 'js:'], ['js:', ''], ['js:', 'js:']]) {
  test(`${ITEMS} items through a ring, ${from || 'C'} -> ${to || 'C'}`, HANG, async () => {
    const pool = makePool(crew.tern, crew.memory, crew.heap, 4);
    const ring = crew.ring({ capacity: 2, flags: WAITABLE });
    const [made, taken] = await Promise.all([
      crew.task(0, `${from}makeItems`, { pool, ring, count: ITEMS }),
      crew.task(1, `${to}takeItems`, { pool, ring }),
    ]);
    assert.equal(taken.count, ITEMS);
    assert.equal(taken.checksum, made.checksum);
    const info = inspectPool(crew.tern, crew.memory, crew.heap, pool);
    assert.deepEqual(info, { live: 0, retired: 0, allocated: ITEMS });
  });
}

for (const [one, two] of [['', 'js:'], ['js:', 'js:']]) {
  for (const capacity of [1, 2, 40]) {
    const name = `2 x ${CALLS} calls of each other's handles, ${capacity} items, ${one || 'C'} and ${two || 'C'}`;
    test(name, HANG, async (t) => {
      const pool = makePool(crew.tern, crew.memory, crew.heap, capacity);
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
      assert.ok(sum('deferred') > 0, 'nobody freed what another one pinned');

      // what is live is what was made and not freed, and every slot is there once
      const view = Pool.attach(crew.memory, pool.at);
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
