/* SPDX-License-Identifier: MIT */
/*
 * field.c: a worker's part of the particle field, in wasm or anywhere else.
 *
 * What the page and its workers share is Tern's: the page's commands come through a ring, groups are
 * items of a pool and named by handles, frames go out through a triple buffer. The particles themselves
 * are private, in the arena of the worker. Nothing here is static: all instances of a module see the same
 * static memory.
 */
#include <tern/tern.h>

#include "field.h"

/* ---- A worker ------------------------------------------------------------------------- */

struct particle { float x, y, vx, vy; };

/* The home of a group goes round in a circle; turned by a rotation a step, without sine. */
struct block {
    tern_handle group;
    bool bound;              /* to a live group; else its particles drift */
    float x, y, radius;      /* of the circle */
    float c, s;              /* where on it */
    float turn;              /* radians a step */
    float mass, swirl;
    uint32_t colour;
};

struct field {
    tern_ring_consumer commands;
    tern_triple_writer frames;
    tern_pool groups;
    uint32_t count, per_block, random;
    uint32_t steps, applied, stale;
    float height;            /* of the field, whose width is 1 */
    float pointer_x, pointer_y, pointer_mass;
    struct block blocks[FIELD_BLOCKS];
    struct particle particles[];
};

static uint32_t next_random(struct field *field)
{
    uint32_t r = field->random;
    r ^= r << 13;
    r ^= r >> 17;
    r ^= r << 5;
    return field->random = r;
}

/* -1 to 1 */
static float noise(struct field *field)
{
    return (float)(int32_t)next_random(field) * (1.0f / 2147483648.0f);
}

static float home_x(const struct block *b) { return b->x + b->radius * b->c; }
static float home_y(const struct block *b) { return b->y + b->radius * b->s; }

/* A place near the home, on a circular path around it. */
static void launch(struct field *field, struct particle *p, const struct block *b)
{
    float dx = noise(field), dy = noise(field);
    float d2 = dx * dx + dy * dy;
    if (d2 > 1.0f || d2 < 0.001f) dx = 0.5f, dy = 0.1f, d2 = 0.26f;
    float reach = 0.04f + 0.2f * d2;
    p->x = home_x(b) + dx * reach;
    p->y = home_y(b) + dy * reach;
    float speed = b->swirl * __builtin_sqrtf(b->mass / (1.0f + 0.002f / (d2 * reach * reach)))
        / __builtin_sqrtf(d2);
    p->vx = -dy * speed;
    p->vy = dx * speed;
}

/* ---- Commands --------------------------------------------------------------------------- */

static struct block *block_of(struct field *field, tern_handle group)
{
    for (uint32_t i = 0; i < FIELD_BLOCKS; i++)
        if (field->blocks[i].bound && tern_handle_equal(field->blocks[i].group, group)) return &field->blocks[i];
    return NULL;
}

/* What the item says is the page's, so it is bounded: shared memory is input. */
static float bounded(float value, float least, float most)
{
    return value >= least ? value <= most ? value : most : least;   /* least if it is no number */
}

static bool adopt(struct field *field, tern_handle handle)
{
    struct field_group group;
    if (tern_pool_read(&field->groups, handle, &group, sizeof group) != TERN_OK) return false;
    struct block *b = &field->blocks[group.block % FIELD_BLOCKS];
    b->group = handle;
    b->bound = true;
    b->x = bounded(group.x, -1, 2);
    b->y = bounded(group.y, -1, 3);
    b->radius = bounded(group.radius, 0, 1);
    b->turn = bounded(group.turn, -0.1f, 0.1f);
    b->mass = bounded(group.mass, 0, 1);
    b->swirl = bounded(group.swirl, -2, 2);
    b->colour = group.colour;
    b->c = 1;
    b->s = 0;
    struct particle *p = &field->particles[(uint32_t)(b - field->blocks) * field->per_block];
    for (uint32_t i = 0; i < field->per_block; i++) launch(field, &p[i], b);
    return true;
}

static void obey(struct field *field, const struct field_command *command)
{
    bool known = true;
    struct block *b;
    switch (command->kind) {
    case FIELD_ADOPT:
        known = adopt(field, command->group);
        break;
    case FIELD_MOVE:   /* a handle that is stale finds no block, even if the block has a new group */
        b = block_of(field, command->group);
        known = b != NULL && tern_pool_get(&field->groups, command->group) != NULL;
        if (known) {
            b->x = bounded(command->x, -1, 2);
            b->y = bounded(command->y, -1, 3);
        }
        break;
    case FIELD_POINTER:
        field->pointer_x = bounded(command->x, -1, 2);
        field->pointer_y = bounded(command->y, -1, 3);
        field->pointer_mass = bounded(command->a, -1, 1);
        break;
    case FIELD_SHAPE:
        field->height = bounded(command->y, 0.2f, 3);
        break;
    default:
        break;
    }
    if (!known) field->stale++;
    field->applied = command->number;
}

/* ---- A step --------------------------------------------------------------------------------- */

