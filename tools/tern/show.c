/* SPDX-License-Identifier: MIT */
/* show.c: `tern show` and `tern layout`: what stands in a region, and where. */
#include "object.h"

#include <errno.h>
#include <string.h>

/* ---- show --------------------------------------------------------------------------------- */

static const char *domain_name(uint32_t domain)
{
    static const char *const names[] = { "worker", "main", "server" };
    return domain < sizeof names / sizeof names[0] ? names[domain] : "unknown";
}

static void region_json(json *j, const look *l)
{
    const tern_region_info *info = &l->info;
    char hash[16];
    snprintf(hash, sizeof hash, "%08x", tern_layout_hash());
    /* a region of another layout is refused, so these two are the region's as well */
    json_integer(j, "layout_version", TERN_LAYOUT_VERSION);
    json_text(j, "layout_hash", hash);
    json_integer(j, "region_size_bytes", info->size_bytes);
    json_integer(j, "session", info->session);
    json_text(j, "domain", domain_name(info->domain));
    json_integer(j, "creator_pid", info->creator);
    json_integer(j, "max_objects", info->max_objects);
    json_integer(j, "max_peers", info->max_peers);
    json_integer(j, "heap_size_bytes", info->heap_size_bytes);
    json_integer(j, "heap_used_bytes", info->was_heap_used_bytes);
}

/* @return whether every object is sound */
static bool show_json(look *l, const char *name)
{
    json j = { stdout, 0, false };
    bool sound = l->status == TERN_OK;
    json_open(&j, NULL, '{');
    json_text(&j, "name", name);
    json_text(&j, "status", tern_status_name(l->status));
    json_text(&j, "status_text", tern_status_text(l->status));
    json_integer(&j, "file_size_bytes", l->file_size_bytes);
    if (l->status == TERN_OK) {
        tern_object object;
        uint64_t cursor = 0;
        region_json(&j, l);
        json_open(&j, "objects", '[');
        while (tern_region_next(&l->region, &cursor, &object)) {
            object_info state;
            const object_kind *kind = object_kind_of(object.type);
            tern_status status = object_look(kind, l, &object, &state);
            if (status != TERN_OK) sound = false;
            json_open(&j, NULL, '{');
            json_text(&j, "name", object.name);
            json_text(&j, "type", object_type_name(object.type));
            json_text(&j, "status", tern_status_name(status));
            json_integer(&j, "offset_bytes", object.offset_bytes);
            json_integer(&j, "size_bytes", object.size_bytes);
            if (kind && status == TERN_OK) {
                json_open(&j, kind->name, '{');
                kind->json(&j, &state);
                json_close(&j, '}');
            }
            json_close(&j, '}');
        }
        json_close(&j, ']');
    }
    json_close(&j, '}');
    return sound;
}

/* @return whether every object is sound */
static bool show_lines(look *l, const char *name)
{
    const tern_region_info *info = &l->info;
    char size[24], heap[24], used[24], plain[TERN_NAME_BYTES];
    bool sound = true;
    tern_object object;
    uint64_t cursor = 0;
    printf("%s\n", name);
    printf("  layout    version %u, hash %08x\n", TERN_LAYOUT_VERSION, tern_layout_hash());
    printf("  size      %llu bytes (%s)\n", (unsigned long long)info->size_bytes, text_bytes(size, info->size_bytes));
    printf("  heap      %s used of %s\n", text_bytes(used, info->was_heap_used_bytes),
           text_bytes(heap, info->heap_size_bytes));
    printf("  session   %016llx\n", (unsigned long long)info->session);
    printf("  creator   process %u, domain %s\n", info->creator, domain_name(info->domain));
    printf("  objects   %u of %u\n", info->was_objects, info->max_objects);
    while (tern_region_next(&l->region, &cursor, &object)) {
        object_info state;
        const object_kind *kind = object_kind_of(object.type);
        tern_status status = object_look(kind, l, &object, &state);
        printf("  %s: %s, %llu bytes at %llu\n", text_plain(plain, sizeof plain, object.name), object_type_name(object.type),
               (unsigned long long)object.size_bytes, (unsigned long long)object.offset_bytes);
        if (status != TERN_OK) {
            printf("    status    %s: %s\n", tern_status_name(status), tern_status_text(status));
            sound = false;
        } else if (kind) {
            kind->lines(&state);
        }
    }
    return sound;
}

