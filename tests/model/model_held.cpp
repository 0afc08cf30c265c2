// SPDX-License-Identifier: MIT
// model_held.cpp: a pool in a region, whose users may die: pins that stand in the holds of peers, and
// what a burier gives back. In each execution a peer dies before another one of its accesses.
#define TERN_PEER_HOLDS 3u
#define TERN__PEER_PINS 2u
#define TERN__HOLD_TRIES 2u
#include "model.hpp"

#include "../../lib/base.c"
#include "../../lib/region.c"
#include "../../lib/directory.c"
#include "../../lib/peer.c"
#include "../../lib/recover.c"
#include "../../lib/bell.c"
#include "../../lib/pool.c"
#include "../../lib/pool_list.c"
#include "../../lib/pool_holds.c"

#include "sites_held.h"

// Offsets differ under Relacy, whose atomics are larger; the real hash has its own tests.
uint32_t tern_layout_hash(void)
{
    return 1;
}

namespace {

constexpr uint32_t stride_bytes = (sizeof(tern_pool_slot) + 8 + 63) / 64 * 64;
constexpr uint32_t item_bytes = stride_bytes - sizeof(tern_pool_slot);

/// A region with one pool, and views of `Peers` peers. Relacy constructs the atomics, so all stands as members
/// where the library would put it.
template <uint32_t Peers, uint32_t Capacity, uint32_t Seats = Peers> struct held_memory {
    struct slot {
        tern_pool_slot header;
        unsigned char item[item_bytes];
    };
    struct head {
        tern_region_shared shared;
        tern_region_entry directory[1];
        tern_region_peer peers[Seats];
    };
    struct {
        head region;
        unsigned char pad[(TERN_SEPARATION - sizeof(head) % TERN_SEPARATION) % TERN_SEPARATION];
        tern_pool_shared shared;
        slot slots[Capacity + 1];
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
        model_watch(geometry, &bytes.region.shared.geometry, sizeof(tern_region_geometry), sizeof(tern_region_geometry));
        tern_region_entry *e = bytes.region.directory;
        auto begin = reinterpret_cast<unsigned char *>(&e->type);
        model_watch(entry, begin, size_t(reinterpret_cast<unsigned char *>(e->name) + sizeof e->name - begin), 4);
        model_watch(pool_geometry, &bytes.shared.geometry, sizeof(tern_pool_geometry), sizeof(tern_pool_geometry));
        for (uint32_t i = 0; i <= Capacity; i++) {
            model_watch(items[i], bytes.slots[i].item, item_bytes, item_bytes);
            model_fill(items[i]);
        }
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
    /// Bury another peer, whoever else is at work.
    void evict(uint32_t by, uint32_t peer)
    {
        tern_status status = tern_peer_evict(&region[by], peer, nullptr);
        while (status == TERN_ERR_BUSY) {
            tern_cpu_relax();
            status = tern_peer_recover(&region[by], nullptr);
        }
        RL_ASSERT(status == TERN_OK || status == TERN_ERR_NOT_FOUND);
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

/// Three allocate, fill and free; items are reused.
struct alloc_and_free : rl::test_suite<alloc_and_free, 3> {
    held_memory<3, 2> memory;
    void before() { memory.make(); }
    void thread(unsigned id) { use_what_is_free(&memory.pool[id], 2); }
    void after() { memory.expect_nothing_lost(0); }
};

/// One frees and reuses what two others pin.
struct pin_and_free : rl::test_suite<pin_and_free, 3> {
    held_memory<3, 1> memory;
    tern_handle first;
    void before()
    {
        memory.make();
        first = memory.alloc(0);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            look(memory.bytes.slots[first.index].item);
            RL_ASSERT(tern_pool_free(&memory.pool[0], first) >= TERN_OK);
            use_what_is_free(&memory.pool[0], 2);
        } else {
            visit(&memory.pool[id], first);
            use_what_is_free(&memory.pool[id], id - 1);
        }
    }
    void after() { memory.expect_nothing_lost(0); }
};

/// One frees what the other one pins.
struct one_pin : rl::test_suite<one_pin, 2> {
    held_memory<2, 1> memory;
    tern_handle first;
    void before()
    {
        memory.make();
        first = memory.alloc(0);
    }
    void thread(unsigned id)
    {
        if (id == 0) free_and_spoil(memory, 0, first);
        else visit(&memory.pool[1], first);
    }
    void after() { memory.expect_nothing_lost(0); }
};

/// Two unpin, one frees: one of them gives the slot back.
struct two_unpins : rl::test_suite<two_unpins, 3> {
    held_memory<3, 1> memory;
    tern_handle first;
    void before()
    {
        memory.make();
        first = memory.alloc(0);
        for (int i = 1; i < 3; i++) RL_ASSERT(tern_pool_pin(&memory.pool[i], first));
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            RL_ASSERT(tern_pool_free(&memory.pool[0], first) >= TERN_OK);
            use_what_is_free(&memory.pool[0], 2);
        } else {
            look(memory.bytes.slots[first.index].item);
            tern_pool_unpin(&memory.pool[id], first);
        }
    }
    void after() { memory.expect_nothing_lost(0); }
};

/// Nobody pins: a stale handle is tried, by a pin or as RCU does, beside a free of what is there now.
template <bool Condemn> struct stale_beside_free : rl::test_suite<stale_beside_free<Condemn>, 2> {
    held_memory<2, 1> memory;
    tern_handle now;
    void before()
    {
        memory.make();
        RL_ASSERT(tern_pool_free(&memory.pool[0], memory.alloc(0)) == TERN_OK);
        RL_ASSERT(tern_pool_free(&memory.pool[0], memory.alloc(0)) == TERN_OK);
        now = memory.alloc(0);
        RL_ASSERT(now.generation == 2);
    }
    void thread(unsigned id)
    {
        tern_handle stale = { now.index, 1 };
        if (id == 0) RL_ASSERT(tern_pool_free(&memory.pool[0], now) >= TERN_OK);
        else if (Condemn) RL_ASSERT(tern__pool_condemn(&memory.pool[1], stale) == TERN_ERR_STALE);
        else RL_ASSERT(!tern_pool_pin(&memory.pool[1], stale));
    }
    void after() { memory.expect_nothing_lost(0); }
};

/// Two threads of one peer pin the same item, and may give up each other's pin; a third peer frees.
template <bool Hold> struct threads_of_one_peer : rl::test_suite<threads_of_one_peer<Hold>, 3> {
    held_memory<2, 1> memory;
    tern_handle first;
    void before()
    {
        memory.make();
        first = memory.alloc(1);
        if (Hold) RL_ASSERT(tern_pool_pin(&memory.pool[0], first));
    }
    void thread(unsigned id)
    {
        if (id == 2) {
            RL_ASSERT(tern_pool_free(&memory.pool[1], first) >= TERN_OK);
            use_what_is_free(&memory.pool[1], 2);
        } else if (id == 0 && Hold) {
            look(memory.bytes.slots[first.index].item);
            tern_pool_unpin(&memory.pool[0], first);
            use_what_is_free(&memory.pool[0], 1);
        } else {
            visit(&memory.pool[0], first);
        }
    }
    void after() { memory.expect_nothing_lost(0); }
};

/// More pins than holds: the third is counted in the slot's word.
struct counted_pins : rl::test_suite<counted_pins, 3> {
    held_memory<2, 1> memory;
    tern_handle first;
    void before()
    {
        memory.make();
        first = memory.alloc(1);
        for (int i = 0; i < 3; i++) RL_ASSERT(tern_pool_pin(&memory.pool[0], first));
        tern_pool_unpin(&memory.pool[0], first);   // one that is held: the counted one stays
    }
    void thread(unsigned id)
    {
        if (id == 2) {
            RL_ASSERT(tern_pool_free(&memory.pool[1], first) >= TERN_OK);
            use_what_is_free(&memory.pool[1], 2);
        } else {
            look(memory.bytes.slots[first.index].item);
            tern_pool_unpin(&memory.pool[0], first);
        }
    }
    void after() { memory.expect_nothing_lost(0); }
};

/// A peer dies while it makes and frees items; one buries it, one goes on.
template <uint32_t Capacity> struct dies_making : rl::test_suite<dies_making<Capacity>, 3> {
    held_memory<3, Capacity> memory;
    model_death death;
    tern_handle left;
    void before()
    {
        memory.make();
        death.prepare(true);
        left = tern_handle_null();
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            death.in(60, [&] {
                for (int i = 0; i < 2; i++) {
                    void *item;
                    if (tern_pool_alloc(&memory.pool[0], &left, &item) != TERN_OK) return;
                    put(item, left);
                    tern_pool_free(&memory.pool[0], left);
                }
            });
        } else if (id == 1) {
            death.await();
            memory.evict(1, 1);
            use_what_is_free(&memory.pool[1], 1);
        } else {
            use_what_is_free(&memory.pool[2], 3);
        }
    }
    void after()
    {
        if (!tern_handle_is_null(left)) tern_pool_free(&memory.pool[1], left);   // it died with the item
        memory.expect_nothing_lost(1);
    }
};

/// A peer dies while it pins; one buries it, one frees and reuses.
struct dies_pinning : rl::test_suite<dies_pinning, 3> {
    held_memory<3, 1> memory;
    model_death death;
    tern_handle first;
    void before()
    {
        memory.make();
        death.prepare(true);
        first = memory.alloc(2);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            death.in(16, [&] { visit(&memory.pool[0], first); });
        } else if (id == 1) {
            death.await();
            memory.evict(1, 1);
        } else {
            RL_ASSERT(tern_pool_free(&memory.pool[2], first) >= TERN_OK);
            use_what_is_free(&memory.pool[2], 2);
        }
    }
    void after() { memory.expect_nothing_lost(1); }
};

