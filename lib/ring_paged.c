/* SPDX-License-Identifier: MIT */
/* ring_paged.c: paged rings and streams: a consumer that keeps itself from writing what it reads. */
#include "os/os.h"
#include "../include/tern/stream.h"

tern_status tern_ring_consumer_protect(tern_ring_consumer *c)
{
    if (!c->shared) return TERN_ERR_STATE;
    /* the view knows: attach checked the flag, and nothing of it is read from the memory again */
    if (c->ends == &c->shared->producer) return TERN_ERR_UNSUPPORTED;
    uint64_t items_bytes = (uint64_t)c->capacity_items * c->slot_size_bytes;
    /* to the end of the last page, which is the ring's */
    items_bytes += (0 - items_bytes) % TERN_PAGE_BYTES;
    tern_status status = tern__os_read_only(c->items, (size_t)items_bytes);
    return status == TERN_OK ? tern__os_read_only(c->shared, TERN_PAGE_BYTES) : status;
}

tern_status tern_stream_consumer_protect(tern_stream_consumer *c)
{
    return tern_ring_consumer_protect(&c->ring);
}
