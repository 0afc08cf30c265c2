/* SPDX-License-Identifier: MIT */
/* ring_fixture.h: a ring of either layout with both its ends, and a comparison of its whole shared
 * state with a model that the tests keep beside it. */
#ifndef TERN_RING_FIXTURE_H
#define TERN_RING_FIXTURE_H

#include "unit.h"

typedef struct { uint32_t a, b; } pair;
TERN_RING_DEFINE(pair_ring, pair)

enum { CAPACITY = 4, MODEL_BYTES = 64 * 320 };

/* Every combination of the flags that there is: a paged ring is not waitable. */
static const uint32_t kinds[] = { 0, TERN_RING_WAITABLE, TERN_RING_SEQUENCED, TERN_RING_WAITABLE | TERN_RING_SEQUENCED,
                                  TERN_RING_PAGED, TERN_RING_PAGED | TERN_RING_SEQUENCED };
#define EACH_KIND(flags) uint32_t kind_ = 0, flags = 0; \
    kind_ < sizeof kinds / sizeof *kinds && (flags = kinds[kind_], true); kind_++

struct fixture {
    tern_ring_desc desc;
    size_t size;
    struct tern_ring_shared *shared;
    tern_ring_producer p;
    tern_ring_consumer c;
    uint32_t capacity, item_size, slot_size;
    bool sequenced;
    struct tern_ring_end *ends;           /* as documented: where the producer's and the consumer's lie */
    unsigned char *items;
    unsigned char model[MODEL_BYTES];     /* the bytes of the slots as they must be */
};

/* As documented: the smallest of 8, 16, 32 and the multiples of 64 that holds item and sequence. */
static inline uint32_t sequenced_slot_size(uint32_t item_size)
{
    uint32_t size = 8;
    while (size < item_size + 4) size += size < 64 ? size : 64;
    return size;
}

/* Where the slot of an index begins. */
static inline size_t slot_offset(const struct fixture *f, uint32_t index)
{
    return (size_t)(index % f->capacity) * f->slot_size;
}

/* The sequence of the slot that the item of this index goes to. */
static inline tern_a32 *sequence_of(const struct fixture *f, uint32_t index)
{
    return (tern_a32 *)(void *)(f->items + slot_offset(f, index) + f->slot_size - 4);
}

/* ---- The model ------------------------------------------------------------------ */

static inline void model_sequence(struct fixture *f, uint32_t index, uint32_t word)
{
    memcpy(f->model + slot_offset(f, index) + f->slot_size - 4, &word, 4);
}

/* An item was published: its bytes, and in a sequenced ring its sequence. */
static inline void set_slot(struct fixture *f, uint32_t index, const void *item)
{
    memcpy(f->model + slot_offset(f, index), item, f->item_size);
    if (f->sequenced) model_sequence(f, index, (index + 1) << 1);
}

/* The word by which the consumer learns of the item of this index, and that it sleeps on. */
static inline tern_a32 *item_word(const struct fixture *f, uint32_t index)
{
    return f->sequenced ? sequence_of(f, index) : &f->ends[0].word;
}

/* As if `start` items had gone through: the sequences are those of the lap before. */
static inline void begin_at(struct fixture *f, uint32_t start)
{
    tern_a32_store_relaxed(&f->ends[0].word, start << 1);
    tern_a32_store_relaxed(&f->ends[1].word, start << 1);
    for (uint32_t i = start; f->sequenced && i != start + f->capacity; i++) {
        uint32_t word = (i + 1 - f->capacity) << 1;
        tern_a32_store_relaxed(sequence_of(f, i), word);
        if ((size_t)f->capacity * f->slot_size <= MODEL_BYTES) model_sequence(f, i, word);
    }
}

static inline void attach(struct fixture *f)
{
    assert_status(tern_ring_attach_producer(&f->p, f->shared, f->size), TERN_OK);
    assert_status(tern_ring_attach_consumer(&f->c, f->shared, f->size), TERN_OK);
}

/* Where things lie, as documented. */
static inline void lay_out(struct fixture *f, unsigned char *memory)
{
    bool paged = (f->desc.flags & TERN_RING_PAGED) != 0;
    f->shared = (struct tern_ring_shared *)(void *)memory;
    f->ends = (struct tern_ring_end *)(void *)(memory + (paged ? 4096 - 128 : 128));
    f->items = memory + (paged ? 8192 : 384);
}

