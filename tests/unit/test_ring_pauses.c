/* SPDX-License-Identifier: MIT */
/* test_ring_pauses.c: how often a consumer pauses before it looks again (ring_slots.h): a time, in the
 * pauses of the processor that it runs on. */
#include "ring_fixture.h"

#include "../../lib/os/os.h"

/* A clock on which 128 pauses take so long as told. */
static uint64_t clock_ns, step_ns;

static uint64_t now_stepping(void)
{
    return clock_ns += step_ns;
}

static void expect_pauses(uint64_t pauses_128_ns, uint32_t one, uint32_t many, uint32_t empty)
{
    const tern__os *real = tern__os_current;
    tern__os stepping = *real;
    stepping.now_ns = now_stepping;
    step_ns = pauses_128_ns;
    tern__os_current = &stepping;
    struct fixture f = make(8, 16, 0, 0);
    tern__os_current = real;
    assert_int_equal(f.c.slip_one_pauses, one);
    assert_int_equal(f.c.slip_many_pauses, many);
    assert_int_equal(f.c.empty_pauses, empty);
    drop(&f);
}

static void ring_pauses_follow_the_processor_and_the_least_of_all_looks_counts(void **state)
{
    (void)state;
    expect_pauses(0, 12, 18, 3);                        /* the clock stands still: 12 ns are taken for granted */
    expect_pauses(UINT64_MAX / 2, 12, 18, 3);           /* and so when it makes no sense */
    expect_pauses(128 * 40, 12, 18, 3);                 /* slower than before: interrupted, or not yet at its speed */
    expect_pauses(128 * 5, 29, 42, 8);
    expect_pauses(128, 145, 210, 40);
    expect_pauses(64, 255, 255, 80);                    /* as many as fit */
    expect_pauses(128 * 5, 255, 255, 80);
}

/* What a look finds tells how long the next one waits. */
static void expect_slip(uint32_t item_size, uint32_t capacity, uint32_t flags, uint32_t found, uint32_t pauses)
{
    struct fixture f = make(item_size, capacity, flags, 0);
    unsigned char item[2048] = { 0 };
    f.c.slip_one_pauses = 1;
    f.c.slip_many_pauses = 2;
    f.c.empty_pauses = 0;
    for (uint32_t i = 0; i < found; i++) assert_true(tern_ring_push(&f.p, item));
    assert_int_equal(f.c.slip_pauses, 0);
    if (found) assert_true(tern_ring_pop(&f.c, item));
    else assert_false(tern_ring_pop(&f.c, item));
    assert_int_equal(f.c.slip_pauses, pauses);
    drop(&f);
}

static void ring_slips_by_what_it_found(void **state)
{
    (void)state;
    for (uint32_t flags = 0; flags <= TERN_RING_WAITABLE; flags++) {
        expect_slip(8, 1024, flags, 0, 0);
        expect_slip(8, 1024, flags, 1, 1);
        expect_slip(8, 1024, flags, 2, 2);
        expect_slip(8, 1024, flags, 255, 2);
        expect_slip(8, 1024, flags, 256, 0);            /* a quarter of the ring, and 2 KiB */
        expect_slip(8, 4096, flags, 256, 2);            /* less than a quarter */
        expect_slip(8, 512, flags, 255, 2);             /* less than 2 KiB */
        expect_slip(8, 64, flags, 64, 2);
        expect_slip(128, 64, flags, 16, 0);
        expect_slip(2048, 4, flags, 1, 0);              /* a single one too */
    }
    for (uint32_t flags = TERN_RING_SEQUENCED; flags <= 3; flags++) {
        expect_slip(8, 1024, flags, 1, 1);
        expect_slip(8, 1024, flags, 1024, 1);           /* each is news of its own */
    }
}

/* Who is to sleep at once does not pause before it looks. */
static void ring_that_is_not_to_spin_does_not_slip(void **state)
{
    (void)state;
    struct fixture f = make(8, 16, TERN_RING_WAITABLE, 0);
    pair item = { 1, 2 };
    assert_true(tern_ring_push(&f.p, &item));
    assert_true(tern_ring_pop(&f.c, &item));
    f.c.slip_pauses = 200;
    f.c.spin_checks = 0;
    assert_status(tern_ring_pop_wait(&f.c, &item, 0), TERN_ERR_TIMEOUT);
    assert_int_equal(f.c.slip_pauses, 0);
    drop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_pauses_follow_the_processor_and_the_least_of_all_looks_counts),
        cmocka_unit_test(ring_slips_by_what_it_found),
        cmocka_unit_test(ring_that_is_not_to_spin_does_not_slip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
