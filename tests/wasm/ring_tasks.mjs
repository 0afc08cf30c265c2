// SPDX-License-Identifier: MIT
// ring_tasks.mjs: what a worker does with its end of a ring.
import { STATUS, expectOk, fail } from './instance.mjs';
import { End, addToChecksum, payload } from './ring_end.mjs';

/** Check that the item at this end is the one with this number. */
function expectItem(end, number) {
  const [got, second] = end.words;
  if (got !== number >>> 0 || second !== payload(number))
    fail(`item ${number}: got ${got} with ${second}, not ${payload(number)}`);
}

/** The tasks of a worker; lookAgain() is called between two tries that found nothing. */
export const ringTasks = ({ tern, memory, heap, lookAgain }) => ({
  /** Push `count` items and close. wait: push_wait without a time-out, else try again. */
  produce({ ring, count, wait, spinChecks }) {
    const end = new End(tern, memory, heap, ring, 'producer', spinChecks);
    let checksum = 0;
    for (let number = 0; number < count; number++) {
      end.words[0] = number;
      end.words[1] = payload(number);
      checksum = addToChecksum(checksum, end.words[1]);
      if (wait) expectOk(end.pushWait(), `push_wait of item ${number}`);
      else while (!end.push()) lookAgain();
    }
    end.closeProducer();
    return { checksum, count };
  },

  /** Pop until the ring is closed and empty, and verify each item. */
  consume({ ring, wait, spinChecks }) {
    const end = new End(tern, memory, heap, ring, 'consumer', spinChecks);
    let checksum = 0;
    let count = 0;
    for (;;) {
      if (wait) {
        const status = end.popWait();
        if (status === STATUS.CLOSED) break;
        expectOk(status, `pop_wait of item ${count}`);
      } else if (!end.pop()) {
        if (end.consumerStatus() === STATUS.CLOSED) break;
        lookAgain();
        continue;
      }
      expectItem(end, count);
      checksum = addToChecksum(checksum, end.words[1]);
      count++;
    }
    return { checksum, count };
  },

  /** `count` round trips, asleep at every turn: one begins, the other answers. */
  pingPong({ out, back, count, begins, spinChecks }) {
    const to = new End(tern, memory, heap, out, 'producer', spinChecks);
    const from = new End(tern, memory, heap, back, 'consumer', spinChecks);
    const send = (number) => {
      to.words[0] = number;
      to.words[1] = payload(number);
      expectOk(to.pushWait(), `push_wait of ${number}`);
    };
    const receive = (number) => {
      expectOk(from.popWait(), `pop_wait of ${number}`);
      expectItem(from, number);
    };
    for (let number = 0; number < count; number++) {
      if (begins) send(number);
      receive(number);
      if (!begins) send(number);
    }
    return { count };
  },

  /** Wait on an empty ring for a while: the time-out must come, and not before its time. */
  timeOut({ ring, timeoutMs }) {
    const end = new End(tern, memory, heap, ring, 'consumer', 0);
    const started = process.hrtime.bigint();
    const status = end.popWait(BigInt(timeoutMs) * 1000000n);
    return { status, elapsedMs: Number(process.hrtime.bigint() - started) / 1e6 };
  },
});
