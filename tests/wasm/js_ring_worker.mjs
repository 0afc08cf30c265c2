// SPDX-License-Identifier: MIT
// js_ring_worker.mjs: what a worker does with the package's ends of rings and streams; C's ends are in worker.mjs.
import { parentPort, workerData } from 'node:worker_threads';
import { Ring, STATUS, Stream } from '../../wasm/src/index.mjs';
import { addToChecksum, payload } from './ring_end.mjs';

const { memory } = workerData;
const type = Uint32Array;

// counts what the package does
let [sleeps, wakes] = [0, 0];
const { wait, notify } = Atomics;
Atomics.wait = (...what) => { sleeps++; return wait(...what); };
Atomics.notify = (...what) => { wakes++; return notify(...what); };

// A spinner whose other end is not running gives its processor away now and then.
const TRIES_BEFORE_NAP = 1000;
const napWord = new Int32Array(new SharedArrayBuffer(4));
let tries = 0;
function lookAgain() {
  if (++tries % TRIES_BEFORE_NAP === 0) wait(napWord, 0, 0, 0.05);
}

function expectItem([got, second], number) {
  if (got !== number >>> 0 || second !== payload(number)) throw new Error(`item ${number}: got ${got} with ${second}`);
}

/** Bytes of the record with this number. */
const lengthOf = (number, most) => payload(number) % (number % 16 === 0 ? most + 1 : Math.min(64, most));

const isClosed = (error) => error.status === STATUS.ERR_CLOSED;

const tasks = {
  produce({ ring, count, wait: waits, spinChecks, batch }) {
    const producer = Ring.producer(memory, ring.at, { type, spinChecks });
    const items = new type(2 * (batch ?? 1));
    let checksum = 0;
    for (let number = 0; number < count;) {
      let n = 0;
      for (; n < (batch ?? 1) && number < count; n++, number++) {
        items[2 * n] = number;
        items[2 * n + 1] = payload(number);
        checksum = addToChecksum(checksum, items[2 * n + 1]);
      }
      if (batch && waits) {
        const part = n === batch ? items : items.subarray(0, 2 * n);
        if (producer.pushManyWait(part) !== n) throw new Error('pushManyWait');
      } else if (batch) {
        for (let done = 0; done < n;) if ((done += producer.tryPushMany(items, done, n - done)) < n) lookAgain();
      } else if (waits) {
        if (!producer.pushWait(items)) throw new Error('pushWait');
      } else {
        while (!producer.tryPush(items)) lookAgain();
      }
    }
    producer.close();
    return { checksum, count };
  },

  consume({ ring, wait: waits, spinChecks, batch }) {
    const consumer = Ring.consumer(memory, ring.at, { type, spinChecks });
    const items = new type(2 * (batch ?? 1));
    let checksum = 0;
    let count = 0;
    for (;;) {
      let n = 0;
      if (waits) {
        try {
          n = batch ? consumer.popManyWait(items) : Number(consumer.popWait(items));
        } catch (error) {
          if (isClosed(error)) break;
          throw error;
        }
      } else {
        n = batch ? consumer.tryPopMany(items) : Number(consumer.tryPop(items));
        if (n === 0) {
          if (consumer.status === STATUS.ERR_CLOSED) break;
          lookAgain();
        }
      }
      for (let i = 0; i < n; i++, count++) {
        expectItem([items[2 * i], items[2 * i + 1]], count);
        checksum = addToChecksum(checksum, items[2 * i + 1]);
      }
    }
    return { checksum, count };
  },

  pingPong({ out, back, count, begins, spinChecks }) {
    const to = Ring.producer(memory, out.at, { type, spinChecks });
    const from = Ring.consumer(memory, back.at, { type, spinChecks });
    const item = new type(2);
    for (let number = 0; number < count; number++) {
      for (const isSend of [begins, !begins]) {
        if (isSend) {
          item[0] = number;
          item[1] = payload(number);
          to.pushWait(item);
        } else {
          from.popWait(item);
          expectItem(item, number);
        }
      }
    }
    return { count };
  },

  timeOut({ ring, timeoutMs }) {
    const consumer = Ring.consumer(memory, ring.at, { type, spinChecks: 0 });
    const started = performance.now();
    const got = consumer.popWait(new type(2), timeoutMs);
    return { got, elapsedMs: performance.now() - started };
  },

  /** Records of all lengths, each filled with its number. */
  send({ stream, count, wait: waits, spinChecks }) {
    const producer = Stream.producer(memory, stream.at, { spinChecks });
    const record = new Uint8Array(producer.maxRecordBytes);
    for (let number = 0; number < count; number++) {
      const bytes = record.subarray(0, lengthOf(number, record.length)).fill(number);
      if (waits) producer.sendWait(number, bytes);
      else while (!producer.trySend(number, bytes)) lookAgain();
    }
    producer.close();
    return { count };
  },

  receive({ stream, wait: waits, spinChecks }) {
    const consumer = Stream.consumer(memory, stream.at, { spinChecks });
    let count = 0;
    for (;;) {
      let record = null;
      try {
        record = waits ? consumer.peekWait() : consumer.peek();
      } catch (error) {
        if (isClosed(error)) break;
        throw error;
      }
      if (record === null) {
        if (consumer.status === STATUS.ERR_CLOSED) break;
        lookAgain();
        continue;
      }
      const length = lengthOf(count, consumer.maxRecordBytes);
      if (record.kind !== count || record.length !== length) 
        throw new Error(`record ${count} is ${record.kind}, ${record.length} bytes`);
      for (let i = 0; i < length; i++)
        if (consumer.bytes[record.at + i] !== (count & 255)) throw new Error(`record ${count}, byte ${i}`);
      consumer.release();
      count++;
    }
    return { count };
  },
};

parentPort.on('message', ({ name, argument }) => {
  const before = [sleeps, wakes];
  try {
    const result = tasks[name](argument);
    parentPort.postMessage({ ...result, sleeps: sleeps - before[0], wakes: wakes - before[1] });
  } catch (error) {
    parentPort.postMessage({ error: error.stack });
  }
});
parentPort.postMessage({ ready: true });
