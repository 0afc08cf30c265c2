/* SPDX-License-Identifier: MIT */
/* bell_many_rings.c: one thread sleeps for any of 8 rings; each producer's ring rings one bell. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <tern/tern.h>

typedef struct { uint32_t sensor, number; } reading;
TERN_RING_DEFINE(reading_ring, reading)

enum { SENSORS = 8, READINGS = 20000 };

static tern_bell bell;                            /* rung by all producers, waited for by main */
static tern_ring_producer p[SENSORS];
static tern_ring_consumer c[SENSORS];

static void *measure(void *argument)
{
    tern_ring_producer *out = argument;
    for (uint32_t i = 0; i < READINGS; i++) {
        reading r = { (uint32_t)(out - p), i };
        reading_ring_push_wait(out, &r, TERN_WAIT_FOREVER);   /* publishes, then rings the bell */
    }
    tern_ring_close_producer(out);                            /* rings too */
    return NULL;
}

/* Memory for an object of this size. */
static void *memory_for(size_t size)
{
    void *memory = aligned_alloc(TERN_ALIGNMENT, (size + 63) / 64 * 64);
    if (!memory) abort();
    return memory;
}

int main(void)
{
    tern_bell_desc bell_desc = { SENSORS };
    tern_ring_desc ring_desc = reading_ring_desc(64, TERN_RING_WAITABLE);
    size_t bell_size = tern_bell_size(&bell_desc), ring_size = tern_ring_size(&ring_desc);
    void *bell_memory = memory_for(bell_size), *ring_memory[SENSORS];
    pthread_t thread[SENSORS];
    uint32_t next[SENSORS] = { 0 }, open = SENSORS, total = 0;

    if (tern_bell_format(bell_memory, bell_size, &bell_desc) != TERN_OK) return 1;
    if (tern_bell_attach(&bell, bell_memory, bell_size) != TERN_OK) return 1;
    for (uint32_t i = 0; i < SENSORS; i++) {
        ring_memory[i] = memory_for(ring_size);
        if (tern_ring_format(ring_memory[i], ring_size, &ring_desc) != TERN_OK) return 1;
        if (reading_ring_attach_producer(&p[i], ring_memory[i], ring_size) != TERN_OK) return 1;
        if (reading_ring_attach_consumer(&c[i], ring_memory[i], ring_size) != TERN_OK) return 1;
        if (tern_ring_producer_bind(&p[i], &bell, i) != TERN_OK) return 1;
        if (pthread_create(&thread[i], NULL, measure, &p[i]) != 0) return 1;
    }

    while (open > 0 && tern_bell_wait(&bell, TERN_WAIT_FOREVER) == TERN_OK) {
        uint32_t bits = tern_bell_collect(&bell);             /* clear first ... */
        while (bits) {
            uint32_t i = tern_bell_take(&bits);               /* ... then drain who rang */
            reading r;
            for (; reading_ring_pop(&c[i], &r); total++)
                if (r.sensor != i || r.number != next[i]++) return 1;
            if (tern_ring_consumer_status(&c[i]) == TERN_ERR_CLOSED && next[i] == READINGS) {
                next[i]++;                                    /* once */
                open--;
            }
        }
    }
    for (uint32_t i = 0; i < SENSORS; i++) {
        pthread_join(thread[i], NULL);
        free(ring_memory[i]);
    }
    free(bell_memory);
    printf("%u readings of %u sensors\n", total, SENSORS);
    return total == SENSORS * READINGS ? 0 : 1;
}
