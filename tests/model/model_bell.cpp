// SPDX-License-Identifier: MIT
// model_bell.cpp: the bell under the model checker: flat and with leaves, sleeping without a
// time-out, closing, arming for an eventfd, a marker that dies half-way, one bell for two rings;
// and four mistakes that others made, which must be found.
#define MODEL_EVENTFD
#include "model.hpp"

#include "../../lib/base.c"
#include "../../lib/bell.c"
#include "../../lib/ring.c"
#include "../../lib/ring_wait.c"
#include "../../lib/triple.c"

#include "sites_bell.h"

namespace {

/// An eventfd: a counter that a wake adds to and a read takes. All of it relaxed, so that nothing
/// but the bell orders anything.
tern_a32 *eventfd;

void eventfd_read()
{
    uint32_t seen;
    while ((seen = (uint32_t)eventfd->value.exchange(0, rl::mo_relaxed, $)) == 0) tern_word_wait(eventfd, 0, 0);
}

} // namespace

extern "C" tern_status tern__eventfd_check(int fd)
{
    return fd == 7 ? TERN_OK : TERN_ERR_ARGUMENT;
}

extern "C" void tern__eventfd_wake(int fd)
{
    RL_ASSERT(fd == 7);
    eventfd->value.fetch_add(1, rl::mo_relaxed, $);
    tern_word_wake(eventfd);
}

