/* SPDX-License-Identifier: MIT */
/* fuzz.h: what the fuzz targets share. A target is compiled twice: with libFuzzer, and with replay.c,
 * which runs kept inputs and makes seeds, without clang.
 *
 * An input is 8 bytes (see each target), the bytes that a peer wrote, and a program: what is then called,
 * as many of the last bytes as byte 1 says. Unless byte 0 has FUZZ_RAW, what stands between the bytes and
 * the code behind the checks is made right first: magic, version, hash and checksum. */
#ifndef TERN_FUZZ_H
#define TERN_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "../unit/use.h"

enum { FUZZ_HEADER_BYTES = 8, FUZZ_RAW = 0x80, FUZZ_FIT = 0x40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);     /* libFuzzer's */

/* Hand out inputs to begin with: made from sound objects. */
void fuzz_seeds(void (*emit)(const void *bytes, size_t size_bytes));

_Noreturn static void use_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

/* ---- The parts of an input ------------------------------------------------------------------------- */

struct fuzz_input {
    const uint8_t *header;       /* 8 bytes */
    const uint8_t *bytes;
    size_t size;
    struct use_bytes program;
};

static inline bool fuzz_split(struct fuzz_input *in, const uint8_t *data, size_t size)
{
    if (size < FUZZ_HEADER_BYTES) return false;
    size_t rest = size - FUZZ_HEADER_BYTES, program = data[1] < rest ? data[1] : rest;
    in->header = data;
    in->bytes = data + FUZZ_HEADER_BYTES;
    in->size = rest - program;
    in->program.at = in->bytes + in->size;
    in->program.end = in->program.at + program;
    return true;
}

/* An input of these parts. */
static inline void fuzz_emit(void (*emit)(const void *, size_t), const uint8_t header[FUZZ_HEADER_BYTES],
                             const void *bytes, size_t size, struct use_bytes program)
{
    static uint8_t input[1 << 16];
    size_t steps = (size_t)(program.end - program.at);
    USE_CHECK(FUZZ_HEADER_BYTES + size + steps <= sizeof input && steps < 256);
    memcpy(input, header, FUZZ_HEADER_BYTES);
    input[1] = (uint8_t)steps;
    if (size) memcpy(input + FUZZ_HEADER_BYTES, bytes, size);
    if (steps) memcpy(input + FUZZ_HEADER_BYTES + size, program.at, steps);
    emit(input, FUZZ_HEADER_BYTES + size + steps);
}

/* Aligned, of exactly so many bytes: the sanitizer guards both ends. Freed by the caller. */
static inline unsigned char *fuzz_memory(size_t size)
{
    void *memory = NULL;
    if (posix_memalign(&memory, TERN_ALIGNMENT, size ? size : 1) != 0) abort();
    memset(memory, 0, size);
    return memory;
}

/* ---- Checks that bytes must pass ----------------------------------------------------------------------- */

static inline uint32_t fuzz_word(const unsigned char *at)
{
    uint32_t word;
    memcpy(&word, at, 4);
    return word;
}

/* The hash that ends a geometry (FNV-1a): an attacker makes it fit too. */
static inline void fuzz_seal(unsigned char *geometry, size_t size)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size - 4; i++) hash = (hash ^ geometry[i]) * 16777619u;
    memcpy(geometry + size - 4, &hash, 4);
}

/* ---- Mutation -------------------------------------------------------------------------------------------- */

#if defined(TERN_FUZZING)
/* libFuzzer's own half of the time; else a word, where words are, gets a boundary value or a changed bit.
 * One input in eight or so has FUZZ_RAW. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    uint32_t r = seed * 2654435761u ^ seed >> 13;
    if (size < FUZZ_HEADER_BYTES + 4 || r % 2 == 0) {
        size = LLVMFuzzerMutate(data, size, most);
    } else {
        static const uint32_t values[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 8, 64, 128 };
        size_t at = FUZZ_HEADER_BYTES + (r >> 8) % ((size - FUZZ_HEADER_BYTES) / 4) * 4;
        uint32_t word = fuzz_word(data + at);
        switch (r >> 1 & 3) {
        case 0: word = values[r >> 3 & 7]; break;
        case 1: word ^= 1u << (r >> 3 & 31); break;
        case 2: word += (r >> 3 & 1) ? 1u : 0xffffffffu; break;
        default: word += (r >> 3 & 1) ? 1u << (r >> 4 & 15) : 0u - (1u << (r >> 4 & 15)); break;
        }
        memcpy(data + at, &word, 4);
    }
    if (size && (r >> 25) % 8 == 0) data[0] ^= FUZZ_RAW;
    else if (size && (r >> 25) % 8 < 7) data[0] &= (uint8_t)~FUZZ_RAW;
    return size;
}
#endif

#endif
