/* SPDX-License-Identifier: MIT */
/*
 * process_google.cpp: two processes, each on a processor of its own, under Google Benchmark.
 *
 *     process_google --benchmark_enable_random_interleaving=true --benchmark_repetitions=9
 *     process_google --benchmark_filter='^process/rate/64 B/' --seconds=0.5
 *
 *     process/rate/SIZE B         items one at a time, as fast as both can
 *     process/round trip/SIZE B   there and back, one under way
 *     process/frames/1 MiB        frames that are written whole and read whole
 *     raw/...                     the limits: one line, one futex, one core's memory
 *
 * One iteration is one repetition of --seconds (0.3); a disturbed one is tried again up to
 * --retries times (3). What ends in `threads` is the same ring between two threads.
 * Built with BENCH_FEW, which is how the tests build it, there are items of 64 B alone.
 */
#include "process_peers.hpp"
#include "process_raw.hpp"
#include "process_tern.hpp"

#if defined(PROCESS_HAVE_ICEORYX)
#  include "process_iceoryx.hpp"
#endif

#include "race_commit.h"

#include <functional>

#include <benchmark/benchmark.h>

using namespace bench;

namespace {

double seconds_each = 0.3;
int most_retries = 3;
const cpus where = default_cpus();

/* ---- One benchmark ----------------------------------------------------------------------- */

enum class what { rate, round_trip, frames };

using measurement = std::function<outcome()>;

void repetition(benchmark::State &state, const std::string &name, what kind, const measurement &measure)
{
    if (where.producer == where.consumer) {
        state.SkipWithError("needs two processors");
        return;
    }
    running = name;
    for (auto _ : state) {
        outcome result;
        label l = label::disturbed;
        double line_ns = 0;
        int retries = -1;
        while (l == label::disturbed && retries < most_retries) {
            retries++;
            double before_ns = line_round_trip_ns(where);
            result = measure();
            double after_ns = line_round_trip_ns(where);
            line_ns = (before_ns + after_ns) / 2;
            l = classify(before_ns, after_ns, result.producer_share, result.consumer_share);
        }
        state.SetIterationTime(kind == what::round_trip ? result.p50 * 1e-9 : 1 / result.rate);
        state.SetLabel(label_name(l));
        state.counters["items_per_second"] = result.rate;
        state.counters["line_ns"] = line_ns;
        state.counters["least_cpu_share"] = std::min(result.producer_share, result.consumer_share);
        state.counters["retries"] = retries;
        if (kind == what::frames) state.counters["bytes_per_second"] = result.rate * static_cast<double>(FRAME_BYTES);
        if (kind != what::round_trip) continue;
        state.counters["p50_ns"] = result.p50;
        state.counters["p99_ns"] = result.p99;
        state.counters["p999_ns"] = result.p999;
        state.counters["max_ns"] = result.max;
    }
}

void left_out(const std::string &name, const std::string &why)
{
    std::fprintf(stderr, "process_google: left out: %s: %s\n", name.c_str(), why.c_str());
}

/* Before: what must be there first; an answer that is not empty leaves the benchmark out. */
void add(const std::string &name, what kind, const measurement &measure,
         const std::function<std::string()> &before = nullptr)
{
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State &state) {
        std::string trouble = before ? before() : "";
        if (!trouble.empty()) state.SkipWithError(trouble.c_str());
        else repetition(state, name, kind, measure);
    })->UseManualTime()->Iterations(1)->Unit(benchmark::kNanosecond);
}

/* ---- Contestants ---------------------------------------------------------------------------- */

/* What must be there before a contestant can run; an empty answer: it is. */
using condition = std::function<std::string()>;

#if defined(BENCH_FEW)
constexpr bool built(size_t size) { return size == 64; }
#else
constexpr bool built(size_t) { return true; }
#endif

template <template <class> class WayOf, size_t Size>
void rate_of(const std::string &name, const condition &before)
{
    if constexpr (built(Size))
        add("process/rate/" + std::to_string(Size) + " B/" + name, what::rate,
            [] { return measure_rate<WayOf, item<Size>>(where, seconds_each); }, before);
}

template <template <class> class WayOf, size_t Size>
void trip_of(const std::string &name, const condition &before)
{
    if constexpr (built(Size))
        add("process/round trip/" + std::to_string(Size) + " B/" + name, what::round_trip,
            [] { return measure_round_trip<WayOf, item<Size>>(where, seconds_each); }, before);
}

template <template <class> class RateWay, template <class> class TripWay = RateWay>
void items_of(const std::string &name, const condition &before = nullptr)
{
    rate_of<RateWay, 8>(name, before);
    rate_of<RateWay, 64>(name, before);
    rate_of<RateWay, 1024>(name, before);
    trip_of<TripWay, 8>(name, before);
    trip_of<TripWay, 64>(name, before);
    trip_of<TripWay, 1024>(name, before);
}

template <class Way>
void frames_of(const std::string &name, const condition &before = nullptr)
{
    add("process/frames/1 MiB/" + name, what::frames, [] { return measure_frames<Way>(where, seconds_each); }, before);
}

template <uint32_t Flags, ends Ends, unsigned Pauses>
void tern_of(const std::string &name)
{
    using ways = tern_ways<Flags, Ends, Pauses>;
    items_of<ways::template items>(name);
    frames_of<typename ways::frames>(name);
}

