/* SPDX-License-Identifier: MIT */
/* exports_ring.c: the ring's inline calls and the layout of its views. */
#define EXPORTS_OF ring
#include "exports.h"

WRAP(bool, tern_ring_push, (tern_ring_producer *p, const void *item), (p, item))
WRAP(bool, tern_ring_pop, (tern_ring_consumer *c, void *item), (c, item))

NUMBER("test_sizeof_producer", sizeof(tern_ring_producer))
NUMBER("test_sizeof_consumer", sizeof(tern_ring_consumer))
NUMBER("test_sizeof_info", sizeof(tern_ring_info))
NUMBER("test_offsetof_producer_spin_checks", offsetof(tern_ring_producer, spin_checks))
NUMBER("test_offsetof_consumer_spin_checks", offsetof(tern_ring_consumer, spin_checks))
NUMBER("test_offsetof_info_was_pushed", offsetof(tern_ring_info, was_pushed))
NUMBER("test_offsetof_info_was_popped", offsetof(tern_ring_info, was_popped))
NUMBER("test_offsetof_info_was_count", offsetof(tern_ring_info, was_count))
NUMBER("test_offsetof_info_producer_closed", offsetof(tern_ring_info, producer_closed))
NUMBER("test_offsetof_info_producer_asleep", offsetof(tern_ring_info, producer_asleep))
NUMBER("test_offsetof_info_consumer_asleep", offsetof(tern_ring_info, consumer_asleep))
