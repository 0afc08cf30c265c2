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

/* ---- In a region ------------------------------------------------------------------------------------ */

/* Beside other objects, paged ones have their pages for themselves. */
static void paged_objects_in_a_region_share_no_page(void **state)
{
    (void)state;
    enum { SIZE = 64 * PAGE };
    const tern_ring_desc small = { 8, 4, 0 }, paged = { 8, 4, TERN_RING_PAGED }, odd = { 100, 64, TERN_RING_PAGED };
    const tern_stream_desc stream = { 8192, TERN_STREAM_PAGED };
    unsigned char *memory = unit_memory_at(PAGE, SIZE);
    tern_region region;
    tern_ring_producer p[5];
    tern_stream_producer sender;
    tern_object object;
    uint64_t cursor = 0, end = tern_region_size(NULL);
    uint32_t found = 0;
    assert_status(tern_region_format(memory, SIZE, NULL), TERN_OK);
    assert_status(tern_region_attach(&region, memory, SIZE, NULL), TERN_OK);
    assert_status(tern_ring_open_producer(&p[0], &region, "a", &small), TERN_OK);
    assert_status(tern_ring_open_producer(&p[1], &region, "b", &paged), TERN_OK);
    assert_status(tern_ring_open_producer(&p[2], &region, "c", &small), TERN_OK);
    assert_status(tern_stream_open_producer(&sender, &region, "d", &stream), TERN_OK);
    assert_status(tern_ring_open_producer(&p[3], &region, "e", &odd), TERN_OK);
    assert_status(tern_ring_open_producer(&p[4], &region, "f", &small), TERN_OK);
    while (tern_region_next(&region, &cursor, &object)) {
        bool is_paged = strchr("bde", object.name[0]) != NULL;
        assert_status(object.status, TERN_OK);
        assert_true(object.offset_bytes >= end);                       /* as they were added */
        if (is_paged) assert_int_equal(object.offset_bytes % PAGE + object.size_bytes % PAGE, 0);
        else assert_true(object.offset_bytes - end < 128);             /* and only those leave space out */
        end = object.offset_bytes + object.size_bytes;
        found++;
    }
    assert_int_equal(found, 6);
    assert_status(tern_ring_open_consumer(&(tern_ring_consumer){ 0 }, &region, "b", &small), TERN_ERR_MISMATCH);
    assert_status(tern_ring_open_consumer(&(tern_ring_consumer){ 0 }, &region, "c", &paged), TERN_ERR_MISMATCH);
    tern_ring_detach_producer(&p[1]);
    assert_status(tern_region_find(&region, "b", TERN_TYPE_RING, &object), TERN_OK);
    tern_region_detach(&region);
    free(memory);
}

static void paged_objects_need_a_region_that_begins_at_a_page(void **state)
{
    (void)state;
    enum { SIZE = 20 * PAGE };
    const tern_ring_desc paged = { 8, 4, TERN_RING_PAGED }, small = { 8, 4, 0 };
    const tern_stream_desc stream = { 8192, TERN_STREAM_PAGED };
    unsigned char *memory = unit_memory_at(PAGE, SIZE);
    tern_region region;
    tern_ring_producer p;
    tern_stream_producer sender;
    assert_status(tern_region_format(memory + 128, SIZE - 128, NULL), TERN_OK);
    assert_status(tern_region_attach(&region, memory + 128, SIZE - 128, NULL), TERN_OK);
    assert_status(tern_ring_open_producer(&p, &region, "r", &paged), TERN_ERR_ALIGNMENT);
    assert_status(tern_stream_open_producer(&sender, &region, "s", &stream), TERN_ERR_ALIGNMENT);
    assert_null(p.shared);
    assert_status(tern_ring_open_producer(&p, &region, "r", &small), TERN_OK);   /* the name was not taken */
    tern_region_detach(&region);
    free(memory);
}

/* A maker that was evicted had taken memory for the name, at no page, or at one by chance: only there a paged
 * ring goes on, and where it doesn't the name is as it was. */
static void paged_object_takes_over_only_what_begins_at_a_page(void **state)
{
    (void)state;
    enum { SIZE = 40 * PAGE };
    const tern_ring_desc paged = { 8, 4, TERN_RING_PAGED }, small = { 8, 4, 0 };
    unsigned char *memory = unit_memory_at(PAGE, SIZE);
    tern_region dead, region;
    tern_ring_producer p;
    tern_object first, object, last;
    assert_status(tern_region_format(memory, SIZE, NULL), TERN_OK);
    assert_status(tern_region_attach(&dead, memory, SIZE, NULL), TERN_OK);
    assert_status(tern_region_attach(&region, memory, SIZE, NULL), TERN_OK);
    size_t to_page = (0 - tern_region_size(NULL)) % PAGE;
    assert_status(tern_region_claim(&dead, "first", TERN_TYPE_RING, to_page, &first), TERN_OK);
    assert_status(tern_region_claim(&dead, "page", TERN_TYPE_RING, 4 * PAGE + 128, &object), TERN_OK);
    assert_int_equal(object.offset_bytes % PAGE, 0);
    assert_status(tern_region_claim(&dead, "none", TERN_TYPE_RING, 4 * PAGE, &last), TERN_OK);
    assert_int_equal(last.offset_bytes % PAGE, 128);
    assert_status(tern_peer_evict(&region, dead.peer, NULL), TERN_OK);
    assert_status(tern_ring_open_producer(&p, &region, "none", &paged), TERN_ERR_MISMATCH);
    assert_status(tern_ring_open_producer(&p, &region, "page", &paged), TERN_OK);
    assert_ptr_equal(p.shared, object.memory);
    tern_ring_detach_producer(&p);
    assert_status(tern_ring_open_producer(&p, &region, "none", &small), TERN_OK);
    assert_ptr_equal(p.shared, last.memory);
    tern_region_detach(&region);
    free(memory);
}

/* The heap's last page: a paged ring fits to the byte, and one page less is FULL, not too much. */
static void paged_objects_fill_a_region_to_its_end(void **state)
{
    (void)state;
    const tern_ring_desc paged = { 8, 4, TERN_RING_PAGED };
    size_t before = (tern_region_size(NULL) + PAGE - 1) / PAGE * PAGE, size = before + tern_ring_size(&paged);
    for (size_t less = 0; less <= 3 * PAGE; less += 64) {
        unsigned char *memory = unit_memory_at(PAGE, size);
        tern_region region;
        tern_ring_producer p;
        assert_status(tern_region_format(memory, size - less, NULL), TERN_OK);
        assert_status(tern_region_attach(&region, memory, size - less, NULL), TERN_OK);
        assert_status(tern_ring_open_producer(&p, &region, "r", &paged), less == 0 ? TERN_OK : TERN_ERR_FULL);
        tern_region_detach(&region);
        free(memory);
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
        cmocka_unit_test(paged_objects_in_a_region_share_no_page),
        cmocka_unit_test(paged_objects_need_a_region_that_begins_at_a_page),
        cmocka_unit_test(paged_object_takes_over_only_what_begins_at_a_page),
        cmocka_unit_test(paged_objects_fill_a_region_to_its_end),
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
