/* SPDX-License-Identifier: MIT */
/* stress_ring.c: two threads or two processes, every form of push and pop mixed at random, each
 * item's sequence verified and the checksums of both sides compared. Also the lost-wake-up
 * tests: sleeps on both sides without a time-out to save them, while an end publishes by exchange
 * (a ring of one item) and while it does by plain stores (bursts).
 *
 *   stress_ring [items] [seed]             all forms and bursts, plain and waitable, threads and processes;
 *                                          each layout has half of the items
 *   stress_ring --sleeps [sleeps] [seed]   a ring of one item, and bursts; each layout has half of the sleeps
 */
#include "stress.h"

#include "../../lib/os/os.h"

typedef struct { uint64_t sequence, check; } item;
TERN_RING_DEFINE(item_ring, item)

static uint64_t sum_next(uint64_t sum, const item *it)
{
    return (sum << 5 | sum >> 59) ^ (it->sequence + it->check);
}

/* ---- One run --------------------------------------------------------------------------- */

typedef struct run {
    const char *name;
    void *memory;
    size_t size;
    uint64_t items, seed;
    uint32_t flags, capacity, release_every, spin_checks;
    bool only_waits;      /* the lost-wake-up tests: nothing but *_wait */
    bool bursts;          /* now and then each side pauses, and the other sleeps */
    uint32_t start;       /* counter to begin at */
} run;

typedef struct result {
    uint64_t items, sum, sleeps;
    uint64_t met;         /* who slept, or was about to, when an end went on that publishes by plain stores */
    int failed;
} result;

/* One side of a run. */
typedef struct side {
    const run *r;
    result out;
    uint64_t next_pause;  /* of bursts: after so many items */
    bool paused_quiet;    /* plain stores were in force at the last pause */
} side;

/* ---- Bursts ------------------------------------------------------------------------------ */

/* An end goes over to plain stores in half of a burst. */
enum { BURST_ITEMS = 2 * TERN_RING_QUIET, BURST_SPIN_CHECKS = 300, PAUSE_CHECKS = 4 * BURST_SPIN_CHECKS };

static bool publishes_by_plain_stores(const run *r, bool producer)
{
    tern_ring_info info;
    if (tern_ring_inspect(&info, r->memory, r->size) != TERN_OK) return false;
    return producer ? info.producer_asymmetric : info.consumer_asymmetric;
}

/* Between two bursts: about as long as the other side looks before it sleeps, so that what comes
 * next meets it at any point of going to sleep; sometimes so long that it surely sleeps. The
 * first publication after a pause that meets a sleeper goes back to exchanges. */
static void pause_between_bursts(side *s, bool producer, uint64_t done, uint64_t *random)
{
    if (s->paused_quiet && !publishes_by_plain_stores(s->r, producer)) s->out.met++;
    s->paused_quiet = false;
    if (done < s->next_pause) return;
    s->next_pause = done + BURST_ITEMS + next_random(random) % BURST_ITEMS;
    s->paused_quiet = publishes_by_plain_stores(s->r, producer);
    uint64_t checks = next_random(random) % PAUSE_CHECKS;
    if (checks % 8 == 0) nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    else for (; checks > 0; checks--) tern_cpu_relax();
}

/* ---- The two sides --------------------------------------------------------------------- */

static uint32_t produce_some(tern_ring_producer *p, uint64_t sequence, uint64_t left, uint64_t *random,
                             const run *r)
{
    item batch[64];
    uint32_t want = 1 + (uint32_t)(next_random(random) % 64), got;
    if (want > left) want = (uint32_t)left;
    uint32_t form = r->only_waits ? 3 : (uint32_t)(next_random(random) % ((r->flags & TERN_RING_WAITABLE) ? 4 : 3));
    if (form == 1) {
        item *span = item_ring_reserve(p, want, &got);
        for (uint32_t i = 0; i < got; i++) span[i] = (item){ sequence + i, mix(sequence + i) };
        item_ring_commit(p, got);
        return got;
    }
    for (uint32_t i = 0; i < want; i++) batch[i] = (item){ sequence + i, mix(sequence + i) };
    if (form == 0) return item_ring_push_many(p, batch, want);
    if (form == 2) return item_ring_push(p, batch);
    tern_status status = item_ring_push_wait(p, batch, TERN_WAIT_FOREVER);
    return status == TERN_OK ? 1 : UINT32_MAX;
}

