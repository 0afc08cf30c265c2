/* SPDX-License-Identifier: MIT */
/* test_peer.c: peers and roles with real processes: who is told BUSY, whose death is noticed, what is
 * given back. Memory without a kernel behind it is tested with evictions. */
#include "unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 256 * 1024, ITEMS = 8 };

static const tern_ring_desc RING = { 8, 16, TERN_RING_WAITABLE };
static const tern_stream_desc STREAM = { 1024, TERN_STREAM_WAITABLE };
static const tern_triple_desc TRIPLE = { 64 };
static const tern_pool_desc POOL = { 24, ITEMS };
static const tern_bell_desc BELL = { 40 };

/* ---- Processes ------------------------------------------------------------------------------ */

/* A child that attaches for itself, does something and stays until it is killed. It says that it is
 * through by a byte. */
typedef struct child { pid_t process; int said; } child;

static child start(const tern_region *parents, void (*work)(tern_region *region))
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int region_fd = tern_shm_share(parents);   /* the view's own is closed in a child */
    assert_true(region_fd >= 0);
    child c = { fork(), ends[0] };
    assert_true(c.process >= 0);
    if (c.process == 0) {
        tern_region region;
        char byte = 'n';
        if (tern_shm_open_fd(&region, region_fd, NULL) == TERN_OK) {
            work(&region);
            byte = 'y';
        }
        if (write(ends[1], &byte, 1) == 1) for (;;) pause();
        _exit(1);
    }
    close(ends[1]);
    close(region_fd);
    char byte = 0;
    assert_int_equal(read(c.said, &byte, 1), 1);
    assert_int_equal(byte, 'y');
    return c;
}

static void end(child c)
{
    int status;
    assert_int_equal(kill(c.process, SIGKILL), 0);
    assert_int_equal(waitpid(c.process, &status, 0), c.process);
    assert_true(WIFSIGNALED(status));
    close(c.said);
}

#define OR_DIE(condition) do { if (!(condition)) _exit(2); } while (0)

static void create(tern_region *region)
{
    assert_status(tern_shm_create(region, NULL, SIZE, NULL), TERN_OK);
}

static uint32_t peers_of(const tern_region *region, uint32_t *alive)
{
    uint32_t cursor = 0, count = 0;
    tern_peer_info info;
    *alive = 0;
    while (tern_peer_next(region, &cursor, &info)) {
        count++;
        *alive += info.is_alive;
    }
    return count;
}

/* ---- Roles ------------------------------------------------------------------------------------ */

static void push_three(tern_region *region)
{
    tern_ring_producer p;
    OR_DIE(tern_ring_open_producer(&p, region, "r", &RING) == TERN_OK);
    for (uint64_t i = 1; i <= 3; i++) OR_DIE(tern_ring_push(&p, &i));
}

static void a_live_holder_is_busy_and_a_dead_one_is_followed(void **state)
{
    (void)state;
    tern_region region;
    tern_ring_producer p;
    tern_ring_consumer c, second;
    uint64_t item;
    create(&region);
    child producer = start(&region, push_three);
    assert_status(tern_ring_open_producer(&p, &region, "r", NULL), TERN_ERR_BUSY);
    assert_null(p.shared);
    assert_status(tern_ring_open_consumer(&c, &region, "r", NULL), TERN_OK);
    assert_int_equal(c.recovery.outcome, TERN_RECOVERY_CLEAN);
    assert_status(tern_ring_open_consumer(&second, &region, "r", NULL), TERN_ERR_BUSY);
    end(producer);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_status(tern_ring_pop_wait(&c, &item, TERN_WAIT_FOREVER), TERN_OK);   /* first what it left */
        assert_int_equal(item, i);
    }
    assert_status(tern_ring_pop_wait(&c, &item, TERN_WAIT_FOREVER), TERN_ERR_PEER_DEAD);
    assert_status(tern_ring_open_producer(&p, &region, "r", NULL), TERN_OK);
    assert_int_equal(p.recovery.outcome, TERN_RECOVERY_REPAIRED);
    assert_int_equal(p.recovery.roles, 1);
    item = 4;
    assert_true(tern_ring_push(&p, &item));
    assert_status(tern_ring_pop_wait(&c, &item, TERN_WAIT_FOREVER), TERN_OK);
    assert_status(tern_ring_pop_wait(&c, &item, 1000000), TERN_ERR_TIMEOUT);
    tern_ring_detach_producer(&p);
    assert_status(tern_ring_open_producer(&p, &region, "r", NULL), TERN_OK);
    assert_int_equal(p.recovery.outcome, TERN_RECOVERY_CLEAN);
    tern_shm_close(&region);
}

