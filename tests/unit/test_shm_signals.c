/* SPDX-License-Identifier: MIT */
/* test_shm_signals.c: the guard's handler among others: what is not a fault in a region goes where it
 * would have gone; and what a cut file is to those who have no guard. */
#include "shm_fixture.h"

#include <setjmp.h>
#include <sys/mman.h>

enum { SIZE = 64 * 1024 };

/* ---- What is not ours ------------------------------------------------------------------------- */

/* A mapping of a file that ends before it: touching it is SIGBUS. */
static volatile char *foreign_fault(void)
{
    int fd = memfd_create("foreign", MFD_CLOEXEC);
    volatile char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return memory;
}

static void guard_leaves_other_faults_alone(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        child_default_signals();
        volatile char *memory = foreign_fault();
        CHILD_STATUS(tern_shm_guard(true), TERN_OK);
        *memory = 1;
        _exit(0);
    }
    assert_int_equal(child_end(child), 1000 + SIGBUS);
    child = fork();
    if (child == 0) {                                /* one that was sent */
        child_default_signals();
        CHILD_STATUS(tern_shm_guard(true), TERN_OK);
        raise(SIGBUS);
        _exit(0);
    }
    assert_int_equal(child_end(child), 1000 + SIGBUS);
    child = fork();
    if (child == 0) {                                /* a region that was closed is no longer ours */
        tern_region region;
        child_default_signals();
        CHILD_STATUS(tern_shm_create(&region, name, SIZE, NULL), TERN_OK);
        void *place = region.shared;
        tern_shm_close(&region);
        int fd = memfd_create("foreign", MFD_CLOEXEC);
        volatile char *memory = mmap(place, SIZE, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
        CHILD_CHECK(memory == place);
        CHILD_STATUS(tern_shm_guard(true), TERN_OK);
        _exit(*memory);
    }
    assert_int_equal(child_end(child), 1000 + SIGBUS);
}

static sigjmp_buf jump;
static volatile sig_atomic_t caught;

static void catch_with_info(int number, siginfo_t *info, void *context)
{
    (void)context;
    caught = number == SIGBUS && info->si_code > 0 ? 1 : 2;
    siglongjmp(jump, 1);
}

static void catch_plain(int number)
{
    caught = number == SIGBUS ? 3 : 2;
}

static void guard_calls_the_former_handler(void **state)
{
    (void)state;
    struct sigaction former, catches, now;
    volatile char *memory = foreign_fault();
    memset(&catches, 0, sizeof catches);
    catches.sa_sigaction = catch_with_info;
    catches.sa_flags = SA_SIGINFO;
    assert_int_equal(sigaction(SIGBUS, &catches, &former), 0);
    assert_status(tern_shm_guard(true), TERN_OK);
    assert_status(tern_shm_guard(true), TERN_OK);
    caught = 0;
    if (sigsetjmp(jump, 1) == 0) *memory = 1;
    assert_int_equal(caught, 1);
    assert_status(tern_shm_guard(false), TERN_OK);
    assert_status(tern_shm_guard(false), TERN_OK);
    assert_int_equal(sigaction(SIGBUS, NULL, &now), 0);
    assert_true(now.sa_sigaction == catch_with_info);

    catches.sa_flags = 0;
    catches.sa_handler = catch_plain;
    assert_int_equal(sigaction(SIGBUS, &catches, NULL), 0);
    assert_status(tern_shm_guard(true), TERN_OK);
    raise(SIGBUS);
    assert_int_equal(caught, 3);
    /* somebody after us: ours can't be taken out from under his */
    assert_int_equal(sigaction(SIGBUS, &catches, &now), 0);
    assert_status(tern_shm_guard(false), TERN_ERR_STATE);
    assert_status(tern_shm_guard(true), TERN_ERR_STATE);
    assert_int_equal(sigaction(SIGBUS, &now, NULL), 0);
    assert_status(tern_shm_guard(false), TERN_OK);

    signal(SIGBUS, SIG_IGN);
    assert_status(tern_shm_guard(true), TERN_OK);
    raise(SIGBUS);                                   /* ignored, as before */
    assert_status(tern_shm_guard(false), TERN_OK);
    assert_int_equal(sigaction(SIGBUS, &former, NULL), 0);
    munmap((void *)(uintptr_t)memory, 4096);
}

/* Without the guard the promise is only that the caller can ask. */
static void status_tells_of_a_cut_file_without_the_guard(void **state)
{
    (void)state;
    tern_region region, other;
    assert_status(tern_shm_create(&region, name, SIZE, NULL), TERN_OK);
    assert_status(tern_shm_open(&other, name, NULL), TERN_OK);
    assert_status(tern_shm_status(&region), TERN_OK);
    assert_int_equal(ftruncate(tern_shm_fd(&other), SIZE + 4096), 0);
    assert_status(tern_shm_status(&region), TERN_OK);            /* longer does no harm */
    assert_int_equal(ftruncate(tern_shm_fd(&other), SIZE - 1), 0);
    assert_status(tern_shm_status(&region), TERN_ERR_MEMORY);
    assert_status(tern_shm_status(&other), TERN_ERR_MEMORY);
    assert_int_equal(ftruncate(tern_shm_fd(&other), SIZE), 0);
    assert_status(tern_shm_status(&region), TERN_OK);            /* nobody touched it meanwhile */
    assert_int_equal(pwrite(tern_shm_fd(&other), "?", 1, 8), 1);
    assert_status(tern_shm_status(&region), TERN_ERR_CORRUPT);
    tern_shm_close(&region);
    assert_status(tern_shm_status(&region), TERN_ERR_STATE);
    tern_shm_close(&other);
    pid_t child = fork();
    if (child == 0) {                                            /* and it is SIGBUS indeed */
        child_default_signals();
        CHILD_STATUS(tern_shm_unlink(name), TERN_OK);
        CHILD_STATUS(tern_shm_create(&region, name, SIZE, NULL), TERN_OK);
        CHILD_CHECK(truncate(path, 0) == 0);
        tern_object object;
        (void)tern_region_find(&region, "r", 0, &object);
        _exit(0);
    }
    assert_int_equal(child_end(child), 1000 + SIGBUS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHM_TEST(guard_leaves_other_faults_alone),
        SHM_TEST(guard_calls_the_former_handler),
        SHM_TEST(status_tells_of_a_cut_file_without_the_guard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
