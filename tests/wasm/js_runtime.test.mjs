// SPDX-License-Identifier: MIT
// js_runtime.test.mjs: Runtime under Node: both modes run one script, each worker has its own bytes, and every way for
// a worker to fail is told. Time limits here are guards against a hang only.
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Runtime, StartError, TernError } from '../../wasm/src/index.mjs';
import { Bump, takePlace } from '../../wasm/src/runtime_places.mjs';
import { loadModule } from './instance.mjs';

const HANG = { timeout: 60_000 };
const SCRIPT = new URL('./runtime_tasks.mjs', import.meta.url);
const module = { threads: loadModule('threads'), single: loadModule('single') };
/** A script of a few lines. */
const scriptOf = (text) => new URL(`data:text/javascript,${encodeURIComponent(text)}`);

/** @type {Runtime | undefined} */
let runtime;
const start = async (options) => (runtime = await Runtime.start({ script: SCRIPT, ...options }));
afterEach(async () => {
  await runtime?.end().catch(() => {});
  runtime = undefined;
});
/** What a promise is rejected with. */
const failureOf = (promise) => promise.then(() => assert.fail('it was not rejected'), (error) => error);
const codeIs = (code, text) => (error) => {
  assert.equal(error.code, code, error.stack);
  assert.match(error.message, text);
  return true;
};
const MODES = ['threads', 'single'];

test('auto is threads in Node, and says so', HANG, async () => {
  await start({ module, workers: 2 });
  assert.equal(runtime.mode, 'threads');
  assert.match(runtime.reason, /shared/);
  assert.deepEqual(runtime.workers.map(({ index, state, life }) => [index, state, life]),
    [[0, 'running', 0], [1, 'running', 0]]);
});

