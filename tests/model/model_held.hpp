// SPDX-License-Identifier: MIT
// model_held.hpp: a pool in a region and the views of its peers, in the model's memory, and what the suites of
// model_held_pins.hpp and model_held_deaths.hpp do with it.
#pragma once
#define TERN_PEER_HOLDS 3u
#define TERN__PEER_PINS 2u
#define TERN__HOLD_TRIES 2u
#include "model_region.hpp"

namespace {

/// A region with one pool, and views of `Peers` peers. Relacy constructs the atomics, so all stands as members
/// where the library would put it.
template <uint32_t Peers, uint32_t Capacity, uint32_t Seats = Peers> struct held_memory {
    struct head {
        tern_region_shared shared;
        tern_region_entry directory[1];
        tern_region_peer peers[Seats];
    };
    struct {
        head region;
        unsigned char pad[(TERN_SEPARATION - sizeof(head) % TERN_SEPARATION) % TERN_SEPARATION];
        tern_pool_shared shared;
        pool_slot slots[Capacity + 1];
        unsigned char end[TERN_SEPARATION];
    } bytes;
    model_payload geometry, entry, pool_geometry, items[Capacity + 1];
    tern_region region[Peers];
    tern_pool pool[Peers];
    tern_object object;

    /// Formatted; the first `attached` peers use the pool.
    void make(uint32_t attached = Peers)
    {
        model_begin();
        watch_header(geometry, bytes.region.shared);
        watch_entry(entry, bytes.region.directory);
        watch_pool(pool_geometry, items, bytes.shared, bytes.slots);
        tern_region_desc region_desc = { 0, 1, Seats, 0 };
        tern_pool_desc desc = { item_bytes, Capacity };
        RL_ASSERT(tern_region_format(&bytes, sizeof bytes, &region_desc) == TERN_OK);
        for (uint32_t i = 0; i < attached; i++) attach(i);
        RL_ASSERT(tern_region_claim(&region[0], "p", TERN_TYPE_POOL, tern_pool_size(&desc), &object) == TERN_OK);
        RL_ASSERT(object.memory == &bytes.shared);
        RL_ASSERT(tern__pool_format(object.memory, tern_pool_size(&desc), &desc, TERN__POOL_HELD) == TERN_OK);
        tern_region_publish(&region[0], &object, TERN_OK);
        for (uint32_t i = 0; i < attached; i++) open(i);
    }
    void attach(uint32_t i) { RL_ASSERT(tern_region_attach(&region[i], &bytes, sizeof bytes, nullptr) == TERN_OK); }
    void open(uint32_t i) { RL_ASSERT(tern__pool_attach(&pool[i], &region[i], &object) == TERN_OK); }
    tern_handle alloc(uint32_t i)
    {
        tern_handle h;
        void *item;
        RL_ASSERT(tern_pool_alloc(&pool[i], &h, &item) == TERN_OK);
        return h;
    }
    /// When all is quiet: no slot is lost, none is in the list twice, and nobody has anything in hand.
    void expect_nothing_lost(uint32_t by)
    {
        tern_handle h;
        void *item;
        RL_ASSERT(tern_pool_was_live(&pool[by]) == 0);
        for (uint32_t i = 0; i < Capacity; i++) RL_ASSERT(tern_pool_alloc(&pool[by], &h, &item) == TERN_OK);
        RL_ASSERT(tern_pool_alloc(&pool[by], &h, &item) == TERN_ERR_FULL);
        for (tern_region_peer &peer : bytes.region.peers)
            for (tern_a64 &hold : peer.holds) RL_ASSERT(tern_a64_load_relaxed(&hold) == 0);
    }
};

/// Pin, look, unpin; true if it was there. Whoever writes over it meanwhile ends the execution.
bool visit(tern_pool *pool, tern_handle h)
{
    const void *item = tern_pool_pin(pool, h);
    if (!item) return false;
    look(item);
    tern_pool_unpin(pool, h);
    return true;
}

/// Take what is free, write over it, give it back: a slot that somebody else has is found out.
void use_what_is_free(tern_pool *pool, uint32_t rounds)
{
    for (uint32_t i = 0; i < rounds; i++) {
        tern_handle h;
        void *item;
        tern_status status = tern_pool_alloc(pool, &h, &item);
        if (status == TERN_OK) {
            put(item, h);
            RL_ASSERT(tern_pool_get(pool, h) == item && look(item) == tern_handle_pack(h));
            RL_ASSERT(tern_pool_free(pool, h) >= TERN_OK);
        } else {
            RL_ASSERT(status == TERN_ERR_FULL);
        }
        tern_cpu_relax();
    }
}

/// Free; if nobody pins it any more, write over it at once, as the next one may who gets the slot.
template <typename Memory> void free_and_spoil(Memory &memory, uint32_t by, tern_handle h)
{
    tern_status status = tern_pool_free(&memory.pool[by], h);
    RL_ASSERT(status == TERN_OK || status == TERN_DEFERRED);
    if (status == TERN_OK) put(memory.bytes.slots[h.index].item, h);
}

} // namespace
