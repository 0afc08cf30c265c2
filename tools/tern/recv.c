/* SPDX-License-Identifier: MIT */
/* recv.c: `tern recv`: write(2) straight out of the ring. */
#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES (256u << 10)

/* How long a blocked output may hold us once the sender has failed. */
#define STALLED_NS UINT64_C(2000000000)

#define LOCK_TRIES 500   /* of 2 ms, in which a receiver that was killed is surely gone */

/* Not emptied yet: a name that is refused must not cost the file. */
static int open_output(const transfer_options *o)
{
    int mode = o->resume ? O_RDWR : O_WRONLY;
    int fd = strcmp(o->file, "-") == 0 ? STDOUT_FILENO : open(o->file, mode | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || fcntl(fd, F_GETFL) < 0) {
        complain("cannot write %s: %s", o->file, strerror(errno));
        return -1;
    }
    return fd;
}

/* Of a file that is gone on with: its length, and what its last block hashes to, for the HELLO. The lock makes
 * sure that a predecessor that was killed writes no more. @return EXIT_OK or, after a message, why not */
static int measure_output(transfer *t, int fd)
{
    unsigned char block[TRANSFER_BLOCK_BYTES];
    struct stat info;
    for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
        if (errno != EINTR && (errno != EWOULDBLOCK || tries > LOCK_TRIES)) {
            complain("%s: %s", t->options.file, errno == EWOULDBLOCK ? "another receiver writes it" : strerror(errno));
            return EXIT_BUSY;
        }
        usleep(2000);
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        complain("%s is no regular file: --resume cannot go on with it", t->options.file);
        return EXIT_FAILED;
    }
    uint64_t size_bytes = (uint64_t)info.st_size;
    size_t count = size_bytes < sizeof block ? (size_t)size_bytes : sizeof block;
    if (t->digested > size_bytes) {   /* somebody cut it while we waited */
        complain("%s became shorter: --sum cannot be told", t->options.file);
        return EXIT_FAILED;
    }
    if (!transfer_read_at(fd, block, count, size_bytes - count) || lseek(fd, 0, SEEK_END) != info.st_size) {
        complain("cannot read %s: %s", t->options.file, strerror(errno));
        return EXIT_FAILED;
    }
    if (!transfer_sum_file(t, fd, 0, size_bytes)) return EXIT_FAILED;
    t->bytes = t->hello.bytes = size_bytes;
    t->hello.hashed_bytes = count;
    transfer_hash(block, count, t->hello.hash);
    return EXIT_OK;
}

static bool empty_output(const transfer *t, int fd)
{
    struct stat info;
    if (t->options.resume) return true;
    if (fd == STDOUT_FILENO || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || ftruncate(fd, 0) == 0) return true;
    complain("cannot write %s: %s", t->options.file, strerror(errno));
    return false;
}

static int output_failed(transfer *t, int why)
{
    unsigned long long bytes = t->bytes;
    if (why == EPIPE) {
        complain("the output was closed after %llu bytes", bytes);
        transfer_tell(t, OUTCOME_OUTPUT_CLOSED);
        return 128 + SIGPIPE;
    }
    complain("cannot write %s after %llu bytes: %s", t->options.file, bytes, strerror(why));
    transfer_tell(t, OUTCOME_OUTPUT_FAILED);
    return EXIT_FAILED;
}

/* Bytes in the ring, waited for. @return -1: there are some, or NULL at the end of the stream;
 * otherwise the exit code */
static int wait_for_bytes(transfer *t, const void **bytes, uint32_t *count)
{
    for (;;) {
        int code = transfer_interrupted(t);
        if (code >= 0) return code;
        *bytes = tern_ring_peek(&t->bytes_in, CHUNK_BYTES, count);
        if (*bytes) return -1;
        tern_status status = tern_ring_consumer_wait(&t->bytes_in, TRANSFER_SLICE_NS);
        if (status == TERN_OK) continue;
        bool ended = transfer_peer_ended(t);
        /* first what it left: it may have sent and died since we looked */
        *bytes = tern_ring_peek(&t->bytes_in, CHUNK_BYTES, count);
        if (*bytes) return -1;
        if (status == TERN_ERR_CLOSED && t->peer_end.outcome == OUTCOME_DONE) return -1;
        if (status != TERN_ERR_TIMEOUT && !ended) {
            /* closed without a word, or an index that makes no sense */
            t->peer_end.outcome = OUTCOME_DISAGREE;
            transfer_tell(t, OUTCOME_DISAGREE);
        }
        if (t->peer_end.outcome > OUTCOME_DONE || ended) return transfer_peer_gone(t);
    }
}

/* A write was interrupted. @return -1: go on; otherwise the exit code */
static int check_stalled(transfer *t, uint64_t *since_ns)
{
    int code = transfer_interrupted(t);
    if (code >= 0) return code;
    /* a sender that failed gets its last bytes delivered, but not for ever into a pipe that nobody reads */
    if (!transfer_peer_ended(t) || t->options.resume) return -1;
    if (*since_ns == 0) *since_ns = tern_now_ns();
    return tern_now_ns() - *since_ns < STALLED_NS ? -1 : transfer_peer_gone(t);
}

