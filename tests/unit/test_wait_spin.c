/* SPDX-License-Identifier: MIT */
/* test_wait_spin.c: how often a wait looks before it sleeps. The rule alone, look by look and beside a
 * model; then that each waiting call of each object follows it, by an operating system that answers
 * when it is asked to sleep, and by a thread that answers a wait that spins. */
#include "unit.h"

#include <pthread.h>
#include <unistd.h>

#include "../../lib/os/os.h"

enum { MOST = TERN__SPIN_MOST_FAILURES, RETRY = TERN__SPIN_RETRY_SLEEPS };

static const tern__role nobody;   /* whom these waits wait for cannot be told */

static const tern__os *real_os;

static uint64_t stopped_clock(void) { return 0; }

static tern_status refuse_to_sleep(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    (void)word, (void)expected, (void)timeout_ns;
    fail_msg("a wait slept that should have spun");
    return TERN_ERR_SYSTEM;
}

/* ---- The rule ------------------------------------------------------------------------- */

/* A wait that finds something after so many looks in vain, before it sleeps or after. Its looks. */
static uint32_t wait_for(struct tern__spin *spin, uint32_t spin_checks, uint32_t looks_in_vain)
{
    struct tern__patience patience = tern__patience_begin(TERN_WAIT_FOREVER, spin_checks, spin, &nobody);
    uint32_t looks = 0;
    for (; looks != looks_in_vain; looks++) {
        uint64_t left_ns;
        assert_status(tern__patience_left(&patience, &left_ns), TERN_OK);
        if (left_ns != 0) break;
    }
    assert_status(tern__patience_end(&patience, TERN_OK), TERN_OK);
    return looks;
}

static uint32_t wait_in_vain(struct tern__spin *spin, uint32_t spin_checks)
{
    return wait_for(spin, spin_checks, UINT32_MAX);
}

static void fail_often(struct tern__spin *spin, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) wait_in_vain(spin, 10);
}

static void spin_of_a_new_view_is_all_that_is_allowed(void **state)
{
    (void)state;
    const uint32_t allowed[] = { 1, 2, 10, 1000, 100000 };
    for (size_t i = 0; i < 5; i++) {
        struct tern__spin spin = { 0, 0 };
        assert_int_equal(wait_in_vain(&spin, allowed[i]), allowed[i]);
    }
}

static void spin_of_zero_checks_is_none(void **state)
{
    (void)state;
    struct tern__spin spin = { 0, 0 };
    for (int i = 0; i < 3 * RETRY; i++) assert_int_equal(wait_in_vain(&spin, 0), 0);
}

static void spin_ends_after_waits_that_slept(void **state)
{
    (void)state;
    struct tern__spin spin = { 0, 0 };
    for (int i = 0; i < MOST; i++) assert_int_equal(wait_in_vain(&spin, 10), 10);
    for (int i = 0; i < RETRY; i++) assert_int_equal(wait_in_vain(&spin, 10), 0);
}

static void spin_is_tried_again_after_many_sleeps(void **state)
{
    (void)state;
    struct tern__spin spin = { 0, 0 };
    fail_often(&spin, MOST + RETRY);
    for (int turn = 0; turn < 3; turn++) {
        assert_int_equal(wait_in_vain(&spin, 10), 10);
        for (int i = 0; i < RETRY; i++) assert_int_equal(wait_in_vain(&spin, 10), 0);
    }
}

static void spin_stays_once_it_helped_again(void **state)
{
    (void)state;
    struct tern__spin spin = { 0, 0 };
    fail_often(&spin, MOST + RETRY);
    for (int i = 0; i < MOST; i++) assert_int_equal(wait_for(&spin, 10, 9), 9);
    /* all is as with a new view */
    for (int i = 0; i < MOST; i++) assert_int_equal(wait_in_vain(&spin, 10), 10);
    for (int i = 0; i < RETRY; i++) assert_int_equal(wait_in_vain(&spin, 10), 0);
}

static void spin_helps_once_and_fails_once_is_over(void **state)
{
    (void)state;
    struct tern__spin spin = { 0, 0 };
    fail_often(&spin, MOST + RETRY);
    assert_int_equal(wait_for(&spin, 10, 5), 5);
    assert_int_equal(wait_in_vain(&spin, 10), 10);
    for (int i = 0; i < RETRY; i++) assert_int_equal(wait_in_vain(&spin, 10), 0);
}

static void spin_outlasts_fewer_failures_than_successes(void **state)
{
    (void)state;
    struct tern__spin spin = { 0, 0 };
    for (int i = 0; i < 10000; i++)
        assert_int_equal(i % 2 ? wait_for(&spin, 10, 1) : wait_in_vain(&spin, 10), i % 2 ? 1 : 10);
}

