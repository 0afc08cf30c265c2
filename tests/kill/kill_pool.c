/* SPDX-License-Identifier: MIT */
/* kill_pool.c: whoever uses a pool, killed at every instruction of every call. In plain memory: what the dead one
 * held in its hands stays lost, nothing else may be; kill_peers.c has pools whose peers are buried.
 *
 *   kill_pool [--only TEXT] */
#include "kill.h"

typedef struct {
    uint64_t number, check;
} thing;

enum { CAPACITY = 5, OTHERS = 2 };

static struct {
    size_t size;
    tern_pool pool;
    tern_handle others[OTHERS];    /* of the others, live all the time */
    tern_handle own;               /* the victim's */
    bool retires;                  /* freeing it ends its slot */
} w;

static bool fill_thing(void *item, uint64_t number)
{
    if (item) *(thing *)item = (thing){ number, mix(number + 1) };
    return item != NULL;
}

static bool is_thing(tern_handle handle, uint64_t number)
{
    thing seen;
    KILL_TRUE(tern_pool_read(&w.pool, handle, &seen, sizeof seen) == TERN_OK);
    KILL_TRUE(seen.number == number && seen.check == mix(number + 1));
    return true;
}

/* ---- Before the operation ------------------------------------------------------------------------- */

static tern_handle make_thing(uint64_t number)
{
    tern_handle handle;
    void *item;
    if (tern_pool_alloc(&w.pool, &handle, &item) == TERN_OK) fill_thing(item, number);
    return handle;
}

/* Two items of others, one of the victim's, two free slots; the list has gone around. */
static void pool_in_use(void)
{
    tern_pool_desc desc = { sizeof(thing), CAPACITY };
    w.size = tern_pool_size(&desc);
    tern_pool_format(kill_memory, w.size, &desc);
    tern_pool_attach(&w.pool, kill_memory, w.size);
    for (int i = 0; i < 2 * CAPACITY; i++) tern_pool_free(&w.pool, make_thing(99));
    for (int i = 0; i < OTHERS; i++) w.others[i] = make_thing((uint64_t)i);
    w.own = make_thing(7);
}

/* No slot is free. */
static void pool_full(void)
{
    pool_in_use();
    while (make_thing(8).generation != 0) { }
}

static void own_is_pinned(void)
{
    pool_in_use();
    tern_pool_pin(&w.pool, w.own);
}

/* Pinned and freed: the unpin gives the slot back. */
static void own_is_dying(void)
{
    own_is_pinned();
    tern_pool_free(&w.pool, w.own);
}

static void own_is_pinned_by_two(void)
{
    own_is_pinned();
    tern_pool_pin(&w.pool, w.own);
}

/* The victim's item is the last of its slot. */
static void own_is_the_last(void)
{
    pool_in_use();
    struct tern_pool_slot *slot = tern__pool_slot(&w.pool, w.own.index);
    w.own.generation = TERN__POOL_LAST_GENERATION;
    tern_a64_store_relaxed(&slot->word, tern__pool_life(w.own.generation, TERN__POOL_LIVE));
    w.retires = true;
}

/* The list's tail lags: its last mover died, or was overtaken. */
static void tail_lags(void)
{
    pool_in_use();
    struct tern_pool_shared *shared = w.pool.shared;
    uint64_t tail = tern_a64_load_relaxed(&shared->tail.link);
    tern_pool_free(&w.pool, make_thing(9));
    tern_a64_store_relaxed(&shared->tail.link, tail);
}

/* ---- Operations ------------------------------------------------------------------------------------- */

static void alloc(void) { make_thing(7); }
static void free_own(void) { tern_pool_free(&w.pool, w.own); }
static void pin(void) { (void)tern_pool_pin(&w.pool, w.own); }
static void unpin(void) { tern_pool_unpin(&w.pool, w.own); }
static void get(void) { (void)tern_pool_get(&w.pool, w.own); }
static void attach(void) { tern_pool_attach(&w.pool, kill_memory, w.size); }
static void detach(void) { tern_pool_detach(&w.pool); }
static void was_live(void) { (void)tern_pool_was_live(&w.pool); }
static void read_own(void) { thing seen; tern_pool_read(&w.pool, w.own, &seen, sizeof seen); }

