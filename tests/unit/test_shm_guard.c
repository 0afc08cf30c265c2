/* SPDX-License-Identifier: MIT */
/* test_shm_guard.c: the file of a region is cut off, or a hole is punched into it, while every
 * primitive in it is in use. Without the guard that is SIGBUS; with it, and for a hole in any case,
 * zeros: every call comes back, with a documented status, and no wait hangs. */
#include "shm_fixture.h"

#include <pthread.h>
#include <sys/mman.h>

enum { SIZE = 256 * 1024, ITEMS = 16, RECORD_MAX = 1024 };

static const uint64_t SHORT_NS = 2000000;

/* Both ends of every primitive in one region. */
struct ends {
    tern_region region;
    tern_ring_producer out, sequenced_out;
    tern_ring_consumer in, sequenced_in;
    tern_stream_producer sender;
    tern_stream_consumer receiver;
    tern_triple_writer writer;
    tern_triple_reader reader;
    tern_pool pool;
    tern_handle handle;      /* live, and not pinned */
    tern_bell bell;
};

static void open_all(struct ends *e)
{
    const tern_ring_desc ring = { 8, ITEMS, TERN_RING_WAITABLE };
    const tern_ring_desc sequenced = { 8, ITEMS, TERN_RING_WAITABLE | TERN_RING_SEQUENCED };
    const tern_stream_desc stream = { 4096, TERN_STREAM_WAITABLE };
    const tern_triple_desc triple = { 256 };
    const tern_pool_desc pool = { 64, ITEMS };
    const tern_bell_desc bell = { 100 };
    tern_region *r = &e->region;
    void *item;
    assert_status(tern_shm_create(r, name, SIZE, NULL), TERN_OK);
    assert_status(tern_ring_open_producer(&e->out, r, "ring", &ring), TERN_OK);
    assert_status(tern_ring_open_consumer(&e->in, r, "ring", NULL), TERN_OK);
    assert_status(tern_ring_open_producer(&e->sequenced_out, r, "sequenced", &sequenced), TERN_OK);
    assert_status(tern_ring_open_consumer(&e->sequenced_in, r, "sequenced", NULL), TERN_OK);
    assert_status(tern_stream_open_producer(&e->sender, r, "stream", &stream), TERN_OK);
    assert_status(tern_stream_open_consumer(&e->receiver, r, "stream", NULL), TERN_OK);
    assert_status(tern_triple_open_writer(&e->writer, r, "triple", &triple), TERN_OK);
    assert_status(tern_triple_open_reader(&e->reader, r, "triple", NULL), TERN_OK);
    assert_status(tern_pool_open(&e->pool, r, "pool", &pool), TERN_OK);
    assert_status(tern_bell_open(&e->bell, r, "bell", &bell), TERN_OK);
    assert_status(tern_pool_alloc(&e->pool, &e->handle, &item), TERN_OK);
}

/* Bring everything to some state: `turns` through, then `left` in. */
static void use_all(struct ends *e, uint32_t turns, uint32_t left)
{
    unsigned char record[RECORD_MAX] = { 0 };
    uint32_t length, kind;
    for (uint32_t i = 0; i < turns + left; i++) {
        uint64_t item = i;
        tern_ring_push(&e->out, &item);
        tern_ring_push(&e->sequenced_out, &item);
        tern_stream_send(&e->sender, 1, record, 40);
        tern_triple_publish(&e->writer);
        tern_bell_ring(&e->bell, i % 100);
        if (i >= turns) continue;
        tern_ring_pop(&e->in, &item);
        tern_ring_pop(&e->sequenced_in, &item);
        tern_stream_receive(&e->receiver, record, sizeof record, &length, &kind);
        tern_triple_update(&e->reader);
        tern_bell_collect(&e->bell);
    }
}

/* ---- Every call, each with what it may answer ------------------------------------------------- */

static bool is_one_of(tern_status status, const tern_status *allowed)
{
    for (; *allowed != 1000; allowed++)
        if (*allowed == status) return true;
    return false;
}

