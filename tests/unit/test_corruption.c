/* SPDX-License-Identifier: MIT */
/* test_corruption.c: every word of every object x boundary values x every call that takes an object's
 * bytes. What is refused is refused by a documented status and leaves no view; what is accepted is used.
 * Regions, and what is opened by name in them, are in test_corruption_region.c. */
#include "corruption.h"

/* ---- The objects, as they are when formatted (0) and in the middle of their use (1) ------------------- */

/* of the bell, the last leaf is not full */
enum { RING_ITEMS = 8, RECORD_BYTES = 128, FRAME_BYTES = 40, POOL_ITEMS = 3, SOURCES = 1000 };

static const tern_ring_desc ring_desc = { 8, RING_ITEMS, TERN_RING_WAITABLE };
static const tern_ring_desc plain_desc = { 12, 4, 0 };
static const tern_ring_desc sequenced_desc = { 12, RING_ITEMS, TERN_RING_WAITABLE | TERN_RING_SEQUENCED };
static const tern_ring_desc paged_desc = { 12, 4, TERN_RING_PAGED };
static const tern_stream_desc stream_desc = { RECORD_BYTES, TERN_STREAM_WAITABLE };
static const tern_stream_desc paged_stream_desc = { RECORD_BYTES, TERN_STREAM_PAGED };
static const tern_triple_desc triple_desc = { FRAME_BYTES };
static const tern_pool_desc pool_desc = { 8, POOL_ITEMS };
static const tern_bell_desc bell_desc = { SOURCES };
static const tern_bell_desc flat_desc = { 31 };

/* The counters of both ends, and the sequences that go with them, shortly before they wrap. */
static void start_near_wrap(unsigned char *memory, bool paged, uint32_t sequenced_items, uint32_t slot_bytes)
{
    struct tern_ring_end *ends = (struct tern_ring_end *)(void *)(memory + (paged ? 4096 - 128 : 128));
    const uint32_t start = 0x7ffffffc;
    tern_a32_store_relaxed(&ends[0].word, start << 1);
    tern_a32_store_relaxed(&ends[1].word, start << 1);
    for (uint32_t i = start; i != start + sequenced_items; i++) {
        uint32_t word = (i + 1 - sequenced_items) << 1;
        memcpy(memory + sizeof(struct tern_ring_shared) + (i % sequenced_items + 1) * (size_t)slot_bytes - 4, &word, 4);
    }
}

static void make_ring_of(const tern_ring_desc *desc, unsigned char *memory, size_t size, int used)
{
    tern_ring_producer p;
    tern_ring_consumer c;
    assert_status(tern_ring_format(memory, size, desc), TERN_OK);
    if (!used) return;
    start_near_wrap(memory, desc->flags & TERN_RING_PAGED, desc->flags & TERN_RING_SEQUENCED ? desc->capacity_items : 0,
                    16);
    assert_status(tern_ring_attach_producer(&p, memory, size), TERN_OK);
    assert_status(tern_ring_attach_consumer(&c, memory, size), TERN_OK);
    assert_int_equal(tern_ring_push_many(&p, use_scratch, 4), 4);
    assert_int_equal(tern_ring_pop_many(&c, use_scratch, 2), 2);
    tern_ring_detach_consumer(&c);
}

static void make_ring(unsigned char *memory, size_t size, int used) { make_ring_of(&ring_desc, memory, size, used); }
static void make_plain(unsigned char *memory, size_t size, int used) { make_ring_of(&plain_desc, memory, size, used); }
static void make_paged(unsigned char *memory, size_t size, int used) { make_ring_of(&paged_desc, memory, size, used); }
static void make_sequenced(unsigned char *memory, size_t size, int used)
{
    make_ring_of(&sequenced_desc, memory, size, used);
}

static void make_stream_of(const tern_stream_desc *desc, unsigned char *memory, size_t size, int used)
{
    tern_stream_producer p;
    assert_status(tern_stream_format(memory, size, desc), TERN_OK);
    if (!used) return;
    start_near_wrap(memory, desc->flags & TERN_STREAM_PAGED, 0, 0);
    assert_status(tern_stream_attach_producer(&p, memory, size), TERN_OK);
    assert_true(tern_stream_send(&p, 7, use_scratch, 13));
    assert_true(tern_stream_send(&p, 8, use_scratch, 30));     /* behind padding */
    assert_true(tern_stream_send(&p, 9, use_scratch, 0));
}

