// SPDX-License-Identifier: MIT
// raw_http.mjs: one HTTP request as written, and the answer with every header line as sent: fetch() and URL would tidy
// up the paths, and would join headers that were sent twice.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';

/** An answer. */
export class Answer {
  /** @param {Buffer} bytes */
  constructor(bytes) {
    const text = bytes.toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    assert.notEqual(end, -1, `no HTTP answer: ${JSON.stringify(text.slice(0, 200))}`);
    const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
    this.status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1]);
    /** @type {[string, string][]} names in lower case */
    this.headers = lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
    const body = bytes.subarray(end + 4);
    this.body = (this.all('transfer-encoding').includes('chunked') ? unchunk(body) : body).toString('utf8');
  }

  /** The values of all lines of a header. @param {string} name */
  all(name) { return this.headers.filter(([other]) => other === name.toLowerCase()).map(([, value]) => value); }

  /** The value of the header's only line; undefined if there is none. @param {string} name */
  one(name) {
    const values = this.all(name);
    assert.ok(values.length <= 1, `${name} was sent ${values.length} times`);
    return values[0];
  }
}

/** @param {Buffer} bytes */
function unchunk(bytes) {
  const parts = [];
  for (let at = 0; ;) {
    const end = bytes.indexOf('\r\n', at);
    const length = parseInt(bytes.toString('latin1', at, end), 16);
    if (!(length > 0)) return Buffer.concat(parts);
    parts.push(bytes.subarray(end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
}

/**
 * @param {number} port of this machine
 * @param {string} target sent as it is
 * @param {{ method?: string, headers?: Record<string, string>, host?: string, body?: string }} [options] host '' sends
 *   no Host line
 */
export async function rawRequest(port, target, options = {}) {
  const { method = 'GET', headers = {}, host = `127.0.0.1:${port}`, body = '' } = options;
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const lines = Object.entries({ ...(host ? { Host: host } : {}), Connection: 'close', ...headers,
    ...(body ? { 'Content-Length': String(body.length) } : {}) }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
  /** @type {Buffer[]} */
  const parts = [];
  socket.on('data', (part) => parts.push(part));
  // a server that refuses a request closes while we may still be sending
  socket.on('error', () => {});
  await once(socket, 'close');
  return new Answer(Buffer.concat(parts));
}

/**
 * The headers are there, each once and with its value.
 *
 * @param {Answer} answer
 * @param {Record<string, string>} expected
 * @param {string} what for the message
 */
export function assertHeaders(answer, expected, what) {
  const sent = Object.keys(expected).map((name) => [name, answer.all(name)]);
  assert.deepEqual(sent, Object.entries(expected).map(([name, value]) => [name, [value]]), `headers of ${what}`);
}
