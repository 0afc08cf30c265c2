/* SPDX-License-Identifier: MIT */
/* test_corruption_region.c: every word of a region's header, directory and peer table, and of the objects
 * in it, x boundary values x every call that takes a region's bytes, opens an object by its name, or deals with
 * peers. */
#include "corruption_region.h"

/* ---- What has been opened, used ----------------------------------------------------------------------- */

/* A region's view, and that what it says lies in the memory. */
static bool attached(tern_region *region, const struct arena *a)
{
    bool of_object = now.must_fail && strcmp(now.subject, "region") != 0;
    if (of_object) now.must_fail = false;     /* the region is sound, its object is not */
    bool got = GOT(*region, tern_region_attach, a->memory, a->size, &attach_desc);
    now.must_fail |= of_object;
    if (!got) return false;
    USE_CHECK(region->size_bytes <= a->size && region->session == SESSION);
    use_inside(arena_span(a), region->directory, region->max_objects * sizeof *region->directory);
    use_inside(arena_span(a), region->peers, region->max_peers * sizeof *region->peers);
    USE_CHECK(region->peer >= 1 && region->peer <= region->max_peers);
    return true;
}

static void object_is_inside(const tern_object *object, const struct arena *a, const tern_region *region)
{
    USE_CHECK(object->index < region->max_objects && object->name[TERN_NAME_BYTES - 1] == '\0');
    USE_CHECK((object->status == TERN_OK) == (object->memory != NULL));
    if (object->status != TERN_OK) return;
    USE_CHECK(object->offset_bytes >= region->heap_offset_bytes);   /* and not in the directory */
    use_read(arena_span(a), object->memory, (size_t)object->size_bytes);
}

static void run_attach(const struct arena *a)
{
    tern_region region;
    if (attached(&region, a)) tern_region_detach(&region);
}

static void run_inspect(const struct arena *a)
{
    tern_region_info info;
    if (!GOT(info, tern_region_inspect, a->read_only, a->size)) return;
    USE_CHECK(info.size_bytes <= a->size && info.was_objects <= info.max_objects);
}

static void run_find(const struct arena *a)
{
    tern_region region;
    tern_object object;
    if (!attached(&region, a)) return;
    now.call = "tern_region_find";
    for (size_t i = 0; i <= OBJECTS; i++)
        for (int any = 0; any < 2; any++) {
            const char *name = i < OBJECTS ? objects[i].name : "none";
            tern_status status = USE_STATUS(tern_region_find, &region, name, any || i == OBJECTS ? 0 : objects[i].type,
                                            &object);
            now.tried++;
            if (status == TERN_OK) object_is_inside(&object, a, &region);
        }
    tern_region_detach(&region);
}

static void walk_objects(const tern_region *region, const struct arena *a)
{
    tern_object object;
    uint64_t cursor = 0;
    uint32_t seen = 0;
    now.call = "tern_region_next";
    while (tern_region_next(region, &cursor, &object)) {
        USE_CHECK(use_is_documented("tern_region_next", object.status));
        object_is_inside(&object, a, region);
        USE_CHECK(++seen <= region->max_objects);
    }
}

static void run_next(const struct arena *a)
{
    tern_region region;
    if (!attached(&region, a)) return;
    walk_objects(&region, a);
    tern_region_detach(&region);
}

/* What a claim gives may be written, and be found. */
static void run_claim(const struct arena *a)
{
    tern_region region;
    tern_object object;
    if (!attached(&region, a)) return;
    for (int i = 0; i < 3; i++) {
        const char *name = i == 0 ? "ring" : i == 1 ? "new" : "newer";
        tern_status status = USE_STATUS(tern_region_claim, &region, name, TERN_TYPE_MESH, 200, &object);
        now.tried++;
        if (status != TERN_OK) continue;
        use_write(arena_span(a), object.memory, 200);
        USE_CHECK(object.index < region.max_objects && object.offset_bytes >= header_end && object.size_bytes == 200);
        tern_region_publish(&region, &object, TERN_OK);
        USE_STATUS(tern_region_find, &region, name, TERN_TYPE_MESH, &object);
    }
    tern_region_detach(&region);
}

/* ---- Peers --------------------------------------------------------------------------------------------- */

