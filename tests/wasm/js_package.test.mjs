// SPDX-License-Identifier: MIT
// js_package.test.mjs: the npm package as users get it: packed, installed into an empty project, its README's
// examples run there, and TypeScript compiled against its declarations. TERN_WASM: the folder of the modules.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const WASM = path.join(ROOT, 'wasm');
const MODULES = process.env.TERN_WASM ?? path.join(ROOT, 'build/tests/wasm');
const FOLDER = mkdtempSync(path.join(tmpdir(), 'tern-package-'));
const OUT = path.join(FOLDER, 'out');
const PROJECT = path.join(FOLDER, 'project');
const INSTALLED = path.join(PROJECT, 'node_modules/tern-shm');
after(() => { rmSync(FOLDER, { recursive: true }); });

/** Run a program to its end. npm neither asks a registry nor leaves anything outside of our folder. */
function run(command, args, options = {}) {
  const { env, ...others } = options;
  const done = spawnSync(command, args, { cwd: PROJECT, encoding: 'utf8', timeout: 120_000, ...others, env: {
    ...process.env, npm_config_cache: path.join(FOLDER, 'cache'), npm_config_offline: 'true',
    npm_config_update_notifier: 'false', npm_config_userconfig: path.join(FOLDER, 'npmrc'), ...env } });
  if (done.error) throw done.error;
  return done;
}

/** The same, and it must succeed. @returns {string} what it printed */
function succeed(command, args, options) {
  const { status, signal, stdout, stderr } = run(command, args, options);
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${signal ?? ''}\n${stdout}${stderr}`);
  return stdout;
}

/** A module of the project that is run by Node: what it printed. */
function runModule(text, env) {
  writeFileSync(path.join(PROJECT, 'try.mjs'), text);
  return succeed(process.execPath, ['try.mjs'], { env }).trim();
}

/** All files below a folder, with slashes, sorted. */
const filesBelow = (folder) => readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name)).split(path.sep).join('/')).sort();

/** What the archive is to hold: everything that is imported, its declarations, and nothing else. */
function wantedFiles() {
  const modules = [...filesBelow(path.join(WASM, 'src')).map((name) => `src/${name}`),
    ...filesBelow(path.join(WASM, 'serve')).map((name) => `serve/${name}`), 'serve.mjs',
    ...filesBelow(path.join(WASM, 'node')).filter((name) => name.endsWith('.mjs')).map((name) => `node/${name}`)];
  const types = modules.filter((name) => name.endsWith('.mjs')).map((name) => `types/${name.replace(/mjs$/, 'd.mts')}`);
  return [...modules, ...types, 'LICENSE', 'README.md', 'package.json', 'tern.single.wasm', 'tern.threads.wasm'].sort();
}

test('it is packed and installed without a network', (t) => {
  succeed(process.execPath, [path.join(WASM, 'pack.mjs'), MODULES, OUT], { cwd: ROOT });
  const [{ filename, size, unpackedSize, entryCount }] = JSON.parse(succeed('npm', ['pack', '--json'], { cwd: OUT }));
  t.diagnostic(`${filename}: ${size} bytes, ${entryCount} files of ${unpackedSize} bytes`);
  mkdirSync(PROJECT);
  writeFileSync(path.join(PROJECT, 'package.json'), '{ "name": "project", "private": true, "type": "module" }');
  succeed('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', path.join(OUT, filename)]);
  assert.deepEqual(readdirSync(path.join(PROJECT, 'node_modules')).sort(),
    ['.bin', '.package-lock.json', 'tern-shm'], 'it brings nothing with it');
});

test('it holds what it should and no more, and nothing of the machine that made it', () => {
  const files = filesBelow(INSTALLED);
  assert.deepEqual(files, wantedFiles());
  const local = [ROOT.replace(/\/$/, ''), path.resolve(MODULES), FOLDER, `${homedir()}/`];
  for (const name of files) {
    const bytes = readFileSync(path.join(INSTALLED, name));
    for (const text of local) assert.ok(!bytes.includes(text), `${name} has '${text}' in it`);
  }
  for (const kind of ['threads', 'single']) {
    assert.deepEqual(readFileSync(path.join(INSTALLED, `tern.${kind}.wasm`)),
      readFileSync(path.join(MODULES, `tern.${kind}.wasm`)));
  }
});

test('package.json: every file that it names is there; version as the library', () => {
  const about = JSON.parse(readFileSync(path.join(INSTALLED, 'package.json'), 'utf8'));
  const [, version] = /version: '([^']+)'/.exec(readFileSync(path.join(ROOT, 'meson.build'), 'utf8'));
  assert.equal(about.version, version);
  for (const field of ['dependencies', 'peerDependencies', 'optionalDependencies', 'scripts']) {
    assert.equal(about[field], undefined, field);
  }
  const named = [...Object.values(about.exports).flatMap((entry) => (typeof entry === 'string' ? entry
    : Object.values(entry))), ...Object.values(about.bin)];
  assert.ok(named.length > 10);
  for (const name of named) assert.ok(existsSync(path.join(INSTALLED, name)), name);
  for (const entry of Object.values(about.exports)) {
    if (typeof entry === 'object') assert.deepEqual(Object.keys(entry), ['types', 'default'], 'types come first');
  }
});

test("the README's examples run and print what they say", () => {
  const readme = readFileSync(path.join(INSTALLED, 'README.md'), 'utf8');
  // ```js NAME: a file of that name; what console.log() prints stands behind it
  const blocks = [...readme.matchAll(/^```js (\S+)\n([^]*?)^```/gm)].map(([, name, text]) => ({ name, text }));
  for (const { name, text } of blocks) writeFileSync(path.join(PROJECT, name), text);
  const programs = blocks.filter(({ text }) => text.includes('console.log('));
  assert.deepEqual(programs.map(({ name }) => name), ['sum.mjs', 'field.mjs', 'serve.mjs']);
  for (const { name, text } of programs) {
    const calls = text.split('\n').filter((line) => line.includes('console.log('));
    const expected = calls.map((line) => {
      const [, answer] = /console\.log\(.*\);\s+\/\/ (.+)$/.exec(line) ?? [];
      assert.ok(answer, `${name}: what does this print? ${line}`);
      return answer;
    });
    assert.equal(succeed(process.execPath, [name]), `${expected.join('\n')}\n`, name);
  }
});

