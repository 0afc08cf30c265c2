/* SPDX-License-Identifier: MIT */
/* test_bell_uses.c: rings bound to a bell, and a bell that epoll waits for, in one process and
 * between two. */
#include "bell_fixture.h"

#include <pthread.h>
#include <unistd.h>
#if defined(__linux__)
#  include <errno.h>
#  include <sys/epoll.h>
#  include <sys/eventfd.h>
#  include <sys/mman.h>
#  include <sys/wait.h>
#endif

/* ---- Rings bound to a bell -------------------------------------------------------------------- */

enum { RINGS = 3, CAPACITY = 4 };

struct rings {
    struct fixture f;
    void *memory[RINGS];
    tern_ring_producer p[RINGS];
    tern_ring_consumer c[RINGS];
};

static struct rings make_rings(uint32_t flags)
{
    struct rings r;
    tern_ring_desc desc = { 4, CAPACITY, flags };
    size_t size = tern_ring_size(&desc);
    memset(&r, 0, sizeof r);
    r.f = make(RINGS);
    for (uint32_t i = 0; i < RINGS; i++) {
        r.memory[i] = unit_memory(size);
        assert_status(tern_ring_format(r.memory[i], size, &desc), TERN_OK);
        assert_status(tern_ring_attach_producer(&r.p[i], r.memory[i], size), TERN_OK);
        assert_status(tern_ring_attach_consumer(&r.c[i], r.memory[i], size), TERN_OK);
    }
    return r;
}

static void drop_rings(struct rings *r)
{
    for (uint32_t i = 0; i < RINGS; i++) free(r->memory[i]);
    drop(&r->f);
}

static void ring_bind_refuses_plain_rings_and_wrong_sources(void **state)
{
    (void)state;
    struct rings plain = make_rings(0), r = make_rings(TERN_RING_WAITABLE);
    uint32_t item = 1;
    assert_status(tern_ring_producer_bind(&plain.p[0], &plain.f.bell, 0), TERN_ERR_UNSUPPORTED);
    assert_status(tern_ring_producer_bind(&plain.p[0], NULL, 0), TERN_ERR_UNSUPPORTED);
    assert_status(tern_ring_producer_bind(&r.p[0], &r.f.bell, RINGS), TERN_ERR_ARGUMENT);
    assert_status(tern_ring_producer_bind(&r.p[0], &r.f.bell, UINT32_MAX), TERN_ERR_ARGUMENT);
    assert_true(tern_ring_push(&plain.p[0], &item) && tern_ring_push(&r.p[0], &item));
    expect(&r.f);
    expect(&plain.f);                               /* what was refused rings nothing */
    drop_rings(&plain);
    drop_rings(&r);
}

static void ring_bound_rings_after_each_publication(void **state)
{
    (void)state;
    struct rings r = make_rings(TERN_RING_WAITABLE);
    const uint32_t items[CAPACITY] = { 1, 2, 3, 4 };
    uint32_t got;
    for (uint32_t i = 0; i < RINGS; i++)
        assert_status(tern_ring_producer_bind(&r.p[i], &r.f.bell, RINGS - 1 - i), TERN_OK);
    expect(&r.f);                                   /* binding rings nothing */
    assert_true(tern_ring_push(&r.p[0], items));
    *image_root(&r.f) = 1u << 2;
    expect(&r.f);
    assert_int_equal(tern_bell_collect(&r.f.bell), 4);
    assert_int_equal(tern_ring_push_many(&r.p[1], items, 2), 2);
    *image_root(&r.f) = 1u << 1;
    expect(&r.f);
    assert_int_equal(tern_bell_collect(&r.f.bell), 2);
    assert_non_null(tern_ring_reserve(&r.p[2], 3, &got));
    tern_ring_commit(&r.p[2], 0);
    *image_root(&r.f) = 0;
    expect(&r.f);                                   /* nothing published, nothing rung */
    tern_ring_commit(&r.p[2], got);
    *image_root(&r.f) = 1;
    expect(&r.f);
    assert_int_equal(tern_bell_collect(&r.f.bell), 1);
    assert_int_equal(tern_ring_push_many(&r.p[2], items, 4), 1);
    assert_int_equal(tern_bell_collect(&r.f.bell), 1);
    assert_false(tern_ring_push(&r.p[2], items));   /* full */
    *image_root(&r.f) = 0;
    expect(&r.f);
    assert_status(tern_ring_push_wait(&r.p[0], items, 0), TERN_OK);
    assert_int_equal(tern_bell_collect(&r.f.bell), 4);
    tern_ring_close_producer(&r.p[1]);
    assert_int_equal(tern_bell_collect(&r.f.bell), 2);
    assert_status(tern_ring_producer_bind(&r.p[0], NULL, 0), TERN_OK);
    assert_true(tern_ring_push(&r.p[0], items));
    tern_ring_close_producer(&r.p[0]);
    expect(&r.f);                                   /* unbound */
    drop_rings(&r);
}

