// SPDX-License-Identifier: MIT
// js_triple.test.mjs: the package's triple buffers. Against C in one memory, step by step with a twin that has C at
// both ends; between two workers; and against whatever stands in the shared words.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Memory, STATUS, Triple, TernError } from '../../wasm/src/index.mjs';
import { Crew } from './crew.mjs';
import { Heap, instantiate, loadModule, newMemory } from './instance.mjs';
import { garbageOf, isLong, newSeed } from './js_ends.mjs';
import { randomOf } from './random.mjs';
import { makeTriple } from './triple_end.mjs';

const HANG = { timeout: 240_000 };
const STEPS = 3_000;
const FRAMES = isLong ? 20_000_000 : 1_000_000;
const ROUND_TRIPS = isLong ? 1_000_000 : 12_000;
const TRIPLE_HEADER = 384;

// ---- C and JavaScript in one memory ------------------------------------------------------------

const module = loadModule('threads');
const memory = newMemory('threads');
const heap = new Heap(module, memory);
const tern = instantiate(module, memory, { tls: heap.place().tls });

/** C's ends, in a view that is used again and again. */
const cWriter = (at, size) => {
  const view = heap.views.pop() ?? heap.take(256);
  assert.equal(tern.tern_triple_attach_writer(view, at, size), 0);
  return {
    back: () => new Uint8Array(memory.buffer, tern.tern_triple_back(view), 1),
    publish: () => tern.tern_triple_publish(view) !== 0,
    status: () => tern.tern_triple_writer_status(view),
    close: () => tern.tern_triple_close_writer(view),
    detach: () => { tern.tern_triple_detach_writer(view); heap.views.push(view); },
  };
};
const cReader = (at, size) => {
  const view = heap.views.pop() ?? heap.take(256);
  assert.equal(tern.tern_triple_attach_reader(view, at, size), 0);
  return {
    update: () => tern.tern_triple_update(view) !== 0,
    look: () => {
      const front = tern.tern_triple_front(view);
      return [Number(tern.tern_triple_frame(view)), Number(tern.tern_triple_dropped(view)), front && front - at];
    },
    sleep: () => tern.tern_triple_wait(view, 1n),
    status: () => tern.tern_triple_reader_status(view),
    close: () => tern.tern_triple_close_reader(view),
    detach: () => { tern.tern_triple_detach_reader(view); heap.views.push(view); },
  };
};
heap.views = [];

const jsWriter = (at) => {
  const writer = Triple.writer(memory, at);
  return {
    back: () => writer.back.u8, publish: () => writer.publish(), status: () => writer.status,
    close: () => writer.close(), detach: () => writer.detach(),
  };
};
const jsReader = (at) => {
  const reader = Triple.reader(memory, at, { spinChecks: 0 });
  return {
    update: () => reader.update(),
    look: () => [reader.frame, reader.dropped, reader.front ? reader.front.address - at : 0],
    sleep: () => {
      try {
        return reader.wait(1e-6) ? STATUS.OK : STATUS.ERR_TIMEOUT;
      } catch (error) {
        return error.status;
      }
    },
    status: () => reader.status, close: () => reader.close(), detach: () => reader.detach(),
  };
};

/** Both of a pair do the same, and their answers are the same. */
function both(pair, call, ...all) {
  const [expected, got] = pair.map((end) => end[call](...all));
  assert.deepEqual(got, expected, call);
  return got;
}

/** Let both triple buffers begin after so many frames. */
function beginAt(pair, frame, buffer = memory.buffer) {
  for (const { at } of pair) {
    const words = new Uint32Array(buffer, at);
    words[128 / 4] = (frame % 2 ** 24) * 256 + (words[128 / 4] & 0xff);
    const front = TRIPLE_HEADER + 2 * ((pair[0].size - TRIPLE_HEADER) / 3);
    words[front / 4] = frame % 2 ** 32;
    words[front / 4 + 1] = Math.floor(frame / 2 ** 32);
  }
}

