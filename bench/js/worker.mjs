// SPDX-License-Identifier: MIT
// worker.mjs: one side of contestants, in a worker of Node or of a page.
import { cells } from './cells.mjs';
import { inNode } from './contestant.mjs';

const parent = inNode ? (await import('node:worker_threads')).parentPort : globalThis;

async function take(/** @type {{ data: any }} */ { data: { cell, contestant, side, job } }) {
  try {
    const of = cells.find(({ name }) => name === cell)?.contestants.find(({ name }) => name === contestant);
    parent.postMessage({ outcome: await of[side](job) });
  } catch (error) {
    parent.postMessage({ error: `${contestant}, ${side}: ${error.stack}` });
  }
}

if (inNode) parent.on('message', (data) => { void take({ data }); });
else parent.onmessage = take;
parent.postMessage({ ready: true });
