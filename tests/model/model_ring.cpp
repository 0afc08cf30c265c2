// SPDX-License-Identifier: MIT
// model_ring.cpp: the ring under the model checker, both layouts: plain, waitable by exchange and by
// plain stores, batches, spans, closing, and attaching while the other side still formats.
#include "model.hpp"

#include "../../lib/base.c"
#include "../../lib/bell.c"
#include "../../lib/ring.c"
#include "../../lib/ring_wait.c"

#include "sites_ring.h"

namespace {

/// A ring in the model's memory; the items follow the shared struct as everywhere.
template <uint32_t Capacity> struct ring_memory {
    struct {
        tern_ring_shared shared;
        unsigned char items[Capacity * 8];   // sequenced: 4 more bytes a slot
    } bytes;
    model_payload geometry, items;
    model_sequences sequences;

    void watch()
    {
        model_begin();
        model_watch(geometry, &bytes.shared.geometry, sizeof bytes.shared.geometry, sizeof bytes.shared.geometry);
        model_watch(items, bytes.items, sizeof bytes.items, 4);
        sequences.begin = bytes.items;
        sequences.slot_bytes = 8;
        model_current_sequences() = &sequences;
    }
    void format(uint32_t flags)
    {
        tern_ring_desc desc = { 4, Capacity, flags };
        RL_ASSERT(tern_ring_format(&bytes, sizeof bytes, &desc) == TERN_OK);
    }
    /// As if `count` items had gone through.
    void start_at(uint32_t count)
    {
        tern_a32_store_relaxed(&bytes.shared.producer.word, count << 1);
        tern_a32_store_relaxed(&bytes.shared.consumer.word, count << 1);
        for (uint32_t i = 0; i < Capacity; i++)
            tern_a32_store_relaxed(&sequences.at[(count + i) % Capacity], (count + i + 1 - Capacity) << 1);
    }
    tern_ring_producer producer()
    {
        tern_ring_producer p;
        RL_ASSERT(tern_ring_attach_producer(&p, &bytes, sizeof bytes) == TERN_OK);
        return p;
    }
    tern_ring_consumer consumer(uint32_t release_every)
    {
        tern_ring_consumer c;
        RL_ASSERT(tern_ring_attach_consumer(&c, &bytes, sizeof bytes) == TERN_OK);
        tern_ring_consumer_release_every(&c, release_every);
        return c;
    }
};

/// Push and pop by polling. Items come round several times, so that slots are reused.
template <uint32_t Capacity, uint32_t Release, uint32_t Items, uint32_t Flags>
struct polling : rl::test_suite<polling<Capacity, Release, Items, Flags>, 2> {
    ring_memory<Capacity> memory;
    void before()
    {
        memory.watch();
        memory.format(Flags);
        memory.start_at(0x7ffffffe);   // the counters pass 2^31 on the way
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            tern_ring_producer p = memory.producer();
            for (uint32_t i = 0; i < Items;)
                if (tern_ring_push(&p, &i)) i++;
                else tern_cpu_relax();
        } else {
            tern_ring_consumer c = memory.consumer(Release);
            for (uint32_t i = 0, item; i < Items;)
                if (tern_ring_pop(&c, &item)) {
                    RL_ASSERT(item == i);
                    i++;
                } else {
                    tern_cpu_relax();
                }
        }
    }
};

constexpr uint32_t WAITABLE = TERN_RING_WAITABLE, SEQUENCED = TERN_RING_SEQUENCED;

/// Both sides sleep. No time-out: a lost wake-up is a deadlock. Hears: plain stores are allowed, and
/// come after the first exchange that met nobody.
template <uint32_t Capacity, uint32_t Items, uint32_t Flags, bool Hears>
struct sleeping : rl::test_suite<sleeping<Capacity, Items, Flags, Hears>, 2> {
    ring_memory<Capacity> memory;
    void before()
    {
        memory.watch();
        model_hears_barriers() = Hears;
        memory.format(Flags);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            tern_ring_producer p = memory.producer();
            for (uint32_t i = 0; i < Items; i++)
                RL_ASSERT(tern_ring_push_wait(&p, &i, TERN_WAIT_FOREVER) == TERN_OK);
        } else {
            tern_ring_consumer c = memory.consumer(Capacity);
            for (uint32_t i = 0, item; i < Items; i++) {
                RL_ASSERT(tern_ring_pop_wait(&c, &item, TERN_WAIT_FOREVER) == TERN_OK);
                RL_ASSERT(item == i);
            }
        }
    }
};

