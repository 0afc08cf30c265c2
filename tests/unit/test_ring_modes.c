/* SPDX-License-Identifier: MIT */
/* test_ring_modes.c: an end of a waitable ring goes over to plain stores while nobody sleeps, and back
 * at the first sleeper (ring_publish.h), in both layouts and at both ends. */
#include "ring_modes_fixture.h"

/* ---- Over, and back --------------------------------------------------------------------- */

static void ring_goes_over_after_so_many_quiet_publications(void **state)
{
    (void)state;
    for (EACH_LAYOUT(flags)) {
        begin(flags, 1);
        for (uint32_t i = 1; i <= 3 * TERN_RING_QUIET; i++) {
            pass(1);
            expect_mode(PRODUCER, i < TERN_RING_QUIET ? TERN_RING_QUIET - i : 0);
            expect_mode(CONSUMER, i < TERN_RING_QUIET ? TERN_RING_QUIET - i : 0);
        }
        /* nobody slept: no system call of any kind */
        assert_int_equal(counted(&os.wakes) + counted(&os.waits) + counted(&os.barriers), 0);
        drop(&f);
    }
}

static void ring_without_waiting_has_no_modes(void **state)
{
    (void)state;
    for (uint32_t flags = 0; flags <= TERN_RING_SEQUENCED; flags += TERN_RING_SEQUENCED) {
        begin(flags, 1);
        pass(2 * TERN_RING_QUIET);
        assert_int_equal(f.p.exchanges_left + f.c.exchanges_left, 0);
        assert_int_equal(tern_a32_load_relaxed(&f.shared->producer.asymmetric), 0);
        assert_int_equal(tern_a32_load_relaxed(&f.shared->consumer.asymmetric), 0);
        assert_int_equal(counted(&os.wakes) + counted(&os.waits) + counted(&os.barriers), 0);
        drop(&f);
    }
}

static void ring_goes_back_at_the_first_sleeper_and_over_again(void **state)
{
    (void)state;
    if (!barrier_is_to_be_had()) unit_skip("this system has no barrier for other processes");
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            begin(flags, 1);
            for (int round = 0; round < 3; round++) {
                pass(TERN_RING_QUIET + 10);
                expect_mode(end, 0);
                make_wait(end);
                forget_counts();
                pthread_t thread = start_sleeper(&end);
                publish(end);
                join_sleeper(thread);
                assert_int_equal(counted(&os.wakes), 1);
                assert_true(counted(&os.barriers) >= 1);
                expect_mode(end, TERN_RING_QUIET);
                if (end == CONSUMER) pop_next(passed + 1);
                passed += end == CONSUMER ? 2 : 1;
            }
            drop(&f);
        }
    }
}

/* Who sleeps while exchanges are in force pays no barrier, and puts plain stores off. */
static void ring_stays_with_exchange_while_somebody_sleeps_now_and_then(void **state)
{
    (void)state;
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            begin(flags, 1);
            pass(TERN_RING_QUIET - 1);
            expect_mode(end, 1);
            make_wait(end);
            uint32_t left = *exchanges_left(end);
            assert_status(wait_for(end, 100000), TERN_ERR_TIMEOUT);
            assert_true(tern_a32_load_relaxed(slept_on(end)) & TERN__RING_SLEEP);
            assert_int_equal(*exchanges_left(end), left);
            publish(end);                          /* meets SLEEP at the very change of mode */
            assert_int_equal(counted(&os.wakes), 1);
            assert_int_equal(counted(&os.barriers), 0);
            expect_mode(end, TERN_RING_QUIET);
            drop(&f);
        }
    }
}

/* A time-out leaves nothing behind that would cost the other end a wake. */
static void ring_time_out_beside_plain_stores_leaves_no_sleeper_behind(void **state)
{
    (void)state;
    if (!barrier_is_to_be_had()) unit_skip("this system has no barrier for other processes");
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            begin_plain(flags, end);
            uint64_t before = tern_now_ns();
            assert_status(wait_for(end, 2000000), TERN_ERR_TIMEOUT);
            assert_true(tern_now_ns() - before >= 2000000);
            assert_true(counted(&os.barriers) >= 1);
            publish(end);
            assert_int_equal(counted(&os.wakes), 0);
            expect_mode(end, 0);
            assert_false(tern_a32_load_relaxed(slept_on(end)) & TERN__RING_SLEEP);
            drop(&f);
        }
    }
}

