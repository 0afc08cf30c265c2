/* SPDX-License-Identifier: MIT */
/**
 * ring.h: ring of fixed-size items, one producer, one consumer (SPSC).
 *
 *     TERN_RING_DEFINE(sample_ring, struct sample)
 *
 *     tern_ring_desc desc = { sizeof(struct sample), 1024, 0 };
 *     void *memory = aligned_alloc(64, tern_ring_size(&desc));
 *     tern_ring_format(memory, tern_ring_size(&desc), &desc);
 *
 *     tern_ring_producer p;                              // in one thread or process
 *     sample_ring_attach_producer(&p, memory, tern_ring_size(&desc));
 *     while (!sample_ring_push(&p, &sample)) { ... }     // false: full
 *
 *     tern_ring_consumer c;                              // in another
 *     sample_ring_attach_consumer(&c, memory, tern_ring_size(&desc));
 *     while (sample_ring_pop(&c, &sample)) { ... }       // false: empty
 *
 * | at the same time          | allowed                                      |
 * |---------------------------|----------------------------------------------|
 * | producer and consumer     | any call of one beside any call of the other |
 * | two calls of one role     | never: one view a role, one thread a view    |
 * | inspect                   | beside everything                            |
 *
 * Items are in first-in-first-out order. An item size of 1 makes a byte ring.
 * Every call is wait-free but those named *_wait, which block.
 *
 * Two layouts, chosen by a flag. Indexed (the default): items side by side and one index for all
 * of them; the higher rate, and spans of many items. Sequenced: each slot ends in a sequence of its
 * own, so that one cache line carries a small item and the news of it: the shorter way for an item
 * that somebody waits for. Spans of one; format touches every slot.
 *
 * Either may be paged: all that a consumer writes is then on one page, and a process that
 * only consumes can have the rest read-only. See TERN_RING_PAGED.
 *
 * When freed slots become visible. The consumer publishes what it freed every
 * `release_every_items` items (a quarter of the capacity, at most 256) and
 * always when it finds the ring empty. A push can therefore fail although up to
 * that many items less one have been popped. If a consumer may stop popping
 * while the producer waits for space, make it exact with
 * tern_ring_consumer_release_every(&c, 1): then a push fails only if the ring is
 * full by the consumer's last completed pop.
 *
 * A hot loop is fastest on a view that is a local variable (`tern_ring_producer
 * local = *p;` ... `*p = local;`): its cursors then live in registers. A pop or
 * peek that finds nothing pauses for a moment (40 ns), so that a loop which tries again
 * at once does not take the line from the end that is about to write it. The first look
 * after a run of items waits for up to 210 ns, so that it meets more than one new item;
 * after a single item 145 ns. To know how many pause instructions that is, attaching a
 * consumer takes some microseconds.
 */
#ifndef TERN_RING_H
#define TERN_RING_H

#include "bell.h"

/* ---- Shared bytes ---------------------------------------------------------- */

#define TERN_RING_MAGIC 0x474e5254u /* the bytes "TRNG" */
#define TERN_RING_MAX_CAPACITY_ITEMS (1u << 30)
#define TERN_RING_DEFAULT_CAPACITY_ITEMS 1024u

/** tern_ring_desc.flags: allow *_wait. */
#define TERN_RING_WAITABLE 1u
/** tern_ring_desc.flags: a sequence number in each slot instead of one index for all. An item and the
 *  news of it travel in one cache line; spans are of one item. See "Two layouts" above. */
#define TERN_RING_SEQUENCED 2u
/**
 * tern_ring_desc.flags: the consumer's end on a page of its own. Page 0 begins with the header and ends in the
 * producer's end, page 1 begins with the consumer's end, the items with page 2, and the size is whole pages.
 * The memory begins at a multiple of TERN_PAGE_BYTES.
 *
 * The consumer writes to page 1 and to nothing else. tern_ring_consumer_protect() holds it to that, as a
 * guard against stray writes. What keeps a hostile consumer out is the kernel: give it a descriptor of the ring's
 * file that can't be made writable (of a memfd under F_SEAL_FUTURE_WRITE) and another file for page 1 alone;
 * it maps the first read-only, the second over page 1 (MAP_FIXED), and attaches. The
 * producer maps both in the same way, writable. docs/ring.md shows it.
 *
 * Not with TERN_RING_WAITABLE: a consumer that sleeps says so in the producer's words. Who has to
 * sleep for such a ring waits on a bell, which the producer rings after its push.
 */
