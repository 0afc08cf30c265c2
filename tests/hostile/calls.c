/* SPDX-License-Identifier: MIT */
/* calls.c: around each call: lies before and inside it, its limits, and an operating system that can be repeated. */
#include "hostile.h"
#include "../../lib/os/os.h"

/* ---- Calls --------------------------------------------------------------------------------------------- */

static void calls_attack_before(world *w)
{
    w->inside = 0;
    if (w->mode != HOSTILE_LIES || w->quiet) return;
    uint64_t r = hostile_random(w);
    /* many calls go on from what the lies before have left */
    if (r % 4 == 0) hostile_mutate_any(w);
    if (r >> 8 & 1) return;
    w->inside = (r >> 16) % 4 == 0 ? 1 : 8;
}

void hostile_begin(world *w, hostile_limit *limit, uint32_t items)
{
    if (!w->quiet) w->operations++;
    w->limit = limit;
    limit->calls++;
    w->items = items;
    w->steps = 0;
    w->steps_allowed = limit->steps + limit->each * items;
    w->call_number++;
    __atomic_store_n(&w->own, w->victim->own(w), __ATOMIC_RELAXED);
    calls_attack_before(w);
    w->calling = true;
    if (w->mode == HOSTILE_STEPS) hostile_step_lock(true);
}

void hostile_end(world *w)
{
    if (w->mode == HOSTILE_STEPS) hostile_step_lock(false);
    w->calling = false;
    if (w->steps > w->limit->most) w->limit->most = w->steps;
}

static uint32_t calls_reads_allowed(const world *w, const char *word)
{
    for (const hostile_reread *r = w->victim->rereads; r->call; r++)
        if (strcmp(r->call, w->limit->call) == 0 && strcmp(r->word, word) == 0) return r->reads + r->each * w->items;
    return 1;
}

void hostile_count_reads(world *w, uint32_t offset, uint32_t size_bytes)
{
    /* words that were read as a whole: small items share one with their neighbours */
    for (uint32_t at = (offset + 3) / 4; at < (offset + size_bytes) / 4; at++) {
        if (w->reads[at].call != w->call_number) {
            w->reads[at].call = w->call_number;
            w->reads[at].count = 0;
        }
        if (++w->reads[at].count == 1) continue;
        const char *word = w->victim->word(w, at * 4);
        uint32_t allowed = calls_reads_allowed(w, word ? word : "padding");
        if (w->reads[at].count > allowed)
            hostile_fail(w, "%s read %s, at byte %u, %u times; %u are allowed", w->limit->call, word ? word : "padding",
                         at * 4, w->reads[at].count, allowed);
    }
}

#if defined(TERN_WATCH)
void tern_watch_before(const void *shared, size_t size_bytes, int kind)
{
    (void)kind;
    if (hostile_watched && hostile_watched->mode == HOSTILE_STEPS) hostile_step_expect(shared, size_bytes);
}

void tern_watch_after(const void *shared, size_t size_bytes, int kind)
{
    world *w = hostile_watched;
    if (!w || !w->calling) return;
    if (w->mode == HOSTILE_STEPS) hostile_step_expect(NULL, 0);
    uintptr_t offset = (uintptr_t)shared - (uintptr_t)w->memory;
    if (offset > w->size_bytes || size_bytes > w->size_bytes - offset)
        return;   /* the pages tell, if it is a mistake */
    if (++w->steps > w->steps_allowed)
        hostile_fail(w, "%s made more than %u accesses", w->limit->call, w->steps_allowed);
    if ((kind & TERN_WATCH_READ) && size_bytes) {
        hostile_count_reads(w, (uint32_t)offset, (uint32_t)size_bytes);
        if (w->flipping)
            hostile_mutate(w, ((uint32_t)offset + hostile_below(w, (uint32_t)size_bytes)) & ~3u);
    }
    if (w->inside && hostile_below(w, w->inside) == 0) hostile_mutate_any(w);
}
#endif

/* No system calls, and a clock that depends on nothing but the seed: everything can be repeated. */
static uint64_t calls_clock_ns;

static uint64_t calls_now(void)
{
    return calls_clock_ns += HOSTILE_CLOCK_STEP_NS;
}

static tern_status calls_wait(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    (void)word, (void)expected;
    calls_clock_ns += hostile_below(hostile_watched, 4) ? timeout_ns : HOSTILE_CLOCK_STEP_NS;
    return hostile_below(hostile_watched, 2) ? TERN_OK : TERN_ERR_TIMEOUT;
}

static void calls_wake(tern_a32 *word)
{
    uintptr_t offset = (uintptr_t)word - (uintptr_t)hostile_watched->memory;
    if (offset >= hostile_watched->size_bytes || offset % 4)
        hostile_fail(hostile_watched, "a wake at byte %lld", (long long)offset);
}

static bool calls_barrier(void)
{
    return hostile_below(hostile_watched, 4) != 0;
}

static const tern__os calls_os = { "hostile", calls_wait, calls_wake, calls_now, calls_barrier, calls_barrier };

void hostile_use_os(bool ours)
{
    static const tern__os *real;
    if (!real) real = tern__os_current;
    tern__os_current = ours ? &calls_os : real;
    calls_clock_ns = 0;
}
