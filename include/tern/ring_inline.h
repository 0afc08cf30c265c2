/* SPDX-License-Identifier: MIT */
/*
 * ring_inline.h: the ring's calls on the hot path, for both layouts. Included by ring.h, never
 * by itself. The parts: ring_publish.h, ring_slots.h, ring_indexed.h, ring_sequenced.h.
 */
#ifndef TERN_RING_INLINE_H
#define TERN_RING_INLINE_H

#ifndef TERN_RING_H
#  error "include <tern/ring.h>, not ring_inline.h"
#endif

/* ---- Either layout ------------------------------------------------------------------ */

/* The layout never changes while a view is in use: a test that the processor foresees each time. The
 * sequenced one stands aside, since it waits for cache lines and not for instructions. */
TERN_INLINE bool tern__ring_push(tern_ring_producer *p, const void *item, uint32_t size_bytes)
{
    if (TERN_UNLIKELY(p->sequenced)) return tern__ring_push_sequenced(p, item, size_bytes);
    return tern__ring_push_indexed(p, item, size_bytes);
}

TERN_INLINE bool tern__ring_pop(tern_ring_consumer *c, void *item, uint32_t size_bytes)
{
    if (TERN_UNLIKELY(c->sequenced)) return tern__ring_pop_sequenced(c, item, size_bytes);
    return tern__ring_pop_indexed(c, item, size_bytes);
}

TERN_INLINE uint32_t tern__ring_push_many(tern_ring_producer *p, const void *items, uint32_t count,
                                          uint32_t size_bytes)
{
    return p->sequenced ? tern__ring_push_many_sequenced(p, items, count, size_bytes)
                        : tern__ring_push_many_indexed(p, items, count, size_bytes);
}

TERN_INLINE uint32_t tern__ring_pop_many(tern_ring_consumer *c, void *items, uint32_t count, uint32_t size_bytes)
{
    return c->sequenced ? tern__ring_pop_many_sequenced(c, items, count, size_bytes)
                        : tern__ring_pop_many_indexed(c, items, count, size_bytes);
}

/* ---- Calls ------------------------------------------------------------------------ */

/**
 * Push one item.
 *
 * @param item item_size_bytes bytes, copied
 * @return false: full, closed or corrupt (tern_ring_producer_status() tells which)
 *
 * Role: producer. Progress: wait-free; a waitable ring makes one system call if the consumer sleeps.
 * Order: release [RING-1]; pairs with pop. Crash: dying before the end publishes nothing.
 */
TERN_INLINE bool tern_ring_push(tern_ring_producer *p, const void *item)
{
    return tern__ring_push(p, item, p->item_size_bytes);
}

/**
 * Pop one item.
 *
 * @param item room for item_size_bytes bytes; untouched when false
 * @return false: empty, closed or corrupt (tern_ring_consumer_status() tells which)
 *
 * Role: consumer. Progress: wait-free; a waitable ring makes one system call if the producer sleeps.
 * Order: acquire [RING-1], release [RING-2]. Crash: what was not yet released is delivered again.
 */
TERN_INLINE bool tern_ring_pop(tern_ring_consumer *c, void *item)
{
    return tern__ring_pop(c, item, c->item_size_bytes);
}

/** Push up to count items, published together, or one after the other in the sequenced layout.
 *  @return how many went in, 0 to count. Role: producer. Progress: wait-free. Order: release [RING-1].
 *  Crash: all of them or none; sequenced: the first ones. */
TERN_INLINE uint32_t tern_ring_push_many(tern_ring_producer *p, const void *items, uint32_t count)
{
    return tern__ring_push_many(p, items, count, p->item_size_bytes);
}

/** Pop up to count items. @return how many came out, 0 to count.
 *  Role: consumer. Progress: wait-free. Order: acquire [RING-1], release [RING-2]. Crash: as pop. */
TERN_INLINE uint32_t tern_ring_pop_many(tern_ring_consumer *c, void *items, uint32_t count)
{
    return tern__ring_pop_many(c, items, count, c->item_size_bytes);
}

/**
 * Lend free slots for writing in place.
 *
 * Slots are contiguous: at the wrap got is smaller than want although more are
 * free. Nothing is visible to the consumer before tern_ring_commit(); a push in
 * between takes the same slots.
 *
 * @param want items, 1 or more
 * @param got  out: items lent, 0 to want
 * @return the first slot, valid until the commit; NULL if none is free
 *
 * Role: producer. Progress: wait-free. Order: acquire [RING-2].
 * Crash: dying before the commit publishes nothing.
 */
