// SPDX-License-Identifier: MIT
// js_region.test.mjs: regions in JavaScript, alone and beside C's on one memory.
import assert from 'node:assert/strict';
import test from 'node:test';
import { NAME_BYTES, REGION_GEOMETRY, STATUS, TYPE_RING } from '../../wasm/src/layout.mjs';
import { Memory, checkOf } from '../../wasm/src/memory.mjs';
import { Region } from '../../wasm/src/region.mjs';
import { Heap, instantiate, loadModule, newMemory } from './instance.mjs';
import { CPeer, DOMAINS, JsPeer, attempt, firstDifference, tableBytes } from './region_actors.mjs';

const SIZE = 65536;
const DESC = { session: 0x123456789abcdefn, domain: 'server', maxObjects: 5, maxPeers: 4 };

const fails = (call, status, text = /./u) => assert.throws(call, (error) => {
  assert.equal(error.status, status, error.stack);
  assert.match(error.message, text);
  return true;
});

const fresh = (desc, sizeBytes = SIZE) => {
  const memory = new SharedArrayBuffer(sizeBytes);
  Region.format(memory, 0, desc);
  return memory;
};

/** A world with C in it, on memory that a region can be made in. */
function withC() {
  const module = loadModule('threads');
  const memory = newMemory('threads');
  const heap = new Heap(module, memory);
  return { tern: instantiate(module, memory, heap.place()), memory, heap };
}

function formatByC({ tern, memory, heap }, at, size, { session = 0n, maxObjects = 0, maxPeers = 0, domain = 'worker' }) {
  const desc = heap.take(24, 8);
  const data = new DataView(memory.buffer);
  data.setBigUint64(desc, BigInt(session), true);
  [maxObjects, maxPeers, DOMAINS.indexOf(domain)].forEach((value, i) => data.setUint32(desc + 8 + 4 * i, value, true));
  return { status: tern.tern_region_format(at, size, desc), needs: tern.tern_region_size(desc) };
}

// ---- Format and attach ----------------------------------------------------------------------------------------

test('a region made in JavaScript has the bytes of one made by C', () => {
  const world = withC();
  for (const desc of [{}, DESC, { maxObjects: 1, maxPeers: 1, domain: 'main' }, { session: 2n ** 64n - 1n }]) {
    const [a, b] = [world.heap.take(SIZE), world.heap.take(SIZE)];
    const { status, needs } = formatByC(world, a, SIZE, desc);
    assert.equal(status, 0);
    assert.equal(Region.size(desc), needs);
    Region.format(world.memory, b, { ...desc, sizeBytes: SIZE });
    const sizes = { maxObjects: desc.maxObjects ?? 64, maxPeers: desc.maxPeers ?? 64 };
    assert.equal(firstDifference(tableBytes(world.memory, a, sizes), tableBytes(world.memory, b, sizes)), -1);
    const { creator, ...info } = Region.inspect(world.memory, b);
    assert.equal(creator, process.pid);
    assert.deepEqual({ ...Region.inspect(world.memory, a), creator: 0 }, { ...info, creator: 0 });
    assert.equal(info.session, BigInt(desc.session ?? 0));
    assert.equal(info.domain, desc.domain ?? 'worker');
    assert.equal(info.heapSizeBytes, SIZE - needs);
  }
});

test('format clears what was in the memory', () => {
  const memory = new SharedArrayBuffer(SIZE);
  new Uint8Array(memory).fill(0xff);
  Region.format(memory, 0, DESC);
  const clean = tableBytes({ buffer: fresh(DESC) }, 0, DESC);
  assert.equal(firstDifference(tableBytes({ buffer: memory }, 0, DESC), clean), -1);
});

