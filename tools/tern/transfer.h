/* SPDX-License-Identifier: MIT */
/* transfer.h: a byte stream from one process to another through the region NAME.
 *
 * The region holds three rings:
 *   bytes  sender -> receiver, item size 1: the stream
 *   end    sender -> receiver: HELLO when the sender joins, then how the stream ended
 *   ack    receiver -> sender: HELLO when the receiver joins, then what it received
 *
 * A side holds its end of `bytes`, as a peer of the region: the library tells whether it lives. A
 * HELLO in the ring of a side whose end nobody alive holds: that side has ended. So a region
 * whose sides have ended is told from one in which a side still waits, and no process id is compared.
 *
 * A byte of the file, far beyond the region, carries an OFD lock, the gate: held while somebody
 * joins, or removes the name. The name is removed only under the gate of the very file that the name
 * stands for. Whoever joins checks under the gate that the name still stands for the file it opened.
 *
 * With --resume a transfer outlives its processes. A side whose peer died lets go of the region and
 * joins anew, so each meeting is of two in a fresh region. The receiver's file decides where they go
 * on: its HELLO says how long it is and what its last block hashes to, and the sender goes there in its
 * input, or says which bytes it no longer has. Places are counted from the stream's start, always. */
#ifndef TERN_TRANSFER_H
#define TERN_TRANSFER_H

#include <sys/types.h>
#include "tool.h"

/* Marks a region as a transfer's: the session "ternpipe". Others' regions are left alone. */
#define TRANSFER_SESSION UINT64_C(0x7465726e70697065)

#define TRANSFER_SLICE_NS UINT64_C(100000000)   /* how often a wait looks at signals and the peer */

typedef enum side { SIDE_SENDER = 0, SIDE_RECEIVER = 1 } side;

/* How a side ended, as it tells the other. */
enum { OUTCOME_HELLO = 1, OUTCOME_DONE, OUTCOME_INTERRUPTED, OUTCOME_INPUT_FAILED, OUTCOME_OUTPUT_FAILED,
       OUTCOME_OUTPUT_CLOSED, OUTCOME_DISAGREE,
       OUTCOME_OTHER_INPUT,   /* the sender's input is not what the receiver's file begins with */
       OUTCOME_MISSING,       /* the sender no longer has the bytes before note.bytes */
       OUTCOME_NO_RESUME,     /* the receiver has a part, and the sender sends from the start only */
       OUTCOME_LAST = OUTCOME_NO_RESUME };

/* The last so many bytes that a receiver has are hashed, so that no other file is continued. */
#define TRANSFER_BLOCK_BYTES 65536u

/* An item of `end` and `ack`; a cache line. */
struct note {
    uint32_t outcome, reserved;
    uint64_t bytes;               /* place in the stream: handled so far; HELLO: what the receiver has */
    uint64_t hashed_bytes;        /* HELLO: how many of the last of them have this hash */
    unsigned char hash[32];       /* SHA-256 */
    uint64_t unused;              /* 0 */
};

TERN_RING_DEFINE(note_ring, struct note)

typedef struct transfer_options {
    uint64_t capacity_bytes, timeout_ns;
    const char *file;     /* "-": stdin or stdout */
    uint64_t offset_bytes;   /* sender: place of the input's first byte in the stream */
    bool sum, quiet, json, resume;
} transfer_options;

typedef struct transfer {
    const command *self;
    const char *name;
    side side;
    transfer_options options;
    tern_region region;
    tern_ring_producer bytes_out, notes_out;   /* the sender has bytes_out, the receiver bytes_in */
    tern_ring_consumer bytes_in, notes_in;
    bool joined;
    struct note hello;          /* what we say when we join */
    struct note peer_hello;     /* outcome 0 before it came */
    struct note peer_end;       /* its last note; outcome 0 before that */
    uint32_t capacity_bytes;
    uint64_t bytes;             /* place in the stream: handled by us */
    uint64_t resumed_bytes;     /* place at which this process began */
    bool began;
    uint64_t started_ns, shown_ns;   /* first meeting; last progress line */
    bool terminal, shown;       /* progress is wanted; a line stands there */
    void *digest;               /* EVP_MD_CTX, NULL without --sum */
    uint64_t digested;          /* place up to which it goes */
} transfer;

/* ---- rendezvous.c -------------------------------------------------------------------- */

/* Enter the region as t->side, making or replacing it as needed. @return EXIT_OK or, after a message, why not */
int transfer_join(transfer *t);

/* Remove the name if it still stands for our region. */
void transfer_remove_name(transfer *t);

bool transfer_name_is_ours(const transfer *t);

/* Whether a live process has the peer's end. */
bool transfer_peer_is_alive(const transfer *t);

/* Whether the peer gave up its end by itself, alive. */
bool transfer_peer_has_left(const transfer *t);

/* Remove a name of any region or file, after whoever stands in its gate. @return as tern_shm_unlink() */
tern_status transfer_remove(const char *name);

/* ---- transfer.c ------------------------------------------------------------------------ */

/* Options, name and file of send and recv. @return -1: go on; otherwise the exit code */
int transfer_parse(transfer *t, int argc, char **argv);

/* Signals set a flag from here on. */
void transfer_catch_signals(void);

/* From here on blocking system calls end with EINTR every slice at the latest. */
void transfer_start_ticking(void);

/* The signal that came, 0 if none. */
int transfer_signal(void);

/* Take in the peer's notes. @return TERN_OK, or TERN_ERR_CORRUPT */
tern_status transfer_read_notes(transfer *t);

/* Tell the peer how we ended, for good. */
void transfer_tell(transfer *t, uint32_t outcome);

/* Wait until both sides are there. @return EXIT_OK or, after a message, why not */
int transfer_meet(transfer *t);

/* @return -1: no signal came; otherwise, after a message and a note to the peer, the exit code */
int transfer_interrupted(transfer *t);

/* Whether the peer has ended: died, gave up or lost its mind. After DONE only its death does not count.
 * Bytes that a sender left behind are the caller's to drain first. */
bool transfer_peer_ended(transfer *t);

/* Say how the peer ended before its time. @return the exit code */
int transfer_peer_gone(const transfer *t);

/* The place at which bytes begin to flow is known. */
void transfer_began(transfer *t);

/* Whether to wait for a successor of a peer that ended with this code, after a message. Then we are out of
 * the region, and whoever is to come is met anew by transfer_join(). */
bool transfer_goes_on(transfer *t, int code);

/* Count bytes that went through, for the sum and for the progress line. */
void transfer_count(transfer *t, const void *bytes, size_t count);

/* Bytes of a file that went through before we came, for the sum: up to a place in the stream, that of
 * the file's byte 0 is -base. False, after a message, if they can't be read. */
bool transfer_sum_file(transfer *t, int fd, int64_t base, uint64_t upto);

/* All of these bytes of a file, or false with errno. */
bool transfer_read_at(int fd, void *bytes, size_t count, uint64_t place);

/* SHA-256. */
void transfer_hash(const void *bytes, size_t count, unsigned char hash[32]);

/* Say what went through: sum, JSON. @param code how it went  @return the exit code */
int transfer_report(transfer *t, int code);

/* Let go of everything; the name too if it is still ours. */
void transfer_leave(transfer *t);

#endif
