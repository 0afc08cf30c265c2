/* SPDX-License-Identifier: MIT */
/* model_items.h: ring and stream beside a model, for fuzz_messages.c: what goes in comes out, whole, in order, once;
 * "full" and "empty" are told only when they are true. */
#ifndef TERN_MODEL_ITEMS_H
#define TERN_MODEL_ITEMS_H

#include "fuzz.h"

/* The bytes of the number-th item or record. */
static inline void model_fill(void *bytes, uint32_t number, size_t size)
{
    for (size_t i = 0; i < size; i++) ((uint8_t *)bytes)[i] = (uint8_t)(number * 31 + (number >> 5) + i * 7);
}

static inline void model_compare(const void *bytes, uint32_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        USE_CHECK(((const uint8_t *)bytes)[i] == (uint8_t)(number * 31 + (number >> 5) + i * 7));
}

static inline void model_begin_at(unsigned char *memory, const uint8_t *header)
{
    struct tern_ring_shared *shared = (struct tern_ring_shared *)(void *)memory;
    uint32_t index = fuzz_word(header + 4) << 1;
    tern_a32_store_relaxed(&shared->producer.word, index);
    tern_a32_store_relaxed(&shared->consumer.word, index);
}

/* ---- Ring -------------------------------------------------------------------------------------------------- */

struct ring_model {
    tern_ring_producer p;
    tern_ring_consumer c;
    uint32_t pushed, popped;      /* the items' numbers */
    uint32_t capacity, item_bytes, slot_bytes;
    uint32_t unreleased;          /* at most so many were popped and are not free yet */
    bool p_closed, c_closed;
};

static inline uint32_t ring_model_count(const struct ring_model *m)
{
    return m->pushed - m->popped;
}

/* So many went in of so many that were tried. */
static inline void ring_model_pushed(struct ring_model *m, uint32_t got, uint32_t want)
{
    uint32_t space = m->capacity - ring_model_count(m), sure = space > m->unreleased ? space - m->unreleased : 0;
    USE_CHECK(got <= space && got <= want);
    if (!m->c_closed) USE_CHECK(got >= (want < sure ? want : sure));
    m->pushed += got;
}

static inline void ring_model_push(struct ring_model *m, uint8_t what, uint8_t n)
{
    uint32_t want = use_count(n % 40, m->item_bytes), got = 0;
    for (uint32_t i = 0; i == 0 || i < want; i++)
        model_fill(use_scratch + i * m->item_bytes, m->pushed + i, m->item_bytes);
    switch (what % 5) {
    case 0: ring_model_pushed(m, tern_ring_push(&m->p, use_scratch), 1); break;
    case 1: ring_model_pushed(m, tern_ring_push_many(&m->p, use_scratch, want), want); break;
    case 2: {
        unsigned char *lent = tern_ring_reserve(&m->p, want, &got);
        USE_CHECK((lent != NULL) == (got != 0) && got <= want);
        for (uint32_t i = 0; i < got; i++) model_fill(lent + (size_t)i * m->slot_bytes, m->pushed + i, m->item_bytes);
        uint32_t commit = got && n & 0x80 ? got - 1 : got;
        tern_ring_commit(&m->p, commit);
        USE_CHECK(commit <= m->capacity - ring_model_count(m));
        m->pushed += commit;
        break;
    }
    case 3: {
        tern_status status = USE_STATUS(tern_ring_push_wait, &m->p, use_scratch, 0);
        USE_CHECK(status != TERN_ERR_CORRUPT && (status != TERN_ERR_CLOSED || m->c_closed));
        ring_model_pushed(m, status == TERN_OK, status == TERN_ERR_UNSUPPORTED ? 0 : 1);
        break;
    }
    default: {
        uint32_t was = tern_ring_producer_was_count(&m->p);
        USE_CHECK(was >= ring_model_count(m) && was <= ring_model_count(m) + m->unreleased);
        USE_CHECK(tern_ring_producer_status(&m->p) == (m->c_closed ? TERN_ERR_CLOSED : TERN_OK));
    }
    }
}

