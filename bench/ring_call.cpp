/* SPDX-License-Identifier: MIT */
/*
 * ring_call.cpp: what a ring's calls cost in one thread, where no cache line moves.
 *
 *     call/push and pop/SIZE B/CONTESTANT                 the item's size known to the compiler
 *     call/push and pop, any size/SIZE B/CONTESTANT       read from the view
 *     call/push_many and pop_many by 32/SIZE B/CONTESTANT
 *     call/in place by 32/SIZE B/CONTESTANT
 *
 * The price of the instructions alone; it shows what an extra check or a generic item
 * size costs.
 */
#include "ring_cells.hpp"

#include <tern/ring.h>

using namespace bench;

namespace ring_call {

constexpr uint32_t SEQUENCED = 2, WAITABLE = TERN_RING_WAITABLE;
constexpr uint32_t BATCH = 32;

/* A ring with both views, for one thread. */
struct local_ring {
    local_ring(uint32_t item_size, uint32_t flags)
        : desc{ item_size, MEDIUM, flags }, memory(tern_ring_size(&desc))
    {
        if (tern_ring_format(memory.get(), memory.bytes(), &desc) != TERN_OK ||
            tern_ring_attach_producer(&p, memory.get(), memory.bytes()) != TERN_OK ||
            tern_ring_attach_consumer(&c, memory.get(), memory.bytes()) != TERN_OK)
            std::abort();
    }
    tern_ring_desc desc;
    line_memory memory;
    tern_ring_producer p;
    tern_ring_consumer c;
};

/* Fill half the ring and drain all but the last item, so that the consumer never finds it
 * empty: what is measured is a call, not the pauses after draining. */
template <class Item, class Push, class Pop>
void cycle(benchmark::State &state, uint32_t flags, Push push, Pop pop, uint32_t each)
{
    local_ring ring(sizeof(Item), flags);
    tern_ring_producer p = ring.p;
    tern_ring_consumer c = ring.c;
    uint32_t rounds = MEDIUM / 2 / each;
    bool fine = push(p) && push(p);
    for (auto _ : state) {
        for (uint32_t i = 0; i < rounds; i++) fine &= push(p);
        for (uint32_t i = 0; i < rounds; i++) fine &= pop(c);
    }
    if (!fine) state.SkipWithError("a push or a pop failed");
    state.SetItemsProcessed(state.iterations() * rounds * each);
}

/* Items come out in the order of their numbers. */
template <class Item>
struct counter {
    uint64_t in = 0, out = 0;
    BENCH_INLINE bool next(const Item &i) { return i.is(++out); }
};

TERN_RING_DEFINE(call_8, item<8>)
TERN_RING_DEFINE(call_64, item<64>)
TERN_RING_DEFINE(call_1024, item<1024>)

template <class Item> struct typed;
#define TYPED(size)                                                                                            \
    template <> struct typed<item<size>> {                                                                     \
        static BENCH_INLINE bool push(tern_ring_producer &p, const item<size> &i) { return call_##size##_push(&p, &i); } \
        static BENCH_INLINE bool pop(tern_ring_consumer &c, item<size> &i) { return call_##size##_pop(&c, &i); } \
    };
TYPED(8)
TYPED(64)
TYPED(1024)

template <class Item>
void push_and_pop(benchmark::State &state, uint32_t flags)
{
    counter<Item> number;
    Item in{}, out{};
    cycle<Item>(state, flags,
        [&](tern_ring_producer &p) { in.stamp(++number.in); return typed<Item>::push(p, in); },
        [&](tern_ring_consumer &c) { return typed<Item>::pop(c, out) && number.next(out); }, 1);
}

template <class Item>
void any_size(benchmark::State &state, uint32_t flags)
{
    counter<Item> number;
    Item in{}, out{};
    cycle<Item>(state, flags,
        [&](tern_ring_producer &p) { in.stamp(++number.in); return tern_ring_push(&p, &in); },
        [&](tern_ring_consumer &c) { return tern_ring_pop(&c, &out) && number.next(out); }, 1);
}

template <class Item>
void many(benchmark::State &state, uint32_t flags)
{
    counter<Item> number;
    Item in[BATCH] = {}, out[BATCH] = {};
    cycle<Item>(state, flags,
        [&](tern_ring_producer &p) {
            for (Item &i : in) i.stamp(++number.in);
            return tern_ring_push_many(&p, in, BATCH) == BATCH;
        },
        [&](tern_ring_consumer &c) {
            bool fine = tern_ring_pop_many(&c, out, BATCH) == BATCH;
            for (const Item &i : out) fine &= number.next(i);
            return fine;
        }, BATCH);
}

/* A span may end at the memory's end, or hold one item only: so go on until all 32 are through. */
template <class Item>
void in_place(benchmark::State &state, uint32_t flags)
{
    counter<Item> number;
    cycle<Item>(state, flags,
        [&](tern_ring_producer &p) {
            for (uint32_t got, done = 0; done != BATCH; done += got) {
                auto *slots = static_cast<Item *>(tern_ring_reserve(&p, BATCH - done, &got));
                if (!slots) return false;
                for (uint32_t i = 0; i < got; i++) slots[i].stamp(++number.in);
                tern_ring_commit(&p, got);
            }
            return true;
        },
        [&](tern_ring_consumer &c) {
            bool fine = true;
            for (uint32_t got, done = 0; done != BATCH; done += got) {
                auto *slots = static_cast<const Item *>(tern_ring_peek(&c, BATCH - done, &got));
                if (!slots) return false;
                for (uint32_t i = 0; i < got; i++) fine &= number.next(slots[i]);
                tern_ring_release(&c, got);
            }
            return fine;
        }, BATCH);
}

template <class Item>
void add_size(const char *form, uint32_t flags)
{
    auto add = [&](const char *op, void (*run)(benchmark::State &, uint32_t)) {
        std::string name = std::string("call/") + op + "/" + std::to_string(sizeof(Item)) + " B/" + form;
        benchmark::RegisterBenchmark(name.c_str(), run, flags)->MinTime(0.05);
    };
    add("push and pop", push_and_pop<Item>);
    add("push and pop, any size", any_size<Item>);
    add("push_many and pop_many by 32", many<Item>);
    add("in place by 32", in_place<Item>);
}

void add()
{
    struct form { const char *name; uint32_t flags; };
    for (const form &f : { form{ "tern indexed", 0 }, form{ "tern indexed waitable", WAITABLE },
                           form{ "tern sequenced", SEQUENCED },
                           form{ "tern sequenced waitable", SEQUENCED | WAITABLE } }) {
        tern_ring_desc desc = { 8, MEDIUM, f.flags };
        if (tern_ring_size(&desc) == 0) continue;   /* not in this library */
        add_size<item<8>>(f.name, f.flags);
        add_size<item<64>>(f.name, f.flags);
        add_size<item<1024>>(f.name, f.flags);
    }
}

const entry here(add);

} // namespace ring_call
