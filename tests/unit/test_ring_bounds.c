/* SPDX-License-Identifier: MIT */
/* test_ring_bounds.c: what the ring refuses: bad descriptions, bad memory, damaged headers, and a
 * peer that writes whatever it likes. */
#include "ring_fixture.h"

static void ring_size_of_bad_description_is_zero(void **state)
{
    (void)state;
    const tern_ring_desc bad[] = {
        { 0, 8, 0 }, { 8, (1u << 30) + 1, 0 }, { 8, UINT32_MAX, 0 }, { 8, 8, 8 }, { 8, 8, 0x80000000u },
        { UINT32_MAX, 1, TERN_RING_SEQUENCED }, { UINT32_MAX - 60, 1, TERN_RING_SEQUENCED },
        { 8, 8, TERN_RING_PAGED | TERN_RING_WAITABLE },
        { 8, 8, TERN_RING_PAGED | TERN_RING_WAITABLE | TERN_RING_SEQUENCED },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_int_equal(tern_ring_size(&bad[i]), 0);
    assert_int_equal(tern_ring_size(NULL), 0);
}

static void ring_capacity_rounds_up_and_zero_is_default(void **state)
{
    (void)state;
    assert_int_equal(tern_ring_size(&(tern_ring_desc){ 8, 5, 0 }), 384 + 8 * 8);
    assert_int_equal(tern_ring_size(&(tern_ring_desc){ 8, 1, 0 }), 384 + 8);
    assert_int_equal(tern_ring_size(&(tern_ring_desc){ 3, 0, 0 }), 384 + 3 * 1024);
    assert_int_equal(tern_ring_size(&(tern_ring_desc){ 1, 1u << 30, 0 }), 384 + (1u << 30));
    assert_int_equal(tern_ring_size(&(tern_ring_desc){ 8, 5, TERN_RING_SEQUENCED }), 384 + 8 * 16);
    assert_int_equal(tern_ring_size(&(tern_ring_desc){ 60, 1, TERN_RING_SEQUENCED }), 384 + 64);
    assert_int_equal(tern_ring_size(&(tern_ring_desc){ 61, 2, TERN_RING_SEQUENCED }), 384 + 2 * 128);
    if (sizeof(size_t) == 8)
        assert_true(tern_ring_size(&(tern_ring_desc){ UINT32_MAX, 1u << 30, 0 }) == 384 + ((uint64_t)UINT32_MAX << 30));
}

static void ring_format_refuses_bad_memory(void **state)
{
    (void)state;
    tern_ring_desc desc = { 8, 4, 0 };
    size_t size = tern_ring_size(&desc);
    unsigned char *memory = unit_memory(size + 64), *before = unit_memory(size + 64);
    assert_status(tern_ring_format(NULL, size, &desc), TERN_ERR_ARGUMENT);
    assert_status(tern_ring_format(memory, size, NULL), TERN_ERR_ARGUMENT);
    assert_status(tern_ring_format(memory, size, &(tern_ring_desc){ 0, 4, 0 }), TERN_ERR_ARGUMENT);
    assert_status(tern_ring_format(memory + 32, size, &desc), TERN_ERR_ALIGNMENT);
    assert_status(tern_ring_format(memory, size - 1, &desc), TERN_ERR_MEMORY);
    assert_status(tern_ring_format(memory, 0, &desc), TERN_ERR_MEMORY);
    assert_memory_equal(memory, before, size + 64);    /* nothing half-made */
    assert_status(tern_ring_format(memory + 64, size, &desc), TERN_OK);
    free(memory);
    free(before);
}

static void ring_attach_answers_each_fault_by_its_status(void **state)
{
    (void)state;
    struct fixture f = make(8, CAPACITY, 0, 0);
    tern_ring_producer p;
    tern_ring_consumer c;
    const tern_ring_producer no_p = { 0 };
    unsigned char *odd = unit_memory(f.size + 64);
    assert_status(tern_ring_attach_producer(&p, NULL, f.size), TERN_ERR_ARGUMENT);
    assert_status(tern_ring_attach_producer(&p, odd + 8, f.size), TERN_ERR_ALIGNMENT);
    assert_status(tern_ring_attach_producer(&p, odd, f.size), TERN_ERR_NOT_READY);
    assert_memory_equal(&p, &no_p, sizeof p);
    for (size_t size = 0; size < f.size; size++) {
        assert_status(tern_ring_attach_producer(&p, f.shared, size), TERN_ERR_MEMORY);
        assert_status(tern_ring_attach_consumer(&c, f.shared, size), TERN_ERR_MEMORY);
    }
    memset(odd, 'x', f.size);
    assert_status(tern_ring_attach_producer(&p, odd, f.size), TERN_ERR_CORRUPT);
    f.shared->geometry.layout_version++;
    assert_status(tern_ring_attach_consumer(&c, f.shared, f.size), TERN_ERR_VERSION);
    f.shared->geometry.layout_version--;
    /* indices further apart than the capacity */
    tern_a32_store_relaxed(&f.shared->producer.word, (CAPACITY + 1) << 1);
    assert_status(tern_ring_attach_producer(&p, f.shared, f.size), TERN_ERR_CORRUPT);
    assert_status(tern_ring_attach_consumer(&c, f.shared, f.size), TERN_ERR_CORRUPT);
    tern_a32_store_relaxed(&f.shared->producer.word, CAPACITY << 1);
    assert_status(tern_ring_attach_producer(&p, f.shared, f.size), TERN_OK);
    assert_int_equal(tern_ring_producer_was_count(&p), CAPACITY);
    free(odd);
    drop(&f);
}

/* Each constant word, each interesting value: an error or the untouched value, never more. */
static void any_header_word_changed_fails(uint32_t flags)
{
    struct fixture f = make(8, CAPACITY, flags, 0);
    const uint32_t values[] = { 0, 1, CAPACITY - 1, CAPACITY, CAPACITY + 1, 0x7fffffff, 0x80000000, UINT32_MAX };
    size_t words = sizeof(struct tern_ring_geometry) / 4;
    for (size_t i = 0; i < words; i++) {
        uint32_t right;
        unsigned char *at = (unsigned char *)&f.shared->geometry + i * 4;
        memcpy(&right, at, 4);
        for (size_t k = 0; k < sizeof values / sizeof *values + 2; k++) {
            uint32_t wrong = k < sizeof values / sizeof *values ? values[k] : right + (k & 1 ? 1u : UINT32_MAX);
            tern_ring_producer p;
            tern_ring_consumer c;
            tern_ring_info info;
            if (wrong == right) continue;
            memcpy(at, &wrong, 4);
            assert_true(tern_ring_attach_producer(&p, f.shared, f.size) < 0);
            assert_true(tern_ring_attach_consumer(&c, f.shared, f.size) < 0);
            assert_true(tern_ring_inspect(&info, f.shared, f.size) < 0);
        }
        memcpy(at, &right, 4);
    }
    tern_ring_producer p;
    assert_status(tern_ring_attach_producer(&p, f.shared, f.size), TERN_OK);
    drop(&f);
}

static void ring_attach_with_any_header_word_changed_fails(void **state)
{
    (void)state;
    for (EACH_KIND(flags)) any_header_word_changed_fails(flags);
}

/* A lying peer: any value in its word gives a documented answer and touches no byte outside. */
static void ring_bounds_whatever_the_peer_writes(void **state)
{
    (void)state;
    const uint32_t own[] = { 0, 1, 100, 0x7ffffffe };
    for (size_t o = 0; o < 4; o++) {
        const uint32_t lies[] = { 0, 1, 2, CAPACITY - 1, CAPACITY, CAPACITY + 1, 0x3fffffff, 0x40000000, 0x7fffffff,
                                  own[o], own[o] - 1, own[o] + 1, own[o] + CAPACITY, own[o] + CAPACITY + 1,
                                  own[o] - CAPACITY, own[o] - CAPACITY - 1 };
        for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
            struct fixture f = make(8, CAPACITY, TERN_RING_WAITABLE, own[o]);
            pair items[16];
            memset(items, 1, sizeof items);
            uint32_t got, lie = lies[i] & 0x7fffffff;
            uint32_t ahead = (lie - own[o]) & 0x7fffffff, behind = (own[o] - lie) & 0x7fffffff;
            tern_a32_store_relaxed(&f.shared->producer.word, lie << 1);
            assert_int_equal(tern_ring_pop_many(&f.c, items, 16), ahead <= CAPACITY ? ahead : 0);
            assert_status(tern_ring_consumer_status(&f.c), ahead <= CAPACITY ? TERN_OK : TERN_ERR_CORRUPT);
            if (ahead > CAPACITY) assert_status(tern_ring_consumer_wait(&f.c, TERN_WAIT_FOREVER), TERN_ERR_CORRUPT);
            assert_true(tern_ring_consumer_was_count(&f.c) <= CAPACITY);
            tern_ring_peek(&f.c, 16, &got);
            assert_true(got <= CAPACITY);
            tern_a32_store_relaxed(&f.shared->consumer.word, lie << 1);
            assert_int_equal(tern_ring_push_many(&f.p, items, 16), behind <= CAPACITY ? CAPACITY - behind : 0);
            assert_status(tern_ring_producer_status(&f.p), behind <= CAPACITY ? TERN_OK : TERN_ERR_CORRUPT);
            if (behind > CAPACITY) assert_status(tern_ring_producer_wait(&f.p, TERN_WAIT_FOREVER), TERN_ERR_CORRUPT);
            assert_true(tern_ring_producer_was_count(&f.p) <= CAPACITY);
            tern_ring_reserve(&f.p, 16, &got);
            assert_true(got <= CAPACITY);
            drop(&f);
        }
    }
}

/* Geometry is never read again: whatever happens to the header after attach changes nothing. */
static void ring_geometry_is_not_read_after_attach(void **state)
{
    (void)state;
    for (uint32_t flags = TERN_RING_WAITABLE; flags <= 3; flags += TERN_RING_SEQUENCED) {
        struct fixture f = make(8, CAPACITY, flags, 0);
        memset(&f.shared->geometry, 0xff, sizeof f.shared->geometry);
        for (uint32_t i = 0; i < 100; i++) {
            pair item = { i, i }, out;
            assert_status(tern_ring_push_wait(&f.p, &item, 0), TERN_OK);
            assert_status(tern_ring_pop_wait(&f.c, &out, 0), TERN_OK);
            assert_int_equal(out.a, i);
        }
        drop(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_size_of_bad_description_is_zero),
        cmocka_unit_test(ring_capacity_rounds_up_and_zero_is_default),
        cmocka_unit_test(ring_format_refuses_bad_memory),
        cmocka_unit_test(ring_attach_answers_each_fault_by_its_status),
        cmocka_unit_test(ring_attach_with_any_header_word_changed_fails),
        cmocka_unit_test(ring_bounds_whatever_the_peer_writes),
        cmocka_unit_test(ring_geometry_is_not_read_after_attach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
