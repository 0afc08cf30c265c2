/* SPDX-License-Identifier: MIT */
/* peers.h: what the files of lib/ that deal with peers share: region.c, directory.c, peer.c, recover.c,
 * open.c. */
#ifndef TERN_PEERS_H
#define TERN_PEERS_H

#include "internal.h"
#include "../include/tern/peer.h"

TERN_EXTERN_C_BEGIN

/* ---- peer.c ------------------------------------------------------------------------------ */

/* Take a slot of the peer table for a view that is filled but for its peer. TERN_OK, TERN_ERR_FULL. */
tern_status tern__peer_join(tern_region *region);

/* Give it back, with all that the peer still has. */
void tern__peer_leave(tern_region *region);

/* An empty slot of a new region. */
void tern__peer_format(struct tern_region_peer *peer);

/* Whether a word (a role's, a maker's) names a peer that is no more. 0 names nobody. */
bool tern__peer_is_dead(const tern_region *region, uint32_t reference);

/* An end that can be taken by role->take(): TERN_OK; TERN_ERR_BUSY. The report says whether its
 * predecessor died. TERN_ERR_STATE: the view only looks. */
tern_status tern__role_prepare(tern__role *role, const tern_region *region, uint32_t index, uint32_t which);

/* A taken end could not be attached: leave it to the next, with what is known of its predecessor. */
void tern__role_refuse(tern__role *role, const tern_recovery *report);

/* ---- recover.c --------------------------------------------------------------------------- */

/* Give back what a peer has in hand, its ends, and the names that it was making. The peer is ours, or dead and
 * ours to bury. TERN_OK; TERN_ERR_BUSY: something stays in its hands; TERN_ERR_CORRUPT: something made no sense. */
tern_status tern__peer_give_back(const tern_region *region, uint32_t slot, uint32_t reference, bool is_dead,
                                 tern_recovery *report);

/* tern_peer_recover() without its checks. */
tern_status tern__peer_bury_all(const tern_region *region, tern_recovery *report);

/* ---- region.c ------------------------------------------------------------------------------ */

/* tern_region_attach() for memory with a file behind it; -1: without. */
tern_status tern__region_attach(tern_region *region, void *memory, size_t size_bytes, const tern_attach_desc *desc,
                                int fd);

/* ---- directory.c --------------------------------------------------------------------------- */

/* The empty directory of a new region. */
void tern__directory_format(struct tern_region_entry *directory, uint32_t max_objects);

/* tern_region_claim() for memory at a multiple of so many bytes, itself one of TERN_SEPARATION. TERN_ERR_ALIGNMENT:
 * the region itself begins at none; TERN_ERR_MISMATCH also: nor does what a dead maker took for the name. */
tern_status tern__region_claim(tern_region *region, const char *name, uint32_t type, uint64_t size_bytes,
                               uint32_t alignment_bytes, tern_object *object);

/* The object of an entry, in the list or not, bounded. @return its status; NOT_READY also if it is none yet */
tern_status tern__region_object(const tern_region *region, uint32_t index, tern_object *object);

/* An entry whose maker is dead: true if it had not finished, and is now anybody's to go on with. */
bool tern__region_bury_maker(const tern_region *region, uint32_t index, uint32_t reference);

/* ---- Small parts ----------------------------------------------------------------------------- */

/* Where the next thing may begin that another core writes. */
TERN_INLINE uint64_t tern__region_round_up(uint64_t value)
{
    return (value + TERN_SEPARATION - 1) / TERN_SEPARATION * TERN_SEPARATION;
}

/* Bytes of the heap that were taken when its word was this. */
TERN_INLINE uint64_t tern__region_heap_used(uint64_t heap)
{
    return (heap >> TERN__HEAP_ENTRY_BITS) * TERN_SEPARATION;
}

/* What names a peer: its slot, and its slot's incarnation. */
TERN_INLINE uint32_t tern__peer_reference(uint32_t slot, uint32_t word)
{
    return (word & 0xffff0000u) | (slot + 1);
}

/* Bytes of the region's file that are locked: one by who attaches and buries first, then one for each peer while
 * it lives. The numbers fit a 32-bit off_t; nobody locks the content that lies there. */
enum { TERN__BURIAL_BYTE = 0x70000000, TERN__LIFE_BYTES = TERN__BURIAL_BYTE + 1 };

TERN_EXTERN_C_END

#endif
