/* SPDX-License-Identifier: MIT */
/* use.h: what one can do with the views of each primitive, chosen by bytes: for tests in which the
 * memory behind the views may hold anything. Each answer must be one that the call's comment names, and each
 * address must lie in the object's memory; what is lent is written or read to its last byte. */
#ifndef TERN_USE_H
#define TERN_USE_H

#include <stdint.h>
#include <string.h>

#include <tern/tern.h>

#include "documented.h"

/* The including program's own: say what was wrong, and stop. */
_Noreturn static void use_failed(const char *what, const char *file, int line);

#define USE_CHECK(condition) ((condition) ? (void)0 : use_failed(#condition, __FILE__, __LINE__))

/* ---- What is done: a byte at a time, zeroes at the end ------------------------------------------- */

struct use_bytes {
    const uint8_t *at, *end;
};

static inline uint8_t use_next(struct use_bytes *bytes)
{
    return bytes->at != bytes->end ? *bytes->at++ : 0;
}

/* One of each call and some more, when nobody else chooses. */
static inline struct use_bytes use_everything(void)
{
    static const uint8_t program[] = {
        0, 1, 1, 3, 2, 2, 3, 3, 4, 0, 5, 2, 6, 4, 7, 1, 8, 2, 9, 1, 10, 0, 11, 3, 0, 0, 1, 2, 4, 1, 5, 5,
        12, 1, 6, 1, 7, 40, 13, 2, 4, 3, 14, 0, 3, 3, 5, 1, 15, 0, 0, 1, 4, 0, 8, 1, 9, 1,
    };
    struct use_bytes bytes = { program, program + sizeof program };
    return bytes;
}

/* ---- Where it may happen --------------------------------------------------------------------- */

struct use_span {
    unsigned char *begin;
    size_t size;
};

enum { USE_SCRATCH_BYTES = 1 << 16 };
static unsigned char use_scratch[USE_SCRATCH_BYTES];

/* The compiler must not leave out what nobody looks at. */
static inline void use_keep(const void *bytes)
{
    __asm__ __volatile__("" : : "r"(bytes) : "memory");
}

static inline void use_inside(struct use_span memory, const void *address, size_t bytes)
{
    size_t offset = (size_t)((uintptr_t)address - (uintptr_t)memory.begin);
    USE_CHECK(offset <= memory.size && bytes <= memory.size - offset);
}

static inline void use_read(struct use_span memory, const void *address, size_t bytes)
{
    use_inside(memory, address, bytes);
    for (size_t at = 0; at < bytes; at += USE_SCRATCH_BYTES)
        memcpy(use_scratch, (const unsigned char *)address + at,
               bytes - at < USE_SCRATCH_BYTES ? bytes - at : USE_SCRATCH_BYTES);
    use_keep(use_scratch);
}

static inline void use_write(struct use_span memory, void *address, size_t bytes)
{
    use_inside(memory, address, bytes);
    memset(address, 0x5a, bytes);
    use_keep(address);
}

/* A step of 0xc0 and above is no call: a peer changes a word, anywhere in the memory. */
static inline bool use_is_peer(uint8_t what)
{
    return what >= 0xc0;
}

static inline void use_peer_writes(struct use_span memory, struct use_bytes *bytes, uint8_t what, uint8_t n)
{
    uint32_t word, words = (uint32_t)(memory.size / 4), by = use_next(bytes);
    if (words == 0) return;
    unsigned char *at = memory.begin + (n | (uint32_t)use_next(bytes) << 8) % words * 4;
    memcpy(&word, at, 4);
    switch (what % 8) {
    case 0: word = by; break;
    case 1: word = 0u - by; break;
    case 2: word = by << 24 | by; break;
    case 3: word += by; break;
    case 4: word -= by; break;
    case 5: word ^= 1u << by % 32; break;
    case 6: word += by << by % 24; break;
    default: word = ~word; break;
    }
    memcpy(at, &word, 4);
}

/* Not more items than the scratch holds. */
static inline uint32_t use_count(uint32_t count, uint32_t item_size_bytes)
{
    uint32_t most = USE_SCRATCH_BYTES / item_size_bytes;
    return count < most ? count : most;
}

/* ---- What it may answer ------------------------------------------------------------------------- */

