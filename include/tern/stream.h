/* SPDX-License-Identifier: MIT */
/**
 * stream.h: ring of variable-length records, one producer, one consumer (SPSC).
 *
 *     tern_stream_desc desc = { 1 << 20, TERN_STREAM_WAITABLE };
 *     tern_stream_format(memory, tern_stream_size(&desc), &desc);
 *
 *     tern_stream_producer p;                                   // in one thread or process
 *     tern_stream_attach_producer(&p, memory, size);
 *     tern_stream_send(&p, KIND_TEXT, text, text_bytes);        // false: no space now
 *
 *     tern_stream_consumer c;                                   // in another
 *     tern_stream_attach_consumer(&c, memory, size);
 *     while ((record = tern_stream_peek(&c, &length, &kind))) { // read where it lies
 *         ...
 *         tern_stream_release(&c);
 *     }
 *
 * | at the same time          | allowed                                      |
 * |---------------------------|----------------------------------------------|
 * | producer and consumer     | any call of one beside any call of the other |
 * | two calls of one role     | never: one view a role, one thread a view    |
 * | inspect                   | beside everything                            |
 *
 * A record has 0 to max_record_bytes bytes, which is half the capacity, and a kind: a number that
 * means what the two ends agree on. Records come out whole and in order. Each takes its bytes,
 * rounded up to 8, and 8 more; its bytes begin at a multiple of 8 and never wrap.
 * Every call is wait-free but those named *_wait, which block.
 *
 * What always fits. Where a record would cross the end of the memory, padding is published in
 * place of it, and the record begins at the start. The consumer passes over padding when it next
 * looks for a record. So while the consumer goes on looking, space for any record
 * up to max_record_bytes comes, whatever the position: docs/stream.md has the proof.
 *
 * When freed space becomes visible: as in the ring, after every release_every bytes (a quarter of the
 * capacity, at most 16 KiB), and always when the consumer finds nothing more. After
 * tern_stream_consumer_release_every(&c, 1) each release is seen at once.
 *
 * A hot loop is fastest on a view that is a local variable, and a send whose length is a
 * constant copies without a call.
 */
#ifndef TERN_STREAM_H
#define TERN_STREAM_H

#include "ring.h"

/* ---- Shared bytes ---------------------------------------------------------- */

#define TERN_STREAM_MAGIC 0x52545354u /* the bytes "TSTR" */
#define TERN_STREAM_MIN_CAPACITY_BYTES 16u
#define TERN_STREAM_MAX_CAPACITY_BYTES (UINT64_C(1) << 33)
#define TERN_STREAM_DEFAULT_CAPACITY_BYTES 65536u
#define TERN_STREAM_MAX_RECORD_BYTES 0xfffffff8u

/** tern_stream_desc.flags: allow *_wait, as TERN_RING_WAITABLE. */
#define TERN_STREAM_WAITABLE TERN_RING_WAITABLE
/** tern_stream_desc.flags: all that the consumer writes on a page of its own, as TERN_RING_PAGED. */
#define TERN_STREAM_PAGED TERN_RING_PAGED

/* The bytes of a stream are a struct tern_ring_shared with the magic above and items of 8 bytes,
 * called units. A record is a header and its bytes, in contiguous units; the producer publishes
 * whole records, the consumer releases whole records. */
#define TERN__STREAM_UNIT_BYTES 8u
/* length_bytes of padding, which reaches to the end of the memory; no record is so long. */
#define TERN__STREAM_PADDING 0xffffffffu

/** The unit in front of a record's bytes. The producer writes it, the consumer reads it once. */
struct tern_stream_header {
    uint32_t length_bytes;
    uint32_t kind;
};

TERN_STATIC_ASSERT(sizeof(struct tern_stream_header) == TERN__STREAM_UNIT_BYTES, "layout");
TERN_SHARED_ASSERT(sizeof(struct tern_ring_shared) % TERN__STREAM_UNIT_BYTES == 0, "layout");

/* ---- Local views ------------------------------------------------------------- */

/** What to make. Zero means default: a capacity of 0 gives 64 KiB. */
typedef struct tern_stream_desc {
    uint64_t capacity_bytes;   /* rounded up to a power of two, at least 16, at most 2^33 */
    uint32_t flags;            /* TERN_STREAM_WAITABLE or TERN_STREAM_PAGED */
} tern_stream_desc;

/** The producer's view. Private to its process; may be copied, but then only one copy may be used. */
typedef struct tern_stream_producer {
    uint64_t capacity_bytes;     /* public, read only */
    uint32_t max_record_bytes;   /* public, read only: half the capacity, at most 2^32 - 8 */
    uint32_t spin_checks;        /* public: most looks before *_wait goes to sleep */
    bool may_block;              /* public: false makes *_wait answer TERN_ERR_DOMAIN */
    bool reserved;               /* the rest is private */
    uint32_t reserved_bytes;     /* of the record that is being written in place */
    uint32_t kind;               /* of that record */
    tern_status refused;         /* TERN_ERR_ARGUMENT if the last record was too long */
    tern_ring_producer ring;
} tern_stream_producer;

