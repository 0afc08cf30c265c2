/* SPDX-License-Identifier: MIT */
/* kill_peers.c: peers of a region, really killed: with an end in hand, while they open, make, attach, leave, use
 * a pool, and while they bury another dead peer, three deep. What the dead had is given back: ends go to
 * successors, who learn of it; no slot of a pool and no pin stays with the dead; names can be made by others.
 *
 *   kill_peers [--only TEXT [--seed N]] */
#include <signal.h>

#include "kill.h"

typedef struct {
    uint64_t number, check;
} thing;
TERN_RING_DEFINE(thing_ring, thing)

enum { MEMORY_BYTES = 16384, CAPACITY = 5, OTHERS = 2, PEERS = 6 };

static const tern_ring_desc ring_desc = { sizeof(thing), 8, TERN_RING_WAITABLE };
static const tern_stream_desc stream_desc = { 256, TERN_STREAM_WAITABLE };
static const tern_triple_desc triple_desc = { sizeof(thing) };
static const tern_pool_desc pool_desc = { sizeof(thing), CAPACITY };
static const tern_bell_desc bell_desc = { 8 };

/* The survivor is the tracer's own peer; the victim has its views in its own memory. */
static struct {
    tern_region region;
    tern_pool pool;
    tern_handle others[OTHERS], own;
    bool exists;                    /* the object that the case is about */
} w;

static tern_region theirs;          /* the victim's region, or a successor's */
static union {
    tern_ring_producer rp;
    tern_ring_consumer rc;
    tern_stream_producer sp;
    tern_stream_consumer sc;
    tern_triple_writer tw;
    tern_triple_reader tr;
    tern_bell bell;
    tern_pool pool;
} end;

static thing make_thing(uint64_t number) { return (thing){ number, mix(number + 1) }; }

static bool is_thing(const thing *t, uint64_t number)
{
    return t->number == number && t->check == mix(number + 1);
}

/* ---- Before the operation ------------------------------------------------------------------------- */

static void region(void)
{
    tern_region_desc desc = { .max_objects = 4, .max_peers = PEERS };
    if (tern_shm_create(&w.region, NULL, MEMORY_BYTES, &desc) != TERN_OK) abort();
    kill_watch((unsigned char *)w.region.shared, MEMORY_BYTES);
}

static void close_region(void) { tern_shm_close(&w.region); }

/* What the victim does first: it becomes a peer. */
static void join(void)
{
    if (tern_shm_open_fd(&theirs, tern_shm_fd(&w.region), NULL) != TERN_OK) _exit(1);
}

/* An end of each kind: opened, used, and found again. */
#define OPEN_CALL(call, view, desc) (tern_##call(&end.view, &theirs, "it", desc))

static tern_status open_ring_producer(bool make) { return OPEN_CALL(ring_open_producer, rp, make ? &ring_desc : NULL); }
static tern_status open_ring_consumer(bool make) { return OPEN_CALL(ring_open_consumer, rc, make ? &ring_desc : NULL); }
static tern_status open_stream_producer(bool make)
{
    return OPEN_CALL(stream_open_producer, sp, make ? &stream_desc : NULL);
}
static tern_status open_stream_consumer(bool make)
{
    return OPEN_CALL(stream_open_consumer, sc, make ? &stream_desc : NULL);
}
static tern_status open_triple_writer(bool make) { return OPEN_CALL(triple_open_writer, tw, make ? &triple_desc : NULL); }
static tern_status open_triple_reader(bool make) { return OPEN_CALL(triple_open_reader, tr, make ? &triple_desc : NULL); }
static tern_status open_collector(bool make) { return OPEN_CALL(bell_open_collector, bell, make ? &bell_desc : NULL); }
static tern_status open_pool(bool make) { return OPEN_CALL(pool_open, pool, make ? &pool_desc : NULL); }

static bool use_ring_producer(void) { thing t = make_thing(3); return thing_ring_push(&end.rp, &t); }
static bool use_ring_consumer(void) { thing t; return !thing_ring_pop(&end.rc, &t) || is_thing(&t, 3); }
static bool use_stream_producer(void) { thing t = make_thing(3); return tern_stream_send(&end.sp, 3, &t, sizeof t); }
static bool use_stream_consumer(void)
{
    thing t;
    uint32_t length, kind;
    return !tern_stream_receive(&end.sc, &t, sizeof t, &length, &kind) || (kind == 3 && is_thing(&t, 3));
}
static bool use_triple_writer(void)
{
    *(thing *)tern_triple_back(&end.tw) = make_thing(3);
    tern_triple_publish(&end.tw);
    return tern_triple_writer_status(&end.tw) == TERN_OK;
}
static bool use_triple_reader(void)
{
    tern_triple_update(&end.tr);
    return tern_triple_reader_status(&end.tr) == TERN_OK;
}
static bool use_collector(void)
{
    tern_status status = tern_bell_wait(&end.bell, 0);
    tern_bell_collect(&end.bell);
    return status == TERN_OK || status == TERN_ERR_TIMEOUT || status == TERN_ERR_PEER_DEAD;
}

