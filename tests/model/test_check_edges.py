#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_check_edges: the checker of ordering comments must fail when one is wrong.

Copies the sources, spoils one thing at a time, and expects an error. Prints TAP.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
RING = 'include/tern/ring_slots.h'
PUBLISH = 'include/tern/ring_publish.h'
SPOILS = [
    ('a missing "Otherwise"', RING, lambda t: t.replace('Otherwise: an item may be read', 'So: an item may be read')),
    ('a missing "Pairs with"', PUBLISH, lambda t: t.replace('Pairs with: [RING-1] acquire', 'With: acquire', 1)),
    ('an end in a function that is not there', PUBLISH,
     lambda t: t.replace('heavy in ring_sleep_asymmetric()', 'heavy in ring_sleep()')),
    ('an end in a function that has none', RING,
     lambda t: t.replace('release in tern__ring_publish_head()', 'release in tern__ring_publish_items()')),
    ('such an end in the next line of the comment', RING,
     lambda t: t.replace('release in tern__ring_publish_head(), tern__ring_exchange()',
                         'release in tern__ring_publish_head(),\n     * tern__ring_publish_items()')),
    ('a wrong edge number', RING, lambda t: t.replace('[RING-2] acquire: the consumer', '[RING-1] acquire: the consumer')),
    ('an order that the comment does not say', RING, lambda t: t.replace('[RING-2] acquire:', '[RING-2] release:')),
    ('an access without a site', RING, lambda t: t.replace(', RING_1_SEE)', ', 0)')),
    ('a site used twice', PUBLISH, lambda t: t.replace('RING_2_FREE)', 'RING_1_PUBLISH)')),
    ('a weakened acquire with its comment left', RING,
     lambda t: re.sub(r'load_acquire\((&c->shared->producer\.word), RING_1_SEE\)', r'load_relaxed(\1)', t)),
    ('a relaxed access without a reason', RING, lambda t: t.replace('/* relaxed: closing', '/* closing')),
    ('an edge with one end', 'lib/region.c', lambda t: re.sub(
        r'load_acquire\((&entry->state), REGION_2_SEE\)', r'load_relaxed(\1) /* relaxed: test */', t)),
    ('an operation that nobody uses', 'include/tern/atomic.h', lambda t: t.replace(
        '#define tern_a32_load_relaxed(a) tern__', '#define tern_a32_load_idle(a) 0\n#define tern_a32_load_relaxed(a) tern__')),
    ('an edge that the documentation leaves out', 'docs/memory-model.md', lambda t: t.replace('[RING-4]', 'RING-4')),
]


def check(folder):
    return subprocess.run([folder / 'tools/check-edges'], capture_output=True, text=True).returncode


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        copy = pathlib.Path(temporary)
        for part in ('include', 'lib', 'docs', 'tools', 'tests', 'examples'):
            shutil.copytree(ROOT / part, copy / part)
        print(f'1..{len(SPOILS) + 1}')
        ok = check(copy) == 0
        failed += not ok
        print('ok 1 - the sources as they are' if ok else 'not ok 1 - the sources as they are')
        for number, (name, file, spoil) in enumerate(SPOILS, 2):
            path = copy / file
            before = path.read_text()
            after = spoil(before)
            path.write_text(after)
            ok = after != before and check(copy) == 1
            path.write_text(before)
            failed += not ok
            print(f'{"" if ok else "not "}ok {number} - {name} is found' + ('' if after != before else ' (nothing spoiled)'))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