/* The statuses that a call may give: all of them are in its documentation. */
#define EXPECT(expression, ...) \
    do { \
        const tern_status expect_allowed[] = { __VA_ARGS__, (tern_status)1000 }; \
        tern_status expect_got = (expression); \
        if (!is_one_of(expect_got, expect_allowed)) \
            fail_msg("%s is %s", #expression, tern_status_name(expect_got)); \
    } while (0)

static void call_ring(tern_ring_producer *p, tern_ring_consumer *c)
{
    uint64_t items[ITEMS] = { 0 };
    uint32_t got;
    for (uint32_t i = 0; i < 3 * ITEMS; i++) {
        tern_ring_push(p, &items[0]);
        assert_in_range(tern_ring_push_many(p, items, 5), 0, 5);
        tern_ring_pop(c, &items[0]);
        assert_in_range(tern_ring_pop_many(c, items, 7), 0, 7);
        void *room = tern_ring_reserve(p, 3, &got);
        assert_in_range(got, 0, 3);
        if (room) memset(room, 1, 8u * got);
        if (room) tern_ring_commit(p, got);
        const void *lent = tern_ring_peek(c, 3, &got);
        assert_in_range(got, 0, 3);
        if (lent) memcpy(items, lent, 8u * got);
        if (lent) tern_ring_release(c, got);
    }
    EXPECT(tern_ring_producer_status(p), TERN_OK, TERN_ERR_CORRUPT);
    EXPECT(tern_ring_consumer_status(c), TERN_OK, TERN_ERR_CORRUPT);
    for (int i = 0; i < 3; i++) {
        EXPECT(tern_ring_push_wait(p, &items[0], SHORT_NS), TERN_OK, TERN_ERR_TIMEOUT, TERN_ERR_CORRUPT);
        EXPECT(tern_ring_pop_wait(c, &items[0], SHORT_NS), TERN_OK, TERN_ERR_TIMEOUT, TERN_ERR_CORRUPT);
    }
    while (tern_ring_pop(c, &items[0])) {}
    EXPECT(tern_ring_consumer_wait(c, SHORT_NS), TERN_OK, TERN_ERR_TIMEOUT, TERN_ERR_CORRUPT);
    while (tern_ring_push(p, &items[0])) {}
    EXPECT(tern_ring_producer_wait(p, SHORT_NS), TERN_OK, TERN_ERR_TIMEOUT, TERN_ERR_CORRUPT);
}

static void call_stream(struct ends *e)
{
    unsigned char record[RECORD_MAX] = { 0 };
    const void *lent;
    void *room;
    uint32_t length, kind;
    for (uint32_t i = 0; i < 200; i++) {
        tern_stream_send(&e->sender, 1, record, i % RECORD_MAX);
        room = tern_stream_reserve(&e->sender, 100);
        if (room) memset(room, 1, 100);
        if (room) tern_stream_commit(&e->sender, 50);
        if (tern_stream_receive(&e->receiver, record, sizeof record, &length, &kind))
            assert_in_range(length, 0, RECORD_MAX);
        lent = tern_stream_peek(&e->receiver, &length, &kind);
        assert_in_range(length, 0, e->receiver.max_record_bytes);
        if (lent && length > 0) memcpy(record, lent, length < RECORD_MAX ? length : RECORD_MAX);
        if (lent) tern_stream_release(&e->receiver);
    }
    for (int i = 0; i < 3; i++) {
        EXPECT(tern_stream_send_wait(&e->sender, 1, record, 900, SHORT_NS), TERN_OK, TERN_ERR_TIMEOUT,
               TERN_ERR_CORRUPT);
        EXPECT(tern_stream_receive_wait(&e->receiver, record, sizeof record, &length, &kind, SHORT_NS), TERN_OK,
               TERN_ERR_TIMEOUT, TERN_ERR_CORRUPT, TERN_ERR_MEMORY);
    }
    for (int i = 0; i < 1000 && tern_stream_send(&e->sender, 1, record, 500); i++) {}
    EXPECT(tern_stream_reserve_wait(&e->sender, 900, &room, SHORT_NS), TERN_OK, TERN_ERR_TIMEOUT, TERN_ERR_CORRUPT);
    for (int i = 0; i < 1000 && tern_stream_receive(&e->receiver, record, sizeof record, &length, &kind); i++) {}
    EXPECT(tern_stream_peek_wait(&e->receiver, &lent, &length, &kind, SHORT_NS), TERN_OK, TERN_ERR_TIMEOUT,
           TERN_ERR_CORRUPT);
}

static void call_triple(struct ends *e)
{
    unsigned char frame[256] = { 0 };
    for (uint32_t i = 0; i < 20; i++) {
        memset(tern_triple_back(&e->writer), 1, sizeof frame);
        tern_triple_publish(&e->writer);
        tern_triple_update(&e->reader);
        const void *front = tern_triple_front(&e->reader);
        if (front) memcpy(frame, front, sizeof frame);
    }
    EXPECT(tern_triple_writer_status(&e->writer), TERN_OK, TERN_ERR_CORRUPT);
    EXPECT(tern_triple_reader_status(&e->reader), TERN_OK, TERN_ERR_CORRUPT);
    for (int i = 0; i < 3; i++) {
        tern_triple_update(&e->reader);
        EXPECT(tern_triple_wait(&e->reader, SHORT_NS), TERN_OK, TERN_ERR_TIMEOUT, TERN_ERR_CORRUPT);
    }
}

static void call_pool(struct ends *e)
{
    tern_handle handle, given[2 * ITEMS];
    unsigned char item[64];
    uint32_t count = 0;
    void *at;
    /* zeros are no life of any item */
    assert_null(tern_pool_get(&e->pool, e->handle));
    assert_null(tern_pool_pin(&e->pool, e->handle));
    EXPECT(tern_pool_read(&e->pool, e->handle, item, sizeof item), TERN_ERR_STALE);
    EXPECT(tern_pool_free(&e->pool, e->handle), TERN_ERR_STALE, TERN_ERR_CORRUPT);
    for (uint32_t i = 0; i < 2 * ITEMS; i++) {
        tern_status status = tern_pool_alloc(&e->pool, &handle, &at);
        if (status == TERN_OK) given[count++] = handle;
        else EXPECT(status, TERN_ERR_FULL, TERN_ERR_CORRUPT);
        if (status == TERN_ERR_CORRUPT && i >= 2) break;   /* it tries 2^13 times */
    }
    for (uint32_t i = 0; i < count; i++) {
        at = tern_pool_get(&e->pool, given[i]);
        if (at) memset(at, 1, sizeof item);
        EXPECT(tern_pool_free(&e->pool, given[i]), TERN_OK, TERN_DEFERRED, TERN_ERR_STALE, TERN_ERR_CORRUPT);
    }
}

static void call_bell(struct ends *e)
{
    tern_bell_pass pass;
    uint32_t first, bits;
    for (uint32_t i = 0; i < 200; i++) {
        tern_bell_ring(&e->bell, i % 100);
        if (i % 7 != 0) continue;
        tern_bell_begin(&e->bell, &pass);
        uint32_t steps = 0;
        while (tern_bell_next(&pass, &first, &bits)) assert_in_range(++steps, 1, 100 / 32 + 1);
    }
    tern_bell_collect(&e->bell);
    EXPECT(tern_bell_status(&e->bell), TERN_OK, TERN_ERR_CORRUPT);
    EXPECT(tern_bell_wait(&e->bell, SHORT_NS), TERN_ERR_TIMEOUT, TERN_ERR_CORRUPT);
    assert_true(tern_bell_ring(&e->bell, 99));
    EXPECT(tern_bell_wait(&e->bell, SHORT_NS), TERN_OK);
}

static void call_region(struct ends *e)
{
    const tern_ring_desc ring = { 8, ITEMS, 0 };
    tern_object object;
    tern_ring_producer p;
    tern_region again;
    uint64_t cursor = 0;
    uint32_t steps = 0;
    EXPECT(tern_region_find(&e->region, "ring", 0, &object), TERN_ERR_NOT_FOUND);
    while (tern_region_next(&e->region, &cursor, &object)) assert_in_range(++steps, 1, e->region.max_objects);
    EXPECT(tern_ring_open_producer(&p, &e->region, "ring", NULL), TERN_ERR_NOT_FOUND);
    EXPECT(tern_ring_open_producer(&p, &e->region, "new", &ring), TERN_OK, TERN_ERR_FULL, TERN_ERR_CORRUPT);
    EXPECT(tern_shm_open(&again, name, NULL), TERN_ERR_NOT_READY, TERN_ERR_MEMORY);
}

static void call_all(struct ends *e)
{
    call_region(e);
    call_pool(e);
    call_ring(&e->out, &e->in);
    call_ring(&e->sequenced_out, &e->sequenced_in);
    call_stream(e);
    call_triple(e);
    call_bell(e);
}

/* States of the indices in which the zeros find the ends: new, in the first lap, on its border,
 * beyond it, with items and full. */
static const uint32_t states[][2] = { { 0, 0 }, { 0, 3 }, { 0, ITEMS }, { 1, 0 }, { ITEMS - 1, 0 }, { ITEMS, 0 },
                                      { ITEMS, ITEMS }, { 5 * ITEMS + 3, 7 }, { 1000, ITEMS } };
enum { STATES = sizeof states / sizeof states[0] };

/* ---- Cases -------------------------------------------------------------------------------------- */

static void guard_turns_a_cut_file_into_zeros(void **state)
{
    (void)state;
    assert_status(tern_shm_guard(true), TERN_OK);
    for (uint32_t i = 0; i < STATES; i++) {
        struct ends e;
        open_all(&e);
        use_all(&e, states[i][0], states[i][1]);
        assert_status(tern_shm_status(&e.region), TERN_OK);
        assert_int_equal(truncate(path, 0), 0);
        assert_status(tern_shm_status(&e.region), TERN_ERR_MEMORY);   /* without a fault */
        call_all(&e);
        assert_int_equal(truncate(path, SIZE), 0);                    /* it does not come back */
        assert_status(tern_shm_status(&e.region), TERN_ERR_MEMORY);
        tern_shm_close(&e.region);
        assert_status(tern_shm_unlink(name), TERN_OK);
    }
    assert_status(tern_shm_guard(false), TERN_OK);
}

/* The header's page stays, the objects' pages go: and all of it becomes zeros at the first fault. */
static void guard_makes_a_half_cut_file_all_zeros(void **state)
{
    (void)state;
    struct ends e;
    uint64_t item;
    assert_status(tern_shm_guard(true), TERN_OK);
    open_all(&e);
    use_all(&e, 3, 2);
    const uint32_t *magic = (const uint32_t *)(const void *)e.region.shared;
    assert_int_equal(*magic, TERN_REGION_MAGIC);
    assert_int_equal(truncate(path, 4096), 0);
    assert_int_equal(*magic, TERN_REGION_MAGIC);
    assert_status(tern_shm_status(&e.region), TERN_ERR_MEMORY);
    tern_ring_pop(&e.in, &item);
    assert_int_equal(*magic, 0);
    call_all(&e);
    tern_shm_close(&e.region);
    assert_status(tern_shm_guard(false), TERN_OK);
}

/* No signal at all, guard or not: the pages come back as zeros, for all processes. */
static void hole_in_the_file_reads_as_zeros(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < STATES; i++) {
        struct ends e;
        open_all(&e);
        use_all(&e, states[i][0], states[i][1]);
        int fd = open(path, O_RDWR);
        assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE), 0);
        close(fd);
        assert_status(tern_shm_status(&e.region), TERN_ERR_CORRUPT);
        call_all(&e);
        tern_shm_close(&e.region);
        assert_status(tern_shm_unlink(name), TERN_OK);
    }
}

