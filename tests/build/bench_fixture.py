# SPDX-License-Identifier: MIT
"""Small results of Google Benchmark programs, made up for the tests of tools/bench-report."""
import json
import subprocess
import sys

from tap import ROOT

REPORT = ROOT / 'tools/bench-report'
SINGLE = 'ring/single/8 B/capacity 1024/balanced'
ROUND_TRIP = 'ring/round trip/8 B'


def repetition(name, label='cross-core', program='ring_google', **counters):
    run = {'program': program, 'name': f'{name}/iterations:1/manual_time', 'run_type': 'iteration',
           'repetition_index': 0, 'iterations': 1, 'real_time': 100.0, 'cpu_time': 1.0, 'time_unit': 'ns', **counters}
    return {**run, 'label': label} if label else run


def rates(name, *millions, label='cross-core', program='ring_google'):
    """A repetition for each rate, in million items a second."""
    return [repetition(name, label, program, items_per_second=rate * 1e6) for rate in millions]


def trips(name, *p50_ns, label='cross-core', program='ring_google'):
    return [repetition(name, label, program, p50_ns=p50, p99_ns=p50 * 2, p999_ns=p50 * 3, max_ns=p50 * 100)
            for p50 in p50_ns]


def write(folder, runs, name='run.json'):
    path = folder / name
    context = {'processor': 'Some Processor', 'compiler': 'gcc 0', 'commit': '0123456789ab',
               'date': '2020-01-02T03:04:05'}
    path.write_text(json.dumps({'context': context, 'benchmarks': runs}), encoding='utf-8')
    return path


def report(*arguments, python=sys.executable, **options):
    """(exit status, output, errors) of tools/bench-report."""
    done = subprocess.run([python, '-B', REPORT, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False, **options)
    return done.returncode, done.stdout, done.stderr


def row(text, contestant):
    """The words of a contestant's line in the first table that has one, after its name."""
    for line in text.splitlines():
        if line.strip().startswith(f'{contestant}  '):
            return line.strip()[len(contestant):].split()
    return None
