/* SPDX-License-Identifier: MIT */
/* victim_triple.c: a triple buffer's writer and reader under attack. */
#include "hostile.h"

typedef struct triple_state {
    tern_triple_writer w;
    tern_triple_reader r;
} triple_state;

enum { TRIPLE_WRITER, TRIPLE_READER };

static const uint32_t triple_shapes[] = { 1, 8, 64, 200, 1000 };

/* ---- Limits ------------------------------------------------------------------------------------- */

enum { TRIPLE_NUMBER = 1, TRIPLE_STANDS = 2, TRIPLE_LOOK = 1 + TRIPLE_STANDS + 3 };

enum triple_call { PUBLISH, WRITER_STATUS, CLOSE_WRITER, ATTACH_WRITER, DETACH_WRITER, UPDATE, READER_STATUS, WAIT,
                   CLOSE_READER, ATTACH_READER, DETACH_READER, INSPECT, TRIPLE_CALLS };

static hostile_limit triple_limits[TRIPLE_CALLS] = {
    [PUBLISH] = { "tern_triple_publish", TERN__TRIPLE_PUBLISH_TRIES + TRIPLE_NUMBER, 0, 0, 0 },
    [WRITER_STATUS] = { "tern_triple_writer_status", 1, 0, 0, 0 },
    [CLOSE_WRITER] = { "tern_triple_close_writer", 2 + TERN__TRIPLE_PUBLISH_TRIES + TRIPLE_NUMBER, 0, 0, 0 },
    [ATTACH_WRITER] = { "tern_triple_attach_writer", 2 + 1 + 2 * TRIPLE_NUMBER, 0, 0, 0 },
    [DETACH_WRITER] = { "tern_triple_detach_writer", 0, 0, 0, 0 },
    [UPDATE] = { "tern_triple_update", 1 + TERN__TRIPLE_UPDATE_TRIES + TRIPLE_NUMBER, 0, 0, 0 },
    [READER_STATUS] = { "tern_triple_reader_status", TRIPLE_STANDS, 0, 0, 0 },
    [WAIT] = { "tern_triple_wait", 0, TRIPLE_LOOK, 0, 0 },   /* each for a number of looks */
    [CLOSE_READER] = { "tern_triple_close_reader", 1, 0, 0, 0 },
    [ATTACH_READER] = { "tern_triple_attach_reader", 2 + 1 + TRIPLE_NUMBER, 0, 0, 0 },
    [DETACH_READER] = { "tern_triple_detach_reader", 0, 0, 0, 0 },
    [INSPECT] = { "tern_triple_inspect", 2 + 1 + 2, 0, 0, 0 },
};

#define RETRY "each compare-exchange takes what the one before saw, after a check; the one that succeeds decides"

static const hostile_reread triple_rereads[] = {
    { "tern_triple_publish", "word", TERN__TRIPLE_PUBLISH_TRIES, 0, RETRY },
    { "tern_triple_close_writer", "word", 1 + TERN__TRIPLE_PUBLISH_TRIES, 0, RETRY },
    { "tern_triple_update", "word", 1 + TERN__TRIPLE_UPDATE_TRIES, 0, RETRY },
    { "tern_triple_wait", "word", 0, 4, "each look is a whole one; nothing is touched on the strength of it" },
    { "tern_triple_wait", "writer_closed", 0, 2, "the same" },
    { NULL, NULL, 0, 0, NULL },
};

/* ---- The object ------------------------------------------------------------------------------------ */

static uint32_t triple_stride(const world *w)
{
    return (w->size_bytes - (uint32_t)sizeof(struct tern_triple_shared)) / 3;
}

static void triple_shape(world *w)
{
    w->shape = hostile_below(w, sizeof triple_shapes / sizeof *triple_shapes);
    w->item_size_bytes = triple_shapes[w->shape];
    w->capacity_items = 3;
    tern_triple_desc desc = { w->item_size_bytes };
    w->size_bytes = (uint32_t)tern_triple_size(&desc);
}

