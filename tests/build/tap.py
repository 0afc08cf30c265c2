# SPDX-License-Identifier: MIT
"""Cases in parallel, results as TAP, in the order in which the cases were added."""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Wshadow', '-Werror']
STANDARDS = ['c11', 'c17', 'c++11', 'c++14', 'c++17', 'c++20']
WASM = ['clang', '--target=wasm32-unknown-unknown', '-std=c11', '-ffreestanding', '-mbulk-memory']
SHOWN_LINES = 30
WASM_THREADS = ['-matomics', '-mmutable-globals', '-ftls-model=local-exec']


class Failed(Exception):
    """A case failed; the text says why."""


class Skipped(Exception):
    """A case cannot run here; the text says why."""


def run(command, **options):
    """Output of a command; Failed with all that it said if its exit code is not 0."""
    command = [str(part) for part in command]
    if not shutil.which(command[0]):
        raise Failed(f'{command[0]} is not installed')
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode != 0:
        raise Failed(f'{" ".join(command)}\nexit code {done.returncode}\n{done.stdout}')
    return done.stdout


def expect(condition, text):
    if not condition:
        raise Failed(text)


def expect_failure(why, work):
    """The control of a check: the work must fail."""
    try:
        work()
    except Failed:
        return
    raise Failed(f'{why}, and the check did not notice')


def compilers():
    """(name, C command, C++ command); both must be there."""
    return [('gcc', 'gcc', 'g++'), ('clang', 'clang', 'clang++')]


def compiler(pair, standard):
    """The command that compiles a standard: language, standard and warnings."""
    is_cpp = standard.startswith('c++')
    return [pair[2] if is_cpp else pair[1], '-x', 'c++' if is_cpp else 'c', f'-std={standard}', *WARNINGS]


class Tap:
    def __init__(self):
        self.cases = []

    def case(self, name, function, *arguments, todo=None):
        """todo: why it is known to fail. When it passes, meson fails until the mark is taken away."""
        self.cases.append((name, function, arguments, todo))

    def run_in_folders(self, prefix, *functions):
        """Run functions that want an empty folder each; a case is named as its function is."""
        with tempfile.TemporaryDirectory(prefix=prefix) as scratch:
            for function in functions:
                folder = Path(scratch) / function.__name__
                folder.mkdir()
                self.case(function.__name__.replace('_', ' '), function, folder)
            self.run()

    def run(self):
        """Run all, print all, and exit by the outcome."""
        print(f'TAP version 13\n1..{len(self.cases)}', flush=True)
        failures = 0
        with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
            futures = [pool.submit(self._outcome, function, arguments) for _, function, arguments, _ in self.cases]
            for number, (future, (name, _, _, todo)) in enumerate(zip(futures, self.cases), 1):
                state, text = future.result()
                mark = f' # SKIP {text}' if state == 'skip' else f' # TODO {todo}' if todo else ''
                print(f'{"not ok" if state == "fail" else "ok"} {number} - {name}{mark}', flush=True)
                if state == 'fail':
                    failures += 0 if todo else 1
                    lines = text.splitlines()
                    lines = lines[:SHOWN_LINES] + (['...'] if len(lines) > SHOWN_LINES else [])
                    print(''.join(f'# {line}\n' for line in lines), end='', flush=True)
        sys.exit(1 if failures else 0)

    @staticmethod
    def _outcome(function, arguments):
        try:
            function(*arguments)
        except Skipped as skipped:
            return 'skip', str(skipped)
        except Failed as failed:
            return 'fail', str(failed)
        except Exception as error:  # a fault of the test itself is a failure of its case
            return 'fail', f'{type(error).__name__}: {error}'
        return 'ok', ''
