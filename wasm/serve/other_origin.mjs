// SPDX-License-Identifier: MIT
// other_origin.mjs: the demonstration's second origin. The first name in an address says what its owner allows, and the
// same few files are behind each of them: /corp/picture.svg, /silent/picture.svg and so on.
import { serve } from './server.mjs';

/** What an owner would send so that isolated pages elsewhere may load a file, or does not send.
 * @type {Record<string, Record<string, string>>} */
const ALLOWS = {
  // what most of the web sends: nothing
  silent: {},
  cors: { 'Access-Control-Allow-Origin': '*' },
  corp: { 'Cross-Origin-Resource-Policy': 'cross-origin' },
  'same-site': { 'Cross-Origin-Resource-Policy': 'same-site' },
  'same-origin': { 'Cross-Origin-Resource-Policy': 'same-origin' },
  // a frame needs a policy of its own besides
  frame: { 'Cross-Origin-Resource-Policy': 'cross-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
};

/**
 * @param {{ folder: string, port?: number, host?: string }} options
 * @returns {Promise<import('./server.mjs').Served>}
 */
export function serveOtherOrigin({ folder, port, host }) {
  return serve({
    folder, port, host,
    mounts: Object.fromEntries(Object.keys(ALLOWS).map((name) => [`/${name}/`, folder])),
    headers: (pathname) => ({ 'X-Content-Type-Options': 'nosniff', ...ALLOWS[pathname.split('/')[1] ?? ''] }),
  });
}
