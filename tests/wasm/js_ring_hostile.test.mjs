// SPDX-License-Identifier: MIT
// js_ring_hostile.test.mjs: the other end of rings and streams lies. Between two calls of a victim any word of the
// object may get any value; no call may throw anything but a TernError, loop for ever, answer what cannot be, or touch
// a byte that is not its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ring, STATUS, Stream, TernError } from '../../wasm/src/index.mjs';
import { checkOf } from '../../wasm/src/memory.mjs';
import { Guarded, PAGE, newRandom } from './js_ring_end.mjs';

const CALLS = process.env.TERN_LONG ? 5_000_000 : 30_000;
const CALLS_A_ROUND = 500;
const ALLOWED = new Set([STATUS.ERR_CORRUPT, STATUS.ERR_CLOSED, STATUS.ERR_STATE, STATUS.ERR_MEMORY, STATUS.ERR_ARGUMENT]);
const AT_ATTACH = new Set([STATUS.ERR_CORRUPT, STATUS.ERR_VERSION, STATUS.ERR_NOT_READY, STATUS.ERR_MEMORY,
  STATUS.ERR_ALIGNMENT]);

/** Memory for one object, as newWorld()'s. */
function newPlace() {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  return { memory, heap: { at: 0, take(bytes, alignment = 64) {
    const at = Math.ceil(this.at / alignment) * alignment;
    this.at = at + bytes;
    return at;
  } } };
}

/** What a call answers, or the status that it throws, which must be an allowed one. */
function attempt(call, allowed = ALLOWED) {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof TernError) || !allowed.has(error.status)) throw error;
    return undefined;
  }
}

/** A word that may hurt. */
function badWord(random, capacity) {
  switch (random.below(6)) {
    case 0: return random.word();
    case 1: return random.below(4 * capacity);
    case 2: return -random.below(4 * capacity);
    case 3: return random.pick([0, 1, 2, -1, -2, 0x7fffffff, 0x80000000, 0x80000001]);
    case 4: return 1;   // SLEEP
    default: return (random.below(2 * capacity) << 1) | random.below(2);
  }
}

class Attack {
  constructor(random, size, format) {
    this.random = random;
    this.place = newPlace();
    this.guarded = new Guarded(this.place, size, random);
    this.at = this.guarded.at;
    this.memory = this.place.memory;
    format(this.memory, this.at);
    this.size = size;
    this.words = new Int32Array(this.memory.buffer, this.at, size >>> 2);
    this.bytes = new Uint8Array(this.memory.buffer, this.at, size);
  }

  lie(capacity, hotWords) {
    const { random, words } = this;
    for (let n = random.below(3); n > 0; n--) {
      const index = random.below(4) ? random.pick(hotWords) : random.below(words.length);
      words[index] = random.below(2) ? badWord(random, capacity) : words[index] + random.below(9) - 4;
    }
  }
}

const RING_FLAGS = [{}, { waitable: true }, { sequenced: true }, { waitable: true, sequenced: true }, { paged: true },
  { paged: true, sequenced: true }];
const name = (flags) => Object.keys(flags).join(', ') || 'plain';

/** Words of both ends, flags and all. */
const endWords = (paged) => [0, 1, 2, 16, 32, 33, 34, 48].map((word) => ((paged ? PAGE - 128 : 128) >> 2) + word);

function ringCalls(random, end, desc) {
  const { itemSizeBytes: size, capacityItems: capacity } = desc;
  const many = random.below(40);
  const within = (n, most) => assert.ok(Number.isInteger(n) && n >= 0 && n <= most, `${n} of ${most}`);
  const array = new Uint8Array(size * many);
  const common = [
    () => assert.equal(typeof end.status, 'number'),
    () => within(end.wasCount(), capacity),
  ];
  const lent = (n) => assert.ok(n === 0 || (end.at + (n - 1) * end.stride + size <= end.items.length && end.view(n - 1).length === size));
  const waits = !desc.waitable ? [] : [
    () => end.wait(random.below(20) ? 0 : 1),
    () => (end.pushWait ? end.pushWait(new Uint8Array(size), 0) : end.popWait(new Uint8Array(size), 0)),
  ];
  if (end.tryPush) {
    return [...common, ...waits, () => end.tryPush(new Uint8Array(size)),
      () => within(end.tryPushMany(array), Math.min(many, capacity)),
      () => { const n = end.reserve(many); within(n, Math.min(many, capacity)); lent(n); end.commit(random.below(50)); },
      () => end.commit(random.below(50)),
      () => { if (random.below(50) === 0) end.close(); }];
  }
  return [...common, ...waits, () => end.tryPop(new Uint8Array(size)),
    () => within(end.tryPopMany(array), Math.min(many, capacity)),
    () => { const n = end.peek(many); within(n, Math.min(many, capacity)); lent(n); end.release(random.below(50)); },
    () => end.release(random.below(50)), () => end.releaseEvery(random.below(50)),
    () => { if (random.below(50) === 0) end.close(); }];
}

