#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The part of the demo that runs in the guest.  Inputs are in /mnt/share/in, results go to
# /mnt/share/out.
set -eu
in=/mnt/share/in out=/mnt/share/out
step() { printf '\n== %s\n' "$*"; }

step "loading the driver; the card boots in the background"
insmod /lib/modules/ax650.ko
ax650-fw boot 0 --if-needed || { dmesg | tail -n 20; exit 1; }
dmesg | grep 'ax650 0' | sed 's/^/   /'

step "ax650 info"
ax650 info

step "text recognition on the card's NPU"
ocr --models "$in" "$in/picture.png" --marked "$out/text-found.png" --dump "$out/tensors"

step "decoding a clip"
ax650 decode "$in/clip.mp4" --md5 >"$out/clip.md5"
echo "$(grep -vc '^#' "$out/clip.md5") pictures"

step "decoding and encoding it again on the card"
ax650 transcode "$in/clip.mp4" -o "$out/transcoded.mp4"
ls -l "$in/clip.mp4" "$out/transcoded.mp4" | awk '{print $5, $NF}'

step "what it cost"
ax650 bench || true
