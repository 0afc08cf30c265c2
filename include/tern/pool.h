/* SPDX-License-Identifier: MIT */
/**
 * pool.h: pool of fixed-size items that are named by handles.
 *
 *     tern_pool_desc desc = { sizeof(struct entity), 1000 };
 *     void *memory = aligned_alloc(64, tern_pool_size(&desc));
 *     tern_pool_format(memory, tern_pool_size(&desc), &desc);        // once
 *
 *     tern_pool pool;                                                // in each process
 *     tern_pool_attach(&pool, memory, tern_pool_size(&desc));
 *     tern_pool_alloc(&pool, &handle, &item);                        // fill the item, pass the handle on
 *
 *     struct entity *e = tern_pool_pin(&pool, handle);               // anywhere else; NULL: it is gone
 *     if (e) { use(e); tern_pool_unpin(&pool, handle); }
 *     tern_pool_free(&pool, handle);                                 // every copy of the handle is now stale
 *
 * | at the same time                       | allowed                                             |
 * |----------------------------------------|-----------------------------------------------------|
 * | alloc, pin, unpin, read, free, walk    | from any threads and processes, of any handles      |
 * | get and what is read through it        | not beside free of that handle (or inside an RCU    |
 * |                                        | read section, beside tern_pool_free_rcu)            |
 * | inspect, was_live, was_retired         | beside everything                                   |
 * | accesses to one item                   | the program's own affair: pins keep an item, they   |
 * |                                        | do not lock it                                      |
 *
 * A view does not change after attach: one a process is enough, threads may share it. Every call
 * is lock-free, nothing blocks and nothing allocates memory.
 *
 * Each slot counts generations. Free counts one on, so that every handle of the old item fails
 * from that moment. Slots are reused first-in-first-out, so generations are used up evenly, and
 * a slot at its last generation is retired: no handle value ever comes twice.
 */
#ifndef TERN_POOL_H
#define TERN_POOL_H

#include "handle.h"
#include "role.h"

/* ---- Shared bytes ---------------------------------------------------------- */

#define TERN_POOL_MAGIC 0x4c4f5054u /* the bytes "TPOL" */
#define TERN_POOL_MAX_CAPACITY_ITEMS ((1u << 24) - 2)
#define TERN_POOL_MAX_ITEM_SIZE_BYTES (1u << 30)
#define TERN_POOL_DEFAULT_CAPACITY_ITEMS 1024u

/** Pins that one item can have at once; one more is kept for tern_pool_free_rcu(). */
#define TERN_POOL_MAX_PINS ((1u << 30) - 2)

/* A slot's word: generation:32 | state:2 | pins:30, the generation in the upper half. */
#define TERN__POOL_STATE_SHIFT 30
#define TERN__POOL_PINS_MASK ((1u << 30) - 1)
#define TERN__POOL_FREE 0u       /* in the free list, or on its way in or out */
#define TERN__POOL_LIVE 1u
#define TERN__POOL_DYING 2u      /* freed, but pinned: the generation is already the next one */
#define TERN__POOL_RETIRED 3u    /* generation UINT32_MAX: never used again */
#define TERN__POOL_LAST_GENERATION (UINT32_MAX - 1)

/* A link of the free list, and its head and tail: tag:40 | index:24, the index in the lower bits. */
#define TERN__POOL_INDEX_BITS 24
#define TERN__POOL_NO_INDEX ((1u << TERN__POOL_INDEX_BITS) - 1)

/* Of a pool in a region: pins are in the hands of peers, and given back when they die. */
#define TERN__POOL_HELD 1u

/** What a pool is. Written by format before the magic, constant afterwards. */
struct tern_pool_geometry {
    uint32_t layout_version;
    uint32_t item_size_bytes;
    uint32_t capacity_items;
    uint32_t stride_bytes;        /* from slot to slot */
    uint64_t total_size_bytes;    /* header and capacity + 1 slots */
    uint32_t flags;               /* TERN__POOL_HELD or 0 */
    uint32_t check;               /* hash of the fields above */
};

/** A word that many write: alone on two cache lines. */
struct tern_pool_word {
    tern_a64 link;
    unsigned char pad[TERN_SEPARATION - 8];
};

/** The bytes of a pool; the slots follow. */
struct tern_pool_shared {
    tern_a32 magic;                  /* written last by format */
    uint32_t reserved;
    struct tern_pool_geometry geometry;
    unsigned char pad[TERN_SEPARATION - 8 - sizeof(struct tern_pool_geometry)];
    struct tern_pool_word head;      /* tag: slots ever taken; everyone who allocates writes it */
    struct tern_pool_word tail;      /* tag: capacity + slots ever given back; everyone who frees writes it */
    tern_a32 retired;                /* slots at their end; who frees the last generation counts it */
    unsigned char pad2[TERN_SEPARATION - 4];
};

