/* SPDX-License-Identifier: MIT */
/* single_api.h: what the two translation units of the single-header test know of each other. */
#ifndef SINGLE_API_H
#define SINGLE_API_H

#include "tern.h"

TERN_RING_DEFINE(int_ring, int)

TERN_EXTERN_C_BEGIN
/* The other file: attaches a consumer to the memory and pops one number. */
int other_pops(void *memory, size_t size_bytes);
/* Size of a ring's header as the other file's language sees it. */
uint32_t other_ring_header_bytes(void);
TERN_EXTERN_C_END

#endif