static void take_every_end(tern_region *region)
{
    static tern_ring_consumer c;
    static tern_stream_producer sp;
    static tern_stream_consumer sc;
    static tern_triple_writer w;
    static tern_triple_reader r;
    static tern_bell bell;
    OR_DIE(tern_ring_open_consumer(&c, region, "r", &RING) == TERN_OK);
    OR_DIE(tern_stream_open_producer(&sp, region, "s", &STREAM) == TERN_OK);
    OR_DIE(tern_stream_open_consumer(&sc, region, "s", &STREAM) == TERN_OK);
    OR_DIE(tern_triple_open_writer(&w, region, "t", &TRIPLE) == TERN_OK);
    OR_DIE(tern_triple_open_reader(&r, region, "t", &TRIPLE) == TERN_OK);
    OR_DIE(tern_bell_open_collector(&bell, region, "b", &BELL) == TERN_OK);
}

static void every_end_is_held_and_followed(void **state)
{
    (void)state;
    for (int burial = 0; burial < 2; burial++) {
        tern_region region;
        tern_ring_consumer c;
        tern_stream_producer sp;
        tern_stream_consumer sc;
        tern_triple_writer w;
        tern_triple_reader r;
        tern_bell bell;
        create(&region);
        child holder = start(&region, take_every_end);
        assert_status(tern_ring_open_consumer(&c, &region, "r", NULL), TERN_ERR_BUSY);
        assert_status(tern_stream_open_producer(&sp, &region, "s", NULL), TERN_ERR_BUSY);
        assert_status(tern_stream_open_consumer(&sc, &region, "s", NULL), TERN_ERR_BUSY);
        assert_status(tern_triple_open_writer(&w, &region, "t", NULL), TERN_ERR_BUSY);
        assert_status(tern_triple_open_reader(&r, &region, "t", NULL), TERN_ERR_BUSY);
        assert_status(tern_bell_open_collector(&bell, &region, "b", NULL), TERN_ERR_BUSY);
        assert_status(tern_bell_open(&bell, &region, "b", NULL), TERN_OK);   /* to ring it */
        assert_true(tern_bell_ring(&bell, 3));
        assert_status(tern_bell_wait(&bell, 0), TERN_ERR_BUSY);
        tern_bell_detach(&bell);
        end(holder);
        if (burial) {   /* what a successor learns is the same after the dead was buried */
            tern_recovery report;
            assert_status(tern_peer_recover(&region, &report), TERN_OK);
            assert_int_equal(report.outcome, TERN_RECOVERY_REPAIRED);
            assert_int_equal(report.peers, 1);
            assert_int_equal(report.roles, 6);
        }
        assert_status(tern_ring_open_consumer(&c, &region, "r", NULL), TERN_OK);
        assert_status(tern_stream_open_producer(&sp, &region, "s", NULL), TERN_OK);
        assert_status(tern_stream_open_consumer(&sc, &region, "s", NULL), TERN_OK);
        assert_status(tern_triple_open_writer(&w, &region, "t", NULL), TERN_OK);
        assert_status(tern_triple_open_reader(&r, &region, "t", NULL), TERN_OK);
        assert_status(tern_bell_open_collector(&bell, &region, "b", NULL), TERN_OK);
        assert_int_equal(c.recovery.outcome, TERN_RECOVERY_REPAIRED);
        assert_int_equal(sp.ring.recovery.outcome, TERN_RECOVERY_REPAIRED);
        assert_int_equal(sc.ring.recovery.outcome, TERN_RECOVERY_REPAIRED);
        assert_int_equal(w.recovery.outcome, TERN_RECOVERY_REPAIRED);
        assert_int_equal(r.recovery.outcome, TERN_RECOVERY_REPAIRED);
        assert_int_equal(bell.recovery.outcome, TERN_RECOVERY_REPAIRED);
        /* what a dead collector had taken is not known: all 40 sources ring */
        tern_bell_pass pass;
        uint32_t first, bits, rung = 0;
        tern_bell_begin(&bell, &pass);
        while (tern_bell_next(&pass, &first, &bits)) while (bits) { (void)tern_bell_take(&bits); rung++; }
        assert_int_equal(rung, 40);
        tern_shm_close(&region);
    }
}

