/* SPDX-License-Identifier: MIT */
/*
 * ring_indexed.h: push and pop of the indexed layout. Included by ring.h.
 *
 * Items lie side by side, one index tells of all: best for many items at once and for spans.
 */
#ifndef TERN_RING_INDEXED_H
#define TERN_RING_INDEXED_H

#ifndef TERN_RING_H
#  error "include <tern/ring.h>, not ring_indexed.h"
#endif

TERN_INLINE bool tern__ring_push_indexed(tern_ring_producer *p, const void *item, uint32_t size_bytes)
{
    if (TERN_UNLIKELY(p->tail == p->limit) && !tern__ring_see_space(p)) return false;
    /* on its way back from a consumer that polls it while we fill the slot */
    tern_prefetch_write(&p->ends[0].word);
    tern_copy_to_shared(tern__ring_slot(p->items, p->tail, p->capacity_items, size_bytes), item, size_bytes);
    p->tail++;
    tern__ring_ask_to_write(p, size_bytes);
    tern__ring_publish_items(p, &p->ends[0].word, p->tail << 1);
    return true;
}

TERN_INLINE bool tern__ring_pop_indexed(tern_ring_consumer *c, void *item, uint32_t size_bytes)
{
    if (TERN_UNLIKELY(c->head == c->limit) && !tern__ring_try_see_items(c)) return false;
    tern__ring_ask_to_read(c, size_bytes);
    tern_copy_from_shared(item, tern__ring_slot(c->items, c->head, c->capacity_items, size_bytes), size_bytes);
    tern__ring_advance(c, 1);
    return true;
}

TERN_INLINE uint32_t tern__ring_push_many_indexed(tern_ring_producer *p, const void *items, uint32_t count,
                                                  uint32_t size_bytes)
{
    uint32_t n = tern__ring_space(p, count);
    if (n == 0) return 0;
    if (TERN__KNOWN(size_bytes) && size_bytes >= TERN__RING_LINE_BYTES) {
        /* one by one, each asks for its lines in time; of a size that is not known gcc would warn callers */
        for (uint32_t i = 0; i < n; i++) {
            tern_copy_to_shared(tern__ring_slot(p->items, p->tail, p->capacity_items, size_bytes),
                                (const unsigned char *)items + (size_t)i * size_bytes, size_bytes);
            p->tail++;
            tern__ring_ask_to_write(p, size_bytes);
        }
        tern__ring_publish_items(p, &p->ends[0].word, p->tail << 1);
        return n;
    }
    uint32_t first = tern__ring_until_wrap(p->tail, p->capacity_items);
    if (first > n) first = n;
    size_t split = (size_t)first * size_bytes;
    tern_copy_to_shared(tern__ring_slot(p->items, p->tail, p->capacity_items, size_bytes), items, split);
    if (first < n)
        tern_copy_to_shared(p->items, (const unsigned char *)items + split, (size_t)(n - first) * size_bytes);
    p->tail += n;
    tern__ring_ask_to_write_many(p, n, size_bytes);
    tern__ring_publish_items(p, &p->ends[0].word, p->tail << 1);
    return n;
}

TERN_INLINE uint32_t tern__ring_pop_many_indexed(tern_ring_consumer *c, void *items, uint32_t count,
                                                 uint32_t size_bytes)
{
    uint32_t n = tern__ring_available(c, count);
    if (n == 0) return 0;
    if (TERN__KNOWN(size_bytes) && size_bytes >= TERN__RING_LINE_BYTES) {   /* as in push_many */
        for (uint32_t i = 0; i < n; i++) {
            tern__ring_ask_to_read(c, size_bytes);
            tern_copy_from_shared((unsigned char *)items + (size_t)i * size_bytes,
                                  tern__ring_slot(c->items, c->head, c->capacity_items, size_bytes), size_bytes);
            c->head++;
        }
        tern__ring_advance(c, 0);
        return n;
    }
    tern__ring_ask_to_read_many(c, n, size_bytes);
    uint32_t first = tern__ring_until_wrap(c->head, c->capacity_items);
    if (first > n) first = n;
    size_t split = (size_t)first * size_bytes;
    tern_copy_from_shared(items, tern__ring_slot(c->items, c->head, c->capacity_items, size_bytes), split);
    if (first < n)
        tern_copy_from_shared((unsigned char *)items + split, c->items, (size_t)(n - first) * size_bytes);
    tern__ring_advance(c, n);
    return n;
}

#endif