for (const mode of MODES) describe(`mode ${mode}`, () => {
  test('calls, arguments, results and errors', HANG, async () => {
    await start({ mode, workers: 3 });
    const sums = await Promise.all(runtime.workers.map((worker, i) => worker.call('add', { a: i, b: 40 })));
    assert.deepEqual(sums, [40, 41, 42]);
    const thrown = await failureOf(runtime.workers[1].call('throwNow'));
    assert.deepEqual([thrown.name, thrown.message, thrown.code], ['RangeError', 'thrown by the call', 'OWN']);
    assert.match((await failureOf(runtime.workers[0].call('nothing'))).message, /no function 'nothing', only: add,/);
    assert.match((await failureOf(runtime.workers[0].call('toString'))).message, /no function/);
    assert.equal((await failureOf(runtime.workers[0].call('uncloneable'))).name, 'DataCloneError');
    assert.equal((await failureOf(runtime.workers[0].call('add', () => {}))).name, 'DataCloneError');
    assert.equal(await runtime.workers[0].call('add', { a: 1, b: 2 }), 3, 'it goes on after errors');
    const who = await Promise.all(runtime.workers.map((worker) => worker.call('who')));
    for (const [i, each] of who.entries()) {
      assert.deepEqual([each.index, each.life, each.mode, each.workers], [i, 0, mode, 3]);
      assert.deepEqual([each.shared, each.canBlock], [mode === 'threads', mode === 'threads']);
      assert.deepEqual(each.arena, runtime.workers[i].arena);
    }
  });

  test('messages arrive in order, as copies, and buffers are handed over', HANG, async () => {
    await start({ mode });
    const [worker] = runtime.workers;
    const seen = [];
    const all = new Promise((resolve) => {
      worker.onMessage = (message) => { if (seen.push(message) === 100) resolve(); };
    });
    const mine = { deep: [1] };
    for (let i = 0; i < 99; i++) worker.post({ i, mine });
    const buffer = new ArrayBuffer(8);
    worker.post({ i: 99, buffer }, [buffer]);
    mine.deep[0] = 2;
    assert.equal(buffer.byteLength, 0, 'it was handed over');
    await all;
    assert.deepEqual(seen.map(({ i }) => i), Array.from({ length: 100 }, (_, i) => i));
    assert.deepEqual([seen[5].from, seen[5].mine.deep[0], seen[99].buffer.byteLength], [0, 1, 8]);
  });

  test('each worker has its own arena, stack and storage, and none overlap', HANG, async () => {
    await start({ mode, module, workers: 4, arenaBytes: 5000, stackBytes: 20000 });
    const filling = runtime.workers.map((worker, i) => worker.call('fill', { rounds: 100, value: i * 50 }));
    assert.deepEqual(await Promise.all(filling), [true, true, true, true]);
    const object = runtime.allocate(1000);
    assert.equal(object % 128, 0);
    const [seen, backend] = [[], []];
    for (const worker of runtime.workers) {
      const wasm = await worker.call('wasm');
      seen.push(wasm);
      backend.push(wasm.backend);
    }
    assert.deepEqual(backend, Array(4).fill('wasm'));
    const areas = runtime.workers.map(({ arena }) => [arena.offset, arena.offset + arena.bytes]);
    areas.push([object, object + 1000]);
    if (mode === 'threads') {
      for (const { stackAt, tlsAt } of seen) areas.push([stackAt, stackAt + 4], [tlsAt, tlsAt + 4]);
    }
    areas.sort(([a], [b]) => a - b);
    for (let i = 1; i < areas.length; i++) assert.ok(areas[i][0] >= areas[i - 1][1], `${areas[i - 1]} and ${areas[i]}`);
    const stacks = new Set(seen.map(({ stackAt }) => stackAt));
    assert.equal(stacks.size, mode === 'threads' ? 4 : 1, 'in mode single the workers take turns on one stack');
    runtime.checkGuards();
  });

  test('an arena is used up with an error that says how to get more', HANG, async () => {
    await start({ mode, arenaBytes: 1024 });
    const [worker] = runtime.workers;
    const first = await worker.call('allocate', { bytes: 1000, alignment: 8 });
    assert.equal(first, worker.arena.offset);
    const full = await failureOf(worker.call('allocate', { bytes: 25, alignment: 8 }));
    assert.equal(full.code, 'TERN_ERR_NO_SPACE');
    assert.match(full.message, /24 bytes left of 1024.*arenaBytes/);
    assert.equal(await worker.call('allocate', { bytes: 24, alignment: 8 }), first + 1000);
    assert.equal((await failureOf(worker.call('allocate', { bytes: 1, alignment: 3 }))).code, 'TERN_ERR_ARGUMENT');
  });

  test('loops take turns with messages, calls and timers, and end when they say so', HANG, async () => {
    await start({ mode, workers: 2 });
    const [first, second] = runtime.workers;
    await first.call('spin');
    assert.equal(await second.call('countTo', 10), 10);
    assert.equal(await second.call('countAsync', 20), 20);
    const before = await first.call('steps');
    await pause(20);
    assert.ok(await first.call('steps') > before, 'the loop goes on between calls');
  });

  test('load tells a loop that works from one that has nothing to do', HANG, async () => {
    await start({ mode, workers: 2 });
    const [busy, idle] = runtime.workers;
    await busy.call('spin');
    await idle.call('nap');
    assert.ok(busy.load <= 1 && idle.load <= 1);
    await pause(400);
    assert.ok(busy.load > 2 * idle.load, `busy ${busy.load}, idle ${idle.load}`);
    assert.ok(busy.load > 0.05 && busy.load <= 1, `busy ${busy.load}`);
    assert.ok(await idle.call('steps') > 3);
  });

  test('end lets loops finish and calls onEnd', HANG, async () => {
    await start({ mode, workers: 2, data: { endMark: 512 } });
    await runtime.workers[0].call('spin');
    await runtime.workers[1].call('nap');
    const exits = await Promise.all(runtime.workers.map((worker) => worker.end(10_000)));
    assert.deepEqual(exits, Array(2).fill({ how: 'ended', error: null, recovery: null }));
    assert.equal(new Int32Array(runtime.memory.buffer)[128], 2);
    assert.deepEqual(runtime.workers.map(({ state }) => state), ['ended', 'ended']);
    assert.throws(() => runtime.workers[0].post(1), codeIs('TERN_ERR_STATE', /worker 0 is ended/));
    assert.deepEqual(await runtime.workers[0].end(), exits[0], 'ending twice is nothing new');
  });

  test('restart: the same index and arena with its bytes, and a new script', HANG, async () => {
    await start({ mode, module, workers: 2 });
    const [, worker] = runtime.workers;
    const before = await worker.call('who');
    await worker.call('fill', { rounds: 1, value: 77 });
    await worker.call('countTo', 5);
    for (let life = 1; life <= 3; life++) {
      await worker.restart();
      assert.deepEqual(await worker.call('who'), { ...before, life });
      assert.deepEqual([await worker.call('arenaByte'), await worker.call('countTo', 3)], [77, 3]);
    }
    assert.equal(await runtime.workers[0].call('add', { a: 1, b: 1 }), 2, 'the other one goes on');
  });

  test('what a worker has of the region is free when it is gone, in whatever way', HANG, async () => {
    await start({ mode, workers: 2, data: {} });
    const [first, second] = runtime.workers;
    const peersNow = () => runtime.region.peers().filter(({ isAlive }) => isAlive).map(({ program }) => program).sort();
    assert.deepEqual(peersNow(), ['runtime', 'worker 0', 'worker 1']);
    const object = runtime.region.add('frames', 77, 1000);
    const [holder] = await Promise.all([first.call('hold', 'frames'), second.call('find', 'frames')]);
    assert.deepEqual(runtime.region.roles(object)[0], { peer: holder, isDead: false });
    assert.deepEqual((await first.end()).recovery, null, 'it gave it back itself');
    assert.deepEqual([runtime.region.roles(object)[0].peer, peersNow()], [0, ['runtime', 'worker 1']]);
    await first.restart();
    await first.call('hold', 'frames');
    first.post({ fail: 'with an end in hand' });
    const { recovery } = await first.exited;
    assert.deepEqual([recovery.outcome, recovery.peers, recovery.roles], ['repaired', 1, 1]);
    assert.deepEqual(runtime.region.roles(object)[0], { peer: 0, isDead: true }, 'free, and a successor learns it');
    assert.deepEqual(peersNow(), ['runtime', 'worker 1']);
    await first.restart();
    assert.equal(await first.call('find', 'frames'), object.offsetBytes);
    if (mode === 'threads') {
      void first.call('block').catch(() => {});
      assert.equal((await first.end(20)).recovery.peers, 1);
    }
    await runtime.end();
    assert.deepEqual(peersNow(), ['runtime']);
  });

  test('an error that nobody caught fails the worker and is told; it can be restarted', HANG, async () => {
    const failures = [];
    await start({ mode, workers: 2, onFailure: (worker, error) => failures.push([worker.index, error.message]) });
    const [worker, other] = runtime.workers;
    const ways = mode === 'threads' ? ['throwInLoop', 'throwLater', 'rejectLater'] : ['throwInLoop'];
    for (const way of ways) {
      await worker.call(way).catch(() => {});
      const { how, error } = await worker.exited;
      assert.deepEqual([how, worker.state], ['failed', 'failed']);
      assert.match(error.message, /thrown later|rejected|thrown in a loop/);
      assert.equal((await failureOf(worker.call('add', {}))).code, 'TERN_ERR_STATE');
      await worker.restart();
    }
    worker.post({ fail: 'by message' });
    assert.match((await worker.exited).error.message, /by message/);
    assert.deepEqual(failures.map(([index]) => index), Array(ways.length + 1).fill(0));
    assert.equal(await other.call('add', { a: 2, b: 2 }), 4);
  });

  test('a script that throws, lacks its function or is missing: each error says so', HANG, async () => {
    const missing = new URL('./no_such_script.mjs', import.meta.url);
    const cases = [
      [missing, 'import', 'TERN_ERR_NOT_FOUND', /no_such_script/],
      [scriptOf('export default function ( {'), 'import', 'TERN_ERR_NOT_FOUND', /SyntaxError/],
      [scriptOf('export default () => { throw new Error("own words"); }'), 'setup', 'TERN_ERR_STATE', /own words/],
      [scriptOf('export const other = 1;'), 'setup', 'TERN_ERR_STATE', /export default async function/],
    ];
    for (const [script, stage, code, text] of cases) {
      const error = await failureOf(Runtime.start({ mode, script, workers: 2 }));
      assert.ok(error instanceof StartError && error instanceof TernError);
      assert.equal(error.stage, stage);
      codeIs(code, text)(error);
      assert.match(error.message, /worker [01]/);
    }
  });

  test('a script whose default function does not return is a time-out that says what to do', HANG, async () => {
    const script = scriptOf('export default () => new Promise(() => {})');
    const error = await failureOf(Runtime.start({ mode, script, startTimeoutMs: 1000 }));
    codeIs('TERN_ERR_TIMEOUT', /not ready after 1000 ms.*worker.loop/)(error);
    assert.equal(error.stage, 'setup');
  });

  test('the memory grows under all: no view is stale', HANG, async () => {
    await start({ mode, workers: 3, memory: { initialPages: 8, maximumPages: 64 }, region: null });
    const [filler, other, grower] = runtime.workers;
    const filling = [filler.call('fill', { rounds: 60, value: 1 }), other.call('fill', { rounds: 60, value: 101 })];
    for (let pages = 9; pages <= 40; pages++) {
      assert.equal(await grower.call('grow', 1), pages - 1);
      const at = runtime.allocate(65536 / 2);
      new Uint8Array(runtime.memory.buffer, at, 32768).fill(255);
    }
    assert.deepEqual(await Promise.all(filling), [true, true]);
    for (const worker of runtime.workers) assert.equal(await worker.call('size'), 40 * 65536);
    const large = runtime.allocate(20 * 65536);
    assert.equal(new Uint8Array(runtime.memory.buffer, large, 20 * 65536).length, 20 * 65536);
    assert.throws(() => runtime.allocate(64 * 65536), codeIs('TERN_ERR_NO_SPACE', /maximum is 64; .*maximumPages/));
    runtime.checkGuards();
  });
});

