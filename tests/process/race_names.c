/* SPDX-License-Identifier: MIT */
/* race_names.c: many processes create, open, unlink one name and are killed while they do.
 *
 *     race_names [PROCESSES [ROUNDS [KILLS [SEED]]]]
 *
 * Each call gives a status that its documentation lists. Whoever opens finds a whole region: who made
 * it tells by his process id in the header what its limits must be, and by an object what bytes he
 * wrote; he may have been killed before he wrote that, but then it is not there or not ready. At the
 * end nothing is left under /dev/shm but perhaps the one name. */
#include "../stress/stress.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <tern/shm.h>
#include <tern/tern.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PROCESSES = 1024, SIGN_BYTES = 4096 };

enum outcome { MADE, TAKEN, OPENED, NOTHING, UNLINKED, SIGNED, UNSIGNED, OUTCOMES };

/* Shared by all: how far each worker is, what came out, and the first thing that was wrong. */
struct books {
    tern_a32 rounds_done[MAX_PROCESSES];
    tern_a32 outcomes[OUTCOMES];
    tern_a32 wrong_line, wrong_status;
};

static struct books *books;
static char name[64];
static uint32_t least_peers;    /* all processes can be there at once */
static size_t region_bytes;

/* relaxed, all of these: numbers to look at */
static void note(enum outcome o) { tern_a32_fetch_add_relaxed(&books->outcomes[o], 1); }

static void wrong(int line, int status)
{
    uint32_t none = 0;
    if (tern_a32_cas_relaxed(&books->wrong_line, &none, (uint32_t)line))
        tern_a32_store_relaxed(&books->wrong_status, (uint32_t)-status);
    _exit(1);
}
#define CHECK(condition, status) ((condition) ? (void)0 : wrong(__LINE__, (int)(status)))

static tern_region_desc limits_of(uint32_t maker)
{
    tern_region_desc desc = { 0, 1 + maker % 61, least_peers + maker % 53, 0 };
    return desc;
}

static unsigned char sign_byte(uint32_t maker, uint32_t at)
{
    return (unsigned char)((maker * 2654435761u + at * 40503u) >> 13);
}

/* ---- One round ------------------------------------------------------------------------------- */

static void make(void)
{
    tern_region region;
    tern_object object;
    uint32_t self = (uint32_t)getpid();
    tern_region_desc desc = limits_of(self);
    tern_status status = tern_shm_create(&region, name, region_bytes, &desc);
    if (status == TERN_ERR_EXISTS) {
        note(TAKEN);
        return;
    }
    CHECK(status == TERN_OK, status);
    note(MADE);
    status = tern_region_claim(&region, "sign", TERN_TYPE_RING, SIGN_BYTES, &object);
    CHECK(status == TERN_OK, status);   /* nobody else adds objects */
    for (uint32_t i = 0; i < SIGN_BYTES; i++) ((unsigned char *)object.memory)[i] = sign_byte(self, i);
    tern_region_publish(&region, &object, TERN_OK);
    tern_shm_close(&region);
}

static void look(void)
{
    tern_region region;
    tern_region_info info;
    tern_object object;
    tern_status status = tern_shm_open(&region, name, NULL);
    if (status == TERN_ERR_NOT_FOUND) {
        note(NOTHING);
        return;
    }
    CHECK(status == TERN_OK, status);
    note(OPENED);
    status = tern_region_inspect(&info, region.shared, (size_t)region.size_bytes);
    CHECK(status == TERN_OK, status);
    tern_region_desc desc = limits_of(info.creator);
    CHECK(region.size_bytes == region_bytes && info.creator != 0, 0);
    CHECK(region.max_objects == desc.max_objects && region.max_peers == desc.max_peers, 0);
    CHECK(tern_shm_status(&region) == TERN_OK, tern_shm_status(&region));
    (void)tern_shm_name_is_current(&region, name);   /* either, at any moment */
    status = tern_region_find(&region, "sign", TERN_TYPE_RING, &object);
    CHECK(status == TERN_OK || status == TERN_ERR_NOT_FOUND || status == TERN_ERR_NOT_READY
          || status == TERN_ERR_PEER_DEAD, status);
    note(status == TERN_OK ? SIGNED : UNSIGNED);
    for (uint32_t i = 0; status == TERN_OK && i < SIGN_BYTES; i++)
        CHECK(((const unsigned char *)object.memory)[i] == sign_byte(info.creator, i), i);
    tern_shm_close(&region);
}

static void take_away(void)
{
    tern_status status = tern_shm_unlink(name);
    CHECK(status == TERN_OK || status == TERN_ERR_NOT_FOUND, status);
    if (status == TERN_OK) note(UNLINKED);
}

static void work(uint32_t worker, uint32_t rounds, uint64_t seed)
{
    uint64_t random = seed | 1;
    /* relaxed: only this worker, or the one before it, which is dead, writes it */
    for (uint32_t i = tern_a32_load_relaxed(&books->rounds_done[worker]); i < rounds; i++) {
        uint64_t r = next_random(&random);
        if (r % 4 != 0) make();
        look();
        if (r % 3 != 0) take_away();
        tern_a32_store_relaxed(&books->rounds_done[worker], i + 1);   /* relaxed: as above */
    }
    _exit(0);
}

/* ---- All of them ------------------------------------------------------------------------------- */

static pid_t workers[MAX_PROCESSES];

