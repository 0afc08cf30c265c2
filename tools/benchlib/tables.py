# SPDX-License-Identifier: MIT
"""The tables of a run: one a cell for the terminal, and those of docs/benchmarks.md in Markdown."""
import re

from benchlib.results import BANDWIDTH, OWN, PEER, RATE, TIME

PERCENTILES = ('p99_ns', 'p999_ns', 'max_ns')
LABEL_LETTERS = {'cross-core': 'c', 'hyperthreads': 'h', 'disturbed': 'd'}

# Tables with a column a cell: title, what its figures are, column headings, names of the cells.
SIZES = (8, 16, 64, 256, 1024)
ROUND_TRIP_SIZES = (8, 16, 32, 56, 64, 256, 1024)
LIBRARIES = ('boost spsc_queue', 'moodycamel ReaderWriterQueue', 'atomic_queue', 'ck_ring', 'dpdk rte_ring',
             'liburcu wfcqueue')
LOADS = ('balanced', 'producer slower', 'consumer slower')


def bytes_text(size):
    return f'{size:,} B'


def matrices():
    for operation, title in (('single', 'Single push and pop'), ('batch 8', 'Batches of 8'),
                             ('batch 32', 'Batches of 32'), ('zero-copy 32', 'In place, spans of up to 32')):
        for capacity in 1024, 64, 65536:
            yield (f'{title}, capacity {capacity:,}', [bytes_text(size) for size in SIZES],
                   [f'ring/{operation}/{size} B/capacity {capacity}/balanced' for size in SIZES])
    for size in SIZES:
        yield (f'One side slower, {bytes_text(size)}, capacity 1,024', list(LOADS),
               [f'ring/single/{size} B/capacity 1024/{load}' for load in LOADS])
    yield ('Round trip', [bytes_text(size) for size in ROUND_TRIP_SIZES],
           [f'ring/round trip/{size} B' for size in ROUND_TRIP_SIZES])
    for what, title in (('rate', 'Between processes, rate'), ('round trip', 'Between processes, round trip')):
        yield title, ['8 B', '64 B', '1,024 B'], [f'process/{what}/{size} B' for size in (8, 64, 1024)]
    for what in 'transfer', 'uncontended':
        yield (f'Stream, {what}', [bytes_text(size) for size in (8, 64, 256, 1024)],
               [f'stream/{what} of {size} B' for size in (8, 64, 256, 1024)])


def figure(value):
    """Four digits, no exponent."""
    if value >= 1000:
        return f'{value:,.0f}'
    return f'{value:.0f}' if value >= 100 else f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def labels(contestant):
    """"9c", "7c 2d", or "9" where the program gives no label."""
    counts = sorted(contestant.labels().items())
    return ' '.join(f'{count}{LABEL_LETTERS.get(label, label)}' for label, count in counts)


def header(run):
    context = run.context
    told = [str(context[key]) for key in ('processor', 'compiler', 'flags', 'commit', 'date') if context.get(key)]
    return ', '.join(told) or 'a run that does not tell its machine'


def heading(run, cell):
    p50 = 'p50, ' if any(each.counter('p50_ns') for each in cell.best.values()) else ''
    which = run.label if any(each.used[0].get('label') for each in cell.best.values()) else 'undisturbed'
    return f'{p50}{cell.unit.name}; median, min and max of the {which} repetitions'


def by_reason(names):
    """{why: "a; b"} of {name: why}."""
    found = {}
    for name, why in sorted(names.items()):
        found[why] = f'{found[why]}; {name}' if why in found else name
    return found


def absent_text(run):
    """Who has no figure in some cell in any loop, and why."""
    names = {}
    for cell in run.cells.values():
        for name, why in cell.absent().items():
            names.setdefault(name, (why, []))[1].append(cell.name)
    return [f'{name}, {"in " + cells[0] if len(cells) == 1 else f"in {len(cells)} cells"}: {why}'
            for name, (why, cells) in sorted(names.items())]


def cell_text(run, key, cell):
    """One cell as a table of text; the fastest contestant first."""
    order = sorted(cell.best.values(), key=lambda each: (-each.speed(), each.name))
    peer = cell.fastest(PEER)
    percentiles = any(each.counter('p99_ns') for each in order)
    columns = ['', 'median', 'min', 'max'] + (['p99', 'p99.9', 'max'] if percentiles else [])
    columns += ['best peer', 'raw limit', 'repetitions']
    rows = []
    for each in order:
        limit = run.limit(cell, each)
        tails = [each.counter(key) for key in PERCENTILES] if percentiles else []
        rows.append([each.name + each.mark, *map(figure, (each.median, min(each.values), max(each.values))),
                     *('-' if tail is None else figure(tail) for tail in tails),
                     f'{each.speed() / peer.speed():.2f} x' if peer else '-',
                     f'{limit[1]:.2f}' if limit else '-', labels(each)])
    widths = [max(len(row[column]) for row in [columns, *rows]) for column in range(len(columns))]
    lost = '   LOST' if cell.is_lost() else ''
    lines = [f'{key}   ({heading(run, cell)}){lost}']
    for row in [columns, *rows] if rows else []:
        lines.append('  ' + '  '.join(text.ljust(width) if not column else text.rjust(width)
                                      for column, (text, width) in enumerate(zip(row, widths))).rstrip())
    limit = next(filter(None, (run.limit(cell, each) for each in order)), None)
    if limit:
        lines.append(f'  raw limit: {limit[0]}')
    lines += [f'  without a figure: {names}: {why}' for why, names in by_reason(cell.without_figure).items()]
    return '\n'.join(lines)


