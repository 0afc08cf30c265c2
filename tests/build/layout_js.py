# SPDX-License-Identifier: MIT
"""wasm/src/layout.mjs: what JavaScript knows of the shared bytes, made of what C programs print.

Used by layout.py. The names are C's without the first word: TERN_RING_MAGIC and TERN__RING_SLEEP become
RING_MAGIC and RING_SLEEP, struct tern_ring_end becomes RING_END.
"""
import re

from tap import ROOT, Failed, expect

MODULE = ROOT / 'wasm/src/layout.mjs'
HEAD = '''// SPDX-License-Identifier: MIT
// layout.mjs: offsets, sizes and numbers of the shared bytes. Made from the C headers by
// `meson compile -C build layout-table`; a test compares. docs/layout.md tells what they mean.
'''


def constants_of(text):
    """([(name, value)], [(name, value, text)]) of what constants_dump prints."""
    constants, statuses = [], []
    for line in text.splitlines():
        kind, name, value, *rest = line.split(' ', 3)
        if kind == 'constant':
            constants.append((re.sub('^TERN_+', '', name), int(value)))
        elif kind == 'status':
            statuses.append((name, int(value), rest[0]))
        else:
            raise Failed(f'not a constant: {line}')
    return constants, statuses


def camel(name):
    """size_bytes -> sizeBytes"""
    return re.sub(r'_(\w)', lambda match: match.group(1).upper(), name)


def number(value):
    return f'0x{value:08x}' if value > 0xfffff else str(value)


def module_text(native_hash, fields, constants_text):
    constants, statuses = constants_of(constants_text)
    expect(len(constants) > 60 and len(statuses) > 20, 'constants_dump printed too little')
    lines = [HEAD, f'\nexport const LAYOUT_HASH = 0x{native_hash};\n']
    for structure, name, offset, size in fields:
        if name == '-':
            constant = structure.removeprefix('tern_').upper()
            if not lines[-1].endswith(';\n'):
                lines.append('});\n')
            lines.append(f'\n/** struct {structure}: its size, and the offset of each field, in bytes. */\n'
                         f'export const {constant} = Object.freeze({{\n  size: {size},\n')
        else:
            lines.append(f'  {camel(name)}: {offset},   // {size}\n')
    lines.append('});\n\n')
    lines += [f'export const {name} = {number(value)};\n' for name, value in constants]
    lines.append('\n/** The statuses of C, by their names without TERN_. Failures are negative. */\n'
                 'export const STATUS = Object.freeze({\n')
    lines += [f'  {name.removeprefix("TERN_")}: {value},\n' for name, value, _ in statuses]
    lines.append('});\n\n/** What each status means, as C\'s tern_status_text() says it. @type {Record<number, string>} */\n'
                 'export const STATUS_TEXT = Object.freeze({\n')
    lines += [f"  [{value}]: '{text}',\n" for _, value, text in statuses]
    lines.append('});\n')
    return ''.join(lines)


def is_current(native_hash, fields, constants_text):
    expect(MODULE.read_text(encoding='utf-8') == module_text(native_hash, fields, constants_text),
           'wasm/src/layout.mjs is stale: run `meson compile -C build layout-table`, and look what has changed')


def update(native_hash, fields, constants_text):
    MODULE.write_text(module_text(native_hash, fields, constants_text), encoding='utf-8')