/* Triples and streams on the same bell as rings: wait for any. */
static void triple_and_stream_bound_ring_after_each_publication(void **state)
{
    (void)state;
    struct rings r = make_rings(TERN_RING_WAITABLE);
    tern_triple_desc triple = { 8 };
    tern_stream_desc stream = { 256, TERN_STREAM_WAITABLE };
    tern_triple_writer w;
    tern_stream_producer p;
    void *frames = unit_memory(tern_triple_size(&triple)), *records = unit_memory(tern_stream_size(&stream));
    assert_status(tern_triple_format(frames, tern_triple_size(&triple), &triple), TERN_OK);
    assert_status(tern_stream_format(records, tern_stream_size(&stream), &stream), TERN_OK);
    assert_status(tern_triple_attach_writer(&w, frames, tern_triple_size(&triple)), TERN_OK);
    assert_status(tern_stream_attach_producer(&p, records, tern_stream_size(&stream)), TERN_OK);
    assert_status(tern_triple_writer_bind(&w, &r.f.bell, r.f.bell.sources), TERN_ERR_ARGUMENT);
    assert_status(tern_stream_producer_bind(&p, &r.f.bell, r.f.bell.sources), TERN_ERR_ARGUMENT);
    tern_triple_publish(&w);
    expect(&r.f);                                   /* refused: not bound */
    assert_status(tern_triple_writer_bind(&w, &r.f.bell, 1), TERN_OK);
    assert_status(tern_stream_producer_bind(&p, &r.f.bell, 2), TERN_OK);
    expect(&r.f);                                   /* binding rings nothing */
    tern_triple_publish(&w);
    assert_int_equal(tern_bell_collect(&r.f.bell), 1u << 1);
    assert_true(tern_stream_send(&p, 7, "abc", 3));
    assert_int_equal(tern_bell_collect(&r.f.bell), 1u << 2);
    tern_triple_close_writer(&w);
    tern_stream_close_producer(&p);
    assert_int_equal(tern_bell_collect(&r.f.bell), 3u << 1);
    assert_status(tern_triple_writer_bind(&w, NULL, 0), TERN_OK);
    tern_triple_publish(&w);
    expect(&r.f);                                   /* unbound */
    free(frames);
    free(records);
    drop_rings(&r);
}

enum { ITEMS = 50000 };

static void *push_all(void *argument)
{
    tern_ring_producer *p = argument;
    for (uint32_t i = 0; i < ITEMS; i++)
        if (tern_ring_push_wait(p, &i, TERN_WAIT_FOREVER) != TERN_OK) return NULL;
    tern_ring_close_producer(p);
    return p;
}

static void ring_consumer_sleeps_for_any_of_many(void **state)
{
    (void)state;
    struct rings r = make_rings(TERN_RING_WAITABLE);
    pthread_t thread[RINGS];
    uint32_t next[RINGS] = { 0 }, open = RINGS;
    r.f.bell.spin_checks = 0;
    for (uint32_t i = 0; i < RINGS; i++) {
        assert_status(tern_ring_producer_bind(&r.p[i], &r.f.bell, i), TERN_OK);
        assert_int_equal(pthread_create(&thread[i], NULL, push_all, &r.p[i]), 0);
    }
    while (open > 0) {
        assert_status(tern_bell_wait(&r.f.bell, TERN_WAIT_FOREVER), TERN_OK);
        uint32_t bits = tern_bell_collect(&r.f.bell), item;
        while (bits) {
            uint32_t at = tern_bell_take(&bits);
            while (tern_ring_pop(&r.c[at], &item)) assert_int_equal(item, next[at]++);
            if (tern_ring_consumer_status(&r.c[at]) != TERN_ERR_CLOSED || next[at] > ITEMS) continue;
            assert_int_equal(next[at], ITEMS);
            next[at]++;
            open--;
        }
    }
    for (uint32_t i = 0; i < RINGS; i++) {
        void *whole;
        pthread_join(thread[i], &whole);
        assert_non_null(whole);
    }
    drop_rings(&r);
}

