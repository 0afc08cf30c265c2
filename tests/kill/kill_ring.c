/* SPDX-License-Identifier: MIT */
/* kill_ring.c: either end of a ring, killed at every instruction of every call; each layout, plain and waitable,
 * with the victim's end publishing by exchange, by plain stores, and at the change from one to the other.
 *
 *   kill_ring [--only TEXT] */
#include "ring_world.h"

/* ---- Operations of the producer ------------------------------------------------------------------------ */

static void push(void) { item i = make_item(w.pushed); item_ring_push(&w.p, &i); }
static void push_untyped(void) { item i = make_item(w.pushed); tern_ring_push(&w.p, &i); }
static void push_wait(void) { item i = make_item(w.pushed); tern_ring_push_wait(&w.p, &i, TERN_WAIT_FOREVER); }
static void producer_wait(void) { tern_ring_producer_wait(&w.p, TERN_WAIT_FOREVER); }
static void producer_status(void) { tern_ring_producer_status(&w.p); }
static void producer_was_count(void) { (void)tern_ring_producer_was_count(&w.p); }
static void attach_producer(void) { tern_ring_attach_producer(&w.p, kill_memory, w.size); }
static void detach_producer(void) { tern_ring_detach_producer(&w.p); }
static void close_producer(void) { tern_ring_close_producer(&w.p); }

static void push_many(void)
{
    item some[MANY];
    for (uint32_t i = 0; i < MANY; i++) some[i] = make_item(w.pushed + i);
    item_ring_push_many(&w.p, some, MANY);
}

static void push_many_untyped(void)
{
    item some[MANY];
    for (uint32_t i = 0; i < MANY; i++) some[i] = make_item(w.pushed + i);
    tern_ring_push_many(&w.p, some, MANY);
}

static void reserve(void)
{
    uint32_t got;
    item *at = item_ring_reserve(&w.p, 2, &got);
    for (uint32_t i = 0; i < got; i++) at[i] = make_item(w.pushed + i);
}

static void reserve_commit(void)
{
    uint32_t got;
    item *at = item_ring_reserve(&w.p, 2, &got);
    for (uint32_t i = 0; i < got; i++) at[i] = make_item(w.pushed + i);
    item_ring_commit(&w.p, got);
}

/* ---- Operations of the consumer --------------------------------------------------------------------- */

static void pop(void) { item i; item_ring_pop(&w.c, &i); }
static void pop_untyped(void) { item i; tern_ring_pop(&w.c, &i); }
static void pop_many(void) { item some[MANY]; item_ring_pop_many(&w.c, some, MANY); }
static void pop_many_untyped(void) { item some[MANY]; tern_ring_pop_many(&w.c, some, MANY); }
static void peek(void) { uint32_t got; (void)item_ring_peek(&w.c, 2, &got); }
static void peek_release(void) { uint32_t got; if (item_ring_peek(&w.c, 2, &got)) item_ring_release(&w.c, got); }
static void pop_wait(void) { item i; tern_ring_pop_wait(&w.c, &i, TERN_WAIT_FOREVER); }
static void consumer_wait(void) { tern_ring_consumer_wait(&w.c, TERN_WAIT_FOREVER); }
static void consumer_status(void) { tern_ring_consumer_status(&w.c); }
static void consumer_was_count(void) { (void)tern_ring_consumer_was_count(&w.c); }
static void attach_consumer(void) { tern_ring_attach_consumer(&w.c, kill_memory, w.size); }
static void detach_consumer(void) { tern_ring_detach_consumer(&w.c); }
static void close_consumer(void) { tern_ring_close_consumer(&w.c); }

/* The other end's part once the victim sleeps. */
static void push_one(void) { push_some(1); }
static void pop_one(void) { pop_some(1); }

/* ---- Who is left and who comes ----------------------------------------------------------------------- */

/* Effect: items that the dead one had pushed. Order 0: the consumer drains first; 1: the successor comes first. */
static int producer_died(int order)
{
    tern_ring_producer successor;
    uint64_t next = w.popped;
    if (order == 0) KILL_MUST(drain(&w.c, &next));
    KILL_MUST(tern_ring_attach_producer(&successor, kill_memory, w.size) == TERN_OK);
    KILL_MUST(drain(&w.c, &next));
    KILL_MUST(next >= w.pushed);
    KILL_MUST(flow(&successor, &w.c, next));
    return (int)(next - w.pushed);
}

