/* SPDX-License-Identifier: MIT */
/* object_triple.c: what `tern show` says of a triple buffer. */
#include "object.h"

static tern_status triple_inspect(object_info *info, const void *memory, size_t size_bytes)
{
    return tern_triple_inspect(&info->triple, memory, size_bytes);
}

static void triple_json(json *j, const object_info *info)
{
    const tern_triple_info *triple = &info->triple;
    json_integer(j, "buffer_size_bytes", triple->buffer_size_bytes);
    json_integer(j, "frame", triple->was_frame);
    json_bool(j, "fresh", triple->was_fresh);
    json_integer(j, "back", triple->was_back);
    json_integer(j, "ready", triple->was_ready);
    json_integer(j, "front", triple->was_front);
    json_bool(j, "writer_closed", triple->writer_closed);
    json_bool(j, "reader_closed", triple->reader_closed);
    json_bool(j, "reader_asleep", triple->reader_asleep);
}

static void triple_lines(const object_info *info)
{
    const tern_triple_info *triple = &info->triple;
    printf("    buffers   3 of %u bytes: back %u, ready %u, front %u\n", triple->buffer_size_bytes, triple->was_back,
           triple->was_ready, triple->was_front);
    printf("    writer    published %u%s\n", triple->was_frame,
           triple->writer_closed ? ", closed" : "");
    printf("    reader    %s%s%s\n", triple->was_fresh ? "has not seen the last frame" : "has seen all there is",
           triple->reader_closed ? ", closed" : "", triple->reader_asleep ? ", asleep" : "");
}

const object_kind object_triple = {
    TERN_TYPE_TRIPLE, "triple", sizeof(struct tern_triple_shared), triple_inspect, triple_json, triple_lines, NULL,
};
