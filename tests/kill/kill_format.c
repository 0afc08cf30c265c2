/* SPDX-License-Identifier: MIT */
/* kill_format.c: whoever formats an object or a region, killed at every instruction: in new memory, in memory of
 * anything, and over an older object. Nobody may ever attach to a half of one; formatting again makes it whole.
 *
 *   kill_format [--only TEXT] */
#include "kill.h"

enum { MEMORY_BYTES = 16384 };

typedef struct {
    const char *name;
    size_t (*size)(bool other);
    tern_status (*format)(bool other);      /* one of two geometries */
    tern_status (*attach)(void);
} type;
static const type *made;

static struct {
    unsigned char whole[MEMORY_BYTES];      /* as it is to be in the end */
    unsigned char older[MEMORY_BYTES];
    tern_status before;                     /* what attach says before the operation */
} w;

#define TYPE_CALLS(name, role, ...) \
    static const tern_##name##_desc name##_descs[2] = { __VA_ARGS__ }; \
    static size_t name##_size(bool other) { return tern_##name##_size(&name##_descs[other]); } \
    static tern_status name##_format(bool other) \
    { \
        return tern_##name##_format(kill_memory, MEMORY_BYTES, &name##_descs[other]); \
    } \
    static tern_status name##_attach(void) \
    { \
        tern_##name##role view; \
        return tern_##name##_attach##role(&view, kill_memory, MEMORY_BYTES); \
    }
/* tern_ring_producer is the view of tern_ring_attach_producer() */
TYPE_CALLS(ring, _producer, { 24, 8, TERN_RING_WAITABLE }, { 40, 16, TERN_RING_SEQUENCED })
TYPE_CALLS(stream, _consumer, { 128, 0 }, { 1024, TERN_STREAM_WAITABLE })
TYPE_CALLS(triple, _reader, { 40 }, { 200 })
TYPE_CALLS(pool, , { 16, 5 }, { 60, 9 })
TYPE_CALLS(bell, , { 8 }, { 1100 })

static const tern_region_desc region_descs[2] = { { 1, 3, 2, 0 }, { 2, 9, 5, 0 } };
static size_t region_size(bool other) { return tern_region_size(&region_descs[other]); }
static tern_status region_format(bool other)
{
    return tern_region_format(kill_memory, MEMORY_BYTES, &region_descs[other]);
}
/* A look: attaching would be seen in the bytes. */
static tern_status region_attach(void)
{
    tern_region_info info;
    return tern_region_inspect(&info, kill_memory, MEMORY_BYTES);
}

static const type types[] = {
    { "ring", ring_size, ring_format, ring_attach },
    { "stream", stream_size, stream_format, stream_attach },
    { "triple", triple_size, triple_format, triple_attach },
    { "pool", pool_size, pool_format, pool_attach },
    { "bell", bell_size, bell_format, bell_attach },
    { "region", region_size, region_format, region_attach },
};

/* ---- Before the operation ------------------------------------------------------------------------- */

static void begin_with(int byte, bool older)
{
    memset(kill_memory, byte, MEMORY_BYTES);
    if (older) made->format(true);
    memcpy(w.older, kill_memory, MEMORY_BYTES);
    w.before = made->attach();
    made->format(false);
    memcpy(w.whole, kill_memory, MEMORY_BYTES);
    memcpy(kill_memory, w.older, MEMORY_BYTES);
}

static void new_memory(void) { begin_with(0, false); }
static void any_memory(void) { begin_with(0xa5, false); }
static void older_object(void) { begin_with(0, true); }

static void format(void) { made->format(false); }

/* ---- Who is left ------------------------------------------------------------------------------------- */

/* But for a region's creator, which is a process id, and the hash over it. */
static bool is_whole(const unsigned char *seen, const unsigned char *whole)
{
    enum { CREATOR = offsetof(struct tern_region_shared, geometry) + offsetof(struct tern_region_geometry, creator),
           CHECK = offsetof(struct tern_region_shared, geometry) + offsetof(struct tern_region_geometry, check) };
    for (size_t i = 0; i < MEMORY_BYTES; i++) {
        bool may_differ = made->format == region_format
            && ((i >= CREATOR && i < CREATOR + 4) || (i >= CHECK && i < CHECK + 4));
        if (seen[i] != whole[i] && !may_differ) return false;
    }
    return true;
}

/* Effect: 1 if it is ready. */
static int formatter_died(int order)
{
    static unsigned char seen[MEMORY_BYTES];
    memcpy(seen, kill_memory, MEMORY_BYTES);
    bool ready = is_whole(seen, w.whole), untouched = is_whole(seen, w.older);
    tern_status status = made->attach();
    if (ready) KILL_MUST(status == TERN_OK);
    else if (untouched) KILL_MUST(status == w.before);
    else KILL_MUST(status == TERN_ERR_NOT_READY || (w.before != TERN_OK && status == w.before));
    if (order == 1) memcpy(kill_memory, seen, MEMORY_BYTES);
    KILL_MUST(made->format(false) == TERN_OK);
    KILL_MUST(made->size(false) <= MEMORY_BYTES && is_whole(kill_memory, w.whole) && made->attach() == TERN_OK);
    return ready;
}

static const kill_case all[] = {
    KILL_CASE("format, new memory", new_memory, format, formatter_died, 2, 1),
    KILL_CASE("format, memory of anything", any_memory, format, formatter_died, 2, 1),
    KILL_CASE("format over an older object", older_object, format, formatter_died, 2, 1),
};

int main(int argc, char **argv)
{
    kill_begin(argc, argv, MEMORY_BYTES, &w, sizeof w);
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        made = &types[k];
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) kill_run(made->name, &all[i]);
    }
    return kill_end();
}
