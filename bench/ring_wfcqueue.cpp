/* SPDX-License-Identifier: MIT */
/*
 * ring_wfcqueue.cpp: liburcu's wfcqueue as a contestant.
 *
 * An unbounded list of nodes that its users own. As many nodes as the capacity lie in one
 * block. Items leave in the order in which they came, so nodes are used round and round;
 * the consumer says how many it has done with in one counter, which the producer looks at
 * only when it knows of no free node. With that the queue is bounded like the others.
 *
 * "splice" takes all there is at once into a list of the consumer's own; a batch is
 * linked in a list of the producer's own and put in at once. An item is a node's content,
 * so in place is how it is meant.
 */
#include "ring_cells.hpp"

#define _LGPL_SOURCE   /* the inlined calls */
#include <urcu/wfcqueue.h>

using namespace bench;

namespace ring_wfcqueue {

/* Head and tail on line pairs of their own. */
struct list {
    alignas(128) __cds_wfcq_head head;
    alignas(128) cds_wfcq_tail tail;
    list() { __cds_wfcq_init(&head, &tail); }
    BENCH_INLINE cds_wfcq_head_ptr_t handle() { return __cds_wfcq_head_cast(&head); }
};

template <class Item>
struct node {
    cds_wfcq_node link;   /* first: a pointer to it is one to the node */
    Item content;
};

template <class Item, bool Splice>
class wfc_queue {
    using cell = node<Item>;

public:
    static constexpr bool IN_PLACE = true;

    explicit wfc_queue(const ring_setup &s)
        : capacity(s.capacity), memory(sizeof(cell) * s.capacity), nodes(static_cast<cell *>(memory.get()))
    {
    }

    struct producer_end {
        static constexpr bool BATCH = true;
        wfc_queue &q;
        cell *nodes;
        uint32_t capacity, used = 0, freed = 0;

        /* Free nodes known, after another look if there are fewer than wanted. */
        BENCH_INLINE uint32_t space(uint32_t want)
        {
            if (capacity - (used - freed) < want) freed = q.done_with.load(std::memory_order_acquire);
            return std::min(capacity - (used - freed), want);
        }
        template <class Fill>
        BENCH_INLINE void link(list &to, Fill &fill)
        {
            cell &n = nodes[used++ & (capacity - 1)];
            fill(n.content);
            cds_wfcq_node_init(&n.link);
            cds_wfcq_enqueue(to.handle(), &to.tail, &n.link);
        }
        template <class Fill>
        BENCH_INLINE uint32_t write(uint32_t want, Fill fill)
        {
            uint32_t n = space(want);
            bool at_once = Splice && n > 1;
            for (uint32_t i = 0; i < n; i++) link(at_once ? q.own_producer : q.shared, fill);
            if (at_once)
                __cds_wfcq_splice_nonblocking(q.shared.handle(), &q.shared.tail, q.own_producer.handle(),
                                              &q.own_producer.tail);
            return n;
        }
        BENCH_INLINE bool push(const Item &i) { return write(1, [&](Item &slot) { slot = i; }) == 1; }
        BENCH_INLINE uint32_t push_many(const Item *i, uint32_t n) { return write(n, [&](Item &slot) { slot = *i++; }); }
    };

    struct consumer_end {
        static constexpr bool BATCH = true;
        wfc_queue &q;
        uint32_t done = 0;

        BENCH_INLINE cell *next()
        {
            list &from = Splice ? q.own_consumer : q.shared;
            cds_wfcq_node *n = __cds_wfcq_dequeue_nonblocking(from.handle(), &from.tail);
            if (Splice && !n) {
                cds_wfcq_ret got = __cds_wfcq_splice_nonblocking(from.handle(), &from.tail, q.shared.handle(),
                                                                 &q.shared.tail);
                if (got == CDS_WFCQ_RET_SRC_EMPTY || got == CDS_WFCQ_RET_WOULDBLOCK) return nullptr;
                n = __cds_wfcq_dequeue_nonblocking(from.handle(), &from.tail);
            }
            /* would block: the producer is between its two stores */
            return n == CDS_WFCQ_WOULDBLOCK ? nullptr : reinterpret_cast<cell *>(n);
        }
        template <class Look>
        BENCH_INLINE uint32_t read(uint32_t want, Look look)
        {
            uint32_t n = 0;
            for (cell *c; n != want && (c = next()) != nullptr; n++) look(c->content);
            if (n == 0) return 0;
            done += n;
            q.done_with.store(done, std::memory_order_release);
            return n;
        }
        BENCH_INLINE bool pop(Item &i) { return read(1, [&](const Item &slot) { i = slot; }) == 1; }
        BENCH_INLINE uint32_t pop_many(Item *i, uint32_t n) { return read(n, [&](const Item &slot) { *i++ = slot; }); }
    };
    producer_end producer() { return { *this, nodes, capacity }; }
    consumer_end consumer() { return { *this }; }

private:
    list shared, own_producer, own_consumer;
    alignas(128) std::atomic<uint32_t> done_with{0};
    alignas(128) uint32_t capacity;
    line_memory memory;
    cell *nodes;
};

template <class Item, uint32_t>
using queue = wfc_queue<Item, false>;
template <class Item, uint32_t>
using spliced_queue = wfc_queue<Item, true>;

void add()
{
    contestant c;
    c.name = "liburcu wfcqueue";
    enter_all<queue>(c);
    c.name = "liburcu wfcqueue splice";
    enter_all<spliced_queue>(c);
}

const entry here(add);

} // namespace ring_wfcqueue
