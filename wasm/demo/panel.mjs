// SPDX-License-Identifier: MIT
// panel.mjs: the figures beside the field. They are written four times a second, so that drawing them costs nothing.
import { Histogram } from './histogram.mjs';

const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const text = (id, value) => {
  const at = element(id);
  if (at.textContent !== value) at.textContent = value;
};
const whole = (value) => value.toLocaleString('en-US');
const ms = (value) =>
  (Number.isNaN(value) ? '–' : value < 1 ? `${Math.round(value * 1000)} µs` : `${value.toFixed(0)} ms`);

/** What is counted. Tests read it, too. */
export class Counts {
  published = 0;     // frames, by all workers
  shown = 0;         // frames that the page took
  dropped = 0;       // frames that a newer one replaced before the page looked
  torn = 0;          // frames whose checksum was wrong; none, ever
  answered = 0;      // commands that came back in a frame
  stale = 0;         // commands to groups that are gone
  draws = 0;         // of the canvas
  longestDrawMs = 0; // of one animation frame's work
  ages = new Histogram();
  answers = new Histogram();
}

export class Panel {
  /** @param {Counts} counts */
  constructor(counts) {
    this.counts = counts;
    this.drawsBefore = 0;
    this.at = performance.now();
    this.rate = 0;
  }

  /** @param {'threads' | 'single'} mode @param {string} reason */
  mode(mode, reason) {
    const badge = element('mode');
    badge.textContent = mode === 'threads' ? 'threads' : 'single thread';
    badge.className = `badge ${mode === 'threads' ? 'good' : 'warn'}`;
    text('reason', reason);
  }

  /** @param {string} what went wrong, and what to do */
  problem(what) {
    const at = element('problem');
    at.hidden = false;
    at.textContent = what;
    if (element('mode').textContent === 'starting') element('mode').textContent = 'not running';
  }

  /** Write the figures. @param {{ name: string, state: string, load: number }[]} workers */
  show(workers) {
    const { counts } = this, now = performance.now();
    this.rate = (counts.draws - this.drawsBefore) / (now - this.at) * 1000;
    this.drawsBefore = counts.draws;
    this.at = now;
    text('shown-rate', this.rate.toFixed(0));
    text('published', whole(counts.published));
    text('shown', whole(counts.shown));
    text('dropped', whole(counts.dropped));
    text('torn', whole(counts.torn));
    text('long', counts.longestDrawMs.toFixed(1));
    text('refused', whole(counts.stale));
    element('torn').parentElement?.classList.toggle('wrong', counts.torn > 0);
    const style = getComputedStyle(document.documentElement);
    const [ink, faint] = ['--accent', '--quiet'].map((name) => style.getPropertyValue(name));
    for (const [id, histogram] of Object.entries({ age: counts.ages, answer: counts.answers })) {
      text(id, ms(histogram.quantile(0.5)));
      text(`${id}-99`, ms(histogram.quantile(0.99)));
      histogram.draw(/** @type {HTMLCanvasElement} */ (element(`${id}s`)), ink, faint);
    }
    this.#workers(workers);
  }

  #workers(workers) {
    const list = element('workers');
    while (list.children.length < workers.length) {
      const row = document.createElement('li');
      row.innerHTML = '<span></span><b class="number small"></b><span class="load"><i></i></span>';
      list.append(row);
    }
    workers.forEach((worker, i) => {
      const [name, load, bar] = list.children[i].children;
      name.textContent = `${worker.name}: ${worker.state}`;
      load.textContent = `${Math.round(worker.load * 100)}% busy`;
      /** @type {HTMLElement} */ (bar.firstElementChild).style.width = `${Math.min(100, worker.load * 100)}%`;
    });
  }
}
