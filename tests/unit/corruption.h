/* SPDX-License-Identifier: MIT */
/* corruption.h: memory between guard pages, each 32-bit word of it changed to each interesting value, and
 * each call that takes bytes run on every change: once with the checksum as it was, and once with one that
 * fits, as an attacker would leave it. Nothing here knows a field: words come from sizes and from
 * tern_layout(), calls and what they may answer from the headers (documented.py). */
#ifndef TERN_CORRUPTION_H
#define TERN_CORRUPTION_H

#include "unit.h"
#include "use.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- What is being tried: told when something goes wrong, by a crash too ---------------------------- */

static struct {
    const char *subject, *call;
    uint32_t offset, was, is;
    bool sealed;          /* the checksum fits the changed bytes */
    bool must_fail;       /* a geometry that no longer fits its checksum */
    uint64_t tried, accepted;
    void (*clean)(void);  /* what must not be left behind, even by a crash; or NULL */
} now;

static void corruption_tell(void)
{
    char line[200];
    if (!now.call) return;
    int length = snprintf(line, sizeof line, "# %s + 0x%x: was 0x%x, is 0x%x%s; in %s\n", now.subject,
                          (unsigned)now.offset,
                          (unsigned)now.was, (unsigned)now.is, now.sealed ? ", checksum made to fit" : "", now.call);
    if (write(STDERR_FILENO, line, (size_t)length) != length) _exit(2);
}

_Noreturn static void use_failed(const char *what, const char *file, int line)
{
    corruption_tell();
    fprintf(stderr, "# %s:%d: %s\n", file, line, what);
    _fail(file, line);
    abort();   /* does not come here */
}

static void corruption_died(void)
{
    corruption_tell();
    if (now.clean) now.clean();
}

static void corruption_crashed(int signal_number)
{
    corruption_died();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

#if defined(__SANITIZE_ADDRESS__)
void __asan_set_death_callback(void (*callback)(void));
#endif

/* A crash names its case and ends the program: cmocka would go on. Called by each test, since cmocka takes the
 * signals before each. */
static void corruption_watch(void)
{
    signal(SIGSEGV, corruption_crashed);
    signal(SIGBUS, corruption_crashed);
    signal(SIGABRT, corruption_crashed);
#if defined(__SANITIZE_ADDRESS__)
    __asan_set_death_callback(corruption_died);
#endif
}

/* ---- Memory between guard pages ------------------------------------------------------------------------ */

/* The same bytes twice: one mapping for everybody, one that cannot be written, for who must not write. The
 * last byte is in front of a guard page; what lies before the first one in its page is compared. */
struct arena {
    unsigned char *memory, *read_only;
    unsigned char *image;       /* as they were before any change */
    size_t size, slack;
};

static unsigned char *arena_map(int fd, size_t whole, int protection)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *base = mmap(NULL, whole + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(base, MAP_FAILED);
    assert_ptr_not_equal(mmap(base + page, whole, protection, MAP_SHARED | MAP_FIXED, fd, 0), MAP_FAILED);
    return base + page;
}

static struct arena arena_of(int fd, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (size + page - 1) / page * page;
    struct arena a = { .size = size, .slack = whole - size };
    assert_int_equal(size % TERN_ALIGNMENT, 0);
    a.memory = arena_map(fd, whole, PROT_READ | PROT_WRITE) + a.slack;
    a.read_only = arena_map(fd, whole, PROT_READ) + a.slack;
    a.image = unit_memory(size);
    return a;
}

static inline struct arena arena_make(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int fd = memfd_create("tern-test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)((size + page - 1) / page * page)), 0);
    struct arena a = arena_of(fd, size);
    close(fd);
    return a;
}

static void arena_drop(struct arena *a)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    munmap(a->memory - a->slack - page, a->slack + a->size + 2 * page);
    munmap(a->read_only - a->slack - page, a->slack + a->size + 2 * page);
    free(a->image);
}

static void arena_check_slack(const struct arena *a)
{
    for (size_t i = 1; i <= a->slack; i++) USE_CHECK(a->memory[-(ptrdiff_t)i] == 0);
}

/* ---- Checksums ---------------------------------------------------------------------------------------- */

/* Where a geometry is: a struct that ends with the hash of what stands before. */
struct geometry {
    size_t at, size;
};

static struct geometry geometry_of(const char *structure, size_t base)
{
    for (const tern_layout_field *f = tern_layout(); f->structure; f++)
        if (strcmp(f->structure, structure) == 0 && strcmp(f->name, "geometry") == 0)
            return (struct geometry){ base + f->offset_bytes, f->size_bytes };
    fail_msg("%s has no geometry in tern_layout()", structure);
    return (struct geometry){ 0, 0 };
}

/* What an attacker does too: the hash (FNV-1a) is no secret. */
static void geometry_seal(unsigned char *memory, struct geometry g)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < g.size - 4; i++) hash = (hash ^ memory[g.at + i]) * 16777619u;
    memcpy(memory + g.at + g.size - 4, &hash, 4);
}

