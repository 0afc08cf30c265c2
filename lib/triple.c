/* SPDX-License-Identifier: MIT */
/* triple.c: the cold half of the triple buffer: format, attach, close, wait. */
#include "internal.h"
#include "../include/tern/triple.h"

/* The geometry of a description; false if there can be no such triple buffer. */
static bool triple_geometry_from_desc(struct tern_triple_geometry *g, const tern_triple_desc *desc)
{
    if (!desc || desc->buffer_size_bytes == 0 || desc->buffer_size_bytes > TERN_TRIPLE_MAX_BUFFER_BYTES) return false;
    uint32_t whole = (uint32_t)sizeof(struct tern_triple_buffer) + desc->buffer_size_bytes;
    tern__memset(g, 0, sizeof *g);
    g->layout_version = TERN_LAYOUT_VERSION;
    g->buffer_size_bytes = desc->buffer_size_bytes;
    g->stride_bytes = (whole + TERN_SEPARATION - 1) / TERN_SEPARATION * TERN_SEPARATION;
    g->total_size_bytes = sizeof(struct tern_triple_shared) + 3 * (uint64_t)g->stride_bytes;   /* fits 32 bits */
    g->check = tern__geometry_check(g, sizeof *g);
    return true;
}

static struct tern_triple_buffer *triple_buffers_of(struct tern_triple_shared *shared)
{
    return (struct tern_triple_buffer *)(void *)(shared + 1);
}

size_t tern_triple_size(const tern_triple_desc *desc)
{
    struct tern_triple_geometry g;
    return triple_geometry_from_desc(&g, desc) ? (size_t)g.total_size_bytes : 0;
}

tern_status tern_triple_format(void *memory, size_t size_bytes, const tern_triple_desc *desc)
{
    struct tern_triple_geometry g;
    tern_status status = tern__check_memory(memory, size_bytes, sizeof(struct tern_triple_shared));
    if (!triple_geometry_from_desc(&g, desc)) return TERN_ERR_ARGUMENT;
    if (status != TERN_OK) return status;
    if (size_bytes < g.total_size_bytes) return TERN_ERR_MEMORY;

    struct tern_triple_shared *shared = (struct tern_triple_shared *)memory;
    /* relaxed, all of these: nobody may use the memory before the magic is there */
    tern_a32_store_relaxed(&shared->magic, 0);
    tern_copy_to_shared(&shared->geometry, &g, sizeof g);
    shared->reserved = 0;
    tern__memset(shared->pad0, 0, sizeof shared->pad0);
    tern__memset(shared->pad1, 0, sizeof shared->pad1);
    tern__memset(shared->pad2, 0, sizeof shared->pad2);
    tern_a32_store_relaxed(&shared->word, TERN__TRIPLE_START); /* relaxed: as above */
    tern_a32_store_relaxed(&shared->writer_closed, 0); /* relaxed: as above */
    tern_a32_store_relaxed(&shared->reader_closed, 0); /* relaxed: as above */
    for (uint32_t i = 0; i < 3; i++) {
        struct tern_triple_buffer *buffer = tern__triple_buffer(triple_buffers_of(shared), i, g.stride_bytes);
        tern_a64_store_relaxed(&buffer->frame, 0); /* relaxed: as above */
        tern__memset(buffer->pad, 0, sizeof buffer->pad);
    }
    /* [TRIPLE-0] release: the whole header before the magic.
     * Pairs with: [TRIPLE-0] acquire in triple_load_geometry().
     * Otherwise: an attach may read a half-written header. */
    tern_a32_store_release(&shared->magic, TERN_TRIPLE_MAGIC, TRIPLE_0_FORMAT);
    return TERN_OK;
}

/* ---- Attach --------------------------------------------------------------------- */