TERN_INLINE void *tern_ring_reserve(tern_ring_producer *p, uint32_t want, uint32_t *got)
{
    uint32_t whole = p->sequenced ? 1 : tern__ring_until_wrap(p->tail, p->capacity_items);
    uint32_t n = tern__ring_space(p, want < whole ? want : whole);
    *got = n;
    return n ? tern__ring_slot(p->items, p->tail, p->capacity_items, p->slot_size_bytes) : NULL;
}

/**
 * Publish the first items of the last reservation.
 *
 * @param count items, 0 to what was lent; more is a caller's mistake and is cut
 *
 * Role: producer. Progress: wait-free; one system call if the consumer sleeps.
 * Order: release [RING-1]; pairs with peek and pop. Crash: all of them or none.
 */
TERN_INLINE void tern_ring_commit(tern_ring_producer *p, uint32_t count)
{
    uint32_t most = p->limit - p->tail;
    if (p->sequenced && most > 1) most = 1;
    TERN_ASSERT(count <= most);
    if (count > most) count = most;
    if (count == 0) return;
    if (p->sequenced) {
        unsigned char *slot = tern__ring_slot(p->items, p->tail, p->capacity_items, p->slot_size_bytes);
        tern__ring_publish_slot(p, slot, p->slot_size_bytes);
        return;
    }
    p->tail += count;
    tern__ring_ask_to_write_many(p, count, p->slot_size_bytes);
    tern__ring_publish_items(p, &p->ends[0].word, p->tail << 1);
}

/**
 * Lend items for reading in place; contiguous, so at the wrap got is smaller.
 *
 * @param want items, 1 or more
 * @param got  out: items lent, 0 to want
 * @return the first item, valid and unchanged until released; NULL if empty
 *
 * Role: consumer. Progress: wait-free. Order: acquire [RING-1].
 * Crash: the items are delivered again to a successor.
 */
TERN_INLINE const void *tern_ring_peek(tern_ring_consumer *c, uint32_t want, uint32_t *got)
{
    uint32_t whole = c->sequenced ? 1 : tern__ring_until_wrap(c->head, c->capacity_items);
    uint32_t n = tern__ring_available(c, want < whole ? want : whole);
    *got = n;
    if (n && !c->sequenced) tern__ring_ask_to_read_many(c, n, c->slot_size_bytes);
    return n ? tern__ring_slot(c->items, c->head, c->capacity_items, c->slot_size_bytes) : NULL;
}

/**
 * Give the first items of the last peek back to the producer.
 *
 * @param count items, 0 to what was lent; more is a caller's mistake and is cut
 *
 * Role: consumer. Progress: wait-free; one system call if the producer sleeps.
 * Order: release [RING-2]; pairs with push and reserve. Crash: as pop.
 */
TERN_INLINE void tern_ring_release(tern_ring_consumer *c, uint32_t count)
{
    uint32_t most = c->limit - c->head;
    TERN_ASSERT(count <= most);
    tern__ring_advance(c, count > most ? most : count);
}

/** Items in the ring as the producer sees it; the consumer may have popped some since.
 *  Role: producer. Progress: wait-free. Order: none. Crash: changes nothing. */
TERN_INLINE uint32_t tern_ring_producer_was_count(const tern_ring_producer *p)
{
    /* relaxed: a number to look at, no slot is touched on the strength of it */
    uint32_t head = tern_a32_load_relaxed(&p->ends[1].word) >> 1;
    uint32_t count = (p->tail - head) & TERN__RING_INDEX_MASK;
    return count > p->capacity_items ? p->capacity_items : count;
}

/** Items in the ring as the consumer sees it; the producer may have pushed more since.
 *  Role: consumer. Progress: wait-free. Order: none. Crash: changes nothing. */
TERN_INLINE uint32_t tern_ring_consumer_was_count(const tern_ring_consumer *c)
{
    /* relaxed: a number to look at, no slot is touched on the strength of it */
    uint32_t tail = tern_a32_load_relaxed(&c->ends[0].word) >> 1;
    uint32_t count = tern__ring_count(c->head, tail, c->sequenced);
    return count > c->capacity_items ? c->capacity_items : count;
}

/* ---- Typed form --------------------------------------------------------------------- */

/**
 * Calls for rings of one type: the item size is known to the compiler.
 *
 * TERN_RING_DEFINE(name, type) makes name_desc(capacity, flags),
 * name_attach_producer/_consumer (TERN_ERR_MISMATCH for another item size),
 * name_push, name_pop, name_push_many, name_pop_many, name_reserve, name_commit,
 * name_peek, name_release, and unless TERN_NONBLOCKING name_push_wait,
 * name_pop_wait. All else as the call without a type. No semicolon behind it.
 */
