/* SPDX-License-Identifier: MIT */
/* region.c: header of a region, and views of it: attached as a peer, or only looking.
 *
 * The geometry is copied out of the header once, at attach, and each word of the copy is checked. */
#include "peers.h"

#if defined(__linux__)
#include <unistd.h>
#define TERN__CREATOR() ((uint32_t)getpid())
#else
#define TERN__CREATOR() 0u
#endif

uint32_t tern__fork_generation;

bool tern__region_is_inherited(const tern_region *region)
{
    /* memory that the caller shares by its own means may well be shared with its children */
    return region->mapping_size_bytes != 0 && region->generation != tern__fork_generation;
}

/* All but the total size; false if there can be no such region. */
static bool region_geometry_from_desc(struct tern_region_geometry *g, const tern_region_desc *desc)
{
    const tern_region_desc defaults = { 0, 0, 0, 0 };
    if (!desc) desc = &defaults;
    if (desc->domain > TERN_DOMAIN_SERVER) return false;
    if (desc->max_objects > TERN_REGION_MAX_OBJECTS || desc->max_peers > TERN_REGION_MAX_PEERS) return false;
    tern__memset(g, 0, sizeof *g);
    g->layout_version = TERN_LAYOUT_VERSION;
    g->layout_hash = tern_layout_hash();
    g->session = desc->session;
    g->domain = desc->domain;
    g->max_objects = desc->max_objects ? desc->max_objects : TERN_REGION_DEFAULT_OBJECTS;
    g->max_peers = desc->max_peers ? desc->max_peers : TERN_REGION_DEFAULT_PEERS;
    g->heap_offset_bytes = tern__region_round_up(sizeof(struct tern_region_shared)
        + (uint64_t)g->max_objects * sizeof(struct tern_region_entry)
        + (uint64_t)g->max_peers * sizeof(struct tern_region_peer));
    return true;
}

size_t tern_region_size(const tern_region_desc *desc)
{
    struct tern_region_geometry g;
    return region_geometry_from_desc(&g, desc) ? (size_t)g.heap_offset_bytes : 0;
}

size_t tern_region_object_size(size_t size_bytes)
{
    if (size_bytes > SIZE_MAX - TERN_SEPARATION) return SIZE_MAX;
    return (size_t)tern__region_round_up(size_bytes);
}

static struct tern_region_peer *region_peers_of(struct tern_region_entry *directory, uint32_t max_objects)
{
    return (struct tern_region_peer *)(void *)(directory + max_objects);
}

tern_status tern_region_format(void *memory, size_t size_bytes, const tern_region_desc *desc)
{
    struct tern_region_geometry g;
    tern_status status = tern__check_memory(memory, size_bytes, sizeof(struct tern_region_shared));
    if (!region_geometry_from_desc(&g, desc)) return TERN_ERR_ARGUMENT;
    if (status != TERN_OK) return status;
    if (size_bytes < g.heap_offset_bytes) return TERN_ERR_MEMORY;
    g.total_size_bytes = size_bytes;
    g.creator = TERN__CREATOR();
    g.check = tern__geometry_check(&g, sizeof g);

    struct tern_region_shared *shared = (struct tern_region_shared *)memory;
    struct tern_region_entry *directory = (struct tern_region_entry *)(shared + 1);
    /* relaxed, all of these: nobody may use the memory before the magic is there */
    tern_a32_store_relaxed(&shared->magic, 0);
    tern_copy_to_shared(&shared->geometry, &g, sizeof g);
    shared->reserved = 0;
    tern__memset(shared->pad0, 0, sizeof shared->pad0);
    tern__memset(shared->pad1, 0, sizeof shared->pad1);
    tern_a32_store_relaxed(&shared->peers_used, 0); /* relaxed: as above */
    tern_a32_store_relaxed(&shared->first, 0); /* relaxed: as above */
    tern_a64_store_relaxed(&shared->heap, 0); /* relaxed: as above */
    tern_a32_store_relaxed(&shared->objects, 0); /* relaxed: as above */
    tern_a32_store_relaxed(&shared->burier, 0); /* relaxed: as above */
    tern__directory_format(directory, g.max_objects);
    struct tern_region_peer *peers = region_peers_of(directory, g.max_objects);
    for (uint32_t i = 0; i < g.max_peers; i++) tern__peer_format(&peers[i]);
    /* [REGION-0] release: header and empty directory before the magic.
     * Pairs with: [REGION-0] acquire in region_load_geometry().
     * Otherwise: an attach may see entries of what was in the memory before. */
    tern_a32_store_release(&shared->magic, TERN_REGION_MAGIC, REGION_0_FORMAT);
    return TERN_OK;
}

