/* SPDX-License-Identifier: MIT */
/* test_stream.c: the stream in one thread, and asleep between two. After every transition the whole
 * shared state is compared: both words, both flags, every byte of every unit. */
#include <pthread.h>

#include "stream_fixture.h"

enum { SMALL = 128 };                      /* 16 units, records up to 64 bytes */
typedef enum { COPYING, IN_PLACE, SHRINKING, WAITING, FORMS } form;

static bool put(struct fixture *f, form how, uint32_t kind, const unsigned char *data, uint32_t length)
{
    if (how == COPYING) return tern_stream_send(&f->p, kind, data, length);
    if (how == WAITING) return tern_stream_send_wait(&f->p, kind, data, length, 0) == TERN_OK;
    uint32_t asked = how == SHRINKING && length < f->p.max_record_bytes ? length + 1 : length;
    unsigned char *at = tern_stream_reserve(&f->p, asked);
    if (!at) return false;
    assert_int_equal((uintptr_t)at % 8, 0);
    if (length) memcpy(at, data, length);
    tern_stream_set_kind(&f->p, kind);
    tern_stream_commit(&f->p, length);
    return true;
}

static bool take(struct fixture *f, form how, uint32_t *kind, unsigned char *out, uint32_t room, uint32_t *length)
{
    if (how == COPYING) return tern_stream_receive(&f->c, out, room, length, kind);
    if (how == WAITING) return tern_stream_receive_wait(&f->c, out, room, length, kind, 0) == TERN_OK;
    const void *at = tern_stream_peek(&f->c, length, kind);
    if (!at) return false;
    assert_ptr_equal(at, tern_stream_peek(&f->c, length, kind));   /* again the same */
    assert_int_equal((uintptr_t)at % 8, 0);
    assert_true(*length <= room);
    if (*length) memcpy(out, at, *length);
    tern_stream_release(&f->c);
    return true;
}

/* One record through an empty stream that stands at `start`. */
static void one_record(uint32_t capacity, uint32_t start, uint32_t length, form how)
{
    struct fixture f = make(capacity, TERN_STREAM_WAITABLE, start);
    unsigned char data[SMALL + 1], out[SMALL + 1];
    uint32_t asked = how == SHRINKING && length < f.p.max_record_bytes ? length + 1 : length;
    uint32_t whole = whole_at(&f, start), at = start, got, kind;
    fill(data, length, start + length);
    tern_stream_consumer_release_every(&f.c, 1);
    bool sent = put(&f, how, 77, data, length);
    if (units_of(asked) > whole) {
        model_padding(&f, at);
        at += whole;
        assert_int_equal(sent, whole + units_of(asked) <= f.units);
    }
    if (!sent) {
        /* padding alone went in: a look passes over it, and then the record fits */
        expect(&f, at << 1, start << 1, false, false);
        assert_status(tern_stream_producer_status(&f.p), TERN_OK);
        assert_null(tern_stream_peek(&f.c, &got, &kind));
        assert_true(got == 0 && kind == 0);
        expect(&f, at << 1, at << 1, false, false);
        assert_true(put(&f, how, 77, data, length));
    }
    model_record(&f, at, length, 77, data);
    uint32_t tail = (at + units_of(length)) << 1;
    expect(&f, tail, (sent ? start : at) << 1, false, false);
    memset(out, 0xee, sizeof out);
    if (length > 0 && how == COPYING) {
        assert_false(tern_stream_receive(&f.c, out, length - 1, &got, &kind));
        assert_true(got == length && kind == 77 && out[0] == 0xee);
        expect(&f, tail, at << 1, false, false);             /* it stays; padding is gone */
    }
    assert_true(take(&f, how, &kind, out, how == WAITING ? length : SMALL, &got));
    assert_true(got == length && kind == 77);
    if (length) assert_memory_equal(out, data, length);
    assert_int_equal(out[length], 0xee);
    expect(&f, tail, tail, false, false);
    assert_false(take(&f, how, &kind, out, SMALL, &got));
    assert_true(got == 0 && kind == 0);
    expect(&f, tail, tail, false, false);
    drop(&f);
}

