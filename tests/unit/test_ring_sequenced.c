/* SPDX-License-Identifier: MIT */
/* test_ring_sequenced.c: what only a ring with a sequence in each slot does: where items and sequences
 * lie, for every kind of size and capacity, and spans of one. What both layouts do is in test_ring.c. */
#include "ring_fixture.h"

/* One size on each side of every boundary of the slots. */
#define EACH_SIZE(X) X(1) X(4) X(5) X(8) X(12) X(13) X(28) X(29) X(56) X(60) X(61) X(64) X(100) X(256)
#define SIZE_AND_COMMA(n) n,
static const uint32_t sizes[] = { EACH_SIZE(SIZE_AND_COMMA) };
static const uint32_t capacities[] = { 1, 2, 4, 64 };
enum { SIZES = sizeof sizes / sizeof *sizes, CAPACITIES = sizeof capacities / sizeof *capacities, MOST_BYTES = 256 };

/* Bytes that tell which item it is and which of its bytes. */
static void fill(unsigned char *item, uint32_t size, uint32_t index)
{
    for (uint32_t k = 0; k < size; k++) item[k] = (unsigned char)(index * 131 + (index >> 8) * 17 + k * 7);
}

static void ring_sequenced_slots_are_as_documented(void **state)
{
    (void)state;
    const uint32_t slots[] = { 8, 8, 16, 16, 16, 32, 32, 64, 64, 64, 128, 128, 128, 320 };
    for (uint32_t s = 0; s < SIZES; s++) {
        for (uint32_t k = 0; k < CAPACITIES; k++) {
            struct fixture f = make(sizes[s], capacities[k], TERN_RING_SEQUENCED, 0);
            uint32_t got, align = slots[s] < 64 ? slots[s] : 64;
            assert_int_equal(f.slot_size, slots[s]);
            assert_int_equal(f.shared->geometry.slot_size_bytes, slots[s]);
            expect(&f, 0, 0, false, false);             /* the sequences of the lap before the first */
            for (uint32_t i = 0; i < f.capacity; i++) {
                unsigned char *span = tern_ring_reserve(&f.p, 1, &got);
                assert_ptr_equal(span, f.items + i * slots[s]);
                assert_int_equal((uintptr_t)span % align, 0);
                /* item and sequence on one line, as far as the item is that small */
                if (sizes[s] <= 60) assert_int_equal((uintptr_t)span / 64, (uintptr_t)sequence_of(&f, i) / 64);
                tern_ring_commit(&f.p, 1);
            }
            drop(&f);
        }
    }
}

/* The bytes of a slot between item and sequence are never written: the model keeps them at 0. */
static void fill_and_drain(struct fixture *f, uint32_t start, uint32_t rounds)
{
    unsigned char in[MOST_BYTES], out[MOST_BYTES + 1];
    uint32_t tail = start, head = start;
    tern_ring_consumer_release_every(&f->c, 1);
    for (uint32_t round = 0; round < rounds; round++) {
        uint32_t burst = round % 3 == 0 ? f->capacity : 1 + (round * 5) % f->capacity;
        for (uint32_t i = 0; i < burst; i++, tail++) {
            fill(in, f->item_size, tail);
            assert_true(tern_ring_push(&f->p, in));
            set_slot(f, tail, in);
        }
        expect(f, tail << 1, head << 1, false, false);
        assert_int_equal(tern_ring_producer_was_count(&f->p), burst);
        assert_int_equal(tern_ring_consumer_was_count(&f->c), burst);
        if (burst == f->capacity) assert_false(tern_ring_push(&f->p, in));
        expect(f, tail << 1, head << 1, false, false);
        for (uint32_t i = 0; i < burst; i++, head++) {
            memset(out, 0xee, sizeof out);
            fill(in, f->item_size, head);
            assert_true(tern_ring_pop(&f->c, out));
            assert_memory_equal(out, in, f->item_size);
            assert_int_equal(out[f->item_size], 0xee);
        }
        memset(out, 0xee, sizeof out);
        assert_false(tern_ring_pop(&f->c, out));
        for (uint32_t k = 0; k < f->item_size; k++) assert_int_equal(out[k], 0xee);
        expect(f, tail << 1, head << 1, false, false);
    }
}

