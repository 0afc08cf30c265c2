/* SPDX-License-Identifier: MIT */
/* kill_stream.c: either end of a stream, killed at every instruction of every call: with and without padding at
 * the end of the memory, plain and waitable, by exchange, by plain stores, and at the change between them.
 * Records are numbered: the kind is the number, length and bytes follow from it.
 *
 *   kill_stream [--only TEXT] */
#include "kill.h"

/* Units of 8 bytes: 16 in all. Records of SHORT bytes take 2 of them, those of LONG bytes 5: three of those
 * leave one, and the fourth needs padding. */
enum { CAPACITY_BYTES = 128, SHORT = 5, LONG = 32, SLEEPER_RECORDS = 20, MOST_RECORDS = 8 };

typedef enum { PLAIN, EXCHANGE, TURNING, ASYMMETRIC } publishing;

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

static void make_record(unsigned char *bytes, uint32_t number, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) bytes[i] = (unsigned char)(mix(number + 1) >> 8 * (i % 8)) ^ (unsigned char)i;
}

static bool is_record(const unsigned char *bytes, uint32_t length, uint32_t kind, uint32_t number, uint32_t want_length)
{
    unsigned char right[CAPACITY_BYTES];
    make_record(right, number, want_length);
    if (kind == number && length == want_length && memcmp(bytes, right, length) == 0) return true;
    return kill_wrong("record %u of %u bytes where %u of %u should be, or a torn one", kind, length, number,
                      want_length);
}

static bool send_one(tern_stream_producer *p, uint32_t number, uint32_t length)
{
    unsigned char bytes[CAPACITY_BYTES];
    make_record(bytes, number, length);
    return tern_stream_send(p, number, bytes, length);
}

/* 1: the next record came; 0: none; KILL_WRONG: another. */
static int receive_one(tern_stream_consumer *c, uint32_t number, uint32_t want_length)
{
    unsigned char bytes[CAPACITY_BYTES];
    uint32_t length, kind;
    if (!tern_stream_receive(c, bytes, sizeof bytes, &length, &kind)) return 0;
    return is_record(bytes, length, kind, number, want_length) ? 1 : KILL_WRONG;
}

/* ---- Before the operation ------------------------------------------------------------------------- */

static void turn(void)
{
    if (how == TURNING) w.p.ring.exchanges_left = w.c.ring.exchanges_left = 1;
}

static void send_some(uint32_t count)
{
    for (; count > 0; count--)
        if (send_one(&w.p, w.sent, w.length)) w.sent++;
}

static void receive_some(uint32_t count)
{
    for (; count > 0; count--)
        if (receive_one(&w.c, w.received, w.length) == 1) w.released = ++w.received;
}

static void empty_stream_of(uint32_t length)
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

static void empty_stream(void) { empty_stream_of(LONG); }

/* One record, no padding is needed for the next. */
static void stream_of_one(void)
{
    empty_stream_of(LONG);
    send_some(1);
    turn();
}

/* One record before the end of the memory; the next needs padding, and then it fits. */
static void stream_before_padding(void)
{
    empty_stream_of(LONG);
    send_some(3);
    receive_some(2);
    turn();
}

/* As much of it as can be is full: the next record's padding fits, the record does not. */
static void stream_full_but_for_padding(void)
{
    empty_stream_of(LONG);
    send_some(3);
    turn();
}

static void full_stream(void)
{
    empty_stream_of(SHORT);
    send_some(8);
    turn();
}

/* Padding is the next thing that the consumer comes to. */
static void stream_at_padding(void)
{
    empty_stream_of(LONG);
    send_some(3);
    receive_some(2);
    send_some(1);
    receive_some(1);
    turn();
}

/* Five short records, every second is released. */
static void lazy_stream(void)
{
    empty_stream_of(SHORT);
    send_some(5);
    tern_stream_consumer_release_every(&w.c, CAPACITY_BYTES);
    turn();
}

static void lazy_stream_of_one_kept(void)
{
    lazy_stream();
    uint32_t released = w.released;
    receive_some(1);
    w.released = released;
    turn();
}

/* All received, one not released. */
static void lazy_stream_drained(void)
{
    empty_stream_of(SHORT);
    send_some(1);
    tern_stream_consumer_release_every(&w.c, CAPACITY_BYTES);
    uint32_t released = w.released;
    receive_some(1);
    w.released = released;
    turn();
}