for (const frameBytes of [1, 5, 64, 4096]) {
  for (const start of [0, 2 ** 24 - 700, 2 ** 31 - 700, 2 ** 32 - 700, 2 ** 40 - 9]) {
    test(`as C does, step by step: frames of ${frameBytes} bytes, from frame ${start} on`, (t) => {
      const random = randomOf(newSeed(t) + start + frameBytes);
      const pair = [makeTriple(tern, memory, heap, frameBytes), makeTriple(tern, memory, heap, frameBytes)];
      const [twin, own] = pair.map(({ at, size }) => new Uint8Array(memory.buffer, at, size));
      Triple.format(memory, pair[1].at, { bufferSizeBytes: frameBytes });
      assert.equal(Triple.size({ bufferSizeBytes: frameBytes }), pair[0].size);
      assert.deepEqual(own, twin, 'format');
      if (start > 0) beginAt(pair, start);
      const [{ at, size }, mixed] = pair;
      const newWriters = () => [cWriter(at, size), (random(3) ? jsWriter : cWriter)(mixed.at, mixed.size)];
      const newReaders = () => [cReader(at, size), (random(3) ? jsReader : cReader)(mixed.at, mixed.size)];
      let writers = newWriters();
      let readers = newReaders();
      let replaced = 0;
      let updates = 0;
      for (let step = 0; step < STEPS; step++) {
        const which = random(100);
        if (which < 35) {
          for (const writer of writers) writer.back()[0] = step;
          if (both(writers, 'publish')) replaced++;
        } else if (which < 70) {
          if (both(readers, 'update')) updates++;
        } else if (which < 80) both(readers, 'status');
        else if (which < 90) both(readers, 'sleep');
        else if (which < 94) both(writers, 'status');
        else if (which < 97) {
          both(writers, 'detach');
          writers = newWriters();
        } else {
          both(readers, 'detach');
          readers = newReaders();
        }
        both(readers, 'look');
        assert.deepEqual(own, twin, `step ${step}`);
      }
      assert.ok(updates > STEPS / 10 && replaced > STEPS / 20, `${updates} updates, ${replaced} replaced`);
      for (const end of [writers, readers]) both(end, 'close');
      both(readers, 'status');
      both(readers, 'update');
      assert.equal(both(readers, 'status'), STATUS.ERR_CLOSED);
      assert.equal(both(readers, 'sleep'), STATUS.ERR_CLOSED);
      assert.equal(both(writers, 'status'), STATUS.ERR_CLOSED);
      assert.deepEqual(own, twin, 'closed');
    });
  }
}

test('as C does, with every word that a liar can put there', () => {
  const pair = [makeTriple(tern, memory, heap, 8), makeTriple(tern, memory, heap, 8)];
  const [twin, own] = pair.map(({ at, size }) => new Uint8Array(memory.buffer, at, size));
  const [{ at, size }, mine] = pair;
  for (let low = 0; low < 256; low++) {
    for (const upper of [0, 1, 2]) {
      for (const triple of pair) Triple.format(memory, triple.at, { bufferSizeBytes: 8 });
      const writers = [cWriter(at, size), jsWriter(mine.at)];
      const readers = [cReader(at, size), jsReader(mine.at)];
      if (low % 2) both(writers, 'publish');
      if (low % 3) both(readers, 'update');
      for (const triple of pair) new Uint32Array(memory.buffer, triple.at)[128 / 4] = upper * 256 + low;
      for (const [ends, call] of [[readers, 'update'], [readers, 'look'], [writers, 'publish'], [readers, 'status'],
        [readers, 'sleep'], [readers, 'update'], [writers, 'status'], [writers, 'close'], [readers, 'status']]) {
        both(ends, call);
        assert.equal(Buffer.compare(own, twin), 0, `${call}, word ${upper * 256 + low}`);
      }
      for (const ends of [writers, readers]) both(ends, 'detach');
    }
  }
});

