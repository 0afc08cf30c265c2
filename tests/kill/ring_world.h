/* SPDX-License-Identifier: MIT */
/* ring_world.h: for kill_ring.c: a ring in the tracer's hands, its kinds, the states in which a victim finds it,
 * and that all goes on afterwards. Items are numbered; the counters begin just below 2^31. */
#ifndef TERN_KILL_RING_WORLD_H
#define TERN_KILL_RING_WORLD_H

#include "kill.h"

typedef struct {
    uint64_t number, check[2];
} item;
TERN_RING_DEFINE(item_ring, item)

enum { CAPACITY = 8, MANY = 3, SLEEPER_ITEMS = 3 * CAPACITY };
static const uint32_t START = 0x7ffffffa;

typedef struct {
    const char *name;
    uint32_t flags;
    publishing how;
} ring_kind;

static const ring_kind kinds[] = {
    { "ring indexed, plain", 0, PLAIN },
    { "ring indexed, exchange", TERN_RING_WAITABLE, EXCHANGE },
    { "ring indexed, turning", TERN_RING_WAITABLE, TURNING },
    { "ring indexed, asymmetric", TERN_RING_WAITABLE, ASYMMETRIC },
    { "ring indexed, paged", TERN_RING_PAGED, PLAIN },
    { "ring sequenced, plain", TERN_RING_SEQUENCED, PLAIN },
    { "ring sequenced, exchange", TERN_RING_SEQUENCED | TERN_RING_WAITABLE, EXCHANGE },
    { "ring sequenced, turning", TERN_RING_SEQUENCED | TERN_RING_WAITABLE, TURNING },
    { "ring sequenced, asymmetric", TERN_RING_SEQUENCED | TERN_RING_WAITABLE, ASYMMETRIC },
};
static const ring_kind *kind;

static struct {
    tern_ring_desc desc;
    size_t size;
    tern_ring_producer p;
    tern_ring_consumer c;
    uint64_t pushed, popped;   /* the numbers of the next items */
    uint64_t released;         /* the item of this number and all behind it are delivered to a successor */
} w;

static inline item make_item(uint64_t number)
{
    return (item){ number, { mix(number + 1), ~number } };
}

static inline bool is_item(const item *i, uint64_t number)
{
    const item right = make_item(number);
    if (memcmp(i, &right, sizeof right) == 0) return true;
    return kill_wrong("item %llu where %llu should be%s", (unsigned long long)i->number, (unsigned long long)number,
                      i->check[0] == mix(i->number + 1) ? "" : ", and it is torn");
}

/* ---- Before the operation ------------------------------------------------------------------------- */

/* Where they turn: the next publication of either end is its last by exchange. */
static inline void turn(void)
{
    if (kind->how == TURNING) w.p.exchanges_left = w.c.exchanges_left = 1;
}

static inline void push_some(uint32_t count)
{
    for (; count > 0; count--) {
        item i = make_item(w.pushed);
        if (item_ring_push(&w.p, &i)) w.pushed++;
    }
}

static inline void pop_some(uint32_t count)
{
    item i;
    for (; count > 0; count--)
        if (item_ring_pop(&w.c, &i)) w.popped++;
}

/* As if so many items had gone through that START have when the victim comes. */
static inline void begin_at_start(void)
{
    struct tern_ring_shared *shared = (struct tern_ring_shared *)(void *)kill_memory;
    struct tern_ring_end *ends = tern__ring_ends(shared, w.desc.flags);
    uint32_t slot_size = w.desc.flags & TERN_RING_SEQUENCED ? 32 : (uint32_t)sizeof(item);
    uint32_t start = kind->how == ASYMMETRIC ? START - CAPACITY : START;
    tern_a32_store_relaxed(&ends[0].word, start << 1);
    tern_a32_store_relaxed(&ends[1].word, start << 1);
    for (uint32_t i = start; w.desc.flags & TERN_RING_SEQUENCED && i != start + CAPACITY; i++) {
        unsigned char *slot = (unsigned char *)(shared + 1) + (size_t)(i % CAPACITY) * slot_size;
        tern_a32_store_relaxed((tern_a32 *)(void *)(slot + slot_size - 4), (i + 1 - CAPACITY) << 1);
    }
}