static void spin_learns_nothing_from_a_wait_that_did_not_spin_or_failed(void **state)
{
    (void)state;
    struct tern__spin spin = { 0, 0 };
    uint64_t left_ns;
    fail_often(&spin, 3);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(wait_for(&spin, 10, 0), 0);      /* it was there */
        assert_int_equal(spin.failures, 3);

        struct tern__patience patience = tern__patience_begin(0, 10, &spin, &nobody);      /* no time to wait */
        assert_status(tern__patience_left(&patience, &left_ns), TERN_ERR_TIMEOUT);
        assert_status(tern__patience_end(&patience, TERN_ERR_TIMEOUT), TERN_ERR_TIMEOUT);
        assert_int_equal(spin.failures, 3);

        patience = tern__patience_begin(1000, 10, &spin, &nobody);                        /* closed */
        assert_status(tern__patience_left(&patience, &left_ns), TERN_OK);
        assert_status(tern__patience_end(&patience, TERN_ERR_CLOSED), TERN_ERR_CLOSED);
        assert_int_equal(spin.failures, 3);
    }
}

static void spin_counts_a_wait_of_many_sleeps_once(void **state)
{
    (void)state;
    struct tern__spin spin = { 0, 0 };
    struct tern__patience patience = tern__patience_begin(TERN_WAIT_FOREVER, 0, &spin, &nobody);
    for (int i = 0; i < 100; i++) {
        uint64_t left_ns;
        assert_status(tern__patience_left(&patience, &left_ns), TERN_OK);
        assert_true(left_ns != 0);
    }
    tern__patience_end(&patience, TERN_OK);
    assert_int_equal(spin.failures, 1);
}

/* At random, with spin_checks that change: never more than they say, and never else than the model. */
static void spin_at_random_follows_its_model(void **state)
{
    (void)state;
    struct tern__spin spin = { 0, 0 };
    uint32_t random = 1, failures = 0, sleeps = 0, tried = 0;
    const uint32_t checks[] = { 1, 7, 50 };
    for (int i = 0; i < 200000; i++) {
        random = random * 1664525u + 1013904223u;
        uint32_t allowed = checks[random >> 16 & 1], answer = random >> 24;
        if (i / 10000 % 2) answer = 60;                   /* for a while, all sleep */
        bool full = failures < MOST || sleeps == RETRY;
        uint32_t expected = !full ? 0 : answer < allowed ? answer : allowed;
        assert_int_equal(wait_for(&spin, allowed, answer), expected);
        if (full && answer != 0 && answer <= allowed) {
            if (failures != 0) failures--, sleeps = 0;
        } else if (answer != 0) {
            if (failures < MOST) failures++;
            else if (sleeps < RETRY) sleeps++;
            else sleeps = 0, tried++;
        }
    }
    assert_true(tried > 10);
}

/* ---- Each object ---------------------------------------------------------------------- */

static struct {
    tern_ring_producer p;
    tern_ring_consumer c;
    tern_stream_producer sp;
    tern_stream_consumer sc;
    tern_bell bell;
    tern_triple_writer w;
    tern_triple_reader r;
    unsigned char *memory;
    size_t size;
} on;

static void fill_ring(void)
{
    const uint32_t item = 5;
    while (tern_ring_push(&on.p, &item)) {}
}

static void make_ring(uint32_t flags)
{
    const tern_ring_desc desc = { 4, 2, TERN_RING_WAITABLE | flags };
    on.size = tern_ring_size(&desc);
    on.memory = unit_memory(on.size);
    assert_status(tern_ring_format(on.memory, on.size, &desc), TERN_OK);
    assert_status(tern_ring_attach_producer(&on.p, on.memory, on.size), TERN_OK);
    assert_status(tern_ring_attach_consumer(&on.c, on.memory, on.size), TERN_OK);
}

static void make_indexed(void) { make_ring(0); }
static void make_sequenced(void) { make_ring(TERN_RING_SEQUENCED); }
static void make_indexed_full(void) { make_ring(0), fill_ring(); }
static void make_sequenced_full(void) { make_ring(TERN_RING_SEQUENCED), fill_ring(); }

static void make_stream(void)
{
    const tern_stream_desc desc = { 64, TERN_STREAM_WAITABLE };
    on.size = tern_stream_size(&desc);
    on.memory = unit_memory(on.size);
    assert_status(tern_stream_format(on.memory, on.size, &desc), TERN_OK);
    assert_status(tern_stream_attach_producer(&on.sp, on.memory, on.size), TERN_OK);
    assert_status(tern_stream_attach_consumer(&on.sc, on.memory, on.size), TERN_OK);
    tern_stream_consumer_release_every(&on.sc, 1);
}