/** The consumer's view. Private to its process; may be copied, but then only one copy may be used. */
typedef struct tern_stream_consumer {
    uint64_t capacity_bytes;     /* public, read only */
    uint32_t max_record_bytes;   /* public, read only: half the capacity, at most 2^32 - 8 */
    uint32_t spin_checks;        /* public: most looks before *_wait goes to sleep */
    bool may_block;              /* public: false makes *_wait answer TERN_ERR_DOMAIN */
    uint32_t peeked_units;       /* private, as the rest: of the record that was lent, 0: none */
    tern_ring_consumer ring;
} tern_stream_consumer;

/** A look from outside; every value may have changed already. */
typedef struct tern_stream_info {
    uint64_t capacity_bytes, size_bytes;
    uint32_t max_record_bytes, flags;
    /* headers and padding count; the first two are counters modulo 2^34 */
    uint64_t was_written_bytes, was_read_bytes, was_used_bytes;
    bool producer_closed, consumer_closed, producer_asleep, consumer_asleep;
} tern_stream_info;

TERN_EXTERN_C_BEGIN

/* ---- Life ---------------------------------------------------------------------- */

/**
 * Bytes needed for a stream.
 *
 * @return header and records in bytes; 0 if the description is invalid: a capacity above
 *         2^33, an unknown flag, a paged stream that is waitable, or more bytes than size_t can count
 *
 * Role: any. Progress: wait-free. Order: none. Crash: no shared memory touched.
 */
TERN_API size_t tern_stream_size(const tern_stream_desc *desc);

/**
 * Make a stream in memory that nobody uses yet.
 *
 * @param memory     aligned to 64 bytes; of a paged stream, to TERN_PAGE_BYTES
 * @param size_bytes at least tern_stream_size(desc)
 * @return TERN_OK; TERN_ERR_ARGUMENT, TERN_ERR_ALIGNMENT, TERN_ERR_MEMORY
 *
 * Role: creator. Progress: wait-free.
 * Order: release [RING-0]; pairs with attach.
 * Crash: dying before the end leaves TERN_ERR_NOT_READY; format again.
 */
TERN_API tern_status tern_stream_format(void *memory, size_t size_bytes, const tern_stream_desc *desc);

/**
 * Take the producer's end.
 *
 * Every number in the header is checked and copied into the view; the shared
 * header is never read again. The view goes on where the last producer stopped.
 *
 * @param memory     aligned to 64 bytes, a paged stream to TERN_PAGE_BYTES; formatted
 * @param size_bytes bytes that are accessible from memory
 * @return TERN_OK; TERN_ERR_ALIGNMENT; TERN_ERR_MEMORY: smaller than the stream
 *         says; TERN_ERR_NOT_READY: being formatted; TERN_ERR_VERSION;
 *         TERN_ERR_CORRUPT: no stream, perhaps a ring. On failure the view is all zero.
 *
 * Role: producer, one at a time. Progress: wait-free.
 * Order: acquire [RING-0]; pairs with tern_stream_format().
 * Crash: changes nothing that is shared.
 */
TERN_API tern_status tern_stream_attach_producer(tern_stream_producer *p, void *memory, size_t size_bytes);

/** Take the consumer's end; as tern_stream_attach_producer(). Records that a dead
 *  consumer did not release are delivered again. */
TERN_API tern_status tern_stream_attach_consumer(tern_stream_consumer *c, void *memory, size_t size_bytes);

/** Give the end back without closing it; a successor may attach. What was reserved and not
 *  committed was never there. The view is zeroed.
 *  Role: producer. Progress: wait-free. Order: none. Crash: changes nothing shared. */
TERN_API void tern_stream_detach_producer(tern_stream_producer *p);

/** Publish what was freed, then give the end back; as tern_stream_detach_producer(). A record
 *  that was peeked and not released is delivered again.
 *  Role: consumer. Progress: wait-free. Order: release [RING-2]. Crash: records are delivered again. */
TERN_API void tern_stream_detach_consumer(tern_stream_consumer *c);

/**
 * Say that nothing more will be sent, and wake the consumer.
 *
 * The consumer drains what is there; then its *_wait and status calls answer
 * TERN_ERR_CLOSED. Closing cannot be taken back. The view stays attached.
 *
 * Role: producer. Progress: wait-free. Crash: closes wholly or not at all; dying
 * before the wake can leave a sleeper to its time-out.
 * Order: release [RING-3], [RING-4]; pair with the consumer's status and sleep.
 */
TERN_API void tern_stream_close_producer(tern_stream_producer *p);

/** Say that nothing more will be received, and wake the producer. A record may still go in
 *  unseen until the producer next looks; then reserve answers NULL, *_wait and status
 *  TERN_ERR_CLOSED. Role: consumer; otherwise as tern_stream_close_producer(). */
