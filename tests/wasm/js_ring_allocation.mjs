// SPDX-License-Identifier: MIT
// js_ring_allocation.mjs: 400,000 of each hot call allocate nothing. js_ring.test.mjs runs it with --expose-gc and
// a young generation so large that no collection comes in between: what was allocated still shows in heapUsed.
import { Ring, Stream } from '../../wasm/src/index.mjs';

const CALLS = 400_000;
const TURNS = 3;
const WARM_CALLS = 100_000;
const MOST_BYTES = 2_400_000;   // the smallest object has 12 to 16 bytes; compiled code and the like 1 or 2 MB in all

function newRing(desc) {
  const buffer = new SharedArrayBuffer(Ring.size(desc));
  Ring.format(buffer, 0, desc);
  return [Ring.producer(buffer, 0, { type: Float64Array }), Ring.consumer(buffer, 0, { type: Float64Array })];
}

function newStream(desc) {
  const buffer = new SharedArrayBuffer(Stream.size(desc));
  Stream.format(buffer, 0, desc);
  return [Stream.producer(buffer), Stream.consumer(buffer)];
}

/** @type {[string, (count: number) => void][]} */
const cases = [];
for (const flags of [{}, { sequenced: true }, { waitable: true }, { waitable: true, sequenced: true }]) {
  const name = Object.keys(flags).join(' ') || 'plain';
  for (const elements of [1, 32]) {
    const [producer, consumer] = newRing({ itemSizeBytes: 8 * elements, capacityItems: 64, ...flags });
    const [item, out] = [new Float64Array(elements), new Float64Array(elements)];
    cases.push([`tryPush, tryPop, ${elements} elements, ${name}`, (count) => {
      for (let i = 0; i < count; i++) {
        item[0] = i;
        producer.tryPush(item);
        consumer.tryPop(out);
        if (out[0] !== i) throw new Error(`item ${i} is ${out[0]}`);
      }
    }]);
    cases.push([`reserve, view, commit, peek, release, ${elements} elements, ${name}`, (count) => {
      for (let i = 0; i < count; i++) {
        producer.reserve();
        producer.view()[0] = i;
        producer.commit();
        consumer.peek();
        if (consumer.items[consumer.at] !== i || consumer.view()[0] !== i) throw new Error(`not item ${i}`);
        consumer.release();
      }
    }]);
    if (flags.waitable) {
      cases.push([`pushWait, popWait, ${elements} elements, ${name}`, (count) => {
        for (let i = 0; i < count; i++) {
          producer.pushWait(item);
          consumer.popWait(out);
        }
      }]);
    }
  }
  const [producer, consumer] = newRing({ itemSizeBytes: 8, capacityItems: 128, ...flags });
  const [items, out] = [new Float64Array(19), new Float64Array(40)];
  cases.push([`tryPushMany, tryPopMany, ${name}`, (count) => {
    for (let i = 0; i < count; i += 16) {
      producer.tryPushMany(items);
      producer.tryPushMany(items, 2, 10);
      if (consumer.tryPopMany(out) !== 29) throw new Error('not all of them');
    }
  }]);
}
for (const flags of [{}, { waitable: true }]) {
  const [producer, consumer] = newStream({ capacityBytes: 4096, ...flags });
  const [bytes, out] = [new Uint8Array(37), new Uint8Array(64)];
  cases.push([`stream, ${Object.keys(flags)}`, (count) => {
    for (let i = 0; i < count; i++) {
      producer.trySend(i & 1, bytes);
      if (!consumer.tryReceive(out)) throw new Error('nothing there');
      producer.reserve(24);
      producer.data.setFloat64(producer.at, i);
      producer.commit(7);
      const record = consumer.peek();
      if (record === null || consumer.data.getFloat64(record.at) !== i) throw new Error(`not record ${i}`);
      consumer.release();
    }
  }]);
}
// this one must be found out: a check that cannot fail is none
let kept = null;
cases.push(['a small object', (count) => { for (let i = 0; i < count; i++) kept = { i }; }]);

let failures = 0;
for (const [name, run] of cases) {
  run(WARM_CALLS);
  // a compilation may come at any time; calls that allocate do so each time
  let bytes = Infinity;
  for (let turn = 0; turn < TURNS && bytes > MOST_BYTES; turn++) {
    globalThis.gc();
    const before = process.memoryUsage().heapUsed;
    run(CALLS);
    bytes = process.memoryUsage().heapUsed - before;
  }
  const isRight = kept === null ? bytes <= MOST_BYTES : bytes > MOST_BYTES;
  if (isRight) continue;
  console.error(`${name}: ${bytes} bytes in ${CALLS} calls`);
  failures++;
}
process.exitCode = failures === 0 && kept !== null ? 0 : 1;
