/* SPDX-License-Identifier: MIT */
/* guard_ring.c: the rings, in each layout and each way to publish; see guard.c. */
#define _GNU_SOURCE
#include "guard.h"

#include <sys/syscall.h>
#include <unistd.h>

struct ring {
    tern_ring_producer p;
    tern_ring_consumer c;
    void *memory;
};

static struct ring make_ring(uint32_t item_size_bytes, uint32_t flags)
{
    struct ring ring;
    const tern_ring_desc desc = { item_size_bytes, CAPACITY, flags };
    size_t size = tern_ring_size(&desc);
    ring.memory = memory_for(size);
    CHECK(tern_ring_format(ring.memory, size, &desc) == TERN_OK);
    CHECK(tern_ring_attach_producer(&ring.p, ring.memory, size) == TERN_OK);
    CHECK(tern_ring_attach_consumer(&ring.c, ring.memory, size) == TERN_OK);
    fix_pauses(&ring.c);
    return ring;
}

static void push_numbered(struct ring *ring, ring_push *push, uint64_t number)
{
    struct line item = numbered(number);
    CHECK(push(&ring->p, &item));
}

static void pop_numbered(struct ring *ring, ring_pop *pop, uint64_t number)
{
    struct line item, expected = numbered(number);
    CHECK(pop(&ring->c, &item));
    CHECK(memcmp(&item, &expected, ring->p.item_size_bytes) == 0);
}

/* Push `burst` items, then pop them, until so many have gone through. */
static void in_turns(struct ring *ring, uint64_t items, uint32_t burst, ring_push *push, ring_pop *pop)
{
    for (uint64_t first = 0; first < items; first += burst) {
        for (uint32_t i = 0; i < burst; i++) push_numbered(ring, push, first + i);
        for (uint32_t i = 0; i < burst; i++) pop_numbered(ring, pop, first + i);
    }
}

/* An end of a waitable ring may publish in another way once it has met no sleeper for long. Until
 * then, in both directions. */
static void settle(struct ring *ring)
{
    tern_ring_consumer_release_every(&ring->c, 1);
    in_turns(ring, ROUNDS * BURST, BURST, tern_ring_push, tern_ring_pop);
    tern_ring_consumer_release_every(&ring->c, BURST);
}

static void steady(uint32_t item_size_bytes, uint32_t flags, ring_push *push, ring_pop *pop)
{
    struct ring ring = make_ring(item_size_bytes, flags);
    settle(&ring);
    in_turns(&ring, ROUNDS * BURST, BURST, push, pop);
    free(ring.memory);
}

/* A waitable ring before it has settled: a new one again and again. */
static void unsettled(uint32_t flags, ring_push *push, ring_pop *pop)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct ring ring = make_ring(8, flags);
        in_turns(&ring, BURST, BURST, push, pop);
        free(ring.memory);
    }
}

/* The slow halves: each pop finds the ring as empty as it left it, each push finds it as full. */
static void looking(uint32_t flags, ring_push *push, ring_pop *pop)
{
    struct ring ring = make_ring(8, flags);
    in_turns(&ring, ROUNDS * BURST, 1, tern_ring_push, pop);
    free(ring.memory);
    ring = make_ring(8, flags);
    tern_ring_consumer_release_every(&ring.c, 1);
    for (uint64_t number = 0; number < CAPACITY; number++) push_numbered(&ring, tern_ring_push, number);
    for (uint64_t number = 0; number < ROUNDS * BURST; number++) {
        pop_numbered(&ring, tern_ring_pop, number);
        push_numbered(&ring, push, CAPACITY + number);
    }
    free(ring.memory);
}

static void belled(ring_push *push, ring_pop *pop)
{
    tern_bell bell;
    const tern_bell_desc desc = { 0 };
    void *memory = memory_for(tern_bell_size(&desc));
    CHECK(tern_bell_format(memory, tern_bell_size(&desc), &desc) == TERN_OK);
    CHECK(tern_bell_attach(&bell, memory, tern_bell_size(&desc)) == TERN_OK);
    struct ring ring = make_ring(8, TERN_RING_WAITABLE);
    CHECK(tern_ring_producer_bind(&ring.p, &bell, 3) == TERN_OK);
    settle(&ring);
    in_turns(&ring, ROUNDS * BURST, BURST, push, pop);
    CHECK(tern_bell_collect(&bell) == 1u << 3);
    free(ring.memory);
    free(memory);
}

static void runs(uint32_t flags, ring_push_run *push, ring_pop_run *pop)
{
    struct ring ring = make_ring(8, flags);
    settle(&ring);
    for (uint64_t first = 0; first < (uint64_t)ROUNDS * RUN; first += RUN) {
        CHECK(push(&ring.p, first) == RUN);
        CHECK(pop(&ring.c, first) == RUN);
    }
    free(ring.memory);
}

