/* SPDX-License-Identifier: MIT */
/* ring_kill.c: one end of a ring is killed (SIGKILL) wherever it is just then, and a successor takes
 * its place, again and again, while the other end goes on. Each end keeps a book beside the ring,
 * of what it began and what it has done: nothing that was pushed may be lost or overwritten, nothing
 * may come twice but what a dead consumer had not released yet. Each process maps the memory anew.
 *
 *   ring_kill [deaths] [seed]     so many for each end of each kind of ring
 */
#include <signal.h>
#include <sys/mman.h>

#include "../stress/stress.h"

#include "../../lib/os/os.h"

typedef struct {
    uint64_t number;
    uint32_t producer, check; /* which one pushed it */
} item;
TERN_RING_DEFINE(item_ring, item)

enum { CAPACITY = 64, AT_ONCE = 16, SPIN_CHECKS = 2000 };

/* ---- The books ------------------------------------------------------------------------------ */

typedef enum { PRODUCER, CONSUMER } role;

/* Whoever is an end writes its book; its successor goes on with it. */
typedef struct book {
    tern_a64 begun;           /* no item from this number on has been pushed or popped */
    tern_a64 done;            /* all items below have been */
    tern_a64 again;           /* items that were delivered again */
    tern_a32 lives;           /* how many have attached */
    tern_a32 release_every;   /* of a consumer: items it popped and had not released, and one more */
} book;

typedef struct books {
    book of[2];
    tern_a32 stop;            /* to the producer: close and end */
    tern_a64 first[];         /* of each producer: the number of its first item */
} books;

typedef struct test {
    const char *name;
    uint32_t flags;
    role victim;
    uint64_t deaths, seed;
    int fd;                   /* of the region with the ring */
    books *books;
} test;

/* One life of an end. */
typedef struct life {
    const test *t;
    role role;
    uint32_t number;
    uint64_t random;
    bool failed;
} life;

static const char *role_name(role r)
{
    return r == PRODUCER ? "producer" : "consumer";
}

static bool complain(const life *l, const char *what, uint64_t got, uint64_t least, uint64_t most)
{
    dprintf(STDOUT_FILENO, "# %s, %s: %s is %llu, not %llu to %llu\n", l->t->name, role_name(l->role), what,
            (unsigned long long)got, (unsigned long long)least, (unsigned long long)most);
    return false;
}

/* A new life goes on with item `next`: let the book say so too, if that can be. */
static bool open_book(life *l, uint64_t next, uint32_t release_every)
{
    book *b = &l->t->books->of[l->role];
    uint64_t begun = tern_a64_load_acquire(&b->begun, KILL), done = tern_a64_load_acquire(&b->done, KILL);
    uint32_t unreleased = tern_a32_load_acquire(&b->release_every, KILL);
    uint64_t least = unreleased > 1 ? done - (done < unreleased - 1 ? done : unreleased - 1) : done;
    if (next < least || next > begun) return complain(l, "where a successor goes on", next, least, begun);
    if (next < done) tern_a64_store_release(&b->again, tern_a64_load_relaxed(&b->again) + (done - next), KILL);
    tern_a64_store_release(&b->done, next, KILL);
    tern_a64_store_release(&b->begun, next, KILL);
    tern_a32_store_release(&b->release_every, release_every, KILL);
    l->number = tern_a32_load_relaxed(&b->lives);
    if (l->role == PRODUCER) tern_a64_store_release(&l->t->books->first[l->number], next, KILL);
    tern_a32_store_release(&b->lives, l->number + 1, KILL);
    return true;
}

static void begin_items(const life *l, uint64_t up_to)
{
    tern_a64_store_release(&l->t->books->of[l->role].begun, up_to, KILL);
}

static void end_items(const life *l, uint64_t up_to)
{
    tern_a64_store_release(&l->t->books->of[l->role].done, up_to, KILL);
    tern_a64_store_release(&l->t->books->of[l->role].begun, up_to, KILL);
}

static item make_item(uint64_t number, uint32_t producer)
{
    return (item){ number, producer, (uint32_t)mix(number ^ (uint64_t)producer << 40) };
}

