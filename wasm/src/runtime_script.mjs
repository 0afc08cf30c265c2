// SPDX-License-Identifier: MIT
// runtime_script.mjs: what a user's worker script is given, and who calls it. The same for a real worker and for mode
// 'single', where several scripts take turns on one thread:
//
//   export default async function (worker) {
//     const frames = Triple.openWriter(worker.region, 'frames', { bufferSizeBytes: 4096 });
//     worker.loop(() => { ... });                   // again and again, with pauses for messages
//     return { sum: ({ from, to }) => ... };        // what runtime.workers[i].call('sum', { from, to }) calls
//   }
import { Region } from './region.mjs';
import { checkModule, importsOf, linkError, settle } from './runtime_instance.mjs';
import { Arena } from './runtime_places.mjs';
import { nextTask } from './runtime_tasks.mjs';
import { canBlock } from './wait.mjs';

/** How long the steps of a loop go on before messages, input and drawing have their turn, in milliseconds. */
const SLICE_MS = 5;

/** Words of a worker's part of the control buffer, which is a small buffer apart: wasm can't reach it. */
export const CONTROL = Object.freeze({ words: 32, ending: 0, busyUs: 1, peer: 2 });

/**
 * @typedef {object} Init what a script begins with
 * @property {number} index of the worker
 * @property {number} life how often it was started before
 * @property {number} workers how many there are
 * @property {'threads' | 'single'} mode
 * @property {string} script its address
 * @property {WebAssembly.Memory} memory
 * @property {Int32Array} control this worker's words
 * @property {import('./runtime_places.mjs').Place} place
 * @property {WebAssembly.Module | null} module threads: to make an instance of
 * @property {WebAssembly.Exports | null} exports single: of the instance that all share
 * @property {{ offset: number, session: bigint } | null} region
 * @property {any} data of the option data
 */

/** @typedef {{ post: (message: any, transfer?: any[]) => void }} Port */
/** @typedef {{ name: string, message: string, stack?: string, code?: string, status?: number }} ErrorData */

/** An error's text and numbers, for a message. @param {any} error @returns {ErrorData} */
export function packError(error) {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { code, status } = /** @type {any} */ (error);
  return { name: error.name, message: error.message, stack: error.stack,
    code: typeof code === 'string' ? code : undefined, status: typeof status === 'number' ? status : undefined };
}

/** What packError() packed, as an error again. @param {ErrorData} data */
export function unpackError({ name, message, stack, code, status }) {
  const error = new Error(message);
  for (const [key, value] of Object.entries({ name, stack, code, status })) {
    if (value !== undefined) Object.defineProperty(error, key, { value, configurable: true, writable: true });
  }
  return error;
}

/** A worker, seen from its script. */
export class WorkerScope {
  #control;
  #post;
  /** @type {Set<{ timer: any, wake: () => void }>} */
  #sleepers = new Set();
  /** @type {Set<Promise<void>>} */
  #loops = new Set();
  /** When what is counted as busy began; NaN: idle. */
  #since = NaN;

