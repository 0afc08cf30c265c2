/* SPDX-License-Identifier: MIT */
/*
 * hostile.h: a victim that uses an object, and an attacker that rewrites the object's bytes.
 *
 * A victim (victim_*.c) makes one random call of its role after the other and checks every answer.
 * The attacker (lies.c) changes shared words in one of these ways:
 *
 *   lies      before calls, and inside them between two accesses; what is spoiled stays spoiled
 *   flips     each word that a call reads is changed right after it was read: a second read of the
 *             word in that call sees something else. What was spoiled is put back after the call
 *   thread    another thread rewrites words all the time
 *   steps     the object is not accessible, and each access is stepped over (step.c)
 *
 * In the watched program (TERN_WATCH, see atomic.h) the library tells of each access. There each
 * call has a limit of accesses, and of reads of one word. The plain program is the library as it ships.
 * In both the object lies between pages that nobody may touch.
 */
#ifndef TERN_HOSTILE_H
#define TERN_HOSTILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tern/tern.h>

#if defined(TERN_WATCH)
enum { HOSTILE_WATCHED = 1 };
#else
enum { HOSTILE_WATCHED = 0 };
#endif

enum {
    HOSTILE_ARENA_BYTES = 16384,      /* for one object */
    HOSTILE_BUFFER_BYTES = 65536,     /* for what a call copies in or out */
    HOSTILE_CLOCK_STEP_NS = 50        /* the watched program's clock moves on so much at each look */
};

enum hostile_mode { HOSTILE_LIES, HOSTILE_FLIPS, HOSTILE_THREAD, HOSTILE_STEPS };

typedef struct world world;

/* One kind of call: how many accesses it may make, and how many more for each item. */
typedef struct hostile_limit {
    const char *call;
    uint32_t steps, each;
    uint32_t most;            /* that were seen */
    uint64_t calls;
} hostile_limit;

/* A call reads no word twice, unless this says so and why it is harmless. Ends with call NULL. */
typedef struct hostile_reread {
    const char *call, *word;
    uint32_t reads, each;
    const char *why;
} hostile_reread;

/* A primitive in one of its forms, and a role. */
typedef struct hostile_victim {
    const char *name;
    uint32_t form, role;              /* as its file understands them */
    size_t state_bytes;
    void (*shape)(world *);           /* choose capacity and item size; set size_bytes */
    void (*make)(world *);            /* format, and attach all ends */
    void (*act)(world *);             /* one call, or a few that belong together */
    /* what the word at this offset is called; "data" for bytes that mean nothing to Tern; NULL: padding */
    const char *(*word)(const world *, uint32_t offset);
    uint32_t (*own)(const world *);   /* where the victim stands, for lies that are nearly true */
    bool (*lie)(world *, uint32_t offset, uint64_t *value);   /* a lie for 64 bits; NULL: there are none */
    uint32_t geometry_bytes;          /* at offset 8; ends in a check */
    const hostile_reread *rereads;
    hostile_limit *limits;            /* shared by the forms of a primitive */
    uint32_t limit_count;
} hostile_victim;

struct world {
    const hostile_victim *victim;
    enum hostile_mode mode;
    unsigned char *memory;            /* the object as the victim sees it */
    unsigned char *alias;             /* the same bytes, for the attacker */
    unsigned char *pages, *alias_pages;   /* where objects are put, by both addresses */
    uint32_t size_bytes, capacity_items, item_size_bytes, shape;
    void *state, *saved_state;        /* the victim's views */
    unsigned char *out, *in;          /* each ends at a page that nobody may touch */
    uint64_t random, seed;
    uint64_t operations, wanted;      /* calls of the role under attack */
    uint64_t successes;               /* calls that did something: if there are none, nothing was tested */
    uint32_t left;                    /* rounds with this object */
    uint32_t own;                     /* as published for a thread that lies */
    /* the call that is being made */
    hostile_limit *limit;
    uint32_t steps, steps_allowed, items, call_number;
    bool calling, flipping;
    bool quiet;                       /* a call of the peer, or while an object is made: not attacked, not counted */
    bool over;                        /* told to the thread that lies */
    uint32_t inside;                  /* one in so many accesses is followed by a lie; 0: none */
    uint32_t *controls, control_count;
    unsigned char header[64];         /* as it was formatted */
    unsigned char others[8][64];      /* those of objects of other shapes */
    struct { uint32_t call, count; } reads[HOSTILE_ARENA_BYTES / 4];
};

/* xorshift64*; the state is not 0. */
static inline uint64_t hostile_random(world *w)
{
    w->random ^= w->random >> 12;
    w->random ^= w->random << 25;
    w->random ^= w->random >> 27;
    return w->random * 2685821657736338717u;
}

static inline uint32_t hostile_below(world *w, uint32_t bound)
{
    return (uint32_t)((hostile_random(w) >> 32) * bound >> 32);
}

/* ---- For victims ------------------------------------------------------------------------------ */

