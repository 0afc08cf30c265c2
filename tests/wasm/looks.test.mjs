// SPDX-License-Identifier: MIT
// looks.test.mjs: in the module without threads no wait goes round: it looks, finds nothing and answers. Counted in
// modules whose library tells of each access to shared memory (exports_watch.c).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FOREVER, Heap, STATUS, expectOk, instantiate, loadModule, newMemory } from './instance.mjs';

const WAITABLE = 1;
const SEQUENCED = 2;
const SPIN_CHECKS = 100_000;
// the call's own try, and the wait's: the peer's word, whether it has closed, a slot's sequence; measured: 2 to 7
const MOST_LOOKS = 8;

/** Each wait, on an object where it finds nothing: { name, wait(timeout), spin }, spin being where spin_checks is. */
function waitsOf(kind) {
  const module = loadModule(kind, 'watched');
  const memory = newMemory(kind);
  const heap = new Heap(module, memory);
  const tern = instantiate(module, memory, heap.place());
  const place = heap.take(64);
  const make = (primitive, words) => {
    const desc = heap.take(16);
    new Uint32Array(memory.buffer, desc, words.length).set(words);
    const size = tern[`tern_${primitive}_size`](desc);
    const at = heap.take(size);
    expectOk(tern[`tern_${primitive}_format`](at, size, desc), `tern_${primitive}_format`);
    return (role) => {
      const view = heap.take(512);
      expectOk(tern[`tern_${primitive}_attach${role}`](view, at, size), `tern_${primitive}_attach${role}`);
      return view;
    };
  };
  const waits = [];
  const add = (name, view, wait, spin) =>
    waits.push({ name, wait, spin: view + tern[`test_offsetof_${spin}_spin_checks`]() });
  for (const flags of [WAITABLE, WAITABLE | SEQUENCED]) {
    const ring = make('ring', [8, 4, flags]);
    const consumer = ring('_consumer');
    add(`consumer_wait, flags ${flags}`, consumer,
      (timeout) => tern.tern_ring_consumer_wait(consumer, timeout), 'consumer');
    add(`pop_wait, flags ${flags}`, consumer,
      (timeout) => tern.tern_ring_pop_wait(consumer, place, timeout), 'consumer');
    const producer = make('ring', [8, 4, flags])('_producer');
    for (let i = 0; i < 4; i++) expectOk(tern.tern_ring_push_wait(producer, place, FOREVER), 'push_wait with space');
    add(`producer_wait, flags ${flags}`, producer,
      (timeout) => tern.tern_ring_producer_wait(producer, timeout), 'producer');
    add(`push_wait, flags ${flags}`, producer,
      (timeout) => tern.tern_ring_push_wait(producer, place, timeout), 'producer');
  }
  const reader = make('stream', [64, 0, WAITABLE])('_consumer');
  add('peek_wait', reader, (timeout) => tern.tern_stream_peek_wait(reader, place, place + 4, place + 8, timeout),
    'stream_consumer');
  add('receive_wait', reader,
    (timeout) => tern.tern_stream_receive_wait(reader, place, 8, place + 16, place + 20, timeout), 'stream_consumer');
  const writer = make('stream', [64, 0, WAITABLE])('_producer');
  for (let i = 0; i < 4; i++)
    expectOk(tern.tern_stream_send_wait(writer, 0, place, 8, FOREVER), 'send_wait with space');
  add('send_wait', writer, (timeout) => tern.tern_stream_send_wait(writer, 0, place, 8, timeout), 'stream_producer');
  add('reserve_wait', writer, (timeout) => tern.tern_stream_reserve_wait(writer, 8, place, timeout), 'stream_producer');
  const triple = make('triple', [64])('_reader');
  add('triple_wait', triple, (timeout) => tern.tern_triple_wait(triple, timeout), 'triple_reader');
  const bell = make('bell', [40])('');
  add('bell_wait', bell, (timeout) => tern.tern_bell_wait(bell, timeout), 'bell');

  const looksOf = ({ wait, spin }, spinChecks, timeout) => {
    new Uint32Array(memory.buffer, spin, 1)[0] = spinChecks;
    const before = tern.test_looks();
    const status = wait(timeout);
    return { status, looks: tern.test_looks() - before };
  };
  return { waits, looksOf };
}

test('without threads no wait looks more than once, however often it may spin', (t) => {
  const { waits, looksOf } = waitsOf('single');
  assert.ok(waits.length >= 14);
  for (const each of waits) {
    const once = looksOf(each, 0, FOREVER);
    t.diagnostic(`${each.name}: ${once.looks} reads`);
    assert.equal(once.status, STATUS.UNSUPPORTED, each.name);
    assert.ok(once.looks >= 1 && once.looks <= MOST_LOOKS, `${each.name}: ${once.looks} reads`);
    for (const timeout of [FOREVER, 1_000_000_000n, 1n, 0n])
      assert.deepEqual(looksOf(each, SPIN_CHECKS, timeout), once, `${each.name}, time-out ${timeout}`);
  }
});

test('the check above sees a wait that spins: with threads each does', () => {
  const { waits, looksOf } = waitsOf('threads');
  for (const each of waits) {
    const { status, looks } = looksOf(each, SPIN_CHECKS, 1n);
    assert.equal(status, STATUS.TIMEOUT, each.name);
    assert.ok(looks > SPIN_CHECKS, `${each.name}: ${looks} reads`);
  }
});
