/* SPDX-License-Identifier: MIT */
/* victim_pool.c: a pool's user under attack. There are no roles: any peer may make any call. The form "held" is
 * a pool in a region: behind the pool lies a peer table, and pins stand there; both are lied about. */
#include "pool_limits.h"

enum { POOL_HELD = 12 };
enum pool_form { POOL_ALONE, POOL_IN_REGION };

typedef struct pool_state {
    tern_pool pool;
    tern_handle held[POOL_HELD], pinned[POOL_HELD];   /* as given out; some are stale by now */
    uint32_t pins;
    uint32_t pool_bytes;   /* of the object; a held pool's peers lie behind */
} pool_state;

static const struct { uint32_t capacity_items, item_size_bytes; } pool_shapes[] = {
    { 1, 8 }, { 2, 16 }, { 7, 48 }, { 16, 1 }, { 20, 100 }, { 4, 64 },
};

/* ---- The object ------------------------------------------------------------------------------------ */

static uint32_t pool_stride(const world *w)
{
    uint32_t bytes = w->item_size_bytes + (uint32_t)sizeof(struct tern_pool_slot);
    return bytes <= 32 ? 32 : (bytes + 63) / 64 * 64;
}

static bool pool_is_held(const world *w)
{
    return w->victim->form == POOL_IN_REGION;
}

/* Where the peer table begins; behind it lies the word that counts its slots. */
static uint32_t pool_peers_at(const world *w)
{
    const pool_state *s = w->state;
    return pool_is_held(w) ? (s->pool_bytes + 63) / 64 * 64 : s->pool_bytes;
}

/* What tern_pool_open() would put into the view, without a region. The other peer has the first slot. */
static void pool_hold(const world *w, tern_pool *pool)
{
    if (!pool_is_held(w)) return;
    pool->peers = (void *)(w->memory + pool_peers_at(w));
    pool->peers_used = (void *)&pool->peers[POOL_PEERS];
    pool->max_peers = POOL_PEERS;
    pool->counted_slots = 0;
    pool->peer_slot = 1;
    pool->object = 1;
}

static void pool_shape(world *w)
{
    pool_state *s = w->state;
    w->shape = hostile_below(w, sizeof pool_shapes / sizeof *pool_shapes);
    w->capacity_items = pool_shapes[w->shape].capacity_items;
    w->item_size_bytes = pool_shapes[w->shape].item_size_bytes;
    tern_pool_desc desc = { w->item_size_bytes, w->capacity_items };
    s->pool_bytes = (uint32_t)tern_pool_size(&desc);
    w->size_bytes = pool_peers_at(w)
        + (pool_is_held(w) ? POOL_PEERS * (uint32_t)sizeof(struct tern_region_peer) + 64 : 0);
}

/* As after so many turns of the list, with so many generations used up. */
static void pool_make(world *w)
{
    static const uint64_t starts[] = { 0, 1, (UINT64_C(1) << 40) - 3, UINT64_C(1) << 39 };
    static const uint32_t generations[] = { 1, 1, 0x7fffffff, TERN__POOL_LAST_GENERATION - 1,
                                            TERN__POOL_LAST_GENERATION };
    pool_state *s = w->state;
    struct tern_pool_shared *shared = (void *)w->memory;
    tern_pool_desc desc = { w->item_size_bytes, w->capacity_items };
    uint64_t start = starts[hostile_below(w, 4)];
    uint32_t pool_bytes = s->pool_bytes;
    memset(s, 0, sizeof *s);
    s->pool_bytes = pool_bytes;
    if (tern_pool_format(w->memory, pool_bytes, &desc) != TERN_OK
        || tern_pool_attach(&s->pool, w->memory, pool_bytes) != TERN_OK) hostile_fail(w, "attach");
    memset(w->memory + pool_bytes, 0, w->size_bytes - pool_bytes);
    pool_hold(w, &s->pool);
    if (pool_is_held(w)) tern_a32_store_relaxed(s->pool.peers_used, POOL_PEERS);
    for (uint32_t i = 0; i <= w->capacity_items; i++) {
        struct tern_pool_slot *slot = tern__pool_slot(&s->pool, i);
        uint32_t next = i < w->capacity_items ? i + 1 : TERN__POOL_NO_INDEX;
        tern_a64_store_relaxed(&slot->link, (start + i) << TERN__POOL_INDEX_BITS | next);
        tern_a64_store_relaxed(&slot->word, tern__pool_life(generations[hostile_below(w, 5)], TERN__POOL_FREE));
    }
    tern_a64_store_relaxed(&shared->head.link, start << TERN__POOL_INDEX_BITS);
    tern_a64_store_relaxed(&shared->tail.link,
                           (start + w->capacity_items) << TERN__POOL_INDEX_BITS | w->capacity_items);
}

