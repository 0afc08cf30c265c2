/* SPDX-License-Identifier: MIT */
/* test_bell_bounds.c: what the bell refuses: bad descriptions, bad memory, damaged headers, and a
 * peer that writes whatever it likes. */
#include "bell_fixture.h"

static void bell_size_follows_the_number_of_sources(void **state)
{
    (void)state;
    assert_int_equal(tern_bell_size(&(tern_bell_desc){ 0 }), 256);
    assert_int_equal(tern_bell_size(&(tern_bell_desc){ 1 }), 256);
    assert_int_equal(tern_bell_size(&(tern_bell_desc){ 31 }), 256);
    assert_int_equal(tern_bell_size(&(tern_bell_desc){ 32 }), 256 + 4);
    assert_int_equal(tern_bell_size(&(tern_bell_desc){ 33 }), 256 + 8);
    assert_int_equal(tern_bell_size(&(tern_bell_desc){ 65536 }), 256 + 8192);
    assert_int_equal(tern_bell_size(&(tern_bell_desc){ 65537 }), 0);
    assert_int_equal(tern_bell_size(&(tern_bell_desc){ UINT32_MAX }), 0);
    assert_int_equal(tern_bell_size(NULL), 0);
}

static void bell_geometry_is_the_documented_formula(void **state)
{
    (void)state;
    const uint32_t sizes[] = { 1,    31,   32,   33,    991,   992,   993,   1984,
                               1985, 3968, 3969, 31744, 31745, 63488, 63489, 65536 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct fixture f = make(sizes[i]);
        const struct tern_bell_geometry *g = &f.shared->geometry;
        uint32_t leaves = sizes[i] > 31 ? (sizes[i] + 31) / 32 : 0;
        assert_int_equal(g->layout_version, TERN_LAYOUT_VERSION);
        assert_int_equal(g->sources, sizes[i]);
        assert_int_equal(g->leaves, leaves);
        assert_int_equal(g->root_shift, root_shift_of(sizes[i]));
        assert_true((sizes[i] - 1) >> g->root_shift <= 30);
        assert_int_equal(g->total_size_bytes, 256 + 4 * leaves);
        assert_int_equal(g->reserved, 0);
        assert_int_equal(tern_a32_load_relaxed(&f.shared->magic), TERN_BELL_MAGIC);
        assert_int_equal(f.bell.sources, sizes[i]);
        expect(&f);
        drop(&f);
    }
}

static void bell_format_refuses_bad_memory(void **state)
{
    (void)state;
    tern_bell_desc desc = { 40 };
    size_t size = tern_bell_size(&desc);
    unsigned char *memory = unit_memory(size + 64), *before = unit_memory(size + 64);
    assert_status(tern_bell_format(NULL, size, &desc), TERN_ERR_ARGUMENT);
    assert_status(tern_bell_format(memory, size, NULL), TERN_ERR_ARGUMENT);
    assert_status(tern_bell_format(memory, size, &(tern_bell_desc){ 65537 }), TERN_ERR_ARGUMENT);
    assert_status(tern_bell_format(memory + 32, size, &desc), TERN_ERR_ALIGNMENT);
    assert_status(tern_bell_format(memory, size - 1, &desc), TERN_ERR_MEMORY);
    assert_status(tern_bell_format(memory, 0, &desc), TERN_ERR_MEMORY);
    assert_memory_equal(memory, before, size + 64);    /* nothing half-made */
    assert_status(tern_bell_format(memory + 64, size, &desc), TERN_OK);
    free(memory);
    free(before);
}

static void bell_attach_answers_each_fault_by_its_status(void **state)
{
    (void)state;
    struct fixture f = make(40);
    tern_bell bell;
    tern_bell_info info;
    const tern_bell none = { 0 };
    unsigned char *odd = unit_memory(f.size + 64);
    assert_status(tern_bell_attach(&bell, NULL, f.size), TERN_ERR_ARGUMENT);
    assert_status(tern_bell_attach(&bell, odd + 8, f.size), TERN_ERR_ALIGNMENT);
    assert_status(tern_bell_attach(&bell, odd, f.size), TERN_ERR_NOT_READY);
    assert_memory_equal(&bell, &none, sizeof bell);
    for (size_t size = 0; size < f.size; size++) {
        assert_status(tern_bell_attach(&bell, f.shared, size), TERN_ERR_MEMORY);
        assert_status(tern_bell_inspect(&info, f.shared, size), TERN_ERR_MEMORY);
        assert_memory_equal(&bell, &none, sizeof bell);
    }
    memset(odd, 'x', f.size);
    assert_status(tern_bell_attach(&bell, odd, f.size), TERN_ERR_CORRUPT);
    f.shared->geometry.layout_version++;
    assert_status(tern_bell_attach(&bell, f.shared, f.size), TERN_ERR_VERSION);
    assert_memory_equal(&bell, &none, sizeof bell);
    f.shared->geometry.layout_version--;
    assert_status(tern_bell_attach(&bell, f.shared, f.size), TERN_OK);
    expect(&f);
    free(odd);
    drop(&f);
}