#define TERN_RING_PAGED 4u

/** Where the one page begins that a paged ring's consumer writes to; it has TERN_PAGE_BYTES. */
#define TERN_RING_CONSUMER_PAGE_OFFSET_BYTES TERN_PAGE_BYTES

#define TERN__RING_SLEEP 1u                /* bit 0 of an end's word */
#define TERN__RING_INDEX_MASK 0x7fffffffu  /* free-running, 31 bits */

/** What a ring is. Written by format before the magic, constant afterwards. */
struct tern_ring_geometry {
    uint32_t layout_version;
    uint32_t item_size_bytes;
    uint32_t capacity_items;      /* power of two */
    uint32_t flags;
    uint64_t total_size_bytes;    /* header and items */
    uint32_t slot_size_bytes;     /* from one item to the next; the sequence, if any, ends it */
    uint32_t check;               /* hash of the fields above */
};

/** One end's words: alone on two cache lines. */
struct tern_ring_end {
    tern_a32 word;        /* index << 1 | SLEEP; its end publishes, the other end sets SLEEP */
    tern_a32 closed;      /* 0, then 1 for ever; its end writes, the other reads */
    tern_a32 asymmetric;  /* 1: its end publishes by plain stores; its end writes, the other reads */
    unsigned char pad[TERN_SEPARATION / 2 - 12];
    tern_a32 asleep;      /* 1: the other end sleeps, or is about to, and asymmetric was 1. On a line of
                             its own, which this end reads at each publication and seldom changes */
    unsigned char pad2[TERN_SEPARATION / 2 - 4];
};

/** The bytes of a ring; the items follow. In a paged ring they begin with page 2, and the two ends lie
 *  side by side as they do here, but with the border of pages 0 and 1 between them. */
struct tern_ring_shared {
    tern_a32 magic;                      /* written last by format */
    uint32_t reserved;
    struct tern_ring_geometry geometry;
    unsigned char pad[TERN_SEPARATION - 8 - sizeof(struct tern_ring_geometry)];
    struct tern_ring_end producer;       /* word: tail, items ever pushed; sequenced: or one less */
    struct tern_ring_end consumer;       /* word: head, items ever popped and released */
};

TERN_STATIC_ASSERT(sizeof(struct tern_ring_geometry) == 32, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_ring_shared, geometry) == 8, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_ring_shared, producer) == 128, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_ring_shared, consumer) == 256, "layout");
TERN_SHARED_ASSERT(sizeof(struct tern_ring_shared) == 384, "layout");

/* ---- Local views ------------------------------------------------------------- */

/** What to make. Zero means default: a capacity of 0 gives 1,024 items. */
typedef struct tern_ring_desc {
    uint32_t item_size_bytes;  /* 1 or more */
    uint32_t capacity_items;   /* rounded up to a power of two, at most 2^30 */
    uint32_t flags;            /* TERN_RING_WAITABLE or TERN_RING_PAGED, | TERN_RING_SEQUENCED */
} tern_ring_desc;

