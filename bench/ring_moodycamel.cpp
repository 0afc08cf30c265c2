/* SPDX-License-Identifier: MIT */
/*
 * ring_moodycamel.cpp: moodycamel::ReaderWriterQueue as a contestant.
 *
 * A chain of blocks, held to the memory it starts with (try_ calls only): it has room
 * for the capacity or somewhat more. It has no batches. In place it reads one item at a
 * time (peek, pop) and constructs one where it will lie (try_emplace).
 */
#include "ring_cells.hpp"

#include <readerwriterqueue/readerwriterqueue.h>

using namespace bench;

namespace ring_moodycamel {

/* An item that fills itself where it is constructed. */
template <class Item>
struct slot : Item {
    slot() = default;
    template <class Fill>
    explicit slot(Fill *fill) { (*fill)(static_cast<Item &>(*this)); }
};

template <class Item>
class reader_writer_queue {
public:
    static constexpr bool IN_PLACE = true;

    explicit reader_writer_queue(const ring_setup &s) : ring(s.capacity) {}

    struct producer_end {
        static constexpr bool BATCH = false;
        reader_writer_queue &q;
        BENCH_INLINE bool push(const Item &i) { return q.ring.try_enqueue(static_cast<const slot<Item> &>(i)); }
        template <class Fill>
        BENCH_INLINE uint32_t write(uint32_t, Fill fill) { return q.ring.try_emplace(&fill); }
    };
    struct consumer_end {
        static constexpr bool BATCH = false;
        reader_writer_queue &q;
        BENCH_INLINE bool pop(Item &i) { return q.ring.try_dequeue(i); }
        template <class Look>
        BENCH_INLINE uint32_t read(uint32_t, Look look)
        {
            const Item *i = q.ring.peek();
            if (!i) return 0;
            look(*i);
            return q.ring.pop();
        }
    };
    producer_end producer() { return { *this }; }
    consumer_end consumer() { return { *this }; }

private:
    moodycamel::ReaderWriterQueue<slot<Item>> ring;
};

template <class Item, uint32_t>
using queue = reader_writer_queue<Item>;

void add()
{
    contestant c;
    c.name = "moodycamel ReaderWriterQueue";
    enter_all<queue>(c);
}

const entry here(add);

} // namespace ring_moodycamel