test('bad descriptions and places are refused, and say why', () => {
  const memory = new SharedArrayBuffer(SIZE);
  fails(() => Region.size({ maxObjects: 65537 }), STATUS.ERR_ARGUMENT, /maxObjects.*65536.*65537/u);
  fails(() => Region.size({ maxPeers: 65535 }), STATUS.ERR_ARGUMENT, /maxPeers/u);
  fails(() => Region.size({ maxPeers: 1.5 }), STATUS.ERR_ARGUMENT);
  fails(() => Region.format(memory, 0, { domain: 'window' }), STATUS.ERR_ARGUMENT, /'main'.*window/u);
  for (const session of [-1, -1n, 2n ** 64n, 0.5, 2 ** 53, '7']) {
    fails(() => Region.format(memory, 0, { session }), STATUS.ERR_ARGUMENT, /session/u);
  }
  fails(() => Region.format(memory, 32), STATUS.ERR_ALIGNMENT);
  fails(() => Region.format(memory, 0, { sizeBytes: 64 }), STATUS.ERR_MEMORY, /directory/u);
  fails(() => Region.format(memory, 0, { sizeBytes: SIZE + 1 }), STATUS.ERR_MEMORY);
  fails(() => Region.format(memory, 0, { maxObjects: 1000 }), STATUS.ERR_MEMORY);
  fails(() => Region.attach(memory), STATUS.ERR_NOT_READY);
  Region.format(memory, 0, DESC);
  fails(() => Region.attach(memory, 0), STATUS.ERR_SESSION, /session 0/u);
  fails(() => Region.attach(memory, 0, { ...DESC, domain: 'x' }), STATUS.ERR_ARGUMENT);
  fails(() => Region.attach(memory, -64), STATUS.ERR_ARGUMENT);
  fails(() => Region.attach(memory, SIZE), STATUS.ERR_MEMORY);
  fails(() => Region.attach(new Uint8Array(memory, 0, SIZE - 64), 0, DESC), STATUS.ERR_MEMORY);
  assert.deepEqual(Region.look(memory).peers(), []);
});

test('every word of the header at its boundary values gets the answer of C', () => {
  const world = withC();
  const at = world.heap.take(SIZE);
  const { memory } = world;
  const geometry = () => new Uint8Array(memory.buffer, at + 8, REGION_GEOMETRY.size);
  const peers = [new CPeer(world, at, SIZE), new JsPeer({ memory: new Uint8Array(memory.buffer, 0, at + SIZE) }, at)];
  const seen = new Set();
  let tried = 0;
  for (let word = 0; word < 64; word += 4) {
    for (const value of [0, 1, 2, 3, 4, 5, 64, 127, 128, SIZE, 65534, 65535, 65536, 65537, 2 ** 31, 2 ** 32 - 1]) {
      for (const rehash of [false, true]) {
        assert.equal(formatByC(world, at, SIZE, { ...DESC, session: 0n }).status, 0);
        new DataView(memory.buffer).setUint32(at + word, value, true);
        if (rehash) {
          new DataView(memory.buffer).setUint32(at + 60, checkOf(Uint8Array.from(geometry()), 52), true);
        }
        const answers = peers.map((peer) => {
          const status = peer.attach();
          if (status === 0) peer.detach();
          return status;
        });
        assert.equal(answers[0], answers[1], `word at ${word} = ${value}, ${rehash ? 'with' : 'without'} its check`);
        seen.add(answers[0]);
        tried++;
      }
    }
  }
  assert.equal(tried, 16 * 16 * 2);
  const expected = ['OK', 'ERR_NOT_READY', 'ERR_CORRUPT', 'ERR_VERSION', 'ERR_SESSION', 'ERR_MEMORY'];
  assert.deepEqual([...seen].sort(), expected.map((name) => STATUS[name]).sort());
});

test('an attachment is a peer until it detaches; all slots taken is FULL', () => {
  const memory = fresh(DESC);
  const before = Date.now();
  const regions = [];
  for (let i = 1; i <= DESC.maxPeers; i++) {
    regions.push(Region.attach(memory, 0, { ...DESC, domain: DOMAINS[i % 3], program: `programme ${i} äöü` }));
    assert.equal(regions.at(-1).peer, i);
  }
  fails(() => Region.attach(memory, 0, DESC), STATUS.ERR_FULL, /4 peers.*evict/u);
  const list = regions[0].peers();
  assert.deepEqual(list.map(({ attachedMs, ...rest }) => rest), regions.map((region) => ({
    peer: region.peer, process: process.pid, domain: region.domain, isAlive: true, wasHolding: 0,
    program: `programme ${region.peer} äö`,   // as much of it as has room
  })));
  for (const { attachedMs } of list) assert.ok(attachedMs >= before && attachedMs <= Date.now());
  const first = regions[1].reference;
  regions[1].detach();
  regions[1].detach();
  fails(() => regions[1].find('x'), STATUS.ERR_STATE, /detached/u);
  const next = Region.attach(memory, 0, DESC);
  assert.equal(next.peer, 2);
  assert.notEqual(next.reference, first);
  assert.equal(Region.look(memory).peers().length, 4);
});

