// SPDX-License-Identifier: MIT
// index.mjs: what the package exports.
export { LAYOUT_HASH, LAYOUT_VERSION, STATUS, STATUS_TEXT } from './layout.mjs';
export { Memory } from './memory.mjs';
export { Ring } from './ring.mjs';
export { Stream } from './stream.mjs';
export { TernError, statusName, statusText } from './status.mjs';
export { canBlock } from './wait.mjs';
