/* SPDX-License-Identifier: MIT */
/* layout.c: the layout of every shared struct as a table. The bytes are the contract: its hash
 * stands in each region, and docs/layout.md and JavaScript's constants are made from it. */
#include "internal.h"
#include "../include/tern/region.h"
#include "../include/tern/ring.h"

#define FIELD(structure, field) \
    { #structure, #field, (uint32_t)offsetof(struct structure, field), (uint32_t)sizeof(((struct structure *)0)->field) }
#define SIZE(structure) { #structure, "", 0, (uint32_t)sizeof(struct structure) }

static const tern_layout_field fields[] = {
    SIZE(tern_region_shared),
    FIELD(tern_region_shared, magic),
    FIELD(tern_region_shared, geometry),
    FIELD(tern_region_shared, entries_used),
    FIELD(tern_region_shared, first),
    FIELD(tern_region_shared, heap_used_bytes),
    SIZE(tern_region_geometry),
    FIELD(tern_region_geometry, layout_version),
    FIELD(tern_region_geometry, layout_hash),
    FIELD(tern_region_geometry, total_size_bytes),
    FIELD(tern_region_geometry, session),
    FIELD(tern_region_geometry, domain),
    FIELD(tern_region_geometry, max_objects),
    FIELD(tern_region_geometry, max_peers),
    FIELD(tern_region_geometry, creator),
    FIELD(tern_region_geometry, heap_offset_bytes),
    FIELD(tern_region_geometry, reserved),
    FIELD(tern_region_geometry, check),
    SIZE(tern_region_entry),
    FIELD(tern_region_entry, next),
    FIELD(tern_region_entry, state),
    FIELD(tern_region_entry, type),
    FIELD(tern_region_entry, domains),
    FIELD(tern_region_entry, offset_bytes),
    FIELD(tern_region_entry, size_bytes),
    FIELD(tern_region_entry, name),
    SIZE(tern_region_peer),
    SIZE(tern_ring_shared),
    FIELD(tern_ring_shared, magic),
    FIELD(tern_ring_shared, geometry),
    FIELD(tern_ring_shared, producer),
    FIELD(tern_ring_shared, consumer),
    SIZE(tern_ring_geometry),
    FIELD(tern_ring_geometry, layout_version),
    FIELD(tern_ring_geometry, item_size_bytes),
    FIELD(tern_ring_geometry, capacity_items),
    FIELD(tern_ring_geometry, flags),
    FIELD(tern_ring_geometry, total_size_bytes),
    FIELD(tern_ring_geometry, reserved),
    FIELD(tern_ring_geometry, check),
    SIZE(tern_ring_end),
    FIELD(tern_ring_end, word),
    FIELD(tern_ring_end, closed),
    { NULL, NULL, 0, 0 },
};

const tern_layout_field *tern_layout(void)
{
    return fields;
}

static uint32_t hash_text(uint32_t hash, const char *text)
{
    size_t length = 0;
    while (text[length] != '\0') length++;
    return tern__hash(hash, text, length + 1);
}

static uint32_t hash_number(uint32_t hash, uint32_t number)
{
    /* byte by byte: equal on every byte order */
    const unsigned char bytes[4] = { (unsigned char)number, (unsigned char)(number >> 8),
                                     (unsigned char)(number >> 16), (unsigned char)(number >> 24) };
    return tern__hash(hash, bytes, sizeof bytes);
}

uint32_t tern_layout_hash(void)
{
    uint32_t hash = hash_number(TERN__HASH_START, TERN_LAYOUT_VERSION);
    for (const tern_layout_field *f = fields; f->structure; f++) {
        hash = hash_text(hash_text(hash, f->structure), f->name);
        hash = hash_number(hash_number(hash, f->offset_bytes), f->size_bytes);
    }
    return hash;
}
