/* SPDX-License-Identifier: MIT */
/* test_paged.c: rings and streams whose consumer writes to one page of its own: where things lie, what is refused,
 * what the consumer really writes, and a consumer that protected the rest from itself. What the kernel
 * enforces against a consumer that is hostile is in test_paged_files.c. */
#include "paged_fixture.h"

#include <pthread.h>

enum { WORKLOAD = 20000 };

/* Memory that a child shares; so that two mappings of it can have two protections, from a file. */
static void *shared_pages(size_t size, void **again)
{
    int fd = memfd_create("paged", MFD_CLOEXEC);
    assert_true(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    if (again) {
        *again = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_ptr_not_equal(*again, MAP_FAILED);
    }
    close(fd);
    return memory;
}

/* ---- Where things lie ------------------------------------------------------------------------- */

static void paged_sizes_are_whole_pages(void **state)
{
    (void)state;
    const uint32_t paged = TERN_RING_PAGED;
    assert_int_equal(TERN_PAGE_BYTES, PAGE);
    assert_int_equal(TERN_RING_CONSUMER_PAGE_OFFSET_BYTES, BORDER);
    assert_int_equal(tern_ring_size(&(tern_ring_desc){ 1, 1, paged }), ITEMS_AT + PAGE);
    assert_int_equal(tern_ring_size(&(tern_ring_desc){ 8, 512, paged }), ITEMS_AT + PAGE);
    assert_int_equal(tern_ring_size(&(tern_ring_desc){ 9, 512, paged }), ITEMS_AT + 2 * PAGE);
    assert_int_equal(tern_ring_size(&(tern_ring_desc){ 9, 512, paged | TERN_RING_SEQUENCED }), ITEMS_AT + 2 * PAGE);
    assert_int_equal(tern_stream_size(&(tern_stream_desc){ 0, paged }), ITEMS_AT + 65536);
    assert_int_equal(tern_stream_size(&(tern_stream_desc){ 16, paged }), ITEMS_AT + PAGE);
    if (sizeof(size_t) == 8)
        assert_true(tern_ring_size(&(tern_ring_desc){ UINT32_MAX, 1u << 30, paged })
                    == ITEMS_AT + ((uint64_t)UINT32_MAX << 30));
    else   /* 2^32 - 2^20 bytes of items: the header still fits, a header of pages and one item size more do not */
        assert_int_equal(tern_ring_size(&(tern_ring_desc){ UINT32_MAX, 1, paged }), 0);
}

/* The words of both ends, and an item, at the offsets that docs/layout.md gives. */
static void paged_words_and_items_lie_as_documented(void **state)
{
    (void)state;
    const tern_ring_desc desc = { sizeof(numbered), CAPACITY, TERN_RING_PAGED };
    size_t size = tern_ring_size(&desc);
    unsigned char *memory = unit_memory_at(PAGE, size);
    tern_ring_producer p;
    tern_ring_consumer c;
    uint32_t words[4];
    memset(memory, 0xee, size);
    assert_status(tern_ring_format(memory, size, &desc), TERN_OK);
    assert_status(tern_ring_attach_producer(&p, memory, size), TERN_OK);
    assert_status(tern_ring_attach_consumer(&c, memory, size), TERN_OK);
    tern_ring_consumer_release_every(&c, 1);
    for (uint64_t i = 0; i < 3; i++) assert_true(tern_ring_push(&p, &(numbered){ i, ~i }));
    assert_true(tern_ring_pop(&c, &(numbered){ 0, 0 }));
    tern_ring_close_consumer(&c);
    memcpy(&words[0], memory + BORDER - END_BYTES, 8);
    memcpy(&words[2], memory + BORDER, 8);
    assert_int_equal(words[0], 3 << 1);        /* tail */
    assert_int_equal(words[1], 0);             /* closed */
    assert_int_equal(words[2], 1 << 1);        /* head */
    assert_int_equal(words[3], 1);             /* closed */
    for (uint64_t i = 0; i < 3; i++) {
        numbered item = { i, ~i };
        assert_memory_equal(memory + ITEMS_AT + i * sizeof item, &item, sizeof item);
    }
    assert_int_equal(memory[ITEMS_AT + CAPACITY * sizeof(numbered)], 0xee);   /* what is left of the last page */
    free(memory);
}

static void paged_memory_that_is_not_whole_pages_is_refused(void **state)
{
    (void)state;
    for (EACH_KIND(kind)) {
        size_t size = paged_size(kind);
        unsigned char *memory = unit_memory_at(PAGE, size + PAGE), *zeros = unit_memory(size + PAGE);
        for (size_t at = TERN_ALIGNMENT; at < PAGE; at += TERN_ALIGNMENT)
            assert_status(paged_format(kind, memory + at, size), TERN_ERR_ALIGNMENT);
        assert_status(paged_format(kind, memory, size - 1), TERN_ERR_MEMORY);
        assert_memory_equal(memory, zeros, size + PAGE);
        assert_status(paged_format(kind, memory, size), TERN_OK);
        /* the same bytes elsewhere are the same object, but the view's pages would not be pages */
        memmove(memory + 64, memory, size);
        tern_ring_info ring;
        tern_stream_info stream;
        if (kind->is_stream) {
            tern_stream_producer p;
            tern_stream_consumer c;
            assert_status(tern_stream_attach_producer(&p, memory + 64, size), TERN_ERR_ALIGNMENT);
            assert_status(tern_stream_attach_consumer(&c, memory + 64, size), TERN_ERR_ALIGNMENT);
            assert_status(tern_stream_inspect(&stream, memory + 64, size), TERN_ERR_ALIGNMENT);
            assert_null(p.ring.shared);
        } else {
            tern_ring_producer p;
            tern_ring_consumer c;
            assert_status(tern_ring_attach_producer(&p, memory + 64, size), TERN_ERR_ALIGNMENT);
            assert_status(tern_ring_attach_consumer(&c, memory + 64, size), TERN_ERR_ALIGNMENT);
            assert_status(tern_ring_inspect(&ring, memory + 64, size), TERN_ERR_ALIGNMENT);
            assert_null(p.shared);
        }
        free(memory);
        free(zeros);
    }
}

/* A header that says paged of a ring that is not, or paged and waitable: whatever its check says. */
static void paged_headers_that_are_forged_are_corrupt(void **state)
{
    (void)state;
    const uint32_t made[] = { 0, TERN_RING_WAITABLE, TERN_RING_SEQUENCED, TERN_RING_PAGED };
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        const tern_ring_desc desc = { 64, CAPACITY, made[i] };
        size_t size = tern_ring_size(&desc);
        struct tern_ring_shared *shared = unit_memory_at(PAGE, size + ITEMS_AT);
        assert_status(tern_ring_format(shared, size, &desc), TERN_OK);
        for (uint32_t flags = 0; flags < 16; flags++) {
            tern_ring_consumer c;
            uint32_t hash = 2166136261u;   /* the check, as docs/layout.md has it */
            shared->geometry.flags = flags;
            for (size_t k = 0; k < offsetof(struct tern_ring_geometry, check); k++)
                hash = (hash ^ ((unsigned char *)&shared->geometry)[k]) * 16777619u;
            shared->geometry.check = hash;
            /* WAITABLE alone changes nothing of where things lie */
            bool same = (flags | TERN_RING_WAITABLE) == (made[i] | TERN_RING_WAITABLE)
                && flags != (TERN_RING_PAGED | TERN_RING_WAITABLE);
            assert_status(tern_ring_attach_consumer(&c, shared, size + ITEMS_AT), same ? TERN_OK : TERN_ERR_CORRUPT);
        }
        free(shared);
    }
}

