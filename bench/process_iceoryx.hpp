/* SPDX-License-Identifier: MIT */
/*
 * process_iceoryx.hpp: iceoryx, through its C binding, and the daemon that it needs.
 *
 * RouDi is started before the first benchmark that needs it and stopped at the end. Between it and
 * us stands a guard, a process that waits until we close a pipe or die, so that RouDi is stopped in
 * either case. A RouDi one of whose clients was killed may wait for that client's lock for ever, or
 * fail as it ends: the guard then kills it and removes what it leaves. Its configuration is a memfd.
 * Its management segment takes 63 MiB of /dev/shm whatever is configured; where that is not free,
 * iceoryx is left out.
 *
 * Nothing is lost: the publisher waits for the subscriber (WAIT_FOR_CONSUMER, BLOCK_PRODUCER), whose
 * queue is as long as the library allows, 256. Spinning takes until there is something; sleeping
 * waits in a WaitSet when there is nothing.
 */
#ifndef TERN_BENCH_PROCESS_ICEORYX_HPP
#define TERN_BENCH_PROCESS_ICEORYX_HPP

#include "process_peers.hpp"

#include <grp.h>
#include <poll.h>
#include <sys/statvfs.h>

extern "C" {
#include <iceoryx_binding_c/log.h>
#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>
#include <iceoryx_binding_c/wait_set.h>
}

namespace bench {

/* ---- The daemon ----------------------------------------------------------------------------- */

/* The runtime has a socket and a lock of this name in /tmp. */
inline std::string runtime_name(const char *role_name) { return std::string("tern-bench-") + role_name; }

class roudi {
public:
    static constexpr double SHM_BYTES = 96e6;   /* 66 MB of its own, 10 MB of chunks, and room for others */

    ~roudi() { stop(); }

    /* Why iceoryx cannot take part; empty: it can. */
    static std::string obstacle()
    {
        bool found = false;
        const char *path = std::getenv("PATH");
        std::string rest = path ? path : "";
        for (size_t at = 0; !found && at <= rest.size();) {
            size_t colon = std::min(rest.find(':', at), rest.size());
            found = access((rest.substr(at, colon - at) + "/iox-roudi").c_str(), X_OK) == 0;
            at = colon + 1;
        }
        if (!found) return "there is no iox-roudi";
        struct statvfs shm;
        if (statvfs("/dev/shm", &shm) != 0) return "there is no /dev/shm";
        double free_bytes = static_cast<double>(shm.f_bavail) * static_cast<double>(shm.f_frsize);
        if (free_bytes < SHM_BYTES) return "its daemon needs 96 MB in /dev/shm";
        return "";
    }

    /* Start it, once; an empty answer means that it is ready. */
    const std::string &ready()
    {
        if (!tried) trouble = start();
        tried = true;
        return trouble;
    }

private:
    std::string start()
    {
        std::string missing = obstacle();
        if (!missing.empty()) return missing;
        int says[2], alive[2];
        if (pipe2(says, O_CLOEXEC) != 0 || pipe2(alive, O_CLOEXEC) != 0) fail("pipe2", errno);
        std::fflush(nullptr);
        owner = getpid();
        guard = fork();
        if (guard < 0) fail("fork", errno);
        if (guard == 0) {
            setsid();   /* a Ctrl-C is for our parent */
            close(alive[1]);
            keep_guard(alive[0], says[1]);
        }
        close(says[1]);
        close(alive[0]);
        we_live = alive[1];
        output = says[0];
        return wait_until_ready();
    }

    [[noreturn]] static void keep_guard(int parent_lives, int says)
    {
        int config = config_file();
        pid_t daemon = fork();
        if (daemon < 0) fail("fork", errno);
        if (daemon == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            dup2(says, 1);
            dup2(says, 2);
            int kept = dup(config);   /* without close-on-exec */
            std::string file = "/proc/self/fd/" + std::to_string(kept);
            execlp("iox-roudi", "iox-roudi", "-c", file.c_str(), "-l", "error", "-m", "off", "-k", "1", nullptr);
            _exit(127);
        }
        close(says);
        bool ours = false;   /* a byte tells that it was ready: what it leaves is not another RouDi's */
        for (char byte; read(parent_lives, &byte, 1) == 1;) ours = true;
        kill(daemon, SIGTERM);
        bool ended = false;
        for (int i = 0; i < 300 && !ended; i++) {
            ended = waitpid(daemon, nullptr, WNOHANG) == daemon;
            if (!ended) usleep(10000);
        }
        if (!ended) {
            kill(daemon, SIGKILL);
            waitpid(daemon, nullptr, 0);
        }
        if (ours) remove_left_overs();
        _exit(0);
    }

