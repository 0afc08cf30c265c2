/* SPDX-License-Identifier: MIT */
/* test_pool_bounds.c: what the pool refuses: bad descriptions, bad memory, damaged headers, and a
 * peer that writes whatever it likes into words and links. */
#include "pool_fixture.h"

static void pool_size_of_bad_description_is_zero(void **state)
{
    (void)state;
    const tern_pool_desc bad[] = {
        { 0, 8 }, { 0, 0 }, { (1u << 30) + 1, 1 }, { UINT32_MAX, 1 }, { 8, (1u << 24) - 1 }, { 8, UINT32_MAX },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_int_equal(tern_pool_size(&bad[i]), 0);
    assert_int_equal(tern_pool_size(NULL), 0);
}

static void pool_stride_keeps_small_items_on_the_line_of_their_word(void **state)
{
    (void)state;
    const struct { uint32_t item, stride; } strides[] = {
        { 1, 32 }, { 16, 32 }, { 17, 64 }, { 48, 64 }, { 49, 128 }, { 112, 128 }, { 113, 192 },
        { 1u << 30, (1u << 30) + 64 },
    };
    for (size_t i = 0; i < sizeof strides / sizeof *strides; i++) {
        uint64_t expected = 512 + 4 * (uint64_t)strides[i].stride;
        assert_true(tern_pool_size(&(tern_pool_desc){ strides[i].item, 3 }) == (expected > SIZE_MAX ? 0 : expected));
    }
    assert_int_equal(tern_pool_size(&(tern_pool_desc){ 8, 0 }), 512 + 1025 * 32);
    assert_int_equal(tern_pool_size(&(tern_pool_desc){ 8, 1 }), 512 + 2 * 32);
    assert_int_equal(tern_pool_size(&(tern_pool_desc){ 8, (1u << 24) - 2 }), 512 + ((1u << 24) - 1) * 32);
}

static void pool_format_refuses_bad_memory(void **state)
{
    (void)state;
    tern_pool_desc desc = { 8, 4 };
    size_t size = tern_pool_size(&desc);
    unsigned char *memory = unit_memory(size + 64), *before = unit_memory(size + 64);
    assert_status(tern_pool_format(NULL, size, &desc), TERN_ERR_ARGUMENT);
    assert_status(tern_pool_format(memory, size, NULL), TERN_ERR_ARGUMENT);
    assert_status(tern_pool_format(memory, size, &(tern_pool_desc){ 0, 4 }), TERN_ERR_ARGUMENT);
    assert_status(tern_pool_format(memory + 32, size, &desc), TERN_ERR_ALIGNMENT);
    assert_status(tern_pool_format(memory, size - 1, &desc), TERN_ERR_MEMORY);
    assert_status(tern_pool_format(memory, 0, &desc), TERN_ERR_MEMORY);
    assert_memory_equal(memory, before, size + 64);    /* nothing half-made */
    assert_status(tern_pool_format(memory + 64, size, &desc), TERN_OK);
    free(memory);
    free(before);
}

static void pool_attach_answers_each_fault_by_its_status(void **state)
{
    (void)state;
    fixture f = make(8, 4, 1, 0);
    const tern_pool no_pool = { 0 };
    const tern_pool_info no_info = { 0 };
    tern_pool pool;
    tern_pool_info info;
    unsigned char *odd = unit_memory(f.size + 64);
    assert_status(tern_pool_attach(&pool, NULL, f.size), TERN_ERR_ARGUMENT);
    assert_status(tern_pool_attach(&pool, odd + 8, f.size), TERN_ERR_ALIGNMENT);
    memset(&pool, 1, sizeof pool);
    memset(&info, 1, sizeof info);
    assert_status(tern_pool_attach(&pool, odd, f.size), TERN_ERR_NOT_READY);
    assert_status(tern_pool_inspect(&info, odd, f.size), TERN_ERR_NOT_READY);
    assert_memory_equal(&pool, &no_pool, sizeof pool);
    assert_memory_equal(&info, &no_info, sizeof info);
    for (size_t size = 0; size < f.size; size++) {
        assert_status(tern_pool_attach(&pool, f.shared, size), TERN_ERR_MEMORY);
        assert_status(tern_pool_inspect(&info, f.shared, size), TERN_ERR_MEMORY);
    }
    memset(odd, 'x', f.size);
    assert_status(tern_pool_attach(&pool, odd, f.size), TERN_ERR_CORRUPT);
    f.shared->geometry.layout_version++;
    assert_status(tern_pool_attach(&pool, f.shared, f.size), TERN_ERR_VERSION);
    assert_memory_equal(&pool, &no_pool, sizeof pool);
    f.shared->geometry.layout_version--;
    assert_status(tern_pool_attach(&pool, f.shared, f.size), TERN_OK);
    assert_int_equal(pool.capacity_items, 4);
    assert_int_equal(pool.item_size_bytes, 8);
    tern_pool_detach(&pool);
    assert_memory_equal(&pool, &no_pool, sizeof pool);
    expect(&f);
    free(odd);
    drop(&f);
}

static void pool_inspect_tells_and_writes_nothing(void **state)
{
    (void)state;
    fixture f = make(20, 4, LAST, 1000);
    tern_pool_info info;
    tern_handle h[3];
    void *item;
    for (int i = 0; i < 3; i++) assert_status(tern_pool_alloc(&f.pool, &h[i], &item), TERN_OK);
    assert_status(tern_pool_free(&f.pool, h[0]), TERN_OK);
    memcpy(f.image.shared, f.shared, f.size);
    assert_status(tern_pool_inspect(&info, f.shared, f.size), TERN_OK);
    expect(&f);
    assert_int_equal(info.item_size_bytes, 20);
    assert_int_equal(info.capacity_items, 4);
    assert_int_equal(info.stride_bytes, 64);
    assert_int_equal(info.was_live, 2);
    assert_int_equal(info.was_retired, 1);
    assert_int_equal(info.was_allocated, 1003);
    assert_int_equal(info.size_bytes, f.size);
    drop(&f);
}

/* Each constant word, each interesting value: an error or the untouched value, never more. */
static void pool_attach_with_any_header_word_changed_fails(void **state)
{
    (void)state;
    fixture f = make(8, 4, 1, 0);
    const uint32_t values[] = { 0, 1, 3, 4, 5, 32, 64, 0xffffff, 0x7fffffff, 0x80000000, UINT32_MAX };
    size_t count = sizeof values / sizeof *values;
    for (size_t i = 0; i < sizeof(struct tern_pool_geometry) / 4; i++) {
        uint32_t right;
        unsigned char *at = (unsigned char *)&f.shared->geometry + i * 4;
        memcpy(&right, at, 4);
        for (size_t k = 0; k < count + 2; k++) {
            uint32_t wrong = k < count ? values[k] : right + (k & 1 ? 1u : UINT32_MAX);
            tern_pool pool;
            tern_pool_info info;
            if (wrong == right) continue;
            memcpy(at, &wrong, 4);
            assert_true(tern_pool_attach(&pool, f.shared, f.size) < 0);
            assert_true(tern_pool_inspect(&info, f.shared, f.size) < 0);
        }
        memcpy(at, &right, 4);
    }
    expect(&f);
    drop(&f);
}

/* Everything that can be called, whatever stands in the pool: documented answers, addresses inside it. */
static void call_everything(fixture *f)
{
    unsigned char *begin = (unsigned char *)f->shared, *end = begin + f->size;
    uint32_t cursor = 0;
    tern_handle h;
    void *item;
    uint64_t copy;
    for (int i = 0; i < 2; i++) {
        tern_status status = tern_pool_alloc(&f->pool, &h, &item);
        assert_true(status == TERN_OK || status == TERN_ERR_FULL || status == TERN_ERR_CORRUPT);
        assert_true((status == TERN_OK) == (item != NULL) && (status == TERN_OK) != tern_handle_is_null(h));
        if (status == TERN_OK) memset(item, 3, 8);
    }
    for (uint32_t i = 0; i < f->pool.slots; i++) {
        h.index = i;
        h.generation = (uint32_t)(tern_a64_load_relaxed(&slot_of(&f->pool, i)->word) >> 32);
        item = tern_pool_get(&f->pool, h);
        assert_true(!item || ((unsigned char *)item > begin && (unsigned char *)item + 8 <= end));
        if (tern_pool_pin(&f->pool, h)) tern_pool_unpin(&f->pool, h);
        assert_true(tern_pool_read(&f->pool, h, &copy, 8) <= 0);
        tern_status status = tern_pool_free(&f->pool, h);
        assert_true(status == TERN_OK || status == TERN_DEFERRED || status == TERN_ERR_STALE
                    || status == TERN_ERR_CORRUPT);
    }
    while ((item = tern_pool_walk(&f->pool, &cursor, &h)) != NULL) {
        assert_true((unsigned char *)item > begin && (unsigned char *)item + 8 <= end);
        tern_pool_unpin(&f->pool, h);
    }
    assert_true(tern_pool_was_live(&f->pool) <= f->pool.capacity_items);
    assert_true(tern_pool_was_retired(&f->pool) <= f->pool.capacity_items);
}

/* head, tail, each link, each word: all that is in use can be overwritten by a peer. */
static void pool_bounds_whatever_a_peer_writes(void **state)
{
    (void)state;
    const uint64_t indices[] = { 0, 1, 3, 4, 0xffffff };
    const uint64_t places[] = { 0, 1, 3, 4, 0x8000000000, 0xffffffffff };
    for (int where = 0; where < 4; where++)
        for (size_t i = 0; i < sizeof indices / sizeof *indices; i++)
            for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
                fixture f = make(8, 3, 1, 0);
                tern_handle h;
                void *item;
                assert_status(tern_pool_alloc(&f.pool, &h, &item), TERN_OK);
                uint64_t lie = places[k] << 24 | indices[i];
                tern_a64 *words[] = { &f.shared->head.link, &f.shared->tail.link, &slot_of(&f.pool, 1)->link,
                                      &slot_of(&f.pool, 3)->link };
                tern_a64_store_relaxed(words[where], lie);
                call_everything(&f);
                drop(&f);
            }
}