/* ---- Operations ------------------------------------------------------------------------------------- */

static void send(void) { send_one(&w.p, w.sent, w.length); }

static void reserve(void)
{
    unsigned char *at = tern_stream_reserve(&w.p, w.length);
    if (at) make_record(at, w.sent, w.length);
}

/* Reserves more than it commits. */
static void reserve_commit(void)
{
    unsigned char *at = tern_stream_reserve(&w.p, w.length + 8);
    if (!at) return;
    make_record(at, w.sent, w.length);
    tern_stream_set_kind(&w.p, w.sent);
    tern_stream_commit(&w.p, w.length);
}

static void send_wait(void)
{
    unsigned char bytes[LONG];
    make_record(bytes, w.sent, w.length);
    tern_stream_send_wait(&w.p, w.sent, bytes, w.length, TERN_WAIT_FOREVER);
}

static void reserve_wait(void)
{
    void *at;
    tern_stream_reserve_wait(&w.p, w.length, &at, TERN_WAIT_FOREVER);
}

static void receive(void)
{
    unsigned char bytes[LONG];
    uint32_t length, kind;
    tern_stream_receive(&w.c, bytes, sizeof bytes, &length, &kind);
}

static void receive_wait(void)
{
    unsigned char bytes[LONG];
    uint32_t length, kind;
    tern_stream_receive_wait(&w.c, bytes, sizeof bytes, &length, &kind, TERN_WAIT_FOREVER);
}

static void peek(void) { uint32_t length, kind; (void)tern_stream_peek(&w.c, &length, &kind); }
static void peek_release(void) { uint32_t n, k; if (tern_stream_peek(&w.c, &n, &k)) tern_stream_release(&w.c); }

static void peek_wait(void)
{
    uint32_t length, kind;
    const void *at;
    tern_stream_peek_wait(&w.c, &at, &length, &kind, TERN_WAIT_FOREVER);
}

static void producer_status(void) { tern_stream_producer_status(&w.p); }
static void consumer_status(void) { tern_stream_consumer_status(&w.c); }
static void attach_producer(void) { tern_stream_attach_producer(&w.p, kill_memory, w.size); }
static void attach_consumer(void) { tern_stream_attach_consumer(&w.c, kill_memory, w.size); }
static void detach_producer(void) { tern_stream_detach_producer(&w.p); }
static void detach_consumer(void) { tern_stream_detach_consumer(&w.c); }
static void close_producer(void) { tern_stream_close_producer(&w.p); }
static void close_consumer(void) { tern_stream_close_consumer(&w.c); }
static void send_another(void) { send_some(1); }
static void receive_another(void) { receive_some(1); }

/* ---- Who is left and who comes ----------------------------------------------------------------------- */

static bool drain(tern_stream_consumer *c, uint32_t *next)
{
    int came;
    for (uint32_t count = 0; (came = receive_one(c, *next, w.length)) == 1; ++*next) KILL_TRUE(++count <= MOST_RECORDS);
    return came == 0;
}

/* Records of every length, three times around; after a look each of them fits. */
static bool flow(tern_stream_producer *p, tern_stream_consumer *c, uint32_t next)
{
    for (uint32_t i = 0; i < 24; i++, next++) {
        uint32_t length = i % 3 == 0 ? p->max_record_bytes : i * 5 % p->max_record_bytes;
        for (int looks = 0; !send_one(p, next, length); looks++) KILL_TRUE(looks < 2 && receive_one(c, 0, 0) == 0);
        KILL_TRUE(receive_one(c, next, length) == 1);
    }
    KILL_TRUE(tern_stream_producer_status(p) == TERN_OK && tern_stream_consumer_status(c) == TERN_OK);
    return true;
}

/* Effect: records that the dead one had sent. Order 0: the consumer drains first; 1: the successor comes first. */
static int producer_died(int order)
{
    tern_stream_producer successor;
    uint32_t next = w.received;
    if (order == 0) KILL_MUST(drain(&w.c, &next));
    KILL_MUST(tern_stream_attach_producer(&successor, kill_memory, w.size) == TERN_OK);
    KILL_MUST(drain(&w.c, &next) && next >= w.sent);
    KILL_MUST(flow(&successor, &w.c, next));
    return (int)(next - w.sent);
}

/* Effect: records released since. Order 0: the producer fills up first; 1: the successor drains first; 2: there is
 * no producer left either. */
