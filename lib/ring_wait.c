/* SPDX-License-Identifier: MIT */
/* ring_wait.c: the ends of a waitable ring: publishing to a sleeper, and going to sleep. How the two
 * fit together is told in ring_publish.h. */
#include "internal.h"

/* So long sleeps, at most, who cannot make the barrier that an asymmetric peer relies on. */
static const uint64_t ring_unheard_ns = 1000000;

/* ---- Publish ----------------------------------------------------------------------- */

uint32_t tern__ring_exchange(struct tern_ring_end *end, tern_a32 *word, uint32_t value, uint32_t exchanges_left)
{
    if (exchanges_left != TERN__RING_ALWAYS) exchanges_left--;
    /* relaxed: carried by the exchange below */
    if (exchanges_left == 0) tern_a32_store_relaxed(&end->asymmetric, 1);
    /* [RING-1] release: as tern__ring_publish_items() does; takes SLEEP out of the word.
     * Pairs with: [RING-1] acquire in tern__ring_load_tail(), tern__ring_slot_is_filled().
     * Otherwise: the consumer may read an unfinished item.
     * [RING-2] release: as tern__ring_publish_head() does.
     * Pairs with: [RING-2] acquire in tern__ring_see_space().
     * Otherwise: the producer may overwrite an item that we still read.
     * [RING-4] release: asymmetric before the word.
     * Pairs with: [RING-4] acquire in ring_sleep_on(). */
    uint32_t was = tern_a32_exchange_release(word, value, RING_1_PUBLISH_WAKE);
    return was & TERN__RING_SLEEP ? tern__ring_wake_asleep(end, word, exchanges_left) : exchanges_left;
}

uint32_t tern__ring_wake_asleep(struct tern_ring_end *end, tern_a32 *word, uint32_t exchanges_left)
{
    if (exchanges_left == 0) {
        /* relaxed, both: who still reads the old mode makes a needless barrier; our next
         * publication is an exchange */
        tern_a32_store_relaxed(&end->asymmetric, 0);
        tern_a32_store_relaxed(&end->asleep, 0);   /* relaxed: as above */
    }
    tern_word_wake(word);
    return exchanges_left == TERN__RING_ALWAYS ? exchanges_left : TERN_RING_QUIET;
}

/* ---- Wait ----------------------------------------------------------------------- */

#if !defined(TERN_NONBLOCKING)

/* Sleep while the peer publishes by plain stores, which do not see SLEEP. */
static tern_status ring_sleep_asymmetric(struct tern_ring_end *peer, tern_a32 *word, uint32_t expected,
                                         uint64_t left_ns, struct tern__patience *patience)
{
    tern_status status = TERN_OK;
    /* relaxed: ordered by the barrier */
    tern_a32_store_relaxed(&peer->asleep, 1);
    /* [RING-5] heavy: asleep before our last look at the word.
     * Pairs with: [RING-5] light in tern__ring_sees_asleep().
     * Otherwise: the peer may miss asleep, and we its store; we sleep on. */
    bool heard = tern_barrier_heavy(RING_5_SLEEP);
    /* relaxed: only compared, and by the kernel once more */
    if (tern_a32_load_relaxed(word) == expected)
        status = tern__patience_sleep(patience, word, expected,
                                      heard || left_ns < ring_unheard_ns ? left_ns : ring_unheard_ns);
    tern_a32_store_relaxed(&peer->asleep, 0);   /* relaxed: at worst a needless wake */
    return status == TERN_ERR_TIMEOUT && !heard ? TERN_OK : status;
}

/* Sleep until the peer publishes by the word something other than what stood there before, or
 * closes. TERN_OK: look again. */
static tern_status ring_sleep_on(struct tern_ring_end *peer, tern_a32 *word, uint32_t before,
                                 struct tern__patience *patience)
{
    uint64_t left_ns;
    tern_status status = tern__patience_left(patience, &left_ns);
    if (status != TERN_OK || left_ns == 0) return status;

