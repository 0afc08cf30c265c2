/* SPDX-License-Identifier: MIT */
/* world.c: memory between forbidden pages, the lies, and the limits of each call. */
#define _GNU_SOURCE 1
#include "hostile.h"
#include "../../lib/os/os.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

world *hostile_watched;
int hostile_number = 1;

static const char *const world_modes[] = { "lies", "flips", "thread", "steps" };

/* ---- Failures --------------------------------------------------------------------------------- */

static void world_describe(const world *w)
{
    printf("# %s, mode %s, seed %llu, operation %llu: a shape of %u items of %u bytes, %u in all\n", w->victim->name,
           world_modes[w->mode], (unsigned long long)w->seed, (unsigned long long)w->operations, w->capacity_items,
           w->item_size_bytes, w->size_bytes);
    printf("# call %s, step %u of %u, items %u\n", w->limit ? w->limit->call : "none", w->steps, w->steps_allowed, w->items);
    printf("# again: --only %s --mode %s --seed %llu --operations %llu\n", w->victim->name, world_modes[w->mode],
           (unsigned long long)w->seed, (unsigned long long)w->wanted);
}

void hostile_fail(const world *w, const char *format, ...)
{
    va_list arguments;
    world_describe(w);
    printf("not ok %d - %s, %s: ", hostile_number, w->victim->name, world_modes[w->mode]);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\nBail out!\n");
    fflush(stdout);
    _exit(1);
}

/* An access outside. Not safe after a signal in general, but nothing is to go on after it. */
static void world_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    const world *w = hostile_watched;
    if (!w) _exit(2);
    hostile_fail(w, "signal %d: an access outside, at the object's byte %lld", number,
                 (long long)((unsigned char *)info->si_addr - w->memory));
}

tern_status hostile_status(const world *w, tern_status status, uint32_t documented)
{
    bool known = status <= TERN_DEFERRED && status >= TERN_ERR_SYSTEM;
    if (!known || !(documented & HOSTILE_ONE(status)))
        hostile_fail(w, "%s gave %s (%d), which it does not document", w->limit->call, tern_status_name(status), (int)status);
    return status;
}

bool hostile_attached(const world *w, tern_status status, const void *view, size_t view_bytes)
{
    const unsigned char *at = view;
    if (hostile_status(w, status, HOSTILE_ATTACHES) == TERN_OK) return true;
    for (size_t i = 0; i < view_bytes; i++)
        if (at[i] != 0) hostile_fail(w, "%s failed and left something in byte %zu of the view", w->limit->call, i);
    return false;
}

bool hostile_reshaped(world *w, uint32_t capacity_items, uint32_t item_size_bytes)
{
    bool other = capacity_items != w->capacity_items || item_size_bytes != w->item_size_bytes;
    w->capacity_items = capacity_items;
    w->item_size_bytes = item_size_bytes;
    return other;
}

void hostile_mend_header(world *w)
{
    if (hostile_below(w, 4)) memcpy(w->alias, w->header, 8 + w->victim->geometry_bytes);
}

void hostile_span(const world *w, const void *at, uint64_t size_bytes, size_t header_bytes, bool write)
{
    volatile unsigned char *bytes = (volatile unsigned char *)(uintptr_t)at;
    uintptr_t begin = (uintptr_t)w->memory, from = (uintptr_t)at;
    if (from < begin + header_bytes || from - begin > w->size_bytes || size_bytes > w->size_bytes - (from - begin))
        hostile_fail(w, "%s lent %llu bytes from the object's byte %lld", w->limit->call, (unsigned long long)size_bytes,
                     (long long)(from - begin));
    for (uint64_t i = 0; i < size_bytes; i = i + 61 < size_bytes || i == size_bytes - 1 ? i + 61 : size_bytes - 1) {
        if (write) bytes[i] = 0x77;
        else (void)bytes[i];
    }
}

uint64_t hostile_timeout(world *w)
{
    uint32_t one_in = HOSTILE_WATCHED ? 4 : 256;   /* there they take time */
    return hostile_below(w, one_in) ? 0 : 1 + hostile_below(w, 1000);
}

/* Each look spins, or reads the clock, or sleeps, which takes a step of the clock at least. */
uint32_t hostile_looks(uint32_t spin_checks, uint64_t timeout_ns)
{
    return timeout_ns ? spin_checks + (uint32_t)(timeout_ns / HOSTILE_CLOCK_STEP_NS) + 4 : 2;
}

const char *hostile_header_word(const world *w, uint32_t offset)
{
    if (offset == 0) return "magic";
    return offset == 4 ? "reserved" : offset < 8 + w->victim->geometry_bytes ? "geometry" : NULL;
}

