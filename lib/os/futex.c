/* SPDX-License-Identifier: MIT */
/* futex.c: waiting on Linux. The futex is shared, never PRIVATE: the word may lie in
 * memory of several processes at different addresses. */
#include "os.h"

#if defined(TERN__OS_FUTEX)

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* 32-bit platforms with 64-bit time have only the second name. */
#if defined(SYS_futex)
#  define TERN__SYS_FUTEX SYS_futex
#else
#  define TERN__SYS_FUTEX SYS_futex_time64
#endif

static uint64_t futex_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* FUTEX_WAIT takes a relative time-out on CLOCK_MONOTONIC. */
static tern_status futex_wait(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    struct timespec timeout;
    struct timespec *limit = NULL;
    if (timeout_ns != TERN_WAIT_FOREVER) {
        const uint64_t most_s = INT_MAX;   /* 68 years, and fits any time_t */
        uint64_t seconds = timeout_ns / 1000000000u;
        timeout.tv_sec = (time_t)(seconds > most_s ? most_s : seconds);
        timeout.tv_nsec = (long)(timeout_ns % 1000000000u);
        limit = &timeout;
    }
    int kept = errno;
    long result = syscall(TERN__SYS_FUTEX, word, FUTEX_WAIT, expected, limit, NULL, 0);
    int why = errno;
    errno = kept;
    /* EFAULT: the file behind the word was cut off since the caller looked at it; looking again is a
     * fault in the open, which tern_shm_guard() can handle */
    if (result == 0 || why == EAGAIN || why == EINTR || why == EFAULT) return TERN_OK;
    if (why == ETIMEDOUT) return TERN_ERR_TIMEOUT;
    return why == ENOSYS ? TERN_ERR_UNSUPPORTED : TERN_ERR_SYSTEM;
}

static void futex_wake(tern_a32 *word)
{
    int kept = errno;
    (void)syscall(TERN__SYS_FUTEX, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    errno = kept;
}

const tern__os tern__os_futex = { "futex", futex_wait, futex_wake, futex_now_ns,
    tern__os_barrier_register, tern__os_barrier };

#endif
