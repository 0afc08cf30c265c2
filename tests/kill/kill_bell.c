/* SPDX-License-Identifier: MIT */
/* kill_bell.c: ringer or collector of a bell, killed at every instruction of every call; a flat bell, one with a
 * leaf for each bit of the root, and one with two.
 *
 *   kill_bell [--only TEXT] */
#include "kill.h"

enum { MOST_SOURCES = 1100, MARKS = 3 };

static const struct bell_kind {
    const char *name;
    uint32_t sources;
    uint32_t marks[MARKS];         /* rung by others, before */
    uint32_t victim, neighbour;    /* sources of one root bit; the neighbour's own in a flat bell */
} kinds[] = {
    { "bell of 8", 8, { 0, 3, 7 }, 5, 6 },
    { "bell of 100", 100, { 0, 33, 99 }, 40, 41 },
    { "bell of 1100", MOST_SOURCES, { 0, 33, 1099 }, 70, 100 },
};
static const struct bell_kind *kind;

static struct {
    size_t size;
    tern_bell bell;                /* the victim's, and whose it was before */
    tern_bell other;
    bool rung[MOST_SOURCES];       /* by others */
} w;

/* ---- Before the operation ------------------------------------------------------------------------- */

static void silent(void)
{
    tern_bell_desc desc = { kind->sources };
    w.size = tern_bell_size(&desc);
    tern_bell_format(kill_memory, w.size, &desc);
    tern_bell_attach(&w.bell, kill_memory, w.size);
    tern_bell_attach(&w.other, kill_memory, w.size);
    w.bell.spin_checks = w.other.spin_checks = 2;
}

static void ring_other(uint32_t source)
{
    tern_bell_ring(&w.other, source);
    w.rung[source] = true;
}

static void some_rang(void)
{
    silent();
    for (int i = 0; i < MARKS; i++) ring_other(kind->marks[i]);
}

/* ---- Operations ------------------------------------------------------------------------------------- */

static void ring(void) { tern_bell_ring(&w.bell, kind->victim); }
static void close_bell(void) { tern_bell_close(&w.bell); }
static void attach(void) { tern_bell_attach(&w.bell, kill_memory, w.size); }
static void detach(void) { tern_bell_detach(&w.bell); }
static void status(void) { tern_bell_status(&w.bell); }
static void arm(void) { tern_bell_arm(&w.bell); }
static void wait_for_one(void) { tern_bell_wait(&w.bell, TERN_WAIT_FOREVER); }
static void ring_meanwhile(void) { ring_other(kind->marks[0]); }

static void pass(void)
{
    tern_bell_pass all;
    uint32_t first, bits;
    tern_bell_begin(&w.bell, &all);
    while (tern_bell_next(&all, &first, &bits)) { }
}

static void collect(void)
{
    tern_bell_pass all;
    uint32_t first, bits, root = tern_bell_collect(&w.bell);
    tern_bell_begin_with(&w.bell, &all, root);
    tern_bell_next(&all, &first, &bits);
}

/* ---- Who is left and who comes ----------------------------------------------------------------------- */

/* Collect all into found. */
static bool collect_into(tern_bell *bell, bool *found)
{
    tern_bell_pass all;
    uint32_t first, bits;
    tern_bell_begin(bell, &all);
    while (tern_bell_next(&all, &first, &bits))
        while (bits) {
            uint32_t source = first + tern_bell_take(&bits);
            KILL_TRUE(source < kind->sources);
            found[source] = true;
        }
    return true;
}

/* Each source rings and is found, alone; then all at once. */
static bool all_ring(tern_bell *ringer, tern_bell *collector)
{
    static bool found[MOST_SOURCES];
    for (uint32_t source = 0; source < kind->sources; source += source % 32 == 0 ? 1 : 31) {
        memset(found, 0, sizeof found);
        KILL_TRUE(tern_bell_ring(ringer, source) && collect_into(collector, found));
        for (uint32_t i = 0; i < kind->sources; i++) KILL_TRUE(found[i] == (i == source));
    }
    memset(found, 0, sizeof found);
    for (uint32_t i = 0; i < kind->sources; i++) tern_bell_ring(ringer, i);
    KILL_TRUE(tern_bell_wait(collector, 0) == TERN_OK && collect_into(collector, found));
    for (uint32_t i = 0; i < kind->sources; i++) KILL_TRUE(found[i]);
    KILL_TRUE(tern_bell_wait(collector, 0) == TERN_ERR_TIMEOUT);
    return true;
}

