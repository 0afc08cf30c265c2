/* SPDX-License-Identifier: MIT */
/*
 * process_host.hpp: two processes side by side, watched by a third.
 *
 * The parent, Google Benchmark's process, forks both sides and sleeps until they have ended. It
 * does not exec itself: at that moment it has one thread and has started no peer's library, so a
 * fork alone gives each side a process of its own, which then opens the memory by itself. Fork
 * would also give both the same addresses; a side maps something of another size first, so that
 * they see the shared memory at different ones, as strangers would.
 *
 * A side that fails, dies or hangs ends the run: the parent says which, kills the other and exits.
 * Nothing has a name that could stay behind.
 */
#ifndef TERN_BENCH_PROCESS_HOST_HPP
#define TERN_BENCH_PROCESS_HOST_HPP

#include "host.hpp"

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <new>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

/* The benchmark that runs, for messages; set before anything is forked. */
inline std::string running;

/* Which side this process is. */
constexpr const char *ROLES[] = { "consumer", "producer" };
inline const char *role = "parent";

/* Errors have one way out. What belongs to the parent dies with it by PR_SET_PDEATHSIG. */
[[noreturn]] inline void fail(const char *what, int error = 0)
{
    std::fprintf(stderr, "process_google: %s: %s: %s%s%s\n", running.c_str(), role, what, error ? ": " : "",
                 error ? std::strerror(error) : "");
    _exit(1);
}

inline void *shared_bytes(size_t size)
{
    void *at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (at == MAP_FAILED) fail("mmap", errno);
    return at;
}

/* An object in memory that the children share. */
template <class T>
class shared {
public:
    shared() : at(new (shared_bytes(sizeof(T))) T) {}
    ~shared() { at->~T(), munmap(at, sizeof(T)); }
    shared(const shared &) = delete;
    shared &operator=(const shared &) = delete;
    T *operator->() const { return at; }
    T &operator*() const { return *at; }

private:
    T *at;
};

/* ---- What a repetition gives ------------------------------------------------------- */

/* Rates in items a second, times in nanoseconds. The sides fill it in, in shared memory. */
struct outcome {
    double rate = 0;
    double p50 = 0, p99 = 0, p999 = 0, max = 0;   /* of a round trip, in nanoseconds; 0: none */
    double producer_share = 1, consumer_share = 1;
    uint64_t items = 0;
};

/* Both sides pass together. The napping form leaves the processor to a library's own thread. */
class meeting {
public:
    void pass()
    {
        arrived.fetch_add(1, std::memory_order_acq_rel);
        while (arrived.load(std::memory_order_acquire) < 2) relax();
    }
    void pass_napping()
    {
        arrived.fetch_add(1, std::memory_order_acq_rel);
        while (arrived.load(std::memory_order_acquire) < 2) usleep(200);
    }

private:
    std::atomic<int> arrived{0};
};

struct board {
    alignas(128) meeting start;
    alignas(128) meeting end;
    alignas(128) outcome result;
};

/* ---- The share of the processor ------------------------------------------------------ */

/*
 * What a side got of the processor that it wanted.
 *
 * Who spins wants all of it: the share is time on the processor by time. Who sleeps wants it
 * only now and then: there the time counts that the kernel made its thread wait for a processor,
 * less the time that other threads of the same process had (a library's own thread, pinned to the
 * same processor), and less what a wake takes by itself each time.
 */
class wanted_share {
public:
    wanted_share(bool wants_all, bool alone)
        : spins(wants_all), whole(alone ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_THREAD_CPUTIME_ID) {}

    void start()
    {
        wall_s = now_s();
        whole_s = seconds_of(whole);
        thread_s = seconds_of(CLOCK_THREAD_CPUTIME_ID);
        before = queue_so_far();
    }
    double stop() const
    {
        double wall = now_s() - wall_s, had = seconds_of(whole) - whole_s;
        if (spins) return wall > 0 ? std::min(1.0, had / wall) : 1;
        double others = had - (seconds_of(CLOCK_THREAD_CPUTIME_ID) - thread_s);
        run_queue now = queue_so_far();
        double wakes = (now.runs - before.runs) * WAKE_S;
        double waited = std::max(0.0, now.waited_s - before.waited_s - others - wakes);
        return had > 0 ? had / (had + waited) : 1;
    }

private:
    static constexpr double WAKE_S = 10e-6;   /* from the run queue to the processor, undisturbed */

