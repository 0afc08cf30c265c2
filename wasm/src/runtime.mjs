// SPDX-License-Identifier: MIT
// runtime.mjs: workers on one memory, or the same script on one thread where memory can't be shared.
//
//   const runtime = await Runtime.start({ script: new URL('./worker.mjs', import.meta.url), workers: 2 });
//   console.log(runtime.mode, runtime.reason);              // 'threads', or 'single' and why
//   const frames = Triple.openReader(runtime.region, 'frames', { bufferSizeBytes: 4096 });
//   await runtime.workers[0].call('simulate', { steps: 1000 });
//   await runtime.end();
import { diagnose } from './diagnose.mjs';
import { REGION_DEFAULT_PEERS, STATUS } from './layout.mjs';
import { Memory } from './memory.mjs';
import { Region } from './region.mjs';
import { RuntimeWorker, StartError } from './runtime_handle.mjs';
import { checkModule, importsOf, linkError, loadModule, numberOf, settle } from './runtime_instance.mjs';
import { Bump, LINE_BYTES, PAGE_BYTES, checkGuards, paintGuards, takePlace } from './runtime_places.mjs';
import { CONTROL, importScript, scriptImports } from './runtime_script.mjs';
import { isNode } from './runtime_tasks.mjs';
import { TernError } from './status.mjs';

/** @typedef {import('./runtime_instance.mjs').ModuleSource} ModuleSource */

/**
 * @typedef {object} RuntimeOptions
 * @property {string | URL} script of the workers, new URL('./worker.mjs', import.meta.url); a module with
 *   `export default async function (worker) { ... }`, see runtime_script.mjs
 * @property {'auto' | 'threads' | 'single'} [mode] 'auto': threads where they can be, else single; 'threads': or an
 *   error
 * @property {number} [workers] 1 to 1024; 1 by default
 * @property {{ threads?: ModuleSource, single?: ModuleSource }} [module] wasm modules for the two modes; without them
 *   JavaScript only
 * @property {WebAssembly.Imports} [imports] what the module imports on the starting thread, beside its memory; on
 *   workers the script's `imports` is asked
 * @property {WebAssembly.Memory | { initialPages?: number, maximumPages?: number }} [memory] of 64 KiB pages; 64 and
 *   1024 by default. One that is given must be shared for threads, and not for a module without them; from the
 *   module's __heap_base on (without module: from byte 1024) it belongs to the runtime.
 * @property {number} [stackBytes] of a worker's stack for wasm; 65536 by default
 * @property {number} [arenaBytes] of a worker's arena; 65536 by default, 0: none
 * @property {import('./region_table.mjs').RegionDesc | null} [region] runtime.region, of 1 MiB by default; null: none
 * @property {any} [data] for all workers: worker.data
 * @property {number} [startTimeoutMs] until a worker's default function has returned; 10000 by default
 * @property {number} [endTimeoutMs] of end(); 1000 by default
 * @property {(worker: RuntimeWorker, error: Error) => void} [onFailure] called when a running worker fails by an error
 *   that nobody caught, or ends with damage done; by default nobody is told but who awaits a call or worker.exited
 * @property {string | URL} [bootstrap] where a copy of runtime_worker.mjs with its imports lies; for bundlers and for
 *   packages of another origin
 */

const DEFAULTS = {
  workers: 1, initialPages: 64, maximumPages: 1024, stackBytes: 65536, arenaBytes: 65536, startTimeoutMs: 10_000,
  endTimeoutMs: 1000, regionBytes: 1 << 20,
};
/** Attachments beside one for each worker: of the starting thread, and of who looks. */
const SPARE_PEERS = 32;
/** Where the region's paged objects may begin. */
const PAGED_BYTES = 4096;
const MOST_WORKERS = 1024;
const MOST_PAGES = 65536;
/** What a timer and a size of 32 bits can hold. */
const MOST_NUMBER = 2 ** 31 - 1;
/** Where objects begin without a module; address 0 stays free: it is C's NULL. */
const FIRST_BYTE = 1024;

/** Workers and their memory. Belongs to the thread that started it: a window, a worker, or a thread of Node. */
export class Runtime {
  #bump;
  #place;
  #bytes;
  #regionOffset = 0;

