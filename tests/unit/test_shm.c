/* SPDX-License-Identifier: MIT */
/* test_shm.c: named and anonymous shared memory, and everything that can stand in its place. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 64 * 1024 };

static char name[64], path[300];

static int fresh_name(void **state)
{
    static int count;
    (void)state;
    snprintf(name, sizeof name, "unit.%d.%d", (int)getpid(), count++);
    return tern_shm_path(name, path, sizeof path);
}

static int forget_name(void **state)
{
    (void)state;
    unlink(path);
    rmdir(path);
    return 0;
}

static void put_file(const void *bytes, size_t size, mode_t mode)
{
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static void assert_untouched(const tern_region *region)
{
    tern_region none;
    memset(&none, 0, sizeof none);
    none.fd = -1;
    assert_memory_equal(region, &none, sizeof none);
}

static void shm_create_open_unlink(void **state)
{
    (void)state;
    tern_region a, b;
    tern_ring_desc desc = { 8, 16, 0 };
    tern_ring_producer p;
    tern_ring_consumer c;
    uint64_t item = 77;
    struct stat file;
    assert_status(tern_shm_open(&b, name, NULL), TERN_ERR_NOT_FOUND);
    assert_untouched(&b);
    assert_status(tern_shm_create(&a, name, SIZE - 5, NULL), TERN_OK);
    assert_int_equal(a.size_bytes, SIZE);          /* rounded up to pages */
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0600);
    assert_true(file.st_blocks * 512 >= SIZE);     /* really allocated */
    assert_int_equal(fstat(tern_shm_fd(&a), &file), 0);
    assert_status(tern_shm_create(&b, name, SIZE, NULL), TERN_ERR_EXISTS);
    assert_untouched(&b);
    assert_status(tern_shm_open(&b, name, NULL), TERN_OK);
    assert_ptr_not_equal(a.shared, b.shared);
    assert_status(tern_ring_open_producer(&p, &a, "r", &desc), TERN_OK);
    assert_status(tern_ring_open_consumer(&c, &b, "r", NULL), TERN_OK);
    assert_true(tern_ring_push(&p, &item));
    item = 0;
    assert_true(tern_ring_pop(&c, &item));
    assert_int_equal(item, 77);
    assert_status(tern_shm_unlink(name), TERN_OK);
    assert_status(tern_shm_unlink(name), TERN_ERR_NOT_FOUND);
    assert_true(tern_ring_push(&p, &item));        /* who has it open keeps it */
    tern_shm_close(&a);
    tern_shm_close(&b);
    tern_shm_close(&b);
    assert_int_equal(tern_shm_fd(&b), -1);
    assert_untouched(&a);
}

static void shm_bad_arguments_leave_nothing(void **state)
{
    (void)state;
    tern_region region;
    char longest[260];
    memset(longest, 'n', sizeof longest);
    longest[201] = '\0';
    const char *bad[] = { "", ".", "..", ".hidden", "a/b", "/a", "a b", "a\n", "\xc3\xa4", longest };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_status(tern_shm_create(&region, bad[i], SIZE, NULL), TERN_ERR_ARGUMENT);
        assert_status(tern_shm_open(&region, bad[i], NULL), TERN_ERR_ARGUMENT);
        assert_status(tern_shm_unlink(bad[i]), TERN_ERR_ARGUMENT);
        assert_untouched(&region);
    }
    assert_status(tern_shm_open(&region, NULL, NULL), TERN_ERR_ARGUMENT);
    assert_status(tern_shm_create(&region, name, 100, NULL), TERN_ERR_MEMORY);
    assert_status(tern_shm_create(&region, name, SIZE, &(tern_region_desc){ 0, 0, 0, 99, 0 }), TERN_ERR_ARGUMENT);
    assert_status(tern_shm_open_fd(&region, -1, NULL), TERN_ERR_ARGUMENT);
    assert_int_equal(access(path, F_OK), -1);
    longest[200] = '\0';
    assert_status(tern_shm_create(&region, longest, SIZE, NULL), TERN_OK);
    tern_shm_close(&region);
    assert_status(tern_shm_unlink(longest), TERN_OK);
}

/* More than the whole file system, so that nothing is really allocated on the way to the error. */
static void shm_without_space_is_a_clean_error(void **state)
{
    (void)state;
    tern_region region;
    struct statvfs system;
    assert_int_equal(statvfs("/dev/shm", &system), 0);
    size_t too_much = (size_t)(system.f_blocks + 1024) * system.f_frsize;
    assert_status(tern_shm_create(&region, name, too_much, NULL), TERN_ERR_NO_SPACE);
    assert_status(tern_shm_create(&region, name, SIZE_MAX, NULL), TERN_ERR_NO_SPACE);
    size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    assert_status(tern_shm_create(&region, NULL, memory + (1 << 20), NULL), TERN_ERR_NO_SPACE);
    assert_untouched(&region);
    assert_int_equal(access(path, F_OK), -1);
}

