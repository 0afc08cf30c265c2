/* SPDX-License-Identifier: MIT */
/* send.c: `tern send`: read(2) straight into the ring, until the receiver has confirmed it all. */
#include "input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* One read: large enough that system calls do not count, small enough to stay in a cache
 * until the receiver has it. */
#define CHUNK_BYTES (256u << 10)

/* While bytes flow: whether the receiver is gone, or has closed, or left an index that makes no sense. */
static bool receiver_ended(transfer *t)
{
    tern_status status = tern_ring_producer_status(&t->bytes_out);
    if (transfer_peer_ended(t)) return true;
    if (status == TERN_OK && t->peer_end.outcome == 0) return false;
    t->peer_end.outcome = OUTCOME_DISAGREE;   /* alive, and closed without a word; or done too early */
    return true;
}

/* Room in the ring, waited for. @return -1 with room, otherwise the exit code */
static int wait_for_room(transfer *t, void **room, uint32_t *room_bytes)
{
    for (;;) {
        int code = transfer_interrupted(t);
        if (code >= 0) return code;
        *room = tern_ring_reserve(&t->bytes_out, CHUNK_BYTES, room_bytes);
        if (*room) return -1;
        tern_status status = tern_ring_producer_wait(&t->bytes_out, TRANSFER_SLICE_NS);
        if (status != TERN_OK && receiver_ended(t)) return transfer_peer_gone(t);
    }
}

/* All of the input. @return -1: told the receiver that this is all; otherwise the exit code */
static int send_all(transfer *t, input *in)
{
    for (;;) {
        void *room;
        uint32_t room_bytes;
        int code = wait_for_room(t, &room, &room_bytes);
        if (code >= 0) return code;
        ssize_t n = input_read(in, t, room, room_bytes);
        if (n == 0) {
            transfer_tell(t, OUTCOME_DONE);   /* before closing: who finds the ring closed finds the note */
            tern_ring_close_producer(&t->bytes_out);
            return -1;
        }
        if (n > 0) {
            transfer_count(t, room, (size_t)n);
            tern_ring_commit(&t->bytes_out, (uint32_t)n);
        } else if (errno == EINTR || errno == EAGAIN) {
            /* EAGAIN: somebody else made this pipe or terminal non-blocking */
            if (errno == EAGAIN) usleep(1000);
            if (receiver_ended(t)) return transfer_peer_gone(t);
        } else {
            complain("cannot read %s after %llu bytes: %s", t->options.file, (unsigned long long)t->bytes, strerror(errno));
            transfer_tell(t, OUTCOME_INPUT_FAILED);
            return EXIT_FAILED;
        }
    }
}

/* Until the receiver has confirmed. */
static int await_confirmation(transfer *t)
{
    for (;;) {
        bool ended = transfer_peer_ended(t);
        if (t->peer_end.outcome == OUTCOME_DONE) {
            if (t->peer_end.bytes == t->bytes) return EXIT_OK;
            complain("the receiver confirms %llu bytes of %llu", (unsigned long long)t->peer_end.bytes,
                     (unsigned long long)t->bytes);
            return EXIT_DISAGREE;
        }
        if (ended) return transfer_peer_gone(t);
        if (transfer_signal()) {
            /* the receiver has been told that this is all, so it may well complete */
            complain("interrupted before the receiver had confirmed; it was sent all %llu bytes",
                     (unsigned long long)t->bytes);
            return 128 + transfer_signal();
        }
        tern_ring_consumer_wait(&t->notes_in, TRANSFER_SLICE_NS);
    }
}

/* With one receiver. @return the exit code */
static int send_once(transfer *t, input *in)
{
    int code = transfer_join(t);
    if (code == EXIT_OK) code = transfer_meet(t);
    if (code != EXIT_OK) return code;
    code = input_go(in, t);
    if (code < 0) {
        transfer_began(t);
        code = send_all(t, in);
    }
    return code < 0 ? await_confirmation(t) : code;
}

static int run_send(int argc, char **argv)
{
    transfer t;
    memset(&t, 0, sizeof t);
    t.self = &command_send;
    t.side = SIDE_SENDER;
    int code = transfer_parse(&t, argc, argv);
    if (code >= 0) return code;
    input in;
    code = input_open(&in, &t.options);
    if (code != EXIT_OK) return code;

    transfer_catch_signals();
    do {
        code = send_once(&t, &in);
    } while (transfer_goes_on(&t, code));
    if (t.joined) tern_ring_close_producer(&t.bytes_out);   /* wakes a receiver that sleeps */
    code = transfer_report(&t, code);
    transfer_leave(&t);
    input_close(&in);
    return code;
}

const command command_send = {
    "send", "[OPTIONS] NAME [FILE]", "Send FILE or standard input to 'tern recv NAME'",
    "Either side may be started first. Ends when the receiver has confirmed every byte.\n\n"
    "Options:\n"
    "  --resume            outlive a receiver that is killed: wait for 'tern recv --resume' and go on\n"
    "                      where its file ends; started again after a death of its own, too\n"
    "  --offset BYTES      with --resume: FILE begins at this byte of what is sent (default 0)\n"
    "  --sum               print the SHA-256 of what was sent, as sha256sum does\n"
    "  --capacity BYTES    of the ring, if this side comes first (default 4M; K, M, G)\n"
    "  --timeout SECONDS   how long to wait for the receiver (default: for ever)\n"
    "  --json              print a summary as JSON\n"
    "  -q, --quiet         no progress line (there is one only on a terminal)\n"
    "  -h, --help          this text\n\n"
    "What a pipe gave to a sender that was killed is gone: start its source again from the beginning, and\n"
    "the bytes that the receiver has are skipped; or from a later byte with --offset. Bytes that\n"
    "nobody has are named by their range, exit code 7. FILE must not change meanwhile.\n\n"
    "Exit codes: 0 confirmed; 1 failed here; 2 wrong use; 3 the receiver was killed;\n"
    "4 the receiver gave up; 5 timeout; 6 NAME has a live sender; 7 the receiver disagrees;\n"
    "128+N ended by signal N.\n",
    run_send,
};