/* Until the sender's end. @return -1: all is written; otherwise the exit code */
static int receive_all(transfer *t, int fd)
{
    uint64_t stalled_since_ns = 0;
    for (;;) {
        const void *bytes;
        uint32_t count;
        int code = wait_for_bytes(t, &bytes, &count);
        if (code >= 0) return code;
        if (!bytes) return -1;
        ssize_t n = write(fd, bytes, count);
        if (n > 0) {
            transfer_count(t, bytes, (size_t)n);
            tern_ring_release(&t->bytes_in, (uint32_t)n);
            stalled_since_ns = 0;
        } else if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
            /* EAGAIN: somebody else made this pipe or terminal non-blocking */
            if (errno == EAGAIN) usleep(1000);
            code = check_stalled(t, &stalled_since_ns);
            if (code >= 0) return code;
        } else {
            return output_failed(t, n < 0 ? errno : ENOSPC);
        }
    }
}

/* With --resume: who ends is sure that the sender knows. One that died before it could is started again, and
 * would wait for us. @return the exit code */
static int await_leave(transfer *t)
{
    while (transfer_peer_is_alive(t)) {
        if (transfer_signal()) {
            complain("%s is complete; interrupted before the sender had left", t->options.file);
            return 128 + transfer_signal();
        }
        usleep(500);
    }
    if (transfer_peer_has_left(t)) return EXIT_OK;
    complain("%s is complete, and the sender died before it knew", t->options.file);
    return EXIT_PEER_DIED;
}

/* Everything is written: make sure of it, then let the sender know. The name goes before the
 * confirmation: when the sender ends, nothing is left. */
static int confirm(transfer *t, int fd)
{
    if (t->bytes != t->peer_end.bytes) {
        complain("received %llu bytes of %llu", (unsigned long long)t->bytes, (unsigned long long)t->peer_end.bytes);
        transfer_tell(t, OUTCOME_DISAGREE);
        return EXIT_DISAGREE;
    }
    /* who goes on after a death wants to be sure of what is there, be the machine's end the next */
    while (t->options.resume && fsync(fd) != 0) {
        if (errno != EINTR) return output_failed(t, errno);
    }
    /* close tells of writes that a network file system failed to keep */
    if (!t->options.resume && fd != STDOUT_FILENO && close(fd) != 0 && errno != EINTR) return output_failed(t, errno);
    transfer_remove_name(t);
    transfer_tell(t, OUTCOME_DONE);
    return t->options.resume ? await_leave(t) : EXIT_OK;
}

/* From one sender. @return the exit code */
static int receive_once(transfer *t, int fd)
{
    int code = t->options.resume ? measure_output(t, fd) : EXIT_OK;
    if (code == EXIT_OK) code = transfer_join(t);
    if (code == EXIT_OK && !empty_output(t, fd)) {
        transfer_tell(t, OUTCOME_OUTPUT_FAILED);
        code = EXIT_FAILED;
    }
    if (code == EXIT_OK) code = transfer_meet(t);
    if (code != EXIT_OK) return code;
    transfer_began(t);
    code = receive_all(t, fd);
    return code < 0 ? confirm(t, fd) : code;
}

static int run_recv(int argc, char **argv)
{
    transfer t;
    memset(&t, 0, sizeof t);
    t.self = &command_recv;
    t.side = SIDE_RECEIVER;
    int code = transfer_parse(&t, argc, argv);
    if (code >= 0) return code;
    int fd = open_output(&t.options);
    if (fd < 0) return EXIT_FAILED;

    transfer_catch_signals();
    do {
        code = receive_once(&t, fd);
    } while (transfer_goes_on(&t, code));
    if (t.joined) tern_ring_close_consumer(&t.bytes_in);   /* wakes a sender that sleeps */
    code = transfer_report(&t, code);
    transfer_leave(&t);
    return code;
}

const command command_recv = {
    "recv", "[OPTIONS] NAME [FILE]", "Receive from 'tern send NAME' into FILE or standard output",
    "Either side may be started first. NAME is gone when the transfer is complete.\n\n"
    "Options:\n"
    "  --resume            keep what FILE has and receive the rest; outlive a sender that is killed: wait\n"
    "                      for 'tern send --resume' and go on. A file that is not the beginning of\n"
    "                      what is sent is refused (its last 64 KiB are compared) and left as it is\n"
    "  --sum               print the SHA-256 of what was received, as sha256sum does\n"
    "                      (on standard error if the bytes go to standard output)\n"
    "  --capacity BYTES    of the ring, if this side comes first (default 4M; K, M, G)\n"
    "  --timeout SECONDS   how long to wait for the sender (default: for ever)\n"
    "  --json              print a summary as JSON (where --sum prints)\n"
    "  -q, --quiet         no progress line (there is one only on a terminal)\n"
    "  -h, --help          this text\n\n"
    "With --resume kill -9 of either side costs nothing: start it again. A side that waits although the\n"
    "other one ended well (killed as it ended itself): start both again, they end at once. FILE is synced to\n"
    "its disk when it is complete, not before: after a power failure compare sums, or begin anew.\n\n"
    "Exit codes: 0 complete; 1 failed here; 2 wrong use; 3 the sender was killed;\n"
    "4 the sender gave up; 5 timeout; 6 NAME has a live receiver; 7 bytes do not agree;\n"
    "128+N ended by signal N; 141 the output was closed. What came before is kept.\n",
    run_recv,
};