static void pool_bounds_whatever_stands_in_a_slot(void **state)
{
    (void)state;
    const uint32_t generations[] = { 0, 1, 2, LAST, UINT32_MAX };
    const uint32_t pins[] = { 0, 1, TERN_POOL_MAX_PINS, TERN_POOL_MAX_PINS + 1 };
    for (uint32_t index = 0; index < 4; index++)
        for (size_t i = 0; i < sizeof generations / sizeof *generations; i++)
            for (uint32_t life = FREE; life <= RETIRED; life++)
                for (size_t k = 0; k < sizeof pins / sizeof *pins; k++) {
                    fixture f = make(8, 3, 1, 0);
                    tern_handle h;
                    void *item;
                    set_word(&f.pool, index, generations[i], life, pins[k]);
                    bool sound = life == FREE && pins[k] == 0 && generations[i] >= 1 && generations[i] <= LAST;
                    if (index == 0) {
                        /* never a slot that is not free */
                        assert_status(tern_pool_alloc(&f.pool, &h, &item), sound ? TERN_OK : TERN_ERR_CORRUPT);
                        set_word(&f.pool, index, generations[i], life, pins[k]);
                    }
                    call_everything(&f);
                    drop(&f);
                }
}

/* A list that runs in a circle, or whose slots are live: an answer, and no slot twice. */
static void pool_damaged_list_never_hands_out_a_live_slot(void **state)
{
    (void)state;
    fixture f = make(8, 3, 1, 0);
    tern_handle h;
    void *item;
    assert_status(tern_pool_alloc(&f.pool, &h, &item), TERN_OK);
    set_link(&f.pool, 1, 0, 1);        /* the live slot stands behind the first free one */
    set_link(&f.pool, 0, 1, 2);
    assert_status(tern_pool_alloc(&f.pool, &h, &item), TERN_OK);
    assert_int_equal(h.index, 1);
    for (int i = 0; i < 4; i++) {
        assert_status(tern_pool_alloc(&f.pool, &h, &item), TERN_ERR_CORRUPT);
        assert_true(tern_handle_is_null(h) && !item);
    }
    assert_non_null(tern_pool_get(&f.pool, handle_of(0, 1)));      /* still whose it was */
    assert_non_null(tern_pool_get(&f.pool, handle_of(1, 1)));
    drop(&f);
}

