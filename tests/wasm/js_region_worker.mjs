// SPDX-License-Identifier: MIT
// js_region_worker.mjs: a thread of js_region_race.test.mjs, which uses a region by C's calls or by the package's.
import { parentPort, workerData } from 'node:worker_threads';
import { ROLE_PRODUCER, TYPE_RING } from '../../wasm/src/layout.mjs';
import { Pool, Region, Ring } from '../../wasm/src/index.mjs';
import { Role } from '../../wasm/src/region_peers.mjs';
import { instantiate } from './instance.mjs';
import { CPeer, JsPeer, Random, attempt, sizeOf } from './region_actors.mjs';

const { module, memory, place, area, kind, seed } = workerData;
const random = new Random(seed);
const tern = instantiate(module, memory, place);
const heap = {
  at: area,
  take(bytes, alignment = 128) {
    const at = Math.ceil(this.at / alignment) * alignment;
    this.at = at + bytes;
    return at;
  },
};
const BUSY = -17;
const NOT_READY = -4;
const EXISTS = -12;
const PEER_DEAD = -19;
const FULL = -14;

const newPeer = (at, size) =>
  kind === 'C' ? new CPeer({ tern, memory, heap }, at, size) : new JsPeer({ memory }, at);

const expect = (is, text) => { if (!is) throw new Error(`${kind}: ${text}`); };

/** Meet the other thread, so that both begin at once. */
function meet(words) {
  Atomics.add(words, 0, 1);
  while (Atomics.load(words, 0) % 2 !== 0) Atomics.wait(words, 0, Atomics.load(words, 0), 1);
}

