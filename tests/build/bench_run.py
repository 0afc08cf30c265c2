# SPDX-License-Identifier: MIT
"""tools/bench-run against a program that only speaks Google Benchmark's options: nothing is measured."""
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench_fixture import report
from tap import ROOT, Tap, expect

RUN = ROOT / 'tools/bench-run'
sys.path.insert(0, str(ROOT / 'tools'))
sys.dont_write_bytecode = True
from benchlib import machine, results, suite  # noqa: E402  pylint: disable=wrong-import-position

# Its benchmarks are in NAME.json: {name: what happens}. Each call of it is a line of NAME.calls.
FAKE = f'''#!{sys.executable}
import json, os, re, sys, time
names = json.load(open(sys.argv[0] + '.json'))
options = dict(text.lstrip('-').split('=', 1) for text in sys.argv[1:])
if 'benchmark_list_tests' in options:
    if 'cannot list' in names: sys.exit('no list today')
    print('\\n'.join(names))
    sys.exit()
chosen = [name for name in names if re.search(options['benchmark_filter'], name)]
with open(sys.argv[0] + '.calls', 'a') as file:
    print(json.dumps([chosen, options, os.environ['TERN_BENCH_SECONDS']]), file=file)
runs = []
for name in chosen:
    what = names[name]
    if what == 'crash': print('an item is lost', file=sys.stderr); os.abort()
    if what == 'exit': sys.exit('it does not work: 7')
    if what == 'hang': print('hangs', file=sys.stderr); time.sleep(600)
    if what == 'garbage': open(options['benchmark_out'], 'w').write('{{"benchm'); sys.exit()
    if what == 'nothing': continue
    if what == 'left out': print('ring_google: left out: iceoryx: it is not there', file=sys.stderr)
    for index in range(int(options['benchmark_repetitions'])):
        run = dict(name=name, run_name=name, run_type='iteration', repetition_index=index, iterations=1, real_time=1.0,
                   cpu_time=1.0, time_unit='ns', items_per_second=123456789.123456, label='cross-core', family_index=3)
        if what == 'error': run = dict(name=name, run_name=name, run_type='iteration', error_occurred=True,
                                       error_message='no\tpeer')
        runs.append(run)
    runs.append(dict(name=name + '_median', run_name=name, run_type='aggregate', aggregate_name='median',
                     real_time=1.0))
context = dict(host_name='secret-host', executable='/secret/folder/x', date='2020-01-02', processor='Some Processor')
text = json.dumps(dict(context=context, benchmarks=runs)).replace('\\\\t', '\t')   # as Google Benchmark 1.7
open(options['benchmark_out'], 'w').write(text)
'''


def fake(folder, name, benchmarks):
    path = folder / 'build/bench' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FAKE, encoding='utf-8')
    path.chmod(0o755)
    Path(f'{path}.json').write_text(json.dumps(benchmarks), encoding='utf-8')


def calls(folder, name):
    path = folder / f'build/bench/{name}.calls'
    return [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()] if path.exists() else []


def command(folder, *arguments):
    return [sys.executable, '-B', RUN, '--builddir', folder / 'build', '--out', folder / 'out.json',
            '--repetitions', '2', *arguments]


