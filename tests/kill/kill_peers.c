/* SPDX-License-Identifier: MIT */
/* kill_peers.c: peers of a region, really killed while they open, make, use and give back an end of an object. The
 * end goes to a successor, who learns of it; the other end, which waits, is told; a name can be made by others.
 *
 *   kill_peers [--only TEXT] */
#include "peers.h"

static const tern_stream_desc stream_desc = { 256, TERN_STREAM_WAITABLE };
static const tern_triple_desc triple_desc = { sizeof(thing) };
static const tern_bell_desc bell_desc = { 8 };

static union {
    tern_ring_producer rp;
    tern_ring_consumer rc;
    tern_stream_producer sp;
    tern_stream_consumer sc;
    tern_triple_writer tw;
    tern_triple_reader tr;
    tern_bell bell;
} end;                              /* in the victim's hands, or a successor's */

/* An end of each kind: opened, used, and found again. */
#define OPENS(what, call, view, desc) \
    static tern_status open_##what(bool make) { return call(&end.view, &theirs, "it", make ? &(desc) : NULL); }
OPENS(ring_producer, tern_ring_open_producer, rp, ring_desc)
OPENS(ring_consumer, tern_ring_open_consumer, rc, ring_desc)
OPENS(stream_producer, tern_stream_open_producer, sp, stream_desc)
OPENS(stream_consumer, tern_stream_open_consumer, sc, stream_desc)
OPENS(triple_writer, tern_triple_open_writer, tw, triple_desc)
OPENS(triple_reader, tern_triple_open_reader, tr, triple_desc)
OPENS(collector, tern_bell_open_collector, bell, bell_desc)

static bool use_ring_producer(void) { thing t = make_thing(3); return thing_ring_push(&end.rp, &t); }
static bool use_ring_consumer(void) { thing t; return !thing_ring_pop(&end.rc, &t) || is_thing(&t, 3); }
static bool use_stream_producer(void) { thing t = make_thing(3); return tern_stream_send(&end.sp, 3, &t, sizeof t); }
static bool use_stream_consumer(void)
{
    thing t;
    uint32_t length, kind;
    return !tern_stream_receive(&end.sc, &t, sizeof t, &length, &kind) || (kind == 3 && is_thing(&t, 3));
}
static bool use_triple_writer(void)
{
    *(thing *)tern_triple_back(&end.tw) = make_thing(3);
    tern_triple_publish(&end.tw);
    return tern_triple_writer_status(&end.tw) == TERN_OK;
}
static bool use_triple_reader(void)
{
    tern_triple_update(&end.tr);
    return tern_triple_reader_status(&end.tr) == TERN_OK;
}
static bool use_collector(void)
{
    tern_status status = tern_bell_wait(&end.bell, 0);
    tern_bell_collect(&end.bell);
    return status == TERN_OK || status == TERN_ERR_TIMEOUT || status == TERN_ERR_PEER_DEAD;
}

static void detach_ring_producer(void) { tern_ring_detach_producer(&end.rp); }
static void detach_ring_consumer(void) { tern_ring_detach_consumer(&end.rc); }
static void detach_stream_producer(void) { tern_stream_detach_producer(&end.sp); }
static void detach_stream_consumer(void) { tern_stream_detach_consumer(&end.sc); }
static void detach_triple_writer(void) { tern_triple_detach_writer(&end.tw); }
static void detach_triple_reader(void) { tern_triple_detach_reader(&end.tr); }
static void detach_collector(void) { tern_bell_detach(&end.bell); }

typedef struct {
    const char *name;
    tern_status (*open)(bool make);
    bool (*use)(void);
    void (*detach)(void);
    const tern_recovery *report;
} end_kind;

