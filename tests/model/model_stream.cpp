// SPDX-License-Identifier: MIT
// model_stream.cpp: the stream under the model checker: records over the wrap by polling, asleep
// and in place, waiting for more units than one, closing, and attaching while the other side still formats.
// The stream adds no order site of its own: the ring's, as far as they are reached, are weakened
// here once more, under records.
#include "model.hpp"

#include "../../lib/base.c"
#include "../../lib/bell.c"
#include "../../lib/ring.c"
#include "../../lib/ring_wait.c"
#include "../../lib/stream.c"

#include "sites_stream.h"

namespace {

/// A stream in the model's memory; the units follow the shared struct as everywhere.
template <uint32_t Units> struct stream_memory {
    struct {
        tern_ring_shared shared;
        unsigned char units[Units * 8];
    } bytes;
    model_payload geometry, units;

    void watch()
    {
        model_begin();
        model_watch(geometry, &bytes.shared.geometry, sizeof bytes.shared.geometry, sizeof bytes.shared.geometry);
        model_watch(units, bytes.units, sizeof bytes.units, 8);
    }
    void format(uint32_t flags)
    {
        tern_stream_desc desc = { Units * 8, flags };
        RL_ASSERT(tern_stream_format(&bytes, sizeof bytes, &desc) == TERN_OK);
    }
    /// As if `count` units had gone through.
    void start_at(uint32_t count)
    {
        tern_a32_store_relaxed(&bytes.shared.producer.word, count << 1);
        tern_a32_store_relaxed(&bytes.shared.consumer.word, count << 1);
    }
    tern_stream_producer producer()
    {
        tern_stream_producer p;
        RL_ASSERT(tern_stream_attach_producer(&p, &bytes, sizeof bytes) == TERN_OK);
        return p;
    }
    tern_stream_consumer consumer(uint64_t release_every)
    {
        tern_stream_consumer c;
        RL_ASSERT(tern_stream_attach_consumer(&c, &bytes, sizeof bytes) == TERN_OK);
        tern_stream_consumer_release_every(&c, release_every);
        return c;
    }
};

/// Record number i: its length, up to Most, goes up and down; its bytes tell its number.
template <uint32_t Most> struct record {
    uint32_t length;
    unsigned char bytes[Most + 8];
    explicit record(uint32_t i) : length(i * 5 % (Most + 1))
    {
        for (uint32_t k = 0; k < Most; k++) bytes[k] = (unsigned char)(i * 16 + k);
    }
    bool is(const unsigned char *at, uint32_t got, uint32_t kind, uint32_t i) const
    {
        return got == length && kind == i + 100 && std::memcmp(at, bytes, length) == 0;
    }
};

/// Send and receive by polling, from a position that soon meets the wrap and 2^31.
template <uint32_t Units, uint32_t Release, uint32_t Records, uint32_t Flags>
struct polling : rl::test_suite<polling<Units, Release, Records, Flags>, 2> {
    enum { MOST = Units * 4 };
    stream_memory<Units> memory;
    void before()
    {
        memory.watch();
        memory.format(Flags);
        memory.start_at(0x7fffffff);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            tern_stream_producer p = memory.producer();
            for (uint32_t i = 0; i < Records;) {
                record<MOST> r(i);
                if (tern_stream_send(&p, i + 100, r.bytes, r.length)) i++;
                else tern_cpu_relax();
            }
        } else {
            tern_stream_consumer c = memory.consumer(Release * 8);
            for (uint32_t i = 0; i < Records;) {
                unsigned char out[MOST];
                uint32_t length, kind;
                if (tern_stream_receive(&c, out, MOST, &length, &kind)) {
                    RL_ASSERT(record<MOST>(i).is(out, length, kind, i));
                    i++;
                } else {
                    tern_cpu_relax();
                }
            }
        }
    }
};

