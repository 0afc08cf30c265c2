/* SPDX-License-Identifier: MIT */
/*
 * ring_atomic_queue.cpp: Maxim Egorushkin's atomic_queue as a contestant, SPSC, no total order.
 *
 * AtomicQueue publishes the element itself, so it holds lock-free atomics only (8 bytes
 * here); AtomicQueue2 holds anything beside a byte of state. The optimistic calls take
 * their place first and then wait inside for it, with a pause or without as a template
 * parameter says, so their loop is theirs; the others try. Shuffled, neighbours lie on
 * different lines. No batches, nothing in place.
 */
#include "ring_cells.hpp"

#include <atomic_queue/atomic_queue.h>

using namespace bench;

namespace ring_atomic_queue {

template <class Item, uint32_t Capacity, bool Optimistic, bool Shuffle, bool Pause>
class atomic_queue_of {
    static constexpr bool ATOMIC = sizeof(Item) == 8;
    using atomic_form = atomic_queue::AtomicQueue<uint64_t, Capacity, 0, Shuffle, Pause, false, true>;
    using any_form = atomic_queue::AtomicQueue2<Item, Capacity, Shuffle, Pause, false, true>;

public:
    static constexpr bool IN_PLACE = false;

    explicit atomic_queue_of(const ring_setup &) {}

    struct producer_end {
        static constexpr bool BATCH = false;
        atomic_queue_of &q;
        BENCH_INLINE bool push(const Item &i)
        {
            if constexpr (Optimistic && ATOMIC) q.ring.push(i.word[0]);
            else if constexpr (Optimistic) q.ring.push(i);
            else if constexpr (ATOMIC) return q.ring.try_push(i.word[0]);
            else return q.ring.try_push(i);
            return true;
        }
    };
    struct consumer_end {
        static constexpr bool BATCH = false;
        atomic_queue_of &q;
        BENCH_INLINE bool pop(Item &i)
        {
            if constexpr (Optimistic && ATOMIC) i.word[0] = q.ring.pop();
            else if constexpr (Optimistic) i = q.ring.pop();
            else if constexpr (ATOMIC) return q.ring.try_pop(i.word[0]);
            else return q.ring.try_pop(i);
            return true;
        }
    };
    producer_end producer() { return { *this }; }
    consumer_end consumer() { return { *this }; }

private:
    std::conditional_t<ATOMIC, atomic_form, any_form> ring;
};

template <class Item, uint32_t Capacity> using tries = atomic_queue_of<Item, Capacity, false, false, true>;
template <class Item, uint32_t Capacity> using tries_shuffled = atomic_queue_of<Item, Capacity, false, true, true>;
template <class Item, uint32_t Capacity> using waits = atomic_queue_of<Item, Capacity, true, false, false>;
template <class Item, uint32_t Capacity> using waits_pausing = atomic_queue_of<Item, Capacity, true, false, true>;
template <class Item, uint32_t Capacity> using waits_shuffled = atomic_queue_of<Item, Capacity, true, true, false>;
template <class Item, uint32_t Capacity>
using waits_shuffled_pausing = atomic_queue_of<Item, Capacity, true, true, true>;

contestant named(const char *name)
{
    contestant c;
    c.name = name;
    return c;
}

contestant waiting(const char *name, const polling &own)
{
    contestant c = named(name);
    c.loops = { own };
    return c;
}

void add()
{
    const polling bare = { ", bare", 0 }, pause = { ", pause 1", 1 };   /* in its own loop */
    enter_all<tries>(named("atomic_queue"));
    enter_all<tries_shuffled>(named("atomic_queue shuffled"));
    enter_all<waits>(waiting("atomic_queue optimistic", bare));
    enter_all<waits_pausing>(waiting("atomic_queue optimistic", pause));
    enter_all<waits_shuffled>(waiting("atomic_queue optimistic shuffled", bare));
    enter_all<waits_shuffled_pausing>(waiting("atomic_queue optimistic shuffled", pause));
}

const entry here(add);

} // namespace ring_atomic_queue
