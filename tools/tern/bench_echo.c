/* SPDX-License-Identifier: MIT */
/* bench_echo.c: round trip of a 64-byte message. The child answers each message with its
 * complement; both sides check every byte of what they get. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLICE_NS UINT64_C(100000000)
#define LOOKS_BETWEEN_CHECKS (1u << 20)   /* a spinning wait looks after the other process now and then */

struct message { uint64_t word[8]; };
TERN_RING_DEFINE(message_ring, struct message)

struct echo {
    carrier by;
    uint64_t messages;         /* and a tenth before them, to warm up */
    bool one_cpu;
    tern_region region;        /* rings; the child opens one of its own */
    int shared;                /* for that */
    int fd[4];                 /* read, write of the child; read, write of ours */
};

/* One side's way to send and to receive. */
struct line {
    carrier by;
    bool one_cpu;
    const bench_child *child;  /* NULL in the child: it dies with us */
    tern_ring_producer out;
    tern_ring_consumer in;
    int fd_in, fd_out;
};

static void fill(struct message *message, uint64_t sequence, uint64_t flip)
{
    for (uint64_t i = 0; i < 8; i++) message->word[i] = (sequence * 8 + i) * UINT64_C(0x9e3779b97f4a7c15) ^ flip;
}

static bool check(const struct message *message, uint64_t sequence, uint64_t flip)
{
    struct message expected;
    fill(&expected, sequence, flip);
    return memcmp(&expected, message, sizeof expected) == 0;
}

static bool peer_lives(const struct line *line)
{
    return !line->child || bench_is_alive(line->child);
}

static bool line_send(struct line *line, const struct message *message)
{
    /* one message is under way at a time: there is always room */
    if (line->by <= CARRIER_RING_SLEEP) return message_ring_push(&line->out, message);
    return bench_write_all(line->fd_out, message, sizeof *message);
}

static bool line_receive(struct line *line, struct message *message)
{
    if (line->by == CARRIER_RING) {
        for (uint32_t looks = 1; !message_ring_pop(&line->in, message); looks++) {
            if (line->one_cpu) sched_yield();
            else tern_cpu_relax();
            if (looks % LOOKS_BETWEEN_CHECKS == 0 && !peer_lives(line)) return false;
        }
        return true;
    }
    if (line->by == CARRIER_RING_SLEEP) {
        tern_status status;
        while ((status = message_ring_pop_wait(&line->in, message, SLICE_NS)) == TERN_ERR_TIMEOUT)
            if (!peer_lives(line)) return false;
        return status == TERN_OK;
    }
    return bench_read_all(line->fd_in, message, sizeof *message);
}

static bool open_line(struct line *line, struct echo *e, bool is_child, const bench_child *child)
{
    memset(line, 0, sizeof *line);
    line->by = e->by;
    line->one_cpu = e->one_cpu;
    line->child = child;
    line->fd_in = e->fd[is_child ? 0 : 2];
    line->fd_out = e->fd[is_child ? 1 : 3];
    if (e->by > CARRIER_RING_SLEEP) return true;
    if (tern_ring_open_producer(&line->out, &e->region, is_child ? "back" : "there", NULL) != TERN_OK) return false;
    if (tern_ring_open_consumer(&line->in, &e->region, is_child ? "there" : "back", NULL) != TERN_OK) return false;
    if (e->by == CARRIER_RING_SLEEP) line->in.spin_checks = 0;   /* really sleep, each time */
    return true;
}

static uint64_t all_messages(const struct echo *e)
{
    return e->messages + e->messages / 10;
}

static bool answer(void *argument, int control)
{
    struct echo *e = argument;
    struct line line;
    struct message message;
    if (e->shared >= 0 && tern_shm_open_fd(&e->region, e->shared, NULL) != TERN_OK) return false;
    if (!open_line(&line, e, true, NULL) || !bench_say(control)) return false;
    if (e->fd[3] >= 0) close(e->fd[3]);   /* so that we see the end when the other side dies */
    for (uint64_t i = 0; i < all_messages(e); i++) {
        if (!line_receive(&line, &message) || !check(&message, i, 0)) return false;
        for (int word = 0; word < 8; word++) message.word[word] = ~message.word[word];
        if (!line_send(&line, &message)) return false;
    }
    return true;
}