/* Effect: items that had been released since. Order 0: the producer fills up first; 1: the successor drains first;
 * 2: there is no producer left either. */
static int consumer_died(int order)
{
    tern_ring_consumer successor;
    uint64_t first, pushed = w.pushed;
    item i;
    uint32_t added = order == 0 ? fill(&w.p, &pushed) : 0;
    KILL_MUST(tern_ring_attach_consumer(&successor, kill_memory, w.size) == TERN_OK);
    if (order == 2) KILL_MUST(tern_ring_attach_producer(&w.p, kill_memory, w.size) == TERN_OK);
    first = pushed;
    if (item_ring_pop(&successor, &i)) {
        first = i.number;
        KILL_MUST(first <= w.pushed && is_item(&i, first));
        uint64_t next = first + 1;
        KILL_MUST(drain(&successor, &next) && next == pushed);
    }
    if (order == 0) KILL_MUST(added == CAPACITY - (w.pushed - first));
    KILL_MUST(first >= w.released);
    KILL_MUST(flow(&w.p, &successor, pushed));
    return (int)(first - w.released);
}

/* Effect: 1 if it is closed. What was pushed comes, then CLOSED, from the dead one's call or from the successor's. */
static int closing_producer_died(int order)
{
    tern_ring_producer successor;
    tern_ring_info info;
    uint64_t next = w.popped;
    if (order == 0) KILL_MUST(drain(&w.c, &next) && next == w.pushed);
    KILL_MUST(tern_ring_attach_producer(&successor, kill_memory, w.size) == TERN_OK);
    KILL_MUST(tern_ring_inspect(&info, kill_memory, w.size) == TERN_OK);
    if (order == 1) KILL_MUST(drain(&w.c, &next) && next == w.pushed);
    KILL_MUST(tern_ring_consumer_status(&w.c) == (info.producer_closed ? TERN_ERR_CLOSED : TERN_OK));
    if (!info.producer_closed) {
        KILL_MUST(flow(&successor, &w.c, next));
        tern_ring_close_producer(&successor);
    }
    item i;
    KILL_MUST(!item_ring_pop(&w.c, &i) && tern_ring_consumer_status(&w.c) == TERN_ERR_CLOSED);
    return info.producer_closed;
}

static int closing_consumer_died(int order)
{
    tern_ring_consumer successor;
    tern_ring_info info;
    item i = make_item(w.pushed);
    if (order == 0) fill(&w.p, &w.pushed);
    KILL_MUST(tern_ring_attach_consumer(&successor, kill_memory, w.size) == TERN_OK);
    KILL_MUST(tern_ring_inspect(&info, kill_memory, w.size) == TERN_OK);
    KILL_MUST(tern_ring_producer_status(&w.p) == (info.consumer_closed ? TERN_ERR_CLOSED : TERN_OK));
    if (!info.consumer_closed) {
        uint64_t next = w.popped;
        KILL_MUST(drain(&successor, &next) && next == w.pushed);
        KILL_MUST(flow(&w.p, &successor, next));
        tern_ring_close_consumer(&successor);
    }
    while (item_ring_push(&w.p, &i)) { }   /* what it knows to be free may go in unseen */
    KILL_MUST(tern_ring_producer_status(&w.p) == TERN_ERR_CLOSED);
    return info.consumer_closed;
}

/* ---- A bell that the producer rings -------------------------------------------------------------------- */

static struct {
    tern_bell bell;
    size_t size;
} bound;

enum { BELL_OFFSET = 2048, SOURCE = 3 };

static bool collects(bool *rang)
{
    tern_bell collector;
    KILL_TRUE(tern_bell_attach(&collector, kill_memory + BELL_OFFSET, bound.size) == TERN_OK);
    *rang = tern_bell_collect(&collector) == 1u << SOURCE;
    return true;
}

