// SPDX-License-Identifier: MIT
// ring.mjs: rings in JavaScript between two Node workers, beside ringbuf.js and postMessage.
//
//     node bench/js/ring.mjs [--quick] [--only TEXT] [--out FILE]     JSON goes to FILE
//
// Each item is numbered and compared where it is popped. ringbuf.js runs with elements of 8 bytes, as it is fastest;
// with and without a pause after a try that failed. postMessage sends a number, its cheapest message, or an array of
// 32 numbers; its sender never waits for room, a queue without an end is part of it.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { RingBuffer } from 'ringbuf.js';
import { Ring } from '../../wasm/src/index.mjs';
import { pause } from '../../wasm/src/ring_wait.mjs';
import { meet, now, run, serve } from './lib.mjs';

const CAPACITY = 1024;
const PAUSE_TURNS = 40;
const wrong = (got, expected) => { throw new Error(`item ${expected} is ${got}`); };

/* ---- Ours ------------------------------------------------------------------------------------ */

function ternRing(desc) {
  const buffer = new SharedArrayBuffer(Ring.size(desc));
  Ring.format(buffer, 0, desc);
  return buffer;
}

const type = Float64Array;

function tern(name, itemBytes, batch, flags = {}) {
  const elements = itemBytes / 8;
  return {
    name: `tern ${name}`,
    make: () => ({ buffer: ternRing({ itemSizeBytes: itemBytes, capacityItems: CAPACITY, ...flags }) }),
    left({ buffer, gate, count }) {
      const producer = Ring.producer(buffer, 0, { type });
      const source = new type(elements * batch);
      meet(gate);
      if (batch === 1) pushEach(producer, source, count);
      else pushBatches(producer, source, count, batch, elements);
    },
    right({ buffer, gate, count }) {
      const consumer = Ring.consumer(buffer, 0, { type });
      const out = new type(elements * batch);
      meet(gate);
      const start = now();
      if (batch === 1) popEach(consumer, out, count);
      else popBatches(consumer, out, count, elements);
      return now() - start;
    },
  };
}

function pushEach(producer, item, count) {
  for (let i = 0; i < count; i++) {
    item[0] = i;
    while (!producer.tryPush(item));
  }
}

function popEach(consumer, item, count) {
  for (let i = 0; i < count; i++) {
    while (!consumer.tryPop(item));
    if (item[0] !== i) wrong(item[0], i);
  }
}

function pushBatches(producer, source, count, batch, elements) {
  for (let i = 0; i < count; i += batch) {
    for (let k = 0; k < batch; k++) source[k * elements] = i + k;
    for (let done = 0; done < batch;) done += producer.tryPushMany(source, done);
  }
}

function popBatches(consumer, out, count, elements) {
  for (let i = 0; i < count;) {
    const n = consumer.tryPopMany(out);
    for (let k = 0; k < n; k++) if (out[k * elements] !== i + k) wrong(out[k * elements], i + k);
    i += n;
  }
}

/** Written and read where it lies. */
function ternInPlace(itemBytes, batch) {
  return {
    ...tern('in place', itemBytes, batch),
    left({ buffer, gate, count }) {
      const producer = Ring.producer(buffer, 0, { type });
      const { items, stride } = producer;
      meet(gate);
      for (let i = 0; i < count;) {
        const n = producer.reserve(batch);
        for (let k = 0, at = producer.at; k < n; k++, at += stride) items[at] = i + k;
        producer.commit(n);
        i += n;
      }
    },
    right({ buffer, gate, count }) {
      const consumer = Ring.consumer(buffer, 0, { type });
      const { items, stride } = consumer;
      meet(gate);
      const start = now();
      for (let i = 0; i < count;) {
        const n = consumer.peek(batch);
        for (let k = 0, at = consumer.at; k < n; k++, at += stride) if (items[at] !== i + k) wrong(items[at], i + k);
        consumer.release(n);
        i += n;
      }
      return now() - start;
    },
  };
}

/* ---- ringbuf.js ------------------------------------------------------------------------------- */

function ringbuf(name, itemBytes, batch, turns) {
  const elements = itemBytes / 8;
  return {
    name: `ringbuf.js ${name}`,
    make: () => ({ buffer: RingBuffer.getStorageForCapacity(CAPACITY * elements, type) }),
    left({ buffer, gate, count }) {
      const ring = new RingBuffer(buffer, type);
      const source = new type(elements * batch);
      meet(gate);
      for (let i = 0; i < count; i += batch) {
        for (let k = 0; k < batch; k++) source[k * elements] = i + k;
        for (let done = 0; done < source.length;) {
          const n = ring.push(source, source.length - done, done);
          if (n === 0 && turns) pause(turns);
          done += n;
        }
      }
    },
    right({ buffer, gate, count }) {
      const ring = new RingBuffer(buffer, type);
      const out = new type(elements * batch);
      meet(gate);
      const start = now();
      for (let i = 0; i < count; i += batch) {
        for (let done = 0; done < out.length;) {
          const n = ring.pop(out, out.length - done, done);
          if (n === 0 && turns) pause(turns);
          done += n;
        }
        for (let k = 0; k < batch; k++) if (out[k * elements] !== i + k) wrong(out[k * elements], i + k);
      }
      return now() - start;
    },
  };
}

/* ---- postMessage -------------------------------------------------------------------------------- */

