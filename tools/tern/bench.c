/* SPDX-License-Identifier: MIT */
/* bench.c: `tern bench`: options, order of the measurements, report. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define GENERATED_BYTES (64u << 20)
#define DEFAULT_TOTAL_BYTES (UINT64_C(1) << 30)
#define MOST_REPETITIONS 100u

/* What was measured of one way across. */
struct result {
    bool echoed, streamed;
    uint32_t *samples_ns;                    /* all repetitions, sorted */
    size_t samples;
    double p50_ns[MOST_REPETITIONS];         /* of each repetition, sorted */
    double mb_per_s[MOST_REPETITIONS];       /* of each repetition, sorted */
};

const char *bench_carrier_name(carrier by)
{
    static const char *const names[] = { "ring", "ring, asleep", "pipe", "socket" };
    return names[by];
}

static const char *carrier_key(carrier by)
{
    static const char *const keys[] = { "ring", "ring_sleep", "pipe", "socket" };
    return keys[by];
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int compare_double(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static double median(const double *sorted, uint64_t count)
{
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

/* Smallest sample that this share of all samples does not pass. */
static uint32_t quantile(const uint32_t *sorted, size_t count, double share)
{
    size_t at = (size_t)((double)count * share);
    return sorted[at < count ? at : count - 1];
}

/* ---- Source ------------------------------------------------------------------------------------ */

static bool read_file(const char *file, unsigned char **bytes, size_t *size_bytes)
{
    struct stat info;
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fstat(fd, &info) == 0;
    if (!ok) complain("cannot read %s: %s", file, strerror(errno));
    else if (!S_ISREG(info.st_mode) || info.st_size == 0) {
        complain("cannot use %s: a file with something in it is needed", file);
        ok = false;
    } else if ((uint64_t)info.st_size > memory / 2) {
        complain("cannot use %s: it would take more than half of the memory", file);
        ok = false;
    }
    if (ok) {
        *size_bytes = (size_t)info.st_size;
        /* shared: the child reads the same pages */
        *bytes = mmap(NULL, *size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ok = *bytes != MAP_FAILED && bench_read_all(fd, *bytes, *size_bytes);
        if (!ok) complain("cannot read %s into memory: %s", file, errno ? strerror(errno) : "it became shorter");
    }
    if (fd >= 0) close(fd);
    return ok;
}

static bool generate(unsigned char **bytes, size_t *size_bytes)
{
    uint64_t state = UINT64_C(88172645463325252);   /* xorshift64: the same bytes each time */
    *size_bytes = GENERATED_BYTES;
    *bytes = mmap(NULL, *size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (*bytes == MAP_FAILED) {
        complain("no memory: %s", strerror(errno));
        return false;
    }
    for (size_t at = 0; at < *size_bytes; at += sizeof state) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(*bytes + at, &state, sizeof state);
    }
    return true;
}

static bool make_source(bench_source *source, const bench_options *o)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    if (!(o->file ? read_file(o->file, &bytes, &size) : generate(&bytes, &size))) return false;
    source->bytes = bytes;
    source->size_bytes = size;
    source->passes = o->passes ? o->passes : (DEFAULT_TOTAL_BYTES + size - 1) / size;
    bench_sum sum = { 0 };
    for (uint64_t pass = 0; pass < source->passes; pass++) {
        bench_sum_add(&sum, bytes, size);
        if (pass == 0) source->sum_once = bench_sum_end(&sum);
    }
    source->sum_all = bench_sum_end(&sum);
    return true;
}

/* ---- Measuring ----------------------------------------------------------------------------------- */

static int measure_one(carrier by, uint64_t repetition, const bench_options *o, const bench_source *source,
                       const bench_cpus *cpus, struct result *r)
{
    uint32_t *samples = r->samples_ns + r->samples;
    int code = bench_echo(by, o, cpus, samples);
    if (code != EXIT_OK) return code;
    qsort(samples, o->messages, sizeof *samples, compare_u32);
    r->p50_ns[repetition] = quantile(samples, o->messages, 0.5);
    r->samples += o->messages;
    r->echoed = true;
    if (by == CARRIER_RING_SLEEP) return EXIT_OK;   /* a stream spins first and then sleeps: one ring */
    double seconds;
    code = bench_stream(by, source, o, cpus, &seconds);
    if (code != EXIT_OK) return code;
    r->mb_per_s[repetition] = (double)source->passes * (double)source->size_bytes / 1e6 / seconds;
    r->streamed = true;
    return EXIT_OK;
}

/* Interleaved, ring, pipe, socket, ring, ...: what disturbs the machine disturbs all alike. */
static int measure(const bench_options *o, const bench_source *source, const bench_cpus *cpus, struct result *results)
{
    int last = o->compare ? CARRIER_SOCKET : CARRIER_RING_SLEEP;
    for (int by = 0; by <= last; by++) {
        results[by].samples_ns = calloc(o->repetitions * o->messages, sizeof(uint32_t));
        if (!results[by].samples_ns) {
            complain("no memory for the samples");
            return EXIT_FAILED;
        }
    }
    bench_pin(cpus->cpu[0]);
    for (uint64_t repetition = 0; repetition < o->repetitions; repetition++) {
        for (int by = 0; by <= last; by++) {
            int code = measure_one((carrier)by, repetition, o, source, cpus, &results[by]);
            if (code != EXIT_OK) return code;
        }
    }
    for (int by = 0; by <= last; by++) {
        struct result *r = &results[by];
        qsort(r->samples_ns, r->samples, sizeof *r->samples_ns, compare_u32);
        qsort(r->p50_ns, o->repetitions, sizeof *r->p50_ns, compare_double);
        qsort(r->mb_per_s, o->repetitions, sizeof *r->mb_per_s, compare_double);
    }
    return EXIT_OK;
}

/* ---- Report ---------------------------------------------------------------------------------------- */

static void print_tables(const bench_options *o, const bench_source *source, const bench_cpus *cpus,
                         const struct result *results)
{
    char size[24], total[24];
    if (cpus->cpu[1] >= 0) printf("Two processes, pinned to CPUs %d and %d", cpus->cpu[0], cpus->cpu[1]);
    else printf("Two processes on one CPU");
    printf("; %llu repetitions, interleaved; every byte verified.\n\n", (unsigned long long)o->repetitions);
    printf("Round trip of a 64-byte message, ns (%llu each)\n  %-14s %10s %10s %10s %10s   %s\n",
           (unsigned long long)(o->repetitions * o->messages), "", "p50", "p99", "p99.9", "max", "p50 of the repetitions");
    for (int by = 0; by < CARRIERS; by++) {
        const struct result *r = &results[by];
        if (!r->echoed) continue;
        printf("  %-14s %10u %10u %10u %10u   %.0f to %.0f\n", bench_carrier_name((carrier)by),
               quantile(r->samples_ns, r->samples, 0.5), quantile(r->samples_ns, r->samples, 0.99),
               quantile(r->samples_ns, r->samples, 0.999), r->samples_ns[r->samples - 1], r->p50_ns[0],
               r->p50_ns[o->repetitions - 1]);
    }
    printf("\nByte stream, %s (%llu x %s of %s), MB/s\n  %-14s %10s %10s %10s\n",
           text_bytes(total, source->passes * source->size_bytes), (unsigned long long)source->passes,
           text_bytes(size, source->size_bytes), o->file ? o->file : "generated bytes", "", "median", "min", "max");
    for (int by = 0; by < CARRIERS; by++) {
        const struct result *r = &results[by];
        if (r->streamed)
            printf("  %-14s %10.0f %10.0f %10.0f\n", bench_carrier_name((carrier)by), median(r->mb_per_s, o->repetitions),
                   r->mb_per_s[0], r->mb_per_s[o->repetitions - 1]);
    }
    if (!o->compare) return;
    const struct result *ring = &results[CARRIER_RING];
    printf("\nThe ring beside\n");
    for (int by = CARRIER_PIPE; by <= CARRIER_SOCKET; by++) {
        const struct result *r = &results[by];
        double faster = median(r->p50_ns, o->repetitions) / median(ring->p50_ns, o->repetitions);
        double slept = median(r->p50_ns, o->repetitions) / median(results[CARRIER_RING_SLEEP].p50_ns, o->repetitions);
        printf("  %-14s %.2f x the throughput, round trip %.1f x as fast (%.2f x when it sleeps)\n",
               bench_carrier_name((carrier)by), median(ring->mb_per_s, o->repetitions) / median(r->mb_per_s, o->repetitions),
               faster, slept);
    }
}

static void result_json(json *j, const bench_options *o, const struct result *r, carrier by)
{
    json_open(j, carrier_key(by), '{');
    json_open(j, "round_trip_ns", '{');
    json_integer(j, "p50", quantile(r->samples_ns, r->samples, 0.5));
    json_integer(j, "p99", quantile(r->samples_ns, r->samples, 0.99));
    json_integer(j, "p99_9", quantile(r->samples_ns, r->samples, 0.999));
    json_integer(j, "max", r->samples_ns[r->samples - 1]);
    json_integer(j, "samples", r->samples);
    json_real(j, "p50_min", r->p50_ns[0]);
    json_real(j, "p50_median", median(r->p50_ns, o->repetitions));
    json_real(j, "p50_max", r->p50_ns[o->repetitions - 1]);
    json_close(j, '}');
    if (r->streamed) {
        json_open(j, "stream_mb_per_s", '{');
        json_real(j, "median", median(r->mb_per_s, o->repetitions));
        json_real(j, "min", r->mb_per_s[0]);
        json_real(j, "max", r->mb_per_s[o->repetitions - 1]);
        json_close(j, '}');
    }
    json_close(j, '}');
}

static void print_json(const bench_options *o, const bench_source *source, const bench_cpus *cpus,
                       const struct result *results)
{
    json j = { stdout, 0, false };
    const struct result *ring = &results[CARRIER_RING];
    json_open(&j, NULL, '{');
    json_integer(&j, "cpus", (uint64_t)cpus->count);
    json_bool(&j, "pinned", cpus->cpu[1] >= 0);
    json_integer(&j, "repetitions", o->repetitions);
    json_bool(&j, "verified", true);   /* a disagreement has ended the run before */
    json_text(&j, "file", o->file);
    json_integer(&j, "bytes", source->passes * source->size_bytes);
    json_integer(&j, "passes", source->passes);
    json_integer(&j, "capacity_bytes", o->capacity_bytes);
    json_integer(&j, "chunk_bytes", o->chunk_bytes);
    json_open(&j, "results", '{');
    for (int by = 0; by < CARRIERS; by++)
        if (results[by].echoed) result_json(&j, o, &results[by], (carrier)by);
    json_close(&j, '}');
    if (o->compare) {
        json_open(&j, "ratios", '{');
        for (int by = CARRIER_PIPE; by <= CARRIER_SOCKET; by++) {
            const struct result *r = &results[by];
            json_open(&j, carrier_key((carrier)by), '{');
            json_real(&j, "throughput", median(ring->mb_per_s, o->repetitions) / median(r->mb_per_s, o->repetitions));
            json_real(&j, "round_trip", median(r->p50_ns, o->repetitions) / median(ring->p50_ns, o->repetitions));
            json_real(&j, "round_trip_sleep", median(r->p50_ns, o->repetitions)
                                                  / median(results[CARRIER_RING_SLEEP].p50_ns, o->repetitions));
            json_close(&j, '}');
        }
        json_close(&j, '}');
    }
    json_close(&j, '}');
}

/* ---- Command ------------------------------------------------------------------------------------------ */

/* @return false after a message */
static bool parse(bench_options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        { "help", no_argument, NULL, 'h' },                   { "json", no_argument, NULL, OPTION_JSON },
        { "compare", no_argument, NULL, OPTION_COMPARE },     { "file", required_argument, NULL, OPTION_FILE },
        { "passes", required_argument, NULL, OPTION_PASSES }, { "messages", required_argument, NULL, OPTION_MESSAGES },
        { "repetitions", required_argument, NULL, OPTION_REPETITIONS },
        { "capacity", required_argument, NULL, OPTION_CAPACITY }, { "chunk", required_argument, NULL, OPTION_CHUNK },
        { NULL, 0, NULL, 0 },
    };
    const bench_options defaults = { NULL, 0, 3, 20000, 1u << 20, 128u << 10, false, false };
    *o = defaults;
    for (int option; (option = option_next(&command_bench, argc, argv, ":h", longs)) != -1;) {
        bool ok = true;
        switch (option) {
        case OPTION_JSON: o->json = true; break;
        case OPTION_COMPARE: o->compare = true; break;
        case OPTION_FILE: o->file = optarg; break;
        case OPTION_PASSES: ok = option_size("--passes", optarg, 1, 1u << 20, &o->passes); break;
        case OPTION_MESSAGES: ok = option_size("--messages", optarg, 100, 10000000, &o->messages); break;
        case OPTION_REPETITIONS: ok = option_size("--repetitions", optarg, 1, MOST_REPETITIONS, &o->repetitions); break;
        case OPTION_CAPACITY:
            ok = option_size("--capacity", optarg, 1, TERN_RING_MAX_CAPACITY_ITEMS, &o->capacity_bytes);
            break;
        case OPTION_CHUNK: ok = option_size("--chunk", optarg, 1, 1u << 30, &o->chunk_bytes); break;
        default: return false;
        }
        if (!ok) return false;
    }
    if (optind == argc) return true;
    usage_error(&command_bench, "bench: takes no argument '%s'; --file names a file", argv[optind]);
    return false;
}

static int run_bench(int argc, char **argv)
{
    static struct result results[CARRIERS];
    bench_options o;
    bench_source source = { 0 };
    if (!parse(&o, argc, argv)) return EXIT_USAGE;
    signal(SIGPIPE, SIG_IGN);   /* a child that died is a failure with a message */
    bench_cpus cpus = bench_find_cpus();
    if (!make_source(&source, &o)) return EXIT_FAILED;
    int code = measure(&o, &source, &cpus, results);
    if (code == EXIT_OK) {
        if (o.json) print_json(&o, &source, &cpus, results);
        else print_tables(&o, &source, &cpus, results);
        if (!output_ends_well()) code = EXIT_FAILED;
    }
    for (int by = 0; by < CARRIERS; by++) free(results[by].samples_ns);
    return code;
}

const command command_bench = {
    "bench", "[OPTIONS]", "Measure round trips and throughput between two processes",
    "Every byte that goes across is verified. Nothing is left behind.\n\n"
    "Options:\n"
    "  --compare          the same through a pipe and a Unix socket, interleaved\n"
    "  --file FILE        stream the bytes of a file (default: 64 MiB of generated ones)\n"
    "  --passes N         how often (default: until 1 GiB is reached)\n"
    "  --repetitions N    of everything (default 3)\n"
    "  --messages N       round trips in a repetition (default 20000)\n"
    "  --capacity BYTES   of the byte ring (default 1M)\n"
    "  --chunk BYTES      sent at a time, on each way across (default 128K)\n"
    "  --json             print an object\n"
    "  -h, --help         this text\n\n"
    "Exit codes: 0 measured; 1 failed; 2 wrong use; 7 bytes were lost or changed.\n",
    run_bench,
};
