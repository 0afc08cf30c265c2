/* SPDX-License-Identifier: MIT */
/* test_ring.c: what a ring does in one thread, in both layouts, plain and waitable. After every
 * transition the whole shared state is compared: both words, both flags, every byte of every slot. */
#include "ring_fixture.h"

/* Fill and drain, over and over, from a start index; works for every boundary. */
static void fill_and_drain(uint32_t start, uint32_t flags)
{
    struct fixture f = make(8, CAPACITY, flags, start);
    uint32_t tail = start, head = start;
    tern_ring_consumer_release_every(&f.c, 1);
    for (uint32_t round = 0; round < 40; round++) {
        uint32_t burst = 1 + round % CAPACITY;
        for (uint32_t i = 0; i < burst; i++) {
            pair item = { tail, ~tail };
            assert_true(tern_ring_push(&f.p, &item));
            set_slot(&f, tail++, &item);
            expect(&f, tail << 1, head << 1, false, false);
        }
        assert_int_equal(tern_ring_producer_was_count(&f.p), burst);
        assert_int_equal(tern_ring_consumer_was_count(&f.c), burst);
        pair extra = { 7, 7 };
        if (burst == CAPACITY) assert_false(tern_ring_push(&f.p, &extra));
        expect(&f, tail << 1, head << 1, false, false);
        for (uint32_t i = 0; i < burst; i++) {
            pair item = { 0, 0 };
            assert_true(tern_ring_pop(&f.c, &item));
            assert_int_equal(item.a, head);
            assert_int_equal(item.b, ~head);
            head++;
            expect(&f, tail << 1, head << 1, false, false);
        }
        pair untouched = { 1, 2 };
        assert_false(tern_ring_pop(&f.c, &untouched));
        assert_true(untouched.a == 1 && untouched.b == 2);
        expect(&f, tail << 1, head << 1, false, false);
    }
    drop(&f);
}

static void ring_fill_and_drain_keeps_order(void **state)
{
    (void)state;
    for (EACH_KIND(flags)) fill_and_drain(0, flags);
}

static void ring_counters_pass_2_31(void **state)
{
    (void)state;
    for (uint32_t back = 0; back < 20; back++)
        for (EACH_KIND(flags)) fill_and_drain(0x7fffffffu - back, flags);
}

/* The views count modulo 2^32: put them, and the shared words with them, just below. */
static void views_pass_2_32(uint32_t start, uint32_t flags)
{
    struct fixture f = make(8, CAPACITY, flags, 0);
    count_from(&f, start);
    for (uint32_t i = 0; i < 60; i++) {
        pair item = { i, i * 3 }, out;
        assert_true(tern_ring_push(&f.p, &item));
        set_slot(&f, start + i, &item);
        expect(&f, (start + i + 1) << 1, (start + i / 3 * 3) << 1, false, false);
        if (i % 3 != 2) continue;
        for (uint32_t k = i - 2; k <= i; k++) {
            assert_true(tern_ring_pop(&f.c, &out));
            assert_int_equal(out.a, k);
            assert_int_equal(out.b, k * 3);
        }
        assert_false(tern_ring_pop(&f.c, &out));
        expect(&f, (start + i + 1) << 1, (start + i + 1) << 1, false, false);
    }
    assert_int_equal(f.p.tail, start + 60);
    drop(&f);
}

static void ring_views_pass_2_32(void **state)
{
    (void)state;
    for (uint32_t back = 0; back < 20; back++)
        for (EACH_KIND(flags)) views_pass_2_32(UINT32_MAX - back, flags);
}

/* Really count over 2^31 and 2^32: spans of a byte ring, each byte accounted for. */
static void ring_spans_count_past_2_32(void **state)
{
    (void)state;
    enum { BYTES = 1 << 22 };
    struct fixture f = make(1, BYTES, TERN_RING_WAITABLE, 0);
    uint64_t total = ((uint64_t)1 << 32) + 3 * BYTES + 5, sent = 0;
    while (sent < total) {
        uint32_t got;
        uint32_t want = total - sent < BYTES - 7 ? (uint32_t)(total - sent) : BYTES - 7;
        unsigned char *span = tern_ring_reserve(&f.p, want, &got);
        assert_true(span && got > 0);
        memcpy(span, &got, got < 4 ? got : 4);
        span[got - 1] = (unsigned char)(sent / 3);
        unsigned char last = span[got - 1];
        tern_ring_commit(&f.p, got);
        uint32_t seen;
        const unsigned char *out = tern_ring_peek(&f.c, BYTES, &seen);
        assert_ptr_equal(out, span);
        assert_int_equal(seen, got);
        assert_int_equal(out[seen - 1], last);
        tern_ring_release(&f.c, seen);
        sent += got;
    }
    assert_int_equal(f.p.tail, (uint32_t)total);
    tern_ring_info info;
    uint32_t none;
    assert_null(tern_ring_peek(&f.c, 1, &none));   /* found empty: all is published */
    assert_status(tern_ring_inspect(&info, f.shared, f.size), TERN_OK);
    assert_int_equal(info.was_pushed, total & 0x7fffffff);
    assert_int_equal(info.was_count, 0);
    drop(&f);
}

