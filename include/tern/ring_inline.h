/* SPDX-License-Identifier: MIT */
/*
 * ring_inline.h: the ring's hot path. Included by ring.h, never by itself.
 *
 * Indices run freely. A view counts modulo 2^32, the shared words hold the low
 * 31 bits beside SLEEP; differences are taken modulo 2^31, which is unambiguous
 * because the capacity is at most 2^30.
 */
#ifndef TERN_RING_INLINE_H
#define TERN_RING_INLINE_H

#ifndef TERN_RING_H
#  error "include <tern/ring.h>, not ring_inline.h"
#endif

/* How often a consumer that has just drained the ring pauses before it looks
 * again, so that the next cache-line transfer carries more than one item. */
#ifndef TERN_RING_SLIP_PAUSES
#  define TERN_RING_SLIP_PAUSES 16u
#endif

/* How often a pop or peek that found nothing pauses before it says so: a caller that polls
 * harder keeps taking the producer's word away from it, and both lose by it. */
#ifndef TERN_RING_EMPTY_PAUSES
#  define TERN_RING_EMPTY_PAUSES 3u
#endif

/* How far ahead an end asks for the lines of slots: so many transfers under way
 * at once cover the time that one of them takes. Larger items than the second
 * figure are left to the processor's own prefetcher. */
#define TERN__RING_LINE_BYTES 64u
#define TERN__RING_AHEAD_BYTES 512u
#define TERN__RING_AHEAD_MAX_ITEM_BYTES 1024u

/* ---- Parts ------------------------------------------------------------------- */

TERN_INLINE unsigned char *tern__ring_slot(unsigned char *items, uint32_t index, uint32_t capacity_items,
                                           uint32_t size_bytes)
{
    return items + (size_t)(index & (capacity_items - 1)) * size_bytes;
}

/* True if the item at index begins a line: of small items, only those ask ahead. */
TERN_INLINE bool tern__ring_begins_line(uint32_t index, uint32_t capacity_items, uint32_t size_bytes)
{
    size_t offset = (size_t)(index & (capacity_items - 1)) * size_bytes;
    return (offset & (TERN__RING_LINE_BYTES - 1)) < size_bytes;
}

/* The producer will fill this slot soon: have its lines here, writable, by then. */
TERN_INLINE void tern__ring_ask_to_write(tern_ring_producer *p, uint32_t size_bytes)
{
    if (size_bytes > TERN__RING_AHEAD_MAX_ITEM_BYTES) return;
    if (!tern__ring_begins_line(p->tail, p->capacity_items, size_bytes)) return;
    unsigned char *slot = tern__ring_slot(p->items, p->tail + p->ahead_items, p->capacity_items, size_bytes);
    for (uint32_t at = 0; at < size_bytes; at += TERN__RING_LINE_BYTES) tern_prefetch_write(slot + at);
}

/* The consumer will read this slot soon. It never asks for one that it does not know to be
 * filled: that would take the line from the producer, who is about to write it. */
TERN_INLINE void tern__ring_ask_to_read(tern_ring_consumer *c, uint32_t size_bytes)
{
    if (size_bytes > TERN__RING_AHEAD_MAX_ITEM_BYTES) return;
    if (!tern__ring_begins_line(c->head, c->capacity_items, size_bytes)) return;
    if (c->limit - c->head <= c->ahead_items) return;
    const unsigned char *slot = tern__ring_slot(c->items, c->head + c->ahead_items, c->capacity_items, size_bytes);
    for (uint32_t at = 0; at < size_bytes; at += TERN__RING_LINE_BYTES) tern_prefetch(slot + at);
}

/* Look where the consumer is. True if there is space.
 * The peer's index is bounded here: the limit never passes tail + capacity. */
TERN_INLINE bool tern__ring_see_space(tern_ring_producer *p)
{
    /* [RING-2] acquire: the consumer's reads of the slots before we overwrite them.
     * Pairs with: [RING-2] release in tern__ring_publish_head().
     * Otherwise: a new item may be written over one that is still being read. */
    uint32_t word = tern_a32_load_acquire(&p->shared->consumer.word, RING_2_SEE);
    uint32_t used = (p->tail - (word >> 1)) & TERN__RING_INDEX_MASK;
    /* relaxed: closing by the consumer publishes no data */
    bool closed = tern_a32_load_relaxed(&p->shared->consumer.closed) != 0;
    if (TERN_UNLIKELY(used > p->capacity_items)) {
        p->status = TERN_ERR_CORRUPT;
        used = p->capacity_items;
    }
    if (TERN_UNLIKELY(closed)) used = p->capacity_items;
    p->limit = p->tail + (p->capacity_items - used);
    return p->limit != p->tail;
}

