#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# demo.sh [OUT]   the host's part of `make demo`; runs inside the toolchain root
#
# Prepares inputs, boots a guest with an emulated card and runs guest.sh in it, compares the results
# with ONNX Runtime and ffmpeg on the CPU, and leaves what is worth looking at in OUT (default
# demo-output/ in the tree).
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
env=$tree/tests/env
out=${1:-$tree/demo-output}
start=$SECONDS

step() { printf '\n== %s (%d s)\n' "$*" $((SECONDS - start)); }
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }

share=$(mktemp -d)
trap 'rm -rf "$share"' EXIT
mkdir -p "$share"/{in,out/tensors} "$out"
rm -f "$out"/{text-found.png,picture.png,transcoded.mp4,faces.mp4}

progress() { "$env/progress.sh" "$@"; }

step "preparing models, picture and clip"
models=$("$env/assets.sh" print models)
python=$("$env/assets.sh" print python)
progress "models, picture and clip" "$tree/tests/demo/inputs.sh" "$share/in"
cp "$tree/tests/demo/faces-guest.sh" "$share/in/"
"$tree/tests/demo/faces.sh" prepare "$share/in"
# Real weights are large: who has them from `make demo-llm` and `make demo-speech` sees them here, others see small models.
if "$env/assets.sh" have smollm2; then
    "$tree/tests/llm/models.sh" chat "$share/in/chat"
    touch "$share/in/chat-is-real"
else
    cp -r "$tree/tests/data/llm/tiny" "$share/in/chat"
fi
if "$env/assets.sh" have whisper; then
    "$tree/tests/llm/models.sh" hear "$share/in/hear"
    cp "$("$env/assets.sh" print sounds)/beckett.wav" "$share/in/speech.wav"
    touch "$share/in/hear-is-real"
else
    cp -r "$tree/tests/data/llm/speech" "$share/in/hear"
    cp "$tree/tests/data/llm/speech/tones.wav" "$share/in/speech.wav"
fi

step "booting a guest with Debian's kernel and an emulated card"
"$env/guest.sh" "$tree/tests/demo/guest.sh" "$share" 900 ||
    die "the guest's part failed, see above"

step "comparing inference with ONNX Runtime on the CPU, and the text with what was drawn"
# shellcheck disable=SC2016 # for that shell to expand
progress "ONNX Runtime" bash -c '"$1" "$2" "$3" "$4" "$5" >"$6"' - \
    "$python" "$tree/tests/demo/compare.py" "$share/out/tensors" "$models" "$share/out/text.jsonl" "$share/compared"
cat "$share/compared"

step "comparing the faces with those that ONNX Runtime finds"
"$tree/tests/demo/faces.sh" compare "$share/in" "$share/out/found.jsonl"

step "comparing decoding with ffmpeg"
progress "ffmpeg decodes the clip" \
    ffmpeg -v error -i "$share/in/clip.mp4" -an -pix_fmt nv12 -f framemd5 -y "$share/clip.framemd5"
digests() { grep -v '^#' "$1" | awk -F', *' '{print $NF}'; }
digests "$share/clip.framemd5" >"$share/want"
digests "$share/out/clip.md5" >"$share/have"
cmp -s "$share/want" "$share/have" || die "decoded pictures differ from ffmpeg's"
echo "decoded: $(wc -l <"$share/have") pictures, all equal to ffmpeg's (MD5)"

step "judging the encoder"
printf 'encoded: '
ffprobe -v error -show_entries stream=codec_name,width,height,nb_read_frames -count_frames \
    -of compact=p=0 "$share/out/transcoded.mp4"
psnr=$(ffmpeg -v info -i "$share/out/transcoded.mp4" -i "$share/in/clip.mp4" \
    -lavfi '[0:v]settb=1/25,setpts=N[a];[1:v]settb=1/25,setpts=N[b];[a][b]psnr' -f null - 2>&1 | grep -o 'average:[0-9.a-z]*' | tail -1)
echo "encoded: PSNR against the original ${psnr#average:} dB"
[ "$(awk -v p="${psnr#average:}" 'BEGIN { print (p == "inf" || p > 28) }')" = 1 ] ||
    die "the encoded clip is too far from the original"

cp "$share"/out/{text-found.png,transcoded.mp4,faces.mp4} "$share/in/picture.png" "$out/"
step "done"
echo "look at: ${out#"$tree"/}/text-found.png, ${out#"$tree"/}/faces.mp4, ${out#"$tree"/}/transcoded.mp4"