static inline void ring_model_popped(struct ring_model *m, uint32_t got, uint32_t want)
{
    uint32_t count = ring_model_count(m);
    USE_CHECK(got == (want < count ? want : count));
    for (uint32_t i = 0; i < got; i++) model_compare(use_scratch + i * m->item_bytes, m->popped + i, m->item_bytes);
    m->popped += got;
}

static inline void ring_model_pop(struct ring_model *m, uint8_t what, uint8_t n)
{
    uint32_t want = use_count(n % 40, m->item_bytes), got = 0, count = ring_model_count(m);
    memset(use_scratch, 0, (want ? want : 1) * m->item_bytes);
    switch (what % 5) {
    case 0: ring_model_popped(m, tern_ring_pop(&m->c, use_scratch), 1); break;
    case 1: ring_model_popped(m, tern_ring_pop_many(&m->c, use_scratch, want), want); break;
    case 2: {
        const unsigned char *lent = tern_ring_peek(&m->c, want, &got);
        USE_CHECK((lent != NULL) == (got != 0) && got <= want && got <= count && (got || !want || !count));
        for (uint32_t i = 0; i < got; i++)
            model_compare(lent + (size_t)i * m->slot_bytes, m->popped + i, m->item_bytes);
        uint32_t release = got && n & 0x80 ? got - 1 : got;
        tern_ring_release(&m->c, release);
        m->popped += release;
        break;
    }
    case 3: {
        tern_status status = USE_STATUS(tern_ring_pop_wait, &m->c, use_scratch, 0);
        if (count) ring_model_popped(m, status == TERN_OK, 1);
        else if (m->p_closed) USE_CHECK(status == TERN_ERR_CLOSED || status == TERN_ERR_UNSUPPORTED);
        else USE_CHECK(status == TERN_ERR_TIMEOUT || status == TERN_ERR_UNSUPPORTED);
        break;
    }
    default:
        USE_CHECK(tern_ring_consumer_was_count(&m->c) == count);
        USE_CHECK(tern_ring_consumer_status(&m->c) == (!count && m->p_closed ? TERN_ERR_CLOSED : TERN_OK));
    }
}

