/* SPDX-License-Identifier: MIT */
/* test_pool.c: the pool in one thread. After every transition every byte of the shared state is
 * compared with an image of what it must be. */
#include "pool_fixture.h"

static void handle_packs_and_compares(void **state)
{
    (void)state;
    const tern_handle h = { 0x89abcdef, 0x01234567 };
    assert_true(tern_handle_pack(h) == 0x0123456789abcdefu);
    assert_true(tern_handle_equal(tern_handle_unpack(0x0123456789abcdefu), h));
    assert_false(tern_handle_equal(h, handle_of(h.index, h.generation + 1)));
    assert_false(tern_handle_equal(h, handle_of(h.index + 1, h.generation)));
    assert_false(tern_handle_is_null(h));
    assert_true(tern_handle_is_null(tern_handle_null()));
    assert_true(tern_handle_pack(tern_handle_null()) == 0);
    assert_true(tern_handle_is_null(tern_handle_unpack(0)));
    assert_false(tern_handle_is_null(handle_of(0, 1)));
}

static void pool_format_makes_every_byte_of_the_header(void **state)
{
    (void)state;
    tern_pool_desc desc = { 20, 3 };
    size_t size = tern_pool_size(&desc);
    assert_int_equal(size, 512 + 4 * 64);
    unsigned char *memory = unit_memory(size);
    memset(memory, 0xee, size);
    assert_status(tern_pool_format(memory, size, &desc), TERN_OK);
    struct tern_pool_shared *s = (struct tern_pool_shared *)(void *)memory;
    assert_memory_equal(memory, "TPOL", 4);
    assert_int_equal(s->reserved, 0);
    assert_int_equal(s->geometry.layout_version, TERN_LAYOUT_VERSION);
    assert_int_equal(s->geometry.item_size_bytes, 20);
    assert_int_equal(s->geometry.capacity_items, 3);
    assert_int_equal(s->geometry.stride_bytes, 64);
    assert_int_equal(s->geometry.total_size_bytes, size);
    assert_int_equal(s->geometry.flags, 0);
    assert_true(tern_a64_load_relaxed(&s->head.link) == 0);
    assert_true(tern_a64_load_relaxed(&s->tail.link) == (3 << 24 | 3));
    assert_int_equal(tern_a32_load_relaxed(&s->retired), 0);
    for (size_t i = 40; i < 128; i++) assert_int_equal(memory[i], 0);
    for (size_t i = 136; i < 256; i++) assert_int_equal(memory[i], 0);
    for (size_t i = 264; i < 384; i++) assert_int_equal(memory[i], 0);
    for (size_t i = 388; i < 512; i++) assert_int_equal(memory[i], 0);
    for (uint32_t i = 0; i < 4; i++) {
        const uint64_t *words = (const uint64_t *)(void *)(memory + 512 + (size_t)i * 64);
        assert_true(words[0] == (uint64_t)1 << 32);
        assert_true(words[1] == ((uint64_t)i << 24 | (i < 3 ? i + 1 : 0xffffff)));
        assert_int_equal(((const unsigned char *)words)[16], 0xee);   /* items stay as they are */
    }
    free(memory);
}

/* Slots come in the order in which they were given back; places go over 2^40, generations count. */
static void pool_alloc_and_free_are_first_in_first_out(void **state)
{
    (void)state;
    for (uint64_t back = 0; back < 12; back++) {
        uint64_t place = ((uint64_t)1 << 40) - 1 - back;
        fixture f = make(8, 3, 1, place);
        uint64_t head = place, tail = place + 3;
        uint32_t generations[4] = { 1, 1, 1, 1 }, last = 3;
        for (uint32_t round = 0; round < 20; round++) {
            tern_handle h;
            void *item;
            uint32_t at = round % 4;
            assert_status(tern_pool_alloc(&f.pool, &h, &item), TERN_OK);
            assert_true(tern_handle_equal(h, handle_of(at, generations[at])));
            assert_ptr_equal(item, (unsigned char *)slot_of(&f.pool, at) + 16);
            set_word(&f.image, at, generations[at], LIVE, 0);
            set_head(&f.image, (at + 1) % 4, ++head);
            expect(&f);
            assert_int_equal(tern_pool_was_live(&f.pool), 1);
            assert_status(tern_pool_free(&f.pool, h), TERN_OK);
            set_word(&f.image, at, ++generations[at], FREE, 0);
            set_link(&f.image, last, at, tail);
            set_link(&f.image, at, NONE, ++tail);
            set_tail(&f.image, at, tail);
            last = at;
            expect(&f);
            assert_int_equal(tern_pool_was_live(&f.pool), 0);
            expect_refused(&f, h);
        }
        drop(&f);
    }
}

