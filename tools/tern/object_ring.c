/* SPDX-License-Identifier: MIT */
/* object_ring.c: what `tern show` says of a ring. */
#include "object.h"

static tern_status ring_inspect(object_info *info, const void *memory, size_t size_bytes)
{
    return tern_ring_inspect(&info->ring, memory, size_bytes);
}

static const char *ring_layout(const tern_ring_info *ring)
{
    return ring->flags & TERN_RING_SEQUENCED ? "sequenced" : "indexed";
}

/* How an end tells what it did: by exchanges that find a sleeper, or by plain stores while nobody sleeps. */
static const char *ring_mode(const tern_ring_info *ring, bool asymmetric)
{
    return !(ring->flags & TERN_RING_WAITABLE) ? "plain" : asymmetric ? "asymmetric" : "exchange";
}

static void ring_json(json *j, const object_info *info)
{
    const tern_ring_info *ring = &info->ring;
    json_integer(j, "item_size_bytes", ring->item_size_bytes);
    json_integer(j, "capacity_items", ring->capacity_items);
    json_text(j, "layout", ring_layout(ring));
    json_bool(j, "waitable", (ring->flags & TERN_RING_WAITABLE) != 0);
    json_bool(j, "paged", (ring->flags & TERN_RING_PAGED) != 0);
    json_integer(j, "pushed", ring->was_pushed);
    json_integer(j, "popped", ring->was_popped);
    json_integer(j, "count", ring->was_count);
    json_bool(j, "producer_closed", ring->producer_closed);
    json_bool(j, "consumer_closed", ring->consumer_closed);
    json_bool(j, "producer_asleep", ring->producer_asleep);
    json_bool(j, "consumer_asleep", ring->consumer_asleep);
    json_text(j, "producer_mode", ring_mode(ring, ring->producer_asymmetric));
    json_text(j, "consumer_mode", ring_mode(ring, ring->consumer_asymmetric));
}

static void ring_lines(const object_info *info)
{
    const tern_ring_info *ring = &info->ring;
    double percent = 100.0 * ring->was_count / ring->capacity_items;
    printf("    items     %u of %u bytes, %s%s\n", ring->capacity_items, ring->item_size_bytes, ring_layout(ring),
           ring->flags & TERN_RING_WAITABLE ? ", waitable" : ring->flags & TERN_RING_PAGED ? ", paged" : "");
    printf("    fill      %u (%.1f %%)\n", ring->was_count, percent);
    printf("    producer  pushed %u%s%s%s\n", ring->was_pushed, ring->producer_closed ? ", closed" : "",
           ring->producer_asleep ? ", asleep" : "", ring->producer_asymmetric ? ", asymmetric" : "");
    printf("    consumer  popped %u%s%s%s\n", ring->was_popped, ring->consumer_closed ? ", closed" : "",
           ring->consumer_asleep ? ", asleep" : "", ring->consumer_asymmetric ? ", asymmetric" : "");
}

/* Both ends of a paged ring. Then the sequence of the slot that the consumer waits for: there it says that it
 * sleeps. */
static object_part ring_part(const object_info *info, uint32_t number)
{
    const tern_ring_info *ring = &info->ring;
    uint64_t slot_bytes = tern__ring_sequenced_slot_bytes(ring->item_size_bytes);
    if (number == 0) return object_paged_ends(ring->flags);
    if (!(ring->flags & TERN_RING_SEQUENCED)) return (object_part){ 0, 0 };
    uint64_t slot = ring->was_popped & (ring->capacity_items - 1);
    return (object_part){ tern__ring_items_offset(ring->flags) + slot * slot_bytes + slot_bytes - 4, 4 };
}

const object_kind object_ring = {
    TERN_TYPE_RING, "ring", sizeof(struct tern_ring_shared), ring_inspect, ring_json, ring_lines,
    ring_part,
};
