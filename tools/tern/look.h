/* SPDX-License-Identifier: MIT */
/* look.h: a region seen from outside.
 *
 * Its peers' lives are asked of the kernel by way of the file, which is opened for reading only.
 *
 * The headers are copied into private memory and looked at there: a region that is damaged,
 * truncated or truncated while we look gives a status and never a SIGBUS. */
#ifndef TERN_LOOK_H
#define TERN_LOOK_H

#include <sys/types.h>
#include "tool.h"

typedef struct look {
    int fd;
    tern_status status;         /* of the region */
    uint64_t file_size_bytes;
    int64_t made_s;             /* seconds since 1970; 0 if unknown */
    tern_region_info info;      /* valid if status is TERN_OK */
    tern_region region;         /* a view of the copy: headers only, objects are empty until look_copy() */
    unsigned char *copy;
    size_t copy_size_bytes;
} look;

/* Look at a region. The status is in the look too. Always followed by look_end(). */
tern_status look_begin(look *l, const char *name);

/* Copy some bytes of an object that tern_region_next() found in l->region; then it can be
 * inspected at object->memory, as far as that reads no others. */
tern_status look_copy(look *l, const tern_object *object, uint64_t offset_bytes, size_t size_bytes);

void look_end(look *l);

/* The names of all regions and of what stands in their place (names_list.c). False after a message. */
bool names_list(char ***names, size_t *count);
void names_free(char **names, size_t count);

#endif
