/* SPDX-License-Identifier: MIT */
/* test_shm_fork.c: a fork's child has nothing of its parent's regions, and holds nothing of them. */
#include "shm_fixture.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum { SIZE = 64 * 1024 };

static const tern_ring_desc ring_desc = { 8, 16, TERN_RING_WAITABLE };

/* ---- What is refused ------------------------------------------------------------------------ */

static void assert_view_is_refused(tern_region *region)
{
    const tern_pool_desc pool_desc = { 8, 8 };
    const tern_triple_desc triple_desc = { 64 };
    const tern_stream_desc stream_desc = { 4096, 0 };
    const tern_bell_desc bell_desc = { 8 };
    tern_object object;
    uint64_t cursor = 0;
    tern_ring_producer producer;
    tern_ring_consumer consumer;
    tern_stream_producer sender;
    tern_stream_consumer receiver;
    tern_triple_writer writer;
    tern_triple_reader reader;
    tern_pool pool;
    tern_bell bell;
    CHILD_STATUS(tern_region_find(region, "r", 0, &object), TERN_ERR_STATE);
    CHILD_CHECK(object.memory == NULL);
    CHILD_STATUS(tern_region_claim(region, "new", TERN_TYPE_RING, 100, &object), TERN_ERR_STATE);
    tern_region_publish(region, &object, TERN_OK);
    CHILD_CHECK(!tern_region_next(region, &cursor, &object));
    CHILD_STATUS(tern_ring_open_producer(&producer, region, "r", NULL), TERN_ERR_STATE);
    CHILD_STATUS(tern_ring_open_consumer(&consumer, region, "r", &ring_desc), TERN_ERR_STATE);
    CHILD_STATUS(tern_stream_open_producer(&sender, region, "s", &stream_desc), TERN_ERR_STATE);
    CHILD_STATUS(tern_stream_open_consumer(&receiver, region, "s", NULL), TERN_ERR_STATE);
    CHILD_STATUS(tern_triple_open_writer(&writer, region, "t", &triple_desc), TERN_ERR_STATE);
    CHILD_STATUS(tern_triple_open_reader(&reader, region, "t", NULL), TERN_ERR_STATE);
    CHILD_STATUS(tern_pool_open(&pool, region, "p", &pool_desc), TERN_ERR_STATE);
    CHILD_STATUS(tern_bell_open(&bell, region, "b", &bell_desc), TERN_ERR_STATE);
    CHILD_STATUS(tern_shm_status(region), TERN_ERR_STATE);
    CHILD_CHECK(tern_shm_fd(region) == -1);
    CHILD_CHECK(tern_shm_share(region) == -1 && errno == EBADF);
    CHILD_CHECK(!tern_shm_name_is_current(region, name));
}

static void fork_child_is_refused_the_view_and_opens_its_own(void **state)
{
    (void)state;
    tern_region region;
    tern_ring_producer p;
    uint64_t item = 41;
    assert_status(tern_shm_create(&region, name, SIZE, NULL), TERN_OK);
    assert_status(tern_ring_open_producer(&p, &region, "r", &ring_desc), TERN_OK);
    assert_true(tern_ring_push(&p, &item));
    int fd = tern_shm_fd(&region);
    pid_t child = fork();
    if (child == 0) {
        tern_region own, none;
        tern_ring_consumer c;
        memset(&none, 0, sizeof none);
        none.fd = -1;
        CHILD_CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
        assert_view_is_refused(&region);
        CHILD_STATUS(tern_shm_open(&own, name, NULL), TERN_OK);   /* it gets the number that was closed */
        assert_view_is_refused(&region);
        tern_shm_close(&region);
        CHILD_CHECK(memcmp(&region, &none, sizeof none) == 0);
        CHILD_STATUS(tern_shm_status(&own), TERN_OK);
        CHILD_STATUS(tern_ring_open_consumer(&c, &own, "r", NULL), TERN_OK);
        CHILD_CHECK(tern_ring_pop(&c, &item) && item == 41);
        pid_t grandchild = fork();                                /* a generation on: the same again */
        if (grandchild == 0) {
            assert_view_is_refused(&own);
            tern_shm_close(&own);
            CHILD_STATUS(tern_shm_open(&own, name, NULL), TERN_OK);
            tern_shm_close(&own);
            _exit(0);
        }
        CHILD_CHECK(child_end(grandchild) == 0);
        CHILD_STATUS(tern_shm_status(&own), TERN_OK);
        tern_shm_close(&own);
        _exit(0);
    }
    assert_int_equal(child_end(child), 0);
    assert_status(tern_shm_status(&region), TERN_OK);             /* nothing of it is the parent's loss */
    assert_int_equal(tern_shm_fd(&region), fd);
    assert_true(tern_ring_push(&p, &item));
    tern_shm_close(&region);
}