const tasks = {
  /** Add all names, or find that they are there. */
  add({ at, size, names, words }) {
    const peer = newPeer(at, size);
    const first = random.below(names.length);
    let made = 0;
    expect(peer.attach() === 0, 'attach');
    Atomics.store(words, 1, peer.number);
    meet(words);
    for (let i = 0; i < names.length; i++) {
      // from the same side as the other one, or towards it
      const number = seed % 2 ? (first + i) % names.length : i;
      const { status, claimed, offset } = peer.claim(names[number], 1, sizeOf(number));
      if (status === 0) {
        new Uint8Array(memory.buffer, at + offset, sizeOf(number)).fill(number);
        peer.publish(claimed, true);
        made++;
        continue;
      }
      expect(status === EXISTS, `claim of ${names[number]}: ${status}`);
      let found = peer.find(names[number], 1);
      while (found.status === NOT_READY) found = peer.find(names[number], 1);
      if (found.status === PEER_DEAD) continue;   // between its death and its burial
      expect(found.status === 0 && found.size === sizeOf(number), `find of ${names[number]}: ${JSON.stringify(found)}`);
      const bytes = new Uint8Array(memory.buffer, at + found.offset, found.size);
      expect(bytes.every((byte) => byte === (number & 0xff)), `what ${names[number]} holds`);
    }
    const number = peer.number;
    peer.detach();
    return { made, number };
  },

  /** Take the producer's end of the object, again and again: nobody else may have it then. */
  hold({ at, size, name, times, words, desc }) {
    const peer = newPeer(at, size);
    const view = heap.take(1024);
    let busy = 0;
    expect(peer.attach() === 0, 'attach');
    const { index } = peer.find(name, 1);
    const role = kind === 'C' ? null : new Role(peer.region.table, peer.region.reference, index, ROLE_PRODUCER);
    const open = () => (role ? attempt(() => role.take('end')).status
      : tern.tern_ring_open_producer(view, peer.view, peer.string(name), desc));
    meet(words);
    for (let held = 0; held < times;) {
      const status = open();
      if (status === BUSY) {
        if (++busy % 100 === 0) Atomics.wait(words, 3, -1, 0.05);
        continue;
      }
      expect(status === 0, `take: ${status}`);
      const was = words[2];   // plain: the end alone keeps the other one away
      for (let i = random.below(50); i > 0; i--) expect(words[2] === was, 'two have the end');
      words[2] = was + 1;
      if (role) role.release();
      else tern.tern_ring_detach_producer(view);
      held++;
    }
    peer.detach();
    return { busy };
  },

  /** Attach and detach: no two have the same slot. `owners` has a word for each. */
  join({ at, size, times, words, owners }) {
    const peer = newPeer(at, size);
    let full = 0;
    meet(words);
    for (let joined = 0; joined < times;) {
      const status = peer.attach();
      if (status === FULL) {
        full++;
        Atomics.wait(words, 3, -1, 0.05);   // the others' turn
        continue;
      }
      expect(status === 0, `attach: ${status}`);
      const { number } = peer;
      expect(Atomics.add(owners, number, 1) === 0, `two are peer ${number}`);
      Atomics.sub(owners, number, 1);
      peer.detach();
      joined++;
    }
    return { full };
  },

  /** Take, pin and free items of a pool as fast as can be, until terminated; what is live lies in `held`. */
  churn({ at, size, name, words }) {
    const peer = newPeer(at, size);
    expect(peer.attach() === 0, 'attach');
    Atomics.store(words, 1, peer.number);
    const view = heap.take(tern.test_sizeof_pool());
    const room = heap.take(16);
    if (kind === 'C') expect(tern.tern_pool_open(view, peer.view, peer.string(name), 0) === 0, 'open');
    const pool = kind === 'C' ? null : Pool.open(peer.region, name);
    const handle = () => [...new Uint32Array(memory.buffer, room, 2)];
    const verbs = kind === 'C' ? {
      alloc: () => (tern.tern_pool_alloc(view, room, room + 8) === 0 ? handle() : null),
      pin: (it) => tern.test_pool_pin(view, ...it) !== 0,
      unpin: (it) => tern.test_pool_unpin(view, ...it),
      free: (it) => tern.test_pool_free(view, ...it) >= 0,
    } : {
      alloc: () => (pool.alloc() ? [pool.index, pool.generation] : null),
      pin: (it) => pool.pin(...it) !== null,
      unpin: (it) => pool.unpin(...it),
      free: (it) => pool.free(...it),
    };
    const held = [];
    const pins = [];
    for (;;) {
      Atomics.add(words, 2, 1);
      const it = random.of(held.length ? held : [[0, 0]]);
      const choice = random.below(4);
      if (choice === 0 && held.length < 4) {
        const made = verbs.alloc();
        if (made) held.push(made);
      } else if (choice === 1 && pins.length < 3 && verbs.pin(it)) {
        pins.push(it);
      } else if (choice === 2 && pins.length > 0) {
        verbs.unpin(pins.shift());
      } else if (choice === 3 && held.length > 0) {
        expect(verbs.free(held.shift()), 'free');
      }
    }
  },

  /** Make an object, slowly, in the package: others wait for it. */
  makeSlowly({ at, name, words, ms }) {
    const region = Region.attach(memory, at);
    region.add(name, TYPE_RING, Ring.size({ itemSizeBytes: 8 }), (part) => {
      Atomics.store(words, 6, 1);
      Atomics.notify(words, 6);
      Atomics.wait(words, 7, 0, ms);
      Ring.format(part, 0, { itemSizeBytes: 8 });
    });
    region.detach();
    return {};
  },

  /** Hold an end, and wait in it for the other one; what came of it. */
  waitFor({ at, name, words }) {
    const region = Region.attach(memory, at);
    const consumer = Ring.openConsumer(region, name);
    Atomics.store(words, 1, region.peer);
    Atomics.store(words, 6, 1);
    Atomics.notify(words, 6);
    const { status } = attempt(() => consumer.popWait(new Uint8Array(8), 20000));
    consumer.detach();
    region.detach();
    return { status };
  },

  /** A liar: random words in the table, until told to stop. */
  lie({ at, table, words }) {
    const target = new Int32Array(memory.buffer, at, table / 4);
    let lies = 0;
    meet(words);
    while (Atomics.load(words, 4) === 0) {
      const value = random.of([0, 1, 2, 3, 0xffff, 0x10001, 0x10002, random.below(32), random.next()]);
      Atomics.store(target, 32 + random.below(target.length - 32), value);   // the header's geometry stays
      lies++;
    }
    return { lies };
  },
};

parentPort.on('message', ({ name, argument }) => {
  heap.at = area;
  try {
    parentPort.postMessage(tasks[name](argument));
  } catch (error) {
    parentPort.postMessage({ error: error.stack });
  }
});
parentPort.postMessage('ready');