static void many_wraps(uint32_t flags)
{
    struct fixture f = make(8, CAPACITY, flags, 3);
    pair in[6] = { { 1, 1 }, { 2, 2 }, { 3, 3 }, { 4, 4 }, { 5, 5 }, { 6, 6 } }, out[6];
    assert_int_equal(tern_ring_push_many(&f.p, in, 6), CAPACITY);
    for (uint32_t i = 0; i < CAPACITY; i++) set_slot(&f, 3 + i, &in[i]);
    expect(&f, 7 << 1, 3 << 1, false, false);
    assert_int_equal(tern_ring_push_many(&f.p, in, 1), 0);
    assert_int_equal(tern_ring_pop_many(&f.c, out, 0), 0);
    assert_int_equal(tern_ring_pop_many(&f.c, out, 3), 3);
    assert_memory_equal(out, in, 3 * sizeof *in);
    expect(&f, 7 << 1, 6 << 1, false, false);
    assert_int_equal(tern_ring_pop_many(&f.c, out, 6), 1);
    assert_int_equal(out[0].a, 4);
    assert_int_equal(tern_ring_pop_many(&f.c, out, 6), 0);
    assert_int_equal(tern_ring_push_many(&f.p, in, 0), 0);
    expect(&f, 7 << 1, 7 << 1, false, false);
    drop(&f);
}

static void ring_many_wraps_in_two_pieces(void **state)
{
    (void)state;
    for (EACH_KIND(flags)) many_wraps(flags);
}

static void ring_reserve_stops_at_the_wrap(void **state)
{
    (void)state;
    struct fixture f = make(8, CAPACITY, 0, 3);
    uint32_t got;
    pair *span = tern_ring_reserve(&f.p, CAPACITY, &got), item = { 9, 9 };
    assert_int_equal(got, 1);
    assert_ptr_equal(span, f.items + 3 * 8);
    *span = item;
    set_slot(&f, 3, &item);
    expect(&f, 3 << 1, 3 << 1, false, false);      /* reserved is not published */
    assert_false(tern_ring_pop(&f.c, &item));
    tern_ring_commit(&f.p, 1);
    expect(&f, 4 << 1, 3 << 1, false, false);
    span = tern_ring_reserve(&f.p, CAPACITY, &got);
    assert_int_equal(got, CAPACITY - 1);
    assert_ptr_equal(span, f.items);
    tern_ring_commit(&f.p, 0);
    expect(&f, 4 << 1, 3 << 1, false, false);
    const pair *seen = tern_ring_peek(&f.c, CAPACITY, &got);
    assert_int_equal(got, 1);
    assert_int_equal(seen->a, 9);
    expect(&f, 4 << 1, 3 << 1, false, false);      /* peeked is not released */
    tern_ring_release(&f.c, 1);
    expect(&f, 4 << 1, 4 << 1, false, false);
    assert_null(tern_ring_peek(&f.c, 1, &got));
    assert_int_equal(got, 0);
    drop(&f);
}

static void ring_reserve_when_full_is_null(void **state)
{
    (void)state;
    struct fixture f = make(8, 1, 0, 0);
    uint32_t got = 77;
    assert_non_null(tern_ring_reserve(&f.p, 5, &got));
    assert_int_equal(got, 1);
    tern_ring_commit(&f.p, 1);
    assert_null(tern_ring_reserve(&f.p, 1, &got));
    assert_int_equal(got, 0);
    drop(&f);
}

