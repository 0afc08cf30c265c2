/* SPDX-License-Identifier: MIT */
/* stress_bell.c: ringers in threads or processes, one collector that sleeps without a time-out.
 * Nothing rung may be slept through: a lost wake-up hangs, and the time limit of the test ends it.
 *
 *   stress_bell [rings] [seed]            counters, plain items and rings behind bells, threads and processes
 *   stress_bell --wakes [wakes] [seed]    only: ringer and collector put each other to sleep
 */
#include "stress.h"

#include <signal.h>

enum { RINGERS = 3, MAX_SOURCES = 65536 };

typedef struct { uint64_t sequence, check; } item;
TERN_RING_DEFINE(item_ring, item)

/* ---- One run: everything that is shared --------------------------------------------------- */

typedef struct run {
    const char *name;
    int (*ring)(struct run *r, uint32_t ringer);      /* 0: well */
    int (*collect)(struct run *r);
    uint64_t rings, seed;
    uint32_t sources, spin_checks;
    bool victims;                     /* processes: others ring as well, and are killed at it */
    void *bell;                       /* what they collect */
    void *answer[RINGERS];            /* items only: a bell back to each ringer */
    void *queue[RINGERS];             /* rings only */
    tern_a32 *counter;                /* counters only: one a source */
    item *items;                      /* items only: plain memory, one a ringer */
    uint64_t *sleeps;                 /* of each ringer, and of the collector */
} run;

static tern_status attach(tern_bell *bell, void *memory, uint32_t sources, uint32_t spin_checks)
{
    tern_bell_desc desc = { sources };
    tern_status status = tern_bell_attach(bell, memory, tern_bell_size(&desc));
    bell->spin_checks = spin_checks;
    return status;
}

/* ---- Counters: rings that meet and merge; each counter's last value must be seen -------------- */

static int ring_counters(run *r, uint32_t ringer)
{
    tern_bell bell;
    uint64_t random = mix(r->seed + ringer) | 1;
    if (attach(&bell, r->bell, r->sources, r->spin_checks) != TERN_OK) return 1;
    for (uint64_t i = 0; i < r->rings; i++) {
        uint32_t source = (uint32_t)(next_random(&random) >> 32) % r->sources;
        /* relaxed: the ring behind it carries it to the collector */
        tern_a32_fetch_add_relaxed(&r->counter[source], 1);
        if (!tern_bell_ring(&bell, source)) return 1;
        pause_a_little(&random);
    }
    return tern_bell_ring(&bell, r->sources);     /* no such source: must be refused */
}

static int collect_counters(run *r)
{
    tern_bell bell;
    uint64_t missing = RINGERS * r->rings;
    uint32_t *seen = calloc(r->sources, sizeof *seen);
    int failed = !seen || attach(&bell, r->bell, r->sources, r->spin_checks) != TERN_OK;
    while (missing > 0 && !failed) {
        tern_bell_pass pass;
        uint32_t first, bits;
        failed = tern_bell_wait(&bell, TERN_WAIT_FOREVER) != TERN_OK;
        tern_bell_begin(&bell, &pass);
        while (tern_bell_next(&pass, &first, &bits))
            while (bits) {
                uint32_t source = first + tern_bell_take(&bits), now;
                if (source >= r->sources) return 1;
                now = tern_a32_load_relaxed(&r->counter[source]);
                missing -= now - seen[source];
                seen[source] = now;
            }
    }
    for (uint32_t i = 0; i < r->sources && !failed; i++)
        failed = tern_a32_load_relaxed(&r->counter[i]) != seen[i];
    free(seen);
    return failed;
}

/* ---- Items: plain memory handed over by the bell, and back by another one ----------------------- */

static int ring_items(run *r, uint32_t ringer)
{
    tern_bell out, back;
    item *it = &r->items[ringer];
    uint32_t source = ringer * (r->sources - 1) / (RINGERS - 1);   /* first, last, and between */
    if (attach(&out, r->bell, r->sources, 0) != TERN_OK
        || attach(&back, r->answer[ringer], 1, r->spin_checks) != TERN_OK) return 1;
    for (uint64_t i = 1; i <= r->rings; i++) {
        it->sequence = i;
        it->check = mix(i + r->seed);
        if (!tern_bell_ring(&out, source) || tern_bell_wait(&back, TERN_WAIT_FOREVER) != TERN_OK) return 1;
        if (tern_bell_collect(&back) != 1 || it->check != ~mix(i + r->seed)) return 1;
    }
    it->sequence = 0;                                /* the last one: over */
    return !tern_bell_ring(&out, source);
}

