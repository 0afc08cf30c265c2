/* SPDX-License-Identifier: MIT */
/**
 * base.h: version, status codes, compiler and platform detection.
 *
 * Everything else in Tern includes this file and nothing below it exists.
 *
 *     tern_status status = tern_ring_attach_producer(&p, memory, size);
 *     if (status != TERN_OK)
 *         fprintf(stderr, "%s\n", tern_status_text(status));
 */
#ifndef TERN_BASE_H
#define TERN_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TERN_VERSION_MAJOR 0
#define TERN_VERSION_MINOR 1
#define TERN_VERSION_PATCH 0
#define TERN_VERSION_STRING "0.1.0"

/** Version of the bytes. Two programs share memory only if they agree on it. */
#define TERN_LAYOUT_VERSION 1u

/* ---- Compiler ---------------------------------------------------------- */

#ifdef __cplusplus
#  define TERN_EXTERN_C_BEGIN extern "C" {
#  define TERN_EXTERN_C_END }
#  define TERN_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#  define TERN_EXTERN_C_BEGIN
#  define TERN_EXTERN_C_END
#  define TERN_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

#if defined(__GNUC__) || defined(__clang__)
#  define TERN_API __attribute__((visibility("default")))
#  define TERN_LIKELY(x) __builtin_expect(!!(x), 1)
#  define TERN_UNLIKELY(x) __builtin_expect(!!(x), 0)
#  define TERN__KNOWN(x) __builtin_constant_p(x)   /* to the compiler */
/* by force only where the optimiser runs for speed: without it a forced copy shows gcc branches that
 * no call takes, it warns of them, and a debugger steps through less; and -Os asks for few copies */
#  if defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__)
#    define TERN_INLINE static inline __attribute__((always_inline, unused))
#  else
#    define TERN_INLINE static inline __attribute__((unused))
#  endif
#  define TERN_NOINLINE __attribute__((noinline))
#  define tern__memcpy __builtin_memcpy
#  define tern__memset __builtin_memset
#  define tern__memcmp __builtin_memcmp
#else
#  include <string.h>
#  define TERN_API
#  define TERN_LIKELY(x) (x)
#  define TERN_UNLIKELY(x) (x)
#  define TERN__KNOWN(x) 0
#  define TERN_INLINE static inline
#  define TERN_NOINLINE
#  define tern__memcpy memcpy
#  define tern__memset memset
#  define tern__memcmp memcmp
#endif

/* What wasm has not: then the code for it is left out. A prefetch; the barrier that other processes feel, with
 * which an end could publish by plain stores (ring_publish.h). */
#if defined(__wasm__)
#  define TERN__HAS_PREFETCH 0
#  define TERN__HAS_BARRIER 0
#else
#  define TERN__HAS_PREFETCH 1
#  define TERN__HAS_BARRIER 1
#endif

/* 1: for a module that JavaScript calls (wasm/exports_cold.c): no view is opened in a region and no end is a native
 * program's, and the code for both is left out. */
#ifndef TERN__MODULE
#  define TERN__MODULE 0
#endif

/* A caller's mistake. On with -DTERN_DEBUG=1, whatever NDEBUG says. Bytes that a
 * peer could have written are never asserted: they give TERN_ERR_CORRUPT. */
#ifndef TERN_ASSERT
#  if defined(TERN_DEBUG) && TERN_DEBUG
#    include <assert.h>
#    define TERN_ASSERT(condition) assert(condition)
#  else
#    define TERN_ASSERT(condition) ((void)0)
#  endif
#endif

/* A check of what a peer wrote: true if that can't be. With -DTERN__TRUST_PEERS the compiler leaves these
 * checks out, to measure what they cost (bench/ring_trusting.cpp), and for nothing else. */
#if defined(TERN__TRUST_PEERS)
#  define TERN__LIES(condition) ((void)sizeof(condition), 0)
#else
#  define TERN__LIES(condition) TERN_UNLIKELY(condition)
#endif

