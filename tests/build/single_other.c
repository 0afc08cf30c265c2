/* SPDX-License-Identifier: MIT */
/* single_other.c: the other file, see single_main.c. */
#if defined(HOLDS_IMPLEMENTATION)
#  define TERN_IMPLEMENTATION
#endif
#include "single_api.h"

int other_pops(void *memory, size_t size_bytes)
{
    tern_ring_consumer c;
    int number = 0;
    if (int_ring_attach_consumer(&c, memory, size_bytes) != TERN_OK) return -1;
    if (!int_ring_pop(&c, &number)) return -2;
    tern_ring_detach_consumer(&c);
    return number;
}

uint32_t other_ring_header_bytes(void)
{
    return (uint32_t)sizeof(struct tern_ring_shared);
}
