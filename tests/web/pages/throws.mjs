// SPDX-License-Identifier: MIT
// A worker script that fails as it starts.
throw new Error('on purpose');
