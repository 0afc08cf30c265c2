/* SPDX-License-Identifier: MIT */
/* peer.c: the native process of the tests of tern.node. It opens one end in a region and does one thing with it:
 *
 *   peer write REGION NAME FRAMES        publish frames, then close
 *   peer hold REGION NAME                publish three frames and stay, to be killed
 *   peer read REGION NAME                see frames until the writer closes
 *   peer push REGION NAME ITEMS          push items, waiting for room, then close
 *   peer pop REGION NAME                 pop items until the producer closes
 *   peer echo REGION NAME                each item of NAME.to goes back through NAME.from, until closed; it counts
 *                                        how often it woke the other side
 *   peer turn REGION OFFSET TURNS        make the word even again each time it is odd, then the next one
 *   peer make REGION BYTES               make the region, until a line comes on stdin
 *
 * It says "ready" when its end is open, and in the end one line of JSON. Items are 8 bytes: numbers from 0. The words
 * of a frame follow from its number, so that each of them tells whether it is torn. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <tern/tern.h>

static tern_region region;

static int say(tern_status status, unsigned long long count, unsigned long long wrong, unsigned long long last,
               uint32_t outcome)
{
    printf("{\"status\": \"%s\", \"count\": %llu, \"wrong\": %llu, \"last\": %llu, \"recovered\": %u}\n",
           tern_status_name(status), count, wrong, last, outcome);
    return 0;
}

static void ready(void)
{
    printf("ready\n");
    fflush(stdout);
}

/* ---- Frames ------------------------------------------------------------------------ */

static uint32_t word_of(uint64_t frame, uint32_t at)
{
    return (uint32_t)frame * 2654435761u + at;
}

static void fill(void *memory, uint64_t frame, uint32_t size_bytes)
{
    uint32_t *words = (uint32_t *)memory;
    for (uint32_t i = 0; i != size_bytes / 4; i++) words[i] = i ? word_of(frame, i) : (uint32_t)frame;
}

static bool is_whole(const void *memory, uint64_t frame, uint32_t size_bytes)
{
    const uint32_t *words = (const uint32_t *)memory;
    for (uint32_t i = 1; i != size_bytes / 4; i++)
        if (words[i] != word_of(frame, i)) return false;
    return words[0] == (uint32_t)frame;
}

static int write_frames(const char *name, unsigned long long frames, bool hold)
{
    tern_triple_writer w;
    tern_status status = tern_triple_open_writer(&w, &region, name, NULL);
    ready();
    for (unsigned long long n = 0; status == TERN_OK && n != frames; n++) {
        fill(tern_triple_back(&w), w.frame + 1, w.buffer_size_bytes);
        tern_triple_publish(&w);
        if ((n & 63) == 63) usleep(50);   /* let a reader on the same processor have a turn */
    }
    while (status == TERN_OK && hold) pause();
    if (status == TERN_OK) tern_triple_close_writer(&w);
    return say(status, frames, 0, w.frame, w.recovery.outcome);
}

static int read_frames(const char *name)
{
    tern_triple_reader r;
    unsigned long long seen = 0, torn = 0;
    tern_status status = tern_triple_open_reader(&r, &region, name, NULL);
    uint32_t outcome = r.recovery.outcome;
    uint64_t last = 0;
    ready();
    while (status == TERN_OK && (status = tern_triple_wait(&r, TERN_WAIT_FOREVER)) == TERN_OK) {
        if (!tern_triple_update(&r)) continue;
        seen++;
        torn += !is_whole(tern_triple_front(&r), tern_triple_frame(&r), r.buffer_size_bytes)
            || tern_triple_frame(&r) <= last;
        last = tern_triple_frame(&r);
    }
    return say(status, seen, torn, last, outcome);
}

/* ---- Items ---------------------------------------------------------------------------- */

static int push_items(const char *name, unsigned long long items)
{
    tern_ring_producer p;
    tern_status status = tern_ring_open_producer(&p, &region, name, NULL);
    uint64_t item = 0;
    ready();
    for (; status == TERN_OK && item != items; item++) status = tern_ring_push_wait(&p, &item, TERN_WAIT_FOREVER);
    if (status == TERN_OK) tern_ring_close_producer(&p);
    return say(status, item, 0, item, p.recovery.outcome);
}

