/* SPDX-License-Identifier: MIT */
/* victim_stream.c: a stream's producer and consumer under attack. */
#include "hostile.h"

typedef struct stream_state {
    tern_stream_producer p;
    tern_stream_consumer c;
} stream_state;

enum { STREAM_PRODUCER, STREAM_CONSUMER };

static const uint32_t stream_shapes[] = { 16, 32, 64, 256, 1024 };

/* ---- Limits ------------------------------------------------------------------------------------- */

/* As for the ring (victim_ring.c). Room: padding, whose space is looked for and which is published, then the
 * record's space. A look for a record: at most one padding, so two headers and two looks for items. */
enum { STREAM_SPACE = 2, STREAM_PUBLISH = 4, STREAM_FREE = 4, STREAM_HEADER = 1, STREAM_COPY = 1,
       STREAM_ITEMS = STREAM_FREE + 1,
       STREAM_ROOM = STREAM_SPACE + STREAM_HEADER + STREAM_PUBLISH + STREAM_SPACE,
       STREAM_FRONT = 2 * (STREAM_ITEMS + STREAM_HEADER) + STREAM_FREE,
       STREAM_SLEEP = 8,
       STREAM_ROOM_LOOK = STREAM_ROOM + 1 + STREAM_SPACE + 1 + STREAM_SLEEP,
       STREAM_RECORD_LOOK = STREAM_ITEMS + STREAM_FRONT + 3 * STREAM_ITEMS + 3 + STREAM_SLEEP };

enum stream_call { SEND, RESERVE, COMMIT, SEND_WAIT, RESERVE_WAIT, PRODUCER_STATUS, PRODUCER_USED, PEEK, RELEASE,
                   RECEIVE, PEEK_WAIT, RECEIVE_WAIT, CONSUMER_STATUS, CONSUMER_USED, CLOSE_PRODUCER, CLOSE_CONSUMER,
                   ATTACH_PRODUCER, ATTACH_CONSUMER, DETACH_PRODUCER, DETACH_CONSUMER, INSPECT, STREAM_CALLS };

static hostile_limit stream_limits[STREAM_CALLS] = {
    [SEND] = { "tern_stream_send", STREAM_ROOM + STREAM_COPY + STREAM_HEADER + STREAM_PUBLISH, 0, 0, 0 },
    [RESERVE] = { "tern_stream_reserve", STREAM_ROOM, 0, 0, 0 },
    [COMMIT] = { "tern_stream_commit", STREAM_HEADER + STREAM_PUBLISH, 0, 0, 0 },
    /* each for a number of looks */
    [SEND_WAIT] = { "tern_stream_send_wait", STREAM_ROOM + STREAM_COPY + STREAM_HEADER + STREAM_PUBLISH,
                    STREAM_ROOM_LOOK, 0, 0 },
    [RESERVE_WAIT] = { "tern_stream_reserve_wait", STREAM_ROOM, STREAM_ROOM_LOOK, 0, 0 },
    [PRODUCER_STATUS] = { "tern_stream_producer_status", 1, 0, 0, 0 },
    [PRODUCER_USED] = { "tern_stream_producer_was_used_bytes", 1, 0, 0, 0 },
    [PEEK] = { "tern_stream_peek", STREAM_FRONT, 0, 0, 0 },
    [RELEASE] = { "tern_stream_release", STREAM_FREE, 0, 0, 0 },
    [RECEIVE] = { "tern_stream_receive", STREAM_FRONT + STREAM_COPY + STREAM_FREE, 0, 0, 0 },
    [PEEK_WAIT] = { "tern_stream_peek_wait", 0, STREAM_RECORD_LOOK, 0, 0 },
    [RECEIVE_WAIT] = { "tern_stream_receive_wait", STREAM_COPY + STREAM_FREE, STREAM_RECORD_LOOK, 0, 0 },
    [CONSUMER_STATUS] = { "tern_stream_consumer_status", 1 + STREAM_ITEMS, 0, 0, 0 },
    [CONSUMER_USED] = { "tern_stream_consumer_was_used_bytes", 1, 0, 0, 0 },
    [CLOSE_PRODUCER] = { "tern_stream_close_producer", 2, 0, 0, 0 },
    [CLOSE_CONSUMER] = { "tern_stream_close_consumer", 1 + STREAM_FREE, 0, 0, 0 },
    /* each for a unit: a header that tells of a sequenced ring is read as one, and then refused */
    [ATTACH_PRODUCER] = { "tern_stream_attach_producer", 2 + 2 + 1 + 1, 1, 0, 0 },
    [ATTACH_CONSUMER] = { "tern_stream_attach_consumer", 2 + 2 + 1, 1, 0, 0 },
    [DETACH_PRODUCER] = { "tern_stream_detach_producer", 0, 0, 0, 0 },
    [DETACH_CONSUMER] = { "tern_stream_detach_consumer", STREAM_FREE, 0, 0, 0 },
    [INSPECT] = { "tern_stream_inspect", 2 + 2 + 4 + 1, 0, 0, 0 },
};

