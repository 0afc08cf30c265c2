/* SPDX-License-Identifier: MIT */
/* victim_pool.c: a pool's user under attack. There are no roles: any peer may make any call. The form "held" is
 * a pool in a region: behind the pool lies a peer table, and pins stand there; both are lied about. */
#include "hostile.h"

enum { POOL_HELD = 12, POOL_PEERS = 2 };
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

/* ---- Limits ------------------------------------------------------------------------------------- */

/* How often a call tries again is the library's; the watched build has smaller numbers (meson.build),
 * or the calls that a liar holds up to the last try would take all the time. */
#ifndef TERN__POOL_LIST_TRIES
#  define TERN__POOL_LIST_TRIES (1u << 13)
#endif

enum {
    POOL_TAKE = 5 * TERN__POOL_LIST_TRIES,        /* head, link, tail, and two compare-exchanges */
    POOL_GIVE = 5 * TERN__POOL_LIST_TRIES,        /* tail, link, own link, and two compare-exchanges */
    POOL_PIN = TERN__POOL_TRIES,
    POOL_UNPIN = 1 + 1 + 1 + POOL_GIVE,
    POOL_LIVE = 4   /* head, tail, retired; and the tail's link: a slot may be in the list that tail is not at yet */
};

/* How often a thread looks for its pin is the library's too. */
#ifndef TERN__HOLD_TRIES
#  define TERN__HOLD_TRIES 64u
#endif

enum {
    HOLD_BEGIN = 2 * TERN_PEER_HOLDS + 1,         /* a load and a compare-exchange of each; or the call is counted */
    HOLD_END = 1,
    /* pins_used only grows, so that each lost compare-exchange is one more pin. A liar who writes it back at each
     * try could hold the call longer; by chance none does. */
    HOLD_MORE = 2 + TERN__PEER_PINS,              /* a load, compare-exchanges, and the hold's */
    HOLD_TAKE_PIN = TERN__PEER_PINS * (1 + HOLD_MORE),
    HOLD_LOOK = 1 + POOL_PEERS * (1 + TERN__PEER_PINS),   /* peers_used; pins_used and all pins of each */
    HOLD_RECLAIM = HOLD_LOOK + 1 + POOL_GIVE,
    HOLD_LET_GO = 1 + HOLD_RECLAIM + 1,
    HOLD_UNPIN_COUNTED = HOLD_BEGIN + 1 + TERN__POOL_TRIES + HOLD_RECLAIM + HOLD_END,
    HOLD_UNPIN = TERN__HOLD_TRIES * (2 * TERN__PEER_PINS + HOLD_UNPIN_COUNTED) + HOLD_LET_GO,
    HOLD_PIN = HOLD_TAKE_PIN + TERN__POOL_TRIES + 2 + HOLD_UNPIN   /* and, of a stale handle, back again */
};

enum pool_call { ALLOC, GET, PIN, UNPIN, READ, FREE, WALK, LIVE, RETIRED, ATTACH, DETACH, INSPECT, POOL_CALLS };

static hostile_limit pool_limits[POOL_CALLS] = {
    [ALLOC] = { "tern_pool_alloc", POOL_TAKE + 2, 0, 0, 0 },
    [GET] = { "tern_pool_get", 1, 0, 0, 0 },
    [PIN] = { "tern_pool_pin", POOL_PIN, 0, 0, 0 },
    [UNPIN] = { "tern_pool_unpin", POOL_UNPIN, 0, 0, 0 },
    [READ] = { "tern_pool_read", POOL_PIN + 1 + POOL_UNPIN, 0, 0, 0 },
    [FREE] = { "tern_pool_free", TERN__POOL_TRIES + 1 + POOL_GIVE, 0, 0, 0 },
    [WALK] = { "tern_pool_walk", 0, 1 + POOL_PIN, 0, 0 },   /* each for a slot */
    [LIVE] = { "tern_pool_was_live", POOL_LIVE, 0, 0, 0 },
    [RETIRED] = { "tern_pool_was_retired", 1, 0, 0, 0 },
    [ATTACH] = { "tern_pool_attach", 2, 0, 0, 0 },
    [DETACH] = { "tern_pool_detach", 0, 0, 0, 0 },
    [INSPECT] = { "tern_pool_inspect", 2 + 1 + POOL_LIVE, 0, 0, 0 },
};

