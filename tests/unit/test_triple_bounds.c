/* SPDX-License-Identifier: MIT */
/* test_triple_bounds.c: what the triple buffer refuses: bad descriptions, bad memory, damaged headers,
 * and a peer that writes whatever it likes. */
#include "triple_fixture.h"

#include <pthread.h>
#include <sys/mman.h>

enum { FRESH = TERN__TRIPLE_FRESH, SLEEP = TERN__TRIPLE_SLEEP };

static void triple_size_of_bad_description_is_zero(void **state)
{
    (void)state;
    const uint32_t bad[] = { 0, TERN_TRIPLE_MAX_BUFFER_BYTES + 1, UINT32_MAX };
    for (size_t i = 0; i < 3; i++) assert_int_equal(tern_triple_size(&(tern_triple_desc){ bad[i] }), 0);
    assert_int_equal(tern_triple_size(NULL), 0);
    assert_int_equal(tern_triple_size(&(tern_triple_desc){ 1 }), 384 + 3 * 128);
    assert_int_equal(tern_triple_size(&(tern_triple_desc){ 64 }), 384 + 3 * 128);
    assert_int_equal(tern_triple_size(&(tern_triple_desc){ 65 }), 384 + 3 * 256);
    assert_true(tern_triple_size(&(tern_triple_desc){ 1u << 30 }) == 384 + 3 * ((uint64_t)(1u << 30) + 128));
}

static void triple_format_refuses_bad_memory(void **state)
{
    (void)state;
    tern_triple_desc desc = { BYTES };
    size_t size = tern_triple_size(&desc);
    unsigned char *memory = unit_memory(size + 64), *before = unit_memory(size + 64);
    assert_status(tern_triple_format(NULL, size, &desc), TERN_ERR_ARGUMENT);
    assert_status(tern_triple_format(memory, size, NULL), TERN_ERR_ARGUMENT);
    assert_status(tern_triple_format(memory, size, &(tern_triple_desc){ 0 }), TERN_ERR_ARGUMENT);
    assert_status(tern_triple_format(memory + 32, size, &desc), TERN_ERR_ALIGNMENT);
    assert_status(tern_triple_format(memory, size - 1, &desc), TERN_ERR_MEMORY);
    assert_status(tern_triple_format(memory, 0, &desc), TERN_ERR_MEMORY);
    assert_memory_equal(memory, before, size + 64);    /* nothing half-made */
    assert_status(tern_triple_format(memory + 64, size, &desc), TERN_OK);
    free(memory);
    free(before);
}

/* All three that look at a header answer the same; on failure a view is all zero. */
static void expect_refused(void *memory, size_t size, tern_status expected)
{
    static const tern_triple_writer no_writer;
    static const tern_triple_reader no_reader;
    static const tern_triple_info no_info;
    tern_triple_writer w;
    tern_triple_reader r;
    tern_triple_info info;
    memset(&w, 0xee, sizeof w);
    memset(&r, 0xee, sizeof r);
    memset(&info, 0xee, sizeof info);
    assert_status(tern_triple_attach_writer(&w, memory, size), expected);
    assert_status(tern_triple_attach_reader(&r, memory, size), expected);
    assert_status(tern_triple_inspect(&info, memory, size), expected);
    assert_memory_equal(&w, &no_writer, sizeof w);
    assert_memory_equal(&r, &no_reader, sizeof r);
    assert_memory_equal(&info, &no_info, sizeof info);
}

static void triple_attach_answers_each_fault_by_its_status(void **state)
{
    (void)state;
    struct fixture f = make(0);
    unsigned char *odd = unit_memory(f.size + 64);
    expect_refused(NULL, f.size, TERN_ERR_ARGUMENT);
    expect_refused(odd + 8, f.size, TERN_ERR_ALIGNMENT);
    expect_refused(odd, f.size, TERN_ERR_NOT_READY);
    for (size_t size = 0; size < f.size; size++) expect_refused(f.shared, size, TERN_ERR_MEMORY);
    memset(odd, 'x', f.size);
    expect_refused(odd, f.size, TERN_ERR_CORRUPT);
    f.shared->geometry.layout_version++;
    expect_refused(f.shared, f.size, TERN_ERR_VERSION);
    f.shared->geometry.layout_version--;
    tern_triple_info info;
    assert_status(tern_triple_inspect(&info, f.shared, f.size), TERN_OK);
    free(odd);
    drop(&f);
}

