/* SPDX-License-Identifier: MIT */
/*
 * ring_trusting.cpp: Tern's ring as if every peer told the truth: the checks of what the other end
 * wrote are compiled out. Beside the ring as it is, in one program and one run, it tells what they
 * cost (hardening_google, `./dev bench --hardening`).
 */
#define TERN__TRUST_PEERS 1
#define RING_TERN ring_trusting
#define RING_TERN_SUFFIX " trusting"
#include "ring_tern.cpp"