static inline void model_ring(const uint8_t *header, struct use_bytes program)
{
    const tern_ring_desc desc = { 1 + header[2] % 80, 1 + header[3] % 20, header[0] >> 3 & 3 };
    size_t size = tern_ring_size(&desc);
    unsigned char *memory = fuzz_memory(size);
    struct ring_model m = { .capacity = 1, .item_bytes = desc.item_size_bytes };
    while (m.capacity < desc.capacity_items) m.capacity *= 2;
    USE_CHECK(tern_ring_format(memory, size, &desc) == TERN_OK);
    if (!(desc.flags & TERN_RING_SEQUENCED)) model_begin_at(memory, header);
    USE_CHECK(tern_ring_attach_producer(&m.p, memory, size) == TERN_OK);
    USE_CHECK(tern_ring_attach_consumer(&m.c, memory, size) == TERN_OK);
    USE_CHECK(m.p.capacity_items == m.capacity);
    m.slot_bytes = m.p.slot_size_bytes;
    m.unreleased = m.c.release_every_items - 1;
    while (program.at != program.end) {
        uint8_t what = use_next(&program), n = use_next(&program);
        switch (what % 16) {
        case 0: case 1: case 2: case 3: case 4: if (!m.p_closed) ring_model_push(&m, what % 16, n); break;
        case 5: case 6: case 7: case 8: case 9: if (!m.c_closed) ring_model_pop(&m, what % 16, n); break;
        case 10: {
            uint32_t most = m.capacity / 4 ? m.capacity / 4 : 1, every = n % 8 ? n % 8 : 1;
            tern_ring_consumer_release_every(&m.c, n % 8);
            if (every > most) every = most;
            /* what was kept back under the old number stays so until the next pop */
            if (every - 1 > m.unreleased) m.unreleased = every - 1;
            break;
        }
        case 11:
            tern_ring_detach_producer(&m.p);
            USE_CHECK(tern_ring_attach_producer(&m.p, memory, size) == TERN_OK);
            break;
        case 12: {
            /* with and without saying so: then some are delivered again */
            tern_ring_info info;
            if (n & 1) tern_ring_detach_consumer(&m.c);
            USE_CHECK(tern_ring_inspect(&info, memory, size) == TERN_OK);
            USE_CHECK(tern_ring_attach_consumer(&m.c, memory, size) == TERN_OK);
            uint32_t back = info.was_count - ring_model_count(&m);
            USE_CHECK(back <= (n & 1 ? 0 : m.unreleased));
            m.popped -= back;
            if (m.unreleased < m.c.release_every_items - 1) m.unreleased = m.c.release_every_items - 1;
            break;
        }
        case 13: if (n == 0) tern_ring_close_producer(&m.p), m.p_closed = true; break;
        case 14: if (n == 0) tern_ring_close_consumer(&m.c), m.c_closed = true; break;
        default: {
            tern_ring_info info;
            USE_CHECK(tern_ring_inspect(&info, memory, size) == TERN_OK);
            USE_CHECK(info.producer_closed == m.p_closed && info.consumer_closed == m.c_closed);
            USE_CHECK(info.was_count >= ring_model_count(&m) && info.was_count <= ring_model_count(&m) + m.unreleased);
        }
        }
    }
    free(memory);
}

/* ---- Stream ------------------------------------------------------------------------------------------------ */

struct stream_model {
    tern_stream_producer p;
    tern_stream_consumer c;
    uint32_t sent, received;
    uint32_t lengths[256];        /* of the records in it, by their numbers modulo 256 */
    bool p_closed, c_closed;
};

static inline void stream_model_sent(struct stream_model *m, bool ok, uint32_t length)
{
    if (!ok) return;
    USE_CHECK(length <= m->p.max_record_bytes && m->sent - m->received < 256);
    m->lengths[m->sent++ % 256] = length;
}

static inline void stream_model_send(struct stream_model *m, uint8_t what, uint8_t n)
{
    void *lent = NULL;
    model_fill(use_scratch, m->sent, n);
    switch (what % 4) {
    case 0: stream_model_sent(m, tern_stream_send(&m->p, m->sent, use_scratch, n), n); break;
    case 1: {
        tern_status status = USE_STATUS(tern_stream_send_wait, &m->p, m->sent, use_scratch, n, 0);
        USE_CHECK((status == TERN_ERR_ARGUMENT) == (n > m->p.max_record_bytes) && status != TERN_ERR_CORRUPT);
        stream_model_sent(m, status == TERN_OK, n);
        break;
    }
    case 2: lent = tern_stream_reserve(&m->p, n); break;
    default: (void)USE_STATUS(tern_stream_reserve_wait, &m->p, n, &lent, 0); break;
    }
    if (!lent) return;
    uint32_t length = n & 1 ? n : n / 2;
    model_fill(lent, m->sent, length);
    tern_stream_set_kind(&m->p, m->sent);
    tern_stream_commit(&m->p, length);
    stream_model_sent(m, true, length);
}

