/* SPDX-License-Identifier: MIT */
/* kill.h: processes that are killed at every machine instruction of an operation.
 *
 * A case says what happens before the operation, the operation, and what must be true of whoever is
 * left and whoever comes after its caller died in it. The tracer forks the victim, steps it through
 * the operation instruction by instruction (ptrace), and looks at the shared bytes after each.
 *
 * Why that is every point. Death takes away what the victim had to itself and leaves the shared bytes.
 * So the death after instruction k is the shared bytes after k instructions, and two deaths between
 * which they did not change are one and the same to everybody else. At each change the victim stands
 * still while survivor and successor work on those bytes, in more than one order; then the bytes
 * are put back and the victim takes its next step.
 *
 * What the kernel knows of a death (locks, descriptors, files) is not in the bytes. Cases that are
 * about such things are `real`: each state that the shared bytes go through, and the end of each system
 * call, is a class of points; for each class a new victim runs to its first point and is
 * killed there by SIGKILL. */
#ifndef TERN_KILL_H
#define TERN_KILL_H

#include "../stress/stress.h"

typedef struct kill_case {
    const char *name;
    void (*prepare)(void);      /* all up to the operation; memory and world are zero before */
    void (*operate)(void);      /* what the victim does, to be killed at each instruction of it */
    void (*meanwhile)(void);    /* the other end's part once the victim sleeps; NULL: it does not sleep */
    int (*check)(int order);    /* who is left and who comes; see below */
    int orders;                 /* check runs with 0 .. orders - 1: who comes first, and so on */
    int effect;                 /* of the whole operation */
    bool real;                  /* really kill */
    void (*enter)(void);        /* what the victim does before; may be NULL */
    int deep;                   /* real: so many more victims die one after the other in the same operation,
                                   wherever they come to, before the check */
    bool sleeper;               /* check uses kill_beside_sleeper() */
    void (*finish)(void);       /* after each check of a real case; may be NULL */
} kill_case;

/* Lines of a table: a case; one whose victim goes to sleep, and what the other end does then; one beside a
 * survivor that sleeps. */
#define KILL_CASE(n, prepared, operation, checked, count, whole) { .name = n, .prepare = prepared, \
    .operate = operation, .check = checked, .orders = count, .effect = whole }
#define KILL_ASLEEP(n, prepared, operation, other, checked, count, whole) { .name = n, .prepare = prepared, \
    .operate = operation, .meanwhile = other, .check = checked, .orders = count, .effect = whole }
#define KILL_BESIDE(n, prepared, operation, checked, whole) { .name = n, .prepare = prepared, \
    .operate = operation, .check = checked, .orders = 1, .effect = whole, .sleeper = true }

#define KILL_REAL(n, prepared, entered, operation, checked, finished, whole) { .name = n, .prepare = prepared, \
    .enter = entered, .operate = operation, .check = checked, .finish = finished, .effect = whole, .orders = 1, \
    .real = true }

/* A check returns the effect that the operation has had: 0 before it, more and more up to that of the
 * whole. It never goes back from one point to a later one, and each order finds the same. */
enum { KILL_WRONG = -1 };

/* Print what is wrong; false. */
bool kill_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Go on only if the condition holds; for checks that return an effect, and those that return a bool. */
#define KILL_MUST(condition) \
    do { if (!(condition)) { kill_wrong("%s", #condition); return KILL_WRONG; } } while (0)
#define KILL_TRUE(condition) do { if (!(condition)) return kill_wrong("%s", #condition); } while (0)

/* The shared bytes, at a multiple of a page. */
extern unsigned char *kill_memory;

/* Begin a program: so many shared bytes, and its world, the private state of the ends that is put
 * back after each check. [--only TEXT]: the cases whose name has the text in it. */
void kill_begin(int argc, char **argv, size_t memory_bytes, void *world, size_t world_bytes);
/* One case; the kind of object is printed in front of its name. */
void kill_run(const char *kind, const kill_case *c);
/* A case that can't be run here, and why. */
void kill_skip(const char *kind, const char *why);
/* @return the exit code */
int kill_end(void);

/* In a real case's prepare: watch these bytes instead of kill_memory. */
void kill_watch(unsigned char *memory, size_t bytes);

/* How the victim's end of a ring or of a stream publishes. TURNING, its next publication is its last by
 * exchange; ASYMMETRIC, that has been. */
typedef enum { PLAIN, EXCHANGE, TURNING, ASYMMETRIC } publishing;

/* ---- Who is asleep ---------------------------------------------------------------------------- */

/* In prepare: a process does what it does until it sleeps, and is killed then: its marks stay. */
bool kill_leave_asleep(int (*survive)(void));

/* In check: a survivor that went to sleep before the operation began, and sleeps on at the point if the
 * victim has not woken it, is to be woken by what the successor does here.
 * @return what survive returned, 0 to 200, or KILL_WRONG */
int kill_beside_sleeper(int (*survive)(void), bool (*succeed)(void));

/* True as soon as the condition holds; false if it does not in ten seconds. */
bool kill_soon(bool (*condition)(void));

#endif
