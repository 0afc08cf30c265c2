/* SPDX-License-Identifier: MIT */
/*
 * ring_slots.h: slots, space and items: what both layouts of a ring share, and the indexed one.
 * Included by ring.h.
 *
 * Indices run freely. A view counts modulo 2^32, the shared words hold the low
 * 31 bits beside SLEEP; differences are taken modulo 2^31, which is unambiguous
 * because the capacity is at most 2^30.
 */
#ifndef TERN_RING_SLOTS_H
#define TERN_RING_SLOTS_H

#ifndef TERN_RING_H
#  error "include <tern/ring.h>, not ring_slots.h"
#endif

/* How long a consumer that has just drained the ring pauses before it looks again, so that the
 * next cache-line transfer carries more than one item: as long as two transfers take. After a single
 * item, which may have been an answer, about one, so that the next look meets the next answer. And
 * not at all after a quarter of the ring or more, if that is as many bytes as the third figure: the
 * producer is about to stand. Less than that says nothing, it is filled in the time of one look. */
#define TERN__RING_SLIP_MANY_NS 210u
#define TERN__RING_SLIP_ONE_NS 145u
#define TERN__RING_SLIP_BYTES 2048u

/* How long a pop or peek that found nothing pauses before it says so: a caller that polls
 * harder keeps taking the producer's word away from it, and both lose by it. */
#define TERN__RING_EMPTY_NS 40u

/* How far ahead an end asks for the lines of slots, but no farther than an eighth of the ring: so
 * many transfers under way at once cover the time that one of them takes. Larger items than the
 * second figure, and more at once than the third, are left to the processor's own prefetcher. */
#define TERN__RING_LINE_BYTES 64u
#define TERN__RING_AHEAD_BYTES 1024u
#define TERN__RING_AHEAD_MAX_ITEM_BYTES 1024u
#define TERN__RING_AHEAD_MAX_SPAN_BYTES 8192u

/* ---- Slots ------------------------------------------------------------------------ */

TERN_INLINE unsigned char *tern__ring_slot(unsigned char *items, uint32_t index, uint32_t capacity_items,
                                           uint32_t size_bytes)
{
    return items + (size_t)(index & (capacity_items - 1)) * size_bytes;
}

/* True if the item at index begins a line: of small items, only those ask ahead. A size that divides
 * a line, known to the compiler, leaves one test of a few bits. */
TERN_INLINE bool tern__ring_begins_line(uint32_t index, uint32_t capacity_items, uint32_t size_bytes)
{
    if (size_bytes >= TERN__RING_LINE_BYTES) return true;
    if (TERN__KNOWN(size_bytes) && TERN__RING_LINE_BYTES % size_bytes == 0)
        return (index & (TERN__RING_LINE_BYTES / size_bytes - 1)) == 0;
    size_t offset = (size_t)(index & (capacity_items - 1)) * size_bytes;
    return (offset & (TERN__RING_LINE_BYTES - 1)) < size_bytes;
}

/* The producer will fill this slot soon: have its lines here, writable, by then. */
TERN_INLINE void tern__ring_ask_to_write(tern_ring_producer *p, uint32_t size_bytes)
{
    if (!TERN__HAS_PREFETCH || size_bytes > TERN__RING_AHEAD_MAX_ITEM_BYTES) return;
    if (!tern__ring_begins_line(p->tail, p->capacity_items, size_bytes)) return;
    unsigned char *slot = tern__ring_slot(p->items, p->tail + p->ahead_items, p->capacity_items, size_bytes);
    for (uint32_t at = 0; at < size_bytes; at += TERN__RING_LINE_BYTES) tern_prefetch_write(slot + at);
}

/* The consumer will read this slot soon. It never asks for one that it does not know to be
 * filled: that would take the line from the producer, who is about to write it. */
TERN_INLINE void tern__ring_ask_to_read(tern_ring_consumer *c, uint32_t size_bytes)
{
    if (!TERN__HAS_PREFETCH || size_bytes > TERN__RING_AHEAD_MAX_ITEM_BYTES) return;
    if (!tern__ring_begins_line(c->head, c->capacity_items, size_bytes)) return;
    if (c->limit - c->head <= c->ahead_items) return;
    const unsigned char *slot = tern__ring_slot(c->items, c->head + c->ahead_items, c->capacity_items, size_bytes);
    for (uint32_t at = 0; at < size_bytes; at += TERN__RING_LINE_BYTES) tern_prefetch(slot + at);
}

