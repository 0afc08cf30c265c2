// SPDX-License-Identifier: MIT
// js_ring_c.test.mjs: rings of the package against C's on the same bytes, in one thread, step by step.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ring } from '../../wasm/src/index.mjs';
import { CEnd, Guarded, INDEX, STARTS, newRandom, newWorld, placesOf, startAt } from './js_ring_end.mjs';

const STEPS = process.env.TERN_LONG ? 400_000 : 8_000;
const ROUNDS = 24;   // a round has another ring
const FLAGS = [{}, { waitable: true }, { sequenced: true }, { waitable: true, sequenced: true }, { paged: true },
  { paged: true, sequenced: true }];
const CAPACITIES = [1, 2, 4, 8, 32];
const ITEM_BYTES = [1, 3, 4, 8, 12, 13, 24, 60, 61, 100, 256];

/** A ring of any shape in new memory, with counters that begin anywhere. */
function makeRing(world, random, flags) {
  const desc = { itemSizeBytes: random.pick(ITEM_BYTES), capacityItems: random.pick(CAPACITIES), ...flags };
  const size = Ring.size(desc);
  const guarded = new Guarded(world, size, random);
  Ring.format(world.memory, guarded.at, desc);
  const slotBytes = slotSize(world.memory, guarded.at);
  const places = placesOf(flags, size, desc.capacityItems);
  startAt(world.memory, guarded.at, places, slotBytes, random.pick(STARTS));
  return { desc, size, guarded, at: guarded.at, places };
}

/** Geometry: from one slot to the next. */
const slotSize = (memory, at) => new DataView(memory.buffer).getUint32(at + 8 + 24, true);

const jsEnd = (world, role, ring) => Ring[role](world.memory, ring.at);
const cEnd = (world, role, ring) => new CEnd(world, role, ring.at, ring.size, ring.desc.itemSizeBytes);

/** The same calls on two rings, whose ends are of different makes: after each call all bytes must be the same. */
function runTwins(world, random, flags, makes) {
  const ring = makeRing(world, random, flags);
  const twin = new Guarded(world, ring.size, random);
  const bytes = new Uint8Array(world.memory.buffer, ring.at, ring.size);
  const twinBytes = new Uint8Array(world.memory.buffer, twin.at, ring.size);
  twinBytes.set(bytes);
  const rings = [ring, { ...ring, at: twin.at }];
  const ends = rings.map((each, i) =>
    ({ producer: makes[i][0](world, 'producer', each), consumer: makes[i][1](world, 'consumer', each) }));
  const { itemSizeBytes } = ring.desc;
  const out = [new Uint8Array(itemSizeBytes), new Uint8Array(itemSizeBytes)];
  const both = (call) => {
    const answers = ends.map(call);
    assert.deepEqual(answers[0], answers[1], `${call}`);
    return answers[0];
  };
  for (let step = 0; step < STEPS / ROUNDS; step++) {
    const item = random.bytes(itemSizeBytes);
    switch (random.below(12)) {
      case 0: both(({ consumer }) => consumer.status); break;
      case 1: both(({ producer }) => producer.status); break;
      case 2: { const n = random.below(9); both(({ consumer }) => consumer.releaseEvery(n)); break; }
      case 3: case 4: case 5: case 6: both(({ producer }) => producer.tryPush(item)); break;
      default: if (both(({ consumer }, i) => consumer.tryPop(out[i]))) assert.deepEqual(out[0], out[1]);
    }
    assert.ok(Buffer.compare(bytes, twinBytes) === 0, `bytes differ after step ${step}`);
  }
  both(({ consumer }) => consumer.detach());
  both(({ producer }) => producer.close());
  assert.ok(Buffer.compare(bytes, twinBytes) === 0, 'bytes differ after detach and close');
  ring.guarded.check();
  twin.check();
}

/** Random mixes of all calls against a model: a queue, and the head that the consumer has published. */
class Mix {
  constructor(world, random, flags, [makeProducer, makeConsumer]) {
    this.random = random;
    this.memory = world.memory;
    this.ring = makeRing(world, random, flags);
    this.words = new Int32Array(world.memory.buffer, this.ring.at, this.ring.size >>> 2);
    this.producer = makeProducer(world, 'producer', this.ring);
    this.consumer = makeConsumer(world, 'consumer', this.ring);
    this.itemBytes = this.ring.desc.itemSizeBytes;
    this.queue = [];
    this.pushed = this.words[this.ring.places.consumer / 4] >>> 1;
    this.popped = this.pushed;
  }

  /** Free slots as far as the consumer has told. */
  get space() {
    const head = this.words[this.ring.places.consumer / 4] >>> 1;
    return this.ring.desc.capacityItems - ((this.pushed - head) & INDEX);
  }

  untilWrap(index) { return this.ring.desc.capacityItems - (index & (this.ring.desc.capacityItems - 1)); }

  put(items) {
    this.queue.push(...items);
    this.pushed = (this.pushed + items.length) & INDEX;
  }

  expectNext(bytes) {
    assert.deepEqual(new Uint8Array(bytes), this.queue.shift());
    this.popped = (this.popped + 1) & INDEX;
  }

  push() {
    const item = this.random.bytes(this.itemBytes);
    const { space } = this;
    assert.equal(this.producer.tryPush(item), space > 0);
    if (space > 0) this.put([item]);
  }

  pop() {
    const out = new Uint8Array(this.itemBytes);
    const some = this.queue.length > 0;
    assert.equal(this.consumer.tryPop(out), some);
    if (some) this.expectNext(out);
  }

