/* SPDX-License-Identifier: MIT */
/* test_region.c: header, directory and heap of a region in the caller's own memory. */
#include "unit.h"

#include <pthread.h>

enum { SIZE = 64 * 1024 };
static const tern_region_desc SMALL = { 7, 4, 2, TERN_DOMAIN_SERVER };
static const tern_attach_desc SESSION_7 = { 7, TERN_DOMAIN_WORKER };

static void *make(tern_region *region)
{
    void *memory = unit_memory(SIZE);
    assert_status(tern_region_format(memory, SIZE, &SMALL), TERN_OK);
    assert_status(tern_region_attach(region, memory, SIZE, &SESSION_7), TERN_OK);
    return memory;
}

static void region_format_refuses_bad_input(void **state)
{
    (void)state;
    unsigned char *memory = unit_memory(SIZE);
    size_t least = tern_region_size(NULL);
    assert_int_equal(least, 256 + 64 * 128 + 64 * 512);
    assert_int_equal(tern_region_size(&SMALL), 256 + 4 * 128 + 2 * 512);
    assert_status(tern_region_format(NULL, SIZE, NULL), TERN_ERR_ARGUMENT);
    assert_status(tern_region_format(memory + 4, SIZE - 64, NULL), TERN_ERR_ALIGNMENT);
    assert_status(tern_region_format(memory, least - 1, NULL), TERN_ERR_MEMORY);
    assert_status(tern_region_format(memory, SIZE, &(tern_region_desc){ 0, 70000, 0, 0 }), TERN_ERR_ARGUMENT);
    assert_status(tern_region_format(memory, SIZE, &(tern_region_desc){ 0, 0, 70000, 0 }), TERN_ERR_ARGUMENT);
    assert_status(tern_region_format(memory, SIZE, &(tern_region_desc){ 0, 0, 0, 3 }), TERN_ERR_ARGUMENT);
    assert_int_equal(tern_region_size(&(tern_region_desc){ 0, 0, 0, 3 }), 0);
    for (size_t i = 0; i < SIZE; i++) assert_int_equal(memory[i], 0);
    assert_status(tern_region_format(memory, least, NULL), TERN_OK);
    free(memory);
}

static void region_attach_answers_each_fault_by_its_status(void **state)
{
    (void)state;
    tern_region region, none;
    memset(&none, 0, sizeof none);
    unsigned char *memory = unit_memory(SIZE);
    assert_status(tern_region_attach(&region, memory, SIZE, NULL), TERN_ERR_NOT_READY);
    assert_status(tern_region_format(memory, SIZE, &SMALL), TERN_OK);
    assert_status(tern_region_attach(&region, NULL, SIZE, &SESSION_7), TERN_ERR_ARGUMENT);
    assert_status(tern_region_attach(&region, memory + 16, SIZE, &SESSION_7), TERN_ERR_ALIGNMENT);
    for (size_t size = 0; size < SIZE; size += size < 1024 ? 1 : 997)
        assert_status(tern_region_attach(&region, memory, size, &SESSION_7), TERN_ERR_MEMORY);
    assert_status(tern_region_attach(&region, memory, SIZE, NULL), TERN_ERR_SESSION);
    assert_status(tern_region_attach(&region, memory, SIZE, &(tern_attach_desc){ 7, 9 }), TERN_ERR_ARGUMENT);
    assert_memory_equal(&region, &none, sizeof none);
    assert_status(tern_region_attach(&region, memory, SIZE, &SESSION_7), TERN_OK);
    assert_int_equal(region.session, 7);
    assert_int_equal(region.max_objects, 4);
    assert_int_equal(region.max_peers, 2);
    tern_region_detach(&region);
    assert_null(region.shared);
    tern_region_info info;
    assert_status(tern_region_inspect(&info, memory, SIZE), TERN_OK);
    assert_int_equal(info.session, 7);
    assert_int_equal(info.domain, TERN_DOMAIN_SERVER);
    assert_int_equal(info.size_bytes, SIZE);
    memset(memory, 'x', SIZE);
    assert_status(tern_region_attach(&region, memory, SIZE, &SESSION_7), TERN_ERR_CORRUPT);
    free(memory);
}

