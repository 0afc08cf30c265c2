/* SPDX-License-Identifier: MIT */
/* exports_stream.c: the stream's inline calls and the layout of its views. */
#define EXPORTS_OF stream
#include "exports.h"

WRAP(void *, tern_stream_reserve, (tern_stream_producer *p, uint32_t length), (p, length))
WRAP_VOID(tern_stream_set_kind, (tern_stream_producer *p, uint32_t kind), (p, kind))
WRAP_VOID(tern_stream_commit, (tern_stream_producer *p, uint32_t length), (p, length))
WRAP(bool, tern_stream_send, (tern_stream_producer *p, uint32_t kind, const void *data, uint32_t length),
     (p, kind, data, length))
WRAP(const void *, tern_stream_peek, (tern_stream_consumer *c, uint32_t *length, uint32_t *kind), (c, length, kind))
WRAP_VOID(tern_stream_release, (tern_stream_consumer *c), (c))
WRAP(bool, tern_stream_receive,
     (tern_stream_consumer *c, void *out, uint32_t room_bytes, uint32_t *length, uint32_t *kind),
     (c, out, room_bytes, length, kind))

NUMBER("test_sizeof_stream_producer", sizeof(tern_stream_producer))
NUMBER("test_sizeof_stream_consumer", sizeof(tern_stream_consumer))
NUMBER("test_sizeof_stream_info", sizeof(tern_stream_info))
NUMBER("test_offsetof_stream_producer_spin_checks", offsetof(tern_stream_producer, spin_checks))
NUMBER("test_offsetof_stream_consumer_spin_checks", offsetof(tern_stream_consumer, spin_checks))
NUMBER("test_offsetof_stream_producer_max_record_bytes", offsetof(tern_stream_producer, max_record_bytes))
NUMBER("test_offsetof_stream_info_was_written_bytes", offsetof(tern_stream_info, was_written_bytes))
NUMBER("test_offsetof_stream_info_was_used_bytes", offsetof(tern_stream_info, was_used_bytes))
NUMBER("test_offsetof_stream_info_producer_closed", offsetof(tern_stream_info, producer_closed))
NUMBER("test_offsetof_stream_info_producer_asleep", offsetof(tern_stream_info, producer_asleep))
NUMBER("test_offsetof_stream_info_consumer_asleep", offsetof(tern_stream_info, consumer_asleep))
