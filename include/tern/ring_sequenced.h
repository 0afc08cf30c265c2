/* SPDX-License-Identifier: MIT */
/*
 * ring_sequenced.h: push and pop of the sequenced layout. Included by ring.h.
 *
 * Each slot ends in a sequence that says which item is in it, so that an item and the news of it
 * come in one cache line and neither end reads the other's index to find an item. Space is
 * known as in the indexed layout, from the consumer's index. The producer's index is stored
 * too, after the slot: it is what a successor and an onlooker start from, and nobody waits for it.
 */
#ifndef TERN_RING_SEQUENCED_H
#define TERN_RING_SEQUENCED_H

#ifndef TERN_RING_H
#  error "include <tern/ring.h>, not ring_sequenced.h"
#endif

/* Publish the slot at tail, which has been filled. */
TERN_INLINE void tern__ring_publish_slot(tern_ring_producer *p, unsigned char *slot, uint32_t slot_size_bytes)
{
    p->tail++;
    tern__ring_publish_items(p, tern__ring_sequence(slot, slot_size_bytes), p->tail << 1);
    /* relaxed: a hint; the sequences tell what is there */
    tern_a32_store_relaxed(&p->ends[0].word, p->tail << 1);
}

TERN_INLINE bool tern__ring_push_sequenced(tern_ring_producer *p, const void *item, uint32_t size_bytes)
{
    uint32_t slot_bytes = (uint32_t)tern__ring_sequenced_slot_bytes(size_bytes);
    if (TERN_UNLIKELY(p->tail == p->limit) && !tern__ring_see_space(p)) return false;
    unsigned char *slot = tern__ring_slot(p->items, p->tail, p->capacity_items, slot_bytes);
    tern__ring_ask_to_write(p, slot_bytes);
    tern_copy_to_shared(slot, item, size_bytes);
    tern__ring_publish_slot(p, slot, slot_bytes);
    return true;
}

TERN_INLINE bool tern__ring_pop_sequenced(tern_ring_consumer *c, void *item, uint32_t size_bytes)
{
    uint32_t slot_bytes = (uint32_t)tern__ring_sequenced_slot_bytes(size_bytes);
    if (TERN_UNLIKELY(!tern__ring_slot_is_filled(c, slot_bytes)) && !tern__ring_try_see_items(c)) return false;
    c->slip_pauses = c->slip_one_pauses;
    tern_copy_from_shared(item, tern__ring_slot(c->items, c->head, c->capacity_items, slot_bytes), size_bytes);
    tern__ring_advance(c, 1);
    c->limit = c->head;
    return true;
}

/* One after the other: each item is news of its own. */
TERN_INLINE uint32_t tern__ring_push_many_sequenced(tern_ring_producer *p, const void *items, uint32_t count,
                                                    uint32_t size_bytes)
{
    uint32_t n = tern__ring_space(p, count);
    for (uint32_t i = 0; i < n; i++)
        tern__ring_push_sequenced(p, (const unsigned char *)items + (size_t)i * size_bytes, size_bytes);
    return n;
}

TERN_INLINE uint32_t tern__ring_pop_many_sequenced(tern_ring_consumer *c, void *items, uint32_t count,
                                                   uint32_t size_bytes)
{
    uint32_t slot_bytes = (uint32_t)tern__ring_sequenced_slot_bytes(size_bytes), n = 0;
    if (count == 0) return 0;
    /* only the first may wait a moment for its item */
    while (n < count && (n == 0 || tern__ring_slot_is_filled(c, slot_bytes)) &&
           tern__ring_pop_sequenced(c, (unsigned char *)items + (size_t)n * size_bytes, size_bytes))
        n++;
    return n;
}

#endif
