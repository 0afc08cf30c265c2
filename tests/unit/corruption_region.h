/* SPDX-License-Identifier: MIT */
/* corruption_region.h: for test_corruption_region.c: the region whose words are changed, with an object of each
 * kind. One of its peers is dead and not buried: it has ends, pins, slots of a pool on their way, and a name that it
 * had begun to make. The region is a file, so that tern_shm_open() meets the same bytes. */
#ifndef TERN_CORRUPTION_REGION_H
#define TERN_CORRUPTION_REGION_H

#include "../../lib/pool_list.h"
#include "corruption.h"

static const tern_ring_desc ring_desc = { 8, 8, TERN_RING_WAITABLE };
static const tern_ring_desc sequenced_desc = { 12, 4, TERN_RING_SEQUENCED };
static const tern_stream_desc stream_desc = { 64, TERN_STREAM_WAITABLE };
static const tern_triple_desc triple_desc = { 16 };
static const tern_pool_desc pool_desc = { 8, 4 };
static const tern_bell_desc bell_desc = { 45 };

static const struct {
    const char *name;
    uint32_t type;
    const char *structure;
} objects[] = {
    { "ring", TERN_TYPE_RING, "tern_ring_shared" },
    { "sequenced", TERN_TYPE_RING, "tern_ring_shared" },
    { "stream", TERN_TYPE_STREAM, "tern_ring_shared" },
    { "triple", TERN_TYPE_TRIPLE, "tern_triple_shared" },
    { "pool", TERN_TYPE_POOL, "tern_pool_shared" },
    { "bell", TERN_TYPE_BELL, "tern_bell_shared" },
};
enum { OBJECTS = sizeof objects / sizeof *objects, MAX_OBJECTS = OBJECTS + 3, MAX_PEERS = 3, SIZE = 8192, SESSION = 5 };

static const tern_attach_desc attach_desc = { SESSION, TERN_DOMAIN_WORKER };
static char shm_name[64];
static int shm_fd;
static size_t header_end;    /* of header, directory and peer table */
static tern_region made;
static struct arena arena;

/* A peer that dies in the middle: it has ends, an item with a pin that was freed, one that is not handed out yet,
 * a slot that it took from the list, and half of a name. */
static inline void make_dead_peer(void)
{
    tern_region dead;
    tern_ring_producer p;
    tern_triple_writer w;
    tern_pool pool;
    tern_object object;
    tern_handle h[2];
    uint32_t index;
    void *item;
    assert_status(tern_region_attach(&dead, made.shared, SIZE, &attach_desc), TERN_OK);
    assert_status(tern_ring_open_producer(&p, &dead, "ring", NULL), TERN_OK);
    assert_status(tern_triple_open_writer(&w, &dead, "triple", NULL), TERN_OK);
    assert_status(tern_pool_open(&pool, &dead, "pool", NULL), TERN_OK);
    for (int i = 0; i < 2; i++) assert_status(tern_pool_alloc(&pool, &h[i], &item), TERN_OK);
    assert_non_null(tern_pool_pin(&pool, h[0]));
    assert_status(tern_pool_free(&pool, h[0]), TERN_DEFERRED);
    tern_a64 *made_hold = tern__hold_take(&pool, h[1].index), *took_hold = tern__hold_take(&pool, TERN__POOL_NO_INDEX);
    tern__hold_change(made_hold, tern__hold(TERN__HOLD_MADE, pool.object, h[1].index, h[1].generation));
    assert_status(tern__pool_take(&pool, &index, took_hold), TERN_OK);
    assert_status(tern_region_claim(&dead, "half", TERN_TYPE_MESH, 200, &object), TERN_OK);
    tern_a32_store_relaxed(&dead.peers[dead.peer - 1].word, (dead.reference & 0xffff0000u) | TERN__PEER_BURYING);
}

static inline int make_region(void **state)
{
    tern_ring_producer p;
    tern_stream_producer s;
    tern_triple_writer w;
    tern_pool pool;
    tern_bell bell;
    tern_handle h;
    void *item;
    const tern_region_desc desc = { SESSION, MAX_OBJECTS, MAX_PEERS, TERN_DOMAIN_WORKER };
    (void)state;
    snprintf(shm_name, sizeof shm_name, "unit.corruption.%d", (int)getpid());
    assert_status(tern_shm_create(&made, shm_name, SIZE, &desc), TERN_OK);
    header_end = tern_region_size(&desc);
    assert_status(tern_ring_open_producer(&p, &made, "ring", &ring_desc), TERN_OK);
    assert_true(tern_ring_push(&p, use_scratch));
    tern_ring_detach_producer(&p);
    assert_status(tern_ring_open_producer(&p, &made, "sequenced", &sequenced_desc), TERN_OK);
    assert_true(tern_ring_push(&p, use_scratch));
    assert_status(tern_stream_open_producer(&s, &made, "stream", &stream_desc), TERN_OK);
    assert_true(tern_stream_send(&s, 1, use_scratch, 9));
    tern_stream_detach_producer(&s);
    assert_status(tern_triple_open_writer(&w, &made, "triple", &triple_desc), TERN_OK);
    tern_triple_publish(&w);
    tern_triple_detach_writer(&w);
    assert_status(tern_pool_open(&pool, &made, "pool", &pool_desc), TERN_OK);
    assert_status(tern_pool_alloc(&pool, &h, &item), TERN_OK);
    assert_status(tern_bell_open(&bell, &made, "bell", &bell_desc), TERN_OK);
    assert_true(tern_bell_ring(&bell, 40));
    make_dead_peer();
    shm_fd = tern_shm_fd(&made);
    arena = arena_of(shm_fd, SIZE);
    return 0;
}

static inline int drop_region(void **state)
{
    (void)state;
    arena_drop(&arena);
    tern_shm_close(&made);
    return tern_shm_unlink(shm_name);
}

static inline void forget_name(void)
{
    tern_shm_unlink(shm_name);
}

#endif