static void pool_when_all_are_live_is_full_and_never_grows(void **state)
{
    (void)state;
    fixture f = make(48, 4, 7, 100);
    tern_handle h[5];
    void *item;
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(tern_pool_was_live(&f.pool), i);
        assert_status(tern_pool_alloc(&f.pool, &h[i], &item), TERN_OK);
        assert_int_equal((uintptr_t)item % 16, 0);
        memset(item, (int)i, 48);
        memset((unsigned char *)slot_of(&f.image, i) + 16, (int)i, 48);
        set_word(&f.image, i, 7, LIVE, 0);
    }
    set_head(&f.image, 4, 104);
    expect(&f);
    for (int i = 0; i < 3; i++) {
        h[4] = handle_of(9, 9);
        assert_status(tern_pool_alloc(&f.pool, &h[4], &item), TERN_ERR_FULL);
        assert_true(tern_handle_is_null(h[4]));
        assert_null(item);
        expect(&f);
    }
    assert_int_equal(tern_pool_was_live(&f.pool), 4);
    assert_status(tern_pool_free(&f.pool, h[2]), TERN_OK);
    assert_status(tern_pool_alloc(&f.pool, &h[4], &item), TERN_OK);
    assert_true(tern_handle_equal(h[4], handle_of(4, 7)));     /* the one that was kept; 2 is kept now */
    assert_status(tern_pool_alloc(&f.pool, &h[2], &item), TERN_ERR_FULL);
    drop(&f);
}

static void pool_pinned_item_outlives_its_free(void **state)
{
    (void)state;
    fixture f = make(8, 2, 5, 0);
    tern_handle h;
    void *item;
    assert_status(tern_pool_alloc(&f.pool, &h, &item), TERN_OK);
    set_word(&f.image, 0, 5, LIVE, 0);
    set_head(&f.image, 1, 1);
    assert_ptr_equal(tern_pool_get(&f.pool, h), item);
    expect(&f);
    for (uint32_t pins = 1; pins <= 3; pins++) {
        assert_ptr_equal(tern_pool_pin(&f.pool, h), item);
        set_word(&f.image, 0, 5, LIVE, pins);
        expect(&f);
    }
    tern_pool_unpin(&f.pool, h);
    set_word(&f.image, 0, 5, LIVE, 2);
    expect(&f);
    assert_status(tern_pool_free(&f.pool, h), TERN_DEFERRED);
    set_word(&f.image, 0, 6, DYING, 2);
    expect(&f);
    expect_refused(&f, h);
    expect_refused(&f, handle_of(0, 6));       /* the next generation is not born yet */
    assert_int_equal(tern_pool_was_live(&f.pool), 1);
    tern_pool_unpin(&f.pool, h);
    set_word(&f.image, 0, 6, DYING, 1);
    expect(&f);
    tern_pool_unpin(&f.pool, h);
    set_word(&f.image, 0, 6, FREE, 0);
    set_link(&f.image, 2, 0, 2);
    set_link(&f.image, 0, NONE, 3);
    set_tail(&f.image, 0, 3);
    expect(&f);
    expect_refused(&f, h);
    expect_refused(&f, handle_of(0, 6));
    assert_int_equal(tern_pool_was_live(&f.pool), 0);
    drop(&f);
}

