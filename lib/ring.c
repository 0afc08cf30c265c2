/* SPDX-License-Identifier: MIT */
/* ring.c: the cold half of the ring: format, attach, close, look. Waiting is in ring_wait.c. */
#include "internal.h"
#include "../include/tern/ring.h"

/* The geometry of a description; false if there can be no such ring. */
static bool ring_geometry_from_desc(struct tern_ring_geometry *g, const tern_ring_desc *desc)
{
    if (!desc || desc->item_size_bytes == 0) return false;
    if (desc->flags & ~(TERN_RING_WAITABLE | TERN_RING_SEQUENCED | TERN_RING_PAGED)) return false;
    bool paged = (desc->flags & TERN_RING_PAGED) != 0;
    /* a consumer that sleeps sets SLEEP in the producer's word or a slot's sequence, and `asleep` beside it */
    if (paged && (desc->flags & TERN_RING_WAITABLE)) return false;
    uint32_t wanted = desc->capacity_items ? desc->capacity_items : TERN_RING_DEFAULT_CAPACITY_ITEMS;
    if (wanted > TERN_RING_MAX_CAPACITY_ITEMS) return false;
    uint32_t capacity = 1;
    while (capacity < wanted) capacity *= 2;
    bool sequenced = (desc->flags & TERN_RING_SEQUENCED) != 0;
    uint64_t slot_bytes = sequenced ? tern__ring_sequenced_slot_bytes(desc->item_size_bytes) : desc->item_size_bytes;
    if (slot_bytes > UINT32_MAX) return false;
    uint64_t items_bytes = capacity * slot_bytes;   /* below 2^62 */
    uint64_t before_bytes = tern__ring_items_offset(desc->flags), after_bytes = 0;
    /* nobody else's bytes on the last page */
    if (paged) after_bytes = (0 - items_bytes) % TERN_PAGE_BYTES;
    if (items_bytes > SIZE_MAX - before_bytes - after_bytes) return false;

    tern__memset(g, 0, sizeof *g);
    g->layout_version = TERN_LAYOUT_VERSION;
    g->item_size_bytes = desc->item_size_bytes;
    g->capacity_items = capacity;
    g->flags = desc->flags;
    g->total_size_bytes = before_bytes + items_bytes + after_bytes;
    g->slot_size_bytes = (uint32_t)slot_bytes;
    g->check = tern__geometry_check(g, sizeof *g);
    return true;
}

size_t tern_ring_size(const tern_ring_desc *desc)
{
    struct tern_ring_geometry g;
    return ring_geometry_from_desc(&g, desc) ? (size_t)g.total_size_bytes : 0;
}

/* A paged ring's memory begins at a page, any other's where tern__check_memory() says. */
static tern_status ring_check_pages(const void *memory, uint32_t flags)
{
    bool fits = !(flags & TERN_RING_PAGED) || (uintptr_t)memory % TERN_PAGE_BYTES == 0;
    return fits ? TERN_OK : TERN_ERR_ALIGNMENT;
}

static unsigned char *ring_items_of(struct tern_ring_shared *shared, uint32_t flags)
{
    return (unsigned char *)shared + tern__ring_items_offset(flags);
}

static tern_a32 *ring_sequence_at(unsigned char *items, uint32_t index, uint32_t capacity_items,
                                  uint32_t slot_size_bytes)
{
    return tern__ring_sequence(tern__ring_slot(items, index, capacity_items, slot_size_bytes), slot_size_bytes);
}

static void ring_format_end(struct tern_ring_end *end)
{
    /* relaxed, all of these: nobody may use the memory before the magic is there */
    tern_a32_store_relaxed(&end->word, 0);
    tern_a32_store_relaxed(&end->closed, 0);        /* relaxed: as above */
    tern_a32_store_relaxed(&end->asymmetric, 0);    /* relaxed: as above */
    tern_a32_store_relaxed(&end->asleep, 0);        /* relaxed: as above */
}

