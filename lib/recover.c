/* SPDX-License-Identifier: MIT */
/* recover.c: giving back what dead peers had. See peer.h.
 *
 * One peer at a time buries: its turn is a word that names it, and that can be taken from the dead as a role
 * can. Each step leaves the bytes such that doing it again changes nothing, and what tells of the work (a
 * hold, a role) is taken away only after the work: so a burier may die anywhere, and the next one does it
 * again. */
#include "peers.h"
#include "pool_parts.h"
#include "../include/tern/bell.h"
#include "os/os.h"

/* ---- What a peer has --------------------------------------------------------------------- */

static void recover_roles(const tern_region *region, uint32_t reference, bool is_dead, tern_recovery *report)
{
    for (uint32_t i = 0; i < region->max_objects; i++) {
        if (tern__region_bury_maker(region, i, reference)) report->names++;
        for (int which = 0; which < 2; which++) {
            tern_a32 *role = &region->directory[i].roles[which];
            uint32_t holder = reference;
            /* relaxed: only compared */
            if (tern_a32_load_relaxed(role) != reference) continue;
            /* [PEER-1] release: all that the peer did with the end; a dead one's came by the kernel.
             * Pairs with: [PEER-1] acquire in role_take().
             * Otherwise: a successor may start from an older index than the one it left. */
            if (tern_a32_cas_release(role, &holder, is_dead ? TERN__ROLE_DEAD : 0, PEER_1_BURY)) report->roles++;
        }
    }
}

tern_status tern__peer_give_back(const tern_region *region, uint32_t slot, uint32_t reference, bool is_dead,
                                 tern_recovery *report)
{
    struct tern_region_peer *peer = &region->peers[slot];
    tern_recovery ignored;
    tern_status worst = TERN_OK;
    if (!report) report = &ignored;
    for (uint32_t i = 0; i < TERN_PEER_HOLDS; i++) {
        /* relaxed: the peer is dead or ourselves */
        if (tern_a64_load_relaxed(&peer->holds[i]) == 0) continue;
        tern_status status = tern__pool_settle(region, &peer->holds[i], report);
        if (status == TERN_ERR_BUSY || worst == TERN_OK) worst = status;
    }
    recover_roles(region, reference, is_dead, report);
    return worst;
}

/* ---- Burial ------------------------------------------------------------------------------- */

/* A peer that died between a publication and its ring left nobody to say so. */
static void recover_ring_bells(const tern_region *region)
{
    for (uint32_t i = 0; i < region->max_objects; i++) {
        tern_object object;
        tern_bell bell;
        if (tern__region_object(region, i, &object) != TERN_OK || object.type != TERN_TYPE_BELL) continue;
        if (tern_bell_attach(&bell, object.memory, (size_t)object.size_bytes) == TERN_OK) tern__bell_ring_all(&bell);
    }
}

/* Give back what the peer of this slot had, and the slot. Called by one burier at a time. */
static tern_status recover_bury(const tern_region *region, uint32_t slot, uint32_t word, tern_recovery *report)
{
    struct tern_region_peer *peer = &region->peers[slot];
    uint32_t incarnation = word & 0xffff0000u;
    /* [PEER-0] release: all that the peer did, which we have by the kernel or by tern__peer_is_dead().
     * Pairs with: [PEER-0] acquire in peer_is_dead().
     * Otherwise: who takes an end of the dead may start from an older index than the one it left. */
    if (!tern_a32_cas_release(&peer->word, &word, incarnation | TERN__PEER_BURYING, PEER_0_BURY))
        return TERN_OK;   /* somebody has just buried it */
    tern_status status = tern__peer_give_back(region, slot, tern__peer_reference(slot, incarnation), true, report);
    recover_ring_bells(region);   /* while others can see yet that it is to be done */
    if (status == TERN_ERR_BUSY) return status;
    /* [PEER-0] release: an empty slot before it is free.
     * Pairs with: [PEER-0] acquire in peer_take(), peer_is_dead().
     * Otherwise: what the dead had in hand may turn up in a successor's. */
    tern_a32_store_release(&peer->word, incarnation | TERN__PEER_FREE, PEER_0_FREE);
    report->peers++;
    return status;
}

/* Take the turn, also from a burier that died. No two have it, threads of one peer neither. Who attaches is no
 * peer yet, and cannot be named in the word: he holds the lock on a byte of the file as long as he has the
 * turn, and whoever finds his mark in the word takes the turn under that lock alone. */
