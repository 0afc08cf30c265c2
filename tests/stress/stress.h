/* SPDX-License-Identifier: MIT */
/* stress.h: what the stress tests share: random numbers from a printed seed, how often a thread
 * slept, and two sides that run at once, in threads or in processes. */
#ifndef TERN_STRESS_H
#define TERN_STRESS_H

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tern/tern.h>

/* xorshift64*; the state is not 0. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

static inline uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 33;
}

/* The seed of the command line, or a new one; printed, so that a failure can be repeated. */
static inline uint64_t stress_seed(const char *given)
{
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) ^ (uint64_t)getpid() << 20;
    printf("# seed %llu, wait back end %s\n", (unsigned long long)seed, tern_wait_backend());
    return seed;
}

/* Now and then give the processor away, or lose a little time. */
static inline void pause_a_little(uint64_t *random)
{
    uint64_t r = next_random(random);
    if (r % 4096 == 0) sched_yield();
    else if (r % 64 == 0) for (uint64_t i = 0; i < (r >> 32) % 64; i++) tern_cpu_relax();
}

/* How often this thread really slept: voluntary context switches, as the kernel counts them. */
static inline uint64_t sleeps_so_far(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (uint64_t)usage.ru_nvcsw;
}

/* ---- Two sides at once -------------------------------------------------------------------- */

/* Whether they ever are: one processor runs them by turns. */
static inline bool stress_at_once(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 1;
}

/* What a side does, with its argument, which also takes its results. */
typedef struct stress_side {
    void (*run)(void *argument);
    void *argument;
    size_t argument_bytes;
    bool first;
} stress_side;

/* Half of the processors for one side and half for the other: the scheduler likes to put two
 * threads that wake each other on one of them, where they never run at the same time. */
static inline void stress_run_apart(const stress_side *side)
{
    cpu_set_t before, half;
    int seen = 0, all;
    bool known = sched_getaffinity(0, sizeof before, &before) == 0;
    all = known ? CPU_COUNT(&before) : 0;
    CPU_ZERO(&half);
    for (size_t i = 0; i < CPU_SETSIZE && all > 1; i++)
        if (CPU_ISSET(i, &before) && (seen++ < all / 2) == side->first) CPU_SET(i, &half);
    if (all > 1) sched_setaffinity(0, sizeof half, &half);
    side->run(side->argument);
    if (known) sched_setaffinity(0, sizeof before, &before);
}

static void *stress_thread(void *argument)
{
    stress_run_apart((const stress_side *)argument);
    return NULL;
}

/* Run one side here and the other in a thread, or in a process whose argument's bytes come back.
 * @return whether both ran to their end */
static inline bool stress_both(bool processes, stress_side there, stress_side here)
{
    there.first = true;
    here.first = false;
    if (!processes) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, stress_thread, &there) != 0) return false;
        stress_run_apart(&here);
        return pthread_join(thread, NULL) == 0;
    }
    int ends[2], status = 1;
    if (pipe(ends) != 0) return false;
    pid_t child = fork();
    if (child == 0) {
        stress_run_apart(&there);
        _exit(write(ends[1], there.argument, there.argument_bytes) != (ssize_t)there.argument_bytes);
    }
    close(ends[1]);   /* a child that dies ends the read */
    stress_run_apart(&here);
    bool whole = read(ends[0], there.argument, there.argument_bytes) == (ssize_t)there.argument_bytes;
    close(ends[0]);
    return waitpid(child, &status, 0) == child && status == 0 && whole;
}

/* ---- TAP ------------------------------------------------------------------------------------ */

/* One line of result; text continues it. */
#define stress_report(ok, number, ...) \
    (printf("%sok %d - ", (ok) ? "" : "not ", (number)), printf(__VA_ARGS__), printf("\n"), fflush(stdout))

/* A region that the children of this process have at the same place: of tern_shm_create() they have nothing. */
static inline bool stress_create(tern_region *region, size_t size_bytes)
{
    void *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return false;
    return tern_region_format(memory, size_bytes, NULL) == TERN_OK
        && tern_region_attach(region, memory, size_bytes, NULL) == TERN_OK;
}

static inline void stress_close(tern_region *region)
{
    void *memory = region->shared;
    size_t size_bytes = (size_t)region->size_bytes;
    tern_region_detach(region);
    munmap(memory, size_bytes);
}

#endif
