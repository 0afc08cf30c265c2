/* SPDX-License-Identifier: MIT */
/* object.h: what `tern show` can say of each kind of object. A kind has a file of its own. */
#ifndef TERN_OBJECT_H
#define TERN_OBJECT_H

#include "look.h"

typedef union object_info {
    tern_ring_info ring;
    tern_pool_info pool;
    tern_triple_info triple;
    tern_bell_info bell;
    tern_stream_info stream;
} object_info;

typedef struct object_part {
    uint64_t offset_bytes;
    size_t size_bytes;
} object_part;

typedef struct object_kind {
    uint32_t type;            /* TERN_TYPE_... */
    const char *name;
    size_t header_bytes;      /* what inspect reads at least */
    tern_status (*inspect)(object_info *info, const void *memory, size_t size_bytes);
    void (*json)(json *j, const object_info *info);     /* fields, inside an object of the kind's name */
    void (*lines)(const object_info *info);             /* the same to read */
    /* more bytes that inspect reads, which a look tells of: first part 0, then, after another look, part 1; those
     * of no size are none, and so is NULL */
    object_part (*part)(const object_info *info, uint32_t number);
} object_kind;

extern const object_kind object_ring, object_triple, object_bell;
extern const object_kind object_pool;
extern const object_kind object_stream;

/* Of a ring or stream with these flags: its ends, if they lie apart from its header. */
static inline object_part object_paged_ends(uint32_t flags)
{
    const size_t ends = 2 * sizeof(struct tern_ring_end), at = TERN_RING_CONSUMER_PAGE_OFFSET_BYTES - ends / 2;
    return flags & TERN_RING_PAGED ? (object_part){ at, ends } : (object_part){ 0, 0 };
}

/* The kind of a type; NULL if it has nothing to show. */
const object_kind *object_kind_of(uint32_t type);

const char *object_type_name(uint32_t type);

/* Look at an object that tern_region_next() found. kind may be NULL. */
tern_status object_look(const object_kind *kind, look *l, const tern_object *object, object_info *info);

#endif
