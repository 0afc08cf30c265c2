/* SPDX-License-Identifier: MIT */
/* triple_frames.c: a simulation and a renderer, two processes, the newest scene in a named region.
 * The simulation never waits; the renderer draws what is newest, and knows what it missed.
 *
 *   triple_frames simulate & triple_frames render
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <tern/tern.h>

enum { BODIES = 1000, STEPS = 2000 };
typedef struct { uint64_t step; struct { double x, y; } body[BODIES]; } scene;

static void rest(long microseconds)
{
    struct timespec time = { 0, microseconds * 1000 };
    nanosleep(&time, NULL);
}

/* Whoever comes first makes the region; the other one opens it. */
static tern_status join(tern_region *region)
{
    tern_status status;
    do {
        status = tern_shm_create(region, "example-frames", 1 << 20, NULL);
        if (status == TERN_ERR_EXISTS) status = tern_shm_open(region, "example-frames", NULL);
    } while (status == TERN_ERR_NOT_FOUND);       /* removed in between: once more */
    return status;
}

static int simulate(tern_region *region, const tern_triple_desc *desc)
{
    tern_triple_writer w;
    tern_status status;
    uint64_t unseen = 0;
    do status = tern_triple_open_writer(&w, region, "scene", desc);
    while (status == TERN_ERR_NOT_READY);         /* the renderer is making it just now */
    if (status != TERN_OK) return 1;
    for (uint64_t step = 1; step <= STEPS; step++) {
        scene *next = tern_triple_back(&w);       /* an older scene: all of it is written */
        next->step = step;
        for (int i = 0; i < BODIES; i++) next->body[i].x = next->body[i].y = (double)step * i;
        unseen += tern_triple_publish(&w);
        rest(20);
    }
    tern_triple_close_writer(&w);
    printf("simulated %d steps, %llu of them replaced unseen\n", STEPS, (unsigned long long)unseen);
    return tern_triple_writer_status(&w) == TERN_OK ? 0 : 1;
}

/* Draw: here, look whether the scene is one moment of the simulation. */
static int draw(const scene *now, uint64_t frame)
{
    for (int i = 0; i < BODIES; i++)
        if (now->body[i].x != (double)now->step * i || now->body[i].y != now->body[i].x) return 1;
    return now->step != frame;
}

static int render(tern_region *region, const tern_triple_desc *desc)
{
    tern_triple_reader r;
    tern_status status;
    uint64_t drawn = 0, torn = 0;
    do status = tern_triple_open_reader(&r, region, "scene", desc);
    while (status == TERN_ERR_NOT_READY);
    if (status != TERN_OK) return 1;
    while ((status = tern_triple_wait(&r, TERN_WAIT_FOREVER)) == TERN_OK) {
        if (!tern_triple_update(&r)) continue;
        torn += (uint64_t)draw(tern_triple_front(&r), tern_triple_frame(&r));
        drawn++;
        rest(1000);                               /* a display is slower than a simulation */
    }
    tern_shm_unlink("example-frames");
    printf("drew %llu scenes, missed %llu, the last is %llu, %llu torn\n", (unsigned long long)drawn,
           (unsigned long long)tern_triple_dropped(&r), (unsigned long long)tern_triple_frame(&r),
           (unsigned long long)torn);
    return status == TERN_ERR_CLOSED && torn == 0 && drawn + tern_triple_dropped(&r) == STEPS ? 0 : 1;
}

int main(int argc, char **argv)
{
    tern_region region;
    const tern_triple_desc desc = { sizeof(scene) };
    if (argc != 2) {
        fprintf(stderr, "usage: triple_frames simulate|render\n");
        return 2;
    }
    tern_status status = join(&region);
    if (status != TERN_OK) {
        fprintf(stderr, "triple_frames: %s\n", tern_status_text(status));
        return 1;
    }
    int result = strcmp(argv[1], "simulate") == 0 ? simulate(&region, &desc) : render(&region, &desc);
    tern_shm_close(&region);
    return result;
}
