/* SPDX-License-Identifier: MIT */
/* open.c: the one place that knows both regions and primitives. */
#include "internal.h"
#include "../include/tern/open.h"

/* A type of object that can stand in a region: what its own calls are, for any description of it. */
struct open_type {
    uint32_t type;
    size_t (*size)(const void *desc);
    tern_status (*format)(void *memory, size_t size_bytes, const void *desc);
    /* TERN_OK if the object is as described, TERN_ERR_MISMATCH if it is another, or what its attach would say */
    tern_status (*compare)(const void *memory, size_t size_bytes, const void *desc);
};

/* Find the object, or make it if there is a description and no such name. */
static tern_status open_find_or_make(tern_region *region, const char *name, const struct open_type *type,
                                     const void *desc, tern_object *object)
{
    tern_status status;
    size_t size = desc ? type->size(desc) : 0;
    if (desc && size == 0) return TERN_ERR_ARGUMENT;
    if (desc) {
        status = tern_region_claim(region, name, type->type, size, object);
        if (status == TERN_OK) {
            status = type->format(object->memory, size, desc);
            tern_region_publish(region, object, status);
            return status;
        }
        /* a full directory holds perhaps the very name */
        if (status != TERN_ERR_EXISTS) return status;
    }
    status = tern_region_find(region, name, type->type, object);
    if (status != TERN_OK || !desc) return status;
    return type->compare(object->memory, (size_t)object->size_bytes, desc);
}

/* The size and format of a type's own calls, for any description; then its open_type, after its compare. */
#define OPEN_CALLS(name) \
    static size_t open_##name##_size(const void *desc) \
    { \
        return tern_##name##_size((const tern_##name##_desc *)desc); \
    } \
    static tern_status open_##name##_format(void *memory, size_t size_bytes, const void *desc) \
    { \
        return tern_##name##_format(memory, size_bytes, (const tern_##name##_desc *)desc); \
    }
#define OPEN_TYPE(name, type) \
    static const struct open_type open_##name = { type, open_##name##_size, open_##name##_format, \
                                                  open_##name##_compare };
/* Open an end that can wait: in the MAIN domain it may not. */
#define OPEN_END(name, role) \
    tern_status tern_##name##_open_##role(tern_##name##_##role *end, tern_region *region, const char *object_name, \
                                          const tern_##name##_desc *desc) \
    { \
        tern_object object; \
        tern__memset(end, 0, sizeof *end); \
        tern_status status = open_find_or_make(region, object_name, &open_##name, desc, &object); \
        if (status == TERN_OK) \
            status = tern_##name##_attach_##role(end, object.memory, (size_t)object.size_bytes); \
        if (status == TERN_OK) end->may_block = region->domain != TERN_DOMAIN_MAIN; \
        return status; \
    }

/* ---- Bell ------------------------------------------------------------------------------- */

OPEN_CALLS(bell)

static tern_status open_bell_compare(const void *memory, size_t size_bytes, const void *desc)
{
    const tern_bell_desc *wanted = (const tern_bell_desc *)desc;
    tern_bell_info info;
    tern_status status = tern_bell_inspect(&info, memory, size_bytes);
    if (status != TERN_OK) return status;
    return info.sources == (wanted->sources ? wanted->sources : TERN_BELL_FLAT_SOURCES) ? TERN_OK : TERN_ERR_MISMATCH;
}

OPEN_TYPE(bell, TERN_TYPE_BELL)

tern_status tern_bell_open(tern_bell *bell, tern_region *region, const char *name, const tern_bell_desc *desc)
{
    tern_object object;
    tern__memset(bell, 0, sizeof *bell);
    tern_status status = open_find_or_make(region, name, &open_bell, desc, &object);
    if (status == TERN_OK) status = tern_bell_attach(bell, object.memory, (size_t)object.size_bytes);
    if (status == TERN_OK) bell->may_block = region->domain != TERN_DOMAIN_MAIN;
    return status;
}

/* ---- Ring ------------------------------------------------------------------------------- */

OPEN_CALLS(ring)

static tern_status open_ring_compare(const void *memory, size_t size_bytes, const void *desc)
{
    const tern_ring_desc *wanted = (const tern_ring_desc *)desc;
    tern_ring_info info;
    tern_status status = tern_ring_inspect(&info, memory, size_bytes);
    if (status != TERN_OK) return status;
    bool same = info.item_size_bytes == wanted->item_size_bytes && info.flags == wanted->flags
        && info.size_bytes == tern_ring_size(wanted);
    return same ? TERN_OK : TERN_ERR_MISMATCH;
}

OPEN_TYPE(ring, TERN_TYPE_RING)

OPEN_END(ring, producer)
OPEN_END(ring, consumer)

/* ---- Pool ------------------------------------------------------------------------------- */

OPEN_CALLS(pool)

static tern_status open_pool_compare(const void *memory, size_t size_bytes, const void *desc)
{
    const tern_pool_desc *wanted = (const tern_pool_desc *)desc;
    tern_pool_info info;
    tern_status status = tern_pool_inspect(&info, memory, size_bytes);
    if (status != TERN_OK) return status;
    bool same = info.item_size_bytes == wanted->item_size_bytes && info.size_bytes == tern_pool_size(wanted);
    return same ? TERN_OK : TERN_ERR_MISMATCH;
}

OPEN_TYPE(pool, TERN_TYPE_POOL)

tern_status tern_pool_open(tern_pool *pool, tern_region *region, const char *name, const tern_pool_desc *desc)
{
    tern_object object;
    tern__memset(pool, 0, sizeof *pool);
    tern_status status = open_find_or_make(region, name, &open_pool, desc, &object);
    if (status == TERN_OK) status = tern_pool_attach(pool, object.memory, (size_t)object.size_bytes);
    return status;
}

/* ---- Triple buffer ------------------------------------------------------------------------ */

OPEN_CALLS(triple)

static tern_status open_triple_compare(const void *memory, size_t size_bytes, const void *desc)
{
    tern_triple_info info;
    tern_status status = tern_triple_inspect(&info, memory, size_bytes);
    if (status != TERN_OK) return status;
    bool same = info.buffer_size_bytes == ((const tern_triple_desc *)desc)->buffer_size_bytes;
    return same ? TERN_OK : TERN_ERR_MISMATCH;
}

OPEN_TYPE(triple, TERN_TYPE_TRIPLE)

tern_status tern_triple_open_writer(tern_triple_writer *w, tern_region *region, const char *name,
                                    const tern_triple_desc *desc)
{
    tern_object object;
    tern__memset(w, 0, sizeof *w);
    tern_status status = open_find_or_make(region, name, &open_triple, desc, &object);
    return status == TERN_OK ? tern_triple_attach_writer(w, object.memory, (size_t)object.size_bytes) : status;
}

OPEN_END(triple, reader)

/* ---- Stream ----------------------------------------------------------------------------- */

OPEN_CALLS(stream)

static tern_status open_stream_compare(const void *memory, size_t size_bytes, const void *desc)
{
    const tern_stream_desc *wanted = (const tern_stream_desc *)desc;
    tern_stream_info info;
    tern_status status = tern_stream_inspect(&info, memory, size_bytes);
    if (status != TERN_OK) return status;
    bool same = info.flags == wanted->flags && info.size_bytes == tern_stream_size(wanted);
    return same ? TERN_OK : TERN_ERR_MISMATCH;
}

OPEN_TYPE(stream, TERN_TYPE_STREAM)

OPEN_END(stream, producer)
OPEN_END(stream, consumer)

#undef OPEN_CALLS
#undef OPEN_TYPE
#undef OPEN_END
