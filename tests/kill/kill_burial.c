/* SPDX-License-Identifier: MIT */
/* kill_burial.c: users of a pool in a region, and who buries the dead, really killed, the latter three deep. No slot of
 * the pool and no pin stays with the dead.
 *
 *   kill_burial [--only TEXT [--seed N]]     the seed: where the second and the third burier die */
#include <signal.h>

#include "peers.h"

enum { CAPACITY = 5, OTHERS = 2 };

static const tern_pool_desc pool_desc = { sizeof(thing), CAPACITY };

static struct {
    tern_pool pool;                 /* the survivor's */
    tern_handle others[OTHERS], own;
} w;

static struct {
    tern_ring_producer rp;
    tern_pool pool;
} end;                              /* in the victim's hands */

/* ---- Before the operation ------------------------------------------------------------------------- */

static tern_handle alloc_thing(tern_pool *pool, uint64_t number)
{
    tern_handle handle;
    void *item;
    if (tern_pool_alloc(pool, &handle, &item) == TERN_OK) *(thing *)item = make_thing(number);
    return handle;
}

/* Two items of others, one that the victim is about to use. */
static void pool(void)
{
    make_region();
    if (tern_pool_open(&w.pool, &survivors, "it", &pool_desc) != TERN_OK) abort();
    for (int i = 0; i < CAPACITY; i++) tern_pool_free(&w.pool, alloc_thing(&w.pool, 99));
    for (int i = 0; i < OTHERS; i++) w.others[i] = alloc_thing(&w.pool, (uint64_t)i);
    w.own = alloc_thing(&w.pool, 7);
}

static void join_pool(void)
{
    join();
    if (tern_pool_open(&end.pool, &theirs, "it", NULL) != TERN_OK) _exit(1);
}

static void join_pool_and_pin(void) { join_pool(); (void)tern_pool_pin(&end.pool, w.own); }
static void join_pool_pin_and_free(void) { join_pool_and_pin(); tern_pool_free(&end.pool, w.own); }

/* More pins than it has hands for one item, and one for another. */
static void join_pool_and_pin_many(void)
{
    join_pool_and_pin();
    (void)tern_pool_pin(&end.pool, w.own);
    (void)tern_pool_pin(&end.pool, w.others[0]);
}

static void alloc_victim(void) { (void)alloc_thing(&end.pool, 7); }
static void free_victim(void) { tern_pool_free(&end.pool, w.own); }
static void pin_victim(void) { (void)tern_pool_pin(&end.pool, w.own); }
static void unpin_victim(void) { tern_pool_unpin(&end.pool, w.own); }
static void read_victim(void) { thing t; tern_pool_read(&end.pool, w.own, &t, sizeof t); }
static void leave_victim(void) { tern_shm_close(&theirs); }
static void attach_victim(void) { (void)tern_shm_open_fd(&theirs, tern_shm_fd(&survivors), NULL); }

static void walk_victim(void)
{
    uint32_t cursor = 0;
    tern_handle handle;
    while (tern_pool_walk(&end.pool, &cursor, &handle)) tern_pool_unpin(&end.pool, handle);
}

/* ---- Who is left ------------------------------------------------------------------------------------- */

static bool holds_thing(tern_handle handle, uint64_t number)
{
    thing t;
    return tern_pool_read(&w.pool, handle, &t, sizeof t) == TERN_OK && is_thing(&t, number);
}

/* Free what is live beyond the items of others; @return how many, KILL_WRONG if one is still pinned. */
static int free_the_rest(void)
{
    uint32_t cursor = 0;
    tern_handle handle;
    int count = 0;
    while (tern_pool_walk(&w.pool, &cursor, &handle)) {
        bool mine = false;
        for (int i = 0; i < OTHERS; i++) mine = mine || handle.index == w.others[i].index;
        tern_pool_unpin(&w.pool, handle);
        if (mine) continue;
        KILL_MUST(tern_pool_free(&w.pool, handle) == TERN_OK);
        count++;
    }
    return count;
}

/* Nothing is lost: each slot but those of others can be taken, again and again. */
static bool pool_is_whole(void)
{
    tern_handle taken[CAPACITY];
    for (int i = 0; i < OTHERS; i++) KILL_TRUE(holds_thing(w.others[i], (uint64_t)i));
    for (int round = 0; round < 4; round++) {
        void *item;
        tern_handle none;
        for (int i = 0; i < CAPACITY - OTHERS; i++) {
            taken[i] = alloc_thing(&w.pool, 50 + (uint64_t)i);
            KILL_TRUE(holds_thing(taken[i], 50 + (uint64_t)i));
        }
        KILL_TRUE(tern_pool_alloc(&w.pool, &none, &item) == TERN_ERR_FULL);
        for (int i = 0; i < CAPACITY - OTHERS; i++) KILL_TRUE(tern_pool_free(&w.pool, taken[i]) == TERN_OK);
    }
    for (int i = 0; i < OTHERS; i++) KILL_TRUE(tern_pool_free(&w.pool, w.others[i]) == TERN_OK);
    KILL_TRUE(tern_pool_was_live(&w.pool) == 0);
    return true;
}

/* Effect: items that are live more than before. */
static int pool_user_died(int order)
{
    (void)order;
    KILL_MUST(all_is_buried());
    KILL_MUST(holds_thing(w.own, 7));
    int live = free_the_rest();
    KILL_MUST(live != KILL_WRONG && pool_is_whole());
    return live - 1;
}

/* Effect: 1 if the item is gone. */
static int pool_freer_died(int order)
{
    (void)order;
    KILL_MUST(all_is_buried());
    bool gone = tern_pool_get(&w.pool, w.own) == NULL;
    KILL_MUST(gone || holds_thing(w.own, 7));
    int live = free_the_rest();
    KILL_MUST(live == !gone && pool_is_whole());
    return gone;
}

