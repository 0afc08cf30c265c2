# SPDX-License-Identifier: MIT
"""tools/bench-report: which repetitions count, what is lost, which targets are met, and what it cannot use."""
import gzip
import os
import subprocess
import sys
from pathlib import Path

from bench_fixture import ROUND_TRIP, SINGLE, rates, repetition, report, row, trips, write
from tap import ROOT, Skipped, Tap, expect


def expect_row(text, contestant, *words):
    found = row(text, contestant)
    expect(found is not None and found[:len(words)] == list(words), f'{contestant}: {found}, not {words}, in\n{text}')


def only_cross_core_counts(folder):
    """Seven cross-core repetitions around 100; hyperthreads are faster, disturbed ones slower."""
    runs = rates(f'{SINGLE}/tern indexed, bare', 90, 110, 100) + rates(f'{SINGLE}/tern indexed, bare', 900, 950,
                 label='hyperthreads') + rates(f'{SINGLE}/tern indexed, bare', 1, label='disturbed')
    status, output, _ = report(write(folder, runs))
    expect(status == 0, output)
    expect_row(output, 'tern indexed, bare', '100', '90.0', '110', '-', '-', '3c', '1d', '2h')


def hyperthreads_where_there_is_nothing_else(folder):
    runs = rates(f'{SINGLE}/tern indexed, bare', 90, 110, 100, label='hyperthreads') \
        + rates(f'{SINGLE}/tern indexed, bare', 1, label='disturbed')
    _, output, _ = report(write(folder, runs))
    expect_row(output, 'tern indexed, bare', '100', '90.0', '110', '-', '-', '1d', '3h')
    expect('of the hyperthreads repetitions' in output, output)
    # one cross-core repetition anywhere in the run, and hyperthreads no longer count
    _, output, _ = report(write(folder, runs + rates(f'{SINGLE}/boost spsc_queue, bare', 50)))
    expect(row(output, 'tern indexed, bare') is None, output)
    expect('without a figure: tern indexed, bare: no cross-core repetition of 4' in output, output)


def disturbed_never_counts(folder):
    runs = rates(f'{SINGLE}/tern indexed, bare', 700) + rates(f'{SINGLE}/ck_ring, bare', 100) \
        + rates(f'{SINGLE}/boost spsc_queue, bare', 500, label='disturbed')
    status, output, _ = report(write(folder, runs))
    expect('7.00 x, tern indexed, bare 700, ck_ring, bare 100' in output, output)
    expect('(without a figure: boost spsc_queue)' in output, 'the verdict hides a peer without a figure\n' + output)
    expect(status == 0, output)


def without_labels_the_share_decides(folder):
    cell = 'wait/round trip on one processor'
    runs = [repetition(f'{cell}/tern bell', None, 'wait_google', real_time=time, least_cpu_share=share)
            for time, share in ((100, 0.99), (900, 0.5))]
    runs += [repetition(f'{cell}/pipe', None, 'wait_google', real_time=200, least_cpu_share=0.3)]
    _, output, _ = report(write(folder, runs))
    expect_row(output, 'tern bell', '100', '100', '100', '2.00', 'x')
    expect_row(output, 'pipe*', '200')


def best_loop_stands_for_a_contestant(folder):
    runs = rates(f'{SINGLE}/tern indexed, bare', 500) + rates(f'{SINGLE}/tern indexed, pause 4', 700) \
        + rates(f'{SINGLE}/boost spsc_queue, pause 1', 100) + rates(f'{SINGLE}/boost spsc_queue, bare', 350)
    _, output, _ = report(write(folder, runs))
    expect_row(output, 'tern indexed, pause 4', '700', '700', '700', '2.00', 'x')
    expect_row(output, 'boost spsc_queue, bare', '350')
    expect(row(output, 'tern indexed, bare') is None and row(output, 'boost spsc_queue, pause 1') is None, output)
    # of round trips the shortest is the best
    _, output, _ = report(write(folder, trips(f'{ROUND_TRIP}/tern sequenced, bare', 300)
                                + trips(f'{ROUND_TRIP}/tern sequenced, pause 1', 200)))
    expect_row(output, 'tern sequenced, pause 1', '200', '200', '200', '400', '600', '20,000')


