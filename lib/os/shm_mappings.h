/* SPDX-License-Identifier: MIT */
/* shm_mappings.h: the list of this process's mappings of regions, for who must know all of them:
 * a fork's child, which closes their descriptors, and the SIGBUS guard, which looks for the one
 * that a fault is in. Linux only.
 *
 * Files that must not meet a fork half-way are opened like this:
 *
 *     tern__mapping_begin();
 *     int fd = tern__mapping_keep(open(...));
 *     void *memory = tern__mapping_map(fd, size_bytes);
 *     ...
 *     tern__mapping_drop(fd);
 */
#ifndef TERN_SHM_MAPPINGS_H
#define TERN_SHM_MAPPINGS_H

#include "../internal.h"

#if defined(__linux__)

TERN_EXTERN_C_BEGIN

/* From here to tern__mapping_keep() a fork waits: no child gets a descriptor that is not on the list. */
void tern__mapping_begin(void);

/* Put a descriptor on the list. Ends what begin began, also if it is -1.
 * @return the descriptor; -1: it was that already, or there is no memory for the list and it was
 *         closed; errno tells which */
int tern__mapping_keep(int fd);

/* Map a kept descriptor's file, for reading and writing, not for children. NULL: see errno. */
void *tern__mapping_map(int fd, size_t size_bytes);

/* Unmap what was mapped, close, and take from the list. errno stays. */
void tern__mapping_drop(int fd);

/* Whether a mapping's file went away under it, and its bytes are zeros of our own by now. */
bool tern__mapping_is_lost(int fd);

/* A fault at this address: if it is in a mapping, private zeros take the mapping's place. Called by
 * the SIGBUS handler in the thread that touched the memory, which therefore is in none of these calls.
 * @return false: not ours, or no memory for the zeros */
bool tern__mapping_lose(const void *address);

TERN_EXTERN_C_END

#endif
#endif
