#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# inputs.sh DIR   make the clips and pictures that the cases of the GStreamer elements work on; runs inside the toolchain root
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
out=$1
clips=$("$tree/tests/env/assets.sh" print clips)
rm -rf "$out"
mkdir -p "$out"
cd "$out"
# From where there is something to be seen.
bikes=(-ss 4 -i "$clips/bikes.mp4")
ffmpeg() { command ffmpeg -nostdin -loglevel error -y "$@"; }

# With pictures that are not decoded in the order in which they are shown.
ffmpeg -i "$clips/bikes.mp4" -frames:v 60 -an -c copy clip.mp4
ffprobe -v error -select_streams v -show_entries packet=pts_time -of csv=p=0 clip.mp4 | tr -d , | sort -n |
    awk '{ printf "%d\n", $1 * 1000 + 0.5 }' >clip.times
ffmpeg "${bikes[@]}" -frames:v 30 -an -pix_fmt yuv420p -c:v libx265 -preset fast -x265-params log-level=error hevc.mp4
# One whose size changes.
for width in 320 640; do
    ffmpeg "${bikes[@]}" -frames:v 12 -an -vf "scale=$width:-2" -pix_fmt yuv420p -c:v libx264 -bf 2 -f h264 "$width.h264"
done
cat 320.h264 640.h264 320.h264 >change.h264
# One that the card does not decode: 10 bits.
ffmpeg "${bikes[@]}" -frames:v 5 -an -pix_fmt yuv420p10le -c:v libx264 ten-bits.mp4
# Pictures to encode.
ffmpeg "${bikes[@]}" -frames:v 30 -pix_fmt nv12 -f rawvideo source.nv12
ffmpeg "${bikes[@]}" -frames:v 5 -pix_fmt yuvj420p -q:v 3 picture-%d.jpg
rm 320.h264 640.h264
PYTHONDONTWRITEBYTECODE=1 python3 "$tree/tests/gst/model.py" picture.onnx