static inline void stream_model_receive(struct stream_model *m, uint8_t what, uint8_t n)
{
    uint32_t length = 0, kind = 0, next = m->lengths[m->received % 256];
    bool there = m->sent != m->received, out = false;
    const void *record = NULL;
    tern_status status = TERN_OK;
    switch (what % 4) {
    case 0: out = tern_stream_receive(&m->c, use_scratch, n, &length, &kind); break;
    case 1:
        status = USE_STATUS(tern_stream_receive_wait, &m->c, use_scratch, n, &length, &kind, 0);
        out = status == TERN_OK;
        if (!there)
            USE_CHECK(status == (m->p_closed ? TERN_ERR_CLOSED : TERN_ERR_TIMEOUT) || status == TERN_ERR_UNSUPPORTED);
        break;
    case 2: record = tern_stream_peek(&m->c, &length, &kind); break;
    default: (void)USE_STATUS(tern_stream_peek_wait, &m->c, &record, &length, &kind, 0); break;
    }
    if (there) USE_CHECK(length == next && kind == m->received);
    else USE_CHECK(length == 0 && !record && !out);
    if (what % 4 < 2) USE_CHECK(out == (there && next <= n));
    else USE_CHECK((record != NULL) == there);
    if (out) model_compare(use_scratch, m->received, length);
    if (record) model_compare(record, m->received, length);
    if (record && n & 1) tern_stream_release(&m->c);
    if (out || (record && n & 1)) m->received++;
}

/* "While the consumer goes on looking, space for any record comes": after at most two looks at an empty stream. */
static inline void stream_model_progress(struct stream_model *m, uint8_t n)
{
    if (m->sent != m->received || m->c_closed || m->p_closed) return;
    uint32_t length = n % (m->p.max_record_bytes + 1), got, kind;
    model_fill(use_scratch, m->sent, length);
    bool sent = false;
    for (int tries = 0; tries < 3 && !sent; tries++) {
        sent = tern_stream_send(&m->p, m->sent, use_scratch, length);
        if (!sent) USE_CHECK(!tern_stream_peek(&m->c, &got, &kind));
    }
    USE_CHECK(sent);
    stream_model_sent(m, true, length);
}

static inline void model_stream(const uint8_t *header, struct use_bytes program)
{
    const tern_stream_desc desc = { 16u << header[2] % 5, header[0] >> 3 & 1 };
    size_t size = tern_stream_size(&desc);
    unsigned char *memory = fuzz_memory(size);
    struct stream_model m = { .sent = 0 };
    USE_CHECK(tern_stream_format(memory, size, &desc) == TERN_OK);
    model_begin_at(memory, header);
    USE_CHECK(tern_stream_attach_producer(&m.p, memory, size) == TERN_OK);
    USE_CHECK(tern_stream_attach_consumer(&m.c, memory, size) == TERN_OK);
    while (program.at != program.end) {
        uint8_t what = use_next(&program), n = use_next(&program);
        switch (what % 16) {
        case 0: case 1: case 2: case 3: if (!m.p_closed) stream_model_send(&m, what, n); break;
        case 4: case 5: case 6: case 7: if (!m.c_closed) stream_model_receive(&m, what, n); break;
        case 8: case 9: stream_model_progress(&m, n); break;
        case 10: tern_stream_consumer_release_every(&m.c, n); break;
        case 11:
            tern_stream_detach_producer(&m.p);
            USE_CHECK(tern_stream_attach_producer(&m.p, memory, size) == TERN_OK);
            break;
        case 12:
            if (m.c_closed) break;
            tern_stream_detach_consumer(&m.c);
            USE_CHECK(tern_stream_attach_consumer(&m.c, memory, size) == TERN_OK);
            break;
        case 13: if (n == 0) tern_stream_close_producer(&m.p), m.p_closed = true; break;
        case 14: if (n == 0) tern_stream_close_consumer(&m.c), m.c_closed = true; break;
        default: {
            bool ended = m.p_closed && m.sent == m.received;
            tern_status status = m.c_closed ? TERN_OK : tern_stream_consumer_status(&m.c);
            USE_CHECK(status == TERN_OK || (status == TERN_ERR_CLOSED && ended));
            status = tern_stream_producer_status(&m.p);
            USE_CHECK(status == TERN_OK || status == TERN_ERR_ARGUMENT || (status == TERN_ERR_CLOSED && m.c_closed));
        }
        }
    }
    free(memory);
}

#endif
