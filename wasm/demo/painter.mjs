// SPDX-License-Identifier: MIT
// painter.mjs: hundreds of thousands of points as light, or as ink on paper, without a graphics card.
//
// Each point adds its colour to the sums of a pixel, the sums fade from frame to frame, and a table turns sums
// into the screen's 0 to 255: bright places go towards white, never beyond.

const MOST_PIXELS = 560_000;
const TABLE = 4096;
const SHIFT = 2;              // of sums, on their way into the table

/** A table for each of red, green and blue: what it makes of a sum. @param {number[]} ground @param {boolean} dark */
function tables(ground, dark) {
  return ground.map((level) => {
    const table = new Uint8ClampedArray(TABLE);
    for (let i = 0; i < TABLE; i++) {
      const rest = Math.exp(-(i << SHIFT) / 900);
      table[i] = dark ? 255 - (255 - level) * rest : level * rest;
    }
    return table;
  });
}

/** The weight of a point on a canvas with so many pixels for each: the same picture at any size, and of any number. */
const weightOf = (pixelsPerPoint) => Math.min(1, Math.max(0.12, pixelsPerPoint / 2.5));

export class Painter {
  /** @param {HTMLCanvasElement} canvas @param {number} points that a picture has */
  constructor(canvas, points) {
    this.canvas = canvas;
    this.points = points;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { alpha: false }));
    this.setDark(true);
    this.resize(960, 540, 1);
  }

  /** @param {boolean} dark light on night, else ink on paper */
  setDark(dark) {
    this.dark = dark;
    [this.red, this.green, this.blue] = tables(dark ? [7, 9, 16] : [250, 249, 245], dark);
    this.sums?.fill(0);
  }

  /** @param {number} width of the canvas on the screen @param {number} height @param {number} ratio device pixels */
  resize(width, height, ratio) {
    const scale = Math.min(ratio, Math.sqrt(MOST_PIXELS / Math.max(1, width * height)));
    this.width = this.canvas.width = Math.max(16, Math.round(width * scale));
    this.height = this.canvas.height = Math.max(16, Math.round(height * scale));
    this.weight = weightOf(this.width * this.height / this.points);
    this.sums = new Uint32Array(this.width * this.height * 3);
    this.image = this.context.createImageData(this.width, this.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  /**
   * Add points of one colour.
   *
   * @param {Uint32Array} places x and y, 16 bits each, of the whole width and height
   * @param {number} first @param {number} end of them, exclusive
   * @param {number} colour 0xrrggbb
   */
  add(places, first, end, colour) {
    const { sums, width, height, dark, weight } = this;
    const part = (shift) => {
      const level = colour >>> shift & 255;
      return Math.round((dark ? level : 255 - level) * weight);
    };
    const [r, g, b] = [part(16), part(8), part(0)];
    for (let i = first; i < end; i++) {
      const place = places[i];
      const x = (place & 0xffff) * width >>> 16, y = (place >>> 16) * height >>> 16;
      const at = (y * width + x) * 3;
      sums[at] += r;
      sums[at + 1] += g;
      sums[at + 2] += b;
    }
  }

  /** Show the sums, and let them fade. */
  paint() {
    const { sums, pixels, red, green, blue } = this;
    for (let i = 0, at = 0; i < pixels.length; i++, at += 3) {
      const r = sums[at], g = sums[at + 1], b = sums[at + 2];
      if ((r | g | b) === 0) {
        pixels[i] = 0xff000000 | blue[0] << 16 | green[0] << 8 | red[0];
        continue;
      }
      pixels[i] = 0xff000000 | blue[Math.min(b >>> SHIFT, TABLE - 1)] << 16
        | green[Math.min(g >>> SHIFT, TABLE - 1)] << 8 | red[Math.min(r >>> SHIFT, TABLE - 1)];
      sums[at] = r - (r >>> 2) - (r < 4 ? r : 0);
      sums[at + 1] = g - (g >>> 2) - (g < 4 ? g : 0);
      sums[at + 2] = b - (b >>> 2) - (b < 4 ? b : 0);
    }
    this.context.putImageData(this.image, 0, 0);
  }
}
