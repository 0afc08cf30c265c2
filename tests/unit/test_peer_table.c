/* SPDX-License-Identifier: MIT */
/* test_peer_table.c: the peer table: what a peer has in hand and who gives it back, when it dies, leaves or is
 * evicted; a table full of the dead; views that only look. */
#include "peer_fixture.h"

#include <pthread.h>
#include <stdio.h>

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

static struct tern_region_peer *own_slot(const tern_region *region)
{
    return &region->peers[(region->peer & 0xffffu) - 1];
}

/* JavaScript writes a hold in two halves, and the one that says of which kind it is comes last: this is the other,
 * of a slot whose number lies mostly in the half that is missing. */
static void write_half_a_hold(tern_region *region)
{
    tern_a64_store_relaxed(&own_slot(region)->holds[TERN_PEER_HOLDS - 1], UINT64_C(700) << 22 | 1);
}

static void half_a_hold_is_nothing_in_hand(void **state)
{
    (void)state;
    tern_region region;
    tern_pool pool;
    tern_handle h;
    void *item;
    create(&region);
    assert_status(tern_pool_open(&pool, &region, "p", &POOL), TERN_OK);
    for (int i = 0; i < ITEMS; i++) assert_status(tern_pool_alloc(&pool, &h, &item), TERN_OK);
    child other = start(&region, write_half_a_hold);
    end(other);
    tern_recovery report;
    assert_status(tern_peer_recover(&region, &report), TERN_OK);
    assert_int_equal(report.peers, 1);
    assert_int_equal(report.outcome, TERN_RECOVERY_REPAIRED);
    assert_int_equal(report.pins + report.slots, 0);
    assert_int_equal(tern_pool_was_live(&pool), ITEMS);
    for (uint32_t i = 0; i < region.max_peers; i++)
        assert_int_equal(tern_a64_load_relaxed(&region.peers[i].holds[TERN_PEER_HOLDS - 1]), 0);
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

/* ---- Beside others ------------------------------------------------------------------------------ */

enum { ROUNDS = 300, NAMES = 16 };

struct table_race {
    void *memory;
    tern_region sweeper;   /* evicts the makers, as if they had died */
    tern_a32 begun, done;  /* rounds */
};

static const char *make_and_die(struct table_race *race, const char *name)
{
    tern_region maker;
    tern_object object;
    tern_recovery report;
    if (tern_region_attach(&maker, race->memory, SIZE, NULL) != TERN_OK) return "attach";
    (void)tern_region_claim(&maker, name, TERN_TYPE_RING, tern_ring_size(&RING), &object);
    if (tern_peer_evict(&race->sweeper, maker.peer, &report) != TERN_OK) return "evict";
    tern_region_detach(&maker);
    return NULL;
}

static void *make_names_and_die(void *argument)
{
    struct table_race *race = argument;
    static char name[16];
    const char *failed = NULL;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        snprintf(name, sizeof name, "n%u", round % NAMES);
        while (tern_a32_load_acquire(&race->begun, TEST) != round) {}
        if (!failed) failed = make_and_die(race, name);
        tern_a32_store_release(&race->done, round, TEST);
    }
    return (void *)(uintptr_t)failed;
}

/* A name that another peer is about to make, and whose maker dies at it: with a description open goes on with
 * it, whenever that happens. A second look at the peers goes on beside all this. */
static void names_whose_makers_die_meanwhile_are_gone_on_with(void **state)
{
    (void)state;
    static struct table_race race;
    tern_region region;
    pthread_t makers;
    void *failed;
    race.memory = unit_memory(SIZE);
    uint32_t waited = 0;
    assert_int_equal(pthread_create(&makers, NULL, make_names_and_die, &race), 0);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        char name[16];
        tern_ring_producer p;
        tern_object object;
        tern_status status;
        if (round % NAMES == 1) {   /* while the other thread waits */
            assert_status(tern_region_format(race.memory, SIZE, NULL), TERN_OK);
            assert_status(tern_region_attach(&region, race.memory, SIZE, NULL), TERN_OK);
            assert_status(tern_region_attach(&race.sweeper, race.memory, SIZE, NULL), TERN_OK);
        }
        snprintf(name, sizeof name, "n%u", round % NAMES);
        tern_a32_store_release(&race.begun, round, TEST);
        if (round % 2) while (tern_region_find(&region, name, 0, &object) == TERN_ERR_NOT_FOUND) {}
        while ((status = tern_ring_open_producer(&p, &region, name, &RING)) == TERN_ERR_NOT_READY) {
            uint32_t alive;
            assert_in_range(peers_of(&region, &alive), 2, 3);
            waited++;
        }
        assert_status(status, TERN_OK);
        tern_ring_detach_producer(&p);
        while (tern_a32_load_acquire(&race.done, TEST) != round) {}
    }
    assert_int_equal(pthread_join(makers, &failed), 0);
    if (failed) fail_msg("%s failed", (const char *)failed);
    print_message("# %u looks at names that were being made\n", waited);
    free(race.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pins_of_the_dead_are_given_back),
        cmocka_unit_test(pins_beyond_the_holds_are_counted),
        cmocka_unit_test(half_a_hold_is_nothing_in_hand),
        cmocka_unit_test(closing_gives_everything_back),
        cmocka_unit_test(attach_when_the_table_is_full_of_the_dead),
        cmocka_unit_test(a_view_that_only_looks_changes_nothing),
        cmocka_unit_test(eviction_where_no_kernel_watches),
        cmocka_unit_test(names_whose_makers_die_meanwhile_are_gone_on_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
