/* SPDX-License-Identifier: MIT */
/* top.c: `tern top`: what goes through the regions of this machine, refreshed in place.
 *
 * Counters of rings wrap at 2^31: regions are looked at ten times a second or more, so that a ring of single bytes
 * at some gigabytes a second is counted right; how often an end was asleep is counted by the same looks. */
#include "object.h"
#include "transfer.h"

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define LOOK_NS UINT64_C(100000000)
#define MOST_OBJECTS 4096u

/* An object as it was followed since the last refresh. */
typedef struct followed {
    uint64_t file;             /* its region's: inode */
    uint32_t index;
    uint64_t counter, moved;   /* as last seen; how much it went on since the last refresh */
    uint32_t looks, asleep[2]; /* looks; of these, how often each end slept */
    bool is_seen;
} followed;

typedef struct screen {
    bool is_terminal, reads_keys;
    unsigned rows, columns, line, left_out;   /* 0 columns: no limit */
    struct termios before;
} screen;

typedef struct top {
    char **names;              /* those given; NULL: all */
    size_t given;
    uint64_t interval_ns, count;
    followed *objects;
    size_t followed;
    screen screen;
    bool all_there;            /* at the last look */
} top;

/* ---- Following objects ----------------------------------------------------------------------- */

/* The counter that tells of traffic, and how many bits it has. */
static uint64_t counter_of(uint32_t type, const object_info *info, unsigned *bits)
{
    switch (type) {
    case TERN_TYPE_RING: *bits = 31; return info->ring.was_popped;
    case TERN_TYPE_STREAM: *bits = 34; return info->stream.was_read_bytes;
    case TERN_TYPE_TRIPLE: *bits = 24; return info->triple.was_frame;
    case TERN_TYPE_POOL: *bits = 40; return info->pool.was_allocated;
    default: *bits = 0; return 0;
    }
}

static void sleepers_of(uint32_t type, const object_info *info, bool asleep[2])
{
    asleep[0] = asleep[1] = false;
    if (type == TERN_TYPE_RING) asleep[0] = info->ring.producer_asleep, asleep[1] = info->ring.consumer_asleep;
    if (type == TERN_TYPE_STREAM) asleep[0] = info->stream.producer_asleep, asleep[1] = info->stream.consumer_asleep;
    if (type == TERN_TYPE_TRIPLE) asleep[1] = info->triple.reader_asleep;
    if (type == TERN_TYPE_BELL) asleep[1] = info->bell.asleep;
}

/* What is followed of an object; NULL: there are too many. */
static followed *follow(top *t, uint64_t file, uint32_t index)
{
    for (size_t i = 0; i < t->followed; i++)
        if (t->objects[i].file == file && t->objects[i].index == index) return &t->objects[i];
    if (t->followed == MOST_OBJECTS) return NULL;
    followed *f = &t->objects[t->followed++];
    memset(f, 0, sizeof *f);
    f->file = file;
    f->index = index;
    return f;
}

static void note_object(top *t, uint64_t file, const tern_object *object, const object_info *info)
{
    unsigned bits;
    bool asleep[2];
    bool is_new;
    size_t before = t->followed;
    followed *f = follow(t, file, object->index);
    if (!f) return;
    is_new = t->followed != before;
    uint64_t now = counter_of(object->type, info, &bits);
    if (!is_new && bits) f->moved += (now - f->counter) & ((UINT64_C(1) << bits) - 1);
    f->counter = now;
    sleepers_of(object->type, info, asleep);
    f->looks++;
    for (int end = 0; end < 2; end++) f->asleep[end] += asleep[end];
    f->is_seen = true;
}

/* ---- Lines ------------------------------------------------------------------------------------- */

