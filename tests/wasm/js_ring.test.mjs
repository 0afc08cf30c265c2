// SPDX-License-Identifier: MIT
// js_ring.test.mjs: what the package's rings promise in one thread: errors, item types, growth of memory, async calls,
// bells, roles, and no allocation in hot calls.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Memory, Ring, STATUS } from '../../wasm/src/index.mjs';

const fails = (status) => (error) => {
  assert.equal(error.name, 'TernError', error.stack);
  assert.equal(error.status, status, error.message);
  return true;
};

function newRing(desc, Buffer = SharedArrayBuffer) {
  const full = { itemSizeBytes: 8, capacityItems: 4, ...desc };
  const buffer = new Buffer(Ring.size(full));
  Ring.format(buffer, 0, full);
  return buffer;
}

const ends = (buffer, options) => [Ring.producer(buffer, 0, options), Ring.consumer(buffer, 0, options)];
const LAYOUTS = [{ waitable: true }, { waitable: true, sequenced: true }];
const PENDING = 'pending';
/** What a promise has come to after a turn of the loop. */
const after = (ms, promise) => Promise.race([promise, new Promise((done) => { setTimeout(done, ms, PENDING); })]);

test('a description that makes no ring is refused', () => {
  const bad = [{ itemSizeBytes: 0 }, { itemSizeBytes: 1.5 }, { itemSizeBytes: 2 ** 32 }, { itemSizeBytes: 8, capacityItems: -1 },
    { itemSizeBytes: 8, capacityItems: 2 ** 30 + 1 }, { itemSizeBytes: 8, paged: true, waitable: true },
    { itemSizeBytes: 2 ** 31, capacityItems: 2 ** 30 }, {}];
  for (const desc of bad) assert.throws(() => Ring.size(desc), fails(STATUS.ERR_ARGUMENT), JSON.stringify(desc));
  assert.equal(Ring.size({ itemSizeBytes: 8 }), 384 + 1024 * 8);
  assert.equal(Ring.size({ itemSizeBytes: 8, capacityItems: 5 }), 384 + 8 * 8);
});

test('an attach says what is wrong with the memory', () => {
  const buffer = newRing();
  const attach = (memory, offset) => () => Ring.producer(memory, offset);
  assert.throws(attach(buffer, 32), fails(STATUS.ERR_ALIGNMENT));
  assert.throws(attach(buffer, -64), fails(STATUS.ERR_ARGUMENT));
  assert.throws(attach(new SharedArrayBuffer(64)), fails(STATUS.ERR_MEMORY));
  assert.throws(attach(new Uint8Array(buffer, 0, buffer.byteLength - 8)), fails(STATUS.ERR_MEMORY));
  assert.throws(attach(new SharedArrayBuffer(1024)), fails(STATUS.ERR_NOT_READY));
  assert.throws(attach({}), TypeError);
  const changed = (offset, value) => {
    const copy = newRing();
    new DataView(copy).setUint32(offset, value, true);
    return copy;
  };
  assert.throws(attach(changed(0, 0x12345678)), fails(STATUS.ERR_CORRUPT));
  assert.throws(attach(changed(8, 99)), fails(STATUS.ERR_VERSION));
  for (const offset of [12, 16, 20, 24, 28, 32, 36]) assert.throws(attach(changed(offset, 3)), fails(STATUS.ERR_CORRUPT));
  assert.throws(attach(changed(128, 5 << 1)), fails(STATUS.ERR_CORRUPT), 'five items in a ring of four');
  assert.throws(() => Ring.producer(buffer, 0, { type: Array }), fails(STATUS.ERR_ARGUMENT));
  assert.throws(() => Ring.producer(newRing({ itemSizeBytes: 6 }), 0, { type: Float32Array }), fails(STATUS.ERR_ARGUMENT));
  assert.throws(() => Ring.producer(buffer, 0, { domain: 'page' }), fails(STATUS.ERR_ARGUMENT));
  assert.throws(() => Ring.producer(buffer, 0, { spinChecks: -1 }), fails(STATUS.ERR_ARGUMENT));
});

test('items of any element type, given as any numbers', () => {
  for (const type of [Int8Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, Uint8ClampedArray]) {
    for (const length of [1, 3, 8, 9, 33]) {
      const [producer, consumer] = ends(newRing({ itemSizeBytes: length * type.BYTES_PER_ELEMENT }), { type });
      const item = type.from({ length }, (_, i) => i + 1);
      assert.ok(producer.tryPush(item) && producer.tryPush([...item]));
      for (let i = 0; i < 2; i++) {
        const out = new type(length);
        assert.ok(consumer.tryPop(out));
        assert.deepEqual(out, item);
      }
      assert.throws(() => producer.tryPush(new type(length + 1)), fails(STATUS.ERR_ARGUMENT));
      assert.throws(() => consumer.tryPop(new type(length - 1)), fails(STATUS.ERR_ARGUMENT));
      assert.throws(() => producer.tryPushMany(item, 2), fails(STATUS.ERR_ARGUMENT));
      assert.throws(() => consumer.tryPopMany(new type(length), 0, 2), fails(STATUS.ERR_ARGUMENT));
      assert.throws(() => consumer.tryPopMany(new type(length), 0, 0.5), fails(STATUS.ERR_ARGUMENT));
    }
  }
});

