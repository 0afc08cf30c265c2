/* SPDX-License-Identifier: MIT */
/* kill_soak.c: pairs of processes at work on each kind of object in a region; one of the two is killed (SIGKILL) at a
 * random time, wherever it is just then, and a successor takes its place, again and again. Each process
 * maps the region anew and is a peer of its own. What they do and check is in soak_ends.c and soak_shared.c.
 *
 *   kill_soak [kills [seed [kind]]]     so many in all; only the kinds whose name has this in it */
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "soak.h"

bool soak_wrong(const char *format, ...)
{
    char text[256] = "# ";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + 2, sizeof text - 3, format, arguments);
    va_end(arguments);
    strcat(text, "\n");
    return write(STDOUT_FILENO, text, strlen(text)) < 0;   /* at once: the process may end by _exit() */
}

bool soak_open_book(soak_life *life, uint64_t next, uint64_t slack, const tern_recovery *report)
{
    soak_book *b = life->book;
    uint64_t begun = soak_get(&b->begun), done = soak_get(&b->done), before = soak_get(&b->slack);
    uint64_t least = done > before ? done - before : 0;
    if (next < least || next > begun)
        return soak_wrong("%s: a successor goes on with %llu, not %llu to %llu", life->name, (unsigned long long)next,
                          (unsigned long long)least, (unsigned long long)begun);
    if (next < done) soak_set(&b->again, soak_get(&b->again) + done - next);
    soak_set(&b->done, next);
    soak_set(&b->begun, next);
    soak_set(&b->slack, slack);
    /* busy: the other one is in a call on the very slot that the dead one had; the next burial settles it */
    SOAK_TRUE(report->outcome != TERN_RECOVERY_REFUSED || report->why == TERN_ERR_BUSY);
    soak_count(&b->learned, report->outcome == TERN_RECOVERY_REPAIRED);
    soak_count(&b->lives, true);
    return true;
}

void soak_pause(soak_life *life)
{
    uint64_t r = next_random(&life->random);
    if (r % 2048 != 0) return;
    if (r >> 32 & 1) nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    else for (r = (r >> 33) % 4096; r > 0; r--) tern_cpu_relax();
}

/* ---- One kind -------------------------------------------------------------------------------------------- */

typedef struct pair {
    const soak_kind *kind;
    tern_region region;              /* the supervisor's: it has no end */
    soak_books *books;
    pid_t process[SOAK_ROLES];
    int kills[SOAK_ROLES], since_rest;
    uint64_t random;
} pair;

