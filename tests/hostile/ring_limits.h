/* SPDX-License-Identifier: MIT */
/* ring_limits.h: how many accesses a ring's calls make at most, and what they read more than once. Included by
 * victim_ring.c alone. */
#ifndef TERN_HOSTILE_RING_LIMITS_H
#define TERN_HOSTILE_RING_LIMITS_H

#include "hostile.h"

/* Accesses: a look for space takes 2, of which the second says whether the consumer closed; a publication by
 * exchange 4 (asymmetric, the word, and two to go back), a plain one 4 (the word, asleep, the same two); the
 * sequenced layout stores a hint. A look for items publishes what was freed. */
enum { RING_SPACE = 2, RING_PUBLISH = 4, RING_FREE = 4, RING_HINT = 1, RING_CHECK = 1, RING_COPY = 1,
       RING_ITEMS = 1 + RING_FREE + 1 + RING_CHECK,
       RING_WAIT_LOOK = 1 + 1 + RING_ITEMS + RING_ITEMS + 8 };

enum ring_call { PUSH, POP, PUSH_MANY, POP_MANY, RESERVE, COMMIT, PEEK, RELEASE, PRODUCER_STATUS, CONSUMER_STATUS,
                 PRODUCER_COUNT, CONSUMER_COUNT, PRODUCER_WAIT, CONSUMER_WAIT, PUSH_WAIT, POP_WAIT, CLOSE_PRODUCER,
                 CLOSE_CONSUMER, ATTACH_PRODUCER, ATTACH_CONSUMER, DETACH_PRODUCER, DETACH_CONSUMER, INSPECT,
                 RING_CALLS };

static hostile_limit ring_limits[RING_CALLS] = {
    [PUSH] = { "tern_ring_push", RING_SPACE + RING_COPY + RING_PUBLISH + RING_HINT, 0, 0, 0 },
    [POP] = { "tern_ring_pop", 1 + RING_ITEMS + RING_COPY + RING_FREE, 0, 0, 0 },
    [PUSH_MANY] = { "tern_ring_push_many", RING_SPACE + 2 + RING_PUBLISH, RING_COPY + RING_PUBLISH + RING_HINT, 0, 0 },
    [POP_MANY] = { "tern_ring_pop_many", 2 + RING_ITEMS + 2 + RING_FREE, 2 + RING_COPY + RING_FREE, 0, 0 },
    [RESERVE] = { "tern_ring_reserve", RING_SPACE, 0, 0, 0 },
    [COMMIT] = { "tern_ring_commit", RING_PUBLISH + RING_HINT, 0, 0, 0 },
    [PEEK] = { "tern_ring_peek", RING_ITEMS, 0, 0, 0 },
    [RELEASE] = { "tern_ring_release", RING_FREE, 0, 0, 0 },
    [PRODUCER_STATUS] = { "tern_ring_producer_status", 1, 0, 0, 0 },
    [CONSUMER_STATUS] = { "tern_ring_consumer_status", 1 + RING_ITEMS, 0, 0, 0 },
    [PRODUCER_COUNT] = { "tern_ring_producer_was_count", 1, 0, 0, 0 },
    [CONSUMER_COUNT] = { "tern_ring_consumer_was_count", 1, 0, 0, 0 },
    /* each for a number of looks */
    [PRODUCER_WAIT] = { "tern_ring_producer_wait", 0, RING_WAIT_LOOK, 0, 0 },
    [CONSUMER_WAIT] = { "tern_ring_consumer_wait", 0, RING_WAIT_LOOK, 0, 0 },
    [PUSH_WAIT] = { "tern_ring_push_wait", RING_SPACE + RING_COPY + RING_PUBLISH + RING_HINT, RING_WAIT_LOOK, 0, 0 },
    [POP_WAIT] = { "tern_ring_pop_wait", 2 * RING_ITEMS + RING_COPY + RING_FREE, RING_WAIT_LOOK, 0, 0 },
    [CLOSE_PRODUCER] = { "tern_ring_close_producer", 2, 0, 0, 0 },
    [CLOSE_CONSUMER] = { "tern_ring_close_consumer", 1 + RING_FREE, 0, 0, 0 },
    /* each for a slot: a sequence that is not yet told by the index */
    [ATTACH_PRODUCER] = { "tern_ring_attach_producer", 2 + 2 + 1 + RING_HINT, 1, 0, 0 },
    [ATTACH_CONSUMER] = { "tern_ring_attach_consumer", 2 + 2 + 1, 1, 0, 0 },
    [DETACH_PRODUCER] = { "tern_ring_detach_producer", 0, 0, 0, 0 },
    [DETACH_CONSUMER] = { "tern_ring_detach_consumer", RING_FREE, 0, 0, 0 },
    [INSPECT] = { "tern_ring_inspect", 2 + 2 + 4 + 1, 0, 0, 0 },
};