for (const layout of LAYOUTS) {
  const name = layout.sequenced ? 'sequenced' : 'indexed';

  test(`full, closed and detached are told apart, ${name}`, () => {
    const [producer, consumer] = ends(newRing(layout));
    const item = new Uint8Array(8);
    for (let i = 0; i < 4; i++) assert.ok(producer.tryPush(item.fill(i)));
    assert.equal(producer.tryPush(item), false);
    assert.equal(producer.status, STATUS.OK);
    assert.equal(producer.pushWait(item, 2), false);
    producer.close();
    assert.equal(consumer.status, STATUS.OK, 'four items are still there');
    for (let i = 0; i < 4; i++) assert.ok(consumer.popWait(item) && item[0] === i);
    assert.equal(consumer.status, STATUS.ERR_CLOSED);
    assert.throws(() => consumer.popWait(item), fails(STATUS.ERR_CLOSED));
    consumer.close();
    assert.equal(producer.status, STATUS.ERR_CLOSED);
    assert.equal(producer.tryPush(item), false);
    for (const end of [producer, consumer]) {
      end.detach();
      end.detach();
      for (const call of ['tryPush', 'tryPop', 'pushWait', 'popWait', 'reserve', 'peek', 'close', 'wasCount', 'tryPushMany'])
        if (end[call]) assert.throws(() => end[call](item), fails(STATUS.ERR_STATE), call);
    }
  });

  test(`waits are refused where they cannot be, ${name}`, async () => {
    const item = new Uint8Array(8);
    const [main, mainToo] = ends(newRing(layout), { domain: 'main' });
    assert.throws(() => main.pushWait(item), fails(STATUS.ERR_DOMAIN));
    assert.throws(() => mainToo.popWait(item, 1), fails(STATUS.ERR_DOMAIN));
    assert.equal(await main.pushAsync(item), true);
    const [alone, other] = ends(newRing(layout, ArrayBuffer));
    assert.throws(() => alone.pushWait(item), fails(STATUS.ERR_UNSUPPORTED));
    assert.throws(() => other.popWait(item, 1), fails(STATUS.ERR_UNSUPPORTED));
    const later = other.popAsync(item);
    assert.equal(await after(5, later), PENDING);
    assert.equal(await alone.pushAsync([1, 2, 3, 4, 5, 6, 7, 8]), true);
    assert.equal(await later, true);
    assert.equal(item[7], 8);
    const [plain] = ends(newRing({ sequenced: layout.sequenced }));
    assert.throws(() => plain.pushWait(item), fails(STATUS.ERR_UNSUPPORTED));
    await assert.rejects(plain.waitAsync(), fails(STATUS.ERR_UNSUPPORTED));
    assert.throws(() => plain.bind(null), fails(STATUS.ERR_UNSUPPORTED));
  });

  test(`async calls wait for the other end, ${name}`, async () => {
    const [producer, consumer] = ends(newRing(layout), { type: Float64Array });
    const out = new Float64Array(1);
    assert.equal(await consumer.popAsync(out, 5), false);
    const popped = consumer.popAsync(out);
    assert.equal(await after(5, popped), PENDING);
    producer.tryPush([0.25]);
    assert.equal(await popped, true);
    assert.equal(out[0], 0.25);
    const pushed = producer.pushManyAsync([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const all = new Float64Array(10);
    let count = 0;
    while (count < 10) count += await consumer.popManyAsync(all.subarray(count));
    assert.equal(await pushed, 10);
    assert.deepEqual([...all], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.equal(await producer.pushManyAsync([0, 1, 2, 3, 4, 5], 5), 4, 'four, then the time has passed');
    assert.equal(await producer.waitAsync(5), false);
    const closed = producer.waitAsync();
    consumer.close();
    await assert.rejects(closed, fails(STATUS.ERR_CLOSED));
  });

  test(`async iteration ends with the producer, and lets timers run, ${name}`, async () => {
    const [producer, consumer] = ends(newRing({ ...layout, capacityItems: 64 }), { type: Uint32Array });
    const count = 20_000;
    let sent = 0;
    let timers = 0;
    const timer = setInterval(() => timers++, 1);
    const seen = [];
    const refill = () => { while (sent < count && producer.tryPush([sent, ~sent])) sent++; };
    refill();
    const started = performance.now();
    for await (const item of consumer) {
      seen.push(item);
      refill();   // never empty: nothing here ever waits for the ring
      if (seen.length > 1000 && timers > 1 && sent < count) { producer.close(); break; }
      if (sent === count) producer.close();
    }
    clearInterval(timer);
    assert.ok(seen.every((item, i) => item[0] === i && item[1] === ~i >>> 0));
    assert.ok(timers > 0, `no timer ran in ${performance.now() - started} ms of iteration`);
    for await (const item of consumer) seen.push(item);
    assert.equal(seen.length, sent, 'the rest, then the end');
  });

  test(`who waits for a peer that has died is told, ${name}`, async () => {
    const [producer, consumer] = ends(newRing(layout));
    let looks = 0;
    const role = { otherIsDead: () => ++looks === 3 };
    consumer.role = role;
    assert.throws(() => consumer.popWait(new Uint8Array(8)), fails(STATUS.ERR_PEER_DEAD));
    assert.equal(looks, 3);
    looks = 0;
    producer.role = role;
    while (producer.tryPush(new Uint8Array(8)));
    await assert.rejects(producer.waitAsync(), fails(STATUS.ERR_PEER_DEAD));
  });

  test(`each publication rings the bell that is bound, ${name}`, () => {
    const [producer] = ends(newRing(layout));
    const rung = [];
    producer.bind({ ring: (source) => rung.push(source) }, 7);
    producer.tryPush(new Uint8Array(8));
    producer.reserve();
    producer.commit();
    producer.close();
    producer.bind(null);
    producer.tryPush(new Uint8Array(8));
    assert.deepEqual(rung, [7, 7, 7]);
  });

  for (const shared of [false, true]) test(`memory grows under a ring, ${name}, ${shared ? 'shared' : 'unshared'}`, async () => {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 40, shared });
    const desc = { itemSizeBytes: 8, capacityItems: 2, ...layout };
    Ring.format(memory, 640, desc);
    const place = new Memory(memory);
    const producer = Ring.producer(place, 640, { type: Float64Array });
    const consumer = Ring.consumer(memory, 640, { type: Float64Array });
    const out = new Float64Array(1);
    const grow = () => memory.grow(1);
    const put = [(n) => { producer.tryPush([n]); }, (n) => { producer.tryPushMany([n]); },
      (n) => { producer.reserve(); producer.items[producer.at] = n; producer.commit(); },
      (n) => { producer.reserve(); producer.view()[0] = n; producer.commit(); }];
    // views of single slots more than once round
    for (const [n, push] of [...put, put[3], put[3], put[3]].entries()) {
      grow();
      push(n + 10);
      assert.ok(consumer.peek() === 1 && consumer.view()[0] === n + 10);
      grow();
      assert.equal(consumer.status, STATUS.OK);
      assert.equal(consumer.wasCount(), 1);
      assert.ok(consumer.tryPop(out.fill(0)) && out[0] === n + 10);
    }
    producer.tryPush([2]);
    grow();
    assert.equal(consumer.peek(), 1);
    assert.equal(consumer.items[consumer.at], 2);
    grow();
    consumer.release();
    const later = consumer.popAsync(out);
    await after(3, later);
    grow();
    assert.equal(await after(10, later), PENDING);
    assert.ok(producer.tryPush([3]));
    assert.ok(await later && out[0] === 3);
    grow();
    producer.close();
    assert.equal(consumer.status, STATUS.ERR_CLOSED);
  });
}

test('an item whose producer died before it told its index is there for the next one', () => {
  const desc = { itemSizeBytes: 4, capacityItems: 8, sequenced: true };
  const buffer = newRing(desc);
  const options = { type: Uint32Array };
  const first = Ring.producer(buffer, 0, options);
  for (const number of [10, 11, 12]) first.tryPush([number]);
  new Int32Array(buffer)[128 / 4] = 2 << 1;   // as if it had died between the third slot and the index
  const second = Ring.producer(buffer, 0, options);
  assert.equal(Ring.inspect(buffer).wasPushed, 3);
  second.tryPush([13]);
  const consumer = Ring.consumer(buffer, 0, options);
  const out = new Uint32Array(4);
  assert.equal(consumer.tryPopMany(out), 4);
  assert.deepEqual([...out], [10, 11, 12, 13]);
});

test('hot calls of rings and streams allocate nothing', () => {
  const script = fileURLToPath(new URL('./js_ring_allocation.mjs', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath,
    ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64', script], { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
});
