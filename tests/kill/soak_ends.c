/* SPDX-License-Identifier: MIT */
/* soak_ends.c: for the soak: producer and consumer of rings and streams, writer and reader of a triple buffer.
 * Nothing that was published is lost, torn or out of order; nothing comes twice but what a dead consumer
 * had not released. */
#include "soak.h"

#include "../../lib/os/os.h"

enum { CAPACITY = 64, AT_ONCE = 16, SPIN_CHECKS = 500 };

typedef struct {
    uint64_t number, check;
} item;
TERN_RING_DEFINE(item_ring, item)

static item make_item(uint64_t number) { return (item){ number, mix(number + 1) }; }

static bool is_item(const item *i, uint64_t number)
{
    if (i->number == number && i->check == mix(number + 1)) return true;
    return soak_wrong("item %llu where %llu should be, or a torn one", (unsigned long long)i->number,
                      (unsigned long long)number);
}

/* A waiting call came back: true if the work goes on. The other's death is news for its successor, not for us. */
static bool goes_on(tern_status status)
{
    if (status == TERN_ERR_PEER_DEAD) sched_yield();
    return status == TERN_OK || status == TERN_ERR_PEER_DEAD;
}

/* ---- Rings ------------------------------------------------------------------------------------------- */

static tern_ring_desc ring_desc(uint32_t flags) { return item_ring_desc(CAPACITY, flags); }

static bool make_ring(tern_region *region, uint32_t flags)
{
    tern_ring_desc desc = ring_desc(flags);
    tern_ring_producer p;
    if (tern_ring_open_producer(&p, region, "it", &desc) != TERN_OK) return false;
    tern_ring_detach_producer(&p);
    return true;
}

/* Half of the lives never sleep: where nobody sleeps, plain stores come into force. */
static bool may_wait(soak_life *life, uint32_t flags)
{
    return flags & TERN_RING_WAITABLE && next_random(&life->random) >> 32 & 1;
}

/* Some items, one way or another. @return how many */
static uint32_t push_some(soak_life *life, tern_ring_producer *p, uint64_t next)
{
    item items[AT_ONCE];
    uint64_t r = next_random(&life->random);
    uint32_t count = 1 + (uint32_t)(r >> 8) % AT_ONCE, got;
    soak_set(&life->book->begun, next + count);
    for (uint32_t i = 0; i < count; i++) items[i] = make_item(next + i);
    if (r % 4 == 0) return item_ring_push_many(p, items, count);
    if (r % 4 != 1) return item_ring_push(p, items);
    item *at = item_ring_reserve(p, count, &got);
    if (at) memcpy(at, items, got * sizeof *at);
    if (at) item_ring_commit(p, got);
    return got;
}

static bool ring_producer(soak_life *life, uint32_t flags)
{
    tern_ring_producer p;
    tern_ring_info info;
    tern_object ring;
    SOAK_TRUE(tern_ring_open_producer(&p, &life->region, "it", NULL) == TERN_OK);
    SOAK_TRUE(tern_region_find(&life->region, "it", TERN_TYPE_RING, &ring) == TERN_OK);
    SOAK_TRUE(tern_ring_inspect(&info, ring.memory, (size_t)ring.size_bytes) == TERN_OK);
    p.spin_checks = SPIN_CHECKS;
    bool waits = may_wait(life, flags);
    uint64_t next = info.was_pushed;
    if (!soak_open_book(life, next, 0, &p.recovery)) return false;
    while (!soak_stops(life)) {
        uint32_t count = push_some(life, &p, next);
        soak_set(&life->book->done, next += count);
        SOAK_TRUE(tern_ring_producer_status(&p) == TERN_OK);
        if (count == 0 && !waits) sched_yield();
        else if (count == 0) SOAK_TRUE(goes_on(tern_ring_producer_wait(&p, TERN_WAIT_FOREVER)));
        soak_pause(life);
    }
    tern_ring_close_producer(&p);
    return true;
}

