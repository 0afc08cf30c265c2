# SPDX-License-Identifier: MIT
"""The single header: made reproducibly and whole, compiled in each language with and without the
implementation, linked from two files in either language, leaking no name."""
import os
import re
import tempfile
from pathlib import Path

from tap import (ROOT, STANDARDS, WARNINGS, WASM, WASM_THREADS, Failed, Tap, compiler, compilers, expect,
                 expect_failure, run)

AMALGAMATE = ROOT / 'tools/amalgamate'
HERE = ROOT / 'tests/build'
IMPLEMENTATION = '#define TERN_IMPLEMENTATION\n#include "tern.h"\n'
INTERFACE = '#include "tern.h"\n'


def reproducible(folder):
    first = (folder / 'tern.h').read_bytes()
    elsewhere = folder / 'elsewhere'
    elsewhere.mkdir()
    for number, (where, seed) in enumerate([(ROOT, '1'), (elsewhere, '2'), (Path('/'), '3')]):
        out = folder / f'again{number}.h'
        # relative to where it runs, with another hash order, locale and clock zone each time
        environment = {**os.environ, 'PYTHONHASHSEED': seed, 'LC_ALL': 'C', 'TZ': f'UTC{number}'}
        run([AMALGAMATE, '-o', os.path.relpath(out, where)], cwd=where, env=environment)
        expect(out.read_bytes() == first, f'another text when run in {where}')
    expect(str(ROOT).encode() not in first, 'the text names a folder of this machine')


def sources():
    """Every file whose text belongs into it."""
    files = [*(ROOT / 'include/tern').glob('*.h'), *(ROOT / 'lib').glob('*.[ch]'), *(ROOT / 'lib/os').glob('*.[ch]')]
    return sorted(files)


def whole(folder):
    """Every file of include/ and lib/ is in it, once, with all of its lines but the includes."""
    text = (folder / 'tern.h').read_text(encoding='utf-8')
    expect(len(sources()) > 20, 'include/ and lib/ were not found')
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        expect(text.count(f'/* ---- {name} ---- */\n') == 1, f'{name} is in it {text.count(name)} times, not once')
        for line in path.read_text(encoding='utf-8').splitlines():
            expect('#include "' in line or line + '\n' in text, f'a line of {name} is missing: {line}')
    left = [line for line in text.splitlines() if re.match(r'\s*#\s*include\s*"', line)]
    expect(not left, f'an include of the project is left: {left}')


def refuses_conditional_includes(folder):
    """The control of the amalgamator's own check, on a copy of the sources."""
    copy = folder / 'copy'
    for part in 'include', 'lib', 'tools/amalgamate', 'LICENSE':
        target = copy / part
        target.parent.mkdir(parents=True, exist_ok=True)
        run(['cp', '-r', ROOT / part, target])
    run([copy / 'tools/amalgamate', '-o', folder / 'copy.h'])
    expect((folder / 'copy.h').read_bytes() == (folder / 'tern.h').read_bytes(), 'a copy gives another text')
    with open(copy / 'lib/tern.c', 'a', encoding='utf-8') as file:
        file.write('#if 1\n#include "more.c"\n#endif\n')
    (copy / 'lib/more.c').write_text('int more;\n', encoding='utf-8')
    expect_failure('an include under a condition', lambda: run([copy / 'tools/amalgamate', '-o', folder / 'copy.h']))


def version():
    project = re.search(r"version: '([^']+)'", (ROOT / 'meson.build').read_text(encoding='utf-8')).group(1)
    base = (ROOT / 'include/tern/base.h').read_text(encoding='utf-8')
    parts = [re.search(rf'#define TERN_VERSION_{part} (\d+)', base).group(1) for part in ('MAJOR', 'MINOR', 'PATCH')]
    expect('.'.join(parts) == project, f'base.h says {".".join(parts)}, meson.build {project}')
    expect(f'#define TERN_VERSION_STRING "{project}"' in base, f'TERN_VERSION_STRING is not {project}')


def compiles(command, folder, text, flags):
    language = [] if '-x' in command else ['-x', 'c']
    run([*command, *language, '-Wundef', '-I', folder, *flags, '-'], input=text)


def compiles_all_ways(command, folder):
    """Interface, implementation, and implementation behind the interface in one file."""
    for flags in [], ['-DTERN_NONBLOCKING']:
        compiles(command, folder, INTERFACE, [*flags, '-fsyntax-only'])
    # the interface comes first in each of these
    for flags in ['-DTERN_NONBLOCKING'], ['-DTERN_WAIT_BACKEND_PORTABLE'], ['-DTERN_DEBUG=1']:
        if '-ffreestanding' in command and '-DTERN_DEBUG=1' in flags:
            continue   # no assert.h there
        compiles(command, folder, IMPLEMENTATION, [*flags, '-fsyntax-only'])
    # as it is with code generated, because some warnings come only then
    compiles(command, folder, IMPLEMENTATION, ['-O2', '-S', '-o', '/dev/null'])
    early = '' if 'c++' in command else '#define _GNU_SOURCE 1\n'
    again = IMPLEMENTATION.replace('#define', '#undef TERN_IMPLEMENTATION\n#define')
    compiles(command, folder, early + INTERFACE + INTERFACE + IMPLEMENTATION + again, ['-fsyntax-only'])


