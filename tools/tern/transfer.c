/* SPDX-License-Identifier: MIT */
/* transfer.c: what sender and receiver have in common while bytes flow. */
#include "transfer.h"

#include <errno.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define PROGRESS_NS UINT64_C(200000000)

/* ---- Signals --------------------------------------------------------------------------- */

static tern_a32 caught;   /* lock-free: may be used in a handler */

static void on_signal(int number)
{
    uint32_t none = 0;
    /* relaxed: the flag carries no data; the first signal stays */
    if (number != SIGALRM) tern_a32_cas_relaxed(&caught, &none, (uint32_t)number);
}

int transfer_signal(void)
{
    /* relaxed: as above */
    return (int)tern_a32_load_relaxed(&caught);
}

void transfer_catch_signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGALRM };
    struct sigaction action, before;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_signal;   /* no SA_RESTART: a blocked read or write has to end */
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        /* nohup stays in force. SIGINT does not: scripts start background jobs with it ignored,
         * and someone who sends it to this process means this process. */
        bool keep = numbers[i] == SIGHUP && sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler == SIG_IGN;
        if (!keep) sigaction(numbers[i], &action, NULL);
    }
    action.sa_handler = SIG_IGN;     /* EPIPE tells the same, in the place where it happened */
    sigaction(SIGPIPE, &action, NULL);
}

/* A signal that comes between looking at the flag and blocking would be lost, and a silent pipe
 * would hide a dead peer: so every blocking call is interrupted again and again. */
void transfer_start_ticking(void)
{
    const suseconds_t slice_us = (suseconds_t)(TRANSFER_SLICE_NS / 1000);
    const struct itimerval slices = { { 0, slice_us }, { 0, slice_us } };
    setitimer(ITIMER_REAL, &slices, NULL);
}

/* ---- Options ----------------------------------------------------------------------------- */

int transfer_parse(transfer *t, int argc, char **argv)
{
    static const struct option longs[] = {
        { "help", no_argument, NULL, 'h' },           { "quiet", no_argument, NULL, 'q' },
        { "sum", no_argument, NULL, OPTION_SUM },     { "json", no_argument, NULL, OPTION_JSON },
        { "capacity", required_argument, NULL, OPTION_CAPACITY },
        { "timeout", required_argument, NULL, OPTION_TIMEOUT }, { "resume", no_argument, NULL, OPTION_RESUME },
        { "offset", required_argument, NULL, OPTION_OFFSET }, { NULL, 0, NULL, 0 },
    };
    transfer_options *o = &t->options;
    o->capacity_bytes = 4u << 20;
    o->timeout_ns = TERN_WAIT_FOREVER;
    for (int option; (option = option_next(t->self, argc, argv, ":hq", longs)) != -1;) {
        bool ok = true;
        switch (option) {
        case 'q': o->quiet = true; break;
        case OPTION_SUM: o->sum = true; break;
        case OPTION_JSON: o->json = true; break;
        case OPTION_CAPACITY:
            ok = option_size("--capacity", optarg, 1, TERN_RING_MAX_CAPACITY_ITEMS, &o->capacity_bytes);
            break;
        case OPTION_TIMEOUT: ok = option_seconds("--timeout", optarg, &o->timeout_ns); break;
        case OPTION_RESUME: o->resume = true; break;
        case OPTION_OFFSET: ok = option_size("--offset", optarg, 0, INT64_MAX, &o->offset_bytes); break;
        default: return EXIT_USAGE;
        }
        if (!ok) return EXIT_USAGE;
    }
    if (optind == argc) return usage_error(t->self, "%s: no name given", t->self->name);
    if (argc - optind > 2) return usage_error(t->self, "%s: too many arguments from '%s' on", t->self->name, argv[optind + 2]);
    t->name = argv[optind];
    o->file = argc - optind == 2 ? argv[optind + 1] : "-";
    if (o->offset_bytes && (t->side == SIDE_RECEIVER || !o->resume || o->sum))
        return usage_error(t->self, "%s: --offset goes with 'send --resume', and not with --sum", t->self->name);
    if (o->resume && t->side == SIDE_RECEIVER && strcmp(o->file, "-") == 0)
        return usage_error(t->self, "recv: --resume needs a FILE: what it has need not be sent again");
    t->terminal = !o->quiet && isatty(STDERR_FILENO);
    if (o->sum) {
        t->digest = EVP_MD_CTX_new();
        if (!t->digest || EVP_DigestInit_ex(t->digest, EVP_sha256(), NULL) != 1) {
            complain("libcrypto cannot compute SHA-256");
            return EXIT_FAILED;
        }
    }
    return -1;
}