/// Both sides sleep, and the producer often for more units than one. No time-out: a lost wake-up,
/// or space that is free and never told, is a deadlock.
template <uint32_t Units, uint32_t Release, uint32_t Records, uint32_t Start>
struct sleeping : rl::test_suite<sleeping<Units, Release, Records, Start>, 2> {
    enum { MOST = Units * 4 };
    stream_memory<Units> memory;
    void before()
    {
        memory.watch();
        memory.format(TERN_STREAM_WAITABLE);
        memory.start_at(Start);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            tern_stream_producer p = memory.producer();
            for (uint32_t i = 0; i < Records; i++) {
                record<MOST> r(i + 1);
                RL_ASSERT(tern_stream_send_wait(&p, i + 101, r.bytes, r.length, TERN_WAIT_FOREVER) == TERN_OK);
            }
            tern_stream_close_producer(&p);
        } else {
            tern_stream_consumer c = memory.consumer(Release * 8);
            unsigned char out[MOST];
            uint32_t length, kind;
            for (uint32_t i = 0; i < Records; i++) {
                RL_ASSERT(tern_stream_receive_wait(&c, out, MOST, &length, &kind, TERN_WAIT_FOREVER) == TERN_OK);
                RL_ASSERT(record<MOST>(i + 1).is(out, length, kind, i + 1));
            }
            RL_ASSERT(tern_stream_receive_wait(&c, out, MOST, &length, &kind, TERN_WAIT_FOREVER) == TERN_ERR_CLOSED);
        }
    }
};

/// Records written and read where they lie; each is reserved longer than it becomes.
template <uint32_t Units, uint32_t Records> struct in_place : rl::test_suite<in_place<Units, Records>, 2> {
    enum { MOST = Units * 4 };
    stream_memory<Units> memory;
    void before()
    {
        memory.watch();
        memory.format(TERN_STREAM_WAITABLE);
        memory.start_at(1);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            tern_stream_producer p = memory.producer();
            for (uint32_t i = 0; i < Records; i++) {
                record<MOST> r(i);
                void *at = i % 2 ? tern_stream_reserve(&p, r.length) : NULL;
                if (!at) RL_ASSERT(tern_stream_reserve_wait(&p, MOST, &at, TERN_WAIT_FOREVER) == TERN_OK);
                if (r.length) tern_copy_to_shared(at, r.bytes, r.length);
                tern_stream_set_kind(&p, i + 100);
                tern_stream_commit(&p, r.length);
            }
        } else {
            tern_stream_consumer c = memory.consumer(1);
            for (uint32_t i = 0; i < Records; i++) {
                unsigned char out[MOST + 1];
                uint32_t length, kind;
                const void *at = i % 2 ? NULL : tern_stream_peek(&c, &length, &kind);
                if (!at) RL_ASSERT(tern_stream_peek_wait(&c, &at, &length, &kind, TERN_WAIT_FOREVER) == TERN_OK);
                if (length) tern_copy_from_shared(out, at, length);
                RL_ASSERT(record<MOST>(i).is(out, length, kind, i));
                tern_stream_release(&c);
            }
        }
    }
};

/// "Closed" must mean that everything has been seen, by polling; padding lies in between.
struct close_polling : rl::test_suite<close_polling, 2> {
    stream_memory<8> memory;
    void before()
    {
        memory.watch();
        memory.format(0);
        memory.start_at(5);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            tern_stream_producer p = memory.producer();
            for (uint32_t i = 0; i < 2; i++) RL_ASSERT(tern_stream_send(&p, i, "eight by", 8));
            tern_stream_close_producer(&p);
        } else {
            tern_stream_consumer c = memory.consumer(1);
            uint32_t i = 0, length, kind;
            char out[8];
            while (tern_stream_consumer_status(&c) == TERN_OK)
                if (tern_stream_receive(&c, out, 8, &length, &kind)) RL_ASSERT(length == 8 && kind == i++);
                else tern_cpu_relax();
            RL_ASSERT(i == 2);
        }
    }
};