static hostile_limit pool_held_limits[POOL_CALLS] = {
    [ALLOC] = { "tern_pool_alloc, held", HOLD_BEGIN + POOL_TAKE + TERN__POOL_LIST_TRIES + 3 + HOLD_END, 0, 0, 0 },
    [GET] = { "tern_pool_get, held", 1, 0, 0, 0 },
    [PIN] = { "tern_pool_pin, held", HOLD_PIN, 0, 0, 0 },
    [UNPIN] = { "tern_pool_unpin, held", HOLD_UNPIN, 0, 0, 0 },
    [READ] = { "tern_pool_read, held", HOLD_PIN + 1 + HOLD_UNPIN, 0, 0, 0 },
    [FREE] = { "tern_pool_free, held", HOLD_BEGIN + TERN__POOL_TRIES + HOLD_RECLAIM + HOLD_END, 0, 0, 0 },
    [WALK] = { "tern_pool_walk, held", 0, 1 + HOLD_PIN, 0, 0 },
    [LIVE] = { "tern_pool_was_live, held", POOL_LIVE, 0, 0, 0 },
    [RETIRED] = { "tern_pool_was_retired, held", 1, 0, 0, 0 },
    [ATTACH] = { "tern_pool_attach, held", 2, 0, 0, 0 },
    [DETACH] = { "tern_pool_detach, held", 0, 0, 0, 0 },
    [INSPECT] = { "tern_pool_inspect, held", 2 + 1 + POOL_LIVE, 0, 0, 0 },
};

#define RACES "each try begins anew: its indices are bounded, and its compare-exchange is on what it bounded"
#define FAILED "each compare-exchange takes what the one before saw, after a check; the one that succeeds decides"

