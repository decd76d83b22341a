#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The part of vision.sh that runs in the guest.  Inputs are in /mnt/share/in, results go to /mnt/share/out.
set -eu
# shellcheck disable=SC3040 # busybox has it
set -o pipefail
in=/mnt/share/in out=/mnt/share/out
step() { printf '\n== %s\n' "$*"; }
insmod /lib/modules/ax650.ko
ax650-fw boot --if-needed >/dev/null || { dmesg | tail -n 20; exit 1; }
. "$in/faces-guest.sh"