  /**
   * Start workers.
   *
   * @param {RuntimeOptions} options
   * @returns {Promise<Runtime>} when every worker's script is ready
   * @throws {TernError} ARGUMENT: an option is wrong, or the module linked otherwise than it must be; UNSUPPORTED: mode
   *   'threads' can't be here, with cause and fix; as StartError with its `stage`: NOT_FOUND: the script does not load;
   *   STATE: its default function failed; TIMEOUT
   *
   * What has been started is ended again before it throws.
   */
  static async start(options) {
    const given = checkOptions(options);
    const { mode, reason } = await chooseMode(given);
    try {
      return await Runtime.#startAs(mode, reason, given);
    } catch (error) {
      const isOurs = error instanceof StartError && error.stage === 'thread';
      if (!isOurs || given.mode !== 'auto' || mode !== 'threads' || !canBeSingle(given)) throw error;
      return Runtime.#startAs('single', error.message, given);
    }
  }

  /** @param {'threads' | 'single'} mode @param {string} reason @param {Given} given @returns {Promise<Runtime>} */
  static async #startAs(mode, reason, given) {
    const memory = makeMemory(mode, given);
    const module = await loadFor(mode, given);
    const exports = module && await makeOwnInstance(mode, module, memory, given);
    const runtime = new Runtime(mode, reason, memory, module, exports, given);
    const started = await Promise.allSettled(runtime.workers.map((worker) => worker.start()));
    const failed = started.find((each) => each.status === 'rejected');
    if (!failed) return runtime;
    await Promise.all(runtime.workers.map((worker) => worker.end().catch(() => {})));
    throw /** @type {PromiseRejectedResult} */ (failed).reason;
  }

  /**
   * @private use Runtime.start()
   * @param {'threads' | 'single'} mode
   * @param {string} reason
   * @param {WebAssembly.Memory} memory
   * @param {WebAssembly.Module | null} module
   * @param {WebAssembly.Exports | null} exports
   * @param {Given} given
   */
  constructor(mode, reason, memory, module, exports, given) {
    /** What is in force. @type {'threads' | 'single'} */
    this.mode = mode;
    /** Why, as a sentence for people. */
    this.reason = reason;
    /** The memory of all. It may grow at any time, by any thread. */
    this.memory = memory;
    /** Of this thread's own instance of the module; null without module. In mode 'single' the workers share it. */
    this.exports = exports;
    const threads = mode === 'threads';
    this.#bytes = Memory.of(memory);
    this.#bump = new Bump(memory, exports ? numberOf(exports, '__heap_base') : FIRST_BYTE, given.maximumPages);
    const sizes = { stackBytes: module ? given.stackBytes : 0, arenaBytes: given.arenaBytes, storageBytes: 0,
      storageAlignment: 1 };
    if (exports && threads) {
      sizes.storageBytes = numberOf(exports, '__tls_size');
      sizes.storageAlignment = Math.max(1, numberOf(exports, '__tls_align'));
    }
    // the thread that starts has a stack of its own too, in either mode, if the module lets it be set
    const hasPointer = exports?.__stack_pointer instanceof WebAssembly.Global;
    this.#place = takePlace(this.#bump, 'the starting thread',
      { ...sizes, stackBytes: hasPointer ? sizes.stackBytes : 0, arenaBytes: 0 });
    paintGuards(this.#bytes, this.#place);
    if (exports) settle(exports, this.#place);
    const Buffer = threads ? SharedArrayBuffer : ArrayBuffer;
    const control = new Int32Array(new Buffer(given.workers * CONTROL.words * 4));
    const setup = {
      bootstrap: given.bootstrap, startTimeoutMs: given.startTimeoutMs, endTimeoutMs: given.endTimeoutMs,
      bytes: this.#bytes, onFailure: given.onFailure,
      evict: (/** @type {number} */ peer) => /** @type {Region} */ (this.region).evict(peer),
      init: { workers: given.workers, mode, script: given.script, memory, module: threads ? module : null,
        exports: threads ? null : exports, data: given.data,
        /** @type {{ offset: number, session: bigint } | null} */ region: null },
    };
    /** @type {readonly RuntimeWorker[]} */
    this.workers = Array.from({ length: given.workers }, (_, i) => new RuntimeWorker(i, setup,
      takePlace(this.#bump, `worker ${i}`, threads ? sizes : { ...sizes, stackBytes: 0 }),
      control.subarray(i * CONTROL.words, (i + 1) * CONTROL.words)));
    /** Named objects for all threads, attached by this one as a peer; null if there is none. @type {Region | null} */
    this.region = given.region && this.#makeRegion(given.region);
    if (this.region) setup.init.region = { offset: this.#regionOffset, session: this.region.session };
  }

  /** @param {import('./region_table.mjs').RegionDesc} desc */
  #makeRegion(desc) {
    const sizeBytes = desc.sizeBytes ?? DEFAULTS.regionBytes;
    // one of its paged objects begins at a page
    this.#regionOffset = this.#bump.take(sizeBytes, PAGED_BYTES, 'the region');
    const peers = { maxPeers: Math.max(REGION_DEFAULT_PEERS, this.workers.length + SPARE_PEERS) };
    Region.format(this.memory, this.#regionOffset, { ...peers, ...desc, sizeBytes });
    return Region.attach(this.memory, this.#regionOffset, { session: desc.session, program: 'runtime' });
  }

  /**
   * Bytes of the memory for an object of all threads, for as long as the runtime lives. The memory grows when it must.
   *
   * @param {number} bytes at least 1
   * @param {number} [alignment] a power of two; 128 by default, which every object of Tern can have
   * @returns {number} offset in the memory; the bytes are zero
   * @throws {TernError} ARGUMENT; NO_SPACE: the memory's maximum is reached
   *
   * Role: the thread that started the runtime.
   */
  allocate(bytes, alignment = LINE_BYTES) { return this.#bump.take(bytes, alignment, 'allocate'); }

  /** Whether this thread and all workers kept to their own bytes.
   *  @throws {TernError} CORRUPT: one did not; the text says who and where */
  checkGuards() {
    const error = checkGuards(this.#bytes, this.#place);
    if (error) throw error;
    for (const worker of this.workers) worker.checkGuards();
  }

  /**
   * End all workers.
   *
   * @param {number} [timeoutMs] after which a worker is terminated
   * @throws {TernError} CORRUPT: all are gone, and one has written outside of its own bytes
   */
  async end(timeoutMs) {
    const ends = await Promise.allSettled(this.workers.map((worker) => worker.end(timeoutMs)));
    const failed = ends.find((each) => each.status === 'rejected');
    if (failed) throw /** @type {PromiseRejectedResult} */ (failed).reason;
    const error = checkGuards(this.#bytes, this.#place);
    if (error) throw error;
  }
}

/** @typedef {ReturnType<typeof checkOptions>} Given the options, looked at and filled up */

/** @param {unknown} value @param {number} least @param {number} most */
const isCount = (value, least, most) =>
  typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;

/** @param {RuntimeOptions} options */
function checkOptions(options) {
  const { script, mode = 'auto', workers = DEFAULTS.workers, module, imports, memory = {}, data } = options;
  /** @param {boolean} good @param {string} text */
  const need = (good, text) => { if (!good) throw new TernError(STATUS.ERR_ARGUMENT, `Runtime.start: ${text}`); };
  need(typeof script === 'string' || script instanceof URL,
    "script is the address of the workers' module: new URL('./worker.mjs', import.meta.url)");
  need(['auto', 'threads', 'single'].includes(mode), `mode is 'auto', 'threads' or 'single', not '${mode}'`);
  need(isCount(workers, 1, MOST_WORKERS), `workers is 1 to ${MOST_WORKERS}, not ${workers}`);
  need(module === undefined || module.threads !== undefined || module.single !== undefined,
    'module is { threads, single }, with one of them at least');
  need(typeof WebAssembly === 'object', 'this browser has no WebAssembly, so it has no memory for a runtime');
  const isOwn = memory instanceof WebAssembly.Memory;
  const { initialPages = DEFAULTS.initialPages, maximumPages = Math.max(initialPages, DEFAULTS.maximumPages) } =
    /** @type {{ initialPages?: number, maximumPages?: number }} */ (isOwn ? {} : memory);
  need(isOwn || (isCount(initialPages, 1, MOST_PAGES) && isCount(maximumPages, initialPages, MOST_PAGES)),
    `memory has 1 to ${MOST_PAGES} pages, and at most maximumPages, not ${initialPages} and ${maximumPages}`);
  /** @param {'stackBytes' | 'arenaBytes' | 'startTimeoutMs' | 'endTimeoutMs'} name @param {number} least */
  const number = (name, least) => {
    const value = options[name] ?? DEFAULTS[name];
    need(isCount(value, least, MOST_NUMBER), `${name} is ${least} to ${MOST_NUMBER}, not ${value}`);
    return value;
  };
  /** @param {string} name @param {string | URL} url */
  const address = (name, url) => {
    try {
      // Node has no page to be relative to
      return new URL(url, globalThis.document?.baseURI ?? (isNode ? undefined : location.href)).href;
    } catch {
      throw new TernError(STATUS.ERR_ARGUMENT, `Runtime.start: ${name} '${url}' is no complete address; write `
        + "new URL('./worker.mjs', import.meta.url)");
    }
  };
  return {
    script: address('script', script), mode, workers, module, imports, data,
    ownMemory: isOwn ? memory : null, initialPages, maximumPages,
    stackBytes: number('stackBytes', 1024), arenaBytes: number('arenaBytes', 0),
    startTimeoutMs: number('startTimeoutMs', 1), endTimeoutMs: number('endTimeoutMs', 0),
    onFailure: options.onFailure ?? (() => {}), region: options.region === undefined ? {} : options.region,
    bootstrap: new URL(address('bootstrap', options.bootstrap ?? new URL('./runtime_worker.mjs', import.meta.url))),
  };
}

/** Whether the options leave mode 'single' open. @param {Given} given */
const canBeSingle = ({ module, ownMemory }) =>
  (module ? module.single !== undefined && !(ownMemory && isShared(ownMemory)) : true);

/**
 * @param {Given} given
 * @returns {Promise<{ mode: 'threads' | 'single', reason: string }>}
 * @throws {TernError} UNSUPPORTED, with cause and fix
 */
async function chooseMode(given) {
  const { mode, module, ownMemory } = given;
  if (mode === 'single') return { mode, reason: "Mode 'single' was asked for." };
  const { causes } = await diagnose();
  // without a module it does not matter what the browser compiles
  const [cause] = causes.filter(({ code }) => module || !['no-wasm-threads', 'csp-blocks-wasm'].includes(code));
  const text = cause ? `${cause.text} ${cause.fix}`
    : typeof Worker === 'undefined' && !isNode ? 'There are no workers here. Start the runtime in a window.'
      : module && module.threads === undefined ? 'No module for threads was given. Give module.threads.'
        : ownMemory && !isShared(ownMemory) ? 'The memory given is not shared. Make it with shared: true.' : null;
  if (text === null) return { mode: 'threads', reason: 'Memory is shared between threads.' };
  if (mode === 'threads') {
    throw Object.assign(new TernError(STATUS.ERR_UNSUPPORTED, `mode 'threads' can't be here: ${text}`), { cause });
  }
  if (!canBeSingle(given)) {
    throw Object.assign(new TernError(STATUS.ERR_UNSUPPORTED, `mode 'threads' can't be here: ${text} And mode `
      + "'single' can't be without module.single, nor in shared memory with it"), { cause });
  }
  return { mode: 'single', reason: cause ? cause.text : text };
}

/** @param {WebAssembly.Memory} memory */
const isShared = (memory) => typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer;

/** @param {'threads' | 'single'} mode @param {Given} given @returns {WebAssembly.Memory} */
function makeMemory(mode, { ownMemory, initialPages, maximumPages, module }) {
  const shared = mode === 'threads';
  if (ownMemory) {
    if (isShared(ownMemory) === shared || (!module && !shared)) return ownMemory;
    throw new TernError(STATUS.ERR_ARGUMENT, `the memory given is ${shared ? 'not ' : ''}shared, and mode '${mode}' `
      + `needs one that is${shared ? '' : ' not'}`);
  }
  try {
    return new WebAssembly.Memory({ initial: initialPages, maximum: maximumPages, shared });
  } catch (error) {
    throw new TernError(STATUS.ERR_MEMORY, `no memory of ${initialPages} to ${maximumPages} pages: ${error}`);
  }
}

/** @param {'threads' | 'single'} mode @param {Given} given @returns {Promise<WebAssembly.Module | null>} */
async function loadFor(mode, { module }) {
  if (!module) return null;
  const source = module[mode];
  if (source === undefined) throw new TernError(STATUS.ERR_ARGUMENT, `mode '${mode}' needs module.${mode}`);
  const loaded = await loadModule(source);
  checkModule(loaded, mode);
  return loaded;
}

/**
 * The instance of the starting thread: the first one, which writes the module's data into the memory.
 *
 * @param {'threads' | 'single'} mode
 * @param {WebAssembly.Module} module
 * @param {WebAssembly.Memory} memory
 * @param {Given} given
 */
async function makeOwnInstance(mode, module, memory, { imports, script }) {
  let all = imports;
  // in mode 'single' the script's calls go into this instance
  if (mode === 'single') all = { ...imports, ...scriptImports(await importScript(script), memory) };
  try {
    return (await WebAssembly.instantiate(module, importsOf(module, memory, all, mode === 'threads'))).exports;
  } catch (error) {
    throw linkError(error, mode);
  }
}

export { PAGE_BYTES, StartError };
