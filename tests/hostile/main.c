/* SPDX-License-Identifier: MIT */
/*
 * main.c: peers that lie, against every call.
 *
 *   hostile [--operations N] [--seed S] [--only NAME] [--mode lies|flips|thread|steps] [--limits]
 *
 * N attacked calls for each primitive and mode, divided among its victims; an eighth of that for held pools.
 * Without --mode the watched program runs lies and flips, the plain one thread. --only takes names that begin
 * with NAME. --limits prints, for each call, the most accesses that were seen beside the most that are allowed.
 * See hostile.h.
 */
#include "hostile.h"

static const hostile_victim *const main_groups[] = {
    hostile_ring_victims, hostile_stream_victims, hostile_triple_victims, hostile_pool_victims,
    hostile_pool_held_victims, hostile_bell_victims,
};

enum { MAIN_GROUPS = sizeof main_groups / sizeof *main_groups };

static int main_cases;

static bool main_case(const hostile_victim *victim, enum hostile_mode mode, uint64_t seed, uint64_t operations)
{
    static const char *const names[] = { "lies", "flips", "thread", "steps" };
    static world w;   /* large */
    hostile_number = ++main_cases;
    if (!hostile_open(&w, victim, mode, seed, operations)) {
        printf("ok %d - %s, %s # SKIP not on this machine\n", main_cases, victim->name, names[mode]);
        return true;
    }
    hostile_run(&w);
    bool some = w.successes * 100 > w.operations;   /* or nothing was tested */
    printf("%sok %d - %s, %s: %llu calls attacked, %llu did something\n", some ? "" : "not ", main_cases, victim->name,
           names[mode], (unsigned long long)w.operations, (unsigned long long)w.successes);
    fflush(stdout);
    hostile_close(&w);
    return some;
}

static void main_print_limits(void)
{
    printf("# %-40s %12s %10s %10s\n", "call", "times", "most seen", "allowed");
    for (uint32_t g = 0; g < MAIN_GROUPS; g++) {
        for (uint32_t i = 0; i < main_groups[g][0].limit_count; i++) {
            const hostile_limit *l = &main_groups[g][0].limits[i];
            printf("# %-40s %12llu %10u %5u + %u each\n", l->call, (unsigned long long)l->calls, l->most, l->steps,
                   l->each);
        }
    }
}

int main(int argc, char **argv)
{
    uint64_t operations = 100000, seed = 1;
    const char *only = "", *mode = "";
    bool good = true, limits = false;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--limits") == 0) limits = true;
        else if (strcmp(argv[i], "--operations") == 0) operations = strtoull(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--seed") == 0) seed = strtoull(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--only") == 0) only = value, i++;
        else if (strcmp(argv[i], "--mode") == 0) mode = value, i++;
        else return fprintf(stderr, "hostile: what is %s?\n", argv[i]), 2;
    }
    printf("# seed %llu, %llu operations a primitive and mode\n", (unsigned long long)seed,
           (unsigned long long)operations);
    static const char *const names[] = { "lies", "flips", "thread", "steps" };
    for (int m = HOSTILE_LIES; m <= HOSTILE_STEPS; m++) {
        if (!HOSTILE_WATCHED && m < HOSTILE_THREAD) continue;
        if (*mode ? strcmp(mode, names[m]) != 0 : m > (HOSTILE_WATCHED ? HOSTILE_FLIPS : HOSTILE_THREAD)) continue;
        for (uint32_t g = 0; g < MAIN_GROUPS; g++) {
            /* a call of a held pool looks at many words: fewer of them in the same time */
            uint64_t share = main_groups[g] == hostile_pool_held_victims ? operations / 8 : operations;
            uint32_t victims = 0;
            while (main_groups[g][victims].name) victims++;
            for (uint32_t v = 0; v < victims; v++)
                if (strncmp(main_groups[g][v].name, only, strlen(only)) == 0)
                    good = main_case(&main_groups[g][v], (enum hostile_mode)m, seed, share / victims + 1) && good;
        }
    }
    printf("1..%d\n", main_cases);
    if (limits) main_print_limits();
    if (main_cases == 0) return fprintf(stderr, "hostile: nothing of that name or mode\n"), 2;
    return good ? 0 : 1;
}