static int consumer_died(int order)
{
    tern_stream_consumer successor;
    unsigned char bytes[CAPACITY_BYTES];
    uint32_t length, number, sent = w.sent, first;
    while (order == 0 && send_one(&w.p, sent, w.length)) sent++;
    KILL_MUST(tern_stream_attach_consumer(&successor, kill_memory, w.size) == TERN_OK);
    if (order == 2) KILL_MUST(tern_stream_attach_producer(&w.p, kill_memory, w.size) == TERN_OK);
    first = sent;
    if (tern_stream_receive(&successor, bytes, sizeof bytes, &length, &number)) {
        KILL_MUST(number <= w.sent && is_record(bytes, length, number, number, w.length));
        first = number++;
        KILL_MUST(drain(&successor, &number) && number == sent);
    }
    KILL_MUST(first >= w.released && first <= w.sent);
    KILL_MUST(flow(&w.p, &successor, sent));
    return (int)(first - w.released);
}

/* Effect: 1 if it is closed. */
static int closing_producer_died(int order)
{
    tern_stream_producer successor;
    tern_stream_info info;
    uint32_t next = w.received;
    if (order == 0) KILL_MUST(drain(&w.c, &next) && next == w.sent);
    KILL_MUST(tern_stream_attach_producer(&successor, kill_memory, w.size) == TERN_OK);
    KILL_MUST(tern_stream_inspect(&info, kill_memory, w.size) == TERN_OK);
    if (order == 1) KILL_MUST(drain(&w.c, &next) && next == w.sent);
    KILL_MUST(tern_stream_consumer_status(&w.c) == (info.producer_closed ? TERN_ERR_CLOSED : TERN_OK));
    if (!info.producer_closed) KILL_MUST(flow(&successor, &w.c, next));
    tern_stream_close_producer(&successor);
    KILL_MUST(receive_one(&w.c, 0, 0) == 0 && tern_stream_consumer_status(&w.c) == TERN_ERR_CLOSED);
    return info.producer_closed;
}

static int closing_consumer_died(int order)
{
    tern_stream_consumer successor;
    tern_stream_info info;
    if (order == 0) send_some(MOST_RECORDS);
    KILL_MUST(tern_stream_attach_consumer(&successor, kill_memory, w.size) == TERN_OK);
    KILL_MUST(tern_stream_inspect(&info, kill_memory, w.size) == TERN_OK);
    uint32_t next = w.received;
    KILL_MUST(drain(&successor, &next) && next == w.sent);
    while (order == 1 && info.consumer_closed && send_one(&w.p, w.sent, w.length)) { }
    KILL_MUST(tern_stream_producer_status(&w.p) == (info.consumer_closed ? TERN_ERR_CLOSED : TERN_OK));
    if (!info.consumer_closed) KILL_MUST(flow(&w.p, &successor, next));
    tern_stream_close_consumer(&successor);
    while (send_one(&w.p, w.sent, w.length)) { }   /* what it knows to be free may go in unseen */
    KILL_MUST(tern_stream_producer_status(&w.p) == TERN_ERR_CLOSED);
    return info.consumer_closed;
}

/* ---- Sleepers --------------------------------------------------------------------------------------- */

static tern_stream_producer next_producer;
static tern_stream_consumer next_consumer;
static uint32_t effect;

/* The consumer sleeps on an empty stream, until CLOSED. */
static int sleeping_consumer(void)
{
    unsigned char bytes[CAPACITY_BYTES];
    uint32_t length, kind, next = w.received;
    tern_status status;
    while ((status = tern_stream_receive_wait(&w.c, bytes, sizeof bytes, &length, &kind, TERN_WAIT_FOREVER)) == TERN_OK)
        KILL_MUST(is_record(bytes, length, kind, next++, w.length));
    KILL_MUST(status == TERN_ERR_CLOSED);
    return (int)(next - w.received);
}

static int sleeping_producer(void)
{
    unsigned char bytes[LONG];
    for (uint32_t end = w.received + SLEEPER_RECORDS; w.sent != end; w.sent++) {
        make_record(bytes, w.sent, w.length);
        tern_status status = tern_stream_send_wait(&w.p, w.sent, bytes, w.length, TERN_WAIT_FOREVER);
        if (status == TERN_ERR_CLOSED) return 1;
        KILL_MUST(status == TERN_OK);
    }
    tern_stream_close_producer(&w.p);
    return 0;
}