static void pool_condemned_item_is_given_back_by_the_extra_unpin(void **state)
{
    (void)state;
    for (uint32_t pins = 0; pins < 3; pins++) {
        fixture f = make(8, 2, 5, 0);
        tern_handle h;
        void *item;
        assert_status(tern_pool_alloc(&f.pool, &h, &item), TERN_OK);
        set_head(&f.image, 1, 1);
        for (uint32_t i = 0; i < pins; i++) assert_non_null(tern_pool_pin(&f.pool, h));
        assert_status(tern__pool_condemn(&f.pool, h), TERN_DEFERRED);
        for (uint32_t left = pins + 1; left > 0; left--) {
            set_word(&f.image, 0, 6, DYING, left);
            expect(&f);
            expect_refused(&f, h);
            tern_pool_unpin(&f.pool, h);
        }
        set_word(&f.image, 0, 6, FREE, 0);
        set_link(&f.image, 2, 0, 2);
        set_link(&f.image, 0, NONE, 3);
        set_tail(&f.image, 0, 3);
        expect(&f);
        drop(&f);
    }
}

static void pool_refuses_what_it_never_gave_out(void **state)
{
    (void)state;
    fixture f = make(8, 2, 5, 0);
    const uint32_t indices[] = { 0, 1, 2, 3, 4, 0xffffff, 0x1000000, 0x7fffffff, UINT32_MAX };
    const uint32_t generations[] = { 0, 1, 4, 5, 6, 0x7fffffff, LAST, UINT32_MAX };
    tern_handle h;
    void *item;
    for (uint32_t live = 0; live < 2; live++) {
        for (size_t i = 0; i < sizeof indices / sizeof *indices; i++)
            for (size_t k = 0; k < sizeof generations / sizeof *generations; k++)
                if (!live || indices[i] != 0 || generations[k] != 5)
                    expect_refused(&f, handle_of(indices[i], generations[k]));
        if (live) break;
        assert_status(tern_pool_alloc(&f.pool, &h, &item), TERN_OK);
        set_word(&f.image, 0, 5, LIVE, 0);
        set_head(&f.image, 1, 1);
    }
    expect_refused(&f, tern_handle_null());
#if !defined(TERN_DEBUG) || !TERN_DEBUG
    for (size_t i = 0; i < sizeof indices / sizeof *indices; i++)
        if (indices[i] >= f.pool.slots) tern_pool_unpin(&f.pool, handle_of(indices[i], 5));
    expect(&f);
#endif
    drop(&f);
}

static void pool_pins_are_saturated_and_never_overflow(void **state)
{
    (void)state;
    fixture f = make(8, 2, 5, 0);
    tern_handle h;
    void *item;
    assert_status(tern_pool_alloc(&f.pool, &h, &item), TERN_OK);
    set_head(&f.image, 1, 1);
    set_word(&f.pool, 0, 5, LIVE, TERN_POOL_MAX_PINS - 1);
    assert_ptr_equal(tern_pool_pin(&f.pool, h), item);
    set_word(&f.image, 0, 5, LIVE, TERN_POOL_MAX_PINS);
    expect(&f);
    assert_null(tern_pool_pin(&f.pool, h));
    assert_status(tern_pool_read(&f.pool, h, &item, 1), TERN_ERR_STALE);
    assert_non_null(tern_pool_get(&f.pool, h));
    expect(&f);
    assert_status(tern__pool_condemn(&f.pool, h), TERN_DEFERRED);      /* there is room for this one */
    set_word(&f.image, 0, 6, DYING, TERN_POOL_MAX_PINS + 1);
    expect(&f);
    tern_pool_unpin(&f.pool, h);
    set_word(&f.image, 0, 6, DYING, TERN_POOL_MAX_PINS);
    expect(&f);
    drop(&f);
}

