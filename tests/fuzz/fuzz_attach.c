/* SPDX-License-Identifier: MIT */
/* fuzz_attach.c: bytes as the memory of an object: each attach and inspect of its primitive, then calls on what
 * attached, while a peer changes words.
 *
 * Byte 0: the primitive, FUZZ_RAW, and FUZZ_FIT: a geometry in which all words agree, for the largest
 * object, or a smaller one, that the bytes have room for. */
#include "fuzz.h"

enum { RING, STREAM, TRIPLE, POOL, BELL, PRIMITIVES };

static const struct {
    uint32_t magic;
    size_t geometry_bytes, header_bytes;
} primitives[PRIMITIVES] = {
    { TERN_RING_MAGIC, sizeof(struct tern_ring_geometry), sizeof(struct tern_ring_shared) },
    { TERN_STREAM_MAGIC, sizeof(struct tern_ring_geometry), sizeof(struct tern_ring_shared) },
    { TERN_TRIPLE_MAGIC, sizeof(struct tern_triple_geometry), sizeof(struct tern_triple_shared) },
    { TERN_POOL_MAGIC, sizeof(struct tern_pool_geometry), sizeof(struct tern_pool_shared) },
    { TERN_BELL_MAGIC, sizeof(struct tern_bell_geometry), sizeof(struct tern_bell_shared) },
};
enum { GEOMETRY_OFFSET = offsetof(struct tern_ring_shared, geometry) };

/* ---- Descriptions in few bytes ------------------------------------------------------------------------- */

/* Two numbers make an object of a primitive; its bytes. 0: it can't be formatted there. */
static size_t format(int primitive, uint32_t a, uint32_t b, void *memory, size_t room)
{
    const tern_ring_desc ring = { 1 + a % 70, 1 + b / 4 % 20, b % 4 };
    const tern_stream_desc stream = { 16 + a % 512, b % 2 };
    const tern_triple_desc triple = { 1 + a % 200 };
    const tern_pool_desc pool = { 1 + a % 100, 1 + b % 12 };
    const tern_bell_desc bell = { 1 + (a % 2 ? b % 31 : b % 4000) };
#define FORMAT(name) (tern_##name##_size(&name) <= room && (!memory \
    || tern_##name##_format(memory, room, &name) == TERN_OK) ? tern_##name##_size(&name) : 0)
    switch (primitive) {
    case RING: return FORMAT(ring);
    case STREAM: return FORMAT(stream);
    case TRIPLE: return FORMAT(triple);
    case POOL: return FORMAT(pool);
    default: return FORMAT(bell);
    }
#undef FORMAT
}

/* The object's words are the bytes', its geometry is a sound one. */
static void fit(int primitive, unsigned char *memory, size_t size)
{
    unsigned char *sound = fuzz_memory(size), *geometry = memory + GEOMETRY_OFFSET;
    uint32_t a = fuzz_word(geometry + 4), b = fuzz_word(geometry + 8);
    for (; !format(primitive, a, b, sound, size) && (a || b); a /= 2, b /= 2) { }
    memcpy(geometry, sound + GEOMETRY_OFFSET, primitives[primitive].geometry_bytes);
    free(sound);
}

/* ---- The target ------------------------------------------------------------------------------------------- */

static bool answered(tern_status status, const void *view, size_t view_bytes)
{
    static const unsigned char zero[512];
    if (status == TERN_OK) return true;
    USE_CHECK(memcmp(view, zero, view_bytes) == 0);
    return false;
}

#define GOT(view, call, ...) \
    (memset(&(view), 0xaa, sizeof(view)), answered(USE_STATUS(call, &(view), __VA_ARGS__), &(view), sizeof(view)))

static void run_ring(unsigned char *memory, size_t size, struct use_bytes program)
{
    tern_ring_producer p;
    tern_ring_consumer c;
    tern_ring_info info;
    if (GOT(info, tern_ring_inspect, memory, size))
        USE_CHECK(info.was_count <= info.capacity_items && info.size_bytes <= size);
    bool consumes = GOT(c, tern_ring_attach_consumer, memory, size);
    bool produces = GOT(p, tern_ring_attach_producer, memory, size);
    use_ring(produces ? &p : NULL, consumes ? &c : NULL, (struct use_span){ memory, size }, program);
}