/* ---- eventfd and epoll --------------------------------------------------------------------------- */

#if defined(__linux__)

enum { WAKES = 100000, POLL_SOURCES = 40 };

struct poller {
    tern_bell bell;
    int eventfd, epoll;
};

static struct poller make_poller(const tern_bell *bell, int fd)
{
    struct poller poller = { *bell, fd, epoll_create1(EPOLL_CLOEXEC) };
    struct epoll_event event = { .events = EPOLLIN };
    assert_true(poller.epoll >= 0);
    assert_int_equal(epoll_ctl(poller.epoll, EPOLL_CTL_ADD, fd, &event), 0);
    return poller;
}

/* Sleep in epoll, without a time-out, until something rings; the marks of one pass as a sum of
 * sources + 1. 0: closed. */
static uint64_t poll_once(struct poller *poller, uint64_t *slept)
{
    for (;;) {
        tern_bell_pass pass;
        uint32_t first, bits;
        uint64_t sum = 0, count;
        if (tern_bell_arm(&poller->bell)) {
            struct epoll_event event;
            int ready;
            do ready = epoll_wait(poller->epoll, &event, 1, -1);
            while (ready < 0 && errno == EINTR);
            assert_int_equal(ready, 1);
            assert_int_equal(read(poller->eventfd, &count, sizeof count), sizeof count);
            ++*slept;
        }
        tern_bell_begin(&poller->bell, &pass);
        while (tern_bell_next(&pass, &first, &bits))
            while (bits) sum += first + tern_bell_take(&bits) + 1;
        if (sum) return sum;
        if (tern_bell_status(&poller->bell) == TERN_ERR_CLOSED) return 0;
    }
}

/* One rings, the other polls and rings back on a bell of its own: every wake but the first finds
 * the other asleep or about to be. */
static uint32_t ring_and_poll(tern_bell *out, struct poller *in, bool begins, uint64_t *slept)
{
    for (uint32_t i = 0; i < WAKES / 2; i++) {
        if (begins) tern_bell_ring(out, i % POLL_SOURCES);
        if (poll_once(in, slept) != i % POLL_SOURCES + 1) return i;
        if (!begins) tern_bell_ring(out, i % POLL_SOURCES);
    }
    if (begins) tern_bell_close(out);
    return !begins && poll_once(in, slept) != 0 ? 0 : WAKES / 2;
}

struct polling_side {
    tern_bell out;
    struct poller in;
    uint64_t slept;
    uint32_t done;
};

static void *answering_thread(void *argument)
{
    struct polling_side *side = argument;
    side->done = ring_and_poll(&side->out, &side->in, false, &side->slept);
    return NULL;
}