/* Some items, one way or another. @return how many, or UINT32_MAX */
static uint32_t pop_some(soak_life *life, tern_ring_consumer *c, uint64_t next)
{
    item items[AT_ONCE];
    uint64_t r = next_random(&life->random);
    uint32_t count = 1 + (uint32_t)(r >> 8) % AT_ONCE, got;
    soak_set(&life->book->begun, next + count);
    const item *at = items;
    if (r % 4 == 0) got = item_ring_pop_many(c, items, count);
    else if (r % 4 == 1) at = item_ring_peek(c, count, &got);
    else got = item_ring_pop(c, items);
    for (uint32_t i = 0; i < got; i++)
        if (!is_item(&at[i], next + i)) return UINT32_MAX;
    if (at != items && got != 0) item_ring_release(c, got);
    return got;
}

static bool ring_consumer(soak_life *life, uint32_t flags)
{
    tern_ring_consumer c;
    tern_ring_info info;
    tern_object ring;
    tern_status status = TERN_OK;
    SOAK_TRUE(tern_ring_open_consumer(&c, &life->region, "it", NULL) == TERN_OK);
    SOAK_TRUE(tern_region_find(&life->region, "it", TERN_TYPE_RING, &ring) == TERN_OK);
    SOAK_TRUE(tern_ring_inspect(&info, ring.memory, (size_t)ring.size_bytes) == TERN_OK);
    c.spin_checks = SPIN_CHECKS;
    bool waits = may_wait(life, flags);
    uint32_t release_every = 1 + (uint32_t)(next_random(&life->random) % (CAPACITY / 4));
    tern_ring_consumer_release_every(&c, release_every);
    uint64_t next = info.was_popped;
    if (!soak_open_book(life, next, release_every - 1, &c.recovery)) return false;
    while (status != TERN_ERR_CLOSED) {
        uint32_t got = pop_some(life, &c, next);
        if (got == UINT32_MAX) return false;
        soak_set(&life->book->done, next += got);
        status = tern_ring_consumer_status(&c);
        SOAK_TRUE(status == TERN_OK || status == TERN_ERR_CLOSED);
        if (got == 0 && status == TERN_OK && waits) {
            status = tern_ring_consumer_wait(&c, TERN_WAIT_FOREVER);
            SOAK_TRUE(goes_on(status) || status == TERN_ERR_CLOSED);
        } else if (got == 0) {
            sched_yield();
        }
        soak_pause(life);
    }
    tern_ring_detach_consumer(&c);
    return true;
}

static bool live_ring(soak_life *life, uint32_t flags)
{
    return life->role == 0 ? ring_producer(life, flags) : ring_consumer(life, flags);
}

static void ring_end_died(const tern_region *region, soak_book *book, int role)
{
    tern_object ring;
    tern_ring_info info;
    if (tern_region_find(region, "it", TERN_TYPE_RING, &ring) != TERN_OK) return;
    if (tern_ring_inspect(&info, ring.memory, (size_t)ring.size_bytes) != TERN_OK) return;
    soak_count(&book->by_store, role == 0 ? info.producer_asymmetric : info.consumer_asymmetric);
    soak_count(&book->asleep, role == 0 ? info.producer_asleep : info.consumer_asleep);
}

/* All that was pushed has been popped. */
static bool all_came(soak_books *books, int kills)
{
    (void)kills;
    uint64_t produced = soak_get(&books->of[0].done), consumed = soak_get(&books->of[1].done);
    if (produced == consumed && produced > 0) return true;
    return soak_wrong("%llu produced, %llu consumed", (unsigned long long)produced, (unsigned long long)consumed);
}

/* Many deaths and none under plain stores have shown nothing of them, where there can be any. */
static bool all_came_by_store(soak_books *books, int kills)
{
    if (kills >= 100 && stress_at_once() && tern__os_current->barrier_register())
        for (int role = 0; role < SOAK_ROLES; role++)
            SOAK_TRUE(tern_a32_load_acquire(&books->of[role].by_store, KILL) > 0);
    return all_came(books, kills);
}

/* ---- Streams: records of 32 bytes, 5 units with their headers. A lap of 64 units has 12 of them and padding ---- */

enum { LAP_UNITS = 64, LAP_RECORDS = 12, RECORD_UNITS = 5, RECORD_BYTES = 32 };
static const tern_stream_desc stream_desc = { LAP_UNITS * 8, TERN_STREAM_WAITABLE };

