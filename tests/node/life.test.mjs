// SPDX-License-Identifier: MIT
// life.test.mjs: opening and closing, what is wrong with a region or a call, worker threads, and how processes end.
import assert from 'node:assert/strict';
import { truncateSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { guardRegions, openRegion, unlinkRegion } from '../../wasm/node/index.mjs';
import { HANG, fails, fileOf, kid, newName, newRegion } from './harness.mjs';

const RING = { itemSizeBytes: 8, capacityItems: 64 };

test('names, sizes and options that are wrong say so', HANG, async (t) => {
  const name = newName();
  await fails(() => openRegion(name), 'TERN_ERR_NOT_FOUND', new RegExp(name));
  await fails(() => unlinkRegion(name), 'TERN_ERR_NOT_FOUND', new RegExp(name));
  await fails(() => openRegion('no/name'), 'TERN_ERR_ARGUMENT', /no\/name/);
  await fails(() => openRegion('x'.repeat(300)), 'TERN_ERR_ARGUMENT');
  await fails(() => openRegion(name, { create: true }), 'TERN_ERR_ARGUMENT', /sizeBytes/);
  await fails(() => openRegion(name, { create: true, sizeBytes: 100 }), 'TERN_ERR_MEMORY', /too small/);
  await fails(() => openRegion(name, { create: true, sizeBytes: 2 ** 52 }), 'TERN_ERR_NO_SPACE');
  const both = { create: true, readOnly: true, sizeBytes: 65536 };
  await fails(() => openRegion(name, both), 'TERN_ERR_ARGUMENT', /readOnly/);
  await fails(() => openRegion(name, { domain: 'browser' }), 'TERN_ERR_ARGUMENT', /browser/);
  const region = newRegion(t, { session: 2n ** 63n + 1n, maxPeers: 2, maxObjects: 2 });
  await fails(() => openRegion(region.name, { create: true, sizeBytes: 65536 }), 'TERN_ERR_EXISTS', /unlinkRegion/);
  await fails(() => openRegion(region.name, { session: 5 }), 'TERN_ERR_SESSION');
  const other = openRegion(region.name, { session: 2n ** 63n + 1n });
  assert.deepEqual([region.peer, other.peer], [1, 2]);
  await fails(() => openRegion(region.name, { session: 2n ** 63n + 1n }), 'TERN_ERR_FULL');
  await other.close();
});

test('ends that do not fit say so', HANG, async (t) => {
  const region = newRegion(t, { maxObjects: 2 });
  await fails(() => region.ringProducer('ring'), 'TERN_ERR_NOT_FOUND', /'ring'/);
  await fails(() => region.ringProducer('x'.repeat(40), RING), 'TERN_ERR_ARGUMENT');
  await fails(() => region.ringProducer('ring', { itemSizeBytes: 0.5 }), 'TERN_ERR_ARGUMENT', /0\.5/);
  const producer = region.ringProducer('ring', RING);
  assert.deepEqual([producer.sizeBytes, producer.capacity, producer.status()], [8, 64, 'TERN_OK']);
  await fails(() => region.ringProducer('ring'), 'TERN_ERR_BUSY');
  await fails(() => region.ringConsumer('ring', { ...RING, itemSizeBytes: 16 }), 'TERN_ERR_MISMATCH', /description/);
  await fails(() => region.tripleReader('ring'), 'TERN_ERR_MISMATCH');
  await fails(() => producer.tryPush(new Uint8Array(7)), 'TERN_ERR_ARGUMENT', /7 bytes/);
  assert.throws(() => producer.tryPush(new Float64Array(1)), TypeError);
  await fails(producer.pushAsync(new Uint8Array(8 * 65), -1), 'TERN_ERR_ARGUMENT', /-1/);
  await fails(producer.pushAsync(new Uint8Array(8), 1), 'TERN_ERR_TIMEOUT');
  const plain = region.ringConsumer('plain', { ...RING, waitable: false });
  await fails(plain.popAsync(new Uint8Array(8)), 'TERN_ERR_UNSUPPORTED');
  await fails(() => region.ringConsumer('third', RING), 'TERN_ERR_FULL');
  producer.detach();
  await fails(() => producer.tryPush(new Uint8Array(8)), 'TERN_ERR_STATE');
  region.ringProducer('ring');
});

test('words that are none say so', HANG, async (t) => {
  const region = newRegion(t);
  for (const [offset, code] of [[2, 'TERN_ERR_ALIGNMENT'], [4.5, 'TERN_ERR_ALIGNMENT'], [-4, 'TERN_ERR_ARGUMENT'],
    [region.sizeBytes, 'TERN_ERR_ARGUMENT'], [NaN, 'TERN_ERR_ARGUMENT'], [2 ** 60, 'TERN_ERR_ARGUMENT']]) {
    await fails(region.wait(offset, 0), code, /the word at/);
    await fails(() => region.wake(offset), code);
  }
  await fails(region.wait(0, 0, 'soon'), 'TERN_ERR_ARGUMENT', /soon/);
});

test('a region of another layout, a damaged one and a cut one are refused', HANG, async (t) => {
  const region = newRegion(t);
  const header = new DataView(region.buffer);
  const seal = () => {          // docs/layout.md: FNV-1a over the geometry, 52 bytes from 8
    let hash = 2166136261;
    for (let i = 8; i < 60; i++) hash = Math.imul(hash ^ header.getUint8(i), 16777619);
    header.setUint32(60, hash >>> 0, true);
  };
  const layout = header.getUint32(12, true), check = header.getUint32(60, true);
  seal();
  assert.equal(header.getUint32(60, true), check, 'the test knows how a header is sealed');
  header.setUint32(12, layout ^ 1, true);
  seal();
  await fails(() => openRegion(region.name), 'TERN_ERR_VERSION', /rebuild both/);
  await fails(() => openRegion(region.name, { readOnly: true }), 'TERN_ERR_VERSION');
  header.setUint32(12, layout, true);
  await fails(() => openRegion(region.name), 'TERN_ERR_CORRUPT');
  await fails(() => region.check(), 'TERN_ERR_CORRUPT');
  seal();
  region.check();
  guardRegions();
  truncateSync(fileOf(region.name), 4096);
  await fails(() => openRegion(region.name), 'TERN_ERR_MEMORY', /cut off/);
  assert.equal(new Uint8Array(region.buffer)[8192], 0, 'no SIGBUS');
  await fails(() => region.check(), 'TERN_ERR_MEMORY');
  guardRegions(false);
});

test('close() detaches, ends waits with a reason, and frees the ends', HANG, async (t) => {
  const region = newRegion(t);
  region.ringProducer('ring', RING);
  region.tripleWriter('frames', { bufferSizeBytes: 64 });
  const other = openRegion(region.name);
  const consumer = other.ringConsumer('ring'), reader = other.tripleReader('frames');
  const bytes = new Uint8Array(other.buffer);
  const waits = [consumer.popAsync(new Uint8Array(8)), reader.nextFrame(), other.wait(4096, 0)]
    .map((wait) => fails(wait, 'TERN_ERR_STATE', /closed meanwhile/));
  await fails(() => consumer.tryPop(new Uint8Array(8)), 'TERN_ERR_STATE', /pending/);
  const closed = other.close();
  assert.equal(other.close(), closed);
  assert.deepEqual([other.buffer.byteLength, bytes.length], [0, 0]);
  let told = 0;
  for (const wait of waits) wait.then(() => { told++; });
  await new Promise(setImmediate);
  assert.equal(told, waits.length, 'at once, before their threads have come back');
  await Promise.all(waits);
  await closed;
  assert.equal(region.peers().length, 1);
  await fails(() => other.objects(), 'TERN_ERR_STATE');
  await fails(() => consumer.tryPop(new Uint8Array(8)), 'TERN_ERR_STATE');
  await fails(() => reader.front, 'TERN_ERR_STATE');
  await fails(other.wait(4096, 0), 'TERN_ERR_STATE');
  await fails(() => other.wake(4096), 'TERN_ERR_STATE');
  await fails(() => other.ringConsumer('ring'), 'TERN_ERR_STATE');
  const again = region.ringConsumer('ring');
  assert.equal(again.recovery.outcome, 'clean', 'who closes did not die');
});

test('a buffer can be copied, and what was moved out of it stays until it is garbage', HANG, async (t) => {
  const region = newRegion(t);
  const copy = structuredClone(region.buffer);
  assert.equal(copy.byteLength, region.buffer.byteLength);
  new Uint8Array(copy).fill(0);
  region.check();
  const end = region.ringProducer('ring', RING);
  const moved = region.buffer.transfer?.();                 // Node 21 and newer
  await region.close();
  await fails(() => end.status(), 'TERN_ERR_STATE');
  if (moved) assert.equal(new Uint8Array(moved)[0], 0x54);  // the bytes "TERN": not unmapped under it
  assert.equal(region.buffer.byteLength, 0);
});

test('each worker has a mapping of its own; one that is ended leaves', HANG, async (t) => {
  const region = newRegion(t);
  const count = 4;
  const ends = Array.from({ length: count }, (_, i) => ({
    to: region.ringProducer(`w${i}.to`, RING), from: region.ringConsumer(`w${i}.from`, RING),
  }));
  const source = `
    import { workerData } from 'node:worker_threads';
    const { openRegion } = await import(workerData.addon);
    const region = openRegion(workerData.name);
    const to = region.ringConsumer(workerData.end + '.to'), from = region.ringProducer(workerData.end + '.from');
    for await (const item of to) await from.pushAsync(item);`;
  const workers = ends.map((_, i) => new Worker(source, {
    eval: true, execArgv: ['--input-type=module'],
    workerData: { addon: new URL('../../wasm/node/index.mjs', import.meta.url).href, name: region.name, end: `w${i}` },
  }));
  t.after(() => Promise.all(workers.map((worker) => worker.terminate())));
  const items = 5000;
  await Promise.all(ends.map(async ({ to, from }, i) => {
    const [sent, got] = [new Uint8Array(8), new Uint8Array(8)];
    for (let n = 0; n < items; n++) {
      new Float64Array(sent.buffer)[0] = n * count + i;
      await to.pushAsync(sent);
      await from.popAsync(got);
      assert.deepEqual(got, sent);
    }
  }));
  const peers = region.peers();
  assert.equal(peers.length, 1 + count);
  assert.equal(new Set(peers.map((peer) => peer.peer)).size, 1 + count);
  // two end by themselves, two are ended while they wait
  const ended = workers.map((worker) => new Promise((resolve) => { worker.once('exit', resolve); }));
  ends[0].to.close();
  ends[1].to.close();
  await Promise.all([ended[0], ended[1], workers[2].terminate(), workers[3].terminate()]);
  assert.equal(region.peers().length, 1, 'all of them left');
  for (let i = 0; i < count; i++) assert.equal(region.ringConsumer(`w${i}.to`).recovery.outcome, 'clean');
});

for (const [how, code, outcome] of [['by itself', 'end', 'clean'], ['by process.exit()', 'exit', undefined],
  ['waiting, by process.exit()', 'exit', undefined], ['waiting, by close', 'TERN_ERR_STATE', 'clean']]) {
  test(`a Node process ends ${how}`, HANG, async (t) => {
    const region = newRegion(t);
    region.ringProducer('items', RING);
    const other = kid(t, 'leave', region.name, how.replace('process.exit()', 'exit'));
    assert.deepEqual(await other.answer, { code });
    const found = region.ringConsumer('items').recovery.outcome;
    if (outcome) assert.equal(found, outcome);
    t.diagnostic(`its end: ${found}`);
  });
}

test('nothing stays mapped or open, by close() or by garbage collection', HANG, async (t) => {
  const region = newRegion(t);
  region.ringProducer('items', RING).tryPush(new Uint8Array(8));
  const other = kid(t, 'maps', region.name);
  assert.deepEqual(await other.answer, {
    open: 1, withBuffer: [1, 0x54], forgotten: 0, closed: 0, withEnd: [1, 1], after: 0, descriptors: 0,
  });
  assert.equal(region.peers().length, 1);
});