#if !defined(TERN_DEBUG) || !TERN_DEBUG
/* A caller's mistake never leaves the object's bytes: what is too much is cut. */
static void ring_commit_and_release_are_cut_to_what_is_there(void **state)
{
    (void)state;
    struct fixture f = make(8, CAPACITY, 0, 0);
    uint32_t got;
    tern_ring_reserve(&f.p, 2, &got);
    tern_ring_commit(&f.p, 1000);
    expect(&f, CAPACITY << 1, 0, false, false);
    tern_ring_release(&f.c, 5);
    expect(&f, CAPACITY << 1, 0, false, false);    /* nothing was peeked */
    tern_ring_peek(&f.c, 2, &got);
    tern_ring_release(&f.c, 1000);
    expect(&f, CAPACITY << 1, CAPACITY << 1, false, false);
    drop(&f);
}
#endif

static void release_is_lazy(uint32_t flags)
{
    struct fixture f = make(8, 16, flags, 0);
    pair item = { 1, 1 };
    assert_int_equal(f.c.release_every_items, 4);
    for (uint32_t i = 0; i < 16; i++) {
        assert_true(tern_ring_push(&f.p, &item));
        set_slot(&f, i, &item);
    }
    for (uint32_t i = 1; i <= 3; i++) assert_true(tern_ring_pop(&f.c, &item));
    expect(&f, 16 << 1, 0, false, false);
    assert_false(tern_ring_push(&f.p, &item));     /* three popped, none published */
    assert_true(tern_ring_pop(&f.c, &item));
    expect(&f, 16 << 1, 4 << 1, false, false);     /* the fourth publishes */
    assert_true(tern_ring_push(&f.p, &item));
    set_slot(&f, 16, &item);
    for (uint32_t i = 0; i < 13; i++) assert_true(tern_ring_pop(&f.c, &item));
    expect(&f, 17 << 1, 16 << 1, false, false);
    assert_false(tern_ring_pop(&f.c, &item));
    expect(&f, 17 << 1, 17 << 1, false, false);    /* found empty: all published */
    tern_ring_consumer_release_every(&f.c, 1000000);
    assert_int_equal(f.c.release_every_items, 4);
    tern_ring_consumer_release_every(&f.c, 0);
    assert_int_equal(f.c.release_every_items, 1);
    drop(&f);
}

static void ring_release_is_lazy_and_never_when_empty(void **state)
{
    (void)state;
    for (EACH_KIND(flags)) release_is_lazy(flags);
}

static void exact_release(uint32_t flags)
{
    struct fixture f = make(8, 16, flags, 0);
    pair item = { 1, 1 };
    tern_ring_consumer_release_every(&f.c, 1);
    for (uint32_t i = 0; i < 16; i++) assert_true(tern_ring_push(&f.p, &item));
    for (uint32_t i = 0; i < 40; i++) {
        assert_false(tern_ring_push(&f.p, &item));
        assert_true(tern_ring_pop(&f.c, &item));
        assert_true(tern_ring_push(&f.p, &item));
    }
    drop(&f);
}

static void ring_exact_release_frees_at_once(void **state)
{
    (void)state;
    for (EACH_KIND(flags)) exact_release(flags);
}

static void successor_goes_on(uint32_t flags)
{
    struct fixture f = make(8, 16, flags, 100);
    for (uint32_t i = 0; i < 5; i++) {
        pair item = { i, i };
        assert_true(tern_ring_push(&f.p, &item));
        set_slot(&f, 100 + i, &item);
    }
    pair item;
    assert_true(tern_ring_pop(&f.c, &item));
    tern_ring_detach_consumer(&f.c);
    tern_ring_detach_producer(&f.p);
    expect(&f, 105 << 1, 101 << 1, false, false);
    assert_status(tern_ring_attach_consumer(&f.c, f.shared, f.size), TERN_OK);
    assert_status(tern_ring_attach_producer(&f.p, f.shared, f.size), TERN_OK);
    assert_true(tern_ring_pop(&f.c, &item));
    assert_int_equal(item.a, 1);
    /* dies here, without detach: what it had not released comes again */
    assert_status(tern_ring_attach_consumer(&f.c, f.shared, f.size), TERN_OK);
    assert_true(tern_ring_pop(&f.c, &item));
    assert_int_equal(item.a, 1);
    drop(&f);
}

static void ring_detach_releases_and_a_successor_goes_on(void **state)
{
    (void)state;
    for (EACH_KIND(flags)) successor_goes_on(flags);
}

