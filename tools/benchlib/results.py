# SPDX-License-Identifier: MIT
"""Results of Google Benchmark programs: from the repetitions of a file to one figure a contestant.

Benchmarks are named CELL/CONTESTANT; inside a cell all contestants do the same job. A contestant that
was run with several polling loops has the loop as its last part (", bare", ", pause 1", ", pause 4");
its best loop stands for it. Only repetitions of one label count, see counted().
"""
import gzip
import json
import math
import os
import re
import statistics
from dataclasses import dataclass, field

# what Google Benchmark itself appends to a name, as a regular expression of both Python and POSIX
SUFFIX = (r'/(real_time|manual_time|process_time|threads:[0-9]+|iterations:[0-9]+|min_time:[0-9.]+'
          r'|min_warmup_time:[0-9.]+|repeats:[0-9]+)')
SUFFIXES = re.compile(f'({SUFFIX})+$')
LOOP = re.compile(r', (bare|pause \d+)$')
SIZE = re.compile(r'\b(\d+) (B|KiB|MiB)\b')
BYTES = {'B': 1, 'KiB': 1 << 10, 'MiB': 1 << 20}
TIME_UNITS = {'ns': 1, 'us': 1e3, 'ms': 1e6, 's': 1e9}
CROSS_CORE, HYPERTHREADS, DISTURBED = 'cross-core', 'hyperthreads', 'disturbed'
LEAST_CPU_SHARE = 0.97   # of a thread; of programs that give no label: below it a repetition is disturbed
LOSS_ABOVE = 1.05        # a peer this many times as fast as our best form has won the cell
LONGEST_MESSAGE = 160
OWN, PEER, LIMIT, REFERENCE = 'own', 'peer', 'limit', 'reference'


class Unusable(Exception):
    """A file cannot be used; the text says why."""


class NoFigure(Exception):
    """A contestant has no figure; the text says why."""


@dataclass(frozen=True)
class Unit:
    name: str
    scale: float            # of one in what the programs count
    more_is_better: bool


RATE = Unit('million items a second', 1e6, True)
BANDWIDTH = Unit('GB/s', 1e9, True)
TIME = Unit('ns', 1, False)


def split_name(name):
    """(cell, contestant) of a benchmark."""
    cell, _, contestant = SUFFIXES.sub('', name).rpartition('/')
    return cell, contestant


def size_bytes(text):
    """The first size in a name ("64 B", "1 MiB"), or None."""
    found = SIZE.search(text)
    return int(found[1]) * BYTES[found[2]] if found else None


def unit_of(cell):
    """What a cell counts in. Round trips are times, and so is all that has no unit of its own."""
    family, _, what = cell.partition('/')
    if family not in ('ring', 'process', 'raw') or 'round trip' in what:
        return TIME
    return BANDWIDTH if 'MiB' in what else RATE


def number(run, key):
    value = run.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        raise NoFigure(f'no {key}' if value is None else f'{key} is {value!r}')
    return value


def time_ns(run):
    """Of one operation: a program whose iterations hold many of them tells how many."""
    if 'p50_ns' in run:
        return number(run, 'p50_ns')
    if 'per_op' in run:
        return number(run, 'per_op') * 1e9
    if 'items_per_second' in run:
        return 1e9 / number(run, 'items_per_second')
    if run.get('time_unit') not in TIME_UNITS:
        raise NoFigure(f'time_unit is {run.get("time_unit")!r}')
    return number(run, 'real_time') * TIME_UNITS[run['time_unit']]


def value_of(run, unit, cell):
    """One repetition's figure in the cell's unit."""
    if unit is TIME:
        return time_ns(run)
    if unit is BANDWIDTH and 'bytes_per_second' not in run and 'items_per_second' in run and size_bytes(cell):
        return number(run, 'items_per_second') * size_bytes(cell) / unit.scale
    return number(run, 'items_per_second' if unit is RATE else 'bytes_per_second') / unit.scale


