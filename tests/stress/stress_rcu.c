/* SPDX-License-Identifier: MIT */
/* stress_rcu.c: readers hold validated pointers in read sections while a writer frees and reuses
 * the slots at full speed and poisons them on reuse. Nobody may read a torn or poisoned item.
 * Then the same without read sections, freed at once: now it must go wrong, or the first part
 * proves nothing.
 *
 *   stress_rcu [writes]
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tern/rcu.h>
#include <tern/tern.h>

enum { READERS = 2, SLOTS = 256, TABLE = 4, WORDS = 64, LOOKS = 4 };

static tern_a64 table[TABLE];   /* the handles in force, packed */
static tern_a32 stop;
static tern_pool pool;

typedef struct mode {
    const char *name;
    uint32_t flavour;     /* 0: no reclamation at all, slots are reused at once */
} mode;

typedef struct reader {
    pthread_t thread;
    uint32_t flavour;
    uint64_t read, stale, bad;
} reader;

static uint64_t stamp(uint64_t packed, uint32_t word)
{
    uint64_t x = packed * 0x9e3779b97f4a7c15u + word;
    return x ^ x >> 29;
}

/* The item is as its handle says, and stays so while we look several times. The words are read
 * through the checker's eyes: in the last mode others write them meanwhile. */
static bool whole(const tern_a64 *words, uint64_t packed)
{
    for (int look = 0; look < LOOKS; look++)
        for (uint32_t i = 0; i < WORDS; i++)
            if (tern_a64_load_relaxed(&words[i]) != stamp(packed, i)) return false;
    return true;
}

static void *read_all_the_time(void *argument)
{
    reader *r = (reader *)argument;
    tern_rcu_thread thread = { 0 };
    if (r->flavour && tern_rcu_register(&thread, r->flavour) != TERN_OK) abort();
    while (!tern_a32_load_relaxed(&stop)) {
        for (int i = 0; i < 64; i++) {
            tern_rcu_read_lock(&thread);
            uint64_t packed = tern_a64_load_acquire(&table[i % TABLE], STRESS);
            const tern_a64 *words = (const tern_a64 *)tern_pool_get(&pool, tern_handle_unpack(packed));
            if (!words) r->stale++;
            else if (whole(words, packed)) r->read++;
            else r->bad++;
            tern_rcu_read_unlock(&thread);
        }
        tern_rcu_quiescent(&thread);
    }
    tern_rcu_unregister(&thread);
    return NULL;
}

/* A new item, poisoned before it is filled: who still reads the old one sees it. */
static uint64_t make_item(const tern_rcu_thread *thread)
{
    tern_handle handle;
    void *item;
    while (tern_pool_alloc(&pool, &handle, &item) != TERN_OK) {
        tern_rcu_quiescent(thread);   /* all slots are on their way back */
        sched_yield();
    }
    tern_a64 *words = (tern_a64 *)item;
    for (uint32_t i = 0; i < WORDS; i++) tern_a64_store_relaxed(&words[i], UINT64_MAX);
    for (uint32_t i = 0; i < WORDS; i++) tern_a64_store_relaxed(&words[i], stamp(tern_handle_pack(handle), i));
    return tern_handle_pack(handle);
}

static uint64_t bad_of(reader *readers)
{
    uint64_t bad = 0;
    for (int i = 0; i < READERS; i++) bad += readers[i].bad;
    return bad;
}

/* @return bad reads; UINT64_MAX if the run itself went wrong */
static uint64_t run(const mode *m, uint64_t writes)
{
    tern_pool_desc desc = { WORDS * 8, SLOTS };
    size_t size = tern_pool_size(&desc);
    void *memory = NULL;
    reader readers[READERS];
    tern_rcu rcu;
    tern_rcu_thread thread = { 0 };
    uint64_t read = 0, stale = 0;
    if (posix_memalign(&memory, 128, size) != 0 || tern_pool_format(memory, size, &desc) != TERN_OK
        || tern_pool_attach(&pool, memory, size) != TERN_OK)
        return UINT64_MAX;
    if (m->flavour
        && (tern_rcu_register(&thread, m->flavour) != TERN_OK || tern_rcu_attach(&rcu, &pool, m->flavour) != TERN_OK))
        return UINT64_MAX;
    for (int i = 0; i < TABLE; i++) tern_a64_store_release(&table[i], make_item(&thread), STRESS);
    tern_a32_store_relaxed(&stop, 0);
    memset(readers, 0, sizeof readers);
    for (int i = 0; i < READERS; i++) {
        readers[i].flavour = m->flavour;
        if (pthread_create(&readers[i].thread, NULL, read_all_the_time, &readers[i]) != 0) abort();
    }
    for (uint64_t n = 0; n < writes; n++) {
        uint64_t old = tern_a64_load_relaxed(&table[n % TABLE]);
        tern_a64_store_release(&table[n % TABLE], make_item(&thread), STRESS);
        tern_status status = m->flavour ? tern_pool_free_rcu(&pool, tern_handle_unpack(old)) : tern_pool_free(&pool, tern_handle_unpack(old));
        if (status < 0) abort();
        tern_rcu_quiescent(&thread);
    }
    tern_rcu_offline(&thread);
    tern_a32_store_relaxed(&stop, 1);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        read += readers[i].read;
        stale += readers[i].stale;
    }
    tern_rcu_online(&thread);
    if (m->flavour && tern_rcu_detach_wait(&rcu, &thread) != TERN_OK)
        return UINT64_MAX;
    tern_rcu_unregister(&thread);
    bool counted = tern_pool_was_live(&pool) == TABLE;
    tern_pool_detach(&pool);
    free(memory);
    uint64_t bad = bad_of(readers);
    printf("# %s: %llu writes, %llu whole, %llu stale, %llu torn or poisoned\n", m->name, (unsigned long long)writes,
           (unsigned long long)read, (unsigned long long)stale, (unsigned long long)bad);
    return counted && read > 0 ? bad : UINT64_MAX;
}

int main(int argc, char **argv)
{
    static const mode modes[] = { { "qsbr", TERN_RCU_QSBR }, { "memb", TERN_RCU_MEMB } };
    static const mode none = { "no read sections, freed at once", 0 };
    uint64_t writes = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    int failed = 0, number = 0;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        bool ok = run(&modes[i], writes) == 0;
        failed += !ok;
        printf("%sok %d - %s: no torn or poisoned read\n", ok ? "" : "not ", ++number, modes[i].name);
        fflush(stdout);
    }
    bool found = false;
    for (int tries = 0; tries < 100 && !found; tries++) {
        uint64_t bad = run(&none, writes);
        found = bad != 0 && bad != UINT64_MAX;
    }
    failed += !found;
    printf("%sok %d - %s: bad reads, as there must be\n", found ? "" : "not ", ++number, none.name);
    printf("1..%d\n", number);
    return failed ? 1 : 0;
}
