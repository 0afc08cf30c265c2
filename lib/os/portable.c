/* SPDX-License-Identifier: MIT */
/* portable.c: waiting with nothing but a clock and a nap. It looks at the word with
 * growing pauses, so it works between processes anywhere; waking is free, and a
 * sleeper hears of a change up to a millisecond late. */
#include "os.h"

#if defined(TERN__OS_PORTABLE)

#include <time.h>

#define TERN__NAP_FIRST_NS 2000u
#define TERN__NAP_LAST_NS 1000000u

static uint64_t portable_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static tern_status portable_wait(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    uint64_t deadline_ns = tern__deadline(timeout_ns);
    uint64_t nap_ns = TERN__NAP_FIRST_NS;
    /* relaxed: the caller loads the word again with acquire */
    while (tern_a32_load_relaxed(word) == expected) {
        uint64_t left_ns = tern__time_left(deadline_ns);
        if (left_ns == 0) return TERN_ERR_TIMEOUT;
        struct timespec nap = { 0, (long)(nap_ns < left_ns ? nap_ns : left_ns) };
        nanosleep(&nap, NULL);
        nap_ns = nap_ns * 2 < TERN__NAP_LAST_NS ? nap_ns * 2 : TERN__NAP_LAST_NS;
    }
    return TERN_OK;
}

static void portable_wake(tern_a32 *word)
{
    (void)word;
}

const tern__os tern__os_portable = { "portable", portable_wait, portable_wake, portable_now_ns,
    tern__os_barrier_register, tern__os_barrier };

#endif
