// SPDX-License-Identifier: MIT
// servers.mjs: the real nginx, Apache and Caddy, each with its file of docs/hosting. Only names, ports and folders in
// it are replaced, and two paths are added that fail on purpose; what a distribution's main file would say stands here.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync, chmodSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '../..');
export const HOSTING = path.join(ROOT, 'docs/hosting');
const APACHE_MODULES = ['mpm_event', 'authz_core', 'headers', 'mime', 'dir', 'alias'];

/** Replace the only place where a text has something. */
function replaceOnce(text, from, to) {
  assert.equal(text.split(from).length, 2, `the configuration has not one '${from}'`);
  return text.replace(from, () => to);
}

/**
 * How each is started. `place` is { port, site, folder }: a folder of the server's own, and that of the files.
 */
export const SERVERS = {
  nginx: {
    program: ['nginx', path.join(ROOT, '.tools/servers/usr/sbin/nginx'), '/usr/sbin/nginx'],
    file: 'nginx.conf',
    configure(text, { port, site, folder }) {
      let server = replaceOnce(text, 'listen 80;', `listen 127.0.0.1:${port};`);
      server = replaceOnce(server, 'root /var/www/site;', `root ${site};`);
      server = replaceOnce(server, '    location ~ /\\.', '    location = /fails { return 500; }\n'
        + '    location = /refused { deny all; }\n    location ~ /\\.');
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) =>
        `${kind}_temp_path ${folder}/t;`);
      return `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr warn;\nevents {}\n`
        + `http { access_log off; ${temporary.join(' ')}\n${server}}\n`;
    },
    arguments: (file, { folder }) => ['-e', 'stderr', '-p', folder, '-c', file],
  },
  apache: {
    program: ['apache2', '/usr/sbin/apache2', '/usr/sbin/httpd'],
    file: 'apache.conf',
    configure(text, { port, site, folder }) {
      let host = replaceOnce(text, '<VirtualHost *:80>', `<VirtualHost 127.0.0.1:${port}>`);
      host = replaceOnce(replaceOnce(host, 'DocumentRoot /var/www/site', `DocumentRoot ${site}`),
        '<Directory /var/www/site>', `<Directory ${site}>`);
      host = replaceOnce(host, '    TraceEnable', '    Redirect 500 /fails\n    <Location /refused>\n        '
        + 'Require all denied\n    </Location>\n    TraceEnable');
      const modules = APACHE_MODULES.map((name) =>
        `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so\n`);
      return `ServerRoot ${folder}\nListen 127.0.0.1:${port}\nPidFile ${folder}/pid\nErrorLog ${folder}/log\n`
        + `ServerName localhost\nMutex pthread\nTypesConfig /etc/mime.types\n${modules.join('')}`
        + `${process.getuid?.() === 0 ? 'User nobody\nGroup nogroup\n' : ''}${host}`;
    },
    arguments: (file) => ['-f', file, '-D', 'FOREGROUND'],
  },
  caddy: {
    program: ['caddy', path.join(ROOT, '.tools/servers/usr/bin/caddy'), '/usr/bin/caddy'],
    file: 'Caddyfile',
    configure(text, { port, site, folder }) {
      let own = replaceOnce(text, 'example.org {', `http://127.0.0.1:${port} {`);
      own = replaceOnce(own, 'root * /var/www/site', `root * ${site}`);
      own = replaceOnce(own, '\tfile_server\n', '\terror /fails 500\n\terror /refused 403\n\tfile_server\n');
      return `{\n\tadmin off\n\tauto_https off\n\tstorage file_system ${folder}/caddy\n}\n${own}`;
    },
    arguments: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
  },
};

/** @param {string} name @returns {string | undefined} the program's path */
function find(name) {
  const { program: [command, ...places] } = SERVERS[name];
  const inPath = (process.env.PATH ?? '').split(path.delimiter).map((folder) => path.join(folder, command));
  return [...inPath, ...places].find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Why a server cannot be tested here; false if it can. @param {string} name */
export const missing = (name) => (find(name) ? false : `${name} is not installed (./dev setup installs it)`);

/** What is served: small files of each type, folders, and some that nobody is to see. */
function makeSite(site) {
  for (const folder of ['sub/.git', 'empty']) mkdirSync(path.join(site, folder), { recursive: true });
  for (const [name, text] of Object.entries({ 'index.html': '<!doctype html>', 'sub/index.html': '<!doctype html>',
    'm.mjs': 'export {};', 'm.js': '', 'm.css': '', 'm.json': '{}', 'i.svg': '<svg/>', 'm.wasm': '\0asm\x01\0\0\0',
    '.env': 'secret', 'sub/.git/config': 'secret' })) writeFileSync(path.join(site, name), text);
}

/** A port that was free a moment ago: these servers do not tell which one they chose. */
async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * @param {string} name
 * @returns {Promise<{ port: number, stop: () => Promise<void> }>} when it answers
 */
export async function startServer(name) {
  const { file, configure, arguments: argumentsOf } = SERVERS[name];
  const folder = mkdtempSync(path.join(tmpdir(), `tern-${name}-`));
  const site = path.join(folder, 'site');
  makeSite(site);
  // its processes have another user
  chmodSync(folder, 0o755);
  const place = { port: await freePort(), site, folder };
  const own = path.join(folder, file);
  writeFileSync(own, configure(readFileSync(path.join(HOSTING, file), 'utf8'), place));
  const child = spawn(find(name), argumentsOf(own, place), { env: { ...process.env, HOME: folder } });
  let told = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { told += text; });
  const ended = once(child, 'close');
  const stop = async () => {
    child.kill();
    await ended;
    rmSync(folder, { recursive: true });
  };
  while (!await answers(place.port)) {
    if (child.exitCode !== null) {
      const log = path.join(folder, 'log');
      if (existsSync(log)) told += readFileSync(log, 'utf8');
      await stop();
      assert.fail(`${name} ended: ${told}`);
    }
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
  return { port: place.port, stop };
}

/** @param {number} port */
function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
    socket.on('error', () => resolve(false));
  });
}
