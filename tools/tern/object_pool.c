/* SPDX-License-Identifier: MIT */
/* object_pool.c: what `tern show` says of a pool. */
#include "object.h"

static tern_status pool_inspect(object_info *info, const void *memory, size_t size_bytes)
{
    return tern_pool_inspect(&info->pool, memory, size_bytes);
}

static void pool_json(json *j, const object_info *info)
{
    const tern_pool_info *pool = &info->pool;
    json_integer(j, "item_size_bytes", pool->item_size_bytes);
    json_integer(j, "capacity_items", pool->capacity_items);
    json_integer(j, "stride_bytes", pool->stride_bytes);
    json_integer(j, "live", pool->was_live);
    json_integer(j, "retired", pool->was_retired);
    json_integer(j, "allocated", pool->was_allocated);
}

static void pool_lines(const object_info *info)
{
    const tern_pool_info *pool = &info->pool;
    double percent = 100.0 * pool->was_live / pool->capacity_items;
    printf("    items     %u of %u bytes, %u from one to the next\n", pool->capacity_items, pool->item_size_bytes,
           pool->stride_bytes);
    printf("    live      %u (%.1f %%)\n", pool->was_live, percent);
    printf("    retired   %u\n", pool->was_retired);
    printf("    allocated %llu\n", (unsigned long long)pool->was_allocated);
}

const object_kind object_pool = {
    TERN_TYPE_POOL, "pool", sizeof(struct tern_pool_shared), pool_inspect, pool_json, pool_lines, NULL,
};
