// SPDX-License-Identifier: MIT
// crew.mjs: two worker threads on one shared memory, and tasks for them.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Heap, instantiate, loadModule, newMemory } from './instance.mjs';
import { makeRing } from './ring_end.mjs';

const AREA_BYTES = 4096;

export class Crew {
  /** Two workers that are ready, each with its own stack and thread-local storage. */
  static async start(workers = 2) {
    const crew = new Crew();
    crew.module = loadModule('threads');
    crew.memory = newMemory('threads');
    crew.heap = new Heap(crew.module, crew.memory);
    crew.tern = instantiate(crew.module, crew.memory, { tls: crew.heap.place().tls });
    crew.tern.test_count_sleeps();
    crew.workers = [];
    crew.ready = [];
    crew.stacks = [];
    for (let i = 0; i < workers; i++) {
      const workerData = {
        module: crew.module, memory: crew.memory, place: crew.heap.place(),
        area: { at: crew.heap.take(AREA_BYTES), bytes: AREA_BYTES },
      };
      const worker = new Worker(new URL('./worker.mjs', import.meta.url), { workerData });
      crew.workers.push(worker);
      crew.stacks.push(workerData.place.stack);
      crew.ready.push((await once(worker, 'message'))[0]);
    }
    return crew;
  }

  ring(description) { return makeRing(this.tern, this.memory, this.heap, { itemBytes: 8, ...description }); }

  /** Start a task on a worker; its result, or its error. */
  async task(worker, name, argument) {
    this.workers[worker].postMessage({ name, argument });
    const [result] = await once(this.workers[worker], 'message');
    if (result.error) throw new Error(`worker ${worker}, ${name}: ${result.error}`);
    return result;
  }

  async stop() { await Promise.all(this.workers.map((worker) => worker.terminate())); }
}
