/* SPDX-License-Identifier: MIT */
/* shm_linux.c: regions in POSIX shared memory and memfds.
 *
 * A named region is made in a file without a name (O_TMPFILE) and linked to its name when
 * it is formatted: nobody can open half of one, and a creator that dies leaves nothing. */
#include "../peers.h"
#include "../../include/tern/shm.h"

#if defined(__linux__)

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define TERN__SHM_FOLDER "/dev/shm"
#define TERN__SHM_PREFIX "tern."

static tern_status shm_status_of_errno(void)
{
    switch (errno) {
    case EEXIST: return TERN_ERR_EXISTS;
    case ENOENT: return TERN_ERR_NOT_FOUND;
    case ENOSPC: case ENOMEM: case EDQUOT: case EFBIG: return TERN_ERR_NO_SPACE;
    case EACCES: case EPERM: case EROFS: return TERN_ERR_ACCESS;
    default: return TERN_ERR_SYSTEM;
    }
}

static void shm_clear(tern_region *region)
{
    tern__memset(region, 0, sizeof *region);
    region->fd = -1;
}

static bool shm_name_is_valid(const char *name)
{
    size_t length = 0;
    if (!name || name[0] == '.') return false;
    for (; name[length] != '\0'; length++) {
        char c = name[length];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
            || c == '.' || c == '_' || c == '-';
        if (!ok || length >= TERN_SHM_NAME_MAX) return false;
    }
    return length > 0;
}

tern_status tern_shm_path(const char *name, char *path, size_t path_size_bytes)
{
    if (!shm_name_is_valid(name)) return TERN_ERR_ARGUMENT;
    int length = snprintf(path, path_size_bytes, "%s/%s%s", TERN__SHM_FOLDER, TERN__SHM_PREFIX, name);
    return length > 0 && (size_t)length < path_size_bytes ? TERN_OK : TERN_ERR_MEMORY;
}

/* Map a descriptor and attach; owns the descriptor from here on, also when it fails. */
static tern_status shm_map_and_attach(tern_region *region, int fd, size_t size_bytes, const tern_region_desc *format,
                                      const tern_attach_desc *attach)
{
    tern_status status;
    void *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        status = shm_status_of_errno();
        close(fd);
        shm_clear(region);
        return status;
    }
    status = format ? tern_region_format(memory, size_bytes, format) : TERN_OK;
    if (status == TERN_OK) status = tern__region_attach(region, memory, size_bytes, attach, fd);
    if (status != TERN_OK) {
        munmap(memory, size_bytes);
        close(fd);
        shm_clear(region);
        return status;
    }
    region->mapping_size_bytes = size_bytes;
    /* whoever comes gives back what the dead had, unless it had to make room for itself by that */
    if (region->recovery.peers == 0) (void)tern__peer_bury_all(region, &region->recovery);
    return TERN_OK;
}

/* Really allocate: a later write must not find the file system full. */
static tern_status shm_allocate(int fd, size_t size_bytes)
{
    const uint64_t step_bytes = 64u << 20;
    struct statvfs room;
    if (size_bytes > (size_t)INT64_MAX) return TERN_ERR_ARGUMENT;
    /* tmpfs gives out pages until none is left before it says so, and on a machine whose /dev/shm
     * is as large as its memory that calls the out-of-memory killer: refuse early what cannot fit.
     * A memfd has no limit of its own (0 blocks), the machine's memory is one. */
    bool fits = fstatvfs(fd, &room) != 0 || room.f_blocks == 0 || size_bytes / room.f_frsize <= room.f_bavail;
    long pages = sysconf(_SC_PHYS_PAGES);
    if (!fits || (pages > 0 && size_bytes / (size_t)sysconf(_SC_PAGESIZE) > (size_t)pages)) {
        errno = ENOSPC;
        return TERN_ERR_NO_SPACE;
    }
    /* in steps: an interrupted call begins its range anew, and signals may come often */
    for (uint64_t at = 0; at < size_bytes; at += step_bytes) {
        uint64_t left = size_bytes - at;
        int result;
        do {
            result = posix_fallocate(fd, (off_t)at, (off_t)(left < step_bytes ? left : step_bytes));
        } while (result == EINTR);
        errno = result;
        if (result != 0) return shm_status_of_errno();
    }
    return TERN_OK;
}

static tern_status shm_link_name(int fd, const char *path)
{
    char self[48];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 ? TERN_OK : shm_status_of_errno();
}

