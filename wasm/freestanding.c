/* SPDX-License-Identifier: MIT */
/* freestanding.c: the three functions of a C library that compiled code calls by itself.
 *
 * Only for the modules that wasm/build makes, which have no C library; not in lib/, because a
 * program compiled by Emscripten or wasi-sdk brings its own. Copy and fill are one bulk-memory
 * instruction each. */
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size_bytes);
void *memset(void *to, int byte, size_t size_bytes);
int memcmp(const void *left, const void *right, size_t size_bytes);

void *memcpy(void *to, const void *from, size_t size_bytes)
{
    return __builtin_memcpy(to, from, size_bytes);   /* memory.copy */
}

void *memset(void *to, int byte, size_t size_bytes)
{
    return __builtin_memset(to, byte, size_bytes);   /* memory.fill */
}

int memcmp(const void *left, const void *right, size_t size_bytes)
{
    const unsigned char *l = (const unsigned char *)left, *r = (const unsigned char *)right;
    for (size_t i = 0; i < size_bytes; i++)
        if (l[i] != r[i]) return l[i] < r[i] ? -1 : 1;
    return 0;
}
