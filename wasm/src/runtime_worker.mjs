// SPDX-License-Identifier: MIT
// runtime_worker.mjs: the first script of a worker that Runtime starts, in browsers and in Node. It imports the user's
// script and can so report why that one fails, which a browser does not say of a worker's first script.
import { isNode } from './runtime_tasks.mjs';
import { serveScript } from './runtime_script.mjs';

if (isNode) {
  // no await at the top: the first messages come before it would be through
  void import('node:worker_threads').then(({ parentPort }) => {
    if (!parentPort) throw new Error('runtime_worker.mjs is started by Runtime.start(), not by hand');
    parentPort.on('message', serveScript({
      post: (message, transfer) => parentPort.postMessage(message, /** @type {any} */ (transfer)),
    }));
  });
} else {
  // a worker's own scope, of which TypeScript knows a window's only
  const scope = /** @type {Worker & typeof globalThis} */ (/** @type {unknown} */ (globalThis));
  const receive = serveScript({ post: (message, transfer) => scope.postMessage(message, transfer ?? []) });
  scope.onmessage = (/** @type {MessageEvent} */ event) => receive(event.data);
  // a browser lets it pass, Node does not: with Runtime the worker has failed in both
  scope.addEventListener('unhandledrejection', (/** @type {PromiseRejectionEvent} */ event) => {
    event.preventDefault();
    receive({ type: 'rejection', error: event.reason });
  });
}