static void ring_bound_to_bell(void)
{
    tern_bell_desc desc = { 8 };
    ring_of_two();
    bound.size = tern_bell_size(&desc);
    tern_bell_format(kill_memory + BELL_OFFSET, bound.size, &desc);
    tern_bell_attach(&bound.bell, kill_memory + BELL_OFFSET, bound.size);
    tern_ring_producer_bind(&w.p, &bound.bell, SOURCE);
}

/* Effect: 1 when the item is there, 2 when it has been rung for. If it was not, the successor's next push does. */
static int bound_producer_died(int order)
{
    tern_ring_producer successor;
    tern_bell bell;
    bool rang = false, rings = false;
    uint64_t next = w.popped;
    KILL_MUST(collects(&rang));
    KILL_MUST(tern_ring_attach_producer(&successor, kill_memory, w.size) == TERN_OK);
    KILL_MUST(tern_bell_attach(&bell, kill_memory + BELL_OFFSET, bound.size) == TERN_OK);
    KILL_MUST(tern_ring_producer_bind(&successor, &bell, SOURCE) == TERN_OK);
    if (order == 0) KILL_MUST(drain(&w.c, &next));
    uint64_t there = order == 0 ? next : w.pushed + ((successor.tail - w.p.tail) & 0x7fffffff);
    KILL_MUST(!rang || there == w.pushed + 1);
    item i = make_item(there);
    KILL_MUST(item_ring_push(&successor, &i) && collects(&rings) && rings);
    KILL_MUST(drain(&w.c, &next) && next == there + 1);
    KILL_MUST(flow(&successor, &w.c, next));
    return (int)(there - w.pushed) + rang;
}

/* ---- Sleepers --------------------------------------------------------------------------------------- */

/* The consumer sleeps on an empty ring, until CLOSED. */
static int sleeping_consumer(void)
{
    item i;
    tern_status status;
    uint64_t next = w.popped;
    while ((status = tern_ring_pop_wait(&w.c, &i, TERN_WAIT_FOREVER)) == TERN_OK) KILL_MUST(is_item(&i, next++));
    KILL_MUST(status == TERN_ERR_CLOSED);
    return (int)(next - w.popped);
}

static int sleeping_producer(void)
{
    tern_status status = TERN_OK;
    for (; w.pushed != SLEEPER_ITEMS; w.pushed++) {
        item i = make_item(w.pushed);
        status = tern_ring_push_wait(&w.p, &i, TERN_WAIT_FOREVER);
        if (status == TERN_ERR_CLOSED) return 1;
        KILL_MUST(status == TERN_OK);
    }
    tern_ring_close_producer(&w.p);
    return 0;
}

static void empty_ring_asleep(void)
{
    empty_ring();
    kill_leave_asleep(sleeping_consumer);
}

static void full_ring_asleep(void)
{
    full_ring();
    kill_leave_asleep(sleeping_producer);
}

static tern_ring_producer next_producer;
static tern_ring_consumer next_consumer;
static tern_ring_info found;

static bool all_is_popped(void) { return tern_ring_producer_was_count(&next_producer) == 0; }
static bool all_is_filled(void) { return tern_ring_consumer_was_count(&next_consumer) == CAPACITY; }

/* What the dead one published wakes the sleeper when the successor has come, not only when it publishes more. */
static bool producer_comes(void)
{
    KILL_TRUE(tern_ring_attach_producer(&next_producer, kill_memory, w.size) == TERN_OK);
    KILL_TRUE(kill_soon(all_is_popped));
    next_producer.spin_checks = 2;
    uint64_t next = w.pushed + ((next_producer.tail - w.p.tail) & 0x7fffffff);
    for (uint64_t end = next + SLEEPER_ITEMS; next != end; next++) {
        item i = make_item(next);
        KILL_TRUE(tern_ring_push_wait(&next_producer, &i, TERN_WAIT_FOREVER) == TERN_OK);
    }
    tern_ring_close_producer(&next_producer);
    return true;
}

static int producer_died_beside_sleeper(int order)
{
    (void)order;
    int popped = kill_beside_sleeper(sleeping_consumer, producer_comes);
    return popped == KILL_WRONG ? KILL_WRONG : popped - SLEEPER_ITEMS;
}

