/* SPDX-License-Identifier: MIT */
/* test_paged_files.c: a paged ring or stream of two files: everything in one, which its consumer can only read, and
 * the consumer's page in another. The kernel keeps the consumer from all else: as a process of its own that has no
 * other descriptor it consumes what the producer sends, every way that it tries to get write access fails, and
 * when it is hostile it can spoil nothing but its own page.
 *
 *   test_paged_files [--items N] [--operations N] */
#include "paged_fixture.h"

#include <inttypes.h>
#include <sys/prctl.h>

static uint64_t items = 100000, operations = 100000;   /* of each kind and way */

/* ---- Two files side by side ----------------------------------------------------------------------- */

/* How the consumer is kept from writing: by a descriptor that was opened read-only, for another user's
 * process; by a seal, for any process. */
enum way { READ_ONLY_DESCRIPTOR, SEALED, WAYS };

struct files {
    size_t size;
    int ring, consumers_ring, page;
};

static void *map_side_by_side(int ring, int protection, int page, size_t size)
{
    unsigned char *memory = mmap(NULL, size, protection, MAP_SHARED, ring, 0);
    if (memory == MAP_FAILED) return NULL;
    void *own = mmap(memory + TERN_RING_CONSUMER_PAGE_OFFSET_BYTES, TERN_PAGE_BYTES, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_FIXED, page, 0);
    return own == MAP_FAILED ? NULL : memory;
}

