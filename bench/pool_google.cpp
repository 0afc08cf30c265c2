/* SPDX-License-Identifier: MIT */
/*
 * pool_google.cpp: what the pool's calls cost, under Google Benchmark.
 *
 *     pool_google --benchmark_filter='handle check'
 *     pool_google --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
 *
 * Names are pool/what is measured/contestant. An iteration is OPERATIONS calls of any
 * contestant; the counter per_op is the time of one. Within a group all do the same work on
 * items of 64 bytes. Threads are pinned.
 */
#include "host.hpp"

#include <benchmark/benchmark.h>
#include <tern/open.h>
#include <tern/pool.h>

#include <cstdlib>
#include <malloc.h>
#include <mutex>

#if defined(POOL_HAVE_URCU)
#  include "pool_urcu.h"
#endif

using namespace bench;

namespace {

constexpr uint32_t ITEMS = 1024, ITEM_BYTES = 64, OPERATIONS = 1024;
constexpr uint64_t OPERATIONS_OF_TWO = 100000;   /* of each of two threads, an iteration */

struct item {
    uint64_t next;                    /* the packed handle of another item: a chain through all of them */
    unsigned char bytes[ITEM_BYTES - 8];
};

void require(bool good)
{
    if (!good) std::abort();
}

/* A pool of whose ITEMS + 1 slots ITEMS / 2 are taken, chained in a random order. */
struct filled_pool {
    explicit filled_pool(bool in_region = false)
    {
        tern_pool_desc desc = { sizeof(item), ITEMS };
        tern_region region;
        size_t size = (tern_pool_size(&desc) + 127) & ~size_t{127};
        if (in_region) size += 65536;   /* its header and peer table */
        memory = std::aligned_alloc(128, size);
        require(memory);
        if (in_region) {
            require(tern_region_format(memory, size, nullptr) == TERN_OK);
            require(tern_region_attach(&region, memory, size, nullptr) == TERN_OK);
            require(tern_pool_open(&pool, &region, "pool", &desc) == TERN_OK);
        } else {
            require(tern_pool_format(memory, size, &desc) == TERN_OK);
            require(tern_pool_attach(&pool, memory, size) == TERN_OK);
        }
        for (uint32_t i = 0; i < ITEMS / 2; i++) {
            tern_handle h;
            void *at;
            if (tern_pool_alloc(&pool, &h, &at) != TERN_OK) std::abort();
            handles.push_back(h);
        }
        std::shuffle(handles.begin(), handles.end(), std::mt19937(1));
        for (size_t i = 0; i < handles.size(); i++)
            at(handles[i])->next = tern_handle_pack(handles[(i + 1) % handles.size()]);
    }
    ~filled_pool() { std::free(memory); }
    filled_pool(const filled_pool &) = delete;
    filled_pool &operator=(const filled_pool &) = delete;
    item *at(tern_handle h) { return static_cast<item *>(tern_pool_get(&pool, h)); }