static inline bool use_is_documented(const char *call, tern_status status)
{
    /* by address: the same few names come all the time */
    static struct { const char *call; uint64_t statuses; } seen[256];
    size_t at = ((uintptr_t)call >> 2) % 256;
    if (seen[at].call != call) {
        size_t i = 0, calls = sizeof documented / sizeof *documented;
        while (i < calls && strcmp(documented[i].call, call) != 0) i++;
        if (i == calls) use_failed("no such call in the headers", call, 0);
        seen[at].call = call;
        seen[at].statuses = documented[i].statuses;
    }
    return (seen[at].statuses & DOCUMENTED_BIT(status)) != 0;
}

/* call(...) with its answer looked up in its comment. */
#define USE_STATUS(call, ...) use_answered(#call, call(__VA_ARGS__))
static inline tern_status use_answered(const char *call, tern_status status)
{
    if (!use_is_documented(call, status)) use_failed(tern_status_name(status), call, 0);
    return status;
}

/* ---- Ring ------------------------------------------------------------------------------------------ */

static inline void use_ring_producer(tern_ring_producer *p, struct use_span memory, uint8_t what, uint8_t n)
{
    uint32_t got = 0, slot = p->slot_size_bytes;
    if (p->item_size_bytes > USE_SCRATCH_BYTES) return;
    switch (what % 8) {
    case 0: tern_ring_push(p, use_scratch); break;
    case 1: USE_CHECK(tern_ring_push_many(p, use_scratch, use_count(n, p->item_size_bytes)) <= p->capacity_items);
        break;
    case 2: case 3: {
        unsigned char *lent = tern_ring_reserve(p, n, &got);
        USE_CHECK((lent != NULL) == (got != 0) && got <= n && got <= p->capacity_items);
        if (lent) use_inside(memory, lent, (size_t)got * slot);
        for (uint32_t i = 0; i < got; i++) use_write(memory, lent + (size_t)i * slot, p->item_size_bytes);
        if (what % 8 == 2) tern_ring_commit(p, got);
        break;
    }
    case 4: USE_STATUS(tern_ring_push_wait, p, use_scratch, 0); break;
    case 5: USE_STATUS(tern_ring_producer_wait, p, 0); break;
    case 6: USE_CHECK(tern_ring_producer_was_count(p) <= p->capacity_items); break;
    default: USE_STATUS(tern_ring_producer_status, p); break;
    }
    if (what == 15 && n == 0) tern_ring_close_producer(p);
}

static inline void use_ring_consumer(tern_ring_consumer *c, struct use_span memory, uint8_t what, uint8_t n)
{
    uint32_t got = 0, slot = c->slot_size_bytes;
    if (c->item_size_bytes > USE_SCRATCH_BYTES) return;
    switch (what % 8) {
    case 0: tern_ring_pop(c, use_scratch); break;
    case 1: USE_CHECK(tern_ring_pop_many(c, use_scratch, use_count(n, c->item_size_bytes)) <= c->capacity_items); break;
    case 2: case 3: {
        const unsigned char *lent = tern_ring_peek(c, n, &got);
        USE_CHECK((lent != NULL) == (got != 0) && got <= n && got <= c->capacity_items);
        if (lent) use_read(memory, lent, (size_t)got * slot);
        if (what % 8 == 2) tern_ring_release(c, got);
        break;
    }
    case 4: USE_STATUS(tern_ring_pop_wait, c, use_scratch, 0); break;
    case 5: USE_STATUS(tern_ring_consumer_wait, c, 0); break;
    case 6: USE_CHECK(tern_ring_consumer_was_count(c) <= c->capacity_items); break;
    default: USE_STATUS(tern_ring_consumer_status, c); break;
    }
    if (what == 14) tern_ring_consumer_release_every(c, n);
    if (what == 15 && n == 0) tern_ring_close_consumer(c);
}

/* Either end, or both; NULL: not attached. So with all of these. */
static inline void use_ring(tern_ring_producer *p, tern_ring_consumer *c, struct use_span memory,
                            struct use_bytes bytes)
{
    if (p) use_inside(memory, p->items, (size_t)p->capacity_items * p->slot_size_bytes);
    if (c) use_inside(memory, c->items, (size_t)c->capacity_items * c->slot_size_bytes);
    while (bytes.at != bytes.end) {
        uint8_t what = use_next(&bytes), n = use_next(&bytes);
        if (use_is_peer(what)) use_peer_writes(memory, &bytes, what, n);
        if (p && !(what & 0x80)) use_ring_producer(p, memory, what & 15, n);
        if (c && !(what & 0x40)) use_ring_consumer(c, memory, what & 15, n);
    }
    if (c) tern_ring_detach_consumer(c);
    if (p) tern_ring_detach_producer(p);
}

