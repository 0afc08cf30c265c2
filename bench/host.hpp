/* SPDX-License-Identifier: MIT */
/*
 * host.hpp: what a measurement needs to know about the machine it runs on.
 *
 * Threads are pinned, so that a round trip crosses cores; a virtual machine may
 * still put two "cores" on one physical core for a while, or take the processor
 * away. The raw round trip of one cache line tells the first, the share of the
 * processor that a thread got tells the second. Every repetition is labelled.
 */
#ifndef TERN_BENCH_HOST_HPP
#define TERN_BENCH_HOST_HPP

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <malloc.h>
#include <pthread.h>
#include <random>
#include <sched.h>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <vector>

#if defined(__x86_64__) || defined(__i386__)
#  include <x86intrin.h>
#endif

namespace bench {

#define BENCH_INLINE inline __attribute__((always_inline))
#define BENCH_NOINLINE __attribute__((noinline))

/* ---- Time ---------------------------------------------------------------- */

inline double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

inline double now_s() { return seconds_of(CLOCK_MONOTONIC); }

/* A cheap clock for single round trips: the time-stamp counter where there is one. */
BENCH_INLINE uint64_t ticks()
{
#if defined(__x86_64__) || defined(__i386__)
    return __rdtsc();
#elif defined(__aarch64__)
    uint64_t value;
    __asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
#endif
}

/* The same, read only after every load before it has its value. Otherwise a processor that
 * guesses the end of a polling loop reads the clock before the answer has come. */
BENCH_INLINE uint64_t ticks_after_loads()
{
#if defined(__x86_64__) || defined(__i386__)
    unsigned processor;
    return __rdtscp(&processor);
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" : : : "memory");
    return ticks();
#else
    return ticks();
#endif
}

/* Nanoseconds a tick, measured once over 20 ms. */
inline double tick_ns()
{
    static const double value = [] {
        double start_s = now_s();
        uint64_t start = ticks();
        while (now_s() - start_s < 0.02) {}
        return (now_s() - start_s) * 1e9 / static_cast<double>(ticks() - start);
    }();
    return value;
}

BENCH_INLINE void relax()
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/* ---- Threads --------------------------------------------------------------- */

struct cpus {
    int producer = 0, consumer = 1;
};

/* The first and the last processor that this process may use. */
inline cpus find_cpus()
{
    cpu_set_t set;
    cpus found;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return found;
    bool first = true;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &set)) continue;
        if (first) found.producer = i;
        found.consumer = i;
        first = false;
    }
    return found;
}

/// The first and the last processor that we may use, as it was before any thread was pinned.
inline const cpus cpus_at_start = find_cpus();
inline cpus default_cpus() { return cpus_at_start; }

inline void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(cpu), &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

/* The share of one processor that this thread got since start(). */
class cpu_share {
public:
    void start()
    {
        wall_s = now_s();
        cpu_s = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    }
    double stop() const
    {
        double wall = now_s() - wall_s;
        return wall > 0 ? (seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu_s) / wall : 1;
    }

private:
    double wall_s = 0, cpu_s = 0;
};

/* Both threads leave it together, as nearly as two cores can. */
class start_gate {
public:
    void pass()
    {
        arrived.fetch_add(1, std::memory_order_acq_rel);
        while (arrived.load(std::memory_order_acquire) < 2) relax();
    }

private:
    std::atomic<int> arrived{0};
};

/* Run one function on each of the two processors and wait for both. */
template <class Producer, class Consumer>
void run_pair(const cpus &where, Producer &&produce, Consumer &&consume)
{
    std::thread consumer([&] { pin(where.consumer); consume(); });
    std::thread producer([&] { pin(where.producer); produce(); });
    producer.join();
    consumer.join();
}

/* ---- The raw line ----------------------------------------------------------- */

