/* SPDX-License-Identifier: MIT */
/* ring_threads.c: a thread takes samples, another one adds them up, one ring between them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <tern/tern.h>

typedef struct { uint32_t time_ms; float value; } sample;
TERN_RING_DEFINE(sample_ring, sample)

enum { SAMPLES = 100000 };

static tern_ring_producer p;                      /* each thread has the view of its role */
static tern_ring_consumer c;

static void *take_samples(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        sample s = { i, (float)(i % 10) };
        sample_ring_push_wait(&p, &s, TERN_WAIT_FOREVER);     /* sleeps while the ring is full */
    }
    tern_ring_close_producer(&p);
    return NULL;
}

int main(void)
{
    tern_ring_desc desc = sample_ring_desc(1024, TERN_RING_WAITABLE);
    size_t size = tern_ring_size(&desc);
    void *memory = aligned_alloc(TERN_ALIGNMENT, (size + 63) / 64 * 64);
    if (!memory || tern_ring_format(memory, size, &desc) != TERN_OK) return 1;
    if (sample_ring_attach_producer(&p, memory, size) != TERN_OK) return 1;
    if (sample_ring_attach_consumer(&c, memory, size) != TERN_OK) return 1;

    pthread_t thread;
    pthread_create(&thread, NULL, take_samples, NULL);
    sample s;
    double sum = 0;
    uint32_t count = 0;
    while (sample_ring_pop_wait(&c, &s, TERN_WAIT_FOREVER) == TERN_OK) {   /* until closed and drained */
        sum += (double)s.value;
        count++;
    }
    pthread_join(thread, NULL);
    printf("%u samples, sum %.0f\n", count, sum);
    free(memory);
    return count == SAMPLES && sum == 450000 ? 0 : 1;
}