/* ---- The peer ------------------------------------------------------------------------------ */

static const char *peer_name(const transfer *t)
{
    return t->side == SIDE_SENDER ? "receiver" : "sender";
}

tern_status transfer_read_notes(transfer *t)
{
    struct note note;
    while (note_ring_pop(&t->notes_in, &note)) {
        if (note.outcome == OUTCOME_HELLO) t->peer_hello = note;
        else if (note.outcome > OUTCOME_HELLO && note.outcome <= OUTCOME_LAST) t->peer_end = note;
        else return TERN_ERR_CORRUPT;
    }
    tern_status status = tern_ring_consumer_status(&t->notes_in);
    return status == TERN_ERR_CLOSED || status == TERN_ERR_PEER_DEAD ? TERN_OK : status;
}

void transfer_tell(transfer *t, uint32_t outcome)
{
    struct note note = { .outcome = outcome, .bytes = t->bytes };
    note_ring_push(&t->notes_out, &note);   /* four places for two notes: it always fits */
    tern_ring_close_producer(&t->notes_out);
}

int transfer_peer_gone(const transfer *t)
{
    char amount[24];
    const char *who = peer_name(t);
    unsigned long long bytes = t->bytes;
    text_bytes(amount, t->bytes);
    switch (t->peer_end.outcome) {
    case 0: complain("the %s died after %llu bytes (%s)", who, bytes, amount); return EXIT_PEER_DIED;
    case OUTCOME_INTERRUPTED: complain("the %s was interrupted after %llu bytes (%s)", who, bytes, amount); break;
    case OUTCOME_INPUT_FAILED: complain("the %s could not read its input; ended after %llu bytes", who, bytes); break;
    case OUTCOME_OUTPUT_FAILED: complain("the %s could not write its output; ended after %llu bytes", who, bytes); break;
    case OUTCOME_OUTPUT_CLOSED: complain("the %s ended early, its output was closed; after %llu bytes", who, bytes); break;
    case OUTCOME_OTHER_INPUT:
        complain("%s is not the beginning of what the sender sends; it is left as it is (%llu bytes)", t->options.file,
                 bytes);
        return EXIT_DISAGREE;
    case OUTCOME_MISSING:
        complain("bytes %llu to %llu are missing: the sender no longer has them; %s has those before", bytes,
                 (unsigned long long)t->peer_end.bytes - 1, t->options.file);
        return EXIT_DISAGREE;
    case OUTCOME_NO_RESUME:
        complain("%s has %llu bytes already, and the sender was started without --resume", t->options.file, bytes);
        break;
    default: complain("%s and %s do not agree on what was sent, or the shared memory is damaged", t->self->name, who);
        return EXIT_DISAGREE;
    }
    return EXIT_PEER_ENDED;
}

int transfer_interrupted(transfer *t)
{
    if (!transfer_signal()) return -1;
    complain("interrupted after %llu bytes", (unsigned long long)t->bytes);
    transfer_tell(t, OUTCOME_INTERRUPTED);
    return 128 + transfer_signal();
}

