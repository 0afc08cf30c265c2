/* SPDX-License-Identifier: MIT */
/* kill_stream.c: either end of a stream, killed at every instruction of every call: with and without padding at
 * the end of the memory, plain and waitable, by exchange, by plain stores, and at the change between them.
 *
 *   kill_stream [--only TEXT] */
#include "stream_world.h"

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
