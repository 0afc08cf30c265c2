// SPDX-License-Identifier: MIT
// domain.mjs: what kind of thread a view is for. On 'main' nothing blocks; the others differ in nothing but the name.
import { STATUS } from './layout.mjs';
import { TernError } from './status.mjs';

/** @typedef {'worker' | 'main' | 'server'} Domain */

/** In the order of DOMAIN_* of layout.mjs. @type {Domain[]} */
const DOMAINS = ['worker', 'main', 'server'];

/** The number of a domain in shared bytes. @param {Domain} name */
export function domainNumber(name) {
  const number = DOMAINS.indexOf(name);
  if (number < 0) throw new TernError(STATUS.ERR_ARGUMENT, `a domain is 'worker', 'main' or 'server', not ${name}`);
  return number;
}

/** Its name, '' for another number. @param {number} number @returns {Domain | ''} */
export const domainName = (number) => DOMAINS[number] ?? '';