/* Every length at every offset, and where the counters pass 2^31. */
static void stream_every_length_at_every_offset_goes_through(void **state)
{
    (void)state;
    const uint32_t capacities[] = { 16, 32, 64, SMALL };
    for (size_t k = 0; k < sizeof capacities / sizeof *capacities; k++) {
        uint32_t units = capacities[k] / 8;
        for (uint32_t start = 0; start < units; start++)
            for (uint32_t length = 0; length <= capacities[k] / 2; length++)
                for (int how = 0; how < FORMS; how++) {
                    one_record(capacities[k], start, length, (form)how);
                    one_record(capacities[k], 0x7fffffffu - start, length, (form)how);
                }
    }
}

/* ---- A long run against a list of what is in the stream ---------------------------------- */

struct listed {
    uint32_t at, units, length, kind, seed;
};

struct run {
    struct fixture f;
    struct listed list[64];           /* what was sent and not received, padding too */
    uint32_t first, count, tail, head, random;
};

static uint32_t next(struct run *r)
{
    r->random = r->random * 1664525 + 1013904223;
    return r->random >> 8;
}

static void listed_add(struct run *r, uint32_t units, uint32_t length, uint32_t kind, uint32_t seed)
{
    assert_true(r->count < 64);
    r->list[(r->first + r->count++) % 64] = (struct listed){ r->tail, units, length, kind, seed };
    r->tail += units;
}

/* What sending must do, computed apart from the code under test: space is what was released. */
static void run_put(struct run *r, form how)
{
    unsigned char data[SMALL];
    uint32_t length = next(r) % (SMALL / 2 + 1), kind = next(r), seed = next(r);
    uint32_t asked = how == SHRINKING && length < SMALL / 2 ? length + 1 : length;
    uint32_t free_units = r->f.units - (r->tail - r->head), whole = whole_at(&r->f, r->tail);
    bool fits = true;
    fill(data, length, seed);
    if (units_of(asked) > whole) {
        fits = free_units >= whole;
        if (fits) {
            model_padding(&r->f, r->tail);
            listed_add(r, whole, TERN__STREAM_PADDING, 0, 0);
            free_units -= whole;
        }
    }
    fits = fits && units_of(asked) <= free_units;
    assert_int_equal(put(&r->f, how, kind, data, length), fits);
    if (!fits) return;
    model_record(&r->f, r->tail, length, kind, data);
    listed_add(r, units_of(length), length, kind, seed);
}

static void run_take(struct run *r, form how)
{
    unsigned char data[SMALL], out[SMALL];
    uint32_t length, kind;
    while (r->count > 0 && r->list[r->first % 64].length == TERN__STREAM_PADDING) {
        r->head += r->list[r->first++ % 64].units;
        r->count--;
    }
    bool any = r->count > 0;
    assert_int_equal(take(&r->f, how, &kind, out, SMALL, &length), any);
    if (!any) return;
    struct listed *l = &r->list[r->first++ % 64];
    r->count--;
    r->head += l->units;
    fill(data, l->length, l->seed);
    assert_true(length == l->length && kind == l->kind);
    assert_memory_equal(out, data, length);
}

static void long_run(uint32_t start, uint32_t flags)
{
    struct run r;
    memset(&r, 0, sizeof r);
    r.f = make(SMALL, flags, start & 0x7fffffff);
    r.random = start;
    r.tail = r.head = start;
    /* the views count modulo 2^32 */
    r.f.p.ring.tail = r.f.p.ring.limit = start;
    r.f.c.ring.head = r.f.c.ring.limit = r.f.c.ring.released = start;
    tern_stream_consumer_release_every(&r.f.c, 1);
    for (uint32_t step = 0; step < 300; step++) {
        form how = (form)(next(&r) % (flags ? FORMS : WAITING));
        if (next(&r) % 2) run_put(&r, how);
        else run_take(&r, how);
        expect(&r.f, r.tail << 1, r.head << 1, false, false);
        assert_int_equal(tern_stream_producer_was_used_bytes(&r.f.p), (r.tail - r.head) * 8);
        assert_int_equal(tern_stream_consumer_was_used_bytes(&r.f.c), (r.tail - r.head) * 8);
    }
    assert_true(r.tail - start > 200);
    drop(&r.f);
}

