/* SPDX-License-Identifier: MIT */
/* kill_triple.c: writer or reader of a triple buffer, killed at every instruction of every call. Frames carry
 * their number; one that a reader has in front is looked at before and after whatever the others do.
 *
 *   kill_triple [--only TEXT] */
#include "kill.h"

typedef struct {
    uint64_t number, check[4];
} frame;

enum { SLEEPER_FRAMES = 12 };

static struct {
    size_t size;
    tern_triple_writer w;
    tern_triple_reader r;
    uint64_t published;            /* by the writer that is to die, or lives on */
    uint64_t read;                 /* frames in front, by the reader that is to die, or lives on */
} w;

static frame make_frame(uint64_t number)
{
    return (frame){ number, { mix(number + 1), ~number, mix(number + 2), number * 3 } };
}

static bool is_frame(const void *at, uint64_t number)
{
    const frame right = make_frame(number);
    if (at && memcmp(at, &right, sizeof right) == 0) return true;
    return kill_wrong("what is in front is not the whole frame %llu", (unsigned long long)number);
}

/* ---- Before the operation ------------------------------------------------------------------------- */

static void publish_one(void)
{
    *(frame *)tern_triple_back(&w.w) = make_frame(w.w.frame + 1);
    tern_triple_publish(&w.w);
    w.published = w.w.frame;
}

static void read_one(void)
{
    if (tern_triple_update(&w.r)) w.read++;
}

/* No frame yet. */
static void new_buffer(void)
{
    tern_triple_desc desc = { sizeof(frame) };
    w.size = tern_triple_size(&desc);
    tern_triple_format(kill_memory, w.size, &desc);
    tern_triple_attach_writer(&w.w, kill_memory, w.size);
    tern_triple_attach_reader(&w.r, kill_memory, w.size);
    w.r.spin_checks = 2;
}

/* Frame 2 in front, all has been read. */
static void all_read(void)
{
    new_buffer();
    for (int i = 0; i < 2; i++) publish_one(), read_one();
}

/* Frame 1 in front, 2 and 3 published: the writer guesses wrong that the reader reads each. */
static void one_unread(void)
{
    new_buffer();
    publish_one(), read_one();
    publish_one(), publish_one();
}

/* ---- Operations ------------------------------------------------------------------------------------- */

static void fill_back(void) { *(frame *)tern_triple_back(&w.w) = make_frame(w.w.frame + 1); }
static void close_writer(void) { tern_triple_close_writer(&w.w); }
static void close_reader(void) { tern_triple_close_reader(&w.r); }
static void attach_writer(void) { tern_triple_attach_writer(&w.w, kill_memory, w.size); }
static void attach_reader(void) { tern_triple_attach_reader(&w.r, kill_memory, w.size); }
static void detach_writer(void) { tern_triple_detach_writer(&w.w); }
static void detach_reader(void) { tern_triple_detach_reader(&w.r); }
static void writer_status(void) { tern_triple_writer_status(&w.w); }
static void reader_status(void) { tern_triple_reader_status(&w.r); }
static void wait_for_one(void) { tern_triple_wait(&w.r, TERN_WAIT_FOREVER); }
static void wait_update(void) { tern_triple_wait(&w.r, TERN_WAIT_FOREVER); tern_triple_update(&w.r); }

static void update(void)
{
    tern_triple_update(&w.r);
    (void)tern_triple_front(&w.r);
    (void)tern_triple_frame(&w.r);
    (void)tern_triple_dropped(&w.r);
}

/* ---- Who is left and who comes ----------------------------------------------------------------------- */

/* Frames rise, come whole, and are all in the books of this reader, which had `start` in front when it came. */
static bool flow(tern_triple_writer *writer, tern_triple_reader *reader, uint64_t start, uint64_t read)
{
    for (int i = 0; i < 9; i++) {
        uint64_t front = tern_triple_frame(reader);
        *(frame *)tern_triple_back(writer) = make_frame(writer->frame + 1);
        tern_triple_publish(writer);
        if (front != 0) KILL_TRUE(is_frame(tern_triple_front(reader), front));
        if (i % 3 == 1) continue;
        KILL_TRUE(tern_triple_update(reader));
        read++;
        KILL_TRUE(tern_triple_frame(reader) == writer->frame && is_frame(tern_triple_front(reader), writer->frame));
        KILL_TRUE(read + tern_triple_dropped(reader) == writer->frame - start);
    }
    KILL_TRUE(tern_triple_writer_status(writer) == TERN_OK && tern_triple_reader_status(reader) == TERN_OK);
    return true;
}