#define PADDING \
    "one look for the padding's space and one for the record's: each is bounded by itself, and the space of the " \
    "first stays"
#define PASSED "behind padding one more look; a limit comes from its own look alone"
#define BYTES_NOW \
    "padding from the middle on: its header, and then, as bytes, the end of a record from the start that is as long " \
    "as can be"
#define WAITS "each look begins anew and bounds what it sees"
#define SLEEP_ALONE "exchanges that publish; of the old value SLEEP alone is used"
#define AFTER_EACH "one look after each publication"

static const hostile_reread stream_rereads[] = {
    { "tern_stream_inspect", "producer.word", 2, 0, "once for the index, once for SLEEP: numbers to look at" },
    { "tern_stream_send", "consumer.word", 2, 0, PADDING },
    { "tern_stream_send", "consumer.closed", 2, 0, PADDING },
    { "tern_stream_send", "producer.word", 2, 0, SLEEP_ALONE },
    { "tern_stream_send", "producer.asleep", 2, 0, AFTER_EACH },
    { "tern_stream_reserve", "consumer.word", 2, 0, PADDING },
    { "tern_stream_reserve", "consumer.closed", 2, 0, PADDING },
    { "tern_stream_send_wait", "consumer.word", 2, 6, WAITS },
    { "tern_stream_send_wait", "consumer.closed", 2, 6, WAITS },
    { "tern_stream_send_wait", "consumer.asymmetric", 0, 1, WAITS },
    { "tern_stream_send_wait", "producer.word", 2, 0, SLEEP_ALONE },
    { "tern_stream_send_wait", "producer.asleep", 2, 0, AFTER_EACH },
    { "tern_stream_reserve_wait", "consumer.word", 2, 6, WAITS },
    { "tern_stream_reserve_wait", "consumer.closed", 2, 6, WAITS },
    { "tern_stream_reserve_wait", "consumer.asymmetric", 0, 1, WAITS },
    { "tern_stream_peek", "producer.word", 2, 0, PASSED },
    { "tern_stream_peek", "consumer.word", 2, 0, SLEEP_ALONE },
    { "tern_stream_peek", "consumer.asleep", 2, 0, AFTER_EACH },
    { "tern_stream_receive", "middle unit", 2, 0, BYTES_NOW },
    { "tern_stream_receive_wait", "middle unit", 2, 0, BYTES_NOW },
    { "tern_stream_receive", "producer.word", 2, 0, PASSED },
    { "tern_stream_receive", "consumer.word", 3, 0, SLEEP_ALONE },
    { "tern_stream_receive", "consumer.asleep", 3, 0, AFTER_EACH },
    { "tern_stream_peek_wait", "producer.word", 0, 8, WAITS },
    { "tern_stream_peek_wait", "producer.closed", 0, 3, WAITS },
    { "tern_stream_peek_wait", "producer.asymmetric", 0, 1, WAITS },
    { "tern_stream_peek_wait", "consumer.word", 0, 2, SLEEP_ALONE },
    { "tern_stream_peek_wait", "consumer.asleep", 0, 2, AFTER_EACH },
    { "tern_stream_receive_wait", "producer.word", 0, 8, WAITS },
    { "tern_stream_receive_wait", "producer.closed", 0, 3, WAITS },
    { "tern_stream_receive_wait", "producer.asymmetric", 0, 1, WAITS },
    { "tern_stream_receive_wait", "consumer.word", 1, 2, SLEEP_ALONE },
    { "tern_stream_receive_wait", "consumer.asleep", 1, 2, AFTER_EACH },
    { NULL, NULL, 0, 0, NULL },
};

/* ---- The object ------------------------------------------------------------------------------------ */

static void stream_shape(world *w)
{
    w->shape = hostile_below(w, sizeof stream_shapes / sizeof *stream_shapes);
    w->item_size_bytes = 8;
    w->capacity_items = stream_shapes[w->shape] / 8;
    tern_stream_desc desc = { stream_shapes[w->shape], w->victim->form };
    w->size_bytes = (uint32_t)tern_stream_size(&desc);
}

