/* SPDX-License-Identifier: MIT */
/* kill.c: the tracer. What it does and why that is enough is told in kill.h. */
#include "kill.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include "trace.h"

unsigned char *kill_memory;

enum { PATIENCE_S = 10, DEEP_TIMES = 3 };

static struct {
    size_t memory_bytes, world_bytes;
    void *world;
    const char *only;
    int number, failed;
    unsigned char *watched;              /* the bytes whose changes make a new state */
    size_t watched_bytes;
    unsigned char *before;               /* of the operation: the shared bytes */
    unsigned char *seen, *kept, *world_kept;
    uint64_t random;
    uint64_t woken;                      /* the word whose sleepers the victim woke last; 0: none */
} all;

/* One case while it runs. */
typedef struct run {
    const char *kind;
    const kill_case *c;
    tracee victim;
    uint64_t states;
    int effect;
    bool failed;
    bool world_changed;                  /* since the last check */
    trace_place *places;                 /* real: where each class begins */
} run;

bool kill_wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("# ");
    vprintf(format, arguments);
    printf("\n");
    fflush(stdout);
    va_end(arguments);
    return false;
}

static bool in_time(const struct timespec *since)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec - since->tv_sec <= PATIENCE_S;
}

static void doze(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
}

bool kill_soon(bool (*condition)(void))
{
    struct timespec since;
    clock_gettime(CLOCK_MONOTONIC, &since);
    while (!condition()) {
        if (!in_time(&since)) return false;
        doze();
    }
    return true;
}

/* ---- Sleepers -------------------------------------------------------------------------------- */

static pid_t fork_survivor(int (*survive)(void))
{
    fflush(stdout);
    pid_t child = fork();
    if (child != 0) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int code = survive();
    fflush(stdout);
    _exit(code >= 0 && code <= 200 ? code : 255);
}

/* Wait until it sleeps; false if it ends instead, or never does. */
static bool wait_until_asleep(pid_t child)
{
    struct timespec since;
    clock_gettime(CLOCK_MONOTONIC, &since);
    while (in_time(&since)) {
        if (trace_sleeps(child)) return true;
        if (waitpid(child, NULL, WNOHANG | WNOWAIT) == child) break;
        doze();
    }
    return kill_wrong("the survivor does not go to sleep");
}

bool kill_leave_asleep(int (*survive)(void))
{
    pid_t child = fork_survivor(survive);
    bool asleep = child > 0 && wait_until_asleep(child);
    if (child > 0) kill(child, SIGKILL);
    return child > 0 && waitpid(child, NULL, 0) == child && asleep;
}

/* How it ended; KILL_WRONG if it did not. */
static int survivor_end(pid_t child)
{
    struct timespec since;
    int status = 0;
    clock_gettime(CLOCK_MONOTONIC, &since);
    while (in_time(&since)) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child) return WIFEXITED(status) && WEXITSTATUS(status) != 255 ? WEXITSTATUS(status) : KILL_WRONG;
        doze();
    }
    kill_wrong("the survivor %s", trace_sleeps(child) ? "sleeps for ever" : "does not end");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return KILL_WRONG;
}

int kill_beside_sleeper(int (*survive)(void), bool (*succeed)(void))
{
    /* seen: the bytes of this point */
    memcpy(kill_memory, all.before, all.memory_bytes);
    pid_t child = fork_survivor(survive);
    if (child <= 0) return KILL_WRONG;
    bool ok = wait_until_asleep(child);
    memcpy(kill_memory, all.seen, all.memory_bytes);
    if (all.woken) tern_word_wake((tern_a32 *)(uintptr_t)all.woken);
    ok = ok && succeed();
    if (!ok) kill(child, SIGKILL);
    int code = survivor_end(child);
    return ok ? code : KILL_WRONG;
}

/* ---- One point --------------------------------------------------------------------------------- */

static bool same_everywhere(run *r, int effect, int order)
{
    if (effect == KILL_WRONG) return false;
    if (order > 0 && effect != r->effect) return kill_wrong("effect %d, and %d in order 0", effect, r->effect);
    if (effect < r->effect) return kill_wrong("effect %d, and %d at an earlier point", effect, r->effect);
    if (effect > r->c->effect) return kill_wrong("effect %d, of %d", effect, r->c->effect);
    r->effect = effect;
    return true;
}

