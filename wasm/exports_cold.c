/* SPDX-License-Identifier: MIT */
/* exports_cold.c: the inline calls that are made to be small, the slow parts of exports_hot.c, and the sizes of the
 * views. In one piece with the library, and with TERN__MODULE, it comes out smaller than linked to libtern.a. */
#include "../lib/tern.c"
#include "exports.h"

bool export_see_space(tern_ring_producer *p)
{
    return tern__ring_see_space(p);
}

bool export_see_items(tern_ring_consumer *c)
{
    return tern__ring_try_see_items(c);
}

bool export_push_sequenced(tern_ring_producer *p, const void *item)
{
    return tern__ring_push_sequenced(p, item, p->item_size_bytes);
}

bool export_pop_sequenced(tern_ring_consumer *c, void *item)
{
    return tern__ring_pop_sequenced(c, item, c->item_size_bytes);
}

uint32_t export_push_many_sequenced(tern_ring_producer *p, const void *items, uint32_t count)
{
    return tern__ring_push_many_sequenced(p, items, count, p->item_size_bytes);
}

uint32_t export_pop_many_sequenced(tern_ring_consumer *c, void *items, uint32_t count)
{
    return tern__ring_pop_many_sequenced(c, items, count, c->item_size_bytes);
}

EXPORT(void *, tern_ring_reserve, (tern_ring_producer *p, uint32_t want, uint32_t *got), (p, want, got))
EXPORT_VOID(tern_ring_commit, (tern_ring_producer *p, uint32_t count), (p, count))
EXPORT(const void *, tern_ring_peek, (tern_ring_consumer *c, uint32_t want, uint32_t *got), (c, want, got))
EXPORT_VOID(tern_ring_release, (tern_ring_consumer *c, uint32_t count), (c, count))

EXPORT(void *, tern_stream_reserve, (tern_stream_producer *p, uint32_t length), (p, length))
EXPORT_VOID(tern_stream_set_kind, (tern_stream_producer *p, uint32_t kind), (p, kind))
EXPORT_VOID(tern_stream_commit, (tern_stream_producer *p, uint32_t length), (p, length))
EXPORT(const void *, tern_stream_peek, (tern_stream_consumer *c, uint32_t *length, uint32_t *kind), (c, length, kind))
EXPORT_VOID(tern_stream_release, (tern_stream_consumer *c), (c))

EXPORT(bool, tern_triple_publish, (tern_triple_writer *w), (w))
EXPORT(bool, tern_triple_update, (tern_triple_reader *r), (r))
EXPORT(void *, tern_triple_back, (tern_triple_writer *w), (w))
EXPORT(const void *, tern_triple_front, (const tern_triple_reader *r), (r))
EXPORT_AS(double, tern_triple_frame, (const tern_triple_reader *r), return (double)tern_triple_frame(r))
EXPORT_AS(double, tern_triple_dropped, (const tern_triple_reader *r), return (double)tern_triple_dropped(r))

EXPORT(void *, tern_pool_get, (const tern_pool *p, tern_handle handle), (p, handle))
EXPORT(void *, tern_pool_pin, (tern_pool *p, tern_handle handle), (p, handle))
EXPORT_VOID(tern_pool_unpin, (tern_pool *p, tern_handle handle), (p, handle))

EXPORT(bool, tern_bell_ring, (const tern_bell *bell, uint32_t source), (bell, source))
EXPORT_VOID(tern_bell_begin, (tern_bell *bell, tern_bell_pass *pass), (bell, pass))
EXPORT(bool, tern_bell_next, (tern_bell_pass *pass, uint32_t *first_source, uint32_t *bits), (pass, first_source, bits))

/* Bytes of ring producer and consumer, stream producer and consumer, triple writer and reader, pool, bell,
 * pass over a bell, in this order. */
__attribute__((export_name("tern_sizeof_views"))) const uint32_t *export_sizeof_views(void);
const uint32_t *export_sizeof_views(void)
{
    static const uint32_t sizes[] = {
        sizeof(tern_ring_producer), sizeof(tern_ring_consumer), sizeof(tern_stream_producer),
        sizeof(tern_stream_consumer), sizeof(tern_triple_writer), sizeof(tern_triple_reader), sizeof(tern_pool),
        sizeof(tern_bell), sizeof(tern_bell_pass) };
    return sizes;
}