/// Batches against spans, over the wrap.
template <uint32_t Capacity, uint32_t total, uint32_t Flags>
struct batches_and_spans : rl::test_suite<batches_and_spans<Capacity, total, Flags>, 2> {
    ring_memory<Capacity> memory;
    void before()
    {
        memory.watch();
        memory.format(Flags);
    }
    void produce()
    {
        tern_ring_producer p = memory.producer();
        for (uint32_t i = 0; i < total;) {
            uint32_t batch[3] = { i, i + 1, i + 2 }, got;
            if (i % 2 == 0) {
                i += tern_ring_push_many(&p, batch, total - i < 3 ? total - i : 3);
            } else if (void *span = tern_ring_reserve(&p, total - i < 2 ? 1 : 2, &got)) {
                tern_copy_to_shared(span, batch, got * 4);
                tern_ring_commit(&p, got);
                i += got;
            }
            if (i < total) RL_ASSERT(tern_ring_producer_wait(&p, TERN_WAIT_FOREVER) == TERN_OK);
        }
        tern_ring_close_producer(&p);
    }
    void consume()
    {
        tern_ring_consumer c = memory.consumer(1);
        uint32_t i = 0;
        tern_status status;
        while ((status = tern_ring_consumer_wait(&c, TERN_WAIT_FOREVER)) == TERN_OK) {
            uint32_t batch[3], got = 0;
            if (i % 3 == 0) {
                got = tern_ring_pop_many(&c, batch, 3);
            } else if (const void *span = tern_ring_peek(&c, 2, &got)) {
                tern_copy_from_shared(batch, span, got * 4);
                tern_ring_release(&c, got);
            }
            RL_ASSERT(got > 0);
            for (uint32_t k = 0; k < got; k++) RL_ASSERT(batch[k] == i + k);
            i += got;
        }
        RL_ASSERT(status == TERN_ERR_CLOSED && i == total);
    }
    void thread(unsigned id)
    {
        if (id == 0) produce();
        else consume();
    }
};

/// "Closed" must mean that everything has been seen, by polling.
template <uint32_t Flags> struct close_polling : rl::test_suite<close_polling<Flags>, 2> {
    ring_memory<4> memory;
    void before()
    {
        memory.watch();
        memory.format(Flags);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            tern_ring_producer p = memory.producer();
            for (uint32_t i = 0; i < 2; i++) RL_ASSERT(tern_ring_push(&p, &i));
            tern_ring_close_producer(&p);
        } else {
            tern_ring_consumer c = memory.consumer(1);
            uint32_t i = 0, item;
            while (tern_ring_consumer_status(&c) == TERN_OK)
                if (tern_ring_pop(&c, &item)) RL_ASSERT(item == i++);
                else tern_cpu_relax();
            RL_ASSERT(i == 2);
        }
    }
};

/// The producer closes while the consumer goes to sleep: it must wake, and see the close.
template <uint32_t Flags> struct close_producer_sleeping : rl::test_suite<close_producer_sleeping<Flags>, 2> {
    ring_memory<2> memory;
    void before()
    {
        memory.watch();
        memory.format(Flags);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            tern_ring_producer p = memory.producer();
            uint32_t item = 7;
            RL_ASSERT(tern_ring_push(&p, &item));
            tern_ring_close_producer(&p);
        } else {
            tern_ring_consumer c = memory.consumer(1);
            uint32_t item = 0;
            RL_ASSERT(tern_ring_pop_wait(&c, &item, TERN_WAIT_FOREVER) == TERN_OK && item == 7);
            RL_ASSERT(tern_ring_pop_wait(&c, &item, TERN_WAIT_FOREVER) == TERN_ERR_CLOSED);
        }
    }
};

/// The consumer closes while the producer goes to sleep on a full ring.
template <uint32_t Flags> struct close_consumer_sleeping : rl::test_suite<close_consumer_sleeping<Flags>, 2> {
    ring_memory<1> memory;
    void before()
    {
        memory.watch();
        memory.format(Flags);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            tern_ring_producer p = memory.producer();
            uint32_t pushed = 0, item = 1;
            while (tern_ring_push_wait(&p, &item, TERN_WAIT_FOREVER) == TERN_OK) pushed++;
            RL_ASSERT(pushed <= 2 && tern_ring_producer_status(&p) == TERN_ERR_CLOSED);
        } else {
            tern_ring_consumer c = memory.consumer(1);
            uint32_t item;
            RL_ASSERT(tern_ring_pop_wait(&c, &item, TERN_WAIT_FOREVER) == TERN_OK);
            tern_ring_close_consumer(&c);
        }
    }
};

/// Attach while the other thread still formats: NOT_READY, or everything.
template <uint32_t Flags> struct attach_while_formatting : rl::test_suite<attach_while_formatting<Flags>, 2> {
    ring_memory<2> memory;
    void before()
    {
        memory.watch();
        tern_a32_store_relaxed(&memory.bytes.shared.magic, 0);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            memory.format(Flags);
            tern_ring_producer p = memory.producer();
            uint32_t item = 3;
            RL_ASSERT(tern_ring_push(&p, &item));
        } else {
            tern_ring_consumer c;
            uint32_t item = 0;
            tern_status status;
            while ((status = tern_ring_attach_consumer(&c, &memory.bytes, sizeof memory.bytes)) == TERN_ERR_NOT_READY)
                tern_cpu_relax();
            RL_ASSERT(status == TERN_OK);
            while (!tern_ring_pop(&c, &item)) tern_cpu_relax();
            RL_ASSERT(item == 3);
        }
    }
};

} // namespace

