// SPDX-License-Identifier: MIT
// model_held_pins.hpp: pins that stand in the holds of peers, beside those who free and reuse what is pinned,
// and seats of the peer table that change hands. Nobody dies.
#pragma once
#include "model_held.hpp"

namespace {

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

} // namespace
