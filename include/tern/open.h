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
 */
#ifndef TERN_OPEN_H
#define TERN_OPEN_H

#include "bell.h"
#include "region.h"
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
 *         capacity or flags; TERN_ERR_FULL: no room in the region;
 *         TERN_ERR_ARGUMENT; TERN_ERR_DOMAIN; TERN_ERR_CORRUPT; TERN_ERR_VERSION: what
 *         stands there is of another version; TERN_ERR_MEMORY: it says that it is larger
 *         than its place. On failure the view is all zero.
 *
 * Role: producer. Progress: lock-free. Order: acquire [REGION-2], [RING-0].
 * Crash: a maker that dies half-way leaves the name NOT_READY.
 * A view that is opened in the MAIN domain refuses *_wait with TERN_ERR_DOMAIN.
 */
TERN_API tern_status tern_ring_open_producer(tern_ring_producer *p, tern_region *region, const char *name,
                                             const tern_ring_desc *desc);

/** Open the consumer's end of a ring; as tern_ring_open_producer(). Role: consumer. */
TERN_API tern_status tern_ring_open_consumer(tern_ring_consumer *c, tern_region *region, const char *name,
                                             const tern_ring_desc *desc);

/** Open a pool; as tern_ring_open_producer(), but any number may, and a capacity counts exactly.
 *  Role: any. Progress: lock-free. Order: acquire [REGION-2], [POOL-0]. */
TERN_API tern_status tern_pool_open(tern_pool *pool, tern_region *region, const char *name,
                                    const tern_pool_desc *desc);

/**
 * Open the writer's end of a triple buffer; as tern_ring_open_producer().
 *
 * @return as there; TERN_ERR_MISMATCH: another type or buffer size
 *
 * Role: writer. Progress: lock-free. Order: acquire [REGION-2], [TRIPLE-0].
 * Crash: a maker that dies half-way leaves the name NOT_READY.
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

/** Open the producer's end of a stream; as tern_ring_open_producer(), TERN_ERR_MISMATCH: another type,
 *  capacity or flags. Role: producer. */
TERN_API tern_status tern_stream_open_producer(tern_stream_producer *p, tern_region *region, const char *name,
                                               const tern_stream_desc *desc);

/** Open the consumer's end of a stream; as tern_stream_open_producer(). Role: consumer. */
TERN_API tern_status tern_stream_open_consumer(tern_stream_consumer *c, tern_region *region, const char *name,
                                               const tern_stream_desc *desc);

TERN_EXTERN_C_END

#endif
