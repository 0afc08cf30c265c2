// SPDX-License-Identifier: MIT
// region_peers.mjs: the peer table of a region, and the ends that peers hold; lib/peer.c in JavaScript.
//
// A peer's word counts incarnations, which makes references to it unique: whoever finds an end that names a dead
// peer may take it by compare-exchange, however late, without hitting a successor. No kernel watches over memory
// without a file, so a peer lives until it detaches or is evicted.
import {
  PEER_ATTACHED, PEER_FREE, PEER_HOLDS, PEER_JOINING, REGION_ENTRY, REGION_PEER, REGION_SHARED, ROLE_COLLECTOR,
  ROLE_DEAD, STATUS,
} from './layout.mjs';
import { domainName } from './domain.mjs';
import { processNumber } from './region_table.mjs';
import { TernError } from './status.mjs';

/** @typedef {import('./region_table.mjs').RegionTable} RegionTable */

/**
 * A report: what was wrong and what became of it.
 *
 * @typedef {object} Recovery
 * @property {'clean' | 'repaired' | 'refused'} outcome clean: nobody died here; refused: see why
 * @property {number} why STATUS: of refused: ERR_CORRUPT: the bytes make no sense; ERR_BUSY: another peer is at it,
 *   or in a call that decides, so try again
 * @property {number} peers dead peers that were buried, or of whom this end was taken over
 * @property {number} roles ends that they held
 * @property {number} pins of pools that were given back
 * @property {number} slots of pools that a dead peer was about to take or free, and that were freed
 * @property {number} names of objects that a dead peer had begun to make
 */

/**
 * A peer, for people; every value may have changed already.
 *
 * @typedef {object} PeerInfo
 * @property {number} peer its number, 1 to maxPeers
 * @property {number} process id as it saw itself, 0: none
 * @property {import('./domain.mjs').Domain | ''} domain
 * @property {boolean} isAlive
 * @property {number} wasHolding pins, and slots of pools on their way
 * @property {number} attachedMs since 1970; 0: unknown
 * @property {string} program up to 16 bytes
 */

const STATE_BITS = 0xffff;
const PROGRAM_BYTES = 16;
/** How often an attachment tries to count itself: each try that fails is another one's, or a liar's. */
const COUNT_TRIES = 1 << 20;
/** How often an end is tried: each try that fails is another's who took it from the dead and died, or a liar's. */
const TAKE_TRIES = 1 << 10;

/** @returns {Recovery} */
export const newReport = () => ({ outcome: 'clean', why: STATUS.OK, peers: 0, roles: 0, pins: 0, slots: 0, names: 0 });

/** What names a peer: its slot, and its slot's incarnation. @param {number} slot @param {number} word of the slot */
export const referenceOf = (slot, word) => ((word & ~STATE_BITS) | (slot + 1)) >>> 0;

/** @param {number} word of a slot */
export const stateOf = (word) => word & STATE_BITS;

/** @param {number} word of a slot @param {number} state */
export const withState = (word, state) => ((word & ~STATE_BITS) | state) >>> 0;

/** Whether the peer of a slot is alive, when the slot's word was this. @param {number} word */
const lives = (word) => stateOf(word) === PEER_JOINING || stateOf(word) === PEER_ATTACHED;

/**
 * Whether a word (a role's, a maker's) names a peer that is no more. 0 names nobody.
 *
 * @param {RegionTable} table
 * @param {number} reference
 */
export function isDead(table, reference) {
  if (reference === 0) return false;
  const slot = (reference & STATE_BITS) - 1;
  if (slot < 0 || slot >= table.maxPeers) return true;   // ROLE_DEAD, or no peer at all
  // [PEER-0]: all that the peer did, if it is no more
  const word = table.load(table.peer(slot) + REGION_PEER.word);
  return ((word ^ reference) >>> 16) !== 0 || !lives(word);
}

/** The number of a reference's peer; 0: nobody, or no peer of the table.
 *  @param {RegionTable} table @param {number} reference */
export function numberOf(table, reference) {
  const number = reference & STATE_BITS;
  return number <= table.maxPeers ? number : 0;
}

// ---- Joining and leaving ---------------------------------------------------------------------------------

/** Our slot: nothing in hand. @param {RegionTable} table @param {number} at of the slot */
function clear(table, at) {
  table.store(at + REGION_PEER.pinsUsed, 0);   // [POOL-7]
  table.store(at + REGION_PEER.unheld, 0);
  for (let i = 0; i < PEER_HOLDS; i++) table.storeLong(at + REGION_PEER.holds + i * 8, 0n);
}

/** Who we are and since when.
 *  @param {RegionTable} table @param {number} at @param {number} domain @param {string} program */
function writeSelf(table, at, domain, program) {
  const name = new Uint8Array(PROGRAM_BYTES);
  new TextEncoder().encodeInto(program, name);
  const halves = new DataView(name.buffer);
  table.store(at + REGION_PEER.process, processNumber());
  table.storeLong(at + REGION_PEER.attachedNs, BigInt(Date.now()) * 1000000n);
  table.storeLong(at + REGION_PEER.program, halves.getBigUint64(0, true));
  table.storeLong(at + REGION_PEER.program + 8, halves.getBigUint64(8, true));
  table.store(at + REGION_PEER.domain, domain);
}

/**
 * Take a free slot of the peer table. Lock-free, at most maxPeers steps.
 *
 * @param {RegionTable} table
 * @param {number} domain
 * @param {string} program
 * @returns {number} our reference; 0: all are taken
 */