test('attach refuses what C refuses, with the same status', () => {
  const size = Triple.size({ bufferSizeBytes: 100 });
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
    for (const [end, attach] of [['writer', Triple.writer], ['reader', Triple.reader], ['inspect', Triple.inspect]]) {
      const call = end === 'inspect' ? tern.tern_triple_inspect : tern[`tern_triple_attach_${end}`];
      const part = new Uint8Array(memory.buffer, at, bytes);
      assert.equal(refusedAs(() => attach(part)), call(room, at, bytes), `${end}: ${what}`);
    }
  };
  compare('nothing there');
  for (let word = 0; word < TRIPLE_HEADER / 4; word++) {
    for (const flip of [1, 0x80, 0x10000, 0x80000000]) {
      Triple.format(memory, at, { bufferSizeBytes: 100 });
      words[word] ^= flip;
      compare(`word ${word} ^ ${flip}`);
    }
  }
  Triple.format(memory, at, { bufferSizeBytes: 100 });
  for (const bytes of [64, 380, 384, size - 4, size]) compare(`${bytes} bytes`, bytes);
  words[(TRIPLE_HEADER + 2 * ((size - TRIPLE_HEADER) / 3)) / 4] = 5;   // the frame in front has a number
  compare('another number');
  assert.equal(refusedAs(() => Triple.writer(memory, at + 4)), STATUS.ERR_ALIGNMENT);
  for (const bufferSizeBytes of [0, -1, 1.5, 2 ** 30 + 1, NaN, '7', undefined])
    assert.equal(refusedAs(() => Triple.format(memory, at, { bufferSizeBytes })), STATUS.ERR_ARGUMENT);
});

// ---- Alone --------------------------------------------------------------------------------------

const newTriple = (bufferSizeBytes = 64) => {
  const buffer = new SharedArrayBuffer(Triple.size({ bufferSizeBytes }));
  Triple.format(buffer, 0, { bufferSizeBytes });
  return buffer;
};

for (const start of [0, 2 ** 32]) {
  test(`publish and update leave no garbage, from frame ${start} on`, () => {
    const buffer = newTriple();
    beginAt([{ at: 0, size: buffer.byteLength }], start, buffer);
    const writer = Triple.writer(buffer);
    const reader = Triple.reader(buffer);
    const sum = new Float64Array(1);
    const bytes = garbageOf(100_000, (i) => {
      writer.back.f32[3] = i;
      writer.publish();
      if (i % 3 !== 0 && reader.update()) sum[0] += reader.front.f32[3] + reader.frame + reader.dropped + reader.status;
      if (i % 3 === 1) sum[0] += reader.wait(0) ? 1 : 0;
    });
    assert.ok(sum[0] !== 0);
    assert.ok(bytes < 1, `${bytes} bytes a call`);
    // the measure can fail
    assert.ok(garbageOf(100_000, (i) => { buffer.last = [i]; }) >= 1);
  });
}

test('an async loop sees frames until the writer closes', HANG, async () => {
  const buffer = newTriple(8);
  const reader = Triple.reader(buffer);
  const writer = Triple.writer(buffer);
  const seen = [];
  const loop = (async () => { for await (const front of reader) seen.push([reader.frame, front.f64[0]]); })();
  for (let i = 1; i <= 20; i++) {
    writer.back.f64[0] = i / 2;
    writer.publish();
    await new Promise((resolve) => { setTimeout(resolve, i % 3); });
  }
  writer.close();
  await loop;
  assert.deepEqual(seen.at(-1), [20, 10]);
  assert.ok(seen.every(([frame, value], i) => value === frame / 2 && (i === 0 || frame > seen[i - 1][0])));
  assert.equal(seen.length + reader.dropped, 20);
});

