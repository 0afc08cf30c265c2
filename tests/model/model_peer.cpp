// SPDX-License-Identifier: MIT
// model_peer.cpp: the peer table, roles and the directory under the model checker, with peers that die before
// any of their accesses and others that bury them and go on.
#define TERN_PEER_HOLDS 3u
#define TERN__PEER_PINS 2u
#define MODEL_SELF
#include "model_region.hpp"

#include "sites_peer.h"

// What a peer says of itself is its slot's: two who write it at once are a race.
extern "C" void tern__os_self(struct tern_region_peer *peer)
{
    const unsigned char name[16] = { 1 };
    tern_copy_to_shared(peer->pad, name, sizeof name);
}

namespace {

constexpr uint32_t object_bytes = 8, most_objects = 3;

template <uint32_t Peers, uint32_t Seats = Peers> struct peer_memory {
    struct head {
        tern_region_shared shared;
        tern_region_entry directory[most_objects];
        tern_region_peer peers[Seats];
    };
    struct {
        head region;
        unsigned char pad[(TERN_SEPARATION - sizeof(head) % TERN_SEPARATION) % TERN_SEPARATION];
        alignas(8) unsigned char heap[3 * TERN_SEPARATION];
    } bytes;
    model_payload geometry, entries[most_objects], programs[Seats], heap;
    tern_region region[Peers];

    void make(uint32_t attached = Peers)
    {
        model_begin();
        watch_header(geometry, bytes.region.shared);
        for (uint32_t i = 0; i < most_objects; i++) watch_entry(entries[i], &bytes.region.directory[i]);
        for (uint32_t i = 0; i < Seats; i++) model_watch(programs[i], bytes.region.peers[i].pad, 16, 16);
        model_watch(heap, bytes.heap, sizeof bytes.heap, 16);
        model_fill(heap);
        tern_region_desc desc = { 0, most_objects, Seats, 0 };
        RL_ASSERT(tern_region_format(&bytes, sizeof bytes, &desc) == TERN_OK);
        for (uint32_t i = 0; i < attached; i++) RL_ASSERT(attach(i) == TERN_OK);
    }
    /// With a kernel that watches over its peers.
    void attach_to_file(uint32_t i, int fd)
    {
        RL_ASSERT(tern__region_attach(&region[i], &bytes, sizeof bytes, nullptr, fd) == TERN_OK);
    }
    tern_status attach(uint32_t i) { return tern_region_attach(&region[i], &bytes, sizeof bytes, nullptr); }
    /// Take the first entry's producer end, use what it stands for, and leave it to the next.
    tern_status use_role(uint32_t i)
    {
        tern__role role;
        tern_recovery report;
        uint64_t content = i;
        RL_ASSERT(tern__role_prepare(&role, &region[i], 0, TERN__ROLE_PRODUCER) == TERN_OK);
        tern_status status = role.take(&role, &report);
        if (status != TERN_OK) return status;
        tern_copy_to_shared(bytes.heap, &content, sizeof content);
        tern_copy_from_shared(&content, bytes.heap, sizeof content);
        RL_ASSERT(content == i);
        tern__role_release(&role);
        return TERN_OK;
    }
    void await_role(uint32_t i)
    {
        while (use_role(i) == TERN_ERR_BUSY) tern_cpu_relax();
    }
    /// Add a name, or find it; either way its object is there, formatted. True if we made it.
    bool add_or_find(uint32_t i, const char *name, uint64_t content)
    {
        for (;;) {
            tern_object object;
            tern_status status = tern_region_claim(&region[i], name, TERN_TYPE_RING, object_bytes, &object);
            bool made = status == TERN_OK;
            if (made) {
                tern_copy_to_shared(object.memory, &content, sizeof content);
                tern_region_publish(&region[i], &object, TERN_OK);
            } else {
                RL_ASSERT(status == TERN_ERR_EXISTS);
            }
            status = tern_region_find(&region[i], name, TERN_TYPE_RING, &object);
            if (status == TERN_OK) {
                uint64_t seen;
                tern_copy_from_shared(&seen, object.memory, sizeof seen);
                RL_ASSERT(seen == content);
                return made;
            }
            RL_ASSERT(!made && (status == TERN_ERR_NOT_READY || status == TERN_ERR_PEER_DEAD));
            tern_cpu_relax();
        }
    }
    /// When all is quiet: these names and nothing else, each with its own memory, none of it lost.
    void expect_names(uint32_t by, const char *names)
    {
        tern_object object;
        uint64_t cursor = 0;
        uint32_t count = 0, entries_used = 0, most = uint32_t(std::strlen(names));
        while (tern_region_next(&region[by], &cursor, &object)) {
            RL_ASSERT(object.status == TERN_OK && std::strchr(names, object.name[0]));
            count++;
        }
        for (tern_region_entry &entry : bytes.region.directory)
            entries_used += tern_a32_load_relaxed(&entry.maker) != 0;
        RL_ASSERT(count == most && entries_used == most);
        RL_ASSERT(tern_a64_load_relaxed(&bytes.region.shared.heap) >> TERN__HEAP_ENTRY_BITS == most);
        for (uint32_t i = 0; i < most; i++) {
            char name[2] = { names[i], 0 };
            RL_ASSERT(tern_region_find(&region[by], name, 0, &object) == TERN_OK);
            for (uint32_t j = 0; j < i; j++) {
                tern_object other;
                char other_name[2] = { names[j], 0 };
                RL_ASSERT(tern_region_find(&region[by], other_name, 0, &other) == TERN_OK);
                RL_ASSERT(other.offset_bytes != object.offset_bytes);
            }
        }
    }
};

/// Two claim the same role, one after the other has it.
struct same_role : rl::test_suite<same_role, 2> {
    peer_memory<2> memory;
    void before() { memory.make(); }
    void thread(unsigned id) { memory.await_role(id); }
};

/// The holder dies, and who buries it knows that by the kernel; another one may know it by the burier alone.
struct holder_is_killed : rl::test_suite<holder_is_killed, 3> {
    peer_memory<3> memory;
    model_death death;
    static model_death *&the_death()
    {
        static model_death *death;
        return death;
    }
    static bool is_locked(uint64_t byte)
    {
        return byte != TERN__LIFE_BYTES || !the_death()->is_over.load(rl::mo_acquire, $);
    }
    void before()
    {
        memory.make(0);
        for (uint32_t i = 0; i < 3; i++) memory.attach_to_file(i, 3);
        death.prepare(true);
        the_death() = &death;
        model_is_locked() = is_locked;
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            death.in(10, [&] { memory.use_role(0); });
        } else if (id == 1) {
            death.await();
            RL_ASSERT(tern_peer_recover(&memory.region[1], nullptr) == TERN_OK);
        } else {
            memory.await_role(2);
        }
    }
};

