// SPDX-License-Identifier: MIT
// pool_tasks.mjs: what a worker does with a pool. Handles travel through a ring.
import { STATUS, expectOk, fail } from './instance.mjs';
import { DEFERRED, FULL, Pool, STALE } from './pool_view.mjs';
import { randomOf } from './random.mjs';
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

  /** `count` random calls, beside those of others, of handles that all share: `cells` hold one each, as one word. */
  churnPool({ pool: at, cells, cellCount, count, seed }) {
    const pool = new View(tern, memory, heap, at);
    const shared = new Int32Array(memory.buffer, cells, cellCount);
    const random = randomOf(seed);
    const done = { made: 0, freed: 0, deferred: 0, pinned: 0, full: 0 };
    const handleOf = (cell) => [cell >>> 24, cell & 0xffffff];
    const free = (handle) => {
      const status = pool.free(handle);
      if (status === STATUS.OK || status === DEFERRED) done.freed++;
      else if (status !== STALE) fail(`free of ${handle}: status ${status}`);
      if (status === DEFERRED) done.deferred++;
    };
    const expectSame = (item, handle) => {
      for (let look = 0; look < 8; look++)
        if (Atomics.load(item, 0) !== handle[0] || Atomics.load(item, 1) !== handle[1]) fail(`${item}, not ${handle}`);
    };
    const expectHeld = (item, handle) => {
      expectSame(item, handle);
      done.pinned++;
      pool.unpin(handle);
    };
    for (let i = 0; i < count; i++) {
      const cell = random(cellCount);
      const handle = handleOf(Atomics.load(shared, cell));
      const which = random(9);
      if (which < 3) {
        const { status, handle: made, item } = pool.alloc();
        if (status === FULL) {
          done.full++;
          continue;
        }
        expectOk(status, `alloc, after ${i} calls`);
        Atomics.store(item, 0, made[0]);
        Atomics.store(item, 1, made[1]);
        done.made++;
        const old = Atomics.exchange(shared, cell, made[0] << 24 | made[1]);
        if (old !== 0) free(handleOf(old));
      } else if (handle[1] === 0) {
        continue;
      } else if (which === 3) {
        free(handle);
      } else if (which < 6) {
        const item = pool.pin(handle);
        if (item) expectHeld(item, handle);
      } else if (which === 6) {
        if (pool.read(handle) === STATUS.OK) expectSame(pool.copy, handle);
      } else {
        // the next item of the slot, which may be there by now, and be filled by its maker
        const next = [handle[0], handle[1] + 1];
        if (pool.pin(next)) pool.unpin(next);
      }
    }
    return done;
  },
});
