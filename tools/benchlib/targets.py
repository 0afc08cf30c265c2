# SPDX-License-Identifier: MIT
"""What a run must show: the targets of the ring, of processes and of the other primitives.

Each function yields verdicts; a target for which a run has no figures is neither met nor missed.
"""
from dataclasses import dataclass

from benchlib.results import LOSS_ABOVE, OWN, PEER, TIME

# Single push and pop at capacity 1,024: item size in bytes, least times the best peer's rate.
SINGLE = {8: 6, 16: 4, 64: 1.8, 256: 1.5, 1024: 1.1}
# Batches and imbalance have one target for all sizes; where single calls must reach less, so must these.
BATCH, IMBALANCE = 1.6, 2
SPREAD = 2                        # most times the slowest undisturbed repetition that the fastest may be
ROUND_TRIP_SIZES = (8, 16, 32, 56)
OF_LINE, OF_PEER = 1.05, 0.85     # most of the raw line's round trip, of the best peer's p50
LAYOUTS = ('tern indexed', 'tern sequenced')
WAITABLE = 1.3                    # most times the plain ring's time while nobody sleeps
PROCESS_SIZES = (64, 1024)
OF_THREADS, PROCESS_RATE, PROCESS_TIME = 0.1, 5, 0.25

# Other primitives: cell, contestant, (baseline, most times of it) or None, most nanoseconds or None
PRIMITIVES = [
    ('triple/publish + update, uncontended, 8 B', 'tern', ('two bare compare-exchanges', 1.2), 25),
    ('triple/publish + update, uncontended, 64 KiB', 'tern', ('two bare compare-exchanges', 1.2), 25),
    ('pool/handle check', 'tern get', None, 3),
    ('pool/pin + unpin, uncontended', 'tern', ('two bare read-modify-writes', 1.3), None),
    *((f'wait/round trip {where}', f'tern {what}', ('bare futex', 1.1), None)
      for where in ('between processors', 'on one processor')
      for what in ('bell', 'ring of 1', 'sequenced ring of 1', 'stream', 'triple')),
]


@dataclass
class Verdict:
    what: str
    met: bool | None     # None: the run has no figures for it
    figure: str = ''

    def __str__(self):
        word = {True: 'met', False: 'MISSED', None: 'no figure'}[self.met]
        return f'{word:10} {self.what}' + (f': {self.figure}' if self.figure else '')


def judged(what, figure, most, text):
    """A figure that must not be above a bound; none, no verdict."""
    return Verdict(what, None) if figure is None else Verdict(what, figure <= most, text)


def times(run, name, pick, base):
    """(how many times the median of base(cell) that of pick(cell) is, text), or (None, '') without figures."""
    cell = run.cells.get(name)
    ours, other = (pick(cell), base(cell)) if cell else (None, None)
    if not ours or not other:
        return None, ''
    missing = missing_peers(cell) if cell.kind(other.base) == PEER else ''
    return ours.median / other.median, (f'{ours.median / other.median:.2f} x, {ours.name} {ours.median:.4g}, '
                                        f'{other.name} {other.median:.4g} {cell.unit.name}{missing}')


def ring_cell(operation, size, load='balanced'):
    return f'ring/{operation}/{size} B/capacity 1024/{load}'


def missing_peers(cell):
    """A peer without a figure may have been the best one: the verdict says so."""
    names = [name for name in cell.absent() if cell.kind(name) == PEER]
    return f' (without a figure: {"; ".join(names)})' if names else ''


def times_best_peer(run, name, least):
    """Our best form of a cell against the best peer of it, by speed."""
    what = f'{name}, at least {least} x the best peer'
    cell = run.cells.get(name)
    if not cell or cell.own_over_peer() is None:
        return Verdict(what, None)
    own, peer = cell.fastest(OWN), cell.fastest(PEER)
    return Verdict(what, cell.own_over_peer() >= least,
                   f'{cell.own_over_peer():.2f} x, {own.name} {own.median:.4g}, {peer.name} {peer.median:.4g} '
                   f'{cell.unit.name}{missing_peers(cell)}')


def rates(run):
    for size, least in SINGLE.items():
        yield times_best_peer(run, ring_cell('single', size), least)
    for batch in 8, 32:
        for size, single in SINGLE.items():
            yield times_best_peer(run, ring_cell(f'batch {batch}', size), min(BATCH, single))
    for load in 'producer slower', 'consumer slower':
        for size, single in SINGLE.items():
            yield times_best_peer(run, ring_cell('single', size, load), min(IMBALANCE, single))


def spread(run):
    """Min and max of each of our forms, in its best loop, in every cell that rates() looks at."""
    what = f'our repetitions at capacity 1,024 within a factor of {SPREAD}'
    names = [ring_cell(operation, size) for operation in ('single', 'batch 8', 'batch 32') for size in SINGLE]
    names += [ring_cell('single', size, load) for load in ('producer slower', 'consumer slower') for size in SINGLE]
    found = [(max(own.values) / min(own.values), f'{name}, {own.name}')
             for name in names if name in run.cells for own in run.cells[name].of_kind(OWN)]
    if not found:
        return Verdict(what, None)
    wide = sorted((each for each in found if each[0] > SPREAD), reverse=True)
    text = '; '.join(f'{name} {ratio:.2f}' for ratio, name in wide) or 'widest {:.2f}, {}'.format(*max(found))
    return Verdict(what, not wide, f'{len(wide)} of {len(found)} are wider: {text}' if wide else text)


