// SPDX-License-Identifier: MIT
// isolate.mjs: isolation on a host that cannot send headers, by a service worker that adds them. Headers of the server
// are better where they can be had: the first visit loads twice, and without the service worker (private windows of
// some browsers, a forced reload) the page is not isolated.
//
//   import { isolate } from './isolate.mjs';
//   const { isolated, reason } = await isolate();   // on the first visit the page is loaded again here
//   start(isolated ? 'threads' : 'single');

const KEY = 'tern-isolation-reloads';
const RELOADS = 2; // one is the rule; a second one if the first was too early for the service worker
const CONTROL_MS = 3000;

/**
 * @typedef {object} IsolateOptions
 * @property {string | URL} [worker] the address of isolation_worker.js, relative to the page; it has to lie in the
 *   folder of the pages, or above, on the same host
 * @property {'require-corp' | 'credentialless'} [coep]
 */

/**
 * Make this page isolated. Call it before anything else of the page runs: what ran before runs a second time after the
 * page was loaded again.
 *
 * @param {IsolateOptions} [options]
 * @returns {Promise<{ isolated: boolean, reason: string }>} never rejects; does not end if the page is being reloaded
 */
export async function isolate({ worker = 'isolation_worker.js', coep = 'require-corp' } = {}) {
  if (globalThis.crossOriginIsolated) {
    remember(0);
    return { isolated: true, reason: 'The page is isolated.' };
  }
  const obstacle = obstacleHere();
  if (obstacle) return { isolated: false, reason: obstacle };
  const url = new URL(worker, document.baseURI);
  if (coep !== 'require-corp') url.searchParams.set('coep', coep);
  try {
    await navigator.serviceWorker.register(url, { updateViaCache: 'none' });
    await navigator.serviceWorker.ready;
    await control();
  } catch (error) {
    const reason = `The service worker ${url.pathname} could not be registered: ${messageOf(error)}`;
    return { isolated: false, reason };
  }
  remember(reloads() + 1);
  location.reload();
  return new Promise(() => {});
}

/**
 * Take the service worker away again, for instance because the host sends the headers now. The page stays as it is
 * until it is loaded again.
 *
 * @param {IsolateOptions} [options] the worker, as it was given to isolate()
 * @returns {Promise<boolean>} there was one
 */
export async function unisolate({ worker = 'isolation_worker.js' } = {}) {
  if (!('serviceWorker' in navigator)) return false;
  remember(0);
  const { pathname } = new URL(worker, document.baseURI);
  const registrations = await navigator.serviceWorker.getRegistrations();
  // other service workers of the site are none of our business
  const ours = registrations.filter(({ active, waiting, installing }) => [active, waiting, installing].some((one) =>
    one && new URL(one.scriptURL).pathname === pathname));
  await Promise.all(ours.map((registration) => registration.unregister()));
  return ours.length > 0;
}

/** Why there is no use in trying. */
function obstacleHere() {
  if (!globalThis.isSecureContext) return 'Service workers need https, or http from localhost.';
  if (!('serviceWorker' in navigator)) return 'This browser has no service workers here, as some private windows.';
  if (window.parent !== window) return 'The page is in a frame; the page around it has to be isolated first.';
  const count = reloads();
  if (Number.isNaN(count)) return 'Without session storage a reload could never end; cookies are forbidden here.';
  if (count >= RELOADS) {
    // the next visit tries again
    remember(0);
    return `The page was loaded again ${count} times and is still not isolated; diagnose() may say why.`;
  }
  return undefined;
}

/** Until the service worker answers for this page, or will not: a forced reload goes around it. */
function control() {
  return new Promise((resolve) => {
    if (navigator.serviceWorker.controller) { resolve(undefined); return; }
    navigator.serviceWorker.addEventListener('controllerchange', () => resolve(undefined), { once: true });
    setTimeout(resolve, CONTROL_MS);
  });
}

/** How often this tab was reloaded for it; NaN if nothing can be remembered. */
function reloads() {
  try {
    // a browser that keeps nothing says so here, not at the next load
    sessionStorage.setItem(`${KEY}-trial`, '1');
    sessionStorage.removeItem(`${KEY}-trial`);
    return Number(sessionStorage.getItem(KEY) ?? 0);
  } catch {
    return NaN;
  }
}

/** @param {number} count */
function remember(count) {
  try {
    if (count === 0) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, String(count));
  } catch { /* reloads() has said so */ }
}

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Error || error instanceof DOMException ? error.message : String(error));
