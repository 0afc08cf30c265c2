// SPDX-License-Identifier: MIT
// region_actors.mjs: peers of a region, by C's calls in wasm and by the package's, which answer in the same form:
// a test gives both the same orders and compares.
import { Region } from '../../wasm/src/region.mjs';
import { TernError } from '../../wasm/src/status.mjs';

export const DOMAINS = ['worker', 'main', 'server'];
const OUTCOMES = ['clean', 'repaired', 'refused'];
const NO_REPORT = { outcome: 'clean', why: 0, peers: 0, roles: 0, pins: 0, slots: 0, names: 0 };

/** The same numbers in every run of a seed (xorshift32). */
export class Random {
  constructor(seed) { this.state = seed >>> 0 || 1; }

  next() {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return this.state;
  }

  below(n) { return this.next() % n; }
  of(list) { return list[this.below(list.length)]; }
}

/** The status of a call that throws on failure, and what it returned. */
export function attempt(call) {
  try {
    return { status: 0, result: call() };
  } catch (error) {
    if (!(error instanceof TernError)) throw error;
    return { status: error.status, result: null, error };
  }
}

const placeOf = (object) => ({ index: object.index, offset: object.offsetBytes, size: object.sizeBytes });

/** A peer of the package. */
export class JsPeer {
  constructor({ memory }, at) { Object.assign(this, { memory, at, region: null, name: 'JavaScript' }); }

  attach({ session = 0n, domain = 'worker' } = {}) {
    const { status, result } = attempt(() => Region.attach(this.memory, this.at, { session, domain }));
    this.region = result;
    return status;
  }

  look() {
    const { status, result } = attempt(() => Region.look(this.memory, this.at));
    this.region = result;
    return status;
  }

  get number() { return this.region?.peer ?? 0; }

  detach() { this.region.detach(); }

  find(name, type) {
    const { status, result } = attempt(() => this.region.find(name, type));
    if (status !== 0) return { status };
    return result ? { status, type: result.type, ...placeOf(result) } : { status: -13 };
  }

  claim(name, type, size) {
    const { status, result } = attempt(() => this.region.claim(name, type, size));
    return result ? { status, ...placeOf(result), claimed: result } : { status };
  }

  publish(claimed, isFormatted) { this.region.publish(claimed, isFormatted); }

  objects() {
    return this.region.objects().map((object) => ({
      name: object.name, type: object.type, status: object.status, hasMemory: object.memory !== null,
      ...object.status === 0 ? placeOf(object) : { index: object.index },
    }));
  }

  peers() {
    return this.region.peers().map(({ peer, domain, isAlive, wasHolding }) => ({ peer, domain, isAlive, wasHolding }));
  }

  roles(index) { return this.region.roles({ index }); }

  recover() { return this.report(() => this.region.recover()); }
  evict(peer) { return this.report(() => this.region.evict(peer)); }

  report(call) {
    const { status, result } = attempt(call);
    return result ? { status: result.why, ...result } : { status, ...NO_REPORT };
  }
}

/** A peer in C: the views are C's structs in wasm memory. */
export class CPeer {
  constructor({ tern, memory, heap }, at, size) {
    Object.assign(this, { tern, memory, at, size, name: 'C' });
    this.view = heap.take(512);
    this.object = heap.take(64, 8);
    this.out = heap.take(64, 8);
    this.text = heap.take(64, 8);
    this.desc = heap.take(32, 8);
  }

  get data() { return new DataView(this.memory.buffer); }
  word(at) { return this.data.getUint32(at, true); }
  long(at) { return Number(this.data.getBigUint64(at, true)); }

  string(name) {
    const bytes = new TextEncoder().encode(name);
    const place = new Uint8Array(this.memory.buffer, this.text, 64);
    place.fill(0);
    place.set(bytes);
    return this.text;
  }

  nameAt(at) {
    const bytes = Uint8Array.from(new Uint8Array(this.memory.buffer, at, 32));
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }

  attach({ session = 0n, domain = 'worker' } = {}) {
    this.data.setBigUint64(this.desc, session, true);
    this.data.setUint32(this.desc + 8, DOMAINS.indexOf(domain), true);
    return this.tern.tern_region_attach(this.view, this.at, this.size, this.desc);
  }