def fastest_own(cell):
    return cell.fastest(OWN)


def best_peer(cell):
    return cell.fastest(PEER)


def round_trips(run):
    for size in ROUND_TRIP_SIZES:
        name = f'ring/round trip/{size} B'
        cell = run.cells.get(name)
        own = cell.of_kind(OWN) if cell else []
        # the sequenced layout is meant for it; a run that has none is judged by our best form
        own = [each for each in own if each.name.startswith('tern sequenced')] or own
        limit = run.limit(cell, own[0]) if own else None
        yield judged(f'{name}, p50 in the layout meant for it at most {OF_LINE} x the raw line',
                     limit[1] if limit else None, OF_LINE,
                     limit and f'{limit[1]:.3f} x {limit[0]}, {own[0].name} {own[0].median:.4g} ns')
        for layout in LAYOUTS:
            figure, text = times(run, name, lambda cell, layout=layout: cell.best.get(layout), best_peer)
            yield judged(f'{name}, {layout} at most {OF_PEER} x the best peer', figure, OF_PEER, text)


def waitable(run):
    for size in SINGLE:
        name = ring_cell('single', size)
        for layout in LAYOUTS:
            # rates: the plain one's by the waitable one's is the ratio of their times
            figure, text = times(run, name, lambda cell, layout=layout: cell.best.get(layout),
                                 lambda cell, layout=layout: cell.best.get(f'{layout} waitable'))
            yield judged(f'{name}, {layout} waitable at most {WAITABLE} x the time of the plain one',
                         figure, WAITABLE, text)


def within_threads(run, name):
    """Each of our forms between processes against the same form between threads."""
    cell = run.cells.get(name)
    pairs = [(each, cell.best[f'{each.base}, threads']) for each in cell.of_kind(OWN)
             if f'{each.base}, threads' in cell.best] if cell else []
    if not pairs:
        yield Verdict(f'{name}, within {OF_THREADS:.0%} of the threads\' figure', None)
    for ours, threads in pairs:
        slower = threads.speed() / ours.speed() - 1 if cell.unit is TIME else 1 - ours.speed() / threads.speed()
        yield Verdict(f'{name}, {ours.base} within {OF_THREADS:.0%} of the threads\' figure', slower <= OF_THREADS,
                      f'{ours.median:.4g} against {threads.median:.4g} {cell.unit.name}, {slower:+.1%} slower')


def processes(run):
    for size in PROCESS_SIZES:
        yield from within_threads(run, f'process/rate/{size} B')
        yield from within_threads(run, f'process/round trip/{size} B')
        yield times_best_peer(run, f'process/rate/{size} B', PROCESS_RATE)
        name = f'process/round trip/{size} B'
        figure, text = times(run, name, fastest_own, best_peer)
        yield judged(f'{name}, p50 at most {PROCESS_TIME} x the best peer', figure, PROCESS_TIME, text)
    # bandwidths: iceoryx's by ours must not be above one
    figure, text = times(run, 'process/frames/1 MiB', lambda cell: next(
        (each for each in cell.of_kind(PEER) if each.name.startswith('iceoryx')), None), fastest_own)
    yield judged('process/frames/1 MiB, iceoryx\'s bandwidth at most ours', figure, 1, text)


def no_lost_cell(run):
    compared = [cell for cell in run.cells.values()
                if cell.name.startswith(('ring/', 'process/')) and cell.own_over_peer() is not None]
    what = f'no cell of rings and processes in which a peer is ahead by more than {LOSS_ABOVE - 1:.0%}'
    if not compared:
        return Verdict(what, None)
    lost = sum(cell.is_lost() for cell in compared)
    return Verdict(what, not lost, f'{lost} of {len(compared)} cells are lost' if lost else f'{len(compared)} cells')


def primitives(run):
    for name, contestant, relative, most_ns in PRIMITIVES:
        def ours(cell, contestant=contestant):
            return cell.best.get(contestant)
        if relative:
            base, most = relative
            figure, text = times(run, name, ours, lambda cell, base=base: cell.best.get(base))
            yield judged(f'{name}, {contestant} at most {most} x {base}', figure, most, text)
        if most_ns:
            found = ours(run.cells[name]) if name in run.cells else None
            yield judged(f'{name}, {contestant} at most {most_ns} ns', found and found.median, most_ns,
                         found and f'{found.median:.2f} ns')


def verdicts(run):
    """All of them, in the order in which they are told."""
    return [*rates(run), spread(run), *round_trips(run), *waitable(run), *processes(run), no_lost_cell(run),
            *primitives(run)]