/* Files of their sizes that stay so; formatted, mapped for the producer. False: no such seal here. */
static bool make_files(const struct kind *kind, enum way way, struct files *f, void **memory)
{
    char link[64];
    f->size = paged_size(kind);
    f->ring = memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    f->page = memfd_create("consumer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(f->ring >= 0 && f->page >= 0);
    assert_int_equal(ftruncate(f->ring, (off_t)f->size), 0);
    assert_int_equal(ftruncate(f->page, PAGE), 0);
    *memory = map_side_by_side(f->ring, PROT_READ | PROT_WRITE, f->page, f->size);
    assert_non_null(*memory);
    assert_status(paged_format(kind, *memory, f->size), TERN_OK);
    /* the producer reads the consumer's page: nobody may cut it off */
    assert_int_equal(fcntl(f->page, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    if (way == SEALED) {
        f->consumers_ring = f->ring;   /* open for writing, and yet */
        return fcntl(f->ring, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", f->ring);
    f->consumers_ring = open(link, O_RDONLY | O_CLOEXEC);
    assert_true(f->consumers_ring >= 0);
    return true;
}

static void drop_files(enum way way, struct files *f, void *memory)
{
    munmap(memory, f->size);
    close(f->ring);
    close(f->page);
    if (way != SEALED) close(f->consumers_ring);
}

/* ---- The consumer's process ------------------------------------------------------------------------- */

/* Each way to write to the ring's file fails. `seal`: the descriptor is open for writing, and sealed. */
static int cannot_write(unsigned char *memory, size_t size, int ring, bool seal)
{
    const uint64_t bytes = 0;
    char link[64];
    STEP(mprotect(memory, PAGE, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
    STEP(mprotect(memory + ITEMS_AT, size - ITEMS_AT, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
    STEP(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0) == MAP_FAILED
         && errno == (seal ? EPERM : EACCES));
    STEP(pwrite(ring, &bytes, sizeof bytes, ITEMS_AT) == -1 && errno == (seal ? EPERM : EBADF));
    STEP(ftruncate(ring, 0) == -1);
    STEP(fallocate(ring, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, ITEMS_AT, PAGE) == -1
         && errno == (seal ? EPERM : EBADF));
    if (!seal) return 0;   /* a process of the same user could open that file once more, for writing */
    snprintf(link, sizeof link, "/proc/self/fd/%d", ring);
    int again = open(link, O_RDWR | O_CLOEXEC);
    STEP(again < 0 || mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0) == MAP_FAILED);
    STEP(again < 0 || fcntl(again, F_ADD_SEALS, F_SEAL_WRITE) == -1);
    return 0;
}

static uint64_t random_of(uint64_t *state)   /* xorshift64* */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* Anything into any word of its page, until it is ended. Mostly a head that could be true, or the producer would
 * never get on; then heads near the tail, and any number. */
static void spoils_for_ever(unsigned char *memory, uint64_t seed)
{
    static const uint32_t near[] = { 1, 2, CAPACITY - 1, CAPACITY, CAPACITY + 1, 0x3fffffff, 0x7fffffff };
    struct tern_ring_end *own = (struct tern_ring_end *)(void *)(memory + BORDER);
    for (;;) {
        uint64_t r = random_of(&seed);
        uint32_t tail = tern_a32_load_relaxed(&own[-1].word) >> 1, any = (uint32_t)(r >> 32);
        uint32_t head = r % 8 != 0 ? tail - any % (CAPACITY + 1) : r & 8 ? tail + near[any % 7] : tail - near[any % 7];
        tern_a32_store_relaxed(&own->word, r % 32 == 9 ? any : head << 1 | (r % 32 == 10));
        if (r % 64 == 0) tern_a32_store_relaxed(&own->closed, any % 8 ? 0 : any);
        if (r % 64 == 1) tern_a32_store_relaxed(&own->asymmetric, any);
        if (r % 64 == 2) tern_a32_store_relaxed(&own->asleep, any);
        if (r % 64 == 3) memory[BORDER + END_BYTES + any % (PAGE - END_BYTES)] = (unsigned char)r;
    }
}

/* What main() does when it is the consumer: KIND WAY SIZE RING PAGE SEED; a seed is for one that is hostile. */
static int consumer_main(char **argument)
{
    const struct kind *kind = &kinds[atoi(argument[0])];
    bool seal = atoi(argument[1]) == SEALED;
    size_t size = (size_t)strtoull(argument[2], NULL, 10);
    int ring = atoi(argument[3]), page = atoi(argument[4]);
    uint64_t seed = strtoull(argument[5], NULL, 10);
    child_default_signals();
    unsigned char *memory = map_side_by_side(ring, PROT_READ, page, size);
    if (!memory) return code_of(__LINE__);
    int line = cannot_write(memory, size, ring, seal);
    if (line) return code_of(line);
    if (seed) spoils_for_ever(memory, seed);
    items = strtoull(argument[6], NULL, 10);
    /* protecting what the kernel protects already changes nothing */
    line = paged_consumes(kind, memory, size, items, true);
    return code_of(line ? line : cannot_write(memory, size, ring, seal));
}

/* A new process image: it has the two descriptors and no mapping of ours. */
static pid_t start_consumer(const struct kind *kind, enum way way, const struct files *f, uint64_t seed)
{
    char text[7][24];
    const uint64_t numbers[7] = { (uint64_t)(kind - kinds), way, f->size, (uint64_t)f->consumers_ring,
                                  (uint64_t)f->page,
                                  seed, items };
    for (int i = 0; i < 7; i++) snprintf(text[i], sizeof text[i], "%" PRIu64, numbers[i]);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);   /* one that lies would go on for ever */
        fcntl(f->consumers_ring, F_SETFD, 0);
        fcntl(f->page, F_SETFD, 0);
        execl("/proc/self/exe", "test_paged_files", "--consumer", text[0], text[1], text[2], text[3], text[4], text[5],
              text[6], (char *)NULL);
        _exit(254);
    }
    return child;
}

/* ---- Tests -------------------------------------------------------------------------------------------- */

static void consumes_from(const struct kind *kind, enum way way)
{
    struct files f;
    void *memory;
    if (!make_files(kind, way, &f, &memory)) unit_skip("this kernel has no F_SEAL_FUTURE_WRITE");
    pid_t child = start_consumer(kind, way, &f, 0);
    other_end = child;
    int line = paged_produces(kind, memory, f.size, items);
    other_end = 0;
    assert_int_equal(child_end(child), 0);
    assert_int_equal(line, 0);
    drop_files(way, &f, memory);
}

static void files_consumer_with_a_read_only_descriptor_consumes(void **state)
{
    (void)state;
    for (EACH_KIND(kind)) consumes_from(kind, READ_ONLY_DESCRIPTOR);
}

static void files_consumer_of_a_sealed_file_consumes(void **state)
{
    (void)state;
    for (EACH_KIND(kind)) consumes_from(kind, SEALED);
}

static bool stands(tern_status status)
{
    return status == TERN_OK || status == TERN_ERR_CLOSED || status == TERN_ERR_CORRUPT;
}

/* One call of a producer whose consumer lies: an answer that is documented, and a span within the items.
 * @return what went in */
static uint32_t ring_call(tern_ring_producer *p, unsigned char *memory, size_t slots, uint64_t r, uint64_t *corrupt)
{
    static numbered batch[BATCH];
    uint32_t got = 0, count = (uint32_t)(r >> 8) % (BATCH + 1), tail = p->tail;
    unsigned char *span;
    switch (r % 8) {
    case 0: got = tern_ring_push(p, batch); break;
    case 1: got = tern_ring_push_many(p, batch, count); break;
    case 2: got = numbered_ring_push_many(p, batch, count); break;
    case 3: case 4:
        span = tern_ring_reserve(p, 1 + count, &got);
        assert_true(got <= CAPACITY && (span != NULL) == (got != 0));
        if (!span) break;
        assert_true(span >= memory + ITEMS_AT && span + got * sizeof *batch <= memory + ITEMS_AT + slots);
        memset(span, 0x77, sizeof *batch * got);
        tern_ring_commit(p, got);
        break;
    case 5: assert_true(tern_ring_producer_was_count(p) <= CAPACITY); break;
    default:
        assert_true(stands(tern_ring_producer_status(p)));
        if (p->status != TERN_ERR_CORRUPT) break;
        ++*corrupt;
        tern_status status = numbered_ring_attach_producer(p, memory, ITEMS_AT + PAGE);
        assert_true(status == TERN_OK || status == TERN_ERR_CORRUPT);
        if (status != TERN_OK) p->shared = NULL;
        return 0;
    }
    assert_int_equal(p->tail - tail, got);
    return got;
}

static uint32_t stream_call(tern_stream_producer *p, unsigned char *memory, size_t slots, uint64_t r, uint64_t *corrupt)
{
    static unsigned char bytes[1024];
    uint32_t length = (uint32_t)(r >> 8) % (p->max_record_bytes + 2);
    unsigned char *record;
    switch (r % 8) {
    case 0: case 1: case 2: return tern_stream_send(p, 1, bytes, length);
    case 3: case 4:
        record = tern_stream_reserve(p, length);
        if (!record) return 0;
        assert_true(record >= memory + ITEMS_AT && record + length <= memory + ITEMS_AT + slots);
        memset(record, 0x77, length);
        tern_stream_commit(p, length);
        return 1;
    case 5: assert_true(tern_stream_producer_was_used_bytes(p) <= CAPACITY * sizeof(numbered)); return 0;
    default: {
        tern_status status = tern_stream_producer_status(p);
        assert_true(stands(status) || status == TERN_ERR_ARGUMENT);
        if (p->ring.status != TERN_ERR_CORRUPT) return 0;
        ++*corrupt;
        status = tern_stream_attach_producer(p, memory, ITEMS_AT + PAGE);
        assert_true(status == TERN_OK || status == TERN_ERR_CORRUPT);
        if (status != TERN_OK) p->ring.shared = NULL;
        return 0;
    }
    }
}

/* A producer among lies: it goes on or says CORRUPT, and no byte but its own and the items' changes. */
static void produces_beside_a_hostile_consumer(const struct kind *kind, enum way way, uint64_t seed)
{
    struct files f;
    void *mapped;
    if (!make_files(kind, way, &f, &mapped)) unit_skip("this kernel has no F_SEAL_FUTURE_WRITE");
    unsigned char *memory = mapped, header[BORDER - END_BYTES];
    size_t slots = kind->flags & TERN_RING_SEQUENCED ? CAPACITY * 32 : CAPACITY * sizeof(numbered);
    const unsigned char *rest = memory + ITEMS_AT + slots;
    memset(memory + ITEMS_AT + slots, 0xc5, f.size - ITEMS_AT - slots);
    memcpy(header, memory, sizeof header);
    pid_t child = start_consumer(kind, way, &f, seed);
    uint64_t random = seed, calls = 0, went_in = 0, corrupt = 0;
    tern_ring_producer ring;
    tern_stream_producer stream;
    if (kind->is_stream) assert_status(tern_stream_attach_producer(&stream, memory, f.size), TERN_OK);
    else assert_status(numbered_ring_attach_producer(&ring, memory, f.size), TERN_OK);
    /* it has begun when a byte of its page has changed that honest consumers never write */
    for (bool begun = false; !begun;) {
        for (const unsigned char *at = memory + BORDER + END_BYTES; at < memory + ITEMS_AT; at++) begun |= *at != 0;
        if (waitpid(child, NULL, WNOHANG) != 0) fail_msg("the hostile consumer ended");
        if (!begun) sched_yield();
    }
    /* until enough was called, and both answers were seen */
    for (; calls < operations || corrupt < 10 || went_in < 10; calls++) {
        if (calls > 100 * operations) fail_msg("no lie was found, or nothing went in");
        uint64_t r = random_of(&random);
        if (kind->is_stream && !stream.ring.shared) {
            if (tern_stream_attach_producer(&stream, memory, f.size) != TERN_OK) stream.ring.shared = NULL;
        } else if (!kind->is_stream && !ring.shared) {
            if (numbered_ring_attach_producer(&ring, memory, f.size) != TERN_OK) ring.shared = NULL;
        } else {
            went_in += kind->is_stream ? stream_call(&stream, memory, slots, r, &corrupt)
                                       : ring_call(&ring, memory, slots, r, &corrupt);
        }
        if (calls % 4096 == 0) {
            assert_int_equal(waitpid(child, NULL, WNOHANG), 0);   /* it lies all the time */
            sched_yield();
        }
    }
    kill(child, SIGKILL);
    assert_int_equal(child_end(child), 1000 + SIGKILL);
    print_message("# %s: %" PRIu64 " calls, %" PRIu64 " items or records went in, %" PRIu64 " times CORRUPT\n",
                  kind->name, calls, went_in, corrupt);
    assert_memory_equal(memory, header, sizeof header);
    for (size_t i = 0; i < f.size - ITEMS_AT - slots; i++) assert_int_equal(rest[i], 0xc5);
    drop_files(way, &f, memory);
}

static void files_hostile_consumer_spoils_nothing_but_its_page(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (EACH_KIND(kind))
        for (int way = 0; way < WAYS; way++) produces_beside_a_hostile_consumer(kind, (enum way)way, seed++);
}

int main(int argc, char **argv)
{
    if (argc == 9 && strcmp(argv[1], "--consumer") == 0) return consumer_main(argv + 2);
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t *number = strcmp(argv[i], "--items") == 0 ? &items
                         : strcmp(argv[i], "--operations") == 0 ? &operations : NULL;
        if (!number || (*number = strtoull(argv[i + 1], NULL, 10)) == 0) {
            fprintf(stderr, "usage: %s [--items N] [--operations N]\n", argv[0]);
            return 2;
        }
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_consumer_with_a_read_only_descriptor_consumes),
        cmocka_unit_test(files_consumer_of_a_sealed_file_consumes),
        cmocka_unit_test(files_hostile_consumer_spoils_nothing_but_its_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