static void stream_make(world *w)
{
    static const uint32_t starts[] = { 0, 1, 0x3ffffffe, 0x7ffffff0, 0x7fffffff };
    stream_state *s = w->state;
    struct tern_ring_end *ends = hostile_ends(w);
    tern_stream_desc desc = { stream_shapes[w->shape], w->victim->form };
    uint32_t start = starts[hostile_below(w, 5)];
    if (tern_stream_format(w->memory, w->size_bytes, &desc) != TERN_OK) hostile_fail(w, "format");
    tern_a32_store_relaxed(&ends[0].word, start << 1);
    tern_a32_store_relaxed(&ends[1].word, start << 1);
    if (tern_stream_attach_producer(&s->p, w->memory, w->size_bytes) != TERN_OK
        || tern_stream_attach_consumer(&s->c, w->memory, w->size_bytes) != TERN_OK) hostile_fail(w, "attach");
    s->p.spin_checks = s->c.spin_checks = hostile_below(w, 4);
    if (hostile_below(w, 2)) tern_stream_consumer_release_every(&s->c, 1);
}

/* Any unit can be a header, so none is read twice but the middle one, see above. */
static const char *stream_word(const world *w, uint32_t offset)
{
    const stream_state *s = w->state;
    if (offset < hostile_items_at(w)) return hostile_end_word(w, offset);
    return (offset - hostile_items_at(w)) / 8 == s->c.ring.capacity_items / 2 ? "middle unit" : "unit";
}

static uint32_t stream_own(const world *w)
{
    const stream_state *s = w->state;
    return w->victim->role == STREAM_PRODUCER ? s->p.ring.tail : s->c.ring.head;
}

/* A header: lengths around every limit. */
static bool stream_lie(world *w, uint32_t offset, uint64_t *value)
{
    uint32_t bytes = w->capacity_items * 8, r = hostile_below(w, 12);
    const uint32_t edges[] = { 0, 1, 7, 8, bytes / 2 - 1, bytes / 2, bytes / 2 + 1, bytes, 0x7fffffff, 0x80000000,
                               0xfffffff8, UINT32_MAX };
    if (offset < hostile_items_at(w)) return false;
    *value = hostile_below(w, 2) ? edges[r] : hostile_below(w, 64);
    *value |= hostile_random(w) << 32;
    return true;
}

/* ---- Calls of both ends ------------------------------------------------------------------------------- */

static void stream_inspect(world *w)
{
    tern_stream_info info;
    hostile_mend_header(w);
    hostile_begin(w, &stream_limits[INSPECT], 0);
    tern_status status = tern_stream_inspect(&info, w->memory, w->size_bytes);
    hostile_end(w);
    if (hostile_status(w, status, HOSTILE_ATTACHES) != TERN_OK) return;
    hostile_check(w, info.size_bytes <= w->size_bytes && info.was_used_bytes <= info.capacity_bytes);
    hostile_check(w, info.capacity_bytes < info.size_bytes && info.max_record_bytes == info.capacity_bytes / 2);
}

static void stream_attach_producer(world *w)
{
    stream_state *s = w->state;
    tern_stream_producer fresh;
    hostile_mend_header(w);
    hostile_begin(w, &stream_limits[ATTACH_PRODUCER], (w->size_bytes - hostile_items_at(w)) / 8);
    tern_status status = tern_stream_attach_producer(&fresh, w->memory, w->size_bytes);
    hostile_end(w);
    if (!hostile_attached(w, status, HOSTILE_ATTACHES, &fresh, sizeof fresh)) return;
    hostile_check(w, fresh.ring.items + fresh.capacity_bytes <= w->memory + w->size_bytes);
    if (fresh.ring.ends != hostile_ends(w)) return;   /* of another layout: another victim's */
    hostile_begin(w, &stream_limits[DETACH_PRODUCER], 0);
    tern_stream_detach_producer(&s->p);
    hostile_end(w);
    s->p = fresh;
    s->p.spin_checks = hostile_below(w, 4);
}

static void stream_attach_consumer(world *w)
{
    stream_state *s = w->state;
    tern_stream_consumer fresh;
    hostile_mend_header(w);
    hostile_begin(w, &stream_limits[ATTACH_CONSUMER], (w->size_bytes - hostile_items_at(w)) / 8);
    tern_status status = tern_stream_attach_consumer(&fresh, w->memory, w->size_bytes);
    hostile_end(w);
    if (!hostile_attached(w, status, HOSTILE_ATTACHES, &fresh, sizeof fresh)) return;
    hostile_check(w, fresh.ring.items + fresh.capacity_bytes <= w->memory + w->size_bytes);
    if (fresh.ring.ends != hostile_ends(w)) return;   /* of another layout: another victim's */
    hostile_begin(w, &stream_limits[DETACH_CONSUMER], 0);
    tern_stream_detach_consumer(&s->c);
    hostile_end(w);
    s->c = fresh;
    s->c.spin_checks = hostile_below(w, 4);
}

