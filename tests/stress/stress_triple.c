/* SPDX-License-Identifier: MIT */
/* stress_triple.c: a writer and a reader, threads or processes, flat out. Each frame is stamped with its
 * number and filled from it, and verified whole: none is torn, numbers rise strictly, and what was
 * read and what was dropped is exactly what was published. Also the lost-wake-up test: readers who
 * sleep without a time-out to save them, in a ping-pong, so that a publication finds a sleeper.
 *
 *   stress_triple [frames] [seed]              sizes, threads and processes, polling and waiting
 *   stress_triple --frames [seconds] [seed]    processes, 64 KiB frames, flat out for so long
 *   stress_triple --wakes [sleeps] [seed]      processes that sleep, and are woken, so often
 */
#include "stress.h"

enum { MOST_BYTES = 65536, WORD = 8 };

/* ---- Frames: words from the number and the seed, a sum of them at the end ------------------- */

static uint64_t word_at(uint64_t number, uint64_t seed, size_t at)
{
    return (number * 0x9e3779b97f4a7c15u + seed) ^ at * 0xff51afd7ed558ccdu;
}

static void fill(void *frame, size_t words, uint64_t number, uint64_t seed)
{
    uint64_t *out = frame, sum = 0;
    out[0] = number;
    for (size_t i = 1; i + 1 < words; i++) sum = (sum << 7 | sum >> 57) + (out[i] = word_at(number, seed, i));
    if (words > 1) out[words - 1] = sum ^ mix(number);
}

/* The number, or 0 if any word is not that frame's. */
static uint64_t verify(const void *frame, size_t words, uint64_t seed)
{
    const uint64_t *in = frame;
    uint64_t number = in[0], sum = 0, differs = 0;
    for (size_t i = 1; i + 1 < words; i++) {
        differs |= in[i] ^ word_at(number, seed, i);
        sum = (sum << 7 | sum >> 57) + in[i];
    }
    if (words > 1) differs |= in[words - 1] ^ sum ^ mix(number);
    return differs ? 0 : number;
}

/* ---- One run ----------------------------------------------------------------------------- */

typedef struct run {
    void *memory;          /* of the triple buffer */
    size_t size;
    uint64_t frames;       /* to publish at least; 0: for so many seconds */
    double seconds;
    uint64_t seed;
    uint32_t frame_bytes, spin_checks;
    bool waits;            /* the reader waits, or polls */
    bool pauses;           /* both dawdle at random */
} run;

typedef struct result {
    uint64_t published, replaced, read, dropped, last, torn, out_of_order, sleeps;
    int failed;
} result;

/* The next look after one that found nothing: at once, now and then after the others' turn. */
static void look_again(uint64_t *misses)
{
    if (++*misses % 256 == 0) sched_yield();
    else tern_cpu_relax();
}

static void dawdle(const run *r, uint64_t *random)
{
    if (!r->pauses) return;
    *random = mix(*random + 1);
    if (*random % 4096 == 0) sched_yield();
    else if (*random % 8 == 0) for (uint64_t i = 0; i < *random >> 58; i++) tern_cpu_relax();
}

static bool goes_on(const run *r, uint64_t published, uint64_t end_ns)
{
    if (r->frames) return published < r->frames;
    return published % 64 != 0 || tern_now_ns() < end_ns;
}

static void write_frames(const run *r, result *out)
{
    tern_triple_writer w;
    uint64_t random = r->seed, end_ns = tern_now_ns() + (uint64_t)(r->seconds * 1e9);
    out->failed = tern_triple_attach_writer(&w, r->memory, r->size) != TERN_OK;
    while (!out->failed && goes_on(r, out->published, end_ns)) {
        fill(tern_triple_back(&w), r->frame_bytes / WORD, ++out->published, r->seed);
        out->replaced += tern_triple_publish(&w);
        dawdle(r, &random);
    }
    if (out->failed) return;
    tern_triple_close_writer(&w);
    out->failed = tern_triple_writer_status(&w) != TERN_OK;
}

