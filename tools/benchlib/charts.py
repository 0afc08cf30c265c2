# SPDX-License-Identifier: MIT
"""Charts of a run as SVG: the same run gives the same bytes. A chart of which the run has no cells is not drawn.

Ours are the two strong, thick lines; peers are thinner, each with a marker of its own, so that neither colours nor
thickness alone tell them apart (the colours are Okabe and Ito's, which colour-blind people can distinguish).
"""
import math

import matplotlib

matplotlib.use('svg')
matplotlib.rcParams.update({
    'svg.hashsalt': 'tern', 'svg.fonttype': 'none', 'font.size': 10, 'font.family': 'sans-serif',
    'font.sans-serif': ['DejaVu Sans'], 'axes.spines.top': False, 'axes.spines.right': False,
    'axes.edgecolor': '#555555', 'axes.labelcolor': '#222222', 'xtick.color': '#222222', 'ytick.color': '#222222',
    'text.color': '#222222',
    'axes.grid': True, 'grid.color': '#e3e3e3', 'grid.linewidth': 0.7, 'axes.axisbelow': True,
    'figure.facecolor': 'white', 'savefig.facecolor': 'white', 'legend.frameon': False, 'legend.fontsize': 9,
})
# pylint: disable=wrong-import-position
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import FuncFormatter, NullLocator  # noqa: E402

from benchlib.results import OWN, PEER  # noqa: E402
from benchlib.tables import LIBRARIES, LOADS, SIZES, figure, forms  # noqa: E402

OURS = {'tern sequenced': ('#D55E00', 'o'), 'tern indexed': ('#0072B2', 's')}
OUR_SHADE = '#0072B2'     # of any other form of ours
PEERS = dict(zip(LIBRARIES, [('#009E73', '^'), ('#CC79A7', 'v'), ('#000000', 'D'), ('#E69F00', 'P'), ('#56B4E9', 'X'),
                             ('#8C6D31', '*')]))
SPARE = [('#7A7A7A', '<'), ('#A65628', '>'), ('#5E3C99', 'h'), ('#4D9221', 'p')]
CAPACITIES = (64, 1024, 65536)
WIDTH = 8.4               # inches; GitHub shows about 800 points
TEN = '{:,.10g}'


def style(name, peers):
    """(colour, marker) of a row; peers that are not in PEERS get a spare one by their place among those."""
    if name.startswith('tern'):
        return OURS.get(name, (OUR_SHADE, 's'))
    unknown = [peer for peer in peers if peer not in PEERS]
    return PEERS[name] if name in PEERS else SPARE[unknown.index(name) % len(SPARE)]


def shown(cell):
    """{row name: contestant} of a chart: our forms but the exact and the sleeping ones, peers by library."""
    return {name: each for name, each in forms(cell).items()
            if cell.kind(each.base) in (OWN, PEER) and not name.endswith(('exact release', 'sleeping'))}


def series(run, names):
    """{row name: {x: contestant}} over cells {x: name}, ours first, then peers by their best."""
    found, kinds = {}, {}
    for x, name in names.items():
        cell = run.cells.get(name)
        for row, each in shown(cell).items() if cell else ():
            found.setdefault(row, {})[x] = each
            kinds[row] = cell.kind(each.base)
    order = sorted(found, key=lambda row: (kinds[row] != OWN, row.endswith('waitable'),
                                           -max(each.speed() for each in found[row].values()), row))
    return {row: found[row] for row in order}, kinds


def machine(run):
    context = run.context
    told = [context.get('processor'), context.get('compiler'), context.get('flags'),
            f'commit {context["commit"]}' if context.get('commit') else None, str(context.get('date', ''))[:10] or None]
    return ', '.join(str(each) for each in told if each)