/* Each constant word, each interesting value: an error or the untouched value, never more; also
 * when the check has been made to fit. */
static void bell_attach_with_any_header_word_changed_fails(void **state)
{
    (void)state;
    struct fixture f = make(993);
    const uint32_t values[] = { 0, 1, 31, 32, 992, 994, 65536, 65537, 0x7fffffff, 0x80000000, UINT32_MAX };
    enum { COUNT = sizeof values / sizeof *values };
    struct tern_bell_geometry *g = &f.shared->geometry;
    const struct tern_bell_geometry right = *g;
    for (size_t i = 0; i < sizeof right / 4; i++)
        for (size_t k = 0; k < COUNT + 2; k++)
            for (int refit = 0; refit < 2; refit++) {
                tern_bell bell;
                tern_bell_info info;
                uint32_t was;
                *g = right;
                memcpy(&was, (unsigned char *)g + i * 4, 4);
                uint32_t wrong = k < COUNT ? values[k] : was + (k & 1 ? 1u : UINT32_MAX);
                if (wrong == was) continue;
                /* a sound bell of 994 sources; and the check itself, put right again */
                if (refit && ((i == 1 && wrong == 994) || i == sizeof right / 4 - 1)) continue;
                memcpy((unsigned char *)g + i * 4, &wrong, 4);
                if (refit) {   /* FNV-1a, as a hostile peer would */
                    uint32_t hash = 2166136261u;
                    const unsigned char *bytes = (const unsigned char *)g;
                    for (size_t b = 0; b < offsetof(struct tern_bell_geometry, check); b++)
                        hash = (hash ^ bytes[b]) * 16777619u;
                    if (hash == g->check) continue;
                    g->check = hash;
                }
                assert_true(tern_bell_attach(&bell, f.shared, f.size) < 0);
                assert_true(tern_bell_inspect(&info, f.shared, f.size) < 0);
            }
    *g = right;
    assert_status(tern_bell_attach(&f.bell, f.shared, f.size), TERN_OK);
    drop(&f);
}

/* Any value in any word gives a documented answer, and no source that there is not. */
static void bell_bounds_whatever_a_peer_writes(void **state)
{
    (void)state;
    const uint32_t sizes[] = { 1, 3, 31, 32, 33, 40, 992, 993, 65505, 65536 };
    const uint32_t lies[] = { 0, 1, 2, 4, 0x7fffffff, 0x40000000, SLEEP, SLEEP | 1, SLEEP | 0x40000000, UINT32_MAX };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = 0; k < sizeof lies / sizeof *lies; k++) {
            struct fixture f = make(sizes[i]);
            tern_a32 *leaf = (tern_a32 *)(void *)(f.shared + 1);
            tern_bell_info info;
            tern_bell_pass pass;
            uint32_t first, bits, root_bits = ((sizes[i] - 1) >> root_shift_of(sizes[i])) + 1, calls = 0, sources = 0;
            uint32_t mask = root_bits == 31 ? 0x7fffffff : (1u << root_bits) - 1;
            tern_status status = lies[k] & mask ? TERN_OK : lies[k] & ~SLEEP ? TERN_ERR_CORRUPT : TERN_OK;
            tern_a32_store_relaxed(&f.shared->root.word, lies[k]);
            for (uint32_t l = 0; l < f.bell.leaves; l++) tern_a32_store_relaxed(&leaf[l], UINT32_MAX);
            assert_status(tern_bell_inspect(&info, f.shared, f.size), TERN_OK);
            assert_int_equal(info.was_ringing, lies[k] & mask);
            assert_status(tern_bell_status(&f.bell), status);
            if (lies[k] & ~SLEEP) assert_false(tern_bell_arm(&f.bell));
            if (lies[k] & ~SLEEP) assert_status(tern_bell_wait(&f.bell, TERN_WAIT_FOREVER), status);
            assert_int_equal(tern_a32_load_relaxed(&f.shared->root.word), lies[k]);
            tern_bell_begin(&f.bell, &pass);
            while (tern_bell_next(&pass, &first, &bits)) {
                assert_true(++calls <= sizes[i] / 32 + 1);
                while (bits) {
                    assert_true(first + tern_bell_take(&bits) < sizes[i]);
                    sources++;
                }
            }
            if (lies[k] == UINT32_MAX) assert_int_equal(sources, sizes[i]);
            /* the collect cleared it: the bell is sound again */
            assert_int_equal(tern_a32_load_relaxed(&f.shared->root.word), 0);
            assert_status(tern_bell_status(&f.bell), TERN_OK);
            assert_true(tern_bell_arm(&f.bell));
            drop(&f);
        }
}

