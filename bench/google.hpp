/* SPDX-License-Identifier: MIT */
/*
 * google.hpp: one repetition of a measurement as Google Benchmark reports it.
 *
 * A benchmark has one iteration, and that is one repetition of a fixed time; more of
 * them come from --benchmark_repetitions, interleaved with the other contestants'.
 * Each carries its label (cross-core, hyperthreads, disturbed); one that was
 * disturbed is tried again a few times. The manual time is that of one item, or the
 * median of a round trip, so that Google's own tools can compare runs.
 *
 *     TERN_BENCH_SECONDS   of a repetition; 0.1 unless said
 *     TERN_BENCH_RETRIES   of a disturbed one; 3 unless said
 */
#ifndef TERN_BENCH_GOOGLE_HPP
#define TERN_BENCH_GOOGLE_HPP

#include "host.hpp"
#include "rounds.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdlib>
#include <unistd.h>

namespace bench {

/* What one repetition gave. Rates in items a second, times in nanoseconds. */
struct repetition {
    double rate = 0;
    double p50 = 0, p99 = 0, p999 = 0, max = 0;   /* of a round trip; 0: none */
    double line_before_ns = 0, line_after_ns = 0;
    double producer_share = 1, consumer_share = 1;
    uint64_t items = 0;                           /* that were compared in it */
    label what = label::cross_core;
    unsigned retries = 0;
};

/* ---- Environment ----------------------------------------------------------------- */

inline double number_from_environment(const char *name, double fallback, double least, double most)
{
    const char *text = std::getenv(name);
    if (!text) return fallback;
    char *end;
    double value = std::strtod(text, &end);
    if (end != text && *end == '\0' && value >= least && value <= most) return value;
    std::fprintf(stderr, "%s: '%s' is no number from %g to %g\n", name, text, least, most);
    std::exit(2);
}

struct settings {
    double seconds = number_from_environment("TERN_BENCH_SECONDS", 0.1, 0.0001, 60);
    unsigned retries = static_cast<unsigned>(number_from_environment("TERN_BENCH_RETRIES", 3, 0, 100));
};

/* Read once; the first call ends the program if the environment makes no sense. */
inline const settings &chosen()
{
    static const settings value;
    return value;
}

/* ---- A repetition ------------------------------------------------------------------ */

/* Who loses an item may wait for it for ever: the program then ends by SIGALRM. */
class deadline {
public:
    explicit deadline(double seconds) { alarm(static_cast<unsigned>(seconds * 20) + 60); }
    ~deadline() { alarm(0); }
    deadline(const deadline &) = delete;
    deadline &operator=(const deadline &) = delete;
};

/* One repetition with its label; a disturbed one is tried again, a few times. */
template <class Run>
repetition measured(const cpus &where, const Run &run)
{
    constexpr uint32_t PROBE_ROUNDS = 4000;
    for (unsigned attempt = 0;; attempt++) {
        deadline limit(chosen().seconds);
        double before_ns = line_round_trip_ns(where, PROBE_ROUNDS);
        repetition r = run();
        r.line_before_ns = before_ns;
        r.line_after_ns = line_round_trip_ns(where, PROBE_ROUNDS);
        r.what = classify(r.line_before_ns, r.line_after_ns, r.producer_share, r.consumer_share);
        r.retries = attempt;
        if (r.what != label::disturbed || attempt == chosen().retries) return r;
        /* whoever it was may be gone a little later */
        std::this_thread::sleep_for(std::chrono::milliseconds(50 * (attempt + 1)));
    }
}

inline void report(benchmark::State &state, const repetition &r)
{
    state.SetIterationTime(r.p50 > 0 ? r.p50 * 1e-9 : 1 / r.rate);
    state.SetLabel(label_name(r.what));
    state.counters["items_per_second"] = r.rate;
    state.counters["items"] = static_cast<double>(r.items);
    if (r.p50 > 0) {
        state.counters["p50_ns"] = r.p50;
        state.counters["p99_ns"] = r.p99;
        state.counters["p999_ns"] = r.p999;
        state.counters["max_ns"] = r.max;
    }
    state.counters["line_ns"] = (r.line_before_ns + r.line_after_ns) / 2;
    state.counters["least_cpu_share"] = std::min(r.producer_share, r.consumer_share);
    state.counters["retries"] = r.retries;
}

/* Run() -> repetition, as the benchmark of that name. */
template <class Run>
void register_repetition(const std::string &name, unsigned pauses, Run run)
{
    benchmark::RegisterBenchmark(name.c_str(), [pauses, run](benchmark::State &state) {
        for (auto _ : state) report(state, measured(default_cpus(), run));
        state.counters["loop_pauses"] = pauses;
    })->UseManualTime()->Iterations(1);
}

/* ---- The run ------------------------------------------------------------------------- */

inline void add_context(const char *commit, const char *flags)
{
    benchmark::AddCustomContext("commit", commit);
    benchmark::AddCustomContext("compiler", compiler_name());
    benchmark::AddCustomContext("flags", flags);
    benchmark::AddCustomContext("processor", processor_name());
    benchmark::AddCustomContext("repetition_seconds", std::to_string(chosen().seconds));
}

} // namespace bench

#endif
