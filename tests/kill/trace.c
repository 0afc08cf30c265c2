/* SPDX-License-Identifier: MIT */
/* trace.c: ptrace for one child and one function. */
#include "trace.h"

#include <stdio.h>

#if defined(__linux__) && defined(__x86_64__)

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Where the child is; it tells itself, by a store before and one behind the function. */
enum { BEFORE, WITHIN, BEHIND };
static volatile int *phase;

enum { SYSCALL_OPCODE = 0x050f, BREAKPOINT = 0xcc };

void trace_stay(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int here = sched_getcpu();
    if (here >= 0) CPU_SET((size_t)here, &set);
    if (here >= 0) sched_setaffinity(0, sizeof set, &set);
}

static void child(void (*before)(void), void (*function)(void))
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (before) before();
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(1);
    raise(SIGSTOP);
    *phase = WITHIN;
    function();
    *phase = BEHIND;
    for (;;) raise(SIGSTOP);
}

bool trace_fork(tracee *t, void (*before)(void), void (*function)(void))
{
    int status;
    *t = (tracee){ .pid = -1 };
    if (!phase) {
        void *page = mmap(NULL, sizeof *phase, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) return false;
        phase = page;
    }
    *phase = BEFORE;
    fflush(stdout);
    t->pid = fork();
    if (t->pid == 0) child(before, function);
    if (t->pid < 0) return false;
    if (waitpid(t->pid, &status, 0) != t->pid || !WIFSTOPPED(status)) {
        t->pid = -1;
        return false;
    }
    /* out of raise() and up to the store */
    while (*phase == BEFORE)
        if (!trace_step(t) || !trace_wait(t, 0)) return false;
    t->instructions = 0;
    return true;
}

void trace_kill(tracee *t)
{
    free(t->counted);
    t->counted = NULL;
    if (t->pid <= 0) return;
    kill(t->pid, SIGKILL);
    while (waitpid(t->pid, NULL, 0) == -1 && errno == EINTR) { }
    t->pid = -1;
}

bool trace_within(const tracee *t)
{
    return t->pid > 0 && *phase == WITHIN;
}

bool trace_step(tracee *t)
{
    return ptrace(PTRACE_SINGLESTEP, t->pid, NULL, NULL) == 0;
}

bool trace_wait(tracee *t, int patience_s)
{
    int status = 0;
    pid_t stopped;
    const struct timespec nap = { .tv_nsec = 50000 };
    for (time_t end = time(NULL) + patience_s + 1;;) {
        stopped = waitpid(t->pid, &status, patience_s ? WNOHANG : 0);
        if (stopped == t->pid || (stopped == -1 && errno != EINTR)) break;
        if (patience_s == 0) continue;
        if (time(NULL) > end) return false;
        nanosleep(&nap, NULL);
    }
    if (stopped == t->pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP) {
        t->instructions++;
        t->steps++;
        return true;
    }
    if (stopped == t->pid && WIFSTOPPED(status)) printf("# the victim got signal %d\n", WSTOPSIG(status));
    if (stopped == t->pid && !WIFSTOPPED(status)) t->pid = -1;   /* it is waited for */
    return false;
}

/* ---- What is next ---------------------------------------------------------------------------- */

/* Read once a step. */
static struct {
    struct user_regs_struct registers;
    pid_t pid;
    uint64_t step;
} last_read;

static bool load_registers(tracee *t, struct user_regs_struct *registers)
{
    if (last_read.pid != t->pid || last_read.step != t->steps) {
        if (ptrace(PTRACE_GETREGS, t->pid, NULL, &last_read.registers) != 0) return false;
        last_read.pid = t->pid;
        last_read.step = t->steps;
    }
    *registers = last_read.registers;
    t->at = registers->rip;
    return true;
}

trace_call trace_next(tracee *t, uint64_t *word)
{
    struct user_regs_struct registers;
    *word = 0;
    if (!load_registers(t, &registers)) return TRACE_NO_CALL;
    /* the child was forked off: its code stands here too, at the same addresses */
    uint16_t opcode;
    memcpy(&opcode, (const void *)t->at, sizeof opcode);
    if (opcode != SYSCALL_OPCODE) return TRACE_NO_CALL;
    if (registers.rax != SYS_futex) return TRACE_CALL;
    int command = (int)registers.rsi & FUTEX_CMD_MASK;
    *word = registers.rdi;
    return command == FUTEX_WAIT ? TRACE_FUTEX_WAIT : command == FUTEX_WAKE ? TRACE_FUTEX_WAKE : TRACE_CALL;
}

/* The letter of /proc/PID/stat. */
static char state_of(pid_t pid)
{
    char path[64], line[128];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    char *name_end = file && fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    if (file) fclose(file);
    return name_end && name_end[1] == ' ' ? name_end[2] : '?';
}

