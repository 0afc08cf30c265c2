/* SPDX-License-Identifier: MIT */
/* open.c: the one place that knows both regions and primitives. */
#include "pool_parts.h"
#include "../include/tern/open.h"

/* A type of object that can stand in a region: what its own calls are, for any description of it. */
struct open_type {
    uint32_t type;
    size_t (*size)(const void *desc);
    uint32_t (*flags)(const void *desc);   /* NULL: there are none */
    tern_status (*format)(void *memory, size_t size_bytes, const void *desc);
    /* TERN_OK if the object is as described, TERN_ERR_MISMATCH if it is another, or what its attach would say */
    tern_status (*compare)(const void *memory, size_t size_bytes, const void *desc);
};

/* Times that a maker may die between our two looks at its name; only a hostile peer gets that far. */
enum { OPEN_TRIES = 100 };

static tern_status open_make(tern_region *region, const char *name, const struct open_type *type, const void *desc,
                             size_t size, tern_object *object)
{
    bool paged = type->flags && (type->flags(desc) & TERN_RING_PAGED);
    tern_status status = tern__region_claim(region, name, type->type, size,
                                            paged ? TERN_PAGE_BYTES : TERN_SEPARATION, object);
    if (status != TERN_OK) return status;
    status = type->format(object->memory, size, desc);
    tern_region_publish(region, object, status);
    return status;
}

/* Find the object, or make it if there is a description and no such name, or one whose maker died. */
static tern_status open_find_or_make(tern_region *region, const char *name, const struct open_type *type,
                                     const void *desc, tern_object *object)
{
    tern_status status;
    size_t size = desc ? type->size(desc) : 0;
    if (region->peer == 0) return TERN_ERR_STATE;
    if (!desc) return tern_region_find(region, name, type->type, object);
    if (size == 0) return TERN_ERR_ARGUMENT;
    for (uint32_t tries = 0; tries < OPEN_TRIES; tries++) {
        status = open_make(region, name, type, desc, size, object);
        if (status != TERN_ERR_EXISTS) return status;
        status = tern_region_find(region, name, type->type, object);
        if (status == TERN_OK) return type->compare(object->memory, (size_t)object->size_bytes, desc);
        if (status != TERN_ERR_PEER_DEAD) return status;   /* else it died since: its name can be taken over now */
    }
    return TERN_ERR_CORRUPT;
}

