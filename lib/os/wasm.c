/* SPDX-License-Identifier: MIT */
/* wasm.c: waiting in WebAssembly. Without the atomics feature nothing can block, and
 * every wait answers TERN_ERR_UNSUPPORTED at once. */
#include "os.h"

#if defined(TERN__OS_WASM)

#if defined(__wasm_atomics__)

/* A function of its own, never inlined, nothing live after the wait: the baseline compiler
 * of Node 20 loses locals that live across an inlined memory.atomic.wait32. */
TERN_NOINLINE static int wasm_wait32(int *word, int expected, long long timeout_ns)
{
    return __builtin_wasm_memory_atomic_wait32(word, expected, timeout_ns);
}

static tern_status wasm_wait(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    /* the instruction takes a signed time-out, and a negative one means for ever */
    long long limit = timeout_ns > (uint64_t)INT64_MAX ? -1 : (long long)timeout_ns;
    enum { WOKEN = 0, DIFFERENT = 1, TIMED_OUT = 2 };
    return wasm_wait32((int *)(void *)word, (int)expected, limit) == TIMED_OUT ? TERN_ERR_TIMEOUT : TERN_OK;
}

static void wasm_wake(tern_a32 *word)
{
    (void)__builtin_wasm_memory_atomic_notify((int *)(void *)word, UINT32_MAX);
}

#else

static tern_status wasm_wait(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    (void)word, (void)expected, (void)timeout_ns;
    return TERN_ERR_UNSUPPORTED;
}

static void wasm_wake(tern_a32 *word)
{
    (void)word;
}

#endif

/* wasm has no clock of its own; a wait that is interrupted starts its time-out anew */
static uint64_t wasm_now_ns(void)
{
    return 0;
}

const tern__os tern__os_wasm = { "wasm", wasm_wait, wasm_wake, wasm_now_ns,
    tern__os_barrier_register, tern__os_barrier };

#endif
