// SPDX-License-Identifier: MIT
// model_pool_bugs.hpp: a free list as others have written it, a stack of indices, whose head's
// tag is missing, or steps from a value that the compare-exchange no longer compares
// (iceoryx#2351), or is right, as a control.
#pragma once

#include "model.hpp"

namespace model_pool_bugs {

enum tagging { none, stale, right };

template <tagging Tagging> struct stack {
    static constexpr int slots = 3, no_index = 255;
    rl::atomic<int> head;           // tag << 8 | index
    rl::atomic<int> next[slots];

    void fill()
    {
        for (int i = 0; i < slots; i++) next[i].store(i + 1 < slots ? i + 1 : no_index, rl::mo_relaxed, $);
        head.store(0, rl::mo_relaxed, $);
    }
    static int step(int seen_first, int seen_now)
    {
        if (Tagging == none) return 0;
        return ((Tagging == stale ? seen_first : seen_now) & ~255) + 256;
    }
    int pop()
    {
        int seen = head.load(rl::mo_acquire, $);
        const int first = seen;
        for (;;) {
            int index = seen & 255;
            if (index == no_index) return no_index;
            int after = next[index].load(rl::mo_relaxed, $);
            if (head.compare_exchange_strong(seen, step(first, seen) | after, rl::mo_acq_rel, $, rl::mo_acquire, $))
                return index;
        }
    }
    void push(int index)
    {
        int seen = head.load(rl::mo_acquire, $);
        const int first = seen;
        do next[index].store(seen & 255, rl::mo_relaxed, $);
        while (!head.compare_exchange_strong(seen, step(first, seen) | index, rl::mo_acq_rel, $, rl::mo_acquire, $));
    }
};

/// Take two, give back in the order in which they came. A slot that two have is a race.
template <tagging Tagging> struct contention : rl::test_suite<contention<Tagging>, 3> {
    stack<Tagging> list;
    rl::var<int> owner[stack<Tagging>::slots];
    void before() { list.fill(); }
    void thread(unsigned id)
    {
        for (int round = 0; round < 2; round++) {
            int taken[2] = { list.pop(), id == 0 ? list.no_index : list.pop() };
            for (int index : taken)
                if (index != list.no_index) owner[index]($).store(int(id));
            for (int index : taken)
                if (index != list.no_index) {
                    RL_ASSERT(int(owner[index]($).load()) == int(id));
                    list.push(index);
                }
        }
    }
};

} // namespace model_pool_bugs
