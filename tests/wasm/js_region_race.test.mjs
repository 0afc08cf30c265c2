// SPDX-License-Identifier: MIT
// js_region_race.test.mjs: threads that use one region at the same time, one by C's calls and one by the package's:
// names, ends and slots have one owner each; what a terminated thread had is given back; a liar harms nobody.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { Bell, Pool, Region, Ring, Stream, Triple } from '../../wasm/src/index.mjs';
import { TernError } from '../../wasm/src/status.mjs';
import { Heap, instantiate, loadModule, newMemory } from './instance.mjs';
import { CPeer, Random, attempt, sizeOf } from './region_actors.mjs';

const LONG = Boolean(process.env.TERN_LONG);
const AREA_BYTES = 8192;
const GUARD = 4096;
const NO_WAIT = { readyTimeoutMs: 0 };

const fails = (call, status) => assert.throws(call, (error) => {
  assert.equal(error.status, status, error.stack);
  return true;
});

class Threads {
  static async start(kinds, seed = Date.now() >>> 0) {
    const threads = new Threads();
    threads.module = loadModule('threads');
    threads.memory = newMemory('threads', 256);
    threads.heap = new Heap(threads.module, threads.memory);
    threads.tern = instantiate(threads.module, threads.memory, threads.heap.place());
    threads.workers = [];
    threads.seed = seed;
    for (const kind of kinds) await threads.add(kind);
    return threads;
  }

  async add(kind) {
    this.seed = Math.imul(this.seed, 1664525) + 1013904223 >>> 0;
    const workerData = {
      module: this.module, memory: this.memory, place: this.heap.place(), area: this.heap.take(AREA_BYTES), kind,
      seed: this.seed,
    };
    const worker = new Worker(new URL('./js_region_worker.mjs', import.meta.url), { workerData });
    await once(worker, 'message');
    this.workers.push(worker);
    return worker;
  }

  /** Run a task on some workers at once; their results. */
  async run(name, argument, workers = this.workers) {
    const results = workers.map((worker) => once(worker, 'message'));
    for (const worker of workers) worker.postMessage({ name, argument });
    const answers = (await Promise.all(results)).map(([answer]) => answer);
    for (const { error } of answers) if (error) throw new Error(error);
    return answers;
  }

  region(desc, sizeBytes) {
    const at = this.heap.take(sizeBytes);
    Region.format(this.memory, at, { ...desc, sizeBytes });
    return { at, size: sizeBytes };
  }

  words() { return new Int32Array(this.memory.buffer, this.heap.take(64), 16); }

  async stop() { await Promise.all(this.workers.map((worker) => worker.terminate())); }
}

/** Every name once, ready, with what it is to hold, and none on another's bytes. */
function checkObjects(region, names, start) {
  const objects = region.objects();
  assert.deepEqual(objects.map(({ name }) => name).sort(), [...names].sort());
  let end = start;
  for (const object of objects.sort((a, b) => a.offsetBytes - b.offsetBytes)) {
    const number = names.indexOf(object.name);
    assert.equal(object.status, 0, object.name);
    assert.equal(object.sizeBytes, sizeOf(number));
    assert.ok(object.offsetBytes >= end, `${object.name} lies on another`);
    end = object.offsetBytes + object.sizeBytes;
    assert.ok(object.memory.bytes(0, object.sizeBytes).every((byte) => byte === (number & 0xff)), object.name);
  }
  assert.equal(region.info().wasHeapUsedBytes, names.reduce((sum, _, i) => sum + Region.objectSize(sizeOf(i)), 0));
}

