/* SPDX-License-Identifier: MIT */
/* rendezvous.c: two processes meet under a name, whoever comes first. See transfer.h. */
#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The byte of the file that is locked: beyond any region and the library's own locks. */
#define GATE_BYTE ((INT64_C(1) << 61) + 2)

#define NAP_NS 2000000
#define DAMAGED_TRIES 250      /* naps before a region that stays unfinished counts as damaged */
#define GATE_TRIES 1000        /* naps before a gate that stays shut is forced by `tern rm` */
#define BUSY_TRIES 500         /* naps in which a side that was killed is surely gone, with --resume */

static void nap(void)
{
    const struct timespec time = { 0, NAP_NS };
    nanosleep(&time, NULL);    /* a signal may end it early: callers look at the flag */
}

static bool gate_set(int fd, short type)
{
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = GATE_BYTE;
    lock.l_len = 1;
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static bool gate_enter(int fd)
{
    return gate_set(fd, F_WRLCK);
}

static void gate_leave(int fd)
{
    gate_set(fd, F_UNLCK);
}

/* tern_shm_name_is_current() for a file that is perhaps no region. */
static bool path_is_file(const char *path, int fd)
{
    struct stat named, opened;
    return fstat(fd, &opened) == 0 && lstat(path, &named) == 0 && named.st_ino == opened.st_ino
        && named.st_dev == opened.st_dev;
}

static side other(side s)
{
    return s == SIDE_SENDER ? SIDE_RECEIVER : SIDE_SENDER;
}

static const char *side_name(side s)
{
    return s == SIDE_SENDER ? "sender" : "receiver";
}

/* ---- The rings of a region --------------------------------------------------------------- */

static const tern_ring_desc note_desc = { sizeof(struct note), 4, TERN_RING_WAITABLE };

static tern_ring_desc bytes_desc(uint64_t capacity_bytes)
{
    tern_ring_desc desc = { 1, (uint32_t)capacity_bytes, TERN_RING_WAITABLE };
    return desc;
}

/* Peers: two sides, and those who look whether they may join. */
static const tern_region_desc region_desc = { TRANSFER_SESSION, 4, 16, TERN_DOMAIN_WORKER };

static size_t region_bytes(uint64_t capacity_bytes)
{
    tern_ring_desc bytes = bytes_desc(capacity_bytes);
    return tern_region_size(&region_desc) + tern_region_object_size(tern_ring_size(&bytes))
        + 2 * tern_region_object_size(tern_ring_size(&note_desc));
}

/* What the region was made for; so that whoever comes first under the gate, its maker or not,
 * makes the same rings. 0: too small for any. */
static uint64_t region_capacity(const tern_region *region)
{
    uint64_t capacity = TERN_RING_MAX_CAPACITY_ITEMS;
    while (capacity > 0 && region_bytes(capacity) > region->size_bytes) capacity /= 2;
    return capacity;
}

/* Make what is missing and attach our ends. Called under the gate only. */
static tern_status open_rings(transfer *t)
{
    tern_ring_desc bytes = bytes_desc(region_capacity(&t->region));
    bool sending = t->side == SIDE_SENDER;
    tern_status status = bytes.capacity_items == 0 ? TERN_ERR_MEMORY : TERN_OK;
    t->capacity_bytes = bytes.capacity_items;
    if (status == TERN_OK)
        status = sending ? tern_ring_open_producer(&t->bytes_out, &t->region, "bytes", &bytes)
                         : tern_ring_open_consumer(&t->bytes_in, &t->region, "bytes", &bytes);
    if (status == TERN_OK)
        status = tern_ring_open_producer(&t->notes_out, &t->region, sending ? "end" : "ack", &note_desc);
    if (status == TERN_OK)
        status = tern_ring_open_consumer(&t->notes_in, &t->region, sending ? "ack" : "end", &note_desc);
    return status;
}

/* Whether a side has ever been in the region; CORRUPT and the like for a ring that is none. */
static tern_status was_there(transfer *t, side s, bool *there)
{
    tern_object object;
    tern_ring_info info;
    *there = false;
    tern_status status = tern_region_find(&t->region, s == SIDE_SENDER ? "end" : "ack", TERN_TYPE_RING, &object);
    if (status == TERN_ERR_NOT_FOUND) return TERN_OK;
    if (status == TERN_OK) status = tern_ring_inspect(&info, object.memory, (size_t)object.size_bytes);
    if (status == TERN_OK) *there = info.was_pushed != 0;
    return status;
}

/* Whether a live process, which may be ours, has this side: its end of `bytes`. */
static bool side_is_held(const tern_region *region, side s)
{
    tern_object bytes;
    tern_role_info roles[2];
    if (tern_region_find(region, "bytes", TERN_TYPE_RING, &bytes) != TERN_OK) return false;
    tern_peer_roles(region, &bytes, roles);
    return roles[s].peer != 0 && !roles[s].is_dead;
}

/* ---- Joining ------------------------------------------------------------------------------- */

enum verdict { JOIN, REPLACE, BUSY, RETRY };

/* What to do with a region. Called under its gate. */
static enum verdict judge(transfer *t, tern_status *why)
{
    bool we_were = false, peer_was = false;
    if (side_is_held(&t->region, t->side)) return BUSY;
    bool peer_lives = side_is_held(&t->region, other(t->side));
    *why = was_there(t, t->side, &we_were);
    if (*why == TERN_OK) *why = was_there(t, other(t->side), &peer_was);
    /* unreadable: its maker died half-way, unless someone lives in it */
    if (*why != TERN_OK) return peer_lives ? RETRY : REPLACE;
    if (we_were || (peer_was && !peer_lives)) return REPLACE;
    return JOIN;
}

/* Take our side of a region that awaits us, and say so. Called under its gate. */
static tern_status take_side(transfer *t)
{
    tern_status status = open_rings(t);
    t->hello.outcome = OUTCOME_HELLO;
    if (status == TERN_OK && !note_ring_push(&t->notes_out, &t->hello)) status = TERN_ERR_CORRUPT;
    return status;
}

/* Open the name, or make it. */
static tern_status open_or_create(transfer *t)
{
    const tern_attach_desc attach = { TRANSFER_SESSION, TERN_DOMAIN_WORKER };
    tern_status status = tern_shm_open(&t->region, t->name, &attach);
    if (status != TERN_ERR_NOT_FOUND) return status;
    return tern_shm_create(&t->region, t->name, region_bytes(t->options.capacity_bytes), &region_desc);
}

static int complain_of_open(const transfer *t, tern_status status)
{
    if (status == TERN_ERR_SESSION)
        complain("'%s' is the name of a region of another program; choose another name", t->name);
    else if (status == TERN_ERR_ARGUMENT)
        return usage_error(t->self, "'%s' is no name: 1 to %u letters, digits, '.', '_' or '-', not beginning with '.'",
                           t->name, TERN_SHM_NAME_MAX);
    else if (status == TERN_ERR_SYSTEM)
        complain("cannot use '%s': %s", t->name, strerror(errno));
    else if (status == TERN_ERR_NO_SPACE)
        complain("no memory for '%s' (%llu bytes); try a smaller --capacity", t->name,
                 (unsigned long long)t->options.capacity_bytes);
    else
        complain("cannot use '%s': %s; 'tern rm %s' removes it", t->name, tern_status_text(status), t->name);
    return EXIT_FAILED;
}

/* One try. @return -1: try again; otherwise the exit code */
static int try_join(transfer *t, int *tries)
{
    tern_status status = open_or_create(t);
    if (status == TERN_ERR_EXISTS) return -1;
    /* FULL: many want to join at once */
    if ((status == TERN_ERR_NOT_READY || status == TERN_ERR_FULL) && ++*tries < DAMAGED_TRIES) return -1;
    if (status != TERN_OK) return complain_of_open(t, status);
    int fd = tern_shm_fd(&t->region), code = -1;
    if (gate_enter(fd)) {
        /* who had the gate before us may have removed the name */
        if (tern_shm_name_is_current(&t->region, t->name)) {
            enum verdict verdict = judge(t, &status);
            if (verdict == JOIN) {
                status = take_side(t);
                code = status == TERN_OK ? EXIT_OK : complain_of_open(t, status);
            } else if (verdict == REPLACE) {
                tern_shm_unlink(t->name);
            } else if (verdict == BUSY && t->options.resume && ++*tries < BUSY_TRIES) {
                /* a predecessor that was killed may not be gone quite yet */
            } else if (verdict == BUSY) {
                complain("'%s' has a live %s already; choose another name", t->name, side_name(t->side));
                code = EXIT_BUSY;
            } else if (++*tries >= DAMAGED_TRIES) {
                code = complain_of_open(t, status);
            }
        }
        gate_leave(fd);
    }
    if (code != EXIT_OK) tern_shm_close(&t->region);   /* drops the side too */
    return code;
}

int transfer_join(transfer *t)
{
    int tries = 0;
    for (;;) {
        int code = try_join(t, &tries);
        if (code >= 0) {
            t->joined = code == EXIT_OK;
            return code;
        }
        if (transfer_signal()) return 128 + transfer_signal();
        nap();
    }
}

/* ---- Looking and leaving --------------------------------------------------------------------- */

bool transfer_peer_is_alive(const transfer *t)
{
    return side_is_held(&t->region, other(t->side));
}

bool transfer_peer_has_left(const transfer *t)
{
    tern_object bytes;
    tern_role_info roles[2];
    if (tern_region_find(&t->region, "bytes", TERN_TYPE_RING, &bytes) != TERN_OK) return false;
    tern_peer_roles(&t->region, &bytes, roles);
    return roles[other(t->side)].peer == 0 && !roles[other(t->side)].is_dead;
}

bool transfer_name_is_ours(const transfer *t)
{
    return tern_shm_name_is_current(&t->region, t->name);
}

void transfer_remove_name(transfer *t)
{
    int fd = tern_shm_fd(&t->region);
    /* the gate is held for microseconds; a holder that was stopped in it must not stop us for ever */
    for (int tries = 0; transfer_name_is_ours(t) && tries < GATE_TRIES; tries++) {
        if (gate_enter(fd)) {
            if (transfer_name_is_ours(t)) tern_shm_unlink(t->name);
            gate_leave(fd);
            return;
        }
        nap();
    }
}

tern_status transfer_remove(const char *name)
{
    char path[TERN_SHM_NAME_MAX + 32];
    tern_status status = tern_shm_path(name, path, sizeof path);
    if (status != TERN_OK) return status;
    for (int tries = 0; tries < GATE_TRIES; tries++) {
        int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0) break;   /* nothing there, or nothing with a gate: unlink says which */
        bool ours = gate_enter(fd) && path_is_file(path, fd);
        if (ours) status = tern_shm_unlink(name);
        close(fd);
        if (ours) return status;
        nap();
    }
    return tern_shm_unlink(name);
}