static void ring_close_drains_then_says_closed(void **state)
{
    (void)state;
    for (EACH_KIND(flags)) {
        struct fixture f = make(8, CAPACITY, flags, 0);
        bool waitable = (flags & TERN_RING_WAITABLE) != 0;
        pair item = { 5, 6 };
        assert_status(tern_ring_consumer_status(&f.c), TERN_OK);
        assert_true(tern_ring_push(&f.p, &item));
        set_slot(&f, 0, &item);
        tern_ring_close_producer(&f.p);
        expect(&f, 1 << 1, 0, true, false);
        assert_status(tern_ring_consumer_status(&f.c), TERN_OK);
        assert_true(tern_ring_pop(&f.c, &item));
        assert_false(tern_ring_pop(&f.c, &item));
        assert_status(tern_ring_consumer_status(&f.c), TERN_ERR_CLOSED);
        if (waitable) assert_status(tern_ring_pop_wait(&f.c, &item, TERN_WAIT_FOREVER), TERN_ERR_CLOSED);
        if (waitable) assert_status(tern_ring_consumer_wait(&f.c, TERN_WAIT_FOREVER), TERN_ERR_CLOSED);
        drop(&f);
    }
}

static void ring_close_consumer_stops_the_producer(void **state)
{
    (void)state;
    for (EACH_KIND(flags)) {
        struct fixture f = make(8, 16, flags, 0);
        bool waitable = (flags & TERN_RING_WAITABLE) != 0;
        pair item = { 5, 6 };
        assert_true(tern_ring_push(&f.p, &item));
        set_slot(&f, 0, &item);
        assert_true(tern_ring_pop(&f.c, &item));
        tern_ring_close_consumer(&f.c);
        expect(&f, 1 << 1, 1 << 1, false, true);
        assert_status(tern_ring_producer_status(&f.p), TERN_ERR_CLOSED);
        uint32_t went_in = 1;
        while (tern_ring_push(&f.p, &item)) went_in++;
        assert_true(went_in <= 16);
        if (waitable) assert_status(tern_ring_push_wait(&f.p, &item, TERN_WAIT_FOREVER), TERN_ERR_CLOSED);
        if (waitable) assert_status(tern_ring_producer_wait(&f.p, TERN_WAIT_FOREVER), TERN_ERR_CLOSED);
        drop(&f);
    }
}

static void waits_answer(uint32_t flags)
{
    struct fixture plain = make(8, 1, flags, 0), f = make(8, 1, flags | TERN_RING_WAITABLE, 0);
    pair item = { 1, 2 };
    assert_status(tern_ring_pop_wait(&plain.c, &item, 0), TERN_ERR_UNSUPPORTED);
    assert_status(tern_ring_producer_wait(&plain.p, 0), TERN_ERR_UNSUPPORTED);
    assert_status(tern_ring_pop_wait(&f.c, &item, 0), TERN_ERR_TIMEOUT);
    expect(&f, 0, 0, false, false);                /* looking once arms nothing */
    uint64_t before = tern_now_ns();
    assert_status(tern_ring_pop_wait(&f.c, &item, 3000000), TERN_ERR_TIMEOUT);
    assert_true(tern_now_ns() - before >= 3000000);
    expect(&f, 0 | TERN__RING_SLEEP, 0, false, false);
    tern_ring_info info;
    assert_status(tern_ring_inspect(&info, f.shared, f.size), TERN_OK);
    assert_true(info.consumer_asleep && !info.producer_asleep);
    assert_status(tern_ring_push_wait(&f.p, &item, 0), TERN_OK);
    set_slot(&f, 0, &item);
    expect(&f, 1 << 1, 0, false, false);           /* publishing takes SLEEP out */
    assert_status(tern_ring_push_wait(&f.p, &item, 2000000), TERN_ERR_TIMEOUT);
    expect(&f, 1 << 1, 0 | TERN__RING_SLEEP, false, false);
    assert_status(tern_ring_inspect(&info, f.shared, f.size), TERN_OK);
    assert_true(info.producer_asleep && !info.consumer_asleep);
    assert_status(tern_ring_consumer_wait(&f.c, 0), TERN_OK);
    assert_status(tern_ring_pop_wait(&f.c, &item, 0), TERN_OK);
    expect(&f, 1 << 1, 1 << 1, false, false);
    f.p.may_block = f.c.may_block = false;
    assert_status(tern_ring_consumer_wait(&f.c, 0), TERN_ERR_DOMAIN);
    assert_status(tern_ring_producer_wait(&f.p, 0), TERN_ERR_DOMAIN);
    assert_true(tern_ring_push(&f.p, &item));      /* what does not block always works */
    drop(&plain);
    drop(&f);
}