/// A peer dies while it frees what others have pinned, and unpin.
struct dies_freeing : rl::test_suite<dies_freeing, 3> {
    held_memory<3, 1> memory;
    model_death death;
    tern_handle first;
    void before()
    {
        memory.make();
        death.prepare(true);
        first = memory.alloc(0);
        RL_ASSERT(tern_pool_pin(&memory.pool[2], first));
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            death.in(30, [&] { tern_pool_free(&memory.pool[0], first); });
        } else if (id == 1) {
            death.await();
            memory.evict(1, 1);
            use_what_is_free(&memory.pool[1], 2);
        } else {
            look(memory.bytes.slots[first.index].item);
            tern_pool_unpin(&memory.pool[2], first);
        }
    }
    void after()
    {
        tern_pool_free(&memory.pool[1], first);
        memory.expect_nothing_lost(1);
    }
};

/// A peer's pins and calls are more than its holds, so a call of it is only counted; another peer dies.
struct call_without_a_hold : rl::test_suite<call_without_a_hold, 4> {
    held_memory<3, 2> memory;
    model_death death;
    tern_handle kept, left;
    void before()
    {
        memory.make();
        death.prepare(true);
        left = tern_handle_null();
        kept = memory.alloc(0);
        for (int i = 0; i < 2; i++) RL_ASSERT(tern_pool_pin(&memory.pool[0], kept));
    }
    void thread(unsigned id)
    {
        if (id < 2) {
            use_what_is_free(&memory.pool[0], 1);
        } else if (id == 2) {
            death.in(16, [&] {
                void *item;
                tern_pool_alloc(&memory.pool[1], &left, &item);
            });
        } else {
            death.await();
            memory.evict(2, 2);
            use_what_is_free(&memory.pool[2], 1);
        }
    }
    void after()
    {
        for (int i = 0; i < 2; i++) tern_pool_unpin(&memory.pool[0], kept);
        RL_ASSERT(tern_pool_free(&memory.pool[0], kept) == TERN_OK);
        if (!tern_handle_is_null(left)) tern_pool_free(&memory.pool[0], left);
        memory.expect_nothing_lost(0);
    }
};

