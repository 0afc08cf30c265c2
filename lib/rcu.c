/* SPDX-License-Identifier: MIT */
/* rcu.c: hands a pool's slots back after a grace period of liburcu. Optional: empty without
 * TERN_WITH_RCU.
 *
 * A slot under a grace period is condemned: its generation is over, and one pin is left on it.
 * When the grace period has ended, that pin is taken off, and the last unpin reclaims the slot as
 * ever. So this file adds no word to shared memory and no order to the pool. */
#include "internal.h"
#include "../include/tern/rcu.h"

#if defined(TERN_WITH_RCU)

#include <stdlib.h>
#include <urcu/call-rcu.h>

TERN_EXTERN_C_BEGIN

/* Both flavours in one file: liburcu's headers declare only one of them at a time. */
void urcu_memb_register_thread(void);
void urcu_memb_unregister_thread(void);
void urcu_memb_call_rcu(struct rcu_head *head, void (*function)(struct rcu_head *head));
void urcu_memb_barrier(void);
void urcu_qsbr_register_thread(void);
void urcu_qsbr_unregister_thread(void);
void urcu_qsbr_call_rcu(struct rcu_head *head, void (*function)(struct rcu_head *head));
void urcu_qsbr_barrier(void);

TERN_EXTERN_C_END

struct tern__rcu_flavour {
    void (*register_thread)(void);
    void (*unregister_thread)(void);
    void (*call)(struct rcu_head *head, void (*function)(struct rcu_head *head));
    void (*barrier)(void);
};

static const struct tern__rcu_flavour rcu_qsbr = {
    urcu_qsbr_register_thread, urcu_qsbr_unregister_thread, urcu_qsbr_call_rcu, urcu_qsbr_barrier,
};
static const struct tern__rcu_flavour rcu_memb = {
    urcu_memb_register_thread, urcu_memb_unregister_thread, urcu_memb_call_rcu, urcu_memb_barrier,
};

/* What a slot on its way back needs. A slot is condemned at most once at a time, so one a slot is
 * enough and nothing is allocated later. */
struct tern__rcu_slot {
    struct rcu_head head;
    tern_rcu *rcu;
    tern_handle handle;
};

static const struct tern__rcu_flavour *rcu_flavour(uint32_t flavour)
{
    if (flavour == TERN_RCU_QSBR) return &rcu_qsbr;
    return flavour == TERN_RCU_MEMB ? &rcu_memb : NULL;
}

/* ---- A pool ------------------------------------------------------------------------------- */

tern_status tern_rcu_attach(tern_rcu *rcu, tern_pool *pool, uint32_t flavour)
{
    tern__memset(rcu, 0, sizeof *rcu);
    if (!rcu_flavour(flavour) || !pool || !pool->shared) return TERN_ERR_ARGUMENT;
    if (pool->rcu) return TERN_ERR_STATE;
    struct tern__rcu_slot *made = (struct tern__rcu_slot *)calloc(pool->slots, sizeof *made);
    if (!made) return TERN_ERR_NO_SPACE;
    rcu->flavour = flavour;
    rcu->calls = rcu_flavour(flavour);
    rcu->pool = *pool;
    rcu->slots = made;
    for (uint32_t i = 0; i < pool->slots; i++) made[i].rcu = rcu;
    pool->rcu = rcu;
    rcu->attached_to = pool;
    return TERN_OK;
}

/* In liburcu's own thread: nobody can have the slot from a read section any more. */
static void rcu_grace_period_over(struct rcu_head *head)
{
    struct tern__rcu_slot *slot = (struct tern__rcu_slot *)(void *)head;
    tern_pool_unpin(&slot->rcu->pool, slot->handle);
}

tern_status tern_pool_free_rcu(tern_pool *pool, tern_handle handle)
{
    tern_rcu *rcu = pool->rcu;
    if (!rcu) return TERN_ERR_UNSUPPORTED;
    tern_status status = tern__pool_condemn(pool, handle);
    if (status != TERN_DEFERRED) return status;
    /* ours alone until the callback unpins it */
    struct tern__rcu_slot *slot = &rcu->slots[handle.index];
    slot->handle = handle;
    rcu->calls->call(&slot->head, rcu_grace_period_over);
    return TERN_DEFERRED;
}

#if !defined(TERN_NONBLOCKING)
tern_status tern_rcu_drain_wait(tern_rcu *rcu, const tern_rcu_thread *thread)
{
    if (!rcu->slots) return TERN_ERR_STATE;
    bool online = thread && thread->flavour == TERN_RCU_QSBR;
    if (online) urcu_qsbr_thread_offline();
    rcu->calls->barrier();
    if (online) urcu_qsbr_thread_online();
    return TERN_OK;
}

tern_status tern_rcu_detach_wait(tern_rcu *rcu, const tern_rcu_thread *thread)
{
    tern_status status = tern_rcu_drain_wait(rcu, thread);
    if (status != TERN_OK) return status;
    rcu->attached_to->rcu = NULL;
    free(rcu->slots);
    tern__memset(rcu, 0, sizeof *rcu);
    return TERN_OK;
}
#endif

/* ---- A thread ------------------------------------------------------------------------------- */

/* Around each sleep of a registered QSBR thread. */
static void rcu_around_sleep(bool asleep)
{
    if (asleep) urcu_qsbr_thread_offline();
    else urcu_qsbr_thread_online();
}

static TERN__THREAD_LOCAL bool rcu_registered[TERN_RCU_MEMB + 1];

tern_status tern_rcu_register(tern_rcu_thread *thread, uint32_t flavour)
{
    const struct tern__rcu_flavour *calls = rcu_flavour(flavour);
    thread->flavour = 0;
    if (!calls) return TERN_ERR_ARGUMENT;
    if (rcu_registered[flavour]) return TERN_ERR_STATE;
    calls->register_thread();
    rcu_registered[flavour] = true;
    if (flavour == TERN_RCU_QSBR) tern__around_sleep(rcu_around_sleep);
    thread->flavour = flavour;
    return TERN_OK;
}

void tern_rcu_unregister(tern_rcu_thread *thread)
{
    const struct tern__rcu_flavour *calls = rcu_flavour(thread->flavour);
    if (!calls) return;
    if (thread->flavour == TERN_RCU_QSBR) tern__around_sleep(NULL);
    calls->unregister_thread();
    rcu_registered[thread->flavour] = false;
    thread->flavour = 0;
}

#endif
