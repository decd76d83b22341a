#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# run.sh SHARE [GLOB...]   the last part of `make test-gst`: run the cases of the GStreamer elements (all, or those whose names
#                          match a glob) in a guest with an emulated card, with what inputs.sh and system.sh have put into
#                          SHARE, and judge with FFmpeg what was encoded; runs inside the toolchain root
#
# The last line is `N passed, N failed, N skipped`.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
here=$tree/tests/gst
share=$1
shift
rm -rf "$share/out"
mkdir -p "$share/out"
# Its programs are this machine's.
AX650_ARCH=amd64 "$tree/tests/env/guest.sh" "$here/guest.sh" "$share" 900 "$@" ||
    echo "the guest's part failed, see above"
[ -s "$share/out/summary" ] || { echo "the cases came to no end"; exit 1; }
read -r passed failed <"$share/out/summary"

# What was encoded must look like the source: NAME FILE SOURCE FRAMES PSNR.
judge() {
    local name=$1 file=$share/out/$2 source=$share/in/$3 frames=$4 least=$5 got count
    [ -e "$file" ] || return 0
    got=$(ffmpeg -nostdin -hide_banner -f rawvideo -pix_fmt nv12 -s 640x272 -r 25 -i "$source" -r 25 -i "$file" \
        -frames:v "$frames" -lavfi '[0:v][1:v]psnr' -f null - 2>&1 | sed -nE 's/.*PSNR.* average:([0-9.]+|inf) .*/\1/p')
    count=$(ffprobe -v error -count_frames -select_streams v -show_entries stream=nb_read_frames -of csv=p=0 "$file" | head -1)
    if [ "$count" = "$frames" ] && awk -v got="${got:-0}" -v least="$least" 'BEGIN { exit !(got == "inf" || got + 0 >= least) }'; then
        passed=$((passed + 1))
        echo "ok       gst/$name ($got dB, $count pictures)"
    else
        failed=$((failed + 1))
        echo "FAILED   gst/$name: $count pictures of $frames, ${got:-0} dB, at least $least are wanted"
    fi
}
judge encoded_h264_looks_like_the_source h264enc.h264 source.nv12 30 32
judge encoded_h265_looks_like_the_source h265enc.h265 source.nv12 30 32
judge transcoded_on_the_card_looks_like_the_source transcoded.h265 clip.nv12 60 30
judge encoded_jpeg_looks_like_the_source jpegenc-0.jpg source.nv12 1 32
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