/* ---- What the consumer writes --------------------------------------------------------------------- */

/* Every call of the consumer, with all but its page compared before and after. */
static void paged_consumer_writes_to_its_page_alone(void **state)
{
    (void)state;
    for (EACH_KIND(kind)) {
        size_t size = paged_size(kind);
        unsigned char *memory = unit_memory_at(PAGE, size), *before = unit_memory(size);
        assert_status(paged_format(kind, memory, size), TERN_OK);
        assert_int_equal(kind->is_stream ? stream_produces(memory, size, 4) : ring_produces(memory, size, 30), 0);
        memcpy(before, memory, size);
        assert_int_equal(paged_consumes(kind, memory, size, kind->is_stream ? 4 : 30, false), 0);
        assert_memory_equal(memory, before, BORDER);
        assert_memory_equal(memory + ITEMS_AT, before + ITEMS_AT, size - ITEMS_AT);
        assert_memory_not_equal(memory + BORDER, before + BORDER, PAGE);
        free(memory);
        free(before);
    }
}

/* ---- A consumer that protects itself -------------------------------------------------------------- */

#if defined(__linux__)

static void protect_is_refused_where_there_is_nothing_to_protect(void **state)
{
    (void)state;
    for (uint32_t flags = 0; flags < TERN_RING_PAGED; flags++) {
        const tern_ring_desc desc = { 8, CAPACITY, flags };
        void *memory = unit_memory_at(PAGE, 3 * PAGE);
        tern_ring_consumer c;
        assert_status(tern_ring_format(memory, 3 * PAGE, &desc), TERN_OK);
        assert_status(tern_ring_attach_consumer(&c, memory, 3 * PAGE), TERN_OK);
        assert_status(tern_ring_consumer_protect(&c), TERN_ERR_UNSUPPORTED);
        memset(memory, 0xff, 3 * PAGE);   /* writable as before */
        c = (tern_ring_consumer){ 0 };
        assert_status(tern_ring_consumer_protect(&c), TERN_ERR_STATE);
        free(memory);
    }
    tern_stream_consumer c = { 0 };
    assert_status(tern_stream_consumer_protect(&c), TERN_ERR_STATE);
}