/* Geometry is never read again: whatever happens to the header after attach changes nothing. */
static void pool_geometry_is_not_read_after_attach(void **state)
{
    (void)state;
    fixture f = make(8, 4, 1, 0);
    memset(&f.shared->geometry, 0xff, sizeof f.shared->geometry);
    for (uint32_t i = 0; i < 100; i++) {
        tern_handle h;
        void *item;
        assert_status(tern_pool_alloc(&f.pool, &h, &item), TERN_OK);
        assert_true(h.index <= 4 && tern_pool_get(&f.pool, h) == item);
        assert_status(tern_pool_free(&f.pool, h), TERN_OK);
    }
    drop(&f);
}

static void pool_opens_by_name_in_a_region(void **state)
{
    (void)state;
    enum { BYTES = 1 << 16 };
    void *memory = unit_memory(BYTES);
    tern_region region;
    tern_pool a, b;
    tern_handle h;
    void *item;
    const tern_pool no_pool = { 0 };
    const tern_pool_desc desc = { 24, 5 };
    assert_status(tern_region_format(memory, BYTES, NULL), TERN_OK);
    assert_status(tern_region_attach(&region, memory, BYTES, NULL), TERN_OK);
    assert_status(tern_pool_open(&a, &region, "items", NULL), TERN_ERR_NOT_FOUND);
    assert_memory_equal(&a, &no_pool, sizeof a);
    assert_status(tern_pool_open(&a, &region, "items", &(tern_pool_desc){ 0, 5 }), TERN_ERR_ARGUMENT);
    assert_status(tern_pool_open(&a, &region, "items", &desc), TERN_OK);
    assert_status(tern_pool_alloc(&a, &h, &item), TERN_OK);
    assert_status(tern_pool_open(&b, &region, "items", &desc), TERN_OK);
    assert_ptr_equal(tern_pool_get(&b, h), item);
    assert_status(tern_pool_open(&b, &region, "items", NULL), TERN_OK);
    assert_int_equal(b.capacity_items, 5);
    assert_status(tern_pool_open(&b, &region, "items", &(tern_pool_desc){ 24, 4 }), TERN_ERR_MISMATCH);
    assert_status(tern_pool_open(&b, &region, "items", &(tern_pool_desc){ 25, 5 }), TERN_ERR_MISMATCH);
    assert_memory_equal(&b, &no_pool, sizeof b);
    tern_ring_producer p;
    assert_status(tern_ring_open_producer(&p, &region, "items", NULL), TERN_ERR_MISMATCH);
    tern_object object;
    assert_status(tern_region_find(&region, "items", TERN_TYPE_POOL, &object), TERN_OK);
    assert_int_equal(object.size_bytes, tern_pool_size(&desc));
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_size_of_bad_description_is_zero),
        cmocka_unit_test(pool_stride_keeps_small_items_on_the_line_of_their_word),
        cmocka_unit_test(pool_format_refuses_bad_memory),
        cmocka_unit_test(pool_attach_answers_each_fault_by_its_status),
        cmocka_unit_test(pool_inspect_tells_and_writes_nothing),
        cmocka_unit_test(pool_attach_with_any_header_word_changed_fails),
        cmocka_unit_test(pool_bounds_whatever_a_peer_writes),
        cmocka_unit_test(pool_bounds_whatever_stands_in_a_slot),
        cmocka_unit_test(pool_damaged_list_never_hands_out_a_live_slot),
        cmocka_unit_test(pool_geometry_is_not_read_after_attach),
        cmocka_unit_test(pool_opens_by_name_in_a_region),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
