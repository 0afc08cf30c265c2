/* SPDX-License-Identifier: MIT */
/*
 * process_peers.hpp: the kernel's ways between two processes, boost::interprocess and ZeroMQ.
 *
 * Each has two forms: one that blocks in the call and one that tries again at once. Names are
 * taken back as soon as both sides have what they stood for, or stand for nothing in a file
 * system, so that a run that is killed leaves nothing.
 */
#ifndef TERN_BENCH_PROCESS_PEERS_HPP
#define TERN_BENCH_PROCESS_PEERS_HPP

#include "process_run.hpp"

#include <fcntl.h>
#include <memory>
#include <mqueue.h>
#include <sys/socket.h>

#if defined(PROCESS_HAVE_BOOST)
#  include <boost/interprocess/ipc/message_queue.hpp>
#endif
#if defined(PROCESS_HAVE_ZMQ)
#  include <zmq.h>
#endif

namespace bench {

/* None is taken for one that wants all of a processor: even the form that does not block may sleep
 * for a lock in the kernel or in the queue. */
template <unsigned Pauses>
struct peer {
    static constexpr bool SPINS = false, THREADS = false;
    static constexpr uint64_t CHUNK = 512;
    static constexpr ending ENDING = ending::at_once;
};

/* A name that no other run has, for what must have one for a moment. */
inline std::string fresh_name(const char *prefix)
{
    static unsigned count = 0;
    return std::string(prefix) + "tern-bench-" + std::to_string(getpid()) + "-" + std::to_string(count++);
}

/* Frames of who copies: filled in a buffer, sent like any item, checked in a buffer. */
template <template <class> class WayOf>
struct copied_frames : WayOf<item<FRAME_BYTES>> {
    using big = item<FRAME_BYTES>;
    using way = WayOf<big>;

    struct sender : way::sender {
        std::unique_ptr<big> frame{new big};
        using way::sender::sender;
        sender &local() { return *this; }
        uint64_t *begin() { return frame->word; }
        void end() { this->send(*frame); }
    };
    struct receiver : way::receiver {
        std::unique_ptr<big> frame{new big};
        using way::receiver::receiver;
        receiver &local() { return *this; }
        const uint64_t *take()
        {
            this->receive(*frame);
            return frame->word;
        }
        void give_back() {}
    };
};

/* ---- Pipe and stream socket: bytes ----------------------------------------------------------- */

struct pipe_fds {
    int fd[2];
    explicit pipe_fds(size_t item_bytes, bool nonblocking)
    {
        if (pipe2(fd, O_CLOEXEC | (nonblocking ? O_NONBLOCK : 0)) != 0) fail("pipe2", errno);
        /* a frame should fit whole; items go fastest through the default of 64 KiB */
        if (item_bytes > 65536) fcntl(fd[1], F_SETPIPE_SZ, static_cast<int>(item_bytes));
    }
};

template <int Type>
struct socket_fds {
    int fd[2];
    explicit socket_fds(size_t item_bytes, bool nonblocking)
    {
        if (socketpair(AF_UNIX, Type | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0, fd) != 0)
            fail("socketpair", errno);
        int size = static_cast<int>(4 * item_bytes);
        if (item_bytes > 65536) setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
};

/* read() or write() of some bytes, tried until there are any. */
template <unsigned Pauses, class Call>
BENCH_INLINE size_t some_bytes(Call &&call, const char *what)
{
    ssize_t n;
    until<Pauses>([&] {
        n = call();
        if (n > 0) return true;
        if (n == 0) fail("the other side is gone");
        if (errno != EAGAIN && errno != EINTR) fail(what, errno);
        return false;
    });
    return static_cast<size_t>(n);
}

/* The receiver reads all that is there, up to 64 KiB, and hands it out item by item. */
template <class Fds, unsigned Pauses>
struct byte_ways {
    template <class Item>
    struct items : peer<Pauses> {
        Fds fds{sizeof(Item), Pauses != SLEEPING};
        ~items() { close(fds.fd[0]), close(fds.fd[1]); }

        struct sender {
            int fd;
            explicit sender(items &way) : fd(way.fds.fd[1]) {}
            sender &local() { return *this; }
            void send(const Item &i)
            {
                const char *at = reinterpret_cast<const char *>(&i);
                for (size_t left = sizeof i; left != 0;) {
                    size_t n = some_bytes<Pauses>([&] { return write(fd, at, left); }, "write");
                    at += n, left -= n;
                }
            }
        };
        struct receiver {
            static constexpr size_t ROOM = std::max<size_t>(65536, sizeof(Item));
            int fd;
            std::vector<char> buffer = std::vector<char>(ROOM);
            size_t first = 0, end = 0;

