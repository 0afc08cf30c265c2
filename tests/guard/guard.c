/* SPDX-License-Identifier: MIT */
/*
 * guard.c: brings each call of operations.h into its steady state and makes it some thousands of
 * times, in one thread, while guard.py has callgrind count. What goes through is compared, item by
 * item; the first difference ends the program. The rings are in guard_ring.c.
 *
 * The ends work in turns of BURST items, so that looking at the other end and publishing freed slots
 * have the share of the figure that they have between two threads that keep pace.
 */
#include "guard.h"

enum { POOL_ITEM_BYTES = 48 };

/* ---- Stream -------------------------------------------------------------------- */

struct stream {
    tern_stream_producer p;
    tern_stream_consumer c;
    void *memory;
};

static struct stream make_stream(void)
{
    struct stream stream;
    const tern_stream_desc desc = { 0, 0 };
    size_t size = tern_stream_size(&desc);
    stream.memory = memory_for(size);
    CHECK(tern_stream_format(stream.memory, size, &desc) == TERN_OK);
    CHECK(tern_stream_attach_producer(&stream.p, stream.memory, size) == TERN_OK);
    CHECK(tern_stream_attach_consumer(&stream.c, stream.memory, size) == TERN_OK);
    fix_pauses(&stream.c.ring);
    return stream;
}

/* Records of a length that the calls know, then of one that they learn, then in place. */
static void stream_of_lines(void)
{
    struct stream stream = make_stream();
    uint32_t sent = 0, received = 0, length, kind;
    while (sent < ROUNDS * BURST) {
        for (uint32_t i = 0; i < BURST; i++, sent++) {
            struct line record = numbered(sent);
            CHECK(op_stream_send_64(&stream.p, sent, &record));
        }
        for (uint32_t i = 0; i < BURST; i++, received++) {
            struct line record, expected = numbered(received);
            CHECK(op_stream_receive_64(&stream.c, &record, &length, &kind));
            CHECK(length == sizeof record && kind == received && memcmp(&record, &expected, length) == 0);
        }
    }
    free(stream.memory);
}

static void stream_of_lengths(void)
{
    struct stream stream = make_stream();
    uint32_t sent = 0, received = 0, length, kind;
    while (sent < ROUNDS * BURST) {
        for (uint32_t i = 0; i < BURST; i++, sent++) {
            struct line record = numbered(sent);
            CHECK(op_stream_send(&stream.p, sent, &record, 1 + sent % (uint32_t)sizeof record));
        }
        for (uint32_t i = 0; i < BURST; i++, received++) {
            struct line record, expected = numbered(received);
            CHECK(op_stream_receive(&stream.c, &record, sizeof record, &length, &kind));
            CHECK(length == 1 + received % sizeof record && kind == received);
            CHECK(memcmp(&record, &expected, length) == 0);
        }
    }
    free(stream.memory);
}

static void stream_in_place(void)
{
    struct stream stream = make_stream();
    uint32_t sent = 0, received = 0, length, kind;
    while (sent < ROUNDS * BURST) {
        for (uint32_t i = 0; i < BURST; i++, sent++) {
            struct line record = numbered(sent), *at = op_stream_reserve(&stream.p, sizeof record);
            CHECK(at != NULL);
            memcpy(at, &record, sizeof record);
            op_stream_commit(&stream.p, sizeof record);
        }
        for (uint32_t i = 0; i < BURST; i++, received++) {
            struct line expected = numbered(received);
            const void *at = op_stream_peek(&stream.c, &length, &kind);
            CHECK(at != NULL && length == sizeof expected && memcmp(at, &expected, length) == 0);
            op_stream_release(&stream.c);
        }
    }
    free(stream.memory);
}

/* ---- Triple buffer --------------------------------------------------------------- */