/* ---- The two ends --------------------------------------------------------------------------- */

/* Busy for long enough that plain stores come into force, then a pause, so that the other end sleeps. */
static void pause_now_and_then(life *l)
{
    uint64_t r = next_random(&l->random);
    if (r % 4096 != 0) return;
    if (r >> 32 & 1) nanosleep(&(struct timespec){ .tv_nsec = 300000 }, NULL);
    else for (r = (r >> 33) % (4 * SPIN_CHECKS); r > 0; r--) tern_cpu_relax();
}

static bool map_ring(const test *t, tern_region *region, tern_object *ring)
{
    return tern_shm_open_fd(region, t->fd, NULL) == TERN_OK
        && tern_region_find(region, "ring", TERN_TYPE_RING, ring) == TERN_OK;
}

static tern_ring_info look(const tern_object *ring)
{
    tern_ring_info info;
    if (tern_ring_inspect(&info, ring->memory, (size_t)ring->size_bytes) != TERN_OK) memset(&info, 0xff, sizeof info);
    return info;
}

/* The item that a new producer begins with: those popped and those in the ring, while the consumer moves on. */
static uint64_t first_to_push(const tern_ring_producer *p, const tern_object *ring)
{
    uint32_t popped = look(ring).was_popped, count, before;
    do {
        before = popped;
        count = tern_ring_producer_was_count(p);
        popped = look(ring).was_popped;
    } while (popped != before);
    return (uint64_t)popped + count;
}

static uint32_t push_some(life *l, tern_ring_producer *p, uint64_t next)
{
    item items[AT_ONCE], *to = items;
    uint32_t want = 1 + (uint32_t)(next_random(&l->random) % AT_ONCE), form = (uint32_t)(l->random >> 40) % 3;
    if (form == 0) want = 1;
    begin_items(l, next + want);
    if (form == 1 && !(to = item_ring_reserve(p, want, &want))) return 0;
    for (uint32_t i = 0; i < want; i++) to[i] = make_item(next + i, l->number);
    if (form == 0) return item_ring_push(p, items);
    if (form == 2) return item_ring_push_many(p, items, want);
    item_ring_commit(p, want);
    return want;
}

static void produce(void *argument)
{
    life *l = argument;
    const test *t = l->t;
    tern_region region;
    tern_object ring;
    tern_ring_producer p;
    l->failed = true;
    if (!map_ring(t, &region, &ring)
        || item_ring_attach_producer(&p, ring.memory, (size_t)ring.size_bytes) != TERN_OK) return;
    p.spin_checks = SPIN_CHECKS;
    uint64_t next = first_to_push(&p, &ring);
    l->failed = !open_book(l, next, 0);
    while (!l->failed && !tern_a32_load_acquire(&t->books->stop, KILL)) {
        uint32_t got = push_some(l, &p, next);
        end_items(l, next += got);
        tern_status status = tern_ring_producer_status(&p);
        if (got == 0 && t->flags & TERN_RING_WAITABLE) status = tern_ring_producer_wait(&p, TERN_WAIT_FOREVER);
        else if (got == 0) sched_yield();
        l->failed = status != TERN_OK;
        pause_now_and_then(l);
    }
    tern_ring_close_producer(&p);
    tern_shm_close(&region);
}

/* Whether an item is the one that comes next. If it is another producer's than the last, it is the
 * first one that that pushed: none that it pushed before went where nobody looked any more. */
static bool comes_next(const life *l, const item *it, uint64_t next, uint32_t *producer)
{
    item expected = make_item(next, it->producer);
    if (it->number != next || it->check != expected.check)
        return complain(l, "the item that came", it->number, next, next);
    if (it->producer == *producer) return true;
    uint64_t first = tern_a64_load_acquire(&l->t->books->first[it->producer], KILL);
    bool known = *producer != UINT32_MAX;
    *producer = it->producer;
    return !known || first == next || complain(l, "the first item of a producer", next, first, first);
}

