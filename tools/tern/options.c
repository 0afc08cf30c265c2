/* SPDX-License-Identifier: MIT */
/* options.c: reading the command line. */
#include "tool.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int usage_error(const command *self, const char *format, ...)
{
    va_list list;
    fputs("tern: ", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, "\nTry 'tern %s --help'.\n", self->name);
    return EXIT_USAGE;
}

static void print_help(const command *self)
{
    printf("Usage: tern %s %s\n%s.\n\n%s", self->name, self->arguments, self->summary, self->help);
}

int option_next(const command *self, int argc, char **argv, const char *letters, const struct option *longs)
{
    opterr = 0;   /* the messages are ours: they name the command */
    int option = getopt_long(argc, argv, letters, longs, NULL);
    if (option == 'h') {
        print_help(self);
        exit(output_ends_well() ? EXIT_OK : EXIT_FAILED);
    }
    if (option == ':') {
        usage_error(self, "%s: option '%s' needs a value", self->name, argv[optind - 1]);
        return '?';
    }
    if (option != '?') return option;
    /* a letter is in optopt; for a long option the word is the one just passed */
    const char *word = argv[optind - 1];
    if (optopt && optopt < OPTION_JSON && !(word[0] == '-' && word[1] == '-'))
        usage_error(self, "%s: unknown option '-%c'", self->name, optopt);
    else if (optopt)
        usage_error(self, "%s: option '%s' takes no value", self->name, word);
    else
        usage_error(self, "%s: unknown option '%s'", self->name, word);
    return '?';
}

bool option_size(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
    static const char suffixes[] = "KMGT";
    char *end = NULL;
    unsigned shift = 0;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    bool ok = text[0] >= '0' && text[0] <= '9' && errno == 0;
    if (ok && *end) {
        const char *suffix = strchr(suffixes, *end >= 'a' ? *end - 'a' + 'A' : *end);
        ok = suffix && (end[1] == '\0' || strcmp(end + 1, "iB") == 0);
        if (ok) shift = 10 * (unsigned)(suffix - suffixes + 1);
    }
    if (ok && number <= UINT64_MAX >> shift && number << shift >= least && number << shift <= most) {
        *value = number << shift;
        return true;
    }
    fprintf(stderr, "tern: %s: '%s' is no number from %llu to %llu (suffixes: K, M, G, powers of 1,024)\n", option, text,
            (unsigned long long)least, (unsigned long long)most);
    return false;
}

bool option_seconds(const char *option, const char *text, uint64_t *value_ns)
{
    char *end = NULL;
    double seconds = strtod(text, &end);
    bool ok = end != text && *end == '\0' && isfinite(seconds) && seconds >= 0 && seconds <= 1e9;
    if (ok) *value_ns = (uint64_t)(seconds * 1e9);
    else fprintf(stderr, "tern: %s: '%s' is no number of seconds from 0 to 1000000000\n", option, text);
    return ok;
}
