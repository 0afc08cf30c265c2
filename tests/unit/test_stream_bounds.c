/* SPDX-License-Identifier: MIT */
/* test_stream_bounds.c: what the stream refuses: bad descriptions, bad memory, damaged headers,
 * rings, and a peer that writes whatever it likes: indices, lengths, kinds. The memory ends with
 * the object, so that under ASan an access outside ends the test. */
#include <sys/mman.h>

#include "stream_fixture.h"

enum { CAPACITY = 64, UNITS = 8, MOST = 32 };

static void stream_size_follows_the_description(void **state)
{
    (void)state;
    assert_int_equal(tern_stream_size(NULL), 0);
    assert_int_equal(tern_stream_size(&(tern_stream_desc){ 64, 2 }), 0);
    assert_int_equal(tern_stream_size(&(tern_stream_desc){ 64, 0x80000000u }), 0);
    assert_int_equal(tern_stream_size(&(tern_stream_desc){ 64, TERN_STREAM_PAGED | TERN_STREAM_WAITABLE }), 0);
    assert_int_equal(tern_stream_size(&(tern_stream_desc){ (UINT64_C(1) << 33) + 1, 0 }), 0);
    assert_int_equal(tern_stream_size(&(tern_stream_desc){ UINT64_MAX, 0 }), 0);
    assert_int_equal(tern_stream_size(&(tern_stream_desc){ 0, 0 }), 384 + 65536);
    assert_int_equal(tern_stream_size(&(tern_stream_desc){ 1, 0 }), 384 + 16);
    assert_int_equal(tern_stream_size(&(tern_stream_desc){ 17, 0 }), 384 + 32);
    assert_int_equal(tern_stream_size(&(tern_stream_desc){ 65, TERN_STREAM_WAITABLE }), 384 + 128);
    if (sizeof(size_t) == 8) {
        assert_true(tern_stream_size(&(tern_stream_desc){ UINT64_C(1) << 33, 0 }) == 384 + (UINT64_C(1) << 33));
        assert_true(tern_stream_size(&(tern_stream_desc){ (UINT64_C(1) << 32) + 1, 0 }) == 384 + (UINT64_C(1) << 33));
    } else {
        assert_int_equal(tern_stream_size(&(tern_stream_desc){ UINT64_C(1) << 33, 0 }), 0);
    }
}

static void stream_format_refuses_bad_memory(void **state)
{
    (void)state;
    tern_stream_desc desc = { CAPACITY, 0 };
    size_t size = tern_stream_size(&desc);
    unsigned char *memory = unit_memory(size + 64), *before = unit_memory(size + 64);
    assert_status(tern_stream_format(NULL, size, &desc), TERN_ERR_ARGUMENT);
    assert_status(tern_stream_format(memory, size, NULL), TERN_ERR_ARGUMENT);
    assert_status(tern_stream_format(memory, size, &(tern_stream_desc){ CAPACITY, 8 }), TERN_ERR_ARGUMENT);
    assert_status(tern_stream_format(memory, size, &(tern_stream_desc){ CAPACITY, TERN_RING_SEQUENCED }),
                  TERN_ERR_ARGUMENT);
    assert_status(tern_stream_format(memory, size, &(tern_stream_desc){ UINT64_MAX, 0 }), TERN_ERR_ARGUMENT);
    assert_status(tern_stream_format(memory + 32, size, &desc), TERN_ERR_ALIGNMENT);
    assert_status(tern_stream_format(memory, size - 1, &desc), TERN_ERR_MEMORY);
    assert_status(tern_stream_format(memory, 0, &desc), TERN_ERR_MEMORY);
    assert_memory_equal(memory, before, size + 64);    /* nothing half-made */
    assert_status(tern_stream_format(memory + 64, size, &desc), TERN_OK);
    free(memory);
    free(before);
}

