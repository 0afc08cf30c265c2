# SPDX-License-Identifier: MIT
"""The layout of the shared bytes: the same on every target, whole, and as docs/layout.md says.

    layout.py DUMP CONSTANTS TERN_WASM   test; the built layout_dump and constants_dump, and the folder of
                                         the wasm modules
    layout.py DUMP CONSTANTS --update    write the table into docs/layout.md, and wasm/src/layout.mjs
"""
import os
import re
import sys
from pathlib import Path

import layout_js
from tap import ROOT, WASM, WASM_THREADS, Failed, Skipped, Tap, expect, expect_failure, run

DOCUMENT = ROOT / 'docs/layout.md'
BEGIN, END = '<!-- fields: begin -->\n', '<!-- fields: end -->\n'
INCLUDE = ['-I', ROOT / 'include']
FREESTANDING = ['-ffreestanding', '-fsyntax-only', '-std=c11', '-x', 'c', '-']
CLANG_TARGETS = ['x86_64-unknown-none', 'i686-unknown-none', 'armv7-none-eabi', 'aarch64-none-elf',
                 'riscv64-unknown-elf']


def parse(text):
    """(hash, [(structure, field or '-', offset, size)]) of what layout_dump prints."""
    first, *lines = text.splitlines()
    fields = [(structure, name, int(offset), int(size)) for structure, name, offset, size in map(str.split, lines)]
    if not fields or not first.startswith('hash '):
        raise Failed(f'not a layout: {text[:200]}')
    return first.split()[1], fields


def assertions(fields):
    """C that compiles only where every field has this offset and size."""
    lines = ['#include <tern/tern.h>\n']
    for structure, name, offset, size in fields:
        what = f'struct {structure}'
        if name == '-':
            lines.append(f'_Static_assert(sizeof({what}) == {size}, "size of {structure}");\n')
            continue
        lines.append(f'_Static_assert(offsetof({what}, {name}) == {offset}, "offset of {structure}.{name}");\n')
        lines.append(f'_Static_assert(sizeof((({what} *)0)->{name}) == {size}, "size of {structure}.{name}");\n')
    return ''.join(lines)


def holds(command, text):
    run([*command, *INCLUDE, *FREESTANDING], input=text)


def notices_changes(fields):
    """The control: every single number counts."""
    holds(['clang', '--target=aarch64-none-elf'], assertions(fields))
    for index, (structure, name, offset, size) in enumerate(fields):
        wrongs = [(structure, name, offset, size + 1)]
        if name != '-':
            wrongs.append((structure, name, offset + 1, size))
        for wrong in wrongs:
            text = assertions([*fields[:index], wrong, *fields[index + 1:]])
            expect_failure(f'{structure}.{name} with another number',
                           lambda text=text: holds(['clang', '--target=aarch64-none-elf'], text))


def holds_on_gcc_m32(fields):
    try:
        holds(['gcc', '-m32'], '')
    except Failed as failed:
        raise Skipped('this gcc has no -m32') from failed
    holds(['gcc', '-m32'], assertions(fields))


def runs_on_m32(native):
    """The table and the hash as a 32-bit program computes them."""
    build = ROOT / 'tests/build/layout_dump.c', ROOT / 'lib/tern.c'
    out = Path(os.environ.get('TMPDIR', '/tmp')) / f'tern-layout-m32-{os.getpid()}'
    try:
        run(['gcc', '-m32', '-x', 'c', '-', '-o', out], input='#include <stdio.h>\nint main(void) { return 0; }\n')
    except Failed as failed:
        raise Skipped('gcc -m32 has no C library here (Debian: gcc-multilib)') from failed
    try:
        run(['gcc', '-m32', '-std=c11', *INCLUDE, *build, '-o', out])
        expect(run([out]) == native, 'a 32-bit program sees another layout')
    finally:
        out.unlink(missing_ok=True)


def same_in_wasm(native, folder, kind):
    dump = ROOT / 'tests/wasm/layout_dump.mjs'
    seen = run(['node', dump, kind], env={**os.environ, 'TERN_WASM': folder})
    expect(seen == native, f'wasm sees another layout:\n{seen}')


def shared_structs():
    """{structure: [fields]} of the headers. Views and descriptions are typedefs, shared structs are not."""
    structs = {}
    for header in sorted((ROOT / 'include/tern').glob('*.h')):
        text = re.sub(r'/\*.*?\*/|//[^\n]*', '', header.read_text(encoding='utf-8'), flags=re.S)
        for name, body in re.findall(r'^struct (tern_\w+) \{(.*?)^\};', text, re.S | re.M):
            declared = re.findall(r'(\w+)\s*(?:\[[^;]*\])?;', body)
            structs[name] = [field for field in declared if not re.match(r'pad\d*$', field)]
    return structs


