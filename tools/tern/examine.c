/* SPDX-License-Identifier: MIT */
/* examine.c: opening objects and burying the dead on a private copy. See examine.h. */
#include "examine.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../lib/pool_parts.h"

#define LOOKS 8            /* copies in which something must be wrong to count, if somebody is at work */
#define PAUSE_NS 3000000   /* between two of them */

static void find(examination *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void find(examination *e, const char *format, ...)
{
    va_list list;
    if (e->findings < EXAMINE_MOST_FINDINGS) {
        va_start(list, format);
        vsnprintf(e->text[e->findings], EXAMINE_TEXT_BYTES, format, list);
        va_end(list);
    }
    e->findings++;
}

/* ---- Rings, streams, triple buffers ------------------------------------------------------------- */

/* Whether a live peer has one of the ends: then the copy of what it writes is of several moments. */
static bool is_in_use(const look *l, const tern_object *object)
{
    tern_role_info roles[2];
    tern_peer_roles(&l->region, object, roles);
    return (roles[0].peer != 0 && !roles[0].is_dead) || (roles[1].peer != 0 && !roles[1].is_dead);
}

static void check_ring(examination *e, look *l, const tern_object *object)
{
    const tern_ring_info *info;
    object_info state;
    tern_ring_producer p;
    tern_ring_consumer c;
    tern_status status = object_look(&object_ring, l, object, &state);
    info = &state.ring;
    bool sequenced = (info->flags & TERN_RING_SEQUENCED) != 0;
    if (status == TERN_OK && sequenced) status = look_copy(l, object, 0, (size_t)info->size_bytes);
    if (status == TERN_OK) status = tern_ring_attach_consumer(&c, object->memory, (size_t)object->size_bytes);
    if (status == TERN_OK) status = tern_ring_attach_producer(&p, object->memory, (size_t)object->size_bytes);
    if (status != TERN_OK) {
        find(e, "ring '%s' cannot be opened: %s", object->name, tern_status_text(status));
        return;
    }
    uint32_t items = 0, count;
    if (is_in_use(l, object)) return;
    while (items <= info->capacity_items && tern_ring_peek(&c, info->capacity_items, &count)) {
        items += count;
        tern_ring_release(&c, count);
    }
    status = tern_ring_consumer_status(&c);
    if (items > info->capacity_items || (status != TERN_OK && status != TERN_ERR_CLOSED))
        find(e, "ring '%s': its items end in one that makes no sense, after %u", object->name, items);
}

static void check_stream(examination *e, look *l, const tern_object *object)
{
    tern_stream_producer p;
    tern_stream_consumer c;
    object_info state;
    const void *record;
    uint32_t length, kind, records = 0;
    tern_status status = object_look(&object_stream, l, object, &state);
    bool in_use = is_in_use(l, object);
    if (status == TERN_OK && !in_use) status = look_copy(l, object, 0, (size_t)state.stream.size_bytes);
    if (status == TERN_OK) status = tern_stream_attach_consumer(&c, object->memory, (size_t)object->size_bytes);
    if (status == TERN_OK) status = tern_stream_attach_producer(&p, object->memory, (size_t)object->size_bytes);
    if (status != TERN_OK) {
        find(e, "stream '%s' cannot be opened: %s", object->name, tern_status_text(status));
        return;
    }
    if (in_use) return;
    while ((record = tern_stream_peek(&c, &length, &kind)) != NULL) {
        records++;
        tern_stream_release(&c);
    }
    status = tern_stream_consumer_status(&c);
    if (status != TERN_OK && status != TERN_ERR_CLOSED)
        find(e, "stream '%s': its records end in one that makes no sense, after %u", object->name, records);
}

static void check_triple(examination *e, look *l, const tern_object *object)
{
    tern_triple_writer w;
    tern_triple_reader r;
    object_info state;
    tern_status status = object_look(&object_triple, l, object, &state);
    if (status == TERN_OK && !is_in_use(l, object)) {
        const struct tern_triple_shared *shared = object->memory;
        for (uint32_t i = 0; i < 3 && status == TERN_OK; i++)
            status = look_copy(l, object, sizeof *shared + (uint64_t)i * shared->geometry.stride_bytes,
                               sizeof(struct tern_triple_buffer));
        if (status == TERN_OK) status = tern_triple_attach_writer(&w, object->memory, (size_t)object->size_bytes);
        if (status == TERN_OK) status = tern_triple_attach_reader(&r, object->memory, (size_t)object->size_bytes);
        if (status == TERN_OK) {
            (void)tern_triple_update(&r);
            status = tern_triple_reader_status(&r);
            if (status == TERN_ERR_CLOSED) status = TERN_OK;
        }
    }
    if (status != TERN_OK) find(e, "triple buffer '%s' cannot be opened: %s", object->name, tern_status_text(status));
}

static void check_bell(examination *e, look *l, const tern_object *object)
{
    tern_bell bell;
    object_info state;
    tern_status status = object_look(&object_bell, l, object, &state);
    if (status == TERN_OK) status = look_copy(l, object, 0, (size_t)state.bell.size_bytes);
    if (status == TERN_OK) status = tern_bell_attach(&bell, object->memory, (size_t)object->size_bytes);
    if (status != TERN_OK) find(e, "bell '%s' cannot be opened: %s", object->name, tern_status_text(status));
}

/* ---- Pools --------------------------------------------------------------------------------------- */

enum { SLOT_LISTED = 1, SLOT_PINNED = 2, SLOT_AWAITED = 4 };

/* Its header and the words of its slots, or all of it if slots are small. */
static tern_status copy_pool(look *l, const tern_object *object, const tern_pool_info *info)
{
    if (info->stride_bytes <= 4096) return look_copy(l, object, 0, (size_t)info->size_bytes);
    tern_status status = TERN_OK;
    for (uint64_t i = 0; i <= info->capacity_items && status == TERN_OK; i++)
        status = look_copy(l, object, sizeof(struct tern_pool_shared) + i * info->stride_bytes,
                           sizeof(struct tern_pool_slot));
    return status;
}

/* Mark the slots of the free list. False if it breaks off, in which case `listed` says where. */
static bool walk_list(const tern_pool *pool, unsigned char *marks, uint32_t *listed)
{
    /* relaxed, both: a private copy */
    uint64_t at = tern_a64_load_relaxed(&pool->shared->head.link);
    for (*listed = 0;; ++*listed) {
        uint32_t index = tern__pool_index(at);
        if (index >= pool->slots || (marks[index] & SLOT_LISTED)) return false;
        uint64_t link = tern_a64_load_relaxed(&tern__pool_slot(pool, index)->link); /* relaxed: as above */
        if (tern__pool_place(link) != tern__pool_place(at)) return false;
        marks[index] |= SLOT_LISTED;
        if (tern__pool_index(link) == TERN__POOL_NO_INDEX) return true;
        at = tern__pool_link(tern__pool_index(link), tern__pool_place(at) + 1);
    }
}

/* Mark what peers have in hand; those that are buried have nothing. */
static void mark_holds(const tern_region *region, uint32_t object, uint32_t slots, unsigned char *marks)
{
    for (uint32_t peer = 0; peer < region->max_peers; peer++) {
        for (uint32_t i = 0; i < TERN_PEER_HOLDS; i++) {
            /* relaxed: a private copy */
            uint64_t hold = tern_a64_load_relaxed(&region->peers[peer].holds[i]);
            uint32_t index = (uint32_t)(hold >> TERN__HOLD_GENERATION_BITS) & TERN__POOL_NO_INDEX;
            if (hold == 0 || ((uint32_t)(hold >> 46) & 0xffffu) != object || index >= slots) continue;
            marks[index] |= hold >> 62 == TERN__HOLD_PIN ? SLOT_PINNED : SLOT_AWAITED;
        }
    }
}

static void check_slot(examination *e, const char *name, uint32_t index, uint64_t word, unsigned marks)
{
    uint32_t generation = (uint32_t)(word >> 32), pins = (uint32_t)word & TERN__POOL_PINS_MASK;
    uint32_t state = (uint32_t)word >> TERN__POOL_STATE_SHIFT;
    if (state == TERN__POOL_FREE && !(marks & (SLOT_LISTED | SLOT_AWAITED)))
        find(e, "pool '%s': slot %u is lost: neither listed nor live nor in a hand", name, index);
    else if (state != TERN__POOL_FREE && (marks & SLOT_LISTED))
        find(e, "pool '%s': slot %u is listed as free and is not (generation %u)", name, index, generation);
    else if (state == TERN__POOL_DYING && pins == 0 && marks == 0)
        find(e, "pool '%s': slot %u is lost: freed, and nobody pins it", name, index);
    else if (pins != 0 && state != TERN__POOL_FREE && e->alive == 0)
        find(e, "pool '%s': slot %u is kept by %u pins of nobody (a peer had more than %u pins in hand)", name, index,
             pins, TERN__PEER_PINS);
}

/* Called after the dead are buried in the copy: what is lost then stays lost. */
static void check_pool(examination *e, look *l, const tern_region *region, const tern_object *object)
{
    tern_pool pool;
    uint32_t listed;
    tern_status status = tern__pool_attach(&pool, region, object);
    unsigned char *marks = status == TERN_OK ? calloc(pool.slots, 1) : NULL;
    if (status == TERN_OK && !marks) status = TERN_ERR_NO_SPACE;
    if (status != TERN_OK) {
        find(e, "pool '%s' cannot be opened: %s", object->name, tern_status_text(status));
        return;
    }
    (void)l;
    bool whole = walk_list(&pool, marks, &listed);
    mark_holds(region, object->index, pool.slots, marks);
    if (!whole && e->alive == 0) find(e, "pool '%s': its free list breaks off after %u slots", object->name, listed);
    for (uint32_t i = 0; i < pool.slots && whole; i++)   /* relaxed: a private copy */
        check_slot(e, object->name, i, tern_a64_load_relaxed(&tern__pool_slot(&pool, i)->word), marks[i]);
    free(marks);
}

/* ---- A region --------------------------------------------------------------------------------------- */

static int compare_places(const void *a, const void *b)
{
    const tern_object *first = a, *second = b;
    return first->offset_bytes < second->offset_bytes ? -1 : first->offset_bytes > second->offset_bytes;
}

static void check_object(examination *e, look *l, const tern_object *object)
{
    object_info state;
    switch (object->status) {
    case TERN_OK: break;
    case TERN_ERR_NOT_READY: case TERN_ERR_PEER_DEAD: case TERN_ERR_FULL:
        return;   /* no damage; told with the object */
    default: find(e, "object '%s': its entry makes no sense", object->name); return;
    }
    switch (object->type) {
    case TERN_TYPE_RING: check_ring(e, l, object); break;
    case TERN_TYPE_STREAM: check_stream(e, l, object); break;
    case TERN_TYPE_TRIPLE: check_triple(e, l, object); break;
    case TERN_TYPE_BELL: check_bell(e, l, object); break;
    case TERN_TYPE_POOL:   /* its slots are looked at after the burial */
        if (object_look(&object_pool, l, object, &state) == TERN_OK) (void)copy_pool(l, object, &state.pool);
        break;
    default: break;
    }
}

/* @return objects of the directory, sorted by place, to be freed */
static tern_object *check_directory(examination *e, look *l, uint32_t *count)
{
    uint64_t cursor = 0;
    tern_object *objects = calloc(l->region.max_objects, sizeof *objects);
    *count = 0;
    while (objects && *count < l->region.max_objects && tern_region_next(&l->region, &cursor, &objects[*count]))
        ++*count;
    if (!objects) {
        find(e, "no memory for the directory");
        return NULL;
    }
    if (l->info.was_heap_used_bytes > l->info.heap_size_bytes) find(e, "the heap says that it uses more than it has");
    /* the last one must be the last: otherwise its link leads nowhere, or in a circle */
    uint32_t last = *count ? objects[*count - 1].index + 1 : 0;
    const tern_a32 *link = last ? &l->region.directory[last - 1].next : &l->region.shared->first;
    /* relaxed: a private copy */
    if (tern_a32_load_relaxed(link) != 0) find(e, "the directory does not end after %u objects", *count);
    qsort(objects, *count, sizeof *objects, compare_places);
    for (uint32_t i = 0; i + 1 < *count; i++) {
        const tern_object *a = &objects[i], *b = a + 1;
        if (a->status == TERN_OK && b->status == TERN_OK && b->offset_bytes - a->offset_bytes < a->size_bytes)
            find(e, "objects '%s' and '%s' overlap", a->name, b->name);
    }
    return objects;
}

/* Bury the dead in the copy, with the library's own hands. Its view has no file, so the dead are marked. */
static tern_status rehearse(examination *e, look *l, tern_region *region)
{
    const tern_attach_desc attach = { l->info.session, TERN_DOMAIN_WORKER };
    uint32_t cursor = 0;
    tern_peer_info peer;
    tern_status status = tern_region_look(region, l->copy, l->copy_size_bytes);
    while (tern_peer_next(&l->region, &cursor, &peer)) {
        tern_a32 *word = &l->region.peers[peer.peer - 1].word;
        e->alive += peer.is_alive;
        e->dead += !peer.is_alive;
        /* relaxed, both: a private copy */
        if (!peer.is_alive)
            tern_a32_store_relaxed(word, (tern_a32_load_relaxed(word) & 0xffff0000u) | TERN__PEER_BURYING);
    }
    if (e->dead == 0 || status != TERN_OK) return status;
    status = tern_region_attach(region, l->copy, l->copy_size_bytes, &attach);
    if (status != TERN_OK) {
        e->repair.outcome = TERN_RECOVERY_REFUSED;
        e->repair.why = status;
        return tern_region_look(region, l->copy, l->copy_size_bytes);
    }
    (void)tern_peer_recover(region, &e->repair);
    tern_region_detach(region);
    return tern_region_look(region, l->copy, l->copy_size_bytes);
}

static void examine_once(examination *e, const char *name)
{
    look l;
    tern_region region;
    uint32_t count;
    memset(e, 0, sizeof *e);
    e->status = look_begin(&l, name);
    tern_object *objects = e->status == TERN_OK ? check_directory(e, &l, &count) : NULL;
    for (uint32_t i = 0; objects && i < count; i++) check_object(e, &l, &objects[i]);
    if (objects && (e->status = rehearse(e, &l, &region)) == TERN_OK) {
        for (uint32_t i = 0; i < count; i++)
            if (objects[i].status == TERN_OK && objects[i].type == TERN_TYPE_POOL)
                check_pool(e, &l, &region, &objects[i]);
    }
    free(objects);
    look_end(&l);
}

/* Keep only what was found in another look, too. */
static void keep_common(examination *e, const examination *other)
{
    uint32_t kept = 0, count = e->findings < EXAMINE_MOST_FINDINGS ? e->findings : EXAMINE_MOST_FINDINGS;
    uint32_t others = other->findings < EXAMINE_MOST_FINDINGS ? other->findings : EXAMINE_MOST_FINDINGS;
    for (uint32_t i = 0; i < count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < others && !found; k++) found = strcmp(e->text[i], other->text[k]) == 0;
        if (!found) continue;
        if (kept != i) memcpy(e->text[kept], e->text[i], EXAMINE_TEXT_BYTES);
        kept++;
    }
    e->findings = kept;
}