/// Two die that may name one slot. What somebody makes of it between their burials stays.
struct two_die : rl::test_suite<two_die, 4> {
    held_memory<4, 1> memory;
    model_death deaths[2];
    tern_handle left[2];
    void before()
    {
        memory.make();
        for (int i = 0; i < 2; i++) {
            deaths[i].prepare(i == 0);
            left[i] = tern_handle_null();
        }
    }
    void thread(unsigned id)
    {
        if (id < 2) {
            deaths[id].in(16, [&] {
                void *item;
                tern_pool_alloc(&memory.pool[id], &left[id], &item);
            });
            return;
        }
        if (id == 3) return use_what_is_free(&memory.pool[3], 3);
        deaths[0].await();
        (void)tern_peer_evict(&memory.region[2], 1, nullptr);   // the other dead one may be in the way
        deaths[1].await();
        memory.evict(2, 2);
    }
    void after()
    {
        for (tern_handle h : left)
            if (!tern_handle_is_null(h)) tern_pool_free(&memory.pool[2], h);
        memory.expect_nothing_lost(2);
    }
};

/// A burier dies while it buries; the next one goes on, and the item that it makes meanwhile stays.
struct burier_dies : rl::test_suite<burier_dies, 3> {
    held_memory<3, 1> memory;
    model_death deaths[2];
    tern_handle left;
    void before()
    {
        memory.make();
        deaths[0].prepare(true);
        deaths[1].prepare(false);
        left = tern_handle_null();
    }
    void thread(unsigned id)
    {
        tern_handle h;
        void *item;
        if (id == 0) {
            deaths[0].in(24, [&] {
                if (tern_pool_alloc(&memory.pool[0], &left, &item) == TERN_OK) tern_pool_free(&memory.pool[0], left);
            });
        } else if (id == 1) {
            deaths[0].await();
            deaths[1].in(60, [&] { memory.evict(1, 1); });
        } else {
            deaths[1].await();
            bool made = tern_pool_alloc(&memory.pool[2], &h, &item) == TERN_OK;
            if (made) put(item, h);
            memory.evict(2, 2);
            memory.evict(2, 1);
            if (!made) return;
            RL_ASSERT(tern_pool_get(&memory.pool[2], h) == item);
            RL_ASSERT(tern_pool_free(&memory.pool[2], h) == TERN_OK);
        }
    }
    void after()
    {
        if (!tern_handle_is_null(left)) tern_pool_free(&memory.pool[2], left);
        memory.expect_nothing_lost(2);
    }
};

