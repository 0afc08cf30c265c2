// SPDX-License-Identifier: MIT
// js_stream.test.mjs: streams of the package against C's on the same bytes, call by call, and what they promise
// beyond rings: text, records in place, growth of memory, async calls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STATUS, Stream } from '../../wasm/src/index.mjs';
import { Guarded, STARTS, newRandom, newWorld, placesOf, startAt } from './js_ring_end.mjs';
import { StreamEnd } from './stream_end.mjs';

const STEPS = process.env.TERN_LONG ? 400_000 : 8_000;
const ROUNDS = 24;
const FLAGS = [{}, { waitable: true }, { paged: true }];
const nameOf = (flags) => Object.keys(flags).join(', ') || 'plain';
const padding = (bytes, length) => { const full = new Uint8Array(Math.ceil(length / 8) * 8); full.set(bytes); return full; };

/** C's ends and ours under the same calls; bytes of a record are filled up to whole units, so that all bytes of two
 *  streams can be compared: the last unit's rest is unspecified. */
class C extends StreamEnd {
  constructor({ tern, memory, heap }, role, at, size) {
    super(tern, memory, heap, { at, size }, role, 0);
    this.role = role;
  }

  put(at, bytes) { new Uint8Array(this.memory.buffer, at, bytes.length).set(bytes); }
  trySend(kind, bytes) {
    this.put(this.room, bytes);
    return this.send(kind, bytes.length);
  }
  sendInPlace(kind, bytes, most) {
    const at = this.reserve(most);
    if (at === 0) return false;
    this.put(at, padding(bytes, bytes.length));
    this.commit(kind, bytes.length);
    return true;
  }
  look() {
    const record = this.peek();
    return record && { kind: record.kind >>> 0, bytes: record.bytes.slice() };
  }
  take() {
    const record = this.receive();
    return record && { kind: record.kind >>> 0, bytes: record.bytes.slice() };
  }
  get status() { return this.tern[`tern_stream_${this.role}_status`](this.view); }
  releaseEvery(bytes) { this.tern.tern_stream_consumer_release_every(this.view, BigInt(bytes)); }
  close() { this.tern[`tern_stream_close_${this.role}`](this.view); }
}

class Js {
  constructor({ memory }, role, at) {
    this.end = Stream[role](memory, at);
    this.out = new Uint8Array(512);
  }

  trySend(kind, bytes) { return this.end.trySend(kind, bytes); }
  sendInPlace(kind, bytes, most) {
    if (!this.end.reserve(most)) return false;
    this.end.bytes.set(padding(bytes, bytes.length), this.end.at);
    this.end.commit(kind, bytes.length);
    return true;
  }
  look() {
    const record = this.end.peek();
    return record && { kind: record.kind, bytes: record.copy() };
  }
  take() {
    if (!this.end.tryReceive(this.out)) return null;
    const { kind, length } = this.end.record;
    return { kind, bytes: this.out.slice(0, length) };
  }
  release() { this.end.release(); }
  get status() { return this.end.status; }
  releaseEvery(bytes) { this.end.releaseEvery(bytes); }
  close() { this.end.close(); }
}

function makeStream(world, random, flags) {
  const desc = { capacityBytes: random.pick([16, 32, 64, 128, 512]), ...flags };
  const size = Stream.size(desc);
  const guarded = new Guarded(world, size, random);
  Stream.format(world.memory, guarded.at, desc);
  startAt(world.memory, guarded.at, placesOf(flags, size, desc.capacityBytes / 8), 8, random.pick(STARTS));
  return { desc, size, guarded };
}

