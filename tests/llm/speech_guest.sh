#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The part of `make test-speech` and `make demo-speech` that runs in the guest: what is said in the files.
set -eu
share=/mnt/share
insmod /lib/modules/ax650.ko
ax650-fw boot --if-needed
mkdir -p $share/out
for sound in "$share"/sounds/*.wav; do
    name=$(basename "$sound" .wav)
    echo "$name:"
    if [ "$1" = demo ]; then
        ax650-llm transcribe $share/whisper "$sound"
    else
        ax650-llm transcribe $share/whisper "$sound" --json >"$share/out/$name.json"
    fi
done
if [ "$1" = test ]; then
    ax650-llm transcribe $share/whisper $share/pauses.wav --vad $share/vad.onnx --json >$share/pauses.json
fi
ax650 info
