/* SPDX-License-Identifier: MIT */
/* self.c: who we are and when, for people who look at a region. Nothing is decided by it. */
#include "os.h"

#if defined(__linux__)

#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

void tern__os_self(uint32_t *process, uint64_t *now_ns, char program[16])
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);   /* for people: milliseconds will do */
    *now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    *process = (uint32_t)getpid();
    tern__memset(program, 0, 16);
    (void)prctl(PR_GET_NAME, program, 0, 0, 0);
}

#else

void tern__os_self(uint32_t *process, uint64_t *now_ns, char program[16])
{
    *process = 0;
    *now_ns = 0;
    tern__memset(program, 0, 16);
}

#endif
