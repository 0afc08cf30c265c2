/* SPDX-License-Identifier: MIT */
/* tern.c: the whole implementation as one translation unit. tools/amalgamate takes its list of
 * files and their order from here; the wasm modules are compiled from it. Platform files empty
 * themselves where they do not apply. */
#include "base.c"
#include "wait.c"
#include "bell.c"
#include "ring.c"
#include "ring_wait.c"
#include "pool.c"
#include "rcu.c"
#include "triple.c"
#include "stream.c"
#include "region.c"
#include "layout.c"
#include "open.c"
#include "os/futex.c"
#include "os/portable.c"
#include "os/wasm.c"
#include "os/none.c"
#include "os/eventfd.c"
#include "os/barrier.c"
#include "os/shm_linux.c"
#include "os/shm_none.c"