static void stream_attach_answers_each_fault_by_its_status(void **state)
{
    (void)state;
    struct fixture f = make(CAPACITY, 0, 0);
    tern_stream_producer p;
    tern_stream_consumer c;
    tern_stream_info info;
    const tern_stream_producer no_p = { 0 };
    const tern_stream_consumer no_c = { 0 };
    unsigned char *odd = unit_memory(f.size + 64);
    assert_status(tern_stream_attach_producer(&p, NULL, f.size), TERN_ERR_ARGUMENT);
    assert_status(tern_stream_attach_producer(&p, odd + 8, f.size), TERN_ERR_ALIGNMENT);
    assert_status(tern_stream_attach_consumer(&c, odd, f.size), TERN_ERR_NOT_READY);
    for (size_t size = 0; size < f.size; size++) {
        assert_status(tern_stream_attach_producer(&p, f.shared, size), TERN_ERR_MEMORY);
        assert_status(tern_stream_attach_consumer(&c, f.shared, size), TERN_ERR_MEMORY);
        assert_status(tern_stream_inspect(&info, f.shared, size), TERN_ERR_MEMORY);
    }
    memset(odd, 'x', f.size);
    assert_status(tern_stream_attach_producer(&p, odd, f.size), TERN_ERR_CORRUPT);
    f.shared->geometry.layout_version++;
    assert_status(tern_stream_attach_consumer(&c, f.shared, f.size), TERN_ERR_VERSION);
    f.shared->geometry.layout_version--;
    tern_a32_store_relaxed(&f.shared->producer.word, (UNITS + 1) << 1);
    assert_status(tern_stream_attach_producer(&p, f.shared, f.size), TERN_ERR_CORRUPT);
    assert_status(tern_stream_attach_consumer(&c, f.shared, f.size), TERN_ERR_CORRUPT);
    assert_memory_equal(&p, &no_p, sizeof p);
    assert_memory_equal(&c, &no_c, sizeof c);
    tern_a32_store_relaxed(&f.shared->producer.word, UNITS << 1);
    assert_status(tern_stream_attach_producer(&p, f.shared, f.size), TERN_OK);
    assert_int_equal(tern_stream_producer_was_used_bytes(&p), CAPACITY);
    assert_true(p.capacity_bytes == CAPACITY && p.max_record_bytes == MOST && p.may_block);
    assert_int_equal(p.spin_checks, TERN_SPIN_CHECKS);
    free(odd);
    drop(&f);
}

static void stream_and_ring_are_not_taken_for_each_other(void **state)
{
    (void)state;
    tern_ring_desc ring = { 8, UNITS, TERN_RING_WAITABLE };
    struct fixture f = make(CAPACITY, TERN_STREAM_WAITABLE, 0);
    tern_ring_producer ring_p;
    tern_ring_consumer ring_c;
    tern_ring_info ring_info;
    tern_stream_info info;
    assert_int_equal(tern_ring_size(&ring), f.size);
    assert_status(tern_ring_attach_producer(&ring_p, f.shared, f.size), TERN_ERR_CORRUPT);
    assert_status(tern_ring_attach_consumer(&ring_c, f.shared, f.size), TERN_ERR_CORRUPT);
    assert_status(tern_ring_inspect(&ring_info, f.shared, f.size), TERN_ERR_CORRUPT);
    drop(&f);
    /* the other way, whatever the ring's items; and a ring that says it is a stream */
    for (uint32_t lie = 0; lie < 4; lie++) {
        for (uint32_t item_size = 1; item_size <= 24; item_size++) {
            for (uint32_t capacity = 1; capacity <= 8; capacity *= 2) {
                ring = (tern_ring_desc){ item_size, capacity, lie & TERN_RING_SEQUENCED };
                size_t size = tern_ring_size(&ring);
                struct tern_ring_shared *shared = unit_memory(size);
                assert_status(tern_ring_format(shared, size, &ring), TERN_OK);
                if (lie & 1) tern_a32_store_relaxed(&shared->magic, TERN_STREAM_MAGIC);
                tern_status expected = lie == 1 && item_size == 8 && capacity >= 2 ? TERN_OK : TERN_ERR_CORRUPT;
                assert_status(tern_stream_attach_producer(&f.p, shared, size), expected);
                assert_status(tern_stream_attach_consumer(&f.c, shared, size), expected);
                assert_status(tern_stream_inspect(&info, shared, size), expected);
                assert_int_equal(f.p.ring.shared == NULL, expected != TERN_OK);
                assert_int_equal(f.c.ring.shared == NULL, expected != TERN_OK);
                free(shared);
            }
        }
    }
}

