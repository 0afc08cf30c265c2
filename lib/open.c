/* SPDX-License-Identifier: MIT */
/* open.c: the one place that knows both regions and primitives. */
#include "internal.h"
#include "../include/tern/open.h"

/* Find the ring, or make it if there is a description and no such name. */
static tern_status open_find_or_make_ring(tern_region *region, const char *name, const tern_ring_desc *desc,
                                          tern_object *object)
{
    tern_ring_info info;
    tern_status status;
    size_t size = desc ? tern_ring_size(desc) : 0;
    if (desc && size == 0) return TERN_ERR_ARGUMENT;
    if (desc) {
        status = tern_region_claim(region, name, TERN_TYPE_RING, size, object);
        if (status == TERN_OK) {
            status = tern_ring_format(object->memory, size, desc);
            tern_region_publish(region, object, status);
            return status;
        }
        /* a full directory holds perhaps the very name */
        if (status != TERN_ERR_EXISTS) return status;
    }
    status = tern_region_find(region, name, TERN_TYPE_RING, object);
    if (status != TERN_OK || !desc) return status;
    status = tern_ring_inspect(&info, object->memory, (size_t)object->size_bytes);
    if (status != TERN_OK) return status;
    bool same = info.item_size_bytes == desc->item_size_bytes && info.flags == desc->flags && info.size_bytes == size;
    return same ? TERN_OK : TERN_ERR_MISMATCH;
}

tern_status tern_ring_open_producer(tern_ring_producer *p, tern_region *region, const char *name,
                                    const tern_ring_desc *desc)
{
    tern_object object;
    tern__memset(p, 0, sizeof *p);
    tern_status status = open_find_or_make_ring(region, name, desc, &object);
    if (status == TERN_OK) status = tern_ring_attach_producer(p, object.memory, (size_t)object.size_bytes);
    if (status == TERN_OK) p->may_block = region->domain != TERN_DOMAIN_MAIN;
    return status;
}

tern_status tern_ring_open_consumer(tern_ring_consumer *c, tern_region *region, const char *name,
                                    const tern_ring_desc *desc)
{
    tern_object object;
    tern__memset(c, 0, sizeof *c);
    tern_status status = open_find_or_make_ring(region, name, desc, &object);
    if (status == TERN_OK) status = tern_ring_attach_consumer(c, object.memory, (size_t)object.size_bytes);
    if (status == TERN_OK) c->may_block = region->domain != TERN_DOMAIN_MAIN;
    return status;
}
