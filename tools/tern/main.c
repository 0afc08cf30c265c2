/* SPDX-License-Identifier: MIT */
/* main.c: the command line tool `tern`: find the command and run it. */
#include "tool.h"

#include <string.h>

static const command *const commands[] = {
    &command_send, &command_recv, &command_ls, &command_top, &command_show, &command_doctor, &command_rm,
    &command_layout,
    &command_bench,
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static const char exit_codes[] =
    "Exit codes:\n"
    "  0    done; for send: the receiver has confirmed every byte\n"
    "  1    a file, the memory or the system failed, or a region is damaged\n"
    "  2    wrong use\n"
    "  3    the other side was killed\n"
    "  4    the other side gave up: it was interrupted, or its file failed\n"
    "  5    nobody came within --timeout\n"
    "  6    a live process already sends (receives) under this name\n"
    "  7    bytes were lost or changed on the way, or are missing\n"
    "  8    doctor: the region is repairable\n"
    "  128+N  ended by signal N, so 130 for Ctrl-C; 141 if the output of recv was closed\n";

static int print_overview(void)
{
    printf("Usage: tern COMMAND [OPTIONS] ...\n"
           "Lock-free communication between processes through shared memory.\n\nCommands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-7s %-22s %s\n", commands[i]->name, commands[i]->arguments, commands[i]->summary);
    printf("  %-7s %-22s %s\n", "help", "[COMMAND]", "Say how to use tern, or one command");
    printf("\nOptions:\n  -h, --help     this text; after a command: its options\n"
           "  -V, --version  version and layout\n\n%s"
           "\nExample, in two terminals, started in either order:\n"
           "  cat photo.jpg | tern send x\n  tern recv x > copy.jpg\n", exit_codes);
    return output_ends_well() ? EXIT_OK : EXIT_FAILED;
}

static int print_version(void)
{
    printf("tern %s (layout %u, hash %08x, waits by %s)\n", TERN_VERSION_STRING, TERN_LAYOUT_VERSION,
           tern_layout_hash(), tern_wait_backend());
    return output_ends_well() ? EXIT_OK : EXIT_FAILED;
}

static const command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
    return NULL;
}

static int unknown(const char *kind, const char *what)
{
    fprintf(stderr, "tern: unknown %s '%s'\nTry 'tern --help'.\n", kind, what);
    return EXIT_USAGE;
}

static int run_help(int argc, char **argv)
{
    char help[] = "--help";
    if (argc < 3) return print_overview();
    const command *found = find_command(argv[2]);
    if (!found) return unknown("command", argv[2]);
    char *arguments[] = { argv[2], help, NULL };
    return found->run(2, arguments);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("tern: no command given\nTry 'tern --help'.\n", stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) return print_overview();
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) return print_version();
    if (strcmp(argv[1], "help") == 0) return run_help(argc, argv);
    if (argv[1][0] == '-') return unknown("option", argv[1]);
    const command *found = find_command(argv[1]);
    if (!found) return unknown("command", argv[1]);
    /* a region that somebody cuts off is a message, not a signal; without a guard it is that */
    (void)tern_shm_guard(true);
    return found->run(argc - 1, argv + 1);
}
