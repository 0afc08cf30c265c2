/* SPDX-License-Identifier: MIT */
/*
 * pool_inline.h: the pool's hot path: check, pin, unpin, read. Included by pool.h, never by itself.
 */
#ifndef TERN_POOL_INLINE_H
#define TERN_POOL_INLINE_H

#ifndef TERN_POOL_H
#  error "include <tern/pool.h>, not pool_inline.h"
#endif

/* How often a call tries again because others were faster, before it says that the bytes make no
 * sense. Each lost try is somebody else's success, so no sound pool comes near it. */
#ifndef TERN__POOL_TRIES
#  define TERN__POOL_TRIES (1u << 20)
#endif

/* ---- Parts ------------------------------------------------------------------- */

/* A word without its pins. */
TERN_INLINE uint64_t tern__pool_life(uint32_t generation, uint32_t state)
{
    return (uint64_t)generation << 32 | (uint64_t)state << TERN__POOL_STATE_SHIFT;
}

/* Whether the word says: live, in this generation. */
TERN_INLINE bool tern__pool_is_live(uint64_t word, uint32_t generation)
{
    return (word & ~(uint64_t)TERN__POOL_PINS_MASK) == tern__pool_life(generation, TERN__POOL_LIVE);
}

/* The index must be below pool->slots. */
TERN_INLINE struct tern_pool_slot *tern__pool_slot(const tern_pool *pool, uint32_t index)
{
    return (struct tern_pool_slot *)(void *)(pool->first + (size_t)index * pool->stride_bytes);
}

TERN_INLINE void *tern__pool_item(struct tern_pool_slot *slot)
{
    return slot + 1;
}

/* Pin by counting in the slot's word. The index is below pool->slots. */
TERN_INLINE void *tern__pool_pin_counted(tern_pool *pool, tern_handle handle)
{
    struct tern_pool_slot *slot = tern__pool_slot(pool, handle.index);
    /* not loaded first but guessed: live, and nobody pins it. Who is wrong learns the word from that. */
    uint64_t word = tern__pool_life(handle.generation, TERN__POOL_LIVE);
    for (uint32_t tries = 0; TERN_LIKELY(tries < TERN__POOL_TRIES); tries++) {
        /* [POOL-1] acquire: what was done to the slot's former items, and under former pins.
         * Pairs with: [POOL-1] release in pool_end_life(), tern__pool_unpin_counted(), tern__hold_end_life(),
         * tern__pool_reclaim_held().
         * Otherwise: whoever has the handle from no one that publishes may see a former item's bytes.
         * [POOL-2] acquire: where the free list stood when the slot left it.
         * Pairs with: [POOL-2] release in pool_make().
         * Otherwise: the last unpin may put the slot back at a place of the list that has been. */
        if (TERN_LIKELY(tern_a64_cas_acquire(&slot->word, &word, word + 1, POOL_1_PIN))) return tern__pool_item(slot);
        if (TERN_UNLIKELY(!tern__pool_is_live(word, handle.generation))) return NULL;
        if (TERN_UNLIKELY((word & TERN__POOL_PINS_MASK) >= TERN_POOL_MAX_PINS)) return NULL;
    }
    return NULL;
}

/* Count a pin off. The index is below pool->slots. */
TERN_INLINE void tern__pool_unpin_counted(tern_pool *pool, tern_handle handle)
{
    /* [POOL-1] release: our accesses to the item.
     * Pairs with: [POOL-1] acquire in pool_make().
     * Otherwise: the next item may be written over this one while we still read it. */
    uint64_t was = tern_a64_fetch_sub_release(&tern__pool_slot(pool, handle.index)->word, 1, POOL_1_UNPIN);
    if (TERN_UNLIKELY((uint32_t)was == (TERN__POOL_DYING << TERN__POOL_STATE_SHIFT | 1u)))
        tern__pool_reclaim(pool, handle.index, (uint32_t)(was >> 32));
}

/* ---- Calls ------------------------------------------------------------------- */