/* Copy the geometry out, once, and check every word of the copy. */
static tern_status triple_load_geometry(struct tern_triple_geometry *g, const void *memory, size_t size_bytes)
{
    tern_status status = tern__check_memory(memory, size_bytes, sizeof(struct tern_triple_shared));
    if (status != TERN_OK) return status;
    const struct tern_triple_shared *shared = (const struct tern_triple_shared *)memory;
    /* [TRIPLE-0] acquire: the header after the magic.
     * Pairs with: [TRIPLE-0] release in tern_triple_format().
     * Otherwise: a half-written header may pass for a damaged one. */
    uint32_t magic = tern_a32_load_acquire(&shared->magic, TRIPLE_0_ATTACH);
    if (magic == 0) return TERN_ERR_NOT_READY;
    if (magic != TERN_TRIPLE_MAGIC) return TERN_ERR_CORRUPT;
    status = tern__copy_geometry(g, &shared->geometry, sizeof *g);
    if (status != TERN_OK) return status;

    struct tern_triple_geometry expected;
    tern_triple_desc desc = { g->buffer_size_bytes };
    if (!triple_geometry_from_desc(&expected, &desc)) return TERN_ERR_CORRUPT;
    if (tern__memcmp(&expected, g, sizeof expected) != 0) return TERN_ERR_CORRUPT;
    return size_bytes < g->total_size_bytes ? TERN_ERR_MEMORY : TERN_OK;
}

/* The number in one buffer's header. */
static uint64_t triple_frame_in(struct tern_triple_shared *shared, uint32_t index, uint32_t stride_bytes)
{
    /* relaxed: of a buffer that no writer has */
    return tern_a64_load_relaxed(&tern__triple_buffer(triple_buffers_of(shared), index, stride_bytes)->frame);
}

/* Which buffer holds the last frame that was published: nobody writes to it. */
static uint32_t triple_last_of(uint32_t word)
{
    return word & TERN__TRIPLE_FRESH ? tern__triple_ready_of(word) : tern__triple_front_of(word);
}

static bool triple_number_fits(uint64_t frame, uint32_t word)
{
    return (uint32_t)(frame & 0xffffffu) == word >> TERN__TRIPLE_FRAME_SHIFT;
}

/* An end reads its own buffer's index here and never again. */
static tern_status triple_load_word(uint32_t *word, const struct tern_triple_shared *shared)
{
    /* relaxed: a predecessor's end is known by something that orders memory, so this is its last
     * word or a later one; without a predecessor the end's buffer is the one from format */
    *word = tern_a32_load_relaxed(&shared->word);
    return tern__triple_makes_sense(*word) ? TERN_OK : TERN_ERR_CORRUPT;
}

tern_status tern_triple_attach_writer(tern_triple_writer *w, void *memory, size_t size_bytes)
{
    struct tern_triple_geometry g;
    uint32_t word;
    tern__memset(w, 0, sizeof *w);
    tern_status status = triple_load_geometry(&g, memory, size_bytes);
    if (status != TERN_OK) return status;
    struct tern_triple_shared *shared = (struct tern_triple_shared *)memory;
    status = triple_load_word(&word, shared);
    if (status != TERN_OK) return status;
    uint64_t frame = triple_frame_in(shared, triple_last_of(word), g.stride_bytes);
    if (!triple_number_fits(frame, word)) return TERN_ERR_CORRUPT;

    w->buffer_size_bytes = g.buffer_size_bytes;
    w->stride_bytes = g.stride_bytes;
    w->frame = frame;
    w->shared = shared;
    w->buffers = triple_buffers_of(shared);
    tern__triple_writer_left(w, word & ~TERN__TRIPLE_SLEEP);
    tern_word_wake(&shared->word);
    return TERN_OK;
}

tern_status tern_triple_attach_reader(tern_triple_reader *r, void *memory, size_t size_bytes)
{
    struct tern_triple_geometry g;
    uint32_t word;
    tern__memset(r, 0, sizeof *r);
    tern_status status = triple_load_geometry(&g, memory, size_bytes);
    if (status != TERN_OK) return status;
    struct tern_triple_shared *shared = (struct tern_triple_shared *)memory;
    status = triple_load_word(&word, shared);
    if (status != TERN_OK) return status;
    uint64_t frame = triple_frame_in(shared, tern__triple_front_of(word), g.stride_bytes);
    if (!(word & TERN__TRIPLE_FRESH) && !triple_number_fits(frame, word)) return TERN_ERR_CORRUPT;

    r->buffer_size_bytes = g.buffer_size_bytes;
    r->spin_checks = TERN_SPIN_CHECKS;
    r->may_block = true;
    r->stride_bytes = g.stride_bytes;
    r->frame = frame;
    r->word = word & ~TERN__TRIPLE_SLEEP;
    r->shared = shared;
    r->buffers = triple_buffers_of(shared);
    if (frame != 0) r->front = tern__triple_buffer(r->buffers, tern__triple_front_of(word), g.stride_bytes) + 1;
    return TERN_OK;
}