/// Two threads of one peer pin and unpin, and may give up each other's pin; each finds one.
struct threads_swap_pins : rl::test_suite<threads_swap_pins, 2> {
    held_memory<1, 1> memory;
    tern_handle first;
    void before()
    {
        memory.make();
        first = memory.alloc(0);
    }
    void thread(unsigned) { visit(&memory.pool[0], first); }
    void after()
    {
        RL_ASSERT(tern_pool_free(&memory.pool[0], first) == TERN_OK);
        memory.expect_nothing_lost(0);
    }
};

/// A thread tries a stale handle; another one of its peer takes that pin for its own, and leaves its own.
struct trial_is_taken : rl::test_suite<trial_is_taken, 1> {
    held_memory<1, 1> memory;
    void before() { memory.make(); }
    void thread(unsigned)
    {
        tern_pool *pool = &memory.pool[0];
        tern_handle h = memory.alloc(0), stale = { h.index, h.generation + 1 };
        tern_a64 *trial = hold_take_pin(pool, tern__hold(TERN__HOLD_PIN, pool->object, h.index, 0));
        RL_ASSERT(trial && visit(pool, h));
        hold_withdraw(pool, trial, stale);
        RL_ASSERT(tern_pool_free(pool, h) == TERN_OK);
        memory.expect_nothing_lost(0);
    }
};

/// A burier died when it had given a slot back, and not yet cleared the hold that led it there. The item that
/// somebody makes of the slot is not the dead peer's.
struct slot_was_given_back : rl::test_suite<slot_was_given_back, 1> {
    held_memory<2, 1> memory;
    void before() { memory.make(); }
    void thread(unsigned)
    {
        uint32_t index;
        tern_recovery report = {};
        tern_a64 *hold = &memory.bytes.region.peers[0].holds[2];
        RL_ASSERT(tern__pool_take(&memory.pool[0], &index, nullptr) == TERN_OK);
        const uint64_t made = tern__hold(TERN__HOLD_MADE, memory.pool[0].object, index, 1);
        tern_a64_store_relaxed(hold, made);
        RL_ASSERT(tern__pool_settle(&memory.region[1], hold, &report) == TERN_OK && report.slots == 1);
        tern_a64_store_relaxed(hold, made);
        RL_ASSERT(tern_pool_free(&memory.pool[1], memory.alloc(1)) == TERN_OK);
        tern_handle h = memory.alloc(1);
        RL_ASSERT(h.index == index);
        memory.evict(1, 1);
        RL_ASSERT(tern_pool_free(&memory.pool[1], h) == TERN_OK);
        memory.expect_nothing_lost(1);
    }
};