static int run_show(int argc, char **argv)
{
    static const struct option longs[] = { { "help", no_argument, NULL, 'h' }, { "json", no_argument, NULL, OPTION_JSON },
                                           { NULL, 0, NULL, 0 } };
    bool as_json = false, sound = false;
    look l;
    for (int option; (option = option_next(&command_show, argc, argv, ":h", longs)) != -1;) {
        if (option != OPTION_JSON) return EXIT_USAGE;
        as_json = true;
    }
    if (optind == argc) return usage_error(&command_show, "show: no name given");
    if (argc - optind > 1) return usage_error(&command_show, "show: too many arguments from '%s' on", argv[optind + 1]);
    const char *name = argv[optind];
    tern_status status = look_begin(&l, name);
    if (status != TERN_OK)
        complain("%s: %s: %s", name, tern_status_name(status),
                 status == TERN_ERR_SYSTEM ? strerror(errno) : tern_status_text(status));
    if (as_json) sound = show_json(&l, name);
    else if (status == TERN_OK) sound = show_lines(&l, name);
    look_end(&l);
    return output_ends_well() && sound ? EXIT_OK : EXIT_FAILED;
}

const command command_show = {
    "show", "[--json] NAME", "Show a region: header, objects, and the state of each",
    "Counters are taken while others work: each is a moment's.\n\n"
    "Options:\n"
    "  --json      print an object\n"
    "  -h, --help  this text\n\n"
    "Exit codes: 0 sound; 1 no region, or it or one of its objects is damaged; 2 wrong use.\n",
    run_show,
};

/* ---- layout --------------------------------------------------------------------------------- */

static void layout_json(void)
{
    char hash[16];
    json j = { stdout, 0, false };
    snprintf(hash, sizeof hash, "%08x", tern_layout_hash());
    json_open(&j, NULL, '{');
    json_integer(&j, "layout_version", TERN_LAYOUT_VERSION);
    json_text(&j, "layout_hash", hash);
    json_open(&j, "structures", '{');
    bool inside = false;
    for (const tern_layout_field *f = tern_layout(); f->structure; f++) {
        if (f->name[0] == '\0') {   /* a structure begins: its size, then its fields */
            if (inside) {
                json_close(&j, '}');
                json_close(&j, '}');
            }
            json_open(&j, f->structure, '{');
            json_integer(&j, "size_bytes", f->size_bytes);
            json_open(&j, "fields", '{');
            inside = true;
            continue;
        }
        json_open(&j, f->name, '{');
        json_integer(&j, "offset_bytes", f->offset_bytes);
        json_integer(&j, "size_bytes", f->size_bytes);
        json_close(&j, '}');
    }
    if (inside) {
        json_close(&j, '}');
        json_close(&j, '}');
    }
    json_close(&j, '}');
    json_close(&j, '}');
}

static int run_layout(int argc, char **argv)
{
    static const struct option longs[] = { { "help", no_argument, NULL, 'h' }, { "json", no_argument, NULL, OPTION_JSON },
                                           { NULL, 0, NULL, 0 } };
    bool as_json = false;
    for (int option; (option = option_next(&command_layout, argc, argv, ":h", longs)) != -1;) {
        if (option != OPTION_JSON) return EXIT_USAGE;
        as_json = true;
    }
    if (optind < argc) return usage_error(&command_layout, "layout: takes no arguments");
    if (as_json) {
        layout_json();
        return output_ends_well() ? EXIT_OK : EXIT_FAILED;
    }
    printf("layout version %u, hash %08x\n", TERN_LAYOUT_VERSION, tern_layout_hash());
    for (const tern_layout_field *f = tern_layout(); f->structure; f++) {
        if (f->name[0] == '\0') printf("\n%s: %u bytes\n", f->structure, f->size_bytes);
        else printf("  %5u  %5u  %s\n", f->offset_bytes, f->size_bytes, f->name);
    }
    return output_ends_well() ? EXIT_OK : EXIT_FAILED;
}

const command command_layout = {
    "layout", "[--json]", "Print the layout of the shared structures and its hash",
    "Two programs share memory only if the hashes agree. Columns: offset, size, field.\n\n"
    "Options:\n"
    "  --json      print an object\n"
    "  -h, --help  this text\n",
    run_layout,
};