static const char *pool_peer_word(uint32_t offset)
{
    if (offset >= POOL_PEERS * sizeof(struct tern_region_peer))
        return offset == POOL_PEERS * sizeof(struct tern_region_peer) ? "peers_used" : NULL;
    offset %= (uint32_t)sizeof(struct tern_region_peer);
    if (offset == offsetof(struct tern_region_peer, pins_used)) return "pins_used";
    if (offset == offsetof(struct tern_region_peer, unheld)) return "unheld";
    return offset == 0 ? "peer" : offset >= offsetof(struct tern_region_peer, holds) ? "hold" : NULL;
}

static const char *pool_word(const world *w, uint32_t offset)
{
    const pool_state *s = w->state;
    if (offset >= s->pool_bytes) return offset < pool_peers_at(w) ? NULL : pool_peer_word(offset - pool_peers_at(w));
    if (offset < 128) return hostile_header_word(w, offset);
    if (offset < 136) return "head";
    if (offset >= 256 && offset < 264) return "tail";
    if (offset == offsetof(struct tern_pool_shared, retired)) return "retired";
    if (offset < sizeof(struct tern_pool_shared)) return NULL;
    uint32_t at = (offset - (uint32_t)sizeof(struct tern_pool_shared)) % pool_stride(w);
    return at < 8 ? "slot.word" : at < 16 ? "slot.link" : "data";
}

static uint32_t pool_own(const world *w)
{
    const pool_state *s = w->state;
    return s->held[0].generation;
}

/* Each part of a word at an end of its range, or near the truth. */
static bool pool_lie(world *w, uint32_t offset, uint64_t *value)
{
    const pool_state *s = w->state;
    const char *word = pool_word(w, offset);
    uint32_t slots = w->capacity_items + 1, held = s->held[hostile_below(w, POOL_HELD)].generation;
    const uint32_t generations[] = { 0, 1, 2, TERN__POOL_LAST_GENERATION - 1, TERN__POOL_LAST_GENERATION, UINT32_MAX,
                                     held - 1, held, held, held + 1 };
    const uint32_t pins[] = { 0, 0, 1, 2, TERN_POOL_MAX_PINS - 1, TERN_POOL_MAX_PINS, TERN_POOL_MAX_PINS + 1 };
    const uint32_t indices[] = { 0, 1, slots - 1, slots, slots + 1, TERN__POOL_NO_INDEX - 1, TERN__POOL_NO_INDEX,
                                 hostile_below(w, slots), hostile_below(w, slots) };
    if (!word || offset < 128 || strcmp(word, "data") == 0 || strcmp(word, "retired") == 0) return false;
    if (offset >= s->pool_bytes) {
        if (strcmp(word, "hold") != 0) return false;
        /* none, or of any kind, of a slot of this pool or nearly */
        *value = hostile_below(w, 3) == 0 ? 0 : (uint64_t)hostile_below(w, 4) << 62 | UINT64_C(1) << 46
            | (uint64_t)(indices[hostile_below(w, 9)] & TERN__POOL_NO_INDEX) << 22;
        return true;
    }
    if (strcmp(word, "slot.word") == 0 && hostile_below(w, 3) == 0) {
        memcpy(value, w->alias + offset, sizeof *value);   /* as if peers had come and gone */
        *value = tern__pool_life((uint32_t)(*value >> 32), TERN__POOL_LIVE) | hostile_below(w, 4);
        return true;
    }
    if (strcmp(word, "slot.word") == 0) {
        *value = tern__pool_life(generations[hostile_below(w, 10)], hostile_below(w, 4)) | pins[hostile_below(w, 7)];
        return true;
    }
    /* the place of head or tail or of some slot, or beside it */
    const uint32_t from = hostile_below(w, 3), stride = pool_stride(w);
    uint64_t place;
    memcpy(&place, w->alias + (from == 0 ? 128 : from == 1 ? 256
        : sizeof(struct tern_pool_shared) + hostile_below(w, slots) * stride + 8), sizeof place);
    place = (place >> TERN__POOL_INDEX_BITS) + hostile_below(w, 3) - 1;
    *value = place << TERN__POOL_INDEX_BITS | indices[hostile_below(w, 9)];
    return true;
}

