#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// pack.mjs: the npm package as it is published, in a folder of its own: sources, type declarations, modules.
//
//     node wasm/pack.mjs MODULES OUT      MODULES: the folder of tern.threads.wasm and tern.single.wasm
//                                         (build/tests/wasm); OUT: a new folder, or an empty one
//
// Then `npm pack` in OUT makes the archive. tsc makes the declarations, and fails on a type that is wrong.
import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { cp, mkdir, readdir, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const MODULES = ['tern.threads.wasm', 'tern.single.wasm'];
/** Of this folder. The addon's C sources stay: they are built from a checkout (docs/node.md). */
const PARTS = ['package.json', 'README.md', 'src', 'serve', 'serve.mjs', 'node'];

/** Declarations of everything that users import, checked while they are made. @param {string} out a folder */
function declare(out) {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const done = spawnSync(process.execPath, [tsc, '-p', HERE, '--outDir', out], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`tsc finds wrong types:\n${done.stdout}${done.stderr}`);
}

/**
 * @param {string} modules the folder that the modules are in
 * @param {string} out a folder: new, or empty
 * @throws {Error} a module is missing, out holds something, or a type is wrong
 */
export async function pack(modules, out) {
  for (const name of MODULES) {
    await stat(path.join(modules, name)).catch(() => {
      throw new Error(`${path.join(modules, name)} is not there; ninja -C build wasm makes build/tests/wasm/${name}`);
    });
  }
  await mkdir(out, { recursive: true });
  if ((await readdir(out)).length > 0) throw new Error(`${out} is not empty; name a new folder, or remove what it holds`);
  for (const name of PARTS) {
    await cp(path.join(HERE, name), path.join(out, name), { recursive: true,
      filter: (from) => !from.startsWith(path.join(HERE, 'node', path.sep)) || from.endsWith('.mjs') });
  }
  await cp(path.join(HERE, '../LICENSE'), path.join(out, 'LICENSE'));
  for (const name of MODULES) await cp(path.join(modules, name), path.join(out, name));
  declare(path.join(out, 'types'));
}

if (process.argv[1] && fileURLToPath(import.meta.url) === realpathSync(process.argv[1])) {
  const [modules, out, ...more] = process.argv.slice(2);
  if (!out || more.length > 0) {
    console.error('usage: node wasm/pack.mjs MODULES OUT');
    process.exit(2);
  }
  try {
    await pack(modules, path.resolve(out));
    console.log(`${out}: npm pack there makes the archive`);
  } catch (error) {
    console.error(`pack: ${/** @type {Error} */ (error).message}`);
    process.exitCode = 1;
  }
}
