/* SPDX-License-Identifier: MIT */
/* shm_none.c: a platform whose shared memory Tern does not know. Regions in memory that the
 * caller shares by its own means work all the same (region.h). */
#include "../internal.h"
#include "../../include/tern/shm.h"

#if !defined(__linux__)

static tern_status shm_refuse(tern_region *region)
{
    tern__memset(region, 0, sizeof *region);
    region->fd = -1;
    return TERN_ERR_UNSUPPORTED;
}

tern_status tern_shm_create(tern_region *region, const char *name, size_t size_bytes, const tern_region_desc *desc)
{
    (void)name, (void)size_bytes, (void)desc;
    return shm_refuse(region);
}

tern_status tern_shm_create_huge(tern_region *region, const char *name, size_t size_bytes,
                                 const tern_region_desc *desc)
{
    (void)name, (void)size_bytes, (void)desc;
    return shm_refuse(region);
}

tern_status tern_shm_open(tern_region *region, const char *name, const tern_attach_desc *desc)
{
    (void)name, (void)desc;
    return shm_refuse(region);
}

tern_status tern_shm_open_fd(tern_region *region, int fd, const tern_attach_desc *desc)
{
    (void)fd, (void)desc;
    return shm_refuse(region);
}

int tern_shm_fd(const tern_region *region)
{
    (void)region;
    return -1;
}

int tern_shm_share(const tern_region *region)
{
    (void)region;
    return -1;
}

void tern_shm_close(tern_region *region)
{
    (void)shm_refuse(region);
}

tern_status tern_shm_status(const tern_region *region)
{
    return region->shared ? TERN_OK : TERN_ERR_STATE;   /* the caller's own memory */
}

tern_status tern_shm_guard(bool on)
{
    (void)on;
    return TERN_ERR_UNSUPPORTED;
}

bool tern_shm_name_is_current(const tern_region *region, const char *name)
{
    (void)region, (void)name;
    return false;
}

tern_status tern_shm_unlink(const char *name)
{
    (void)name;
    return TERN_ERR_UNSUPPORTED;
}

tern_status tern_shm_path(const char *name, char *path, size_t path_size_bytes)
{
    (void)name, (void)path, (void)path_size_bytes;
    return TERN_ERR_UNSUPPORTED;
}

#endif
