/* SPDX-License-Identifier: MIT */
/* pool.c: the cold half of the pool: format, attach, allocate, free, look.
 *
 * The free list is a queue of slots linked by their indices, after Michael and Scott. Its first
 * slot is always kept: taking moves head on to the second and hands out the first, so a slot
 * goes through the list without being copied, and the list never is without a slot to link to.
 *
 * Places are numbered, modulo 2^40. head and tail carry the number of the place they stand at,
 * a link the number of the place that its slot has. So a link that is read by way of head or tail must
 * carry the very same number, or the slot has moved on since; and each compare-exchange
 * goes from place p to p + 1, where p is what it compared. No place comes twice, so nothing
 * that was read long ago can be taken for something new. The numbers also count:
 * head's is how many were taken, tail's how many were given back. */
#include "internal.h"
#include "../include/tern/pool.h"

/* From slot to slot: a power of two up to a line, then whole lines. */
static uint32_t pool_stride(uint32_t item_size_bytes)
{
    uint32_t bytes = item_size_bytes + (uint32_t)sizeof(struct tern_pool_slot);
    if (bytes <= 32) return 32;
    return (bytes + 63) / 64 * 64;
}

/* The geometry of a description; false if there can be no such pool. */
static bool pool_geometry_from_desc(struct tern_pool_geometry *g, const tern_pool_desc *desc)
{
    if (!desc || desc->item_size_bytes == 0 || desc->item_size_bytes > TERN_POOL_MAX_ITEM_SIZE_BYTES) return false;
    uint32_t capacity = desc->capacity_items ? desc->capacity_items : TERN_POOL_DEFAULT_CAPACITY_ITEMS;
    if (capacity > TERN_POOL_MAX_CAPACITY_ITEMS) return false;
    uint32_t stride = pool_stride(desc->item_size_bytes);
    uint64_t slots_bytes = ((uint64_t)capacity + 1) * stride;   /* below 2^55 */
    if (slots_bytes > SIZE_MAX - sizeof(struct tern_pool_shared)) return false;

    tern__memset(g, 0, sizeof *g);
    g->layout_version = TERN_LAYOUT_VERSION;
    g->item_size_bytes = desc->item_size_bytes;
    g->capacity_items = capacity;
    g->stride_bytes = stride;
    g->total_size_bytes = slots_bytes + sizeof(struct tern_pool_shared);
    g->check = tern__geometry_check(g, sizeof *g);
    return true;
}

size_t tern_pool_size(const tern_pool_desc *desc)
{
    struct tern_pool_geometry g;
    return pool_geometry_from_desc(&g, desc) ? (size_t)g.total_size_bytes : 0;
}

/* ---- Links ---------------------------------------------------------------------- */

static uint64_t pool_link(uint32_t index, uint64_t place)
{
    return place << TERN__POOL_INDEX_BITS | index;
}

static uint32_t pool_index(uint64_t link)
{
    return (uint32_t)link & TERN__POOL_NO_INDEX;
}

static uint64_t pool_place(uint64_t link)
{
    return link >> TERN__POOL_INDEX_BITS;
}

/* Places from one link to another, modulo 2^40; negative if the other is behind. */
static int64_t pool_distance(uint64_t from, uint64_t to)
{
    return (int64_t)((pool_place(to) - pool_place(from)) << TERN__POOL_INDEX_BITS) / (1 << TERN__POOL_INDEX_BITS);
}

/* ---- Life ------------------------------------------------------------------------- */

static void pool_fill_view(tern_pool *pool, const struct tern_pool_geometry *g, void *memory)
{
    pool->capacity_items = g->capacity_items;
    pool->item_size_bytes = g->item_size_bytes;
    pool->slots = g->capacity_items + 1;
    pool->stride_bytes = g->stride_bytes;
    pool->shared = (struct tern_pool_shared *)memory;
    pool->first = (unsigned char *)memory + sizeof(struct tern_pool_shared);
}