/* Each constant word, each interesting value: an error, whatever it is. */
static void triple_attach_with_any_header_word_changed_fails(void **state)
{
    (void)state;
    struct fixture f = make(0);
    const uint32_t values[] = { 0, 1, BYTES - 1, BYTES + 1, STRIDE, 0x7fffffff, 0x80000000, UINT32_MAX };
    size_t words = sizeof(struct tern_triple_geometry) / 4, most = sizeof values / sizeof *values;
    for (size_t i = 0; i < words; i++) {
        uint32_t right;
        unsigned char *at = (unsigned char *)&f.shared->geometry + i * 4;
        memcpy(&right, at, 4);
        for (size_t k = 0; k < most + 2; k++) {
            uint32_t wrong = k < most ? values[k] : right + (k & 1 ? 1u : UINT32_MAX);
            tern_triple_info info;
            if (wrong == right) continue;
            memcpy(at, &wrong, 4);
            expect_refused(f.shared, f.size, tern_triple_inspect(&info, f.shared, f.size));
            assert_true(tern_triple_inspect(&info, f.shared, f.size) < 0);
            /* with a check that is right for the lie, too; then it may be another sound description */
            if (i == 5) continue;
            uint32_t check = 2166136261u;
            for (size_t b = 0; b < 20; b++)
                check = (check ^ ((const unsigned char *)&f.shared->geometry)[b]) * 16777619u;
            uint32_t right_check = f.shared->geometry.check;
            f.shared->geometry.check = check;
            bool sound = i == 1 && tern_triple_size(&(tern_triple_desc){ wrong }) == f.size;
            assert_int_equal(tern_triple_inspect(&info, f.shared, f.size) == TERN_OK, sound);
            f.shared->geometry.check = right_check;
        }
        memcpy(at, &right, 4);
    }
    expect(&f, TERN__TRIPLE_START, false, false);
    drop(&f);
}

static bool is_permutation(uint32_t word)
{
    uint32_t back = word & 3, ready = word >> 2 & 3, front = word >> 4 & 3;
    return back < 3 && ready < 3 && front < 3 && back != ready && ready != front && back != front;
}

/* Every value of the low eight bits, at attach. */
static void triple_attach_refuses_each_word_that_makes_no_sense(void **state)
{
    (void)state;
    struct fixture f = make(0);
    unsigned sound = 0;
    for (uint32_t low = 0; low < 256; low++) {
        tern_triple_writer w;
        tern_triple_reader r;
        tern_triple_info info;
        bool fine = is_permutation(low) && (low & (FRESH | SLEEP)) != (FRESH | SLEEP);
        tern_a32_store_relaxed(&f.shared->word, low);
        for (uint32_t b = 0; b < 3; b++) tern_a64_store_relaxed(&buffer_of(&f, b)->frame, 0);
        if (!fine) {
            expect_refused(f.shared, f.size, TERN_ERR_CORRUPT);
            continue;
        }
        sound++;
        assert_status(tern_triple_attach_reader(&r, f.shared, f.size), TERN_OK);
        assert_status(tern_triple_inspect(&info, f.shared, f.size), TERN_OK);
        assert_true(info.was_back == (low & 3) && info.was_ready == (low >> 2 & 3) && info.was_front == (low >> 4 & 3));
        assert_status(tern_triple_attach_writer(&w, f.shared, f.size), TERN_OK);
        assert_int_equal(word_now(&f), low);
    }
    assert_int_equal(sound, 6 * 3);
    drop(&f);
}

