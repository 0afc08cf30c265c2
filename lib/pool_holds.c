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
 * What a dead peer left is settled in pool_settle.c.
 *
 * A peer that has TERN__PEER_PINS pins counts further ones in the slot's word, as in a pool outside of
 * a region: they are good, but stay if it dies. */
#include "pool_list.h"

/* ---- Holds ----------------------------------------------------------------------------- */

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
    struct tern_region_peer *peer = &pool->peers[pool->peer_slot];
    for (uint32_t i = TERN_PEER_HOLDS; i-- > 0;) {
        uint64_t none = 0;
        /* relaxed: only compared */
        if (tern_a64_load_relaxed(&peer->holds[i]) != 0) continue;
        /* [POOL-7] acquire: what another thread of ours did under the hold before us.
         * Pairs with: [POOL-7] release in tern__hold_clear().
         * Otherwise: who sees what we say later, and not that one's, may not see what was done under it. That we
         * have the slot in hand is published by what we do to it. */
        if (tern_a64_cas_acquire(&peer->holds[i], &none, tern__hold(TERN__HOLD_BUSY, pool->object, index, 0),
                                 POOL_7_TAKE)) return &peer->holds[i];
    }
    /* relaxed: published by what we do to the slot */
    tern_a32_fetch_add_relaxed(&peer->unheld, 1);
    return NULL;
}

void tern__hold_clear(tern_a64 *hold)
{
    /* [POOL-7] release: what we did to the slot, in the list, in its word and to its item.
     * Pairs with: [POOL-7] acquire in hold_pins(), settle_is_awaited(), tern__hold_take().
     * Otherwise: a burier may take the slot for one that is nobody's, and give it back a second time; the next
     * item may be written over this one while it is still being read. */
    tern_a64_store_release(hold, 0, POOL_7_DROP);
}

void tern__hold_drop(const tern_pool *pool, tern_a64 *hold)
{
    if (hold) tern__hold_clear(hold);
    /* [POOL-7] release: what we did to the slot, in the list and in its word.
     * Pairs with: [POOL-7] acquire in settle_is_awaited().
     * Otherwise: a burier may take the slot for one that is nobody's, and give it back a second time. */
    else tern_a32_fetch_add_release(&pool->peers[pool->peer_slot].unheld, UINT32_MAX, POOL_7_UNHELD);
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
             * Pairs with: [POOL-6] seq_cst in hold_take_pin(), tern__hold_turn_busy().
             * Otherwise: we may miss a hold whose peer saw the slot live, and reuse what it pins; or see one
             * whose peer saw no dying slot when it gave it up: nobody gives the slot back.
             * [POOL-7] acquire: what was done with the item under a pin that is gone.
             * Pairs with: [POOL-7] release in tern__hold_clear(), tern__hold_change().
             * Otherwise: the next item may be written over this one while it is still being read. */
            uint64_t hold = tern_a64_load_seq_cst(&peer->holds[i], POOL_6_SEE);
            if (tern__hold_kind(hold) == TERN__HOLD_PIN && tern__hold_same_slot(hold, pin)) return true;
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

bool tern__hold_turn_busy(const tern_pool *pool, tern_a64 *hold, uint32_t index)
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
     * Pairs with: [POOL-6] seq_cst in tern__hold_end_life(), hold_unpin_counted().
     * Otherwise: who frees may see our pin, and we no dying slot: nobody gives it back. */
    uint64_t word = tern_a64_load_seq_cst(&tern__pool_slot(pool, index)->word, POOL_6_LAST);
    uint32_t generation = (uint32_t)(word >> 32);
    if (word == tern__pool_life(generation, TERN__POOL_DYING)) (void)tern__pool_reclaim_held(pool, index, generation);
    tern__hold_clear(hold);
}

/* Give up a pin of a handle that is stale: it may have kept somebody from giving back what is in the slot now.
 * If it is gone, another thread of ours took it for its own, of the same slot, and left us that one. */
static void hold_withdraw(tern_pool *pool, tern_a64 *hold, tern_handle handle)
{
    if (tern__hold_turn_busy(pool, hold, handle.index)) hold_let_go(pool, hold, handle.index);
    else tern__pool_unpin_held(pool, handle);
}

void *tern__pool_pin_held(tern_pool *pool, tern_handle handle)
{
    if (handle.index >= pool->slots) return NULL;
    struct tern_pool_slot *slot = tern__pool_slot(pool, handle.index);
    tern_a64 *hold = hold_take_pin(pool, tern__hold(TERN__HOLD_PIN, pool->object, handle.index, 0));
    if (!hold) return tern__pool_pin_counted(pool, handle);
    /* [POOL-6] seq_cst: our look at the slot's word after our hold.
     * Pairs with: [POOL-6] seq_cst in tern__hold_end_life().
     * Otherwise: we may see the slot live, and who frees it no hold: it is reused while we pin it.
     * [POOL-1] acquire: what was done to the slot's former items, and under former pins.
     * Pairs with: [POOL-1] release in tern__hold_end_life(), tern__pool_reclaim_held().
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
    if (handle.index >= pool->slots) return;
    struct tern_region_peer *peer = &pool->peers[pool->peer_slot];
    uint64_t pin = tern__hold(TERN__HOLD_PIN, pool->object, handle.index, 0);
    for (uint32_t tries = 0; tries < TERN__HOLD_TRIES; tries++) {
        for (uint32_t i = 0; i < TERN__PEER_PINS; i++) {
            /* [POOL-8] acquire: the pin that was left by who took ours.
             * Pairs with: [POOL-8] release in tern__hold_turn_busy().
             * Otherwise: we may not find it, and it stays. */
            if (tern_a64_load_acquire(&peer->holds[i], POOL_8_SEARCH) != pin) continue;
            if (!tern__hold_turn_busy(pool, &peer->holds[i], handle.index)) continue;
            hold_let_go(pool, &peer->holds[i], handle.index);
            return;
        }
        if (hold_unpin_counted(pool, handle.index)) return;
    }
}

tern_status tern__hold_end_life(const tern_pool *pool, tern_handle handle)
{
    struct tern_pool_slot *slot = tern__pool_slot(pool, handle.index);
    uint64_t word = tern__pool_life(handle.generation, TERN__POOL_LIVE);
    for (uint32_t tries = 0; tries < TERN__POOL_TRIES; tries++) {
        if (!tern__pool_is_live(word, handle.generation)) return TERN_ERR_STALE;
        uint64_t after = tern__pool_life(handle.generation + 1, TERN__POOL_DYING) | (word & TERN__POOL_PINS_MASK);
        /* [POOL-6] seq_cst: that the handle is stale, before our look at the holds.
         * Pairs with: [POOL-6] seq_cst in tern__pool_pin_held(), hold_let_go(), settle_slot().
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
    tern_status status = tern__hold_end_life(pool, handle);
    if (status == TERN_OK) status = tern__pool_reclaim_held(pool, handle.index, handle.generation + 1);
    tern__hold_drop(pool, hold);
    return status;
}

tern_status tern__pool_condemn_held(tern_pool *pool, tern_handle handle)
{
    if (handle.index >= pool->slots || handle.generation > TERN__POOL_LAST_GENERATION) return TERN_ERR_STALE;
    tern_a64 *hold = hold_take_pin(pool, tern__hold(TERN__HOLD_PIN, pool->object, handle.index, 0));
    if (!hold) return TERN_ERR_FULL;
    tern_status status = tern__hold_end_life(pool, handle);
    if (status == TERN_OK) return TERN_DEFERRED;   /* the pin stays, for tern_pool_unpin() */
    hold_withdraw(pool, hold, handle);
    return status;
}
