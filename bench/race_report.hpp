/* SPDX-License-Identifier: MIT */
/*
 * race_report.hpp: options of the race, its table and its JSON.
 *
 * Medians are taken over repetitions with one label only: the cross-core ones,
 * or, if the machine never gave any, those of hyperthreads. Disturbed repetitions
 * are kept in the JSON and counted in the table, never in a median.
 */
#ifndef TERN_BENCH_RACE_REPORT_HPP
#define TERN_BENCH_RACE_REPORT_HPP

#include "race_run.hpp"

#include <sys/utsname.h>

#if defined(RACE_HAVE_COMMIT)
#  include "race_commit.h"
#else
#  define RACE_COMMIT "unknown"
#endif
#ifndef RACE_FLAGS
#  define RACE_FLAGS "unknown"
#endif

namespace bench {

constexpr unsigned ALL_SIZES[] = { 8, 16, 64, 256, 1024 };

struct options {
    unsigned repetitions = 7, retries = 5;
    double seconds = 0.3;
    std::string json, only;
    std::vector<unsigned> sizes{ ALL_SIZES, ALL_SIZES + 5 };
    bool run_throughput = true, run_round_trip = true, smoke = false;
    cpus where = default_cpus();
};

inline bool usage(const char *program)
{
    std::fprintf(stderr,
        "usage: %s [--reps N] [--seconds S] [--retries N] [--sizes 8,64] [--only NAME]\n"
        "       [--throughput | --round-trip] [--cpus P,C] [--quick] [--json FILE] [--smoke]\n", program);
    return false;
}

inline std::vector<unsigned> numbers(const char *text)
{
    std::vector<unsigned> list;
    for (const char *at = text; *at;) {
        char *end;
        list.push_back(static_cast<unsigned>(std::strtoul(at, &end, 10)));
        if (end == at) return {};
        at = *end == ',' ? end + 1 : end;
    }
    return list;
}

inline bool parse(options &o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        std::string key = argv[i];
        const char *value = i + 1 < argc ? argv[i + 1] : nullptr;
        if (key == "--smoke") { o.smoke = true; continue; }
        if (key == "--throughput") { o.run_round_trip = false; continue; }
        if (key == "--round-trip") { o.run_throughput = false; continue; }
        if (key == "--quick") {
            o.repetitions = 3;
            o.seconds = 0.1;
            o.sizes = { 8, 64 };
            continue;
        }
        if (!value) return usage(argv[0]);
        i++;
        if (key == "--reps") o.repetitions = static_cast<unsigned>(std::strtoul(value, nullptr, 10));
        else if (key == "--retries") o.retries = static_cast<unsigned>(std::strtoul(value, nullptr, 10));
        else if (key == "--seconds") o.seconds = std::strtod(value, nullptr);
        else if (key == "--json") o.json = value;
        else if (key == "--only") o.only = value;
        else if (key == "--sizes") o.sizes = numbers(value);
        else if (key == "--cpus") {
            std::vector<unsigned> both = numbers(value);
            if (both.size() != 2) return usage(argv[0]);
            o.where = { static_cast<int>(both[0]), static_cast<int>(both[1]) };
        } else return usage(argv[0]);
    }
    for (unsigned size : o.sizes)
        if (std::find(std::begin(ALL_SIZES), std::end(ALL_SIZES), size) == std::end(ALL_SIZES)) return usage(argv[0]);
    return o.repetitions > 0 && o.seconds > 0 && !o.sizes.empty() ? true : usage(argv[0]);
}

/* One contestant in one race. */
struct outcome {
    std::string name;
    bool own;
    unsigned pauses, size;
    bool latency;
    std::vector<repetition> repetitions;

    size_t count(label l) const
    {
        return static_cast<size_t>(std::count_if(repetitions.begin(), repetitions.end(),
                                                 [l](const repetition &r) { return r.what == l; }));
    }
    summary of(double repetition::*field, label l) const
    {
        std::vector<double> values;
        for (const repetition &r : repetitions)
            if (r.what == l) values.push_back(r.*field);
        return summarize(values);
    }
};

inline void print_machine(const options &o)
{
    struct utsname host;
    uname(&host);
    std::printf("%s, %u processors, %s %s %s\n%s, flags: %s, commit %s\n", processor_name().c_str(),
                std::thread::hardware_concurrency(), host.sysname, host.release, host.machine,
                compiler_name().c_str(), RACE_FLAGS, RACE_COMMIT);
    std::printf("capacity %u, producer on cpu %d, consumer on cpu %d, %u repetitions of %.2f s, "
                "one line and back: %.0f ns\n",
                CAPACITY, o.where.producer, o.where.consumer, o.repetitions, o.seconds,
                line_round_trip_ns(o.where));
}

/* The label that the table is about. */
inline label label_of(const std::vector<outcome> &list)
{
    size_t cross = 0;
    for (const outcome &x : list) cross += x.count(label::cross_core);
    return cross ? label::cross_core : label::hyperthreads;
}

/* How much better than the best peer: above 1 is better, for rates and for times. */
inline double against(const outcome &x, double best_peer, label l)
{
    double mine = x.of(x.latency ? &repetition::p50 : &repetition::rate, l).median;
    if (mine <= 0 || best_peer <= 0) return 0;
    return x.latency ? best_peer / mine : mine / best_peer;
}

inline double best_of_peers(const std::vector<outcome> &list, label l)
{
    double best = 0;
    for (const outcome &x : list) {
        double value = x.of(x.latency ? &repetition::p50 : &repetition::rate, l).median;
        if (x.own || value <= 0) continue;
        if (best <= 0 || (x.latency ? value < best : value > best)) best = value;
    }
    return best;
}