static void triple_attach_compares_the_number_with_the_word(void **state)
{
    (void)state;
    struct fixture f = make(0);
    tern_triple_writer w;
    tern_triple_reader r;
    tern_a64_store_relaxed(&buffer_of(&f, 1)->frame, ((uint64_t)5 << 24) + 77);
    tern_a32_store_relaxed(&f.shared->word, word_of(0, 1, 2, FRESH, 77));
    assert_status(tern_triple_attach_writer(&w, f.shared, f.size), TERN_OK);
    assert_true(w.frame == ((uint64_t)5 << 24) + 77);
    tern_a32_store_relaxed(&f.shared->word, word_of(0, 1, 2, FRESH, 78));
    assert_status(tern_triple_attach_writer(&w, f.shared, f.size), TERN_ERR_CORRUPT);
    assert_status(tern_triple_attach_reader(&r, f.shared, f.size), TERN_OK);    /* what is ready is not its own */
    assert_false(tern_triple_update(&r));
    assert_status(tern_triple_reader_status(&r), TERN_ERR_CORRUPT);
    tern_a32_store_relaxed(&f.shared->word, word_of(0, 2, 1, 0, 76));
    assert_status(tern_triple_attach_writer(&w, f.shared, f.size), TERN_ERR_CORRUPT);
    assert_status(tern_triple_attach_reader(&r, f.shared, f.size), TERN_ERR_CORRUPT);
    tern_a32_store_relaxed(&f.shared->word, word_of(0, 2, 1, 0, 77));
    assert_status(tern_triple_attach_reader(&r, f.shared, f.size), TERN_OK);
    assert_true(tern_triple_frame(&r) == ((uint64_t)5 << 24) + 77);
    drop(&f);
}

/* A lying reader: the writer publishes on exactly the words that a reader can have made of what it left
 * there, and otherwise writes nothing, and says CORRUPT. */
static void writer_meets(struct fixture *f, uint32_t left, uint32_t lie)
{
    uint32_t taken = left & FRESH ? word_of(left & 3, left >> 4 & 3, left >> 2 & 3, 0, left >> 8) : left;
    bool possible = lie == left || lie == taken || lie == (taken | SLEEP);
    struct fixture before = *f;
    tern_a32_store_relaxed(&f->shared->word, lie);
    bool replaced = tern_triple_publish(&f->w);
    assert_status(tern_triple_writer_status(&f->w), possible ? TERN_OK : TERN_ERR_CORRUPT);
    if (possible) {
        assert_int_equal(replaced, (lie & FRESH) != 0);
        uint32_t back = lie & 3, ready = lie >> 2 & 3, front = lie >> 4 & 3;
        f->numbers[ready] = f->w.frame + 1;
        expect(f, word_of(ready, back, front, FRESH, f->w.frame), false, false);
        memcpy(f->numbers, before.numbers, sizeof f->numbers);
        tern_a64_store_relaxed(&buffer_of(f, ready)->frame, f->numbers[ready]);
    } else {
        assert_false(replaced);
        expect(f, lie, false, false);
        /* the view is as it was, and recovers when the word does */
        f->w.status = TERN_OK;
        assert_memory_equal(&f->w, &before.w, sizeof f->w);
    }
    f->w = before.w;
}

static void triple_publish_bounds_whatever_the_peer_writes(void **state)
{
    (void)state;
    for (unsigned published = 0; published < 2; published++) {
        struct fixture f = make(20);
        if (published) {
            tern_triple_publish(&f.w);
            f.numbers[1] = f.w.frame + 1;
        }
        uint32_t left = word_now(&f);
        for (uint32_t low = 0; low < 256; low++) {
            const uint32_t frames[] = { 0, 1, left >> 8, (left >> 8) - 1, (left >> 8) + 1, 0x7fffff, 0xffffff };
            for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
                writer_meets(&f, left, low | frames[i] << 8);
                f.w.guess = tern__triple_when_seen(f.w.word);                     /* whatever it guessed */
                writer_meets(&f, left, low | frames[i] << 8);
                f.w.guess = tern__triple_when_seen(f.w.word) | SLEEP;
                writer_meets(&f, left, low | frames[i] << 8);
                f.w.guess = f.w.word;
            }
        }
        drop(&f);
    }
}

/* A lying writer, in the word: the reader takes a frame only from a permutation that leaves it its
 * own buffer, and only if something was published. */
