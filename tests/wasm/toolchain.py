# SPDX-License-Identifier: MIT
"""Tern for wasm32 as others use it: installed by the cross builds and linked to C code of one's own (examples/wasm),
and compiled into a program of Emscripten's with threads.

    toolchain.py NODE FOLDER MESON...    FOLDER: where the cross builds `threads` and `single` are"""
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'build'))
from tap import ROOT, Skipped, Tap, expect, expect_failure, run  # noqa: E402

NODE, BUILDS, MESON = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
EXAMPLE = ROOT / 'examples/wasm'


def install(folder, kind):
    run([*MESON, 'install', '-C', BUILDS / kind, '--no-rebuild', '--destdir', folder / kind])
    return folder / kind


def installed_files(folder, kind):
    """Exactly the library, the headers, the pkg-config file and the module; and pkg-config says what is needed."""
    root = install(folder, kind)
    found = {path.relative_to(root).as_posix() for path in root.rglob('*') if path.is_file()}
    prefix = next(name for name in found if name.endswith('lib/libtern.a')).removesuffix('lib/libtern.a')
    wanted = {f'{prefix}include/tern/{path.name}' for path in (ROOT / 'include/tern').glob('*.h')}
    wanted |= {prefix + name for name in ('lib/libtern.a', 'lib/pkgconfig/tern.pc', f'share/tern/tern.{kind}.wasm')}
    expect(found == wanted, f'missing: {sorted(wanted - found)}, too many: {sorted(found - wanted)}')
    flags = run(['pkg-config', '--cflags', 'tern'], env=environment(root)).split()
    expect(('-matomics' in flags) == (kind == 'threads'), f'pkg-config says {flags}')


def environment(root):
    """For pkg-config, to find what is installed below a folder."""
    found = next(root.rglob('tern.pc'))
    return {**os.environ, 'PKG_CONFIG_LIBDIR': str(found.parent), 'PKG_CONFIG_PATH': '',
            'PKG_CONFIG_SYSROOT_DIR': str(root)}


def example(folder):
    root = install(folder, 'threads')
    run([EXAMPLE / 'build.sh', folder / 'samples.wasm'], env=environment(root))
    said = run([NODE, EXAMPLE / 'samples.mjs', folder / 'samples.wasm'], timeout=60)
    expect(said == '100000 samples, status 0, sum 450000\n', said)


def example_without_threads(folder):
    """The linker refuses the library without atomics where the memory is shared."""
    root = install(folder, 'single')
    expect_failure('linked', lambda: run([EXAMPLE / 'build.sh', folder / 'samples.wasm'], env=environment(root)))


def emscripten(folder):
    if not shutil.which('emcc'):
        expect(not os.environ.get('CI'), 'emcc is not installed (./dev setup installs emscripten), and CI wants it')
        raise Skipped('emcc is not installed (./dev setup installs emscripten)')
    # Node has a fetch, by which the glue of 3.1.6 wants to load the program's file
    (folder / 'before.js').write_text('globalThis.fetch = undefined;\n', encoding='utf-8')
    # Debian's emscripten finds its JavaScript packages so
    modules = ':'.join(filter(None, [os.environ.get('NODE_PATH'), '/usr/share/nodejs']))
    run(['emcc', '-O2', '-pthread', '-sPTHREAD_POOL_SIZE=1', '-sEXIT_RUNTIME=1', '--pre-js', folder / 'before.js',
         '-Wall', '-Wextra', '-Werror', '-I', ROOT / 'include', ROOT / 'lib/tern.c', ROOT / 'tests/wasm/emscripten.c',
         '-o', folder / 'program.js'], env={**os.environ, 'NODE_PATH': modules}, timeout=200)
    said = run([NODE, folder / 'program.js'], timeout=60)
    expect(said == 'wasm: 20000 items, 0 wrong, last frame 20000, 0 torn\n', said)


def in_folder(scratch, function, *arguments):
    folder = Path(tempfile.mkdtemp(dir=scratch))
    function(folder, *arguments)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix='tern-wasm-') as scratch:
        tap.case('Emscripten: two threads, ring, triple buffer, sleeping', in_folder, scratch, emscripten)
        for kind in ('threads', 'single'):
            tap.case(f'{kind}: installed is the library, headers, tern.pc, the module', in_folder, scratch,
                     installed_files, kind)
        tap.case('C code of one\'s own in two workers', in_folder, scratch, example)
        tap.case('a library without threads is refused by one with them', in_folder, scratch, example_without_threads)
        tap.run()


main()
