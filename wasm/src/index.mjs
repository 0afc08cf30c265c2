// SPDX-License-Identifier: MIT
// index.mjs: what the package exports.
export { Bell, lowestBit } from './bell.mjs';
export { diagnose } from './diagnose.mjs';
export { handleGeneration, handleIndex, packHandle, unpackHandle, writeHandle } from './handle.mjs';
export { LAYOUT_HASH, LAYOUT_VERSION, STATUS, STATUS_TEXT } from './layout.mjs';
export { Memory } from './memory.mjs';
export { Pool } from './pool.mjs';
export { Region } from './region.mjs';
export { Ring } from './ring.mjs';
export { Runtime, StartError } from './runtime.mjs';
export { TernError, statusName, statusText } from './status.mjs';
export { Stream } from './stream.mjs';
export { Triple, TripleReader, TripleWriter } from './triple.mjs';
export { Views } from './views.mjs';
export { canBlock } from './wait.mjs';
