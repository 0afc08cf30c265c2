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
HOLDS = 'lib/pool_holds.c'
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
    ('a wrong edge number', RING,
     lambda t: t.replace('[RING-2] acquire: the consumer', '[RING-1] acquire: the consumer')),
    ('an order that the comment does not say', RING, lambda t: t.replace('[RING-2] acquire:', '[RING-2] release:')),
    ('an access without a site', RING, lambda t: t.replace(', RING_1_SEE)', ', 0)')),
    ('a site used twice', PUBLISH, lambda t: t.replace('RING_2_FREE)', 'RING_1_PUBLISH)')),
    ('a weakened acquire with its comment left', RING,
     lambda t: re.sub(r'load_acquire\((&c->ends\[0\]\.word), RING_1_SEE\)', r'load_relaxed(\1)', t)),
    ('a relaxed access without a reason', RING, lambda t: t.replace('/* relaxed: closing', '/* closing')),
    ('an edge with one end', 'lib/directory.c', lambda t: re.sub(
        r'load_acquire\((link), REGION_1_FOLLOW\)', r'load_relaxed(\1) /* relaxed: test */', t)),
    ('a seq_cst access whose comment says acquire', HOLDS,
     lambda t: t.replace('[POOL-6] seq_cst: our look at the hold', '[POOL-6] acquire: our look at the hold')),
    ('a seq_cst access that pairs with none', HOLDS,
     lambda t: t.replace('seq_cst in hold_take_pin(), tern__hold_turn_busy().', 'seq_cst in hold_take_pin(), tern__hold_clear().')),
    ('a half of a seq_cst access without its other end', HOLDS,
     lambda t: t.replace('Pairs with: [POOL-1] acquire in pool_make(), tern__pool_pin_held(), tern_pool_get().\n'
                         '         * Otherwise: the next', 'Otherwise: the next')),
    ('a seq_cst access that was weakened, with its comment left', HOLDS,
     lambda t: t.replace('load_seq_cst(&slot->word, POOL_6_LOOK)', 'load_acquire(&slot->word, POOL_6_LOOK)')),
    ('a seq_cst edge with one end', 'lib/directory.c', lambda t: t.replace(
        '    /* [REGION-2] acquire: the formatted object, its',
        '    /* [REGION-9] seq_cst: alone.\n     * Pairs with: [REGION-9] seq_cst in directory_load_entry().\n'
        '     * Otherwise: no. */\n    (void)tern_a32_load_seq_cst(&entry->state, REGION_9_ALONE);\n'
        '    /* [REGION-2] acquire: the formatted object, its'), 'edge [REGION-9] has one seq_cst end'),
    ('an operation that nobody uses', 'include/tern/atomic.h', lambda t: t.replace(
        '#define tern_a32_load_relaxed(a) tern__',
        '#define tern_a32_load_idle(a) 0\n#define tern_a32_load_relaxed(a) tern__')),
    ('an edge that the documentation leaves out', 'docs/memory-model.md', lambda t: t.replace('[RING-4]', 'RING-4')),
]


def check(folder):
    done = subprocess.run([folder / 'tools/check-edges'], capture_output=True, text=True)
    return done.returncode, done.stderr


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        copy = pathlib.Path(temporary)
        for part in ('include', 'lib', 'docs', 'tools', 'tests', 'examples'):
            shutil.copytree(ROOT / part, copy / part)
        print(f'1..{len(SPOILS) + 1}')
        ok = check(copy)[0] == 0
        failed += not ok
        print('ok 1 - the sources as they are' if ok else 'not ok 1 - the sources as they are')
        for number, (name, file, spoil, *says) in enumerate(SPOILS, 2):
            path = copy / file
            before = path.read_text()
            after = spoil(before)
            path.write_text(after)
            code, errors = check(copy)
            ok = after != before and code == 1 and all(text in errors for text in says)
            path.write_text(before)
            failed += not ok
            print(f'{"" if ok else "not "}ok {number} - {name} is found'
                  + ('' if after != before else ' (nothing spoiled)'))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