/**
 * The item of a handle, if it is live at this moment.
 *
 * The answer holds only as long as nobody frees the handle. Checking and then reading while
 * another thread may free is a race, however short the time between: the slot may be reused
 * in it. The caller must know that nobody frees it meanwhile, or hold a pin, or be inside an
 * RCU read section while others free with tern_pool_free_rcu() only.
 *
 * @return the item, aligned to 16 bytes; NULL: stale, null or never given out
 *
 * Role:     any
 * Progress: wait-free
 * Order:    acquire [POOL-1]: what was done to the slot's former items is over
 * Crash:    nothing is written
 */
TERN_INLINE void *tern_pool_get(const tern_pool *pool, tern_handle handle)
{
    if (TERN_UNLIKELY(handle.index >= pool->slots)) return NULL;
    struct tern_pool_slot *slot = tern__pool_slot(pool, handle.index);
    /* [POOL-1] acquire: what was done to the slot's former items.
     * Pairs with: [POOL-1] release in pool_end_life(), tern__pool_unpin_counted(), tern__hold_end_life(),
     * tern__pool_reclaim_held().
     * Otherwise: whoever has the handle from no one that publishes may see a former item's bytes. */
    uint64_t word = tern_a64_load_acquire(&slot->word, POOL_1_GET);
    return TERN_LIKELY(tern__pool_is_live(word, handle.generation)) ? tern__pool_item(slot) : NULL;
}

/**
 * Hold an item: its slot is not reused before tern_pool_unpin().
 *
 * A pin keeps the item where it is, it locks nobody out: others may pin it too, and free it,
 * which makes the handle stale at once and the item's end wait for the last unpin.
 *
 * @return the item, aligned to 16 bytes, valid until unpin; NULL: stale, null or never given
 *         out, or pinned TERN_POOL_MAX_PINS times
 *
 * Role:     any
 * Progress: lock-free; one read-modify-write if nobody else touches the slot
 * Order:    acquire [POOL-1], [POOL-2]: what was done to the slot's former items, and what was
 *           done to this one under pins that are over
 * Crash:    in a region tern_peer_recover() gives up the pins of a peer that died, up to 48 at once;
 *           elsewhere they stay, and the slot is never reused
 */
TERN_INLINE void *tern_pool_pin(tern_pool *pool, tern_handle handle)
{
    if (TERN_UNLIKELY(handle.index >= pool->counted_slots))
        return TERN__MODULE ? NULL : tern__pool_pin_held(pool, handle);
    return tern__pool_pin_counted(pool, handle);
}

/**
 * Let go of an item. The last unpin of a freed item gives its slot back.
 *
 * @param handle one that tern_pool_pin() accepted, once for each such pin
 *
 * Role:     whoever pinned, from any thread that knows of the pin
 * Progress: wait-free, one read-modify-write; lock-free if it gives the slot back
 * Order:    release [POOL-1]: all that the caller did with the item
 * Crash:    dying inside leaves the pin, or nothing, or the slot on its way: as tern_pool_alloc()
 */
TERN_INLINE void tern_pool_unpin(tern_pool *pool, tern_handle handle)
{
    TERN_ASSERT(handle.index < pool->slots);
    if (TERN_LIKELY(handle.index < pool->counted_slots)) tern__pool_unpin_counted(pool, handle);
    else if (!TERN__MODULE) tern__pool_unpin_held(pool, handle);
}

/**
 * Copy an item out, under a pin.
 *
 * @param out        receives the bytes; untouched on failure
 * @param size_bytes 0 .. item_size_bytes, from the beginning of the item
 * @return TERN_OK; TERN_ERR_STALE: as tern_pool_pin() gives NULL; TERN_ERR_ARGUMENT: larger
 *         than an item
 *
 * Role: any. Progress: lock-free. Order: acquire and release [POOL-1]. Crash: as tern_pool_pin().
 */
TERN_INLINE tern_status tern_pool_read(tern_pool *pool, tern_handle handle, void *out, size_t size_bytes)
{
    if (TERN_UNLIKELY(size_bytes > pool->item_size_bytes)) return TERN_ERR_ARGUMENT;
    const void *item = tern_pool_pin(pool, handle);
    if (TERN_UNLIKELY(!item)) return TERN_ERR_STALE;
    tern_copy_from_shared(out, item, size_bytes);
    tern_pool_unpin(pool, handle);
    return TERN_OK;
}

#endif
