/* SPDX-License-Identifier: MIT */
/* test_triple.c: the triple buffer in order: frames, numbers, closing, successors, waiting. After
 * every transition the whole shared state is compared: the word, both flags, every byte and
 * the number of every buffer. */
#include "triple_fixture.h"

#include <pthread.h>

enum { FRESH = TERN__TRIPLE_FRESH, SLEEP = TERN__TRIPLE_SLEEP };

/* Random publications and updates, against a model of three lines; works from every number. */
static void exchange_at_random(uint64_t start, uint32_t seed)
{
    struct fixture f = make(start);
    uint32_t back = 0, ready = 1, front = 2;
    uint64_t frame = start, seen = start, dropped = 0, replaced = 0, read = 0;
    bool fresh = false;
    for (uint32_t i = 0; i < 400; i++) {
        seed = seed * 1664525 + 1013904223;
        uint32_t swap = ready;
        if (seed >> 31) {
            fill(&f, back, (unsigned char)++frame);
            expect(&f, word_of(back, ready, front, fresh ? FRESH : 0, frame - 1), false, false);
            assert_int_equal(tern_triple_publish(&f.w), fresh);
            replaced += fresh;
            ready = back, back = swap, fresh = true;
            f.numbers[back] = frame + 1;
        } else {
            assert_int_equal(tern_triple_update(&f.r), fresh);
            if (fresh) {
                ready = front, front = swap, fresh = false;
                dropped += frame - seen - 1, seen = frame, read++;
            }
        }
        expect(&f, word_of(back, ready, front, fresh ? FRESH : 0, frame), false, false);
        if (seen > 0) expect_front(&f, seen, read ? (unsigned char)seen : 0);
        else assert_null(tern_triple_front(&f.r));
        assert_true(tern_triple_frame(&f.r) == seen && tern_triple_dropped(&f.r) == dropped);
    }
    assert_true(dropped > 20 && read > 20);
    assert_true(read + dropped == seen - start);
    assert_true(replaced == dropped + (fresh ? frame - seen - 1 : 0));
    assert_status(tern_triple_writer_status(&f.w), TERN_OK);
    assert_status(tern_triple_reader_status(&f.r), TERN_OK);
    drop(&f);
}

static void triple_at_random_keeps_frames_and_counts(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 50; seed++) exchange_at_random(0, seed);
}

/* The word has 24 bits of the number, a careless 32-bit calculation has 32. */
static void triple_numbers_pass_2_24_and_2_32(void **state)
{
    (void)state;
    const uint64_t ends[] = { (uint64_t)1 << 24, (uint64_t)1 << 25, (uint64_t)1 << 32, (uint64_t)1 << 48 };
    for (size_t e = 0; e < sizeof ends / sizeof *ends; e++)
        for (uint32_t before = 0; before < 40; before++) exchange_at_random(ends[e] - before, before);
}

/* Really publish more than 2^24 frames between two updates: the low 24 bits alone would lie. */
static void triple_reader_asleep_for_2_24_frames_counts_all(void **state)
{
    (void)state;
    struct fixture f = make(0);
    const uint64_t frames = ((uint64_t)1 << 24) + 5;
    for (uint64_t i = 0; i < frames; i++) assert_int_equal(tern_triple_publish(&f.w), i != 0);
    assert_true(tern_triple_update(&f.r));
    assert_true(tern_triple_frame(&f.r) == frames && tern_triple_dropped(&f.r) == frames - 1);
    for (uint64_t i = 0; i < (uint64_t)1 << 24; i++) tern_triple_publish(&f.w);   /* the same 24 bits again */
    assert_true(tern_triple_update(&f.r));
    assert_true(tern_triple_frame(&f.r) == frames + ((uint64_t)1 << 24));
    assert_status(tern_triple_reader_status(&f.r), TERN_OK);
    drop(&f);
}

