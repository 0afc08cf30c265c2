/* SPDX-License-Identifier: MIT */
/* paged_fixture.h: paged rings and streams: one of each kind, and a workload of numbered items that uses every
 * call of either end. Its steps answer 0, or the line that was wrong: they run in children too. */
#ifndef TERN_PAGED_FIXTURE_H
#define TERN_PAGED_FIXTURE_H

#include "shm_fixture.h"

#include <sched.h>
#include <sys/mman.h>

enum { PAGE = 4096, BORDER = PAGE, ITEMS_AT = 2 * PAGE, END_BYTES = 128, CAPACITY = 64, BATCH = 7 };

typedef struct { uint64_t number, check; } numbered;
TERN_RING_DEFINE(numbered_ring, numbered)

struct kind {
    const char *name;
    bool is_stream;
    uint32_t flags;
};

static const struct kind kinds[] = {
    { "ring", false, TERN_RING_PAGED },
    { "sequenced ring", false, TERN_RING_PAGED | TERN_RING_SEQUENCED },
    { "stream", true, TERN_STREAM_PAGED },
};
#define EACH_KIND(kind) const struct kind *kind = kinds; kind < kinds + sizeof kinds / sizeof *kinds; kind++

/* The process of the other end, if it has one: who waits for it must learn that it ended. */
static pid_t other_end;