test('the time of an attachment is told to the millisecond', (t) => {
  for (const ms of [1795327200000, 1795327200001, 1795327200002, 1795327200003, 1795327200006]) {
    t.mock.method(Date, 'now', () => ms);
    const [peer] = Region.attach(fresh(DESC), 0, DESC).peers();
    t.mock.restoreAll();
    assert.equal(peer.attachedMs, ms);
  }
});

test('who only looks writes nothing, and is told so', () => {
  const memory = fresh(DESC);
  const region = Region.attach(memory, 0, DESC);
  region.add('a', TYPE_RING, 100);
  const before = Uint8Array.from(new Uint8Array(memory));
  const look = Region.look(memory);
  assert.equal(look.peer, 0);
  assert.equal(look.find('a').sizeBytes, 100);
  assert.equal(look.objects().length, 1);
  assert.equal(look.peers().length, 1);
  assert.deepEqual(look.roles(look.find('a')), [{ peer: 0, isDead: false }, { peer: 0, isDead: false }]);
  for (const call of [() => look.add('b', 1, 1), () => look.recover(), () => look.evict(1), () => look.claim('b', 1, 1),
    () => look.publish(look.find('a'))]) fails(call, STATUS.ERR_STATE, /only looks/u);
  look.detach();
  assert.equal(firstDifference(before, new Uint8Array(memory)), -1);
});

// ---- Objects --------------------------------------------------------------------------------------------------

test('names are 1 to 31 bytes of UTF-8', () => {
  const region = Region.attach(fresh({ maxObjects: 9 }));
  for (const name of ['', 'x'.repeat(NAME_BYTES), 'ü'.repeat(16), 'a\0b', '\ud800', 5, undefined]) {
    fails(() => region.find(name), STATUS.ERR_ARGUMENT, /1 to 31 bytes/u);
    fails(() => region.claim(name, 1, 1), STATUS.ERR_ARGUMENT, /1 to 31 bytes/u);
  }
  const good = ['x', 'x'.repeat(31), `${'ü'.repeat(15)}x`, '名前', ' '];
  for (const name of good) region.add(name, TYPE_RING, 1);
  assert.deepEqual(region.objects().map(({ name }) => name), good);
  for (const name of good) assert.equal(region.find(name).name, name);
  assert.equal(region.find('y'), null);
});

test('sizes, types and alignments that cannot be are refused', () => {
  const region = Region.attach(fresh());
  for (const [type, size] of [[0, 1], [-1, 1], [1.5, 1], [2 ** 32, 1], [1, 0], [1, -1], [1, 1.5], [1, 2 ** 60], [1, 1n]]) {
    fails(() => region.claim('a', type, size), STATUS.ERR_ARGUMENT);
  }
  for (const alignment of [0, 64, 129, -128, NaN]) fails(() => region.claim('a', 1, 1, alignment), STATUS.ERR_ARGUMENT);
  assert.deepEqual(region.objects(), []);
});

test('objects lie side by side in the heap, each in memory of its own', () => {
  const memory = fresh({ maxObjects: 4, maxPeers: 2 });
  const region = Region.attach(memory);
  const start = Region.size({ maxObjects: 4, maxPeers: 2 });
  const left = region.heapLeftBytes;
  assert.equal(left, Math.floor((SIZE - start) / 128) * 128);
  const a = region.add('a', 1, 129, (part) => part.bytes(0, 129).fill(7));
  const b = region.add('b', 2, 128);
  const paged = region.add('p', 1, 5, () => {}, 4096);
  assert.deepEqual([a.offsetBytes, b.offsetBytes], [start, start + 256]);
  assert.equal(paged.offsetBytes % 4096, 0);
  assert.equal(region.heapLeftBytes, left - (paged.offsetBytes - start) - 128);
  assert.equal(a.memory.size, 129);
  fails(() => a.memory.checkPlace(0, 130, 'x'), STATUS.ERR_MEMORY);
  assert.ok(region.find('a').memory.bytes(0, 129).every((byte) => byte === 7));
  fails(() => region.claim('a', 1, 1), STATUS.ERR_EXISTS, /'a'/u);
  fails(() => region.find('b', 1), STATUS.ERR_MISMATCH, /'b' has type 2, not 1/u);
  fails(() => region.claim('c', 1, region.heapLeftBytes + 1), STATUS.ERR_FULL);
  fails(() => region.find('c'), STATUS.ERR_FULL);
  fails(() => region.claim('d', 1, 1), STATUS.ERR_FULL);   // no fifth name
  assert.equal(Region.inspect(memory).wasObjects, 4);
});

