/* SPDX-License-Identifier: MIT */
/* stress_stream.c: two threads or two processes, every form of sending and receiving mixed at
 * random: copying, in place, shrinking, waiting. Length, kind and bytes of each record follow
 * from its number, so each is verified whole, and the checksums of both sides are compared. Also
 * the lost-wake-up test for waiters that want much space, and a hostile peer.
 *
 *   stress_stream [--records N] [seed]     all forms, plain and waitable, threads and processes
 *   stress_stream --hostile N [seed]       N calls while another thread rewrites the shared bytes
 *
 * The second races on purpose, and is for ASan, not for TSan.
 */
#include "stress.h"

/* ---- Records --------------------------------------------------------------------------- */

typedef struct run {
    const char *name;
    void *memory;
    size_t size;
    uint64_t records, seed, capacity, release_every;
    uint32_t flags, spin_checks;
    bool only_waits;      /* the lost-wake-up test: nothing but *_wait, and long records */
    uint32_t start;       /* counter to begin at */
} run;

typedef struct result {
    uint64_t records, sum;
    int failed;
} result;

/* One side of a run. */
typedef struct side {
    const run *r;
    result out;
} side;

enum { LONGEST = 4096 };

/* What record number n is. Most are short; some have any length up to half the capacity. */
static uint32_t length_of(const run *r, uint64_t n)
{
    uint64_t x = mix(n * 0x9e3779b97f4a7c15u ^ r->seed);
    uint32_t most = (uint32_t)(r->capacity / 2);
    if (x % 4 != 0 && most > 64 && !r->only_waits) most = 64;
    if (r->only_waits && x % 2 != 0) return most;
    return (uint32_t)((x >> 8) % (most + 1u));
}

static uint32_t kind_of(const run *r, uint64_t n)
{
    return (uint32_t)mix(n + r->seed * 3);
}

/* Bytes from a sequence that begins with the number; whole words, the last one is cut. */
static void fill(unsigned char *at, uint64_t n, uint32_t length)
{
    uint64_t x = mix(n + 1);
    for (uint32_t i = 0; i < length; i += 8, x += 0x9e3779b97f4a7c15u)
        memcpy(at + i, &x, length - i < 8 ? length - i : 8);
}

static bool is_filled(const unsigned char *at, uint64_t n, uint32_t length)
{
    uint64_t x = mix(n + 1);
    for (uint32_t i = 0; i < length; i += 8, x += 0x9e3779b97f4a7c15u)
        if (memcmp(at + i, &x, length - i < 8 ? length - i : 8) != 0) return false;
    return true;
}

static uint64_t sum_next(uint64_t sum, uint32_t length, uint32_t kind, const unsigned char *at)
{
    for (uint32_t i = 0; i < length; i++) sum = sum * 31 + at[i];
    return (sum << 5 | sum >> 59) ^ ((uint64_t)length << 32 | kind);
}

/* ---- One run --------------------------------------------------------------------------- */

static uint32_t forms(const run *r)
{
    return (r->flags & TERN_STREAM_WAITABLE) ? 4 : 2;
}

/* Send record n in one of the forms. 1: done, 0: no space, -1: failed */
static int send_one(tern_stream_producer *p, uint64_t n, uint64_t *random, const run *r, uint64_t *sum)
{
    unsigned char bytes[LONGEST];
    uint32_t length = length_of(r, n), kind = kind_of(r, n);
    uint32_t form = (uint32_t)(next_random(random) % forms(r));
    if (r->only_waits) form |= 2;
    fill(bytes, n, length);
    if (form == 0 && !tern_stream_send(p, kind, bytes, length)) return 0;
    if (form == 2 && tern_stream_send_wait(p, kind, bytes, length, TERN_WAIT_FOREVER) != TERN_OK) return -1;
    if (form & 1) {
        /* in place, often reserved longer than it becomes */
        uint32_t spare = p->max_record_bytes - length;
        uint32_t asked = length + (uint32_t)(next_random(random) % (spare + 1u));
        void *at = NULL;
        if (form == 1) at = tern_stream_reserve(p, asked);
        else if (tern_stream_reserve_wait(p, asked, &at, TERN_WAIT_FOREVER) != TERN_OK) return -1;
        if (!at) return 0;
        memcpy(at, bytes, length);
        tern_stream_set_kind(p, kind);
        tern_stream_commit(p, length);
    }
    *sum = sum_next(*sum, length, kind, bytes);
    return 1;
}

