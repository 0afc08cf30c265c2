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

/* Pins stand in the first so many holds of a peer. Calls on their way take the others first, from the end. */
#if !defined(TERN__PEER_PINS)
#  error "TERN_PEER_HOLDS without TERN__PEER_PINS"
#endif

/* How often a thread looks for its pin among those of its peer; see tern__pool_unpin_held(). */
#ifndef TERN__HOLD_TRIES   /* the model: as few as two threads need */
#  define TERN__HOLD_TRIES 64u
#endif

/* Take a pin of the slot; NULL: there are as many as can be. */
static tern_a64 *hold_take_pin(const tern_pool *pool, uint64_t pin)
{
    struct tern_region_peer *peer = &pool->peers[pool->peer_slot];
    uint32_t tries = TERN__POOL_TRIES;   /* to count on: each that fails is a thread of ours, or a liar */
    for (uint32_t i = 0; i < TERN__PEER_PINS; i++) {
        uint64_t none = 0;
        /* relaxed: only compared */
        if (tern_a64_load_relaxed(&peer->holds[i]) != 0) continue;
        /* [POOL-8] acquire: that another thread of ours made it so many.
         * Pairs with: [POOL-8] release below.
         * Otherwise: who frees the slot may not look at our hold, and reuses what we pin. */
        uint32_t used = tern_a32_load_acquire(&peer->pins_used, POOL_8_ENOUGH);
        /* [POOL-6] seq_cst: that there is one more pin to look at, before it is taken.
         * Pairs with: [POOL-6] seq_cst in hold_pins().
         * Otherwise: who frees the slot may not look at our hold, and reuses what we pin.
         * [POOL-8] release: the same, through another thread of ours that does not say it again.
         * Pairs with: [POOL-8] acquire above.
         * Otherwise: as before. */
        while (used < i + 1 && !tern_a32_cas_seq_cst(&peer->pins_used, &used, i + 1, POOL_6_MORE))
            if (--tries == 0) return NULL;
        /* [POOL-6] seq_cst: our hold before our look at the slot's word.
         * Pairs with: [POOL-6] seq_cst in hold_pins().
         * Otherwise: we may see the slot live, and who frees it no hold: it is reused while we pin it. */
        if (tern_a64_cas_seq_cst(&peer->holds[i], &none, pin, POOL_6_HOLD)) return &peer->holds[i];
    }
    return NULL;
}

tern_a64 *tern__hold_take(const tern_pool *pool, uint32_t index)
{
    if (!pool->peers) return NULL;
    struct tern_region_peer *peer = &pool->peers[pool->peer_slot];
    for (uint32_t i = TERN_PEER_HOLDS; i-- > 0;) {
        uint64_t none = 0;
        /* relaxed: only compared */
        if (tern_a64_load_relaxed(&peer->holds[i]) != 0) continue;
        /* [POOL-7] acquire: what another thread of ours did under the hold before us.
         * Pairs with: [POOL-7] release in hold_clear().
         * Otherwise: who sees what we say later, and not that one's, may not see what was done under it. That we
         * have the slot in hand is published by what we do to it. */
        if (tern_a64_cas_acquire(&peer->holds[i], &none, tern__hold(TERN__HOLD_BUSY, pool->object, index, 0),
                                 POOL_7_TAKE)) return &peer->holds[i];
    }
    /* relaxed: published by what we do to the slot */
    tern_a32_fetch_add_relaxed(&peer->unheld, 1);
    return NULL;
}

void tern__hold_change(tern_a64 *hold, uint64_t value)
{
    /* [POOL-7] release: what was done under the hold before, which a plain store would hide.
     * Pairs with: [POOL-7] acquire in hold_pins(), hold_is_awaited().
     * Otherwise: as in hold_clear(). */
    if (hold) tern_a64_store_release(hold, value, POOL_7_CHANGE);
}

static void hold_clear(tern_a64 *hold)
{
    /* [POOL-7] release: what we did to the slot, in the list, in its word and to its item.
     * Pairs with: [POOL-7] acquire in hold_pins(), hold_is_awaited(), tern__hold_take().
     * Otherwise: a burier may take the slot for one that is nobody's, and give it back a second time; the next
     * item may be written over this one while it is still being read. */
    tern_a64_store_release(hold, 0, POOL_7_DROP);
}

void tern__hold_drop(const tern_pool *pool, tern_a64 *hold)
{
    if (hold) hold_clear(hold);
    /* [POOL-7] release: what we did to the slot, in the list and in its word.
     * Pairs with: [POOL-7] acquire in hold_is_awaited().
     * Otherwise: a burier may take the slot for one that is nobody's, and give it back a second time. */
    else if (pool->peers) tern_a32_fetch_add_release(&pool->peers[pool->peer_slot].unheld, UINT32_MAX, POOL_7_UNHELD);
}

