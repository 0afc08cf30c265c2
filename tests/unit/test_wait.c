/* SPDX-License-Identifier: MIT */
/* test_wait.c: sleeping on a word: values that differ, time-outs, signals, wakes, and a ring whose
 * operating system wakes it for no reason. Also the texts of the status codes. */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "../../lib/os/os.h"

static void wait_when_value_differs_returns_at_once(void **state)
{
    (void)state;
    tern_a32 word;
    tern_a32_store_relaxed(&word, 5);
    assert_status(tern_word_wait(&word, 4, TERN_WAIT_FOREVER), TERN_OK);
    assert_status(tern_word_wait(&word, 6, 0), TERN_OK);
}

static void wait_times_out_on_the_monotonic_clock(void **state)
{
    (void)state;
    tern_a32 word;
    tern_a32_store_relaxed(&word, 5);
    const uint64_t timeouts[] = { 0, 1, 1000, 2000000, 20000000 };
    for (size_t i = 0; i < 5; i++) {
        uint64_t before = tern_now_ns();
        assert_status(tern_word_wait(&word, 5, timeouts[i]), TERN_ERR_TIMEOUT);
        assert_true(tern_now_ns() - before >= timeouts[i]);
    }
}

struct sleeper {
    tern_a32 word;
    tern_a32 asleep;
    tern_status status;
    uint32_t returns;
};

static void *sleep_until_changed(void *argument)
{
    struct sleeper *s = argument;
    tern_a32_store_relaxed(&s->asleep, 1);
    while (tern_a32_load_acquire(&s->word, TEST) == 1) {
        s->status = tern_word_wait(&s->word, 1, TERN_WAIT_FOREVER);
        s->returns++;
        if (s->status != TERN_OK) break;
    }
    return NULL;
}

static void on_signal(int number)
{
    (void)number;
}

static void wait_survives_signals_and_is_woken(void **state)
{
    (void)state;
    struct sigaction action, before;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;        /* no SA_RESTART: the system call is interrupted */
    sigaction(SIGUSR1, &action, &before);
    struct sleeper s;
    memset((void *)&s, 0, sizeof s);
    tern_a32_store_relaxed(&s.word, 1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, sleep_until_changed, &s), 0);
    while (!tern_a32_load_relaxed(&s.asleep)) usleep(100);
    for (int i = 0; i < 20; i++) {
        usleep(1000);
        pthread_kill(thread, SIGUSR1);
    }
    tern_a32_store_release(&s.word, 2, TEST);
    tern_word_wake(&s.word);
    pthread_join(thread, NULL);
    assert_status(s.status, TERN_OK);
    sigaction(SIGUSR1, &before, NULL);
}

struct crowd {
    tern_a32 word, asleep, woken;
};

static void *sleep_in_a_crowd(void *argument)
{
    struct crowd *crowd = argument;
    tern_a32_fetch_add_relaxed(&crowd->asleep, 1);
    while (tern_a32_load_acquire(&crowd->word, TEST) == 1)
        if (tern_word_wait(&crowd->word, 1, TERN_WAIT_FOREVER) != TERN_OK) return NULL;
    tern_a32_fetch_add_relaxed(&crowd->woken, 1);
    return NULL;
}

static void wait_wakes_every_sleeper_of_a_word(void **state)
{
    (void)state;
    enum { SLEEPERS = 5 };
    struct crowd crowd;
    pthread_t threads[SLEEPERS];
    memset((void *)&crowd, 0, sizeof crowd);
    tern_a32_store_relaxed(&crowd.word, 1);
    for (int i = 0; i < SLEEPERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sleep_in_a_crowd, &crowd), 0);
    while (tern_a32_load_relaxed(&crowd.asleep) < SLEEPERS) usleep(100);
    usleep(5000);                                /* let them really sleep */
    tern_a32_store_release(&crowd.word, 0, TEST);
    tern_word_wake(&crowd.word);                 /* one call for all */
    for (int i = 0; i < SLEEPERS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(tern_a32_load_relaxed(&crowd.woken), SLEEPERS);
}

/* ---- Left asleep by a dead peer ------------------------------------------------- */

static void *pop_one(void *argument)
{
    tern_ring_consumer *c = argument;
    uint32_t item = 0;
    c->spin_checks = 0;
    return tern_ring_pop_wait(c, &item, TERN_WAIT_FOREVER) == TERN_OK && item == 42 ? NULL : argument;
}

static void *push_one(void *argument)
{
    tern_ring_producer *p = argument;
    const uint32_t item = 43;
    p->spin_checks = 0;
    return tern_ring_push_wait(p, &item, TERN_WAIT_FOREVER) == TERN_OK ? NULL : argument;
}

/* Until the thread has armed SLEEP, and then has really gone to sleep. */
static void await_sleeper(const tern_a32 *word)
{
    while (!(tern_a32_load_relaxed(word) & 1)) usleep(100);
    usleep(20000);
}

