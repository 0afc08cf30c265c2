/* SPDX-License-Identifier: MIT */
/* test_shm_hazards.c: everything that can stand in a region's way before it is mapped: no room, other
 * users, squatters on a name, names that are given twice, holes, huge pages that are not there. Each
 * is a status, and none is a signal later. */
#include "shm_fixture.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>

enum { SIZE = 64 * 1024, NOBODY = 65534, SKIPPED = 77 };

static const tern_ring_desc ring_desc = { 8, 16, TERN_RING_WAITABLE };

static void put_file(const void *bytes, size_t size, mode_t mode)
{
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR, mode);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

/* ---- No room ------------------------------------------------------------------------------- */

/* A /dev/shm of one megabyte for this process alone. False: not allowed. In a chroot "/" is no mount, but
 * /dev/shm or /dev may be one: what it stands on must be private, or others would get the small one too. */
static bool small_shm(void)
{
    static const char *const below[] = { "/", "/dev", "/dev/shm" };
    bool is_private = false;
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++)
        is_private |= mount(NULL, below[i], NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    return is_private && mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=1m,mode=1777") == 0;
}

/* Take what is left. */
static void fill_shm(void)
{
    static const char bytes[4096] = "full";
    int fd = open("/dev/shm/filler", O_CREAT | O_RDWR, 0600);
    CHILD_CHECK(fd >= 0);
    while (write(fd, bytes, sizeof bytes) > 0) {}
    CHILD_CHECK(errno == ENOSPC);
    close(fd);
}

static void use_a_full_disk(void)
{
    struct statvfs room;
    tern_region region, none;
    tern_ring_producer p;
    tern_ring_consumer c;
    if (!small_shm()) _exit(SKIPPED);
    memset(&none, 0, sizeof none);
    none.fd = -1;
    CHILD_STATUS(tern_shm_create(&region, name, 2 << 20, NULL), TERN_ERR_NO_SPACE);
    CHILD_CHECK(memcmp(&region, &none, sizeof none) == 0 && errno == ENOSPC && access(path, F_OK) != 0);
    CHILD_STATUS(tern_shm_create(&region, name, 1 << 19, NULL), TERN_OK);
    fill_shm();
    CHILD_CHECK(statvfs("/dev/shm", &room) == 0 && room.f_bavail == 0);
    /* every byte of it is there, nothing more is needed */
    memset((unsigned char *)region.shared + region.heap_offset_bytes, 7, region.size_bytes - region.heap_offset_bytes);
    CHILD_STATUS(tern_ring_open_producer(&p, &region, "r", &ring_desc), TERN_OK);
    CHILD_STATUS(tern_ring_open_consumer(&c, &region, "r", NULL), TERN_OK);
    for (uint64_t i = 0, item; i < 100; i++)
        CHILD_CHECK(tern_ring_push(&p, &i) && tern_ring_pop(&c, &item) && item == i);
    /* a hole can't be filled any more, and a file with holes is not mapped */
    CHILD_CHECK(fallocate(tern_shm_fd(&region), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 18, 1 << 18) == 0);
    tern_shm_close(&region);
    fill_shm();
    CHILD_STATUS(tern_shm_open(&region, name, NULL), TERN_ERR_NO_SPACE);
    CHILD_CHECK(memcmp(&region, &none, sizeof none) == 0);
    CHILD_CHECK(unlink("/dev/shm/filler") == 0);
    CHILD_STATUS(tern_shm_open(&region, name, NULL), TERN_OK);
    _exit(0);
}

static void hazard_full_disk_is_a_clean_error(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) use_a_full_disk();
    int code = child_end(child);
    if (code == SKIPPED) unit_skip("a small /dev/shm of one's own is not allowed here");
    assert_int_equal(code, 0);
}

static void hazard_holes_are_filled_at_opening(void **state)
{
    (void)state;
    tern_region region;
    struct stat file;
    assert_status(tern_shm_create(&region, name, SIZE, NULL), TERN_OK);
    tern_shm_close(&region);
    int fd = open(path, O_RDWR);
    assert_int_equal(ftruncate(fd, 40960), 0);
    assert_int_equal(ftruncate(fd, SIZE), 0);
    assert_int_equal(fstat(fd, &file), 0);
    assert_true(file.st_blocks * 512 < SIZE);
    assert_status(tern_shm_open(&region, name, NULL), TERN_OK);
    assert_int_equal(fstat(fd, &file), 0);
    assert_true(file.st_blocks * 512 >= SIZE);
    tern_shm_close(&region);
    /* what is no region is not worth the memory */
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
    assert_status(tern_shm_open(&region, name, NULL), TERN_ERR_NOT_READY);
    assert_int_equal(fstat(fd, &file), 0);
    assert_int_equal(file.st_blocks, 0);
    /* and a region that claims more than the machine has is refused before it is begun */
    assert_status(tern_shm_unlink(name), TERN_OK);
    close(fd);
    assert_status(tern_shm_create(&region, name, SIZE, NULL), TERN_OK);
    assert_int_equal(ftruncate(tern_shm_fd(&region), (off_t)1 << 50), 0);
    tern_region again;
    assert_status(tern_shm_open(&again, name, NULL), TERN_ERR_NO_SPACE);
    assert_int_equal(fstat(tern_shm_fd(&region), &file), 0);
    assert_true(file.st_blocks * 512 <= SIZE);
    tern_shm_close(&region);
}

