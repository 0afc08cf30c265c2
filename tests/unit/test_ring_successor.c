/* SPDX-License-Identifier: MIT */
/* test_ring_successor.c: a successor attaches after a producer of sequenced slots died at each possible
 * point, and after a dead consumer; and a peer that writes whatever it likes into any word. */
#include "ring_fixture.h"

/* ---- Death ------------------------------------------------------------------------ */

/* Where the producer dies: before the slot's bytes, after them, after the sequence, after the index. */
enum point { DIES_BEFORE, DIES_AFTER_BYTES, DIES_AFTER_SEQUENCE, DIES_AFTER_INDEX, POINTS };

/* Push an item as a producer that dies at a point. Whether the item counts. */
static bool push_and_die(struct fixture *f, uint32_t index, enum point point)
{
    pair item = { index, ~index };
    uint32_t got, word = tern_a32_load_relaxed(&f->ends[0].word);
    if (point == DIES_AFTER_BYTES) {
        *(pair *)tern_ring_reserve(&f->p, 1, &got) = item;
        memcpy(f->model + slot_offset(f, index), &item, sizeof item);
    }
    if (point < DIES_AFTER_SEQUENCE) return false;
    assert_true(tern_ring_push(&f->p, &item));
    set_slot(f, index, &item);
    if (point == DIES_AFTER_SEQUENCE) tern_a32_store_relaxed(&f->ends[0].word, word);
    return true;
}

static void pop_expecting(struct fixture *f, uint32_t index)
{
    pair out;
    assert_true(tern_ring_pop(&f->c, &out));
    assert_int_equal(out.a, index);
    assert_int_equal(out.b, ~index);
}

/* `full` items are in, the next one dies at a point, then `popped` are taken; who comes after finds
 * all that was published, once, and goes on to the ring's end. */
static void producer_dies(uint32_t capacity, uint32_t flags, uint32_t start, uint32_t full, enum point point,
                          uint32_t popped)
{
    struct fixture f = make(8, capacity, flags, start);
    uint32_t tail = start, head = start;
    tern_ring_info info;
    tern_ring_consumer_release_every(&f.c, 1);
    for (uint32_t i = 0; i < full; i++, tail++) assert_true(push_and_die(&f, tail, DIES_AFTER_INDEX));
    tail += push_and_die(&f, tail, point);
    if (popped > tail - head) popped = tail - head;
    for (; popped > 0; popped--) pop_expecting(&f, head++);
    assert_int_equal(tern_ring_consumer_was_count(&f.c), tail - head - (point == DIES_AFTER_SEQUENCE && tail != head));
    assert_status(tern_ring_inspect(&info, f.shared, f.size), TERN_OK);
    assert_int_equal(info.was_count, tail - head - (point == DIES_AFTER_SEQUENCE && tail != head));

    assert_status(tern_ring_attach_producer(&f.p, f.shared, f.size), TERN_OK);
    assert_int_equal(f.p.tail & TERN__RING_INDEX_MASK, tail & TERN__RING_INDEX_MASK);
    assert_int_equal(tern_ring_producer_was_count(&f.p), tail - head);
    expect(&f, tail << 1, head << 1, false, false);
    while (tail - head < capacity) assert_true(push_and_die(&f, tail++, DIES_AFTER_INDEX));
    assert_false(tern_ring_push(&f.p, &(pair){ 0, 0 }));
    while (head != tail) pop_expecting(&f, head++);
    assert_false(tern_ring_pop(&f.c, &(pair){ 0, 0 }));
    expect(&f, tail << 1, head << 1, false, false);
    drop(&f);
}

static void ring_successor_of_a_producer_goes_on_wherever_it_died(void **state)
{
    (void)state;
    const uint32_t capacities[] = { 1, 2, 4, 8 }, starts[] = { 0, 3, 0x7ffffffe };
    for (uint32_t flags = TERN_RING_SEQUENCED; flags <= 3; flags++)
        for (uint32_t k = 0; k < 4; k++)
            for (uint32_t s = 0; s < 3; s++)
                for (uint32_t full = 0; full < capacities[k]; full++)
                    for (enum point point = DIES_BEFORE; point < POINTS; point++)
                        for (uint32_t popped = 0; popped <= full + 1; popped++)
                            producer_dies(capacities[k], flags, starts[s], full, point, popped);
}

