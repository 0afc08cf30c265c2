// SPDX-License-Identifier: MIT
// model_triple.cpp: the triple buffer under the model checker: polling, sleeping, closing, attaching while
// the other side still formats, successors of both sides, and the bound on the writer's tries.
#include "model.hpp"

#include <cstddef>

// Variables here, so that a suite can ask for fewer.
static uint32_t publish_tries = 4, update_tries = 64;
#define TERN__TRIPLE_PUBLISH_TRIES publish_tries
#define TERN__TRIPLE_UPDATE_TRIES update_tries

#include "../../lib/base.c"
#include "../../lib/bell.c"
#include "../../lib/triple.c"

#include "sites_triple.h"

namespace {

constexpr size_t frame_bytes = sizeof(uint64_t);
constexpr size_t stride_bytes =
    (sizeof(tern_triple_buffer) + frame_bytes + TERN_SEPARATION - 1) / TERN_SEPARATION * TERN_SEPARATION;

/// A buffer as it lies in memory; its frame holds its own number.
struct triple_slot {
    tern_triple_buffer head;
    unsigned char frame[stride_bytes - sizeof(tern_triple_buffer)];
};

struct triple_memory {
    struct {
        tern_triple_shared shared;
        triple_slot slots[3];
    } bytes;
    model_payload geometry, frames[3];

    void watch()
    {
        publish_tries = 4, update_tries = 64;
        model_begin();
        model_watch(geometry, &bytes.shared.geometry, sizeof bytes.shared.geometry, sizeof bytes.shared.geometry);
        for (int i = 0; i < 3; i++) model_watch(frames[i], bytes.slots[i].frame, frame_bytes, frame_bytes);
    }
    void format()
    {
        tern_triple_desc desc = { frame_bytes };
        RL_ASSERT(tern_triple_format(&bytes, sizeof bytes, &desc) == TERN_OK);
    }
    tern_triple_writer writer()
    {
        tern_triple_writer w;
        RL_ASSERT(tern_triple_attach_writer(&w, &bytes, sizeof bytes) == TERN_OK);
        return w;
    }
    tern_triple_reader reader()
    {
        tern_triple_reader r;
        RL_ASSERT(tern_triple_attach_reader(&r, &bytes, sizeof bytes) == TERN_OK);
        return r;
    }
};

/// Publish some frames, each with its number in it. How many of those that they replaced were never read.
uint32_t publish(tern_triple_writer *w, uint32_t frames)
{
    uint32_t replaced = 0;
    for (uint32_t i = 0; i < frames; i++) {
        uint64_t number = w->frame + 1;
        tern_copy_to_shared(tern_triple_back(w), &number, sizeof number);
        replaced += tern_triple_publish(w);
        // more tries than the reader can cause would be CORRUPT: this asserts the bound
        RL_ASSERT(w->status == TERN_OK && w->frame == number);
    }
    return replaced;
}

/// What is in front is whole, and is the frame that it says.
void check_front(const tern_triple_reader *r)
{
    uint64_t number = 0;
    RL_ASSERT(r->status == TERN_OK && tern_triple_front(r));
    tern_copy_from_shared(&number, tern_triple_front(r), sizeof number);
    RL_ASSERT(number == tern_triple_frame(r));
}

/// Update until a frame, or until the writer has closed and its last frame is in front. How many were read.
uint32_t read_until(tern_triple_reader *r, uint64_t last)
{
    uint32_t read = 0;
    uint64_t before = tern_triple_frame(r), dropped = tern_triple_dropped(r);
    while (tern_triple_frame(r) < last && tern_triple_reader_status(r) == TERN_OK) {
        uint64_t frame = tern_triple_frame(r);
        if (tern_triple_update(r)) read++;
        else tern_cpu_relax();
        RL_ASSERT(r->status == TERN_OK && tern_triple_frame(r) >= frame);
        if (tern_triple_frame(r) > 0) check_front(r);
    }
    RL_ASSERT(read + tern_triple_dropped(r) - dropped == tern_triple_frame(r) - before);
    return read;
}

constexpr uint64_t until_closed = UINT64_MAX;

/// Publish and update by polling; read + dropped is what was published, and both sides agree on it.
template <uint32_t Frames, uint32_t Tries> struct polling : rl::test_suite<polling<Frames, Tries>, 2> {
    triple_memory memory;
    uint32_t replaced, read;
    uint64_t dropped;
    void before()
    {
        memory.watch();
        update_tries = Tries;
        memory.format();
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            tern_triple_writer w = memory.writer();
            replaced = publish(&w, Frames);
            tern_triple_close_writer(&w);
            RL_ASSERT(tern_triple_writer_status(&w) == TERN_OK);
        } else {
            tern_triple_reader r = memory.reader();
            read = read_until(&r, until_closed);
            dropped = tern_triple_dropped(&r);
            RL_ASSERT(tern_triple_frame(&r) == Frames && tern_triple_reader_status(&r) == TERN_ERR_CLOSED);
        }
    }
    void after() { RL_ASSERT(replaced == dropped && read + dropped == Frames); }
};