static bool make_stream(tern_region *region, uint32_t flags)
{
    tern_stream_producer p;
    (void)flags;
    if (tern_stream_open_producer(&p, region, "it", &stream_desc) != TERN_OK) return false;
    tern_stream_detach_producer(&p);
    return true;
}

/* The number of the record that begins at a position. */
static uint64_t record_at(uint64_t bytes)
{
    uint64_t units = bytes / 8, in_lap = units % LAP_UNITS / RECORD_UNITS;
    return units / LAP_UNITS * LAP_RECORDS + in_lap;
}

static void make_record(item *to, uint64_t number)
{
    to[0] = make_item(number);
    to[1] = make_item(~number);
}

static bool look_at_stream(soak_life *life, tern_stream_info *info)
{
    tern_object stream;
    return tern_region_find(&life->region, "it", TERN_TYPE_STREAM, &stream) == TERN_OK
        && tern_stream_inspect(info, stream.memory, (size_t)stream.size_bytes) == TERN_OK;
}

static bool stream_producer(soak_life *life)
{
    tern_stream_producer p;
    tern_stream_info info;
    SOAK_TRUE(tern_stream_open_producer(&p, &life->region, "it", NULL) == TERN_OK);
    SOAK_TRUE(look_at_stream(life, &info));
    p.spin_checks = SPIN_CHECKS;
    uint64_t next = record_at(info.was_written_bytes);
    if (!soak_open_book(life, next, 0, &p.ring.recovery)) return false;
    while (!soak_stops(life)) {
        item record[2];
        tern_status status = TERN_OK;
        soak_set(&life->book->begun, next + 1);
        make_record(record, next);
        if (next_random(&life->random) % 2) {
            void *at = tern_stream_reserve(&p, sizeof record);
            if (!at) status = tern_stream_reserve_wait(&p, sizeof record, &at, TERN_WAIT_FOREVER);
            if (at) memcpy(at, record, sizeof record);
            if (at) tern_stream_set_kind(&p, (uint32_t)next);
            if (at) tern_stream_commit(&p, sizeof record);
        } else {
            status = tern_stream_send_wait(&p, (uint32_t)next, record, sizeof record, TERN_WAIT_FOREVER);
        }
        SOAK_TRUE(goes_on(status));
        if (status == TERN_OK) soak_set(&life->book->done, ++next);
        soak_pause(life);
    }
    tern_stream_close_producer(&p);
    return true;
}

static bool stream_consumer(soak_life *life)
{
    tern_stream_consumer c;
    tern_stream_info info;
    tern_status status = TERN_OK;
    SOAK_TRUE(tern_stream_open_consumer(&c, &life->region, "it", NULL) == TERN_OK);
    SOAK_TRUE(look_at_stream(life, &info));
    c.spin_checks = SPIN_CHECKS;
    uint32_t every = (uint32_t)(next_random(&life->random) % (LAP_UNITS / 4)) * 8;
    tern_stream_consumer_release_every(&c, every + 1);
    uint64_t next = record_at(info.was_read_bytes);
    if (!soak_open_book(life, next, every / (RECORD_UNITS * 8), &c.ring.recovery)) return false;
    while (status != TERN_ERR_CLOSED) {
        const item *at;
        const void *record;
        uint32_t length, kind;
        item right[2];
        soak_set(&life->book->begun, next + 1);
        status = tern_stream_peek_wait(&c, &record, &length, &kind, TERN_WAIT_FOREVER);
        SOAK_TRUE(goes_on(status) || status == TERN_ERR_CLOSED);
        if (status != TERN_OK) continue;
        at = record;
        make_record(right, next);
        SOAK_TRUE(length == sizeof right && kind == (uint32_t)next && is_item(at, next));
        SOAK_TRUE(memcmp(at, right, sizeof right) == 0);
        tern_stream_release(&c);
        soak_set(&life->book->done, ++next);
        soak_pause(life);
    }
    tern_stream_detach_consumer(&c);
    return true;
}

static bool live_stream(soak_life *life, uint32_t flags)
{
    (void)flags;
    return life->role == 0 ? stream_producer(life) : stream_consumer(life);
}