            explicit receiver(items &way) : fd(way.fds.fd[0]) {}
            receiver &local() { return *this; }
            void receive(Item &i)
            {
                if constexpr (sizeof(Item) >= 65536) {
                    char *at = reinterpret_cast<char *>(&i);
                    for (size_t left = sizeof i; left != 0;) {
                        size_t n = some_bytes<Pauses>([&] { return read(fd, at, left); }, "read");
                        at += n, left -= n;
                    }
                } else {
                    while (end - first < sizeof i) {
                        std::memmove(buffer.data(), buffer.data() + first, end - first);
                        end -= first, first = 0;
                        end += some_bytes<Pauses>([&] { return read(fd, buffer.data() + end, ROOM - end); }, "read");
                    }
                    std::memcpy(&i, buffer.data() + first, sizeof i);
                    first += sizeof i;
                }
            }
        };
    };
};

template <unsigned Pauses> using pipe_ways = byte_ways<pipe_fds, Pauses>;
template <unsigned Pauses> using stream_ways = byte_ways<socket_fds<SOCK_STREAM>, Pauses>;

/* ---- Seqpacket socket: messages ------------------------------------------------------------------ */

template <unsigned Pauses>
struct seqpacket_ways {
    template <class Item>
    struct items : peer<Pauses> {
        socket_fds<SOCK_SEQPACKET> fds{sizeof(Item), Pauses != SLEEPING};
        ~items() { close(fds.fd[0]), close(fds.fd[1]); }

        struct sender {
            int fd;
            explicit sender(items &way) : fd(way.fds.fd[1]) {}
            sender &local() { return *this; }
            void send(const Item &i)
            {
                some_bytes<Pauses>([&] { return ::send(fd, &i, sizeof i, MSG_NOSIGNAL); }, "send");
            }
        };
        struct receiver {
            int fd;
            explicit receiver(items &way) : fd(way.fds.fd[0]) {}
            receiver &local() { return *this; }
            void receive(Item &i)
            {
                size_t n = some_bytes<Pauses>([&] { return recv(fd, &i, sizeof i, 0); }, "recv");
                if (n != sizeof i) fail("short message");
            }
        };
    };
};

/* ---- POSIX message queue ---------------------------------------------------------------------------- */

/* As deep as the system lets it be, up to 1,024: /proc/sys/fs/mqueue/msg_max is 10 by default, a
 * privileged process may have more, and RLIMIT_MSGQUEUE bounds the bytes. */
inline mqd_t open_posix_queue(size_t item_bytes, bool nonblocking, long &depth)
{
    std::string name = fresh_name("/");
    mqd_t queue = -1;
    for (long most : { 1024, 512, 256, 128, 10, 4 }) {
        struct mq_attr attributes = {};
        attributes.mq_maxmsg = depth = most;
        attributes.mq_msgsize = static_cast<long>(item_bytes);
        queue = mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | (nonblocking ? O_NONBLOCK : 0), 0600, &attributes);
        if (queue != -1) break;
    }
    if (queue == -1) fail("mq_open", errno);
    mq_unlink(name.c_str());
    return queue;
}

/* For the report: how deep the queues of this run are. */
inline std::string posix_depth(size_t item_bytes)
{
    long depth;
    mq_close(open_posix_queue(item_bytes, false, depth));
    return std::to_string(depth);
}

template <unsigned Pauses>
struct posix_ways {
    template <class Item>
    struct items : peer<Pauses> {
        long depth;
        mqd_t queue = open_posix_queue(sizeof(Item), Pauses != SLEEPING, depth);
        ~items() { mq_close(queue); }

        struct sender {
            mqd_t queue;
            explicit sender(items &way) : queue(way.queue) {}
            sender &local() { return *this; }
            void send(const Item &i)
            {
                until<Pauses>([&] {
                    if (mq_send(queue, reinterpret_cast<const char *>(&i), sizeof i, 0) == 0) return true;
                    if (errno != EAGAIN && errno != EINTR) fail("mq_send", errno);
                    return false;
                });
            }
        };
        struct receiver {
            mqd_t queue;
            explicit receiver(items &way) : queue(way.queue) {}
            receiver &local() { return *this; }
            void receive(Item &i)
            {
                until<Pauses>([&] {
                    if (mq_receive(queue, reinterpret_cast<char *>(&i), sizeof i, nullptr) == sizeof i) return true;
                    if (errno != EAGAIN && errno != EINTR) fail("mq_receive", errno);
                    return false;
                });
            }
        };
    };
};

/* ---- boost::interprocess::message_queue -------------------------------------------------------------- */

#if defined(PROCESS_HAVE_BOOST)
template <unsigned Pauses>
struct boost_ways {
    template <class Item>
    struct items : peer<Pauses> {
        using queue_type = boost::interprocess::message_queue;
        std::string name = fresh_name("");
        queue_type queue{boost::interprocess::create_only, name.c_str(),
                         sizeof(Item) == FRAME_BYTES ? FRAMES_UNDER_WAY : 1024, sizeof(Item)};
        items() { queue_type::remove(name.c_str()); }

