/* SPDX-License-Identifier: MIT */
/* names.c: `tern ls` and `tern rm`: the regions of this machine. */
#include "look.h"
#include "transfer.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* ---- ls --------------------------------------------------------------------------------- */

static uint32_t count_objects(const look *l)
{
    uint32_t count = 0;
    uint64_t cursor = 0;
    tern_object object;
    while (tern_region_next(&l->region, &cursor, &object)) count++;
    return count;
}

static uint64_t age_of(const look *l)
{
    int64_t now = (int64_t)time(NULL);
    return l->made_s && now > l->made_s ? (uint64_t)(now - l->made_s) : 0;
}

static void list_json(json *j, const char *name, const look *l)
{
    bool ok = l->status == TERN_OK;
    json_open(j, NULL, '{');
    json_text(j, "name", name);
    json_text(j, "state", ok ? "ok" : "damaged");
    json_text(j, "status", tern_status_name(l->status));
    json_text(j, "status_text", tern_status_text(l->status));
    json_integer(j, "size_bytes", l->file_size_bytes);
    if (ok) {
        json_integer(j, "objects", count_objects(l));
        json_integer(j, "creator_pid", l->info.creator);
        json_integer(j, "session", l->info.session);
    }
    json_integer(j, "age_s", age_of(l));
    json_close(j, '}');
}

static void list_line(const char *name, const look *l)
{
    char size[24], age[24], plain[256];
    text_plain(plain, sizeof plain, name);
    text_bytes(size, l->file_size_bytes);
    text_age(age, age_of(l));
    if (l->status == TERN_OK)
        printf("%-24s %9s %8u %8u %8s  ok\n", plain, size, count_objects(l), l->info.creator, age);
    else
        printf("%-24s %9s %8s %8s %8s  damaged: %s\n", plain, size, "-", "-", age, tern_status_text(l->status));
}

static int run_ls(int argc, char **argv)
{
    static const struct option longs[] = { { "help", no_argument, NULL, 'h' }, { "json", no_argument, NULL, OPTION_JSON },
                                           { NULL, 0, NULL, 0 } };
    char **names;
    size_t count;
    json j = { stdout, 0, false };
    bool as_json = false;
    for (int option; (option = option_next(&command_ls, argc, argv, ":h", longs)) != -1;) {
        if (option != OPTION_JSON) return EXIT_USAGE;
        as_json = true;
    }
    if (optind < argc) return usage_error(&command_ls, "ls: takes no name; 'tern show %s' shows one", argv[optind]);
    if (!names_list(&names, &count)) return EXIT_FAILED;
    if (as_json) json_open(&j, NULL, '[');
    else if (count > 0) printf("%-24s %9s %8s %8s %8s  %s\n", "NAME", "SIZE", "OBJECTS", "CREATOR", "AGE", "STATE");
    for (size_t i = 0; i < count; i++) {
        const char *name = names[i];
        look l;
        /* gone between listing and looking: not there */
        if (look_begin(&l, name) != TERN_ERR_NOT_FOUND) {
            if (as_json) list_json(&j, name, &l);
            else list_line(name, &l);
        }
        look_end(&l);
    }
    names_free(names, count);
    if (as_json) json_close(&j, ']');
    return output_ends_well() ? EXIT_OK : EXIT_FAILED;
}

const command command_ls = {
    "ls", "[--json]", "List the named regions of this machine",
    "Damaged ones are listed with what is wrong with them.\n\n"
    "Options:\n"
    "  --json      print an array of objects\n"
    "  -h, --help  this text\n",
    run_ls,
};

/* ---- rm ---------------------------------------------------------------------------------- */

static int run_rm(int argc, char **argv)
{
    static const struct option longs[] = { { "help", no_argument, NULL, 'h' }, { "force", no_argument, NULL, 'f' },
                                           { "json", no_argument, NULL, OPTION_JSON }, { NULL, 0, NULL, 0 } };
    json j = { stdout, 0, false };
    bool force = false, as_json = false;
    int code = EXIT_OK;
    for (int option; (option = option_next(&command_rm, argc, argv, ":hf", longs)) != -1;) {
        if (option == 'f') force = true;
        else if (option == OPTION_JSON) as_json = true;
        else return EXIT_USAGE;
    }
    if (optind == argc && !force) return usage_error(&command_rm, "rm: no name given");
    if (as_json) json_open(&j, NULL, '[');
    for (int i = optind; i < argc; i++) {
        tern_status status = transfer_remove(argv[i]);
        bool fine = status == TERN_OK || (force && status == TERN_ERR_NOT_FOUND);
        if (!fine) {
            complain("cannot remove '%s': %s", argv[i],
                     status == TERN_ERR_SYSTEM ? strerror(errno) : tern_status_text(status));
            code = EXIT_FAILED;
        }
        if (!as_json) continue;
        json_open(&j, NULL, '{');
        json_text(&j, "name", argv[i]);
        json_bool(&j, "removed", status == TERN_OK);
        json_text(&j, "status", tern_status_name(status));
        json_close(&j, '}');
    }
    if (as_json) json_close(&j, ']');
    return output_ends_well() ? code : EXIT_FAILED;
}

const command command_rm = {
    "rm", "[-f] NAME...", "Remove named regions, damaged ones too",
    "Processes that have a region open keep it until they let go.\n\n"
    "Options:\n"
    "  -f, --force  a name that is not there is no failure\n"
    "  --json       print an array of objects\n"
    "  -h, --help   this text\n\n"
    "Exit codes: 0 all removed; 1 at least one was not; 2 wrong use.\n",
    run_rm,
};