def run(folder, *arguments):
    """(exit status, all that it says, what it wrote or None)."""
    done = subprocess.run(command(folder, *arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, cwd=folder)
    expect('Traceback' not in done.stdout, done.stdout)
    out = folder / 'out.json'
    return done.returncode, done.stdout, json.loads(out.read_text(encoding='utf-8')) if out.exists() else None


def cells_run_one_by_one(folder):
    fake(folder, 'pool_google',
         {f'pool/{cell}/{name}/manual_time': 'fine' for cell in ('pin + unpin', 'read') for name in 'ab'})
    status, output, written = run(folder, '--full', '--seconds', '0.5')
    expect(status == 0, output)
    found = calls(folder, 'pool_google')
    expect([chosen for chosen, _, _ in found] == [[f'pool/{cell}/{name}/manual_time' for name in 'ab']
                                                  for cell in ('pin + unpin', 'read')], str(found))
    for _, options, seconds in found:
        expect(options['benchmark_enable_random_interleaving'] == 'true' and options['benchmark_repetitions'] == '2'
               and options['benchmark_min_time'] == seconds == '0.5', str(options))
    expect(len(written['benchmarks']) == 8, 'repetitions are missing, or aggregates are in it')
    expect('[2/2] pool/read' in output and '8 cross-core' in output, output)
    expect(report(folder / 'out.json')[0] == 0, 'bench-report cannot read it')


def names_are_taken_literally(folder):
    """Each name selects itself and nothing else, though all are regular expressions."""
    names = ['a/b+/x', 'a/bb/x', 'a/b (c)/x', 'a/b c/x', 'a/b.d/x', 'a/bed/x', 'a/b|a/x', 'a/b[c]/x', 'a/b$^/x',
             'a/b\\w/x',
             'a/b*/x', 'a/b?/x', 'a/b{2}/x', 'a/1,024 µs/x', 'a/b+, more/x', 'z/a/b+/x', 'a/b+/deeper/x']
    fake(folder, 'ring_google', dict.fromkeys(names, 'fine'))
    status, output, _ = run(folder, '--full', 'ring')
    expect(status == 0, output)
    expect([chosen for chosen, _, _ in calls(folder, 'ring_google')] == [[name] for name in names],
           f'{calls(folder, "ring_google")}')


def nothing_of_the_machine_is_told(folder):
    fake(folder, 'bell_google', {'bell/x/tern': 'fine'})
    _, _, written = run(folder, 'bell')
    text = (folder / 'out.json').read_text(encoding='utf-8')
    expect('secret' not in text and str(folder) not in text, text)
    context = written['context']
    for key in ('commit', 'date', 'selection', 'programs', 'processor'):
        expect(context.get(key), f'{key} is not in {context}')
    expect(written['benchmarks'][0]['items_per_second'] == 123457000
           and written['benchmarks'][0]['program'] == 'bell_google'
           and 'family_index' not in written['benchmarks'][0], str(written['benchmarks'][0]))


def raw_limits_run_three_times(folder):
    names = {f'ring/{number}/x': 'fine' for number in range(4)} | {'raw/line round trip/one line': 'fine'}
    fake(folder, 'ring_google', names)
    fake(folder, 'bell_google', {'bell/x/tern': 'fine'})
    _, _, written = run(folder, '--full')
    order = [chosen[0].split('/')[1] for chosen, _, _ in calls(folder, 'ring_google')]
    expect(order == ['line round trip', '0', '1', 'line round trip', '2', '3', 'line round trip'], str(order))
    expect(sum(run['name'].startswith('raw/') for run in written['benchmarks']) == 6, 'raw repetitions are missing')


def selection_is_the_default(folder):
    there = suite.SELECTION['ring_google']
    fake(folder, 'ring_google', {f'{cell}/tern': 'fine' for cell in [*there, 'ring/other']})
    fake(folder, 'pool_google', {f'{cell}/tern': 'fine' for cell in [*suite.SELECTION['pool_google'], 'pool/other']})
    status, output, _ = run(folder, '--list')
    expect(status == 0 and 'other' not in output and all(f'ring_google  {cell}  (1 ' in output for cell in there),
           output)
    expect(not calls(folder, 'ring_google'), '--list ran something')
    _, output, _ = run(folder, '--list', 'ring', 'pool_google')
    expect('ring/other' not in output and 'pool/other' in output, output)
    _, output, _ = run(folder, '--list', '--full')
    expect('ring/other' in output and 'pool/other' in output, output)
    # a selected cell that is no longer there is no silent hole
    fake(folder, 'ring_google', {f'{cell}/tern': 'fine' for cell in there[1:]})
    status, output, _ = run(folder, '--list')
    expect(status == 1 and f'ring_google has no cell {there[0]}' in output, output)


def failures_keep_what_was_measured(folder):
    names = {'ring/first/x': 'fine'}
    says = {'crash': 'signal 6: an item is lost', 'exit': 'exit code 1: it does not work: 7', 'garbage': 'its output',
            'nothing': 'no results', 'error': 'no results: no peer'}
    names.update({f'ring/{what}/x': what for what in says})
    names['ring/last/x'] = 'fine'
    fake(folder, 'ring_google', names)
    fake(folder, 'bell_google', {'bell/x/tern': 'fine'})
    status, output, written = run(folder, '--full')
    expect(status == 1, output)
    for what, text in says.items():
        expect(f'PROBLEM  ring_google: ring/{what}: {text}' in output, f'{what}: {output}')
    fine = {run['name'] for run in written['benchmarks'] if not run.get('error_occurred')}
    expect(fine == {'ring/first/x', 'ring/last/x', 'bell/x/tern'}, str(fine))
    expect(len(written['context']['problems']) == len(says), str(written['context']))


def only_failures_write_nothing(folder):
    fake(folder, 'bell_google', {'bell/x/tern': 'crash'})
    status, output, written = run(folder, 'bell')
    expect(status == 2 and written is None and 'bell/x: signal 6' in output and 'nothing was measured' in output,
           output)


def programs_that_are_not_there(folder):
    status, output, _ = run(folder)
    expect(status == 2 and 'nothing to run' in output, output)
    status, output, _ = run(folder, 'bell')
    expect(status == 2 and 'bell_google is not built' in output, output)
    status, output, _ = run(folder, 'horse')
    expect(status == 2 and "no program 'horse_google'" in output, output)
    fake(folder, 'bell_google', {'bell/x/tern': 'fine'})
    fake(folder, 'ring_google', {'cannot list': ''})
    status, output, written = run(folder, '--full')
    expect(status == 1 and 'ring_google does not list its benchmarks: exit code 1: no list today' in output, output)
    expect(len(written['benchmarks']) == 2, str(written))


def left_out_is_told(folder):
    fake(folder, 'ring_google', {'ring/a/x': 'left out', 'ring/b/x': 'left out', 'raw/line/x': 'fine'})
    status, output, written = run(folder, '--full')
    expect(status == 0 and written['context']['notes'] == ['ring_google: left out: iceoryx: it is not there'], output)
    # no time at all: the cells are named, the raw limits are still measured
    status, output, written = run(folder, '--full', '--minutes', '0.0000001')
    expect(status == 0 and written['context']['left_out'] == ['ring/a', 'ring/b'], str(written['context']))
    expect({run['name'] for run in written['benchmarks']} == {'raw/line/x'}, output)


def stopping_keeps_what_was_measured(folder):
    fake(folder, 'ring_google', {'ring/a/x': 'fine', 'ring/b/x': 'hang', 'ring/c/x': 'fine'})
    with subprocess.Popen(command(folder, '--full'), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as process:
        end = time.monotonic() + 60
        while len(calls(folder, 'ring_google')) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    expect(process.returncode == 1 and 'stopped before the end' in output, output)
    written = json.loads((folder / 'out.json').read_text(encoding='utf-8'))
    expect({run['name'] for run in written['benchmarks']} == {'ring/a/x'}, str(written))
    expect('Traceback' not in output, output)


def files_get_names_of_their_own(folder):
    def where(*arguments):
        return subprocess.run([sys.executable, '-B', RUN, '--where', *arguments], stdout=subprocess.PIPE, text=True,
                              check=True,
                              cwd=folder).stdout.strip()
    first = where()
    expect(re.fullmatch(r'bench/results/bench-\d{4}-\d\d-\d\d-[a-z0-9-]+\.json', first), first)
    (folder / 'bench/results').mkdir(parents=True)
    (folder / first).write_text('')
    expect(where() == first.replace('.json', '-2.json'), where())
    expect(where('--out', 'x.json') == 'x.json', where('--out', 'x.json'))


def processors_have_short_names(_folder):
    intel = 'vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 207\nmodel name\t: Intel(R) Xeon(R) Processor\n'
    amd = 'vendor_id : AuthenticAMD\nmodel name : AMD EPYC 7763 64-Core Processor\nflags : fpu hypervisor\n'
    for text, name in ((intel + 'flags : fpu hypervisor\n', 'emerald-rapids-vm'), (intel, 'emerald-rapids'),
                       (amd, 'amd-epyc-7763-vm'), ('', 'unknown-processor'),
                       ('model name : 12th Gen Intel(R) Core(TM) i7-1260P @ 2.10GHz\n',
                        '12th-gen-intel-core-i7-1260p')):
        expect(machine.short_name(text) == name, f'{machine.short_name(text)}, not {name}')


def suffixes_are_no_part_of_a_name(_folder):
    for name, parts in (('a/b/c/iterations:1/manual_time', ('a/b', 'c')),
                        ('a/b, 8 B/c, pause 1', ('a/b, 8 B', 'c, pause 1')),
                        ('a/b/c/min_time:0.500/real_time/threads:2', ('a/b', 'c'))):
        expect(results.split_name(name) == parts, f'{name}: {results.split_name(name)}')


def main():
    Tap().run_in_folders('tern-bench-run-', cells_run_one_by_one, names_are_taken_literally,
                         nothing_of_the_machine_is_told, raw_limits_run_three_times, selection_is_the_default,
                         failures_keep_what_was_measured, only_failures_write_nothing, programs_that_are_not_there,
                         left_out_is_told, stopping_keeps_what_was_measured, files_get_names_of_their_own,
                         processors_have_short_names, suffixes_are_no_part_of_a_name)


if __name__ == '__main__':
    main()