/// The consumer closes while the producer waits for much space: it must wake, and see the close.
struct close_consumer_sleeping : rl::test_suite<close_consumer_sleeping, 2> {
    stream_memory<2> memory;
    void before()
    {
        memory.watch();
        memory.format(TERN_STREAM_WAITABLE);
    }
    void thread(unsigned id)
    {
        uint32_t length, kind;
        char out[8];
        if (id == 0) {
            tern_stream_producer p = memory.producer();
            uint32_t sent = 0;
            while (tern_stream_send_wait(&p, 0, "eight by", 8, TERN_WAIT_FOREVER) == TERN_OK) sent++;
            RL_ASSERT(sent <= 2 && tern_stream_producer_status(&p) == TERN_ERR_CLOSED);
        } else {
            tern_stream_consumer c = memory.consumer(1);
            RL_ASSERT(tern_stream_receive_wait(&c, out, 8, &length, &kind, TERN_WAIT_FOREVER) == TERN_OK);
            tern_stream_close_consumer(&c);
        }
    }
};

/// Attach while the other thread still formats: NOT_READY, or everything.
struct attach_while_formatting : rl::test_suite<attach_while_formatting, 2> {
    stream_memory<2> memory;
    void before()
    {
        memory.watch();
        tern_a32_store_relaxed(&memory.bytes.shared.magic, 0);
    }
    void thread(unsigned id)
    {
        uint32_t length, kind;
        char out[8];
        if (id == 0) {
            memory.format(0);
            tern_stream_producer p = memory.producer();
            RL_ASSERT(tern_stream_send(&p, 3, "three", 5));
        } else {
            tern_stream_consumer c;
            tern_status status;
            while ((status = tern_stream_attach_consumer(&c, &memory.bytes, sizeof memory.bytes)) == TERN_ERR_NOT_READY)
                tern_cpu_relax();
            RL_ASSERT(status == TERN_OK);
            while (!tern_stream_receive(&c, out, 8, &length, &kind)) tern_cpu_relax();
            RL_ASSERT(length == 5 && kind == 3);
        }
    }
};

// ---- Known mistakes ---------------------------------------------------------------------------

enum mistake {
    HEADER_LAST,      ///< the index is published, then the payload is written
    PADDING_LAST,     ///< padding and record are published, then the padding's header is written
    PADDING_FREE,     ///< aeron#2015: the claim counts the record only, and padding goes over unread data
    HEADER_FREE,      ///< the same by one unit: the claim forgets the record's own header
    SPACE_UNSEEN,     ///< waits until "one unit is free" and takes it for enough
};

/// A producer with a mistake, made of the shipping parts.
template <mistake Mistake> bool bad_send(tern_stream_producer &p, uint32_t kind, const void *data, uint32_t length)
{
    tern_ring_producer *ring = &p.ring;
    uint32_t units = tern__stream_units(length), whole = tern__ring_until_wrap(ring->tail, ring->capacity_items);
    uint32_t padding = units > whole ? whole : 0, need = padding + units;
    if (Mistake == PADDING_FREE) need = units;
    if (Mistake == HEADER_FREE) need--;
    if (Mistake == SPACE_UNSEEN) need = 1;
    if (tern__ring_space(ring, need) < need) return false;
    unsigned char *end = tern__stream_unit(ring->items, ring->tail, ring->capacity_items);
    const tern_stream_header pad = { TERN__STREAM_PADDING, 0 };
    if (padding && Mistake != PADDING_LAST) tern_copy_to_shared(end, &pad, sizeof pad);
    ring->tail += padding;
    unsigned char *at = tern__stream_unit(ring->items, ring->tail, ring->capacity_items) + 8;
    if (Mistake != HEADER_LAST && length) tern_copy_to_shared(at, data, length);
    tern__stream_publish(&p, length, kind);
    if (padding && Mistake == PADDING_LAST) tern_copy_to_shared(end, &pad, sizeof pad);
    if (Mistake == HEADER_LAST && length) tern_copy_to_shared(at, data, length);
    return true;
}

