/* SPDX-License-Identifier: MIT */
/*
 * triple_google.cpp: what handing over a frame costs, under Google Benchmark.
 *
 *     triple_google --benchmark_enable_random_interleaving=true --benchmark_repetitions=9
 *
 * Names: triple/what is measured/contestant. Uncontended: one thread does both sides and touches
 * no frame, so that only the handing over counts; the floor is two compare-exchanges whose
 * expected value is known. Contended: a writer and a reader on two processors, flat out for a
 * fixed time; each frame is written whole and each fresh one read whole and verified.
 */
#include "host.hpp"

#include <tern/tern.h>

#include <benchmark/benchmark.h>
#include <cstdlib>
#include <mutex>

using namespace bench;

namespace {

/* ---- Frames --------------------------------------------------------------------- */

/* Memory for contestants, whole pages, on other pages each time. */
struct pages {
    explicit pages(size_t size_bytes)
    {
        shuffle_pages();
        size = (size_bytes + 4095) & ~size_t{4095};
        at = static_cast<unsigned char *>(std::aligned_alloc(4096, size));
        if (!at) std::abort();
        std::memset(at, 0, size);
    }
    ~pages() { std::free(at); }
    pages(const pages &) = delete;
    pages &operator=(const pages &) = delete;

    unsigned char *at;
    size_t size;
};

inline void fill(void *frame, size_t words, uint64_t number)
{
    auto *word = static_cast<uint64_t *>(frame);
    for (size_t i = 0; i < words; i++) word[i] = number;
}

/* The number of a frame; 0 if it is torn. */
inline uint64_t verify(const void *frame, size_t words)
{
    auto *word = static_cast<const uint64_t *>(frame);
    uint64_t differs = 0;
    for (size_t i = 1; i < words; i++) differs |= word[i] ^ word[0];
    return differs ? 0 : word[0];
}

/* ---- Contestants ------------------------------------------------------------------
 * publish(number) and update() without a frame, publish_frame(number) and update_frame() with
 * one; the last two answer the frame's number, 0: nothing newer, and torn frames by ~0. Each side
 * works on its own half, copied into its thread. */

template <size_t Bytes>
struct tern_contestant {
    static constexpr size_t WORDS = Bytes / 8;
    tern_contestant() : memory(size_of())
    {
        tern_triple_desc desc = { Bytes };
        if (tern_triple_format(memory.at, memory.size, &desc) != TERN_OK) std::abort();
    }
    static size_t size_of()
    {
        tern_triple_desc desc = { Bytes };
        return tern_triple_size(&desc);
    }

    struct writer {
        explicit writer(tern_contestant &t)
        {
            if (tern_triple_attach_writer(&view, t.memory.at, t.memory.size) != TERN_OK) std::abort();
        }
        void publish() { tern_triple_publish(&view); }
        void publish_frame(uint64_t number)
        {
            fill(tern_triple_back(&view), WORDS, number);
            tern_triple_publish(&view);
        }
        tern_triple_writer view;
    };
    struct reader {
        explicit reader(tern_contestant &t)
        {
            if (tern_triple_attach_reader(&view, t.memory.at, t.memory.size) != TERN_OK) std::abort();
        }
        bool update() { return tern_triple_update(&view); }
        uint64_t update_frame()
        {
            if (!tern_triple_update(&view)) return 0;
            uint64_t number = verify(tern_triple_front(&view), WORDS);
            return number == tern_triple_frame(&view) ? number : ~uint64_t{0};
        }
        tern_triple_reader view;
    };
    pages memory;
};

/* The floor: one word, a compare-exchange a call, the expected value in a register as long as
 * nobody else moves. No frames: it hands over a number of 24 bits and nothing else. */
template <size_t>
struct bare_contestant {
    static constexpr uint32_t FRESH = 1, NUMBER = 2;
    struct alignas(128) line { std::atomic<uint32_t> word{0}; char pad[124]; };

