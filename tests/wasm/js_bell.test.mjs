// SPDX-License-Identifier: MIT
// js_bell.test.mjs: the package's bells. Against C in one memory, step by step with a twin that is all C's; between
// workers; and against whatever stands in the shared words.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Bell, Memory, STATUS, TernError, lowestBit } from '../../wasm/src/index.mjs';
import { BellView, makeBell } from './bell_view.mjs';
import { Crew } from './crew.mjs';
import { Heap, instantiate, loadModule, newMemory } from './instance.mjs';
import { JsBell, garbageOf, isLong, newSeed } from './js_ends.mjs';
import { randomOf } from './random.mjs';

const HANG = { timeout: 240_000 };
const STEPS = 2_000;
const RINGS = isLong ? 10_000_000 : 500_000;   // of each of two ringers
const TURNS = isLong ? 1_000_000 : 12_000;

// ---- C and JavaScript in one memory ------------------------------------------------------------

const module = loadModule('threads');
const memory = newMemory('threads', 128);
const heap = new Heap(module, memory);
const tern = instantiate(module, memory, { tls: heap.place().tls });

/** A pass of C's, and the package's in the same form: [first source, bits] each. */
function passOfC(view) {
  const found = [];
  tern.tern_bell_begin(view.view, view.passAt);
  while (tern.tern_bell_next(view.passAt, view.out, view.out + 4)) found.push([...view.words]);
  return found;
}
function passOfJs({ end }) {
  const found = [];
  end.begin();
  while (end.next()) found.push([end.firstSource, end.bits >>> 0]);
  return found;
}

for (const sources of [1, 8, 31, 32, 33, 40, 992, 993, 5000, 65536]) {
  test(`as C does, step by step: ${sources} sources`, (t) => {
    const random = randomOf(newSeed(t) + sources);
    const pair = [makeBell(tern, memory, heap, sources), makeBell(tern, memory, heap, sources)];
    const [twin, own] = pair.map(({ at, size }) => new Uint8Array(memory.buffer, at, size));
    own.fill(0xee);
    Bell.format(memory, pair[1].at, { sources });
    assert.equal(Bell.size({ sources }), pair[0].size);
    assert.equal(Buffer.compare(own, twin), 0, 'format');
    const c = new BellView(tern, memory, heap, pair[0], 0);
    const mixed = [new BellView(tern, memory, heap, pair[1], 0), new JsBell(tern, memory, heap, pair[1], 0)];
    const both = (call, ...all) => {
      const who = mixed[random(3) ? 1 : 0];
      const expected = c[call](...all);
      assert.deepEqual(who[call](...all), expected, call);
      return expected;
    };
    let found = 0;
    for (let step = 0; step < STEPS; step++) {
      const which = random(100);
      if (which < 60) both('ring', random(20) ? random(sources) : sources + random(3));
      else if (which < 70) both('wait', random(2) ? 0n : 1n);
      else if (which < 76) both('status');
      else if (which < 82) both('arm');
      else if (which < 84 && sources <= 31) both('collect');
      else if (which < 97) {
        const who = mixed[random(3) ? 1 : 0];
        const expected = passOfC(c);
        assert.deepEqual(who instanceof JsBell ? passOfJs(who) : passOfC(who), expected);
        found += expected.length;
      } else {
        mixed[1].end.detach();
        mixed[1] = new JsBell(tern, memory, heap, pair[1], 0);
      }
      if (sources < 6000 || step % 100 === 0) assert.equal(Buffer.compare(own, twin), 0, `step ${step}`);
    }
    assert.ok(found > STEPS / 20);
    mixed[1].end.ringAll();
    for (let source = 0; source < sources; source++) c.ring(source);
    assert.equal(Buffer.compare(own, twin), 0, 'all');
    both('close');
    assert.equal(both('wait'), STATUS.OK);
    assert.deepEqual(passOfJs(mixed[1]), passOfC(c));
    assert.equal(both('wait'), STATUS.ERR_CLOSED);
    assert.equal(both('status'), STATUS.ERR_CLOSED);
    assert.equal(Buffer.compare(own, twin), 0, 'closed');
    const info = Bell.inspect(memory, pair[1].at);
    assert.deepEqual([info.sources, info.closed, info.wasRinging], [sources, true, 0]);
  });
}