TERN_API void tern_stream_close_consumer(tern_stream_consumer *c);

/**
 * Why a reserve or send failed.
 *
 * @return TERN_OK: there is just no space now; TERN_ERR_ARGUMENT: the record was longer than
 *         max_record_bytes; TERN_ERR_CLOSED: the consumer closed; TERN_ERR_CORRUPT: the
 *         consumer's index made no sense
 *
 * Role: producer. Progress: wait-free. Crash: changes nothing shared.
 * Order: acquire [RING-3]; pairs with tern_stream_close_consumer().
 */
TERN_API tern_status tern_stream_producer_status(tern_stream_producer *p);

/** Why a peek or receive found nothing: TERN_OK: nothing there now; TERN_ERR_CLOSED: the producer
 *  closed and all has been released; TERN_ERR_CORRUPT: the producer's index or the header of a record made
 *  no sense, and what follows can't be read. Role: consumer; otherwise as
 *  tern_stream_producer_status(). */
TERN_API tern_status tern_stream_consumer_status(tern_stream_consumer *c);

/**
 * How often freed space is published.
 *
 * @param bytes 1: at each release (exact); rounded up to 8, clamped to a quarter of the capacity
 *
 * Role: consumer. Progress: wait-free. Order: none.
 * Crash: released records of fewer bytes than this are delivered again to a successor.
 */
TERN_API void tern_stream_consumer_release_every(tern_stream_consumer *c, uint64_t bytes);

/** Make the rest of a paged stream read-only for this process; as tern_ring_consumer_protect().
 *  Role: consumer. Progress: two system calls. Order: none. Crash: changes nothing shared. */
TERN_API tern_status tern_stream_consumer_protect(tern_stream_consumer *c);

/** Ring a bell after each publication (padding included), so that one consumer can sleep for any of
 *  many objects; as tern_ring_producer_bind(). Role: producer. Progress: wait-free. */
TERN_API tern_status tern_stream_producer_bind(tern_stream_producer *p, const tern_bell *bell, uint32_t source);

/** Look at a stream without an end. Every check of attach but that of the indices, which may move
 *  meanwhile; nothing is written.
 *  @return as tern_stream_attach_producer(). Role: any. Progress: wait-free. */
TERN_API tern_status tern_stream_inspect(tern_stream_info *info, const void *memory, size_t size_bytes);

#if !defined(TERN_NONBLOCKING)
/**
 * Wait until tern_stream_reserve(p, length) succeeds, and do it.
 *
 * @param length     bytes, at most max_record_bytes
 * @param record     out: where to write, valid until the commit; NULL on failure
 * @param timeout_ns nanoseconds, or TERN_WAIT_FOREVER; 0 looks once
 * @return TERN_OK; TERN_ERR_TIMEOUT; TERN_ERR_CLOSED: the consumer closed;
 *         TERN_ERR_ARGUMENT: too long; TERN_ERR_CORRUPT; TERN_ERR_UNSUPPORTED: not a waitable
 *         stream, or a build that cannot block; TERN_ERR_DOMAIN: this view may not block;
 *         TERN_ERR_PEER_DEAD: the consumer died and has no successor yet (views opened in a region)
 *
 * Role: producer. Progress: blocking; looks at most spin_checks times, then sleeps. Space comes
 * only while the consumer goes on looking for records.
 * Order: acquire [RING-2]; pairs with the consumer's release.
 * Crash: a dead sleeper costs the other side one needless wake.
 */
TERN_API tern_status tern_stream_reserve_wait(tern_stream_producer *p, uint32_t length, void **record,
                                              uint64_t timeout_ns);

/** Wait for space, then tern_stream_send(). @return as tern_stream_reserve_wait().
 *  Role: producer. Progress: blocking. Order: acquire [RING-2], release [RING-1]. */
TERN_API tern_status tern_stream_send_wait(tern_stream_producer *p, uint32_t kind, const void *data, uint32_t length,
                                           uint64_t timeout_ns);

/** Wait until there is a record, then tern_stream_peek(). TERN_ERR_CLOSED only after the last record
 *  was released. Role: consumer. Order: acquire [RING-1]. Otherwise as tern_stream_reserve_wait(). */
TERN_API tern_status tern_stream_peek_wait(tern_stream_consumer *c, const void **record, uint32_t *length,
                                           uint32_t *kind, uint64_t timeout_ns);

/** Wait until there is a record, then tern_stream_receive(). TERN_ERR_MEMORY: it is longer than
 *  room_bytes, *length tells; it stays. Otherwise as tern_stream_peek_wait(). */
TERN_API tern_status tern_stream_receive_wait(tern_stream_consumer *c, void *out, uint32_t room_bytes, uint32_t *length,
                                              uint32_t *kind, uint64_t timeout_ns);
#endif

TERN_EXTERN_C_END

#include "stream_inline.h"

#endif