static bool start(uint32_t worker, uint32_t rounds, uint64_t seed)
{
    workers[worker] = fork();
    if (workers[worker] == 0) work(worker, rounds, seed);
    return workers[worker] > 0;
}

static bool ended_well(uint32_t worker)
{
    int status = 1;
    pid_t pid = workers[worker];
    workers[worker] = 0;
    return waitpid(pid, &status, 0) == pid && (status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
}

/* Kill one after the other, at any point of its rounds; a new one goes on where it was.
 * @return how many were killed in the midst of their rounds; -1: somebody found something wrong */
static int kill_some(uint32_t processes, uint32_t rounds, uint32_t kills, uint64_t *random)
{
    int killed = 0;
    for (uint32_t i = 0; i < kills; i++) {
        uint32_t worker = (uint32_t)(next_random(random) % processes);
        nanosleep(&(struct timespec){ .tv_nsec = (long)(next_random(random) % 2000000) }, NULL);
        kill(workers[worker], SIGKILL);
        if (!ended_well(worker)) return -1;
        /* relaxed: it is dead, and has been waited for */
        killed += tern_a32_load_relaxed(&books->rounds_done[worker]) < rounds;
        if (!start(worker, rounds, next_random(random))) return -1;
    }
    return killed;
}

/* Files in /dev/shm of this test other than its name's; 0 it must be. */
static int left_over(void)
{
    char own[300];
    int count = 0;
    DIR *folder = opendir("/dev/shm");
    if (!folder || tern_shm_path(name, own, sizeof own) != TERN_OK) return -1;
    const char *file = strrchr(own, '/') + 1;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += strstr(entry->d_name, name) && strcmp(entry->d_name, file) != 0;
    closedir(folder);
    return count;
}

static uint32_t outcome(enum outcome o)
{
    return tern_a32_load_relaxed(&books->outcomes[o]);   /* relaxed: all are dead */
}

static bool race(uint32_t processes, uint32_t rounds, uint32_t kills, uint64_t seed)
{
    uint64_t random = seed | 1, began_ns = tern_now_ns(), all = 0;
    bool ok = true;
    for (uint32_t i = 0; i < processes; i++) ok = start(i, rounds, next_random(&random)) && ok;
    int killed = ok ? kill_some(processes, rounds, kills, &random) : -1;
    for (uint32_t i = 0; i < processes; i++) ok = (workers[i] == 0 || ended_well(i)) && ok;
    double seconds = (double)(tern_now_ns() - began_ns) / 1e9;
    for (uint32_t i = 0; i < processes; i++)
        all += tern_a32_load_relaxed(&books->rounds_done[i]);   /* relaxed: as above */
    uint32_t line = tern_a32_load_relaxed(&books->wrong_line);   /* relaxed: as above */
    if (line) printf("# line %u: %s (%u)\n", line,
                     tern_status_name((tern_status)-(int)tern_a32_load_relaxed(&books->wrong_status)),
                     tern_a32_load_relaxed(&books->wrong_status));   /* relaxed: as above */
    printf("# %llu rounds in %.1f s, %d killed in the midst, seed %llu\n", (unsigned long long)all, seconds, killed,
           (unsigned long long)seed);
    printf("# made %u, taken %u, opened %u (signed %u, not yet %u), not there %u, unlinked %u\n", outcome(MADE),
           outcome(TAKEN), outcome(OPENED), outcome(SIGNED), outcome(UNSIGNED), outcome(NOTHING), outcome(UNLINKED));
    /* a race in which one of these never happened has shown nothing */
    bool raced = all < 1000
        || (outcome(MADE) && outcome(TAKEN) && outcome(SIGNED) && outcome(NOTHING) && outcome(UNLINKED));
    return ok && line == 0 && raced && killed >= 0 && (kills < 100 || killed > 0)
        && all == (uint64_t)processes * rounds;
}

static uint64_t number(int argc, char **argv, int at, uint64_t otherwise)
{
    return argc > at ? strtoull(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    uint64_t processes = number(argc, argv, 1, 64), rounds = number(argc, argv, 2, 1000);
    uint64_t kills = number(argc, argv, 3, 200), seed = number(argc, argv, 4, (uint64_t)time(NULL));
    if (processes < 1 || processes > MAX_PROCESSES || rounds > UINT32_MAX || kills > UINT32_MAX) {
        fprintf(stderr, "usage: race_names [PROCESSES 1..%d [ROUNDS [KILLS [SEED]]]]\n", MAX_PROCESSES);
        return 2;
    }
    least_peers = (uint32_t)processes + 1;
    size_t least = tern_region_size(&(tern_region_desc){ 0, 61, least_peers + 52, 0 }) + 2 * SIGN_BYTES;
    region_bytes = (least + 4095) / 4096 * 4096;
    printf("1..2\n");
    fflush(stdout);
    snprintf(name, sizeof name, "race.%d", (int)getpid());
    books = (struct books *)mmap(NULL, sizeof *books, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (books == MAP_FAILED) return 1;
    bool whole = race((uint32_t)processes, (uint32_t)rounds, (uint32_t)kills, seed);
    stress_report(whole, 1, "every open of a raced name finds a whole region");
    tern_status status = tern_shm_unlink(name);
    int left = left_over();
    bool clean = left == 0 && (status == TERN_OK || status == TERN_ERR_NOT_FOUND);
    stress_report(clean, 2, "nothing is left in /dev/shm but the name: %d", left);
    return whole && clean ? 0 : 1;
}