/* Each constant word, each interesting value: an error or the untouched value, never more. */
static void stream_attach_with_any_header_word_changed_fails(void **state)
{
    (void)state;
    struct fixture f = make(CAPACITY, TERN_STREAM_WAITABLE, 0);
    const uint32_t values[] = { 0, 1, UNITS - 1, UNITS, UNITS + 1, 0x7fffffff, 0x80000000, UINT32_MAX };
    for (size_t i = 0; i <= sizeof(struct tern_ring_geometry) / 4; i++) {
        /* the magic, then every word of the geometry */
        unsigned char *at = i == 0 ? (unsigned char *)f.shared : (unsigned char *)&f.shared->geometry + (i - 1) * 4;
        uint32_t right;
        memcpy(&right, at, 4);
        for (size_t k = 0; k < sizeof values / sizeof *values + 2; k++) {
            uint32_t wrong = k < sizeof values / sizeof *values ? values[k] : right + (k & 1 ? 1u : UINT32_MAX);
            tern_stream_info info;
            if (wrong == right) continue;
            memcpy(at, &wrong, 4);
            assert_true(tern_stream_attach_producer(&f.p, f.shared, f.size) < 0);
            assert_true(tern_stream_attach_consumer(&f.c, f.shared, f.size) < 0);
            assert_true(tern_stream_inspect(&info, f.shared, f.size) < 0);
        }
        memcpy(at, &right, 4);
    }
    assert_status(tern_stream_attach_producer(&f.p, f.shared, f.size), TERN_OK);
    assert_status(tern_stream_attach_consumer(&f.c, f.shared, f.size), TERN_OK);
    drop(&f);
}

/* ---- Lying peers ------------------------------------------------------------------------------ */

typedef enum { PEEK, RECEIVE, PEEK_WAIT, RECEIVE_WAIT, CALLS } call;

/* One call of the consumer; every byte that it is told of is read. True: a record. */
static bool look(struct fixture *f, call how, uint32_t *length, uint32_t *kind, tern_status *status)
{
    unsigned char out[MOST];
    const void *record = NULL;
    volatile unsigned char sum = 0;
    bool got;
    *status = TERN_OK;
    if (how == RECEIVE) {
        got = tern_stream_receive(&f->c, out, MOST, length, kind);
    } else if (how == RECEIVE_WAIT) {
        *status = tern_stream_receive_wait(&f->c, out, MOST, length, kind, 0);
        got = *status == TERN_OK;
    } else {
        if (how == PEEK) record = tern_stream_peek(&f->c, length, kind);
        else *status = tern_stream_peek_wait(&f->c, &record, length, kind, 0);
        got = record != NULL;
        assert_int_equal(how == PEEK || got, how == PEEK || *status == TERN_OK);
        for (uint32_t i = 0; got && i < *length; i++) sum = (unsigned char)(sum + ((const unsigned char *)record)[i]);
        if (got) tern_stream_release(&f->c);
    }
    return got;
}

