// SPDX-License-Identifier: MIT
// worker.mjs: one worker. Its ends are C's, in wasm: it pops commands by tern_ring_pop_wait() and publishes frames by
// tern_triple_publish(); their views lie in the worker's own arena.
import { FRAME, POINTS, checksum } from './shape.mjs';

const FOREVER = -1n;            // TERN_WAIT_FOREVER
const [OK, CLOSED] = [0, -9];
const VIEW_BYTES = 512;         // room for any view

/** @param {import('../../wasm/src/runtime_script.mjs').WorkerScope} worker */
export default function setup(worker) {
  const tern = /** @type {Record<string, Function>} */ (worker.exports);
  const [consumer, writer] = [worker.arena.allocate(VIEW_BYTES, 64), worker.arena.allocate(VIEW_BYTES, 64)];
  const command = worker.arena.allocate(8);

  /** @param {number} status @param {string} what */
  const expectOk = (status, what) => { if (status !== OK) throw new Error(`${what}: status ${status}`); };

  return {
    /** @param {{ commands: number, frames: number }} places of the ring and the triple buffer */
    simulate({ commands, frames }) {
      const { buffer } = worker.memory;
      expectOk(tern.tern_ring_attach_consumer(consumer, commands, buffer.byteLength - commands), 'ring');
      expectOk(tern.tern_triple_attach_writer(writer, frames, buffer.byteLength - frames), 'triple buffer');
      const [order, points] = [new Int32Array(buffer, command, 2), new Int32Array(POINTS)];
      let steps = 0;
      let total = 0;
      for (;;) {
        // asleep until Node sends something
        const status = worker.idle(() => tern.tern_ring_pop_wait(consumer, command, FOREVER));
        if (status === CLOSED) return { steps, total };
        expectOk(status, 'pop');
        for (let i = 0; i < order[0]; i++, steps++) {
          total += order[1];
          for (let p = 0; p < POINTS; p++) points[p] = p === 0 ? total : points[p] + p * order[1];
          const back = new Int32Array(buffer, tern.tern_triple_back(writer), FRAME.bufferSizeBytes / 4);
          back.set(points);
          back[POINTS] = checksum(points);
          tern.tern_triple_publish(writer);
        }
      }
    },
  };
}
