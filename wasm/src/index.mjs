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
export { Triple } from './triple.mjs';
export { TripleReader } from './triple_reader.mjs';
export { TripleWriter } from './triple_writer.mjs';
export { Views } from './views.mjs';
export { canBlock } from './wait.mjs';

// Types without a class of that name among the above, for who writes TypeScript or JSDoc.
/** @typedef {import('./bell_layout.mjs').BellDesc} BellDesc */
/** @typedef {import('./pool_layout.mjs').PoolDesc} PoolDesc */
/** @typedef {import('./region_table.mjs').RegionDesc} RegionDesc */
/** @typedef {import('./ring.mjs').RingDesc} RingDesc */
/** @typedef {import('./stream.mjs').StreamDesc} StreamDesc */
/** @typedef {import('./triple_word.mjs').TripleDesc} TripleDesc */
/** @typedef {import('./ring_consumer.mjs').RingConsumer} RingConsumer */
/** @typedef {import('./ring_producer.mjs').RingProducer} RingProducer */
/** @typedef {import('./stream_consumer.mjs').StreamConsumer} StreamConsumer */
/** @typedef {import('./stream_producer.mjs').StreamProducer} StreamProducer */
/** @typedef {import('./runtime_handle.mjs').RuntimeWorker} RuntimeWorker */
/** What a worker's script is given. @typedef {import('./runtime_script.mjs').WorkerScope} WorkerScope */
/** @typedef {import('./runtime.mjs').RuntimeOptions} RuntimeOptions */
/** @typedef {import('./memory.mjs').MemorySource} MemorySource */
/** @typedef {import('./region_peers.mjs').Recovery} Recovery */
/** @typedef {import('./diagnose.mjs').Diagnosis} Diagnosis */
