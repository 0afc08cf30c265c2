#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""guard: no call of a hot path may become longer unseen.

    tests/guard/guard.py                  all compilers
    tests/guard/guard.py --compiler gcc   one
    tests/guard/guard.py --record         write what is counted now to instructions.txt

Compiles operations.c, its callers and the library at -O2 and has valgrind's callgrind count the
instructions of each call, and those of them that lock a line or fence. Counts do not depend on how
busy the machine is. Each is compared with instructions.txt: a call may have up to one instruction or
5 % more than recorded, whichever is larger, and no locked one more.

Counted is all from the call's first instruction to its return, other functions of Tern included.
What it calls outside (memcpy of a length that is known at run time only) is not: that is the C
library's, which chooses by processor. A string instruction (rep movs) counts once a repetition.

Exit status: 0, 1 if a call became longer or something is wrong, 77 (skipped) if nothing could be
compared: another compiler or machine than recorded, or no valgrind. With CI set in the environment
a missing valgrind is an error.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FIGURES = HERE / 'instructions.txt'
SOURCES = [HERE / 'operations.c', HERE / 'guard.c', HERE / 'guard_ring.c', ROOT / 'lib/tern.c']
# What distributions set in different ways is set here. Identical functions must stay apart.
FLAGS = ['-std=c11', '-O2', '-DNDEBUG', '-fPIE', '-fno-stack-protector', '-fcf-protection=none', '-U_FORTIFY_SOURCE',
         '-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Wshadow', '-Wmissing-prototypes', '-Werror']
COMPILERS = {'gcc': ['-fno-ipa-icf'], 'clang': []}
HEAD = f'''\
# SPDX-License-Identifier: MIT
# Instructions of one call of each hot path, and how many of them are locked, as callgrind counts them:
# means over some thousands of calls, looking at the other end included. Each is a function of
# operations.h. Compiled with {FLAGS[1]}. Written by: tests/guard/guard.py --record
'''

Count = namedtuple('Count', 'instructions locked')
Row = namedtuple('Row', 'operation recorded now verdict failed')


class Failed(Exception):
    """What is wrong."""


class Skipped(Exception):
    """Why nothing can be compared."""


def run(command):
    """Output of a command; Failed with all that it said if it fails."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise Failed(f'{" ".join(map(str, command))}\nexit status {done.returncode}\n{done.stdout}')
    return done.stdout


# ---- Counting ---------------------------------------------------------------------------

def kind_of(compiler):
    """('gcc-12', 'x86_64'): what figures depend on."""
    if not shutil.which(compiler):
        raise Skipped(f'{compiler} is not installed')
    major = run([compiler, '-dumpversion']).strip().split('.')[0]
    return f'{compiler}-{major}', run([compiler, '-dumpmachine']).split('-')[0]


def need_valgrind(valgrind):
    if not shutil.which(valgrind):
        text = f'{valgrind} is not installed (./dev setup installs it)'
        raise Failed(text) if os.environ.get('CI') else Skipped(text)


def operations():
    """Names in the order of operations.h, without op_."""
    names = re.findall(r'\bop_(\w+)\b', (HERE / 'operations.h').read_text(encoding='utf-8').split('#define', 1)[1])
    return list(dict.fromkeys(names))


def read_profile(text, program):
    """From callgrind's file: {operation: Count}, each the mean of its calls."""
    names, objects = {}, {}   # the file names each function and object once, then gives its number
    events, costs, calls = [], {}, {}
    within = operation = callee = callee_within = None

    def named(table, value):
        number, _, name = value.partition(' ')
        return table.setdefault(number, name)

    def add(line):
        cost = costs.setdefault(operation, [0] * len(events))
        # first stands the place in the source; zeros at the end are left out
        for at, number in enumerate(line.split()[1:]):
            cost[at] += int(number)

    lines = iter(text.splitlines())
    for line in lines:
        key, _, value = line.partition('=')
        if line.startswith('events:'):
            events = line.split()[1:]
        elif key == 'ob':
            within = named(objects, value)
        elif key == 'fn':
            name = named(names, value)
            operation = name if name.startswith('op_') and within == str(program) else None
        elif key == 'cob':
            callee_within = named(objects, value)
        elif key == 'cfn':
            callee = named(names, value)
        elif key == 'calls':   # of callee by this function; the next line is what they cost in all
            cost, inside = next(lines), (callee_within or within) == str(program)
            callee_within = None
            if inside and callee.startswith('op_'):
                calls[callee] = calls.get(callee, 0) + int(value.split()[0])
            if inside and operation:
                add(cost)
        elif operation and re.match(r'[\d+*-]', line):
            add(line)
    if sorted(events) != ['Ge', 'Ir']:
        raise Failed(f'callgrind counted {events}, not instructions (Ir) and bus events (Ge)')
    counts = {}
    for name, cost in costs.items():
        length = re.search(r'_run_(\d+)$', name)
        each = calls[name] * int(length[1] if length else 1)
        counts[name[3:]] = Count(round(cost[events.index('Ir')] / each, 2), round(cost[events.index('Ge')] / each, 3))
    return counts