static void stream_long_run_keeps_order_and_every_byte(void **state)
{
    (void)state;
    for (uint32_t back = 0; back < 40; back++) {
        for (uint32_t flags = 0; flags <= TERN_STREAM_WAITABLE; flags++) {
            long_run(back, flags);
            long_run(0x7fffffffu - back * 3, flags);
            long_run(0xffffffffu - back * 3, flags);
        }
    }
}

/* ---- In place ------------------------------------------------------------------------------ */

static void stream_reserved_is_not_published(void **state)
{
    (void)state;
    struct fixture f = make(SMALL, 0, 0);
    uint32_t length, kind;
    unsigned char data[16];
    fill(data, 16, 5);
    unsigned char *at = tern_stream_reserve(&f.p, 16);
    assert_ptr_equal(at, unit_at(&f, 1));
    memcpy(at, data, 16);
    memcpy(f.model + 8, data, 16);
    expect(&f, 0, 0, false, false);
    assert_null(tern_stream_peek(&f.c, &length, &kind));
    tern_stream_set_kind(&f.p, 9);
    expect(&f, 0, 0, false, false);
    assert_ptr_equal(tern_stream_reserve(&f.p, 16), at);     /* takes the place of the first */
    tern_stream_commit(&f.p, 3);
    model_record(&f, 0, 3, 0, data);                          /* the kind is 0 unless set again */
    expect(&f, 2 << 1, 0, false, false);
    assert_ptr_equal(tern_stream_peek(&f.c, &length, &kind), at);
    assert_true(length == 3 && kind == 0);
    expect(&f, 2 << 1, 0, false, false);                      /* peeked is not released */
    tern_stream_consumer_release_every(&f.c, 1);
    tern_stream_release(&f.c);
    expect(&f, 2 << 1, 2 << 1, false, false);
    drop(&f);
}

static void stream_record_of_no_bytes_has_a_place(void **state)
{
    (void)state;
    struct fixture f = make(16, 0, 1);                        /* its header is the last unit */
    uint32_t length = 5, kind = 5;
    assert_true(tern_stream_send(&f.p, 1, NULL, 0));
    assert_non_null(tern_stream_peek(&f.c, &length, &kind));
    assert_true(length == 0 && kind == 1);
    length = 5;
    assert_true(tern_stream_receive(&f.c, NULL, 0, &length, &kind));
    assert_true(length == 0 && kind == 1);
    assert_non_null(tern_stream_reserve(&f.p, 0));
    tern_stream_commit(&f.p, 0);
    assert_non_null(tern_stream_peek(&f.c, &length, &kind));
    assert_true(length == 0 && kind == 0);
    drop(&f);
}

#if !defined(TERN_DEBUG) || !TERN_DEBUG
/* A caller's mistake never leaves the object's bytes. */
static void stream_commit_and_release_are_cut_to_what_is_there(void **state)
{
    (void)state;
    struct fixture f = make(SMALL, 0, 0);
    uint32_t length, kind;
    unsigned char data[9];
    fill(data, 9, 1);
    tern_stream_commit(&f.p, 5);                              /* nothing is reserved */
    tern_stream_release(&f.c);                                /* nothing is there */
    expect(&f, 0, 0, false, false);
    memcpy(tern_stream_reserve(&f.p, 9), data, 9);
    tern_stream_commit(&f.p, 1000);
    model_record(&f, 0, 9, 0, data);
    expect(&f, 3 << 1, 0, false, false);
    tern_stream_commit(&f.p, 9);
    expect(&f, 3 << 1, 0, false, false);
    assert_non_null(tern_stream_reserve(&f.p, 64));
    assert_true(tern_stream_send(&f.p, 3, data, 1));          /* ends the reservation */
    model_record(&f, 3, 1, 3, data);
    tern_stream_commit(&f.p, 64);
    expect(&f, 5 << 1, 0, false, false);
    assert_null(tern_stream_reserve(&f.p, 65));
    tern_stream_commit(&f.p, 1);
    expect(&f, 5 << 1, 0, false, false);
    tern_stream_consumer_release_every(&f.c, 1);
    assert_non_null(tern_stream_peek(&f.c, &length, &kind));
    tern_stream_release(&f.c);
    tern_stream_release(&f.c);                                /* once is enough */
    expect(&f, 5 << 1, 3 << 1, false, false);
    drop(&f);
}
#endif

