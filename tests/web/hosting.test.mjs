// SPDX-License-Identifier: MIT
// hosting.test.mjs: the configurations of docs/hosting have the headers of wasm/src/headers.mjs, all of them and no
// others; and the real nginx, Apache and Caddy send each exactly once with every kind of path and every status.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isolationHeaders } from '../../wasm/src/headers.mjs';
import { HOSTING, SERVERS, missing, startServer } from './servers.mjs';
import { assertHeaders, rawRequest } from './raw_http.mjs';

const EXPECTED = isolationHeaders();

/** How a line of each file sets a header. */
const LINES = {
  'nginx.conf': /^    add_header (\S+) +"([^"]*)" always;$/gm,
  'apache.conf': /^    Header always set (\S+) +"([^"]*)"$/gm,
  Caddyfile: /^\t\t([A-Z]\S*) +"([^"]*)"$/gm,
  _headers: /^  (\S+): (.*)$/gm,
};

for (const [name, line] of Object.entries(LINES)) {
  test(`${name} has the headers of headers.mjs`, () => {
    const text = readFileSync(path.join(HOSTING, name), 'utf8');
    const found = [...text.matchAll(line)].map(([, header, value]) => [header, value]);
    const others = found.filter(([header]) => header === 'Cache-Control');
    assert.equal(others.length, name === 'Caddyfile' ? 1 : 0);
    assert.deepEqual(found.filter((one) => !others.includes(one)), Object.entries(EXPECTED));
  });
}

test('_headers sets them for all paths, and has nothing else', () => {
  const text = readFileSync(path.join(HOSTING, '_headers'), 'utf8');
  const lines = text.split('\n').filter((line) => !/^(#.*)?$/.test(line));
  assert.equal(lines[0], '/*');
  assert.equal(lines.length, 1 + Object.keys(EXPECTED).length);
  // some hosts cut longer lines off
  assert.ok(lines.every((line) => line.length < 2000));
});

for (const name of Object.keys(SERVERS)) {
  const lacking = missing(name);
  // under CI a test that could not run has failed
  describe(`the real ${name}`, { skip: process.env.CI ? false : lacking }, () => {
    let server;
    before(async () => {
      assert.equal(lacking, false, String(lacking));
      server = await startServer(name);
    });
    after(() => server?.stop());
    const get = (target, options) => rawRequest(server.port, target, options);

    test('files come with their types, the headers, and are asked for again', async () => {
      for (const [target, type] of [['/', /^text\/html; ?charset=utf-8$/i], ['/index.html', /^text\/html/],
        ['/index.html?version=2', /^text\/html/], ['/sub/', /^text\/html/], ['/m.mjs', /^text\/javascript/],
        ['/m.js', /^text\/javascript/], ['/m.wasm', /^application\/wasm$/], ['/m.css', /^text\/css/],
        ['/m.json', /^application\/json/], ['/i.svg', /^image\/svg\+xml/]]) {
        const answer = await get(target);
        assert.equal(answer.status, 200, target);
        assert.match(answer.one('content-type'), type, target);
        assert.match(answer.one('cache-control'), /no-cache/, target);
        assertHeaders(answer, EXPECTED, target);
      }
    });

    test('every status carries each header once', async () => {
      const tag = (await get('/index.html')).one('etag');
      const date = (await get('/index.html')).one('last-modified');
      for (const [statuses, target, options] of [
        [[301, 308], '/sub'],
        [[304], '/index.html', { headers: { 'If-None-Match': tag } }],
        [[304], '/index.html', { headers: { 'If-Modified-Since': date } }],
        [[206], '/m.wasm', { headers: { Range: 'bytes=0-3' } }],
        [[416], '/m.wasm', { headers: { Range: 'bytes=99-' } }],
        [[403, 404], '/empty/'],
        [[403], '/refused'],
        [[404], '/none.html'],
        [[404], '/none/none.html'],
        [[404], '/.env'],
        [[404], '/sub/.git/config'],
        // Apache answers it as a GET
        [[name === 'apache' ? 200 : 405], '/index.html', { method: 'POST', body: 'text' }],
        [[405], '/index.html', { method: 'DELETE' }],
        [[500], '/fails'],
        [[200], '/index.html', { method: 'HEAD' }],
      ]) {
        const answer = await get(target, options);
        const what = `${target} ${JSON.stringify(options ?? {})}`;
        assert.ok(statuses.includes(answer.status), `${what}: ${answer.status}, not ${statuses}`);
        assert.doesNotMatch(answer.body, /secret/);
        assertHeaders(answer, EXPECTED, `${what}, ${answer.status}`);
      }
    });

    // Caddy answers these before its configuration is asked (docs/security-headers.md)
    if (name !== 'caddy') test('what is no request is a 400 with the headers', async () => {
      for (const [target, options] of [['/%zz', {}], ['no-slash', {}], ['/index.html', { method: 'NO SUCH' }]]) {
        const answer = await get(target, options);
        assert.ok([400, 404].includes(answer.status), `${target}: ${answer.status}`);
        assertHeaders(answer, EXPECTED, `${options.method ?? 'GET'} ${target}, ${answer.status}`);
      }
    });
  });
}
