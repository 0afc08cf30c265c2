// SPDX-License-Identifier: MIT
// runtime_handle.mjs: a worker, seen from the thread that started it: start with a reason when that fails, calls, end,
// restart. It is the same for a real thread and for mode 'single'.
import { explainWorker } from './diagnose.mjs';
import { STATUS } from './layout.mjs';
import { checkGuards, paintGuards } from './runtime_places.mjs';
import { CONTROL, unpackError } from './runtime_script.mjs';
import { isNode } from './runtime_tasks.mjs';
import { startLocalThread, startThread } from './runtime_thread.mjs';
import { TernError } from './status.mjs';

/**
 * @typedef {object} Setup what all workers of a runtime have in common
 * @property {URL} bootstrap
 * @property {number} startTimeoutMs
 * @property {number} endTimeoutMs
 * @property {import('./memory.mjs').Memory} bytes
 * @property {Omit<import('./runtime_script.mjs').Init, 'index' | 'life' | 'control' | 'place'>} init
 * @property {(worker: RuntimeWorker, error: Error) => void} onFailure
 * @property {(peer: number) => Recovery} evict of the region, when a worker is gone that did not detach
 */

/**
 * @typedef {object} Exit how a worker's life ended
 * @property {'ended' | 'terminated' | 'failed'} how 'ended': it finished in its own time; 'terminated': it did not, and
 *   was stopped wherever it was; 'failed': by an error that nobody caught
 * @property {Error | null} error what it failed by; CORRUPT: it wrote outside of its stack, storage or arena
 * @property {Recovery | null} recovery what it still held of the region and what became of that; null: nothing
 */

/** @typedef {import('./region_peers.mjs').Recovery} Recovery */

/** A worker could not be started. `stage` says how far it came, `cause` what is behind it. */
export class StartError extends TernError {
  /**
   * @param {number} status
   * @param {'thread' | 'import' | 'setup'} stage 'thread': its thread did not come up; 'import': the script did not
   *   load; 'setup': its default function failed
   * @param {string} detail
   * @param {unknown} [reason] a cause of diagnose(), or the script's error
   */
  constructor(status, stage, detail, reason) {
    super(status, detail);
    this.stage = stage;
    this.cause = reason;
  }
}

/** One worker of a runtime. Made by Runtime.start(). */
export class RuntimeWorker {
  #setup;
  #control;
  #place;
  #life = -1;
  /** @type {import('./runtime_thread.mjs').Thread | null} */
  #thread = null;
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  #calls = new Map();
  #nextCall = 0;
  /** @type {{ resolve: () => void, reject: (error: Error) => void } | null} while it starts */
  #starting = null;
  #alive = false;
  #ended = () => {};
  /** @type {(exit: Exit) => void} */
  #exit = () => {};
  #loadFrom = { ms: 0, us: 0, load: 0 };

  /**
   * @param {number} index
   * @param {Setup} setup
   * @param {import('./runtime_places.mjs').Place} place
   * @param {Int32Array} control this worker's words
   */
  constructor(index, setup, place, control) {
    /** 0 to workers - 1. */
    this.index = index;
    /** @type {'starting' | 'running' | 'ending' | 'ended' | 'failed'} */
    this.state = 'ended';
    /** Called with what the script posts. @type {((message: any) => void) | null} */
    this.onMessage = null;
    /** Resolves when this life of the worker is over; never rejects. @type {Promise<Exit>} */
    this.exited = Promise.resolve({ how: 'ended', error: null, recovery: null });
    this.#setup = setup;
    this.#place = place;
    this.#control = control;
  }

