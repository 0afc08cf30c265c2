#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_guard: the guard must fail when a call is longer, and must say what keeps it from counting.

Counts the library as it is, then with something put in the place of TERN_ASSERT, which stands in
the typed calls of a ring. Prints TAP.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import guard

COMPILER = 'gcc'
CHECKED = '-DTERN_ASSERT(c)=if (!(c)) __builtin_trap()'
LOCKED = '-DTERN_ASSERT(c)=__asm__ __volatile__("lock orl $0, (%%rsp)" ::: "memory")'
# some that the two reach and that are too short for two instructions more, and one that they do not reach
TYPED = {'ring_push_8', 'ring_pop_8', 'ring_pop_8_unsettled', 'ring_pop_8_waitable'}
UNTYPED = 'triple_publish_read'


def judged(recorded, now):
    """{operation: verdict} of those that fail."""
    return {row.operation: row.verdict for row in guard.judge(recorded, now) if row.failed}


def counts_are_the_same_twice(plain):
    again, _ = guard.measure(COMPILER)
    return len(plain) > 40 and again == plain and not judged(plain, again)


def branch_is_found(plain):
    found = judged(plain, guard.measure(COMPILER, flags=[CHECKED])[0])
    return all('LONGER' in found.get(name, '') for name in TYPED) and UNTYPED not in found


def locked_instruction_is_found(plain):
    found = judged(plain, guard.measure(COMPILER, flags=[LOCKED])[0])
    return all('LOCKS MORE by 1.000' in found.get(name, '') for name in TYPED) and UNTYPED not in found


def system_without_barriers_leaves_out(_):
    counts, left_out = guard.measure(COMPILER, flags=['-DGUARD_WITHOUT_BARRIERS'])
    waitable = {name for name in guard.operations() if '_waitable' in name}
    recorded = counts | {name: guard.Count(1, 0) for name in waitable}
    rows = guard.judge(recorded, counts, left_out)
    return (waitable and waitable.isdisjoint(counts) and not any(row.failed for row in rows)
            and {row.operation for row in rows if row.verdict == 'left out here'} == waitable
            and set(judged(recorded, counts)) == waitable)


def allowance_is_kept(_):
    def failed(was, now, was_locked=0.0, locked=0.0):
        return bool(judged({'a': guard.Count(was, was_locked)}, {'a': guard.Count(now, locked)}))
    return (not failed(10, 11) and failed(10, 11.01) and not failed(100, 105) and failed(100, 105.01)
            and not failed(10, 1) and failed(10, 1, 0, 0.001) and not failed(10, 10, 1, 0.5))


def shorter_call_is_to_be_recorded(_):
    rows = guard.judge({'a': guard.Count(50, 0)}, {'a': guard.Count(40, 0)})
    return not rows[0].failed and 'record' in rows[0].verdict


def unrecorded_call_is_found(plain):
    fewer = {name: count for name, count in plain.items() if name != UNTYPED}
    return list(judged(fewer, plain)) == [UNTYPED] == list(judged(plain, fewer))


def figures_are_read_as_written(plain, path):
    guard.write_figures(path, 'x86_64', {'gcc-1': plain, 'clang-2': plain})
    return guard.read_figures(path) == ('x86_64', {'gcc-1': plain, 'clang-2': plain})


def bad_figures_are_refused(path):
    for text in None, '', 'x86_64 gcc-1\n', 'x86_64 gcc-1 locked\na 1\n', 'x86_64 gcc-1 locked\na 1 b\n':
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)
        try:
            guard.read_figures(path)
        except guard.Failed as failed:
            if path.name in str(failed):
                continue
        return False
    return True


def answers(path, kind, machine, status, valgrind='valgrind', ci=''):
    """The command's exit status with figures of that compiler and machine, and whether it says why."""
    guard.write_figures(path, machine, {kind: {}})
    command = [guard.HERE / 'guard.py', '--figures', path, '--compiler', COMPILER, '--valgrind', valgrind]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, env={**os.environ, 'CI': ci})
    return done.returncode == status and 'guard: ' in done.stdout


def main():
    try:
        kind, machine = guard.kind_of(COMPILER)
        guard.need_valgrind('valgrind')
        if machine != 'x86_64':
            raise guard.Skipped(f'written for x86_64, this is {machine}')
    except guard.Skipped as skipped:
        print(f'1..0 # SKIP {skipped}')
        return 0
    except guard.Failed as failed:
        sys.exit(f'test_guard: {failed}')
    plain, _ = guard.measure(COMPILER)
    absent = 'valgrind-that-is-not-there'
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'figures.txt')
        cases = [
            ('counts are the same twice', counts_are_the_same_twice, (plain,)),
            ('a check more in a call is found', branch_is_found, (plain,)),
            ('a locked instruction more in a call is found', locked_instruction_is_found, (plain,)),
            ('a system without membarrier leaves waitable rings out', system_without_barriers_leaves_out, (plain,)),
            ('the allowance is one instruction or 5 %, and none locked', allowance_is_kept, (plain,)),
            ('a shorter call passes and is to be recorded', shorter_call_is_to_be_recorded, (plain,)),
            ('a call that is not recorded, or not counted any more, is found', unrecorded_call_is_found, (plain,)),
            ('figures are read as they were written', figures_are_read_as_written, (plain, path)),
            ('figures that make no sense are refused', bad_figures_are_refused, (path,)),
            ('figures that leave out every call fail', answers, (path, kind, machine, 1)),
            ('another version of the compiler is skipped', answers, (path, 'gcc-1', machine, 77)),
            ('another machine is skipped', answers, (path, kind, 'pdp11', 77)),
            ('without valgrind it is skipped', answers, (path, kind, machine, 77, absent)),
            ('without valgrind it fails in CI', answers, (path, kind, machine, 1, absent, 'true')),
        ]
        print(f'1..{len(cases)}')
        failures = 0
        for number, (name, case, arguments) in enumerate(cases, 1):
            ok = case(*arguments)
            failures += not ok
            print(f'{"" if ok else "not "}ok {number} - {name}', flush=True)
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