tern_status tern__ring_format(void *memory, size_t size_bytes, const tern_ring_desc *desc, uint32_t magic)
{
    struct tern_ring_geometry g;
    tern_status status = tern__check_memory(memory, size_bytes, sizeof(struct tern_ring_shared));
    if (!ring_geometry_from_desc(&g, desc)) return TERN_ERR_ARGUMENT;
    if (status == TERN_OK) status = ring_check_pages(memory, g.flags);
    if (status != TERN_OK) return status;
    if (size_bytes < g.total_size_bytes) return TERN_ERR_MEMORY;

    struct tern_ring_shared *shared = (struct tern_ring_shared *)memory;
    unsigned char *items = ring_items_of(shared, g.flags);
    /* relaxed, all of these: nobody may use the memory before the magic is there */
    tern_a32_store_relaxed(&shared->magic, 0);
    tern_copy_to_shared(&shared->geometry, &g, sizeof g);
    shared->reserved = 0;
    tern__memset(shared->pad, 0, sizeof shared->pad);
    for (uint32_t i = 0; i != 2; i++) ring_format_end(&tern__ring_ends(shared, g.flags)[i]);
    if (desc->flags & TERN_RING_SEQUENCED) {
        for (uint32_t i = 0; i != g.capacity_items; i++)   /* relaxed: as above */
            tern_a32_store_relaxed(ring_sequence_at(items, i, g.capacity_items, g.slot_size_bytes),
                                   tern__ring_item_word_before(true, i, g.capacity_items));
    }
    /* [RING-0] release: the whole header before the magic.
     * Pairs with: [RING-0] acquire in ring_load_geometry().
     * Otherwise: an attach may read a half-written header. */
    tern_a32_store_release(&shared->magic, magic, RING_0_FORMAT);
    return TERN_OK;
}

tern_status tern_ring_format(void *memory, size_t size_bytes, const tern_ring_desc *desc)
{
    return tern__ring_format(memory, size_bytes, desc, TERN_RING_MAGIC);
}

/* Copy the geometry out, once, and check every word of the copy. */
static tern_status ring_load_geometry(struct tern_ring_geometry *g, const void *memory, size_t size_bytes,
                                      uint32_t magic)
{
    tern_status status = tern__check_memory(memory, size_bytes, sizeof(struct tern_ring_shared));
    if (status != TERN_OK) return status;
    const struct tern_ring_shared *shared = (const struct tern_ring_shared *)memory;
    /* [RING-0] acquire: the header after the magic.
     * Pairs with: [RING-0] release in tern__ring_format().
     * Otherwise: a half-written header may pass for a damaged one. */
    uint32_t seen = tern_a32_load_acquire(&shared->magic, RING_0_ATTACH);
    if (seen == 0) return TERN_ERR_NOT_READY;
    if (seen != magic) return TERN_ERR_CORRUPT;
    status = tern__copy_geometry(g, &shared->geometry, sizeof *g);
    if (status != TERN_OK) return status;

    struct tern_ring_geometry expected;
    tern_ring_desc desc = { g->item_size_bytes, g->capacity_items, g->flags };
    if (!ring_geometry_from_desc(&expected, &desc)) return TERN_ERR_CORRUPT;
    if (tern__memcmp(&expected, g, sizeof expected) != 0) return TERN_ERR_CORRUPT;
    return size_bytes < g->total_size_bytes ? TERN_ERR_MEMORY : ring_check_pages(memory, g->flags);
}

/* Both indices, checked against each other. An end reads its own index here and never again. */
static tern_status ring_load_indices(struct tern_ring_shared *shared, const struct tern_ring_geometry *g,
                                     uint32_t *head, uint32_t *tail)
{
    struct tern_ring_end *ends = tern__ring_ends(shared, g->flags);
    unsigned char *items = ring_items_of(shared, g->flags);
    /* relaxed: no slot is read or written on the strength of these two; the first push or
     * pop looks at the other end again, with acquire */
    *head = tern_a32_load_relaxed(&ends[1].word) >> 1;
    *tail = tern_a32_load_relaxed(&ends[0].word) >> 1; /* relaxed: as above */
    bool sequenced = (g->flags & TERN_RING_SEQUENCED) != 0;
    uint32_t count = tern__ring_count(*head, *tail, sequenced);
    if (count > g->capacity_items) return TERN_ERR_CORRUPT;
    *tail = *head + count;
    if (!sequenced) return TERN_OK;
    /* a producer that died between the slot and its index: the slot counts */
    for (; count < g->capacity_items; count++, ++*tail) {
        /* relaxed: as above */
        uint32_t word = tern_a32_load_relaxed(
            ring_sequence_at(items, *tail, g->capacity_items, g->slot_size_bytes));
        if ((word & ~TERN__RING_SLEEP) != (*tail + 1) << 1) break;
    }
    return TERN_OK;
}