test('an object that is being formatted is NOT_READY, one whose formatting failed is lost', () => {
  const region = Region.attach(fresh());
  const claimed = region.claim('a', 1, 64);
  fails(() => region.find('a'), STATUS.ERR_NOT_READY);
  region.publish(claimed);
  assert.equal(region.find('a').offsetBytes, claimed.offsetBytes);
  assert.throws(() => region.add('b', 1, 64, () => { throw new Error('mine'); }), /^Error: mine$/u);
  fails(() => region.find('b'), STATUS.ERR_FULL);
  assert.deepEqual(region.objects().map(({ name, status }) => [name, status]),
    [['a', STATUS.OK], ['b', STATUS.ERR_FULL]]);
});

test('an entry may be closed to a domain', () => {
  const memory = fresh({ maxObjects: 2 });
  const regions = DOMAINS.map((domain) => Region.attach(memory, 0, { domain }));
  regions[0].add('a', 1, 1);
  new DataView(memory).setUint32(256 + 12, 0b101, true);   // worker and server
  fails(() => regions[1].find('a'), STATUS.ERR_DOMAIN);
  assert.equal(regions[0].find('a').index, 0);
  assert.equal(regions[2].find('a').index, 0);
});

test('whenReady waits for a maker without blocking, and gives up', async () => {
  const region = Region.attach(fresh());
  const find = () => region.find('a') ?? (() => { throw attempt(() => Region.attach(new SharedArrayBuffer(SIZE))).error; })();
  await assert.rejects(region.whenReady(find, 20), { status: STATUS.ERR_NOT_READY });
  const claimed = region.claim('a', 1, 64);
  await assert.rejects(region.whenReady(find, 20), { status: STATUS.ERR_NOT_READY });
  setTimeout(() => region.publish(claimed), 30);
  assert.equal((await region.whenReady(find)).name, 'a');
  await assert.rejects(region.whenReady(() => region.find('a', 9)), { status: STATUS.ERR_MISMATCH });
  await assert.rejects(region.whenReady(() => { throw new Error('mine'); }), /mine/u);
  await assert.rejects(region.whenReady(find, -1), { status: STATUS.ERR_ARGUMENT });
});

for (const shared of [false, true]) {
  test(`a region in ${shared ? 'shared' : 'unshared'} wasm memory goes on when the memory grows`, () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 3, shared });
    Region.format(memory);
    const region = Region.attach(memory);
    const part = region.add('a', 1, 64, (place) => place.bytes(0, 64).fill(3)).memory;
    memory.grow(1);
    assert.ok(part.bytes(0, 64).every((byte) => byte === 3));
    assert.equal(part.size, 64);
    assert.equal(region.find('a').memory.bytes(0, 64)[63], 3);
    region.add('b', 1, 64);
    assert.equal(region.objects().length, 2);
    assert.equal(region.sizeBytes, 65536);
    region.detach();
    assert.deepEqual(Region.look(memory).peers(), []);
  });
}

test('a part of a memory is all that its holder can reach', () => {
  const memory = Memory.of(new Uint8Array(new ArrayBuffer(1024), 64, 512));
  const part = memory.part(128, 1000).part(64, 100);
  assert.deepEqual([part.start, part.size], [256, 100]);
  part.bytes(0, 1)[0] = 9;
  assert.equal(memory.bytes(192, 1)[0], 9);
  fails(() => part.checkPlace(64, 37, 'x'), STATUS.ERR_MEMORY);
  part.checkPlace(64, 36, 'x');
});