static void empty_stream_asleep(void) { empty_stream(); kill_leave_asleep(sleeping_consumer); }
static void full_stream_asleep(void) { full_stream(); kill_leave_asleep(sleeping_producer); }

/* The consumer sleeps at a place from which the next record needs padding. */
static void padding_asleep(void)
{
    empty_stream_of(LONG);
    for (int i = 0; i < 3; i++) send_some(1), receive_some(1);
    turn();
    kill_leave_asleep(sleeping_consumer);
}

static bool all_is_received(void) { return tern_stream_producer_was_used_bytes(&next_producer) == 0; }
static bool all_is_filled(void) { return tern_stream_consumer_was_used_bytes(&next_consumer) == CAPACITY_BYTES; }

static bool producer_comes(void)
{
    unsigned char bytes[LONG];
    KILL_TRUE(tern_stream_attach_producer(&next_producer, kill_memory, w.size) == TERN_OK);
    next_producer.spin_checks = 2;
    /* the dead one's units are padding, or a record, or both */
    uint32_t units = (next_producer.ring.tail - w.p.ring.tail) & 0x7fffffff;
    KILL_TRUE(kill_soon(all_is_received));
    effect = units >= 5;
    for (uint32_t next = w.sent + effect, end = next + SLEEPER_RECORDS; next != end; next++) {
        make_record(bytes, next, w.length);
        KILL_TRUE(tern_stream_send_wait(&next_producer, next, bytes, w.length, TERN_WAIT_FOREVER) == TERN_OK);
    }
    tern_stream_close_producer(&next_producer);
    return true;
}

static int producer_died_beside_sleeper(int order)
{
    (void)order;
    int came = kill_beside_sleeper(sleeping_consumer, producer_comes);
    KILL_MUST(came == SLEEPER_RECORDS + (int)effect);
    return (int)effect;
}

static bool consumer_comes(void)
{
    unsigned char bytes[CAPACITY_BYTES];
    uint32_t length, kind;
    tern_status status;
    KILL_TRUE(tern_stream_attach_consumer(&next_consumer, kill_memory, w.size) == TERN_OK);
    next_consumer.spin_checks = 2;
    effect = ((next_consumer.ring.head - w.c.ring.head) & 0x7fffffff) / 2;
    KILL_TRUE(kill_soon(all_is_filled));
    uint32_t next = w.received + effect;
    while ((status = tern_stream_receive_wait(&next_consumer, bytes, sizeof bytes, &length, &kind, TERN_WAIT_FOREVER))
           == TERN_OK)
        KILL_TRUE(is_record(bytes, length, kind, next++, w.length));
    KILL_TRUE(status == TERN_ERR_CLOSED && next == w.received + SLEEPER_RECORDS);
    return true;
}

static int consumer_died_beside_sleeper(int order)
{
    (void)order;
    return kill_beside_sleeper(sleeping_producer, consumer_comes) == 0 ? (int)effect : KILL_WRONG;
}

static bool closing_producer_comes(void)
{
    tern_stream_info info;
    KILL_TRUE(tern_stream_attach_producer(&next_producer, kill_memory, w.size) == TERN_OK);
    KILL_TRUE(tern_stream_inspect(&info, kill_memory, w.size) == TERN_OK);
    effect = info.producer_closed;
    if (!effect) tern_stream_close_producer(&next_producer);
    return true;
}

static int closing_producer_died_beside_sleeper(int order)
{
    (void)order;
    return kill_beside_sleeper(sleeping_consumer, closing_producer_comes) == 0 ? (int)effect : KILL_WRONG;
}

static bool closing_consumer_comes(void)
{
    tern_stream_info info;
    KILL_TRUE(tern_stream_attach_consumer(&next_consumer, kill_memory, w.size) == TERN_OK);
    KILL_TRUE(tern_stream_inspect(&info, kill_memory, w.size) == TERN_OK);
    effect = info.consumer_closed;
    if (!effect) tern_stream_close_consumer(&next_consumer);
    return true;
}

static int closing_consumer_died_beside_sleeper(int order)
{
    (void)order;
    return kill_beside_sleeper(sleeping_producer, closing_consumer_comes) == 1 ? (int)effect : KILL_WRONG;
}

/* ---- The table --------------------------------------------------------------------------------------- */

