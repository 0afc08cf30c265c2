/* SPDX-License-Identifier: MIT */
/**
 * wait.h: sleep on a shared 32-bit word, and wake who sleeps on it.
 *
 * The word that publishes tells whether to wake: a sleeper sets a bit in it by
 * compare-exchange, the publisher learns of the bit from its own exchange. Then
 * these two calls are all that is needed:
 *
 *     tern_word_wait(&word, value_with_sleep_bit, timeout_ns);   // sleeper
 *     tern_word_wake(&word);                                     // publisher
 *
 * | back end | waits by                              | across processes |
 * |----------|---------------------------------------|------------------|
 * | futex    | Linux futex, shared (never PRIVATE)   | yes              |
 * | wasm     | memory.atomic.wait32 / notify         | threads of one engine |
 * | portable | looks again, with growing naps <= 1 ms | yes             |
 *
 * Any number of threads and processes may call both on one word.
 */
#ifndef TERN_WAIT_H
#define TERN_WAIT_H

#include "atomic.h"

/** A timeout_ns that never passes. */
#define TERN_WAIT_FOREVER UINT64_MAX

/** How often a waiting call looks, at most, before it goes to sleep, unless a view says otherwise.
 *  That takes about as long as a sleep and a wake between two processors. */
#ifndef TERN_SPIN_CHECKS
#  define TERN_SPIN_CHECKS 1000u
#endif

/** What a view remembers of its last waits, for the next one: private to the library. All zero: nothing yet. */
typedef struct tern__spin {
    uint16_t sleeps;     /* without spinning, since it was last tried */
    uint8_t failures;    /* waits in which spinning did not help, less those in which it did */
} tern__spin;

TERN_EXTERN_C_BEGIN

#if !defined(TERN_NONBLOCKING)
/**
 * Sleep while the word holds a value.
 *
 * @param word       shared word, 4-byte aligned
 * @param expected   sleep only while the word holds this value
 * @param timeout_ns nanoseconds on the monotonic clock, or TERN_WAIT_FOREVER
 * @return TERN_OK: woken, or the value differs, or a signal or a spurious wake
 *         came: look at the word again; TERN_ERR_TIMEOUT; TERN_ERR_UNSUPPORTED
 *         in a build that cannot block
 *
 * Role: any. Progress: blocking. Crash: a dying sleeper leaves nothing behind.
 * Order: none: load the word with acquire afterwards.
 */
TERN_API tern_status tern_word_wait(tern_a32 *word, uint32_t expected, uint64_t timeout_ns);
#endif

/**
 * Wake everyone who sleeps on the word.
 *
 * Call it after the word has changed. One system call (futex) or instruction
 * (wasm); nothing in the portable back end.
 *
 * Role: any. Progress: wait-free but for the system call.
 * Order: none: the change of the word carries it.
 * Crash: dying between the change and this call can leave a sleeper asleep; it
 *        goes on at its time-out or at the next change.
 */
TERN_API void tern_word_wake(tern_a32 *word);

/**
 * The monotonic clock that time-outs are measured on.
 *
 * @return nanoseconds since an arbitrary start; 0 always in wasm, which has no clock
 *
 * Role: any. Progress: wait-free. Order: none. Crash: no shared memory touched.
 */
TERN_API uint64_t tern_now_ns(void);

/** Name of the back end in force: "futex", "wasm", "portable" or "none". */
TERN_API const char *tern_wait_backend(void);

TERN_EXTERN_C_END

#endif
