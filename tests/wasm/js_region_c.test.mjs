// SPDX-License-Identifier: MIT
// js_region_c.test.mjs: random orders given to three regions, whose peers are C's, the package's, and some of each:
// every answer and every byte of header, directory and peer table must be the same, also after words have been
// damaged. TERN_LONG=1: 50 times as many; TERN_SEED=n: that one alone.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Bell, Pool, Ring, Stream, Triple } from '../../wasm/src/index.mjs';
import { Heap, instantiate, loadModule, newMemory } from './instance.mjs';
import { CPeer, JsPeer, Random, attempt, firstDifference, tableBytes } from './region_actors.mjs';

const SIZES = { maxObjects: 6, maxPeers: 3 };
const HANDLES = 5;
const SIZE = 256 + 6 * 128 + 3 * 512 + 6000;
const GUARD = 256;
const NAMES = ['a', 'b', 'c', 'd', 'e', 'a name of thirty-one bytes, yes!'.slice(0, 31), 'g', 'h'];
const ROUNDS = process.env.TERN_LONG ? 10000 : 250;
const OPERATIONS = 100;

const module = loadModule('threads');
const memory = newMemory('threads');
const heap = new Heap(module, memory);
const tern = instantiate(module, memory, heap.place());
const world = { tern, memory, heap };

/** A description for the package, and C's struct of it. */
function described(js, words) {
  const at = heap.take(16, 8);
  new Uint32Array(memory.buffer, at, words.length).set(words);
  return { js, at };
}

const NO_WAIT = { readyTimeoutMs: 0 };
const RING = described({ itemSizeBytes: 8, capacityItems: 16, waitable: true }, [8, 16, 1]);
const OTHER_RING = described({ itemSizeBytes: 8, capacityItems: 32, sequenced: true }, [8, 32, 2]);
const streamDesc = (capacity, waitable) =>
  described({ capacityBytes: capacity, waitable }, [capacity, 0, waitable ? 1 : 0, 0]);   // 64 bits
const STREAMS = [streamDesc(64, true), streamDesc(128, false)];
const TRIPLES = [40, 200].map((bytes) => described({ bufferSizeBytes: bytes }, [bytes]));
const BELLS = [3, 100].map((sources) => described({ sources }, [sources]));
const POOLS = [2, 5].map((items) => described({ itemSizeBytes: 16, capacityItems: items }, [16, items]));

/** What can be opened: by C's call, and by the package's. */
const kindOf = (descs, call, detach, bytes, js) => ({ descs, call, detach, bytes, js });
const KINDS = [
  kindOf([RING, OTHER_RING], 'ring_open_producer', 'ring_detach_producer', 'producer', Ring.openProducer),
  kindOf([RING, OTHER_RING], 'ring_open_consumer', 'ring_detach_consumer', 'consumer', Ring.openConsumer),
  kindOf(STREAMS, 'stream_open_producer', 'stream_detach_producer', 'stream_producer', Stream.openProducer),
  kindOf(STREAMS, 'stream_open_consumer', 'stream_detach_consumer', 'stream_consumer', Stream.openConsumer),
  kindOf(TRIPLES, 'triple_open_writer', 'triple_detach_writer', 'triple_writer', Triple.openWriter),
  kindOf(TRIPLES, 'triple_open_reader', 'triple_detach_reader', 'triple_reader', Triple.openReader),
  kindOf(BELLS, 'bell_open', 'bell_detach', 'bell', Bell.open),
  kindOf(BELLS, 'bell_open_collector', 'bell_detach', 'bell', Bell.openCollector),
  kindOf(POOLS, 'pool_open', 'pool_detach', 'pool', Pool.open),
];
const POOL = KINDS.length - 1;

// ---- A region with its peers -------------------------------------------------------------------------------------

class Twin {
  constructor(name, kindOf) {
    this.name = name;
    this.kindOf = kindOf;
    this.guard = heap.take(GUARD);
    this.at = heap.take(SIZE);
    this.guardBehind = heap.take(GUARD);
    this.pairs = Array.from({ length: HANDLES }, () =>
      [new CPeer(world, this.at, SIZE), new JsPeer({ memory: new Uint8Array(memory.buffer, 0, this.at + SIZE) }, this.at)]);
    this.views = Array.from({ length: HANDLES * KINDS.length }, (_, i) =>
      heap.take(tern[`test_sizeof_${KINDS[i % KINDS.length].bytes}`]()));
    this.room = heap.take(16);
    this.desc = heap.take(24, 8);
  }