/* Pop some and compare them. @return how many; UINT32_MAX: not those that come next */
static uint32_t pop_some(life *l, tern_ring_consumer *c, uint64_t next, uint32_t *producer)
{
    item items[AT_ONCE];
    const item *from = items;
    uint32_t got = 1 + (uint32_t)(next_random(&l->random) % AT_ONCE), form = (uint32_t)(l->random >> 40) % 3;
    begin_items(l, next + (form == 0 ? 1 : got));
    if (form == 0) got = item_ring_pop(c, items);
    else if (form == 1) from = item_ring_peek(c, got, &got);
    else got = item_ring_pop_many(c, items, got);
    for (uint32_t i = 0; i < got; i++)
        if (!comes_next(l, &from[i], next + i, producer)) return UINT32_MAX;
    if (form == 1) item_ring_release(c, got);
    return got;
}

static void consume(void *argument)
{
    life *l = argument;
    const test *t = l->t;
    tern_region region;
    tern_object ring;
    tern_ring_consumer c;
    tern_status status = TERN_OK;
    l->failed = true;
    if (!map_ring(t, &region, &ring)
        || item_ring_attach_consumer(&c, ring.memory, (size_t)ring.size_bytes) != TERN_OK) return;
    c.spin_checks = SPIN_CHECKS;
    uint32_t producer = UINT32_MAX, release_every = 1 + (uint32_t)(next_random(&l->random) % (CAPACITY / 4));
    tern_ring_consumer_release_every(&c, release_every);
    uint64_t next = look(&ring).was_popped;   /* popped and released; nobody else changes it */
    l->failed = !open_book(l, next, release_every);
    while (!l->failed && status == TERN_OK) {
        uint32_t got = pop_some(l, &c, next, &producer);
        l->failed = got == UINT32_MAX;
        if (l->failed) break;
        end_items(l, next += got);
        status = tern_ring_consumer_status(&c);
        if (got == 0 && t->flags & TERN_RING_WAITABLE) status = tern_ring_consumer_wait(&c, TERN_WAIT_FOREVER);
        else if (got == 0) sched_yield();
        pause_now_and_then(l);
    }
    l->failed = l->failed || status != TERN_ERR_CLOSED;
    tern_ring_close_consumer(&c);
    tern_shm_close(&region);
}

/* ---- Deaths ----------------------------------------------------------------------------- */

/* An end in a process of its own, on processors other than the other end's. */
static pid_t start(const test *t, role r, uint64_t seed)
{
    pid_t child = fork();
    if (child != 0) return child;
    life l = { .t = t, .role = r, .random = mix(seed) | 1 };
    stress_run_apart(&(stress_side){ r == PRODUCER ? produce : consume, &l, sizeof l, r == t->victim });
    _exit(l.failed);
}

