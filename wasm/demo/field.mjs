// SPDX-License-Identifier: MIT
// field.mjs: what the page and its workers tell each other: the structs of field.h, in JavaScript.

export const BLOCKS = 4;                     // groups that a worker can have
export const COMMAND = Object.freeze({ ADOPT: 1, MOVE: 2, POINTER: 3, SHAPE: 4 });

/** struct field_command: an item of the ring of commands. */
export const COMMAND_BYTES = 32;
/** struct field_group: an item of the pool. */
export const GROUP_BYTES = 32;
/** struct field_frame: what stands before the places, in bytes. */
export const FRAME_HEAD_BYTES = 64;

/** Bytes of a frame of so many particles; field_frame_size() in field.c. @param {number} count */
export const frameBytes = (count) => FRAME_HEAD_BYTES + count * 4;

/** A command to be pushed: one object, filled again and again. */
export class Command {
  constructor() {
    const buffer = new ArrayBuffer(COMMAND_BYTES);
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
    this.floats = new Float32Array(buffer);
  }

  /**
   * @param {number} kind one of COMMAND
   * @param {number} number comes back in the frames
   * @param {{ index: number, generation: number } | null} group
   * @param {number} x @param {number} y @param {number} a
   */
  set(kind, number, group, x, y, a = 0) {
    this.words[0] = kind;
    this.words[1] = number;
    this.words[2] = group?.index ?? 0;
    this.words[3] = group?.generation ?? 0;
    this.floats[4] = x;
    this.floats[5] = y;
    this.floats[6] = a;
    return this;
  }
}

/** Write a group into its item. @param {Uint32Array} words @param {Float32Array} floats of the same bytes
 *  @param {{ block: number, colour: number, x: number, y: number, radius: number, turn: number, mass: number,
 *            swirl: number }} group */
export function writeGroup(words, floats, group) {
  words[0] = group.block;
  words[1] = group.colour;
  floats[2] = group.x;
  floats[3] = group.y;
  floats[4] = group.radius;
  floats[5] = group.turn;
  floats[6] = group.mass;
  floats[7] = group.swirl;
}

/** A frame, read where it lies: in the buffer that is in front. */
export class Frame {
  /** @param {import('../src/views.mjs').Views} front a reader's @param {number} count of particles */
  constructor(front, count) {
    this.words = front.u32;
    this.floats = front.f32;
    this.doubles = front.f64;
    this.end = FRAME_HEAD_BYTES / 4 + count;
  }

  get checksum() { return this.words[0]; }
  get count() { return this.words[1]; }
  get applied() { return this.words[3]; }
  get stale() { return this.words[4]; }
  get load() { return this.floats[5]; }
  get publishedMs() { return this.doubles[3]; }
  /** @param {number} block @returns {number} 0xrrggbb */
  colour(block) { return this.words[8 + block]; }

  /** Whether every word is of one and the same frame: what was published, whole. */
  isWhole() {
    const { words, end } = this;
    let sum = 0;
    for (let i = FRAME_HEAD_BYTES / 4; i < end; i++) sum = (Math.imul(sum, 31) + words[i]) | 0;
    return sum >>> 0 === this.checksum && this.count === end - FRAME_HEAD_BYTES / 4;
  }
}