static void produce(void *argument)
{
    const run *r = ((side *)argument)->r;
    result *out = &((side *)argument)->out;
    tern_stream_producer p;
    uint64_t random = r->seed * 2 + 1;
    out->failed = tern_stream_attach_producer(&p, r->memory, r->size) != TERN_OK;
    p.spin_checks = r->spin_checks;
    while (!out->failed && out->records < r->records) {
        int sent = send_one(&p, out->records, &random, r, &out->sum);
        if (sent < 0) out->failed = 1;
        else out->records += (uint64_t)sent;
        if (sent <= 0) sched_yield();
        else pause_a_little(&random);
    }
    tern_stream_close_producer(&p);
}

/* The next record in one of the forms, and whether it has to be released. NULL: none. */
static const unsigned char *receive_one(tern_stream_consumer *c, unsigned char *bytes, uint32_t *length, uint32_t *kind,
                                        bool *lent, uint64_t *random, const run *r)
{
    const void *at = NULL;
    uint32_t form = (uint32_t)(next_random(random) % forms(r));
    if (r->only_waits) form |= 2;
    *lent = (form & 1) != 0;
    if (form == 0) return tern_stream_receive(c, bytes, LONGEST, length, kind) ? bytes : NULL;
    if (form == 2) {
        tern_status status = tern_stream_receive_wait(c, bytes, LONGEST, length, kind, TERN_WAIT_FOREVER);
        return status == TERN_OK ? bytes : NULL;
    }
    if (form == 1) at = tern_stream_peek(c, length, kind);
    else tern_stream_peek_wait(c, &at, length, kind, TERN_WAIT_FOREVER);
    return at;
}

static void consume(void *argument)
{
    const run *r = ((side *)argument)->r;
    result *out = &((side *)argument)->out;
    tern_stream_consumer c;
    uint64_t random = r->seed * 2 + 99;
    unsigned char bytes[LONGEST];
    out->failed = tern_stream_attach_consumer(&c, r->memory, r->size) != TERN_OK;
    c.spin_checks = r->spin_checks;
    tern_stream_consumer_release_every(&c, r->release_every);
    while (!out->failed && tern_stream_consumer_status(&c) == TERN_OK) {
        uint32_t length, kind;
        bool lent;
        const unsigned char *at = receive_one(&c, bytes, &length, &kind, &lent, &random, r);
        if (!at) {
            sched_yield();
            continue;
        }
        if (length != length_of(r, out->records) || kind != kind_of(r, out->records)
            || !is_filled(at, out->records, length)) out->failed = 1;
        out->sum = sum_next(out->sum, length, kind, at);
        out->records++;
        if (lent) tern_stream_release(&c);
        pause_a_little(&random);
    }
    /* a failure must not leave the producer waiting for ever */
    tern_stream_close_consumer(&c);
}

/* @return whether both sides were right, and of one opinion */
static bool run_both(const run *r, bool processes, result *produced, result *consumed)
{
    side producer = { .r = r }, consumer = { .r = r };
    bool ran = stress_both(processes, (stress_side){ produce, &producer, sizeof producer, false },
                           (stress_side){ consume, &consumer, sizeof consumer, false });
    *produced = producer.out;
    *consumed = consumer.out;
    return ran && !produced->failed && !consumed->failed && consumed->records == r->records
        && produced->records == r->records && produced->sum == consumed->sum;
}

