/* SPDX-License-Identifier: MIT */
/* field.h: what the page and its workers tell each other; wasm/demo/field.mjs has the same numbers. */
#ifndef FIELD_H
#define FIELD_H

#include <tern/handle.h>

enum { FIELD_BLOCKS = 4 };                    /* groups that a worker can have */
enum { FIELD_MOST_COMMANDS = 1024 };          /* that are obeyed before the next step */
enum { FIELD_ADOPT = 1, FIELD_MOVE = 2, FIELD_POINTER = 3, FIELD_SHAPE = 4 };
enum { FIELD_DUST = 255 };                     /* colour of particles whose group is gone */

/* An item of the ring of commands: 32 bytes. */
struct field_command {
    uint32_t kind;
    uint32_t number;      /* comes back in the frames, as `applied` */
    tern_handle group;
    float x, y, a, b;
};

/* An item of the pool: what a group looks like. Written before its handle is sent. */
struct field_group {
    uint32_t block;
    uint32_t colour;      /* a number; the page knows what it looks like */
    float x, y, radius;   /* the circle that its home goes round in, in widths of the field */
    float turn;           /* radians a step */
    float mass, swirl;
};

/* A frame of the triple buffer. */
struct field_frame {
    uint32_t checksum;    /* of the places: times 31 plus the next word */
    uint32_t count;
    uint32_t steps;
    uint32_t applied;     /* number of the last command that was obeyed */
    uint32_t stale;       /* commands that named a group that is gone */
    float load;           /* of the worker, 0 to 1 */
    double published_ms;  /* on the page's clock */
    uint32_t colours[FIELD_BLOCKS];
    uint32_t pad[4];
    uint32_t places[];    /* x and y, 16 bits each; a quarter of them a block */
};

/* ---- What the worker's script calls ---- */

struct field;

#if defined(__wasm__)
#  define FIELD_EXPORT(name) __attribute__((export_name(#name)))
#else
#  define FIELD_EXPORT(name)
#endif

/* Bytes of the arena that a field of so many particles takes. */
FIELD_EXPORT(field_size) uint32_t field_size(uint32_t count);

/* Bytes of a frame of so many particles. */
FIELD_EXPORT(field_frame_size) uint32_t field_frame_size(uint32_t count);

/* Attach to what the page made, in a memory of `end` bytes. Answers a tern_status. */
FIELD_EXPORT(field_start) int32_t field_start(struct field *field, uint32_t count, uint32_t seed, void *ring,
                                              void *triple, void *pool, uint32_t end);

/* Obey what the page has sent. */
FIELD_EXPORT(field_obey) void field_obey(struct field *field);

/* Move all particles by a sixtieth of a second, and publish a frame. now_ms: on the page's clock. */
FIELD_EXPORT(field_step) void field_step(struct field *field, double now_ms, float load);

/* Sleep until a command comes or the time has passed; answers a tern_status: in a single build UNSUPPORTED, at once. */
FIELD_EXPORT(field_wait) int32_t field_wait(struct field *field, double timeout_ms);

#endif