tern_status tern_pool_format(void *memory, size_t size_bytes, const tern_pool_desc *desc)
{
    struct tern_pool_geometry g;
    tern_pool pool;
    tern_status status = tern__check_memory(memory, size_bytes, sizeof(struct tern_pool_shared));
    if (!pool_geometry_from_desc(&g, desc)) return TERN_ERR_ARGUMENT;
    if (status != TERN_OK) return status;
    if (size_bytes < g.total_size_bytes) return TERN_ERR_MEMORY;

    pool_fill_view(&pool, &g, memory);
    struct tern_pool_shared *shared = pool.shared;
    /* relaxed, all of these: nobody may use the memory before the magic is there */
    tern_a32_store_relaxed(&shared->magic, 0);
    tern_copy_to_shared(&shared->geometry, &g, sizeof g);
    shared->reserved = 0;
    tern__memset(shared->pad, 0, sizeof shared->pad);
    tern__memset(shared->head.pad, 0, sizeof shared->head.pad);
    tern__memset(shared->tail.pad, 0, sizeof shared->tail.pad);
    tern__memset(shared->pad2, 0, sizeof shared->pad2);
    for (uint32_t i = 0; i < pool.slots; i++) {
        struct tern_pool_slot *slot = tern__pool_slot(&pool, i);
        uint32_t next = i < g.capacity_items ? i + 1 : TERN__POOL_NO_INDEX;
        tern_a64_store_relaxed(&slot->word, tern__pool_life(1, TERN__POOL_FREE)); /* relaxed: as above */
        tern_a64_store_relaxed(&slot->link, pool_link(next, i)); /* relaxed: as above */
    }
    tern_a64_store_relaxed(&shared->head.link, pool_link(0, 0)); /* relaxed: as above */
    tern_a64_store_relaxed(&shared->tail.link, pool_link(g.capacity_items, g.capacity_items)); /* relaxed: as above */
    tern_a32_store_relaxed(&shared->retired, 0); /* relaxed: as above */
    /* [POOL-0] release: the whole header and every slot before the magic.
     * Pairs with: [POOL-0] acquire in pool_load_geometry().
     * Otherwise: an attach may read a half-written header, an alloc a half-made list. */
    tern_a32_store_release(&shared->magic, TERN_POOL_MAGIC, POOL_0_FORMAT);
    return TERN_OK;
}

/* Copy the geometry out, once, and check every word of the copy. */
static tern_status pool_load_geometry(struct tern_pool_geometry *g, const void *memory, size_t size_bytes)
{
    tern_status status = tern__check_memory(memory, size_bytes, sizeof(struct tern_pool_shared));
    if (status != TERN_OK) return status;
    const struct tern_pool_shared *shared = (const struct tern_pool_shared *)memory;
    /* [POOL-0] acquire: the header and the slots after the magic.
     * Pairs with: [POOL-0] release in tern_pool_format().
     * Otherwise: a half-written header may pass for a damaged one. */
    uint32_t magic = tern_a32_load_acquire(&shared->magic, POOL_0_ATTACH);
    if (magic == 0) return TERN_ERR_NOT_READY;
    if (magic != TERN_POOL_MAGIC) return TERN_ERR_CORRUPT;
    status = tern__copy_geometry(g, &shared->geometry, sizeof *g);
    if (status != TERN_OK) return status;

    struct tern_pool_geometry expected;
    tern_pool_desc desc = { g->item_size_bytes, g->capacity_items };
    if (!pool_geometry_from_desc(&expected, &desc)) return TERN_ERR_CORRUPT;
    if (tern__memcmp(&expected, g, sizeof expected) != 0) return TERN_ERR_CORRUPT;
    return size_bytes < g->total_size_bytes ? TERN_ERR_MEMORY : TERN_OK;
}

tern_status tern_pool_attach(tern_pool *pool, void *memory, size_t size_bytes)
{
    struct tern_pool_geometry g;
    tern__memset(pool, 0, sizeof *pool);
    tern_status status = pool_load_geometry(&g, memory, size_bytes);
    if (status == TERN_OK) pool_fill_view(pool, &g, memory);
    return status;
}

void tern_pool_detach(tern_pool *pool)
{
    tern__memset(pool, 0, sizeof *pool);
}

/* ---- Free list -------------------------------------------------------------------- */

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