def table_is_whole(fields):
    """Every field of every shared struct is in the table, and so in the hash, but padding and words kept at 0."""
    structs = shared_structs()
    expect(len(structs) >= 7, f'only {sorted(structs)} were found in the headers')
    listed = {(structure, name) for structure, name, _, _ in fields}
    for structure, declared in structs.items():
        expect((structure, '-') in listed, f'struct {structure} is not in tern_layout()')
        missing = [name for name in declared if (structure, name) not in listed and name != 'reserved']
        expect(not missing, f'{structure}: {missing} not in tern_layout()')


def no_field_overlaps(fields):
    """Fields do not overlap, and lie within their struct."""
    sizes = {structure: size for structure, name, _, size in fields if name == '-'}
    end, last = 0, None
    for structure, name, offset, size in fields:
        if structure != last or name == '-':
            end, last = 0, structure
        if name == '-':
            continue
        expect(offset >= end, f'{structure}.{name} at {offset} overlaps the field before it, which ends at {end}')
        end = offset + size
        expect(end <= sizes[structure], f'{structure}.{name} ends at {end}, its struct at {sizes[structure]}')


def comments():
    """{(structure, field): what the header says of it}, first line only."""
    found = {}
    for header in sorted((ROOT / 'include/tern').glob('*.h')):
        text = header.read_text(encoding='utf-8')
        for structure, body in re.findall(r'^struct (tern_\w+) \{\n(.*?)^\};', text, re.S | re.M):
            for name, comment in re.findall(r'(\w+)(?:\[[^;]*\])?;\s*/\* (.*?) \*/', body):
                found[structure, name] = comment
    return found


def table(native_hash, fields):
    said = comments()
    lines = [BEGIN, f'Layout hash: `0x{native_hash}`\n']
    for structure, name, offset, size in fields:
        if name == '-':
            lines.append(f'\n**struct {structure}**, {size} bytes\n\n')
            lines.append('| offset | bytes | field | |\n|---:|---:|---|---|\n')
            if not any(each[0] == structure and each[1] != '-' for each in fields):
                lines.append(f'| 0 | {size} | | reserved |\n')
        else:
            text = said.get((structure, name), '').replace('|', '\\|')
            lines.append(f'| {offset} | {size} | `{name}` | {text} |\n')
    return ''.join([*lines, END])


def documented(native_hash, fields):
    text = DOCUMENT.read_text(encoding='utf-8')
    expect(BEGIN in text and END in text, 'docs/layout.md has no marks for the table')
    found = text[text.index(BEGIN):text.index(END) + len(END)]
    expect(found == table(native_hash, fields),
           'docs/layout.md is stale: run `meson compile -C build layout-table`, and look what has changed')


def update(native_hash, fields):
    text = DOCUMENT.read_text(encoding='utf-8')
    text = text[:text.index(BEGIN)] + table(native_hash, fields) + text[text.index(END) + len(END):]
    DOCUMENT.write_text(text, encoding='utf-8')


def main():
    native = run([sys.argv[1]])
    native_hash, fields = parse(native)
    constants = run([sys.argv[2]])
    if '--update' in sys.argv:
        update(native_hash, fields)
        layout_js.update(native_hash, fields, constants)
        return
    tap = Tap()
    tap.case('the table names every shared field', table_is_whole, fields)
    tap.case('no field overlaps another', no_field_overlaps, fields)
    tap.case('docs/layout.md tells the truth', documented, native_hash, fields)
    tap.case('wasm/src/layout.mjs tells the truth', layout_js.is_current, native_hash, fields, constants)
    for target in CLANG_TARGETS:
        tap.case(f'offsets and sizes: clang {target}', holds, ['clang', f'--target={target}'], assertions(fields))
    for name, threads in ('threads', WASM_THREADS), ('single', []):
        tap.case(f'offsets and sizes: wasm32 {name}', holds, [*WASM, *threads], assertions(fields))
    tap.case('offsets and sizes: gcc -m32', holds_on_gcc_m32, fields)
    tap.case('a wrong number is noticed', notices_changes, fields)
    tap.case('a 32-bit program computes the same hash', runs_on_m32, native)
    for kind in 'threads', 'single':
        tap.case(f'tern.{kind}.wasm under Node computes the same hash', same_in_wasm, native, sys.argv[3], kind)
    tap.run()


if __name__ == '__main__':
    main()
