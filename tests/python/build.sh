#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# build.sh OUT   make the wheels of the Python door, in the directory OUT; runs inside the toolchain root
#
# One wheel does for all versions of CPython from 3.9 on.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
target=${CARGO_TARGET_DIR:-$tree/target}
python=$("$tree/tests/env/assets.sh" print wheels-python)

rm -f "$out"/ax650-*.whl "$out"/ax650_axengine-*.whl
cd "$tree/userlib/python"
CARGO_TARGET_DIR=$target/python "$(dirname "$python")/maturin" build --quiet --release --locked \
    --jobs "${JOBS:-$(nproc)}" --out "$out"
# setuptools writes into the tree that it builds.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R axengine "$work/"
python3 -m pip --disable-pip-version-check --quiet --python "$python" wheel --no-deps --no-index --no-build-isolation \
    --wheel-dir "$out" "$work/axengine"
ls -l "$out"/ax650*.whl