def units_are_those_of_the_programs(folder):
    """per_op before items_per_second before real_time; frames in GB/s."""
    runs = [repetition('pool/handle check/tern get', None, 'pool_google', per_op=2e-9, real_time=5000.0),
            repetition('stream/transfer of 8 B/stream, copying', None, 'stream_google', items_per_second=2e8),
            repetition('bell/ring, nobody asleep/tern', None, 'bell_google', real_time=3.0, time_unit='us'),
            repetition('process/frames/1 MiB/tern indexed', program='process_google', bytes_per_second=9.5e9)]
    _, output, _ = report(write(folder, runs))
    for contestant, figure in (('tern get', '2.00'), ('stream, copying', '5.00'), ('tern', '3,000'),
                               ('tern indexed', '9.50')):
        expect_row(output, contestant, figure)
    expect('GB/s; median' in output, output)


def raw_limits_are_of_the_same_program(folder):
    runs = trips(f'{ROUND_TRIP}/tern sequenced', 210) + rates(f'{SINGLE}/tern indexed', 600) \
        + trips('raw/line round trip/one line', 200) \
        + trips('raw/line round trip/one line', 100, program='process_google') \
        + rates('raw/hand-over 8 B/chunks', 800) + rates('raw/hand-over 8 B/small chunks', 300)
    _, output, _ = report(write(folder, runs))
    expect_row(output, 'tern sequenced', '210', '210', '210', '420', '630', '21,000', '-', '1.05')
    expect_row(output, 'tern indexed', '600', '600', '600', '-', '0.75')


def each_cell_has_the_raw_limit_nearest_to_it(folder):
    """Half of the raw limit's bytes in each cell, so each limit that is used gives 0.50."""
    raw = {'hand-over 8 B': 800, 'hand-over 8 B joined': 1600, 'hand-over 1 KiB': 20}
    runs = [run for name, rate in raw.items() for run in rates(f'raw/{name}/chunks', rate)]
    limits = {'single/8 B': (400, 'hand-over 8 B'), 'batch 8/8 B': (800, 'hand-over 8 B joined'),
              'single/64 B': (100, 'hand-over 8 B joined'), 'single/256 B': (40, 'hand-over 1 KiB'),
              'single/1024 B': (10, 'hand-over 1 KiB')}
    for cell, (rate, _) in limits.items():
        runs += rates(f'ring/{cell}/capacity 1024/balanced/tern indexed', rate)
    runs += trips('raw/line round trip/threads', 50, program='process_google') \
        + trips('raw/line round trip/processes', 100, program='process_google') \
        + trips('process/round trip/64 B/tern sequenced', 50, program='process_google')
    _, output, _ = report(write(folder, runs))
    for cell, limit in [*((f'ring/{cell}', limit) for cell, (_, limit) in limits.items()),
                        ('process/round trip/64 B', 'line round trip')]:
        text = output[output.index(cell):].split('\n\n')[0]
        expect('  0.50  ' in text and text.endswith(f'raw limit: {limit}'), text)


def lost_cells_are_marked(folder):
    lost = 'ring/single/64 B/capacity 64/balanced'
    runs = rates(f'{lost}/tern indexed', 100) + rates(f'{lost}/boost spsc_queue', 106) \
        + rates(f'{SINGLE}/tern indexed', 100) + rates(f'{SINGLE}/boost spsc_queue', 104)
    status, output, _ = report(write(folder, runs))
    expect('MISSED     no cell of rings and processes' in output and '1 of 2 cells are lost' in output, output)
    expect(status == 1, output)
    marked = [line for line in output.splitlines() if line.endswith('LOST')]
    expect(len(marked) == 1 and marked[0].startswith(lost), str(marked))
    expect(f'{lost}: boost spsc_queue 106, tern indexed 100 million items a second (0.94 x): no reason' in output,
           output)
    # what is known is told
    runs = [repetition(f'triple/publish, contended, 8 B/{name}', None, real_time=time)
            for name, time in (('tern', 100), ('seqlock', 50))]
    status, output, _ = report('--brief', write(folder, runs))
    expect('read-modify-write' in output and status == 0, output)


