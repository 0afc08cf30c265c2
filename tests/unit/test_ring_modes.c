/* SPDX-License-Identifier: MIT */
/* test_ring_modes.c: an end of a waitable ring goes over to plain stores while nobody sleeps, and back
 * at the first sleeper (ring_publish.h), in both layouts and at both ends; and what it does where the
 * barrier is not to be had. The operating system's table is replaced by one that counts. */
#include "ring_fixture.h"

#include <pthread.h>
#include <unistd.h>

#include "../../lib/os/os.h"

/* Each layout with waiting, at each end: the one that publishes. */
enum end { PRODUCER, CONSUMER };
#define EACH_LAYOUT(flags) uint32_t flags = TERN_RING_WAITABLE; flags <= 3; flags += TERN_RING_SEQUENCED
#define EACH_END(end) enum end end = PRODUCER; end <= CONSUMER; end++

/* ---- An operating system that counts ------------------------------------------------ */

static struct {
    tern_a32 waits, wakes, barriers;     /* of all threads */
    bool registers, barrier_works;
    /* the fake clock and its naps: by one thread only */
    uint64_t now_ns, naps_ns[16];
    void (*in_wait)(void), (*in_barrier)(void);
} os;

static void count(tern_a32 *counter)
{
    tern_a32_fetch_add_relaxed(counter, 1);
}

static uint32_t counted(tern_a32 *counter)
{
    return tern_a32_load_relaxed(counter);
}

static const tern__os *real_os;

static tern_status wait_counted(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    count(&os.waits);
    return real_os->wait(word, expected, timeout_ns);
}

static void wake_counted(tern_a32 *word)
{
    count(&os.wakes);
    real_os->wake(word);
}

static uint64_t now_real(void)
{
    return real_os->now_ns();
}

static bool register_as_told(void)
{
    return os.registers;
}

static bool barrier_counted(void)
{
    count(&os.barriers);
    if (os.in_barrier) os.in_barrier();
    return os.barrier_works && real_os->barrier();
}

static const tern__os counting = { "counting", wait_counted, wake_counted, now_real, register_as_told,
                                   barrier_counted };

/* A nap that nobody hears: time passes, nobody wakes. */
static tern_status nap(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    uint32_t number = counted(&os.waits);
    count(&os.waits);
    assert_int_equal(tern_a32_load_relaxed(word), expected);
    if (number < 16) os.naps_ns[number] = timeout_ns;
    os.now_ns += timeout_ns;
    if (os.in_wait) os.in_wait();
    return TERN_ERR_TIMEOUT;
}

static uint64_t now_faked(void)
{
    return os.now_ns;
}

static const tern__os napping = { "napping", nap, wake_counted, now_faked, register_as_told, barrier_counted };

static void forget_counts(void)
{
    tern_a32_store_relaxed(&os.waits, 0);
    tern_a32_store_relaxed(&os.wakes, 0);
    tern_a32_store_relaxed(&os.barriers, 0);
    os.now_ns = 0;
    memset(os.naps_ns, 0, sizeof os.naps_ns);
    os.in_wait = os.in_barrier = NULL;
}

/* Where the system has no barrier (old kernels, filters) there is no such mode to test. */
static bool barrier_is_to_be_had(void)
{
    return real_os->barrier_register() && real_os->barrier();
}

static int before_each(void **state)
{
    (void)state;
    real_os = tern__os_current;
    tern__os_current = &counting;
    forget_counts();
    os.registers = os.barrier_works = true;
    return 0;
}

static int after_each(void **state)
{
    (void)state;
    tern__os_current = real_os;
    return 0;
}

/* ---- Rings of one item, and the end that publishes ------------------------------------- */

static struct fixture f;         /* one at a time; hooks and threads reach it */
static uint32_t passed;          /* items that went through */

static void begin(uint32_t flags, uint32_t capacity)
{
    f = make(8, capacity, flags, 0);
    tern_ring_consumer_release_every(&f.c, 1);
    f.p.spin_checks = f.c.spin_checks = 0;
    passed = 0;
    forget_counts();
}

static pair item_of(uint32_t number)
{
    return (pair){ number, number * 2654435761u };
}

static void push_next(uint32_t number)
{
    pair item = item_of(number);
    assert_true(tern_ring_push(&f.p, &item));
}

static void pop_next(uint32_t number)
{
    pair item, expected = item_of(number);
    assert_true(tern_ring_pop(&f.c, &item));
    assert_memory_equal(&item, &expected, sizeof item);
}

/* Each end publishes once an item, and nobody waits. */
static void pass(uint32_t items)
{
    for (uint32_t i = 0; i < items; i++, passed++) {
        push_next(passed);
        pop_next(passed);
    }
}

static uint32_t *exchanges_left(enum end end)
{
    return end == PRODUCER ? &f.p.exchanges_left : &f.c.exchanges_left;
}

static struct tern_ring_end *words_of(enum end end)
{
    return end == PRODUCER ? &f.shared->producer : &f.shared->consumer;
}

/* What the other end sleeps on. */
static tern_a32 *slept_on(enum end end)
{
    return end == PRODUCER ? item_word(&f, f.c.head) : &f.shared->consumer.word;
}

