/* SPDX-License-Identifier: MIT */
/* wait.c: the public waiting calls, on top of one table of operating system functions. */
#include "os/os.h"

#if defined(TERN__OS_FUTEX) && !defined(TERN_WAIT_BACKEND_PORTABLE)
const tern__os *tern__os_current = &tern__os_futex;
#elif defined(TERN__OS_PORTABLE)
const tern__os *tern__os_current = &tern__os_portable;
#elif defined(TERN__OS_WASM)
const tern__os *tern__os_current = &tern__os_wasm;
#else
const tern__os *tern__os_current = &tern__os_none;
#endif

#if defined(TERN__OS_PORTABLE)
/* rcu.c's, for a thread that a grace period would otherwise wait for while it sleeps. */
static TERN__THREAD_LOCAL void (*wait_around_sleep)(bool asleep);

void tern__around_sleep(void (*function)(bool asleep))
{
    wait_around_sleep = function;
}
#endif

#if !defined(TERN_NONBLOCKING)
tern_status tern_word_wait(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
#if defined(TERN__OS_PORTABLE)
    if (TERN_UNLIKELY(wait_around_sleep)) {
        wait_around_sleep(true);
        tern_status status = tern__os_current->wait(word, expected, timeout_ns);
        wait_around_sleep(false);
        return status;
    }
#endif
    return tern__os_current->wait(word, expected, timeout_ns);
}
#endif

void tern_word_wake(tern_a32 *word)
{
    tern__os_current->wake(word);
}

bool tern__barrier_register(void)
{
    return tern__os_current->barrier_register();
}

bool tern__barrier_heavy(void)
{
    return tern__os_current->barrier();
}

uint64_t tern_now_ns(void)
{
    return tern__os_current->now_ns();
}

const char *tern_wait_backend(void)
{
    return tern__os_current->name;
}

/* ---- Pauses --------------------------------------------------------------------------- */

#if defined(__wasm__)
/* There is no clock to measure by. An engine makes three or four instructions of a turn of a loop that does nothing;
 * twice as long or half as long matters little. */
uint32_t tern__pause_ps(void)
{
    return 800;
}
#else

enum {
    WAIT_PAUSES = 128,         /* that are measured at once */
    WAIT_UNKNOWN_NS = 1536     /* for them where the clock stands still */
};
static tern_a32 wait_least_ns; /* for them; 0: not measured yet */

uint32_t tern__pause_ps(void)
{
    /* relaxed: a number by itself; of two threads that measure at once the later store stays */
    uint32_t least = tern_a32_load_relaxed(&wait_least_ns);
    for (int i = 0; i < 4; i++) {
        uint64_t start = tern_now_ns();
        for (uint32_t n = 0; n != WAIT_PAUSES; n++) tern_cpu_relax();
        uint64_t took = tern_now_ns() - start;
        if (took != 0 && took < UINT32_MAX / 1000 && (least == 0 || took < least)) least = (uint32_t)took;
    }
    if (least == 0) least = WAIT_UNKNOWN_NS;
    tern_a32_store_relaxed(&wait_least_ns, least);   /* relaxed: as above */
    return least * 1000 / WAIT_PAUSES;
}
#endif