/** The producer's view. Private to its process; may be copied, but then only one copy may be used. */
typedef struct tern_ring_producer {
    uint32_t capacity_items;     /* public, read only */
    uint32_t item_size_bytes;    /* public, read only */
    uint32_t spin_checks;        /* public: most looks before *_wait goes to sleep */
    bool may_block;              /* public: false makes *_wait answer TERN_ERR_DOMAIN */
    bool waitable;               /* the rest is private */
    bool sequenced;
    uint32_t exchanges_left;     /* publications by exchange before plain stores; see ring_publish.h */
    uint32_t slot_size_bytes;
    uint32_t tail;               /* own index: items ever pushed, modulo 2^32 */
    uint32_t limit;              /* push up to here without looking at the consumer */
    uint32_t ahead_items;        /* ask for the line of the slot so far ahead */
    tern_status status;          /* TERN_ERR_CORRUPT once the consumer's word made no sense */
    tern__spin spin;      /* what came of spinning in *_wait */
    struct tern_ring_end *ends;  /* the producer's, then the consumer's */
    unsigned char *items;
    struct tern_ring_shared *shared;
    const tern_bell *bell;       /* rung after each publication; NULL: none */
    uint32_t bell_source;
    tern_recovery recovery;      /* public, read only: what the open found; see peer.h */
    tern__role role;             /* private */
} tern_ring_producer;

/** The consumer's view. Private to its process; may be copied, but then only one copy may be used. */
typedef struct tern_ring_consumer {
    uint32_t capacity_items;     /* public, read only */
    uint32_t item_size_bytes;    /* public, read only */
    uint32_t spin_checks;        /* public: most looks before *_wait goes to sleep */
    bool may_block;              /* public: false makes *_wait answer TERN_ERR_DOMAIN */
    bool waitable;               /* the rest is private */
    bool sequenced;
    uint32_t exchanges_left;     /* publications by exchange before plain stores; see ring_publish.h */
    uint32_t slot_size_bytes;
    uint32_t head;               /* own index: items ever popped, modulo 2^32 */
    uint32_t limit;              /* pop up to here without looking at the producer */
    uint32_t released;           /* head as last published */
    uint32_t release_every_items;
    uint8_t slip_pauses;         /* before the look that follows the last known item; see ring_slots.h */
    uint8_t slip_one_pauses, slip_many_pauses, empty_pauses;   /* the times there, in pauses of this processor */
    uint32_t ahead_items;        /* ask for the line of the slot so far ahead */
    tern_status status;          /* TERN_ERR_CORRUPT once the producer's word made no sense */
    tern__spin spin;      /* what came of spinning in *_wait */
    struct tern_ring_end *ends;  /* the producer's, then the consumer's */
    unsigned char *items;
    struct tern_ring_shared *shared;
    tern_recovery recovery;      /* public, read only: what the open found; see peer.h */
    tern__role role;             /* private */
} tern_ring_consumer;

/** A look from outside; every value may have changed already. */
typedef struct tern_ring_info {
    uint32_t item_size_bytes, capacity_items, flags;
    uint32_t was_pushed, was_popped;    /* counters modulo 2^31 */
    uint32_t was_count;                 /* items in the ring */
    bool producer_closed, consumer_closed, producer_asleep, consumer_asleep;
    bool producer_asymmetric, consumer_asymmetric;   /* publishes by plain stores; see ring_publish.h */
    uint64_t size_bytes;
} tern_ring_info;

TERN_EXTERN_C_BEGIN

/* ---- Life ---------------------------------------------------------------------- */

/**
 * Bytes needed for a ring.
 *
 * @return header and items in bytes; 0 if the description is invalid: no item
 *         size, a capacity above 2^30, an unknown flag, a paged ring that is
 *         waitable, or more bytes than size_t can count
 *
 * Role: any. Progress: wait-free. Order: none. Crash: no shared memory touched.
 */
TERN_API size_t tern_ring_size(const tern_ring_desc *desc);

/**
 * Make a ring in memory that nobody uses yet.
 *
 * @param memory     aligned to 64 bytes; of a paged ring, to TERN_PAGE_BYTES
 * @param size_bytes at least tern_ring_size(desc)
 * @return TERN_OK; TERN_ERR_ARGUMENT, TERN_ERR_ALIGNMENT, TERN_ERR_MEMORY
 *
 * Role: creator. Progress: wait-free.
 * Order: release [RING-0]; pairs with attach.
 * Crash: dying before the end leaves TERN_ERR_NOT_READY; format again.
 */
TERN_API tern_status tern_ring_format(void *memory, size_t size_bytes, const tern_ring_desc *desc);

