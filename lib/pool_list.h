/* SPDX-License-Identifier: MIT */
/* pool_list.h: the free list of a pool; in a header, so that it becomes a part of each call that uses it.
 *
 * It is a queue of slots linked by their indices, after Michael and Scott. Its first
 * slot is always kept: taking moves head on to the second and hands out the first, so a slot
 * goes through the list without being copied, and the list never is without a slot to link to.
 *
 * Places are numbered, modulo 2^40. head and tail carry the number of the place they stand at,
 * a link the number of the place that its slot has. So a link that is read by way of head or tail must
 * carry the very same number, or the slot has moved on since; and each compare-exchange
 * goes from place p to p + 1, where p is what it compared. No place comes twice, so nothing
 * that was read long ago can be taken for something new. The numbers also count:
 * head's is how many were taken, tail's how many were given back. */
#ifndef TERN_POOL_LIST_H
#define TERN_POOL_LIST_H

#include "pool_parts.h"

/* How often a call that lost a race for the list pauses before it tries again: some microseconds,
 * in which the winner can do several calls on lines that it has. Two threads that retry at
 * once take them from each other at every step, and all of them are three times slower. */
#ifndef TERN__POOL_PAUSES
#  define TERN__POOL_PAUSES 128u
#endif

/* How often it tries; see TERN__POOL_TRIES. */
#ifndef TERN__POOL_LIST_TRIES
#  define TERN__POOL_LIST_TRIES (1u << 13)
#endif

static inline void tern__pool_back_off(void)
{
#if defined(TERN_MODEL)
    tern_cpu_relax();
#else
    for (uint32_t i = 0; i < TERN__POOL_PAUSES; i++) tern_cpu_relax();
#endif
}

/* Move tail on from one place to the next; false if somebody else did, or it is elsewhere. */
static inline bool tern__pool_move_tail(struct tern_pool_shared *shared, uint64_t from, uint32_t next)
{
    /* [POOL-4] release: that the place we leave has its successor.
     * Pairs with: [POOL-4] acquire in tern__pool_give_back().
     * Otherwise: an alloc may miss a slot that is there, and say "full". */
    return tern_a64_cas_release(&shared->tail.link, &from, tern__pool_link(next, tern__pool_place(from) + 1),
                                POOL_4_MOVE);
}

/* Take the first slot of the list; before it is ours, the hold says that it may be. TERN_OK, TERN_ERR_FULL: it is
 * the only one; TERN_ERR_CORRUPT. */
static inline tern_status tern__pool_take(const tern_pool *pool, uint32_t *index, tern_a64 *hold)
{
    struct tern_pool_shared *shared = pool->shared;
    for (uint32_t tries = 0; tries < TERN__POOL_LIST_TRIES; tries++) {
        /* [POOL-3] acquire: what those did who took before us: which slots they had given back.
         * Pairs with: [POOL-3] release below.
         * Otherwise: we may miss a slot that is there, and say "full". */
        uint64_t head = tern_a64_load_acquire(&shared->head.link, POOL_3_SEE);
        *index = tern__pool_index(head);
        if (*index >= pool->slots) return TERN_ERR_CORRUPT;
        /* [POOL-5] acquire: the next slot's word, for whoever takes it.
         * Pairs with: [POOL-5] release in tern__pool_give_back().
         * Otherwise: a free slot may look live, and the list damaged. */
        uint64_t link = tern_a64_load_acquire(&tern__pool_slot(pool, *index)->link, POOL_5_FOLLOW);
        if (tern__pool_place(link) == tern__pool_place(head)) {
            uint32_t next = tern__pool_index(link);
            if (next == TERN__POOL_NO_INDEX) return TERN_ERR_FULL;
            if (next >= pool->slots) return TERN_ERR_CORRUPT;
            tern__hold_change(hold, tern__hold(TERN__HOLD_BUSY, pool->object, *index, 0));
            /* relaxed: only compared; tail must be past a slot that leaves the list */
            uint64_t tail = tern_a64_load_relaxed(&shared->tail.link);
            if (tern__pool_distance(head, tail) > 0 || tern__pool_move_tail(shared, head, next)) {
                /* [POOL-3] release: which slots we gave back before, and the next one's [POOL-5].
                 * Pairs with: [POOL-3] acquire above.
                 * Otherwise: the next alloc may miss a slot that is there, and say "full". */
                if (tern_a64_cas_release(&shared->head.link, &head, tern__pool_link(next, tern__pool_place(head) + 1),
                                         POOL_3_TAKE)) return TERN_OK;
            }
        }
        tern__pool_back_off();
    }
    return TERN_ERR_CORRUPT;
}

/* Put a slot that is ours at the end of the list. */
static inline tern_status tern__pool_give_back(const tern_pool *pool, uint32_t index)
{
    struct tern_pool_shared *shared = pool->shared;
    struct tern_pool_slot *own = tern__pool_slot(pool, index);
    for (uint32_t tries = 0; tries < TERN__POOL_LIST_TRIES; tries++) {
        /* [POOL-4] acquire: that all places before this one have their successors.
         * Pairs with: [POOL-4] release in tern__pool_move_tail().
         * Otherwise: an alloc may miss a slot that is there, and say "full". */
        uint64_t tail = tern_a64_load_acquire(&shared->tail.link, POOL_4_SEE);
        if (tern__pool_index(tail) >= pool->slots) return TERN_ERR_CORRUPT;
        struct tern_pool_slot *last = tern__pool_slot(pool, tern__pool_index(tail));
        /* relaxed: its place is compared; a slot that we help to tail is not touched */
        uint64_t link = tern_a64_load_relaxed(&last->link);
        if (tern__pool_place(link) == tern__pool_place(tail)) {
            if (tern__pool_index(link) != TERN__POOL_NO_INDEX) {
                tern__pool_move_tail(shared, tail, tern__pool_index(link));
                continue;
            }
            /* relaxed: who finds an older value sees another place, and looks again */
            tern_a64_store_relaxed(&own->link, tern__pool_link(TERN__POOL_NO_INDEX, tern__pool_place(tail) + 1));
            /* [POOL-5] release: the slot's word, free again.
             * Pairs with: [POOL-5] acquire in tern__pool_take().
             * Otherwise: a free slot may look live, and the list damaged. */
            if (tern_a64_cas_release(&last->link, &link, tern__pool_link(index, tern__pool_place(tail)), POOL_5_LINK)) {
                tern__pool_move_tail(shared, tail, index);
                return TERN_OK;
            }
        }
        tern__pool_back_off();
    }
    return TERN_ERR_CORRUPT;
}

/* A slot whose item has ended, and which nobody pins: to the list, or into retirement. */
static inline tern_status tern__pool_recycle(const tern_pool *pool, uint32_t index, uint32_t generation)
{
    if (generation <= TERN__POOL_LAST_GENERATION) return tern__pool_give_back(pool, index);
    /* relaxed: a number to look at */
    tern_a32_fetch_add_relaxed(&pool->shared->retired, 1);
    return TERN_OK;
}

#endif
