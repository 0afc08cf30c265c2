/* SPDX-License-Identifier: MIT */
/* bench_stream.c: throughput of a byte stream. The child sends from its memory, we sum up every
 * byte where it arrives: in the ring itself, or in the buffer that read(2) fills. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLICE_NS UINT64_C(100000000)

/* ---- Sum ------------------------------------------------------------------------------------- */

/* Four lanes: the compiler makes vectors of them. place[] makes the order of blocks count. */
static void add_blocks(bench_sum *sum, const unsigned char *bytes, size_t blocks)
{
    uint64_t value[4], place[4], word[4];
    memcpy(value, sum->value, sizeof value);
    memcpy(place, sum->place, sizeof place);
    for (size_t i = 0; i < blocks; i++) {
        memcpy(word, bytes + i * sizeof word, sizeof word);
        for (int lane = 0; lane < 4; lane++) {
            value[lane] += word[lane];
            place[lane] += value[lane];
        }
    }
    memcpy(sum->value, value, sizeof value);
    memcpy(sum->place, place, sizeof place);
}

void bench_sum_add(bench_sum *sum, const void *bytes, size_t count)
{
    const unsigned char *from = bytes;
    size_t pending = (size_t)(sum->count % sizeof sum->pending);
    sum->count += count;
    if (pending > 0) {
        size_t missing = sizeof sum->pending - pending, n = count < missing ? count : missing;
        memcpy(sum->pending + pending, from, n);
        if (n < missing) return;
        add_blocks(sum, sum->pending, 1);
        from += n;
        count -= n;
    }
    size_t blocks = count / sizeof sum->pending;
    add_blocks(sum, from, blocks);
    memcpy(sum->pending, from + blocks * sizeof sum->pending, count % sizeof sum->pending);
}

uint64_t bench_sum_end(const bench_sum *sum)
{
    bench_sum last = *sum;
    size_t pending = (size_t)(sum->count % sizeof sum->pending);
    uint64_t mixed = sum->count;
    memset(last.pending + pending, 0, sizeof last.pending - pending);
    add_blocks(&last, last.pending, 1);
    for (int lane = 0; lane < 4; lane++) {
        mixed = (mixed ^ last.value[lane]) * UINT64_C(0x9e3779b97f4a7c15);
        mixed = ((mixed ^ mixed >> 29) ^ last.place[lane]) * UINT64_C(0xbf58476d1ce4e5b9);
        mixed ^= mixed >> 32;
    }
    return mixed;
}

/* ---- Ways across ------------------------------------------------------------------------------- */

struct stream {
    carrier by;
    const bench_source *source;
    size_t chunk_bytes;
    tern_region region;        /* CARRIER_RING; the child opens one of its own */
    int shared;                /* for that */
    int fd[2];                 /* otherwise: to read from, to write to */
};

static bool open_ring(struct stream *s, uint64_t capacity_bytes)
{
    tern_ring_desc desc = { 1, (uint32_t)capacity_bytes, TERN_RING_WAITABLE };
    tern_ring_producer maker = { 0 };
    size_t size = tern_region_size(NULL) + tern_region_object_size(tern_ring_size(&desc));
    tern_status status = tern_shm_create(&s->region, NULL, size, NULL);
    if (status == TERN_OK) status = tern_ring_open_producer(&maker, &s->region, "bytes", &desc);
    tern_ring_detach_producer(&maker);   /* the end is the sender's to take */
    if (status == TERN_OK && (s->shared = tern_shm_share(&s->region)) >= 0) return true;
    complain("no shared memory: %s", status == TERN_OK ? strerror(errno) : tern_status_text(status));
    return false;
}