static void detach_ring_producer(void) { tern_ring_detach_producer(&end.rp); }
static void detach_ring_consumer(void) { tern_ring_detach_consumer(&end.rc); }
static void detach_stream_producer(void) { tern_stream_detach_producer(&end.sp); }
static void detach_stream_consumer(void) { tern_stream_detach_consumer(&end.sc); }
static void detach_triple_writer(void) { tern_triple_detach_writer(&end.tw); }
static void detach_triple_reader(void) { tern_triple_detach_reader(&end.tr); }
static void detach_collector(void) { tern_bell_detach(&end.bell); }

typedef struct {
    const char *name;
    tern_status (*open)(bool make);
    bool (*use)(void);
    void (*detach)(void);
    const tern_recovery *report;
} end_kind;

static const end_kind ends[] = {
    { "ring, producer", open_ring_producer, use_ring_producer, detach_ring_producer, &end.rp.recovery },
    { "ring, consumer", open_ring_consumer, use_ring_consumer, detach_ring_consumer, &end.rc.recovery },
    { "stream, producer", open_stream_producer, use_stream_producer, detach_stream_producer, &end.sp.ring.recovery },
    { "stream, consumer", open_stream_consumer, use_stream_consumer, detach_stream_consumer, &end.sc.ring.recovery },
    { "triple, writer", open_triple_writer, use_triple_writer, detach_triple_writer, &end.tw.recovery },
    { "triple, reader", open_triple_reader, use_triple_reader, detach_triple_reader, &end.tr.recovery },
    { "bell, collector", open_collector, use_collector, detach_collector, &end.bell.recovery },
};
static const end_kind *kind;

/* The object is there, with an item in it, and nobody has its ends. */
static void object(void)
{
    region();
    join();
    if (kind->open(true) != TERN_OK) abort();
    const end_kind *producer = &ends[(kind - ends) / 2 * 2];
    kind->detach();
    if (producer != kind && (producer->open(false) != TERN_OK || !producer->use())) abort();
    if (producer != kind) producer->detach();
    tern_shm_close(&theirs);
    w.exists = true;
}

/* The victim comes with the end in its hands. */
static void join_and_open(void)
{
    join();
    if (kind->open(false) != TERN_OK) _exit(1);
}

static void open_victim(void) { kind->open(false); }
static void make_victim(void) { kind->open(true); }
static void use_victim(void) { kind->use(); }
static void detach_victim(void) { kind->detach(); }

/* ---- Who comes: ends ------------------------------------------------------------------------------- */

/* Nobody but the survivor is left in the peer table, and nothing in anybody's hands. */
static bool all_is_buried(void)
{
    uint32_t cursor = 0;
    tern_peer_info info;
    tern_recovery report;
    KILL_TRUE(tern_peer_recover(&w.region, &report) == TERN_OK);
    KILL_TRUE(tern_peer_next(&w.region, &cursor, &info) && info.is_alive && info.peer == w.region.peer);
    KILL_TRUE(info.was_holding == 0);
    KILL_TRUE(!tern_peer_next(&w.region, &cursor, &info));
    KILL_TRUE(tern_peer_recover(&w.region, &report) == TERN_OK && report.outcome == TERN_RECOVERY_CLEAN);
    return true;
}

/* A successor takes the end, others are refused while it lives; afterwards the end is clean.
 * @return whether it learned that its predecessor died; KILL_WRONG */
static int successor_opens(bool make)
{
    tern_region second;
    join();
    KILL_MUST(kind->open(make) == TERN_OK);
    int outcome = (int)kind->report->outcome;
    KILL_MUST(outcome == TERN_RECOVERY_CLEAN || outcome == TERN_RECOVERY_REPAIRED);
    KILL_MUST(kind->use());
    /* BUSY to another peer, as long as it has the end */
    unsigned char kept[sizeof end];
    memcpy(kept, &end, sizeof end);
    second = theirs;
    join();
    KILL_MUST(kind->open(make) == TERN_ERR_BUSY);
    memcpy(&end, kept, sizeof end);
    kind->detach();
    KILL_MUST(kind->open(make) == TERN_OK && kind->report->outcome == TERN_RECOVERY_CLEAN && kind->use());
    kind->detach();
    tern_shm_close(&theirs);
    tern_shm_close(&second);
    return outcome == TERN_RECOVERY_REPAIRED;
}

/* Effect: 1 if the dead one had taken the end. */
static int opener_died(int order)
{
    (void)order;
    int learned = successor_opens(false);
    KILL_MUST(learned != KILL_WRONG && all_is_buried());
    return learned;
}

