// SPDX-License-Identifier: MIT
// pool_tasks.mjs: what a worker does with a pool. Handles travel through a ring.
import { STATUS, expectOk, fail } from './instance.mjs';
import { DEFERRED, FULL, Pool, STALE } from './pool_view.mjs';
import { End, addToChecksum, payload } from './ring_end.mjs';

/** An item holds its own handle, its number and what belongs to the number. */
function expectItem(words, handle, number) {
  const expected = [...handle, number, payload(number)];
  if (!words || expected.some((word, i) => words[i] !== word)) fail(`item ${number}: ${words}, not ${expected}`);
}

function expectRefused(pool, handle, what) {
  if (pool.get(handle) || pool.pin(handle)) fail(`${what}: a stale handle is accepted`);
  if (pool.read(handle) !== STALE || pool.free(handle) !== STALE) fail(`${what}: a stale handle is not STALE`);
}

/** The tasks of a worker; lookAgain() is called between two tries that found nothing. The pools are C's, or the
 *  package's behind the same calls (js_ends.mjs). */
export const poolTasks = ({ tern, memory, heap, lookAgain, View = Pool }) => ({
  /** Allocate and fill `count` items and pass their handles on, asleep while the ring is full. */
  makeItems({ pool: at, ring, count, spinChecks }) {
    const pool = new View(tern, memory, heap, at);
    const end = new End(tern, memory, heap, ring, 'producer', spinChecks);
    let checksum = 0;
    let full = 0;
    for (let number = 0; number < count;) {
      const { status, handle, item } = pool.alloc();
      if (status === FULL) {
        full++;
        lookAgain();
        continue;
      }
      expectOk(status, `alloc of item ${number}`);
      item.set([...handle, number, payload(number)]);
      end.words.set(handle);
      expectOk(end.pushWait(), `push_wait of handle ${number}`);
      checksum = addToChecksum(checksum, payload(number));
      number++;
    }
    end.closeProducer();
    return { checksum, count, full };
  },

  /** Take handles until the ring is closed, asleep while there are none; pin, read and free. */
  takeItems({ pool: at, ring, spinChecks }) {
    const pool = new View(tern, memory, heap, at);
    const end = new End(tern, memory, heap, ring, 'consumer', spinChecks);
    const dead = [];
    let checksum = 0;
    let count = 0;
    for (;;) {
      const status = end.popWait();
      if (status === STATUS.CLOSED) break;
      expectOk(status, `pop_wait of handle ${count}`);
      const handle = [...end.words];
      const item = pool.pin(handle);
      expectItem(item, handle, count);
      expectOk(pool.read(handle), `read of item ${count}`);
      expectItem(pool.copy, handle, count);
      checksum = addToChecksum(checksum, pool.copy[3]);
      if (count % 2 === 0) {
        // freed under the pin: stale at once, but the item stays until unpin
        if (pool.free(handle) !== DEFERRED) fail(`free of pinned item ${count} is not deferred`);
        expectRefused(pool, handle, `item ${count}, dying`);
        expectItem(item, handle, count);
        pool.unpin(handle);
      } else {
        pool.unpin(handle);
        expectOk(pool.free(handle), `free of item ${count}`);
      }
      dead.push(handle);
      if (dead.length > 20) dead.shift();
      expectRefused(pool, dead[0], `item ${count - dead.length + 1}, reused since`);
      expectRefused(pool, handle, `item ${count}`);
      count++;
    }
    return { checksum, count };
  },
});