static void triple_update_bounds_whatever_the_peer_writes(void **state)
{
    (void)state;
    for (uint32_t low = 0; low < 256; low++) {
        const uint32_t frames[] = { 0, 1, 19, 20, 21, 22, 0x7fffff, 0xffffff };
        for (size_t i = 0; i < 2 * sizeof frames / sizeof *frames; i++) {
            struct fixture f = make(20);
            uint32_t frame = frames[i / 2], lie = low | frame << 8, ready = low >> 2 & 3;
            bool newer = is_permutation(low) && low >> 4 == (FRESH >> 4 | 2);
            bool unchanged = (lie & ~(uint32_t)SLEEP) == word_of(0, 1, 2, 0, 20);
            for (uint32_t b = 0; b < 2; b++)
                tern_a64_store_relaxed(&buffer_of(&f, b)->frame, f.numbers[b] = frame + ((uint64_t)(i & 1) << 24));
            bool rises = frame + ((uint64_t)(i & 1) << 24) > 20;
            tern_a32_store_relaxed(&f.shared->word, lie);
            if (i & 1) f.r.guess = tern__triple_after_publish(f.r.word);
            assert_int_equal(tern_triple_update(&f.r), newer && rises);
            expect(&f, newer ? word_of(low & 3, 2, ready, 0, frame) : lie, false, false);
            bool corrupt = newer ? !rises : !unchanged;
            assert_status(tern_triple_reader_status(&f.r), corrupt ? TERN_ERR_CORRUPT : TERN_OK);
            if (corrupt) assert_status(tern_triple_wait(&f.r, TERN_WAIT_FOREVER), TERN_ERR_CORRUPT);
            if (newer && rises) assert_ptr_equal(tern_triple_front(&f.r), buffer_of(&f, ready) + 1);
            if (newer && !rises) assert_null(tern_triple_front(&f.r));
            if (!newer) assert_ptr_equal(tern_triple_front(&f.r), buffer_of(&f, 2) + 1);
            drop(&f);
        }
    }
}

/* A lying number in a buffer: that frame is never in front, the next true one is. */
static void triple_update_refuses_numbers_that_do_not_rise_or_fit(void **state)
{
    (void)state;
    const uint64_t big = (uint64_t)1 << 24;
    const uint64_t lies[] = { 0, 1, 20, 22, UINT64_MAX, 21 + big / 2, big };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct fixture f = make(20);
        tern_triple_publish(&f.w);
        tern_a64_store_relaxed(&buffer_of(&f, 0)->frame, lies[i]);
        assert_false(tern_triple_update(&f.r));
        assert_status(tern_triple_reader_status(&f.r), TERN_ERR_CORRUPT);
        assert_null(tern_triple_front(&f.r));
        assert_true(tern_triple_frame(&f.r) == 20 && tern_triple_dropped(&f.r) == 0);
        memset(tern_triple_back(&f.w), 5, BYTES);
        assert_false(tern_triple_publish(&f.w));
        assert_true(tern_triple_update(&f.r));
        expect_front(&f, 22, 5);
        assert_true(tern_triple_dropped(&f.r) == 1);       /* never in front: dropped */
        assert_status(tern_triple_reader_status(&f.r), TERN_ERR_CORRUPT);
        drop(&f);
    }
}

/* Geometry is never read again: whatever happens to the header after attach changes nothing. */
static void triple_geometry_is_not_read_after_attach(void **state)
{
    (void)state;
    struct fixture f = make(0);
    memset(&f.shared->geometry, 0xff, sizeof f.shared->geometry);
    for (unsigned i = 1; i < 100; i++) {
        memset(tern_triple_back(&f.w), (int)i, BYTES);
        assert_false(tern_triple_publish(&f.w));
        assert_status(tern_triple_wait(&f.r, 0), TERN_OK);
        assert_true(tern_triple_update(&f.r));
        expect_front(&f, i, (unsigned char)i);
    }
    drop(&f);
}

/* Closing on a word that makes no sense writes the flag alone, and ends. */
static void triple_close_on_a_lying_word_ends(void **state)
{
    (void)state;
    struct fixture f = make(20);
    tern_a32_store_relaxed(&f.shared->word, 0xffffffffu);
    tern_triple_close_writer(&f.w);
    expect(&f, 0xffffffffu, true, false);
    assert_status(tern_triple_writer_status(&f.w), TERN_ERR_CORRUPT);
    assert_status(tern_triple_wait(&f.r, TERN_WAIT_FOREVER), TERN_ERR_CORRUPT);
    drop(&f);
}

struct scribbler {
    struct fixture *f;
    tern_a32 stop;
};

/* Words that are mostly plausible, and numbers that are mostly not, as fast as it goes. */
static void *scribble(void *argument)
{
    struct scribbler *s = argument;
    static const unsigned char permutations[] = { 0x24, 0x18, 0x21, 0x09, 0x12, 0x06 };
    uint32_t random = 1;
    while (!tern_a32_load_relaxed(&s->stop)) {
        random = random * 1664525 + 1013904223;
        uint32_t word = permutations[(random >> 8) % 6] | (random >> 12 & 0xc0) | (word_now(s->f) & ~0xffu);
        tern_a32_store_relaxed(&s->f->shared->word, random >> 29 ? word : random);
        tern_a64_store_relaxed(&buffer_of(s->f, random % 3)->frame, random >> 16 & 1 ? random : word_now(s->f) >> 8);
    }
    return NULL;
}

