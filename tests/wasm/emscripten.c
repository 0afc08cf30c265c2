/* SPDX-License-Identifier: MIT */
/* emscripten.c: Tern inside a program of Emscripten's with threads: numbered items through a ring and frames through a
 * triple buffer, asleep in between. Built and run by toolchain.py. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern/tern.h>

enum { ITEMS = 20000, WORDS = 16 };

static tern_ring_producer producer;
static tern_ring_consumer consumer;
static tern_triple_writer writer;
static tern_triple_reader reader;

static void *work(void *nothing)
{
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t *frame = (uint32_t *)tern_triple_back(&writer);
        for (uint32_t at = 0; at < WORDS; at++) frame[at] = i * WORDS + at;
        tern_triple_publish(&writer);
        if (tern_ring_push_wait(&producer, &i, TERN_WAIT_FOREVER) != TERN_OK) break;
    }
    tern_triple_close_writer(&writer);
    tern_ring_close_producer(&producer);
    return nothing;
}

static void *memory_of(size_t size_bytes)
{
    return aligned_alloc(TERN_ALIGNMENT, (size_bytes + 63) / 64 * 64);
}

int main(void)
{
    tern_ring_desc ring = { sizeof(uint32_t), 16, TERN_RING_WAITABLE };
    tern_triple_desc triple = { WORDS * sizeof(uint32_t) };
    size_t ring_bytes = tern_ring_size(&ring), triple_bytes = tern_triple_size(&triple);
    void *at = memory_of(ring_bytes), *frames = memory_of(triple_bytes);
    if (tern_ring_format(at, ring_bytes, &ring) != TERN_OK) return 2;
    if (tern_triple_format(frames, triple_bytes, &triple) != TERN_OK) return 2;
    if (tern_ring_attach_producer(&producer, at, ring_bytes) != TERN_OK) return 2;
    if (tern_ring_attach_consumer(&consumer, at, ring_bytes) != TERN_OK) return 2;
    if (tern_triple_attach_writer(&writer, frames, triple_bytes) != TERN_OK) return 2;
    if (tern_triple_attach_reader(&reader, frames, triple_bytes) != TERN_OK) return 2;
    consumer.spin_checks = 0;   /* sleeps whenever there is nothing */
    reader.spin_checks = 0;

    pthread_t thread;
    uint32_t item, items = 0, wrong = 0, torn = 0;
    uint64_t last = 0;
    if (tern_ring_pop_wait(&consumer, &item, 1000000) != TERN_ERR_TIMEOUT) return 3;
    if (pthread_create(&thread, NULL, work, NULL) != 0) return 4;
    while (tern_ring_pop_wait(&consumer, &item, TERN_WAIT_FOREVER) == TERN_OK) {
        wrong += item != items++;
        if (!tern_triple_update(&reader)) continue;
        const uint32_t *frame = (const uint32_t *)tern_triple_front(&reader);
        for (uint32_t i = 0; i < WORDS; i++) torn += frame[i] != frame[0] + i;
        last = tern_triple_frame(&reader);
    }
    while (tern_triple_wait(&reader, TERN_WAIT_FOREVER) == TERN_OK) {
        tern_triple_update(&reader);
        last = tern_triple_frame(&reader);
    }
    pthread_join(thread, NULL);
    printf("%s: %u items, %u wrong, last frame %u, %u torn\n", tern_wait_backend(), items, wrong, (unsigned)last, torn);
    return items == ITEMS && wrong == 0 && last == ITEMS && torn == 0 && !strcmp(tern_wait_backend(), "wasm") ? 0 : 1;
}