static void run_stream(unsigned char *memory, size_t size, struct use_bytes program)
{
    tern_stream_producer p;
    tern_stream_consumer c;
    tern_stream_info info;
    if (GOT(info, tern_stream_inspect, memory, size))
        USE_CHECK(info.was_used_bytes <= info.capacity_bytes && info.size_bytes <= size);
    bool consumes = GOT(c, tern_stream_attach_consumer, memory, size);
    bool produces = GOT(p, tern_stream_attach_producer, memory, size);
    use_stream(produces ? &p : NULL, consumes ? &c : NULL, (struct use_span){ memory, size }, program);
}

static void run_triple(unsigned char *memory, size_t size, struct use_bytes program)
{
    tern_triple_writer w;
    tern_triple_reader r;
    tern_triple_info info;
    if (GOT(info, tern_triple_inspect, memory, size))
        USE_CHECK(info.was_back + info.was_ready + info.was_front == 3 && info.size_bytes <= size);
    bool reads = GOT(r, tern_triple_attach_reader, memory, size);
    bool writes = GOT(w, tern_triple_attach_writer, memory, size);
    use_triple(writes ? &w : NULL, reads ? &r : NULL, (struct use_span){ memory, size }, program);
}

static void run_pool(unsigned char *memory, size_t size, struct use_bytes program)
{
    tern_pool pool;
    tern_pool_info info;
    if (GOT(info, tern_pool_inspect, memory, size))
        USE_CHECK(info.was_live <= info.capacity_items && info.size_bytes <= size);
    if (GOT(pool, tern_pool_attach, memory, size)) use_pool(&pool, (struct use_span){ memory, size }, program);
}

static void run_bell(unsigned char *memory, size_t size, struct use_bytes program)
{
    tern_bell bell;
    tern_bell_info info;
    if (GOT(info, tern_bell_inspect, memory, size))
        USE_CHECK(info.sources <= TERN_BELL_MAX_SOURCES && info.size_bytes <= size);
    if (GOT(bell, tern_bell_attach, memory, size)) use_bell(&bell, (struct use_span){ memory, size }, program);
}

static void (*const run[PRIMITIVES])(unsigned char *, size_t, struct use_bytes) = {
    run_ring, run_stream, run_triple, run_pool, run_bell
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in;
    const uint32_t version = TERN_LAYOUT_VERSION;
    if (!fuzz_split(&in, data, size)) return 0;
    int primitive = in.header[0] % 8 % PRIMITIVES;
    unsigned char *memory = fuzz_memory(in.size);
    memcpy(memory, in.bytes, in.size);
    if (!(in.header[0] & FUZZ_RAW) && in.size >= primitives[primitive].header_bytes) {
        if (in.header[0] & FUZZ_FIT) fit(primitive, memory, in.size);
        memcpy(memory, &primitives[primitive].magic, 4);
        memcpy(memory + GEOMETRY_OFFSET, &version, 4);
        fuzz_seal(memory + GEOMETRY_OFFSET, primitives[primitive].geometry_bytes);
    }
    run[primitive](memory, in.size, in.program);
    free(memory);
    return 0;
}

/* Each primitive in a few sizes, as formatted, and after use. */
void fuzz_seeds(void (*emit)(const void *bytes, size_t size_bytes))
{
    static const uint32_t numbers[][2] = { { 7, 16 }, { 7, 17 }, { 7, 18 }, { 11, 31 }, { 100, 6 } };
    for (int primitive = 0; primitive < PRIMITIVES; primitive++)
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            for (int used = 0; used < 2; used++) {
                unsigned char *memory = fuzz_memory(4096);
                size_t size = format(primitive, numbers[i][0], numbers[i][1], memory, 4096);
                struct use_bytes some = use_everything();
                some.end = some.at + 24;
                if (used) run[primitive](memory, size, some);
                const uint8_t header[FUZZ_HEADER_BYTES] = { (uint8_t)(primitive | (used ? FUZZ_FIT : FUZZ_RAW)) };
                fuzz_emit(emit, header, memory, size, use_everything());
                free(memory);
            }
}
