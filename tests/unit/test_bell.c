/* SPDX-License-Identifier: MIT */
/* test_bell.c: the bell in one thread, and sleeping on it. After every transition every byte of
 * the bell is compared. */
#include "bell_fixture.h"

#include <pthread.h>
#include <unistd.h>

#include "../../lib/os/os.h"

static const uint32_t SIZES[] = { 1, 2, 30, 31, 32, 33, 64, 65, 992, 993, 1984, 1985, 65505, 65535, 65536 };
enum { SIZE_COUNT = sizeof SIZES / sizeof *SIZES };

/* A few thousand sources of a large bell, all of a small one. */
static uint32_t step_of(uint32_t sources)
{
    return sources > 4000 ? 13 : 1;
}

static void bell_ring_sets_the_bits_of_its_source_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        struct fixture f = make(SIZES[i]);
        for (uint32_t source = 0; source < SIZES[i]; source += step_of(SIZES[i])) {
            assert_true(tern_bell_ring(&f.bell, source));
            image_ring(&f, SIZES[i], source);
            expect(&f);
            assert_true(tern_bell_ring(&f.bell, source));      /* again: the same bits */
            expect(&f);
        }
        assert_true(tern_bell_ring(&f.bell, SIZES[i] - 1));
        image_ring(&f, SIZES[i], SIZES[i] - 1);
        expect(&f);
        drop(&f);
    }
}

static void bell_ring_refuses_what_is_no_source(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        struct fixture f = make(SIZES[i]);
        const uint32_t wrong[] = { SIZES[i], SIZES[i] + 1, SIZES[i] + 31, 65536, 65537, 0x7fffffff, SLEEP, UINT32_MAX };
        for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) assert_false(tern_bell_ring(&f.bell, wrong[k]));
        expect(&f);
        tern_bell detached = f.bell;
        tern_bell_detach(&detached);
        assert_false(tern_bell_ring(&detached, 0));
        drop(&f);
    }
}

static void bell_collect_takes_everything_at_once(void **state)
{
    (void)state;
    struct fixture f = make(31);
    assert_int_equal(tern_bell_collect(&f.bell), 0);
    expect(&f);
    for (uint32_t source = 0; source < 31; source++) {
        tern_bell_ring(&f.bell, source);
        tern_bell_ring(&f.bell, 30 - source);
        assert_int_equal(tern_bell_collect(&f.bell), 1u << source | 1u << (30 - source));
        expect(&f);
        assert_int_equal(tern_bell_collect(&f.bell), 0);
    }
    for (uint32_t source = 0; source < 31; source++) tern_bell_ring(&f.bell, source);
    assert_int_equal(tern_bell_collect(&f.bell), 0x7fffffff);
    expect(&f);
    drop(&f);
}

static void bell_take_goes_from_the_lowest_bit(void **state)
{
    (void)state;
    uint32_t bits = 0x80010009u;
    assert_int_equal(tern_bell_take(&bits), 0);
    assert_int_equal(tern_bell_take(&bits), 3);
    assert_int_equal(tern_bell_take(&bits), 16);
    assert_int_equal(bits, 0x80000000u);
    assert_int_equal(tern_bell_take(&bits), 31);
    assert_int_equal(bits, 0);
}

/* A pass hands out exactly what was marked, in order, and leaves nothing behind. */
static void expect_pass(struct fixture *f, const unsigned char *marked)
{
    tern_bell_pass pass;
    uint32_t first, bits, next = 0;
    tern_bell_begin(&f->bell, &pass);
    *image_root(f) = 0;
    expect(f);                                      /* the root first, the leaves as they come */
    while (tern_bell_next(&pass, &first, &bits)) {
        assert_true(bits != 0 && first % 32 == 0 && first >= next / 32 * 32);
        if (f->bell.sources > 31) *image_leaf(f, first / 32) = 0;
        expect(f);
        while (bits) {
            uint32_t source = first + tern_bell_take(&bits);
            assert_true(source < f->bell.sources);
            for (; next < source; next++) assert_int_equal(marked[next], 0);
            assert_int_equal(marked[next++], 1);
        }
    }
    for (; next < f->bell.sources; next++) assert_int_equal(marked[next], 0);
    assert_false(tern_bell_next(&pass, &first, &bits));
    expect(f);
    tern_bell_begin(&f->bell, &pass);
    assert_false(tern_bell_next(&pass, &first, &bits));
}

