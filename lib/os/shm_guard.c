/* SPDX-License-Identifier: MIT */
/* shm_guard.c: what becomes of a region whose file is cut off or overwritten by somebody who may
 * write to it: an opt-in handler of SIGBUS, and the question whether a region is still whole. */
#include "shm_mappings.h"
#include "../../include/tern/shm.h"

#if defined(__linux__)

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t guard_lock = PTHREAD_MUTEX_INITIALIZER;
static bool guard_is_on;
static struct sigaction guard_former;   /* what stood there before; written while our handler does not stand */

/* Not ours: as if we were not there. */
static void guard_pass_on(int signal_number, siginfo_t *info, void *context)
{
    struct sigaction plain;
    bool is_fault = info->si_code > 0;   /* else somebody sent it */
    if (guard_former.sa_flags & SA_SIGINFO) {
        guard_former.sa_sigaction(signal_number, info, context);
        return;
    }
    if (guard_former.sa_handler == SIG_IGN && !is_fault) return;
    if (guard_former.sa_handler != SIG_IGN && guard_former.sa_handler != SIG_DFL) {
        guard_former.sa_handler(signal_number);
        return;
    }
    /* the default action ends the process: the access faults once more, or the signal comes once more */
    tern__memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    sigaction(SIGBUS, &plain, NULL);
    if (!is_fault) raise(signal_number);
}

static void guard_handle(int signal_number, siginfo_t *info, void *context)
{
    int kept = errno;
    bool ours = info->si_code == BUS_ADRERR && tern__mapping_lose(info->si_addr);
    if (!ours) guard_pass_on(signal_number, info, context);
    errno = kept;
}

/* With the lock held. */
static tern_status guard_set(bool on)
{
    struct sigaction now, ours;
    if (sigaction(SIGBUS, NULL, &now) != 0) return TERN_ERR_SYSTEM;
    bool stands = (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == guard_handle;
    if (on == guard_is_on && on == stands) return TERN_OK;
    if (guard_is_on && !stands) return TERN_ERR_STATE;   /* a later one stands before it, and may call it */
    if (!on) {
        if (sigaction(SIGBUS, &guard_former, NULL) != 0) return TERN_ERR_SYSTEM;
        guard_is_on = false;
        return TERN_OK;
    }
    tern__memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = guard_handle;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigfillset(&ours.sa_mask);
    guard_former = now;
    if (sigaction(SIGBUS, &ours, NULL) != 0) return TERN_ERR_SYSTEM;
    guard_is_on = true;
    return TERN_OK;
}

tern_status tern_shm_guard(bool on)
{
    pthread_mutex_lock(&guard_lock);
    tern_status status = guard_set(on);
    pthread_mutex_unlock(&guard_lock);
    return status;
}

/* ---- Status --------------------------------------------------------------------------- */

tern_status tern_shm_status(const tern_region *region)
{
    /* room for a header at a multiple of TERN_ALIGNMENT */
    unsigned char room[sizeof(struct tern_region_shared) + TERN_ALIGNMENT];
    unsigned char *header = room + (0 - (uintptr_t)room) % TERN_ALIGNMENT;
    struct stat file;
    tern_region_info info;
    if (!region->shared || tern__region_is_inherited(region)) return TERN_ERR_STATE;
    if (region->mapping_size_bytes == 0) return TERN_OK;   /* the caller's own memory */
    if (tern__mapping_is_lost(region->fd)) return TERN_ERR_MEMORY;
    if (fstat(region->fd, &file) != 0) return TERN_ERR_SYSTEM;
    if ((uint64_t)file.st_size < region->mapping_size_bytes) return TERN_ERR_MEMORY;
    /* by the descriptor: the file may shrink at any moment, and reading it raises no signal */
    ssize_t got = pread(region->fd, header, sizeof(struct tern_region_shared), 0);
    if (got < 0) return TERN_ERR_SYSTEM;
    if ((size_t)got < sizeof(struct tern_region_shared)) return TERN_ERR_MEMORY;
    tern_status status = tern_region_inspect(&info, header, region->mapping_size_bytes);
    bool same = status == TERN_OK && info.size_bytes == region->size_bytes && info.session == region->session;
    return same ? TERN_OK : TERN_ERR_CORRUPT;
}

#endif