  /**
   * @param {Init} init
   * @param {Port['post']} post
   * @param {WebAssembly.Exports | null} exports
   */
  constructor(init, post, exports) {
    /** 0 to workers - 1; a restarted worker keeps it. */
    this.index = init.index;
    /** How many workers there are. */
    this.workers = init.workers;
    /** How often it was started before: 0, then 1 after restart(). */
    this.life = init.life;
    /** 'single': this runs on the thread that started the runtime, in turns with it. */
    this.mode = init.mode;
    /** The memory of all. A view of it that you make yourself has length 0 after a growth in mode 'single'. */
    this.memory = init.memory;
    /** Bytes of the memory that are this worker's own; a restarted one finds them as they were. @type {Arena | null} */
    this.arena = init.place.arena && new Arena(init.place.arena);
    /** What the module exports, with this worker's stack and thread-local storage; null without module. */
    this.exports = exports;
    /** The runtime's region, attached as a peer of its own: Ring.openProducer(worker.region, 'samples', desc). What it
     *  holds is given back when the worker ends, in whatever way. @type {Region | null} */
    this.region = init.region && Region.attach(init.memory, init.region.offset,
      { session: init.region.session, program: `worker ${init.index}` });
    /** A copy of the option data. @type {any} */
    this.data = init.data;
    /** Whether *Wait calls may be used; else the *Async ones, or try* calls in a loop. */
    this.canBlock = init.mode === 'threads' && canBlock;
    /** Called with what the other side posts. @type {((message: any) => void) | null} */
    this.onMessage = null;
    /** Called when the worker is to end, after its loops have; what it returns is waited for.
     *  @type {(() => unknown) | null} */
    this.onEnd = null;
    this.#control = init.control;
    Atomics.store(init.control, CONTROL.peer, this.region?.peer ?? 0);
    this.#post = post;
  }