static void bell_pass_hands_out_each_mark_once(void **state)
{
    (void)state;
    static unsigned char marked[65536];
    uint32_t random = 12345;
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        struct fixture f = make(SIZES[i]);
        for (uint32_t round = 0; round < 24; round++) {
            /* from no marks to about as many as there are sources */
            uint32_t marks = round < 4 ? round : SIZES[i] >> (23 - round) / 2;
            memset(marked, 0, sizeof marked);
            for (uint32_t m = 0; m < marks; m++) {
                random = random * 1664525u + 1013904223u;
                uint32_t source = (random >> 8) % SIZES[i];
                if (m == 1) source = SIZES[i] - 1;
                marked[source] = 1;
                assert_true(tern_bell_ring(&f.bell, source));
                image_ring(&f, SIZES[i], source);
            }
            expect(&f);
            expect_pass(&f, marked);
        }
        drop(&f);
    }
}

static void bell_collect_of_a_large_bell_is_the_summary(void **state)
{
    (void)state;
    struct fixture f = make(65536);
    uint32_t first, bits;
    tern_bell_pass pass;
    assert_int_equal(f.bell.root_shift, 12);
    tern_bell_ring(&f.bell, 4095);
    tern_bell_ring(&f.bell, 4096);
    tern_bell_ring(&f.bell, 65535);
    image_ring(&f, 65536, 4095), image_ring(&f, 65536, 4096), image_ring(&f, 65536, 65535);
    assert_int_equal(tern_bell_collect(&f.bell), 1u | 2u | 0x8000u);
    *image_root(&f) = 0;
    expect(&f);                                     /* the marks are still there */
    tern_bell_begin_with(&f.bell, &pass, 2u | 0xffff0000u);   /* bits without leaves are ignored */
    assert_true(tern_bell_next(&pass, &first, &bits));
    assert_true(first == 4096 && bits == 1);
    assert_false(tern_bell_next(&pass, &first, &bits));
    *image_leaf(&f, 128) = 0;
    expect(&f);
    tern_bell_begin_with(&f.bell, &pass, 1u | 0x8000u);
    assert_true(tern_bell_next(&pass, &first, &bits));
    assert_true(first == 4064 && bits == SLEEP);
    assert_true(tern_bell_next(&pass, &first, &bits));
    assert_true(first == 65504 && bits == SLEEP);
    assert_false(tern_bell_next(&pass, &first, &bits));
    drop(&f);
}

static void bell_mark_of_a_dead_marker_is_found_with_the_next_of_its_run(void **state)
{
    (void)state;
    struct fixture f = make(993);                   /* runs of 2 leaves */
    uint32_t first, bits;
    tern_bell_pass pass;
    /* relaxed: one thread. It died between leaf and root */
    tern_a32_store_relaxed((tern_a32 *)(void *)(f.shared + 1) + 1, 4);
    tern_bell_begin(&f.bell, &pass);
    assert_false(tern_bell_next(&pass, &first, &bits));
    assert_true(tern_bell_ring(&f.bell, 34));       /* the very same bit: goes up to the root all the same */
    assert_int_equal(tern_bell_collect(&f.bell), 1);
    tern_bell_ring(&f.bell, 5);
    tern_bell_begin(&f.bell, &pass);
    assert_true(tern_bell_next(&pass, &first, &bits));
    assert_true(first == 0 && bits == 1u << 5);
    assert_true(tern_bell_next(&pass, &first, &bits));
    assert_true(first == 32 && bits == 4);
    assert_false(tern_bell_next(&pass, &first, &bits));
    drop(&f);
}

