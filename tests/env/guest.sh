#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# guest.sh SCRIPT SHARE SECONDS [WORD...]   run SCRIPT with WORDs in a guest with Debian's kernel and an emulated card,
#                                           which has the directory SHARE on /mnt/share and may take SECONDS.  Runs
#                                           inside the toolchain root, after host-programs.sh
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
script=$1 share=$2 limit=$3
run=sh,/mnt/share/bin/script
for word in "${@:4}"; do run+=,$word; done
mkdir -p "$share/bin"
cp "$script" "$share/bin/script"
exec "${CARGO_TARGET_DIR:-$tree/target}/release/ax650-rig" --arch "${AX650_ARCH:-amd64}" guest \
    --kernel trixie-backports --limit "$limit" --share "$share" --run "$run"