/* ---- Other users ------------------------------------------------------------------------------- */

/* As somebody who is not root: against root's region, and then with a file of his own at the name. */
static void be_nobody(void)
{
    tern_region region;
    CHILD_CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    CHILD_STATUS(tern_shm_open(&region, name, NULL), TERN_ERR_ACCESS);
    CHILD_STATUS(tern_shm_create(&region, name, SIZE, NULL), TERN_ERR_EXISTS);
    CHILD_STATUS(tern_shm_unlink(name), TERN_ERR_ACCESS);
    CHILD_CHECK(chmod(path, 0666) != 0);
    _exit(0);
}

static void squat_as_nobody(void)
{
    tern_region region;
    CHILD_CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    CHILD_STATUS(tern_shm_create(&region, name, SIZE, NULL), TERN_OK);
    CHILD_CHECK(chmod(path, 0666) == 0);
    _exit(0);
}

static void hazard_other_users_are_kept_apart(void **state)
{
    (void)state;
    tern_region region;
    if (geteuid() != 0) unit_skip("needs root, to become somebody else");
    assert_status(tern_shm_create(&region, name, SIZE, NULL), TERN_OK);
    pid_t child = fork();
    if (child == 0) be_nobody();
    assert_int_equal(child_end(child), 0);
    assert_status(tern_shm_status(&region), TERN_OK);
    tern_shm_close(&region);
    assert_status(tern_shm_unlink(name), TERN_OK);
    child = fork();
    if (child == 0) squat_as_nobody();
    assert_int_equal(child_end(child), 0);
    assert_status(tern_shm_create(&region, name, SIZE, NULL), TERN_ERR_EXISTS);
    /* a sound region that anyone may write to, and not ours: its owner could cut it off at will */
    assert_status(tern_shm_open(&region, name, NULL), TERN_ERR_ACCESS);
    assert_null(region.shared);
    int fd = open(path, O_RDWR);                     /* who trusts him says so */
    assert_status(tern_shm_open_fd(&region, fd, NULL), TERN_OK);
    tern_shm_close(&region);
    close(fd);
}

static void open_without_permission(void)
{
    tern_region region;
    if (geteuid() == 0) CHILD_CHECK(chown(path, NOBODY, NOBODY) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    const mode_t modes[] = { 0000, 0200, 0400, 0066 };
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        CHILD_CHECK(chmod(path, modes[i]) == 0);
        CHILD_STATUS(tern_shm_open(&region, name, NULL), TERN_ERR_ACCESS);
        CHILD_CHECK(region.shared == NULL && region.fd == -1);
    }
    CHILD_CHECK(chmod(path, 0600) == 0);
    CHILD_STATUS(tern_shm_open(&region, name, NULL), TERN_OK);
    int fd = open(path, O_RDONLY);                   /* and a descriptor that is not for writing */
    CHILD_CHECK(fd >= 0);
    tern_shm_close(&region);
    CHILD_STATUS(tern_shm_open_fd(&region, fd, NULL), TERN_ERR_ACCESS);
    _exit(0);
}

static void hazard_wrong_mode_is_access(void **state)
{
    (void)state;
    tern_region region;
    assert_status(tern_shm_create(&region, name, SIZE, NULL), TERN_OK);
    pid_t child = fork();
    if (child == 0) open_without_permission();
    assert_int_equal(child_end(child), 0);
    tern_shm_close(&region);
}

/* ---- Squatters ------------------------------------------------------------------------------------ */

static void refused_while_squatted(tern_status opening)
{
    tern_region region;
    assert_status(tern_shm_open(&region, name, NULL), opening);
    assert_null(region.shared);
    assert_int_equal(region.fd, -1);
    assert_status(tern_shm_create(&region, name, SIZE, NULL), TERN_ERR_EXISTS);
    assert_null(region.shared);
}