static void walk_peers(const tern_region *region)
{
    tern_peer_info info;
    uint32_t cursor = 0, before = 0;
    now.call = "tern_peer_next";
    now.tried++;
    while (tern_peer_next(region, &cursor, &info)) {
        USE_CHECK(info.peer > before && info.peer <= region->max_peers);
        USE_CHECK(info.program[sizeof info.program - 1] == '\0' && info.was_holding <= TERN_PEER_HOLDS);
        USE_CHECK(info.is_alive || info.peer != region->peer);
        before = info.peer;
    }
}

static void walk_roles(const tern_region *region)
{
    tern_object object;
    tern_role_info roles[2];
    uint64_t cursor = 0;
    while (tern_region_next(region, &cursor, &object)) {
        now.call = "tern_peer_roles";
        now.tried++;
        tern_peer_roles(region, &object, roles);
        for (int i = 0; i < 2; i++) USE_CHECK(roles[i].peer <= region->max_peers);
    }
}

static void run_peer_next(const struct arena *a)
{
    tern_region region;
    if (!attached(&region, a)) return;
    walk_peers(&region);
    tern_region_detach(&region);
}

static void run_peer_roles(const struct arena *a)
{
    tern_region region;
    if (!attached(&region, a)) return;
    walk_roles(&region);
    tern_region_detach(&region);
}

/* A report that fits its answer. What is buried stays so: the next time there is nobody. */
static void buried(tern_region *region, tern_status status, const tern_recovery *report)
{
    tern_recovery again;
    now.tried++;
    now.accepted += status == TERN_OK;
    USE_CHECK(report->why == status && report->peers <= region->max_peers);
    USE_CHECK(report->roles <= 2 * region->max_objects && report->names <= region->max_objects);
    USE_CHECK(report->pins <= region->max_peers * TERN_PEER_HOLDS
              && report->slots <= 2 * region->max_peers * TERN_PEER_HOLDS);
    if (status == TERN_ERR_BUSY) return;
    now.call = "tern_peer_recover";
    USE_CHECK(USE_STATUS(tern_peer_recover, region, &again) == TERN_OK);
    USE_CHECK(again.outcome == TERN_RECOVERY_CLEAN && again.peers == 0);
    walk_peers(region);
}

static void run_peer_recover(const struct arena *a)
{
    tern_region region;
    tern_recovery report;
    if (!attached(&region, a)) return;
    now.call = "tern_peer_recover";
    buried(&region, USE_STATUS(tern_peer_recover, &region, &report), &report);
    tern_region_detach(&region);
}

static void run_peer_evict(const struct arena *a)
{
    tern_region region;
    tern_recovery report;
    if (!attached(&region, a)) return;
    for (uint32_t peer = 0; peer <= MAX_PEERS + 1; peer++) {
        now.call = "tern_peer_evict";
        memset(&report, 0, sizeof report);
        tern_status status = USE_STATUS(tern_peer_evict, &region, peer, &report);
        USE_CHECK((status == TERN_ERR_ARGUMENT) == (peer == region.peer));
        if (status != TERN_ERR_ARGUMENT && status != TERN_ERR_NOT_FOUND) buried(&region, status, &report);
    }
    tern_region_detach(&region);
}

/* All that can be done by who only looks; the memory can't be written. */
static void run_look(const struct arena *a)
{
    tern_region region;
    tern_object object;
    tern_recovery report;
    struct arena looked = *a;
    looked.memory = a->read_only;
    if (!GOT(region, tern_region_look, a->read_only, a->size)) return;
    USE_CHECK(region.peer == 0 && region.size_bytes <= a->size);
    walk_objects(&region, &looked);
    walk_peers(&region);
    walk_roles(&region);
    now.call = "tern_region_look";
    USE_CHECK(USE_STATUS(tern_region_claim, &region, "new", TERN_TYPE_MESH, 200, &object) == TERN_ERR_STATE);
    USE_CHECK(USE_STATUS(tern_peer_recover, &region, &report) == TERN_ERR_STATE);
    USE_CHECK(USE_STATUS(tern_peer_evict, &region, 2, &report) == TERN_ERR_STATE);
    tern_region_detach(&region);
}

/* The view of what is there; if the region's own words are changed of what is made, if an object's are of what is
 * there and compared with its description. */