test('a worker that computes or sleeps is terminated, and its calls fail', HANG, async () => {
  await start({ workers: 3 });
  const [blocked, seeing, computing] = runtime.workers;
  const calls = [failureOf(blocked.call('block')), seeing.call('untilEnd'), failureOf(computing.call('compute'))];
  await pause(50);
  assert.deepEqual([(await blocked.end(20)).how, (await computing.end(20)).how], ['terminated', 'terminated']);
  codeIs('TERN_ERR_PEER_DEAD', /worker 0 was terminated before it answered/)(await calls[0]);
  codeIs('TERN_ERR_PEER_DEAD', /worker 2 was terminated before it answered/)(await calls[2]);
  assert.equal((await seeing.end(10_000)).how, 'ended');
  assert.equal(await calls[1], 'seen', 'what was answered before the end arrives');
  await blocked.restart();
  assert.equal(await blocked.call('add', { a: 1, b: 1 }), 2);
});

test('process.exit() in a worker is a failure', HANG, async () => {
  await start();
  const answer = failureOf(runtime.workers[0].call('exit'));
  const { how, error } = await runtime.workers[0].exited;
  assert.equal(how, 'failed');
  assert.match(error.message, /exit code 3/);
  codeIs('TERN_ERR_PEER_DEAD', /exit code 3/)(await answer);
});

