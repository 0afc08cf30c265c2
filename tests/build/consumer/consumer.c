/* SPDX-License-Identifier: MIT */
/* consumer.c: a program outside of Tern's tree: what install.py builds in each way that the
 * documentation promises. Prints the version if a ring in shared memory works. */
#include <stdio.h>

#include <tern/tern.h>

TERN_RING_DEFINE(int_ring, int)

int main(void)
{
    tern_region region;
    tern_ring_producer p;
    tern_ring_consumer c;
    tern_ring_desc desc = int_ring_desc(8, TERN_RING_WAITABLE);
    int in = 42, out = 0;

    if (tern_shm_create(&region, NULL, 1 << 16, NULL) != TERN_OK) return 1;
    if (tern_ring_open_producer(&p, &region, "numbers", &desc) != TERN_OK) return 2;
    if (tern_ring_open_consumer(&c, &region, "numbers", NULL) != TERN_OK) return 3;
    if (!int_ring_push(&p, &in) || int_ring_pop_wait(&c, &out, TERN_WAIT_FOREVER) != TERN_OK) return 4;
    tern_shm_close(&region);
    printf("tern %s got %d\n", TERN_VERSION_STRING, out);
    return 0;
}