tern_status tern_triple_writer_bind(tern_triple_writer *w, const tern_bell *bell, uint32_t source)
{
    if (bell && source >= bell->sources) return TERN_ERR_ARGUMENT;
    w->bell = bell;
    w->bell_source = source;
    return TERN_OK;
}

void tern_triple_detach_writer(tern_triple_writer *w)
{
    tern__role_release(&w->role);
    tern__memset(w, 0, sizeof *w);
}

void tern_triple_detach_reader(tern_triple_reader *r)
{
    tern__role_release(&r->role);
    tern__memset(r, 0, sizeof *r);
}

/* ---- Close ------------------------------------------------------------------------ */

/* The flag, then the word once more, so that a reader who sleeps on it, or is about to, learns of
 * it from the word alone. */
void tern_triple_close_writer(tern_triple_writer *w)
{
    struct tern_triple_shared *shared = w->shared;
    /* [TRIPLE-3] release: the last frame before the flag.
     * Pairs with: [TRIPLE-3] acquire in tern_triple_reader_status().
     * Otherwise: "closed" may be said although there is a frame to take. */
    tern_a32_store_release(&shared->writer_closed, 1, TRIPLE_3_CLOSE);
    /* relaxed: only compared */
    uint32_t seen = tern_a32_load_relaxed(&shared->word);
    for (uint32_t tries = 0; tries != TERN__TRIPLE_PUBLISH_TRIES; tries++) {
        if (!tern__triple_writer_expects(w, seen)) break;
        uint32_t was = seen, next = seen & ~TERN__TRIPLE_SLEEP;
        /* [TRIPLE-4] release: the flag before the word, even if the word stays the same.
         * Pairs with: [TRIPLE-4] acquire in triple_sleep().
         * Otherwise: a sleeper that sets SLEEP after this may miss the flag and never wake. */
        if (!tern_a32_cas_release(&shared->word, &seen, next, TRIPLE_4_CLOSE_WAKE)) continue;
        tern__triple_writer_left(w, next);
        if (was & TERN__TRIPLE_SLEEP) tern_word_wake(&shared->word);
        tern__bell_ring_bound(w->bell, w->bell_source);
        return;
    }
    w->status = TERN_ERR_CORRUPT;
    tern_word_wake(&shared->word);
    tern__bell_ring_bound(w->bell, w->bell_source);
}

void tern_triple_close_reader(tern_triple_reader *r)
{
    /* [TRIPLE-5] release: our reads of the front buffer before the flag.
     * Pairs with: [TRIPLE-5] acquire in tern_triple_writer_status().
     * Otherwise: a writer that takes the memory back may write over what we still read. */
    tern_a32_store_release(&r->shared->reader_closed, 1, TRIPLE_5_CLOSE);
}

tern_status tern_triple_writer_status(tern_triple_writer *w)
{
    /* [TRIPLE-5] acquire: all that the reader read.
     * Pairs with: [TRIPLE-5] release in tern_triple_close_reader().
     * Otherwise: whoever takes the memory back now may write over what is still being read. */
    if (tern_a32_load_acquire(&w->shared->reader_closed, TRIPLE_5_SEE)) return TERN_ERR_CLOSED;
    return w->status;
}

/* Whether there is something newer than the front, by a look at the word. */
static bool triple_sees_newer(tern_triple_reader *r)
{
    /* relaxed: nothing is read on the strength of it; tern_triple_update() acquires */
    return tern__triple_is_newer(r, tern_a32_load_relaxed(&r->shared->word));
}

