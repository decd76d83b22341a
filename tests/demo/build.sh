#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# build.sh   what `make demo` needs, built: runs inside the toolchain root
#
# The guest's kernel and the driver are made beside the programs, as each has times when it can use one CPU only.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
env=$tree/tests/env

# In a group of its own, which ends with this script, whatever ends that.
set -m
"$env/progress.sh" "Debian's kernel and the driver" "$env/module.sh" trixie-backports &
driver=$!
set +m
trap 'kill -- -"$driver" 2>/dev/null || true' EXIT
"$env/progress.sh" "building the test rig, the emulated card and its model tool" "$env/host-programs.sh"
"${CARGO_TARGET_DIR:-$tree/target}/release/ax650-rig" --arch "${AX650_ARCH:-amd64}" build
wait "$driver"
trap - EXIT