/* ---- Stream ------------------------------------------------------------------------------------------ */

static inline void use_stream_producer(tern_stream_producer *p, struct use_span memory, uint8_t what, uint8_t n)
{
    void *lent = NULL;
    switch (what % 8) {
    case 0: case 1: tern_stream_send(p, what, use_scratch, n); break;
    case 2: lent = tern_stream_reserve(p, n); break;
    case 3: USE_CHECK((USE_STATUS(tern_stream_reserve_wait, p, n, &lent, 0) == TERN_OK) == (lent != NULL)); break;
    case 4: USE_STATUS(tern_stream_send_wait, p, what, use_scratch, n, 0); break;
    case 5: USE_CHECK(tern_stream_producer_was_used_bytes(p) <= p->capacity_bytes); break;
    default: USE_STATUS(tern_stream_producer_status, p); break;
    }
    if (lent) {
        use_write(memory, lent, n);
        tern_stream_set_kind(p, what);
        tern_stream_commit(p, n & 1 ? n : n / 2);
    }
    if (what == 15 && n == 0) tern_stream_close_producer(p);
}

static inline void use_stream_consumer(tern_stream_consumer *c, struct use_span memory, uint8_t what, uint8_t n)
{
    uint32_t length = 0, kind = 0;
    const void *record = NULL;
    switch (what % 8) {
    case 0: case 1: if (tern_stream_receive(c, use_scratch, n, &length, &kind)) USE_CHECK(length <= n); break;
    case 2: record = tern_stream_peek(c, &length, &kind); break;
    case 3: USE_CHECK((USE_STATUS(tern_stream_peek_wait, c, &record, &length, &kind, 0) == TERN_OK)
                      == (record != NULL)); break;
    case 4: USE_STATUS(tern_stream_receive_wait, c, use_scratch, n, &length, &kind, 0); break;
    case 5: USE_CHECK(tern_stream_consumer_was_used_bytes(c) <= c->capacity_bytes); break;
    default: USE_STATUS(tern_stream_consumer_status, c); break;
    }
    USE_CHECK(length <= c->max_record_bytes);
    if (record) {
        use_read(memory, record, length);
        if (n & 1) tern_stream_release(c);
    }
    if (what == 14) tern_stream_consumer_release_every(c, n);
    if (what == 15 && n == 0) tern_stream_close_consumer(c);
}

static inline void use_stream(tern_stream_producer *p, tern_stream_consumer *c, struct use_span memory,
                              struct use_bytes bytes)
{
    if (p) use_inside(memory, p->ring.items, (size_t)p->capacity_bytes);
    if (c) use_inside(memory, c->ring.items, (size_t)c->capacity_bytes);
    while (bytes.at != bytes.end) {
        uint8_t what = use_next(&bytes), n = use_next(&bytes);
        if (use_is_peer(what)) use_peer_writes(memory, &bytes, what, n);
        if (p && !(what & 0x80)) use_stream_producer(p, memory, what & 15, n);
        if (c && !(what & 0x40)) use_stream_consumer(c, memory, what & 15, n);
    }
    if (c) tern_stream_detach_consumer(c);
    if (p) tern_stream_detach_producer(p);
}

/* ---- Triple buffer ---------------------------------------------------------------------------------- */

static inline void use_triple(tern_triple_writer *w, tern_triple_reader *r, struct use_span memory,
                              struct use_bytes bytes)
{
    while (bytes.at != bytes.end) {
        uint8_t what = use_next(&bytes), n = use_next(&bytes);
        if (use_is_peer(what)) use_peer_writes(memory, &bytes, what, n);
        if (w && !(what & 0x80)) {
            use_write(memory, tern_triple_back(w), w->buffer_size_bytes);
            if (what & 1) tern_triple_publish(w);
            USE_STATUS(tern_triple_writer_status, w);
        }
        if (r && !(what & 0x40)) {
            uint64_t before = tern_triple_frame(r);
            if (what & 2) USE_CHECK(!tern_triple_update(r) || tern_triple_frame(r) > before);
            else USE_STATUS(tern_triple_wait, r, 0);
            USE_STATUS(tern_triple_reader_status, r);
            if (tern_triple_front(r)) use_read(memory, tern_triple_front(r), r->buffer_size_bytes);
        }
        if (w && what == 15 && n == 0) tern_triple_close_writer(w);
        if (r && what == 14 && n == 0) tern_triple_close_reader(r);
    }
    if (r) tern_triple_detach_reader(r);
    if (w) tern_triple_detach_writer(w);
}

