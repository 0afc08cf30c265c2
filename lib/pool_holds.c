/* SPDX-License-Identifier: MIT */
/* pool_holds.c: pools in regions, whose users may die.
 *
 * Who died must not keep a pin, and a slot on its way must not be lost. So what a peer has in hand stands
 * in words of its own, its holds, and not as a part of a number that many share:
 *
 *   pin      A hold says so; the slot's word is only looked at afterwards. As with hazard
 *            pointers (Michael 2004), whoever frees makes the handle stale first and looks at all
 *            holds then: of the two one sees the other, so both looks are seq_cst [POOL-6].
 *   free     Live becomes dying, always. A dying slot that no hold pins becomes free; who sees that
 *            first, by compare-exchange, gives it back: who freed it, or whoever let go of it last.
 *   on its   A slot that is neither in the free list nor live nor dying is on its way. Before
 *   way      anybody takes or frees one, a hold of his says that he may be about to (BUSY).
 *
 * A hold that a dead peer left is settled from the slot itself: is it pinned, dying, in the list?
 * Each answer is a fact that doing the work changes, so settling twice does nothing the second time.
 * Alone a slot on its way between two peers needs a look at the others' holds: is one of them
 * alive and about to touch it? Then it is his; if he is stopped just there, the matter is left until later.
 *
 * A peer that has more than TERN_PEER_HOLDS things in hand counts further pins in the slot's word,
 * as in a pool outside of a region: they are good, but stay if it dies. */
#include "pool_parts.h"

/* ---- Holds ----------------------------------------------------------------------------- */

static uint32_t hold_kind(uint64_t hold)
{
    return (uint32_t)(hold >> 62);
}

static uint32_t hold_index(uint64_t hold)
{
    return (uint32_t)(hold >> TERN__HOLD_GENERATION_BITS) & TERN__POOL_NO_INDEX;
}

/* Whether two holds are of the same slot. */
static bool hold_same_slot(uint64_t hold, uint64_t other)
{
    return ((hold ^ other) << 2 >> (TERN__HOLD_GENERATION_BITS + 2)) == 0;
}

tern_a64 *tern__hold_take(const tern_pool *pool, uint64_t value)
{
    struct tern_region_peer *peer = &pool->peers[pool->peer_slot];
    for (uint32_t i = 0; i < TERN_PEER_HOLDS; i++) {
        uint64_t none = 0;
        /* relaxed, both: only compared */
        if (tern_a64_load_relaxed(&peer->holds[i]) != 0) continue;
        uint32_t used = tern_a32_load_relaxed(&peer->holds_used); /* relaxed: as above */
        /* [POOL-6] seq_cst: that there is one more hold to look at, before it is taken.
         * Pairs with: [POOL-6] seq_cst in hold_pins().
         * Otherwise: who frees the slot may not look at our hold, and reuses what we pin. */
        while (used < i + 1 && !tern_a32_cas_seq_cst(&peer->holds_used, &used, i + 1, POOL_6_MORE)) {}
        /* [POOL-6] seq_cst: our hold before our look at the slot's word.
         * Pairs with: [POOL-6] seq_cst in hold_pins().
         * Otherwise: we may see the slot live, and who frees it no hold: it is reused while we pin it. */
        if (tern_a64_cas_seq_cst(&peer->holds[i], &none, value, POOL_6_HOLD)) return &peer->holds[i];
    }
    return NULL;
}

void tern__hold_drop(tern_a64 *hold)
{
    /* [POOL-7] release: what we did to the slot, in the list or in its word.
     * Pairs with: [POOL-7] acquire in hold_is_awaited().
     * Otherwise: a burier may take the slot for one that is nobody's, and give it back a second time. */
    if (hold) tern_a64_store_release(hold, 0, POOL_7_DROP);
}

/* Whether any peer pins the slot of this hold. */
static bool hold_pins(const tern_pool *pool, uint64_t pin)
{
    /* [POOL-6] seq_cst, all three: our look at the holds after the handle was made stale.
     * Pairs with: [POOL-6] seq_cst in tern__hold_take(), peer_take(), tern__pool_unpin_held().
     * Otherwise: we may miss a hold whose peer saw the slot live, and reuse what it pins. */
    uint32_t peers = tern_a32_load_seq_cst(pool->peers_used, POOL_6_SEE_PEERS);
    if (peers > pool->max_peers) peers = pool->max_peers;
    for (uint32_t slot = 0; slot < peers; slot++) {
        struct tern_region_peer *peer = &pool->peers[slot];
        uint32_t used = tern_a32_load_seq_cst(&peer->holds_used, POOL_6_SEE_MORE);
        if (used > TERN_PEER_HOLDS) used = TERN_PEER_HOLDS;
        for (uint32_t i = 0; i < used; i++) {
            uint64_t hold = tern_a64_load_seq_cst(&peer->holds[i], POOL_6_SEE);
            if (hold_kind(hold) == TERN__HOLD_PIN && hold_same_slot(hold, pin)) return true;
        }
    }
    return false;
}

