// SPDX-License-Identifier: MIT
// server.mjs: a development server whose every answer carries the headers that let a page share memory: files, 304,
// parts of files, redirects and errors. Files only, no dependency. The command is ../serve.mjs.
//
//   import { serve } from 'tern-shm/serve';
//   const server = await serve({ folder: 'public', port: 8080 });
//   console.log(server.url);
//   await server.close();
import { once } from 'node:events';
import { STATUS_CODES, createServer } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { isolationHeaders } from '../src/headers.mjs';
import { HttpError, isUnchanged, openBelow, parseRange, parseTarget, textFile } from './files.mjs';

/**
 * @typedef {object} ServeOptions
 * @property {string} folder served at `/`
 * @property {Record<string, string>} [mounts] further folders by the path at which they appear, as `/modules/`;
 *   the longest path that fits is taken
 * @property {Record<string, string | { location: string }>} [answers] by path: the text of a file that is on no
 *   disk (its name says its type), or where to go instead (302)
 * @property {number} [port] 0 (the default): any free one
 * @property {string} [host] '127.0.0.1': reached from this machine only
 * @property {string[]} [hostNames] by which requests may call this server, besides its address and localhost; a page
 *   elsewhere on the web whose name is made to lead here is refused. Not checked where host is no loopback address
 * @property {'require-corp' | 'credentialless'} [coep]
 * @property {boolean} [isolation] false: none of the headers, to see what a page does without
 * @property {string[]} [origins] other origins that the Content-Security-Policy lets through
 * @property {(pathname: string) => Record<string, string>} [headers] in place of that list: what goes with every
 *   answer for a path, whatever its status
 */

/**
 * @typedef {object} Served
 * @property {string} url ends with a slash
 * @property {string} origin without it
 * @property {number} port
 * @property {() => Promise<void>} close ends all connections
 */

const LOOPBACK = /^(127(\.\d{1,3}){3}|::1|localhost)$/;

/**
 * Start a server.
 *
 * @param {ServeOptions} options
 * @returns {Promise<Served>} when it listens
 * @throws {Error} the port is taken, or the host is no address of this machine; the text says what to do
 */
export async function serve(options) {
  const { host = '127.0.0.1', port = 0 } = options;
  const site = new Site(options);
  /** @type {import('node:http').RequestListener} */
  const listener = (request, response) => { void site.answer(request, response); };
  // by itself node answers two kinds of request, and without our headers: one that calls the server by no name,
  // and one that expects what nobody knows
  const server = createServer({ requireHostHeader: false }, listener);
  server.on('checkExpectation', listener);
  // what is no HTTP at all, or has too long a header: node has no request for it, only the connection
  server.on('clientError', (/** @type {any} */ error, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') { socket.destroy(); return; }
    socket.end(site.rawError(error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400));
  });
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (/** @type {any} */ error) {
    throw new Error(explainListen(error, host, port), { cause: error });
  }
  const listensOn = /** @type {import('node:net').AddressInfo} */ (server.address()).port;
  // an address that means all of them is none to visit
  const visited = { '0.0.0.0': '127.0.0.1', '::': '[::1]', '::1': '[::1]' }[host] ?? host;
  const origin = `http://${visited}:${listensOn}`;
  return {
    url: `${origin}/`, origin, port: listensOn,
    close: async () => {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}

/** @param {any} error @param {string} host @param {number} port */
function explainListen(error, host, port) {
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} is taken, by a server started before? Choose another, or 0 for any free one`;
    case 'EACCES': return `port ${port} is for the administrator only; choose one from 1024 on`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is no address of this machine; 127.0.0.1 is for this machine alone, 0.0.0.0 for all`;
    default: return `cannot listen on ${host} port ${port}: ${error.message}`;
  }
}

/** What is served, and how one request is answered. */
class Site {
  /** @param {ServeOptions} options */
  constructor({ folder, mounts = {}, answers = {}, host = '127.0.0.1', hostNames = [], isolation = true, coep, origins,
    headers }) {
    const always = isolation ? isolationHeaders({ coep, origins }) : {};
    this.always = always;
    this.headers = headers ?? (() => always);
    this.answers = answers;
    this.mounts = Object.entries({ ...mounts, '/': folder }).map(([at, where]) => {
      if (!/^\/([^/]+\/)*$/.test(at)) throw new TypeError(`mounts: '${at}' does not begin and end with a slash`);
      return { at: at.slice(1).split('/').slice(0, -1), where };
    }).sort((a, b) => b.at.length - a.at.length);
    this.hostNames = LOOPBACK.test(host) ? new Set(hostNames) : undefined;
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async answer(request, response) {
    try {
      // first of all, so that no way out of here is without them
      this.setHeaders(request.url ?? '/', response);
      this.checkHost(request.headers.host);
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        throw new HttpError(405, 'Files can be read here, and nothing else.', { Allow: 'GET, HEAD' });
      }
      await this.sendFile(request, response);
    } catch (error) {
      this.sendError(error, request, response);
    }
  }

