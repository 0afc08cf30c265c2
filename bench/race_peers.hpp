/* SPDX-License-Identifier: MIT */
/*
 * race_peers.hpp: the contestants of the race, behind one shape.
 *
 * A contestant is a queue of 1,024 items with two ends:
 *     auto p = queue.producer();  p.push(item) -> bool
 *     auto c = queue.consumer();  c.pop(item)  -> bool
 * An end is taken by value and lives in the thread's stack frame, as a user of
 * Tern is told to do. Everybody is inlined, compiled with the same flags, and freshly
 * allocated for each repetition. Whether a failed try pauses before the next one is the
 * loop's choice, not the queue's: contestants run both ways.
 */
#ifndef TERN_BENCH_RACE_PEERS_HPP
#define TERN_BENCH_RACE_PEERS_HPP

#include "host.hpp"

#include <tern/ring.h>

#include <cstdlib>
#include <memory>

#if defined(RACE_HAVE_BOOST)
#  include <boost/lockfree/spsc_queue.hpp>
#endif
#if defined(RACE_HAVE_MOODYCAMEL)
#  include <readerwriterqueue/readerwriterqueue.h>
#endif
#if defined(RACE_HAVE_CK)
/* ck is C: it returns false for a null pointer, which C++ only forgives a literal 0 */
#  if defined(__clang__)
#    pragma clang diagnostic push
#    pragma clang diagnostic ignored "-Wkeyword-macro"
#  endif
extern "C" {
#  include <ck_pr.h>
#  include <ck_string.h>
#  define false 0
#  include <ck_ring.h>
#  undef false
}
#  if defined(__clang__)
#    pragma clang diagnostic pop
#  endif
#endif
#if defined(RACE_HAVE_ATOMIC_QUEUE)
#  include <atomic_queue/atomic_queue.h>
#endif

namespace bench {

constexpr uint32_t CAPACITY = 1024;

/* An item of a given size, its number in every word, so that a torn item shows. */
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
};

/* ---- Tern ---------------------------------------------------------------------- */