static void stream_too_long_is_told_from_full(void **state)
{
    (void)state;
    struct fixture f = make(SMALL, TERN_STREAM_WAITABLE, 0);
    unsigned char data[SMALL] = { 0 };
    void *record = data;
    const uint32_t lengths[] = { 65, 66, 128, 129, 0x7fffffff, 0x80000000, 0xfffffff8, 0xfffffff9, UINT32_MAX };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_null(tern_stream_reserve(&f.p, lengths[i]));
        assert_status(tern_stream_producer_status(&f.p), TERN_ERR_ARGUMENT);
        assert_false(tern_stream_send(&f.p, 0, data, lengths[i]));
        assert_status(tern_stream_send_wait(&f.p, 0, data, lengths[i], TERN_WAIT_FOREVER), TERN_ERR_ARGUMENT);
        assert_status(tern_stream_reserve_wait(&f.p, lengths[i], &record, TERN_WAIT_FOREVER), TERN_ERR_ARGUMENT);
        assert_null(record);
        expect(&f, 0, 0, false, false);
    }
    assert_true(tern_stream_send(&f.p, 0, data, 64));
    model_record(&f, 0, 64, 0, data);
    assert_false(tern_stream_send(&f.p, 0, data, 64));        /* padding goes in */
    assert_status(tern_stream_producer_status(&f.p), TERN_OK);
    model_padding(&f, 9);
    expect(&f, 16 << 1, 0, false, false);
    assert_false(tern_stream_send(&f.p, 0, data, 0));
    assert_status(tern_stream_producer_status(&f.p), TERN_OK);
    expect(&f, 16 << 1, 0, false, false);
    drop(&f);
}

/* ---- Release, detach, close ------------------------------------------------------------------ */

static void stream_release_is_lazy_and_never_when_empty(void **state)
{
    (void)state;
    struct fixture f = make(256, 0, 0);                       /* 32 units: every 8 */
    unsigned char data[8] = { 1 }, out[8];
    uint32_t length, kind;
    for (uint32_t i = 0; i < 16; i++) {
        assert_true(tern_stream_send(&f.p, i, data, 8));
        model_record(&f, i * 2, 8, i, data);
    }
    for (uint32_t i = 0; i < 3; i++) assert_true(tern_stream_receive(&f.c, out, 8, &length, &kind));
    expect(&f, 32 << 1, 0, false, false);
    assert_false(tern_stream_send(&f.p, 1, data, 8));
    assert_true(tern_stream_receive(&f.c, out, 8, &length, &kind));
    expect(&f, 32 << 1, 8 << 1, false, false);                /* the fourth publishes */
    tern_stream_consumer_release_every(&f.c, 9);              /* rounded up: two units */
    assert_true(tern_stream_receive(&f.c, out, 8, &length, &kind));
    expect(&f, 32 << 1, 10 << 1, false, false);
    tern_stream_consumer_release_every(&f.c, UINT64_MAX);
    for (uint32_t i = 5; i < 16; i++) assert_true(tern_stream_receive(&f.c, out, 8, &length, &kind));
    expect(&f, 32 << 1, 26 << 1, false, false);
    assert_false(tern_stream_receive(&f.c, out, 8, &length, &kind));
    expect(&f, 32 << 1, 32 << 1, false, false);               /* found empty: all published */
    drop(&f);
}

