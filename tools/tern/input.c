/* SPDX-License-Identifier: MIT */
/* input.c: the sender's input, and going on in it. See input.h. */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int input_open(input *in, const transfer_options *options)
{
    struct stat info;
    memset(in, 0, sizeof *in);
    in->file = options->file;
    in->first = in->taken = options->offset_bytes;
    in->fd = strcmp(in->file, "-") == 0 ? STDIN_FILENO : open(in->file, O_RDONLY | O_CLOEXEC);
    bool ok = in->fd >= 0 && fstat(in->fd, &info) == 0;
    if (ok && S_ISDIR(info.st_mode)) {
        ok = false;
        errno = EISDIR;
    }
    if (!ok) {
        complain("cannot read %s: %s", in->file, strerror(errno));
        return EXIT_FAILED;
    }
    off_t at = S_ISREG(info.st_mode) ? lseek(in->fd, 0, SEEK_CUR) : -1;
    in->is_file = at >= 0;
    in->base = (int64_t)at - (int64_t)in->first;
    return EXIT_OK;
}

void input_close(input *in)
{
    free(in->kept);
    if (in->fd > STDIN_FILENO) close(in->fd);
    memset(in, 0, sizeof *in);
}

/* ---- Kept bytes of a pipe -------------------------------------------------------------------- */

/* How many from a place on stand side by side. */
static size_t side_by_side(const input *in, uint64_t from, size_t wanted)
{
    size_t until_end = in->kept_size_bytes - (size_t)(from % in->kept_size_bytes);
    return wanted < until_end ? wanted : until_end;
}

static void copy_kept(const input *in, uint64_t from, void *to, size_t count)
{
    for (size_t done = 0, n; done < count; done += n) {
        n = side_by_side(in, from + done, count - done);
        memcpy((unsigned char *)to + done, in->kept + (from + done) % in->kept_size_bytes, n);
    }
}

/* Bytes that fd just gave. */
static void took(input *in, const void *bytes, size_t count)
{
    const unsigned char *from = bytes;
    in->taken += count;
    if (!in->kept) return;
    uint64_t at = in->taken - count;
    for (size_t done = 0, n; done < count; done += n) {
        n = side_by_side(in, at + done, count - done);
        memcpy(in->kept + (at + done) % in->kept_size_bytes, from + done, n);
    }
    if (in->taken - in->kept_from > in->kept_size_bytes) in->kept_from = in->taken - in->kept_size_bytes;
}

/* What a receiver may lack when it dies is in the ring; the block in front of it is what its successor is
 * known by. */
static bool keep_enough(input *in, uint32_t capacity_bytes)
{
    input larger = *in;
    larger.kept_size_bytes = (size_t)capacity_bytes + TRANSFER_BLOCK_BYTES;
    if (larger.kept_size_bytes <= in->kept_size_bytes) return true;
    larger.kept = malloc(larger.kept_size_bytes);
    if (!larger.kept) {
        complain("no memory to keep %zu bytes of %s; try a smaller --capacity", larger.kept_size_bytes, in->file);
        return false;
    }
    if (!in->kept) larger.kept_from = in->taken;
    for (uint64_t at = larger.kept_from; at < in->taken;) {
        size_t n = side_by_side(&larger, at, (size_t)(in->taken - at));
        copy_kept(in, at, larger.kept + at % larger.kept_size_bytes, n);
        at += n;
    }
    free(in->kept);
    *in = larger;
    return true;
}

/* ---- Going on ---------------------------------------------------------------------------------- */

static int is_missing(transfer *t, uint64_t from, uint64_t upto)
{
    t->bytes = upto;
    complain("bytes %llu to %llu are missing: the receiver lacks them, and %s no longer has them",
             (unsigned long long)from, (unsigned long long)upto - 1, t->options.file);
    transfer_tell(t, OUTCOME_MISSING);
    return EXIT_DISAGREE;
}