def targets_and_exit_status(folder):
    def one(own, peer):
        return report('--brief', write(folder, rates(f'{SINGLE}/tern indexed', own) + rates(f'{SINGLE}/ck_ring', peer)))
    status, output, _ = one(601, 100)
    expect(status == 0 and f'met        {SINGLE}, at least 6 x the best peer: 6.01 x' in output, output)
    status, output, _ = one(599, 100)
    expect(status == 1 and f'MISSED     {SINGLE}, at least 6 x the best peer: 5.99 x' in output, output)
    status, output, _ = report(write(folder, rates(f'{SINGLE}/tern indexed', 90, 100, 181)))
    expect(status == 1 and 'within a factor of 2: 1 of 1 are wider' in output, output)


def other_rates_have_their_targets(folder):
    """Batches 1.6, a slower side 2, and less where single calls must reach less; waitable rings 1.3."""
    def one(operation, size, load, own, peer='ck_ring'):
        cell = f'ring/{operation}/{size} B/capacity 1024/{load}'
        runs = rates(f'{cell}/tern indexed', own) + rates(f'{cell}/{peer}', 100)
        return report('--brief', write(folder, runs))[0]
    for operation, size, load, least in (('batch 8', 8, 'balanced', 1.6), ('batch 32', 64, 'balanced', 1.6),
                                         ('batch 32', 256, 'balanced', 1.5), ('batch 8', 1024, 'balanced', 1.1),
                                         ('single', 8, 'producer slower', 2), ('single', 16, 'consumer slower', 2),
                                         ('single', 64, 'producer slower', 1.8)):
        status = one(operation, size, load, least * 101), one(operation, size, load, least * 99)
        expect(status == (0, 1), f'{operation} of {size} B, {load}: {status}')
    status = (one('single', 64, 'balanced', 129, 'tern indexed waitable'),
              one('single', 64, 'balanced', 131, 'tern indexed waitable'))
    expect(status == (0, 1), f'waitable: {status}')


def round_trip_targets(folder):
    line = trips('raw/line round trip/one line', 200)
    def one(sequenced, indexed, peer):
        return report(write(folder, line + trips(f'{ROUND_TRIP}/tern sequenced', sequenced)
                            + trips(f'{ROUND_TRIP}/tern indexed', indexed) + trips(f'{ROUND_TRIP}/ck_ring', peer)))
    status, output, _ = one(209, 240, 300)
    expect(status == 0 and '4 met, 0 missed' in output, output)
    status, output, _ = one(211, 260, 300)
    expect(status == 1 and '2 met, 2 missed' in output, output)
    expect('at most 1.05 x the raw line: 1.055 x line' in output and 'tern indexed at most 0.85' in output, output)


def process_targets(folder):
    def one(own, threads, frames):
        runs = []
        for name, rate, p50 in (('tern indexed, bare', own, 2000 / own),
                                ('tern indexed, threads, bare', threads, 2000 / threads),
                                ('pipe, spinning', 2, 800)):
            runs += rates(f'process/rate/64 B/{name}', rate, program='process_google')
            runs += trips(f'process/round trip/64 B/{name}', p50, program='process_google')
        for name, speed in ('tern indexed', frames), ('iceoryx, polling', 9e9):
            runs.append(repetition(f'process/frames/1 MiB/{name}', program='process_google', bytes_per_second=speed))
        return report('--brief', write(folder, runs))
    status, output, _ = one(20, 21, 9.1e9)
    expect(status == 0 and '6 met, 0 missed' in output, output)
    # threads are faster than any peer, but they are no peer
    status, output, _ = one(9, 21, 8.9e9)
    expect(status == 1 and '1 met, 5 missed' in output, output)


