/* SPDX-License-Identifier: MIT */
/* model_others.h: triple buffer, pool and bell beside a model, for fuzz_messages.c: the newest frame, a table of
 * handles, a set of sources. */
#ifndef TERN_MODEL_OTHERS_H
#define TERN_MODEL_OTHERS_H

#include "model_items.h"

/* ---- Triple buffer ----------------------------------------------------------------------------------------- */

static inline void model_triple(const uint8_t *header, struct use_bytes program)
{
    const tern_triple_desc desc = { 1 + header[2] % 100 };
    size_t size = tern_triple_size(&desc);
    unsigned char *memory = fuzz_memory(size);
    tern_triple_writer w;
    tern_triple_reader r;
    uint64_t published = 0, front = 0, updates = 0, since = 0;
    bool w_closed = false, r_closed = false;
    USE_CHECK(tern_triple_format(memory, size, &desc) == TERN_OK);
    USE_CHECK(tern_triple_attach_writer(&w, memory, size) == TERN_OK);
    USE_CHECK(tern_triple_attach_reader(&r, memory, size) == TERN_OK);
    while (program.at != program.end) {
        uint8_t what = use_next(&program);
        bool fresh = published != front;
        tern_status status;
        switch (what % 8) {
        case 0: case 1:
            if (w_closed) break;
            model_fill(tern_triple_back(&w), (uint32_t)published + 1, desc.buffer_size_bytes);
            USE_CHECK(tern_triple_publish(&w) == fresh);
            published++;
            break;
        case 2: case 3:
            USE_CHECK(tern_triple_update(&r) == fresh);
            if (fresh) front = published, updates++;
            break;
        case 4:
            status = USE_STATUS(tern_triple_wait, &r, 0);
            USE_CHECK(status == (fresh ? TERN_OK : w_closed ? TERN_ERR_CLOSED : TERN_ERR_TIMEOUT));
            break;
        case 5:
            if (what & 8) {
                tern_triple_detach_writer(&w);
                USE_CHECK(tern_triple_attach_writer(&w, memory, size) == TERN_OK);
            } else {
                tern_triple_detach_reader(&r);
                USE_CHECK(tern_triple_attach_reader(&r, memory, size) == TERN_OK);
                updates = 0;
                since = front;
            }
            break;
        case 6:
            if (what == 0xfe) tern_triple_close_writer(&w), w_closed = true;
            if (what == 0xf6) tern_triple_close_reader(&r), r_closed = true;
            break;
        default: {
            tern_triple_info info;
            USE_CHECK(tern_triple_inspect(&info, memory, size) == TERN_OK);
            USE_CHECK(info.was_fresh == fresh && info.was_frame == (published & 0xffffff));
            USE_CHECK(info.writer_closed == w_closed && info.reader_closed == r_closed);
        }
        }
        fresh = published != front;
        USE_CHECK(tern_triple_writer_status(&w) == (r_closed ? TERN_ERR_CLOSED : TERN_OK));
        USE_CHECK(tern_triple_reader_status(&r) == (w_closed && !fresh ? TERN_ERR_CLOSED : TERN_OK));
        USE_CHECK(tern_triple_frame(&r) == front && (tern_triple_front(&r) == NULL) == (front == 0));
        USE_CHECK(updates + tern_triple_dropped(&r) == front - since);
        if (front) model_compare(tern_triple_front(&r), (uint32_t)front, desc.buffer_size_bytes);
    }
    free(memory);
}

/* ---- Pool --------------------------------------------------------------------------------------------------- */

enum { MODEL_HANDLES = 64 };

struct pool_model {
    tern_pool pool;
    struct {
        tern_handle handle;
        uint32_t number;          /* tells its bytes */
        uint32_t pins;
        bool live;                /* else freed: dying as long as there are pins */
    } items[MODEL_HANDLES];
    uint32_t in_use, made;
};

static inline bool pool_model_is_in_use(const struct pool_model *m, size_t i)
{
    return m->items[i].live || m->items[i].pins != 0;
}

static inline void pool_model_alloc(struct pool_model *m, size_t i)
{
    tern_handle handle;
    void *item;
    if (pool_model_is_in_use(m, i)) return;
    tern_status status = USE_STATUS(tern_pool_alloc, &m->pool, &handle, &item);
    USE_CHECK(status == (m->in_use < m->pool.capacity_items ? TERN_OK : TERN_ERR_FULL));
    if (status != TERN_OK) return;
    for (size_t k = 0; k < MODEL_HANDLES; k++) {
        USE_CHECK(!tern_handle_equal(m->items[k].handle, handle));    /* no value twice */
        if (pool_model_is_in_use(m, k)) USE_CHECK(m->items[k].handle.index != handle.index);
    }
    m->items[i].handle = handle;
    m->items[i].number = m->made++;
    m->items[i].live = true;
    m->in_use++;
    model_fill(item, m->items[i].number, m->pool.item_size_bytes);
}