/* The lines of count items from index on, in one go. */
TERN_INLINE void tern__ring_ask_for(unsigned char *items, uint32_t index, uint32_t count, uint32_t capacity_items,
                                    uint32_t size_bytes, bool write)
{
    if (!TERN__HAS_PREFETCH) return;
    size_t end = (size_t)capacity_items * size_bytes, left = (size_t)count * size_bytes;
    size_t at = (size_t)(index & (capacity_items - 1)) * size_bytes;
    if (size_bytes > TERN__RING_AHEAD_MAX_ITEM_BYTES || left > TERN__RING_AHEAD_MAX_SPAN_BYTES) return;
    for (; left > 0; left -= left < TERN__RING_LINE_BYTES ? left : TERN__RING_LINE_BYTES) {
        if (write) tern_prefetch_write(items + at);
        else tern_prefetch(items + at);
        at += TERN__RING_LINE_BYTES;
        if (at >= end) at -= end;
    }
}

/* The same after count items were filled, or before so many are read: what comes as far ahead. */
TERN_INLINE void tern__ring_ask_to_write_many(tern_ring_producer *p, uint32_t count, uint32_t size_bytes)
{
    tern__ring_ask_for(p->items, p->tail - count + p->ahead_items, count, p->capacity_items, size_bytes, true);
}

TERN_INLINE void tern__ring_ask_to_read_many(tern_ring_consumer *c, uint32_t count, uint32_t size_bytes)
{
    if (!TERN__HAS_PREFETCH || c->limit - c->head <= c->ahead_items) return;
    uint32_t known = c->limit - c->head - c->ahead_items;
    tern__ring_ask_for(c->items, c->head + c->ahead_items, count < known ? count : known, c->capacity_items,
                       size_bytes, false);
}

/* ---- A sequence in each slot ----------------------------------------------------- */

/* From one slot of a sequenced ring to the next. Up to 60 bytes an item and its sequence
 * share a line with as many others as fit; beyond, each slot begins a line. */
TERN_INLINE uint64_t tern__ring_sequenced_slot_bytes(uint32_t item_size_bytes)
{
    return item_size_bytes <= 4 ? 8 : item_size_bytes <= 12 ? 16 : item_size_bytes <= 28 ? 32 :
        ((uint64_t)item_size_bytes + 4 + TERN__RING_LINE_BYTES - 1) & ~(uint64_t)(TERN__RING_LINE_BYTES - 1);
}

/* The sequence of a slot: index + 1 of the item in it, << 1 | SLEEP. */
TERN_INLINE tern_a32 *tern__ring_sequence(unsigned char *slot, uint32_t slot_size_bytes)
{
#if defined(TERN_MODEL)
    (void)slot_size_bytes;
    return tern_model_ring_sequence(slot);
#else
    return (tern_a32 *)(void *)(slot + slot_size_bytes - 4);
#endif
}

/* ---- Space and items --------------------------------------------------------------- */

/* Items from head to tail; more than the capacity: one of the two is wrong. The producer of a
 * sequenced ring tells its index after the item, so a head that has passed the item may be one on. */
TERN_INLINE uint32_t tern__ring_count(uint32_t head, uint32_t tail, bool sequenced)
{
    uint32_t count = (tail - head) & TERN__RING_INDEX_MASK;
    return sequenced && count == TERN__RING_INDEX_MASK ? 0 : count;
}

/* Look where the consumer is. True if there is space.
 * The peer's index is bounded here: the limit never passes tail + capacity. */
TERN_INLINE bool tern__ring_see_space(tern_ring_producer *p)
{
    /* [RING-2] acquire: the consumer's reads of the slots before we overwrite them.
     * Pairs with: [RING-2] release in tern__ring_publish_head(), tern__ring_exchange().
     * Otherwise: a new item may be written over one that is still being read. */
    uint32_t word = tern_a32_load_acquire(&p->ends[1].word, RING_2_SEE);
    uint32_t used = (p->tail - (word >> 1)) & TERN__RING_INDEX_MASK;
    /* relaxed: closing by the consumer publishes no data */
    bool closed = tern_a32_load_relaxed(&p->ends[1].closed) != 0;
    if (TERN__LIES(used > p->capacity_items)) {
        p->status = TERN_ERR_CORRUPT;
        used = p->capacity_items;
    }
    if (TERN_UNLIKELY(closed)) used = p->capacity_items;
    p->limit = p->tail + (p->capacity_items - used);
    return p->limit != p->tail;
}

/* Load tail and bound it: the limit never passes head + capacity. */
TERN_INLINE bool tern__ring_load_tail(tern_ring_consumer *c)
{
    /* [RING-1] acquire: the items' bytes after tail.
     * Pairs with: [RING-1] release in tern__ring_publish_items(), tern__ring_exchange().
     * Otherwise: an item may be read before it is written. */
    uint32_t word = tern_a32_load_acquire(&c->ends[0].word, RING_1_SEE);
    uint32_t count = ((word >> 1) - c->head) & TERN__RING_INDEX_MASK;
    if (TERN__LIES(count > c->capacity_items)) {
        c->status = TERN_ERR_CORRUPT;
        count = 0;
    }
    c->limit = c->head + count;
    return count != 0;
}