static void make_stream_full(void)
{
    make_stream();
    while (tern_stream_send(&on.sp, 1, "seven b", 8)) {}
}

static void make_bell(void)
{
    const tern_bell_desc desc = { 0 };
    on.size = tern_bell_size(&desc);
    on.memory = unit_memory(on.size);
    assert_status(tern_bell_format(on.memory, on.size, &desc), TERN_OK);
    assert_status(tern_bell_attach(&on.bell, on.memory, on.size), TERN_OK);
}

static void make_triple(void)
{
    const tern_triple_desc desc = { 8 };
    on.size = tern_triple_size(&desc);
    on.memory = unit_memory(on.size);
    assert_status(tern_triple_format(on.memory, on.size, &desc), TERN_OK);
    assert_status(tern_triple_attach_writer(&on.w, on.memory, on.size), TERN_OK);
    assert_status(tern_triple_attach_reader(&on.r, on.memory, on.size), TERN_OK);
}

static void answer_push(void)
{
    const uint32_t item = 5;
    assert_true(tern_ring_push(&on.p, &item));
}

static void answer_pop(void)
{
    uint32_t item;
    assert_true(tern_ring_pop(&on.c, &item));
}

static void answer_send(void) { assert_true(tern_stream_send(&on.sp, 1, "seven b", 8)); }

static void answer_receive(void)
{
    char record[8];
    uint32_t length, kind;
    assert_true(tern_stream_receive(&on.sc, record, sizeof record, &length, &kind));
}

static void answer_ring(void) { tern_bell_ring(&on.bell, 0); }

static void answer_publish(void)
{
    *(uint64_t *)tern_triple_back(&on.w) = 1;
    tern_triple_publish(&on.w);
}

static tern_status wait_pop(void)
{
    uint32_t item;
    return tern_ring_pop_wait(&on.c, &item, TERN_WAIT_FOREVER);
}

static tern_status wait_items(void)
{
    uint32_t item;
    tern_status status = tern_ring_consumer_wait(&on.c, TERN_WAIT_FOREVER);
    return status == TERN_OK && !tern_ring_pop(&on.c, &item) ? TERN_ERR_STATE : status;
}

static tern_status wait_push(void)
{
    const uint32_t item = 6;
    return tern_ring_push_wait(&on.p, &item, TERN_WAIT_FOREVER);
}

static tern_status wait_send(void) { return tern_stream_send_wait(&on.sp, 1, "seven b", 8, TERN_WAIT_FOREVER); }

static tern_status wait_receive(void)
{
    char record[8];
    uint32_t length, kind;
    return tern_stream_receive_wait(&on.sc, record, sizeof record, &length, &kind, TERN_WAIT_FOREVER);
}

static tern_status wait_bell(void)
{
    tern_status status = tern_bell_wait(&on.bell, TERN_WAIT_FOREVER);
    return status == TERN_OK && tern_bell_collect(&on.bell) != 1 ? TERN_ERR_STATE : status;
}

static tern_status wait_triple(void)
{
    tern_status status = tern_triple_wait(&on.r, TERN_WAIT_FOREVER);
    return status == TERN_OK && !tern_triple_update(&on.r) ? TERN_ERR_STATE : status;
}

/* A wait that has to wait each time, the peer's answer to it, and where its view counts. */
static const struct waiting {
    void (*make)(void);
    tern_status (*wait)(void);
    void (*answer)(void);
    uint32_t *spin_checks;
    const struct tern__spin *spin;
} waitings[] = {
    { make_indexed, wait_pop, answer_push, &on.c.spin_checks, &on.c.spin },
    { make_sequenced, wait_pop, answer_push, &on.c.spin_checks, &on.c.spin },
    { make_indexed, wait_items, answer_push, &on.c.spin_checks, &on.c.spin },
    { make_indexed_full, wait_push, answer_pop, &on.p.spin_checks, &on.p.spin },
    { make_sequenced_full, wait_push, answer_pop, &on.p.spin_checks, &on.p.spin },
    { make_stream, wait_receive, answer_send, &on.sc.spin_checks, &on.sc.ring.spin },
    { make_stream_full, wait_send, answer_receive, &on.sp.spin_checks, &on.sp.ring.spin },
    { make_bell, wait_bell, answer_ring, &on.bell.spin_checks, &on.bell.spin },
    { make_triple, wait_triple, answer_publish, &on.r.spin_checks, &on.r.spin },
};
enum { WAITINGS = sizeof waitings / sizeof waitings[0] };

static const struct waiting *current;
static uint32_t slept;

