// SPDX-License-Identifier: MIT
// layout.mjs: offsets, sizes and numbers of the shared bytes. Made from the C headers by
// `meson compile -C build layout-table`; a test compares. docs/layout.md tells what they mean.

export const LAYOUT_HASH = 0x01f92771;

/** struct tern_region_shared: its size, and the offset of each field, in bytes. */
export const REGION_SHARED = Object.freeze({
  size: 256,
  magic: 0,   // 4
  geometry: 8,   // 56
  peersUsed: 128,   // 4
  first: 132,   // 4
  heap: 136,   // 8
  objects: 144,   // 4
  burier: 148,   // 4
});

/** struct tern_region_geometry: its size, and the offset of each field, in bytes. */
export const REGION_GEOMETRY = Object.freeze({
  size: 56,
  layoutVersion: 0,   // 4
  layoutHash: 4,   // 4
  totalSizeBytes: 8,   // 8
  session: 16,   // 8
  domain: 24,   // 4
  maxObjects: 28,   // 4
  maxPeers: 32,   // 4
  creator: 36,   // 4
  heapOffsetBytes: 40,   // 8
  reserved: 48,   // 4
  check: 52,   // 4
});

/** struct tern_region_entry: its size, and the offset of each field, in bytes. */
export const REGION_ENTRY = Object.freeze({
  size: 128,
  next: 0,   // 4
  state: 4,   // 4
  type: 8,   // 4
  domains: 12,   // 4
  offsetBytes: 16,   // 8
  sizeBytes: 24,   // 8
  name: 32,   // 32
  maker: 64,   // 4
  roles: 68,   // 8
});

/** struct tern_region_peer: its size, and the offset of each field, in bytes. */
export const REGION_PEER = Object.freeze({
  size: 512,
  word: 0,   // 4
  process: 4,   // 4
  domain: 8,   // 4
  pinsUsed: 12,   // 4
  attachedNs: 16,   // 8
  program: 24,   // 16
  unheld: 40,   // 4
  holds: 64,   // 448
});

/** struct tern_ring_shared: its size, and the offset of each field, in bytes. */
export const RING_SHARED = Object.freeze({
  size: 384,
  magic: 0,   // 4
  geometry: 8,   // 32
  producer: 128,   // 128
  consumer: 256,   // 128
});

/** struct tern_ring_geometry: its size, and the offset of each field, in bytes. */
export const RING_GEOMETRY = Object.freeze({
  size: 32,
  layoutVersion: 0,   // 4
  itemSizeBytes: 4,   // 4
  capacityItems: 8,   // 4
  flags: 12,   // 4
  totalSizeBytes: 16,   // 8
  slotSizeBytes: 24,   // 4
  check: 28,   // 4
});

/** struct tern_ring_end: its size, and the offset of each field, in bytes. */
export const RING_END = Object.freeze({
  size: 128,
  word: 0,   // 4
  closed: 4,   // 4
  asymmetric: 8,   // 4
  asleep: 64,   // 4
});

/** struct tern_pool_shared: its size, and the offset of each field, in bytes. */
export const POOL_SHARED = Object.freeze({
  size: 512,
  magic: 0,   // 4
  geometry: 8,   // 32
  head: 128,   // 128
  tail: 256,   // 128
  retired: 384,   // 4
});

/** struct tern_pool_geometry: its size, and the offset of each field, in bytes. */
export const POOL_GEOMETRY = Object.freeze({
  size: 32,
  layoutVersion: 0,   // 4
  itemSizeBytes: 4,   // 4
  capacityItems: 8,   // 4
  strideBytes: 12,   // 4
  totalSizeBytes: 16,   // 8
  flags: 24,   // 4
  check: 28,   // 4
});

/** struct tern_pool_word: its size, and the offset of each field, in bytes. */
export const POOL_WORD = Object.freeze({
  size: 128,
  link: 0,   // 8
});

/** struct tern_pool_slot: its size, and the offset of each field, in bytes. */
export const POOL_SLOT = Object.freeze({
  size: 16,
  word: 0,   // 8
  link: 8,   // 8
});