test('attach refuses what C refuses, with the same status', () => {
  const size = Bell.size({ sources: 100 });
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
    assert.equal(refusedAs(() => Bell.ringer(part)), tern.tern_bell_attach(room, at, bytes), what);
    assert.equal(refusedAs(() => Bell.inspect(part)), tern.tern_bell_inspect(room, at, bytes), what);
  };
  compare('nothing there');
  for (let word = 0; word < size / 4; word++) {
    for (const flip of [1, 0x20, 0x10000, 0x80000000]) {
      Bell.format(memory, at, { sources: 100 });
      words[word] ^= flip;
      compare(`word ${word} ^ ${flip}`);
    }
  }
  Bell.format(memory, at, { sources: 100 });
  for (const bytes of [64, 252, 256, size - 4, size]) compare(`${bytes} bytes`, bytes);
  for (const sources of [-1, 1.5, 65537, '7'])
    assert.equal(refusedAs(() => Bell.size({ sources })), STATUS.ERR_ARGUMENT, `${sources}`);
});

// ---- Alone --------------------------------------------------------------------------------------

const newBell = (sources) => {
  const buffer = new SharedArrayBuffer(Bell.size({ sources }));
  Bell.format(buffer, 0, { sources });
  return buffer;
};

test('ringing, collecting and passes leave no garbage', () => {
  for (const sources of [8, 4096]) {
    const bell = Bell.collector(newBell(sources));
    const out = new Uint32Array(16);
    const sum = new Float64Array(1);
    const count = (source) => { sum[0] += source; };
    const bytes = garbageOf(100_000, (i) => {
      bell.ring((i * 7) % sources);
      if (i % 4 === 0) sum[0] += bell.collectInto(out);
      if (i % 5 === 0) sum[0] += bell.collectEach(count);
      if (i % 7 === 0 && bell.wait(0)) for (bell.begin(); bell.next();) sum[0] += lowestBit(bell.bits);
    });
    assert.ok(sum[0] > 0);
    assert.ok(bytes < 1, `${bytes} bytes a call`);
    assert.ok(garbageOf(100_000, (i) => { out.last = [i]; }) >= 1, 'the measure cannot fail');
  }
});

test('what a pass that was left had not told comes again, once', () => {
  for (const sources of [20, 31, 70, 5000]) {
    const bell = Bell.collector(newBell(sources));
    const all = Array.from({ length: 20 }, (_, i) => Math.floor((i * (sources - 1)) / 19));
    const ring = () => { for (const source of all) bell.ring(source); };
    const take = (out) => [...out.subarray(0, bell.collectInto(out))];

    ring();
    const seen = [];
    for (let some; (some = take(new Uint32Array(3))).length > 0;) seen.push(...some);
    assert.deepEqual(seen, all, 'an array that is too small');

    for (const stop of [1, 7, 19]) {
      ring();
      const first = take(new Uint32Array(stop));
      assert.equal(bell.status, STATUS.OK);
      assert.equal(bell.wait(0), true, 'there is more');
      const rest = [];
      bell.collectEach((source) => rest.push(source));
      assert.deepEqual([...first, ...rest], all, `left after ${stop}, then all`);
      assert.equal(bell.wait(0), false);
      assert.equal(bell.collect(), 0);
    }

    ring();
    let visited = 0;
    assert.throws(() => bell.collectEach(() => { if (++visited === 5) throw new Error('enough'); }), /enough/);
    const after = [];
    bell.collectEach((source) => after.push(source));
    assert.deepEqual(after, all.slice(5), 'left by an exception');

    ring();
    take(new Uint32Array(5));
    const bits = bell.collect();
    bell.beginWith(bits);
    const summed = [];
    while (bell.next()) for (let b = bell.bits; b !== 0; b &= b - 1) summed.push(bell.firstSource + lowestBit(b));
    assert.deepEqual(summed, all.slice(5), 'left, then collect()');
  }
});