static void triple_before_the_first_frame_has_no_front(void **state)
{
    (void)state;
    struct fixture f = make(0);
    assert_null(tern_triple_front(&f.r));
    assert_false(tern_triple_update(&f.r));
    assert_null(tern_triple_front(&f.r));
    assert_true(tern_triple_frame(&f.r) == 0 && tern_triple_dropped(&f.r) == 0);
    expect(&f, TERN__TRIPLE_START, false, false);
    fill(&f, 0, 9);
    assert_false(tern_triple_update(&f.r));        /* written is not published */
    assert_null(tern_triple_front(&f.r));
    assert_false(tern_triple_publish(&f.w));
    assert_null(tern_triple_front(&f.r));          /* published is not in front */
    assert_true(tern_triple_update(&f.r));
    expect_front(&f, 1, 9);
    assert_int_equal((uintptr_t)tern_triple_front(&f.r) % 64, 0);
    drop(&f);
}

static void triple_front_stays_while_the_writer_goes_on(void **state)
{
    (void)state;
    struct fixture f = make(0);
    memset(tern_triple_back(&f.w), 1, BYTES);
    tern_triple_publish(&f.w);
    assert_true(tern_triple_update(&f.r));
    const void *front = tern_triple_front(&f.r);
    for (unsigned i = 2; i < 100; i++) {
        assert_ptr_not_equal(tern_triple_back(&f.w), front);
        memset(tern_triple_back(&f.w), (int)i, BYTES);
        assert_int_equal(tern_triple_publish(&f.w), i > 2);
        assert_ptr_equal(tern_triple_front(&f.r), front);
        expect_front(&f, 1, 1);
    }
    assert_true(tern_triple_update(&f.r));
    expect_front(&f, 99, 99);
    assert_true(tern_triple_dropped(&f.r) == 97);
    drop(&f);
}

static void triple_frame_sizes_stand_on_lines_of_their_own(void **state)
{
    (void)state;
    const uint32_t sizes[] = { 1, 2, 7, 8, 63, 64, 65, 127, 128, 129, 4096, 65536, 100001 };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        tern_triple_desc desc = { sizes[s] };
        size_t size = tern_triple_size(&desc);
        unsigned char *memory = unit_memory(size);      /* ends where ASan looks */
        tern_triple_writer w;
        tern_triple_reader r;
        assert_status(tern_triple_format(memory, size, &desc), TERN_OK);
        assert_status(tern_triple_attach_writer(&w, memory, size), TERN_OK);
        assert_status(tern_triple_attach_reader(&r, memory, size), TERN_OK);
        assert_int_equal(w.buffer_size_bytes, sizes[s]);
        assert_int_equal(r.buffer_size_bytes, sizes[s]);
        for (unsigned i = 0; i < 9; i++) {
            unsigned char *back = tern_triple_back(&w);
            assert_int_equal((uintptr_t)back % 64, 0);
            assert_int_equal((back - memory - 64) / 128 * 128, back - memory - 64);
            memset(back, (int)i, sizes[s]);
            assert_false(tern_triple_publish(&w));
            assert_true(tern_triple_update(&r));
            const unsigned char *front = tern_triple_front(&r);
            assert_ptr_equal(front, back);
            for (size_t k = 0; k < sizes[s]; k++) assert_int_equal(front[k], i);
        }
        free(memory);
    }
}

/* ---- Successors ----------------------------------------------------------------------- */

