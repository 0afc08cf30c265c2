/* SPDX-License-Identifier: MIT */
/**
 * triple.h: triple buffer: the newest frame from one writer to one reader, who never wait for
 * each other. What the reader was too slow for is dropped, and counted.
 *
 *     tern_triple_desc desc = { sizeof(struct scene) };
 *     tern_triple_format(memory, tern_triple_size(&desc), &desc);
 *
 *     tern_triple_writer w;                              // in one thread or process
 *     tern_triple_attach_writer(&w, memory, tern_triple_size(&desc));
 *     struct scene *next = tern_triple_back(&w);         // fill all of it, in any time
 *     tern_triple_publish(&w);
 *
 *     tern_triple_reader r;                              // in another
 *     tern_triple_attach_reader(&r, memory, tern_triple_size(&desc));
 *     tern_triple_update(&r);                            // true: a newer frame is in front
 *     const struct scene *now = tern_triple_front(&r);   // whole; NULL before the first frame
 *
 * | at the same time          | allowed                                      |
 * |---------------------------|----------------------------------------------|
 * | writer and reader         | any call of one beside any call of the other |
 * | two calls of one role     | never: one view a role, one thread a view    |
 * | inspect                   | beside everything                            |
 *
 * Frames are numbered from 1. Numbers that a reader sees rise strictly. What it read and what it
 * dropped is exactly what was published: tern_triple_dropped() says from where it counts.
 *
 * Every call is wait-free but tern_triple_wait(), which blocks.
 *
 * A successor attaches when its predecessor has ended and it has learned so by something that
 * orders memory: a join, a lock, a process's end seen by the kernel.
 */
#ifndef TERN_TRIPLE_H
#define TERN_TRIPLE_H

#include "bell.h"

/* ---- Shared bytes ---------------------------------------------------------- */

#define TERN_TRIPLE_MAGIC 0x504c5254u /* the bytes "TRLP" */
#define TERN_TRIPLE_MAX_BUFFER_BYTES (1u << 30)

/* The word: back:2 | ready:2 | front:2 | FRESH:1 | SLEEP:1 | frame:24, low bits first. It names
 * the owner of each of the three buffers: back is the writer's, front the reader's, ready nobody's. */
#define TERN__TRIPLE_READY_SHIFT 2u
#define TERN__TRIPLE_FRONT_SHIFT 4u
#define TERN__TRIPLE_INDEX_MASK 3u
#define TERN__TRIPLE_FRESH 0x40u       /* ready holds a frame that was never in front */
#define TERN__TRIPLE_SLEEP 0x80u       /* the reader sleeps on the word, or is about to; never beside FRESH */
#define TERN__TRIPLE_FRAME_SHIFT 8u    /* low 24 bits of the number of the last frame */
#define TERN__TRIPLE_START 0x24u       /* back 0, ready 1, front 2, no frame */

/** What a triple buffer is. Written by format before the magic, constant afterwards. */
struct tern_triple_geometry {
    uint32_t layout_version;
    uint32_t buffer_size_bytes;
    uint64_t total_size_bytes;    /* header and buffers */
    uint32_t stride_bytes;        /* from one buffer to the next */
    uint32_t check;               /* hash of the fields above */
};

/** The bytes of a triple buffer; three buffers follow. */
struct tern_triple_shared {
    tern_a32 magic;                      /* written last by format */
    uint32_t reserved;
    struct tern_triple_geometry geometry;
    unsigned char pad0[TERN_SEPARATION - 8 - sizeof(struct tern_triple_geometry)];
    tern_a32 word;                       /* who owns which buffer; both sides, by compare-exchange */
    unsigned char pad1[TERN_SEPARATION - 4];
    tern_a32 writer_closed;              /* 0, then 1 for ever; the writer writes, the reader reads */
    tern_a32 reader_closed;              /* 0, then 1 for ever; the reader writes, the writer reads */
    unsigned char pad2[TERN_SEPARATION - 8];
};

/** What stands before the bytes of a frame. A buffer takes stride_bytes in all. */
struct tern_triple_buffer {
    tern_a64 frame;                      /* its number, 0: none; the writer, when the buffer becomes its own */
    unsigned char pad[56];
};

TERN_STATIC_ASSERT(sizeof(struct tern_triple_geometry) == 24, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_triple_shared, geometry) == 8, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_triple_shared, word) == 128, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_triple_shared, writer_closed) == 256, "layout");
TERN_SHARED_ASSERT(offsetof(struct tern_triple_shared, reader_closed) == 260, "layout");
TERN_SHARED_ASSERT(sizeof(struct tern_triple_shared) == 384, "layout");
TERN_SHARED_ASSERT(sizeof(struct tern_triple_buffer) == 64, "layout");

/* ---- Local views ------------------------------------------------------------- */