/* ---- Calls ---------------------------------------------------------------------------------------------- */

/* One that was given out, or anything: handles come from peers too. */
static tern_handle pool_some_handle(world *w)
{
    pool_state *s = w->state;
    if (hostile_below(w, 16)) return s->held[hostile_below(w, POOL_HELD)];
    uint64_t r = hostile_random(w);
    tern_handle handle = { r & 1 ? hostile_below(w, w->capacity_items + 3) : (uint32_t)(r >> 8), (uint32_t)(r >> 32) };
    if (r & 2) handle.generation = 1 + hostile_below(w, 3);
    return handle;
}

static void pool_touch(const world *w, void *item, bool write)
{
    const pool_state *s = w->state;
    hostile_span(w, item, s->pool.item_size_bytes, sizeof(struct tern_pool_shared) + 16, write);
}

static void pool_alloc(world *w)
{
    pool_state *s = w->state;
    tern_handle handle;
    void *item;
    hostile_begin(w, &w->victim->limits[ALLOC], 0);
    tern_status status = tern_pool_alloc(&s->pool, &handle, &item);
    hostile_end(w);
    hostile_status(w, status, HOSTILE_ONE(TERN_OK) | HOSTILE_ONE(TERN_ERR_FULL) | HOSTILE_ONE(TERN_ERR_CORRUPT));
    hostile_check(w, (status == TERN_OK) == (item != NULL) && (item != NULL) == !tern_handle_is_null(handle));
    if (!item) return;
    hostile_check(w, handle.index < s->pool.slots && handle.generation <= TERN__POOL_LAST_GENERATION);
    pool_touch(w, item, true);
    s->held[hostile_below(w, POOL_HELD)] = handle;
    w->successes++;
}

static void pool_free(world *w)
{
    pool_state *s = w->state;
    hostile_begin(w, &w->victim->limits[FREE], 0);
    tern_status status = tern_pool_free(&s->pool, pool_some_handle(w));
    hostile_end(w);
    hostile_status(w, status, HOSTILE_ONE(TERN_OK) | HOSTILE_ONE(TERN_DEFERRED) | HOSTILE_ONE(TERN_ERR_STALE)
                                  | HOSTILE_ONE(TERN_ERR_CORRUPT));
    w->successes += status >= 0;
}

static void pool_unpin(world *w, tern_handle handle)
{
    pool_state *s = w->state;
    hostile_begin(w, &w->victim->limits[UNPIN], 0);
    tern_pool_unpin(&s->pool, handle);
    hostile_end(w);
}

static void pool_pin(world *w)
{
    pool_state *s = w->state;
    if (s->pins == POOL_HELD || (s->pins && hostile_below(w, 2))) {
        uint32_t i = hostile_below(w, s->pins);
        tern_handle handle = s->pinned[i];
        s->pinned[i] = s->pinned[--s->pins];
        pool_unpin(w, handle);
        return;
    }
    tern_handle handle = pool_some_handle(w);
    hostile_begin(w, &w->victim->limits[PIN], 0);
    void *item = tern_pool_pin(&s->pool, handle);
    hostile_end(w);
    if (!item) return;
    pool_touch(w, item, false);
    s->pinned[s->pins++] = handle;
    w->successes++;
}

static void pool_read(world *w)
{
    pool_state *s = w->state;
    uint32_t size = hostile_below(w, s->pool.item_size_bytes + 2);
    unsigned char *out = hostile_out(w, size);
    hostile_begin(w, &w->victim->limits[READ], 0);
    tern_status status = tern_pool_read(&s->pool, pool_some_handle(w), out, size);
    hostile_end(w);
    hostile_status(w, status, HOSTILE_ONE(TERN_OK) | HOSTILE_ONE(TERN_ERR_STALE) | HOSTILE_ONE(TERN_ERR_ARGUMENT));
    hostile_check(w, (status == TERN_ERR_ARGUMENT) == (size > s->pool.item_size_bytes));
    w->successes += status == TERN_OK;
}