function runTwins(world, random, flags, [Producer, Consumer]) {
  const { desc, size, guarded } = makeStream(world, random, flags);
  const twin = new Guarded(world, size, random);
  const [bytes, twinBytes] = [guarded.at, twin.at].map((at) => new Uint8Array(world.memory.buffer, at, size));
  twinBytes.set(bytes);
  const ends = [
    { producer: new Producer(world, 'producer', guarded.at, size), consumer: new Consumer(world, 'consumer', guarded.at, size) },
    { producer: new C(world, 'producer', twin.at, size), consumer: new C(world, 'consumer', twin.at, size) },
  ];
  const both = (call) => {
    const answers = ends.map(call);
    assert.deepEqual(answers[0], answers[1], `${call}`);
    // status tells why a call failed; after one that did not, C's may still be that of an older one
    if (answers[0] === false) assert.equal(ends[0].producer.status, ends[1].producer.status);
    return answers[0];
  };
  const queue = [];
  const most = desc.capacityBytes / 2;
  for (let step = 0; step < STEPS / ROUNDS; step++) {
    const length = random.below(random.below(4) ? Math.min(40, most + 1) : most + 1);
    const kind = random.word();
    const record = { kind, bytes: random.bytes(length) };
    switch (random.below(12)) {
      case 0: both(({ consumer }) => consumer.status); break;
      case 2: { const n = random.below(200); both(({ consumer }) => consumer.releaseEvery(n)); break; }
      // whole units: what a send leaves in the rest of the last one is unspecified
      case 3: case 4: {
        const whole = { kind, bytes: record.bytes.subarray(0, length & ~7) };
        if (both(({ producer }) => producer.trySend(kind, whole.bytes))) queue.push(whole);
        break;
      }
      case 5: case 6: {
        const reserved = length + random.below(most - length + 1);
        if (both(({ producer }) => producer.sendInPlace(kind, record.bytes, reserved))) queue.push(record);
        break;
      }
      case 7: both(({ producer }) => producer.trySend(kind, new Uint8Array(most + 1))); break;
      case 8: case 9:
        assert.deepEqual(both(({ consumer }) => consumer.look()), queue[0] ?? null);
        if (queue.length > 0 && random.below(2)) {
          both(({ consumer }) => consumer.release());
          queue.shift();
        }
        break;
      default: assert.deepEqual(both(({ consumer }) => consumer.take()), queue.shift() ?? null);
    }
    assert.ok(Buffer.compare(bytes, twinBytes) === 0, `bytes differ after step ${step}`);
  }
  both(({ producer }) => producer.close());
  while (queue.length > 0) assert.deepEqual(both(({ consumer }) => consumer.take()), queue.shift());
  assert.equal(both(({ consumer }) => consumer.take()), null);   // it may pass over padding
  assert.equal(both(({ consumer }) => consumer.status), STATUS.ERR_CLOSED);
  assert.ok(Buffer.compare(bytes, twinBytes) === 0, 'bytes differ after close');
  guarded.check();
  twin.check();
}

for (const kind of ['threads', 'single']) for (const flags of FLAGS) {
  test(`bytes after each call as C's: ${nameOf(flags)}; ${kind}`, (t) => {
    const random = newRandom();
    t.diagnostic(`TERN_SEED=${random.seed}`);
    for (let round = 0; round < ROUNDS; round++) {
      const world = newWorld(kind, 16);
      for (const makes of [[Js, C], [C, Js], [Js, Js]]) runTwins(world, random, flags, makes);
    }
  });
}

function newStream(desc, Buffer = SharedArrayBuffer) {
  const full = { capacityBytes: 256, waitable: true, ...desc };
  const buffer = new Buffer(Stream.size(full));
  Stream.format(buffer, 0, full);
  return [Stream.producer(buffer), Stream.consumer(buffer), buffer];
}

const fails = (status) => (error) => {
  assert.equal(error.name, 'TernError', error.stack);
  assert.equal(error.status, status, error.message);
  return true;
};

test('a record is made of bytes, of any view, of text, or of nothing', () => {
  const [producer, consumer, buffer] = newStream();
  assert.ok(producer.trySend(1, 'Grüße, 鸟'));
  assert.equal(consumer.peek().text(), 'Grüße, 鸟');
  consumer.release();
  assert.ok(producer.trySend(0xffffffff, new Float64Array([0.5, 2])));
  assert.equal(consumer.peek().kind, 0xffffffff);
  assert.equal(consumer.data.getFloat64(consumer.record.at + 8, true), 2);
  consumer.release();
  assert.ok(producer.trySend(3) && producer.trySend(4, new DataView(new ArrayBuffer(8), 4)));
  assert.deepEqual([consumer.peek().kind, consumer.record.length], [3, 0]);
  consumer.release();
  assert.throws(() => consumer.tryReceive(new Uint8Array(3)), fails(STATUS.ERR_MEMORY));
  const out = new Uint8Array(8).fill(9);
  assert.ok(consumer.tryReceive(out));
  assert.deepEqual([...out], [0, 0, 0, 0, 9, 9, 9, 9]);
  assert.equal(consumer.peek(), null);
  assert.throws(() => producer.trySend(1, 17), fails(STATUS.ERR_ARGUMENT));
  assert.throws(() => producer.commit(1), fails(STATUS.ERR_STATE));
  assert.equal(producer.trySend(1, new Uint8Array(129)), false);
  assert.equal(producer.status, STATUS.ERR_ARGUMENT);
  assert.throws(() => producer.sendWait(1, new Uint8Array(129)), fails(STATUS.ERR_ARGUMENT));
  assert.equal(producer.reserve(NaN), false);
  const info = Stream.inspect(buffer);
  assert.deepEqual([info.capacityBytes, info.maxRecordBytes, info.wasUsedBytes], [256, 128, 0]);
  assert.equal(info.wasWrittenBytes, info.wasReadBytes);
  for (const capacityBytes of [-1, 0.5, 2 ** 33 + 1]) assert.throws(() => Stream.size({ capacityBytes }), fails(STATUS.ERR_ARGUMENT));
  assert.throws(() => Stream.producer(new SharedArrayBuffer(512)), fails(STATUS.ERR_NOT_READY));
});

