/* SPDX-License-Identifier: MIT */
/* typed_ring.c: instantiates TERN_RING_DEFINE and calls all that it makes. Compiled as each
 * language, with -DTERN_NONBLOCKING too; linked and run as C and as C++. */
#include <tern/ring.h>

struct sample {
    double value;
    uint32_t number;
    char tag[4];
};

TERN_RING_DEFINE(sample_ring, struct sample)
TERN_RING_DEFINE(byte_ring, unsigned char)

static unsigned char room[1024];

/* The first aligned byte in it: C and C++ spell aligned arrays differently. */
static unsigned char *aligned(void)
{
    return room + (TERN_ALIGNMENT - (uintptr_t)room % TERN_ALIGNMENT) % TERN_ALIGNMENT;
}

/* 0: every call did what it should; otherwise the line that did not. */
#define CHECK(condition) do { if (!(condition)) return __LINE__; } while (0)

static int check_samples(void)
{
    tern_ring_desc desc = sample_ring_desc(8, TERN_RING_WAITABLE);
    size_t size = tern_ring_size(&desc);
    tern_ring_producer p;
    tern_ring_consumer c;
    struct sample in = { 1.5, 7, { 'a', 'b', 'c', 'd' } }, out = { 0, 0, { 0, 0, 0, 0 } };
    struct sample pair[2] = { in, in };
    uint32_t got = 0;

    CHECK(size != 0 && size <= sizeof room - TERN_ALIGNMENT);
    CHECK(tern_ring_format(aligned(), size, &desc) == TERN_OK);
    CHECK(byte_ring_attach_producer(&p, aligned(), size) == TERN_ERR_MISMATCH);
    CHECK(byte_ring_attach_consumer(&c, aligned(), size) == TERN_ERR_MISMATCH);
    CHECK(sample_ring_attach_producer(&p, aligned(), size) == TERN_OK);
    CHECK(sample_ring_attach_consumer(&c, aligned(), size) == TERN_OK);
    CHECK(sample_ring_push(&p, &in) && sample_ring_pop(&c, &out));
    CHECK(out.number == 7 && out.tag[3] == 'd' && !sample_ring_pop(&c, &out));
    CHECK(sample_ring_push_many(&p, pair, 2) == 2 && sample_ring_pop_many(&c, pair, 2) == 2);
    struct sample *slot = sample_ring_reserve(&p, 1, &got);
    CHECK(slot && got == 1);
    *slot = in;
    sample_ring_commit(&p, 1);
    const struct sample *item = sample_ring_peek(&c, 1, &got);
    CHECK(item && got == 1 && item->number == 7);
    sample_ring_release(&c, 1);
#if !defined(TERN_NONBLOCKING)
    CHECK(sample_ring_push_wait(&p, &in, TERN_WAIT_FOREVER) == TERN_OK);
    CHECK(sample_ring_pop_wait(&c, &out, 0) == TERN_OK);
    CHECK(sample_ring_pop_wait(&c, &out, 0) == TERN_ERR_TIMEOUT);
#endif
    return 0;
}

static int check_bytes(void)
{
    tern_ring_desc desc = byte_ring_desc(0, 0);
    CHECK(desc.item_size_bytes == 1 && tern_ring_size(&desc) == 1024 + sizeof(struct tern_ring_shared));
    return 0;
}

int main(void)
{
    int line = check_samples();
    return line ? line : check_bytes();
}