test('a stack that overflows is told at the end and at a restart, and by whom', HANG, async () => {
  await start({ module, workers: 2, stackBytes: 4096 });
  const [good, bad] = runtime.workers;
  await good.call('recurse', 10);
  await bad.call('recurse', 10);
  runtime.checkGuards();
  await bad.call('recurse', 32);
  assert.throws(() => runtime.checkGuards(), codeIs('TERN_ERR_CORRUPT', /worker 1: its stack of 4096 bytes over/));
  await assert.rejects(bad.restart(), codeIs('TERN_ERR_CORRUPT', /worker 1: its stack/));
  await bad.restart();
  await bad.call('recurse', 10);
  await bad.call('recurse', 32);
  await assert.rejects(runtime.end(), codeIs('TERN_ERR_CORRUPT', /worker 1: its stack of 4096 bytes/));
  assert.deepEqual(runtime.workers.map(({ state }) => state), ['ended', 'ended']);
});

test('writing behind an arena is told', HANG, async () => {
  for (const mode of MODES) {
    await start({ mode, workers: 2 });
    const { arena } = runtime.workers[0];
    await runtime.workers[1].call('write', { at: arena.offset + arena.bytes, value: 1 });
    await assert.rejects(runtime.workers[0].end(), codeIs('TERN_ERR_CORRUPT', /worker 0: .* wrote behind its arena/));
    await assert.rejects(runtime.end(), codeIs('TERN_ERR_CORRUPT', /worker 0/));
    assert.equal(runtime.workers[1].state, 'ended');
  }
});

test('places: any sizes, aligned, apart from each other', () => {
  let seed = 12345;
  const random = (most) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 1) % most;
  for (let round = 0; round < 200; round++) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1000 });
    const bump = new Bump(memory, 1 + random(5000), 1000);
    const used = [];
    for (let i = 0; i < 5; i++) {
      const sizes = { stackBytes: random(3) && 1024 + random(9000), storageBytes: random(2) && 1 + random(300),
        storageAlignment: 2 ** random(9), arenaBytes: random(3) && 1 + random(5000) };
      const place = takePlace(bump, 'x', sizes);
      for (const name of ['stack', 'storage', 'arena']) {
        const [area, wanted] = [place[name], sizes[`${name}Bytes`]];
        assert.equal(area === null, wanted === 0);
        if (!area) continue;
        assert.ok(area.bytes >= wanted && area.offset % 128 === 0);
        used.push([area.offset, area.offset + area.bytes, 'area']);
      }
      if (place.storage) assert.equal(place.storage.offset % sizes.storageAlignment, 0);
      for (const guard of place.guards) used.push([guard.offset, guard.offset + guard.bytes, 'guard']);
    }
    used.sort(([a], [b]) => a - b);
    for (let i = 1; i < used.length; i++) {
      assert.ok(used[i][0] >= used[i - 1][1], `${used[i - 1]} overlaps ${used[i]}`);
      assert.ok(used[i][2] === 'guard' || used[i - 1][2] === 'guard', `no guard between ${used[i - 1]} and ${used[i]}`);
    }
    assert.ok(used.at(-1)[1] <= memory.buffer.byteLength);
  }
});

