/* SPDX-License-Identifier: MIT */
/* shm_huge.h: regions on huge pages; see TERN_REGION_HUGE_PAGES in region.h. Linux only. */
#ifndef TERN_SHM_HUGE_H
#define TERN_SHM_HUGE_H

#include "../internal.h"

#if defined(__linux__)

TERN_EXTERN_C_BEGIN

/* A memfd of huge pages, none of them reserved yet: allocate before anything is touched, a fault
 * without a page is SIGBUS. -1: see errno, ENOSPC if the kernel has no huge pages at all. */
int tern__huge_memfd(void);

/* The size of its pages; 0: cannot be told. */
size_t tern__huge_page_bytes(int fd);

/* Ask for huge pages behind a mapping of a file in /dev/shm. No answer: where the system gives none,
 * the small ones stay. errno stays. */
void tern__huge_advise(void *memory, size_t size_bytes);

TERN_EXTERN_C_END

#endif
#endif
