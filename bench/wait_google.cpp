/* SPDX-License-Identifier: MIT */
/*
 * wait_google.cpp: what it costs to wait for another thread, under Google Benchmark.
 *
 *     wait_google --benchmark_enable_random_interleaving=true --benchmark_repetitions=9
 *
 * wait/round trip ...           Two pinned threads take turns, and nobody spins: whoever has sent
 *     goes to sleep until the answer. Two sleeps, two wakes.
 * wait/adaptive round trip ...  The same with the spinning that a view has unless told otherwise.
 * wait/answer after ...         One thread asks and waits, with that spinning. The other one polls
 *     for the request, works for so long, and answers. The time is what the waiting adds.
 *
 * Counters, a round trip: "mean_ns", in which a pause of the machine weighs much, but also each wait
 * that tries whether spinning pays again, which the median hides; "sleeps", as the kernel counts
 * them (of both threads; after a request, only of the one that asks); "cpu_ns" and "partner_cpu_ns",
 * processor time of the thread that asks and of the other; "send_ns", the median of what sending
 * the answer takes.
 *
 * On two processors most of the time is the kernel's way of waking a processor that idles, which
 * varies by a factor in a virtual machine; with both threads on one processor there is no such
 * wake, and the cost of each contestant's own calls shows. There the kernel puts the woken thread
 * in the waker's place, so that only one of the two sleeps of a round trip is counted as one.
 * Label and line_ns are of the line between the two processors, even where only one is used.
 */
#include "google.hpp"
#include "wait_ways.hpp"

#include <numeric>
#include <sys/resource.h>

using namespace bench;

namespace {

/* What a thread has used since this object was made. */
struct usage {
    double cpu_s = seconds_of(CLOCK_THREAD_CPUTIME_ID), sleeps = sleeps_so_far();

    static double sleeps_so_far()
    {
        struct rusage all;
        getrusage(RUSAGE_THREAD, &all);
        return static_cast<double>(all.ru_nvcsw);
    }
    usage since() const
    {
        usage now;
        now.cpu_s -= cpu_s;
        now.sleeps -= sleeps;
        return now;
    }
};

struct waited : repetition {
    double mean = 0, sleeps = 0, cpu_ns = 0, partner_cpu_ns = 0, send_ns = 0;

    void times(std::vector<uint32_t> &took)
    {
        fill_percentiles(*this, took, took.size() / 10);
        mean = std::accumulate(took.begin(), took.end(), 0.0) * tick_ns() / static_cast<double>(took.size());
    }