/* The system refuses while it allocates: a limit on file sizes stands in for a full disk. */
static void shm_refused_while_allocating_is_a_clean_error(void **state)
{
    (void)state;
    tern_region region;
    struct rlimit before, limit;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 1 << 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_status(tern_shm_create(&region, name, 2 << 20, NULL), TERN_ERR_NO_SPACE);
    assert_untouched(&region);
    assert_status(tern_shm_create(&region, NULL, 2 << 20, NULL), TERN_ERR_NO_SPACE);
    assert_untouched(&region);
    assert_int_equal(access(path, F_OK), -1);
    assert_status(tern_shm_create(&region, name, 1 << 19, NULL), TERN_OK);
    tern_shm_close(&region);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static void shm_foreign_files_are_refused(void **state)
{
    (void)state;
    tern_region region;
    static const char text[] = "This is a text file, and a fairly short one at that.\n";
    char long_text[4096];
    memset(long_text, 'T', sizeof long_text);
    put_file("", 0, 0600);
    assert_status(tern_shm_open(&region, name, NULL), TERN_ERR_NOT_READY);   /* as if just created */
    assert_status(tern_shm_create(&region, name, SIZE, NULL), TERN_ERR_EXISTS);
    unlink(path);
    put_file(text, sizeof text, 0600);
    assert_status(tern_shm_open(&region, name, NULL), TERN_ERR_MEMORY);
    unlink(path);
    put_file(long_text, sizeof long_text, 0600);
    assert_status(tern_shm_open(&region, name, NULL), TERN_ERR_CORRUPT);
    unlink(path);
    memset(long_text, 0, sizeof long_text);
    put_file(long_text, sizeof long_text, 0600);
    assert_status(tern_shm_open(&region, name, NULL), TERN_ERR_NOT_READY);   /* being formatted */
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_status(tern_shm_open(&region, name, NULL), TERN_ERR_CORRUPT);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_status(tern_shm_open(&region, name, NULL), TERN_ERR_CORRUPT);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_status(tern_shm_open(&region, name, NULL), TERN_ERR_CORRUPT);     /* and does not hang */
    assert_untouched(&region);
}

static void shm_truncated_region_is_refused(void **state)
{
    (void)state;
    tern_region region;
    assert_status(tern_shm_create(&region, name, SIZE, NULL), TERN_OK);
    tern_shm_close(&region);
    const off_t sizes[] = { SIZE - 1, SIZE - 4096, 4097, 4096, 4095, 256, 255, 64, 8, 1, 0 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(truncate(path, sizes[i]), 0);
        assert_status(tern_shm_open(&region, name, NULL), sizes[i] ? TERN_ERR_MEMORY : TERN_ERR_NOT_READY);
        assert_untouched(&region);
    }
}

/* Each byte of the header changed in the file: a status, never a crash. */
static void shm_damaged_header_is_refused(void **state)
{
    (void)state;
    tern_region region;
    assert_status(tern_shm_create(&region, name, SIZE, NULL), TERN_OK);
    tern_shm_close(&region);
    int fd = open(path, O_RDWR);
    for (off_t at = 0; at < 64; at++) {
        unsigned char right, wrong;
        if (at >= 4 && at < 8) continue;             /* reserved */
        for (int bit = 0; bit < 8; bit++) {
            assert_int_equal(pread(fd, &right, 1, at), 1);
            wrong = (unsigned char)(right ^ (1u << bit));
            assert_int_equal(pwrite(fd, &wrong, 1, at), 1);
            assert_true(tern_shm_open(&region, name, NULL) < 0);
            assert_untouched(&region);
            assert_int_equal(pwrite(fd, &right, 1, at), 1);
        }
    }
    close(fd);
    assert_status(tern_shm_open(&region, name, NULL), TERN_OK);
    tern_shm_close(&region);
}

/* A descriptor sent over a Unix socket. */
static void send_fd(int socket, int fd)
{
    char byte = 0;
    struct iovec data = { &byte, 1 };
    union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int))]; } control;
    struct msghdr message;
    memset(&message, 0, sizeof message);
    memset(&control, 0, sizeof control);
    message.msg_iov = &data, message.msg_iovlen = 1;
    message.msg_control = control.bytes, message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    assert_int_equal(sendmsg(socket, &message, 0), 1);
}

static int receive_fd(int socket)
{
    char byte;
    int fd = -1;
    struct iovec data = { &byte, 1 };
    union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int))]; } control;
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &data, message.msg_iovlen = 1;
    message.msg_control = control.bytes, message.msg_controllen = sizeof control.bytes;
    if (recvmsg(socket, &message, 0) == 1 && CMSG_FIRSTHDR(&message))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

