/* SPDX-License-Identifier: MIT */
/**
 * open.h: primitives by their names in a region.
 *
 *     tern_ring_desc desc = { 64, 1024, TERN_RING_WAITABLE };
 *     tern_ring_open_producer(&p, &region, "samples", &desc);   // makes it if it is not there
 *     tern_ring_open_consumer(&c, &region, "samples", NULL);    // must be there
 *
 * Whoever comes first makes the object; who comes later with a description checks it
 * against what is there. Either end may come first.
 *
 * An end has one holder (peer.h): a second one gets TERN_ERR_BUSY until the first detaches. The end of
 * a holder that died is taken over; the view's `recovery` then says so. An end of a ring, stream or triple buffer
 * that the other end's *_wait waits for, and whose holder dies, makes it answer TERN_ERR_PEER_DEAD within
 * 50 ms, after everything that was published; and so on until a successor has taken the end.
 * On a bell, whose ringers are not known, that answer says that some peer of the region died
 * and is not buried yet: tern_peer_recover().
 */
#ifndef TERN_OPEN_H
#define TERN_OPEN_H

#include "bell.h"
#include "peer.h"
#include "ring.h"
#include "pool.h"
#include "triple.h"
#include "stream.h"

TERN_EXTERN_C_BEGIN

/**
 * Open the producer's end of a ring.
 *
 * @param name 1 to 31 bytes
 * @param desc made with this if the name is new, compared with what is there if not;
 *             NULL: must exist, whatever its size
 * @return TERN_OK; TERN_ERR_NOT_FOUND (desc is NULL); TERN_ERR_NOT_READY: its maker has
 *         not finished, try again; TERN_ERR_MISMATCH: another type, item size,
 *         capacity or flags; TERN_ERR_FULL: no room in the region; TERN_ERR_BUSY: a live peer
 *         has the end; TERN_ERR_PEER_DEAD (desc is NULL): its maker died before it had finished;
 *         TERN_ERR_STATE: the region's view only looks, or is a fork's parent's;
 *         TERN_ERR_ALIGNMENT: paged, in a region of the caller's memory that begins at no page;
 *         TERN_ERR_ARGUMENT; TERN_ERR_DOMAIN; TERN_ERR_CORRUPT; TERN_ERR_VERSION: what
 *         stands there is of another version; TERN_ERR_MEMORY: it says that it is larger
 *         than its place. On failure the view is all zero.
 *
 * Role: producer. Progress: lock-free. Order: acquire [REGION-2], [RING-0].
 * Crash: the next open with a description goes on where a maker died.
 * A view that is opened in the MAIN domain refuses *_wait with TERN_ERR_DOMAIN.
 */
TERN_API tern_status tern_ring_open_producer(tern_ring_producer *p, tern_region *region, const char *name,
                                             const tern_ring_desc *desc);

/** Open the consumer's end of a ring; as tern_ring_open_producer(). Role: consumer. */
TERN_API tern_status tern_ring_open_consumer(tern_ring_consumer *c, tern_region *region, const char *name,
                                             const tern_ring_desc *desc);

/** Open a pool; as tern_ring_open_producer(), but any number may, and a capacity counts exactly. What dead
 *  peers had of it is given back first (tern_peer_recover()); `recovery` tells. The pool of a region has no
 *  other entry: tern_pool_attach() to its memory answers TERN_ERR_MISMATCH.
 *  Role: any. Progress: lock-free. Order: acquire [REGION-2], [POOL-0]. */
TERN_API tern_status tern_pool_open(tern_pool *pool, tern_region *region, const char *name,
                                    const tern_pool_desc *desc);

/**
 * Open the writer's end of a triple buffer; as tern_ring_open_producer().
 *
 * @return as there; TERN_ERR_MISMATCH: another type or buffer size
 *
 * Role: writer. Progress: lock-free. Order: acquire [REGION-2], [TRIPLE-0].
 * Crash: as there.
 */
TERN_API tern_status tern_triple_open_writer(tern_triple_writer *w, tern_region *region, const char *name,
                                             const tern_triple_desc *desc);

/** Open the reader's end of a triple buffer; as tern_triple_open_writer(). A view that is opened in
 *  the MAIN domain refuses tern_triple_wait(). Role: reader. */
TERN_API tern_status tern_triple_open_reader(tern_triple_reader *r, tern_region *region, const char *name,
                                             const tern_triple_desc *desc);

/** Open a bell, for ringing or collecting; as tern_ring_open_producer(): TERN_ERR_MISMATCH is another
 *  type or another number of sources. Role: any; one collector. Order: acquire [REGION-2], [BELL-0]. */
TERN_API tern_status tern_bell_open(tern_bell *bell, tern_region *region, const char *name,
                                    const tern_bell_desc *desc);

/** Open a bell as tern_bell_open(), and take the collector's end at once, which otherwise happens at the first
 *  wait or arm: TERN_ERR_BUSY if a live peer collects. After a dead collector every source rings. Role: collector. */
TERN_API tern_status tern_bell_open_collector(tern_bell *bell, tern_region *region, const char *name,
                                              const tern_bell_desc *desc);

/** Open the producer's end of a stream; as tern_ring_open_producer(), TERN_ERR_MISMATCH: another type,
 *  capacity or flags. Role: producer. */
TERN_API tern_status tern_stream_open_producer(tern_stream_producer *p, tern_region *region, const char *name,
                                               const tern_stream_desc *desc);

/** Open the consumer's end of a stream; as tern_stream_open_producer(). Role: consumer. */
TERN_API tern_status tern_stream_open_consumer(tern_stream_consumer *c, tern_region *region, const char *name,
                                               const tern_stream_desc *desc);

TERN_EXTERN_C_END

#endif
