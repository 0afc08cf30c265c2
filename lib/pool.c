/* SPDX-License-Identifier: MIT */
/* pool.c: the cold half of the pool: format, attach, allocate, free, look. The free list is in
 * pool_list.h, what a pool in a region does more in pool_holds.c. */
#include "pool_list.h"

/* From slot to slot: a power of two up to a line, then whole lines. */
static uint32_t pool_stride(uint32_t item_size_bytes)
{
    uint32_t bytes = item_size_bytes + (uint32_t)sizeof(struct tern_pool_slot);
    if (bytes <= 32) return 32;
    return (bytes + 63) / 64 * 64;
}

/* The geometry of a description; false if there can be no such pool. */
static bool pool_geometry_from_desc(struct tern_pool_geometry *g, const tern_pool_desc *desc, uint32_t flags)
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
    g->flags = flags;
    g->check = tern__geometry_check(g, sizeof *g);
    return true;
}

size_t tern_pool_size(const tern_pool_desc *desc)
{
    struct tern_pool_geometry g;
    return pool_geometry_from_desc(&g, desc, 0) ? (size_t)g.total_size_bytes : 0;
}

/* ---- Life ------------------------------------------------------------------------- */

static void pool_fill_view(tern_pool *pool, const struct tern_pool_geometry *g, void *memory)
{
    pool->capacity_items = g->capacity_items;
    pool->item_size_bytes = g->item_size_bytes;
    pool->slots = pool->counted_slots = g->capacity_items + 1;
    pool->stride_bytes = g->stride_bytes;
    pool->shared = (struct tern_pool_shared *)memory;
    pool->first = (unsigned char *)memory + sizeof(struct tern_pool_shared);
}

tern_status tern__pool_format(void *memory, size_t size_bytes, const tern_pool_desc *desc, uint32_t flags)
{
    struct tern_pool_geometry g;
    tern_pool pool;
    tern_status status = tern__check_memory(memory, size_bytes, sizeof(struct tern_pool_shared));
    if (!pool_geometry_from_desc(&g, desc, flags)) return TERN_ERR_ARGUMENT;
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
        tern_a64_store_relaxed(&slot->link, tern__pool_link(next, i)); /* relaxed: as above */
    }
    tern_a64_store_relaxed(&shared->head.link, tern__pool_link(0, 0)); /* relaxed: as above */
    /* relaxed: as above */
    tern_a64_store_relaxed(&shared->tail.link, tern__pool_link(g.capacity_items, g.capacity_items));
    tern_a32_store_relaxed(&shared->retired, 0); /* relaxed: as above */
    /* [POOL-0] release: the whole header and every slot before the magic.
     * Pairs with: [POOL-0] acquire in pool_load_geometry().
     * Otherwise: an attach may read a half-written header, an alloc a half-made list. */
    tern_a32_store_release(&shared->magic, TERN_POOL_MAGIC, POOL_0_FORMAT);
    return TERN_OK;
}

tern_status tern_pool_format(void *memory, size_t size_bytes, const tern_pool_desc *desc)
{
    return tern__pool_format(memory, size_bytes, desc, 0);
}

/* Copy the geometry out, once, and check every word of the copy. */
static tern_status pool_load_geometry(struct tern_pool_geometry *g, const void *memory, size_t size_bytes)
{
    tern_status status = tern__check_memory(memory, size_bytes, sizeof(struct tern_pool_shared));
    if (status != TERN_OK) return status;
    const struct tern_pool_shared *shared = (const struct tern_pool_shared *)memory;
    /* [POOL-0] acquire: the header and the slots after the magic.
     * Pairs with: [POOL-0] release in tern__pool_format().
     * Otherwise: a half-written header may pass for a damaged one. */
    uint32_t magic = tern_a32_load_acquire(&shared->magic, POOL_0_ATTACH);
    if (magic == 0) return TERN_ERR_NOT_READY;
    if (magic != TERN_POOL_MAGIC) return TERN_ERR_CORRUPT;
    status = tern__copy_geometry(g, &shared->geometry, sizeof *g);
    if (status != TERN_OK) return status;

    struct tern_pool_geometry expected;
    tern_pool_desc desc = { g->item_size_bytes, g->capacity_items };
    if (g->flags > TERN__POOL_HELD || !pool_geometry_from_desc(&expected, &desc, g->flags)) return TERN_ERR_CORRUPT;
    if (tern__memcmp(&expected, g, sizeof expected) != 0) return TERN_ERR_CORRUPT;
    return size_bytes < g->total_size_bytes ? TERN_ERR_MEMORY : TERN_OK;
}

