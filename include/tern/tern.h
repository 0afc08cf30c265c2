/* SPDX-License-Identifier: MIT */
/** tern.h: all of Tern. */
#ifndef TERN_H
#define TERN_H

#include "base.h"
#include "atomic.h"
#include "wait.h"
#include "bell.h"
#include "ring.h"
#include "handle.h"
#include "pool.h"
#include "triple.h"
#include "stream.h"
#include "region.h"
#include "peer.h"
#include "shm.h"
#include "open.h"
#include "rcu.h"

#endif