/* A header with this length at `start`, in front of `published` units. */
static void lying_length(uint32_t start, uint32_t published, uint32_t lie, call how)
{
    struct fixture f = make(CAPACITY, TERN_STREAM_WAITABLE, start);
    uint32_t whole = whole_at(&f, start), length, kind, units = units_of(lie);
    tern_status status;
    const uint32_t header[2] = { lie, 0xabcdef01 };
    memset(f.shared + 1, 0, CAPACITY);
    memcpy(unit_at(&f, start), header, 8);
    tern_a32_store_relaxed(&f.shared->producer.word, (start + published) << 1);
    tern_stream_consumer_release_every(&f.c, 1);
    bool record = lie <= MOST && units <= published && units <= whole;
    bool padding = lie == TERN__STREAM_PADDING && whole <= published && whole <= UNITS / 2;
    bool got = look(&f, how, &length, &kind, &status);
    if (record) {
        assert_true(got && length == lie && kind == 0xabcdef01);
        assert_int_equal(tern_a32_load_relaxed(&f.shared->consumer.word) >> 1, (start + units) & 0x7fffffff);
    } else if (padding) {
        /* behind it zeroes: a record of no bytes, or nothing */
        assert_int_equal(got, published > whole);
        assert_true(length == 0 && kind == 0);
        if (!got && how >= PEEK_WAIT) assert_status(status, TERN_ERR_TIMEOUT);
        assert_status(tern_stream_consumer_status(&f.c), TERN_OK);
    } else {
        assert_true(!got && length == 0 && kind == 0);
        assert_status(tern_stream_consumer_status(&f.c), TERN_ERR_CORRUPT);
        if (how >= PEEK_WAIT) assert_status(status, TERN_ERR_CORRUPT);
        assert_int_equal(tern_a32_load_relaxed(&f.shared->consumer.word) >> 1, start);
        /* and so it stays, at once, however long a call may wait */
        assert_false(look(&f, how, &length, &kind, &status));
        const void *none;
        assert_status(tern_stream_peek_wait(&f.c, &none, &length, &kind, TERN_WAIT_FOREVER), TERN_ERR_CORRUPT);
    }
    drop(&f);
}

static void stream_bounds_whatever_length_the_producer_writes(void **state)
{
    (void)state;
    const uint32_t lies[] = {
        0, 1, 7, 8, 9, 15, 16, 17, 23, 24, 25, MOST - 1, MOST, MOST + 1, 40, 48, 55, 56, 57, CAPACITY - 1, CAPACITY,
        CAPACITY + 1, 2 * CAPACITY, 0x7ffffff0, 0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffff1, 0xfffffff7, 0xfffffff8,
        0xfffffff9, 0xfffffffe, UINT32_MAX,
    };
    for (uint32_t start = 0; start < UNITS; start++)
        for (uint32_t published = 1; published <= UNITS; published++)
            for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
                for (int how = 0; how < CALLS; how++) {
                    lying_length(start, published, lies[i], (call)how);
                    lying_length(0x7ffffff8 + start, published, lies[i], (call)how);
                }
}

/* Padding behind padding for ever: a call that does not wait comes back. */
static void stream_of_nothing_but_padding_is_corrupt(void **state)
{
    (void)state;
    for (uint32_t start = 0; start < UNITS; start++) {
        struct fixture f = make(CAPACITY, 0, start);
        uint32_t length, kind;
        memset(f.shared + 1, 0xff, CAPACITY);
        tern_a32_store_relaxed(&f.shared->producer.word, (start + UNITS) << 1);
        for (int i = 0; i < 5; i++) {
            assert_null(tern_stream_peek(&f.c, &length, &kind));
            tern_a32_store_relaxed(&f.shared->producer.word,
                                   (tern_a32_load_relaxed(&f.shared->consumer.word) & ~1u) + (UNITS << 1));
        }
        assert_status(tern_stream_consumer_status(&f.c), TERN_ERR_CORRUPT);
        drop(&f);
    }
}

/* A record that changes between peek and release: what is released is what was lent. */
static void stream_header_is_not_read_again_by_release(void **state)
{
    (void)state;
    const uint32_t lies[] = { 0, 9, MOST, CAPACITY, 0x7fffffff, UINT32_MAX };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct fixture f = make(CAPACITY, 0, 3);
        unsigned char data[8] = { 0 };
        uint32_t length, kind;
        tern_stream_consumer_release_every(&f.c, 1);
        assert_true(tern_stream_send(&f.p, 1, data, 8));
        assert_non_null(tern_stream_peek(&f.c, &length, &kind));
        memcpy(unit_at(&f, 3), &lies[i], 4);
        tern_stream_release(&f.c);
        assert_int_equal(tern_a32_load_relaxed(&f.shared->consumer.word), 5 << 1);
        assert_null(tern_stream_peek(&f.c, &length, &kind));
        assert_status(tern_stream_consumer_status(&f.c), TERN_OK);
        drop(&f);
    }
}