/* Copy the geometry out, once, and check every word of the copy. */
static tern_status region_load_geometry(struct tern_region_geometry *g, const void *memory, size_t size_bytes)
{
    tern_status status = tern__check_memory(memory, size_bytes, sizeof(struct tern_region_shared));
    if (status != TERN_OK) return status;
    const struct tern_region_shared *shared = (const struct tern_region_shared *)memory;
    /* [REGION-0] acquire: header and empty directory after the magic.
     * Pairs with: [REGION-0] release in tern_region_format().
     * Otherwise: a half-written header may pass for a damaged one. */
    uint32_t magic = tern_a32_load_acquire(&shared->magic, REGION_0_ATTACH);
    if (magic == 0) return TERN_ERR_NOT_READY;
    if (magic != TERN_REGION_MAGIC) return TERN_ERR_CORRUPT;
    tern_copy_from_shared(g, &shared->geometry, sizeof *g);
    if (g->layout_version != TERN_LAYOUT_VERSION || g->layout_hash != tern_layout_hash()) return TERN_ERR_VERSION;
    if (g->check != tern__geometry_check(g, sizeof *g)) return TERN_ERR_CORRUPT;

    struct tern_region_geometry expected;
    tern_region_desc desc = { g->session, g->max_objects, g->max_peers, g->domain };
    if (g->max_objects == 0 || g->max_peers == 0) return TERN_ERR_CORRUPT;
    if (!region_geometry_from_desc(&expected, &desc) || g->heap_offset_bytes != expected.heap_offset_bytes)
        return TERN_ERR_CORRUPT;
    if (g->total_size_bytes < g->heap_offset_bytes) return TERN_ERR_CORRUPT;
    return size_bytes < g->total_size_bytes ? TERN_ERR_MEMORY : TERN_OK;
}

/* A view of a region whose geometry was checked. It is no peer yet. */
static void region_fill_view(tern_region *region, const struct tern_region_geometry *g, void *memory)
{
    tern__memset(region, 0, sizeof *region);
    region->size_bytes = g->total_size_bytes;
    region->session = g->session;
    region->max_objects = g->max_objects;
    region->max_peers = g->max_peers;
    region->heap_offset_bytes = g->heap_offset_bytes;
    region->fd = -1;
    region->shared = (struct tern_region_shared *)memory;
    region->directory = (struct tern_region_entry *)(region->shared + 1);
    region->peers = region_peers_of(region->directory, g->max_objects);
}

tern_status tern__region_attach(tern_region *region, void *memory, size_t size_bytes, const tern_attach_desc *desc,
                                int fd)
{
    const tern_attach_desc defaults = { 0, TERN_DOMAIN_WORKER };
    struct tern_region_geometry g;
    if (!desc) desc = &defaults;
    tern__memset(region, 0, sizeof *region);
    tern_status status = region_load_geometry(&g, memory, size_bytes);
    if (status != TERN_OK) return status;
    if (desc->domain > TERN_DOMAIN_SERVER) return TERN_ERR_ARGUMENT;
    if (desc->session != g.session) return TERN_ERR_SESSION;
    region_fill_view(region, &g, memory);
    region->domain = desc->domain;
    region->fd = fd;
    status = tern__peer_join(region);
    if (status != TERN_OK) tern__memset(region, 0, sizeof *region);
    return status;
}

tern_status tern_region_attach(tern_region *region, void *memory, size_t size_bytes, const tern_attach_desc *desc)
{
    return tern__region_attach(region, memory, size_bytes, desc, -1);
}

tern_status tern_region_look(tern_region *region, const void *memory, size_t size_bytes)
{
    struct tern_region_geometry g;
    tern__memset(region, 0, sizeof *region);
    tern_status status = region_load_geometry(&g, memory, size_bytes);
    if (status == TERN_OK) region_fill_view(region, &g, (void *)(uintptr_t)memory);   /* nothing is written */
    return status;
}

void tern_region_detach(tern_region *region)
{
    if (region->peer != 0) tern__peer_leave(region);
    tern__memset(region, 0, sizeof *region);
    region->fd = -1;
}

tern_status tern_region_inspect(tern_region_info *info, const void *memory, size_t size_bytes)
{
    struct tern_region_geometry g;
    tern__memset(info, 0, sizeof *info);
    tern_status status = region_load_geometry(&g, memory, size_bytes);
    if (status != TERN_OK) return status;
    const struct tern_region_shared *shared = (const struct tern_region_shared *)memory;
    info->size_bytes = g.total_size_bytes;
    info->session = g.session;
    info->domain = g.domain;
    info->max_objects = g.max_objects;
    info->max_peers = g.max_peers;
    info->creator = g.creator;
    info->heap_size_bytes = g.total_size_bytes - g.heap_offset_bytes;
    /* relaxed: a number to look at */
    info->was_heap_used_bytes = tern__region_heap_used(tern_a64_load_relaxed(&shared->heap));
    info->was_objects = tern_a32_load_relaxed(&shared->objects); /* relaxed: as above */
    if (info->was_objects > g.max_objects) info->was_objects = g.max_objects;
    return TERN_OK;
}
