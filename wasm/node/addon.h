/* SPDX-License-Identifier: MIT */
/* addon.h: what the files of the Node-API addon share.
 *
 *   addon.c    the module: its exports, its state in each environment (main thread, each worker)
 *   regions.c  mappings and their lives, directory, peers
 *   ends.c     ends of rings and triple buffers
 *   waits.c    sleeping on threads of the addon's own, told to JavaScript as promises
 *
 * The C library does the protocol: JavaScript gets views of the same bytes and statuses as numbers, from
 * which ends.mjs and index.mjs make exceptions. All of this runs in the environment's JavaScript thread but
 * what waits.c says otherwise of. */
#ifndef TERN_NODE_ADDON_H
#define TERN_NODE_ADDON_H

#include <pthread.h>
#include <node_api.h>
#include <tern/tern.h>

enum { ADDON_MAX_THREADS = 1024 };   /* waits at once, of one environment */

struct addon_wait;

/* What one environment has. */
struct addon {
    uint32_t references;             /* of the environment itself and of its regions */
    struct addon_region *regions;
    int last_errno;                  /* of the last call that failed */
    napi_threadsafe_function done;   /* brings waits back to JavaScript */
    uint32_t pending;                /* waits that have a promise or a thread */
    struct addon_wait *waits;        /* all of these */

    pthread_mutex_t lock;            /* of what follows, and of each wait's `cancelled` */
    pthread_cond_t work;
    struct addon_wait *first, *last; /* waits for which no thread has begun to sleep */
    uint32_t queued, idle, threads;
    bool stopping;
    pthread_t thread[ADDON_MAX_THREADS];
};

/* A mapping of a region. */
struct addon_region {
    struct addon *addon;
    struct addon_region *next;
    uint32_t references;             /* handle, ArrayBuffer, ends, waits: those who may still look at this struct */
    uint32_t waits;                  /* threads that may touch the memory */
    tern_region view;
    size_t looking_bytes;            /* mapped by ourselves to look at; 0: a peer, mapped by tern_shm_* */
    unsigned char *memory;           /* NULL: closed, nothing is mapped any more */
    bool closing;
    bool moved;                      /* closing, and somebody has the ArrayBuffer's memory in another one */
    bool has_buffer;                 /* and its finalizer has not run */
    napi_ref buffer;                 /* weak */
    napi_deferred closed;            /* who waits for the end of close(); NULL: nobody */
    struct addon_end *ends;
};

/* Kinds of ends; ends.mjs knows them by these numbers. */
enum { ADDON_RING_PRODUCER = 0, ADDON_RING_CONSUMER = 1, ADDON_TRIPLE_WRITER = 2, ADDON_TRIPLE_READER = 3 };

struct addon_end {
    struct addon_region *region;
    struct addon_end *next;
    uint32_t references;             /* handle, wait */
    uint32_t kind;
    bool attached, waiting;          /* waiting: a thread has the view, nobody else touches it */
    union {
        tern_ring_producer producer;
        tern_ring_consumer consumer;
        tern_triple_writer writer;
        tern_triple_reader reader;
    } as;
};

/* ---- addon.c: numbers, strings, arguments ---- */

/* Exactly `count` arguments, or an exception and false. */
bool addon_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *arguments);
/* What an argument holds, or an exception and false. */
bool addon_double(napi_env env, napi_value value, double *number);
bool addon_u32(napi_env env, napi_value value, uint32_t *number);
bool addon_pointer(napi_env env, napi_value value, void **pointer);
/* The bytes of a typed array. */
bool addon_bytes(napi_env env, napi_value value, unsigned char **bytes, size_t *length);
napi_value addon_number(napi_env env, double number);
napi_value addon_text(napi_env env, const char *text);
void addon_set(napi_env env, napi_value object, const char *name, napi_value value);
void addon_set_number(napi_env env, napi_value object, const char *name, double number);
napi_value addon_recovery(napi_env env, const tern_recovery *report);
/* Milliseconds, Infinity among them. */
uint64_t addon_timeout_ns(double milliseconds);
/* Let go of the environment's state. */
void addon_release(struct addon *addon);

/* ---- regions.c ---- */

void addon_region_release(struct addon_region *region);
/* Unmap, if it is being closed and nobody touches the memory any more. env: to tell close()'s promise; or NULL. */
void addon_region_settle(napi_env env, struct addon_region *region);
/* Unmap now: no thread is left that could touch it. */
void addon_region_unmap(struct addon_region *region);

napi_value addon_open(napi_env env, napi_callback_info info);
napi_value addon_describe(napi_env env, napi_callback_info info);
napi_value addon_objects(napi_env env, napi_callback_info info);
napi_value addon_peers(napi_env env, napi_callback_info info);
napi_value addon_recover(napi_env env, napi_callback_info info);
napi_value addon_check(napi_env env, napi_callback_info info);
napi_value addon_close(napi_env env, napi_callback_info info);
napi_value addon_unlink(napi_env env, napi_callback_info info);

/* ---- ends.c ---- */

void addon_end_release(struct addon_end *end);
/* Give the end back, if it is not yet. */
void addon_end_detach(struct addon_end *end);

napi_value addon_end_open(napi_env env, napi_callback_info info);
napi_value addon_end_describe(napi_env env, napi_callback_info info);
napi_value addon_end_status(napi_env env, napi_callback_info info);
napi_value addon_end_close(napi_env env, napi_callback_info info);
napi_value addon_end_give_back(napi_env env, napi_callback_info info);
napi_value addon_push(napi_env env, napi_callback_info info);
napi_value addon_pop(napi_env env, napi_callback_info info);
napi_value addon_back(napi_env env, napi_callback_info info);
napi_value addon_publish(napi_env env, napi_callback_info info);
napi_value addon_update(napi_env env, napi_callback_info info);
napi_value addon_front(napi_env env, napi_callback_info info);
napi_value addon_frame(napi_env env, napi_callback_info info);
napi_value addon_dropped(napi_env env, napi_callback_info info);

/* ---- waits.c ---- */

/* The thread-safe function, lock and condition. */
bool addon_waits_begin(napi_env env, struct addon *addon);
/* Tell every promise of this region that it was closed. */
void addon_waits_cancel(napi_env env, struct addon_region *region);
/* End every thread: each returns within one nap. */
void addon_waits_stop(struct addon *addon);

napi_value addon_wait_end(napi_env env, napi_callback_info info);
napi_value addon_wait_word(napi_env env, napi_callback_info info);
napi_value addon_wake_word(napi_env env, napi_callback_info info);

#endif