static void ring_sequenced_every_size_and_capacity_keeps_bytes_and_order(void **state)
{
    (void)state;
    for (uint32_t flags = TERN_RING_SEQUENCED; flags <= 3; flags++) {
        for (uint32_t s = 0; s < SIZES; s++) {
            for (uint32_t k = 0; k < CAPACITIES; k++) {
                struct fixture f = make(sizes[s], capacities[k], flags, 0);
                fill_and_drain(&f, 0, 12);
                drop(&f);
            }
        }
    }
}

/* The words count modulo 2^31, the views modulo 2^32: begin a little below both. */
static void ring_sequenced_counters_pass_2_31_and_2_32(void **state)
{
    (void)state;
    for (uint32_t flags = TERN_RING_SEQUENCED; flags <= 3; flags++) {
        for (uint32_t k = 0; k < CAPACITIES; k++) {
            for (uint32_t back = 1; back <= 9; back += 2) {
                struct fixture f = make(12, capacities[k], flags, 0x80000000u - back);
                fill_and_drain(&f, 0x80000000u - back, 12);
                drop(&f);
                f = make(12, capacities[k], flags, 0);
                count_from(&f, 0u - back);
                fill_and_drain(&f, 0u - back, 12);
                assert_true(f.p.tail < 12 * 64);              /* it has passed 2^32 */
                drop(&f);
            }
        }
    }
}

/* ---- The typed form -------------------------------------------------------------- */

