// SPDX-License-Identifier: MIT
// region_recover.mjs: giving back what dead peers had; lib/recover.c in JavaScript.
//
// One peer at a time buries: its turn is a word that names it, and that can be taken from the dead as a role can.
// Each step leaves the bytes such that doing it again changes nothing, and what tells of the work (a hold, a role)
// is taken away only after the work: so a burier may die anywhere, and the next one does it again.
import {
  PEER_ATTACHED, PEER_BURYING, PEER_FREE, PEER_HOLDS, REGION_ENTRY, REGION_PEER, REGION_SHARED, ROLE_DEAD, STATUS,
  TYPE_BELL,
} from './layout.mjs';
import { Bell } from './bell.mjs';
import { settle } from './pool_settle.mjs';
import { buryMaker, readyObject } from './region_directory.mjs';
import { TernError } from './status.mjs';
import { isDead, newReport, referenceOf, stateOf, withState } from './region_peers.mjs';

/** @typedef {import('./region_table.mjs').RegionTable} RegionTable */
/** @typedef {import('./region_peers.mjs').Recovery} Recovery */

// ---- What a peer has -----------------------------------------------------------------------------------------

/** @param {RegionTable} table @param {number} reference @param {boolean} isOver it died @param {Recovery} report */
function giveRoles(table, reference, isOver, report) {
  for (let i = 0; i < table.maxObjects; i++) {
    if (buryMaker(table, i, reference)) report.names++;
    for (let which = 0; which < 2; which++) {
      const role = table.entry(i) + REGION_ENTRY.roles + 4 * which;
      // [PEER-1]: all that the peer did with the end
      if (table.exchangeIf(role, reference, isOver ? ROLE_DEAD : 0) === reference) report.roles++;
    }
  }
}

/**
 * Give back what a peer has in hand, its ends, and the names that it was making. The peer is ours, or dead and ours
 * to bury.
 *
 * @param {RegionTable} table
 * @param {number} slot of the peer
 * @param {number} reference of the peer
 * @param {boolean} isOver whether it died
 * @param {Recovery} report
 * @returns {number} OK; ERR_BUSY: something stays in its hands; ERR_CORRUPT: something made no sense
 */
function giveBack(table, slot, reference, isOver, report) {
  let worst = /** @type {number} */ (STATUS.OK);
  for (let i = 0; i < PEER_HOLDS; i++) {
    const hold = table.peer(slot) + REGION_PEER.holds + i * 8;
    if (table.loadLong(hold) === 0n) continue;
    const status = settle(table, hold, report);
    if (status === STATUS.ERR_BUSY || worst === STATUS.OK) worst = status;
  }
  giveRoles(table, reference, isOver, report);
  return worst;
}

/**
 * Give back our slot, with all that we still have.
 *
 * @param {RegionTable} table
 * @param {number} reference
 */
export function leave(table, reference) {
  const slot = (reference & 0xffff) - 1;
  const at = table.peer(slot) + REGION_PEER.word;
  // otherwise somebody evicted us: then nothing is ours any more
  if (table.load(at) !== withState(reference, PEER_ATTACHED)) return;
  const left = giveBack(table, slot, reference, false, newReport()) === STATUS.ERR_BUSY;
  // what could not be decided now is left to who buries the dead
  // [PEER-0]: all that we did to the slot, and to all that we had
  table.store(at, withState(reference, left ? PEER_BURYING : PEER_FREE));
}

// ---- Burial --------------------------------------------------------------------------------------------------

/** A peer that died between a publication and its ring left nobody to say so. @param {RegionTable} table */
function ringBells(table) {
  for (let i = 0; i < table.maxObjects; i++) {
    const object = readyObject(table, i);
    if (!object?.memory || object.type !== TYPE_BELL) continue;
    try {
      Bell.ringer(object.memory).ringAll();
    } catch (error) {
      if (!(error instanceof TernError)) throw error;   // it is no bell
    }
  }
}

/** Give back what the peer of this slot had, and the slot. Called by one burier at a time. Returns a status.
 *  @param {RegionTable} table @param {number} slot @param {number} word @param {Recovery} report */
function bury(table, slot, word, report) {
  const at = table.peer(slot) + REGION_PEER.word;
  // [PEER-0]: all that the peer did
  if (table.exchangeIf(at, word, withState(word, PEER_BURYING)) !== word) return STATUS.OK;   // somebody was faster
  const status = giveBack(table, slot, referenceOf(slot, word), true, report);
  ringBells(table);   // while others can see yet that it is to be done
  if (status === STATUS.ERR_BUSY) return status;
  // [PEER-0]: an empty slot before it is free
  table.store(at, withState(word, PEER_FREE));
  report.peers++;
  return status;
}

/** Take the turn, also from a burier that died; but not from one that attaches to a file and has a lock for it.
 *  @param {RegionTable} table @param {number} reference */
function takeTurn(table, reference) {
  const holder = table.load(REGION_SHARED.burier);
  if (holder === ROLE_DEAD || (holder !== 0 && !isDead(table, holder))) return false;
  // [PEER-1]: all that was done in the last turn
  return table.exchangeIf(REGION_SHARED.burier, holder, reference) === holder;
}

/** @param {Recovery} report @param {number} status */
function note(report, status) {
  if (status !== STATUS.OK && report.why !== STATUS.ERR_BUSY) report.why = status;
}

/**
 * tern_peer_recover().
 *
 * @param {RegionTable} table
 * @param {number} reference of our peer
 */
export function recover(table, reference) {
  const report = newReport();
  let isOurTurn = false;
  for (let slot = 0; slot < table.maxPeers; slot++) {
    const word = table.load(table.peer(slot) + REGION_PEER.word);
    if (stateOf(word) === PEER_FREE || !isDead(table, referenceOf(slot, word))) continue;
    isOurTurn ||= takeTurn(table, reference);
    note(report, isOurTurn ? bury(table, slot, word, report) : STATUS.ERR_BUSY);
    if (!isOurTurn) break;
  }
  // [PEER-1]: all that we did in our turn
  if (isOurTurn) table.exchangeIf(REGION_SHARED.burier, reference, 0);
  if (report.peers !== 0) report.outcome = 'repaired';
  if (report.why !== STATUS.OK) report.outcome = 'refused';
  return report;
}

/**
 * From here on a peer is dead, and everybody's to bury.
 *
 * @param {RegionTable} table
 * @param {number} number of the peer, 1 to maxPeers
 * @returns {number} OK; ERR_NOT_FOUND; ERR_BUSY: its slot has just changed
 */
export function declareDead(table, number) {
  const at = table.peer(number - 1) + REGION_PEER.word;
  const word = table.load(at);
  if (stateOf(word) === PEER_FREE) return STATUS.ERR_NOT_FOUND;
  // [PEER-0]: all that the peer did, which our caller knows to be over
  return table.exchangeIf(at, word, withState(word, PEER_BURYING)) === word ? STATUS.OK : STATUS.ERR_BUSY;
}