/* The reader looks: in front stays what was there, or a newer whole frame is. */
static bool look(tern_triple_reader *reader, uint64_t *read)
{
    uint64_t front = tern_triple_frame(reader);
    if (front != 0) KILL_TRUE(is_frame(tern_triple_front(reader), front));
    if (!tern_triple_update(reader)) return true;
    ++*read;
    KILL_TRUE(tern_triple_frame(reader) > front);
    return is_frame(tern_triple_front(reader), tern_triple_frame(reader));
}

/* Effect: 1 if the dead one had published. Order 0: the reader looks before the successor comes; 1: the successor
 * publishes before the reader looks; 2: a new reader comes too. */
static int writer_died(int order)
{
    tern_triple_writer successor;
    uint64_t start = 0, read = w.read;
    if (order == 0) KILL_MUST(look(&w.r, &read));
    KILL_MUST(tern_triple_attach_writer(&successor, kill_memory, w.size) == TERN_OK);
    uint64_t last = successor.frame;
    KILL_MUST(last == w.published || last == w.published + 1);
    if (order == 0) KILL_MUST(tern_triple_frame(&w.r) == last || last == 0);
    if (order == 2) {
        KILL_MUST(tern_triple_attach_reader(&w.r, kill_memory, w.size) == TERN_OK);
        start = tern_triple_frame(&w.r);
        read = 0;
    }
    KILL_MUST(flow(&successor, &w.r, start, read));
    return (int)(last - w.published);
}

/* Effect: 1 if the dead one had put a newer frame in front. Order 0: the writer goes on before the successor comes;
 * 1: the successor comes first; 2: a new writer comes too. */
static int reader_died(int order)
{
    tern_triple_reader successor;
    uint64_t before = tern_triple_frame(&w.r);
    if (order == 0) for (int i = 0; i < 4; i++) publish_one();
    KILL_MUST(tern_triple_attach_reader(&successor, kill_memory, w.size) == TERN_OK);
    if (order == 2) KILL_MUST(tern_triple_attach_writer(&w.w, kill_memory, w.size) == TERN_OK);
    uint64_t start = tern_triple_frame(&successor), read = 0;
    KILL_MUST(start >= before && start <= w.published);
    KILL_MUST((tern_triple_front(&successor) != NULL) == (start != 0));
    KILL_MUST(look(&successor, &read));
    KILL_MUST(tern_triple_frame(&successor) == w.w.frame);   /* the newest */
    KILL_MUST(flow(&w.w, &successor, start, read));
    return start != before;
}

static int closing_writer_died(int order)
{
    tern_triple_writer successor;
    tern_triple_info info;
    uint64_t read = w.read;
    if (order == 0) KILL_MUST(look(&w.r, &read));
    KILL_MUST(tern_triple_attach_writer(&successor, kill_memory, w.size) == TERN_OK);
    KILL_MUST(tern_triple_inspect(&info, kill_memory, w.size) == TERN_OK);
    if (order == 1) KILL_MUST(look(&w.r, &read));
    KILL_MUST(tern_triple_frame(&w.r) == w.published);
    KILL_MUST(tern_triple_reader_status(&w.r) == (info.writer_closed ? TERN_ERR_CLOSED : TERN_OK));
    if (!info.writer_closed) KILL_MUST(flow(&successor, &w.r, 0, read));
    tern_triple_close_writer(&successor);
    KILL_MUST(tern_triple_reader_status(&w.r) == TERN_ERR_CLOSED);
    return info.writer_closed;
}

static int closing_reader_died(int order)
{
    tern_triple_reader successor;
    tern_triple_info info;
    uint64_t read = 0;
    if (order == 0) publish_one();
    KILL_MUST(tern_triple_attach_reader(&successor, kill_memory, w.size) == TERN_OK);
    KILL_MUST(tern_triple_inspect(&info, kill_memory, w.size) == TERN_OK);
    uint64_t start = tern_triple_frame(&successor);
    KILL_MUST(look(&successor, &read));
    KILL_MUST(tern_triple_writer_status(&w.w) == (info.reader_closed ? TERN_ERR_CLOSED : TERN_OK));
    if (!info.reader_closed) KILL_MUST(flow(&w.w, &successor, start, read));
    tern_triple_close_reader(&successor);
    KILL_MUST(tern_triple_writer_status(&w.w) == TERN_ERR_CLOSED);
    return info.reader_closed;
}

/* ---- A reader that sleeps ------------------------------------------------------------------------------ */

static int sleeping_reader(void)
{
    tern_status status;
    while ((status = tern_triple_wait(&w.r, TERN_WAIT_FOREVER)) == TERN_OK) {
        KILL_MUST(look(&w.r, &w.read));
        KILL_MUST(w.read + tern_triple_dropped(&w.r) == tern_triple_frame(&w.r));
        /* tell the writer that this one is in front */
    }
    KILL_MUST(status == TERN_ERR_CLOSED);
    return (int)tern_triple_frame(&w.r);
}

