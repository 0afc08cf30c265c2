// SPDX-License-Identifier: MIT
// isolation_worker.js: a service worker that adds the isolation headers where a host cannot (GitHub Pages).
// Copy it to the folder of the pages: a service worker serves what lies beside and below it. isolate.mjs registers it.
// A classic script, since not every browser takes a module here.
(() => {
  'use strict';

  const scope = /** @type {any} */ (globalThis);
  const COEP = new URL(scope.location.href).searchParams.get('coep') === 'credentialless' ? 'credentialless'
    : 'require-corp';
  const NULL_BODY = [101, 204, 205, 304];

  // take over at once, of pages that are open too: each waits for that before it reloads
  scope.addEventListener('install', () => { void scope.skipWaiting(); });
  scope.addEventListener('activate', (/** @type {any} */ event) => { event.waitUntil(scope.clients.claim()); });

  scope.addEventListener('fetch', (/** @type {any} */ event) => {
    const { request } = event;
    // of other origins' answers no header can be changed: the browser asks for those itself, by the page's policy
    if (new URL(request.url).origin !== scope.location.origin) return;
    // asked for by the browser's developer tools; fetch() refuses it
    if (request.cache === 'only-if-cached' && request.mode !== 'same-origin') return;
    event.respondWith(answer(request));
  });

  /** @param {Request} request */
  async function answer(request) {
    const response = await fetch(request);
    // a redirect that the page is to follow, or an answer of another origin: nothing can be read or changed
    if (response.status === 0) return response;
    // a changed answer would lose the address that it came from, and modules import relative to that
    if (response.redirected && new URL(response.url).origin === scope.location.origin) {
      return Response.redirect(response.url, 302);
    }
    const headers = new Headers(response.headers);
    headers.set('Cross-Origin-Opener-Policy', 'same-origin');
    headers.set('Cross-Origin-Embedder-Policy', COEP);
    headers.set('Cross-Origin-Resource-Policy', 'same-origin');
    return new Response(NULL_BODY.includes(response.status) ? null : response.body, {
      status: response.status, statusText: response.statusText, headers,
    });
  }
})();
