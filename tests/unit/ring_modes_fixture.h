/* SPDX-License-Identifier: MIT */
/* ring_modes_fixture.h: a waitable ring of either layout, seen from either end, and an operating system
 * that counts what is asked of it, or lets no sleeper hear anything. */
#ifndef TERN_RING_MODES_FIXTURE_H
#define TERN_RING_MODES_FIXTURE_H

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

static inline void count(tern_a32 *counter)
{
    tern_a32_fetch_add_relaxed(counter, 1);
}

static inline uint32_t counted(tern_a32 *counter)
{
    return tern_a32_load_relaxed(counter);
}

static const tern__os *real_os;

static inline tern_status wait_counted(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    count(&os.waits);
    return real_os->wait(word, expected, timeout_ns);
}

static inline void wake_counted(tern_a32 *word)
{
    count(&os.wakes);
    real_os->wake(word);
}

static inline uint64_t now_real(void)
{
    return real_os->now_ns();
}

static inline bool register_as_told(void)
{
    return os.registers;
}

static inline bool barrier_counted(void)
{
    count(&os.barriers);
    if (os.in_barrier) os.in_barrier();
    return os.barrier_works && real_os->barrier();
}

static const tern__os counting = { "counting", wait_counted, wake_counted, now_real, register_as_told,
                                   barrier_counted };

/* A nap that nobody hears: time passes, nobody wakes. */
static inline tern_status nap(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    uint32_t number = counted(&os.waits);
    count(&os.waits);
    assert_int_equal(tern_a32_load_relaxed(word), expected);
    if (number < 16) os.naps_ns[number] = timeout_ns;
    os.now_ns += timeout_ns;
    if (os.in_wait) os.in_wait();
    return TERN_ERR_TIMEOUT;
}

static inline uint64_t now_faked(void)
{
    return os.now_ns;
}

static const tern__os napping = { "napping", nap, wake_counted, now_faked, register_as_told, barrier_counted };

static inline void forget_counts(void)
{
    tern_a32_store_relaxed(&os.waits, 0);
    tern_a32_store_relaxed(&os.wakes, 0);
    tern_a32_store_relaxed(&os.barriers, 0);
    os.now_ns = 0;
    memset(os.naps_ns, 0, sizeof os.naps_ns);
    os.in_wait = os.in_barrier = NULL;
}

/* Where the system has no barrier (old kernels, filters) there is no such mode to test. */
static inline bool barrier_is_to_be_had(void)
{
    return real_os->barrier_register() && real_os->barrier();
}

static inline int before_each(void **state)
{
    (void)state;
    real_os = tern__os_current;
    tern__os_current = &counting;
    forget_counts();
    os.registers = os.barrier_works = true;
    return 0;
}

static inline int after_each(void **state)
{
    (void)state;
    tern__os_current = real_os;
    return 0;
}

/* ---- Rings of one item, and the end that publishes ------------------------------------- */

static struct fixture f;         /* one at a time; hooks and threads reach it */
static uint32_t passed;          /* items that went through */

static inline void begin(uint32_t flags, uint32_t capacity)
{
    f = make(8, capacity, flags, 0);
    tern_ring_consumer_release_every(&f.c, 1);
    f.p.spin_checks = f.c.spin_checks = 0;
    passed = 0;
    forget_counts();
}

static inline pair item_of(uint32_t number)
{
    return (pair){ number, number * 2654435761u };
}

static inline void push_next(uint32_t number)
{
    pair item = item_of(number);
    assert_true(tern_ring_push(&f.p, &item));
}

static inline void pop_next(uint32_t number)
{
    pair item, expected = item_of(number);
    assert_true(tern_ring_pop(&f.c, &item));
    assert_memory_equal(&item, &expected, sizeof item);
}

/* Each end publishes once an item, and nobody waits. */
static inline void pass(uint32_t items)
{
    for (uint32_t i = 0; i < items; i++, passed++) {
        push_next(passed);
        pop_next(passed);
    }
}

static inline uint32_t *exchanges_left(enum end end)
{
    return end == PRODUCER ? &f.p.exchanges_left : &f.c.exchanges_left;
}

static inline struct tern_ring_end *words_of(enum end end)
{
    return &f.ends[end == PRODUCER ? 0 : 1];
}

/* What the other end sleeps on. */
static inline tern_a32 *slept_on(enum end end)
{
    return end == PRODUCER ? item_word(&f, f.c.head) : &f.ends[1].word;
}

static inline void expect_mode(enum end end, uint32_t left)
{
    tern_ring_info info;
    assert_int_equal(*exchanges_left(end), left);
    assert_int_equal(tern_a32_load_relaxed(&words_of(end)->asymmetric), left == 0);
    assert_int_equal(tern_a32_load_relaxed(&words_of(end)->asleep), 0);
    assert_status(tern_ring_inspect(&info, f.shared, f.size), TERN_OK);
    assert_int_equal(end == PRODUCER ? info.producer_asymmetric : info.consumer_asymmetric, left == 0);
}

/* Ready for the other end to wait: empty for a producer that publishes, full for a consumer. */
static inline void make_wait(enum end end)
{
    if (end == CONSUMER) push_next(passed);
}

/* A ring whose end publishes by plain stores, ready for the other to wait. */
static inline void begin_plain(uint32_t flags, enum end end)
{
    begin(flags, 1);
    pass(TERN_RING_QUIET);
    make_wait(end);
}

/* The publication that ends that wait. */
static inline void publish(enum end end)
{
    if (end == PRODUCER) push_next(passed);
    else pop_next(passed);
}

/* The other end's waiting call. */
static inline tern_status wait_for(enum end end, uint64_t timeout_ns)
{
    pair item = item_of(passed + 1), expected = item_of(passed);
    if (end == CONSUMER) return tern_ring_push_wait(&f.p, &item, timeout_ns);
    tern_status status = tern_ring_pop_wait(&f.c, &item, timeout_ns);
    if (status == TERN_OK) assert_memory_equal(&item, &expected, sizeof item);
    return status;
}

static inline void *sleep_in_thread(void *argument)
{
    return wait_for(*(enum end *)argument, TERN_WAIT_FOREVER) == TERN_OK ? NULL : argument;
}

/* Start a thread that sleeps at the other end, and wait until it says so. */
static inline pthread_t start_sleeper(enum end *end)
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

static inline void join_sleeper(pthread_t thread)
{
    void *failed;
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
}

/* A publication whose look at asleep passed ahead of its store, for a hook. */
static enum end publisher;

static inline void publish_unheard(void)
{
    struct tern_ring_end *words = words_of(publisher);
    uint32_t asleep = tern_a32_load_relaxed(&words->asleep);
    tern_a32_store_relaxed(&words->asleep, 0);
    publish(publisher);
    tern_a32_store_relaxed(&words->asleep, asleep);
    os.in_barrier = os.in_wait = NULL;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, before_each, after_each)

#endif