#if !defined(TERN_DEBUG) || !TERN_DEBUG
/* What was lent once, and is gone at the next look, can't be released any more. */
static void stream_release_of_a_record_that_changed_releases_nothing(void **state)
{
    (void)state;
    struct fixture f = make(CAPACITY, 0, 6);
    unsigned char data[8] = { 0 };
    uint32_t length, kind, padding = TERN__STREAM_PADDING, wrong = CAPACITY;
    tern_stream_consumer_release_every(&f.c, 1);
    assert_true(tern_stream_send(&f.p, 1, data, 8));
    assert_non_null(tern_stream_peek(&f.c, &length, &kind));
    memcpy(unit_at(&f, 6), &wrong, 4);
    assert_null(tern_stream_peek(&f.c, &length, &kind));
    tern_stream_release(&f.c);
    assert_int_equal(tern_a32_load_relaxed(&f.shared->consumer.word), 6 << 1);
    memcpy(unit_at(&f, 6), &padding, 4);
    assert_null(tern_stream_peek(&f.c, &length, &kind));
    tern_stream_release(&f.c);
    assert_int_equal(tern_a32_load_relaxed(&f.shared->consumer.word), 8 << 1);
    drop(&f);
}
#endif

/* The producer's header of a reserved record is the consumer's to spoil; it is not read back. */
static void stream_producer_reads_no_header_back(void **state)
{
    (void)state;
    struct fixture f = make(CAPACITY, TERN_STREAM_WAITABLE, 0);
    unsigned char data[MOST] = { 0 };
    uint32_t length, kind;
    for (uint32_t i = 0; i < 200; i++) {
        memset(f.shared + 1, 0xff, CAPACITY);
        unsigned char *at = tern_stream_reserve(&f.p, i % (MOST + 1));
        if (!at) {
            /* padding went in; look over it */
            memset(unit_at(&f, f.c.ring.head), 0xff, 4);
            assert_null(tern_stream_peek(&f.c, &length, &kind));
            at = tern_stream_reserve(&f.p, i % (MOST + 1));
        }
        assert_non_null(at);
        memset(f.shared + 1, 0xff, CAPACITY);
        tern_stream_set_kind(&f.p, i);
        tern_stream_commit(&f.p, i % (MOST + 1));
        assert_status(tern_stream_receive_wait(&f.c, data, MOST, &length, &kind, 0), TERN_OK);
        assert_true(length == i % (MOST + 1) && kind == i);
    }
    drop(&f);
}

/* Any index of a peer gives a documented answer and touches no byte outside. */
static void stream_bounds_whatever_index_the_peer_writes(void **state)
{
    (void)state;
    const uint32_t own[] = { 0, 1, 7, 100, 0x7ffffffe };
    for (size_t o = 0; o < sizeof own / sizeof *own; o++) {
        const uint32_t lies[] = { 0, 1, 2, UNITS - 1, UNITS, UNITS + 1, 0x3fffffff, 0x40000000, 0x7fffffff,
                                  own[o], own[o] - 1, own[o] + 1, own[o] + UNITS, own[o] + UNITS + 1,
                                  own[o] - UNITS, own[o] - UNITS - 1 };
        for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
            uint32_t lie = lies[i] & 0x7fffffff, length, kind;
            uint32_t ahead = (lie - own[o]) & 0x7fffffff, behind = (own[o] - lie) & 0x7fffffff;
            for (uint32_t want = 0; want <= MOST; want++) {
                struct fixture f = make(CAPACITY, TERN_STREAM_WAITABLE, own[o]);
                tern_status status;
                tern_a32_store_relaxed(&f.shared->producer.word, lie << 1);
                bool got = look(&f, (call)(want % CALLS), &length, &kind, &status);    /* of zeroes */
                assert_int_equal(got, ahead != 0 && ahead <= UNITS);
                assert_status(tern_stream_consumer_status(&f.c), ahead <= UNITS ? TERN_OK : TERN_ERR_CORRUPT);
                assert_true(tern_stream_consumer_was_used_bytes(&f.c) <= CAPACITY);
                tern_a32_store_relaxed(&f.shared->consumer.word, lie << 1);
                unsigned char *at = tern_stream_reserve(&f.p, want);
                if (at) memset(at, 1, want);
                if (at) tern_stream_commit(&f.p, want);
                if (behind > UNITS) assert_null(at);
                assert_status(tern_stream_producer_status(&f.p), behind <= UNITS ? TERN_OK : TERN_ERR_CORRUPT);
                if (behind > UNITS)
                    assert_status(tern_stream_send_wait(&f.p, 0, f.model, want, TERN_WAIT_FOREVER), TERN_ERR_CORRUPT);
                assert_true(tern_stream_producer_was_used_bytes(&f.p) <= CAPACITY);
                drop(&f);
            }
        }
    }
}