tern_status tern_pool_attach(tern_pool *pool, void *memory, size_t size_bytes)
{
    struct tern_pool_geometry g;
    tern__memset(pool, 0, sizeof *pool);
    tern_status status = pool_load_geometry(&g, memory, size_bytes);
    if (status == TERN_OK && g.flags != 0) status = TERN_ERR_MISMATCH;
    if (status == TERN_OK) pool_fill_view(pool, &g, memory);
    return status;
}

tern_status tern__pool_attach(tern_pool *pool, const tern_region *region, const tern_object *object)
{
    struct tern_pool_geometry g;
    tern__memset(pool, 0, sizeof *pool);
    tern_status status = pool_load_geometry(&g, object->memory, (size_t)object->size_bytes);
    if (status == TERN_OK && g.flags != TERN__POOL_HELD) status = TERN_ERR_MISMATCH;
    if (status != TERN_OK) return status;
    pool_fill_view(pool, &g, object->memory);
    pool->counted_slots = 0;
    pool->peers = region->peers;
    pool->peers_used = &region->shared->peers_used;
    pool->max_peers = region->max_peers;
    pool->peer_slot = region->peer - 1;
    pool->object = object->index;
    return TERN_OK;
}

void tern_pool_detach(tern_pool *pool)
{
    tern__memset(pool, 0, sizeof *pool);
}

/* ---- Allocate and free -------------------------------------------------------------- */

/* Turn a slot that was taken from the list into a live item. */
TERN_INLINE tern_status pool_make(tern_pool *pool, uint32_t index, tern_a64 *hold, tern_handle *handle, void **item)
{
    struct tern_pool_slot *slot = tern__pool_slot(pool, index);
    /* relaxed: the compare-exchange orders */
    uint64_t word = tern_a64_load_relaxed(&slot->word);
    uint32_t generation = (uint32_t)(word >> 32);
    if (generation == 0 || generation > TERN__POOL_LAST_GENERATION) return TERN_ERR_CORRUPT;
    if (word != tern__pool_life(generation, TERN__POOL_FREE)) return TERN_ERR_CORRUPT;
    tern__hold_change(hold, tern__hold(TERN__HOLD_MADE, pool->object, index, generation));
    /* [POOL-1] acquire: what was done to the slot's former items.
     * Pairs with: [POOL-1] release in pool_end_life(), tern__pool_unpin_counted(), tern__hold_end_life(),
     * hold_unpin_counted(), tern__pool_reclaim_held().
     * Otherwise: the new item may be written over one that is still being read.
     * [POOL-2] release: where the free list stands: past this slot.
     * Pairs with: [POOL-2] acquire in pool_end_life(), tern__pool_pin_counted(), tern__pool_pin_held(),
     * tern__hold_end_life().
     * Otherwise: who frees a handle that no one published to it may put the slot back at a place
     * of the list that has been, and a slot is lost. */
    if (!tern_a64_cas_acq_rel(&slot->word, &word, tern__pool_life(generation, TERN__POOL_LIVE), POOL_1_ALLOC))
        return TERN_ERR_CORRUPT;
    handle->index = index;
    handle->generation = generation;
    *item = tern__pool_item(slot);
    return TERN_OK;
}

/* In a region: the slot is in a hold from before it leaves the list until its item is handed out. */
static TERN_NOINLINE tern_status pool_alloc_held(tern_pool *pool, tern_handle *handle, void **item)
{
    uint32_t index;
    tern_a64 *hold = tern__hold_take(pool, TERN__POOL_NO_INDEX);
    tern_status status = tern__pool_take(pool, &index, hold);
    if (status == TERN_OK) status = pool_make(pool, index, hold, handle, item);
    tern__hold_drop(pool, hold);
    return status;
}

tern_status tern_pool_alloc(tern_pool *pool, tern_handle *handle, void **item)
{
    uint32_t index;
    *handle = tern_handle_null();
    *item = NULL;
    if (!TERN__MODULE && TERN_UNLIKELY(pool->peers)) return pool_alloc_held(pool, handle, item);
    tern_status status = tern__pool_take(pool, &index, NULL);
    return status == TERN_OK ? pool_make(pool, index, NULL, handle, item) : status;
}

/* Make a handle stale, once, and add pins to what others hold. TERN_OK: nobody holds any; the
 * caller owns the slot; TERN_DEFERRED; TERN_ERR_STALE. The index is below pool->slots. */