/* The dead one had the end, whatever it did with it. */
static int holder_died(int order)
{
    (void)order;
    KILL_MUST(successor_opens(false) == 1 && all_is_buried());
    return 0;
}

/* Effect: 1 if it had given the end back. */
static int detacher_died(int order)
{
    (void)order;
    int learned = successor_opens(false);
    KILL_MUST(learned != KILL_WRONG && all_is_buried());
    return 1 - learned;
}

/* Effect: 1 when the object is ready, 2 when its end is taken. Others see it whole or not at all. */
static int maker_died(int order)
{
    (void)order;
    tern_object found;
    tern_status status = tern_region_find(&w.region, "it", 0, &found);
    KILL_MUST(status == TERN_OK || status == TERN_ERR_NOT_FOUND || status == TERN_ERR_PEER_DEAD);
    int learned = successor_opens(true);
    KILL_MUST(learned != KILL_WRONG && all_is_buried());
    KILL_MUST(status == TERN_OK || learned == 0);
    return (status == TERN_OK) + learned;
}

/* The dead one made an object nobody else wants: its name and memory do not stand in the way of another's. */
static int maker_died_and_another_is_made(int order)
{
    (void)order;
    tern_region second;
    tern_ring_producer other;
    KILL_MUST(tern_shm_open_fd(&second, tern_shm_fd(&w.region), NULL) == TERN_OK);
    KILL_MUST(tern_ring_open_producer(&other, &second, "another", &ring_desc) == TERN_OK);
    thing t = make_thing(1);
    KILL_MUST(thing_ring_push(&other, &t));
    tern_ring_detach_producer(&other);
    tern_shm_close(&second);
    int effect = maker_died(0);
    KILL_MUST(effect != KILL_WRONG);
    return effect;
}

static const kill_case of_ends[] = {
    KILL_REAL("open", object, join, open_victim, opener_died, close_region, 1),
    KILL_REAL("use", object, join_and_open, use_victim, holder_died, close_region, 0),
    KILL_REAL("detach", object, join_and_open, detach_victim, detacher_died, close_region, 1),
    KILL_REAL("open that makes it", region, join, make_victim, maker_died, close_region, 2),
    KILL_REAL("open that makes it, and another is made", region, join, make_victim, maker_died_and_another_is_made,
              close_region, 2),
};

/* ---- Pools: before the operation ------------------------------------------------------------------------ */

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
    region();
    if (tern_pool_open(&w.pool, &w.region, "it", &pool_desc) != TERN_OK) abort();
    for (int i = 0; i < CAPACITY; i++) tern_pool_free(&w.pool, alloc_thing(&w.pool, 99));
    for (int i = 0; i < OTHERS; i++) w.others[i] = alloc_thing(&w.pool, (uint64_t)i);
    w.own = alloc_thing(&w.pool, 7);
}

static void join_pool(void)
{
    join();
    if (open_pool(false) != TERN_OK) _exit(1);
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
static void attach_victim(void) { (void)tern_shm_open_fd(&theirs, tern_shm_fd(&w.region), NULL); }

static void walk_victim(void)
{
    uint32_t cursor = 0;
    tern_handle handle;
    while (tern_pool_walk(&end.pool, &cursor, &handle)) tern_pool_unpin(&end.pool, handle);
}

/* ---- Who is left: pools ------------------------------------------------------------------------------ */

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
    while (tern_peer_next(&w.region, &cursor, &info)) left = left && info.peer == w.region.peer;
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
    KILL_MUST(tern_peer_recover(&w.region, &report) == TERN_OK);
    KILL_MUST(report.pins <= 3 && report.roles <= 1 && report.names <= 1 && report.peers <= 4);
    bool nothing_was_left = report.pins + report.slots + report.roles + report.names == 0;
    KILL_MUST(all_is_buried());
    KILL_MUST(tern_pool_get(&w.pool, w.own) == NULL);
    KILL_MUST(free_the_rest() == 1 && pool_is_whole());
    KILL_MUST(tern_ring_open_producer(&successor, &w.region, "ring", NULL) == TERN_OK);
    KILL_MUST(successor.recovery.outcome == TERN_RECOVERY_REPAIRED);
    tern_ring_detach_producer(&successor);
    tern_object name;
    KILL_MUST(tern_region_claim(&w.region, "begun", TERN_TYPE_RING, 128, &name) == TERN_OK);
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
    for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
        kind = &ends[k];
        for (size_t i = 0; i < sizeof of_ends / sizeof *of_ends; i++) kill_run(kind->name, &of_ends[i]);
    }
    for (size_t i = 0; i < sizeof of_pools / sizeof *of_pools; i++) kill_run("peers", &of_pools[i]);
    return kill_end();
}
