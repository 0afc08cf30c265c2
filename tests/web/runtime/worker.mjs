// SPDX-License-Identifier: MIT
// worker.mjs: the script of the workers in runtime.test.mjs; in mode 'single' the page runs it.
import { Ring } from '../src/index.mjs';
import { expect, fill, openEnd } from './ends.mjs';

export default function setup(worker) {
  const open = (kind, ring, role, spinChecks) => openEnd(worker, kind, ring, role, spinChecks);
  return {
    who: () => ({ index: worker.index, life: worker.life, mode: worker.mode, canBlock: worker.canBlock,
      stackAt: worker.exports?.test_stack_address(), tlsAt: worker.exports?.__tls_base?.value }),
    /** Ends of former calls are gone: their places are free. */
    reset: () => worker.arena.reset(),

    /** Push `count` items, asleep when there is no room, and close. */
    produce({ kind, ring, count, spinChecks }) {
      const end = open(kind, ring, 'producer', spinChecks);
      const before = end.sleeps();
      for (let number = 0; number < count; number++) {
        fill(end.item(), number);
        end.push();
      }
      end.close();
      return { count, sleeps: end.sleeps() - before };
    },

    /** Pop and check until the ring is closed. */
    consume({ kind, ring, spinChecks }) {
      const end = open(kind, ring, 'consumer', spinChecks);
      const before = end.sleeps();
      let count = 0;
      for (; end.pop(); count++) expect(end.item(), count);
      return { count, sleeps: end.sleeps() - before };
    },

    /** Round trips: one begins, the other answers, after some time if the other side is to fall asleep meanwhile. */
    pingPong({ kind, out, back, count, begins, spinChecks, delayMs = 0 }) {
      const to = open(kind, out, 'producer', spinChecks);
      const from = open(kind, back, 'consumer', spinChecks);
      const before = [to, from].map((end) => end.sleeps())[kind === 'js' ? 1 : 0];
      for (let number = 0; number < count; number++) {
        if (begins) {
          fill(to.item(), number);
          to.push();
        }
        if (!from.pop()) throw new Error(`closed at ${number}`);
        expect(from.item(), number);
        if (begins) continue;
        fill(to.item(), number);
        for (const end = performance.now() + delayMs; performance.now() < end;);
        to.push();
      }
      return { count, sleeps: from.sleeps() - before };
    },

    /** In turns, without blocking: a producer or a consumer of `count` items in either mode. */
    async inTurns({ ring, role, count }) {
      const end = Ring[role](worker.memory, ring, { type: Int32Array });
      const item = new Int32Array(2);
      let number = 0;
      await worker.loop(() => {
        if (number === count) return false;
        if (role === 'producer') {
          fill(item, number);
          if (!end.tryPush(item)) return 0;
        } else {
          if (!end.tryPop(item)) return 0;
          expect(item, number);
        }
        number++;
        return true;
      });
      return number;
    },
    block: () => { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); },
    throwLater: () => { setTimeout(() => { throw new Error('thrown later'); }, 1); },
    rejectLater: () => { void Promise.reject(new Error('rejected later')); },
    recurse: (levels) => worker.exports.test_recurse(levels),
  };
}
