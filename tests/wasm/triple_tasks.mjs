// SPDX-License-Identifier: MIT
// triple_tasks.mjs: what a worker does with its end of a triple buffer.
import { STATUS, expectOk, fail } from './instance.mjs';
import { TripleReader, TripleWriter } from './triple_end.mjs';

/** The tasks of a worker; lookAgain() is called between two tries that found nothing. The ends are C's, or the
 *  package's behind the same calls (js_ends.mjs). */
export const tripleTasks = ({ tern, memory, heap, lookAgain, Writer = TripleWriter, Reader = TripleReader }) => ({
  /** Publish `count` frames as fast as it goes, and close. */
  triplePublish({ triple, count }) {
    const writer = new Writer(tern, memory, heap, triple);
    let replaced = 0;
    for (let i = 0; i < count; i++) replaced += writer.publish();
    writer.close();
    return { replaced, status: writer.status() };
  },

  /** Read until the triple buffer is closed and its last frame was seen; verify each frame. */
  tripleRead({ triple, wait, spinChecks }) {
    const reader = new Reader(tern, memory, heap, triple, spinChecks);
    let read = 0;
    let last = 0;
    for (;;) {
      const status = wait ? reader.wait() : reader.status();
      if (status === STATUS.CLOSED) break;
      expectOk(status, `after frame ${last}`);
      if (!reader.update()) {
        lookAgain();
        continue;
      }
      if (reader.frame <= last) fail(`frame ${reader.frame} after ${last}`);
      if (!reader.isWhole()) fail(`frame ${reader.frame} is torn`);
      last = reader.frame;
      read++;
    }
    return { read, dropped: reader.dropped, last };
  },

  /** `count` round trips, asleep at every turn: one begins, the other answers. */
  triplePingPong({ out, back, count, begins }) {
    const writer = new Writer(tern, memory, heap, out);
    const reader = new Reader(tern, memory, heap, back, 0);
    for (let number = 1; number <= count; number++) {
      if (begins && writer.publish()) fail(`frame ${number} replaces one that was not read`);
      expectOk(reader.wait(), `wait for frame ${number}`);
      if (!reader.update() || reader.frame !== number || !reader.isWhole())
        fail(`not frame ${number}: ${reader.frame}`);
      if (!begins && writer.publish()) fail(`frame ${number} replaces one that was not read`);
    }
    return { dropped: reader.dropped };
  },

  /** Wait on a triple buffer without a writer: the time-out must come, and not before its time. */
  tripleTimeOut({ triple, timeoutMs }) {
    const reader = new Reader(tern, memory, heap, triple, 0);
    const started = process.hrtime.bigint();
    const status = reader.wait(BigInt(timeoutMs) * 1000000n);
    return { status, front: reader.front, elapsedMs: Number(process.hrtime.bigint() - started) / 1e6 };
  },
});
