#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# build.sh: samples.c to samples.wasm, with an installed Tern for wasm32 that pkg-config finds:
#     meson setup build-wasm --cross-file wasm/threads.ini --prefix PREFIX && meson install -C build-wasm
#     PKG_CONFIG_LIBDIR=PREFIX/lib/pkgconfig examples/wasm/build.sh samples.wasm
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}") out=$1
read -ra compile <<<"$(pkg-config --cflags tern)"
read -ra link <<<"$(pkg-config --libs tern)"
clang --target=wasm32-unknown-unknown -std=c11 -ffreestanding -O2 "${compile[@]}" -c "$here/samples.c" -o "$out.o"
wasm-ld --no-entry --import-memory --shared-memory --initial-memory=1048576 --max-memory=67108864 -z stack-size=16384 \
    --export=__heap_base --export=__stack_pointer --export=__wasm_init_tls --export=__tls_size \
    "$out.o" "${link[@]}" -o "$out"