/* Geometry is never read again: whatever happens to the header after attach changes nothing. */
static void stream_geometry_is_not_read_after_attach(void **state)
{
    (void)state;
    struct fixture f = make(CAPACITY, TERN_STREAM_WAITABLE, 0);
    memset(&f.shared->geometry, 0xff, sizeof f.shared->geometry);
    for (uint32_t i = 0; i < 100; i++) {
        unsigned char data[MOST], out[MOST];
        uint32_t length, kind;
        fill(data, i % MOST, i);
        if (!tern_stream_send(&f.p, i, data, i % MOST)) {
            assert_null(tern_stream_peek(&f.c, &length, &kind));
            assert_status(tern_stream_send_wait(&f.p, i, data, i % MOST, 0), TERN_OK);
        }
        assert_status(tern_stream_receive_wait(&f.c, out, MOST, &length, &kind, 0), TERN_OK);
        assert_true(kind == i && length == i % MOST);
        assert_memory_equal(data, out, length);
    }
    drop(&f);
}

/* The largest one, of which a few pages are touched: no offset or length is cut to 32 bits. */
static void stream_of_8_gib_carries_records_of_4(void **state)
{
    (void)state;
    tern_stream_desc desc = { UINT64_C(1) << 33, 0 };
    size_t size = tern_stream_size(&desc);
    void *memory = MAP_FAILED;
    if (size != 0)
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) unit_skip("no address space for 8 GiB");
    struct tern_ring_shared *shared = memory;
    const uint32_t units = 1u << 30, most = 0xfffffff8u;
    unsigned char *first = (unsigned char *)(shared + 1);
    tern_stream_producer p;
    tern_stream_consumer c;
    uint32_t length, kind;
    assert_status(tern_stream_format(memory, size, &desc), TERN_OK);
    tern_a32_store_relaxed(&shared->producer.word, (units - 3) << 1);
    tern_a32_store_relaxed(&shared->consumer.word, (units - 3) << 1);
    assert_status(tern_stream_attach_producer(&p, memory, size), TERN_OK);
    assert_status(tern_stream_attach_consumer(&c, memory, size), TERN_OK);
    assert_true(p.capacity_bytes == UINT64_C(1) << 33 && p.max_record_bytes == most && c.max_record_bytes == most);
    assert_true(tern_stream_send(&p, 1, "eight by", 8));
    assert_memory_equal(first + ((uint64_t)units - 2) * 8, "eight by", 8);
    unsigned char *at = tern_stream_reserve(&p, most);        /* behind padding of one unit */
    assert_ptr_equal(at, first + 8);
    at[most - 1] = 77;
    tern_stream_commit(&p, most);
    assert_null(tern_stream_reserve(&p, most + 1));
    assert_status(tern_stream_producer_status(&p), TERN_ERR_ARGUMENT);
    assert_int_equal(tern_stream_producer_was_used_bytes(&p), 24 + (uint64_t)most + 8);
    assert_ptr_equal(tern_stream_peek(&c, &length, &kind), first + ((uint64_t)units - 2) * 8);
    tern_stream_release(&c);
    const unsigned char *seen = tern_stream_peek(&c, &length, &kind);
    assert_ptr_equal(seen, at);
    assert_true(length == most && seen[most - 1] == 77);
    tern_stream_release(&c);
    assert_null(tern_stream_peek(&c, &length, &kind));
    assert_int_equal(tern_stream_consumer_was_used_bytes(&c), 0);
    munmap(memory, size);
}

