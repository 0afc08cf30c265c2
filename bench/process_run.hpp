/* SPDX-License-Identifier: MIT */
/*
 * process_run.hpp: one repetition of one way between two processes: rate, round trip, frames.
 *
 * The loops are the same for everybody. Items are numbered and the receiver compares each number
 * in the measured loop; a frame has its number in each of its words, and all of them are compared.
 * The last one says so itself, because some ways block and could not be told otherwise.
 *
 * A way is made in the parent, and has
 *     SPINS                both ends want all of a processor
 *     THREADS              both ends are threads of one process
 *     CHUNK                items between two looks at the clock
 *     ENDING               how a process must end (process_host.hpp)
 *     sender, receiver     made from the way in their own process; local() gives what the loop uses
 * An item's ends have send(item) and receive(item), which return when it is done. A frame's ends
 * have begin() and end(), take() and give_back(), so that who can write and read in place does.
 */
#ifndef TERN_BENCH_PROCESS_RUN_HPP
#define TERN_BENCH_PROCESS_RUN_HPP

#include "item.hpp"
#include "process_host.hpp"
#include "rounds.hpp"

namespace bench {

constexpr double GRACE_S = 20;             /* what a repetition may take longer than asked */
constexpr uint64_t WARM_FRAMES = 16;
constexpr size_t FRAME_BYTES = 1u << 20;
constexpr size_t FRAME_WORDS = FRAME_BYTES / 8;
constexpr uint32_t FRAMES_UNDER_WAY = 8;

/* Frames are written and read whole, by the same two functions for everybody. */
BENCH_NOINLINE inline void fill_frame(uint64_t *word, uint64_t number)
{
    for (size_t i = 0; i < FRAME_WORDS; i++) word[i] = number;
}

BENCH_NOINLINE inline bool frame_is(const uint64_t *word, uint64_t number)
{
    uint64_t wrong = 0;
    for (size_t i = 0; i < FRAME_WORDS; i++) wrong |= word[i] ^ number;
    return wrong == 0;
}

[[noreturn]] inline void wrong_item(uint64_t expected, uint64_t got)
{
    std::fprintf(stderr, "process_google: %s: %s: expected item %llu, got %llu\n", running.c_str(), role,
                 static_cast<unsigned long long>(expected), static_cast<unsigned long long>(got));
    _exit(1);
}

/* In place of a number of pauses: the way's own waiting calls, or sched_yield(). */
constexpr unsigned SLEEPING = ~0u, YIELDING = SLEEPING - 1;

/* Try until it works. Pauses: how often the loop pauses after a failed try; a call that sleeps by
 * itself is just made again. */
template <unsigned Pauses, class Try>
BENCH_INLINE void until(Try &&attempt)
{
    while (__builtin_expect(!attempt(), 0)) {
        if constexpr (Pauses == YIELDING) sched_yield();
        else if constexpr (Pauses != SLEEPING)
            for (unsigned pause = 0; pause != Pauses; pause++) relax();
    }
}

/* ---- Two sides ------------------------------------------------------------------------ */

/* Open the ends, meet, work, meet again: no end goes away while the other may need it. */
template <class Way, class Work>
void side(board &shared, double &share, Work &&work)
{
    work([&](auto &&measured) {
        wanted_share wanted(Way::SPINS, !Way::THREADS);
        shared.start.pass();
        wanted.start();
        measured();
        share = wanted.stop();
        shared.end.pass_napping();
    });
}

template <class Way, class Produce, class Consume>
outcome run_sides(const cpus &where, double seconds, Produce &&produce, Consume &&consume)
{
    shared<board> page;
    outcome &result = page->result;
    auto first = [&] { side<Way>(*page, result.producer_share, [&](auto &&body) { produce(result, body); }); };
    auto second = [&] { side<Way>(*page, result.consumer_share, [&](auto &&body) { consume(result, body); }); };
    if constexpr (Way::THREADS) {
        run_pair(where, first, second);
    } else {
        process_pair pair(seconds + GRACE_S);
        pair.run(where, Way::ENDING, first, second);
    }
    return result;
}

/* ---- Rate ------------------------------------------------------------------------------- */

/* Send numbered items from 1 until the time is over, then LAST. */
template <class Way, class Item, class End>
BENCH_NOINLINE void send_items(End &&opened, double seconds)
{
    auto &&end = opened.local();
    double until_s = now_s() + seconds;
    uint64_t number = 1;
    Item out{};
    do {
        for (uint64_t stop = number + Way::CHUNK; number != stop; number++) {
            out.stamp(number);
            end.send(out);
        }
    } while (number <= 2 * Way::CHUNK || now_s() < until_s);
    out.stamp(LAST);
    end.send(out);
}

/* Receive and compare until LAST; the clock starts after the first chunk, when all is warm. */
template <class Way, class Item, class End>
BENCH_NOINLINE void receive_items(End &&opened, outcome &result)
{
    auto &&end = opened.local();
    uint64_t expected = 1;
    double start_s = 0;
    Item in{};
    for (;;) {
        end.receive(in);
        if (__builtin_expect(!in.is(expected), 0)) {
            if (in.is(LAST)) break;
            wrong_item(expected, in.word[0]);
        }
        if (__builtin_expect(expected == Way::CHUNK, 0)) start_s = now_s();
        expected++;
    }
    double took_s = now_s() - start_s;
    result.items = expected - 1;
    result.rate = static_cast<double>(result.items - Way::CHUNK) / took_s;
}

template <template <class> class WayOf, class Item>
outcome measure_rate(const cpus &where, double seconds)
{
    using Way = WayOf<Item>;
    shuffle_pages();
    Way way;
    return run_sides<Way>(where, seconds, [&](outcome &, auto &&body) {
        typename Way::sender end(way);
        body([&] { send_items<Way, Item>(end, seconds); });
    }, [&](outcome &result, auto &&body) {
        typename Way::receiver end(way);
        body([&] { receive_items<Way, Item>(end, result); });
    });
}

/* ---- Round trip: there by one way, back by another ------------------------------------------ */

template <class Way, class Item, class Out, class In>
BENCH_NOINLINE void serve(Out &&opened_out, In &&opened_in, std::vector<uint32_t> &took, double seconds)
{
    auto &&out_end = opened_out.local();
    auto &&in_end = opened_in.local();
    Item out{}, in{};
    uint64_t number = 0;
    round_clock clock(took, seconds);
    do {
        number++;
        out.stamp(number);
        out_end.send(out);
        in_end.receive(in);
        if (__builtin_expect(!in.is(number), 0)) wrong_item(number, in.word[0]);
    } while (clock.next());
    out.stamp(LAST);
    out_end.send(out);
}

template <class Way, class Item, class In, class Out>
BENCH_NOINLINE void reply(In &&opened_in, Out &&opened_out)
{
    auto &&in_end = opened_in.local();
    auto &&out_end = opened_out.local();
    Item ball{};
    for (uint64_t expected = 1;; expected++) {
        in_end.receive(ball);
        if (__builtin_expect(!ball.is(expected), 0)) {
            if (ball.is(LAST)) break;
            wrong_item(expected, ball.word[0]);
        }
        out_end.send(ball);
    }
}

template <template <class> class WayOf, class Item>
outcome measure_round_trip(const cpus &where, double seconds)
{
    using Way = WayOf<Item>;
    shuffle_pages();
    Way there, back;
    return run_sides<Way>(where, seconds, [&](outcome &result, auto &&body) {
        typename Way::sender out(there);
        typename Way::receiver in(back);
        auto took = room_for_rounds(seconds);
        body([&] { serve<Way, Item>(out, in, took, seconds); });
        fill_percentiles(result, took, WARM_ROUNDS);
    }, [&](outcome &, auto &&body) {
        typename Way::receiver in(there);
        typename Way::sender out(back);
        body([&] { reply<Way, Item>(in, out); });
    });
}

/* ---- Frames -------------------------------------------------------------------------------------- */

template <class Way>
outcome measure_frames(const cpus &where, double seconds)
{
    shuffle_pages();
    Way way;
    return run_sides<Way>(where, seconds, [&](outcome &, auto &&body) {
        typename Way::sender opened(way);
        body([&] {
            auto &&end = opened.local();
            double until_s = now_s() + seconds;
            for (uint64_t number = 1; number <= 2 * WARM_FRAMES || now_s() < until_s; number++) {
                fill_frame(end.begin(), number);
                end.end();
            }
            fill_frame(end.begin(), LAST);
            end.end();
        });
    }, [&](outcome &result, auto &&body) {
        typename Way::receiver opened(way);
        body([&] {
            auto &&end = opened.local();
            double start_s = 0;
            uint64_t expected = 1;
            for (;; expected++) {
                const uint64_t *frame = end.take();
                if (!frame_is(frame, expected)) {
                    if (frame_is(frame, LAST)) break;
                    fail(("frame " + std::to_string(expected) + " is torn, or another came").c_str());
                }
                end.give_back();
                if (expected == WARM_FRAMES) start_s = now_s();
            }
            double took_s = now_s() - start_s;
            end.give_back();
            result.items = expected - 1;
            result.rate = static_cast<double>(result.items - WARM_FRAMES) / took_s;
        });
    });
}

} // namespace bench

#endif
