// SPDX-License-Identifier: MIT
// other_origin.mjs: what the demonstration's second origin allows, file by file: the name of a folder says it.

/** By folder of demo/other: what its owner would send so that isolated pages elsewhere may load it, or does not.
 * @type {Record<string, Record<string, string>>} */
const ALLOWS = {
  cors: { 'Access-Control-Allow-Origin': '*' },
  corp: { 'Cross-Origin-Resource-Policy': 'cross-origin' },
  'same-site': { 'Cross-Origin-Resource-Policy': 'same-site' },
  'same-origin': { 'Cross-Origin-Resource-Policy': 'same-origin' },
  // a frame needs COEP of its own besides
  frame: { 'Cross-Origin-Resource-Policy': 'cross-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
  // what most of the web sends: nothing
  silent: {},
};

/**
 * @param {string} pathname
 * @returns {Record<string, string>}
 */
export function otherOriginHeaders(pathname) {
  return { 'X-Content-Type-Options': 'nosniff', ...ALLOWS[pathname.split('/')[1] ?? ''] };
}