/* ---- Triple buffers -------------------------------------------------------------------------------------- */

typedef struct {
    item first, rest[14];
} frame;
static const tern_triple_desc triple_desc = { sizeof(frame) };

static bool make_triple(tern_region *region, uint32_t flags)
{
    tern_triple_writer w;
    (void)flags;
    if (tern_triple_open_writer(&w, region, "it", &triple_desc) != TERN_OK) return false;
    tern_triple_detach_writer(&w);
    return true;
}

static bool is_frame(const frame *f, uint64_t number)
{
    SOAK_TRUE(f && is_item(&f->first, number));
    for (int i = 0; i < 14; i++) SOAK_TRUE(is_item(&f->rest[i], number + (uint64_t)i));
    return true;
}

static bool triple_writer(soak_life *life)
{
    tern_triple_writer w;
    SOAK_TRUE(tern_triple_open_writer(&w, &life->region, "it", NULL) == TERN_OK);
    if (!soak_open_book(life, w.frame, 0, &w.recovery)) return false;
    while (!soak_stops(life)) {
        frame *back = tern_triple_back(&w);
        soak_set(&life->book->begun, w.frame + 1);
        back->first = make_item(w.frame + 1);
        for (int i = 0; i < 14; i++) back->rest[i] = make_item(w.frame + 1 + (uint64_t)i);
        tern_triple_publish(&w);
        SOAK_TRUE(tern_triple_writer_status(&w) == TERN_OK);
        soak_set(&life->book->done, w.frame);
        soak_pause(life);
    }
    tern_triple_close_writer(&w);
    return true;
}

static bool triple_reader(soak_life *life)
{
    tern_triple_reader r;
    tern_status status = TERN_OK;
    SOAK_TRUE(tern_triple_open_reader(&r, &life->region, "it", NULL) == TERN_OK);
    r.spin_checks = SPIN_CHECKS;
    /* what was in front is in front, or the frame that the dead one had just got */
    uint64_t start = tern_triple_frame(&r), updates = 0;
    soak_set(&life->book->begun, UINT64_MAX);
    if (!soak_open_book(life, start, 0, &r.recovery)) return false;
    while (status != TERN_ERR_CLOSED) {
        uint64_t front = tern_triple_frame(&r);
        if (front != 0 && !is_frame(tern_triple_front(&r), front)) return false;
        soak_set(&life->book->begun, UINT64_MAX);
        if (tern_triple_update(&r)) {
            SOAK_TRUE(tern_triple_frame(&r) > front);
            updates++;
        } else {
            status = tern_triple_wait(&r, TERN_WAIT_FOREVER);
            SOAK_TRUE(goes_on(status) || status == TERN_ERR_CLOSED);
        }
        SOAK_TRUE(updates + tern_triple_dropped(&r) == tern_triple_frame(&r) - start);
        soak_set(&life->book->done, tern_triple_frame(&r));
        soak_pause(life);
    }
    tern_triple_detach_reader(&r);
    return true;
}

static bool live_triple(soak_life *life, uint32_t flags)
{
    (void)flags;
    return life->role == 0 ? triple_writer(life) : triple_reader(life);
}

#define ENDS { "producer", "consumer" }
const soak_kind soak_ends[] = {
    { "ring indexed, plain", ENDS, 0, make_ring, live_ring, 0, NULL, all_came, NULL },
    { "ring indexed, waitable", ENDS, TERN_RING_WAITABLE, make_ring, live_ring, 0, NULL, all_came_by_store,
      ring_end_died },
    { "ring sequenced, plain", ENDS, TERN_RING_SEQUENCED, make_ring, live_ring, 0, NULL, all_came, NULL },
    { "ring sequenced, waitable", ENDS, TERN_RING_SEQUENCED | TERN_RING_WAITABLE, make_ring, live_ring, 0, NULL,
      all_came_by_store, ring_end_died },
    { "stream", ENDS, 0, make_stream, live_stream, 0, NULL, all_came, NULL },
    { "triple", { "writer", "reader" }, 0, make_triple, live_triple, 0, NULL, all_came, NULL },
    { NULL, { NULL, NULL }, 0, NULL, NULL, 0, NULL, NULL, NULL },
};
