/* SPDX-License-Identifier: MIT */
/* triple_fixture.h: a triple buffer with both its ends, and a comparison of its whole shared state. */
#ifndef TERN_TRIPLE_FIXTURE_H
#define TERN_TRIPLE_FIXTURE_H

#include "unit.h"

enum { BYTES = 200, STRIDE = 384 };      /* a frame, and a buffer: 64 + 200, rounded up to 128 */

struct fixture {
    tern_triple_desc desc;
    size_t size;
    struct tern_triple_shared *shared;
    tern_triple_writer w;
    tern_triple_reader r;
    uint64_t numbers[3];                 /* of each buffer, as they must be */
    unsigned char bytes[3];              /* each byte of each buffer, as it must be */
};

static inline struct tern_triple_buffer *buffer_of(const struct fixture *f, uint32_t index)
{
    return (struct tern_triple_buffer *)(void *)((unsigned char *)(f->shared + 1) + (size_t)index * STRIDE);
}

static inline uint32_t word_of(uint32_t back, uint32_t ready, uint32_t front, uint32_t flags, uint64_t frame)
{
    return back | ready << 2 | front << 4 | flags | (uint32_t)frame << 8;
}

static inline uint32_t word_now(const struct fixture *f)
{
    return tern_a32_load_relaxed(&f->shared->word);
}

/* As if `published` frames had gone through and all had been seen: the last one is in front. */
static inline struct fixture make(uint64_t published)
{
    struct fixture f;
    memset(&f, 0, sizeof f);
    f.desc.buffer_size_bytes = BYTES;
    f.size = tern_triple_size(&f.desc);
    assert_int_equal(f.size, 384 + 3 * STRIDE);
    f.shared = unit_memory(f.size);
    assert_status(tern_triple_format(f.shared, f.size, &f.desc), TERN_OK);
    tern_a32_store_relaxed(&f.shared->word, word_of(0, 1, 2, 0, published));
    tern_a64_store_relaxed(&buffer_of(&f, 2)->frame, published);
    assert_status(tern_triple_attach_writer(&f.w, f.shared, f.size), TERN_OK);
    assert_status(tern_triple_attach_reader(&f.r, f.shared, f.size), TERN_OK);
    f.numbers[0] = published + 1;
    f.numbers[2] = published;
    return f;
}

static inline void drop(struct fixture *f)
{
    tern_triple_detach_writer(&f->w);
    tern_triple_detach_reader(&f->r);
    free(f->shared);
}

/* The whole shared state. */
static inline void expect(const struct fixture *f, uint32_t word, bool writer_closed, bool reader_closed)
{
    const struct tern_triple_shared *s = f->shared;
    assert_int_equal(tern_a32_load_relaxed(&s->magic), TERN_TRIPLE_MAGIC);
    assert_int_equal(s->reserved, 0);
    assert_int_equal(s->geometry.layout_version, TERN_LAYOUT_VERSION);
    assert_int_equal(s->geometry.buffer_size_bytes, BYTES);
    assert_int_equal(s->geometry.stride_bytes, STRIDE);
    assert_int_equal(s->geometry.total_size_bytes, f->size);
    assert_int_equal(word_now(f), word);
    assert_int_equal(tern_a32_load_relaxed(&s->writer_closed), writer_closed);
    assert_int_equal(tern_a32_load_relaxed(&s->reader_closed), reader_closed);
    for (size_t i = 0; i < sizeof s->pad0; i++) assert_int_equal(s->pad0[i], 0);
    for (size_t i = 0; i < sizeof s->pad1; i++) assert_int_equal(s->pad1[i], 0);
    for (size_t i = 0; i < sizeof s->pad2; i++) assert_int_equal(s->pad2[i], 0);
    for (uint32_t b = 0; b < 3; b++) {
        const struct tern_triple_buffer *buffer = buffer_of(f, b);
        const unsigned char *bytes = (const unsigned char *)(buffer + 1);
        assert_true(tern_a64_load_relaxed(&buffer->frame) == f->numbers[b]);
        for (size_t i = 0; i < sizeof buffer->pad; i++) assert_int_equal(buffer->pad[i], 0);
        for (size_t i = 0; i < BYTES; i++) assert_int_equal(bytes[i], f->bytes[b]);
        for (size_t i = BYTES; i < STRIDE - 64; i++) assert_int_equal(bytes[i], 0);
    }
}

/* Fill the back buffer, which must be this one. */
static inline void fill(struct fixture *f, uint32_t buffer, unsigned char byte)
{
    assert_ptr_equal(tern_triple_back(&f->w), buffer_of(f, buffer) + 1);
    memset(tern_triple_back(&f->w), byte, BYTES);
    f->bytes[buffer] = byte;
}

/* In front is this frame, whole, of one byte throughout. */
static inline void expect_front(const struct fixture *f, uint64_t frame, unsigned char byte)
{
    const unsigned char *front = tern_triple_front(&f->r);
    assert_non_null(front);
    assert_true(tern_triple_frame(&f->r) == frame);
    for (size_t i = 0; i < BYTES; i++) assert_int_equal(front[i], byte);
}

#endif
