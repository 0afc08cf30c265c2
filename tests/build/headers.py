# SPDX-License-Identifier: MIT
"""Each public header alone, in each language, by each compiler, natively and as wasm32; the
typed ring instantiated in each language; atomics in include/tern/atomic.h alone."""
import platform
import re
import tempfile
from pathlib import Path

from tap import (ROOT, STANDARDS, WARNINGS, WASM, WASM_THREADS, Skipped, Tap, compiler, compilers, expect,
                 expect_failure, run)

# a part of another header: ring_inline.h and the others of such a name, and what ring_inline.h is made of
PARTS = sorted(path.name for path in (ROOT / 'include/tern').glob('*_*.h'))
HEADERS = sorted(path.name for path in (ROOT / 'include/tern').glob('*.h') if path.name not in PARTS)
ALL_OF_THEM = ['tern.h', 'rcu.h']   # the first includes all but the second, as a case verifies
INCLUDE = ['-I', str(ROOT / 'include')]
ATOMICS = re.compile(r'\b_Atomic\b|<stdatomic\.h>|<atomic>|__atomic_|\bvolatile\b')


def compile_headers(command, ways=([], ['-DTERN_NONBLOCKING']), headers=HEADERS):
    """Each header in a compilation of its own, with and without the calls that block."""
    for header in headers:
        for nonblocking in ways:
            run([*command, *INCLUDE, *nonblocking, '-fsyntax-only', '-'], input=f'#include <tern/{header}>\n')


def compile_typed(command):
    """With code generated, because gcc warns of overflows only then, and differently by level."""
    source = ROOT / 'tests/build/typed_ring.c'
    for flags in ['-O0'], ['-Og'], ['-O2'], ['-O2', '-DTERN_NONBLOCKING']:
        run([*command, *INCLUDE, *flags, '-S', '-o', '/dev/null', source])


GENERIC = '''#include <tern/ring.h>
#include <tern/triple.h>
bool push(tern_ring_producer *p);
bool push(tern_ring_producer *p) { int number = 42; return tern_ring_push(p, &number); }
int pop(tern_ring_consumer *c);
int pop(tern_ring_consumer *c) { int number = 0; return tern_ring_pop(c, &number) ? number : -1; }
bool publish(tern_triple_writer *w, int number);
bool publish(tern_triple_writer *w, int number) { *(int *)tern_triple_back(w) = number; return tern_triple_publish(w); }
int update(tern_triple_reader *r);
int update(tern_triple_reader *r) { return tern_triple_update(r) ? *(const int *)tern_triple_front(r) : -1; }
#include <tern/stream.h>
bool send(tern_stream_producer *p);
bool send(tern_stream_producer *p)
{
    int number = 42;
    return tern_stream_send(p, 1, &number, sizeof number) && tern_stream_send(p, 2, NULL, 0);
}
int receive(tern_stream_consumer *c);
int receive(tern_stream_consumer *c)
{
    int number = 0;
    uint32_t length = 0, kind = 0;
    if (tern_stream_receive(c, NULL, 0, &length, &kind)) return 0;
    return tern_stream_receive(c, &number, sizeof number, &length, &kind) ? number : -1;
}
uint32_t in_place(tern_stream_producer *p, tern_stream_consumer *c);
uint32_t in_place(tern_stream_producer *p, tern_stream_consumer *c)
{
    uint32_t length = 0, kind = 0;
    void *at = tern_stream_reserve(p, 8);
    if (at) tern_stream_set_kind(p, 3);
    if (at) tern_stream_commit(p, 5);
    if (tern_stream_peek(c, &length, &kind)) tern_stream_release(c);
    return length + kind;
}
'''


def compile_generic(pair, standard):
    """The calls without a type, on an object smaller than the largest size they know."""
    for level in '-O0', '-Og', '-O2', '-Os':
        run([*compiler(pair, standard), *INCLUDE, level, '-S', '-o', '/dev/null', '-'], input=GENERIC)


def run_typed(pair, standard, folder):
    """The header's calls do their work in this language: linked with the library, in C."""
    stem = folder / f'{pair[0]}-{standard}'
    run([pair[1], '-std=c11', '-c', ROOT / 'lib/tern.c', '-o', f'{stem}.lib.o'])
    run([*compiler(pair, standard), *INCLUDE, '-c', ROOT / 'tests/build/typed_ring.c', '-o', f'{stem}.o'])
    run([pair[2], f'{stem}.o', f'{stem}.lib.o', '-o', stem])
    run([stem])


def blocking_calls():
    """Every call that is named so; rcu.h's are hidden too."""
    text = ''.join(path.read_text(encoding='utf-8') for path in sorted((ROOT / 'include/tern').glob('*.h')))
    return sorted(set(re.findall(r'^TERN_API \w+ (tern_\w+_wait)\(', text, re.M)))