def links(pair, main_standard, other_standard, holder, folder):
    """Two files, the implementation in one of them, and the program runs."""
    stem = folder / f'{pair[0]}-{main_standard}-{other_standard}-{holder}'
    for name, standard in ('main', main_standard), ('other', other_standard):
        flags = ['-DHOLDS_IMPLEMENTATION'] if name == holder else []
        run([*compiler(pair, standard), *flags, '-I', folder, '-c', HERE / f'single_{name}.c',
             '-o', f'{stem}.{name}.o'])
    run([pair[2], f'{stem}.main.o', f'{stem}.other.o', '-o', stem])
    expect(run([stem]).split()[1] in ('futex', 'portable'), 'the program says nothing')


def comes_first(folder):
    """Behind a system header the implementation says what is wrong, instead of failing somewhere."""
    text = '#include <stdio.h>\n' + IMPLEMENTATION
    run(['gcc', '-std=c11', '-D_GNU_SOURCE', '-I', folder, '-fsyntax-only', '-x', 'c', '-'], input=text)
    try:
        run(['gcc', '-std=c11', '-I', folder, '-fsyntax-only', '-x', 'c', '-'], input=text)
    except Failed as failed:
        expect('include tern.h before any system header' in str(failed), f'no clear message: {failed}')
        return
    raise Failed('compiled without _GNU_SOURCE')


def needs_one_implementation(folder):
    """The control of the linking: without an implementation, or with two, there is no program."""
    for flags in [], ['-DHOLDS_IMPLEMENTATION']:
        expect_failure(f'linked with {"two implementations" if flags else "none"}',
                       lambda: run(['gcc', *flags, '-I', folder, HERE / 'single_main.c', HERE / 'single_other.c',
                                    '-o', folder / 'never']))


def macros_of(text, folder):
    out = run(['gcc', '-std=c11', '-I', folder, '-dM', '-E', '-x', 'c', '-'], input=text)
    return {line.split()[1].split('(')[0] for line in out.splitlines()}


def leaks_no_macro(folder):
    """What the header defines begins with TERN; what its system headers define is theirs."""
    text = (folder / 'tern.h').read_text(encoding='utf-8')
    own = set(re.findall(r'^\s*#\s*define\s+(\w+)', text, re.M))
    left = macros_of(IMPLEMENTATION, folder) & own
    foreign = sorted(name for name in left if not name.startswith('TERN') and not name.startswith('tern_')
                     and name != '_GNU_SOURCE')
    expect(len(left) > 50, 'no macros found: the pattern is broken')
    expect(not foreign, f'macros left behind: {foreign}')


def leaks_no_symbol(folder):
    """Global symbols begin with tern_, local ones with tern_ or the name of their module."""
    out = folder / 'symbols.o'
    run(['gcc', '-std=c11', '-O0', '-I', folder, '-c', '-x', 'c', '-', '-o', out], input=IMPLEMENTATION)
    modules = '|'.join([*(path.stem for path in (ROOT / 'lib').glob('*.c')), 'shm', 'barrier', 'futex', 'portable',
                        'wasm', 'none', 'guard', 'mappings?', 'huge', 'lock', 'hold', 'settle', 'role'])
    count = 0
    for line in run(['nm', '--defined-only', out]).splitlines():
        kind, name = line.split()[-2:]
        count += 1
        pattern = r'tern_' if kind.isupper() else rf'(tern_|({modules})_|__func__|__PRETTY_FUNCTION__)'
        expect(re.match(pattern, name), f'{name} ({kind}) has no prefix')
    expect(count > 60, f'{count} symbols only')


def main(folder):
    run([AMALGAMATE, '-o', folder / 'tern.h'])
    tap = Tap()
    tap.case('the same bytes twice, from another folder, in another locale', reproducible, folder)
    tap.case('every source is in it, whole and once', whole, folder)
    tap.case('an include under a condition is refused', refuses_conditional_includes, folder)
    tap.case('one version everywhere', version)
    for pair in compilers():
        for standard in STANDARDS:
            tap.case(f'interface and implementation compile: {pair[0]} {standard}', compiles_all_ways,
                     compiler(pair, standard), folder)
    for name, threads in ('threads', WASM_THREADS), ('single', []):
        tap.case(f'interface and implementation compile: wasm32 {name}', compiles_all_ways,
                 [*WASM, *threads, *WARNINGS], folder)
    for pair in compilers():
        for main_standard, other_standard in ('c11', 'c11'), ('c11', 'c++17'), ('c++11', 'c17'), ('c++20', 'c++20'):
            for holder in 'main', 'other':
                tap.case(f'two files run: {pair[0]} {main_standard} + {other_standard}, implementation in {holder}',
                         links, pair, main_standard, other_standard, holder, folder)
    tap.case('the implementation behind a system header says so', comes_first, folder)
    tap.case('none or two implementations do not link', needs_one_implementation, folder)
    tap.case('no macro leaks', leaks_no_macro, folder)
    tap.case('no symbol without its prefix', leaks_no_symbol, folder)
    tap.run()


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as name:
        main(Path(name))
