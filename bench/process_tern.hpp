/* SPDX-License-Identifier: MIT */
/*
 * process_tern.hpp: Tern's ways between two processes, and the same between two threads.
 *
 * Processes share an anonymous region: the parent makes it, each side opens it by its descriptor
 * and then the ring in it by its name. Threads share a ring in memory of their own process. A loop
 * works on a local copy of the view, as ring.h tells its user to do.
 */
#ifndef TERN_BENCH_PROCESS_TERN_HPP
#define TERN_BENCH_PROCESS_TERN_HPP

#include "process_run.hpp"

#include <tern/open.h>
#include <tern/shm.h>

#include <memory>

namespace bench {

constexpr uint32_t RING_CAPACITY = 1024;

/* The flag of the layout with a sequence in each slot; a library without it knows no such size. */
constexpr uint32_t SEQUENCED = 2;

enum class ends { processes, threads };

inline void must(tern_status status, const char *what)
{
    if (status != TERN_OK) fail((std::string(what) + ": " + tern_status_text(status)).c_str());
}

inline bool library_has(uint32_t flags)
{
    tern_ring_desc desc = { 64, RING_CAPACITY, flags };
    return tern_ring_size(&desc) != 0;
}

/* ---- A ring that both sides can open ---------------------------------------------------- */

template <ends Ends>
class ring_memory;

template <>
class ring_memory<ends::processes> {
public:
    explicit ring_memory(const tern_ring_desc &desc)
    {
        size_t size = tern_region_size(nullptr) + tern_region_object_size(tern_ring_size(&desc));
        must(tern_shm_create(&region, nullptr, size, nullptr), "tern_shm_create");
        tern_ring_producer p;
        must(tern_ring_open_producer(&p, &region, "items", &desc), "tern_ring_open_producer");
        tern_ring_detach_producer(&p);
        fd = tern_shm_share(&region);
        if (fd < 0) fail("tern_shm_share", errno);
    }
    ~ring_memory()
    {
        close(fd);
        tern_shm_close(&region);
    }
    ring_memory(const ring_memory &) = delete;
    ring_memory &operator=(const ring_memory &) = delete;

    /* A mapping of one's own. */
    struct opened {
        tern_region region;
        explicit opened(const ring_memory &m)
        {
            must(tern_shm_open_fd(&region, m.fd, nullptr), "tern_shm_open_fd");
        }
        ~opened() { tern_shm_close(&region); }
        opened(const opened &) = delete;
        opened &operator=(const opened &) = delete;

        void open(tern_ring_producer &p) { must(tern_ring_open_producer(&p, &region, "items", nullptr), "open"); }
        void open(tern_ring_consumer &c) { must(tern_ring_open_consumer(&c, &region, "items", nullptr), "open"); }
    };

private:
    tern_region region;
    int fd;   /* for the children */
};

template <>
class ring_memory<ends::threads> {
public:
    explicit ring_memory(const tern_ring_desc &desc) : size((tern_ring_size(&desc) + 127) & ~size_t{127})
    {
        bytes.reset(std::aligned_alloc(128, size));
        if (!bytes) fail("aligned_alloc");
        must(tern_ring_format(bytes.get(), size, &desc), "tern_ring_format");
    }