static void walk(void)
{
    uint32_t cursor = 0;
    tern_handle handle;
    while (tern_pool_walk(&w.pool, &cursor, &handle)) tern_pool_unpin(&w.pool, handle);
}

/* ---- Who is left and who comes ----------------------------------------------------------------------- */


/* Take all that is free; none of it may be in use, or come twice. @return how many, or KILL_WRONG */
static int take_all(tern_handle *taken)
{
    int count = 0;
    void *item;
    tern_status status;
    while ((status = tern_pool_alloc(&w.pool, &taken[count], &item)) == TERN_OK) {
        KILL_MUST(fill_thing(item, 100 + (uint64_t)count));
        for (int i = 0; i < count; i++) KILL_MUST(taken[i].index != taken[count].index);
        for (int i = 0; i < OTHERS; i++) KILL_MUST(w.others[i].index != taken[count].index);
        KILL_MUST(++count <= CAPACITY);
    }
    KILL_MUST(status == TERN_ERR_FULL);
    for (int i = 0; i < count; i++) KILL_MUST(is_thing(taken[i], 100 + (uint64_t)i));
    return count;
}

/* The pool goes on with so many free slots as it has now, for all of its slots' turns. @return how many */
static int flow(void)
{
    tern_handle taken[CAPACITY + 1];
    int count = take_all(taken);
    KILL_MUST(count != KILL_WRONG);
    for (int round = 0; round < 2 * CAPACITY; round++) {
        for (int i = 0; i < count; i++) KILL_MUST(tern_pool_free(&w.pool, taken[(i + round) % count]) == TERN_OK);
        for (int i = 0; i < count; i++) KILL_MUST(tern_pool_get(&w.pool, taken[i]) == NULL);
        KILL_MUST(take_all(taken) == count);
    }
    for (int i = 0; i < OTHERS; i++) KILL_MUST(is_thing(w.others[i], (uint64_t)i));
    KILL_MUST(tern_pool_was_live(&w.pool) == CAPACITY - tern_pool_was_retired(&w.pool));
    return count;
}

/* Who comes after the dead one, or who is left. */
static bool come(int order)
{
    return order == 0 || tern_pool_attach(&w.pool, kill_memory, w.size) == TERN_OK;
}

static bool own_is_live(void)
{
    return tern_pool_get(&w.pool, w.own) != NULL;
}

/* Effect: slots that are no longer free. */
static int allocator_died(int order)
{
    KILL_MUST(come(order) && is_thing(w.own, 7));
    int slots = flow();
    return slots == KILL_WRONG ? KILL_WRONG : CAPACITY - OTHERS - 1 - slots;
}

static int full_allocator_died(int order)
{
    KILL_MUST(come(order) && is_thing(w.own, 7) && tern_pool_free(&w.pool, w.own) == TERN_OK);
    KILL_MUST(flow() == 1);
    return 0;
}

/* Effect: 1 when the handle is stale, 2 when its slot is free again, or has ended. */
static int freer_died(int order)
{
    KILL_MUST(come(order));
    bool live = own_is_live();
    if (live && !w.retires) KILL_MUST(is_thing(w.own, 7));
    int slots = flow(), was_free = CAPACITY - OTHERS - 1;
    KILL_MUST(slots == was_free || (slots == was_free + 1 && !live && !w.retires));
    KILL_MUST(!w.retires || (tern_pool_was_retired(&w.pool) <= !live));
    return !live + (slots - was_free) + (int)tern_pool_was_retired(&w.pool);
}

