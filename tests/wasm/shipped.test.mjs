// SPDX-License-Identifier: MIT
// shipped.test.mjs: tern.threads.wasm and tern.single.wasm, which are linked otherwise than the module of the other
// tests: what they export, and that each primitive works in them, alone and between two threads. They do not format:
// that is done by the tests' module, in a memory of its own, and the bytes are copied.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { FOREVER, Heap, STATUS, expectOk, instantiate, loadModule, newMemory } from './instance.mjs';
import { shippedViews } from './shipped_tasks.mjs';

const HANG = { timeout: 240_000 };
const WAITABLE = 1;
const SEQUENCED = 2;
const ITEMS = 20_000;
const text = (name) => readFileSync(new URL(`../../wasm/${name}`, import.meta.url), 'utf8');

/** A memory with the shipped module in it, and make(primitive, words of its description): { at, size }. */
function shipped(kind) {
  const module = loadModule(kind, 'tern');
  const memory = newMemory(kind);
  const heap = new Heap(module, memory);
  const place = heap.place();
  const tern = instantiate(module, memory, place);
  const maker = { module: loadModule(kind), memory: newMemory(kind) };
  const makerHeap = new Heap(maker.module, maker.memory);
  const makerTern = instantiate(maker.module, maker.memory, makerHeap.place());
  const make = (primitive, words) => {
    const desc = makerHeap.take(16);
    new Uint32Array(maker.memory.buffer, desc, words.length).set(words);
    const size = makerTern[`tern_${primitive}_size`](desc);
    const from = makerHeap.take(size);
    expectOk(makerTern[`tern_${primitive}_format`](from, size, desc), `tern_${primitive}_format`);
    const at = heap.take(size);
    new Uint8Array(memory.buffer, at, size).set(new Uint8Array(maker.memory.buffer, from, size));
    return { at, size };
  };
  // where a view has its spin_checks, which is the same in both
  const spinAt = (name) => makerTern[`test_offsetof_${name}_spin_checks`]();
  return { module, memory, heap, tern, make, spinAt, ...shippedViews(tern, memory, (bytes) => heap.take(bytes)) };
}

