/* SPDX-License-Identifier: MIT */
/*
 * triple_inline.h: the triple buffer's hot path. Included by triple.h, never by itself.
 *
 * Between two publications the word can change twice, whoever reads: an update takes FRESH away,
 * then a sleeper sets SLEEP. So the writer knows each value that the word may have, from what it
 * left there; any other is no reader's doing.
 *
 * Neither side loads the word before its compare-exchange if it can help it: a load has to wait for
 * the one before it. The writer expects that the reader did what it did the last time; the reader,
 * after an update, that one frame came. A wrong guess costs a failed compare-exchange, which
 * tells the value.
 */
#ifndef TERN_TRIPLE_INLINE_H
#define TERN_TRIPLE_INLINE_H

#ifndef TERN_TRIPLE_H
#  error "include <tern/triple.h>, not triple_inline.h"
#endif

/* Compare-exchanges of one publication: the guess, one that fails for each of the two changes by
 * the reader, and the one that succeeds. */
#ifndef TERN__TRIPLE_PUBLISH_TRIES
#  define TERN__TRIPLE_PUBLISH_TRIES 4u
#endif

/* Compare-exchanges of one update. Each that fails has met a newer frame: this bounds what a
 * writer that publishes without end can cost. */
#ifndef TERN__TRIPLE_UPDATE_TRIES
#  define TERN__TRIPLE_UPDATE_TRIES 64u
#endif

/* ---- The word ------------------------------------------------------------------- */

TERN_INLINE uint32_t tern__triple_back_of(uint32_t word)
{
    return word & TERN__TRIPLE_INDEX_MASK;
}

TERN_INLINE uint32_t tern__triple_ready_of(uint32_t word)
{
    return word >> TERN__TRIPLE_READY_SHIFT & TERN__TRIPLE_INDEX_MASK;
}

TERN_INLINE uint32_t tern__triple_front_of(uint32_t word)
{
    return word >> TERN__TRIPLE_FRONT_SHIFT & TERN__TRIPLE_INDEX_MASK;
}

/* Whether back, ready and front are 0, 1 and 2 in some order, and nobody sleeps beside a frame that
 * he has not seen. A set of 64 bits: those six values of the low six bits that are permutations. */
TERN_INLINE bool tern__triple_makes_sense(uint32_t word)
{
    const uint64_t permutations = (uint64_t)1 << 0x24 | (uint64_t)1 << 0x18 | (uint64_t)1 << 0x21
        | (uint64_t)1 << 0x09 | (uint64_t)1 << 0x12 | (uint64_t)1 << 0x06;
    const uint32_t both = TERN__TRIPLE_FRESH | TERN__TRIPLE_SLEEP;
    return (permutations >> (word & 0x3fu) & 1) != 0 && (word & both) != both;
}

/* The word after an update: ready and front change places. For a word with FRESH. */
TERN_INLINE uint32_t tern__triple_after_update(uint32_t word)
{
    uint32_t both = tern__triple_ready_of(word) ^ tern__triple_front_of(word);
    return word ^ (both << TERN__TRIPLE_READY_SHIFT | both << TERN__TRIPLE_FRONT_SHIFT | TERN__TRIPLE_FRESH);
}

/* The word when all has been seen. */
TERN_INLINE uint32_t tern__triple_when_seen(uint32_t word)
{
    return word & TERN__TRIPLE_FRESH ? tern__triple_after_update(word) : word;
}

/* The word after a publication: back and ready change places, FRESH, no SLEEP, the next number. */
TERN_INLINE uint32_t tern__triple_after_publish(uint32_t word)
{
    uint32_t both = tern__triple_back_of(word) ^ tern__triple_ready_of(word);
    uint32_t swapped = word ^ (both | both << TERN__TRIPLE_READY_SHIFT);
    return (swapped | TERN__TRIPLE_FRESH | TERN__TRIPLE_SLEEP) + (1u << TERN__TRIPLE_FRAME_SHIFT) - TERN__TRIPLE_SLEEP;
}

TERN_INLINE struct tern_triple_buffer *tern__triple_buffer(struct tern_triple_buffer *buffers, uint32_t index,
                                                           uint32_t stride_bytes)
{
    return (struct tern_triple_buffer *)(void *)((unsigned char *)buffers + (size_t)index * stride_bytes);
}