static void pool_slot_at_its_last_generation_retires(void **state)
{
    (void)state;
    for (uint32_t way = 0; way < 3; way++) {
        fixture f = make(8, 3, LAST, 0);
        tern_handle h[4];
        void *item;
        for (uint32_t i = 0; i < 3; i++) {
            assert_status(tern_pool_alloc(&f.pool, &h[i], &item), TERN_OK);
            assert_true(tern_handle_equal(h[i], handle_of(i, LAST)));
            set_word(&f.image, i, LAST, LIVE, 0);
        }
        set_head(&f.image, 3, 3);
        expect(&f);
        for (uint32_t i = 0; i < 3; i++) {
            if (way == 1) assert_non_null(tern_pool_pin(&f.pool, h[i]));
            if (way == 0) assert_status(tern_pool_free(&f.pool, h[i]), TERN_OK);
            if (way == 1) assert_status(tern_pool_free(&f.pool, h[i]), TERN_DEFERRED);
            if (way == 2) assert_status(tern__pool_condemn(&f.pool, h[i]), TERN_DEFERRED);
            if (way > 0) {
                set_word(&f.image, i, UINT32_MAX, DYING, 1);
                expect_refused(&f, handle_of(i, UINT32_MAX));
                tern_pool_unpin(&f.pool, h[i]);
            }
            set_word(&f.image, i, UINT32_MAX, RETIRED, 0);
            tern_a32_store_relaxed(&f.image.shared->retired, i + 1);
            expect(&f);
            expect_refused(&f, h[i]);
            expect_refused(&f, handle_of(i, UINT32_MAX));
            assert_int_equal(tern_pool_was_retired(&f.pool), i + 1);
            assert_int_equal(tern_pool_was_live(&f.pool), 2 - i);
            assert_status(tern_pool_alloc(&f.pool, &h[3], &item), TERN_ERR_FULL);
        }
        drop(&f);
    }
}

/* Every handle value once, then full for ever; one slot is always kept. */
static void pool_near_the_end_repeats_no_handle(void **state)
{
    (void)state;
    fixture f = make(8, 3, LAST - 99, 0);
    uint32_t last[4] = { 0, 0, 0, 0 }, count = 0;
    tern_handle h;
    void *item;
    tern_status status;
    while ((status = tern_pool_alloc(&f.pool, &h, &item)) == TERN_OK) {
        assert_true(h.index < 4 && h.generation > last[h.index] && h.generation <= LAST);
        last[h.index] = h.generation;
        count++;
        assert_status(tern_pool_free(&f.pool, h), TERN_OK);
        assert_int_equal(tern_pool_was_live(&f.pool), 0);
    }
    assert_status(status, TERN_ERR_FULL);
    assert_true(count >= 3 * 100 && count < 4 * 100);
    assert_int_equal(tern_pool_was_retired(&f.pool), 3);
    assert_status(tern_pool_alloc(&f.pool, &h, &item), TERN_ERR_FULL);
    drop(&f);
}

/* Who died between linking a slot and moving tail leaves that to the next, whoever it is. */
static void pool_half_done_free_is_finished_by_the_next_call(void **state)
{
    (void)state;
    for (int by_free = 0; by_free < 2; by_free++) {
        fixture f = make(8, 1, 5, 0);
        tern_handle h;
        void *item;
        assert_status(tern_pool_alloc(&f.pool, &h, &item), TERN_OK);
        assert_status(tern_pool_free(&f.pool, h), TERN_OK);
        set_tail(&f.pool, 1, 1);          /* 1 -> 0 is linked, tail still at 1 */
        set_word(&f.image, 0, 6, FREE, 0);
        set_link(&f.image, 1, 0, 1);
        set_link(&f.image, 0, NONE, 2);
        set_head(&f.image, 1, 1);
        set_tail(&f.image, 1, 1);
        expect(&f);
        assert_int_equal(tern_pool_was_live(&f.pool), 0);
        if (by_free) {
            set_word(&f.pool, 1, 5, LIVE, 0);
            set_head(&f.pool, 0, 2);
            assert_status(tern_pool_free(&f.pool, handle_of(1, 5)), TERN_OK);
            set_word(&f.image, 1, 6, FREE, 0);
            set_link(&f.image, 0, 1, 2);
            set_link(&f.image, 1, NONE, 3);
            set_tail(&f.image, 1, 3);
        } else {
            assert_status(tern_pool_alloc(&f.pool, &h, &item), TERN_OK);
            assert_true(tern_handle_equal(h, handle_of(1, 5)));
            set_word(&f.image, 1, 5, LIVE, 0);
            set_tail(&f.image, 0, 2);
        }
        set_head(&f.image, 0, 2);
        expect(&f);
        drop(&f);
    }
}

