/* SPDX-License-Identifier: MIT */
/*
 * wait_google.cpp: how long it takes to wake a thread that sleeps, there and back, under Google
 * Benchmark.
 *
 *     wait_google --benchmark_enable_random_interleaving=true --benchmark_repetitions=9
 *
 * Two pinned threads take turns, and nobody spins: whoever has sent goes to sleep until the
 * answer. One iteration is a round trip: two sleeps, two wakes. The counter "sleeps" tells how
 * many sleeps the kernel counted a round trip; much below 2, the figure is not one of sleeping.
 * All contestants can work between processes, in memory that processes share.
 *
 * On two processors most of the time is the kernel's way of waking a processor that idles, which
 * varies by a factor in a virtual machine; with both threads on one processor there is no such
 * wake, and the cost of each contestant's own calls shows. There the kernel puts the woken thread
 * in the waker's place, so that only one of the two sleeps of a round trip is counted as one.
 */
#include "host.hpp"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <linux/futex.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tern/tern.h>

#include <benchmark/benchmark.h>

using namespace bench;

namespace {

[[noreturn]] void broken(const char *what)
{
    std::perror(what);
    std::abort();
}

/* Memory that a child would share, 128 bytes apart. */
void *shared_bytes(size_t size)
{
    void *at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) broken("mmap");
    return at;
}

/* ---- Contestants: one direction each, send() and receive() --------------------------------- */

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

struct tern_bells {
    tern_bell bell;
    void *memory;
    size_t size;

    explicit tern_bells(uint32_t sources = 31)
    {
        tern_bell_desc desc = { sources };
        size = tern_bell_size(&desc);
        memory = shared_bytes(size);
        if (tern_bell_format(memory, size, &desc) != TERN_OK || tern_bell_attach(&bell, memory, size) != TERN_OK)
            broken("bell");
        bell.spin_checks = 0;
    }
    ~tern_bells() { munmap(memory, size); }

    void send() { tern_bell_ring(&bell, 5); }
    void receive()
    {
        if (tern_bell_wait(&bell, TERN_WAIT_FOREVER) != TERN_OK || tern_bell_collect(&bell) == 0) broken("bell");
    }
};

struct tern_large_bells : tern_bells {
    tern_large_bells() : tern_bells(65536) {}

    void receive()
    {
        tern_bell_pass pass;
        uint32_t first, bits;
        if (tern_bell_wait(&bell, TERN_WAIT_FOREVER) != TERN_OK) broken("bell");
        tern_bell_begin(&bell, &pass);
        while (tern_bell_next(&pass, &first, &bits)) benchmark::DoNotOptimize(bits);
    }
};

struct tern_rings {
    tern_ring_producer p;
    tern_ring_consumer c;
    void *memory;
    size_t size;
    uint32_t sent = 0, received = 0;

    tern_rings()
    {
        tern_ring_desc desc = { sizeof(uint32_t), 1, TERN_RING_WAITABLE };
        size = tern_ring_size(&desc);
        memory = shared_bytes(size);
        if (tern_ring_format(memory, size, &desc) != TERN_OK ||
            tern_ring_attach_producer(&p, memory, size) != TERN_OK ||
            tern_ring_attach_consumer(&c, memory, size) != TERN_OK)
            broken("ring");
        p.spin_checks = c.spin_checks = 0;
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

struct tern_triples {
    tern_triple_writer w;
    tern_triple_reader r;
    void *memory;
    size_t size;
    uint64_t sent = 0, received = 0;

    tern_triples()
    {
        tern_triple_desc desc = { sizeof(uint64_t) };
        size = tern_triple_size(&desc);
        memory = shared_bytes(size);
        if (tern_triple_format(memory, size, &desc) != TERN_OK ||
            tern_triple_attach_writer(&w, memory, size) != TERN_OK ||
            tern_triple_attach_reader(&r, memory, size) != TERN_OK)
            broken("triple");
        r.spin_checks = 0;
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

/* ---- The round trip ---------------------------------------------------------------------------- */

double sleeps_so_far()
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return static_cast<double>(usage.ru_nvcsw);
}

template <class Way>
void round_trip(benchmark::State &state, bool one_processor)
{
    cpus where = default_cpus();
    if (one_processor) where.consumer = where.producer;
    else if (where.producer == where.consumer) {
        state.SkipWithError("needs two processors");
        return;
    }
    cpu_set_t before;
    sched_getaffinity(0, sizeof before, &before);
    Way there, back;
    std::atomic<bool> over{false};
    double slept = 0;
    std::thread partner([&] {
        pin(where.consumer);
        double start = sleeps_so_far();
        for (;;) {
            there.receive();
            if (over.load(std::memory_order_relaxed)) break;
            back.send();
        }
        slept = sleeps_so_far() - start;
    });
    pin(where.producer);
    double start = sleeps_so_far();
    for (auto _ : state) {
        there.send();
        back.receive();
    }
    double mine = sleeps_so_far() - start;
    over.store(true, std::memory_order_relaxed);
    there.send();
    partner.join();
    sched_setaffinity(0, sizeof before, &before);
    state.counters["sleeps"] = (mine + slept) / static_cast<double>(state.iterations());
}

template <class Way>
void contestant(const char *name)
{
    for (bool one : { false, true }) {
        std::string group = one ? "wait/round trip on one processor/" : "wait/round trip between processors/";
        benchmark::RegisterBenchmark((group + name).c_str(), round_trip<Way>, one)->UseRealTime();
    }
}

} // namespace

int main(int argc, char **argv)
{
    contestant<bare_futex<0>>("bare futex");
    contestant<tern_bells>("tern bell");
    contestant<tern_large_bells>("tern bell of 65,536");
    contestant<tern_rings>("tern ring of 1");
    contestant<tern_triples>("tern triple");
    contestant<bare_futex<FUTEX_PRIVATE_FLAG>>("bare futex, threads only");
    contestant<semaphores>("semaphore");
    contestant<condition_variables>("condition variable");
    contestant<eventfds>("eventfd");
    contestant<pipes>("pipe");
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