namespace {

/// A bell in the model's memory with a 4-byte value beside each of the first sources, written
/// before its source is rung. Every thread uses the one view, as it may.
template <uint32_t Sources, uint32_t Values = 4> struct bell_memory {
    struct {
        tern_bell_shared shared;
        tern_a32 leaf[(Sources + 31) / 32];
    } bytes;
    uint32_t values[Values];
    model_payload geometry, shown;
    tern_bell bell;

    void watch()
    {
        model_begin();
        model_watch(geometry, &bytes.shared.geometry, sizeof bytes.shared.geometry, sizeof bytes.shared.geometry);
        model_watch(shown, values, sizeof values, 4);
    }
    void format()
    {
        tern_bell_desc desc = { Sources };
        RL_ASSERT(tern_bell_format(&bytes, sizeof bytes, &desc) == TERN_OK);
    }
    void make()
    {
        watch();
        format();
        RL_ASSERT(tern_bell_attach(&bell, &bytes, sizeof bytes) == TERN_OK);
    }
    /// Publish a value, then ring.
    void show(uint32_t value, uint32_t source)
    {
        uint32_t number = value + 100;
        tern_copy_to_shared(&values[value], &number, 4);
        RL_ASSERT(tern_bell_ring(&bell, source));
    }
    void expect(uint32_t value)
    {
        uint32_t number;
        tern_copy_from_shared(&number, &values[value], 4);
        RL_ASSERT(number == value + 100);
    }
    /// One pass; a set of the values that came, each of which must be there and new. Value v came
    /// with source v, and value 3 with the last source.
    uint32_t pass(uint32_t seen)
    {
        tern_bell_pass pass;
        uint32_t first, bits;
        tern_bell_begin(&bell, &pass);
        while (tern_bell_next(&pass, &first, &bits))
            while (bits) {
                uint32_t source = first + tern_bell_take(&bits);
                uint32_t value = Sources > 4 && source == Sources - 1 ? 3 : source;
                RL_ASSERT(value < Values && !(seen & 1u << value));
                expect(value);
                seen |= 1u << value;
            }
        return seen;
    }
};

/// Two ringers, each value once and no time-out; the collector sleeps until it has all of them.
template <uint32_t Sources, uint32_t Each, uint32_t Ringers>
struct ring_and_wait : rl::test_suite<ring_and_wait<Sources, Each, Ringers>, Ringers + 1> {
    bell_memory<Sources> memory;
    void before() { memory.make(); }
    void thread(unsigned id)
    {
        if (id < Ringers) {   // ringer 0 takes values 0 and 2, ringer 1 values 1 and 3
            for (uint32_t value = id; value < Each * 2; value += 2)
                memory.show(value, Sources > 4 && value == 3 ? Sources - 1 : value);
            return;
        }
        uint32_t all = Ringers == 2 ? (1u << Each * 2) - 1 : Each == 2 ? 5u : 1u, seen = 0;
        while (seen != all) {
            RL_ASSERT(tern_bell_wait(&memory.bell, TERN_WAIT_FOREVER) == TERN_OK);
            seen = memory.pass(seen);
        }
    }
};

/// Ringers count up beside one source, ringing each time, and what the collector misses of it must
/// ring again: it ends when it has seen the last numbers.
template <uint32_t Sources, uint32_t Ringers, uint32_t Rings>
struct counting : rl::test_suite<counting<Sources, Ringers, Rings>, Ringers + 1> {
    bell_memory<Sources> memory;
    tern_a32 counter[Ringers];
    void before()
    {
        memory.make();
        for (tern_a32 &c : counter) tern_a32_store_relaxed(&c, 0);
    }
    void thread(unsigned id)
    {
        if (id < Ringers) {
            for (uint32_t i = 1; i <= Rings; i++) {
                tern_a32_store_relaxed(&counter[id], i);
                tern_bell_ring(&memory.bell, Sources - 1);
            }
            return;
        }
        for (uint32_t finished = 0; finished < Ringers;) {
            RL_ASSERT(tern_bell_wait(&memory.bell, TERN_WAIT_FOREVER) == TERN_OK);
            tern_bell_pass pass;
            uint32_t first, bits;
            tern_bell_begin(&memory.bell, &pass);
            while (tern_bell_next(&pass, &first, &bits)) {
                RL_ASSERT(first + tern_bell_take(&bits) == Sources - 1 && bits == 0);
                finished = 0;
                for (tern_a32 &c : counter) finished += tern_a32_load_relaxed(&c) == Rings;
            }
        }
    }
};

/// All sources are rung for the dead, what they had published comes with it; beside a ringer in the same run.
struct ring_all : rl::test_suite<ring_all, 3> {
    bell_memory<33> memory;
    void before() { memory.make(); }
    void thread(unsigned id)
    {
        if (id == 0) {
            uint32_t number = 100;
            tern_copy_to_shared(&memory.values[0], &number, 4);
            tern__bell_ring_all(&memory.bell);
        }
        if (id == 1) memory.show(2, 2);
        if (id != 2) return;
        for (bool done = false; !done;) {
            RL_ASSERT(tern_bell_wait(&memory.bell, TERN_WAIT_FOREVER) == TERN_OK);
            tern_bell_pass pass;
            uint32_t first, bits;
            tern_bell_begin(&memory.bell, &pass);
            while (tern_bell_next(&pass, &first, &bits)) {
                if (first != 0 || !(bits & 1u)) continue;
                memory.expect(0);
                done = true;
            }
        }
    }
};

/// A marker that died between its leaf and the root; another one marks the same source.
struct dead_marker : rl::test_suite<dead_marker, 3> {
    bell_memory<33> memory;
    void before() { memory.make(); }
    void thread(unsigned id)
    {
        if (id == 0) tern_a32_fetch_or_release(&memory.bytes.leaf[0], 1, MODEL_0_DIES);
        if (id == 1) memory.show(0, 0);
        if (id != 2) return;
        RL_ASSERT(tern_bell_wait(&memory.bell, TERN_WAIT_FOREVER) == TERN_OK);
        RL_ASSERT(memory.pass(0) == 1);
    }
};

/// Rings and closes while the collector goes to sleep: it gets everything, then CLOSED.
template <uint32_t Sources> struct close_sleeping : rl::test_suite<close_sleeping<Sources>, 2> {
    bell_memory<Sources> memory;
    void before() { memory.make(); }
    void thread(unsigned id)
    {
        if (id == 0) {
            memory.show(0, 0);
            tern_bell_close(&memory.bell);
            return;
        }
        uint32_t seen = 0;
        tern_status status;
        while ((status = tern_bell_wait(&memory.bell, TERN_WAIT_FOREVER)) == TERN_OK) seen = memory.pass(seen);
        RL_ASSERT(status == TERN_ERR_CLOSED && seen == 1);
    }
};

/// The same without sleeping: "closed" must mean that everything has been seen.
struct close_polling : rl::test_suite<close_polling, 2> {
    bell_memory<4> memory;
    void before() { memory.make(); }
    void thread(unsigned id)
    {
        if (id == 0) {
            memory.show(0, 0);
            memory.show(1, 1);
            tern_bell_close(&memory.bell);
            return;
        }
        uint32_t seen = 0;
        while (tern_bell_status(&memory.bell) == TERN_OK) {
            seen = memory.pass(seen);
            tern_cpu_relax();
        }
        RL_ASSERT(seen == 3);
    }
};

/// One rings, another closes, and SLEEP is left over from a collector that died.
struct close_after_dead_sleeper : rl::test_suite<close_after_dead_sleeper, 3> {
    bell_memory<4> memory;
    void before()
    {
        memory.make();
        RL_ASSERT(tern_bell_arm(&memory.bell));
    }
    void thread(unsigned id)
    {
        if (id == 0) memory.show(0, 0);
        if (id == 1) tern_bell_close(&memory.bell);
        if (id != 2) return;
        uint32_t seen = 0;
        tern_status status;
        while ((status = tern_bell_wait(&memory.bell, TERN_WAIT_FOREVER)) == TERN_OK) seen = memory.pass(seen);
        RL_ASSERT(status == TERN_ERR_CLOSED);
    }
};

/// Arm, then sleep on an eventfd that the ringers write to.
template <uint32_t Ringers> struct arming : rl::test_suite<arming<Ringers>, Ringers + 1> {
    bell_memory<4> memory;
    tern_a32 counter;
    void before()
    {
        memory.make();
        eventfd = &counter;
        tern_a32_store_relaxed(&counter, 0);
        RL_ASSERT(tern_bell_use_eventfd(&memory.bell, 8) == TERN_ERR_ARGUMENT);
        RL_ASSERT(tern_bell_use_eventfd(&memory.bell, 7) == TERN_OK);
    }
    void thread(unsigned id)
    {
        if (id < Ringers) {
            memory.show(id, id);
            if (id == 0) memory.show(2, 2);
            if (id == 0) tern_bell_close(&memory.bell);
            return;
        }
        uint32_t all = Ringers == 2 ? 7 : 5, seen = 0;
        bool closed = false;
        while (seen != all || !closed) {
            if (tern_bell_arm(&memory.bell)) eventfd_read();
            seen = memory.pass(seen);
            closed = tern_bell_status(&memory.bell) == TERN_ERR_CLOSED;
            if (closed && seen != all) tern_cpu_relax();   // the other ringer is on its way
        }
    }
};

/// One bell for two rings: the consumer sleeps on the bell alone, until both are closed.
template <uint32_t Items, uint32_t Rings> struct many_rings : rl::test_suite<many_rings<Items, Rings>, Rings + 1> {
    struct ring_memory {
        struct {
            tern_ring_shared shared;
            unsigned char items[4 * 4];
        } bytes;
        model_payload geometry, items;
        tern_ring_producer p;
        tern_ring_consumer c;
    };
    bell_memory<4> memory;
    ring_memory ring[Rings];
    void before()
    {
        memory.make();
        tern_ring_desc desc = { 4, 4, TERN_RING_WAITABLE };
        for (uint32_t i = 0; i < Rings; i++) {
            ring_memory &r = ring[i];
            tern_ring_geometry &g = r.bytes.shared.geometry;
            model_watch(r.geometry, &g, sizeof g, sizeof g);
            model_watch(r.items, r.bytes.items, sizeof r.bytes.items, 4);
            RL_ASSERT(tern_ring_format(&r.bytes, sizeof r.bytes, &desc) == TERN_OK);
            RL_ASSERT(tern_ring_attach_producer(&r.p, &r.bytes, sizeof r.bytes) == TERN_OK);
            RL_ASSERT(tern_ring_attach_consumer(&r.c, &r.bytes, sizeof r.bytes) == TERN_OK);
            RL_ASSERT(tern_ring_producer_bind(&r.p, &memory.bell, i) == TERN_OK);
        }
    }
    void thread(unsigned id)
    {
        if (id < Rings) {
            for (uint32_t i = 0; i < Items; i++) RL_ASSERT(tern_ring_push(&ring[id].p, &i));
            tern_ring_close_producer(&ring[id].p);
            return;
        }
        uint32_t next[Rings] = {}, open = Rings;
        while (open > 0) {
            RL_ASSERT(tern_bell_wait(&memory.bell, TERN_WAIT_FOREVER) == TERN_OK);
            uint32_t bits = tern_bell_collect(&memory.bell), item;
            while (bits) {
                uint32_t at = tern_bell_take(&bits);
                if (next[at] == Items + 1) continue;   // closed already
                while (tern_ring_pop(&ring[at].c, &item)) RL_ASSERT(item == next[at]++);
                if (tern_ring_consumer_status(&ring[at].c) != TERN_ERR_CLOSED) continue;
                RL_ASSERT(next[at] == Items);
                next[at] = Items + 1;
                open--;
            }
        }
    }
};

/// A triple buffer behind a bell: its reader sleeps on the bell alone, and sees the last frame.
template <uint32_t Frames> struct bell_of_triple : rl::test_suite<bell_of_triple<Frames>, 2> {
    enum { STRIDE = (sizeof(tern_triple_buffer) + 4 + TERN_SEPARATION - 1) / TERN_SEPARATION * TERN_SEPARATION };
    struct {
        tern_triple_shared shared;
        struct {
            tern_triple_buffer header;
            unsigned char frame[STRIDE - sizeof(tern_triple_buffer)];
        } buffer[3];
    } bytes;
    model_payload geometry, frame[3];
    bell_memory<1> memory;
    void before()
    {
        memory.make();
        tern_triple_desc desc = { 4 };
        model_watch(geometry, &bytes.shared.geometry, sizeof bytes.shared.geometry, sizeof bytes.shared.geometry);
        for (int i = 0; i < 3; i++) model_watch(frame[i], bytes.buffer[i].frame, 4, 4);
        RL_ASSERT(tern_triple_format(&bytes, sizeof bytes, &desc) == TERN_OK);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            tern_triple_writer w;
            RL_ASSERT(tern_triple_attach_writer(&w, &bytes, sizeof bytes) == TERN_OK);
            RL_ASSERT(tern_triple_writer_bind(&w, &memory.bell, 0) == TERN_OK);
            for (uint32_t i = 1; i <= Frames; i++) {
                tern_copy_to_shared(tern_triple_back(&w), &i, sizeof i);
                tern_triple_publish(&w);
            }
            return;
        }
        tern_triple_reader r;
        uint32_t seen = 0;
        RL_ASSERT(tern_triple_attach_reader(&r, &bytes, sizeof bytes) == TERN_OK);
        while (seen != Frames) {
            RL_ASSERT(tern_bell_wait(&memory.bell, TERN_WAIT_FOREVER) == TERN_OK);
            tern_bell_collect(&memory.bell);
            if (!tern_triple_update(&r)) continue;
            tern_copy_from_shared(&seen, tern_triple_front(&r), sizeof seen);
            RL_ASSERT(seen == tern_triple_frame(&r));
        }
    }
};