/* Publish tail. The exchange tells whether the consumer sleeps on this word. */
TERN_INLINE void tern__ring_publish_tail(tern_ring_producer *p)
{
    struct tern_ring_end *end = &p->shared->producer;
    if (!p->waitable) {
        /* [RING-1] release: the items' bytes before tail.
         * Pairs with: [RING-1] acquire in tern__ring_see_items().
         * Otherwise: the consumer may read an unfinished item. */
        tern_a32_store_release(&end->word, p->tail << 1, RING_1_PUBLISH);
        return;
    }
    /* [RING-1] release: as above; the exchange also takes SLEEP out of the word.
     * Pairs with: [RING-1] acquire in tern__ring_see_items().
     * Otherwise: as above. */
    uint32_t was = tern_a32_exchange_release(&end->word, p->tail << 1, RING_1_PUBLISH_WAKE);
    if (TERN_UNLIKELY(was & TERN__RING_SLEEP)) tern_word_wake(&end->word);
    tern__bell_ring_bound(p->bell, p->bell_source);
}

/* Publish head: what was freed. The exchange tells whether the producer sleeps. */
TERN_INLINE void tern__ring_publish_head(tern_ring_consumer *c)
{
    struct tern_ring_end *end = &c->shared->consumer;
    c->released = c->head;
    if (!c->waitable) {
        /* [RING-2] release: our reads of the slots before head.
         * Pairs with: [RING-2] acquire in tern__ring_see_space().
         * Otherwise: the producer may overwrite an item that we still read. */
        tern_a32_store_release(&end->word, c->head << 1, RING_2_FREE);
        return;
    }
    /* [RING-2] release: as above; the exchange also takes SLEEP out of the word.
     * Pairs with: [RING-2] acquire in tern__ring_see_space().
     * Otherwise: as above. */
    uint32_t was = tern_a32_exchange_release(&end->word, c->head << 1, RING_2_FREE_WAKE);
    if (TERN_UNLIKELY(was & TERN__RING_SLEEP)) tern_word_wake(&end->word);
}

/* Load tail and bound it: the limit never passes head + capacity. */
TERN_INLINE bool tern__ring_load_tail(tern_ring_consumer *c)
{
    /* [RING-1] acquire: the items' bytes after tail.
     * Pairs with: [RING-1] release in tern__ring_publish_tail().
     * Otherwise: an item may be read before it is written. */
    uint32_t word = tern_a32_load_acquire(&c->shared->producer.word, RING_1_SEE);
    uint32_t count = ((word >> 1) - c->head) & TERN__RING_INDEX_MASK;
    if (TERN_UNLIKELY(count > c->capacity_items)) {
        c->status = TERN_ERR_CORRUPT;
        count = 0;
    }
    c->limit = c->head + count;
    return count != 0;
}

/* Look where the producer is, after all known items were popped. True if there
 * are items. What was freed is published first: an empty ring is all the producer's. */
TERN_INLINE bool tern__ring_see_items(tern_ring_consumer *c)
{
    if (c->released != c->head) tern__ring_publish_head(c);
#if !defined(TERN_MODEL)
    if (c->slip_armed) {
        c->slip_armed = false;
        for (uint32_t i = 0; i != TERN_RING_SLIP_PAUSES; i++) tern_cpu_relax();
    }
#endif
    if (!tern__ring_load_tail(c)) {
        /* have the next slot's line here when its item comes */
        tern_prefetch(tern__ring_slot(c->items, c->head, c->capacity_items, c->item_size_bytes));
        return false;
    }
    c->slip_armed = true;
    return true;
}

/* tern__ring_see_items() for the calls that do not wait. */
TERN_INLINE bool tern__ring_try_see_items(tern_ring_consumer *c)
{
    if (tern__ring_see_items(c)) return true;
#if !defined(TERN_MODEL)
    for (uint32_t i = 0; i != TERN_RING_EMPTY_PAUSES; i++) tern_cpu_relax();
#endif
    return false;
}

/* The item at head has been read: move on, and publish now and then. */
TERN_INLINE void tern__ring_advance(tern_ring_consumer *c, uint32_t count)
{
    c->head += count;
    if (c->head - c->released >= c->release_every_items) tern__ring_publish_head(c);
}

TERN_INLINE bool tern__ring_push(tern_ring_producer *p, const void *item, uint32_t size_bytes)
{
    if (TERN_UNLIKELY(p->tail == p->limit) && !tern__ring_see_space(p)) return false;
    /* on its way back from a consumer that polls it while we fill the slot */
    tern_prefetch_write(&p->shared->producer.word);
    tern_copy_to_shared(tern__ring_slot(p->items, p->tail, p->capacity_items, size_bytes), item, size_bytes);
    p->tail++;
    tern__ring_ask_to_write(p, size_bytes);
    tern__ring_publish_tail(p);
    return true;
}