static void pool_back_off(void)
{
#if defined(TERN_MODEL)
    tern_cpu_relax();
#else
    for (uint32_t i = 0; i < TERN__POOL_PAUSES; i++) tern_cpu_relax();
#endif
}

/* Move tail on from one place to the next; false if somebody else did, or it is elsewhere. */
static bool pool_move_tail(struct tern_pool_shared *shared, uint64_t from, uint32_t next)
{
    /* [POOL-4] release: that the place we leave has its successor.
     * Pairs with: [POOL-4] acquire in pool_give_back().
     * Otherwise: an alloc may miss a slot that is there, and say "full". */
    return tern_a64_cas_release(&shared->tail.link, &from, pool_link(next, pool_place(from) + 1), POOL_4_MOVE);
}

/* Take the first slot of the list. TERN_OK, TERN_ERR_FULL: it is the only one; TERN_ERR_CORRUPT. */
static tern_status pool_take(const tern_pool *pool, uint32_t *index)
{
    struct tern_pool_shared *shared = pool->shared;
    for (uint32_t tries = 0; tries < TERN__POOL_LIST_TRIES; tries++) {
        /* [POOL-3] acquire: what those did who took before us: which slots they had given back.
         * Pairs with: [POOL-3] release below.
         * Otherwise: we may miss a slot that is there, and say "full". */
        uint64_t head = tern_a64_load_acquire(&shared->head.link, POOL_3_SEE);
        *index = pool_index(head);
        if (*index >= pool->slots) return TERN_ERR_CORRUPT;
        /* [POOL-5] acquire: the next slot's word, for whoever takes it.
         * Pairs with: [POOL-5] release in pool_give_back().
         * Otherwise: a free slot may look live, and the list damaged. */
        uint64_t link = tern_a64_load_acquire(&tern__pool_slot(pool, *index)->link, POOL_5_FOLLOW);
        if (pool_place(link) == pool_place(head)) {
            uint32_t next = pool_index(link);
            if (next == TERN__POOL_NO_INDEX) return TERN_ERR_FULL;
            if (next >= pool->slots) return TERN_ERR_CORRUPT;
            /* relaxed: only compared; tail must be past a slot that leaves the list */
            uint64_t tail = tern_a64_load_relaxed(&shared->tail.link);
            if (pool_distance(head, tail) > 0 || pool_move_tail(shared, head, next)) {
                /* [POOL-3] release: which slots we gave back before, and the next one's [POOL-5].
                 * Pairs with: [POOL-3] acquire above.
                 * Otherwise: the next alloc may miss a slot that is there, and say "full". */
                if (tern_a64_cas_release(&shared->head.link, &head, pool_link(next, pool_place(head) + 1),
                                         POOL_3_TAKE)) return TERN_OK;
            }
        }
        pool_back_off();
    }
    return TERN_ERR_CORRUPT;
}

/* Put a slot that is ours at the end of the list. */
static tern_status pool_give_back(const tern_pool *pool, uint32_t index)
{
    struct tern_pool_shared *shared = pool->shared;
    struct tern_pool_slot *own = tern__pool_slot(pool, index);
    for (uint32_t tries = 0; tries < TERN__POOL_LIST_TRIES; tries++) {
        /* [POOL-4] acquire: that all places before this one have their successors.
         * Pairs with: [POOL-4] release in pool_move_tail().
         * Otherwise: an alloc may miss a slot that is there, and say "full". */
        uint64_t tail = tern_a64_load_acquire(&shared->tail.link, POOL_4_SEE);
        if (pool_index(tail) >= pool->slots) return TERN_ERR_CORRUPT;
        struct tern_pool_slot *last = tern__pool_slot(pool, pool_index(tail));
        /* relaxed: its place is compared; a slot that we help to tail is not touched */
        uint64_t link = tern_a64_load_relaxed(&last->link);
        if (pool_place(link) == pool_place(tail)) {
            if (pool_index(link) != TERN__POOL_NO_INDEX) {
                pool_move_tail(shared, tail, pool_index(link));
                continue;
            }
            /* relaxed: who finds an older value sees another place, and looks again */
            tern_a64_store_relaxed(&own->link, pool_link(TERN__POOL_NO_INDEX, pool_place(tail) + 1));
            /* [POOL-5] release: the slot's word, free again.
             * Pairs with: [POOL-5] acquire in pool_take().
             * Otherwise: a free slot may look live, and the list damaged. */
            if (tern_a64_cas_release(&last->link, &link, pool_link(index, pool_place(tail)), POOL_5_LINK)) {
                pool_move_tail(shared, tail, index);
                return TERN_OK;
            }
        }
        pool_back_off();
    }
    return TERN_ERR_CORRUPT;
}