/* ---- Calls of the writer ----------------------------------------------------------- */

/**
 * The buffer to write the next frame to.
 *
 * @return buffer_size_bytes bytes at a multiple of 64, the writer's own until the next
 *         tern_triple_publish(). They hold an older frame or none, not the last one: write all.
 *
 * Role: writer. Progress: wait-free. Order: none. Crash: what was not published is never seen.
 */
TERN_INLINE void *tern_triple_back(tern_triple_writer *w)
{
    return w->back + 1;
}

/* One of the values that the word can have by what we left there. */
TERN_INLINE bool tern__triple_writer_expects(const tern_triple_writer *w, uint32_t seen)
{
    return seen == w->word || (seen & ~TERN__TRIPLE_SLEEP) == tern__triple_when_seen(w->word);
}

/* The word is as we left it now, or as we found it at attach: number the buffer that is ours. */
TERN_INLINE void tern__triple_writer_left(tern_triple_writer *w, uint32_t word)
{
    w->word = w->guess = word;
    w->back = tern__triple_buffer(w->buffers, tern__triple_back_of(word), w->stride_bytes);
    /* relaxed: our own buffer; the word will publish it */
    tern_a64_store_relaxed(&w->back->frame, w->frame + 1);
}

/**
 * Hand over what was written to tern_triple_back(), and get another buffer.
 *
 * @return true: the frame that it replaces was never read. false: it was, or there was none, or
 *         TERN_ERR_CORRUPT, and then nothing is written (tern_triple_writer_status() tells)
 *
 * Role: writer. Progress: wait-free: a compare-exchange, another one if the reader did not do as the
 *       last time, at most 4; one system call if the reader sleeps.
 * Order: release [TRIPLE-1], acquire [TRIPLE-2]; pairs with tern_triple_update().
 * Crash: publishes wholly or not at all; dying before the wake leaves a sleeper to its time-out or
 *        to the next tern_triple_attach_writer().
 */
TERN_INLINE bool tern_triple_publish(tern_triple_writer *w)
{
    struct tern_triple_shared *shared = w->shared;
    uint32_t seen = w->guess;
    for (uint32_t tries = 0; tries != TERN__TRIPLE_PUBLISH_TRIES; tries++) {
        uint32_t was = seen, next = tern__triple_after_publish(was);
        /* [TRIPLE-1] release: the frame's bytes and number before the word.
         * Pairs with: [TRIPLE-1] acquire in tern_triple_update().
         * Otherwise: the reader may see an unfinished frame.
         * [TRIPLE-2] acquire: the reader's last reads of the buffer that we get.
         * Pairs with: [TRIPLE-2] release in tern_triple_update().
         * Otherwise: we may write over a frame that is still being read. */
        if (TERN_LIKELY(tern_a32_cas_acq_rel(&shared->word, &seen, next, TRIPLE_1_PUBLISH))) {
            w->frame++;
            tern__triple_writer_left(w, next);
            /* the reader will do what it did: read or not, asleep or not */
            if (!(was & TERN__TRIPLE_FRESH)) w->guess = tern__triple_after_update(next) | (was & TERN__TRIPLE_SLEEP);
            if (TERN_UNLIKELY(was & TERN__TRIPLE_SLEEP)) tern_word_wake(&shared->word);
            tern__bell_ring_bound(w->bell, w->bell_source);
            return (was & TERN__TRIPLE_FRESH) != 0;
        }
        if (TERN_UNLIKELY(!tern__triple_writer_expects(w, seen))) break;
    }
    w->status = TERN_ERR_CORRUPT;
    return false;
}

/* ---- Calls of the reader ----------------------------------------------------------- */

/* Whether a word has a newer frame for this reader. One that makes no sense sets the status. */
TERN_INLINE bool tern__triple_is_newer(tern_triple_reader *r, uint32_t seen)
{
    if (!(seen & TERN__TRIPLE_FRESH)) {
        /* nothing was published, so nothing but SLEEP has changed */
        if (TERN_UNLIKELY((seen & ~TERN__TRIPLE_SLEEP) != r->word)) r->status = TERN_ERR_CORRUPT;
        return false;
    }
    if (TERN_LIKELY(tern__triple_makes_sense(seen) && tern__triple_front_of(seen ^ r->word) == 0)) return true;
    r->status = TERN_ERR_CORRUPT;
    return false;
}

