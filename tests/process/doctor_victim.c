/* SPDX-License-Identifier: MIT */
/* doctor_victim.c: attaches to a region, takes what it is told to, says "ready" and stays until it is killed:
 *
 *     doctor_victim NAME make|open WORK...
 *
 * For test_doctor.py, whose patients are live, stopped and dead. */
#include <stdio.h>
#include <string.h>
#include <tern/tern.h>
#include <unistd.h>

static const tern_region_desc REGION = { 0x5e551015, 16, 4, TERN_DOMAIN_WORKER };
static const tern_attach_desc ATTACH = { 0x5e551015, TERN_DOMAIN_WORKER };
static const tern_ring_desc RING = { 8, 16, TERN_RING_WAITABLE };
static const tern_ring_desc SEQUENCED = { 8, 16, TERN_RING_WAITABLE | TERN_RING_SEQUENCED };
static const tern_stream_desc STREAM = { 1024, TERN_STREAM_WAITABLE };
static const tern_triple_desc TRIPLE = { 64 };
static const tern_pool_desc POOL = { 24, 8 };
static const tern_bell_desc BELL = { 40 };

static tern_region region;
static tern_pool pool;

static void need(bool fine, const char *what)
{
    if (fine) return;
    fprintf(stderr, "doctor_victim: %s\n", what);
    _exit(1);
}

/* The producing ends, with something in each object; kept. */
static void fill(void)
{
    static tern_ring_producer p, q;
    static tern_stream_producer s;
    static tern_triple_writer t;
    static tern_bell b;
    need(tern_ring_open_producer(&p, &region, "ring", &RING) == TERN_OK, "ring");
    need(tern_ring_open_producer(&q, &region, "sequenced", &SEQUENCED) == TERN_OK, "sequenced");
    need(tern_stream_open_producer(&s, &region, "stream", &STREAM) == TERN_OK, "stream");
    need(tern_triple_open_writer(&t, &region, "triple", &TRIPLE) == TERN_OK, "triple");
    need(tern_bell_open_collector(&b, &region, "bell", &BELL) == TERN_OK, "bell");
    for (uint64_t i = 0; i < 5; i++) {
        need(tern_ring_push(&p, &i) && tern_ring_push(&q, &i), "push");
        need(tern_stream_send(&s, 1, &i, sizeof i), "send");
        memset(tern_triple_back(&t), (int)i, 64);
        (void)tern_triple_publish(&t);
    }
}

/* Paged objects, 20 went into each and 15 came out. */
static void paged(void)
{
    static const tern_ring_desc rings[2] = { { 8, 16, TERN_RING_PAGED },
                                             { 8, 16, TERN_RING_PAGED | TERN_RING_SEQUENCED } };
    static const tern_stream_desc stream = { 512, TERN_STREAM_PAGED };
    static const char *const names[2] = { "paged", "paged-sequenced" };
    tern_ring_producer p[2];
    tern_ring_consumer c[2];
    tern_stream_producer sp;
    tern_stream_consumer sc;
    uint32_t length, kind;
    for (int i = 0; i < 2; i++) {
        need(tern_ring_open_producer(&p[i], &region, names[i], &rings[i]) == TERN_OK, names[i]);
        need(tern_ring_open_consumer(&c[i], &region, names[i], NULL) == TERN_OK, names[i]);
        tern_ring_consumer_release_every(&c[i], 1);
    }
    need(tern_stream_open_producer(&sp, &region, "paged-stream", &stream) == TERN_OK, "paged-stream");
    need(tern_stream_open_consumer(&sc, &region, "paged-stream", NULL) == TERN_OK, "paged-stream");
    tern_stream_consumer_release_every(&sc, 1);
    for (uint64_t n = 0, got; n < 20; n++) {
        for (int i = 0; i < 2; i++) {
            need(tern_ring_push(&p[i], &n), "push");
            if (n >= 5) need(tern_ring_pop(&c[i], &got) && got == n - 5, "pop");
        }
        need(tern_stream_send(&sp, 1, &n, sizeof n), "send");
        if (n >= 5) need(tern_stream_receive(&sc, &got, sizeof got, &length, &kind) && got == n - 5, "receive");
    }
    for (int i = 0; i < 2; i++) tern_ring_detach_consumer(&c[i]);
    tern_stream_detach_consumer(&sc);
    for (int i = 0; i < 2; i++) tern_ring_detach_producer(&p[i]);   /* nobody is at work: each item is looked at */
    tern_stream_detach_producer(&sp);
}

