// SPDX-License-Identifier: MIT
// A worker that says it runs.
postMessage('running');