    struct opened {
        const ring_memory &memory;
        explicit opened(const ring_memory &m) : memory(m) {}
        void open(tern_ring_producer &p)
        {
            must(tern_ring_attach_producer(&p, memory.bytes.get(), memory.size), "attach");
        }
        void open(tern_ring_consumer &c)
        {
            must(tern_ring_attach_consumer(&c, memory.bytes.get(), memory.size), "attach");
        }
    };

private:
    struct free_it { void operator()(void *m) const { std::free(m); } };
    size_t size;
    std::unique_ptr<void, free_it> bytes;
};

/* ---- Items ---------------------------------------------------------------------------------- */

#define PROCESS_RING_OF(size)                                                                                          \
    TERN_RING_DEFINE(ring_##size, item<size>)                                                                          \
    BENCH_INLINE bool ring_push(tern_ring_producer &p, const item<size> &i) { return ring_##size##_push(&p, &i); }     \
    BENCH_INLINE bool ring_pop(tern_ring_consumer &c, item<size> &i) { return ring_##size##_pop(&c, &i); }

PROCESS_RING_OF(8)
PROCESS_RING_OF(64)
PROCESS_RING_OF(1024)

/* Keep trying, or wait as the ring waits: it looks again for a while and then sleeps. */
template <unsigned Pauses, class Try, class Wait>
BENCH_INLINE void until_done(Try &&attempt, Wait &&wait)
{
    if constexpr (Pauses == SLEEPING) {
        while (!attempt())
            if (wait() != TERN_OK) fail("waiting for the ring");
    } else {
        until<Pauses>(attempt);
    }
}

template <ends Ends, unsigned Pauses>
struct tern_way {
    static constexpr bool SPINS = Pauses != SLEEPING, THREADS = Ends == ends::threads;
    static constexpr uint64_t CHUNK = 8192;
    static constexpr ending ENDING = ending::at_once;
};

template <uint32_t Flags, ends Ends, unsigned Pauses>
struct tern_ways {
    template <class View>
    struct opened_end {
        typename ring_memory<Ends>::opened memory;
        View view;
        explicit opened_end(const ring_memory<Ends> &shared) : memory(shared) { memory.open(view); }
    };

    template <class Item>
    struct items : tern_way<Ends, Pauses> {
        ring_memory<Ends> memory{tern_ring_desc{ sizeof(Item), RING_CAPACITY, Flags }};

        struct sending {
            tern_ring_producer view;
            BENCH_INLINE void send(const Item &i)
            {
                until_done<Pauses>([&] { return ring_push(view, i); },
                                   [&] { return tern_ring_producer_wait(&view, TERN_WAIT_FOREVER); });
            }
        };
        struct receiving {
            tern_ring_consumer view;
            BENCH_INLINE void receive(Item &i)
            {
                until_done<Pauses>([&] { return ring_pop(view, i); },
                                   [&] { return tern_ring_consumer_wait(&view, TERN_WAIT_FOREVER); });
            }
        };
        struct sender : opened_end<tern_ring_producer> {
            explicit sender(items &way) : opened_end<tern_ring_producer>(way.memory) {}
            sending local() { return { this->view }; }
        };
        struct receiver : opened_end<tern_ring_consumer> {
            explicit receiver(items &way) : opened_end<tern_ring_consumer>(way.memory) {}
            receiving local() { return { this->view }; }
        };
    };

    /* Frames are written and read in their slots. */
    struct frames : tern_way<Ends, Pauses> {
        ring_memory<Ends> memory{tern_ring_desc{ FRAME_BYTES, FRAMES_UNDER_WAY, Flags }};

        struct sending {
            tern_ring_producer view;
            uint64_t *begin()
            {
                void *slot = nullptr;
                uint32_t got;
                until_done<Pauses>([&] { return (slot = tern_ring_reserve(&view, 1, &got)) != nullptr; },
                                   [&] { return tern_ring_producer_wait(&view, TERN_WAIT_FOREVER); });
                return static_cast<uint64_t *>(slot);
            }
            void end() { tern_ring_commit(&view, 1); }
        };
        struct receiving {
            tern_ring_consumer view;
            const uint64_t *take()
            {
                const void *slot = nullptr;
                uint32_t got;
                until_done<Pauses>([&] { return (slot = tern_ring_peek(&view, 1, &got)) != nullptr; },
                                   [&] { return tern_ring_consumer_wait(&view, TERN_WAIT_FOREVER); });
                return static_cast<const uint64_t *>(slot);
            }
            void give_back() { tern_ring_release(&view, 1); }
        };
        struct sender : opened_end<tern_ring_producer> {
            explicit sender(frames &way) : opened_end<tern_ring_producer>(way.memory) {}
            sending local() { return { this->view }; }
        };
        struct receiver : opened_end<tern_ring_consumer> {
            explicit receiver(frames &way) : opened_end<tern_ring_consumer>(way.memory) {}
            receiving local() { return { this->view }; }
        };
    };
};

} // namespace bench

#endif