static void triple_successors_find_their_buffers(void **state)
{
    (void)state;
    struct fixture f = make(0);
    uint64_t read = 0, dropped = 0;
    for (unsigned i = 1; i <= 199; i++) {
        /* both views are lost, as in a death, at every state of the word */
        if (i % 3 == 0) {
            dropped += tern_triple_dropped(&f.r);
            uint64_t frame = tern_triple_frame(&f.r);
            const void *front = tern_triple_front(&f.r);
            uint32_t word = word_now(&f);
            assert_status(tern_triple_attach_reader(&f.r, f.shared, f.size), TERN_OK);
            assert_true(tern_triple_frame(&f.r) == frame && tern_triple_dropped(&f.r) == 0);
            assert_ptr_equal(tern_triple_front(&f.r), front);
            assert_int_equal(word_now(&f), word);
        }
        if (i % 2 == 0) {
            const void *back = tern_triple_back(&f.w);
            memset(tern_triple_back(&f.w), 0xdd, BYTES);          /* half a frame is lost with its writer */
            assert_status(tern_triple_attach_writer(&f.w, f.shared, f.size), TERN_OK);
            assert_ptr_equal(tern_triple_back(&f.w), back);
        }
        memset(tern_triple_back(&f.w), (int)i, BYTES);
        tern_triple_publish(&f.w);
        if (i % 5 < 2) continue;
        assert_true(tern_triple_update(&f.r));
        read++;
        expect_front(&f, i, (unsigned char)i);
    }
    assert_true(tern_triple_update(&f.r) == false);
    dropped += tern_triple_dropped(&f.r);
    assert_true(read + dropped == tern_triple_frame(&f.r));
    drop(&f);
}

static void triple_late_reader_counts_what_nobody_read(void **state)
{
    (void)state;
    struct fixture f = make(0);
    tern_triple_detach_reader(&f.r);
    for (unsigned i = 0; i < 10; i++) tern_triple_publish(&f.w);
    assert_status(tern_triple_attach_reader(&f.r, f.shared, f.size), TERN_OK);
    assert_true(tern_triple_frame(&f.r) == 0 && tern_triple_dropped(&f.r) == 0);
    assert_true(tern_triple_update(&f.r));
    assert_true(tern_triple_frame(&f.r) == 10 && tern_triple_dropped(&f.r) == 9);
    drop(&f);
}

static void triple_detach_zeroes_the_view_and_nothing_else(void **state)
{
    (void)state;
    const tern_triple_writer no_writer = { 0 };
    const tern_triple_reader no_reader = { 0 };
    struct fixture f = make(5);
    tern_triple_publish(&f.w);
    f.numbers[1] = 7;
    tern_triple_detach_writer(&f.w);
    tern_triple_detach_reader(&f.r);
    assert_memory_equal(&f.w, &no_writer, sizeof f.w);
    assert_memory_equal(&f.r, &no_reader, sizeof f.r);
    expect(&f, word_of(1, 0, 2, FRESH, 6), false, false);
    drop(&f);
}

/* ---- Closing and waiting ----------------------------------------------------------------- */

static void triple_close_writer_gives_the_last_frame_first(void **state)
{
    (void)state;
    struct fixture f = make(0);
    fill(&f, 0, 3);
    tern_triple_publish(&f.w);
    f.numbers[1] = 2;
    tern_triple_close_writer(&f.w);
    expect(&f, word_of(1, 0, 2, FRESH, 1), true, false);
    assert_status(tern_triple_reader_status(&f.r), TERN_OK);
    assert_status(tern_triple_wait(&f.r, TERN_WAIT_FOREVER), TERN_OK);
    assert_true(tern_triple_update(&f.r));
    expect_front(&f, 1, 3);
    assert_false(tern_triple_update(&f.r));
    assert_status(tern_triple_reader_status(&f.r), TERN_ERR_CLOSED);
    assert_status(tern_triple_wait(&f.r, TERN_WAIT_FOREVER), TERN_ERR_CLOSED);
    expect_front(&f, 1, 3);
    expect(&f, word_of(1, 2, 0, 0, 1), true, false);
    /* a successor is told the same, and still has the frame */
    assert_status(tern_triple_attach_reader(&f.r, f.shared, f.size), TERN_OK);
    assert_status(tern_triple_wait(&f.r, TERN_WAIT_FOREVER), TERN_ERR_CLOSED);
    expect_front(&f, 1, 3);
    drop(&f);
}

static void triple_close_writer_takes_sleep_out(void **state)
{
    (void)state;
    struct fixture f = make(0);
    assert_status(tern_triple_wait(&f.r, 1000000), TERN_ERR_TIMEOUT);
    expect(&f, TERN__TRIPLE_START | SLEEP, false, false);
    tern_triple_close_writer(&f.w);
    expect(&f, TERN__TRIPLE_START, true, false);
    assert_status(tern_triple_wait(&f.r, TERN_WAIT_FOREVER), TERN_ERR_CLOSED);
    assert_status(tern_triple_writer_status(&f.w), TERN_OK);
    drop(&f);
}