bool transfer_peer_ended(transfer *t)
{
    /* life first, notes then: what the peer said before it ended is visible now */
    bool alive = transfer_peer_is_alive(t);
    if (transfer_read_notes(t) != TERN_OK) t->peer_end.outcome = OUTCOME_DISAGREE;
    return t->peer_end.outcome > OUTCOME_DONE || (!alive && t->peer_end.outcome == 0);
}

/* What a receiver that gives up has, and what not. */
static void complain_of_rest(const transfer *t)
{
    if (t->side == SIDE_RECEIVER && t->options.resume)
        complain("%s has %llu bytes; from byte %llu on all is missing", t->options.file, (unsigned long long)t->bytes,
                 (unsigned long long)t->bytes);
}

int transfer_meet(transfer *t)
{
    uint64_t began_ns = tern_now_ns();
    for (;;) {
        if (transfer_read_notes(t) != TERN_OK) {
            complain("the shared memory of '%s' is damaged", t->name);
            return EXIT_DISAGREE;
        }
        if (t->peer_hello.outcome) break;
        uint64_t waited_ns = tern_now_ns() - began_ns;
        if (transfer_signal()) {
            complain("interrupted while waiting for the %s", peer_name(t));
            complain_of_rest(t);
            transfer_tell(t, OUTCOME_INTERRUPTED);
            return 128 + transfer_signal();
        }
        if (waited_ns >= t->options.timeout_ns) {
            complain("no %s came for '%s' in %.3g s", peer_name(t), t->name, (double)t->options.timeout_ns / 1e9);
            complain_of_rest(t);
            transfer_tell(t, OUTCOME_INTERRUPTED);
            return EXIT_TIMEOUT;
        }
        if (!transfer_name_is_ours(t)) {
            complain("'%s' was removed while waiting for the %s", t->name, peer_name(t));
            return EXIT_FAILED;
        }
        uint64_t left_ns = t->options.timeout_ns - waited_ns;
        tern_status status = tern_ring_consumer_wait(&t->notes_in,
                                                     left_ns < TRANSFER_SLICE_NS ? left_ns : TRANSFER_SLICE_NS);
        /* a peer that died as it joined; the wait answers at once until its successor comes */
        if (status == TERN_ERR_PEER_DEAD) usleep(TRANSFER_SLICE_NS / 20000);
    }
    if (t->started_ns == 0) t->started_ns = t->shown_ns = tern_now_ns();
    transfer_start_ticking();
    return EXIT_OK;
}

static void stop_ticking(void)
{
    const struct itimerval none = { { 0, 0 }, { 0, 0 } };
    setitimer(ITIMER_REAL, &none, NULL);
}

void transfer_began(transfer *t)
{
    if (t->began) return;
    t->began = true;
    t->resumed_bytes = t->bytes;
}

bool transfer_goes_on(transfer *t, int code)
{
    if (code != EXIT_PEER_DIED || !t->options.resume) return false;
    complain("waiting for another %s: 'tern %s --resume %s ...'", peer_name(t),
             t->side == SIDE_SENDER ? "recv" : "send", t->name);
    stop_ticking();
    transfer_remove_name(t);
    tern_shm_close(&t->region);
    t->joined = false;
    memset(&t->peer_hello, 0, sizeof t->peer_hello);
    memset(&t->peer_end, 0, sizeof t->peer_end);
    return true;
}

/* ---- Progress and report --------------------------------------------------------------------- */

static void show_progress(transfer *t, uint64_t now_ns)
{
    char amount[24], speed[24];
    double seconds = (double)(now_ns - t->started_ns) / 1e9;
    text_bytes(amount, t->bytes);
    text_bytes(speed, seconds > 0 ? (uint64_t)((double)(t->bytes - t->resumed_bytes) / seconds) : 0);
    fprintf(stderr, "\r\033[K%s %s  %s/s", t->side == SIDE_SENDER ? "sent" : "received", amount, speed);
    t->shown_ns = now_ns;
    t->shown = true;
}