static void triple(void)
{
    tern_triple_writer w;
    tern_triple_reader r;
    const tern_triple_desc desc = { sizeof(uint32_t) };
    size_t size = tern_triple_size(&desc);
    void *memory = memory_for(size);
    uint32_t frame = 0;
    CHECK(tern_triple_format(memory, size, &desc) == TERN_OK);
    CHECK(tern_triple_attach_writer(&w, memory, size) == TERN_OK);
    CHECK(tern_triple_attach_reader(&r, memory, size) == TERN_OK);
    for (uint32_t i = 0; i < ROUNDS * BURST; i++) {
        *(uint32_t *)tern_triple_back(&w) = ++frame;
        CHECK(!op_triple_publish_read(&w));
        CHECK(op_triple_update_news(&r));
        CHECK(*(const uint32_t *)op_triple_front(&r) == frame);
    }
    for (uint32_t i = 0; i < ROUNDS * BURST; i++) CHECK(!op_triple_update_none(&r));
    CHECK(tern_triple_dropped(&r) == 0);
    *(uint32_t *)tern_triple_back(&w) = ++frame;
    CHECK(!tern_triple_publish(&w));
    for (uint32_t i = 0; i < ROUNDS * BURST; i++) {
        *(uint32_t *)tern_triple_back(&w) = ++frame;
        CHECK(op_triple_publish_unread(&w));
    }
    CHECK(tern_triple_update(&r) && *(const uint32_t *)tern_triple_front(&r) == frame);
    CHECK(tern_triple_dropped(&r) == ROUNDS * BURST);
    free(memory);
}

/* ---- Pool ------------------------------------------------------------------------ */

static void pool(void)
{
    tern_pool view;
    tern_handle handles[BURST];
    void *items[BURST];
    const tern_pool_desc desc = { POOL_ITEM_BYTES, CAPACITY };
    size_t size = tern_pool_size(&desc);
    void *memory = memory_for(size);
    CHECK(tern_pool_format(memory, size, &desc) == TERN_OK);
    CHECK(tern_pool_attach(&view, memory, size) == TERN_OK);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < BURST; i++) {
            CHECK(op_pool_alloc(&view, &handles[i], &items[i]) == TERN_OK);
            *(uint32_t *)items[i] = round * BURST + i;
        }
        for (uint32_t i = 0; i < BURST; i++) {
            CHECK(op_pool_get(&view, handles[i]) == items[i]);
            CHECK(op_pool_pin(&view, handles[i]) == items[i]);
            CHECK(*(uint32_t *)items[i] == round * BURST + i);
            op_pool_unpin(&view, handles[i]);
        }
        for (uint32_t i = 0; i < BURST; i++) {
            CHECK(op_pool_free(&view, handles[i]) == TERN_OK);
            CHECK(op_pool_get_stale(&view, handles[i]) == NULL);
        }
    }
    CHECK(tern_pool_was_live(&view) == 0);
    free(memory);
}

/* ---- Bell ------------------------------------------------------------------------ */

static void bell(void)
{
    enum { FEW = 31, MANY = 1024 };
    tern_bell few, many;
    const tern_bell_desc few_desc = { FEW }, many_desc = { MANY };
    void *few_memory = memory_for(tern_bell_size(&few_desc)), *many_memory = memory_for(tern_bell_size(&many_desc));
    CHECK(tern_bell_format(few_memory, tern_bell_size(&few_desc), &few_desc) == TERN_OK);
    CHECK(tern_bell_attach(&few, few_memory, tern_bell_size(&few_desc)) == TERN_OK);
    CHECK(tern_bell_format(many_memory, tern_bell_size(&many_desc), &many_desc) == TERN_OK);
    CHECK(tern_bell_attach(&many, many_memory, tern_bell_size(&many_desc)) == TERN_OK);
    for (uint32_t i = 0; i < ROUNDS * BURST; i++) {
        uint32_t last = MANY;
        CHECK(op_bell_ring(&few, i % FEW));
        CHECK(op_bell_collect(&few) == 1u << i % FEW);
        CHECK(op_bell_ring_leaf(&many, i % MANY));
        CHECK(op_bell_pass(&many, &last) == 1 && last == i % MANY);
    }
    free(few_memory);
    free(many_memory);
}

int main(void)
{
    guard_rings();
    stream_of_lines();
    stream_of_lengths();
    stream_in_place();
    triple();
    pool();
    bell();
    return 0;
}
