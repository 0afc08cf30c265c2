/* SPDX-License-Identifier: MIT */
/* exports_pool.c: the pool's calls that take a handle, as two numbers, and the layout of its views. */
#define EXPORTS_OF pool
#include "exports.h"

#define WITH_HANDLE(result, call, parameters, arguments) \
    EXPORT("test_pool_" #call) result test_pool_##call parameters; \
    result test_pool_##call parameters \
    { \
        tern_handle h = { index, generation }; \
        return tern_pool_##call arguments; \
    }

WITH_HANDLE(void *, get, (const tern_pool *p, uint32_t index, uint32_t generation), (p, h))
WITH_HANDLE(void *, pin, (tern_pool *p, uint32_t index, uint32_t generation), (p, h))
WITH_HANDLE(tern_status, free, (tern_pool *p, uint32_t index, uint32_t generation), (p, h))
WITH_HANDLE(tern_status, read, (tern_pool *p, uint32_t index, uint32_t generation, void *out, size_t size_bytes),
            (p, h, out, size_bytes))

EXPORT("test_pool_unpin") void test_pool_unpin(tern_pool *p, uint32_t index, uint32_t generation);
void test_pool_unpin(tern_pool *p, uint32_t index, uint32_t generation)
{
    tern_handle h = { index, generation };
    tern_pool_unpin(p, h);
}

NUMBER("test_sizeof_pool", sizeof(tern_pool))
NUMBER("test_sizeof_pool_info", sizeof(tern_pool_info))
NUMBER("test_offsetof_pool_info_was_live", offsetof(tern_pool_info, was_live))
NUMBER("test_offsetof_pool_info_was_retired", offsetof(tern_pool_info, was_retired))
NUMBER("test_offsetof_pool_info_was_allocated", offsetof(tern_pool_info, was_allocated))