/* The same for a type of each size, where the compiler knows the slot. */
#define TYPED(n)                                                                            \
    typedef struct { unsigned char bytes[n]; } item_##n;                                    \
    TERN_RING_DEFINE(ring_##n, item_##n)                                                    \
    static void typed_##n(uint32_t flags, uint32_t capacity)                                \
    {                                                                                       \
        struct fixture f = make(n, capacity, flags, 5);                                     \
        item_##n in, out;                                                                   \
        uint32_t tail = 5, head = 5, got;                                                   \
        tern_ring_desc desc = ring_##n##_desc(capacity, flags);                             \
        assert_int_equal(tern_ring_size(&desc), f.size);                                    \
        assert_status(ring_##n##_attach_producer(&f.p, f.shared, f.size), TERN_OK);         \
        assert_status(ring_##n##_attach_consumer(&f.c, f.shared, f.size), TERN_OK);         \
        for (uint32_t i = 0; i < 3 * capacity; i++) {                                       \
            fill(in.bytes, n, tail);                                                        \
            if (i % 3 == 0) assert_true(ring_##n##_push(&f.p, &in));                        \
            if (i % 3 == 1) assert_int_equal(ring_##n##_push_many(&f.p, &in, 1), 1);        \
            if (i % 3 == 2) {                                                               \
                memcpy(ring_##n##_reserve(&f.p, 7, &got), &in, n);                          \
                ring_##n##_commit(&f.p, got);                                               \
            }                                                                               \
            set_slot(&f, tail++, &in);                                                      \
            expect(&f, tail << 1, head << 1, false, false);                                 \
            if (i % 3 == 0) assert_true(ring_##n##_pop(&f.c, &out));                        \
            if (i % 3 == 1) assert_int_equal(ring_##n##_pop_many(&f.c, &out, 9), 1);        \
            if (i % 3 == 2) {                                                               \
                memcpy(&out, ring_##n##_peek(&f.c, 7, &got), n);                            \
                ring_##n##_release(&f.c, got);                                              \
            }                                                                               \
            assert_memory_equal(&out, &in, n);                                              \
            assert_false(ring_##n##_pop(&f.c, &out));                                       \
            head++;                                                                         \
            expect(&f, tail << 1, head << 1, false, false);                                 \
        }                                                                                   \
        drop(&f);                                                                           \
    }
EACH_SIZE(TYPED)

static void ring_sequenced_typed_form_of_every_size_keeps_bytes(void **state)
{
    (void)state;
#define RUN_TYPED(n) typed_##n(flags, capacities[k]);
    for (uint32_t flags = TERN_RING_SEQUENCED; flags <= 3; flags++)
        for (uint32_t k = 0; k < CAPACITIES; k++) { EACH_SIZE(RUN_TYPED) }
}

/* ---- Many ------------------------------------------------------------------------- */

/* Part of what was asked for, where there is less; a lap and a half, so that it wraps at each place. */
static void ring_sequenced_many_takes_what_there_is(void **state)
{
    (void)state;
    unsigned char in[80][12], out[80][12];
    for (uint32_t capacity = 1; capacity <= 64; capacity *= 2) {
        for (uint32_t ask = 1; ask <= 80; ask += 13) {
            struct fixture f = make(12, capacity, TERN_RING_SEQUENCED, 3);
            uint32_t tail = 3, head = 3;
            tern_ring_consumer_release_every(&f.c, 1);
            while (tail < 3 + capacity + capacity / 2 + 1) {
                uint32_t space = capacity - (tail - head), most = ask < space ? ask : space;
                for (uint32_t i = 0; i < 80; i++) fill(in[i], 12, tail + i);
                assert_int_equal(tern_ring_push_many(&f.p, in, ask), most);
                for (uint32_t i = 0; i < most; i++) set_slot(&f, tail + i, in[i]);
                tail += most;
                expect(&f, tail << 1, head << 1, false, false);
                uint32_t take = 1 + (tail - head) / 2;
                memset(out, 0xee, sizeof out);
                assert_int_equal(tern_ring_pop_many(&f.c, out, take), take);
                for (uint32_t i = 0; i < take; i++, head++) {
                    fill(in[0], 12, head);
                    assert_memory_equal(out[i], in[0], 12);
                }
                assert_int_equal(out[take < 80 ? take : 79][0], take < 80 ? 0xee : out[79][0]);
                expect(&f, tail << 1, head << 1, false, false);
            }
            uint32_t left = tail - head;
            assert_int_equal(tern_ring_pop_many(&f.c, out, 80), left);   /* fewer than asked for */
            assert_int_equal(tern_ring_pop_many(&f.c, out, 80), 0);
            drop(&f);
        }
    }
}

/* ---- Spans of one --------------------------------------------------------------------- */

static void ring_sequenced_spans_are_of_one(void **state)
{
    (void)state;
    for (uint32_t flags = TERN_RING_SEQUENCED; flags <= 3; flags++) {
        struct fixture f = make(8, CAPACITY, flags, 0);
        uint32_t got = 77;
        pair item;
        tern_ring_consumer_release_every(&f.c, 1);
        for (uint32_t i = 0; i < 3 * CAPACITY; i++) {
            pair *span = tern_ring_reserve(&f.p, 1 + i, &got);
            assert_int_equal(got, 1);
            assert_ptr_equal(span, f.items + i % CAPACITY * 16);
            *span = item = (pair){ i, ~i };
            memcpy(f.model + slot_offset(&f, i), &item, sizeof item);
            expect(&f, i << 1, i << 1, false, false);              /* reserved is not published */
            assert_null(tern_ring_peek(&f.c, 5, &got));
            assert_int_equal(got, 0);
            tern_ring_commit(&f.p, 0);
            expect(&f, i << 1, i << 1, false, false);
            assert_ptr_equal(tern_ring_reserve(&f.p, 9, &got), span);   /* lent again */
            tern_ring_commit(&f.p, 1);
            set_slot(&f, i, &item);
            expect(&f, (i + 1) << 1, i << 1, false, false);
            const pair *seen = tern_ring_peek(&f.c, 5, &got);
            assert_int_equal(got, 1);
            assert_ptr_equal(seen, span);
            assert_int_equal(seen->b, ~i);
            tern_ring_release(&f.c, 0);
            assert_ptr_equal(tern_ring_peek(&f.c, 1, &got), span);      /* peeked is not released */
            expect(&f, (i + 1) << 1, i << 1, false, false);
            tern_ring_release(&f.c, 1);
            expect(&f, (i + 1) << 1, (i + 1) << 1, false, false);
        }
        assert_null(tern_ring_reserve(&f.p, 0, &got));
        assert_int_equal(got, 0);
        drop(&f);
    }
}

static void ring_sequenced_push_and_pop_take_over_what_was_lent(void **state)
{
    (void)state;
    struct fixture f = make(8, CAPACITY, TERN_RING_SEQUENCED, 0);
    uint32_t got;
    pair first = { 1, 2 }, second = { 3, 4 }, out;
    *(pair *)tern_ring_reserve(&f.p, 1, &got) = first;
    assert_true(tern_ring_push(&f.p, &second));              /* the same slot */
    set_slot(&f, 0, &second);
    expect(&f, 1 << 1, 0, false, false);
    assert_true(tern_ring_push(&f.p, &first));
    assert_int_equal(((const pair *)tern_ring_peek(&f.c, 1, &got))->a, 3);
    assert_true(tern_ring_pop(&f.c, &out));
    assert_int_equal(out.a, 3);
    assert_int_equal(tern_ring_pop_many(&f.c, &out, 1), 1);
    assert_int_equal(out.a, 1);
    for (uint32_t i = 0; i < CAPACITY; i++) assert_true(tern_ring_push(&f.p, &first));
    assert_null(tern_ring_reserve(&f.p, 3, &got));           /* full */
    assert_int_equal(got, 0);
    drop(&f);
}

#if !defined(TERN_DEBUG) || !TERN_DEBUG
static void ring_sequenced_commit_and_release_are_cut_to_one(void **state)
{
    (void)state;
    struct fixture f = make(8, CAPACITY, TERN_RING_SEQUENCED, 0);
    uint32_t got;
    pair item = { 8, 9 };
    *(pair *)tern_ring_reserve(&f.p, 4, &got) = item;
    tern_ring_commit(&f.p, 4);                               /* three more than were lent */
    set_slot(&f, 0, &item);
    expect(&f, 1 << 1, 0, false, false);
    tern_ring_release(&f.c, 5);
    expect(&f, 1 << 1, 0, false, false);                     /* nothing was peeked */
    tern_ring_peek(&f.c, 4, &got);
    tern_ring_release(&f.c, 1000);
    expect(&f, 1 << 1, 1 << 1, false, false);
    for (uint32_t i = 1; i <= CAPACITY; i++) {
        assert_true(tern_ring_push(&f.p, &item));
        set_slot(&f, i, &item);
    }
    tern_ring_commit(&f.p, 1);                               /* full: nothing was lent */
    expect(&f, (CAPACITY + 1) << 1, 1 << 1, false, false);
    drop(&f);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_sequenced_slots_are_as_documented),
        cmocka_unit_test(ring_sequenced_every_size_and_capacity_keeps_bytes_and_order),
        cmocka_unit_test(ring_sequenced_counters_pass_2_31_and_2_32),
        cmocka_unit_test(ring_sequenced_typed_form_of_every_size_keeps_bytes),
        cmocka_unit_test(ring_sequenced_many_takes_what_there_is),
        cmocka_unit_test(ring_sequenced_spans_are_of_one),
        cmocka_unit_test(ring_sequenced_push_and_pop_take_over_what_was_lent),
#if !defined(TERN_DEBUG) || !TERN_DEBUG
        cmocka_unit_test(ring_sequenced_commit_and_release_are_cut_to_one),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
