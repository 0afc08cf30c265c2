/* SPDX-License-Identifier: MIT */
/* region.c: header and directory of a region.
 *
 * The directory is a linked list in an array. An adder takes an entry, writes name, type and
 * size into it, and links it behind the last one by compare-exchange; if another adder was faster,
 * it looks whether that one has the same name. So a name is unique by construction and no
 * adder waits for another. Memory is taken after linking, by the one owner of the name.
 *
 * Each step can be told from outside, so that an adder may die after any of them: an entry says who
 * takes it, being linked says that the name is its maker's, and the word of the heap says whose
 * the last memory is. Who takes memory next first writes that down in the other's entry. */
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

static uint64_t region_round_up(uint64_t value, uint64_t step)
{
    return (value + step - 1) / step * step;
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
    g->heap_offset_bytes = region_round_up(sizeof(struct tern_region_shared)
        + (uint64_t)g->max_objects * sizeof(struct tern_region_entry)
        + (uint64_t)g->max_peers * sizeof(struct tern_region_peer), TERN_SEPARATION);
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
    return (size_t)region_round_up(size_bytes, TERN_SEPARATION);
}

static struct tern_region_peer *region_peers_of(struct tern_region_entry *directory, uint32_t max_objects)
{
    return (struct tern_region_peer *)(void *)(directory + max_objects);
}

/* An entry that nobody else sees. Its maker's word stays. */
static void region_clear_entry(struct tern_region_entry *entry)
{
    /* relaxed, all of these: published by the magic, or by the link */
    tern_a32_store_relaxed(&entry->next, 0);
    tern_a32_store_relaxed(&entry->state, TERN__ENTRY_FORMATTING); /* relaxed: as above */
    tern_a64_store_relaxed(&entry->offset_bytes, 0); /* relaxed: as above */
    tern_a32_store_relaxed(&entry->roles[0], 0); /* relaxed: as above */
    tern_a32_store_relaxed(&entry->roles[1], 0); /* relaxed: as above */
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
    for (uint32_t i = 0; i < g.max_objects; i++) {
        region_clear_entry(&directory[i]);
        tern_a32_store_relaxed(&directory[i].maker, 0); /* relaxed: as above */
    }
    struct tern_region_peer *peers = region_peers_of(directory, g.max_objects);
    for (uint32_t i = 0; i < g.max_peers; i++) {
        tern__peer_clear(&peers[i]);
        tern_a32_store_relaxed(&peers[i].word, 0); /* relaxed: as above */
    }
    /* [REGION-0] release: header and empty directory before the magic.
     * Pairs with: [REGION-0] acquire in region_load_geometry().
     * Otherwise: an attach may see entries of what was in the memory before. */
    tern_a32_store_release(&shared->magic, TERN_REGION_MAGIC, REGION_0_FORMAT);
    return TERN_OK;
}

/* Bytes of the heap that were taken when its word was this. */
static uint64_t region_heap_used(uint64_t heap)
{
    return (heap >> TERN__HEAP_ENTRY_BITS) * TERN_SEPARATION;
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
    info->was_heap_used_bytes = region_heap_used(tern_a64_load_relaxed(&shared->heap));
    info->was_objects = tern_a32_load_relaxed(&shared->objects); /* relaxed: as above */
    if (info->was_objects > g.max_objects) info->was_objects = g.max_objects;
    return TERN_OK;
}

/* ---- Directory ------------------------------------------------------------------- */

/* Name into a zero-padded field; false if it is empty or too long. */
static bool region_copy_name(char to[TERN_NAME_BYTES], const char *name)
{
    size_t length = 0;
    if (!name) return false;
    tern__memset(to, 0, TERN_NAME_BYTES);
    while (name[length] != '\0' && length < TERN_NAME_BYTES) {
        to[length] = name[length];
        length++;
    }
    return length > 0 && length < TERN_NAME_BYTES;
}