/// Attach while the other thread still formats: NOT_READY, or everything.
struct attach_while_formatting : rl::test_suite<attach_while_formatting, 2> {
    bell_memory<33> memory;
    void before()
    {
        memory.watch();
        tern_a32_store_relaxed(&memory.bytes.shared.magic, 0);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            memory.format();
            return;
        }
        tern_bell bell;
        tern_status status;
        while ((status = tern_bell_attach(&bell, &memory.bytes, sizeof memory.bytes)) == TERN_ERR_NOT_READY)
            tern_cpu_relax();
        RL_ASSERT(status == TERN_OK && tern_bell_ring(&bell, 32) && tern_bell_collect(&bell) == 2);
    }
};

// ---- Mistakes that must be found -----------------------------------------------------------------

enum class mistake { none, drain_before_clear, skip_if_set, two_words, none_with_leaves, skip_root_if_leaf_set };

/// The counting suite, by hand, with one thing done wrong; or with nothing wrong, as the control.
template <mistake Which, uint32_t Ringers>
struct mistaken : rl::test_suite<mistaken<Which, Ringers>, Ringers + 1> {
    static constexpr bool leaves = Which == mistake::none_with_leaves || Which == mistake::skip_root_if_leaf_set;
    bell_memory<33> memory;
    tern_a32 counter[Ringers], sleeping, word;
    void before()
    {
        memory.make();
        for (tern_a32 &c : counter) tern_a32_store_relaxed(&c, 0);
        tern_a32_store_relaxed(&sleeping, 0);
        tern_a32_store_relaxed(&word, 0);
        if (leaves)   // its marker died half-way
            tern_a32_store_relaxed(&memory.bytes.leaf[1], 1);
    }
    void ring()
    {
        tern_bell_root *root = &memory.bytes.shared.root;
        if (Which == mistake::skip_if_set) {
            if (tern_a32_load_relaxed(&word) & 1) return;
            if (tern_a32_fetch_or_release(&word, 1, MODEL_0_RING) & TERN__BELL_SLEEP) tern_word_wake(&word);
        } else if (Which == mistake::two_words) {
            tern_a32_fetch_or_release(&word, 1, MODEL_0_RING);
            if (tern_a32_load_relaxed(&sleeping)) tern_word_wake(&word);
        } else if (leaves) {
            uint32_t leaf = tern_a32_fetch_or_release(&memory.bytes.leaf[1], 1, MODEL_0_RING);
            if (Which == mistake::skip_root_if_leaf_set && leaf & 1) return;
            uint32_t was = tern_a32_fetch_or_release(&root->word, 2, MODEL_0_RING);
            if (was & TERN__BELL_SLEEP) tern_word_wake(&root->word);
        } else {
            if (tern_a32_fetch_or_release(&word, 1, MODEL_0_RING) & TERN__BELL_SLEEP) tern_word_wake(&word);
        }
    }
    uint32_t finished()
    {
        uint32_t count = 0;
        for (tern_a32 &c : counter) count += tern_a32_load_relaxed(&c) == 2;
        return count;
    }
    void wait()
    {
        uint32_t seen = 0;
        if (Which == mistake::two_words) {
            tern_a32_store_relaxed(&sleeping, 1);
            if (!(tern_a32_load_acquire(&word, MODEL_0_LOOK) & 1)) tern_word_wait(&word, 0, 0);
            tern_a32_store_relaxed(&sleeping, 0);
        } else if (tern_a32_cas_acquire(&word, &seen, TERN__BELL_SLEEP, MODEL_0_SLEEP)) {
            tern_word_wait(&word, TERN__BELL_SLEEP, 0);
        }
    }
    void thread(unsigned id)
    {
        if (id < Ringers) {
            for (uint32_t i = 1; i <= 2; i++) {
                tern_a32_store_relaxed(&counter[id], i);
                ring();
            }
            return;
        }
        for (uint32_t all = 0; all < Ringers;) {
            if (leaves) {
                RL_ASSERT(tern_bell_wait(&memory.bell, TERN_WAIT_FOREVER) == TERN_OK);
                tern_bell_pass pass;
                uint32_t first, bits;
                tern_bell_begin(&memory.bell, &pass);
                while (tern_bell_next(&pass, &first, &bits)) all = finished();
                continue;
            }
            wait();
            if (Which == mistake::drain_before_clear) all = finished();
            tern_a32_exchange_acquire(&word, 0, MODEL_0_COLLECT);
            if (Which != mistake::drain_before_clear) all = finished();
        }
    }
};

} // namespace

