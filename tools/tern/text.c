/* SPDX-License-Identifier: MIT */
/* text.c: numbers and messages for people. */
#include "tool.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

void complain(const char *format, ...)
{
    va_list list;
    /* erase a progress line; a file gets no control characters */
    if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
    fputs("tern: ", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
}

const char *text_bytes(char text[24], uint64_t bytes)
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
    double value = (double)bytes;
    size_t unit = 0;
    /* 999.5: what would be printed as "1000 kB" is "1.00 MB" */
    while (value >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1000;
        unit++;
    }
    int digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(text, 24, "%.*f %s", digits, value, units[unit]);
    return text;
}

const char *text_age(char text[24], uint64_t seconds)
{
    unsigned long long s = seconds;
    if (s < 60) snprintf(text, 24, "%llus", s);
    else if (s < 3600) snprintf(text, 24, "%llum %llus", s / 60, s % 60);
    else if (s < 86400) snprintf(text, 24, "%lluh %llum", s / 3600, s / 60 % 60);
    else snprintf(text, 24, "%llud %lluh", s / 86400, s / 3600 % 24);
    return text;
}

const char *text_plain(char *text, size_t text_size_bytes, const char *from)
{
    size_t n = 0;
    for (; from[n] != '\0' && n + 1 < text_size_bytes; n++)
        text[n] = from[n] >= ' ' && from[n] <= '~' ? from[n] : '?';
    text[n] = '\0';
    return text;
}

bool output_ends_well(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return true;
    complain("cannot write the result: %s", strerror(errno));
    return false;
}
