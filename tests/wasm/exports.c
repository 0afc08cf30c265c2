/* SPDX-License-Identifier: MIT */
/* exports.c: counters of sleeping and waking for each worker, and where its stack is. The calls
 * and views of each primitive are in a file of their own. */
#include "../../lib/os/os.h"
#define EXPORTS_OF crew
#include "exports.h"

/* Thread-local: right only if each worker's instance has storage of its own. */
#if defined(__wasm_atomics__)
static _Thread_local uint32_t sleeps, wakes;
#else
static uint32_t sleeps, wakes;
#endif

/* wait_counted() and wake_counted() run the real ones, through the table that is there for tests. */
static tern_status wait_counted(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    sleeps++;
    return tern__os_wasm.wait(word, expected, timeout_ns);
}

static void wake_counted(tern_a32 *word)
{
    wakes++;
    tern__os_wasm.wake(word);
}

static uint64_t now_counted(void)
{
    return tern__os_wasm.now_ns();
}

static const tern__os counting = { "counting", wait_counted, wake_counted, now_counted,
                                   tern__os_barrier_register, tern__os_barrier };

/* Once, before any worker waits. */
EXPORT("test_count_sleeps") void test_count_sleeps(void);
void test_count_sleeps(void)
{
    tern__os_current = &counting;
}

/* Where this instance's stack is: the address of a local that must lie in memory. */
EXPORT("test_stack_address") uint32_t test_stack_address(void);
uint32_t test_stack_address(void)
{
    void *volatile here = NULL;
    here = (void *)&here;
    return (uint32_t)(uintptr_t)here;
}

NUMBER("test_sleeps", sleeps)
NUMBER("test_wakes", wakes)

/* Uses some 128 bytes of stack for each level, all of them. */
EXPORT("test_recurse") uint32_t test_recurse(uint32_t levels);
uint32_t test_recurse(uint32_t levels)
{
    volatile uint8_t used[128];
    for (uint32_t i = 0; i < sizeof used; i++) used[i] = (uint8_t)(i + levels);
    return (levels == 0 ? 0 : test_recurse(levels - 1)) + used[levels % sizeof used];
}
