/* SPDX-License-Identifier: MIT */
/* victim_bell.c: a bell's ringers and its collector under attack, flat and with leaves. */
#include "hostile.h"

typedef struct bell_state {
    tern_bell bell;
    tern_bell_pass pass;
    bool passing;
    uint32_t pass_calls;
} bell_state;

enum { BELL_RINGER, BELL_COLLECTOR };
enum { BELL_FLAT, BELL_LEAVES };

static const uint32_t bell_shapes[2][5] = { { 1, 2, 30, 31, 8 }, { 32, 33, 1000, 993, 3000 } };

/* ---- Limits ------------------------------------------------------------------------------------- */

enum { BELL_ARM = 3, BELL_STANDS = 2, BELL_LOOK = 1 + BELL_STANDS + BELL_ARM };

enum bell_call { RING, COLLECT, BEGIN, NEXT, STATUS, WAIT, ARM, CLOSE, ATTACH, DETACH, INSPECT, BELL_CALLS };

static hostile_limit bell_limits[BELL_CALLS] = {
    [RING] = { "tern_bell_ring", 2, 0, 0, 0 },
    [COLLECT] = { "tern_bell_collect", 1, 0, 0, 0 },
    [BEGIN] = { "tern_bell_begin", 1, 0, 0, 0 },
    [NEXT] = { "tern_bell_next", 0, 4, 0, 0 },       /* each for a leaf: three looks, and it is taken */
    [STATUS] = { "tern_bell_status", BELL_STANDS, 0, 0, 0 },
    [WAIT] = { "tern_bell_wait", 0, BELL_LOOK, 0, 0 },   /* each for a number of looks */
    [ARM] = { "tern_bell_arm", BELL_ARM, 0, 0, 0 },
    [CLOSE] = { "tern_bell_close", 2, 0, 0, 0 },
    [ATTACH] = { "tern_bell_attach", 2, 0, 0, 0 },
    [DETACH] = { "tern_bell_detach", 0, 0, 0, 0 },
    [INSPECT] = { "tern_bell_inspect", 2 + 2, 0, 0, 0 },
};

/* The source says one operation. But no x86 has an OR that returns what was there: compilers make a load and
 * a compare-exchange of it, again and again if somebody changes the word in between. So in the machine code the call
 * is lock-free: each more turn is a write of somebody else. Seen by the plain program's steps alone. */
#define OR_IS_A_LOOP (HOSTILE_WATCHED ? 1 : 64)

static const hostile_reread bell_rereads[] = {
    { "tern_bell_ring", "word", OR_IS_A_LOOP, 0, "fetch_or, as compiled" },
    { "tern_bell_close", "word", OR_IS_A_LOOP, 0, "fetch_and, as compiled" },
    { "tern_bell_next", "leaf", 4, 0,
      "looks that only choose where to take; the exchange that takes is the one that counts, "
      "and what it took is masked" },
    { "tern_bell_arm", "word", 2, 0, "a load, then a compare-exchange that expects what was loaded" },
    { "tern_bell_wait", "word", 0, 4, "each look is a whole one; nothing is touched on the strength of it" },
    { "tern_bell_wait", "closed", 0, 2, "the same" },
    { NULL, NULL, 0, 0, NULL },
};

/* ---- The object ------------------------------------------------------------------------------------ */

static void bell_shape(world *w)
{
    w->shape = hostile_below(w, 5);
    w->capacity_items = bell_shapes[w->victim->form][w->shape];
    w->item_size_bytes = 0;
    tern_bell_desc desc = { w->capacity_items };
    w->size_bytes = (uint32_t)tern_bell_size(&desc);
}

static void bell_make(world *w)
{
    bell_state *s = w->state;
    tern_bell_desc desc = { w->capacity_items };
    if (tern_bell_format(w->memory, w->size_bytes, &desc) != TERN_OK
        || tern_bell_attach(&s->bell, w->memory, w->size_bytes) != TERN_OK) hostile_fail(w, "attach");
    s->passing = false;
    s->bell.spin_checks = hostile_below(w, 4);
}

static const char *bell_word(const world *w, uint32_t offset)
{
    if (offset < 128) return hostile_header_word(w, offset);
    if (offset == offsetof(struct tern_bell_shared, root)) return "word";
    if (offset == offsetof(struct tern_bell_shared, root) + 4) return "closed";
    return offset < sizeof(struct tern_bell_shared) ? NULL : "leaf";
}

static uint32_t bell_own(const world *w)
{
    const bell_state *s = w->state;
    return s->bell.root_mask;
}

/* ---- Calls ---------------------------------------------------------------------------------------------- */

static void bell_attach(world *w)
{
    bell_state *s = w->state;
    tern_bell fresh;
    hostile_mend_header(w);
    hostile_begin(w, &bell_limits[ATTACH], 0);
    tern_status status = tern_bell_attach(&fresh, w->memory, w->size_bytes);
    hostile_end(w);
    if (!hostile_attached(w, status, HOSTILE_ATTACHES, &fresh, sizeof fresh)) return;
    hostile_check(w, !fresh.leaf || (unsigned char *)(fresh.leaf + fresh.leaves) <= w->memory + w->size_bytes);
    hostile_begin(w, &bell_limits[DETACH], 0);
    tern_bell_detach(&s->bell);
    hostile_end(w);
    hostile_reshaped(w, fresh.sources, 0);
    s->bell = fresh;
    s->bell.spin_checks = hostile_below(w, 4);
    s->passing = false;
}