static bool consumer_comes(void)
{
    item i;
    tern_status status;
    KILL_TRUE(tern_ring_attach_consumer(&next_consumer, kill_memory, w.size) == TERN_OK);
    KILL_TRUE(kill_soon(all_is_filled));
    next_consumer.spin_checks = 2;
    found.was_popped = (next_consumer.head - w.c.head) & 0x7fffffff;
    uint64_t next = w.popped + found.was_popped;
    while ((status = tern_ring_pop_wait(&next_consumer, &i, TERN_WAIT_FOREVER)) == TERN_OK)
        KILL_TRUE(is_item(&i, next++));
    KILL_TRUE(status == TERN_ERR_CLOSED && next == SLEEPER_ITEMS);
    return true;
}

static int consumer_died_beside_sleeper(int order)
{
    (void)order;
    return kill_beside_sleeper(sleeping_producer, consumer_comes) == 0 ? (int)found.was_popped : KILL_WRONG;
}

/* Closing: the flag alone must wake the sleeper, once there is a successor. */
static bool closing_producer_comes(void)
{
    KILL_TRUE(tern_ring_attach_producer(&next_producer, kill_memory, w.size) == TERN_OK);
    KILL_TRUE(tern_ring_inspect(&found, kill_memory, w.size) == TERN_OK);
    if (!found.producer_closed) tern_ring_close_producer(&next_producer);
    return true;
}

static int closing_producer_died_beside_sleeper(int order)
{
    (void)order;
    return kill_beside_sleeper(sleeping_consumer, closing_producer_comes) == 0 ? found.producer_closed : KILL_WRONG;
}

static bool closing_consumer_comes(void)
{
    KILL_TRUE(tern_ring_attach_consumer(&next_consumer, kill_memory, w.size) == TERN_OK);
    KILL_TRUE(tern_ring_inspect(&found, kill_memory, w.size) == TERN_OK);
    if (!found.consumer_closed) tern_ring_close_consumer(&next_consumer);
    return true;
}

static int closing_consumer_died_beside_sleeper(int order)
{
    (void)order;
    return kill_beside_sleeper(sleeping_producer, closing_consumer_comes) == 1 ? found.consumer_closed : KILL_WRONG;
}

/* ---- The table --------------------------------------------------------------------------------------- */

static const kill_case either[] = {
    KILL_CASE("push", ring_of_two, push, producer_died, 2, 1),
    KILL_CASE("push, size not known", ring_of_two, push_untyped, producer_died, 2, 1),
    KILL_CASE("push that looks for space", ring_to_look_at, push, producer_died, 2, 1),
    KILL_CASE("push into a full ring", full_ring, push, producer_died, 2, 0),
    KILL_CASE("push_many", ring_of_two, push_many, producer_died, 2, MANY),
    KILL_CASE("push_many, size not known", ring_of_two, push_many_untyped, producer_died, 2, MANY),
    KILL_CASE("reserve", ring_of_two, reserve, producer_died, 2, 0),
    KILL_CASE("status of the producer", full_ring, producer_status, producer_died, 2, 0),
    KILL_CASE("was_count of the producer", ring_of_two, producer_was_count, producer_died, 2, 0),
    KILL_CASE("attach_producer", ring_of_two, attach_producer, producer_died, 2, 0),
    KILL_CASE("detach_producer", ring_of_two, detach_producer, producer_died, 2, 0),
    KILL_CASE("close_producer", ring_of_two, close_producer, closing_producer_died, 2, 1),
    KILL_CASE("pop", lazy_ring, pop, consumer_died, 3, 0),
    KILL_CASE("pop that releases", lazy_ring_of_one_kept, pop, consumer_died, 3, 2),
    KILL_CASE("pop, size not known", lazy_ring_of_one_kept, pop_untyped, consumer_died, 3, 2),
    KILL_CASE("pop that finds nothing and releases", lazy_ring_drained, pop, consumer_died, 3, 1),
    KILL_CASE("peek", lazy_ring, peek, consumer_died, 3, 0),
    KILL_CASE("status of the consumer", lazy_ring_drained, consumer_status, consumer_died, 3, 0),
    KILL_CASE("was_count of the consumer", lazy_ring, consumer_was_count, consumer_died, 3, 0),
    KILL_CASE("attach_consumer", lazy_ring_of_one_kept, attach_consumer, consumer_died, 3, 0),
    KILL_CASE("detach_consumer", lazy_ring_of_one_kept, detach_consumer, consumer_died, 3, 1),
    KILL_CASE("close_consumer", ring_of_two, close_consumer, closing_consumer_died, 2, 1),
};