test('wrong options are refused, each with what is right', async () => {
  const wrong = [
    [{ script: undefined }, /new URL/], [{ script: 'worker.mjs' }, /no complete address/], [{ mode: 'both' }, /'both'/],
    [{ workers: 0 }, /1 to 1024, not 0/], [{ workers: 1.5 }, /not 1.5/], [{ module: {} }, /threads, single/],
    [{ memory: { initialPages: 0 } }, /1 to 65536/], [{ memory: { initialPages: 9, maximumPages: 8 } }, /not 9 and 8/],
    [{ stackBytes: 10 }, /stackBytes is 1024/], [{ arenaBytes: -1 }, /arenaBytes/],
    [{ startTimeoutMs: Infinity }, /startTimeoutMs/],
    [{ mode: 'threads', memory: new WebAssembly.Memory({ initial: 1 }) }, /not shared/],
    [{ mode: 'single', memory: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }), module }, /is shared/],
    [{ mode: 'single', module: { threads: module.threads } }, /module.single/],
  ];
  for (const [options, text] of wrong) {
    const error = await failureOf(Runtime.start({ script: SCRIPT, ...options }));
    assert.ok(error instanceof TernError, error.stack);
    assert.match(error.message, text);
    assert.ok(['TERN_ERR_ARGUMENT', 'TERN_ERR_UNSUPPORTED'].includes(error.code), error.code);
  }
  await assert.rejects(start({ mode: 'threads', module: { single: module.single } }),
    codeIs('TERN_ERR_UNSUPPORTED', /module.threads/));
  await start({ module: { single: module.single } });
  assert.deepEqual([runtime.mode, runtime.reason], ['single', 'No module for threads was given. Give module.threads.']);
});

test('a memory of ones own', HANG, async () => {
  const memory = new WebAssembly.Memory({ initial: 32, maximum: 64, shared: true });
  await start({ memory, module });
  assert.deepEqual([runtime.memory === memory, runtime.mode], [true, 'threads']);
  assert.equal((await runtime.workers[0].call('wasm')).backend, 'wasm');
});

test('modules that can not be used are refused with what to link them with', HANG, async () => {
  const bytes = (...parts) => Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...parts.flat()]);
  const name = (text) => [text.length, ...new TextEncoder().encode(text)];
  const section = (id, ...body) => [id, body.flat().length, ...body.flat()];
  const sharedMemory = section(2, 1, name('env'), name('memory'), 2, 3, 1, 0x80, 0x80, 1);
  const cases = [
    [new TextEncoder().encode('no wasm'), /no wasm module/],
    [new URL('./no_such.wasm', import.meta.url), /no_such.wasm can't be read/],
    [bytes(), /--import-memory/],
    [bytes(sharedMemory), /--export=__heap_base/],
    [bytes(sharedMemory, section(6, 1, 0x7f, 0, 0x41, 0, 0x0b), section(7, 1, name('__heap_base'), 3, 0)),
      /--export=__stack_pointer/],
  ];
  for (const [threads, text] of cases) {
    const error = await failureOf(Runtime.start({ script: SCRIPT, mode: 'threads', module: { threads } }));
    assert.ok(error instanceof TernError, error.stack);
    assert.match(error.message, text);
  }
  const tooSmall = await failureOf(Runtime.start({ script: SCRIPT, module, memory: { initialPages: 1 } }));
  codeIs('TERN_ERR_ARGUMENT', /can't be instantiated.*initialPages/)(tooSmall);
});

test('a thread that can not start: auto goes on without, and names the cause; threads does not', HANG, async () => {
  const bootstrap = new URL('./no_such_bootstrap.mjs', import.meta.url);
  await start({ bootstrap, workers: 2 });
  assert.equal(runtime.mode, 'single');
  assert.match(runtime.reason, /no_such_bootstrap/);
  assert.equal(await runtime.workers[1].call('add', { a: 1, b: 2 }), 3);
  const error = await failureOf(Runtime.start({ script: SCRIPT, bootstrap, mode: 'threads' }));
  assert.equal(error.stage, 'thread');
  assert.match(error.message, /no_such_bootstrap/);
});