static void read_frames(const run *r, result *out)
{
    tern_triple_reader v;
    uint64_t random = ~r->seed, slept_before = sleeps_so_far(), misses = 0;
    tern_status status = TERN_OK;
    out->failed = tern_triple_attach_reader(&v, r->memory, r->size) != TERN_OK;
    v.spin_checks = r->spin_checks;
    while (!out->failed) {
        status = r->waits ? tern_triple_wait(&v, TERN_WAIT_FOREVER) : tern_triple_reader_status(&v);
        if (status != TERN_OK) break;
        if (!tern_triple_update(&v)) {
            look_again(&misses);
            continue;
        }
        uint64_t number = verify(tern_triple_front(&v), r->frame_bytes / WORD, r->seed);
        out->torn += number == 0 || number != tern_triple_frame(&v);
        out->out_of_order += tern_triple_frame(&v) <= out->last;
        out->last = tern_triple_frame(&v);
        out->read++;
        dawdle(r, &random);
        /* the front stays whole however long it is looked at */
        if (out->read % 16 == 0) out->torn += verify(tern_triple_front(&v), r->frame_bytes / WORD, r->seed) != number;
    }
    if (out->failed) return;
    out->dropped = tern_triple_dropped(&v);
    out->failed = status != TERN_ERR_CLOSED;
    out->sleeps = sleeps_so_far() - slept_before;
}

/* ---- The lost-wake-up test: two triple buffers, one each way ---------------------------------- */

/* The second triple buffer lies behind the first one. */
static void *second_of(const run *r)
{
    return (unsigned char *)r->memory + tern_region_object_size(r->size);
}

/* Publish and wait for the answer, or the other way round. Every wait sleeps unless the answer is there. */
static void ping_pong(const run *r, result *out, bool begins)
{
    tern_triple_writer w;
    tern_triple_reader v;
    uint64_t slept_before = sleeps_so_far();
    out->failed = tern_triple_attach_writer(&w, begins ? r->memory : second_of(r), r->size) != TERN_OK
        || tern_triple_attach_reader(&v, begins ? second_of(r) : r->memory, r->size) != TERN_OK;
    v.spin_checks = 0;
    for (uint64_t round = 1; round <= r->frames && !out->failed; round++) {
        for (int turn = 0; turn < 2; turn++) {
            if ((turn == 0) == begins) {
                fill(tern_triple_back(&w), r->frame_bytes / WORD, round, r->seed);
                out->replaced += tern_triple_publish(&w);
                out->published++;
                continue;
            }
            if (tern_triple_wait(&v, TERN_WAIT_FOREVER) != TERN_OK || !tern_triple_update(&v)) {
                out->failed = 1;
                tern_triple_close_writer(&w);      /* the other side must not wait for ever */
                return;
            }
            out->torn += verify(tern_triple_front(&v), r->frame_bytes / WORD, r->seed) != round;
            out->out_of_order += tern_triple_frame(&v) != round;
            out->read++;
        }
    }
    if (out->failed) return;
    out->dropped = tern_triple_dropped(&v);
    out->last = tern_triple_frame(&v);
    out->sleeps = sleeps_so_far() - slept_before;
}

static void begin_ping_pong(const run *r, result *out)
{
    ping_pong(r, out, true);
}

static void answer_ping_pong(const run *r, result *out)
{
    ping_pong(r, out, false);
}

/* ---- Two sides ------------------------------------------------------------------------------- */

typedef struct side {
    void (*play)(const run *r, result *out);
    const run *r;
    result out;
} side;

static void run_side(void *argument)
{
    side *s = argument;
    s->play(s->r, &s->out);
}

/* One side in a thread or a process of its own, the other one here. */
static int run_both(const run *r, bool processes, void (*there)(const run *, result *),
                    void (*here)(const run *, result *), result *from_there, result *from_here)
{
    side s = { .play = there, .r = r }, t = { .play = here, .r = r };
    bool ran = stress_both(processes, (stress_side){ run_side, &s, sizeof s, false },
                           (stress_side){ run_side, &t, sizeof t, false });
    *from_there = s.out;
    *from_here = t.out;
    return !ran;
}

/* Two triple buffers in new shared memory. */
static bool begin(run *r, tern_region *region)
{
    tern_object object;
    tern_triple_desc desc = { r->frame_bytes };
    r->size = tern_triple_size(&desc);
    size_t both = 2 * tern_region_object_size(r->size);
    if (!stress_create(region, tern_region_size(NULL) + both)) return false;
    if (tern_region_claim(region, "both", TERN_TYPE_TRIPLE, both, &object) != TERN_OK) return false;
    r->memory = object.memory;
    return tern_triple_format(r->memory, r->size, &desc) == TERN_OK
        && tern_triple_format(second_of(r), r->size, &desc) == TERN_OK;
}