  begin(random) {
    new Uint8Array(memory.buffer, this.at, SIZE).fill(0);
    new Uint8Array(memory.buffer, this.guard, GUARD).fill(0x5a);
    new Uint8Array(memory.buffer, this.guardBehind, GUARD).fill(0xa5);
    const data = new DataView(memory.buffer);
    data.setBigUint64(this.desc, 0n, true);
    [SIZES.maxObjects, SIZES.maxPeers, 0].forEach((value, i) => data.setUint32(this.desc + 8 + 4 * i, value, true));
    assert.equal(tern.tern_region_format(this.at, SIZE, this.desc), 0);
    this.peers = this.pairs.map((pair) => pair[this.kindOf(random)]);
    this.isAttached = this.peers.map(() => false);
    this.claims = [];
    this.handles = [];
    this.ends = this.views.map(() => null);
  }

  isWhole() {
    return new Uint8Array(memory.buffer, this.guard, GUARD).every((byte) => byte === 0x5a)
      && new Uint8Array(memory.buffer, this.guardBehind, GUARD).every((byte) => byte === 0xa5);
  }

  /** Do what the order says; the answer, to be compared. */
  obey({ verb, handle, name, type, size, choice, isFormatted, kind, desc, word, value, domain }) {
    const peer = this.peers[handle];
    if (verb === 'damage') {
      new DataView(memory.buffer).setUint32(this.at + word, value, true);
      return null;
    }
    if (verb === 'attach') {
      if (this.isAttached[handle]) return null;
      const status = peer.attach({ domain });
      this.isAttached[handle] = status === 0;
      return { status, number: status === 0 ? peer.number : 0 };
    }
    if (!this.isAttached[handle]) return null;
    switch (verb) {
      case 'detach':
        peer.detach();
        this.isAttached[handle] = false;
        this.ends = this.ends.map((held) => (held?.handle === handle ? null : held));
        this.claims = this.claims.filter((claim) => claim.handle !== handle);
        return null;
      case 'claim': {
        const { claimed, ...answer } = peer.claim(name, type, size);
        if (claimed) this.claims.push({ handle, claimed });
        return answer;
      }
      case 'publish': {
        const own = this.claims.filter((claim) => claim.handle === handle);
        if (own.length === 0) return null;
        const claim = own[choice % own.length];
        this.claims = this.claims.filter((other) => other !== claim);
        peer.publish(claim.claimed, isFormatted);
        return null;
      }
      case 'find': return peer.find(name, type === 9 ? 0 : type);
      case 'evict': return peer.evict(choice);
      case 'recover': return peer.recover();
      case 'open': return this.open(peer, handle, kind, name, desc);
      case 'close': return this.close(peer, handle, kind);
      case 'alloc': case 'pin': case 'unpin': case 'free': return this.usePool(peer, handle, verb, choice);
      default: return assert.fail(verb);
    }
  }

  open(peer, handle, kind, name, desc) {
    const slot = handle * KINDS.length + kind;
    const { js, call, descs } = KINDS[kind];
    if (this.ends[slot]) return null;
    const opened = peer instanceof CPeer
      ? { status: tern[`tern_${call}`](this.views[slot], peer.view, peer.string(name), descs[desc]?.at ?? 0) }
      : attempt(() => js(peer.region, name, descs[desc]?.js, NO_WAIT));
    if (opened.status === 0) this.ends[slot] = { handle, ...opened };
    return opened.status;
  }

  close(peer, handle, kind) {
    const slot = handle * KINDS.length + kind;
    const held = this.ends[slot];
    this.ends[slot] = null;
    if (!held) return false;
    if (peer instanceof CPeer) tern[`tern_${KINDS[kind].detach}`](this.views[slot]);
    else held.result.detach();
    return true;
  }

  /** Handles are taken from a list that all peers put theirs into; pins may well be another's. */
  usePool(peer, handle, verb, choice) {
    const slot = handle * KINDS.length + POOL;
    const pool = this.ends[slot];
    if (!pool || (verb !== 'alloc' && this.handles.length === 0)) return null;
    const given = verb === 'alloc' ? null : this.handles[choice % this.handles.length];
    if (peer instanceof CPeer) {
      if (verb !== 'alloc') return tern[`test_pool_${verb}`](this.views[slot], ...given) | 0 ? 1 : 0;
      const status = tern.tern_pool_alloc(this.views[slot], this.room, this.room + 8);
      if (status === 0) this.handles.push([...new Uint32Array(memory.buffer, this.room, 2)]);
      return status;
    }
    const view = pool.result;
    if (verb === 'pin') return view.pin(...given) ? 1 : 0;
    if (verb === 'unpin') view.unpin(...given);
    if (verb === 'unpin') return 0;
    if (verb === 'free') return view.free(...given) && view.status === 0 ? 0 : 1;
    if (view.alloc()) this.handles.push([view.index, view.generation]);
    return view.status;
  }

  /** What each side says of it. */
  looks() {
    return this.pairs.at(-1).map((peer) => {
      if (peer.look() !== 0) return null;
      const roles = Array.from({ length: SIZES.maxObjects }, (_, index) => peer.roles(index));
      return { objects: peer.objects(), peers: peer.peers(), roles };
    });
  }
}

// ---- Orders ------------------------------------------------------------------------------------------------------