static void move_homes(struct field *field)
{
    for (uint32_t i = 0; i < FIELD_BLOCKS; i++) {
        struct block *b = &field->blocks[i];
        /* freed by the page: from that moment the handle is refused */
        if (b->bound && tern_pool_get(&field->groups, b->group) == NULL) b->bound = false;
        float c = b->c - b->s * b->turn, s = b->s + b->c * b->turn;
        float length = __builtin_sqrtf(c * c + s * s);
        b->c = c / length;
        b->s = s / length;
    }
}

static void move_block(struct field *field, const struct block *b, struct particle *p, uint32_t count)
{
    const float dt = 1.0f / 60.0f, hx = home_x(b), hy = home_y(b), height = field->height;
    const float mass = b->bound ? b->mass : 0.0f, px = field->pointer_x, py = field->pointer_y;
    const float pull = field->pointer_mass, drag = b->bound ? 0.9995f : 0.997f;
    for (uint32_t i = 0; i < count; i++) {
        float x = p[i].x, y = p[i].y;
        float dx = hx - x, dy = hy - y, ex = px - x, ey = py - y;
        float f = mass / (dx * dx + dy * dy + 0.002f), g = pull / (ex * ex + ey * ey + 0.01f);
        float vx = (p[i].vx + (dx * f + ex * g) * dt) * drag, vy = (p[i].vy + (dy * f + ey * g) * dt) * drag;
        x += vx * dt;
        y += vy * dt;
        if (x < 0 || x > 1) vx = -vx, x = x < 0 ? 0 : 1;
        if (y < 0 || y > height) vy = -vy, y = y < 0 ? 0 : height;
        p[i].x = x;
        p[i].y = y;
        p[i].vx = vx;
        p[i].vy = vy;
    }
    /* some start again, so that a group keeps its form */
    if (b->bound)
        for (uint32_t n = count / 600; n > 0; n--) launch(field, &p[next_random(field) % count], b);
}

static void write_frame(struct field *field, double now_ms, float load)
{
    struct field_frame *frame = (struct field_frame *)tern_triple_back(&field->frames);
    if (!frame) return;
    uint32_t checksum = 0;
    const float ky = 65535.0f / field->height;
    for (uint32_t i = 0; i < field->count; i++) {
        const struct particle *p = &field->particles[i];
        uint32_t word = (uint32_t)(p->x * 65535.0f) | (uint32_t)(p->y * ky) << 16;
        frame->places[i] = word;
        checksum = checksum * 31 + word;
    }
    frame->checksum = checksum;
    frame->count = field->count;
    frame->steps = field->steps;
    frame->applied = field->applied;
    frame->stale = field->stale;
    frame->load = load;
    frame->published_ms = now_ms;
    for (uint32_t i = 0; i < FIELD_BLOCKS; i++)
        frame->colours[i] = field->blocks[i].bound ? field->blocks[i].colour : FIELD_DUST;
    tern_triple_publish(&field->frames);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

uint32_t field_size(uint32_t count)
{
    return (uint32_t)(sizeof(struct field) + count * sizeof(struct particle));
}

uint32_t field_frame_size(uint32_t count)
{
    return (uint32_t)(sizeof(struct field_frame) + count * sizeof(uint32_t));
}

int32_t field_start(struct field *field, uint32_t count, uint32_t seed, void *ring, void *triple, void *pool,
                    uint32_t end)
{
    __builtin_memset(field, 0, field_size(count));
    tern_status status = tern_ring_attach_consumer(&field->commands, ring, end - (uint32_t)(uintptr_t)ring);
    if (status == TERN_OK)
        status = tern_triple_attach_writer(&field->frames, triple, end - (uint32_t)(uintptr_t)triple);
    if (status == TERN_OK) status = tern_pool_attach(&field->groups, pool, end - (uint32_t)(uintptr_t)pool);
    if (status != TERN_OK) return status;
    if (field->commands.item_size_bytes != sizeof(struct field_command)
        || field->groups.item_size_bytes != sizeof(struct field_group)
        || field->frames.buffer_size_bytes != field_frame_size(count))
        return TERN_ERR_MISMATCH;
    field->count = count;
    field->per_block = count / FIELD_BLOCKS;
    field->random = seed * 2654435761u | 1;
    field->height = 1;
    for (uint32_t i = 0; i < FIELD_BLOCKS; i++) field->blocks[i].c = 1;
    for (uint32_t i = 0; i < count; i++) {
        field->particles[i].x = 0.5f + 0.5f * noise(field);
        field->particles[i].y = 0.5f + 0.5f * noise(field);
    }
    return TERN_OK;
}

void field_obey(struct field *field)
{
    struct field_command command;
    for (uint32_t most = FIELD_MOST_COMMANDS; most > 0 && tern_ring_pop(&field->commands, &command); most--)
        obey(field, &command);
}

void field_step(struct field *field, double now_ms, float load)
{
    move_homes(field);
    for (uint32_t i = 0; i < FIELD_BLOCKS; i++)
        move_block(field, &field->blocks[i], &field->particles[i * field->per_block], field->per_block);
    field->steps++;
    write_frame(field, now_ms, load);
}

int32_t field_wait(struct field *field, double timeout_ms)
{
    return tern_ring_consumer_wait(&field->commands, (uint64_t)(timeout_ms * 1e6));
}