static void fork_child_that_touches_the_parents_end_dies(void **state)
{
    (void)state;
    tern_region region;
    tern_ring_producer p;
    uint64_t item = 1;
    assert_status(tern_shm_create(&region, NULL, SIZE, NULL), TERN_OK);
    assert_status(tern_ring_open_producer(&p, &region, "r", &ring_desc), TERN_OK);
    pid_t child = fork();
    if (child == 0) {
        child_default_signals();
        tern_ring_push(&p, &item);
        _exit(0);
    }
    assert_int_equal(child_end(child), 1000 + SIGSEGV);
    assert_int_equal(tern_ring_producer_was_count(&p), 0);
    assert_true(tern_ring_push(&p, &item));
    tern_shm_close(&region);
}

/* Where the parent's mapping was, the child may have something else. */
static void fork_child_that_closes_unmaps_nothing(void **state)
{
    (void)state;
    tern_region region;
    assert_status(tern_shm_create(&region, NULL, SIZE, NULL), TERN_OK);
    void *place = region.shared;
    int fd = tern_shm_fd(&region);
    pid_t child = fork();
    if (child == 0) {
        unsigned char *own = mmap(place, SIZE, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        CHILD_CHECK(own == place);
        CHILD_CHECK(dup2(STDERR_FILENO, fd) == fd);
        own[SIZE - 1] = 7;
        tern_shm_close(&region);
        own[0] = 7;
        CHILD_CHECK(own[SIZE - 1] == 7);
        CHILD_CHECK(fcntl(fd, F_GETFD) != -1);
        _exit(0);
    }
    assert_int_equal(child_end(child), 0);
    tern_shm_close(&region);
}

/* A region in memory that the caller maps is the caller's to share. */
static void fork_child_keeps_regions_in_memory_of_the_callers_own(void **state)
{
    (void)state;
    tern_region region;
    tern_ring_producer p;
    tern_ring_consumer c;
    uint64_t item = 5;
    void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    assert_status(tern_region_format(memory, SIZE, NULL), TERN_OK);
    assert_status(tern_region_attach(&region, memory, SIZE, NULL), TERN_OK);
    assert_status(tern_shm_status(&region), TERN_OK);
    pid_t child = fork();
    if (child == 0) {
        CHILD_STATUS(tern_ring_open_producer(&p, &region, "r", &ring_desc), TERN_OK);
        CHILD_CHECK(tern_ring_push(&p, &item));
        _exit(0);
    }
    assert_int_equal(child_end(child), 0);
    assert_status(tern_ring_open_consumer(&c, &region, "r", NULL), TERN_OK);
    assert_true(tern_ring_pop(&c, &item));
    assert_int_equal(item, 5);
    munmap(memory, SIZE);
}

static void fork_child_opens_what_was_shared_for_it(void **state)
{
    (void)state;
    tern_region region;
    tern_ring_producer p;
    uint64_t item = 6;
    assert_status(tern_shm_create(&region, NULL, SIZE, NULL), TERN_OK);
    assert_status(tern_ring_open_producer(&p, &region, "r", &ring_desc), TERN_OK);
    int fd = tern_shm_share(&region);
    assert_true(fd >= 0 && fd != tern_shm_fd(&region));
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    pid_t child = fork();
    if (child == 0) {
        tern_ring_consumer c;
        CHILD_STATUS(tern_shm_open_fd(&region, fd, NULL), TERN_OK);
        CHILD_STATUS(tern_ring_open_consumer(&c, &region, "r", NULL), TERN_OK);
        CHILD_STATUS(tern_ring_pop_wait(&c, &item, TERN_WAIT_FOREVER), TERN_OK);
        CHILD_CHECK(item == 6);
        tern_shm_close(&region);
        _exit(0);
    }
    assert_true(tern_ring_push(&p, &item));
    assert_int_equal(child_end(child), 0);
    close(fd);
    tern_shm_close(&region);
}

/* ---- What is held ------------------------------------------------------------------------------- */

static struct flock byte_lock(void)
{
    return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)1 << 60, .l_len = 1 };
}