static void stream_opens_by_name_in_a_region(void **state)
{
    (void)state;
    tern_region region, main_region;
    tern_stream_producer p;
    tern_stream_consumer c;
    tern_ring_producer ring;
    tern_stream_desc desc = { 1000, TERN_STREAM_WAITABLE }, other = { 2000, TERN_STREAM_WAITABLE }, plain = { 1000, 0 };
    tern_ring_desc ring_desc = { 8, 128, TERN_RING_WAITABLE };
    tern_attach_desc main_desc = { 0, TERN_DOMAIN_MAIN };
    size_t size = tern_region_size(NULL) + 8192;
    uint32_t length, kind;
    char out[8];
    void *memory = unit_memory(size);
    assert_status(tern_region_format(memory, size, NULL), TERN_OK);
    assert_status(tern_region_attach(&region, memory, size, NULL), TERN_OK);
    assert_status(tern_region_attach(&main_region, memory, size, &main_desc), TERN_OK);
    assert_status(tern_stream_open_producer(&p, &region, "log", NULL), TERN_ERR_NOT_FOUND);
    assert_status(tern_stream_open_producer(&p, &region, "log", &(tern_stream_desc){ 0, 8 }), TERN_ERR_ARGUMENT);
    assert_status(tern_stream_open_producer(&p, &region, "log", &desc), TERN_OK);
    assert_true(p.capacity_bytes == 1024 && p.may_block);
    assert_status(tern_stream_open_consumer(&c, &region, "log", &other), TERN_ERR_MISMATCH);
    assert_status(tern_stream_open_consumer(&c, &region, "log", &plain), TERN_ERR_MISMATCH);
    assert_null(c.ring.shared);
    assert_status(tern_ring_open_producer(&ring, &region, "log", &ring_desc), TERN_ERR_MISMATCH);
    assert_status(tern_ring_open_producer(&ring, &region, "log", NULL), TERN_ERR_MISMATCH);
    assert_status(tern_stream_open_consumer(&c, &main_region, "log", &desc), TERN_OK);
    assert_false(c.may_block);
    assert_true(tern_stream_send(&p, 3, "text", 4));
    assert_true(tern_stream_receive(&c, out, 8, &length, &kind));
    assert_true(length == 4 && kind == 3 && memcmp(out, "text", 4) == 0);
    assert_status(tern_stream_receive_wait(&c, out, 8, &length, &kind, 0), TERN_ERR_DOMAIN);
    assert_status(tern_stream_open_producer(&p, &region, "big", &(tern_stream_desc){ 1 << 20, 0 }), TERN_ERR_FULL);
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_size_follows_the_description),
        cmocka_unit_test(stream_format_refuses_bad_memory),
        cmocka_unit_test(stream_attach_answers_each_fault_by_its_status),
        cmocka_unit_test(stream_and_ring_are_not_taken_for_each_other),
        cmocka_unit_test(stream_attach_with_any_header_word_changed_fails),
        cmocka_unit_test(stream_bounds_whatever_length_the_producer_writes),
        cmocka_unit_test(stream_of_nothing_but_padding_is_corrupt),
        cmocka_unit_test(stream_header_is_not_read_again_by_release),
#if !defined(TERN_DEBUG) || !TERN_DEBUG
        cmocka_unit_test(stream_release_of_a_record_that_changed_releases_nothing),
#endif
        cmocka_unit_test(stream_producer_reads_no_header_back),
        cmocka_unit_test(stream_bounds_whatever_index_the_peer_writes),
        cmocka_unit_test(stream_geometry_is_not_read_after_attach),
        cmocka_unit_test(stream_of_8_gib_carries_records_of_4),
        cmocka_unit_test(stream_opens_by_name_in_a_region),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