static void tell_where(const run *r, int order)
{
    printf("# %s: %s: killed after %llu instructions, before that at +0x%llx of the program; order %d\n", r->kind,
           r->c->name, (unsigned long long)r->victim.instructions, (unsigned long long)trace_offset(&r->victim), order);
    fflush(stdout);
}

/* The victim stands still: what if it died here? */
static void check_point(run *r)
{
    r->states++;
    r->world_changed = false;
    memcpy(all.seen, kill_memory, all.memory_bytes);
    memcpy(all.world_kept, all.world, all.world_bytes);
    for (int order = 0; order < r->c->orders && !r->failed; order++) {
        r->failed = !same_everywhere(r, r->c->check(order), order);
        if (r->failed) tell_where(r, order);
        memcpy(kill_memory, all.seen, all.memory_bytes);
        memcpy(all.world, all.world_kept, all.world_bytes);
    }
}

/* ---- Stepping -------------------------------------------------------------------------------------- */

static void prepare(const kill_case *c)
{
    memset(kill_memory, 0, all.memory_bytes);
    memset(all.world, 0, all.world_bytes);
    all.woken = 0;
    all.watched = kill_memory;
    all.watched_bytes = all.memory_bytes;
    c->prepare();
    memcpy(all.before, kill_memory, all.memory_bytes);
}

/* The victim sleeps: a point of its own. A check may have woken it; then it comes here again, and now
 * the other end has its turn. */
static void while_asleep(run *r)
{
    if (memcmp(all.seen, kill_memory, all.memory_bytes) != 0 || r->world_changed) check_point(r);
    else {
        r->c->meanwhile();
        r->world_changed = true;
    }
}

static bool step(run *r)
{
    uint64_t word = 0;
    trace_call next = r->c->meanwhile || r->c->sleeper ? trace_next(&r->victim, &word) : TRACE_NO_CALL;
    if (!trace_step(&r->victim)) return false;
    if (next == TRACE_FUTEX_WAIT && r->c->meanwhile && trace_asleep(&r->victim)) while_asleep(r);
    if (!trace_wait(&r->victim, next == TRACE_FUTEX_WAIT ? PATIENCE_S : 0)) return false;
    if (next == TRACE_FUTEX_WAKE) all.woken = word;
    return true;
}

/* Every instruction, with the checks beside it. */
static void step_through(run *r)
{
    check_point(r);
    while (!r->failed && trace_within(&r->victim)) {
        if (!step(r)) {
            r->failed = !kill_wrong(trace_sleeps(r->victim.pid) ? "the victim sleeps for ever" : "the victim ended");
            break;
        }
        if (r->world_changed || memcmp(all.seen, kill_memory, all.memory_bytes) != 0) check_point(r);
    }
    if (!r->failed && r->effect != r->c->effect)
        r->failed = !kill_wrong("effect %d after the whole operation, not %d", r->effect, r->c->effect);
}

/* ---- Really killed --------------------------------------------------------------------------------- */

void kill_watch(unsigned char *memory, size_t bytes)
{
    all.watched = memory;
    all.watched_bytes = bytes < all.memory_bytes ? bytes : all.memory_bytes;
}

/* Step once, and note where each class of points begins. */
static void find_classes(run *r)
{
    memcpy(all.seen, all.watched, all.watched_bytes);
    while (trace_within(&r->victim)) {
        uint64_t word;
        bool called = trace_next(&r->victim, &word) != TRACE_NO_CALL;
        if (!trace_step(&r->victim) || !trace_wait(&r->victim, 0)) {
            r->failed = !kill_wrong("the victim ended");
            return;
        }
        trace_count(&r->victim);
        if (!called && memcmp(all.seen, all.watched, all.watched_bytes) == 0) continue;
        memcpy(all.seen, all.watched, all.watched_bytes);
        r->places = realloc(r->places, (r->states + 1) * sizeof *r->places);
        if (!r->places) abort();
        r->places[r->states++] = trace_here(&r->victim);
    }
}

/* More of them, one after the other, each killed at some point that the first one came to, if it comes there too. */
static void kill_deeper(run *r)
{
    for (int i = 0; i < r->c->deep && !r->failed; i++) {
        tracee victim;
        if (!trace_fork(&victim, r->c->enter, r->c->operate)) r->failed = !kill_wrong("no victim");
        else (void)trace_run_to(&victim, &r->places[next_random(&all.random) % r->states]);
        trace_kill(&victim);
    }
}