def primitives_have_their_targets(folder):
    runs = [repetition(f'pool/{name}', None, 'pool_google', per_op=time * 1e-9) for name, time in
            (('handle check/tern get', 3.1), ('pin + unpin, uncontended/tern', 12.9),
             ('pin + unpin, uncontended/two bare read-modify-writes', 10))]
    status, output, _ = report('--brief', write(folder, runs))
    expect(status == 1 and 'MISSED     pool/handle check, tern get at most 3 ns: 3.10 ns' in output, output)
    expect('met        pool/pin + unpin, uncontended, tern at most 1.3 x two bare read-modify-writes: 1.29 x' in output,
           output)


def unusable_files(folder):
    path = folder / 'broken.json'
    for text, why in (('', 'Expecting value'), ('{"benchmarks": [', 'Expecting value'), ('[]', 'no list "benchmarks"'),
                      ('{"outcomes": []}', 'no list "benchmarks"'), ('{"benchmarks": []}', 'no figure in it'),
                      ('{"benchmarks": [{"run_type": "iteration"}]}', 'without a name')):
        path.write_text(text, encoding='utf-8')
        status, output, errors = report(path)
        expect(status == 2 and why in errors and 'broken.json' in errors, f'{text}: {status}\n{output}\n{errors}')
        expect('Traceback' not in errors, errors)
    status, _, errors = report(folder / 'none.json')
    expect(status == 2 and 'No such file' in errors, errors)


def missing_counters_and_errors(folder):
    rate = repetition(f'{SINGLE}/moodycamel')
    failed = {**repetition(f'{SINGLE}/ck_ring', items_per_second=1e12), 'error_occurred': True,
              'error_message': 'an item is lost'}
    zero = repetition(f'{SINGLE}/atomic_queue', items_per_second=0)
    status, output, _ = report(write(folder, [rate, failed, zero] + rates(f'{SINGLE}/tern indexed', 100)))
    for text in ('moodycamel: no items_per_second', 'ck_ring: error in 1 of 1: an item is lost',
                 'atomic_queue: items_per_second is 0'):
        expect(f'without a figure: {text}' in output, output)
    expect(status == 0, output)
    status, _, errors = report(write(folder, [rate]))
    expect(status == 2 and 'no items_per_second' in errors, errors)


def committed_results_can_be_read(_folder):
    seen = 0
    for path in sorted((ROOT / 'bench/results').glob('*.json')):
        if '"benchmarks":' not in path.read_text(encoding='utf-8'):
            continue
        seen += 1
        status, output, errors = report(path)
        expect(status in (0, 1) and 'targets' in output and 'without a figure' not in output,
               f'{path}: {output}{errors}')
        status, output, errors = report('--markdown', path)
        expect(status in (0, 1) and '|---|' in output, f'{path}: {output}{errors}')
    expect(seen >= 5, f'only {seen} results of Google Benchmark programs are there')


def compressed_is_the_same(folder):
    path = write(folder, rates(f'{SINGLE}/tern indexed', 100))
    packed = folder / 'run.json.gz'
    packed.write_bytes(gzip.compress(path.read_bytes()))
    expect(report(path)[1].splitlines()[1:] == report(packed)[1].splitlines()[1:], 'another report of the .gz')


def markdown_shows_what_is_lost(folder):
    runs = rates(f'{SINGLE}/tern indexed', 300) + rates(f'{SINGLE}/boost spsc_queue, bare', 100) \
        + rates(f'{SINGLE}/atomic_queue, try', 50) + rates(f'{SINGLE}/atomic_queue, optimistic', 150)
    other = SINGLE.replace('8 B', '16 B')
    runs += rates(f'{other}/tern indexed', 100) + rates(f'{other}/boost spsc_queue, bare', 200)
    _, output, _ = report('--markdown', write(folder, runs))
    for line in ('| | 8 B | 16 B |', '| atomic_queue | 150 (150 to 150) | - |',
                 '| boost spsc_queue | 100 (100 to 100) | **200 (200 to 200)** |',
                 '| **our best / best peer, by speed** | **2.00x** | **0.50x** lost |'):
        expect(line in output.splitlines(), f'no line {line} in\n{output}')