/**
 * Take the producer's end.
 *
 * Every number in the header is checked and copied into the view; the shared
 * header is never read again. The view goes on where the last producer stopped.
 *
 * @param memory     aligned to 64 bytes, a paged ring to TERN_PAGE_BYTES; formatted
 * @param size_bytes bytes that are accessible from memory
 * @return TERN_OK; TERN_ERR_ALIGNMENT; TERN_ERR_MEMORY: smaller than the ring
 *         says; TERN_ERR_NOT_READY: being formatted; TERN_ERR_VERSION;
 *         TERN_ERR_CORRUPT. On failure the view is all zero.
 *
 * Role: producer, one at a time. Progress: wait-free.
 * Order: acquire [RING-0]; pairs with tern_ring_format().
 * Crash: changes nothing that a successor does not find or set right. Wakes who sleeps on a
 * waitable ring's end: a predecessor may have died before its wake.
 */
TERN_API tern_status tern_ring_attach_producer(tern_ring_producer *p, void *memory, size_t size_bytes);

/** Take the consumer's end; as tern_ring_attach_producer(). Items that a dead
 *  consumer did not release are delivered again. Of a paged ring nothing but its own page is written. */
TERN_API tern_status tern_ring_attach_consumer(tern_ring_consumer *c, void *memory, size_t size_bytes);

/** Give the end back without closing it; a successor may attach. The view is zeroed.
 *  Role: producer. Progress: wait-free. Order: none. Crash: changes nothing shared. */
TERN_API void tern_ring_detach_producer(tern_ring_producer *p);

/** Publish what was freed, then give the end back; as tern_ring_detach_producer().
 *  Role: consumer. Progress: wait-free. Order: release [RING-2]. Crash: items are delivered again. */
TERN_API void tern_ring_detach_consumer(tern_ring_consumer *c);

/**
 * Say that nothing more will be pushed, and wake the consumer.
 *
 * The consumer drains what is there; then its *_wait and status calls answer
 * TERN_ERR_CLOSED. Closing cannot be taken back. The view stays attached.
 *
 * Role: producer. Progress: wait-free. Crash: closes wholly or not at all; dying
 * before the wake can leave a sleeper to its time-out.
 * Order: release [RING-3], [RING-4]; pair with the consumer's status and sleep.
 */
TERN_API void tern_ring_close_producer(tern_ring_producer *p);

/** Say that nothing more will be popped, and wake the producer. A push may still go in
 *  unseen until the producer next looks; then push answers false, *_wait and status
 *  TERN_ERR_CLOSED. Role: consumer; otherwise as tern_ring_close_producer(). */
TERN_API void tern_ring_close_consumer(tern_ring_consumer *c);

/**
 * Why a push failed.
 *
 * @return TERN_OK: the ring is just full; TERN_ERR_CLOSED: the consumer closed;
 *         TERN_ERR_CORRUPT: the consumer's index made no sense
 *
 * Role: producer. Progress: wait-free. Crash: changes nothing shared.
 * Order: acquire [RING-3]; pairs with tern_ring_close_consumer().
 */
TERN_API tern_status tern_ring_producer_status(tern_ring_producer *p);

/** Why a pop failed: TERN_OK: just empty; TERN_ERR_CLOSED: the producer closed and all has
 *  been popped; TERN_ERR_CORRUPT. Role: consumer; otherwise as tern_ring_producer_status(). */
TERN_API tern_status tern_ring_consumer_status(tern_ring_consumer *c);

/**
 * How often freed slots are published.
 *
 * @param items 1: at each pop (exact); clamped to 1 .. capacity / 4 (at least 1)
 *
 * Role: consumer. Progress: wait-free. Order: none.
 * Crash: up to this many popped items less one are delivered again to a successor.
 */
TERN_API void tern_ring_consumer_release_every(tern_ring_consumer *c, uint32_t items);