test('an async loop sees each source, also after a break, until the bell is closed', HANG, async () => {
  const bell = Bell.collector(newBell(100));
  for (const source of [3, 40, 99]) bell.ring(source);
  const seen = [];
  for await (const source of bell) {
    seen.push(source);
    if (source === 40) break;
  }
  setTimeout(() => { bell.ring(7); setTimeout(() => { bell.ring(8); bell.close(); }, 5); }, 5);
  for await (const source of bell) seen.push(source);
  assert.deepEqual(seen, [3, 40, 99, 7, 8]);
});

test('waits: time-outs, a detached view, memory that is not shared, the main thread, roles', HANG, async () => {
  const bell = Bell.collector(newBell(4));
  const started = performance.now();
  assert.equal(bell.wait(0), false);
  assert.equal(bell.wait(20), false);
  assert.equal(await bell.waitAsync(20), false);
  assert.equal(bell.collectWait(1), 0);
  assert.ok(performance.now() - started >= 40);
  setTimeout(() => bell.ring(2), 5);
  assert.equal(await bell.collectAsync(), 4);
  const waiting = assert.rejects(bell.waitAsync(), { code: 'TERN_ERR_STATE' });
  bell.detach();
  await waiting;
  assert.throws(() => bell.ring(1), { code: 'TERN_ERR_STATE' });

  const alone = new ArrayBuffer(Bell.size({ sources: 40 }));
  Bell.format(alone, 0, { sources: 40 });
  const unshared = Bell.collector(alone);
  assert.throws(() => unshared.wait(), { code: 'TERN_ERR_UNSUPPORTED' });
  setTimeout(() => { Bell.ringer(alone).ring(39); }, 5);
  assert.equal(await unshared.waitAsync(), true);
  assert.throws(() => Bell.collector(newBell(4), 0, { domain: 'main' }).wait(0), { code: 'TERN_ERR_DOMAIN' });

  // the collector's end is taken at the first wait; a predecessor that died leaves every source to be looked at
  const heir = Bell.collector(newBell(40));
  let takes = 0;
  heir.role = {
    isTaken: false, otherIsDead: () => true,
    take() { takes++; this.isTaken = true; return { outcome: 'repaired' }; },
  };
  assert.equal(heir.wait(), true);
  assert.equal(heir.collectEach(() => {}), 40);
  assert.throws(() => heir.wait(), { code: 'TERN_ERR_PEER_DEAD' });
  assert.equal(takes, 1);
});

test('a memory that grows, shared or not, leaves no stale view', async () => {
  for (const shared of [false, true]) {
    const grows = new WebAssembly.Memory({ initial: 1, maximum: 20, shared });
    Bell.format(grows, 192, { sources: 500 });
    const ringer = Bell.ringer(grows, 192);
    const collector = Bell.collector(grows, 192);
    const out = new Uint32Array(4);
    for (let i = 1; i <= 8; i++) {
      grows.grow(1);
      assert.equal(ringer.ring(i * 40), true);
      if (i % 2) grows.grow(1);
      assert.equal(collector.collectInto(out), 1);
      assert.equal(out[0], i * 40);
    }
    setTimeout(() => { grows.grow(1); ringer.ring(1); }, 5);
    assert.equal(await collector.waitAsync(), true);
  }
});