static void triple_make(world *w)
{
    static const uint64_t starts[] = { 0, 0, 5, 0xfffffe, 0xffffff, UINT64_C(0xffffffffff), UINT64_MAX - 3 };
    triple_state *s = w->state;
    struct tern_triple_shared *shared = (void *)w->memory;
    tern_triple_desc desc = { w->item_size_bytes };
    if (tern_triple_format(w->memory, w->size_bytes, &desc) != TERN_OK) hostile_fail(w, "format");
    /* as after so many frames, of which the last is in front, in buffer 2 */
    uint64_t start = starts[hostile_below(w, 7)];
    struct tern_triple_buffer *front = (void *)(w->memory + sizeof *shared + 2 * (size_t)triple_stride(w));
    tern_a64_store_relaxed(&front->frame, start);
    tern_a32_store_relaxed(&shared->word, TERN__TRIPLE_START | (uint32_t)start << TERN__TRIPLE_FRAME_SHIFT);
    if (tern_triple_attach_writer(&s->w, w->memory, w->size_bytes) != TERN_OK
        || tern_triple_attach_reader(&s->r, w->memory, w->size_bytes) != TERN_OK) hostile_fail(w, "attach");
    s->r.spin_checks = hostile_below(w, 4);
}

static const char *triple_word(const world *w, uint32_t offset)
{
    if (offset < 128) return hostile_header_word(w, offset);
    if (offset == offsetof(struct tern_triple_shared, word)) return "word";
    if (offset == offsetof(struct tern_triple_shared, writer_closed)) return "writer_closed";
    if (offset == offsetof(struct tern_triple_shared, reader_closed)) return "reader_closed";
    if (offset < sizeof(struct tern_triple_shared)) return NULL;
    uint32_t at = (offset - (uint32_t)sizeof(struct tern_triple_shared)) % triple_stride(w);
    return at < 8 ? "frame" : at < sizeof(struct tern_triple_buffer) ? NULL : "data";
}

/* What lies nearest to the truth: the word that the victim left. */
static uint32_t triple_own(const world *w)
{
    const triple_state *s = w->state;
    return w->victim->role == TRIPLE_WRITER ? s->w.guess : s->r.word;
}

/* A word that a sound peer could have left. A frame's number: near the right one, with the right low bits or
 * without, or at an end of its range. */
static bool triple_lie(world *w, uint32_t offset, uint64_t *value)
{
    const triple_state *s = w->state;
    const char *word = triple_word(w, offset);
    uint64_t near = w->victim->role == TRIPLE_WRITER ? s->w.frame : s->r.frame;
    const uint64_t numbers[] = { 0, 1, near - 1, near, near + 1, near + 2, near + 0x1000001, near | ~UINT64_C(0xffffff),
                                 UINT64_MAX, UINT64_MAX - 1, (uint64_t)1 << 63, 0xffffff };
    if (word && strcmp(word, "word") == 0) {   /* as if the peer had been faster */
        uint32_t now;
        memcpy(&now, w->alias + offset, sizeof now);
        *value = w->victim->role == TRIPLE_WRITER
            ? tern__triple_when_seen(now) | (hostile_below(w, 2) ? TERN__TRIPLE_SLEEP : 0)
            : tern__triple_after_publish(now);
        return true;
    }
    if (!word || strcmp(word, "frame") != 0) return false;
    *value = numbers[hostile_below(w, 12)];
    return true;
}

/* ---- Calls ---------------------------------------------------------------------------------------------- */

static void triple_inspect(world *w)
{
    tern_triple_info info;
    hostile_mend_header(w);
    hostile_begin(w, &triple_limits[INSPECT], 0);
    tern_status status = tern_triple_inspect(&info, w->memory, w->size_bytes);
    hostile_end(w);
    if (hostile_status(w, status, HOSTILE_ATTACHES) != TERN_OK) return;
    hostile_check(w, info.size_bytes <= w->size_bytes && info.was_back + info.was_ready + info.was_front == 3);
    hostile_check(w, info.was_back < 3 && info.was_ready < 3 && info.was_front < 3);
}

static void triple_attach_writer(world *w)
{
    triple_state *s = w->state;
    tern_triple_writer fresh;
    hostile_mend_header(w);
    hostile_begin(w, &triple_limits[ATTACH_WRITER], 0);
    tern_status status = tern_triple_attach_writer(&fresh, w->memory, w->size_bytes);
    hostile_end(w);
    if (!hostile_attached(w, status, HOSTILE_ATTACHES, &fresh, sizeof fresh)) return;
    hostile_span(w, tern_triple_back(&fresh), fresh.buffer_size_bytes, sizeof(struct tern_triple_shared), true);
    hostile_begin(w, &triple_limits[DETACH_WRITER], 0);
    tern_triple_detach_writer(&s->w);
    hostile_end(w);
    s->w = fresh;
}