/* Find or make the object, and take one of its ends. */
static tern_status open_end(tern_region *region, const char *name, const struct open_type *type, const void *desc,
                            uint32_t which, tern_object *object, tern__role *role, tern_recovery *report)
{
    tern_status status = open_find_or_make(region, name, type, desc, object);
    if (status == TERN_OK) status = tern__role_prepare(role, region, object->index, which);
    return status == TERN_OK ? role->take(role, report) : status;
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
#define OPEN_TYPE(name, type, flags) \
    static const struct open_type open_##name = { type, open_##name##_size, flags, open_##name##_format, \
                                                  open_##name##_compare };
/* Open an end. `ring` is empty, or the part of the view that has its role; `waits` says what the view
 * of a region's MAIN domain may not. */
#define OPEN_WAITS end->may_block = region->domain != TERN_DOMAIN_MAIN
#define OPEN_END(name, end_name, which, ring, waits) \
    tern_status tern_##name##_open_##end_name(tern_##name##_##end_name *end, tern_region *region, \
                                              const char *object_name, const tern_##name##_desc *desc) \
    { \
        tern_object object; \
        tern__role role; \
        tern_recovery report; \
        tern__memset(end, 0, sizeof *end); \
        tern_status status = open_end(region, object_name, &open_##name, desc, which, &object, &role, &report); \
        if (status != TERN_OK) return status; \
        status = tern_##name##_attach_##end_name(end, object.memory, (size_t)object.size_bytes); \
        if (status != TERN_OK) { \
            tern__role_refuse(&role, &report); \
            return status; \
        } \
        waits; \
        end->ring role = role; \
        end->ring recovery = report; \
        return TERN_OK; \
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

OPEN_TYPE(bell, TERN_TYPE_BELL, NULL)

tern_status tern_bell_open(tern_bell *bell, tern_region *region, const char *name, const tern_bell_desc *desc)
{
    tern_object object;
    tern__memset(bell, 0, sizeof *bell);
    tern_status status = open_find_or_make(region, name, &open_bell, desc, &object);
    if (status == TERN_OK) status = tern_bell_attach(bell, object.memory, (size_t)object.size_bytes);
    if (status != TERN_OK) return status;
    bell->may_block = region->domain != TERN_DOMAIN_MAIN;
    return tern__role_prepare(&bell->role, region, object.index, TERN__ROLE_COLLECTOR);
}

tern_status tern_bell_open_collector(tern_bell *bell, tern_region *region, const char *name,
                                     const tern_bell_desc *desc)
{
    tern_status status = tern_bell_open(bell, region, name, desc);
    if (status == TERN_OK) status = tern__bell_take_end(bell);
    if (status != TERN_OK) tern__memset(bell, 0, sizeof *bell);
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

static uint32_t open_ring_flags(const void *desc)
{
    return ((const tern_ring_desc *)desc)->flags;
}

OPEN_TYPE(ring, TERN_TYPE_RING, open_ring_flags)

OPEN_END(ring, producer, TERN__ROLE_PRODUCER, , OPEN_WAITS)
OPEN_END(ring, consumer, TERN__ROLE_CONSUMER, , OPEN_WAITS)

/* ---- Pool ------------------------------------------------------------------------------- */

static size_t open_pool_size(const void *desc)
{
    return tern_pool_size((const tern_pool_desc *)desc);
}

static tern_status open_pool_format(void *memory, size_t size_bytes, const void *desc)
{
    return tern__pool_format(memory, size_bytes, (const tern_pool_desc *)desc, TERN__POOL_HELD);
}

static tern_status open_pool_compare(const void *memory, size_t size_bytes, const void *desc)
{
    const tern_pool_desc *wanted = (const tern_pool_desc *)desc;
    tern_pool_info info;
    tern_status status = tern_pool_inspect(&info, memory, size_bytes);
    if (status != TERN_OK) return status;
    bool same = info.item_size_bytes == wanted->item_size_bytes && info.size_bytes == tern_pool_size(wanted);
    return same ? TERN_OK : TERN_ERR_MISMATCH;
}

OPEN_TYPE(pool, TERN_TYPE_POOL, NULL)

/* Whoever comes gives back what the dead had: they may have been the pool's last users. */
tern_status tern_pool_open(tern_pool *pool, tern_region *region, const char *name, const tern_pool_desc *desc)
{
    tern_object object;
    tern_recovery report;
    tern__memset(pool, 0, sizeof *pool);
    tern_status status = open_find_or_make(region, name, &open_pool, desc, &object);
    if (status != TERN_OK) return status;
    (void)tern__peer_bury_all(region, &report);   /* the report tells */
    status = tern__pool_attach(pool, region, &object);
    if (status == TERN_OK) pool->recovery = report;
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

OPEN_TYPE(triple, TERN_TYPE_TRIPLE, NULL)

OPEN_END(triple, writer, TERN__ROLE_PRODUCER, , (void)0)
OPEN_END(triple, reader, TERN__ROLE_CONSUMER, , OPEN_WAITS)

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

static uint32_t open_stream_flags(const void *desc)
{
    return ((const tern_stream_desc *)desc)->flags;
}

OPEN_TYPE(stream, TERN_TYPE_STREAM, open_stream_flags)

OPEN_END(stream, producer, TERN__ROLE_PRODUCER, ring., OPEN_WAITS)
OPEN_END(stream, consumer, TERN__ROLE_CONSUMER, ring., OPEN_WAITS)

#undef OPEN_CALLS
#undef OPEN_TYPE
#undef OPEN_END
#undef OPEN_WAITS