static inline struct fixture make(uint32_t item_size, uint32_t capacity, uint32_t flags, uint32_t start)
{
    struct fixture f;
    memset(&f, 0, sizeof f);
    f.desc = (tern_ring_desc){ item_size, capacity, flags };
    f.capacity = capacity;
    f.item_size = item_size;
    f.sequenced = (flags & TERN_RING_SEQUENCED) != 0;
    f.slot_size = f.sequenced ? sequenced_slot_size(item_size) : item_size;
    f.size = tern_ring_size(&f.desc);
    size_t items_size = (size_t)f.slot_size * capacity;
    bool paged = (flags & TERN_RING_PAGED) != 0;
    assert_int_equal(f.size, paged ? 8192 + (items_size + 4095) / 4096 * 4096 : 384 + items_size);
    lay_out(&f, unit_memory_at(paged ? 4096 : 128, f.size));
    assert_status(tern_ring_format(f.shared, f.size, &f.desc), TERN_OK);
    begin_at(&f, start);
    attach(&f);
    return f;
}

static inline void drop(struct fixture *f)
{
    tern_ring_detach_producer(&f->p);
    tern_ring_detach_consumer(&f->c);
    free(f->shared);
}

/* A copy of both ends that counts on from just below 2^32, as a view does; the words hold 31 bits. */
static inline void count_from(struct fixture *f, uint32_t start)
{
    begin_at(f, start);
    f->p.tail = f->p.limit = start;
    f->c.head = f->c.limit = f->c.released = start;
}

/* ---- The whole shared state ------------------------------------------------------- */

static inline void expect_end(const struct tern_ring_end *end, uint32_t word, bool closed)
{
    assert_int_equal(tern_a32_load_relaxed(&end->word), word);
    assert_int_equal(tern_a32_load_relaxed(&end->closed), closed);
    assert_int_equal(tern_a32_load_relaxed(&end->asymmetric), 0);
    assert_int_equal(tern_a32_load_relaxed(&end->asleep), 0);
    for (size_t i = 0; i < sizeof end->pad; i++) assert_int_equal(end->pad[i], 0);
    for (size_t i = 0; i < sizeof end->pad2; i++) assert_int_equal(end->pad2[i], 0);
}

/* SLEEP in tail_word: the consumer sleeps on the word that the next item will change. */
static inline void expect(const struct fixture *f, uint32_t tail_word, uint32_t head_word, bool producer_closed,
                          bool consumer_closed)
{
    const struct tern_ring_shared *s = f->shared;
    size_t bytes = (size_t)f->capacity * f->slot_size;
    uint32_t slept_on = 0;
    assert_int_equal(tern_a32_load_relaxed(&s->magic), TERN_RING_MAGIC);
    assert_int_equal(s->reserved, 0);
    assert_int_equal(s->geometry.layout_version, TERN_LAYOUT_VERSION);
    assert_int_equal(s->geometry.item_size_bytes, f->item_size);
    assert_int_equal(s->geometry.capacity_items, f->capacity);
    assert_int_equal(s->geometry.flags, f->desc.flags);
    assert_int_equal(s->geometry.total_size_bytes, f->size);
    assert_int_equal(s->geometry.slot_size_bytes, f->slot_size);
    for (size_t i = 0; i < sizeof s->pad; i++) assert_int_equal(s->pad[i], 0);
    if (f->sequenced && tail_word & TERN__RING_SLEEP) {
        tail_word &= ~TERN__RING_SLEEP;
        slept_on = f->slot_size;
    }
    expect_end(&f->ends[0], tail_word, producer_closed);
    expect_end(&f->ends[1], head_word, consumer_closed);
    if (bytes > sizeof f->model) return;
    const unsigned char *slots = f->items;
    if (slept_on == 0) {
        assert_memory_equal(slots, f->model, bytes);
        return;
    }
    size_t at = slot_offset(f, tail_word >> 1) + f->slot_size - 4;
    uint32_t model, word = tern_a32_load_relaxed(sequence_of(f, tail_word >> 1));
    memcpy(&model, f->model + at, 4);
    assert_int_equal(word, model | TERN__RING_SLEEP);
    assert_memory_equal(slots, f->model, at);
    assert_memory_equal(slots + at + 4, f->model + at + 4, bytes - at - 4);
}

#endif