def chart_run(folder):
    runs = []
    names = ('tern indexed', 'tern sequenced', 'tern indexed waitable', 'boost spsc_queue, bare', 'new')
    for number, name in enumerate(names):
        for size in 8, 64, 1024:
            runs += rates(f'ring/single/{size} B/capacity 1024/balanced/{name}', 300 / (number + 1), 320 / (number + 1))
        for what in 'capacity 64/balanced', 'capacity 1024/producer slower':
            runs += rates(f'ring/single/8 B/{what}/{name}', 100 / (number + 1))
        runs += trips(f'{ROUND_TRIP}/{name}', 200 * (number + 1))
        runs += rates(f'process/rate/64 B/{name}', 20 / (number + 1), program='process_google')
    return write(folder, runs)


def python_that_draws():
    for python in sys.executable, '/usr/bin/python3':
        if Path(python).exists() and subprocess.run([python, '-c', 'import matplotlib'], stderr=subprocess.DEVNULL,
                                                     check=False).returncode == 0:
            return python
    raise Skipped('no matplotlib (Debian: python3-matplotlib)')


def charts_are_the_same_each_time(folder):
    python = python_that_draws()
    path = chart_run(folder)
    for name in 'a', 'b':
        status, _, errors = report('--charts', folder / name, path, python=python)
        expect(status in (0, 1) and 'Traceback' not in errors, errors)
    first = {file.name: file.read_bytes() for file in sorted((folder / 'a').iterdir())}
    expect(sorted(first) == ['capacity.svg', 'imbalance.svg', 'latency.svg', 'processes.svg', 'throughput.svg'],
           str(sorted(first)))
    for name, data in first.items():
        expect((folder / 'b' / name).read_bytes() == data, f'{name} is another one the second time')
        text = data.decode()
        expect(len(data) < 60000, f'{name} has {len(data)} bytes')
        expect('dc:date' not in text and '<text' in text and 'tern indexed' in text, f'{name}: a date, or no text')
        expect('fill: #ffffff' in text, f'{name} has no white ground')
        expect('Some Processor' in text and '0123456789ab' in text, f'{name} does not tell machine and commit')
    # what was not measured is not drawn
    report('--charts', folder / 'c', write(folder, rates('process/rate/64 B/tern indexed', 1)), python=python)
    expect([file.name for file in (folder / 'c').iterdir()] == ['processes.svg'], 'charts without figures')


def tables_come_without_matplotlib(folder):
    (folder / 'empty/matplotlib').mkdir(parents=True)
    (folder / 'empty/matplotlib/__init__.py').write_text('raise ImportError("No module named matplotlib")\n')
    status, output, errors = report('--charts', folder / 'charts', chart_run(folder),
                                    env={**os.environ, 'PYTHONPATH': str(folder / 'empty')})
    expect(status in (0, 1) and 'targets' in output, output)
    expect('python3-matplotlib' in errors and 'Traceback' not in errors, errors)


def main():
    Tap().run_in_folders('tern-bench-report-', only_cross_core_counts, hyperthreads_where_there_is_nothing_else,
                         disturbed_never_counts, without_labels_the_share_decides, best_loop_stands_for_a_contestant,
                         units_are_those_of_the_programs, raw_limits_are_of_the_same_program,
                         each_cell_has_the_raw_limit_nearest_to_it, other_rates_have_their_targets,
                         lost_cells_are_marked, targets_and_exit_status, round_trip_targets, process_targets,
                         primitives_have_their_targets, unusable_files, missing_counters_and_errors,
                         committed_results_can_be_read, compressed_is_the_same, markdown_shows_what_is_lost,
                         charts_are_the_same_each_time, tables_come_without_matplotlib)


if __name__ == '__main__':
    main()
