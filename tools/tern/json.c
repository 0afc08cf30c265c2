/* SPDX-License-Identifier: MIT */
/* json.c: JSON out, one value at a time. */
#include "tool.h"

#include <string.h>

/* Length of the valid UTF-8 sequence at s, 0 if there is none. Overlong forms, surrogates and
 * what is above U+10FFFF are none. */
static size_t utf8_length(const unsigned char *s)
{
    static const unsigned char second_least[] = { [0xe0 - 0xc0] = 0xa0, [0xf0 - 0xc0] = 0x90, [0xf4 - 0xc0] = 0x80 };
    size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    if (length < 2) return length;
    unsigned char least = s[0] >= 0xe0 && s[0] - 0xc0u < sizeof second_least ? second_least[s[0] - 0xc0] : 0;
    unsigned char most = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < (least ? least : 0x80) || s[1] > most) return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    return length;
}

static void put_string(FILE *out, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    fputc('"', out);
    while (*s) {
        size_t length = utf8_length(s);
        if (length == 0) fputs("\\ufffd", out);
        else if (*s == '"' || *s == '\\') fprintf(out, "\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f) fprintf(out, "\\u%04x", *s);
        else fwrite(s, 1, length, out);
        s += length ? length : 1;
    }
    fputc('"', out);
}

/* Comma, new line and key in front of a value. */
static void begin_value(json *j, const char *key)
{
    if (j->comma) fputc(',', j->out);
    if (j->depth > 0) fprintf(j->out, "\n%*s", 2 * j->depth, "");
    if (key) {
        put_string(j->out, key);
        fputs(": ", j->out);
    }
    j->comma = true;
}

void json_open(json *j, const char *key, char bracket)
{
    begin_value(j, key);
    fputc(bracket, j->out);
    j->depth++;
    j->comma = false;
}

void json_close(json *j, char bracket)
{
    j->depth--;
    if (j->comma) fprintf(j->out, "\n%*s", 2 * j->depth, "");
    fputc(bracket, j->out);
    j->comma = true;
    if (j->depth == 0) fputc('\n', j->out);
}

void json_text(json *j, const char *key, const char *value)
{
    begin_value(j, key);
    if (value) put_string(j->out, value);
    else fputs("null", j->out);
}

void json_integer(json *j, const char *key, uint64_t value)
{
    begin_value(j, key);
    fprintf(j->out, "%llu", (unsigned long long)value);
}

void json_real(json *j, const char *key, double value)
{
    begin_value(j, key);
    fprintf(j->out, "%.3f", value);
}

void json_bool(json *j, const char *key, bool value)
{
    begin_value(j, key);
    fputs(value ? "true" : "false", j->out);
}