def hidden_without_blocking():
    """With TERN_NONBLOCKING a blocking call does not even exist."""
    calls = blocking_calls()
    expect({'tern_word_wait', 'tern_ring_pop_wait', 'tern_triple_wait', 'tern_bell_wait'} <= set(calls), f'found {calls}')
    for call in calls:
        text = f'#include <tern/tern.h>\nvoid *use(void);\nvoid *use(void) {{ return (void *)(uintptr_t){call}; }}\n'
        command = ['gcc', '-std=c11', *INCLUDE, '-fsyntax-only', '-x', 'c', '-']
        run(command, input=text)
        expect_failure(f'{call} is declared under TERN_NONBLOCKING',
                       lambda: run([*command, '-DTERN_NONBLOCKING'], input=text))


def all_of_them_are_all():
    text = run(['gcc', '-std=c11', *INCLUDE, '-H', '-fsyntax-only', '-x', 'c', '-'], input='#include <tern/tern.h>\n')
    missing = [name for name in HEADERS if f'include/tern/{name}\n' not in text and name not in ALL_OF_THEM]
    expect(not missing, f'tern.h does not include {missing}')


def part_refuses(name):
    expect_failure(f'{name} was included by itself',
                   lambda: run(['gcc', *INCLUDE, '-fsyntax-only', '-x', 'c', '-'], input=f'#include <tern/{name}>\n'))


PUSH = '''#include <tern/ring.h>
TERN_RING_DEFINE(numbers, uint64_t)
bool push(tern_ring_producer *p, uint64_t number);
bool push(tern_ring_producer *p, uint64_t number) { return numbers_push(p, &number); }
'''


def push_asks_for_its_line(pair):
    """As the owner, though the compiler is not told that the processor can: a push takes several times as long else."""
    if platform.machine() != 'x86_64':
        raise Skipped('not an x86-64')
    for flags in [], ['-march=native']:
        command = [*compiler(pair, 'c11'), '-O2', *flags, *INCLUDE, '-S', '-o', '-', '-']
        expect('prefetchw' in run(command, input=PUSH), f'{pair[0]} {" ".join(flags)}: no prefetchw in a push')
        expect('prefetchw' not in run(command, input=PUSH.replace('numbers_push(p, &number)', 'p && number')),
               'prefetchw where nothing is pushed: the check finds it anywhere')


def atomics_in(files):
    return [f'{path.relative_to(ROOT)}:{number}: {line.strip()}' for path in files
            for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1) if ATOMICS.search(line)]


def atomics_live_in_one_place():
    home = ROOT / 'include/tern/atomic.h'
    files = [path for folder in ('include', 'lib') for path in sorted((ROOT / folder).rglob('*'))
             if path.is_file() and path != home]
    expect(len(files) > 15, 'include/ and lib/ were not found')
    expect(atomics_in([home]), 'the pattern finds nothing in atomic.h: it is broken')
    found = atomics_in(files)
    expect(not found, 'outside include/tern/atomic.h:\n' + '\n'.join(found))


def main(folder):
    tap = Tap()
    for pair in compilers():
        for standard in STANDARDS:
            # What a header lacks alone, it lacks by any standard, and so does what TERN_NONBLOCKING leaves out:
            # one standard of each language will do. Between them, all headers at once.
            if standard in ('c11', 'c++20'):
                tap.case(f'headers alone: {pair[0]} {standard}', compile_headers, compiler(pair, standard))
            else:
                tap.case(f'headers at once: {pair[0]} {standard}', compile_headers, compiler(pair, standard),
                         ([],), ALL_OF_THEM)
    for name, threads in ('threads', WASM_THREADS), ('single', []):
        tap.case(f'headers alone: wasm32 {name} c11', compile_headers, [*WASM, *threads, *WARNINGS, '-x', 'c'])
        tap.case(f'typed ring compiles: wasm32 {name} c11', compile_typed, [*WASM, *threads, *WARNINGS, '-x', 'c'])
    for pair in compilers():
        for standard in STANDARDS:
            tap.case(f'typed ring compiles: {pair[0]} {standard}', compile_typed, compiler(pair, standard))
        for standard in 'c11', 'c++20':
            tap.case(f'generic calls compile: {pair[0]} {standard}', compile_generic, pair, standard)
        for standard in 'c11', 'c++11', 'c++20':
            tap.case(f'typed ring runs: {pair[0]} {standard}', run_typed, pair, standard, folder)
        tap.case(f'push asks for its line as the owner: {pair[0]}', push_asks_for_its_line, pair)
    tap.case('tern.h includes every header but rcu.h', all_of_them_are_all)
    tap.case('TERN_NONBLOCKING hides every blocking call', hidden_without_blocking)
    for name in PARTS:
        tap.case(f'{name} refuses to be included alone', part_refuses, name)
    tap.case('atomics live in include/tern/atomic.h alone', atomics_live_in_one_place)
    tap.run()


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as name:
        main(Path(name))
