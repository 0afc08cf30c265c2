/* SPDX-License-Identifier: MIT */
/*
 * stream_inline.h: the stream's hot path. Included by stream.h, never by itself.
 *
 * A stream is a ring of units of 8 bytes: indices, SLEEP, publication, lazy release and every
 * memory order are the ring's. What is added is how units make up records, and the end
 * of the memory, which no record crosses.
 */
#ifndef TERN_STREAM_INLINE_H
#define TERN_STREAM_INLINE_H

#ifndef TERN_STREAM_H
#  error "include <tern/stream.h>, not stream_inline.h"
#endif

/* ---- Parts ------------------------------------------------------------------- */

/* Units of a record: one for the header, and its bytes rounded up. Any 32-bit length will do. */
TERN_INLINE uint32_t tern__stream_units(uint32_t length)
{
    return (uint32_t)(((uint64_t)length + 2 * TERN__STREAM_UNIT_BYTES - 1) / TERN__STREAM_UNIT_BYTES);
}

TERN_INLINE unsigned char *tern__stream_unit(unsigned char *items, uint32_t index, uint32_t capacity_items)
{
    return tern__ring_slot(items, index, capacity_items, TERN__STREAM_UNIT_BYTES);
}

/* The ring's trick of asking for lines ahead of their use, for records of different lengths: each
 * record asks for so many lines as it has passed itself. Those are lines that begin in the units from
 * `from`; long records are left to the processor's own prefetcher. */
#define TERN__STREAM_LINE_UNITS (TERN__RING_LINE_BYTES / TERN__STREAM_UNIT_BYTES)
#define TERN__STREAM_AHEAD_MAX_UNITS (TERN__RING_AHEAD_MAX_ITEM_BYTES / TERN__STREAM_UNIT_BYTES)

TERN_INLINE void tern__stream_ask_to_write(tern_ring_producer *ring, uint32_t units)
{
    if (!TERN__HAS_PREFETCH || units > TERN__STREAM_AHEAD_MAX_UNITS) return;
    uint32_t from = ring->tail + ring->ahead_items;
    for (uint32_t at = (0 - from) % TERN__STREAM_LINE_UNITS; at < units; at += TERN__STREAM_LINE_UNITS)
        tern_prefetch_write(tern__stream_unit(ring->items, from + at, ring->capacity_items));
}

/* Only of records that are known to be there: see tern__ring_ask_to_read(). */
TERN_INLINE void tern__stream_ask_to_read(tern_ring_consumer *ring, uint32_t units)
{
    if (!TERN__HAS_PREFETCH || units > TERN__STREAM_AHEAD_MAX_UNITS) return;
    if (ring->limit - ring->head <= ring->ahead_items) return;
    uint32_t from = ring->head + ring->ahead_items;
    for (uint32_t at = (0 - from) % TERN__STREAM_LINE_UNITS; at < units; at += TERN__STREAM_LINE_UNITS)
        tern_prefetch(tern__stream_unit(ring->items, from + at, ring->capacity_items));
}

TERN_INLINE void tern__stream_write_header(tern_ring_producer *ring, uint32_t length, uint32_t kind)
{
    struct tern_stream_header header = { length, kind };
    tern_copy_to_shared(tern__stream_unit(ring->items, ring->tail, ring->capacity_items), &header, sizeof header);
}

/* True if a record of this length fits at tail. If it would cross the end of the memory, padding
 * is published first, by itself: even if there is too little space for the record at the start,
 * the consumer then passes over the padding, and the next call finds tail at the start.
 *
 * Why every record of at most max_record_bytes fits in the end, in a capacity of C units: it has
 * at most C/2 + 1 units, and C >= 2, so from the start it fits into an empty memory. It crosses the end only
 * from a position with at most C/2 units left, and so much padding too fits into an empty memory.
 * The memory becomes empty, and is seen to be so, whenever the consumer has looked beyond
 * the last record: a look that finds nothing publishes all that was freed. Padding and record
 * together may need C + 1 units; published together they might never fit. */
TERN_INLINE bool tern__stream_room(tern_stream_producer *p, uint32_t length)
{
    tern_ring_producer *ring = &p->ring;
    uint32_t units = tern__stream_units(length);
    if (TERN_UNLIKELY(length > p->max_record_bytes)) {
        p->refused = TERN_ERR_ARGUMENT;
        return false;
    }
    uint32_t whole = tern__ring_until_wrap(ring->tail, ring->capacity_items);
    if (TERN_UNLIKELY(units > whole)) {
        p->refused = TERN_OK;
        if (tern__ring_space(ring, whole) < whole) return false;
        tern__stream_write_header(ring, TERN__STREAM_PADDING, 0);
        ring->tail += whole;
        tern__ring_publish_items(ring, &ring->ends[0].word, ring->tail << 1);
    }
    if (TERN_LIKELY(tern__ring_space(ring, units) == units)) return true;
    p->refused = TERN_OK;
    return false;
}