/* ---- Values ---------------------------------------------------------------------------------------------- */

enum { CORRUPTION_VALUES = 11 + 32 };

static uint32_t corruption_value(size_t number, uint32_t capacity, uint32_t was)
{
    const uint32_t values[11] = { 0, 1, capacity - 1, capacity, capacity + 1, 0x7fffffff, 0x80000000, 0xffffffff,
                                  was - 1, was + 1, was ^ 1 };
    return number < 11 ? values[number] : was ^ 1u << (number - 11);
}

/* ---- Rows ------------------------------------------------------------------------------------------------ */

/* A call, and how it is tried on changed bytes. */
struct row {
    const char *call, *subject;
    void (*run)(const struct arena *a);
};

/* Whether a call takes a region's bytes or an object's name: test_corruption_region.c has them, test_corruption.c all
 * others. */
static bool corruption_is_of_regions(const char *call)
{
    return strncmp(call, "tern_region_", 12) == 0 || strncmp(call, "tern_shm_", 9) == 0
        || strncmp(call, "tern_peer_", 10) == 0 || strstr(call, "_open");
}

static void corruption_expect_row(const struct row *rows, size_t count, const char *call)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].call, call) == 0) return;
    fail_msg("%s() has no row in the table of its program", call);
}

/* When all words of something were changed. The padding alone is accepted many times, and all of the geometry
 * refused. */
static void corruption_told(const char *what)
{
    print_message("# %s: %llu calls, %llu of them accepted and used\n", what, (unsigned long long)now.tried,
                  (unsigned long long)now.accepted);
    assert_true(now.accepted > 1000 && now.tried - now.accepted > 1000);
}

static inline struct use_span arena_span(const struct arena *a)
{
    return (struct use_span){ a->memory, a->size };
}

static void corruption_answered(tern_status status, const void *view, size_t view_bytes)
{
    static const unsigned char zero[512];
    USE_CHECK(view_bytes <= sizeof zero);
    now.tried++;
    if (status == TERN_OK) now.accepted++;
    if (status == TERN_OK) USE_CHECK(!now.must_fail);
    else USE_CHECK(memcmp(view, zero, view_bytes) == 0);
}

/* Whether call(&view, ...) gave a view: its answer is a documented one, and a view that it did not
 * give is all zero. */
#define GOT(view, function, ...) \
    (memset(&(view), 0xaa, sizeof(view)), now.call = #function, \
     got_status = USE_STATUS(function, &(view), __VA_ARGS__), \
     corruption_answered(got_status, &(view), sizeof(view)), got_status == TERN_OK)
static tern_status got_status;

/* Every word from begin to end x every value x every row of the subject, each on bytes of its own. */
static void corrupt_words(const struct row *rows, size_t count, const char *subject, const struct arena *a,
                          size_t begin, size_t end, struct geometry geometry, uint32_t capacity)
{
    unsigned char *changed = unit_memory(a->size);
    corruption_watch();
    memcpy(a->image, a->memory, a->size);
    now.subject = subject;
    for (size_t at = begin; at < end; at += 4) {
        bool in_geometry = at >= geometry.at && at < geometry.at + geometry.size;
        now.offset = (uint32_t)at;
        memcpy(&now.was, a->image + at, 4);
        for (size_t i = 0; i < CORRUPTION_VALUES; i++) {
            now.is = corruption_value(i, capacity, now.was);
            for (int sealed = 0; sealed <= in_geometry; sealed++) {
                now.sealed = sealed != 0;
                now.must_fail = in_geometry && !sealed && now.is != now.was;
                memcpy(changed, a->image, a->size);
                memcpy(changed + at, &now.is, 4);
                if (sealed) geometry_seal(changed, geometry);
                for (size_t r = 0; r < count; r++) {
                    if (strcmp(rows[r].subject, subject) != 0) continue;
                    memcpy(a->memory, changed, a->size);
                    now.call = rows[r].call;
                    rows[r].run(a);
                }
            }
        }
    }
    memcpy(a->memory, a->image, a->size);
    arena_check_slack(a);
    now.call = NULL;
    free(changed);
}

#endif