  /** @param {string} target @param {import('node:http').ServerResponse} response */
  setHeaders(target, response) {
    for (const [name, value] of Object.entries(this.always)) response.setHeader(name, value);
    const chosen = this.headers(target.split('?')[0] ?? '/');
    if (chosen === this.always) return;
    for (const name of Object.keys(this.always)) response.removeHeader(name);
    for (const [name, value] of Object.entries(chosen)) response.setHeader(name, value);
  }

  /** A foreign page can make its own name lead to 127.0.0.1, and would then be of the origin that it asks. */
  checkHost(/** @type {string | undefined} */ host = '') {
    if (host === '') throw new HttpError(400, 'The request says not whom it asks (Host).');
    if (!this.hostNames) return;
    const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1').toLowerCase();
    if (!LOOPBACK.test(name) && !name.endsWith('.localhost') && !this.hostNames.has(name)) {
      throw new HttpError(403, 'This server answers to localhost and 127.0.0.1 only (option hostNames).');
    }
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async sendFile(request, response) {
    const { pathname, names, search } = parseTarget(request.url ?? '/');
    const answer = Object.hasOwn(this.answers, pathname) ? this.answers[pathname] : undefined;
    if (typeof answer === 'object') return this.redirect(302, answer.location, request, response);
    // there is always one: the folder at the root has no name in its way
    const mount = /** @type {{ at: string[], where: string }} */ (this.mounts.find(({ at }) =>
      names.length > at.length && at.every((name, i) => names[i] === name)));
    const file = answer !== undefined ? textFile(pathname, answer)
      : await openBelow(mount.where, names.slice(mount.at.length));
    if (file === 'folder') return this.redirect(301, `${pathname}/${search}`, request, response);
    try {
      await this.sendBody(file, request, response);
    } finally {
      await file.handle?.close();
    }
  }

  /**
   * @param {import('./files.mjs').OpenFile} file
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async sendBody({ handle, text, type, size, tag }, request, response) {
    // always asked for again, and answered by 304: who edits a file sees the new one
    response.setHeader('Cache-Control', 'no-cache');
    response.setHeader('ETag', tag);
    if (isUnchanged(request.headers['if-none-match'], tag)) {
      response.writeHead(304).end();
      return;
    }
    response.setHeader('Accept-Ranges', 'bytes');
    const part = parseRange(request.headers.range, request.headers['if-range']?.toString(), size, tag);
    const { first, last } = part ?? { first: 0, last: size - 1 };
    if (part) response.setHeader('Content-Range', `bytes ${first}-${last}/${size}`);
    response.setHeader('Content-Type', type);
    response.setHeader('Content-Length', last - first + 1);
    response.writeHead(part ? 206 : 200);
    if (request.method === 'HEAD' || size === 0) response.end();
    else if (text) response.end(text.subarray(first, last + 1));
    else if (handle) await pipeline(handle.createReadStream({ start: first, end: last, autoClose: false }), response);
  }

  /**
   * @param {301 | 302} status
   * @param {string} location
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  redirect(status, location, request, response) {
    response.setHeader('Location', location);
    this.sendText(status, `It is at ${location}`, request, response);
  }

  /**
   * @param {any} error
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  sendError(error, request, response) {
    // part of a file has gone out already (it became shorter, the reader left): only the connection's end tells
    if (response.headersSent) { response.destroy(); return; }
    const known = error instanceof HttpError;
    if (!known) console.error(`serve: ${request.method} ${request.url}:`, error);
    for (const name of ['ETag', 'Accept-Ranges', 'Content-Range', 'Cache-Control']) response.removeHeader(name);
    for (const [name, value] of Object.entries(known ? error.headers : {})) response.setHeader(name, value);
    this.sendText(known ? error.status : 500, known ? error.message : 'The server failed; its terminal says how.',
      request, response);
  }

  /**
   * @param {number} status
   * @param {string} text
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  sendText(status, text, request, response) {
    const body = Buffer.from(`${status} ${STATUS_CODES[status]}\n${text}\n`);
    response.setHeader('Content-Type', 'text/plain; charset=utf-8');
    response.setHeader('Content-Length', body.length);
    response.writeHead(status).end(request.method === 'HEAD' ? undefined : body);
  }

  /** @param {400 | 431} status */
  rawError(status) {
    const body = `${status} ${STATUS_CODES[status]}\n`;
    const headers = { ...this.always, 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': body.length,
      Connection: 'close' };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`;
  }
}