/// A peer dies that had an end, or was making a name. Who comes when it is buried knows nothing of it but what
/// the end's word, or the name's, tells.
template <bool Name> struct comes_after_the_burial : rl::test_suite<comes_after_the_burial<Name>, 3> {
    peer_memory<3> memory;
    model_death death;
    stage buried;
    void before()
    {
        memory.make();
        death.prepare(true);
        buried.reset();
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            death.in(Name ? 40 : 10, [&] {
                if (Name) memory.add_or_find(0, "a", 1);
                else memory.use_role(0);
            });
        } else if (id == 1) {
            death.await();
            bury(&memory.region[1], 1);
            buried.reach();
        } else {
            buried.await();
            if (Name) memory.add_or_find(2, "a", 1);
            else RL_ASSERT(memory.use_role(2) == TERN_OK);
        }
    }
};

/// The holder dies; one buries it, two claim its end: as it is dead, or as it is buried.
struct holder_dies : rl::test_suite<holder_dies, 3> {
    peer_memory<3> memory;
    model_death death;
    void before()
    {
        memory.make();
        death.prepare(true);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            death.in(10, [&] { memory.use_role(0); });
        } else if (id == 1) {
            death.await();
            bury(&memory.region[1], 1);
            memory.await_role(1);
        } else {
            memory.await_role(2);
        }
    }
    void after()
    {
        RL_ASSERT(tern_a32_load_relaxed(&memory.bytes.region.directory[0].roles[0]) == 0);
    }
};

/// The burier dies, too.
struct burier_dies : rl::test_suite<burier_dies, 3> {
    peer_memory<3> memory;
    model_death deaths[2];
    void before()
    {
        memory.make();
        deaths[0].prepare(true);
        deaths[1].prepare(false);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            deaths[0].in(10, [&] { memory.use_role(0); });
        } else if (id == 1) {
            deaths[0].await();
            deaths[1].in(40, [&] { bury(&memory.region[1], 1); });
        } else {
            deaths[1].await();
            bury(&memory.region[2], 2);
            bury(&memory.region[2], 1);
            memory.await_role(2);
        }
    }
    void after()
    {
        for (uint32_t i = 0; i < 2; i++)
            RL_ASSERT((tern_a32_load_relaxed(&memory.bytes.region.peers[i].word) & 0xffffu) == TERN__PEER_FREE);
        RL_ASSERT(tern_a32_load_relaxed(&memory.bytes.region.shared.burier) == 0);
    }
};

/// Two take turns in burying; what was done in one turn is there in the next.
struct turns : rl::test_suite<turns, 2> {
    peer_memory<2> memory;
    void before() { memory.make(); }
    void thread(unsigned id)
    {
        uint64_t content = id;
        while (!recover_take_turn(&memory.region[id])) tern_cpu_relax();
        tern_copy_to_shared(memory.bytes.heap, &content, sizeof content);
        recover_end_turn(&memory.region[id]);
    }
};

