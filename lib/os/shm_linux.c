/* SPDX-License-Identifier: MIT */
/* shm_linux.c: regions in POSIX shared memory and memfds.
 *
 * A named region is made in a file without a name (O_TMPFILE) and linked to its name when
 * it is formatted: nobody can open half of one, and a creator that dies leaves nothing. */
#include "../peers.h"
#include "shm_huge.h"
#include "shm_mappings.h"
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

/* Map a kept descriptor and attach; owns the descriptor from here on, also when it fails. */
static tern_status shm_map_and_attach(tern_region *region, int fd, size_t size_bytes, const tern_region_desc *format,
                                      const tern_attach_desc *attach)
{
    tern_status status;
    void *memory = tern__mapping_map(fd, size_bytes);
    if (!memory) {
        status = shm_status_of_errno();
        tern__mapping_drop(fd);
        shm_clear(region);
        return status;
    }
    status = format ? tern_region_format(memory, size_bytes, format) : TERN_OK;
    if (status == TERN_OK) status = tern__region_attach(region, memory, size_bytes, attach, fd);
    if (status != TERN_OK) {
        tern__mapping_drop(fd);
        shm_clear(region);
        return status;
    }
    region->mapping_size_bytes = size_bytes;
    region->generation = tern__fork_generation;
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

/* 0: no such size. */
static size_t shm_round_up(size_t size_bytes, size_t page_bytes)
{
    if (page_bytes == 0 || size_bytes > SIZE_MAX - page_bytes) return 0;
    return (size_bytes + page_bytes - 1) / page_bytes * page_bytes;
}

static tern_status shm_create(tern_region *region, const char *name, size_t size_bytes, const tern_region_desc *desc,
                              bool huge)
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
    size_bytes = shm_round_up(size_bytes, (size_t)sysconf(_SC_PAGESIZE));
    if (size_bytes == 0) return TERN_ERR_NO_SPACE;

    /* told early, before gigabytes are allocated for nothing; linking tells for certain */
    if (name && access(path, F_OK) == 0) return TERN_ERR_EXISTS;
    tern__mapping_begin();
    int fd = tern__mapping_keep(name ? open(TERN__SHM_FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
                                : huge ? tern__huge_memfd() : memfd_create("tern", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (fd < 0) return shm_status_of_errno();
    if (huge && !name) size_bytes = shm_round_up(size_bytes, tern__huge_page_bytes(fd));
    status = size_bytes == 0 ? TERN_ERR_NO_SPACE : shm_allocate(fd, size_bytes);
    if (status != TERN_OK) {
        tern__mapping_drop(fd);
        return status;
    }
    tern_attach_desc attach = { desc->session, desc->domain };
    status = shm_map_and_attach(region, fd, size_bytes, desc, &attach);
    if (status != TERN_OK) return status;
    if (huge && name) tern__huge_advise(region->shared, size_bytes);

    if (name) status = shm_link_name(fd, path);
    else if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) status = shm_status_of_errno();
    if (status != TERN_OK) tern_shm_close(region);   /* leaves errno alone */
    return status;
}

tern_status tern_shm_create(tern_region *region, const char *name, size_t size_bytes, const tern_region_desc *desc)
{
    return shm_create(region, name, size_bytes, desc, false);
}

tern_status tern_shm_create_huge(tern_region *region, const char *name, size_t size_bytes,
                                 const tern_region_desc *desc)
{
    return shm_create(region, name, size_bytes, desc, true);
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

/* A file with holes takes memory when they are touched, and gives SIGBUS if there is none: fill them
 * now. Not for a file that is no region: only what tern_region_attach() would accept. */
static tern_status shm_fill_holes(int fd, const struct stat *file)
{
    unsigned char room[sizeof(struct tern_region_shared) + TERN_ALIGNMENT];
    unsigned char *header = room + (0 - (uintptr_t)room) % TERN_ALIGNMENT;
    tern_region_info info;
    if ((uint64_t)file->st_blocks * 512 >= (uint64_t)file->st_size) return TERN_OK;
    ssize_t got = pread(fd, header, sizeof(struct tern_region_shared), 0);
    if (got < 0) return shm_status_of_errno();
    if ((size_t)got < sizeof(struct tern_region_shared)) return TERN_ERR_MEMORY;
    tern_status status = tern_region_inspect(&info, header, (size_t)file->st_size);
    return status == TERN_OK ? shm_allocate(fd, (size_t)file->st_size) : status;
}

/* Check a kept descriptor and attach; owns it from here on. */
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
    else status = shm_fill_holes(fd, &file);
    if (status != TERN_OK) {
        tern__mapping_drop(fd);
        return status;
    }
    return shm_map_and_attach(region, fd, (size_t)file.st_size, NULL, desc);
}

/* Anyone may put a file of his into /dev/shm under a name that he expects us to open. */
static bool shm_owner_is_trusted(int fd)
{
    struct stat file;
    return fstat(fd, &file) == 0 && (file.st_uid == geteuid() || file.st_uid == 0);
}

tern_status tern_shm_open(tern_region *region, const char *name, const tern_attach_desc *desc)
{
    char path[TERN_SHM_NAME_MAX + 32];
    shm_clear(region);
    tern_status status = tern_shm_path(name, path, sizeof path);
    if (status != TERN_OK) return status;
    /* NONBLOCK: a pipe put in the name's place must not hold us; it has no effect on a file */
    tern__mapping_begin();
    int fd = tern__mapping_keep(open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (fd >= 0 && !shm_owner_is_trusted(fd)) {
        tern__mapping_drop(fd);
        errno = EPERM;
        return TERN_ERR_ACCESS;
    }
    if (fd < 0) return errno == ELOOP || errno == ENXIO || errno == EISDIR ? TERN_ERR_CORRUPT : shm_status_of_errno();
    return shm_open_descriptor(region, fd, desc);
}

tern_status tern_shm_open_fd(tern_region *region, int fd, const tern_attach_desc *desc)
{
    shm_clear(region);
    char self[48];
    int mode = fcntl(fd, F_GETFL);
    if (mode < 0) return errno == EBADF ? TERN_ERR_ARGUMENT : shm_status_of_errno();
    struct stat file;
    if (fstat(fd, &file) == 0 && !S_ISREG(file.st_mode)) return TERN_ERR_CORRUPT;
    if ((mode & O_ACCMODE) != O_RDWR) return TERN_ERR_ACCESS;
    /* opened anew, not duplicated: a peer's lock belongs to an open file description of its own */
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    tern__mapping_begin();
    int own = tern__mapping_keep(open(self, O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (own < 0) return errno == ENXIO || errno == EISDIR ? TERN_ERR_CORRUPT : shm_status_of_errno();
    return shm_open_descriptor(region, own, desc);
}

int tern_shm_fd(const tern_region *region)
{
    return region->mapping_size_bytes && !tern__region_is_inherited(region) ? region->fd : -1;
}

int tern_shm_share(const tern_region *region)
{
    char self[48];
    snprintf(self, sizeof self, "/proc/self/fd/%d", tern_shm_fd(region));
    if (tern_shm_fd(region) < 0) {
        errno = EBADF;
        return -1;
    }
    return open(self, O_RDWR | O_CLOEXEC);
}

void tern_shm_close(tern_region *region)
{
    /* after a fork its addresses and its number stand for something else, or nothing */
    if (region->mapping_size_bytes && !tern__region_is_inherited(region)) {
        if (region->peer != 0) tern__peer_leave(region);
        tern__mapping_drop(region->fd);
    }
    shm_clear(region);
}

bool tern_shm_name_is_current(const tern_region *region, const char *name)
{
    char path[TERN_SHM_NAME_MAX + 32];
    struct stat named, opened;
    int fd = tern_shm_fd(region);
    return fd >= 0 && tern_shm_path(name, path, sizeof path) == TERN_OK && fstat(fd, &opened) == 0
        && lstat(path, &named) == 0 && named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

tern_status tern_shm_unlink(const char *name)
{
    char path[TERN_SHM_NAME_MAX + 32];
    tern_status status = tern_shm_path(name, path, sizeof path);
    if (status != TERN_OK) return status;
    return unlink(path) == 0 ? TERN_OK : shm_status_of_errno();
}

#endif
