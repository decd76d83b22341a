#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# vision.sh [OUT]   the host's part of `make demo-vision`; runs inside the toolchain root
#
# Looks for faces in a clip, on an emulated card, with a detector from a package registry; compares the boxes with those
# that ONNX Runtime finds in what ffmpeg has decoded, scaled and converted; leaves what is worth looking at in OUT.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
env=$tree/tests/env
out=${1:-$tree/demo-output}

share=$(mktemp -d)
trap 'rm -rf "$share"' EXIT
mkdir -p "$share"/{in,out} "$out"

clips=$("$env/assets.sh" print clips)
cp "$clips/bikes.mp4" "$share/in/clip.mp4"
cp "$tree/tests/demo/faces-guest.sh" "$share/in/"
"$tree/tests/demo/faces.sh" prepare "$share/in"
"$env/guest.sh" "$tree/tests/demo/vision-guest.sh" "$share" 900
"$tree/tests/demo/faces.sh" compare "$share/in" "$share/out/found.jsonl"
cp "$share/out/faces.mp4" "$out/"
echo "look at: ${out#"$tree"/}/faces.mp4"
