// SPDX-License-Identifier: MIT
// build.test.mjs: the addon as a user without meson gets it: by the line of docs/node.md; and the package's types.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HANG } from './harness.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PACKAGE = new URL('../../wasm/node/index.mjs', import.meta.url).href;

function newFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), 'tern-node-'));
  t.after(() => { rmSync(folder, { recursive: true }); });
  return folder;
}

/** Import the package with another binary, and say what comes of it. */
function load(path) {
  const script = `import('${PACKAGE}').then(() => 'loaded', (error) => error.message).then(console.log);`;
  const env = { ...process.env, TERN_NODE_ADDON: path };
  return spawnSync(process.execPath, ['-e', script], { env, encoding: 'utf8' }).stdout.trim();
}

test('the line of docs/node.md builds an addon that loads', HANG, (t) => {
  const built = join(newFolder(t), 'tern.node');
  const [, line] = /\n```sh\n(gcc [^`]*)```/.exec(readFileSync(join(ROOT, 'docs/node.md'), 'utf8')) ?? [];
  assert.ok(line, 'the line is there');
  const npm = join(ROOT, 'node_modules/node-api-headers/include');
  const here = line.replace('wasm/node/tern.node', built).replace('/usr/include/node', existsSync(npm) ? npm : '$&');
  execFileSync('sh', ['-ec', `${here.trim()} -Wall -Wextra -Werror`], { cwd: ROOT, stdio: 'inherit' });
  assert.equal(load(built), 'loaded');
});

test('an addon that is missing, or is none, says how to get one', HANG, (t) => {
  const folder = newFolder(t);
  assert.match(load(join(folder, 'tern.node')), /^TERN_ERR_UNSUPPORTED: .*docs\/node\.md/);
  writeFileSync(join(folder, 'tern.node'), 'text');
  assert.match(load(join(folder, 'tern.node')), /^TERN_ERR_UNSUPPORTED: .*docs\/node\.md/);
});

test('the types are sound, and declared', HANG, (t) => {
  const folder = newFolder(t);
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', join(ROOT, 'wasm/node'), '--outDir', folder],
    { encoding: 'utf8' });
  assert.equal(stdout, '');
  assert.equal(status, 0);
  const declared = readFileSync(join(folder, 'node/index.d.mts'), 'utf8');
  assert.match(declared, /export function openRegion\(name: string, options\?: OpenOptions\): Region;/);
  assert.match(declared, /wait\(offset: number, expected: number, timeoutMs\?: number\): Promise<"ok" \| "timed-out">/);
  assert.doesNotMatch(declared, /: any\b/);
});