static int pop_items(const char *name)
{
    tern_ring_consumer c;
    tern_status status = tern_ring_open_consumer(&c, &region, name, NULL);
    unsigned long long count = 0, wrong = 0;
    uint64_t item = 0;
    ready();
    while (status == TERN_OK && (status = tern_ring_pop_wait(&c, &item, TERN_WAIT_FOREVER)) == TERN_OK)
        wrong += item != count++;
    return say(status, count, wrong, item, c.recovery.outcome);
}

/* It never spins, so it sleeps for each item; and it answers when the other side sleeps. */
static int echo_items(const char *name)
{
    tern_ring_consumer to;
    tern_ring_producer from;
    char to_name[TERN_NAME_BYTES + 8], from_name[TERN_NAME_BYTES + 8];
    unsigned long long count = 0;
    uint64_t item;
    tern_object ring;
    tern_ring_info info;
    snprintf(to_name, sizeof to_name, "%s.to", name);
    snprintf(from_name, sizeof from_name, "%s.from", name);
    tern_status status = tern_ring_open_consumer(&to, &region, to_name, NULL);
    if (status == TERN_OK) status = tern_ring_open_producer(&from, &region, from_name, NULL);
    if (status == TERN_OK) status = tern_region_find(&region, from_name, TERN_TYPE_RING, &ring);
    to.spin_checks = from.spin_checks = 0;
    ready();
    while (status == TERN_OK && (status = tern_ring_pop_wait(&to, &item, TERN_WAIT_FOREVER)) == TERN_OK) {
        while ((status = tern_ring_inspect(&info, ring.memory, (size_t)ring.size_bytes)) == TERN_OK
               && !info.consumer_asleep)
            sched_yield();
        if (status == TERN_OK) status = tern_ring_push_wait(&from, &item, TERN_WAIT_FOREVER);
        count += info.consumer_asleep;
    }
    if (status == TERN_ERR_CLOSED) tern_ring_close_producer(&from);
    return say(status, count, 0, 0, 0);
}

/* ---- Words ------------------------------------------------------------------------------ */

static int take_turns(unsigned long long offset, unsigned long long turns)
{
    tern_a32 *word = (tern_a32 *)(void *)((unsigned char *)region.shared + offset);
    unsigned long long n = 0;
    ready();
    for (; n != turns; n++) {
        uint32_t seen;
        while (((seen = tern_a32_load_relaxed(word)) & 1) == 0) tern_word_wait(word, seen, TERN_WAIT_FOREVER);
        tern_a32_store_relaxed(word, seen + 1);
        tern_word_wake(word);
    }
    return say(TERN_OK, n, 0, 0, 0);
}

static int make(const char *name, unsigned long long bytes)
{
    const tern_triple_desc desc = { 256 };
    tern_triple_writer w;
    char line[8];
    tern_status status = tern_shm_create(&region, name, (size_t)bytes, NULL);
    if (status == TERN_OK) status = tern_triple_open_writer(&w, &region, "frames", &desc);
    if (status == TERN_OK) {
        fill(tern_triple_back(&w), 1, desc.buffer_size_bytes);
        tern_triple_publish(&w);
        ready();
        if (!fgets(line, sizeof line, stdin)) status = TERN_ERR_SYSTEM;
        tern_shm_unlink(name);
    }
    return say(status, 0, 0, 0, 0);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: peer write|hold|read|push|pop|echo|turn|make REGION NAME|OFFSET|BYTES [COUNT]\n");
        return 2;
    }
    const char *command = argv[1], *name = argv[3];
    unsigned long long count = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    if (strcmp(command, "make") == 0) return make(argv[2], strtoull(name, NULL, 10));
    tern_status status = tern_shm_open(&region, argv[2], NULL);
    if (status != TERN_OK) return say(status, 0, 0, 0, 0);
    int result = strcmp(command, "write") == 0 ? write_frames(name, count, false)
        : strcmp(command, "hold") == 0 ? write_frames(name, 3, true)
        : strcmp(command, "read") == 0 ? read_frames(name)
        : strcmp(command, "push") == 0 ? push_items(name, count)
        : strcmp(command, "pop") == 0 ? pop_items(name)
        : strcmp(command, "echo") == 0 ? echo_items(name)
        : strcmp(command, "turn") == 0 ? take_turns(strtoull(name, NULL, 10), count) : 2;
    tern_shm_close(&region);
    return result;
}
