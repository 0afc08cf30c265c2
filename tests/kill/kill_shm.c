/* SPDX-License-Identifier: MIT */
/* kill_shm.c: whoever makes, opens or removes a named region, really killed after each system call and each change
 * of the region's bytes that others can see. A name stands for a whole region or is not there.
 *
 *   kill_shm [--only TEXT] */
#include "kill.h"

#include <signal.h>
#include <sys/prctl.h>

enum { MEMORY_BYTES = 16384 };

static char name[64];
static const tern_region_desc desc = { .max_objects = 4, .max_peers = 6 };

static struct {
    tern_region region;
} w;

/* ---- Before the operation ------------------------------------------------------------------------- */

/* Nobody can see the bytes of a file that has no name yet: only the system calls count. */
static void no_region(void)
{
    kill_watch(kill_memory, 0);
}

static void region_of_survivor(void)
{
    if (tern_shm_create(&w.region, name, MEMORY_BYTES, &desc) != TERN_OK) abort();
    kill_watch((unsigned char *)w.region.shared, MEMORY_BYTES);
}

static void clean_up(void)
{
    tern_shm_close(&w.region);
    (void)tern_shm_unlink(name);
}

static void create(void) { tern_region mine; (void)tern_shm_create(&mine, name, MEMORY_BYTES, &desc); }
static void open_by_name(void) { tern_region mine; (void)tern_shm_open(&mine, name, NULL); }
static void unlink_name(void) { (void)tern_shm_unlink(name); }

/* ---- Who is left ------------------------------------------------------------------------------------- */

/* A whole region: a ring goes in, and its item comes out of another attachment. */
static bool region_works(void)
{
    tern_region one, two;
    tern_ring_producer p;
    tern_ring_consumer c;
    uint64_t in = 5, out = 0;
    const tern_ring_desc ring = { sizeof in, 4, 0 };
    KILL_TRUE(tern_shm_open(&one, name, NULL) == TERN_OK && tern_shm_open(&two, name, NULL) == TERN_OK);
    KILL_TRUE(tern_ring_open_producer(&p, &one, "it", &ring) == TERN_OK && tern_ring_push(&p, &in));
    KILL_TRUE(tern_ring_open_consumer(&c, &two, "it", &ring) == TERN_OK && tern_ring_pop(&c, &out) && out == in);
    tern_ring_detach_producer(&p);
    tern_ring_detach_consumer(&c);
    tern_shm_close(&one);
    tern_shm_close(&two);
    return true;
}

/* Only the live are in the table. */
static bool nobody_is_left(const tern_region *region)
{
    uint32_t cursor = 0, count = 0;
    tern_peer_info info;
    for (; tern_peer_next(region, &cursor, &info); count++) KILL_TRUE(info.is_alive);
    KILL_TRUE(count == 1);
    return true;
}

static int after_creator(void)
{
    tern_region again;
    tern_status status = tern_shm_create(&again, name, MEMORY_BYTES, &desc);
    KILL_MUST(status == TERN_OK || status == TERN_ERR_EXISTS);
    if (status == TERN_OK) tern_shm_close(&again);
    KILL_MUST(region_works());
    KILL_MUST(tern_shm_open(&again, name, NULL) == TERN_OK && nobody_is_left(&again));
    tern_shm_close(&again);
    return status == TERN_ERR_EXISTS;
}

/* Effect: 1 if the name is there, and then it is a whole region. Looked at by another process, and the first of all
 * cases: what a process does only once (to look after forks, say) stays undone in this one. So each victim does it
 * too, is killed inside it, and comes to the same points as the one before. */
static int creator_died(int order)
{
    int status;
    (void)order;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int effect = after_creator();
        fflush(stdout);
        _exit(effect == KILL_WRONG ? 255 : effect);
    }
    KILL_MUST(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) <= 1);
    return WEXITSTATUS(status);
}

/* Effect: 1 when a peer was there. */
static int opener_died(int order)
{
    (void)order;
    uint32_t cursor = 0;
    tern_peer_info info;
    tern_recovery report;
    bool joined = false;
    while (tern_peer_next(&w.region, &cursor, &info)) joined = joined || info.peer != w.region.peer;
    KILL_MUST(tern_peer_recover(&w.region, &report) == TERN_OK && report.peers == joined);
    KILL_MUST(nobody_is_left(&w.region) && region_works());
    return joined;
}

/* Effect: 1 if the name is gone. Who has the region open keeps it. */
static int unlinker_died(int order)
{
    (void)order;
    tern_region again;
    tern_status status = tern_shm_open(&again, name, NULL);
    KILL_MUST(status == TERN_OK || status == TERN_ERR_NOT_FOUND);
    if (status == TERN_OK) {
        tern_shm_close(&again);
        KILL_MUST(region_works());
    }
    KILL_MUST(nobody_is_left(&w.region));
    KILL_MUST(tern_shm_unlink(name) == status);
    return status == TERN_ERR_NOT_FOUND;
}

static const kill_case all[] = {
    KILL_REAL("tern_shm_create", no_region, NULL, create, creator_died, clean_up, 1),
    KILL_REAL("tern_shm_open", region_of_survivor, NULL, open_by_name, opener_died, clean_up, 1),
    KILL_REAL("tern_shm_unlink", region_of_survivor, NULL, unlink_name, unlinker_died, clean_up, 1),
};

int main(int argc, char **argv)
{
    snprintf(name, sizeof name, "kill-shm-%d", (int)getpid());
    kill_begin(argc, argv, MEMORY_BYTES, &w, sizeof w);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) kill_run("shm", &all[i]);
    return kill_end();
}
