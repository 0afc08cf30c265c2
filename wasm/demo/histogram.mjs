// SPDX-License-Identifier: MIT
// histogram.mjs: times in buckets that double, what part of them lies below what, and a drawing of them.

const LEAST_MS = 1 / 32;
const BUCKETS = 14;           // 1/32 ms to 256 ms

export class Histogram {
  constructor() {
    this.counts = new Uint32Array(BUCKETS);
    this.total = 0;
  }

  /** @param {number} ms */
  add(ms) {
    const bucket = Math.ceil(Math.log2(Math.max(ms, LEAST_MS) / LEAST_MS));
    this.counts[Math.min(bucket, BUCKETS - 1)]++;
    this.total++;
  }

  /** Half of what was counted: old times fade. */
  fade() {
    this.total = 0;
    for (let i = 0; i < BUCKETS; i++) this.total += this.counts[i] >>>= 1;
  }

  /** The upper end of the bucket below which a part of the times lies, in ms; NaN without any. @param {number} part */
  quantile(part) {
    let left = this.total * part;
    for (let i = 0; i < BUCKETS; i++) {
      left -= this.counts[i];
      if (left <= 0) return this.total === 0 ? NaN : LEAST_MS * 2 ** i;
    }
    return LEAST_MS * 2 ** (BUCKETS - 1);
  }

  /** @param {HTMLCanvasElement} canvas @param {string} ink @param {string} faint colours */
  draw(canvas, ink, faint) {
    const ratio = devicePixelRatio || 1;
    const width = canvas.width = Math.round(canvas.clientWidth * ratio);
    const height = canvas.height = Math.round(canvas.clientHeight * ratio);
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    const most = Math.max(1, ...this.counts), step = width / BUCKETS, foot = 14 * ratio;
    context.font = `${10 * ratio}px ui-monospace, monospace`;
    context.textAlign = 'center';
    for (let i = 0; i < BUCKETS; i++) {
      const bar = Math.max((height - foot - 2) * this.counts[i] / most, 2);
      context.fillStyle = faint;
      context.fillRect(i * step + ratio, height - foot - 1, step - 2 * ratio, 1);
      context.fillStyle = ink;
      if (this.counts[i] > 0) context.fillRect(i * step + ratio, height - foot - bar, step - 2 * ratio, bar);
      const ms = LEAST_MS * 2 ** i;
      context.fillStyle = faint;
      if (i % 3 === 2) context.fillText(ms < 1 ? `1/${1 / ms}` : `${ms}`, (i + 0.5) * step, height - 3 * ratio);
    }
  }
}
