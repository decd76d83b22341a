#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# inputs.sh DIR   what the demo and the shell show the card: models, a picture of a page, the characters of the
#                 recogniser, clips.  Runs inside the toolchain root, after ax650-emu-model was built.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
env=$tree/tests/env
target=${CARGO_TARGET_DIR:-$tree/target}
dir=$1
models=$("$env/assets.sh" print models)
clips=$("$env/assets.sh" print clips)
python=$("$env/assets.sh" print python)

mkdir -p "$dir"
pin() { # MODEL OUT GROUP...
    local groups=() model=$1 to=$2
    shift 2
    for group; do groups+=(--group "$group"); done
    echo "model $to: fixing its shapes"
    "$target/release/ax650-emu-model" pin "$models/$model" "${groups[@]}" -o "$dir/$to"
}
# The card runs models of fixed shapes; a model may have several.
pin ch_PP-OCRv4_det_infer.onnx det.onnx x:1x3x480x960
pin ch_ppocr_mobile_v2.0_cls_infer.onnx cls.onnx x:1x3x48x192
pin ch_PP-OCRv4_rec_infer.onnx rec.onnx x:1x3x48x320 x:1x3x48x640 x:1x3x48x960
echo "picture.png: drawing a page"
"$python" "$tree/tests/demo/prepare.py" "$models/ch_PP-OCRv4_rec_infer.onnx" "$dir/picture.png" "$dir/keys.txt"
cp "$clips/bikes.mp4" "$dir/clip.mp4"
