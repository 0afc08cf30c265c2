// SPDX-License-Identifier: MIT
// module.test.mjs: the built modules themselves: size, imports, where they wait, and that the one
// without threads refuses to wait.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { functionsOf, keepsLocalAcrossWait, waits } from './code.mjs';
import { FOREVER, Heap, STATUS, instantiate, loadModule, modulePath, newMemory } from './instance.mjs';
import { End, PAGED, SEQUENCED, WAITABLE, inspect, makeRing, payload } from './ring_end.mjs';

// Measured with clang 14: 51,372 bytes (threads). The library has some 39,000 of them; the rest are the inline
// calls of all primitives that the tests export, each with code of its own, the ring's and the stream's
// for both layouts. Peers, roles and what they leave behind, which a browser's orchestrator gives back by
// eviction, are some 7,000 of the library's.
const MOST_TESTS_BYTES = 52224;
const MOST_BYTES = 16383;   // of what is shipped: below 16 KiB
const ATOMIC_PREFIX = 0xfe00;
const codeOf = (kind, which) => functionsOf(readFileSync(modulePath(kind, which)));

for (const kind of ['threads', 'single']) {
  for (const [which, most] of [['tern', MOST_BYTES], ['tests', MOST_TESTS_BYTES]]) {
    test(`${which}.${kind}.wasm has ${most} bytes at most`, (t) => {
      const bytes = readFileSync(modulePath(kind, which)).length;
      t.diagnostic(`${bytes} bytes`);
      assert.ok(bytes <= most, `${bytes} bytes`);
    });

    test(`${which}.${kind}.wasm imports its memory and nothing else, and needs the right kind of it`, () => {
      const module = loadModule(kind, which);
      assert.deepEqual(WebAssembly.Module.imports(module), [{ module: 'env', name: 'memory', kind: 'memory' }]);
      const other = newMemory(kind === 'threads' ? 'single' : 'threads');
      assert.throws(() => new WebAssembly.Instance(module, { env: { memory: other } }), WebAssembly.LinkError);
    });
  }

  test(`tests.${kind}.wasm exports every public function of a header`, () => {
    const exported = new Set(WebAssembly.Module.exports(loadModule(kind)).map(({ name }) => name));
    const folder = new URL('../../include/tern/', import.meta.url);
    const headers = readdirSync(folder).filter((name) => name !== 'rcu.h');   // native only
    const declared = headers.flatMap((name) =>
      [...readFileSync(new URL(name, folder), 'utf8').matchAll(/^TERN_API [^;]*?\b(tern_\w+)\(/gm)]
        .map((match) => match[1]));
    assert.ok(declared.length > 30, `${declared.length} declarations found only`);
    assert.deepEqual(declared.filter((name) => !exported.has(name)), []);
  });
}

// Locals that live across a wait in one function are lost in Node 20. The start function is the
// linker's, which waits for the data segments and keeps nothing.
for (const which of ['tern', 'tests']) {
  test(`${which}.threads.wasm waits in one function of its own, and nothing lives across a wait`, () => {
    const code = codeOf('threads', which);
    const waiting = code.filter((each) => waits(each) > 0 && !each.isStart);
    assert.equal(waiting.length, 1, `${waiting.length} functions wait`);
    assert.equal(waits(waiting[0]), 1);
    assert.ok(waiting[0].opcodes.length <= 6, `the function that waits has ${waiting[0].opcodes.length} instructions`);
    for (const each of code) assert.ok(!keepsLocalAcrossWait(each), 'a local may live across a wait');
  });

  test(`${which}.single.wasm holds no atomic instruction`, () => {
    const code = codeOf('single', which);
    assert.ok(code.length > 30, `${code.length} functions found only`);
    assert.ok(code.every((each) => each.opcodes.every((opcode) => opcode < ATOMIC_PREFIX)));
  });
}

test('the check above sees a local that lives across a wait', () => {
  const body = (...bytes) => [bytes.length + 1, 0, ...bytes];
  const moduleOf = (...bodies) => {
    const section = [bodies.length, ...bodies.flat()];
    return functionsOf(Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 10, section.length, ...section]));
  };
  const arguments_ = [0x20, 0, 0x20, 1, 0x20, 2];            // local.get of address, value, time-out
  const wait32 = [0xfe, 0x01, 2, 0];
  const [clean, behind, looping] = moduleOf(
    body(...arguments_, ...wait32, 0x0b),
    body(...arguments_, ...wait32, 0x1a, 0x20, 0, 0x0b),     // drop, local.get
    body(0x03, 0x40, ...arguments_, ...wait32, 0x1a, 0x0c, 0, 0x0b, 0x0b),
  );
  assert.deepEqual([clean, behind, looping].map(waits), [1, 1, 1]);
  assert.deepEqual([clean, behind, looping].map(keepsLocalAcrossWait), [false, true, true]);
});