static void hazard_squatted_names_are_refused(void **state)
{
    (void)state;
    tern_region region;
    char other[80], other_path[300];
    snprintf(other, sizeof other, "%s.other", name);
    assert_status(tern_shm_path(other, other_path, sizeof other_path), TERN_OK);
    assert_status(tern_shm_create(&region, other, SIZE, NULL), TERN_OK);

    assert_int_equal(symlink(other_path, path), 0);  /* even to a sound region */
    refused_while_squatted(TERN_ERR_CORRUPT);
    unlink(path);
    assert_int_equal(symlink("/dev/shm/tern.nowhere", path), 0);
    assert_status(tern_shm_open(&region, name, NULL), TERN_ERR_CORRUPT);
    assert_status(tern_shm_create(&region, name, SIZE, NULL), TERN_ERR_EXISTS);
    assert_int_equal(access("/dev/shm/tern.nowhere", F_OK), -1);
    unlink(path);
    assert_status(tern_shm_unlink(other), TERN_OK);

    struct sockaddr_un address;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    refused_while_squatted(TERN_ERR_CORRUPT);
    close(fd);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    refused_while_squatted(TERN_ERR_CORRUPT);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    refused_while_squatted(TERN_ERR_CORRUPT);
    assert_int_equal(rmdir(path), 0);
    put_file("", 0, 0600);
    refused_while_squatted(TERN_ERR_NOT_READY);
}

/* Somebody else's way to make a file: name first, bytes later. */
static void hazard_file_that_grows_at_the_name(void **state)
{
    (void)state;
    unsigned char *memory = unit_memory(SIZE);
    tern_region region;
    assert_status(tern_region_format(memory, SIZE, NULL), TERN_OK);
    put_file("", 0, 0600);
    int fd = open(path, O_RDWR);
    assert_status(tern_shm_open(&region, name, NULL), TERN_ERR_NOT_READY);
    for (size_t size = 1; size < SIZE; size = size < 256 ? size + 51 : 3 * size) {
        assert_int_equal(pwrite(fd, memory, size, 0), size);
        assert_status(tern_shm_open(&region, name, NULL), TERN_ERR_MEMORY);
    }
    assert_int_equal(pwrite(fd, memory, SIZE, 0), SIZE);
    assert_status(tern_shm_open(&region, name, NULL), TERN_OK);
    /* and grows on while it is open */
    assert_int_equal(ftruncate(fd, 4 * SIZE), 0);
    assert_status(tern_shm_status(&region), TERN_OK);
    assert_int_equal(region.size_bytes, SIZE);
    tern_shm_close(&region);
    close(fd);
    free(memory);
}

/* ---- A name that is given twice --------------------------------------------------------------------- */

static void hazard_old_and_new_region_of_a_name_never_mix(void **state)
{
    (void)state;
    tern_region old_maker, old_user, new_maker, new_user;
    tern_ring_producer old_p, new_p;
    tern_ring_consumer old_c, new_c;
    uint64_t item = 1;
    assert_status(tern_shm_create(&old_maker, name, SIZE, NULL), TERN_OK);
    assert_status(tern_ring_open_producer(&old_p, &old_maker, "r", &ring_desc), TERN_OK);
    assert_status(tern_shm_open(&old_user, name, NULL), TERN_OK);
    assert_true(tern_shm_name_is_current(&old_maker, name));
    assert_true(tern_shm_name_is_current(&old_user, name));
    assert_false(tern_shm_name_is_current(&old_user, "another"));
    assert_false(tern_shm_name_is_current(&old_user, "no/name"));
    assert_status(tern_shm_unlink(name), TERN_OK);
    assert_false(tern_shm_name_is_current(&old_maker, name));

    assert_status(tern_shm_create(&new_maker, name, SIZE, NULL), TERN_OK);
    assert_status(tern_ring_open_producer(&new_p, &new_maker, "r", &ring_desc), TERN_OK);
    assert_status(tern_shm_open(&new_user, name, NULL), TERN_OK);
    assert_false(tern_shm_name_is_current(&old_maker, name));
    assert_false(tern_shm_name_is_current(&old_user, name));
    assert_true(tern_shm_name_is_current(&new_maker, name));
    assert_true(tern_shm_name_is_current(&new_user, name));

    assert_status(tern_ring_open_consumer(&old_c, &old_user, "r", NULL), TERN_OK);
    assert_status(tern_ring_open_consumer(&new_c, &new_user, "r", NULL), TERN_OK);
    assert_true(tern_ring_push(&old_p, &item));
    assert_false(tern_ring_pop(&new_c, &item));
    item = 2;
    assert_true(tern_ring_push(&new_p, &item));
    assert_true(tern_ring_pop(&old_c, &item));
    assert_int_equal(item, 1);
    assert_true(tern_ring_pop(&new_c, &item));
    assert_int_equal(item, 2);
    tern_shm_close(&old_maker);
    assert_true(tern_shm_name_is_current(&new_maker, name));
    assert_false(tern_shm_name_is_current(&old_maker, name));   /* closed */
    tern_shm_close(&old_user);
    tern_shm_close(&new_maker);
    tern_shm_close(&new_user);
}

