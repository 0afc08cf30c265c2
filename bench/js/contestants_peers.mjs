// SPDX-License-Identifier: MIT
// contestants_peers.mjs: ringbuf.js and messages between workers.
//
// ringbuf.js runs with elements of 8 bytes, as it is fastest, and takes what is there when that is less than a batch;
// with and without a pause after a try that failed. Messages are numbers, arrays of numbers and typed arrays; their
// sender never waits for room, a queue without an end is part of them.
import { pause } from '../../wasm/src/wait.mjs';
import { CAPACITY, Type, inNode, meet, now } from './contestant.mjs';

/** @typedef {import('./contestant.mjs').Contestant} Contestant */

const { RingBuffer } = await import(inNode ? 'ringbuf.js' : '/ringbuf.js/index.mjs');
const PAUSE_TURNS = 40;

/** @returns {Contestant} */
export function ringbuf(itemBytes, batch, turns) {
  const elements = itemBytes / 8;
  const last = elements - 1;
  return {
    name: turns ? 'ringbuf.js, with pauses' : 'ringbuf.js', family: 'ringbuf.js',
    make: () => ({ buffer: RingBuffer.getStorageForCapacity(CAPACITY * elements, Type) }),
    left({ buffer, gate, count }) {
      const ring = new RingBuffer(buffer, Type);
      const source = new Type(elements * batch);
      meet(gate);
      for (let i = 0; i < count; i += batch) {
        for (let k = 0; k < batch; k++) {
          source[k * elements] = i + k;
          source[k * elements + last] = i + k;
        }
        for (let done = 0; done < source.length;) {
          const n = ring.push(source, source.length - done, done);
          if (n === 0 && turns) pause(turns);
          done += n;
        }
      }
    },
    right({ buffer, gate, count }) {
      const ring = new RingBuffer(buffer, Type);
      const out = new Type(elements * batch);
      let right = 0;
      meet(gate);
      const start = now();
      for (let i = 0; i < count; i += batch) {
        for (let done = 0; done < out.length;) {
          const n = ring.pop(out, out.length - done, done);
          if (n === 0 && turns) pause(turns);
          done += n;
        }
        for (let k = 0; k < batch; k++)
          right += out[k * elements] === i + k && out[k * elements + last] === i + k ? 1 : 0;
      }
      return { ns: now() - start, right };
    },
  };
}

/** Its storage is lent to a function that writes; there is no such call that reads. @returns {Contestant} */
export function ringbufInPlace(itemBytes, batch) {
  const elements = itemBytes / 8;
  return {
    ...ringbuf(itemBytes, batch, 0),
    name: 'ringbuf.js, written in place',
    left({ buffer, gate, count }) {
      const ring = new RingBuffer(buffer, Type);
      const limit = count * elements;
      let i = 0;
      // these are elements, and what is lent may end within an item
      const write = (storage, first, firstLength, second, secondLength) => {
        numberElements(storage, first, firstLength, i, elements);
        numberElements(storage, second, secondLength, i + firstLength, elements);
        i += firstLength + secondLength;
      };
      meet(gate);
      while (i < limit) ring.writeCallbackWithOffset(batch * elements, write);
    },
  };
}

/** Number, of elements i to i + length of all, those that begin or end an item. */
function numberElements(storage, at, length, i, elements) {
  const end = i + length;
  if (elements === 1) {
    for (let k = i; k < end; k++) storage[at + k - i] = k;
    return;
  }
  let item = Math.ceil(i / elements);
  for (let k = item * elements; k < end; k += elements) storage[at + k - i] = item++;
  item = Math.floor(i / elements);
  for (let k = (item + 1) * elements - 1; k < end; k += elements) storage[at + k - i] = item++;
}

/** @type {Contestant} */
export const ringbufRoundTrip = {
  name: 'ringbuf.js, spinning', family: 'ringbuf.js',
  make: () => ({ there: RingBuffer.getStorageForCapacity(CAPACITY, Type),
    back: RingBuffer.getStorageForCapacity(CAPACITY, Type) }),
  left({ there, back, gate, count }) {
    const [from, to, item] = [new RingBuffer(there, Type), new RingBuffer(back, Type), new Type(1)];
    meet(gate);
    for (let i = 0; i < count; i++) {
      while (from.pop(item) === 0);
      to.push(item);
    }
  },
  right({ there, back, gate, count }) {
    const [to, from, item] = [new RingBuffer(there, Type), new RingBuffer(back, Type), new Type(1)];
    let right = 0;
    meet(gate);
    const start = now();
    for (let i = 0; i < count; i++) {
      item[0] = i;
      to.push(item);
      item[0] = -1;
      while (from.pop(item) === 0);
      right += item[0] === i ? 1 : 0;
    }
    return { ns: now() - start, right };
  },
};

/** What a message of so many items is made of. */
const FORMS = {
  number: () => (i) => i,
  array: (length) => {
    const source = new Array(length).fill(0);
    return (i, batch) => fill(source, i, batch);
  },
  'typed array': (length) => {
    const source = new Type(length);
    return (i, batch) => fill(source, i, batch);
  },
};

/** Numbers in order, if there are several items; else the item's number at both ends. */
function fill(source, i, batch) {
  for (let k = 0; k < batch; k++) source[k] = i + k;
  if (batch === 1) source[source.length - 1] = i;
  return source;
}

/** @param {number} itemBytes @param {number} batch items a message @param {keyof typeof FORMS} form
 *  @returns {Contestant} */
export function postMessage(itemBytes, batch, form) {
  const length = batch * itemBytes / 8;
  return {
    name: `postMessage, ${form}`, family: 'postMessage', share: 1 / 32,
    make: () => ({}),
    left({ port, gate, count }) {
      const message = FORMS[form](length);
      meet(gate);
      for (let i = 0; i < count; i += batch) port.postMessage(message(i, batch));
      return new Promise((resolve) => { port.onmessage = () => resolve(undefined); }).finally(() => port.close());
    },
    right({ port, gate, count }) {
      meet(gate);
      const start = now();
      let i = 0;
      let right = 0;
      return new Promise((resolve) => {
        port.onmessage = ({ data }) => {
          if (form === 'number') right += data === i ? 1 : 0;
          else if (batch === 1) right += data[0] === i && data[length - 1] === i ? 1 : 0;
          else for (let k = 0; k < batch; k++) right += data[k] === i + k ? 1 : 0;
          i += batch;
          if (i < count) return;
          const ns = now() - start;
          port.postMessage('done');
          resolve({ ns, right });
        };
      });
    },
  };
}

/** @type {Contestant} */
export const portRoundTrip = {
  name: 'MessagePort', family: 'postMessage', share: 1 / 64,
  make: () => ({}),
  left({ port, gate }) {
    meet(gate);
    return new Promise((resolve) => {
      port.onmessage = ({ data }) => {
        if (data === 'done') { port.close(); resolve(undefined); }
        else port.postMessage(data);
      };
    });
  },
  right({ port, gate, count }) {
    meet(gate);
    const start = now();
    let i = 0;
    let right = 0;
    return new Promise((resolve) => {
      port.onmessage = ({ data }) => {
        right += data === i ? 1 : 0;
        i++;
        if (i < count) {
          port.postMessage(i);
          return;
        }
        const ns = now() - start;
        port.postMessage('done');
        resolve({ ns, right });
      };
      port.postMessage(0);
    });
  },
};
