/* SPDX-License-Identifier: MIT */
/* peers.h: for kill_peers.c and kill_burial.c: a region in the tracer's hands, who is the survivor, and peers that
 * come to it and die. */
#ifndef TERN_KILL_PEERS_H
#define TERN_KILL_PEERS_H

#include "kill.h"

enum { MEMORY_BYTES = 16384, PEERS = 6 };

typedef struct {
    uint64_t number, check;
} thing;
TERN_RING_DEFINE(thing_ring, thing)

static const tern_ring_desc ring_desc = { sizeof(thing), 8, TERN_RING_WAITABLE };

static tern_region survivors;       /* the tracer's own */
static tern_region theirs;          /* the victim's, or a successor's */

static inline thing make_thing(uint64_t number)
{
    return (thing){ number, mix(number + 1) };
}

static inline bool is_thing(const thing *t, uint64_t number)
{
    return t->number == number && t->check == mix(number + 1);
}

static inline void make_region(void)
{
    tern_region_desc desc = { .max_objects = 4, .max_peers = PEERS };
    if (tern_shm_create(&survivors, NULL, MEMORY_BYTES, &desc) != TERN_OK) abort();
    kill_watch((unsigned char *)survivors.shared, MEMORY_BYTES);
}

static inline void close_region(void)
{
    tern_shm_close(&survivors);
}

/* What a victim or a successor does first: it becomes a peer. */
static inline void join(void)
{
    if (tern_shm_open_fd(&theirs, tern_shm_fd(&survivors), NULL) != TERN_OK) _exit(1);
}

/* Nobody but the survivor is left in the peer table, and nothing in anybody's hands. */
static inline bool all_is_buried(void)
{
    uint32_t cursor = 0;
    tern_peer_info info;
    tern_recovery report;
    KILL_TRUE(tern_peer_recover(&survivors, &report) == TERN_OK);
    KILL_TRUE(tern_peer_next(&survivors, &cursor, &info) && info.is_alive && info.peer == survivors.peer);
    KILL_TRUE(info.was_holding == 0);
    KILL_TRUE(!tern_peer_next(&survivors, &cursor, &info));
    KILL_TRUE(tern_peer_recover(&survivors, &report) == TERN_OK && report.outcome == TERN_RECOVERY_CLEAN);
    return true;
}

#endif
