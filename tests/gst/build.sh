#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# build.sh OUT     make the GStreamer elements and their Debian package, in the directory OUT, and the program with their cases; runs inside the root of
#                  root.sh
# build.sh check   look at their format and lints instead
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
out=$1
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$tree/target}/gst
[ "$out" = check ] || out=$(mkdir -p "$out" && cd "$out" && pwd)
cd "$tree/userlib/gst"
if [ "$out" = check ]; then
    cargo fmt --check
    exec cargo clippy --quiet --release --locked -j "${JOBS:-$(nproc)}" --all-targets -- -D warnings
fi
cargo build --quiet --release --locked -j "${JOBS:-$(nproc)}" --lib --examples
install -m 644 "$CARGO_TARGET_DIR/release/libgstax650.so" "$out/"
ls -l "$out"/libgstax650.so
"$tree/tests/gst/package.sh" "$out"
