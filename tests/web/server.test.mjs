// SPDX-License-Identifier: MIT
// server.test.mjs: the development server: every status carries the headers exactly once, no path leaves the folder.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { serve } from '../../wasm/serve.mjs';
import { isolationHeaders } from '../../wasm/src/headers.mjs';
import { assertHeaders, rawRequest } from './raw_http.mjs';

const SERVE = path.join(import.meta.dirname, '../../wasm/serve.mjs');
const TEXT = 'hello, ring\n';
const EXPECTED = isolationHeaders();

let parent;
let server;

before(async () => {
  parent = mkdtempSync(path.join(tmpdir(), 'tern-serve-'));
  const folder = path.join(parent, 'site');
  mkdirSync(path.join(folder, 'sub/.hidden'), { recursive: true });
  mkdirSync(path.join(folder, 'empty'));
  mkdirSync(path.join(parent, 'more'));
  const files = {
    'site/index.html': '<!doctype html>', 'site/a.txt': TEXT, 'site/sub/index.html': 'sub', 'site/sp ace.txt': 'space',
    'site/ü.txt': 'umlaut', 'site/m.mjs': '', 'site/m.js': '', 'site/m.wasm': '', 'site/m.css': '',
    'site/m.unknown': '',
    'site/.env': 'secret', 'site/sub/.hidden/x': 'secret', 'outside.txt': 'secret', 'more/b.txt': 'mounted',
    'site-sibling.txt': 'secret',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(parent, name), text);
  symlinkSync('../outside.txt', path.join(folder, 'leaves.txt'));
  symlinkSync('..', path.join(folder, 'up'));
  symlinkSync('a.txt', path.join(folder, 'stays.txt'));
  symlinkSync('.env', path.join(folder, 'env.txt'));
  symlinkSync('a.txt', path.join(folder, '.a.txt'));
  symlinkSync('loop.txt', path.join(folder, 'loop.txt'));
  assert.equal(spawnSync('mkfifo', [path.join(folder, 'pipe')]).status, 0);
  server = await serve({ folder, mounts: { '/more/': path.join(parent, 'more') }, answers: {
    '/made.json': '{"made":true}', '/start': { location: '/sub/' },
  } });
});
after(async () => {
  await server.close();
  rmSync(parent, { recursive: true });
});

const get = (target, options) => rawRequest(server.port, target, options);

test('files, their types, folders and mounts', async () => {
  for (const [target, status, type, body] of [
    ['/', 200, 'text/html; charset=utf-8', '<!doctype html>'],
    ['/a.txt', 200, 'text/plain; charset=utf-8', TEXT],
    ['/a.txt?version=2', 200, 'text/plain; charset=utf-8', TEXT],
    ['/sp%20ace.txt', 200, 'text/plain; charset=utf-8', 'space'],
    ['/%C3%BC.txt', 200, 'text/plain; charset=utf-8', 'umlaut'],
    ['/m.mjs', 200, 'text/javascript; charset=utf-8', ''],
    ['/m.js', 200, 'text/javascript; charset=utf-8', ''],
    ['/m.wasm', 200, 'application/wasm', ''],
    ['/m.css', 200, 'text/css; charset=utf-8', ''],
    ['/m.unknown', 200, 'application/octet-stream', ''],
    ['/sub/', 200, 'text/html; charset=utf-8', 'sub'],
    ['/more/b.txt', 200, 'text/plain; charset=utf-8', 'mounted'],
    ['/stays.txt', 200, 'text/plain; charset=utf-8', TEXT],
    ['/made.json', 200, 'application/json', '{"made":true}'],
  ]) {
    const answer = await get(target);
    assert.deepEqual([target, answer.status, answer.one('content-type'), answer.body], [target, status, type, body]);
    assert.equal(Number(answer.one('content-length')), Buffer.byteLength(body), target);
    assertHeaders(answer, EXPECTED, target);
  }
});

test('every status carries the headers once', async () => {
  const tag = (await get('/a.txt')).one('etag');
  for (const [status, target, options] of [
    [301, '/sub'], [302, '/start'], [304, '/a.txt', { headers: { 'If-None-Match': tag } }],
    [206, '/a.txt', { headers: { Range: 'bytes=0-4' } }], [416, '/a.txt', { headers: { Range: 'bytes=99-' } }],
    [400, '/%zz'], [400, 'a.txt'], [403, '/leaves.txt'], [404, '/none'], [405, '/a.txt', { method: 'POST' }],
    [405, '/a.txt', { method: 'OPTIONS' }], [400, '/a.txt', { method: 'NO SUCH' }],
    [400, '/a.txt', { host: '' }], [431, '/a.txt', { headers: { 'X-Long': 'x'.repeat(20_000) } }],
    [200, '/a.txt', { headers: { Expect: 'a-miracle' } }], [403, '/a.txt', { host: 'rebound.example' }],
  ]) {
    const answer = await get(target, options);
    assert.equal(answer.status, status, `${target} ${JSON.stringify(options)}`);
    assertHeaders(answer, EXPECTED, `${status} ${target}`);
  }
  const { status, body } = await get('/a.txt', { method: 'HEAD' });
  assert.deepEqual([status, body], [200, '']);
  assert.equal((await get('/sub?x=1')).one('location'), '/sub/?x=1');
  assert.equal((await get('/a.txt', { method: 'POST', body: 'text' })).one('allow'), 'GET, HEAD');
});