inline void print_row(const outcome &x, double best_peer, double own, label l)
{
    std::string name = x.name + (x.pauses ? " +" + std::to_string(x.pauses) + " pause" : "");
    double ratio = against(x, best_peer, l);
    double mine = x.of(x.latency ? &repetition::p50 : &repetition::rate, l).median;
    bool wins = !x.own && mine > 0 && (x.latency ? mine < own : mine > own);
    if (x.latency) {
        std::printf("  %-38s %7.0f %7.0f %7.0f %9.0f   %7.0f..%-7.0f %5.2fx %s", name.c_str(), mine,
                    x.of(&repetition::p99, l).median, x.of(&repetition::p999, l).median,
                    x.of(&repetition::max, l).median, x.of(&repetition::p50, l).min,
                    x.of(&repetition::p50, l).max, ratio, wins ? "< ahead of tern" : "");
    } else {
        summary s = x.of(&repetition::rate, l);
        std::printf("  %-38s %8.1f   %8.1f..%-8.1f %5.2fx %s", name.c_str(), s.median / 1e6, s.min / 1e6,
                    s.max / 1e6, ratio, wins ? "< ahead of tern" : "");
    }
    size_t dropped = x.repetitions.size() - x.count(l);
    if (dropped) std::printf(" (%zu of %zu dropped)", dropped, x.repetitions.size());
    std::printf("\n");
}

inline void print_table(const std::vector<outcome> &list)
{
    if (list.empty()) return;
    label l = label_of(list);
    const outcome &first = list.front();
    std::printf("\n%u bytes, %s, %s\n", first.size, first.latency ? "round trip" : "throughput", label_name(l));
    if (first.latency)
        std::printf("  %-38s %7s %7s %7s %9s   %-16s %s\n", "ns", "p50", "p99", "p99.9", "max",
                    "min..max of p50", "best peer / this");
    else
        std::printf("  %-38s %8s   %-18s %s\n", "million items a second", "median", "   min..max", "this / best peer");
    double best_peer = best_of_peers(list, l);
    double own = 0;   /* the best of the plain ring's loops: what a peer has to beat */
    for (const outcome &x : list) {
        double value = x.of(x.latency ? &repetition::p50 : &repetition::rate, l).median;
        if (x.name != first.name || value <= 0) continue;
        if (own <= 0 || (x.latency ? value < own : value > own)) own = value;
    }
    for (const outcome &x : list) print_row(x, best_peer, own, l);
    std::fflush(stdout);
}

/* ---- JSON ------------------------------------------------------------------------------ */

inline void write_repetition(std::FILE *file, const repetition &r, bool latency, bool last)
{
    std::fprintf(file, "        {\"label\": \"%s\", \"line_ns\": [%.0f, %.0f], \"cpu_share\": [%.3f, %.3f], \"items\": %llu, ",
                 label_name(r.what), r.line_before_ns, r.line_after_ns, r.producer_share, r.consumer_share,
                 static_cast<unsigned long long>(r.items));
    if (latency)
        std::fprintf(file, "\"p50_ns\": %.1f, \"p99_ns\": %.1f, \"p999_ns\": %.1f, \"max_ns\": %.0f}%s\n",
                     r.p50, r.p99, r.p999, r.max, last ? "" : ",");
    else
        std::fprintf(file, "\"items_per_s\": %.0f}%s\n", r.rate, last ? "" : ",");
}

inline void write_outcome(std::FILE *file, const outcome &x, bool last)
{
    std::fprintf(file, "    {\"race\": \"%s\", \"item_bytes\": %u, \"name\": \"%s\", \"pauses_after_failure\": %u, \"own\": %s,\n",
                 x.latency ? "round_trip" : "throughput", x.size, x.name.c_str(),
                 x.pauses, x.own ? "true" : "false");
    for (label l : { label::cross_core, label::hyperthreads }) {
        summary s = x.of(x.latency ? &repetition::p50 : &repetition::rate, l);
        if (s.count)
            std::fprintf(file, "      \"%s\": {\"median\": %.1f, \"min\": %.1f, \"max\": %.1f, \"count\": %zu},\n",
                         label_name(l), s.median, s.min, s.max, s.count);
    }
    std::fprintf(file, "      \"repetitions\": [\n");
    for (size_t i = 0; i < x.repetitions.size(); i++)
        write_repetition(file, x.repetitions[i], x.latency, i + 1 == x.repetitions.size());
    std::fprintf(file, "      ]}%s\n", last ? "" : ",");
}

inline bool write_json(const std::vector<outcome> &all, const options &o)
{
    std::FILE *file = std::fopen(o.json.c_str(), "w");
    if (!file) return false;
    struct utsname host;
    uname(&host);
    std::fprintf(file, "{\n  \"program\": \"ring_race\",\n  \"processor\": \"%s\",\n  \"processors\": %u,\n"
                 "  \"system\": \"%s %s %s\",\n  \"compiler\": \"%s\",\n  \"flags\": \"%s\",\n  \"commit\": \"%s\",\n",
                 processor_name().c_str(), std::thread::hardware_concurrency(), host.sysname, host.release,
                 host.machine, compiler_name().c_str(), RACE_FLAGS, RACE_COMMIT);
    std::fprintf(file, "  \"capacity_items\": %u,\n  \"repetitions\": %u,\n  \"seconds\": %.3f,\n  \"outcomes\": [\n",
                 CAPACITY, o.repetitions, o.seconds);
    for (size_t i = 0; i < all.size(); i++) write_outcome(file, all[i], i + 1 == all.size());
    std::fprintf(file, "  ]\n}\n");
    return std::fclose(file) == 0;
}

} // namespace bench

#endif