/// One seat, two who take it one after the other, and leave it.
struct one_seat : rl::test_suite<one_seat, 2> {
    peer_memory<2, 1> memory;
    void before() { memory.make(0); }
    void thread(unsigned id)
    {
        while (memory.attach(id) != TERN_OK) tern_cpu_relax();
        tern_region_detach(&memory.region[id]);
    }
    void after()
    {
        RL_ASSERT(tern_a32_load_relaxed(&memory.bytes.region.peers[0].word) == (2u << 16 | TERN__PEER_FREE));
    }
};

/// A peer dies while it attaches or leaves; it is buried, and another one takes its seat.
struct seat_of_the_dead : rl::test_suite<seat_of_the_dead, 3> {
    peer_memory<3, 2> memory;
    model_death death;
    void before()
    {
        memory.make(0);
        RL_ASSERT(memory.attach(1) == TERN_OK);
        death.prepare(true);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            death.in(24, [&] {
                if (memory.attach(0) == TERN_OK) tern_region_detach(&memory.region[0]);
            });
        } else if (id == 1) {
            death.await();
            // by name of its incarnation, or somebody else may have the seat
            uint32_t word = tern_a32_load_relaxed(&memory.bytes.region.peers[1].word);
            if (word >> 16 == 1) bury(&memory.region[1], 2);
        } else {
            death.await();
            while (memory.attach(2) != TERN_OK) tern_cpu_relax();
            RL_ASSERT(memory.region[2].peer == 2);
        }
    }
};

/// A maker dies before any of its accesses, beside two who add the same name and another one.
template <bool Bury> struct maker_dies : rl::test_suite<maker_dies<Bury>, 3> {
    peer_memory<3> memory;
    model_death death;
    void before()
    {
        memory.make();
        death.prepare(true);
    }
    void thread(unsigned id)
    {
        if (id == 0) {
            death.in(40, [&] { memory.add_or_find(0, "a", 1); });
        } else if (id == 1) {
            if (Bury) death.await();
            if (Bury) bury(&memory.region[1], 1);
            memory.add_or_find(1, Bury ? "a" : "c", Bury ? 1 : 3);
            if (!Bury) death.await();
            if (!Bury) bury(&memory.region[1], 1);
        } else {
            memory.add_or_find(2, Bury ? "a" : "b", Bury ? 1 : 2);
            memory.add_or_find(2, "b", 2);
        }
    }
    void after()
    {
        memory.add_or_find(1, "a", 1);
        memory.expect_names(1, Bury ? "ab" : "abc");
    }
};

/// A maker has finished and leaves, beside one who looks for the name: it is not made a second time.
struct maker_leaves : rl::test_suite<maker_leaves, 2> {
    peer_memory<2> memory;
    bool made[2];
    void before() { memory.make(); }
    void thread(unsigned id)
    {
        made[id] = memory.add_or_find(id, "a", 1);
        if (id == 0) tern_region_detach(&memory.region[0]);
    }
    void after()
    {
        RL_ASSERT(made[0] != made[1]);
        memory.expect_names(1, "a");
    }
};

/// A burier rings the bells of the region, looks at entries that are about to get their names.
struct looks_at_entries : rl::test_suite<looks_at_entries, 2> {
    peer_memory<2> memory;
    void before() { memory.make(); }
    void thread(unsigned id)
    {
        if (id == 0) {
            memory.add_or_find(0, "a", 1);
            return;
        }
        tern_object object;
        tern_status status = tern__region_object(&memory.region[1], 0, &object);
        RL_ASSERT(status == TERN_OK || status == TERN_ERR_NOT_READY);
        if (status != TERN_OK) return;
        uint64_t seen;
        tern_copy_from_shared(&seen, object.memory, sizeof seen);
        RL_ASSERT(seen == 1);
    }
};

} // namespace

#define SUITE(name, type) { name, model_random<type>, nullptr }

int main(int argc, char **argv)
{
    const std::vector<std::string> ours = { "PEER", "REGION_3", "REGION_2_AGAIN", "REGION_2_READY" };
    model_runner runner({
        SUITE("two claim the same role", same_role),
        SUITE("turns", turns),
        SUITE("one seat", one_seat),
        SUITE("looks at entries", looks_at_entries),
        SUITE("the maker leaves", maker_leaves),
        SUITE("the holder dies", holder_dies),
        SUITE("the holder is killed", holder_is_killed),
        SUITE("the burier dies", burier_dies),
        SUITE("an end of the dead", comes_after_the_burial<false>),
        SUITE("a name of the dead", comes_after_the_burial<true>),
        SUITE("the seat of the dead", seat_of_the_dead),
        SUITE("the maker dies, one name", maker_dies<true>),
        SUITE("the maker dies, three names", maker_dies<false>),
    }, model_choose(TERN_MODEL_SITES, ours, true), {
        { "PEER_0_FREE", rl::mo_relaxed,
          "the store goes on with the release sequence that the burier began with PEER_0_BURY, as in C11, and what it "
          "did since has orders of its own; C++20 has no such sequences" },
    });
    return runner.run(argc, argv);
}