/* ---- Memory ------------------------------------------------------------ */

/** Every object's memory begins at a multiple of this. */
#if defined(TERN_MODEL)
#  define TERN_ALIGNMENT 8u   /* the model checker places its objects itself */
#else
#  define TERN_ALIGNMENT 64u
#endif

/** Distance between words of different writers: two lines of 64 bytes, because
 *  common processors fetch the adjacent line as well. */
#define TERN_SEPARATION 128u

/** A page, where the layout has pages (TERN_RING_PAGED). A constant of the bytes, whatever the
 *  machine's own pages are. */
#define TERN_PAGE_BYTES 4096u

/* ---- Status ------------------------------------------------------------ */

/**
 * Outcome of a call. TERN_OK is 0, failures are negative, the numbers are part
 * of the layout contract (other languages use them). Full, empty and "nothing
 * new" are no failures: the calls for which they are normal return bool, NULL
 * or 0.
 */
typedef enum tern_status {
    TERN_OK = 0,
    TERN_DEFERRED = 1,         /* done, and takes effect later */
    TERN_ERR_ARGUMENT = -1,    /* a parameter is out of its documented range */
    TERN_ERR_ALIGNMENT = -2,   /* memory is not aligned to TERN_ALIGNMENT */
    TERN_ERR_MEMORY = -3,      /* memory or file is smaller than the object needs */
    TERN_ERR_NOT_READY = -4,   /* another thread or process is still formatting it */
    TERN_ERR_VERSION = -5,     /* bytes of another layout version or layout hash */
    TERN_ERR_CORRUPT = -6,     /* the bytes are no valid object of this type */
    TERN_ERR_MISMATCH = -7,    /* it exists, with another type, size or flags */
    TERN_ERR_STATE = -8,       /* the call does not fit the state of the object */
    TERN_ERR_CLOSED = -9,      /* the other side closed, and all has been drained */
    TERN_ERR_TIMEOUT = -10,    /* the time given passed first */
    TERN_ERR_UNSUPPORTED = -11,/* this build, platform or object cannot do it */
    TERN_ERR_EXISTS = -12,     /* the name is taken */
    TERN_ERR_NOT_FOUND = -13,  /* no such name */
    TERN_ERR_FULL = -14,       /* no room left in the region, directory or pool */
    TERN_ERR_NO_SPACE = -15,   /* the operating system has no memory or disk left */
    TERN_ERR_ACCESS = -16,     /* not permitted, or a descriptor lacks its seals */
    TERN_ERR_BUSY = -17,       /* the role is held by a live peer */
    TERN_ERR_STALE = -18,      /* the handle's generation is over */
    TERN_ERR_PEER_DEAD = -19,  /* the peer that was waited for has died */
    TERN_ERR_SESSION = -20,    /* the region belongs to another session */
    TERN_ERR_DOMAIN = -21,     /* not allowed in this domain (MAIN never blocks) */
    TERN_ERR_SYSTEM = -22      /* a system call failed; errno tells which way */
} tern_status;

/** Where code runs: it decides what may block and what may be opened. */
enum { TERN_DOMAIN_WORKER = 0, TERN_DOMAIN_MAIN = 1, TERN_DOMAIN_SERVER = 2 };

TERN_EXTERN_C_BEGIN

/**
 * What a status means, as one English sentence without a full stop.
 *
 * @param status any value; unknown ones give "unknown status"
 * @return a string that lives for ever, never NULL
 *
 * Role: any. Progress: wait-free. Order: none. Crash: no shared memory touched.
 */
TERN_API const char *tern_status_text(tern_status status);

/**
 * The name of a status as written in C, "TERN_ERR_TIMEOUT" for example.
 *
 * @return a string that lives for ever; "TERN_ERR_UNKNOWN" for other values
 *
 * Role: any. Progress: wait-free. Order: none. Crash: no shared memory touched.
 */
TERN_API const char *tern_status_name(tern_status status);

TERN_EXTERN_C_END

#endif
