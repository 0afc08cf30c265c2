/* SPDX-License-Identifier: MIT */
/* examine.h: what is wrong in a region, and what a repair would do about it.
 *
 * Both are found out on a private copy: the library itself opens the objects and buries the dead
 * there. So the answer is what an open or a repair would answer, and nothing is written. A copy of a
 * region in use is not of one moment: what is found wrong counts if it is found in each of several copies. */
#ifndef TERN_EXAMINE_H
#define TERN_EXAMINE_H

#include "object.h"

enum { EXAMINE_MOST_FINDINGS = 64, EXAMINE_TEXT_BYTES = 192 };

typedef struct examination {
    tern_status status;            /* of the region; all else is valid if it is TERN_OK */
    uint32_t alive, dead;          /* peers */
    tern_recovery repair;          /* what burying the dead does to the copy */
    uint32_t findings;             /* wrong, and no repair mends it; those beyond MOST are only counted */
    char text[EXAMINE_MOST_FINDINGS][EXAMINE_TEXT_BYTES];
} examination;

void examine(examination *e, const char *name);

/* What a peer has in hand of one pool. */
typedef struct in_hand { uint32_t object, pins, slots; } in_hand;

/* Of a peer of a look. cursor: 0 at first. @return false after the last pool */
bool examine_hands(const look *l, uint32_t peer, uint32_t *cursor, in_hand *hand);

#endif