/// The reader sleeps without a time-out until the last frame, or until the end.
template <uint32_t Frames, bool Closes> struct sleeping : rl::test_suite<sleeping<Frames, Closes>, 2> {
    triple_memory memory;
    void before()
    {
        memory.watch();
        memory.format();
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            tern_triple_writer w = memory.writer();
            publish(&w, Frames);
            if (Closes) tern_triple_close_writer(&w);
            return;
        }
        tern_triple_reader r = memory.reader();
        tern_status status = TERN_OK;
        while (Closes || tern_triple_frame(&r) < Frames) {
            status = tern_triple_wait(&r, TERN_WAIT_FOREVER);
            if (status != TERN_OK) break;
            RL_ASSERT(tern_triple_update(&r));
            check_front(&r);
        }
        RL_ASSERT(tern_triple_frame(&r) == Frames && status == (Closes ? TERN_ERR_CLOSED : TERN_OK));
    }
};

/// Each publication is answered by the next one the other way, and everyone sleeps in between.
template <uint32_t Rounds> struct ping_pong : rl::test_suite<ping_pong<Rounds>, 2> {
    triple_memory there, back;
    void before()
    {
        there.watch();
        there.format();
        // the second one's payload too: watch() forgets what was watched before
        for (int i = 0; i < 3; i++) model_watch(back.frames[i], back.bytes.slots[i].frame, frame_bytes, frame_bytes);
        model_watch(back.geometry, &back.bytes.shared.geometry, sizeof back.bytes.shared.geometry,
                    sizeof back.bytes.shared.geometry);
        back.format();
    }
    void thread(unsigned id)
    {
        tern_triple_writer w = id ? back.writer() : there.writer();
        tern_triple_reader r = id ? there.reader() : back.reader();
        for (uint32_t round = 1; round <= Rounds; round++) {
            if (id == 0) publish(&w, 1);
            RL_ASSERT(tern_triple_wait(&r, TERN_WAIT_FOREVER) == TERN_OK && tern_triple_update(&r));
            check_front(&r);
            RL_ASSERT(tern_triple_frame(&r) == round && tern_triple_dropped(&r) == 0);
            if (id == 1) publish(&w, 1);
        }
    }
};

/// The reader closes; then the writer may do with all the memory what it likes.
struct close_reader : rl::test_suite<close_reader, 2> {
    triple_memory memory;
    void before()
    {
        memory.watch();
        memory.format();
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            tern_triple_writer w = memory.writer();
            publish(&w, 1);
            while (tern_triple_writer_status(&w) == TERN_OK) tern_cpu_relax();
            RL_ASSERT(tern_triple_writer_status(&w) == TERN_ERR_CLOSED);
            uint64_t mine = 0;
            for (triple_slot &slot : memory.bytes.slots) tern_copy_to_shared(slot.frame, &mine, sizeof mine);
        } else {
            tern_triple_reader r = memory.reader();
            read_until(&r, 1);
            tern_triple_close_reader(&r);
        }
    }
};

/// Attach while the other thread still formats: NOT_READY, or everything.
struct attach_while_formatting : rl::test_suite<attach_while_formatting, 2> {
    triple_memory memory;
    void before()
    {
        memory.watch();
        tern_a32_store_relaxed(&memory.bytes.shared.magic, 0);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            memory.format();
            tern_triple_writer w = memory.writer();
            publish(&w, 1);
        } else {
            tern_triple_reader r;
            tern_status status;
            while ((status = tern_triple_attach_reader(&r, &memory.bytes, sizeof memory.bytes)) == TERN_ERR_NOT_READY)
                tern_cpu_relax();
            RL_ASSERT(status == TERN_OK);
            read_until(&r, 1);
        }
    }
};

/// A second writer, in a thread of its own, after the first one's end. Thread 2 reads all along.
template <uint32_t Each> struct writer_successor : rl::test_suite<writer_successor<Each>, 3> {
    triple_memory memory;
    rl::atomic<int> ended;
    void before()
    {
        memory.watch();
        memory.format();
        ended.store(0, rl::mo_relaxed, $);
    }
    void thread(unsigned id)
    {
        if (id == 2) {
            tern_triple_reader r = memory.reader();
            read_until(&r, until_closed);
            RL_ASSERT(tern_triple_frame(&r) == 2 * Each);
            return;
        }
        if (id == 1)
            while (!ended.load(rl::mo_acquire, $)) tern_cpu_relax();
        tern_triple_writer w = memory.writer();
        RL_ASSERT(w.frame == id * Each);
        publish(&w, Each);
        if (id == 1) tern_triple_close_writer(&w);
        tern_triple_detach_writer(&w);
        if (id == 0) ended.store(1, rl::mo_release, $);
    }
};