  /** How often it was restarted. */
  get life() { return this.#life; }

  /** Its private bytes of the memory. @returns {import('./runtime_places.mjs').Area | null} */
  get arena() { return this.#place.arena; }

  /**
   * The part of the time that it spent in steps, calls and messages since load was read before, 0 to 1; read it again
   * after 100 ms at the soonest, else the old answer comes. Of an asynchronous function the time to its first await
   * counts; what is counted is known when it returns.
   */
  get load() {
    const from = this.#loadFrom;
    const ms = performance.now();
    if (ms - from.ms >= 100) {
      const us = Atomics.load(this.#control, CONTROL.busyUs);
      from.load = Math.min(1, ((us - from.us) >>> 0) / 1000 / (ms - from.ms));
      from.ms = ms;
      from.us = us;
    }
    return from.load;
  }

  /** @internal @returns {Promise<void>} rejected with a StartError */
  async start() {
    const { init, bytes, startTimeoutMs } = this.#setup;
    this.#life++;
    this.state = 'starting';
    this.#alive = false;
    this.exited = new Promise((resolve) => { this.#exit = resolve; });
    this.#loadFrom = { ms: performance.now(), us: Atomics.load(this.#control, CONTROL.busyUs), load: 0 };
    Atomics.store(this.#control, CONTROL.ending, 0);
    paintGuards(bytes, this.#place);
    /** @type {any} */
    let timer;
    try {
      await new Promise((/** @type {(value: void) => void} */ resolve, reject) => {
        this.#starting = { resolve, reject };
        timer = setTimeout(() => reject(this.#startTimeout()), startTimeoutMs);
        this.#startThread().then((thread) => {
          this.#thread = thread;
          thread.start({ ...init, index: this.index, life: this.#life, control: this.#control, place: this.#place });
        }).catch((error) => reject(new StartError(STATUS.ERR_UNSUPPORTED, 'thread',
          `worker ${this.index}: its thread can't be started: ${error.message}`, error)));
      });
      this.state = 'running';
    } catch (error) {
      const explained = await this.#explain(/** @type {StartError} */ (error));
      await this.#over('failed', explained);
      throw explained;
    } finally {
      clearTimeout(timer);
      this.#starting = null;
    }
  }

  #startThread() {
    const life = this.#life;
    /** What comes late from a former life is not heard. @template T @param {(value: T) => void} hear */
    const mine = (hear) => (/** @type {T} */ value) => {
      if (life === this.#life && this.state !== 'ended') hear(value);
    };
    const on = {
      message: mine((/** @type {any} */ message) => this.#receive(message)),
      failed: mine((/** @type {Error | null} */ error) => this.#failed(error)),
      exited: mine((/** @type {number} */ code) =>
        this.#failed(new Error(`the script ended its thread by exit code ${code}`))),
    };
    return this.#setup.init.mode === 'threads'
      ? startThread(this.#setup.bootstrap, `tern worker ${this.index}`, on) : Promise.resolve(startLocalThread(on));
  }

  #startTimeout() {
    const { startTimeoutMs, init, bootstrap } = this.#setup;
    return this.#alive
      ? new StartError(STATUS.ERR_TIMEOUT, 'setup', `worker ${this.index}: ${init.script} was not ready after `
        + `${startTimeoutMs} ms; its default function must return, so start long work in worker.loop() or in a call`)
      : new StartError(STATUS.ERR_TIMEOUT, 'thread', `worker ${this.index}: ${bootstrap} did not load in `
        + `${startTimeoutMs} ms; look whether the server answers, or give a larger startTimeoutMs`);
  }

  /** Find out what a browser does not say. @param {StartError} error @returns {Promise<StartError>} */
  async #explain(error) {
    if (isNode || this.#setup.init.mode === 'single' || error.status === STATUS.ERR_TIMEOUT) return error;
    const script = error.stage === 'thread' ? this.#setup.bootstrap : this.#setup.init.script;
    if (error.stage === 'setup') return error;
    const cause = await explainWorker(script);
    // an import is no worker's first script: what forbids such a one does not matter there
    const matters = error.stage === 'thread' ? cause.code !== 'worker-failed' || !error.cause
      : ['worker-not-found', 'worker-wrong-type'].includes(cause.code);
    if (!matters) return error;
    const status = cause.code === 'worker-not-found' ? STATUS.ERR_NOT_FOUND : STATUS.ERR_UNSUPPORTED;
    return new StartError(status, error.stage, `worker ${this.index}: ${cause.text} ${cause.fix}`, cause);
  }

  /** @param {any} message */
  #receive(message) {
    switch (message.type) {
      case 'alive': this.#alive = true; break;
      case 'ready': this.#starting?.resolve(); break;
      case 'post': this.onMessage?.(message.message); break;
      case 'ended': this.#ended(); break;
      case 'result': {
        const call = this.#calls.get(message.id);
        this.#calls.delete(message.id);
        if (message.error) call?.reject(unpackError(message.error));
        else call?.resolve(message.value);
        break;
      }
      default: this.#failed(unpackError(message.error), message.stage);
    }
  }

  /** @param {Error | null} error @param {string} [stage] */
  #failed(error, stage) {
    if (!this.#starting) {
      void this.#over('failed', error ?? new Error('the browser says no more'));
      return;
    }
    const who = `worker ${this.index}: ${this.#setup.init.script}`;
    const text = error ? `${error.name}: ${error.message}` : 'the browser does not say why';
    if (stage === 'setup') {
      this.#starting.reject(new StartError(STATUS.ERR_STATE, 'setup', `${who} failed: ${text}`, error));
    } else if (stage === 'import') {
      this.#starting.reject(new StartError(STATUS.ERR_NOT_FOUND, 'import', `${who} can't be imported: ${text}`, error));
    } else {
      this.#starting.reject(new StartError(STATUS.ERR_SYSTEM, this.#alive ? 'setup' : 'thread',
        `worker ${this.index}: its thread failed: ${text}`, error));
    }
  }

  /**
   * Send a message to the script's worker.onMessage.
   *
   * @param {any} message copied as by structuredClone
   * @param {any[]} [transfer] buffers and ports to hand over
   * @throws {TernError} STATE: it is not running
   */
  post(message, transfer) { this.#running('post').post({ type: 'post', message }, transfer); }

  /**
   * Call a function that the script's default function returned.
   *
   * @param {string} name
   * @param {any} [argument] copied as by structuredClone
   * @param {any[]} [transfer] buffers and ports to hand over
   * @returns {Promise<any>} what it returns; rejected with what it throws, or with PEER_DEAD if the worker ends first
   */
  async call(name, argument, transfer) {
    const thread = this.#running('call');
    const id = this.#nextCall++;
    return new Promise((resolve, reject) => {
      thread.post({ type: 'call', id, name, argument }, transfer);
      this.#calls.set(id, { resolve, reject });
    });
  }

  /** @param {string} verb */
  #running(verb) {
    if (this.state !== 'running' || !this.#thread) {
      throw new TernError(STATUS.ERR_STATE, `${verb}: worker ${this.index} is ${this.state}, not running`);
    }
    return this.#thread;
  }

  /**
   * End it: its loops finish their step, worker.onEnd is called, and it is gone. One that does not, because it computes
   * or sleeps, is terminated after the time-out. In mode 'single' nothing can stop it: it only gets no further turn.
   *
   * @param {number} [timeoutMs] of Runtime.start by default
   * @returns {Promise<Exit>}
   * @throws {TernError} CORRUPT: it is gone, and has written outside of its stack, storage or arena
   *
   * Crash: what a worker held of runtime.region is given back to its successors in every case, as region.evict() does.
   */
  async end(timeoutMs = this.#setup.endTimeoutMs) {
    if (this.state === 'starting') {
      this.#starting?.reject(new StartError(STATUS.ERR_STATE, 'setup',
        `worker ${this.index} was ended while it started`));
    }
    if (this.state === 'running') {
      this.state = 'ending';
      const ended = new Promise((resolve) => { this.#ended = () => resolve('ended'); });
      Atomics.store(this.#control, CONTROL.ending, 1);
      this.#thread?.post({ type: 'end' });
      /** @type {any} */
      let timer;
      const late = new Promise((resolve) => { timer = setTimeout(resolve, timeoutMs, 'terminated'); });
      const how = await Promise.race([ended, late, this.exited.then(() => 'failed')]);
      clearTimeout(timer);
      if (how !== 'failed') await this.#over(how, null);
    }
    const exit = await this.exited;
    if (exit.error instanceof TernError && exit.error.status === STATUS.ERR_CORRUPT) throw exit.error;
    return exit;
  }

  /**
   * End it if it runs, and start it again: same index, same arena with the bytes that it left, same place.
   *
   * @param {number} [timeoutMs] as of end()
   * @throws {TernError} as end() and Runtime.start() do
   */
  async restart(timeoutMs) {
    // one that failed is gone, and what it failed by has been told
    if (this.state === 'starting' || this.state === 'running' || this.state === 'ending') await this.end(timeoutMs);
    else await this.exited;
    await this.start();
  }

  /** Whether it kept to its own bytes up to now. @throws {TernError} CORRUPT: it did not */
  checkGuards() {
    const error = checkGuards(this.#setup.bytes, this.#place);
    if (error) throw error;
  }

  /** Its thread goes. @param {Exit['how']} how @param {Error | null} error */
  async #over(how, error) {
    if (this.state === 'ended' || this.state === 'failed') return;
    const wasRunning = this.state !== 'starting';
    this.state = how === 'failed' ? 'failed' : 'ended';
    Atomics.store(this.#control, CONTROL.ending, 1);
    const thread = this.#thread;
    this.#thread = null;
    await thread?.terminate();
    const recovery = this.#evict();
    const damage = checkGuards(this.#setup.bytes, this.#place);
    if (damage) damage.cause = error;
    const reason = damage ?? error;
    for (const { reject } of this.#calls.values()) {
      reject(new TernError(STATUS.ERR_PEER_DEAD, `worker ${this.index} ${how === 'failed' ? `failed: ${reason?.message}`
        : `was ${how}`} before it answered`));
    }
    this.#calls.clear();
    this.#exit({ how, error: reason, recovery });
    if (wasRunning && reason) this.#setup.onFailure(this, reason);
  }

  /** Give back what it held of the region. @returns {Recovery | null} */
  #evict() {
    const peer = Atomics.exchange(this.#control, CONTROL.peer, 0);
    if (peer === 0) return null;
    try {
      return this.#setup.evict(peer);
    } catch (error) {
      // it wrote another number there, or somebody else has evicted it: nothing of it is left to us
      if (error instanceof TernError) return null;
      throw error;
    }
  }
}
