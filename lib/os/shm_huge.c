/* SPDX-License-Identifier: MIT */
/* shm_huge.c: regions on huge pages, for those who ask for them (TERN_REGION_HUGE_PAGES). */
#include "shm_huge.h"

#if defined(__linux__)

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* As in linux/mman.h, which older systems lack. */
enum { HUGE_MFD_HUGETLB = 4, HUGE_MADV_COLLAPSE = 25 };

int tern__huge_memfd(void)
{
    int fd = memfd_create("tern", MFD_CLOEXEC | MFD_ALLOW_SEALING | HUGE_MFD_HUGETLB);
    /* a kernel without huge pages: the same to the caller as one that has none left */
    if (fd < 0 && (errno == EINVAL || errno == ENODEV || errno == ENOENT)) errno = ENOSPC;
    return fd;
}

size_t tern__huge_page_bytes(int fd)
{
    struct stat file;
    return fstat(fd, &file) == 0 && file.st_blksize > 0 ? (size_t)file.st_blksize : 0;
}

void tern__huge_advise(void *memory, size_t size_bytes)
{
    int kept = errno;
    /* the pages are there already, small ones: allowed to be huge, then made so */
    if (madvise(memory, size_bytes, MADV_HUGEPAGE) == 0) (void)madvise(memory, size_bytes, HUGE_MADV_COLLAPSE);
    errno = kept;
}

#endif