/* Each 32-bit word of the constant header x each interesting value: a failure with a text. */
static void region_attach_with_any_header_word_changed_fails(void **state)
{
    (void)state;
    tern_region region;
    tern_region_info info;
    unsigned char *memory = make(&region);
    const uint32_t values[] = { 0, 1, 2, 3, 4, 5, 63, 64, SIZE - 1, SIZE, SIZE + 1, 0x7fffffff, 0x80000000, UINT32_MAX };
    size_t count = sizeof values / sizeof *values;
    for (size_t at = 0; at < 8 + sizeof(struct tern_region_geometry); at += 4) {
        uint32_t right;
        if (at == 4) continue;                   /* reserved, not looked at */
        memcpy(&right, memory + at, 4);
        for (size_t k = 0; k < count + 2; k++) {
            uint32_t wrong = k < count ? values[k] : right + (k == count ? 1u : UINT32_MAX);
            if (wrong == right) continue;
            memcpy(memory + at, &wrong, 4);
            tern_status status = tern_region_attach(&region, memory, SIZE, &SESSION_7);
            assert_true(status < 0);
            assert_string_not_equal(tern_status_text(status), "unknown status");
            assert_true(tern_region_inspect(&info, memory, SIZE) < 0);
        }
        memcpy(memory + at, &right, 4);
    }
    tern_region_detach(&region);
    assert_status(tern_region_attach(&region, memory, SIZE, &SESSION_7), TERN_OK);
    free(memory);
}

static void region_claim_publish_find(void **state)
{
    (void)state;
    tern_region region;
    tern_object made, found;
    void *memory = make(&region);
    assert_status(tern_region_find(&region, "a", 0, &found), TERN_ERR_NOT_FOUND);
    assert_status(tern_region_claim(&region, "a", TERN_TYPE_RING, 100, &made), TERN_OK);
    assert_int_equal(made.offset_bytes % 128, 0);
    assert_true(made.offset_bytes >= tern_region_size(&SMALL));
    assert_status(tern_region_find(&region, "a", TERN_TYPE_RING, &found), TERN_ERR_NOT_READY);
    assert_status(tern_region_claim(&region, "a", TERN_TYPE_RING, 100, &found), TERN_ERR_EXISTS);
    tern_region_publish(&region, &made, TERN_OK);
    assert_status(tern_region_find(&region, "a", TERN_TYPE_RING, &found), TERN_OK);
    assert_ptr_equal(found.memory, made.memory);
    assert_int_equal(found.size_bytes, 100);
    assert_status(tern_region_find(&region, "a", 0, &found), TERN_OK);
    assert_status(tern_region_find(&region, "a", TERN_TYPE_POOL, &found), TERN_ERR_MISMATCH);
    assert_status(tern_region_claim(&region, "b", TERN_TYPE_POOL, 1, &made), TERN_OK);
    assert_int_equal(made.offset_bytes, found.offset_bytes + 128);
    uint64_t cursor = 0;
    assert_true(tern_region_next(&region, &cursor, &found));
    assert_string_equal(found.name, "a");
    assert_true(tern_region_next(&region, &cursor, &found));
    assert_string_equal(found.name, "b");
    assert_status(found.status, TERN_ERR_NOT_READY);
    assert_false(tern_region_next(&region, &cursor, &found));
    free(memory);
}

static void region_names_have_1_to_31_bytes(void **state)
{
    (void)state;
    tern_region region;
    tern_object object;
    void *memory = make(&region);
    const char *longest = "1234567890123456789012345678901";
    assert_status(tern_region_claim(&region, "", 1, 1, &object), TERN_ERR_ARGUMENT);
    assert_status(tern_region_claim(&region, NULL, 1, 1, &object), TERN_ERR_ARGUMENT);
    assert_status(tern_region_claim(&region, "12345678901234567890123456789012", 1, 1, &object), TERN_ERR_ARGUMENT);
    assert_status(tern_region_claim(&region, "a", 0, 1, &object), TERN_ERR_ARGUMENT);
    assert_status(tern_region_claim(&region, "a", 1, 0, &object), TERN_ERR_ARGUMENT);
    assert_status(tern_region_find(&region, "", 0, &object), TERN_ERR_ARGUMENT);
    assert_status(tern_region_claim(&region, longest, 1, 1, &object), TERN_OK);
    tern_region_publish(&region, &object, TERN_OK);
    assert_status(tern_region_find(&region, longest, 1, &object), TERN_OK);
    assert_string_equal(object.name, longest);
    free(memory);
}