/* ---- Calls ------------------------------------------------------------------------------- */

tern_status tern__pool_reclaim_held(const tern_pool *pool, uint32_t index, uint32_t generation)
{
    struct tern_pool_slot *slot = tern__pool_slot(pool, index);
    uint64_t dying = tern__pool_life(generation, TERN__POOL_DYING), word = dying;
    if (hold_pins(pool, tern__hold(TERN__HOLD_PIN, pool->object, index, 0))) return TERN_DEFERRED;
    /* [POOL-1] release: what was done under the holds that we saw gone.
     * Pairs with: [POOL-1] acquire in tern_pool_alloc().
     * Otherwise: the next item may be written over this one while it is still being read. */
    if (tern_a64_cas_release(&slot->word, &word, tern__pool_rest(generation), POOL_1_RECLAIM))
        return tern__pool_recycle(pool, index, generation);
    return (word & ~(uint64_t)TERN__POOL_PINS_MASK) == dying ? TERN_DEFERRED : TERN_OK;
}

/* Turn a pin of ours into nothing; if it was the last of a dying slot, give that back. */
static void hold_let_go(const tern_pool *pool, tern_a64 *hold, uint32_t index)
{
    /* [POOL-6] seq_cst: that our pin is gone, before our look at the slot's word.
     * Pairs with: [POOL-6] seq_cst in hold_pins(), hold_end_life().
     * Otherwise: who frees may see our pin, and we no dying slot: nobody gives it back. */
    uint64_t word = tern_a64_load_seq_cst(&tern__pool_slot(pool, index)->word, POOL_6_LAST);
    uint32_t generation = (uint32_t)(word >> 32);
    if (word == tern__pool_life(generation, TERN__POOL_DYING)) (void)tern__pool_reclaim_held(pool, index, generation);
    tern__hold_drop(hold);
}

void *tern__pool_pin_held(tern_pool *pool, tern_handle handle)
{
    struct tern_pool_slot *slot = tern__pool_slot(pool, handle.index);
    uint64_t pin = tern__hold(TERN__HOLD_PIN, pool->object, handle.index, 0);
    tern_a64 *hold = tern__hold_take(pool, pin);
    if (!hold) return tern__pool_pin_counted(pool, handle);
    /* [POOL-6] seq_cst: our look at the slot's word after our hold.
     * Pairs with: [POOL-6] seq_cst in hold_end_life().
     * Otherwise: we may see the slot live, and who frees it no hold: it is reused while we pin it.
     * [POOL-1] acquire: what was done to the slot's former items, and under former pins.
     * Pairs with: [POOL-1] release in hold_end_life(), tern__pool_reclaim_held().
     * Otherwise: whoever has the handle from no one that publishes may see a former item's bytes. */
    uint64_t word = tern_a64_load_seq_cst(&slot->word, POOL_6_LOOK);
    if (tern__pool_is_live(word, handle.generation)) return tern__pool_item(slot);
    /* it may have kept somebody from giving back what is in the slot now
     * [POOL-6] seq_cst: as in tern__pool_unpin_held().
     * Pairs with: [POOL-6] seq_cst in hold_pins().
     * Otherwise: as there. */
    (void)tern_a64_cas_seq_cst(hold, &pin, tern__hold(TERN__HOLD_BUSY, pool->object, handle.index, 0), POOL_6_MISS);
    hold_let_go(pool, hold, handle.index);
    return NULL;
}

