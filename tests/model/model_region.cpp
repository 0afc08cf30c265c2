// SPDX-License-Identifier: MIT
// model_region.cpp: the region's header and directory under the model checker: attach while
// formatting, two who add the same name, two who add different names.
#define TERN_PEER_HOLDS 3u
#define TERN__PEER_PINS 2u
#include "model_region.hpp"

#include "sites_region.h"

namespace {

constexpr uint32_t object_bytes = 8;

struct region_memory {
    struct {
        tern_region_shared shared;
        tern_region_entry directory[4];
        tern_region_peer peers[3];
        alignas(8) unsigned char heap[1024];
    } bytes;
    model_payload geometry, entries[4], heap;

    void watch()
    {
        model_begin();
        watch_header(geometry, bytes.shared);
        for (int i = 0; i < 4; i++) watch_entry(entries[i], &bytes.directory[i]);
        /* two objects of 128 bytes each: a cell for every 16 bytes */
        auto all = reinterpret_cast<unsigned char *>(&bytes);
        tern_region_geometry g;
        tern_region_desc desc = description();
        RL_ASSERT(geometry_of(&g, &desc));
        model_watch(heap, all + g.heap_offset_bytes, 512, 16);
    }
    static bool geometry_of(tern_region_geometry *g, const tern_region_desc *desc);
    static tern_region_desc description() { return { 0, 4, 3, 0 }; }
    void format()
    {
        tern_region_desc desc = description();
        RL_ASSERT(tern_region_format(&bytes, sizeof bytes, &desc) == TERN_OK);
    }
    tern_status attach(tern_region *region) { return tern_region_attach(region, &bytes, sizeof bytes, nullptr); }
};

/// Add a name, or find it; either way its object must be there, formatted. True if we made it.
bool add_or_find(tern_region *region, const char *name, uint64_t content)
{
    tern_object object;
    tern_status status = tern_region_claim(region, name, TERN_TYPE_RING, object_bytes, &object);
    bool made = status == TERN_OK;
    if (made) {
        tern_copy_to_shared(object.memory, &content, sizeof content);
        tern_region_publish(region, &object, TERN_OK);
    } else {
        RL_ASSERT(status == TERN_ERR_EXISTS);
    }
    while ((status = tern_region_find(region, name, TERN_TYPE_RING, &object)) == TERN_ERR_NOT_READY) tern_cpu_relax();
    RL_ASSERT(status == TERN_OK && object.size_bytes == object_bytes);
    uint64_t seen;
    tern_copy_from_shared(&seen, object.memory, sizeof seen);
    RL_ASSERT(seen == content);
    return made;
}

struct attach_while_formatting : rl::test_suite<attach_while_formatting, 2> {
    region_memory memory;
    void before()
    {
        memory.watch();
        tern_a32_store_relaxed(&memory.bytes.shared.magic, 0);
    }
    void thread(unsigned id)
    {
        tern_region region;
        if (id == 0) {
            memory.format();
        } else {
            tern_status status;
            tern_object object;
            while ((status = memory.attach(&region)) == TERN_ERR_NOT_READY) tern_cpu_relax();
            RL_ASSERT(status == TERN_OK && region.max_objects == 4);
            RL_ASSERT(tern_region_find(&region, "a", 0, &object) == TERN_ERR_NOT_FOUND);
        }
    }
};

struct same_name : rl::test_suite<same_name, 2> {
    region_memory memory;
    bool made[2];
    void before()
    {
        memory.watch();
        memory.format();
    }
    void thread(unsigned id)
    {
        tern_region region;
        RL_ASSERT(memory.attach(&region) == TERN_OK);
        made[id] = add_or_find(&region, "a", 42);
    }
    void after() { RL_ASSERT(made[0] != made[1]); }
};

struct different_names : rl::test_suite<different_names, 2> {
    region_memory memory;
    void before()
    {
        memory.watch();
        memory.format();
    }
    void thread(unsigned id)
    {
        tern_region region;
        RL_ASSERT(memory.attach(&region) == TERN_OK);
        RL_ASSERT(add_or_find(&region, id ? "b" : "a", id ? 2 : 1));
        tern_object object;
        uint64_t cursor = 0;
        while (tern_region_next(&region, &cursor, &object)) RL_ASSERT(object.name[0] == 'a' || object.name[0] == 'b');
    }
    void after()
    {
        tern_region region;
        tern_object a, b;
        RL_ASSERT(memory.attach(&region) == TERN_OK);
        RL_ASSERT(tern_region_find(&region, "a", 0, &a) == TERN_OK);
        RL_ASSERT(tern_region_find(&region, "b", 0, &b) == TERN_OK);
        RL_ASSERT(a.offset_bytes != b.offset_bytes);
    }
};

bool region_memory::geometry_of(tern_region_geometry *g, const tern_region_desc *desc)
{
    return region_geometry_from_desc(g, desc);
}

} // namespace

int main(int argc, char **argv)
{
    // what matters when somebody died is in model_peer.cpp
    const std::vector<std::string> deaths = { "REGION_3", "REGION_2_AGAIN", "REGION_2_READY" };
    model_runner runner({
        { "attach while formatting", model_random<attach_while_formatting>, model_bound<attach_while_formatting> },
        { "two add the same name", model_random<same_name>, model_bound<same_name> },
        { "two add different names", model_random<different_names>, model_bound<different_names> },
    }, model_choose(TERN_MODEL_SITES, deaths, false), {});
    return runner.run(argc, argv);
}
