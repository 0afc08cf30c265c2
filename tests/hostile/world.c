/* SPDX-License-Identifier: MIT */
/* world.c: memory between forbidden pages, what is checked for all victims, and the rounds. */
#define _GNU_SOURCE 1
#include "hostile.h"

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
    printf("# call %s, step %u of %u, items %u\n", w->limit ? w->limit->call : "none", w->steps, w->steps_allowed,
           w->items);
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
        hostile_fail(w, "%s gave %s (%d), which it does not document", w->limit->call, tern_status_name(status),
                     (int)status);
    return status;
}

bool hostile_attached(const world *w, tern_status status, uint32_t documented, const void *view, size_t view_bytes)
{
    const unsigned char *at = view;
    if (hostile_status(w, status, documented) == TERN_OK) return true;
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
        hostile_fail(w, "%s lent %llu bytes from the object's byte %lld", w->limit->call,
                     (unsigned long long)size_bytes, (long long)(from - begin));
    for (uint64_t i = 0; i < size_bytes; i = i + 61 < size_bytes || i == size_bytes - 1 ? i + 61 : size_bytes - 1) {
        if (write) bytes[i] = 0x77;
        else (void)bytes[i];
    }
}

void hostile_take_turns(world *w, uint32_t first_role, uint32_t one_in, void (*first)(world *),
                        void (*second)(world *))
{
    bool quiet = w->quiet, peer = hostile_below(w, one_in) == 0;
    if (peer) w->quiet = true;
    if ((w->victim->role == first_role) != peer) first(w);
    else second(w);
    w->quiet = quiet;
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

/* As docs/layout.md says: in a paged ring the ends lie on both sides of the border of pages 0 and 1. */
uint32_t hostile_ends_at(const world *w)
{
    return w->victim->form & TERN_RING_PAGED ? 4096 - 128 : 128;
}

uint32_t hostile_items_at(const world *w)
{
    return w->victim->form & TERN_RING_PAGED ? 8192 : 384;
}

struct tern_ring_end *hostile_ends(const world *w)
{
    return (struct tern_ring_end *)(void *)(w->memory + hostile_ends_at(w));
}

const char *hostile_end_word(const world *w, uint32_t offset)
{
    uint32_t at = hostile_ends_at(w);
    if (offset < at) return hostile_header_word(w, offset);
    bool producer = offset - at < sizeof(struct tern_ring_end);
    if (offset - at >= 2 * sizeof(struct tern_ring_end)) return NULL;
    switch ((offset - at) % sizeof(struct tern_ring_end)) {
    case offsetof(struct tern_ring_end, word): return producer ? "producer.word" : "consumer.word";
    case offsetof(struct tern_ring_end, closed): return producer ? "producer.closed" : "consumer.closed";
    case offsetof(struct tern_ring_end, asymmetric): return producer ? "producer.asymmetric" : "consumer.asymmetric";
    case offsetof(struct tern_ring_end, asleep): return producer ? "producer.asleep" : "consumer.asleep";
    default: return NULL;
    }
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
    hostile_use_os(HOSTILE_WATCHED || mode == HOSTILE_STEPS);
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
        if (pthread_create(&thread, NULL, hostile_liar, w) != 0) hostile_fail(w, "no thread");
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
