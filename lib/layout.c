/* SPDX-License-Identifier: MIT */
/* layout.c: the layout of every shared struct as a table. The bytes are the contract: its hash
 * stands in each region, and docs/layout.md and JavaScript's constants are made from it. */
#include "internal.h"
#include "../include/tern/bell.h"
#include "../include/tern/region.h"
#include "../include/tern/ring.h"
#include "../include/tern/pool.h"
#include "../include/tern/triple.h"
#include "../include/tern/stream.h"

#define TERN__FIELD(structure, field) \
    { #structure, #field, (uint32_t)offsetof(struct structure, field), \
      (uint32_t)sizeof(((struct structure *)0)->field) }
#define TERN__SIZE(structure) { #structure, "", 0, (uint32_t)sizeof(struct structure) }

static const tern_layout_field layout_fields[] = {
    TERN__SIZE(tern_region_shared),
    TERN__FIELD(tern_region_shared, magic),
    TERN__FIELD(tern_region_shared, geometry),
    TERN__FIELD(tern_region_shared, peers_used),
    TERN__FIELD(tern_region_shared, first),
    TERN__FIELD(tern_region_shared, heap),
    TERN__FIELD(tern_region_shared, objects),
    TERN__SIZE(tern_region_geometry),
    TERN__FIELD(tern_region_geometry, layout_version),
    TERN__FIELD(tern_region_geometry, layout_hash),
    TERN__FIELD(tern_region_geometry, total_size_bytes),
    TERN__FIELD(tern_region_geometry, session),
    TERN__FIELD(tern_region_geometry, domain),
    TERN__FIELD(tern_region_geometry, max_objects),
    TERN__FIELD(tern_region_geometry, max_peers),
    TERN__FIELD(tern_region_geometry, creator),
    TERN__FIELD(tern_region_geometry, heap_offset_bytes),
    TERN__FIELD(tern_region_geometry, reserved),
    TERN__FIELD(tern_region_geometry, check),
    TERN__SIZE(tern_region_entry),
    TERN__FIELD(tern_region_entry, next),
    TERN__FIELD(tern_region_entry, state),
    TERN__FIELD(tern_region_entry, type),
    TERN__FIELD(tern_region_entry, domains),
    TERN__FIELD(tern_region_entry, offset_bytes),
    TERN__FIELD(tern_region_entry, size_bytes),
    TERN__FIELD(tern_region_entry, name),
    TERN__FIELD(tern_region_entry, maker),
    TERN__FIELD(tern_region_entry, roles),
    TERN__SIZE(tern_region_peer),
    TERN__FIELD(tern_region_peer, word),
    TERN__FIELD(tern_region_peer, process),
    TERN__FIELD(tern_region_peer, domain),
    TERN__FIELD(tern_region_peer, holds_used),
    TERN__FIELD(tern_region_peer, attached_ns),
    TERN__FIELD(tern_region_peer, program),
    TERN__FIELD(tern_region_peer, holds),
    TERN__SIZE(tern_ring_shared),
    TERN__FIELD(tern_ring_shared, magic),
    TERN__FIELD(tern_ring_shared, geometry),
    TERN__FIELD(tern_ring_shared, producer),
    TERN__FIELD(tern_ring_shared, consumer),
    TERN__SIZE(tern_ring_geometry),
    TERN__FIELD(tern_ring_geometry, layout_version),
    TERN__FIELD(tern_ring_geometry, item_size_bytes),
    TERN__FIELD(tern_ring_geometry, capacity_items),
    TERN__FIELD(tern_ring_geometry, flags),
    TERN__FIELD(tern_ring_geometry, total_size_bytes),
    TERN__FIELD(tern_ring_geometry, slot_size_bytes),
    TERN__FIELD(tern_ring_geometry, check),
    TERN__SIZE(tern_ring_end),
    TERN__FIELD(tern_ring_end, word),
    TERN__FIELD(tern_ring_end, closed),
    TERN__FIELD(tern_ring_end, asymmetric),
    TERN__FIELD(tern_ring_end, asleep),
    TERN__SIZE(tern_pool_shared),
    TERN__FIELD(tern_pool_shared, magic),
    TERN__FIELD(tern_pool_shared, geometry),
    TERN__FIELD(tern_pool_shared, head),
    TERN__FIELD(tern_pool_shared, tail),
    TERN__FIELD(tern_pool_shared, retired),
    TERN__SIZE(tern_pool_geometry),
    TERN__FIELD(tern_pool_geometry, layout_version),
    TERN__FIELD(tern_pool_geometry, item_size_bytes),
    TERN__FIELD(tern_pool_geometry, capacity_items),
    TERN__FIELD(tern_pool_geometry, stride_bytes),
    TERN__FIELD(tern_pool_geometry, total_size_bytes),
    TERN__FIELD(tern_pool_geometry, flags),
    TERN__FIELD(tern_pool_geometry, check),
    TERN__SIZE(tern_pool_word),
    TERN__FIELD(tern_pool_word, link),
    TERN__SIZE(tern_pool_slot),
    TERN__FIELD(tern_pool_slot, word),
    TERN__FIELD(tern_pool_slot, link),
    TERN__SIZE(tern_triple_shared),
    TERN__FIELD(tern_triple_shared, magic),
    TERN__FIELD(tern_triple_shared, geometry),
    TERN__FIELD(tern_triple_shared, word),
    TERN__FIELD(tern_triple_shared, writer_closed),
    TERN__FIELD(tern_triple_shared, reader_closed),
    TERN__SIZE(tern_triple_geometry),
    TERN__FIELD(tern_triple_geometry, layout_version),
    TERN__FIELD(tern_triple_geometry, buffer_size_bytes),
    TERN__FIELD(tern_triple_geometry, total_size_bytes),
    TERN__FIELD(tern_triple_geometry, stride_bytes),
    TERN__FIELD(tern_triple_geometry, check),
    TERN__SIZE(tern_triple_buffer),
    TERN__FIELD(tern_triple_buffer, frame),
    TERN__SIZE(tern_bell_shared),
    TERN__FIELD(tern_bell_shared, magic),
    TERN__FIELD(tern_bell_shared, geometry),
    TERN__FIELD(tern_bell_shared, root),
    TERN__SIZE(tern_bell_geometry),
    TERN__FIELD(tern_bell_geometry, layout_version),
    TERN__FIELD(tern_bell_geometry, sources),
    TERN__FIELD(tern_bell_geometry, leaves),
    TERN__FIELD(tern_bell_geometry, root_shift),
    TERN__FIELD(tern_bell_geometry, total_size_bytes),
    TERN__FIELD(tern_bell_geometry, reserved),
    TERN__FIELD(tern_bell_geometry, check),
    TERN__SIZE(tern_bell_root),
    TERN__FIELD(tern_bell_root, word),
    TERN__FIELD(tern_bell_root, closed),
    TERN__SIZE(tern_stream_header),
    TERN__FIELD(tern_stream_header, length_bytes),
    TERN__FIELD(tern_stream_header, kind),
    { NULL, NULL, 0, 0 },
};

const tern_layout_field *tern_layout(void)
{
    return layout_fields;
}

static uint32_t layout_hash_text(uint32_t hash, const char *text)
{
    size_t length = 0;
    while (text[length] != '\0') length++;
    return tern__hash(hash, text, length + 1);
}

static uint32_t layout_hash_number(uint32_t hash, uint32_t number)
{
    /* byte by byte: equal on every byte order */
    const unsigned char bytes[4] = { (unsigned char)number, (unsigned char)(number >> 8),
                                     (unsigned char)(number >> 16), (unsigned char)(number >> 24) };
    return tern__hash(hash, bytes, sizeof bytes);
}

uint32_t tern_layout_hash(void)
{
    uint32_t hash = layout_hash_number(TERN__HASH_START, TERN_LAYOUT_VERSION);
    for (const tern_layout_field *f = layout_fields; f->structure; f++) {
        hash = layout_hash_text(layout_hash_text(hash, f->structure), f->name);
        hash = layout_hash_number(layout_hash_number(hash, f->offset_bytes), f->size_bytes);
    }
    return hash;
}
