// SPDX-License-Identifier: MIT
// A script of another origin: whoever loads it counts that it ran.
globalThis.scriptsOfOthers = (globalThis.scriptsOfOthers ?? 0) + 1;
