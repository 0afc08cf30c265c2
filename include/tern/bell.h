/* SPDX-License-Identifier: MIT */
/**
 * bell.h: who rang, and sleep until someone does. With many sources, a dirty bitmap.
 *
 *     tern_bell_desc desc = { 8 };                       // sources 0 to 7
 *     tern_bell_format(memory, tern_bell_size(&desc), &desc);
 *
 *     tern_bell bell;                                    // every side has a view
 *     tern_bell_attach(&bell, memory, tern_bell_size(&desc));
 *     tern_bell_ring(&bell, 3);                          // any thread, any process: "look at 3"
 *
 *     while (tern_bell_wait(&bell, TERN_WAIT_FOREVER) == TERN_OK) {    // the collector
 *         uint32_t bits = tern_bell_collect(&bell);      // clear first ...
 *         while (bits) drain(tern_bell_take(&bits));     // ... then drain
 *     }
 *
 * | at the same time               | allowed                                             |
 * |--------------------------------|-----------------------------------------------------|
 * | ring, close, status            | any number of threads and processes, on one view or many |
 * | collect, begin, next, wait, arm | the collector: one thread at a time, beside all ringers |
 * | inspect                        | beside everything                                   |
 *
 * A ring says that something happened since the last collect, not how often. Whoever publishes
 * does so before it rings; the collector takes the bits first and looks at the sources then, so
 * what is published after its look rings again.
 *
 * Dirty bitmap
 * ------------
 * Above 31 sources, up to 65,536, the same object is a dirty bitmap: tern_bell_ring() marks a
 * bit, and the collector gets the marked bits in words of 32, without a look at the others:
 *
 *     tern_bell_pass pass;
 *     uint32_t first_source, bits;
 *     tern_bell_begin(&bell, &pass);                     // both sizes of bell
 *     while (tern_bell_next(&pass, &first_source, &bits))
 *         while (bits) refresh(first_source + tern_bell_take(&bits));
 *
 * The bits lie in leaf words of 32 sources under a root word; each root bit stands for an equal
 * run of leaves. Source s is bit s % 32 of leaf s / 32, and bit s >> root_shift of the root, where
 *
 *     leaves     = ceil(sources / 32)
 *     root_shift = 5 + the smallest n with 31 * 2^n >= leaves      (31 sources or less: 0, no leaves)
 *
 * Poll loops. tern_bell_use_eventfd() lets epoll wait for a bell (Linux): tern_bell_arm(), then epoll.
 */
#ifndef TERN_BELL_H
#define TERN_BELL_H

#include "role.h"

/* ---- Shared bytes ---------------------------------------------------------- */

#define TERN_BELL_MAGIC 0x4c454254u /* the bytes "TBEL" */
#define TERN_BELL_FLAT_SOURCES 31u  /* up to so many the root is all there is */
#define TERN_BELL_MAX_SOURCES 65536u

#define TERN__BELL_SLEEP 0x80000000u /* bit 31 of the root */
#define TERN__BELL_LEAF_SOURCES 32u

/** What a bell is. Written by format before the magic, constant afterwards. */
struct tern_bell_geometry {
    uint32_t layout_version;
    uint32_t sources;             /* 1 to 65,536 */
    uint32_t leaves;              /* ceil(sources / 32); 0 up to 31 sources */
    uint32_t root_shift;          /* source >> root_shift is its bit in the root */
    uint64_t total_size_bytes;    /* header and leaves */
    uint32_t reserved;            /* 0 */
    uint32_t check;               /* hash of the fields above */
};

/** The word that everybody rings and the collector sleeps on: alone on two cache lines. */
struct tern_bell_root {
    tern_a32 word;     /* bits 0..30 | SLEEP; ringers set bits, the collector clears all and sets SLEEP */
    tern_a32 closed;   /* 0, then 1 for ever; any closer writes, the collector reads */
    unsigned char pad[TERN_SEPARATION - 8];
};

/** The bytes of a bell; the leaves follow, a 32-bit word each. Ringers set bits, the collector clears. */
struct tern_bell_shared {
    tern_a32 magic;                      /* written last by format */
    uint32_t reserved;
    struct tern_bell_geometry geometry;
    unsigned char pad[TERN_SEPARATION - 8 - sizeof(struct tern_bell_geometry)];
    struct tern_bell_root root;
};