static void produce(void *argument)
{
    side *s = argument;
    const run *r = s->r;
    result *out = &s->out;
    tern_ring_producer p;
    uint64_t random = r->seed * 2 + 1, sequence = 0;
    uint64_t slept_before = sleeps_so_far();
    out->failed = item_ring_attach_producer(&p, r->memory, r->size) != TERN_OK;
    p.spin_checks = r->spin_checks;
    while (!out->failed && sequence < r->items) {
        uint32_t n = produce_some(&p, sequence, r->items - sequence, &random, r);
        if (n == UINT32_MAX) out->failed = 1;
        for (uint32_t i = 0; i < n && !out->failed; i++) {
            item it = { sequence + i, mix(sequence + i) };
            out->sum = sum_next(out->sum, &it);
        }
        sequence += n;
        if (r->bursts) pause_between_bursts(s, true, sequence, &random);
        if (n == 0) sched_yield();
        else pause_a_little(&random);
    }
    tern_ring_close_producer(&p);
    out->items = sequence;
    out->sleeps = sleeps_so_far() - slept_before;
}

/* Some items into batch, or a pointer to them where they lie. 0: none there. */
static uint32_t consume_some(tern_ring_consumer *c, item *batch, const item **items, uint64_t *random, const run *r)
{
    uint32_t want = 1 + (uint32_t)(next_random(random) % 64), got;
    uint32_t form = r->only_waits ? 3 : (uint32_t)(next_random(random) % ((r->flags & TERN_RING_WAITABLE) ? 4 : 3));
    *items = batch;
    if (form == 1) {
        *items = item_ring_peek(c, want, &got);
        return got;
    }
    if (form == 0) return item_ring_pop_many(c, batch, want);
    if (form == 2) return item_ring_pop(c, batch);
    return item_ring_pop_wait(c, batch, TERN_WAIT_FOREVER) == TERN_OK;
}

static void consume(void *argument)
{
    side *s = argument;
    const run *r = s->r;
    result *out = &s->out;
    tern_ring_consumer c;
    uint64_t random = r->seed * 2 + 99, sequence = 0;
    item batch[64];
    uint64_t slept_before = sleeps_so_far();
    out->failed = item_ring_attach_consumer(&c, r->memory, r->size) != TERN_OK;
    c.spin_checks = r->spin_checks;
    tern_ring_consumer_release_every(&c, r->release_every);
    while (!out->failed && tern_ring_consumer_status(&c) == TERN_OK) {
        const item *items;
        uint32_t n = consume_some(&c, batch, &items, &random, r);
        for (uint32_t i = 0; i < n; i++) {
            if (items[i].sequence != sequence || items[i].check != mix(sequence)) out->failed = 1;
            out->sum = sum_next(out->sum, &items[i]);
            sequence++;
        }
        if (n > 0 && items != batch) item_ring_release(&c, n);
        if (r->bursts) pause_between_bursts(s, false, sequence, &random);
        if (n == 0) sched_yield();
        else pause_a_little(&random);
    }
    out->items = sequence;
    out->sleeps = sleeps_so_far() - slept_before;
}

/* @return whether both sides were right, and of one opinion */
static bool run_both(const run *r, bool processes, result *produced, result *consumed)
{
    side producer = { .r = r }, consumer = { .r = r };
    bool ran = stress_both(processes, (stress_side){ produce, &producer, sizeof producer, false },
                           (stress_side){ consume, &consumer, sizeof consumer, false });
    *produced = producer.out;
    *consumed = consumer.out;
    return ran && !produced->failed && !consumed->failed && consumed->items == r->items && produced->items == r->items
        && produced->sum == consumed->sum;
}

/* A new ring for a run, in shared memory, as if r->start items had gone through. */
static bool make_ring(run *r, tern_region *region)
{
    tern_object object;
    tern_ring_desc desc = item_ring_desc(r->capacity, r->flags);
    r->size = tern_ring_size(&desc);
    if (!stress_create(region, tern_region_size(NULL) + tern_region_object_size(r->size)))
        return false;
    if (tern_region_claim(region, "ring", TERN_TYPE_RING, r->size, &object) != TERN_OK
        || tern_ring_format(object.memory, r->size, &desc) != TERN_OK) {
        stress_close(region);
        return false;
    }
    r->memory = object.memory;
    struct tern_ring_shared *shared = object.memory;
    /* relaxed, all of these: no other thread yet */
    tern_a32_store_relaxed(&shared->producer.word, r->start << 1);
    tern_a32_store_relaxed(&shared->consumer.word, r->start << 1); /* relaxed: as above */
    uint32_t slot_size = shared->geometry.slot_size_bytes;
    for (uint32_t i = r->start; r->flags & TERN_RING_SEQUENCED && i != r->start + r->capacity; i++) {
        unsigned char *slot = (unsigned char *)(shared + 1) + (size_t)(i & (r->capacity - 1)) * slot_size;
        /* relaxed: as above */
        tern_a32_store_relaxed((tern_a32 *)(void *)(slot + slot_size - 4), (i + 1 - r->capacity) << 1);
    }
    return true;
}