/* Nanoseconds for one cache line to go to the other processor and come back. */
inline double line_round_trip_ns(const cpus &where, uint32_t rounds = 20000)
{
    struct alignas(128) line { std::atomic<uint32_t> value{0}; char pad[124]; };
    static line ball;
    start_gate gate;
    double took_s = 0;
    ball.value.store(0, std::memory_order_relaxed);
    run_pair(where, [&] {
        gate.pass();
        double start_s = now_s();
        for (uint32_t i = 0; i < rounds; i++) {
            ball.value.store(2 * i + 1, std::memory_order_release);
            while (ball.value.load(std::memory_order_acquire) != 2 * i + 2) {}
        }
        took_s = now_s() - start_s;
    }, [&] {
        gate.pass();
        for (uint32_t i = 0; i < rounds; i++) {
            while (ball.value.load(std::memory_order_acquire) != 2 * i + 1) {}
            ball.value.store(2 * i + 2, std::memory_order_release);
        }
    });
    return took_s * 1e9 / rounds;
}

/* ---- Memory ------------------------------------------------------------------- */

/* Where on the chip a line is at home depends on its physical address, and moves a round
 * trip between 170 and 280 ns here. So each repetition gets other pages: large blocks come
 * fresh from the system, and a random number of pages is taken out of its hands first. */
inline void shuffle_pages()
{
    constexpr size_t PAGE = 4096, KEPT = 64;
    struct block { void *at; size_t size; };
    static std::vector<block> kept(KEPT, block{ nullptr, 0 });
    static std::minstd_rand random(1);
    static size_t next = 0;
    mallopt(M_MMAP_THRESHOLD, PAGE);
    block &b = kept[next++ % KEPT];
    if (b.at) munmap(b.at, b.size);
    b.size = PAGE * (1 + random() % 64);
    b.at = mmap(nullptr, b.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (b.at == MAP_FAILED) b = { nullptr, 0 };
}

/* ---- Labels -------------------------------------------------------------------- */

enum class label { cross_core, hyperthreads, disturbed };

inline const char *label_name(label l)
{
    switch (l) {
    case label::cross_core: return "cross-core";
    case label::hyperthreads: return "hyperthreads";
    default: return "disturbed";
    }
}

/* Two hyperthreads of a core share its first-level cache: 35 to 60 ns a round
 * trip. Cores of one socket need 100 to 300. */
constexpr double HYPERTHREADS_BELOW_NS = 80;
constexpr double CPU_SHARE_AT_LEAST = 0.97;

inline label classify(double line_before_ns, double line_after_ns, double producer_share, double consumer_share)
{
    if (std::min(producer_share, consumer_share) < CPU_SHARE_AT_LEAST) return label::disturbed;
    double low = std::min(line_before_ns, line_after_ns), high = std::max(line_before_ns, line_after_ns);
    if (high < HYPERTHREADS_BELOW_NS) return label::hyperthreads;
    /* the cores moved meanwhile, or something else had them */
    if (low < HYPERTHREADS_BELOW_NS || high > 2 * low) return label::disturbed;
    return label::cross_core;
}

/* ---- Numbers ---------------------------------------------------------------------- */

struct summary {
    double median = 0, min = 0, max = 0;
    size_t count = 0;
};

inline summary summarize(std::vector<double> values)
{
    summary s;
    if (values.empty()) return s;
    std::sort(values.begin(), values.end());
    size_t n = values.size();
    s.median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
    s.min = values.front();
    s.max = values.back();
    s.count = n;
    return s;
}

/* ---- Machine ------------------------------------------------------------------------ */

inline std::string processor_name()
{
    std::ifstream file("/proc/cpuinfo");
    for (std::string row; std::getline(file, row);) {
        if (row.compare(0, 10, "model name") != 0) continue;
        size_t colon = row.find(": ");
        if (colon != std::string::npos) return row.substr(colon + 2);
    }
    return "unknown";
}

inline std::string compiler_name()
{
#if defined(__clang__)
    return std::string("clang ") + __clang_version__;
#else
    return std::string("gcc ") + __VERSION__;
#endif
}

} // namespace bench

#endif