static void expect_mode(enum end end, uint32_t left)
{
    tern_ring_info info;
    assert_int_equal(*exchanges_left(end), left);
    assert_int_equal(tern_a32_load_relaxed(&words_of(end)->asymmetric), left == 0);
    assert_int_equal(tern_a32_load_relaxed(&words_of(end)->asleep), 0);
    assert_status(tern_ring_inspect(&info, f.shared, f.size), TERN_OK);
    assert_int_equal(end == PRODUCER ? info.producer_asymmetric : info.consumer_asymmetric, left == 0);
}

/* Ready for the other end to wait: empty for a producer that publishes, full for a consumer. */
static void make_wait(enum end end)
{
    if (end == CONSUMER) push_next(passed);
}

/* The publication that ends that wait. */
static void publish(enum end end)
{
    if (end == PRODUCER) push_next(passed);
    else pop_next(passed);
}

/* The other end's waiting call. */
static tern_status wait_for(enum end end, uint64_t timeout_ns)
{
    pair item = item_of(passed + 1), expected = item_of(passed);
    if (end == CONSUMER) return tern_ring_push_wait(&f.p, &item, timeout_ns);
    tern_status status = tern_ring_pop_wait(&f.c, &item, timeout_ns);
    if (status == TERN_OK) assert_memory_equal(&item, &expected, sizeof item);
    return status;
}

static void *sleep_in_thread(void *argument)
{
    return wait_for(*(enum end *)argument, TERN_WAIT_FOREVER) == TERN_OK ? NULL : argument;
}

/* Start a thread that sleeps at the other end, and wait until it says so. */
static pthread_t start_sleeper(enum end *end)
{
    pthread_t thread;
    tern_a32 *word = slept_on(*end);
    bool asymmetric = tern_a32_load_relaxed(&words_of(*end)->asymmetric) != 0;
    assert_int_equal(pthread_create(&thread, NULL, sleep_in_thread, end), 0);
    while (!(tern_a32_load_relaxed(word) & TERN__RING_SLEEP)) usleep(100);
    while (asymmetric && !tern_a32_load_relaxed(&words_of(*end)->asleep)) usleep(100);
    usleep(5000);                /* let it really sleep; it must be woken at any point before, too */
    return thread;
}

static void join_sleeper(pthread_t thread)
{
    void *failed;
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
}

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
    if (!barrier_is_to_be_had()) skip();
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
    if (!barrier_is_to_be_had()) skip();
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            begin(flags, 1);
            pass(TERN_RING_QUIET);
            make_wait(end);
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
static enum end publisher;

static void publish_unheard(void)
{
    /* its look at asleep passed ahead of its store */
    struct tern_ring_end *words = words_of(publisher);
    uint32_t asleep = tern_a32_load_relaxed(&words->asleep);
    tern_a32_store_relaxed(&words->asleep, 0);
    publish(publisher);
    tern_a32_store_relaxed(&words->asleep, asleep);
    os.in_barrier = os.in_wait = NULL;
}

static void ring_last_look_sees_what_came_before_the_barrier(void **state)
{
    (void)state;
    if (!barrier_is_to_be_had()) skip();
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            begin(flags, 1);
            pass(TERN_RING_QUIET);
            make_wait(end);
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
            begin(flags, 1);
            pass(TERN_RING_QUIET);
            make_wait(end);
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
                begin(flags, 1);
                pass(TERN_RING_QUIET);
                make_wait(end);
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
    if (!barrier_is_to_be_had()) skip();
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            begin(flags, 1);
            pass(TERN_RING_QUIET);
            make_wait(end);
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
    if (!barrier_is_to_be_had()) skip();
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

/* ---- Close and bell ------------------------------------------------------------------------- */

static void *wait_for_close(void *argument)
{
    return wait_for(*(enum end *)argument, TERN_WAIT_FOREVER) == TERN_ERR_CLOSED ? NULL : argument;
}

static void ring_close_wakes_a_sleeper_beside_plain_stores(void **state)
{
    (void)state;
    if (!barrier_is_to_be_had()) skip();
    for (EACH_LAYOUT(flags)) {
        for (EACH_END(end)) {
            begin(flags, 1);
            pass(TERN_RING_QUIET);
            make_wait(end);
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, before_each, after_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(ring_goes_over_after_so_many_quiet_publications),
        CASE(ring_without_waiting_has_no_modes),
        CASE(ring_goes_back_at_the_first_sleeper_and_over_again),
        CASE(ring_stays_with_exchange_while_somebody_sleeps_now_and_then),
        CASE(ring_time_out_beside_plain_stores_leaves_no_sleeper_behind),
        CASE(ring_last_look_sees_what_came_before_the_barrier),
        CASE(ring_that_cannot_register_never_goes_over),
        CASE(ring_sleeper_without_barrier_keeps_its_time_out),
        CASE(ring_sleeper_without_barrier_gets_what_nobody_wakes_it_for),
        CASE(ring_attach_begins_with_exchange_again),
        CASE(ring_attach_wakes_whom_a_plain_store_left_asleep),
        CASE(ring_that_is_always_said_to_have_a_sleeper_wakes_seldom),
        CASE(ring_that_is_said_to_be_asymmetric_costs_barriers_only),
        CASE(ring_close_wakes_a_sleeper_beside_plain_stores),
        CASE(ring_bell_rings_in_both_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