def canvas(run, title, subtitle, height, columns=1):
    sheet = Figure(figsize=(WIDTH, height), layout='constrained')
    sheet.get_layout_engine().set(rect=(0.005, 0.32 / height, 0.99, 1 - 0.95 / height), w_pad=0.08)
    sheet.text(0.012, 1 - 0.12 / height, title, fontsize=13, fontweight='bold', va='top')
    sheet.text(0.012, 1 - 0.38 / height, subtitle, fontsize=9, va='top', color='#555555')
    sheet.text(0.012, 0.1 / height, machine(run), fontsize=7.5, va='bottom', color='#666666')
    axes = sheet.subplots(1, columns, squeeze=False)[0]
    return sheet, axes


def plain_numbers(axis):
    """1,000 and not 10 to the third."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: TEN.format(value)))
    axis.set_minor_locator(NullLocator())


def nice_log(axis, low, high):
    """1, 2, 5 times powers of ten within the range, or powers alone where that is too many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 2000 else (1,)
    axis.set_ticks([step * 10.0 ** power for power in powers for step in steps
                    if low <= step * 10.0 ** power <= high])
    plain_numbers(axis)


def limits(values):
    return min(values) / 1.25, max(values) * 1.25


def lines(run, names, ticks, title, subtitle, across, raw=None):
    """Rates over a logarithmic quantity; a thin bar is from the slowest to the fastest repetition."""
    found, kinds = series(run, names)
    if sum(len(points) > 1 for points in found.values()) < 1:
        return None
    sheet, (axes,) = canvas(run, title, subtitle, 4.9)
    peers = sorted(row for row in found if kinds[row] == PEER)
    everything = []
    for row, points in found.items():
        ours, able = kinds[row] == OWN, row.endswith('waitable')
        colour, marker = style(row.removesuffix(' waitable'), peers)
        xs = sorted(points)
        axes.errorbar(xs, [points[x].median for x in xs],
                      yerr=[[points[x].median - min(points[x].values) for x in xs],
                            [max(points[x].values) - points[x].median for x in xs]],
                      color=colour, marker=marker, label=row, elinewidth=0.8, capsize=0,
                      linewidth=(1.4 if able else 2.8) if ours else 1.1, markersize=7 if ours and not able else 5,
                      linestyle=(0, (4, 2)) if able else '-', markerfacecolor='white' if able else colour,
                      alpha=1 if ours else 0.85, zorder=5 if ours else 3)
        everything += [value for x in xs for value in points[x].values]
    limit = {x: value for x, value in (raw or {}).items() if value}
    if limit:
        axes.plot(list(limit), list(limit.values()), color='#777777', marker='_', markersize=26, markeredgewidth=2,
                  linestyle='none', label='raw hand-over', zorder=2)
        everything += limit.values()
    axes.set_xscale('log')
    axes.set_yscale('log')
    axes.set_xlabel(across)
    axes.set_ylabel('million items a second')
    axes.set_ylim(*limits(everything))
    nice_log(axes.yaxis, *limits(everything))
    axes.set_xticks(ticks)
    plain_numbers(axes.xaxis)
    axes.grid(True, axis='x', which='major')
    axes.legend(loc='center left', bbox_to_anchor=(1.0, 0.5), handlelength=2.6)
    return sheet


def hand_over(run, size):
    """Million items of a size a second at the bandwidth of the raw hand-over of such items, or None."""
    for cell in run.cells.values():
        if cell.name == f'ring/single/{size} B/capacity 1024/balanced' and cell.fastest(OWN):
            own = cell.fastest(OWN)
            limit = run.limit(cell, own)
            return own.median / limit[1] if limit else None
    return None


def throughput(run):
    names = {size: f'ring/single/{size} B/capacity 1024/balanced' for size in SIZES}
    return lines(run, names, SIZES, 'Throughput by item size',
                 'two threads on two cores, single push and pop, capacity 1,024; medians, bars from min to max',
                 'item size, bytes', {size: hand_over(run, size) for size in (8, 1024)})


def capacity(run):
    names = {items: f'ring/single/8 B/capacity {items}/balanced' for items in CAPACITIES}
    return lines(run, names, CAPACITIES, 'Throughput by capacity',
                 'two threads on two cores, single push and pop, items of 8 bytes; medians, bars from min to max',
                 'capacity, items')


