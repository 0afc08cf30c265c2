/* SPDX-License-Identifier: MIT */
/* bench_process.c: the second process of a measurement. */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

bench_cpus bench_find_cpus(void)
{
    bench_cpus found = { { -1, -1 }, 0 };
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return found;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET((size_t)cpu, &allowed)) continue;
        if (found.count < 2) found.cpu[found.count] = cpu;
        found.count++;
    }
    /* both on the only CPU: nothing to pin */
    if (found.count == 1) found.cpu[0] = -1;
    return found;
}

void bench_pin(int cpu)
{
    cpu_set_t one;
    if (cpu < 0) return;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    sched_setaffinity(0, sizeof one, &one);   /* a measurement without it is worse, not wrong */
}

bool bench_fork(bench_child *child, int cpu, bool (*work)(void *argument, int control), void *argument)
{
    int ends[2];
    pid_t parent = getpid();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        complain("no socket: %s", strerror(errno));
        return false;
    }
    fflush(NULL);   /* or the child would print it again */
    child->pid = fork();
    if (child->pid < 0) {
        complain("cannot fork: %s", strerror(errno));
        close(ends[0]);
        close(ends[1]);
        return false;
    }
    if (child->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(EXIT_FAILED);   /* it died before we asked to be told */
        close(ends[0]);
        bench_pin(cpu);
        _exit(work(argument, ends[1]) ? EXIT_OK : EXIT_FAILED);
    }
    close(ends[1]);
    child->control = ends[0];
    return true;
}

bool bench_say(int control)
{
    return bench_write_all(control, "", 1);
}

bool bench_hear(int control)
{
    char word;
    return bench_read_all(control, &word, 1);
}

/* Does not reap: its exit code is for bench_join(). */
bool bench_is_alive(const bench_child *child)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    return waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

bool bench_join(bench_child *child, bool we_succeeded)
{
    int status = 0;
    if (!we_succeeded) kill(child->pid, SIGKILL);   /* it may wait for bytes that never come */
    close(child->control);   /* a child that waits for us goes on and fails */
    while (waitpid(child->pid, &status, 0) < 0)
        if (errno != EINTR) return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK;
}

bool bench_read_all(int fd, void *bytes, size_t count)
{
    unsigned char *to = bytes;
    while (count > 0) {
        ssize_t n = read(fd, to, count);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        to += n;
        count -= (size_t)n;
    }
    return true;
}

bool bench_write_all(int fd, const void *bytes, size_t count)
{
    const unsigned char *from = bytes;
    while (count > 0) {
        ssize_t n = write(fd, from, count);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        from += n;
        count -= (size_t)n;
    }
    return true;
}