static inline void empty_ring(void)
{
    w.desc = item_ring_desc(CAPACITY, kind->flags);
    w.size = tern_ring_size(&w.desc);
    tern_ring_format(kill_memory, w.size, &w.desc);
    begin_at_start();
    tern_ring_attach_producer(&w.p, kill_memory, w.size);
    tern_ring_attach_consumer(&w.c, kill_memory, w.size);
    w.p.spin_checks = w.c.spin_checks = 2;
    tern_ring_consumer_release_every(&w.c, 1);
    if (kind->how == ASYMMETRIC) {   /* each end's next publication is its last by exchange */
        w.p.exchanges_left = w.c.exchanges_left = 1;
        push_some(CAPACITY);
        pop_some(CAPACITY);
    }
    turn();
}

/* Two items in it; MANY more go over the end of the memory. */
static inline void ring_of_two(void)
{
    empty_ring();
    push_some(4);
    pop_some(2);
    turn();
}

/* The producer does not know yet that there is space. */
static inline void ring_to_look_at(void)
{
    empty_ring();
    push_some(CAPACITY);
    pop_some(CAPACITY - 2);
    turn();
}

static inline void full_ring(void)
{
    empty_ring();
    push_some(CAPACITY);
    turn();
}

/* Six items, the consumer releases every second one. */
static inline void lazy_ring(void)
{
    empty_ring();
    push_some(6);
    tern_ring_consumer_release_every(&w.c, 2);
    w.released = w.popped;
    turn();
}

/* One of them popped. */
static inline void lazy_ring_of_one_kept(void)
{
    lazy_ring();
    pop_some(1);
}

/* All of them popped, one not released: the next look releases it. */
static inline void lazy_ring_drained(void)
{
    empty_ring();
    push_some(1);
    tern_ring_consumer_release_every(&w.c, 2);
    w.released = w.popped;
    pop_some(1);
}

/* ---- Who is left and who comes ----------------------------------------------------------------------- */

/* Pop all there is; each must be the next one. */
static inline bool drain(tern_ring_consumer *c, uint64_t *next)
{
    item i;
    for (uint32_t count = 0; item_ring_pop(c, &i); ++*next) {
        KILL_TRUE(is_item(&i, *next));
        KILL_TRUE(++count <= CAPACITY);
    }
    return true;
}

static inline uint32_t fill(tern_ring_producer *p, uint64_t *next)
{
    uint32_t count = 0;
    for (item i = make_item(*next); item_ring_push(p, &i); i = make_item(++*next)) count++;
    return count;
}

/* All goes on: from an empty ring, the whole capacity, three times around. */
static inline bool flow(tern_ring_producer *p, tern_ring_consumer *c, uint64_t next)
{
    uint64_t pushed = next, popped = next;
    item some[CAPACITY];
    tern_ring_consumer_release_every(c, 1);
    KILL_TRUE(fill(p, &pushed) == CAPACITY);
    KILL_TRUE(drain(c, &popped) && popped == pushed);
    for (uint32_t round = 0; round < 3 * CAPACITY; round++) {
        item i = make_item(pushed);
        KILL_TRUE(item_ring_push(p, &i));
        pushed++;
        KILL_TRUE(drain(c, &popped) && popped == pushed);
    }
    for (uint32_t i = 0; i < CAPACITY; i++) some[i] = make_item(pushed + i);
    KILL_TRUE(item_ring_push_many(p, some, CAPACITY) == CAPACITY);
    KILL_TRUE(item_ring_pop_many(c, some, CAPACITY) == CAPACITY);
    for (uint32_t i = 0; i < CAPACITY; i++) KILL_TRUE(is_item(&some[i], pushed + i));
    KILL_TRUE(tern_ring_producer_status(p) == TERN_OK && tern_ring_consumer_status(c) == TERN_OK);
    return true;
}

#endif
