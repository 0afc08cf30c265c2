/* SPDX-License-Identifier: MIT */
/* bell.c: the cold half of the bell: format, attach, close, wait. */
#include "os/os.h"
#include "../include/tern/bell.h"

/* The geometry of a bell of so many sources; false if there can be no such bell. */
static bool bell_geometry_make(struct tern_bell_geometry *g, uint32_t sources)
{
    if (sources == 0 || sources > TERN_BELL_MAX_SOURCES) return false;
    tern__memset(g, 0, sizeof *g);
    g->layout_version = TERN_LAYOUT_VERSION;
    g->sources = sources;
    if (sources > TERN_BELL_FLAT_SOURCES) {
        g->leaves = (sources + TERN__BELL_LEAF_SOURCES - 1) / TERN__BELL_LEAF_SOURCES;
        uint32_t run = 0;
        while (TERN_BELL_FLAT_SOURCES << run < g->leaves) run++;
        g->root_shift = 5 + run;
    }
    g->total_size_bytes = sizeof(struct tern_bell_shared) + g->leaves * sizeof(tern_a32);
    g->check = tern__geometry_check(g, sizeof *g);
    return true;
}

static bool bell_geometry_from_desc(struct tern_bell_geometry *g, const tern_bell_desc *desc)
{
    return desc && bell_geometry_make(g, desc->sources ? desc->sources : TERN_BELL_FLAT_SOURCES);
}

size_t tern_bell_size(const tern_bell_desc *desc)
{
    struct tern_bell_geometry g;
    return bell_geometry_from_desc(&g, desc) ? (size_t)g.total_size_bytes : 0;
}

static tern_a32 *bell_leaves_of(struct tern_bell_shared *shared)
{
    return (tern_a32 *)(void *)(shared + 1);
}

tern_status tern_bell_format(void *memory, size_t size_bytes, const tern_bell_desc *desc)
{
    struct tern_bell_geometry g;
    tern_status status = tern__check_memory(memory, size_bytes, sizeof(struct tern_bell_shared));
    if (!bell_geometry_from_desc(&g, desc)) return TERN_ERR_ARGUMENT;
    if (status != TERN_OK) return status;
    if (size_bytes < g.total_size_bytes) return TERN_ERR_MEMORY;

    struct tern_bell_shared *shared = (struct tern_bell_shared *)memory;
    tern_a32 *leaves = bell_leaves_of(shared);
    /* relaxed, all of these: nobody may use the memory before the magic is there */
    tern_a32_store_relaxed(&shared->magic, 0);
    tern_copy_to_shared(&shared->geometry, &g, sizeof g);
    shared->reserved = 0;
    tern__memset(shared->pad, 0, sizeof shared->pad);
    tern_a32_store_relaxed(&shared->root.word, 0); /* relaxed: as above */
    tern_a32_store_relaxed(&shared->root.closed, 0); /* relaxed: as above */
    tern__memset(shared->root.pad, 0, sizeof shared->root.pad);
    for (uint32_t i = 0; i < g.leaves; i++) tern_a32_store_relaxed(&leaves[i], 0); /* relaxed: as above */
    /* [BELL-0] release: the whole bell before the magic.
     * Pairs with: [BELL-0] acquire in bell_load_geometry().
     * Otherwise: an attach may read a half-written header. */
    tern_a32_store_release(&shared->magic, TERN_BELL_MAGIC, BELL_0_FORMAT);
    return TERN_OK;
}

/* Copy the geometry out, once, and check every word of the copy. */
static tern_status bell_load_geometry(struct tern_bell_geometry *g, const void *memory, size_t size_bytes)
{
    tern_status status = tern__check_memory(memory, size_bytes, sizeof(struct tern_bell_shared));
    if (status != TERN_OK) return status;
    const struct tern_bell_shared *shared = (const struct tern_bell_shared *)memory;
    /* [BELL-0] acquire: the header after the magic.
     * Pairs with: [BELL-0] release in tern_bell_format().
     * Otherwise: a half-written header may pass for a damaged one. */
    uint32_t magic = tern_a32_load_acquire(&shared->magic, BELL_0_ATTACH);
    if (magic == 0) return TERN_ERR_NOT_READY;
    if (magic != TERN_BELL_MAGIC) return TERN_ERR_CORRUPT;
    status = tern__copy_geometry(g, &shared->geometry, sizeof *g);
    if (status != TERN_OK) return status;

    struct tern_bell_geometry expected;
    if (!bell_geometry_make(&expected, g->sources)) return TERN_ERR_CORRUPT;
    if (tern__memcmp(&expected, g, sizeof expected) != 0) return TERN_ERR_CORRUPT;
    return size_bytes < g->total_size_bytes ? TERN_ERR_MEMORY : TERN_OK;
}

