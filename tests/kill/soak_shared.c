/* SPDX-License-Identifier: MIT */
/* soak_shared.c: for the soak: ringer and collector of a bell, and two users of a pool. No ring is slept through or
 * lost beyond what its next one brings; no slot and no pin stays with the dead. */
#include "soak.h"

/* ---- Bells ------------------------------------------------------------------------------------------- */

static const tern_bell_desc bell_desc = { SOAK_SOURCES };

static bool make_bell(tern_region *region, uint32_t flags)
{
    tern_bell bell;
    (void)flags;
    return tern_bell_open(&bell, region, "it", &bell_desc) == TERN_OK;
}

/* Count a source on, then ring it. Who dies between the two leaves a note to its successor. */
static bool bell_ringer(soak_life *life)
{
    tern_bell bell;
    const tern_recovery none = { .outcome = TERN_RECOVERY_CLEAN };
    SOAK_TRUE(tern_bell_open(&bell, &life->region, "it", NULL) == TERN_OK);
    uint64_t count = soak_get(&life->book->done), pending = soak_get(&life->book->pending);
    soak_set(&life->book->begun, UINT64_MAX);
    if (!soak_open_book(life, count, 0, &none)) return false;
    if (pending != 0) tern_bell_ring(&bell, (uint32_t)pending - 1);
    while (!soak_stops(life)) {
        uint32_t source = (uint32_t)(next_random(&life->random) >> 16) % SOAK_SOURCES;
        soak_set(&life->book->pending, source + 1);
        soak_set(&life->books->rung[source], soak_get(&life->books->rung[source]) + 1);
        SOAK_TRUE(tern_bell_ring(&bell, source));
        soak_set(&life->book->pending, 0);
        soak_set(&life->book->done, ++count);
        soak_pause(life);
    }
    tern_bell_close(&bell);
    return true;
}

static bool bell_collector(soak_life *life)
{
    tern_bell bell;
    SOAK_TRUE(tern_bell_open_collector(&bell, &life->region, "it", NULL) == TERN_OK);
    bell.spin_checks = 500;
    uint64_t count = soak_get(&life->book->done);
    soak_set(&life->book->begun, UINT64_MAX);
    if (!soak_open_book(life, count, 0, &bell.recovery)) return false;
    for (;;) {
        tern_status status = tern_bell_wait(&bell, TERN_WAIT_FOREVER);
        tern_bell_pass pass;
        uint32_t first, bits;
        if (status == TERN_ERR_CLOSED) break;
        SOAK_TRUE(status == TERN_OK || status == TERN_ERR_PEER_DEAD);
        if (status == TERN_ERR_PEER_DEAD) {
            tern_status buried = tern_peer_recover(&life->region, NULL);
            SOAK_TRUE(buried == TERN_OK || buried == TERN_ERR_BUSY);
        }
        tern_bell_begin(&bell, &pass);
        while (tern_bell_next(&pass, &first, &bits))
            while (bits) {
                uint32_t source = first + tern_bell_take(&bits);
                SOAK_TRUE(source < SOAK_SOURCES);
                soak_set(&life->books->seen[source], soak_get(&life->books->rung[source]));
                soak_set(&life->book->done, ++count);
            }
        soak_pause(life);
    }
    tern_bell_detach(&bell);
    return true;
}

static bool live_bell(soak_life *life, uint32_t flags)
{
    (void)flags;
    return life->role == 0 ? bell_ringer(life) : bell_collector(life);
}

/* The collector looked at each source after its last ring. */
static bool all_was_seen(soak_books *books, int kills)
{
    (void)kills;
    for (int i = 0; i < SOAK_SOURCES; i++)
        if (soak_get(&books->seen[i]) != soak_get(&books->rung[i]))
            return soak_wrong("source %d rang %llu times, seen %llu", i, (unsigned long long)soak_get(&books->rung[i]),
                              (unsigned long long)soak_get(&books->seen[i]));
    return soak_get(&books->of[0].done) > 0;
}

/* ---- Pools ----------------------------------------------------------------------------------------------- */

enum { CAPACITY = 40, MOST_PINS = 3 };

typedef struct {
    uint64_t number, check[3];
} thing;
static const tern_pool_desc pool_desc = { sizeof(thing), CAPACITY };

static bool make_pool(tern_region *region, uint32_t flags)
{
    tern_pool pool;
    (void)flags;
    return tern_pool_open(&pool, region, "it", &pool_desc) == TERN_OK;
}

static uint64_t pack(tern_handle handle) { return (uint64_t)handle.generation << 32 | handle.index; }
static tern_handle unpack(uint64_t word) { return (tern_handle){ (uint32_t)word, (uint32_t)(word >> 32) }; }

static bool is_whole(const thing *t)
{
    SOAK_TRUE(t->check[0] == mix(t->number + 1) && t->check[1] == ~t->number && t->check[2] == t->number * 3);
    return true;
}

/* Make one and put it on the board; if there is no place, end it. */
static bool add_one(soak_life *life, tern_pool *pool, tern_a64 *place)
{
    tern_handle handle;
    void *item;
    uint64_t none = 0, number = next_random(&life->random);
    tern_status status = tern_pool_alloc(pool, &handle, &item);
    SOAK_TRUE(status == TERN_OK || status == TERN_ERR_FULL);
    if (status != TERN_OK) return true;
    *(thing *)item = (thing){ number, { mix(number + 1), ~number, number * 3 } };
    if (tern_a64_cas_acq_rel(place, &none, pack(handle), KILL)) return true;
    /* deferred: somebody is trying to pin the item that was in the slot before */
    status = tern_pool_free(pool, handle);
    SOAK_TRUE(status == TERN_OK || status == TERN_DEFERRED);
    return true;
}

