/* SPDX-License-Identifier: MIT */
/*
 * ring_google.cpp: Tern's ring beside the SPSC queues that Debian ships.
 *
 *     ring_google --benchmark_list_tests
 *     ring_google --benchmark_filter='^ring/single/8 B/capacity 1024/balanced/'
 *                 --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
 *     ring_google --benchmark_filter='^raw/'      what the machine can do at best
 *     ring_google --benchmark_filter='^call/'     one thread: the price of the instructions
 *
 * Two pinned threads; ring_cells.hpp has the cells, ring_run.hpp the loops, google.hpp
 * what a repetition is, and docs/benchmarks.md how to read the answer. Nothing is
 * allocated before a benchmark runs, so choosing one by a filter costs nothing.
 */
#include "race_commit.h"
#include "ring_cells.hpp"

using namespace bench;

namespace {

/* What the slower side of "producer slower" and "consumer slower" does more. */
double extra_work_ns()
{
    constexpr int ITEMS = 200000;
    extra_work work;
    double start_s = now_s();
    for (int i = 0; i < ITEMS; i++) work.spend(static_cast<uint64_t>(i));
    return (now_s() - start_s) * 1e9 / ITEMS;
}

} // namespace

int main(int argc, char **argv)
{
    cpus where = default_cpus();
    if (where.producer == where.consumer) {
        std::fprintf(stderr, "ring_google needs two processors\n");
        return 77;   /* a skipped test */
    }
    for (void (*add)() : entries()) add();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    add_context(RACE_COMMIT, RING_FLAGS);
    benchmark::AddCustomContext("slower_side_ns_per_item", std::to_string(extra_work_ns()));
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
