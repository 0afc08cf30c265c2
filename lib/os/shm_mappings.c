/* SPDX-License-Identifier: MIT */
/* shm_mappings.c: the list of this process's mappings of regions; see shm_mappings.h.
 *
 * One lock guards it. Nobody touches shared memory while he holds it, so a fault never comes from
 * inside, and its handler can take the lock too. The list grows in blocks that are never given
 * back: the first one is there from the start, the others are mapped, since a handler and a
 * fork's child must not meet malloc. */
#include "shm_mappings.h"

#if defined(__linux__)

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAPPINGS_BLOCK_ENTRIES = 64, MAPPINGS_HUGE_BYTES = 2 << 20 };

struct mappings_entry {
    bool used, lost;
    int fd;
    dev_t device;              /* of the file, in case somebody else closes the descriptor */
    ino_t inode;
    unsigned char *memory;     /* NULL: not mapped yet */
    size_t size_bytes;
};

struct mappings_block {
    struct mappings_entry entries[MAPPINGS_BLOCK_ENTRIES];
    struct mappings_block *next;
};

static pthread_mutex_t mappings_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t mappings_once = PTHREAD_ONCE_INIT;
static int mappings_fork_errno;        /* of pthread_atfork(); written once, before anyone reads it */
static struct mappings_block mappings_first;

/* The entry after this one; NULL: the first, or none is left. Empty ones too. */
static struct mappings_entry *mappings_next(struct mappings_block **block, uint32_t *at)
{
    if (*at == MAPPINGS_BLOCK_ENTRIES) {
        *block = (*block)->next;
        *at = 0;
    }
    return *block ? &(*block)->entries[(*at)++] : NULL;
}

static struct mappings_entry *mappings_find(int fd)
{
    struct mappings_block *block = &mappings_first;
    uint32_t at = 0;
    for (struct mappings_entry *entry; (entry = mappings_next(&block, &at)) != NULL;)
        if (entry->used && entry->fd == fd) return entry;
    return NULL;
}

