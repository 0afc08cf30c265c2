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
 * growing; a descriptor of it travels over a Unix socket or is inherited.
 *
 * Fork. A child has nothing of its parent's regions: what it touches of them ends it with SIGSEGV,
 * and it does not go on with its parent's ends. The regions' views that it inherits answer
 * TERN_ERR_STATE, closing them only zeroes them, and their descriptors are closed: they would tell
 * of the parent's life after its end. The child opens by name, or by what tern_shm_share() gave the
 * parent before the fork; it can't go on with the parent's views. All of this needs fork() itself,
 * which calls the handlers of pthread_atfork(): a bare clone() does not.
 *
 * Files under /dev/shm can't be sealed. Who may write to one may also cut it off, and then an access
 * beyond its end is SIGBUS: tern_shm_guard() makes zeros of it, tern_shm_status() tells.
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
 * tern_shm_create() on huge pages, where the system has them.
 *
 * Anonymous: the memory is huge pages of the system's pool (/proc/sys/vm/nr_hugepages), all of them
 * taken at once, and the size is rounded up to them; TERN_ERR_NO_SPACE if there are not enough. Named:
 * /dev/shm has none of that pool, so this is advice: the kernel is asked to make transparent huge
 * pages of the small ones (Linux 6.1), for each whole 2 MiB, and where it has or allows none the
 * region stays as it is, without an error.
 */
TERN_API tern_status tern_shm_create_huge(tern_region *region, const char *name, size_t size_bytes,
                                          const tern_region_desc *desc);

/**
 * Attach to a named region.
 *
 * @param desc NULL: session 0, domain WORKER
 * @return TERN_OK; TERN_ERR_NOT_FOUND; TERN_ERR_ACCESS: not permitted, or the file belongs to
 *         another user than us and root; TERN_ERR_MEMORY: the file is
 *         too short or was truncated; TERN_ERR_CORRUPT: no Tern region, or no regular
 *         file; TERN_ERR_NO_SPACE: the file has holes, and there is no memory to fill them;
 *         as tern_region_attach() otherwise; TERN_ERR_SYSTEM: see errno
 *
 * Role: any. Progress: system calls. Order: acquire [REGION-0]. Crash: changes nothing.
 */
TERN_API tern_status tern_shm_open(tern_region *region, const char *name, const tern_attach_desc *desc);

/** Attach to a region by a descriptor, received from another process or inherited.
 *  The descriptor is duplicated; the caller keeps its own. A memfd that is not sealed
 *  against shrinking is TERN_ERR_ACCESS. @return as tern_shm_open(). */
TERN_API tern_status tern_shm_open_fd(tern_region *region, int fd, const tern_attach_desc *desc);

/** The region's descriptor; -1 if it has none or it is a fork's parent's. Owned by the view. To give
 *  one away use tern_shm_share(). */
TERN_API int tern_shm_fd(const tern_region *region);

/**
 * A new descriptor of the region's file, to be sent to another process or left to a child, which
 * opens it with tern_shm_open_fd(). Unlike a duplicate of tern_shm_fd() it has no part in this
 * process's locks on the file, and a fork's child keeps it.
 *
 * @return a descriptor that the caller closes, close-on-exec; -1: see errno (EBADF: there is none)
 *
 * Role: any. Progress: system calls. Order: none. Crash: changes nothing.
 */
TERN_API int tern_shm_share(const tern_region *region);

/** Unmap and close. The name and the other processes' mappings stay. The view is zeroed, and that is
 *  all if it is a fork's parent's. errno stays. */
TERN_API void tern_shm_close(tern_region *region);

/**
 * Whether a region's memory is still the region.
 *
 * @return TERN_OK; TERN_ERR_MEMORY: the file was cut off, or the guard put zeros in its place;
 *         TERN_ERR_CORRUPT: the header is not the one that was attached to: overwritten, or a
 *         hole was punched into the file; TERN_ERR_STATE: the view is not attached, or is a fork's
 *         parent's; TERN_ERR_SYSTEM: see errno. A caller's own memory is TERN_OK.
 *
 * Any object may be damaged beside a sound header: each checks its own words (TERN_ERR_CORRUPT).
 * Role: any. Progress: system calls. Order: none. Crash: changes nothing.
 */
TERN_API tern_status tern_shm_status(const tern_region *region);

/**
 * Survive a file that is cut off while it is mapped.
 *
 * Handles SIGBUS for the whole process: if the access was to a region, private pages of zeros take
 * the place of the whole mapping, the access finds them, and tern_shm_status() says TERN_ERR_MEMORY
 * from then on. The objects in it are then empty, full, or TERN_ERR_CORRUPT, or go on among the
 * threads of this process; *_wait ends with that, its time-out, or TERN_ERR_PEER_DEAD if its view was
 * opened in the region. What the other processes see of the file is not touched. Any other SIGBUS
 * goes to the handler that stood there before, or ends the process as it would have.
 *
 * @param on false: put the former handler back
 * @return TERN_OK, also if it was so already; TERN_ERR_STATE: somebody set a handler after us, which
 *         may call ours; TERN_ERR_SYSTEM; TERN_ERR_UNSUPPORTED: not on Linux
 *
 * Role: any, best before there are other threads. Progress: system calls. Order: none.
 */
TERN_API tern_status tern_shm_guard(bool on);

/** Whether a name still stands for this region: false if it was removed, or given to another region
 *  since, or the view has no descriptor. True may be over when it is read.
 *  Role: any. Progress: system calls. Order: none. Crash: changes nothing. */
TERN_API bool tern_shm_name_is_current(const tern_region *region, const char *name);

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