    tern_pool pool;
    void *memory;
    std::vector<tern_handle> handles;
};

/* In a region: pins and slots on their way are in the hands of its one peer, so that its death frees them. */
struct filled_region : filled_pool {
    filled_region() : filled_pool(true) {}
};

/* The same chain in a plain array, no handle looked at but for its index. */
struct bare_array {
    bare_array() : items(ITEMS)
    {
        filled_pool like;
        for (tern_handle h : like.handles) items[h.index] = *like.at(h);
        handles = like.handles;
    }
    std::vector<item> items;
    std::vector<tern_handle> handles;
};

void per_op(benchmark::State &state, uint64_t operations)
{
    state.counters["per_op"] = benchmark::Counter(static_cast<double>(operations),
        benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

/* ---- Handle check ------------------------------------------------------------------- */

/* Handles known in advance: the checks overlap. */
void check_tern(benchmark::State &state)
{
    filled_pool f;
    const tern_pool pool = f.pool;
    uint64_t sum = 0;
    for (auto _ : state)
        for (uint32_t i = 0; i < OPERATIONS; i++) {
            auto *it = static_cast<const item *>(tern_pool_get(&pool, f.handles[i % (ITEMS / 2)]));
            if (it) sum += it->next;
        }
    benchmark::DoNotOptimize(sum);
    per_op(state, OPERATIONS);
}

void check_bare(benchmark::State &state)
{
    bare_array f;
    uint64_t sum = 0;
    for (auto _ : state)
        for (uint32_t i = 0; i < OPERATIONS; i++) {
            sum += f.items[f.handles[i % (ITEMS / 2)].index].next;
            benchmark::DoNotOptimize(sum);
        }
    per_op(state, OPERATIONS);
}

/* The next handle is in the item: each check waits for the one before. */
void chain_tern(benchmark::State &state)
{
    filled_pool f;
    const tern_pool pool = f.pool;
    tern_handle h = f.handles[0];
    for (auto _ : state)
        for (uint32_t i = 0; i < OPERATIONS; i++) {
            auto *it = static_cast<const item *>(tern_pool_get(&pool, h));
            if (!it) std::abort();
            h = tern_handle_unpack(it->next);
        }
    benchmark::DoNotOptimize(h);
    per_op(state, OPERATIONS);
}

void chain_bare(benchmark::State &state)
{
    bare_array f;
    tern_handle h = f.handles[0];
    for (auto _ : state)
        for (uint32_t i = 0; i < OPERATIONS; i++) {
            h = tern_handle_unpack(f.items[h.index].next);
            benchmark::DoNotOptimize(h);
        }
    per_op(state, OPERATIONS);
}

/* ---- Pin ----------------------------------------------------------------------------- */

template <class Pool>
void pin_tern(benchmark::State &state)
{
    Pool f;
    tern_pool pool = f.pool;
    const tern_handle h = f.handles[0];
    uint64_t sum = 0;
    for (auto _ : state)
        for (uint32_t i = 0; i < OPERATIONS; i++) {
            auto *it = static_cast<const item *>(tern_pool_pin(&pool, h));
            if (!it) std::abort();
            sum += it->next;
            tern_pool_unpin(&pool, h);
        }
    benchmark::DoNotOptimize(sum);
    per_op(state, OPERATIONS);
}

struct alignas(64) counted {
    std::atomic<uint64_t> pins{0};
    uint64_t next = 1;
};

void pin_bare(benchmark::State &state)
{
    counted c;
    uint64_t sum = 0;
    for (auto _ : state)
        for (uint32_t i = 0; i < OPERATIONS; i++) {
            c.pins.fetch_add(1, std::memory_order_acquire);
            sum += c.next;
            c.pins.fetch_sub(1, std::memory_order_release);
        }
    benchmark::DoNotOptimize(sum);
    per_op(state, OPERATIONS);
}

/* ---- Allocate and free ----------------------------------------------------------------- */

/* What one would write first: a stack of free indices and a generation each, under a mutex. */
struct mutex_pool {
    mutex_pool() : items(ITEMS), generations(ITEMS, 1), live(ITEMS, false)
    {
        for (uint32_t i = ITEMS; i > 0; i--) free_ones.push_back(i - 1);
    }
    bool alloc(tern_handle *h, void **at)
    {
        std::lock_guard<std::mutex> lock(mutex);
        if (free_ones.empty()) return false;
        h->index = free_ones.back();
        free_ones.pop_back();
        h->generation = generations[h->index];
        live[h->index] = true;
        *at = &items[h->index];
        return true;
    }
    bool free(tern_handle h)
    {
        std::lock_guard<std::mutex> lock(mutex);
        if (h.index >= ITEMS || !live[h.index] || generations[h.index] != h.generation) return false;
        live[h.index] = false;
        generations[h.index]++;
        free_ones.push_back(h.index);
        return true;
    }
    bool read(tern_handle h, void *out)
    {
        std::lock_guard<std::mutex> lock(mutex);
        if (h.index >= ITEMS || !live[h.index] || generations[h.index] != h.generation) return false;
        std::memcpy(out, &items[h.index], ITEM_BYTES);
        return true;
    }
    std::mutex mutex;
    std::vector<item> items;
    std::vector<uint32_t> free_ones, generations;
    std::vector<char> live;
};

template <class Pool>
struct by_tern {
    Pool f;
    void operator()(uint64_t count)
    {
        tern_pool pool = f.pool;
        tern_handle h;
        void *at;
        for (uint64_t i = 0; i < count; i++) {
            if (tern_pool_alloc(&pool, &h, &at) != TERN_OK) std::abort();
            static_cast<item *>(at)->next = i;
            if (tern_pool_free(&pool, h) != TERN_OK) std::abort();
        }
    }
};

struct by_mutex {
    mutex_pool pool;
    void operator()(uint64_t count)
    {
        tern_handle h;
        void *at;
        for (uint64_t i = 0; i < count; i++) {
            if (!pool.alloc(&h, &at)) std::abort();
            static_cast<item *>(at)->next = i;
            if (!pool.free(h)) std::abort();
        }
    }
};

struct by_malloc {
    void operator()(uint64_t count)
    {
        for (uint64_t i = 0; i < count; i++) {
            auto *it = static_cast<item *>(std::malloc(sizeof(item)));
            if (!it) std::abort();
            it->next = i;
            benchmark::DoNotOptimize(it);
            std::free(it);
        }
    }
};

#if defined(POOL_HAVE_URCU)
struct by_call_rcu {
    void operator()(uint64_t count)
    {
        pool_urcu_memb_enter();
        pool_urcu_memb_alloc_and_free(sizeof(item), count);
        pool_urcu_memb_leave();     /* waits for the last grace period */
    }
};
#endif

template <class Contestant>
void alloc_alone(benchmark::State &state)
{
    Contestant contestant;
    for (auto _ : state) contestant(OPERATIONS_OF_TWO);
    per_op(state, OPERATIONS_OF_TWO);
}

/* Both threads at once; the time is that of the slower one. */
template <class Work>
double seconds_of_two(Work work)
{
    cpus where = default_cpus();
    std::atomic<int> ready{0};
    double began[2], ended[2];
    auto run = [&](int which, int cpu) {
        pin(cpu);
        ready++;
        while (ready.load() < 2) tern_cpu_relax();
        began[which] = now_s();
        work();
        ended[which] = now_s();
    };
    std::thread other([&] { run(1, where.consumer); });
    std::thread first([&] { run(0, where.producer); });
    first.join();
    other.join();
    return std::max(ended[0], ended[1]) - std::min(began[0], began[1]);
}

template <class Contestant>
void alloc_two(benchmark::State &state)
{
    Contestant contestant;
    for (auto _ : state) state.SetIterationTime(seconds_of_two([&] { contestant(OPERATIONS_OF_TWO); }));
    per_op(state, OPERATIONS_OF_TWO);
}

/* ---- Two threads on one item --------------------------------------------------------------- */

void pin_two_tern(benchmark::State &state)
{
    filled_pool f;
    for (auto _ : state)
        state.SetIterationTime(seconds_of_two([&] {
            tern_pool pool = f.pool;
            for (uint64_t i = 0; i < OPERATIONS_OF_TWO; i++) {
                if (!tern_pool_pin(&pool, f.handles[0])) std::abort();
                tern_pool_unpin(&pool, f.handles[0]);
            }
        }));
    per_op(state, OPERATIONS_OF_TWO);
}

void pin_two_bare(benchmark::State &state)
{
    counted c;
    for (auto _ : state)
        state.SetIterationTime(seconds_of_two([&] {
            for (uint64_t i = 0; i < OPERATIONS_OF_TWO; i++) {
                c.pins.fetch_add(1, std::memory_order_acquire);
                c.pins.fetch_sub(1, std::memory_order_release);
            }
        }));
    per_op(state, OPERATIONS_OF_TWO);
}

/* ---- Read 64 bytes --------------------------------------------------------------------------- */

template <class Pool>
void read_tern(benchmark::State &state)
{
    Pool f;
    item out;
    for (auto _ : state)
        for (uint32_t i = 0; i < OPERATIONS; i++) {
            if (tern_pool_read(&f.pool, f.handles[i % (ITEMS / 2)], &out, ITEM_BYTES) != TERN_OK) std::abort();
            benchmark::DoNotOptimize(out);
        }
    per_op(state, OPERATIONS);
}

void read_bare(benchmark::State &state)
{
    bare_array f;
    item out;
    for (auto _ : state)
        for (uint32_t i = 0; i < OPERATIONS; i++) {
            std::memcpy(&out, &f.items[f.handles[i % (ITEMS / 2)].index], ITEM_BYTES);
            benchmark::DoNotOptimize(out);
        }
    per_op(state, OPERATIONS);
}

void read_mutex(benchmark::State &state)
{
    mutex_pool pool;
    std::vector<tern_handle> handles(ITEMS / 2);
    void *at;
    item out;
    for (tern_handle &h : handles) pool.alloc(&h, &at);
    std::shuffle(handles.begin(), handles.end(), std::mt19937(1));
    for (auto _ : state)
        for (uint32_t i = 0; i < OPERATIONS; i++) {
            if (!pool.read(handles[i % (ITEMS / 2)], &out)) std::abort();
            benchmark::DoNotOptimize(out);
        }
    per_op(state, OPERATIONS);
}

#if defined(POOL_HAVE_URCU)
template <void (*Enter)(), void (*Leave)(), uint64_t (*Sections)(uint64_t *const *, uint64_t)>
void sections(benchmark::State &state)
{
    uint64_t value = 1, *pointer = &value;
    Enter();
    for (auto _ : state) benchmark::DoNotOptimize(Sections(&pointer, OPERATIONS));
    Leave();
    per_op(state, OPERATIONS);
}

template <void (*Enter)(), void (*Leave)(), void (*Reads)(unsigned char *const *, unsigned char *, uint64_t)>
void section_reads(benchmark::State &state)
{
    unsigned char bytes[ITEM_BYTES] = {}, out[ITEM_BYTES], *pointer = bytes;
    Enter();
    for (auto _ : state) Reads(&pointer, out, OPERATIONS);
    Leave();
    per_op(state, OPERATIONS);
}
#endif

void add(const char *name, void (*run)(benchmark::State &))
{
    benchmark::RegisterBenchmark(("pool/" + std::string(name)).c_str(), run);
}

void add_two(const char *name, void (*run)(benchmark::State &))
{
    benchmark::RegisterBenchmark(("pool/" + std::string(name)).c_str(), run)->UseManualTime();
}

} // namespace

int main(int argc, char **argv)
{
    add("handle check/tern get", check_tern);
    add("handle check/bare array index", check_bare);
    add("handle check, chained/tern get", chain_tern);
    add("handle check, chained/bare array index", chain_bare);
    add("pin + unpin, uncontended/tern", pin_tern<filled_pool>);
    add("pin + unpin, uncontended/tern in a region", pin_tern<filled_region>);
    add("pin + unpin, uncontended/two bare read-modify-writes", pin_bare);
    add_two("pin + unpin, 2 threads on one item/tern", pin_two_tern);
    add_two("pin + unpin, 2 threads on one item/two bare read-modify-writes", pin_two_bare);
    add("alloc + free, uncontended/tern", alloc_alone<by_tern<filled_pool>>);
    add("alloc + free, uncontended/tern in a region", alloc_alone<by_tern<filled_region>>);
    add("alloc + free, uncontended/mutex and free list", alloc_alone<by_mutex>);
    add("alloc + free, uncontended/malloc and free", alloc_alone<by_malloc>);
    add_two("alloc + free, 2 threads/tern", alloc_two<by_tern<filled_pool>>);
    add_two("alloc + free, 2 threads/tern in a region", alloc_two<by_tern<filled_region>>);
    add_two("alloc + free, 2 threads/mutex and free list", alloc_two<by_mutex>);
    add_two("alloc + free, 2 threads/malloc and free", alloc_two<by_malloc>);
    add("read 64 bytes/tern", read_tern<filled_pool>);
    add("read 64 bytes/tern in a region", read_tern<filled_region>);
    add("read 64 bytes/bare copy by index", read_bare);
    add("read 64 bytes/mutex and copy", read_mutex);
#if defined(POOL_HAVE_URCU)
    add("pin + unpin, uncontended/liburcu qsbr read section",
        sections<pool_urcu_qsbr_enter, pool_urcu_qsbr_leave, pool_urcu_qsbr_sections>);
    add("pin + unpin, uncontended/liburcu memb read section",
        sections<pool_urcu_memb_enter, pool_urcu_memb_leave, pool_urcu_memb_sections>);
    add("alloc + free, uncontended/malloc and call_rcu", alloc_alone<by_call_rcu>);
    add_two("alloc + free, 2 threads/malloc and call_rcu", alloc_two<by_call_rcu>);
    add("read 64 bytes/liburcu qsbr, one hot item",
        section_reads<pool_urcu_qsbr_enter, pool_urcu_qsbr_leave, pool_urcu_qsbr_reads>);
    add("read 64 bytes/liburcu memb, one hot item",
        section_reads<pool_urcu_memb_enter, pool_urcu_memb_leave, pool_urcu_memb_reads>);
#endif
#if defined(POOL_HAVE_URCU)
    pool_urcu_memb_prepare();
#endif
    pin(default_cpus().producer);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