def counted(runs, label):
    """The repetitions that count, and a mark.

    Where there are labels: those with the label of the whole run; none of them, no figure. A program
    without labels tells the share of the processor that its threads got, and repetitions in which it was
    too small are left out; if there are no others (a pipe sleeps), all count, marked.
    """
    if any(run.get('label') for run in runs):
        used = [run for run in runs if run.get('label') == label]
        if not used:
            raise NoFigure(f'no {label} repetition of {len(runs)}')
        return used, ''
    used = [run for run in runs if run.get('least_cpu_share', 1) >= LEAST_CPU_SHARE]
    return (used, '') if used else (runs, '*')


@dataclass
class Contestant:
    """One form of one library, in one loop, in one cell."""
    name: str
    unit: Unit
    runs: list              # all repetitions
    used: list              # those that count
    mark: str               # '*': none was undisturbed, all count
    values: list
    median: float = 0

    def __post_init__(self):
        self.median = statistics.median(self.values)

    @property
    def base(self):
        return LOOP.sub('', self.name)

    def speed(self):
        """More is better, whatever the unit."""
        return self.median if self.unit.more_is_better else 1 / self.median

    def counter(self, key):
        """Median of a counter over the repetitions that count, or None."""
        values = [run[key] for run in self.used if isinstance(run.get(key), (int, float))]
        return statistics.median(values) if values else None

    def labels(self):
        """How many repetitions of each label there are; '' where the program gives none."""
        counts = {}
        for run in self.runs:
            counts[run.get('label', '')] = counts.get(run.get('label', ''), 0) + 1
        return counts


@dataclass
class Cell:
    name: str
    program: str
    unit: Unit
    best: dict = field(default_factory=dict)              # base name: its Contestant with the best loop
    without_figure: dict = field(default_factory=dict)    # contestant: why

    def kind(self, base):
        family = self.name.split('/')[0]
        if family == 'raw' or base.startswith(('bare ', 'two bare ')):
            return LIMIT
        if family == 'process' and base.endswith(', threads'):
            return REFERENCE
        if family == 'stream' and base.startswith('ring'):   # ours, but it carries one size only
            return REFERENCE
        return OWN if base.startswith(('tern', 'stream')) else PEER

    def absent(self):
        """{contestant: why} of those that have no figure in any loop."""
        found = {}
        for name, why in sorted(self.without_figure.items()):
            if LOOP.sub('', name) not in self.best:
                found.setdefault(LOOP.sub('', name), why)
        return found

    def of_kind(self, kind):
        """Contestants of a kind, the fastest first."""
        found = [each for base, each in self.best.items() if self.kind(base) == kind]
        return sorted(found, key=lambda each: (-each.speed(), each.name))

    def fastest(self, kind):
        return next(iter(self.of_kind(kind)), None)

    def own_over_peer(self):
        """How many times as fast our best form is as the best peer, or None."""
        own, peer = self.fastest(OWN), self.fastest(PEER)
        return own.speed() / peer.speed() if own and peer else None

    def is_lost(self):
        ratio = self.own_over_peer()
        return ratio is not None and 1 / ratio > LOSS_ABOVE


@dataclass
class Run:
    context: dict
    cells: dict             # key: Cell; the key of a raw limit has the program too
    label: str              # of the repetitions that count

    def raw(self, program, what):
        """The best figure of a raw limit that a program measured, or None."""
        cell = self.cells.get(f'raw/{what} ({program})')
        # where threads and processes were measured, a program of processes means these
        return (cell.best.get('processes') or cell.fastest(LIMIT)) if cell else None

    def first_raw(self, program, *whats):
        """(what, its figure) of the first of some raw limits that was measured, or None."""
        return next(((what, found) for what in whats if (found := self.raw(program, what))), None)

    def limit(self, cell, contestant):
        """(what it is, its ratio) of the raw limit that belongs to a cell, or None.

        Times are given as a multiple of the limit's, rates as a share of it, by bytes.
        """
        family, _, what = cell.name.partition('/')
        if family not in ('ring', 'process'):
            bare = cell.best.get('bare futex') or cell.fastest(LIMIT)   # the futex between processes
            return (bare.base, contestant.median / bare.median) if bare and family != 'raw' else None
        if 'round trip' in what:
            line = self.raw(cell.program, 'line round trip')
            if line:
                return 'line round trip', contestant.median / line.median
            probed = contestant.counter('line_ns')
            return ('line probed beside it', contestant.median / probed) if probed else None
        size = size_bytes(what)
        if not size:
            return None
        if cell.unit is BANDWIDTH:
            found = self.first_raw(cell.program, 'write and read 1 MiB', 'copy 1 MiB')
            return (found[0], contestant.median / found[1].median) if found else None
        name = self.hand_over(cell.program, size, what.startswith('single'))
        found = self.raw(cell.program, name) if name else None
        return (name, contestant.median * size / (found.median * size_bytes(name))) if found else None

    def hand_over(self, program, size, single):
        """The raw hand-over of items of the nearest size, as ratios go; or None.

        Where there is one whose words may be joined, that is the limit of all but single items of 8 bytes.
        """
        there = [cell.name.removeprefix('raw/') for cell in self.cells.values()
                 if cell.name.startswith('raw/hand-over ') and cell.program == program and size_bytes(cell.name)]
        joined = not (single and size == 8)
        return min(there, default=None, key=lambda name: (abs(math.log(size_bytes(name) / size)),
                                                          name.endswith('joined') != joined))

    def lost(self):
        return [cell for cell in self.cells.values() if cell.is_lost()]