    struct writer {
        explicit writer(bare_contestant &t) : word(t.shared.word) {}
        void publish()
        {
            uint32_t seen = word.load(std::memory_order_relaxed);
            while (!exchange(word, seen, (seen + NUMBER) | FRESH)) {}
        }
        void publish_frame(uint64_t) { publish(); }
        std::atomic<uint32_t> &word;
    };
    struct reader {
        explicit reader(bare_contestant &t) : word(t.shared.word) {}
        bool update()
        {
            uint32_t seen = word.load(std::memory_order_relaxed);
            while (seen & FRESH)
                if (exchange(word, seen, seen & ~FRESH)) return true;
            return false;
        }
        uint64_t update_frame()
        {
            if (!update()) return 0;
            return ++count;
        }
        std::atomic<uint32_t> &word;
        uint64_t count = 0;
    };
    static bool exchange(std::atomic<uint32_t> &word, uint32_t &seen, uint32_t next)
    {
        return word.compare_exchange_strong(seen, next, std::memory_order_acq_rel, std::memory_order_relaxed);
    }
    line shared;
};

/* Two buffers under a mutex: the writer fills one without it, and swaps under it; the reader
 * holds it for as long as it looks at the other one. */
template <size_t Bytes>
struct mutex_contestant {
    static constexpr size_t WORDS = Bytes / 8;
    mutex_contestant() : memory(2 * ((Bytes + 127) & ~size_t{127}) + 128) {}
    unsigned char *buffer(unsigned index) { return memory.at + index * ((Bytes + 127) & ~size_t{127}); }

    struct writer {
        explicit writer(mutex_contestant &whole) : t(whole) {}
        void publish()
        {
            std::lock_guard<std::mutex> hold(t.mutex);
            t.back ^= 1;
            t.fresh = true;
        }
        void publish_frame(uint64_t number)
        {
            fill(t.buffer(t.back), WORDS, number);   /* only the writer changes back */
            publish();
        }
        mutex_contestant &t;
    };
    struct reader {
        explicit reader(mutex_contestant &whole) : t(whole) {}
        bool update()
        {
            std::lock_guard<std::mutex> hold(t.mutex);
            bool was = t.fresh;
            t.fresh = false;
            return was;
        }
        uint64_t update_frame()
        {
            std::lock_guard<std::mutex> hold(t.mutex);
            if (!t.fresh) return 0;
            t.fresh = false;
            uint64_t number = verify(t.buffer(t.back ^ 1), WORDS);
            return number ? number : ~uint64_t{0};
        }
        mutex_contestant &t;
    };
    alignas(128) std::mutex mutex;
    unsigned back = 0;
    bool fresh = false;
    pages memory;
};

/* One buffer and a sequence number, odd while it is written; the reader copies, and again if the
 * number has moved. Words are relaxed atomics: anything else would be a data race. */
template <size_t Bytes>
struct seqlock_contestant {
    static constexpr size_t WORDS = Bytes / 8;
    seqlock_contestant() : words(WORDS) {}

