// SPDX-License-Identifier: MIT
// page.mjs: in the page, what the driver calls.
import { endCrews, turn } from './crew.mjs';

const [loops, tern] = await Promise.all(['/wasm_ring.wasm', '/tern.threads.wasm'].map((path) =>
  WebAssembly.compileStreaming(fetch(path))));

globalThis.bench = {
  turn: (/** @type {string} */ crew, /** @type {string} */ cell, /** @type {string} */ contestant,
    /** @type {number} */ count) => turn(crew, cell, contestant, count, { loops, tern }),
  endCrews,
};