  /** Whether the runtime wants it to end: long calls look at it and return. loop() does. Wait-free. */
  get ending() { return Atomics.load(this.#control, CONTROL.ending) !== 0; }

  /** Send a message to whoever started the runtime; it goes to runtime.workers[i].onMessage.
   *  @param {any} message copied as by structuredClone @param {any[]} [transfer] */
  post(message, transfer) { this.#post({ type: 'post', message }, transfer); }

  /**
   * Call a step again and again until it returns false or the worker is to end. Every 5 ms, messages and in mode
   * 'single' the page have their turn, so a step should take a few milliseconds at most.
   *
   * @param {() => unknown} step returns false: the loop is done; a number: nothing to do for so many milliseconds; a
   *   promise of these: it is waited for; anything else: again. An error that it throws fails the worker.
   * @returns {Promise<void>} when the loop is done. Do not await it where the script sets up.
   *
   * Allocates nothing a step, unless the step is asynchronous.
   */
  loop(step) {
    const running = this.#run(step).catch((error) => this.fail(error));
    this.#loops.add(running);
    return running.finally(() => { this.#loops.delete(running); });
  }

  /** @param {() => unknown} step */
  async #run(step) {
    await nextTask();
    while (!this.ending) {
      const end = performance.now() + SLICE_MS;
      let answer;
      this.#busy();
      try {
        do {
          answer = step();
        } while (answer !== false && typeof answer !== 'number' && !(answer instanceof Promise) && !this.ending
          && performance.now() < end);
      } finally {
        this.#rest();
      }
      if (answer instanceof Promise) answer = await answer;
      if (answer === false) return;
      if (typeof answer === 'number') await this.sleep(answer);
      else await nextTask();
    }
  }

  /** Let time pass without blocking, less of it if the worker is to end. @param {number} ms @returns {Promise<void>} */
  sleep(ms) {
    return new Promise((resolve) => {
      const sleeper = { timer: /** @type {any} */ (0), wake: () => {
        clearTimeout(sleeper.timer);
        this.#sleepers.delete(sleeper);
        resolve();
      } };
      if (this.ending) {
        resolve();
        return;
      }
      this.#sleepers.add(sleeper);
      sleeper.timer = setTimeout(sleeper.wake, ms);
    });
  }

  /**
   * Call something that waits, so that its time is not counted as work: worker.idle(() => ring.popWait(item)).
   *
   * @template T
   * @param {() => T} wait
   * @returns {T}
   */
  idle(wait) {
    const counts = !Number.isNaN(this.#since);
    this.#rest();
    try {
      return wait();
    } finally {
      if (counts) this.#busy();
    }
  }

  /** @internal Count the time of a call up to its return as work. @template T @param {() => T} work @returns {T} */
  timed(work) {
    this.#busy();
    try {
      return work();
    } finally {
      this.#rest();
    }
  }

  #busy() { this.#since = performance.now(); }

  #rest() {
    if (Number.isNaN(this.#since)) return;
    Atomics.add(this.#control, CONTROL.busyUs, Math.round((performance.now() - this.#since) * 1000));
    this.#since = NaN;
  }

  /** @internal @param {unknown} error */
  fail(error) { this.#post({ type: 'failed', stage: 'run', error: packError(error) }); }

  /** @internal Let loops and sleepers finish. */
  async finish() {
    for (const sleeper of [...this.#sleepers]) sleeper.wake();
    await Promise.all(this.#loops);
    await this.onEnd?.();
    this.region?.detach();
    Atomics.store(this.#control, CONTROL.peer, 0);
  }
}

/**
 * Serve a user's script: what comes from the other side goes into the function returned.
 *
 * @param {Port} port
 * @returns {(message: any) => void}
 */
export function serveScript(port) {
  /** @type {WorkerScope | null} */
  let worker = null;
  /** @type {Record<string, (argument: any) => unknown>} */
  let calls = {};

  /** @param {Init} init */
  async function start(init) {
    let stage = 'import';
    try {
      const script = await importScript(init.script);
      stage = 'setup';
      if (typeof script.default !== 'function') {
        throw new TypeError('it exports no default function; write: export default async function (worker) { ... }');
      }
      worker = new WorkerScope(init, port.post, init.exports ?? await makeInstance(init, script));
      calls = await script.default(worker) ?? {};
      port.post({ type: 'ready' });
    } catch (error) {
      port.post({ type: 'failed', stage, error: packError(error) });
    }
  }

  /** @param {{ id: number, name: string, argument: any }} call */
  async function answer({ id, name, argument }) {
    try {
      if (!Object.hasOwn(calls, name) || typeof calls[name] !== 'function') {
        throw new TypeError(`the script's default function returned no function '${name}', only: `
          + `${Object.keys(calls).join(', ') || 'none'}`);
      }
      const value = await /** @type {WorkerScope} */ (worker).timed(() => calls[name](argument));
      port.post({ type: 'result', id, value });
    } catch (error) {
      port.post({ type: 'result', id, error: packError(error) });
    }
  }

  /** @param {any} message */
  function receive(message) {
    try {
      worker?.timed(() => worker?.onMessage?.(message));
    } catch (error) {
      worker?.fail(error);
    }
  }

  port.post({ type: 'alive' });
  return (message) => {
    if (message.type === 'start') void start(message.init);
    else if (message.type === 'call') void answer(message);
    else if (message.type === 'rejection') port.post({ type: 'failed', stage: 'run', error: packError(message.error) });
    else if (message.type === 'post') receive(message.message);
    else if (message.type === 'end') {
      void worker?.finish().then(() => port.post({ type: 'ended' }),
        (error) => port.post({ type: 'failed', stage: 'run', error: packError(error) }));
    }
  };
}

/**
 * A worker's own instance of the module.
 *
 * @param {Init} init
 * @param {any} script
 * @returns {Promise<WebAssembly.Exports | null>}
 */
async function makeInstance({ module, memory, place }, script) {
  if (!module) return null;
  checkModule(module, 'threads');
  const given = scriptImports(script, memory);
  let instance;
  try {
    instance = await WebAssembly.instantiate(module, importsOf(module, memory, given, false));
  } catch (error) {
    throw linkError(error, 'threads');
  }
  settle(instance.exports, place);
  return instance.exports;
}

/** The user's script, which no bundler is to look into. @param {string} script its address @returns {Promise<any>} */
export const importScript = (script) => import(/* @vite-ignore */ /* webpackIgnore: true */ script);

/** What a script gives to the module: `export function imports({ memory }) { return { env: { log } }; }`.
 *  @param {any} script @param {WebAssembly.Memory} memory @returns {WebAssembly.Imports | undefined} */
export const scriptImports = (script, memory) =>
  (typeof script.imports === 'function' ? script.imports({ memory }) : script.imports);