static void make_stream(unsigned char *memory, size_t size, int used)
{
    make_stream_of(&stream_desc, memory, size, used);
}

static void make_paged_stream(unsigned char *memory, size_t size, int used)
{
    make_stream_of(&paged_stream_desc, memory, size, used);
}

static void make_triple(unsigned char *memory, size_t size, int used)
{
    tern_triple_writer w;
    tern_triple_reader r;
    assert_status(tern_triple_format(memory, size, &triple_desc), TERN_OK);
    if (!used) return;
    assert_status(tern_triple_attach_writer(&w, memory, size), TERN_OK);
    assert_status(tern_triple_attach_reader(&r, memory, size), TERN_OK);
    for (int i = 0; i < 5; i++) {
        tern_triple_publish(&w);
        if (i == 3) assert_true(tern_triple_update(&r));
    }
}

static void make_pool(unsigned char *memory, size_t size, int used)
{
    tern_pool pool;
    tern_handle h[2];
    void *item;
    assert_status(tern_pool_format(memory, size, &pool_desc), TERN_OK);
    if (!used) return;
    assert_status(tern_pool_attach(&pool, memory, size), TERN_OK);
    for (int i = 0; i < 2; i++) assert_status(tern_pool_alloc(&pool, &h[i], &item), TERN_OK);
    assert_non_null(tern_pool_pin(&pool, h[0]));
    assert_status(tern_pool_free(&pool, h[0]), TERN_DEFERRED);
}

static void make_bell(unsigned char *memory, size_t size, int used)
{
    tern_bell bell;
    assert_status(tern_bell_format(memory, size, &bell_desc), TERN_OK);
    assert_status(tern_bell_attach(&bell, memory, size), TERN_OK);
    for (uint32_t source = 5; used && source < SOURCES; source += 200) assert_true(tern_bell_ring(&bell, source));
}

static void make_flat_bell(unsigned char *memory, size_t size, int used)
{
    tern_bell bell;
    assert_status(tern_bell_format(memory, size, &flat_desc), TERN_OK);
    assert_status(tern_bell_attach(&bell, memory, size), TERN_OK);
    if (used) assert_true(tern_bell_ring(&bell, 30));
}

/* ---- The calls, each with what attached --------------------------------------------------------------- */

static void run_ring_producer(const struct arena *a)
{
    tern_ring_producer p;
    if (GOT(p, tern_ring_attach_producer, a->memory, a->size)) use_ring(&p, NULL, arena_span(a), use_everything());
}

static void run_ring_consumer(const struct arena *a)
{
    tern_ring_producer p;
    tern_ring_consumer c;
    bool consumes = GOT(c, tern_ring_attach_consumer, a->memory, a->size);
    bool produces = GOT(p, tern_ring_attach_producer, a->memory, a->size);
    use_ring(produces ? &p : NULL, consumes ? &c : NULL, arena_span(a), use_everything());
}

static void run_ring_inspect(const struct arena *a)
{
    tern_ring_info info;
    if (!GOT(info, tern_ring_inspect, a->read_only, a->size)) return;
    USE_CHECK(info.size_bytes <= a->size && info.was_count <= info.capacity_items);
}

static void run_stream_producer(const struct arena *a)
{
    tern_stream_producer p;
    if (GOT(p, tern_stream_attach_producer, a->memory, a->size)) use_stream(&p, NULL, arena_span(a), use_everything());
}

static void run_stream_consumer(const struct arena *a)
{
    tern_stream_producer p;
    tern_stream_consumer c;
    bool consumes = GOT(c, tern_stream_attach_consumer, a->memory, a->size);
    bool produces = GOT(p, tern_stream_attach_producer, a->memory, a->size);
    use_stream(produces ? &p : NULL, consumes ? &c : NULL, arena_span(a), use_everything());
}