/* Follow one link. 0: end of the list; otherwise index + 1, bounded. */
static uint32_t region_follow(const tern_region *region, const tern_a32 *link, bool *corrupt)
{
    /* [REGION-1] acquire: the entry's name and type after the link to it.
     * Pairs with: [REGION-1] release in region_link_entry().
     * Otherwise: a name may be read before it is written. */
    uint32_t next = tern_a32_load_acquire(link, REGION_1_FOLLOW);
    if (next <= region->max_objects) return next;
    *corrupt = true;
    return 0;
}

/* Copy an entry out, once, and bound what it says. */
static tern_status region_load_entry(const tern_region *region, uint32_t index, tern_object *object)
{
    const struct tern_region_entry *entry = &region->directory[index];
    tern__memset(object, 0, sizeof *object);
    tern_copy_from_shared(object->name, entry->name, TERN_NAME_BYTES);
    tern_copy_from_shared(&object->type, &entry->type, sizeof object->type);
    object->index = index;
    if (object->name[TERN_NAME_BYTES - 1] != '\0') {
        object->name[TERN_NAME_BYTES - 1] = '\0';
        return object->status = TERN_ERR_CORRUPT;
    }
    /* [REGION-2] acquire: the formatted object, its place and size after READY.
     * Pairs with: [REGION-2] release in tern_region_publish().
     * Otherwise: an object may be used before it is formatted. */
    uint32_t state = tern_a32_load_acquire(&entry->state, REGION_2_SEE);
    if (state == TERN__ENTRY_FORMATTING) {
        /* relaxed: nothing is read on the strength of it */
        uint32_t maker = tern_a32_load_relaxed(&entry->maker);
        return object->status = tern__peer_is_dead(region, maker) ? TERN_ERR_PEER_DEAD : TERN_ERR_NOT_READY;
    }
    if (state == TERN__ENTRY_FAILED) return object->status = TERN_ERR_FULL;
    if (state != TERN__ENTRY_READY) return object->status = TERN_ERR_CORRUPT;
    object->offset_bytes = tern_a64_load_relaxed(&entry->offset_bytes); /* relaxed: [REGION-2] above */
    tern_copy_from_shared(&object->size_bytes, &entry->size_bytes, sizeof object->size_bytes);
    uint64_t offset = object->offset_bytes;
    if (offset < region->heap_offset_bytes || offset > region->size_bytes || offset % TERN_ALIGNMENT != 0
        || object->size_bytes > region->size_bytes - offset)
        return object->status = TERN_ERR_CORRUPT;
    object->memory = (unsigned char *)region->shared + offset;
    return object->status = TERN_OK;
}

/* Find a name from a link on. Ends at the last link if it is not there. */
static tern_status region_search(const tern_region *region, const char name[TERN_NAME_BYTES], tern_a32 **link,
                                 tern_object *object)
{
    bool corrupt = false;
    for (uint32_t steps = 0; steps <= region->max_objects; steps++) {
        uint32_t next = region_follow(region, *link, &corrupt);
        if (corrupt) return TERN_ERR_CORRUPT;
        if (next == 0) return TERN_ERR_NOT_FOUND;
        tern_status status = region_load_entry(region, next - 1, object);
        if (tern__memcmp(object->name, name, TERN_NAME_BYTES) == 0) return status;
        *link = &region->directory[next - 1].next;
    }
    return TERN_ERR_CORRUPT;   /* a circle */
}

tern_status tern_region_find(const tern_region *region, const char *name, uint32_t type, tern_object *object)
{
    char wanted[TERN_NAME_BYTES];
    tern__memset(object, 0, sizeof *object);
    if (tern__region_is_inherited(region)) return TERN_ERR_STATE;
    tern_a32 *link = &region->shared->first;
    if (!region_copy_name(wanted, name)) return TERN_ERR_ARGUMENT;
    tern_status status = region_search(region, wanted, &link, object);
    if (status == TERN_ERR_NOT_FOUND || status == TERN_ERR_CORRUPT) return status;
    uint32_t domains;
    tern_copy_from_shared(&domains, &region->directory[object->index].domains, sizeof domains);
    if (domains != 0 && !(domains >> region->domain & 1)) return TERN_ERR_DOMAIN;
    if (type != 0 && object->type != type) return TERN_ERR_MISMATCH;
    return status;
}