static void all_read_asleep(void) { all_read(); kill_leave_asleep(sleeping_reader); }
static void new_buffer_asleep(void) { new_buffer(); kill_leave_asleep(sleeping_reader); }

static tern_triple_writer next_writer;
static int effect;

static bool nothing_is_fresh(void)
{
    tern_triple_info info;
    return tern_triple_inspect(&info, kill_memory, w.size) == TERN_OK && !info.was_fresh;
}

/* What the dead one published wakes the sleeper when the successor has come, not only when it publishes more. */
static bool writer_comes(void)
{
    KILL_TRUE(tern_triple_attach_writer(&next_writer, kill_memory, w.size) == TERN_OK);
    effect = (int)(next_writer.frame - w.published);
    KILL_TRUE(kill_soon(nothing_is_fresh));
    for (int i = 0; i < SLEEPER_FRAMES; i++) {
        *(frame *)tern_triple_back(&next_writer) = make_frame(next_writer.frame + 1);
        tern_triple_publish(&next_writer);
        if (i % 2 == 0) KILL_TRUE(kill_soon(nothing_is_fresh));
    }
    tern_triple_close_writer(&next_writer);
    return true;
}

static int writer_died_beside_sleeper(int order)
{
    (void)order;
    int last = kill_beside_sleeper(sleeping_reader, writer_comes);
    KILL_MUST(last == (int)w.published + effect + SLEEPER_FRAMES);
    return effect;
}

static bool closing_writer_comes(void)
{
    tern_triple_info info;
    KILL_TRUE(tern_triple_attach_writer(&next_writer, kill_memory, w.size) == TERN_OK);
    KILL_TRUE(tern_triple_inspect(&info, kill_memory, w.size) == TERN_OK);
    effect = info.writer_closed;
    if (!effect) tern_triple_close_writer(&next_writer);
    return true;
}

static int closing_writer_died_beside_sleeper(int order)
{
    (void)order;
    return kill_beside_sleeper(sleeping_reader, closing_writer_comes) == (int)w.published ? effect : KILL_WRONG;
}

/* ---- The table --------------------------------------------------------------------------------------- */

static const kill_case all[] = {
    KILL_CASE("back", one_unread, fill_back, writer_died, 3, 0),
    KILL_CASE("back, publish: the first frame", new_buffer, publish_one, writer_died, 3, 1),
    KILL_CASE("back, publish: the last was read", all_read, publish_one, writer_died, 3, 1),
    KILL_CASE("back, publish: the last was not read", one_unread, publish_one, writer_died, 3, 1),
    KILL_CASE("status of the writer", all_read, writer_status, writer_died, 3, 0),
    KILL_CASE("attach_writer", one_unread, attach_writer, writer_died, 3, 0),
    KILL_CASE("detach_writer", one_unread, detach_writer, writer_died, 3, 0),
    KILL_CASE("close_writer", one_unread, close_writer, closing_writer_died, 2, 1),
    KILL_BESIDE("back, publish: the first frame, the reader sleeps", new_buffer_asleep, publish_one,
                writer_died_beside_sleeper, 1),
    KILL_BESIDE("back, publish: the reader sleeps", all_read_asleep, publish_one, writer_died_beside_sleeper, 1),
    KILL_BESIDE("close_writer, the reader sleeps", all_read_asleep, close_writer,
                closing_writer_died_beside_sleeper, 1),
    KILL_CASE("update, front, frame, dropped", one_unread, update, reader_died, 3, 1),
    KILL_CASE("update that finds nothing", all_read, update, reader_died, 3, 0),
    KILL_CASE("update before the first frame", new_buffer, update, reader_died, 3, 0),
    KILL_CASE("status of the reader", one_unread, reader_status, reader_died, 3, 0),
    KILL_CASE("attach_reader", one_unread, attach_reader, reader_died, 3, 0),
    KILL_CASE("detach_reader", one_unread, detach_reader, reader_died, 3, 0),
    KILL_CASE("close_reader", one_unread, close_reader, closing_reader_died, 2, 1),
    KILL_CASE("wait, there is a newer frame", one_unread, wait_for_one, reader_died, 3, 0),
    KILL_ASLEEP("wait that sleeps, update", all_read, wait_update, publish_one, reader_died, 3, 1),
    KILL_ASLEEP("wait that sleeps, update: the first frame", new_buffer, wait_update, publish_one, reader_died, 3, 1),
};

int main(int argc, char **argv)
{
    kill_begin(argc, argv, 4096, &w, sizeof w);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) kill_run("triple", &all[i]);
    return kill_end();
}
