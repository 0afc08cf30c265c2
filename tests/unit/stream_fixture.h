/* SPDX-License-Identifier: MIT */
/* stream_fixture.h: a stream with both its ends, and a comparison of its whole shared state. */
#ifndef TERN_STREAM_FIXTURE_H
#define TERN_STREAM_FIXTURE_H

#include "unit.h"

struct fixture {
    tern_stream_desc desc;
    size_t size;
    uint32_t units;                  /* capacity */
    struct tern_ring_shared *shared;
    tern_stream_producer p;
    tern_stream_consumer c;
    unsigned char model[1024];       /* the bytes of the units as they must be */
};

/* A stream through which `start` units have gone. The memory ends where the object ends. */
static inline struct fixture make(uint32_t capacity_bytes, uint32_t flags, uint32_t start)
{
    struct fixture f;
    memset(&f, 0, sizeof f);
    f.desc = (tern_stream_desc){ capacity_bytes, flags };
    f.size = tern_stream_size(&f.desc);
    f.units = capacity_bytes / 8;
    assert_int_equal(f.size, sizeof(struct tern_ring_shared) + capacity_bytes);
    assert_true(capacity_bytes <= sizeof f.model);
    f.shared = unit_memory(f.size);
    assert_status(tern_stream_format(f.shared, f.size, &f.desc), TERN_OK);
    tern_a32_store_relaxed(&f.shared->producer.word, start << 1);
    tern_a32_store_relaxed(&f.shared->consumer.word, start << 1);
    assert_status(tern_stream_attach_producer(&f.p, f.shared, f.size), TERN_OK);
    assert_status(tern_stream_attach_consumer(&f.c, f.shared, f.size), TERN_OK);
    return f;
}

static inline void drop(struct fixture *f)
{
    tern_stream_detach_producer(&f->p);
    tern_stream_detach_consumer(&f->c);
    free(f->shared);
}

static inline uint32_t units_of(uint32_t length)
{
    return 1 + length / 8 + (length % 8 != 0);
}

/* Units from a position to the end of the memory. */
static inline uint32_t whole_at(const struct fixture *f, uint32_t index)
{
    return f->units - index % f->units;
}

static inline void *unit_at(const struct fixture *f, uint32_t index)
{
    return (unsigned char *)(f->shared + 1) + (size_t)(index % f->units) * 8;
}

/* What a producer must have written at index. */
static inline void model_record(struct fixture *f, uint32_t index, uint32_t length, uint32_t kind, const void *data)
{
    unsigned char *at = f->model + (size_t)(index % f->units) * 8;
    memcpy(at, &length, 4);
    memcpy(at + 4, &kind, 4);
    if (length != TERN__STREAM_PADDING) memcpy(at + 8, data, length);
}

static inline void model_padding(struct fixture *f, uint32_t index)
{
    model_record(f, index, TERN__STREAM_PADDING, 0, NULL);
}

/* The whole shared state. */
static inline void expect(const struct fixture *f, uint32_t tail_word, uint32_t head_word, bool producer_closed,
                          bool consumer_closed)
{
    const struct tern_ring_shared *s = f->shared;
    assert_int_equal(tern_a32_load_relaxed(&s->magic), TERN_STREAM_MAGIC);
    assert_int_equal(s->geometry.layout_version, TERN_LAYOUT_VERSION);
    assert_int_equal(s->geometry.item_size_bytes, 8);
    assert_int_equal(s->geometry.capacity_items, f->units);
    assert_int_equal(s->geometry.flags, f->desc.flags);
    assert_int_equal(s->geometry.total_size_bytes, f->size);
    assert_int_equal(tern_a32_load_relaxed(&s->producer.word), tail_word);
    assert_int_equal(tern_a32_load_relaxed(&s->consumer.word), head_word);
    assert_int_equal(tern_a32_load_relaxed(&s->producer.closed), producer_closed);
    assert_int_equal(tern_a32_load_relaxed(&s->consumer.closed), consumer_closed);
    for (size_t i = 0; i < sizeof s->pad; i++) assert_int_equal(s->pad[i], 0);
    for (size_t i = 0; i < sizeof s->producer.pad; i++) assert_int_equal(s->producer.pad[i] | s->consumer.pad[i], 0);
    assert_memory_equal(s + 1, f->model, f->units * 8);
}

/* Bytes that differ from one record to the next. */
static inline void fill(unsigned char *data, uint32_t length, uint32_t seed)
{
    for (uint32_t i = 0; i < length; i++) data[i] = (unsigned char)(seed * 31 + i * 7 + 1);
}

#endif