TERN_STATIC_ASSERT(sizeof(struct tern_bell_geometry) == 32, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_bell_shared, geometry) == 8, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_bell_shared, root) == 128, "layout");
TERN_SHARED_ASSERT(sizeof(struct tern_bell_shared) == 256, "layout");

/* ---- Local views ------------------------------------------------------------- */

/** What to make. Zero means default: 31 sources. */
typedef struct tern_bell_desc {
    uint32_t sources;   /* 1 to 65,536 */
} tern_bell_desc;

/** A view for ringing, and for the collector. Private to its process. Ringing only reads it, so
 *  the threads of a process may share one. */
typedef struct tern_bell {
    uint32_t sources;        /* public, read only */
    uint32_t spin_checks;    /* public: most looks before tern_bell_wait() goes to sleep */
    bool may_block;          /* public: false makes tern_bell_wait() answer TERN_ERR_DOMAIN */
    uint32_t root_mask;      /* the rest is private: the root's bits that mean something */
    uint32_t root_shift;
    uint32_t leaves;
    int wake_fd;             /* eventfd to write to at a wake; -1: none */
    struct tern_bell_shared *shared;
    tern_a32 *leaf;          /* NULL up to 31 sources */
    tern__spin spin;         /* what came of spinning in tern_bell_wait(); only the collector's */
    tern_recovery recovery;  /* public, read only: what the collector found; see peer.h */
    tern__role role;         /* private; the collector's */
} tern_bell;

/** Where the collector is among the leaves. */
typedef struct tern_bell_pass {
    const tern_bell *bell;   /* private, all of it */
    uint32_t bits;           /* of the root, not yet visited */
    uint32_t leaf, end;      /* the run that is being visited */
} tern_bell_pass;

/** A look from outside; every value may have changed already. */
typedef struct tern_bell_info {
    uint32_t sources;
    uint32_t leaves, root_shift;
    uint32_t was_ringing;    /* the root's bits: up to 31 sources, who rang; else runs of leaves */
    bool closed, asleep;     /* asleep: someone sleeps, or slept until a time-out and nobody rang since */
    uint64_t size_bytes;
} tern_bell_info;

TERN_EXTERN_C_BEGIN

/* ---- Life ---------------------------------------------------------------------- */

/**
 * Bytes needed for a bell.
 *
 * @return header and leaves in bytes; 0 if the description is invalid: NULL or more than 65,536
 *         sources
 *
 * Role: any. Progress: wait-free. Order: none. Crash: no shared memory touched.
 */
TERN_API size_t tern_bell_size(const tern_bell_desc *desc);

/**
 * Make a bell in memory that nobody uses yet.
 *
 * @param memory     aligned to 64 bytes
 * @param size_bytes at least tern_bell_size(desc)
 * @return TERN_OK; TERN_ERR_ARGUMENT, TERN_ERR_ALIGNMENT, TERN_ERR_MEMORY
 *
 * Role: creator. Progress: wait-free.
 * Order: release [BELL-0]; pairs with attach.
 * Crash: dying before the end leaves TERN_ERR_NOT_READY; format again.
 */
TERN_API tern_status tern_bell_format(void *memory, size_t size_bytes, const tern_bell_desc *desc);

/**
 * Get a view of a bell, for ringing or collecting.
 *
 * Every number in the header is checked and copied into the view; the shared header is never
 * read again.
 *
 * @param memory     aligned to 64 bytes, formatted
 * @param size_bytes bytes that are accessible from memory
 * @return TERN_OK; TERN_ERR_ALIGNMENT; TERN_ERR_MEMORY: smaller than the bell says;
 *         TERN_ERR_NOT_READY: being formatted; TERN_ERR_VERSION; TERN_ERR_CORRUPT. On failure the
 *         view is all zero: it refuses every source.
 *
 * Wakes the collector if it sleeps: a ringer or a closer may have died before its wake.
 *
 * Role: any; the collector is one at a time. Progress: wait-free but for one system call.
 * Order: acquire [BELL-0]; pairs with tern_bell_format().
 * Crash: changes nothing that is shared. What a dead collector had taken and not yet looked at is
 *        gone: its successor looks at every source once before it first collects.
 */
TERN_API tern_status tern_bell_attach(tern_bell *bell, void *memory, size_t size_bytes);

