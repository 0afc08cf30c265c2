/* SPDX-License-Identifier: MIT */
/* wasm_ring.c: the two loops that contestants_wasm.mjs measures: 8-byte items through a ring, one by one or 32 at a
 * time. The same code as wasm32 in two workers, and natively in two threads (main below: prints ns an item).
 *
 *     wasm_ring ITEMS BATCH WAITABLE     natively */
#include <tern/tern.h>

TERN_RING_DEFINE(item_ring, uint64_t)

enum { BATCH_MOST = 32, CAPACITY = 1024 };

#if defined(__wasm__)
#  define EXPORT(name) __attribute__((export_name(name)))
#  define YIELD() ((void)0)
#else
#  include <sched.h>
#  define EXPORT(name)
#  define YIELD() sched_yield()
#endif

/* Items that come in order are counted, so that a wrong one shows. */
EXPORT("produce") uint32_t produce(void *memory, uint32_t size_bytes, uint32_t items, uint32_t batch);
uint32_t produce(void *memory, uint32_t size_bytes, uint32_t items, uint32_t batch)
{
    tern_ring_producer p;
    uint64_t out[BATCH_MOST];
    uint32_t done = 0;
    if (item_ring_attach_producer(&p, memory, size_bytes) != TERN_OK) return 0;
    while (done < items) {
        if (batch == 1) {
            uint64_t item = done;
            done += item_ring_push(&p, &item);
            continue;
        }
        uint32_t want = items - done < batch ? items - done : batch;
        for (uint32_t i = 0; i < want; i++) out[i] = done + i;
        done += item_ring_push_many(&p, out, want);
    }
    tern_ring_detach_producer(&p);
    return done;
}

EXPORT("consume") uint32_t consume(void *memory, uint32_t size_bytes, uint32_t items, uint32_t batch);
uint32_t consume(void *memory, uint32_t size_bytes, uint32_t items, uint32_t batch)
{
    tern_ring_consumer c;
    uint64_t in[BATCH_MOST];
    uint32_t done = 0, right = 0;
    if (item_ring_attach_consumer(&c, memory, size_bytes) != TERN_OK) return 0;
    while (done < items) {
        uint32_t want = items - done < batch ? items - done : batch;
        uint32_t got = batch == 1 ? item_ring_pop(&c, in) : item_ring_pop_many(&c, in, want);
        for (uint32_t i = 0; i < got; i++) right += in[i] == done + i;
        done += got;
    }
    tern_ring_detach_consumer(&c);   /* tells what was popped last */
    return right;
}

EXPORT("format") uint32_t format(void *memory, uint32_t size_bytes, uint32_t waitable);
uint32_t format(void *memory, uint32_t size_bytes, uint32_t waitable)
{
    tern_ring_desc desc = item_ring_desc(CAPACITY, waitable ? TERN_RING_WAITABLE : 0);
    if (memory && tern_ring_format(memory, size_bytes, &desc) != TERN_OK) return 0;
    return (uint32_t)tern_ring_size(&desc);
}

#if !defined(__wasm__)
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void *memory;
static uint32_t size_bytes, items, batch;

static void *producer(void *nothing)
{
    produce(memory, size_bytes, items, batch);
    return nothing;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    if (argc != 4) return 2;
    items = (uint32_t)atoi(argv[1]);
    batch = (uint32_t)atoi(argv[2]);
    size_bytes = format(NULL, 0, (uint32_t)atoi(argv[3]));
    memory = aligned_alloc(4096, (size_bytes + 4095u) / 4096 * 4096);
    if (!memory || !format(memory, size_bytes, (uint32_t)atoi(argv[3]))) return 1;
    uint64_t begin = tern_now_ns();
    if (pthread_create(&thread, NULL, producer, NULL) != 0) return 1;
    uint32_t right = consume(memory, size_bytes, items, batch);
    pthread_join(thread, NULL);
    uint64_t took = tern_now_ns() - begin;
    if (right != items) return 1;
    printf("%.3f\n", (double)took / items);
    return 0;
}
#endif
