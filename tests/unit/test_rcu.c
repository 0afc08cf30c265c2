/* SPDX-License-Identifier: MIT */
/* test_rcu.c: slots that come back after a grace period, in both flavours. */
#include "unit.h"

#include <pthread.h>
#include <semaphore.h>

#include <tern/rcu.h>

enum { SLOTS = 4 };

struct fixture {
    void *memory;
    tern_pool pool;
    tern_rcu rcu;
    tern_rcu_thread thread;
};

static struct fixture make(uint32_t flavour)
{
    struct fixture f;
    memset(&f, 0, sizeof f);
    tern_pool_desc desc = { 64, SLOTS };
    size_t size = tern_pool_size(&desc);
    f.memory = unit_memory(size);
    assert_status(tern_pool_format(f.memory, size, &desc), TERN_OK);
    assert_status(tern_pool_attach(&f.pool, f.memory, size), TERN_OK);
    assert_status(tern_rcu_register(&f.thread, flavour), TERN_OK);
    return f;
}

/* The rcu holds the pool's address: it is attached where it stays. */
static void attach(struct fixture *f, uint32_t flavour)
{
    assert_status(tern_rcu_attach(&f->rcu, &f->pool, flavour), TERN_OK);
}

static void drop(struct fixture *f)
{
    if (f->pool.rcu) {
        assert_status(tern_rcu_detach_wait(&f->rcu, &f->thread), TERN_OK);
        assert_null(f->pool.rcu);
        assert_null(f->rcu.slots);
    }
    tern_rcu_unregister(&f->thread);
    assert_int_equal(f->thread.flavour, 0);
    tern_pool_detach(&f->pool);
    free(f->memory);
}

static tern_handle alloc(struct fixture *f, void **item)
{
    tern_handle handle;
    void *ignored;
    assert_status(tern_pool_alloc(&f->pool, &handle, item ? item : &ignored), TERN_OK);
    return handle;
}

/* ---- A thread that reads, or sleeps, until it is told to go on ------------------------------ */

struct reader {
    pthread_t thread;
    struct fixture *fixture;
    uint32_t flavour;
    tern_handle handle;
    sem_t inside, leave;
    tern_a32 word;            /* for the one that sleeps in Tern */
    bool whole;
};

static void begin(struct reader *r, struct fixture *f, uint32_t flavour, tern_handle handle, void *(*run)(void *))
{
    memset(r, 0, sizeof *r);
    r->fixture = f;
    r->flavour = flavour;
    r->handle = handle;
    assert_int_equal(sem_init(&r->inside, 0, 0) | sem_init(&r->leave, 0, 0), 0);
    assert_int_equal(pthread_create(&r->thread, NULL, run, r), 0);
    while (sem_wait(&r->inside) != 0) { }
}

static void end(struct reader *r)
{
    assert_int_equal(pthread_join(r->thread, NULL), 0);
    sem_destroy(&r->inside);
    sem_destroy(&r->leave);
}

/* Hold a validated pointer in a read section until told. */
static void *hold(void *argument)
{
    struct reader *r = (struct reader *)argument;
    tern_rcu_thread thread;
    if (tern_rcu_register(&thread, r->flavour) != TERN_OK) abort();
    tern_rcu_read_lock(&thread);
    const unsigned char *item = (const unsigned char *)tern_pool_get(&r->fixture->pool, r->handle);
    if (!item) abort();
    sem_post(&r->inside);
    while (sem_wait(&r->leave) != 0) { }
    r->whole = true;
    for (size_t i = 0; i < 64; i++)
        if (item[i] != 0x5a) r->whole = false;
    tern_rcu_read_unlock(&thread);
    tern_rcu_unregister(&thread);
    return NULL;
}

/* Registered, and asleep on a word of Tern's. */
static void *sleep_in_tern(void *argument)
{
    struct reader *r = (struct reader *)argument;
    tern_rcu_thread thread;
    if (tern_rcu_register(&thread, r->flavour) != TERN_OK) abort();
    sem_post(&r->inside);
    while (tern_a32_load_relaxed(&r->word) == 0) tern_word_wait(&r->word, 0, TERN_WAIT_FOREVER);
    tern_rcu_unregister(&thread);
    return NULL;
}

