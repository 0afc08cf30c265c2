/* SPDX-License-Identifier: MIT */
/* doctor.c: `tern doctor`: who is attached to a region, what is wrong with it, and what repairing it would
 * do, without a write; and the repair. */
#include "examine.h"

#include <errno.h>
#include <string.h>
#include <time.h>

typedef struct visit {
    const char *name;
    look l;
    examination found;
    bool repaired;             /* --repair was given and the region attached to */
    tern_recovery report;      /* of that */
} visit;

/* ---- Words ------------------------------------------------------------------------------------- */

static const char *verdict_name(int code)
{
    return code == EXIT_OK ? "sound" : code == EXIT_REPAIRABLE ? "repairable" : "damaged";
}

static int verdict_of(const visit *v)
{
    if (v->l.status != TERN_OK || v->found.status != TERN_OK || v->found.findings > 0) return EXIT_FAILED;
    return v->found.dead > 0 ? EXIT_REPAIRABLE : EXIT_OK;
}

/* "2 pins, 1 slot": the parts of a report that are not 0. */
static const char *report_text(char *text, size_t text_size_bytes, const tern_recovery *report)
{
    const struct { uint32_t count; const char *one, *many; } parts[] = {
        { report->pins, "pin", "pins" }, { report->slots, "slot of a pool", "slots of pools" },
        { report->roles, "end", "ends" }, { report->names, "unfinished name", "unfinished names" },
    };
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].count == 0 || used >= text_size_bytes) continue;
        int n = snprintf(text + used, text_size_bytes - used, "%s%u %s", used ? ", " : "", parts[i].count,
                         parts[i].count == 1 ? parts[i].one : parts[i].many);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used == 0) snprintf(text, text_size_bytes, "nothing more");
    return text;
}

static uint64_t age_of_peer(const tern_peer_info *peer)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_s = (uint64_t)now.tv_sec, then_s = peer->attached_ns / 1000000000u;
    return now_s > then_s ? now_s - then_s : 0;
}

static const char *object_name(const look *l, uint32_t index, char plain[TERN_NAME_BYTES])
{
    char name[TERN_NAME_BYTES];
    memcpy(name, l->region.directory[index].name, sizeof name);
    name[sizeof name - 1] = '\0';
    return text_plain(plain, TERN_NAME_BYTES, name);
}

/* What each end of an object is called; the second is NULL for one that has one end or none. */
static void end_names(uint32_t type, const char *names[2])
{
    names[0] = names[1] = NULL;
    if (type == TERN_TYPE_RING || type == TERN_TYPE_STREAM) names[0] = "producer", names[1] = "consumer";
    if (type == TERN_TYPE_TRIPLE) names[0] = "writer", names[1] = "reader";
    if (type == TERN_TYPE_BELL) names[0] = "collector";
}

/* ---- Lines ------------------------------------------------------------------------------------------- */

static void peer_lines(const visit *v)
{
    tern_peer_info peer;
    uint32_t cursor = 0;
    printf("  peers     %u alive, %u dead, of %u\n", v->found.alive, v->found.dead, v->l.region.max_peers);
    while (tern_peer_next(&v->l.region, &cursor, &peer)) {
        char age[24], program[sizeof peer.program], pool[TERN_NAME_BYTES];
        uint32_t at = 0;
        in_hand hand;
        printf("    %-5u   %-5s  process %u %s, for %s", peer.peer, peer.is_alive ? "alive" : "dead", peer.process,
               text_plain(program, sizeof program, peer.program), text_age(age, age_of_peer(&peer)));
        while (examine_hands(&v->l, peer.peer, &at, &hand))
            printf("; of '%s': %u pinned, %u on their way", object_name(&v->l, hand.object, pool), hand.pins,
                   hand.slots);
        putchar('\n');
    }
}

static void object_line(const look *l, const tern_object *object)
{
    char plain[TERN_NAME_BYTES];
    const char *ends[2];
    tern_role_info roles[2];
    printf("    %s: %s", text_plain(plain, sizeof plain, object->name), object_type_name(object->type));
    end_names(object->type, ends);
    tern_peer_roles(&l->region, object, roles);
    for (int i = 0; i < 2 && ends[i]; i++) {
        printf(", %s ", ends[i]);
        if (roles[i].peer == 0 || roles[i].is_dead) printf("%s", roles[i].is_dead ? "dead" : "none");
        else printf("%u", roles[i].peer);
    }
    if (object->status == TERN_ERR_PEER_DEAD) printf("; unfinished: its maker died, the next open goes on");
    else if (object->status != TERN_OK) printf("; %s", tern_status_text(object->status));
    putchar('\n');
}

