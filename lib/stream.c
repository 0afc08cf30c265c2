/* SPDX-License-Identifier: MIT */
/* stream.c: the cold half of the stream: it is a ring of units with a magic of its own. */
#include "internal.h"
#include "../include/tern/stream.h"

/* The ring that carries a stream; false if there can be no such stream. */
static bool stream_ring_desc(tern_ring_desc *ring, const tern_stream_desc *desc)
{
    if (!desc || (desc->flags & ~(TERN_STREAM_WAITABLE | TERN_STREAM_PAGED))) return false;
    uint64_t wanted = desc->capacity_bytes ? desc->capacity_bytes : TERN_STREAM_DEFAULT_CAPACITY_BYTES;
    if (wanted > TERN_STREAM_MAX_CAPACITY_BYTES) return false;
    if (wanted < TERN_STREAM_MIN_CAPACITY_BYTES) wanted = TERN_STREAM_MIN_CAPACITY_BYTES;
    ring->item_size_bytes = TERN__STREAM_UNIT_BYTES;
    ring->capacity_items = (uint32_t)((wanted + TERN__STREAM_UNIT_BYTES - 1) / TERN__STREAM_UNIT_BYTES);
    ring->flags = desc->flags;
    return true;
}

/* Whether the ring that was found can carry a stream: units lie side by side. The hash guards against
 * damage, not malice. */
static bool stream_is_sound(uint32_t item_size_bytes, uint32_t capacity_items, bool sequenced)
{
    return item_size_bytes == TERN__STREAM_UNIT_BYTES && !sequenced
        && capacity_items >= TERN_STREAM_MIN_CAPACITY_BYTES / TERN__STREAM_UNIT_BYTES;
}

static uint64_t stream_bytes(uint32_t units)
{
    return (uint64_t)units * TERN__STREAM_UNIT_BYTES;
}

static uint32_t stream_max_record(uint32_t capacity_items)
{
    uint64_t half = stream_bytes(capacity_items) / 2;
    return half < TERN_STREAM_MAX_RECORD_BYTES ? (uint32_t)half : TERN_STREAM_MAX_RECORD_BYTES;
}

size_t tern_stream_size(const tern_stream_desc *desc)
{
    tern_ring_desc ring;
    return stream_ring_desc(&ring, desc) ? tern_ring_size(&ring) : 0;
}

tern_status tern_stream_format(void *memory, size_t size_bytes, const tern_stream_desc *desc)
{
    tern_ring_desc ring;
    if (!stream_ring_desc(&ring, desc)) return TERN_ERR_ARGUMENT;
    return tern__ring_format(memory, size_bytes, &ring, TERN_STREAM_MAGIC);
}

tern_status tern_stream_attach_producer(tern_stream_producer *p, void *memory, size_t size_bytes)
{
    tern__memset(p, 0, sizeof *p);
    tern_status status = tern__ring_attach_producer(&p->ring, memory, size_bytes, TERN_STREAM_MAGIC);
    if (status == TERN_OK && !stream_is_sound(p->ring.item_size_bytes, p->ring.capacity_items, p->ring.sequenced)) {
        tern__memset(p, 0, sizeof *p);
        status = TERN_ERR_CORRUPT;
    }
    if (status != TERN_OK) return status;
    p->capacity_bytes = stream_bytes(p->ring.capacity_items);
    p->max_record_bytes = stream_max_record(p->ring.capacity_items);
    p->spin_checks = p->ring.spin_checks;
    p->may_block = p->ring.may_block;
    return TERN_OK;
}

tern_status tern_stream_attach_consumer(tern_stream_consumer *c, void *memory, size_t size_bytes)
{
    tern__memset(c, 0, sizeof *c);
    tern_status status = tern__ring_attach_consumer(&c->ring, memory, size_bytes, TERN_STREAM_MAGIC);
    if (status == TERN_OK && !stream_is_sound(c->ring.item_size_bytes, c->ring.capacity_items, c->ring.sequenced)) {
        tern__memset(c, 0, sizeof *c);
        status = TERN_ERR_CORRUPT;
    }
    if (status != TERN_OK) return status;
    c->capacity_bytes = stream_bytes(c->ring.capacity_items);
    c->max_record_bytes = stream_max_record(c->ring.capacity_items);
    c->spin_checks = c->ring.spin_checks;
    c->may_block = c->ring.may_block;
    tern_stream_consumer_release_every(c, 16384);
    return TERN_OK;
}

void tern_stream_consumer_release_every(tern_stream_consumer *c, uint64_t bytes)
{
    if (bytes > c->capacity_bytes) bytes = c->capacity_bytes;
    tern_ring_consumer_release_every(&c->ring,
        (uint32_t)((bytes + TERN__STREAM_UNIT_BYTES - 1) / TERN__STREAM_UNIT_BYTES));
}

tern_status tern_stream_producer_bind(tern_stream_producer *p, const tern_bell *bell, uint32_t source)
{
    return tern_ring_producer_bind(&p->ring, bell, source);
}

void tern_stream_detach_producer(tern_stream_producer *p)
{
    tern_ring_detach_producer(&p->ring);
    tern__memset(p, 0, sizeof *p);
}

void tern_stream_detach_consumer(tern_stream_consumer *c)
{
    tern_ring_detach_consumer(&c->ring);
    tern__memset(c, 0, sizeof *c);
}

/* ---- Close -------------------------------------------------------------------- */

