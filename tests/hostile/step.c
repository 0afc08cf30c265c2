/* SPDX-License-Identifier: MIT */
/*
 * step.c: every access to the object, whoever compiled it, one by one.
 *
 * While a call runs, the object's pages are forbidden. Each instruction that touches them faults; it is
 * let through by itself (the processor's trap flag), and then they are forbidden again. So
 *
 *   in the watched program   an access that the library did not tell of is found: a plain read
 *                            of shared memory, which no count and no lie between two accesses would meet;
 *   in the plain program     reads are counted as the compiler made them, in the code that
 *                            ships, and each word changes right after it was read.
 *
 * Prefetches touch nothing and do not fault. x86-64, Linux.
 */
#define _GNU_SOURCE 1
#include "hostile.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

uint64_t hostile_stepped;

#if defined(__x86_64__) && defined(__linux__)

enum { STEP_TRAP_FLAG = 0x100, STEP_WRITE = 2 };

static struct {
    const unsigned char *expected;    /* the access that the library tells of */
    size_t expected_bytes;
    uint32_t offset;                  /* of the access that is let through */
    bool reads;
} step;

static void step_forbid(bool forbidden)
{
    mprotect(hostile_watched->pages, HOSTILE_ARENA_BYTES, forbidden ? PROT_NONE : PROT_READ | PROT_WRITE);
}

/* An instruction that reads and writes at once: lock-prefixed, or xchg with memory. */
static bool step_is_read_modify_write(const unsigned char *code)
{
    while (*code == 0x66 || (*code >= 0x40 && *code <= 0x4f)) code++;
    return *code == 0xf0 || *code == 0x86 || *code == 0x87;
}

/* An instruction of this program, and not of the C library. */
extern const char __executable_start[], etext[];

static bool step_is_ours(greg_t instruction)
{
    return (uintptr_t)instruction >= (uintptr_t)__executable_start && (uintptr_t)instruction < (uintptr_t)etext;
}

static void step_fault(int number, siginfo_t *info, void *context)
{
    world *w = hostile_watched;
    ucontext_t *c = context;
    greg_t *registers = c->uc_mcontext.gregs;
    uintptr_t offset = (uintptr_t)info->si_addr - (uintptr_t)w->memory;
    if (!w->calling || offset >= w->size_bytes)
        hostile_fail(w, "signal %d: an access outside, at the object's byte %lld", number, (long long)offset);
    const unsigned char *at = info->si_addr;
    if (HOSTILE_WATCHED && (at < step.expected || at >= step.expected + step.expected_bytes))
        hostile_fail(w, "%s touched byte %llu (%s) past atomic.h, at instruction %p", w->limit->call,
                     (unsigned long long)offset, w->victim->word(w, (uint32_t)offset & ~3u),
                     (void *)registers[REG_RIP]);
    step.offset = (uint32_t)offset & ~3u;
    step.reads = !(registers[REG_ERR] & STEP_WRITE)
        || step_is_read_modify_write((const unsigned char *)registers[REG_RIP]);
    /* memcpy reads some bytes twice; what it leaves is one of the two, and only that is looked at. Bytes of
     * items may be copied in any way: nothing depends on them. */
    const char *word = w->victim->word(w, step.offset);
    bool counts = step_is_ours(registers[REG_RIP]) && word && strcmp(word, "data") != 0;
    if (!HOSTILE_WATCHED && step.reads && counts) hostile_count_reads(w, step.offset, 4);
    hostile_stepped++;
    step_forbid(false);
    registers[REG_EFL] |= STEP_TRAP_FLAG;
}

static void step_done(int number, siginfo_t *info, void *context)
{
    world *w = hostile_watched;
    ucontext_t *c = context;
    (void)number, (void)info;
    c->uc_mcontext.gregs[REG_EFL] &= ~STEP_TRAP_FLAG;
    if (!HOSTILE_WATCHED && step.reads && w->flipping && hostile_below(w, 2)) hostile_mutate(w, step.offset);
    step_forbid(true);
}

bool hostile_step_begin(world *w)
{
    struct sigaction action;
    (void)w;
    memset(&action, 0, sizeof action);
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = step_fault;
    if (sigaction(SIGSEGV, &action, NULL) != 0) return false;
    action.sa_sigaction = step_done;
    return sigaction(SIGTRAP, &action, NULL) == 0;
}

void hostile_step_lock(bool locked)
{
    step_forbid(locked);
}

void hostile_step_expect(const void *shared, size_t size_bytes)
{
    step.expected = shared;
    step.expected_bytes = size_bytes;
}

#else

bool hostile_step_begin(world *w) { (void)w; return false; }
void hostile_step_lock(bool locked) { (void)locked; }
void hostile_step_expect(const void *shared, size_t size_bytes) { (void)shared, (void)size_bytes; }

#endif
