/* SPDX-License-Identifier: MIT */
/**
 * peer.h: who is attached to a region, who of them died, and giving back what the dead had.
 *
 *     tern_shm_open(&region, "camera", NULL);                     // this attachment is a peer
 *     tern_ring_open_producer(&p, &region, "frames", NULL);       // and has the producer's end
 *     ...
 *     if (tern_ring_pop_wait(&c, &item, timeout) == TERN_ERR_PEER_DEAD) {
 *         tern_recovery report;                                   // the producer was killed
 *         tern_peer_recover(&region, &report);
 *     }
 *
 * Each attachment (tern_shm_create(), tern_shm_open(), tern_shm_open_fd()) has a slot in the
 * region's peer table, and a lock on a byte of the region's file which the kernel drops when the
 * process ends, however it ends. So death is a fact: no heartbeat, no time-out, no process id is
 * compared, and a process that is stopped for an hour is alive. Threads that attach for themselves
 * are peers of their own; that a single thread ended is not seen, only that its process did or
 * that it closed the region.
 *
 * Ends are held. A second producer of a ring gets TERN_ERR_BUSY from its open while the first
 * lives; when it is dead its end is taken over, and the view's `recovery` tells what was found.
 *
 * | end                                    | held by                                          |
 * |----------------------------------------|--------------------------------------------------|
 * | producer, consumer of ring and stream  | the view, from open to detach                    |
 * | writer, reader of a triple buffer      | the view, from open to detach                    |
 * | collector of a bell                    | the view, from its first wait or arm to detach   |
 * | pins and half-made items of a pool     | the peer (any number of peers use a pool at once) |
 *
 * A region in the caller's own memory (tern_region_attach()) has no kernel behind it: there a peer
 * lives until it detaches or somebody who knows that it ended calls tern_peer_evict().
 */
#ifndef TERN_PEER_H
#define TERN_PEER_H

#include "region.h"

TERN_EXTERN_C_BEGIN

/** A peer, for people; every value may have changed already. */
typedef struct tern_peer_info {
    uint32_t peer;           /* its number, 1 to max_peers */
    uint32_t process;        /* id as it saw itself; of its PID namespace */
    uint32_t domain;
    bool is_alive;
    uint32_t was_holding;    /* pins, and slots of pools on their way */
    uint64_t attached_ns;    /* since 1970 */
    char program[17];        /* name of the thread that attached, ends with a zero */
} tern_peer_info;

/**
 * Walk through the peers that are attached, or died and are not buried.
 *
 * @param cursor 0 at first, kept by the caller
 * @return false after the last one
 *
 * Role: any, also views that only look. Progress: wait-free, at most max_peers steps and a system
 * call for each peer. Order: none. Crash: changes nothing.
 */
TERN_API bool tern_peer_next(const tern_region *region, uint32_t *cursor, tern_peer_info *info);

/**
 * Bury the dead: give back what they had.
 *
 * Of each dead peer: its pins are given up, and slots of pools that it was about to take or free
 * are freed; a name that it had begun to make can be claimed; its ends are free for successors, who still
 * learn that their predecessor died; then its slot is free. After a death all sources of all bells are
 * rung, because it may have come between a publication and its ring.
 *
 * tern_shm_open() and tern_pool_open() do this by themselves. Whoever lives on after
 * TERN_ERR_PEER_DEAD calls it, so that nothing is kept by the dead. Dying in it leaves the rest to the next
 * who calls it, at any instruction.
 *
 * @param report out, may be NULL; outcome CLEAN: there was nobody to bury; REPAIRED; REFUSED: somebody
 *               could not be buried, why tells
 * @return TERN_OK; TERN_ERR_BUSY: another peer is at it, or is stopped inside a call of the pool on the
 *         very slot in question: the rest is done, try again later; TERN_ERR_CORRUPT: a dead peer's
 *         entries made no sense and were dropped; TERN_ERR_STATE: the view only looks
 *
 * Role: any. Progress: lock-free; system calls. Order: acquire and release [PEER-0], [PEER-1].
 */
TERN_API tern_status tern_peer_recover(tern_region *region, tern_recovery *report);

/**
 * Declare a peer dead that no kernel watches over, and bury it: a browser's worker that its
 * orchestrator has ended.
 *
 * The caller knows that the peer runs no more: one that is evicted while it works shares its ends with
 * its successor from then on.
 *
 * @param peer as in tern_peer_info
 * @return TERN_OK; TERN_ERR_BUSY: it is alive, says the kernel (regions of shm.h); TERN_ERR_NOT_FOUND: no
 *         such peer; TERN_ERR_ARGUMENT: our own number; otherwise as tern_peer_recover()
 *
 * Role: any, one at a time. Progress: lock-free. Order: as tern_peer_recover().
 */
TERN_API tern_status tern_peer_evict(tern_region *region, uint32_t peer, tern_recovery *report);

/** Who has an end, for people. */
typedef struct tern_role_info {
    uint32_t peer;           /* number of the peer that has it, 0: nobody */
    bool is_dead;            /* it was held by a peer that died, and nobody has taken it since */
} tern_role_info;

/** Who has the ends of an object that tern_region_find() or tern_region_next() gave: [0] producer,
 *  writer or collector, [1] consumer or reader. Role: any. Progress: wait-free; system calls.
 *  Order: none. Crash: changes nothing. */
TERN_API void tern_peer_roles(const tern_region *region, const tern_object *object, tern_role_info roles[2]);

TERN_EXTERN_C_END

#endif