/* The memory is gone: an error of the system, which errno tells. */
static void protect_of_memory_that_is_gone_says_so(void **state)
{
    (void)state;
    const tern_ring_desc desc = { 8, CAPACITY, TERN_RING_PAGED };
    size_t size = tern_ring_size(&desc);
    void *memory = shared_pages(size, NULL);
    tern_ring_consumer c;
    assert_status(tern_ring_format(memory, size, &desc), TERN_OK);
    assert_status(tern_ring_attach_consumer(&c, memory, size), TERN_OK);
    munmap(memory, size);
    errno = 0;
    assert_status(tern_ring_consumer_protect(&c), TERN_ERR_SYSTEM);
    assert_int_equal(errno, ENOMEM);
}

static void protected_consumer_consumes_in_a_process_of_its_own(void **state)
{
    (void)state;
    for (EACH_KIND(kind)) {
        size_t size = paged_size(kind);
        void *memory = shared_pages(size, NULL);
        assert_status(paged_format(kind, memory, size), TERN_OK);
        pid_t child = fork();
        if (child == 0) {
            child_default_signals();
            _exit(code_of(paged_consumes(kind, memory, size, WORKLOAD, true)));
        }
        other_end = child;
        int line = paged_produces(kind, memory, size, WORKLOAD);
        other_end = 0;
        assert_int_equal(child_end(child), 0);
        assert_int_equal(line, 0);
        munmap(memory, size);
    }
}

struct producing {
    const struct kind *kind;
    void *memory;
    size_t size;
    int line;
};

static void *produce_in_thread(void *argument)
{
    struct producing *producing = argument;
    producing->line = paged_produces(producing->kind, producing->memory, producing->size, WORKLOAD);
    return NULL;
}

