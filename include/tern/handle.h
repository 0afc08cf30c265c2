/* SPDX-License-Identifier: MIT */
/**
 * handle.h: a name for a thing that may be gone by the time it is used.
 *
 *     tern_handle h;                                  // an index and the generation of what lives there
 *     tern_pool_alloc(&pool, &h, &item);
 *     uint64_t packed = tern_handle_pack(h);          // as a message carries it
 *     ...
 *     tern_handle same = tern_handle_unpack(packed);
 *     if (!tern_handle_equal(h, same)) { ... }
 *
 * A handle is 8 bytes of plain data: it means the same in every process and language that has
 * the pool. Generations start at 1, so that a zeroed handle is the null handle and names nothing.
 */
#ifndef TERN_HANDLE_H
#define TERN_HANDLE_H

#include "base.h"

/** A slot and the generation of its item. {0, 0} is null. */
typedef struct tern_handle {
    uint32_t index;
    uint32_t generation;   /* 1 .. 2^32 - 2 in every handle that a pool gives out */
} tern_handle;

TERN_STATIC_ASSERT(sizeof(tern_handle) == 8, "a handle is 8 bytes in every language");

/** The handle that names nothing; every pool refuses it. Progress: wait-free. Order: none. */
TERN_INLINE tern_handle tern_handle_null(void)
{
    tern_handle h = { 0, 0 };
    return h;
}

/** Whether it names nothing. A handle that does may be stale all the same: ask its pool. */
TERN_INLINE bool tern_handle_is_null(tern_handle h)
{
    return h.generation == 0;
}

/** Whether both name the same item: the same slot in the same generation. */
TERN_INLINE bool tern_handle_equal(tern_handle a, tern_handle b)
{
    return a.index == b.index && a.generation == b.generation;
}

/** One number: generation in the upper 32 bits, index in the lower. Null gives 0. */
TERN_INLINE uint64_t tern_handle_pack(tern_handle h)
{
    return (uint64_t)h.generation << 32 | h.index;
}

/** The handle that was packed; any number gives some handle, and a pool refuses what it never gave out. */
TERN_INLINE tern_handle tern_handle_unpack(uint64_t packed)
{
    tern_handle h = { (uint32_t)packed, (uint32_t)(packed >> 32) };
    return h;
}

#endif