static int is_other(transfer *t, const char *why)
{
    complain("the receiver has %llu bytes, and %s %s; it is left as it is", (unsigned long long)t->peer_hello.bytes,
             t->options.file, why);
    transfer_tell(t, OUTCOME_OTHER_INPUT);
    return EXIT_DISAGREE;
}

static int failed(transfer *t)
{
    complain("cannot read %s: %s", t->options.file, strerror(errno));
    transfer_tell(t, OUTCOME_INPUT_FAILED);
    return EXIT_FAILED;
}

/* Read a pipe on to a place that the receiver has already. @return as input_go() */
static int skip_to(input *in, transfer *t, uint64_t place)
{
    unsigned char bytes[TRANSFER_BLOCK_BYTES];
    t->bytes = in->taken;
    while (in->taken < place) {
        uint64_t left = place - in->taken;
        ssize_t n = read(in->fd, bytes, left < sizeof bytes ? (size_t)left : sizeof bytes);
        if (n == 0) return is_other(t, "ended before that");
        if (n > 0) {
            took(in, bytes, (size_t)n);
            transfer_count(t, bytes, (size_t)n);
            continue;
        }
        if (errno != EINTR && errno != EAGAIN) return failed(t);
        if (errno == EAGAIN) usleep(1000);
        int code = transfer_interrupted(t);
        if (code >= 0) return code;
        if (transfer_peer_ended(t)) return transfer_peer_gone(t);
    }
    return -1;
}

/* Whether the input's bytes before a place are those that the receiver has. */
static bool block_agrees(const input *in, const struct note *hello)
{
    unsigned char block[TRANSFER_BLOCK_BYTES], hash[32];
    size_t count = (size_t)hello->hashed_bytes;
    if (hello->hashed_bytes > sizeof block || hello->hashed_bytes > hello->bytes) return false;
    uint64_t from = hello->bytes - count;
    if (count == 0 || from < in->first) return true;   /* we never had them: --offset is taken at its word */
    if (in->is_file) {
        if (!transfer_read_at(in->fd, block, count, (uint64_t)(in->base + (int64_t)from))) return false;
    } else {
        if (from < in->kept_from) return false;
        copy_kept(in, from, block, count);
    }
    transfer_hash(block, count, hash);
    return memcmp(hash, hello->hash, sizeof hash) == 0;
}

int input_go(input *in, transfer *t)
{
    const struct note *hello = &t->peer_hello;
    uint64_t place = hello->bytes;
    if (!t->options.resume) {
        if (place == 0) return -1;
        complain("the receiver has %llu bytes already and wants the rest: start 'tern send --resume'",
                 (unsigned long long)place);
        transfer_tell(t, OUTCOME_NO_RESUME);
        return EXIT_FAILED;
    }
    if (place < in->first) return is_missing(t, place, in->first);
    if (in->is_file) {
        struct stat info;
        if (fstat(in->fd, &info) != 0) return failed(t);
        if (place > INT64_MAX || (int64_t)place > (int64_t)info.st_size - in->base) return is_other(t, "is shorter");
        if (!transfer_sum_file(t, in->fd, in->base, place)) return EXIT_FAILED;
    } else {
        if (!keep_enough(in, t->capacity_bytes)) return EXIT_FAILED;
        int code = skip_to(in, t, place);
        if (code >= 0) return code;
        if (place < in->kept_from) return is_missing(t, place, in->kept_from);
    }
    if (!block_agrees(in, hello)) return is_other(t, "has others there");
    if (in->is_file) {
        if (lseek(in->fd, (off_t)(in->base + (int64_t)place), SEEK_SET) < 0) return failed(t);
        in->taken = place;
    }
    t->bytes = place;
    return -1;
}

ssize_t input_read(input *in, const transfer *t, void *room, size_t room_bytes)
{
    if (t->bytes < in->taken) {
        uint64_t left = in->taken - t->bytes;
        size_t n = left < room_bytes ? (size_t)left : room_bytes;
        copy_kept(in, t->bytes, room, n);
        return (ssize_t)n;
    }
    ssize_t n = read(in->fd, room, room_bytes);
    if (n > 0) took(in, room, (size_t)n);
    return n;
}
