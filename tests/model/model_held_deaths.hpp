// SPDX-License-Identifier: MIT
// model_held_deaths.hpp: users of a pool who die, and what a burier gives back. In each execution a peer dies
// before another one of its accesses, or died at a point that is prepared.
#pragma once
#include "model_held.hpp"

namespace {

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
            bury(&memory.region[1], 1);
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
            bury(&memory.region[1], 1);
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
            bury(&memory.region[1], 1);
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
            bury(&memory.region[2], 2);
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
        bury(&memory.region[2], 2);
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
            deaths[1].in(60, [&] { bury(&memory.region[1], 1); });
        } else {
            deaths[1].await();
            bool made = tern_pool_alloc(&memory.pool[2], &h, &item) == TERN_OK;
            if (made) put(item, h);
            bury(&memory.region[2], 2);
            bury(&memory.region[2], 1);
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
        bury(&memory.region[1], 1);
        RL_ASSERT(tern_pool_free(&memory.pool[1], h) == TERN_OK);
        memory.expect_nothing_lost(1);
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
        bury(&memory.region[1], 1);
    }
    void after()
    {
        model_at_site() = nullptr;
        memory.expect_nothing_lost(1);
    }
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
            bury(&memory.region[1], 3);
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