static int collect_items(run *r)
{
    tern_bell in, back[RINGERS];
    uint64_t next[RINGERS];
    uint32_t open = RINGERS, first, bits;
    if (attach(&in, r->bell, r->sources, r->spin_checks) != TERN_OK) return 1;
    for (uint32_t i = 0; i < RINGERS; i++) {
        next[i] = 1;
        if (attach(&back[i], r->answer[i], 1, 0) != TERN_OK) return 1;
    }
    while (open > 0) {
        tern_bell_pass pass;
        if (tern_bell_wait(&in, TERN_WAIT_FOREVER) != TERN_OK) return 1;
        tern_bell_begin(&in, &pass);
        while (tern_bell_next(&pass, &first, &bits))
            while (bits) {
                uint32_t source = first + tern_bell_take(&bits), ringer = 0;
                while (ringer < RINGERS - 1 && source != ringer * (r->sources - 1) / (RINGERS - 1)) ringer++;
                item *it = &r->items[ringer];
                if (it->sequence == 0 && next[ringer] == r->rings + 1) {
                    open--;
                    continue;
                }
                if (it->sequence != next[ringer] || it->check != mix(next[ringer] + r->seed)) return 1;
                next[ringer]++;
                it->check = ~it->check;
                tern_bell_ring(&back[ringer], 0);
            }
    }
    return 0;
}

/* ---- Rings: one bell for all of them -------------------------------------------------------------- */

static size_t queue_size(void)
{
    tern_ring_desc desc = item_ring_desc(16, TERN_RING_WAITABLE);
    return tern_ring_size(&desc);
}

static int ring_queues(run *r, uint32_t ringer)
{
    tern_bell bell;
    tern_ring_producer p;
    uint64_t random = mix(r->seed + ringer) | 1;
    if (attach(&bell, r->bell, r->sources, 0) != TERN_OK
        || item_ring_attach_producer(&p, r->queue[ringer], queue_size()) != TERN_OK
        || tern_ring_producer_bind(&p, &bell, ringer) != TERN_OK) return 1;
    for (uint64_t i = 0; i < r->rings; i++) {
        item it = { i, mix(i + r->seed) };
        if (item_ring_push_wait(&p, &it, TERN_WAIT_FOREVER) != TERN_OK) return 1;
        pause_a_little(&random);
    }
    tern_ring_close_producer(&p);
    return 0;
}

static int collect_queues(run *r)
{
    tern_bell bell;
    tern_ring_consumer c[RINGERS];
    uint64_t next[RINGERS] = { 0 };
    uint32_t open = (1u << RINGERS) - 1;
    if (attach(&bell, r->bell, r->sources, r->spin_checks) != TERN_OK) return 1;
    for (uint32_t i = 0; i < RINGERS; i++)
        if (item_ring_attach_consumer(&c[i], r->queue[i], queue_size()) != TERN_OK) return 1;
    while (open) {
        if (tern_bell_wait(&bell, TERN_WAIT_FOREVER) != TERN_OK) return 1;
        uint32_t bits = tern_bell_collect(&bell);
        while (bits) {
            uint32_t at = tern_bell_take(&bits);
            item it;
            if (at >= RINGERS) return 1;
            for (; item_ring_pop(&c[at], &it); next[at]++)
                if (it.sequence != next[at] || it.check != mix(next[at] + r->seed)) return 1;
            if (tern_ring_consumer_status(&c[at]) != TERN_ERR_CLOSED) continue;
            if (next[at] != r->rings) return 1;
            open &= ~(1u << at);
        }
    }
    return 0;
}

/* ---- Threads and processes --------------------------------------------------------------------------- */

struct side {
    run *r;
    uint32_t ringer;
    int failed;
};

