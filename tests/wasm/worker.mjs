// SPDX-License-Identifier: MIT
// worker.mjs: runs the tasks of the tests in a worker thread, with an instance of its own. A
// primitive's tasks are in a file of their own.
import { parentPort, workerData } from 'node:worker_threads';
import { instantiate } from './instance.mjs';
import { JsBell, JsPool, JsTripleReader, JsTripleWriter, countJs } from './js_ends.mjs';
import { poolTasks } from './pool_tasks.mjs';
import { bellTasks } from './bell_tasks.mjs';
import { ringTasks } from './ring_tasks.mjs';
import { tripleTasks } from './triple_tasks.mjs';
import { streamTasks } from './stream_tasks.mjs';

const { module, memory, place, area } = workerData;
const tern = instantiate(module, memory, place);

// this worker's own part of the heap, for views and items
const heap = {
  at: area.at,
  take(bytes, alignment = 128) {
    const at = Math.ceil(this.at / alignment) * alignment;
    this.at = at + bytes;
    if (this.at > area.at + area.bytes) throw new Error('the area of this worker is used up');
    return at;
  },
};

// A spinner whose other end is not running gives its processor away now and then.
const TRIES_BEFORE_NAP = 1000;
const napWord = new Int32Array(new SharedArrayBuffer(4));
const nap = Atomics.wait;   // one that is not counted
let tries = 0;
function lookAgain() {
  if (++tries % TRIES_BEFORE_NAP === 0) nap(napWord, 0, 0, 0.05);
}

const worker = { tern, memory, heap, lookAgain };
const tasks = { ...ringTasks(worker), ...poolTasks(worker), ...tripleTasks(worker), ...bellTasks(worker),
  ...streamTasks(worker) };
// the same tasks with the package's ends: 'js:tripleRead'
const jsTasks = {
  ...poolTasks({ ...worker, View: JsPool }), ...bellTasks({ ...worker, View: JsBell }),
  ...tripleTasks({ ...worker, Writer: JsTripleWriter, Reader: JsTripleReader }),
};
for (const [name, task] of Object.entries(jsTasks)) tasks[`js:${name}`] = task;
const js = countJs();

parentPort.on('message', ({ name, argument }) => {
  heap.at = area.at;
  heap.attachWakes = 0;
  const sleeps = tern.test_sleeps() + js.sleeps;
  const wakes = tern.test_wakes() + js.wakes;
  try {
    const result = tasks[name](argument);
    const waking = tern.test_wakes() + js.wakes - wakes - heap.attachWakes;
    parentPort.postMessage({ ...result, sleeps: tern.test_sleeps() + js.sleeps - sleeps, wakes: waking });
  } catch (error) {
    parentPort.postMessage({ error: error.stack });
  }
});
parentPort.postMessage({ ready: true, tlsBase: tern.__tls_base.value, stackAt: tern.test_stack_address() });
