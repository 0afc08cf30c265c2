// SPDX-License-Identifier: MIT
// model_held.cpp: a pool in a region, whose users may die: pins that stand in the holds of peers, and
// what a burier gives back. One program, since either part finds what the other misses.
#include "model_held_deaths.hpp"
#include "model_held_pins.hpp"

#include "sites_held.h"

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