const VERBS = ['attach', 'attach', 'attach', 'detach', 'claim', 'claim', 'publish', 'publish', 'publish', 'find', 'evict',
  'recover', 'open', 'open', 'open', 'open', 'open', 'close', 'alloc', 'alloc', 'pin', 'pin', 'unpin', 'free', 'free'];
const TABLE_BYTES = 256 + SIZES.maxObjects * 128 + SIZES.maxPeers * 512;

const newOrder = (random) => ({
  verb: random.of(VERBS),
  handle: random.below(HANDLES - 1),   // the last one is for looks
  name: random.of(NAMES),
  type: random.of([1, 1, 4, 2, 9]),
  size: random.of([1, 128, 129, 1000, 3000]),
  choice: random.below(SIZES.maxPeers + 2),
  isFormatted: random.below(4) !== 0,
  kind: random.of([...KINDS.keys(), POOL, POOL]),
  desc: random.of([undefined, 0, 0, 1]),
  domain: random.of(['worker', 'main', 'server']),
});

/** A word of the table that a liar has written: anywhere but in pads. */
function newDamage(random) {
  const value = random.of([0, 1, 2, 3, 7, 0xffff, 0x10001, 0x10002, 0x20001, 0x80000000, 0xffffffff, random.next()]);
  const place = random.below(3);
  let word = 128 + 4 * random.below(6);
  if (place === 1) word = 256 + 128 * random.below(SIZES.maxObjects) + 4 * random.below(19);
  if (place === 2) word = 256 + 128 * SIZES.maxObjects + 512 * random.below(SIZES.maxPeers) + 4 * random.of([0, 0, 2, 3, 10, 16, 17, 18, 19, 126, 127]);
  return { verb: 'damage', word, value };
}

const twins = [new Twin('C', () => 0), new Twin('JavaScript', () => 1), new Twin('both', (random) => random.below(2))];

function runRound(seed, damages, tally) {
  const random = new Random(seed);
  const mix = new Random(seed ^ 0x5bd1e995);
  for (const twin of twins) twin.begin(mix);
  for (let i = 0; i < OPERATIONS; i++) {
    const order = damages && random.below(6) === 0 ? newDamage(random) : newOrder(random);
    const where = () => `seed ${seed}, order ${i}: ${JSON.stringify(order)}`;
    const answers = twins.map((twin) => twin.obey(order));
    for (const j of [1, 2]) assert.deepEqual(answers[j], answers[0], `${twins[j].name}, ${where()}`);
    const bytes = twins.map((twin) => tableBytes(memory, twin.at, SIZES));
    for (const j of [1, 2]) {
      const at = firstDifference(bytes[j], bytes[0]);
      assert.equal(at, -1, `${twins[j].name}: the byte at ${at} of ${TABLE_BYTES} is another, ${where()}`);
    }
    for (const twin of twins) assert.ok(twin.isWhole(), `${twin.name}: written beside the region, ${where()}`);
    const [byC, byJs] = twins[2].looks();
    assert.deepEqual(byJs, byC, `looks, ${where()}`);
    const status = answers[0]?.status ?? answers[0];
    for (const what of ['pins', 'slots', 'names', 'roles']) if (answers[0]?.[what] > 0) tally.add(`${order.verb} ${what}`);
    if (answers[0] !== null) tally.add(`${order.verb} ${typeof status === 'number' ? status : ''}`.trim());
  }
}

for (const damages of [false, true]) {
  test(`C and JavaScript do the same with a region, ${damages ? 'whose words are damaged' : 'in good order'}`, (t) => {
    const tally = new Set();
    const seeds = process.env.TERN_SEED ? [Number(process.env.TERN_SEED)]
      : Array.from({ length: ROUNDS }, (_, i) => i * 2654435761 + 12345 >>> 0);
    for (const seed of seeds) runRound(seed, damages, tally);
    t.diagnostic([...tally].sort().join(', '));
    if (process.env.TERN_SEED) return;
    // what must have happened in so many rounds: found, NOT_READY, MISMATCH, NOT_FOUND, EXISTS, FULL, BUSY, PEER_DEAD
    const usual = ['claim 0', 'claim -12', 'claim -14', 'claim -7', 'find 0', 'find -4', 'find -7', 'find -13',
      'find -14', 'find -19', 'open 0', 'open -4', 'open -7', 'open -13', 'open -14', 'open -17', 'open -19', 'evict 0',
      'evict -1', 'evict -13', 'attach 0', 'attach -14', 'alloc 0', 'alloc -14', 'pin 1', 'free 0', 'free 1',
      'evict pins', 'evict roles', 'evict names'];
    const damaged = ['claim -6', 'find -6', 'open -6', 'claim 0', 'find 0', 'open 0', 'evict 0', 'attach 0', 'pin 1'];
    const expected = damages ? damaged : usual;
    assert.deepEqual(expected.filter((outcome) => !tally.has(outcome)), []);
  });
}