def row_labels(axes, rows, kinds):
    axes.set_yticks(range(len(rows)), rows)
    for text, row in zip(axes.get_yticklabels(), rows):
        if kinds[row] == OWN:
            text.set_fontweight('bold')
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(False, axis='y')
    axes.tick_params(axis='y', length=0)
    axes.spines['left'].set_visible(False)


def latency(run):
    """One row a contestant: p50, p99, p99.9 and the maximum of the round trip of 8 bytes."""
    name = 'ring/round trip/8 B'
    found, kinds = series(run, {0: name})
    tails = [('p50_ns', 'o', 'p50'), ('p99_ns', '|', 'p99'), ('p999_ns', 'd', 'p99.9'), ('max_ns', 'x', 'max')]
    rows = [row for row, points in found.items() if all(points[0].counter(key) for key, _, _ in tails)]
    if not rows:
        return None
    rows.sort(key=lambda row: found[row][0].median)
    sheet, (axes,) = canvas(run, 'Round trip of 8 bytes',
                            'through two rings, between two cores; medians of the repetitions',
                            1.75 + 0.3 * len(rows))
    peers = sorted(row for row in rows if kinds[row] == PEER)
    points = {row: [found[row][0].counter(key) for key, _, _ in tails] for row in rows}
    for place, row in enumerate(rows):
        ours = kinds[row] == OWN
        colour = style(row.removesuffix(' waitable'), peers)[0] if ours else '#666666'
        axes.plot(points[row][:3], [place] * 3, color=colour, linewidth=3 if ours else 1.2, solid_capstyle='butt')
        axes.plot(points[row][2:], [place] * 2, color=colour, linewidth=0.7, linestyle=':')
        for value, (_, marker, _) in zip(points[row], tails):
            axes.plot([value], [place], marker=marker, color=colour, linestyle='none',
                      markersize=9 if marker == '|' else 7 if marker == 'o' else 6, markeredgewidth=1.8)
        axes.annotate(figure(points[row][0]), (points[row][0], place), (-7, 0), textcoords='offset points', ha='right',
                      va='center', fontsize=8.5, fontweight='bold' if ours else 'normal',
                      bbox={'facecolor': 'white', 'edgecolor': 'none', 'pad': 0.4})
    low, high = min(map(min, points.values())), max(map(max, points.values()))
    line = run.raw(run.cells[name].program, 'line round trip')
    if line:
        axes.axvline(line.median, color='#999999', linestyle=':', linewidth=1.6, zorder=1)
        low = min(low, line.median)
    axes.set_xscale('log')
    axes.set_xlim(low / 1.5, high * 1.3)
    nice_log(axes.xaxis, low / 1.5, high * 1.3)
    axes.set_xlabel('ns' + (f'   (dotted line: one cache line and back, {figure(line.median)} ns)' if line else ''))
    for _, marker, text in tails:
        axes.plot([], [], marker=marker, color='#444444', linestyle='none', label=text, markeredgewidth=1.8)
    axes.legend(loc='lower right', bbox_to_anchor=(1.0, 1.0), ncols=4, borderaxespad=0, handletextpad=0.2,
                columnspacing=1.2)
    row_labels(axes, rows, kinds)
    return sheet


def mark(axes, place, each, scaled, colour, ours, able, logarithmic):
    """One figure: a bar from zero, or, as a logarithmic axis has no zero, a point. A thin line is from min to max."""
    fill = 'white' if able else colour
    low, median, high = (value / scaled for value in (min(each.values), each.median, max(each.values)))
    if logarithmic:
        axes.plot([median], [place], marker='o', color=colour, markerfacecolor=fill, markersize=8 if ours else 6,
                  markeredgewidth=1.6, linestyle='none', zorder=4)
    else:
        axes.barh(place, median, height=0.66, color=fill, edgecolor=colour, hatch='////' if able else None,
                  linewidth=1)
    axes.plot([low, high], [place] * 2, color='#222222', linewidth=0.8, zorder=5)
    axes.annotate(figure(median), (high, place), (7 if logarithmic else 4, 0),
                  textcoords='offset points', va='center', fontsize=8, fontweight='bold' if ours else 'normal')