/// The last two pins of a dying item: one is counted, its peer's holds being full, one is a hold. Staged: the
/// one goes after the other.
template <bool Staged> struct counted_and_held : rl::test_suite<counted_and_held<Staged>, 2> {
    held_memory<2, 2> memory;
    tern_handle full, first;
    stage has_looked;
    void before()
    {
        memory.make();
        has_looked.reset();
        full = memory.alloc(0);
        first = memory.alloc(0);
        for (int i = 0; i < 2; i++) RL_ASSERT(tern_pool_pin(&memory.pool[0], full));
        for (int i = 0; i < 2; i++) RL_ASSERT(tern_pool_pin(&memory.pool[i], first));
        RL_ASSERT(tern_pool_free(&memory.pool[0], first) == TERN_DEFERRED);
    }
    void thread(unsigned id)
    {
        if (Staged && id == 1) has_looked.await();
        tern_pool_unpin(&memory.pool[id], first);
        if (Staged && id == 0) has_looked.reach();
    }
    void after()
    {
        for (int i = 0; i < 2; i++) tern_pool_unpin(&memory.pool[0], full);
        RL_ASSERT(tern_pool_free(&memory.pool[0], full) == TERN_OK);
        memory.expect_nothing_lost(0);
    }
};

/// A peer died when it was about to take the first slot of the list; it is buried beside one who takes it.
/// Staged: who takes it is held back before it makes an item of it, and the burial must not be done.
template <bool Staged> struct died_before_it_took : rl::test_suite<died_before_it_took<Staged>, 2> {
    held_memory<3, 1> memory;
    stage is_taken, has_looked;

    static died_before_it_took *&self()
    {
        static died_before_it_took *suite;
        return suite;
    }
    static void at_site(const char *site)
    {
        if (rl::thread_index() != 0 || std::strcmp(site, "POOL_1_ALLOC") != 0) return;
        self()->is_taken.reach();
        self()->has_looked.await();
    }
    void before()
    {
        memory.make();
        is_taken.reset();
        has_looked.reset();
        self() = this;
        if (Staged) model_at_site() = at_site;
        tern_a64_store_relaxed(&memory.bytes.region.peers[0].holds[2], tern__hold(TERN__HOLD_BUSY, 0, 0, 0));
    }
    void thread(unsigned id)
    {
        if (id == 0) return use_what_is_free(&memory.pool[2], 2);
        if (Staged) {
            is_taken.await();
            (void)tern_peer_evict(&memory.region[1], 1, nullptr);
            has_looked.reach();
        }
        memory.evict(1, 1);
    }
    void after()
    {
        model_at_site() = nullptr;
        memory.expect_nothing_lost(1);
    }
};

/// A new peer pins what another one frees and reuses, who had nobody else to look at before.
struct joins_and_pins : rl::test_suite<joins_and_pins, 2> {
    held_memory<2, 1> memory;
    tern_handle first;
    stage joined;
    void before()
    {
        memory.make(1);
        first = memory.alloc(0);
        joined.reset();
    }
    void thread(unsigned id)
    {
        if (id == 1) {
            joined.await();
            free_and_spoil(memory, 0, first);
        } else {
            memory.attach(1);
            memory.open(1);
            joined.reach();
            visit(&memory.pool[1], first);
        }
    }
    void after() { memory.expect_nothing_lost(0); }
};

/// One leaves that had a pin; another takes its seat, and is held back when it has just cleared it. Then who
/// frees looks at the seat: by what it sees it must know that the former peer has done with the item.
struct seat_is_cleared : rl::test_suite<seat_is_cleared, 3> {
    held_memory<3, 1, 2> memory;
    tern_handle first;
    stage cleared, has_looked;

    static seat_is_cleared *&self()
    {
        static seat_is_cleared *suite;
        return suite;
    }
    static void at_site(const char *site)
    {
        if (rl::thread_index() == 1 && !std::strcmp(site, "POOL_6_SEE_MORE")) self()->cleared.await();
        if (rl::thread_index() == 1 && !std::strcmp(site, "POOL_1_RECLAIM")) self()->has_looked.reach();
        if (rl::thread_index() != 2 || std::strcmp(site, "POOL_6_PEERS") != 0) return;
        self()->cleared.reach();
        self()->has_looked.await();
    }
    void before()
    {
        memory.make(2);
        first = memory.alloc(1);
        cleared.reset();
        has_looked.reset();
        self() = this;
        model_at_site() = at_site;
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            visit(&memory.pool[0], first);
            tern_region_detach(&memory.region[0]);
        } else if (id == 1) {
            free_and_spoil(memory, 1, first);
        } else {
            while (tern_region_attach(&memory.region[2], &memory.bytes, sizeof memory.bytes, nullptr) != TERN_OK)
                tern_cpu_relax();
        }
    }
    void after()
    {
        model_at_site() = nullptr;
        memory.expect_nothing_lost(1);
    }
};

