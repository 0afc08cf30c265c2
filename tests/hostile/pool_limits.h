/* SPDX-License-Identifier: MIT */
/* pool_limits.h: how many accesses a pool's calls make at most, and what they read more than once: in memory of its
 * own, and "held", in a region. Included by victim_pool.c alone. */
#ifndef TERN_HOSTILE_POOL_LIMITS_H
#define TERN_HOSTILE_POOL_LIMITS_H

#include "hostile.h"

enum { POOL_PEERS = 2 };

/* How often a call tries again is the library's; the watched build has smaller numbers (meson.build),
 * or the calls that a liar holds up to the last try would take all the time. */
#ifndef TERN__POOL_LIST_TRIES
#  define TERN__POOL_LIST_TRIES (1u << 13)
#endif

enum {
    POOL_TAKE = 5 * TERN__POOL_LIST_TRIES,        /* head, link, tail, and two compare-exchanges */
    POOL_GIVE = 5 * TERN__POOL_LIST_TRIES,        /* tail, link, own link, and two compare-exchanges */
    POOL_PIN = TERN__POOL_TRIES,
    POOL_UNPIN = 1 + 1 + 1 + POOL_GIVE,
    POOL_LIVE = 4   /* head, tail, retired; and the tail's link: a slot may be in the list that tail is not at yet */
};

/* How often a thread looks for its pin is the library's too. */
#ifndef TERN__HOLD_TRIES
#  define TERN__HOLD_TRIES 64u
#endif

enum {
    HOLD_BEGIN = 2 * TERN_PEER_HOLDS + 1,         /* a load and a compare-exchange of each; or the call is counted */
    HOLD_END = 1,
    /* pins_used only grows, so that each lost compare-exchange is one more pin. A liar who writes it back at each
     * try could hold the call longer; by chance none does. */
    HOLD_MORE = 2 + TERN__PEER_PINS,              /* a load, compare-exchanges, and the hold's */
    HOLD_TAKE_PIN = TERN__PEER_PINS * (1 + HOLD_MORE),
    HOLD_LOOK = 1 + POOL_PEERS * (1 + TERN__PEER_PINS),   /* peers_used; pins_used and all pins of each */
    HOLD_RECLAIM = HOLD_LOOK + 1 + POOL_GIVE,
    HOLD_LET_GO = 1 + HOLD_RECLAIM + 1,
    HOLD_UNPIN_COUNTED = HOLD_BEGIN + 1 + TERN__POOL_TRIES + HOLD_RECLAIM + HOLD_END,
    HOLD_UNPIN = TERN__HOLD_TRIES * (2 * TERN__PEER_PINS + HOLD_UNPIN_COUNTED) + HOLD_LET_GO,
    HOLD_PIN = HOLD_TAKE_PIN + TERN__POOL_TRIES + 2 + HOLD_UNPIN   /* and, of a stale handle, back again */
};

enum pool_call { ALLOC, GET, PIN, UNPIN, READ, FREE, WALK, LIVE, RETIRED, ATTACH, DETACH, INSPECT, POOL_CALLS };

static hostile_limit pool_limits[POOL_CALLS] = {
    [ALLOC] = { "tern_pool_alloc", POOL_TAKE + 2, 0, 0, 0 },
    [GET] = { "tern_pool_get", 1, 0, 0, 0 },
    [PIN] = { "tern_pool_pin", POOL_PIN, 0, 0, 0 },
    [UNPIN] = { "tern_pool_unpin", POOL_UNPIN, 0, 0, 0 },
    [READ] = { "tern_pool_read", POOL_PIN + 1 + POOL_UNPIN, 0, 0, 0 },
    [FREE] = { "tern_pool_free", TERN__POOL_TRIES + 1 + POOL_GIVE, 0, 0, 0 },
    [WALK] = { "tern_pool_walk", 0, 1 + POOL_PIN, 0, 0 },   /* each for a slot */
    [LIVE] = { "tern_pool_was_live", POOL_LIVE, 0, 0, 0 },
    [RETIRED] = { "tern_pool_was_retired", 1, 0, 0, 0 },
    [ATTACH] = { "tern_pool_attach", 2, 0, 0, 0 },
    [DETACH] = { "tern_pool_detach", 0, 0, 0, 0 },
    [INSPECT] = { "tern_pool_inspect", 2 + 1 + POOL_LIVE, 0, 0, 0 },
};