static void line(screen *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line(screen *s, const char *format, ...)
{
    char text[256];
    va_list list;
    /* the last row is kept for how many lines are left out */
    if (s->rows && s->line + 1 >= s->rows) {
        s->left_out++;
        return;
    }
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (s->columns && s->columns < sizeof text) text[s->columns] = '\0';
    puts(text);
    s->line++;
}

/* 1234567 -> "1.23 M": as text_bytes(), of things that are no bytes. */
static const char *text_count(char text[24], uint64_t count)
{
    text_bytes(text, count);
    text[strlen(text) - 1] = '\0';   /* the B */
    if (text[strlen(text) - 1] == ' ') text[strlen(text) - 1] = '\0';
    return text;
}

static void rate_text(char *text, size_t size_bytes, uint32_t type, const object_info *info, double per_s)
{
    char count[24], bytes[24];
    const char *unit = type == TERN_TYPE_RING ? "items" : type == TERN_TYPE_TRIPLE ? "frames" : "allocs";
    if (type == TERN_TYPE_STREAM || (type == TERN_TYPE_RING && info->ring.item_size_bytes == 1))
        snprintf(text, size_bytes, "%s/s", text_bytes(bytes, (uint64_t)per_s));
    else if (type == TERN_TYPE_RING)
        snprintf(text, size_bytes, "%s items/s, %s/s", text_count(count, (uint64_t)per_s),
                 text_bytes(bytes, (uint64_t)(per_s * info->ring.item_size_bytes)));
    else if (type == TERN_TYPE_BELL) snprintf(text, size_bytes, "-");
    else snprintf(text, size_bytes, "%s %s/s", text_count(count, (uint64_t)per_s), unit);
}

static void fill_text(char *text, size_t size_bytes, uint32_t type, const object_info *info)
{
    const tern_pool_info *pool = &info->pool;
    switch (type) {
    case TERN_TYPE_RING:
        snprintf(text, size_bytes, "%.0f %%", 100.0 * info->ring.was_count / info->ring.capacity_items);
        break;
    case TERN_TYPE_STREAM:
        snprintf(text, size_bytes, "%.0f %%",
                 100.0 * (double)info->stream.was_used_bytes / (double)info->stream.capacity_bytes);
        break;
    case TERN_TYPE_TRIPLE: snprintf(text, size_bytes, info->triple.was_fresh ? "fresh" : "taken"); break;
    case TERN_TYPE_POOL:
        snprintf(text, size_bytes, "%u live (%.0f %%)", pool->was_live, 100.0 * pool->was_live / pool->capacity_items);
        break;
    default: snprintf(text, size_bytes, info->bell.was_ringing ? "rings" : "quiet"); break;
    }
}

static void waits_text(char *text, size_t size_bytes, uint32_t type, const followed *f)
{
    const char *ends[2] = { "producer", "consumer" };
    if (type == TERN_TYPE_TRIPLE) ends[1] = "reader";
    if (type == TERN_TYPE_BELL) ends[1] = "collector";
    size_t used = 0;
    text[0] = '\0';
    for (int end = 0; end < 2; end++) {
        if (f->looks == 0 || f->asleep[end] == 0 || used >= size_bytes) continue;
        int n = snprintf(text + used, size_bytes - used, "%s%s asleep %u %%", used ? ", " : "", ends[end],
                         100 * f->asleep[end] / f->looks);
        used += n > 0 ? (size_t)n : 0;
    }
}

static void object_lines(top *t, look *l, uint64_t file, double seconds)
{
    tern_object object;
    uint64_t cursor = 0;
    while (tern_region_next(&l->region, &cursor, &object)) {
        char plain[TERN_NAME_BYTES], rate[64], fill[32], waits[64];
        const object_kind *kind = object_kind_of(object.type);
        object_info info;
        tern_status status = object_look(kind, l, &object, &info);
        text_plain(plain, sizeof plain, object.name);
        if (status != TERN_OK || !kind) {
            line(&t->screen, "  %-20.20s %-7s %s", plain, object_type_name(object.type),
                 status ? tern_status_text(status) : "");
            continue;
        }
        followed none = { 0 }, *f = follow(t, file, object.index);
        if (!f) f = &none;
        rate_text(rate, sizeof rate, object.type, &info, seconds > 0 ? (double)f->moved / seconds : 0);
        fill_text(fill, sizeof fill, object.type, &info);
        waits_text(waits, sizeof waits, object.type, f);
        line(&t->screen, "  %-20.20s %-7s %-27s %-16s %s", plain, kind->name, rate, fill, waits);
    }
}

static void region_lines(top *t, const char *name, double seconds)
{
    look l;
    struct stat file;
    char plain[256], size[24];
    tern_status status = look_begin(&l, name);
    text_plain(plain, sizeof plain, name);
    if (status == TERN_OK && fstat(l.fd, &file) == 0) {
        uint32_t cursor = 0, alive = 0, dead = 0;
        tern_peer_info peer;
        while (tern_peer_next(&l.region, &cursor, &peer)) peer.is_alive ? alive++ : dead++;
        line(&t->screen, "%s: %s, %u peers%s", plain, text_bytes(size, l.info.size_bytes), alive,
             dead ? ", some dead: see tern doctor" : "");
        object_lines(t, &l, (uint64_t)file.st_ino, seconds);
    } else if (status != TERN_ERR_NOT_FOUND || t->names) {   /* of all: gone since they were listed */
        line(&t->screen, "%s: %s", plain, tern_status_text(status));
        t->all_there = false;
    }
    look_end(&l);
}

/* ---- Looking and refreshing --------------------------------------------------------------------- */

/* Do something with each region's name. */
static void each_name(top *t, void (*visit)(top *t, const char *name, double seconds), double seconds)
{
    char **names = t->names;
    size_t count = t->given;
    if (!t->names && !names_list(&names, &count)) return;
    for (size_t i = 0; i < count; i++) visit(t, names[i], seconds);
    if (!t->names) names_free(names, count);
}

static void note_region(top *t, const char *name, double seconds)
{
    look l;
    struct stat file;
    (void)seconds;
    if (look_begin(&l, name) == TERN_OK && fstat(l.fd, &file) == 0) {
        tern_object object;
        uint64_t cursor = 0;
        while (tern_region_next(&l.region, &cursor, &object)) {
            object_info info;
            const object_kind *kind = object_kind_of(object.type);
            if (kind && object_look(kind, &l, &object, &info) == TERN_OK)
                note_object(t, (uint64_t)file.st_ino, &object, &info);
        }
    }
    look_end(&l);
}

/* After a refresh: count anew; what was not seen is gone. */
static void forget(top *t)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->followed; i++) {
        if (!t->objects[i].is_seen) continue;
        followed *f = &t->objects[kept++];
        if (f != &t->objects[i]) *f = t->objects[i];
        f->moved = f->looks = f->asleep[0] = f->asleep[1] = 0;
        f->is_seen = false;
    }
    t->followed = kept;
}

