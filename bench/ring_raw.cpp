/* SPDX-License-Identifier: MIT */
/*
 * ring_raw.cpp: what two cores of this machine can do at best, for the figures of queues.
 *
 *     raw/line round trip/one line             one cache line there and back: p50 and tail,
 *                                              timed as the queues' round trips are
 *     raw/line round trip/two lines            one there, another back, as between two queues
 *     raw/hand-over 8 B/chunks of N items      a buffer of 8 KiB that changes hands chunk by
 *     raw/hand-over 1 KiB/chunks of N items    chunk; of 1 MiB
 *
 * A hand-over has the footprint of a ring of 1,024 items and nothing of a queue but one
 * word a chunk; both sides ask for lines ahead. Each item is written and compared by itself, as numbered items are
 * everywhere here: 8 bytes with one store and one load each, which no compiler may
 * join. The best of the chunk sizes is therefore the ceiling of any ring that takes
 * 8-byte items one at a time; batches, which may be copied by wider instructions, have
 * the ceiling "raw/hand-over 8 B joined".
 */
#include "ring_cells.hpp"

using namespace bench;

namespace ring_raw {

/* ---- One line, or one each way ------------------------------------------------------------------------ */

struct alignas(128) line {
    std::atomic<uint64_t> value{0};
};

/* Odd numbers go there, even ones come back. */
BENCH_NOINLINE void serve_line(line &there, line &back, const job &j, std::vector<uint32_t> &took)
{
    const unsigned pauses = j.pauses;
    uint64_t number = 0;
    round_clock clock(took, j.seconds);
    do {
        number += 2;
        there.value.store(number - 1, std::memory_order_release);
        while (back.value.load(std::memory_order_acquire) != number) pause_for(pauses);
    } while (clock.next());
    there.value.store(LAST, std::memory_order_release);
}

BENCH_NOINLINE void reply_line(line &there, line &back, const job &j)
{
    const unsigned pauses = j.pauses;
    uint64_t got = 0, seen;   /* seen: what stands there while nothing has come */
    for (uint64_t expected = 1;; expected += 2) {
        seen = &there == &back && expected != 1 ? expected - 1 : got;
        while ((got = there.value.load(std::memory_order_acquire)) == seen) pause_for(pauses);
        if (got == LAST) return;
        if (got != expected) wrong_item(j.name.c_str(), expected, got);
        back.value.store(expected + 1, std::memory_order_release);
    }
}

template <bool Two>
repetition run_line(const job &j)
{
    repetition result;
    shuffle_pages();
    line_memory memory(4096);   /* on pages of its own */
    line *there = new (memory.get()) line[2];
    line *back = there + Two;
    std::vector<uint32_t> took = room_for_rounds(j.seconds);
    start_gate gate;
    run_pair(j.where, [&] {
        cpu_share share;
        gate.pass();
        share.start();
        serve_line(*there, *back, j, took);
        result.producer_share = share.stop();
    }, [&] {
        cpu_share share;
        gate.pass();
        share.start();
        reply_line(*there, *back, j);
        result.consumer_share = share.stop();
    });
    fill_percentiles(result, took, WARM_ROUNDS);
    return result;
}

/* ---- A buffer that changes hands ---------------------------------------------------------- */

/* Chunks of Chunk items, and a word for each on a line pair of its own: 2 n + 1 when it was
 * filled in lap n, 2 n + 2 when it may be filled again. */
template <unsigned Size, uint32_t Chunk>
class buffer {
public:
    static constexpr uint32_t CHUNKS = MEDIUM / Chunk;
    static constexpr unsigned LINE_BYTES = 64;
    static constexpr unsigned AHEAD_BYTES = 512;
    static constexpr uint32_t PER_LINE = Size < LINE_BYTES ? LINE_BYTES / Size : 1;   /* items */
    static constexpr uint32_t AHEAD = Size < AHEAD_BYTES ? AHEAD_BYTES / Size : 1;                  /* items */
    struct alignas(128) turn {
        std::atomic<uint64_t> value{0};
    };

