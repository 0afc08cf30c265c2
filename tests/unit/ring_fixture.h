/* SPDX-License-Identifier: MIT */
/* ring_fixture.h: a ring with both its ends, and a comparison of its whole shared state. */
#ifndef TERN_RING_FIXTURE_H
#define TERN_RING_FIXTURE_H

#include "unit.h"

typedef struct { uint32_t a, b; } pair;
TERN_RING_DEFINE(pair_ring, pair)

enum { CAPACITY = 4 };

struct fixture {
    tern_ring_desc desc;
    size_t size;
    struct tern_ring_shared *shared;
    tern_ring_producer p;
    tern_ring_consumer c;
    unsigned char model[64 * 8];     /* the bytes of the slots as they must be */
};

/* The sequence of the slot that the item of this index goes to. */
static inline tern_a32 *sequence_of(struct tern_ring_shared *shared, uint32_t index)
{
    const struct tern_ring_geometry *g = &shared->geometry;
    unsigned char *slot = (unsigned char *)(shared + 1) + (size_t)(index % g->capacity_items) * g->slot_size_bytes;
    return (tern_a32 *)(void *)(slot + g->slot_size_bytes - 4);
}

static inline struct fixture make(uint32_t item_size, uint32_t capacity, uint32_t flags, uint32_t start)
{
    struct fixture f;
    memset(&f, 0, sizeof f);
    f.desc = (tern_ring_desc){ item_size, capacity, flags };
    f.size = tern_ring_size(&f.desc);
    assert_true(f.size >= sizeof(struct tern_ring_shared) + (size_t)item_size * capacity);
    f.shared = unit_memory(f.size);
    assert_status(tern_ring_format(f.shared, f.size, &f.desc), TERN_OK);
    /* as if `start` items had gone through */
    tern_a32_store_relaxed(&f.shared->producer.word, start << 1);
    tern_a32_store_relaxed(&f.shared->consumer.word, start << 1);
    for (uint32_t i = start; flags & TERN_RING_SEQUENCED && i != start + f.shared->geometry.capacity_items; i++)
        tern_a32_store_relaxed(sequence_of(f.shared, i), (i + 1 - f.shared->geometry.capacity_items) << 1);
    assert_status(tern_ring_attach_producer(&f.p, f.shared, f.size), TERN_OK);
    assert_status(tern_ring_attach_consumer(&f.c, f.shared, f.size), TERN_OK);
    return f;
}

static inline void drop(struct fixture *f)
{
    tern_ring_detach_producer(&f->p);
    tern_ring_detach_consumer(&f->c);
    free(f->shared);
}

/* The whole shared state. */
static inline void expect(const struct fixture *f, uint32_t tail_word, uint32_t head_word, bool producer_closed,
                   bool consumer_closed)
{
    const struct tern_ring_shared *s = f->shared;
    size_t items = (size_t)f->p.capacity_items * f->p.item_size_bytes;
    assert_int_equal(tern_a32_load_relaxed(&s->magic), TERN_RING_MAGIC);
    assert_int_equal(s->geometry.item_size_bytes, f->desc.item_size_bytes);
    assert_int_equal(s->geometry.capacity_items, f->p.capacity_items);
    assert_int_equal(s->geometry.flags, f->desc.flags);
    assert_int_equal(s->geometry.total_size_bytes, f->size);
    assert_int_equal(tern_a32_load_relaxed(&s->producer.word), tail_word);
    assert_int_equal(tern_a32_load_relaxed(&s->consumer.word), head_word);
    assert_int_equal(tern_a32_load_relaxed(&s->producer.closed), producer_closed);
    assert_int_equal(tern_a32_load_relaxed(&s->consumer.closed), consumer_closed);
    for (size_t i = 0; i < sizeof s->pad; i++) assert_int_equal(s->pad[i], 0);
    for (size_t i = 0; i < sizeof s->producer.pad; i++)
        assert_int_equal(s->producer.pad[i] | s->consumer.pad[i], 0);
    if (f->desc.flags & TERN_RING_SEQUENCED) return;   /* slots are compared one by one there */
    if (items <= sizeof f->model) assert_memory_equal(s + 1, f->model, items);
}

#endif
