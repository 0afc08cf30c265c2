// SPDX-License-Identifier: MIT
// server.test.mjs: the development server: every status carries the headers exactly once, no path leaves the folder.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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
    'site/ü.txt': 'umlaut', 'site/m.mjs': '', 'site/m.js': '', 'site/m.wasm': '', 'site/m.css': '', 'site/m.unknown': '',
    'site/.env': 'secret', 'site/sub/.hidden/x': 'secret', 'outside.txt': 'secret', 'more/b.txt': 'mounted',
    'site-sibling.txt': 'secret', 'site/locked.txt': 'locked',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(parent, name), text);
  symlinkSync('../outside.txt', path.join(folder, 'leaves.txt'));
  symlinkSync('..', path.join(folder, 'up'));
  symlinkSync('a.txt', path.join(folder, 'stays.txt'));
  symlinkSync('.env', path.join(folder, 'env.txt'));
  symlinkSync('loop.txt', path.join(folder, 'loop.txt'));
  chmodSync(path.join(folder, 'locked.txt'), 0o000);
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
    [405, '/a.txt', { method: 'OPTIONS' }], [405, '/a.txt', { method: 'BREW', malformed: true }],
    [400, '/a.txt', { http: 'HTTP/1.1', host: '' }], [431, '/a.txt', { headers: { 'X-Long': 'x'.repeat(20_000) } }],
    [200, '/a.txt', { headers: { Expect: 'a-miracle' } }], [403, '/a.txt', { host: 'rebound.example' }],
  ].map(([status, target, options]) => [options?.malformed ? 400 : status, target, options])) {
    const answer = await get(target, options);
    assert.equal(answer.status, status, `${target} ${JSON.stringify(options)}`);
    assertHeaders(answer, EXPECTED, `${status} ${target}`);
    if (status === 304 || status === 302 || status === 301) assert.equal(status === 304, answer.body === '');
  }
});