/* ---- The producer ----------------------------------------------------------------------------------------- */

#define STREAM_SENDS (HOSTILE_WAITS | HOSTILE_ONE(TERN_ERR_ARGUMENT))

static uint32_t stream_waits(const tern_ring_producer *p, const tern_ring_consumer *c, uint32_t documented)
{
    return (p ? p->waitable : c->waitable) ? documented : documented | HOSTILE_ONE(TERN_ERR_UNSUPPORTED);
}

static void stream_send(world *w, uint32_t length, bool waits)
{
    stream_state *s = w->state;
    uint64_t timeout_ns = waits ? hostile_timeout(w) : 0;
    const unsigned char *data = hostile_in(w, length);
    hostile_begin(w, &stream_limits[waits ? SEND_WAIT : SEND], waits ? hostile_looks(s->p.spin_checks, timeout_ns) : 0);
    tern_status status = waits ? tern_stream_send_wait(&s->p, 5, data, length, timeout_ns) : TERN_OK;
    bool sent = waits ? status == TERN_OK : tern_stream_send(&s->p, 5, data, length);
    hostile_end(w);
    hostile_status(w, status, stream_waits(&s->p.ring, NULL, STREAM_SENDS));
    hostile_check(w, !sent || length <= s->p.max_record_bytes);
    w->successes += sent;
}

static void stream_reserve(world *w, uint32_t length, bool waits)
{
    stream_state *s = w->state;
    uint64_t timeout_ns = waits ? hostile_timeout(w) : 0;
    void *at;
    hostile_begin(w, &stream_limits[waits ? RESERVE_WAIT : RESERVE],
                  waits ? hostile_looks(s->p.spin_checks, timeout_ns) : 0);
    tern_status status = waits ? tern_stream_reserve_wait(&s->p, length, &at, timeout_ns) : TERN_OK;
    if (!waits) at = tern_stream_reserve(&s->p, length);
    hostile_end(w);
    hostile_status(w, status, stream_waits(&s->p.ring, NULL, STREAM_SENDS));
    hostile_check(w, !waits || (status == TERN_OK) == (at != NULL));
    if (!at) return;
    hostile_check(w, length <= s->p.max_record_bytes);
    hostile_span(w, at, length, hostile_items_at(w) + 8, true);
    tern_stream_set_kind(&s->p, 9);
    hostile_begin(w, &stream_limits[COMMIT], 0);
    tern_stream_commit(&s->p, hostile_below(w, length + 1));
    hostile_end(w);
    w->successes++;
}

static void stream_produce(world *w)
{
    stream_state *s = w->state;
    uint32_t r = hostile_below(w, 256), most = s->p.max_record_bytes;
    uint32_t length = hostile_below(w, 2) ? hostile_below(w, most + 2) : hostile_below(w, most / 4 + 2);
    if (r < 80) {
        stream_send(w, length, false);
    } else if (r < 140) {
        stream_reserve(w, length, false);
    } else if (r < 180) {
        stream_send(w, length, true);
    } else if (r < 215) {
        stream_reserve(w, length, true);
    } else if (r < 228) {
        hostile_begin(w, &stream_limits[PRODUCER_STATUS], 0);
        tern_status status = tern_stream_producer_status(&s->p);
        hostile_end(w);
        hostile_status(w, status, HOSTILE_STANDS | HOSTILE_ONE(TERN_ERR_ARGUMENT));
    } else if (r < 240) {
        hostile_begin(w, &stream_limits[PRODUCER_USED], 0);
        uint64_t was = tern_stream_producer_was_used_bytes(&s->p);
        hostile_end(w);
        hostile_check(w, was <= s->p.capacity_bytes);
    } else if (r < 246) {
        stream_inspect(w);
    } else if (r < 254) {
        stream_attach_producer(w);
    } else {
        hostile_begin(w, &stream_limits[CLOSE_PRODUCER], 0);
        tern_stream_close_producer(&s->p);
        hostile_end(w);
    }
}

/* ---- The consumer ------------------------------------------------------------------------------------------- */