/* ---- Waking: who makes the system call ------------------------------------------------------ */

static struct {
    uint32_t spurious_left, waits, wakes;
    uint64_t now_ns;
} fake;

static tern_status fake_wait(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    fake.waits++;
    assert_int_equal(expected, SLEEP);
    assert_int_equal(tern_a32_load_relaxed(word), SLEEP);
    if (fake.spurious_left > 0) {
        fake.spurious_left--;
        fake.now_ns += 10;
        return TERN_OK;
    }
    fake.now_ns += timeout_ns;
    return TERN_ERR_TIMEOUT;
}

static void fake_wake(tern_a32 *word)
{
    (void)word;
    fake.wakes++;
}

static uint64_t fake_now(void)
{
    return fake.now_ns;
}

static const tern__os fake_os = { "fake", fake_wait, fake_wake, fake_now,
                                   tern__os_barrier_register, tern__os_barrier };

static void bell_wakes_whenever_sleep_was_set(void **state)
{
    (void)state;
    const tern__os *real = tern__os_current;
    tern__os_current = &fake_os;
    for (uint32_t sources = 4; sources <= 40; sources += 36) {
        struct fixture f = make(sources);
        memset(&fake, 0, sizeof fake);
        tern_bell_ring(&f.bell, 1);
        tern_bell_ring(&f.bell, 2);
        assert_int_equal(fake.wakes, 0);            /* nobody sleeps: no system call */
        assert_status(tern_bell_wait(&f.bell, 1000), TERN_OK);
        assert_int_equal(fake.waits, 0);
        (void)tern_bell_collect(&f.bell);
        assert_status(tern_bell_wait(&f.bell, 1000), TERN_ERR_TIMEOUT);
        assert_int_equal(fake.waits, 1);
        tern_bell_ring(&f.bell, 1);
        assert_int_equal(fake.wakes, 1);
        tern_bell_ring(&f.bell, 2);                 /* bits are set: their ringer may be dead */
        tern_bell_ring(&f.bell, 2);
        assert_int_equal(fake.wakes, 3);
        assert_true((tern_a32_load_relaxed(&f.shared->root.word) & SLEEP) != 0);
        assert_int_equal(tern_bell_collect(&f.bell), sources == 4 ? 6 : 1);
        tern_bell_ring(&f.bell, 1);
        assert_int_equal(fake.wakes, 3);            /* collect took SLEEP out */
        tern_bell_close(&f.bell);
        assert_int_equal(fake.wakes, 3);
        drop(&f);
    }
    tern__os_current = real;
}

static void bell_wait_outlasts_spurious_wakes_and_keeps_its_deadline(void **state)
{
    (void)state;
    const tern__os *real = tern__os_current;
    tern__os_current = &fake_os;
    struct fixture f = make(4);
    memset(&fake, 0, sizeof fake);
    fake.spurious_left = 50;
    assert_status(tern_bell_wait(&f.bell, 1000), TERN_ERR_TIMEOUT);
    assert_int_equal(fake.now_ns, 1000);            /* 50 wakes of 10 ns, then only what was left */
    assert_int_equal(fake.waits, 51);
    *image_root(&f) = SLEEP;
    expect(&f);
    drop(&f);
    tern__os_current = real;
}