/* Take one off the board, and end it. */
static bool end_one(tern_pool *pool, tern_a64 *place)
{
    uint64_t word = soak_get(place);
    if (word == 0 || !tern_a64_cas_acq_rel(place, &word, 0, KILL)) return true;
    tern_status status = tern_pool_free(pool, unpack(word));
    SOAK_TRUE(status == TERN_OK || status == TERN_DEFERRED);
    return true;
}

static bool read_one(tern_pool *pool, tern_handle handle)
{
    thing seen;
    return tern_pool_read(pool, handle, &seen, sizeof seen) != TERN_OK || is_whole(&seen);
}

/* Look at some for a while. */
static bool pin_some(soak_life *life, tern_pool *pool)
{
    tern_handle handles[MOST_PINS];
    const thing *pinned[MOST_PINS];
    uint64_t numbers[MOST_PINS];
    int count = 0;
    for (int i = 0; i < MOST_PINS; i++) {
        handles[count] = unpack(soak_get(&life->books->board[next_random(&life->random) % SOAK_BOARD]));
        pinned[count] = tern_pool_pin(pool, handles[count]);
        if (!pinned[count]) continue;
        numbers[count] = pinned[count]->number;
        if (!is_whole(pinned[count++])) return false;
    }
    for (uint64_t r = next_random(&life->random) % 64; r > 0; r--) tern_cpu_relax();
    for (int i = 0; i < count; i++) {
        SOAK_TRUE(pinned[i]->number == numbers[i] && is_whole(pinned[i]));
        tern_pool_unpin(pool, handles[i]);
    }
    return true;
}

static bool live_pool(soak_life *life, uint32_t flags)
{
    tern_pool pool;
    (void)flags;
    SOAK_TRUE(tern_pool_open(&pool, &life->region, "it", NULL) == TERN_OK);
    uint64_t done = soak_get(&life->book->done);
    soak_set(&life->book->begun, UINT64_MAX);
    if (!soak_open_book(life, done, 0, &pool.recovery)) return false;
    while (!soak_stops(life)) {
        uint64_t r = next_random(&life->random);
        tern_a64 *place = &life->books->board[(r >> 32) % SOAK_BOARD];
        bool ok = true;
        switch (r % 8) {
        case 0: case 1: case 2: ok = add_one(life, &pool, place); break;
        case 3: case 4: ok = end_one(&pool, place); break;
        case 5: ok = read_one(&pool, unpack(soak_get(place))); break;
        default: ok = pin_some(life, &pool);
        }
        if (!ok) return false;
        soak_set(&life->book->done, ++done);
        soak_pause(life);
    }
    return true;
}

/* Both are dead. What is on the board is live and whole; what is live beside it was in the hands of a program that
 * died between its calls; nothing is pinned, and each slot is there. */
static bool rest_pool(tern_region *region, soak_books *books, int kills)
{
    tern_pool pool;
    tern_handle handles[CAPACITY + 1];
    thing seen;
    void *item;
    uint32_t cursor = 0, count = 0, on_board = 0;
    SOAK_TRUE(tern_pool_open(&pool, region, "it", NULL) == TERN_OK);
    tern_recovery report;
    SOAK_TRUE(tern_peer_recover(region, &report) == TERN_OK);
    for (int i = 0; i < SOAK_BOARD; i++) {
        uint64_t word = soak_get(&books->board[i]);
        if (word == 0) continue;
        SOAK_TRUE(tern_pool_read(&pool, unpack(word), &seen, sizeof seen) == TERN_OK && is_whole(&seen));
        soak_set(&books->board[i], 0);
        on_board++;
    }
    while (tern_pool_walk(&pool, &cursor, &handles[count])) {
        tern_pool_unpin(&pool, handles[count]);
        SOAK_TRUE(++count <= CAPACITY);
    }
    SOAK_TRUE(count >= on_board && (int)(count - on_board) <= kills);
    /* one more while the list's tail lags: who moves it next may have died; the next free does */
    SOAK_TRUE(tern_pool_was_live(&pool) == count || tern_pool_was_live(&pool) == count + 1);
    for (uint32_t i = 0; i < count; i++) SOAK_TRUE(tern_pool_free(&pool, handles[i]) == TERN_OK);
    for (uint32_t i = 0; i < CAPACITY; i++) SOAK_TRUE(tern_pool_alloc(&pool, &handles[i], &item) == TERN_OK);
    SOAK_TRUE(tern_pool_alloc(&pool, &handles[CAPACITY], &item) == TERN_ERR_FULL);
    for (uint32_t i = 0; i < CAPACITY; i++) SOAK_TRUE(tern_pool_free(&pool, handles[i]) == TERN_OK);
    SOAK_TRUE(tern_pool_was_live(&pool) == 0);
    return true;
}

static bool both_worked(soak_books *books, int kills)
{
    (void)kills;
    return soak_get(&books->of[0].done) > 0 && soak_get(&books->of[1].done) > 0;
}

const soak_kind soak_shared[] = {
    { "bell", { "ringer", "collector" }, 0, make_bell, live_bell, 0, NULL, all_was_seen, NULL },
    { "pool", { "one user", "other" }, 0, make_pool, live_pool, 32, rest_pool, both_worked, NULL },
    { NULL, { NULL, NULL }, 0, NULL, NULL, 0, NULL, NULL, NULL },
};