/* How many exchanges an end makes before plain stores; see ring_publish.h. */
static uint32_t ring_begin_exchanges(struct tern_ring_end *end, bool waitable)
{
    if (!waitable) return 0;
    /* relaxed: told before our first exchange, which carries it */
    tern_a32_store_relaxed(&end->asymmetric, 0);
    return tern__barrier_register() ? TERN_RING_QUIET : TERN__RING_ALWAYS;
}

/* The word that tells of an item of this producer. */
static tern_a32 *ring_producer_word(const tern_ring_producer *p, uint32_t index)
{
    return tern__ring_item_word(p->ends, p->sequenced, p->items, index, p->capacity_items, p->slot_size_bytes);
}

/* How far ahead an end asks for slots. */
static uint32_t ring_ahead_items(const struct tern_ring_geometry *g)
{
    uint32_t ahead = TERN__RING_AHEAD_BYTES / g->slot_size_bytes, most = g->capacity_items / 8;
    return ahead < most ? ahead : most;
}

tern_status tern__ring_attach_producer(tern_ring_producer *p, void *memory, size_t size_bytes, uint32_t magic)
{
    struct tern_ring_geometry g;
    uint32_t head, tail;
    tern__memset(p, 0, sizeof *p);
    tern_status status = ring_load_geometry(&g, memory, size_bytes, magic);
    if (status != TERN_OK) return status;
    struct tern_ring_shared *shared = (struct tern_ring_shared *)memory;
    status = ring_load_indices(shared, &g, &head, &tail);
    if (status != TERN_OK) return status;

    p->capacity_items = g.capacity_items;
    p->item_size_bytes = g.item_size_bytes;
    p->spin_checks = TERN_SPIN_CHECKS;
    p->may_block = true;
    p->waitable = (g.flags & TERN_RING_WAITABLE) != 0;
    p->sequenced = (g.flags & TERN_RING_SEQUENCED) != 0;
    p->ends = tern__ring_ends(shared, g.flags);
    p->exchanges_left = ring_begin_exchanges(&p->ends[0], p->waitable);
    p->slot_size_bytes = g.slot_size_bytes;
    p->tail = p->limit = tail;
    p->ahead_items = ring_ahead_items(&g);
    p->shared = shared;
    p->items = ring_items_of(shared, g.flags);
    /* relaxed: a hint, as after each item; it must not fall behind by one more with each death */
    if (p->sequenced) tern_a32_store_relaxed(&p->ends[0].word, tail << 1);
    /* a predecessor may have died between its publication and its wake */
    if (p->waitable) {
        tern_word_wake(ring_producer_word(p, tail));
        if (p->sequenced) tern_word_wake(ring_producer_word(p, tail - 1));
    }
    return TERN_OK;
}

tern_status tern_ring_attach_producer(tern_ring_producer *p, void *memory, size_t size_bytes)
{
    return tern__ring_attach_producer(p, memory, size_bytes, TERN_RING_MAGIC);
}

/* A time in pauses, as many as a view can hold. */
static uint8_t ring_pauses(uint32_t ns, uint32_t pause_ps)
{
    uint32_t pauses = pause_ps ? (ns * 1000 + pause_ps / 2) / pause_ps : 0;
    return (uint8_t)(pauses < UINT8_MAX ? pauses : UINT8_MAX);
}

