// SPDX-License-Identifier: MIT
// model_pool.cpp: the pool under the model checker: allocating, freeing, pinning and reuse of few
// slots by two or three threads. Each item holds its own handle; a byte of one life that is
// touched in another is a race, and ends the execution.
#include "model_region.hpp"

#include "sites_pool.h"

#include "model_pool_bugs.hpp"

namespace {

/// A pool in the model's memory. Relacy's atomics are larger, so the slots are, too.
template <uint32_t Capacity> struct pool_memory {
    struct {
        tern_pool_shared shared;
        pool_slot slots[Capacity + 1];
    } bytes;
    model_payload geometry, items[Capacity + 1];
    tern_pool pool;

    void watch()
    {
        model_begin();
        watch_pool(geometry, items, bytes.shared, bytes.slots);
    }
    void format()
    {
        tern_pool_desc desc = { item_bytes, Capacity };
        RL_ASSERT(tern_pool_format(&bytes, sizeof bytes, &desc) == TERN_OK);
    }
    /// Formatted and attached; places are about to pass 2^40, all slots are in this generation.
    void make(uint32_t generation = 1)
    {
        const uint64_t place = (uint64_t(1) << 40) - 2;
        watch();
        format();
        RL_ASSERT(tern_pool_attach(&pool, &bytes, sizeof bytes) == TERN_OK);
        for (uint32_t i = 0; i <= Capacity; i++) {
            tern_a64_store_relaxed(&bytes.slots[i].header.word, tern__pool_life(generation, TERN__POOL_FREE));
            tern_a64_store_relaxed(&bytes.slots[i].header.link,
                                   tern__pool_link(i < Capacity ? i + 1 : TERN__POOL_NO_INDEX, place + i));
        }
        tern_a64_store_relaxed(&bytes.shared.head.link, tern__pool_link(0, place));
        tern_a64_store_relaxed(&bytes.shared.tail.link, tern__pool_link(Capacity, place + Capacity));
    }
    /// When all is quiet: `live` items are live, and no slot is lost.
    void expect_nothing_lost(uint32_t live = 0)
    {
        tern_handle h;
        void *item;
        uint32_t retired = tern_pool_was_retired(&pool);
        RL_ASSERT(tern_pool_was_live(&pool) == live);
        for (uint32_t i = live + retired; i < Capacity; i++) RL_ASSERT(tern_pool_alloc(&pool, &h, &item) == TERN_OK);
        RL_ASSERT(tern_pool_alloc(&pool, &h, &item) == TERN_ERR_FULL);
    }
};

/// A word through which a program passes handles on.
struct channel {
    rl::atomic<long long> word;
    void reset() { word.store(0, rl::mo_relaxed, $); }
    void send(tern_handle h) { word.store((long long)tern_handle_pack(h), rl::mo_release, $); }
    tern_handle see() { return tern_handle_unpack((uint64_t)word.load(rl::mo_acquire, $)); }
};

/// Take, fill, look, spoil, give back. No more threads than items: then it is never full.
template <uint32_t Threads, uint32_t Capacity, uint32_t Rounds>
struct alloc_and_free : rl::test_suite<alloc_and_free<Threads, Capacity, Rounds>, Threads> {
    pool_memory<Capacity> memory;
    void before() { memory.make(); }
    void after() { memory.expect_nothing_lost(); }
    void thread(unsigned)
    {
        for (uint32_t i = 0; i < Rounds;) {
            tern_handle h;
            void *item;
            tern_status status = tern_pool_alloc(&memory.pool, &h, &item);
            if (status == TERN_ERR_FULL && Capacity < Threads) {
                tern_cpu_relax();
                continue;
            }
            RL_ASSERT(status == TERN_OK);
            put(item, h);
            RL_ASSERT(tern_pool_get(&memory.pool, h) == item && look(item) == tern_handle_pack(h));
            put(item, tern_handle_null());
            RL_ASSERT(tern_pool_free(&memory.pool, h) == TERN_OK);
            RL_ASSERT(tern_pool_free(&memory.pool, h) == TERN_ERR_STALE);
            i++;
        }
    }
};

/// One thread makes items and frees them at once, the others pin what they hear of: they see that
/// very item or nothing, and the next item is not written over one that is pinned.
template <uint32_t Threads, uint32_t Capacity, uint32_t Rounds>
struct pin_and_free : rl::test_suite<pin_and_free<Threads, Capacity, Rounds>, Threads> {
    pool_memory<Capacity> memory;
    channel handles;
    void before()
    {
        memory.make();
        handles.reset();
    }
    void after() { memory.expect_nothing_lost(); }
    void own()
    {
        for (uint32_t i = 0; i < Rounds; i++) {
            tern_handle h;
            void *item;
            tern_status status = tern_pool_alloc(&memory.pool, &h, &item);
            if (status != TERN_OK) {
                RL_ASSERT(status == TERN_ERR_FULL);   // the last one is still pinned
                tern_cpu_relax();
                continue;
            }
            put(item, h);
            handles.send(h);
            status = tern_pool_free(&memory.pool, h);
            RL_ASSERT(status == TERN_OK || status == TERN_DEFERRED);
            RL_ASSERT(!tern_pool_pin(&memory.pool, h));
        }
    }
    void thread(unsigned id)
    {
        if (id == 0) return own();
        for (uint32_t i = 0; i < Rounds; i++) {
            tern_handle h = handles.see();
            uint64_t packed = 0;
            if (id == 1) {
                if (const void *item = tern_pool_pin(&memory.pool, h)) {
                    RL_ASSERT(look(item) == tern_handle_pack(h));
                    tern_pool_unpin(&memory.pool, h);
                }
            } else if (tern_pool_read(&memory.pool, h, &packed, sizeof packed) == TERN_OK) {
                RL_ASSERT(packed == tern_handle_pack(h));
            }
            tern_cpu_relax();
        }
    }
};

/// The freer's own accesses count, too, when somebody else's unpin gives the slot back.
struct last_unpin_gives_back : rl::test_suite<last_unpin_gives_back, 3> {
    pool_memory<1> memory;
    tern_handle first;
    void before()
    {
        void *item;
        memory.make();
        RL_ASSERT(tern_pool_alloc(&memory.pool, &first, &item) == TERN_OK);
        RL_ASSERT(tern_pool_pin(&memory.pool, first) == item);   // for thread 1
    }
    void after() { memory.expect_nothing_lost(); }
    void thread(unsigned id)
    {
        void *item = tern_pool_get(&memory.pool, first);
        if (id == 0) {
            RL_ASSERT(item != nullptr);
            put(item, first);
            RL_ASSERT(tern_pool_free(&memory.pool, first) >= TERN_OK);
        } else if (id == 1) {
            tern_pool_unpin(&memory.pool, first);
        } else {
            // two takes and frees bring the first slot round
            for (int i = 0; i < 3; i++) {
                tern_handle h;
                tern_status status = tern_pool_alloc(&memory.pool, &h, &item);
                if (status == TERN_OK) {
                    put(item, h);
                    RL_ASSERT(tern_pool_free(&memory.pool, h) == TERN_OK);
                } else {
                    RL_ASSERT(status == TERN_ERR_FULL);
                }
                tern_cpu_relax();
            }
        }
    }
};

/// Nobody tells the third thread the handle, it guesses. What it reads may be what its maker
/// has not filled yet, but the life before is over. Look: by a pin, or by get.
template <bool Pin> struct guessed_handle : rl::test_suite<guessed_handle<Pin>, 3> {
    pool_memory<1> memory;
    void before()
    {
        tern_handle h;
        void *item;
        memory.make();
        RL_ASSERT(tern_pool_alloc(&memory.pool, &h, &item) == TERN_OK);
        RL_ASSERT(h.index == 0 && h.generation == 1);
    }
    void thread(unsigned id)
    {
        tern_handle first = { 0, 1 }, again = { 0, 2 }, h;
        void *item;
        if (id == 0) {
            put(memory.bytes.slots[0].item, first);
            RL_ASSERT(tern_pool_free(&memory.pool, first) == TERN_OK);
        } else if (id == 1) {
            while (tern_pool_alloc(&memory.pool, &h, &item) != TERN_OK) tern_cpu_relax();
            RL_ASSERT(h.index == 1 && tern_pool_free(&memory.pool, h) == TERN_OK);
            RL_ASSERT(tern_pool_alloc(&memory.pool, &h, &item) == TERN_OK && tern_handle_equal(h, again));
        } else {
            for (int i = 0; i < 4; i++) {
                const void *seen = Pin ? tern_pool_pin(&memory.pool, again) : tern_pool_get(&memory.pool, again);
                if (seen) {
                    look(seen);
                    if (Pin) tern_pool_unpin(&memory.pool, again);
                    break;
                }
                tern_cpu_relax();
            }
        }
    }
};

/// Thread 2 gives back a slot whose handle nobody told it, thread 1 is held back just before it
/// links another slot behind an earlier life of that one. If the guesser could know less of the
/// list than whoever took the slot, it would prepare the link for the place where thread 1
/// waits, and thread 1's slot would hang there, lost. Free: thread 2 guesses and frees;
/// otherwise it guesses and pins, thread 0 frees, and the last unpin gives back.
template <bool Free> struct guessed_place : rl::test_suite<guessed_place<Free>, 3> {
    pool_memory<3> memory;
    tern_handle held[3];
    stage first_is_back, slow_has_looked, is_taken, is_pinned, is_dying, link_is_prepared;

    static guessed_place *&self()
    {
        static guessed_place *suite;
        return suite;
    }
    static void at_site(const char *site)
    {
        if (std::strcmp(site, "POOL_5_LINK") != 0) return;
        if (rl::thread_index() == 1) {
            self()->slow_has_looked.reach();
            self()->link_is_prepared.await();
        }
        if (rl::thread_index() == 2) self()->link_is_prepared.reach();
    }
    void before()
    {
        void *item;
        memory.make();
        for (tern_handle &h : held) RL_ASSERT(tern_pool_alloc(&memory.pool, &h, &item) == TERN_OK);
        for (stage *s : { &first_is_back, &slow_has_looked, &is_taken, &is_pinned, &is_dying, &link_is_prepared })
            s->reset();
        self() = this;
        model_at_site() = at_site;
    }
    void after()
    {
        model_at_site() = nullptr;
        memory.expect_nothing_lost(1);
    }
    void take_and_give(tern_handle again)
    {
        tern_handle h;
        void *item;
        RL_ASSERT(tern_pool_free(&memory.pool, held[0]) == TERN_OK);
        first_is_back.reach();
        slow_has_looked.await();
        RL_ASSERT(tern_pool_free(&memory.pool, held[1]) == TERN_OK);
        RL_ASSERT(tern_pool_alloc(&memory.pool, &h, &item) == TERN_OK && h.index == 3);
        RL_ASSERT(tern_pool_alloc(&memory.pool, &h, &item) == TERN_OK && tern_handle_equal(h, again));
        is_taken.reach();
        if (Free) return;
        is_pinned.await();
        RL_ASSERT(tern_pool_free(&memory.pool, again) == TERN_DEFERRED);
        is_dying.reach();
    }
    void thread(unsigned id)
    {
        tern_handle again = { 0, 2 };
        if (id == 0) {
            take_and_give(again);
        } else if (id == 1) {
            first_is_back.await();
            RL_ASSERT(tern_pool_free(&memory.pool, held[2]) == TERN_OK);
        } else if (Free) {
            is_taken.await();
            while (tern_pool_free(&memory.pool, again) != TERN_OK) tern_cpu_relax();
        } else {
            is_taken.await();
            while (!tern_pool_pin(&memory.pool, again)) tern_cpu_relax();
            is_pinned.reach();
            is_dying.await();
            tern_pool_unpin(&memory.pool, again);
        }
    }
};

/// Of several frees of one handle, one succeeds, pinned or not.
struct double_free : rl::test_suite<double_free, 3> {
    pool_memory<2> memory;
    tern_handle h;
    rl::atomic<int> freed;
    void before()
    {
        void *item;
        memory.make();
        RL_ASSERT(tern_pool_alloc(&memory.pool, &h, &item) == TERN_OK);
        freed.store(0, rl::mo_relaxed, $);
    }
    void after()
    {
        RL_ASSERT(freed.load(rl::mo_relaxed, $) == 1);
        memory.expect_nothing_lost();
    }
    void thread(unsigned id)
    {
        bool pinned = id == 0 && tern_pool_pin(&memory.pool, h);
        tern_status status = tern_pool_free(&memory.pool, h);
        RL_ASSERT(status == TERN_ERR_STALE || status == TERN_OK || status == TERN_DEFERRED);
        if (status >= TERN_OK) freed.fetch_add(1, rl::mo_relaxed, $);
        if (pinned) tern_pool_unpin(&memory.pool, h);
    }
};

/// As RCU does it: condemn now, unpin later, from another thread, while others pin.
struct condemned : rl::test_suite<condemned, 3> {
    pool_memory<1> memory;
    tern_handle first;
    channel grace;
    void before()
    {
        void *item;
        memory.make();
        grace.reset();
        RL_ASSERT(tern_pool_alloc(&memory.pool, &first, &item) == TERN_OK);
        put(item, first);
    }
    void after() { memory.expect_nothing_lost(); }
    void thread(unsigned id)
    {
        if (id == 0) {
            RL_ASSERT(tern__pool_condemn(&memory.pool, first) == TERN_DEFERRED);
            RL_ASSERT(tern_pool_free(&memory.pool, first) == TERN_ERR_STALE);
            grace.send(first);
        } else if (id == 1) {
            while (tern_handle_is_null(grace.see())) tern_cpu_relax();
            tern_pool_unpin(&memory.pool, first);
            for (int i = 0; i < 2; i++) {
                tern_handle h;
                void *item;
                if (tern_pool_alloc(&memory.pool, &h, &item) != TERN_OK) continue;
                put(item, h);
                RL_ASSERT(tern_pool_free(&memory.pool, h) == TERN_OK);
            }
        } else {
            uint64_t packed;
            if (tern_pool_read(&memory.pool, first, &packed, sizeof packed) == TERN_OK)
                RL_ASSERT(packed == tern_handle_pack(first));
        }
    }
};

/// The last two generations: each handle value comes once, and then it is full for ever.
struct retirement : rl::test_suite<retirement, 2> {
    pool_memory<2> memory;
    rl::atomic<int> seen[3][2];
    void note(tern_handle h)
    {
        uint32_t generation = h.generation - (TERN__POOL_LAST_GENERATION - 1);
        RL_ASSERT(seen[h.index][generation].fetch_add(1, rl::mo_relaxed, $) == 0);
    }
    void before()
    {
        memory.make(TERN__POOL_LAST_GENERATION - 1);
        for (auto &slot : seen)
            for (auto &generation : slot) generation.store(0, rl::mo_relaxed, $);
    }
    void after()
    {
        tern_handle h;
        void *item;
        RL_ASSERT(tern_pool_was_retired(&memory.pool) <= 2);
        while (tern_pool_alloc(&memory.pool, &h, &item) == TERN_OK) {
            note(h);
            RL_ASSERT(tern_pool_free(&memory.pool, h) == TERN_OK);
        }
        RL_ASSERT(tern_pool_was_retired(&memory.pool) == 2 && tern_pool_was_live(&memory.pool) == 0);
    }
    void thread(unsigned id)
    {
        for (int i = 0; i < 3; i++) {
            tern_handle h;
            void *item;
            tern_status status = tern_pool_alloc(&memory.pool, &h, &item);
            RL_ASSERT(status == TERN_OK || status == TERN_ERR_FULL);
            if (status != TERN_OK) continue;
            note(h);
            if (id == 0) RL_ASSERT(tern_pool_pin(&memory.pool, h) == item);
            RL_ASSERT(tern_pool_free(&memory.pool, h) >= TERN_OK);
            if (id == 0) tern_pool_unpin(&memory.pool, h);
        }
    }
};

/// Attach while the other thread still formats: NOT_READY, or everything.
struct attach_while_formatting : rl::test_suite<attach_while_formatting, 2> {
    pool_memory<1> memory;
    void before()
    {
        memory.watch();
        tern_a32_store_relaxed(&memory.bytes.shared.magic, 0);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            memory.format();
        } else {
            tern_handle h;
            void *item;
            tern_status status;
            tern_pool pool;
            while ((status = tern_pool_attach(&pool, &memory.bytes, sizeof memory.bytes)) == TERN_ERR_NOT_READY)
                tern_cpu_relax();
            RL_ASSERT(status == TERN_OK && tern_pool_alloc(&pool, &h, &item) == TERN_OK);
            put(item, h);
            RL_ASSERT(tern_pool_free(&pool, h) == TERN_OK);
            RL_ASSERT(tern_pool_alloc(&pool, &h, &item) == TERN_OK && h.index == 1);
        }
    }
};