static void triple_close_reader_is_told_by_status(void **state)
{
    (void)state;
    struct fixture f = make(0);
    assert_status(tern_triple_writer_status(&f.w), TERN_OK);
    tern_triple_close_reader(&f.r);
    expect(&f, TERN__TRIPLE_START, false, true);
    assert_status(tern_triple_writer_status(&f.w), TERN_ERR_CLOSED);
    assert_false(tern_triple_publish(&f.w));       /* goes on as before */
    assert_true(tern_triple_publish(&f.w));
    drop(&f);
}

static void triple_waits_answer_timeout_and_domain(void **state)
{
    (void)state;
    struct fixture f = make(0);
    assert_status(tern_triple_wait(&f.r, 0), TERN_ERR_TIMEOUT);
    expect(&f, TERN__TRIPLE_START, false, false);  /* looking once arms nothing */
    uint64_t before = tern_now_ns();
    assert_status(tern_triple_wait(&f.r, 3000000), TERN_ERR_TIMEOUT);
    assert_true(tern_now_ns() - before >= 3000000);
    expect(&f, TERN__TRIPLE_START | SLEEP, false, false);
    assert_false(tern_triple_update(&f.r));
    tern_triple_info info;
    assert_status(tern_triple_inspect(&info, f.shared, f.size), TERN_OK);
    assert_true(info.reader_asleep);
    assert_status(tern_triple_wait(&f.r, 1000000), TERN_ERR_TIMEOUT);   /* SLEEP is there already */
    assert_false(tern_triple_publish(&f.w));
    f.numbers[1] = 2;
    expect(&f, word_of(1, 0, 2, FRESH, 1), false, false);               /* publishing takes SLEEP out */
    assert_status(tern_triple_wait(&f.r, 0), TERN_OK);
    assert_status(tern_triple_wait(&f.r, TERN_WAIT_FOREVER), TERN_OK);
    f.r.may_block = false;
    assert_status(tern_triple_wait(&f.r, 0), TERN_ERR_DOMAIN);
    assert_true(tern_triple_update(&f.r));         /* what does not block always works */
    drop(&f);
}

/* ---- Sleeping ------------------------------------------------------------------------------ */

static void *wait_without_timeout(void *argument)
{
    struct fixture *f = argument;
    f->r.spin_checks = 0;
    tern_status status = tern_triple_wait(&f->r, TERN_WAIT_FOREVER);
    return (void *)(intptr_t)status;
}

static pthread_t sleeper_of(struct fixture *f)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_without_timeout, f), 0);
    while (!(word_now(f) & SLEEP)) tern_cpu_relax();
    struct timespec nap = { 0, 2000000 };
    nanosleep(&nap, NULL);                         /* from the bit into the kernel, mostly */
    return thread;
}

static tern_status answer_of(pthread_t thread)
{
    void *result;
    assert_int_equal(pthread_join(thread, &result), 0);
    return (tern_status)(intptr_t)result;
}

static void triple_publish_wakes_a_sleeper(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        struct fixture f = make(i);
        pthread_t thread = sleeper_of(&f);
        assert_false(tern_triple_publish(&f.w));
        assert_status(answer_of(thread), TERN_OK);
        assert_true(tern_triple_update(&f.r));
        drop(&f);
    }
}

static void triple_close_wakes_a_sleeper(void **state)
{
    (void)state;
    struct fixture f = make(3);
    pthread_t thread = sleeper_of(&f);
    tern_triple_close_writer(&f.w);
    assert_status(answer_of(thread), TERN_ERR_CLOSED);
    drop(&f);
}