/* We have the buffer in front: what is in it? */
TERN_INLINE bool tern__triple_take(tern_triple_reader *r, uint32_t word)
{
    struct tern_triple_buffer *buffer = tern__triple_buffer(r->buffers, tern__triple_front_of(word), r->stride_bytes);
    /* relaxed: the update's compare-exchange has acquired it */
    uint64_t frame = tern_a64_load_relaxed(&buffer->frame);
    r->word = word;
    r->guess = tern__triple_after_publish(word);
    if (TERN_UNLIKELY(((uint32_t)frame ^ word >> TERN__TRIPLE_FRAME_SHIFT) << 8 || frame <= r->frame)) {
        r->status = TERN_ERR_CORRUPT;
        r->front = NULL;
        return false;
    }
    r->dropped += frame - r->frame - 1;
    r->frame = frame;
    r->front = buffer + 1;
    return true;
}

/**
 * Put the newest frame in front, if there is one that was never there.
 *
 * @return true: there is a newer one in front. false: all as before; or TERN_ERR_CORRUPT
 *         (tern_triple_reader_status() tells), and then the word is left alone, or, if a frame's
 *         number is a lie, the frame is put aside and tern_triple_front() is NULL; or 64 tries
 *         in a row were overtaken by a publication, and the next call tries again
 *
 * Role: reader. Progress: wait-free: a load or a compare-exchange, at most two of them if nothing is
 *       published meanwhile, at most 65 ever.
 * Order: acquire [TRIPLE-1], release [TRIPLE-2]; pairs with tern_triple_publish().
 * Crash: takes it wholly or not at all; a successor finds in front what was there.
 */
TERN_INLINE bool tern_triple_update(tern_triple_reader *r)
{
    uint32_t seen = r->guess;
    if (seen == 0) {
        /* relaxed: only compared; the compare-exchange acquires */
        seen = tern_a32_load_relaxed(&r->shared->word);
        if (!tern__triple_is_newer(r, seen)) return false;
    }
    for (uint32_t tries = 0; tries != TERN__TRIPLE_UPDATE_TRIES; tries++) {
        uint32_t next = tern__triple_after_update(seen);
        /* [TRIPLE-1] acquire: the bytes and the number of the frame that we get.
         * Pairs with: [TRIPLE-1] release in tern_triple_publish().
         * Otherwise: a frame may be read before it is written.
         * [TRIPLE-2] release: our reads of the buffer that we leave.
         * Pairs with: [TRIPLE-2] acquire in tern_triple_publish().
         * Otherwise: the writer may write over a frame that we still read. */
        if (TERN_LIKELY(tern_a32_cas_acq_rel(&r->shared->word, &seen, next, TRIPLE_2_UPDATE)))
            return tern__triple_take(r, next);
        if (!tern__triple_is_newer(r, seen)) break;
    }
    r->guess = 0;
    return false;
}

/**
 * The frame in front.
 *
 * @return buffer_size_bytes bytes at a multiple of 64, whole and unchanged until the next
 *         tern_triple_update() by this reader; NULL before the first frame, and after a
 *         frame whose number was a lie (TERN_ERR_CORRUPT)
 *
 * Role: reader. Progress: wait-free. Order: none. Crash: changes nothing shared.
 */
TERN_INLINE const void *tern_triple_front(const tern_triple_reader *r)
{
    return r->front;
}

/** Number of the frame in front; 0: none yet. The first frame is 1, numbers rise strictly.
 *  Role: reader. Progress: wait-free. Order: none. Crash: changes nothing shared. */
TERN_INLINE uint64_t tern_triple_frame(const tern_triple_reader *r)
{
    return r->frame;
}

/**
 * Frames that were published and never put in front.
 *
 * A view counts from the frame that attach found in front: from 0 without a predecessor, however
 * late it comes. At any time, by updates that gave true:
 *
 *     updates + dropped = tern_triple_frame() - tern_triple_frame() right after attach
 *
 * So over all readers, one after the other, read + dropped is what was published up to the
 * frame in front.
 *
 * Role: reader. Progress: wait-free. Order: none. Crash: a successor counts its own.
 */
TERN_INLINE uint64_t tern_triple_dropped(const tern_triple_reader *r)
{
    return r->dropped;
}

#endif
