/* SPDX-License-Identifier: MIT */
/* peer.c: the peer table of a region, and the ends that peers hold.
 *
 * A peer holds the lock on its byte of the region's file before its slot says that it is attached,
 * and until the slot is free again. So a slot that says "attached" without a lock is that of a dead
 * peer. Its word has an incarnation, which makes references to it unique: whoever finds a role that
 * names a dead peer may take it by compare-exchange, however late, without hitting a successor. */
#include "peers.h"
#include "os/os.h"

/* How often an attachment tries to count itself: each try that fails is another one's, or a liar's. */
enum { PEER_TRIES = 1 << 20 };

/* ---- Life and death -------------------------------------------------------------------- */

static uint32_t peer_state(uint32_t word)
{
    return word & 0xffffu;
}

/* Whether the peer of a slot is alive, when the slot's word was this. */
static bool peer_lives(int fd, uint32_t own_slot, uint32_t slot, uint32_t word)
{
    if (peer_state(word) != TERN__PEER_JOINING && peer_state(word) != TERN__PEER_ATTACHED) return false;
    return slot == own_slot || fd < 0 || tern__os_is_locked(fd, TERN__LIFE_BYTES + slot);
}

static bool peer_is_dead(const struct tern_region_peer *peers, uint32_t max_peers, int fd, uint32_t own_slot,
                         uint32_t reference)
{
    uint32_t slot = (reference & 0xffffu) - 1;
    if (reference == 0) return false;
    if (slot >= max_peers) return true;   /* TERN__ROLE_DEAD, or no peer at all */
    /* [PEER-0] acquire: all that the peer did, if it is no more.
     * Pairs with: [PEER-0] release in tern__peer_leave(), recover_bury(), tern_peer_evict().
     * Otherwise: we may take what the peer had finished for something that it left undone. */
    uint32_t word = tern_a32_load_acquire(&peers[slot].word, PEER_0_DEATH);
    return (word ^ reference) >> 16 != 0 || !peer_lives(fd, own_slot, slot, word);
}

bool tern__peer_is_dead(const tern_region *region, uint32_t reference)
{
    return peer_is_dead(region->peers, region->max_peers, region->fd, region->peer - 1, reference);
}

/* ---- Joining and leaving ------------------------------------------------------------------ */

void tern__peer_format(struct tern_region_peer *peer)
{
    /* relaxed, all of these: published by the region's magic */
    tern_a32_store_relaxed(&peer->word, TERN__PEER_FREE);
    tern_a32_store_relaxed(&peer->pins_used, 0); /* relaxed: as above */
    tern_a32_store_relaxed(&peer->unheld, 0); /* relaxed: as above */
    for (uint32_t i = 0; i < TERN_PEER_HOLDS; i++) tern_a64_store_relaxed(&peer->holds[i], 0); /* relaxed: as above */
}

/* Our slot: nothing in hand. */
static void peer_clear(struct tern_region_peer *peer)
{
    /* [POOL-7] release: what the slot's former peer did under its holds.
     * Pairs with: [POOL-7] acquire in hold_pins().
     * Otherwise: an item may be written over another one that the former peer was still reading. */
    tern_a32_store_release(&peer->pins_used, 0, POOL_7_CLEAR);
    /* what is empty already stays as it is, with the order [POOL-7] that it was emptied in
     * relaxed, all of these: what a dead peer left was settled before, or is of no sense */
    if (tern_a32_load_relaxed(&peer->unheld) != 0) tern_a32_store_relaxed(&peer->unheld, 0);
    for (uint32_t i = 0; i < TERN_PEER_HOLDS; i++)
        if (tern_a64_load_relaxed(&peer->holds[i]) != 0)   /* relaxed: as above */
            tern_a64_store_relaxed(&peer->holds[i], 0); /* relaxed: as above */
}