static tern_a32 stop;

/* All ends of one side, until the region is gone and a while longer. */
static void *use_outs(void *argument)
{
    struct ends *e = argument;
    unsigned char record[RECORD_MAX] = { 0 };
    uint64_t item = 0;
    for (uint32_t i = 0, after = 0; after < 2000; i++) {
        after += tern_a32_load_relaxed(&stop) != 0;   /* relaxed: nothing is read on the strength of it */
        tern_ring_push(&e->out, &item);
        tern_ring_push(&e->sequenced_out, &item);
        tern_stream_send(&e->sender, i, record, i % RECORD_MAX);
        memset(tern_triple_back(&e->writer), (int)(i % 256), 256);
        tern_triple_publish(&e->writer);
        tern_handle handle;
        void *at;
        if (after < 2 && tern_pool_alloc(&e->pool, &handle, &at) == TERN_OK) tern_pool_free(&e->pool, handle);
        tern_bell_ring(&e->bell, i % 100);
        if (i % 64 == 0) (void)tern_ring_push_wait(&e->out, &item, 20000);
    }
    return NULL;
}

static void *use_ins(void *argument)
{
    struct ends *e = argument;
    unsigned char record[RECORD_MAX];
    uint64_t item;
    uint32_t length, kind, first, bits;
    tern_bell_pass pass;
    for (uint32_t i = 0, after = 0; after < 2000; i++) {
        after += tern_a32_load_relaxed(&stop) != 0;   /* relaxed: as above */
        tern_ring_pop(&e->in, &item);
        tern_ring_pop(&e->sequenced_in, &item);
        tern_stream_receive(&e->receiver, record, sizeof record, &length, &kind);
        if (tern_triple_update(&e->reader) && tern_triple_front(&e->reader))
            memcpy(record, tern_triple_front(&e->reader), 256);
        tern_bell_begin(&e->bell, &pass);
        while (tern_bell_next(&pass, &first, &bits)) {}
        if (i % 64 == 0) (void)tern_ring_pop_wait(&e->in, &item, 20000);
    }
    return NULL;
}