for (const kinds of [['C', 'JavaScript'], ['JavaScript', 'JavaScript']]) {
  const who = kinds.join(' and ');

  test(`${who} add the same names at the same time: one object each`, async (t) => {
    const threads = await Threads.start(kinds);
    const names = Array.from({ length: 200 }, (_, i) => `name ${i}`);
    const desc = { maxObjects: 202, maxPeers: 3 };   // who loses a name has an entry for a moment
    let [least, most] = [Infinity, 0];
    const { at, size } = threads.region(desc, 256 * 1024);
    for (let round = 0; round < (LONG ? 1000 : 30); round++) {
      Region.format(threads.memory, at, { ...desc, sizeBytes: size });
      const results = await threads.run('add', { at, size, names, words: threads.round ??= threads.words() });
      assert.equal(results[0].made + results[1].made, names.length);
      assert.notEqual(results[0].number, results[1].number);
      least = Math.min(least, results[0].made);
      most = Math.max(most, results[0].made);
      const region = Region.attach(threads.memory, at);
      checkObjects(region, names, Region.size(desc));
      assert.equal(region.peers().length, 1);
      const byC = new CPeer(threads, at, size);
      assert.equal(byC.look(), 0);
      assert.equal(byC.objects().length, names.length);
    }
    t.diagnostic(`the first made ${least} to ${most} of ${names.length}`);
    assert.ok(most > 0 && least < names.length);
    await threads.stop();
  });

  test(`${who} take an end: one of them has it`, async (t) => {
    const threads = await Threads.start(kinds);
    const { at, size } = threads.region({ maxObjects: 2, maxPeers: 3 }, 65536);
    const desc = threads.heap.take(12);
    new Uint32Array(threads.memory.buffer, desc, 3).set([8, 16, 1]);
    const region = Region.attach(threads.memory, at);
    region.add('ring', 1, threads.tern.tern_ring_size(desc), (part) => {
      assert.equal(threads.tern.tern_ring_format(part.start, part.size, desc), 0);
    });
    const times = LONG ? 1000000 : 20000;
    const words = threads.words();
    const results = await threads.run('hold', { at, size, name: 'ring', times, words, desc });
    assert.equal(words[2], 2 * times);
    t.diagnostic(`busy: ${results.map(({ busy }) => busy).join(', ')} times`);
    assert.deepEqual(region.roles(region.find('ring')), [{ peer: 0, isDead: false }, { peer: 0, isDead: false }]);
    await threads.stop();
  });
}

test('three attach and detach, with slots for two', async (t) => {
  const threads = await Threads.start(['C', 'JavaScript']);
  const { at, size } = threads.region({ maxObjects: 1, maxPeers: 2 }, 65536);
  const region = Region.attach(threads.memory, at);
  const [words, owners] = [threads.words(), threads.words()];
  const times = LONG ? 500000 : 10000;
  const results = await threads.run('join', { at, size, times, words, owners });
  t.diagnostic(`full: ${results.map(({ full }) => full).join(', ')} times`);
  assert.deepEqual(region.peers().map(({ peer }) => peer), [region.peer]);
  await threads.stop();
});

for (const [victimKind, heirKind] of [['JavaScript', 'C'], ['C', 'JavaScript'], ['JavaScript', 'JavaScript']]) {
  test(`a thread in ${victimKind} is terminated anywhere, its heir in ${heirKind} goes on`, async (t) => {
    const threads = await Threads.start([heirKind]);
    const [heir] = threads.workers;
    const names = Array.from({ length: 300 }, (_, i) => `name ${i}`);
    const desc = { maxObjects: 302, maxPeers: 4 };
    const { at, size } = threads.region(desc, 256 * 1024);
    const random = new Random(threads.seed);
    const counts = { unfinished: 0, midway: 0 };
    for (let round = 0; round < (LONG ? 300 : 8); round++) {
      Region.format(threads.memory, at, { ...desc, sizeBytes: size });
      const victim = await threads.add(victimKind);
      const words = threads.words();
      Atomics.store(words, 0, 1);   // alone: it meets nobody
      victim.postMessage({ name: 'add', argument: { at, size, names, words } });
      const region = Region.attach(threads.memory, at);
      const until = random.below(names.length);
      while (region.info().wasObjects < until) Atomics.wait(words, 5, 0, 0.01);
      await victim.terminate();
      threads.workers.pop();
      const peers = region.peers().filter(({ peer }) => peer !== region.peer);
      const there = region.objects();
      counts.midway += there.length > 0 && there.length < names.length;
      counts.unfinished += there.some(({ status }) => status === -4);
      if (peers.length > 0) {
        assert.equal(peers[0].peer, Atomics.load(words, 1) || peers[0].peer);
        const { outcome, why, peers: buried } = region.evict(peers[0].peer);
        assert.deepEqual({ outcome, why, buried }, { outcome: 'repaired', why: 0, buried: 1 });
      }
      assert.equal(region.peers().length, 1);
      const [{ made }] = await threads.run('add', { at, size, names, words: (Atomics.store(words, 0, 1), words) }, [heir]);
      assert.ok(made >= names.length - there.length);
      checkObjects(region, names, Region.size(desc));
      region.detach();
    }
    t.diagnostic(`${counts.midway} in the middle, ${counts.unfinished} with an unfinished name`);
    await threads.stop();
  });
}