TERN_INLINE bool tern__ring_pop(tern_ring_consumer *c, void *item, uint32_t size_bytes)
{
    if (TERN_UNLIKELY(c->head == c->limit) && !tern__ring_try_see_items(c)) return false;
    tern__ring_ask_to_read(c, size_bytes);
    tern_copy_from_shared(item, tern__ring_slot(c->items, c->head, c->capacity_items, size_bytes), size_bytes);
    tern__ring_advance(c, 1);
    return true;
}

/* Free slots known, after looking again if fewer than wanted. */
TERN_INLINE uint32_t tern__ring_space(tern_ring_producer *p, uint32_t want)
{
    if (p->limit - p->tail < want) tern__ring_see_space(p);
    uint32_t space = p->limit - p->tail;
    return space < want ? space : want;
}

/* Items known, after looking again if fewer than wanted. */
TERN_INLINE uint32_t tern__ring_available(tern_ring_consumer *c, uint32_t want)
{
    if (c->limit == c->head) {
        if (want != 0) tern__ring_try_see_items(c);
    } else if (c->limit - c->head < want) {
        tern__ring_load_tail(c);
    }
    uint32_t available = c->limit - c->head;
    return available < want ? available : want;
}

/* Items from an index to the end of the memory, where a span must stop. */
TERN_INLINE uint32_t tern__ring_until_wrap(uint32_t index, uint32_t capacity_items)
{
    return capacity_items - (index & (capacity_items - 1));
}

TERN_INLINE uint32_t tern__ring_push_many(tern_ring_producer *p, const void *items, uint32_t count,
                                          uint32_t size_bytes)
{
    uint32_t n = tern__ring_space(p, count);
    if (n == 0) return 0;
    uint32_t first = tern__ring_until_wrap(p->tail, p->capacity_items);
    if (first > n) first = n;
    size_t split = (size_t)first * size_bytes;
    tern_copy_to_shared(tern__ring_slot(p->items, p->tail, p->capacity_items, size_bytes), items, split);
    if (first < n)
        tern_copy_to_shared(p->items, (const unsigned char *)items + split, (size_t)(n - first) * size_bytes);
    p->tail += n;
    tern__ring_publish_tail(p);
    return n;
}

TERN_INLINE uint32_t tern__ring_pop_many(tern_ring_consumer *c, void *items, uint32_t count, uint32_t size_bytes)
{
    uint32_t n = tern__ring_available(c, count);
    if (n == 0) return 0;
    uint32_t first = tern__ring_until_wrap(c->head, c->capacity_items);
    if (first > n) first = n;
    size_t split = (size_t)first * size_bytes;
    tern_copy_from_shared(items, tern__ring_slot(c->items, c->head, c->capacity_items, size_bytes), split);
    if (first < n)
        tern_copy_from_shared((unsigned char *)items + split, c->items, (size_t)(n - first) * size_bytes);
    tern__ring_advance(c, n);
    return n;
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

/** Push up to count items, published together. @return how many went in, 0 to count.
 *  Role: producer. Progress: wait-free. Order: release [RING-1]. Crash: all of them or none. */
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
    uint32_t whole = tern__ring_until_wrap(p->tail, p->capacity_items);
    uint32_t n = tern__ring_space(p, want < whole ? want : whole);
    *got = n;
    return n ? tern__ring_slot(p->items, p->tail, p->capacity_items, p->item_size_bytes) : NULL;
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
    TERN_ASSERT(count <= most);
    if (count > most) count = most;
    if (count == 0) return;
    p->tail += count;
    tern__ring_publish_tail(p);
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
    uint32_t whole = tern__ring_until_wrap(c->head, c->capacity_items);
    uint32_t n = tern__ring_available(c, want < whole ? want : whole);
    *got = n;
    return n ? tern__ring_slot(c->items, c->head, c->capacity_items, c->item_size_bytes) : NULL;
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
    uint32_t head = tern_a32_load_relaxed(&p->shared->consumer.word) >> 1;
    uint32_t count = (p->tail - head) & TERN__RING_INDEX_MASK;
    return count > p->capacity_items ? p->capacity_items : count;
}

/** Items in the ring as the consumer sees it; the producer may have pushed more since.
 *  Role: consumer. Progress: wait-free. Order: none. Crash: changes nothing. */
TERN_INLINE uint32_t tern_ring_consumer_was_count(const tern_ring_consumer *c)
{
    /* relaxed: a number to look at, no slot is touched on the strength of it */
    uint32_t tail = tern_a32_load_relaxed(&c->shared->producer.word) >> 1;
    uint32_t count = (tail - c->head) & TERN__RING_INDEX_MASK;
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