    /* relaxed: only compared; the caller loads it again with acquire before it touches a slot */
    uint32_t seen = tern_a32_load_relaxed(word);
    before &= ~TERN__RING_SLEEP;
    if ((seen & ~TERN__RING_SLEEP) != before) return TERN_OK;
    if (!(seen & TERN__RING_SLEEP)) {
        /* [RING-4] acquire: if the word is the closer's, its flag too; if the peer goes asymmetric by
         * it, that it does.
         * Pairs with: [RING-4] release in ring_close_end(), tern__ring_exchange().
         * Otherwise: we may sleep on a closed ring for ever, or by a mode that is over.
         * If the closer comes later, its exchange finds SLEEP and wakes us. */
        if (!tern_a32_cas_acquire(word, &seen, before | TERN__RING_SLEEP, RING_4_SLEEP)) return TERN_OK;
    }
    /* relaxed: ordered by the compare-exchange above */
    if (tern_a32_load_relaxed(&peer->closed)) return TERN_OK;
    if (TERN__MODULE || !tern_a32_load_relaxed(&peer->asymmetric))   /* relaxed: as above */
        return tern__patience_sleep(patience, word, before | TERN__RING_SLEEP, left_ns);
    return ring_sleep_asymmetric(peer, word, before | TERN__RING_SLEEP, left_ns, patience);
}

static tern_status ring_may_wait(bool waitable, bool may_block)
{
    if (!waitable) return TERN_ERR_UNSUPPORTED;
    return may_block ? TERN_OK : TERN_ERR_DOMAIN;
}

tern_status tern__ring_wait_space(tern_ring_producer *p, uint32_t want, struct tern__patience *patience)
{
    tern_status slept = TERN__SLEPT;
    tern_status status = ring_may_wait(p->waitable, p->may_block);
    if (status != TERN_OK) return status;
    for (;;) {
        if (tern__ring_space(p, want) == want) return TERN_OK;
        status = tern_ring_producer_status(p);
        if (status != TERN_OK) return status;
        if (slept != TERN_OK) return slept;
        /* neither closed nor corrupt: the limit is the head that was seen, one capacity on */
        struct tern_ring_end *peer = &p->ends[1];
        slept = ring_sleep_on(peer, &peer->word, (p->limit - p->capacity_items) << 1, patience);
    }
}

tern_status tern__ring_wait_items(tern_ring_consumer *c, struct tern__patience *patience)
{
    tern_status slept = TERN__SLEPT;
    tern_status status = ring_may_wait(c->waitable, c->may_block);
    if (status != TERN_OK) return status;
    for (;;) {
        if (c->limit != c->head || tern__ring_see_items(c)) return TERN_OK;
        status = tern_ring_consumer_status(c);
        if (status != TERN_OK) return status;
        if (c->limit != c->head) return TERN_OK;
        if (slept != TERN_OK) return slept;
        tern_a32 *word = tern__ring_item_word(c->ends, c->sequenced, c->items, c->head, c->capacity_items,
                                              c->slot_size_bytes);
        slept = ring_sleep_on(&c->ends[0], word,
                              tern__ring_item_word_before(c->sequenced, c->head, c->capacity_items), patience);
    }
}

tern_status tern_ring_producer_wait(tern_ring_producer *p, uint64_t timeout_ns)
{
    struct tern__patience patience = tern__patience_begin(timeout_ns, p->spin_checks, &p->spin, &p->role);
    return tern__patience_end(&patience, tern__ring_wait_space(p, 1, &patience));
}

tern_status tern_ring_consumer_wait(tern_ring_consumer *c, uint64_t timeout_ns)
{
    struct tern__patience patience = tern__patience_begin(timeout_ns, c->spin_checks, &c->spin, &c->role);
    return tern__patience_end(&patience, tern__ring_wait_items(c, &patience));
}

tern_status tern_ring_push_wait(tern_ring_producer *p, const void *item, uint64_t timeout_ns)
{
    tern_status status = TERN_OK;
    if (p->limit == p->tail && !tern__ring_see_space(p)) status = tern_ring_producer_wait(p, timeout_ns);
    /* one producer: the space that it saw stays */
    if (status == TERN_OK) tern_ring_push(p, item);
    return status;
}

tern_status tern_ring_pop_wait(tern_ring_consumer *c, void *item, uint64_t timeout_ns)
{
    /* who is to sleep at once gains nothing from a pause before it looks */
    if (tern__spin_allowed(&c->spin, c->spin_checks) == 0) c->slip_pauses = 0;
    tern_status status = TERN_OK;
    if (c->limit == c->head && !tern__ring_see_items(c)) status = tern_ring_consumer_wait(c, timeout_ns);
    /* one consumer: the item that it saw stays. A pop looks at the slot once more, and a producer that
     * lies can have taken the item back by then: nothing was copied, so never say OK. */
    if (status == TERN_OK && !tern_ring_pop(c, item)) status = c->status = TERN_ERR_CORRUPT;
    return status;
}

#endif
