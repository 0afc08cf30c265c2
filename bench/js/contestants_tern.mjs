// SPDX-License-Identifier: MIT
// contestants_tern.mjs: the rings of the package, in JavaScript on both sides.
import { Ring } from '../../wasm/src/ring.mjs';
import { CAPACITY, Type, meet, now } from './contestant.mjs';

/** @typedef {import('./contestant.mjs').Contestant} Contestant */

/** @param {object} desc */
function formatted(desc) {
  const buffer = new SharedArrayBuffer(Ring.size(desc));
  Ring.format(buffer, 0, desc);
  return buffer;
}

/** @returns {Contestant} */
export function tern(name, itemBytes, batch, flags = {}) {
  const elements = itemBytes / 8;
  return {
    name: `tern, ${name}`, family: 'tern',
    make: () => ({ buffer: formatted({ itemSizeBytes: itemBytes, capacityItems: CAPACITY, ...flags }) }),
    left({ buffer, gate, count }) {
      const producer = Ring.producer(buffer, 0, { type: Type });
      const source = new Type(elements * batch);
      meet(gate);
      if (batch === 1) pushEach(producer, source, count);
      else pushBatches(producer, source, count, batch);
    },
    right({ buffer, gate, count }) {
      const consumer = Ring.consumer(buffer, 0, { type: Type });
      const out = new Type(elements * batch);
      meet(gate);
      const start = now();
      const right = batch === 1 ? popEach(consumer, out, count) : popBatches(consumer, out, count);
      return { ns: now() - start, right };
    },
  };
}

function pushEach(producer, item, count) {
  const last = item.length - 1;
  for (let i = 0; i < count; i++) {
    item[0] = i;
    item[last] = i;
    while (!producer.tryPush(item));
  }
}

function popEach(consumer, item, count) {
  const last = item.length - 1;
  let right = 0;
  for (let i = 0; i < count; i++) {
    while (!consumer.tryPop(item));
    right += item[0] === i && item[last] === i ? 1 : 0;
  }
  return right;
}

/** Items of one element. */
function pushBatches(producer, source, count, batch) {
  for (let i = 0; i < count; i += batch) {
    for (let k = 0; k < batch; k++) source[k] = i + k;
    for (let done = 0; done < batch;) done += producer.tryPushMany(source, done);
  }
}

function popBatches(consumer, out, count) {
  let right = 0;
  for (let i = 0; i < count;) {
    const n = consumer.tryPopMany(out);
    for (let k = 0; k < n; k++) right += out[k] === i + k ? 1 : 0;
    i += n;
  }
  return right;
}

/** Written and read where they lie: nothing is copied. @returns {Contestant} */
export function ternInPlace(itemBytes, batch) {
  const last = itemBytes / 8 - 1;
  return {
    ...tern('in place', itemBytes, batch), family: 'tern in place',
    left({ buffer, gate, count }) {
      const producer = Ring.producer(buffer, 0, { type: Type });
      const { items, stride } = producer;
      meet(gate);
      for (let i = 0; i < count;) {
        const n = producer.reserve(Math.min(batch, count - i));
        for (let k = 0, at = producer.at; k < n; k++, at += stride) {
          items[at] = i + k;
          items[at + last] = i + k;
        }
        producer.commit(n);
        i += n;
      }
    },
    right({ buffer, gate, count }) {
      const consumer = Ring.consumer(buffer, 0, { type: Type });
      const { items, stride } = consumer;
      let right = 0;
      meet(gate);
      const start = now();
      for (let i = 0; i < count;) {
        const n = consumer.peek(batch);
        for (let k = 0, at = consumer.at; k < n; k++, at += stride)
          right += items[at] === i + k && items[at + last] === i + k ? 1 : 0;
        consumer.release(n);
        i += n;
      }
      return { ns: now() - start, right };
    },
  };
}

const RECEIVE = {
  spinning: (from, item) => { while (!from.tryPop(item)); },
  'spin, then sleep': (from, item) => { from.popWait(item); },
};

/** @param {keyof typeof RECEIVE} how @returns {Contestant} */
export function ternRoundTrip(name, how, flags) {
  const desc = { itemSizeBytes: 8, capacityItems: CAPACITY, waitable: how !== 'spinning', ...flags };
  const receive = RECEIVE[how];
  return {
    name: `tern, ${name}${how}`, family: how === 'spinning' ? 'tern spinning' : 'tern',
    make: () => ({ there: formatted(desc), back: formatted(desc) }),
    left({ there, back, gate, count }) {
      const [from, to] = [Ring.consumer(there, 0, { type: Type }), Ring.producer(back, 0, { type: Type })];
      const item = new Type(1);
      meet(gate);
      for (let i = 0; i < count; i++) {
        receive(from, item);
        to.tryPush(item);
      }
    },
    right({ there, back, gate, count }) {
      const [to, from] = [Ring.producer(there, 0, { type: Type }), Ring.consumer(back, 0, { type: Type })];
      const item = new Type(1);
      let right = 0;
      meet(gate);
      const start = now();
      for (let i = 0; i < count; i++) {
        item[0] = i;
        to.tryPush(item);
        item[0] = -1;
        receive(from, item);
        right += item[0] === i ? 1 : 0;
      }
      return { ns: now() - start, right };
    },
  };
}