/**
 * What stands before each item. The item follows at once, aligned to 16 bytes. From slot to slot
 * it is 32 bytes (items of up to 16), 64 (up to 48) or the next multiple of 64: so these 16 bytes
 * never straddle a line, and an item of up to 48 bytes lies on the line of its own word.
 */
struct tern_pool_slot {
    tern_a64 word;   /* generation, state, pins: everyone writes it */
    tern_a64 link;   /* the slot behind this one in the free list; its tag is this one's place in it */
};

TERN_STATIC_ASSERT(sizeof(struct tern_pool_geometry) == 32, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_pool_shared, geometry) == 8, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_pool_shared, head) == 128, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_pool_shared, tail) == 256, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_pool_shared, retired) == 384, "layout");
TERN_SHARED_ASSERT(sizeof(struct tern_pool_shared) == 512, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_pool_slot, link) == 8, "layout");
TERN_SHARED_ASSERT(sizeof(struct tern_pool_slot) == 16, "layout");

/* ---- Local view -------------------------------------------------------------- */

/** What to make. Zero means default: a capacity of 0 gives 1,024 items. */
typedef struct tern_pool_desc {
    uint32_t item_size_bytes;  /* 1 to 2^30 */
    uint32_t capacity_items;   /* exactly so many, at most 2^24 - 2 */
} tern_pool_desc;

/** A process's view. Constant after attach: threads may share it, it may be copied. */
typedef struct tern_pool {
    uint32_t capacity_items;     /* public, read only */
    uint32_t item_size_bytes;    /* public, read only */
    uint32_t slots;              /* the rest is private; capacity + 1 */
    uint32_t counted_slots;      /* as slots, or 0 in a region, where pins are in the hands of peers */
    uint32_t stride_bytes;
    uint32_t object;             /* index of the pool in the region's directory */
    struct tern_pool_shared *shared;
    unsigned char *first;        /* slot 0 */
    struct tern_rcu *rcu;        /* tern_rcu_attach()'s, or NULL */
    struct tern_region_peer *peers;   /* of the region that it was opened in, or NULL */
    tern_a32 *peers_used;
    uint32_t max_peers, peer_slot;    /* peer_slot: ours */
    tern_recovery recovery;      /* public, read only: what the open found; see peer.h */
} tern_pool;

/** A look from outside; every was_ value may have changed already. */
typedef struct tern_pool_info {
    uint32_t item_size_bytes, capacity_items, stride_bytes;
    uint32_t was_live, was_retired;
    uint64_t was_allocated;      /* items ever allocated, modulo 2^40 */
    uint64_t size_bytes;
} tern_pool_info;

TERN_EXTERN_C_BEGIN

/* ---- Life ---------------------------------------------------------------------- */

/**
 * Bytes needed for a pool.
 *
 * @return header and capacity + 1 slots in bytes; 0 if the description is invalid: no item size
 *         or one above 2^30, a capacity above 2^24 - 2, or more bytes than size_t can count
 *
 * Role: any. Progress: wait-free. Order: none. Crash: no shared memory touched.
 */
TERN_API size_t tern_pool_size(const tern_pool_desc *desc);

/**
 * Make a pool in memory that nobody uses yet. The bytes of the items stay as they are.
 *
 * @param memory     aligned to 64 bytes
 * @param size_bytes at least tern_pool_size(desc)
 * @return TERN_OK; TERN_ERR_ARGUMENT, TERN_ERR_ALIGNMENT, TERN_ERR_MEMORY
 *
 * Role: creator. Progress: wait-free, a step for each slot.
 * Order: release [POOL-0]; pairs with attach.
 * Crash: dying before the end leaves TERN_ERR_NOT_READY; format again.
 */
TERN_API tern_status tern_pool_format(void *memory, size_t size_bytes, const tern_pool_desc *desc);

/**
 * Make a view of a pool.
 *
 * Every number in the header is checked and copied into the view; the shared header is never
 * read again.
 *
 * @param memory     aligned to 64 bytes, formatted
 * @param size_bytes bytes that are accessible from memory
 * @return TERN_OK; TERN_ERR_ARGUMENT: NULL; TERN_ERR_ALIGNMENT; TERN_ERR_MEMORY: smaller than the
 *         pool says; TERN_ERR_NOT_READY: being formatted; TERN_ERR_VERSION; TERN_ERR_CORRUPT;
 *         TERN_ERR_MISMATCH: a pool of a region, for tern_pool_open(). On failure the view is all zero.
 *
 * Role: any. Progress: wait-free. Order: acquire [POOL-0]; pairs with tern_pool_format().
 * Crash: changes nothing that is shared.
 */
TERN_API tern_status tern_pool_attach(tern_pool *pool, void *memory, size_t size_bytes);

/** Forget the pool. Items and pins stay as they are. The view is zeroed.
 *  Role: any. Progress: wait-free. Order: none. Crash: changes nothing shared. */
TERN_API void tern_pool_detach(tern_pool *pool);

