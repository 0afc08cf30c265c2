/* SPDX-License-Identifier: MIT */
/* test_peer.c: roles and names of peers that live, die and are stopped, with real processes: who is told BUSY,
 * whose death is noticed, what a successor learns. */
#include "peer_fixture.h"

/* ---- Roles ------------------------------------------------------------------------------------ */

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
        cmocka_unit_test(names_of_dead_makers_are_gone_on_with),
    };
    if (getenv("TERN_STOPPED_SECONDS")) cmocka_set_test_filter("stopped_is_not_dead");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