static hostile_limit pool_held_limits[POOL_CALLS] = {
    [ALLOC] = { "tern_pool_alloc, held", HOLD_BEGIN + POOL_TAKE + TERN__POOL_LIST_TRIES + 3 + HOLD_END, 0, 0, 0 },
    [GET] = { "tern_pool_get, held", 1, 0, 0, 0 },
    [PIN] = { "tern_pool_pin, held", HOLD_PIN, 0, 0, 0 },
    [UNPIN] = { "tern_pool_unpin, held", HOLD_UNPIN, 0, 0, 0 },
    [READ] = { "tern_pool_read, held", HOLD_PIN + 1 + HOLD_UNPIN, 0, 0, 0 },
    [FREE] = { "tern_pool_free, held", HOLD_BEGIN + TERN__POOL_TRIES + HOLD_RECLAIM + HOLD_END, 0, 0, 0 },
    [WALK] = { "tern_pool_walk, held", 0, 1 + HOLD_PIN, 0, 0 },
    [LIVE] = { "tern_pool_was_live, held", POOL_LIVE, 0, 0, 0 },
    [RETIRED] = { "tern_pool_was_retired, held", 1, 0, 0, 0 },
    [ATTACH] = { "tern_pool_attach, held", 2, 0, 0, 0 },
    [DETACH] = { "tern_pool_detach, held", 0, 0, 0, 0 },
    [INSPECT] = { "tern_pool_inspect, held", 2 + 1 + POOL_LIVE, 0, 0, 0 },
};

#define RACES "each try begins anew: its indices are bounded, and its compare-exchange is on what it bounded"
#define FAILED "each compare-exchange takes what the one before saw, after a check; the one that succeeds decides"
#define CHECKED "a load that is checked, and a compare-exchange that expects what was loaded"
#define CUT "once as such, once for the number of live items: each is cut to its range"