    /* This thread's time in the run queue and how often it ran; 0 where the kernel does not count. */
    struct run_queue {
        double waited_s = 0, runs = 0;
    };
    static run_queue queue_so_far()
    {
        std::ifstream file("/proc/thread-self/schedstat");
        double ran_ns = 0, waited_ns = 0, runs = 0;
        file >> ran_ns >> waited_ns >> runs;
        return file ? run_queue{ waited_ns * 1e-9, runs } : run_queue{};
    }

    bool spins;
    clockid_t whole;
    double wall_s = 0, whole_s = 0, thread_s = 0;
    run_queue before;
};

/* ---- Two processes --------------------------------------------------------------------- */

/* How a side's process ends: at once, or by exit() where a library must sign off at a daemon. */
enum class ending { at_once, by_exit };

class process_pair {
public:
    explicit process_pair(double most_s) : limit_s(most_s)
    {
        sigemptyset(&awaited);
        for (int s : { SIGCHLD, SIGINT, SIGTERM, SIGHUP }) sigaddset(&awaited, s);
        sigprocmask(SIG_BLOCK, &awaited, &mask_before);
    }
    ~process_pair() { sigprocmask(SIG_SETMASK, &mask_before, nullptr); }
    process_pair(const process_pair &) = delete;
    process_pair &operator=(const process_pair &) = delete;

    template <class Producer, class Consumer>
    void run(const cpus &where, ending how, Producer &&produce, Consumer &&consume)
    {
        std::fflush(nullptr);
        for (int i = 0; i < 2; i++)
            sides[i] = i == 0 ? start(i, where.consumer, how, consume) : start(i, where.producer, how, produce);
        wait();
    }

private:
    template <class Work>
    pid_t start(int number, int cpu, ending how, Work &work)
    {
        pid_t parent = getpid();
        pid_t pid = fork();
        if (pid < 0) fail("fork", errno);
        if (pid > 0) return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(1);
        role = ROLES[number];
        sigprocmask(SIG_SETMASK, &mask_before, nullptr);
        pin(cpu);
        /* shuffle_pages() makes large blocks come fresh from the system, which is for our own memory;
         * a library that allocates and frees gets what malloc settles to by itself */
        mallopt(M_MMAP_THRESHOLD, 32 << 20);
        mallopt(M_TRIM_THRESHOLD, 64 << 20);
        size_t first_bytes = static_cast<size_t>(1 + 6 * number) << 21;
        void *first = mmap(nullptr, first_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (first == MAP_FAILED) fail("mmap", errno);
        try {
            work();
        } catch (const std::exception &e) {
            fail(e.what());
        }
        if (how == ending::by_exit) std::exit(0);
        _exit(0);
    }

    /* Sleep until both have ended well; anything else ends the run. */
    void wait()
    {
        double until_s = now_s() + limit_s;
        for (;;) {
            for (int i = 0; i < 2; i++) {
                int status = 0;
                if (sides[i] == 0 || waitpid(sides[i], &status, WNOHANG) != sides[i]) continue;
                sides[i] = 0;
                if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
                give_up(std::string("the ") + ROLES[i] + (WIFSIGNALED(status)
                    ? std::string(" was killed: ") + strsignal(WTERMSIG(status))
                    : " ended with status " + std::to_string(WEXITSTATUS(status))));
            }
            if (sides[0] == 0 && sides[1] == 0) return;
            double left_s = until_s - now_s();
            if (left_s <= 0)
                give_up(sides[0] && sides[1] ? "neither side ends"
                                             : std::string("the ") + ROLES[sides[0] ? 0 : 1] + " does not end");
            struct timespec left = { static_cast<time_t>(left_s),
                                     static_cast<long>((left_s - std::floor(left_s)) * 1e9) };
            int came = sigtimedwait(&awaited, nullptr, &left);
            if (came > 0 && came != SIGCHLD) give_up(strsignal(came));
        }
    }

    [[noreturn]] void give_up(const std::string &what)
    {
        for (pid_t side : sides) {
            if (side == 0) continue;
            kill(side, SIGKILL);
            waitpid(side, nullptr, 0);
        }
        std::fprintf(stderr, "process_google: %s: %s\n", running.c_str(), what.c_str());
        std::exit(1);
    }

    double limit_s;
    sigset_t awaited, mask_before;
    pid_t sides[2] = { 0, 0 };
};

} // namespace bench

#endif