static void ping_pong_by_epoll(bool processes)
{
    tern_bell_desc desc = { POLL_SOURCES };
    size_t size = tern_bell_size(&desc), stride = (size + 127) / 128 * 128;
    unsigned char *memory = mmap(NULL, 2 * stride, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct polling_side side[2];
    tern_bell bell[2];
    int fd[2];
    assert_true(memory != MAP_FAILED);
    for (int i = 0; i < 2; i++) {
        fd[i] = eventfd(0, EFD_CLOEXEC);
        assert_true(fd[i] >= 0);
        assert_status(tern_bell_format(memory + (size_t)i * stride, size, &desc), TERN_OK);
        assert_status(tern_bell_attach(&bell[i], memory + (size_t)i * stride, size), TERN_OK);
    }
    for (int i = 0; i < 2; i++) {
        side[i] = (struct polling_side){ bell[1 - i], make_poller(&bell[i], fd[i]), 0, 0 };
        assert_status(tern_bell_use_eventfd(&side[i].out, fd[1 - i]), TERN_OK);
    }
    if (processes) {
        int status = -1;
        pid_t child = fork();                       /* it inherits the descriptors */
        if (child == 0) _exit(ring_and_poll(&side[1].out, &side[1].in, false, &side[1].slept) != WAKES / 2);
        assert_int_equal(ring_and_poll(&side[0].out, &side[0].in, true, &side[0].slept), WAKES / 2);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_true(side[0].slept > WAKES / 4);
    } else {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, answering_thread, &side[1]), 0);
        assert_int_equal(ring_and_poll(&side[0].out, &side[0].in, true, &side[0].slept), WAKES / 2);
        pthread_join(thread, NULL);
        assert_int_equal(side[1].done, WAKES / 2);
        assert_true(side[0].slept + side[1].slept > WAKES / 2);
    }
    for (int i = 0; i < 2; i++) close(fd[i]), close(side[i].in.epoll);
    munmap(memory, 2 * stride);
}

static void bell_wakes_epoll_in_one_process(void **state)
{
    (void)state;
    ping_pong_by_epoll(false);
}

static void bell_wakes_epoll_between_two_processes(void **state)
{
    (void)state;
    ping_pong_by_epoll(true);
}

static void bell_eventfd_is_written_only_when_armed(void **state)
{
    (void)state;
    struct fixture f = make(4);
    uint64_t count;
    int fd = eventfd(0, EFD_NONBLOCK);
    assert_status(tern_bell_use_eventfd(&f.bell, -7), TERN_ERR_ARGUMENT);
    assert_status(tern_bell_use_eventfd(&f.bell, 1 << 20), TERN_ERR_ARGUMENT);
    assert_int_equal(f.bell.wake_fd, -1);
    assert_status(tern_bell_use_eventfd(&f.bell, fd), TERN_OK);
    tern_bell_ring(&f.bell, 0);
    assert_true(read(fd, &count, sizeof count) < 0 && errno == EAGAIN);
    (void)tern_bell_collect(&f.bell);
    assert_true(tern_bell_arm(&f.bell));
    errno = 123;
    tern_bell_ring(&f.bell, 1);
    assert_int_equal(errno, 123);                   /* left alone */
    tern_bell_ring(&f.bell, 2);
    assert_int_equal(read(fd, &count, sizeof count), sizeof count);
    assert_int_equal(count, 2);
    (void)tern_bell_collect(&f.bell);
    assert_true(tern_bell_arm(&f.bell));
    tern_bell_close(&f.bell);
    assert_int_equal(read(fd, &count, sizeof count), sizeof count);
    assert_int_equal(count, 1);
    /* a counter that is full already: the ring neither waits nor fails */
    count = UINT64_MAX - 1;
    assert_int_equal(write(fd, &count, sizeof count), sizeof count);
    tern_a32_store_relaxed(&f.shared->root.word, SLEEP);
    assert_true(tern_bell_ring(&f.bell, 1));
    assert_status(tern_bell_use_eventfd(&f.bell, -1), TERN_OK);
    close(fd);
    assert_true(tern_bell_ring(&f.bell, 1));
    drop(&f);
}

#else

static void bell_eventfd_needs_linux(void **state)
{
    (void)state;
    struct fixture f = make(4);
    assert_status(tern_bell_use_eventfd(&f.bell, 0), TERN_ERR_UNSUPPORTED);
    drop(&f);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_bind_refuses_plain_rings_and_wrong_sources),
        cmocka_unit_test(ring_bound_rings_after_each_publication),
        cmocka_unit_test(triple_and_stream_bound_ring_after_each_publication),
        cmocka_unit_test(ring_consumer_sleeps_for_any_of_many),
#if defined(__linux__)
        cmocka_unit_test(bell_wakes_epoll_in_one_process),
        cmocka_unit_test(bell_wakes_epoll_between_two_processes),
        cmocka_unit_test(bell_eventfd_is_written_only_when_armed),
#else
        cmocka_unit_test(bell_eventfd_needs_linux),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
