/* SPDX-License-Identifier: MIT */
/* lock.c: locks on single bytes of a file, far beyond its content, that the kernel drops when
 * their holder dies however it dies. They belong to an open file description (OFD), neither to a process
 * nor to a thread: closing another descriptor of the file leaves them, and two that open the file in
 * one process are two holders. */
#include "os.h"

#if defined(__linux__)

#include <errno.h>
#include <fcntl.h>

/* As in fcntl.h with _GNU_SOURCE, which a program that includes the single header may not have set. */
enum { LOCK_OFD_GETLK = 36, LOCK_OFD_SETLK = 37 };

static bool lock_command(int fd, int command, struct flock *lock, short type, uint64_t byte)
{
    int kept = errno;
    tern__memset(lock, 0, sizeof *lock);
    lock->l_type = type;
    lock->l_whence = SEEK_SET;
    lock->l_start = (off_t)byte;
    lock->l_len = 1;
    bool done = fcntl(fd, command, lock) == 0;
    errno = kept;
    return done;
}

bool tern__os_lock(int fd, uint64_t byte)
{
    struct flock lock;
    return lock_command(fd, LOCK_OFD_SETLK, &lock, F_WRLCK, byte);
}

void tern__os_unlock(int fd, uint64_t byte)
{
    struct flock lock;
    (void)lock_command(fd, LOCK_OFD_SETLK, &lock, F_UNLCK, byte);
}

bool tern__os_is_locked(int fd, uint64_t byte)
{
    struct flock lock;
    return !lock_command(fd, LOCK_OFD_GETLK, &lock, F_WRLCK, byte) || lock.l_type != F_UNLCK;
}

#else

bool tern__os_lock(int fd, uint64_t byte) { (void)fd; (void)byte; return false; }
void tern__os_unlock(int fd, uint64_t byte) { (void)fd; (void)byte; }
bool tern__os_is_locked(int fd, uint64_t byte) { (void)fd; (void)byte; return true; }

#endif