void tern__pool_unpin_held(tern_pool *pool, tern_handle handle)
{
    struct tern_region_peer *peer = &pool->peers[pool->peer_slot];
    /* relaxed: only a bound; ours has been counted */
    uint32_t used = tern_a32_load_relaxed(&peer->holds_used);
    if (used > TERN_PEER_HOLDS) used = TERN_PEER_HOLDS;
    for (uint32_t i = 0; i < used; i++) {
        uint64_t pin = tern__hold(TERN__HOLD_PIN, pool->object, handle.index, 0);
        /* relaxed: only compared */
        if (tern_a64_load_relaxed(&peer->holds[i]) != pin) continue;
        /* of two pins of one slot either is as good
         * [POOL-6] seq_cst: that our pin is gone, before our look at the slot's word; and with it all that
         * we did with the item.
         * Pairs with: [POOL-6] seq_cst in hold_pins().
         * Otherwise: who frees may see our pin, and we no dying slot: nobody gives it back. */
        if (!tern_a64_cas_seq_cst(&peer->holds[i], &pin, tern__hold(TERN__HOLD_BUSY, pool->object, handle.index, 0),
                                  POOL_6_UNPIN)) continue;
        hold_let_go(pool, &peer->holds[i], handle.index);
        return;
    }
    tern__pool_unpin_counted(pool, handle);
}

/* Make a handle stale: live becomes dying, with the pins that are counted. TERN_OK or TERN_ERR_STALE. */
static tern_status hold_end_life(const tern_pool *pool, tern_handle handle)
{
    struct tern_pool_slot *slot = tern__pool_slot(pool, handle.index);
    uint64_t word = tern__pool_life(handle.generation, TERN__POOL_LIVE);
    for (uint32_t tries = 0; tries < TERN__POOL_TRIES; tries++) {
        if (!tern__pool_is_live(word, handle.generation)) return TERN_ERR_STALE;
        uint64_t after = tern__pool_life(handle.generation + 1, TERN__POOL_DYING) | (word & TERN__POOL_PINS_MASK);
        /* [POOL-6] seq_cst: that the handle is stale, before our look at the holds.
         * Pairs with: [POOL-6] seq_cst in tern__pool_pin_held(), hold_let_go().
         * Otherwise: we may see no hold, and its peer the slot live: it is reused while it is pinned.
         * [POOL-1] release: all that the caller did with the item.
         * Pairs with: [POOL-1] acquire in tern_pool_alloc(), tern__pool_pin_held(), tern_pool_get().
         * Otherwise: the next item may be written over this one while we still read it.
         * [POOL-2] acquire: where the free list stood when the slot left it.
         * Pairs with: [POOL-2] release in tern_pool_alloc().
         * Otherwise: we may put the slot back at a place of the list that has been. */
        if (tern_a64_cas_seq_cst(&slot->word, &word, after, POOL_6_END)) return TERN_OK;
    }
    return TERN_ERR_CORRUPT;
}

tern_status tern__pool_free_held(tern_pool *pool, tern_handle handle, bool condemn)
{
    uint32_t kind = condemn ? TERN__HOLD_PIN : TERN__HOLD_BUSY;
    if (handle.index >= pool->slots || handle.generation > TERN__POOL_LAST_GENERATION) return TERN_ERR_STALE;
    uint64_t value = tern__hold(kind, pool->object, handle.index, 0);
    tern_a64 *hold = tern__hold_take(pool, value);
    if (condemn && !hold) return TERN_ERR_FULL;
    tern_status status = hold_end_life(pool, handle);
    if (status == TERN_OK && condemn) return TERN_DEFERRED;   /* the pin stays, for tern_pool_unpin() */
    if (status == TERN_OK) status = tern__pool_reclaim_held(pool, handle.index, handle.generation + 1);
    tern__hold_drop(hold);
    return status;
}

/* ---- Settling ------------------------------------------------------------------------------ */

/* Whether a peer that is alive may be about to take the slot of this hold, or to give it back. */
static bool hold_is_awaited(const tern_region *region, const tern_a64 *own, uint64_t hold)
{
    for (uint32_t slot = 0; slot < region->max_peers; slot++) {
        struct tern_region_peer *peer = &region->peers[slot];
        for (uint32_t i = 0; i < TERN_PEER_HOLDS; i++) {
            /* [POOL-7] acquire: what the peer did to the slot before it dropped its hold.
             * Pairs with: [POOL-7] release in tern__hold_drop().
             * Otherwise: we may take the slot for one that is nobody's, and give it back a second time. */
            uint64_t other = tern_a64_load_acquire(&peer->holds[i], POOL_7_SEE);
            if (hold_kind(other) < TERN__HOLD_BUSY || !hold_same_slot(other, hold) || &peer->holds[i] == own) continue;
            /* relaxed: a peer that became one since has not touched the slot */
            uint32_t word = tern_a32_load_relaxed(&peer->word);
            if (!tern__peer_is_dead(region, tern__peer_reference(slot, word))) return true;
        }
    }
    return false;
}