static void *side_thread(void *argument)
{
    struct side *side = argument;
    uint64_t before = sleeps_so_far();
    side->failed = side->r->ring(side->r, side->ringer);
    side->r->sleeps[side->ringer] = sleeps_so_far() - before;
    tern_bell bell;
    /* the collector would wait for ever; so it hears CLOSED, and fails too */
    if (side->failed && attach(&bell, side->r->bell, side->r->sources, 0) == TERN_OK) tern_bell_close(&bell);
    return NULL;
}

/* Ringers that are killed wherever they are just then, half-way through a ring too. Nothing that the
 * others ring may be lost by it. */
static void kill_victims(run *r)
{
    enum { VICTIMS = 100 };
    uint64_t random = mix(r->seed) | 1;
    for (int i = 0; i < VICTIMS; i++) {
        pid_t victim = fork();
        if (victim == 0) {
            tern_bell bell;
            if (attach(&bell, r->bell, r->sources, 0) != TERN_OK) _exit(1);
            for (;;) tern_bell_ring(&bell, (uint32_t)(next_random(&random) >> 32) % r->sources);
        }
        usleep((useconds_t)(next_random(&random) % 1000));
        if (victim > 0) kill(victim, SIGKILL), waitpid(victim, NULL, 0);
        next_random(&random);
    }
}

static int run_all(run *r, bool processes)
{
    struct side side[RINGERS];
    pthread_t thread[RINGERS];
    pid_t child[RINGERS], killer = 0;
    int failed = 0;
    if (processes && r->victims && (killer = fork()) == 0) {
        kill_victims(r);
        _exit(0);
    }
    for (uint32_t i = 0; i < RINGERS; i++) {
        side[i] = (struct side){ r, i, 1 };
        if (!processes) {
            if (pthread_create(&thread[i], NULL, side_thread, &side[i]) != 0) return 1;
            continue;
        }
        child[i] = fork();
        if (child[i] < 0) return 1;
        if (child[i] == 0) {
            side_thread(&side[i]);
            _exit(side[i].failed);
        }
    }
    uint64_t before = sleeps_so_far();
    failed = r->collect(r);
    r->sleeps[RINGERS] = sleeps_so_far() - before;
    if (failed) {   /* the ringers may wait for ever: no way to go on */
        printf("not ok - %s: the collector found something wrong\n", r->name);
        fflush(stdout);
        for (uint32_t i = 0; i < RINGERS && processes; i++) kill(child[i], SIGKILL);
        _exit(1);
    }
    if (killer > 0) waitpid(killer, NULL, 0);
    for (uint32_t i = 0; i < RINGERS; i++) {
        int status = 1;
        if (processes) waitpid(child[i], &status, 0);
        else pthread_join(thread[i], NULL), status = side[i].failed;
        if (status != 0) printf("# ringer %u found something wrong\n", i);
        failed = failed || status != 0;
    }
    return failed;
}

/* Memory of its own for each run, shared by threads and by children alike. */
static void *object(tern_region *region, const char *name, uint32_t type, size_t size)
{
    tern_object found;
    return tern_region_claim(region, name, type, size, &found) == TERN_OK ? found.memory : NULL;
}

static bool make(run *r, tern_region *region)
{
    char name[] = "answer 0";
    tern_bell_desc desc = { r->sources }, one = { 1 };
    tern_ring_desc queue = item_ring_desc(16, TERN_RING_WAITABLE);
    if (!stress_create(region, 1 << 20)) return false;
    r->bell = object(region, "bell", TERN_TYPE_BELL, tern_bell_size(&desc));
    r->counter = object(region, "counter", TERN_TYPE_POOL, MAX_SOURCES * sizeof *r->counter);
    r->items = object(region, "items", TERN_TYPE_POOL, RINGERS * sizeof *r->items);
    r->sleeps = object(region, "sleeps", TERN_TYPE_POOL, (RINGERS + 1) * sizeof *r->sleeps);
    if (!r->bell || !r->counter || !r->items || !r->sleeps) return false;
    tern_bell_format(r->bell, tern_bell_size(&desc), &desc);
    for (uint32_t i = 0; i < RINGERS; i++) {
        name[7] = (char)('0' + i);
        r->answer[i] = object(region, name, TERN_TYPE_BELL, tern_bell_size(&one));
        name[0] = 'q';
        r->queue[i] = object(region, name, TERN_TYPE_RING, queue_size());
        name[0] = 'a';
        if (!r->answer[i] || !r->queue[i]) return false;
        tern_bell_format(r->answer[i], tern_bell_size(&one), &one);
        tern_ring_format(r->queue[i], queue_size(), &queue);
    }
    return true;
}