/* ---- Pool --------------------------------------------------------------------------------------------- */

static inline void use_pool(tern_pool *pool, struct use_span memory, struct use_bytes bytes)
{
    tern_handle held[8] = { { 0, 0 } }, h;
    void *item;
    use_inside(memory, pool->first, (size_t)pool->slots * pool->stride_bytes);
    while (bytes.at != bytes.end) {
        uint8_t what = use_next(&bytes), n = use_next(&bytes);
        if (use_is_peer(what)) {
            use_peer_writes(memory, &bytes, what, n);
            continue;
        }
        tern_handle *mine = &held[n % 8];
        h = *mine;
        if (n & 0x80) h.index = n, h.generation = what;
        switch (what % 8) {
        case 0: case 1:
            if (!tern_handle_is_null(*mine)) break;
            USE_CHECK((USE_STATUS(tern_pool_alloc, pool, mine, &item) == TERN_OK) == (item != NULL));
            USE_CHECK((item != NULL) == !tern_handle_is_null(*mine));
            if (item) use_write(memory, item, pool->item_size_bytes);
            break;
        case 2:
            USE_STATUS(tern_pool_free, pool, h);
            if (!(n & 0x80)) *mine = tern_handle_null();
            break;
        case 3: case 4:
            item = tern_pool_pin(pool, h);
            if (!item) break;
            use_read(memory, item, pool->item_size_bytes);
            if (what % 8 == 4) USE_STATUS(tern_pool_free, pool, h);
            tern_pool_unpin(pool, h);
            break;
        case 5: USE_STATUS(tern_pool_read, pool, h, use_scratch, n); break;
        case 6: if ((item = tern_pool_get(pool, h)) != NULL) use_read(memory, item, pool->item_size_bytes); break;
        default: {
            uint32_t cursor = 0, seen = 0;
            while ((item = tern_pool_walk(pool, &cursor, &h)) != NULL) {
                use_read(memory, item, pool->item_size_bytes);
                tern_pool_unpin(pool, h);
                USE_CHECK(++seen <= pool->slots);
            }
        }
        }
        USE_CHECK(tern_pool_was_live(pool) <= pool->capacity_items);
        USE_CHECK(tern_pool_was_retired(pool) <= pool->capacity_items);
    }
    tern_pool_detach(pool);
}

/* ---- Bell --------------------------------------------------------------------------------------------- */

static inline void use_bell(tern_bell *bell, struct use_span memory, struct use_bytes bytes)
{
    if (bell->leaf) use_inside(memory, bell->leaf, bell->leaves * sizeof *bell->leaf);
    while (bytes.at != bytes.end) {
        uint8_t what = use_next(&bytes), n = use_next(&bytes);
        if (use_is_peer(what)) {
            use_peer_writes(memory, &bytes, what, n);
            continue;
        }
        switch (what % 8) {
        case 0: case 1: {
            uint32_t source = n * (1u + bell->sources / 200);
            USE_CHECK(tern_bell_ring(bell, source) == (source < bell->sources));
            break;
        }
        case 2: case 3: case 4: {
            tern_bell_pass pass;
            uint32_t first, bits, turns = 0;
            if (what % 8 == 4) tern_bell_begin_with(bell, &pass, 0xffffffffu);
            else tern_bell_begin(bell, &pass);
            while (tern_bell_next(&pass, &first, &bits)) {
                USE_CHECK(bits != 0 && first < bell->sources);
                while (bits) USE_CHECK(first + tern_bell_take(&bits) < bell->sources);
                USE_CHECK(++turns <= bell->sources / 32 + 1);
            }
            break;
        }
        case 5: tern_bell_arm(bell); break;
        case 6: USE_STATUS(tern_bell_wait, bell, 0); break;
        default: USE_STATUS(tern_bell_status, bell); break;
        }
        if (what == 15 && n == 0) tern_bell_close(bell);
    }
    tern_bell_detach(bell);
}

#endif