template <mistake Mistake> struct bad_producer : rl::test_suite<bad_producer<Mistake>, 2> {
    /* at most 3 units of 8: padding and record fit together. Record 3 begins 2 units before the end,
     * and while only record 0 has been read, 3 units are free */
    enum { RECORDS = 12, MOST = 16 };
    stream_memory<8> memory;
    void before()
    {
        memory.watch();
        memory.format(0);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            tern_stream_producer p = memory.producer();
            for (uint32_t i = 0; i < RECORDS;) {
                record<MOST> r(i);
                if (bad_send<Mistake>(p, i + 100, r.bytes, r.length)) i++;
                else tern_cpu_relax();
            }
        } else {
            tern_stream_consumer c = memory.consumer(1);
            for (uint32_t i = 0; i < RECORDS;) {
                unsigned char out[MOST];
                uint32_t length, kind;
                if (tern_stream_receive(&c, out, MOST, &length, &kind)) {
                    RL_ASSERT(record<MOST>(i).is(out, length, kind, i));
                    i++;
                } else {
                    RL_ASSERT(c.ring.status == TERN_OK);
                    tern_cpu_relax();
                }
            }
        }
    }
};

/// A consumer that goes to sleep without publishing what it freed: 8 units, all of them freed and
/// not told, and a producer that waits for 3.
struct keeps_what_it_freed : rl::test_suite<keeps_what_it_freed, 2> {
    stream_memory<8> memory;
    void before()
    {
        memory.watch();
        memory.format(TERN_STREAM_WAITABLE);
    }
    void thread(unsigned id)
    {
        unsigned char bytes[32] = { 0 };
        const uint32_t lengths[] = { 32, 16, 16 };
        if (id == 0) {
            tern_stream_producer p = memory.producer();
            for (uint32_t n : lengths) RL_ASSERT(tern_stream_send_wait(&p, n, bytes, n, TERN_WAIT_FOREVER) == TERN_OK);
        } else {
            tern_stream_consumer c = memory.consumer(1);
            c.ring.release_every_items = 1000;
            for (uint32_t n : lengths) {
                uint32_t length, kind;
                RL_ASSERT(tern_stream_receive_wait(&c, bytes, 32, &length, &kind, TERN_WAIT_FOREVER) == TERN_OK);
                RL_ASSERT(length == n && kind == n);
                c.ring.released = c.ring.head;   /* the mistake: as if it had been published */
            }
        }
    }
};

} // namespace

int main(int argc, char **argv)
{
    model_runner runner({
        { "plain stream, exact release", model_random<polling<4, 1, 7, 0>>, model_bound<polling<4, 1, 3, 0>> },
        { "plain stream, lazy release", model_random<polling<16, 4, 9, 0>>, model_bound<polling<16, 4, 4, 0>> },
        { "waitable stream, polling", model_random<polling<4, 1, 7, TERN_STREAM_WAITABLE>>,
          model_bound<polling<4, 1, 3, TERN_STREAM_WAITABLE>> },
        { "sleeping, 2 units", model_random<sleeping<2, 1, 3, 1>>, model_bound<sleeping<2, 1, 2, 0>> },
        { "sleeping, 8 units, lazy release, for more units than one", model_random<sleeping<8, 2, 5, 4>>,
          model_bound<sleeping<8, 2, 2, 4>> },
        { "in place, shrinking", model_random<in_place<4, 5>>, model_bound<in_place<4, 2>> },
        { "close, polling", model_random<close_polling>, model_bound<close_polling> },
        { "close by the consumer, sleeping", model_random<close_consumer_sleeping>,
          model_bound<close_consumer_sleeping> },
        { "attach while formatting", model_random<attach_while_formatting>, model_bound<attach_while_formatting> },
    }, TERN_MODEL_SITES, {}, {
        { "payload written after the index", model_random<bad_producer<HEADER_LAST>> },
        { "padding written after the index of its record", model_random<bad_producer<PADDING_LAST>> },
        { "claim that forgets the padding (aeron#2015)", model_random<bad_producer<PADDING_FREE>> },
        { "claim that forgets the header", model_random<bad_producer<HEADER_FREE>> },
        { "any space taken for enough", model_random<bad_producer<SPACE_UNSEEN>> },
        { "freed units kept while asleep", model_random<keeps_what_it_freed> },
    });
    return runner.run(argc, argv);
}