/* @return sleeps on all sides; UINT64_MAX if it failed */
static uint64_t stress(run r, bool processes, int number)
{
    tern_region region;
    uint64_t sleeps = 0;
    if (!make(&r, &region)) {
        printf("not ok %d - %s: no memory\n", number, r.name);
        return UINT64_MAX;
    }
    int failed = run_all(&r, processes);
    for (uint32_t i = 0; i <= RINGERS; i++) sleeps += r.sleeps[i];
    uint64_t collector = r.sleeps[RINGERS];
    if (number)
        printf("%sok %d - %s, %s: %u x %llu rings, collector slept %llu times, ringers %llu\n", failed ? "not " : "",
               number, r.name, processes ? "processes" : "threads", RINGERS, (unsigned long long)r.rings,
               (unsigned long long)collector, (unsigned long long)(sleeps - collector));
    fflush(stdout);
    stress_close(&region);
    return failed ? UINT64_MAX : sleeps;
}

/* Sleep until the number asked for is reached, in portions; nothing but waits, no spinning. */
static int stress_wakes(uint64_t wanted, uint64_t seed, bool processes, int number)
{
    uint64_t total = 0, rings = 0;
    while (total < wanted) {
        run r = { .name = "wakes", .ring = ring_items, .collect = collect_items, .rings = wanted / 12 + 100,
                  .seed = mix(seed++), .sources = total % 2 ? 1000 : 31 };
        uint64_t sleeps = stress(r, processes, 0);
        if (sleeps == UINT64_MAX) break;
        total += sleeps;
        rings += 2 * RINGERS * r.rings;
    }
    printf("%sok %d - no wake-up lost, %s: %llu sleeps without a time-out, %llu rings\n", total < wanted ? "not " : "",
           number, processes ? "processes" : "threads", (unsigned long long)total, (unsigned long long)rings);
    fflush(stdout);
    return total < wanted;
}

int main(int argc, char **argv)
{
    bool only_wakes = argc > 1 && strcmp(argv[1], "--wakes") == 0;
    int at = only_wakes ? 2 : 1, failed = 0, number = 0;
    uint64_t count = argc > at ? strtoull(argv[at], NULL, 10) : only_wakes ? 1000000 : 200000;
    uint64_t seed = stress_seed(argc > at + 1 ? argv[at + 1] : NULL);

    const run runs[] = {
        { .name = "counters, 31 sources", .ring = ring_counters, .collect = collect_counters, .sources = 31 },
        { .name = "counters, 1,000 sources, spinning", .ring = ring_counters, .collect = collect_counters,
          .sources = 1000, .spin_checks = 100 },
        { .name = "counters, 33 sources, some ringers are killed", .ring = ring_counters,
          .collect = collect_counters, .sources = 33, .victims = true },
        { .name = "counters, 65,536 sources", .ring = ring_counters, .collect = collect_counters,
          .sources = MAX_SOURCES },
        { .name = "plain items, 31 sources", .ring = ring_items, .collect = collect_items, .sources = 31 },
        { .name = "plain items, 33 sources, spinning", .ring = ring_items, .collect = collect_items, .sources = 33,
          .spin_checks = 100 },
        { .name = "rings of 16 items", .ring = ring_queues, .collect = collect_queues, .sources = RINGERS },
    };
    int kinds = (int)(sizeof runs / sizeof *runs);
    for (int processes = 0; processes < 2; processes++) {
        for (int i = 0; i < kinds && !only_wakes; i++) {
            run r = runs[i];
            if (r.victims && !processes) continue;
            r.rings = r.ring == ring_items ? count / 10 : count;
            r.seed = mix(seed + (uint64_t)(i * 2 + processes)) | 1;
            failed += stress(r, processes, ++number) == UINT64_MAX;
        }
        if (only_wakes) failed += stress_wakes(count, seed, processes, ++number);
    }
    printf("1..%d\n", number);
    return failed ? 1 : 0;
}