/* Each waiter is told of a death, not before it has got everything, and not of one that never was. */
static void open_other_ends(tern_region *region)
{
    static tern_ring_producer p;
    static tern_stream_consumer sc;
    static tern_triple_writer w;
    push_three(region);
    (void)p;
    OR_DIE(tern_stream_open_consumer(&sc, region, "s", &STREAM) == TERN_OK);
    OR_DIE(tern_triple_open_writer(&w, region, "t", &TRIPLE) == TERN_OK);
    memset(tern_triple_back(&w), 5, 64);
    (void)tern_triple_publish(&w);
}

static void waiters_say_that_the_other_end_died(void **state)
{
    (void)state;
    tern_region region;
    tern_stream_producer sp;
    tern_triple_reader r;
    tern_bell bell;
    unsigned char record[200] = { 0 };
    create(&region);
    assert_status(tern_stream_open_producer(&sp, &region, "s", &STREAM), TERN_OK);
    assert_status(tern_triple_open_reader(&r, &region, "t", &TRIPLE), TERN_OK);
    assert_status(tern_bell_open_collector(&bell, &region, "b", &BELL), TERN_OK);
    assert_status(tern_triple_wait(&r, 30000000), TERN_ERR_TIMEOUT);   /* nobody came yet: nobody died */
    child other = start(&region, open_other_ends);
    assert_status(tern_bell_wait(&bell, 30000000), TERN_ERR_TIMEOUT);
    while (tern_stream_send(&sp, 1, record, sizeof record)) {}
    assert_status(tern_stream_send_wait(&sp, 1, record, sizeof record, 30000000), TERN_ERR_TIMEOUT);
    end(other);
    assert_status(tern_stream_send_wait(&sp, 1, record, sizeof record, TERN_WAIT_FOREVER), TERN_ERR_PEER_DEAD);
    assert_status(tern_triple_wait(&r, TERN_WAIT_FOREVER), TERN_OK);
    assert_true(tern_triple_update(&r));
    assert_status(tern_triple_wait(&r, TERN_WAIT_FOREVER), TERN_ERR_PEER_DEAD);
    assert_status(tern_bell_wait(&bell, TERN_WAIT_FOREVER), TERN_ERR_PEER_DEAD);
    tern_recovery report;
    assert_status(tern_peer_recover(&region, &report), TERN_OK);
    assert_int_equal(report.peers, 1);
    assert_status(tern_bell_wait(&bell, TERN_WAIT_FOREVER), TERN_OK);   /* it may have died before its ring */
    assert_status(tern_triple_wait(&r, TERN_WAIT_FOREVER), TERN_ERR_PEER_DEAD);
    assert_status(tern_peer_recover(&region, &report), TERN_OK);
    assert_int_equal(report.outcome, TERN_RECOVERY_CLEAN);
    tern_shm_close(&region);
}

/* For a fifth of a second, or as many seconds as the environment says. */
static void stopped_is_not_dead(void **state)
{
    (void)state;
    const char *seconds = getenv("TERN_STOPPED_SECONDS");
    uint64_t until_ns = tern_now_ns() + (seconds ? strtoull(seconds, NULL, 10) * 1000000000u : 200000000u), item;
    tern_region region;
    tern_ring_producer p;
    tern_ring_consumer c;
    tern_recovery report;
    uint32_t alive;
    create(&region);
    child producer = start(&region, push_three);
    assert_status(tern_ring_open_consumer(&c, &region, "r", NULL), TERN_OK);
    while (tern_ring_pop(&c, &item)) {}
    assert_int_equal(kill(producer.process, SIGSTOP), 0);
    do {
        assert_status(tern_ring_open_producer(&p, &region, "r", NULL), TERN_ERR_BUSY);
        assert_status(tern_peer_recover(&region, &report), TERN_OK);
        assert_int_equal(report.outcome, TERN_RECOVERY_CLEAN);
        assert_int_equal(peers_of(&region, &alive), 2);
        assert_int_equal(alive, 2);
        assert_status(tern_ring_pop_wait(&c, &item, 100000000), TERN_ERR_TIMEOUT);   /* and not PEER_DEAD */
    } while (tern_now_ns() < until_ns);
    end(producer);
    assert_int_equal(peers_of(&region, &alive), 2);
    assert_int_equal(alive, 1);
    assert_status(tern_peer_recover(&region, &report), TERN_OK);
    assert_int_equal(peers_of(&region, &alive), 1);
    tern_shm_close(&region);
}