static void refresh(top *t, double seconds)
{
    struct winsize size;
    screen *s = &t->screen;
    s->rows = s->columns = s->line = s->left_out = 0;
    if (s->is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        s->rows = size.ws_row;
        s->columns = size.ws_col;
    }
    if (s->is_terminal) fputs("\033[H\033[J", stdout);
    t->all_there = true;
    line(s, "  %-20s %-7s %-27s %-16s %s", "OBJECT", "TYPE", "RATE", "FILL", "WAITS");
    each_name(t, region_lines, seconds);
    if (s->left_out) printf("... %u lines more: the terminal is too small%s", s->left_out, s->is_terminal ? "" : "\n");
    if (!s->is_terminal) putchar('\n');
    fflush(stdout);
}

/* Until it is time for the next look. @return whether to end: q, or a signal */
static bool pause_until(const top *t, uint64_t time_ns)
{
    struct pollfd keys = { t->screen.reads_keys ? STDIN_FILENO : -1, POLLIN, 0 };
    for (;;) {
        uint64_t now_ns = tern_now_ns();
        char key;
        if (transfer_signal()) return true;
        if (now_ns >= time_ns) return false;
        uint64_t left_ms = (time_ns - now_ns) / 1000000u + 1;
        if (poll(&keys, 1, left_ms > 100 ? 100 : (int)left_ms) <= 0) continue;
        if (read(STDIN_FILENO, &key, 1) != 1) keys.fd = -1;   /* nobody is there any more */
        else if (key == 'q' || key == 'Q') return true;
    }
}