/* Two mappings in one process: the producer's stays writable. */
static void protected_consumer_consumes_beside_a_thread(void **state)
{
    (void)state;
    for (EACH_KIND(kind)) {
        struct producing producing = { kind, NULL, paged_size(kind), -1 };
        pthread_t thread;
        void *memory = shared_pages(producing.size, &producing.memory);
        assert_status(paged_format(kind, memory, producing.size), TERN_OK);
        assert_int_equal(pthread_create(&thread, NULL, produce_in_thread, &producing), 0);
        assert_int_equal(paged_consumes(kind, memory, producing.size, WORKLOAD, true), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(producing.line, 0);
        munmap(memory, producing.size);
        munmap(producing.memory, producing.size);
    }
}

/* How a child ends that attaches, protects or not, and changes the byte at an offset. */
static int child_that_writes(const struct kind *kind, unsigned char *memory, size_t size, size_t at, bool protects)
{
    pid_t child = fork();
    if (child == 0) {
        tern_ring_consumer ring;
        tern_stream_consumer stream;
        volatile unsigned char *byte = memory + at;
        child_default_signals();
        if (kind->is_stream) CHILD_STATUS(tern_stream_attach_consumer(&stream, memory, size), TERN_OK);
        else CHILD_STATUS(tern_ring_attach_consumer(&ring, memory, size), TERN_OK);
        if (protects && kind->is_stream) CHILD_STATUS(tern_stream_consumer_protect(&stream), TERN_OK);
        if (protects && !kind->is_stream) {
            CHILD_STATUS(tern_ring_consumer_protect(&ring), TERN_OK);
            CHILD_STATUS(tern_ring_consumer_protect(&ring), TERN_OK);   /* once more changes nothing */
        }
        *byte = *byte;
        _exit(0);
    }
    return child_end(child);
}

static void protected_consumer_faults_where_it_must_not_write(void **state)
{
    (void)state;
    for (EACH_KIND(kind)) {
        size_t size = paged_size(kind);
        unsigned char *memory = shared_pages(size, NULL);
        /* magic, geometry, the page's middle, the producer's word and last byte; items to the ring's last byte */
        const size_t not_its[] = { 0, 8, 39, 2048, BORDER - END_BYTES, BORDER - 1, ITEMS_AT, ITEMS_AT + 20, size - 1 };
        const size_t its[] = { BORDER, BORDER + 4, BORDER + END_BYTES, ITEMS_AT - 1 };
        assert_status(paged_format(kind, memory, size), TERN_OK);
        for (size_t i = 0; i < sizeof not_its / sizeof *not_its; i++) {
            assert_int_equal(child_that_writes(kind, memory, size, not_its[i], true), 1000 + SIGSEGV);
            assert_int_equal(child_that_writes(kind, memory, size, not_its[i], false), 0);
        }
        for (size_t i = 0; i < sizeof its / sizeof *its; i++)
            assert_int_equal(child_that_writes(kind, memory, size, its[i], true), 0);
        munmap(memory, size);
    }
}

/* What a protected mapping can't be used for, by the library either. */
static void protected_mapping_is_no_producers(void **state)
{
    (void)state;
    const struct kind *kind = &kinds[0];
    size_t size = paged_size(kind);
    void *memory = shared_pages(size, NULL);
    assert_status(paged_format(kind, memory, size), TERN_OK);
    pid_t child = fork();
    if (child == 0) {
        tern_ring_consumer c;
        tern_ring_producer p;
        child_default_signals();
        CHILD_STATUS(tern_ring_attach_consumer(&c, memory, size), TERN_OK);
        CHILD_STATUS(tern_ring_consumer_protect(&c), TERN_OK);
        CHILD_STATUS(tern_ring_attach_producer(&p, memory, size), TERN_OK);
        numbered item = item_of(0);
        (void)tern_ring_push(&p, &item);
        _exit(0);
    }
    assert_int_equal(child_end(child), 1000 + SIGSEGV);
    munmap(memory, size);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paged_sizes_are_whole_pages),
        cmocka_unit_test(paged_words_and_items_lie_as_documented),
        cmocka_unit_test(paged_memory_that_is_not_whole_pages_is_refused),
        cmocka_unit_test(paged_headers_that_are_forged_are_corrupt),
        cmocka_unit_test(paged_consumer_writes_to_its_page_alone),
#if defined(__linux__)
        cmocka_unit_test(protect_is_refused_where_there_is_nothing_to_protect),
        cmocka_unit_test(protect_of_memory_that_is_gone_says_so),
        cmocka_unit_test(protected_consumer_consumes_in_a_process_of_its_own),
        cmocka_unit_test(protected_consumer_consumes_beside_a_thread),
        cmocka_unit_test(protected_consumer_faults_where_it_must_not_write),
        cmocka_unit_test(protected_mapping_is_no_producers),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
