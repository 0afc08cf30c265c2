/* SPDX-License-Identifier: MIT */
/*
 * ring_run.hpp: one repetition of one queue, throughput or round trip.
 *
 * The loops are the same for everybody. A queue is made from a ring_setup, freshly
 * for each repetition, and has two ends:
 *     auto p = queue.producer();  p.push(item) -> bool,  p.push_many(items, n) -> how many
 *     auto c = queue.consumer();  c.pop(item)  -> bool,  c.pop_many(items, n)  -> how many
 *     p.write(n, fill), c.read(n, look): up to n items in their places -> how many
 * BATCH says that it has the many-forms: single calls in a loop stand for them
 * otherwise. IN_PLACE says that it has write and read; others stay out of those cells.
 *
 * An end is taken by value and lives in the thread's stack frame, as a user of Tern
 * is told to do. Whether a failed try pauses before the next one is the loop's
 * choice, not the queue's.
 */
#ifndef TERN_BENCH_RING_RUN_HPP
#define TERN_BENCH_RING_RUN_HPP

#include "google.hpp"
#include "item.hpp"

#include <memory>

namespace bench {

/* What to make. */
struct ring_setup {
    uint32_t capacity = 1024;
    uint32_t flags = 0;           /* of a Tern ring */
    uint32_t release_every = 0;   /* of a Tern ring; 0 leaves the default */
};

/* What to do with it. */
struct job {
    std::string name;             /* to complain by */
    ring_setup setup;
    unsigned pauses = 0;          /* after a failed try */
    double seconds = 0.1;
    cpus where = default_cpus();

    /* A lap at least, when all pages and lines are warm. */
    uint64_t warm_items() const { return std::max<uint64_t>(CHUNK, setup.capacity); }
    /* On a busy machine too, something to measure. */
    uint64_t least_items() const { return warm_items() + CHUNK; }
};

/* What a consumer saw. */
struct consumed {
    uint64_t all = 0, timed = 0;
    double took_s = 0;
};

/* About 12 cycles an item: four multiplications, each of which needs the one before, also
 * across items. What is sent depends on them, so nobody can do without or do them later. */
class extra_work {
public:
    extra_work() { __asm__ __volatile__("" : "+r"(zero)); }   /* nobody knows that it is */
    BENCH_INLINE uint64_t spend(uint64_t number)
    {
        state ^= number;
        for (int i = 0; i < 4; i++) {
            state *= 0x9e3779b97f4a7c15u;
            __asm__ __volatile__("" : "+r"(state));
        }
        return number + (state & zero);
    }

private:
    uint64_t state = 1, zero = 0;
};

BENCH_INLINE void pause_for(unsigned pauses)
{
    for (unsigned i = 0; i != pauses; i++) relax();
}

template <class End, class Item>
BENCH_INLINE void push_one(End &end, const Item &i, unsigned pauses)
{
    while (__builtin_expect(!end.push(i), 0)) pause_for(pauses);
}

template <class End, class Item>
BENCH_INLINE void pop_one(End &end, Item &i, unsigned pauses)
{
    while (__builtin_expect(!end.pop(i), 0)) pause_for(pauses);
}

template <class End, class Item>
BENCH_INLINE uint32_t push_up_to(End &end, const Item *items, uint32_t count)
{
    if constexpr (End::BATCH) return end.push_many(items, count);
    uint32_t n = 0;
    while (n != count && end.push(items[n])) n++;
    return n;
}

template <class End, class Item>
BENCH_INLINE uint32_t pop_up_to(End &end, Item *items, uint32_t count)
{
    if constexpr (End::BATCH) return end.pop_many(items, count);
    uint32_t n = 0;
    while (n != count && end.pop(items[n])) n++;
    return n;
}

/* An item that is not the expected one has to be the sign of the end. */
template <class Item>
BENCH_NOINLINE void expect_last(const job &j, uint64_t expected, const Item &i)
{
    constexpr unsigned END = Item::WORDS - 1;
    if (i.word[0] != LAST || i.word[END] != LAST)
        wrong_item(j.name.c_str(), expected, i.word[0] == expected ? i.word[END] : i.word[0]);
}

/* ---- One by one: numbered items from 1 until the time is over, then LAST ------------------- */

template <class Queue, class Item, bool Slower>
BENCH_NOINLINE uint64_t produce_single(Queue &queue, const job &j)
{
    auto end = queue.producer();
    const unsigned pauses = j.pauses;
    const uint64_t least = j.least_items();
    double until_s = now_s() + j.seconds;
    uint64_t number = 1;
    extra_work work;
    Item out{};
    do {
        for (uint64_t stop = number + CHUNK; number != stop; number++) {
            out.stamp(Slower ? work.spend(number) : number);
            push_one(end, out, pauses);
        }
    } while (now_s() < until_s || number <= least);
    out.stamp(LAST);
    push_one(end, out, pauses);
    return number - 1;
}

template <class Queue, class Item, bool Slower>
BENCH_NOINLINE consumed consume_single(Queue &queue, const job &j)
{
    auto end = queue.consumer();
    const unsigned pauses = j.pauses;
    const uint64_t warm = j.warm_items();
    double start_s = 0;
    uint64_t expected = 1;
    extra_work work;
    Item in{};
    for (uint64_t stop = warm + 1;; stop = LAST) {   /* until warm, then for good */
        for (; expected != stop; expected++) {
            pop_one(end, in, pauses);
            if (__builtin_expect(!in.is(expected), 0)) {
                expect_last(j, expected, in);
                return { expected - 1, expected - 1 - warm, now_s() - start_s };
            }
            if (Slower) work.spend(in.word[0]);
        }
        start_s = now_s();
    }
}

/* ---- By batches, which end with a batch of LAST --------------------------------------------- */

template <class Queue, class Item, uint32_t Batch>
BENCH_NOINLINE uint64_t produce_batch(Queue &queue, const job &j)
{
    auto end = queue.producer();
    const unsigned pauses = j.pauses;
    const uint64_t least = j.least_items();
    double until_s = now_s() + j.seconds;
    uint64_t number = 1;
    Item out[Batch] = {};
    auto push_all = [&]() __attribute__((always_inline)) {
        for (uint32_t done = 0; done != Batch;) {
            uint32_t n = push_up_to(end, out + done, Batch - done);
            if (__builtin_expect(n == 0, 0)) pause_for(pauses);
            done += n;
        }
    };
    do {
        for (uint64_t stop = number + CHUNK; number != stop; number += Batch) {
            for (uint32_t i = 0; i < Batch; i++) out[i].stamp(number + i);
            push_all();
        }
    } while (now_s() < until_s || number <= least);
    for (Item &i : out) i.stamp(LAST);
    push_all();
    return number - 1;
}

/* Counts what it sees; in batches the clock starts with the batch that completes the warm lap. */
struct batch_clock {
    uint64_t warm, warm_seen = 0;
    double start_s = 0, stop_s = 0;

