/* SPDX-License-Identifier: MIT */
/*
 * ring_publish.h: where a ring's parts lie, how an end publishes, and tells who sleeps. Included by ring.h.
 *
 * A plain ring publishes by a release store. An end of a waitable ring is in one of two modes:
 *
 *   exchange     The sleeper puts SLEEP into the word by compare-exchange; the exchange that
 *                publishes takes it out, and its end wakes. Needs nothing but the word.
 *   asymmetric   A plain store, then a look at `asleep`, which the sleeper sets. Store and look may
 *                pass each other in the processor; the sleeper makes up for it by a heavy
 *                barrier (membarrier) between setting `asleep` and its last look at the word.
 *
 * An end begins with exchange. After TERN_RING_QUIET publications that met nobody asleep it goes on
 * with plain stores, if its process could register for barriers; the first sleeper it meets takes it
 * back. A view counts them down in exchanges_left; a plain ring's stays 0. So whoever sleeps often
 * pays no barrier, and a busy ring no exchange. A change to plain stores is told in `asymmetric`
 * before one more exchange: a sleeper whose compare-exchange comes after it reads it there, and one
 * that came before is found by it.
 */
#ifndef TERN_RING_PUBLISH_H
#define TERN_RING_PUBLISH_H

#ifndef TERN_RING_H
#  error "include <tern/ring.h>, not ring_publish.h"
#endif

/* ---- Where the parts lie ------------------------------------------------------------ */

TERN_INLINE size_t tern__ring_items_offset(uint32_t flags)
{
    return flags & TERN_RING_PAGED ? 2 * TERN_PAGE_BYTES : sizeof(struct tern_ring_shared);
}

/* The two ends: [0] the producer's, [1] the consumer's. They lie side by side, paged or not: so one
 * pointer tells of both, and either layout takes the same instructions. */
TERN_INLINE struct tern_ring_end *tern__ring_ends(struct tern_ring_shared *shared, uint32_t flags)
{
    unsigned char *border = (unsigned char *)shared + TERN_RING_CONSUMER_PAGE_OFFSET_BYTES;
    return flags & TERN_RING_PAGED ? (struct tern_ring_end *)(void *)border - 1 : &shared->producer;
}

/* ---- Publish ------------------------------------------------------------------------ */

/* So many exchanges cost about as much as the barrier of one sleeper. */
#ifndef TERN_RING_QUIET
#  define TERN_RING_QUIET 1024u
#endif

/* exchanges_left of a process that hears no barriers: it never gets less. */
#define TERN__RING_ALWAYS UINT32_MAX

TERN_EXTERN_C_BEGIN

/* The two that are seldom or slow anyway, in ring_wait.c. They take and return exchanges_left by
 * value: a view whose address nobody takes stays in registers. */
uint32_t tern__ring_exchange(struct tern_ring_end *end, tern_a32 *word, uint32_t value, uint32_t exchanges_left);
uint32_t tern__ring_wake_asleep(struct tern_ring_end *end, tern_a32 *word, uint32_t exchanges_left);

TERN_EXTERN_C_END

/* After a plain store to the word of an asymmetric end: did somebody go to sleep? */
TERN_INLINE bool tern__ring_sees_asleep(struct tern_ring_end *end)
{
    /* [RING-5] light: our store of the word before our look at asleep.
     * Pairs with: [RING-5] heavy in ring_sleep_asymmetric().
     * Otherwise: we miss the sleeper that missed our store; it sleeps on. */
    tern_barrier_light(RING_5_LOOK);
    /* relaxed: ordered by the barrier; nothing is read on the strength of it */
    return TERN_UNLIKELY(tern_a32_load_relaxed(&end->asleep) != 0);
}

/* Publish one item, or all up to tail, by a word: the end's, or the slot's sequence. */
TERN_INLINE void tern__ring_publish_items(tern_ring_producer *p, tern_a32 *word, uint32_t value)
{
    struct tern_ring_end *end = &p->ends[0];
    if (p->waitable && (!TERN__HAS_BARRIER || TERN_UNLIKELY(p->exchanges_left))) {
        p->exchanges_left = tern__ring_exchange(end, word, value, p->exchanges_left);
    } else {
        /* [RING-1] release: the items' bytes before the word.
         * Pairs with: [RING-1] acquire in tern__ring_load_tail(), tern__ring_slot_is_filled().
         * Otherwise: the consumer may read an unfinished item. */
        tern_a32_store_release(word, value, RING_1_PUBLISH);
        if (!TERN_UNLIKELY(p->waitable)) return;
        if (tern__ring_sees_asleep(end)) p->exchanges_left = tern__ring_wake_asleep(end, word, 0);
    }
    tern__bell_ring_bound(p->bell, p->bell_source);
}

/* Publish head: what was freed. */
TERN_INLINE void tern__ring_publish_head(tern_ring_consumer *c)
{
    struct tern_ring_end *end = &c->ends[1];
    c->released = c->head;
    if (c->waitable && (!TERN__HAS_BARRIER || TERN_UNLIKELY(c->exchanges_left))) {
        c->exchanges_left = tern__ring_exchange(end, &end->word, c->head << 1, c->exchanges_left);
        return;
    }
    /* [RING-2] release: our reads of the slots before head.
     * Pairs with: [RING-2] acquire in tern__ring_see_space().
     * Otherwise: the producer may overwrite an item that we still read. */
    tern_a32_store_release(&end->word, c->head << 1, RING_2_FREE);
    if (c->waitable && tern__ring_sees_asleep(end)) c->exchanges_left = tern__ring_wake_asleep(end, &end->word, 0);
}

#endif
