/* SPDX-License-Identifier: MIT */
/**
 * role.h: who holds an end of an object, and how the other end learns that it died.
 *
 * Included by the primitives' headers; programs use peer.h and open.h. An end that is opened by
 * its name in a region (tern_ring_open_producer() and its like) holds a role: a word in the
 * object's directory entry names the peer that has the end. An end that is attached to plain
 * memory holds none, and nobody learns of its death.
 */
#ifndef TERN_ROLE_H
#define TERN_ROLE_H

#include "wait.h"

/* ---- Shared bytes ---------------------------------------------------------- */

/** What one peer can have in hand at once, over all pools of a region: pins, and slots on their way,
 *  for which some are kept. */
#ifndef TERN_PEER_HOLDS   /* the model takes fewer */
#  define TERN_PEER_HOLDS 56u
#  define TERN__PEER_PINS 48u
#endif

/** A slot of the peer table: an attachment to a region. Its owner writes it, and whoever buries it. */
struct tern_region_peer {
    tern_a32 word;         /* incarnation << 16 | TERN__PEER_* */
    tern_a32 process;      /* id, for people to read; never compared */
    tern_a32 domain;
    tern_a32 pins_used;    /* the first so many of holds have been pins */
    tern_a64 attached_ns;  /* since 1970, for people */
    tern_a64 program[2];   /* 16 bytes of a name, for people */
    tern_a32 unheld;       /* calls on their way that found no hold */
    unsigned char pad[20];
    tern_a64 holds[TERN_PEER_HOLDS];   /* what it has in hand, 0: nothing; see lib/pool_holds.c */
};

TERN_SHARED_ASSERT(offsetof(struct tern_region_peer, attached_ns) == 16, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_region_peer, holds) == 64, "layout");
TERN_SHARED_ASSERT(sizeof(struct tern_region_peer) == 512, "layout");

/* States of a slot. BURYING: its peer is dead, and somebody gives back what it had. */
enum { TERN__PEER_FREE = 0, TERN__PEER_JOINING = 1, TERN__PEER_ATTACHED = 2, TERN__PEER_BURYING = 3 };

/* A role's word: 0: nobody; TERN__ROLE_DEAD: a peer that died and is buried; or a reference to a
 * peer: incarnation << 16 | slot + 1. */
#define TERN__ROLE_DEAD 0x0000ffffu

/* ---- Local views ------------------------------------------------------------- */

/** What an open found, of the end that it took. */
enum { TERN_RECOVERY_CLEAN = 0, TERN_RECOVERY_REPAIRED = 1, TERN_RECOVERY_REFUSED = 2 };

/** A report: what was wrong and what became of it. */
typedef struct tern_recovery {
    uint32_t outcome;     /* TERN_RECOVERY_*: clean: nobody died here; repaired; refused: see why */
    tern_status why;      /* refused: TERN_ERR_CORRUPT: the bytes make no sense; TERN_ERR_BUSY:
                             another peer is repairing, or stopped in a call that decides; try again */
    uint32_t peers;       /* dead peers that were buried, or of whom this end was taken over */
    uint32_t roles;       /* ends that they held */
    uint32_t items;       /* in the object, for the successor: of a consumer, those that its
                             predecessor had not released, delivered again, among them */
    uint32_t pins;        /* of pools that were given back */
    uint32_t slots;       /* of pools that a dead peer was about to take or free, and that were freed */
    uint32_t names;       /* of objects that a dead peer had begun to make */
} tern_recovery;

/** Of a view that was opened in a region: private to the library. All zero: not in a region. */
typedef struct tern__role {
    bool (*other_is_dead)(const struct tern__role *role);
    tern_status (*take)(struct tern__role *role, tern_recovery *report);   /* NULL once it was taken */
    void (*release)(struct tern__role *role);                              /* NULL before that */
    tern_a32 *own, *other;            /* words of this end and of the other one */
    struct tern_region_peer *peers;
    uint32_t max_peers, reference;    /* reference: of our peer */
    int fd;                           /* of the region; -1: no kernel watches over its peers */
} tern__role;

/* Whether the other end was held by a peer that died, and nobody has taken it since; or ours is gone. */
TERN_INLINE bool tern__role_other_is_dead(const tern__role *role)
{
    return !TERN__MODULE && role->other_is_dead && role->other_is_dead(role);
}

/* Let a successor have the end. Everything that was done with it comes before. */
TERN_INLINE void tern__role_release(tern__role *role)
{
    if (!TERN__MODULE && role->release) role->release(role);
}

#endif
