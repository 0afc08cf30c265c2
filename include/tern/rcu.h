/* SPDX-License-Identifier: MIT */
/**
 * rcu.h: read-copy-update for pools: freed slots come back after a grace period.
 *
 *     tern_rcu rcu;                                    // once a process and pool
 *     tern_rcu_attach(&rcu, &pool, TERN_RCU_QSBR);
 *
 *     tern_rcu_thread thread;                          // once a reading or freeing thread
 *     tern_rcu_register(&thread, TERN_RCU_QSBR);
 *     for (;;) {
 *         tern_rcu_read_lock(&thread);
 *         const struct item *item = tern_pool_get(&pool, handle);
 *         if (item) ...                                // whole until read_unlock, whoever frees it
 *         tern_rcu_read_unlock(&thread);
 *         tern_rcu_quiescent(&thread);                 // QSBR: at the end of each tick
 *     }
 *
 *     tern_pool_free_rcu(&pool, handle);               // by any registered thread
 *
 * A handle is stale from tern_pool_free_rcu() on; the slot's bytes stay as they are until every
 * read section that could have seen it has ended. So tern_pool_get() inside a read section needs
 * no pin, and costs no atomic write.
 *
 * | flavour       | for                        | read section          | a thread must                |
 * |---------------|----------------------------|-----------------------|------------------------------|
 * | TERN_RCU_QSBR | workers that tick          | free                  | call quiescent each tick     |
 * | TERN_RCU_MEMB | threads of other programs  | a few ns              | nothing between its sections |
 *
 * All readers of one pool use the flavour that it was attached with. A registered QSBR thread
 * that sleeps in one of Tern's *_wait calls is offline meanwhile, by itself: it holds up no grace
 * period. So such a call, like tern_rcu_quiescent(), ends the life of pointers taken before it.
 * A thread that blocks elsewhere calls tern_rcu_offline() and tern_rcu_online() around it.
 *
 * liburcu does the work (LGPL 2.1), inside one process: readers in other processes, in wasm and in
 * JavaScript use pins, and both go together, since a slot under a grace period is a pinned one.
 * Link libtern_rcu beside libtern (pkg-config: tern-rcu); with the single header define
 * TERN_WITH_RCU before it and link urcu-qsbr and urcu-memb. Linux and other Unix systems.
 *
 * | at the same time                   | allowed                                      |
 * |------------------------------------|----------------------------------------------|
 * | free_rcu, get, pin, alloc, free    | any threads, beside each other               |
 * | calls on one tern_rcu_thread       | only by the thread that registered it        |
 * | attach, detach, drain_wait         | not beside each other on one tern_rcu        |
 */
#ifndef TERN_RCU_H
#define TERN_RCU_H

#include "pool.h"

#define TERN_RCU_QSBR 1u   /* quiescent-state-based reclamation */
#define TERN_RCU_MEMB 2u   /* sys_membarrier */

/** One pool's reclamation in this process: what is on its way back. Must not be moved or copied
 *  while it is attached. */
typedef struct tern_rcu {
    uint32_t flavour;              /* public, read only; the rest is private */
    tern_pool pool;
    tern_pool *attached_to;
    const struct tern__rcu_flavour *calls;
    struct tern__rcu_slot *slots;  /* one a slot of the pool */
} tern_rcu;

/** A registered thread. Private to it. */
typedef struct tern_rcu_thread {
    uint32_t flavour;      /* public, read only: 0 when not registered */
} tern_rcu_thread;

TERN_EXTERN_C_BEGIN

/* liburcu's own calls, which the inline ones below are made of. */
void urcu_memb_read_lock(void);
void urcu_memb_read_unlock(void);
void urcu_qsbr_quiescent_state(void);
void urcu_qsbr_thread_offline(void);
void urcu_qsbr_thread_online(void);

/**
 * Let tern_pool_free_rcu() work on this view of a pool.
 *
 * Allocates 40 bytes for each slot, once.
 *
 * @param rcu     stays where it is until tern_rcu_detach_wait()
 * @param pool    attached; must not be detached before tern_rcu_detach_wait(). Other views of
 *                the same pool, in this process or another, go on as they are
 * @param flavour TERN_RCU_QSBR or TERN_RCU_MEMB
 * @return TERN_OK; TERN_ERR_ARGUMENT: another flavour, or a view that is not attached;
 *         TERN_ERR_STATE: the view has one already; TERN_ERR_NO_SPACE: no memory
 *
 * Role: any, once a view. Progress: blocking inside malloc. Order: none.
 * Crash: changes nothing shared.
 */