def library(name):
    """A peer is its library; the name of its form follows, and the best form stands for it."""
    return next((each for each in LIBRARIES if f'{name} '.startswith(f'{each} ')), name.split(',')[0])


def forms(cell):
    """{row name: best contestant}: our forms one by one, peers by library, limits as they are."""
    found = {}
    for each in sorted(cell.best.values(), key=lambda each: -each.speed()):
        peer = cell.kind(each.base) == PEER and not cell.name.startswith('stream/')
        found.setdefault(library(each.base) if peer else each.base, each)
    return found


def markdown_figure(cell, each):
    """"median (min to max)", for round trips "p50 / p99 / p99.9"; a peer that wins the cell is bold."""
    tails = [each.counter(key) for key in ('p99_ns', 'p999_ns')]
    if all(tails):
        text = ' / '.join(map(figure, (each.median, *tails)))
    else:
        text = f'{figure(each.median)} ({figure(min(each.values))} to {figure(max(each.values))})'
    return f'**{text}**' if cell.is_lost() and each is cell.fastest(PEER) else text


def matrix(run, title, columns, names):
    """A table with a column a cell and a row a contestant, or None if the run has none of the cells."""
    there = [(column, run.cells[name]) for column, name in zip(columns, names)
             if name in run.cells and run.cells[name].best]
    if not there:
        return None
    cells = [cell for _, cell in there]
    rows = {}
    for number, cell in enumerate(cells):
        for name, each in forms(cell).items():
            rows.setdefault(name, {})[number] = each
    kinds = {name: min((OWN, PEER).index(kind) if (kind := cells[number].kind(each.base)) in (OWN, PEER) else 2
                       for number, each in found.items()) for name, found in rows.items()}
    unit = {RATE: RATE.name, BANDWIDTH: BANDWIDTH.name, TIME: 'ns'}[cells[0].unit]
    percentiles = all(each.counter('p99_ns') and each.counter('p999_ns') for each in cells[0].best.values())
    what = f'{unit}, p50 / p99 / p99.9 (medians of the repetitions)' if percentiles \
        else f'{unit}, median (min to max)'
    lines = [f'### {title}', '', f'{what}.', '', '| | ' + ' | '.join(column for column, _ in there) + ' |',
             '|---' * (len(there) + 1) + '|']
    for name in sorted(rows, key=lambda name: (kinds[name], name if kinds[name] == 0 else '',
                                               -max(each.speed() for each in rows[name].values()))):
        lines.append(f'| {name} | ' + ' | '.join(markdown_figure(cell, rows[name][number]) if number in rows[name]
                                                 else '-' for number, cell in enumerate(cells)) + ' |')
    if any(cell.own_over_peer() for cell in cells):
        ratios = [f'**{cell.own_over_peer():.2f}x**' + (' lost' if cell.is_lost() else '')
                  if cell.own_over_peer() else '-' for cell in cells]
        lines.append('| **our best / best peer, by speed** | ' + ' | '.join(ratios) + ' |')
    limits = [run.limit(cell, cell.fastest(OWN)) if cell.fastest(OWN) else None for cell in cells]
    if any(limits):
        lines.append('| our best / raw limit | ' + ' | '.join(
            f'{limit[1]:.2f} ({limit[0]})' if limit else '-' for limit in limits) + ' |')
    return '\n'.join(lines) + '\n'


def others(run, used):
    """The cells without a column: a table a family, a row a cell."""
    families = {}
    for key, cell in run.cells.items():
        if cell.best and key not in used:
            families.setdefault(cell.name.split('/')[0], []).append((key, cell))
    for family, cells in families.items():
        lines = [f'### {family.capitalize()}', '', '| median | ours | beside it |', '|---|---|---|']
        for key, cell in cells:
            def told(names, cell=cell):
                return '; '.join(f'{name} {markdown_figure(cell, each)}' for name, each in names) or '-'
            found = forms(cell).items()
            ours = [(name, each) for name, each in found if cell.kind(each.base) == OWN]
            beside = [(name, each) for name, each in found if cell.kind(each.base) != OWN]
            lines.append(f'| {key.partition("/")[2]}, {cell.unit.name} | {told(ours)} | {told(beside)} |')
        yield '\n'.join(lines) + '\n'


def markdown(run):
    used, parts = set(), [f'Machine and build: {header(run)}. Medians of the {run.label} repetitions.\n']
    for title, columns, names in matrices():
        text = matrix(run, title, columns, names)
        if text:
            parts.append(text)
            used.update(names)
    return '\n'.join([*parts, *others(run, used)])


def reasons(path):
    """[(pattern of CELL/PEER, why it is lost)] of a file with a line "PATTERN: reason" each."""
    found = []
    for line in path.read_text(encoding='utf-8').splitlines() if path.exists() else []:
        if line.strip() and not line.startswith('#'):
            pattern, _, why = line.partition(': ')
            found.append((re.compile('.*'.join(map(re.escape, pattern.split('*'))) + '$'), why.strip()))
    return found


def lost_text(run, why_lost):
    """The cells that a peer wins, each with its reason if there is one."""
    lines = []
    for cell in sorted(run.lost(), key=lambda cell: cell.own_over_peer()):
        peer, own = cell.fastest(PEER), cell.fastest(OWN)
        why = next((text for pattern, text in why_lost if pattern.match(f'{cell.name}/{peer.base}')),
                   'no reason known yet')
        lines.append(f'{cell.name}: {peer.name} {figure(peer.median)}, {own.name} {figure(own.median)} '
                     f'{cell.unit.name} ({cell.own_over_peer():.2f} x): {why}')
    return lines