static int ask(struct line *line, struct echo *e, uint32_t *samples_ns)
{
    struct message message;
    uint64_t warm_up = all_messages(e) - e->messages;
    for (uint64_t i = 0; i < all_messages(e); i++) {
        fill(&message, i, 0);
        uint64_t began_ns = tern_now_ns();
        bool came = line_send(line, &message) && line_receive(line, &message);
        uint64_t took_ns = tern_now_ns() - began_ns;
        if (!came) return EXIT_FAILED;
        if (!check(&message, i, UINT64_MAX)) return EXIT_DISAGREE;
        if (i >= warm_up) samples_ns[i - warm_up] = took_ns > UINT32_MAX ? UINT32_MAX : (uint32_t)took_ns;
    }
    return EXIT_OK;
}

static bool open_rings(struct echo *e)
{
    tern_ring_desc desc = message_ring_desc(64, e->by == CARRIER_RING_SLEEP ? TERN_RING_WAITABLE : 0);
    size_t size = tern_region_size(NULL) + 2 * tern_region_object_size(tern_ring_size(&desc));
    tern_ring_producer maker = { 0 };
    tern_status status = tern_shm_create(&e->region, NULL, size, NULL);
    if (status == TERN_OK) status = tern_ring_open_producer(&maker, &e->region, "there", &desc);
    tern_ring_detach_producer(&maker);   /* the ends are the two processes' to take */
    if (status == TERN_OK) status = tern_ring_open_producer(&maker, &e->region, "back", &desc);
    tern_ring_detach_producer(&maker);
    if (status == TERN_OK && (e->shared = tern_shm_share(&e->region)) >= 0) return true;
    complain("no shared memory: %s", status == TERN_OK ? strerror(errno) : tern_status_text(status));
    return false;
}

static bool open_descriptors(struct echo *e)
{
    int there[2], back[2];
    bool pipes = e->by == CARRIER_PIPE;
    if ((pipes ? pipe2(there, O_CLOEXEC) : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, there)) != 0) {
        complain("no %s: %s", bench_carrier_name(e->by), strerror(errno));
        return false;
    }
    if (!pipes) {   /* one socket carries both ways */
        e->fd[0] = e->fd[1] = there[0];
        e->fd[2] = e->fd[3] = there[1];
        return true;
    }
    if (pipe2(back, O_CLOEXEC) != 0) {
        complain("no pipe: %s", strerror(errno));
        close(there[0]);
        close(there[1]);
        return false;
    }
    e->fd[0] = there[0];
    e->fd[1] = back[1];
    e->fd[2] = back[0];
    e->fd[3] = there[1];
    return true;
}

static void close_pair(int a, int b)
{
    if (a >= 0) close(a);
    if (b >= 0 && b != a) close(b);
}

int bench_echo(carrier by, const bench_options *o, const bench_cpus *cpus, uint32_t *samples_ns)
{
    struct echo e = { .by = by, .messages = o->messages, .one_cpu = cpus->cpu[1] < 0, .shared = -1,
                      .fd = { -1, -1, -1, -1 } };
    struct line line;
    bench_child child;
    bool rings = by <= CARRIER_RING_SLEEP;
    int code = EXIT_FAILED;
    if (!(rings ? open_rings(&e) : open_descriptors(&e))) return EXIT_FAILED;
    if (bench_fork(&child, cpus->cpu[1], answer, &e)) {
        close_pair(e.fd[0], e.fd[1]);   /* the child's: so that we see the end when it dies */
        e.fd[0] = e.fd[1] = -1;
        if (open_line(&line, &e, false, &child) && bench_hear(child.control)) code = ask(&line, &e, samples_ns);
        close_pair(e.fd[2], e.fd[3]);
        e.fd[2] = e.fd[3] = -1;
        bool answered = bench_join(&child, code == EXIT_OK);
        if (code == EXIT_OK && !answered) code = EXIT_DISAGREE;
        if (code != EXIT_OK)
            complain("%s: %s", bench_carrier_name(by), code == EXIT_DISAGREE ? "a message was changed on the way"
                                                                             : "the other process failed");
    }
    close_pair(e.fd[0], e.fd[1]);
    close_pair(e.fd[2], e.fd[3]);
    if (rings) tern_shm_close(&e.region);
    if (e.shared >= 0) close(e.shared);
    return code;
}