TERN_API tern_status tern_rcu_attach(tern_rcu *rcu, tern_pool *pool, uint32_t flavour);

#if !defined(TERN_NONBLOCKING)
/**
 * Wait until every slot that was freed before this call is back in the pool.
 *
 * A registered QSBR thread is offline meanwhile: pointers that it validated end here.
 *
 * @param thread the calling thread's registration; NULL: it has none
 * @return TERN_OK; TERN_ERR_STATE: not attached
 *
 * Role: any, outside read sections. Progress: blocking. Order: none beyond the pool's own.
 * Crash: changes nothing shared.
 */
TERN_API tern_status tern_rcu_drain_wait(tern_rcu *rcu, const tern_rcu_thread *thread);

/** tern_rcu_drain_wait(), then give back what attach allocated. No other thread may be inside
 *  tern_pool_free_rcu() on this view. Otherwise as tern_rcu_drain_wait(). */
TERN_API tern_status tern_rcu_detach_wait(tern_rcu *rcu, const tern_rcu_thread *thread);
#endif

/**
 * Free a slot after a grace period.
 *
 * The handle is stale at once: get and pin refuse it. Pointers that were validated in read
 * sections which are going on stay good until those end; pins until their unpin.
 *
 * @return TERN_DEFERRED: the grace period frees it; TERN_ERR_STALE: freed already, or another
 *         generation; TERN_ERR_UNSUPPORTED: no tern_rcu_attach() on this view;
 *         TERN_ERR_CORRUPT: the slot's word made no sense
 *
 * Role: a registered thread; with QSBR online. Progress: lock-free; liburcu may wake its own
 * thread by a system call, and makes that thread at the first call. Order: as tern_pool_free().
 * Crash: the slot stays pinned for ever, as with any dead pinner.
 */
TERN_API tern_status tern_pool_free_rcu(tern_pool *pool, tern_handle handle);

/**
 * Register the calling thread as a reader.
 *
 * @return TERN_OK; TERN_ERR_ARGUMENT: another flavour; TERN_ERR_STATE: this thread is
 *         registered with that flavour
 *
 * Role: the thread itself. Progress: blocking (a mutex of liburcu).
 * Order: none. Crash: no shared memory touched.
 */
TERN_API tern_status tern_rcu_register(tern_rcu_thread *thread, uint32_t flavour);

/** Undo it, outside read sections and before the thread ends. Role: the thread itself. Progress:
 *  blocking (a mutex of liburcu). Order: none. Crash: no shared memory touched. */
TERN_API void tern_rcu_unregister(tern_rcu_thread *thread);

/**
 * Begin a read section: what tern_pool_get() gives stays good until the end of it. May be nested.
 *
 * Role: registered, online. Progress: wait-free. Order: liburcu's. Crash: threads die with their process.
 */
TERN_INLINE void tern_rcu_read_lock(const tern_rcu_thread *thread)
{
    if (thread->flavour == TERN_RCU_MEMB) urcu_memb_read_lock();
}

/** End a read section. Role: as tern_rcu_read_lock(). Progress: wait-free. */
TERN_INLINE void tern_rcu_read_unlock(const tern_rcu_thread *thread)
{
    if (thread->flavour == TERN_RCU_MEMB) urcu_memb_read_unlock();
}

/** "I hold no pointer from before this call", at the end of a tick; nothing with MEMB.
 *  Role: registered, online, outside read sections. Progress: wait-free but for waking a grace period. */
TERN_INLINE void tern_rcu_quiescent(const tern_rcu_thread *thread)
{
    if (thread->flavour == TERN_RCU_QSBR) urcu_qsbr_quiescent_state();
}

/** Before the thread blocks outside Tern, or stays away for long: "I read nothing until online".
 *  Role: registered, outside read sections. Progress: wait-free but for waking a grace period. */
TERN_INLINE void tern_rcu_offline(const tern_rcu_thread *thread)
{
    if (thread->flavour == TERN_RCU_QSBR) urcu_qsbr_thread_offline();
}

/** After it. Role: registered. Progress: wait-free. */
TERN_INLINE void tern_rcu_online(const tern_rcu_thread *thread)
{
    if (thread->flavour == TERN_RCU_QSBR) urcu_qsbr_thread_online();
}

TERN_EXTERN_C_END

#endif