static int stress(run r, bool processes, int number)
{
    tern_region region;
    tern_object object;
    result produced, consumed;
    tern_stream_desc desc = { r.capacity, r.flags };
    r.size = tern_stream_size(&desc);
    if (!stress_create(&region, tern_region_size(NULL) + tern_region_object_size(r.size))
        || tern_region_claim(&region, "stream", TERN_TYPE_STREAM, r.size, &object) != TERN_OK
        || tern_stream_format(object.memory, r.size, &desc) != TERN_OK) {
        printf("not ok %d - %s: no memory\n", number, r.name);
        return 1;
    }
    r.memory = object.memory;
    struct tern_ring_shared *shared = object.memory;
    /* relaxed: no other thread yet */
    tern_a32_store_relaxed(&shared->producer.word, r.start << 1);
    tern_a32_store_relaxed(&shared->consumer.word, r.start << 1);
    bool ok = run_both(&r, processes, &produced, &consumed);
    stress_report(ok, number, "%s, %s: %llu of %llu records, checksum %016llx %s", r.name,
                  processes ? "processes" : "threads", (unsigned long long)consumed.records,
                  (unsigned long long)r.records, (unsigned long long)consumed.sum,
                  produced.sum == consumed.sum ? "agrees" : "DIFFERS");
    stress_close(&region);
    return !ok;
}

/* ---- A hostile peer ------------------------------------------------------------------------ */

enum { HOSTILE_BYTES = 256, HOSTILE_UNITS = HOSTILE_BYTES / 8 };

struct attack {
    struct tern_ring_shared *shared;
    tern_a32 over;
    tern_a32 victim_index;    /* where the victim stands, for lies that are nearly true */
    tern_a32 rounds;          /* of the attacker: on a busy machine the victim waits for it now and then */
    bool on_consumer;         /* who is the victim */
    uint64_t seed;
};

static uint32_t lying_index(uint64_t *random, uint32_t near)
{
    uint64_t x = next_random(random);
    if (x % 16 == 0) return (uint32_t)(x >> 32);
    return near + (uint32_t)((x >> 8) % (2 * HOSTILE_UNITS + 3)) - HOSTILE_UNITS - 1;
}

/* A header whose kind tells its length: one that was read in two pieces does not. */
static uint64_t lying_header(uint64_t *random)
{
    static const uint32_t edges[] = { 0, HOSTILE_BYTES / 2, HOSTILE_BYTES / 2 + 1, HOSTILE_BYTES, 0x7fffffff,
                                      0x80000000, 0xfffffff8, UINT32_MAX };
    uint64_t x = next_random(random);
    uint32_t length = x % 4 ? (uint32_t)(x >> 8) % 48 : x % 8 ? edges[(x >> 8) % 8] : (uint32_t)(x >> 32);
    struct tern_stream_header header = { length, (uint32_t)mix(length) };
    uint64_t word;
    memcpy(&word, &header, sizeof word);
    return word;
}

static void *attack_thread(void *argument)
{
    struct attack *a = argument;
    tern_a64 *units = (tern_a64 *)(void *)(a->shared + 1);
    struct tern_ring_end *liar = a->on_consumer ? &a->shared->producer : &a->shared->consumer;
    uint64_t random = a->seed | 1;
    while (tern_a32_load_relaxed(&a->over) == 0) {
        uint64_t x = next_random(&random);
        uint32_t near = tern_a32_load_relaxed(&a->victim_index);
        for (uint32_t i = 0; i < x % 8; i++)
            tern_a64_store_relaxed(&units[next_random(&random) % HOSTILE_UNITS], lying_header(&random));
        tern_a32_store_relaxed(&liar->word, lying_index(&random, near) << 1 | (x >> 20 & 1));
        if (x % 64 == 9) tern_a32_store_relaxed(&liar->closed, (uint32_t)(x >> 32) & 1);
        tern_a32_fetch_add_relaxed(&a->rounds, 1);
        /* and what nobody reads after attach */
        if (x % 64 == 10) memset(&a->shared->geometry, (int)(x >> 32), sizeof a->shared->geometry);
    }
    return NULL;
}