static void stream_detach_releases_and_a_successor_goes_on(void **state)
{
    (void)state;
    struct fixture f = make(256, 0, 100);
    unsigned char data[8] = { 3 };
    uint32_t length, kind;
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(tern_stream_send(&f.p, i, data, 8));
        model_record(&f, 100 + i * 2, 8, i, data);
    }
    assert_non_null(tern_stream_reserve(&f.p, 20));           /* never committed */
    assert_non_null(tern_stream_peek(&f.c, &length, &kind));
    tern_stream_release(&f.c);
    assert_non_null(tern_stream_peek(&f.c, &length, &kind));  /* never released */
    tern_stream_detach_consumer(&f.c);
    tern_stream_detach_producer(&f.p);
    expect(&f, 106 << 1, 102 << 1, false, false);
    for (int life = 0; life < 2; life++) {                    /* the first dies without a detach */
        assert_status(tern_stream_attach_consumer(&f.c, f.shared, f.size), TERN_OK);
        assert_status(tern_stream_attach_producer(&f.p, f.shared, f.size), TERN_OK);
        assert_non_null(tern_stream_peek(&f.c, &length, &kind));
        assert_int_equal(kind, 1);
        tern_stream_release(&f.c);
    }
    drop(&f);
}

static void stream_close_drains_then_says_closed(void **state)
{
    (void)state;
    for (uint32_t flags = 0; flags <= TERN_STREAM_WAITABLE; flags++) {
        struct fixture f = make(SMALL, flags, 12);
        unsigned char data[56] = { 5 }, out[56];
        uint32_t length, kind;
        const void *record;
        assert_status(tern_stream_consumer_status(&f.c), TERN_OK);
        assert_true(tern_stream_send(&f.p, 4, data, 8));
        model_record(&f, 12, 8, 4, data);
        assert_true(tern_stream_send(&f.p, 5, data, 56));     /* behind padding */
        model_padding(&f, 14);
        model_record(&f, 16, 56, 5, data);
        assert_true(tern_stream_receive(&f.c, out, 56, &length, &kind));
        tern_stream_close_producer(&f.p);
        expect(&f, 24 << 1, 12 << 1, true, false);
        assert_status(tern_stream_consumer_status(&f.c), TERN_OK);
        assert_true(tern_stream_receive(&f.c, out, 56, &length, &kind));
        assert_status(tern_stream_consumer_status(&f.c), TERN_ERR_CLOSED);
        assert_null(tern_stream_peek(&f.c, &length, &kind));
        assert_status(tern_stream_consumer_status(&f.c), TERN_ERR_CLOSED);
        if (flags) {
            assert_status(tern_stream_receive_wait(&f.c, out, 56, &length, &kind, TERN_WAIT_FOREVER), TERN_ERR_CLOSED);
            assert_status(tern_stream_peek_wait(&f.c, &record, &length, &kind, TERN_WAIT_FOREVER), TERN_ERR_CLOSED);
            assert_null(record);
        }
        expect(&f, 24 << 1, 24 << 1, true, false);
        drop(&f);
    }
}

/* Padding is no record: closed with nothing but padding left is closed. */
static void stream_closed_behind_padding_is_closed(void **state)
{
    (void)state;
    struct fixture f = make(SMALL, TERN_STREAM_WAITABLE, 8);
    unsigned char data[64] = { 5 };
    uint32_t length, kind;
    const void *record;
    assert_false(tern_stream_send(&f.p, 4, data, 64));        /* 8 units of padding, and 9 do not fit */
    model_padding(&f, 8);
    tern_stream_close_producer(&f.p);
    expect(&f, 16 << 1, 8 << 1, true, false);
    assert_status(tern_stream_peek_wait(&f.c, &record, &length, &kind, TERN_WAIT_FOREVER), TERN_ERR_CLOSED);
    expect(&f, 16 << 1, 16 << 1, true, false);
    drop(&f);
}