static void ring_waits_answer_timeout_domain_and_unsupported(void **state)
{
    (void)state;
    waits_answer(0);
    waits_answer(TERN_RING_SEQUENCED);
}

static void ring_typed_form_checks_the_item_size(void **state)
{
    (void)state;
    tern_ring_desc desc = pair_ring_desc(4, TERN_RING_WAITABLE);
    assert_int_equal(desc.item_size_bytes, sizeof(pair));
    struct fixture f = make(8, 4, TERN_RING_WAITABLE, 0), other = make(12, 4, 0, 0);
    tern_ring_producer p;
    tern_ring_consumer c;
    assert_status(pair_ring_attach_producer(&p, other.shared, other.size), TERN_ERR_MISMATCH);
    assert_status(pair_ring_attach_consumer(&c, other.shared, other.size), TERN_ERR_MISMATCH);
    assert_null(p.shared);
    assert_status(pair_ring_attach_producer(&p, f.shared, f.size), TERN_OK);
    assert_status(pair_ring_attach_consumer(&c, f.shared, f.size), TERN_OK);
    pair in[3] = { { 1, 2 }, { 3, 4 }, { 5, 6 } }, out[3];
    uint32_t got;
    assert_true(pair_ring_push(&p, &in[0]));
    assert_int_equal(pair_ring_push_many(&p, &in[1], 2), 2);
    *pair_ring_reserve(&p, 1, &got) = (pair){ 7, 8 };
    pair_ring_commit(&p, got);
    assert_status(pair_ring_push_wait(&p, in, 0), TERN_ERR_TIMEOUT);
    assert_int_equal(pair_ring_peek(&c, 4, &got)->b, 2);
    assert_int_equal(got, 4);
    pair_ring_release(&c, 1);
    assert_int_equal(pair_ring_pop_many(&c, out, 2), 2);
    assert_memory_equal(out, in + 1, 2 * sizeof *in);
    assert_status(pair_ring_pop_wait(&c, out, 0), TERN_OK);
    assert_int_equal(out->a, 7);
    assert_false(pair_ring_pop(&c, out));
    drop(&f);
    drop(&other);
}

static void item_sizes_are_copied_whole(uint32_t flags)
{
    const uint32_t sizes[] = { 1, 2, 3, 4, 7, 8, 12, 16, 24, 63, 64, 65, 100, 256, 1000, 4096 };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct fixture f = make(sizes[s], 8, flags, 5);
        unsigned char in[4096], out[4096 + 1];
        for (uint32_t i = 0; i < 30; i++) {
            for (uint32_t k = 0; k < sizes[s]; k++) in[k] = (unsigned char)(i * 7 + k);
            memset(out, 0xee, sizeof out);
            assert_true(tern_ring_push(&f.p, in));
            assert_true(tern_ring_pop(&f.c, out));
            assert_memory_equal(in, out, sizes[s]);
            assert_int_equal(out[sizes[s]], 0xee);
        }
        drop(&f);
    }
}

static void ring_item_sizes_are_copied_whole(void **state)
{
    (void)state;
    for (EACH_KIND(flags)) item_sizes_are_copied_whole(flags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_fill_and_drain_keeps_order),
        cmocka_unit_test(ring_counters_pass_2_31),
        cmocka_unit_test(ring_views_pass_2_32),
        cmocka_unit_test(ring_spans_count_past_2_32),
        cmocka_unit_test(ring_many_wraps_in_two_pieces),
        cmocka_unit_test(ring_reserve_stops_at_the_wrap),
        cmocka_unit_test(ring_reserve_when_full_is_null),
#if !defined(TERN_DEBUG) || !TERN_DEBUG
        cmocka_unit_test(ring_commit_and_release_are_cut_to_what_is_there),
#endif
        cmocka_unit_test(ring_release_is_lazy_and_never_when_empty),
        cmocka_unit_test(ring_exact_release_frees_at_once),
        cmocka_unit_test(ring_detach_releases_and_a_successor_goes_on),
        cmocka_unit_test(ring_close_drains_then_says_closed),
        cmocka_unit_test(ring_close_consumer_stops_the_producer),
        cmocka_unit_test(ring_waits_answer_timeout_domain_and_unsupported),
        cmocka_unit_test(ring_typed_form_checks_the_item_size),
        cmocka_unit_test(ring_item_sizes_are_copied_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
