/* SPDX-License-Identifier: MIT */
/* exports_watch.c: how often a call looks at shared memory. The library that this is linked to was compiled with
 * TERN_WATCH: it tells of each access. */
#define EXPORTS_OF watch
#include "exports.h"

static uint32_t looks;

void tern_watch_before(const void *shared, size_t size_bytes, int kind)
{
    (void)shared, (void)size_bytes;
    looks += (kind & TERN_WATCH_READ) != 0;
}

void tern_watch_after(const void *shared, size_t size_bytes, int kind)
{
    (void)shared, (void)size_bytes, (void)kind;
}

/* Reads since the start, compare-exchanges among them. */
NUMBER("test_looks", looks)

/* Where a view says how often it looks before it sleeps. */
NUMBER("test_offsetof_producer_spin_checks", offsetof(tern_ring_producer, spin_checks))
NUMBER("test_offsetof_consumer_spin_checks", offsetof(tern_ring_consumer, spin_checks))
NUMBER("test_offsetof_stream_producer_spin_checks", offsetof(tern_stream_producer, spin_checks))
NUMBER("test_offsetof_stream_consumer_spin_checks", offsetof(tern_stream_consumer, spin_checks))
NUMBER("test_offsetof_triple_reader_spin_checks", offsetof(tern_triple_reader, spin_checks))
NUMBER("test_offsetof_bell_spin_checks", offsetof(tern_bell, spin_checks))
