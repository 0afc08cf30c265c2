/* SPDX-License-Identifier: MIT */
/* samples.c: C code of one's own for two wasm workers: one takes samples, the other adds them up, one ring between
 * them. samples.mjs starts them; build.sh links this to libtern.a for wasm32. */
#include <tern/tern.h>

#define EXPORT(name) __attribute__((export_name(name)))

typedef struct { uint32_t time_ms; float value; } sample;
TERN_RING_DEFINE(sample_ring, sample)

/* Bytes of the ring; with memory for them, make it there. 0: that failed. */
EXPORT("make_ring") uint32_t make_ring(void *memory, uint32_t size_bytes);
uint32_t make_ring(void *memory, uint32_t size_bytes)
{
    tern_ring_desc desc = sample_ring_desc(1024, TERN_RING_WAITABLE);
    if (memory && tern_ring_format(memory, size_bytes, &desc) != TERN_OK) return 0;
    return (uint32_t)tern_ring_size(&desc);
}

EXPORT("take_samples") tern_status take_samples(void *memory, uint32_t size_bytes, uint32_t count);
tern_status take_samples(void *memory, uint32_t size_bytes, uint32_t count)
{
    tern_ring_producer p;   /* on this worker's own stack */
    tern_status status = sample_ring_attach_producer(&p, memory, size_bytes);
    for (uint32_t i = 0; i < count && status == TERN_OK; i++) {
        sample s = { i, (float)(i % 10) };
        status = sample_ring_push_wait(&p, &s, TERN_WAIT_FOREVER);   /* sleeps while the ring is full */
    }
    if (status == TERN_OK) tern_ring_close_producer(&p);
    return status;
}

/* The sum until the ring is closed and drained; -1: something else ended it. */
EXPORT("add_up") double add_up(void *memory, uint32_t size_bytes);
double add_up(void *memory, uint32_t size_bytes)
{
    tern_ring_consumer c;
    sample s;
    double sum = 0;
    tern_status status = sample_ring_attach_consumer(&c, memory, size_bytes);
    while (status == TERN_OK) {
        status = sample_ring_pop_wait(&c, &s, TERN_WAIT_FOREVER);
        if (status == TERN_OK) sum += (double)s.value;
    }
    return status == TERN_ERR_CLOSED ? sum : -1;
}