static void bell_closed_by_any_value(void **state)
{
    (void)state;
    struct fixture f = make(4);
    tern_a32_store_relaxed(&f.shared->root.closed, 0x80000000u);
    assert_status(tern_bell_status(&f.bell), TERN_ERR_CLOSED);
    assert_status(tern_bell_wait(&f.bell, TERN_WAIT_FOREVER), TERN_ERR_CLOSED);
    drop(&f);
}

/* Geometry is never read again: whatever happens to the header after attach changes nothing. */
static void bell_geometry_is_not_read_after_attach(void **state)
{
    (void)state;
    struct fixture f = make(1000);
    tern_bell_pass pass;
    uint32_t first, bits;
    memset(&f.shared->geometry, 0xff, sizeof f.shared->geometry);
    for (uint32_t source = 0; source < 1000; source++) {
        assert_true(tern_bell_ring(&f.bell, source));
        assert_status(tern_bell_wait(&f.bell, 0), TERN_OK);
        tern_bell_begin(&f.bell, &pass);
        assert_true(tern_bell_next(&pass, &first, &bits));
        assert_int_equal(first + tern_bell_take(&bits), source);
        assert_false(bits || tern_bell_next(&pass, &first, &bits));
    }
    assert_false(tern_bell_ring(&f.bell, 1000));
    drop(&f);
}

static void bell_inspect_tells_and_writes_nothing(void **state)
{
    (void)state;
    struct fixture f = make(993);
    tern_bell_info info;
    assert_true(tern_bell_arm(&f.bell));
    *image_root(&f) = SLEEP;
    tern_bell_ring(&f.bell, 992);
    image_ring(&f, 993, 992);
    assert_status(tern_bell_inspect(&info, f.shared, f.size), TERN_OK);
    assert_int_equal(info.sources, 993);
    assert_int_equal(info.leaves, 32);
    assert_int_equal(info.root_shift, 6);
    assert_int_equal(info.was_ringing, 1u << 15);
    assert_true(info.asleep && !info.closed);
    assert_int_equal(info.size_bytes, f.size);
    expect(&f);
    tern_bell_close(&f.bell);
    assert_status(tern_bell_inspect(&info, f.shared, f.size), TERN_OK);
    assert_true(!info.asleep && info.closed);
    *image_closed(&f) = 1;
    *image_root(&f) &= ~SLEEP;
    expect(&f);
    drop(&f);
}

static void bell_opens_by_its_name(void **state)
{
    (void)state;
    enum { SIZE = 64 * 1024 };
    void *memory = unit_memory(SIZE);
    tern_region region, window;
    tern_bell bell, other;
    const tern_bell none = { 0 };
    const tern_attach_desc MAIN = { 0, TERN_DOMAIN_MAIN };
    assert_status(tern_region_format(memory, SIZE, NULL), TERN_OK);
    assert_status(tern_region_attach(&region, memory, SIZE, NULL), TERN_OK);
    assert_status(tern_region_attach(&window, memory, SIZE, &MAIN), TERN_OK);
    assert_status(tern_bell_open(&bell, &region, "b", NULL), TERN_ERR_NOT_FOUND);
    assert_memory_equal(&bell, &none, sizeof bell);
    assert_status(tern_bell_open(&bell, &region, "b", &(tern_bell_desc){ 0 }), TERN_OK);
    assert_status(tern_bell_open(&other, &window, "b", &(tern_bell_desc){ 31 }), TERN_OK);
    assert_true(bell.may_block && !other.may_block);
    assert_status(tern_bell_wait(&other, 0), TERN_ERR_DOMAIN);
    assert_true(tern_bell_ring(&other, 30));
    assert_int_equal(tern_bell_collect(&bell), 1u << 30);
    assert_status(tern_bell_open(&other, &region, "b", &(tern_bell_desc){ 30 }), TERN_ERR_MISMATCH);
    assert_status(tern_bell_open(&other, &region, "b", &(tern_bell_desc){ 65537 }), TERN_ERR_ARGUMENT);
    assert_memory_equal(&other, &none, sizeof other);
    tern_ring_producer p;
    assert_status(tern_ring_open_producer(&p, &region, "b", NULL), TERN_ERR_MISMATCH);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bell_size_follows_the_number_of_sources),
        cmocka_unit_test(bell_geometry_is_the_documented_formula),
        cmocka_unit_test(bell_format_refuses_bad_memory),
        cmocka_unit_test(bell_attach_answers_each_fault_by_its_status),
        cmocka_unit_test(bell_attach_with_any_header_word_changed_fails),
        cmocka_unit_test(bell_bounds_whatever_a_peer_writes),
        cmocka_unit_test(bell_closed_by_any_value),
        cmocka_unit_test(bell_geometry_is_not_read_after_attach),
        cmocka_unit_test(bell_inspect_tells_and_writes_nothing),
        cmocka_unit_test(bell_opens_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
