#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The part of the demo that runs in the guest.  Inputs are in /mnt/share/in, results go to
# /mnt/share/out.
set -eu
# shellcheck disable=SC3040 # busybox has it
set -o pipefail
in=/mnt/share/in out=/mnt/share/out
step() { printf '\n== %s\n' "$*"; }
# The console is a terminal, but what reads it may be a log: programs shall see a pipe.
show() { "$@" 2>&1 | sed 's/^/   /'; }

step "loading the driver; the card boots in the background"
insmod /lib/modules/ax650.ko
show ax650-fw boot --if-needed || { dmesg | tail -n 20; exit 1; }
dmesg | grep 'ax650 0' | sed 's/^/   kernel: /'

step "ax650 check and ax650 info"
show ax650 check || echo "   (see above)"
show ax650 info

step "text recognition on the card's NPU"
show ax650 ocr "$in/picture.png" -m "$in" -o "$out/text.jsonl" --draw "$out/text-found.png" --tensors "$out/tensors"
show grep -o '"text":"[^"]*"' "$out/text.jsonl"

. "$in/faces-guest.sh"

step "decoding a clip"
ax650 decode "$in/clip.mp4" --md5 2>&1 >"$out/clip.md5" | sed 's/^/   /'
echo "   digests of $(grep -vc '^#' "$out/clip.md5") pictures are in clip.md5"

step "decoding and encoding it again on the card"
show ax650 transcode "$in/clip.mp4" -o "$out/transcoded.mp4"
ls -l "$in/clip.mp4" "$out/transcoded.mp4" | awk '{print "   " $NF ": " $5 " bytes"}'

if [ -e "$in/chat-is-real" ]; then
    step "asking SmolLM2-135M: What is the capital of France?"
    show ax650-llm run "$in/chat" --prompt 'What is the capital of France?' --max-tokens 32
else
    step "what a token of a language model costs (two layers of random weights; make demo-llm has a real one)"
fi
show ax650-llm bench "$in/chat" --prompt-tokens 16 --tokens 8
if [ -e "$in/hear-is-real" ]; then
    step "hearing a sentence with Whisper tiny.en"
else
    step "hearing tones with a small Whisper of random weights, so it writes nonsense (make demo-speech has a real one)"
fi
show ax650-llm transcribe "$in/hear" "$in/speech.wav"

step "what it cost"
show ax650 bench || true
