/* SPDX-License-Identifier: MIT */
/* waits.c: sleeping for JavaScript, on threads of the addon's own.
 *
 * Each wait that is going on has a thread: they sleep in the kernel and cost it nothing, and Node's own pool of
 * four stays free for files and names. A thread that is through takes the next wait or stays for one, so there
 * are as many as there were waits at once, at most ADDON_MAX_THREADS.
 *
 * A thread sleeps in naps. Between two of them it sees whether its wait was cancelled, and the library whether
 * the other end's process has died. A promise is told of a cancellation at once; the nap's end only decides
 * when the memory is unmapped. */
#include "addon.h"

#include <signal.h>
#include <stdlib.h>

/* longer than the library's own naps (tern__watch_ns), or it would not look for deaths */
static const uint64_t waits_nap_ns = 50000000;

enum { WAITS_STACK_BYTES = 256 * 1024 };

struct addon_wait {
    struct addon *addon;
    struct addon_wait *queue_next;    /* behind the lock */
    bool cancelled;                   /* behind the lock */
    struct addon_wait *next;          /* the rest is JavaScript's thread's, or was set before the thread began */
    struct addon_region *region;
    struct addon_end *end;            /* NULL: for a word */
    tern_a32 *word;
    uint32_t expected;
    uint64_t timeout_ns;
    tern_status status;               /* the thread's answer */
    napi_deferred promise;            /* NULL: it has been told already */
};

/* ---- The threads --------------------------------------------------------------------- */

static bool wait_is_cancelled(struct addon_wait *wait)
{
    pthread_mutex_lock(&wait->addon->lock);
    bool cancelled = wait->cancelled || wait->addon->stopping;
    pthread_mutex_unlock(&wait->addon->lock);
    return cancelled;
}

static tern_status wait_once(struct addon_wait *wait, uint64_t timeout_ns)
{
    struct addon_end *end = wait->end;
    if (!end) return tern_word_wait(wait->word, wait->expected, timeout_ns);
    switch (end->kind) {
    case ADDON_RING_PRODUCER: return tern_ring_producer_wait(&end->as.producer, timeout_ns);
    case ADDON_RING_CONSUMER: return tern_ring_consumer_wait(&end->as.consumer, timeout_ns);
    case ADDON_TRIPLE_READER: return tern_triple_wait(&end->as.reader, timeout_ns);
    default: return TERN_ERR_UNSUPPORTED;
    }
}

static tern_status wait_in_naps(struct addon_wait *wait)
{
    uint64_t left_ns = wait->timeout_ns, began_ns = tern_now_ns();
    while (!wait_is_cancelled(wait)) {
        uint64_t nap_ns = left_ns < waits_nap_ns ? left_ns : waits_nap_ns;
        tern_status status = wait_once(wait, nap_ns);
        if (status != TERN_ERR_TIMEOUT) return status;
        if (wait->timeout_ns == TERN_WAIT_FOREVER) continue;
        uint64_t took_ns = tern_now_ns() - began_ns;
        if (took_ns >= wait->timeout_ns) return TERN_ERR_TIMEOUT;
        left_ns = wait->timeout_ns - took_ns;
    }
    return TERN_ERR_STATE;
}

/* The next wait, when there is one; NULL: the environment ends. */
static struct addon_wait *waits_take(struct addon *addon)
{
    struct addon_wait *wait = NULL;
    pthread_mutex_lock(&addon->lock);
    addon->idle++;
    while (!addon->first && !addon->stopping) pthread_cond_wait(&addon->work, &addon->lock);
    addon->idle--;
    if (!addon->stopping) {
        wait = addon->first;
        addon->first = wait->queue_next;
        addon->queued--;
    }
    pthread_mutex_unlock(&addon->lock);
    return wait;
}

static void *waits_thread(void *data)
{
    struct addon *addon = (struct addon *)data;
    for (struct addon_wait *wait; (wait = waits_take(addon)) != NULL;) {
        wait->status = wait_in_naps(wait);
        (void)napi_call_threadsafe_function(addon->done, wait, napi_tsfn_nonblocking);
    }
    return NULL;
}

