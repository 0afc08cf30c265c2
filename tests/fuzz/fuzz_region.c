/* SPDX-License-Identifier: MIT */
/* fuzz_region.c: bytes as a region's header, directory and peer table, in front of sound objects: attach, then
 * find, next, claim, open of each type and burial, and calls on what was opened. One of the peers is dead.
 *
 * Byte 0: FUZZ_RAW. The bytes are those of the table below: the padding and most of a peer's holds, which are like
 * the others, stay as they are, so that inputs are short. Each step of the program is a call, an object's name, and
 * a number; after an open so many steps of the object's calls. */
#include "../../lib/pool_parts.h"
#include "fuzz.h"

enum { OPENS = 6, CALLS = 15 };   /* of a step: the first that opens */
enum { MAX_OBJECTS = 8, MAX_PEERS = 3, REGION_BYTES = 8192, SESSION = 5 };

static const tern_region_desc region_desc = { SESSION, MAX_OBJECTS, MAX_PEERS, TERN_DOMAIN_WORKER };
static const tern_attach_desc attach_desc = { SESSION, TERN_DOMAIN_WORKER };
static const tern_ring_desc ring_desc = { 8, 8, TERN_RING_WAITABLE };
static const tern_stream_desc stream_desc = { 64, TERN_STREAM_WAITABLE };
static const tern_triple_desc triple_desc = { 16 };
static const tern_pool_desc pool_desc = { 8, 3 };
static const tern_bell_desc bell_desc = { 45 };

static unsigned char sound[REGION_BYTES];    /* a region with an object of each type */
static bool is_made;

/* Bytes of an input into the region that they are of, or back. @return how many there are */
static size_t move_bytes(unsigned char *region, uint8_t *bytes, size_t size, bool into_region)
{
    enum { ENTRIES = sizeof(struct tern_region_shared),
           PEERS = ENTRIES + MAX_OBJECTS * sizeof(struct tern_region_entry),
           HOLDS = offsetof(struct tern_region_peer, holds), LAST = sizeof(struct tern_region_peer) - 32 };
    struct { size_t at, size; } part[2 + MAX_OBJECTS + 2 * MAX_PEERS] = {
        { 0, offsetof(struct tern_region_shared, pad0) },
        { offsetof(struct tern_region_shared, peers_used), offsetof(struct tern_region_shared, pad1) - 128 },
    };
    size_t parts = 2, used = 0;
    for (size_t i = 0; i < MAX_OBJECTS; i++) {
        part[parts].at = ENTRIES + i * sizeof(struct tern_region_entry);
        part[parts++].size = offsetof(struct tern_region_entry, pad);
    }
    for (size_t i = 0; i < MAX_PEERS; i++) {
        part[parts].at = PEERS + i * sizeof(struct tern_region_peer);
        part[parts++].size = HOLDS + 32;
        part[parts].at = PEERS + i * sizeof(struct tern_region_peer) + LAST;
        part[parts++].size = 32;
    }
    for (size_t i = 0; i < parts && used < size; used += part[i++].size) {
        size_t n = part[i].size < size - used ? part[i].size : size - used;
        memcpy(into_region ? region + part[i].at : bytes + used, into_region ? bytes + used : region + part[i].at, n);
    }
    return used;
}

/* Ends, an item with a pin that was freed, one more, and half of a name, all of a peer that died. */
static void make_dead_peer(unsigned char *memory)
{
    tern_region dead;
    tern_ring_producer p;
    tern_triple_reader r;
    tern_pool pool;
    tern_object object;
    tern_handle h[2];
    void *item;
    USE_CHECK(tern_region_attach(&dead, memory, REGION_BYTES, &attach_desc) == TERN_OK);
    USE_CHECK(tern_ring_open_producer(&p, &dead, "ring", NULL) == TERN_OK);
    USE_CHECK(tern_triple_open_reader(&r, &dead, "triple", NULL) == TERN_OK);
    USE_CHECK(tern_pool_open(&pool, &dead, "pool", NULL) == TERN_OK);
    for (int i = 0; i < 2; i++) USE_CHECK(tern_pool_alloc(&pool, &h[i], &item) == TERN_OK);
    USE_CHECK(tern_pool_pin(&pool, h[0]) && tern_pool_free(&pool, h[0]) == TERN_DEFERRED);
    tern_a64 *hold = &dead.peers[dead.peer - 1].holds[TERN_PEER_HOLDS - 1];
    tern_a64_store_relaxed(hold, tern__hold(TERN__HOLD_MADE, pool.object, h[1].index, h[1].generation));
    USE_CHECK(tern_region_claim(&dead, "half", TERN_TYPE_MESH, 200, &object) == TERN_OK);
    tern_a32_store_relaxed(&dead.peers[dead.peer - 1].word, (dead.reference & 0xffff0000u) | TERN__PEER_BURYING);
}