/* A slot whose item has ended, and which nobody pins: to the list, or into retirement. */
static tern_status pool_recycle(const tern_pool *pool, uint32_t index, uint32_t generation)
{
    if (generation <= TERN__POOL_LAST_GENERATION) return pool_give_back(pool, index);
    /* relaxed: a number to look at */
    tern_a32_fetch_add_relaxed(&pool->shared->retired, 1);
    return TERN_OK;
}

/* What becomes of a slot of this generation that nobody pins. */
static uint64_t pool_rest(uint32_t generation)
{
    return tern__pool_life(generation, generation <= TERN__POOL_LAST_GENERATION ? TERN__POOL_FREE
                                                                                : TERN__POOL_RETIRED);
}

/* ---- Allocate and free -------------------------------------------------------------- */

tern_status tern_pool_alloc(tern_pool *pool, tern_handle *handle, void **item)
{
    uint32_t index;
    *handle = tern_handle_null();
    *item = NULL;
    tern_status status = pool_take(pool, &index);
    if (status != TERN_OK) return status;
    struct tern_pool_slot *slot = tern__pool_slot(pool, index);
    /* relaxed: the compare-exchange orders */
    uint64_t word = tern_a64_load_relaxed(&slot->word);
    uint32_t generation = (uint32_t)(word >> 32);
    if (generation == 0 || generation > TERN__POOL_LAST_GENERATION) return TERN_ERR_CORRUPT;
    if (word != tern__pool_life(generation, TERN__POOL_FREE)) return TERN_ERR_CORRUPT;
    /* [POOL-1] acquire: what was done to the slot's former items.
     * Pairs with: [POOL-1] release in pool_end_life(), tern_pool_unpin().
     * Otherwise: the new item may be written over one that is still being read.
     * [POOL-2] release: where the free list stands: past this slot.
     * Pairs with: [POOL-2] acquire in pool_end_life(), tern_pool_pin().
     * Otherwise: who frees a handle that no one published to it may put the slot back at a place
     * of the list that has been, and a slot is lost. */
    if (!tern_a64_cas_acq_rel(&slot->word, &word, tern__pool_life(generation, TERN__POOL_LIVE), POOL_1_ALLOC))
        return TERN_ERR_CORRUPT;
    handle->index = index;
    handle->generation = generation;
    *item = tern__pool_item(slot);
    return TERN_OK;
}

/* Make a handle stale, once, and add pins to what others hold. TERN_OK: nobody holds any; the
 * caller owns the slot; TERN_DEFERRED; TERN_ERR_STALE. */
static tern_status pool_end_life(const tern_pool *pool, tern_handle handle, uint32_t add_pins)
{
    if (handle.index >= pool->slots || handle.generation > TERN__POOL_LAST_GENERATION) return TERN_ERR_STALE;
    struct tern_pool_slot *slot = tern__pool_slot(pool, handle.index);
    uint32_t next = handle.generation + 1;
    /* a guess, as in tern_pool_pin() */
    uint64_t word = tern__pool_life(handle.generation, TERN__POOL_LIVE);
    for (uint32_t tries = 0; tries < TERN__POOL_TRIES; tries++) {
        if (!tern__pool_is_live(word, handle.generation)) return TERN_ERR_STALE;
        uint64_t pins = (word & TERN__POOL_PINS_MASK) + add_pins;
        if (pins > TERN__POOL_PINS_MASK) return TERN_ERR_CORRUPT;
        uint64_t after = pins ? tern__pool_life(next, TERN__POOL_DYING) | pins : pool_rest(next);
        /* [POOL-1] release: all that the caller did with the item.
         * Pairs with: [POOL-1] acquire in tern_pool_alloc(), tern_pool_pin(), tern_pool_get().
         * Otherwise: the next item may be written over this one while we still read it.
         * [POOL-2] acquire: where the free list stood when the slot left it.
         * Pairs with: [POOL-2] release in tern_pool_alloc().
         * Otherwise: we may put the slot back at a place of the list that has been. */
        if (tern_a64_cas_acq_rel(&slot->word, &word, after, POOL_1_END)) return pins ? TERN_DEFERRED : TERN_OK;
    }
    return TERN_ERR_CORRUPT;
}

