/* SPDX-License-Identifier: MIT */
/* fuzz_messages.c: bytes as a program of calls of both ends, beside a model that knows what each must answer: a
 * queue for ring and stream, the newest frame, a table of handles, a set of sources. Nobody lies here.
 *
 * Byte 0: the primitive and its flags; bytes 2 and 3: its size; bytes 4 to 7: where ring and stream begin. */
#include "fuzz.h"

#include "model_items.h"
#include "model_others.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in;
    if (!fuzz_split(&in, data, size)) return 0;
    in.program.at = in.bytes;
    switch (in.header[0] % 8) {
    case 0: case 1: model_ring(in.header, in.program); break;
    case 2: case 3: model_stream(in.header, in.program); break;
    case 4: model_triple(in.header, in.program); break;
    case 5: case 6: model_pool(in.header, in.program); break;
    default: model_bell(in.header, in.program); break;
    }
    return 0;
}

/* Each primitive in some forms, each with every call in two orders. */
void fuzz_seeds(void (*emit)(const void *bytes, size_t size_bytes))
{
    for (unsigned form = 0; form < 32; form++)
        for (unsigned order = 0; order < 2; order++) {
            const uint8_t header[FUZZ_HEADER_BYTES] = { (uint8_t)(form % 8 + (form & 24)), 0, (uint8_t)(3 + form),
                                                        (uint8_t)(form * 7), 0xfc, 0xff, 0xff, form & 8 ? 0x7f : 0 };
            uint8_t program[96];
            for (unsigned i = 0; i < sizeof program; i++)
                program[i] = (uint8_t)(order ? i * 37 + form : i % 2 ? i / 4 + 1 : i / 2);
            fuzz_emit(emit, header, program, sizeof program, (struct use_bytes){ program, program });
        }
}