static int watch(top *t)
{
    each_name(t, note_region, 0);
    forget(t);
    uint64_t began_ns = tern_now_ns(), look_ns = began_ns;
    for (uint64_t shown = 0; t->count == 0 || shown < t->count;) {
        uint64_t next_ns = began_ns + t->interval_ns;
        look_ns = look_ns + LOOK_NS < next_ns ? look_ns + LOOK_NS : next_ns;
        if (pause_until(t, look_ns)) break;
        each_name(t, note_region, 0);
        uint64_t now_ns = tern_now_ns();
        if (look_ns < now_ns) look_ns = now_ns;
        if (now_ns < next_ns) continue;
        refresh(t, (double)(now_ns - began_ns) / 1e9);
        if (ferror(stdout)) break;
        forget(t);
        began_ns = now_ns;
        shown++;
    }
    return transfer_signal() ? 128 + transfer_signal() : t->all_there ? EXIT_OK : EXIT_FAILED;
}

static void begin_screen(screen *s)
{
    struct termios mode;
    s->is_terminal = isatty(STDOUT_FILENO);
    s->reads_keys = s->is_terminal && isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &s->before) == 0;
    if (!s->reads_keys) return;
    mode = s->before;
    mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &mode);
}

static int run_top(int argc, char **argv)
{
    static const struct option longs[] = { { "help", no_argument, NULL, 'h' },
        { "interval", required_argument, NULL, OPTION_INTERVAL }, { "count", required_argument, NULL, OPTION_COUNT },
        { NULL, 0, NULL, 0 } };
    top t;
    memset(&t, 0, sizeof t);
    t.interval_ns = 1000000000u;
    t.all_there = true;
    for (int option; (option = option_next(&command_top, argc, argv, ":h", longs)) != -1;) {
        bool ok = option == OPTION_INTERVAL ? option_seconds("--interval", optarg, &t.interval_ns)
            : option == OPTION_COUNT && option_size("--count", optarg, 1, UINT64_C(1) << 40, &t.count);
        if (!ok) return EXIT_USAGE;
    }
    if (t.interval_ns < LOOK_NS / 10) t.interval_ns = LOOK_NS / 10;
    t.given = (size_t)(argc - optind);
    t.names = t.given ? argv + optind : NULL;
    t.objects = calloc(MOST_OBJECTS, sizeof *t.objects);
    if (!t.objects) {
        complain("no memory");
        return EXIT_FAILED;
    }
    transfer_catch_signals();
    begin_screen(&t.screen);
    int code = watch(&t);
    if (t.screen.reads_keys) tcsetattr(STDIN_FILENO, TCSANOW, &t.screen.before);
    if (t.screen.is_terminal) putchar('\n');
    free(t.objects);
    return output_ends_well() ? code : EXIT_FAILED;
}

const command command_top = {
    "top", "[OPTIONS] [NAME...]", "Show what goes through regions, refreshed in place",
    "All regions of this machine, or those named. For each object: how much went through it a second,\n"
    "its fill (a pool: live items; a triple buffer: whether its last frame was taken) and how often its ends\n"
    "slept. Frames that nobody took cannot be counted from outside: the reader knows its drops.\n"
    "Nothing is written. Without a terminal a block is printed at each refresh. q or Ctrl-C ends.\n\n"
    "Options:\n"
    "  --interval SECONDS  from one refresh to the next (default 1, at least 0.01)\n"
    "  --count N           end after N refreshes\n"
    "  -h, --help          this text\n\n"
    "Exit codes: 0; 1 a named region is not there or damaged; 2 wrong use; 128+N ended by signal N.\n",
    run_top,
};
