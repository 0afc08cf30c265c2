/* SPDX-License-Identifier: MIT */
/*
 * race_run.hpp: one repetition of one contestant, throughput or round trip.
 *
 * The loops are the same for everybody. Items are numbered and the consumer
 * compares each number where it pops, in the measured loop; an item that is lost,
 * doubled, torn or out of order ends the program. The last item says so itself,
 * because some contestants block in pop and could not be told otherwise.
 */
#ifndef TERN_BENCH_RACE_RUN_HPP
#define TERN_BENCH_RACE_RUN_HPP

#include "race_peers.hpp"

namespace bench {

constexpr uint64_t LAST = ~uint64_t{0};
constexpr uint64_t CHUNK = 8192;   /* items between two looks at the clock */

/* What one repetition gave. Rates in items a second, times in nanoseconds. */
struct repetition {
    double rate = 0;
    double p50 = 0, p99 = 0, p999 = 0, max = 0;
    double line_before_ns = 0, line_after_ns = 0;
    double producer_share = 1, consumer_share = 1;
    uint64_t items = 0;
    label what = label::cross_core;
};

[[noreturn]] inline void wrong_item(const char *name, uint64_t expected, uint64_t got)
{
    std::fprintf(stderr, "%s: expected item %llu, got %llu\n", name,
                 static_cast<unsigned long long>(expected), static_cast<unsigned long long>(got));
    std::abort();
}

/* Pauses: how often a loop pauses after a failed try; the caller's choice, not the queue's. */
template <unsigned Pauses, class End, class Item>
BENCH_INLINE void push_one(End &end, const Item &i)
{
    while (__builtin_expect(!end.push(i), 0))
        for (unsigned pause = 0; pause != Pauses; pause++) relax();
}

template <unsigned Pauses, class End, class Item>
BENCH_INLINE void pop_one(End &end, Item &i)
{
    while (__builtin_expect(!end.pop(i), 0))
        for (unsigned pause = 0; pause != Pauses; pause++) relax();
}

/* Push numbered items from 1 until the time is over, then LAST. */
template <class Queue, class Item, unsigned Pauses>
__attribute__((noinline)) void produce(Queue &queue, double seconds)
{
    auto end = queue.producer();
    double until_s = now_s() + seconds;
    uint64_t number = 1;
    Item out{};
    do {
        for (uint64_t stop = number + CHUNK; number != stop; number++) {
            out.stamp(number);
            push_one<Pauses>(end, out);
        }
    } while (now_s() < until_s);
    out.stamp(LAST);
    push_one<Pauses>(end, out);
}

/* Pop and compare until LAST; the clock starts after the first chunk, when all pages and lines are warm. */
template <class Queue, class Item, unsigned Pauses>
__attribute__((noinline)) void consume(Queue &queue, repetition &result)
{
    auto end = queue.consumer();
    uint64_t expected = 1;
    double start_s = 0;
    Item in{};
    for (;;) {
        pop_one<Pauses>(end, in);
        if (__builtin_expect(!in.is(expected), 0)) {
            if (in.word[0] == LAST) break;
            wrong_item(Queue::name(), expected, in.word[0]);
        }
        if (__builtin_expect(expected == CHUNK, 0)) start_s = now_s();
        expected++;
    }
    double took_s = now_s() - start_s;
    result.items = expected - 1;
    result.rate = result.items > CHUNK ? static_cast<double>(result.items - CHUNK) / took_s : 0;
}

template <class Queue, class Item, unsigned Pauses>
repetition throughput(const cpus &where, double seconds)
{
    repetition result;
    shuffle_pages();
    auto queue = std::make_unique<Queue>();
    start_gate gate;
    run_pair(where, [&] {
        cpu_share share;
        gate.pass();
        share.start();
        produce<Queue, Item, Pauses>(*queue, seconds);
        result.producer_share = share.stop();
    }, [&] {
        cpu_share share;
        gate.pass();
        share.start();
        consume<Queue, Item, Pauses>(*queue, result);
        result.consumer_share = share.stop();
    });
    return result;
}

/* ---- Round trip: there through one queue, back through another ---------------------- */

constexpr size_t WARM_ROUNDS = 2048;

template <class Queue, class Item, unsigned Pauses>
__attribute__((noinline)) void serve(Queue &there, Queue &back, std::vector<uint32_t> &took, double seconds)
{
    auto out_end = there.producer();
    auto in_end = back.consumer();
    double until_s = now_s() + seconds;
    Item out{}, in{};
    uint64_t number = 0;
    bool more = true;
    while (more) {
        number++;
        uint64_t start = ticks();
        out.stamp(number);
        push_one<Pauses>(out_end, out);
        pop_one<Pauses>(in_end, in);
        if (__builtin_expect(!in.is(number), 0)) wrong_item(Queue::name(), number, in.word[0]);
        uint64_t spent = ticks() - start;
        took.push_back(static_cast<uint32_t>(std::min<uint64_t>(spent, UINT32_MAX)));
        if (number % 256 == 0) more = now_s() < until_s && took.size() < took.capacity();
    }
    out.stamp(LAST);
    push_one<Pauses>(out_end, out);
}

template <class Queue, class Item, unsigned Pauses>
__attribute__((noinline)) void reply(Queue &there, Queue &back)
{
    auto in_end = there.consumer();
    auto out_end = back.producer();
    Item ball{};
    uint64_t expected = 1;
    for (;;) {
        pop_one<Pauses>(in_end, ball);
        if (__builtin_expect(!ball.is(expected), 0)) {
            if (ball.word[0] == LAST) break;
            wrong_item(Queue::name(), expected, ball.word[0]);
        }
        push_one<Pauses>(out_end, ball);
        expected++;
    }
}

inline void fill_percentiles(repetition &result, std::vector<uint32_t> &took)
{
    took.erase(took.begin(), took.begin() + static_cast<std::ptrdiff_t>(std::min(WARM_ROUNDS, took.size() / 2)));
    std::sort(took.begin(), took.end());
    size_t n = took.size();
    auto at = [&](double part) {
        return took[std::min(n - 1, static_cast<size_t>(part * static_cast<double>(n)))] * tick_ns();
    };
    result.p50 = at(0.5);
    result.p99 = at(0.99);
    result.p999 = at(0.999);
    result.max = took.back() * tick_ns();
    result.items = n;
    result.rate = 1e9 / result.p50;
}

template <class Queue, class Item, unsigned Pauses>
repetition round_trip(const cpus &where, double seconds)
{
    repetition result;
    shuffle_pages();
    auto there = std::make_unique<Queue>();
    auto back = std::make_unique<Queue>();
    start_gate gate;
    std::vector<uint32_t> took(1u << 22);   /* written once: no page faults while measuring */
    took.clear();
    run_pair(where, [&] {
        cpu_share share;
        gate.pass();
        share.start();
        serve<Queue, Item, Pauses>(*there, *back, took, seconds);
        result.producer_share = share.stop();
    }, [&] {
        cpu_share share;
        gate.pass();
        share.start();
        reply<Queue, Item, Pauses>(*there, *back);
        result.consumer_share = share.stop();
    });
    fill_percentiles(result, took);
    return result;
}

} // namespace bench

#endif
