/* SPDX-License-Identifier: MIT */
/* stress_pool.c: a table of handles that threads or processes share, over a pool smaller than the
 * table. Each entry belongs to one thread, which puts new items into it and frees old ones;
 * everyone pins, gets and reads what stands in the table. An item carries its own handle and a
 * checksum. Counted are stale handles that were accepted and live ones that were refused: none.
 *
 *   stress_pool [rounds] [seed]               threads and processes, so many rounds for each worker
 *   stress_pool --seconds N [seed]            8 threads for so long
 *   stress_pool --generations [N] [seed]      so many times alloc and free near the last generation
 */
#include "stress.h"

#include <sys/mman.h>

enum { WORKERS = 8, ENTRIES = 3, CAPACITY = 12, WORDS = 5 };

typedef struct { uint64_t handle, fill[WORDS - 2], check; } item;

/* What the workers share beside the pool. */
typedef struct shared {
    tern_a64 table[WORKERS][ENTRIES];    /* packed handles; each row has one writer */
    tern_a32 stop;
    struct counts {
        uint64_t rounds, allocs, fulls, frees, deferred, pins, reads, refused, own_gets;
        uint64_t stale_accepted, live_refused, spoiled, errors;
    } counts[WORKERS];
} shared;

typedef struct worker {
    shared *s;
    tern_pool pool;
    uint32_t id;
    uint64_t rounds, random;
    struct { tern_handle handle; bool live; } own[ENTRIES];
    tern_handle dead[64];                /* handles that this worker freed: stale for ever */
    uint32_t deaths;
} worker;

static void fill_item(item *it, uint64_t packed)
{
    uint64_t sum = it->handle = packed;
    for (int i = 0; i < WORDS - 2; i++) sum = mix(sum + (it->fill[i] = mix(packed + (uint64_t)i)));
    it->check = sum;
}

static bool item_is_whole(const item *it, uint64_t packed)
{
    uint64_t sum = it->handle;
    for (int i = 0; i < WORDS - 2; i++) sum = mix(sum + it->fill[i]);
    return it->handle == packed && it->check == sum;
}

/* ---- What a worker does ---------------------------------------------------------------- */

static void renew(worker *w, struct counts *c, uint32_t entry)
{
    tern_handle h;
    void *at;
    tern_status status = tern_pool_alloc(&w->pool, &h, &at);
    if (status == TERN_ERR_FULL) {
        c->fulls++;
        return;
    }
    if (status != TERN_OK) {
        c->errors++;
        return;
    }
    c->allocs++;
    fill_item(at, tern_handle_pack(h));
    w->own[entry].handle = h;
    w->own[entry].live = true;
    /* release, by hand: what is in the item before its handle */
    atomic_store_explicit(&w->s->table[w->id][entry].value, tern_handle_pack(h), memory_order_release);
}

static void end(worker *w, struct counts *c, uint32_t entry)
{
    tern_handle h = w->own[entry].handle;
    item *at = tern_pool_get(&w->pool, h);         /* ours, and nobody else frees it */
    if (!at) c->live_refused++;
    else if (!item_is_whole(at, tern_handle_pack(h))) c->spoiled++;
    c->own_gets++;
    tern_status status = tern_pool_free(&w->pool, h);
    if (status == TERN_ERR_STALE) c->live_refused++;
    else if (status == TERN_DEFERRED) c->deferred++;
    else if (status != TERN_OK) c->errors++;
    c->frees++;
    w->own[entry].live = false;
    w->dead[w->deaths++ % 64] = h;
}

/* A handle that we freed is refused by everything, however often its slot has been used since. */
static void try_dead(worker *w, struct counts *c)
{
    item copy;
    if (w->deaths == 0) return;
    uint32_t kept = w->deaths < 64 ? w->deaths : 64;
    tern_handle h = w->dead[next_random(&w->random) % kept];
    if (tern_pool_get(&w->pool, h)) c->stale_accepted++;
    if (tern_pool_pin(&w->pool, h)) c->stale_accepted++;
    if (tern_pool_read(&w->pool, h, &copy, sizeof copy) != TERN_ERR_STALE) c->stale_accepted++;
    if (tern_pool_free(&w->pool, h) != TERN_ERR_STALE) c->stale_accepted++;
}

/* Somebody's handle: it may be stale by now, but what it shows is that very item. */
static void visit(worker *w, struct counts *c)
{
    uint64_t r = next_random(&w->random);
    uint64_t packed = atomic_load_explicit(&w->s->table[r % WORKERS][(r >> 8) % ENTRIES].value, memory_order_acquire);
    tern_handle h = tern_handle_unpack(packed);
    item copy;
    if (r >> 16 & 1) {
        tern_status status = tern_pool_read(&w->pool, h, &copy, sizeof copy);
        if (status == TERN_OK && !item_is_whole(&copy, packed)) c->spoiled++;
        if (status == TERN_OK) c->reads++;
        else c->refused++;
        return;
    }
    const item *at = tern_pool_pin(&w->pool, h);
    if (!at) {
        c->refused++;
        return;
    }
    c->pins++;
    if (!item_is_whole(at, packed)) c->spoiled++;
    if (r >> 17 & 1) sched_yield();
    if (!item_is_whole(at, packed)) c->spoiled++;
    tern_pool_unpin(&w->pool, h);
}