/** Look at a pool without a view. Every check of attach, nothing is written.
 *  @return as tern_pool_attach(). Role: any. Progress: wait-free. */
TERN_API tern_status tern_pool_inspect(tern_pool_info *info, const void *memory, size_t size_bytes);

/* ---- Allocate and free ------------------------------------------------------------ */

/**
 * Take a slot.
 *
 * The handle is valid at once. The item holds whatever bytes its slot held last: fill it, then
 * pass the handle on by something that publishes (a ring, a release store). Whoever guesses the
 * handle, or walks, may see the item before it is filled.
 *
 * @param handle receives the handle; null on failure
 * @param item   receives the address, valid until the item is freed; NULL on failure
 * @return TERN_OK; TERN_ERR_FULL: capacity_items (less the retired) are live or dying. That is
 *         exact: as long as fewer are, no alloc fails, whatever runs beside it;
 *         TERN_ERR_CORRUPT: the free list is damaged
 *
 * Role:     any
 * Progress: lock-free; gives up with TERN_ERR_CORRUPT after 2^13 lost races
 * Order:    acquire [POOL-1]: everything that was done to the slot's former items is over;
 *           release [POOL-2]
 * Crash:    dying inside leaves everything as it was, or the slot on its way: in a region
 *           tern_peer_recover() gives it back, elsewhere it is lost
 */
TERN_API tern_status tern_pool_alloc(tern_pool *pool, tern_handle *handle, void **item);

/**
 * End an item's life. From this moment its handle is stale everywhere.
 *
 * Of several frees of one handle, one succeeds.
 *
 * @return TERN_OK: the slot is free again; TERN_DEFERRED (> 0): it is pinned, and the last unpin
 *         frees it (in a region also: somebody else's call looks at it just now, and frees it);
 *         TERN_ERR_STALE: no live item of that handle; TERN_ERR_CORRUPT: the free list
 *         is damaged, the item is gone and its slot lost
 *
 * Role:     any
 * Progress: lock-free; gives up with TERN_ERR_CORRUPT after 2^13 lost races
 * Order:    release [POOL-1]: all that the caller did with the item; acquire [POOL-2]
 * Crash:    dying inside leaves the item live, or free, or its slot on its way: as tern_pool_alloc()
 */
TERN_API tern_status tern_pool_free(tern_pool *pool, tern_handle handle);

/* For rcu.c: free, but with one pin left on the dying slot, so that a later
 * tern_pool_unpin(pool, handle) gives it back. TERN_DEFERRED or TERN_ERR_STALE. */
TERN_API tern_status tern__pool_condemn(tern_pool *pool, tern_handle handle);

/* The cold half of unpin: the last pin of a dying slot is gone. */
TERN_API void tern__pool_reclaim(tern_pool *pool, uint32_t index, uint32_t generation);

/* Pin, unpin and free where the index is none of counted_slots: of a pool in a region, or of none at all. */
TERN_API void *tern__pool_pin_held(tern_pool *pool, tern_handle handle);
TERN_API void tern__pool_unpin_held(tern_pool *pool, tern_handle handle);
tern_status tern__pool_free_held(tern_pool *pool, tern_handle handle);
tern_status tern__pool_condemn_held(tern_pool *pool, tern_handle handle);   /* TERN_ERR_FULL: as many pins as can be */

/* ---- Look -------------------------------------------------------------------------- */

/**
 * How many slots are in use: live, dying, or lost by a process that died inside a call.
 *
 * @return 0 .. capacity_items
 *
 * Role: any. Progress: wait-free. Order: none. Crash: nothing is written.
 */
TERN_API uint32_t tern_pool_was_live(const tern_pool *pool);

/** How many slots have used up their generations; they lower the capacity for ever.
 *  @return 0 .. capacity_items: the last slot is always kept. Role: any. Progress: wait-free. */
TERN_API uint32_t tern_pool_was_retired(const tern_pool *pool);

/**
 * Visit the live items, for tools.
 *
 *     uint32_t cursor = 0;
 *     while ((item = tern_pool_walk(&pool, &cursor, &handle)) != NULL) {
 *         ...                                   // the item is pinned
 *         tern_pool_unpin(&pool, handle);
 *     }
 *
 * Goes through the slots in the order of their indices. An item that is live all the time is
 * visited exactly once; one that comes or goes meanwhile, once at most. The visited item is
 * pinned: it stays until the caller unpins it. It may be one that its maker is still
 * filling, or is changing: what its bytes mean is between the tool and the program.
 *
 * @param cursor 0 at first; then left alone
 * @param handle receives the handle; null at the end
 * @return the pinned item; NULL at the end
 *
 * Role: any. Progress: lock-free. Order: as tern_pool_pin(). Crash: as tern_pool_pin().
 */
TERN_API void *tern_pool_walk(tern_pool *pool, uint32_t *cursor, tern_handle *handle);

TERN_EXTERN_C_END

#include "pool_inline.h"

#endif
