/* SPDX-License-Identifier: MIT */
/* exports.c: what JavaScript tests need beside the library's own exports: the calls that live in
 * headers, sizes of the views, and counters of sleeping and waking for each worker. */
#include "../../lib/os/os.h"
#include <tern/tern.h>

#define EXPORT(name) __attribute__((export_name(name)))

/* ---- Calls of the header, under their own names ----------------------------------- */

#define WRAP(result, name, parameters, arguments) \
    EXPORT(#name) result export_##name parameters; \
    result export_##name parameters { return name arguments; }

WRAP(bool, tern_ring_push, (tern_ring_producer *p, const void *item), (p, item))
WRAP(bool, tern_ring_pop, (tern_ring_consumer *c, void *item), (c, item))
WRAP(uint32_t, tern_ring_push_many, (tern_ring_producer *p, const void *items, uint32_t count), (p, items, count))
WRAP(uint32_t, tern_ring_pop_many, (tern_ring_consumer *c, void *items, uint32_t count), (c, items, count))
WRAP(uint32_t, tern_ring_producer_was_count, (const tern_ring_producer *p), (p))
WRAP(uint32_t, tern_ring_consumer_was_count, (const tern_ring_consumer *c), (c))

/* ---- Views ---------------------------------------------------------------------------- */

#define NUMBER(name, value) \
    EXPORT(name) uint32_t WRAP_NAME(__LINE__)(void); \
    uint32_t WRAP_NAME(__LINE__)(void) { return (uint32_t)(value); }
#define WRAP_NAME(line) WRAP_JOIN(number_, line)
#define WRAP_JOIN(left, right) left##right

NUMBER("test_sizeof_producer", sizeof(tern_ring_producer))
NUMBER("test_sizeof_consumer", sizeof(tern_ring_consumer))
NUMBER("test_sizeof_info", sizeof(tern_ring_info))
NUMBER("test_offsetof_producer_spin_checks", offsetof(tern_ring_producer, spin_checks))
NUMBER("test_offsetof_consumer_spin_checks", offsetof(tern_ring_consumer, spin_checks))
NUMBER("test_offsetof_info_was_pushed", offsetof(tern_ring_info, was_pushed))
NUMBER("test_offsetof_info_was_popped", offsetof(tern_ring_info, was_popped))
NUMBER("test_offsetof_info_was_count", offsetof(tern_ring_info, was_count))
NUMBER("test_offsetof_info_producer_closed", offsetof(tern_ring_info, producer_closed))
NUMBER("test_offsetof_info_producer_asleep", offsetof(tern_ring_info, producer_asleep))
NUMBER("test_offsetof_info_consumer_asleep", offsetof(tern_ring_info, consumer_asleep))

/* ---- Counting --------------------------------------------------------------------------- */

/* Thread-local: right only if each worker's instance has storage of its own. */
static _Thread_local uint32_t sleeps, wakes;

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

static const tern__os counting = { "counting", wait_counted, wake_counted, now_counted };

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