static void stream_close_consumer_stops_the_producer(void **state)
{
    (void)state;
    for (uint32_t flags = 0; flags <= TERN_STREAM_WAITABLE; flags++) {
        struct fixture f = make(SMALL, flags, 0);
        unsigned char data[8] = { 5 }, out[8];
        uint32_t length, kind, went_in = 1;
        void *record;
        assert_true(tern_stream_send(&f.p, 0, data, 8));
        model_record(&f, 0, 8, 0, data);
        assert_true(tern_stream_receive(&f.c, out, 8, &length, &kind));
        tern_stream_close_consumer(&f.c);
        expect(&f, 2 << 1, 2 << 1, false, true);
        assert_status(tern_stream_producer_status(&f.p), TERN_ERR_CLOSED);
        while (tern_stream_send(&f.p, 0, data, 8)) went_in++;
        assert_true(went_in <= 8);
        if (flags) {
            assert_status(tern_stream_send_wait(&f.p, 0, data, 8, TERN_WAIT_FOREVER), TERN_ERR_CLOSED);
            assert_status(tern_stream_reserve_wait(&f.p, 8, &record, TERN_WAIT_FOREVER), TERN_ERR_CLOSED);
        }
        drop(&f);
    }
}

/* ---- Waiting ----------------------------------------------------------------------------------- */

static void stream_waits_answer_timeout_domain_unsupported_and_memory(void **state)
{
    (void)state;
    struct fixture plain = make(16, 0, 0), f = make(16, TERN_STREAM_WAITABLE, 0);
    unsigned char data[8] = { 1, 2 }, out[8];
    uint32_t length, kind;
    const void *record;
    void *place;
    assert_status(tern_stream_receive_wait(&plain.c, out, 8, &length, &kind, 0), TERN_ERR_UNSUPPORTED);
    assert_status(tern_stream_send_wait(&plain.p, 1, data, 8, 0), TERN_OK);
    assert_status(tern_stream_send_wait(&plain.p, 1, data, 8, 0), TERN_ERR_UNSUPPORTED);
    assert_status(tern_stream_peek_wait(&f.c, &record, &length, &kind, 0), TERN_ERR_TIMEOUT);
    expect(&f, 0, 0, false, false);                           /* looking once arms nothing */
    uint64_t before = tern_now_ns();
    f.c.spin_checks = 3;
    assert_status(tern_stream_receive_wait(&f.c, out, 8, &length, &kind, 3000000), TERN_ERR_TIMEOUT);
    assert_true(tern_now_ns() - before >= 3000000 && length == 0);
    expect(&f, 0 | TERN__RING_SLEEP, 0, false, false);
    assert_status(tern_stream_send_wait(&f.p, 7, data, 8, 0), TERN_OK);
    model_record(&f, 0, 8, 7, data);
    expect(&f, 2 << 1, 0, false, false);                      /* publishing takes SLEEP out */
    assert_status(tern_stream_reserve_wait(&f.p, 0, &place, 2000000), TERN_ERR_TIMEOUT);
    assert_null(place);
    expect(&f, 2 << 1, 0 | TERN__RING_SLEEP, false, false);
    tern_stream_info info;
    assert_status(tern_stream_inspect(&info, f.shared, f.size), TERN_OK);
    assert_true(info.producer_asleep && !info.consumer_asleep && info.was_used_bytes == 16);
    assert_status(tern_stream_receive_wait(&f.c, out, 7, &length, &kind, TERN_WAIT_FOREVER), TERN_ERR_MEMORY);
    assert_true(length == 8 && kind == 7);
    expect(&f, 2 << 1, 0 | TERN__RING_SLEEP, false, false);
    assert_status(tern_stream_receive_wait(&f.c, out, 8, &length, &kind, 0), TERN_OK);
    expect(&f, 2 << 1, 2 << 1, false, false);
    f.p.may_block = f.c.may_block = false;
    assert_status(tern_stream_receive_wait(&f.c, out, 8, &length, &kind, 0), TERN_ERR_DOMAIN);
    assert_true(tern_stream_send(&f.p, 7, data, 8));          /* what does not block always works */
    assert_status(tern_stream_send_wait(&f.p, 7, data, 8, 0), TERN_ERR_DOMAIN);
    drop(&plain);
    drop(&f);
}