for (const [victimKind, otherKind] of [['JavaScript', 'C'], ['C', 'JavaScript'], ['JavaScript', 'JavaScript']]) {
  test(`a user of a pool in ${victimKind} is terminated anywhere, one in ${otherKind} goes on: no slot is lost`, async (t) => {
    const threads = await Threads.start([]);
    const desc = { maxObjects: 1, maxPeers: 4 };
    const { at, size } = threads.region(desc, 65536);
    const capacity = 12;
    const sum = { pins: 0, slots: 0 };
    for (let round = 0; round < (LONG ? 300 : 6); round++) {
      Region.format(threads.memory, at, { ...desc, sizeBytes: size });
      const region = Region.attach(threads.memory, at);
      const pool = Pool.open(region, 'pool', { itemSizeBytes: 16, capacityItems: capacity });
      const parts = [];
      for (const kind of [victimKind, otherKind]) {
        const words = threads.words();
        const worker = await threads.add(kind);
        worker.postMessage({ name: 'churn', argument: { at, size, name: 'pool', words } });
        worker.on('message', ({ error }) => { if (error) throw new Error(error); });
        parts.push({ worker, words });
      }
      for (const { words } of parts) while (Atomics.load(words, 2) < 2000) Atomics.wait(words, 5, 0, 1);
      const before = Atomics.load(parts[1].words, 2);
      await parts[0].worker.terminate();
      const evict = (part) => {
        let report = region.evict(Atomics.load(part.words, 1));
        // the other one may be just at the slot in question
        for (let tries = 0; report.why === -17 && tries < 1000; tries++) {
          Atomics.wait(part.words, 5, 0, 1);
          report = { ...region.recover(), pins: report.pins, slots: report.slots };
        }
        assert.equal(report.why, 0, `seed ${threads.seed}`);
        sum.pins += report.pins;
        sum.slots += report.slots;
      };
      evict(parts[0]);
      while (Atomics.load(parts[1].words, 2) < before + 2000) Atomics.wait(parts[1].words, 5, 0, 1);
      await parts[1].worker.terminate();
      evict(parts[1]);
      threads.workers.length = 0;
      // what they had handed out and not freed is nobody's; after that every slot can be taken
      for (let cursor = pool.walk(0); cursor !== 0; cursor = pool.walk(cursor)) {
        assert.ok(pool.free(pool.index, pool.generation));
        pool.unpin(pool.index, pool.generation);
      }
      for (let i = 0; i < capacity; i++) assert.ok(pool.alloc(), `item ${i} of ${capacity}, seed ${threads.seed}`);
      assert.equal(pool.alloc(), null);
      assert.equal(region.peers().length, 1);
    }
    t.diagnostic(`${sum.pins} pins and ${sum.slots} slots given back`);
    assert.ok(sum.pins > 0);
  });
}

test('an open waits for the maker of its object, if it may block', async () => {
  const threads = await Threads.start(['JavaScript']);
  const { at } = threads.region({ maxObjects: 4 }, 131072);
  const region = Region.attach(threads.memory, at);
  const words = threads.words();
  const made = threads.run('makeSlowly', { at, name: 'slow', words, ms: 100 });
  Atomics.wait(words, 6, 0);
  const desc = { itemSizeBytes: 8 };
  fails(() => Ring.openProducer(region, 'slow', undefined, { readyTimeoutMs: 5 }), -4);
  const main = Region.attach(threads.memory, at, { domain: 'main' });
  fails(() => Ring.openProducer(main, 'slow', desc), -4);
  assert.equal(Ring.openProducer(region, 'slow', desc).recovery.outcome, 'clean');
  await made;
  // and without blocking
  Atomics.store(words, 6, 0);
  const madeToo = threads.run('makeSlowly', { at, name: 'slow too', words, ms: 50 });
  const consumer = await main.whenReady(() => Ring.openConsumer(main, 'slow too'), 20000);
  assert.equal(consumer.capacityItems, 1024);
  await madeToo;
  await threads.stop();
});