static void triple_attach_reader(world *w)
{
    triple_state *s = w->state;
    tern_triple_reader fresh;
    hostile_mend_header(w);
    hostile_begin(w, &triple_limits[ATTACH_READER], 0);
    tern_status status = tern_triple_attach_reader(&fresh, w->memory, w->size_bytes);
    hostile_end(w);
    if (!hostile_attached(w, status, HOSTILE_ATTACHES, &fresh, sizeof fresh)) return;
    hostile_begin(w, &triple_limits[DETACH_READER], 0);
    tern_triple_detach_reader(&s->r);
    hostile_end(w);
    s->r = fresh;
    s->r.spin_checks = hostile_below(w, 4);
}

static void triple_write(world *w)
{
    triple_state *s = w->state;
    uint32_t r = hostile_below(w, 256);
    if (r < 210) {
        uint64_t before = s->w.frame;
        hostile_span(w, tern_triple_back(&s->w), s->w.buffer_size_bytes, sizeof(struct tern_triple_shared), true);
        hostile_begin(w, &triple_limits[PUBLISH], 0);
        bool replaced = tern_triple_publish(&s->w);
        hostile_end(w);
        bool published = s->w.frame != before;
        hostile_check(w, s->w.frame - before <= 1 && (published || !replaced));
        hostile_check(w, published || s->w.status == TERN_ERR_CORRUPT);
        hostile_span(w, tern_triple_back(&s->w), s->w.buffer_size_bytes, sizeof(struct tern_triple_shared), true);
        w->successes += published;
    } else if (r < 235) {
        hostile_begin(w, &triple_limits[WRITER_STATUS], 0);
        tern_status status = tern_triple_writer_status(&s->w);
        hostile_end(w);
        hostile_status(w, status, HOSTILE_STANDS);
    } else if (r < 242) {
        triple_inspect(w);
    } else if (r < 254) {
        triple_attach_writer(w);
    } else {
        hostile_begin(w, &triple_limits[CLOSE_WRITER], 0);
        tern_triple_close_writer(&s->w);
        hostile_end(w);
        if (w->left > 2 && w->mode != HOSTILE_THREAD) w->left = 2;   /* it must not publish any more */
    }
}

static void triple_read(world *w)
{
    triple_state *s = w->state;
    uint32_t r = hostile_below(w, 256);
    if (r < 170) {
        uint64_t frame = tern_triple_frame(&s->r), dropped = tern_triple_dropped(&s->r);
        hostile_begin(w, &triple_limits[UPDATE], 0);
        bool newer = tern_triple_update(&s->r);
        hostile_end(w);
        const void *front = tern_triple_front(&s->r);
        if (newer) {
            hostile_check(w, front && tern_triple_frame(&s->r) > frame);
            hostile_check(w, tern_triple_dropped(&s->r) - dropped == tern_triple_frame(&s->r) - frame - 1);
        } else hostile_check(w, tern_triple_frame(&s->r) == frame);
        if (front) hostile_span(w, front, s->r.buffer_size_bytes, sizeof(struct tern_triple_shared), false);
        w->successes += newer;
    } else if (r < 210) {
        uint64_t timeout_ns = hostile_timeout(w);
        hostile_begin(w, &triple_limits[WAIT], hostile_looks(s->r.spin_checks, timeout_ns));
        tern_status status = tern_triple_wait(&s->r, timeout_ns);
        hostile_end(w);
        hostile_status(w, status, HOSTILE_WAITS);
    } else if (r < 235) {
        hostile_begin(w, &triple_limits[READER_STATUS], 0);
        tern_status status = tern_triple_reader_status(&s->r);
        hostile_end(w);
        hostile_status(w, status, HOSTILE_STANDS);
    } else if (r < 242) {
        triple_inspect(w);
    } else if (r < 254) {
        triple_attach_reader(w);
    } else {
        hostile_begin(w, &triple_limits[CLOSE_READER], 0);
        tern_triple_close_reader(&s->r);
        hostile_end(w);
    }
}

static void triple_act(world *w)
{
    hostile_take_turns(w, TRIPLE_WRITER, 2, triple_write, triple_read);
}

#define VICTIM(name, role) { name, 0, role, sizeof(triple_state), triple_shape, triple_make, triple_act, triple_word, \
                             triple_own, triple_lie, sizeof(struct tern_triple_geometry), triple_rereads, \
                             triple_limits, TRIPLE_CALLS }

const hostile_victim hostile_triple_victims[] = {
    VICTIM("triple_writer", TRIPLE_WRITER),
    VICTIM("triple_reader", TRIPLE_READER),
    { .name = NULL },
};