/* Effect: 1 if the dead one's mark is there: found at once, or with the next ring in the same run. Nobody else's is
 * lost. Order 0: the collector looks before that ring; 1: behind it. */
static int ringer_died(int order)
{
    tern_bell successor;
    bool found[MOST_SOURCES] = { false }, with_next[MOST_SOURCES] = { false };
    if (order == 0) KILL_MUST(collect_into(&w.other, found));
    KILL_MUST(tern_bell_attach(&successor, kill_memory, w.size) == TERN_OK);
    KILL_MUST(tern_bell_ring(&successor, kind->neighbour) && collect_into(&w.other, with_next));
    bool rang = found[kind->victim] || with_next[kind->victim];
    KILL_MUST(with_next[kind->neighbour]);
    w.rung[kind->victim] = rang;
    w.rung[kind->neighbour] = true;
    for (uint32_t i = 0; i < kind->sources; i++) KILL_MUST((found[i] || with_next[i]) == w.rung[i]);
    for (int i = 0; i < MARKS && order == 0; i++) KILL_MUST(found[kind->marks[i]] == w.rung[kind->marks[i]]);
    KILL_MUST(all_ring(&successor, &w.other));
    return rang;
}

/* The same whoever died where it changes nothing but SLEEP. */
static int nothing_changed(int order)
{
    tern_bell successor;
    bool found[MOST_SOURCES] = { false };
    KILL_MUST(tern_bell_attach(&successor, kill_memory, w.size) == TERN_OK);
    if (order == 1) tern_bell_ring(&w.other, kind->victim);
    w.rung[kind->victim] = order == 1;
    KILL_MUST(collect_into(&successor, found));
    for (uint32_t i = 0; i < kind->sources; i++) KILL_MUST(found[i] == w.rung[i]);
    KILL_MUST(all_ring(&w.other, &successor));
    return 0;
}

/* Effect: marks that the dead one had taken; its successor looks at every source for that. Marks that are left
 * are found, at the latest with the next ring in the same run. Order 1: who rings comes before the successor. */
static int collector_died(int order)
{
    tern_bell successor;
    bool found[MOST_SOURCES] = { false };
    int taken = 0;
    for (int i = 0; i < MARKS && order == 1; i++) KILL_MUST(tern_bell_ring(&w.other, kind->marks[i]));
    KILL_MUST(tern_bell_attach(&successor, kill_memory, w.size) == TERN_OK);
    KILL_MUST(collect_into(&successor, found));
    if (order == 1) for (int i = 0; i < MARKS; i++) KILL_MUST(found[kind->marks[i]]);
    for (uint32_t i = 0; i < kind->sources && order == 0; i += 32) {
        /* a ring in each run, by a source that has not rung */
        uint32_t source = i + 1 < kind->sources ? i + 1 : i;
        if (w.rung[source]) source++;
        KILL_MUST(kind->sources <= TERN_BELL_FLAT_SOURCES || tern_bell_ring(&w.other, source % kind->sources));
    }
    bool more[MOST_SOURCES] = { false };
    KILL_MUST(collect_into(&successor, more));
    for (int i = 0; i < MARKS; i++) taken += !found[kind->marks[i]] && !more[kind->marks[i]];
    for (uint32_t i = 0; i < kind->sources; i++) KILL_MUST(!found[i] || w.rung[i]);
    KILL_MUST(all_ring(&w.other, &successor));
    return taken;
}

static int collector_died_first(int order)
{
    (void)order;
    return collector_died(0);
}

/* With the rings again, nothing is lost, wherever it died. */
static int collector_died_ring_again(int order)
{
    (void)order;
    return collector_died(1);
}

/* Effect: 1 if it is closed. What rang before is collected. */
static int closer_died(int order)
{
    tern_bell successor;
    tern_bell_info info;
    bool found[MOST_SOURCES] = { false };
    KILL_MUST(tern_bell_attach(&successor, kill_memory, w.size) == TERN_OK);
    KILL_MUST(tern_bell_inspect(&info, kill_memory, w.size) == TERN_OK);
    KILL_MUST(tern_bell_wait(&w.other, 0) == TERN_OK);   /* first what rang */
    KILL_MUST(collect_into(&w.other, found));
    for (uint32_t i = 0; i < kind->sources; i++) KILL_MUST(found[i] == w.rung[i]);
    KILL_MUST(tern_bell_status(&w.other) == (info.closed ? TERN_ERR_CLOSED : TERN_OK));
    if (!info.closed && order == 0) KILL_MUST(all_ring(&successor, &w.other));
    tern_bell_close(&successor);
    KILL_MUST(tern_bell_wait(&w.other, TERN_WAIT_FOREVER) == TERN_ERR_CLOSED);
    return info.closed;
}