// Numbers of docs/layout.md: what a native end finds there, and writes.
for (const kind of ['threads', 'single']) {
  test(`a sequenced ring of tests.${kind}.wasm has the bytes of a native one`, () => {
    const module = loadModule(kind);
    const memory = newMemory(kind);
    const heap = new Heap(module, memory);
    const tern = instantiate(module, memory, heap.place());
    const [capacity, view] = [4, new DataView(memory.buffer)];
    for (const [itemBytes, slotBytes] of [[1, 8], [4, 8], [5, 16], [12, 16], [13, 32], [28, 32], [29, 64], [60, 64],
      [61, 128], [124, 128], [125, 192]]) {
      const ring = makeRing(tern, memory, heap, { itemBytes, capacity, flags: SEQUENCED });
      const [producer, consumer, item] = [256, 256, itemBytes].map((bytes) => heap.take(bytes));
      const slotAt = (index) => ring.at + 384 + (index % capacity) * slotBytes;
      const sequenceOf = (index) => view.getUint32(slotAt(index) + slotBytes - 4, true);
      const bytesOf = (at) => [...new Uint8Array(memory.buffer, at, itemBytes)];
      const expected = (index) => Array.from({ length: itemBytes }, (_, i) => (index * 7 + i * 13 + 1) & 255);
      assert.deepEqual([ring.size, view.getUint32(ring.at + 32, true)], [384 + capacity * slotBytes, slotBytes]);
      for (let i = 0; i < capacity; i++) assert.equal(sequenceOf(i), ((i + 1 - capacity) << 1) >>> 0);
      assert.equal(tern.tern_ring_attach_producer(producer, ring.at, ring.size), STATUS.OK);
      assert.equal(tern.tern_ring_attach_consumer(consumer, ring.at, ring.size), STATUS.OK);
      for (let i = 0; i < 11; i++) {
        new Uint8Array(memory.buffer, item, itemBytes).set(expected(i));
        if (i % 2 === 0) {
          assert.ok(tern.tern_ring_push(producer, item));
          assert.deepEqual(bytesOf(slotAt(i)), expected(i));
        } else {   // as a native producer would
          tern.tern_ring_detach_producer(producer);
          new Uint8Array(memory.buffer, slotAt(i), itemBytes).set(expected(i));
          view.setUint32(slotAt(i) + slotBytes - 4, (i + 1) << 1, true);
          view.setUint32(ring.at + 128, (i + 1) << 1, true);
          assert.equal(tern.tern_ring_attach_producer(producer, ring.at, ring.size), STATUS.OK);
        }
        assert.deepEqual([sequenceOf(i), view.getUint32(ring.at + 128, true)], [(i + 1) << 1, (i + 1) << 1]);
        new Uint8Array(memory.buffer, item, itemBytes).fill(0);
        assert.ok(tern.tern_ring_pop(consumer, item));
        assert.deepEqual(bytesOf(item), expected(i));
        assert.ok(!tern.tern_ring_pop(consumer, item));
        assert.equal(view.getUint32(ring.at + 256, true), (i + 1) << 1, 'an empty ring is all released');
      }
    }
  });
}

// In wasm nothing is protected, but the bytes are those that a native process can protect.
for (const kind of ['threads', 'single']) {
  test(`a paged ring of tests.${kind}.wasm has the bytes of a native one, and nothing to protect them`, () => {
    const module = loadModule(kind);
    const memory = newMemory(kind);
    const heap = new Heap(module, memory);
    const tern = instantiate(module, memory, heap.place());
    const view = new DataView(memory.buffer);
    const desc = heap.take(12);
    new Uint32Array(memory.buffer, desc, 3).set([8, 4, PAGED | WAITABLE]);
    assert.equal(tern.tern_ring_size(desc), 0);
    for (const flags of [PAGED, PAGED | SEQUENCED]) {
      const slotBytes = flags & SEQUENCED ? 16 : 8;
      const ring = makeRing(tern, memory, heap, { itemBytes: 8, capacity: 4, flags });
      const [producer, consumer] = ['producer', 'consumer'].map((role) => new End(tern, memory, heap, ring, role));
      assert.deepEqual([ring.at % 4096, ring.size, view.getUint32(ring.at + 20, true)], [0, 3 * 4096, flags]);
      assert.equal(tern.tern_ring_consumer_protect(consumer.view), STATUS.UNSUPPORTED);
      for (let i = 0; i < 11; i++) {
        producer.words.set([i, payload(i)]);
        assert.ok(producer.push());
        assert.equal(view.getUint32(ring.at + 4096 - 128, true), (i + 1) << 1);
        assert.equal(view.getUint32(ring.at + 8192 + (i % 4) * slotBytes, true), i);
        assert.ok(consumer.pop());
        assert.deepEqual([...consumer.words], [i, payload(i)]);
        assert.ok(!consumer.pop());
        assert.equal(view.getUint32(ring.at + 4096, true), (i + 1) << 1, 'an empty ring is all released');
      }
      assert.equal(inspect(tern, memory, heap, ring).popped, 11);
    }
  });
}

for (const flags of [WAITABLE, WAITABLE | SEQUENCED])
  test(`without threads a ring works, flags ${flags}, no wait does`, () => {
    const module = loadModule('single');
    const memory = newMemory('single');
    const heap = new Heap(module, memory);
    const tern = instantiate(module, memory);
    const ring = makeRing(tern, memory, heap, { itemBytes: 8, capacity: 4, flags });
    const [producer, consumer] = ['producer', 'consumer'].map((role) => new End(tern, memory, heap, ring, role));
    // twice as often as the ring is large: into waiting and out again
    for (let round = 0; round < 8; round++) {
      assert.equal(consumer.popWait(), STATUS.UNSUPPORTED);
      for (let i = 0; i < 4; i++) {
        producer.words.set([i, payload(i)]);
        assert.ok(producer.push());
      }
      assert.equal(producer.pushWait(), STATUS.UNSUPPORTED);
      assert.equal(producer.pushWait(1n), STATUS.UNSUPPORTED);
      for (let i = 0; i < 4; i++) {
        assert.ok(consumer.pop());
        assert.deepEqual([...consumer.words], [i, payload(i)]);
      }
    }
    const word = heap.take(4);
    assert.equal(tern.tern_word_wait(word, 0, FOREVER), STATUS.UNSUPPORTED);
    assert.deepEqual([inspect(tern, memory, heap, ring).pushed, inspect(tern, memory, heap, ring).count], [32, 0]);
  });
