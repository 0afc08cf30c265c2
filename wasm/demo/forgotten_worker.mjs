// SPDX-License-Identifier: MIT
// The same worker; the development server sends it without Cross-Origin-Embedder-Policy, as a forgetful host would.
postMessage('running');
