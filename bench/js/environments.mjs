// SPDX-License-Identifier: MIT
// environments.mjs: where contestants run: workers of Node, workers of a page in a browser, and the native program.
import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { launch } from '../../tests/web/browsers.mjs';
import { serve } from '../../wasm/serve/server.mjs';
import { endCrews, turn } from './crew.mjs';

/**
 * @typedef {object} Environment
 * @property {string} name
 * @property {string} version
 * @property {(crew: string, cell: string, contestant: string, count: number)
 *   => Promise<import('./contestant.mjs').Outcome>} turn
 * @property {() => Promise<void>} endCrews
 * @property {() => Promise<void>} close
 */

const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = 'wasm_ring';
const MODULES = ['wasm_ring.wasm', 'tern.threads.wasm'];

/**
 * Compile wasm_ring.c natively and to wasm, by 4 commands, and put everything that is measured into a folder.
 *
 * @param {string} build a native build, in which `ninja wasm` was run
 * @param {string} made
 */
export function build(build, made) {
  const native = join(build, 'lib/libtern.a');
  const wasm = join(build, 'tests/wasm/threads/lib/libtern.a');
  for (const file of [native, wasm])
    if (!existsSync(file)) throw new Error(`${file} is not built: ninja -C ${build} lib/libtern.a wasm`);
  const source = [join(ROOT, 'bench/js/wasm_ring.c'), '-O2', '-std=gnu11', '-I', join(ROOT, 'include')];
  const [program, object, module] = [PROGRAM, 'wasm_ring.o', MODULES[0]].map((name) => join(made, name));
  execFileSync('clang', [...source, native, '-pthread', '-o', program]);
  execFileSync('clang', [...source, '--target=wasm32-unknown-unknown', '-ffreestanding', '-matomics', '-mbulk-memory',
    '-mmutable-globals', '-ftls-model=local-exec', '-c', '-o', object]);
  execFileSync('wasm-ld', ['--no-entry', '--shared-memory', '--import-memory', '--initial-memory=1048576',
    '--max-memory=67108864', '-z', 'stack-size=16384', '--export=__heap_base', '--export=__stack_pointer',
    '--export=__wasm_init_tls', object, wasm, '-o', module]);
  copyFileSync(join(build, 'tests/wasm', MODULES[1]), join(made, MODULES[1]));
}

/** Two workers of this process. @param {string} made @returns {Promise<Environment>} */
async function node(made) {
  const [loops, tern] = MODULES.map((name) => new WebAssembly.Module(readFileSync(join(made, name))));
  return {
    name: 'node', version: process.version,
    turn: (crew, cell, contestant, count) => turn(crew, cell, contestant, count, { loops, tern }),
    endCrews, close: async () => {},
  };
}

/** Two workers of a page. @param {'chromium' | 'firefox'} name @param {string} made @returns {Promise<Environment>} */
async function browser(name, made) {
  const server = await serve({ folder: made, mounts: {
    '/bench/js/': import.meta.dirname, '/wasm/src/': join(ROOT, 'wasm/src'),
    '/ringbuf.js/': join(ROOT, 'node_modules/ringbuf.js/dist'),
  } });
  const started = await launch(name);
  const page = await started.newPage();
  page.on('console', (message) => { if (message.type() === 'error') console.error(`${name}: ${message.text()}`); });
  page.on('pageerror', (error) => console.error(`${name}: ${error}`));
  await page.goto(`${server.url}bench/js/page.html`);
  await page.waitForFunction('globalThis.bench !== undefined');
  return {
    name, version: await started.version(),
    turn: (...turnOf) => page.evaluate((...args) => globalThis.bench.turn(...args), ...turnOf),
    endCrews: () => page.evaluate(() => globalThis.bench.endCrews()),
    close: async () => {
      await started.close();
      await server.close();
    },
  };
}

/** @param {string} name @param {string} made */
export const start = (name, made) => (name === 'node' ? node(made)
  : browser(/** @type {'chromium' | 'firefox'} */ (name), made));

/**
 * A turn of the native program, in two threads of its own.
 *
 * @param {string} made @param {string[]} how batch, waitable @param {number} count
 */
export async function nativeTurn(made, how, count) {
  // fails if an item is wrong
  const { stdout } = await promisify(execFile)(join(made, PROGRAM), [String(count), ...how]);
  return { ns: Number(stdout) * count, right: count };
}
