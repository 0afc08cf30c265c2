/* SPDX-License-Identifier: MIT */
/* operations.c: see operations.h. Nothing but the call stands in each, since all is counted. */
#include "operations.h"

TERN_RING_DEFINE(u64_ring, uint64_t)
TERN_RING_DEFINE(line_ring, struct line)

/* ---- Ring ---------------------------------------------------------------------- */

#define RING(suffix, ring) \
    bool op_ring_push_##suffix(tern_ring_producer *p, const void *item) { return ring##_push(p, item); } \
    bool op_ring_pop_##suffix(tern_ring_consumer *c, void *item) { return ring##_pop(c, item); }

RING(8, u64_ring)
RING(64, line_ring)
RING(any_8, tern_ring)   /* the size is known at run time only: the copy is a call of memcpy */
RING(8_looking, u64_ring)
RING(8_unsettled, u64_ring)
RING(8_waitable, u64_ring)
RING(8_waitable_belled, u64_ring)
RING(8_sequenced, u64_ring)
RING(64_sequenced, line_ring)
RING(8_sequenced_looking, u64_ring)
RING(8_sequenced_waitable, u64_ring)

#define RING_RUN(suffix) \
    uint32_t op_ring_push_##suffix##_run_256(tern_ring_producer *p, uint64_t first) \
    { \
        tern_ring_producer local = *p; \
        uint32_t count = 0; \
        for (uint64_t item = first; item != first + RUN; item++) count += u64_ring_push(&local, &item); \
        *p = local; \
        return count; \
    } \
    uint32_t op_ring_pop_##suffix##_run_256(tern_ring_consumer *c, uint64_t first) \
    { \
        tern_ring_consumer local = *c; \
        uint32_t count = 0; \
        uint64_t item; \
        for (uint64_t expected = first; expected != first + RUN; expected++) \
            count += u64_ring_pop(&local, &item) && item == expected; \
        *c = local; \
        return count; \
    }

RING_RUN(8)
RING_RUN(8_waitable)
RING_RUN(8_sequenced)

#define RING_SPANS(suffix) \
    uint32_t op_ring_push_many_32##suffix(tern_ring_producer *p, const uint64_t *items) \
    { \
        return u64_ring_push_many(p, items, BATCH); \
    } \
    uint32_t op_ring_pop_many_32##suffix(tern_ring_consumer *c, uint64_t *items) \
    { \
        return u64_ring_pop_many(c, items, BATCH); \
    } \
    void *op_ring_reserve##suffix(tern_ring_producer *p, uint32_t want, uint32_t *got) \
    { \
        return u64_ring_reserve(p, want, got); \
    } \
    void op_ring_commit##suffix(tern_ring_producer *p, uint32_t count) { u64_ring_commit(p, count); } \
    const void *op_ring_peek##suffix(tern_ring_consumer *c, uint32_t want, uint32_t *got) \
    { \
        return u64_ring_peek(c, want, got); \
    } \
    void op_ring_release##suffix(tern_ring_consumer *c, uint32_t count) { u64_ring_release(c, count); }

RING_SPANS()
RING_SPANS(_sequenced)

/* ---- Stream -------------------------------------------------------------------- */

bool op_stream_send_64(tern_stream_producer *p, uint32_t kind, const struct line *record)
{
    return tern_stream_send(p, kind, record, sizeof *record);
}

bool op_stream_receive_64(tern_stream_consumer *c, struct line *record, uint32_t *length, uint32_t *kind)
{
    return tern_stream_receive(c, record, sizeof *record, length, kind);
}

bool op_stream_send(tern_stream_producer *p, uint32_t kind, const void *record, uint32_t length)
{
    return tern_stream_send(p, kind, record, length);
}

bool op_stream_receive(tern_stream_consumer *c, void *record, uint32_t room, uint32_t *length, uint32_t *kind)
{
    return tern_stream_receive(c, record, room, length, kind);
}

void *op_stream_reserve(tern_stream_producer *p, uint32_t length)
{
    return tern_stream_reserve(p, length);
}

void op_stream_commit(tern_stream_producer *p, uint32_t length)
{
    tern_stream_commit(p, length);
}

const void *op_stream_peek(tern_stream_consumer *c, uint32_t *length, uint32_t *kind)
{
    return tern_stream_peek(c, length, kind);
}

void op_stream_release(tern_stream_consumer *c)
{
    tern_stream_release(c);
}

/* ---- Triple buffer --------------------------------------------------------------- */

bool op_triple_publish_read(tern_triple_writer *w)
{
    return tern_triple_publish(w);
}

bool op_triple_publish_unread(tern_triple_writer *w)
{
    return tern_triple_publish(w);
}

bool op_triple_update_news(tern_triple_reader *r)
{
    return tern_triple_update(r);
}

bool op_triple_update_none(tern_triple_reader *r)
{
    return tern_triple_update(r);
}

const void *op_triple_front(const tern_triple_reader *r)
{
    return tern_triple_front(r);
}

/* ---- Pool ------------------------------------------------------------------------ */

tern_status op_pool_alloc(tern_pool *pool, tern_handle *handle, void **item)
{
    return tern_pool_alloc(pool, handle, item);
}

tern_status op_pool_free(tern_pool *pool, tern_handle handle)
{
    return tern_pool_free(pool, handle);
}

void *op_pool_get(const tern_pool *pool, tern_handle handle)
{
    return tern_pool_get(pool, handle);
}

void *op_pool_get_stale(const tern_pool *pool, tern_handle handle)
{
    return tern_pool_get(pool, handle);
}

void *op_pool_pin(tern_pool *pool, tern_handle handle)
{
    return tern_pool_pin(pool, handle);
}

void op_pool_unpin(tern_pool *pool, tern_handle handle)
{
    tern_pool_unpin(pool, handle);
}

/* ---- Bell ------------------------------------------------------------------------ */

bool op_bell_ring(const tern_bell *bell, uint32_t source)
{
    return tern_bell_ring(bell, source);
}

bool op_bell_ring_leaf(const tern_bell *bell, uint32_t source)
{
    return tern_bell_ring(bell, source);
}

uint32_t op_bell_collect(tern_bell *bell)
{
    return tern_bell_collect(bell);
}

uint32_t op_bell_pass(tern_bell *bell, uint32_t *last)
{
    tern_bell_pass pass;
    uint32_t count = 0, first, bits;
    tern_bell_begin(bell, &pass);
    while (tern_bell_next(&pass, &first, &bits))
        while (bits) {
            *last = first + tern_bell_take(&bits);
            count++;
        }
    return count;
}