/* Effect: 1 when the handle is stale; the pin of another keeps the slot until that unpins. */
static int freer_of_pinned_died(int order)
{
    KILL_MUST(come(order));
    bool live = own_is_live();
    int was_free = CAPACITY - OTHERS - 1;
    KILL_MUST(flow() == was_free);
    tern_pool_unpin(&w.pool, w.own);
    KILL_MUST(own_is_live() == live);
    tern_handle one;
    void *item;
    KILL_MUST(tern_pool_alloc(&w.pool, &one, &item) == (live ? TERN_ERR_FULL : TERN_OK));
    return !live;
}

/* Effect: pins that the dead one held, seen by what a free says. Without a recovery they stay. */
static int pins_left(int order)
{
    KILL_MUST(come(order) && is_thing(w.own, 7));
    int slots = flow();
    KILL_MUST(slots == CAPACITY - OTHERS - 1);
    tern_status status = tern_pool_free(&w.pool, w.own);
    KILL_MUST(status == TERN_OK || status == TERN_DEFERRED);
    KILL_MUST(!own_is_live());
    return status == TERN_DEFERRED;
}

/* Effect: 1 when the pin is over. */
static int unpinner_died(int order)
{
    int left = pins_left(order);
    return left == KILL_WRONG ? KILL_WRONG : 1 - left;
}

/* Effect: slots that are free again: the handle was stale before. */
static int last_unpinner_died(int order)
{
    KILL_MUST(come(order) && !own_is_live());
    int slots = flow();
    return slots == KILL_WRONG ? KILL_WRONG : slots - (CAPACITY - OTHERS - 1);
}

/* The second of two pins stays; the slot is in use until it is over. */
static int one_of_two_unpinners_died(int order)
{
    KILL_MUST(pins_left(order) == 1);
    tern_pool_unpin(&w.pool, w.own);
    tern_handle one;
    void *item;
    return tern_pool_alloc(&w.pool, &one, &item) == TERN_OK;   /* FULL: there was another pin */
}

/* A pin that comes and goes again: whatever is left of it, the rest is sound. */
static int reader_died(int order)
{
    return pins_left(order) == KILL_WRONG ? KILL_WRONG : 0;
}

/* ---- The table --------------------------------------------------------------------------------------- */

static const kill_case all[] = {
    KILL_CASE("alloc", pool_in_use, alloc, allocator_died, 2, 1),
    KILL_CASE("alloc, the list's tail lags", tail_lags, alloc, allocator_died, 2, 1),
    KILL_CASE("alloc that finds nothing", pool_full, alloc, full_allocator_died, 2, 0),
    KILL_CASE("free", pool_in_use, free_own, freer_died, 2, 2),
    KILL_CASE("free, the list's tail lags", tail_lags, free_own, freer_died, 2, 2),
    KILL_CASE("free of a pinned item", own_is_pinned, free_own, freer_of_pinned_died, 2, 1),
    KILL_CASE("free at the last generation", own_is_the_last, free_own, freer_died, 2, 2),
    KILL_CASE("pin", pool_in_use, pin, pins_left, 2, 1),
    KILL_CASE("unpin", own_is_pinned, unpin, unpinner_died, 2, 1),
    KILL_CASE("unpin, one of two", own_is_pinned_by_two, unpin, one_of_two_unpinners_died, 2, 1),
    KILL_CASE("unpin that gives the slot back", own_is_dying, unpin, last_unpinner_died, 2, 1),
    KILL_CASE("get", pool_in_use, get, pins_left, 2, 0),
    KILL_CASE("read", pool_in_use, read_own, reader_died, 2, 0),
    KILL_CASE("walk", pool_in_use, walk, reader_died, 2, 0),
    KILL_CASE("was_live", pool_in_use, was_live, pins_left, 2, 0),
    KILL_CASE("attach", pool_in_use, attach, pins_left, 2, 0),
    KILL_CASE("detach", pool_in_use, detach, pins_left, 1, 0),
};

int main(int argc, char **argv)
{
    kill_begin(argc, argv, 4096, &w, sizeof w);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) kill_run("pool", &all[i]);
    return kill_end();
}
