#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the public headers say that a call may answer, as a C table: documented.py OUTPUT.h HEADER...

A test that includes the table checks an answer against the call's own comment, and learns of each
call that takes bytes from memory (attach, look, inspect, open, find, next, claim, recover, evict, ...)
without a list by hand.

A status is documented where the comment names it before "Role:", or where a call that the comment
refers to ("as tern_x()", "tern_x(), then ...") documents it.
"""
import pathlib
import re
import sys

FUNCTION = re.compile(r'/\*\*((?:[^*]|\*(?!/))*)\*/\s*(?:TERN_API|TERN_INLINE) ([\w \t]+?[ *])(tern_[a-z]\w*)\(')
DECLARED = re.compile(r'^(?:TERN_API|TERN_INLINE) [^;(]*?\b(tern_[a-z]\w*)\(', re.MULTILINE)
STATUS = re.compile(r'\bTERN_(?:OK|DEFERRED|ERR_[A-Z_]+)\b')
REFERENCE = re.compile(r'(?<!Crash: )(?<!Order: )\b[Aa]s (tern_\w+)\(\)|(?:^|@return )\s*(tern_\w+)\(\), then'
                       r'|^Wait [^.]*, then (tern_\w+)\(\)')
TAKES_BYTES = re.compile(r'_(?:attach|look|inspect|open|find|next|claim|recover|evict|roles|share)(?:_|$)'
                         r'|^tern_shm_status$')


def calls_of(headers):
    """Name -> its comment on one line, in the order of the headers."""
    calls = {}
    for header in headers:
        text = pathlib.Path(header).read_text()
        for name in DECLARED.findall(text):
            calls.setdefault(name, None)
        for comment, _, name in FUNCTION.findall(text):
            calls[name] = ' '.join(re.sub(r'\n\s*\*', ' ', comment).split())
    return calls


def documented(calls, name, seen=()):
    """The statuses of a call, those of the calls that it refers to among them."""
    comment = calls.get(name) or ''
    statuses = set(STATUS.findall(comment.split('Role:')[0])) - {'TERN_ERR_UNKNOWN'}
    for references in REFERENCE.findall(comment):
        for other in filter(None, references):
            if other not in seen:
                statuses |= documented(calls, other, (*seen, name))
    return statuses


def main():
    output, *headers = sys.argv[1:]
    calls = calls_of(sorted(headers))
    if not calls:
        sys.exit('documented.py: no call in these headers')
    for name, comment in calls.items():
        if comment is None and TAKES_BYTES.search(name):
            sys.exit(f'documented.py: {name}() has no comment that says what it answers')
    lines = ['/* made by documented.py: a bit for each status */',
             '#define DOCUMENTED_BIT(status) (UINT64_C(1) << ((status) + 32))',
             'static const struct { const char *call; int takes_bytes; uint64_t statuses; } documented[] = {']
    for name in calls:
        bits = [f'DOCUMENTED_BIT({status})' for status in sorted(documented(calls, name))]
        lines.append(f'    {{ "{name}", {int(bool(TAKES_BYTES.search(name)))}, {" | ".join(bits) or 0} }},')
    lines.append('};')
    pathlib.Path(output).write_text('\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