    /* What it leaves when it fails or is killed: its segments, the second of which has the name of
     * the group, its socket and its locks; and those of a runtime that was killed. */
    static void remove_left_overs()
    {
        shm_unlink("/iceoryx_mgmt");
        if (struct group *own = getgrgid(getegid())) shm_unlink((std::string("/") + own->gr_name).c_str());
        for (const char *file : { "/tmp/roudi", "/tmp/roudi.lock", "/tmp/iox-unique-roudi.lock" }) unlink(file);
        for (const char *side : ROLES)
            for (const char *suffix : { "", ".lock" }) unlink(("/tmp/" + runtime_name(side) + suffix).c_str());
    }

    static int config_file()
    {
        static const char text[] =
            "[general]\nversion = 1\n[[segment]]\n"
            "[[segment.mempool]]\nsize = 192\ncount = 600\n"
            "[[segment.mempool]]\nsize = 1152\ncount = 600\n"
            "[[segment.mempool]]\nsize = 1048704\ncount = 8\n";
        int fd = memfd_create("roudi.toml", MFD_CLOEXEC);
        if (fd == -1 || write(fd, text, sizeof text - 1) != sizeof text - 1) fail("memfd_create", errno);
        return fd;
    }

    std::string wait_until_ready()
    {
        std::string said;
        double until_s = now_s() + 15;
        while (now_s() < until_s) {
            struct pollfd readable = { output, POLLIN, 0 };
            if (poll(&readable, 1, 100) <= 0) continue;
            char text[4096];
            ssize_t n = read(output, text, sizeof text);
            if (n <= 0) break;
            said.append(text, static_cast<size_t>(n));
            if (said.find("ready for clients") == std::string::npos) continue;
            if (write(we_live, "", 1) != 1) fail("the guard of iox-roudi is gone", errno);
            return "";
        }
        stop();
        return "iox-roudi did not start: " + said;
    }

    void stop()
    {
        if (guard <= 0 || owner != getpid()) return;
        close(we_live);
        waitpid(guard, nullptr, 0);
        close(output);
        guard = 0;
    }

    bool tried = false;
    std::string trouble;
    pid_t guard = 0, owner = 0;
    int we_live = -1, output = -1;   /* both kept open: one tells that we live, the other is written to */
};

inline roudi the_roudi;

/* ---- The ends --------------------------------------------------------------------------------- */

/* The runtime of this process, made by the first end. */
inline void join_iceoryx()
{
    static const bool joined = [] {
        iox_set_loglevel(Iceoryx_LogLevel_Off);
        iox_runtime_init(runtime_name(role).c_str());
        return true;
    }();
    (void)joined;
}

inline void nap() { usleep(500); }

struct iceoryx_publisher {
    iox_pub_storage_t storage;
    iox_pub_t publisher;

    explicit iceoryx_publisher(const std::string &event)
    {
        join_iceoryx();
        iox_pub_options_t options;
        iox_pub_options_init(&options);
        options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_WAIT_FOR_CONSUMER;
        publisher = iox_pub_init(&storage, "tern", "bench", event.c_str(), &options);
        while (!iox_pub_has_subscribers(publisher)) nap();
    }
    ~iceoryx_publisher() { iox_pub_deinit(publisher); }
    iceoryx_publisher(const iceoryx_publisher &) = delete;
    iceoryx_publisher &operator=(const iceoryx_publisher &) = delete;

    /* A chunk begins a line, as its user would want it. With all chunks under way, try again. */
    BENCH_INLINE void *loan(uint32_t size)
    {
        void *chunk = nullptr;
        until<1>([&] {
            auto result = iox_pub_loan_aligned_chunk(publisher, &chunk, size, size < 64 ? 8 : 64);
            if (result == AllocationResult_SUCCESS) return true;
            if (result != AllocationResult_RUNNING_OUT_OF_CHUNKS) fail("iox_pub_loan_aligned_chunk");
            return false;
        });
        return chunk;
    }
};

template <unsigned Pauses>
struct iceoryx_subscriber {
    iox_sub_storage_t storage;
    iox_sub_t subscriber;
    iox_ws_storage_t wait_storage;
    iox_ws_t wait_set = nullptr;

