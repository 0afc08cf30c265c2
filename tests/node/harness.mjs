// SPDX-License-Identifier: MIT
// harness.mjs: regions with names of their own, the native process, and other Node processes, for the tests of
// tern.node. The limit of a test guards against a hang: a wake-up that is lost sleeps for ever.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openRegion, unlinkRegion } from '../../wasm/node/index.mjs';

/** The long run: so many times the items, frames and wakes. */
export const TIMES = Number(process.env.TERN_NODE_TIMES ?? 1);

export const HANG = { timeout: 120_000 * TIMES };

const PEER = process.env.TERN_NODE_PEER ?? fileURLToPath(new URL('../../build/tests/node/peer', import.meta.url));
const KID = fileURLToPath(new URL('./kid.mjs', import.meta.url));

let regions = 0;

/** A name that no other test has. */
export const newName = () => `node-${process.pid}-${String(regions++).padStart(3, '0')}`;

/**
 * A new region for one test; its name is removed when the test ends.
 *
 * @param {import('node:test').TestContext} t
 * @param {object} [options] of openRegion()
 */
export function newRegion(t, options = {}) {
  const name = newName();
  const region = openRegion(name, { create: true, sizeBytes: 4 << 20, ...options });
  t.after(async () => {
    await region.close();
    if (existsSync(fileOf(name))) unlinkRegion(name);
  });
  return region;
}

/** The file behind a name. */
export const fileOf = (name) => `/dev/shm/tern.${name}`;

/** A process that says "ready", and in the end a line of JSON. */
class Process {
  constructor(t, program, args) {
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => { this.child.kill('SIGKILL'); });
    const lines = createInterface({ input: this.child.stdout });
    const said = [];
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code, signal) => { resolve({ code, signal }); });
    });
    /** Fulfilled when its end is open. */
    this.ready = new Promise((resolve, reject) => {
      lines.on('line', (line) => {
        said.push(line);
        if (line === 'ready') resolve();
      });
      this.ended.then((how) => { reject(new Error(`${args.join(' ')} ended with ${JSON.stringify(how)}: ${said}`)); });
    });
    this.ready.catch(() => {});   // the test that waits for it is told; the others look at the answer
    /** What it says last. */
    this.answer = this.ended.then(({ code, signal }) => {
      assert.deepEqual([code, signal], [0, null], `${args.join(' ')} said ${said.join(' | ')}`);
      return JSON.parse(said.at(-1));
    });
    this.answer.catch(() => {});
  }

  say(line) { this.child.stdin.write(`${line}\n`); }

  async kill() {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

/** The native process; see peer.c. */
export const peer = (t, ...args) => new Process(t, PEER, args.map(String));

/** Another Node process; see kid.mjs. */
export const kid = (t, ...args) => new Process(t, process.execPath, ['--expose-gc', KID, ...args.map(String)]);

/** Word i of a frame; peer.c has the same. */
export const wordOf = (frame, i) => (i === 0 ? frame : (Math.imul(frame, 0x9e3779b1) + i)) >>> 0;

/** Write a frame. @param {Uint8Array} bytes */
export function fill(bytes, frame) {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  for (let i = 0; i < words.length; i++) words[i] = wordOf(frame, i);
}

/** Whether every word is of that frame. @param {Uint8Array} bytes */
export function isWhole(bytes, frame) {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  for (let i = 0; i < words.length; i++) if (words[i] !== wordOf(frame, i)) return false;
  return true;
}

/** That a promise or a call fails with a status, and with words that say why. */
export async function fails(call, code, words) {
  let error;
  try {
    await (typeof call === 'function' ? call() : call);
  } catch (caught) {
    error = caught;
  }
  assert.ok(error, `nothing was thrown, not ${code}`);
  assert.equal(error.code, code, error.stack);
  if (words) assert.match(error.message, words);
}