/* ---- Pools --------------------------------------------------------------------------------------- */

static void pin_five_free_two(tern_region *region)
{
    static tern_pool pool;
    tern_handle h[ITEMS];
    void *item;
    OR_DIE(tern_pool_open(&pool, region, "p", &POOL) == TERN_OK);
    for (int i = 0; i < 5; i++) {
        OR_DIE(tern_pool_alloc(&pool, &h[i], &item) == TERN_OK);
        OR_DIE(tern_pool_pin(&pool, h[i]) == item);
    }
    OR_DIE(tern_pool_pin(&pool, h[0]) != NULL);
    OR_DIE(tern_pool_free(&pool, h[0]) == TERN_DEFERRED && tern_pool_free(&pool, h[1]) == TERN_DEFERRED);
}

static void pins_of_the_dead_are_given_back(void **state)
{
    (void)state;
    tern_region region;
    tern_pool pool;
    tern_handle h;
    void *item;
    tern_peer_info info;
    uint32_t cursor = 0, held = 0;
    create(&region);
    assert_status(tern_pool_open(&pool, &region, "p", &POOL), TERN_OK);
    child other = start(&region, pin_five_free_two);
    while (tern_peer_next(&region, &cursor, &info)) held += info.was_holding;
    assert_int_equal(held, 6);
    assert_int_equal(tern_pool_was_live(&pool), 5);
    end(other);
    tern_recovery report;
    assert_status(tern_peer_recover(&region, &report), TERN_OK);
    assert_int_equal(report.pins, 6);
    assert_int_equal(tern_pool_was_live(&pool), 3);   /* live, and the program's to free */
    for (int i = 0; i < ITEMS - 3; i++) assert_status(tern_pool_alloc(&pool, &h, &item), TERN_OK);
    assert_status(tern_pool_alloc(&pool, &h, &item), TERN_ERR_FULL);
    uint32_t walk = 0, seen = 0;
    while (tern_pool_walk(&pool, &walk, &h)) {
        assert_status(tern_pool_free(&pool, h), TERN_DEFERRED);
        tern_pool_unpin(&pool, h);
        seen++;
    }
    assert_int_equal(seen, ITEMS);
    assert_int_equal(tern_pool_was_live(&pool), 0);
    tern_shm_close(&region);
}

/* More in hand than there are holds: counted, good, and lost only with the peer. */
static void pins_beyond_the_holds_are_counted(void **state)
{
    (void)state;
    tern_region region;
    tern_pool pool;
    tern_handle h;
    void *item;
    create(&region);
    assert_status(tern_pool_open(&pool, &region, "p", &POOL), TERN_OK);
    assert_status(tern_pool_alloc(&pool, &h, &item), TERN_OK);
    for (uint32_t i = 0; i < TERN_PEER_HOLDS + 10; i++) assert_ptr_equal(tern_pool_pin(&pool, h), item);
    assert_status(tern_pool_free(&pool, h), TERN_DEFERRED);
    for (uint32_t i = 0; i < TERN_PEER_HOLDS + 10; i++) {
        assert_int_equal(tern_pool_was_live(&pool), 1);
        tern_pool_unpin(&pool, h);
    }
    assert_int_equal(tern_pool_was_live(&pool), 0);
    assert_null(tern_pool_pin(&pool, h));
    tern_shm_close(&region);
}

/* ---- Attachments -------------------------------------------------------------------------------- */

static void closing_gives_everything_back(void **state)
{
    (void)state;
    tern_region region, other;
    tern_ring_producer p;
    tern_pool pool, mine;
    tern_handle h;
    void *item;
    uint32_t alive;
    create(&region);
    assert_status(tern_shm_open_fd(&other, tern_shm_fd(&region), NULL), TERN_OK);   /* as a thread would */
    assert_int_not_equal(other.peer, region.peer);
    assert_status(tern_ring_open_producer(&p, &other, "r", &RING), TERN_OK);
    assert_status(tern_pool_open(&pool, &other, "p", &POOL), TERN_OK);
    assert_status(tern_pool_open(&mine, &region, "p", &POOL), TERN_OK);
    assert_status(tern_pool_alloc(&pool, &h, &item), TERN_OK);
    assert_non_null(tern_pool_pin(&pool, h));
    assert_status(tern_pool_free(&mine, h), TERN_DEFERRED);
    tern_shm_close(&other);
    assert_int_equal(tern_pool_was_live(&mine), 0);
    assert_int_equal(peers_of(&region, &alive), 1);
    assert_status(tern_ring_open_producer(&p, &region, "r", NULL), TERN_OK);
    assert_int_equal(p.recovery.outcome, TERN_RECOVERY_CLEAN);
    tern_shm_close(&region);
}