#define OPEN_EACH(type, call, desc, name, use) \
    static void run_##call(const struct arena *a) \
    { \
        for (int i = 0; i < 2; i++) { \
            tern_region region; \
            call##_view view; \
            if (!attached(&region, a)) return; \
            const char *other = now.offset < header_end ? "new" : name; \
            if (GOT(view, call, &region, i ? other : name, i ? &(desc) : (const type *)NULL)) use; \
            tern_region_detach(&region); \
        } \
    }
typedef tern_ring_producer tern_ring_open_producer_view;
typedef tern_ring_consumer tern_ring_open_consumer_view;
typedef tern_stream_producer tern_stream_open_producer_view;
typedef tern_stream_consumer tern_stream_open_consumer_view;
typedef tern_triple_writer tern_triple_open_writer_view;
typedef tern_triple_reader tern_triple_open_reader_view;
typedef tern_pool tern_pool_open_view;
typedef tern_bell tern_bell_open_view;
typedef tern_bell tern_bell_open_collector_view;
OPEN_EACH(tern_ring_desc, tern_ring_open_producer, ring_desc, "ring",
          use_ring(&view, NULL, arena_span(a), use_everything()))
OPEN_EACH(tern_ring_desc, tern_ring_open_consumer, sequenced_desc, "sequenced",
          use_ring(NULL, &view, arena_span(a), use_everything()))
OPEN_EACH(tern_stream_desc, tern_stream_open_producer, stream_desc, "stream",
          use_stream(&view, NULL, arena_span(a), use_everything()))
OPEN_EACH(tern_stream_desc, tern_stream_open_consumer, stream_desc, "stream",
          use_stream(NULL, &view, arena_span(a), use_everything()))
OPEN_EACH(tern_triple_desc, tern_triple_open_writer, triple_desc, "triple",
          use_triple(&view, NULL, arena_span(a), use_everything()))
OPEN_EACH(tern_triple_desc, tern_triple_open_reader, triple_desc, "triple",
          use_triple(NULL, &view, arena_span(a), use_everything()))
OPEN_EACH(tern_pool_desc, tern_pool_open, pool_desc, "pool", use_pool(&view, arena_span(a), use_everything()))
OPEN_EACH(tern_bell_desc, tern_bell_open, bell_desc, "bell", use_bell(&view, arena_span(a), use_everything()))
OPEN_EACH(tern_bell_desc, tern_bell_open_collector, bell_desc, "bell", use_bell(&view, arena_span(a), use_everything()))

/* A failed open's view has its descriptor -1, and is zero otherwise. */
static void shm_answered(tern_region *region, tern_status status)
{
    if (status != TERN_OK) {
        USE_CHECK(region->fd == -1);
        region->fd = 0;
    }
    corruption_answered(status, region, sizeof *region);
    if (status != TERN_OK) return;
    USE_CHECK(region->size_bytes <= SIZE);
    tern_shm_close(region);
}

static void run_shm_open(const struct arena *a)
{
    tern_region region;
    (void)a;
    shm_answered(&region, USE_STATUS(tern_shm_open, &region, shm_name, &attach_desc));
}

static void run_shm_open_fd(const struct arena *a)
{
    tern_region region;
    (void)a;
    shm_answered(&region, USE_STATUS(tern_shm_open_fd, &region, shm_fd, &attach_desc));
}

/* By a view that was there before the bytes were changed. */
static void run_shm_status(const struct arena *a)
{
    (void)a;
    tern_status status = USE_STATUS(tern_shm_status, &made);
    now.tried++;
    now.accepted += status == TERN_OK;
    if (now.must_fail) USE_CHECK(status == TERN_ERR_CORRUPT);
}

static void run_shm_share(const struct arena *a)
{
    tern_region region;
    (void)a;
    int fd = tern_shm_share(&made);
    USE_CHECK(fd >= 0);
    shm_answered(&region, USE_STATUS(tern_shm_open_fd, &region, fd, &attach_desc));
    close(fd);
}

/* ---- Rows: the subject "region" is for its own words, the others for an object's ------------------------ */