/* Let the other end run. @return false: it is no more */
static inline bool others_turn(void)
{
    siginfo_t info = { 0 };
    sched_yield();
    if (other_end == 0) return true;
    return waitid(P_PID, (id_t)other_end, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0;
}

#define STEP(condition) \
    do { \
        if (!(condition)) return __LINE__; \
    } while (0)

static inline size_t paged_size(const struct kind *kind)
{
    tern_stream_desc stream = { CAPACITY * sizeof(numbered), kind->flags };
    tern_ring_desc ring = { sizeof(numbered), CAPACITY, kind->flags };
    return kind->is_stream ? tern_stream_size(&stream) : tern_ring_size(&ring);
}

static inline tern_status paged_format(const struct kind *kind, void *memory, size_t size)
{
    tern_stream_desc stream = { CAPACITY * sizeof(numbered), kind->flags };
    tern_ring_desc ring = { sizeof(numbered), CAPACITY, kind->flags };
    return kind->is_stream ? tern_stream_format(memory, size, &stream) : tern_ring_format(memory, size, &ring);
}

static inline numbered item_of(uint64_t number)
{
    return (numbered){ number, number * UINT64_C(0x9e3779b97f4a7c15) ^ 0x5555 };
}

static inline bool is_item(const void *bytes, uint64_t number)
{
    numbered i, right = item_of(number);
    memcpy(&i, bytes, sizeof i);
    return i.number == right.number && i.check == right.check;
}

/* Bytes of the record with this number: at least an item. */
static inline uint32_t length_of(uint64_t number)
{
    return (uint32_t)(sizeof(numbered) + number * 5 % 90);
}

/* ---- Rings ------------------------------------------------------------------------------------ */

static inline int ring_produces(void *memory, size_t size, uint64_t count)
{
    tern_ring_producer p;
    numbered batch[BATCH], *span;
    uint64_t next = 0;
    uint32_t got;
    STEP(numbered_ring_attach_producer(&p, memory, size) == TERN_OK);
    while (next < count) {
        uint64_t before = next;
        for (uint32_t i = 0; i < BATCH; i++) batch[i] = item_of(next + i);
        uint32_t most = count - next < BATCH ? (uint32_t)(count - next) : BATCH;
        if (next % 3 == 0) {
            next += numbered_ring_push(&p, batch);
        } else if (next % 3 == 1) {
            next += numbered_ring_push_many(&p, batch, most);
        } else if ((span = numbered_ring_reserve(&p, most, &got)) != NULL) {
            memcpy(span, batch, got * sizeof *batch);
            numbered_ring_commit(&p, got);
            next += got;
        }
        STEP(tern_ring_producer_status(&p) == TERN_OK && tern_ring_producer_was_count(&p) <= CAPACITY);
        if (next == before) STEP(others_turn());
    }
    tern_ring_close_producer(&p);
    tern_ring_detach_producer(&p);
    return 0;
}

/* Until the ring is closed and empty. Now and then it detaches, and attaches again where it stopped. */
static inline int ring_consumes(void *memory, size_t size, uint64_t count, bool protects)
{
    tern_ring_consumer c;
    tern_ring_info info;
    numbered batch[BATCH];
    const numbered *span;
    uint64_t next = 0;
    uint32_t got;
    tern_status status;
    STEP(numbered_ring_attach_consumer(&c, memory, size) == TERN_OK);
    if (protects) STEP(tern_ring_consumer_protect(&c) == TERN_OK);
    while ((status = tern_ring_consumer_status(&c)) == TERN_OK) {
        uint64_t before = next;
        if (next % 3 == 0) {
            if (numbered_ring_pop(&c, batch)) STEP(is_item(batch, next++));
        } else if (next % 3 == 1) {
            got = numbered_ring_pop_many(&c, batch, BATCH);
            for (uint32_t i = 0; i < got; i++) STEP(is_item(&batch[i], next++));
        } else if ((span = numbered_ring_peek(&c, BATCH, &got)) != NULL) {
            for (uint32_t i = 0; i < got; i++) STEP(is_item(&span[i], next++));
            numbered_ring_release(&c, got);
        }
        STEP(tern_ring_consumer_was_count(&c) <= CAPACITY);
        if (next % 1000 == 0) {
            STEP(tern_ring_inspect(&info, memory, size) == TERN_OK && info.flags & TERN_RING_PAGED);
            tern_ring_detach_consumer(&c);
            STEP(numbered_ring_attach_consumer(&c, memory, size) == TERN_OK);
            tern_ring_consumer_release_every(&c, next % 2000 ? 1 : 5);
        }
        if (next == before) sched_yield();
    }
    STEP(status == TERN_ERR_CLOSED && next == count);
    tern_ring_close_consumer(&c);
    tern_ring_detach_consumer(&c);
    return 0;
}

/* ---- Streams ------------------------------------------------------------------------------------ */

static inline int stream_produces(void *memory, size_t size, uint64_t count)
{
    tern_stream_producer p;
    unsigned char bytes[256];
    memset(bytes, 0x5a, sizeof bytes);
    STEP(tern_stream_attach_producer(&p, memory, size) == TERN_OK);
    for (uint64_t next = 0; next < count;) {
        numbered i = item_of(next);
        uint32_t length = length_of(next);
        void *record = NULL;
        memcpy(bytes, &i, sizeof i);
        bool sent = next % 2 == 0 && tern_stream_send(&p, (uint32_t)next, bytes, length);
        if (next % 2 == 1 && (record = tern_stream_reserve(&p, 256)) != NULL) {
            memcpy(record, bytes, length);
            tern_stream_set_kind(&p, (uint32_t)next);
            tern_stream_commit(&p, length);
        }
        if (sent || record) next++;
        else STEP(others_turn());
        STEP(tern_stream_producer_status(&p) == TERN_OK);
    }
    tern_stream_close_producer(&p);
    tern_stream_detach_producer(&p);
    return 0;
}

static inline int stream_consumes(void *memory, size_t size, uint64_t count, bool protects)
{
    tern_stream_consumer c;
    tern_stream_info info;
    unsigned char bytes[256];
    uint64_t next = 0;
    uint32_t length, kind;
    tern_status status;
    STEP(tern_stream_attach_consumer(&c, memory, size) == TERN_OK);
    if (protects) STEP(tern_stream_consumer_protect(&c) == TERN_OK);
    while ((status = tern_stream_consumer_status(&c)) == TERN_OK) {
        const void *record = NULL;
        if (next % 2 == 0 && (record = tern_stream_peek(&c, &length, &kind)) != NULL) {
            STEP(is_item(record, next) && length == length_of(next) && kind == (uint32_t)next);
            tern_stream_release(&c);
            next++;
        } else if (next % 2 == 1 && tern_stream_receive(&c, bytes, sizeof bytes, &length, &kind)) {
            STEP(is_item(bytes, next) && length == length_of(next) && kind == (uint32_t)next);
            next++;
        } else {
            sched_yield();
        }
        STEP(tern_stream_consumer_was_used_bytes(&c) <= CAPACITY * sizeof(numbered));
        if (next % 1000 == 0) {
            STEP(tern_stream_inspect(&info, memory, size) == TERN_OK && info.flags == TERN_STREAM_PAGED);
            tern_stream_detach_consumer(&c);
            STEP(tern_stream_attach_consumer(&c, memory, size) == TERN_OK);
            tern_stream_consumer_release_every(&c, next % 2000 ? 1 : 64);
        }
    }
    STEP(status == TERN_ERR_CLOSED && next == count);
    tern_stream_close_consumer(&c);
    tern_stream_detach_consumer(&c);
    return 0;
}

static inline int paged_produces(const struct kind *kind, void *memory, size_t size, uint64_t count)
{
    return kind->is_stream ? stream_produces(memory, size, count) : ring_produces(memory, size, count);
}

static inline int paged_consumes(const struct kind *kind, void *memory, size_t size, uint64_t count, bool protects)
{
    return kind->is_stream ? stream_consumes(memory, size, count, protects)
                           : ring_consumes(memory, size, count, protects);
}

/* The exit code of a child whose steps ended at this line, 0: well. */
static inline int code_of(int line)
{
    if (line) fprintf(stderr, "# paged_fixture.h or its test: line %d\n", line);
    return line ? line % 255 + 1 : 0;
}

#endif
