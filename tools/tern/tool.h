/* SPDX-License-Identifier: MIT */
/* tool.h: what the commands of the tool share: exit codes, options, messages, JSON. */
#ifndef TERN_TOOL_H
#define TERN_TOOL_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <tern/tern.h>

/* Exit codes, documented in --help. A command that a signal ends answers 128 + signal. */
enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,        /* a file, the memory or the system; a damaged region */
    EXIT_USAGE = 2,
    EXIT_PEER_DIED = 3,     /* the other side was killed */
    EXIT_PEER_ENDED = 4,    /* the other side gave up: interrupted, or its file failed */
    EXIT_TIMEOUT = 5,       /* nobody came within --timeout */
    EXIT_BUSY = 6,          /* a live process has this side of the name */
    EXIT_DISAGREE = 7,      /* bytes were lost or changed */
    EXIT_REPAIRABLE = 8     /* a region that `tern doctor --repair` makes whole */
};

typedef struct command {
    const char *name, *arguments, *summary, *help;
    int (*run)(int argc, char **argv);
} command;

extern const command command_send, command_recv, command_ls, command_show, command_rm, command_layout, command_bench,
    command_doctor, command_top;

/* ---- Options (options.c) ---------------------------------------------------------- */

/* Long options without a letter of their own. */
enum { OPTION_JSON = 256, OPTION_SUM, OPTION_TIMEOUT, OPTION_CAPACITY, OPTION_FILE, OPTION_PASSES, OPTION_COMPARE,
       OPTION_REPETITIONS, OPTION_MESSAGES, OPTION_CHUNK, OPTION_RESUME, OPTION_OFFSET, OPTION_REPAIR, OPTION_INTERVAL,
       OPTION_COUNT };

/* Next option as getopt_long(); answers --help itself, -1 at the end, '?' after a message. */
int option_next(const command *self, int argc, char **argv, const char *letters, const struct option *longs);

/* "4M" -> 4194304. False, after a message, if it is no number in the range. */
bool option_size(const char *option, const char *text, uint64_t least, uint64_t most, uint64_t *value);

/* "2.5" seconds -> nanoseconds. False, after a message, if it is no duration. */
bool option_seconds(const char *option, const char *text, uint64_t *value_ns);

/* "hint: tern send --help" on stderr; the exit code for wrong use. */
int usage_error(const command *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- Messages (text.c) -------------------------------------------------------------- */

/* "tern: ..." on stderr, on a line of its own even if progress stands there. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* 1234567 -> "1.23 MB". @return text */
const char *text_bytes(char text[24], uint64_t bytes);

/* 61 s -> "1m 1s". @return text */
const char *text_age(char text[24], uint64_t seconds);

/* A copy in which nothing can steer a terminal. @return text */
const char *text_plain(char *text, size_t text_size_bytes, const char *from);

/* False, after a message, if what was printed did not reach stdout (a full disk). */
bool output_ends_well(void);

/* ---- JSON (json.c) ------------------------------------------------------------------ */

typedef struct json {
    FILE *out;
    int depth;
    bool comma;    /* a value stands before the next one */
} json;

/* key is NULL inside an array and for the outermost value. */
void json_open(json *j, const char *key, char bracket);
void json_close(json *j, char bracket);    /* the outermost one ends the line */
void json_text(json *j, const char *key, const char *value);   /* NULL gives null; stray bytes U+FFFD */
void json_integer(json *j, const char *key, uint64_t value);
void json_real(json *j, const char *key, double value);
void json_bool(json *j, const char *key, bool value);

#endif
