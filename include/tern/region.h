/* SPDX-License-Identifier: MIT */
/**
 * region.h: a block of shared memory with a header and a directory of named objects.
 *
 *     tern_region region;
 *     tern_region_format(memory, size, NULL);              // once
 *     tern_region_attach(&region, memory, size, NULL);     // everyone
 *     tern_ring_open_producer(&p, &region, "samples", &desc);   // open.h
 *
 * A region knows no primitive beyond a type tag and a size. Objects are added and
 * never removed; their memory goes with the region. Adding is lock-free: two who add
 * different names never wait for each other; of two who add the same name one makes
 * the object and the other finds it.
 *
 * | at the same time                | allowed |
 * |---------------------------------|---------|
 * | format and anything else        | attach answers TERN_ERR_NOT_READY |
 * | attach, find, claim, publish, next | any number of threads and processes |
 *
 * Each attachment is a peer: it takes a slot of the peer table and gives it back by detach. What a
 * peer had that died is found by the kernel and given back: peer.h.
 *
 * Layout: header | directory: max_objects entries | peer table: max_peers slots | heap of
 * objects, each at a multiple of 128 bytes.
 */
#ifndef TERN_REGION_H
#define TERN_REGION_H

#include "role.h"

/* ---- Shared bytes ------------------------------------------------------------ */

#define TERN_REGION_MAGIC 0x4e524554u /* the bytes "TERN" */
#define TERN_NAME_BYTES 32u           /* a name and its final zero */
#define TERN_REGION_DEFAULT_OBJECTS 64u
#define TERN_REGION_DEFAULT_PEERS 64u
#define TERN_REGION_MAX_OBJECTS 65536u
#define TERN_REGION_MAX_PEERS 65534u

/** What an object is; 0 is none. */
enum {
    TERN_TYPE_RING = 1, TERN_TYPE_STREAM = 2, TERN_TYPE_TRIPLE = 3, TERN_TYPE_POOL = 4, TERN_TYPE_BELL = 5,
    TERN_TYPE_MESH = 6
};

/** What a region is. Written by format before the magic, constant afterwards. */
struct tern_region_geometry {
    uint32_t layout_version;
    uint32_t layout_hash;          /* of every shared struct, see docs/layout.md */
    uint64_t total_size_bytes;
    uint64_t session;
    uint32_t domain;               /* of the creator */
    uint32_t max_objects;
    uint32_t max_peers;
    uint32_t creator;              /* process id, for people to read; never compared */
    uint64_t heap_offset_bytes;    /* directory at 256, peer table behind it, then this */
    uint32_t reserved;             /* 0 */
    uint32_t check;                /* hash of the fields above */
};

struct tern_region_shared {
    tern_a32 magic;                       /* written last by format */
    uint32_t reserved;
    struct tern_region_geometry geometry;
    unsigned char pad0[128 - 8 - sizeof(struct tern_region_geometry)];
    tern_a32 peers_used;                  /* who attaches; slots of the peer table that were ever taken */
    tern_a32 first;                       /* any adder; index + 1 of the first entry, 0: none */
    tern_a64 heap;                        /* any adder; units of 128 bytes used << 24 | entry that took the last + 1 */
    tern_a32 objects;                     /* any adder; names linked, for people */
    tern_a32 burier;                      /* as a role's word: who gives back what the dead had */
    unsigned char pad1[128 - 24];
};

#define TERN__HEAP_ENTRY_BITS 24
#define TERN__HEAP_ENTRY_MASK ((1u << TERN__HEAP_ENTRY_BITS) - 1)

/** A directory entry. Name, type, size and domains are written by its maker before it is linked. */
struct tern_region_entry {
    tern_a32 next;                        /* index + 1 of the next entry, 0: last */
    tern_a32 state;                       /* TERN__ENTRY_*; the maker */
    uint32_t type;
    uint32_t domains;                     /* bit per domain that may open it; 0: all */
    tern_a64 offset_bytes;                /* from the region's start; 0: no memory yet. The maker, or who
                                             takes memory after it */
    uint64_t size_bytes;
    char name[TERN_NAME_BYTES];
    tern_a32 maker;                       /* as a role's word; 0: the entry is not in use */
    tern_a32 roles[2];                    /* who has the ends; see role.h */
    unsigned char pad[128 - 76];
};

enum { TERN__ENTRY_FORMATTING = 0, TERN__ENTRY_READY = 1, TERN__ENTRY_FAILED = 2 };

/* Which of an entry's two roles an end is, in the lowest bit. A bell's collector has no other end: any
 * peer may ring. */
enum { TERN__ROLE_PRODUCER = 0, TERN__ROLE_CONSUMER = 1, TERN__ROLE_COLLECTOR = 2 };

