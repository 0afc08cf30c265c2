/* SPDX-License-Identifier: MIT */
/*
 * wait_ways.hpp: ways to wait for another thread, for wait_google.cpp: one direction each, send()
 * and receive(), in memory that processes can share. What each of the two threads keeps for
 * itself is on cache lines of its own. Those that spin before they sleep look `Spin` times at most.
 */
#ifndef TERN_BENCH_WAIT_WAYS_HPP
#define TERN_BENCH_WAIT_WAYS_HPP

#include "host.hpp"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <linux/futex.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tern/tern.h>

#include <benchmark/benchmark.h>

namespace bench {

[[noreturn]] inline void broken(const char *what)
{
    std::perror(what);
    std::abort();
}

/* Memory that a child would share, 128 bytes apart. */
inline void *shared_bytes(size_t size)
{
    void *at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) broken("mmap");
    return at;
}

/* ---- Bare ------------------------------------------------------------------------------------ */

/* The least that a sleep and a wake can be: a word, FUTEX_WAIT and FUTEX_WAKE. */
template <int Private>
struct bare_futex {
    struct alignas(128) line { std::atomic<uint32_t> word; };
    line *at = static_cast<line *>(shared_bytes(sizeof(line)));
    ~bare_futex() { munmap(at, sizeof(line)); }

    void send()
    {
        at->word.store(1, std::memory_order_release);
        syscall(SYS_futex, &at->word, FUTEX_WAKE | Private, INT_MAX, nullptr, nullptr, 0);
    }
    void receive()
    {
        while (at->word.load(std::memory_order_acquire) == 0)
            syscall(SYS_futex, &at->word, FUTEX_WAIT | Private, 0, nullptr, nullptr, 0);
        at->word.store(0, std::memory_order_relaxed);
    }
};

/* Never sleeps. */
struct bare_polling {
    struct alignas(128) line { std::atomic<uint32_t> word; };
    line *at = static_cast<line *>(shared_bytes(sizeof(line)));
    ~bare_polling() { munmap(at, sizeof(line)); }

    void send() { at->word.store(1, std::memory_order_release); }
    void receive()
    {
        while (at->word.load(std::memory_order_acquire) == 0) relax();
        at->word.store(0, std::memory_order_relaxed);
    }
};

/* Spins as often each time, whatever came of it, and tells the sender whether to wake. */
template <uint32_t Spin>
struct bare_spin_futex {
    enum : uint32_t { EMPTY, FULL, ASLEEP };
    struct alignas(128) line { std::atomic<uint32_t> word; };
    line *at = static_cast<line *>(shared_bytes(sizeof(line)));
    ~bare_spin_futex() { munmap(at, sizeof(line)); }

    void send()
    {
        if (at->word.exchange(FULL, std::memory_order_release) == ASLEEP)
            syscall(SYS_futex, &at->word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    }
    void receive()
    {
        for (uint32_t i = 0; i < Spin && at->word.load(std::memory_order_acquire) != FULL; i++) relax();
        while (at->word.load(std::memory_order_acquire) != FULL) {
            uint32_t empty = EMPTY;
            at->word.compare_exchange_strong(empty, ASLEEP, std::memory_order_relaxed);
            syscall(SYS_futex, &at->word, FUTEX_WAIT, ASLEEP, nullptr, nullptr, 0);
        }
        at->word.store(EMPTY, std::memory_order_relaxed);
    }
};

/* ---- Tern ------------------------------------------------------------------------------------ */

template <uint32_t Spin>
struct tern_bells {
    alignas(128) tern_bell bell;       /* the collector's */
    alignas(128) tern_bell ringer;
    void *memory;
    size_t size;

    explicit tern_bells(uint32_t sources = 31)
    {
        tern_bell_desc desc = { sources };
        size = tern_bell_size(&desc);
        memory = shared_bytes(size);
        if (tern_bell_format(memory, size, &desc) != TERN_OK ||
            tern_bell_attach(&bell, memory, size) != TERN_OK || tern_bell_attach(&ringer, memory, size) != TERN_OK)
            broken("bell");
        bell.spin_checks = Spin;
    }
    ~tern_bells() { munmap(memory, size); }

    void send() { tern_bell_ring(&ringer, 5); }
    void receive()
    {
        if (tern_bell_wait(&bell, TERN_WAIT_FOREVER) != TERN_OK || tern_bell_collect(&bell) == 0) broken("bell");
    }
};

template <uint32_t Spin>
struct tern_large_bells : tern_bells<Spin> {
    tern_large_bells() : tern_bells<Spin>(65536) {}

    void receive()
    {
        tern_bell_pass pass;
        uint32_t first, bits;
        if (tern_bell_wait(&this->bell, TERN_WAIT_FOREVER) != TERN_OK) broken("bell");
        tern_bell_begin(&this->bell, &pass);
        while (tern_bell_next(&pass, &first, &bits)) benchmark::DoNotOptimize(bits);
    }
};

template <uint32_t Spin, uint32_t Flags = 0>
struct tern_rings {
    alignas(128) tern_ring_producer p;
    uint32_t sent = 0;
    alignas(128) tern_ring_consumer c;
    uint32_t received = 0;
    void *memory;
    size_t size;

