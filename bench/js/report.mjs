// SPDX-License-Identifier: MIT
// report.mjs: medians, ratios and targets of one run, as tables in Markdown.

/**
 * @typedef {object} Sample of one contestant in one environment
 * @property {string} environment
 * @property {import('./cells.mjs').Cell} cell
 * @property {import('./contestant.mjs').Contestant} contestant
 * @property {number[]} ns an item, by turn
 */

/** @param {number[]} values */
export const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

const digits = (/** @type {number} */ x) => (x < 10 ? x.toFixed(2) : x < 100 ? x.toFixed(1)
  : Math.round(x).toLocaleString('en'));

/** Of a family, in one cell and environment. @param {Sample[]} samples */
function best(samples, environment, cell, family) {
  const of = samples.filter((one) => one.environment === environment && one.cell === cell
    && one.contestant.family === family);
  return of.length === 0 ? undefined : Math.min(...of.map(({ ns }) => median(ns)));
}

/** @param {string[][]} rows the first one is the head */
function table(rows) {
  const line = (/** @type {string[]} */ row) => `| ${row.join(' | ')} |`;
  return [line(rows[0]), `|${'---|'.repeat(rows[0].length)}`, ...rows.slice(1).map(line)].join('\n');
}

/** A table for each cell. @param {Sample[]} samples @param {string[]} environments */
export function figures(samples, environments) {
  const cells = [...new Set(samples.map(({ cell }) => cell))];
  return cells.map((cell) => {
    const rows = [[`${cell.name}, ${cell.unit}`, ...environments]];
    for (const { name } of cell.contestants) {
      rows.push([name, ...environments.map((environment) => {
        const of = samples.find((one) => one.environment === environment && one.cell === cell
          && one.contestant.name === name);
        return of ? `${digits(median(of.ns))} (${digits(Math.min(...of.ns))} to ${digits(Math.max(...of.ns))})` : '-';
      })]);
    }
    return table(rows);
  }).join('\n\n');
}

/** One table of all ratios. @param {Sample[]} samples @param {string[]} environments
 *  @returns {{ text: string, missed: string[] }} missed: of Node's, whose workers the targets are for */
export function ratios(samples, environments) {
  const rows = [['', 'target', ...environments]];
  /** @type {string[]} */
  const missed = [];
  for (const cell of new Set(samples.map((one) => one.cell))) {
    for (const { ours, theirs, atLeast } of cell.targets) {
      const what = `${cell.name}: ${ours} / ${theirs}`;
      rows.push([what, atLeast === undefined ? '-' : `${atLeast}x`, ...environments.map((environment) => {
        const [own, other] = [ours, theirs].map((family) => best(samples, environment, cell, family));
        if (own === undefined || other === undefined) return '-';
        const ratio = other / own;
        if (atLeast === undefined || ratio >= atLeast) return `${digits(ratio)}x`;
        if (environment === 'node') missed.push(`${what}: ${digits(ratio)}x of ${atLeast}x`);
        return `**${digits(ratio)}x**`;
      })]);
    }
  }
  return { text: table(rows), missed };
}
