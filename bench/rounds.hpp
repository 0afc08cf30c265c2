/* SPDX-License-Identifier: MIT */
/*
 * rounds.hpp: times of single round trips, and their percentiles.
 *
 * No fence stands at the clock: on some machines one doubles the time of the line that it measures.
 * A processor that guesses the end of a polling loop may read the clock before the answer has come,
 * but what one round gains by that the next one pays.
 */
#ifndef TERN_BENCH_ROUNDS_HPP
#define TERN_BENCH_ROUNDS_HPP

#include "host.hpp"

#include <algorithm>
#include <vector>

namespace bench {

constexpr size_t WARM_ROUNDS = 2048;
constexpr uint64_t ROUNDS_PER_LOOK = 256;   /* at the slower clock that says when the time is over */

/* One reading of the clock a round: where one ends the next begins, so no time is lost between. */
class round_clock {
public:
    round_clock(std::vector<uint32_t> &all, double seconds)
        : took(all), until_s(now_s() + seconds), before(ticks())
    {
    }
    /* A round is over. False: it was the last. */
    BENCH_INLINE bool next()
    {
        uint64_t now = ticks();
        took.push_back(static_cast<uint32_t>(std::min<uint64_t>(now - before, UINT32_MAX)));
        before = now;
        return took.size() % ROUNDS_PER_LOOK != 0 || more();
    }

private:
    BENCH_NOINLINE bool more()
    {
        bool time_left = now_s() < until_s && took.size() + ROUNDS_PER_LOOK <= took.capacity();
        before = ticks();
        return time_left;
    }
    std::vector<uint32_t> &took;
    double until_s;
    uint64_t before;
};

/* Room for a repetition's round trips, written once: no page faults while measuring. */
inline std::vector<uint32_t> room_for_rounds(double seconds)
{
    std::vector<uint32_t> took(2 * WARM_ROUNDS + static_cast<size_t>(seconds * 3e7));
    took.clear();
    return took;
}

/* Median and tail of single times, in ticks; the first ones were for warming up. */
template <class Result>
void fill_percentiles(Result &result, std::vector<uint32_t> &took, size_t warm)
{
    took.erase(took.begin(), took.begin() + static_cast<std::ptrdiff_t>(std::min(warm, took.size() / 2)));
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

} // namespace bench

#endif