static void pool_read_copies_and_leaves_no_pin(void **state)
{
    (void)state;
    fixture f = make(40, 2, 1, 0);
    unsigned char in[40], out[41];
    tern_handle h;
    void *item;
    for (size_t i = 0; i < sizeof in; i++) in[i] = (unsigned char)(i + 1);
    assert_status(tern_pool_alloc(&f.pool, &h, &item), TERN_OK);
    memcpy(item, in, 40);
    memcpy((unsigned char *)slot_of(&f.image, 0) + 16, in, 40);
    set_word(&f.image, 0, 1, LIVE, 0);
    set_head(&f.image, 1, 1);
    for (size_t size = 0; size <= 40; size++) {
        memset(out, 0xee, sizeof out);
        assert_status(tern_pool_read(&f.pool, h, out, size), TERN_OK);
        assert_memory_equal(out, in, size);
        assert_int_equal(out[size], 0xee);
        expect(&f);
    }
    assert_status(tern_pool_read(&f.pool, h, out, 41), TERN_ERR_ARGUMENT);
    assert_status(tern_pool_read(&f.pool, h, out, SIZE_MAX), TERN_ERR_ARGUMENT);
    expect(&f);
    drop(&f);
}

static void pool_walk_visits_each_live_item_once_pinned(void **state)
{
    (void)state;
    fixture f = make(8, 6, 3, 0);
    tern_handle h[6], seen;
    void *item[6], *at;
    uint32_t cursor = 0, visits = 0;
    assert_null(tern_pool_walk(&f.pool, &cursor, &seen));
    assert_true(tern_handle_is_null(seen));
    for (int i = 0; i < 6; i++) assert_status(tern_pool_alloc(&f.pool, &h[i], &item[i]), TERN_OK);
    assert_non_null(tern_pool_pin(&f.pool, h[4]));
    assert_status(tern_pool_free(&f.pool, h[4]), TERN_DEFERRED);       /* dying: not visited */
    assert_status(tern_pool_free(&f.pool, h[1]), TERN_OK);
    const int live[] = { 0, 2, 3, 5 };
    for (cursor = 0; (at = tern_pool_walk(&f.pool, &cursor, &seen)) != NULL; visits++) {
        assert_true(visits < 4 && tern_handle_equal(seen, h[live[visits]]));
        assert_ptr_equal(at, item[live[visits]]);
        assert_status(tern_pool_free(&f.pool, seen), TERN_DEFERRED);
        tern_pool_unpin(&f.pool, seen);
    }
    assert_int_equal(visits, 4);
    assert_true(tern_handle_is_null(seen));
    assert_null(tern_pool_walk(&f.pool, &cursor, &seen));
    assert_int_equal(tern_pool_was_live(&f.pool), 1);
    drop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handle_packs_and_compares),
        cmocka_unit_test(pool_format_makes_every_byte_of_the_header),
        cmocka_unit_test(pool_alloc_and_free_are_first_in_first_out),
        cmocka_unit_test(pool_when_all_are_live_is_full_and_never_grows),
        cmocka_unit_test(pool_pinned_item_outlives_its_free),
        cmocka_unit_test(pool_condemned_item_is_given_back_by_the_extra_unpin),
        cmocka_unit_test(pool_refuses_what_it_never_gave_out),
        cmocka_unit_test(pool_pins_are_saturated_and_never_overflow),
        cmocka_unit_test(pool_slot_at_its_last_generation_retires),
        cmocka_unit_test(pool_near_the_end_repeats_no_handle),
        cmocka_unit_test(pool_half_done_free_is_finished_by_the_next_call),
        cmocka_unit_test(pool_read_copies_and_leaves_no_pin),
        cmocka_unit_test(pool_walk_visits_each_live_item_once_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
