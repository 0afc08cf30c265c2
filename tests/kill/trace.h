/* SPDX-License-Identifier: MIT */
/* trace.h: a child process under ptrace that is stepped through one function, one machine instruction
 * at a time. Linux on x86-64 only: on processors whose compare-exchange is a pair of a marked load and a
 * conditional store, a step between the two loses the mark, and the pair never succeeds. */
#ifndef TERN_TRACE_H
#define TERN_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct trace_place {
    uint64_t at, hits;               /* an instruction, and how often it has been come to */
    uint64_t instructions;
} trace_place;

typedef struct tracee {
    pid_t pid;
    uint64_t at;                     /* the instruction that is next, if anybody asked */
    uint64_t instructions;           /* of the function, so far */
    uint64_t steps;                  /* and before it */
    trace_place *counted;            /* how often each was come to */
    size_t counted_room;
} tracee;

/* Whether this machine can, and lets us. */
bool trace_can(void);
/* Keep this process and its children on one processor. */
void trace_stay(void);

/* Fork; the child does what comes before (may be NULL), and stands before the first instruction that
 * function needs. */
bool trace_fork(tracee *t, void (*before)(void), void (*function)(void));
void trace_kill(tracee *t);

/* Whether the function has not ended yet. */
bool trace_within(const tracee *t);
/* Begin one instruction, and wait until it is done: for so long, or 0: for ever. False: it is not, or the child is
 * no more. */
bool trace_step(tracee *t);
bool trace_wait(tracee *t, int patience_s);

/* What the next instruction is: a system call, and which. */
typedef enum { TRACE_NO_CALL, TRACE_CALL, TRACE_FUTEX_WAIT, TRACE_FUTEX_WAKE } trace_call;
/* @param word the futex, of the last two */
trace_call trace_next(tracee *t, uint64_t *word);
/* After trace_step() of a FUTEX_WAIT: true if it sleeps, false if it is done already. */
bool trace_asleep(const tracee *t);
/* Whether any process sleeps on a futex. */
bool trace_sleeps(pid_t pid);

/* Count that the child came to the instruction that is next; where that is; a child that never was
 * stepped runs there. */
void trace_count(tracee *t);
trace_place trace_here(tracee *t);
bool trace_run_to(tracee *t, const trace_place *place);

/* The next instruction as an address for addr2line -e PROGRAM. */
uint64_t trace_offset(const tracee *t);

#endif