/* Whether what was lent lies in the memory; then every byte of it is touched. */
static bool inside(const struct attack *a, const unsigned char *at, uint32_t length)
{
    const unsigned char *begin = (const unsigned char *)(a->shared + 1);
    return at >= begin + 8 && length <= HOSTILE_BYTES / 2 && at + length <= begin + HOSTILE_BYTES;
}

static int attacked_consumer(struct attack *a, tern_stream_consumer *c, uint32_t form, uint64_t *records)
{
    unsigned char out[HOSTILE_BYTES / 2];
    uint32_t length = 0, kind = 0, room = form % 3 ? sizeof out : 16;
    volatile unsigned char sum = 0;
    const void *at = NULL;
    bool got;
    if (form < 3) {
        got = tern_stream_receive(c, out, room, &length, &kind);
        if (!got && length != 0 && length <= room) return 1;
    } else if (form < 6) {
        got = tern_stream_receive_wait(c, out, room, &length, &kind, form == 5 ? 200 : 0) == TERN_OK;
    } else {
        if (form == 6) at = tern_stream_peek(c, &length, &kind);
        else if ((tern_stream_peek_wait(c, &at, &length, &kind, 0) == TERN_OK) != (at != NULL)) return 1;
        got = at != NULL;
        if (got && !inside(a, at, length)) return 1;
        for (uint32_t i = 0; got && i < length; i++) sum = (unsigned char)(sum + ((const unsigned char *)at)[i]);
        if (got) tern_stream_release(c);
    }
    if (!got) return 0;
    ++*records;
    /* one read: on 64 bits a header can't come in two pieces */
    return length > sizeof out || (sizeof(void *) == 8 && kind != (uint32_t)mix(length));
}

static int attacked_producer(struct attack *a, tern_stream_producer *p, uint32_t form, uint64_t random,
                             uint64_t *records)
{
    unsigned char bytes[HOSTILE_BYTES];
    uint32_t length = (uint32_t)(random >> 16) % (HOSTILE_BYTES / 2 + 2);
    void *at = NULL;
    bool sent;
    memset(bytes, (int)random, sizeof bytes);
    if (form < 3) {
        sent = tern_stream_send(p, 1, bytes, length);
    } else if (form < 5) {
        sent = tern_stream_send_wait(p, 1, bytes, length, form == 4 ? 200 : 0) == TERN_OK;
    } else {
        if (form == 5) at = tern_stream_reserve(p, length);
        else if ((tern_stream_reserve_wait(p, length, &at, 0) == TERN_OK) != (at != NULL)) return 1;
        sent = at != NULL;
        if (sent && !inside(a, at, length)) return 1;
        if (sent) memset(at, 7, length);
        if (sent) tern_stream_commit(p, length - (uint32_t)(random % (length + 1u)));
    }
    *records += sent;
    return sent && length > HOSTILE_BYTES / 2;
}

