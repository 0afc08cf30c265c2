/* SPDX-License-Identifier: MIT */
/* directory.c: the named objects of a region, and the memory that they take from its heap.
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

/* ---- Reading ----------------------------------------------------------------------------- */

/* Name into a zero-padded field; false if it is empty or too long. */
static bool directory_copy_name(char to[TERN_NAME_BYTES], const char *name)
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
static uint32_t directory_follow(const tern_region *region, const tern_a32 *link, bool *corrupt)
{
    /* [REGION-1] acquire: the entry's name and type after the link to it.
     * Pairs with: [REGION-1] release in directory_link_entry().
     * Otherwise: a name may be read before it is written. */
    uint32_t next = tern_a32_load_acquire(link, REGION_1_FOLLOW);
    if (next <= region->max_objects) return next;
    *corrupt = true;
    return 0;
}

/* Whether an object can lie where it is said to: in the heap, aligned, whole. */
static bool directory_can_be(const tern_region *region, const tern_object *object)
{
    uint64_t offset = object->offset_bytes;
    return offset >= region->heap_offset_bytes && offset <= region->size_bytes && offset % TERN_ALIGNMENT == 0
        && object->size_bytes <= region->size_bytes - offset;
}

/* Copy an entry out, once, and bound what it says. */
static tern_status directory_load_entry(const tern_region *region, uint32_t index, tern_object *object)
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
        /* relaxed: [PEER-0] comes with the peer's word */
        uint32_t maker = tern_a32_load_relaxed(&entry->maker);
        if (!tern__peer_is_dead(region, maker)) return object->status = TERN_ERR_NOT_READY;
        /* once more: it may have finished before it was gone
         * [REGION-2] acquire: as above.
         * Pairs with: [REGION-2] release in tern_region_publish().
         * Otherwise: as above. */
        state = tern_a32_load_acquire(&entry->state, REGION_2_AGAIN);
        if (state == TERN__ENTRY_FORMATTING) return object->status = TERN_ERR_PEER_DEAD;
    }
    if (state == TERN__ENTRY_FAILED) return object->status = TERN_ERR_FULL;
    if (state != TERN__ENTRY_READY) return object->status = TERN_ERR_CORRUPT;
    object->offset_bytes = tern_a64_load_relaxed(&entry->offset_bytes); /* relaxed: [REGION-2] above */
    tern_copy_from_shared(&object->size_bytes, &entry->size_bytes, sizeof object->size_bytes);
    if (!directory_can_be(region, object)) return object->status = TERN_ERR_CORRUPT;
    object->memory = (unsigned char *)region->shared + object->offset_bytes;
    return object->status = TERN_OK;
}