TERN_INLINE tern_status pool_end_life(const tern_pool *pool, tern_handle handle, uint32_t add_pins)
{
    if (handle.generation > TERN__POOL_LAST_GENERATION) return TERN_ERR_STALE;
    struct tern_pool_slot *slot = tern__pool_slot(pool, handle.index);
    uint32_t next = handle.generation + 1;
    /* a guess, as in tern_pool_pin() */
    uint64_t word = tern__pool_life(handle.generation, TERN__POOL_LIVE);
    for (uint32_t tries = 0; tries < TERN__POOL_TRIES; tries++) {
        if (!tern__pool_is_live(word, handle.generation)) return TERN_ERR_STALE;
        uint64_t pins = (word & TERN__POOL_PINS_MASK) + add_pins;
        if (pins > TERN__POOL_PINS_MASK) return TERN_ERR_CORRUPT;
        uint64_t after = pins ? tern__pool_life(next, TERN__POOL_DYING) | pins : tern__pool_rest(next);
        /* [POOL-1] release: all that the caller did with the item.
         * Pairs with: [POOL-1] acquire in pool_make(), tern__pool_pin_counted(), tern_pool_get().
         * Otherwise: the next item may be written over this one while we still read it.
         * [POOL-2] acquire: where the free list stood when the slot left it.
         * Pairs with: [POOL-2] release in pool_make().
         * Otherwise: we may put the slot back at a place of the list that has been. */
        if (tern_a64_cas_acq_rel(&slot->word, &word, after, POOL_1_END)) return pins ? TERN_DEFERRED : TERN_OK;
    }
    return TERN_ERR_CORRUPT;
}

tern_status tern_pool_free(tern_pool *pool, tern_handle handle)
{
    if (TERN_UNLIKELY(handle.index >= pool->counted_slots))
        return TERN__MODULE ? TERN_ERR_STALE : tern__pool_free_held(pool, handle);
    tern_status status = pool_end_life(pool, handle, 0);
    if (status != TERN_OK) return status;
    return tern__pool_recycle(pool, handle.index, handle.generation + 1);
}

tern_status tern__pool_condemn(tern_pool *pool, tern_handle handle)
{
    if (handle.index >= pool->counted_slots) {
        tern_status status = tern__pool_condemn_held(pool, handle);
        if (status != TERN_ERR_FULL) return status;   /* no hold is left: the pin is counted */
    }
    return pool_end_life(pool, handle, 1);
}

void tern__pool_reclaim(tern_pool *pool, uint32_t index, uint32_t generation)
{
    if (index >= pool->slots) return;
    uint64_t word = tern__pool_life(generation, TERN__POOL_DYING);
    /* relaxed: alloc sees through this to each unpin [POOL-1]: read-modify-writes pass on what the
     * releases before them published. It fails only if somebody unpins what he did not pin. */
    if (!tern_a64_cas_relaxed(&tern__pool_slot(pool, index)->word, &word, tern__pool_rest(generation))) return;
    tern__pool_recycle(pool, index, generation);
}

/* ---- Look --------------------------------------------------------------------------- */

uint32_t tern_pool_was_retired(const tern_pool *pool)
{
    /* relaxed: a number to look at */
    uint32_t retired = tern_a32_load_relaxed(&pool->shared->retired);
    return retired > pool->capacity_items ? pool->capacity_items : retired;
}

/* How many slots are in the list, beside the one that is kept. The tail may be a place behind, if who
 * put the last slot there died, or has not moved it on yet. */
static int64_t pool_was_listed(const tern_pool *pool, uint64_t head)
{
    /* relaxed, both: numbers to look at */
    uint64_t tail = tern_a64_load_relaxed(&pool->shared->tail.link);
    int64_t listed = tern__pool_distance(head, tail);
    if (tern__pool_index(tail) >= pool->slots) return listed;
    uint64_t link = tern_a64_load_relaxed(&tern__pool_slot(pool, tern__pool_index(tail))->link); /* relaxed: as above */
    bool behind = tern__pool_place(link) == tern__pool_place(tail) && tern__pool_index(link) != TERN__POOL_NO_INDEX;
    return listed + behind;
}

/* Taken, less given back, less retired; head first: the difference never looks larger than it can be. */
static uint32_t pool_was_live(const tern_pool *pool, uint64_t *allocated)
{
    /* relaxed: a number to look at */
    uint64_t head = tern_a64_load_relaxed(&pool->shared->head.link);
    *allocated = tern__pool_place(head);
    int64_t live = (int64_t)pool->capacity_items - pool_was_listed(pool, head) - tern_pool_was_retired(pool);
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
