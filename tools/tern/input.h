/* SPDX-License-Identifier: MIT */
/* input.h: what `tern send` reads: a file, in which it can go back, or a pipe, of which it keeps the
 * last bytes in case that the receiver dies before it has written them. */
#ifndef TERN_INPUT_H
#define TERN_INPUT_H

#include "transfer.h"

/* Places are counted in the stream. */
typedef struct input {
    const char *file;
    int fd;
    bool is_file;                 /* a regular one */
    int64_t base;                 /* is_file: place in the file of the stream's byte 0, may be negative */
    uint64_t first, taken;        /* of the first byte that fd gave, and of the next that it gives */
    unsigned char *kept;          /* byte p stands at p % kept_size_bytes; NULL: none are kept */
    size_t kept_size_bytes;
    uint64_t kept_from;           /* those from here to `taken` are there */
} input;

/* @return EXIT_OK or, after a message, why not */
int input_open(input *in, const transfer_options *options);

/* After a meeting: go to the place from which the receiver wants bytes, if they are what it thinks, and set
 * t->bytes. @return -1, or the exit code after a message and a note to the receiver */
int input_go(input *in, transfer *t);

/* read(2), from t->bytes on; bytes that were kept first. */
ssize_t input_read(input *in, const transfer *t, void *room, size_t room_bytes);

void input_close(input *in);

#endif