/* The victim's calls; all must come back, and none may leave the object, whose memory ends with it. */
static int hostile(bool on_consumer, uint64_t calls, uint64_t seed, int number)
{
    tern_stream_desc desc = { HOSTILE_BYTES, TERN_STREAM_WAITABLE };
    size_t size = tern_stream_size(&desc);
    struct attack a = { .on_consumer = on_consumer, .seed = seed };
    tern_stream_producer p;
    tern_stream_consumer c;
    pthread_t thread;
    void *memory;
    uint64_t records = 0, random = seed + 77, made = 0;
    int failed = 0;
    if (posix_memalign(&memory, 128, size) != 0) return 1;
    a.shared = memory;
    tern_stream_format(memory, size, &desc);
    for (uint32_t i = 0; i < HOSTILE_UNITS; i++)
        tern_a64_store_relaxed((tern_a64 *)(void *)(a.shared + 1) + i, lying_header(&random));
    if (tern_stream_attach_producer(&p, memory, size) != TERN_OK
        || tern_stream_attach_consumer(&c, memory, size) != TERN_OK || pthread_create(&thread, NULL, attack_thread, &a) != 0) return 1;
    p.spin_checks = c.spin_checks = 2;
    for (; made < calls && !failed; made++) {
        uint64_t x = next_random(&random);
        uint32_t form = (uint32_t)(x >> 40) % 8, rounds = tern_a32_load_relaxed(&a.rounds);
        while (made % 16 == 0 && tern_a32_load_relaxed(&a.rounds) == rounds) sched_yield();
        if (form == 4 && x % 64 != 0) form = 3;      /* few sleeps: they take time */
        if (form == 5 && x % 64 != 0) form = 6;
        failed = on_consumer ? attacked_consumer(&a, &c, form, &records) : attacked_producer(&a, &p, form, x, &records);
        tern_a32_store_relaxed(&a.victim_index, on_consumer ? c.ring.head : p.ring.tail);
    }
    tern_a32_store_relaxed(&a.over, 1);
    pthread_join(thread, NULL);
    /* nothing went through: then nothing was tested */
    failed = failed || records < calls / 1000;
    printf("%sok %d - hostile %s: %llu calls, %llu records that made sense, no access outside\n", failed ? "not " : "",
           number, on_consumer ? "producer" : "consumer", (unsigned long long)made, (unsigned long long)records);
    fflush(stdout);
    free(memory);
    return failed;
}

/* ---- Main ------------------------------------------------------------------------------------ */

static int all_runs(uint64_t records, uint64_t seed)
{
    const run runs[] = {
        { .name = "plain, 1 KiB", .capacity = 1024, .release_every = 65536 },
        { .name = "plain, exact, 8 KiB, over 2^31", .capacity = 8192, .release_every = 1, .start = 0x7ffff000 },
        { .name = "waitable, 1 KiB", .capacity = 1024, .flags = TERN_STREAM_WAITABLE, .release_every = 65536,
          .spin_checks = 100 },
        { .name = "waitable, no spinning, 64 bytes, over 2^31", .capacity = 64, .flags = TERN_STREAM_WAITABLE,
          .release_every = 65536, .start = 0x7fffffe0 },
        { .name = "waitable, asleep for much space, 256 bytes", .capacity = 256, .flags = TERN_STREAM_WAITABLE,
          .release_every = 65536, .only_waits = true },
    };
    int failed = 0, number = 0;
    for (uint32_t processes = 0; processes < 2; processes++) {
        for (uint32_t i = 0; i < sizeof runs / sizeof *runs; i++) {
            run r = runs[i];
            r.records = r.only_waits ? records / 8 + 1 : records;
            r.seed = mix(seed + i * 2 + processes) | 1;
            failed += stress(r, processes != 0, ++number);
        }
    }
    printf("1..%d\n", number);
    return failed;
}

int main(int argc, char **argv)
{
    bool is_hostile = argc > 1 && strcmp(argv[1], "--hostile") == 0;
    int at = is_hostile || (argc > 1 && strcmp(argv[1], "--records") == 0) ? 2 : 1;
    uint64_t count = at == 2 && argc > 2 ? strtoull(argv[2], NULL, 10) : 200000;
    if (at == 2) at = 3;
    uint64_t seed = stress_seed(argc > at ? argv[at] : NULL);
    if (!is_hostile) return all_runs(count, seed) ? 1 : 0;
    int failed = hostile(true, count, mix(seed), 1) + hostile(false, count, mix(seed + 1), 2);
    printf("1..2\n");
    return failed ? 1 : 0;
}