static const kill_case all[] = {
    KILL_CASE("send", stream_of_one, send, producer_died, 2, 1),
    KILL_CASE("send behind padding", stream_before_padding, send, producer_died, 2, 1),
    KILL_CASE("send, only its padding fits", stream_full_but_for_padding, send, producer_died, 2, 0),
    KILL_CASE("send into a full stream", full_stream, send, producer_died, 2, 0),
    KILL_CASE("reserve", stream_of_one, reserve, producer_died, 2, 0),
    KILL_CASE("reserve behind padding", stream_before_padding, reserve, producer_died, 2, 0),
    KILL_CASE("reserve, set_kind, commit", stream_of_one, reserve_commit, producer_died, 2, 1),
    KILL_CASE("status of the producer", stream_of_one, producer_status, producer_died, 2, 0),
    KILL_CASE("attach_producer", stream_of_one, attach_producer, producer_died, 2, 0),
    KILL_CASE("detach_producer", stream_of_one, detach_producer, producer_died, 2, 0),
    KILL_CASE("close_producer", stream_of_one, close_producer, closing_producer_died, 2, 1),
    KILL_CASE("receive", lazy_stream, receive, consumer_died, 3, 0),
    KILL_CASE("receive that releases", lazy_stream_of_one_kept, receive, consumer_died, 3, 2),
    KILL_CASE("receive that finds nothing and releases", lazy_stream_drained, receive, consumer_died, 3, 1),
    KILL_CASE("receive behind padding", stream_at_padding, receive, consumer_died, 3, 1),
    KILL_CASE("peek", lazy_stream, peek, consumer_died, 3, 0),
    KILL_CASE("peek behind padding", stream_at_padding, peek, consumer_died, 3, 0),
    KILL_CASE("peek, release", lazy_stream_of_one_kept, peek_release, consumer_died, 3, 2),
    KILL_CASE("status of the consumer", lazy_stream_drained, consumer_status, consumer_died, 3, 0),
    KILL_CASE("attach_consumer", lazy_stream_of_one_kept, attach_consumer, consumer_died, 3, 0),
    KILL_CASE("detach_consumer", lazy_stream_of_one_kept, detach_consumer, consumer_died, 3, 1),
    KILL_CASE("close_consumer", stream_of_one, close_consumer, closing_consumer_died, 2, 1),
};

static const kill_case waitable[] = {
    KILL_CASE("send_wait, there is space", stream_before_padding, send_wait, producer_died, 2, 1),
    KILL_ASLEEP("send_wait that sleeps", full_stream, send_wait, receive_another, producer_died, 2, 1),
    KILL_ASLEEP("reserve_wait that sleeps", full_stream, reserve_wait, receive_another, producer_died, 2, 0),
    KILL_ASLEEP("send_wait that sleeps after its padding", stream_full_but_for_padding, send_wait, receive_another,
                producer_died, 2, 1),
    KILL_CASE("receive_wait, there is a record", lazy_stream_of_one_kept, receive_wait, consumer_died, 3, 2),
    KILL_ASLEEP("receive_wait that sleeps", lazy_stream_drained, receive_wait, send_another, consumer_died, 3, 1),
    KILL_ASLEEP("peek_wait that sleeps", lazy_stream_drained, peek_wait, send_another, consumer_died, 3, 1),
    KILL_BESIDE("send, the consumer sleeps", empty_stream_asleep, send, producer_died_beside_sleeper, 1),
    KILL_BESIDE("send behind padding, the consumer sleeps", padding_asleep, send, producer_died_beside_sleeper, 1),
    KILL_BESIDE("close_producer, the consumer sleeps", empty_stream_asleep, close_producer,
                closing_producer_died_beside_sleeper, 1),
    KILL_BESIDE("receive, the producer sleeps", full_stream_asleep, receive, consumer_died_beside_sleeper, 1),
    KILL_BESIDE("close_consumer, the producer sleeps", full_stream_asleep, close_consumer,
                closing_consumer_died_beside_sleeper, 1),
};

int main(int argc, char **argv)
{
    kill_begin(argc, argv, 4096, &w, sizeof w);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        how = kinds[k].how;
        empty_stream();
        if (how >= TURNING && w.p.ring.exchanges_left == TERN__RING_ALWAYS) {
            kill_skip(kinds[k].name, "this system has no barrier for other processes");
            continue;
        }
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) kill_run(kinds[k].name, &all[i]);
        for (size_t i = 0; how != PLAIN && i < sizeof waitable / sizeof *waitable; i++)
            kill_run(kinds[k].name, &waitable[i]);
    }
    return kill_end();
}