static void batches(uint32_t flags, ring_push_many *push, ring_pop_many *pop)
{
    struct ring ring = make_ring(8, flags);
    uint64_t items[BATCH], pushed = 0, popped = 0;
    while (pushed < ROUNDS * BURST) {
        for (uint32_t at = 0; at < BURST; at += BATCH) {
            for (uint32_t i = 0; i < BATCH; i++) items[i] = pushed++;
            CHECK(push(&ring.p, items) == BATCH);
        }
        for (uint32_t at = 0; at < BURST; at += BATCH) {
            CHECK(pop(&ring.c, items) == BATCH);
            for (uint32_t i = 0; i < BATCH; i++) CHECK(items[i] == popped++);
        }
    }
    free(ring.memory);
}

/* Spans of `want` items; the sequenced layout lends one at a time. */
static void spans(uint32_t flags, uint32_t want, ring_reserve *reserve, ring_commit *commit, ring_peek *peek,
                  ring_release *release)
{
    struct ring ring = make_ring(8, flags);
    uint64_t pushed = 0, popped = 0;
    uint32_t got;
    while (pushed < ROUNDS * BURST) {
        for (uint32_t at = 0; at < BURST; at += want) {
            uint64_t *items = reserve(&ring.p, want, &got);
            CHECK(items != NULL && got == want);
            for (uint32_t i = 0; i < want; i++) items[i] = pushed++;
            commit(&ring.p, want);
        }
        for (uint32_t at = 0; at < BURST; at += want) {
            const uint64_t *items = peek(&ring.c, want, &got);
            CHECK(items != NULL && got == want);
            for (uint32_t i = 0; i < want; i++) CHECK(items[i] == popped++);
            release(&ring.c, want);
        }
    }
    free(ring.memory);
}

/* Whether this system lets a settled waitable ring publish without a locked instruction. */
static bool have_barriers(void)
{
#if defined(SYS_membarrier) && !defined(GUARD_WITHOUT_BARRIERS)
    const long query = 0, global_expedited = 1 << 1;
    long commands = syscall(SYS_membarrier, query, 0, 0);
    return commands > 0 && (commands & global_expedited);
#else
    return false;
#endif
}

static void sequenced(uint32_t flags, bool settles)
{
    steady(8, flags, op_ring_push_8_sequenced, op_ring_pop_8_sequenced);
    steady(64, flags, op_ring_push_64_sequenced, op_ring_pop_64_sequenced);
    looking(flags, op_ring_push_8_sequenced_looking, op_ring_pop_8_sequenced_looking);
    runs(flags, op_ring_push_8_sequenced_run_256, op_ring_pop_8_sequenced_run_256);
    batches(flags, op_ring_push_many_32_sequenced, op_ring_pop_many_32_sequenced);
    spans(flags, 1, op_ring_reserve_sequenced, op_ring_commit_sequenced, op_ring_peek_sequenced,
          op_ring_release_sequenced);
    if (settles)
        steady(8, flags | TERN_RING_WAITABLE, op_ring_push_8_sequenced_waitable, op_ring_pop_8_sequenced_waitable);
}

void guard_rings(void)
{
    bool settles = have_barriers();
    steady(8, 0, op_ring_push_8, op_ring_pop_8);
    steady(64, 0, op_ring_push_64, op_ring_pop_64);
    steady(8, 0, op_ring_push_any_8, op_ring_pop_any_8);
    looking(0, op_ring_push_8_looking, op_ring_pop_8_looking);
    runs(0, op_ring_push_8_run_256, op_ring_pop_8_run_256);
    batches(0, op_ring_push_many_32, op_ring_pop_many_32);
    spans(0, BATCH, op_ring_reserve, op_ring_commit, op_ring_peek, op_ring_release);
    unsettled(TERN_RING_WAITABLE, op_ring_push_8_unsettled, op_ring_pop_8_unsettled);
    if (settles) {
        steady(8, TERN_RING_WAITABLE, op_ring_push_8_waitable, op_ring_pop_8_waitable);
        runs(TERN_RING_WAITABLE, op_ring_push_8_waitable_run_256, op_ring_pop_8_waitable_run_256);
        belled(op_ring_push_8_waitable_belled, op_ring_pop_8_waitable_belled);
    } else {
        /* for guard.py: whose names hold this are not counted here */
        puts("left out: _waitable: this system has no membarrier");
    }
    const tern_ring_desc desc = { 8, CAPACITY, 2u };   /* TERN_RING_SEQUENCED, which a library may not know yet */
    if (tern_ring_size(&desc) != 0) sequenced(desc.flags, settles);
}