static void make_sound(void)
{
    tern_region region;
    tern_ring_producer p;
    tern_stream_producer s;
    tern_triple_writer w;
    tern_pool pool;
    tern_bell bell;
    if (is_made) return;
    unsigned char *memory = fuzz_memory(REGION_BYTES);
    USE_CHECK(tern_region_format(memory, REGION_BYTES, &region_desc) == TERN_OK);
    USE_CHECK(tern_region_attach(&region, memory, REGION_BYTES, &attach_desc) == TERN_OK);
    USE_CHECK(tern_ring_open_producer(&p, &region, "ring", &ring_desc) == TERN_OK && tern_ring_push(&p, use_scratch));
    USE_CHECK(tern_stream_open_producer(&s, &region, "stream", &stream_desc) == TERN_OK);
    USE_CHECK(tern_stream_send(&s, 1, use_scratch, 9));
    USE_CHECK(tern_triple_open_writer(&w, &region, "triple", &triple_desc) == TERN_OK);
    USE_CHECK(!tern_triple_publish(&w));
    USE_CHECK(tern_pool_open(&pool, &region, "pool", &pool_desc) == TERN_OK);
    USE_CHECK(tern_bell_open(&bell, &region, "bell", &bell_desc) == TERN_OK && tern_bell_ring(&bell, 40));
    tern_region_detach(&region);
    make_dead_peer(memory);
    memcpy(sound, memory, REGION_BYTES);
    is_made = true;
    free(memory);
}

/* ---- Calls ------------------------------------------------------------------------------------------------ */

static const char *const names[] = { "ring", "stream", "triple", "pool", "bell", "new", "half", "ring " };

/* So many steps of what follows. */
static struct use_bytes take(struct use_bytes *program, uint8_t steps)
{
    size_t left = (size_t)(program->end - program->at), n = (size_t)(steps % 16) * 2;
    struct use_bytes some = { program->at, program->at + (n < left ? n : left) };
    program->at = some.end;
    return some;
}

/* What is buried stays so. */
static void bury(tern_region *region, tern_status status, const tern_recovery *report)
{
    tern_recovery again;
    USE_CHECK(report->why == status && report->peers <= region->max_peers);
    if (status == TERN_ERR_BUSY) return;
    USE_CHECK(USE_STATUS(tern_peer_recover, region, &again) == TERN_OK && again.outcome == TERN_RECOVERY_CLEAN);
}

static void look_at_peers(const tern_region *region)
{
    tern_peer_info info;
    tern_object object;
    tern_role_info roles[2];
    uint32_t cursor = 0, seen = 0;
    uint64_t at = 0;
    while (tern_peer_next(region, &cursor, &info))
        USE_CHECK(++seen <= region->max_peers && info.peer <= region->max_peers && info.program[16] == '\0');
    while (tern_region_next(region, &at, &object)) {
        tern_peer_roles(region, &object, roles);
        USE_CHECK(roles[0].peer <= region->max_peers && roles[1].peer <= region->max_peers);
    }
}

static void look(tern_region *region, struct use_span memory, uint8_t what, const char *name, uint8_t n)
{
    tern_object object;
    uint64_t cursor = 0;
    uint32_t seen = 0;
    tern_status status;
    tern_region looking;
    tern_recovery report = { .why = TERN_ERR_BUSY };   /* evict may find the peer busy before there is a report */
    switch (what) {
    case 0:
        status = USE_STATUS(tern_region_find, region, name, n % 8, &object);
        if (status == TERN_OK) use_read(memory, object.memory, (size_t)object.size_bytes);
        break;
    case 1:
        while (tern_region_next(region, &cursor, &object)) {
            USE_CHECK(use_is_documented("tern_region_next", object.status) && ++seen <= region->max_objects);
            if (object.status == TERN_OK) use_read(memory, object.memory, (size_t)object.size_bytes);
        }
        break;
    case 2:
        status = USE_STATUS(tern_region_claim, region, name, 1 + n % 6, 1 + n * 4u, &object);
        if (status != TERN_OK) break;
        use_write(memory, object.memory, 1 + n * 4u);
        tern_region_publish(region, &object, n % 2 ? TERN_OK : TERN_ERR_CORRUPT);
        break;
    case 3: bury(region, USE_STATUS(tern_peer_recover, region, &report), &report); break;
    case 4:
        status = USE_STATUS(tern_peer_evict, region, n % (MAX_PEERS + 2), &report);
        if (status != TERN_ERR_ARGUMENT && status != TERN_ERR_NOT_FOUND) bury(region, status, &report);
        break;
    default:
        look_at_peers(region);
        if (USE_STATUS(tern_region_look, &looking, memory.begin, memory.size) == TERN_OK) look_at_peers(&looking);
        break;
    }
}

#define OPEN(type, view_type, call, desc, use) \
    { \
        view_type view; \
        if (USE_STATUS(call, &view, region, name, n & 1 ? &(desc) : (const type *)NULL) == TERN_OK) use; \
        break; \
    }