/* Six pins of five items, two of which are freed. */
static void pins(void)
{
    tern_handle h[5];
    void *item;
    for (int i = 0; i < 5; i++) {
        need(tern_pool_alloc(&pool, &h[i], &item) == TERN_OK, "alloc");
        need(tern_pool_pin(&pool, h[i]) == item, "pin");
    }
    need(tern_pool_pin(&pool, h[0]) != NULL, "second pin");
    need(tern_pool_free(&pool, h[0]) == TERN_DEFERRED && tern_pool_free(&pool, h[1]) == TERN_DEFERRED, "free");
}

/* More pins than a peer has holds for. */
static void many(void)
{
    tern_handle h;
    void *item;
    need(tern_pool_alloc(&pool, &h, &item) == TERN_OK, "alloc");
    for (uint32_t i = 0; i < TERN_PEER_HOLDS + 3; i++) need(tern_pool_pin(&pool, h) == item, "pin");
    need(tern_pool_free(&pool, h) == TERN_DEFERRED, "free");
}

static void ready(void)
{
    need(puts("ready") >= 0 && fflush(stdout) == 0, "stdout");
}

/* Both ends of objects of its own, and the pool: at work until it is killed. */
static void churn(void)
{
    static tern_ring_producer p;
    static tern_ring_consumer c;
    static tern_stream_producer sp;
    static tern_stream_consumer sc;
    static tern_triple_writer w;
    static tern_triple_reader r;
    tern_handle h[6] = { { 0, 0 } };
    void *item;
    const void *record;
    uint32_t length, kind;
    need(tern_ring_open_producer(&p, &region, "busy-ring", &SEQUENCED) == TERN_OK, "ring");
    need(tern_ring_open_consumer(&c, &region, "busy-ring", &SEQUENCED) == TERN_OK, "ring");
    need(tern_stream_open_producer(&sp, &region, "busy-stream", &STREAM) == TERN_OK, "stream");
    need(tern_stream_open_consumer(&sc, &region, "busy-stream", &STREAM) == TERN_OK, "stream");
    need(tern_triple_open_writer(&w, &region, "busy-triple", &TRIPLE) == TERN_OK, "triple");
    need(tern_triple_open_reader(&r, &region, "busy-triple", &TRIPLE) == TERN_OK, "triple");
    ready();
    for (uint64_t turn = 0;; turn++) {
        while (tern_ring_push(&p, &turn)) {}
        for (uint64_t popped; tern_ring_pop(&c, &popped);) {}
        while (tern_stream_send(&sp, 1, h, (uint32_t)(turn % sizeof h))) {}
        for (; (record = tern_stream_peek(&sc, &length, &kind)) != NULL;) tern_stream_release(&sc);
        memset(tern_triple_back(&w), (int)turn, 64);
        (void)tern_triple_publish(&w);
        (void)tern_triple_update(&r);
        for (int i = 0; i < 6; i++) {
            need(tern_pool_alloc(&pool, &h[i], &item) == TERN_OK, "alloc");
            need(tern_pool_pin(&pool, h[i]) == item, "pin");
        }
        for (int i = 0; i < 6; i++) {
            need(tern_pool_free(&pool, h[i]) == TERN_DEFERRED, "free");
            tern_pool_unpin(&pool, h[i]);
        }
    }
}

static void work(const char *what)
{
    tern_object object;
    if (strcmp(what, "fill") == 0) fill();
    else if (strcmp(what, "pins") == 0) pins();
    else if (strcmp(what, "many") == 0) many();
    else if (strcmp(what, "paged") == 0) paged();
    else if (strcmp(what, "claim") == 0)
        need(tern_region_claim(&region, "half", TERN_TYPE_RING, 4096, &object) == TERN_OK, "claim");
    else if (strcmp(what, "churn") == 0) churn();
    else need(false, what);
}

int main(int argc, char **argv)
{
    need(argc >= 3, "usage: doctor_victim NAME make|open WORK...");
    bool make = strcmp(argv[2], "make") == 0;
    tern_status status = make ? tern_shm_create(&region, argv[1], 65536, &REGION)
        : tern_shm_open(&region, argv[1], &ATTACH);
    need(status == TERN_OK, tern_status_text(status));
    need(tern_pool_open(&pool, &region, "pool", &POOL) == TERN_OK, "pool");
    for (int i = 3; i < argc; i++) work(argv[i]);
    ready();
    for (;;) pause();
}