def measure(compiler, valgrind='valgrind', flags=()):
    """{operation: Count} of the sources as they are, and what this system leaves out: {part of a name: why}."""
    with tempfile.TemporaryDirectory() as folder:
        program, profile = Path(folder, 'guard').resolve(), Path(folder, 'profile')
        run([compiler, *FLAGS, *COMPILERS[compiler], *flags, '-I', ROOT / 'include', *SOURCES, '-pie', '-Wl,-z,now',
             '-o', program])
        said = run([valgrind, '--quiet', '--tool=callgrind', '--collect-bus=yes', f'--callgrind-out-file={profile}',
                    program])
        counts = read_profile(profile.read_text(encoding='utf-8'), program)
    left_out = dict(re.findall(r'^left out: (\w+): (.+)$', said, re.M))
    return {name: counts[name] for name in operations() if name in counts}, left_out


# ---- Comparing --------------------------------------------------------------------------

def read_figures(path):
    """machine, {'gcc-12': {operation: Count}}"""
    try:
        text = path.read_text(encoding='utf-8')
    except OSError as error:
        raise Failed(f'{path.name}: {error.strerror}; make it: tests/guard/guard.py --record') from error
    rows = [line.split() for line in text.splitlines() if line.strip() and line[0] != '#']
    try:
        machine, kinds, labels = rows[0][0], rows[0][1::2], rows[0][2::2]
        if labels != ['locked'] * len(kinds) or not kinds:
            raise ValueError(f'the first line names no compilers: {" ".join(rows[0])}')
        figures = {kind: {} for kind in kinds}
        for name, *numbers in rows[1:]:
            if len(numbers) != 2 * len(kinds):
                raise ValueError(f'{name}: {len(numbers)} numbers')
            for at, kind in enumerate(kinds):
                figures[kind][name] = Count(float(numbers[2 * at]), float(numbers[2 * at + 1]))
    except (IndexError, ValueError) as error:
        raise Failed(f'{path.name} cannot be read: {error}') from error
    return machine, figures


def write_figures(path, machine, figures):
    counts = list(figures.values())
    lines = [f'{machine:<36}' + ''.join(f'{kind:>10}{"locked":>8}' for kind in figures)]
    for name in operations():
        if name not in counts[0]:
            continue
        lines.append(f'{name:<36}' + ''.join(f'{of[name].instructions:10.2f}{of[name].locked:8.3f}' for of in counts))
    path.write_text(HEAD + '\n' + '\n'.join(line.rstrip() for line in lines) + '\n', encoding='utf-8')


def allowance(instructions):
    return max(1.0, 0.05 * instructions)


