/* SPDX-License-Identifier: MIT */
/*
 * pool_urcu.h: liburcu's side of pool_google, in C and one flavour a file: liburcu's inlined calls
 * need _LGPL_SOURCE and are written in C. The loops stand on that side, so that nobody pays
 * for a call across files.
 */
#ifndef TERN_BENCH_POOL_URCU_H
#define TERN_BENCH_POOL_URCU_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POOL_URCU_FLAVOUR(flavour) \
    void pool_urcu_##flavour##_prepare(void);     /* start the thread that frees, before anyone is pinned */ \
    void pool_urcu_##flavour##_enter(void);       /* register this thread */ \
    void pool_urcu_##flavour##_leave(void);       /* wait for all deferred frees, and unregister */ \
    /* so many read sections with one load through a pointer in each */ \
    uint64_t pool_urcu_##flavour##_sections(uint64_t *const *pointer, uint64_t count); \
    /* so many read sections with a copy of 64 bytes in each */ \
    void pool_urcu_##flavour##_reads(unsigned char *const *pointer, unsigned char *out, uint64_t count); \
    /* so many times malloc, and free by call_rcu */ \
    void pool_urcu_##flavour##_alloc_and_free(size_t size_bytes, uint64_t count);

POOL_URCU_FLAVOUR(qsbr)
POOL_URCU_FLAVOUR(memb)

#ifdef __cplusplus
}
#endif
#endif