/* One after the other dies before it has told its index: it never falls further behind. */
static void ring_successors_that_all_die_early_lose_nothing(void **state)
{
    (void)state;
    for (uint32_t taken = 0; taken < 2; taken++) {
        for (uint32_t start = 0; start < 5; start++) {
            struct fixture f = make(8, CAPACITY, TERN_RING_SEQUENCED, start);
            uint32_t deaths = taken ? 20 : CAPACITY, head = start, tail = start;
            tern_ring_consumer_release_every(&f.c, 1);
            for (uint32_t i = 0; i < deaths; i++) {
                push_and_die(&f, tail++, DIES_AFTER_SEQUENCE);
                if (taken) pop_expecting(&f, head++);
                assert_status(tern_ring_attach_producer(&f.p, f.shared, f.size), TERN_OK);
                assert_int_equal(tern_ring_producer_was_count(&f.p), tail - head);
            }
            while (head != tail) pop_expecting(&f, head++);
            expect(&f, tail << 1, head << 1, false, false);
            drop(&f);
        }
    }
}

/* However far the index is behind the slots, what they say counts. */
static void ring_successor_counts_slots_far_ahead_of_the_index(void **state)
{
    (void)state;
    for (uint32_t ahead = 1; ahead <= 8; ahead++) {
        struct fixture f = make(8, 8, TERN_RING_SEQUENCED, 0x7ffffffc);
        uint32_t head = 0x7ffffffc;
        for (uint32_t i = 0; i < ahead; i++) push_and_die(&f, head + i, DIES_AFTER_SEQUENCE);
        if (ahead > 2)   /* a sleeper's bit changes nothing */
            tern_a32_store_relaxed(sequence_of(&f, head + 2), (head + 3) << 1 | TERN__RING_SLEEP);
        assert_status(tern_ring_attach_producer(&f.p, f.shared, f.size), TERN_OK);
        assert_int_equal(tern_ring_producer_was_count(&f.p), ahead);
        for (uint32_t i = ahead; i < 8; i++) assert_true(push_and_die(&f, head + i, DIES_AFTER_INDEX));
        assert_false(tern_ring_push(&f.p, &(pair){ 0, 0 }));
        for (uint32_t i = 0; i < 8; i++) pop_expecting(&f, head + i);
        drop(&f);
    }
}

/* What a consumer popped but had not released comes again, and nothing else does. */
static void ring_successor_of_a_consumer_gets_the_unreleased_again(void **state)
{
    (void)state;
    for (EACH_KIND(flags)) {
        for (uint32_t popped = 0; popped <= 14; popped++) {
            struct fixture f = make(8, 16, flags, 7);
            uint32_t released = popped / 4 * 4;
            for (uint32_t i = 7; i < 21; i++) push_and_die(&f, i, DIES_AFTER_INDEX);
            for (uint32_t i = 0; i < popped; i++) pop_expecting(&f, 7 + i);
            expect(&f, 21 << 1, (7 + released) << 1, false, false);
            assert_status(tern_ring_attach_consumer(&f.c, f.shared, f.size), TERN_OK);
            assert_int_equal(tern_ring_consumer_was_count(&f.c), 14 - released);
            for (uint32_t i = released; i < 14; i++) pop_expecting(&f, 7 + i);
            assert_false(tern_ring_pop(&f.c, &(pair){ 0, 0 }));
            expect(&f, 21 << 1, 21 << 1, false, false);
            drop(&f);
        }
    }
}

/* A consumer may come while the producer is between an item and its index, and the item popped. */
static void ring_consumer_attaches_while_the_index_is_behind(void **state)
{
    (void)state;
    struct fixture f = make(8, CAPACITY, TERN_RING_SEQUENCED, 0);
    push_and_die(&f, 0, DIES_AFTER_SEQUENCE);
    pop_expecting(&f, 0);
    tern_ring_detach_consumer(&f.c);
    assert_status(tern_ring_attach_consumer(&f.c, f.shared, f.size), TERN_OK);
    assert_int_equal(tern_ring_consumer_was_count(&f.c), 0);
    assert_false(tern_ring_pop(&f.c, &(pair){ 0, 0 }));
    assert_status(tern_ring_consumer_status(&f.c), TERN_OK);
    push_and_die(&f, 1, DIES_AFTER_INDEX);
    pop_expecting(&f, 1);
    /* two behind is nobody's doing */
    tern_a32_store_relaxed(&f.ends[0].word, 0);
    assert_status(tern_ring_inspect(&(tern_ring_info){ 0 }, f.shared, f.size), TERN_OK);
    tern_ring_detach_consumer(&f.c);
    assert_status(tern_ring_attach_consumer(&f.c, f.shared, f.size), TERN_ERR_CORRUPT);
    assert_status(tern_ring_attach_producer(&f.p, f.shared, f.size), TERN_ERR_CORRUPT);
    drop(&f);
}