/* Whether any peer pins the slot of this hold. */
static bool hold_pins(const tern_pool *pool, uint64_t pin)
{
    /* [POOL-6] seq_cst: our look at the peers after the handle was made stale.
     * Pairs with: [POOL-6] seq_cst in peer_take().
     * Otherwise: we may miss a peer that saw the slot live, and reuse what it pins. */
    uint32_t peers = tern_a32_load_seq_cst(pool->peers_used, POOL_6_SEE_PEERS);
    if (peers > pool->max_peers) peers = pool->max_peers;
    for (uint32_t slot = 0; slot < peers; slot++) {
        struct tern_region_peer *peer = &pool->peers[slot];
        /* [POOL-6] seq_cst: our look at the number of pins after the handle was made stale.
         * Pairs with: [POOL-6] seq_cst in hold_take_pin().
         * Otherwise: we may miss a pin whose peer saw the slot live, and reuse what it pins.
         * [POOL-7] acquire: what the slot's former peers did under their pins.
         * Pairs with: [POOL-7] release in peer_clear().
         * Otherwise: the next item may be written over one that such a peer was still reading. */
        uint32_t used = tern_a32_load_seq_cst(&peer->pins_used, POOL_6_SEE_MORE);
        if (used > TERN__PEER_PINS) used = TERN__PEER_PINS;
        for (uint32_t i = 0; i < used; i++) {
            /* [POOL-6] seq_cst: our look at the hold after the handle was made stale.
             * Pairs with: [POOL-6] seq_cst in hold_take_pin(), hold_turn_busy().
             * Otherwise: we may miss a hold whose peer saw the slot live, and reuse what it pins; or see one
             * whose peer saw no dying slot when it gave it up: nobody gives the slot back.
             * [POOL-7] acquire: what was done with the item under a pin that is gone.
             * Pairs with: [POOL-7] release in hold_clear(), tern__hold_change().
             * Otherwise: the next item may be written over this one while it is still being read. */
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
     * Pairs with: [POOL-1] acquire in pool_make(), tern__pool_pin_held(), tern_pool_get().
     * Otherwise: the next item may be written over this one while it is still being read. */
    if (tern_a64_cas_release(&slot->word, &word, tern__pool_rest(generation), POOL_1_RECLAIM))
        return tern__pool_recycle(pool, index, generation);
    return (word & ~(uint64_t)TERN__POOL_PINS_MASK) == dying ? TERN_DEFERRED : TERN_OK;
}

/* Turn a pin into nothing but a call on its way; false if it is none any more. */
static bool hold_turn_busy(const tern_pool *pool, tern_a64 *hold, uint32_t index)
{
    uint64_t pin = tern__hold(TERN__HOLD_PIN, pool->object, index, 0);
    /* [POOL-6] seq_cst: that the pin is gone, and with it all that was done with the item, before our look at
     * the slot's word.
     * Pairs with: [POOL-6] seq_cst in hold_pins().
     * Otherwise: who frees may see the pin, and we no dying slot: nobody gives it back.
     * [POOL-8] release: the pin of ours that stays, if this one was another thread's.
     * Pairs with: [POOL-8] acquire in tern__pool_unpin_held().
     * Otherwise: that thread may not find it, and it stays. */
    return tern_a64_cas_seq_cst(hold, &pin, tern__hold(TERN__HOLD_BUSY, pool->object, index, 0), POOL_6_GONE);
}

/* The hold was a pin: if it was the last of a dying slot, give that back. */
static void hold_let_go(const tern_pool *pool, tern_a64 *hold, uint32_t index)
{
    /* [POOL-6] seq_cst: our look at the slot's word after our pin is gone.
     * Pairs with: [POOL-6] seq_cst in hold_end_life(), hold_unpin_counted().
     * Otherwise: who frees may see our pin, and we no dying slot: nobody gives it back. */
    uint64_t word = tern_a64_load_seq_cst(&tern__pool_slot(pool, index)->word, POOL_6_LAST);
    uint32_t generation = (uint32_t)(word >> 32);
    if (word == tern__pool_life(generation, TERN__POOL_DYING)) (void)tern__pool_reclaim_held(pool, index, generation);
    hold_clear(hold);
}

/* Give up a pin of a handle that is stale: it may have kept somebody from giving back what is in the slot now.
 * If it is gone, another thread of ours took it for its own, of the same slot, and left us that one. */
static void hold_withdraw(tern_pool *pool, tern_a64 *hold, tern_handle handle)
{
    if (hold_turn_busy(pool, hold, handle.index)) hold_let_go(pool, hold, handle.index);
    else tern__pool_unpin_held(pool, handle);
}

void *tern__pool_pin_held(tern_pool *pool, tern_handle handle)
{
    struct tern_pool_slot *slot = tern__pool_slot(pool, handle.index);
    tern_a64 *hold = hold_take_pin(pool, tern__hold(TERN__HOLD_PIN, pool->object, handle.index, 0));
    if (!hold) return tern__pool_pin_counted(pool, handle);
    /* [POOL-6] seq_cst: our look at the slot's word after our hold.
     * Pairs with: [POOL-6] seq_cst in hold_end_life().
     * Otherwise: we may see the slot live, and who frees it no hold: it is reused while we pin it.
     * [POOL-1] acquire: what was done to the slot's former items, and under former pins.
     * Pairs with: [POOL-1] release in hold_end_life(), tern__pool_reclaim_held().
     * Otherwise: whoever has the handle from no one that publishes may see a former item's bytes.
     * [POOL-2] acquire: where the free list stood when the slot left it.
     * Pairs with: [POOL-2] release in pool_make().
     * Otherwise: the last unpin may put the slot back at a place of the list that has been. */
    uint64_t word = tern_a64_load_seq_cst(&slot->word, POOL_6_LOOK);
    if (tern__pool_is_live(word, handle.generation)) return tern__pool_item(slot);
    hold_withdraw(pool, hold, handle);
    return NULL;
}

/* Count a pin off; false if none is counted. */
static bool hold_unpin_counted(const tern_pool *pool, uint32_t index)
{
    struct tern_pool_slot *slot = tern__pool_slot(pool, index);
    tern_a64 *hold = tern__hold_take(pool, index);
    /* relaxed: the compare-exchange orders */
    uint64_t word = tern_a64_load_relaxed(&slot->word);
    bool done = false;
    for (uint32_t tries = 0; tries < TERN__POOL_TRIES && !done && (word & TERN__POOL_PINS_MASK) != 0; tries++) {
        uint64_t after = word - 1;
        uint32_t generation = (uint32_t)(after >> 32);
        /* [POOL-6] seq_cst: that our pin is gone, before our look at the holds.
         * Pairs with: [POOL-6] seq_cst in hold_let_go().
         * Otherwise: we may see a hold, and its peer our pin: nobody gives the slot back.
         * [POOL-1] release: our accesses to the item.
         * Pairs with: [POOL-1] acquire in pool_make().
         * Otherwise: the next item may be written over this one while we still read it. */
        done = tern_a64_cas_seq_cst(&slot->word, &word, after, POOL_6_COUNTED);
        if (done && after == tern__pool_life(generation, TERN__POOL_DYING))
            (void)tern__pool_reclaim_held(pool, index, generation);
    }
    tern__hold_drop(pool, hold);
    return done;
}

/* Of several pins that our peer has of one slot each is as good, so a thread may take another's for its own.
 * Whose was taken finds the one that was left for it, but maybe where it has looked already; then it has learnt
 * of that by what it saw, and looks again. */
void tern__pool_unpin_held(tern_pool *pool, tern_handle handle)
{
    struct tern_region_peer *peer = &pool->peers[pool->peer_slot];
    uint64_t pin = tern__hold(TERN__HOLD_PIN, pool->object, handle.index, 0);
    for (uint32_t tries = 0; tries < TERN__HOLD_TRIES; tries++) {
        for (uint32_t i = 0; i < TERN__PEER_PINS; i++) {
            /* [POOL-8] acquire: the pin that was left by who took ours.
             * Pairs with: [POOL-8] release in hold_turn_busy().
             * Otherwise: we may not find it, and it stays. */
            if (tern_a64_load_acquire(&peer->holds[i], POOL_8_SEARCH) != pin) continue;
            if (!hold_turn_busy(pool, &peer->holds[i], handle.index)) continue;
            hold_let_go(pool, &peer->holds[i], handle.index);
            return;
        }
        if (hold_unpin_counted(pool, handle.index)) return;
    }
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
         * Pairs with: [POOL-6] seq_cst in tern__pool_pin_held(), hold_let_go(), hold_settle_slot().
         * Otherwise: we may see no hold, and its peer the slot live: it is reused while it is pinned.
         * [POOL-1] release: all that the caller did with the item.
         * Pairs with: [POOL-1] acquire in pool_make(), tern__pool_pin_held(), tern_pool_get().
         * Otherwise: the next item may be written over this one while we still read it.
         * [POOL-2] acquire: where the free list stood when the slot left it.
         * Pairs with: [POOL-2] release in pool_make().
         * Otherwise: we may put the slot back at a place of the list that has been. */
        if (tern_a64_cas_seq_cst(&slot->word, &word, after, POOL_6_END)) return TERN_OK;
    }
    return TERN_ERR_CORRUPT;
}

tern_status tern__pool_free_held(tern_pool *pool, tern_handle handle)
{
    if (handle.index >= pool->slots || handle.generation > TERN__POOL_LAST_GENERATION) return TERN_ERR_STALE;
    tern_a64 *hold = tern__hold_take(pool, handle.index);
    tern_status status = hold_end_life(pool, handle);
    if (status == TERN_OK) status = tern__pool_reclaim_held(pool, handle.index, handle.generation + 1);
    tern__hold_drop(pool, hold);
    return status;
}

tern_status tern__pool_condemn_held(tern_pool *pool, tern_handle handle)
{
    if (handle.index >= pool->slots || handle.generation > TERN__POOL_LAST_GENERATION) return TERN_ERR_STALE;
    tern_a64 *hold = hold_take_pin(pool, tern__hold(TERN__HOLD_PIN, pool->object, handle.index, 0));
    if (!hold) return TERN_ERR_FULL;
    tern_status status = hold_end_life(pool, handle);
    if (status == TERN_OK) return TERN_DEFERRED;   /* the pin stays, for tern_pool_unpin() */
    hold_withdraw(pool, hold, handle);
    return status;
}

/* ---- Settling ------------------------------------------------------------------------------ */

static bool hold_peer_lives(const tern_region *region, uint32_t slot)
{
    /* relaxed: a peer that became one since has not touched the slot in question */
    uint32_t word = tern_a32_load_relaxed(&region->peers[slot].word);
    return !tern__peer_is_dead(region, tern__peer_reference(slot, word));
}

/* Whether a peer that is alive may be about to take the slot of this hold, or to give it back. */
static bool hold_is_awaited(const tern_region *region, const tern_a64 *own, uint64_t hold)
{
    for (uint32_t slot = 0; slot < region->max_peers; slot++) {
        struct tern_region_peer *peer = &region->peers[slot];
        for (uint32_t i = 0; i < TERN_PEER_HOLDS; i++) {
            /* [POOL-7] acquire: what the peer did to the slot before it dropped its hold.
             * Pairs with: [POOL-7] release in hold_clear(), tern__hold_change().
             * Otherwise: we may take the slot for one that is nobody's, and give it back a second time. */
            uint64_t other = tern_a64_load_acquire(&peer->holds[i], POOL_7_SEE);
            if (hold_kind(other) < TERN__HOLD_BUSY || !hold_same_slot(other, hold) || &peer->holds[i] == own) continue;
            if (hold_peer_lives(region, slot)) return true;
        }
        /* [POOL-7] acquire: what a call without a hold did.
         * Pairs with: [POOL-7] release in tern__hold_drop().
         * Otherwise: as above. */
        if (tern_a32_load_acquire(&peer->unheld, POOL_7_SEE_UNHELD) != 0 && hold_peer_lives(region, slot)) return true;
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
     * he is still at it */
    if (hold_is_awaited(region, own, hold)) return TERN_ERR_BUSY;
    /* With a new generation: another dead peer may have noted that it makes an item of this one, and the
     * item would be taken for its own that somebody else makes there.
     * relaxed: it publishes nothing; alloc sees through this to what was before [POOL-1] */
    uint32_t generation = (uint32_t)(word >> 32) + 1;
    if (!tern_a64_cas_relaxed(&slot->word, &word, tern__pool_rest(generation))) return TERN_OK;
    report->slots++;
    return tern__pool_recycle(pool, index, generation);
}

/* Bring a slot to rest that a dead peer had in hand. */
static tern_status hold_settle_slot(const tern_region *region, const tern_pool *pool, const tern_a64 *own,
                                    uint64_t hold, bool was_pin, tern_recovery *report)
{
    uint32_t index = hold_index(hold);
    struct tern_pool_slot *slot = tern__pool_slot(pool, index);
    /* [POOL-6] seq_cst: our look at the slot after the dead peer's pin is gone.
     * Pairs with: [POOL-6] seq_cst in hold_end_life(), hold_unpin_counted().
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
    /* who only pinned it did not have it on its way */
    if (!was_pin && generation <= TERN__POOL_LAST_GENERATION && word == tern__pool_life(generation, TERN__POOL_FREE))
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
    tern_status status = TERN_ERR_CORRUPT;   /* also what an attach would say of a pool that is none */
    bool is_pool = number < region->max_objects && tern__region_object(region, number, &object) == TERN_OK
        && object.type == TERN_TYPE_POOL && tern__pool_attach(&pool, region, &object) == TERN_OK;
    if (is_pool && index < pool.slots) {
        bool was_pin = hold_kind(value) == TERN__HOLD_PIN;
        if (was_pin && hold_turn_busy(&pool, hold, index)) report->pins++;
        status = hold_settle_slot(region, &pool, hold, value, was_pin, report);
    } else if (is_pool && index == TERN__POOL_NO_INDEX) {
        status = TERN_OK;
    }
    if (status != TERN_ERR_BUSY) hold_clear(hold);
    return status;
}
