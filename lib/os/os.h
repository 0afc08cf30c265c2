/* SPDX-License-Identifier: MIT */
/* os.h: all that Tern's waiting asks of an operating system, as one table.
 * One file a platform implements it; tests replace it to inject signals, spurious
 * wakes and late ones. */
#ifndef TERN_OS_H
#define TERN_OS_H

#include "../internal.h"

TERN_EXTERN_C_BEGIN

typedef struct tern__os {
    const char *name;
    /* TERN_OK (woken, changed, interrupted or for no reason), TIMEOUT or UNSUPPORTED */
    tern_status (*wait)(tern_a32 *word, uint32_t expected, uint64_t timeout_ns);
    void (*wake)(tern_a32 *word);
    uint64_t (*now_ns)(void);
    /* whether other ends' barriers reach this process from now on */
    bool (*barrier_register)(void);
    /* a full barrier here and in all processes that registered; false: none was made */
    bool (*barrier)(void);
} tern__os;

extern const tern__os tern__os_futex, tern__os_portable, tern__os_wasm, tern__os_none;

/* The table in force. Set at build time; only tests change it, before any thread waits. */
extern const tern__os *tern__os_current;

/* The last two of the table, as far as the system has them; barrier.c. */
bool tern__os_barrier_register(void);
bool tern__os_barrier(void);

/* Beside the table: waking whoever polls an eventfd. TERN_OK, ARGUMENT or UNSUPPORTED; eventfd.c. */
tern_status tern__eventfd_check(int fd);
void tern__eventfd_wake(int fd);

/* Beside the table: locks on bytes of a file that end with their holder; lock.c. */
bool tern__os_lock(int fd, uint64_t byte);        /* false: somebody has it */
void tern__os_unlock(int fd, uint64_t byte);
bool tern__os_is_locked(int fd, uint64_t byte);   /* by another holder; in doubt, true */

/* Beside the table: pages that this process can only read from now on. TERN_OK, UNSUPPORTED or SYSTEM; protect.c. */
tern_status tern__os_read_only(void *pages, size_t size_bytes);

/* Beside the table: write who we are and since when into our slot; self.c. */
struct tern_region_peer;
void tern__os_self(struct tern_region_peer *peer);

TERN_EXTERN_C_END

/* Which one: TERN_WAIT_BACKEND_PORTABLE forces the fallback, otherwise by platform. */
#if defined(__wasm__)
#  define TERN__OS_WASM 1
#elif defined(__linux__) || defined(__unix__) || defined(__APPLE__)
#  define TERN__OS_PORTABLE 1
#  if defined(__linux__)
#    define TERN__OS_FUTEX 1
#  endif
#else
#  define TERN__OS_NONE 1
#endif

#endif
