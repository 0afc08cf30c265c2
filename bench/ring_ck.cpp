/* SPDX-License-Identifier: MIT */
/*
 * ring_ck.cpp: Concurrency Kit's ck_ring as a contestant, with structures in line (the form
 * of CK_RING_PROTOTYPE), single producer and single consumer.
 *
 * A ring of N slots holds N - 1 items: the nearest to the capacity that does not double
 * its memory. No batches; in place on the producer's side only, so it stays out of those
 * cells.
 */
#include "ring_cells.hpp"

/* ck is C: it returns false for a null pointer, which C++ only forgives a literal 0 */
#if defined(__clang__)
#  pragma clang diagnostic push
#  pragma clang diagnostic ignored "-Wkeyword-macro"
#endif
extern "C" {
#include <ck_pr.h>
#include <ck_string.h>
#define false 0
#include <ck_ring.h>
#undef false
}
#if defined(__clang__)
#  pragma clang diagnostic pop
#endif

using namespace bench;

namespace ring_ck {

template <class Item>
class ck_queue {
public:
    static constexpr bool IN_PLACE = false;

    explicit ck_queue(const ring_setup &s) : memory(sizeof(Item) * s.capacity), items(static_cast<Item *>(memory.get()))
    {
        ck_ring_init(&ring, s.capacity);
    }

    struct producer_end {
        static constexpr bool BATCH = false;
        ck_queue &q;
        Item *items;
        BENCH_INLINE bool push(const Item &i)
        {
            return _ck_ring_enqueue_sp(&q.ring, items, &i, sizeof(Item), nullptr);
        }
    };
    struct consumer_end {
        static constexpr bool BATCH = false;
        ck_queue &q;
        const Item *items;
        BENCH_INLINE bool pop(Item &i) { return _ck_ring_dequeue_sc(&q.ring, items, &i, sizeof(Item)); }
    };
    producer_end producer() { return { *this, items }; }
    consumer_end consumer() { return { *this, items }; }

private:
    alignas(128) ck_ring_t ring;
    line_memory memory;
    Item *items;
};

template <class Item, uint32_t>
using queue = ck_queue<Item>;

void add()
{
    contestant c;
    c.name = "ck_ring";
    enter_all<queue>(c);
}

const entry here(add);

} // namespace ring_ck