static void work(worker *w)
{
    struct counts c;
    memset(&c, 0, sizeof c);
    while (c.rounds < w->rounds && !tern_a32_load_relaxed(&w->s->stop)) {
        uint32_t entry = (uint32_t)(next_random(&w->random) % ENTRIES);
        if (w->own[entry].live) end(w, &c, entry);
        else renew(w, &c, entry);
        visit(w, &c);
        if (c.rounds % 4 == 0) try_dead(w, &c);
        c.rounds++;
    }
    for (uint32_t i = 0; i < ENTRIES; i++)
        if (w->own[i].live) end(w, &c, i);
    w->s->counts[w->id] = c;
}

static void *work_thread(void *argument)
{
    work(argument);
    return NULL;
}

/* ---- One run ----------------------------------------------------------------------------- */

static void *shared_memory(size_t size_bytes)
{
    void *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int run_threads(worker *workers, uint64_t seconds)
{
    pthread_t threads[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        if (pthread_create(&threads[i], NULL, work_thread, &workers[i]) != 0) exit(1);
    if (seconds > 0) {
        struct timespec nap = { (time_t)seconds, 0 };
        while (nanosleep(&nap, &nap) != 0) { }
        tern_a32_store_relaxed(&workers[0].s->stop, 1);
    }
    for (int i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
    return 0;
}

static int run_processes(worker *workers)
{
    int failed = 0, status;
    pid_t children[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            work(&workers[i]);
            _exit(0);
        }
        if (children[i] < 0) exit(1);
    }
    for (int i = 0; i < WORKERS; i++)
        if (waitpid(children[i], &status, 0) != children[i] || status != 0) failed = 1;
    return failed;
}

/* After all: nothing is live, and as many items as the pool has can be taken. */
static bool pool_is_whole(tern_pool *pool)
{
    tern_handle h;
    void *at;
    if (tern_pool_was_live(pool) != 0) return false;
    for (uint32_t i = 0; i < CAPACITY; i++)
        if (tern_pool_alloc(pool, &h, &at) != TERN_OK) return false;
    return tern_pool_alloc(pool, &h, &at) == TERN_ERR_FULL;
}

static int stress(uint64_t rounds, uint64_t seconds, bool processes, uint64_t seed, int number)
{
    static worker workers[WORKERS];
    tern_pool_desc desc = { sizeof(item), CAPACITY };
    size_t size = tern_pool_size(&desc);
    void *memory = shared_memory(size);
    shared *s = shared_memory(sizeof *s);
    struct counts sum;
    memset(&sum, 0, sizeof sum);
    if (!memory || !s || tern_pool_format(memory, size, &desc) != TERN_OK) exit(1);
    memset(workers, 0, sizeof workers);
    for (uint32_t i = 0; i < WORKERS; i++) {
        workers[i].s = s;
        workers[i].id = i;
        workers[i].rounds = rounds;
        workers[i].random = mix(seed + i) | 1;
        if (tern_pool_attach(&workers[i].pool, memory, size) != TERN_OK) exit(1);
    }
    int failed = processes ? run_processes(workers) : run_threads(workers, seconds);
    for (int i = 0; i < WORKERS; i++) {
        const uint64_t *from = (const uint64_t *)&s->counts[i];
        uint64_t *to = (uint64_t *)&sum;
        for (size_t k = 0; k < sizeof sum / sizeof *to; k++) to[k] += from[k];
    }
    failed = failed || sum.stale_accepted || sum.live_refused || sum.spoiled || sum.errors
        || sum.allocs != sum.frees || !pool_is_whole(&workers[0].pool);
    printf("%sok %d - %d %s: %llu rounds, %llu allocs (%llu full), %llu frees (%llu deferred), %llu pins, %llu reads, "
           "%llu refused; %llu stale accepted, %llu live refused, %llu spoiled, %llu errors\n",
           failed ? "not " : "", number, WORKERS, processes ? "processes" : "threads", (unsigned long long)sum.rounds,
           (unsigned long long)sum.allocs, (unsigned long long)sum.fulls, (unsigned long long)sum.frees,
           (unsigned long long)sum.deferred, (unsigned long long)sum.pins, (unsigned long long)sum.reads,
           (unsigned long long)sum.refused, (unsigned long long)sum.stale_accepted,
           (unsigned long long)sum.live_refused, (unsigned long long)sum.spoiled, (unsigned long long)sum.errors);
    fflush(stdout);
    munmap(memory, size);
    munmap(s, sizeof *s);
    return failed;
}

/* ---- The end of the generations ------------------------------------------------------------- */

enum { END_CAPACITY = 4, END_THREADS = 2 };

typedef struct ender {
    tern_pool pool;
    uint64_t times, allocs, fulls, errors, repeats;
    tern_a32 *last;       /* for each slot, the last generation that anyone got; shared */
} ender;

/* Who has a slot is alone with its entry of last: the pool's own order makes that so. A
 * generation that is not above the last one would be a handle that was there before. */
static void *use_up(void *argument)
{
    ender *e = argument;
    for (uint64_t i = 0; i < e->times; i++) {
        tern_handle h;
        void *at;
        tern_status status = tern_pool_alloc(&e->pool, &h, &at);
        if (status == TERN_ERR_FULL) {
            e->fulls++;
            continue;
        }
        if (status != TERN_OK || h.index > END_CAPACITY) {
            e->errors++;
            continue;
        }
        e->allocs++;
        /* relaxed: see above */
        if (h.generation <= tern_a32_load_relaxed(&e->last[h.index])) e->repeats++;
        tern_a32_store_relaxed(&e->last[h.index], h.generation);
        if (tern_pool_free(&e->pool, h) != TERN_OK || tern_pool_get(&e->pool, h)) e->errors++;
    }
    return NULL;
}

static int stress_generations(uint64_t times, int number)
{
    const uint32_t before_the_end = 1000000, first = TERN__POOL_LAST_GENERATION - before_the_end + 1;
    static tern_a32 last[END_CAPACITY + 1];
    static ender enders[END_THREADS];
    tern_pool_desc desc = { 8, END_CAPACITY };
    size_t size = tern_pool_size(&desc);
    void *memory = shared_memory(size);
    tern_pool pool;
    pthread_t threads[END_THREADS];
    uint64_t allocs = 0, fulls = 0, wrong = 0, generations = 0;
    if (!memory || tern_pool_format(memory, size, &desc) != TERN_OK
        || tern_pool_attach(&pool, memory, size) != TERN_OK) exit(1);
    for (uint32_t i = 0; i <= END_CAPACITY; i++) {
        tern_a64_store_relaxed(&tern__pool_slot(&pool, i)->word, tern__pool_life(first, TERN__POOL_FREE));
        tern_a32_store_relaxed(&last[i], first - 1);
    }
    for (int i = 0; i < END_THREADS; i++) {
        enders[i] = (ender){ .pool = pool, .times = times / END_THREADS, .last = last };
        if (pthread_create(&threads[i], NULL, use_up, &enders[i]) != 0) exit(1);
    }
    for (int i = 0; i < END_THREADS; i++) {
        pthread_join(threads[i], NULL);
        allocs += enders[i].allocs;
        fulls += enders[i].fulls;
        wrong += enders[i].errors + enders[i].repeats;
    }
    for (uint32_t i = 0; i <= END_CAPACITY; i++) generations += tern_a32_load_relaxed(&last[i]) - (first - 1);
    uint32_t retired = tern_pool_was_retired(&pool), live = tern_pool_was_live(&pool);
    bool at_the_end = fulls > 0;      /* fewer operations than generations: nothing retires */
    /* each slot's generations rise by one at each alloc: as many values as allocs */
    int failed = wrong > 0 || generations != allocs || live != 0 || allocs + fulls != times / END_THREADS * END_THREADS
        || (at_the_end && (retired != END_CAPACITY || allocs < (uint64_t)END_CAPACITY * before_the_end
                           || allocs >= (END_CAPACITY + 1ull) * before_the_end));
    printf("%sok %d - end of the generations: %llu operations, %llu allocs of %llu different handles, "
           "then %llu times full, %u of %u slots retired and one kept, %llu repeated or wrong\n",
           failed ? "not " : "", number,
           (unsigned long long)times, (unsigned long long)allocs, (unsigned long long)generations,
           (unsigned long long)fulls, retired, END_CAPACITY, (unsigned long long)wrong);
    munmap(memory, size);
    return failed;
}

int main(int argc, char **argv)
{
    bool seconds = argc > 1 && strcmp(argv[1], "--seconds") == 0;
    bool generations = argc > 1 && strcmp(argv[1], "--generations") == 0;
    int at = seconds || generations ? 2 : 1, failed = 0, number = 0;
    uint64_t count = argc > at ? strtoull(argv[at], NULL, 10) : seconds ? 60 : generations ? 100000000 : 100000;
    uint64_t seed = stress_seed(argc > at + 1 ? argv[at + 1] : NULL);
    fflush(stdout);
    if (generations) {
        failed += stress_generations(count, ++number);
    } else if (seconds) {
        failed += stress(UINT64_MAX, count, false, seed, ++number);
    } else {
        failed += stress(count, 0, false, seed, ++number);
        failed += stress(count, 0, true, seed + 1000, ++number);
        failed += stress_generations(6000000, ++number);
    }
    printf("1..%d\n", number);
    return failed ? 1 : 0;
}