static const kill_case waitable[] = {
    KILL_CASE("push, bound to a bell", ring_bound_to_bell, push, bound_producer_died, 2, 2),
    KILL_CASE("push_wait, there is space", ring_of_two, push_wait, producer_died, 2, 1),
    KILL_ASLEEP("push_wait that sleeps", full_ring, push_wait, pop_one, producer_died, 2, 1),
    KILL_ASLEEP("producer_wait that sleeps", full_ring, producer_wait, pop_one, producer_died, 2, 0),
    KILL_CASE("pop_wait, there is an item", lazy_ring_of_one_kept, pop_wait, consumer_died, 3, 2),
    KILL_ASLEEP("pop_wait that sleeps", lazy_ring_drained, pop_wait, push_one, consumer_died, 3, 1),
    KILL_ASLEEP("consumer_wait that sleeps", lazy_ring_drained, consumer_wait, push_one, consumer_died, 3, 1),
    KILL_BESIDE("push, the consumer sleeps", empty_ring_asleep, push, producer_died_beside_sleeper, 1),
    KILL_BESIDE("push_many, the consumer sleeps", empty_ring_asleep, push_many, producer_died_beside_sleeper, MANY),
    KILL_BESIDE("close_producer, the consumer sleeps", empty_ring_asleep, close_producer,
                closing_producer_died_beside_sleeper, 1),
    KILL_BESIDE("pop, the producer sleeps", full_ring_asleep, pop, consumer_died_beside_sleeper, 1),
    KILL_BESIDE("close_consumer, the producer sleeps", full_ring_asleep, close_consumer,
                closing_consumer_died_beside_sleeper, 1),
};

/* What spans and batches come to differs: the sequenced layout has spans of one, and releases each item. */
static const kill_case of_layout[2][4] = {
    { KILL_CASE("reserve, commit", ring_of_two, reserve_commit, producer_died, 2, 2),
      KILL_CASE("pop_many", lazy_ring, pop_many, consumer_died, 3, 3),
      KILL_CASE("pop_many, size not known", lazy_ring, pop_many_untyped, consumer_died, 3, 3),
      KILL_CASE("peek, release", lazy_ring, peek_release, consumer_died, 3, 2) },
    { KILL_CASE("reserve, commit", ring_of_two, reserve_commit, producer_died, 2, 1),
      KILL_CASE("pop_many", lazy_ring, pop_many, consumer_died, 3, 2),
      KILL_CASE("pop_many, size not known", lazy_ring, pop_many_untyped, consumer_died, 3, 2),
      KILL_CASE("peek, release", lazy_ring_of_one_kept, peek_release, consumer_died, 3, 2) },
};

int main(int argc, char **argv)
{
    kill_begin(argc, argv, 3 * TERN_PAGE_BYTES, &w, sizeof w);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        kind = &kinds[k];
        bool can_wait = (kind->flags & TERN_RING_WAITABLE) != 0;
        empty_ring();
        if (kind->how >= TURNING && w.p.exchanges_left == TERN__RING_ALWAYS) {
            kill_skip(kind->name, "this system has no barrier for other processes");
            continue;
        }
        for (size_t i = 0; i < sizeof either / sizeof *either; i++) kill_run(kind->name, &either[i]);
        for (size_t i = 0; i < 4; i++) kill_run(kind->name, &of_layout[kind->flags & TERN_RING_SEQUENCED ? 1 : 0][i]);
        for (size_t i = 0; can_wait && i < sizeof waitable / sizeof *waitable; i++)
            kill_run(kind->name, &waitable[i]);
    }
    return kill_end();
}