static void attach_when_the_table_is_full_of_the_dead(void **state)
{
    (void)state;
    tern_region region;
    uint32_t alive;
    assert_status(tern_shm_create(&region, NULL, SIZE, &(tern_region_desc){ 0, 8, 3, 0 }), TERN_OK);
    for (int i = 0; i < 5; i++) end(start(&region, push_three));
    tern_region a, b, c;
    assert_status(tern_shm_open_fd(&a, tern_shm_fd(&region), NULL), TERN_OK);
    assert_status(tern_shm_open_fd(&b, tern_shm_fd(&region), NULL), TERN_OK);
    assert_status(tern_shm_open_fd(&c, tern_shm_fd(&region), NULL), TERN_ERR_FULL);
    assert_int_equal(peers_of(&region, &alive), 3);
    assert_int_equal(alive, 3);
    tern_shm_close(&a);
    tern_shm_close(&b);
    tern_shm_close(&region);
}

static void a_view_that_only_looks_changes_nothing(void **state)
{
    (void)state;
    unsigned char *memory = unit_memory(SIZE), *copy = unit_memory(SIZE);
    tern_region region, look;
    tern_ring_producer p;
    tern_object object;
    tern_role_info roles[2];
    assert_status(tern_region_format(memory, SIZE, &(tern_region_desc){ 99, 0, 0, 0 }), TERN_OK);
    assert_status(tern_region_attach(&region, memory, SIZE, &(tern_attach_desc){ 99, 0 }), TERN_OK);
    assert_status(tern_ring_open_producer(&p, &region, "r", &RING), TERN_OK);
    memcpy(copy, memory, SIZE);
    assert_status(tern_region_look(&look, memory, SIZE), TERN_OK);
    assert_int_equal(look.peer, 0);
    assert_status(tern_region_find(&look, "r", 0, &object), TERN_OK);
    tern_peer_roles(&look, &object, roles);
    assert_int_equal(roles[0].peer, region.peer);
    assert_false(roles[0].is_dead);
    assert_int_equal(roles[1].peer, 0);
    assert_status(tern_ring_open_producer(&p, &look, "r", NULL), TERN_ERR_STATE);
    assert_status(tern_ring_open_producer(&p, &look, "new", &RING), TERN_ERR_STATE);
    assert_status(tern_region_claim(&look, "new", 1, 1, &object), TERN_ERR_STATE);
    assert_status(tern_peer_recover(&look, NULL), TERN_ERR_STATE);
    tern_region_detach(&look);
    assert_memory_equal(memory, copy, SIZE);
    free(memory);
    free(copy);
}

