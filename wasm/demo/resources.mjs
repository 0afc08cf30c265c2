// SPDX-License-Identifier: MIT
// resources.mjs: tries each case of resource_cases.mjs and shows what came of it. The root element's data-done is set
// when all have ended.
import { diagnose, explainWorker } from '../src/diagnose.mjs';
import { GROUPS } from './resource_cases.mjs';

/** @typedef {import('./resource_cases.mjs').Case} Case */

// a blocked frame says nothing (Firefox), or that an error page was loaded (Chromium): it is given up this long
// after that, or after another frame was there
const FRAME_MS = 1000;
const LONGEST_MS = 8000;

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** An element with classes and children; texts in `backquotes` become code. */
function make(/** @type {string} */ tag, className = '', /** @type {(Node | string)[]} */ ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const child of children) {
    if (typeof child !== 'string') { element.append(child); continue; }
    child.split('`').forEach((text, i) => {
      if (text) element.append(i % 2 ? Object.assign(document.createElement('code'), { textContent: text }) : text);
    });
  }
  return element;
}

/**
 * Put an element into the page and wait for what becomes of it.
 *
 * @param {HTMLElement} element
 * @param {ParentNode & Node} where
 * @returns {Promise<boolean>}
 */
function settle(element, where) {
  return new Promise((resolve) => {
    element.onload = () => resolve(true);
    element.onerror = () => resolve(false);
    where.append(element);
  });
}

/** The attribute crossorigin. */
const corsMode = (/** @type {boolean} */ cors) => (cors ? 'anonymous' : null);

/** How each kind is loaded: true if it came.
 * @type {Record<Case['kind'], (url: string, cors: boolean, row: HTMLElement) => Promise<boolean>>} */
const LOADERS = {
  img(url, cors, row) {
    return settle(Object.assign(document.createElement('img'), { crossOrigin: corsMode(cors), src: url, alt: '' }),
      /** @type {HTMLElement} */ (row.querySelector('.sample')));
  },
  js(url, cors) {
    const script = document.createElement('script');
    return settle(Object.assign(script, { crossOrigin: corsMode(cors), src: url }), document.head);
  },
  css(url, cors) {
    const link = document.createElement('link');
    return settle(Object.assign(link, { rel: 'stylesheet', crossOrigin: corsMode(cors), href: url }), document.head);
  },
  json: (url) => fetch(url).then((response) => response.ok, () => false),
  html(url) {
    const frame = Object.assign(document.createElement('iframe'), { className: 'probe', src: url, tabIndex: -1,
      title: 'a page of another origin' });
    return new Promise((resolve) => {
      const giveUp = () => { setTimeout(() => resolve(false), FRAME_MS); };
      addEventListener('message', ({ source }) => {
        if (source === frame.contentWindow) resolve(true);
        else giveUp();
      });
      frame.onload = giveUp;
      document.body.append(frame);
    });
  },
  worker(url) {
    return new Promise((resolve) => {
      try {
        const worker = new Worker(url, { type: 'module' });
        worker.onmessage = () => { resolve(true); worker.terminate(); };
        worker.onerror = (event) => { event.preventDefault(); resolve(false); };
      } catch {
        resolve(false);
      }
    });
  },
};

/** The row of a case, before anything is known. @param {Case} one */
function makeRow(one) {
  const kind = one.kind === 'worker' ? 'mjs' : one.kind;
  const sample = one.kind === 'img' ? make('div', 'sample') : make('div', 'sample none', kind);
  const row = make('tr', '',
    make('td', '', make('div', 'what', sample,
      make('div', '', make('b', '', one.title), make('span', 'sends', `comes with ${one.sends}`)))),
    make('td', '', make('span', 'badge', 'trying …')),
    make('td', ''));
  row.id = one.id;
  return row;
}

/**
 * @param {Case} one
 * @param {HTMLElement} row
 * @param {string} other the second origin
 * @param {import('./resource_cases.mjs').Policy} policy
 */
async function tryCase(one, row, other, policy) {
  const ownWorker = one.kind === 'worker' && one.id !== 'worker-other';
  // a parameter of its own: an answer that another row left in the cache was asked for in another way
  const url = ownWorker ? new URL(one.path, location.href).href : `${other}/${one.path}?${one.id}`;
  const late = new Promise((resolve) => { setTimeout(() => resolve(false), LONGEST_MS); });
  const came = await Promise.race([LOADERS[one.kind](url, one.cors === true, row), late]);
  const [, verdict, why] = /** @type {HTMLElement[]} */ ([...row.children]);
  const badge = make('span', `badge ${came ? 'good' : 'bad'}`, came ? 'loaded' : 'blocked');
  verdict?.replaceChildren(badge);
  why?.replaceChildren(make('span', '', came ? one.loaded(policy) : one.blocked));
  if (!came && one.kind === 'img') row.querySelector('.sample')?.replaceChildren();
  if (!came && one.kind === 'worker') {
    const { text, fix } = await explainWorker(url);
    why?.append(' ', make('span', '', text), make('span', 'fix', `${fix[0]?.toLowerCase()}${fix.slice(1)}`));
  } else if (!came && one.fix) {
    why?.append(make('span', 'fix', one.fix));
  }
  row.dataset.result = came ? 'loaded' : 'blocked';
  const counter = byId(came ? 'loaded' : 'blocked');
  counter.textContent = String(Number(counter.textContent) + 1);
}

/** The policy that this page came with. @returns {Promise<import('./resource_cases.mjs').Policy>} */
async function ownPolicy() {
  const { headers } = await fetch(location.href, { method: 'HEAD' });
  const policy = headers.get('Cross-Origin-Embedder-Policy');
  return policy === 'require-corp' || policy === 'credentialless' ? policy : 'none';
}

async function main() {
  const [{ mode, reason, causes }, policy, other] = await Promise.all([diagnose(), ownPolicy(),
    fetch('/other_origin.json').then((response) => (response.ok ? response.json() : undefined), () => undefined)]);
  byId('status').classList.add(mode === 'threads' ? 'good' : 'warn');
  byId('verdict').textContent = mode === 'threads' ? 'This page is isolated' : 'This page is not isolated';
  byId('reason').replaceChildren(...make('p', '', mode === 'threads'
    ? `It came with \`Cross-Origin-Embedder-Policy: ${policy}\`, and shares memory with its workers.`
    : `${reason} ${causes[0]?.fix ?? ''}`).childNodes);
  if (!other) {
    byId('cases').replaceChildren(make('p', 'panel warn', 'This page needs a second origin, which the development '
      + 'server has: `node serve.mjs`, without a folder.'));
    return;
  }
  byId('other').textContent = other.origin;
  byId('policies').hidden = false;
  const link = document.querySelector(`[data-policy="${policy === 'none' ? 'without' : policy}"]`);
  link?.setAttribute('aria-current', 'page');
  const tried = GROUPS.flatMap(({ title, text, cases }) => {
    const rows = cases.map(makeRow);
    const names = ['What, and what comes with it', 'Result', 'Why'];
    const head = make('tr', '', ...names.map((name) => make('th', '', name)));
    byId('cases').append(make('section', '', make('h2', '', title), make('p', 'quiet', text),
      make('table', 'cards cases', make('thead', '', head), make('tbody', '', ...rows))));
    return cases.map((one, i) => tryCase(one, /** @type {HTMLElement} */ (rows[i]), other.origin, policy));
  });
  await Promise.all(tried);
}

await main();
document.documentElement.dataset.done = 'true';
