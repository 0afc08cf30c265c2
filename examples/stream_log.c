/* SPDX-License-Identifier: MIT */
/* stream_log.c: one thread logs records of different lengths and kinds, another one reads them
 * where they lie. Samples are written in place, text is copied.
 *
 *   cc stream_log.c -ltern -lpthread && ./a.out
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tern/tern.h>

enum { RECORDS = 300000, MOST_SAMPLES = 64 };
enum { LOG_TEXT = 1, LOG_SAMPLES = 2, LOG_MARK = 3 };     /* kinds: what the two ends agree on */

static tern_stream_producer p;
static tern_stream_consumer c;

/* Room for as many samples as there may be; as many as there are go out. */
static tern_status log_samples(uint32_t first)
{
    void *record;
    tern_status status = tern_stream_reserve_wait(&p, MOST_SAMPLES * sizeof(double), &record, TERN_WAIT_FOREVER);
    if (status != TERN_OK) return status;
    double *samples = record;
    uint32_t count = first % (MOST_SAMPLES + 1);
    for (uint32_t i = 0; i < count; i++) samples[i] = first + i;
    tern_stream_set_kind(&p, LOG_SAMPLES);
    tern_stream_commit(&p, count * (uint32_t)sizeof(double));
    return TERN_OK;
}

static void *write_log(void *unused)
{
    (void)unused;
    for (uint32_t i = 0; i < RECORDS; i++) {
        char text[32];
        tern_status status;
        if (i % 3 == 0) {
            int length = snprintf(text, sizeof text, "event %u", i);
            status = tern_stream_send_wait(&p, LOG_TEXT, text, (uint32_t)length, TERN_WAIT_FOREVER);
        } else if (i % 3 == 1) {
            status = log_samples(i);
        } else {
            status = tern_stream_send_wait(&p, LOG_MARK, NULL, 0, TERN_WAIT_FOREVER);
        }
        if (status != TERN_OK) fprintf(stderr, "stream_log: %s\n", tern_status_text(status));
    }
    tern_stream_close_producer(&p);
    return NULL;
}

/* Whether this is record number i as it was logged. */
static int is_record(uint32_t i, uint32_t kind, const void *record, uint32_t length)
{
    char text[32];
    if (i % 3 == 2) return kind == LOG_MARK && length == 0;
    if (i % 3 == 0) {
        snprintf(text, sizeof text, "event %u", i);
        return kind == LOG_TEXT && length == strlen(text) && memcmp(record, text, length) == 0;
    }
    const double *samples = record;                        /* records begin at a multiple of 8 */
    uint32_t count = i % (MOST_SAMPLES + 1);
    if (kind != LOG_SAMPLES || length != count * sizeof(double)) return 0;
    return count == 0 || (samples[0] == i && samples[count - 1] == i + count - 1);
}

int main(void)
{
    tern_stream_desc desc = { 16384, TERN_STREAM_WAITABLE };
    size_t size = tern_stream_size(&desc);
    void *memory = aligned_alloc(TERN_ALIGNMENT, (size + 63) / 64 * 64);
    if (!memory || tern_stream_format(memory, size, &desc) != TERN_OK) return 1;
    if (tern_stream_attach_producer(&p, memory, size) != TERN_OK) return 1;
    if (tern_stream_attach_consumer(&c, memory, size) != TERN_OK) return 1;

    pthread_t thread;
    pthread_create(&thread, NULL, write_log, NULL);
    const void *record;
    uint32_t length, kind, number = 0, wrong = 0;
    uint64_t bytes = 0;
    while (tern_stream_peek_wait(&c, &record, &length, &kind, TERN_WAIT_FOREVER) == TERN_OK) {
        wrong += !is_record(number++, kind, record, length);
        bytes += length;
        tern_stream_release(&c);
    }
    pthread_join(thread, NULL);
    printf("%u records, %llu bytes, %u wrong\n", number, (unsigned long long)bytes, wrong);
    free(memory);
    return number == RECORDS && wrong == 0 ? 0 : 1;
}