/* An entry that is free; NULL, with errno, if no memory is left for more. */
static struct mappings_entry *mappings_take(void)
{
    struct mappings_block *last = &mappings_first;
    for (;; last = last->next) {
        for (uint32_t i = 0; i < MAPPINGS_BLOCK_ENTRIES; i++)
            if (!last->entries[i].used) return &last->entries[i];
        if (!last->next) break;
    }
    void *more = mmap(NULL, sizeof(struct mappings_block), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (more == MAP_FAILED) return NULL;
    last->next = (struct mappings_block *)more;
    return &last->next->entries[0];
}

/* ---- Fork --------------------------------------------------------------------------- */

static void mappings_before_fork(void)
{
    pthread_mutex_lock(&mappings_lock);
}

static void mappings_after_fork_in_parent(void)
{
    pthread_mutex_unlock(&mappings_lock);
}

static bool mappings_owns_fd(const struct mappings_entry *entry)
{
    struct stat file;
    return fstat(entry->fd, &file) == 0 && file.st_dev == entry->device && file.st_ino == entry->inode;
}

/* The child has no mapping of a parent's region (MADV_DONTFORK), and its copies of the descriptors
 * would keep the parent's locks alive after the parent: it closes them. Its views of the regions
 * are of a generation that is over. */
static void mappings_after_fork_in_child(void)
{
    int kept = errno;
    struct mappings_block *block = &mappings_first;
    uint32_t at = 0;
    for (struct mappings_entry *entry; (entry = mappings_next(&block, &at)) != NULL;) {
        if (entry->used && mappings_owns_fd(entry)) close(entry->fd);
        entry->used = false;
    }
    tern__fork_generation++;
    pthread_mutex_unlock(&mappings_lock);
    errno = kept;
}

static void mappings_watch_forks(void)
{
    mappings_fork_errno = pthread_atfork(mappings_before_fork, mappings_after_fork_in_parent,
                                         mappings_after_fork_in_child);
}

/* ---- Calls --------------------------------------------------------------------------- */

void tern__mapping_begin(void)
{
    pthread_once(&mappings_once, mappings_watch_forks);
    pthread_mutex_lock(&mappings_lock);
}

int tern__mapping_keep(int fd)
{
    struct stat file;
    struct mappings_entry *entry = NULL;
    int why = errno;
    if (fd >= 0) {
        if (mappings_fork_errno != 0) errno = mappings_fork_errno;
        else if (fstat(fd, &file) == 0) entry = mappings_take();
        if (entry) {
            tern__memset(entry, 0, sizeof *entry);
            entry->used = true;
            entry->fd = fd;
            entry->device = file.st_dev;
            entry->inode = file.st_ino;
        } else {
            why = errno;
            close(fd);
            fd = -1;
        }
    }
    pthread_mutex_unlock(&mappings_lock);
    errno = why;
    return fd;
}

/* Large files at a multiple of a huge page's size: elsewhere the kernel can't put any behind them,
 * whoever asks for it. Space for that is reserved first, and what is too much given back. */
static void *mappings_map_file(int fd, size_t size_bytes)
{
    const size_t huge = MAPPINGS_HUGE_BYTES, page = (size_t)sysconf(_SC_PAGESIZE);
    if (size_bytes < huge || size_bytes > SIZE_MAX / 2)
        return mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    unsigned char *space = (unsigned char *)mmap(NULL, size_bytes + huge, PROT_NONE,
                                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED) return MAP_FAILED;
    size_t before = (0 - (uintptr_t)space) % huge;
    void *memory = mmap(space + before, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    if (memory == MAP_FAILED) {   /* huge pages that are larger still: the kernel knows a place */
        munmap(space, size_bytes + huge);
        return mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (before) munmap(space, before);
    size_t end = before + (size_bytes + page - 1) / page * page;   /* the file's size may be any */
    if (end < size_bytes + huge) munmap(space + end, size_bytes + huge - end);
    return memory;
}

void *tern__mapping_map(int fd, size_t size_bytes)
{
    pthread_mutex_lock(&mappings_lock);
    void *memory = mappings_map_file(fd, size_bytes);
    if (memory != MAP_FAILED && madvise(memory, size_bytes, MADV_DONTFORK) != 0) {
        int why = errno;
        munmap(memory, size_bytes);
        errno = why;
        memory = MAP_FAILED;
    }
    struct mappings_entry *entry = mappings_find(fd);
    if (entry && memory != MAP_FAILED) {
        entry->memory = (unsigned char *)memory;
        entry->size_bytes = size_bytes;
    }
    pthread_mutex_unlock(&mappings_lock);
    return memory == MAP_FAILED ? NULL : memory;
}

void tern__mapping_drop(int fd)
{
    int kept = errno;
    pthread_mutex_lock(&mappings_lock);
    struct mappings_entry *entry = mappings_find(fd);
    if (entry) {
        if (entry->memory) munmap(entry->memory, entry->size_bytes);
        if (mappings_owns_fd(entry)) close(fd);
        entry->used = false;
    }
    pthread_mutex_unlock(&mappings_lock);
    errno = kept;
}

bool tern__mapping_is_lost(int fd)
{
    pthread_mutex_lock(&mappings_lock);
    const struct mappings_entry *entry = mappings_find(fd);
    bool lost = !entry || entry->lost || !mappings_owns_fd(entry);
    pthread_mutex_unlock(&mappings_lock);
    return lost;
}

/* In place of the file, for the whole mapping: an object that is half of zeros and half of live
 * bytes would be neither there nor gone. False: no memory. */
static bool mappings_put_zeros(struct mappings_entry *entry)
{
    enum { PROTECTION = PROT_READ | PROT_WRITE, FLAGS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED };
#if defined(SYS_mmap) && !defined(SYS_mmap2)
    /* the kernel's own, since this runs in a signal handler; a sanitizer's would take it for a write to each byte */
    void *zeros = (void *)syscall(SYS_mmap, entry->memory, entry->size_bytes, PROTECTION, FLAGS, -1, (long)0);
#else
    void *zeros = mmap(entry->memory, entry->size_bytes, PROTECTION, FLAGS, -1, 0);
#endif
    if (zeros == MAP_FAILED) return false;
    (void)madvise(zeros, entry->size_bytes, MADV_DONTFORK);
    entry->lost = true;
    return true;
}

bool tern__mapping_lose(const void *address)
{
    const unsigned char *fault = (const unsigned char *)address;
    struct mappings_block *block = &mappings_first;
    uint32_t at = 0;
    bool ours = false;
    pthread_mutex_lock(&mappings_lock);
    for (struct mappings_entry *entry; !ours && (entry = mappings_next(&block, &at)) != NULL;) {
        if (!entry->used || !entry->memory || fault < entry->memory || fault >= entry->memory + entry->size_bytes)
            continue;
        /* lost already: another thread was faster, and the access finds its zeros */
        if (!entry->lost && !mappings_put_zeros(entry)) break;
        ours = true;
    }
    pthread_mutex_unlock(&mappings_lock);
    return ours;
}

#endif
