// SPDX-License-Identifier: MIT
// browsers.mjs: Debian's Chromium and Firefox for tests, by puppeteer-core. One process of each serves all tests of a
// file; each test gets a profile of its own (no cookie, cache or service worker of another test), and a page that
// reports an error nobody expects fails its test.
//
//   inEachBrowser('rings', (web) => {
//     test('a page and its worker', async () => {
//       const page = await web.open(server.url + 'page.html');
//       assert.equal(await page.evaluate(() => crossOriginIsolated), true);
//     });
//   });
//
// TERN_BROWSERS=firefox runs one of them only; TERN_ARTEFACTS is the folder of the screenshots.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, describe } from 'node:test';
import puppeteer from 'puppeteer-core';

const HERE = import.meta.dirname;

/** Where each browser lies; $TERN_CHROMIUM and $TERN_FIREFOX name others. */
const PROGRAMS = {
  chromium: process.env.TERN_CHROMIUM ?? '/usr/bin/chromium',
  firefox: process.env.TERN_FIREFOX ?? '/usr/bin/firefox-esr',
};

/** The browsers that this run tests, as TERN_BROWSERS says or both. */
export const BROWSERS = (process.env.TERN_BROWSERS ?? 'chromium,firefox').split(',');

/** Where screenshots go. */
export const ARTEFACTS = process.env.TERN_ARTEFACTS ?? path.join(HERE, '../../build/artefacts');

/** A name that leads to this machine but is no localhost: for an insecure context (serve()'s hostNames takes it). */
export const INSECURE_NAME = 'insecure.tern.test';

// the sandbox wants rights that a container's root lacks; the rest keeps the browser from looking for updates
const CHROMIUM_ARGS = [`--host-resolver-rules=MAP ${INSECURE_NAME} 127.0.0.1`, '--no-sandbox',
  '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--disable-dev-shm-usage'];
const FIREFOX_PREFS = { 'network.dns.localDomains': INSECURE_NAME };

/**
 * Start a browser. The tests of one file share one: inEachBrowser() does that.
 *
 * @param {'chromium' | 'firefox'} name
 * @param {{ args?: string[], prefs?: Record<string, unknown> }} [options] more arguments of Chromium, preferences
 *   of Firefox
 * @returns {Promise<import('puppeteer-core').Browser>}
 */
export async function launch(name, { args = [], prefs = {} } = {}) {
  const executablePath = PROGRAMS[name];
  assert.ok(executablePath, `TERN_BROWSERS: '${name}' is neither of ${Object.keys(PROGRAMS).join(', ')}`);
  assert.ok(existsSync(executablePath), `${executablePath} is not installed (./dev setup installs it)`);
  return name === 'firefox'
    ? puppeteer.launch({ browser: 'firefox', executablePath, headless: true,
      extraPrefsFirefox: { ...FIREFOX_PREFS, ...prefs } })
    : puppeteer.launch({ executablePath, headless: true, args: [...CHROMIUM_ARGS, ...args] });
}

/** What tests of one browser use. */
export class Web {
  /** @type {Promise<import('puppeteer-core').Browser> | undefined} */
  #browser;
  #options;
  /** @type {Set<import('puppeteer-core').BrowserContext>} */
  #contexts = new Set();
  /** @type {string[]} what pages reported and no test expected */
  #complaints = [];

  /**
   * @param {'chromium' | 'firefox'} name
   * @param {Parameters<typeof launch>[1]} [options]
   */
  constructor(name, options) {
    this.name = name;
    this.#options = options;
  }

  /** The browser; started by the first who asks. */
  browser() {
    this.#browser ??= launch(this.name, this.#options);
    return this.#browser;
  }

  /**
   * A page of a new profile at an address, loaded.
   *
   * @param {string} url
   * @param {object} [how]
   * @param {{ width: number, height: number, deviceScaleFactor?: number }} [how.viewport] CSS pixels
   * @param {'light' | 'dark'} [how.scheme] the user's colour scheme
   * @param {boolean} [how.errors] the page may report errors: they are in `page.complaints` and fail nothing
   * @param {(page: import('puppeteer-core').Page) => Promise<unknown>} [how.before] done before the page is loaded
   * @returns {Promise<import('puppeteer-core').Page & { complaints: string[] }>}
   */
  async open(url, { viewport, scheme, errors = false, before } = {}) {
    const browser = await this.browser();
    const context = await browser.createBrowserContext();
    this.#contexts.add(context);
    const page = Object.assign(await context.newPage(), { complaints: errors ? [] : this.#complaints });
    page.on('pageerror', (error) => page.complaints.push(`${url}: ${error instanceof Error ? error.message : error}`));
    page.on('console', (message) => {
      // what no page does itself: a browser asks for the icon unasked
      if (message.type() === 'error' && !message.text().includes('favicon.ico')) {
        page.complaints.push(`${url}: console: ${message.text()}`);
      }
    });
    if (viewport) await page.setViewport(viewport);
    if (scheme && this.name === 'chromium') {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    }
    await before?.(page);
    await page.goto(url, { waitUntil: 'load' });
    return page;
  }

  /** Close all pages of a test; an error that one of them reported fails it. */
  async endTest() {
    await Promise.all([...this.#contexts].map((context) => context.close().catch(() => {})));
    this.#contexts.clear();
    const complaints = this.#complaints.splice(0);
    assert.deepEqual(complaints, [], 'a page reported errors');
  }

  async close() { await (await this.#browser)?.close(); }
}

/** @type {Map<string, Web>} of this process; suites in several modules share them */
const shared = new Map();

/** @param {'chromium' | 'firefox'} name */
function sharedWeb(name) {
  if (!shared.has(name)) {
    shared.set(name, new Web(name));
    after(() => shared.get(name)?.close());
  }
  return /** @type {Web} */ (shared.get(name));
}

/**
 * Declare tests once for each browser: a suite `NAME, in BROWSER`. Tests of one suite run one after the other.
 *
 * @param {string} name
 * @param {(web: Web) => void} declare calls test(), before() and so on
 * @param {Parameters<typeof launch>[1] & { only?: 'chromium' | 'firefox' }} [options] a browser started in another
 *   way, for this suite alone
 */
export function inEachBrowser(name, declare, options) {
  for (const browser of /** @type {('chromium' | 'firefox')[]} */ (BROWSERS)) {
    if (options?.only && options.only !== browser) continue;
    const web = options ? new Web(browser, options) : sharedWeb(browser);
    describe(`${name}, in ${browser}`, () => {
      declare(web);
      afterEach(() => web.endTest());
      if (options) after(() => web.close());
    });
  }
}

/**
 * Keep a picture of the page among the artefacts.
 *
 * @param {import('puppeteer-core').Page} page
 * @param {string} name of the file, without .png
 * @param {{ fullPage?: boolean }} [options]
 * @returns {Promise<string>} the file
 */
export async function screenshot(page, name, { fullPage = true } = {}) {
  mkdirSync(ARTEFACTS, { recursive: true });
  const file = path.join(ARTEFACTS, `${name}.png`);
  await page.screenshot({ path: /** @type {`${string}.png`} */ (file), fullPage });
  return file;
}