#define TERN_RING_DEFINE(name, type)                                                                                  \
    TERN_INLINE tern_ring_desc name##_desc(uint32_t capacity_items, uint32_t flags)                                   \
    {                                                                                                                 \
        tern_ring_desc desc = { (uint32_t)sizeof(type), capacity_items, flags };                                      \
        return desc;                                                                                                  \
    }                                                                                                                 \
    TERN_INLINE tern_status name##_attach_producer(tern_ring_producer *p, void *memory, size_t size_bytes)            \
    {                                                                                                                 \
        tern_status status = tern_ring_attach_producer(p, memory, size_bytes);                                        \
        if (status != TERN_OK || p->item_size_bytes == sizeof(type)) return status;                                   \
        tern_ring_detach_producer(p);                                                                                 \
        return TERN_ERR_MISMATCH;                                                                                     \
    }                                                                                                                 \
    TERN_INLINE tern_status name##_attach_consumer(tern_ring_consumer *c, void *memory, size_t size_bytes)            \
    {                                                                                                                 \
        tern_status status = tern_ring_attach_consumer(c, memory, size_bytes);                                        \
        if (status != TERN_OK || c->item_size_bytes == sizeof(type)) return status;                                   \
        tern_ring_detach_consumer(c);                                                                                 \
        return TERN_ERR_MISMATCH;                                                                                     \
    }                                                                                                                 \
    TERN_INLINE bool name##_push(tern_ring_producer *p, const type *tern__item)                                       \
    {                                                                                                                 \
        TERN_ASSERT(p->item_size_bytes == sizeof(type));                                                              \
        return tern__ring_push(p, tern__item, (uint32_t)sizeof(type));                                                \
    }                                                                                                                 \
    TERN_INLINE bool name##_pop(tern_ring_consumer *c, type *tern__item)                                              \
    {                                                                                                                 \
        TERN_ASSERT(c->item_size_bytes == sizeof(type));                                                              \
        return tern__ring_pop(c, tern__item, (uint32_t)sizeof(type));                                                 \
    }                                                                                                                 \
    TERN_INLINE uint32_t name##_push_many(tern_ring_producer *p, const type *tern__items, uint32_t count)             \
    {                                                                                                                 \
        TERN_ASSERT(p->item_size_bytes == sizeof(type));                                                              \
        return tern__ring_push_many(p, tern__items, count, (uint32_t)sizeof(type));                                   \
    }                                                                                                                 \
    TERN_INLINE uint32_t name##_pop_many(tern_ring_consumer *c, type *tern__items, uint32_t count)                    \
    {                                                                                                                 \
        TERN_ASSERT(c->item_size_bytes == sizeof(type));                                                              \
        return tern__ring_pop_many(c, tern__items, count, (uint32_t)sizeof(type));                                    \
    }                                                                                                                 \
    TERN_INLINE type *name##_reserve(tern_ring_producer *p, uint32_t want, uint32_t *got)                             \
    {                                                                                                                 \
        TERN_ASSERT(p->item_size_bytes == sizeof(type));                                                              \
        return (type *)tern_ring_reserve(p, want, got);                                                               \
    }                                                                                                                 \
    TERN_INLINE void name##_commit(tern_ring_producer *p, uint32_t count) { tern_ring_commit(p, count); }             \
    TERN_INLINE const type *name##_peek(tern_ring_consumer *c, uint32_t want, uint32_t *got)                          \
    {                                                                                                                 \
        TERN_ASSERT(c->item_size_bytes == sizeof(type));                                                              \
        return (const type *)tern_ring_peek(c, want, got);                                                            \
    }                                                                                                                 \
    TERN_INLINE void name##_release(tern_ring_consumer *c, uint32_t count) { tern_ring_release(c, count); }           \
    TERN__RING_DEFINE_WAIT(name, type)

#if defined(TERN_NONBLOCKING)
#  define TERN__RING_DEFINE_WAIT(name, type)
#else
#  define TERN__RING_DEFINE_WAIT(name, type)                                                                          \
    TERN_INLINE tern_status name##_push_wait(tern_ring_producer *p, const type *tern__item, uint64_t timeout_ns)      \
    {                                                                                                                 \
        TERN_ASSERT(p->item_size_bytes == sizeof(type));                                                              \
        return tern_ring_push_wait(p, tern__item, timeout_ns);                                                        \
    }                                                                                                                 \
    TERN_INLINE tern_status name##_pop_wait(tern_ring_consumer *c, type *tern__item, uint64_t timeout_ns)             \
    {                                                                                                                 \
        TERN_ASSERT(c->item_size_bytes == sizeof(type));                                                              \
        return tern_ring_pop_wait(c, tern__item, timeout_ns);                                                         \
    }
#endif

#endif