/* Whether nobody holds it. */
static bool lock_is_free(void)
{
    struct flock lock = byte_lock();
    int fd = open(path, O_RDWR);
    bool free_now = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
    close(fd);
    return free_now;
}

/* The parent of the two: locks a byte of the region, has a child, and waits to be killed. */
static void live_with_a_child(int says, const int child_reads[2])
{
    tern_region region;
    char byte = 0;
    struct flock lock = byte_lock();
    prctl(PR_SET_PDEATHSIG, SIGKILL);       /* neither outlives a test that failed */
    close(child_reads[1]);
    CHILD_STATUS(tern_shm_create(&region, name, SIZE, NULL), TERN_OK);
    CHILD_CHECK(fcntl(tern_shm_fd(&region), F_OFD_SETLK, &lock) == 0);
    int shared = tern_shm_share(&region);   /* which the child keeps, and holds no lock by it */
    CHILD_CHECK(shared >= 0);
    pid_t child = fork();
    if (child == 0) {
        CHILD_CHECK(write(says, "c", 1) == 1);
        _exit(read(child_reads[0], &byte, 1) == 1 ? 0 : 1);
    }
    CHILD_CHECK(child > 0);
    for (;;) pause();
}

static void fork_child_does_not_hold_a_dead_parents_locks(void **state)
{
    (void)state;
    int says[2], ends_it[2];
    char byte;
    assert_int_equal(pipe(says), 0);
    assert_int_equal(pipe(ends_it), 0);
    pid_t parent = fork();
    if (parent == 0) live_with_a_child(says[1], ends_it);
    close(says[1]);
    assert_int_equal(read(says[0], &byte, 1), 1);   /* the child lives and its handler ran */
    assert_false(lock_is_free());
    assert_int_equal(kill(parent, SIGKILL), 0);
    assert_int_equal(child_end(parent), 1000 + SIGKILL);
    assert_true(lock_is_free());
    assert_int_equal(fcntl(says[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(read(says[0], &byte, 1), -1);  /* not the end of the pipe: the child still lives */
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(write(ends_it[1], "x", 1), 1);
    close(says[0]);
    close(ends_it[0]);
    close(ends_it[1]);
}

/* Descriptors of regions that this process has. */
static int region_fds(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder) return -1;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char target[300];
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        if (length <= 0) continue;
        target[length] = '\0';
        if (strstr(target, "memfd:tern") || strstr(target, "/dev/shm/")) count++;
    }
    closedir(folder);
    return count;
}

static void fork_closes_any_number_of_regions(void **state)
{
    (void)state;
    enum { MANY = 300 };
    static tern_region regions[MANY];
    for (int i = 0; i < MANY; i++) assert_status(tern_shm_create(&regions[i], NULL, SIZE, NULL), TERN_OK);
    for (int i = 0; i < MANY; i += 3) tern_shm_close(&regions[i]);
    for (int i = 0; i < MANY; i += 3) assert_status(tern_shm_create(&regions[i], NULL, SIZE, NULL), TERN_OK);
    assert_int_equal(region_fds(), MANY);
    pid_t child = fork();
    if (child == 0) {
        CHILD_CHECK(region_fds() == 0);
        for (int i = 0; i < MANY; i++) CHILD_STATUS(tern_shm_status(&regions[i]), TERN_ERR_STATE);
        _exit(0);
    }
    assert_int_equal(child_end(child), 0);
    for (int i = 0; i < MANY; i++) assert_status(tern_shm_status(&regions[i]), TERN_OK);
    for (int i = 0; i < MANY; i++) tern_shm_close(&regions[i]);
    assert_int_equal(region_fds(), 0);
}

/* Somebody closed a region's descriptor by mistake, and its number is another file's by now. */
static void fork_and_close_leave_a_number_that_is_another_files(void **state)
{
    (void)state;
    tern_region region;
    assert_status(tern_shm_create(&region, NULL, SIZE, NULL), TERN_OK);
    int fd = tern_shm_fd(&region);
    close(fd);
    assert_int_equal(memfd_create("another", MFD_CLOEXEC), fd);
    pid_t child = fork();
    if (child == 0) _exit(fcntl(fd, F_GETFD) != -1 ? 0 : 1);
    assert_int_equal(child_end(child), 0);
    assert_status(tern_shm_status(&region), TERN_ERR_MEMORY);
    tern_shm_close(&region);
    assert_int_not_equal(fcntl(fd, F_GETFD), -1);
    close(fd);
}

static tern_a32 stop;

static void *open_and_close(void *problem)
{
    while (!tern_a32_load_relaxed(&stop)) {   /* relaxed: nothing is read on the strength of it */
        tern_region made, named, opened;
        char own[80];
        snprintf(own, sizeof own, "%s.%p", name, problem);
        if (tern_shm_create(&made, NULL, SIZE, NULL) != TERN_OK || tern_shm_create(&named, own, SIZE, NULL) != TERN_OK
            || tern_shm_open(&opened, own, NULL) != TERN_OK || tern_shm_unlink(own) != TERN_OK)
            *(bool *)problem = true;
        tern_shm_close(&made);
        tern_shm_close(&named);
        tern_shm_close(&opened);
    }
    return NULL;
}

static void fork_in_the_midst_of_opening_leaves_no_descriptor(void **state)
{
    (void)state;
    enum { THREADS = 3, FORKS = 150 };
    pthread_t threads[THREADS];
    bool problems[THREADS] = { false };
    tern_a32_store_relaxed(&stop, 0);   /* relaxed: the threads come later */
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, &problems[i]), 0);
    int wrong = 0;
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0) _exit(region_fds() == 0 ? 0 : 1);
        wrong += child_end(child) != 0;
    }
    tern_a32_store_relaxed(&stop, 1);   /* relaxed: as above */
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(wrong, 0);
    for (int i = 0; i < THREADS; i++) assert_false(problems[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHM_TEST(fork_child_is_refused_the_view_and_opens_its_own),
        SHM_TEST(fork_child_that_touches_the_parents_end_dies),
        SHM_TEST(fork_child_that_closes_unmaps_nothing),
        SHM_TEST(fork_child_keeps_regions_in_memory_of_the_callers_own),
        SHM_TEST(fork_child_opens_what_was_shared_for_it),
        SHM_TEST(fork_child_does_not_hold_a_dead_parents_locks),
        SHM_TEST(fork_closes_any_number_of_regions),
        SHM_TEST(fork_and_close_leave_a_number_that_is_another_files),
        SHM_TEST(fork_in_the_midst_of_opening_leaves_no_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