static void bell_inspect(world *w)
{
    tern_bell_info info;
    hostile_mend_header(w);
    hostile_begin(w, &bell_limits[INSPECT], 0);
    tern_status status = tern_bell_inspect(&info, w->memory, w->size_bytes);
    hostile_end(w);
    if (hostile_status(w, status, HOSTILE_ATTACHES) != TERN_OK) return;
    hostile_check(w, info.size_bytes <= w->size_bytes && info.sources >= 1 && info.sources <= TERN_BELL_MAX_SOURCES);
    hostile_check(w, (info.was_ringing & TERN__BELL_SLEEP) == 0);
}

static void bell_ring(world *w)
{
    bell_state *s = w->state;
    uint32_t source = hostile_below(w, 64) ? hostile_below(w, s->bell.sources) : (uint32_t)hostile_random(w);
    hostile_begin(w, &bell_limits[RING], 0);
    bool rang = tern_bell_ring(&s->bell, source);
    hostile_end(w);
    hostile_check(w, rang == (source < s->bell.sources));
    w->successes += rang;
}

/* One step of a pass; every bit that it hands out stands for a source. */
static void bell_next(world *w)
{
    bell_state *s = w->state;
    uint32_t first, bits;
    if (!s->passing) {
        hostile_begin(w, &bell_limits[BEGIN], 0);
        tern_bell_begin(&s->bell, &s->pass);
        hostile_end(w);
        s->passing = true;
        s->pass_calls = 0;
    }
    hostile_begin(w, &bell_limits[NEXT], s->bell.leaves);
    bool some = tern_bell_next(&s->pass, &first, &bits);
    hostile_end(w);
    hostile_check(w, ++s->pass_calls <= s->bell.sources / 32 + 2);
    hostile_check(w, some == (bits != 0) && (some || first == 0));
    while (bits) hostile_check(w, first + tern_bell_take(&bits) < s->bell.sources);
    s->passing = some;
    w->successes += some;
}

static void bell_collect(world *w)
{
    bell_state *s = w->state;
    hostile_begin(w, &bell_limits[COLLECT], 0);
    uint32_t bits = tern_bell_collect(&s->bell);
    hostile_end(w);
    hostile_check(w, (bits & ~s->bell.root_mask) == 0);
    w->successes += bits != 0;
    if (bits == 0 || s->passing) return;
    tern_bell_begin_with(&s->bell, &s->pass, bits);
    s->passing = true;
    s->pass_calls = 0;
}

static void bell_look(world *w, uint32_t r)
{
    bell_state *s = w->state;
    tern_status status = TERN_OK;
    uint64_t timeout_ns = hostile_timeout(w);
    if (r % 4 == 0) {
        hostile_begin(w, &bell_limits[ARM], 0);
        tern_bell_arm(&s->bell);
    } else if (r % 4 == 1) {
        hostile_begin(w, &bell_limits[STATUS], 0);
        status = tern_bell_status(&s->bell);
    } else {
        hostile_begin(w, &bell_limits[WAIT], hostile_looks(s->bell.spin_checks, timeout_ns));
        status = tern_bell_wait(&s->bell, timeout_ns);
    }
    hostile_end(w);
    hostile_status(w, status, r % 4 > 1 ? HOSTILE_WAITS : HOSTILE_STANDS);
}

static void bell_act(world *w)
{
    bell_state *s = w->state;
    bool quiet = w->quiet, peer = hostile_below(w, 2) == 0;
    uint32_t r = hostile_below(w, 256);
    if (peer) w->quiet = true;
    if (r >= 250) {
        bell_attach(w);
    } else if (r >= 246) {
        bell_inspect(w);
    } else if ((w->victim->role == BELL_RINGER) != peer) {
        if (r != 0) {
            bell_ring(w);
        } else {
            hostile_begin(w, &bell_limits[CLOSE], 0);
            tern_bell_close(&s->bell);
            hostile_end(w);
        }
    } else if (r < 120) {
        bell_next(w);
    } else if (r < 180) {
        bell_collect(w);
    } else {
        bell_look(w, r);
    }
    w->quiet = quiet;
}

#define VICTIM(name, form, role) { name, form, role, sizeof(bell_state), bell_shape, bell_make, bell_act, bell_word, \
                                   bell_own, NULL, sizeof(struct tern_bell_geometry), bell_rereads, bell_limits, \
                                   BELL_CALLS }

const hostile_victim hostile_bell_victims[] = {
    VICTIM("bell_flat_ringer", BELL_FLAT, BELL_RINGER),
    VICTIM("bell_flat_collector", BELL_FLAT, BELL_COLLECTOR),
    VICTIM("bell_leaves_ringer", BELL_LEAVES, BELL_RINGER),
    VICTIM("bell_leaves_collector", BELL_LEAVES, BELL_COLLECTOR),
    { .name = NULL },
};