/* ---- Memory --------------------------------------------------------------------------------------- */

enum { WORLD_PAGE = 4096, WORLD_CANARY = 0xa5, WORLD_MARGIN = 192 };

/* So many bytes with a forbidden page on each side, and the same bytes once more elsewhere. */
static unsigned char *world_guarded(size_t size_bytes, unsigned char **alias)
{
    int fd = memfd_create("hostile", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size_bytes) != 0) return NULL;
    unsigned char *all = mmap(NULL, size_bytes + 2 * WORLD_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) return NULL;
    void *at = mmap(all + WORLD_PAGE, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    void *again = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at == MAP_FAILED || again == MAP_FAILED) return NULL;
    *alias = again;
    return at;
}

/* What lies beside the object, where no forbidden page begins, must stay as it is. */
static void world_margins(world *w, bool fill)
{
    static unsigned char canary[WORLD_MARGIN];
    unsigned char *end = w->alias + w->size_bytes;
    size_t before = (size_t)(w->alias - w->alias_pages), after = (size_t)(w->alias_pages + HOSTILE_ARENA_BYTES - end);
    if (before > WORLD_MARGIN) before = WORLD_MARGIN;
    if (after > WORLD_MARGIN) after = WORLD_MARGIN;
    if (fill) {
        memset(canary, WORLD_CANARY, sizeof canary);
        memset(w->alias - before, WORLD_CANARY, before);
        memset(end, WORLD_CANARY, after);
    } else if (memcmp(w->alias - before, canary, before) != 0 || memcmp(end, canary, after) != 0) {
        hostile_fail(w, "bytes beside the object were written");
    }
}

/* ---- Lies ------------------------------------------------------------------------------------------ */

static uint32_t world_get(const world *w, uint32_t offset)
{
    return __atomic_load_n((const uint32_t *)(const void *)(w->alias + offset), __ATOMIC_RELAXED);
}

static void world_set(world *w, uint32_t offset, uint32_t value)
{
    __atomic_store_n((uint32_t *)(void *)(w->alias + offset), value, __ATOMIC_RELAXED);
}

static uint32_t world_lie(world *w, uint32_t offset)
{
    uint64_t r = hostile_random(w);
    uint32_t now = world_get(w, offset), cap = w->capacity_items, value;
    uint32_t own = __atomic_load_n(&w->own, __ATOMIC_RELAXED);
    switch (r % 20) {
    case 0: value = 0; break;
    case 1: value = 1; break;
    case 2: value = cap - 1; break;
    case 3: value = cap; break;
    case 4: value = cap + 1; break;
    case 5: value = 0x7fffffffu; break;
    case 6: value = 0x80000000u; break;
    case 7: value = UINT32_MAX; break;
    case 8: value = own - 1; break;
    case 9: value = own; break;
    case 10: value = own + 1; break;
    case 11: value = own + cap; break;
    case 12: value = own - cap; break;
    case 13: value = own + (uint32_t)(r >> 32) % (2 * cap + 3) - cap - 1; break;
    case 14: return now ^ 1u << (r >> 32) % 32;
    case 15: return now + 1;
    case 16: return now - 1;
    case 17: value = (uint32_t)(r >> 32) % 64; break;
    case 18: value = now; break;
    default: value = (uint32_t)(r >> 32);
    }
    return r >> 16 & 1 ? value << 1 | (r >> 17 & 1) : value;   /* in the words of rings a flag comes below */
}

/* Geometry with the right hash, which guards against damage alone: one number changed, or all of another shape. */
static void world_forge(world *w)
{
    uint32_t bytes = w->victim->geometry_bytes, fields = bytes / 4 - 1;
    unsigned char forged[64];
    const unsigned char *other = w->others[hostile_below(w, 8)] + 8;
    memcpy(forged, w->alias + 8, bytes);
    uint32_t at = hostile_below(w, fields), value = world_lie(w, 8 + at * 4);
    if (hostile_below(w, 2)) memcpy(forged, other, bytes);   /* all of it */
    else memcpy(forged + at * 4, &value, 4);
    value = tern__geometry_check(forged, bytes);
    memcpy(forged + fields * 4, &value, 4);
    for (uint32_t i = 0; i < bytes; i += 4) {
        memcpy(&value, forged + i, 4);
        world_set(w, 8 + i, value);
    }
}