static bool ends_well(pid_t child)
{
    int status = 1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void doze(uint64_t us)
{
    nanosleep(&(struct timespec){ .tv_nsec = (long)us * 1000 }, NULL);
}

/* Let a victim live for a while: some not even until it has attached, some until plain stores are in force. */
static void let_live(const test *t, const tern_object *ring, uint32_t lives, uint64_t random)
{
    bool waitable = (t->flags & TERN_RING_WAITABLE) != 0;
    if (random % 8 != 0)
        for (int i = 0; i < 1000 && tern_a32_load_acquire(&t->books->of[t->victim].lives, KILL) == lives; i++) doze(20);
    for (int i = 0; i < 1000 && waitable && random % 2 != 0; i++) {
        tern_ring_info info = look(ring);
        if (t->victim == PRODUCER ? info.producer_asymmetric : info.consumer_asymmetric) break;
        doze(20);
    }
    doze((random >> 8) % 1000);
}

/* All deaths of one end. @return how many had published by plain stores; -1: an end found something wrong */
static int kill_them(const test *t, const tern_object *ring, int *asleep)
{
    int quiet = 0;
    uint64_t random = mix(t->seed) | 1;
    pid_t survivor = start(t, 1 - t->victim, next_random(&random));
    bool ok = survivor > 0;
    for (uint64_t i = 0; i < t->deaths && ok; i++) {
        int status = 0;
        uint32_t lives = tern_a32_load_acquire(&t->books->of[t->victim].lives, KILL);
        pid_t victim = start(t, t->victim, next_random(&random));
        let_live(t, ring, lives, next_random(&random));
        ok = victim > 0 && kill(victim, SIGKILL) == 0 && waitpid(victim, &status, 0) == victim && WIFSIGNALED(status);
        tern_ring_info info = look(ring);
        quiet += t->victim == PRODUCER ? info.producer_asymmetric : info.consumer_asymmetric;
        *asleep += t->victim == PRODUCER ? info.producer_asleep : info.consumer_asleep;
    }
    pid_t last = start(t, t->victim, next_random(&random));
    doze(1000);
    tern_a32_store_release(&t->books->stop, 1, KILL);
    ok = ends_well(last) && ok;
    ok = ends_well(survivor) && ok;
    return ok ? quiet : -1;
}

static int deaths_of_one_end(test t, int number)
{
    tern_region region;
    tern_object ring;
    tern_ring_desc desc = item_ring_desc(CAPACITY, t.flags);
    size_t size = tern_ring_size(&desc);
    int asleep = 0;
    size_t books_size = sizeof *t.books + (t.deaths + 1) * sizeof t.books->first[0];
    t.books = mmap(NULL, books_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (t.books == MAP_FAILED
        || tern_shm_create(&region, NULL, tern_region_size(NULL) + tern_region_object_size(size), NULL) != TERN_OK
        || tern_region_claim(&region, "ring", TERN_TYPE_RING, size, &ring) != TERN_OK
        || tern_ring_format(ring.memory, size, &desc) != TERN_OK) {
        printf("not ok %d - %s: no memory\n", number, t.name);
        return 1;
    }
    tern_region_publish(&region, &ring, TERN_OK);
    t.fd = tern_shm_share(&region);   /* the children keep it */
    int quiet = kill_them(&t, &ring, &asleep);
    uint64_t pushed = tern_a64_load_acquire(&t.books->of[PRODUCER].done, KILL);
    uint64_t popped = tern_a64_load_acquire(&t.books->of[CONSUMER].done, KILL);
    bool ok = quiet >= 0 && pushed == popped && pushed > 0;
    /* many deaths and none under plain stores have shown nothing of them, where there can be any */
    if (t.flags & TERN_RING_WAITABLE && t.deaths >= 20 && stress_at_once() && tern__os_current->barrier_register())
        ok = ok && quiet > 0;
    stress_report(ok, number, "%s: %llu deaths of the %s, %d of them by plain stores, %d asleep; %llu of %llu items, "
                  "%llu came again", t.name, (unsigned long long)t.deaths, role_name(t.victim), quiet, asleep,
                  (unsigned long long)popped, (unsigned long long)pushed,
                  (unsigned long long)tern_a64_load_acquire(&t.books->of[CONSUMER].again, KILL));
    munmap(t.books, books_size);
    close(t.fd);
    tern_shm_close(&region);
    return !ok;
}

int main(int argc, char **argv)
{
    static const char *const names[] = { "indexed, plain", "indexed, waitable", "sequenced, plain",
                                         "sequenced, waitable" };
    uint64_t deaths = argc > 1 ? strtoull(argv[1], NULL, 10) : 100;
    uint64_t seed = stress_seed(argc > 2 ? argv[2] : NULL);
    int failed = 0, number = 0;
    fflush(stdout);   /* or each child has it too */
    for (uint32_t flags = 0; flags <= (TERN_RING_WAITABLE | TERN_RING_SEQUENCED); flags++) {
        for (role victim = PRODUCER; victim <= CONSUMER; victim++) {
            test t = { .name = names[flags], .flags = flags, .victim = victim, .deaths = deaths };
            t.seed = mix(seed + (uint64_t)++number);
            failed += deaths_of_one_end(t, number);
        }
    }
    printf("1..%d\n", number);
    return failed ? 1 : 0;
}