/* The record at tail is written: header, index, and the ring publishes. */
TERN_INLINE void tern__stream_publish(tern_stream_producer *p, uint32_t length, uint32_t kind)
{
    tern__stream_write_header(&p->ring, length, kind);
    p->ring.tail += tern__stream_units(length);
    p->reserved = false;
    tern__stream_ask_to_write(&p->ring, tern__stream_units(length));
    tern__ring_publish_items(&p->ring, &p->ring.ends[0].word, p->ring.tail << 1);
}

/* The record at head: its bytes, and its header, which is read once. NULL: none, or no sense in it.
 *
 * The header is a peer's word. A record lies within what was published and before the end of the
 * memory; padding is published as a whole and reaches to the end, from the second half. So
 * there is at most one padding in a call: behind it the position is the start. */
TERN_INLINE const unsigned char *tern__stream_front(tern_stream_consumer *c, struct tern_stream_header *header)
{
    tern_ring_consumer *ring = &c->ring;
    c->peeked_units = 0;
    for (;;) {
        if (TERN_UNLIKELY(ring->head == ring->limit) && !tern__ring_try_see_items(ring)) return NULL;
        const unsigned char *at = tern__stream_unit(ring->items, ring->head, ring->capacity_items);
        uint64_t word = tern_read_once(at);
        tern__memcpy(header, &word, sizeof word);
        uint32_t whole = tern__ring_until_wrap(ring->head, ring->capacity_items);
        uint32_t there = ring->limit - ring->head;
        uint32_t units = tern__stream_units(header->length_bytes);
        if (TERN_LIKELY(header->length_bytes <= c->max_record_bytes && units <= there && units <= whole)) {
            c->peeked_units = units;
            tern__stream_ask_to_read(ring, units);
            return at + TERN__STREAM_UNIT_BYTES;
        }
        if (header->length_bytes != TERN__STREAM_PADDING || whole > there || whole > ring->capacity_items / 2) {
            ring->status = TERN_ERR_CORRUPT;
            return NULL;
        }
        tern__ring_advance(ring, whole);
    }
}

/* The record that tern__stream_front() found has been read. */
TERN_INLINE void tern__stream_pass(tern_stream_consumer *c)
{
    uint32_t units = c->peeked_units;
    c->peeked_units = 0;
    tern__ring_advance(&c->ring, units);
}

/* ---- Calls ------------------------------------------------------------------------ */

/**
 * Lend space for a record, to be written in place.
 *
 * Nothing is visible to the consumer before tern_stream_commit(). Another reserve takes the place
 * of this one, and a send in between ends it.
 *
 * @param length bytes, 0 to max_record_bytes
 * @return length bytes at a multiple of 8, valid until the commit; NULL: no space now, or
 *         length is too large, or closed or corrupt (tern_stream_producer_status() tells which)
 *
 * Role: producer. Progress: wait-free; a system call if the consumer sleeps and padding is published.
 * Order: acquire [RING-2]. Crash: dying before the commit publishes no record.
 */
TERN_INLINE void *tern_stream_reserve(tern_stream_producer *p, uint32_t length)
{
    p->reserved = tern__stream_room(p, length);
    if (!p->reserved) return NULL;
    p->reserved_bytes = length;
    p->kind = 0;
    return tern__stream_unit(p->ring.items, p->ring.tail, p->ring.capacity_items) + TERN__STREAM_UNIT_BYTES;
}

/** Give the reserved record a kind; without this call it is 0.
 *  @param kind any number. Role: producer. Progress: wait-free. Order: none. Crash: changes nothing shared. */
TERN_INLINE void tern_stream_set_kind(tern_stream_producer *p, uint32_t kind)
{
    p->kind = kind;
}

/**
 * Publish the reserved record.
 *
 * @param length bytes, 0 to what was reserved: a record may shrink, and only what it has left takes
 *               space; more is a caller's mistake and is cut, as is a commit without a reserve
 *
 * Role: producer. Progress: wait-free; one system call if the consumer sleeps.
 * Order: release [RING-1]; pairs with peek and receive. Crash: the whole record or nothing.
 */
TERN_INLINE void tern_stream_commit(tern_stream_producer *p, uint32_t length)
{
    TERN_ASSERT(p->reserved && length <= p->reserved_bytes);
    if (!p->reserved) return;
    tern__stream_publish(p, length < p->reserved_bytes ? length : p->reserved_bytes, p->kind);
}