/* Take an entry that nobody else has. */
static bool region_take_entry(tern_region *region, uint32_t *index)
{
    for (*index = 0; *index < region->max_objects; ++*index) {
        struct tern_region_entry *entry = &region->directory[*index];
        uint32_t none = 0;
        /* relaxed: only compared */
        if (tern_a32_load_relaxed(&entry->maker) != 0) continue;
        /* [PEER-1] acquire: what a burier did to the entry of a maker that died.
         * Pairs with: [PEER-1] release in tern__region_bury_maker().
         * Otherwise: we may link an entry that is in use. */
        if (tern_a32_cas_acquire(&entry->maker, &none, region->reference, PEER_1_ENTRY)) return true;
    }
    return false;
}

/* Write down whose the memory is that was taken last, as the heap's word tells. */
static tern_status region_settle_heap(tern_region *region, uint64_t heap)
{
    uint64_t last = heap & TERN__HEAP_ENTRY_MASK, size_bytes, none = 0;
    if (last == 0) return TERN_OK;
    if (last > region->max_objects) return TERN_ERR_CORRUPT;
    struct tern_region_entry *entry = &region->directory[last - 1];
    tern_copy_from_shared(&size_bytes, &entry->size_bytes, sizeof size_bytes);
    uint64_t used = region_heap_used(heap);
    /* relaxed, both: who reads it has learnt of it by READY, or compares it with 0 */
    if (tern_a64_load_relaxed(&entry->offset_bytes) != 0) return TERN_OK;
    if (size_bytes == 0 || size_bytes > used || region_round_up(size_bytes, TERN_SEPARATION) > used)
        return TERN_ERR_CORRUPT;
    (void)tern_a64_cas_relaxed(&entry->offset_bytes, &none,   /* relaxed: as above */
                               region->heap_offset_bytes + used - region_round_up(size_bytes, TERN_SEPARATION));
    return TERN_OK;
}

/* Take memory from the heap for an entry that has none, unless whoever died on it had taken it. */
static tern_status region_take_memory(tern_region *region, uint64_t size_bytes, uint32_t index)
{
    struct tern_region_entry *entry = &region->directory[index];
    uint64_t heap_size = (region->size_bytes - region->heap_offset_bytes) / TERN_SEPARATION * TERN_SEPARATION;
    if (size_bytes > heap_size) return TERN_ERR_FULL;
    uint64_t units = region_round_up(size_bytes, TERN_SEPARATION) / TERN_SEPARATION;
    for (;;) {
        /* [REGION-3] acquire: the size of the entry that the word names.
         * Pairs with: [REGION-3] release below.
         * Otherwise: memory may be written down for it at a wrong place. */
        uint64_t heap = tern_a64_load_acquire(&region->shared->heap, REGION_3_SEE);
        uint64_t used = region_heap_used(heap);
        if (used > heap_size) return TERN_ERR_CORRUPT;
        tern_status status = region_settle_heap(region, heap);
        if (status != TERN_OK) return status;
        /* relaxed: nobody else takes memory for this entry */
        if (tern_a64_load_relaxed(&entry->offset_bytes) != 0) return TERN_OK;
        if (units > (heap_size - used) / TERN_SEPARATION) return TERN_ERR_FULL;
        uint64_t next = (used / TERN_SEPARATION + units) << TERN__HEAP_ENTRY_BITS | (index + 1);
        /* [REGION-3] release: our entry's size before the word that names it.
         * Pairs with: [REGION-3] acquire above.
         * Otherwise: memory may be written down for it at a wrong place. */
        (void)tern_a64_cas_release(&region->shared->heap, &heap, next, REGION_3_TAKE);
    }
}

/* Link our entry behind the last one, unless the name comes up on the way there. */
static tern_status region_link_entry(tern_region *region, const char name[TERN_NAME_BYTES], uint32_t index,
                                     tern_a32 *link, tern_object *object)
{
    for (;;) {
        uint32_t none = 0;
        /* [REGION-1] release: the entry's name and type before the link to it.
         * Pairs with: [REGION-1] acquire in region_follow().
         * Otherwise: a name may be read before it is written. */
        if (tern_a32_cas_release(link, &none, index + 1, REGION_1_LINK)) return TERN_OK;
        tern_status status = region_search(region, name, &link, object);
        if (status == TERN_ERR_CORRUPT) return status;
        if (status != TERN_ERR_NOT_FOUND) return TERN_ERR_EXISTS;
    }
}