static int stress(run r, bool processes, int number)
{
    tern_region region;
    result w, v;
    if (!begin(&r, &region)) {
        printf("not ok %d - no memory\n", number);
        return 1;
    }
    int failed = run_both(&r, processes, write_frames, read_frames, &w, &v);
    failed = failed || w.failed || v.failed || v.torn || v.out_of_order || v.last != w.published
        || v.read + v.dropped != w.published || w.replaced != v.dropped || v.read == 0
        || (r.frames && w.published != r.frames);
    printf("%sok %d - %s, %u-byte frames, %s: %llu published = %llu read + %llu dropped, %llu torn, "
           "%llu out of order, %llu sleeps\n", failed ? "not " : "", number, processes ? "processes" : "threads",
           r.frame_bytes, r.waits ? "waiting" : "polling", (unsigned long long)w.published,
           (unsigned long long)v.read, (unsigned long long)v.dropped, (unsigned long long)v.torn,
           (unsigned long long)v.out_of_order, (unsigned long long)v.sleeps);
    fflush(stdout);
    stress_close(&region);
    return failed;
}

/* Until the number of sleeps asked for is reached, in portions. */
static int stress_wakes(uint64_t wanted, uint64_t seed, bool processes, int number)
{
    uint64_t sleeps = 0, read = 0;
    int failed = 0;
    while (sleeps < wanted && !failed) {
        /* two publications a round, each of which is waited for */
        run r = { .frames = wanted / 8 + 1000, .seed = seed++, .frame_bytes = 64 };
        tern_region region;
        result there, here;
        if (!begin(&r, &region)) break;
        failed = run_both(&r, processes, begin_ping_pong, answer_ping_pong, &there, &here);
        failed = failed || there.failed || here.failed || there.torn || here.torn || there.out_of_order
            || here.out_of_order || there.read != r.frames || here.read != r.frames || there.published != r.frames
            || here.published != r.frames || there.dropped || here.dropped || there.replaced || here.replaced;
        sleeps += there.sleeps + here.sleeps;
        read += there.read + here.read;
        stress_close(&region);
    }
    failed = failed || sleeps < wanted;
    printf("%sok %d - no wake-up lost, %s: %llu sleeps without a time-out, %llu publications, each waited for\n",
           failed ? "not " : "", number, processes ? "processes" : "threads", (unsigned long long)sleeps,
           (unsigned long long)read);
    fflush(stdout);
    return failed;
}

int main(int argc, char **argv)
{
    bool only_frames = argc > 1 && strcmp(argv[1], "--frames") == 0;
    bool only_wakes = argc > 1 && strcmp(argv[1], "--wakes") == 0;
    int at = only_frames || only_wakes ? 2 : 1, failed = 0, number = 0;
    uint64_t count = argc > at ? strtoull(argv[at], NULL, 10) : only_frames ? 60 : only_wakes ? 1000000 : 200000;
    uint64_t seed = stress_seed(argc > at + 1 ? argv[at + 1] : NULL);
    if (only_frames) {
        run r = { .seconds = (double)count, .seed = mix(seed), .frame_bytes = MOST_BYTES };
        failed += stress(r, true, ++number);
    }
    if (only_wakes) failed += stress_wakes(count, seed, true, ++number);

    const run runs[] = {
        { .frame_bytes = 8, .pauses = true },
        { .frame_bytes = 8, .waits = true, .spin_checks = 100 },
        { .frame_bytes = 256, .waits = true, .pauses = true },
        { .frame_bytes = 4096 },
    };
    int kinds = (int)(sizeof runs / sizeof *runs);
    for (int processes = 0; processes < 2 && !only_frames && !only_wakes; processes++) {
        for (int i = 0; i < kinds; i++) {
            run r = runs[i];
            r.frames = r.frame_bytes > 1000 ? count / 8 + 1 : count;
            r.seed = mix(seed + (uint64_t)(i * 2 + processes));
            failed += stress(r, processes, ++number);
        }
        failed += stress_wakes(count / 16, seed, processes, ++number);
    }
    printf("1..%d\n", number);
    return failed ? 1 : 0;
}