    iceoryx_subscriber(const std::string &event, uint64_t queue)
    {
        join_iceoryx();
        iox_sub_options_t options;
        iox_sub_options_init(&options);
        options.queueCapacity = queue;
        options.queueFullPolicy = QueueFullPolicy_BLOCK_PRODUCER;
        subscriber = iox_sub_init(&storage, "tern", "bench", event.c_str(), &options);
        while (iox_sub_get_subscription_state(subscriber) != SubscribeState_SUBSCRIBED) nap();
        if (Pauses != SLEEPING) return;
        wait_set = iox_ws_init(&wait_storage);
        if (iox_ws_attach_subscriber_state(wait_set, subscriber, SubscriberState_HAS_DATA, 1, nullptr) !=
            WaitSetResult_SUCCESS)
            fail("iox_ws_attach_subscriber_state");
    }
    ~iceoryx_subscriber()
    {
        if (wait_set) iox_ws_deinit(wait_set);
        iox_sub_deinit(subscriber);
    }
    iceoryx_subscriber(const iceoryx_subscriber &) = delete;
    iceoryx_subscriber &operator=(const iceoryx_subscriber &) = delete;

    BENCH_INLINE const void *take_chunk()
    {
        const void *chunk = nullptr;
        until<Pauses>([&] {
            auto result = iox_sub_take_chunk(subscriber, &chunk);
            if (result == ChunkReceiveResult_SUCCESS) return true;
            if (result != ChunkReceiveResult_NO_CHUNK_AVAILABLE) fail("iox_sub_take_chunk");
            if (Pauses != SLEEPING) return false;
            iox_notification_info_t notification;
            uint64_t missed = 0;
            iox_ws_wait(wait_set, &notification, 1, &missed);
            return false;
        });
        return chunk;
    }
};

template <unsigned Pauses>
struct iceoryx_way : peer<Pauses> {
    static constexpr ending ENDING = ending::by_exit;
};

template <unsigned Pauses>
struct iceoryx_ways {
    template <class Item>
    struct items : iceoryx_way<Pauses> {
        std::string event = fresh_name("");

        struct sender : iceoryx_publisher {
            explicit sender(items &way) : iceoryx_publisher(way.event) {}
            sender &local() { return *this; }
            void send(const Item &i)
            {
                void *chunk = this->loan(sizeof i);
                std::memcpy(chunk, &i, sizeof i);
                iox_pub_publish_chunk(this->publisher, chunk);
            }
        };
        struct receiver : iceoryx_subscriber<Pauses> {
            explicit receiver(items &way) : iceoryx_subscriber<Pauses>(way.event, 256) {}
            receiver &local() { return *this; }
            void receive(Item &i)
            {
                const void *chunk = this->take_chunk();
                std::memcpy(&i, chunk, sizeof i);
                iox_sub_release_chunk(this->subscriber, chunk);
            }
        };
    };

    struct frames : iceoryx_way<Pauses> {
        std::string event = fresh_name("");

        struct sender : iceoryx_publisher {
            uint64_t *chunk = nullptr;
            explicit sender(frames &way) : iceoryx_publisher(way.event) {}
            sender &local() { return *this; }
            uint64_t *begin() { return chunk = static_cast<uint64_t *>(this->loan(FRAME_BYTES)); }
            void end() { iox_pub_publish_chunk(this->publisher, chunk); }
        };
        /* beside the queue: one loaned, one being read, one that the publisher keeps */
        struct receiver : iceoryx_subscriber<Pauses> {
            const void *chunk = nullptr;
            explicit receiver(frames &way) : iceoryx_subscriber<Pauses>(way.event, FRAMES_UNDER_WAY - 3) {}
            receiver &local() { return *this; }
            const uint64_t *take() { return static_cast<const uint64_t *>(chunk = this->take_chunk()); }
            void give_back() { iox_sub_release_chunk(this->subscriber, chunk); }
        };
    };
};

} // namespace bench

#endif