        struct sender {
            queue_type &queue;
            explicit sender(items &way) : queue(way.queue) {}
            sender &local() { return *this; }
            void send(const Item &i)
            {
                if constexpr (Pauses != SLEEPING) until<Pauses>([&] { return queue.try_send(&i, sizeof i, 0); });
                else queue.send(&i, sizeof i, 0);
            }
        };
        struct receiver {
            queue_type &queue;
            explicit receiver(items &way) : queue(way.queue) {}
            receiver &local() { return *this; }
            void receive(Item &i)
            {
                queue_type::size_type size = 0;
                unsigned priority;
                if constexpr (Pauses != SLEEPING)
                    until<Pauses>([&] { return queue.try_receive(&i, sizeof i, size, priority); });
                else queue.receive(&i, sizeof i, size, priority);
                if (size != sizeof i) fail("short message");
            }
        };
    };
};
#endif

/* ---- ZeroMQ over ipc ------------------------------------------------------------------------------------ */

#if defined(PROCESS_HAVE_ZMQ)
/* PUSH and PULL, or PAIR. Each end has a context of its own, made in its own process, and so an
 * I/O thread, which shares the processor of its end: letting it move was no faster. Who tries again
 * therefore yields to it. The address is in the abstract namespace: no file. */
template <unsigned Pauses, int SendType, int ReceiveType>
struct zmq_ways {
    static constexpr int FLAGS = Pauses != SLEEPING ? ZMQ_DONTWAIT : 0;

    struct end_of {
        void *context = zmq_ctx_new();
        void *socket;
        end_of(const std::string &address, int type, bool binds, int depth) : socket(zmq_socket(context, type))
        {
            if (!socket) fail("zmq_socket", errno);
            zmq_setsockopt(socket, ZMQ_SNDHWM, &depth, sizeof depth);
            zmq_setsockopt(socket, ZMQ_RCVHWM, &depth, sizeof depth);
            int broken = binds ? zmq_bind(socket, address.c_str()) : zmq_connect(socket, address.c_str());
            if (broken) fail(zmq_strerror(errno));
        }
        ~end_of() { zmq_close(socket), zmq_ctx_term(context); }
        end_of(const end_of &) = delete;
        end_of &operator=(const end_of &) = delete;

        static bool again(const char *what)
        {
            if (errno != EAGAIN && errno != EINTR) fail(what, errno);
            return false;
        }
    };

    template <class Item>
    struct items : peer<Pauses> {
        std::string address = fresh_name("ipc://@");

        struct sender : end_of {
            explicit sender(items &way) : end_of(way.address, SendType, false, 1000) {}
            sender &local() { return *this; }
            void send(const Item &i)
            {
                until<Pauses>([&] {
                    return zmq_send(this->socket, &i, sizeof i, FLAGS) == sizeof i || this->again("zmq_send");
                });
            }
        };
        struct receiver : end_of {
            explicit receiver(items &way) : end_of(way.address, ReceiveType, true, 1000) {}
            receiver &local() { return *this; }
            void receive(Item &i)
            {
                until<Pauses>([&] {
                    return zmq_recv(this->socket, &i, sizeof i, FLAGS) == sizeof i || this->again("zmq_recv");
                });
            }
        };
    };

    /* In the library's own messages: written and read without a copy of ours. */
    struct frames : peer<Pauses> {
        std::string address = fresh_name("ipc://@");

        struct sender : end_of {
            zmq_msg_t message;
            explicit sender(frames &way) : end_of(way.address, SendType, false, FRAMES_UNDER_WAY) {}
            sender &local() { return *this; }
            uint64_t *begin()
            {
                if (zmq_msg_init_size(&message, FRAME_BYTES) != 0) fail("zmq_msg_init_size", errno);
                return static_cast<uint64_t *>(zmq_msg_data(&message));
            }
            void end()
            {
                until<Pauses>([&] {
                    return zmq_msg_send(&message, this->socket, FLAGS) != -1 || this->again("zmq_msg_send");
                });
            }
        };
        struct receiver : end_of {
            zmq_msg_t message;
            explicit receiver(frames &way) : end_of(way.address, ReceiveType, true, FRAMES_UNDER_WAY)
            {
                zmq_msg_init(&message);
            }
            receiver &local() { return *this; }
            const uint64_t *take()
            {
                until<Pauses>([&] {
                    return zmq_msg_recv(&message, this->socket, FLAGS) != -1 || this->again("zmq_msg_recv");
                });
                if (zmq_msg_size(&message) != FRAME_BYTES) fail("short message");
                return static_cast<const uint64_t *>(zmq_msg_data(&message));
            }
            void give_back()
            {
                zmq_msg_close(&message);
                zmq_msg_init(&message);
            }
        };
    };
};
#endif

} // namespace bench

#endif
