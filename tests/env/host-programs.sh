#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# host-programs.sh   build what runs on this machine: the test rig, the emulated card and its model tool.  Runs inside
#                    the toolchain root
#
# By one command: each by itself wants other features of their crates, which would be compiled twice.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec cargo build --frozen --release -j "${JOBS:-$(nproc)}" -p ax650-rig -p ax650-emu -p ax650-emu-daemon --bins