/* ---- A collector that sleeps ------------------------------------------------------------------------------ */

/* @return 1 if the victim's source rang before it was closed */
static int sleeping_collector(void)
{
    bool found[MOST_SOURCES] = { false };
    tern_status answer;
    while ((answer = tern_bell_wait(&w.other, TERN_WAIT_FOREVER)) == TERN_OK) KILL_MUST(collect_into(&w.other, found));
    KILL_MUST(answer == TERN_ERR_CLOSED);
    return found[kind->victim] + 2 * found[kind->neighbour];
}

static void silent_asleep(void) { silent(); kill_leave_asleep(sleeping_collector); }

static tern_bell next_ringer;

static bool nothing_rings(void)
{
    tern_bell_info info;
    return tern_bell_inspect(&info, kill_memory, w.size) == TERN_OK && info.was_ringing == 0;
}

/* A ring that is in the root wakes the sleeper when a successor has come; a mark that is not yet, with the next. */
static bool ringer_comes(void)
{
    KILL_TRUE(tern_bell_attach(&next_ringer, kill_memory, w.size) == TERN_OK);
    KILL_TRUE(kill_soon(nothing_rings));
    KILL_TRUE(tern_bell_ring(&next_ringer, kind->neighbour));
    KILL_TRUE(kill_soon(nothing_rings));
    tern_bell_close(&next_ringer);
    return true;
}

static int ringer_died_beside_sleeper(int order)
{
    (void)order;
    int found = kill_beside_sleeper(sleeping_collector, ringer_comes);
    KILL_MUST(found == 2 || found == 3);
    return found - 2;
}

static int effect;

static bool closer_comes(void)
{
    tern_bell_info info;
    KILL_TRUE(tern_bell_attach(&next_ringer, kill_memory, w.size) == TERN_OK);
    KILL_TRUE(tern_bell_inspect(&info, kill_memory, w.size) == TERN_OK);
    effect = info.closed;
    if (!effect) tern_bell_close(&next_ringer);
    return true;
}

static int closer_died_beside_sleeper(int order)
{
    (void)order;
    return kill_beside_sleeper(sleeping_collector, closer_comes) == 0 ? effect : KILL_WRONG;
}

/* ---- The table --------------------------------------------------------------------------------------- */

static const kill_case all[] = {
    KILL_CASE("ring", silent, ring, ringer_died, 2, 1),
    KILL_CASE("ring, others rang", some_rang, ring, ringer_died, 2, 1),
    KILL_CASE("close", some_rang, close_bell, closer_died, 2, 1),
    KILL_CASE("attach", some_rang, attach, nothing_changed, 2, 0),
    KILL_CASE("detach", some_rang, detach, nothing_changed, 2, 0),
    KILL_CASE("status", some_rang, status, nothing_changed, 2, 0),
    KILL_BESIDE("ring, the collector sleeps", silent_asleep, ring, ringer_died_beside_sleeper, 1),
    KILL_BESIDE("close, the collector sleeps", silent_asleep, close_bell, closer_died_beside_sleeper, 1),
    KILL_CASE("collect, begin_with, next", some_rang, collect, collector_died_ring_again, 1, 0),
    KILL_CASE("begin, next", some_rang, pass, collector_died_first, 1, MARKS),
    KILL_CASE("begin, next, and who rang rings again", some_rang, pass, collector_died_ring_again, 1, 0),
    KILL_CASE("wait, somebody rang", some_rang, wait_for_one, nothing_changed, 2, 0),
    KILL_ASLEEP("wait that sleeps", silent, wait_for_one, ring_meanwhile, nothing_changed, 2, 0),
    KILL_CASE("arm", silent, arm, nothing_changed, 2, 0),
    KILL_CASE("arm, somebody rang", some_rang, arm, nothing_changed, 2, 0),
};

int main(int argc, char **argv)
{
    kill_begin(argc, argv, 4096, &w, sizeof w);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        kind = &kinds[k];
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) kill_run(kind->name, &all[i]);
    }
    return kill_end();
}
