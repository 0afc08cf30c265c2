/* SPDX-License-Identifier: MIT */
/* internal.h: what the files of lib/ share and nobody else sees. */
#ifndef TERN_INTERNAL_H
#define TERN_INTERNAL_H

/* The first include of every file: what the platform files need from Linux' headers. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#  define _GNU_SOURCE 1
#endif

#include "../include/tern/ring.h"

TERN_EXTERN_C_BEGIN

struct tern_region;

#define TERN__HASH_START 2166136261u

/* Hash of bytes, to be continued: guards header words against damage, not against malice. */
uint32_t tern__hash(uint32_t hash, const void *bytes, size_t size_bytes);

/* Whether memory can hold an object at all: not NULL, aligned, large enough for its header. */
TERN_INLINE tern_status tern__check_memory(const void *memory, size_t size_bytes, size_t header_bytes)
{
    if (!memory) return TERN_ERR_ARGUMENT;
    if ((uintptr_t)memory % TERN_ALIGNMENT != 0) return TERN_ERR_ALIGNMENT;
    return size_bytes < header_bytes ? TERN_ERR_MEMORY : TERN_OK;
}

/* What an object is, is told by a struct that begins with the layout's version and ends with the
 * hash of all that stands before. This is the hash. */
uint32_t tern__geometry_check(const void *geometry, size_t size_bytes);

/* Copy such a struct out of shared memory, once, after its object's magic was seen: TERN_OK,
 * TERN_ERR_VERSION or TERN_ERR_CORRUPT. Whether its fields fit together is the object's to say. */
tern_status tern__copy_geometry(void *geometry, const void *shared, size_t size_bytes);

/* An absolute point on the monotonic clock from a time-out; FOREVER stays FOREVER. */
TERN_INLINE uint64_t tern__deadline(uint64_t timeout_ns)
{
    if (timeout_ns == TERN_WAIT_FOREVER) return TERN_WAIT_FOREVER;
    uint64_t now = tern_now_ns();
    return timeout_ns > TERN_WAIT_FOREVER - 1 - now ? TERN_WAIT_FOREVER - 1 : now + timeout_ns;
}

/* What is left of it; 0 when it has passed. */
TERN_INLINE uint64_t tern__time_left(uint64_t deadline_ns)
{
    if (deadline_ns == TERN_WAIT_FOREVER) return TERN_WAIT_FOREVER;
    uint64_t now = tern_now_ns();
    return deadline_ns > now ? deadline_ns - now : 0;
}

/* Picoseconds that tern_cpu_relax() takes on this processor; 0: it does nothing. Some need 1 ns and some
 * more than 40. Measured at each call, a few microseconds, and the least of all calls is the answer:
 * the first ones may come before the processor has reached its speed. */
uint32_t tern__pause_ps(void);

#ifdef __cplusplus
#  define TERN__THREAD_LOCAL thread_local
#else
#  define TERN__THREAD_LOCAL _Thread_local
#endif

/* From now on, before and after each sleep of the calling thread; NULL: nothing any more. Where
 * there are threads and a stand-alone C library (not in wasm). */
void tern__around_sleep(void (*function)(bool asleep));

/* ---- Patience ------------------------------------------------------------------------------- */

/* Whether a view spins before it sleeps follows what came of it: each wait that had to sleep after
 * all counts against it, each that spinning ended makes up for one. So a view whose waits mostly end
 * by spinning spins as long as it may, through a disturbance now and then, and one whose waits mostly
 * end in a sleep pays for the sleep alone. To spin for about as long as a sleep costs is never worse
 * than twice the best choice (Karlin, Li, Manasse, Owicki: Empirical studies of competitive spinning,
 * SOSP 1991); that the last outcomes tell what to do next is how the monitors of OpenJDK's HotSpot
 * decide (objectMonitor.cpp). No clock is needed: wasm has none.
 *
 * All or nothing, no part of the time: after halving it, an answer that takes longer than the half
 * would be lost by a single disturbance.
 *
 * Who no longer spins cannot learn that it would pay again. So one wait spins after so many sleeps,
 * and it stays at that if it helps: seldom enough to cost a few hundredths of the cheapest sleeps,
 * those between threads of one processor (docs/benchmarks.md). */