/**
 * Make the rest of a paged ring read-only for this process: from now on a stray write to the header, the
 * producer's end or an item is SIGSEGV.
 *
 * It is the mapping that changes, so a producer that uses the same one would fault too, and the consumer could
 * take it back: it guards against mistakes, not against malice. It ends when the memory is unmapped, not with
 * the view; memory of an allocator must not go back to it in this state. In a region no other
 * object is touched.
 *
 * @return TERN_OK, also if it was so already; TERN_ERR_UNSUPPORTED: not a paged ring, not on Linux, or pages
 *         larger than TERN_PAGE_BYTES; TERN_ERR_STATE: not attached; TERN_ERR_SYSTEM: see errno; then a part
 *         may be read-only
 *
 * Role: consumer. Progress: two system calls. Order: none. Crash: changes nothing shared.
 */
TERN_API tern_status tern_ring_consumer_protect(tern_ring_consumer *c);

/**
 * Ring a bell after each publication, so that one consumer can sleep for any of many rings.
 *
 * From now on push, push_many, commit and close ring the source after the ring has changed. The
 * consumer waits on the bell, collects it, and pops from the rings that rang until they are empty.
 *
 * @param bell   the caller's view of the bell: the producer keeps a pointer to it, so it stays
 *               where it is, attached, until detach or the next bind; NULL: ring no more
 * @param source 0 to bell->sources - 1
 * @return TERN_OK; TERN_ERR_UNSUPPORTED: not a waitable ring; TERN_ERR_ARGUMENT: no such source
 *
 * Role: producer. Progress: wait-free. Order: none; each ring is a release [BELL-1].
 * Crash: dying between publication and ring leaves the item to the source's next ring.
 */
TERN_API tern_status tern_ring_producer_bind(tern_ring_producer *p, const tern_bell *bell, uint32_t source);

/** Look at a ring without an end. Every check of attach but that of the indices, which may move
 *  meanwhile; nothing is written.
 *  @return as tern_ring_attach_producer(). Role: any. Progress: wait-free. */
TERN_API tern_status tern_ring_inspect(tern_ring_info *info, const void *memory, size_t size_bytes);

#if !defined(TERN_NONBLOCKING)
/**
 * Wait until at least one slot is free.
 *
 * @param timeout_ns nanoseconds, or TERN_WAIT_FOREVER; 0 looks once
 * @return TERN_OK: the next push or reserve succeeds; TERN_ERR_TIMEOUT;
 *         TERN_ERR_CLOSED: the consumer closed; TERN_ERR_CORRUPT;
 *         TERN_ERR_UNSUPPORTED: not a waitable ring, or a build that cannot
 *         block; TERN_ERR_DOMAIN: this view may not block; TERN_ERR_PEER_DEAD: the
 *         consumer died and has no successor yet (views opened in a region, open.h)
 *
 * Role: producer. Progress: blocking; looks at most spin_checks times, then sleeps.
 * Order: acquire [RING-2]; pairs with the consumer's release.
 * Crash: a dead sleeper costs the other side one needless wake.
 */
TERN_API tern_status tern_ring_producer_wait(tern_ring_producer *p, uint64_t timeout_ns);

/** Wait until at least one item is there; TERN_ERR_CLOSED only after the last item was popped.
 *  Role: consumer. Order: acquire [RING-1]. Otherwise as tern_ring_producer_wait(). */
TERN_API tern_status tern_ring_consumer_wait(tern_ring_consumer *c, uint64_t timeout_ns);

/** tern_ring_producer_wait(), then push one item. Role: producer. Progress: blocking. */
TERN_API tern_status tern_ring_push_wait(tern_ring_producer *p, const void *item, uint64_t timeout_ns);

/** tern_ring_consumer_wait(), then pop one item. Role: consumer. Progress: blocking. */
TERN_API tern_status tern_ring_pop_wait(tern_ring_consumer *c, void *item, uint64_t timeout_ns);
#endif

TERN_EXTERN_C_END

#include "ring_publish.h"
#include "ring_slots.h"
#include "ring_indexed.h"
#include "ring_sequenced.h"
#include "ring_inline.h"

#endif
