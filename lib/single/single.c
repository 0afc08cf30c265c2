/* SPDX-License-Identifier: MIT */
/* single.c: the library from the single header alone. */
#define TERN_IMPLEMENTATION
#include "tern/tern.h"
