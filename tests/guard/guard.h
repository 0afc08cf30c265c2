/* SPDX-License-Identifier: MIT */
/* guard.h: what the two halves of the program share. guard.c tells what it is. */
#ifndef TERN_GUARD_H
#define TERN_GUARD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operations.h"

/* Turns of BURST calls; ROUNDS of them for each figure. */
enum { ROUNDS = 16, BURST = 256, CAPACITY = 1024 };

TERN_STATIC_ASSERT((int)BURST == (int)RUN && (int)BURST % (int)BATCH == 0, "turns of the same length");

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

/* Zeroed memory of an object; free() gives it back. */
static inline void *memory_for(size_t size_bytes)
{
    CHECK(size_bytes != 0);
    size_t whole = (size_bytes + TERN_SEPARATION - 1) / TERN_SEPARATION * TERN_SEPARATION;
    void *memory = aligned_alloc(TERN_SEPARATION, whole);
    CHECK(memory != NULL);
    memset(memory, 0, whole);
    return memory;
}

/* An item or record whose every word is told by its number. */
static inline struct line numbered(uint64_t number)
{
    struct line item;
    for (unsigned i = 0; i < 8; i++) item.word[i] = number * 8 + i;
    return item;
}

/* How often a consumer pauses follows the time that a pause takes here, and is counted: not in these counts. */
static inline void fix_pauses(tern_ring_consumer *c)
{
    c->slip_one_pauses = 10;
    c->slip_many_pauses = 16;
    c->empty_pauses = 3;
}

/* guard_ring.c */
void guard_rings(void);

#endif
