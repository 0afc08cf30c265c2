/* SPDX-License-Identifier: MIT */
/*
 * process_raw.hpp: the limits that figures between processes are compared with.
 *
 * One cache line there and back, the same between threads; a sleep and a wake by a bare futex,
 * there and back; what one core does to a frame: copy it, or write it and read it again.
 */
#ifndef TERN_BENCH_PROCESS_RAW_HPP
#define TERN_BENCH_PROCESS_RAW_HPP

#include "process_run.hpp"

#include <climits>
#include <linux/futex.h>
#include <memory>
#include <sys/syscall.h>

namespace bench {

template <bool Spins, bool Threads>
struct raw_way {
    static constexpr bool SPINS = Spins, THREADS = Threads;
    static constexpr uint64_t CHUNK = 8192;
    static constexpr ending ENDING = ending::at_once;
};

/* One line for both directions: odd there, even back. */
template <bool Threads, unsigned Pauses>
struct raw_line : raw_way<true, Threads> {
    static outcome measure(const cpus &where, double seconds)
    {
        struct alignas(128) line { std::atomic<uint64_t> value{0}; };
        shared<line> ball;
        std::atomic<uint64_t> &value = ball->value;
        return run_sides<raw_line>(where, seconds, [&](outcome &result, auto &&body) {
            auto took = room_for_rounds(seconds);
            body([&] {
                round_clock clock(took, seconds);
                uint64_t i = 1;
                do {
                    value.store(i, std::memory_order_release);
                    until<Pauses>([&] { return value.load(std::memory_order_acquire) == i + 1; });
                    i += 2;
                } while (clock.next());
                value.store(LAST, std::memory_order_release);
            });
            fill_percentiles(result, took, WARM_ROUNDS);
        }, [&](outcome &, auto &&body) {
            body([&] {
                for (uint64_t i = 1;; i += 2) {
                    uint64_t seen;
                    until<Pauses>([&] { return (seen = value.load(std::memory_order_acquire)) != i - 1; });
                    if (seen == LAST) break;
                    if (seen != i) wrong_item(i, seen);
                    value.store(i + 1, std::memory_order_release);
                }
            });
        });
    }
};

/* The least that a sleep and a wake can be: a word, FUTEX_WAKE and FUTEX_WAIT, never private. */
struct raw_futex {
    template <class Item>
    struct items : raw_way<false, false> {
        struct alignas(128) line {
            std::atomic<uint32_t> full{0};
            Item item;
        };
        shared<line> there;

        struct end_of {
            line &at;
            explicit end_of(items &way) : at(*way.there) {}
            end_of &local() { return *this; }
            void send(const Item &i)
            {
                at.item = i;
                at.full.store(1, std::memory_order_release);
                syscall(SYS_futex, &at.full, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
            }
            void receive(Item &i)
            {
                while (at.full.load(std::memory_order_acquire) == 0)
                    syscall(SYS_futex, &at.full, FUTEX_WAIT, 0, nullptr, nullptr, 0);
                i = at.item;
                at.full.store(0, std::memory_order_relaxed);
            }
        };
        using sender = end_of;
        using receiver = end_of;
    };
};

/* One core alone. Copied frames are checked at their ends each time and wholly at last. */
inline outcome measure_one_core(const cpus &where, double seconds, bool copies)
{
    outcome result;
    struct frame { alignas(128) uint64_t word[FRAME_WORDS]; };
    shuffle_pages();
    auto from = std::make_unique<frame>(), to = std::make_unique<frame>();
    std::thread([&] {
        pin(where.producer);
        wanted_share wanted(true, false);
        fill_frame(from->word, 0);
        fill_frame(to->word, 0);
        wanted.start();
        double start_s = now_s(), until_s = start_s + seconds, end_s = start_s;
        uint64_t number = 0;
        while ((end_s = now_s()) < until_s) {
            number++;
            if (copies) {
                from->word[0] = from->word[FRAME_WORDS - 1] = number;
                std::memcpy(to.get(), from.get(), sizeof *to);
                if (to->word[0] != number || to->word[FRAME_WORDS - 1] != number) wrong_item(number, to->word[0]);
            } else {
                fill_frame(to->word, number);
                if (!frame_is(to->word, number)) wrong_item(number, to->word[0]);
            }
        }
        result.producer_share = wanted.stop();
        if (copies && std::memcmp(to.get(), from.get(), sizeof *to) != 0) fail("a copy is not what was copied");
        result.items = number;
        result.rate = static_cast<double>(number) / (end_s - start_s);
    }).join();
    return result;
}

} // namespace bench

#endif
