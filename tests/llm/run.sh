#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# run.sh test   the host's part of `make test-llm`: SmolLM2-135M-Instruct, layer by layer, on an emulated card in a guest, and
#               the same layers under ONNX Runtime on the CPU
# run.sh demo   the same for people to look at, without comparing (`make demo-llm`)
#
# Runs inside the toolchain root.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
env=$tree/tests/env
here=$tree/tests/llm
export PYTHONDONTWRITEBYTECODE=1

what=${1:?test or demo}
question='What is the capital of France?'
tokens=48
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
share=$work/share
mkdir -p "$share"

"$here/models.sh" chat "$share/smollm2"
printf '%s' "$question" >"$share/question"
echo "$tokens" >"$share/tokens"
guest() {
    "$env/guest.sh" "$here/guest.sh" "$share" 3000 "$what"
}
if [ "$what" = demo ]; then
    guest
    exit
fi
python=$("$env/assets.sh" print llm-python)
# The small models of `make test` are what they are said to be.
"$python" "$here/tiny.py" "$work/tiny"
diff -r "$work/tiny" "$tree/tests/data/llm/tiny"
"$python" "$here/vision_tiny.py" "$work/vision"
diff -r "$work/vision" "$tree/tests/data/llm/vision"
"$env/progress.sh" "ONNX Runtime answers" bash -c '"${@:2}" >"$1"' - "$work/want.json" \
    "$python" "$here/reference.py" "$share/smollm2" "$tokens" "$question"
guest || echo "the guest's part failed, see above"
"$python" "$here/compare.py" "$work/want.json" "$share/answer.json" "$share/bench.json" Paris
