# SPDX-License-Identifier: MIT
"""The programs of the benchmark suite and which of their cells a run of ten minutes takes."""

PROGRAMS = ('ring_google', 'process_google', 'triple_google', 'pool_google', 'bell_google', 'wait_google',
            'stream_google')

SIZES = (8, 16, 64, 256, 1024)

# What the README quotes and the targets need, the most important first. The raw limits of a program always run.
SELECTION = {
    'ring_google': [
        *(f'ring/single/{size} B/capacity 1024/balanced' for size in SIZES),
        *(f'ring/round trip/{size} B' for size in (8, 16, 32, 56)),
        *(f'ring/single/8 B/capacity 1024/{load}' for load in ('producer slower', 'consumer slower')),
        *(f'ring/{batch}/8 B/capacity 1024/balanced' for batch in ('batch 8', 'batch 32')),
        *(f'ring/single/8 B/capacity {capacity}/balanced' for capacity in (64, 65536)),
    ],
    'process_google': [
        'process/rate/64 B', 'process/round trip/64 B', 'process/rate/1024 B', 'process/round trip/1024 B',
        'process/frames/1 MiB',
    ],
    'triple_google': [
        'triple/publish + update, uncontended, 8 B', 'triple/publish + update, uncontended, 64 KiB',
    ],
    'pool_google': ['pool/handle check', 'pool/pin + unpin, uncontended'],
    'wait_google': [
        'wait/round trip between processors', 'wait/round trip on one processor',
        'wait/adaptive round trip on one processor',
    ],
}

# Seconds of a repetition: so that the selection takes ten minutes, and all of it one to two hours. Every program
# gets them in TERN_BENCH_SECONDS and as --benchmark_min_time; one that takes neither has an option of its own.
# Processes get twice as many: the slowest of their peers make few round trips.
SELECTION_SECONDS, FULL_SECONDS = 0.05, 0.1
SECONDS_OPTION = {'process_google': '--seconds'}
FACTOR = {'process_google': 2}


def selected(program, named):
    """The cells of a program in the selection; None for all: of a small program that was asked for by name."""
    if named and program not in ('ring_google', 'process_google'):
        return None
    return SELECTION.get(program, [])