/* One layout: plain, waitable, and between threads. */
template <uint32_t Layout>
void tern_layout_of(const std::string &name)
{
    if (!library_has(Layout)) {
        left_out(name, "the library has no such layout");
        return;
    }
    constexpr uint32_t WAITABLE = Layout | TERN_RING_WAITABLE;
    tern_of<Layout, ends::processes, 0>(name + ", bare");
    tern_of<Layout, ends::processes, 4>(name + ", pause 4");
    tern_of<Layout, ends::threads, 0>(name + ", threads, bare");
    tern_of<Layout, ends::threads, 4>(name + ", threads, pause 4");
    tern_of<WAITABLE, ends::processes, 0>(name + " waitable, bare");
    tern_of<WAITABLE, ends::processes, 4>(name + " waitable, pause 4");
    tern_of<WAITABLE, ends::processes, SLEEPING>(name + " waitable, sleeping");
}

template <unsigned Pauses>
void peers_of(const std::string &how)
{
    items_of<pipe_ways<Pauses>::template items>("pipe" + how);
    frames_of<copied_frames<pipe_ways<Pauses>::template items>>("pipe" + how);
    items_of<stream_ways<Pauses>::template items>("Unix stream" + how);
    frames_of<copied_frames<stream_ways<Pauses>::template items>>("Unix stream" + how);
    items_of<seqpacket_ways<Pauses>::template items>("Unix seqpacket" + how);
    items_of<posix_ways<Pauses>::template items>("POSIX mq" + how);
#if defined(PROCESS_HAVE_BOOST)
    items_of<boost_ways<Pauses>::template items>("boost message_queue" + how);
    frames_of<copied_frames<boost_ways<Pauses>::template items>>("boost message_queue" + how);
#endif
}

template <unsigned Pauses>
void zmq_of(const std::string &how)
{
#if defined(PROCESS_HAVE_ZMQ)
    using one_way = zmq_ways<Pauses, ZMQ_PUSH, ZMQ_PULL>;
    using pair = zmq_ways<Pauses, ZMQ_PAIR, ZMQ_PAIR>;
    items_of<one_way::template items, pair::template items>("ZeroMQ ipc" + how);
    frames_of<typename one_way::frames>("ZeroMQ ipc" + how);
#else
    left_out("ZeroMQ ipc" + how, "not installed when this was built");
#endif
}

template <unsigned Pauses>
void iceoryx_of(const std::string &how)
{
#if defined(PROCESS_HAVE_ICEORYX)
    std::string missing = roudi::obstacle();
    if (!missing.empty()) {
        left_out("iceoryx" + how, missing);
        return;
    }
    auto before = [] { return the_roudi.ready(); };
    items_of<iceoryx_ways<Pauses>::template items>("iceoryx" + how, before);
    frames_of<typename iceoryx_ways<Pauses>::frames>("iceoryx" + how, before);
#else
    left_out("iceoryx" + how, "not installed when this was built");
#endif
}

template <unsigned Pauses>
void raw_lines(const std::string &loop)
{
    add("raw/line round trip/processes" + loop, what::round_trip,
        [] { return raw_line<false, Pauses>::measure(where, seconds_each); });
    add("raw/line round trip/threads" + loop, what::round_trip,
        [] { return raw_line<true, Pauses>::measure(where, seconds_each); });
}

void raw_limits()
{
    raw_lines<0>(", bare");
    raw_lines<1>(", pause 1");
    raw_lines<4>(", pause 4");
    add("raw/futex round trip/processes", what::round_trip,
        [] { return measure_round_trip<raw_futex::items, item<8>>(where, seconds_each); });
    add("raw/copy 1 MiB/one core", what::frames, [] { return measure_one_core(where, seconds_each, true); });
    add("raw/write and read 1 MiB/one core", what::frames, [] { return measure_one_core(where, seconds_each, false); });
}

/* ---- Command line ---------------------------------------------------------------------------------- */

/* Take --NAME=NUMBER out of the arguments; false: there, but no number of at least 0. */
bool take_option(int &argc, char **argv, const char *name, double &value)
{
    bool fine = true;
    int kept = 1;
    size_t length = std::strlen(name);
    for (int i = 1; i < argc; i++) {
        if (std::strncmp(argv[i], name, length) != 0) {
            argv[kept++] = argv[i];
            continue;
        }
        char *end;
        value = std::strtod(argv[i] + length, &end);
        if (end == argv[i] + length || *end != '\0' || !(value >= 0) || value > 3600) {
            std::fprintf(stderr, "process_google: not a number from 0 to 3600: %s\n", argv[i]);
            fine = false;
        }
    }
    argc = kept;
    return fine;
}

} // namespace

int main(int argc, char **argv)
{
    double retries = most_retries;
    benchmark::Initialize(&argc, argv);
    if (!take_option(argc, argv, "--seconds=", seconds_each) || !take_option(argc, argv, "--retries=", retries) ||
        benchmark::ReportUnrecognizedArguments(argc, argv))
        return 2;
    most_retries = static_cast<int>(retries);
    tick_ns();   /* once, for all children */
    tern_layout_of<0>("tern indexed");
    tern_layout_of<SEQUENCED>("tern sequenced");
    peers_of<0>(", spinning, bare");
    peers_of<32>(", spinning, pause 32");
    peers_of<SLEEPING>(", sleeping");
    zmq_of<YIELDING>(", spinning");
    zmq_of<SLEEPING>(", sleeping");
    iceoryx_of<0>(", spinning, bare");
    iceoryx_of<32>(", spinning, pause 32");
    iceoryx_of<SLEEPING>(", sleeping");
    raw_limits();
    benchmark::AddCustomContext("commit", RACE_COMMIT);
    benchmark::AddCustomContext("compiler", compiler_name());
    benchmark::AddCustomContext("flags", PROCESS_FLAGS);
    benchmark::AddCustomContext("processor", processor_name());
    benchmark::AddCustomContext("POSIX mq depth", posix_depth(64) + " (64 B), " + posix_depth(1024) + " (1024 B)");
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