test('a loop over frames that always come lets timers run', HANG, async () => {
  const buffer = newTriple(8);
  const reader = Triple.reader(buffer);
  const writer = Triple.writer(buffer);
  let isOver = false;
  setTimeout(() => { isOver = true; }, 5);
  writer.publish();
  for await (const front of reader) {
    assert.ok(front);
    if (isOver) break;
    writer.publish();
  }
  assert.ok(isOver);
});

test('waits: time-outs, a detached view, memory that is not shared, the main thread, a dead writer', HANG, async () => {
  const reader = Triple.reader(newTriple());
  const started = performance.now();
  assert.equal(reader.wait(0), false);
  assert.equal(reader.wait(20), false);
  assert.equal(await reader.waitAsync(20), false);
  assert.equal(await reader.updateAsync(1), false);
  assert.ok(performance.now() - started >= 40);
  for (const bad of [-1, NaN, '5']) assert.throws(() => reader.wait(bad), { code: 'TERN_ERR_ARGUMENT' });
  const waiting = assert.rejects(reader.waitAsync(), { code: 'TERN_ERR_STATE' });
  reader.detach();
  await waiting;
  assert.throws(() => reader.update(), { code: 'TERN_ERR_STATE' });

  const alone = new ArrayBuffer(Triple.size({ bufferSizeBytes: 8 }));
  Triple.format(alone, 0, { bufferSizeBytes: 8 });
  const unshared = Triple.reader(alone);
  assert.throws(() => unshared.wait(), { code: 'TERN_ERR_UNSUPPORTED' });
  setTimeout(() => { Triple.writer(alone).publish(); }, 5);
  assert.equal(await unshared.updateAsync(), true);
  assert.throws(() => Triple.reader(newTriple(), 0, { domain: 'main' }).wait(0), { code: 'TERN_ERR_DOMAIN' });

  const orphan = Triple.reader(newTriple());
  let looks = 0;
  orphan.role = { otherIsDead: () => ++looks > 1 };
  assert.throws(() => orphan.wait(), { code: 'TERN_ERR_PEER_DEAD' });
  looks = 0;
  await assert.rejects(orphan.waitAsync(), { code: 'TERN_ERR_PEER_DEAD' });
});

test('a memory that grows, shared or not, leaves no stale view', () => {
  for (const shared of [false, true]) {
    const grows = new WebAssembly.Memory({ initial: 1, maximum: 9, shared });
    Triple.format(grows, 128, { bufferSizeBytes: 64 });
    const writer = Triple.writer(grows, 128);
    const reader = Triple.reader(grows, 128);
    for (let i = 1; i <= 8; i++) {
      grows.grow(1);
      writer.back.f64[7] = i;
      if (i % 2) grows.grow(0);
      writer.publish();
      assert.equal(reader.update(), true);
      assert.equal(reader.front.f64[7], i);
      assert.equal(new Float64Array(grows.buffer, reader.front.address, 8)[7], i);
      assert.equal(reader.status, STATUS.OK);
    }
  }
});

test('a bell that is bound rings at each publication', () => {
  const rung = [];
  const writer = Triple.writer(newTriple());
  writer.bind({ sources: 4, ring: (source) => rung.push(source) > 0 }, 3);
  writer.publish();
  writer.close();
  assert.deepEqual(rung, [3, 3]);
  assert.throws(() => writer.bind({ sources: 4, ring: () => true }, 4), { code: 'TERN_ERR_ARGUMENT' });
});