/* Under a scribbler every call ends, and every pointer is one of the three buffers. */
static void triple_under_a_scribbler_stays_in_its_memory(void **state)
{
    (void)state;
    struct fixture f = make(0);
    struct scribbler s = { .f = &f };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, scribble, &s), 0);
    for (uint32_t i = 0; i < 1000000; i++) {
        tern_triple_writer w;
        tern_triple_reader r;
        /* a new view now and then, so that plausible words are what it expects */
        if (i % 4 == 0 && tern_triple_attach_writer(&w, f.shared, f.size) == TERN_OK) f.w = w;
        if (i % 4 == 2 && tern_triple_attach_reader(&r, f.shared, f.size) == TERN_OK) f.r = r;
        tern_triple_publish(&f.w);
        tern_triple_update(&f.r);
        const struct tern_triple_buffer *back = (const struct tern_triple_buffer *)tern_triple_back(&f.w) - 1;
        const struct tern_triple_buffer *front = tern_triple_front(&f.r);
        assert_true(back == buffer_of(&f, 0) || back == buffer_of(&f, 1) || back == buffer_of(&f, 2));
        if (!front) continue;
        front--;
        assert_true(front == buffer_of(&f, 0) || front == buffer_of(&f, 1) || front == buffer_of(&f, 2));
    }
    tern_triple_close_writer(&f.w);
    tern_a32_store_relaxed(&s.stop, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    drop(&f);
}

/* The first and the last byte of 1 GiB buffers, each in its own place. */
static void triple_of_the_largest_buffers_swaps_them_whole(void **state)
{
    (void)state;
    tern_triple_desc desc = { TERN_TRIPLE_MAX_BUFFER_BYTES };
    size_t size = tern_triple_size(&desc), last = desc.buffer_size_bytes - 1;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) unit_skip("no address space for 3 GiB");
    tern_triple_writer w;
    tern_triple_reader r;
    assert_status(tern_triple_format(memory, size - 1, &desc), TERN_ERR_MEMORY);
    assert_status(tern_triple_format(memory, size, &desc), TERN_OK);
    assert_status(tern_triple_attach_writer(&w, memory, size - 1), TERN_ERR_MEMORY);
    assert_status(tern_triple_attach_writer(&w, memory, size), TERN_OK);
    assert_status(tern_triple_attach_reader(&r, memory, size), TERN_OK);
    for (unsigned char number = 1; number <= 6; number++) {
        unsigned char *back = tern_triple_back(&w);
        back[0] = number;
        back[last] = (unsigned char)~number;
        assert_true(back + last < (unsigned char *)memory + size);
        assert_false(tern_triple_publish(&w));
        assert_true(tern_triple_update(&r));
        const unsigned char *front = tern_triple_front(&r);
        assert_ptr_equal(front, back);
        assert_int_equal(front[0], number);
        assert_int_equal(front[last], (unsigned char)~number);
    }
    munmap(memory, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(triple_size_of_bad_description_is_zero),
        cmocka_unit_test(triple_of_the_largest_buffers_swaps_them_whole),
        cmocka_unit_test(triple_format_refuses_bad_memory),
        cmocka_unit_test(triple_attach_answers_each_fault_by_its_status),
        cmocka_unit_test(triple_attach_with_any_header_word_changed_fails),
        cmocka_unit_test(triple_attach_refuses_each_word_that_makes_no_sense),
        cmocka_unit_test(triple_attach_compares_the_number_with_the_word),
        cmocka_unit_test(triple_publish_bounds_whatever_the_peer_writes),
        cmocka_unit_test(triple_update_bounds_whatever_the_peer_writes),
        cmocka_unit_test(triple_update_refuses_numbers_that_do_not_rise_or_fit),
        cmocka_unit_test(triple_geometry_is_not_read_after_attach),
        cmocka_unit_test(triple_close_on_a_lying_word_ends),
        cmocka_unit_test(triple_under_a_scribbler_stays_in_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
