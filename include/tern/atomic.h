/* SPDX-License-Identifier: MIT */
/**
 * atomic.h: the only file that knows atomics.
 *
 * One source of every algorithm, three ways to compile it:
 *   C11      <stdatomic.h>
 *   C++      std::atomic, same size and bytes
 *   model    Relacy's atomics (TERN_MODEL), for the checker under tests/model/
 *
 * Operations carry their order in their name. Every operation that orders
 * anything also carries the name of its site:
 *
 *     tern_a32_store_release(&shared->tail, word, RING_1_PUBLISH);
 *
 * RING_1 is the edge (see docs/memory-model.md), the rest says which access.
 * Native builds drop the name; the model weakens one named site at a time and
 * expects a failing execution. tools/check-edges reads the same names.
 *
 * Only operations in use exist. Where two sides each store one word and then look at the other's, the
 * pool's are seq_cst; the one fence is the pair of barriers for where one side does so far more
 * often than the other: light where it happens all the time, heavy where it is rare. See
 * docs/memory-model.md.
 */
#ifndef TERN_ATOMIC_H
#define TERN_ATOMIC_H

#include "base.h"

#if defined(TERN_MODEL)

/* ---- Relacy: included by the test before this header -------------------- */

/* The order to use at a site: the given one, or a weaker one under mutation. */
enum tern_model_access { TERN_MODEL_CHANGE, TERN_MODEL_LOAD, TERN_MODEL_BARRIER };
rl::memory_order tern_model_order(const char *site, rl::memory_order order, tern_model_access access);
/* Of an operation without a site: relaxed. */
rl::memory_order tern_model_relaxed();
/* Payload bytes are tracked by the model, so that a race on them is an error. */
void tern_model_payload_write(const void *address, size_t size_bytes);
void tern_model_payload_read(const void *address, size_t size_bytes);

typedef struct { rl::atomic<int> value; } tern_a32;
typedef struct { rl::atomic<long long> value; } tern_a64;

#define TERN__AT(site, order) tern_model_order(#site, rl::order, TERN_MODEL_CHANGE)
#define TERN__LOAD_AT(site, order) tern_model_order(#site, rl::order, TERN_MODEL_LOAD)

#define tern_a32_load_relaxed(a) ((uint32_t)(a)->value.load(tern_model_relaxed(), $))
#define tern_a32_load_acquire(a, site) ((uint32_t)(a)->value.load(TERN__LOAD_AT(site, mo_acquire), $))
#define tern_a32_store_relaxed(a, v) ((a)->value.store((int)(v), tern_model_relaxed(), $))
#define tern_a32_store_release(a, v, site) ((a)->value.store((int)(v), TERN__AT(site, mo_release), $))
#define tern_a32_exchange_release(a, v, site) \
    ((uint32_t)(a)->value.exchange((int)(v), TERN__AT(site, mo_release), $))
#define tern_a32_exchange_acquire(a, v, site) \
    ((uint32_t)(a)->value.exchange((int)(v), TERN__AT(site, mo_acquire), $))
#define tern_a32_fetch_or_release(a, v, site) \
    ((uint32_t)(a)->value.fetch_or((int)(v), TERN__AT(site, mo_release), $))
#define tern_a32_fetch_and_release(a, v, site) \
    ((uint32_t)(a)->value.fetch_and((int)(v), TERN__AT(site, mo_release), $))
#define tern_a32_fetch_add_relaxed(a, v) ((uint32_t)(a)->value.fetch_add((int)(v), tern_model_relaxed(), $))
#define tern_a32_fetch_add_release(a, v, site) \
    ((uint32_t)(a)->value.fetch_add((int)(v), TERN__AT(site, mo_release), $))
#define tern_a64_load_relaxed(a) ((uint64_t)(a)->value.load(tern_model_relaxed(), $))
#define tern_a64_load_acquire(a, site) ((uint64_t)(a)->value.load(TERN__LOAD_AT(site, mo_acquire), $))
#define tern_a64_store_relaxed(a, v) ((a)->value.store((long long)(v), tern_model_relaxed(), $))
#define tern_a64_store_release(a, v, site) ((a)->value.store((long long)(v), TERN__AT(site, mo_release), $))
#define tern_a64_fetch_sub_release(a, v, site) \
    ((uint64_t)(a)->value.fetch_sub((long long)(v), TERN__AT(site, mo_release), $))

