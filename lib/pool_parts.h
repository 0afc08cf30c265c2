/* SPDX-License-Identifier: MIT */
/* pool_parts.h: what the files of the pool share: pool.c, pool_list.h, pool_holds.c, pool_settle.c. */
#ifndef TERN_POOL_PARTS_H
#define TERN_POOL_PARTS_H

#include "peers.h"
#include "../include/tern/pool.h"

/* ---- Links ---------------------------------------------------------------------- */

TERN_INLINE uint64_t tern__pool_link(uint32_t index, uint64_t place)
{
    return place << TERN__POOL_INDEX_BITS | index;
}

TERN_INLINE uint32_t tern__pool_index(uint64_t link)
{
    return (uint32_t)link & TERN__POOL_NO_INDEX;
}

TERN_INLINE uint64_t tern__pool_place(uint64_t link)
{
    return link >> TERN__POOL_INDEX_BITS;
}

/* Places from one link to another, modulo 2^40; negative if the other is behind. */
TERN_INLINE int64_t tern__pool_distance(uint64_t from, uint64_t to)
{
    uint64_t places = tern__pool_place(to) - tern__pool_place(from);
    return (int64_t)(places << TERN__POOL_INDEX_BITS) / (1 << TERN__POOL_INDEX_BITS);
}

/* What becomes of a slot of this generation that nobody pins. */
TERN_INLINE uint64_t tern__pool_rest(uint32_t generation)
{
    return tern__pool_life(generation, generation <= TERN__POOL_LAST_GENERATION ? TERN__POOL_FREE
                                                                                : TERN__POOL_RETIRED);
}

/* ---- Holds ------------------------------------------------------------------------ */

/* What a peer has in hand of a pool in a region, in its slot of the peer table:
 * kind:2 | object:16 | index:24 | generation:22. See pool_holds.c. */
enum {
    TERN__HOLD_PIN = 1,    /* the slot is pinned by it */
    TERN__HOLD_BUSY = 2,   /* it may be about to take the slot, or to give it back */
    TERN__HOLD_MADE = 3    /* it took the slot, and its item of this generation is not handed out yet */
};
#define TERN__HOLD_GENERATION_BITS 22

TERN_INLINE uint64_t tern__hold(uint32_t kind, uint32_t object, uint32_t index, uint32_t generation)
{
    return (uint64_t)kind << 62 | (uint64_t)(object & 0xffffu) << 46 | (uint64_t)index << TERN__HOLD_GENERATION_BITS
        | (generation & ((1u << TERN__HOLD_GENERATION_BITS) - 1));
}

TERN_INLINE uint32_t tern__hold_kind(uint64_t hold)
{
    return (uint32_t)(hold >> 62);
}

TERN_INLINE uint32_t tern__hold_index(uint64_t hold)
{
    return (uint32_t)(hold >> TERN__HOLD_GENERATION_BITS) & TERN__POOL_NO_INDEX;
}

/* Whether two holds are of the same slot. */
TERN_INLINE bool tern__hold_same_slot(uint64_t hold, uint64_t other)
{
    return ((hold ^ other) << 2 >> (TERN__HOLD_GENERATION_BITS + 2)) == 0;
}

/* What the hold of our call says from now on; NULL: nothing. */
TERN_INLINE void tern__hold_change(tern_a64 *hold, uint64_t value)
{
    /* [POOL-7] release: what was done under the hold before, which a plain store would hide.
     * Pairs with: [POOL-7] acquire in hold_pins(), settle_is_awaited().
     * Otherwise: as in tern__hold_clear(). */
    if (hold) tern_a64_store_release(hold, value, POOL_7_CHANGE);
}

TERN_EXTERN_C_BEGIN

/* ---- pool.c --------------------------------------------------------------------------- */

/* tern_pool_format() and tern_pool_attach() for a pool in a region: pins are in peers' hands. */
tern_status tern__pool_format(void *memory, size_t size_bytes, const tern_pool_desc *desc, uint32_t flags);
tern_status tern__pool_attach(tern_pool *pool, const tern_region *region, const tern_object *object);

/* ---- pool_holds.c ----------------------------------------------------------------------- */

/* A call is about to touch a slot: a free hold of our peer that says so from now on. NULL: all are in use, and the
 * call is counted. Dropped when the call has done. */
tern_a64 *tern__hold_take(const tern_pool *pool, uint32_t index);
void tern__hold_drop(const tern_pool *pool, tern_a64 *hold);

/* A hold says nothing any more. */
void tern__hold_clear(tern_a64 *hold);

/* Turn a pin into nothing but a call on its way; false if it is none any more. */
bool tern__hold_turn_busy(const tern_pool *pool, tern_a64 *hold, uint32_t index);

/* Make a handle stale: live becomes dying, with the pins that are counted. TERN_OK or TERN_ERR_STALE. */
tern_status tern__hold_end_life(const tern_pool *pool, tern_handle handle);

/* Give a dying slot back if nobody pins it. TERN_OK: it is, by us or others; TERN_DEFERRED; TERN_ERR_CORRUPT. */
tern_status tern__pool_reclaim_held(const tern_pool *pool, uint32_t index, uint32_t generation);

/* ---- pool_settle.c ----------------------------------------------------------------------- */

/* Give up what a hold says, of a peer that is dead or ourselves, and clear it. TERN_OK; TERN_ERR_BUSY: it can't
 * be decided now and stays; TERN_ERR_CORRUPT: it made no sense and is cleared. */
tern_status tern__pool_settle(const tern_region *region, tern_a64 *hold, tern_recovery *report);

TERN_EXTERN_C_END

#endif