/// One leaves and another takes its seat, beside who frees and reuses what both pin.
struct seat_changes_hands : rl::test_suite<seat_changes_hands, 3> {
    held_memory<3, 1, 2> memory;
    tern_handle first;
    void before()
    {
        memory.make(2);
        first = memory.alloc(1);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            visit(&memory.pool[0], first);
            tern_region_detach(&memory.region[0]);
        } else if (id == 1) {
            RL_ASSERT(tern_pool_free(&memory.pool[1], first) >= TERN_OK);
            use_what_is_free(&memory.pool[1], 2);
        } else {
            while (tern_region_attach(&memory.region[2], &memory.bytes, sizeof memory.bytes, nullptr) != TERN_OK)
                tern_cpu_relax();
            memory.open(2);
            visit(&memory.pool[2], first);
        }
    }
    void after() { memory.expect_nothing_lost(1); }
};

/// A peer leaves with a pin, beside the free of the item and a burial.
struct leaves_with_a_pin : rl::test_suite<leaves_with_a_pin, 3> {
    held_memory<3, 1> memory;
    model_death death;
    tern_handle first;
    void before()
    {
        memory.make();
        death.prepare(true);
        first = memory.alloc(2);
        RL_ASSERT(tern_pool_pin(&memory.pool[0], first));
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            tern_region_detach(&memory.region[0]);
        } else if (id == 1) {
            death.await();
            memory.evict(1, 3);
            use_what_is_free(&memory.pool[1], 2);
        } else {
            death.in(30, [&] { tern_pool_free(&memory.pool[2], first); });
        }
    }
    void after()
    {
        tern_peer_recover(&memory.region[1], nullptr);
        tern_pool_free(&memory.pool[1], first);
        memory.expect_nothing_lost(1);
    }
};

} // namespace

#define SUITE(name, type) { name, model_random<type>, nullptr }

int main(int argc, char **argv)
{
    const std::vector<std::string> held = { "POOL_6", "POOL_7", "POOL_8", "POOL_1_RECLAIM", "POOL_3_WALK" };
    model_runner runner({
        SUITE("three allocate and free", alloc_and_free),
        SUITE("one pin beside free", one_pin),
        SUITE("pin beside free", pin_and_free),
        SUITE("two unpins beside free", two_unpins),
        SUITE("a stale pin beside free", stale_beside_free<false>),
        SUITE("a stale condemn beside free", stale_beside_free<true>),
        SUITE("two threads of one peer pin", threads_of_one_peer<false>),
        SUITE("two threads of one peer unpin", threads_of_one_peer<true>),
        SUITE("more pins than holds", counted_pins),
        SUITE("two threads of one peer swap pins", threads_swap_pins),
        SUITE("a trial is taken", trial_is_taken),
        SUITE("a slot was given back", slot_was_given_back),
        SUITE("a counted pin and a hold", counted_and_held<false>),
        SUITE("a counted pin, then a hold", counted_and_held<true>),
        SUITE("died before it took", died_before_it_took<false>),
        SUITE("died before it took, beside who took", died_before_it_took<true>),
        SUITE("joins and pins", joins_and_pins),
        SUITE("a seat changes hands", seat_changes_hands),
        SUITE("a seat is cleared", seat_is_cleared),
        SUITE("dies while it makes, one item", dies_making<1>),
        SUITE("dies while it makes, two items", dies_making<2>),
        SUITE("dies while it pins", dies_pinning),
        SUITE("dies while it frees", dies_freeing),
        SUITE("a call without a hold", call_without_a_hold),
        SUITE("two die", two_die),
        SUITE("the burier dies", burier_dies),
        SUITE("leaves with a pin", leaves_with_a_pin),
    }, model_choose(TERN_MODEL_SITES, held, true), {
        { "POOL_8_ENOUGH", rl::mo_relaxed,
          "the checker's order of seq_cst operations is that in which it executes them, so who comes later sees the "
          "number that another thread raised, also if nobody told; C11 promises that only through an acquire" },
        { "POOL_7_TAKE", rl::mo_relaxed,
          "to the checker a thread's store goes on with the release sequence that its own read-modify-write before "
          "it went on with; in C11 only the thread's that began it does, and the store after this must carry it" },
        { "POOL_7_CHANGE", rl::mo_relaxed, "as POOL_7_TAKE; C++20 lets no plain store go on with a release sequence" },
    });
    return runner.run(argc, argv);
}