/* A new victim, killed at the first point of a class. Without a place: before its first instruction. */
static void kill_there(run *r, const trace_place *place)
{
    tracee victim;
    prepare(r->c);
    if (!trace_fork(&victim, r->c->enter, r->c->operate)) {
        r->failed = !kill_wrong("no victim");
        return;
    }
    bool there = !place || trace_run_to(&victim, place);
    trace_kill(&victim);
    kill_deeper(r);
    if (!there) r->failed = !kill_wrong("a new victim did not come to the same point");
    else if (!r->failed) {
        if (r->c->deep) r->effect = 0;   /* the first one may have had none, and the next all of it */
        r->failed = !same_everywhere(r, r->c->check(0), 0);
    }
    if (r->failed) {
        r->victim.instructions = place ? place->instructions : 0;
        r->victim.at = place ? place->at : 0;
        tell_where(r, 0);
    }
    if (r->c->finish) r->c->finish();
}

static void kill_at_each(run *r)
{
    find_classes(r);
    uint64_t instructions = r->victim.instructions;
    trace_kill(&r->victim);
    if (r->c->finish) r->c->finish();
    if (!r->failed) kill_there(r, NULL);
    for (uint64_t i = 0; i < r->states; i++)
        for (int again = 0; again < (r->c->deep ? DEEP_TIMES : 1) && !r->failed; again++) kill_there(r, &r->places[i]);
    if (!r->failed && !r->c->deep && r->effect != r->c->effect)
        r->failed = !kill_wrong("effect %d after the whole operation, not %d", r->effect, r->c->effect);
    r->victim.instructions = instructions;
    r->states++;   /* the one before the first instruction */
    free(r->places);
}

/* ---- Programs ----------------------------------------------------------------------------------------- */

void kill_skip(const char *kind, const char *why)
{
    printf("ok %d - %s # SKIP %s\n", ++all.number, kind, why);
}

void kill_run(const char *kind, const kill_case *c)
{
    run r = { .kind = kind, .c = c };
    char whole[256];
    snprintf(whole, sizeof whole, "%s: %s", kind, c->name);
    if (all.only && !strstr(whole, all.only)) return;
    if ((c->meanwhile || c->sleeper) && strcmp(tern_wait_backend(), "futex") != 0) {
        kill_skip(whole, "who sleeps is seen by its futex");
        return;
    }
    prepare(c);
    if (!trace_fork(&r.victim, c->enter, c->operate)) r.failed = !kill_wrong("no victim: %s", strerror(errno));
    else if (c->real) kill_at_each(&r);
    else {
        step_through(&r);
        trace_kill(&r.victim);
    }
    stress_report(!r.failed, ++all.number, "%s: %llu instructions, %llu points, %llu states%s", whole,
                  (unsigned long long)r.victim.instructions, (unsigned long long)r.victim.instructions + 1,
                  (unsigned long long)r.states, c->real ? ", each really killed" : "");
    all.failed += r.failed;
}

static void *shared_pages(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pages != MAP_FAILED) return pages;
    perror("kill: no memory");
    exit(1);
}

void kill_begin(int argc, char **argv, size_t memory_bytes, void *world, size_t world_bytes)
{
    if (argc > 2 && strcmp(argv[1], "--only") == 0) all.only = argv[2];
    if (!trace_can()) {
        printf("1..0 # SKIP stepping needs Linux on x86-64, and a ptrace that is allowed\n");
        exit(0);
    }
    all.random = mix(stress_seed(argc > 4 && strcmp(argv[3], "--seed") == 0 ? argv[4] : NULL)) | 1;
    /* tracer and victim never run at once: on one processor they change places soonest */
    trace_stay();
    all.memory_bytes = memory_bytes;
    all.world = world;
    all.world_bytes = world_bytes;
    kill_memory = shared_pages(memory_bytes);
    all.before = malloc(memory_bytes);
    all.seen = malloc(memory_bytes);
    all.world_kept = malloc(world_bytes);
    if (!all.before || !all.seen || !all.world_kept) abort();
}

int kill_end(void)
{
    printf("1..%d\n", all.number);
    return all.failed != 0;
}