test('who waits for an end whose holder is terminated is told PEER_DEAD, and so is an evicted one', async () => {
  const threads = await Threads.start(['JavaScript', 'JavaScript']);
  const { at } = threads.region({ maxObjects: 4 }, 131072);
  const region = Region.attach(threads.memory, at);
  const words = threads.words();
  for (const isOwn of [false, true]) {
    const name = `ring ${isOwn}`;
    const other = Region.attach(threads.memory, at);
    const producer = Ring.openProducer(other, name, { itemSizeBytes: 8, waitable: true });
    if (!isOwn) assert.ok(producer.tryPush(new Uint8Array(8)));
    Atomics.store(words, 6, 0);
    const waiting = threads.run('waitFor', { at, name, words }, [threads.workers[0]]);
    Atomics.wait(words, 6, 0);
    await new Promise((resolve) => { setTimeout(resolve, 60); });
    region.evict(isOwn ? Atomics.load(words, 1) : other.peer);
    const [{ status }] = await waiting;
    assert.equal(status, isOwn ? -19 : 0);
    if (!isOwn) {   // the item was there; the next wait finds none
      const again = await threads.run('waitFor', { at, name, words }, [threads.workers[1]]);
      assert.equal(again[0].status, -19);
      const next = Ring.openProducer(region, name);
      assert.equal(next.recovery.outcome, 'repaired');
      next.detach();
    }
  }
  await threads.stop();
});

test('a liar who writes to the table all the time harms nobody', async (t) => {
  const threads = await Threads.start(['liar']);
  const { heap, memory } = threads;
  const desc = { maxObjects: 8, maxPeers: 4 };
  const size = Region.size(desc) + 8192;
  const guards = [heap.take(GUARD), 0];
  const { at } = threads.region(desc, size);
  guards[1] = heap.take(GUARD);
  for (const guard of guards) new Uint8Array(memory.buffer, guard, GUARD).fill(0x77);
  const words = threads.words();
  Atomics.store(words, 0, 1);
  const lying = threads.run('lie', { at, table: Region.size(desc), words });
  const random = new Random(threads.seed);
  const view = new Uint8Array(memory.buffer, 0, guards[1] + GUARD);
  const seen = new Set();
  let region = null;
  const name = () => `n${random.below(6)}`;
  const calls = [
    () => region.find(name()), () => region.objects(), () => region.peers(), () => region.info(), () => region.recover(),
    () => region.evict(random.below(6)), () => region.claim(name(), 1, 1 + random.below(600)), () => region.detach(),
    () => region.add(name(), 2, 1 + random.below(600), (part) => part.bytes(0, part.size)), () => region.heapLeftBytes,
    () => { for (const object of region.objects()) region.roles(object); },
    () => Ring.openProducer(region, name(), { itemSizeBytes: 8, capacityItems: 4 }, NO_WAIT).tryPush(new Uint8Array(8)),
    () => Ring.openConsumer(region, name(), undefined, NO_WAIT).tryPop(new Uint8Array(8)),
    () => Stream.openProducer(region, name(), { capacityBytes: 64 }, NO_WAIT).trySend(1, new Uint8Array(8)),
    () => Triple.openWriter(region, name(), { bufferSizeBytes: 8 }, NO_WAIT).publish(),
    () => Bell.openCollector(region, name(), { sources: 40 }, NO_WAIT).collect(),
    () => Pool.open(region, name(), { itemSizeBytes: 8, capacityItems: 4 }, NO_WAIT).alloc(),
  ];
  for (let i = 0; i < (LONG ? 2000000 : 40000); i++) {
    if (!region?.attached) region = attempt(() => Region.attach(view, at)).result ?? Region.look(view, at);
    const { status, result, error } = attempt(random.of(calls));
    assert.ok(status === 0 || error instanceof TernError);
    seen.add(status);
    if (result?.memory) {
      assert.ok(result.memory.start >= at + Region.size(desc) && result.memory.start + result.memory.size <= at + size);
    }
  }
  Atomics.store(words, 4, 1);
  const [{ lies }] = await lying;
  t.diagnostic(`seed ${threads.seed}, ${lies} lies, statuses ${[...seen].sort((a, b) => b - a).join(' ')}`);
  assert.ok(seen.has(-6) && seen.has(0), 'some were noticed');
  for (const guard of guards) assert.ok(new Uint8Array(memory.buffer, guard, GUARD).every((byte) => byte === 0x77));
  await threads.stop();
});