/// A known mistake: the handle is checked, and then the item is read without a pin.
struct check_then_read : rl::test_suite<check_then_read, 2> {
    pool_memory<1> memory;
    channel handles;
    void before()
    {
        memory.make();
        handles.reset();
    }
    void thread(unsigned id)
    {
        for (int i = 0; i < 4; i++) {
            tern_handle h;
            void *item;
            if (id == 0) {
                RL_ASSERT(tern_pool_alloc(&memory.pool, &h, &item) == TERN_OK);
                put(item, h);
                handles.send(h);
                RL_ASSERT(tern_pool_free(&memory.pool, h) == TERN_OK);
            } else {
                h = handles.see();
                if (const void *seen = tern_pool_get(&memory.pool, h)) look(seen);
                tern_cpu_relax();
            }
        }
    }
};

} // namespace

int main(int argc, char **argv)
{
    // those first that catch most of the weakened sites, which saves half of the time;
    // no exhaustive search of what waits in stages or has three threads: there is too much of it
    // pools in a region are in model_held.cpp
    const std::vector<std::string> held = { "POOL_6", "POOL_7", "POOL_8", "POOL_1_RECLAIM", "POOL_3_WALK" };
    model_runner runner({
        { "attach while formatting", model_random<attach_while_formatting>, model_bound<attach_while_formatting> },
        { "two threads, two items", model_random<alloc_and_free<2, 2, 3>>, model_bound<alloc_and_free<2, 2, 1>> },
        { "the last unpin gives back", model_random<last_unpin_gives_back>, model_bound<last_unpin_gives_back> },
        { "a guessed handle, pinned", model_random<guessed_handle<true>>, model_bound<guessed_handle<true>> },
        { "a guessed handle, checked", model_random<guessed_handle<false>>, model_bound<guessed_handle<false>> },
        { "a guessed handle, freed", model_random<guessed_place<true>>, nullptr },
        { "a guessed handle, unpinned", model_random<guessed_place<false>>, nullptr },
        { "two threads, one item", model_random<alloc_and_free<2, 1, 4>>, model_bound<alloc_and_free<2, 1, 1>> },
        { "three threads, three items", model_random<alloc_and_free<3, 3, 3>>, nullptr },
        { "three threads, two items", model_random<alloc_and_free<3, 2, 2>>, nullptr },
        { "pin beside free and reuse", model_random<pin_and_free<2, 1, 5>>, model_bound<pin_and_free<2, 1, 2>> },
        { "two pins beside free and reuse", model_random<pin_and_free<3, 2, 5>>, nullptr },
        { "double free", model_random<double_free>, model_bound<double_free> },
        { "condemned", model_random<condemned>, model_bound<condemned> },
        { "retirement", model_random<retirement>, model_bound<retirement> },
        { "control: a stack whose tags are right", model_random<model_pool_bugs::contention<model_pool_bugs::right>>,
          model_bound<model_pool_bugs::contention<model_pool_bugs::right>> },
    }, model_choose(TERN_MODEL_SITES, held, false), {}, {
        { "a free list without tags", model_random<model_pool_bugs::contention<model_pool_bugs::none>> },
        { "a tag stepped from a stale value", model_random<model_pool_bugs::contention<model_pool_bugs::stale>> },
        { "checking a handle, then reading without a pin", model_random<check_then_read> },
    });
    return runner.run(argc, argv);
}