/** What to make. */
typedef struct tern_triple_desc {
    uint32_t buffer_size_bytes;  /* of a frame: 1 to 2^30 */
} tern_triple_desc;

/** The writer's view. Private to its process; may be copied, but then only one copy may be used. */
typedef struct tern_triple_writer {
    uint32_t buffer_size_bytes;  /* public, read only */
    uint64_t frame;              /* public, read only: number of the last frame that was published */
    tern_status status;          /* the rest is private; TERN_ERR_CORRUPT once the word made no sense */
    uint32_t word;               /* as we left it, without SLEEP */
    uint32_t guess;              /* what it will be at the next publication */
    uint32_t stride_bytes;
    uint32_t bell_source;
    const tern_bell *bell;       /* rung after each publication; NULL: none */
    struct tern_triple_buffer *back;
    struct tern_triple_buffer *buffers;
    struct tern_triple_shared *shared;
    tern_recovery recovery;      /* public, read only: what the open found; see peer.h */
    tern__role role;             /* private */
} tern_triple_writer;

/** The reader's view. Private to its process; may be copied, but then only one copy may be used. */
typedef struct tern_triple_reader {
    uint32_t buffer_size_bytes;  /* public, read only */
    uint32_t spin_checks;        /* public: most looks before tern_triple_wait() goes to sleep */
    bool may_block;              /* public: false makes tern_triple_wait() answer TERN_ERR_DOMAIN */
    tern_status status;          /* the rest is private; TERN_ERR_CORRUPT once something made no sense */
    uint64_t frame;              /* of the frame in front */
    uint64_t dropped;
    uint32_t word;               /* as we left it, without SLEEP */
    uint32_t guess;              /* what it will be at the next update; 0: look */
    uint32_t stride_bytes;
    const void *front;           /* the bytes of the frame in front, or NULL */
    struct tern_triple_buffer *buffers;
    struct tern_triple_shared *shared;
    tern__spin spin;             /* what came of spinning in tern_triple_wait() */
    tern_recovery recovery;      /* public, read only: what the open found; see peer.h */
    tern__role role;             /* private */
} tern_triple_reader;

/** A look from outside; every value may have changed already. */
typedef struct tern_triple_info {
    uint32_t buffer_size_bytes;
    uint32_t was_back, was_ready, was_front;    /* which buffer has which part, 0 to 2 */
    uint32_t was_frame;                         /* number of the last one published, modulo 2^24 */
    bool was_fresh;                             /* the reader has not taken it yet */
    bool writer_closed, reader_closed, reader_asleep;
    uint64_t size_bytes;
} tern_triple_info;

TERN_EXTERN_C_BEGIN

/* ---- Life ---------------------------------------------------------------------- */

/**
 * Bytes needed for a triple buffer.
 *
 * @return header and three buffers in bytes; 0 if the description is invalid: frames of 0 bytes
 *         or of more than 2^30
 *
 * Role: any. Progress: wait-free. Order: none. Crash: no shared memory touched.
 */
TERN_API size_t tern_triple_size(const tern_triple_desc *desc);

/**
 * Make a triple buffer in memory that nobody uses yet. The buffers' bytes are left as they are.
 *
 * @param memory     aligned to 64 bytes
 * @param size_bytes at least tern_triple_size(desc)
 * @return TERN_OK; TERN_ERR_ARGUMENT, TERN_ERR_ALIGNMENT, TERN_ERR_MEMORY
 *
 * Role: creator. Progress: wait-free.
 * Order: release [TRIPLE-0]; pairs with attach.
 * Crash: dying before the end leaves TERN_ERR_NOT_READY; format again.
 */
TERN_API tern_status tern_triple_format(void *memory, size_t size_bytes, const tern_triple_desc *desc);

/**
 * Take the writer's end, and wake the reader if it sleeps: a predecessor may have died between
 * publishing and waking.
 *
 * Every number in the header is checked and copied into the view; the shared header is never read
 * again. The view goes on with the number after the last frame that was published.
 *
 * @param memory     aligned to 64 bytes, formatted
 * @param size_bytes bytes that are accessible from memory
 * @return TERN_OK; TERN_ERR_ARGUMENT: NULL; TERN_ERR_ALIGNMENT; TERN_ERR_MEMORY: smaller than the
 *         triple buffer says; TERN_ERR_NOT_READY: being formatted; TERN_ERR_VERSION;
 *         TERN_ERR_CORRUPT. On failure the view is all zero.
 *
 * Role: writer, one at a time. Progress: wait-free but for one system call.
 * Order: acquire [TRIPLE-0]; pairs with tern_triple_format().
 * Crash: changes nothing that is shared but the number of its own buffer.
 */
TERN_API tern_status tern_triple_attach_writer(tern_triple_writer *w, void *memory, size_t size_bytes);

/** Take the reader's end; as tern_triple_attach_writer(), but it wakes nobody. In front is what a
 *  predecessor had there, whole; nothing if there was none. Role: reader. */
