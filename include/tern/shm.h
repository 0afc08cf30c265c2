/* SPDX-License-Identifier: MIT */
/**
 * shm.h: regions in shared memory of the operating system.
 *
 *     tern_region region;
 *     tern_shm_create(&region, "camera", 1 << 20, NULL);   // one process
 *     tern_shm_open(&region, "camera", NULL);              // the others
 *     ...
 *     tern_shm_close(&region);
 *     tern_shm_unlink("camera");
 *
 * A name stands for the file /dev/shm/tern.NAME, mode 0600. It appears with the
 * region already formatted, so nobody can open half of one, and a creator that is
 * killed leaves nothing. Space is really allocated at creation: no SIGBUS later, an
 * error now. Without a name the region is a memfd, sealed against shrinking and
 * growing; its descriptor travels over a Unix socket or is inherited.
 *
 * Linux only; elsewhere each call answers TERN_ERR_UNSUPPORTED. Calls that fail
 * leave the view all zero, errno as the system left it, and nothing behind.
 */
#ifndef TERN_SHM_H
#define TERN_SHM_H

#include "region.h"

/** Names: 1 to 200 letters, digits, '.', '_' or '-', not beginning with '.'. */
#define TERN_SHM_NAME_MAX 200u

TERN_EXTERN_C_BEGIN

/**
 * Make a region in new shared memory and attach to it.
 *
 * @param name       NULL: anonymous, passed on by its descriptor
 * @param size_bytes at least tern_region_size(desc) plus the objects; rounded up to pages
 * @param desc       NULL: all defaults; the attachment takes its session and domain
 * @return TERN_OK; TERN_ERR_EXISTS; TERN_ERR_NO_SPACE: /dev/shm or memory is full;
 *         TERN_ERR_ARGUMENT: bad name or description; TERN_ERR_MEMORY: size too
 *         small; TERN_ERR_ACCESS; TERN_ERR_SYSTEM: see errno; TERN_ERR_UNSUPPORTED
 *
 * Role: creator. Progress: system calls. Order: release [REGION-0].
 * Crash: dying before the end leaves nothing.
 */
TERN_API tern_status tern_shm_create(tern_region *region, const char *name, size_t size_bytes,
                                     const tern_region_desc *desc);

/**
 * Attach to a named region.
 *
 * @param desc NULL: session 0, domain WORKER
 * @return TERN_OK; TERN_ERR_NOT_FOUND; TERN_ERR_ACCESS; TERN_ERR_MEMORY: the file is
 *         too short or was truncated; TERN_ERR_CORRUPT: no Tern region, or no regular
 *         file; as tern_region_attach() otherwise; TERN_ERR_SYSTEM: see errno
 *
 * Role: any. Progress: system calls. Order: acquire [REGION-0]. Crash: changes nothing.
 */
TERN_API tern_status tern_shm_open(tern_region *region, const char *name, const tern_attach_desc *desc);

/** Attach to a region by a descriptor, received from another process or inherited.
 *  The descriptor is duplicated; the caller keeps its own. A memfd that is not sealed
 *  against shrinking is TERN_ERR_ACCESS. @return as tern_shm_open(). */
TERN_API tern_status tern_shm_open_fd(tern_region *region, int fd, const tern_attach_desc *desc);

/** The region's descriptor, for passing on; -1 if it has none. Owned by the view. */
TERN_API int tern_shm_fd(const tern_region *region);

/** Unmap and close. The name and the other processes' mappings stay. The view is zeroed. */
TERN_API void tern_shm_close(tern_region *region);

/** Remove a name. Who has the region open keeps it.
 *  @return TERN_OK; TERN_ERR_NOT_FOUND; TERN_ERR_ARGUMENT; TERN_ERR_ACCESS; TERN_ERR_SYSTEM */
TERN_API tern_status tern_shm_unlink(const char *name);

/**
 * The file behind a name.
 *
 * @param path out: at least TERN_SHM_NAME_MAX + 32 bytes
 * @return TERN_OK; TERN_ERR_ARGUMENT: not a name; TERN_ERR_MEMORY: path too small
 */
TERN_API tern_status tern_shm_path(const char *name, char *path, size_t path_size_bytes);

TERN_EXTERN_C_END

#endif
