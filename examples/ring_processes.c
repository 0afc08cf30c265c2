/* SPDX-License-Identifier: MIT */
/* ring_processes.c: two processes, one ring in a named region, items written and read in place.
 *
 *   ring_processes produce & ring_processes consume
 */
#include <stdio.h>
#include <string.h>
#include <tern/tern.h>

typedef struct { uint64_t id; char text[56]; } message;
TERN_RING_DEFINE(message_ring, message)

enum { MESSAGES = 10000 };

/* Whoever comes first makes the region; the other one opens it. */
static tern_status join(tern_region *region)
{
    tern_status status;
    do {
        status = tern_shm_create(region, "example", 1 << 20, NULL);
        if (status == TERN_ERR_EXISTS) status = tern_shm_open(region, "example", NULL);
    } while (status == TERN_ERR_NOT_FOUND);       /* removed in between: once more */
    return status;
}

static int produce(tern_region *region, const tern_ring_desc *desc)
{
    tern_ring_producer p;
    tern_status status;
    do status = tern_ring_open_producer(&p, region, "messages", desc);
    while (status == TERN_ERR_NOT_READY);         /* the consumer is making it just now */
    if (status != TERN_OK) return 1;
    for (uint64_t i = 0; i < MESSAGES; i++) {
        uint32_t got;
        if (tern_ring_producer_wait(&p, TERN_WAIT_FOREVER) != TERN_OK) return 1;
        message *m = message_ring_reserve(&p, 1, &got);
        m->id = i;
        snprintf(m->text, sizeof m->text, "message %llu", (unsigned long long)i);
        message_ring_commit(&p, 1);
    }
    tern_ring_close_producer(&p);
    return 0;
}

static int consume(tern_region *region, const tern_ring_desc *desc)
{
    tern_ring_consumer c;
    uint64_t expected = 0;
    tern_status status;
    do status = tern_ring_open_consumer(&c, region, "messages", desc);
    while (status == TERN_ERR_NOT_READY);
    if (status != TERN_OK) return 1;
    while (tern_ring_consumer_wait(&c, TERN_WAIT_FOREVER) == TERN_OK) {
        uint32_t got;
        const message *m = message_ring_peek(&c, 64, &got);
        for (uint32_t i = 0; i < got; i++)
            if (m[i].id != expected++) return 1;
        message_ring_release(&c, got);
    }
    printf("%llu messages, all in order\n", (unsigned long long)expected);
    tern_shm_unlink("example");
    return expected == MESSAGES ? 0 : 1;
}

int main(int argc, char **argv)
{
    tern_region region;
    tern_ring_desc desc = message_ring_desc(256, TERN_RING_WAITABLE);
    if (argc != 2) {
        fprintf(stderr, "usage: ring_processes produce|consume\n");
        return 2;
    }
    tern_status status = join(&region);
    if (status != TERN_OK) {
        fprintf(stderr, "ring_processes: %s\n", tern_status_text(status));
        return 1;
    }
    int result = strcmp(argv[1], "produce") == 0 ? produce(&region, &desc) : consume(&region, &desc);
    tern_shm_close(&region);
    return result;
}
