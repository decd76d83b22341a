#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# run.sh   the host's part of `make test-zoo`: small networks of random weights look at pictures on an emulated card in a guest,
#          and under ONNX Runtime on the CPU; runs inside the toolchain root
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
env=$tree/tests/env
here=$tree/tests/zoo
export PYTHONDONTWRITEBYTECODE=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
share=$work/share
mkdir -p "$share"/{in,out}

clips=$("$env/assets.sh" print clips)
python=$("$env/assets.sh" print onnx-python)
cp "$clips/bikes.mp4" "$share/in/clip.mp4"
"$env/progress.sh" "making the networks" "$python" "$here/networks.py" "$share/in"
# The first pictures in 64x64, as the emulated card's image processor does it.
flags=bilinear+accurate_rnd+full_chroma_int+full_chroma_inp
ffmpeg -nostdin -loglevel error -i "$share/in/clip.mp4" -frames:v 4 -fps_mode passthrough -f rawvideo -vf \
    "format=nv12,scale=64:64:flags=$flags,format=nv12,scale=flags=$flags,format=bgr24" -y "$work/pixels"
head -c $((64 * 64 * 3)) "$work/pixels" >"$share/in/picture.bin"
"$env/guest.sh" "$here/guest.sh" "$share" 900 || echo "the guest's part failed, see above"
"$python" "$here/compare.py" "$share/in" "$work/pixels" "$share/out"
