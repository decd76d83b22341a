#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The part of the demo that runs in the guest.  Inputs are in /mnt/share/in, results go to
# /mnt/share/out.
set -eu
# shellcheck disable=SC3040 # busybox has it
set -o pipefail
in=/mnt/share/in out=/mnt/share/out
step() { printf '\n== %s\n' "$*"; }
# The console is a terminal, but what reads it may be a log: programs shall see a pipe.
show() { "$@" 2>&1 | sed 's/^/   /'; }

step "loading the driver; the card boots in the background"
insmod /lib/modules/ax650.ko
show ax650-fw boot --if-needed || { dmesg | tail -n 20; exit 1; }
dmesg | grep 'ax650 0' | sed 's/^/   kernel: /'

step "ax650 check and ax650 info"
show ax650 check || echo "   (see above)"
show ax650 info

step "text recognition on the card's NPU"
show ocr --models "$in" "$in/picture.png" --marked "$out/text-found.png" --dump "$out/tensors"

step "decoding a clip"
ax650 decode "$in/clip.mp4" --md5 2>&1 >"$out/clip.md5" | sed 's/^/   /'
echo "   digests of $(grep -vc '^#' "$out/clip.md5") pictures are in clip.md5"

step "decoding and encoding it again on the card"
show ax650 transcode "$in/clip.mp4" -o "$out/transcoded.mp4"
ls -l "$in/clip.mp4" "$out/transcoded.mp4" | awk '{print "   " $NF ": " $5 " bytes"}'

step "what it cost"
show ax650 bench || true