static void region_when_full_says_so_and_keeps_what_is_there(void **state)
{
    (void)state;
    tern_region region;
    tern_object object;
    void *memory = make(&region);
    uint64_t room = SIZE - tern_region_size(&SMALL);
    assert_status(tern_region_claim(&region, "huge", 1, UINT64_MAX, &object), TERN_ERR_FULL);
    assert_status(tern_region_find(&region, "huge", 1, &object), TERN_ERR_FULL);
    assert_status(tern_region_claim(&region, "most", 1, room / 128 * 128, &object), TERN_OK);
    tern_region_publish(&region, &object, TERN_OK);
    assert_status(tern_region_claim(&region, "more", 1, 1, &object), TERN_ERR_FULL);
    assert_status(tern_region_claim(&region, "last", 1, 1, &object), TERN_ERR_FULL);
    assert_status(tern_region_claim(&region, "fifth", 1, 1, &object), TERN_ERR_FULL);   /* of 4 */
    assert_status(tern_region_find(&region, "fifth", 1, &object), TERN_ERR_NOT_FOUND);
    assert_status(tern_region_find(&region, "most", 1, &object), TERN_OK);
    free(memory);
}

/* Whatever a peer writes into directory and counters: bounded answers, no byte outside (ASan). */
static void region_directory_bounds_whatever_a_peer_writes(void **state)
{
    (void)state;
    const uint32_t values[] = { 0, 1, 2, 3, 4, 5, 6, 127, 128, 65535, 65536, 0x7fffffff, 0x80000000, UINT32_MAX };
    size_t variable = 128, end = tern_region_size(&SMALL);
    for (size_t at = variable; at < end; at += 4) {
        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            tern_region region;
            tern_object object;
            uint64_t cursor = 0;
            uint32_t seen = 0;
            unsigned char *memory = make(&region);
            for (uint32_t i = 0; i < 3; i++) {
                char name[2] = { (char)('a' + i), 0 };
                assert_status(tern_region_claim(&region, name, TERN_TYPE_RING, 1000, &object), TERN_OK);
                tern_region_publish(&region, &object, TERN_OK);
            }
            memcpy(memory + at, &values[k], 4);
            while (tern_region_next(&region, &cursor, &object)) {
                seen++;
                if (object.status != TERN_OK) continue;
                unsigned char *begin = object.memory;
                assert_true(begin >= memory && begin + object.size_bytes <= memory + SIZE);
            }
            assert_true(seen <= 4);
            for (const char *name = "abcz"; *name; name++) {
                char one[2] = { *name, 0 };
                tern_status status = tern_region_find(&region, one, TERN_TYPE_RING, &object);
                assert_true(status <= 0);
                status = tern_region_claim(&region, one, TERN_TYPE_RING, 500, &object);
                unsigned char *begin = object.memory;
                if (status == TERN_OK)
                    assert_true(begin >= memory + tern_region_size(&SMALL) && begin + 500 <= memory + SIZE);
            }
            free(memory);
        }
    }
}

static void open_ring_either_end_first(void **state)
{
    (void)state;
    tern_region region;
    void *memory = make(&region);
    tern_ring_desc desc = { 8, 10, TERN_RING_WAITABLE };
    tern_ring_producer p;
    tern_ring_consumer c;
    uint64_t item = 42;
    assert_status(tern_ring_open_consumer(&c, &region, "r", NULL), TERN_ERR_NOT_FOUND);
    assert_status(tern_ring_open_consumer(&c, &region, "r", &desc), TERN_OK);
    assert_status(tern_ring_open_producer(&p, &region, "r", NULL), TERN_OK);
    tern_ring_detach_producer(&p);
    assert_status(tern_ring_open_producer(&p, &region, "r", &desc), TERN_OK);
    assert_int_equal(p.capacity_items, 16);
    assert_true(tern_ring_push(&p, &item));
    assert_true(tern_ring_pop(&c, &item));
    tern_ring_detach_producer(&p);
    const tern_ring_desc others[] = { { 4, 10, 1 }, { 8, 32, 1 }, { 8, 10, 0 } };
    for (size_t i = 0; i < 3; i++) {
        assert_status(tern_ring_open_producer(&p, &region, "r", &others[i]), TERN_ERR_MISMATCH);
        assert_null(p.shared);
    }
    assert_status(tern_ring_open_producer(&p, &region, "r", &(tern_ring_desc){ 0, 1, 0 }), TERN_ERR_ARGUMENT);
    tern_object object;
    assert_status(tern_region_claim(&region, "pool", TERN_TYPE_POOL, 64, &object), TERN_OK);
    assert_status(tern_ring_open_producer(&p, &region, "pool", NULL), TERN_ERR_MISMATCH);
    assert_status(tern_ring_open_producer(&p, &region, "big", &(tern_ring_desc){ 1, SIZE, 0 }), TERN_ERR_FULL);
    free(memory);
}

