// SPDX-License-Identifier: MIT
// files.mjs: the files of a folder over HTTP: paths that stay inside it, types, entity tags, ranges.
// Which headers go with every answer is server.mjs's business.
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import path from 'node:path';

/** By the file name's end. Modules and wasm run under no other type (X-Content-Type-Options: nosniff). */
const TYPES = new Map(Object.entries({
  '.html': 'text/html; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
  '.md': 'text/plain; charset=utf-8',
  '.c': 'text/plain; charset=utf-8',
  '.h': 'text/plain; charset=utf-8',
  '.ts': 'text/plain; charset=utf-8',
  '.xml': 'application/xml',
  '.pdf': 'application/pdf',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.avif': 'image/avif',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.woff': 'font/woff',
  '.mp3': 'audio/mpeg',
  '.wav': 'audio/wav',
  '.mp4': 'video/mp4',
  '.webm': 'video/webm',
}));

/** An answer other than the file: its status, and a sentence for whoever reads the body. */
export class HttpError extends Error {
  /**
   * @param {number} status
   * @param {string} message
   * @param {Record<string, string>} [headers] that this status asks for
   */
  constructor(status, message, headers = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/**
 * The names in the path of a request, each decoded once. Whatever a file system could take for another place is
 * refused here, before anyone joins names to a path.
 *
 * @param {string} target what follows the method in the request, as `/demo/a%20b.html?x`
 * @returns {{ pathname: string, names: string[], search: string }} pathname as sent; an empty last name is a folder's
 * @throws {HttpError} 400
 */
export function parseTarget(target) {
  const [, pathname, search = ''] = /^([^?#]*)(\?[^#]*)?/.exec(target) ?? [];
  if (pathname === undefined || !pathname.startsWith('/')) {
    throw new HttpError(400, 'The address of a request begins with a slash.');
  }
  const names = pathname.slice(1).split('/').map((name) => {
    try {
      return decodeURIComponent(name);
    } catch {
      throw new HttpError(400, 'The address holds a % that is followed by no two hexadecimal digits of UTF-8.');
    }
  });
  names.forEach((name, i) => {
    // an empty name inside would make "//elsewhere" of a redirect
    if (name === '.' || name === '..' || /[/\\\0]/.test(name) || (name === '' && i < names.length - 1)) {
      throw new HttpError(400, 'The address leaves its folder, or names no file.');
    }
  });
  return { pathname, names, search };
}

/**
 * A file to send. The one who opened it closes the handle.
 *
 * @typedef {object} OpenFile
 * @property {import('node:fs/promises').FileHandle} [handle]
 * @property {Buffer} [text] in its place, of a file that is on no disk
 * @property {string} type for Content-Type
 * @property {number} size bytes
 * @property {string} tag strong entity tag, in its quotes
 */

/**
 * A file that is on no disk.
 *
 * @param {string} name says its type
 * @param {string} text
 * @returns {OpenFile}
 */
export function textFile(name, text) {
  const bytes = Buffer.from(text);
  return { text: bytes, type: typeOf(name), size: bytes.length,
    tag: `"${createHash('sha256').update(bytes).digest('base64url')}"` };
}

/**
 * Open a file below a folder.
 *
 * @param {string} folder
 * @param {string[]} names of parseTarget()
 * @returns {Promise<OpenFile | 'folder'>} 'folder' if the names lead to one and no empty name follows
 * @throws {HttpError} 403, 404
 */
export async function openBelow(folder, names) {
  // hidden files hold what was not meant for the web (.git, .env), so they are as if they were not there
  if (names.some((name) => name.startsWith('.'))) throw new HttpError(404, 'There is no such file.');
  const wanted = names.at(-1) === '' ? [...names.slice(0, -1), 'index.html'] : names;
  let handle;
  try {
    const root = await realpath(folder);
    const file = await realpath(path.join(root, ...wanted));
    if (file !== root && !file.startsWith(root.endsWith(path.sep) ? root : root + path.sep)) {
      throw new HttpError(403, 'This file is a link to a place outside of the folder that is served.');
    }
    // what a link leads to may be hidden as well; non-blocking: opening a pipe would wait for its writer
    if (path.relative(root, file).split(path.sep).some((name) => name.startsWith('.'))) {
      throw new HttpError(404, 'There is no such file.');
    }
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await handle.stat({ bigint: true });
    if (stat.isDirectory()) {
      await handle.close();
      return 'folder';
    }
    if (!stat.isFile()) throw new HttpError(403, 'This is a device, a pipe or a socket, no file.');
    const tag = `"${stat.ino.toString(36)}-${stat.size.toString(36)}-${stat.mtimeNs.toString(36)}"`;
    return { handle, type: typeOf(file), size: Number(stat.size), tag };
  } catch (error) {
    await handle?.close();
    throw toHttpError(error);
  }
}

/** @param {string} file */
const typeOf = (file) => TYPES.get(path.extname(file).toLowerCase()) ?? 'application/octet-stream';

/** @param {any} error of the file system, or an HttpError */
function toHttpError(error) {
  if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(error.code)) return new HttpError(404, 'There is no such file.');
  if (['EACCES', 'EPERM', 'ELOOP', 'ENXIO'].includes(error.code)) {
    return new HttpError(403, 'The server may not read this file.');
  }
  return error;
}

/**
 * Whether the browser has this version already.
 *
 * @param {string | undefined} ifNoneMatch the header
 * @param {string} tag
 */
export function isUnchanged(ifNoneMatch, tag) {
  if (ifNoneMatch === undefined) return false;
  // a weak comparison, as RFC 9110 asks of If-None-Match
  return ifNoneMatch.trim() === '*' || ifNoneMatch.split(',').some((other) => other.trim().replace(/^W\//, '') === tag);
}

/**
 * The part of a file that a request asks for.
 *
 * @param {string | undefined} range the header; several ranges, other units and what does not parse mean the whole
 * @param {string | undefined} ifRange the header: a part is wanted of this version only
 * @param {number} size bytes
 * @param {string} tag
 * @returns {{ first: number, last: number } | undefined} undefined is the whole
 * @throws {HttpError} 416: it begins behind the end
 */
export function parseRange(range, ifRange, size, tag) {
  if (range === undefined || (ifRange !== undefined && ifRange.trim() !== tag)) return undefined;
  const [, from, to] = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(range) ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined;
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined;
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (first >= size || (from === '' && Number(to) === 0)) {
    throw new HttpError(416, `The file has ${size} bytes.`, { 'Content-Range': `bytes */${size}` });
  }
  return { first, last };
}