#define RACE_TERN_OF(size)                                                                  \
    TERN_RING_DEFINE(ring_##size, item<size>);                                              \
    BENCH_INLINE bool ring_push(tern_ring_producer &p, const item<size> &i) { return ring_##size##_push(&p, &i); } \
    BENCH_INLINE bool ring_pop(tern_ring_consumer &c, item<size> &i) { return ring_##size##_pop(&c, &i); }

RACE_TERN_OF(8)
RACE_TERN_OF(16)
RACE_TERN_OF(64)
RACE_TERN_OF(256)
RACE_TERN_OF(1024)

/* The bytes of a ring and both views. Release 0 leaves the default. */
template <class Item, uint32_t Flags = 0, uint32_t Release = 0>
class tern_queue {
public:
    static const char *name()
    {
        return Flags ? "tern, waitable" : Release ? "tern, exact release" : "tern";
    }

    tern_queue()
    {
        tern_ring_desc desc = { sizeof(Item), CAPACITY, Flags };
        size_t size = (tern_ring_size(&desc) + 127) & ~size_t{127};
        memory.reset(std::aligned_alloc(128, size));
        if (!memory || tern_ring_format(memory.get(), size, &desc) != TERN_OK ||
            tern_ring_attach_producer(&p, memory.get(), size) != TERN_OK ||
            tern_ring_attach_consumer(&c, memory.get(), size) != TERN_OK)
            std::abort();
        if (Release) tern_ring_consumer_release_every(&c, Release);
    }

    struct producer_end {
        tern_ring_producer view;
        BENCH_INLINE bool push(const Item &i) { return ring_push(view, i); }
    };
    struct consumer_end {
        tern_ring_consumer view;
        BENCH_INLINE bool pop(Item &i) { return ring_pop(view, i); }
    };
    producer_end producer() { return { p }; }
    consumer_end consumer() { return { c }; }

private:
    struct free_it { void operator()(void *m) const { std::free(m); } };
    std::unique_ptr<void, free_it> memory;
    tern_ring_producer p;
    tern_ring_consumer c;
};

/* ---- Peers --------------------------------------------------------------------------- */

#if defined(RACE_HAVE_BOOST)
template <class Item>
class boost_queue {
public:
    static const char *name() { return "boost::lockfree::spsc_queue"; }

    struct producer_end {
        boost_queue &q;
        BENCH_INLINE bool push(const Item &i) { return q.queue.push(i); }
    };
    struct consumer_end {
        boost_queue &q;
        BENCH_INLINE bool pop(Item &i) { return q.queue.pop(i); }
    };
    producer_end producer() { return { *this }; }
    consumer_end consumer() { return { *this }; }

private:
    boost::lockfree::spsc_queue<Item, boost::lockfree::capacity<CAPACITY>> queue;
};
#endif

#if defined(RACE_HAVE_MOODYCAMEL)
template <class Item>
class moodycamel_queue {
public:
    static const char *name() { return "moodycamel::ReaderWriterQueue"; }

    struct producer_end {
        moodycamel_queue &q;
        BENCH_INLINE bool push(const Item &i) { return q.queue.try_enqueue(i); }
    };
    struct consumer_end {
        moodycamel_queue &q;
        BENCH_INLINE bool pop(Item &i) { return q.queue.try_dequeue(i); }
    };
    producer_end producer() { return { *this }; }
    consumer_end consumer() { return { *this }; }

private:
    moodycamel::ReaderWriterQueue<Item> queue{CAPACITY};
};
#endif

#if defined(RACE_HAVE_CK)
/* ck_ring with structures in line: the form of CK_RING_PROTOTYPE. */
template <class Item>
class ck_queue {
public:
    static const char *name() { return "ck_ring (spsc)"; }

    ck_queue() { ck_ring_init(&ring, CAPACITY); }

    struct producer_end {
        ck_queue &q;
        BENCH_INLINE bool push(const Item &i)
        {
            return _ck_ring_enqueue_sp(&q.ring, q.items, &i, sizeof(Item), nullptr);
        }
    };
    struct consumer_end {
        ck_queue &q;
        BENCH_INLINE bool pop(Item &i) { return _ck_ring_dequeue_sc(&q.ring, q.items, &i, sizeof(Item)); }
    };
    producer_end producer() { return { *this }; }
    consumer_end consumer() { return { *this }; }

private:
    alignas(64) ck_ring_t ring;
    alignas(64) Item items[CAPACITY];
};
#endif

#if defined(RACE_HAVE_ATOMIC_QUEUE)
/* AtomicQueue publishes the element itself, so it holds lock-free atomics only; AtomicQueue2
 * holds anything beside a byte of state. Optimistic takes its place first and then spins for it. */
template <class Item, bool Shuffle, bool Throughput, bool Optimistic>
class atomic_queue_of {
    static constexpr bool ATOMIC = sizeof(Item) == 8;
    using atomic_form = atomic_queue::AtomicQueue<uint64_t, CAPACITY, 0, Shuffle, Throughput, false, true>;
    using any_form = atomic_queue::AtomicQueue2<Item, CAPACITY, Shuffle, Throughput, false, true>;

public:
    static const char *name()
    {
        static const std::string text = std::string(Optimistic ? "Optimistic" : "") +
            (ATOMIC ? "AtomicQueue" : "AtomicQueue2") + (Shuffle ? ", shuffle" : "") +
            (Throughput ? "" : ", no pause");
        return text.c_str();
    }

    struct producer_end {
        atomic_queue_of &q;
        BENCH_INLINE bool push(const Item &i)
        {
            if constexpr (Optimistic && ATOMIC) q.queue.push(i.word[0]);
            else if constexpr (Optimistic) q.queue.push(i);
            else if constexpr (ATOMIC) return q.queue.try_push(i.word[0]);
            else return q.queue.try_push(i);
            return true;
        }
    };
    struct consumer_end {
        atomic_queue_of &q;
        BENCH_INLINE bool pop(Item &i)
        {
            if constexpr (Optimistic && ATOMIC) i.word[0] = q.queue.pop();
            else if constexpr (Optimistic) i = q.queue.pop();
            else if constexpr (ATOMIC) return q.queue.try_pop(i.word[0]);
            else return q.queue.try_pop(i);
            return true;
        }
    };
    producer_end producer() { return { *this }; }
    consumer_end consumer() { return { *this }; }

private:
    std::conditional_t<ATOMIC, atomic_form, any_form> queue;
};
#endif

} // namespace bench

#endif