static void bell_wait_times_out_and_leaves_sleep_to_the_next_ring(void **state)
{
    (void)state;
    struct fixture f = make(4);
    const uint64_t timeouts[] = { 0, 1, 1000, 2000000 };
    for (size_t i = 0; i < 4; i++) {
        uint64_t before = tern_now_ns();
        assert_status(tern_bell_wait(&f.bell, timeouts[i]), TERN_ERR_TIMEOUT);
        assert_true(tern_now_ns() - before >= timeouts[i]);
        /* a time-out of 0 only looks; a short one may have passed before it could sleep */
        if (i > 0) *image_root(&f) = tern_a32_load_relaxed(&f.shared->root.word) & SLEEP;
        if (i == 3) *image_root(&f) = SLEEP;
        expect(&f);
    }
    assert_true(tern_bell_ring(&f.bell, 3));
    *image_root(&f) = SLEEP | 8;
    expect(&f);
    assert_status(tern_bell_wait(&f.bell, TERN_WAIT_FOREVER), TERN_OK);
    assert_status(tern_bell_wait(&f.bell, 0), TERN_OK);
    expect(&f);
    assert_int_equal(tern_bell_collect(&f.bell), 8);
    *image_root(&f) = 0;
    expect(&f);
    f.bell.may_block = false;
    assert_status(tern_bell_wait(&f.bell, 0), TERN_ERR_DOMAIN);
    tern_bell_ring(&f.bell, 0);
    assert_status(tern_bell_wait(&f.bell, TERN_WAIT_FOREVER), TERN_ERR_DOMAIN);
    drop(&f);
}

static void bell_arm_is_true_only_when_nothing_is_pending(void **state)
{
    (void)state;
    struct fixture f = make(4);
    assert_true(tern_bell_arm(&f.bell));
    *image_root(&f) = SLEEP;
    expect(&f);
    assert_true(tern_bell_arm(&f.bell));            /* still armed */
    expect(&f);
    tern_bell_ring(&f.bell, 2);
    assert_false(tern_bell_arm(&f.bell));
    *image_root(&f) = SLEEP | 4;
    expect(&f);
    assert_int_equal(tern_bell_collect(&f.bell), 4);
    tern_bell_ring(&f.bell, 1);
    assert_false(tern_bell_arm(&f.bell));           /* rang before it was armed */
    *image_root(&f) = 2;
    expect(&f);
    assert_int_equal(tern_bell_collect(&f.bell), 2);
    assert_true(tern_bell_arm(&f.bell));
    tern_bell_close(&f.bell);
    assert_false(tern_bell_arm(&f.bell));
    assert_status(tern_bell_status(&f.bell), TERN_ERR_CLOSED);
    drop(&f);
}

/* ---- Closing ---------------------------------------------------------------------------------- */

static void bell_close_lets_the_rest_be_collected(void **state)
{
    (void)state;
    for (uint32_t sources = 4; sources <= 40; sources += 36) {
        struct fixture f = make(sources);
        assert_status(tern_bell_status(&f.bell), TERN_OK);
        tern_bell_ring(&f.bell, 1);
        image_ring(&f, sources, 1);
        tern_bell_close(&f.bell);
        *image_closed(&f) = 1;
        expect(&f);
        assert_status(tern_bell_status(&f.bell), TERN_OK);
        assert_status(tern_bell_wait(&f.bell, TERN_WAIT_FOREVER), TERN_OK);
        assert_true(tern_bell_collect(&f.bell) != 0);
        assert_status(tern_bell_status(&f.bell), TERN_ERR_CLOSED);
        assert_status(tern_bell_wait(&f.bell, TERN_WAIT_FOREVER), TERN_ERR_CLOSED);
        assert_status(tern_bell_wait(&f.bell, 0), TERN_ERR_CLOSED);
        *image_root(&f) = 0;
        expect(&f);
        assert_true(tern_bell_ring(&f.bell, 2));    /* late, but not lost */
        assert_status(tern_bell_wait(&f.bell, TERN_WAIT_FOREVER), TERN_OK);
        assert_true(tern_bell_collect(&f.bell) != 0);
        tern_bell_close(&f.bell);
        assert_status(tern_bell_wait(&f.bell, TERN_WAIT_FOREVER), TERN_ERR_CLOSED);
        drop(&f);
    }
}

static void *sleep_until_closed(void *argument)
{
    struct fixture *f = argument;
    tern_status status;
    uintptr_t bits = 0;
    f->bell.spin_checks = 0;
    while ((status = tern_bell_wait(&f->bell, TERN_WAIT_FOREVER)) == TERN_OK) bits |= tern_bell_collect(&f->bell);
    return (void *)(status == TERN_ERR_CLOSED ? bits : UINTPTR_MAX);
}