/* Take a name and its entry from a maker that died before it had finished. Its size stays what its
 * maker wrote: the heap's word may stand for it. */
static tern_status region_take_over(tern_region *region, uint32_t type, uint64_t *size_bytes, const tern_object *there)
{
    struct tern_region_entry *entry = &region->directory[there->index];
    uint64_t had_bytes;
    /* relaxed: only compared */
    uint32_t maker = tern_a32_load_relaxed(&entry->maker);
    if (!tern__peer_is_dead(region, maker)) return TERN_ERR_EXISTS;
    tern_copy_from_shared(&had_bytes, &entry->size_bytes, sizeof had_bytes);
    if (there->type != type || had_bytes < *size_bytes) return TERN_ERR_MISMATCH;
    *size_bytes = had_bytes;
    /* [PEER-1] acquire: all that its maker and its burier did to it.
     * Pairs with: [PEER-1] release in tern__region_bury_maker().
     * Otherwise: our own writes to the object may lie under theirs. */
    return tern_a32_cas_acquire(&entry->maker, &maker, region->reference, PEER_1_NAME) ? TERN_OK : TERN_ERR_EXISTS;
}

/* Make a name ours: in a new entry, or in one whose maker died, which may be larger. */
static tern_status region_take_name(tern_region *region, const char name[TERN_NAME_BYTES], uint32_t type,
                                    uint64_t *size_bytes, tern_object *object)
{
    uint32_t index, no_domains = 0;
    tern_a32 *link = &region->shared->first;
    tern_status status = region_search(region, name, &link, object);
    if (status == TERN_ERR_CORRUPT) return status;
    if (status == TERN_ERR_PEER_DEAD) return region_take_over(region, type, size_bytes, object);
    if (status != TERN_ERR_NOT_FOUND) return TERN_ERR_EXISTS;
    if (!region_take_entry(region, &index)) return TERN_ERR_FULL;

    struct tern_region_entry *entry = &region->directory[index];
    region_clear_entry(entry);
    tern_copy_to_shared(entry->name, name, TERN_NAME_BYTES);
    tern_copy_to_shared(&entry->type, &type, sizeof type);
    tern_copy_to_shared(&entry->domains, &no_domains, sizeof no_domains);
    tern_copy_to_shared(&entry->size_bytes, size_bytes, sizeof *size_bytes);
    status = region_link_entry(region, name, index, link, object);
    object->index = index;
    if (status == TERN_OK) {
        /* relaxed: a number to look at; one too few for each that died here */
        (void)tern_a32_fetch_add_relaxed(&region->shared->objects, 1);
        return TERN_OK;
    }
    /* [PEER-1] release: our writes to the entry.
     * Pairs with: [PEER-1] acquire in region_take_entry().
     * Otherwise: they may lie over those of who takes it next. */
    tern_a32_store_release(&entry->maker, 0, PEER_1_GIVE_UP);
    return status;
}

tern_status tern_region_claim(tern_region *region, const char *name, uint32_t type, uint64_t size_bytes,
                              tern_object *object)
{
    char wanted[TERN_NAME_BYTES];
    tern__memset(object, 0, sizeof *object);
    if (!region_copy_name(wanted, name) || type == 0 || size_bytes == 0) return TERN_ERR_ARGUMENT;
    if (region->peer == 0 || tern__region_is_inherited(region)) return TERN_ERR_STATE;
    tern_status status = region_take_name(region, wanted, type, &size_bytes, object);
    if (status != TERN_OK) return status;

    uint32_t index = object->index;
    tern__memset(object, 0, sizeof *object);
    tern__memcpy(object->name, wanted, TERN_NAME_BYTES);
    object->type = type;
    object->index = index;
    object->size_bytes = size_bytes;
    status = region_take_memory(region, size_bytes, index);
    /* relaxed: ours, or written down by who took memory after us and nobody else */
    object->offset_bytes = tern_a64_load_relaxed(&region->directory[index].offset_bytes);
    uint64_t offset = object->offset_bytes;
    if (status == TERN_OK && (offset < region->heap_offset_bytes || offset > region->size_bytes
            || offset % TERN_ALIGNMENT != 0 || size_bytes > region->size_bytes - offset))
        status = TERN_ERR_CORRUPT;
    if (status != TERN_OK) {
        tern_region_publish(region, object, status);
        return status;
    }
    object->memory = (unsigned char *)region->shared + offset;
    return TERN_OK;
}