test('what the server did not foresee is a 500, with the headers', async (t) => {
  const told = t.mock.method(console, 'error', () => {});
  const failing = await serve({ folder: parent, headers: () => { throw new Error('on purpose'); } });
  try {
    const answer = await rawRequest(failing.port, '/outside.txt');
    assert.equal(answer.status, 500);
    assert.doesNotMatch(answer.body, /on purpose/);
    assertHeaders(answer, EXPECTED, 'a 500');
    assert.match(String(told.mock.calls[0]?.arguments[1]), /on purpose/);
  } finally {
    await failing.close();
  }
});

test('entity tags: unchanged is a 304, changed is the new file', async () => {
  const file = path.join(parent, 'site/changing.txt');
  writeFileSync(file, 'one');
  const tag = (await get('/changing.txt')).one('etag');
  assert.match(tag, /^"[^"]+"$/);
  for (const value of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
    const answer = await get('/changing.txt', { headers: { 'If-None-Match': value } });
    assert.deepEqual([value, answer.status, answer.body, answer.one('etag')], [value, 304, '', tag]);
  }
  assert.equal((await get('/changing.txt', { headers: { 'If-None-Match': '"other"' } })).status, 200);
  writeFileSync(file, 'two');
  const changed = await get('/changing.txt', { headers: { 'If-None-Match': tag } });
  assert.deepEqual([changed.status, changed.body], [200, 'two']);
  const made = (await get('/made.json')).one('etag');
  assert.equal((await get('/made.json', { headers: { 'If-None-Match': made } })).status, 304);
});

test('ranges', async () => {
  const tag = (await get('/a.txt')).one('etag');
  const last = TEXT.length - 1;
  for (const [range, status, body, contentRange] of [
    ['bytes=0-4', 206, 'hello', '0-4'], ['bytes=7-', 206, TEXT.slice(7), `7-${last}`],
    ['bytes=-5', 206, TEXT.slice(-5), `${last - 4}-${last}`], ['bytes=-99', 206, TEXT, `0-${last}`],
    ['bytes=5-999', 206, TEXT.slice(5), `5-${last}`],
    [`bytes=${last}-${last}`, 206, TEXT.slice(last), `${last}-${last}`],
    // what RFC 9110 lets a server ignore: the whole
    ['bytes=5-2', 200, TEXT], ['bytes=0-1,3-4', 200, TEXT], ['lines=0-1', 200, TEXT], ['bytes=-', 200, TEXT],
    ['bytes=12-', 416, null, '*'], ['bytes=-0', 416, null, '*'],
  ]) {
    const answer = await get('/a.txt', { headers: { Range: range } });
    const expected = contentRange && `bytes ${contentRange}/${TEXT.length}`;
    assert.deepEqual([range, answer.status, answer.one('content-range')], [range, status, expected]);
    if (body !== null) assert.equal(answer.body, body, range);
  }
  const part = { Range: 'bytes=0-4' };
  assert.equal((await get('/a.txt', { headers: { ...part, 'If-Range': tag } })).status, 206);
  assert.equal((await get('/a.txt', { headers: { ...part, 'If-Range': '"older"' } })).status, 200);
  assert.equal((await get('/made.json', { headers: { Range: 'bytes=1-6' } })).body, '"made"');
});

test('no path leaves the folder, and nothing hidden is served', async () => {
  for (const [status, targets] of [
    [400, ['/../outside.txt', '/sub/../../outside.txt', '/..%2foutside.txt', '/%2e%2e/outside.txt', '/.%2e/outside.txt',
      '/..%5coutside.txt', '/..\\outside.txt', '/sub/..', '/./a.txt', '//a.txt', '//evil.example/..', '/a.txt%00.html',
      '/%00', '/%ff', '/%', '/%2fetc%2fpasswd', '/more/../outside.txt', '/more/%2e%2e/outside.txt', '*',
      `http://127.0.0.1:${server.port}/a.txt`]],
    [403, ['/leaves.txt', '/up/outside.txt', '/up/site-sibling.txt', '/loop.txt', '/pipe']],
    [404, ['/.env', '/%2eenv', '/env.txt', '/.a.txt', '/sub/.hidden/x', '/sub/.hidden', '/none', '/a.txt/', '/a.txt/b',
      '/empty/', '/more', '/more/', '/more/a.txt', '/constructor', `/${'x'.repeat(300)}`, '/%252e%252e/outside.txt', '/...']],
  ]) {
    for (const target of targets) {
      const answer = await get(target);
      assert.deepEqual([target, answer.status], [target, status]);
      assert.doesNotMatch(answer.body, /secret/);
      assertHeaders(answer, EXPECTED, target);
    }
  }
});

