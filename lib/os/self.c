/* SPDX-License-Identifier: MIT */
/* self.c: who we are and when, for people who look at a region. Nothing is decided by it. */
#include "os.h"
#include "../../include/tern/role.h"

#if defined(__linux__)
#  include <sys/prctl.h>
#  include <time.h>
#  include <unistd.h>
#endif

void tern__os_self(struct tern_region_peer *peer)
{
    uint32_t process = 0;
    uint64_t now_ns = 0, name[2] = { 0, 0 };
#if defined(__linux__)
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);   /* for people: milliseconds will do */
    now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    process = (uint32_t)getpid();
    (void)prctl(PR_GET_NAME, name, 0, 0, 0);
#endif
    /* relaxed, all of these: whoever looks at the slot meanwhile sees some of each */
    tern_a32_store_relaxed(&peer->process, process);
    tern_a64_store_relaxed(&peer->attached_ns, now_ns); /* relaxed: as above */
    for (int i = 0; i < 2; i++) tern_a64_store_relaxed(&peer->program[i], name[i]); /* relaxed: as above */
}
