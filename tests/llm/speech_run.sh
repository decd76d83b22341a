#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# speech_run.sh test   the host's part of `make test-speech`: Whisper tiny.en hears spoken sentences on an emulated card in a
#                      guest, and as ONNX Runtime and faster-whisper hear them on the CPU
# speech_run.sh demo   the same for people to look at, without comparing (`make demo-speech`)
#
# Runs inside the toolchain root.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
env=$tree/tests/env
here=$tree/tests/llm
data=$tree/tests/data/llm
target=${CARGO_TARGET_DIR:-$tree/target}
export PYTHONDONTWRITEBYTECODE=1

what=${1:?test or demo}
# The last one has another rate.
sounds=(beckett clone-test endgame_nagg_nell)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
share=$work/share
mkdir -p "$share/sounds"

from=$("$env/assets.sh" print sounds)
for sound in "${sounds[@]}"; do cp "$from/$sound.wav" "$share/sounds/"; done
"$here/models.sh" hear "$share/whisper"
guest() {
    "$env/guest.sh" "$here/speech_guest.sh" "$share" 1800 "$what"
}
if [ "$what" = demo ]; then
    guest
    exit
fi
whisper=$("$env/assets.sh" print whisper)
python=$("$env/assets.sh" print speech-python)
# The small model of `make test` is what it is said to be, and so are what it hears and the spectrum.
"$python" "$here/speech_tiny.py" "$work/tiny"
diff -r "$work/tiny" "$data/speech"
"$python" "$here/speech_mel.py" "$data/speech/tones.wav" "$work/log-mel.f32"
"$python" "$here/speech_compare.py" spectra "$work/log-mel.f32" "$data/log-mel.f32"
"$env/progress.sh" "faster-whisper hears" bash -c '"${@:2}" >"$1"' - "$work/words.jsonl" \
    "$python" "$here/speech_listen.py" "$whisper" "$share"/sounds/*.wav
# Those of 16 kHz: turning other rates into that is not exact.
"$env/progress.sh" "ONNX Runtime hears" bash -c '"${@:2}" >"$1"' - "$work/tokens.jsonl" \
    "$python" "$here/speech_reference.py" "$share/whisper" "$share"/sounds/{beckett,clone-test}.wav
"$env/progress.sh" "silero-vad listens" bash -c '"${@:2}" >"$1"' - "$work/spoken.json" \
    "$python" "$here/speech_pauses.py" "$work/vad.onnx" "$share/pauses.wav" "$share"/sounds/{beckett,clone-test}.wav
"$target/release/ax650-emu-model" pin "$work/vad.onnx" --group input:1x576,state:2x1x128 -o "$share/vad.onnx"
guest || echo "the guest's part failed, see above"
"$python" "$here/speech_compare.py" pauses "$work/words.jsonl" "$work/spoken.json" "$share/pauses.json"
"$python" "$here/speech_compare.py" heard "$work/words.jsonl" "$work/tokens.jsonl" "$share/out"