TERN_STATIC_ASSERT(sizeof(struct tern_region_geometry) == 56, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_region_shared, geometry) == 8, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_region_shared, peers_used) == 128, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_region_shared, heap) == 136, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_region_shared, burier) == 148, "layout");
TERN_SHARED_ASSERT(sizeof(struct tern_region_shared) == 256, "layout");
TERN_SHARED_ASSERT(sizeof(struct tern_region_entry) == 128, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_region_entry, offset_bytes) == 16, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_region_entry, name) == 32, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_region_entry, roles) == 68, "layout");

/* ---- Local views ---------------------------------------------------------------- */

/** What to make. Zero means default, everywhere. */
typedef struct tern_region_desc {
    uint64_t session;        /* attaching takes the same number */
    uint32_t max_objects;    /* 0: 64 */
    uint32_t max_peers;      /* 0: 64 */
    uint32_t domain;         /* of the creator: TERN_DOMAIN_* */
} tern_region_desc;

/** Who attaches. */
typedef struct tern_attach_desc {
    uint64_t session;        /* must be the region's */
    uint32_t domain;         /* TERN_DOMAIN_*; on MAIN every *_wait is refused */
} tern_attach_desc;

/** A process's view of a region. */
typedef struct tern_region {
    uint64_t size_bytes;     /* public, read only: of the region */
    uint64_t session;        /* public, read only */
    uint32_t domain;         /* public, read only: of this attachment */
    uint32_t max_objects;    /* public, read only */
    uint32_t max_peers;      /* public, read only */
    uint32_t peer;           /* public, read only: our number in the peer table, 1 to max_peers; 0: only looking */
    int fd;                  /* the rest is private; shm.h: descriptor, or -1 */
    uint32_t reference;      /* of our peer, see role.h */
    uint64_t heap_offset_bytes;
    size_t mapping_size_bytes; /* shm.h: bytes to unmap, 0 if the memory is the caller's */
    uint32_t generation;     /* shm.h: of the process that mapped it; after a fork the view is the parent's */
    struct tern_region_shared *shared;
    struct tern_region_entry *directory;
    struct tern_region_peer *peers;
    tern_recovery recovery;  /* public, read only: shm.h: whom the attach buried, see peer.h */
} tern_region;

/** An object in a region. */
typedef struct tern_object {
    char name[TERN_NAME_BYTES];
    uint32_t type;           /* TERN_TYPE_* */
    uint32_t index;          /* in the directory */
    uint64_t offset_bytes, size_bytes;
    void *memory;
    tern_status status;      /* TERN_OK; NOT_READY: being formatted; PEER_DEAD: its maker died
                                before that; FULL: no room was left for it; CORRUPT */
} tern_object;

/** A look from outside. */
typedef struct tern_region_info {
    uint64_t size_bytes, session, heap_size_bytes, was_heap_used_bytes;
    uint32_t domain, max_objects, max_peers, creator, was_objects;
} tern_region_info;

TERN_EXTERN_C_BEGIN

/**
 * Bytes that a region's header, directory and peer table take, before any object.
 *
 * Add tern_region_object_size(tern_ring_size(&desc)) for each object.
 * @param desc NULL: all defaults
 * @return bytes; 0 if the description is invalid
 *
 * Role: any. Progress: wait-free. Order: none. Crash: no shared memory touched.
 */
TERN_API size_t tern_region_size(const tern_region_desc *desc);

/** Bytes that an object of this size takes in a region: rounded up to 128. A paged ring or stream takes up to
 *  TERN_PAGE_BYTES - 128 more, to begin at a page. */
TERN_API size_t tern_region_object_size(size_t size_bytes);

/**
 * Make a region in memory that nobody uses yet.
 *
 * @param memory     aligned to 64 bytes
 * @param size_bytes at least tern_region_size(desc); what is above is for objects
 * @param desc       NULL: all defaults
 * @return TERN_OK; TERN_ERR_ARGUMENT, TERN_ERR_ALIGNMENT, TERN_ERR_MEMORY
 *
 * Role: creator. Progress: wait-free. Order: release [REGION-0]; pairs with attach.
 * Crash: dying before the end leaves TERN_ERR_NOT_READY.
 */
TERN_API tern_status tern_region_format(void *memory, size_t size_bytes, const tern_region_desc *desc);

/**
 * Attach to a region.
 *
 * Every number of the header is checked and copied into the view, and the shared
 * header is never read again. The attachment is a peer from now on. In memory of the caller
 * no kernel tells whether it still lives: it does until tern_region_detach(), or
 * tern_peer_evict() by someone who ended it. tern_shm_open() makes attachments that
 * are found dead by themselves.
 *
 * @param size_bytes bytes that are accessible from memory
 * @param desc       NULL: session 0, domain WORKER
 * @return TERN_OK; TERN_ERR_ALIGNMENT; TERN_ERR_MEMORY: truncated, smaller than the
 *         region says; TERN_ERR_NOT_READY: being formatted; TERN_ERR_VERSION;
 *         TERN_ERR_CORRUPT; TERN_ERR_SESSION; TERN_ERR_FULL: as many peers as the region
 *         has room for. On failure the view is all zero.
 *
 * Role: any. Progress: lock-free, at most max_peers steps. Order: acquire [REGION-0], [PEER-0].
 * Crash: at worst the slot stays taken until it is buried or evicted.
 */