static const struct row rows[] = {
    { "tern_region_attach", "region", run_attach },
    { "tern_region_inspect", "region", run_inspect },
    { "tern_region_find", "region", run_find },
    { "tern_region_next", "region", run_next },
    { "tern_region_claim", "region", run_claim },
    { "tern_shm_open", "region", run_shm_open },
    { "tern_shm_open_fd", "region", run_shm_open_fd },
    { "tern_shm_status", "region", run_shm_status },
    { "tern_shm_share", "region", run_shm_share },
    { "tern_region_look", "region", run_look },
    { "tern_peer_next", "region", run_peer_next },
    { "tern_peer_roles", "region", run_peer_roles },
    { "tern_peer_recover", "region", run_peer_recover },
    { "tern_peer_evict", "region", run_peer_evict },
    { "tern_peer_recover", "pool", run_peer_recover },    /* what was in hand is the pool's */
    { "tern_peer_evict", "pool", run_peer_evict },
    { "tern_peer_recover", "bell", run_peer_recover },    /* and who died may not have rung */
#define OPENS(call, name) { #call, "region", run_##call }, { #call, name, run_##call }
    OPENS(tern_ring_open_producer, "ring"),
    OPENS(tern_ring_open_consumer, "sequenced"),
    OPENS(tern_stream_open_producer, "stream"),
    OPENS(tern_stream_open_consumer, "stream"),
    OPENS(tern_triple_open_writer, "triple"),
    OPENS(tern_triple_open_reader, "triple"),
    OPENS(tern_pool_open, "pool"),
    OPENS(tern_bell_open, "bell"),
    OPENS(tern_bell_open_collector, "bell"),
#undef OPENS
};

static void corruption_covers_every_call_that_takes_a_region(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof documented / sizeof *documented; i++)
        if (documented[i].takes_bytes && corruption_is_of_regions(documented[i].call))
            corruption_expect_row(rows, sizeof rows / sizeof *rows, documented[i].call);
}

/* ---- Cases ----------------------------------------------------------------------------------------------- */

/* The dead peer has all of it as long as nobody changes a word. */
static void corruption_begins_with_a_sound_burial(void **state)
{
    tern_region region;
    tern_recovery report;
    (void)state;
    assert_status(tern_region_attach(&region, arena.memory, SIZE, &attach_desc), TERN_OK);
    assert_status(tern_peer_recover(&region, &report), TERN_OK);
    assert_int_equal(report.outcome, TERN_RECOVERY_REPAIRED);
    assert_int_equal(report.peers, 1);
    assert_int_equal(report.roles, 2);
    assert_int_equal(report.pins, 1);
    assert_int_equal(report.slots, 2);
    assert_int_equal(report.names, 1);
    tern_region_detach(&region);
}

static void corruption_of_any_word_of_a_region(void **state)
{
    (void)state;
    now.tried = now.accepted = 0;
    assert_true(header_end >= sizeof(struct tern_region_shared) + MAX_OBJECTS * sizeof(struct tern_region_entry)
                              + MAX_PEERS * sizeof(struct tern_region_peer));
    corrupt_words(rows, sizeof rows / sizeof *rows, "region", &arena, 0, header_end,
                  geometry_of("tern_region_shared", 0), MAX_OBJECTS);
    corruption_told("region");
}

static void corruption_of_any_word_of_an_object_in_a_region(void **state)
{
    (void)state;
    for (size_t i = 0; i < OBJECTS; i++) {
        tern_object object;
        now.tried = now.accepted = 0;
        assert_status(tern_region_find(&made, objects[i].name, objects[i].type, &object), TERN_OK);
        size_t begin = (size_t)object.offset_bytes, end = begin + (size_t)object.size_bytes;
        struct geometry geometry = geometry_of(objects[i].structure, begin);
        if (i == 0) end = begin + sizeof(struct tern_ring_shared);
        corrupt_words(rows, sizeof rows / sizeof *rows, objects[i].name, &arena, begin, end, geometry, 8);
        corruption_told(objects[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corruption_covers_every_call_that_takes_a_region),
        cmocka_unit_test_setup_teardown(corruption_begins_with_a_sound_burial, make_region, drop_region),
        cmocka_unit_test_setup_teardown(corruption_of_any_word_of_a_region, make_region, drop_region),
        cmocka_unit_test_setup_teardown(corruption_of_any_word_of_an_object_in_a_region, make_region, drop_region),
    };
    now.clean = forget_name;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
