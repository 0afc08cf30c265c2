#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// serve.mjs: the development server as a command. `node serve.mjs --help` explains; `serve()` for programs.
import { existsSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ISOLATING, isolationHeaders } from './src/headers.mjs';
import { serve } from './serve/server.mjs';
import { serveOtherOrigin } from './serve/other_origin.mjs';

export { serve };

const HERE = path.dirname(fileURLToPath(import.meta.url));
const DEMO = path.join(HERE, 'demo');
/** Where `ninja wasm` leaves the modules; ./dev serve sees to it. */
const MODULES = path.join(HERE, '../build/tests/wasm');

const USAGE = `node serve.mjs [OPTIONS] [FOLDER]

Serves a folder with the headers that let its pages share memory between threads. Without FOLDER: the
demonstration, which a checkout of Tern has, and the npm package has not.

  --port N                8080; 0 is any free one
  --host ADDRESS          127.0.0.1: this machine only; 0.0.0.0 lets others in (who need https to share memory)
  --coep credentialless   load what other origins send without asking for their leave, but without cookies
  --no-isolation          none of the headers, to see what a page does without
  --mount /PATH/=FOLDER   a further folder; may be repeated
  --origin ORIGIN         another origin that the Content-Security-Policy lets through; may be repeated
  --other-port N          of the demonstration's second origin; the port after the first one's
`;

/** @param {string[]} argv */
function readArguments(argv) {
  const { values, positionals } = parseArgs({ args: argv, allowPositionals: true, options: {
    port: { type: 'string', default: '8080' },
    host: { type: 'string', default: '127.0.0.1' },
    coep: { type: 'string', default: 'require-corp' },
    'no-isolation': { type: 'boolean', default: false },
    mount: { type: 'string', multiple: true, default: [] },
    origin: { type: 'string', multiple: true, default: [] },
    'other-port': { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  } });
  if (positionals.length === 0 && !values.help && !existsSync(DEMO)) {
    throw new Error('which FOLDER? The demonstration is not in the npm package');
  }
  if (positionals.length > 1) throw new Error(`one folder, not ${positionals.length}; --mount adds further ones`);
  const port = readPort('--port', values.port);
  return {
    help: values.help,
    folder: positionals[0] === undefined ? undefined : existing(positionals[0]),
    otherPort: values['other-port'] === undefined ? port && port + 1 : readPort('--other-port', values['other-port']),
    options: {
      port, host: values.host, isolation: !values['no-isolation'], origins: values.origin,
      coep: /** @type {'require-corp'} */ (values.coep),
      mounts: Object.fromEntries(values.mount.map((mount) => {
        const [, at, where] = /^(\/(?:[^/=]+\/)+)=(.+)$/.exec(mount) ?? [];
        if (!at || !where) throw new Error(`--mount /PATH/=FOLDER, not '${mount}'`);
        return [at, existing(where)];
      })),
    },
  };
}

/** @param {string} option @param {string} text */
function readPort(option, text) {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) throw new Error(`${option} is from 0 to 65535, not '${text}'`);
  return Number(text);
}

/** @param {string} folder */
function existing(folder) {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`${folder} is no folder`);
  return folder;
}

/** The demonstration's wasm modules, if they have been built here. @returns {Record<string, string>} */
const existingModules = () => (existsSync(MODULES) ? { '/demo/modules/': MODULES } : {});

/**
 * The demonstration: the whole package, since its pages import ../src, and a second origin that its page about other
 * origins loads from. That page is there with three policies: /demo/ has the one that was chosen.
 *
 * @param {Omit<import('./serve/server.mjs').ServeOptions, 'folder'> & { otherPort?: number }} options
 * @returns {Promise<{ url: string, other: string, close: () => Promise<void> }>} url of its first page, and the second
 *   origin
 */
export async function serveDemo({ otherPort = 0, isolation = true, coep, ...options }) {
  const other = await serveOtherOrigin({ folder: path.join(DEMO, 'other'), port: otherPort, host: options.host });
  try {
    const origins = [...options.origins ?? [], other.origin];
    const chosen = isolation ? isolationHeaders({ coep, origins }) : {};
    const without = Object.fromEntries(Object.entries(isolationHeaders({ origins }))
      .filter(([name]) => !ISOLATING.includes(name)));
    /** @type {Record<string, Record<string, string>>} */
    const policies = {
      'require-corp': isolationHeaders({ origins }),
      credentialless: isolationHeaders({ coep: 'credentialless', origins }),
      without,
    };
    const server = await serve({
      ...options, folder: HERE, isolation, coep, origins,
      mounts: { ...existingModules(), ...options.mounts,
        ...Object.fromEntries(Object.keys(policies).map((name) => [`/${name}/`, HERE])) },
      answers: { '/': { location: '/demo/' }, '/other_origin.json': JSON.stringify({ origin: other.origin }) },
      // a worker script that was forgotten: the page shows how that fails
      headers: (pathname) => (pathname.endsWith('/demo/forgotten_worker.mjs') ? without
        : policies[pathname.split('/')[1] ?? ''] ?? chosen),
    });
    return { url: `${server.url}demo/`, other: other.origin,
      close: async () => { await Promise.all([server.close(), other.close()]); } };
  } catch (error) {
    await other.close();
    throw error;
  }
}

/** @param {string[]} argv */
async function main(argv) {
  try {
    const { help, folder, otherPort, options } = readArguments(argv);
    if (help) { process.stdout.write(USAGE); return; }
    const headers = options.isolation ? Object.entries(isolationHeaders(options)) : [];
    const server = folder === undefined ? await serveDemo({ otherPort, ...options })
      : await serve({ folder, ...options });
    console.log(`${folder ?? 'the demonstration'}: ${server.url}`);
    if ('other' in server) console.log(`a second origin, for its page resources.html: ${server.other}`);
    console.log(headers.length > 0 ? 'With every answer:' : 'Without the headers: no page is isolated.');
    for (const [name, value] of headers) console.log(`  ${name}: ${value}`);
  } catch (/** @type {any} */ error) {
    console.error(`serve: ${error.message}`);
    process.exitCode = error.code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1;
  }
}

// by its real name: npm starts it by a link
if (process.argv[1] && fileURLToPath(import.meta.url) === realpathSync(process.argv[1])) await main(process.argv.slice(2));