#define TERN__SPIN_MOST_FAILURES 8u
#ifndef TERN__SPIN_RETRY_SLEEPS
#  define TERN__SPIN_RETRY_SLEEPS 512u
#endif

/* How often the next wait looks before it sleeps. */
TERN_INLINE uint32_t tern__spin_allowed(const tern__spin *spin, uint32_t spin_checks)
{
    bool spins = spin->failures != TERN__SPIN_MOST_FAILURES || spin->sleeps == TERN__SPIN_RETRY_SLEEPS;
    return spins ? spin_checks : 0;
}

TERN_INLINE void tern__spin_failed(tern__spin *spin)
{
    if (spin->failures != TERN__SPIN_MOST_FAILURES) spin->failures++;
    else if (spin->sleeps != TERN__SPIN_RETRY_SLEEPS) spin->sleeps++;
    else spin->sleeps = 0;
}

TERN_INLINE void tern__spin_helped(tern__spin *spin)
{
    if (spin->failures == 0) return;
    spin->failures--;
    spin->sleeps = 0;
}

/* How long a waiting call goes on: first it spins, then it sleeps until a deadline. The
 * time-out becomes a deadline when the spinning is over: a wait that ends before never reads
 * the clock. */
struct tern__patience {
    tern__spin *spin;             /* of the view that waits */
    const tern__role *role;       /* of the view: whom it waits for, if that can be told */
    uint64_t timeout_ns, deadline_ns;
    uint32_t spins_allowed, spins_left;
    bool started;                 /* the time-out: the spinning is over */
    bool watched;                 /* it slept for a while: time to see whether the other end lives */
};

/* What a wait that found nothing answers before it has tried to sleep; TERN_OK: nothing, it tries. Without threads
 * nobody changes what it waits for, so it neither sleeps nor spins. */
#if defined(__wasm__) && !defined(__wasm_atomics__)
#  define TERN__SLEPT TERN_ERR_UNSUPPORTED
#else
#  define TERN__SLEPT TERN_OK
#endif

/* So long sleeps, at most, who can see whether the other end lives; so long after its death, and the
 * time that a wake takes, he says so. */
static const uint64_t tern__watch_ns = 20000000;

TERN_INLINE struct tern__patience tern__patience_begin(uint64_t timeout_ns, uint32_t spin_checks,
                                                       tern__spin *spin, const tern__role *role)
{
    uint32_t allowed = timeout_ns ? tern__spin_allowed(spin, spin_checks) : 0;
    struct tern__patience patience = { spin, role, timeout_ns, 0, allowed, allowed, false, false };
    return patience;
}

/* What to do after a look that found nothing. TERN_OK with 0 left: it has spun, look again;
 * TERN_OK with more: sleep for at most so long, by tern__patience_sleep(); TERN_ERR_TIMEOUT;
 * TERN_ERR_PEER_DEAD. */
TERN_INLINE tern_status tern__patience_left(struct tern__patience *patience, uint64_t *left_ns)
{
    *left_ns = 0;
    if (patience->spins_left > 0) {
        patience->spins_left--;
        tern_cpu_relax();
        return TERN_OK;
    }
    if (patience->timeout_ns == 0) return TERN_ERR_TIMEOUT;
    if (!patience->started) {
        patience->started = true;
        patience->deadline_ns = tern__deadline(patience->timeout_ns);
        tern__spin_failed(patience->spin);
        *left_ns = patience->timeout_ns;   /* so most sleeps read the clock once */
        return TERN_OK;
    }
    *left_ns = tern__time_left(patience->deadline_ns);
#if defined(__wasm__)
    *left_ns = patience->timeout_ns;   /* no clock: each sleep has what is left of the time-out */
#endif
    if (*left_ns == 0) return TERN_ERR_TIMEOUT;
    if (!patience->watched) return TERN_OK;
    patience->watched = false;
    return tern__role_other_is_dead(patience->role) ? TERN_ERR_PEER_DEAD : TERN_OK;
}