/* What is published between `asleep` and the last look is seen by that look. */
static void ring_last_look_sees_what_came_before_the_barrier(void **state)
{
    (void)state;
    if (!barrier_is_to_be_had()) unit_skip("this system has no barrier for other processes");
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            begin_plain(flags, end);
            publisher = end;
            os.in_barrier = publish_unheard;
            assert_status(wait_for(end, TERN_WAIT_FOREVER), TERN_OK);
            assert_int_equal(counted(&os.waits) + counted(&os.wakes), 0);
            assert_int_equal(counted(&os.barriers), 1);
            expect_mode(end, 0);
            drop(&f);
        }
    }
}

/* ---- Successors --------------------------------------------------------------------------- */

static void attach_anew(enum end end)
{
    if (end == PRODUCER) assert_status(tern_ring_attach_producer(&f.p, f.shared, f.size), TERN_OK);
    else assert_status(tern_ring_attach_consumer(&f.c, f.shared, f.size), TERN_OK);
}

static void ring_attach_begins_with_exchange_again(void **state)
{
    (void)state;
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            begin(flags, 1);
            pass(TERN_RING_QUIET);
            expect_mode(end, 0);
            attach_anew(end);
            expect_mode(end, TERN_RING_QUIET);
            assert_true(counted(&os.wakes) >= 1);   /* for whom the predecessor did not wake */
            expect_mode(end == PRODUCER ? CONSUMER : PRODUCER, 0);
            drop(&f);
        }
    }
}

/* A peer that publishes by a plain store and dies before it looks for a sleeper: its successor wakes. */
static void ring_attach_wakes_whom_a_plain_store_left_asleep(void **state)
{
    (void)state;
    if (!barrier_is_to_be_had()) unit_skip("this system has no barrier for other processes");
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            begin_plain(flags, end);
            pthread_t thread = start_sleeper(&end);
            pair item = item_of(passed);
            if (end == PRODUCER) memcpy(f.shared + 1, &item, sizeof item);
            /* the next index, or the next sequence: the same word in a ring of one */
            tern_a32_store_release(slept_on(end), (passed + 1) << 1, TEST);
            attach_anew(end);
            join_sleeper(thread);
            drop(&f);
        }
    }
}

/* ---- Close and bell ------------------------------------------------------------------------- */

static void *wait_for_close(void *argument)
{
    return wait_for(*(enum end *)argument, TERN_WAIT_FOREVER) == TERN_ERR_CLOSED ? NULL : argument;
}

static void ring_close_wakes_a_sleeper_beside_plain_stores(void **state)
{
    (void)state;
    if (!barrier_is_to_be_had()) unit_skip("this system has no barrier for other processes");
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            begin_plain(flags, end);
            pthread_t thread;
            assert_int_equal(pthread_create(&thread, NULL, wait_for_close, &end), 0);
            while (!tern_a32_load_relaxed(&words_of(end)->asleep)) usleep(100);
            if (end == PRODUCER) tern_ring_close_producer(&f.p);
            else tern_ring_close_consumer(&f.c);
            join_sleeper(thread);
            drop(&f);
        }
    }
}

static void ring_bell_rings_in_both_modes(void **state)
{
    (void)state;
    tern_bell_desc desc = { 3 };
    size_t size = tern_bell_size(&desc);
    void *memory = unit_memory(size);
    tern_bell bell;
    assert_status(tern_bell_format(memory, size, &desc), TERN_OK);
    assert_status(tern_bell_attach(&bell, memory, size), TERN_OK);
    for (EACH_LAYOUT(flags)) {
        begin(flags, 1);
        assert_status(tern_ring_producer_bind(&f.p, &bell, 2), TERN_OK);
        for (uint32_t i = 0; i < TERN_RING_QUIET + 100; i++) {
            assert_int_equal(tern_bell_collect(&bell), 0);
            pass(1);
            assert_int_equal(tern_bell_collect(&bell), 1u << 2);
        }
        expect_mode(PRODUCER, 0);
        drop(&f);
    }
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(ring_goes_over_after_so_many_quiet_publications),
        CASE(ring_without_waiting_has_no_modes),
        CASE(ring_goes_back_at_the_first_sleeper_and_over_again),
        CASE(ring_stays_with_exchange_while_somebody_sleeps_now_and_then),
        CASE(ring_time_out_beside_plain_stores_leaves_no_sleeper_behind),
        CASE(ring_last_look_sees_what_came_before_the_barrier),
        CASE(ring_attach_begins_with_exchange_again),
        CASE(ring_attach_wakes_whom_a_plain_store_left_asleep),
        CASE(ring_close_wakes_a_sleeper_beside_plain_stores),
        CASE(ring_bell_rings_in_both_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
