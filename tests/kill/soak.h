/* SPDX-License-Identifier: MIT */
/* soak.h: pairs of processes that are killed at random, and what they leave behind: books in shared memory of
 * what each began and has done, beside the object that is tested. */
#ifndef TERN_SOAK_H
#define TERN_SOAK_H

#include "../stress/stress.h"

enum { SOAK_ROLES = 2, SOAK_SOURCES = 100, SOAK_BOARD = 16 };

/* Whoever has the role writes it; its successor goes on with it. */
typedef struct soak_book {
    tern_a64 begun;           /* nothing from this number on has been done */
    tern_a64 done;            /* all below has been */
    tern_a64 again;           /* items that were delivered again */
    tern_a64 slack;           /* of a consumer: so many that it has done may come again */
    tern_a32 lives;           /* how many have begun to work */
    tern_a32 learned;         /* how many were told that their predecessor died */
    tern_a32 by_store, asleep;/* deaths of a ring's end that published by plain stores; with the other end asleep */
    tern_a64 pending;         /* a bell's ringer: source + 1 that it is about to ring */
} soak_book;

typedef struct soak_books {
    soak_book of[SOAK_ROLES];
    tern_a32 stop;
    tern_a64 rung[SOAK_SOURCES], seen[SOAK_SOURCES];   /* of a bell: counters */
    tern_a64 board[SOAK_BOARD];                        /* of a pool: handles that are anybody's */
    tern_a64 changed;                                  /* calls of pools that did something */
} soak_books;

/* One process of a pair, from its start to its end by a kill, or by stop. */
typedef struct soak_life {
    soak_books *books;
    soak_book *book;          /* its own */
    tern_region region;       /* its own attachment: a peer */
    int role;
    uint64_t random;
    const char *name;
} soak_life;

typedef struct soak_kind {
    const char *name, *roles[SOAK_ROLES];
    uint32_t flags;
    bool (*make)(tern_region *region, uint32_t flags);
    bool (*live)(soak_life *life, uint32_t flags);        /* false: something was wrong */
    /* after so many kills both are killed and this looks whether all is whole; 0: never */
    int rest_every;
    bool (*rest)(tern_region *region, soak_books *books, int kills);
    bool (*judge)(soak_books *books, int kills);          /* in the end, after both ended by themselves */
    void (*died)(const tern_region *region, soak_book *book, int role);   /* after each kill; may be NULL */
} soak_kind;

bool soak_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define SOAK_TRUE(condition) do { if (!(condition)) return soak_wrong("%s", #condition); } while (0)

static inline bool soak_stops(const soak_life *life)
{
    return tern_a32_load_acquire(&life->books->stop, KILL) != 0;
}

static inline uint64_t soak_get(tern_a64 *word)
{
    return tern_a64_load_acquire(word, KILL);
}

static inline void soak_set(tern_a64 *word, uint64_t value)
{
    tern_a64_store_release(word, value, KILL);
}

static inline void soak_count(tern_a32 *word, bool one)
{
    if (one) tern_a32_store_release(word, tern_a32_load_acquire(word, KILL) + 1, KILL);
}

/* A new life goes on with `next`, which must be what the book allows; it was told `report` by its open. */
bool soak_open_book(soak_life *life, uint64_t next, uint64_t slack, const tern_recovery *report);
/* Busy for long, then a pause now and then, so that the other one sleeps. */
void soak_pause(soak_life *life);

extern const soak_kind soak_ends[], soak_shared[];     /* up to one without a name */

#endif
