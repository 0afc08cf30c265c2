/* SPDX-License-Identifier: MIT */
/* peer_fixture.h: what the tests of peers share: a region, and processes that attach to it and are killed. */
#ifndef TERN_PEER_FIXTURE_H
#define TERN_PEER_FIXTURE_H

#include "unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 256 * 1024, ITEMS = 8 };

static const tern_ring_desc RING = { 8, 16, TERN_RING_WAITABLE };
static const tern_stream_desc STREAM = { 1024, TERN_STREAM_WAITABLE };
static const tern_triple_desc TRIPLE = { 64 };
static const tern_pool_desc POOL = { 24, ITEMS };
static const tern_bell_desc BELL = { 40 };

/* A child that attaches for itself, does something and stays until it is killed. It says that it is
 * through by a byte. */
typedef struct child { pid_t process; int said; } child;

static inline child start(const tern_region *parents, void (*work)(tern_region *region))
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int region_fd = tern_shm_share(parents);   /* the view's own is closed in a child */
    assert_true(region_fd >= 0);
    child c = { fork(), ends[0] };
    assert_true(c.process >= 0);
    if (c.process == 0) {
        tern_region region;
        char byte = 'n';
        if (tern_shm_open_fd(&region, region_fd, NULL) == TERN_OK) {
            work(&region);
            byte = 'y';
        }
        if (write(ends[1], &byte, 1) == 1) for (;;) pause();
        _exit(1);
    }
    close(ends[1]);
    close(region_fd);
    char byte = 0;
    assert_int_equal(read(c.said, &byte, 1), 1);
    assert_int_equal(byte, 'y');
    return c;
}

static inline void end(child c)
{
    int status;
    assert_int_equal(kill(c.process, SIGKILL), 0);
    assert_int_equal(waitpid(c.process, &status, 0), c.process);
    assert_true(WIFSIGNALED(status));
    close(c.said);
}

#define OR_DIE(condition) do { if (!(condition)) _exit(2); } while (0)

static inline void create(tern_region *region)
{
    assert_status(tern_shm_create(region, NULL, SIZE, NULL), TERN_OK);
}

static inline uint32_t peers_of(const tern_region *region, uint32_t *alive)
{
    uint32_t cursor = 0, count = 0;
    tern_peer_info info;
    *alive = 0;
    while (tern_peer_next(region, &cursor, &info)) {
        count++;
        *alive += info.is_alive;
    }
    return count;
}

static inline void push_three(tern_region *region)
{
    tern_ring_producer p;
    OR_DIE(tern_ring_open_producer(&p, region, "r", &RING) == TERN_OK);
    for (uint64_t i = 1; i <= 3; i++) OR_DIE(tern_ring_push(&p, &i));
}

#endif
