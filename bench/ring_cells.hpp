/* SPDX-License-Identifier: MIT */
/*
 * ring_cells.hpp: the cells of the ring's benchmark, and how a queue enters them.
 *
 *     ring/OP/SIZE B/capacity N/LOAD/CONTESTANT       OP single, batch 8, batch 32, zero-copy 32
 *     ring/round trip/SIZE B/CONTESTANT
 *
 * Each queue has a file of its own, which says how it is called and registers it. All
 * are compiled with the same flags. A file that is not built (its library is not
 * installed) is a contestant less; nothing else has to know.
 *
 * Built with BENCH_FEW, which is how the tests build it, there are only some cells of each kind: the
 * rest is what takes a minute and more to compile. With BENCH_PUSH_AND_POP there are those by which
 * the price of Tern's checks is told.
 *
 * Each file's names are in a namespace with a name: gcc 12 takes enter_all<queue> of two
 * files for the same function where both queues are in an unnamed one.
 */
#ifndef TERN_BENCH_RING_CELLS_HPP
#define TERN_BENCH_RING_CELLS_HPP

#include "ring_run.hpp"

#include <string_view>

namespace bench {

/* ---- Who takes part: each file adds a function, main calls them all ------------------- */

inline std::vector<void (*)()> &entries()
{
    static std::vector<void (*)()> list;
    return list;
}

struct entry {
    explicit entry(void (*add)()) { entries().push_back(add); }
};

/* ---- Contestants -------------------------------------------------------------------------- */

/* A name's end and how often the loop pauses after a failed try. */
struct polling {
    const char *suffix;
    unsigned pauses;
};

struct contestant {
    std::string name;
    std::vector<polling> loops = { { ", bare", 0 }, { ", pause 1", 1 }, { ", pause 4", 4 } };
    uint32_t flags = 0, release_every = 0;   /* of a Tern ring */
};

constexpr uint32_t SMALL = 64, MEDIUM = 1024, LARGE = 65536;   /* capacities */

using run_fn = repetition (*)(const job &);

#if defined(BENCH_FEW) || defined(BENCH_PUSH_AND_POP)
struct few_cell {
    std::string_view op;
    unsigned size;
    uint32_t capacity;
};
#if defined(BENCH_PUSH_AND_POP)   /* hardening_google */
constexpr few_cell FEW_CELLS[] = {
    { "single", 8, MEDIUM }, { "single", 64, MEDIUM }, { "single", 256, MEDIUM }, { "batch 32", 8, MEDIUM },
    { "batch 32", 64, MEDIUM }, { "round trip", 8, MEDIUM },
};
#else
constexpr few_cell FEW_CELLS[] = {
    { "round trip", 56, MEDIUM }, { "round trip", 1024, MEDIUM }, { "single", 8, SMALL },
    { "producer slower", 256, MEDIUM }, { "consumer slower", 256, MEDIUM }, { "batch 8", 16, SMALL },
    { "batch 32", 64, MEDIUM }, { "zero-copy 32", 64, SMALL }, { "zero-copy 32", 1024, MEDIUM },
};
#endif
constexpr bool built(std::string_view op, unsigned size, uint32_t capacity)
{
    for (const few_cell &c : FEW_CELLS)
        if (c.op == op && c.size == size && c.capacity == capacity) return true;
    return false;
}
#else
constexpr bool built(std::string_view, unsigned, uint32_t) { return true; }
#endif

/* One contestant in one cell, once for each way to poll. */
inline void enter(const std::string &cell, uint32_t capacity, const contestant &c, run_fn run)
{
    for (const polling &loop : c.loops) {
        job j;
        j.name = cell + "/" + c.name + loop.suffix;
        j.setup = { capacity, c.flags, c.release_every };
        j.pauses = loop.pauses;
        j.seconds = chosen().seconds;
        register_repetition(j.name, j.pauses, [run, j] { return run(j); });
    }
}

inline std::string cell_name(const char *op, unsigned size, uint32_t capacity, const char *load)
{
    return std::string("ring/") + op + "/" + std::to_string(size) + " B/capacity " + std::to_string(capacity) +
        "/" + load;
}

template <template <class Item, uint32_t Capacity> class Queue, unsigned Size>
void enter_round_trip(const contestant &c)
{
    using Item = item<Size>;
    if constexpr (built("round trip", Size, MEDIUM))
        enter("ring/round trip/" + std::to_string(Size) + " B", MEDIUM, c,
              run_round_trip<Queue<Item, MEDIUM>, Item>);
}

/* What every call of enter() below needs to know. */
template <class Item, uint32_t Capacity>
struct place {
    const contestant &c;