static void bell_close_wakes_a_sleeper(void **state)
{
    (void)state;
    for (int rings = 0; rings < 2; rings++) {
        struct fixture f = make(4);
        tern_bell other;
        pthread_t thread;
        void *bits;
        assert_status(tern_bell_attach(&other, f.shared, f.size), TERN_OK);
        assert_int_equal(pthread_create(&thread, NULL, sleep_until_closed, &f), 0);
        while (!(tern_a32_load_relaxed(&f.shared->root.word) & SLEEP)) usleep(100);
        usleep(2000);                               /* let it really sleep */
        if (rings) tern_bell_ring(&other, 3);
        tern_bell_close(&other);
        pthread_join(thread, &bits);
        assert_int_equal((uintptr_t)bits, rings ? 8 : 0);
        assert_int_equal(tern_a32_load_relaxed(&f.shared->root.closed), 1);
        drop(&f);
    }
}

/* ---- Asleep at every turn ---------------------------------------------------------------------- */

enum { TURNS = 20000 };
struct pair_of_bells {
    struct fixture to, from;
    uint32_t last;     /* source that the other side must answer with */
};

static void *answer(void *argument)
{
    struct pair_of_bells *pair = argument;
    for (uint32_t i = 0; i < TURNS; i++) {
        tern_bell_pass pass;
        uint32_t first, bits;
        if (tern_bell_wait(&pair->to.bell, TERN_WAIT_FOREVER) != TERN_OK) break;
        tern_bell_begin(&pair->to.bell, &pass);
        while (tern_bell_next(&pass, &first, &bits)) pair->last = first + tern_bell_take(&bits);
        tern_bell_ring(&pair->from.bell, pair->last);
    }
    return NULL;
}

static void bell_ping_pong_sleeps_without_a_time_out(void **state)
{
    (void)state;
    for (uint32_t sources = 8; sources <= 40; sources += 32) {
        struct pair_of_bells pair = { make(sources), make(sources), 0 };
        pthread_t thread;
        pair.to.bell.spin_checks = pair.from.bell.spin_checks = 0;
        assert_int_equal(pthread_create(&thread, NULL, answer, &pair), 0);
        for (uint32_t i = 0; i < TURNS; i++) {
            tern_bell_pass pass;
            uint32_t first, bits;
            tern_bell_ring(&pair.to.bell, i % sources);
            assert_status(tern_bell_wait(&pair.from.bell, TERN_WAIT_FOREVER), TERN_OK);
            tern_bell_begin(&pair.from.bell, &pass);
            assert_true(tern_bell_next(&pass, &first, &bits));
            assert_int_equal(first + tern_bell_take(&bits), i % sources);
            assert_true(bits == 0 && !tern_bell_next(&pass, &first, &bits));
        }
        pthread_join(thread, NULL);
        drop(&pair.to);
        drop(&pair.from);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bell_ring_sets_the_bits_of_its_source_alone),
        cmocka_unit_test(bell_ring_refuses_what_is_no_source),
        cmocka_unit_test(bell_collect_takes_everything_at_once),
        cmocka_unit_test(bell_take_goes_from_the_lowest_bit),
        cmocka_unit_test(bell_pass_hands_out_each_mark_once),
        cmocka_unit_test(bell_collect_of_a_large_bell_is_the_summary),
        cmocka_unit_test(bell_mark_of_a_dead_marker_is_found_with_the_next_of_its_run),
        cmocka_unit_test(bell_wakes_whenever_sleep_was_set),
        cmocka_unit_test(bell_wait_outlasts_spurious_wakes_and_keeps_its_deadline),
        cmocka_unit_test(bell_wait_times_out_and_leaves_sleep_to_the_next_ring),
        cmocka_unit_test(bell_arm_is_true_only_when_nothing_is_pending),
        cmocka_unit_test(bell_close_lets_the_rest_be_collected),
        cmocka_unit_test(bell_close_wakes_a_sleeper),
        cmocka_unit_test(bell_ping_pong_sleeps_without_a_time_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