tern_status tern__ring_attach_consumer(tern_ring_consumer *c, void *memory, size_t size_bytes, uint32_t magic)
{
    struct tern_ring_geometry g;
    uint32_t head, tail;
    tern__memset(c, 0, sizeof *c);
    tern_status status = ring_load_geometry(&g, memory, size_bytes, magic);
    if (status != TERN_OK) return status;
    struct tern_ring_shared *shared = (struct tern_ring_shared *)memory;
    status = ring_load_indices(shared, &g, &head, &tail);
    if (status != TERN_OK) return status;

    c->capacity_items = g.capacity_items;
    c->item_size_bytes = g.item_size_bytes;
    c->spin_checks = TERN_SPIN_CHECKS;
    c->may_block = true;
    c->waitable = (g.flags & TERN_RING_WAITABLE) != 0;
    c->sequenced = (g.flags & TERN_RING_SEQUENCED) != 0;
    c->ends = tern__ring_ends(shared, g.flags);
    c->exchanges_left = ring_begin_exchanges(&c->ends[1], c->waitable);
    c->slot_size_bytes = g.slot_size_bytes;
    c->head = c->limit = c->released = head;
    c->ahead_items = ring_ahead_items(&g);
    uint32_t pause_ps = tern__pause_ps();
    c->slip_one_pauses = ring_pauses(TERN__RING_SLIP_ONE_NS, pause_ps);
    c->slip_many_pauses = ring_pauses(TERN__RING_SLIP_MANY_NS, pause_ps);
    c->empty_pauses = ring_pauses(TERN__RING_EMPTY_NS, pause_ps);
    c->shared = shared;
    c->items = ring_items_of(shared, g.flags);
    tern_ring_consumer_release_every(c, 256);
    if (c->waitable) tern_word_wake(&c->ends[1].word);   /* as for the producer */
    return TERN_OK;
}

tern_status tern_ring_attach_consumer(tern_ring_consumer *c, void *memory, size_t size_bytes)
{
    return tern__ring_attach_consumer(c, memory, size_bytes, TERN_RING_MAGIC);
}

void tern_ring_consumer_release_every(tern_ring_consumer *c, uint32_t items)
{
    uint32_t most = c->capacity_items / 4;
    if (items > most) items = most;
    c->release_every_items = items ? items : 1;
}

tern_status tern_ring_producer_bind(tern_ring_producer *p, const tern_bell *bell, uint32_t source)
{
    if (!p->waitable) return TERN_ERR_UNSUPPORTED;
    if (bell && source >= bell->sources) return TERN_ERR_ARGUMENT;
    p->bell = bell;
    p->bell_source = source;
    return TERN_OK;
}

void tern_ring_detach_producer(tern_ring_producer *p)
{
    tern__role_release(&p->role);
    tern__memset(p, 0, sizeof *p);
}

void tern_ring_detach_consumer(tern_ring_consumer *c)
{
    if (c->shared && c->released != c->head) tern__ring_publish_head(c);
    tern__role_release(&c->role);
    tern__memset(c, 0, sizeof *c);
}

/* ---- Close -------------------------------------------------------------------- */

/* Closing is the same on both ends: the flag, then the end's own word once more, so that
 * whoever sleeps on the word, or is about to, learns of it from the word alone. */
static void ring_close_end(struct tern_ring_end *end, tern_a32 *word, uint32_t value, bool waitable)
{
    /* [RING-3] release: everything that this end published before it closed.
     * Pairs with: [RING-3] acquire in ring_is_closed().
     * Otherwise: "closed and empty" may be said of a ring that still holds items. */
    tern_a32_store_release(&end->closed, 1, RING_3_CLOSE);
    if (!waitable) return;
    /* [RING-4] release: the flag before the word.
     * Pairs with: [RING-4] acquire in ring_sleep_on().
     * Otherwise: a sleeper that arms SLEEP after this may miss the flag and never wake. */
    uint32_t was = tern_a32_exchange_release(word, value, RING_4_CLOSE_WAKE);
    if (was & TERN__RING_SLEEP) tern_word_wake(word);
}