void examine(examination *e, const char *name)
{
    const struct timespec pause = { 0, PAUSE_NS };
    examine_once(e, name);
    for (int looks = 1; e->status == TERN_OK && e->findings > 0 && e->alive > 0 && looks < LOOKS; looks++) {
        static examination again;
        nanosleep(&pause, NULL);
        examine_once(&again, name);
        if (again.status != TERN_OK) {
            *e = again;
            return;
        }
        keep_common(&again, e);
        *e = again;
    }
}

bool examine_hands(const look *l, uint32_t peer, uint32_t *cursor, in_hand *hand)
{
    const struct tern_region_peer *slot = &l->region.peers[peer - 1];
    memset(hand, 0, sizeof *hand);
    for (; *cursor < l->region.max_objects; ++*cursor) {
        for (uint32_t i = 0; i < TERN_PEER_HOLDS; i++) {
            /* relaxed: a private copy */
            uint64_t hold = tern_a64_load_relaxed(&slot->holds[i]);
            if (hold == 0 || ((uint32_t)(hold >> 46) & 0xffffu) != *cursor) continue;
            if (hold >> 62 == TERN__HOLD_PIN) hand->pins++;
            else hand->slots++;
        }
        if (hand->pins + hand->slots == 0) continue;
        hand->object = (*cursor)++;
        return true;
    }
    return false;
}
