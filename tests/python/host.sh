#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# host.sh [GLOB...]   run the cases of the Python packages that need no guest (all, or those whose names match a glob), with
#                     the library's card without hardware; runs inside the toolchain root
#
# The last line is `N passed, N failed, N skipped`.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
here=$tree/tests/python
target=${CARGO_TARGET_DIR:-$tree/target}
python=$("$tree/tests/env/assets.sh" print programs-python)

cd "$tree/userlib/python"
CARGO_TARGET_DIR=$target/python cargo build --quiet --release --locked --features fake
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R python/ax650 "$work/"
cp "$target/python/release/lib_ax650.so" "$work/ax650/_ax650.abi3.so"
PYTHONPATH=$work "$python" -B "$here/host_cases.py" "$@"
