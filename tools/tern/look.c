/* SPDX-License-Identifier: MIT */
/* look.c: copies the headers of a region and looks at them. See look.h. */
#include "look.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Copy a part of the file to the same place in the copy. Short if the file became shorter. */
static bool copy_part(look *l, uint64_t offset, uint64_t size_bytes)
{
    while (size_bytes > 0) {
        ssize_t n = pread(l->fd, l->copy + offset, (size_t)size_bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        offset += (uint64_t)n;
        size_bytes -= (uint64_t)n;
    }
    return true;
}

static tern_status status_of_errno(void)
{
    switch (errno) {
    case ENOENT: return TERN_ERR_NOT_FOUND;
    case EACCES: case EPERM: return TERN_ERR_ACCESS;
    case ELOOP: case ENXIO: case EISDIR: return TERN_ERR_CORRUPT;   /* no regular file */
    case ENOMEM: return TERN_ERR_NO_SPACE;
    default: return TERN_ERR_SYSTEM;
    }
}

/* When the file was made. Its other times move with each write. */
static int64_t made(int fd)
{
    struct statx times;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME | STATX_MTIME, &times) != 0) return 0;
    return times.stx_mask & STATX_BTIME ? times.stx_btime.tv_sec : times.stx_mtime.tv_sec;
}

/* A peer may have left between our copy of its slot and the look at its lock, and would pass for dead. It
 * frees its slot before it lets go of the lock: so a slot that is copied once the lock is gone tells. */
static tern_status settle_peers(look *l)
{
    uint32_t cursor = 0;
    tern_peer_info peer;
    while (tern_peer_next(&l->region, &cursor, &peer)) {
        if (peer.is_alive) continue;
        uint64_t offset = (uint64_t)((unsigned char *)&l->region.peers[peer.peer - 1] - l->copy);
        if (!copy_part(l, offset, sizeof(struct tern_region_peer))) return TERN_ERR_MEMORY;
    }
    return TERN_OK;
}

static tern_status begin(look *l, const char *name)
{
    char path[TERN_SHM_NAME_MAX + 32];
    struct stat file;
    tern_status status = tern_shm_path(name, path, sizeof path);
    if (status != TERN_OK) return status;
    l->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (l->fd < 0 || fstat(l->fd, &file) != 0) return status_of_errno();
    if (!S_ISREG(file.st_mode)) return TERN_ERR_CORRUPT;
    l->made_s = made(l->fd);
    l->file_size_bytes = (uint64_t)file.st_size;
    if (l->file_size_bytes == 0) return TERN_ERR_NOT_READY;
    if (l->file_size_bytes < sizeof(struct tern_region_shared)) return TERN_ERR_MEMORY;
    if (l->file_size_bytes > SIZE_MAX) return TERN_ERR_NO_SPACE;

    /* address space only: pages come with what is copied */
    void *copy = mmap(NULL, (size_t)l->file_size_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (copy == MAP_FAILED) return status_of_errno();
    l->copy = copy;
    l->copy_size_bytes = (size_t)l->file_size_bytes;
    if (!copy_part(l, 0, sizeof(struct tern_region_shared))) return TERN_ERR_MEMORY;
    status = tern_region_inspect(&l->info, l->copy, l->copy_size_bytes);
    if (status != TERN_OK) return status;
    /* the directory lies between header and heap, both checked by inspect */
    uint64_t heap_offset = l->info.size_bytes - l->info.heap_size_bytes;
    if (!copy_part(l, sizeof(struct tern_region_shared), heap_offset - sizeof(struct tern_region_shared)))
        return TERN_ERR_MEMORY;
    status = tern_region_look(&l->region, l->copy, l->copy_size_bytes);
    if (status != TERN_OK) return status;
    l->region.fd = l->fd;   /* the kernel tells who lives by the locks on the file; asking needs no right to write */
    return settle_peers(l);
}

tern_status look_begin(look *l, const char *name)
{
    memset(l, 0, sizeof *l);
    l->fd = -1;
    l->status = begin(l, name);
    return l->status;
}

tern_status look_copy(look *l, const tern_object *object, uint64_t offset_bytes, size_t size_bytes)
{
    if (object->size_bytes < size_bytes || object->size_bytes - size_bytes < offset_bytes) return TERN_ERR_MEMORY;
    return copy_part(l, object->offset_bytes + offset_bytes, size_bytes) ? TERN_OK : TERN_ERR_MEMORY;
}

void look_end(look *l)
{
    if (l->copy) munmap(l->copy, l->copy_size_bytes);
    if (l->fd >= 0) close(l->fd);
    memset(l, 0, sizeof *l);
    l->fd = -1;
}