static const end_kind ends[] = {
    { "ring, producer", open_ring_producer, use_ring_producer, detach_ring_producer, &end.rp.recovery },
    { "ring, consumer", open_ring_consumer, use_ring_consumer, detach_ring_consumer, &end.rc.recovery },
    { "stream, producer", open_stream_producer, use_stream_producer, detach_stream_producer, &end.sp.ring.recovery },
    { "stream, consumer", open_stream_consumer, use_stream_consumer, detach_stream_consumer, &end.sc.ring.recovery },
    { "triple, writer", open_triple_writer, use_triple_writer, detach_triple_writer, &end.tw.recovery },
    { "triple, reader", open_triple_reader, use_triple_reader, detach_triple_reader, &end.tr.recovery },
    { "bell, collector", open_collector, use_collector, detach_collector, &end.bell.recovery },
};
static const end_kind *kind;

/* The object is there, with an item in it, and nobody has its ends. */
static void object(void)
{
    make_region();
    join();
    if (kind->open(true) != TERN_OK) abort();
    const end_kind *producer = &ends[(kind - ends) / 2 * 2];
    kind->detach();
    if (producer != kind && (producer->open(false) != TERN_OK || !producer->use())) abort();
    if (producer != kind) producer->detach();
    tern_shm_close(&theirs);
}

/* The victim comes with the end in its hands. */
static void join_and_open(void)
{
    join();
    if (kind->open(false) != TERN_OK) _exit(1);
}

static void open_victim(void) { kind->open(false); }
static void make_victim(void) { kind->open(true); }
static void use_victim(void) { kind->use(); }
static void detach_victim(void) { kind->detach(); }

/* ---- Who comes: ends ------------------------------------------------------------------------------- */

/* A successor takes the end, others are refused while it lives; afterwards the end is clean.
 * @return whether it learned that its predecessor died; KILL_WRONG */
static int successor_opens(bool make)
{
    tern_region second;
    join();
    KILL_MUST(kind->open(make) == TERN_OK);
    int outcome = (int)kind->report->outcome;
    KILL_MUST(outcome == TERN_RECOVERY_CLEAN || outcome == TERN_RECOVERY_REPAIRED);
    KILL_MUST(kind->use());
    /* BUSY to another peer, as long as it has the end */
    unsigned char kept[sizeof end];
    memcpy(kept, &end, sizeof end);
    second = theirs;
    join();
    KILL_MUST(kind->open(make) == TERN_ERR_BUSY);
    memcpy(&end, kept, sizeof end);
    kind->detach();
    KILL_MUST(kind->open(make) == TERN_OK && kind->report->outcome == TERN_RECOVERY_CLEAN && kind->use());
    kind->detach();
    tern_shm_close(&theirs);
    tern_shm_close(&second);
    return outcome == TERN_RECOVERY_REPAIRED;
}

/* Effect: 1 if the dead one had taken the end. */
static int opener_died(int order)
{
    (void)order;
    int learned = successor_opens(false);
    KILL_MUST(learned != KILL_WRONG && all_is_buried());
    return learned;
}

/* The dead one had the end, whatever it did with it. */
static int holder_died(int order)
{
    (void)order;
    KILL_MUST(successor_opens(false) == 1 && all_is_buried());
    return 0;
}

/* Effect: 1 if it had given the end back. */
static int detacher_died(int order)
{
    (void)order;
    int learned = successor_opens(false);
    KILL_MUST(learned != KILL_WRONG && all_is_buried());
    return 1 - learned;
}

/* Effect: 1 when the object is ready, 2 when its end is taken. Others see it whole or not at all. */
static int maker_died(int order)
{
    (void)order;
    tern_object found;
    tern_status status = tern_region_find(&survivors, "it", 0, &found);
    KILL_MUST(status == TERN_OK || status == TERN_ERR_NOT_FOUND || status == TERN_ERR_PEER_DEAD);
    int learned = successor_opens(true);
    KILL_MUST(learned != KILL_WRONG && all_is_buried());
    KILL_MUST(status == TERN_OK || learned == 0);
    return (status == TERN_OK) + learned;
}