tern_status tern_shm_create(tern_region *region, const char *name, size_t size_bytes, const tern_region_desc *desc)
{
    const tern_region_desc defaults = { 0, 0, 0, 0 };
    char path[TERN_SHM_NAME_MAX + 32];
    tern_status status;
    shm_clear(region);
    if (!desc) desc = &defaults;
    if (name && (status = tern_shm_path(name, path, sizeof path)) != TERN_OK) return status;
    size_t least = tern_region_size(desc);
    if (least == 0) return TERN_ERR_ARGUMENT;
    if (size_bytes < least) return TERN_ERR_MEMORY;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (size_bytes > SIZE_MAX - page) return TERN_ERR_NO_SPACE;
    size_bytes = (size_bytes + page - 1) / page * page;

    /* told early, before gigabytes are allocated for nothing; linking tells for certain */
    if (name && access(path, F_OK) == 0) return TERN_ERR_EXISTS;
    int fd = name ? open(TERN__SHM_FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
                  : memfd_create("tern", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return shm_status_of_errno();
    status = shm_allocate(fd, size_bytes);
    if (status != TERN_OK) {
        int why = errno;
        close(fd);
        errno = why;
        return status;
    }
    tern_attach_desc attach = { desc->session, desc->domain };
    status = shm_map_and_attach(region, fd, size_bytes, desc, &attach);
    if (status != TERN_OK) return status;

    if (name) status = shm_link_name(fd, path);
    else if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) status = shm_status_of_errno();
    if (status != TERN_OK) {
        int why = errno;
        tern_shm_close(region);
        errno = why;
    }
    return status;
}

/* A memfd must be sealed against shrinking, or its sender can make us die of SIGBUS. Files
 * under /dev/shm cannot be sealed; they are guarded by their mode. */
static bool shm_may_shrink(int fd, const struct stat *file)
{
    struct stat folder;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK)) return false;
    return stat(TERN__SHM_FOLDER, &folder) != 0 || folder.st_dev != file->st_dev;
}

/* Check a descriptor and attach; owns it from here on. */
static tern_status shm_open_descriptor(tern_region *region, int fd, const tern_attach_desc *desc)
{
    struct stat file;
    tern_status status = TERN_OK;
    if (fstat(fd, &file) != 0) status = shm_status_of_errno();
    else if (!S_ISREG(file.st_mode)) status = TERN_ERR_CORRUPT;
    else if (file.st_size == 0) status = TERN_ERR_NOT_READY;
    else if ((uint64_t)file.st_size < sizeof(struct tern_region_shared)) status = TERN_ERR_MEMORY;
    else if ((uint64_t)file.st_size > SIZE_MAX) status = TERN_ERR_NO_SPACE;
    else if (shm_may_shrink(fd, &file)) status = TERN_ERR_ACCESS;
    if (status != TERN_OK) {
        int why = errno;
        close(fd);
        errno = why;
        return status;
    }
    return shm_map_and_attach(region, fd, (size_t)file.st_size, NULL, desc);
}

tern_status tern_shm_open(tern_region *region, const char *name, const tern_attach_desc *desc)
{
    char path[TERN_SHM_NAME_MAX + 32];
    shm_clear(region);
    tern_status status = tern_shm_path(name, path, sizeof path);
    if (status != TERN_OK) return status;
    /* NONBLOCK: a pipe put in the name's place must not hold us; it has no effect on a file */
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return errno == ELOOP || errno == ENXIO || errno == EISDIR ? TERN_ERR_CORRUPT : shm_status_of_errno();
    return shm_open_descriptor(region, fd, desc);
}

tern_status tern_shm_open_fd(tern_region *region, int fd, const tern_attach_desc *desc)
{
    shm_clear(region);
    char self[48];
    if (fcntl(fd, F_GETFD) < 0) return errno == EBADF ? TERN_ERR_ARGUMENT : shm_status_of_errno();
    /* opened anew, not duplicated: a peer's lock belongs to an open file description of its own */
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    int own = open(self, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (own < 0) return errno == ENXIO || errno == EISDIR ? TERN_ERR_CORRUPT : shm_status_of_errno();
    return shm_open_descriptor(region, own, desc);
}

int tern_shm_fd(const tern_region *region)
{
    return region->mapping_size_bytes ? region->fd : -1;
}

void tern_shm_close(tern_region *region)
{
    if (region->mapping_size_bytes) {
        if (region->peer != 0) tern__peer_leave(region);
        munmap(region->shared, region->mapping_size_bytes);
        close(region->fd);
    }
    shm_clear(region);
}

tern_status tern_shm_unlink(const char *name)
{
    char path[TERN_SHM_NAME_MAX + 32];
    tern_status status = tern_shm_path(name, path, sizeof path);
    if (status != TERN_OK) return status;
    return unlink(path) == 0 ? TERN_OK : shm_status_of_errno();
}

#endif