test('whatever stands in the shared words: no exception, nothing outside is touched', (t) => {
  const random = randomOf(newSeed(t));
  const size = Triple.size({ bufferSizeBytes: 40 });
  const whole = new SharedArrayBuffer(size + 1024);
  const guards = [new Uint8Array(whole, 0, 512), new Uint8Array(whole, 512 + size)];
  for (const guard of guards) guard.fill(0xa5);
  const shared = new Memory(whole);
  const words = new Uint32Array(whole, 512, size / 4);
  const interesting = [0, 1, 0x24, 0x64, 0xa4, 0x61, 0xe4, 0xffffffff, 0x80000000, 0x7fffffff];
  const spots = [32, 64, 65, 96, 97, 128, 129, 160, 161];
  let corrupt = 0;
  for (let round = 0; round < 3_000; round++) {
    Triple.format(shared, 512, { bufferSizeBytes: 40 });
    const writer = Triple.writer(shared, 512);
    const reader = Triple.reader(shared, 512, { spinChecks: 2 });
    for (let step = 0; step < 30; step++) {
      if (random(3) === 0) {
        const spot = random(2) ? spots[random(spots.length)] : random(words.length);
        words[spot] = random(2) ? interesting[random(interesting.length)] : random(2 ** 32);
      }
      switch (random(6)) {
        case 0: writer.back.u8.fill(7); break;
        case 1: writer.publish(); break;
        case 2: reader.update(); break;
        case 3: reader.front?.u8.at(39); break;
        case 4: try { reader.wait(random(2) ? 0 : 1e-6); } catch (error) { assert.ok(error.status < 0); } break;
        default: if (reader.status === STATUS.ERR_CORRUPT || writer.status === STATUS.ERR_CORRUPT) corrupt++;
      }
    }
    if (random(4) === 0) writer.close();
  }
  assert.ok(corrupt > 100);
  for (const guard of guards) assert.ok(guard.every((byte) => byte === 0xa5), 'bytes outside were written');
});

// ---- Two workers --------------------------------------------------------------------------------

let crew;
before(async () => { crew = await Crew.start(); });
after(async () => { await crew?.stop(); });

for (const [from, to] of [['', 'js:'], ['js:', ''], ['js:', 'js:']]) {
  const way = `${from || 'C'} -> ${to || 'C'}`;

  for (const wait of [false, true]) {
    test(`${FRAMES} frames, ${wait ? 'waiting' : 'polling'}, ${way}`, HANG, async (t) => {
      const triple = makeTriple(crew.tern, crew.memory, crew.heap, 64);
      const [wrote, read] = await Promise.all([
        crew.task(0, `${from}triplePublish`, { triple, count: FRAMES }),
        crew.task(1, `${to}tripleRead`, { triple, wait, spinChecks: 0 }),
      ]);
      t.diagnostic(`${read.read} read, ${read.dropped} dropped, ${read.sleeps} sleeps, ${wrote.wakes} wakes`);
      assert.equal(wrote.status, STATUS.OK);
      assert.equal(read.last, FRAMES);
      assert.equal(read.read + read.dropped, FRAMES);
      assert.equal(wrote.replaced, read.dropped);
      assert.ok(wrote.wakes <= read.sleeps + 1, `${wrote.wakes} wakes for ${read.sleeps} sleeps, and one at attach`);
      if (!wait) assert.equal(read.sleeps, 0);
    });
  }

  test(`ping-pong asleep, ${ROUND_TRIPS} round trips without a time-out, ${way}`, HANG, async (t) => {
    const [out, back] = [0, 1].map(() => makeTriple(crew.tern, crew.memory, crew.heap, 64));
    const [begins, answers] = await Promise.all([
      crew.task(0, `${from}triplePingPong`, { out, back, count: ROUND_TRIPS, begins: true }),
      crew.task(1, `${to}triplePingPong`, { out: back, back: out, count: ROUND_TRIPS, begins: false }),
    ]);
    const sleeps = begins.sleeps + answers.sleeps;
    t.diagnostic(`${sleeps} sleeps, ${begins.wakes + answers.wakes} wakes`);
    assert.ok(sleeps >= ROUND_TRIPS / 2, `${sleeps} sleeps only`);
    assert.deepEqual([begins.dropped, answers.dropped], [0, 0]);
  });
}