/* ---- A peer that writes whatever it likes ------------------------------------------------ */

/* The slot that the consumer waits for: its next item, what the last lap left, or a lie. */
static void ring_consumer_believes_no_sequence_but_two(void **state)
{
    (void)state;
    const uint32_t own[] = { 0, 1, 100, 0x7ffffffe };
    for (size_t o = 0; o < 4; o++) {
        uint32_t next = (own[o] + 1) << 1, before = (own[o] + 1 - CAPACITY) << 1;
        const uint32_t lies[] = { 0, 1, CAPACITY - 1, CAPACITY, CAPACITY + 1, 0x7fffffff, 0x80000000, UINT32_MAX,
                                  next, next - 1, next + 1, next - 2, next + 2, before, before + 1, before - 2,
                                  before + 2, next + 2 * CAPACITY, before - 2 * CAPACITY };
        for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
            struct fixture f = make(8, CAPACITY, TERN_RING_SEQUENCED | TERN_RING_WAITABLE, own[o]);
            pair out = { 1, 2 };
            uint32_t got, lie = lies[i] & ~TERN__RING_SLEEP;
            tern_a32_store_relaxed(sequence_of(&f, own[o]), lies[i]);
            const void *seen = tern_ring_peek(&f.c, 4, &got);
            assert_int_equal(got, lie == next);
            assert_true((seen != NULL) == (lie == next));
            assert_status(tern_ring_consumer_status(&f.c), lie == next || lie == before ? TERN_OK : TERN_ERR_CORRUPT);
            assert_status(tern_ring_consumer_wait(&f.c, 0), lie == next ? TERN_OK : lie == before ? TERN_ERR_TIMEOUT
                                                            : TERN_ERR_CORRUPT);
            if (lie != next && lie != before)
                assert_status(tern_ring_pop_wait(&f.c, &out, TERN_WAIT_FOREVER), TERN_ERR_CORRUPT);
            assert_int_equal(tern_ring_pop_many(&f.c, &out, 1), lie == next);
            if (lie != next) assert_true(out.a == 1 && out.b == 2);
            /* the producer reads no sequence; only a consumer that took what nobody pushed is ahead of it */
            assert_int_equal(tern_ring_push_many(&f.p, &(pair[CAPACITY]){ { 0, 0 } }, 9), lie == next ? 0 : CAPACITY);
            assert_status(tern_ring_producer_status(&f.p), lie == next ? TERN_ERR_CORRUPT : TERN_OK);
            drop(&f);
        }
    }
}

enum { GUARD_BYTES = 128, CALLS = 20 };

static void expect_one_of(tern_status status, bool waitable)
{
    assert_true(status == TERN_OK || status == TERN_ERR_TIMEOUT || status == TERN_ERR_CLOSED
                || status == TERN_ERR_CORRUPT || (!waitable && status == TERN_ERR_UNSUPPORTED));
}

/* Each call, once, on a ring in which one word is a lie. */
static void call_beside_a_lie(struct fixture *f, int call)
{
    bool waitable = (f->desc.flags & TERN_RING_WAITABLE) != 0;
    pair items[16];
    uint32_t got = 0;
    tern_ring_info info;
    memset(items, 1, sizeof items);
    f->p.spin_checks = f->c.spin_checks = 3;
    switch (call) {
    case 0: tern_ring_push(&f->p, items); break;
    case 1: assert_true(tern_ring_push_many(&f->p, items, 16) <= f->capacity); break;
    case 2: if (tern_ring_reserve(&f->p, 16, &got)) tern_ring_commit(&f->p, got); break;
    case 3: expect_one_of(tern_ring_producer_wait(&f->p, 0), waitable); break;
    case 4: expect_one_of(tern_ring_push_wait(&f->p, items, 1000), waitable); break;
    case 5: expect_one_of(tern_ring_producer_status(&f->p), true); break;
    case 6: assert_true(tern_ring_producer_was_count(&f->p) <= f->capacity); break;
    case 7: tern_ring_close_producer(&f->p); break;
    case 8: tern_ring_detach_producer(&f->p); break;
    case 9: expect_one_of(tern_ring_attach_producer(&f->p, f->shared, f->size), true); break;
    case 10: tern_ring_pop(&f->c, items); break;
    case 11: assert_true(tern_ring_pop_many(&f->c, items, 16) <= 16); break;
    case 12: if (tern_ring_peek(&f->c, 16, &got)) tern_ring_release(&f->c, got); break;
    case 13: expect_one_of(tern_ring_consumer_wait(&f->c, 0), waitable); break;
    case 14: expect_one_of(tern_ring_pop_wait(&f->c, items, 1000), waitable); break;
    case 15: expect_one_of(tern_ring_consumer_status(&f->c), true); break;
    case 16: assert_true(tern_ring_consumer_was_count(&f->c) <= f->capacity); break;
    case 17: tern_ring_close_consumer(&f->c); break;
    case 18: tern_ring_detach_consumer(&f->c); break;
    default:
        expect_one_of(tern_ring_inspect(&info, f->shared, f->size), true);
        assert_true(info.was_count <= f->capacity);
        expect_one_of(tern_ring_attach_consumer(&f->c, f->shared, f->size), true);
    }
    assert_true(got <= (f->sequenced ? 1 : f->capacity));
}