/** Zero the view. Role: any. Progress: wait-free. Order: none. Crash: changes nothing shared. */
TERN_API void tern_bell_detach(tern_bell *bell);

/**
 * Say that it is over, and wake the collector.
 *
 * The collector gets everything that was rung before; then its wait and status answer
 * TERN_ERR_CLOSED. Closing cannot be taken back. A ring that comes later is still collected.
 *
 * Role: any. Progress: as tern_bell_ring(). Crash: closes wholly or not at all; dying before the wake can
 * leave a sleeper to its time-out, or to the next attach.
 * Order: release [BELL-3], [BELL-4]; pair with the collector's status and sleep.
 */
TERN_API void tern_bell_close(tern_bell *bell);

/**
 * Why there was nothing to collect.
 *
 * @return TERN_OK: nobody rang yet, or someone did; TERN_ERR_CLOSED: closed, and everything has
 *         been collected; TERN_ERR_CORRUPT: someone set bits that stand for no source (the next
 *         collect clears them)
 *
 * Role: any. Progress: wait-free. Crash: changes nothing shared.
 * Order: acquire [BELL-3]; pairs with tern_bell_close().
 */
TERN_API tern_status tern_bell_status(const tern_bell *bell);

/** Look at a bell. Every check of attach, nothing is written.
 *  @return as tern_bell_attach(). Role: any. Progress: wait-free. Order: acquire [BELL-0]. */
TERN_API tern_status tern_bell_inspect(tern_bell_info *info, const void *memory, size_t size_bytes);

/* ---- Waiting --------------------------------------------------------------------- */

#if !defined(TERN_NONBLOCKING)
/**
 * Wait until someone rings.
 *
 * @param timeout_ns nanoseconds, or TERN_WAIT_FOREVER; 0 looks once
 * @return TERN_OK: the next collect finds something; TERN_ERR_TIMEOUT; TERN_ERR_CLOSED: closed,
 *         and everything has been collected; TERN_ERR_CORRUPT: as tern_bell_status();
 *         TERN_ERR_DOMAIN: this view may not block; TERN_ERR_UNSUPPORTED: a build that cannot; of a
 *         view that was opened in a region: TERN_ERR_BUSY: a live peer collects; TERN_ERR_PEER_DEAD: a
 *         peer of the region died, and nobody has called tern_peer_recover() since
 *
 * Role: collector. Progress: blocking; looks at most spin_checks times, then sleeps.
 * Order: none for data: tern_bell_collect() has the acquire. Acquire [BELL-3], [BELL-4] for closing.
 * Crash: a dead sleeper costs the others one needless wake.
 */
TERN_API tern_status tern_bell_wait(tern_bell *bell, uint64_t timeout_ns);
#endif

/**
 * Get ready to sleep elsewhere: on the eventfd that the ringers write to.
 *
 * @return true: nothing is pending, and the next ring or close wakes: go to epoll;
 *         false: collect now (and look at tern_bell_status() if that finds nothing)
 *
 * Role: collector. Progress: wait-free. Order: acquire [BELL-4]; pairs with tern_bell_close().
 * Crash: as tern_bell_wait().
 */
TERN_API bool tern_bell_arm(tern_bell *bell);

/**
 * Make every wake through this view also write 1 to an eventfd.
 *
 * All ringers of a bell whose collector polls need this, in every process: the descriptor is the
 * process's own, inherited by fork or sent over a socket. Call it before the view is shared.
 *
 * @param fd an eventfd, kept open as long as the view is used and not closed by it; -1: none
 * @return TERN_OK; TERN_ERR_ARGUMENT: no open descriptor; TERN_ERR_UNSUPPORTED: not on Linux
 *
 * Role: ringer. Progress: wait-free. Order: none.
 * Crash: a ringer that dies between its mark and the write leaves the collector to the next ring.
 */
TERN_API tern_status tern_bell_use_eventfd(tern_bell *bell, int fd);

/* The cold ends of the calls below. */
TERN_API void tern__bell_wake(const tern_bell *bell);
TERN_API void tern__bell_ring_far(const tern_bell *bell, uint32_t source);
TERN_API void tern__bell_ring_all(const tern_bell *bell);

TERN_EXTERN_C_END

/* ---- Hot path ---------------------------------------------------------------------- */

