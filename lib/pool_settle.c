/* SPDX-License-Identifier: MIT */
/* pool_settle.c: what a peer that died had in hand of pools is brought to rest.
 *
 * A hold that a dead peer left (pool_holds.c) is settled from the slot itself: is it pinned, dying, in the list?
 * Each answer is a fact that doing the work changes, so settling twice does nothing the second time.
 * Alone a slot on its way between two peers needs a look at the others' holds: is one of them
 * alive and about to touch it? Then it is his; if he is stopped just there, the matter is left until later. */
#include "pool_list.h"

/* ---- Looks -------------------------------------------------------------------------------- */

/* Whether a slot is in the list, which nobody puts there now. TERN_OK: it is; TERN_ERR_NOT_FOUND; TERN_ERR_BUSY:
 * the list ran away under us each time, or goes round in a circle. */
static tern_status settle_find_listed(const tern_pool *pool, uint32_t index)
{
    uint64_t steps_left = 16 * (uint64_t)pool->slots + TERN__POOL_LIST_TRIES;
    while (steps_left > 0) {
        /* [POOL-3] acquire: the holds of those who took before.
         * Pairs with: [POOL-3] release in tern__pool_take().
         * Otherwise: we may see that the slot is gone, and not who is just about to make an item of it. */
        uint64_t at = tern_a64_load_acquire(&pool->shared->head.link, POOL_3_WALK);
        while (steps_left-- > 0) {
            if (tern__pool_index(at) >= pool->slots) return TERN_ERR_CORRUPT;
            if (tern__pool_index(at) == index) return TERN_OK;
            /* relaxed: its place is compared; who put our slot there has dropped a hold that we saw dropped */
            uint64_t link = tern_a64_load_relaxed(&tern__pool_slot(pool, tern__pool_index(at))->link);
            if (tern__pool_place(link) != tern__pool_place(at)) break;   /* taken meanwhile: from the start */
            if (tern__pool_index(link) == TERN__POOL_NO_INDEX) return TERN_ERR_NOT_FOUND;
            at = tern__pool_link(tern__pool_index(link), tern__pool_place(at) + 1);
        }
        tern__pool_back_off();
    }
    return TERN_ERR_BUSY;
}

static bool settle_peer_lives(const tern_region *region, uint32_t slot)
{
    /* relaxed: a peer that became one since has not touched the slot in question */
    uint32_t word = tern_a32_load_relaxed(&region->peers[slot].word);
    return !tern__peer_is_dead(region, tern__peer_reference(slot, word));
}

/* Whether a peer that is alive may be about to take the slot of this hold, or to give it back. */
static bool settle_is_awaited(const tern_region *region, const tern_a64 *own, uint64_t hold)
{
    for (uint32_t slot = 0; slot < region->max_peers; slot++) {
        struct tern_region_peer *peer = &region->peers[slot];
        for (uint32_t i = 0; i < TERN_PEER_HOLDS; i++) {
            /* [POOL-7] acquire: what the peer did to the slot before it dropped its hold.
             * Pairs with: [POOL-7] release in tern__hold_clear(), tern__hold_change().
             * Otherwise: we may take the slot for one that is nobody's, and give it back a second time. */
            uint64_t other = tern_a64_load_acquire(&peer->holds[i], POOL_7_SEE);
            if (tern__hold_kind(other) < TERN__HOLD_BUSY || !tern__hold_same_slot(other, hold)) continue;
            if (&peer->holds[i] != own && settle_peer_lives(region, slot)) return true;
        }
        /* [POOL-7] acquire: what a call without a hold did.
         * Pairs with: [POOL-7] release in tern__hold_drop().
         * Otherwise: as above. */
        if (tern_a32_load_acquire(&peer->unheld, POOL_7_SEE_UNHELD) != 0 && settle_peer_lives(region, slot))
            return true;
    }
    return false;
}

/* ---- Settling ------------------------------------------------------------------------------ */