static const char *layout_of(const run *r)
{
    return r->flags & TERN_RING_SEQUENCED ? "sequenced" : "indexed";
}

static int stress(run r, bool processes, int number)
{
    tern_region region;
    result produced, consumed;
    if (!make_ring(&r, &region)) {
        printf("not ok %d - %s: no memory\n", number, r.name);
        return 1;
    }
    bool ok = run_both(&r, processes, &produced, &consumed);
    /* many bursts without a sleeper that plain stores met have shown nothing, where there can be one */
    if (r.bursts && r.items >= 100 * BURST_ITEMS && stress_at_once() && tern__os_current->barrier_register())
        ok = ok && produced.met > 0 && consumed.met > 0;
    char met[96] = "";
    if (r.bursts)
        snprintf(met, sizeof met, ", %llu + %llu met by plain stores",
                 (unsigned long long)consumed.met, (unsigned long long)produced.met);
    stress_report(ok, number, "%s, %s, %s: %llu of %llu items, checksum %016llx %s, %llu + %llu sleeps%s",
                  layout_of(&r), r.name, processes ? "processes" : "threads", (unsigned long long)consumed.items,
                  (unsigned long long)r.items, (unsigned long long)consumed.sum,
                  produced.sum == consumed.sum ? "agrees" : "DIFFERS", (unsigned long long)produced.sleeps,
                  (unsigned long long)consumed.sleeps, met);
    stress_close(&region);
    return !ok;
}

/* Sleep until the number asked for is reached, in portions; nothing but waits, no spinning. */
static int stress_sleeps(uint64_t wanted, uint64_t seed, uint32_t flags, bool processes, int number)
{
    uint64_t total = 0, items = 0;
    bool ok = true;
    run r = { .items = wanted / 4 + 1000, .flags = flags, .capacity = 1, .release_every = 1, .only_waits = true };
    while (total < wanted && ok) {
        tern_region region;
        result produced, consumed;
        r.seed = seed++;
        if (!make_ring(&r, &region)) return 1;
        ok = run_both(&r, processes, &produced, &consumed);
        total += produced.sleeps + consumed.sleeps;
        items += consumed.items;
        stress_close(&region);
    }
    stress_report(ok, number, "no wake-up lost, %s, %s: %llu sleeps without a time-out, %llu items", layout_of(&r),
                  processes ? "processes" : "threads", (unsigned long long)total, (unsigned long long)items);
    return !ok;
}

static const run runs[] = {
    { .name = "plain, capacity 64", .capacity = 64, .release_every = 256 },
    { .name = "plain, exact, capacity 1024, over 2^31", .capacity = 1024, .release_every = 1, .start = 0x7fff0000 },
    { .name = "waitable, capacity 64", .capacity = 64, .flags = TERN_RING_WAITABLE, .release_every = 256,
      .spin_checks = 100 },
    { .name = "waitable, no spinning, capacity 8, over 2^31", .capacity = 8, .flags = TERN_RING_WAITABLE,
      .release_every = 2, .start = 0x7ffff000 },
    { .name = "waitable, bursts, capacity 64", .capacity = 64, .flags = TERN_RING_WAITABLE, .release_every = 1,
      .only_waits = true, .bursts = true, .spin_checks = BURST_SPIN_CHECKS },
};
enum { RUNS = sizeof runs / sizeof *runs };

int main(int argc, char **argv)
{
    bool only_sleeps = argc > 1 && strcmp(argv[1], "--sleeps") == 0;
    int at = only_sleeps ? 2 : 1, failed = 0, number = 0;
    uint64_t count = argc > at ? strtoull(argv[at], NULL, 10) : 1000000;
    uint64_t seed = stress_seed(argc > at + 1 ? argv[at + 1] : NULL);

    for (int processes = 0; processes < 2; processes++) {
        for (uint32_t layout = 0; layout <= TERN_RING_SEQUENCED; layout += TERN_RING_SEQUENCED) {
            for (int i = 0; i < RUNS; i++) {
                run r = runs[i];
                if (only_sleeps && !r.bursts) continue;
                r.items = count / 2;
                r.flags |= layout;
                r.seed = mix(seed + (uint64_t)++number) | 1;
                failed += stress(r, processes, number);
            }
            if (only_sleeps) failed += stress_sleeps(count / 2, seed, TERN_RING_WAITABLE | layout, processes, ++number);
        }
    }
    printf("1..%d\n", number);
    return failed ? 1 : 0;
}
