/* SPDX-License-Identifier: MIT */
/* eventfd.c: waking whoever polls an eventfd. Linux; elsewhere no bell ever gets a descriptor. */
#include "os.h"

#if defined(__linux__)

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

tern_status tern__eventfd_check(int fd)
{
    int kept = errno;
    bool open = fcntl(fd, F_GETFD) != -1;
    errno = kept;
    return open ? TERN_OK : TERN_ERR_ARGUMENT;
}

void tern__eventfd_wake(int fd)
{
    const uint64_t one = 1;
    int kept = errno;
    /* EAGAIN: its counter is full, so it is readable already */
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {}
    errno = kept;
}

#else

tern_status tern__eventfd_check(int fd)
{
    (void)fd;
    return TERN_ERR_UNSUPPORTED;
}

void tern__eventfd_wake(int fd)
{
    (void)fd;
}

#endif
