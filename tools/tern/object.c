/* SPDX-License-Identifier: MIT */
/* object.c: the kinds of object, and a look at one. See object.h. */
#include "object.h"

#include <string.h>

const object_kind *object_kind_of(uint32_t type)
{
    static const object_kind *const kinds[] = { &object_ring, &object_pool, &object_triple, &object_bell, &object_stream };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i]->type == type) return kinds[i];
    return NULL;
}

const char *object_type_name(uint32_t type)
{
    static const char *const names[] = { "none", "ring", "stream", "triple", "pool", "bell", "mesh" };
    return type < sizeof names / sizeof names[0] ? names[type] : "unknown";
}

tern_status object_look(const object_kind *kind, look *l, const tern_object *object, object_info *info)
{
    memset(info, 0, sizeof *info);
    if (object->status != TERN_OK || !kind) return object->status;
    tern_status status = look_copy(l, object, 0, kind->header_bytes);
    if (status == TERN_OK) status = kind->inspect(info, object->memory, (size_t)object->size_bytes);
    for (uint32_t number = 0; number < 2 && kind->part && status == TERN_OK; number++) {
        object_part part = kind->part(info, number);
        if (part.size_bytes == 0) continue;
        status = look_copy(l, object, part.offset_bytes, part.size_bytes);
        if (status == TERN_OK) status = kind->inspect(info, object->memory, (size_t)object->size_bytes);
    }
    return status;
}