static void start(pair *p, int role)
{
    uint64_t seed = next_random(&p->random) | 1;
    int region_fd = tern_shm_share(&p->region);   /* the view's own is closed in a child */
    p->process[role] = fork();
    if (p->process[role] != 0) {
        close(region_fd);
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    soak_life life = { .books = p->books, .book = &p->books->of[role], .role = role, .random = seed,
                       .name = p->kind->name };
    bool ok = tern_shm_open_fd(&life.region, region_fd, NULL) == TERN_OK;
    if (!ok) soak_wrong("%s: no attachment", life.name);
    ok = ok && p->kind->live(&life, p->kind->flags);
    if (ok) tern_shm_close(&life.region);
    _exit(!ok);
}

/* It must have been at work until now. */
static bool kill_one(pair *p, int role)
{
    int status = 0;
    pid_t victim = p->process[role];
    p->process[role] = 0;
    if (victim <= 0 || kill(victim, SIGKILL) != 0 || waitpid(victim, &status, 0) != victim) return false;
    p->kills[role]++;
    p->since_rest++;
    if (p->kind->died) p->kind->died(&p->region, &p->books->of[role], role);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return true;
    return soak_wrong("%s: the %s ended before it was killed", p->kind->name, p->kind->roles[role]);
}

static bool ends_well(pair *p, int role)
{
    int status = 1;
    pid_t process = p->process[role];
    struct timespec nap = { .tv_nsec = 1000000 };
    p->process[role] = 0;
    for (int i = 0; i < 20000; i++) {
        if (waitpid(process, &status, WNOHANG) == process) return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        nanosleep(&nap, NULL);
    }
    soak_wrong("%s: the %s does not end", p->kind->name, p->kind->roles[role]);
    kill(process, SIGKILL);
    waitpid(process, &status, 0);
    return false;
}

static bool rest(pair *p)
{
    bool ok = kill_one(p, 0) && kill_one(p, 1) && p->kind->rest(&p->region, p->books, p->since_rest);
    p->since_rest = 0;
    for (int role = 0; role < SOAK_ROLES && ok; role++) start(p, role);
    return ok;
}

/* Some die before they have attached, most at work: wait until then. */
static bool let_live(pair *p, int role)
{
    uint64_t r = next_random(&p->random);
    nanosleep(&(struct timespec){ .tv_nsec = (long)(r % 2000000) }, NULL);
    /* the one that is not killed must still be there */
    siginfo_t ended = { .si_pid = 0 };
    return (waitid(P_PID, (id_t)p->process[1 - role], &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0)
        || soak_wrong("%s: the %s ended by itself", p->kind->name, p->kind->roles[1 - role]);
}

static bool kill_many(pair *p, int kills)
{
    bool ok = true;
    for (int role = 0; role < SOAK_ROLES; role++) start(p, role);
    while (ok && p->kills[0] + p->kills[1] < kills) {
        int role = (int)(next_random(&p->random) >> 32 & 1);
        ok = let_live(p, role) && kill_one(p, role);
        if (ok) start(p, role);
        if (ok && p->kind->rest_every != 0 && p->since_rest >= p->kind->rest_every) ok = rest(p);
    }
    nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);   /* the last pair is at work, too */
    tern_a32_store_release(&p->books->stop, 1, KILL);
    for (int role = 0; role < SOAK_ROLES; role++) {
        if (!ok && p->process[role] > 0) kill(p->process[role], SIGKILL);
        ok = ok && ends_well(p, role);
    }
    if (ok && p->kind->rest) ok = p->kind->rest(&p->region, p->books, p->since_rest);
    return ok && p->kind->judge(p->books, kills);
}

/* Nobody but the supervisor is left. */
static bool all_is_buried(pair *p)
{
    uint32_t cursor = 0, count = 0;
    tern_peer_info info;
    SOAK_TRUE(tern_peer_recover(&p->region, NULL) == TERN_OK);
    while (tern_peer_next(&p->region, &cursor, &info)) count++;
    SOAK_TRUE(count == 1);
    return true;
}

static int one_kind(const soak_kind *kind, int kills, uint64_t seed, int number)
{
    pair p = { .kind = kind, .random = seed | 1 };
    const tern_region_desc desc = { .max_objects = 4, .max_peers = 8 };
    p.books = mmap(NULL, sizeof *p.books, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool ok = p.books != MAP_FAILED && tern_shm_create(&p.region, NULL, 65536, &desc) == TERN_OK
        && kind->make(&p.region, kind->flags);
    ok = ok ? kill_many(&p, kills) && all_is_buried(&p) : soak_wrong("no memory");
    soak_book *of = p.books->of;
    stress_report(ok, number, "%s: %d deaths of the %s, %d of the %s; %u and %u successors were told, of %u and %u "
                  "lives; %llu done, %llu came again",
                  kind->name, p.kills[0], kind->roles[0], p.kills[1], kind->roles[1],
                  tern_a32_load_acquire(&of[0].learned, KILL), tern_a32_load_acquire(&of[1].learned, KILL),
                  tern_a32_load_acquire(&of[0].lives, KILL), tern_a32_load_acquire(&of[1].lives, KILL),
                  (unsigned long long)soak_get(&of[1].done), (unsigned long long)soak_get(&of[1].again));
    if (kind->died)
        printf("# of those %u and %u by plain stores, %u and %u with the other asleep\n",
               tern_a32_load_acquire(&of[0].by_store, KILL), tern_a32_load_acquire(&of[1].by_store, KILL),
               tern_a32_load_acquire(&of[0].asleep, KILL), tern_a32_load_acquire(&of[1].asleep, KILL));
    munmap(p.books, sizeof *p.books);
    tern_shm_close(&p.region);
    return !ok;
}

int main(int argc, char **argv)
{
    const soak_kind *kinds[16];
    int count = 0, failed = 0;
    int kills = argc > 1 ? atoi(argv[1]) : 2000;
    uint64_t seed = stress_seed(argc > 2 ? argv[2] : NULL);
    fflush(stdout);   /* or each child has it too */
    for (const soak_kind *k = soak_ends; k->name; k++) kinds[count++] = k;
    for (const soak_kind *k = soak_shared; k->name; k++) kinds[count++] = k;
    int chosen = 0;
    for (int i = 0; i < count; i++)
        if (argc <= 3 || strstr(kinds[i]->name, argv[3])) kinds[chosen++] = kinds[i];
    for (int i = 0; i < chosen; i++)
        failed += one_kind(kinds[i], (kills + chosen - 1) / chosen, mix(seed + (uint64_t)i), i + 1);
    printf("1..%d\n", chosen);
    return failed != 0;
}