int main(int argc, char **argv)
{
    model_runner runner({
        { "flat, 2 ringers", model_random<ring_and_wait<4, 2, 2>>, model_bound<ring_and_wait<4, 1, 2>> },
        { "33 sources, 2 ringers", model_random<ring_and_wait<33, 2, 2>>, model_bound<ring_and_wait<33, 1, 2>> },
        { "2,048 sources in runs of 4 leaves", model_random<ring_and_wait<2048, 2, 2>>,
          model_bound<ring_and_wait<2048, 1, 2>> },
        { "flat, counting", model_random<counting<4, 2, 3>>, model_bound<counting<4, 1, 3>> },
        { "33 sources, counting", model_random<counting<33, 2, 3>>, model_bound<counting<33, 1, 2>> },
        { "a marker that died half-way", model_random<dead_marker>, model_bound<dead_marker> },
        { "all rung for the dead", model_random<ring_all>, nullptr },
        { "close, sleeping", model_random<close_sleeping<4>>, model_bound<close_sleeping<4>> },
        { "close, sleeping, 33 sources", model_random<close_sleeping<33>>, model_bound<close_sleeping<33>> },
        { "close, polling", model_random<close_polling>, model_bound<close_polling> },
        { "close after a sleeper died", model_random<close_after_dead_sleeper>,
          model_bound<close_after_dead_sleeper> },
        { "armed, asleep on an eventfd", model_random<arming<2>>, model_bound<arming<1>> },
        { "a bell for a triple buffer", model_random<bell_of_triple<3>>, model_bound<bell_of_triple<2>> },
        { "one bell for 2 rings", model_random<many_rings<2, 2>>, model_bound<many_rings<1, 1>> },
        { "the mistakes' frame without a mistake", model_random<mistaken<mistake::none, 2>>,
          model_bound<mistaken<mistake::none, 1>> },
        { "the same with leaves", model_random<mistaken<mistake::none_with_leaves, 2>>,
          model_bound<mistaken<mistake::none_with_leaves, 1>> },
        { "attach while formatting", model_random<attach_while_formatting>, model_bound<attach_while_formatting> },
    }, TERN_MODEL_SITES, {}, {
        { "drain before clear", model_random<mistaken<mistake::drain_before_clear, 1>> },
        { "no fetch_or when the bit looks set", model_random<mistaken<mistake::skip_if_set, 2>> },
        { "a flag beside the word tells who sleeps", model_random<mistaken<mistake::two_words, 1>> },
        { "no root when the leaf's bit is set", model_random<mistaken<mistake::skip_root_if_leaf_set, 1>> },
    });
    return runner.run(argc, argv);
}
