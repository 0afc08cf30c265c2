/* SPDX-License-Identifier: MIT */
/* barrier.c: a memory barrier on other processors, where Linux has it (4.16): membarrier, in its
 * global expedited form, which reaches the threads of all processes that registered. */
#include "os.h"

#if defined(__linux__)
#  include <errno.h>
#  include <sys/syscall.h>
#  include <unistd.h>
#endif

#if defined(__linux__) && defined(SYS_membarrier)

/* As in linux/membarrier.h, which older systems lack; in the single header their names must not meet. */
enum { BARRIER_GLOBAL_EXPEDITED = 1 << 1, BARRIER_REGISTER_GLOBAL_EXPEDITED = 1 << 2 };

static bool barrier_command(int command)
{
    int kept = errno;
    bool done = syscall(SYS_membarrier, command, 0, 0) == 0;
    errno = kept;
    return done;
}

/* Inherited by a fork, gone after an exec; again costs next to nothing. */
bool tern__os_barrier_register(void)
{
    return barrier_command(BARRIER_REGISTER_GLOBAL_EXPEDITED);
}

bool tern__os_barrier(void)
{
    return barrier_command(BARRIER_GLOBAL_EXPEDITED);
}

#else

bool tern__os_barrier_register(void) { return false; }
bool tern__os_barrier(void) { return false; }

#endif
