/* SPDX-License-Identifier: MIT */
/* replay.c: a fuzz target without libFuzzer.
 *
 *     fuzz_attach_replay FILE | FOLDER ...    the seeds and each kept input through the target, as TAP
 *     fuzz_attach_replay --seeds FOLDER       write the seeds, named by their hashes
 *
 * A finding ends the program, after the name of its input. */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_BYTES = 1 << 20 };
static const char *folder;
static unsigned inputs;

static void run_seed(const void *bytes, size_t size_bytes)
{
    fprintf(stderr, "# seed %u\n", inputs++);
    LLVMFuzzerTestOneInput(bytes, size_bytes);
}

static void write_seed(const void *bytes, size_t size_bytes)
{
    char path[600];
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < size_bytes; i++) hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(1099511628211);
    snprintf(path, sizeof path, "%s/%016llx", folder, (unsigned long long)hash);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size_bytes, file) != size_bytes || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static bool run_file(const char *path)
{
    static uint8_t buffer[MOST_BYTES];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return false;
    }
    size_t size = fread(buffer, 1, sizeof buffer, file);
    fclose(file);
    fprintf(stderr, "# %s\n", path);
    uint8_t *exact = malloc(size ? size : 1);     /* so that the sanitizer sees a read behind the input */
    if (!exact) return false;
    memcpy(exact, buffer, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    inputs++;
    return true;
}

static bool run_path(const char *path)
{
    char file[1024];
    DIR *files = opendir(path);
    if (!files) return run_file(path);
    bool ok = true;
    for (struct dirent *entry; (entry = readdir(files)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        ok = run_file(file) && ok;
    }
    closedir(files);
    return ok;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--seeds") == 0) {
        folder = argv[2];
        fuzz_seeds(write_seed);
        return 0;
    }
    printf("1..%d\n", argc);
    fuzz_seeds(run_seed);
    printf("ok 1 - %u seeds\n", inputs);
    bool all = inputs != 0;
    for (int i = 1; i < argc; i++) {
        inputs = 0;
        bool ok = run_path(argv[i]) && inputs != 0;
        printf("%sok %d - %u kept inputs\n", ok ? "" : "not ", i + 1, inputs);
        all = all && ok;
    }
    return all ? 0 : 1;
}