void tern_stream_close_producer(tern_stream_producer *p)
{
    tern_ring_close_producer(&p->ring);
}

void tern_stream_close_consumer(tern_stream_consumer *c)
{
    tern_ring_close_consumer(&c->ring);
}

tern_status tern_stream_producer_status(tern_stream_producer *p)
{
    return p->refused != TERN_OK ? p->refused : tern_ring_producer_status(&p->ring);
}

tern_status tern_stream_consumer_status(tern_stream_consumer *c)
{
    /* units that can't be read are there, and still no record will come */
    return c->ring.status != TERN_OK ? c->ring.status : tern_ring_consumer_status(&c->ring);
}

/* ---- Wait ----------------------------------------------------------------------- */

#if !defined(TERN_NONBLOCKING)

/* Until the record fits. First perhaps for the padding's space, then for the record's: one
 * time-out for both.
 *
 * No deadlock by lazy release: the consumer keeps freed units to itself only while there is
 * something left to read. A look that finds nothing, and so every sleep, comes after it has
 * published all of them; then the whole memory is free, more than is ever waited for. */
static tern_status stream_wait_room(tern_stream_producer *p, uint32_t length, uint64_t timeout_ns)
{
    struct tern__patience patience = tern__patience_begin(timeout_ns, p->spin_checks, &p->ring.spin, &p->ring.role);
    tern_status status = TERN_OK;
    p->ring.may_block = p->may_block;
    while (status == TERN_OK && !tern__stream_room(p, length)) {
        status = tern_stream_producer_status(p);
        /* enough for the record is more than enough for the padding in front of it */
        if (status == TERN_OK) status = tern__ring_wait_space(&p->ring, tern__stream_units(length), &patience);
    }
    return tern__patience_end(&patience, status);
}

tern_status tern_stream_reserve_wait(tern_stream_producer *p, uint32_t length, void **record, uint64_t timeout_ns)
{
    tern_status status = stream_wait_room(p, length, timeout_ns);
    /* one producer: the space that it saw stays */
    *record = status == TERN_OK ? tern_stream_reserve(p, length) : NULL;
    return status;
}

tern_status tern_stream_send_wait(tern_stream_producer *p, uint32_t kind, const void *data, uint32_t length,
                                  uint64_t timeout_ns)
{
    tern_status status = stream_wait_room(p, length, timeout_ns);
    if (status == TERN_OK) tern_stream_send(p, kind, data, length);
    return status;
}

tern_status tern_stream_peek_wait(tern_stream_consumer *c, const void **record, uint32_t *length, uint32_t *kind,
                                  uint64_t timeout_ns)
{
    struct tern__patience patience = tern__patience_begin(timeout_ns, c->spin_checks, &c->ring.spin, &c->ring.role);
    tern_status status = TERN_OK;
    c->ring.may_block = c->may_block;
    /* who is to sleep at once gains nothing from a pause before it looks */
    if (patience.spins_allowed == 0) c->ring.slip_pauses = 0;
    *record = NULL;
    *length = *kind = c->peeked_units = 0;
    /* a look before peek, which pauses when it finds nothing; padding alone is no record: then
     * another turn, with what is left of the time */
    while (status == TERN_OK) {
        bool some = c->ring.limit != c->ring.head || tern__ring_see_items(&c->ring);
        if (some && (*record = tern_stream_peek(c, length, kind))) break;
        status = tern_stream_consumer_status(c);
        if (status == TERN_OK) status = tern__ring_wait_items(&c->ring, &patience);
    }
    return tern__patience_end(&patience, status);
}

tern_status tern_stream_receive_wait(tern_stream_consumer *c, void *out, uint32_t room_bytes, uint32_t *length,
                                     uint32_t *kind, uint64_t timeout_ns)
{
    const void *record;
    tern_status status = tern_stream_peek_wait(c, &record, length, kind, timeout_ns);
    if (status != TERN_OK) return status;
    if (*length > room_bytes) return TERN_ERR_MEMORY;
    if (*length != 0) tern_copy_from_shared(out, record, *length);
    tern_stream_release(c);
    return TERN_OK;
}

#endif

/* ---- Look ------------------------------------------------------------------------- */

tern_status tern_stream_inspect(tern_stream_info *info, const void *memory, size_t size_bytes)
{
    tern_ring_info ring;
    tern__memset(info, 0, sizeof *info);
    tern_status status = tern__ring_inspect(&ring, memory, size_bytes, TERN_STREAM_MAGIC);
    if (status != TERN_OK) return status;
    if (!stream_is_sound(ring.item_size_bytes, ring.capacity_items, (ring.flags & TERN_RING_SEQUENCED) != 0))
        return TERN_ERR_CORRUPT;
    info->capacity_bytes = stream_bytes(ring.capacity_items);
    info->size_bytes = ring.size_bytes;
    info->max_record_bytes = stream_max_record(ring.capacity_items);
    info->flags = ring.flags;
    info->was_written_bytes = stream_bytes(ring.was_pushed);
    info->was_read_bytes = stream_bytes(ring.was_popped);
    info->was_used_bytes = stream_bytes(ring.was_count);
    info->producer_closed = ring.producer_closed;
    info->consumer_closed = ring.consumer_closed;
    info->producer_asleep = ring.producer_asleep;
    info->consumer_asleep = ring.consumer_asleep;
    return TERN_OK;
}
