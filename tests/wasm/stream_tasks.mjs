// SPDX-License-Identifier: MIT
// stream_tasks.mjs: what a worker does with its end of a stream.
import { STATUS, expectOk, fail } from './instance.mjs';
import { addToChecksum, payload } from './ring_end.mjs';
import { StreamEnd } from './stream_end.mjs';

const lengthOf = (number, most) => payload(number) % (most + 1);

function fill(bytes, number) {
  for (let i = 0; i < bytes.length; i++) bytes[i] = number + i * 7;
}

/** Check that this is the record with this number; its bytes go into the checksum. */
function checked(record, number, most, sum) {
  const { bytes, kind } = record;
  if (kind !== payload(number) || bytes.length !== lengthOf(number, most))
    fail(`record ${number}: kind ${kind}, ${bytes.length} bytes`);
  let next = addToChecksum(sum, kind);
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== ((number + i * 7) & 255)) fail(`record ${number}: byte ${i} is ${bytes[i]}`);
    next = addToChecksum(next, bytes[i]);
  }
  return next;
}

/** The tasks of a worker; lookAgain() is called between two tries that found nothing. */
export const streamTasks = ({ tern, memory, heap, lookAgain }) => ({
  /** Send `count` records of up to `most` bytes and close: every other one in place, reserved at full length. */
  produceRecords({ stream, count, most, wait, spinChecks }) {
    const end = new StreamEnd(tern, memory, heap, stream, 'producer', spinChecks);
    let checksum = 0;
    for (let number = 0; number < count; number++) {
      const length = lengthOf(number, most);
      const kind = payload(number);
      if (number % 2 === 0) {
        fill(end.bytes(end.room, length), number);
        if (wait) expectOk(end.sendWait(kind, length), `send_wait of record ${number}`);
        else while (!end.send(kind, length)) lookAgain();
      } else {
        let at;
        if (wait) at = end.reserveWait(most);
        else while (!(at = end.reserve(most))) lookAgain();
        if (at < 0) fail(`reserve_wait of record ${number}: ${at}`);
        fill(end.bytes(at, length), number);
        end.commit(kind, length);
      }
      checksum = addToChecksum(checksum, kind);
      for (let i = 0; i < length; i++) checksum = addToChecksum(checksum, (number + i * 7) & 255);
    }
    end.closeProducer();
    return { checksum, count };
  },

  /** Receive until the stream is closed and empty, and verify each record: every other one where it lies. */
  consumeRecords({ stream, most, wait, spinChecks }) {
    const end = new StreamEnd(tern, memory, heap, stream, 'consumer', spinChecks);
    let checksum = 0;
    let count = 0;
    for (;;) {
      const inPlace = count % 3 === 0;
      let record;
      if (wait) {
        const status = inPlace ? end.peekWait() : end.receiveWait();
        if (status === STATUS.CLOSED) break;
        expectOk(status, `record ${count}`);
        record = end.record(inPlace ? end.words[2] : end.room);
      } else {
        record = inPlace ? end.peek() : end.receive();
        if (!record) {
          if (end.consumerStatus() === STATUS.CLOSED) break;
          lookAgain();
          continue;
        }
      }
      checksum = checked(record, count, most, checksum);
      if (inPlace) end.release();
      count++;
    }
    return { checksum, count };
  },

  /** Wait on an empty stream for a while: the time-out must come, and not before its time. */
  timeOutRecords({ stream, timeoutMs }) {
    const end = new StreamEnd(tern, memory, heap, stream, 'consumer', 0);
    const started = process.hrtime.bigint();
    const status = end.peekWait(BigInt(timeoutMs) * 1000000n);
    return { status, elapsedMs: Number(process.hrtime.bigint() - started) / 1e6 };
  },
});
