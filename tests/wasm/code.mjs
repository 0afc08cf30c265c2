// SPDX-License-Identifier: MIT
// code.mjs: the instructions of a wasm module, as far as the tests look at them. It knows MVP,
// sign extension, saturating conversion, bulk memory and threads; anything else is an error.

export const LOCAL_GET = 0x20;
export const LOOP = 0x03;
export const WAIT32 = 0xfe01;
export const WAIT64 = 0xfe02;

const SECTION = { IMPORT: 2, START: 8, CODE: 10 };

class Reader {
  constructor(bytes, at = 0, end = bytes.length) { Object.assign(this, { bytes, at, end }); }
  byte() {
    if (this.at >= this.end) throw new Error(`wasm ends at ${this.at}`);
    return this.bytes[this.at++];
  }
  /** A LEB128 number; large and negative ones come out wrong, but have the right length. */
  leb() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      if (shift < 28) value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }
  skip(count) { this.at += count; }
  lebs(count) { for (let i = 0; i < count; i++) this.leb(); }
}

function skipImmediates(reader, opcode) {
  const between = (low, high) => opcode >= low && opcode <= high;
  if (between(0x02, 0x04) || between(0x0c, 0x0d) || opcode === 0x10 || between(0x20, 0x26)) reader.leb();
  else if (opcode === 0x0e || opcode === 0x1c) reader.lebs(reader.leb() + (opcode === 0x0e ? 1 : 0));
  else if (opcode === 0x11 || between(0x28, 0x3e)) reader.lebs(2);
  else if (between(0x3f, 0x42) || opcode === 0xd0 || opcode === 0xd2) reader.leb();
  else if (opcode === 0x43) reader.skip(4);
  else if (opcode === 0x44) reader.skip(8);
  else if (between(0x00, 0x01) || opcode === 0x05 || opcode === 0x0b || opcode === 0x0f
    || between(0x1a, 0x1b) || between(0x45, 0xc4) || opcode === 0xd1) return;
  else if (between(0xfc00, 0xfc07)) return;
  else if (opcode === 0xfc09 || opcode === 0xfc0b || opcode === 0xfc0d || opcode === 0xfe03) reader.leb();
  else if (between(0xfc08, 0xfc0c) || between(0xfe00, 0xfe4e)) reader.lebs(2);
  else throw new Error(`unknown opcode 0x${opcode.toString(16)} before byte ${reader.at}`);
}

/** The opcodes of one function body; prefixed ones as prefix * 256 + number. */
function opcodesOf(reader) {
  for (let groups = reader.leb(); groups > 0; groups--) reader.lebs(2);
  const opcodes = [];
  while (reader.at < reader.end) {
    let opcode = reader.byte();
    if (opcode === 0xfc || opcode === 0xfe) opcode = opcode * 256 + reader.leb();
    skipImmediates(reader, opcode);
    opcodes.push(opcode);
  }
  if (reader.at !== reader.end || opcodes.at(-1) !== 0x0b) throw new Error('a function body does not end in end');
  return opcodes;
}

/** [{ isStart, opcodes }] for every function that the module defines; it may import no function. */
export function functionsOf(bytes) {
  const reader = new Reader(bytes, 8);
  const functions = [];
  let start = -1;
  while (reader.at < reader.end) {
    const section = reader.byte();
    const size = reader.leb();
    const body = new Reader(bytes, reader.at, reader.at + size);
    reader.skip(size);
    if (section === SECTION.START) start = body.leb();
    if (section !== SECTION.CODE) continue;
    for (let count = body.leb(); count > 0; count--) {
      const length = body.leb();
      const opcodes = opcodesOf(new Reader(bytes, body.at, body.at + length));
      functions.push({ isStart: functions.length === start, opcodes });
      body.skip(length);
    }
  }
  return functions;
}

const isWait = (opcode) => opcode === WAIT32 || opcode === WAIT64;

export const waits = (code) => code.opcodes.filter(isWait).length;

/**
 * Whether a local may live across a wait of this function: one is read behind it, or a loop may
 * lead back to a read before it. Node 20's baseline compiler clobbers such locals.
 */
export function keepsLocalAcrossWait(code) {
  const first = code.opcodes.findIndex(isWait);
  if (first < 0) return false;
  return code.opcodes.includes(LOOP) || code.opcodes.slice(first).includes(LOCAL_GET);
}