/* The word to lie in: those of both ends, then the sequences. */
static tern_a32 *word_at(const struct fixture *f, uint32_t number)
{
    struct tern_ring_end *end = &f->ends[number / 4];
    if (number >= 8) return sequence_of(f, number - 8);
    return number % 4 == 0 ? &end->word : number % 4 == 1 ? &end->closed
         : number % 4 == 2 ? &end->asymmetric : &end->asleep;
}

/* One lie, one call, in memory of this test between two guards. */
static void lie_and_call(unsigned char *memory, uint32_t flags, uint32_t start, uint32_t pushed, uint32_t number,
                         uint32_t kind_of_lie, int call)
{
    struct fixture f;
    memset(&f, 0, sizeof f);
    f.desc = (tern_ring_desc){ 8, CAPACITY, flags };
    f.capacity = CAPACITY;
    f.item_size = 8;
    f.sequenced = (flags & TERN_RING_SEQUENCED) != 0;
    f.slot_size = f.sequenced ? sequenced_slot_size(8) : 8;
    f.size = tern_ring_size(&f.desc);
    memset(memory, 0xa5, f.size + 2 * GUARD_BYTES);
    lay_out(&f, memory + GUARD_BYTES);
    assert_status(tern_ring_format(f.shared, f.size, &f.desc), TERN_OK);
    begin_at(&f, start);
    attach(&f);
    for (uint32_t i = 0; i < pushed; i++) assert_true(tern_ring_push(&f.p, &(pair){ i, i }));
    tern_a32 *word = word_at(&f, number);
    uint32_t own = tern_a32_load_relaxed(word);
    const uint32_t lies[] = { 0, 1, CAPACITY - 1, CAPACITY, CAPACITY + 1, 0x7fffffff, 0x80000000, UINT32_MAX,
                              own - 1, own + 1, own - 2, own + 2, own ^ 0x80000000 };
    tern_a32_store_relaxed(word, lies[kind_of_lie % 13]);
    call_beside_a_lie(&f, call);
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        assert_int_equal(memory[i], 0xa5);
        assert_int_equal(memory[GUARD_BYTES + f.size + i], 0xa5);
    }
}

static void ring_every_call_survives_a_lie_in_any_word(void **state)
{
    (void)state;
    unsigned char *memory = unit_memory_at(4096, 4 * 4096 + GUARD_BYTES);   /* a paged ring begins at a page */
    const uint32_t starts[] = { 0, 100, 0x7ffffffe };
    for (EACH_KIND(flags))
        for (uint32_t s = 0; s < 3; s++)
            for (uint32_t pushed = 0; pushed <= CAPACITY; pushed += 2)
                for (uint32_t number = 0; number < (flags & TERN_RING_SEQUENCED ? 8 + CAPACITY : 8); number++)
                    for (uint32_t lie = 0; lie < 13; lie++)
                        for (int call = 0; call < CALLS; call++)
                            lie_and_call(memory + 4096 - GUARD_BYTES, flags, starts[s], pushed, number, lie, call);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_successor_of_a_producer_goes_on_wherever_it_died),
        cmocka_unit_test(ring_successors_that_all_die_early_lose_nothing),
        cmocka_unit_test(ring_successor_counts_slots_far_ahead_of_the_index),
        cmocka_unit_test(ring_successor_of_a_consumer_gets_the_unreleased_again),
        cmocka_unit_test(ring_consumer_attaches_while_the_index_is_behind),
        cmocka_unit_test(ring_consumer_believes_no_sequence_but_two),
        cmocka_unit_test(ring_every_call_survives_a_lie_in_any_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