test('other header sets: credentialless, none, by path, with other origins', async () => {
  const folder = path.join(parent, 'site');
  for (const [options, expected] of [
    [{ coep: 'credentialless' }, { ...EXPECTED, 'Cross-Origin-Embedder-Policy': 'credentialless' }],
    [{ origins: ['https://cdn.example'] }, isolationHeaders({ origins: ['https://cdn.example'] })],
    [{ headers: (pathname) => ({ 'X-Path': pathname }) }, { 'X-Path': '/a.txt' }],
    [{ isolation: false }, {}],
  ]) {
    const other = await serve({ folder, ...options });
    try {
      const answer = await rawRequest(other.port, '/a.txt?search');
      assertHeaders(answer, expected, JSON.stringify(options));
      const names = answer.headers.map(([name]) => name);
      const absent = Object.keys(EXPECTED).filter((name) => !(name in expected));
      assert.deepEqual(absent.filter((name) => names.includes(name.toLowerCase())), []);
    } finally {
      await other.close();
    }
  }
  const policy = isolationHeaders({ origins: ['https://cdn.example'] })['Content-Security-Policy'];
  for (const directive of ["default-src 'self' https://cdn.example", "worker-src 'self'",
    "script-src 'self' https://cdn.example 'wasm-unsafe-eval'"]) assert.ok(policy.split('; ').includes(directive));
  for (const options of [{ coep: 'unsafe-none' }, { origins: ['cdn.example'] }, { origins: ['https://a.example/path'] },
    { origins: ["https://a.example; script-src 'unsafe-eval'"] }]) {
    await assert.rejects(serve({ folder, ...options }), TypeError);
  }
});

test('a long file arrives whole, and a reader who leaves does no harm', async () => {
  const bytes = Buffer.alloc(3_000_000, 'ring ');
  writeFileSync(path.join(parent, 'site/long.txt'), bytes);
  assert.equal((await get('/long.txt')).body, bytes.toString());
  for (let i = 0; i < 20; i++) {
    const socket = net.connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`GET /long.txt HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await once(socket, 'data');
    socket.destroy();
  }
  assert.equal((await get('/a.txt')).body, TEXT);
});

test('the command: prints the address and what it sends; mistakes have clear errors', async () => {
  const folder = path.join(parent, 'site');
  const child = spawn(process.execPath, [SERVE, '--port', '0', '--coep', 'credentialless', folder]);
  try {
    let text = '';
    child.stdout.setEncoding('utf8');
    while (!text.includes('Referrer-Policy')) text += (await once(child.stdout, 'data'))[0];
    assert.match(text, /Cross-Origin-Embedder-Policy: credentialless/);
    const port = Number(/http:\/\/127\.0\.0\.1:(\d+)\//.exec(text)?.[1]);
    assert.equal((await rawRequest(port, '/a.txt')).one('cross-origin-embedder-policy'), 'credentialless');
  } finally {
    child.kill();
    await once(child, 'close');
  }
  for (const [argv, status, message] of [
    [['--port', String(server.port), folder], 1, /^serve: port \d+ is taken.*Choose another/],
    [['--port', 'http', folder], 1, /--port is from 0 to 65535, not 'http'/],
    [['--port', '70000', folder], 1, /from 0 to 65535/],
    [['--host', '203.0.113.1', '--port', '0', folder], 1, /203\.0\.113\.1 is no address of this machine/],
    [['--coep', 'unsafe-none', folder], 1, /coep is 'require-corp' or 'credentialless'/],
    [[path.join(parent, 'nowhere')], 1, /nowhere is no folder/],
    [[folder, folder], 1, /one folder, not 2/],
    [['--mount', 'x=y', folder], 1, /--mount \/PATH\/=FOLDER/],
    [['--no-such-option'], 2, /--no-such-option/],
  ]) {
    const done = spawnSync(process.execPath, [SERVE, ...argv], { encoding: 'utf8', timeout: 20_000 });
    assert.equal(done.status, status, `${argv}: ${done.stdout}${done.stderr}`);
    assert.match(done.stderr, message);
  }
  assert.match(spawnSync(process.execPath, [SERVE, '--help'], { encoding: 'utf8' }).stdout, /--no-isolation/);
});
