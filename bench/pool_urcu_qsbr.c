/* SPDX-License-Identifier: MIT */
/* pool_urcu_qsbr.c: the flavour whose read sections cost nothing; the thread tells when it is quiescent. */
#define _LGPL_SOURCE
#include <urcu-qsbr.h>
#define FLAVOUR qsbr
#define QUIESCENT() rcu_quiescent_state()
#include "pool_urcu_impl.h"
