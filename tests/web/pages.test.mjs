// SPDX-License-Identifier: MIT
// pages.test.mjs: the tests of isolation in browsers, in one process: they share one Chromium and one Firefox.
import './isolation.mjs';
import './service_worker.mjs';
import './resources.mjs';