/* The dead one made an object nobody else wants: its name and memory do not stand in the way of another's. */
static int maker_died_and_another_is_made(int order)
{
    (void)order;
    tern_region second;
    tern_ring_producer other;
    KILL_MUST(tern_shm_open_fd(&second, survivors_fd, NULL) == TERN_OK);
    KILL_MUST(tern_ring_open_producer(&other, &second, "another", &ring_desc) == TERN_OK);
    thing t = make_thing(1);
    KILL_MUST(thing_ring_push(&other, &t));
    tern_ring_detach_producer(&other);
    tern_shm_close(&second);
    int effect = maker_died(0);
    KILL_MUST(effect != KILL_WRONG);
    return effect;
}

static const kill_case of_ends[] = {
    KILL_REAL("open", object, join, open_victim, opener_died, close_region, 1),
    KILL_REAL("use", object, join_and_open, use_victim, holder_died, close_region, 0),
    KILL_REAL("detach", object, join_and_open, detach_victim, detacher_died, close_region, 1),
    KILL_REAL("open that makes it", make_region, join, make_victim, maker_died, close_region, 2),
    KILL_REAL("open that makes it, and another is made", make_region, join, make_victim, maker_died_and_another_is_made,
              close_region, 2),
};

/* ---- Who waits for the dead ------------------------------------------------------------------------ */

static union {
    tern_ring_consumer ring;
    tern_stream_consumer stream;
    tern_triple_reader triple;
} other;                            /* the survivor's end */

static tern_status open_other(void)
{
    switch (kind - ends) {
    case 0: return tern_ring_open_consumer(&other.ring, &survivors, "it", NULL);
    case 2: return tern_stream_open_consumer(&other.stream, &survivors, "it", NULL);
    default: return tern_triple_open_reader(&other.triple, &survivors, "it", NULL);
    }
}

/* Wait for ever for one more. */
static tern_status take_other(void)
{
    thing t = { 0, 0 };
    uint32_t length, number;
    tern_status status;
    switch (kind - ends) {
    case 0: status = thing_ring_pop_wait(&other.ring, &t, TERN_WAIT_FOREVER); break;
    case 2:
        status = tern_stream_receive_wait(&other.stream, &t, sizeof t, &length, &number, TERN_WAIT_FOREVER);
        break;
    default:
        status = tern_triple_wait(&other.triple, TERN_WAIT_FOREVER);
        if (status == TERN_OK && tern_triple_update(&other.triple))
            t = *(const thing *)tern_triple_front(&other.triple);
    }
    return status != TERN_OK || is_thing(&t, 3) ? status : TERN_ERR_CORRUPT;
}

static void close_other(void)
{
    switch (kind - ends) {
    case 0: tern_ring_detach_consumer(&other.ring); break;
    case 2: tern_stream_detach_consumer(&other.stream); break;
    default: tern_triple_detach_reader(&other.triple);
    }
}

/* Effect: 1 if the dead one had published. The other end gets that, then it is told, and goes on with the successor. */
static int waited_for_died(int order)
{
    (void)order;
    int got = 0;
    tern_status status;
    KILL_MUST(open_other() == TERN_OK);
    while ((status = take_other()) == TERN_OK) KILL_MUST(++got <= 1);
    KILL_MUST(status == TERN_ERR_PEER_DEAD);
    join();
    KILL_MUST(kind->open(false) == TERN_OK && kind->report->outcome == TERN_RECOVERY_REPAIRED);
    KILL_MUST(kind->use() && take_other() == TERN_OK);
    kind->detach();
    tern_shm_close(&theirs);
    close_other();
    KILL_MUST(all_is_buried());
    return got;
}

static const kill_case of_producers[] = {
    KILL_REAL("use, the other end waits", object, join_and_open, use_victim, waited_for_died, close_region, 1),
};

int main(int argc, char **argv)
{
    kill_begin(argc, argv, MEMORY_BYTES, &survivors, sizeof survivors);
    for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
        kind = &ends[k];
        for (size_t i = 0; i < sizeof of_ends / sizeof *of_ends; i++) kill_run(kind->name, &of_ends[i]);
        if (k < 6 && k % 2 == 0) kill_run(kind->name, &of_producers[0]);
    }
    return kill_end();
}
