/* SPDX-License-Identifier: MIT */
/*
 * ring_google.cpp: what a ring call costs, under Google Benchmark.
 *
 *     ring_google --benchmark_filter=single        one thread, no cache line moves
 *     ring_google --benchmark_filter=transfer      two pinned threads, manual time
 *
 * The single-threaded figures are the price of the instructions alone; they show
 * what an extra check or a generic item size costs. The transfers use the loops of
 * ring_race, one fixed number of seconds a repetition, but without its labels: use
 * ring_race to compare, and this to watch a change while making it.
 */
#include "race_run.hpp"

#include <benchmark/benchmark.h>

using namespace bench;

namespace {

constexpr uint32_t BATCH = 32;

/* A ring with both views, for one thread. */
template <class Item>
struct local_ring {
    explicit local_ring(uint32_t flags)
    {
        tern_ring_desc desc = { sizeof(Item), CAPACITY, flags };
        size_t size = (tern_ring_size(&desc) + 127) & ~size_t{127};
        memory = std::aligned_alloc(128, size);
        if (!memory || tern_ring_format(memory, size, &desc) != TERN_OK ||
            tern_ring_attach_producer(&p, memory, size) != TERN_OK ||
            tern_ring_attach_consumer(&c, memory, size) != TERN_OK)
            std::abort();
    }
    ~local_ring() { std::free(memory); }
    local_ring(const local_ring &) = delete;
    local_ring &operator=(const local_ring &) = delete;

    tern_ring_producer p;
    tern_ring_consumer c;
    void *memory;
};

/* One thread fills half the ring and drains all but the last item, so that the consumer
 * never finds it empty: what is measured is a call, not the slip after draining. */
template <class Item, class Push, class Pop>
void cycle(benchmark::State &state, uint32_t flags, Push push, Pop pop, uint32_t each)
{
    local_ring<Item> ring(flags);
    tern_ring_producer p = ring.p;
    tern_ring_consumer c = ring.c;
    uint32_t rounds = CAPACITY / 2 / each;
    bool fine = push(p) && push(p);
    for (auto _ : state) {
        for (uint32_t i = 0; i < rounds; i++) fine &= push(p);
        for (uint32_t i = 0; i < rounds; i++) fine &= pop(c);
    }
    if (!fine) state.SkipWithError("a push or pop failed");
    state.SetItemsProcessed(state.iterations() * rounds * each);
}

template <unsigned Size>
void single_typed(benchmark::State &state, uint32_t flags)
{
    item<Size> in{}, out{};
    cycle<item<Size>>(state, flags,
        [&](tern_ring_producer &p) { in.word[0]++; return ring_push(p, in); },
        [&](tern_ring_consumer &c) { bool got = ring_pop(c, out); benchmark::DoNotOptimize(out); return got; }, 1);
}

template <unsigned Size>
void single_generic(benchmark::State &state, uint32_t flags)
{
    item<Size> in{}, out{};
    cycle<item<Size>>(state, flags,
        [&](tern_ring_producer &p) { in.word[0]++; return tern_ring_push(&p, &in); },
        [&](tern_ring_consumer &c) { bool got = tern_ring_pop(&c, &out); benchmark::DoNotOptimize(out); return got; }, 1);
}

template <unsigned Size>
void single_batch(benchmark::State &state, uint32_t flags)
{
    item<Size> in[BATCH] = {}, out[BATCH];
    cycle<item<Size>>(state, flags,
        [&](tern_ring_producer &p) { in[0].word[0]++; return tern_ring_push_many(&p, in, BATCH) == BATCH; },
        [&](tern_ring_consumer &c) {
            bool got = tern_ring_pop_many(&c, out, BATCH) == BATCH;
            benchmark::DoNotOptimize(out);
            return got;
        }, BATCH);
}

template <unsigned Size>
void single_zero_copy(benchmark::State &state, uint32_t flags)
{
    uint64_t number = 0, sum = 0;
    cycle<item<Size>>(state, flags,
        [&](tern_ring_producer &p) {
            uint32_t got;
            auto *slots = static_cast<item<Size> *>(tern_ring_reserve(&p, BATCH, &got));
            if (got != BATCH) return false;
            for (uint32_t i = 0; i < got; i++) slots[i].stamp(number++);
            tern_ring_commit(&p, got);
            return true;
        },
        [&](tern_ring_consumer &c) {
            uint32_t got;
            auto *slots = static_cast<const item<Size> *>(tern_ring_peek(&c, BATCH, &got));
            if (got != BATCH) return false;
            for (uint32_t i = 0; i < got; i++) sum += slots[i].word[0];
            tern_ring_release(&c, got);
            return true;
        }, BATCH);
    benchmark::DoNotOptimize(sum);
}

/* Two threads; the time that counts is the consumer's, per item. */
template <class Queue, class Item>
void transfer(benchmark::State &state)
{
    cpus where = default_cpus();
    if (where.producer == where.consumer) {
        state.SkipWithError("needs two processors");
        return;
    }
    uint64_t items = 0;
    double least_share = 1;
    for (auto _ : state) {
        repetition r = throughput<Queue, Item, 1>(where, 0.05);
        state.SetIterationTime(static_cast<double>(r.items) / r.rate);
        items += r.items;
        least_share = std::min({ least_share, r.producer_share, r.consumer_share });
    }
    state.SetItemsProcessed(static_cast<int64_t>(items));
    state.counters["least_cpu_share"] = least_share;   /* below 0.97: disturbed */
}

template <unsigned Size>
void register_size()
{
    using Item = item<Size>;
    const std::string size = "/" + std::to_string(Size);
    auto single = [&](const char *name, void (*run)(benchmark::State &, uint32_t), uint32_t flags) {
        benchmark::RegisterBenchmark(("single/" + std::string(name) + size).c_str(), run, flags);
    };
    single("typed", single_typed<Size>, 0u);
    single("generic", single_generic<Size>, 0u);
    single("waitable", single_typed<Size>, TERN_RING_WAITABLE);
    single("batch32", single_batch<Size>, 0u);
    single("zero_copy32", single_zero_copy<Size>, 0u);

    auto two = [&](const char *name, void (*run)(benchmark::State &)) {
        benchmark::RegisterBenchmark(("transfer/" + std::string(name) + size).c_str(), run)
            ->UseManualTime()->Iterations(5)->Unit(benchmark::kMillisecond);
    };
    two("tern", transfer<tern_queue<Item>, Item>);
    two("tern_waitable", transfer<tern_queue<Item, TERN_RING_WAITABLE>, Item>);
#if defined(RACE_HAVE_BOOST)
    two("boost", transfer<boost_queue<Item>, Item>);
#endif
#if defined(RACE_HAVE_MOODYCAMEL)
    two("moodycamel", transfer<moodycamel_queue<Item>, Item>);
#endif
#if defined(RACE_HAVE_CK)
    two("ck_ring", transfer<ck_queue<Item>, Item>);
#endif
#if defined(RACE_HAVE_ATOMIC_QUEUE)
    two("atomic_queue", transfer<atomic_queue_of<Item, false, true, true>, Item>);
#endif
}

} // namespace

int main(int argc, char **argv)
{
    register_size<8>();
    register_size<64>();
    register_size<1024>();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::AddCustomContext("item loops", "race_run.hpp, capacity 1,024");
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
