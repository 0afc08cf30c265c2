/* SPDX-License-Identifier: MIT */
/* simulate.c: a swing, computed by a native process. Frames go to Node through a triple buffer, commands come from it
 * through a ring; watch.mjs is the other side.
 *
 *   simulate & node watch.mjs
 */
#include <math.h>
#include <stdio.h>
#include <time.h>
#include <tern/tern.h>

enum { COMMAND_PUSH = 1, COMMAND_STOP = 2 };
typedef struct { double step, angle, speed, energy; } frame;
typedef struct { double what, value; } command;

static const char name[] = "example-swing";

static void rest(long microseconds)
{
    struct timespec time = { 0, microseconds * 1000 };
    nanosleep(&time, NULL);
}

/* What Node asked for since the last step. False: to stop, or Node is gone. */
static bool obey(tern_ring_consumer *commands, frame *now)
{
    command asked;
    while (tern_ring_pop(commands, &asked)) {
        if (asked.what == COMMAND_STOP) return false;
        if (asked.what == COMMAND_PUSH) now->speed += asked.value;
        printf("simulate: pushed by %g at step %.0f\n", asked.value, now->step);
    }
    /* a wait of no time: it also tells of a producer that died */
    tern_status status = tern_ring_consumer_wait(commands, 0);
    return status == TERN_OK || status == TERN_ERR_TIMEOUT;
}

static void advance(frame *now, double seconds)
{
    now->step += 1;
    now->speed -= 9.81 * sin(now->angle) * seconds;
    now->angle += now->speed * seconds;
    now->energy = now->speed * now->speed / 2 + 9.81 * (1 - cos(now->angle));
}

int main(void)
{
    const tern_triple_desc frames = { sizeof(frame) };
    const tern_ring_desc ring = { sizeof(command), 64, TERN_RING_WAITABLE };
    tern_region region;
    tern_triple_writer w;
    tern_ring_consumer commands;
    frame now = { 0, 0.1, 0, 0 };
    tern_shm_unlink(name);                          /* of a run that was killed */
    tern_status status = tern_shm_create(&region, name, 1 << 20, NULL);
    if (status == TERN_OK) status = tern_ring_open_consumer(&commands, &region, "commands", &ring);
    if (status == TERN_OK) status = tern_triple_open_writer(&w, &region, "frames", &frames);
    if (status != TERN_OK) {
        fprintf(stderr, "simulate: %s\n", tern_status_text(status));
        return 1;
    }
    while (obey(&commands, &now)) {
        advance(&now, 0.001);
        *(frame *)tern_triple_back(&w) = now;
        tern_triple_publish(&w);                    /* never waits, however slow Node is */
        rest(500);
    }
    tern_triple_close_writer(&w);
    tern_shm_unlink(name);
    printf("simulate: %.0f steps\n", now.step);
    tern_shm_close(&region);
    return 0;
}
