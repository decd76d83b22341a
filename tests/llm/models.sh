#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# models.sh chat DIR   makes the directory DIR of SmolLM2-135M-Instruct, a model for each layer
# models.sh hear DIR   makes that of Whisper tiny.en
#
# Whatever DIR was before is gone.  Runs inside the toolchain root.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
env=$tree/tests/env
here=$tree/tests/llm
dir=${2:?directory}
export PYTHONDONTWRITEBYTECODE=1

rm -rf "$dir"
case ${1:-} in
chat)
    gguf=$("$env/assets.sh" print smollm2)
    python=$("$env/assets.sh" print llm-python)
    "$env/progress.sh" "making the layers of SmolLM2" "$python" "$here/smollm2.py" "$gguf" "$dir"
    ;;
hear)
    whisper=$("$env/assets.sh" print whisper)
    python=$("$env/assets.sh" print speech-python)
    "$env/progress.sh" "making the models of Whisper" "$python" "$here/speech_weights.py" "$whisper" "$dir" whisper-tiny.en
    ;;
*)
    echo "usage: $0 chat|hear DIR" >&2
    exit 2
    ;;
esac