/* The bits of the root that stand for something. */
static uint32_t bell_root_mask(const struct tern_bell_geometry *g)
{
    uint32_t last = (g->sources - 1) >> g->root_shift;   /* at most 30 */
    return (2u << last) - 1u;
}

tern_status tern_bell_attach(tern_bell *bell, void *memory, size_t size_bytes)
{
    struct tern_bell_geometry g;
    tern__memset(bell, 0, sizeof *bell);
    tern_status status = bell_load_geometry(&g, memory, size_bytes);
    if (status != TERN_OK) return status;

    bell->sources = g.sources;
    bell->spin_checks = TERN_SPIN_CHECKS;
    bell->may_block = true;
    bell->root_mask = bell_root_mask(&g);
    bell->root_shift = g.root_shift;
    bell->leaves = g.leaves;
    bell->wake_fd = -1;
    bell->shared = (struct tern_bell_shared *)memory;
    bell->leaf = g.leaves ? bell_leaves_of(bell->shared) : NULL;
    /* a ringer or a closer may have died between its mark or flag and its wake */
    tern_word_wake(&bell->shared->root.word);
    return TERN_OK;
}

void tern_bell_detach(tern_bell *bell)
{
    tern__role_release(&bell->role);
    tern__memset(bell, 0, sizeof *bell);
}

/* ---- Ring: the cold ends ----------------------------------------------------------- */

void tern__bell_wake(const tern_bell *bell)
{
    tern_word_wake(&bell->shared->root.word);
    if (bell->wake_fd >= 0) tern__eventfd_wake(bell->wake_fd);
}

void tern__bell_ring_all(const tern_bell *bell)
{
    for (uint32_t source = 0; source < bell->sources; source += bell->leaf ? TERN__BELL_LEAF_SOURCES : 1) {
        uint32_t left = bell->sources - source - 1;
        if (bell->leaf) {
            /* [BELL-2] release: what the dead had published, as far as we know of it.
             * Pairs with: [BELL-2] acquire in tern__bell_take_leaf().
             * Otherwise: the collector may find old data. */
            tern_a32_fetch_or_release(&bell->leaf[source / TERN__BELL_LEAF_SOURCES],
                                      left >= 31 ? UINT32_MAX : (2u << left) - 1, BELL_2_MARK_ALL);
        }
        tern_bell_ring(bell, source);
    }
}

/* What a dead collector had taken is gone, so every source rings once. */
tern_status tern__bell_take_end(tern_bell *bell)
{
    if (TERN__MODULE || !bell->role.take) return TERN_OK;
    tern_status status = bell->role.take(&bell->role, &bell->recovery);
    if (status == TERN_OK && bell->recovery.outcome != TERN_RECOVERY_CLEAN) tern__bell_ring_all(bell);
    return status;
}

void tern__bell_ring_far(const tern_bell *bell, uint32_t source)
{
    tern_bell_ring(bell, source);
}

tern_status tern_bell_use_eventfd(tern_bell *bell, int fd)
{
    tern_status status = fd == -1 ? TERN_OK : tern__eventfd_check(fd);
    if (status == TERN_OK) bell->wake_fd = fd;
    return status;
}

/* ---- Close ------------------------------------------------------------------------- */

/* The flag, then the root once more, so that whoever sleeps on the root, or is about to, learns of
 * it from that word alone. */
void tern_bell_close(tern_bell *bell)
{
    struct tern_bell_root *root = &bell->shared->root;
    /* [BELL-3] release: everything that the closer rang before.
     * Pairs with: [BELL-3] acquire in tern_bell_status().
     * Otherwise: "closed" may be said of a bell that still rings. */
    tern_a32_store_release(&root->closed, 1, BELL_3_CLOSE);
    /* [BELL-4] release: the flag before the word.
     * Pairs with: [BELL-4] acquire in tern_bell_arm().
     * Otherwise: a sleeper that sets SLEEP after this may miss the flag and never wake. */
    uint32_t was = tern_a32_fetch_and_release(&root->word, ~TERN__BELL_SLEEP, BELL_4_CLOSE_WAKE);
    if (was & TERN__BELL_SLEEP) tern__bell_wake(bell);
}