static void stream_wait_for_much_space_arms_on_what_is_free(void **state)
{
    (void)state;
    struct fixture f = make(SMALL, TERN_STREAM_WAITABLE, 0);
    unsigned char data[64] = { 1, 2 }, out[64];
    uint32_t length, kind;
    for (uint32_t i = 0; i < 8; i++) {
        assert_true(tern_stream_send(&f.p, i, data, 8));
        model_record(&f, i * 2, 8, i, data);
    }
    tern_stream_consumer_release_every(&f.c, 1);
    for (uint32_t i = 0; i < 4; i++) {
        /* 9 units are wanted, 2 i are free: too few until the fifth is released */
        assert_status(tern_stream_send_wait(&f.p, 9, data, 64, 1000), TERN_ERR_TIMEOUT);
        expect(&f, 16 << 1, (i * 2) << 1 | TERN__RING_SLEEP, false, false);
        assert_true(tern_stream_receive(&f.c, out, 64, &length, &kind));
        expect(&f, 16 << 1, (i * 2 + 2) << 1, false, false);
    }
    assert_status(tern_stream_send_wait(&f.p, 9, data, 64, 1000), TERN_ERR_TIMEOUT);
    assert_true(tern_stream_receive(&f.c, out, 64, &length, &kind));
    assert_status(tern_stream_send_wait(&f.p, 9, data, 64, 0), TERN_OK);
    model_record(&f, 16, 64, 9, data);
    expect(&f, 25 << 1, 10 << 1, false, false);
    drop(&f);
}

struct sleeper {
    struct fixture *f;
    uint32_t records;
    tern_status status;
};

static void *send_largest(void *argument)
{
    struct sleeper *s = argument;
    unsigned char data[SMALL / 2];
    for (uint32_t i = 0; i < s->records && s->status == TERN_OK; i++) {
        uint32_t length = i % 3 == 0 ? i % 8 : SMALL / 2 - i % 5;
        fill(data, length, i);
        s->status = tern_stream_send_wait(&s->f->p, i, data, length, TERN_WAIT_FOREVER);
    }
    tern_stream_close_producer(&s->f->p);
    return NULL;
}

/* Lazy release, records of half the capacity, both ends asleep: none may sleep for ever. */
static void stream_sleeps_without_timeout_and_wakes(void **state)
{
    (void)state;
    struct fixture f = make(SMALL, TERN_STREAM_WAITABLE, 0x7fffffe0);
    struct sleeper s = { &f, 3000, TERN_OK };
    unsigned char data[SMALL / 2], out[SMALL / 2];
    uint32_t length, kind, i = 0;
    tern_status status;
    pthread_t thread;
    f.p.spin_checks = f.c.spin_checks = 0;
    assert_int_equal(pthread_create(&thread, NULL, send_largest, &s), 0);
    while ((status = tern_stream_receive_wait(&f.c, out, sizeof out, &length, &kind, TERN_WAIT_FOREVER)) == TERN_OK) {
        fill(data, length, i);
        assert_int_equal(kind, i);
        assert_int_equal(length, i % 3 == 0 ? i % 8 : SMALL / 2 - i % 5);
        assert_memory_equal(out, data, length);
        i++;
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_status(status, TERN_ERR_CLOSED);
    assert_status(s.status, TERN_OK);
    assert_int_equal(i, s.records);
    drop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_every_length_at_every_offset_goes_through),
        cmocka_unit_test(stream_long_run_keeps_order_and_every_byte),
        cmocka_unit_test(stream_reserved_is_not_published),
        cmocka_unit_test(stream_record_of_no_bytes_has_a_place),
#if !defined(TERN_DEBUG) || !TERN_DEBUG
        cmocka_unit_test(stream_commit_and_release_are_cut_to_what_is_there),
#endif
        cmocka_unit_test(stream_too_long_is_told_from_full),
        cmocka_unit_test(stream_release_is_lazy_and_never_when_empty),
        cmocka_unit_test(stream_detach_releases_and_a_successor_goes_on),
        cmocka_unit_test(stream_close_drains_then_says_closed),
        cmocka_unit_test(stream_closed_behind_padding_is_closed),
        cmocka_unit_test(stream_close_consumer_stops_the_producer),
        cmocka_unit_test(stream_waits_answer_timeout_domain_unsupported_and_memory),
        cmocka_unit_test(stream_wait_for_much_space_arms_on_what_is_free),
        cmocka_unit_test(stream_sleeps_without_timeout_and_wakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