static void run_stream_inspect(const struct arena *a)
{
    tern_stream_info info;
    if (!GOT(info, tern_stream_inspect, a->read_only, a->size)) return;
    USE_CHECK(info.size_bytes <= a->size && info.was_used_bytes <= info.capacity_bytes
              && info.max_record_bytes <= info.capacity_bytes / 2);
}

static void run_triple_writer(const struct arena *a)
{
    tern_triple_writer w;
    if (GOT(w, tern_triple_attach_writer, a->memory, a->size)) use_triple(&w, NULL, arena_span(a), use_everything());
}

static void run_triple_reader(const struct arena *a)
{
    tern_triple_writer w;
    tern_triple_reader r;
    bool reads = GOT(r, tern_triple_attach_reader, a->memory, a->size);
    bool writes = GOT(w, tern_triple_attach_writer, a->memory, a->size);
    use_triple(writes ? &w : NULL, reads ? &r : NULL, arena_span(a), use_everything());
}

static void run_triple_inspect(const struct arena *a)
{
    tern_triple_info info;
    if (!GOT(info, tern_triple_inspect, a->read_only, a->size)) return;
    USE_CHECK(info.size_bytes <= a->size && info.was_back + info.was_ready + info.was_front == 3);
}

static void run_pool(const struct arena *a)
{
    tern_pool pool;
    if (GOT(pool, tern_pool_attach, a->memory, a->size)) use_pool(&pool, arena_span(a), use_everything());
}

static void run_pool_inspect(const struct arena *a)
{
    tern_pool_info info;
    if (!GOT(info, tern_pool_inspect, a->read_only, a->size)) return;
    USE_CHECK(info.size_bytes <= a->size && info.was_live + info.was_retired <= info.capacity_items);
}

static void run_bell(const struct arena *a)
{
    tern_bell bell;
    if (GOT(bell, tern_bell_attach, a->memory, a->size)) use_bell(&bell, arena_span(a), use_everything());
}

/* Through all leaves, whatever the root says; then as the root says. */
static void run_bell_next(const struct arena *a)
{
    static const uint8_t program[] = { 4, 0, 2, 0, 4, 0 };
    tern_bell bell;
    if (GOT(bell, tern_bell_attach, a->memory, a->size))
        use_bell(&bell, arena_span(a), (struct use_bytes){ program, program + sizeof program });
}

static void run_bell_inspect(const struct arena *a)
{
    tern_bell_info info;
    if (!GOT(info, tern_bell_inspect, a->read_only, a->size)) return;
    USE_CHECK(info.size_bytes <= a->size && info.sources <= TERN_BELL_MAX_SOURCES);
}

static const struct row rows[] = {
    { "tern_ring_attach_producer", "tern_ring_shared", run_ring_producer },
    { "tern_ring_attach_consumer", "tern_ring_shared", run_ring_consumer },
    { "tern_ring_inspect", "tern_ring_shared", run_ring_inspect },
    { "tern_stream_attach_producer", "stream", run_stream_producer },
    { "tern_stream_attach_consumer", "stream", run_stream_consumer },
    { "tern_stream_inspect", "stream", run_stream_inspect },
    { "tern_triple_attach_writer", "tern_triple_shared", run_triple_writer },
    { "tern_triple_attach_reader", "tern_triple_shared", run_triple_reader },
    { "tern_triple_inspect", "tern_triple_shared", run_triple_inspect },
    { "tern_pool_attach", "tern_pool_shared", run_pool },
    { "tern_pool_inspect", "tern_pool_shared", run_pool_inspect },
    { "tern_bell_attach", "tern_bell_shared", run_bell },
    { "tern_bell_next", "tern_bell_shared", run_bell_next },
    { "tern_bell_inspect", "tern_bell_shared", run_bell_inspect },
};

static void corruption_covers_every_call_that_takes_an_object(void **state)
{
    (void)state;
    size_t found = 0;
    for (size_t i = 0; i < sizeof documented / sizeof *documented; i++) {
        const char *call = documented[i].call;
        if (!documented[i].takes_bytes || corruption_is_of_regions(call)) continue;
        if (strcmp(call, "tern_rcu_attach") == 0) continue;   /* takes a view, which tern_pool_attach() made */
        corruption_expect_row(rows, sizeof rows / sizeof *rows, call);
        found++;
    }
    assert_int_equal(found, sizeof rows / sizeof *rows);
}

