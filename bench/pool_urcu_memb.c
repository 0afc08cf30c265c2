/* SPDX-License-Identifier: MIT */
/* pool_urcu_memb.c: the flavour for any thread: the other side makes the barriers by sys_membarrier. */
#define _LGPL_SOURCE
#define RCU_MEMBARRIER
#include <urcu.h>
#define FLAVOUR memb
#define QUIESCENT() ((void)0)
#include "pool_urcu_impl.h"