  pushMany() {
    const [lead, k, behind] = [this.random.below(3), this.random.below(12), this.random.below(2)];
    const source = this.random.bytes((lead + k + behind) * this.itemBytes);
    const expected = Math.min(k, this.space);
    assert.equal(this.producer.tryPushMany(source, lead, k), expected);
    const item = (i) => source.slice((lead + i) * this.itemBytes, (lead + i + 1) * this.itemBytes);
    this.put(Array.from({ length: expected }, (_, i) => item(i)));
  }

  popMany() {
    const [lead, k] = [this.random.below(3), this.random.below(12)];
    const out = new Uint8Array((lead + k) * this.itemBytes);
    const expected = Math.min(k, this.queue.length);
    assert.equal(this.consumer.tryPopMany(out, lead), expected);
    for (let i = 0; i < expected; i++)
      this.expectNext(out.subarray((lead + i) * this.itemBytes, (lead + i + 1) * this.itemBytes));
    assert.ok(out.subarray(0, lead * this.itemBytes).every((byte) => byte === 0), 'bytes before the first place');
  }

  reserve() {
    const { producer, ring: { places: { sequenced } } } = this;
    const want = 1 + this.random.below(8);
    const most = sequenced ? 1 : Math.min(want, this.untilWrap(this.pushed));
    const n = producer.reserve(want);
    assert.equal(n, Math.min(most, this.space));
    const items = Array.from({ length: n }, () => this.random.bytes(this.itemBytes));
    items.forEach((item, i) => {
      if (i % 2) producer.view(i).set(item);
      else for (let e = 0; e < this.itemBytes; e++) producer.items[producer.at + i * producer.stride + e] = item[e];
    });
    const count = this.random.below(n + 1);
    producer.commit(count);
    this.put(items.slice(0, count));
  }

  peek() {
    const { consumer, ring: { places: { sequenced } } } = this;
    const want = 1 + this.random.below(8);
    const most = sequenced ? 1 : Math.min(want, this.untilWrap(this.popped));
    const n = consumer.peek(want);
    assert.equal(n, Math.min(most, this.queue.length));
    const count = this.random.below(n + 1);
    for (let i = 0; i < count; i++) {
      const at = consumer.at + i * consumer.stride;
      const item = i % 2 ? consumer.view(i) : consumer.items.subarray(at, at + this.itemBytes);
      this.expectNext(item);
    }
    consumer.release(count);
  }

  look() {
    const info = Ring.inspect(this.memory, this.ring.at);
    assert.equal(info.wasPushed, this.pushed);
    assert.equal(this.consumer.wasCount?.() ?? this.queue.length, this.queue.length);
    assert.equal(this.consumer.status, 0);
    assert.equal(this.producer.status, 0);
    this.consumer.releaseEvery(this.random.below(9));
  }

  run(steps) {
    const calls = ['push', 'pop', 'push', 'pop', 'look'];
    if (this.producer.tryPushMany) calls.push('pushMany', 'pushMany', 'reserve', 'reserve');
    if (this.consumer.tryPopMany) calls.push('popMany', 'popMany', 'peek', 'peek');
    for (let step = 0; step < steps; step++) this[this.random.pick(calls)]();
    while (this.queue.length > 0) this.pop();
    this.producer.close();
    assert.equal(this.consumer.status, -9, 'closed');
    this.ring.guarded.check();
  }
}

for (const kind of ['threads', 'single']) for (const flags of FLAGS) {
  const name = `${Object.keys(flags).join(', ') || 'plain'}; ${kind}`;
  const random = newRandom();

  test(`bytes after each call as C's: ${name}`, (t) => {
    t.diagnostic(`TERN_SEED=${random.seed}`);
    for (let round = 0; round < ROUNDS; round++) {
      const world = newWorld(kind, 16);
      runTwins(world, random, flags, [[jsEnd, cEnd], [cEnd, cEnd]]);
      runTwins(world, random, flags, [[cEnd, jsEnd], [cEnd, cEnd]]);
    }
  });

  test(`random mixes of all calls, with C and with itself: ${name}`, (t) => {
    t.diagnostic(`TERN_SEED=${random.seed}`);
    for (let round = 0; round < ROUNDS; round++) {
      const world = newWorld(kind, 16);
      for (const makes of [[jsEnd, jsEnd], [jsEnd, cEnd], [cEnd, jsEnd]])
        new Mix(world, random, flags, makes).run(STEPS / ROUNDS);
    }
  });
}

test('an end of the other make goes on where the last one stopped', () => {
  for (const flags of FLAGS) {
    const random = newRandom();
    const world = newWorld('threads', 16);
    const ring = makeRing(world, random, flags);
    const { itemSizeBytes, capacityItems } = ring.desc;
    const out = new Uint8Array(itemSizeBytes);
    let [next, expected] = [0, 0];
    for (let turn = 0; turn < 40; turn++) {
      const [make, other] = turn % 2 ? [jsEnd, cEnd] : [cEnd, jsEnd];
      const producer = make(world, 'producer', ring);
      const consumer = (turn % 3 ? make : other)(world, 'consumer', ring);
      for (let i = random.below(capacityItems + 1); i > 0 && producer.tryPush(out.fill(next)); i--) next = (next + 1) & 255;
      for (let i = random.below(capacityItems + 1); i > 0 && consumer.tryPop(out); i--) {
        assert.deepEqual(out, new Uint8Array(itemSizeBytes).fill(expected));
        expected = (expected + 1) & 255;
      }
      producer.detach();
      consumer.detach();
    }
    assert.ok(next > 5);
  }
});