static tern_status answer_instead_of_sleeping(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    assert_int_equal(tern_a32_load_relaxed(word), expected);
    assert_true(timeout_ns == TERN_WAIT_FOREVER);
    slept++;
    current->answer();
    return TERN_OK;
}

static void no_wake(tern_a32 *word) { (void)word; }
static bool no_barrier(void) { return false; }

static const tern__os answering_os = { "answering", answer_instead_of_sleeping, no_wake, stopped_clock,
                                        no_barrier, no_barrier };
static const tern__os sleepless_os = { "sleepless", refuse_to_sleep, no_wake, stopped_clock, no_barrier, no_barrier };

static void start(const struct waiting *waiting, const tern__os *os)
{
    memset(&on, 0, sizeof on);
    slept = 0;
    current = waiting;
    tern__os_current = os;      /* before attach, so that no end publishes by plain stores */
    waiting->make();
    assert_int_equal(waiting->spin->failures, 0);
}

static void stop(void)
{
    tern__os_current = real_os;
    free(on.memory);
}

/* Each wait sleeps once, whatever it spun before; each that slept is counted by its own view. */
static void every_wait_that_sleeps_counts_against_spinning(void **state)
{
    (void)state;
    for (int i = 0; i < WAITINGS; i++) {
        start(&waitings[i], &answering_os);
        *current->spin_checks = 3;
        for (uint32_t n = 1; n <= MOST + RETRY + 1; n++) {
            assert_status(current->wait(), TERN_OK);
            assert_int_equal(slept, n);
            assert_int_equal(current->spin->failures, n < MOST ? n : MOST);
            assert_int_equal(current->spin->sleeps, n <= MOST ? 0 : (n - MOST) % (RETRY + 1));
        }
        stop();
    }
}

/* What is shared does not depend on how anybody spins. */
static void no_wait_leaves_its_spinning_in_shared_memory(void **state)
{
    (void)state;
    for (int i = 0; i < WAITINGS; i++) {
        start(&waitings[i], &answering_os);
        *current->spin_checks = 0;
        for (uint32_t n = 0; n < MOST / 2; n++) assert_status(current->wait(), TERN_OK);
        unsigned char *unspun = on.memory;
        start(&waitings[i], &answering_os);
        *current->spin_checks = 100;
        for (uint32_t n = 0; n < MOST / 2; n++) assert_status(current->wait(), TERN_OK);
        assert_memory_equal(on.memory, unspun, on.size);
        free(unspun);
        stop();
    }
}

static void *answer_a_little_later(void *argument)
{
    (void)argument;
    usleep(500);
    current->answer();
    return NULL;
}

/* With looks enough for minutes, no wait sleeps; each that had to look more than once makes up for
 * a sleep before. (One that is held up may find its answer at once: then it tells nothing.) */
static void every_wait_that_spinning_ends_counts_for_it(void **state)
{
    (void)state;
    for (int i = 0; i < WAITINGS; i++) {
        start(&waitings[i], &answering_os);
        *current->spin_checks = 1;
        for (int n = 0; n < 3; n++) assert_status(current->wait(), TERN_OK);
        assert_int_equal(current->spin->failures, 3);

        tern__os_current = &sleepless_os;
        *current->spin_checks = UINT32_MAX;
        for (int n = 0; n < 1000 && current->spin->failures != 0; n++) {
            const uint32_t before = current->spin->failures;
            pthread_t thread;
            assert_int_equal(pthread_create(&thread, NULL, answer_a_little_later, NULL), 0);
            assert_status(current->wait(), TERN_OK);
            pthread_join(thread, NULL);
            assert_in_range(current->spin->failures, before - 1, before);
        }
        assert_int_equal(current->spin->failures, 0);
        stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spin_of_a_new_view_is_all_that_is_allowed),
        cmocka_unit_test(spin_of_zero_checks_is_none),
        cmocka_unit_test(spin_ends_after_waits_that_slept),
        cmocka_unit_test(spin_is_tried_again_after_many_sleeps),
        cmocka_unit_test(spin_stays_once_it_helped_again),
        cmocka_unit_test(spin_helps_once_and_fails_once_is_over),
        cmocka_unit_test(spin_outlasts_fewer_failures_than_successes),
        cmocka_unit_test(spin_learns_nothing_from_a_wait_that_did_not_spin_or_failed),
        cmocka_unit_test(spin_counts_a_wait_of_many_sleeps_once),
        cmocka_unit_test(spin_at_random_follows_its_model),
        cmocka_unit_test(every_wait_that_sleeps_counts_against_spinning),
        cmocka_unit_test(no_wait_leaves_its_spinning_in_shared_memory),
        cmocka_unit_test(every_wait_that_spinning_ends_counts_for_it),
    };
    real_os = tern__os_current;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
