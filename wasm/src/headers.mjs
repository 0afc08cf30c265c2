// SPDX-License-Identifier: MIT
// headers.mjs: the response headers of a page that may share memory. The one list: serve.mjs sends it, a test
// compares the files of docs/hosting with it, and docs/security-headers.md explains each line.

/**
 * @typedef {object} HeaderOptions
 * @property {'require-corp' | 'credentialless'} [coep] what the page asks of sub-resources of other origins
 *   ('require-corp'): that they allow it by CORS or CORP, or that they come without cookies
 * @property {string[]} [origins] other origins whose scripts, styles, images, fonts, frames and answers to fetch the
 *   Content-Security-Policy lets through, as `https://cdn.example`; none by default
 */

/** Without these two no page is isolated; all the others are what a site in production sends besides. */
export const ISOLATING = Object.freeze(['Cross-Origin-Opener-Policy', 'Cross-Origin-Embedder-Policy']);

/**
 * The headers to send with every response: pages, scripts, workers, modules, errors, redirects and 304.
 *
 * @param {HeaderOptions} [options]
 * @returns {Record<string, string>} names and values, in the order in which they are explained
 * @throws {TypeError} coep is neither of the two, or an origin is none
 */
export function isolationHeaders({ coep = 'require-corp', origins = [] } = {}) {
  if (coep !== 'require-corp' && coep !== 'credentialless') {
    throw new TypeError(`coep is 'require-corp' or 'credentialless', not ${JSON.stringify(coep)}`);
  }
  return {
    // nobody who opened the page, and nobody whom it opens, shares its process
    'Cross-Origin-Opener-Policy': 'same-origin',
    // nothing of another origin comes into its process without that origin's leave; a worker script has to say so too
    'Cross-Origin-Embedder-Policy': coep,
    // the same in the other direction: no other origin embeds what this site sends
    'Cross-Origin-Resource-Policy': 'same-origin',
    // the process is the origin's own, not shared with the site's other origins
    'Origin-Agent-Cluster': '?1',
    'Content-Security-Policy': contentSecurityPolicy(origins),
    // a file is what its Content-Type says, or it is not run
    'X-Content-Type-Options': 'nosniff',
    // frames of other origins share no memory unless the page names them in their allow attribute
    'Permissions-Policy': 'cross-origin-isolated=(self)',
    'Referrer-Policy': 'strict-origin-when-cross-origin',
  };
}

/** @param {string[]} origins */
function contentSecurityPolicy(origins) {
  for (const origin of origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw new TypeError(`${JSON.stringify(origin)} is no origin: scheme, host and port only, as https://cdn.example`);
    }
  }
  const self = ["'self'", ...origins].join(' ');
  return [
    `default-src ${self}`,
    // without 'wasm-unsafe-eval' no WebAssembly is compiled; JavaScript's eval stays forbidden
    `script-src ${self} 'wasm-unsafe-eval'`,
    "worker-src 'self'",
    `img-src ${self} data:`,
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'self'",
  ].join('; ');
}
