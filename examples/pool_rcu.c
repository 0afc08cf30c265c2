/* SPDX-License-Identifier: MIT */
/* pool_rcu.c: a renderer reads entities without locks or pins while a simulation replaces them.
 * Each entity's two halves must agree: a slot that was reused under the reader's eyes would show. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <tern/rcu.h>
#include <tern/tern.h>

enum { ENTITIES = 8, ROUNDS = 100000 };

typedef struct { uint64_t left, right; } entity;

static tern_pool pool;
static tern_a64 scene[ENTITIES];   /* packed handles */
static tern_a32 over;

static void put(uint32_t place, uint64_t value, const tern_rcu_thread *thread)
{
    tern_handle handle;
    void *item;
    while (tern_pool_alloc(&pool, &handle, &item) == TERN_ERR_FULL) {   /* all others are on their way back */
        tern_rcu_quiescent(thread);
        sched_yield();
    }
    *(entity *)item = (entity){ value, ~value };
    tern_a64_store_release(&scene[place], tern_handle_pack(handle), EXAMPLE);
}

static void *render(void *argument)
{
    uint64_t *drawn = argument;
    tern_rcu_thread thread;
    if (tern_rcu_register(&thread, TERN_RCU_QSBR) != TERN_OK) abort();
    while (!tern_a32_load_relaxed(&over)) {
        tern_rcu_read_lock(&thread);
        for (uint32_t i = 0; i < ENTITIES; i++) {
            const entity *e = tern_pool_get(&pool, tern_handle_unpack(tern_a64_load_acquire(&scene[i], EXAMPLE)));
            if (!e) continue;                                           /* replaced a moment ago */
            if (e->left != ~e->right) abort();
            ++*drawn;
        }
        tern_rcu_read_unlock(&thread);
        tern_rcu_quiescent(&thread);                                    /* the end of a tick */
    }
    tern_rcu_unregister(&thread);
    return NULL;
}

int main(void)
{
    tern_pool_desc desc = { sizeof(entity), 1024 };
    size_t size = tern_pool_size(&desc);
    void *memory = aligned_alloc(128, (size + 127) / 128 * 128);
    tern_rcu rcu;
    tern_rcu_thread thread;
    pthread_t renderer;
    uint64_t drawn = 0;
    if (!memory || tern_pool_format(memory, size, &desc) != TERN_OK || tern_pool_attach(&pool, memory, size) != TERN_OK
        || tern_rcu_attach(&rcu, &pool, TERN_RCU_QSBR) != TERN_OK
        || tern_rcu_register(&thread, TERN_RCU_QSBR) != TERN_OK)
        return 1;
    for (uint32_t i = 0; i < ENTITIES; i++) put(i, i, &thread);
    if (pthread_create(&renderer, NULL, render, &drawn) != 0) return 1;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        tern_handle old = tern_handle_unpack(tern_a64_load_relaxed(&scene[round % ENTITIES]));
        put((uint32_t)(round % ENTITIES), round, &thread);
        if (tern_pool_free_rcu(&pool, old) != TERN_DEFERRED) return 1;
        tern_rcu_quiescent(&thread);
    }
    tern_a32_store_relaxed(&over, 1);
    tern_rcu_offline(&thread);                                          /* we block outside Tern */
    pthread_join(renderer, NULL);
    tern_rcu_online(&thread);
    if (tern_rcu_detach_wait(&rcu, &thread) != TERN_OK) return 1;
    tern_rcu_unregister(&thread);
    printf("replaced %d entities, drew %llu, %u live at the end\n", ROUNDS, (unsigned long long)drawn,
           tern_pool_was_live(&pool));
    bool right = tern_pool_was_live(&pool) == ENTITIES;
    tern_pool_detach(&pool);
    free(memory);
    return right ? 0 : 1;
}
