// SPDX-License-Identifier: MIT
// resource_cases.mjs: what resources.mjs tries: how each thing is asked for, and what its owner sends with it.
// The texts say why it came or did not, for each policy that the page may have.

/** @typedef {'require-corp' | 'credentialless' | 'none'} Policy of the page */

/**
 * @typedef {object} Case
 * @property {string} id for tests and links
 * @property {string} title
 * @property {'img' | 'js' | 'css' | 'json' | 'html' | 'worker'} kind
 * @property {string} path at the second origin; of a worker beside the page
 * @property {boolean} [cors] asked for with crossorigin="anonymous"
 * @property {string} sends what comes with it, in words and `code`
 * @property {(policy: Policy) => string} loaded why, if it is
 * @property {string} blocked why, if it is
 * @property {string} [fix] what its owner or the page does about it
 */

const ASK = 'its owner sends `Cross-Origin-Resource-Policy: cross-origin`; or sends CORS headers, and the page asks by '
  + '`crossorigin`; or the page is `credentialless`.';
const BY_CORP = () => 'Its owner lets every origin embed it.';
const BY_CORS = () => 'Its owner lets every origin read it, so it may be embedded as well.';

/** Without a word of its owner. @param {Policy} policy */
const unasked = (policy) => (policy === 'credentialless'
  ? 'It was asked for without cookies, so it holds nobody’s secrets.'
  : 'The page is not isolated, so nobody asks its owner. It shares no memory either.');

/** @type {{ title: string, text: string, cases: Case[] }[]} */
export const GROUPS = [
  {
    title: 'Images, scripts, style sheets',
    text: 'These need no leave on the rest of the web. An isolated page asks for it.',
    cases: [
      { id: 'image-silent', title: 'Image', kind: 'img', path: 'silent/picture.svg', sends: 'nothing', loaded: unasked,
        blocked: 'Its owner says nothing, and `require-corp` takes that for a no.', fix: ASK },
      { id: 'image-corp', title: 'Image', kind: 'img', path: 'corp/picture.svg',
        sends: '`Cross-Origin-Resource-Policy: cross-origin`', loaded: BY_CORP, blocked: 'It should have come.' },
      { id: 'image-same-site', title: 'Image', kind: 'img', path: 'same-site/picture.svg',
        sends: '`Cross-Origin-Resource-Policy: same-site`', loaded: () => 'Another port is the same site.',
        blocked: 'This page is of another site; for Chromium an address without a name is in no site.',
        fix: 'its owner sends `cross-origin` instead.' },
      { id: 'image-same-origin', title: 'Image', kind: 'img', path: 'same-origin/picture.svg',
        sends: '`Cross-Origin-Resource-Policy: same-origin`', loaded: () => 'It should not have come.',
        blocked: 'Its owner forbids it to every other origin, isolated or not.',
        fix: 'its owner sends `cross-origin` instead.' },
      { id: 'image-cors', title: 'Image, crossorigin', kind: 'img', cors: true, path: 'cors/picture.svg',
        sends: '`Access-Control-Allow-Origin: *`', loaded: BY_CORS, blocked: 'It should have come.' },
      { id: 'image-cors-unasked', title: 'Image', kind: 'img', path: 'cors/picture.svg',
        sends: '`Access-Control-Allow-Origin: *`', loaded: unasked,
        blocked: 'Its owner would allow it, but the page did not ask by `crossorigin`.',
        fix: 'write `<img crossorigin src=…>`.' },
      { id: 'script-silent', title: 'Script', kind: 'js', path: 'silent/script.js', sends: 'nothing', loaded: unasked,
        blocked: 'Its owner says nothing, and `require-corp` takes that for a no.', fix: ASK },
      { id: 'script-cors', title: 'Script, crossorigin', kind: 'js', cors: true, path: 'cors/script.js',
        sends: '`Access-Control-Allow-Origin: *`', loaded: BY_CORS, blocked: 'It should have come.' },
      { id: 'sheet-silent', title: 'Style sheet', kind: 'css', path: 'silent/sheet.css', sends: 'nothing',
        loaded: unasked, blocked: 'Its owner says nothing, and `require-corp` takes that for a no.', fix: ASK },
      { id: 'sheet-corp', title: 'Style sheet', kind: 'css', path: 'corp/sheet.css',
        sends: '`Cross-Origin-Resource-Policy: cross-origin`', loaded: BY_CORP, blocked: 'It should have come.' },
    ],
  },
  {
    title: 'Data by fetch()',
    text: 'fetch(), fonts and module scripts need CORS everywhere: isolation changes nothing for them.',
    cases: [
      { id: 'fetch-cors', title: 'JSON', kind: 'json', path: 'cors/data.json',
        sends: '`Access-Control-Allow-Origin: *`', loaded: () => 'Its owner lets every origin read it.',
        blocked: 'It should have come.' },
      { id: 'fetch-silent', title: 'JSON', kind: 'json', path: 'silent/data.json', sends: 'nothing',
        loaded: () => 'It should not have come.', blocked: 'Without CORS headers no page may read it, isolated or not.',
        fix: 'its owner sends `Access-Control-Allow-Origin`; or your own server fetches it.' },
    ],
  },
  {
    title: 'Frames',
    text: 'The page inside becomes part of the process: it needs a policy of its own.',
    cases: [
      { id: 'frame-silent', title: 'Frame', kind: 'html', path: 'silent/frame.html', sends: 'nothing',
        loaded: () => 'The page is not isolated, so nobody asks its owner.',
        blocked: 'It came without `Cross-Origin-Embedder-Policy`.',
        fix: 'its owner sends the policy, and `Cross-Origin-Resource-Policy: cross-origin`; or it opens in a window '
          + 'of its own.' },
      { id: 'frame-coep', title: 'Frame', kind: 'html', path: 'frame/frame.html',
        sends: '`Cross-Origin-Embedder-Policy: require-corp` and `Cross-Origin-Resource-Policy: cross-origin`',
        loaded: () => 'It has a policy of its own, and may be embedded.', blocked: 'It should have come.' },
    ],
  },
  {
    title: 'Workers',
    text: 'A worker script is of the page’s own origin, and carries the policy itself. Where it does not, the browser '
      + 'blocks it and fires an error event without a word; the second text is what explainWorker() found out.',
    cases: [
      { id: 'worker-own', title: 'Worker of this server', kind: 'worker', path: 'own_worker.mjs',
        sends: 'the same headers as the page',
        loaded: () => 'It has the policy of the page.', blocked: 'It should have started.' },
      { id: 'worker-forgotten', title: 'Worker of this server', kind: 'worker', path: 'forgotten_worker.mjs',
        sends: 'no `Cross-Origin-Embedder-Policy`: forgotten',
        loaded: () => 'The page has no policy, so its worker needs none.', blocked: 'It did not start.' },
      { id: 'worker-other', title: 'Worker of the second origin', kind: 'worker', path: 'cors/script.js',
        sends: '`Access-Control-Allow-Origin: *`', loaded: () => 'It should not have started.',
        blocked: 'No header allows this.' },
    ],
  },
];
