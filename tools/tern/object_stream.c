/* SPDX-License-Identifier: MIT */
/* object_stream.c: what `tern show` says of a stream. */
#include "object.h"

#include <inttypes.h>

static tern_status stream_inspect(object_info *info, const void *memory, size_t size_bytes)
{
    return tern_stream_inspect(&info->stream, memory, size_bytes);
}

static void stream_json(json *j, const object_info *info)
{
    const tern_stream_info *stream = &info->stream;
    json_integer(j, "capacity_bytes", stream->capacity_bytes);
    json_integer(j, "max_record_bytes", stream->max_record_bytes);
    json_bool(j, "waitable", (stream->flags & TERN_STREAM_WAITABLE) != 0);
    json_bool(j, "paged", (stream->flags & TERN_STREAM_PAGED) != 0);
    json_integer(j, "written_bytes", stream->was_written_bytes);
    json_integer(j, "read_bytes", stream->was_read_bytes);
    json_integer(j, "used_bytes", stream->was_used_bytes);
    json_bool(j, "producer_closed", stream->producer_closed);
    json_bool(j, "consumer_closed", stream->consumer_closed);
    json_bool(j, "producer_asleep", stream->producer_asleep);
    json_bool(j, "consumer_asleep", stream->consumer_asleep);
}

static void stream_lines(const object_info *info)
{
    const tern_stream_info *stream = &info->stream;
    double percent = 100.0 * (double)stream->was_used_bytes / (double)stream->capacity_bytes;
    printf("    capacity  %" PRIu64 " bytes, records up to %" PRIu32 "%s\n", stream->capacity_bytes,
           stream->max_record_bytes, stream->flags & TERN_STREAM_WAITABLE ? ", waitable"
           : stream->flags & TERN_STREAM_PAGED ? ", paged" : "");
    printf("    fill      %" PRIu64 " bytes (%.1f %%)\n", stream->was_used_bytes, percent);
    printf("    producer  written %" PRIu64 "%s%s\n", stream->was_written_bytes,
           stream->producer_closed ? ", closed" : "", stream->producer_asleep ? ", asleep" : "");
    printf("    consumer  read %" PRIu64 "%s%s\n", stream->was_read_bytes, stream->consumer_closed ? ", closed" : "",
           stream->consumer_asleep ? ", asleep" : "");
}

static object_part stream_part(const object_info *info, uint32_t number)
{
    return number == 0 ? object_paged_ends(info->stream.flags) : (object_part){ 0, 0 };
}

const object_kind object_stream = {
    TERN_TYPE_STREAM, "stream", sizeof(struct tern_ring_shared), stream_inspect, stream_json, stream_lines,
    stream_part,
};