/** struct tern_triple_shared: its size, and the offset of each field, in bytes. */
export const TRIPLE_SHARED = Object.freeze({
  size: 384,
  magic: 0,   // 4
  geometry: 8,   // 24
  word: 128,   // 4
  writerClosed: 256,   // 4
  readerClosed: 260,   // 4
});

/** struct tern_triple_geometry: its size, and the offset of each field, in bytes. */
export const TRIPLE_GEOMETRY = Object.freeze({
  size: 24,
  layoutVersion: 0,   // 4
  bufferSizeBytes: 4,   // 4
  totalSizeBytes: 8,   // 8
  strideBytes: 16,   // 4
  check: 20,   // 4
});

/** struct tern_triple_buffer: its size, and the offset of each field, in bytes. */
export const TRIPLE_BUFFER = Object.freeze({
  size: 64,
  frame: 0,   // 8
});

/** struct tern_bell_shared: its size, and the offset of each field, in bytes. */
export const BELL_SHARED = Object.freeze({
  size: 256,
  magic: 0,   // 4
  geometry: 8,   // 32
  root: 128,   // 128
});

/** struct tern_bell_geometry: its size, and the offset of each field, in bytes. */
export const BELL_GEOMETRY = Object.freeze({
  size: 32,
  layoutVersion: 0,   // 4
  sources: 4,   // 4
  leaves: 8,   // 4
  rootShift: 12,   // 4
  totalSizeBytes: 16,   // 8
  reserved: 24,   // 4
  check: 28,   // 4
});

/** struct tern_bell_root: its size, and the offset of each field, in bytes. */
export const BELL_ROOT = Object.freeze({
  size: 128,
  word: 0,   // 4
  closed: 4,   // 4
});

/** struct tern_stream_header: its size, and the offset of each field, in bytes. */
export const STREAM_HEADER = Object.freeze({
  size: 8,
  lengthBytes: 0,   // 4
  kind: 4,   // 4
});

export const LAYOUT_VERSION = 1;
export const ALIGNMENT = 64;
export const SEPARATION = 128;
export const PAGE_BYTES = 4096;
export const SPIN_CHECKS = 1000;
export const DOMAIN_WORKER = 0;
export const DOMAIN_MAIN = 1;
export const DOMAIN_SERVER = 2;
export const REGION_MAGIC = 0x4e524554;
export const NAME_BYTES = 32;
export const REGION_DEFAULT_OBJECTS = 64;
export const REGION_DEFAULT_PEERS = 64;
export const REGION_MAX_OBJECTS = 65536;
export const REGION_MAX_PEERS = 65534;
export const TYPE_RING = 1;
export const TYPE_STREAM = 2;
export const TYPE_TRIPLE = 3;
export const TYPE_POOL = 4;
export const TYPE_BELL = 5;
export const TYPE_MESH = 6;
export const HEAP_ENTRY_BITS = 24;
export const ENTRY_FORMATTING = 0;
export const ENTRY_READY = 1;
export const ENTRY_FAILED = 2;
export const ROLE_PRODUCER = 0;
export const ROLE_CONSUMER = 1;
export const ROLE_COLLECTOR = 2;
export const ROLE_DEAD = 65535;
export const PEER_FREE = 0;
export const PEER_JOINING = 1;
export const PEER_ATTACHED = 2;
export const PEER_BURYING = 3;
export const PEER_HOLDS = 56;
export const PEER_PINS = 48;
export const RING_MAGIC = 0x474e5254;
export const RING_MAX_CAPACITY_ITEMS = 0x40000000;
export const RING_DEFAULT_CAPACITY_ITEMS = 1024;
export const RING_WAITABLE = 1;
export const RING_SEQUENCED = 2;
export const RING_PAGED = 4;
export const RING_CONSUMER_PAGE_OFFSET_BYTES = 4096;
export const RING_SLEEP = 1;
export const RING_INDEX_MASK = 0x7fffffff;
export const STREAM_MAGIC = 0x52545354;
export const STREAM_MIN_CAPACITY_BYTES = 16;
export const STREAM_MAX_CAPACITY_BYTES = 0x200000000;
export const STREAM_DEFAULT_CAPACITY_BYTES = 65536;
export const STREAM_MAX_RECORD_BYTES = 0xfffffff8;
export const STREAM_UNIT_BYTES = 8;
export const STREAM_PADDING = 0xffffffff;
export const TRIPLE_MAGIC = 0x504c5254;
export const TRIPLE_MAX_BUFFER_BYTES = 0x40000000;
export const TRIPLE_READY_SHIFT = 2;
export const TRIPLE_FRONT_SHIFT = 4;
export const TRIPLE_INDEX_MASK = 3;
export const TRIPLE_FRESH = 64;
export const TRIPLE_SLEEP = 128;
export const TRIPLE_FRAME_SHIFT = 8;
export const TRIPLE_START = 36;
export const POOL_MAGIC = 0x4c4f5054;
export const POOL_MAX_CAPACITY_ITEMS = 0x00fffffe;
export const POOL_MAX_ITEM_SIZE_BYTES = 0x40000000;
export const POOL_DEFAULT_CAPACITY_ITEMS = 1024;
export const POOL_MAX_PINS = 0x3ffffffe;
export const POOL_STATE_SHIFT = 30;
export const POOL_PINS_MASK = 0x3fffffff;
export const POOL_FREE = 0;
export const POOL_LIVE = 1;
export const POOL_DYING = 2;
export const POOL_RETIRED = 3;
export const POOL_LAST_GENERATION = 0xfffffffe;
export const POOL_INDEX_BITS = 24;
export const POOL_NO_INDEX = 0x00ffffff;
export const POOL_HELD = 1;
export const BELL_MAGIC = 0x4c454254;
export const BELL_FLAT_SOURCES = 31;
export const BELL_MAX_SOURCES = 65536;
export const BELL_SLEEP = 0x80000000;
export const BELL_LEAF_SOURCES = 32;