TERN_API tern_status tern_triple_attach_reader(tern_triple_reader *r, void *memory, size_t size_bytes);

/** Give the end back without closing it; a successor may attach. The view is zeroed, what was
 *  written to the back buffer is lost. Role: writer. Progress: wait-free. Order: none.
 *  Crash: changes nothing shared. */
TERN_API void tern_triple_detach_writer(tern_triple_writer *w);

/** As tern_triple_detach_writer(). The frame in front stays there for a successor. Role: reader. */
TERN_API void tern_triple_detach_reader(tern_triple_reader *r);

/**
 * Say that nothing more will be published, and wake the reader.
 *
 * The reader still gets the last frame; then its wait and status calls answer TERN_ERR_CLOSED.
 * Closing cannot be taken back. The view stays attached; it must not publish any more.
 *
 * Role: writer. Progress: wait-free; one system call if the reader sleeps.
 * Order: release [TRIPLE-3], [TRIPLE-4]; pair with the reader's status and sleep.
 * Crash: closes wholly or not at all; dying before the wake can leave a sleeper to its time-out.
 */
TERN_API void tern_triple_close_writer(tern_triple_writer *w);

/** Say that nothing more will be read, and that the reader is through with all of the memory. The
 *  writer learns of it from tern_triple_writer_status(); its other calls go on as before.
 *  Role: reader. Progress: wait-free. Order: release [TRIPLE-5]. Crash: as close_writer. */
TERN_API void tern_triple_close_reader(tern_triple_reader *r);

/**
 * How the writer stands.
 *
 * @return TERN_OK; TERN_ERR_CLOSED: the reader closed and touches the memory no more;
 *         TERN_ERR_CORRUPT: the word made no sense, and a publish wrote nothing
 *
 * Role: writer. Progress: wait-free. Crash: changes nothing shared.
 * Order: acquire [TRIPLE-5]; pairs with tern_triple_close_reader().
 */
TERN_API tern_status tern_triple_writer_status(tern_triple_writer *w);

/** How the reader stands: TERN_OK; TERN_ERR_CLOSED: the writer closed and its last frame is in
 *  front; TERN_ERR_CORRUPT: the word or a frame's number made no sense. Role: reader.
 *  Progress: wait-free. Order: acquire [TRIPLE-3]. Crash: changes nothing shared. */
TERN_API tern_status tern_triple_reader_status(tern_triple_reader *r);

/**
 * Ring a bell after each publication, so that one thread can sleep for any of many objects.
 *
 * From now on publish and close_writer ring the source after the word has changed. The reader waits
 * on the bell, collects it, and updates the triple buffers that rang.
 *
 * @param bell   the caller's view of the bell: the writer keeps a pointer to it, so it stays where
 *               it is, attached, until detach or the next bind; NULL: ring no more
 * @param source 0 to bell->sources - 1
 * @return TERN_OK; TERN_ERR_ARGUMENT: no such source
 *
 * Role: writer. Progress: wait-free. Order: none; each ring is a release [BELL-1].
 * Crash: dying between publication and ring leaves the frame to the source's next ring.
 */
TERN_API tern_status tern_triple_writer_bind(tern_triple_writer *w, const tern_bell *bell, uint32_t source);

/** Look at a triple buffer without an end: at its header alone, and nothing is written. Every check of
 *  attach but that of a buffer's number.
 *  @return as tern_triple_attach_writer(). Role: any. Progress: wait-free. Order: acquire [TRIPLE-0]. */
TERN_API tern_status tern_triple_inspect(tern_triple_info *info, const void *memory, size_t size_bytes);

#if !defined(TERN_NONBLOCKING)
/**
 * Wait until there is something newer than the frame in front; tern_triple_update() gets it.
 *
 * @param timeout_ns nanoseconds, or TERN_WAIT_FOREVER; 0 looks once
 * @return TERN_OK: there is; TERN_ERR_TIMEOUT; TERN_ERR_CLOSED: the writer closed and its last
 *         frame is in front; TERN_ERR_CORRUPT; TERN_ERR_UNSUPPORTED: a build that cannot block;
 *         TERN_ERR_DOMAIN: this view may not block; TERN_ERR_PEER_DEAD: the writer died, its last
 *         frame is in front, and it has no successor yet (views opened in a region, open.h)
 *
 * Role: reader. Progress: blocking; looks at most spin_checks times, then sleeps.
 * Order: acquire [TRIPLE-3], [TRIPLE-4]: closing; the frame's bytes come with tern_triple_update().
 * Crash: a dead sleeper costs the writer one needless wake.
 */
TERN_API tern_status tern_triple_wait(tern_triple_reader *r, uint64_t timeout_ns);
#endif

TERN_EXTERN_C_END

#include "triple_inline.h"

#endif