#define LOOKS_AGAIN \
    "a look that found nothing, then one more after a pause, then one that tells damage from emptiness; the last one " \
    "that finds an item decides, and the limit is bounded by what that one saw"
#define WAITS "each look begins anew and bounds what it sees"

static const hostile_reread ring_rereads[] = {
    { "tern_ring_inspect", "producer.word", 2, 0, "once for the index, once for SLEEP: numbers to look at" },
    { "tern_ring_pop", "sequence", 4, 0, LOOKS_AGAIN },
    { "tern_ring_pop_many", "sequence", 5, 2,
      "the same, twice more for each item of a slot that is filled again meanwhile" },
    { "tern_ring_peek", "sequence", 3, 0, LOOKS_AGAIN },
    { "tern_ring_consumer_status", "sequence", 3, 0, LOOKS_AGAIN },
    { "tern_ring_pop_wait", "sequence", 7, 9, WAITS },
    { "tern_ring_pop_wait", "producer.word", 1, 4, WAITS },
    { "tern_ring_pop_wait", "producer.closed", 0, 2, WAITS },
    { "tern_ring_pop_wait", "producer.asymmetric", 0, 1, WAITS },
    { "tern_ring_pop_wait", "consumer.asleep", 2, 2, "one look after each publication of freed slots" },
    { "tern_ring_pop_wait", "consumer.word", 2, 2, "exchanges that publish; of the old value SLEEP alone is used" },
    { "tern_ring_consumer_wait", "sequence", 0, 9, WAITS },
    { "tern_ring_consumer_wait", "producer.word", 0, 5, WAITS },
    { "tern_ring_consumer_wait", "producer.closed", 0, 2, WAITS },
    { "tern_ring_consumer_wait", "producer.asymmetric", 0, 1, WAITS },
    { "tern_ring_push_wait", "consumer.word", 1, 4, WAITS },
    { "tern_ring_push_wait", "consumer.closed", 1, 3, WAITS },
    { "tern_ring_push_wait", "consumer.asymmetric", 0, 1, WAITS },
    { "tern_ring_producer_wait", "consumer.word", 0, 4, WAITS },
    { "tern_ring_producer_wait", "consumer.closed", 0, 3, WAITS },
    { "tern_ring_producer_wait", "consumer.asymmetric", 0, 1, WAITS },
    { "tern_ring_pop_many", "data", 1, 1,
      "the next item in a slot that is filled again meanwhile; bytes that mean nothing to us" },
    { "tern_ring_push_many", "producer.asleep", 0, 1, "sequenced: one look after each item's publication" },
    { "tern_ring_pop_many", "consumer.asleep", 2, 1, "one look after each publication of freed slots" },
    { "tern_ring_pop_many", "consumer.word", 2, 1, "exchanges that publish; of the old value SLEEP alone is used" },
    { "tern_ring_pop", "consumer.asleep", 2, 0, "freed slots published before the look and after the item" },
    { "tern_ring_pop", "consumer.word", 2, 0, "the same, by exchange; of the old value SLEEP alone is used" },
    { NULL, NULL, 0, 0, NULL },
};

#endif