/* A free slot that may be on its way: give it back if it is nobody's. */
static tern_status settle_free(const tern_region *region, const tern_pool *pool, const tern_a64 *own,
                               uint64_t hold, uint64_t word, tern_recovery *report)
{
    uint32_t index = tern__hold_index(hold);
    struct tern_pool_slot *slot = tern__pool_slot(pool, index);
    if (settle_is_awaited(region, own, hold)) return TERN_ERR_BUSY;
    tern_status status = settle_find_listed(pool, index);
    if (status != TERN_ERR_NOT_FOUND) return status;
    /* not in the list, unless somebody was faster who has taken it since: then its word is another, or
     * he is still at it */
    if (settle_is_awaited(region, own, hold)) return TERN_ERR_BUSY;
    /* With a new generation: another dead peer may have noted that it makes an item of this one, and the
     * item would be taken for its own that somebody else makes there.
     * relaxed: it publishes nothing; alloc sees through this to what was before [POOL-1] */
    uint32_t generation = (uint32_t)(word >> 32) + 1;
    if (!tern_a64_cas_relaxed(&slot->word, &word, tern__pool_rest(generation))) return TERN_OK;
    report->slots++;
    return tern__pool_recycle(pool, index, generation);
}

/* Bring a slot to rest that a dead peer had in hand. */
static tern_status settle_slot(const tern_region *region, const tern_pool *pool, const tern_a64 *own,
                               uint64_t hold, bool was_pin, tern_recovery *report)
{
    uint32_t index = tern__hold_index(hold);
    struct tern_pool_slot *slot = tern__pool_slot(pool, index);
    /* [POOL-6] seq_cst: our look at the slot after the dead peer's pin is gone.
     * Pairs with: [POOL-6] seq_cst in tern__hold_end_life(), hold_unpin_counted().
     * Otherwise: who frees may see the pin, and we no dying slot: nobody gives it back. */
    uint64_t word = tern_a64_load_seq_cst(&slot->word, POOL_6_SETTLE);
    uint32_t generation = (uint32_t)(word >> 32);
    bool unmade = tern__hold_kind(hold) == TERN__HOLD_MADE
        && ((uint32_t)hold ^ generation) << (32 - TERN__HOLD_GENERATION_BITS) == 0;
    if (unmade && tern__pool_is_live(word, generation)) {
        /* an item that was never handed out: nobody has its handle but by guessing */
        tern_handle handle = { index, generation };
        if (tern__hold_end_life(pool, handle) != TERN_OK) return TERN_OK;
        report->slots++;
        /* relaxed: what becomes of it now is decided by compare-exchange */
        word = tern_a64_load_relaxed(&slot->word);
        generation = (uint32_t)(word >> 32);
    }
    if (word == tern__pool_life(generation, TERN__POOL_DYING)) {
        tern_status status = tern__pool_reclaim_held(pool, index, generation);
        return status == TERN_DEFERRED ? TERN_OK : status;
    }
    /* who only pinned it did not have it on its way */
    if (!was_pin && generation <= TERN__POOL_LAST_GENERATION && word == tern__pool_life(generation, TERN__POOL_FREE))
        return settle_free(region, pool, own, hold, word, report);
    return TERN_OK;
}

tern_status tern__pool_settle(const tern_region *region, tern_a64 *hold, tern_recovery *report)
{
    tern_object object;
    tern_pool pool;
    /* relaxed: of a peer that is dead or ourselves */
    uint64_t value = tern_a64_load_relaxed(hold);
    uint32_t number = (uint32_t)(value >> 46) & 0xffffu, index = tern__hold_index(value);
    tern_status status = TERN_ERR_CORRUPT;   /* also what an attach would say of a pool that is none */
    bool is_pool = number < region->max_objects && tern__region_object(region, number, &object) == TERN_OK
        && object.type == TERN_TYPE_POOL && tern__pool_attach(&pool, region, &object) == TERN_OK;
    if (tern__hold_kind(value) == 0) {
        status = TERN_OK;   /* half of a hold: JavaScript writes one in two, and its peer had nothing in hand */
    } else if (is_pool && index < pool.slots) {
        bool was_pin = tern__hold_kind(value) == TERN__HOLD_PIN;
        if (was_pin && tern__hold_turn_busy(&pool, hold, index)) report->pins++;
        status = settle_slot(region, &pool, hold, value, was_pin, report);
    } else if (is_pool && index == TERN__POOL_NO_INDEX) {
        status = TERN_OK;
    }
    if (status != TERN_ERR_BUSY) tern__hold_clear(hold);
    return status;
}