/* The zeros come between any two instructions of either side, and both may fault at once. */
static void guard_holds_while_both_sides_work(void **state)
{
    (void)state;
    assert_status(tern_shm_guard(true), TERN_OK);
    for (uint32_t i = 0; i < 30; i++) {
        struct ends e;
        pthread_t sides[2];
        open_all(&e);
        tern_a32_store_relaxed(&stop, 0);   /* relaxed: the threads come later */
        assert_int_equal(pthread_create(&sides[0], NULL, use_outs, &e), 0);
        assert_int_equal(pthread_create(&sides[1], NULL, use_ins, &e), 0);
        usleep(500 + 997 * i % 3000);
        assert_int_equal(truncate(path, i % 3 == 0 ? 8192 : 0), 0);
        tern_a32_store_relaxed(&stop, 1);   /* relaxed: as above */
        pthread_join(sides[0], NULL);
        pthread_join(sides[1], NULL);
        assert_status(tern_shm_status(&e.region), TERN_ERR_MEMORY);
        tern_shm_close(&e.region);
        assert_status(tern_shm_unlink(name), TERN_OK);
    }
    assert_status(tern_shm_guard(false), TERN_OK);
}

static void *read_on(void *argument)
{
    struct ends *e = argument;
    while (!tern_a32_load_relaxed(&stop))   /* relaxed: nothing is read on the strength of it */
        for (uint32_t i = 0; i < 1000; i++) (void)tern_ring_producer_was_count(&e->out);
    return NULL;
}