tern_status tern_triple_reader_status(tern_triple_reader *r)
{
    /* the flag first, then the word: with the flag comes the last frame
     * [TRIPLE-3] acquire: the last frame.
     * Pairs with: [TRIPLE-3] release in tern_triple_close_writer().
     * Otherwise: "closed" may be said although there is a frame to take. */
    bool closed = tern_a32_load_acquire(&r->shared->writer_closed, TRIPLE_3_SEE) != 0;
    return !triple_sees_newer(r) && closed && r->status == TERN_OK ? TERN_ERR_CLOSED : r->status;
}

/* ---- Wait ----------------------------------------------------------------------- */

#if !defined(TERN_NONBLOCKING)

/* Sleep until the writer publishes or closes. TERN_OK: look again. */
static tern_status triple_sleep(tern_triple_reader *r, struct tern__patience *patience)
{
    struct tern_triple_shared *shared = r->shared;
    uint64_t left_ns;
    tern_status status = tern__patience_left(patience, &left_ns);
    if (status != TERN_OK || left_ns == 0) return status;

    /* relaxed: only compared */
    uint32_t seen = tern_a32_load_relaxed(&shared->word);
    if ((seen & ~TERN__TRIPLE_SLEEP) != r->word) return TERN_OK;
    if (!(seen & TERN__TRIPLE_SLEEP)) {
        /* [TRIPLE-4] acquire: if the word is the closer's, its flag too.
         * Pairs with: [TRIPLE-4] release in tern_triple_close_writer().
         * Otherwise: we may sleep on a closed triple buffer for ever.
         * If the closer comes later, its compare-exchange finds SLEEP and wakes us. */
        if (!tern_a32_cas_acquire(&shared->word, &seen, seen | TERN__TRIPLE_SLEEP, TRIPLE_4_SLEEP)) return TERN_OK;
    }
    /* relaxed: ordered by the compare-exchange above */
    if (tern_a32_load_relaxed(&shared->writer_closed)) return TERN_OK;
    return tern__patience_sleep(patience, &shared->word, seen | TERN__TRIPLE_SLEEP, left_ns);
}

static tern_status triple_wait_newer(tern_triple_reader *r, struct tern__patience *patience)
{
    tern_status slept = TERN__SLEPT;
    for (;;) {
        if (triple_sees_newer(r)) return TERN_OK;
        tern_status status = tern_triple_reader_status(r);
        if (status != TERN_OK) return status;
        if (slept != TERN_OK) return slept;
        slept = triple_sleep(r, patience);
    }
}

tern_status tern_triple_wait(tern_triple_reader *r, uint64_t timeout_ns)
{
    struct tern__patience patience = tern__patience_begin(timeout_ns, r->spin_checks, &r->spin, &r->role);
    if (!r->may_block) return TERN_ERR_DOMAIN;
    return tern__patience_end(&patience, triple_wait_newer(r, &patience));
}

#endif

/* ---- Look ------------------------------------------------------------------------- */

tern_status tern_triple_inspect(tern_triple_info *info, const void *memory, size_t size_bytes)
{
    struct tern_triple_geometry g;
    uint32_t word;
    tern__memset(info, 0, sizeof *info);
    tern_status status = triple_load_geometry(&g, memory, size_bytes);
    if (status != TERN_OK) return status;
    const struct tern_triple_shared *shared = (const struct tern_triple_shared *)memory;
    status = triple_load_word(&word, shared);
    if (status != TERN_OK) return status;
    info->buffer_size_bytes = g.buffer_size_bytes;
    info->size_bytes = g.total_size_bytes;
    info->was_back = tern__triple_back_of(word);
    info->was_ready = tern__triple_ready_of(word);
    info->was_front = tern__triple_front_of(word);
    info->was_frame = word >> TERN__TRIPLE_FRAME_SHIFT;
    info->was_fresh = (word & TERN__TRIPLE_FRESH) != 0;
    info->reader_asleep = (word & TERN__TRIPLE_SLEEP) != 0;
    /* relaxed, both: to look at */
    info->writer_closed = tern_a32_load_relaxed(&shared->writer_closed) != 0;
    info->reader_closed = tern_a32_load_relaxed(&shared->reader_closed) != 0; /* relaxed: as above */
    return TERN_OK;
}