/* Number of the lowest bit that is set; bits is not 0. */
TERN_INLINE uint32_t tern__bell_lowest(uint32_t bits)
{
#if defined(__GNUC__) || defined(__clang__)
    return (uint32_t)__builtin_ctz(bits);
#else
    uint32_t number = 0;
    while (!(bits >> number & 1u)) number++;
    return number;
#endif
}

/** Take the lowest bit out of *bits, which is not 0. @return its number.
 *  Role: any. Progress: wait-free. Order: none. Crash: no shared memory touched. */
TERN_INLINE uint32_t tern_bell_take(uint32_t *bits)
{
    uint32_t number = tern__bell_lowest(*bits);
    *bits &= *bits - 1u;
    return number;
}

/**
 * Ring: mark a source, and wake the collector if it sleeps.
 *
 * Every ring goes up to the root, whatever is set already: who set it may have died half-way, and
 * a look that finds it set may be older than the collector's clearing.
 *
 * @param source 0 to sources - 1
 * @return false: no such source, nothing was done
 *
 * Role: any number of ringers. Progress: wait-free where an OR that returns what was there is one
 *        instruction (AArch64 with LSE); on x86-64 compilers make it a
 *        compare-exchange in a loop, so it is lock-free there. One system call if the collector sleeps.
 * Order: release [BELL-1], and [BELL-2] above 31 sources; pair with collect and next.
 * Crash: dying in here rings or does not; above 31 sources it can leave a mark that is found only
 *        with the next ring in the same run. Nobody else's mark is lost. A sleeper that was not
 *        woken any more goes on with the next ring of anybody, or the next attach.
 */
TERN_INLINE bool tern_bell_ring(const tern_bell *bell, uint32_t source)
{
    if (TERN_UNLIKELY(source >= bell->sources)) return false;
    if (bell->leaf) {
        /* [BELL-2] release: what the ringer published before it marks.
         * Pairs with: [BELL-2] acquire in tern__bell_take_leaf().
         * Otherwise: the collector may take the mark, by a root bit of somebody else, and find old data. */
        tern_a32_fetch_or_release(&bell->leaf[source / TERN__BELL_LEAF_SOURCES],
                                  1u << source % TERN__BELL_LEAF_SOURCES, BELL_2_MARK);
    }
    /* [BELL-1] release: what the ringer published, and the leaf's mark, before the root.
     * Pairs with: [BELL-1] acquire in tern_bell_collect().
     * Otherwise: the collector may find old data, or no mark in the leaf, and sleep over it. */
    uint32_t was = tern_a32_fetch_or_release(&bell->shared->root.word, 1u << (source >> bell->root_shift), BELL_1_RING);
    /* also if other bits were set: who set them may have died before its wake */
    if (TERN_UNLIKELY(was & TERN__BELL_SLEEP)) tern__bell_wake(bell);
    return true;
}

/**
 * Take what was rung: clear it all at once, then look at the sources.
 *
 * @return up to 31 sources: a bit for each source that rang. Above: the summary, bit b for a mark
 *         among sources b << root_shift to ((b + 1) << root_shift) - 1; the marks themselves stay
 *         in their leaves, and tern_bell_begin_with() goes through them. 0: nobody rang.
 *
 * Role: collector. Progress: wait-free.
 * Order: acquire [BELL-1]; pairs with tern_bell_ring().
 * Crash: what was taken is gone, see tern_bell_attach().
 */
TERN_INLINE uint32_t tern_bell_collect(tern_bell *bell)
{
    /* [BELL-1] acquire: what the ringers published, and their marks in leaves, after the bits.
     * Pairs with: [BELL-1] release in tern_bell_ring().
     * Otherwise: a source may be looked at, or a leaf be passed by, before what was rung for is there. */
    uint32_t word = tern_a32_exchange_acquire(&bell->shared->root.word, 0, BELL_1_COLLECT);
    return word & bell->root_mask;
}

/** Begin to go through what tern_bell_collect() returned. @param bits as returned; other bits are
 *  ignored. Role: collector. Progress: wait-free. Order: none. Crash: as tern_bell_collect(). */
TERN_INLINE void tern_bell_begin_with(tern_bell *bell, tern_bell_pass *pass, uint32_t bits)
{
    pass->bell = bell;
    pass->bits = bits & bell->root_mask;
    pass->leaf = pass->end = 0;
}