void hostile_mutate(world *w, uint32_t offset)
{
    uint64_t wide;
    if (offset >= 8 && offset < 8 + w->victim->geometry_bytes && hostile_below(w, 2)) {
        world_forge(w);
    } else if (w->victim->lie && hostile_below(w, 4) && w->victim->lie(w, offset & ~7u, &wide)) {
        world_set(w, offset & ~7u, (uint32_t)wide);
        world_set(w, (offset & ~7u) + 4, (uint32_t)(wide >> 32));
    } else {
        world_set(w, offset, world_lie(w, offset));
    }
}

/* Mostly a word that means something to Tern, now and then any. */
static void world_mutate_any(world *w)
{
    if (hostile_below(w, 8)) hostile_mutate(w, w->controls[hostile_below(w, w->control_count)]);
    else hostile_mutate(w, hostile_below(w, w->size_bytes / 4) * 4);
}

static void *world_liar(void *argument)
{
    world liar = *(world *)argument;   /* with random numbers of its own */
    world *w = argument;
    liar.random = liar.seed * 2 + 1;
    /* the shape stays as it is while a thread lies */
    while (!__atomic_load_n(&w->over, __ATOMIC_RELAXED)) {
        liar.own = __atomic_load_n(&w->own, __ATOMIC_RELAXED);
        world_mutate_any(&liar);
        /* often at once, often some calls later: what is spoiled all the time is refused at the first look */
        for (uint32_t i = hostile_below(&liar, 2) ? 0 : hostile_below(&liar, 4000); i > 0; i--) __asm__ __volatile__("");
    }
    return NULL;
}

/* ---- Calls --------------------------------------------------------------------------------------------- */

static void world_attack_before(world *w)
{
    w->inside = 0;
    if (w->mode != HOSTILE_LIES || w->quiet) return;
    uint64_t r = hostile_random(w);
    /* many calls go on from what the lies before have left */
    if (r % 4 == 0) world_mutate_any(w);
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
    world_attack_before(w);
    w->calling = true;
    if (w->mode == HOSTILE_STEPS) hostile_step_lock(true);
}

void hostile_end(world *w)
{
    if (w->mode == HOSTILE_STEPS) hostile_step_lock(false);
    w->calling = false;
    if (w->steps > w->limit->most) w->limit->most = w->steps;
}

static uint32_t world_reads_allowed(const world *w, const char *word)
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
        uint32_t allowed = world_reads_allowed(w, word ? word : "padding");
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
    if (offset > w->size_bytes || size_bytes > w->size_bytes - offset) return;   /* the pages tell, if it is a mistake */
    if (++w->steps > w->steps_allowed) hostile_fail(w, "%s made more than %u accesses", w->limit->call, w->steps_allowed);
    if ((kind & TERN_WATCH_READ) && size_bytes) {
        hostile_count_reads(w, (uint32_t)offset, (uint32_t)size_bytes);
        if (w->flipping)
            hostile_mutate(w, ((uint32_t)offset + hostile_below(w, (uint32_t)size_bytes)) & ~3u);
    }
    if (w->inside && hostile_below(w, w->inside) == 0) world_mutate_any(w);
}
#endif

/* No system calls, and a clock that depends on nothing but the seed: everything can be repeated. */
static uint64_t world_clock_ns;

static uint64_t world_now(void)
{
    return world_clock_ns += HOSTILE_CLOCK_STEP_NS;
}

static tern_status world_wait(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    (void)word, (void)expected;
    world_clock_ns += hostile_below(hostile_watched, 4) ? timeout_ns : HOSTILE_CLOCK_STEP_NS;
    return hostile_below(hostile_watched, 2) ? TERN_OK : TERN_ERR_TIMEOUT;
}

static void world_wake(tern_a32 *word)
{
    uintptr_t offset = (uintptr_t)word - (uintptr_t)hostile_watched->memory;
    if (offset >= hostile_watched->size_bytes || offset % 4)
        hostile_fail(hostile_watched, "a wake at byte %lld", (long long)offset);
}

static bool world_barrier(void)
{
    return hostile_below(hostile_watched, 4) != 0;
}

static const tern__os world_os = { "hostile", world_wait, world_wake, world_now, world_barrier, world_barrier };

/* ---- Rounds -------------------------------------------------------------------------------------------- */

static void world_list_controls(world *w)
{
    w->control_count = 0;
    for (uint32_t offset = 0; offset < w->size_bytes; offset += 4) {
        const char *word = w->victim->word(w, offset);
        if (word && strcmp(word, "data") != 0) w->controls[w->control_count++] = offset;
    }
}

