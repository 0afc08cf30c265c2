/* SPDX-License-Identifier: MIT */
/* test_ring_barrier.c: a waitable ring where the barrier that plain stores need is not to be had, and
 * where its words say what is not so. In both layouts and at both ends. */
#include "ring_modes_fixture.h"

/* ---- Where there is no barrier ------------------------------------------------------------ */

static void ring_that_cannot_register_never_goes_over(void **state)
{
    (void)state;
    os.registers = false;
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            begin(flags, 1);
            pass(3 * TERN_RING_QUIET);
            expect_mode(PRODUCER, TERN__RING_ALWAYS);
            expect_mode(CONSUMER, TERN__RING_ALWAYS);
            make_wait(end);
            pthread_t thread = start_sleeper(&end);
            publish(end);
            join_sleeper(thread);
            assert_int_equal(counted(&os.wakes), 1);
            assert_int_equal(counted(&os.barriers), 0);
            expect_mode(end, TERN__RING_ALWAYS);
            drop(&f);
        }
    }
}

/* A sleeper that cannot make the barrier beside a peer that relies on it: sleeps in slices. */
static void ring_sleeper_without_barrier_keeps_its_time_out(void **state)
{
    (void)state;
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            begin_plain(flags, end);
            os.barrier_works = false;
            tern__os_current = &napping;
            assert_status(wait_for(end, 3500000), TERN_ERR_TIMEOUT);
            const uint64_t naps[] = { 1000000, 1000000, 1000000, 500000, 0 };
            assert_int_equal(counted(&os.waits), 4);
            assert_memory_equal(os.naps_ns, naps, sizeof naps);
            assert_int_equal(os.now_ns, 3500000);
            forget_counts();
            assert_status(wait_for(end, 10), TERN_ERR_TIMEOUT);      /* less than a slice */
            assert_int_equal(os.now_ns, 10);
            assert_int_equal(counted(&os.waits), 1);
            expect_mode(end, 0);
            publish(end);
            assert_int_equal(counted(&os.wakes), 0);
            os.barrier_works = true;
            tern__os_current = &counting;
            drop(&f);
        }
    }
}

static void publish_in_the_fifth_nap(void)
{
    if (counted(&os.waits) == 5) publish_unheard();
}

static void ring_sleeper_without_barrier_gets_what_nobody_wakes_it_for(void **state)
{
    (void)state;
    const uint64_t timeouts[] = { TERN_WAIT_FOREVER, 1000000000, 5000001 };
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            for (int i = 0; i < 3; i++) {
                begin_plain(flags, end);
                publisher = end;
                os.in_wait = publish_in_the_fifth_nap;
                os.barrier_works = false;
                tern__os_current = &napping;
                assert_status(wait_for(end, timeouts[i]), TERN_OK);
                assert_int_equal(counted(&os.waits), 5);
                assert_int_equal(counted(&os.wakes), 0);
                assert_int_equal(os.now_ns, 5000000);                /* FOREVER, too, in slices */
                expect_mode(end, 0);
                os.barrier_works = true;
                tern__os_current = &counting;
                drop(&f);
            }
        }
    }
}

/* ---- Whatever the words say ----------------------------------------------------------------- */

static void ring_that_is_always_said_to_have_a_sleeper_wakes_seldom(void **state)
{
    (void)state;
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            begin(flags, 1);
            for (uint32_t i = 0; i < 5000; i++) {
                tern_a32_store_relaxed(&words_of(end)->asleep, i % 2 ? 1 : UINT32_MAX);
                pass(1);
            }
            /* one after each run of quiet exchanges */
            assert_int_equal(counted(&os.wakes), 5000 / (TERN_RING_QUIET + 1));
            assert_int_equal(counted(&os.barriers) + counted(&os.waits), 0);
            drop(&f);
        }
    }
}

static void ring_that_is_said_to_be_asymmetric_costs_barriers_only(void **state)
{
    (void)state;
    if (!barrier_is_to_be_had()) unit_skip("this system has no barrier for other processes");
    const uint32_t lies[] = { 1, 2, 0x80000000u, UINT32_MAX };
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            begin(flags, 1);
            for (int i = 0; i < 4; i++) {
                make_wait(end);
                forget_counts();
                tern_a32_store_relaxed(&words_of(end)->asymmetric, lies[i]);
                pthread_t thread = start_sleeper(&end);
                publish(end);                        /* by exchange: finds SLEEP, and wakes */
                join_sleeper(thread);
                assert_int_equal(counted(&os.wakes), 1);
                assert_true(counted(&os.barriers) >= 1);
                if (end == CONSUMER) pop_next(passed + 1);
                passed += end == CONSUMER ? 2 : 1;
            }
            make_wait(end);
            assert_status(wait_for(end, 1000000), TERN_ERR_TIMEOUT);
            drop(&f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(ring_that_cannot_register_never_goes_over),
        CASE(ring_sleeper_without_barrier_keeps_its_time_out),
        CASE(ring_sleeper_without_barrier_gets_what_nobody_wakes_it_for),
        CASE(ring_that_is_always_said_to_have_a_sleeper_wakes_seldom),
        CASE(ring_that_is_said_to_be_asymmetric_costs_barriers_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