static void verdict_lines(const visit *v, int code)
{
    char text[160], plain[EXAMINE_TEXT_BYTES];
    const examination *e = &v->found;
    if (v->repaired) {
        printf("  repaired  %u dead buried, given back: %s\n", v->report.peers,
               report_text(text, sizeof text, &v->report));
        if (v->report.why != TERN_OK) printf("  refused   %s\n", tern_status_text(v->report.why));
    }
    for (uint32_t i = 0; i < e->findings && i < EXAMINE_MOST_FINDINGS; i++)
        printf("  wrong     %s\n", text_plain(plain, sizeof plain, e->text[i]));
    if (e->findings > EXAMINE_MOST_FINDINGS) printf("  wrong     and %u more\n", e->findings - EXAMINE_MOST_FINDINGS);
    if (e->dead > 0)
        printf("  repair    would bury %u dead and give back %s%s%s\n", e->repair.peers,
               report_text(text, sizeof text, &e->repair), e->repair.why ? "; some not: " : "",
               e->repair.why ? tern_status_text(e->repair.why) : "");
    if (code == EXIT_REPAIRABLE && v->repaired)
        printf("  verdict   not all could be repaired now: a peer that lives is stopped in a call that decides, "
               "or repairs\n"
               "            itself; let it run and call 'tern doctor --repair %s' again\n", v->name);
    else if (code == EXIT_REPAIRABLE)
        printf("  verdict   repairable: 'tern doctor --repair %s'\n", v->name);
    else if (code == EXIT_FAILED)
        printf("  verdict   damaged, no repair mends that: 'tern rm %s' removes it, its programs make it anew\n",
               v->name);
    else
        printf("  verdict   sound\n");
}

static void print_lines(visit *v, int code)
{
    char size[24];
    tern_object object;
    uint64_t cursor = 0;
    printf("%s\n  size      %s, session %016llx\n", v->name, text_bytes(size, v->l.info.size_bytes),
           (unsigned long long)v->l.info.session);
    peer_lines(v);
    printf("  objects   their ends and who has them\n");
    while (tern_region_next(&v->l.region, &cursor, &object)) object_line(&v->l, &object);
    verdict_lines(v, code);
}

/* ---- JSON ---------------------------------------------------------------------------------------------- */

static void report_json(json *j, const char *key, const tern_recovery *report)
{
    json_open(j, key, '{');
    json_text(j, "why", tern_status_name(report->why));
    json_integer(j, "peers", report->peers);
    json_integer(j, "roles", report->roles);
    json_integer(j, "pins", report->pins);
    json_integer(j, "slots", report->slots);
    json_integer(j, "names", report->names);
    json_close(j, '}');
}