/**
 * Send a record.
 *
 * @param kind   any number
 * @param data   length bytes, copied; NULL if length is 0
 * @param length bytes, 0 to max_record_bytes
 * @return false: as tern_stream_reserve()
 *
 * Role: producer. Progress: wait-free; a waitable stream makes a system call if the consumer sleeps.
 * Order: release [RING-1]; pairs with peek and receive. Crash: the whole record or nothing.
 */
TERN_INLINE bool tern_stream_send(tern_stream_producer *p, uint32_t kind, const void *data, uint32_t length)
{
    if (TERN_UNLIKELY(!tern__stream_room(p, length))) return false;
    unsigned char *at = tern__stream_unit(p->ring.items, p->ring.tail, p->ring.capacity_items);
    /* on its way back from a consumer that polls it while we write */
    tern_prefetch_write(&p->ring.ends[0].word);
    if (length != 0) tern_copy_to_shared(at + TERN__STREAM_UNIT_BYTES, data, length);
    tern__stream_publish(p, length, kind);
    return true;
}

/**
 * Lend the next record for reading in place.
 *
 * Length and kind come from one read of its header, after every check. A peek without a release
 * lends the same record again.
 *
 * @param length out: bytes, 0 to max_record_bytes
 * @param kind   out: as the producer gave it
 * @return the record's bytes, at a multiple of 8, valid and unchanged until the release, and not NULL
 *         even if there are none of them; NULL: no record (tern_stream_consumer_status() tells why),
 *         length and kind are then 0
 *
 * Role: consumer. Progress: wait-free; a system call if the producer sleeps and space is freed.
 * Order: acquire [RING-1]. Crash: the record is delivered again to a successor.
 */
TERN_INLINE const void *tern_stream_peek(tern_stream_consumer *c, uint32_t *length, uint32_t *kind)
{
    struct tern_stream_header header;
    const unsigned char *at = tern__stream_front(c, &header);
    *length = at ? header.length_bytes : 0;
    *kind = at ? header.kind : 0;
    return at;
}

/**
 * Give the peeked record's space back. Without a peek it is a caller's mistake and does nothing.
 *
 * Role: consumer. Progress: wait-free; one system call if the producer sleeps.
 * Order: release [RING-2]; pairs with reserve and send. Crash: see tern_stream_consumer_release_every().
 */
TERN_INLINE void tern_stream_release(tern_stream_consumer *c)
{
    TERN_ASSERT(c->peeked_units != 0);
    tern__stream_pass(c);
}

/**
 * Receive the next record.
 *
 * @param out        room for room_bytes bytes, untouched when false; NULL if room_bytes is 0
 * @param room_bytes the copy needs no call if this is a constant and the record has just so many
 * @param length     out: bytes of the record; 0 if there is none
 * @param kind       out: as the producer gave it; 0 if there is none
 * @return true: received. false and *length > room_bytes: it does not fit, and stays.
 *         false and *length == 0: no record (tern_stream_consumer_status() tells why)
 *
 * Role: consumer. Progress: wait-free; a system call if the producer sleeps and space is freed.
 * Order: acquire [RING-1], release [RING-2]. Crash: see tern_stream_consumer_release_every().
 */
TERN_INLINE bool tern_stream_receive(tern_stream_consumer *c, void *out, uint32_t room_bytes, uint32_t *length,
                                     uint32_t *kind)
{
    const void *at = tern_stream_peek(c, length, kind);
    uint32_t bytes = *length;
    if (TERN_UNLIKELY(!at) || TERN_UNLIKELY(bytes > room_bytes)) return false;
    if (out != NULL) {   /* as it may be if room_bytes is 0, but memcpy refuses it */
        if (bytes == room_bytes) tern_copy_from_shared(out, at, room_bytes);
        else tern_copy_from_shared(out, at, bytes);
    }
    tern__stream_pass(c);
    return true;
}

/** Bytes in the stream as the producer sees it, headers and padding too; the consumer may have
 *  released some since. Role: producer. Progress: wait-free. Order: none. Crash: changes nothing. */
TERN_INLINE uint64_t tern_stream_producer_was_used_bytes(const tern_stream_producer *p)
{
    return (uint64_t)tern_ring_producer_was_count(&p->ring) * TERN__STREAM_UNIT_BYTES;
}

/** Bytes in the stream as the consumer sees it, headers and padding too; the producer may have
 *  sent more since. Role: consumer. Progress: wait-free. Order: none. Crash: changes nothing. */
TERN_INLINE uint64_t tern_stream_consumer_was_used_bytes(const tern_stream_consumer *c)
{
    return (uint64_t)tern_ring_consumer_was_count(&c->ring) * TERN__STREAM_UNIT_BYTES;
}

#endif