test('its own modules, in both modes of a runtime', () => {
  writeFileSync(path.join(PROJECT, 'module_worker.mjs'), `export default ({ exports, mode }) =>
    ({ ask: () => [mode, typeof exports.tern_ring_attach_producer, exports.tern_sizeof_views() > 0].join() });`);
  const answers = runModule(`
    import { Runtime } from 'tern-shm';
    const module = { threads: new URL(import.meta.resolve('tern-shm/tern.threads.wasm')),
      single: new URL(import.meta.resolve('tern-shm/tern.single.wasm')) };
    for (const mode of ['threads', 'single']) {
      const script = new URL('./module_worker.mjs', import.meta.url);
      const runtime = await Runtime.start({ script, module, mode, workers: 2 });
      console.log(...await Promise.all(runtime.workers.map((worker) => worker.call('ask'))));
      await runtime.end();
    }`);
  assert.equal(answers, 'threads,function,true threads,function,true\nsingle,function,true single,function,true');
});

test('every address that is exported can be imported; what is not, can not', () => {
  const answer = runModule(`
    import { isolationHeaders } from 'tern-shm/headers';
    import { isolate, unisolate } from 'tern-shm/isolate';
    import { serve } from 'tern-shm/serve';
    import { readFileSync } from 'node:fs';
    import about from 'tern-shm/package.json' with { type: 'json' };
    const text = (name) => readFileSync(new URL(import.meta.resolve(name)), 'utf8');
    console.log(about.name, typeof isolate, typeof unisolate, typeof serve,
      isolationHeaders()['Cross-Origin-Opener-Policy'], text('tern-shm/isolation_worker.js').includes('addEventListener'),
      text('tern-shm/runtime_worker.mjs').includes('serveScript'));
    console.log(await import('tern-shm/src/ring.mjs').catch((error) => error.code));`);
  assert.equal(answer, 'tern-shm function function function same-origin true true\nERR_PACKAGE_PATH_NOT_EXPORTED');
});

