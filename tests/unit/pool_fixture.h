/* SPDX-License-Identifier: MIT */
/* pool_fixture.h: a pool, and beside it an image of all its bytes as they must be. A test tells
 * the image what should have happened, then compares every byte. */
#ifndef TERN_POOL_FIXTURE_H
#define TERN_POOL_FIXTURE_H

#include "unit.h"

enum { FREE = TERN__POOL_FREE, LIVE = TERN__POOL_LIVE, DYING = TERN__POOL_DYING, RETIRED = TERN__POOL_RETIRED };
#define NONE TERN__POOL_NO_INDEX
#define LAST TERN__POOL_LAST_GENERATION

typedef struct fixture {
    tern_pool_desc desc;
    size_t size;
    struct tern_pool_shared *shared;
    tern_pool pool;
    tern_pool image;      /* a view of the image */
} fixture;

static inline struct tern_pool_slot *slot_of(const tern_pool *pool, uint32_t index)
{
    return (struct tern_pool_slot *)(pool->first + (size_t)index * pool->stride_bytes);
}

static inline void set_word(const tern_pool *pool, uint32_t index, uint32_t generation, uint32_t state, uint32_t pins)
{
    tern_a64_store_relaxed(&slot_of(pool, index)->word, (uint64_t)generation << 32 | (uint64_t)state << 30 | pins);
}

static inline void set_link(const tern_pool *pool, uint32_t index, uint32_t next, uint64_t place)
{
    tern_a64_store_relaxed(&slot_of(pool, index)->link, place << 24 | next);
}

static inline void set_head(const tern_pool *pool, uint32_t index, uint64_t place)
{
    tern_a64_store_relaxed(&pool->shared->head.link, place << 24 | index);
}

static inline void set_tail(const tern_pool *pool, uint32_t index, uint64_t place)
{
    tern_a64_store_relaxed(&pool->shared->tail.link, place << 24 | index);
}

/* Every slot free in this generation, the list beginning at this place: as if so many items had been. */
static inline void begin_at(const tern_pool *pool, uint32_t generation, uint64_t place)
{
    for (uint32_t i = 0; i < pool->slots; i++) {
        set_word(pool, i, generation, FREE, 0);
        set_link(pool, i, i + 1 < pool->slots ? i + 1 : NONE, place + i);
    }
    set_head(pool, 0, place);
    set_tail(pool, pool->slots - 1, place + pool->capacity_items);
}

static inline fixture make(uint32_t item_size, uint32_t capacity, uint32_t generation, uint64_t place)
{
    fixture f;
    memset(&f, 0, sizeof f);
    f.desc = (tern_pool_desc){ item_size, capacity };
    f.size = tern_pool_size(&f.desc);
    assert_true(f.size >= sizeof(struct tern_pool_shared) + (size_t)(item_size + 16) * (capacity + 1));
    f.shared = unit_memory(f.size);
    assert_status(tern_pool_format(f.shared, f.size, &f.desc), TERN_OK);
    assert_status(tern_pool_attach(&f.pool, f.shared, f.size), TERN_OK);
    begin_at(&f.pool, generation, place);
    void *image = unit_memory(f.size);
    memcpy(image, f.shared, f.size);
    assert_status(tern_pool_attach(&f.image, image, f.size), TERN_OK);
    return f;
}

/* The whole shared state. */
static inline void expect(const fixture *f)
{
    assert_memory_equal(f->shared, f->image.shared, f->size);
}

static inline void drop(fixture *f)
{
    free(f->shared);
    free(f->image.shared);
}

static inline tern_handle handle_of(uint32_t index, uint32_t generation)
{
    return (tern_handle){ index, generation };
}

/* All that one can ask with a handle refuses it, and nothing changes. */
static inline void expect_refused(fixture *f, tern_handle h)
{
    uint64_t out = 77;
    assert_null(tern_pool_get(&f->pool, h));
    assert_null(tern_pool_pin(&f->pool, h));
    assert_status(tern_pool_read(&f->pool, h, &out, 4), TERN_ERR_STALE);
    assert_status(tern_pool_free(&f->pool, h), TERN_ERR_STALE);
    assert_status(tern__pool_condemn(&f->pool, h), TERN_ERR_STALE);
    assert_int_equal(out, 77);
    expect(f);
}

#endif
