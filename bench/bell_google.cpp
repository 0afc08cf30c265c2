/* SPDX-License-Identifier: MIT */
/*
 * bell_google.cpp: what ringing and collecting cost while nobody sleeps, under Google Benchmark.
 *
 *     bell_google --benchmark_enable_random_interleaving=true --benchmark_repetitions=9
 *
 * One pinned thread, no cache line moves: the price of the instructions. The contestants are the
 * same read-modify-writes by hand, and what others do instead: an unconditional wake, a bitmap
 * without a summary. The collects are timed alone; marking before them is not counted.
 */
#include "host.hpp"

#include <climits>
#include <cstdlib>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tern/tern.h>

#include <benchmark/benchmark.h>

using namespace bench;

namespace {

constexpr uint32_t SOURCES = 65536, LEAVES = SOURCES / 32;

struct local_bell {
    explicit local_bell(uint32_t sources)
    {
        tern_bell_desc desc = { sources };
        size_t size = tern_bell_size(&desc);
        memory = std::aligned_alloc(128, (size + 127) & ~size_t{127});
        if (!memory || tern_bell_format(memory, size, &desc) != TERN_OK ||
            tern_bell_attach(&bell, memory, size) != TERN_OK)
            std::abort();
    }
    ~local_bell() { std::free(memory); }
    local_bell(const local_bell &) = delete;
    local_bell &operator=(const local_bell &) = delete;

    tern_bell bell;
    void *memory;
};

struct alignas(128) line { std::atomic<uint32_t> word{0}; };

/* ---- Uncontended ------------------------------------------------------------------------------- */

void ring_and_collect(benchmark::State &state)
{
    local_bell b(31);
    uint32_t source = 0, bits = 0;
    for (auto _ : state) {
        tern_bell_ring(&b.bell, source);
        bits |= tern_bell_collect(&b.bell);
        source = source == 30 ? 0 : source + 1;
    }
    benchmark::DoNotOptimize(bits);
}

void two_bare(benchmark::State &state)
{
    line a;
    uint32_t source = 0, bits = 0;
    for (auto _ : state) {
        bits |= a.word.fetch_or(1u << source, std::memory_order_release);
        bits |= a.word.exchange(0, std::memory_order_acquire);
        source = source == 30 ? 0 : source + 1;
    }
    benchmark::DoNotOptimize(bits);
}

void ring_nobody_asleep(benchmark::State &state)
{
    local_bell b(31);
    uint32_t source = 0;
    for (auto _ : state) {
        tern_bell_ring(&b.bell, source);
        source = source == 30 ? 0 : source + 1;
    }
}

void bare_nobody_asleep(benchmark::State &state)
{
    line a;
    uint32_t source = 0;
    for (auto _ : state) {
        uint32_t was = a.word.fetch_or(1u << source, std::memory_order_release);
        benchmark::DoNotOptimize(was);
        source = source == 30 ? 0 : source + 1;
    }
}

void unconditional_wake(benchmark::State &state)
{
    line a;
    uint32_t source = 0;
    for (auto _ : state) {
        a.word.fetch_or(1u << source, std::memory_order_release);
        syscall(SYS_futex, &a.word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
        source = source == 30 ? 0 : source + 1;
    }
}

constexpr uint32_t STRIDE = 40503;   /* visits every source, far apart */

void ring_two_level(benchmark::State &state)
{
    local_bell b(SOURCES);
    uint32_t source = 0;
    for (auto _ : state) {
        tern_bell_ring(&b.bell, source);
        source = (source + STRIDE) % SOURCES;
    }
}

void bare_two_level(benchmark::State &state)
{
    static line root;
    static std::atomic<uint32_t> leaf[LEAVES];
    uint32_t source = 0;
    for (auto _ : state) {
        leaf[source / 32].fetch_or(1u << source % 32, std::memory_order_release);
        uint32_t was = root.word.fetch_or(1u << (source >> 12), std::memory_order_release);
        benchmark::DoNotOptimize(was);
        source = (source + STRIDE) % SOURCES;
    }
}

/* ---- Dirty bitmap --------------------------------------------------------------------------------- */

/* So many marks, then a collect whose time alone counts. */
template <class Mark, class Collect>
void collect_marks(benchmark::State &state, uint32_t marks, Mark mark, Collect collect)
{
    uint32_t source = 1;
    bool whole = true;
    for (auto _ : state) {
        for (uint32_t i = 0; i < marks; i++) {
            mark(source);
            source = (source + STRIDE) % SOURCES;
        }
        uint64_t start = ticks();
        uint32_t found = collect();
        state.SetIterationTime(static_cast<double>(ticks() - start) * tick_ns() * 1e-9);
        whole &= found == marks;
    }
    if (!whole) state.SkipWithError("marks were lost");
}

void collect_tern(benchmark::State &state, uint32_t marks)
{
    local_bell b(SOURCES);
    collect_marks(state, marks, [&](uint32_t source) { tern_bell_ring(&b.bell, source); }, [&] {
        tern_bell_pass pass;
        uint32_t first, bits, found = 0;
        tern_bell_begin(&b.bell, &pass);
        while (tern_bell_next(&pass, &first, &bits))
            while (bits) {
                uint32_t source = first + tern_bell_take(&bits);
                benchmark::DoNotOptimize(source);
                found++;
            }
        return found;
    });
}

void collect_every_word(benchmark::State &state, uint32_t marks)
{
    static std::atomic<uint32_t> word[LEAVES];
    collect_marks(state, marks, [&](uint32_t source) { word[source / 32].fetch_or(1u << source % 32); }, [&] {
        uint32_t found = 0;
        for (uint32_t w = 0; w < LEAVES; w++) {
            if (word[w].load(std::memory_order_relaxed) == 0) continue;
            uint32_t bits = word[w].exchange(0, std::memory_order_acquire);
            while (bits) {
                uint32_t source = w * 32 + tern_bell_take(&bits);
                benchmark::DoNotOptimize(source);
                found++;
            }
        }
        return found;
    });
}

} // namespace

int main(int argc, char **argv)
{
    auto add = [](const char *name, void (*run)(benchmark::State &)) { benchmark::RegisterBenchmark(name, run); };
    add("bell/ring + collect, uncontended/tern", ring_and_collect);
    add("bell/ring + collect, uncontended/two bare read-modify-writes", two_bare);
    add("bell/ring, nobody asleep/tern", ring_nobody_asleep);
    add("bell/ring, nobody asleep/bare fetch_or", bare_nobody_asleep);
    add("bell/ring, nobody asleep/fetch_or + unconditional futex wake", unconditional_wake);
    add("bell/ring, 65,536 sources/tern", ring_two_level);
    add("bell/ring, 65,536 sources/two bare read-modify-writes", bare_two_level);
    for (uint32_t marks : { 1u, 64u, 4096u }) {
        std::string group = "bell/collect " + std::to_string(marks) + " of 65,536/";
        auto collect = [&](const char *name, void (*run)(benchmark::State &, uint32_t)) {
            benchmark::RegisterBenchmark((group + name).c_str(), run, marks)->UseManualTime();
        };
        collect("tern", collect_tern);
        collect("a look at every word", collect_every_word);
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    pin(default_cpus().producer);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