/* Take a slot if it is free. */
static bool peer_take(tern_region *region, uint32_t slot)
{
    struct tern_region_peer *peer = &region->peers[slot];
    /* relaxed: only compared */
    uint32_t word = tern_a32_load_relaxed(&peer->word), used = 0;
    if (peer_state(word) != TERN__PEER_FREE) return false;
    if (region->fd >= 0 && !tern__os_lock(region->fd, TERN__LIFE_BYTES + slot)) return false;
    uint32_t next = (word & 0xffff0000u) + 0x10000u;
    if (next == 0) next = 0x10000u;
    /* [PEER-0] acquire: all that was done to the slot by who had it, and who buried it.
     * Pairs with: [PEER-0] release in tern__peer_leave(), recover_bury().
     * Otherwise: what they had in hand may turn up in our hands. */
    if (!tern_a32_cas_acquire(&peer->word, &word, next | TERN__PEER_JOINING, PEER_0_TAKE)) {
        if (region->fd >= 0) tern__os_unlock(region->fd, TERN__LIFE_BYTES + slot);
        return false;
    }
    peer_clear(peer);
    tern__os_self(peer);
    tern_a32_store_relaxed(&peer->domain, region->domain); /* relaxed: for people to look at */
    region->peer = slot + 1;
    region->reference = tern__peer_reference(slot, next);
    /* [POOL-6] seq_cst: that there is one more peer to look at, before it has anything in hand. Also if
     * others have said so already: a look at their word would order nothing.
     * Pairs with: [POOL-6] seq_cst in hold_pins().
     * Otherwise: who frees a slot may not look at our holds, and reuses what we pin. */
    uint32_t tries = PEER_TRIES;
    while (!tern_a32_cas_seq_cst(&region->shared->peers_used, &used, used < slot + 1 ? slot + 1 : used, POOL_6_PEERS)
           && --tries != 0) {}
    /* relaxed: who finds us dead has all that we did by the kernel, or by who evicts us */
    tern_a32_store_relaxed(&peer->word, next | TERN__PEER_ATTACHED);
    return true;
}

tern_status tern__peer_join(tern_region *region)
{
    for (int tries = 0; tries < 2; tries++) {
        for (uint32_t slot = 0; slot < region->max_peers; slot++)
            if (peer_take(region, slot)) return TERN_OK;
        /* a slot may be a dead peer's */
        (void)tern__peer_bury_all(region, &region->recovery);
    }
    return TERN_ERR_FULL;
}

void tern__peer_leave(tern_region *region)
{
    uint32_t slot = region->peer - 1;
    struct tern_region_peer *peer = &region->peers[slot];
    uint32_t incarnation = region->reference & 0xffff0000u;
    /* relaxed: ours, unless somebody evicted us who should not have: then nothing is ours any more */
    if (tern_a32_load_relaxed(&peer->word) == (incarnation | TERN__PEER_ATTACHED)) {
        bool undecided = tern__peer_give_back(region, slot, region->reference, false, NULL) == TERN_ERR_BUSY;
        /* what could not be decided now is left to who buries the dead
         * [PEER-0] release: all that we did to the slot, and to all that we had.
         * Pairs with: [PEER-0] acquire in peer_take(), peer_is_dead().
         * Otherwise: what we had in hand may turn up in a successor's. */
        tern_a32_store_release(&peer->word, incarnation | (undecided ? TERN__PEER_BURYING : TERN__PEER_FREE),
                               PEER_0_LEAVE);
    }
    if (region->fd >= 0) tern__os_unlock(region->fd, TERN__LIFE_BYTES + slot);
}

bool tern_peer_next(const tern_region *region, uint32_t *cursor, tern_peer_info *info)
{
    tern__memset(info, 0, sizeof *info);
    while (*cursor < region->max_peers && !tern__region_is_inherited(region)) {
        uint32_t slot = (*cursor)++;
        struct tern_region_peer *peer = &region->peers[slot];
        /* relaxed, all of these: to look at */
        uint32_t word = tern_a32_load_relaxed(&peer->word);
        if (peer_state(word) == TERN__PEER_FREE) continue;
        info->peer = slot + 1;
        info->process = tern_a32_load_relaxed(&peer->process); /* relaxed: as above, and the next three */
        info->domain = tern_a32_load_relaxed(&peer->domain);
        info->attached_ns = tern_a64_load_relaxed(&peer->attached_ns);
        const uint64_t program[2] = { tern_a64_load_relaxed(&peer->program[0]),   /* relaxed: as above */
                                      tern_a64_load_relaxed(&peer->program[1]) }; /* relaxed: as above */
        tern__memcpy(info->program, program, sizeof program);
        info->is_alive = peer_lives(region->fd, region->peer - 1, slot, word);
        for (uint32_t i = 0; i < TERN_PEER_HOLDS; i++)
            info->was_holding += tern_a64_load_relaxed(&peer->holds[i]) != 0; /* relaxed: as above */
        return true;
    }
    return false;
}

