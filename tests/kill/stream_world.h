/* SPDX-License-Identifier: MIT */
/* stream_world.h: for kill_stream.c: a stream in the tracer's hands, its kinds, the states in which a victim finds
 * it, and that all goes on afterwards. Records are numbered: the kind is the number, length and bytes follow
 * from it. */
#ifndef TERN_KILL_STREAM_WORLD_H
#define TERN_KILL_STREAM_WORLD_H

#include "kill.h"

/* Units of 8 bytes: 16 in all. Records of SHORT bytes take 2 of them, those of LONG bytes 5: three of those
 * leave one, and the fourth needs padding. */
enum { CAPACITY_BYTES = 128, SHORT = 5, LONG = 32, SLEEPER_RECORDS = 20, MOST_RECORDS = 8 };

static const struct stream_kind {
    const char *name;
    publishing how;
} kinds[] = {
    { "stream, plain", PLAIN },
    { "stream, exchange", EXCHANGE },
    { "stream, turning", TURNING },
    { "stream, asymmetric", ASYMMETRIC },
};
static publishing how;

static struct {
    size_t size;
    tern_stream_producer p;
    tern_stream_consumer c;
    uint32_t length;               /* of the records until the victim has died */
    uint32_t sent, received;       /* numbers of the next records */
    uint32_t released;             /* the record of this number and all behind it are delivered to a successor */
} w;

static inline void make_record(unsigned char *bytes, uint32_t number, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) bytes[i] = (unsigned char)(mix(number + 1) >> 8 * (i % 8)) ^ (unsigned char)i;
}

static inline bool is_record(const unsigned char *bytes, uint32_t length, uint32_t kind, uint32_t number,
                             uint32_t want_length)
{
    unsigned char right[CAPACITY_BYTES];
    make_record(right, number, want_length);
    if (kind == number && length == want_length && memcmp(bytes, right, length) == 0) return true;
    return kill_wrong("record %u of %u bytes where %u of %u should be, or a torn one", kind, length, number,
                      want_length);
}

static inline bool send_one(tern_stream_producer *p, uint32_t number, uint32_t length)
{
    unsigned char bytes[CAPACITY_BYTES];
    make_record(bytes, number, length);
    return tern_stream_send(p, number, bytes, length);
}

/* 1: the next record came; 0: none; KILL_WRONG: another. */
static inline int receive_one(tern_stream_consumer *c, uint32_t number, uint32_t want_length)
{
    unsigned char bytes[CAPACITY_BYTES];
    uint32_t length, kind;
    if (!tern_stream_receive(c, bytes, sizeof bytes, &length, &kind)) return 0;
    return is_record(bytes, length, kind, number, want_length) ? 1 : KILL_WRONG;
}

/* ---- Before the operation ------------------------------------------------------------------------- */

/* Where they turn: the next publication of either end is its last by exchange. */
static inline void turn(void)
{
    if (how == TURNING) w.p.ring.exchanges_left = w.c.ring.exchanges_left = 1;
}

static inline void send_some(uint32_t count)
{
    for (; count > 0; count--)
        if (send_one(&w.p, w.sent, w.length)) w.sent++;
}

static inline void receive_some(uint32_t count)
{
    for (; count > 0; count--)
        if (receive_one(&w.c, w.received, w.length) == 1) w.released = ++w.received;
}

static inline void empty_stream_of(uint32_t length)
{
    tern_stream_desc desc = { CAPACITY_BYTES, how == PLAIN ? 0 : TERN_STREAM_WAITABLE };
    w.size = tern_stream_size(&desc);
    w.sent = w.received = w.released = 0;
    tern_stream_format(kill_memory, w.size, &desc);
    tern_stream_attach_producer(&w.p, kill_memory, w.size);
    tern_stream_attach_consumer(&w.c, kill_memory, w.size);
    w.p.spin_checks = w.c.spin_checks = 2;
    tern_stream_consumer_release_every(&w.c, 1);
    w.length = 2 * 8;
    if (how == ASYMMETRIC) {   /* each end's next publication is its last by exchange; 16 units of records */
        w.p.ring.exchanges_left = w.c.ring.exchanges_left = 1;
        for (int i = 0; i < 3; i++) send_some(1), receive_some(1);
        w.length = 6 * 8;
        send_some(1), receive_some(1);
    }
    w.length = length;
    turn();
}

static inline void empty_stream(void) { empty_stream_of(LONG); }

/* One record, no padding is needed for the next. */
static inline void stream_of_one(void)
{
    empty_stream_of(LONG);
    send_some(1);
    turn();
}

/* One record before the end of the memory; the next needs padding, and then it fits. */
static inline void stream_before_padding(void)
{
    empty_stream_of(LONG);
    send_some(3);
    receive_some(2);
    turn();
}

/* As much of it as can be is full: the next record's padding fits, the record does not. */
static inline void stream_full_but_for_padding(void)
{
    empty_stream_of(LONG);
    send_some(3);
    turn();
}

static inline void full_stream(void)
{
    empty_stream_of(SHORT);
    send_some(8);
    turn();
}

/* Padding is the next thing that the consumer comes to. */
static inline void stream_at_padding(void)
{
    empty_stream_of(LONG);
    send_some(3);
    receive_some(2);
    send_some(1);
    receive_some(1);
    turn();
}

/* Five short records, every second is released. */
static inline void lazy_stream(void)
{
    empty_stream_of(SHORT);
    send_some(5);
    tern_stream_consumer_release_every(&w.c, CAPACITY_BYTES);
    turn();
}

static inline void lazy_stream_of_one_kept(void)
{
    lazy_stream();
    uint32_t released = w.released;
    receive_some(1);
    w.released = released;
    turn();
}

/* All received, one not released. */
static inline void lazy_stream_drained(void)
{
    empty_stream_of(SHORT);
    send_some(1);
    tern_stream_consumer_release_every(&w.c, CAPACITY_BYTES);
    uint32_t released = w.released;
    receive_some(1);
    w.released = released;
    turn();
}

/* ---- Who is left and who comes ----------------------------------------------------------------------- */

static inline bool drain(tern_stream_consumer *c, uint32_t *next)
{
    int came;
    for (uint32_t count = 0; (came = receive_one(c, *next, w.length)) == 1; ++*next) KILL_TRUE(++count <= MOST_RECORDS);
    return came == 0;
}

/* Records of every length, three times around; after a look each of them fits. */
static inline bool flow(tern_stream_producer *p, tern_stream_consumer *c, uint32_t next)
{
    for (uint32_t i = 0; i < 24; i++, next++) {
        uint32_t length = i % 3 == 0 ? p->max_record_bytes : i * 5 % p->max_record_bytes;
        for (int looks = 0; !send_one(p, next, length); looks++) KILL_TRUE(looks < 2 && receive_one(c, 0, 0) == 0);
        KILL_TRUE(receive_one(c, next, length) == 1);
    }
    KILL_TRUE(tern_stream_producer_status(p) == TERN_OK && tern_stream_consumer_status(c) == TERN_OK);
    return true;
}

#endif