test('whatever stands in the shared words: no exception, nothing outside is touched', (t) => {
  const random = randomOf(newSeed(t));
  const out = new Uint32Array(2000);
  let corrupt = 0;
  for (const sources of [8, 31, 33, 70, 2000]) {
    const size = Bell.size({ sources });
    const whole = new SharedArrayBuffer(size + 1024);
    const guards = [new Uint8Array(whole, 0, 512), new Uint8Array(whole, 512 + size)];
    for (const guard of guards) guard.fill(0xa5);
    const shared = new Memory(whole);
    const words = new Uint32Array(whole, 512, size / 4);
    Bell.format(shared, 512, { sources });
    const bell = Bell.collector(shared, 512, { spinChecks: 2 });
    for (let step = 0; step < 20_000; step++) {
      const spot = random(2) ? 32 + random(2) : random(words.length);
      if (random(2)) words[spot] = random(2) ? random(2 ** 32) : [0, 0x80000000, 0xffffffff, 0x7fffffff][random(4)];
      switch (random(5)) {
        case 0: bell.ring(random(sources + 2)); break;
        case 1: {
          const count = bell.collectInto(out);
          for (let i = 0; i < count; i++) assert.ok(out[i] < sources);
          break;
        }
        case 2: bell.collectEach((source) => assert.ok(source < sources)); break;
        case 3: try { bell.wait(random(2) ? 0 : 1e-6); } catch (error) { assert.ok(error.status < 0); } break;
        default: if (bell.status === STATUS.ERR_CORRUPT) corrupt++;
      }
    }
    for (const guard of guards) assert.ok(guard.every((byte) => byte === 0xa5), 'bytes outside were written');
  }
  assert.ok(corrupt > 20, `${corrupt}`);
});

// ---- Workers ------------------------------------------------------------------------------------

let crew;
before(async () => { crew = await Crew.start(3); });
after(async () => { await crew?.stop(); });

for (const [ringers, collector] of [[['', 'js:'], ''], [['', 'js:'], 'js:'], [['js:', 'js:'], 'js:']]) {
  for (const sources of [31, 4096]) {
    const who = `${ringers.map((name) => name || 'C')} ring, ${collector || 'C'} sleeps`;
    test(`2 x ${RINGS} rings of ${sources} sources, ${who}`, HANG, async (t) => {
      const bell = makeBell(crew.tern, crew.memory, crew.heap, sources);
      const counters = crew.heap.take(4 * sources);
      const shared = { bell, counters, finished: crew.heap.take(4), ringers: 2, rings: RINGS };
      const [, , collected] = await Promise.all([
        crew.task(0, `${ringers[0]}ringBell`, { ...shared, first: 0, step: 1 }),
        crew.task(1, `${ringers[1]}ringBell`, { ...shared, first: sources - 1, step: 7 }),
        crew.task(2, `${collector}collectBell`, { bell, counters, spinChecks: 0 }),
      ]);
      assert.equal(collected.sum, 2 * RINGS);
      t.diagnostic(`${collected.passes} passes, ${collected.sleeps} sleeps`);
    });
  }
}

for (const [one, two, sources] of [['', 'js:', 8], ['js:', '', 40], ['js:', 'js:', 8]]) {
  test(`ping-pong asleep, ${TURNS} turns without a time-out, ${one || 'C'} and ${two || 'C'}`, HANG, async (t) => {
    const [there, back] = [0, 1].map(() => makeBell(crew.tern, crew.memory, crew.heap, sources));
    const [begins, answers] = await Promise.all([
      crew.task(0, `${one}pingPongBell`, { out: there, back, count: TURNS, begins: true }),
      crew.task(1, `${two}pingPongBell`, { out: back, back: there, count: TURNS, begins: false }),
    ]);
    const sleeps = begins.sleeps + answers.sleeps;
    t.diagnostic(`${sleeps} sleeps, ${begins.wakes + answers.wakes} wakes`);
    assert.ok(sleeps >= TURNS / 2, `${sleeps} sleeps only`);
    assert.ok(begins.wakes <= answers.sleeps + 2 && answers.wakes <= begins.sleeps + 2, 'more wakes than sleeps');
  });
}
