/* SPDX-License-Identifier: MIT */
/* protect.c: pages that may only be read, for a consumer that wants to be held to that (TERN_RING_PAGED). */
#include "os.h"

#if defined(__linux__)

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

tern_status tern__os_read_only(void *pages, size_t size_bytes)
{
    if (sysconf(_SC_PAGESIZE) > (long)TERN_PAGE_BYTES) return TERN_ERR_UNSUPPORTED;
    if (mprotect(pages, size_bytes, PROT_READ) == 0) return TERN_OK;
    /* a part of a huge page */
    return errno == EINVAL ? TERN_ERR_UNSUPPORTED : TERN_ERR_SYSTEM;
}

#else

tern_status tern__os_read_only(void *pages, size_t size_bytes)
{
    (void)pages, (void)size_bytes;
    return TERN_ERR_UNSUPPORTED;
}

#endif