/** As many messages as make `count` numbers. */
function postMessage(name, batch) {
  return {
    name: `postMessage ${name}`,
    make: () => ({}),
    left({ port, gate, count }) {
      const source = new type(batch);
      meet(gate);
      for (let i = 0; i < count; i += batch) {
        for (let k = 0; k < batch; k++) source[k] = i + k;
        port.postMessage(batch === 1 ? i : source);
      }
      return new Promise((resolve) => { port.once('message', resolve); }).finally(() => port.close());
    },
    right({ port, gate, count }) {
      meet(gate);
      const start = now();
      return new Promise((resolve) => {
        let i = 0;
        port.on('message', (message) => {
          if (batch === 1 && message !== i) wrong(message, i);
          for (let k = 0; batch > 1 && k < batch; k++) if (message[k] !== i + k) wrong(message[k], i + k);
          i += batch;
          if (i < count) return;
          const elapsedNs = now() - start;
          port.postMessage('done');
          resolve(elapsedNs);
        });
      });
    },
  };
}

/* ---- Round trips --------------------------------------------------------------------------------- */

function ternRoundTrip(name, flags, receive) {
  const desc = { itemSizeBytes: 8, capacityItems: CAPACITY, ...flags };
  return {
    name: `tern ${name}`,
    make: () => ({ there: ternRing(desc), back: ternRing(desc) }),
    left({ there, back, gate, count }) {
      const [from, to] = [Ring.consumer(there, 0, { type }), Ring.producer(back, 0, { type })];
      const item = new type(1);
      meet(gate);
      for (let i = 0; i < count; i++) {
        receive(from, item);
        to.tryPush(item);
      }
    },
    right({ there, back, gate, count }) {
      const [to, from] = [Ring.producer(there, 0, { type }), Ring.consumer(back, 0, { type })];
      const item = new type(1);
      meet(gate);
      const start = now();
      for (let i = 0; i < count; i++) {
        item[0] = i;
        to.tryPush(item);
        receive(from, item);
        if (item[0] !== i) wrong(item[0], i);
      }
      return now() - start;
    },
  };
}

const spinning = (from, item) => { while (!from.tryPop(item)); };
const waiting = (from, item) => { from.popWait(item); };

const ringbufRoundTrip = {
  name: 'ringbuf.js, spinning',
  make: () => ({ there: RingBuffer.getStorageForCapacity(CAPACITY, type),
    back: RingBuffer.getStorageForCapacity(CAPACITY, type) }),
  left({ there, back, gate, count }) {
    const [from, to, item] = [new RingBuffer(there, type), new RingBuffer(back, type), new type(1)];
    meet(gate);
    for (let i = 0; i < count; i++) {
      while (from.pop(item) === 0);
      to.push(item);
    }
  },
  right({ there, back, gate, count }) {
    const [to, from, item] = [new RingBuffer(there, type), new RingBuffer(back, type), new type(1)];
    meet(gate);
    const start = now();
    for (let i = 0; i < count; i++) {
      item[0] = i;
      to.push(item);
      while (from.pop(item) === 0);
      if (item[0] !== i) wrong(item[0], i);
    }
    return now() - start;
  },
};

const portRoundTrip = {
  name: 'MessagePort',
  share: 1 / 32,
  make: () => ({}),
  left({ port, gate }) {
    meet(gate);
    port.on('message', (message) => port.postMessage(message));
    return new Promise((resolve) => { port.once('close', resolve); });
  },
  right({ port, gate, count }) {
    meet(gate);
    const start = now();
    return new Promise((resolve) => {
      let i = 0;
      port.on('message', (message) => {
        if (message !== i) wrong(message, i);
        i++;
        if (i < count) port.postMessage(i);
        else {
          const elapsedNs = now() - start;
          port.close();
          resolve(elapsedNs);
        }
      });
      port.postMessage(0);
    });
  },
};

/* ---- Cells --------------------------------------------------------------------------------------- */

const quick = process.argv.includes('--quick');
const times = (count) => (quick ? count / 8 : count);

const throughput = (name, itemBytes, batch, count, others) => ({
  name, count: times(count), unit: 'ns an item',
  contestants: [
    tern('indexed', itemBytes, batch),
    tern('indexed, waitable', itemBytes, batch, { waitable: true }),
    tern('sequenced', itemBytes, batch, { sequenced: true }),
    ternInPlace(itemBytes, batch),
    ringbuf('', itemBytes, batch, 0),
    ringbuf('with pauses', itemBytes, batch, PAUSE_TURNS),
    ...others,
  ],
});

/** @type {import('./lib.mjs').Cell[]} */
const cells = [
  throughput('8 bytes singly', 8, 1, 1 << 21, []),
  throughput('8 bytes in batches of 32', 8, 32, 1 << 24, []),
  throughput('256 bytes singly', 256, 1, 1 << 20, []),
  { name: 'numbers by postMessage', count: times(1 << 18), unit: 'ns an item',
    contestants: [postMessage('singly', 1), postMessage('in batches of 32', 32)] },
  { name: 'round trip of 8 bytes', count: times(1 << 18), unit: 'ns', contestants: [
    ternRoundTrip('spinning', {}, spinning),
    ternRoundTrip('sequenced, spinning', { sequenced: true }, spinning),
    ternRoundTrip('spin, then sleep', { waitable: true }, waiting),
    ternRoundTrip('sequenced, spin, then sleep', { waitable: true, sequenced: true }, waiting),
    ringbufRoundTrip, portRoundTrip,
  ] },
];

const option = (name) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
};

if (!isMainThread) serve(cells);
else {
  const result = await run(fileURLToPath(import.meta.url), cells, { turns: 7, only: option('--only') });
  if (option('--out')) writeFileSync(option('--out'), `${JSON.stringify(result, null, 1)}\n`);
}