    explicit buffer(const ring_setup &)
        : memory(sizeof(item<Size>) * MEDIUM), items(static_cast<item<Size> *>(memory.get()))
    {
    }
    item<Size> *chunk(uint64_t index) const { return items + index % CHUNKS * Chunk; }
    /* The lines of an item that comes some lines after item i of a chunk. */
    template <bool ToWrite>
    BENCH_INLINE void ask_ahead(uint64_t index, uint32_t i) const
    {
        uint32_t at = static_cast<uint32_t>(index % CHUNKS) * Chunk + i + AHEAD;
        const char *bytes = reinterpret_cast<const char *>(items + at % MEDIUM);
        for (unsigned offset = 0; offset < Size; offset += LINE_BYTES) __builtin_prefetch(bytes + offset, ToWrite);
    }
    turn &of(uint64_t index) { return turns[index % CHUNKS]; }
    static constexpr uint64_t lap(uint64_t index) { return index / CHUNKS; }

private:
    line_memory memory;
    item<Size> *items;
    turn turns[CHUNKS];
};

/* Forbids the compiler to join this item with its neighbours in one wide instruction. */
BENCH_INLINE void alone(uint64_t &number) { __asm__ __volatile__("" : "+r"(number)); }

template <unsigned Size, uint32_t Chunk, bool Joined>
BENCH_NOINLINE uint64_t fill(buffer<Size, Chunk> &b, const job &j)
{
    const unsigned pauses = j.pauses;
    const uint64_t least = j.least_items();
    double until_s = now_s() + j.seconds;
    uint64_t number = 1, index = 0;
    bool more = true;
    while (more) {
        item<Size> *items = b.chunk(index);
        while (b.of(index).value.load(std::memory_order_acquire) != 2 * b.lap(index)) pause_for(pauses);
        for (uint32_t i = 0; i < Chunk; i += b.PER_LINE) {
            b.template ask_ahead<true>(index, i);
            for (uint32_t k = i; k < i + b.PER_LINE; k++) {
                uint64_t stamp = number + k;
                if (!Joined) alone(stamp);
                items[k].stamp(stamp);
            }
        }
        b.of(index).value.store(2 * b.lap(index) + 1, std::memory_order_release);
        number += Chunk;
        index++;
        if (number % CHUNK == 1) more = now_s() < until_s || number <= least;
    }
    while (b.of(index).value.load(std::memory_order_acquire) != 2 * b.lap(index)) pause_for(pauses);
    b.chunk(index)->stamp(LAST);
    b.of(index).value.store(2 * b.lap(index) + 1, std::memory_order_release);
    return number - 1;
}

/* 1 if an item is not what it should be. */
template <bool Joined, unsigned Size>
BENCH_INLINE uint64_t is_wrong(const item<Size> &i, uint64_t expected)
{
    if (!Joined) alone(expected);
    if constexpr (Size == 8) return i.word[0] != expected;
    item<Size> in = i;   /* as from a queue: into the reader's own memory */
    return !in.is(expected);
}

template <unsigned Size, uint32_t Chunk, bool Joined>
BENCH_NOINLINE consumed drain(buffer<Size, Chunk> &b, const job &j)
{
    const unsigned pauses = j.pauses;
    batch_clock clock{ j.warm_items() };
    uint64_t number = 1;
    for (uint64_t index = 0;; index++) {
        const item<Size> *items = b.chunk(index);
        while (b.of(index).value.load(std::memory_order_acquire) != 2 * b.lap(index) + 1) pause_for(pauses);
        uint64_t wrong = 0;
        for (uint32_t i = 0; i < Chunk; i += b.PER_LINE) {
            if (i + b.AHEAD < Chunk) b.template ask_ahead<false>(index, i);   /* what is known to be filled */
            for (uint32_t k = i; k < i + b.PER_LINE; k++) wrong += is_wrong<Joined>(items[k], number + k);
        }
        if (__builtin_expect(wrong != 0, 0)) {
            expect_last(j, number, items[0]);
            clock.stop_s = now_s();
            return clock.result(number);
        }
        b.of(index).value.store(2 * b.lap(index) + 2, std::memory_order_release);
        number += Chunk;
        clock.look(number);
    }
}

template <unsigned Size, uint32_t Chunk, bool Joined>
repetition run_hand_over(const job &j)
{
    return transfer<buffer<Size, Chunk>>(j, fill<Size, Chunk, Joined>, drain<Size, Chunk, Joined>);
}

/* ---- Registration ---------------------------------------------------------------------------- */

template <unsigned Size, bool Joined, uint32_t... Chunks>
void hand_over(const char *cell)
{
    auto one = [&](uint32_t chunk, run_fn run) {
        contestant c;
        c.name = "chunks of " + std::to_string(chunk) + " items";
        c.loops = { { "", 1 } };
        enter(cell, MEDIUM, c, run);
    };
    (one(Chunks, run_hand_over<Size, Chunks, Joined>), ...);
}

void add()
{
    contestant c;
    c.name = "one line";
    enter("raw/line round trip", MEDIUM, c, run_line<false>);
    c.name = "two lines";
    enter("raw/line round trip", MEDIUM, c, run_line<true>);
    hand_over<8, false, 32, 64, 128, 256, 512>("raw/hand-over 8 B");
    hand_over<8, true, 32, 64, 128, 256, 512>("raw/hand-over 8 B joined");
    hand_over<16, false, 32, 64, 128, 256, 512>("raw/hand-over 16 B");
    hand_over<64, false, 8, 16, 64, 128, 256>("raw/hand-over 64 B");
    hand_over<256, false, 4, 8, 16, 64, 256>("raw/hand-over 256 B");
    hand_over<1024, false, 1, 4, 16, 64, 256>("raw/hand-over 1 KiB");
}

const entry here(add);

} // namespace ring_raw
