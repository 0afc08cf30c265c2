/* SPDX-License-Identifier: MIT */
/*
 * operations.h: the calls whose instructions are counted, a function each.
 *
 * operations.c makes them from Tern's inline calls, guard.c and guard_ring.c call them, and guard.py reads from
 * callgrind how many instructions each took. They stand in a file of their own so that no compiler
 * knows, at the place of the call, what it will be called with. The figure of op_NAME is kept as
 * NAME in instructions.txt; what a function named *_run_N costs is divided by N.
 */
#ifndef TERN_GUARD_OPERATIONS_H
#define TERN_GUARD_OPERATIONS_H

#include <tern/tern.h>

/** An item or record of a whole cache line. */
struct line {
    uint64_t word[8];
};

/* Items of one batch, and of one run on a view that is a local variable. */
enum { BATCH = 32, RUN = 256 };

/* ---- Ring ---------------------------------------------------------------------- */

/* Few calls in many situations: the suffix tells which ring guard_ring.c gives them. */
typedef bool ring_push(tern_ring_producer *p, const void *item);
typedef bool ring_pop(tern_ring_consumer *c, void *item);
/* RUN numbers from first on, through a local view. @return how many went through in order */
typedef uint32_t ring_push_run(tern_ring_producer *p, uint64_t first);
typedef uint32_t ring_pop_run(tern_ring_consumer *c, uint64_t first);
typedef uint32_t ring_push_many(tern_ring_producer *p, const uint64_t *items);
typedef uint32_t ring_pop_many(tern_ring_consumer *c, uint64_t *items);
typedef void *ring_reserve(tern_ring_producer *p, uint32_t want, uint32_t *got);
typedef void ring_commit(tern_ring_producer *p, uint32_t count);
typedef const void *ring_peek(tern_ring_consumer *c, uint32_t want, uint32_t *got);
typedef void ring_release(tern_ring_consumer *c, uint32_t count);

ring_push op_ring_push_8, op_ring_push_64, op_ring_push_any_8, op_ring_push_8_looking;
ring_pop op_ring_pop_8, op_ring_pop_64, op_ring_pop_any_8, op_ring_pop_8_looking;
ring_push_run op_ring_push_8_run_256;
ring_pop_run op_ring_pop_8_run_256;
ring_push_many op_ring_push_many_32;
ring_pop_many op_ring_pop_many_32;
ring_reserve op_ring_reserve;
ring_commit op_ring_commit;
ring_peek op_ring_peek;
ring_release op_ring_release;

/* Waitable: new, and after it has met no sleeper for long. */
ring_push op_ring_push_8_unsettled, op_ring_push_8_waitable, op_ring_push_8_waitable_belled;
ring_pop op_ring_pop_8_unsettled, op_ring_pop_8_waitable, op_ring_pop_8_waitable_belled;
ring_push_run op_ring_push_8_waitable_run_256;
ring_pop_run op_ring_pop_8_waitable_run_256;

ring_push op_ring_push_8_sequenced, op_ring_push_64_sequenced, op_ring_push_8_sequenced_looking;
ring_pop op_ring_pop_8_sequenced, op_ring_pop_64_sequenced, op_ring_pop_8_sequenced_looking;
ring_push op_ring_push_8_sequenced_waitable;
ring_pop op_ring_pop_8_sequenced_waitable;
ring_push_run op_ring_push_8_sequenced_run_256;
ring_pop_run op_ring_pop_8_sequenced_run_256;
ring_push_many op_ring_push_many_32_sequenced;
ring_pop_many op_ring_pop_many_32_sequenced;
ring_reserve op_ring_reserve_sequenced;
ring_commit op_ring_commit_sequenced;
ring_peek op_ring_peek_sequenced;
ring_release op_ring_release_sequenced;

/* ---- Stream -------------------------------------------------------------------- */

bool op_stream_send_64(tern_stream_producer *p, uint32_t kind, const struct line *record);
bool op_stream_receive_64(tern_stream_consumer *c, struct line *record, uint32_t *length, uint32_t *kind);
bool op_stream_send(tern_stream_producer *p, uint32_t kind, const void *record, uint32_t length);
bool op_stream_receive(tern_stream_consumer *c, void *record, uint32_t room, uint32_t *length, uint32_t *kind);
void *op_stream_reserve(tern_stream_producer *p, uint32_t length);
void op_stream_commit(tern_stream_producer *p, uint32_t length);
const void *op_stream_peek(tern_stream_consumer *c, uint32_t *length, uint32_t *kind);
void op_stream_release(tern_stream_consumer *c);

/* ---- Triple buffer --------------------------------------------------------------- */

bool op_triple_publish_read(tern_triple_writer *w);      /* the last frame was read */
bool op_triple_publish_unread(tern_triple_writer *w);    /* it was not */
bool op_triple_update_news(tern_triple_reader *r);
bool op_triple_update_none(tern_triple_reader *r);
const void *op_triple_front(const tern_triple_reader *r);

/* ---- Pool ------------------------------------------------------------------------ */

tern_status op_pool_alloc(tern_pool *pool, tern_handle *handle, void **item);
tern_status op_pool_free(tern_pool *pool, tern_handle handle);
void *op_pool_get(const tern_pool *pool, tern_handle handle);
void *op_pool_get_stale(const tern_pool *pool, tern_handle handle);
void *op_pool_pin(tern_pool *pool, tern_handle handle);
void op_pool_unpin(tern_pool *pool, tern_handle handle);

/* ---- Bell ------------------------------------------------------------------------ */

bool op_bell_ring(const tern_bell *bell, uint32_t source);
bool op_bell_ring_leaf(const tern_bell *bell, uint32_t source);   /* more than 31 sources */
uint32_t op_bell_collect(tern_bell *bell);
/* Begin a pass and go through it. @return how many rang; *last: the last of them */
uint32_t op_bell_pass(tern_bell *bell, uint32_t *last);

#endif