def load(path):
    """The JSON of a file, gzip or not, checked to be Google Benchmark's."""
    try:
        opened = gzip.open if str(path).endswith('.gz') else open
        with opened(path, 'rt', encoding='utf-8') as file:
            data = json.load(file, strict=False)   # old versions of Google Benchmark do not escape every message
    except (OSError, EOFError, ValueError) as error:
        raise Unusable(f'{path}: {error}') from error
    if not isinstance(data, dict) or not isinstance(data.get('benchmarks'), list):
        raise Unusable(f'{path}: no results of Google Benchmark (there is no list "benchmarks")')
    return data


def one_line(message):
    """A message without a terminal's colours and line ends, and not longer than a line."""
    text = ' '.join(re.sub(r'\x1b\[[0-9;]*m|[\x00-\x1f]', ' ', str(message)).split())
    return text if len(text) <= LONGEST_MESSAGE else text[:LONGEST_MESSAGE] + '...'


def contestant_of(name, cell, runs, label):
    errors = [run for run in runs if run.get('error_occurred') or run.get('skipped')]
    if errors:
        message = errors[0].get('error_message') or errors[0].get('skip_message') or 'the program gave no reason'
        raise NoFigure(f'error in {len(errors)} of {len(runs)}: {one_line(message)}')
    used, mark = counted(runs, label)
    return Contestant(name, cell.unit, runs, used, mark, [value_of(run, cell.unit, cell.name) for run in used])


def read(path):
    """A Run from a file. Unusable if there is no figure at all in it."""
    data = load(path)
    context = data.get('context') or {}
    executable = os.path.basename(str(context.get('executable', '')))
    groups = {}
    for run in data['benchmarks']:
        if not isinstance(run, dict) or run.get('run_type', 'iteration') != 'iteration':
            continue
        name = run.get('run_name') or run.get('name')
        if not isinstance(name, str):
            raise Unusable(f'{path}: a repetition without a name')
        cell, contestant = split_name(name)
        program = run.get('program', executable)
        key = f'{cell} ({program})' if cell.startswith('raw/') else cell
        groups.setdefault(key, (cell, program, {}))[2].setdefault(contestant, []).append(run)
    labels = {run.get('label') for _, _, names in groups.values() for runs in names.values() for run in runs}
    label = HYPERTHREADS if HYPERTHREADS in labels and CROSS_CORE not in labels else CROSS_CORE
    cells = {}
    for key, (name, program, contestants) in groups.items():
        cell = cells[key] = Cell(name, program, unit_of(name))
        for contestant, runs in contestants.items():
            try:
                found = contestant_of(contestant, cell, runs, label)
            except NoFigure as why:
                cell.without_figure[contestant] = str(why)
                continue
            rival = cell.best.get(found.base)
            if rival is None or found.speed() > rival.speed():
                cell.best[found.base] = found
    if not any(cell.best for cell in cells.values()):
        reasons = sorted({why for cell in cells.values() for why in cell.without_figure.values()})
        raise Unusable(f'{path}: no figure in it' + (f' ({"; ".join(reasons[:3])})' if reasons else ''))
    return Run(context, cells, label)