for (const flags of RING_FLAGS) for (const role of ['producer', 'consumer']) test(`a ring's ${role}, ${name(flags)}`, (t) => {
  const random = newRandom();
  t.diagnostic(`TERN_SEED=${random.seed}`);
  let corrupt = 0;
  for (let round = 0; round < CALLS / CALLS_A_ROUND; round++) {
    const desc = { itemSizeBytes: random.pick([1, 3, 8, 24, 64, 200]), capacityItems: random.pick([1, 2, 8, 32]), ...flags };
    const attack = new Attack(random, Ring.size(desc), (memory, at) => Ring.format(memory, at, desc));
    let end = Ring[role](attack.memory, attack.at, { spinChecks: random.below(3) });
    const slotWords = end.stride / 4;
    const first = (flags.paged ? 2 * PAGE : 384) / 4;
    const hot = endWords(flags.paged);
    for (let i = 0; flags.sequenced && i < desc.capacityItems; i++) hot.push(first + (i + 1) * slotWords - 1);
    const before = attack.bytes.slice();
    for (let call = 0; call < CALLS_A_ROUND; call++) {
      attack.lie(desc.capacityItems, hot);
      const watch = flags.paged && role === 'consumer';
      if (watch) before.set(attack.bytes);
      attempt(random.pick(ringCalls(random, end, desc)));
      if (watch) {
        assert.ok(Buffer.compare(before.subarray(0, PAGE), attack.bytes.subarray(0, PAGE)) === 0
          && Buffer.compare(before.subarray(2 * PAGE), attack.bytes.subarray(2 * PAGE)) === 0, 'a paged consumer writes to page 1 only');
      }
      if (attempt(() => end.status) === STATUS.ERR_CORRUPT) corrupt++;
      if (random.below(200) === 0) {   // the next one meets the indices as they are
        end = attempt(() => Ring[role](attack.memory, attack.at, { spinChecks: 0 }), AT_ATTACH) ?? end;
        if (end.itemSizeBytes !== desc.itemSizeBytes || end.capacityItems !== desc.capacityItems) break;
      }
    }
    attack.guarded.check();
  }
  assert.ok(corrupt > 0, 'no lie was ever found out');
});

function streamCalls(random, end, waitable) {
  const length = random.below(end.maxRecordBytes + 20);
  const lent = () => assert.ok(end.at % 8 === 0 && end.at + length <= end.bytes.length);
  const seen = (record) => assert.ok(record === null || (record.length <= end.maxRecordBytes
    && record.at + record.length <= end.bytes.length && record.copy().length === record.length));
  const common = [() => assert.equal(typeof end.status, 'number'),
    () => assert.ok(end.wasUsedBytes() <= end.capacityBytes)];
  if (end.trySend) {
    const waits = waitable ? [() => end.sendWait(1, new Uint8Array(length), 0), () => end.reserveWait(length, 0)] : [];
    return [...common, ...waits, () => end.trySend(random.word(), new Uint8Array(length)),
      () => { if (end.reserve(length)) lent(); }, () => end.commit(5, random.below(100))];
  }
  const waits = waitable ? [() => seen(end.peekWait(0)), () => end.receiveWait(new Uint8Array(length), 0)] : [];
  return [...common, ...waits, () => seen(end.peek()), () => end.release(),
    () => end.tryReceive(new Uint8Array(length)), () => end.releaseEvery(random.below(100))];
}

for (const flags of [{}, { waitable: true }, { paged: true }]) for (const role of ['producer', 'consumer']) test(`a stream's ${role}, ${name(flags)}`, (t) => {
  const random = newRandom();
  t.diagnostic(`TERN_SEED=${random.seed}`);
  let corrupt = 0;
  for (let round = 0; round < CALLS / CALLS_A_ROUND; round++) {
    const desc = { capacityBytes: random.pick([16, 32, 64, 256]), ...flags };
    const attack = new Attack(random, Stream.size(desc), (memory, at) => Stream.format(memory, at, desc));
    const end = Stream[role](attack.memory, attack.at, { spinChecks: 0 });
    const first = (flags.paged ? 2 * PAGE : 384) / 4;
    const hot = endWords(flags.paged);
    for (let i = 0; i < desc.capacityBytes / 4; i++) hot.push(first + i);
    for (let call = 0; call < CALLS_A_ROUND; call++) {
      attack.lie(random.below(4) ? 8 : desc.capacityBytes, hot);
      attempt(random.pick(streamCalls(random, end, flags.waitable)));
      if (attempt(() => end.status) === STATUS.ERR_CORRUPT) corrupt++;
    }
    attack.guarded.check();
  }
  assert.ok(corrupt > 0, 'no lie was ever found out');
});

test('an attach to any header throws a TernError or stays within the memory', (t) => {
  const random = newRandom();
  t.diagnostic(`TERN_SEED=${random.seed}`);
  let attached = 0;
  for (let round = 0; round < CALLS / 10; round++) {
    const stream = random.below(2) === 0;
    const desc = { itemSizeBytes: 8, capacityItems: 4, capacityBytes: 32, sequenced: !stream && random.below(2) === 0 };
    const attack = new Attack(random, stream ? Stream.size(desc) : Ring.size(desc),
      (memory, at) => (stream ? Stream : Ring).format(memory, at, desc));
    for (let n = random.below(3); n > 0; n--) {
      const word = random.below(8) ? 2 + random.below(7) : random.below(100);
      attack.words[word] = random.below(2) ? random.word() : random.pick([0, 1, 2, 3, 4, 6, 8, 16, 416, 2 ** 30, -1]);
    }
    // a check that is right: against damage, not against malice
    if (random.below(4)) attack.words[9] = checkOf(attack.bytes.slice(8, 40), 28) | 0;
    const memory = new Uint8Array(attack.memory.buffer, attack.at, attack.size);
    const end = attempt(() => (stream ? Stream : Ring)[random.below(2) ? 'producer' : 'consumer'](memory), AT_ATTACH);
    attempt(() => (stream ? Stream : Ring).inspect(memory), AT_ATTACH);
    if (end) {
      attached++;
      for (let i = 0; i < 5; i++)
        attempt(random.pick(stream ? streamCalls(random, end, false) : ringCalls(random, end, end)));
    }
    attack.guarded.check();
  }
  assert.ok(attached > 10, `${attached} attached`);
});