def scale(axes, values, scaled, logarithmic):
    """Room for the text beside the largest value, and few ticks."""
    low = min(min(each.values) for each in values) / scaled
    high = max(max(each.values) for each in values) / scaled
    if not logarithmic:
        axes.set_xlim(0, high * 1.25)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: TEN.format(value)))
        axes.locator_params(axis='x', nbins=4)
        return
    axes.set_xscale('log')
    decades = math.log10(high / low)
    axes.set_xlim(low / 10 ** (0.12 * decades + 0.05), high * 10 ** (0.5 * decades + 0.1))
    powers = [10.0 ** power for power in range(math.ceil(math.log10(low)) - 1, math.floor(math.log10(high)) + 1)]
    axes.set_xticks([power for power in powers if power >= axes.get_xlim()[0]])
    plain_numbers(axes.xaxis)


def panels(run, cells, title, subtitle, logarithmic):
    """Figures side by side, a panel a cell: [(heading, cell name, axis label, what it is divided by)]."""
    cells = [each for each in cells if each[1] in run.cells and shown(run.cells[each[1]])]
    if not cells:
        return None
    found, kinds = series(run, {name: name for _, name, _, _ in cells})
    first = cells[0][1]
    rows = sorted(found, key=lambda row: (kinds[row] != OWN, row.endswith('waitable'), first not in found[row],
                                          -found[row][first].speed() if first in found[row] else 0, row))
    sheet, all_axes = canvas(run, title, subtitle, 1.85 + 0.27 * len(rows), len(cells))
    for number, (axes, (heading, name, label, scaled)) in enumerate(zip(all_axes, cells)):
        for place, row in enumerate(rows):
            if name in found[row]:
                ours = kinds[row] == OWN
                colour = style(row.removesuffix(' waitable'), [])[0] if ours else '#8A8A8A'
                mark(axes, place, found[row][name], scaled, colour, ours, row.endswith('waitable'), logarithmic)
        if logarithmic:
            axes.hlines(range(len(rows)), 0, 1, transform=axes.get_yaxis_transform(), color='#dddddd', linewidth=0.6,
                        zorder=1)
        axes.set_title(heading, fontsize=10, loc='left')
        axes.set_xlabel(label)
        row_labels(axes, rows, kinds)
        if number:
            axes.set_yticklabels([])
        scale(axes, [found[row][name] for row in rows if name in found[row]], scaled, logarithmic)
    return sheet


def imbalance(run):
    return panels(run, [(load, f'ring/single/8 B/capacity 1024/{load}', 'million items a second', 1) for load in LOADS],
                  'Throughput when one side is slower',
                  'items of 8 bytes, capacity 1,024; the slower side does about 12 cycles more an item', False)


def processes(run):
    cells = [(f'{size}, {what}', f'process/{what}/{count} B', label, scaled)
             for what, label, scaled in (('rate', 'million a second', 1), ('round trip', 'µs, less is better', 1000))
             for size, count in (('64 B', 64), ('1 KiB', 1024))]
    return panels(run, cells + [('frames of 1 MiB', 'process/frames/1 MiB', 'GB/s', 1)], 'Between two processes',
                  'logarithmic; medians (round trips: of p50), black lines from min to max', True)


CHARTS = {'throughput': throughput, 'latency': latency, 'capacity': capacity, 'imbalance': imbalance,
          'processes': processes}


def draw(run, folder):
    """Writes the charts that the run has cells for; their paths."""
    written = []
    for name, chart in CHARTS.items():
        sheet = chart(run)
        if sheet:
            folder.mkdir(parents=True, exist_ok=True)
            written.append(folder / f'{name}.svg')
            sheet.savefig(written[-1], format='svg', metadata={'Date': None, 'Creator': None})
    return written