static bool ring_is_closed(const struct tern_ring_end *peer)
{
    /* [RING-3] acquire: the peer's last publication after its flag.
     * Pairs with: [RING-3] release in ring_close_end().
     * Otherwise: "closed and empty" may be said of a ring that still holds items. */
    return tern_a32_load_acquire(&peer->closed, RING_3_SEE) != 0;
}

void tern_ring_close_producer(tern_ring_producer *p)
{
    ring_close_end(&p->ends[0], ring_producer_word(p, p->tail),
                   tern__ring_item_word_before(p->sequenced, p->tail, p->capacity_items), p->waitable);
    tern__bell_ring_bound(p->bell, p->bell_source);
}

void tern_ring_close_consumer(tern_ring_consumer *c)
{
    c->released = c->head;
    if (!c->waitable) tern__ring_publish_head(c);
    ring_close_end(&c->ends[1], &c->ends[1].word, c->head << 1, c->waitable);
}

tern_status tern_ring_producer_status(tern_ring_producer *p)
{
    if (ring_is_closed(&p->ends[1])) return TERN_ERR_CLOSED;
    return p->status;
}

tern_status tern_ring_consumer_status(tern_ring_consumer *c)
{
    if (c->limit != c->head) return TERN_OK;
    /* the flag first, then the index: what is empty now stays empty */
    if (ring_is_closed(&c->ends[0]) && !tern__ring_see_items(c) && c->status == TERN_OK)
        return TERN_ERR_CLOSED;
    return c->status;
}

/* ---- Look ------------------------------------------------------------------------- */

tern_status tern__ring_inspect(tern_ring_info *info, const void *memory, size_t size_bytes, uint32_t magic)
{
    struct tern_ring_geometry g;
    tern__memset(info, 0, sizeof *info);
    tern_status status = ring_load_geometry(&g, memory, size_bytes, magic);
    if (status != TERN_OK) return status;
    struct tern_ring_shared *shared = (struct tern_ring_shared *)memory;   /* nothing is written */
    bool sequenced = (g.flags & TERN_RING_SEQUENCED) != 0;
    info->item_size_bytes = g.item_size_bytes;
    info->capacity_items = g.capacity_items;
    info->flags = g.flags;
    info->size_bytes = g.total_size_bytes;
    struct tern_ring_end *ends = tern__ring_ends(shared, g.flags);
    const struct tern_ring_end *producer = &ends[0], *consumer = &ends[1];
    /* relaxed, all of these: numbers to look at. Head first: the count never looks negative */
    uint32_t head = tern_a32_load_relaxed(&consumer->word);
    uint32_t tail = tern_a32_load_relaxed(&producer->word); /* relaxed: as above */
    info->producer_closed = tern_a32_load_relaxed(&producer->closed) != 0; /* relaxed: as above */
    info->consumer_closed = tern_a32_load_relaxed(&consumer->closed) != 0; /* relaxed: as above */
    info->producer_asymmetric = tern_a32_load_relaxed(&producer->asymmetric) != 0; /* relaxed: as above */
    info->consumer_asymmetric = tern_a32_load_relaxed(&consumer->asymmetric) != 0; /* relaxed: as above */
    uint32_t slept_on = tern_a32_load_relaxed(   /* relaxed: as above */
        tern__ring_item_word(ends, sequenced, ring_items_of(shared, g.flags), head >> 1, g.capacity_items,
                             g.slot_size_bytes));
    info->was_popped = head >> 1;
    info->was_pushed = tail >> 1;
    info->producer_asleep = (head & TERN__RING_SLEEP) != 0;
    info->consumer_asleep = (slept_on & TERN__RING_SLEEP) != 0;
    uint32_t count = tern__ring_count(info->was_popped, info->was_pushed, sequenced);
    info->was_count = count > g.capacity_items ? g.capacity_items : count;
    return TERN_OK;
}

tern_status tern_ring_inspect(tern_ring_info *info, const void *memory, size_t size_bytes)
{
    return tern__ring_inspect(info, memory, size_bytes, TERN_RING_MAGIC);
}
