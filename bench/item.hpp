/* SPDX-License-Identifier: MIT */
/*
 * item.hpp: what a benchmark sends, so that the other side can tell if it is right.
 *
 * Items are numbered from 1, the number stands in every word. The receiver compares
 * first and last word of each item (in place: a word of each line) where it takes it,
 * in the measured loop; one that is lost, doubled, torn or out of order ends the
 * program. The last item says so itself, since some contestants block in pop and could
 * not be told otherwise.
 */
#ifndef TERN_BENCH_ITEM_HPP
#define TERN_BENCH_ITEM_HPP

#include "host.hpp"

#include <cstdlib>

namespace bench {

constexpr uint64_t LAST = ~uint64_t{0};
constexpr uint64_t CHUNK = 8192;   /* items between two looks at the clock */

/* An item of a given size, a multiple of 8 bytes. */
template <unsigned Size>
struct item {
    static constexpr unsigned WORDS = Size / 8;
    uint64_t word[WORDS];

    BENCH_INLINE void stamp(uint64_t number)
    {
        for (unsigned i = 0; i < WORDS; i++) word[i] = number;
    }
    /* First and last word are compared; the rest has to be copied out all the same. */
    BENCH_INLINE bool is(uint64_t number) const
    {
        if constexpr (WORDS > 1) __asm__ __volatile__("" : : "m"(word));
        return word[0] == number && word[WORDS - 1] == number;
    }
    /* The same where nothing is copied: a word of each line, so that every line has to come. */
    BENCH_INLINE bool is_in_place(uint64_t number) const
    {
        uint64_t wrong = word[WORDS - 1] ^ number;
        for (unsigned i = 0; i < WORDS; i += 8) wrong |= word[i] ^ number;
        return wrong == 0;
    }
};

[[noreturn]] inline void wrong_item(const char *name, uint64_t expected, uint64_t got)
{
    std::fprintf(stderr, "%s: expected item %llu, got %llu\n", name,
                 static_cast<unsigned long long>(expected), static_cast<unsigned long long>(got));
    std::abort();
}

} // namespace bench

#endif
