// SPDX-License-Identifier: MIT
// lib.mjs: a small harness for benchmarks of two Node workers that share memory.
//
// A contestant of a cell is two functions, left and right, that run in two workers which are kept for it alone, so
// that nobody's types spoil another's compiled code. All contestants of a cell run in turns, in another order each
// time; the first turns warm up and do not count. Node cannot pin a thread to a processor: the system moves workers
// as it likes, and medians over turns must do. Only ratios within one run mean anything.
import { once } from 'node:events';
import { cpus } from 'node:os';
import { MessageChannel, Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

/**
 * @typedef {object} Contestant
 * @property {string} name
 * @property {number} [share] of the cell's count, for one that is much slower
 * @property {() => any} make what both sides get beside the count; called for each turn
 * @property {(job: any) => any} left
 * @property {(job: any) => any} right
 */
/** @typedef {{ name: string, count: number, unit: string, contestants: Contestant[] }} Cell */

const WARM_TURNS = 2;

/** Both sides come here before the clock starts; a few looks more or less do not matter. @param {Int32Array} gate */
export function meet(gate) {
  Atomics.add(gate, 0, 1);
  while (Atomics.load(gate, 0) < 2);
}

/** Nanoseconds of one worker's clock. */
export const now = () => Number(process.hrtime.bigint());

/** In a worker: run the side that the main thread asks for. @param {Cell[]} cells */
export function serve(cells) {
  const { cell, contestant, side } = workerData;
  const task = cells[cell].contestants[contestant][side];
  parentPort.on('message', async (job) => {
    try {
      parentPort.postMessage({ result: await task(job) });
    } catch (error) {
      parentPort.postMessage({ error: error.stack });
    }
  });
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** @param {Worker} worker */
async function answer(worker) {
  const [{ result, error }] = await once(worker, 'message');
  if (error) throw new Error(error);
  return result;
}

/** One turn: nanoseconds for each of the cell's count, as the right side has measured. */
async function turn(contestant, count, [left, right]) {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const { port1, port2 } = new MessageChannel();
  const job = { ...contestant.make(), gate, count };
  left.postMessage({ ...job, port: port1 }, [port1]);
  right.postMessage({ ...job, port: port2 }, [port2]);
  const [, elapsedNs] = await Promise.all([answer(left), answer(right)]);
  return elapsedNs / count;
}

/** @param {string} script @param {Cell} cell @param {number} index @param {number} turns */
async function runCell(script, cell, index, turns) {
  const crews = cell.contestants.map((_, contestant) => ['left', 'right'].map((side) =>
    new Worker(script, { workerData: { cell: index, contestant, side } })));
  const samples = cell.contestants.map(() => []);
  for (let t = 0; t < WARM_TURNS + turns; t++) {
    for (let i = 0; i < crews.length; i++) {
      const which = (i + t) % crews.length;
      const contestant = cell.contestants[which];
      const ns = await turn(contestant, cell.count * (contestant.share ?? 1), crews[which]);
      if (t >= WARM_TURNS) samples[which].push(ns);
    }
  }
  await Promise.all(crews.flat().map((worker) => worker.terminate()));
  return {
    name: cell.name, unit: cell.unit, count: cell.count,
    contestants: cell.contestants.map(({ name }, i) =>
      ({ name, medianNs: median(samples[i]), samplesNs: samples[i] })),
  };
}

/**
 * Run the cells in the main thread.
 *
 * @param {string} script the file that serves them in workers
 * @param {Cell[]} cells
 * @param {{ turns: number, only?: string }} options
 */
export async function run(script, cells, { turns, only }) {
  if (!isMainThread) throw new Error('run() is for the main thread');
  const results = [];
  for (const [index, cell] of cells.entries()) {
    if (only && !cell.name.includes(only)) continue;
    const result = await runCell(script, cell, index, turns);
    results.push(result);
    console.log(`\n${cell.name}, ${cell.unit}`);
    for (const { name, medianNs, samplesNs } of result.contestants) {
      const [least, most] = [Math.min(...samplesNs), Math.max(...samplesNs)];
      console.log(`  ${name.padEnd(34)} ${medianNs.toFixed(1).padStart(10)}   ${least.toFixed(1)} to ${most.toFixed(1)}`);
    }
  }
  return {
    node: process.version, v8: process.versions.v8, processor: cpus()[0].model, processors: cpus().length,
    pinned: false, turns, cells: results,
  };
}