static inline bool tern__model_cas32(tern_a32 *a, uint32_t *expected, uint32_t desired,
                                     rl::memory_order order, rl::debug_info const &info)
{
    int seen = (int)*expected;
    bool swapped = a->value.compare_exchange_strong(seen, (int)desired, order, info, rl::mo_relaxed, info);
    *expected = (uint32_t)seen;
    return swapped;
}
static inline bool tern__model_cas64(tern_a64 *a, uint64_t *expected, uint64_t desired,
                                     rl::memory_order order, rl::debug_info const &info)
{
    long long seen = (long long)*expected;
    bool swapped = a->value.compare_exchange_strong(seen, (long long)desired, order, info, rl::mo_relaxed, info);
    *expected = (uint64_t)seen;
    return swapped;
}
#define tern_a32_cas_acquire(a, e, d, site) tern__model_cas32(a, e, d, TERN__AT(site, mo_acquire), $)
#define tern_a32_cas_release(a, e, d, site) tern__model_cas32(a, e, d, TERN__AT(site, mo_release), $)
#define tern_a32_cas_acq_rel(a, e, d, site) tern__model_cas32(a, e, d, TERN__AT(site, mo_acq_rel), $)
#define tern_a32_cas_relaxed(a, e, d) tern__model_cas32(a, e, d, tern_model_relaxed(), $)
#define tern_a64_cas_relaxed(a, e, d) tern__model_cas64(a, e, d, tern_model_relaxed(), $)
#define tern_a64_cas_acquire(a, e, d, site) tern__model_cas64(a, e, d, TERN__AT(site, mo_acquire), $)
#define tern_a64_cas_release(a, e, d, site) tern__model_cas64(a, e, d, TERN__AT(site, mo_release), $)
#define tern_a64_cas_acq_rel(a, e, d, site) tern__model_cas64(a, e, d, TERN__AT(site, mo_acq_rel), $)
#define tern_a32_load_seq_cst(a, site) ((uint32_t)(a)->value.load(TERN__LOAD_AT(site, mo_seq_cst), $))
#define tern_a64_load_seq_cst(a, site) ((uint64_t)(a)->value.load(TERN__LOAD_AT(site, mo_seq_cst), $))
#define tern_a32_cas_seq_cst(a, e, d, site) tern__model_cas32(a, e, d, TERN__AT(site, mo_seq_cst), $)
#define tern_a64_cas_seq_cst(a, e, d, site) tern__model_cas64(a, e, d, TERN__AT(site, mo_seq_cst), $)

/* The light barrier holds only the compiler, so here it is nothing; the heavy one orders all threads at
 * once. Weakened it orders nobody. */