/* ---- Roles ----------------------------------------------------------------------------------- */

/* Whether the end that a view had is no longer its own: it was evicted, or the memory is lost. */
static bool role_is_gone(const tern__role *role)
{
    /* relaxed: nothing is read on the strength of it */
    return role->release && tern_a32_load_relaxed(role->own) != role->reference;
}

static bool role_other_is_dead(const tern__role *role)
{
    if (role_is_gone(role)) return true;
    /* relaxed: nothing is read on the strength of it */
    uint32_t other = tern_a32_load_relaxed(role->other);
    return peer_is_dead(role->peers, role->max_peers, role->fd, (role->reference & 0xffffu) - 1, other);
}

/* A bell has no other end: any peer may ring. */
static bool role_any_is_dead(const tern__role *role)
{
    if (role_is_gone(role)) return true;
    uint32_t own_slot = (role->reference & 0xffffu) - 1;
    for (uint32_t slot = 0; slot < role->max_peers; slot++) {
        /* relaxed: nothing is read on the strength of it */
        uint32_t word = tern_a32_load_relaxed(&role->peers[slot].word);
        if (peer_state(word) != TERN__PEER_FREE && !peer_lives(role->fd, own_slot, slot, word)) return true;
    }
    return false;
}

static void role_set(tern__role *role, uint32_t value)
{
    uint32_t reference = role->reference;
    /* [PEER-1] release: all that was done with the end.
     * Pairs with: [PEER-1] acquire in role_take().
     * Otherwise: a successor may start from an older index than the one we left. */
    (void)tern_a32_cas_release(role->own, &reference, value, PEER_1_RELEASE);
    tern__memset(role, 0, sizeof *role);
}

static void role_release(tern__role *role)
{
    role_set(role, 0);
}

void tern__role_refuse(tern__role *role, const tern_recovery *report)
{
    role_set(role, report->outcome == TERN_RECOVERY_CLEAN ? 0 : TERN__ROLE_DEAD);
}

static tern_status role_take(tern__role *role, tern_recovery *report)
{
    tern__memset(report, 0, sizeof *report);
    uint32_t own_slot = (role->reference & 0xffffu) - 1;
    /* relaxed: only compared */
    uint32_t holder = tern_a32_load_relaxed(role->own);
    do {
        if (holder != 0 && !peer_is_dead(role->peers, role->max_peers, role->fd, own_slot, holder))
            return TERN_ERR_BUSY;
        /* [PEER-1] acquire: all that a predecessor did with the end.
         * Pairs with: [PEER-1] release in role_set(), recover_roles().
         * Otherwise: we may start from an older index than the one it left. */
    } while (!tern_a32_cas_acquire(role->own, &holder, role->reference, PEER_1_TAKE));
    if (holder != 0) {
        report->outcome = TERN_RECOVERY_REPAIRED;
        report->peers = report->roles = 1;
    }
    role->take = NULL;
    role->release = role_release;
    return TERN_OK;
}

tern_status tern__role_prepare(tern__role *role, const tern_region *region, uint32_t index, uint32_t which)
{
    struct tern_region_entry *entry = &region->directory[index];
    tern__memset(role, 0, sizeof *role);
    if (region->peer == 0) return TERN_ERR_STATE;
    role->other_is_dead = which == TERN__ROLE_COLLECTOR ? role_any_is_dead : role_other_is_dead;
    role->take = role_take;
    role->own = &entry->roles[which & 1u];
    role->other = &entry->roles[(which & 1u) ^ 1u];
    role->peers = region->peers;
    role->max_peers = region->max_peers;
    role->reference = region->reference;
    role->fd = region->fd;
    return TERN_OK;
}

void tern_peer_roles(const tern_region *region, const tern_object *object, tern_role_info roles[2])
{
    tern__memset(roles, 0, 2 * sizeof *roles);
    if (tern__region_is_inherited(region)) return;
    for (int which = 0; which < 2; which++) {
        /* relaxed: to look at */
        uint32_t holder = tern_a32_load_relaxed(&region->directory[object->index].roles[which]);
        roles[which].is_dead = tern__peer_is_dead(region, holder);
        roles[which].peer = (holder & 0xffffu) <= region->max_peers ? holder & 0xffffu : 0;   /* buried, or nonsense */
    }
}