static void peers_json(json *j, const visit *v)
{
    tern_peer_info peer;
    uint32_t cursor = 0;
    json_open(j, "peers", '[');
    while (tern_peer_next(&v->l.region, &cursor, &peer)) {
        uint32_t at = 0;
        in_hand hand;
        json_open(j, NULL, '{');
        json_integer(j, "peer", peer.peer);
        json_bool(j, "alive", peer.is_alive);
        json_integer(j, "process", peer.process);
        json_text(j, "program", peer.program);
        json_integer(j, "attached_ns", peer.attached_ns);
        json_open(j, "holding", '[');
        while (examine_hands(&v->l, peer.peer, &at, &hand)) {
            char name[TERN_NAME_BYTES];
            json_open(j, NULL, '{');
            json_text(j, "pool", object_name(&v->l, hand.object, name));
            json_integer(j, "pins", hand.pins);
            json_integer(j, "slots", hand.slots);
            json_close(j, '}');
        }
        json_close(j, ']');
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void objects_json(json *j, const visit *v)
{
    tern_object object;
    uint64_t cursor = 0;
    json_open(j, "objects", '[');
    while (tern_region_next(&v->l.region, &cursor, &object)) {
        const char *ends[2];
        tern_role_info roles[2];
        json_open(j, NULL, '{');
        json_text(j, "name", object.name);
        json_text(j, "type", object_type_name(object.type));
        json_text(j, "status", tern_status_name(object.status));
        end_names(object.type, ends);
        tern_peer_roles(&v->l.region, &object, roles);
        for (int i = 0; i < 2 && ends[i]; i++) {
            json_open(j, ends[i], '{');
            json_integer(j, "peer", roles[i].peer);
            json_bool(j, "dead", roles[i].is_dead);
            json_close(j, '}');
        }
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void print_json(visit *v, int code)
{
    json j = { stdout, 0, false };
    json_open(&j, NULL, '{');
    json_text(&j, "name", v->name);
    json_text(&j, "verdict", verdict_name(code));
    json_integer(&j, "exit_code", (uint64_t)code);
    json_text(&j, "status", tern_status_name(v->l.status));
    if (v->l.status == TERN_OK) {
        json_integer(&j, "session", v->l.info.session);
        peers_json(&j, v);
        objects_json(&j, v);
        json_open(&j, "wrong", '[');
        for (uint32_t i = 0; i < v->found.findings && i < EXAMINE_MOST_FINDINGS; i++)
            json_text(&j, NULL, v->found.text[i]);
        json_close(&j, ']');
        report_json(&j, "repair", &v->found.repair);
        if (v->repaired) report_json(&j, "repaired", &v->report);
    }
    json_close(&j, '}');
}

/* ---- Command ------------------------------------------------------------------------------------------- */

static tern_status look_at(visit *v)
{
    tern_status status = look_begin(&v->l, v->name);
    if (status == TERN_OK) {
        examine(&v->found, v->name);
        status = v->found.status;   /* gone, or replaced by something else, since */
    }
    if (status != TERN_OK)
        complain("%s: %s%s", v->name, status == TERN_ERR_SYSTEM ? strerror(errno) : tern_status_text(status),
                 status == TERN_ERR_NOT_FOUND || status == TERN_ERR_ARGUMENT ? ""
                     : "; no repair mends that, 'tern rm' removes it");
    return v->l.status = status;
}

/* Attach, which buries the dead, and look whether that was all. @return EXIT_OK or, after a message, EXIT_FAILED */
static int repair(visit *v)
{
    const tern_attach_desc attach = { v->l.info.session, TERN_DOMAIN_WORKER };
    tern_region region;
    tern_recovery more;
    tern_status status = tern_shm_open(&region, v->name, &attach);
    if (status != TERN_OK) {
        complain("cannot attach to '%s' to repair it: %s; nothing was written", v->name,
                 status == TERN_ERR_SYSTEM ? strerror(errno) : tern_status_text(status));
        return EXIT_FAILED;
    }
    v->repaired = true;
    v->report = region.recovery;
    (void)tern_peer_recover(&region, &more);
    v->report.peers += more.peers;
    v->report.roles += more.roles;
    v->report.pins += more.pins;
    v->report.slots += more.slots;
    v->report.names += more.names;
    v->report.why = more.why ? more.why : v->report.why == TERN_ERR_BUSY ? TERN_OK : v->report.why;
    tern_shm_close(&region);
    return EXIT_OK;
}

static int run_doctor(int argc, char **argv)
{
    static const struct option longs[] = { { "help", no_argument, NULL, 'h' },
                                           { "json", no_argument, NULL, OPTION_JSON },
                                           { "repair", no_argument, NULL, OPTION_REPAIR }, { NULL, 0, NULL, 0 } };
    static visit v;
    bool as_json = false, with_repair = false;
    for (int option; (option = option_next(&command_doctor, argc, argv, ":h", longs)) != -1;) {
        if (option == OPTION_JSON) as_json = true;
        else if (option == OPTION_REPAIR) with_repair = true;
        else return EXIT_USAGE;
    }
    if (optind == argc) return usage_error(&command_doctor, "doctor: no name given");
    if (argc - optind > 1)
        return usage_error(&command_doctor, "doctor: too many arguments from '%s' on", argv[optind + 1]);
    v.name = argv[optind];
    tern_status status = look_at(&v);
    int code = status == TERN_OK && with_repair ? repair(&v) : EXIT_OK;
    if (status == TERN_OK && v.repaired) {
        look_end(&v.l);
        status = look_at(&v);
    }
    if (code == EXIT_OK) code = verdict_of(&v);
    if (as_json) print_json(&v, code);
    else if (status == TERN_OK) print_lines(&v, code);
    look_end(&v.l);
    return output_ends_well() ? code : EXIT_FAILED;
}

const command command_doctor = {
    "doctor", "[--repair] NAME", "Say who is attached to a region, what is wrong, and repair it",
    "Looks at a live, dead or damaged region without writing to it: its peers (alive or dead, as the\n"
    "kernel knows), what they have in hand, who has the ends of each object, and whether each object\n"
    "is sound, as far as that can be told while others work. Says what a repair would do.\n\n"
    "A repair buries dead peers: pins, slots of pools and names that they had are given back, and their\n"
    "ends are free for successors, who learn of it. It never touches what live peers have, and can be\n"
    "done at any time. Programs do the same when they open the region.\n\n"
    "Options:\n"
    "  --repair    attach to the region and repair it, then look again\n"
    "  --json      print an object\n"
    "  -h, --help  this text\n\n"
    "Exit codes: 0 sound, nothing to do; 1 no region, or damaged beyond repair: 'tern rm' removes it;\n"
    "2 wrong use; 8 repairable: run it with --repair (with --repair: not all could be done now, try again).\n",
    run_doctor,
};
