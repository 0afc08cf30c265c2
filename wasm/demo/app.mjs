// SPDX-License-Identifier: MIT
// app.mjs: the page: makes the shared objects, starts the workers, draws what they publish, and sends commands. It
// never waits for anybody.
import { Pool, Ring, Runtime, Triple } from '../src/index.mjs';
import { BLOCKS, COMMAND, COMMAND_BYTES, Command, Frame, GROUP_BYTES, frameBytes } from './field.mjs';
import { Groups, colourOf } from './groups.mjs';
import { Painter } from './painter.mjs';
import { Counts, Panel } from './panel.mjs';

const COMMANDS = 256;             // that a worker's ring holds
const HANDLES = 64;               // that the pool has items for
const POINTER_MASS = 0.05;
const PANEL_MS = 250;
const FADES = 20;                 // of the panel's turns, until old times count half
const ANSWERS = 64;               // commands whose answer is awaited, at most

const search = new URLSearchParams(location.search);
const number = (name, least, most, usual) =>
  (search.has(name) ? Math.min(most, Math.max(least, Number(search.get(name)) || usual)) : usual);
const particles = number('particles', 1000, 2_000_000, 200_000);
const workers = number('workers', 1, 16, Math.max(2, Math.min(4, (navigator.hardwareConcurrency || 2) - 1)));
const count = Math.ceil(particles / workers / BLOCKS) * BLOCKS;

/** The objects that page and workers share, and where they lie. */
function makeShared(runtime) {
  const place = (Kind, desc) => {
    const offset = runtime.allocate(Kind.size(desc));
    Kind.format(runtime.memory, offset, desc);
    return offset;
  };
  return {
    pool: place(Pool, { itemSizeBytes: GROUP_BYTES, capacityItems: HANDLES }),
    parts: Array.from({ length: workers }, () => ({
      ring: place(Ring, { itemSizeBytes: COMMAND_BYTES, capacityItems: COMMANDS, waitable: true }),
      frames: place(Triple, { bufferSizeBytes: frameBytes(count) }),
    })),
  };
}

/** One worker, seen from the page: commands to it, frames from it. */
class Part {
  /** @param {any} memory @param {{ ring: number, frames: number }} place */
  constructor(memory, { ring, frames }) {
    this.commands = Ring.producer(memory, ring);
    this.frames = Triple.reader(memory, frames);
    this.command = new Command();
    this.sent = 0;
    this.answered = 0;
    this.sentMs = new Float64Array(ANSWERS);
    this.frame = null;
    this.stale = 0;
  }

  /** @returns {boolean} false: the ring is full, and the command is lost; the page does not wait */
  send(kind, group, x, y, a) {
    if (!this.commands.tryPush(this.command.set(kind, this.sent + 1, group, x, y, a).bytes)) return false;
    this.sent++;
    this.sentMs[this.sent % ANSWERS] = performance.now();
    return true;
  }

  /** Take the newest frame, if there is one, and count. @param {Counts} counts @param {number} now */
  take(counts, now) {
    const dropped = this.frames.dropped;
    if (!this.frames.update()) return;
    const frame = new Frame(this.frames.front, count);
    this.frame = frame;
    counts.shown++;
    counts.dropped += this.frames.dropped - dropped;
    counts.published += this.frames.dropped - dropped + 1;
    if (!frame.isWhole()) counts.torn++;
    counts.ages.add(now - frame.publishedMs);
    for (; this.answered < frame.applied && this.answered < this.sent; this.answered++) {
      counts.answered++;
      if (this.sent - this.answered < ANSWERS) counts.answers.add(now - this.sentMs[(this.answered + 1) % ANSWERS]);
    }
    counts.stale += frame.stale - this.stale;
    this.stale = frame.stale;
  }
}

async function start() {
  const counts = new Counts(), panel = new Panel(counts);
  document.getElementById('particles').textContent = (count * workers).toLocaleString('en-US');
  const { runtime, pool, parts } = await startRuntime(panel).catch((error) => {
    panel.problem(error.message);
    throw error;
  });
  panel.mode(runtime.mode, runtime.reason);
  const groups = new Groups(pool, parts);
  const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById('field'));
  const painter = new Painter(canvas, count * workers);
  followScheme(painter, groups);
  followSize(canvas, painter, parts, groups);
  followPointer(canvas, parts);

  const draw = () => {
    const begin = performance.now();
    for (const part of parts) part.take(counts, begin);
    for (const { frame } of parts) {
      if (!frame) continue;
      const first = frame.end - count, each = count / BLOCKS;
      for (let i = 0; i < BLOCKS; i++) {
        painter.add(frame.words, first + i * each, first + (i + 1) * each, colourOf(frame.colour(i), painter.dark));
      }
    }
    painter.paint();
    counts.draws++;
    counts.longestDrawMs = Math.max(counts.longestDrawMs, performance.now() - begin);
    requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
  let turn = 0;
  setInterval(() => {
    if (++turn % FADES === 0) for (const times of [counts.ages, counts.answers]) times.fade();
    panel.show(parts.map(({ frame }, i) => {
      return { name: `worker ${i}`, state: runtime.workers[i].state, load: frame?.load ?? 0 };
    }));
  }, PANEL_MS);
  // for whoever looks from outside: the browser's console, and the tests
  Object.assign(globalThis, { tern: { counts, runtime, groups, painter } });
}

/** Where the development server has what `ninja wasm` made. @param {'threads' | 'single'} kind */
const moduleAt = (kind) => new URL(`./modules/field.${kind}.wasm`, import.meta.url);

async function startRuntime(panel) {
  const runtime = await Runtime.start({
    mode: search.get('mode') ?? 'auto', workers, script: new URL('./worker.mjs', import.meta.url),
    module: { threads: moduleAt('threads'), single: moduleAt('single') },
    memory: { initialPages: 64, maximumPages: 4096 }, arenaBytes: 4096 + count * 16,
    onFailure: (worker, error) => panel.problem(`Worker ${worker.index} failed: ${error.message}`),
  });
  const shared = makeShared(runtime);
  const message = { ...shared, count, pageOrigin: performance.timeOrigin };
  await Promise.all(runtime.workers.map((worker) => worker.call('begin', message)));
  return { runtime, pool: Pool.attach(runtime.memory, shared.pool),
    parts: shared.parts.map((place) => new Part(runtime.memory, place)) };
}

function followScheme(painter, groups) {
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  const follow = () => {
    painter.setDark(scheme.matches);
    groups.setDark(scheme.matches);
  };
  scheme.addEventListener('change', follow);
  follow();
}

function followSize(canvas, painter, parts, groups) {
  new ResizeObserver(() => {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (width === 0) return;
    painter.resize(width, height, devicePixelRatio || 1);
    for (const part of parts) part.send(COMMAND.SHAPE, null, 0, height / width);
    groups.arrange(height / width);
  }).observe(canvas);
}

function followPointer(canvas, parts) {
  let pressed = false;
  const tell = (event, mass) => {
    const box = canvas.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.width;
    for (const part of parts) part.send(COMMAND.POINTER, null, x, y, mass);
  };
  canvas.addEventListener('pointerdown', (event) => {
    pressed = true;
    canvas.setPointerCapture(event.pointerId);
    tell(event, POINTER_MASS);
  });
  canvas.addEventListener('pointermove', (event) => { if (pressed) tell(event, POINTER_MASS); });
  for (const name of ['pointerup', 'pointercancel']) {
    canvas.addEventListener(name, (event) => {
      pressed = false;
      tell(event, 0);
    });
  }
}

void start();