tern_status tern_pool_free(tern_pool *pool, tern_handle handle)
{
    tern_status status = pool_end_life(pool, handle, 0);
    if (status != TERN_OK) return status;
    return pool_recycle(pool, handle.index, handle.generation + 1);
}

tern_status tern__pool_condemn(tern_pool *pool, tern_handle handle)
{
    return pool_end_life(pool, handle, 1);
}

void tern__pool_reclaim(tern_pool *pool, uint32_t index, uint32_t generation)
{
    if (index >= pool->slots) return;
    uint64_t word = tern__pool_life(generation, TERN__POOL_DYING);
    /* relaxed: alloc sees through this to each unpin [POOL-1]: read-modify-writes pass on what the
     * releases before them published. It fails only if somebody unpins what he did not pin. */
    if (!tern_a64_cas_relaxed(&tern__pool_slot(pool, index)->word, &word, pool_rest(generation))) return;
    pool_recycle(pool, index, generation);
}

/* ---- Look --------------------------------------------------------------------------- */

uint32_t tern_pool_was_retired(const tern_pool *pool)
{
    /* relaxed: a number to look at */
    uint32_t retired = tern_a32_load_relaxed(&pool->shared->retired);
    return retired > pool->capacity_items ? pool->capacity_items : retired;
}

/* Taken, less given back, less retired; head first: the difference never looks larger than it can be. */
static uint32_t pool_was_live(const tern_pool *pool, uint64_t *allocated)
{
    /* relaxed: numbers to look at */
    uint64_t head = tern_a64_load_relaxed(&pool->shared->head.link);
    uint64_t tail = tern_a64_load_relaxed(&pool->shared->tail.link); /* relaxed: as above */
    *allocated = pool_place(head);
    int64_t live = (int64_t)pool->capacity_items - pool_distance(head, tail) - tern_pool_was_retired(pool);
    return live < 0 ? 0 : live > pool->capacity_items ? pool->capacity_items : (uint32_t)live;
}

uint32_t tern_pool_was_live(const tern_pool *pool)
{
    uint64_t allocated;
    return pool_was_live(pool, &allocated);
}

tern_status tern_pool_inspect(tern_pool_info *info, const void *memory, size_t size_bytes)
{
    struct tern_pool_geometry g;
    tern_pool pool;
    tern__memset(info, 0, sizeof *info);
    tern_status status = pool_load_geometry(&g, memory, size_bytes);
    if (status != TERN_OK) return status;
    pool_fill_view(&pool, &g, (void *)(uintptr_t)memory);   /* only to look */
    info->item_size_bytes = g.item_size_bytes;
    info->capacity_items = g.capacity_items;
    info->stride_bytes = g.stride_bytes;
    info->size_bytes = g.total_size_bytes;
    info->was_retired = tern_pool_was_retired(&pool);
    info->was_live = pool_was_live(&pool, &info->was_allocated);
    return TERN_OK;
}

void *tern_pool_walk(tern_pool *pool, uint32_t *cursor, tern_handle *handle)
{
    while (*cursor < pool->slots) {
        handle->index = (*cursor)++;
        /* relaxed: the pin looks again and orders */
        uint64_t word = tern_a64_load_relaxed(&tern__pool_slot(pool, handle->index)->word);
        handle->generation = (uint32_t)(word >> 32);
        void *item = tern__pool_is_live(word, handle->generation) ? tern_pool_pin(pool, *handle) : NULL;
        if (item) return item;
    }
    *handle = tern_handle_null();
    return NULL;
}
