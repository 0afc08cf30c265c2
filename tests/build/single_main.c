/* SPDX-License-Identifier: MIT */
/* single_main.c: one of two files of a program on the single header; single_other.c is the other.
 * Either may hold the implementation (-DHOLDS_IMPLEMENTATION) and either may be C or C++. */
#if defined(HOLDS_IMPLEMENTATION)
#  define TERN_IMPLEMENTATION
#endif
#include "tern.h"

#include <stdio.h>
#include <string.h>

#include "single_api.h"

#define CHECK(condition) do { if (!(condition)) { printf("line %d\n", __LINE__); return 1; } } while (0)

int main(void)
{
    tern_region region;
    tern_ring_producer p;
    tern_object object;
    tern_ring_desc desc = { sizeof(int), 16, TERN_RING_WAITABLE };
    int number = 42;

    CHECK(tern_shm_create(&region, NULL, 1 << 16, NULL) == TERN_OK);
    CHECK(tern_ring_open_producer(&p, &region, "numbers", &desc) == TERN_OK);
    CHECK(int_ring_push(&p, &number));
    CHECK(tern_region_find(&region, "numbers", TERN_TYPE_RING, &object) == TERN_OK);
    CHECK(other_pops(object.memory, (size_t)object.size_bytes) == 42);
    CHECK(other_ring_header_bytes() == sizeof(struct tern_ring_shared));
    CHECK(strcmp(tern_status_name(TERN_ERR_TIMEOUT), "TERN_ERR_TIMEOUT") == 0);
    tern_shm_close(&region);
    printf("%s %s %08x\n", TERN_VERSION_STRING, tern_wait_backend(), (unsigned)tern_layout_hash());
    return 0;
}
