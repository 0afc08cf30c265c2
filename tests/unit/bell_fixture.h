/* SPDX-License-Identifier: MIT */
/* bell_fixture.h: a bell, a view, and its bytes as they must be. */
#ifndef TERN_BELL_FIXTURE_H
#define TERN_BELL_FIXTURE_H

#include "unit.h"

#define SLEEP 0x80000000u

struct fixture {
    size_t size;
    struct tern_bell_shared *shared;
    tern_bell bell;
    struct tern_bell_shared *image;   /* every byte as it must be; the tests write to it in step */
};

static inline uint32_t *image_root(struct fixture *f)
{
    return (uint32_t *)(void *)&f->image->root.word;
}

static inline uint32_t *image_closed(struct fixture *f)
{
    return (uint32_t *)(void *)&f->image->root.closed;
}

static inline uint32_t *image_leaf(struct fixture *f, uint32_t leaf)
{
    return (uint32_t *)(void *)(f->image + 1) + leaf;
}

static inline struct fixture make(uint32_t sources)
{
    struct fixture f;
    memset(&f, 0, sizeof f);
    tern_bell_desc desc = { sources };
    f.size = tern_bell_size(&desc);
    assert_true(f.size >= sizeof(struct tern_bell_shared));
    f.shared = unit_memory(f.size);
    f.image = unit_memory(f.size);
    memset((void *)f.shared, 0xa5, f.size);    /* format leaves nothing of what was there */
    assert_status(tern_bell_format(f.shared, f.size, &desc), TERN_OK);
    assert_status(tern_bell_attach(&f.bell, f.shared, f.size), TERN_OK);
    /* magic and geometry are compared with the description by a test; all else must be zero */
    memcpy((void *)f.image, (void *)f.shared, 8 + sizeof(struct tern_bell_geometry));
    return f;
}

static inline void drop(struct fixture *f)
{
    tern_bell_detach(&f->bell);
    free(f->shared);
    free(f->image);
}

/* The whole shared state. */
static inline void expect(const struct fixture *f)
{
    assert_memory_equal(f->shared, f->image, f->size);
}

/* The layout as the documentation tells it, not as the code computes it. */
static inline uint32_t root_shift_of(uint32_t sources)
{
    uint32_t leaves = (sources + 31) / 32, shift = 5, run = 1;
    if (sources <= 31) return 0;
    for (; 31 * run < leaves; run *= 2) shift++;
    return shift;
}

/* What ringing a source must do to the bytes. */
static inline void image_ring(struct fixture *f, uint32_t sources, uint32_t source)
{
    *image_root(f) |= 1u << (source >> root_shift_of(sources));
    if (sources > 31) *image_leaf(f, source / 32) |= 1u << source % 32;
}

#endif