    void used(const usage &asker, const usage &partner, size_t rounds)
    {
        sleeps = (asker.sleeps + partner.sleeps) / static_cast<double>(rounds);
        cpu_ns = asker.cpu_s * 1e9 / static_cast<double>(rounds);
        partner_cpu_ns = partner.cpu_s * 1e9 / static_cast<double>(rounds);
    }
};

/* Threads are pinned for a measurement only. */
class pinned {
public:
    explicit pinned(int cpu) { sched_getaffinity(0, sizeof before, &before), pin(cpu); }
    ~pinned() { sched_setaffinity(0, sizeof before, &before); }
    pinned(const pinned &) = delete;
    pinned &operator=(const pinned &) = delete;

private:
    cpu_set_t before;
};

bool repetition_goes_on(double start_s) { return now_s() - start_s < chosen().seconds; }

/* ---- Taking turns ------------------------------------------------------------------------------ */

template <class Way>
waited round_trip(const cpus &where)
{
    alignas(128) Way there;
    alignas(128) Way back;
    alignas(128) std::atomic<bool> over{false};
    usage partners;
    alignas(128) std::vector<uint32_t> took;   /* from here on, this thread's alone */
    std::thread partner([&] {
        pin(where.consumer);
        usage mine;
        for (;;) {
            there.receive();
            if (over.load(std::memory_order_relaxed)) break;
            back.send();
        }
        partners = mine.since();
    });
    pinned here(where.producer);
    took.reserve(1u << 20);
    usage mine;
    for (double start_s = now_s(); repetition_goes_on(start_s);) {
        for (int i = 0; i < 16; i++) {
            uint64_t start = ticks();
            there.send();
            back.receive();
            took.push_back(static_cast<uint32_t>(ticks_after_loads() - start));
        }
    }
    mine = mine.since();
    over.store(true, std::memory_order_relaxed);
    there.send();
    partner.join();
    waited result;
    result.used(mine, partners, took.size());
    result.times(took);
    return result;
}

/* ---- One waits, the other works ---------------------------------------------------------------- */

template <class Way>
waited answer_after(const cpus &where, double work_us)
{
    struct alignas(128) line { std::atomic<uint32_t> word{0}; };
    constexpr uint32_t OVER = UINT32_MAX;
    line request;
    alignas(128) Way back;
    alignas(128) const auto work_ticks = static_cast<uint64_t>(work_us * 1e3 / tick_ns());
    usage partners;
    alignas(128) std::vector<uint32_t> sending;   /* the partner's */
    alignas(128) std::vector<uint32_t> took;      /* this thread's */
    took.reserve(1u << 20);
    sending.reserve(1u << 20);
    std::thread partner([&] {
        pin(where.consumer);
        usage mine;
        for (uint32_t next = 1;; next++) {
            uint32_t seen;
            while ((seen = request.word.load(std::memory_order_acquire)) != next && seen != OVER) relax();
            if (seen == OVER) break;
            uint64_t due = ticks() + work_ticks;
            while (ticks() < due) {}
            uint64_t start = ticks();
            back.send();
            sending.push_back(static_cast<uint32_t>(ticks() - start));
        }
        partners = mine.since();
    });
    pinned here(where.producer);
    usage mine;
    uint32_t number = 0;
    for (double start_s = now_s(); repetition_goes_on(start_s);) {
        for (int i = 0; i < 16; i++) {
            uint64_t start = ticks();
            request.word.store(++number, std::memory_order_release);
            back.receive();
            uint64_t all = ticks_after_loads() - start;
            took.push_back(static_cast<uint32_t>(all > work_ticks ? all - work_ticks : 0));
        }
    }
    mine = mine.since();
    request.word.store(OVER, std::memory_order_release);
    partner.join();
    waited result;
    result.times(sending);
    result.send_ns = result.p50;
    result.used(mine, partners, took.size());
    result.sleeps = mine.sleeps / static_cast<double>(took.size());
    result.times(took);
    return result;
}

/* ---- Registering --------------------------------------------------------------------------------- */

template <class Run>
void cell(const std::string &name, bool one_processor, Run run)
{
    benchmark::RegisterBenchmark(name.c_str(), [one_processor, run](benchmark::State &state) {
        cpus both = default_cpus(), where = both;
        if (one_processor) where.consumer = where.producer;
        else if (where.producer == where.consumer) {
            state.SkipWithError("needs two processors");
            return;
        }
        for (auto _ : state) {
            waited result;
            repetition r = measured(both, [&] { return result = run(where); });
            report(state, r);
            state.counters["mean_ns"] = result.mean;
            state.counters["sleeps"] = result.sleeps;
            state.counters["cpu_ns"] = result.cpu_ns;
            state.counters["partner_cpu_ns"] = result.partner_cpu_ns;
            if (result.send_ns > 0) state.counters["send_ns"] = result.send_ns;
        }
    })->UseManualTime()->Iterations(1);
}

template <class Way>
void taking_turns(const std::string &what, const std::string &name)
{
    cell("wait/" + what + " between processors/" + name, false, round_trip<Way>);
    cell("wait/" + what + " on one processor/" + name, true, round_trip<Way>);
}

template <class Way>
void adaptive(const std::string &name)
{
    taking_turns<Way>("adaptive round trip", name);
    for (double us : { 0.2, 1.0, 5.0, 20.0, 100.0 }) {
        char text[16];
        std::snprintf(text, sizeof text, "%g", us);
        cell("wait/answer after " + std::string(text) + " us/" + name, false,
             [us](const cpus &where) { return answer_after<Way>(where, us); });
    }
}

} // namespace

int main(int argc, char **argv)
{
    constexpr uint32_t NONE = 0, USUAL = TERN_SPIN_CHECKS;
    chosen();
    taking_turns<bare_futex<0>>("round trip", "bare futex");
    taking_turns<tern_bells<NONE>>("round trip", "tern bell");
    taking_turns<tern_large_bells<NONE>>("round trip", "tern bell of 65,536");
    taking_turns<tern_rings<NONE>>("round trip", "tern ring of 1");
    taking_turns<tern_rings<NONE, TERN_RING_SEQUENCED>>("round trip", "tern sequenced ring of 1");
    taking_turns<tern_streams<NONE>>("round trip", "tern stream");
    taking_turns<tern_triples<NONE>>("round trip", "tern triple");
    taking_turns<bare_futex<FUTEX_PRIVATE_FLAG>>("round trip", "bare futex, threads only");
    taking_turns<semaphores>("round trip", "semaphore");
    taking_turns<condition_variables>("round trip", "condition variable");
    taking_turns<eventfds>("round trip", "eventfd");
    taking_turns<pipes>("round trip", "pipe");
    adaptive<bare_futex<0>>("bare futex");
    adaptive<bare_spin_futex<USUAL>>("bare fixed spin, then futex");
    adaptive<tern_bells<USUAL>>("tern bell");
    adaptive<tern_rings<USUAL>>("tern ring of 1");
    adaptive<tern_rings<USUAL, TERN_RING_SEQUENCED>>("tern sequenced ring of 1");
    adaptive<tern_streams<USUAL>>("tern stream");
    adaptive<tern_triples<USUAL>>("tern triple");
    for (const char *us : { "0.2", "1", "5", "20", "100" })
        cell("wait/answer after " + std::string(us) + " us/bare polling", false, [us](const cpus &where) {
            return answer_after<bare_polling>(where, std::atof(us));
        });
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
