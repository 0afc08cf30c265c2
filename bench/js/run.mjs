// SPDX-License-Identifier: MIT
// run.mjs: rings between two workers, in JavaScript and in wasm, beside ringbuf.js, messages and native threads.
//
//     node bench/js/run.mjs [--quick] [--browsers] [--no-targets] [--only TEXT] [--build FOLDER] [--out FILE]
//
//   --quick        one turn of few items of each: does everything work? Tells no figures
//   --browsers     in Chromium and Firefox too
//   --no-targets   the ratios are told; a missed target does not fail the run
//   --only TEXT    the cells whose names have it
//   --build FOLDER a native build, in which `ninja wasm` was run (build)
//   --out FILE     all repetitions as JSON, in the form of Google Benchmark; .gz compresses
//
// All contestants of a cell run in turns, in another order each time; the first two turns warm up and do not count. A
// run fails if one item was lost, repeated or torn, whoever lost it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { cells } from './cells.mjs';
import { build, nativeTurn, start } from './environments.mjs';
import { figures, ratios } from './report.mjs';

const TURNS = 7;
const WARM_TURNS = 2;
const QUICK = 64;
/** Of the program's four times as many items: it starts its threads within the clock. */
const NATIVE_SHARE = 4;
/** Nobody is that slow: items were lost, and somebody waits for them. */
const LOST_MS = 60_000;

const USAGE = 'node bench/js/run.mjs [--quick] [--browsers] [--no-targets] [--only TEXT] [--build FOLDER] [--out FILE]';

/** @param {string} text what was wrong @returns {never} */
function refuse(text) {
  console.error(`bench: ${text}\n${USAGE}`);
  process.exit(2);
}

function readOptions() {
  try {
    return parseArgs({ options: {
      quick: { type: 'boolean', default: false },
      browsers: { type: 'boolean', default: false },
      'no-targets': { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      build: { type: 'string', default: 'build' },
      out: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    } }).values;
  } catch (error) {
    return refuse(error.message);
  }
}

const options = readOptions();
if (options.help) {
  console.log(`${USAGE}\nThe head of the file explains each.`);
  process.exit(0);
}
if (!cells.some(({ name }) => name.includes(options.only))) {
  refuse(`no cell's name has '${options.only}'; there are: ${cells.map(({ name }) => name).join('; ')}`);
}

/** What a promise brings, or an error that says who waits in vain. */
async function inTime(promise, what) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no end after ${LOST_MS / 1000} s; items were lost`)), LOST_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One turn, and whether every item came. @returns {Promise<number>} ns an item */
async function measure(environment, made, cell, contestant) {
  const what = `${environment.name}, ${cell.name}, ${contestant.name}`;
  const count = cell.count * (contestant.share ?? 1) * (contestant.native ? NATIVE_SHARE : 1)
    / (options.quick ? QUICK : 1);
  // for a smoke test one pair of workers does for everybody
  const crew = options.quick ? 'all' : contestant.name;
  const { ns, right } = await inTime(contestant.native ? nativeTurn(made, contestant.native, count)
    : environment.turn(crew, cell.name, contestant.name, count), what);
  if (right !== count) throw new Error(`${what}: ${right} of ${count} items were right`);
  return ns / count;
}

/** @returns {Promise<import('./report.mjs').Sample[]>} */
async function runCell(environment, made, cell) {
  const { contestants } = cell;
  const samples = contestants.map((contestant) =>
    ({ environment: environment.name, cell, contestant, ns: /** @type {number[]} */ ([]) }));
  const [warm, turns] = options.quick ? [0, 1] : [WARM_TURNS, TURNS];
  for (let t = 0; t < warm + turns; t++) {
    for (let i = 0; i < contestants.length; i++) {
      const which = (i + t) % contestants.length;
      const ns = await measure(environment, made, cell, contestants[which]);
      if (t >= warm) samples[which].ns.push(ns);
    }
  }
  if (!options.quick) await environment.endCrews();
  return samples;
}

const commitOfThis = () => execFileSync('git', ['describe', '--always', '--dirty', '--abbrev=12', '--exclude=*'],
  { cwd: import.meta.dirname }).toString().trim();

/**
 * As bench/results has it.
 *
 * @param {import('./report.mjs').Sample[]} samples
 * @param {Record<string, string>} versions of the environments
 * @param {number[]} loadBefore
 * @param {string} commit when the run began
 */
function asJson(samples, versions, loadBefore, commit) {
  return {
    context: {
      date: new Date().toISOString(), num_cpus: cpus().length, processor: cpus()[0].model, load_avg: loadBefore,
      commit, compiler: execFileSync('clang', ['--version']).toString().split('\n')[0], flags: '-O2',
      versions: { ...versions, v8: process.versions.v8 }, pinned: false, repetitions: samples[0].ns.length,
    },
    benchmarks: samples.flatMap(({ environment, cell, contestant, ns }) => ns.map((real_time, repetition_index) => ({
      program: 'js', name: `${environment}/${cell.name}/${contestant.name}`, run_type: 'iteration', repetition_index,
      repetitions: ns.length, threads: 2, real_time, time_unit: 'ns', family: contestant.family,
    }))),
  };
}

async function main() {
  const made = mkdtempSync(join(tmpdir(), 'tern-bench-'));
  const loadBefore = loadavg();
  const commit = options.out ? commitOfThis() : '';   // now: whoever edits meanwhile changes nothing that runs
  /** @type {import('./report.mjs').Sample[]} */
  const samples = [];
  /** @type {Record<string, string>} */
  const versions = {};
  try {
    build(options.build, made);
    for (const name of options.browsers ? ['node', 'chromium', 'firefox'] : ['node']) {
      const environment = await start(name, made);
      try {
        versions[name] = environment.version;
        for (const cell of cells) {
          if (!cell.name.includes(options.only)) continue;
          console.error(`${name}: ${cell.name}`);
          samples.push(...await runCell(environment, made, cell));
        }
        await environment.endCrews();
      } finally {
        await environment.close();
      }
    }
  } finally {
    rmSync(made, { recursive: true });
  }
  if (samples.length === 0) throw new Error(`--only ${options.only}: no cell is named like that`);
  if (options.out) {
    const json = `${JSON.stringify(asJson(samples, versions, loadBefore, commit), null, 1)}\n`;
    writeFileSync(options.out, options.out.endsWith('.gz') ? gzipSync(json) : json);
  }
  if (options.quick) {
    console.log(`${samples.length} contestants in ${Object.keys(versions).join(', ')}: every item came, and was right`);
    return;
  }
  const { text, missed } = ratios(samples, Object.keys(versions));
  console.log(`${figures(samples, Object.keys(versions))}\n\n${text}`);
  for (const line of missed) console.log(`missed: ${line}`);
  if (missed.length > 0 && !options['no-targets']) process.exitCode = 1;
}

try {
  await main();
} catch (/** @type {any} */ error) {
  console.error(`bench: ${error.stack}`);
  process.exit(1);   // workers that wait for lost items would never end
}
