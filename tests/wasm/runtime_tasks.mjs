// SPDX-License-Identifier: MIT
// runtime_tasks.mjs: the script that js_runtime.test.mjs runs as workers and in mode 'single'.
import { Memory } from '../../wasm/src/index.mjs';
import { Role } from '../../wasm/src/region_peers.mjs';

const text = (bytes) => new TextDecoder().decode(Uint8Array.from(bytes));

export default async function setup(worker) {
  const { memory, arena } = worker;
  const words = () => new Int32Array(memory.buffer);
  const view = Memory.of(memory);
  let steps = 0;
  worker.onMessage = (message) => {
    if (message.fail) throw new Error(message.fail);
    worker.post({ ...message, from: worker.index });
  };
  if (worker.data?.endMark) worker.onEnd = () => { Atomics.add(words(), worker.data.endMark / 4, 1); };

  return {
    add: ({ a, b }) => a + b,
    who: () => ({ index: worker.index, life: worker.life, mode: worker.mode, canBlock: worker.canBlock,
      workers: worker.workers, arena: { offset: arena.offset, bytes: arena.bytes }, shared: view.shared }),
    wasm: () => ({ stackAt: worker.exports.test_stack_address(), tlsAt: worker.exports.__tls_base?.value,
      backend: text(view.bytes(worker.exports.tern_wait_backend(), 4)) }),
    /** Fill the arena, and check that it is as filled, many times: another's bytes would show. */
    fill: async ({ rounds, value }) => {
      for (let round = 0; round < rounds; round++) {
        view.bytes(arena.offset, arena.bytes).fill(value + round);
        await worker.sleep(0);
        if (!view.bytes(arena.offset, arena.bytes).every((byte) => byte === ((value + round) & 255))) return false;
      }
      return true;
    },
    arenaByte: () => view.bytes(arena.offset, 1)[0],
    allocate: ({ bytes, alignment }) => arena.allocate(bytes, alignment),
    /** Take the first end of an object; who we are. */
    hold: (name) => {
      const { region } = worker;
      new Role(region.table, region.reference, region.find(name).index, 0).take(name);
      return region.peer;
    },
    find: (name) => worker.region.find(name).offsetBytes,
    grow: (pages) => memory.grow(pages),
    size: () => memory.buffer.byteLength,
    /** Steps that take 0.1 ms each, until the worker ends. */
    spin: () => {
      void worker.loop(() => {
        steps++;
        for (const end = performance.now() + 0.1; performance.now() < end;);
      });
    },
    nap: () => { void worker.loop(() => { steps++; return 1; }); },
    countTo: async (most) => { await worker.loop(() => ++steps < most); return steps; },
    countAsync: async (most) => {
      await worker.loop(async () => { await null; return ++steps < most; });
      return steps;
    },
    steps: () => steps,
    /** A call that does not return by itself, and sees the end or not. */
    untilEnd: () => { while (!worker.ending); return 'seen'; },
    compute: () => { for (;;); },
    block: () => { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); },
    recurse: (levels) => worker.exports.test_recurse(levels),
    write: ({ at, value }) => { words()[at / 4] = value; },
    throwNow: () => { throw Object.assign(new RangeError('thrown by the call'), { code: 'OWN' }); },
    throwLater: () => { setTimeout(() => { throw new Error('thrown later'); }, 1); },
    rejectLater: () => { void Promise.reject(new Error('rejected')); },
    throwInLoop: () => { void worker.loop(() => { throw new Error('thrown in a loop'); }); },
    exit: () => { process.exit(3); },
    uncloneable: () => () => {},
  };
}
