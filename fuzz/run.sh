#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# run.sh TARGET [LIBFUZZER-OPTION...]
#
# Feed a fuzz target by libFuzzer, guided by coverage, with a compiler that need not be nightly (which only adds the address
# sanitizer; cargo-fuzz takes the same targets).  Corpus and crashes are in cargo's target directory, in fuzz/TARGET.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: $0 TARGET [LIBFUZZER-OPTION...]" >&2; exit 1; }
cd "$(dirname "$0")/.."
name=$1
shift
target=${CARGO_TARGET_DIR:-$PWD/target}
triple=$(rustc -vV | sed -n 's/^host: //p')
cargo run --release --package ax650-fuzz --bin corpus -- "$target/fuzz-seeds"
mkdir -p "$target/fuzz/$name"
# With --target, build scripts and macros are left alone.
flags='--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks'
for level in level=4 trace-compares inline-8bit-counters pc-table; do
    flags+=" -Cllvm-args=-sanitizer-coverage-$level"
done
RUSTFLAGS=$flags CARGO_TARGET_DIR=$target/fuzz-build cargo build --release --target "$triple" \
    --package ax650-fuzz --features libfuzzer --bin "$name"
exec "$target/fuzz-build/$triple/release/$name" -artifact_prefix="$target/fuzz/$name-" -rss_limit_mb=2048 "$@" \
    "$target/fuzz/$name" "$target/fuzz-seeds/$name"
