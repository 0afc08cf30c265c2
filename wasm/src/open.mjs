// SPDX-License-Identifier: MIT
// open.mjs: primitives by their names in a region, as include/tern/open.h: what their static open* calls are made of.
//
// Whoever comes first with a description makes the object; who comes later with one compares it with what is there.
// Each end has one holder at a time.
import { domainNumber } from './domain.mjs';
import { ENTRY_FORMATTING, PAGE_BYTES, REGION_ENTRY, SEPARATION, STATUS } from './layout.mjs';
import { Role } from './region_peers.mjs';
import { TernError, check } from './status.mjs';
import { canBlock, deadline, sleep } from './wait.mjs';
import { find } from './region_directory.mjs';

/** @typedef {import('./region.mjs').Region} Region */
/** @typedef {import('./region_directory.mjs').RegionObject} RegionObject */
/** @typedef {import('./memory.mjs').Memory} Memory */

/**
 * A type of object that can stand in a region: what its own calls are.
 *
 * @template D its description
 * @typedef {object} OpenType
 * @property {string} kind for errors
 * @property {number} type TYPE_*
 * @property {(desc: D) => number} size
 * @property {(desc: D) => boolean} isPaged
 * @property {(memory: Memory, desc: D) => void} format
 * @property {(memory: Memory, desc: D) => boolean} matches whether the object is as described
 */

/**
 * @typedef {object} OpenOptions
 * @property {number} [readyTimeoutMs] so long a call that may block waits for another thread that is making the object;
 *   1000. On a window's main thread it does not: see region.whenReady()
 */

/** Times that a maker may die between our two looks at its name; only a hostile peer gets that far. */
const TRIES = 100;
const READY_TIMEOUT_MS = 1000;
/** Longest sleep for a maker in C, who wakes nobody, in milliseconds. */
const NAP_MS = 1;

/**
 * Look for the object until it is ready, or the time has passed.
 *
 * @param {Region} region
 * @param {string} name
 * @param {number} type
 * @param {OpenOptions} options
 */
function findReady(region, name, type, { readyTimeoutMs = READY_TIMEOUT_MS }) {
  const { table } = region;
  const mayWait = canBlock && region.domain !== 'main' && table.memory.shared;
  const end = deadline(mayWait ? readyTimeoutMs : 0);
  for (;;) {
    const found = find(table, domainNumber(region.domain), name, type);
    if (found.status !== STATUS.ERR_NOT_READY || !found.object || performance.now() >= end) return found;
    sleep(table.words, (table.entry(found.object.index) + REGION_ENTRY.state) >>> 2, ENTRY_FORMATTING, NAP_MS);
  }
}

/** @template D @param {Region} region @param {OpenType<D>} type @param {string} name @param {D} desc */
function tryMake(region, type, name, desc) {
  const alignment = type.isPaged(desc) ? PAGE_BYTES : SEPARATION;
  const { status, object } = region.tryClaim(name, type.type, type.size(desc), alignment);
  if (object) region.finish(object, (memory) => type.format(memory, desc));
  return { status, object };
}

/**
 * Find the object, or make it if there is a description and no such name, or one whose maker died.
 *
 * @template D
 * @param {Region} region
 * @param {OpenType<D>} type
 * @param {string} name 1 to 31 bytes of UTF-8
 * @param {D | undefined} desc undefined: it must exist, whatever its size
 * @param {OpenOptions} options
 * @returns {RegionObject & { memory: Memory }} throws ERR_NOT_FOUND (no desc); ERR_NOT_READY: its maker has not
 *   finished; ERR_MISMATCH: another type or description; ERR_FULL: no room in the region; ERR_PEER_DEAD (no desc): its
 *   maker died before it had finished; ERR_ALIGNMENT: paged, in a region that begins at no page; ERR_STATE: the view
 *   only looks; ERR_DOMAIN; ERR_ARGUMENT; ERR_CORRUPT
 */
export function openObject(region, type, name, desc, options) {
  const what = `${type.kind} '${name}'`;
  void region.tableToWrite;   // throws ERR_STATE
  for (let tries = 0; tries < TRIES; tries++) {
    if (desc !== undefined) {
      const { status, object } = tryMake(region, type, name, desc);
      if (status !== STATUS.ERR_EXISTS) check(status, what);
      if (object?.memory) return /** @type {RegionObject & { memory: Memory }} */ (object);
    }
    const { status, object } = findReady(region, name, type.type, options);
    if (status === STATUS.ERR_PEER_DEAD && desc !== undefined) continue;   // it died since: take its name over
    if (status === STATUS.ERR_MISMATCH) check(status, `${what}: there is an object of type ${object?.type}`);
    check(status, status === STATUS.ERR_NOT_FOUND ? `${what}; give a description to make it` : what);
    if (!object?.memory) break;
    if (desc !== undefined && !type.matches(object.memory, desc)) {
      check(STATUS.ERR_MISMATCH, `${what} is there with another description than ${JSON.stringify(desc)}`);
    }
    return /** @type {RegionObject & { memory: Memory }} */ (object);
  }
  throw new TernError(STATUS.ERR_CORRUPT, what);
}

/**
 * Find or make the object, and take one of its ends.
 *
 * @template D
 * @template {object} V
 * @param {Region} region
 * @param {OpenType<D>} type
 * @param {string} name
 * @param {D | undefined} desc
 * @param {number} which ROLE_*
 * @param {string} end its name, for errors
 * @param {(memory: Memory) => V} attach to the object, whose memory is all of the object's place and no more
 * @param {OpenOptions} options
 * @returns {V & { recovery: import('./region_peers.mjs').Recovery }} throws as openObject(); ERR_BUSY: a live peer has
 *   the end; what attach throws
 */
export function openEnd(region, type, name, desc, which, end, attach, options) {
  const object = openObject(region, type, name, desc, options);
  const role = new Role(region.table, region.reference, object.index, which);
  const recovery = role.take(`the ${end} of ${type.kind} '${name}'`);
  try {
    return Object.assign(attach(object.memory), { role, recovery });
  } catch (error) {
    role.refuse(recovery);
    throw error;
  }
}