static void open_one(tern_region *region, struct use_span memory, uint8_t what, const char *name, uint8_t n,
                     struct use_bytes steps)
{
    switch (what) {
    case 6: OPEN(tern_ring_desc, tern_ring_producer, tern_ring_open_producer, ring_desc,
                 use_ring(&view, NULL, memory, steps))
    case 7: OPEN(tern_ring_desc, tern_ring_consumer, tern_ring_open_consumer, ring_desc,
                 use_ring(NULL, &view, memory, steps))
    case 8: OPEN(tern_stream_desc, tern_stream_producer, tern_stream_open_producer, stream_desc,
                 use_stream(&view, NULL, memory, steps))
    case 9: OPEN(tern_stream_desc, tern_stream_consumer, tern_stream_open_consumer, stream_desc,
                 use_stream(NULL, &view, memory, steps))
    case 10: OPEN(tern_triple_desc, tern_triple_writer, tern_triple_open_writer, triple_desc,
                 use_triple(&view, NULL, memory, steps))
    case 11: OPEN(tern_triple_desc, tern_triple_reader, tern_triple_open_reader, triple_desc,
                 use_triple(NULL, &view, memory, steps))
    case 12: OPEN(tern_pool_desc, tern_pool, tern_pool_open, pool_desc, use_pool(&view, memory, steps))
    case 13: OPEN(tern_bell_desc, tern_bell, tern_bell_open, bell_desc, use_bell(&view, memory, steps))
    default: OPEN(tern_bell_desc, tern_bell, tern_bell_open_collector, bell_desc, use_bell(&view, memory, steps))
    }
}

/* ---- The target -------------------------------------------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in;
    tern_region region;
    tern_region_info info;
    if (!fuzz_split(&in, data, size)) return 0;
    make_sound();
    struct use_span memory = { fuzz_memory(REGION_BYTES), REGION_BYTES };
    memcpy(memory.begin, sound, REGION_BYTES);
    (void)move_bytes(memory.begin, (uint8_t *)(uintptr_t)in.bytes, in.size, true);   /* only read */
    if (!(in.header[0] & FUZZ_RAW)) {
        /* the number of objects and peers stays: it says where the directory and the heap are */
        struct tern_region_geometry g, right;
        unsigned char *at = memory.begin + offsetof(struct tern_region_shared, geometry);
        memcpy(&right, sound + offsetof(struct tern_region_shared, geometry), sizeof right);
        memcpy(&g, at, sizeof g);
        memcpy(memory.begin, sound, 4);
        g.layout_version = right.layout_version;
        g.layout_hash = right.layout_hash;
        g.session = right.session;
        g.max_objects = right.max_objects;
        g.max_peers = right.max_peers;
        g.heap_offset_bytes = right.heap_offset_bytes;
        g.domain %= 3;
        g.total_size_bytes = right.total_size_bytes - g.total_size_bytes % 4096;
        memcpy(at, &g, sizeof g);
        fuzz_seal(at, sizeof g);
    }
    if (USE_STATUS(tern_region_inspect, &info, memory.begin, memory.size) == TERN_OK)
        USE_CHECK(info.size_bytes <= memory.size && info.was_objects <= info.max_objects);
    if (USE_STATUS(tern_region_attach, &region, memory.begin, memory.size, &attach_desc) == TERN_OK) {
        while (in.program.at != in.program.end) {
            uint8_t what = use_next(&in.program) % CALLS, name = use_next(&in.program) % 8, n = use_next(&in.program);
            if (what < OPENS) look(&region, memory, what, names[name], n);
            else open_one(&region, memory, what, names[name], n, take(&in.program, n));
        }
        tern_region_detach(&region);
    }
    free(memory.begin);
    return 0;
}

/* The sound region, every call on every name, and a region after that. */
void fuzz_seeds(void (*emit)(const void *bytes, size_t size_bytes))
{
    make_sound();
    uint8_t bytes[2048];
    size_t size = move_bytes(sound, bytes, sizeof bytes, false);
    for (uint8_t what = 0; what < CALLS; what++) {
        static const uint8_t owner[CALLS] = { 0, 0, 5, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 4 };
        uint8_t program[60] = { 0 };
        for (unsigned i = 0; i < 3; i++) {
            uint8_t *step = program + 20 * i;
            step[0] = what;
            step[1] = i == 2 ? 6 : owner[what];
            step[2] = what == 4 ? 2 : i ? 8 : 9;
            memcpy(step + 3, use_everything().at + 8 * i, 16);
        }
        const uint8_t header[FUZZ_HEADER_BYTES] = { what % 2 ? FUZZ_RAW : 0 };
        fuzz_emit(emit, header, bytes, size, (struct use_bytes){ program, program + sizeof program });
    }
}