/* To the end, whatever the peers do: each slot once. */
static void pool_walk(world *w)
{
    pool_state *s = w->state;
    uint32_t cursor = 0, visited = 0;
    tern_handle handle;
    void *item;
    do {
        uint32_t before = cursor;
        hostile_begin(w, &w->victim->limits[WALK], s->pool.slots);
        item = tern_pool_walk(&s->pool, &cursor, &handle);
        hostile_end(w);
        hostile_check(w, cursor <= s->pool.slots && (!item || cursor > before) && ++visited <= s->pool.slots + 1);
        if (!item) break;
        hostile_check(w, handle.index < s->pool.slots);
        pool_touch(w, item, false);
        pool_unpin(w, handle);
        w->successes++;
    } while (item);
    hostile_check(w, tern_handle_is_null(handle));
}

static void pool_counts(world *w)
{
    pool_state *s = w->state;
    hostile_begin(w, &w->victim->limits[LIVE], 0);
    uint32_t live = tern_pool_was_live(&s->pool);
    hostile_end(w);
    hostile_check(w, live <= s->pool.capacity_items);
    hostile_begin(w, &w->victim->limits[RETIRED], 0);
    uint32_t retired = tern_pool_was_retired(&s->pool);
    hostile_end(w);
    hostile_check(w, retired <= s->pool.capacity_items);
}

static void pool_attach(world *w)
{
    pool_state *s = w->state;
    tern_pool fresh;
    hostile_mend_header(w);
    hostile_begin(w, &w->victim->limits[ATTACH], 0);
    tern_status status = tern_pool_attach(&fresh, w->memory, s->pool_bytes);
    hostile_end(w);
    if (!hostile_attached(w, status, HOSTILE_ATTACHES | HOSTILE_ONE(TERN_ERR_MISMATCH), &fresh, sizeof fresh)) return;
    hostile_check(w, fresh.first + (uint64_t)fresh.slots * fresh.stride_bytes <= w->memory + s->pool_bytes);
    hostile_begin(w, &w->victim->limits[DETACH], 0);
    tern_pool_detach(&s->pool);
    hostile_end(w);
    if (hostile_reshaped(w, fresh.capacity_items, fresh.item_size_bytes)) s->pins = 0;   /* those of other slots */
    s->pool = fresh;
    pool_hold(w, &s->pool);
}

static void pool_inspect(world *w)
{
    const pool_state *s = w->state;
    tern_pool_info info;
    hostile_mend_header(w);
    hostile_begin(w, &w->victim->limits[INSPECT], 0);
    tern_status status = tern_pool_inspect(&info, w->memory, s->pool_bytes);
    hostile_end(w);
    if (hostile_status(w, status, HOSTILE_ATTACHES) != TERN_OK) return;
    hostile_check(w, info.size_bytes <= s->pool_bytes && info.was_live <= info.capacity_items);
    hostile_check(w, info.was_retired <= info.capacity_items && info.was_allocated < UINT64_C(1) << 40);
}

static void pool_act(world *w)
{
    pool_state *s = w->state;
    bool quiet = w->quiet;
    uint32_t r = hostile_below(w, 256);
    if (hostile_below(w, 4) == 0) w->quiet = true;   /* a peer's call */
    if (r < 80) {
        pool_alloc(w);
    } else if (r < 130) {
        pool_free(w);
    } else if (r < 180) {
        pool_pin(w);
    } else if (r < 205) {
        pool_read(w);
    } else if (r < 225) {
        hostile_begin(w, &w->victim->limits[GET], 0);
        void *item = tern_pool_get(&s->pool, pool_some_handle(w));
        hostile_end(w);
        if (item) pool_touch(w, item, false);
    } else if (r < 235) {
        pool_counts(w);
    } else if (r < 240) {
        pool_walk(w);
    } else if (r < 248) {
        pool_attach(w);
    } else {
        pool_inspect(w);
    }
    w->quiet = quiet;
}

const hostile_victim hostile_pool_victims[] = {
    { "pool", POOL_ALONE, 0, sizeof(pool_state), pool_shape, pool_make, pool_act, pool_word, pool_own, pool_lie,
      sizeof(struct tern_pool_geometry), pool_rereads, pool_limits, POOL_CALLS },
    { .name = NULL },
};

const hostile_victim hostile_pool_held_victims[] = {
    { "pool_held", POOL_IN_REGION, 0, sizeof(pool_state), pool_shape, pool_make, pool_act, pool_word, pool_own,
      pool_lie, sizeof(struct tern_pool_geometry), pool_held_rereads, pool_held_limits, POOL_CALLS },
    { .name = NULL },
};
