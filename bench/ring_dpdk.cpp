/* SPDX-License-Identifier: MIT */
/*
 * ring_dpdk.cpp: DPDK's rte_ring as a contestant, single producer and single consumer.
 *
 * The ring lies in memory of ours, so there is no EAL to start. Items of any multiple of
 * 4 bytes are in line (rte_ring_elem); in place through its zero-copy calls. A batch is a
 * burst (as many as go) or, as a contestant of its own, a bulk (all or none). A ring of N
 * slots holds N - 1 items: the nearest to the capacity that does not double its memory.
 */
#include "ring_cells.hpp"

#include <rte_config.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>

using namespace bench;

namespace ring_dpdk {

template <class Item, bool Bulk>
class dpdk_queue {
    static constexpr unsigned SIZE = sizeof(Item);

public:
    static constexpr bool IN_PLACE = !Bulk;

    explicit dpdk_queue(const ring_setup &s)
        : memory(sizeof(rte_ring) + sizeof(Item) * s.capacity), ring(static_cast<rte_ring *>(memory.get()))
    {
        if (rte_ring_init(ring, "ring", s.capacity, RING_F_SP_ENQ | RING_F_SC_DEQ) != 0) std::abort();
    }

    struct producer_end {
        static constexpr bool BATCH = true;
        rte_ring *ring;
        BENCH_INLINE bool push(const Item &i)
        {
            return rte_ring_sp_enqueue_elem(ring, const_cast<Item *>(&i), SIZE) == 0;
        }
        BENCH_INLINE uint32_t push_many(const Item *i, uint32_t n)
        {
            return Bulk ? rte_ring_sp_enqueue_bulk_elem(ring, i, SIZE, n, nullptr)
                        : rte_ring_sp_enqueue_burst_elem(ring, i, SIZE, n, nullptr);
        }
        template <class Fill>
        BENCH_INLINE uint32_t write(uint32_t want, Fill fill)
        {
            rte_ring_zc_data part;
            uint32_t n = rte_ring_enqueue_zc_burst_elem_start(ring, SIZE, want, &part, nullptr);
            if (n == 0) return 0;
            auto first = static_cast<Item *>(part.ptr1), second = static_cast<Item *>(part.ptr2);
            for (uint32_t i = 0; i < part.n1; i++) fill(first[i]);
            for (uint32_t i = part.n1; i < n; i++) fill(second[i - part.n1]);
            rte_ring_enqueue_zc_elem_finish(ring, n);
            return n;
        }
    };
    struct consumer_end {
        static constexpr bool BATCH = true;
        rte_ring *ring;
        BENCH_INLINE bool pop(Item &i) { return rte_ring_sc_dequeue_elem(ring, &i, SIZE) == 0; }
        BENCH_INLINE uint32_t pop_many(Item *i, uint32_t n)
        {
            return Bulk ? rte_ring_sc_dequeue_bulk_elem(ring, i, SIZE, n, nullptr)
                        : rte_ring_sc_dequeue_burst_elem(ring, i, SIZE, n, nullptr);
        }
        template <class Look>
        BENCH_INLINE uint32_t read(uint32_t want, Look look)
        {
            rte_ring_zc_data part;
            uint32_t n = rte_ring_dequeue_zc_burst_elem_start(ring, SIZE, want, &part, nullptr);
            if (n == 0) return 0;
            auto first = static_cast<const Item *>(part.ptr1), second = static_cast<const Item *>(part.ptr2);
            for (uint32_t i = 0; i < part.n1; i++) look(first[i]);
            for (uint32_t i = part.n1; i < n; i++) look(second[i - part.n1]);
            rte_ring_dequeue_zc_elem_finish(ring, n);
            return n;
        }
    };
    producer_end producer() { return { ring }; }
    consumer_end consumer() { return { ring }; }

private:
    line_memory memory;
    rte_ring *ring;
};

template <class Item, uint32_t>
using queue = dpdk_queue<Item, false>;
template <class Item, uint32_t>
using bulk_queue = dpdk_queue<Item, true>;

void add()
{
    contestant c;
    c.name = "dpdk rte_ring";
    enter_all<queue>(c);
    c.name = "dpdk rte_ring bulk";
    enter_batches<bulk_queue, 8, 16, 64, 256, 1024>(c);
}

const entry here(add);

} // namespace ring_dpdk