for (const kind of ['threads', 'single']) {
  test(`tern.${kind}.wasm exports what exports.txt and exports_*.c say, and nothing else`, () => {
    const listed = text('exports.txt').split('\n').filter((line) => line && !line.startsWith('#'));
    const inline = ['exports_hot.c', 'exports_cold.c'].flatMap((name) =>
      [...text(name).matchAll(/^(?:EXPORT\w*\((?:[^(,]+, )?|__attribute__\(\(export_name\(")(tern_\w+)/gm)]
        .map((match) => match[1]));
    assert.ok(listed.length > 30 && inline.length > 20, `${listed.length} and ${inline.length} names found only`);
    const wanted = [...listed, ...inline, '__heap_base', '__stack_pointer'];
    if (kind === 'threads') wanted.push('__wasm_init_tls', '__tls_size', '__tls_align', '__tls_base');
    const exported = WebAssembly.Module.exports(loadModule(kind, 'tern')).map(({ name }) => name);
    assert.deepEqual(exported.sort(), wanted.sort());
  });

  for (const flags of [0, WAITABLE, SEQUENCED, SEQUENCED | WAITABLE]) {
    test(`tern.${kind}.wasm: a ring, flags ${flags}: singly, many at once, in place`, () => {
      const { make, tern, view, words, place } = shipped(kind);
      const ring = make('ring', [8, 8, flags]);
      const [p, c] = [view('ring_producer', ring), view('ring_consumer', ring)];
      const got = place + 256;
      let [pushed, popped] = [0, 0];
      const fill = (count) => { for (let i = 0; i < 2 * count; i++) words[i] = 3 * pushed + i; };
      const check = (at, count) => {
        const seen = words.slice((at - place) / 4, (at - place) / 4 + 2 * count);
        assert.deepEqual([...seen], Array.from({ length: 2 * count }, (_, i) => 3 * popped + i));
      };
      const popSome = (count) => {   // what was pushed in one go comes out in one go
        assert.equal(tern.tern_ring_pop_many(c, got, count), count);
        check(got, count);
        popped = pushed;
        assert.equal(tern.tern_ring_pop(c, got), 0);   // a look that finds nothing gives all back to the producer
      };
      for (let lap = 0; lap < 20; lap++) {
        fill(1);
        assert.equal(tern.tern_ring_push(p, place), 1);
        assert.equal(tern.tern_ring_pop(c, got), 1);
        check(got, 1);
        popped = ++pushed;
        assert.equal(tern.tern_ring_pop(c, got), 0);
        assert.equal(tern.tern_ring_pop_many(c, got, 3), 0);
        fill(5);
        assert.equal(tern.tern_ring_push_many(p, place, 5), 5);
        pushed += 5;
        popSome(5);
        fill(12);   // 8 are free
        assert.equal(tern.tern_ring_push_many(p, place, 12), 8);
        assert.equal(tern.tern_ring_push_many(p, place, 12), 0);
        assert.equal(tern.tern_ring_push(p, place), 0);
        pushed += 8;
        assert.equal(tern.tern_ring_pop_many(c, got, 0), 0);
        popSome(8);
        words.set([7 * lap, 8 * lap], (tern.tern_ring_reserve(p, 1, got) - place) / 4);
        assert.equal(words[(got - place) / 4], 1);
        tern.tern_ring_commit(p, 1);
        const item = tern.tern_ring_peek(c, 1, got);
        assert.deepEqual([...words.subarray((item - place) / 4, (item - place) / 4 + 2)], [7 * lap, 8 * lap]);
        tern.tern_ring_release(c, 1);
        assert.equal(tern.tern_ring_peek(c, 1, got), 0);
      }
      tern.tern_ring_close_producer(p);
      assert.equal(tern.tern_ring_consumer_status(c), STATUS.CLOSED);
      tern.tern_ring_detach_consumer(c);
      assert.equal(tern.tern_ring_producer_status(p), STATUS.OK);
    });
  }

  test(`tern.${kind}.wasm: stream, triple buffer, pool and bell`, () => {
    const { make, tern, view, words, place, memory } = shipped(kind);
    const [length, kindAt] = [place + 64, place + 68];
    const wordOf = (at) => new Uint32Array(memory.buffer, at, 1);
    const bell = view('bell', make('bell', [40]));

    const stream = make('stream', [64, 0, WAITABLE]);
    const [p, c] = [view('stream_producer', stream), view('stream_consumer', stream)];
    expectOk(tern.tern_stream_producer_bind(p, bell, 39), 'bind');
    for (let i = 0; i < 30; i++) {   // over the end again and again
      const at = tern.tern_stream_reserve(p, 20);
      assert.notEqual(at, 0);
      wordOf(at)[0] = i;
      tern.tern_stream_set_kind(p, i + 7);
      tern.tern_stream_commit(p, 12 + i % 8);
      assert.equal(wordOf(tern.tern_stream_peek(c, length, kindAt))[0], i);
      assert.deepEqual([words[16], words[17]], [12 + i % 8, i + 7]);
      tern.tern_stream_release(c);
    }
    assert.equal(tern.tern_stream_peek(c, length, kindAt), 0);

    const pass = tern.view_of('bell_pass');
    tern.tern_bell_begin(bell, pass);
    assert.equal(tern.tern_bell_next(pass, length, kindAt), 1);
    assert.deepEqual([words[16], words[17]], [32, 1 << 7]);
    assert.equal(tern.tern_bell_next(pass, length, kindAt), 0);
    assert.equal(tern.tern_bell_ring(bell, 40), 0);

    const triple = make('triple', [64]);
    const [w, r] = [view('triple_writer', triple), view('triple_reader', triple)];
    assert.equal(tern.tern_triple_update(r), 0);
    for (let i = 1; i <= 9; i++) {
      wordOf(tern.tern_triple_back(w))[0] = i;
      assert.equal(tern.tern_triple_publish(w), i % 3 === 1 ? 0 : 1);
      if (i % 3 !== 0) continue;
      assert.equal(tern.tern_triple_update(r), 1);
      assert.deepEqual([wordOf(tern.tern_triple_front(r))[0], tern.tern_triple_frame(r)], [i, i]);
    }
    assert.equal(tern.tern_triple_dropped(r), 6);

    const pool = view('pool', make('pool', [16, 4]));
    const handles = [0, 1, 2, 3].map((i) => place + 128 + 8 * i);
    for (const handle of handles) expectOk(tern.tern_pool_alloc(pool, handle, place), 'alloc');
    assert.equal(tern.tern_pool_alloc(pool, place + 200, place), -14);   // TERN_ERR_FULL
    const item = tern.tern_pool_pin(pool, handles[2]);
    assert.equal(item, tern.tern_pool_get(pool, handles[2]));
    assert.equal(tern.tern_pool_free(pool, handles[2]), 1);   // TERN_DEFERRED
    assert.equal(tern.tern_pool_get(pool, handles[2]), 0);
    tern.tern_pool_unpin(pool, handles[2]);
    expectOk(tern.tern_pool_alloc(pool, place + 200, place), 'alloc of the slot that came back');
    assert.equal(tern.tern_pool_free(pool, handles[2]), -18);   // TERN_ERR_STALE
    // handles that nobody gave out: refused, and nothing outside of the pool is touched
    wordOf(place + 208)[0] = 5;
    const before = new Uint8Array(memory.buffer).slice();
    assert.equal(tern.tern_pool_pin(pool, place + 208), 0);
    assert.equal(tern.tern_pool_free(pool, place + 208), -18);
    tern.tern_pool_unpin(pool, place + 208);
    const same = Buffer.compare(before.subarray(place), new Uint8Array(memory.buffer).subarray(place)) === 0;
    assert.ok(same, 'memory was written');
  });
}

test('two threads that never spin: the module waits and wakes', HANG, async () => {
  const { module, memory, heap, tern, make, spinAt, view, words, place } = shipped('threads');
  const there = make('ring', [8, 4, WAITABLE]);
  const back = make('triple', [64]);
  const ends = { out: view('ring_producer', there), back: view('triple_reader', back) };
  // none spins: each wait sleeps, unless the other one was faster
  new Uint32Array(memory.buffer, ends.out + spinAt('producer'), 1)[0] = 0;
  new Uint32Array(memory.buffer, ends.back + spinAt('triple_reader'), 1)[0] = 0;
  const area = { at: heap.take(8192), bytes: 8192 };
  const worker = new Worker(new URL('./shipped_tasks.mjs', import.meta.url),
    { workerData: { module, memory, place: heap.place(), area, there, back, spinAt: spinAt('consumer') } });
  const finished = once(worker, 'message');
  const failed = once(worker, 'error').then(([error]) => { throw error; });
  for (let i = 1; i <= ITEMS; i++) {
    words.set([i, -i]);
    expectOk(tern.tern_ring_push_wait(ends.out, place, FOREVER), `push ${i}`);
    expectOk(tern.tern_triple_wait(ends.back, FOREVER), `wait for frame ${i}`);
    assert.equal(tern.tern_triple_update(ends.back), 1);
    assert.deepEqual(new Uint32Array(memory.buffer, tern.tern_triple_front(ends.back), 1)[0], i);
  }
  tern.tern_ring_close_producer(ends.out);
  const [{ received, status }] = await Promise.race([finished, failed]);
  assert.deepEqual([received, status], [ITEMS, STATUS.CLOSED]);
  await worker.terminate();
});