TERN_API tern_status tern_region_attach(tern_region *region, void *memory, size_t size_bytes,
                                        const tern_attach_desc *desc);

/** Attach without becoming a peer, to look: nothing is written, so the memory may be read-only. Calls
 *  that would write (claim, open) answer TERN_ERR_STATE. Any session. @return as tern_region_attach(). */
TERN_API tern_status tern_region_look(tern_region *region, const void *memory, size_t size_bytes);

/**
 * Give back what the attachment still has (ends, pins), and its slot; zero the view.
 *
 * Views that were opened through it must not be used any more. Memory that the caller gave is left
 * alone; for tern_shm_* use tern_shm_close().
 *
 * Role: any. Progress: lock-free. Order: release [PEER-0], [PEER-1]. Crash: as dying before it.
 */
TERN_API void tern_region_detach(tern_region *region);

/** Look at a region of any session, without a view. @return as tern_region_attach(). */
TERN_API tern_status tern_region_inspect(tern_region_info *info, const void *memory, size_t size_bytes);

/**
 * Find an object by its name.
 *
 * @param name  1 to 31 bytes
 * @param type  TERN_TYPE_*, or 0 for any
 * @param object out: where it is, bounded by the region
 * @return TERN_OK; TERN_ERR_NOT_FOUND; TERN_ERR_NOT_READY: being formatted;
 *         TERN_ERR_PEER_DEAD: its maker died before it had, and claim would go on in its place;
 *         TERN_ERR_MISMATCH: another type; TERN_ERR_FULL: its adder found no room;
 *         TERN_ERR_DOMAIN; TERN_ERR_ARGUMENT; TERN_ERR_CORRUPT; TERN_ERR_STATE: the view is
 *         a fork's parent's, see shm.h
 *
 * Role: any. Progress: wait-free, at most max_objects steps.
 * Order: acquire [REGION-1], [REGION-2]. Crash: changes nothing.
 */
TERN_API tern_status tern_region_find(const tern_region *region, const char *name, uint32_t type,
                                      tern_object *object);

/**
 * Add an object: take a name and memory for it.
 *
 * On TERN_OK the caller owns the memory, formats it and then calls
 * tern_region_publish(); until then others are told TERN_ERR_NOT_READY. A name whose maker died
 * before that is taken over, with its memory.
 *
 * @return TERN_OK; TERN_ERR_EXISTS: the name is there already, use find;
 *         TERN_ERR_FULL: no room in the directory or the heap;
 *         TERN_ERR_ARGUMENT: no name, one longer than 31 bytes, or no size;
 *         TERN_ERR_MISMATCH: a dead maker's name has another type, or memory that is too small;
 *         TERN_ERR_STATE: the view only looks, or is a fork's parent's; TERN_ERR_CORRUPT
 *
 * Role: any. Progress: lock-free. Order: acquire and release [REGION-1], [REGION-3], [PEER-1].
 * Crash: the next claim of the name goes on where its caller died.
 */
TERN_API tern_status tern_region_claim(tern_region *region, const char *name, uint32_t type,
                                       uint64_t size_bytes, tern_object *object);

/**
 * Say that a claimed object is formatted, or that formatting failed.
 *
 * @param outcome TERN_OK, or any failure: the name is then answered with TERN_ERR_FULL
 *
 * Role: the claimer. Progress: wait-free. Order: release [REGION-2]. Crash: as claim.
 */
TERN_API void tern_region_publish(tern_region *region, const tern_object *object, tern_status outcome);

/**
 * Walk through the directory in the order in which names were added.
 *
 * @param cursor 0 at first, kept by the caller
 * @param object out: object->status is TERN_OK; TERN_ERR_NOT_READY: being formatted; TERN_ERR_PEER_DEAD:
 *               its maker died before it had; TERN_ERR_FULL: its adder found no room; TERN_ERR_CORRUPT: its
 *               entry makes no sense. Memory only with TERN_OK
 * @return false after the last one, and where the list makes no sense
 *
 * Role: any. Progress: wait-free. Order: acquire [REGION-1], [REGION-2]. Crash: changes nothing.
 */
TERN_API bool tern_region_next(const tern_region *region, uint64_t *cursor, tern_object *object);

/** Hash of every shared struct's offsets and sizes; equal on all platforms. */
TERN_API uint32_t tern_layout_hash(void);

/** One line of the layout table: a field of a shared struct; NULL name at the end. */
typedef struct tern_layout_field {
    const char *structure, *name;
    uint32_t offset_bytes, size_bytes;
} tern_layout_field;

/** The layout table that the hash is made of; `tern layout` prints it. */
TERN_API const tern_layout_field *tern_layout(void);

TERN_EXTERN_C_END

#endif