/* Whether the item at head is there; the sequenced layout's tern__ring_load_tail(). */
TERN_INLINE bool tern__ring_slot_is_filled(tern_ring_consumer *c, uint32_t slot_size_bytes)
{
    unsigned char *slot = tern__ring_slot(c->items, c->head, c->capacity_items, slot_size_bytes);
    /* [RING-1] acquire: the item's bytes after its sequence.
     * Pairs with: [RING-1] release in tern__ring_publish_items(), tern__ring_exchange().
     * Otherwise: an item may be read before it is written. */
    uint32_t word = tern_a32_load_acquire(tern__ring_sequence(slot, slot_size_bytes), RING_1_SEE_SLOT);
    bool filled = (word & ~TERN__RING_SLEEP) == (c->head + 1) << 1;
    c->limit = c->head + filled;
    return filled;
}

/* The slot at head is not filled: then it holds what the last lap left in it, or somebody lies. */
TERN_INLINE void tern__ring_check_slot(tern_ring_consumer *c, uint32_t slot_size_bytes)
{
    unsigned char *slot = tern__ring_slot(c->items, c->head, c->capacity_items, slot_size_bytes);
    /* relaxed: only compared */
    uint32_t word = tern_a32_load_relaxed(tern__ring_sequence(slot, slot_size_bytes)) & ~TERN__RING_SLEEP;
    uint32_t next = (c->head + 1) << 1;
    if (TERN__LIES(word != next && word != next - (c->capacity_items << 1))) c->status = TERN_ERR_CORRUPT;
}

/* Items were found, up to limit: how long to pause once they are popped. */
TERN_INLINE void tern__ring_arm_slip(tern_ring_consumer *c)
{
    uint32_t found = c->limit - c->head;
    c->slip_pauses = found == 1 ? c->slip_one_pauses : c->slip_many_pauses;
    if (found >= c->capacity_items / 4 && (uint64_t)found * c->slot_size_bytes >= TERN__RING_SLIP_BYTES)
        c->slip_pauses = 0;
}

/* Look where the producer is, after all known items were popped. True if there
 * are items. What was freed is published first: an empty ring is all the producer's. */
TERN_INLINE bool tern__ring_see_items(tern_ring_consumer *c)
{
    if (c->sequenced && tern__ring_slot_is_filled(c, c->slot_size_bytes)) {
        tern__ring_arm_slip(c);
        return true;
    }
    if (c->released != c->head) tern__ring_publish_head(c);
#if !defined(TERN_MODEL)
    for (uint32_t i = 0; i != c->slip_pauses; i++) tern_cpu_relax();
#endif
    c->slip_pauses = 0;
    if (c->sequenced ? !tern__ring_slot_is_filled(c, c->slot_size_bytes) : !tern__ring_load_tail(c)) {
        if (c->sequenced) tern__ring_check_slot(c, c->slot_size_bytes);
        /* have the next slot here when its item comes; of several lines the producer would miss the first */
        if (c->slot_size_bytes <= TERN__RING_LINE_BYTES)
            tern_prefetch(tern__ring_slot(c->items, c->head, c->capacity_items, c->slot_size_bytes));
        return false;
    }
    tern__ring_arm_slip(c);
    return true;
}

/* tern__ring_see_items() for the calls that do not wait. */
TERN_INLINE bool tern__ring_try_see_items(tern_ring_consumer *c)
{
    if (tern__ring_see_items(c)) return true;
#if !defined(TERN_MODEL)
    for (uint32_t i = 0; i != c->empty_pauses; i++) tern_cpu_relax();
#endif
    return false;
}

/* So many items from head on have been read: move on, and publish now and then. */
TERN_INLINE void tern__ring_advance(tern_ring_consumer *c, uint32_t count)
{
    c->head += count;
    if (TERN_UNLIKELY(c->head - c->released >= c->release_every_items)) tern__ring_publish_head(c);
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
        if (!c->sequenced) tern__ring_load_tail(c);
    }
    uint32_t available = c->limit - c->head;
    return available < want ? available : want;
}

/* Items from an index to the end of the memory, where a span must stop. */
TERN_INLINE uint32_t tern__ring_until_wrap(uint32_t index, uint32_t capacity_items)
{
    return capacity_items - (index & (capacity_items - 1));
}

#endif