static const hostile_reread pool_rereads[] = {
    { "tern_pool_alloc", "head", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_alloc", "tail", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_alloc", "slot.link", TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_alloc", "slot.word", 2, 0, "a load that is checked, and a compare-exchange that expects what was loaded" },
    { "tern_pool_free", "tail", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_free", "slot.link", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_free", "slot.word", TERN__POOL_TRIES, 0, FAILED },
    { "tern_pool_pin", "slot.word", TERN__POOL_TRIES, 0, FAILED },
    { "tern_pool_walk", "slot.word", 1 + TERN__POOL_TRIES, 0, FAILED },
    { "tern_pool_unpin", "tail", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_unpin", "slot.link", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_unpin", "slot.word", 2, 0, "a subtraction, and a compare-exchange that expects what it left" },
    { "tern_pool_read", "tail", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_read", "slot.link", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_read", "slot.word", 2 + TERN__POOL_TRIES, 0, "as pin and unpin" },
    { "tern_pool_inspect", "retired", 2, 0, "once as such, once for the number of live items: each is cut to its range" },
    { NULL, NULL, 0, 0, NULL },
};

#define HOLDS "a load that is only compared, and a compare-exchange that expects what was compared"
#define ROUNDS "each round of looks begins anew, and what it finds is decided by compare-exchange"

enum {   /* how often a call may read one word: a look for a pin, in each round; and what is given back meanwhile */
    HOLD_ROUND = 2 + 2 + 1,
    HOLD_UNPIN_READS = TERN__HOLD_TRIES * HOLD_ROUND + 2,
    HOLD_PIN_READS = 2 + HOLD_UNPIN_READS,
    HOLD_LIST = 2 * TERN__POOL_LIST_TRIES * (TERN__HOLD_TRIES + 1),
    HOLD_WORD = (TERN__HOLD_TRIES + 1) * (TERN__POOL_TRIES + 2) + 2
};

static const hostile_reread pool_held_rereads[] = {
    { "tern_pool_alloc, held", "head", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_alloc, held", "tail", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_alloc, held", "slot.link", TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_alloc, held", "slot.word", 2, 0, "a load that is checked, and a compare-exchange that expects what was loaded" },
    { "tern_pool_alloc, held", "hold", 2, 0, HOLDS },
    { "tern_pool_alloc, held", "unheld", 2, 0, "counted up, and down" },
    { "tern_pool_free, held", "tail", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_free, held", "slot.link", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_free, held", "slot.word", TERN__POOL_TRIES + 1, 0, FAILED },
    { "tern_pool_free, held", "hold", 2 + 1, 0, HOLDS ", and the look whether it is a pin" },
    { "tern_pool_free, held", "unheld", 2, 0, "counted up, and down" },
    { "tern_pool_unpin, held", "tail", HOLD_LIST, 0, RACES },
    { "tern_pool_unpin, held", "slot.link", HOLD_LIST, 0, RACES },
    { "tern_pool_unpin, held", "slot.word", HOLD_WORD, 0, FAILED },
    { "tern_pool_unpin, held", "hold", HOLD_UNPIN_READS, 0, ROUNDS },
    { "tern_pool_unpin, held", "unheld", 2 * TERN__HOLD_TRIES, 0, "counted up, and down" },
    { "tern_pool_unpin, held", "pins_used", 2, 0, ROUNDS },
    { "tern_pool_unpin, held", "peers_used", 2, 0, ROUNDS },
    { "tern_pool_pin, held", "tail", HOLD_LIST, 0, RACES },
    { "tern_pool_pin, held", "slot.link", HOLD_LIST, 0, RACES },
    { "tern_pool_pin, held", "slot.word", HOLD_WORD + TERN__POOL_TRIES, 0, FAILED },
    { "tern_pool_pin, held", "hold", HOLD_PIN_READS, 0, ROUNDS },
    { "tern_pool_pin, held", "unheld", 2 * TERN__HOLD_TRIES, 0, "counted up, and down" },
    { "tern_pool_pin, held", "pins_used", HOLD_TAKE_PIN + 2, 0, "bounded tries to make it more; and a look" },
    { "tern_pool_pin, held", "peers_used", 2, 0, ROUNDS },
    { "tern_pool_read, held", "tail", 2 * HOLD_LIST, 0, RACES },
    { "tern_pool_read, held", "slot.link", 2 * HOLD_LIST, 0, RACES },
    { "tern_pool_read, held", "slot.word", 2 * HOLD_WORD + TERN__POOL_TRIES, 0, "as pin and unpin" },
    { "tern_pool_read, held", "hold", HOLD_PIN_READS + HOLD_UNPIN_READS, 0, ROUNDS },
    { "tern_pool_read, held", "unheld", 4 * TERN__HOLD_TRIES, 0, "counted up, and down" },
    { "tern_pool_read, held", "pins_used", HOLD_TAKE_PIN + 4, 0, "as pin and unpin" },
    { "tern_pool_read, held", "peers_used", 4, 0, ROUNDS },
    /* each for a slot */
    { "tern_pool_walk, held", "tail", 0, HOLD_LIST, RACES },
    { "tern_pool_walk, held", "slot.link", 0, HOLD_LIST, RACES },
    { "tern_pool_walk, held", "slot.word", 1 + HOLD_WORD + TERN__POOL_TRIES, 0, FAILED },
    { "tern_pool_walk, held", "hold", 0, HOLD_PIN_READS, ROUNDS },
    { "tern_pool_walk, held", "unheld", 0, 2 * TERN__HOLD_TRIES, "counted up, and down" },
    { "tern_pool_walk, held", "pins_used", 0, HOLD_TAKE_PIN + 2, "as pin" },
    { "tern_pool_walk, held", "peers_used", 0, 2, ROUNDS },
    { "tern_pool_walk, held", "retired", 0, 1, "counted up" },
    { "tern_pool_inspect, held", "retired", 2, 0, "once as such, once for the number of live items: each is cut to its range" },
    { NULL, NULL, 0, 0, NULL },
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
    w->size_bytes = pool_peers_at(w) + (pool_is_held(w) ? POOL_PEERS * (uint32_t)sizeof(struct tern_region_peer) + 64 : 0);
}

/* As after so many turns of the list, with so many generations used up. */
static void pool_make(world *w)
{
    static const uint64_t starts[] = { 0, 1, (UINT64_C(1) << 40) - 3, UINT64_C(1) << 39 };
    static const uint32_t generations[] = { 1, 1, 0x7fffffff, TERN__POOL_LAST_GENERATION - 1, TERN__POOL_LAST_GENERATION };
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
    tern_a64_store_relaxed(&shared->tail.link, (start + w->capacity_items) << TERN__POOL_INDEX_BITS | w->capacity_items);
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
    { "pool_held", POOL_IN_REGION, 0, sizeof(pool_state), pool_shape, pool_make, pool_act, pool_word, pool_own, pool_lie,
      sizeof(struct tern_pool_geometry), pool_held_rereads, pool_held_limits, POOL_CALLS },
    { .name = NULL },
};