/* The other process: every item comes in order, then the end. 0 if so. */
static int consume_from_socket(int socket)
{
    tern_region region;
    tern_ring_consumer c;
    uint32_t item, expected = 0;
    int fd = receive_fd(socket);
    if (tern_shm_open_fd(&region, fd, NULL) != TERN_OK) return 1;
    close(fd);                                   /* the view has its own */
    if (tern_ring_open_consumer(&c, &region, "r", NULL) != TERN_OK) return 2;
    tern_status status;
    while ((status = tern_ring_pop_wait(&c, &item, TERN_WAIT_FOREVER)) == TERN_OK)
        if (item != expected++) return 3;
    tern_shm_close(&region);
    return status == TERN_ERR_CLOSED && expected == 20000 ? 0 : 4;
}

static void shm_anonymous_region_travels_by_descriptor(void **state)
{
    (void)state;
    int sockets[2], result = -1;
    tern_region region;
    tern_ring_desc desc = { 4, 8, TERN_RING_WAITABLE };
    tern_ring_producer p;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    pid_t child = fork();
    if (child == 0) _exit(consume_from_socket(sockets[1]));
    assert_status(tern_shm_create(&region, NULL, SIZE, NULL), TERN_OK);
    int seals = fcntl(tern_shm_fd(&region), F_GET_SEALS);
    assert_true((seals & F_SEAL_SHRINK) && (seals & F_SEAL_GROW));
    assert_int_equal(ftruncate(tern_shm_fd(&region), 0), -1);
    assert_status(tern_ring_open_producer(&p, &region, "r", &desc), TERN_OK);
    send_fd(sockets[0], tern_shm_fd(&region));
    for (uint32_t i = 0; i < 20000; i++) assert_status(tern_ring_push_wait(&p, &i, TERN_WAIT_FOREVER), TERN_OK);
    tern_ring_close_producer(&p);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    tern_shm_close(&region);
    close(sockets[0]);
    close(sockets[1]);
}

static void shm_unsealed_memfd_is_refused(void **state)
{
    (void)state;
    tern_region region;
    int fd = memfd_create("test", MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, SIZE), 0);
    void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_status(tern_region_format(memory, SIZE, NULL), TERN_OK);
    assert_status(tern_shm_open_fd(&region, fd, NULL), TERN_ERR_ACCESS);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    assert_status(tern_shm_open_fd(&region, fd, NULL), TERN_OK);
    tern_shm_close(&region);
    munmap(memory, SIZE);
    close(fd);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_status(tern_shm_open_fd(&region, ends[0], NULL), TERN_ERR_CORRUPT);
    close(ends[0]);
    close(ends[1]);
}

static void shm_session_is_checked(void **state)
{
    (void)state;
    tern_region a, b;
    assert_status(tern_shm_create(&a, name, SIZE, &(tern_region_desc){ 99, 0, 0, TERN_DOMAIN_MAIN, 0 }), TERN_OK);
    assert_int_equal(a.domain, TERN_DOMAIN_MAIN);
    assert_status(tern_shm_open(&b, name, NULL), TERN_ERR_SESSION);
    assert_status(tern_shm_open(&b, name, &(tern_attach_desc){ 98, 0 }), TERN_ERR_SESSION);
    assert_status(tern_shm_open(&b, name, &(tern_attach_desc){ 99, 0 }), TERN_OK);
    tern_shm_close(&a);
    tern_shm_close(&b);
}

/* Many processes create, open and unlink one name: each open finds a whole region. */
static int race_on_one_name(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        tern_region region;
        tern_status status = tern_shm_create(&region, name, SIZE, NULL);
        if (status == TERN_OK) {
            tern_shm_close(&region);
        } else if (status != TERN_ERR_EXISTS) {
            return 1;
        }
        status = tern_shm_open(&region, name, NULL);
        if (status == TERN_OK) tern_shm_close(&region);
        else if (status != TERN_ERR_NOT_FOUND) return 2;
        status = tern_shm_unlink(name);
        if (status != TERN_OK && status != TERN_ERR_NOT_FOUND) return 3;
    }
    return 0;
}

static void shm_name_race_never_shows_half_a_region(void **state)
{
    (void)state;
    enum { PROCESSES = 8, ROUNDS = 300 };
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        if ((children[i] = fork()) == 0) _exit(race_on_one_name(ROUNDS));
    for (int i = 0; i < PROCESSES; i++) {
        int result = -1;
        assert_int_equal(waitpid(children[i], &result, 0), children[i]);
        assert_int_equal(result, 0);
    }
}

#define SHM_TEST(test) cmocka_unit_test_setup_teardown(test, fresh_name, forget_name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHM_TEST(shm_create_open_unlink),
        SHM_TEST(shm_bad_arguments_leave_nothing),
        SHM_TEST(shm_without_space_is_a_clean_error),
        SHM_TEST(shm_refused_while_allocating_is_a_clean_error),
        SHM_TEST(shm_foreign_files_are_refused),
        SHM_TEST(shm_truncated_region_is_refused),
        SHM_TEST(shm_damaged_header_is_refused),
        SHM_TEST(shm_anonymous_region_travels_by_descriptor),
        SHM_TEST(shm_unsealed_memfd_is_refused),
        SHM_TEST(shm_session_is_checked),
        SHM_TEST(shm_name_race_never_shows_half_a_region),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
