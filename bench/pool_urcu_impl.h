/* SPDX-License-Identifier: MIT */
/* pool_urcu_impl.h: the loops, for the flavour that the including file chose by its header. */
#include "pool_urcu.h"

#include <stdlib.h>
#include <string.h>

#define NAME_JOIN(flavour, what) pool_urcu_##flavour##_##what
#define NAME_OF(flavour, what) NAME_JOIN(flavour, what)
#define NAME(what) NAME_OF(FLAVOUR, what)

struct node {
    struct rcu_head head;
    unsigned char bytes[];
};

static void free_node(struct rcu_head *head)
{
    free(caa_container_of(head, struct node, head));
}

void NAME(prepare)(void)
{
    if (!get_default_call_rcu_data()) abort();
}

void NAME(enter)(void)
{
    rcu_register_thread();
}

void NAME(leave)(void)
{
    rcu_barrier();
    rcu_unregister_thread();
}

uint64_t NAME(sections)(uint64_t *const *pointer, uint64_t count)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        rcu_read_lock();
        sum += *rcu_dereference(*pointer);
        rcu_read_unlock();
    }
    QUIESCENT();
    return sum;
}

void NAME(reads)(unsigned char *const *pointer, unsigned char *out, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        rcu_read_lock();
        memcpy(out, rcu_dereference(*pointer), 64);
        rcu_read_unlock();
        __asm__ __volatile__("" : : "r"(out) : "memory");
    }
    QUIESCENT();
}

void NAME(alloc_and_free)(size_t size_bytes, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct node *n = malloc(sizeof *n + size_bytes);
        if (!n) abort();
        n->bytes[0] = (unsigned char)i;
        call_rcu(&n->head, free_node);
        if (i % 64 == 0) QUIESCENT();
    }
    QUIESCENT();
}
