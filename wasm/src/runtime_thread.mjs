// SPDX-License-Identifier: MIT
// runtime_thread.mjs: a thread in one form for Node, browsers and mode 'single', where it is no thread but the same
// script on the thread that started it. All three talk by messages, which arrive in order and in a task of their own.
import { serveScript } from './runtime_script.mjs';
import { isNode, later } from './runtime_tasks.mjs';

/**
 * @typedef {object} Thread
 * @property {(init: import('./runtime_script.mjs').Init) => void} start its first message
 * @property {(message: any, transfer?: any[]) => void} post copied as by structuredClone
 * @property {() => Promise<void>} terminate at once, whatever it is doing; in mode 'single' it only hears nothing more
 */

/**
 * @typedef {object} Listener
 * @property {(message: any) => void} message
 * @property {(error: Error | null) => void} failed an error that nobody caught, or the script did not load; null: the
 *   browser says no more than that
 * @property {(code: number) => void} exited Node's process.exit() in the worker
 */

/**
 * Start a thread. That it loads is not known before its first message.
 *
 * @param {URL} url of runtime_worker.mjs, or a copy
 * @param {string} name for debuggers
 * @param {Listener} on
 * @returns {Promise<Thread>} rejected: it can't even be tried
 */
export function startThread(url, name, on) {
  return isNode ? startNodeThread(url, name, on) : startWebThread(url, name, on);
}

/** @param {URL} url @param {string} name @param {Listener} on @returns {Promise<Thread>} */
async function startNodeThread(url, name, on) {
  // a name that bundlers for browsers do not look up
  const builtin = 'node:worker_threads';
  const threads = /** @type {typeof import('node:worker_threads')} */ (await import(/* @vite-ignore */ builtin));
  const worker = new threads.Worker(url, { name });
  worker.on('message', on.message);
  worker.on('error', on.failed);
  worker.on('messageerror', on.failed);
  worker.on('exit', on.exited);
  return {
    start: (init) => worker.postMessage({ type: 'start', init }),
    post: (message, transfer) => worker.postMessage(message, transfer),
    async terminate() {
      worker.off('exit', on.exited);
      worker.off('message', on.message);
      await worker.terminate();
    },
  };
}

/** @param {URL} url @param {string} name @param {Listener} on @returns {Promise<Thread>} */
async function startWebThread(url, name, on) {
  const worker = new Worker(url, { type: 'module', name });
  worker.onmessage = (event) => on.message(event.data);
  worker.onmessageerror = () => on.failed(new Error('a message could not be read on this side'));
  worker.onerror = (event) => {
    // reported here, and not once more as an error of the page
    event.preventDefault?.();
    const { message, error, filename, lineno } = event;
    on.failed(error instanceof Error ? error : message ? new Error(`${message} (${filename}:${lineno})`) : null);
  };
  return {
    start: (init) => worker.postMessage({ type: 'start', init }),
    post: (message, transfer) => worker.postMessage(message, transfer ?? []),
    async terminate() {
      worker.onmessage = worker.onerror = null;
      worker.terminate();
    },
  };
}

/**
 * The thread of mode 'single': the script runs here. What is posted is copied as for a real one, so that a script
 * meets the same in both modes; only what start() gets is not, since a memory that is not shared can't be.
 *
 * @param {Listener} on
 * @returns {Thread}
 */
export function startLocalThread(on) {
  let open = true;
  const script = serveScript({
    post(message, transfer) {
      const copy = structuredClone(message, { transfer });
      later(() => { if (open) on.message(copy); });
    },
  });
  return {
    start: (init) => later(() => script({ type: 'start', init })),
    post(message, transfer) {
      const copy = structuredClone(message, { transfer });
      later(() => { if (open) script(copy); });
    },
    async terminate() { open = false; },
  };
}
