/* SPDX-License-Identifier: MIT */
/* fuzz_stream.c: bytes as the record area and the indices of a sound stream, to which both ends are attached:
 * the calls of the consumer and of the producer, while a peer goes on writing.
 *
 * Byte 0: the capacity, and whether one can wait; bytes 4 to 7: where both ends begin. The bytes: the other
 * end's words as its own peer sees them (tail, head), then records. A step of the program is a call of the
 * consumer or the producer with a number, or a word that changes. */
#include "fuzz.h"

static tern_stream_desc desc_of(const uint8_t *header)
{
    tern_stream_desc desc = { 16u << (header[0] & 7), header[0] >> 3 & 1 };
    return desc;
}

static void begin_at(unsigned char *memory, uint32_t index)
{
    struct tern_ring_shared *shared = (struct tern_ring_shared *)(void *)memory;
    tern_a32_store_relaxed(&shared->producer.word, index << 1);
    tern_a32_store_relaxed(&shared->consumer.word, index << 1);
}

/* What peers write: their index, with and without SLEEP, one of their flags, or a unit of the records. */
static void change(struct tern_ring_shared *shared, size_t size, struct use_bytes *program)
{
    unsigned char value[8];
    uint8_t what = use_next(program);
    for (size_t i = 0; i < 8; i++)
        value[i] = what & 0x10 || i < 2 ? use_next(program) : (uint8_t)(what & 0x20 ? 0xff : 0);
    uint32_t word = fuzz_word(value), head = tern_a32_load_relaxed(&shared->consumer.word);
    uint32_t tail = tern_a32_load_relaxed(&shared->producer.word);
    switch (what % 8) {
    case 0: tern_a32_store_relaxed(&shared->producer.word, word); break;
    case 1: tern_a32_store_relaxed(&shared->consumer.word, word); break;
    case 2: tern_a32_store_relaxed(&shared->producer.word, tail + (word & 0x1f)); break;
    case 3: tern_a32_store_relaxed(&shared->consumer.word, head + (word & 0x1f)); break;
    case 4: tern_a32_store_relaxed(&shared->producer.closed, word & 1); break;
    case 5: tern_a32_store_relaxed(&shared->consumer.asymmetric, word & 1); break;
    case 6: tern_a32_store_relaxed(&shared->producer.asleep, word & 1); break;
    default: {
        size_t units = (size - sizeof *shared) / 8;
        memcpy((unsigned char *)(shared + 1) + word % units * 8, value, 8);
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in;
    tern_stream_producer p;
    tern_stream_consumer c;
    if (!fuzz_split(&in, data, size)) return 0;
    tern_stream_desc desc = desc_of(in.header);
    size_t bytes = tern_stream_size(&desc);
    unsigned char *memory = fuzz_memory(bytes);
    struct use_span span = { memory, bytes };
    struct tern_ring_shared *shared = (struct tern_ring_shared *)(void *)memory;
    USE_CHECK(tern_stream_format(memory, bytes, &desc) == TERN_OK);
    begin_at(memory, fuzz_word(in.header + 4) & 0x7fffffff);
    USE_CHECK(tern_stream_attach_producer(&p, memory, bytes) == TERN_OK);
    USE_CHECK(tern_stream_attach_consumer(&c, memory, bytes) == TERN_OK);

    if (in.size >= 8) {
        tern_a32_store_relaxed(&shared->producer.word, fuzz_word(in.bytes));
        tern_a32_store_relaxed(&shared->consumer.word, fuzz_word(in.bytes + 4));
        size_t records = in.size - 8 < bytes - sizeof *shared ? in.size - 8 : bytes - sizeof *shared;
        memcpy(shared + 1, in.bytes + 8, records);
    }
    while (in.program.at != in.program.end) {
        uint8_t what = use_next(&in.program), n = use_next(&in.program);
        switch (what >> 6) {
        case 0: case 1: use_stream_consumer(&c, span, what & 15, n); break;
        case 2: use_stream_producer(&p, span, what & 15, n); break;
        default: change(shared, bytes, &in.program); break;
        }
        USE_CHECK(c.ring.limit - c.ring.head <= c.ring.capacity_items
                  && p.ring.limit - p.ring.tail <= p.ring.capacity_items);
    }
    tern_stream_detach_consumer(&c);
    tern_stream_detach_producer(&p);
    free(memory);
    return 0;
}

/* Streams with records in them, from some places, for each call. */
void fuzz_seeds(void (*emit)(const void *bytes, size_t size_bytes))
{
    static const uint32_t begins[] = { 0, 5, 0x7ffffffc };
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        for (uint8_t call = 0; call < 7; call++) {
            uint8_t header[FUZZ_HEADER_BYTES] = { (uint8_t)(3 + call % 2 + (call & 4 ? 8 : 0)) }, bytes[8 + 512];
            tern_stream_desc desc = desc_of(header);
            size_t size = tern_stream_size(&desc), records = size - sizeof(struct tern_ring_shared);
            unsigned char *memory = fuzz_memory(size);
            struct tern_ring_shared *shared = (struct tern_ring_shared *)(void *)memory;
            tern_stream_producer p;
            USE_CHECK(tern_stream_format(memory, size, &desc) == TERN_OK);
            begin_at(memory, begins[i]);
            USE_CHECK(tern_stream_attach_producer(&p, memory, size) == TERN_OK);
            for (uint32_t length = 3; tern_stream_send(&p, length, use_scratch, length); length += 9) { }
            uint32_t words[2] = { tern_a32_load_relaxed(&shared->producer.word),
                                  tern_a32_load_relaxed(&shared->consumer.word) };
            memcpy(header + 4, &begins[i], 4);
            memcpy(bytes, words, 8);
            memcpy(bytes + 8, shared + 1, records);
            const uint8_t program[] = { call, 33, call, 64, 0xc0, 0, 2, 8, 0, call, 65, 0x80 + call, 20, 0x80 + call, 9,
                                        14, 1, 0xc0, 0, 7, 1, 0, call, 30, 0x81, 12, 1, 90 };
            fuzz_emit(emit, header, bytes, 8 + records, (struct use_bytes){ program, program + sizeof program });
            free(memory);
        }
}