static inline void pool_model_step(struct pool_model *m, uint8_t what, size_t i)
{
    tern_handle h = m->items[i].handle;
    bool live = m->items[i].live;
    tern_status status;
    void *item;
    switch (what % 8) {
    case 0: case 1: pool_model_alloc(m, i); break;
    case 2:
        status = USE_STATUS(tern_pool_free, &m->pool, h);
        USE_CHECK(status == (!live ? TERN_ERR_STALE : m->items[i].pins ? TERN_DEFERRED : TERN_OK));
        if (status == TERN_OK) m->in_use--;
        m->items[i].live = false;
        break;
    case 3:
        item = tern_pool_pin(&m->pool, h);
        USE_CHECK((item != NULL) == live);
        if (item) m->items[i].pins++;
        break;
    case 4:
        if (m->items[i].pins == 0) break;
        tern_pool_unpin(&m->pool, h);
        if (--m->items[i].pins == 0 && !live) m->in_use--;
        break;
    case 5:
        item = tern_pool_get(&m->pool, h);
        USE_CHECK((item != NULL) == live);
        if (item) model_compare(item, m->items[i].number, m->pool.item_size_bytes);
        break;
    case 6:
        status = USE_STATUS(tern_pool_read, &m->pool, h, use_scratch, m->pool.item_size_bytes);
        USE_CHECK(status == (live ? TERN_OK : TERN_ERR_STALE));
        if (live) model_compare(use_scratch, m->items[i].number, m->pool.item_size_bytes);
        break;
    default: {
        uint32_t cursor = 0, seen = 0, lives = 0;
        for (size_t k = 0; k < MODEL_HANDLES; k++) lives += m->items[k].live;
        while ((item = tern_pool_walk(&m->pool, &cursor, &h)) != NULL) {
            size_t k = 0;
            while (k < MODEL_HANDLES && !(m->items[k].live && tern_handle_equal(m->items[k].handle, h))) k++;
            USE_CHECK(k < MODEL_HANDLES);
            model_compare(item, m->items[k].number, m->pool.item_size_bytes);
            tern_pool_unpin(&m->pool, h);
            seen++;
        }
        USE_CHECK(seen == lives);
    }
    }
    USE_CHECK(tern_pool_was_live(&m->pool) == m->in_use && tern_pool_was_retired(&m->pool) == 0);
}

static inline void model_pool(const uint8_t *header, struct use_bytes program)
{
    const tern_pool_desc desc = { 1 + header[2] % 100, 1 + header[3] % 12 };
    size_t size = tern_pool_size(&desc);
    unsigned char *memory = fuzz_memory(size);
    struct pool_model m = { .in_use = 0 };
    USE_CHECK(tern_pool_format(memory, size, &desc) == TERN_OK);
    USE_CHECK(tern_pool_attach(&m.pool, memory, size) == TERN_OK);
    while (program.at != program.end) {
        uint8_t what = use_next(&program), n = use_next(&program);
        pool_model_step(&m, what, n % MODEL_HANDLES);
    }
    free(memory);
}

/* ---- Bell --------------------------------------------------------------------------------------------------- */

static inline void model_bell(const uint8_t *header, struct use_bytes program)
{
    const tern_bell_desc desc = { 1 + (header[0] & 8 ? header[2] % 31 : header[2] * 257u % 4000) };
    size_t size = tern_bell_size(&desc);
    unsigned char *memory = fuzz_memory(size), *rang = fuzz_memory(desc.sources);
    tern_bell bell;
    uint32_t ringing = 0;
    bool closed = false;
    USE_CHECK(tern_bell_format(memory, size, &desc) == TERN_OK);
    USE_CHECK(tern_bell_attach(&bell, memory, size) == TERN_OK);
    while (program.at != program.end) {
        uint8_t what = use_next(&program), n = use_next(&program);
        switch (what % 8) {
        case 0: case 1: case 2: {
            uint32_t source = what & 0x80 ? n + what * 64u : n;
            USE_CHECK(tern_bell_ring(&bell, source) == (source < desc.sources));
            if (source >= desc.sources || rang[source]) break;
            rang[source] = 1;
            ringing++;
            break;
        }
        case 3: {
            tern_bell_pass pass;
            uint32_t first, bits;
            tern_bell_begin(&bell, &pass);
            while (tern_bell_next(&pass, &first, &bits)) {
                USE_CHECK(bits != 0);
                while (bits) {
                    uint32_t source = first + tern_bell_take(&bits);
                    USE_CHECK(source < desc.sources && rang[source]);
                    rang[source] = 0;
                    ringing--;
                }
            }
            USE_CHECK(ringing == 0);
            break;
        }
        case 4: USE_CHECK(tern_bell_arm(&bell) == (ringing == 0 && !closed)); break;
        case 5:
            USE_CHECK(USE_STATUS(tern_bell_wait, &bell, 0)
                      == (ringing ? TERN_OK : closed ? TERN_ERR_CLOSED : TERN_ERR_TIMEOUT));
            break;
        case 6: if (n == 0) tern_bell_close(&bell), closed = true; break;
        default: {
            tern_bell_info info;
            USE_CHECK(tern_bell_inspect(&info, memory, size) == TERN_OK);
            USE_CHECK(info.closed == closed && (info.was_ringing != 0) == (ringing != 0));
            USE_CHECK(info.sources == desc.sources);
        }
        }
        USE_CHECK(tern_bell_status(&bell) == (closed && !ringing ? TERN_ERR_CLOSED : TERN_OK));
    }
    free(rang);
    free(memory);
}

#endif
