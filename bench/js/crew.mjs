// SPDX-License-Identifier: MIT
// crew.mjs: two workers, and turns of contestants in them; the main thread's half, of Node or of a page.
//
// A contestant has a crew of its own while its cell is measured, so that nobody's types spoil another's compiled code.
// Neither Node nor a page can pin a thread to a processor: the system moves workers as it likes, and medians over turns
// must do. Only ratios within one run mean anything.
import { cells } from './cells.mjs';
import { inNode } from './contestant.mjs';

const SCRIPT = new URL('worker.mjs', import.meta.url);

/** @returns {Promise<any>} a worker with the interface that pages have */
async function start() {
  if (!inNode) return new Worker(SCRIPT, { type: 'module' });
  const { Worker: NodeWorker } = await import('node:worker_threads');
  const worker = new NodeWorker(SCRIPT);
  const adapted = {
    onmessage: undefined, onerror: undefined,
    postMessage: worker.postMessage.bind(worker), terminate: () => worker.terminate(),
  };
  worker.on('message', (data) => adapted.onmessage?.({ data }));
  worker.on('error', (error) => adapted.onerror?.({ message: error.stack }));
  return adapted;
}

/** The next message of a worker. */
const answer = (worker) => new Promise((resolve, reject) => {
  worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.outcome));
  worker.onerror = (event) => reject(new Error(`a worker failed: ${event.message ?? SCRIPT}`));
});

/** @type {Map<string, any[]>} two workers by the name of the crew */
const crews = new Map();

/** The workers of a crew, started if need be. @param {string} name */
export async function crew(name) {
  if (!crews.has(name)) {
    const workers = [await start(), await start()];
    crews.set(name, workers);
    await Promise.all(workers.map(answer));
  }
  return crews.get(name);
}

/** End all workers. */
export async function endCrews() {
  for (const worker of [...crews.values()].flat()) await worker.terminate();
  crews.clear();
}

/**
 * One turn.
 *
 * @param {string} crewName
 * @param {string} cell its name
 * @param {string} contestant its name
 * @param {number} count items
 * @param {import('./contestant.mjs').Assets} assets
 * @returns {Promise<import('./contestant.mjs').Outcome>}
 */
export async function turn(crewName, cell, contestant, count, assets) {
  const workers = await crew(crewName);
  const of = cells.find(({ name }) => name === cell)?.contestants.find(({ name }) => name === contestant);
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const { port1, port2 } = new MessageChannel();
  const made = of?.make?.(assets);
  const answers = Promise.all(workers.map(answer));
  for (const [i, port] of [port1, port2].entries()) {
    workers[i].postMessage({ cell, contestant, side: i === 0 ? 'left' : 'right',
      job: { ...made, gate, count, port } }, [port]);
  }
  return /** @type {any} */ ((await answers)[1]);
}