static void ring_attach_wakes_whom_a_dead_predecessor_left_asleep(void **state)
{
    (void)state;
    tern_ring_desc desc = { 4, 1, TERN_RING_WAITABLE };
    size_t size = tern_ring_size(&desc);
    struct tern_ring_shared *shared = unit_memory(size);
    const uint32_t first = 42;
    uint32_t item;
    tern_ring_producer p;
    tern_ring_consumer c;
    pthread_t thread;
    void *failed;
    assert_status(tern_ring_format(shared, size, &desc), TERN_OK);
    assert_status(tern_ring_attach_consumer(&c, shared, size), TERN_OK);
    assert_int_equal(pthread_create(&thread, NULL, pop_one, &c), 0);
    await_sleeper(&shared->producer.word);
    /* a producer that dies after its exchange: the item is there, SLEEP is gone, nobody was woken */
    memcpy(shared + 1, &first, sizeof first);
    tern_a32_store_release(&shared->producer.word, 1 << 1, TEST);
    assert_status(tern_ring_attach_producer(&p, shared, size), TERN_OK);
    pthread_join(thread, &failed);
    assert_null(failed);

    assert_true(tern_ring_push(&p, &first));
    assert_int_equal(pthread_create(&thread, NULL, push_one, &p), 0);
    await_sleeper(&shared->consumer.word);
    /* a consumer that dies likewise */
    tern_a32_store_release(&shared->consumer.word, 2 << 1, TEST);
    assert_status(tern_ring_attach_consumer(&c, shared, size), TERN_OK);
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_true(tern_ring_pop(&c, &item));
    assert_int_equal(item, 43);
    free(shared);
}

static void wait_backend_is_the_one_built(void **state)
{
    (void)state;
#if defined(TERN_WAIT_BACKEND_PORTABLE)
    assert_string_equal(tern_wait_backend(), "portable");
#elif defined(__linux__)
    assert_string_equal(tern_wait_backend(), "futex");
#endif
}

/* ---- An operating system that misbehaves within its rights -------------------- */

static struct {
    uint32_t spurious_left, waits, wakes;
    uint64_t now_ns;
} fake;

static tern_status fake_wait(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    fake.waits++;
    assert_int_equal(tern_a32_load_relaxed(word), expected);
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

static void ring_wait_outlasts_spurious_wakes_and_keeps_its_deadline(void **state)
{
    (void)state;
    tern_ring_desc desc = { 4, 1, TERN_RING_WAITABLE };
    void *memory = unit_memory(tern_ring_size(&desc));
    tern_ring_producer p;
    tern_ring_consumer c;
    uint32_t item = 3;
    assert_status(tern_ring_format(memory, tern_ring_size(&desc), &desc), TERN_OK);
    assert_status(tern_ring_attach_producer(&p, memory, tern_ring_size(&desc)), TERN_OK);
    assert_status(tern_ring_attach_consumer(&c, memory, tern_ring_size(&desc)), TERN_OK);
    const tern__os *real = tern__os_current;
    tern__os_current = &fake_os;

    memset(&fake, 0, sizeof fake);
    fake.spurious_left = 50;
    assert_status(tern_ring_pop_wait(&c, &item, 1000), TERN_ERR_TIMEOUT);
    assert_int_equal(fake.now_ns, 1000);       /* 50 wakes of 10 ns, then only what was left */
    assert_int_equal(fake.waits, 51);

    memset(&fake, 0, sizeof fake);
    fake.spurious_left = 1000;
    assert_status(tern_ring_pop_wait(&c, &item, 1000), TERN_ERR_TIMEOUT);
    assert_int_equal(fake.now_ns, 1000);
    assert_int_equal(fake.waits, 100);

    memset(&fake, 0, sizeof fake);
    assert_true(tern_ring_push(&p, &item));
    assert_int_equal(fake.wakes, 1);            /* SLEEP was set: one wake */
    assert_status(tern_ring_pop_wait(&c, &item, 0), TERN_OK);
    assert_true(tern_ring_push(&p, &item));
    assert_int_equal(fake.wakes, 1);            /* nobody slept: no system call */
    tern__os_current = real;
    free(memory);
}

static void status_texts_are_there_and_differ(void **state)
{
    (void)state;
    for (int a = TERN_ERR_SYSTEM; a <= TERN_DEFERRED; a++) {
        assert_true(strlen(tern_status_text((tern_status)a)) > 5);
        assert_memory_equal(tern_status_name((tern_status)a), "TERN_", 5);
        for (int b = TERN_ERR_SYSTEM; b < a; b++) {
            assert_string_not_equal(tern_status_text((tern_status)a), tern_status_text((tern_status)b));
            assert_string_not_equal(tern_status_name((tern_status)a), tern_status_name((tern_status)b));
        }
    }
    assert_string_equal(tern_status_text((tern_status)99), "unknown status");
    assert_string_equal(tern_status_name((tern_status)-99), "TERN_ERR_UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait_when_value_differs_returns_at_once),
        cmocka_unit_test(wait_times_out_on_the_monotonic_clock),
        cmocka_unit_test(wait_survives_signals_and_is_woken),
        cmocka_unit_test(wait_wakes_every_sleeper_of_a_word),
        cmocka_unit_test(ring_attach_wakes_whom_a_dead_predecessor_left_asleep),
        cmocka_unit_test(wait_backend_is_the_one_built),
        cmocka_unit_test(ring_wait_outlasts_spurious_wakes_and_keeps_its_deadline),
        cmocka_unit_test(status_texts_are_there_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
