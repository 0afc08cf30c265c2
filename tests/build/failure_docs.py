#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/failure.md has a row for every public call, and every test that its pages name is there."""
import fnmatch
import importlib.util
import re

from tap import ROOT, Tap, expect, expect_failure

ROLES = ('producer', 'consumer', 'writer', 'reader')
# No byte of shared memory decides what these do.
ELSEWHERE = ('tern_*_size', 'tern_region_object_size', 'tern_*_format', 'tern_layout*', 'tern_handle_*',
             'tern_status_*', 'tern_now_ns', 'tern_wait_backend', 'tern_cpu_relax', 'tern_prefetch_write',
             'tern_copy_*', 'tern_read_once', 'tern_rcu_*', 'tern_pool_free_rcu')
PAGES = sorted((ROOT / 'docs').glob('failure*.md'))
PROGRAM = re.compile(r'`((?:kill|test|fuzz)_\w+|hostile)`(?:: ([^)`|]*))?')
CASE = re.compile(r'`((?:hazard|guard|shm|fork|status|hole)_\w+)`')


def public_calls():
    spec = importlib.util.spec_from_file_location('documented', ROOT / 'tests/unit/documented.py')
    documented = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(documented)
    return list(documented.calls_of(sorted((ROOT / 'include/tern').glob('*.h'))))


def rows_of(text):
    """Prefix -> the short names in the first cells below it."""
    rows, prefix = {}, None
    for line in text.splitlines():
        begins = re.match(r'\| \*\*.*?`(tern_\w+_)` \|', line)
        if begins:
            prefix = begins.group(1)
            rows[prefix] = set()
        elif prefix and line.startswith('| '):
            rows[prefix] |= set(re.findall(r'[a-z]\w*', line.split('|')[1]))
    return rows


def without_role(short):
    """push_wait is itself; producer_status, close_producer and producer_was_count lose who does it."""
    words = short.split('_')
    return '_'.join(word for word in words if word not in ROLES)


def missing_calls(text, calls):
    rows = rows_of(text)
    missing = []
    for call in calls:
        if any(fnmatch.fnmatch(call, pattern) for pattern in ELSEWHERE):
            continue
        prefix = re.match(r'tern_[a-z]+_', call).group()
        short = call.removeprefix(prefix)
        if not {short, without_role(short)} & rows.get(prefix, set()):
            missing.append(call)
    return missing


def each_public_call_has_a_row():
    text, calls = (ROOT / 'docs/failure.md').read_text(), public_calls()
    expect(len(calls) > 100, f'only {len(calls)} calls were found')
    missing = missing_calls(text, calls)
    expect(not missing, 'no row in docs/failure.md:\n' + '\n'.join(missing))
    expect(missing_calls(text, ['tern_ring_new']), 'a call without a row was not noticed')


def sources(folder):
    """Text of a folder's tests by program, and of all of it by ''."""
    texts = {path.stem: path.read_text() for path in (ROOT / 'tests' / folder).glob('*.[ch]')}
    return {**texts, '': '\n'.join(texts.values())}


def strings_of(text):
    return [string for line in text.splitlines() for string in re.findall(r'"((?:[^"\\]|\\.)*)"', line)]


def named_in_columns(text):
    """The cases in the last column of each table whose last column is "case"; "..." stands for the rest."""
    names, inside = [], False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split('|')[1:-1]]
        inside = bool(cells) and (inside or cells[-1] == 'case')
        if inside and cells[-1] not in ('case', '---'):
            names += [name.strip() for name in re.sub(r'`\w+`: ', '', cells[-1]).split(';')]
    return [name.split('...')[0].rstrip() for name in names if name != 'the same names']


def check_names(page, text):
    kill, unit, hostile, fuzz = (sources(folder) for folder in ('kill', 'unit', 'hostile', 'fuzz'))
    kill_strings = strings_of(kill[''])
    victims = [string for string in strings_of(hostile['']) if re.fullmatch(r'\w+', string)]
    wrong = []
    for program, cases in PROGRAM.findall(text):
        names = [case.strip() for case in cases.split(';') if case.strip()]
        if program == 'hostile':
            wrong += [f'hostile: {name}' for name in names if not fnmatch.filter(victims, name)]
        elif program not in (kill | unit | fuzz):
            wrong.append(program)
        elif program.startswith('kill_'):
            wrong += [f'{program}: {name}' for name in names if not any(name in string for string in kill_strings)]
        elif program.startswith('test_'):
            wrong += [f'{program}: {name}' for name in names if f'{name}(' not in unit[program]]
    wrong += [name for name in named_in_columns(text) if not any(name in string for string in kill_strings)]
    if page == 'failure-hostile.md':
        last_cells = ' '.join(line.split('|')[-2] for line in text.splitlines() if line.startswith('|'))
        wrong += [name for name in re.findall(r'`([a-z]\w*[\w*]*)`', last_cells)
                  if name != 'steps' and name != 'waitable' and not fnmatch.filter(victims, name)]
    wrong += [name for name in CASE.findall(text) if not re.search(rf'\b{name}\(', unit[''])]
    expect(not wrong, f'{page}: no such test:\n' + '\n'.join(wrong))


def each_test_that_is_named_is_there():
    for page in PAGES:
        check_names(page.name, page.read_text())
    for wrong in ('`kill_nothing`', '`kill_ring`: push that nobody wrote', '`hostile`: ring_of_nobody*',
                  '`test_peer`: no_such_case', '`hazard_that_is_none`',
                  '| call | case |\n|---|---|\n| push | no such case |'):
        expect_failure(f'{wrong} is no test', lambda text=wrong: check_names('control', text))


tap = Tap()
tap.case('each public call has a row in docs/failure.md', each_public_call_has_a_row)
tap.case('each test that the pages name is there', each_test_that_is_named_is_there)
tap.run()