test('waits end by a record, by time, or by closing', async () => {
  const [producer, consumer] = newStream();
  assert.equal(consumer.peekWait(2), null);
  assert.equal(await consumer.receiveAsync(new Uint8Array(0), 2), false);
  const peeked = consumer.peekAsync();
  producer.trySend(5, 'now');
  assert.equal((await peeked).text(), 'now');
  consumer.release();
  while (producer.trySend(1, new Uint8Array(100)));
  assert.equal(producer.sendWait(1, new Uint8Array(100), 2), false);
  const sent = producer.sendAsync(6, new Uint8Array(128));
  const kinds = [];
  const reading = (async () => { for await (const { kind, bytes } of consumer) kinds.push([kind, bytes.length]); })();
  assert.equal(await sent, true);
  assert.equal(await producer.reserveAsync(4), true);
  producer.bytes.fill(7, producer.at, producer.at + 4);
  producer.commit(7, 2);
  producer.close();
  await reading;
  assert.deepEqual(kinds.slice(-2), [[6, 128], [7, 2]]);
  assert.throws(() => consumer.peekWait(), fails(STATUS.ERR_CLOSED));
  consumer.close();
  while (producer.trySend(1, new Uint8Array(100)));   // some may go in unseen
  await assert.rejects(producer.reserveAsync(128), fails(STATUS.ERR_CLOSED));
  producer.detach();
  consumer.detach();
  assert.throws(() => producer.trySend(1), fails(STATUS.ERR_STATE));
  assert.throws(() => consumer.peek(), fails(STATUS.ERR_STATE));
});

test('waits are refused where they cannot be', () => {
  const [, , buffer] = newStream();
  for (const [end, call] of [[Stream.producer(buffer, 0, { domain: 'main' }), 'sendWait'],
    [Stream.consumer(buffer, 0, { domain: 'main' }), 'peekWait']])
    assert.throws(() => end[call](1), fails(STATUS.ERR_DOMAIN), call);
});

test('memory grows under a stream', () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 30 });
  Stream.format(memory, 0, { capacityBytes: 512 });
  const [long, out] = [new Uint8Array(232).fill(3), new Uint8Array(232)];
  const [producer, consumer] = [Stream.producer(memory), Stream.consumer(memory)];
  for (let i = 0; i < 8; i++) {
    memory.grow(1);
    assert.ok(producer.trySend(i, 'abc'));
    memory.grow(1);
    assert.equal(consumer.peek().kind, i);
    assert.equal(consumer.record.text(), 'abc');
    memory.grow(1);
    consumer.release();
    assert.equal(consumer.status, STATUS.OK);
    assert.equal(producer.status, STATUS.OK);
    // of a length that makes the next turn begin at the same place
    assert.ok(producer.trySend(9, long));
    assert.ok(consumer.tryReceive(out.fill(0)));
    assert.deepEqual(out, long);
  }
});

test('padding that no producer writes is refused', () => {
  for (const [length, filled] of [[0xffffffff, 32], [0xffffffff, 31], [0x80000000, 32], [129, 32]]) {
    const [, , buffer] = newStream();
    const words = new Int32Array(buffer);
    words[384 / 4] = length;
    words[128 / 4] = filled << 1;
    const consumer = Stream.consumer(buffer);
    assert.equal(consumer.peek(), null);
    assert.equal(consumer.status, STATUS.ERR_CORRUPT, `${length}, ${filled} units`);
    assert.throws(() => consumer.peekWait(), fails(STATUS.ERR_CORRUPT));
    assert.equal(Stream.inspect(buffer).wasReadBytes, 0);
  }
});