static const hostile_reread pool_rereads[] = {
    { "tern_pool_alloc", "head", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_alloc", "tail", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_alloc", "slot.link", TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_alloc", "slot.word", 2, 0, CHECKED },
    { "tern_pool_free", "tail", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_free", "slot.link", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_free", "slot.word", TERN__POOL_TRIES, 0, FAILED },
    { "tern_pool_pin", "slot.word", TERN__POOL_TRIES, 0, FAILED },
    { "tern_pool_walk", "slot.word", 1 + TERN__POOL_TRIES, 0, FAILED },
    { "tern_pool_unpin", "tail", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_unpin", "slot.link", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_unpin", "slot.word", 2, 0, "a subtraction, and a compare-exchange that expects what it left" },
    { "tern_pool_read", "tail", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_read", "slot.link", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_read", "slot.word", 2 + TERN__POOL_TRIES, 0, "as pin and unpin" },
    { "tern_pool_inspect", "retired", 2, 0, CUT },
    { NULL, NULL, 0, 0, NULL },
};

#define HOLDS "a load that is only compared, and a compare-exchange that expects what was compared"
#define ROUNDS "each round of looks begins anew, and what it finds is decided by compare-exchange"

enum {   /* how often a call may read one word: a look for a pin, in each round; and what is given back meanwhile */
    HOLD_ROUND = 2 + 2 + 1,
    HOLD_UNPIN_READS = TERN__HOLD_TRIES * HOLD_ROUND + 2,
    HOLD_PIN_READS = 2 + HOLD_UNPIN_READS,
    HOLD_LIST = 2 * TERN__POOL_LIST_TRIES * (TERN__HOLD_TRIES + 1),
    HOLD_WORD = (TERN__HOLD_TRIES + 1) * (TERN__POOL_TRIES + 2) + 2
};

static const hostile_reread pool_held_rereads[] = {
    { "tern_pool_alloc, held", "head", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_alloc, held", "tail", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_alloc, held", "slot.link", TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_alloc, held", "slot.word", 2, 0, CHECKED },
    { "tern_pool_alloc, held", "hold", 2, 0, HOLDS },
    { "tern_pool_alloc, held", "unheld", 2, 0, "counted up, and down" },
    { "tern_pool_free, held", "tail", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_free, held", "slot.link", 2 * TERN__POOL_LIST_TRIES, 0, RACES },
    { "tern_pool_free, held", "slot.word", TERN__POOL_TRIES + 1, 0, FAILED },
    { "tern_pool_free, held", "hold", 2 + 1, 0, HOLDS ", and the look whether it is a pin" },
    { "tern_pool_free, held", "unheld", 2, 0, "counted up, and down" },
    { "tern_pool_unpin, held", "tail", HOLD_LIST, 0, RACES },
    { "tern_pool_unpin, held", "slot.link", HOLD_LIST, 0, RACES },
    { "tern_pool_unpin, held", "slot.word", HOLD_WORD, 0, FAILED },
    { "tern_pool_unpin, held", "hold", HOLD_UNPIN_READS, 0, ROUNDS },
    { "tern_pool_unpin, held", "unheld", 2 * TERN__HOLD_TRIES, 0, "counted up, and down" },
    { "tern_pool_unpin, held", "pins_used", 2, 0, ROUNDS },
    { "tern_pool_unpin, held", "peers_used", 2, 0, ROUNDS },
    { "tern_pool_pin, held", "tail", HOLD_LIST, 0, RACES },
    { "tern_pool_pin, held", "slot.link", HOLD_LIST, 0, RACES },
    { "tern_pool_pin, held", "slot.word", HOLD_WORD + TERN__POOL_TRIES, 0, FAILED },
    { "tern_pool_pin, held", "hold", HOLD_PIN_READS, 0, ROUNDS },
    { "tern_pool_pin, held", "unheld", 2 * TERN__HOLD_TRIES, 0, "counted up, and down" },
    { "tern_pool_pin, held", "pins_used", HOLD_TAKE_PIN + 2, 0, "bounded tries to make it more; and a look" },
    { "tern_pool_pin, held", "peers_used", 2, 0, ROUNDS },
    { "tern_pool_read, held", "tail", 2 * HOLD_LIST, 0, RACES },
    { "tern_pool_read, held", "slot.link", 2 * HOLD_LIST, 0, RACES },
    { "tern_pool_read, held", "slot.word", 2 * HOLD_WORD + TERN__POOL_TRIES, 0, "as pin and unpin" },
    { "tern_pool_read, held", "hold", HOLD_PIN_READS + HOLD_UNPIN_READS, 0, ROUNDS },
    { "tern_pool_read, held", "unheld", 4 * TERN__HOLD_TRIES, 0, "counted up, and down" },
    { "tern_pool_read, held", "pins_used", HOLD_TAKE_PIN + 4, 0, "as pin and unpin" },
    { "tern_pool_read, held", "peers_used", 4, 0, ROUNDS },
    /* each for a slot */
    { "tern_pool_walk, held", "tail", 0, HOLD_LIST, RACES },
    { "tern_pool_walk, held", "slot.link", 0, HOLD_LIST, RACES },
    { "tern_pool_walk, held", "slot.word", 1 + HOLD_WORD + TERN__POOL_TRIES, 0, FAILED },
    { "tern_pool_walk, held", "hold", 0, HOLD_PIN_READS, ROUNDS },
    { "tern_pool_walk, held", "unheld", 0, 2 * TERN__HOLD_TRIES, "counted up, and down" },
    { "tern_pool_walk, held", "pins_used", 0, HOLD_TAKE_PIN + 2, "as pin" },
    { "tern_pool_walk, held", "peers_used", 0, 2, ROUNDS },
    { "tern_pool_walk, held", "retired", 0, 1, "counted up" },
    { "tern_pool_inspect, held", "retired", 2, 0, CUT },
    { NULL, NULL, 0, 0, NULL },
};

#endif
