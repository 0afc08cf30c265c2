# SPDX-License-Identifier: MIT
"""Tern installed into a folder, and used as a stranger would: by pkg-config from C and C++, from
CMake, and as a meson subproject. Each program is built and run.

    install.py MESON...    how to call meson"""
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from tap import ROOT, WARNINGS, Tap, expect, expect_failure, run

CONSUMER = ROOT / 'tests/build/consumer'
OPTIONS = ['-Dtests=false', '-Dbench=false', '-Dtools=false', '-Dexamples=false', '-Drcu=disabled']
MESON = sys.argv[1:]


def version():
    text = (ROOT / 'meson.build').read_text(encoding='utf-8')
    return re.search(r"version: '([^']+)'", text).group(1)


def install(folder):
    """A build of its own: the one that runs the tests may have a sanitizer in its library."""
    run([*MESON, 'setup', '--prefix=/usr', '--libdir=lib', *OPTIONS, folder / 'build', ROOT])
    run([*MESON, 'install', '-C', folder / 'build', '--destdir', folder / 'root'])
    return folder / 'root'


def environment(root):
    return {**os.environ, 'PKG_CONFIG_SYSROOT_DIR': str(root), 'PKG_CONFIG_LIBDIR': str(root / 'usr/lib/pkgconfig'),
            'PKG_CONFIG_PATH': ''}


def says_its_version(program):
    expect(run([program]) == f'tern {version()} got 42\n', 'the program says something else')


def installed_files(root):
    """Exactly the library, the headers and the pkg-config file."""
    found = {path.relative_to(root).as_posix() for path in root.rglob('*') if path.is_file()}
    headers = {f'usr/include/tern/{path.name}' for path in (ROOT / 'include/tern').glob('*.h')}
    wanted = headers | {'usr/lib/libtern.a', 'usr/lib/pkgconfig/tern.pc'}
    expect(found == wanted, f'missing: {sorted(wanted - found)}, too many: {sorted(found - wanted)}')


def pkg_config_version(root):
    said = run(['pkg-config', '--modversion', 'tern'], env=environment(root)).strip()
    expect(said == version(), f'tern.pc says {said}, meson.build {version()}')


def by_pkg_config(root, folder, compiler, standard, language):
    flags = run(['pkg-config', '--cflags', '--libs', 'tern'], env=environment(root)).split()
    expect(any(str(root) in flag for flag in flags), f'pkg-config leads elsewhere: {flags}')
    program = folder / f'consumer-{compiler}'
    source = ['-x', language, CONSUMER / 'consumer.c', '-x', 'none']
    run([compiler, f'-std={standard}', *WARNINGS, *source, *flags, '-o', program])
    says_its_version(program)
    expect_failure('built without what pkg-config says',
                   lambda: run([compiler, f'-std={standard}', *source, '-o', folder / 'never']))


def with_rcu(folder):
    """libtern_rcu beside libtern, with liburcu from the system: a prefix of its own, no staging."""
    prefix = folder / 'prefix'
    run([*MESON, 'setup', f'--prefix={prefix}', '--libdir=lib', *OPTIONS, '-Drcu=enabled', folder / 'build-rcu', ROOT])
    run([*MESON, 'install', '-C', folder / 'build-rcu'])
    found = {path.name for path in (prefix / 'lib').rglob('*') if path.is_file()}
    expect(found == {'libtern.a', 'libtern_rcu.a', 'tern.pc', 'tern-rcu.pc'}, f'installed: {sorted(found)}')
    flags = run(['pkg-config', '--cflags', '--libs', 'tern-rcu'],
                env={**os.environ, 'PKG_CONFIG_PATH': str(prefix / 'lib/pkgconfig')}).split()
    run(['gcc', '-std=c11', *WARNINGS, CONSUMER / 'consumer_rcu.c', *flags, '-o', folder / 'consumer-rcu'])
    says_its_version(folder / 'consumer-rcu')


def by_cmake(root, folder):
    source, build = folder / 'cmake', folder / 'cmake-build'
    shutil.copytree(CONSUMER, source)
    run(['cmake', '-G', 'Ninja', '-S', source, '-B', build, '-DCMAKE_BUILD_TYPE=Release'], env=environment(root))
    run(['cmake', '--build', build], env=environment(root))
    says_its_version(build / 'consumer')


def as_subproject(folder):
    source, build = folder / 'meson', folder / 'meson-build'
    shutil.copytree(CONSUMER, source)
    (source / 'subprojects').mkdir()
    os.symlink(ROOT, source / 'subprojects/tern')
    # forced: an installed Tern of this machine must not take its place
    run([*MESON, 'setup', '--wrap-mode=forcefallback', build, source])
    run([*MESON, 'compile', '-C', build])
    says_its_version(build / 'consumer')


def main(folder):
    root = install(folder)
    tap = Tap()
    tap.case('as a meson subproject', as_subproject, folder)
    tap.case('from CMake', by_cmake, root, folder)
    tap.case('library, headers and tern.pc are installed, and nothing else', installed_files, root)
    tap.case('tern.pc has the version', pkg_config_version, root)
    tap.case('by pkg-config: gcc', by_pkg_config, root, folder, 'gcc', 'c11', 'c')
    tap.case('by pkg-config: clang', by_pkg_config, root, folder, 'clang', 'c17', 'c')
    tap.case('by pkg-config: g++', by_pkg_config, root, folder, 'g++', 'c++17', 'c++')
    tap.case('tern-rcu by pkg-config: gcc', with_rcu, folder)
    tap.run()


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as name:
        main(Path(name))