static void world_make(world *w)
{
    bool quiet = w->quiet;
    if (w->left == 1) world_margins(w, false);
    w->quiet = true;
    w->victim->shape(w);
    if (w->size_bytes > HOSTILE_ARENA_BYTES) hostile_fail(w, "the shape is too large");
    /* at the beginning of the arena, or as near to its end as alignment allows */
    size_t at = hostile_below(w, 2) ? (HOSTILE_ARENA_BYTES - w->size_bytes) / TERN_ALIGNMENT * TERN_ALIGNMENT : 0;
    w->memory = w->pages + at;
    w->alias = w->alias_pages + at;
    world_margins(w, true);
    w->victim->make(w);
    memcpy(w->header, w->alias, sizeof w->header);
    world_list_controls(w);
    w->quiet = quiet;
    w->left = w->mode == HOSTILE_THREAD ? UINT32_MAX : 2 + hostile_below(w, 96);
}

static void world_flipped(world *w, unsigned char *saved)
{
    memcpy(saved, w->alias, w->size_bytes);
    memcpy(w->saved_state, w->state, w->victim->state_bytes);
    uint32_t left = w->left;
    w->flipping = true;
    w->victim->act(w);
    w->flipping = false;
    w->left = left;
    memcpy(w->alias, saved, w->size_bytes);
    memcpy(w->state, w->saved_state, w->victim->state_bytes);
}

static void world_round(world *w)
{
    unsigned char saved[HOSTILE_ARENA_BYTES];
    if (w->left <= 1) world_make(w);
    w->left--;
    if (w->mode == HOSTILE_FLIPS || w->mode == HOSTILE_STEPS) {
        w->quiet = true;   /* first one as it should be, so that the flipped ones meet every state */
        w->victim->act(w);
        w->quiet = false;
        world_flipped(w, saved);
        return;
    }
    w->victim->act(w);
}

bool hostile_open(world *w, const hostile_victim *victim, enum hostile_mode mode, uint64_t seed, uint64_t wanted)
{
    struct sigaction action;
    memset(w, 0, sizeof *w);
    w->victim = victim;
    w->mode = mode;
    w->seed = seed;
    w->wanted = wanted;
    w->random = seed * 6364136223846793005u | 1;
    w->memory = w->pages = world_guarded(HOSTILE_ARENA_BYTES, &w->alias_pages);
    w->alias = w->alias_pages;
    unsigned char *unused[2];
    w->out = world_guarded(HOSTILE_BUFFER_BYTES, &unused[0]);
    w->in = world_guarded(HOSTILE_BUFFER_BYTES, &unused[1]);
    w->state = calloc(1, victim->state_bytes);
    w->saved_state = calloc(1, victim->state_bytes);
    w->controls = calloc(HOSTILE_ARENA_BYTES / 4, sizeof *w->controls);
    if (!w->memory || !w->out || !w->in || !w->state || !w->saved_state || !w->controls) return false;
    munmap(unused[0], HOSTILE_BUFFER_BYTES);
    munmap(unused[1], HOSTILE_BUFFER_BYTES);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = world_fault;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    static const tern__os *world_real_os;
    if (!world_real_os) world_real_os = tern__os_current;
    tern__os_current = HOSTILE_WATCHED || mode == HOSTILE_STEPS ? &world_os : world_real_os;
    world_clock_ns = 0;
    hostile_watched = w;
    for (int i = 0; i < 8; i++) {
        world_make(w);
        memcpy(w->others[i], w->header, sizeof w->header);
    }
    w->left = 1;
    return mode != HOSTILE_STEPS || hostile_step_begin(w);
}

/* All operations; with a thread that lies, an object for some hundred calls, then the next one. */
void hostile_run(world *w)
{
    while (w->operations < w->wanted) {
        if (w->mode != HOSTILE_THREAD) {
            world_round(w);
            continue;
        }
        pthread_t thread;
        world_make(w);
        uint64_t until = w->operations + 300 < w->wanted ? w->operations + 300 : w->wanted;
        w->over = false;
        if (pthread_create(&thread, NULL, world_liar, w) != 0) hostile_fail(w, "no thread");
        while (w->operations < until) world_round(w);
        __atomic_store_n(&w->over, true, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
        w->left = 1;
    }
}

void hostile_close(world *w)
{
    world_margins(w, false);
    munmap(w->pages - WORLD_PAGE, HOSTILE_ARENA_BYTES + 2 * WORLD_PAGE);
    munmap(w->alias_pages, HOSTILE_ARENA_BYTES);
    munmap(w->out - WORLD_PAGE, HOSTILE_BUFFER_BYTES + 2 * WORLD_PAGE);
    munmap(w->in - WORLD_PAGE, HOSTILE_BUFFER_BYTES + 2 * WORLD_PAGE);
    free(w->state);
    free(w->saved_state);
    free(w->controls);
    hostile_watched = NULL;
}