static void eviction_where_no_kernel_watches(void **state)
{
    (void)state;
    unsigned char *memory = unit_memory(SIZE);
    tern_region region, worker;
    tern_ring_producer p, next;
    tern_ring_consumer c;
    tern_pool pool, mine;
    tern_handle h;
    tern_recovery report;
    void *item;
    uint64_t value = 1;
    assert_status(tern_region_format(memory, SIZE, NULL), TERN_OK);
    assert_status(tern_region_attach(&region, memory, SIZE, NULL), TERN_OK);
    assert_status(tern_region_attach(&worker, memory, SIZE, NULL), TERN_OK);
    assert_status(tern_ring_open_producer(&p, &worker, "r", &RING), TERN_OK);
    assert_status(tern_ring_open_consumer(&c, &region, "r", &RING), TERN_OK);
    assert_status(tern_pool_open(&pool, &worker, "p", &POOL), TERN_OK);
    assert_status(tern_pool_open(&mine, &region, "p", &POOL), TERN_OK);
    assert_status(tern_pool_alloc(&pool, &h, &item), TERN_OK);
    assert_non_null(tern_pool_pin(&pool, h));
    assert_status(tern_pool_free(&mine, h), TERN_DEFERRED);
    assert_status(tern_peer_recover(&region, &report), TERN_OK);
    assert_int_equal(report.outcome, TERN_RECOVERY_CLEAN);
    assert_status(tern_ring_open_producer(&next, &region, "r", NULL), TERN_ERR_BUSY);
    assert_status(tern_ring_pop_wait(&c, &value, 30000000), TERN_ERR_TIMEOUT);
    assert_status(tern_peer_evict(&region, region.peer, &report), TERN_ERR_ARGUMENT);
    assert_status(tern_peer_evict(&region, 0, &report), TERN_ERR_NOT_FOUND);
    assert_status(tern_peer_evict(&region, 60, &report), TERN_ERR_NOT_FOUND);
    assert_status(tern_peer_evict(&region, worker.peer, &report), TERN_OK);
    assert_int_equal(report.pins, 1);
    assert_int_equal(report.roles, 1);
    assert_int_equal(tern_pool_was_live(&mine), 0);
    assert_status(tern_ring_pop_wait(&c, &value, TERN_WAIT_FOREVER), TERN_ERR_PEER_DEAD);
    assert_status(tern_ring_open_producer(&next, &region, "r", NULL), TERN_OK);
    assert_int_equal(next.recovery.outcome, TERN_RECOVERY_REPAIRED);
    while (tern_ring_push(&next, &value)) {}
    while (tern_ring_push(&p, &value)) {}   /* the evicted one does not know it, but it does not wait for ever */
    assert_status(tern_ring_push_wait(&p, &value, TERN_WAIT_FOREVER), TERN_ERR_PEER_DEAD);
    tern_region_detach(&region);
    free(memory);
}

/* A name that its maker did not finish is gone on with, with the memory that it has. */
static void claim_and_die(tern_region *region)
{
    tern_object object;
    OR_DIE(tern_region_claim(region, "r", TERN_TYPE_RING, tern_ring_size(&RING), &object) == TERN_OK);
    memset(object.memory, 0xa5, 100);
}

static void names_of_dead_makers_are_gone_on_with(void **state)
{
    (void)state;
    tern_region region;
    tern_object object;
    tern_ring_producer p;
    tern_region_info before, after;
    create(&region);
    child maker = start(&region, claim_and_die);
    assert_status(tern_ring_open_producer(&p, &region, "r", NULL), TERN_ERR_NOT_READY);
    assert_status(tern_ring_open_producer(&p, &region, "r", &RING), TERN_ERR_NOT_READY);
    assert_status(tern_region_inspect(&before, region.shared, (size_t)region.size_bytes), TERN_OK);
    end(maker);
    assert_status(tern_region_find(&region, "r", 0, &object), TERN_ERR_PEER_DEAD);
    assert_status(tern_ring_open_producer(&p, &region, "r", NULL), TERN_ERR_PEER_DEAD);
    assert_status(tern_stream_open_producer(&(tern_stream_producer){ 0 }, &region, "r", &STREAM), TERN_ERR_MISMATCH);
    assert_status(tern_ring_open_producer(&p, &region, "r", &(tern_ring_desc){ 8, 4096, 0 }), TERN_ERR_MISMATCH);
    assert_status(tern_ring_open_producer(&p, &region, "r", &RING), TERN_OK);
    assert_status(tern_region_inspect(&after, region.shared, (size_t)region.size_bytes), TERN_OK);
    assert_int_equal(before.was_heap_used_bytes, after.was_heap_used_bytes);
    assert_int_equal(after.was_objects, 1);
    tern_shm_close(&region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_live_holder_is_busy_and_a_dead_one_is_followed),
        cmocka_unit_test(every_end_is_held_and_followed),
        cmocka_unit_test(waiters_say_that_the_other_end_died),
        cmocka_unit_test(stopped_is_not_dead),
        cmocka_unit_test(pins_of_the_dead_are_given_back),
        cmocka_unit_test(pins_beyond_the_holds_are_counted),
        cmocka_unit_test(closing_gives_everything_back),
        cmocka_unit_test(attach_when_the_table_is_full_of_the_dead),
        cmocka_unit_test(a_view_that_only_looks_changes_nothing),
        cmocka_unit_test(eviction_where_no_kernel_watches),
        cmocka_unit_test(names_of_dead_makers_are_gone_on_with),
    };
    if (getenv("TERN_STOPPED_SECONDS")) cmocka_set_test_filter("stopped_is_not_dead");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