/* A free slot that may be on its way: give it back if it is nobody's. */
static tern_status hold_settle_free(const tern_region *region, const tern_pool *pool, const tern_a64 *own,
                                    uint64_t hold, uint64_t word, tern_recovery *report)
{
    uint32_t index = hold_index(hold);
    struct tern_pool_slot *slot = tern__pool_slot(pool, index);
    if (hold_is_awaited(region, own, hold)) return TERN_ERR_BUSY;
    tern_status status = tern__pool_find_listed(pool, index);
    if (status != TERN_ERR_NOT_FOUND) return status;
    /* not in the list, unless somebody was faster who has taken it since: then its word is another, or
     * he is still at it
     * relaxed: only compared, after [POOL-7] */
    if (hold_is_awaited(region, own, hold)) return TERN_ERR_BUSY;
    if (tern_a64_load_relaxed(&slot->word) != word) return TERN_OK; /* relaxed: as above */
    report->slots++;
    return tern__pool_give_back(pool, index);
}

/* Bring a slot to rest that a dead peer had in hand. */
static tern_status hold_settle_slot(const tern_region *region, const tern_pool *pool, const tern_a64 *own,
                                    uint64_t hold, tern_recovery *report)
{
    uint32_t index = hold_index(hold);
    struct tern_pool_slot *slot = tern__pool_slot(pool, index);
    /* [POOL-6] seq_cst: our look at the slot after the dead peer's pin is gone.
     * Pairs with: [POOL-6] seq_cst in hold_pins(), hold_end_life().
     * Otherwise: who frees may see the pin, and we no dying slot: nobody gives it back. */
    uint64_t word = tern_a64_load_seq_cst(&slot->word, POOL_6_SETTLE);
    uint32_t generation = (uint32_t)(word >> 32);
    bool unmade = hold_kind(hold) == TERN__HOLD_MADE
        && ((uint32_t)hold ^ generation) << (32 - TERN__HOLD_GENERATION_BITS) == 0;
    if (unmade && tern__pool_is_live(word, generation)) {
        /* an item that was never handed out: nobody has its handle but by guessing */
        tern_handle handle = { index, generation };
        if (hold_end_life(pool, handle) != TERN_OK) return TERN_OK;
        report->slots++;
        /* relaxed: what becomes of it now is decided by compare-exchange */
        word = tern_a64_load_relaxed(&slot->word);
        generation = (uint32_t)(word >> 32);
    }
    if (word == tern__pool_life(generation, TERN__POOL_DYING)) {
        tern_status status = tern__pool_reclaim_held(pool, index, generation);
        return status == TERN_DEFERRED ? TERN_OK : status;
    }
    if (generation <= TERN__POOL_LAST_GENERATION && word == tern__pool_life(generation, TERN__POOL_FREE))
        return hold_settle_free(region, pool, own, hold, word, report);
    return TERN_OK;
}

tern_status tern__pool_settle(const tern_region *region, tern_a64 *hold, tern_recovery *report)
{
    tern_object object;
    tern_pool pool;
    /* relaxed: of a peer that is dead or ourselves */
    uint64_t value = tern_a64_load_relaxed(hold);
    uint32_t number = (uint32_t)(value >> 46) & 0xffffu, index = hold_index(value);
    tern_status status = TERN_ERR_CORRUPT;
    if (number < region->max_objects && tern__region_object(region, number, &object) == TERN_OK
        && object.type == TERN_TYPE_POOL)
        status = tern__pool_attach(&pool, region, &object);
    if (status == TERN_OK && index < pool.slots) {
        if (hold_kind(value) == TERN__HOLD_PIN) {
            uint64_t busy = tern__hold(TERN__HOLD_BUSY, number, index, 0);
            /* [POOL-6] seq_cst: that the pin is gone, before our look at the slot's word.
             * Pairs with: [POOL-6] seq_cst in hold_pins().
             * Otherwise: who frees may see the pin, and we no dying slot: nobody gives it back. */
            if (tern_a64_cas_seq_cst(hold, &value, busy, POOL_6_DEAD)) report->pins++;
            value = busy;
        }
        status = hold_settle_slot(region, &pool, hold, value, report);
    } else if (status == TERN_OK && index != TERN__POOL_NO_INDEX) {
        status = TERN_ERR_CORRUPT;
    }
    if (status != TERN_ERR_BUSY) tern__hold_drop(hold);
    return status;
}