/// A second reader, in a thread of its own, after the first one's end. Thread 2 writes all along.
template <uint32_t Frames> struct reader_successor : rl::test_suite<reader_successor<Frames>, 3> {
    triple_memory memory;
    rl::atomic<int> ended;
    uint64_t first_frame, accounted[2];
    void before()
    {
        memory.watch();
        memory.format();
        ended.store(0, rl::mo_relaxed, $);
    }
    void thread(unsigned id)
    {
        if (id == 2) {
            tern_triple_writer w = memory.writer();
            publish(&w, Frames);
            tern_triple_close_writer(&w);
            return;
        }
        if (id == 1)
            while (!ended.load(rl::mo_acquire, $)) tern_cpu_relax();
        tern_triple_reader r = memory.reader();
        if (id == 1) {   // the predecessor's frame is still there, whole
            RL_ASSERT(tern_triple_frame(&r) == first_frame);
            check_front(&r);
        }
        uint32_t read = read_until(&r, id == 0 ? 1 : until_closed);
        accounted[id] = read + tern_triple_dropped(&r);
        first_frame = tern_triple_frame(&r);
        tern_triple_detach_reader(&r);
        if (id == 0) ended.store(1, rl::mo_release, $);
    }
    void after() { RL_ASSERT(accounted[0] + accounted[1] == Frames && first_frame == Frames); }
};

// ---- Known mistakes --------------------------------------------------------------------------------

/// The suite with one site of the shipping code as others had it.
template <typename Suite> bool with_order(rl::test_params &p, const char *site, rl::memory_order order)
{
    model_current_mutation().site = site;
    model_current_mutation().order = order;
    bool passed = model_random<Suite>(p);
    model_current_mutation().site = nullptr;
    return passed;
}

/// HadrienG2/triple-buffer#14, its writer: it releases its frame, but does not acquire the buffer that
/// it gets for it.
bool writer_with_release_only(rl::test_params &p)
{
    return with_order<polling<4, 64>>(p, "TRIPLE_1_PUBLISH", rl::mo_release);
}

/// The same, its reader: it acquires a frame, but does not release the buffer that it leaves.
bool reader_with_acquire_only(rl::test_params &p)
{
    return with_order<polling<4, 64>>(p, "TRIPLE_2_UPDATE", rl::mo_acquire);
}

/// One try less than the reader can cost the writer: the bound of the shipping code is exact.
template <uint32_t Frames> struct one_try_less : rl::test_suite<one_try_less<Frames>, 2> {
    sleeping<Frames, true> inner;
    void before()
    {
        inner.before();
        publish_tries = 3;
    }
    void thread(unsigned id) { inner.thread(id); }
};

/// Two words: the frame in one, "the reader sleeps" in another, which the writer looks at after it has
/// published. Neither side's store is ordered before its load: both may miss the other.
struct two_word_wait : rl::test_suite<two_word_wait, 2> {
    tern_a32 word, sleeps;
    void before()
    {
        tern_a32_store_relaxed(&word, TERN__TRIPLE_START);
        tern_a32_store_relaxed(&sleeps, 0);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            uint32_t seen = tern_a32_load_relaxed(&word);
            RL_ASSERT(tern_a32_cas_release(&word, &seen, tern__triple_after_publish(seen), BUG_PUBLISH));
            if (tern_a32_load_relaxed(&sleeps)) tern_word_wake(&word);
            return;
        }
        tern_a32_store_release(&sleeps, 1, BUG_SLEEPS);
        uint32_t seen;
        while (!((seen = tern_a32_load_acquire(&word, BUG_LOOK)) & TERN__TRIPLE_FRESH))
            tern_word_wait(&word, seen, TERN_WAIT_FOREVER);
    }
};

} // namespace

int main(int argc, char **argv)
{
    model_runner runner({
        { "polling", model_random<polling<4, 64>>, model_bound<polling<3, 64>> },
        { "polling, an update gives up after one try", model_random<polling<4, 1>>, model_bound<polling<3, 1>> },
        { "sleeping", model_random<sleeping<3, false>>, model_bound<sleeping<2, false>> },
        { "sleeping, ping-pong", model_random<ping_pong<2>>, model_bound<ping_pong<1>> },
        { "close by the writer, sleeping", model_random<sleeping<2, true>>, model_bound<sleeping<1, true>> },
        { "close by the writer before any frame", model_random<sleeping<0, true>>, model_bound<sleeping<0, true>> },
        { "close by the reader", model_random<close_reader>, model_bound<close_reader> },
        { "attach while formatting", model_random<attach_while_formatting>, model_bound<attach_while_formatting> },
        { "a writer's successor", model_random<writer_successor<2>>, model_bound<writer_successor<1>> },
        { "a reader's successor", model_random<reader_successor<4>>, model_bound<reader_successor<2>> },
    }, TERN_MODEL_SITES, {}, {
        { "a writer that only releases (triple-buffer#14)", writer_with_release_only },
        { "a reader that only acquires (triple-buffer#14)", reader_with_acquire_only },
        { "one try less for the writer", model_random<one_try_less<3>> },
        { "a second word for sleeping", model_random<two_word_wait> },
    });
    return runner.run(argc, argv);
}