tern_status tern_bell_status(const tern_bell *bell)
{
    /* the flag first, then the word: what does not ring now has been collected
     * [BELL-3] acquire: the closer's last rings after its flag.
     * Pairs with: [BELL-3] release in tern_bell_close().
     * Otherwise: "closed" may be said of a bell that still rings. */
    bool closed = tern_a32_load_acquire(&bell->shared->root.closed, BELL_3_SEE) != 0;
    /* relaxed: no data is touched on the strength of it; ordered behind the flag */
    uint32_t word = tern_a32_load_relaxed(&bell->shared->root.word);
    if (word & bell->root_mask) return TERN_OK;
    if (word & ~TERN__BELL_SLEEP) return TERN_ERR_CORRUPT;
    return closed ? TERN_ERR_CLOSED : TERN_OK;
}

/* ---- Wait -------------------------------------------------------------------------- */

bool tern_bell_arm(tern_bell *bell)
{
    struct tern_bell_root *root = &bell->shared->root;
    if (tern__bell_take_end(bell) != TERN_OK) return false;
    /* relaxed: only compared; the collector exchanges the word with acquire before it looks at a source */
    uint32_t seen = tern_a32_load_relaxed(&root->word);
    if (seen & ~TERN__BELL_SLEEP) return false;
    /* SLEEP may be set already, by a time-out or a collector that died; the same exchange then
     * tells whether someone has closed since.
     * [BELL-4] acquire: if the word is the closer's, its flag too.
     * Pairs with: [BELL-4] release in tern_bell_close().
     * Otherwise: we may sleep on a closed bell for ever.
     * If the closer comes later, it finds SLEEP and wakes us. */
    if (!tern_a32_cas_acquire(&root->word, &seen, TERN__BELL_SLEEP, BELL_4_SLEEP)) return false;
    /* relaxed: ordered by the compare-exchange above */
    return tern_a32_load_relaxed(&root->closed) == 0;
}

#if !defined(TERN_NONBLOCKING)

/* TERN_OK: look again. */
static tern_status bell_sleep(tern_bell *bell, struct tern__patience *patience)
{
    uint64_t left_ns;
    tern_status status = tern__patience_left(patience, &left_ns);
    if (status != TERN_OK || left_ns == 0) return status;
    if (!tern_bell_arm(bell)) return TERN_OK;
    return tern__patience_sleep(patience, &bell->shared->root.word, TERN__BELL_SLEEP, left_ns);
}

static tern_status bell_wait_ringing(tern_bell *bell, struct tern__patience *patience)
{
    tern_status slept = TERN__SLEPT;
    for (;;) {
        /* relaxed: no data is touched on the strength of it; collect has the acquire */
        if (tern_a32_load_relaxed(&bell->shared->root.word) & bell->root_mask) return TERN_OK;
        tern_status status = tern_bell_status(bell);
        if (status != TERN_OK) return status;
        if (slept != TERN_OK) return slept;
        slept = bell_sleep(bell, patience);
    }
}

tern_status tern_bell_wait(tern_bell *bell, uint64_t timeout_ns)
{
    struct tern__patience patience = tern__patience_begin(timeout_ns, bell->spin_checks, &bell->spin, &bell->role);
    if (!bell->may_block) return TERN_ERR_DOMAIN;
    tern_status status = tern__bell_take_end(bell);
    return status != TERN_OK ? status : tern__patience_end(&patience, bell_wait_ringing(bell, &patience));
}

#endif

/* ---- Look -------------------------------------------------------------------------- */

tern_status tern_bell_inspect(tern_bell_info *info, const void *memory, size_t size_bytes)
{
    struct tern_bell_geometry g;
    tern__memset(info, 0, sizeof *info);
    tern_status status = bell_load_geometry(&g, memory, size_bytes);
    if (status != TERN_OK) return status;
    const struct tern_bell_shared *shared = (const struct tern_bell_shared *)memory;
    info->sources = g.sources;
    info->leaves = g.leaves;
    info->root_shift = g.root_shift;
    info->size_bytes = g.total_size_bytes;
    /* relaxed, both: numbers to look at */
    uint32_t word = tern_a32_load_relaxed(&shared->root.word);
    info->closed = tern_a32_load_relaxed(&shared->root.closed) != 0; /* relaxed: as above */
    info->was_ringing = word & bell_root_mask(&g);
    info->asleep = (word & TERN__BELL_SLEEP) != 0;
    return TERN_OK;
}
