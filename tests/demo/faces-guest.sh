# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=sh
#
# Looks for faces in a clip, in a guest: `in` and `out` are directories with the inputs and for the results.
detect() { ax650 detect "$@" -m "$in/faces.onnx" --labels "$in/labels" -n 60 2>&1 | sed 's/^/   /'; }

step "ax650 detect clip.mp4 -m faces.onnx --labels labels"
detect "$in/clip.mp4" -o "$out/found.jsonl"
grep -v '"detections":\[\]' "$out/found.jsonl" | head -n 3 | sed 's/^/   /'
step "the same, drawn, and encoded on the card"
detect "$in/clip.mp4" -o /dev/null --draw "$out/faces.mp4"
