#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_mutants: the hostile tests must fail when the library trusts a peer.

Copies the sources, puts mistakes into the copy, one for each number of hostile_mutant, compiles both
programs once, and runs them with each of them switched on: a second trusted read, a bound that is
missing, an endless retry. Each must be found, and the one without a mistake must pass. Prints TAP.

    test_mutants.py [--compiler CC]
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
ARGS = ['-DTERN_WATCH', '-DTERN_RING_QUIET=6', '-DTERN__POOL_TRIES=64', '-DTERN__POOL_LIST_TRIES=16',
        '-DTERN__HOLD_TRIES=2', '-DTERN__TRIPLE_UPDATE_TRIES=8', '-D_GNU_SOURCE']
SLOTS, STREAM, INDEXED = 'include/tern/ring_slots.h', 'include/tern/stream_inline.h', 'include/tern/ring_indexed.h'
BELL, POOL, HOLDS = 'include/tern/bell.h', 'lib/pool_list.h', 'lib/pool_holds.c'

# what is wrong, file, place, what stands there instead (M: this mutant is on), victim, mode, what the test
# then says
MUTANTS = [
    ('the length of a record read again after its check', STREAM, '            c->peeked_units = units;\n',
     '            if (M) { word = tern_read_once(at); tern__memcpy(header, &word, sizeof word); }\n'
     '            c->peeked_units = units;\n', 'stream_consumer', 'flips', 'read unit'),
    ('the same past atomic.h: what it is trusted with is found', STREAM, '            c->peeked_units = units;\n',
     '            if (M) tern__memcpy(header, at, sizeof *header);\n            c->peeked_units = units;\n',
     'stream_consumer', 'flips', 'lent|not so|outside'),
    ('the same past atomic.h: the access is found', STREAM, '            c->peeked_units = units;\n',
     '            if (M) tern__memcpy(header, at, sizeof *header);\n            c->peeked_units = units;\n',
     'stream_consumer', 'steps', 'past atomic.h'),
    ('the same in the plain program: the second read is found', STREAM, '            c->peeked_units = units;\n',
     '            if (M) header->length_bytes = *(const volatile uint32_t *)(const void *)at;\n'
     '            c->peeked_units = units;\n', 'stream_consumer', 'plain steps', 'read unit'),
    ('the capacity read from the header at each push', INDEXED,
     '    p->tail++;\n    tern__ring_ask_to_write(p, size_bytes);\n',
     '    if (M) p->capacity_items = p->shared->geometry.capacity_items;\n'
     '    p->tail++;\n    tern__ring_ask_to_write(p, size_bytes);\n', 'ring_indexed_producer', 'lies',
     'lent|not so|outside'),
    ('the own index read back', INDEXED, '    tern_prefetch_write(&p->ends[0].word);\n',
     '    if (M) p->tail = tern_a32_load_relaxed(&p->ends[0].word) >> 1;\n'
     '    tern_prefetch_write(&p->ends[0].word);\n', 'ring_indexed_producer', 'lies', 'not so'),
    ("the consumer's index not bounded", SLOTS, '    if (TERN__LIES(used > p->capacity_items)) {\n',
     '    if (!(M) && TERN__LIES(used > p->capacity_items)) {\n', 'ring_indexed_producer', 'lies',
     'lent|not so|outside'),
    ("the producer's index not bounded", SLOTS, '    if (TERN__LIES(count > c->capacity_items)) {\n',
     '    if (!(M) && TERN__LIES(count > c->capacity_items)) {\n', 'ring_indexed_consumer', 'lies',
     'lent|not so|outside'),
    ('OK from a wait whose item was taken back', 'lib/ring_wait.c',
     'if (status == TERN_OK && !tern_ring_pop(c, item)) status',
     'if (status == TERN_OK && !tern_ring_pop(c, item) && !(M)) status', 'ring_sequenced_waitable_consumer', 'flips',
     'not so'),
    ('geometry checked in one copy and used from another', 'lib/base.c', '    return check == tern__geometry_check',
     '    if (M) tern_copy_from_shared(geometry, shared, size_bytes);\n    return check == tern__geometry_check',
     'ring_indexed_producer', 'flips', 'read geometry'),
    ('the index of a free slot not bounded', POOL, '        if (*index >= pool->slots) return TERN_ERR_CORRUPT;\n',
     '        if (!(M) && *index >= pool->slots) return TERN_ERR_CORRUPT;\n', 'pool', 'lies', 'lent|not so|outside'),
    ('retries without end', POOL, 'tries < TERN__POOL_LIST_TRIES; tries++) {\n        /* [POOL-3] acquire',
     'tries < TERN__POOL_LIST_TRIES || (M); tries++) {\n        /* [POOL-3] acquire', 'pool', 'lies',
     'made more than|17 times'),
    ("the number of a peer's pins not bounded", HOLDS, '        if (used > TERN__PEER_PINS) used = TERN__PEER_PINS;\n',
     '        if (!(M) && used > TERN__PEER_PINS) used = TERN__PEER_PINS;\n', 'pool_held', 'lies',
     'made more than|outside|read peers_used'),
    ('the number of peers not bounded', HOLDS, '    if (peers > pool->max_peers) peers = pool->max_peers;\n',
     '    if (!(M) && peers > pool->max_peers) peers = pool->max_peers;\n', 'pool_held', 'lies',
     'made more than|outside'),
    ('one store too many', 'include/tern/ring_sequenced.h', '    p->tail++;\n    tern__ring_publish_items(',
     '    p->tail++;\n    for (int i = 0; M && i < 8; i++) tern_a32_store_relaxed(&p->ends[0].word, 0);\n'
     '    tern__ring_publish_items(', 'ring_sequenced_producer', 'lies', 'made more than'),
    ('the word of a triple buffer checked, then read again', 'lib/triple.c',
     '    return tern__triple_makes_sense(*word) ? TERN_OK : TERN_ERR_CORRUPT;\n',
     '    if (!tern__triple_makes_sense(*word)) return TERN_ERR_CORRUPT;\n'
     '    if (M) *word = tern_a32_load_relaxed(&shared->word);\n    return TERN_OK;\n', 'triple_writer', 'flips',
     'read word'),
    ("the front's index not checked", 'include/tern/triple_inline.h',
     '    if (TERN_LIKELY(tern__triple_makes_sense(seen) &&',
     '    if (TERN_LIKELY((M || tern__triple_makes_sense(seen)) &&', 'triple_reader', 'lies', 'lent|not so|outside'),
    ('bits of the root that stand for no source', BELL, '    return word & bell->root_mask;\n',
     '    return M ? word : word & bell->root_mask;\n', 'bell_flat_collector', 'lies', 'not so'),
    ('bits of the last leaf that stand for no source', BELL, 'return left < TERN__BELL_LEAF_SOURCES ?',
     'return left < TERN__BELL_LEAF_SOURCES && !(M) ?', 'bell_leaves_collector', 'lies', 'not so'),
]