static bool open_stream(struct stream *s, const bench_options *o)
{
    s->fd[0] = s->fd[1] = -1;
    if (s->by == CARRIER_RING) return open_ring(s, o->capacity_bytes);
    int result = s->by == CARRIER_PIPE ? pipe2(s->fd, O_CLOEXEC) : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s->fd);
    if (result != 0) {
        complain("no %s: %s", bench_carrier_name(s->by), strerror(errno));
        return false;
    }
    /* as much room as an ordinary user may have; what is refused stays at the default */
    int room = 1 << 20;
    if (s->by == CARRIER_PIPE) fcntl(s->fd[1], F_SETPIPE_SZ, room);
    else setsockopt(s->fd[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    return true;
}

static void close_stream(struct stream *s)
{
    if (s->by == CARRIER_RING) tern_shm_close(&s->region);
    if (s->shared >= 0) close(s->shared);
    if (s->fd[0] >= 0) close(s->fd[0]);
    if (s->fd[1] >= 0) close(s->fd[1]);
}

/* ---- Sender: the child -------------------------------------------------------------------------- */

static bool send_pass_by_ring(tern_ring_producer *p, const bench_source *source, size_t chunk_bytes)
{
    for (size_t at = 0; at < source->size_bytes;) {
        size_t left = source->size_bytes - at;
        uint32_t got;
        void *room = tern_ring_reserve(p, (uint32_t)(left < chunk_bytes ? left : chunk_bytes), &got);
        if (room) {
            memcpy(room, source->bytes + at, got);
            tern_ring_commit(p, got);
            at += got;
            continue;
        }
        tern_status status = tern_ring_producer_wait(p, TERN_WAIT_FOREVER);   /* we die with the receiver */
        if (status != TERN_OK) return false;
    }
    return true;
}

static bool send_pass_by_fd(int fd, const bench_source *source, size_t chunk_bytes)
{
    for (size_t at = 0; at < source->size_bytes;) {
        size_t left = source->size_bytes - at, n = left < chunk_bytes ? left : chunk_bytes;
        if (!bench_write_all(fd, source->bytes + at, n)) return false;
        at += n;
    }
    return true;
}

static bool send_stream(void *argument, int control)
{
    struct stream *s = argument;
    tern_ring_producer p;
    bench_sum sum = { 0 };
    /* read it once: pages are mapped before the clock runs */
    bench_sum_add(&sum, s->source->bytes, s->source->size_bytes);
    if (bench_sum_end(&sum) != s->source->sum_once) return false;
    bool ring = s->by == CARRIER_RING;
    if (ring && tern_shm_open_fd(&s->region, s->shared, NULL) != TERN_OK) return false;
    if (ring && tern_ring_open_producer(&p, &s->region, "bytes", NULL) != TERN_OK) return false;
    if (!ring) close(s->fd[0]);
    if (!bench_say(control) || !bench_hear(control)) return false;
    for (uint64_t pass = 0; pass < s->source->passes; pass++) {
        bool sent = ring ? send_pass_by_ring(&p, s->source, s->chunk_bytes)
                         : send_pass_by_fd(s->fd[1], s->source, s->chunk_bytes);
        if (!sent) return false;
    }
    if (ring) tern_ring_close_producer(&p);
    return true;
}

/* ---- Receiver: this process ----------------------------------------------------------------------- */

static bool receive_by_ring(struct stream *s, const bench_child *child, bench_sum *sum)
{
    tern_ring_consumer c;
    if (tern_ring_open_consumer(&c, &s->region, "bytes", NULL) != TERN_OK) return false;
    for (;;) {
        uint32_t got;
        const void *bytes = tern_ring_peek(&c, (uint32_t)s->chunk_bytes, &got);
        if (bytes) {
            bench_sum_add(sum, bytes, got);
            tern_ring_release(&c, got);
            continue;
        }
        tern_status status = tern_ring_consumer_wait(&c, SLICE_NS);
        if (status == TERN_ERR_CLOSED) return true;
        if (status != TERN_OK && (status != TERN_ERR_TIMEOUT || !bench_is_alive(child))) return false;
    }
}

static bool receive_by_fd(struct stream *s, void *buffer, bench_sum *sum)
{
    for (;;) {
        ssize_t n = read(s->fd[0], buffer, s->chunk_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        if (n == 0) return true;
        bench_sum_add(sum, buffer, (size_t)n);
    }
}

static int receive_stream(struct stream *s, bench_child *child, void *buffer, double *seconds)
{
    bench_sum sum = { 0 };
    bool started = bench_hear(child->control);
    uint64_t began_ns = tern_now_ns();
    bool received = started && bench_say(child->control)
        && (s->by == CARRIER_RING ? receive_by_ring(s, child, &sum) : receive_by_fd(s, buffer, &sum));
    *seconds = (double)(tern_now_ns() - began_ns) / 1e9;
    if (!bench_join(child, received) || !received) {
        complain("%s: the sending process failed", bench_carrier_name(s->by));
        return EXIT_FAILED;
    }
    uint64_t expected = s->source->passes * s->source->size_bytes;
    if (sum.count == expected && bench_sum_end(&sum) == s->source->sum_all) return EXIT_OK;
    complain("%s: %llu of %llu bytes, or changed ones, arrived", bench_carrier_name(s->by),
             (unsigned long long)sum.count, (unsigned long long)expected);
    return EXIT_DISAGREE;
}

int bench_stream(carrier by, const bench_source *source, const bench_options *o, const bench_cpus *cpus, double *seconds)
{
    struct stream s = { .by = by, .source = source, .chunk_bytes = (size_t)o->chunk_bytes, .shared = -1 };
    bench_child child;
    int code = EXIT_FAILED;
    void *buffer = by == CARRIER_RING ? NULL : malloc(s.chunk_bytes);
    if (by != CARRIER_RING && !buffer) {
        complain("no memory");
        return EXIT_FAILED;
    }
    if (buffer) memset(buffer, 0, s.chunk_bytes);   /* pages are there before the clock runs */
    if (open_stream(&s, o)) {
        if (bench_fork(&child, cpus->cpu[1], send_stream, &s)) {
            if (s.fd[1] >= 0) close(s.fd[1]);   /* or the end of the stream would never come */
            s.fd[1] = -1;
            code = receive_stream(&s, &child, buffer, seconds);
        }
        close_stream(&s);
    }
    free(buffer);
    return code;
}
