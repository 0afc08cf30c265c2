// SPDX-License-Identifier: MIT
// runtime_instance.mjs: a wasm module for each thread of a runtime: load it, look whether it was linked for several
// threads, and give each instance its stack and its thread-local storage.
//
// Every instance begins with the same stack pointer and without thread-local storage, so a worker's would share both
// with all others. The linker must export what is set here; docs/javascript.md has the command.
import { STATUS } from './layout.mjs';
import { TernError } from './status.mjs';
import { isNode } from './runtime_tasks.mjs';

/** @typedef {string | URL | BufferSource | WebAssembly.Module} ModuleSource */

/** What must be exported, for what. */
const NEEDED = {
  single: { __heap_base: 'where memory is free' },
  threads: {
    __heap_base: 'where memory is free',
    __stack_pointer: 'or all workers would have one stack',
    __wasm_init_tls: 'or all workers would have one thread-local storage',
    __tls_size: 'the size of thread-local storage',
  },
};

/**
 * Compile a module.
 *
 * @param {ModuleSource} source an address (also file: in Node), its bytes, or a compiled module
 * @returns {Promise<WebAssembly.Module>}
 * @throws {TernError} NOT_FOUND: nothing there; ARGUMENT: no wasm; UNSUPPORTED: forbidden here
 */
export async function loadModule(source) {
  if (source instanceof WebAssembly.Module) return source;
  const isAddress = typeof source === 'string' || source instanceof URL;
  const bytes = isAddress ? await read(source) : source;
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    if (error instanceof WebAssembly.CompileError && !/content.security.policy/i.test(error.message)) {
      throw new TernError(STATUS.ERR_ARGUMENT, `${isAddress ? source : 'what module gives'} is no wasm module that `
        + `this engine can compile: ${error.message}`);
    }
    throw new TernError(STATUS.ERR_UNSUPPORTED, "the Content-Security-Policy forbids compiling wasm; add "
      + `'wasm-unsafe-eval' to its script-src (${error})`);
  }
}

/** @param {string | URL} address @returns {Promise<BufferSource>} */
async function read(address) {
  try {
    if (isNode && !/^(https?|data|blob):/.test(String(address))) {
      const builtin = 'node:fs/promises';
      const { readFile } = /** @type {typeof import('node:fs/promises')} */ (await import(/* @vite-ignore */ builtin));
      return new Uint8Array(await readFile(/^file:/.test(String(address)) ? new URL(address) : address));
    }
    const response = await fetch(address);
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    return await response.arrayBuffer();
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new TernError(STATUS.ERR_NOT_FOUND, `the module ${address} can't be read: ${message}`);
  }
}

/**
 * Where a module imports its memory.
 *
 * @param {WebAssembly.Module} module
 * @param {'threads' | 'single'} kind
 * @returns {{ module: string, name: string }}
 * @throws {TernError} ARGUMENT: it was linked otherwise than a runtime needs it
 */
export function checkModule(module, kind) {
  const memory = WebAssembly.Module.imports(module).find((each) => each.kind === 'memory');
  if (!memory) {
    throw new TernError(STATUS.ERR_ARGUMENT, `the ${kind} module has its own memory; link it with --import-memory`);
  }
  const exported = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  for (const [name, reason] of Object.entries(NEEDED[kind])) {
    if (!exported.has(name)) {
      throw new TernError(STATUS.ERR_ARGUMENT, `the ${kind} module does not export ${name} (${reason}); link it with `
        + `--export=${name}`);
    }
  }
  return memory;
}

/**
 * Everything that a module imports.
 *
 * @param {WebAssembly.Module} module checked
 * @param {WebAssembly.Memory} memory
 * @param {WebAssembly.Imports | undefined} given by the user's script
 * @param {boolean} stub functions that are not given throw when they are called; else a module that imports them can't
 *   be instantiated
 * @returns {WebAssembly.Imports}
 */
export function importsOf(module, memory, given, stub) {
  /** @type {Record<string, Record<string, WebAssembly.ImportValue>>} */
  const all = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    all[from] ??= { ...given?.[from] };
    if (kind === 'memory') all[from][name] = memory;
    else if (kind === 'function' && stub) all[from][name] ??= missing(from, name);
  }
  return all;
}

/** @param {string} from @param {string} name */
const missing = (from, name) => () => {
  throw new TernError(STATUS.ERR_STATE, `the module called ${from}.${name}, which this thread was not given; give it `
    + 'by the option imports of Runtime.start');
};

/** The error for an instance that could not be made. @param {unknown} error @param {string} kind */
export function linkError(error, kind) {
  const { message } = /** @type {Error} */ (error);
  return new TernError(STATUS.ERR_ARGUMENT, `the ${kind} module can't be instantiated: ${message}; functions that it `
    + "imports come from the script's `export function imports()`, its memory needs at least as many pages as it was "
    + 'linked with (option memory.initialPages), and shared memory a module linked for it');
}

/**
 * Give an instance the stack and the thread-local storage of its thread. Before anything of it is called.
 *
 * @param {WebAssembly.Exports} exports
 * @param {import('./runtime_places.mjs').Place} place
 */
export function settle(exports, { stack, storage }) {
  const pointer = /** @type {WebAssembly.Global | undefined} */ (exports.__stack_pointer);
  // a stack grows down
  if (stack && pointer) pointer.value = stack.offset + stack.bytes;
  if (storage) /** @type {(at: number) => void} */ (exports.__wasm_init_tls)(storage.offset);
}

/** The value of an exported number; 0 if there is none. @param {WebAssembly.Exports} exports @param {string} name */
export const numberOf = (exports, name) =>
  (exports[name] instanceof WebAssembly.Global ? Number(exports[name].value) : 0);
