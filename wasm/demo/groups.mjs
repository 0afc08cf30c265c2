// SPDX-License-Identifier: MIT
// groups.mjs: groups of particles: items of a pool, named by handles. Replacing one frees its item: from that moment
// its handle is refused, by this page and by every worker.
import { BLOCKS, COMMAND, writeGroup } from './field.mjs';

/** 0xrrggbb as light on night, and as ink on paper. */
const NIGHT = [0x3fb6ff, 0xff7043, 0xa27bff, 0x3ddc97, 0xffc533, 0xff5fa2, 0x5c7cff, 0xd8e2f0];
const PAPER = [0x0b78b8, 0xd2491a, 0x6a3fd0, 0x118a53, 0xb07800, 0xc72a75, 0x2f49c8, 0x3c4a5c];
const DUST = [0x46506a, 0x9aa3ad];

/** @param {number} number of a colour, as the frames say it @param {boolean} dark @returns {number} 0xrrggbb */
export const colourOf = (number, dark) => (dark ? NIGHT : PAPER)[number] ?? DUST[dark ? 0 : 1];

const css = (colour) => `#${colour.toString(16).padStart(6, '0')}`;

export class Groups {
  /** @param {any} pool a view of it @param {any[]} parts one a worker */
  constructor(pool, parts) {
    this.pool = pool;
    this.parts = parts;
    this.height = 9 / 16;
    this.dark = true;
    this.made = 0;
    /** A handle that was freed, and to whom it had been given. */
    this.old = null;
    this.groups = parts.flatMap((part) => Array.from({ length: BLOCKS }, (_, block) => this.#row({ part, block })));
    this.button = /** @type {HTMLButtonElement} */ (document.getElementById('stale'));
    this.button.addEventListener('click', () => this.sendStale());
    for (const group of this.groups) this.#make(group);
  }

  #row({ part, block }) {
    const row = document.createElement('li');
    row.innerHTML = '<i></i><code></code><button type="button">Replace</button>';
    document.getElementById('groups').append(row);
    const group = { part, block, row, handle: null, colour: 0 };
    row.querySelector('button').addEventListener('click', () => this.replace(group));
    return group;
  }

  /** Where a group has its place: in rows, a little out of line. */
  #home(group) {
    const number = this.groups.indexOf(group), total = this.groups.length;
    const columns = Math.max(1, Math.round(Math.sqrt(total / this.height)));
    const row = Math.floor(number / columns), inRow = Math.min(columns, total - row * columns);
    return {
      x: (number % columns + 0.5 + (row % 2 ? 0.14 : -0.14)) / inRow,
      y: (row + 0.5) / Math.ceil(total / columns) * this.height,
    };
  }

  #make(group) {
    const number = this.made++, spin = number % 2 ? 1 : -1;
    const item = this.pool.alloc();
    group.handle = { index: this.pool.index, generation: this.pool.generation };
    group.colour = number % NIGHT.length;
    writeGroup(item.u32, item.f32, {
      block: group.block, colour: group.colour, ...this.#home(group), radius: 0.04 + 0.015 * (number % 3),
      turn: spin * (0.005 + 0.001 * (number % 4)), mass: 0.012 + 0.003 * (number % 3), swirl: spin * 0.9,
    });
    group.part.send(COMMAND.ADOPT, group.handle, 0, 0, 0);
    group.row.querySelector('code').textContent = `${group.handle.index} : ${group.handle.generation}`;
    this.#paint(group);
  }

  #paint(group) { group.row.querySelector('i').style.background = css(colourOf(group.colour, this.dark)); }

  /** @param {boolean} dark */
  setDark(dark) {
    this.dark = dark;
    for (const group of this.groups) this.#paint(group);
  }

  /** Put the groups where there is room for them. @param {number} height of the field, whose width is 1 */
  arrange(height) {
    this.height = height;
    for (const group of this.groups) {
      const { x, y } = this.#home(group);
      group.part.send(COMMAND.MOVE, group.handle, x, y, 0);
    }
  }

  /** Free a group's item and make another in its place. */
  replace(group) {
    this.old = { part: group.part, handle: group.handle };
    this.pool.free(group.handle.index, group.handle.generation);
    this.#make(group);
    this.button.disabled = false;
  }

  /** Tell a worker to move a group that is gone. It refuses, and says so in its next frame. */
  sendStale() {
    if (this.old) this.old.part.send(COMMAND.MOVE, this.old.handle, 0.5, 0.5, 0);
  }
}