/* Say what happened, how to see it again, and end the program. */
_Noreturn void hostile_fail(const world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define hostile_check(w, condition) \
    ((condition) ? (void)0 : hostile_fail(w, "%s: not so: %s", (w)->limit->call, #condition))

/* Around each call of the library. The limit grows with items. */
void hostile_begin(world *w, hostile_limit *limit, uint32_t items);
void hostile_end(world *w);

/* A set of statuses. */
#define HOSTILE_ONE(status) (1u << ((status) < 0 ? -(status) : (status) == TERN_OK ? 0 : 31))
#define HOSTILE_ATTACHES (HOSTILE_ONE(TERN_OK) | HOSTILE_ONE(TERN_ERR_MEMORY) | HOSTILE_ONE(TERN_ERR_NOT_READY) \
                          | HOSTILE_ONE(TERN_ERR_VERSION) | HOSTILE_ONE(TERN_ERR_CORRUPT))
#define HOSTILE_STANDS (HOSTILE_ONE(TERN_OK) | HOSTILE_ONE(TERN_ERR_CLOSED) | HOSTILE_ONE(TERN_ERR_CORRUPT))
#define HOSTILE_WAITS (HOSTILE_STANDS | HOSTILE_ONE(TERN_ERR_TIMEOUT))

/* One of those that the call documents? @return the status */
tern_status hostile_status(const world *w, tern_status status, uint32_t documented);

/* Whether attach left nothing behind when it refused, and what it accepted fits. @return accepted */
bool hostile_attached(const world *w, tern_status status, uint32_t documented, const void *view, size_t view_bytes);

/* A view of another shape than the object was made with: the header was forged, and is in order. @return whether it
 * is; then the world has that shape from now on, and the other end is to be attached as well. */
bool hostile_reshaped(world *w, uint32_t capacity_items, uint32_t item_size_bytes);

/* Mostly, before an attach or inspect: the header as it was, or the lies of before would make each of them fail. */
void hostile_mend_header(world *w);

/* What was lent lies in the object, behind its header; then a byte of each line, and the last, is touched. */
void hostile_span(const world *w, const void *at, uint64_t size_bytes, size_t header_bytes, bool write);

/* A buffer of exactly so many bytes; to be filled by a call, or to be read by it. */
static inline unsigned char *hostile_out(const world *w, size_t size_bytes)
{
    return w->out + HOSTILE_BUFFER_BYTES - size_bytes;
}

static inline unsigned char *hostile_in(const world *w, size_t size_bytes)
{
    return w->in + HOSTILE_BUFFER_BYTES - size_bytes;
}

/* A call of the role under attack; or, one time in so many, an honest one of the other end, or nothing would move. */
void hostile_take_turns(world *w, uint32_t first_role, uint32_t one_in, void (*first)(world *),
                        void (*second)(world *));

/* A time-out that a test can wait for; mostly none. And how often a waiting call then looks. */
uint64_t hostile_timeout(world *w);
uint32_t hostile_looks(uint32_t spin_checks, uint64_t timeout_ns);

/* Of a ring, or a stream: where its two ends and its items lie, and what the word of an end is called at an
 * offset below the items; NULL: none. */
uint32_t hostile_ends_at(const world *w);
uint32_t hostile_items_at(const world *w);
struct tern_ring_end *hostile_ends(const world *w);
const char *hostile_end_word(const world *w, uint32_t offset);

/* The name of a word of a header: magic, reserved and geometry come first in all objects. */
const char *hostile_header_word(const world *w, uint32_t offset);

/* ---- The rest ------------------------------------------------------------------------------------ */

extern const hostile_victim *const hostile_victims[];   /* main.c; ends with NULL */
extern world *hostile_watched;                           /* the one whose accesses are told */
extern int hostile_number;                               /* of the case, for TAP */

bool hostile_open(world *w, const hostile_victim *victim, enum hostile_mode mode, uint64_t seed, uint64_t wanted);
void hostile_run(world *w);
void hostile_close(world *w);
/* lies.c: rewrite one word; or any, mostly one that means something to Tern; or any, until over. */
void hostile_mutate(world *w, uint32_t offset);
void hostile_mutate_any(world *w);
void *hostile_liar(void *the_world);

/* calls.c: no system calls, and a clock that depends on the seed alone. */
void hostile_use_os(bool ours);

/* step.c. False: not on this processor. */
bool hostile_step_begin(world *w);
void hostile_step_end(world *w);
void hostile_step_lock(bool locked);                     /* around a call */
void hostile_step_expect(const void *shared, size_t size_bytes);
extern uint64_t hostile_stepped;                         /* accesses */

/* How often a word was read in this call: too often? */
void hostile_count_reads(world *w, uint32_t offset, uint32_t size_bytes);

extern const hostile_victim hostile_ring_victims[], hostile_stream_victims[], hostile_triple_victims[],
    hostile_pool_victims[], hostile_pool_held_victims[], hostile_bell_victims[];   /* each ends with name NULL */

#endif
