/* SPDX-License-Identifier: MIT */
/* object_bell.c: what `tern show` says of a bell. */
#include "object.h"

static tern_status bell_inspect(object_info *info, const void *memory, size_t size_bytes)
{
    return tern_bell_inspect(&info->bell, memory, size_bytes);
}

static void bell_json(json *j, const object_info *info)
{
    const tern_bell_info *bell = &info->bell;
    json_integer(j, "sources", bell->sources);
    json_integer(j, "leaves", bell->leaves);
    json_integer(j, "sources_a_bit", (uint64_t)1 << bell->root_shift);
    json_integer(j, "ringing", bell->was_ringing);
    json_bool(j, "closed", bell->closed);
    json_bool(j, "asleep", bell->asleep);
}

static void bell_lines(const object_info *info)
{
    const tern_bell_info *bell = &info->bell;
    printf("    sources   %u%s\n", bell->sources, bell->closed ? ", closed" : "");
    printf("    collector %s\n", bell->asleep ? "asleep" : "awake");
    printf("    ringing  ");
    for (uint32_t bits = bell->was_ringing; bits;) {
        uint32_t first = tern_bell_take(&bits) << bell->root_shift;
        uint32_t last = first + (1u << bell->root_shift) - 1;
        if (last >= bell->sources) last = bell->sources - 1;
        if (first == last) printf(" %u", first);
        else printf(" %u..%u", first, last);
    }
    printf("%s\n", bell->was_ringing ? "" : " none");
}

const object_kind object_bell = {
    TERN_TYPE_BELL, "bell", sizeof(struct tern_bell_shared), bell_inspect, bell_json, bell_lines, NULL,
};