/* ---- Cases, each for both flavours ----------------------------------------------------------- */

static void a_freed_slot_is_stale_at_once_and_comes_back(uint32_t flavour)
{
    struct fixture f = make(flavour);
    attach(&f, flavour);
    tern_handle handle = alloc(&f, NULL);
    assert_non_null(tern_pool_get(&f.pool, handle));
    assert_status(tern_pool_free_rcu(&f.pool, handle), TERN_DEFERRED);
    assert_null(tern_pool_get(&f.pool, handle));
    assert_null(tern_pool_pin(&f.pool, handle));
    assert_status(tern_pool_free_rcu(&f.pool, handle), TERN_ERR_STALE);
    assert_status(tern_pool_free(&f.pool, handle), TERN_ERR_STALE);
    assert_status(tern_pool_free_rcu(&f.pool, (tern_handle){ 0, 0 }), TERN_ERR_STALE);
    assert_status(tern_rcu_drain_wait(&f.rcu, &f.thread), TERN_OK);
    assert_int_equal(tern_pool_was_live(&f.pool), 0);
    for (int i = 0; i < SLOTS; i++) alloc(&f, NULL);
    drop(&f);
}

static void a_reader_keeps_what_it_validated(uint32_t flavour)
{
    struct fixture f = make(flavour);
    struct reader r;
    void *item;
    tern_handle other;
    attach(&f, flavour);
    tern_handle handle = alloc(&f, &item);
    memset(item, 0x5a, 64);
    begin(&r, &f, flavour, handle, hold);
    assert_status(tern_pool_free_rcu(&f.pool, handle), TERN_DEFERRED);
    /* whoever allocates now gets the others, and spoils them */
    for (int i = 0; i < SLOTS - 1; i++) {
        alloc(&f, &item);
        memset(item, 0xde, 64);
    }
    assert_status(tern_pool_alloc(&f.pool, &other, &item), TERN_ERR_FULL);
    assert_null(item);
    sem_post(&r.leave);
    /* our own registration must not hold up the grace period, and drain_wait sees to that */
    assert_status(tern_rcu_drain_wait(&f.rcu, &f.thread), TERN_OK);
    end(&r);
    assert_true(r.whole);
    /* now it is reused: the pool has one slot more than items, so at the second try */
    other = alloc(&f, NULL);
    assert_int_not_equal(other.index, handle.index);
    assert_status(tern_pool_free(&f.pool, other), TERN_OK);
    other = alloc(&f, NULL);
    assert_int_equal(other.index, handle.index);
    assert_int_equal(other.generation, handle.generation + 1);
    drop(&f);
}

static void a_pin_outlasts_the_grace_period(uint32_t flavour)
{
    struct fixture f = make(flavour);
    attach(&f, flavour);
    tern_handle handle = alloc(&f, NULL);
    assert_non_null(tern_pool_pin(&f.pool, handle));
    assert_status(tern_pool_free_rcu(&f.pool, handle), TERN_DEFERRED);
    assert_status(tern_rcu_drain_wait(&f.rcu, &f.thread), TERN_OK);
    assert_int_equal(tern_pool_was_live(&f.pool), 1);
    tern_pool_unpin(&f.pool, handle);
    assert_int_equal(tern_pool_was_live(&f.pool), 0);
    drop(&f);
}

static void a_thread_asleep_in_tern_holds_up_no_grace_period(uint32_t flavour)
{
    struct fixture f = make(flavour);
    struct reader r;
    attach(&f, flavour);
    tern_handle handle = alloc(&f, NULL);
    begin(&r, &f, flavour, handle, sleep_in_tern);
    /* ends only if the sleeper is offline: the test's own time-out is the judge */
    for (int i = 0; i < 20; i++) {
        assert_status(tern_pool_free_rcu(&f.pool, handle), TERN_DEFERRED);
        assert_status(tern_rcu_drain_wait(&f.rcu, &f.thread), TERN_OK);
        handle = alloc(&f, NULL);
    }
    tern_a32_store_relaxed(&r.word, 1);
    tern_word_wake(&r.word);
    end(&r);
    drop(&f);
}