/** Clear the root, and begin to go through what it held. The pass is valid as long as the view
 *  stays where it is. Role: collector. Progress: wait-free. Order: acquire [BELL-1]. Crash: as
 *  tern_bell_collect(). */
TERN_INLINE void tern_bell_begin(tern_bell *bell, tern_bell_pass *pass)
{
    tern_bell_begin_with(bell, pass, tern_bell_collect(bell));
}

/* The next leaf that looks marked; end if there is none. */
TERN_INLINE uint32_t tern__bell_find_leaf(const tern_a32 *leaves, uint32_t leaf, uint32_t end)
{
    /* relaxed, all of these: a mark whose root bit we cleared happened before that (BELL-1), so this
     * look sees it unless we have taken it since; the root bit of any other mark is still to come */
    if (leaf < end && tern_a32_load_relaxed(&leaves[leaf]) != 0) return leaf;
#if !defined(__OPTIMIZE_SIZE__)
    for (; end - leaf >= 4; leaf += 4) {   /* mostly empty: four at a time */
        /* relaxed: as above */
        uint32_t low = tern_a32_load_relaxed(&leaves[leaf]) | tern_a32_load_relaxed(&leaves[leaf + 1]);
        uint32_t high = tern_a32_load_relaxed(&leaves[leaf + 2]) | tern_a32_load_relaxed(&leaves[leaf + 3]);
        if (low | high) break;
    }
#endif
    while (leaf < end && tern_a32_load_relaxed(&leaves[leaf]) == 0) leaf++; /* relaxed: as above */
    return leaf;
}

/* Take one leaf's marks. */
TERN_INLINE uint32_t tern__bell_take_leaf(const tern_bell *bell, uint32_t leaf)
{
    /* [BELL-2] acquire: what the ringers published after their marks.
     * Pairs with: [BELL-2] release in tern_bell_ring().
     * Otherwise: a mark whose root bit we did not see yet may lead us to old data. */
    uint32_t bits = tern_a32_exchange_acquire(&bell->leaf[leaf], 0, BELL_2_TAKE);
    uint32_t left = bell->sources - leaf * TERN__BELL_LEAF_SOURCES;
    return left < TERN__BELL_LEAF_SOURCES ? bits & ((1u << left) - 1u) : bits;
}

/**
 * Clear and hand out the next 32 sources of which any rang.
 *
 * @param first_source out: the source that bit 0 stands for
 * @param bits         out: never 0 when true
 * @return false: that was all, and both are 0
 *
 * Role: collector. Progress: wait-free: at most sources / 32 + 1 calls, whatever the ringers do.
 * Order: acquire [BELL-2]; pairs with tern_bell_ring(). Crash: as tern_bell_collect().
 */
TERN_INLINE bool tern_bell_next(tern_bell_pass *pass, uint32_t *first_source, uint32_t *bits)
{
    const tern_bell *bell = pass->bell;
    *first_source = 0;
    if (!bell->leaf) {
        *bits = pass->bits;
        pass->bits = 0;
        return *bits != 0;
    }
    *bits = 0;
    for (;;) {
        uint32_t leaf = tern__bell_find_leaf(bell->leaf, pass->leaf, pass->end);
        if (leaf < pass->end) {
            pass->leaf = leaf + 1;
            *bits = tern__bell_take_leaf(bell, leaf);
            if (*bits == 0) continue;   /* marks of sources that there are not */
            *first_source = leaf * TERN__BELL_LEAF_SOURCES;
            return true;
        }
        if (pass->bits == 0) return false;
        uint32_t run_leaves = (1u << bell->root_shift) / TERN__BELL_LEAF_SOURCES;
        pass->leaf = tern_bell_take(&pass->bits) * run_leaves;
        /* the mask keeps to the root bits that have leaves; the last run may be shorter */
        pass->end = pass->leaf + run_leaves < bell->leaves ? pass->leaf + run_leaves : bell->leaves;
    }
}

/* What an object that is bound to a bell does after each publication; bell is NULL if it is not. */
TERN_INLINE void tern__bell_ring_bound(const tern_bell *bell, uint32_t source)
{
    if (TERN_UNLIKELY(bell != NULL)) tern__bell_ring_far(bell, source);
}

#endif