/* ---- Huge pages ---------------------------------------------------------------------------------------- */

/* A number from a file of the system; -1: there is none. */
static long system_number(const char *file, const char *format)
{
    char line[256];
    long value = -1, found;
    FILE *in = fopen(file, "r");
    while (in && value < 0 && fgets(line, sizeof line, in))
        if (sscanf(line, format, &found) == 1) value = found;
    if (in) fclose(in);
    return value;
}

static void hazard_huge_pages_that_are_not_there(void **state)
{
    (void)state;
    tern_region region;
    long page_kib = system_number("/proc/meminfo", "Hugepagesize: %ld");
    long left = system_number("/proc/meminfo", "HugePages_Free: %ld");
    long surplus = system_number("/proc/sys/vm/nr_overcommit_hugepages", "%ld");
    if (page_kib <= 0) page_kib = 2048;
    if (left < 0) left = 0;
    if (surplus > 0) unit_skip("the pool of huge pages may grow here: it can't be used up");
    size_t too_many = ((size_t)left + 1) * (size_t)page_kib * 1024;
    assert_status(tern_shm_create_huge(&region, NULL, too_many, NULL), TERN_ERR_NO_SPACE);
    assert_null(region.shared);
    assert_true(system_number("/proc/meminfo", "HugePages_Free: %ld") >= 0 || left == 0);
    if (left == 0) unit_skip("no huge pages in the pool (vm.nr_hugepages): only their absence is tested");
    assert_status(tern_shm_create_huge(&region, NULL, SIZE, NULL), TERN_OK);
    assert_int_equal(region.size_bytes, page_kib * 1024);
    memset((unsigned char *)region.shared + region.heap_offset_bytes, 7, region.size_bytes - region.heap_offset_bytes);
    tern_region again;
    assert_status(tern_shm_open_fd(&again, tern_shm_fd(&region), NULL), TERN_OK);
    assert_status(tern_shm_status(&again), TERN_OK);
    tern_shm_close(&again);
    tern_shm_close(&region);
}

static void hazard_huge_pages_as_advice(void **state)
{
    (void)state;
    tern_region region;
    assert_status(tern_shm_create_huge(&region, name, 8 << 20, NULL), TERN_OK);   /* with them or without */
    assert_int_equal(region.size_bytes, 8 << 20);
    assert_int_equal((uintptr_t)region.shared % (2 << 20), 0);   /* or there could not be any */
    memset((unsigned char *)region.shared + region.heap_offset_bytes, 7, region.size_bytes - region.heap_offset_bytes);
    assert_status(tern_shm_status(&region), TERN_OK);
    long mapped_kib = 0, value;
    bool inside = false;
    char line[512], start[32];
    snprintf(start, sizeof start, "%lx-", (unsigned long)(uintptr_t)region.shared);
    FILE *maps = fopen("/proc/self/smaps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        if (strncmp(line, start, strlen(start)) == 0) inside = true;
        if (inside && sscanf(line, "ShmemPmdMapped: %ld", &value) == 1) {
            mapped_kib = value;
            break;
        }
    }
    if (maps) fclose(maps);
    tern_shm_close(&region);
    if (mapped_kib == 0) unit_skip("this kernel has or allows no huge pages in /dev/shm: the region works without");
    assert_in_range(mapped_kib, 2048, 8192);   /* fragmented memory may refuse some */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHM_TEST(hazard_full_disk_is_a_clean_error),
        SHM_TEST(hazard_holes_are_filled_at_opening),
        SHM_TEST(hazard_other_users_are_kept_apart),
        SHM_TEST(hazard_wrong_mode_is_access),
        SHM_TEST(hazard_squatted_names_are_refused),
        SHM_TEST(hazard_file_that_grows_at_the_name),
        SHM_TEST(hazard_old_and_new_region_of_a_name_never_mix),
        SHM_TEST(hazard_huge_pages_that_are_not_there),
        SHM_TEST(hazard_huge_pages_as_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