/* It was freed before, and pinned by the dead one alone. */
static int dying_pool_user_died(int order)
{
    (void)order;
    KILL_MUST(pool_freer_died(0) == 1);
    return 0;
}

/* Effect: 1 when nothing of the peer is left. */
static int leaver_died(int order)
{
    (void)order;
    uint32_t cursor = 0;
    tern_peer_info info;
    bool left = true;
    while (tern_peer_next(&survivors, &cursor, &info)) left = left && info.peer == survivors.peer;
    KILL_MUST(pool_user_died(0) == 0);
    return left;
}

/* Effect: 1 when it is there as a peer. */
static int attacher_died(int order)
{
    int gone = leaver_died(order);
    KILL_MUST(gone != KILL_WRONG);
    return 1 - gone;
}

/* ---- Burying the dead, three deep --------------------------------------------------------------------- */

/* The pool, and a ring whose producer's end nobody has. */
static void pool_and_ring(void)
{
    pool();
    join();
    if (tern_ring_open_producer(&end.rp, &theirs, "ring", &ring_desc) != TERN_OK) abort();
    tern_ring_detach_producer(&end.rp);
    tern_shm_close(&theirs);
}

/* A peer dies with an end, pins of two items, one of them freed, and a name that it was making. */
static void someone_dies(void)
{
    fflush(stdout);
    pid_t dead = fork();
    if (dead == 0) {
        tern_ring_producer held;
        tern_object name;
        join_pool_and_pin_many();
        tern_pool_free(&end.pool, w.own);
        (void)alloc_thing(&end.pool, 8);
        if (tern_ring_open_producer(&held, &theirs, "ring", NULL) != TERN_OK) _exit(1);
        if (tern_region_claim(&theirs, "begun", TERN_TYPE_RING, 128, &name) != TERN_OK) _exit(1);
        raise(SIGKILL);
    }
    int status = 0;
    if (dead < 0 || waitpid(dead, &status, 0) != dead || !WIFSIGNALED(status)) abort();
}

static void pool_and_ring_of_the_dead(void)
{
    pool_and_ring();
    someone_dies();
}

/* Joining buries who is dead by then. */
static void join_before_someone_dies(void)
{
    join();
    tern_region kept = theirs;
    someone_dies();
    theirs = kept;
}

static void bury_victim(void) { (void)tern_peer_recover(&theirs, NULL); }

/* Effect: 1 if nothing of the first dead one was left to the survivor. */
static int burier_died(int order)
{
    (void)order;
    tern_recovery report;
    tern_ring_producer successor;
    KILL_MUST(tern_peer_recover(&survivors, &report) == TERN_OK);
    KILL_MUST(report.pins <= 3 && report.roles <= 1 && report.names <= 1 && report.peers <= 4);
    bool nothing_was_left = report.pins + report.slots + report.roles + report.names == 0;
    KILL_MUST(all_is_buried());
    KILL_MUST(tern_pool_get(&w.pool, w.own) == NULL);
    KILL_MUST(free_the_rest() == 1 && pool_is_whole());
    KILL_MUST(tern_ring_open_producer(&successor, &survivors, "ring", NULL) == TERN_OK);
    KILL_MUST(successor.recovery.outcome == TERN_RECOVERY_REPAIRED);
    tern_ring_detach_producer(&successor);
    tern_object name;
    KILL_MUST(tern_region_claim(&survivors, "begun", TERN_TYPE_RING, 128, &name) == TERN_OK);
    return nothing_was_left;
}

static const kill_case of_pools[] = {
    KILL_REAL("alloc", pool, join_pool, alloc_victim, pool_user_died, close_region, 1),
    KILL_REAL("free", pool, join_pool, free_victim, pool_freer_died, close_region, 1),
    KILL_REAL("free of an item that it pins", pool, join_pool_and_pin, free_victim, pool_freer_died, close_region, 1),
    KILL_REAL("pin", pool, join_pool, pin_victim, pool_user_died, close_region, 0),
    KILL_REAL("unpin", pool, join_pool_and_pin, unpin_victim, pool_user_died, close_region, 0),
    KILL_REAL("unpin, one of many", pool, join_pool_and_pin_many, unpin_victim, pool_user_died, close_region, 0),
    KILL_REAL("unpin that gives the slot back", pool, join_pool_pin_and_free, unpin_victim, dying_pool_user_died,
              close_region, 0),
    KILL_REAL("read", pool, join_pool, read_victim, pool_user_died, close_region, 0),
    KILL_REAL("walk", pool, join_pool, walk_victim, pool_user_died, close_region, 0),
    KILL_REAL("tern_shm_close with pins in hand", pool, join_pool_and_pin_many, leave_victim, leaver_died,
              close_region, 1),
    KILL_REAL("tern_shm_open_fd", pool, NULL, attach_victim, attacher_died, close_region, 1),
    KILL_REAL("tern_peer_recover", pool_and_ring, join_before_someone_dies, bury_victim, burier_died, close_region, 1),
    { .name = "tern_shm_open_fd that buries, three deep", .prepare = pool_and_ring_of_the_dead,
      .operate = attach_victim, .check = burier_died, .orders = 1, .effect = 1, .real = true,
      .deep = 2, .finish = close_region },
};

int main(int argc, char **argv)
{
    kill_begin(argc, argv, MEMORY_BYTES, &w, sizeof w);
    for (size_t i = 0; i < sizeof of_pools / sizeof *of_pools; i++) kill_run("peers", &of_pools[i]);
    return kill_end();
}
