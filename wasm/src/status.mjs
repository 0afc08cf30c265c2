// SPDX-License-Identifier: MIT
// status.mjs: the error that every call of the package throws, by the names that C has for it.
//
//     try { consumer.popWait(item, 100); }
//     catch (error) { if (error.code !== 'TERN_ERR_TIMEOUT') throw error; }
import { STATUS, STATUS_TEXT } from './layout.mjs';

/** @type {Map<number, string>} */
const NAMES = new Map(Object.entries(STATUS).map(([name, value]) => [value, `TERN_${name}`]));

/** The name of a status as written in C; 'TERN_ERR_UNKNOWN' for other numbers. @param {number} status */
export const statusName = (status) => NAMES.get(status) ?? 'TERN_ERR_UNKNOWN';

/** What a status means, as one sentence without a full stop. @param {number} status */
export const statusText = (status) => STATUS_TEXT[status] ?? 'unknown status';

/** A failure, with C's number for it (`status`), C's name (`code`), and what was wrong in this very case. */
export class TernError extends Error {
  /**
   * @param {number} status one of STATUS, below 0
   * @param {string} detail what was wrong and what to do
   */
  constructor(status, detail) {
    super(`${statusName(status)}: ${detail} (${statusText(status)})`);
    this.name = 'TernError';
    this.status = status;
    this.code = statusName(status);
  }
}

/** Whether it was thrown because the other side has closed: the end of an iteration. @param {unknown} error */
export const isClosed = (error) => error instanceof TernError && error.status === STATUS.ERR_CLOSED;

/**
 * Throw if the status is a failure.
 *
 * @param {number} status
 * @param {string} what the call, or what it was about
 * @returns {number} the status, if it is none: OK or DEFERRED
 */
export function check(status, what) {
  if (status < 0) throw new TernError(status, what);
  return status;
}