static inline bool tern__model_barrier_heavy(rl::memory_order order, rl::debug_info const &info)
{
    if (order == rl::mo_seq_cst) rl::rl_FlushProcessWriteBuffers(info);
    return true;
}
#define tern_barrier_light(site) ((void)tern_model_order(#site, rl::mo_relaxed, TERN_MODEL_BARRIER))
#define tern_barrier_heavy(site) \
    tern__model_barrier_heavy(tern_model_order(#site, rl::mo_seq_cst, TERN_MODEL_BARRIER), $)

#define tern_cpu_relax() rl::yield(1, $)
#define tern_prefetch(address) ((void)(address))
#define tern_prefetch_write(address) ((void)(address))
#define TERN_SHARED_ASSERT(condition, text)

#else

/* ---- C11 and C++ --------------------------------------------------------- */

#ifdef __cplusplus
#  include <atomic>
#  define TERN__STD std::
typedef struct { std::atomic<uint32_t> value; } tern_a32;
typedef struct { std::atomic<uint64_t> value; } tern_a64;
#else
#  include <stdatomic.h>
#  define TERN__STD
typedef struct { _Atomic(uint32_t) value; } tern_a32;
typedef struct { _Atomic(uint64_t) value; } tern_a64;
#endif

TERN_STATIC_ASSERT(sizeof(tern_a32) == 4, "a shared 32-bit word has 4 bytes in every language");
TERN_STATIC_ASSERT(sizeof(tern_a64) == 8, "a shared 64-bit word has 8 bytes in every language");
#if defined(__clang__)
/* not ATOMIC_LLONG_LOCK_FREE: clang answers "sometimes" on 32-bit x86, where a plain long long is
 * aligned to 4; an atomic one is aligned to 8 and always lock-free */
TERN_STATIC_ASSERT(__atomic_always_lock_free(4, NULL), "32-bit atomics must be lock-free");
TERN_STATIC_ASSERT(__atomic_always_lock_free(8, NULL), "64-bit atomics must be lock-free");
#else
TERN_STATIC_ASSERT(ATOMIC_INT_LOCK_FREE == 2 && sizeof(int) == 4, "32-bit atomics must be lock-free");
TERN_STATIC_ASSERT(ATOMIC_LLONG_LOCK_FREE == 2 && sizeof(long long) == 8, "64-bit atomics must be lock-free");
#endif

/* ---- Watching: a test build that is told of each access to shared memory ---------------- */
/* tests/hostile/ counts them, changes the bytes in between as a hostile peer would, and
 * checks that there are no others. Every other build has nothing of this. */
#if defined(TERN_WATCH)
enum { TERN_WATCH_READ = 1, TERN_WATCH_WRITE = 2, TERN_WATCH_BOTH = 3 };
TERN_EXTERN_C_BEGIN
void tern_watch_before(const void *shared, size_t size_bytes, int kind);
void tern_watch_after(const void *shared, size_t size_bytes, int kind);
TERN_EXTERN_C_END
#  define TERN__WATCH_BEFORE(shared, size_bytes, kind) tern_watch_before(shared, size_bytes, kind)
#  define TERN__WATCH_AFTER(shared, size_bytes, kind) tern_watch_after(shared, size_bytes, kind)
#else
#  define TERN__WATCH_BEFORE(shared, size_bytes, kind) ((void)0)
#  define TERN__WATCH_AFTER(shared, size_bytes, kind) ((void)0)
#endif

/* Offsets and sizes of shared structs: checked wherever the real types are. */
#define TERN_SHARED_ASSERT(condition, text) TERN_STATIC_ASSERT(condition, text)

#define TERN__LOAD(bits, type, name, order) \
    TERN_INLINE type tern__##name(const tern_a##bits *a) \
    { TERN__WATCH_BEFORE(a, sizeof *a, TERN_WATCH_READ); \
      type v = TERN__STD atomic_load_explicit(&a->value, TERN__STD order); \
      TERN__WATCH_AFTER(a, sizeof *a, TERN_WATCH_READ); \
      return v; }
#define TERN__STORE(bits, type, name, order) \
    TERN_INLINE void tern__##name(tern_a##bits *a, type v) \
    { TERN__WATCH_BEFORE(a, sizeof *a, TERN_WATCH_WRITE); \
      TERN__STD atomic_store_explicit(&a->value, v, TERN__STD order); \
      TERN__WATCH_AFTER(a, sizeof *a, TERN_WATCH_WRITE); }
#define TERN__RMW(bits, type, name, operation, order) \
    TERN_INLINE type tern__##name(tern_a##bits *a, type v) \
    { TERN__WATCH_BEFORE(a, sizeof *a, TERN_WATCH_BOTH); \
      type was = TERN__STD operation(&a->value, v, TERN__STD order); \
      TERN__WATCH_AFTER(a, sizeof *a, TERN_WATCH_BOTH); \
      return was; }
#define TERN__CAS(bits, type, name, order) \
    /* strong; a failure orders nothing, and leaves what it saw in *expected */ \
    TERN_INLINE bool tern__##name(tern_a##bits *a, type *expected, type desired) \
    { TERN__WATCH_BEFORE(a, sizeof *a, TERN_WATCH_BOTH); \
      bool swapped = TERN__STD atomic_compare_exchange_strong_explicit( \
          &a->value, expected, desired, TERN__STD order, TERN__STD memory_order_relaxed); \
      TERN__WATCH_AFTER(a, sizeof *a, TERN_WATCH_BOTH); \
      return swapped; }

TERN__LOAD(32, uint32_t, a32_load_relaxed, memory_order_relaxed)
TERN__LOAD(32, uint32_t, a32_load_acquire, memory_order_acquire)
TERN__STORE(32, uint32_t, a32_store_relaxed, memory_order_relaxed)
TERN__STORE(32, uint32_t, a32_store_release, memory_order_release)
TERN__RMW(32, uint32_t, a32_exchange_acquire, atomic_exchange_explicit, memory_order_acquire)
TERN__RMW(32, uint32_t, a32_exchange_release, atomic_exchange_explicit, memory_order_release)
TERN__RMW(32, uint32_t, a32_fetch_or_release, atomic_fetch_or_explicit, memory_order_release)
TERN__RMW(32, uint32_t, a32_fetch_and_release, atomic_fetch_and_explicit, memory_order_release)
TERN__RMW(32, uint32_t, a32_fetch_add_relaxed, atomic_fetch_add_explicit, memory_order_relaxed)
TERN__RMW(32, uint32_t, a32_fetch_add_release, atomic_fetch_add_explicit, memory_order_release)
TERN__CAS(32, uint32_t, a32_cas_acquire, memory_order_acquire)
TERN__CAS(32, uint32_t, a32_cas_release, memory_order_release)
TERN__CAS(32, uint32_t, a32_cas_acq_rel, memory_order_acq_rel)
TERN__LOAD(64, uint64_t, a64_load_relaxed, memory_order_relaxed)
TERN__LOAD(64, uint64_t, a64_load_acquire, memory_order_acquire)
TERN__STORE(64, uint64_t, a64_store_relaxed, memory_order_relaxed)
TERN__STORE(64, uint64_t, a64_store_release, memory_order_release)
TERN__RMW(64, uint64_t, a64_fetch_sub_release, atomic_fetch_sub_explicit, memory_order_release)
TERN__CAS(32, uint32_t, a32_cas_relaxed, memory_order_relaxed)
TERN__CAS(64, uint64_t, a64_cas_relaxed, memory_order_relaxed)
TERN__CAS(64, uint64_t, a64_cas_acquire, memory_order_acquire)
TERN__CAS(64, uint64_t, a64_cas_release, memory_order_release)
TERN__CAS(64, uint64_t, a64_cas_acq_rel, memory_order_acq_rel)
TERN__LOAD(32, uint32_t, a32_load_seq_cst, memory_order_seq_cst)
TERN__LOAD(64, uint64_t, a64_load_seq_cst, memory_order_seq_cst)
TERN__CAS(32, uint32_t, a32_cas_seq_cst, memory_order_seq_cst)
TERN__CAS(64, uint64_t, a64_cas_seq_cst, memory_order_seq_cst)

#undef TERN__LOAD
#undef TERN__STORE
#undef TERN__RMW
#undef TERN__CAS

/* The public spelling; relaxed operations order nothing and have no site. */
#define tern_a32_load_relaxed(a) tern__a32_load_relaxed(a)
#define tern_a32_load_acquire(a, site) tern__a32_load_acquire(a)
#define tern_a32_store_relaxed(a, v) tern__a32_store_relaxed(a, v)
#define tern_a32_store_release(a, v, site) tern__a32_store_release(a, v)
#define tern_a32_exchange_acquire(a, v, site) tern__a32_exchange_acquire(a, v)
#define tern_a32_exchange_release(a, v, site) tern__a32_exchange_release(a, v)
#define tern_a32_fetch_or_release(a, v, site) tern__a32_fetch_or_release(a, v)
#define tern_a32_fetch_and_release(a, v, site) tern__a32_fetch_and_release(a, v)
#define tern_a32_fetch_add_relaxed(a, v) tern__a32_fetch_add_relaxed(a, v)
#define tern_a32_fetch_add_release(a, v, site) tern__a32_fetch_add_release(a, v)
#define tern_a32_cas_acquire(a, e, d, site) tern__a32_cas_acquire(a, e, d)
#define tern_a32_cas_release(a, e, d, site) tern__a32_cas_release(a, e, d)
#define tern_a32_cas_acq_rel(a, e, d, site) tern__a32_cas_acq_rel(a, e, d)
#define tern_a64_load_relaxed(a) tern__a64_load_relaxed(a)
#define tern_a64_load_acquire(a, site) tern__a64_load_acquire(a)
#define tern_a64_store_relaxed(a, v) tern__a64_store_relaxed(a, v)
#define tern_a64_store_release(a, v, site) tern__a64_store_release(a, v)
#define tern_a64_fetch_sub_release(a, v, site) tern__a64_fetch_sub_release(a, v)
#define tern_a32_cas_relaxed(a, e, d) tern__a32_cas_relaxed(a, e, d)
#define tern_a64_cas_relaxed(a, e, d) tern__a64_cas_relaxed(a, e, d)
#define tern_a64_cas_acquire(a, e, d, site) tern__a64_cas_acquire(a, e, d)
#define tern_a64_cas_release(a, e, d, site) tern__a64_cas_release(a, e, d)
#define tern_a64_cas_acq_rel(a, e, d, site) tern__a64_cas_acq_rel(a, e, d)
#define tern_a32_load_seq_cst(a, site) tern__a32_load_seq_cst(a)
#define tern_a64_load_seq_cst(a, site) tern__a64_load_seq_cst(a)
#define tern_a32_cas_seq_cst(a, e, d, site) tern__a32_cas_seq_cst(a, e, d)
#define tern_a64_cas_seq_cst(a, e, d, site) tern__a64_cas_seq_cst(a, e, d)

/* Keeps the compiler from moving accesses across; the processor may still pass a load ahead of a
 * store. The other side's heavy barrier makes up for it. */
TERN_INLINE void tern__barrier_light(void)
{
    TERN__STD atomic_signal_fence(TERN__STD memory_order_seq_cst);
}
#define tern_barrier_light(site) tern__barrier_light()
/* A full barrier here and on every processor that runs a thread whose process may publish by plain
 * stores; false: not to be had (wasm, old kernels, a filter). One system call; lib/os/barrier.c. */
#define tern_barrier_heavy(site) tern__barrier_heavy()   /* declared in lib/internal.h */

/** Tell the processor that this is a polling loop; no memory order. */
TERN_INLINE void tern_cpu_relax(void)
{
#if defined(TERN_WATCH)
    /* nothing: steps are counted there, and the time of a pause helps nobody */
#elif defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ __volatile__("yield");
#elif defined(__wasm__)
    __asm__ __volatile__("");   /* no instruction for it; a loop of these takes time all the same */
#endif
}

#if defined(__GNUC__) || defined(__clang__)
#  define tern_prefetch(address) __builtin_prefetch(address, 0, 3)
#  if defined(__x86_64__) && !defined(__PRFCHW__)
/* What the built-in makes of it only if told that the processor has it: else a fetch that leaves the
 * line with its owner. All 64-bit ones that are in use have it, or take it for no operation. */
TERN_INLINE void tern_prefetch_write(const void *address)
{
    __asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)address));
}
#  else
#    define tern_prefetch_write(address) __builtin_prefetch(address, 1, 3)
#  endif
#else
#  define tern_prefetch(address) ((void)(address))
#  define tern_prefetch_write(address) ((void)(address))
#endif

