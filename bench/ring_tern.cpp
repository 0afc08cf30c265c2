/* SPDX-License-Identifier: MIT */
/*
 * ring_tern.cpp: Tern's ring as a contestant, in each of its forms.
 *
 * All forms are the same calls on the same types; the descriptor's flags make the
 * difference, as for any user. A form that this library does not have is left out.
 */
#include "ring_cells.hpp"

#include <tern/ring.h>

using namespace bench;

#if !defined(RING_TERN)
#  define RING_TERN ring_tern
#  define RING_TERN_SUFFIX ""
#endif

namespace RING_TERN {

constexpr uint32_t INDEXED = 0, SEQUENCED = 2, WAITABLE = TERN_RING_WAITABLE;

/* The calls of each item size, under one name. */
template <unsigned Size> struct typed;
#define TYPED(size)                                                                                                \
    TERN_RING_DEFINE(ring_##size, item<size>)                                                                      \
    template <> struct typed<size> {                                                                               \
        using I = item<size>;                                                                                      \
        using P = tern_ring_producer;                                                                              \
        using C = tern_ring_consumer;                                                                              \
        static BENCH_INLINE bool push(P &p, const I &i) { return ring_##size##_push(&p, &i); }                     \
        static BENCH_INLINE bool pop(C &c, I &i) { return ring_##size##_pop(&c, &i); }                             \
        static BENCH_INLINE uint32_t push_many(P &p, const I *i, uint32_t n) { return ring_##size##_push_many(&p, i, n); } \
        static BENCH_INLINE uint32_t pop_many(C &c, I *i, uint32_t n) { return ring_##size##_pop_many(&c, i, n); } \
        static BENCH_INLINE I *reserve(P &p, uint32_t n, uint32_t &got) { return ring_##size##_reserve(&p, n, &got); } \
        static BENCH_INLINE void commit(P &p, uint32_t n) { ring_##size##_commit(&p, n); }                         \
        static BENCH_INLINE const I *peek(C &c, uint32_t n, uint32_t &got) { return ring_##size##_peek(&c, n, &got); } \
        static BENCH_INLINE void release(C &c, uint32_t n) { ring_##size##_release(&c, n); }                       \
    };
TYPED(8)
TYPED(16)
TYPED(32)
TYPED(56)
TYPED(64)
TYPED(256)
TYPED(1024)

/* The bytes of a ring and both views. */
template <class Item>
class tern_queue {
    using calls = typed<sizeof(Item)>;

public:
    static constexpr bool IN_PLACE = true;

    explicit tern_queue(const ring_setup &s)
        : desc{ sizeof(Item), s.capacity, s.flags }, memory(tern_ring_size(&desc))
    {
        if (tern_ring_format(memory.get(), memory.bytes(), &desc) != TERN_OK ||
            tern_ring_attach_producer(&p, memory.get(), memory.bytes()) != TERN_OK ||
            tern_ring_attach_consumer(&c, memory.get(), memory.bytes()) != TERN_OK)
            std::abort();
        if (s.release_every) tern_ring_consumer_release_every(&c, s.release_every);
    }

    struct producer_end {
        static constexpr bool BATCH = true;
        tern_ring_producer view;
        BENCH_INLINE bool push(const Item &i) { return calls::push(view, i); }
        BENCH_INLINE uint32_t push_many(const Item *i, uint32_t n) { return calls::push_many(view, i, n); }
        template <class Fill>
        BENCH_INLINE uint32_t write(uint32_t want, Fill fill)
        {
            uint32_t got;
            Item *slots = calls::reserve(view, want, got);
            for (uint32_t i = 0; i < got; i++) fill(slots[i]);
            if (got) calls::commit(view, got);
            return got;
        }
    };
    struct consumer_end {
        static constexpr bool BATCH = true;
        tern_ring_consumer view;
        BENCH_INLINE bool pop(Item &i) { return calls::pop(view, i); }
        BENCH_INLINE uint32_t pop_many(Item *i, uint32_t n) { return calls::pop_many(view, i, n); }
        template <class Look>
        BENCH_INLINE uint32_t read(uint32_t want, Look look)
        {
            uint32_t got;
            const Item *slots = calls::peek(view, want, got);
            for (uint32_t i = 0; i < got; i++) look(slots[i]);
            if (got) calls::release(view, got);
            return got;
        }
    };
    producer_end producer() { return { p }; }
    consumer_end consumer() { return { c }; }

private:
    tern_ring_desc desc;
    line_memory memory;
    tern_ring_producer p;
    tern_ring_consumer c;
};

template <class Item, uint32_t>
using queue = tern_queue<Item>;

bool has(uint32_t flags)
{
    tern_ring_desc desc = { 8, MEDIUM, flags };
    return tern_ring_size(&desc) != 0;
}

void add()
{
    struct form { const char *name; uint32_t flags, release_every; };
    for (const form &f : { form{ "tern indexed", INDEXED, 0 },
                           form{ "tern indexed exact release", INDEXED, 1 },
                           form{ "tern indexed waitable", INDEXED | WAITABLE, 0 },
                           form{ "tern sequenced", SEQUENCED, 0 },
                           form{ "tern sequenced waitable", SEQUENCED | WAITABLE, 0 } }) {
        if (!has(f.flags)) continue;
        contestant c;
        c.name = std::string(f.name) + RING_TERN_SUFFIX;
        c.flags = f.flags;
        c.release_every = f.release_every;
        enter_all<queue>(c);
    }
}

const entry here(add);

} // namespace RING_TERN