static void stream_peek(world *w, bool waits)
{
    stream_state *s = w->state;
    uint64_t timeout_ns = waits ? hostile_timeout(w) : 0;
    uint32_t length, kind;
    const void *at;
    hostile_begin(w, &stream_limits[waits ? PEEK_WAIT : PEEK], waits ? hostile_looks(s->c.spin_checks, timeout_ns) : 0);
    tern_status status = waits ? tern_stream_peek_wait(&s->c, &at, &length, &kind, timeout_ns) : TERN_OK;
    if (!waits) at = tern_stream_peek(&s->c, &length, &kind);
    hostile_end(w);
    hostile_status(w, status, stream_waits(NULL, &s->c.ring, HOSTILE_WAITS));
    hostile_check(w, !waits || (status == TERN_OK) == (at != NULL));
    hostile_check(w, at || (length == 0 && kind == 0));
    if (!at) return;
    hostile_check(w, length <= s->c.max_record_bytes);
    hostile_span(w, at, length, hostile_items_at(w) + 8, false);
    w->successes++;
    if (hostile_below(w, 8) == 0) return;   /* the next one lends it again */
    hostile_begin(w, &stream_limits[RELEASE], 0);
    tern_stream_release(&s->c);
    hostile_end(w);
}

static void stream_receive(world *w, uint32_t room, bool waits)
{
    stream_state *s = w->state;
    uint64_t timeout_ns = waits ? hostile_timeout(w) : 0;
    uint32_t length, kind;
    unsigned char *out = hostile_out(w, room);
    hostile_begin(w, &stream_limits[waits ? RECEIVE_WAIT : RECEIVE],
                  waits ? hostile_looks(s->c.spin_checks, timeout_ns) : 0);
    tern_status status = waits ? tern_stream_receive_wait(&s->c, out, room, &length, &kind, timeout_ns) : TERN_OK;
    bool received = waits ? status == TERN_OK : tern_stream_receive(&s->c, out, room, &length, &kind);
    hostile_end(w);
    hostile_status(w, status, stream_waits(NULL, &s->c.ring, HOSTILE_WAITS | HOSTILE_ONE(TERN_ERR_MEMORY)));
    if (received) hostile_check(w, length <= room && length <= s->c.max_record_bytes);
    else hostile_check(w, length == 0 || (length > room && length <= s->c.max_record_bytes));
    w->successes += received;
}

static void stream_consume(world *w)
{
    stream_state *s = w->state;
    uint32_t r = hostile_below(w, 256), most = s->c.max_record_bytes;
    uint32_t room = hostile_below(w, 2) ? most : hostile_below(w, most + 1);
    if (r < 80) {
        stream_receive(w, room, false);
    } else if (r < 140) {
        stream_peek(w, false);
    } else if (r < 180) {
        stream_receive(w, room, true);
    } else if (r < 215) {
        stream_peek(w, true);
    } else if (r < 228) {
        hostile_begin(w, &stream_limits[CONSUMER_STATUS], 0);
        tern_status status = tern_stream_consumer_status(&s->c);
        hostile_end(w);
        hostile_status(w, status, HOSTILE_STANDS);
    } else if (r < 240) {
        hostile_begin(w, &stream_limits[CONSUMER_USED], 0);
        uint64_t was = tern_stream_consumer_was_used_bytes(&s->c);
        hostile_end(w);
        hostile_check(w, was <= s->c.capacity_bytes);
    } else if (r < 246) {
        stream_inspect(w);
    } else if (r < 254) {
        stream_attach_consumer(w);
    } else {
        hostile_begin(w, &stream_limits[CLOSE_CONSUMER], 0);
        tern_stream_close_consumer(&s->c);
        hostile_end(w);
    }
}

static void stream_act(world *w)
{
    hostile_take_turns(w, STREAM_PRODUCER, 3, stream_produce, stream_consume);
}

#define VICTIM(name, form, role) { name, form, role, sizeof(stream_state), stream_shape, stream_make, stream_act, \
                                   stream_word, stream_own, stream_lie, sizeof(struct tern_ring_geometry), \
                                   stream_rereads, stream_limits, STREAM_CALLS }

const hostile_victim hostile_stream_victims[] = {
    VICTIM("stream_producer", 0, STREAM_PRODUCER),
    VICTIM("stream_consumer", 0, STREAM_CONSUMER),
    VICTIM("stream_waitable_producer", TERN_STREAM_WAITABLE, STREAM_PRODUCER),
    VICTIM("stream_waitable_consumer", TERN_STREAM_WAITABLE, STREAM_CONSUMER),
    VICTIM("stream_paged_producer", TERN_STREAM_PAGED, STREAM_PRODUCER),
    VICTIM("stream_paged_consumer", TERN_STREAM_PAGED, STREAM_CONSUMER),
    { .name = NULL },
};