static bool recover_take_turn(const tern_region *region)
{
    uint32_t own = region->reference != 0 ? region->reference : TERN__ROLE_DEAD;
    /* relaxed: only compared */
    uint32_t holder = tern_a32_load_relaxed(&region->shared->burier);
    bool by_lock = own == TERN__ROLE_DEAD || holder == TERN__ROLE_DEAD;
    if (by_lock && (region->fd < 0 || !tern__os_lock(region->fd, TERN__BURIAL_BYTE))) return false;
    if (by_lock) holder = tern_a32_load_relaxed(&region->shared->burier); /* relaxed: as above */
    bool free = holder == 0 || (by_lock && holder == TERN__ROLE_DEAD) || tern__peer_is_dead(region, holder);
    /* [PEER-1] acquire: all that was done in the last turn.
     * Pairs with: [PEER-1] release in recover_end_turn().
     * Otherwise: a slot of a pool may be missed in its list, and given back a second time. */
    bool ours = free && tern_a32_cas_acquire(&region->shared->burier, &holder, own, PEER_1_TURN);
    if (by_lock && (!ours || own != TERN__ROLE_DEAD)) tern__os_unlock(region->fd, TERN__BURIAL_BYTE);
    return ours;
}

static void recover_end_turn(const tern_region *region)
{
    uint32_t own = region->reference != 0 ? region->reference : TERN__ROLE_DEAD;
    /* [PEER-1] release: all that we did in our turn.
     * Pairs with: [PEER-1] acquire in recover_take_turn().
     * Otherwise: a slot of a pool may be missed in its list, and given back a second time. */
    (void)tern_a32_cas_release(&region->shared->burier, &own, 0, PEER_1_TURN_END);
    if (region->reference == 0) tern__os_unlock(region->fd, TERN__BURIAL_BYTE);
}

static void recover_note(tern_recovery *report, tern_status status)
{
    if (status != TERN_OK && report->why != TERN_ERR_BUSY) report->why = status;
}

tern_status tern__peer_bury_all(const tern_region *region, tern_recovery *report)
{
    tern_recovery ignored;
    bool our_turn = false;
    if (!report) report = &ignored;
    tern__memset(report, 0, sizeof *report);
    for (uint32_t slot = 0; slot < region->max_peers; slot++) {
        /* relaxed: the compare-exchange in recover_bury() orders */
        uint32_t word = tern_a32_load_relaxed(&region->peers[slot].word);
        if ((word & 0xffffu) == TERN__PEER_FREE) continue;
        if (!tern__peer_is_dead(region, tern__peer_reference(slot, word))) continue;
        if (!our_turn && !(our_turn = recover_take_turn(region))) {
            recover_note(report, TERN_ERR_BUSY);
            break;
        }
        recover_note(report, recover_bury(region, slot, word, report));
    }
    if (our_turn) recover_end_turn(region);
    if (report->peers != 0) report->outcome = TERN_RECOVERY_REPAIRED;
    if (report->why != TERN_OK) report->outcome = TERN_RECOVERY_REFUSED;
    return report->why;
}

tern_status tern_peer_recover(tern_region *region, tern_recovery *report)
{
    if (report) tern__memset(report, 0, sizeof *report);
    if (region->peer == 0 || tern__region_is_inherited(region)) return TERN_ERR_STATE;
    return tern__peer_bury_all(region, report);
}

tern_status tern_peer_evict(tern_region *region, uint32_t number, tern_recovery *report)
{
    if (report) tern__memset(report, 0, sizeof *report);
    if (region->peer == 0 || tern__region_is_inherited(region)) return TERN_ERR_STATE;
    if (number == region->peer) return TERN_ERR_ARGUMENT;
    if (number == 0 || number > region->max_peers) return TERN_ERR_NOT_FOUND;
    struct tern_region_peer *peer = &region->peers[number - 1];
    /* relaxed: the compare-exchange in recover_bury() orders */
    uint32_t word = tern_a32_load_relaxed(&peer->word);
    if ((word & 0xffffu) == TERN__PEER_FREE) return TERN_ERR_NOT_FOUND;
    if (region->fd >= 0 && !tern__peer_is_dead(region, tern__peer_reference(number - 1, word))) return TERN_ERR_BUSY;
    uint32_t dead = (word & 0xffff0000u) | TERN__PEER_BURYING;
    /* from here on it is dead, and everybody's to bury
     * [PEER-0] release: all that the peer did, which our caller knows to be over.
     * Pairs with: [PEER-0] acquire in peer_is_dead().
     * Otherwise: who takes an end of the dead may start from an older index than the one it left. */
    if (word != dead && !tern_a32_cas_release(&peer->word, &word, dead, PEER_0_EVICT)) return TERN_ERR_BUSY;
    return tern__peer_bury_all(region, report);
}