void tern_region_publish(tern_region *region, const tern_object *object, tern_status outcome)
{
    if (tern__region_is_inherited(region)) return;
    struct tern_region_entry *entry = &region->directory[object->index];
    /* relaxed: there already, but for what a peer wrote meanwhile */
    tern_a64_store_relaxed(&entry->offset_bytes, object->offset_bytes);
    tern_copy_to_shared(&entry->size_bytes, &object->size_bytes, sizeof object->size_bytes);
    /* [REGION-2] release: the formatted object, its place and size before READY.
     * Pairs with: [REGION-2] acquire in region_load_entry().
     * Otherwise: an object may be used before it is formatted. */
    tern_a32_store_release(&entry->state, outcome == TERN_OK ? (uint32_t)TERN__ENTRY_READY
                                                             : (uint32_t)TERN__ENTRY_FAILED, REGION_2_PUBLISH);
}

/* The cursor holds the last entry's index + 1, and above it the steps taken: a peer that ties
 * the list into a circle cannot keep a reader in it. */
bool tern_region_next(const tern_region *region, uint64_t *cursor, tern_object *object)
{
    bool corrupt = false;
    uint32_t at = (uint32_t)*cursor, steps = (uint32_t)(*cursor >> 32);
    if (tern__region_is_inherited(region)) return false;
    if (at > region->max_objects || steps >= region->max_objects) return false;
    uint32_t next = region_follow(region, at ? &region->directory[at - 1].next : &region->shared->first, &corrupt);
    if (corrupt || next == 0) return false;
    (void)region_load_entry(region, next - 1, object);
    *cursor = (uint64_t)(steps + 1) << 32 | next;
    return true;
}

tern_status tern__region_object(const tern_region *region, uint32_t index, tern_object *object)
{
    /* relaxed: [REGION-2] comes with the entry's state */
    if (tern_a32_load_relaxed(&region->directory[index].maker) == 0) return TERN_ERR_NOT_FOUND;
    return region_load_entry(region, index, object);
}

/* ---- Makers that died ------------------------------------------------------------ */

/* Whether an entry can be reached from the first one. */
static bool region_is_linked(const tern_region *region, uint32_t index)
{
    bool corrupt = false;
    const tern_a32 *link = &region->shared->first;
    for (uint32_t steps = 0; steps <= region->max_objects; steps++) {
        uint32_t next = region_follow(region, link, &corrupt);
        if (next == index + 1) return true;
        if (corrupt || next == 0) return corrupt;   /* in doubt it stays in use */
        link = &region->directory[next - 1].next;
    }
    return true;
}

bool tern__region_bury_maker(const tern_region *region, uint32_t index, uint32_t reference)
{
    struct tern_region_entry *entry = &region->directory[index];
    /* relaxed, both: only compared */
    if (tern_a32_load_relaxed(&entry->maker) != reference) return false;
    if (tern_a32_load_relaxed(&entry->state) != TERN__ENTRY_FORMATTING) return false; /* relaxed: as above */
    /* not linked: the entry is as good as new. Linked: the name is there, for the next who claims it
     * [PEER-1] release: our look at the links, and through the kernel all that its maker did.
     * Pairs with: [PEER-1] acquire in region_take_entry(), region_take_over().
     * Otherwise: the entry may be linked a second time. */
    return tern_a32_cas_release(&entry->maker, &reference, region_is_linked(region, index) ? TERN__ROLE_DEAD : 0,
                                PEER_1_BURY_MAKER);
}
