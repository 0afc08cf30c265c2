/* SPDX-License-Identifier: MIT */
/* pool_handles.c: a table of entities that two threads share. One makes and removes entities and
 * passes their handles on; the other uses whatever is still there. A handle of something that
 * is gone is refused, though its slot may long hold something else. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <tern/tern.h>

typedef struct { uint64_t name; float x, y; } entity;
TERN_RING_DEFINE(handle_ring, tern_handle)

enum { ENTITIES = 50000, CAPACITY = 16, KEPT = 8 };

static tern_pool pool;                            /* does not change after attach: threads share it */
static tern_ring_producer to_user;
static tern_ring_consumer from_maker;

static void *make_and_remove(void *unused)
{
    tern_handle kept[KEPT] = { { 0, 0 } };
    (void)unused;
    for (uint64_t i = 0; i < ENTITIES; i++) {
        tern_handle h;
        void *item;
        tern_pool_free(&pool, kept[i % KEPT]);    /* null at first: refused; pinned: the last unpin frees */
        while (tern_pool_alloc(&pool, &h, &item) != TERN_OK) tern_cpu_relax();
        *(entity *)item = (entity){ i, (float)i, -(float)i };
        kept[i % KEPT] = h;
        handle_ring_push_wait(&to_user, &h, TERN_WAIT_FOREVER);     /* publishes the entity as well */
    }
    for (int i = 0; i < KEPT; i++) tern_pool_free(&pool, kept[i]);
    tern_ring_close_producer(&to_user);
    return NULL;
}

static void *place(size_t size)
{
    return aligned_alloc(TERN_ALIGNMENT, (size + 63) / 64 * 64);
}

int main(void)
{
    tern_pool_desc desc = { sizeof(entity), CAPACITY };
    tern_ring_desc ring = handle_ring_desc(64, TERN_RING_WAITABLE);
    size_t pool_size = tern_pool_size(&desc), ring_size = tern_ring_size(&ring);
    void *pool_memory = place(pool_size), *ring_memory = place(ring_size);
    if (!pool_memory || tern_pool_format(pool_memory, pool_size, &desc) != TERN_OK
        || !ring_memory || tern_ring_format(ring_memory, ring_size, &ring) != TERN_OK
        || tern_pool_attach(&pool, pool_memory, pool_size) != TERN_OK
        || handle_ring_attach_producer(&to_user, ring_memory, ring_size) != TERN_OK
        || handle_ring_attach_consumer(&from_maker, ring_memory, ring_size) != TERN_OK) return 1;

    pthread_t thread;
    uint64_t used = 0, gone = 0, wrong = 0;
    tern_handle h;
    pthread_create(&thread, NULL, make_and_remove, NULL);
    for (uint64_t i = 0; handle_ring_pop_wait(&from_maker, &h, TERN_WAIT_FOREVER) == TERN_OK; i++) {
        const entity *e = tern_pool_pin(&pool, h);
        if (!e) {
            gone++;
            continue;
        }
        if (e->name != i || e->x != (float)i || e->y != -(float)i) wrong++;
        tern_pool_unpin(&pool, h);
        used++;
    }
    pthread_join(thread, NULL);
    entity last;
    bool refused = tern_pool_read(&pool, h, &last, sizeof last) == TERN_ERR_STALE;
    printf("%llu entities: %llu used, %llu gone before, %llu wrong; the last one is %s\n",
           (unsigned long long)ENTITIES, (unsigned long long)used, (unsigned long long)gone,
           (unsigned long long)wrong, refused ? "stale" : "NOT STALE");
    bool fine = used + gone == ENTITIES && wrong == 0 && refused && tern_pool_was_live(&pool) == 0;
    free(pool_memory);
    free(ring_memory);
    return fine ? 0 : 1;
}