/* One thread more. It leaves all signals to Node, but those that its own accesses can raise. */
static bool waits_start_thread(struct addon *addon)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    if (addon->threads == ADDON_MAX_THREADS || pthread_attr_init(&attributes) != 0) return false;
    (void)pthread_attr_setstacksize(&attributes, WAITS_STACK_BYTES);
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGFPE);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&addon->thread[addon->threads], &attributes, waits_thread, addon) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (started) addon->threads++;
    return started;
}

/* ---- JavaScript's side --------------------------------------------------------------- */

/* Give a wait to a thread. False: there are too many waits. */
static bool waits_submit(struct addon *addon, struct addon_wait *wait)
{
    pthread_mutex_lock(&addon->lock);
    bool taken = addon->queued < addon->idle || waits_start_thread(addon);
    if (taken) {
        if (addon->first) addon->last->queue_next = wait;
        else addon->first = wait;
        addon->last = wait;
        addon->queued++;
        pthread_cond_signal(&addon->work);
    }
    pthread_mutex_unlock(&addon->lock);
    return taken;
}

static void wait_tell(napi_env env, struct addon_wait *wait, tern_status status)
{
    napi_deferred promise = wait->promise;
    wait->promise = NULL;
    if (promise) (void)napi_resolve_deferred(env, promise, addon_number(env, status));
}

/* A wait is back from its thread. Called in JavaScript's thread; env is NULL if the environment is ending, and
 * then its regions have been left and may be gone. */
static void wait_is_done(napi_env env, napi_value function, void *context, void *data)
{
    (void)function;
    struct addon *addon = (struct addon *)context;
    struct addon_wait *wait = (struct addon_wait *)data;
    if (env && !addon->stopping) {
        struct addon_region *region = wait->region;
        for (struct addon_wait **at = &addon->waits; *at; at = &(*at)->next) {
            if (*at != wait) continue;
            *at = wait->next;
            break;
        }
        region->waits--;
        if (--addon->pending == 0) (void)napi_unref_threadsafe_function(env, addon->done);
        if (wait->end) wait->end->waiting = false;
        wait_tell(env, wait, region->closing ? TERN_ERR_STATE : wait->status);
        addon_region_settle(env, region);
        if (wait->end) addon_end_release(wait->end);
        addon_region_release(region);
    }
    free(wait);
}

void addon_waits_cancel(napi_env env, struct addon_region *region)
{
    for (struct addon_wait *wait = region->addon->waits; wait; wait = wait->next) {
        if (wait->region != region) continue;
        pthread_mutex_lock(&region->addon->lock);
        wait->cancelled = true;
        pthread_mutex_unlock(&region->addon->lock);
        wait_tell(env, wait, TERN_ERR_STATE);
    }
}

bool addon_waits_begin(napi_env env, struct addon *addon)
{
    napi_value name = addon_text(env, "tern waits");
    if (napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, addon, wait_is_done, &addon->done)
        != napi_ok)
        return false;
    return napi_unref_threadsafe_function(env, addon->done) == napi_ok;   /* nothing to stay alive for */
}

void addon_waits_stop(struct addon *addon)
{
    pthread_mutex_lock(&addon->lock);
    addon->stopping = true;
    pthread_cond_broadcast(&addon->work);
    pthread_mutex_unlock(&addon->lock);
    for (uint32_t i = 0; i < addon->threads; i++) pthread_join(addon->thread[i], NULL);
    addon->threads = 0;
    while (addon->first) {   /* no thread had begun with these */
        struct addon_wait *wait = addon->first;
        addon->first = wait->queue_next;
        free(wait);
    }
    addon->waits = NULL;
}