/* Find a name from a link on. Ends at the last link if it is not there. */
static tern_status directory_search(const tern_region *region, const char name[TERN_NAME_BYTES], tern_a32 **link,
                                    tern_object *object)
{
    bool corrupt = false;
    for (uint32_t steps = 0; steps <= region->max_objects; steps++) {
        uint32_t next = directory_follow(region, *link, &corrupt);
        if (corrupt) return TERN_ERR_CORRUPT;
        if (next == 0) return TERN_ERR_NOT_FOUND;
        tern_status status = directory_load_entry(region, next - 1, object);
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
    if (!directory_copy_name(wanted, name)) return TERN_ERR_ARGUMENT;
    tern_status status = directory_search(region, wanted, &link, object);
    if (status == TERN_ERR_NOT_FOUND || status == TERN_ERR_CORRUPT) return status;
    uint32_t domains;
    tern_copy_from_shared(&domains, &region->directory[object->index].domains, sizeof domains);
    if (domains != 0 && !(domains >> region->domain & 1)) return TERN_ERR_DOMAIN;
    if (type != 0 && object->type != type) return TERN_ERR_MISMATCH;
    return status;
}

/* The cursor holds the last entry's index + 1, and above it the steps taken: a peer that ties
 * the list into a circle cannot keep a reader in it. */
bool tern_region_next(const tern_region *region, uint64_t *cursor, tern_object *object)
{
    bool corrupt = false;
    uint32_t at = (uint32_t)*cursor, steps = (uint32_t)(*cursor >> 32);
    if (tern__region_is_inherited(region)) return false;
    if (at > region->max_objects || steps >= region->max_objects) return false;
    uint32_t next = directory_follow(region, at ? &region->directory[at - 1].next : &region->shared->first, &corrupt);
    if (corrupt || next == 0) return false;
    (void)directory_load_entry(region, next - 1, object);
    *cursor = (uint64_t)(steps + 1) << 32 | next;
    return true;
}

tern_status tern__region_object(const tern_region *region, uint32_t index, tern_object *object)
{
    /* an entry that is not in the list yet may be about to get its name
     * [REGION-2] acquire: the entry and the formatted object after READY.
     * Pairs with: [REGION-2] release in tern_region_publish().
     * Otherwise: an object may be used before it is formatted. */
    if (tern_a32_load_acquire(&region->directory[index].state, REGION_2_READY) != TERN__ENTRY_READY)
        return TERN_ERR_NOT_READY;
    return directory_load_entry(region, index, object);
}

/* ---- Adding ------------------------------------------------------------------------------ */

/* An entry that nobody else sees. Its maker's word stays. */
static void directory_clear_entry(struct tern_region_entry *entry)
{
    /* relaxed, all of these: published by the magic, or by the link */
    tern_a32_store_relaxed(&entry->next, 0);
    tern_a32_store_relaxed(&entry->state, TERN__ENTRY_FORMATTING); /* relaxed: as above */
    tern_a64_store_relaxed(&entry->offset_bytes, 0); /* relaxed: as above */
    tern_a32_store_relaxed(&entry->roles[0], 0); /* relaxed: as above */
    tern_a32_store_relaxed(&entry->roles[1], 0); /* relaxed: as above */
}

void tern__directory_format(struct tern_region_entry *directory, uint32_t max_objects)
{
    for (uint32_t i = 0; i < max_objects; i++) {
        directory_clear_entry(&directory[i]);
        tern_a32_store_relaxed(&directory[i].maker, 0); /* relaxed: published by the magic */
    }
}

/* Take an entry that nobody else has. */
static bool directory_take_entry(tern_region *region, uint32_t *index)
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
static tern_status directory_settle_heap(tern_region *region, uint64_t heap)
{
    uint64_t last = heap & TERN__HEAP_ENTRY_MASK, size_bytes, none = 0;
    if (last == 0) return TERN_OK;
    if (last > region->max_objects) return TERN_ERR_CORRUPT;
    struct tern_region_entry *entry = &region->directory[last - 1];
    tern_copy_from_shared(&size_bytes, &entry->size_bytes, sizeof size_bytes);
    uint64_t used = tern__region_heap_used(heap);
    /* relaxed, both: who reads it has learnt of it by READY, or compares it with 0 */
    if (tern_a64_load_relaxed(&entry->offset_bytes) != 0) return TERN_OK;
    if (size_bytes == 0 || size_bytes > used || tern__region_round_up(size_bytes) > used)
        return TERN_ERR_CORRUPT;
    (void)tern_a64_cas_relaxed(&entry->offset_bytes, &none,   /* relaxed: as above */
                               region->heap_offset_bytes + used - tern__region_round_up(size_bytes));
    return TERN_OK;
}

static uint64_t directory_heap_size(const tern_region *region)
{
    return (region->size_bytes - region->heap_offset_bytes) / TERN_SEPARATION * TERN_SEPARATION;
}

/* Load the heap's word, bound it, and write down whose the last memory is. */
static tern_status directory_load_heap(tern_region *region, uint64_t *heap)
{
    /* [REGION-3] acquire: the size of the entry that the word names.
     * Pairs with: [REGION-3] release in directory_take_memory().
     * Otherwise: memory may be written down for it at a wrong place. */
    *heap = tern_a64_load_acquire(&region->shared->heap, REGION_3_SEE);
    if (tern__region_heap_used(*heap) > directory_heap_size(region)) return TERN_ERR_CORRUPT;
    return directory_settle_heap(region, *heap);
}

/* Take memory from the heap for an entry that has none, unless whoever died on it had taken it. To begin at
 * a multiple of the alignment some is left out in front: the heap's word tells where an object ends. */
static tern_status directory_take_memory(tern_region *region, uint64_t size_bytes, uint32_t alignment_bytes,
                                         uint32_t index)
{
    struct tern_region_entry *entry = &region->directory[index];
    uint64_t heap, heap_size = directory_heap_size(region);
    if (size_bytes > heap_size) return TERN_ERR_FULL;
    uint64_t units = tern__region_round_up(size_bytes) / TERN_SEPARATION;
    for (;;) {
        tern_status status = directory_load_heap(region, &heap);
        if (status != TERN_OK) return status;
        /* relaxed: nobody else takes memory for this entry */
        if (tern_a64_load_relaxed(&entry->offset_bytes) != 0) return TERN_OK;
        uint64_t from = tern__region_heap_used(heap);
        from += (0 - (region->heap_offset_bytes + from)) % alignment_bytes;
        if (from > heap_size || units > (heap_size - from) / TERN_SEPARATION) return TERN_ERR_FULL;
        uint64_t next = (from / TERN_SEPARATION + units) << TERN__HEAP_ENTRY_BITS | (index + 1);
        /* [REGION-3] release: our entry's size before the word that names it.
         * Pairs with: [REGION-3] acquire in directory_load_heap().
         * Otherwise: memory may be written down for it at a wrong place. */
        (void)tern_a64_cas_release(&region->shared->heap, &heap, next, REGION_3_TAKE);
    }
}

/* Link our entry behind the last one, unless the name comes up on the way there. */
static tern_status directory_link_entry(tern_region *region, const char name[TERN_NAME_BYTES], uint32_t index,
                                        tern_a32 *link, tern_object *object)
{
    for (;;) {
        uint32_t none = 0;
        /* [REGION-1] release: the entry's name and type before the link to it.
         * Pairs with: [REGION-1] acquire in directory_follow().
         * Otherwise: a name may be read before it is written. */
        if (tern_a32_cas_release(link, &none, index + 1, REGION_1_LINK)) return TERN_OK;
        tern_status status = directory_search(region, name, &link, object);
        if (status == TERN_ERR_CORRUPT) return status;
        if (status != TERN_ERR_NOT_FOUND) return TERN_ERR_EXISTS;
    }
}

/* Take a name and its entry from a maker that died before it had finished. Its size stays what its
 * maker wrote: the heap's word may stand for it. */
static tern_status directory_take_over(tern_region *region, uint32_t type, uint64_t *size_bytes,
                                       uint32_t alignment_bytes, const tern_object *there)
{
    struct tern_region_entry *entry = &region->directory[there->index];
    uint64_t had_bytes, heap;
    /* relaxed: only compared */
    uint32_t maker = tern_a32_load_relaxed(&entry->maker);
    if (!tern__peer_is_dead(region, maker)) return TERN_ERR_EXISTS;
    /* relaxed: of this maker, who is dead, we see the last that it said [PEER-0]; another would have changed the
     * maker's word */
    if (tern_a32_load_relaxed(&entry->state) != TERN__ENTRY_FORMATTING) return TERN_ERR_EXISTS;
    tern_copy_from_shared(&had_bytes, &entry->size_bytes, sizeof had_bytes);
    if (there->type != type || had_bytes < *size_bytes) return TERN_ERR_MISMATCH;
    if (alignment_bytes > TERN_SEPARATION) {   /* what it took, if it did, may begin elsewhere */
        tern_status status = directory_load_heap(region, &heap);
        if (status != TERN_OK) return status;
        /* relaxed: the dead's, as its state */
        if (tern_a64_load_relaxed(&entry->offset_bytes) % alignment_bytes != 0) return TERN_ERR_MISMATCH;
    }
    *size_bytes = had_bytes;
    /* [PEER-1] acquire: all that its maker and its burier did to it.
     * Pairs with: [PEER-1] release in tern__region_bury_maker().
     * Otherwise: our own writes to the object may lie under theirs. */
    return tern_a32_cas_acquire(&entry->maker, &maker, region->reference, PEER_1_NAME) ? TERN_OK : TERN_ERR_EXISTS;
}

/* Make a name ours: in a new entry, or in one whose maker died, which may be larger. */
static tern_status directory_take_name(tern_region *region, const char name[TERN_NAME_BYTES], uint32_t type,
                                       uint64_t *size_bytes, uint32_t alignment_bytes, tern_object *object)
{
    uint32_t index, no_domains = 0;
    tern_a32 *link = &region->shared->first;
    tern_status status = directory_search(region, name, &link, object);
    if (status == TERN_ERR_CORRUPT) return status;
    if (status == TERN_ERR_PEER_DEAD) return directory_take_over(region, type, size_bytes, alignment_bytes, object);
    if (status != TERN_ERR_NOT_FOUND) return TERN_ERR_EXISTS;
    if (!directory_take_entry(region, &index)) return TERN_ERR_FULL;

    struct tern_region_entry *entry = &region->directory[index];
    directory_clear_entry(entry);
    tern_copy_to_shared(entry->name, name, TERN_NAME_BYTES);
    tern_copy_to_shared(&entry->type, &type, sizeof type);
    tern_copy_to_shared(&entry->domains, &no_domains, sizeof no_domains);
    tern_copy_to_shared(&entry->size_bytes, size_bytes, sizeof *size_bytes);
    status = directory_link_entry(region, name, index, link, object);
    object->index = index;
    if (status == TERN_OK) {
        /* relaxed: a number to look at; one too few for each that died here */
        (void)tern_a32_fetch_add_relaxed(&region->shared->objects, 1);
        return TERN_OK;
    }
    /* [PEER-1] release: our writes to the entry.
     * Pairs with: [PEER-1] acquire in directory_take_entry().
     * Otherwise: they may lie over those of who takes it next. */
    tern_a32_store_release(&entry->maker, 0, PEER_1_GIVE_UP);
    return status;
}

tern_status tern_region_claim(tern_region *region, const char *name, uint32_t type, uint64_t size_bytes,
                              tern_object *object)
{
    return tern__region_claim(region, name, type, size_bytes, TERN_SEPARATION, object);
}

tern_status tern__region_claim(tern_region *region, const char *name, uint32_t type, uint64_t size_bytes,
                               uint32_t alignment_bytes, tern_object *object)
{
    char wanted[TERN_NAME_BYTES];
    tern__memset(object, 0, sizeof *object);
    if (!directory_copy_name(wanted, name) || type == 0 || size_bytes == 0) return TERN_ERR_ARGUMENT;
    if (region->peer == 0 || tern__region_is_inherited(region)) return TERN_ERR_STATE;
    /* pages of the region are pages of the memory if it begins with one: shm.h's does, a caller's need not */
    if (alignment_bytes > TERN_SEPARATION && (uintptr_t)region->shared % alignment_bytes != 0)
        return TERN_ERR_ALIGNMENT;
    tern_status status = directory_take_name(region, wanted, type, &size_bytes, alignment_bytes, object);
    if (status != TERN_OK) return status;

    uint32_t index = object->index;
    tern__memset(object, 0, sizeof *object);
    tern__memcpy(object->name, wanted, TERN_NAME_BYTES);
    object->type = type;
    object->index = index;
    object->size_bytes = size_bytes;
    status = directory_take_memory(region, size_bytes, alignment_bytes, index);
    /* relaxed: ours, or written down by who took memory after us and nobody else */
    object->offset_bytes = tern_a64_load_relaxed(&region->directory[index].offset_bytes);
    if (status == TERN_OK && !directory_can_be(region, object)) status = TERN_ERR_CORRUPT;
    if (status != TERN_OK) {
        tern_region_publish(region, object, status);
        return status;
    }
    object->memory = (unsigned char *)region->shared + object->offset_bytes;
    return TERN_OK;
}

void tern_region_publish(tern_region *region, const tern_object *object, tern_status outcome)
{
    if (tern__region_is_inherited(region)) return;
    struct tern_region_entry *entry = &region->directory[object->index];
    /* relaxed: there already, but for what a peer wrote meanwhile. The size is not written again: who takes
     * memory after us may be reading it */
    tern_a64_store_relaxed(&entry->offset_bytes, object->offset_bytes);
    /* [REGION-2] release: the formatted object, its place and size before READY.
     * Pairs with: [REGION-2] acquire in directory_load_entry(), tern__region_object().
     * Otherwise: an object may be used before it is formatted. */
    tern_a32_store_release(&entry->state, outcome == TERN_OK ? (uint32_t)TERN__ENTRY_READY
                                                             : (uint32_t)TERN__ENTRY_FAILED, REGION_2_PUBLISH);
}

/* ---- Makers that died -------------------------------------------------------------------- */

/* Whether an entry can be reached from the first one. */
static bool directory_is_linked(const tern_region *region, uint32_t index)
{
    bool corrupt = false;
    const tern_a32 *link = &region->shared->first;
    for (uint32_t steps = 0; steps <= region->max_objects; steps++) {
        uint32_t next = directory_follow(region, link, &corrupt);
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
     * Pairs with: [PEER-1] acquire in directory_take_entry(), directory_take_over().
     * Otherwise: the entry may be linked a second time. */
    return tern_a32_cas_release(&entry->maker, &reference, directory_is_linked(region, index) ? TERN__ROLE_DEAD : 0,
                                PEER_1_BURY_MAKER);
}
