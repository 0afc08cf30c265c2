/* SPDX-License-Identifier: MIT */
/* unit.h: what every cmocka program of this folder includes first. */
#ifndef TERN_UNIT_H
#define TERN_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <tern/tern.h>

/* Statuses by name, so that a failing test reads well. */
#define assert_status(expression, expected) \
    assert_string_equal(tern_status_name(expression), tern_status_name(expected))

/* Zeroed memory at a multiple of so many bytes, ended by the allocator's own red zone under ASan. */
static inline void *unit_memory_at(size_t alignment_bytes, size_t size_bytes)
{
    void *memory = NULL;
    assert_int_equal(posix_memalign(&memory, alignment_bytes, size_bytes), 0);
    memset(memory, 0, size_bytes);
    return memory;
}

static inline void *unit_memory(size_t size_bytes)
{
    return unit_memory_at(128, size_bytes);
}

/* Leave a test out that this machine does not allow. cmocka's skip() says "not ok", which is a failure to
 * meson; tools/count-tests counts these lines as skipped. */
#define unit_skip(why) \
    do { \
        print_message("# SKIPPED: %s\n", (why)); \
        return; \
    } while (0)

#endif
