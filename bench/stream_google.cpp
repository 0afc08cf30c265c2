/* SPDX-License-Identifier: MIT */
/*
 * stream_google.cpp: what records cost in a stream, and in what people would use otherwise.
 *
 *     stream_google --benchmark_filter=transfer       two pinned threads, manual time
 *     stream_google --benchmark_filter=uncontended    one thread, no cache line moves
 *
 * Contestants of a group carry the same records through the same number of bytes. Each
 * record's number stands in every word; the reader compares the first and the last word of each, in
 * the measured loop, and one that is lost, doubled, torn or out of order ends the program.
 * "ring" has slots of just the records' size, which a stream can't beat: it is the price of a header
 * and of a length that is not known before. "ring, 1 KiB slots" carries any length up to 1 KiB.
 */
#include "item.hpp"

#include <tern/ring.h>
#include <tern/stream.h>

#include <benchmark/benchmark.h>
#include <cerrno>
#include <unistd.h>

using namespace bench;

namespace {

constexpr uint32_t SLOTS = 1024;

/* Memory for one object, at a multiple of 128 bytes. */
struct block {
    explicit block(size_t size_bytes) : size((size_bytes + 127) & ~size_t{127}), at(std::aligned_alloc(128, size))
    {
        if (!at) std::abort();
        std::memset(at, 0, size);
    }
    ~block() { std::free(at); }
    block(const block &) = delete;
    block &operator=(const block &) = delete;
    size_t size;
    void *at;
};

void expect_ok(tern_status status)
{
    if (status != TERN_OK) std::abort();
}

/* ---- Contestants: put(number) and take(number) for records of one size ------------------- */

template <unsigned Size, uint32_t Flags>
struct stream_ends {
    block memory;
    tern_stream_producer p;
    tern_stream_consumer c;
    stream_ends() : memory(bytes())
    {
        tern_stream_desc d = desc();
        expect_ok(tern_stream_format(memory.at, memory.size, &d));
        expect_ok(tern_stream_attach_producer(&p, memory.at, memory.size));
        expect_ok(tern_stream_attach_consumer(&c, memory.at, memory.size));
    }
    static tern_stream_desc desc() { return { uint64_t{SLOTS} * Size, Flags }; }
    static size_t bytes()
    {
        tern_stream_desc d = desc();
        return tern_stream_size(&d);
    }
};

template <unsigned Size, uint32_t Flags = 0>
struct stream_copying : stream_ends<Size, Flags> {
    static const char *name() { return Flags ? "stream, copying, waitable" : "stream, copying"; }
    static BENCH_INLINE bool put(tern_stream_producer &p, uint64_t number)
    {
        item<Size> i;
        i.stamp(number);
        return tern_stream_send(&p, 1, &i, Size);
    }
    static BENCH_INLINE bool take(tern_stream_consumer &c, uint64_t &number)
    {
        item<Size> i;
        uint32_t length, kind;
        if (!tern_stream_receive(&c, &i, Size, &length, &kind)) return false;
        number = length == Size && i.is(i.word[0]) ? i.word[0] : 0;
        return true;
    }
};

template <unsigned Size>
struct stream_in_place : stream_ends<Size, 0> {
    static const char *name() { return "stream, zero-copy"; }
    static BENCH_INLINE bool put(tern_stream_producer &p, uint64_t number)
    {
        auto *i = static_cast<item<Size> *>(tern_stream_reserve(&p, Size));
        if (!i) return false;
        i->stamp(number);
        tern_stream_commit(&p, Size);
        return true;
    }
    static BENCH_INLINE bool take(tern_stream_consumer &c, uint64_t &number)
    {
        uint32_t length, kind;
        auto *i = static_cast<const item<Size> *>(tern_stream_peek(&c, &length, &kind));
        if (!i) return false;
        number = length == Size && i->is(i->word[0]) ? i->word[0] : 0;
        tern_stream_release(&c);
        return true;
    }
};

template <class Slot, uint32_t Count>
struct ring_ends {
    block memory;
    tern_ring_producer p;
    tern_ring_consumer c;
    ring_ends() : memory(bytes())
    {
        tern_ring_desc d = desc();
        expect_ok(tern_ring_format(memory.at, memory.size, &d));
        expect_ok(tern_ring_attach_producer(&p, memory.at, memory.size));
        expect_ok(tern_ring_attach_consumer(&c, memory.at, memory.size));
    }
    static tern_ring_desc desc() { return { sizeof(Slot), Count, 0 }; }
    static size_t bytes()
    {
        tern_ring_desc d = desc();
        return tern_ring_size(&d);
    }
};

template <unsigned Size> struct typed;
#define TYPED(size)                                                                                  \
    TERN_RING_DEFINE(typed_##size, item<size>)                                                       \
    template <> struct typed<size> {                                                                 \
        using slot = item<size>;                                                                     \
        static BENCH_INLINE bool push(tern_ring_producer &p, const slot &i) { return typed_##size##_push(&p, &i); } \
        static BENCH_INLINE bool pop(tern_ring_consumer &c, slot &i) { return typed_##size##_pop(&c, &i); } \
    };
TYPED(8)
TYPED(64)
TYPED(256)
TYPED(1024)

template <unsigned Size>
struct ring_fixed : ring_ends<item<Size>, SLOTS> {
    static const char *name() { return "ring"; }
    static BENCH_INLINE bool put(tern_ring_producer &p, uint64_t number)
    {
        item<Size> i;
        i.stamp(number);
        return typed<Size>::push(p, i);
    }
    static BENCH_INLINE bool take(tern_ring_consumer &c, uint64_t &number)
    {
        item<Size> i;
        if (!typed<Size>::pop(c, i)) return false;
        number = i.is(i.word[0]) ? i.word[0] : 0;
        return true;
    }
};

/* Slots for the longest record; only the bytes that a record has are copied. */
struct wide_slot {
    uint32_t length, kind;
    unsigned char bytes[1024];
};
TERN_RING_DEFINE(wide_ring, wide_slot)

template <unsigned Size>
struct ring_wide : ring_ends<wide_slot, SLOTS> {
    static const char *name() { return "ring, 1 KiB slots"; }
    static BENCH_INLINE bool put(tern_ring_producer &p, uint64_t number)
    {
        item<Size> i;
        uint32_t got;
        i.stamp(number);
        wide_slot *slot = wide_ring_reserve(&p, 1, &got);
        if (!slot) return false;
        slot->length = Size;
        slot->kind = 1;
        std::memcpy(slot->bytes, &i, Size);
        wide_ring_commit(&p, 1);
        return true;
    }
    static BENCH_INLINE bool take(tern_ring_consumer &c, uint64_t &number)
    {
        item<Size> i;
        uint32_t got;
        const wide_slot *slot = wide_ring_peek(&c, 1, &got);
        if (!slot || slot->length > Size) return false;
        if (slot->length == Size) std::memcpy(&i, slot->bytes, Size);
        else std::memcpy(&i, slot->bytes, slot->length);
        wide_ring_release(&c, 1);
        number = i.is(i.word[0]) ? i.word[0] : 0;
        return true;
    }
};

/* Length and bytes in one write; two reads, since a pipe keeps no boundaries. */
template <unsigned Size>
struct pipe_ends {
    int p = -1, c = -1;
    pipe_ends()
    {
        int ends[2];
        if (pipe(ends) != 0) std::abort();
        c = ends[0];
        p = ends[1];
    }
    ~pipe_ends()
    {
        close(c);
        close(p);
    }
    pipe_ends(const pipe_ends &) = delete;
    pipe_ends &operator=(const pipe_ends &) = delete;
    static const char *name() { return "pipe"; }
    struct message {
        uint32_t length, kind;
        item<Size> i;
    };
    static bool get(int fd, void *to, size_t size)
    {
        for (size_t done = 0; done < size;) {
            ssize_t n = read(fd, static_cast<char *>(to) + done, size - done);
            if (n <= 0 && errno != EINTR) std::abort();
            if (n > 0) done += static_cast<size_t>(n);
        }
        return true;
    }
    static bool put(int fd, uint64_t number)
    {
        message m{};
        m.length = Size;
        m.i.stamp(number);
        return write(fd, &m, sizeof m) == static_cast<ssize_t>(sizeof m);   /* below PIPE_BUF: whole */
    }
    static bool take(int fd, uint64_t &number)
    {
        message m{};
        get(fd, &m, 8);
        if (m.length != Size) std::abort();
        get(fd, &m.i, Size);
        number = m.i.is(m.i.word[0]) ? m.i.word[0] : 0;
        return true;
    }
};

/* ---- Loops ------------------------------------------------------------------------------------- */

/* Put numbered records from 1 until the time is over, then LAST. */
template <class Contestant>
BENCH_NOINLINE void put_all(Contestant &contestant, double seconds)
{
    auto end = contestant.p;         /* a copy: its cursors stay in registers */
    double until_s = now_s() + seconds;
    uint64_t number = 1;
    do {
        for (uint64_t stop = number + CHUNK; number != stop; number++)
            while (!Contestant::put(end, number)) relax();
    } while (now_s() < until_s || number < 8 * CHUNK);   /* on a busy machine too, something to measure */
    while (!Contestant::put(end, LAST)) relax();
}

/* Seconds for one record, from the end of the first chunk on. */
template <class Contestant>
BENCH_NOINLINE double take_all(Contestant &contestant, uint64_t &records)
{
    auto end = contestant.c;
    uint64_t expected = 1, got = 0;
    double start_s = 0;
    for (;;) {
        while (!Contestant::take(end, got)) {}
        if (__builtin_expect(got != expected, 0)) {
            if (got == LAST) break;
            wrong_item(Contestant::name(), expected, got);
        }
        if (__builtin_expect(expected == CHUNK, 0)) start_s = now_s();
        expected++;
    }
    records = expected - 1 - CHUNK;
    return records ? (now_s() - start_s) / static_cast<double>(records) : 0;
}

template <class Contestant>
void transfer(benchmark::State &state)
{
    cpus where = default_cpus();
    if (where.producer == where.consumer) {
        state.SkipWithError("needs two processors");
        return;
    }
    double least_share = 1;
    int64_t all = 0;
    for (auto _ : state) {
        shuffle_pages();
        Contestant contestant;
        start_gate gate;
        cpu_share producer, consumer;
        double share_p = 1, share_c = 1, record_s = 0;
        uint64_t records = 0;
        run_pair(where, [&] {
            gate.pass();
            producer.start();
            put_all(contestant, 0.02);
            share_p = producer.stop();
        }, [&] {
            gate.pass();
            consumer.start();
            record_s = take_all(contestant, records);
            share_c = consumer.stop();
        });
        state.SetIterationTime(record_s * 1e6);    /* of a million records */
        all += 1000000;
        least_share = std::min({ least_share, share_p, share_c });
    }
    state.SetItemsProcessed(all);
    state.counters["least_cpu_share"] = least_share;   /* below 0.97: disturbed (a pipe sleeps) */
}

/* One thread, send + receive: bursts of 32, and never found empty. */
template <class Contestant>
void uncontended(benchmark::State &state)
{
    constexpr uint64_t BURST = 32;     /* with one more, what a pipe holds */
    Contestant contestant;
    auto p = contestant.p;
    auto c = contestant.c;
    uint64_t sent = 0, received = 0, number = 0;
    bool fine = Contestant::put(p, ++sent);
    for (auto _ : state) {
        for (uint64_t i = 0; i < BURST; i++) fine &= Contestant::put(p, ++sent);
        for (uint64_t i = 0; i < BURST; i++) fine &= Contestant::take(c, number) && number == ++received;
    }
    if (!fine) state.SkipWithError("a record was not sent or not received");
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(BURST));
}

template <class Contestant>
void register_one(unsigned size)
{
    const std::string records = " of " + std::to_string(size) + " B/" + Contestant::name();
    benchmark::RegisterBenchmark(("stream/transfer" + records).c_str(), transfer<Contestant>)
        ->UseManualTime()->Iterations(3)->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark(("stream/uncontended" + records).c_str(), uncontended<Contestant>);
}

template <unsigned Size>
void register_size()
{
    register_one<stream_copying<Size>>(Size);
    register_one<stream_in_place<Size>>(Size);
    register_one<stream_copying<Size, TERN_STREAM_WAITABLE>>(Size);
    register_one<ring_fixed<Size>>(Size);
    register_one<ring_wide<Size>>(Size);
    register_one<pipe_ends<Size>>(Size);
}

} // namespace

int main(int argc, char **argv)
{
    register_size<8>();
    register_size<64>();
    register_size<256>();
    register_size<1024>();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