test('without the addon tern-shm/node says how to get it; with it, it loads', () => {
  const script = `import('tern-shm/node').then(({ openRegion }) => typeof openRegion, (error) => error.message)
    .then(console.log);`;
  const none = { TERN_NODE_ADDON: path.join(FOLDER, 'tern.node') };
  assert.match(runModule(script, none), /^TERN_ERR_UNSUPPORTED: the addon could not be loaded.*docs\/node\.md/);
  const addon = path.join(MODULES, '../../wasm/node/tern.node');   // where there is one it was built before
  if (existsSync(addon)) assert.equal(runModule(script, { TERN_NODE_ADDON: addon }), 'function');
});

test('tern-serve is a command, by the link that npm makes', () => {
  const command = path.join(PROJECT, 'node_modules/.bin/tern-serve');
  assert.match(succeed(command, ['--help']), /--coep credentialless/);
  const { status, stderr } = run(command, []);
  assert.equal(status, 1);
  assert.match(stderr, /which FOLDER/);
});

test('pack.mjs refuses a folder that holds something, and one without modules', () => {
  const refused = (...args) => {
    const { status, stderr } = run(process.execPath, [path.join(WASM, 'pack.mjs'), ...args]);
    assert.equal(status, 1);
    return stderr;
  };
  assert.match(refused(MODULES, PROJECT), /is not empty/);
  assert.match(refused(FOLDER, path.join(FOLDER, 'other')), /tern\.threads\.wasm is not there; ninja/);
  assert.ok(!existsSync(path.join(FOLDER, 'other')));
});

// package_use_*.ts use it rightly; their lines behind @ts-expect-error are wrong, each, or tsc says so. The declarations
// for pages are whole in a project without @types/node, and are checked themselves; those of Node's parts want it.
const node = { types: ['node'], typeRoots: [path.join(ROOT, 'node_modules/@types')], skipLibCheck: true };
const page = { types: [], skipDefaultLibCheck: true };
for (const [part, module, moduleResolution, more] of [
  ['page', 'nodenext', 'nodenext', page], ['page', 'esnext', 'bundler', page], ['node', 'nodenext', 'nodenext', node]]) {
  test(`declarations: right uses compile and wrong ones do not: ${part}, moduleResolution ${moduleResolution}`, () => {
    const name = `package_use_${part}.ts`;
    cpSync(path.join(ROOT, 'tests/wasm', name), path.join(PROJECT, name));
    const config = path.join(PROJECT, `${part}.${moduleResolution}.json`);
    writeFileSync(config, JSON.stringify({ files: [name], compilerOptions: { strict: true, noEmit: true,
      target: 'es2022', lib: ['es2022', 'dom'], module, moduleResolution, ...more } }));
    succeed(process.execPath, [createRequire(import.meta.url).resolve('typescript/bin/tsc'), '-p', config]);
  });
}

test('all that the package exports is used by those', async () => {
  const read = (part) => readFileSync(path.join(ROOT, `tests/wasm/package_use_${part}.ts`), 'utf8');
  const used = read('page').slice(read('page').lastIndexOf('import '));
  const names = Object.keys(await import(new URL('../../wasm/src/index.mjs', import.meta.url).href));
  assert.ok(names.length > 20);
  for (const name of names) assert.ok(new RegExp(`\\b${name}\\b`).test(used), `${name} is used`);
  const { exports: entries } = JSON.parse(readFileSync(path.join(INSTALLED, 'package.json'), 'utf8'));
  for (const [name, entry] of Object.entries(entries)) {
    if (typeof entry === 'string') continue;
    assert.ok((read('page') + read('node')).includes(`'${path.posix.join('tern-shm', name)}'`), `${name} is used`);
  }
});