export function join(table, domain, program) {
  for (let slot = 0; slot < table.maxPeers; slot++) {
    const at = table.peer(slot);
    const word = table.load(at + REGION_PEER.word);
    if (stateOf(word) !== PEER_FREE) continue;
    const next = (((word & ~STATE_BITS) + 0x10000) >>> 0) || 0x10000;
    // [PEER-0]: all that was done to the slot by who had it, and who buried it
    if (table.exchangeIf(at + REGION_PEER.word, word, next | PEER_JOINING) !== word) continue;
    clear(table, at);
    writeSelf(table, at, domain, program);
    // [POOL-6]: that there is one more peer to look at, before it has anything in hand
    let used = table.load(REGION_SHARED.peersUsed);
    for (let tries = COUNT_TRIES; tries > 0; tries--) {
      const was = table.exchangeIf(REGION_SHARED.peersUsed, used, Math.max(used, slot + 1));
      if (was === used) break;
      used = was;
    }
    table.store(at + REGION_PEER.word, next | PEER_ATTACHED);
    return referenceOf(slot, next);
  }
  return 0;
}

/** The attached peers, and the dead that are not buried, for people.
 *  @param {RegionTable} table @returns {PeerInfo[]} */
export function listPeers(table) {
  const list = [];
  const name = new DataView(new ArrayBuffer(PROGRAM_BYTES));
  for (let slot = 0; slot < table.maxPeers; slot++) {
    const at = table.peer(slot);
    const word = table.load(at + REGION_PEER.word);
    if (stateOf(word) === PEER_FREE) continue;
    let wasHolding = 0;
    for (let i = 0; i < PEER_HOLDS; i++) if (table.loadLong(at + REGION_PEER.holds + i * 8) !== 0n) wasHolding++;
    name.setBigUint64(0, table.loadLong(at + REGION_PEER.program), true);
    name.setBigUint64(8, table.loadLong(at + REGION_PEER.program + 8), true);
    list.push({
      peer: slot + 1,
      process: table.load(at + REGION_PEER.process),
      domain: domainName(table.load(at + REGION_PEER.domain)),
      isAlive: lives(word),
      wasHolding,
      attachedMs: Number(table.loadLong(at + REGION_PEER.attachedNs) / 1000n) / 1e3,   // ns pass 2^53
      program: new TextDecoder().decode(name).replace(/\0.*$/su, ''),
    });
  }
  return list;
}

// ---- Roles ---------------------------------------------------------------------------------------------------

/** An end of an object in a region: who has it, and whether the other end died. Views that were opened by their
 *  name have one, as `view.role`. */
export class Role {
  /**
   * @param {RegionTable} table
   * @param {number} reference of our peer
   * @param {number} index of the directory entry
   * @param {number} which ROLE_*
   */
  constructor(table, reference, index, which) {
    const words = table.entry(index) + REGION_ENTRY.roles;
    /** @private */
    this.table = table;
    /** @private */
    this.reference = reference;
    /** @private */
    this.own = words + 4 * (which & 1);
    /** @private */
    this.other = words + 4 * (which & 1 ^ 1);
    /** A bell has no other end: any peer may ring. @private */
    this.ofAny = which === ROLE_COLLECTOR;
    /** Whether the end is ours; a bell's collector takes it when it first waits. */
    this.isTaken = false;
  }

  /**
   * Take the end, if nobody or a dead peer has it. Lock-free.
   *
   * @param {string} what the end's name, for the error
   * @returns {Recovery} repaired: a predecessor died
   */
  take(what) {
    let holder = this.table.load(this.own);
    for (let tries = TAKE_TRIES; tries > 0; tries--) {
      if (holder !== 0 && !isDead(this.table, holder)) {
        const peer = numberOf(this.table, holder);
        throw new TernError(STATUS.ERR_BUSY,
          `${what} is held by peer ${peer}, until that detaches or is declared dead by evict(${peer})`);
      }
      // [PEER-1]: all that a predecessor did with the end
      const was = this.table.exchangeIf(this.own, holder, this.reference);
      if (was === holder) {
        this.isTaken = true;
        return { ...newReport(), ...holder !== 0 && { outcome: 'repaired', peers: 1, roles: 1 } };
      }
      holder = was;
    }
    throw new TernError(STATUS.ERR_CORRUPT, `${what}: its holder changes all the time`);
  }

  /** Whether the end is no longer ours: its peer was evicted. Wait-free. */
  isGone() { return this.isTaken && this.table.load(this.own) !== this.reference; }

  /** Whether the other end was held by a peer that died, and nobody has taken it since; or ours is gone. Of a
   *  bell's collector: whether any peer died and is not buried yet. Wait-free. */
  otherIsDead() {
    if (this.isGone()) return true;
    if (!this.ofAny) return isDead(this.table, this.table.load(this.other));
    for (let slot = 0; slot < this.table.maxPeers; slot++) {
      const word = this.table.load(this.table.peer(slot) + REGION_PEER.word);
      if (stateOf(word) !== PEER_FREE && !lives(word)) return true;
    }
    return false;
  }

  /** Let a successor have the end: the last thing that is done with it. */
  release() { this.leave(0); }

  /** A taken end could not be attached: leave it to the next, with what is known of its predecessor.
   *  @param {Recovery} report of take() */
  refuse(report) { this.leave(report.outcome === 'clean' ? 0 : ROLE_DEAD); }

  /** @private @param {number} value */
  leave(value) {
    // [PEER-1]: all that was done with the end
    if (this.isTaken) this.table.exchangeIf(this.own, this.reference, value);
    this.isTaken = false;
  }
}

/**
 * Who has the ends of an entry: [0] producer, writer or collector, [1] consumer or reader.
 *
 * @param {RegionTable} table
 * @param {number} index
 */
export function rolesOf(table, index) {
  return [0, 1].map((which) => {
    const holder = table.load(table.entry(index) + REGION_ENTRY.roles + 4 * which);
    return { peer: numberOf(table, holder), isDead: isDead(table, holder) };
  });
}