  look() { return this.tern.tern_region_look(this.view, this.at, this.size); }

  get number() { return this.word(this.view + 28); }

  detach() { this.tern.tern_region_detach(this.view); }

  place() {
    const { object } = this;
    return { index: this.word(object + 36), offset: this.long(object + 40), size: this.long(object + 48) };
  }

  find(name, type) {
    const status = this.tern.tern_region_find(this.view, this.string(name), type, this.object);
    return status === 0 ? { status, type: this.word(this.object + 32), ...this.place() } : { status };
  }

  claim(name, type, size) {
    const status = this.tern.tern_region_claim(this.view, this.string(name), type, BigInt(size), this.object);
    if (status !== 0) return { status };
    const claimed = Uint8Array.from(new Uint8Array(this.memory.buffer, this.object, 64));
    return { status, ...this.place(), claimed };
  }

  publish(claimed, isFormatted) {
    new Uint8Array(this.memory.buffer, this.object, 64).set(claimed);
    this.tern.tern_region_publish(this.view, this.object, isFormatted ? 0 : -1);
  }

  objects() {
    const list = [];
    this.data.setBigUint64(this.out, 0n, true);
    while (this.tern.tern_region_next(this.view, this.out, this.object)) {
      const status = this.data.getInt32(this.object + 60, true);
      const { index, ...place } = this.place();
      list.push({
        name: this.nameAt(this.object), type: this.word(this.object + 32), status,
        hasMemory: this.word(this.object + 56) !== 0, index, ...status === 0 ? place : {},
      });
    }
    return list;
  }

  peers() {
    const list = [];
    const cursor = this.desc;
    this.data.setUint32(cursor, 0, true);
    while (this.tern.tern_peer_next(this.view, cursor, this.out)) {
      list.push({
        peer: this.word(this.out), domain: DOMAINS[this.word(this.out + 8)] ?? '',
        isAlive: this.data.getUint8(this.out + 12) !== 0, wasHolding: this.word(this.out + 16),
      });
    }
    return list;
  }

  roles(index) {
    this.data.setUint32(this.object + 36, index, true);
    this.tern.tern_peer_roles(this.view, this.object, this.out);
    return [0, 8].map((at) => ({
      peer: this.word(this.out + at), isDead: this.data.getUint8(this.out + at + 4) !== 0,
    }));
  }

  recover() { return this.report(this.tern.tern_peer_recover(this.view, this.out)); }
  evict(peer) { return this.report(this.tern.tern_peer_evict(this.view, peer, this.out)); }

  report(status) {
    const [outcome, , peers, roles, , pins, slots, names] =
      [0, 4, 8, 12, 16, 20, 24, 28].map((at) => this.word(this.out + at));
    const why = this.data.getInt32(this.out + 4, true);
    return { status, outcome: OUTCOMES[outcome], why, peers, roles, pins, slots, names };
  }
}

/** What is shared of a region before its heap, but for what tells who and when. */
export function tableBytes(memory, at, { maxObjects, maxPeers }) {
  const peers = 256 + maxObjects * 128;
  const bytes = Uint8Array.from(new Uint8Array(memory.buffer, at, peers + maxPeers * 512));
  bytes.fill(0, 44, 48);      // creator
  bytes.fill(0, 60, 64);      // the check, of the creator too
  for (let slot = 0; slot < maxPeers; slot++) {
    bytes.fill(0, peers + slot * 512 + 4, peers + slot * 512 + 8);     // process
    bytes.fill(0, peers + slot * 512 + 16, peers + slot * 512 + 40);   // since when, program
  }
  return bytes;
}

/** Where two arrays of bytes differ first; -1: nowhere. */
export function firstDifference(a, b) {
  if (a.length !== b.length) return Math.min(a.length, b.length);
  return a.findIndex((byte, i) => byte !== b[i]);
}

/** What the object with a number is to hold in tests of threads: so many bytes, each the number. */
export const sizeOf = (number) => 1 + (number * 37) % 700;