bool trace_asleep(const tracee *t)
{
    for (;;) {
        char state = state_of(t->pid);
        if (state == 'S') return true;
        if (state != 'R') return false;
        sched_yield();
    }
}

bool trace_sleeps(pid_t pid)
{
    char path[64], where[64] = "";
    if (state_of(pid) != 'S') return false;
    snprintf(path, sizeof path, "/proc/%d/wchan", (int)pid);
    FILE *file = fopen(path, "r");
    if (file && !fgets(where, sizeof where, file)) where[0] = '\0';
    if (file) fclose(file);
    /* a kernel that does not tell says 0 */
    return where[0] == '\0' || strcmp(where, "0") == 0 || strstr(where, "futex") != NULL;
}

/* ---- The same place again ------------------------------------------------------------------------ */

/* Open addressing; at most half full. */
static trace_place *find_counted(trace_place *table, size_t room, uint64_t at)
{
    size_t i = (size_t)(at * 0x9e3779b97f4a7c15u >> 20) & (room - 1);
    while (table[i].at != 0 && table[i].at != at) i = (i + 1) & (room - 1);
    return &table[i];
}

void trace_count(tracee *t)
{
    struct user_regs_struct registers;
    if (!load_registers(t, &registers)) return;
    if (!t->counted) {
        t->counted_room = 1 << 16;
        t->counted = calloc(t->counted_room, sizeof *t->counted);
        if (!t->counted) abort();
    }
    trace_place *place = find_counted(t->counted, t->counted_room, t->at);
    place->at = t->at;
    place->hits++;
}

trace_place trace_here(tracee *t)
{
    trace_place place = *find_counted(t->counted, t->counted_room, t->at);
    place.instructions = t->instructions;
    return place;
}

/* Run until the breakpoint; false if the function ended before. */
static bool run_until_trap(tracee *t)
{
    int status;
    if (ptrace(PTRACE_CONT, t->pid, NULL, NULL) != 0) return false;
    return waitpid(t->pid, &status, 0) == t->pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP
        && trace_within(t);
}

bool trace_run_to(tracee *t, const trace_place *place)
{
    struct user_regs_struct registers;
    void *at = (void *)place->at;
    errno = 0;
    long code = ptrace(PTRACE_PEEKTEXT, t->pid, at, NULL);
    long trap = (long)(((unsigned long)code & ~0xfful) | BREAKPOINT);
    if (errno != 0) return false;
    for (uint64_t hits = 0;;) {
        /* the first place may be where the child stands already: that is no coming to it */
        if (hits > 0 && (!trace_step(t) || !trace_wait(t, 0))) return false;
        if (hits > 0 && load_registers(t, &registers) && registers.rip == place->at) {
            if (++hits == place->hits) return true;
            continue;
        }
        if (ptrace(PTRACE_POKETEXT, t->pid, at, (void *)trap) != 0 || !run_until_trap(t)) return false;
        t->steps++;
        if (!load_registers(t, &registers)) return false;
        registers.rip--;   /* the breakpoint was executed */
        if (registers.rip != place->at || ptrace(PTRACE_SETREGS, t->pid, NULL, &registers) != 0) return false;
        t->steps++;
        if (ptrace(PTRACE_POKETEXT, t->pid, at, (void *)code) != 0) return false;
        if (++hits == place->hits) return true;
    }
}

uint64_t trace_offset(const tracee *t)
{
    extern const char __executable_start[];
    struct user_regs_struct registers;
    uint64_t at = t->at;
    if (t->pid > 0 && ptrace(PTRACE_GETREGS, t->pid, NULL, &registers) == 0) at = registers.rip;
    return at - (uint64_t)(uintptr_t)__executable_start;
}

static void nothing(void) { }

bool trace_can(void)
{
    tracee t;
    bool can = trace_fork(&t, NULL, nothing);
    trace_kill(&t);
    return can;
}

#else

bool trace_can(void) { return false; }
void trace_stay(void) { }
bool trace_fork(tracee *t, void (*before)(void), void (*function)(void))
{
    (void)t; (void)before; (void)function;
    return false;
}
void trace_kill(tracee *t) { (void)t; }
bool trace_within(const tracee *t) { (void)t; return false; }
bool trace_step(tracee *t) { (void)t; return false; }
bool trace_wait(tracee *t, int patience_s) { (void)t; (void)patience_s; return false; }
trace_call trace_next(tracee *t, uint64_t *word) { (void)t; *word = 0; return TRACE_NO_CALL; }
bool trace_asleep(const tracee *t) { (void)t; return false; }
bool trace_sleeps(pid_t pid) { (void)pid; return false; }
void trace_count(tracee *t) { (void)t; }
trace_place trace_here(tracee *t) { (void)t; return (trace_place){ 0, 0, 0 }; }
bool trace_run_to(tracee *t, const trace_place *place) { (void)t; (void)place; return false; }
uint64_t trace_offset(const tracee *t) { (void)t; return 0; }

#endif