    struct writer {
        explicit writer(seqlock_contestant &whole) : t(whole) {}
        void publish() { begin(), end(); }
        void publish_frame(uint64_t number)
        {
            begin();
            for (size_t i = 0; i < WORDS; i++) t.words[i].store(number, std::memory_order_relaxed);
            end();
        }
        void begin()
        {
            t.sequence.store(++own, std::memory_order_relaxed);
            std::atomic_thread_fence(std::memory_order_release);
        }
        void end() { t.sequence.store(++own, std::memory_order_release); }
        seqlock_contestant &t;
        uint32_t own = 0;
    };
    struct reader {
        explicit reader(seqlock_contestant &whole) : t(whole), copy(WORDS) {}
        bool update()
        {
            uint32_t now = t.sequence.load(std::memory_order_acquire);
            if (now == last || now & 1) return false;
            std::atomic_thread_fence(std::memory_order_acquire);
            if (t.sequence.load(std::memory_order_relaxed) != now) return false;
            last = now;
            return true;
        }
        uint64_t update_frame()
        {
            uint32_t now = t.sequence.load(std::memory_order_acquire);
            if (now == last || now & 1) return 0;
            for (size_t i = 0; i < WORDS; i++) copy[i] = t.words[i].load(std::memory_order_relaxed);
            std::atomic_thread_fence(std::memory_order_acquire);
            if (t.sequence.load(std::memory_order_relaxed) != now) return 0;
            last = now;
            uint64_t number = verify(copy.data(), WORDS);
            return number ? number : ~uint64_t{0};
        }
        seqlock_contestant &t;
        std::vector<uint64_t> copy;
        uint32_t last = 0;
    };
    alignas(128) std::atomic<uint32_t> sequence{0};
    char pad[124];
    std::vector<std::atomic<uint64_t>> words;
};

/* ---- Uncontended -------------------------------------------------------------------- */

template <class Contestant>
void uncontended(benchmark::State &state)
{
    pin(default_cpus().producer);
    Contestant shared;
    typename Contestant::writer writer(shared);
    typename Contestant::reader reader(shared);
    bool fine = true;
    for (auto _ : state) {
        writer.publish();
        benchmark::ClobberMemory();
        fine &= reader.update();
        benchmark::ClobberMemory();
    }
    if (!fine) state.SkipWithError("an update found nothing");
}

/* Both expected values are known beforehand: nothing but the two instructions. */
void two_compare_exchanges(benchmark::State &state)
{
    pin(default_cpus().producer);
    bare_contestant<8>::line shared;
    uint32_t now = 0;
    bool fine = true;
    for (auto _ : state) {
        uint32_t seen = now, next = (now + 2) | 1;
        fine &= bare_contestant<8>::exchange(shared.word, seen, next);
        benchmark::ClobberMemory();
        seen = next, now = next & ~1u;
        fine &= bare_contestant<8>::exchange(shared.word, seen, now);
        benchmark::ClobberMemory();
    }
    if (!fine) state.SkipWithError("a compare-exchange failed");
}

/* ---- Contended ----------------------------------------------------------------------- */

struct outcome {
    double publish_s, update_s;
    double least_share;
    bool fine, starved;      /* starved: not one update, and its time is that of the whole run */
};

/* Both flat out until the time is over. */
template <class Contestant>
outcome contend(double seconds)
{
    Contestant shared;
    start_gate gate;
    std::atomic<bool> over{false};
    uint64_t published = 0, updates = 0;
    double publishing_s = 0, updating_s = 0, shares[2] = { 1, 1 };
    bool fine = true;
    run_pair(default_cpus(), [&] {
        typename Contestant::writer writer(shared);
        cpu_share share;
        gate.pass();
        share.start();
        double start_s = now_s();
        do {
            for (int i = 0; i < 64; i++) writer.publish_frame(++published);
        } while (now_s() - start_s < seconds);
        publishing_s = now_s() - start_s;
        shares[0] = share.stop();
        over.store(true, std::memory_order_release);
    }, [&] {
        typename Contestant::reader reader(shared);
        cpu_share share;
        uint64_t last = 0;
        gate.pass();
        share.start();
        double start_s = now_s();
        while (!over.load(std::memory_order_relaxed)) {
            uint64_t number = reader.update_frame();
            if (number == 0) continue;
            fine &= number != ~uint64_t{0} && number > last;
            last = number;
            updates++;
        }
        updating_s = now_s() - start_s;
        shares[1] = share.stop();
    });
    double each_update = updates ? updating_s / static_cast<double>(updates) : updating_s;
    return { publishing_s / static_cast<double>(published), each_update, std::min(shares[0], shares[1]), fine,
             updates == 0 };
}

template <class Contestant>
void contended(benchmark::State &state, bool of_publish)
{
    cpus where = default_cpus();
    if (where.producer == where.consumer) {
        state.SkipWithError("needs two processors");
        return;
    }
    double least_share = 1;
    int starved = 0;
    for (auto _ : state) {
        outcome o = contend<Contestant>(0.02);
        if (!o.fine) {
            state.SkipWithError("a torn or stale frame");
            break;
        }
        state.SetIterationTime(of_publish ? o.publish_s : o.update_s);
        least_share = std::min(least_share, o.least_share);
        starved += o.starved;
    }
    state.counters["starved_runs"] = starved;
    state.counters["least_cpu_share"] = least_share;   /* below 0.97: disturbed */
}

/* ---- Names ------------------------------------------------------------------------------- */

template <template <size_t> class Contestant, size_t Bytes>
void register_one(const char *name, bool is_floor)
{
    const std::string size = Bytes < 1024 ? std::to_string(Bytes) + " B" : std::to_string(Bytes / 1024) + " KiB";
    auto full = [&](const char *what) { return "triple/" + (what + (", " + size + "/" + name)); };
    benchmark::RegisterBenchmark(full("publish + update, uncontended").c_str(),
                                 is_floor ? two_compare_exchanges : uncontended<Contestant<Bytes>>);
    if (is_floor && Bytes > 8) return;   /* it has no frames */
    for (bool of_publish : { true, false })
        benchmark::RegisterBenchmark(full(of_publish ? "publish, contended" : "fresh update, contended").c_str(),
                                     contended<Contestant<Bytes>>, of_publish)
            ->UseManualTime()->Iterations(5);
}

template <size_t Bytes>
void register_size()
{
    register_one<tern_contestant, Bytes>("tern", false);
    register_one<bare_contestant, Bytes>("two bare compare-exchanges", true);
    register_one<mutex_contestant, Bytes>("mutex, double buffer", false);
    register_one<seqlock_contestant, Bytes>("seqlock", false);
}

} // namespace

int main(int argc, char **argv)
{
    /* glibc's mutex takes no lock in a process that never had a second thread */
    std::thread([] {}).join();
    register_size<8>();
    register_size<65536>();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