    void in(const char *op, run_fn run, const char *load = "balanced") const
    {
        enter(cell_name(op, sizeof(Item), Capacity, load), Capacity, c, run);
    }
};

template <template <class Item, uint32_t Capacity> class Queue, unsigned Size, uint32_t Capacity>
void enter_batches_of(const contestant &c)
{
    using Item = item<Size>;
    using Q = Queue<Item, Capacity>;
    const place<Item, Capacity> cells{ c };
    if constexpr (built("batch 8", Size, Capacity)) cells.in("batch 8", run_batch<Q, Item, 8>);
    if constexpr (built("batch 32", Size, Capacity)) cells.in("batch 32", run_batch<Q, Item, 32>);
}

template <template <class Item, uint32_t Capacity> class Queue, unsigned Size, uint32_t Capacity>
void enter_capacity(const contestant &c)
{
    using Item = item<Size>;
    using Q = Queue<Item, Capacity>;
    const place<Item, Capacity> cells{ c };
    enter_batches_of<Queue, Size, Capacity>(c);
    if constexpr (built("single", Size, Capacity)) cells.in("single", run_single<Q, Item>);
    if constexpr (Q::IN_PLACE && built("zero-copy 32", Size, Capacity))
        cells.in("zero-copy 32", run_in_place<Q, Item, 32>);
    if constexpr (Capacity == MEDIUM && built("producer slower", Size, Capacity))
        cells.in("single", run_producer_slower<Q, Item>, "producer slower");
    if constexpr (Capacity == MEDIUM && built("consumer slower", Size, Capacity))
        cells.in("single", run_consumer_slower<Q, Item>, "consumer slower");
}

template <template <class Item, uint32_t Capacity> class Queue, unsigned Size>
void enter_size(const contestant &c)
{
    enter_capacity<Queue, Size, SMALL>(c);
    enter_capacity<Queue, Size, MEDIUM>(c);
    enter_capacity<Queue, Size, LARGE>(c);
    enter_round_trip<Queue, Size>(c);
}

/* Every cell. A queue whose capacity is no template parameter ignores that parameter. */
template <template <class Item, uint32_t Capacity> class Queue>
void enter_all(const contestant &c)
{
    enter_size<Queue, 8>(c);
    enter_size<Queue, 16>(c);
    enter_size<Queue, 64>(c);
    enter_size<Queue, 256>(c);
    enter_size<Queue, 1024>(c);
    enter_round_trip<Queue, 32>(c);   /* with what a queue keeps beside an item, 56 fill a line */
    enter_round_trip<Queue, 56>(c);
}

/* The batches' cells alone, for another form of the same queue's batches. */
template <template <class Item, uint32_t Capacity> class Queue, unsigned... Sizes>
void enter_batches(const contestant &c)
{
    (enter_batches_of<Queue, Sizes, SMALL>(c), ...);
    (enter_batches_of<Queue, Sizes, MEDIUM>(c), ...);
    (enter_batches_of<Queue, Sizes, LARGE>(c), ...);
}

/* Memory for the queues that take it from their caller: fresh, on a line pair's boundary. */
class line_memory {
public:
    explicit line_memory(size_t size_bytes) : size((size_bytes + 127) & ~size_t{127})
    {
        at.reset(std::aligned_alloc(128, size));
        if (at) return;
        std::fprintf(stderr, "no memory for %zu bytes\n", size);
        std::abort();
    }
    void *get() const { return at.get(); }
    size_t bytes() const { return size; }

private:
    struct free_it { void operator()(void *m) const { std::free(m); } };
    size_t size;
    std::unique_ptr<void, free_it> at;
};

} // namespace bench

#endif
