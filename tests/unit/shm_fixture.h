/* SPDX-License-Identifier: MIT */
/* shm_fixture.h: what the tests of shared memory share: a name of one's own for each case, and
 * checks in a child process, whose answer is its exit code. */
#ifndef TERN_SHM_FIXTURE_H
#define TERN_SHM_FIXTURE_H

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char name[64], path[300];

static inline int fresh_name(void **state)
{
    static int count;
    (void)state;
    snprintf(name, sizeof name, "hazard.%d.%d", (int)getpid(), count++);
    return tern_shm_path(name, path, sizeof path);
}

static inline int forget_name(void **state)
{
    (void)state;
    unlink(path);
    rmdir(path);
    return 0;
}

#define SHM_TEST(test) cmocka_unit_test_setup_teardown(test, fresh_name, forget_name)

/* In a child: its exit code is the line that failed, modulo 255 plus 1 (cmocka's asserts would jump
 * into the parent's copy of the test). */
#define CHILD_CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "# child: line %d: %s\n", __LINE__, #condition); \
            _exit(__LINE__ % 255 + 1); \
        } \
    } while (0)

#define CHILD_STATUS(expression, expected) \
    do { \
        tern_status child_got = (expression); \
        if (child_got != (expected)) { \
            fprintf(stderr, "# child: line %d: %s is %s\n", __LINE__, #expression, tern_status_name(child_got)); \
            _exit(__LINE__ % 255 + 1); \
        } \
    } while (0)

/* Signals as a program has them that does not handle any; cmocka and the sanitizers do. */
static inline void child_default_signals(void)
{
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
}

/* How a child ended: its exit code, or 1000 + its signal. */
static inline int child_end(pid_t child)
{
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