    BENCH_INLINE void look(uint64_t expected)
    {
        if (__builtin_expect(expected <= warm, 1)) return;
        start_s = now_s();
        warm_seen = expected - 1;
        warm = LAST;
    }
    consumed result(uint64_t expected) const
    {
        return { expected - 1, expected - 1 - warm_seen, stop_s - start_s };
    }
};

template <class Queue, class Item, uint32_t Batch>
BENCH_NOINLINE consumed consume_batch(Queue &queue, const job &j)
{
    auto end = queue.consumer();
    const unsigned pauses = j.pauses;
    batch_clock clock{ j.warm_items() };
    uint64_t expected = 1;
    uint32_t lasts = 0;
    Item in[Batch] = {};
    while (lasts != Batch) {
        uint32_t n = pop_up_to(end, in, Batch);
        if (__builtin_expect(n == 0, 0)) {
            pause_for(pauses);
            continue;
        }
        for (uint32_t i = 0; i < n; i++) {
            if (__builtin_expect(in[i].is(expected), 1)) {
                expected++;
                continue;
            }
            expect_last(j, expected, in[i]);
            if (lasts++ == 0) clock.stop_s = now_s();
        }
        clock.look(expected);
    }
    return clock.result(expected);
}

/* ---- In place: written and compared in the slots, up to Batch at once ------------------------- */

template <class Queue, class Item, uint32_t Batch>
BENCH_NOINLINE uint64_t produce_in_place(Queue &queue, const job &j)
{
    auto end = queue.producer();
    const unsigned pauses = j.pauses;
    const uint64_t least = j.least_items();
    double until_s = now_s() + j.seconds;
    uint64_t number = 1;
    do {
        const uint64_t stop = number + CHUNK;
        while (number != stop) {
            uint64_t left = stop - number;
            uint32_t want = left < Batch ? static_cast<uint32_t>(left) : Batch;
            uint32_t n = end.write(want, [&](Item &slot) __attribute__((always_inline)) { slot.stamp(number++); });
            if (__builtin_expect(n == 0, 0)) pause_for(pauses);
        }
    } while (now_s() < until_s || number <= least);
    for (uint32_t done = 0; done != Batch;)
        done += end.write(Batch - done, [](Item &slot) { slot.stamp(LAST); });
    return number - 1;
}

template <class Queue, class Item, uint32_t Batch>
BENCH_NOINLINE consumed consume_in_place(Queue &queue, const job &j)
{
    auto end = queue.consumer();
    const unsigned pauses = j.pauses;
    batch_clock clock{ j.warm_items() };
    uint64_t expected = 1;
    uint32_t lasts = 0;
    while (lasts != Batch) {
        uint32_t n = end.read(Batch, [&](const Item &slot) __attribute__((always_inline)) {
            if (__builtin_expect(slot.is_in_place(expected), 1)) {
                expected++;
                return;
            }
            expect_last(j, expected, slot);
            if (lasts++ == 0) clock.stop_s = now_s();
        });
        if (__builtin_expect(n == 0, 0)) pause_for(pauses);
        clock.look(expected);
    }
    return clock.result(expected);
}

/* ---- A repetition of throughput ------------------------------------------------------------------ */

template <class Queue>
using produce_fn = uint64_t (*)(Queue &, const job &);
template <class Queue>
using consume_fn = consumed (*)(Queue &, const job &);

template <class Queue>
repetition transfer(const job &j, produce_fn<Queue> produce, consume_fn<Queue> consume)
{
    repetition result;
    shuffle_pages();
    auto queue = std::make_unique<Queue>(j.setup);
    start_gate gate;
    uint64_t sent = 0;
    consumed seen;
    run_pair(j.where, [&] {
        cpu_share share;
        gate.pass();
        share.start();
        sent = produce(*queue, j);
        result.producer_share = share.stop();
    }, [&] {
        cpu_share share;
        gate.pass();
        share.start();
        seen = consume(*queue, j);
        result.consumer_share = share.stop();
    });
    if (seen.all != sent) wrong_item(j.name.c_str(), sent, seen.all);
    result.items = seen.timed;
    result.rate = static_cast<double>(seen.timed) / seen.took_s;
    return result;
}

template <class Queue, class Item>
repetition run_single(const job &j)
{
    return transfer<Queue>(j, produce_single<Queue, Item, false>, consume_single<Queue, Item, false>);
}

template <class Queue, class Item>
repetition run_producer_slower(const job &j)
{
    return transfer<Queue>(j, produce_single<Queue, Item, true>, consume_single<Queue, Item, false>);
}

template <class Queue, class Item>
repetition run_consumer_slower(const job &j)
{
    return transfer<Queue>(j, produce_single<Queue, Item, false>, consume_single<Queue, Item, true>);
}

template <class Queue, class Item, uint32_t Batch>
repetition run_batch(const job &j)
{
    return transfer<Queue>(j, produce_batch<Queue, Item, Batch>, consume_batch<Queue, Item, Batch>);
}

template <class Queue, class Item, uint32_t Batch>
repetition run_in_place(const job &j)
{
    return transfer<Queue>(j, produce_in_place<Queue, Item, Batch>, consume_in_place<Queue, Item, Batch>);
}

/* ---- Round trip: there through one queue, back through another ------------------------------------ */

template <class Queue, class Item>
BENCH_NOINLINE void serve(Queue &there, Queue &back, const job &j, std::vector<uint32_t> &took)
{
    auto out_end = there.producer();
    auto in_end = back.consumer();
    const unsigned pauses = j.pauses;
    Item out{}, in{};
    uint64_t number = 0;
    round_clock clock(took, j.seconds);
    do {
        number++;
        out.stamp(number);
        push_one(out_end, out, pauses);
        pop_one(in_end, in, pauses);
        if (__builtin_expect(!in.is(number), 0)) wrong_item(j.name.c_str(), number, in.word[0]);
    } while (clock.next());
    out.stamp(LAST);
    push_one(out_end, out, pauses);
}

template <class Queue, class Item>
BENCH_NOINLINE void reply(Queue &there, Queue &back, const job &j)
{
    auto in_end = there.consumer();
    auto out_end = back.producer();
    const unsigned pauses = j.pauses;
    Item ball{};
    for (uint64_t expected = 1;; expected++) {
        pop_one(in_end, ball, pauses);
        if (__builtin_expect(!ball.is(expected), 0)) {
            expect_last(j, expected, ball);
            return;
        }
        push_one(out_end, ball, pauses);
    }
}

template <class Queue, class Item>
repetition run_round_trip(const job &j)
{
    repetition result;
    shuffle_pages();
    auto there = std::make_unique<Queue>(j.setup);
    auto back = std::make_unique<Queue>(j.setup);
    std::vector<uint32_t> took = room_for_rounds(j.seconds);
    start_gate gate;
    run_pair(j.where, [&] {
        cpu_share share;
        gate.pass();
        share.start();
        serve<Queue, Item>(*there, *back, j, took);
        result.producer_share = share.stop();
    }, [&] {
        cpu_share share;
        gate.pass();
        share.start();
        reply<Queue, Item>(*there, *back, j);
        result.consumer_share = share.stop();
    });
    fill_percentiles(result, took, WARM_ROUNDS);
    return result;
}

} // namespace bench

#endif