def spoil(folder):
    """The library with all mistakes in it, each behind its number. A place with several gets them all."""
    for number, (what, file, place, instead, *_) in enumerate(MUTANTS, 1):
        path = folder / file
        text = path.read_text(encoding='utf-8')
        if text.count(place) != 1:
            sys.exit(f'test_mutants: {file} has {text.count(place)} places for: {what}')
        path.write_text(text.replace(place, instead.replace('M)', f'hostile_mutant == {number})')
                                     .replace('M ', f'hostile_mutant == {number} ')), encoding='utf-8')
    base = folder / 'include/tern/base.h'
    text = base.read_text(encoding='utf-8')
    base.write_text(text.replace('#include <stdint.h>\n', '#include <stdint.h>\nextern int hostile_mutant;\n', 1),
                    encoding='utf-8')


def build(folder, compiler):
    for name in 'include', 'lib', 'tests/hostile':
        shutil.copytree(ROOT / name, folder / name)
    spoil(folder)
    (folder / 'mutant.c').write_text(
        '#include <stdlib.h>\nint hostile_mutant;\n'
        '__attribute__((constructor)) static void choose(void) { hostile_mutant = atoi(getenv("HOSTILE_MUTANT")); }\n')
    sources = sorted(str(p) for p in (folder / 'tests/hostile').glob('*.c'))
    for program, arguments in ('hostile', ARGS), ('hostile_plain', ['-D_GNU_SOURCE']):
        subprocess.run([compiler, '-std=c11', '-O1', *arguments, '-Iinclude', 'lib/tern.c', 'mutant.c', *sources,
                        '-pthread', '-o', program], cwd=folder, check=True)


def run(folder, number, victim, mode):
    program = './hostile_plain' if mode.startswith('plain') else './hostile'
    mode = mode.split()[-1]
    command = [program, '--only', victim, '--mode', mode, '--operations', '2000' if mode == 'steps' else '400000']
    done = subprocess.run(command, cwd=folder, env={**os.environ, 'HOSTILE_MUTANT': str(number)}, timeout=120,
                          stdout=subprocess.PIPE, text=True)
    failed = [line for line in done.stdout.splitlines() if line.startswith('not ok') or 'SKIP' in line]
    return done.returncode, failed[0] if failed else ''


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--compiler', default='cc')
    options = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        build(folder, options.compiler)
        for number, (what, _, _, _, victim, mode, says) in enumerate(MUTANTS, 1):
            sound, _ = run(folder, 0, victim, mode)
            code, said = run(folder, number, victim, mode)
            skipped = 'SKIP' in said
            good = sound == 0 and (skipped or (code != 0 and re.search(says, said)))
            failures += not good
            print(f'{"ok" if good else "not ok"} {number} - {what}' + (' # SKIP' if skipped else ''))
            print(f'# {said or "found nothing"}' + ('' if sound == 0 else '; fails without it too'), flush=True)
    print(f'1..{len(MUTANTS)}')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
