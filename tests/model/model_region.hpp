// SPDX-License-Identifier: MIT
// model_region.hpp: the sources of regions, peers and pools under the model checker, and what the programs
// that run them share. Before it, a program says how many holds a peer has, if not as many as in the library.
#pragma once

#include "model.hpp"

#include "../../lib/base.c"
#include "../../lib/region.c"
#include "../../lib/directory.c"
#include "../../lib/peer.c"
#include "../../lib/recover.c"
#include "../../lib/bell.c"
#include "../../lib/pool.c"
#include "../../lib/pool_holds.c"
#include "../../lib/pool_settle.c"

// Offsets differ under Relacy, whose atomics are larger; the real hash has its own tests.
uint32_t tern_layout_hash(void)
{
    return 1;
}

namespace {

/// A region's header is payload, and what an entry says besides its atomics.
void watch_header(model_payload &payload, tern_region_shared &shared)
{
    model_watch(payload, &shared.geometry, sizeof shared.geometry, sizeof shared.geometry);
}

void watch_entry(model_payload &payload, tern_region_entry *entry)
{
    auto begin = reinterpret_cast<unsigned char *>(&entry->type);
    auto end = reinterpret_cast<unsigned char *>(entry->name) + sizeof entry->name;
    model_watch(payload, begin, size_t(end - begin), 4);
}

/// Bury a peer, whoever else is at work.
void bury(tern_region *region, uint32_t peer)
{
    tern_status status = tern_peer_evict(region, peer, nullptr);
    while (status == TERN_ERR_BUSY) {
        tern_cpu_relax();
        status = tern_peer_recover(region, nullptr);
    }
    RL_ASSERT(status == TERN_OK || status == TERN_ERR_NOT_FOUND);
}

/// The size of a pool's items for which Relacy's larger slots lie where the pool expects them.
constexpr uint32_t stride_bytes = (sizeof(tern_pool_slot) + 8 + 63) / 64 * 64;
constexpr uint32_t item_bytes = stride_bytes - sizeof(tern_pool_slot);

struct pool_slot {
    tern_pool_slot header;
    unsigned char item[item_bytes];
};
static_assert(sizeof(pool_slot) == stride_bytes, "slots lie where the pool expects them");

/// The header of a pool and the item in each of its slots are payload; the items have been written to.
template <size_t Slots>
void watch_pool(model_payload &geometry, model_payload (&items)[Slots], tern_pool_shared &shared,
                pool_slot (&slots)[Slots])
{
    model_watch(geometry, &shared.geometry, sizeof shared.geometry, sizeof shared.geometry);
    for (size_t i = 0; i < Slots; i++) {
        model_watch(items[i], slots[i].item, item_bytes, item_bytes);
        model_fill(items[i]);
    }
}

/// An item holds its own handle.
void put(void *item, tern_handle h)
{
    uint64_t packed = tern_handle_pack(h);
    tern_copy_to_shared(item, &packed, sizeof packed);
}

uint64_t look(const void *item)
{
    uint64_t packed;
    tern_copy_from_shared(&packed, item, sizeof packed);
    return packed;
}

/// A flag that orders nothing: it holds threads back, and tells them nothing else.
struct stage {
    rl::atomic<int> word;
    void reset() { word.store(0, rl::mo_relaxed, $); }
    void reach() { word.store(1, rl::mo_relaxed, $); }
    void await()
    {
        while (!word.load(rl::mo_relaxed, $)) tern_cpu_relax();
    }
};

} // namespace
