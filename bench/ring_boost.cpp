/* SPDX-License-Identifier: MIT */
/*
 * ring_boost.cpp: boost::lockfree::spsc_queue as a contestant.
 *
 * Its capacity is a template parameter, which is its faster form. It has batches.
 * It reads in place (consume_all: everything there is at once) but writes by copy
 * only, so in the zero-copy cells it copies on that side.
 */
#include "ring_cells.hpp"

#include <boost/lockfree/spsc_queue.hpp>

using namespace bench;

namespace ring_boost {

template <class Item, uint32_t Capacity>
class queue {
public:
    static constexpr bool IN_PLACE = true;

    explicit queue(const ring_setup &) {}

    struct producer_end {
        static constexpr bool BATCH = true;
        queue &q;
        BENCH_INLINE bool push(const Item &i) { return q.ring.push(i); }
        BENCH_INLINE uint32_t push_many(const Item *i, uint32_t n) { return static_cast<uint32_t>(q.ring.push(i, n)); }
        template <class Fill>
        BENCH_INLINE uint32_t write(uint32_t want, Fill fill)
        {
            constexpr uint32_t MOST = 32;
            Item items[MOST];
            size_t space = q.ring.write_available();
            uint32_t n = std::min({ want, MOST, static_cast<uint32_t>(space) });
            for (uint32_t i = 0; i < n; i++) fill(items[i]);
            return n ? static_cast<uint32_t>(q.ring.push(items, n)) : 0;
        }
    };
    struct consumer_end {
        static constexpr bool BATCH = true;
        queue &q;
        BENCH_INLINE bool pop(Item &i) { return q.ring.pop(i); }
        BENCH_INLINE uint32_t pop_many(Item *i, uint32_t n) { return static_cast<uint32_t>(q.ring.pop(i, n)); }
        template <class Look>
        BENCH_INLINE uint32_t read(uint32_t, Look look)
        {
            return static_cast<uint32_t>(q.ring.consume_all(look));
        }
    };
    producer_end producer() { return { *this }; }
    consumer_end consumer() { return { *this }; }

private:
    boost::lockfree::spsc_queue<Item, boost::lockfree::capacity<Capacity>> ring;
};

void add()
{
    contestant c;
    c.name = "boost spsc_queue";
    enter_all<queue>(c);
}

const entry here(add);

} // namespace ring_boost
