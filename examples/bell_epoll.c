/* SPDX-License-Identifier: MIT */
/* bell_epoll.c: a poll loop waits for a bell beside its other descriptors (Linux). A child process
 * rings; it has the eventfd from its parent. */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <tern/tern.h>

enum { SOURCES = 200, RINGS = 10000 };

static int ring_them(void *memory, size_t size, int fd)
{
    tern_bell bell;
    if (tern_bell_attach(&bell, memory, size) != TERN_OK) return 1;
    if (tern_bell_use_eventfd(&bell, fd) != TERN_OK) return 1;        /* a wake also writes to fd */
    for (uint32_t i = 0; i < RINGS; i++) tern_bell_ring(&bell, i % SOURCES);
    tern_bell_close(&bell);
    return 0;
}

int main(void)
{
    tern_bell_desc desc = { SOURCES };
    size_t size = tern_bell_size(&desc);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int fd = eventfd(0, EFD_CLOEXEC), poll = epoll_create1(EPOLL_CLOEXEC), child_status = 1;
    struct epoll_event event = { .events = EPOLLIN };
    tern_bell bell;
    uint32_t first, bits, marks = 0, sleeps = 0;
    static bool rang[SOURCES];

    if (memory == MAP_FAILED || fd < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0) return 1;
    if (tern_bell_format(memory, size, &desc) != TERN_OK || tern_bell_attach(&bell, memory, size) != TERN_OK) return 1;
    pid_t child = fork();
    if (child == 0) _exit(ring_them(memory, size, fd));

    while (tern_bell_status(&bell) == TERN_OK) {
        if (tern_bell_arm(&bell)) {                                   /* nothing pending: sleep */
            uint64_t count;
            if (epoll_wait(poll, &event, 1, -1) == 1 && read(fd, &count, sizeof count) == sizeof count) sleeps++;
        }
        tern_bell_pass pass;
        tern_bell_begin(&bell, &pass);
        while (tern_bell_next(&pass, &first, &bits))
            for (; bits; marks++) rang[first + tern_bell_take(&bits)] = true;
    }
    waitpid(child, &child_status, 0);
    for (uint32_t i = 0; i < SOURCES; i++)
        if (!rang[i]) return 1;
    printf("%u rings were collected as %u marks; slept %u times\n", RINGS, marks, sleeps);
    return child_status;
}