static void open_on_main_never_blocks(void **state)
{
    (void)state;
    tern_region region;
    unsigned char *memory = unit_memory(SIZE);
    tern_ring_desc desc = { 8, 1, TERN_RING_WAITABLE };
    tern_ring_producer p;
    tern_ring_consumer c;
    uint64_t item = 1;
    assert_status(tern_region_format(memory, SIZE, NULL), TERN_OK);
    assert_status(tern_region_attach(&region, memory, SIZE, &(tern_attach_desc){ 0, TERN_DOMAIN_MAIN }), TERN_OK);
    assert_status(tern_ring_open_producer(&p, &region, "r", &desc), TERN_OK);
    assert_status(tern_ring_open_consumer(&c, &region, "r", &desc), TERN_OK);
    assert_status(tern_ring_pop_wait(&c, &item, 0), TERN_ERR_DOMAIN);
    assert_true(tern_ring_push(&p, &item));
    assert_status(tern_ring_push_wait(&p, &item, TERN_WAIT_FOREVER), TERN_ERR_DOMAIN);
    assert_true(tern_ring_pop(&c, &item));
    free(memory);
}

/* Threads that all add the same names: one makes each object, all find the same one. */
struct adder {
    void *memory;
    uint64_t offsets[16];
    uint32_t made;
};

static void *add_names(void *argument)
{
    struct adder *adder = argument;
    tern_region region;
    if (tern_region_attach(&region, adder->memory, SIZE, NULL) != TERN_OK) return NULL;
    for (int i = 0; i < 16; i++) {
        char name[2] = { (char)('A' + i), 0 };
        tern_object object;
        tern_status status = tern_region_claim(&region, name, TERN_TYPE_BELL, 200, &object);
        if (status == TERN_OK) {
            adder->made++;
            tern_region_publish(&region, &object, TERN_OK);
        }
        do status = tern_region_find(&region, name, TERN_TYPE_BELL, &object);
        while (status == TERN_ERR_NOT_READY);
        adder->offsets[i] = status == TERN_OK ? object.offset_bytes : 0;
    }
    return NULL;
}

static void region_concurrent_adders_agree_on_each_name(void **state)
{
    (void)state;
    enum { THREADS = 4, ROUNDS = 300 };
    for (int round = 0; round < ROUNDS; round++) {
        void *memory = unit_memory(SIZE);
        struct adder adders[THREADS];
        pthread_t threads[THREADS];
        uint32_t made = 0;
        assert_status(tern_region_format(memory, SIZE, &(tern_region_desc){ 0, 16 * THREADS, 0, 0 }), TERN_OK);
        memset(adders, 0, sizeof adders);
        for (int i = 0; i < THREADS; i++) {
            adders[i].memory = memory;
            assert_int_equal(pthread_create(&threads[i], NULL, add_names, &adders[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            made += adders[i].made;
            assert_memory_equal(adders[i].offsets, adders[0].offsets, sizeof adders[0].offsets);
        }
        for (int i = 0; i < 16; i++) assert_true(adders[0].offsets[i] != 0);
        assert_int_equal(made, 16);
        free(memory);
    }
}

static void layout_hash_covers_the_table(void **state)
{
    (void)state;
    size_t count = 0;
    for (const tern_layout_field *f = tern_layout(); f->structure; f++) count++;
    assert_true(count > 40);
    assert_true(tern_layout_hash() != 0);
    assert_int_equal(tern_layout_hash(), tern_layout_hash());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(region_format_refuses_bad_input),
        cmocka_unit_test(region_attach_answers_each_fault_by_its_status),
        cmocka_unit_test(region_attach_with_any_header_word_changed_fails),
        cmocka_unit_test(region_claim_publish_find),
        cmocka_unit_test(region_names_have_1_to_31_bytes),
        cmocka_unit_test(region_when_full_says_so_and_keeps_what_is_there),
        cmocka_unit_test(region_directory_bounds_whatever_a_peer_writes),
        cmocka_unit_test(open_ring_either_end_first),
        cmocka_unit_test(open_on_main_never_blocks),
        cmocka_unit_test(region_concurrent_adders_agree_on_each_name),
        cmocka_unit_test(layout_hash_covers_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