#if !defined(TERN_NONBLOCKING)
/* tern_word_wait() that comes back now and then to see whether the other end lives. */
TERN_INLINE tern_status tern__patience_sleep(struct tern__patience *patience, tern_a32 *word, uint32_t expected,
                                             uint64_t left_ns)
{
    if (TERN__MODULE || !patience->role->other_is_dead || left_ns <= tern__watch_ns)
        return tern_word_wait(word, expected, left_ns);
    tern_status status = tern_word_wait(word, expected, tern__watch_ns);
    if (status != TERN_ERR_TIMEOUT) return status;
#if defined(__wasm__)
    if (patience->timeout_ns != TERN_WAIT_FOREVER) patience->timeout_ns -= tern__watch_ns;
#endif
    patience->watched = true;
    return TERN_OK;
}
#endif

/* The wait is over, with this status: remember what came of the spinning. A wait that did not have
 * to spin tells nothing, and a sleep has been counted when it began. */
TERN_INLINE tern_status tern__patience_end(const struct tern__patience *patience, tern_status status)
{
    bool spun = patience->spins_left != patience->spins_allowed;
    if (status == TERN_OK && spun && !patience->started) tern__spin_helped(patience->spin);
    return status;
}

/* The collector's end of a bell in a region, if it is not ours yet; bell.c. */
tern_status tern__bell_take_end(tern_bell *bell);

/* ---- Regions ------------------------------------------------------------------------------ */

/* How many forks lie between this process and the first one. Only a fork's child changes it, before it
 * has a second thread; where nobody watches forks (no Linux) it stays 0. */
extern uint32_t tern__fork_generation;

/* Whether a view came over a fork: the memory that it tells of is the parent's and not mapped here. */
bool tern__region_is_inherited(const struct tern_region *region);

#if !defined(TERN_MODEL)
/* The heavy barrier of atomic.h, and what a process does that wants to hear those of others. */
bool tern__barrier_register(void);
bool tern__barrier_heavy(void);
#endif

/* ---- The ring, for objects that are made of one (stream.c) --------------------------------- */

/* As the public calls without the two underscores, for an object with a magic of its own: a
 * ring is then never taken for it, nor it for a ring. */
tern_status tern__ring_format(void *memory, size_t size_bytes, const tern_ring_desc *desc, uint32_t magic);
tern_status tern__ring_attach_producer(tern_ring_producer *p, void *memory, size_t size_bytes, uint32_t magic);
tern_status tern__ring_attach_consumer(tern_ring_consumer *c, void *memory, size_t size_bytes, uint32_t magic);
tern_status tern__ring_inspect(tern_ring_info *info, const void *memory, size_t size_bytes, uint32_t magic);

/* The word that tells of the item at an index, and that a consumer sleeps on who has seen all before. */
TERN_INLINE tern_a32 *tern__ring_item_word(struct tern_ring_end *ends, bool sequenced, unsigned char *items,
                                           uint32_t index, uint32_t capacity_items, uint32_t slot_size_bytes)
{
    if (!sequenced) return &ends[0].word;
    return tern__ring_sequence(tern__ring_slot(items, index, capacity_items, slot_size_bytes), slot_size_bytes);
}

/* What stands in it before the item comes: the index of the last item, or the slot's last lap. */
TERN_INLINE uint32_t tern__ring_item_word_before(bool sequenced, uint32_t index, uint32_t capacity_items)
{
    return (sequenced ? index + 1 - capacity_items : index) << 1;
}

#if !defined(TERN_NONBLOCKING)
/* Wait until `want` slots are free, 1 <= want <= capacity. The caller keeps the patience: several
 * waits of one call share a time-out. */
tern_status tern__ring_wait_space(tern_ring_producer *p, uint32_t want, struct tern__patience *patience);
/* Wait until at least one item is there. */
tern_status tern__ring_wait_items(tern_ring_consumer *c, struct tern__patience *patience);
#endif

TERN_EXTERN_C_END

#endif