void transfer_count(transfer *t, const void *bytes, size_t count)
{
    uint64_t after = t->bytes + count;
    if (t->digest && after > t->digested) {   /* what is sent a second time is not summed twice */
        size_t fresh = (size_t)(after - t->digested);
        EVP_DigestUpdate(t->digest, (const unsigned char *)bytes + (count - fresh), fresh);
        t->digested = after;
    }
    t->bytes = after;
    if (!t->terminal) return;
    uint64_t now_ns = tern_now_ns();
    if (now_ns - t->shown_ns >= PROGRESS_NS) show_progress(t, now_ns);
}

bool transfer_read_at(int fd, void *bytes, size_t count, uint64_t place)
{
    for (size_t done = 0; done < count;) {
        ssize_t n = pread(fd, (unsigned char *)bytes + done, count - done, (off_t)(place + done));
        if (n < 0 && errno == EINTR) continue;   /* we tick */
        if (n == 0) errno = ENODATA;             /* it became shorter */
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

bool transfer_sum_file(transfer *t, int fd, int64_t base, uint64_t upto)
{
    unsigned char bytes[65536];
    while (t->digest && t->digested < upto) {
        uint64_t left = upto - t->digested;
        size_t count = left < sizeof bytes ? (size_t)left : sizeof bytes;
        if (!transfer_read_at(fd, bytes, count, (uint64_t)(base + (int64_t)t->digested))) {
            complain("cannot read %s: %s", t->options.file, strerror(errno));
            return false;
        }
        EVP_DigestUpdate(t->digest, bytes, count);
        t->digested += count;
    }
    return true;
}

void transfer_hash(const void *bytes, size_t count, unsigned char hash[32])
{
    EVP_Digest(bytes, count, hash, NULL, EVP_sha256(), NULL);
}

static void digest_text(transfer *t, char text[2 * EVP_MAX_MD_SIZE + 1])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_DigestFinal_ex(t->digest, sum, &length);
    for (unsigned i = 0; i < length; i++) snprintf(text + 2 * i, 3, "%02x", sum[i]);
}

int transfer_report(transfer *t, int code)
{
    char sum[2 * EVP_MAX_MD_SIZE + 1] = "";
    uint64_t now_ns = tern_now_ns();
    /* stdout belongs to the stream when it carries one */
    FILE *out = t->side == SIDE_RECEIVER && strcmp(t->options.file, "-") == 0 ? stderr : stdout;
    double seconds = t->started_ns ? (double)(now_ns - t->started_ns) / 1e9 : 0;
    if (t->digest && code == EXIT_OK) digest_text(t, sum);
    if (t->shown && code == EXIT_OK) {
        show_progress(t, now_ns);
        fputc('\n', stderr);
    }
    if (t->options.json) {
        json j = { out, 0, false };
        json_open(&j, NULL, '{');
        json_text(&j, "command", t->self->name);
        json_text(&j, "name", t->name);
        json_text(&j, "file", t->options.file);
        json_bool(&j, "complete", code == EXIT_OK);
        json_integer(&j, "exit_code", (uint64_t)code);
        json_integer(&j, "bytes", t->bytes);
        json_integer(&j, "resumed_at", t->resumed_bytes);
        json_real(&j, "seconds", seconds);
        json_real(&j, "mb_per_s", seconds > 0 ? (double)(t->bytes - t->resumed_bytes) / 1e6 / seconds : 0);
        json_integer(&j, "capacity_bytes", t->capacity_bytes);
        json_text(&j, "sha256", sum[0] ? sum : NULL);
        json_close(&j, '}');
    } else if (sum[0]) {
        fprintf(out, "%s  %s\n", sum, t->options.file);
    }
    if (out == stdout && !output_ends_well() && code == EXIT_OK) code = EXIT_FAILED;
    return code;
}

void transfer_leave(transfer *t)
{
    stop_ticking();
    if (t->joined) {
        transfer_remove_name(t);
        tern_shm_close(&t->region);
    }
    EVP_MD_CTX_free(t->digest);
}