struct part {
    size_t begin, end;
};

/* Parts of the object: empty ones end them. */
static void corrupt_parts(const char *subject, const char *structure, void (*make)(unsigned char *, size_t, int),
                          size_t size, uint32_t capacity, const struct part *parts)
{
    now.tried = now.accepted = 0;
    for (int used = 0; used < 2; used++) {
        struct arena a = arena_make(size);
        make(a.memory, size, used);
        for (const struct part *part = parts; part->end != 0; part++)
            corrupt_words(rows, sizeof rows / sizeof *rows, subject, &a, part->begin, part->end,
                          geometry_of(structure, 0), capacity);
        arena_drop(&a);
    }
    corruption_told(subject);
}

static void corrupt(const char *subject, const char *structure, void (*make)(unsigned char *, size_t, int), size_t size,
                    uint32_t capacity)
{
    corrupt_parts(subject, structure, make, size, capacity, (const struct part[]){ { 0, size }, { 0, 0 } });
}

static void corruption_of_any_word_of_a_ring(void **state)
{
    (void)state;
    corrupt("tern_ring_shared", "tern_ring_shared", make_ring, tern_ring_size(&ring_desc), RING_ITEMS);
    corrupt("tern_ring_shared", "tern_ring_shared", make_plain, (tern_ring_size(&plain_desc) + 63) / 64 * 64, 4);
}

static void corruption_of_any_word_of_a_sequenced_ring(void **state)
{
    (void)state;
    corrupt("tern_ring_shared", "tern_ring_shared", make_sequenced, tern_ring_size(&sequenced_desc), RING_ITEMS);
}

static void corruption_of_any_word_of_a_stream(void **state)
{
    (void)state;
    corrupt("stream", "tern_ring_shared", make_stream, tern_stream_size(&stream_desc), RECORD_BYTES / 8);
}

/* The header, both ends at the border of the first two pages, the items; not the rest of the pages. */
static void corruption_of_any_word_of_a_paged_ring_or_stream(void **state)
{
    (void)state;
    const struct part parts[] = { { 0, 256 }, { 4096 - 128, 4096 + 128 }, { 8192, 8192 + RECORD_BYTES }, { 0, 0 } };
    corrupt_parts("tern_ring_shared", "tern_ring_shared", make_paged, tern_ring_size(&paged_desc), 4, parts);
    corrupt_parts("stream", "tern_ring_shared", make_paged_stream, tern_stream_size(&paged_stream_desc),
                  RECORD_BYTES / 8, parts);
}

static void corruption_of_any_word_of_a_triple_buffer(void **state)
{
    (void)state;
    corrupt("tern_triple_shared", "tern_triple_shared", make_triple, tern_triple_size(&triple_desc), FRAME_BYTES);
}

static void corruption_of_any_word_of_a_pool(void **state)
{
    (void)state;
    corrupt("tern_pool_shared", "tern_pool_shared", make_pool, tern_pool_size(&pool_desc), POOL_ITEMS);
}

static void corruption_of_any_word_of_a_bell(void **state)
{
    (void)state;
    corrupt("tern_bell_shared", "tern_bell_shared", make_bell, tern_bell_size(&bell_desc), SOURCES);
    corrupt("tern_bell_shared", "tern_bell_shared", make_flat_bell, tern_bell_size(&flat_desc), 31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corruption_covers_every_call_that_takes_an_object),
        cmocka_unit_test(corruption_of_any_word_of_a_ring),
        cmocka_unit_test(corruption_of_any_word_of_a_sequenced_ring),
        cmocka_unit_test(corruption_of_any_word_of_a_stream),
        cmocka_unit_test(corruption_of_any_word_of_a_paged_ring_or_stream),
        cmocka_unit_test(corruption_of_any_word_of_a_triple_buffer),
        cmocka_unit_test(corruption_of_any_word_of_a_pool),
        cmocka_unit_test(corruption_of_any_word_of_a_bell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