/** The statuses of C, by their names without TERN_. Failures are negative. */
export const STATUS = Object.freeze({
  DEFERRED: 1,
  OK: 0,
  ERR_ARGUMENT: -1,
  ERR_ALIGNMENT: -2,
  ERR_MEMORY: -3,
  ERR_NOT_READY: -4,
  ERR_VERSION: -5,
  ERR_CORRUPT: -6,
  ERR_MISMATCH: -7,
  ERR_STATE: -8,
  ERR_CLOSED: -9,
  ERR_TIMEOUT: -10,
  ERR_UNSUPPORTED: -11,
  ERR_EXISTS: -12,
  ERR_NOT_FOUND: -13,
  ERR_FULL: -14,
  ERR_NO_SPACE: -15,
  ERR_ACCESS: -16,
  ERR_BUSY: -17,
  ERR_STALE: -18,
  ERR_PEER_DEAD: -19,
  ERR_SESSION: -20,
  ERR_DOMAIN: -21,
  ERR_SYSTEM: -22,
});

/** What each status means, as C's tern_status_text() says it. @type {Record<number, string>} */
export const STATUS_TEXT = Object.freeze({
  [1]: 'done, takes effect later',
  [0]: 'success',
  [-1]: 'a parameter is out of its documented range',
  [-2]: 'memory is not aligned to 64 bytes',
  [-3]: 'memory or file is smaller than the object needs (too short or truncated)',
  [-4]: 'still being formatted by another thread or process; try again',
  [-5]: 'made by another layout version of Tern; rebuild both programs with the same one',
  [-6]: 'not a valid Tern object, or its bytes were damaged',
  [-7]: 'it exists with another type, item size, capacity or flags',
  [-8]: 'the call does not fit the state of the object',
  [-9]: 'the other side has closed',
  [-10]: 'the time given has passed',
  [-11]: 'not supported by this build, platform or object',
  [-12]: 'the name exists already',
  [-13]: 'no such name',
  [-14]: 'no room left in the region or its directory',
  [-15]: 'no shared memory left on this system (is /dev/shm full?)',
  [-16]: 'permission denied, or a descriptor that is not sealed against shrinking',
  [-17]: 'the role is held by a live peer',
  [-18]: 'the handle is stale',
  [-19]: 'the peer has died',
  [-20]: 'the region belongs to another session',
  [-21]: 'not allowed in this domain',
  [-22]: 'a system call failed; errno says why',
});
