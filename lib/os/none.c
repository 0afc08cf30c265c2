/* SPDX-License-Identifier: MIT */
/* none.c: a platform that Tern does not know how to wait on. Everything that does not
 * block works; every wait answers TERN_ERR_UNSUPPORTED. */
#include "os.h"

#if defined(TERN__OS_NONE)

static tern_status none_wait(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    (void)word, (void)expected, (void)timeout_ns;
    return TERN_ERR_UNSUPPORTED;
}

static void none_wake(tern_a32 *word)
{
    (void)word;
}

static uint64_t none_now_ns(void)
{
    return 0;
}

const tern__os tern__os_none = { "none", none_wait, none_wake, none_now_ns,
    tern__os_barrier_register, tern__os_barrier };

#endif