def judge(recorded, now, left_out=()):
    """One Row an operation."""
    rows = []
    for name in list(now) + [name for name in recorded if name not in now]:
        was, has = recorded.get(name), now.get(name)
        if was is None:
            verdict, failed = 'NOT RECORDED', True
        elif has is None and any(part in name for part in left_out):
            verdict, failed = 'left out here', False
        elif has is None:
            verdict, failed = 'NO LONGER COUNTED', True
        elif round(has.locked - was.locked, 3) > 0:
            verdict, failed = f'LOCKS MORE by {has.locked - was.locked:.3f}', True
        elif round(has.instructions - was.instructions - allowance(was.instructions), 2) > 0:
            verdict, failed = f'LONGER by {has.instructions - was.instructions:.2f}', True
        elif was.instructions - has.instructions > allowance(was.instructions) or has.locked < was.locked:
            verdict, failed = 'shorter: record it', False
        else:
            verdict, failed = ('same' if has == was else 'within the bound'), False
        rows.append(Row(name, was, has, verdict, failed))
    return rows


def show(kind, rows):
    def cells(count):
        return f'{count.instructions:9.2f}{count.locked:8.3f}' if count else f'{"-":>9}{"-":>8}'
    print(f'{kind:<36}{"recorded":>9}{"locked":>8}{"now":>9}{"locked":>8}')
    for row in rows:
        print(f'{row.operation:<36}{cells(row.recorded)}{cells(row.now)}  {row.verdict}')


def check(compiler, path, valgrind):
    """The rows of one compiler, shown; Skipped or Failed."""
    kind, machine = kind_of(compiler)
    recorded_machine, figures = read_figures(path)
    if machine != recorded_machine:
        raise Skipped(f'figures were recorded on {recorded_machine}, this is {machine}')
    if kind not in figures:
        raise Skipped(f'figures were recorded with {", ".join(figures)}, this is {kind}')
    need_valgrind(valgrind)
    counts, left_out = measure(compiler, valgrind)
    rows = judge(figures[kind], counts, left_out)
    show(kind, rows)
    for part, why in left_out.items():
        print(f'guard: left out: {part}: {why}')
    return rows


def record(path, valgrind):
    need_valgrind(valgrind)
    figures, machine = {}, None
    for compiler in COMPILERS:
        kind, machine = kind_of(compiler)
        figures[kind], left_out = measure(compiler, valgrind)
        if left_out:
            raise Failed(f'not all can be counted here: {left_out}')
    write_figures(path, machine, figures)
    print(f'written: {path}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('--compiler', choices=COMPILERS, action='append', help='only this one')
    parser.add_argument('--record', action='store_true', help='write the figures; needs all compilers')
    parser.add_argument('--figures', type=Path, default=FIGURES, metavar='FILE', help='in place of instructions.txt')
    parser.add_argument('--valgrind', default='valgrind', metavar='PROGRAM', help='in place of valgrind')
    given = parser.parse_args()
    if given.record:
        try:
            record(given.figures, given.valgrind)
        except (Failed, Skipped) as error:
            sys.exit(f'guard: not recorded: {error}')
        return 0
    outcomes = []
    for compiler in given.compiler or COMPILERS:
        try:
            rows = check(compiler, given.figures, given.valgrind)
        except Skipped as skipped:
            print(f'guard: {compiler} skipped: {skipped}')
            outcomes.append(77)
        except Failed as failed:
            print(f'guard: {compiler}: {failed}')
            outcomes.append(1)
        else:
            failures = [row.operation for row in rows if row.failed]
            if failures:
                print(f'guard: {compiler}: {len(failures)} of {len(rows)} failed: {", ".join(failures)}')
            if failures or any('record it' in row.verdict for row in rows):
                print('guard: if this is meant, record it: tests/guard/guard.py --record')
            outcomes.append(1 if failures else 0)
    return 1 if 1 in outcomes else 0 if 0 in outcomes else 77


if __name__ == '__main__':
    sys.exit(main())
