/* SPDX-License-Identifier: MIT */
/* consumer_rcu.c: as consumer.c, for libtern_rcu: a slot goes and comes back. */
#include <stdio.h>
#include <stdlib.h>

#include <tern/rcu.h>
#include <tern/tern.h>

int main(void)
{
    tern_pool pool;
    tern_rcu rcu;
    tern_rcu_thread thread;
    tern_handle handle;
    void *item;
    tern_pool_desc desc = { 8, 1 };
    size_t size = tern_pool_size(&desc);
    void *memory = aligned_alloc(128, (size + 127) / 128 * 128);

    if (!memory || tern_pool_format(memory, size, &desc) != TERN_OK) return 1;
    if (tern_pool_attach(&pool, memory, size) != TERN_OK) return 2;
    if (tern_rcu_register(&thread, TERN_RCU_MEMB) != TERN_OK) return 3;
    if (tern_rcu_attach(&rcu, &pool, TERN_RCU_MEMB) != TERN_OK) return 4;
    if (tern_pool_alloc(&pool, &handle, &item) != TERN_OK) return 5;
    if (tern_pool_free_rcu(&pool, handle) != TERN_DEFERRED || tern_pool_get(&pool, handle)) return 6;
    if (tern_rcu_detach_wait(&rcu, &thread) != TERN_OK) return 7;
    if (tern_pool_was_live(&pool) != 0) return 8;
    tern_rcu_unregister(&thread);
    free(memory);
    printf("tern %s got 42\n", TERN_VERSION_STRING);
    return 0;
}
