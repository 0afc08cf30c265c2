/* SPDX-License-Identifier: MIT */
/* exports_triple.c: the triple buffer's inline calls and the layout of its views. */
#define EXPORTS_OF triple
#include "exports.h"

WRAP(void *, tern_triple_back, (tern_triple_writer *w), (w))
WRAP(bool, tern_triple_publish, (tern_triple_writer *w), (w))
WRAP(bool, tern_triple_update, (tern_triple_reader *r), (r))
WRAP(const void *, tern_triple_front, (const tern_triple_reader *r), (r))
WRAP(uint64_t, tern_triple_frame, (const tern_triple_reader *r), (r))
WRAP(uint64_t, tern_triple_dropped, (const tern_triple_reader *r), (r))

NUMBER("test_sizeof_triple_writer", sizeof(tern_triple_writer))
NUMBER("test_sizeof_triple_reader", sizeof(tern_triple_reader))
NUMBER("test_sizeof_triple_info", sizeof(tern_triple_info))
NUMBER("test_offsetof_triple_reader_spin_checks", offsetof(tern_triple_reader, spin_checks))
NUMBER("test_offsetof_triple_info_was_frame", offsetof(tern_triple_info, was_frame))
NUMBER("test_offsetof_triple_info_was_fresh", offsetof(tern_triple_info, was_fresh))
NUMBER("test_offsetof_triple_info_writer_closed", offsetof(tern_triple_info, writer_closed))
NUMBER("test_offsetof_triple_info_reader_closed", offsetof(tern_triple_info, reader_closed))
NUMBER("test_offsetof_triple_info_reader_asleep", offsetof(tern_triple_info, reader_asleep))