static void wrong_use_is_refused(uint32_t flavour)
{
    struct fixture f = make(flavour);
    tern_rcu second;
    tern_rcu_thread again;
    tern_pool detached;
    memset(&detached, 0, sizeof detached);
    tern_handle handle = alloc(&f, NULL);
    assert_status(tern_pool_free_rcu(&f.pool, handle), TERN_ERR_UNSUPPORTED);
    assert_non_null(tern_pool_get(&f.pool, handle));
    assert_status(tern_rcu_attach(&f.rcu, &f.pool, 0), TERN_ERR_ARGUMENT);
    assert_status(tern_rcu_attach(&f.rcu, &f.pool, 3), TERN_ERR_ARGUMENT);
    assert_status(tern_rcu_attach(&f.rcu, NULL, flavour), TERN_ERR_ARGUMENT);
    assert_status(tern_rcu_attach(&f.rcu, &detached, flavour), TERN_ERR_ARGUMENT);
    assert_status(tern_rcu_detach_wait(&f.rcu, NULL), TERN_ERR_STATE);
    assert_status(tern_rcu_drain_wait(&f.rcu, NULL), TERN_ERR_STATE);
    attach(&f, flavour);
    assert_status(tern_rcu_attach(&second, &f.pool, flavour), TERN_ERR_STATE);
    assert_status(tern_rcu_register(&again, flavour), TERN_ERR_STATE);
    assert_int_equal(again.flavour, 0);
    assert_status(tern_rcu_register(&again, 7), TERN_ERR_ARGUMENT);
    tern_rcu_unregister(&again);   /* not registered: nothing happens */
    tern_rcu_quiescent(&f.thread);
    tern_rcu_offline(&f.thread);
    tern_rcu_online(&f.thread);
    drop(&f);
}

static void every_slot_can_be_on_its_way_back(uint32_t flavour)
{
    struct fixture f = make(flavour);
    tern_handle handles[SLOTS];
    attach(&f, flavour);
    for (uint32_t round = 1; round <= 200; round++) {
        for (int i = 0; i < SLOTS; i++) handles[i] = alloc(&f, NULL);
        for (int i = 0; i < SLOTS; i++) assert_status(tern_pool_free_rcu(&f.pool, handles[i]), TERN_DEFERRED);
        if (round % 20 != 0) {
            while (tern_pool_was_live(&f.pool) != 0) tern_rcu_quiescent(&f.thread);
        } else {
            assert_status(tern_rcu_drain_wait(&f.rcu, &f.thread), TERN_OK);
        }
        assert_int_equal(tern_pool_was_live(&f.pool), 0);
    }
    drop(&f);
}

#define BOTH(name) \
    static void rcu_qsbr_##name(void **state) { (void)state; name(TERN_RCU_QSBR); } \
    static void rcu_memb_##name(void **state) { (void)state; name(TERN_RCU_MEMB); }
#define BOTH_TESTS(name) cmocka_unit_test(rcu_qsbr_##name), cmocka_unit_test(rcu_memb_##name)

BOTH(a_freed_slot_is_stale_at_once_and_comes_back)
BOTH(a_reader_keeps_what_it_validated)
BOTH(a_pin_outlasts_the_grace_period)
BOTH(a_thread_asleep_in_tern_holds_up_no_grace_period)
BOTH(wrong_use_is_refused)
BOTH(every_slot_can_be_on_its_way_back)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_TESTS(a_freed_slot_is_stale_at_once_and_comes_back),
        BOTH_TESTS(a_reader_keeps_what_it_validated),
        BOTH_TESTS(a_pin_outlasts_the_grace_period),
        BOTH_TESTS(a_thread_asleep_in_tern_holds_up_no_grace_period),
        BOTH_TESTS(wrong_use_is_refused),
        BOTH_TESTS(every_slot_can_be_on_its_way_back),
    };
    return cmocka_run_group_tests_name("rcu", tests, NULL, NULL);
}