    tern_rings()
    {
        tern_ring_desc desc = { sizeof(uint32_t), 1, TERN_RING_WAITABLE | Flags };
        size = tern_ring_size(&desc);
        memory = shared_bytes(size);
        if (tern_ring_format(memory, size, &desc) != TERN_OK ||
            tern_ring_attach_producer(&p, memory, size) != TERN_OK ||
            tern_ring_attach_consumer(&c, memory, size) != TERN_OK)
            broken("ring");
        p.spin_checks = c.spin_checks = Spin;
    }
    ~tern_rings() { munmap(memory, size); }

    void send()
    {
        if (tern_ring_push_wait(&p, &sent, TERN_WAIT_FOREVER) != TERN_OK) broken("ring");
        sent++;
    }
    void receive()
    {
        uint32_t number;
        if (tern_ring_pop_wait(&c, &number, TERN_WAIT_FOREVER) != TERN_OK || number != received++) broken("ring");
    }
};

template <uint32_t Spin>
struct tern_triples {
    alignas(128) tern_triple_writer w;
    uint64_t sent = 0;
    alignas(128) tern_triple_reader r;
    uint64_t received = 0;
    void *memory;
    size_t size;

    tern_triples()
    {
        tern_triple_desc desc = { sizeof(uint64_t) };
        size = tern_triple_size(&desc);
        memory = shared_bytes(size);
        if (tern_triple_format(memory, size, &desc) != TERN_OK ||
            tern_triple_attach_writer(&w, memory, size) != TERN_OK ||
            tern_triple_attach_reader(&r, memory, size) != TERN_OK)
            broken("triple");
        r.spin_checks = Spin;
    }
    ~tern_triples() { munmap(memory, size); }

    void send()
    {
        *static_cast<uint64_t *>(tern_triple_back(&w)) = ++sent;
        tern_triple_publish(&w);
    }
    void receive()
    {
        if (tern_triple_wait(&r, TERN_WAIT_FOREVER) != TERN_OK || !tern_triple_update(&r) ||
            *static_cast<const uint64_t *>(tern_triple_front(&r)) != ++received)
            broken("triple");
    }
};

template <uint32_t Spin>
struct tern_streams {
    alignas(128) tern_stream_producer p;
    uint32_t sent = 0;
    alignas(128) tern_stream_consumer c;
    uint32_t received = 0;
    void *memory;
    size_t size;

    tern_streams()
    {
        tern_stream_desc desc = { 1024, TERN_STREAM_WAITABLE };
        size = tern_stream_size(&desc);
        memory = shared_bytes(size);
        if (tern_stream_format(memory, size, &desc) != TERN_OK ||
            tern_stream_attach_producer(&p, memory, size) != TERN_OK ||
            tern_stream_attach_consumer(&c, memory, size) != TERN_OK)
            broken("stream");
        p.spin_checks = c.spin_checks = Spin;
    }
    ~tern_streams() { munmap(memory, size); }

    void send()
    {
        if (tern_stream_send_wait(&p, 1, &sent, sizeof sent, TERN_WAIT_FOREVER) != TERN_OK) broken("stream");
        sent++;
    }
    void receive()
    {
        uint32_t number, length, kind;
        if (tern_stream_receive_wait(&c, &number, sizeof number, &length, &kind, TERN_WAIT_FOREVER) != TERN_OK ||
            length != sizeof number || number != received++)
            broken("stream");
    }
};

/* ---- Others ---------------------------------------------------------------------------------- */

struct semaphores {
    sem_t *at = static_cast<sem_t *>(shared_bytes(sizeof(sem_t)));
    semaphores() { if (sem_init(at, 1, 0) != 0) broken("sem_init"); }
    ~semaphores() { sem_destroy(at), munmap(at, sizeof(sem_t)); }

    void send() { sem_post(at); }
    void receive() { while (sem_wait(at) != 0 && errno == EINTR) {} }
};

struct condition_variables {
    struct state { pthread_mutex_t mutex; pthread_cond_t changed; bool full; };
    state *at = static_cast<state *>(shared_bytes(sizeof(state)));
    condition_variables()
    {
        pthread_mutexattr_t mutex;
        pthread_condattr_t condition;
        pthread_mutexattr_init(&mutex), pthread_condattr_init(&condition);
        pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
        pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
        if (pthread_mutex_init(&at->mutex, &mutex) != 0 || pthread_cond_init(&at->changed, &condition) != 0)
            broken("pthread");
    }
    ~condition_variables() { munmap(at, sizeof(state)); }

    void send()
    {
        pthread_mutex_lock(&at->mutex);
        at->full = true;
        pthread_mutex_unlock(&at->mutex);
        pthread_cond_signal(&at->changed);
    }
    void receive()
    {
        pthread_mutex_lock(&at->mutex);
        while (!at->full) pthread_cond_wait(&at->changed, &at->mutex);
        at->full = false;
        pthread_mutex_unlock(&at->mutex);
    }
};

struct eventfds {
    int fd = eventfd(0, EFD_CLOEXEC);
    ~eventfds() { close(fd); }

    void send()
    {
        uint64_t one = 1;
        if (write(fd, &one, sizeof one) != sizeof one) broken("eventfd");
    }
    void receive()
    {
        uint64_t count;
        if (read(fd, &count, sizeof count) != sizeof count) broken("eventfd");
    }
};

struct pipes {
    int fd[2];
    pipes() { if (pipe(fd) != 0) broken("pipe"); }
    ~pipes() { close(fd[0]), close(fd[1]); }

    void send() { if (write(fd[1], "", 1) != 1) broken("pipe"); }
    void receive()
    {
        char byte;
        if (read(fd[0], &byte, 1) != 1) broken("pipe");
    }
};

} // namespace bench

#endif