int main(int argc, char **argv)
{
    model_runner runner({
        { "indexed, exact release", model_random<polling<2, 1, 6, 0>>, model_bound<polling<2, 1, 5, 0>> },
        { "indexed, lazy release", model_random<polling<8, 2, 18, 0>>, model_bound<polling<8, 2, 10, 0>> },
        { "indexed, waitable, polling", model_random<polling<2, 1, 6, WAITABLE>>,
          model_bound<polling<2, 1, 5, WAITABLE>> },
        { "indexed, sleeping, by exchange, capacity 1", model_random<sleeping<1, 4, WAITABLE, false>>,
          model_bound<sleeping<1, 2, WAITABLE, false>> },
        { "indexed, sleeping, by exchange, capacity 2", model_random<sleeping<2, 6, WAITABLE, false>>,
          model_bound<sleeping<2, 3, WAITABLE, false>> },
        { "indexed, sleeping, by plain stores, capacity 1", model_random<sleeping<1, 4, WAITABLE, true>>,
          model_bound<sleeping<1, 2, WAITABLE, true>> },
        { "indexed, sleeping, by plain stores, capacity 2", model_random<sleeping<2, 6, WAITABLE, true>>,
          model_bound<sleeping<2, 2, WAITABLE, true>> },
        { "indexed, batches and spans", model_random<batches_and_spans<4, 9, WAITABLE>>,
          model_bound<batches_and_spans<2, 2, WAITABLE>> },
        { "indexed, close, polling", model_random<close_polling<0>>, model_bound<close_polling<0>> },
        { "indexed, close by the producer, sleeping", model_random<close_producer_sleeping<WAITABLE>>,
          model_bound<close_producer_sleeping<WAITABLE>> },
        { "indexed, close by the consumer, sleeping", model_random<close_consumer_sleeping<WAITABLE>>,
          model_bound<close_consumer_sleeping<WAITABLE>> },
        { "indexed, attach while formatting", model_random<attach_while_formatting<0>>,
          model_bound<attach_while_formatting<0>> },
        { "sequenced, exact release", model_random<polling<2, 1, 6, SEQUENCED>>,
          model_bound<polling<2, 1, 3, SEQUENCED>> },
        { "sequenced, lazy release", model_random<polling<8, 2, 18, SEQUENCED>>,
          model_bound<polling<4, 1, 4, SEQUENCED>> },
        { "sequenced, waitable, polling", model_random<polling<2, 1, 6, WAITABLE | SEQUENCED>>,
          model_bound<polling<2, 1, 3, WAITABLE | SEQUENCED>> },
        { "sequenced, sleeping, by exchange, capacity 1", model_random<sleeping<1, 4, WAITABLE | SEQUENCED, false>>,
          model_bound<sleeping<1, 2, WAITABLE | SEQUENCED, false>> },
        { "sequenced, sleeping, by exchange, capacity 2", model_random<sleeping<2, 6, WAITABLE | SEQUENCED, false>>,
          model_bound<sleeping<2, 2, WAITABLE | SEQUENCED, false>> },
        { "sequenced, sleeping, by plain stores, capacity 1", model_random<sleeping<1, 4, WAITABLE | SEQUENCED, true>>,
          model_bound<sleeping<1, 2, WAITABLE | SEQUENCED, true>> },
        { "sequenced, sleeping, by plain stores, capacity 2", model_random<sleeping<2, 6, WAITABLE | SEQUENCED, true>>,
          model_bound<sleeping<2, 2, WAITABLE | SEQUENCED, true>> },
        { "sequenced, batches and spans", model_random<batches_and_spans<4, 9, WAITABLE | SEQUENCED>>,
          model_bound<batches_and_spans<2, 2, WAITABLE | SEQUENCED>> },
        { "sequenced, close, polling", model_random<close_polling<SEQUENCED>>,
          model_bound<close_polling<SEQUENCED>> },
        { "sequenced, close by the producer, sleeping", model_random<close_producer_sleeping<WAITABLE | SEQUENCED>>,
          model_bound<close_producer_sleeping<WAITABLE | SEQUENCED>> },
        { "sequenced, close by the consumer, sleeping", model_random<close_consumer_sleeping<WAITABLE | SEQUENCED>>,
          model_bound<close_consumer_sleeping<WAITABLE | SEQUENCED>> },
        { "sequenced, attach while formatting", model_random<attach_while_formatting<SEQUENCED>>,
          model_bound<attach_while_formatting<SEQUENCED>> },
    }, TERN_MODEL_SITES, {});
    return runner.run(argc, argv);
}