/* A writer that died between its publication and its wake. */
static void triple_successor_of_a_writer_wakes_a_sleeper(void **state)
{
    (void)state;
    struct fixture f = make(0);
    pthread_t thread = sleeper_of(&f);
    tern_a32_store_relaxed(&f.shared->word, word_of(1, 0, 2, FRESH, 1));
    assert_status(tern_triple_attach_writer(&f.w, f.shared, f.size), TERN_OK);
    assert_status(answer_of(thread), TERN_OK);
    assert_true(tern_triple_update(&f.r));
    drop(&f);
}

static void triple_open_makes_finds_and_compares(void **state)
{
    (void)state;
    size_t size = tern_region_size(NULL) + 8192;
    void *memory = unit_memory(size);
    tern_region region, main_region;
    tern_triple_writer w, other_w;
    tern_triple_reader r, other_r;
    tern_ring_producer p;
    tern_triple_desc desc = { 100 }, other = { 101 }, none = { 0 };
    const tern_attach_desc main_domain = { 0, TERN_DOMAIN_MAIN };
    assert_status(tern_region_format(memory, size, NULL), TERN_OK);
    assert_status(tern_region_attach(&region, memory, size, NULL), TERN_OK);
    assert_status(tern_region_attach(&main_region, memory, size, &main_domain), TERN_OK);
    assert_status(tern_triple_open_reader(&r, &region, "scene", NULL), TERN_ERR_NOT_FOUND);
    assert_status(tern_triple_open_writer(&w, &region, "scene", &none), TERN_ERR_ARGUMENT);
    assert_status(tern_triple_open_writer(&w, &region, "scene", &desc), TERN_OK);
    assert_status(tern_triple_open_reader(&r, &region, "scene", &other), TERN_ERR_MISMATCH);
    assert_null(r.shared);
    assert_status(tern_triple_open_writer(&other_w, &region, "scene", &other), TERN_ERR_MISMATCH);
    assert_null(other_w.shared);
    assert_status(tern_ring_open_producer(&p, &region, "scene", NULL), TERN_ERR_MISMATCH);
    assert_status(tern_triple_open_writer(&other_w, &main_region, "scene", &desc), TERN_ERR_BUSY);
    assert_status(tern_triple_open_reader(&r, &region, "scene", &desc), TERN_OK);
    memset(tern_triple_back(&w), 7, 100);
    tern_triple_publish(&w);
    assert_true(tern_triple_update(&r) && *(const unsigned char *)tern_triple_front(&r) == 7);
    assert_status(tern_triple_wait(&r, 0), TERN_ERR_TIMEOUT);
    assert_status(tern_triple_open_reader(&other_r, &main_region, "scene", NULL), TERN_ERR_BUSY);
    tern_triple_detach_reader(&r);
    assert_status(tern_triple_open_reader(&other_r, &main_region, "scene", NULL), TERN_OK);
    assert_status(tern_triple_wait(&other_r, 0), TERN_ERR_DOMAIN);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(triple_at_random_keeps_frames_and_counts),
        cmocka_unit_test(triple_numbers_pass_2_24_and_2_32),
        cmocka_unit_test(triple_reader_asleep_for_2_24_frames_counts_all),
        cmocka_unit_test(triple_before_the_first_frame_has_no_front),
        cmocka_unit_test(triple_front_stays_while_the_writer_goes_on),
        cmocka_unit_test(triple_frame_sizes_stand_on_lines_of_their_own),
        cmocka_unit_test(triple_successors_find_their_buffers),
        cmocka_unit_test(triple_late_reader_counts_what_nobody_read),
        cmocka_unit_test(triple_detach_zeroes_the_view_and_nothing_else),
        cmocka_unit_test(triple_close_writer_gives_the_last_frame_first),
        cmocka_unit_test(triple_close_writer_takes_sleep_out),
        cmocka_unit_test(triple_close_reader_is_told_by_status),
        cmocka_unit_test(triple_waits_answer_timeout_and_domain),
        cmocka_unit_test(triple_publish_wakes_a_sleeper),
        cmocka_unit_test(triple_close_wakes_a_sleeper),
        cmocka_unit_test(triple_successor_of_a_writer_wakes_a_sleeper),
        cmocka_unit_test(triple_open_makes_finds_and_compares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