/* All of them fault before the first has its zeros: the others' faults are none any more. */
static void guard_holds_when_several_fault_at_once(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    assert_status(tern_shm_guard(true), TERN_OK);
    for (uint32_t i = 0; i < 60; i++) {
        struct ends e;
        pthread_t threads[THREADS];
        open_all(&e);
        tern_a32_store_relaxed(&stop, 0);   /* relaxed: the threads come later */
        for (int t = 0; t < THREADS; t++) assert_int_equal(pthread_create(&threads[t], NULL, read_on, &e), 0);
        usleep(300);
        assert_int_equal(truncate(path, 0), 0);
        usleep(300);
        tern_a32_store_relaxed(&stop, 1);   /* relaxed: as above */
        for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
        (void)tern_ring_producer_was_count(&e.out);
        assert_status(tern_shm_status(&e.region), TERN_ERR_MEMORY);
        tern_shm_close(&e.region);
        assert_status(tern_shm_unlink(name), TERN_OK);
    }
    assert_status(tern_shm_guard(false), TERN_OK);
}

/* Who sleeps when it happens gets up, also without a time-out. */
static void *sleep_for_ever(void *argument)
{
    uint64_t item;
    struct ends *e = argument;
    static tern_status woke;
    woke = tern_ring_pop_wait(&e->in, &item, TERN_WAIT_FOREVER);
    return &woke;
}

static void guard_wakes_who_sleeps_without_a_time_out(void **state)
{
    (void)state;
    struct ends e;
    pthread_t sleeper;
    void *woke;
    assert_status(tern_shm_guard(true), TERN_OK);
    open_all(&e);
    e.in.spin_checks = 0;
    assert_int_equal(pthread_create(&sleeper, NULL, sleep_for_ever, &e), 0);
    tern_ring_info info;
    tern_object object;
    assert_status(tern_region_find(&e.region, "ring", 0, &object), TERN_OK);
    do {
        assert_status(tern_ring_inspect(&info, object.memory, (size_t)object.size_bytes), TERN_OK);
    } while (!info.consumer_asleep);
    assert_int_equal(truncate(path, 0), 0);
    pthread_join(sleeper, &woke);
    EXPECT(*(tern_status *)woke, TERN_ERR_PEER_DEAD, TERN_ERR_CORRUPT);
    tern_shm_close(&e.region);
    assert_status(tern_shm_guard(false), TERN_OK);
}

/* The file may be cut off between the last look at a word and the sleep on it. */
static void guard_lets_who_goes_to_sleep_look_again(void **state)
{
    (void)state;
    struct ends e;
    assert_status(tern_shm_guard(true), TERN_OK);
    open_all(&e);
    assert_int_equal(truncate(path, 0), 0);
    EXPECT(tern_word_wait(&e.region.shared->magic, TERN_REGION_MAGIC, SHORT_NS), TERN_OK);
    assert_int_equal(tern_a32_load_relaxed(&e.region.shared->magic), 0);   /* relaxed: only compared */
    tern_shm_close(&e.region);
    assert_status(tern_shm_guard(false), TERN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHM_TEST(guard_turns_a_cut_file_into_zeros),
        SHM_TEST(guard_makes_a_half_cut_file_all_zeros),
        SHM_TEST(hole_in_the_file_reads_as_zeros),
        SHM_TEST(guard_holds_while_both_sides_work),
        SHM_TEST(guard_holds_when_several_fault_at_once),
        SHM_TEST(guard_wakes_who_sleeps_without_a_time_out),
        SHM_TEST(guard_lets_who_goes_to_sleep_look_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