#endif /* TERN_MODEL */

/* ---- Payload -------------------------------------------------------------- */
/* Bytes that an edge publishes are copied through these two and nothing else,
 * so that the model sees each access to them. */

TERN_INLINE void tern_copy_to_shared(void *shared, const void *from, size_t size_bytes)
{
#if defined(TERN_MODEL)
    tern__memcpy(shared, from, size_bytes);
    tern_model_payload_write(shared, size_bytes);
#else
    TERN__WATCH_BEFORE(shared, size_bytes, TERN_WATCH_WRITE);
    tern__memcpy(shared, from, size_bytes);
    TERN__WATCH_AFTER(shared, size_bytes, TERN_WATCH_WRITE);
#endif
}

TERN_INLINE void tern_copy_from_shared(void *to, const void *shared, size_t size_bytes)
{
#if defined(TERN_MODEL)
    tern_model_payload_read(shared, size_bytes);
    tern__memcpy(to, shared, size_bytes);
#else
    TERN__WATCH_BEFORE(shared, size_bytes, TERN_WATCH_READ);
    tern__memcpy(to, shared, size_bytes);
    TERN__WATCH_AFTER(shared, size_bytes, TERN_WATCH_READ);
#endif
}

/* Eight bytes of payload at a multiple of 8, read exactly once. A compiler may load a plain copy a
 * second time where it is used again; what a hostile peer changes meanwhile would then pass a
 * check with one value and be used with another. */
TERN_INLINE uint64_t tern_read_once(const void *shared)
{
#if defined(TERN_MODEL)
    uint64_t value;
    tern_copy_from_shared(&value, shared, sizeof value);
#else
#  if defined(__GNUC__) || defined(__clang__)
    typedef uint64_t __attribute__((may_alias)) tern__any64;
#  else
    typedef uint64_t tern__any64;
#  endif
    TERN__WATCH_BEFORE(shared, sizeof(uint64_t), TERN_WATCH_READ);
    uint64_t value = *(const volatile tern__any64 *)shared;
    TERN__WATCH_AFTER(shared, sizeof(uint64_t), TERN_WATCH_READ);
#endif
    return value;
}

#endif