/* A promise of a status for a wait that is filled but for these; or a status. */
static napi_value wait_begin(napi_env env, struct addon_region *region, const struct addon_wait *what)
{
    napi_value promise = NULL;
    struct addon *addon = region->addon;
    struct addon_wait *wait = (struct addon_wait *)malloc(sizeof *wait);
    if (!wait) return addon_number(env, TERN_ERR_NO_SPACE);
    *wait = *what;
    wait->addon = addon;
    wait->region = region;
    if (napi_create_promise(env, &wait->promise, &promise) != napi_ok) {
        free(wait);
        return NULL;
    }
    if (wait->end) wait->end->waiting = true;
    if (!waits_submit(addon, wait)) {
        if (wait->end) wait->end->waiting = false;
        wait_tell(env, wait, TERN_ERR_FULL);
        free(wait);
        return promise;
    }
    wait->next = addon->waits;
    addon->waits = wait;
    region->waits++;
    region->references++;
    if (wait->end) wait->end->references++;
    if (addon->pending++ == 0) (void)napi_ref_threadsafe_function(env, addon->done);
    return promise;
}

/* waitEnd(end, timeoutMs): a promise of a status, or a status: for items, space, or a newer frame. */
napi_value addon_wait_end(napi_env env, napi_callback_info info)
{
    napi_value arguments[2];
    void *pointer;
    double timeout_ms;
    struct addon_wait what = { 0 };
    if (!addon_arguments(env, info, 2, arguments) || !addon_pointer(env, arguments[0], &pointer)
        || !addon_double(env, arguments[1], &timeout_ms))
        return NULL;
    what.end = (struct addon_end *)pointer;
    what.timeout_ns = addon_timeout_ns(timeout_ms);
    if (!what.end->attached || what.end->waiting || what.end->region->closing) return addon_number(env, TERN_ERR_STATE);
    return wait_begin(env, what.end->region, &what);
}

/* The word of a region at an offset; NULL: *status says why not. */
static tern_a32 *wait_word(napi_env env, napi_value handle, napi_value value, struct addon_region **region,
                           tern_status *status)
{
    void *pointer;
    double offset;
    *status = TERN_OK;
    if (!addon_pointer(env, handle, &pointer) || !addon_double(env, value, &offset)) return NULL;
    *region = (struct addon_region *)pointer;
    /* who only looks has a private copy, on which no other process's wake arrives */
    if ((*region)->closing || !(*region)->memory || (*region)->looking_bytes) *status = TERN_ERR_STATE;
    else if (!(offset >= 0 && offset <= (double)(*region)->view.size_bytes - 4)) *status = TERN_ERR_ARGUMENT;
    else if ((uint64_t)offset % 4 != 0 || (double)(uint64_t)offset < offset) *status = TERN_ERR_ALIGNMENT;
    if (*status != TERN_OK) return NULL;
    return (tern_a32 *)(void *)((*region)->memory + (size_t)offset);
}

/* waitWord(region, offset, expected, timeoutMs): a promise of a status, or a status. */
napi_value addon_wait_word(napi_env env, napi_callback_info info)
{
    napi_value arguments[4];
    struct addon_region *region;
    tern_status status;
    double timeout_ms;
    int32_t expected;
    struct addon_wait what = { 0 };
    if (!addon_arguments(env, info, 4, arguments)) return NULL;
    what.word = wait_word(env, arguments[0], arguments[1], &region, &status);
    if (!what.word) return status == TERN_OK ? NULL : addon_number(env, status);
    if (!addon_double(env, arguments[3], &timeout_ms)) return NULL;
    if (napi_get_value_int32(env, arguments[2], &expected) != napi_ok) {
        napi_throw_type_error(env, NULL, "a number is needed");
        return NULL;
    }
    what.expected = (uint32_t)expected;
    what.timeout_ns = addon_timeout_ns(timeout_ms);
    return wait_begin(env, region, &what);
}

/* wakeWord(region, offset): a status. */
napi_value addon_wake_word(napi_env env, napi_callback_info info)
{
    napi_value arguments[2];
    struct addon_region *region;
    tern_status status;
    if (!addon_arguments(env, info, 2, arguments)) return NULL;
    tern_a32 *word = wait_word(env, arguments[0], arguments[1], &region, &status);
    if (!word && status == TERN_OK) return NULL;
    if (word) tern_word_wake(word);
    return addon_number(env, status);
}
